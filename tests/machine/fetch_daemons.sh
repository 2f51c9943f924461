#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Get Debian's hyperv-daemons without installing them: build/guest/daemons is a tree to put on top of
# an initramfs, with this system's C library. The package stays in build/cache. Exits with 3
# where there is no such package to be had.
set -euo pipefail
cd "$(dirname "$0")/../.."
B=${B:-build}
out=$B/guest/daemons
cache=$B/cache
libc=/lib/x86_64-linux-gnu/libc.so.6
loader=/lib64/ld-linux-x86-64.so.2

if [ -x "$out/bin/hv_kvp_daemon" ]; then
	exit 0
fi
if ! [ -e "$libc" ] || ! [ -e "$loader" ]; then
	echo "fetch_daemons.sh: no $libc or no $loader: is this Debian?" >&2
	exit 3
fi
mkdir -p "$cache"
cached() {
	find "$cache" -maxdepth 1 -name 'hyperv-daemons_*.deb' | sort -V | tail -n 1
}
deb=$(cached)
if [ -z "$deb" ]; then
	# apt downloads as the user _apt, which must be able to write there.
	dir=$(mktemp -d /tmp/candela-daemons.XXXXXX)
	trap 'rm -rf "$dir"' EXIT
	chmod 755 "$dir"
	if [ "$(id -u)" -eq 0 ] && id _apt >/dev/null 2>&1; then
		chown _apt "$dir"
	fi
	if ! (cd "$dir" && apt-get download -q hyperv-daemons) >"$dir/log" 2>&1; then
		cat "$dir/log" >&2
		exit 3
	fi
	mv "$dir"/*.deb "$cache/"
	deb=$(cached)
fi
rm -rf "$out.tmp" "$out"
mkdir -p "$out.tmp/tree/bin" "$out.tmp/tree/lib/x86_64-linux-gnu" "$out.tmp/tree/lib64"
dpkg-deb -x "$deb" "$out.tmp/deb"
cp "$out.tmp"/deb/usr/sbin/hv_*_daemon "$out.tmp/tree/bin/"
cp -L "$libc" "$out.tmp/tree/lib/x86_64-linux-gnu/"
cp -L "$loader" "$out.tmp/tree/lib64/"
mv "$out.tmp/tree" "$out"
rm -rf "$out.tmp"
echo "$out: $(basename "$deb" .deb)"
