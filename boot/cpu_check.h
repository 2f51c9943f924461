/* SPDX-License-Identifier: BSD-2-Clause */
/* Refuse a processor that cannot run guests, with the reason. */
#ifndef BOOT_CPU_CHECK_H
#define BOOT_CPU_CHECK_H

#include "boot/efi_env.h"
#include "vmm/lib/types.h"

EFI_STATUS cpu_check(void);
/* CPUID.80000001H:EDX.Page1GB */
bool cpu_has_1g_pages(void);

#endif
