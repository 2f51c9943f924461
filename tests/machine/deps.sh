#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Install what is missing: deps.sh [test|bench]   ('test' adds what only the tests need, 'bench' that
# and what only the figures need)
# Quick when nothing is missing. Prints the list before it asks apt-get for it; without
# apt it prints what is needed and stops.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

# Debian package, and the command or file that shows it is there.
run_deps="
make make
gcc gcc
binutils ld
libc6-dev /usr/include/stdio.h
nasm nasm
gnu-efi /usr/include/efi/efi.h
acpica-tools iasl
gdisk sgdisk
mtools mcopy
dosfstools mkfs.vfat
cpio cpio
python3 python3
busybox-static /bin/busybox
ovmf /usr/share/OVMF/OVMF_CODE_4M.fd
seabios /usr/share/seabios/vgabios-stdvga.bin
"
bochs_deps="
bochs bochs
"
kvm_deps="
qemu-system-x86 qemu-system-x86_64
"
test_deps="
pkg-config pkg-config
check /usr/include/check.h
libzydis-dev /usr/include/Zydis/Zydis.h
clang clang
libclang-rt-dev CLANG_RT
clang-format clang-format
e2fsprogs mkfs.ext4
bochs bochs
"
bench_deps="
gnuplot-nox gnuplot
grub-common grub-mkimage
grub-efi-amd64-bin /usr/lib/grub/x86_64-efi/multiboot.mod
qemu-system-x86 qemu-system-x86_64
"

# A compiler's run-time library lies in a directory named after its version.
have() {
	case $1 in
	CLANG_RT) compgen -G '/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a' >/dev/null ;;
	/*) [ -e "$1" ] ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

nested_kvm() {
	[ -r /dev/kvm ] && [ -w /dev/kvm ] && grep -qs '[Y1]' /sys/module/kvm_intel/parameters/nested
}

deps=$run_deps
case ${MACHINE:-} in
bochs) deps+=$bochs_deps ;;
qemu-*) deps+=$kvm_deps ;;
*) if nested_kvm; then deps+=$kvm_deps; else deps+=$bochs_deps; fi ;;
esac
case ${1:-} in
test) deps+=$test_deps ;;
bench) deps+=$test_deps$bench_deps ;;
esac

missing=()
while read -r package probe; do
	if [ -n "$package" ] && ! have "$probe"; then
		missing+=("$package")
	fi
done <<<"$deps"
if [ ${#missing[@]} -eq 0 ]; then
	exit 0
fi

echo "Missing here (names of Debian packages): ${missing[*]}"
if ! command -v apt-get >/dev/null; then
	echo "This system has no apt-get: install these or their equivalents, then run make again." >&2
	exit 1
fi
root=()
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "Neither root nor sudo: run as root: apt-get install ${missing[*]}" >&2
		exit 1
	fi
	root=(sudo)
fi
install() {
	"${root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null
}
# Without package lists, or with lists too old to be true, install fails: renew them.
if ! install; then
	"${root[@]}" apt-get update -q </dev/null
	install
fi
