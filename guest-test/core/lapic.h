/* SPDX-License-Identifier: BSD-2-Clause */
/* The local APIC by its page or by its MSRs: what lapic.c and lapic_delivery.c have in common. */
#ifndef GUEST_TEST_CORE_LAPIC_H
#define GUEST_TEST_CORE_LAPIC_H

#include "guest-test/lib/test.h"

#define APIC_BASE 0x1b
#define EN (1ULL << 11)
#define EXTD (1ULL << 10)
#define ID 0x20
#define TPR 0x80
#define PPR 0xa0
#define EOI 0xb0
#define SVR 0xf0
#define ISR 0x100
#define TMR 0x180
#define IRR 0x200
#define ESR 0x280
#define ICR 0x300
#define ICR_HIGH 0x310
#define LVT_TIMER 0x320
#define LVT_ERROR 0x370
#define SELF 0x40000U

/* Each test of delivery runs in both modes: through these. */
static bool x2;

static inline uint32_t reg_read(uint32_t reg)
{
	return x2 ? (uint32_t)rdmsr(0x800 + reg / 16) : mmio_r32(LAPIC_BASE + reg);
}

static inline void reg_write(uint32_t reg, uint32_t v)
{
	if (x2) {
		wrmsr(0x800 + reg / 16, v);
	} else {
		mmio_w32(LAPIC_BASE + reg, v);
	}
}

static inline bool bit(uint32_t base, uint8_t vector)
{
	return reg_read(base + vector / 32 * 16) >> (vector % 32) & 1;
}

static inline void enter_x2(void)
{
	wrmsr(APIC_BASE, rdmsr(APIC_BASE) | EXTD);
	x2 = true;
}

static inline void leave_x2(void)
{
	uint64_t base = rdmsr(APIC_BASE);

	x2 = false;
	wrmsr(APIC_BASE, base & ~(EN | EXTD));
	wrmsr(APIC_BASE, (base & ~EXTD) | EN);
	lapic_enable();
	mmio_w32(LAPIC_BASE + 0x350, 0x700);
}

#endif
