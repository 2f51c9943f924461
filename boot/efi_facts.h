/* SPDX-License-Identifier: BSD-2-Clause */
/* What the firmware knows about the machine: processors, ACPI, graphics, the time. */
#ifndef BOOT_EFI_FACTS_H
#define BOOT_EFI_FACTS_H

#include "boot/boot_info.h"
#include "boot/efi_env.h"

EFI_STATUS facts_collect(struct boot_info *bi);

#endif
