#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The default configuration: one VM, Debian's cloud kernel, a busybox shell.
# compose.sh DIR   fills DIR with candela.cfg and the files it names
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=${1:?usage: compose.sh DIR}
B=${B:-build}
tests/machine/fetch_kernel.sh cloud
initrd=$B/guest/initrd.img
if [ ! -s "$initrd" ] || [ tests/machine/init -nt "$initrd" ] ||
	[ tests/machine/mkinitramfs.sh -nt "$initrd" ]; then
	tests/machine/mkinitramfs.sh "$initrd"
fi
mkdir -p "$dir/guests"
cp -u "$B/guest/vmlinuz-cloud" "$dir/guests/vmlinuz"
cp -u "$initrd" "$dir/guests/initrd.img"
cat >"$dir/candela.cfg" <<'CFG'
# Made by 'make run'. Your own: make run CONFIG=dir (docs/config.md).
[vm.debian]
vcpus   = 1
memory  = 256M
kernel  = \guests\vmlinuz
initrd  = \guests\initrd.img
cmdline = console=ttyS0
CFG
