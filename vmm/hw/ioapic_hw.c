// SPDX-License-Identifier: BSD-2-Clause
// The host's IOAPIC: one line routed, the others masked.
// Specs: [IOAPIC] "82093AA: IOREGSEL, IOWIN, IOAPICVER, IOREDTBL".
#include "vmm/hw/apic_priv_hw.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/paging.h"
#include "vmm/lib/bits.h"

#define REG_SELECT 0x00U
#define REG_WINDOW 0x10U
#define REG_VERSION 0x01U
#define REG_TABLE 0x10U

#define ENTRY_LOW_ACTIVE BIT(13)
#define ENTRY_LEVEL BIT(15)
#define ENTRY_MASKED BIT(16)

static uint8_t *window;
static uint32_t n_lines;

static uint32_t reg_read(uint32_t reg)
{
	mmio_write32(window + REG_SELECT, reg);
	return mmio_read32(window + REG_WINDOW);
}

static void reg_write(uint32_t reg, uint32_t v)
{
	mmio_write32(window + REG_SELECT, reg);
	mmio_write32(window + REG_WINDOW, v);
}

void ioapic_mask(uint32_t line)
{
	if (line < n_lines) {
		reg_write(REG_TABLE + 2 * line, ENTRY_MASKED);
	}
}

void host_ioapic_init(uint64_t base)
{
	uint32_t version;

	window = paging_map_device(hpa(base), PAGE_SIZE);
	if (!window) {
		return;
	}
	version = reg_read(REG_VERSION);
	if (version == 0xffffffff) {
		return; /* nobody there */
	}
	n_lines = (version >> 16 & 0xff) + 1;
	for (uint32_t line = 0; line < n_lines; line++) {
		ioapic_mask(line);
	}
}

bool ioapic_route(uint32_t line, uint8_t vector, uint32_t apic_id, bool active_low, bool level)
{
	/* Without interrupt remapping a destination has eight bits. */
	if (line >= n_lines || apic_id > 0xfe) {
		return false;
	}
	ioapic_mask(line);
	reg_write(REG_TABLE + 2 * line + 1, apic_id << 24);
	reg_write(REG_TABLE + 2 * line,
	        vector | (active_low ? ENTRY_LOW_ACTIVE : 0) | (level ? ENTRY_LEVEL : 0));
	return true;
}
