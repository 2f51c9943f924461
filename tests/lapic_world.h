/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APICs of a fake VM, and an IOAPIC that notes the ends of interrupts: what test_lapic*.c
 * have in common.
 */
#ifndef TESTS_LAPIC_WORLD_H
#define TESTS_LAPIC_WORLD_H

#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lapic.h"
#include "vmm/lapic_regs.h"
#include "vmm/lib/bits.h"
#include <string.h>

static struct vm *vm;
static struct lapic *apic[4];
static unsigned eois;
static uint8_t eoi_vector;

static inline void ioapic_eoi(void *chip, uint8_t vector)
{
	(void)chip;
	eois++;
	eoi_vector = vector;
}

static const struct irq_chip_ops ioapic_ops = {.name = "ioapic", .eoi = ioapic_eoi};

static inline void make(void)
{
	fake_clock_set(0);
	vm = fake_vm(1 << 20, 4);
	irq_router_set_ioapic(&vm->irq, &ioapic_ops, NULL);
	for (unsigned i = 0; i < 4; i++) {
		apic[i] = &vm->vcpus[i]->lapic;
		lapic_write(apic[i], LAPIC_SVR, 0x1ff);
	}
	eois = 0;
}

static inline void setup(void)
{
	*fake_caps() = (struct virt_caps){0};
	make();
}

static inline void setup_delivery(void)
{
	fake_caps()->apic = (struct virt_apic_caps){true, true, true, true, true};
	make();
}

static inline void enter_x2apic(struct lapic *a)
{
	ck_assert(lapic_set_base(a, a->base | APIC_BASE_EXTD));
}

#endif
