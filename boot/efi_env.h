/* SPDX-License-Identifier: BSD-2-Clause */
/* The firmware as every file of the loader sees it. Specs: [UEFI] "EFI System Table". */
#ifndef BOOT_EFI_ENV_H
#define BOOT_EFI_ENV_H

#include <efi.h>

extern EFI_HANDLE efi_image;
extern EFI_SYSTEM_TABLE *efi_st;
extern EFI_BOOT_SERVICES *efi_bs;

#endif
