/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages for the person in front of the machine, until the core takes over. */
#ifndef BOOT_EFI_CONSOLE_H
#define BOOT_EFI_CONSOLE_H

#include "boot/efi_env.h"
#include "vmm/lib/types.h"

void con_init(void);
/* One line to the firmware's console and to COM1; a newline is added. */
void con_line(const char *fmt, ...) __printf(1, 2);
/* The one sentence that says why nothing was started; returns status. */
EFI_STATUS con_fail(EFI_STATUS status, const char *fmt, ...) __printf(2, 3);
/* Why did the firmware refuse? A word for the common codes. */
const char *con_status(EFI_STATUS status);

#endif
