/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes a VM's ACPI tables: RSDP, RSDT, XSDT, FADT, FACS, DSDT, MADT, and an SSDT for a VMBus.
 * Specs: [ACPI] 6.5, "ACPI Software Programming Model".
 */
#ifndef DEVICES_ACPI_BUILD_H
#define DEVICES_ACPI_BUILD_H

#include "vmm/guest_mem.h"
#include "vmm/lib/types.h"

/* What the tables say about the machine; devices/platform.c fills it. */
struct acpi_info {
	uint32_t n_vcpus; /* local APIC ids 0 to n_vcpus - 1 */
	uint32_t lapic_base, ioapic_base;
	uint8_t ioapic_id;
	uint8_t sci_gsi;
	uint8_t pit_gsi; /* where ISA interrupt 0 arrives */
	uint8_t century; /* CMOS index */
	uint16_t pm_base;
	uint16_t smi_port;
	uint8_t acpi_enable, acpi_disable; /* values for the SMI port */
	uint16_t reset_port;
	uint8_t reset_value;
	bool vmbus; /* there is one */
};

/*
 * Write the tables from base on, the RSDP first; base is a multiple of 64 in the area that
 * operating systems search (0xe0000-0xfffff). -ENOMEM when len is too short, -EFAULT when it is not
 * RAM.
 */
__must_check int acpi_build(
        struct guest_mem *mem, gpa_t base, uint64_t len, const struct acpi_info *info);

#endif
