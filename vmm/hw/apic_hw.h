/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * This machine's local APICs, in xAPIC or x2APIC mode as the firmware left them (x2APIC is
 * switched on where the CPU has it and an APIC id needs it).
 * Specs: [SDM3] "Advanced Programmable Interrupt Controller (APIC)".
 */
#ifndef VMM_HW_APIC_HW_H
#define VMM_HW_APIC_HW_H

#include "vmm/lib/types.h"

void apic_init(void);      /* boot processor, once: find and map */
void apic_init_cpu(void);  /* each CPU: enable, mask the LVT, measure nothing */
void apic_calibrate(void); /* boot processor, after clock_init(): timer ticks per second */
uint32_t apic_id(void);
void apic_eoi(void);
void apic_send_nmi_others(void); /* panic */
void apic_send_init(uint32_t apic_id);
void apic_send_sipi(uint32_t apic_id, uint8_t page);

/* One-shot on the calling CPU, HOST_VECTOR_TIMER at that TSC time or soon after; ~0 = off. */
void apic_timer_set(uint64_t deadline_tsc);

#endif
