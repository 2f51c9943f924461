/* SPDX-License-Identifier: BSD-2-Clause */
/* candela.cfg and the files it names: read and checked, all before anything starts. */
#ifndef BOOT_GUEST_FILES_H
#define BOOT_GUEST_FILES_H

#include "boot/boot_info.h"
#include "boot/efi_env.h"

/* Find, read and parse the configuration into bi->config. */
EFI_STATUS guest_config_load(struct boot_info *bi);
/* Read every file it names into bi->files and check that each VM's kernel fits it. */
EFI_STATUS guest_files_load(struct boot_info *bi);
/* Are the CPUs there that they name? Needs bi->cpus. */
EFI_STATUS guest_cpus_check(const struct boot_info *bi);
/* Is there memory for all VMs? Needs bi->mem. */
EFI_STATUS guest_memory_check(struct boot_info *bi);

#endif
