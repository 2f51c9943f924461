#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Get a stock Debian kernel without installing it: fetch_kernel.sh cloud|generic
# Leaves build/guest/vmlinuz-FLAVOUR and build/guest/modules-FLAVOUR (a lib/modules tree).
# The package stays in build/cache: with it there, nothing is downloaded.
set -euo pipefail
cd "$(dirname "$0")/../.."
B=${B:-build}

flavour=${1:?usage: fetch_kernel.sh cloud|generic}
case $flavour in
cloud) meta=linux-image-cloud-amd64 pattern='linux-image-*-cloud-amd64_*.deb' ;;
generic) meta=linux-image-amd64 pattern='linux-image-[0-9]*-amd64_*.deb' ;;
*)
	echo "fetch_kernel.sh: '$flavour' is neither cloud nor generic" >&2
	exit 2
	;;
esac

out=$B/guest/vmlinuz-$flavour
if [ -s "$out" ] && [ -d "$B/guest/modules-$flavour" ]; then
	exit 0
fi
cache=$B/cache
mkdir -p "$cache" "$B/guest"

# The newest package of this flavour in the cache; the cloud kernel matches both patterns.
cached() {
	find "$cache" -maxdepth 1 -name "$pattern" | if [ "$flavour" = generic ]; then
		grep -v -- -cloud- || true
	else
		cat
	fi | sort -V | tail -n 1
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

real_package() {
	apt-cache depends "$meta" 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1
}

# apt downloads as the user _apt, which must be able to write there: a directory of its own
# under /tmp, whatever the modes of the path to this repository are.
download() {
	local pkg=$1 dir
	dir=$(mktemp -d /tmp/candela-kernel.XXXXXX)
	chmod 755 "$dir"
	if [ "$(id -u)" -eq 0 ] && id _apt >/dev/null 2>&1; then
		chown _apt "$dir"
	fi
	if (cd "$dir" && apt-get download -q "$pkg" >"$dir/log" 2>&1); then
		mv "$dir"/*.deb "$cache/"
		rm -rf "$dir"
	else
		cat "$dir/log" >&2
		rm -rf "$dir"
		return 1
	fi
}

deb=$(cached)
if [ -z "$deb" ]; then
	if ! command -v apt-get >/dev/null; then
		echo "fetch_kernel.sh: no apt-get here: put Debian's $pattern into $cache/" >&2
		exit 1
	fi
	pkg=$(real_package)
	if [ -z "$pkg" ]; then
		as_root apt-get update -q
		pkg=$(real_package)
	fi
	if [ -z "$pkg" ]; then
		echo "fetch_kernel.sh: this system's package lists have no $meta (a Debian package):" >&2
		echo "put the kernel package of Debian 12 into $cache/ by hand" >&2
		exit 1
	fi
	echo "Fetching Debian's kernel package $pkg"
	# Stale lists name versions that are no longer there: renew them once.
	download "$pkg" || { as_root apt-get update -q && download "$(real_package)"; }
	deb=$(cached)
fi

tmp=$B/guest/unpack-$flavour
rm -rf "$tmp"
dpkg-deb -x "$deb" "$tmp"
rm -rf "$B/guest/modules-$flavour"
mv "$tmp/lib/modules" "$B/guest/modules-$flavour"
cp "$tmp"/boot/vmlinuz-* "$out"
rm -rf "$tmp"
echo "$out: $(basename "$deb" .deb)"
