#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Make a bootable disk image without root: GPT, one FAT EFI system partition with the
# loader, the core beside it and everything of a configuration directory on its root.
# mkimage.sh OUT LOADER CORE [DIR]
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

out=${1:?usage: mkimage.sh OUT LOADER CORE [DIR]}
loader=${2:?}
core=${3:?}
dir=${4:-}

if [ -n "$dir" ] && [ ! -d "$dir" ]; then
	echo "mkimage.sh: $dir is not a directory" >&2
	exit 1
fi
if [ -n "$dir" ] && [ ! -f "$dir/candela.cfg" ]; then
	echo "mkimage.sh: $dir has no candela.cfg" >&2
	exit 1
fi

# Content rounded up to the largest cluster mkfs.vfat takes here, tables, some room.
kib=$( (
	stat -L -c %s "$loader" "$core"
	[ -z "$dir" ] || find -L "$dir" -type f -printf '%s\n' -o -type d -printf '8192\n'
) | awk '{ k += int(($1 + 8191) / 8192) * 8 } END { print int(k * 1.02) + 8192 }')

mkdir -p "$(dirname "$out")"
tmp=$out.tmp.$$
trap 'rm -f "$tmp"' EXIT
start=2048 # sectors: 1 MiB
truncate -s $(((kib + 2048) * 1024)) "$tmp"
# Fixed identifiers: the same content gives the same image.
sgdisk --clear --new=1:$start:+"$kib"K --typecode=1:ef00 --change-name=1:Candela \
	--disk-guid=43616e64-656c-4120-8000-000000000001 \
	--partition-guid=1:43616e64-656c-4120-8000-000000000002 "$tmp" >/dev/null
# It warns that the file is larger than the file system: by the 1 MiB in front.
if ! msg=$(mkfs.vfat -n CANDELA --invariant --offset $start "$tmp" "$kib" 2>&1); then
	echo "mkimage.sh: $msg" >&2
	exit 1
fi

export MTOOLS_SKIP_CHECK=1
part=$tmp@@$((start * 512))
if [ -n "$dir" ]; then
	mcopy -s -Q -o -i "$part" "$dir"/* ::/
fi
mmd -D s -i "$part" ::/EFI ::/EFI/BOOT 2>/dev/null || true
mcopy -o -i "$part" "$loader" ::/EFI/BOOT/BOOTX64.EFI
mcopy -o -i "$part" "$core" ::/EFI/BOOT/candela.elf
rm -f "$out.lock"
mv "$tmp" "$out"
