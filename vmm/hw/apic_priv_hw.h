/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside vmm/hw: what start-up needs of the interrupt controllers. */
#ifndef VMM_HW_APIC_PRIV_HW_H
#define VMM_HW_APIC_PRIV_HW_H

#include "vmm/lib/types.h"

/* Switch to x2APIC mode where the CPU has it; before other processors are started. */
void apic_require_x2apic(void);
bool apic_is_x2apic(void);

/* Has the calling CPU's APIC taken this vector without it being served yet? */
bool apic_irr_test(uint8_t vector);

/*
 * Send a line of the IOAPIC to one CPU. false when there is no IOAPIC or it has no such line.
 */
__must_check bool ioapic_route(
        uint32_t line, uint8_t vector, uint32_t apic_id, bool active_low, bool level);
/* Find it and mask what the firmware left open: its interrupts would come for ever. */
void host_ioapic_init(uint64_t base);
void ioapic_mask(uint32_t line);

#endif
