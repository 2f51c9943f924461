#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The initramfs of the tests with several processors: the plain one, and
# - Debian's kexec-tools with the libraries they want; under /boot a kernel and the plain initramfs
#   to start with them,
# - smpcheck (smpcheck.c).
# mksmp.sh OUT [KERNEL]   KERNEL: cloud or generic, already fetched
# The packages stay in build/cache: with them there, nothing is downloaded.
set -euo pipefail
cd "$(dirname "$0")/../.."
B=${B:-build}

out=${1:?usage: mksmp.sh OUT [cloud|generic]}
kernel=$B/guest/vmlinuz-${2:-cloud}
plain=$B/guest/initrd.img
cache=$B/cache/kexec

# Everything that makes the result is older than it: nothing to do.
newer=1
for part in "$kernel" "$plain" tests/machine/{mksmp.sh,mkinitramfs.sh,smpcheck.c}; do
	[ "$out" -nt "$part" ] || newer=
done
if [ -n "$newer" ] && [ -e "$B/guest/smpcheck" ]; then
	exit 0
fi

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# kexec, and those libraries its Debian build is linked with that this machine does not have.
packages() {
	apt-get install -s -q --reinstall --no-install-recommends kexec-tools 2>/dev/null |
		sed -n 's/^Inst \(kexec-tools\|libxen[^ ]*\|libyajl2\) .*/\1/p'
}

# As in fetch_kernel.sh: apt downloads as _apt, into a directory that user can write to.
download() {
	local dir
	dir=$(mktemp -d /tmp/candela-kexec.XXXXXX)
	chmod 755 "$dir"
	if [ "$(id -u)" -eq 0 ] && id _apt >/dev/null 2>&1; then
		chown _apt "$dir"
	fi
	if (cd "$dir" && apt-get download -q "$@" >"$dir/log" 2>&1); then
		mkdir -p "$cache"
		mv "$dir"/*.deb "$cache/"
		rm -rf "$dir"
	else
		cat "$dir/log" >&2
		rm -rf "$dir"
		return 1
	fi
}

fetch() {
	local names
	if ! command -v apt-get >/dev/null; then
		echo "mksmp.sh: no apt-get here: put Debian's kexec-tools and libxen packages into $cache/" >&2
		exit 1
	fi
	mapfile -t names < <(packages)
	if [ ${#names[@]} -gt 0 ] && download "${names[@]}"; then
		return
	fi
	as_root apt-get update -q
	mapfile -t names < <(packages)
	download "${names[@]}"
}

if ! compgen -G "$cache/kexec-tools_*.deb" >/dev/null; then
	fetch
fi

unpacked=$(mktemp -d)
root=$(mktemp -d)
trap 'rm -rf "$unpacked" "$root"' EXIT
for deb in "$cache"/*.deb; do
	dpkg-deb -x "$deb" "$unpacked"
done
mkdir -p "$root"/{bin,boot,lib,lib64}
cp "$unpacked/sbin/kexec" "$root/bin/kexec"

# The C library is this machine's own: the one the package asks for, or a newer one.
libs=$(find "$unpacked" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd:)
LD_LIBRARY_PATH=$libs ldd "$root/bin/kexec" | while read -r name arrow file _; do
	case $name in
	/lib64/*) cp "$name" "$root/lib64/" ;;
	linux-vdso*) ;;
	*)
		if [ "$arrow" != "=>" ] || [ ! -e "$file" ]; then
			echo "mksmp.sh: kexec wants $name, which is not in $cache" >&2
			exit 1
		fi
		cp "$file" "$root/lib/"
		;;
	esac
done
gcc -std=gnu11 -O2 -Wall -Wextra -Werror -static -pthread -o "$B/guest/smpcheck" \
	tests/machine/smpcheck.c
cp "$B/guest/smpcheck" "$root/bin/smpcheck"
cp "$kernel" "$root/boot/vmlinuz"
cp "$plain" "$root/boot/initrd.img"
tests/machine/mkinitramfs.sh "$out" "$root"
