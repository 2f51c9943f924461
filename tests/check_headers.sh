#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Each header compiles alone and has an include guard made of its path.
set -u
cd "$(dirname "$0")/.." || exit 1
B=${B:-build}
flags=(-std=gnu11 -I. "-I$B" -ffreestanding -mgeneral-regs-only -mno-red-zone -Wall -Wextra -Werror
	-fsyntax-only -x c)
efi=(-I/usr/include/efi -I/usr/include/efi/x86_64 -DGNU_EFI_USE_MS_ABI -fshort-wchar)
failed=0
while read -r header; do
	extra=()
	case $header in
	boot/boot_info.h) ;;
	boot/*) extra=("${efi[@]}") ;;
	tests/* | guest-test/*) continue ;;
	esac
	# Through a file of its own: a header as main file would draw a warning on '#pragma once'.
	if ! printf '#include "%s"\nint unused;\n' "$header" | gcc "${flags[@]}" "${extra[@]}" -; then
		echo "$header: does not compile alone"
		failed=1
	fi
	guard=$(echo "$header" | tr 'a-z/.-' 'A-Z___')
	if ! grep -q "^#ifndef $guard\$" "$header" || ! grep -q "^#define $guard\$" "$header"; then
		echo "$header: include guard is not $guard"
		failed=1
	fi
done < <(find boot vmm vmx devices hypercall vmbus -name '*.h' 2>/dev/null | LC_ALL=C sort)
exit $failed
