/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's ACPI tables, as far as the core needs them. Bytes from the firmware: checked
 * like any other input (lengths, checksums, recursion). Without tables everything is absent
 * and the architectural defaults hold.
 * Specs: [ACPI] "ACPI Software Programming Model".
 */
#ifndef VMM_HW_ACPI_H
#define VMM_HW_ACPI_H

#include "vmm/lib/types.h"

struct acpi_info {
	bool present;
	uint64_t lapic_base;  /* 0xfee00000 unless the MADT says otherwise */
	uint64_t ioapic_base; /* 0xfec00000 by default */
	uint32_t ioapic_gsi_base;
	uint32_t serial_gsi; /* of ISA IRQ 4, after overrides */
	bool serial_active_low, serial_level;
	uint16_t pm_timer_port;                /* 0 = none */
	uint16_t pm1a_cnt_port, pm1b_cnt_port; /* 0 = none */
	uint8_t s5_slp_typ_a, s5_slp_typ_b;
	uint16_t reset_port; /* FADT reset register in I/O space; 0 = none */
	uint8_t reset_value;
	bool s5_valid;      /* the DSDT's \_S5 package was found and is plain */
	uint64_t mcfg_base; /* 0 = none */
	uint64_t dmar;      /* physical address of the DMAR table, 0 = none */
};

/* rsdp = 0: defaults only. Reads physical memory through acpi_map() (link-time). */
void acpi_parse(struct acpi_info *info, uint64_t rsdp);

/* Link-time: len bytes of physical memory, readable; NULL when they are not RAM. */
const void *acpi_map(uint64_t pa, uint64_t len);

extern struct acpi_info acpi;

#endif
