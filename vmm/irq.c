// SPDX-License-Identifier: BSD-2-Clause
// Routes interrupt lines and messages from devices to the interrupt controllers.
// Specs: [PIIX4] "Interrupt controller"; [SDM3] "Message Signalled Interrupts".
#include "vmm/irq.h"
#include "vmm/lapic.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/* [SDM3] "Message Address Register Format", "Message Data Register Format" */
#define MSI_ADDR_BASE_SHIFT 20
#define MSI_ADDR_BASE 0xfeeULL
#define MSI_ADDR_DEST_SHIFT 12
#define MSI_ADDR_RH BIT64(3)
#define MSI_ADDR_DM BIT64(2)
#define MSI_DATA_LEVEL BIT(14) /* assert */
#define MSI_DATA_TRIGGER BIT(15)

_Static_assert(IRQ_MAX_SOURCES <= 8, "levels is a byte");

void irq_router_init(struct irq_router *r, struct vm *vm)
{
	memset(r, 0, sizeof(*r));
	r->vm = vm;
}

void irq_router_set_pic(struct irq_router *r, const struct irq_chip_ops *ops, void *chip)
{
	r->pic_ops = ops;
	r->pic = chip;
}

void irq_router_set_ioapic(struct irq_router *r, const struct irq_chip_ops *ops, void *chip)
{
	r->ioapic_ops = ops;
	r->ioapic = chip;
}

void irq_router_reset(struct irq_router *r)
{
	spin_lock(&r->lock);
	for (unsigned gsi = 0; gsi < IRQ_LINES; gsi++) {
		r->lines[gsi].levels = 0;
		r->lines[gsi].rises = 0;
	}
	__atomic_store_n(&r->extint, 0, __ATOMIC_RELAXED);
	spin_unlock(&r->lock);
}

int irq_source_init(
        struct irq_source *s, struct irq_router *r, unsigned gsi, void (*eoi)(void *arg), void *arg)
{
	int err = 0;

	if (gsi >= IRQ_LINES) {
		return -EINVAL;
	}
	spin_lock(&r->lock);
	uint8_t index = r->lines[gsi].n_sources;

	if (index == IRQ_MAX_SOURCES) {
		err = -ENOSPC;
	} else {
		r->lines[gsi].eoi[index].fn = eoi;
		r->lines[gsi].eoi[index].arg = arg;
		r->lines[gsi].n_sources++;
		*s = (struct irq_source){.router = r, .gsi = (uint8_t)gsi, .index = index};
	}
	spin_unlock(&r->lock);
	return err;
}

/*
 * The 8259 pair's pin of a GSI, -1 = none. ISA IRQ 0 arrives at GSI 2; GSI 0 has no line on the
 * PC, and the pair's pin 2 is its cascade.
 */
static int pic_pin(unsigned gsi)
{
	if (gsi == IRQ_GSI_PIT) {
		return 0;
	}
	return gsi == 0 || gsi > 15 ? -1 : (int)gsi;
}

static void set_chips_locked(struct irq_router *r, unsigned gsi, bool level)
{
	int pin = pic_pin(gsi);

	if (r->pic_ops && pin >= 0) {
		r->pic_ops->set_line(r->pic, (unsigned)pin, level);
	}
	if (r->ioapic_ops) {
		r->ioapic_ops->set_line(r->ioapic, gsi, level);
	}
}

void irq_source_set(struct irq_source *s, bool level)
{
	struct irq_router *r = s->router;
	uint8_t *levels = &r->lines[s->gsi].levels;
	uint8_t bit = (uint8_t)(1U << s->index);
	bool was;

	/* Devices tell their level on every access; nobody else changes this bit meanwhile. */
	if (((__atomic_load_n(levels, __ATOMIC_RELAXED) & bit) != 0) == level) {
		return;
	}
	spin_lock(&r->lock);
	was = *levels != 0;
	__atomic_store_n(
	        levels, (uint8_t)(level ? *levels | bit : *levels & ~bit), __ATOMIC_RELAXED);
	if (was != (*levels != 0)) {
		r->lines[s->gsi].rises += was ? 0 : 1;
		set_chips_locked(r, s->gsi, !was);
	}
	spin_unlock(&r->lock);
}

void irq_eoi(struct vm *vm, uint8_t vector)
{
	struct irq_router *r = &vm->irq;

	if (r->ioapic_ops && r->ioapic_ops->eoi) {
		r->ioapic_ops->eoi(r->ioapic, vector);
	}
}

void irq_line_eoi(struct irq_router *r, unsigned gsi)
{
	/* Sources only ever come, at boot: their number and callbacks are constant by now. */
	for (unsigned i = 0; gsi < IRQ_LINES && i < r->lines[gsi].n_sources; i++) {
		if (r->lines[gsi].eoi[i].fn) {
			r->lines[gsi].eoi[i].fn(r->lines[gsi].eoi[i].arg);
		}
	}
}

void msi_send(struct vm *vm, uint64_t address, uint32_t data)
{
	struct apic_msg msg = {
	        .dest = (uint32_t)(address >> MSI_ADDR_DEST_SHIFT) & 0xffU,
	        .vector = (uint8_t)data,
	        .delivery = data >> 8 & 7U,
	        /*
	         * The SDM ignores DM when RH is 0; processors do not, and Linux programs
	         * logical destinations with RH = 0 (apic_flat, 6.1).
	         */
	        .logical = (address & MSI_ADDR_DM) != 0,
	        .level = (data & MSI_DATA_TRIGGER) != 0,
	};

	if (address >> MSI_ADDR_BASE_SHIFT != MSI_ADDR_BASE) {
		return;
	}
	if (msg.level && !(data & MSI_DATA_LEVEL)) {
		return; /* a deassert message: nothing holds a level here */
	}
	if ((address & MSI_ADDR_RH) && msg.delivery == APIC_DM_FIXED) {
		msg.delivery = APIC_DM_LOWEST; /* redirected to one of the destinations */
	}
	(void)apic_deliver(vm, &msg);
}

void irq_set_extint(struct irq_router *r, bool level)
{
	struct vm *vm = r->vm;

	__atomic_store_n(&r->extint, level, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; level && i < vm->n_vcpus; i++) {
		/*
		 * A vCPU that opens its LINT0 only now looks at the line itself afterwards
		 * (lapic_write), so none misses it.
		 */
		if (lapic_extint_open(&vm->vcpus[i]->lapic)) {
			vcpu_request(vm->vcpus[i], VCPU_REQ_IRQ);
		}
	}
}

bool irq_extint_pending(const struct irq_router *r)
{
	return __atomic_load_n(&r->extint, __ATOMIC_ACQUIRE) != 0;
}

uint8_t irq_extint_ack(struct irq_router *r)
{
	/* Without a pair nobody drives the bus: vector 0xff. */
	return r->pic_ops && r->pic_ops->ack ? r->pic_ops->ack(r->pic) : 0xff;
}
