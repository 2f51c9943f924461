#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A small initramfs: Debian's static busybox, tests/machine/init and, optionally, more files.
# mkinitramfs.sh OUT [DIR]   everything under DIR is put on top (for instance etc/rc.test)
set -euo pipefail
repo=$(cd "$(dirname "$0")/../.." && pwd)
B=${B:-$repo/build}
out=$(realpath -m "${1:?usage: mkinitramfs.sh OUT [DIR]}")
extra=${2:-}

is_static() {
	[ -x "$1" ] && ! grep -aq 'ld-linux-x86-64' "$1"
}

busybox() {
	local f dir
	for f in /bin/busybox "$B/cache/busybox"; do
		if is_static "$f"; then
			echo "$f"
			return
		fi
	done
	# The dynamic busybox package excludes busybox-static: unpack, do not install.
	dir=$(mktemp -d /tmp/candela-busybox.XXXXXX)
	chmod 755 "$dir"
	if [ "$(id -u)" -eq 0 ] && id _apt >/dev/null 2>&1; then
		chown _apt "$dir"
	fi
	(cd "$dir" && apt-get download -q busybox-static >/dev/null && dpkg-deb -x ./*.deb .)
	mkdir -p "$B/cache"
	cp "$dir/bin/busybox" "$B/cache/busybox"
	rm -rf "$dir"
	echo "$B/cache/busybox"
}

bb=$(busybox)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,dev,etc,proc,root,run,sys,tmp}
ln -s bin "$root/sbin"
cp "$bb" "$root/bin/busybox"
for applet in $("$bb" --list); do
	[ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
cp "$repo/tests/machine/init" "$root/init"
if [ ! -e "$root/bin/lspci" ]; then
	cp "$repo/tests/machine/lspci" "$root/bin/lspci" # Debian's static busybox has none
fi
printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\n' >"$root/etc/group"
if [ -n "$extra" ]; then
	cp -a "$extra/." "$root/"
fi
chmod 755 "$root" "$root/bin/busybox" "$root/init" "$root/bin/lspci"
# The same tree gives the same bytes: instruction counts repeat from build to build.
find "$root" -exec touch -h -d '2024-01-01 00:00:00 UTC' {} +
mkdir -p "$(dirname "$out")"
(cd "$root" && find . -mindepth 1 | LC_ALL=C sort |
	cpio --quiet --reproducible -R 0:0 -o -H newc) >"$out.tmp"
mv "$out.tmp" "$out"
