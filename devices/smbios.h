/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes a VM's SMBIOS tables: who made the machine, and what is in it.
 * Specs: [SMBIOS] 2.8 (DSP0134), "Accessing SMBIOS information", "Structure definitions".
 */
#ifndef DEVICES_SMBIOS_H
#define DEVICES_SMBIOS_H

#include "vmm/guest_mem.h"
#include "vmm/lib/config.h"
#include "vmm/lib/types.h"

struct smbios_info {
	enum smbios_strings strings;
	const char *vm_name; /* gives the system's UUID and serial number */
	uint32_t n_vcpus;
	uint64_t mem_size; /* bytes */
};

/*
 * Write the entry point at base (a multiple of 16 in 0xf0000-0xfffff) and the structures
 * behind it. -ENOMEM when len is too short, -EFAULT when it is not RAM.
 */
__must_check int smbios_build(
        struct guest_mem *mem, gpa_t base, uint64_t len, const struct smbios_info *info);

#endif
