// SPDX-License-Identifier: BSD-2-Clause
// The local APIC: registers, priorities, levels, IPIs, x2APIC and the hand-over to the processor.
// Specs: [SDM3] "Advanced Programmable Interrupt Controller (APIC)".
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

static void ioapic_eoi(void *chip, uint8_t vector)
{
	(void)chip;
	eois++;
	eoi_vector = vector;
}

static const struct irq_chip_ops ioapic_ops = {.name = "ioapic", .eoi = ioapic_eoi};

static void make(void)
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

static void setup(void)
{
	*fake_caps() = (struct virt_caps){0};
	make();
}

static void setup_delivery(void)
{
	fake_caps()->apic = (struct virt_apic_caps){true, true, true, true, true};
	make();
}

static void enter_x2apic(struct lapic *a)
{
	ck_assert(lapic_set_base(a, a->base | APIC_BASE_EXTD));
}

/* --- registers --- */

/* After power-on and software enable: value read, value written, value read then, ESR bits. */
static const struct {
	uint32_t offset, reset, write, after, esr;
} regs[] = {
        {LAPIC_ID, 0x01000000, 0xff000000, 0x01000000, 0},
        {LAPIC_VERSION, 0x00050014, 0, 0x00050014, 0},
        {LAPIC_TPR, 0, 0xffffffff, 0xff, 0},
        {LAPIC_PPR, 0, 0xff, 0, 0},
        {LAPIC_EOI, 0, 0, 0, 0},
        {LAPIC_LDR, 0, 0xffffffff, 0xff000000, 0},
        {LAPIC_DFR, 0xffffffff, 0, 0x0fffffff, 0},
        {LAPIC_SVR, 0x1ff, 0xffffffff, 0x3ff, 0},
        {LAPIC_ISR, 0, 0xffffffff, 0, 0},
        {LAPIC_TMR + 0x70, 0, 0xffffffff, 0, 0},
        {LAPIC_IRR + 0x70, 0, 0xffffffff, 0, 0},
        {LAPIC_ESR, 0, 0xffffffff, 0, 0},
        {LAPIC_LVT_CMCI, 0, 0x10000, 0, ESR_ILLEGAL_REGISTER},
        {LAPIC_ICR, 0, 0x000c1541, 0x000c0541, 0},
        {LAPIC_ICR_HIGH, 0, 0xffffffff, 0xff000000, 0},
        {LAPIC_LVT_TIMER, 0x10000, 0xffffffff, 0x700ff, 0},
        {LAPIC_LVT_THERMAL, 0x10000, 0xffffffff, 0x107ff, 0},
        {LAPIC_LVT_PERF, 0x10000, 0xffffffff, 0x107ff, 0},
        {LAPIC_LVT_LINT0, 0x10000, 0xffffffff, 0x1a7ff, 0},
        {LAPIC_LVT_LINT1, 0x10000, 0xffffffff, 0x1a7ff, 0},
        {LAPIC_LVT_ERROR, 0x10000, 0xffffffff, 0x100ff, 0},
        {LAPIC_TIMER_INITIAL, 0, 0x12345678, 0x12345678, 0},
        {LAPIC_TIMER_CURRENT, 0, 0x12345678, 0, 0},
        {LAPIC_TIMER_DIVIDE, 0, 0xffffffff, 0xb, 0},
        {LAPIC_SELF_IPI, 0, 0x41, 0, ESR_ILLEGAL_REGISTER},
        {0x000, 0, 1, 0, ESR_ILLEGAL_REGISTER},
        {0x090, 0, 1, 0, ESR_ILLEGAL_REGISTER},
        {0x400, 0, 1, 0, ESR_ILLEGAL_REGISTER},
        {0xff0, 0, 1, 0, ESR_ILLEGAL_REGISTER},
        {0x084, 0, 1, 0, 0},
        {0x1000, 0, 1, 0, 0},
        {0xfffffff0, 0, 1, 0, 0},
};

START_TEST(register_table)
{
	ck_assert_uint_eq(lapic_read(apic[1], regs[_i].offset), regs[_i].reset);
	ck_assert_uint_eq(apic[1]->esr_pending, regs[_i].esr);
	apic[1]->esr_pending = 0;
	/* An ICR write here is an INIT to everybody, so nothing to see in IRR. */
	lapic_write(apic[1], regs[_i].offset, regs[_i].write);
	ck_assert_uint_eq(apic[1]->esr_pending, regs[_i].esr);
	ck_assert_uint_eq(lapic_read(apic[1], regs[_i].offset), regs[_i].after);
}
END_TEST

START_TEST(software_disable_masks)
{
	lapic_write(apic[0], LAPIC_LVT_TIMER, 0x40);
	lapic_write(apic[0], LAPIC_LVT_LINT0, 0x700);
	ck_assert(lapic_extint_open(apic[0]));
	lapic_write(apic[0], LAPIC_SVR, 0xff);
	ck_assert(!lapic_enabled(apic[0]));
	ck_assert(!lapic_extint_open(apic[0]));
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_LVT_TIMER), 0x10040);
	lapic_write(apic[0], LAPIC_LVT_TIMER, 0x41);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_LVT_TIMER), 0x10041);
	lapic_write(apic[0], LAPIC_SVR, 0x1ff);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_LVT_TIMER), 0x10041);
	lapic_write(apic[0], LAPIC_LVT_TIMER, 0x41);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_LVT_TIMER), 0x41);
}
END_TEST

START_TEST(reset_states)
{
	lapic_write(apic[1], LAPIC_TPR, 0x20);
	lapic_post(apic[1], 0x41, true);
	lapic_fold(apic[1]);
	lapic_post(apic[1], 0x42, false);
	ck_assert(lapic_set_base(apic[1], 0xfec80000 | APIC_BASE_EN));
	lapic_reset(apic[1], false);
	ck_assert_uint_eq(apic[1]->base, 0xfec80000 | APIC_BASE_EN);
	ck_assert_uint_eq(lapic_read(apic[1], LAPIC_TPR), 0);
	ck_assert_uint_eq(lapic_read(apic[1], LAPIC_SVR), 0xff);
	ck_assert_int_eq(lapic_pending(apic[1]), -1);
	ck_assert(!lapic_has_interrupt(apic[1]));
	lapic_reset(apic[1], true);
	ck_assert_uint_eq(apic[1]->base, LAPIC_DEFAULT_BASE | APIC_BASE_EN);
	lapic_reset(apic[0], true);
	ck_assert_uint_eq(apic[0]->base, LAPIC_DEFAULT_BASE | APIC_BASE_EN | APIC_BASE_BSP);
	ck_assert(lapic_extint_open(apic[0]));
	ck_assert(!lapic_extint_open(apic[1]));
	ck_assert_uint_eq(fake_vcpu(vm->vcpus[0])->apic_base, apic[0]->base);
}
END_TEST

/* --- vectors and priorities --- */

START_TEST(highest_first)
{
	lapic_post(apic[0], 0x31, false);
	lapic_post(apic[0], 0xf1, false);
	lapic_post(apic[0], 0x92, false);
	lapic_post(apic[0], 0x92, false);
	ck_assert(lapic_has_interrupt(apic[0]));
	ck_assert_int_eq(lapic_pending(apic[0]), 0xf1);
	lapic_ack(apic[0], 0xf1);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_PPR), 0xf0);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_ISR + 0x70), 1 << 17);
	ck_assert_int_eq(lapic_pending(apic[0]), -1);
	ck_assert(!lapic_has_interrupt(apic[0]));
	lapic_write(apic[0], LAPIC_EOI, 0);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x92);
	lapic_ack(apic[0], 0x92);
	/* A higher class nests, the same class waits. */
	lapic_post(apic[0], 0x9f, false);
	ck_assert_int_eq(lapic_pending(apic[0]), -1);
	lapic_post(apic[0], 0xa0, false);
	ck_assert_int_eq(lapic_pending(apic[0]), 0xa0);
	lapic_ack(apic[0], 0xa0);
	lapic_write(apic[0], LAPIC_EOI, 0);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_PPR), 0x90);
	lapic_write(apic[0], LAPIC_EOI, 0);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x9f);
	lapic_ack(apic[0], 0x9f);
	lapic_write(apic[0], LAPIC_EOI, 0);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x31);
	lapic_ack(apic[0], 0x31);
	lapic_write(apic[0], LAPIC_EOI, 0);
	lapic_write(apic[0], LAPIC_EOI, 0); /* one too many does nothing */
	ck_assert_int_eq(lapic_pending(apic[0]), -1);
	ck_assert_uint_eq(eois, 0);
}
END_TEST

/* TPR, vector in service (0 = none), vector requested: PPR, deliverable. */
static const struct {
	uint8_t tpr, isr, irr, ppr;
	bool deliver;
} priorities[] = {
        {0x00, 0x00, 0x10, 0x00, true},
        {0x0f, 0x00, 0x10, 0x0f, true},
        {0x10, 0x00, 0x1f, 0x10, false},
        {0x40, 0x00, 0x4f, 0x40, false},
        {0x40, 0x00, 0x50, 0x40, true},
        {0x45, 0x41, 0x50, 0x45, true},
        {0x45, 0x51, 0x50, 0x50, false},
        {0x45, 0x51, 0x60, 0x50, true},
        {0xff, 0x00, 0xff, 0xff, false},
        {0x00, 0xff, 0xff, 0xf0, false},
        {0xef, 0x00, 0xff, 0xef, true},
};

START_TEST(priority_table)
{
	struct lapic *a = apic[2];

	if (priorities[_i].isr) {
		lapic_accept(a, priorities[_i].isr, false);
		ck_assert_int_eq(lapic_pending(a), priorities[_i].isr);
		lapic_ack(a, priorities[_i].isr);
	}
	lapic_write(a, LAPIC_TPR, priorities[_i].tpr);
	lapic_post(a, priorities[_i].irr, false);
	ck_assert_uint_eq(lapic_read(a, LAPIC_PPR), priorities[_i].ppr);
	ck_assert_int_eq(lapic_has_interrupt(a), priorities[_i].deliver);
	ck_assert_int_eq(lapic_pending(a), priorities[_i].deliver ? priorities[_i].irr : -1);
	ck_assert_int_eq(lapic_has_interrupt(a), priorities[_i].deliver);
}
END_TEST

START_TEST(cr8_is_tpr)
{
	lapic_post(apic[0], 0x55, false);
	lapic_set_cr8(apic[0], 5);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_TPR), 0x50);
	ck_assert_int_eq(lapic_pending(apic[0]), -1);
	lapic_set_cr8(apic[0], 4);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x55);
	lapic_write(apic[0], LAPIC_TPR, 0x7c);
	ck_assert_uint_eq(lapic_get_cr8(apic[0]), 7);
}
END_TEST

START_TEST(post_asks_once)
{
	unsigned wakes = fake_sched_wakes;

	vm->vcpus[1]->requests = 0;
	lapic_post(apic[1], 0x41, false);
	lapic_post(apic[1], 0x42, false);
	ck_assert_uint_eq(vm->vcpus[1]->requests, BIT64(VCPU_REQ_IRQ));
	ck_assert_uint_eq(fake_sched_wakes - wakes, 1);
	lapic_fold(apic[1]);
	ck_assert_uint_eq(apic[1]->pir_notify, 0);
	lapic_post(apic[1], 0x43, false);
	ck_assert_uint_eq(fake_sched_wakes - wakes, 2);
	/* What is posted is requested, as far as the guest can see. */
	ck_assert_uint_eq(lapic_read(apic[1], LAPIC_IRR + 0x20), 0xe);
}
END_TEST

START_TEST(level_goes_to_the_ioapic)
{
	lapic_post(apic[0], 0x61, true);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x61);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_TMR + 0x30), 2);
	lapic_ack(apic[0], 0x61);
	ck_assert_uint_eq(eois, 0);
	lapic_write(apic[0], LAPIC_EOI, 0);
	ck_assert_uint_eq(eois, 1);
	ck_assert_uint_eq(eoi_vector, 0x61);
	/* The same vector as an edge clears TMR again. */
	lapic_post(apic[0], 0x61, false);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x61);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_TMR + 0x30), 0);
	lapic_ack(apic[0], 0x61);
	lapic_write(apic[0], LAPIC_EOI, 0);
	ck_assert_uint_eq(eois, 1);
}
END_TEST

START_TEST(threshold_with_a_shadowed_tpr)
{
	struct fake_vcpu *f = fake_vcpu(vm->vcpus[0]);

	fake_caps()->apic.tpr_shadow = true;
	lapic_write(apic[0], LAPIC_TPR, 0x60);
	lapic_post(apic[0], 0x55, false);
	ck_assert_int_eq(lapic_pending(apic[0]), -1);
	ck_assert_uint_eq(f->tpr_threshold, 5);
	lapic_set(apic[0], LAPIC_TPR, 0x40); /* the processor did it */
	lapic_tpr_changed(apic[0]);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x55);
	ck_assert_uint_eq(f->tpr_threshold, 0);
	lapic_ack(apic[0], 0x55);
	/* Held back by what is in service: EOI will tell, no threshold needed. */
	lapic_post(apic[0], 0x51, false);
	ck_assert_int_eq(lapic_pending(apic[0]), -1);
	ck_assert_uint_eq(f->tpr_threshold, 0);
}
END_TEST

/* --- errors --- */

START_TEST(errors)
{
	lapic_write(apic[0], LAPIC_LVT_ERROR, 0x33);
	lapic_write(apic[0], LAPIC_ICR, 0x000c0005); /* fixed, vector 5, others */
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_ESR), 0);
	ck_assert_int_eq(lapic_pending(apic[0]), 0x33);
	lapic_write(apic[0], LAPIC_ESR, 0);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_ESR), ESR_SEND_ILLEGAL);
	ck_assert_uint_eq(apic[1]->pir_notify, 0);
	lapic_read(apic[0], 0x3a0);
	lapic_write(apic[0], LAPIC_ESR, 0x1234);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_ESR), ESR_ILLEGAL_REGISTER);
	lapic_write(apic[0], LAPIC_ESR, 0);
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_ESR), 0);
}
END_TEST

START_TEST(error_vector_may_be_illegal_itself)
{
	lapic_write(apic[0], LAPIC_LVT_ERROR, 0x3);
	lapic_read(apic[0], 0x3a0);
	ck_assert_uint_eq(apic[0]->esr_pending, ESR_ILLEGAL_REGISTER | ESR_RECEIVE_ILLEGAL);
	ck_assert_int_eq(lapic_pending(apic[0]), -1);
}
END_TEST

/* --- IPIs --- */

/* Sender is vCPU 1; DFR and the LDRs; ICR; who gets vector 0x71, NMI, INIT or SIPI. */
#define FLAT 0xffffffff
#define CLUSTER 0x0fffffff
static const struct {
	const char *what;
	uint32_t dfr, dest, icr;
	unsigned who;
} ipis[] = {
        {"physical 2", FLAT, 2, 0x71, 0x4},
        {"physical self", FLAT, 1, 0x71, 0x2},
        {"physical nobody", FLAT, 9, 0x71, 0x0},
        {"physical broadcast", FLAT, 0xff, 0x71, 0xf},
        {"flat 0 and 3", FLAT, 0x09, 0x871, 0x9},
        {"flat none", FLAT, 0xf0, 0x871, 0x0},
        {"flat broadcast", FLAT, 0xff, 0x871, 0xf},
        {"cluster 0 members 0, 1", CLUSTER, 0x03, 0x871, 0x3},
        {"cluster 1 member 1", CLUSTER, 0x12, 0x871, 0x8},
        {"cluster 2", CLUSTER, 0x23, 0x871, 0x0},
        {"cluster broadcast", CLUSTER, 0xff, 0x871, 0xf},
        {"reserved model", 0x5fffffff, 0x0f, 0x871, 0x0},
        {"self", FLAT, 3, 0x40071, 0x2},
        {"all", FLAT, 3, 0x80071, 0xf},
        {"others", FLAT, 3, 0xc0071, 0xd},
        {"lowest of 2 and 3", FLAT, 0x0c, 0x971, 0x4},
        {"lowest, others", FLAT, 0, 0xc0171, 0x1},
        {"level is an edge", FLAT, 2, 0xc071, 0x4},
        {"NMI 2", FLAT, 2, 0x400, 0x4},
        {"NMI others", FLAT, 0, 0xc0400, 0xd},
        {"INIT 3", FLAT, 3, 0x4500, 0x8},
        {"INIT level assert", FLAT, 3, 0xc500, 0x8},
        {"INIT deassert", FLAT, 3, 0x8500, 0x0},
        {"INIT others", FLAT, 0, 0xc4500, 0xd},
        {"SIPI 2", FLAT, 2, 0x4671, 0x4},
        {"SIPI others", FLAT, 2, 0xc4671, 0xd},
        {"SMI", FLAT, 2, 0x200, 0x0},
        {"reserved mode", FLAT, 2, 0x371, 0x0},
        {"ExtINT", FLAT, 2, 0x771, 0x0},
        {"self INIT", FLAT, 2, 0x44500, 0x0},
};

static unsigned receivers(uint32_t icr)
{
	unsigned who = 0;

	for (unsigned i = 0; i < 4; i++) {
		struct vcpu *vcpu = vm->vcpus[i];
		bool got = false;

		switch (icr >> 8 & 7) {
		case APIC_DM_NMI:
			got = vcpu->nmi_pending == 1 && (vcpu->requests & BIT64(VCPU_REQ_NMI));
			break;
		case APIC_DM_INIT:
			got = (vcpu->requests & BIT64(VCPU_REQ_INIT)) != 0;
			break;
		case APIC_DM_STARTUP:
			got = (vcpu->requests & BIT64(VCPU_REQ_SIPI)) && vcpu->sipi_vector == 0x71;
			break;
		default:
			got = lapic_pending(apic[i]) == 0x71;
			ck_assert(!lapic_vector_test(apic[i], LAPIC_TMR, 0x71));
			break;
		}
		who |= (unsigned)got << i;
	}
	return who;
}

/* A request may wait for its vCPU's turn: what counts is the order they were sent in. */
START_TEST(init_takes_back_a_sipi)
{
	struct vcpu *vcpu = vm->vcpus[2];

	lapic_write(apic[1], LAPIC_ICR_HIGH, 2U << 24);
	lapic_write(apic[1], LAPIC_ICR, 0x4610);
	ck_assert(vcpu->requests & BIT64(VCPU_REQ_SIPI));
	lapic_write(apic[1], LAPIC_ICR, 0x4500);
	ck_assert(!(vcpu->requests & BIT64(VCPU_REQ_SIPI)));
	ck_assert(vcpu->requests & BIT64(VCPU_REQ_INIT));
	lapic_write(apic[1], LAPIC_ICR, 0x4620);
	lapic_write(apic[1], LAPIC_ICR, 0x4630); /* the first one starts it: too late */
	ck_assert(vcpu->requests & BIT64(VCPU_REQ_SIPI));
	ck_assert_uint_eq(vcpu->sipi_vector, 0x20);
}
END_TEST

START_TEST(ipi)
{
	static const uint8_t cluster_ldr[4] = {0x01, 0x02, 0x11, 0x12};

	for (unsigned i = 0; i < 4; i++) {
		uint32_t ldr = ipis[_i].dfr == CLUSTER ? cluster_ldr[i] : 1U << i;

		lapic_write(apic[i], LAPIC_DFR, ipis[_i].dfr);
		lapic_write(apic[i], LAPIC_LDR, ldr << 24);
		vm->vcpus[i]->requests = 0;
	}
	lapic_write(apic[1], LAPIC_ICR_HIGH, ipis[_i].dest << 24);
	lapic_write(apic[1], LAPIC_ICR, ipis[_i].icr);
	ck_assert_msg(receivers(ipis[_i].icr) == ipis[_i].who, "%s: %x", ipis[_i].what,
	        receivers(ipis[_i].icr));
	ck_assert_uint_eq(lapic_read(apic[1], LAPIC_ICR) & ICR_STATUS, 0);
}
END_TEST

START_TEST(disabled_apics)
{
	lapic_write(apic[2], LAPIC_SVR, 0xff);
	lapic_write(apic[1], LAPIC_ICR_HIGH, 0xff000000);
	lapic_write(apic[1], LAPIC_ICR, 0x71);
	ck_assert_uint_eq(receivers(0x71), 0xb);
	lapic_write(apic[1], LAPIC_ICR, 0x400); /* NMI passes a software-disabled one */
	ck_assert_uint_eq(receivers(0x400), 0xf);
	ck_assert(lapic_set_base(apic[3], LAPIC_DEFAULT_BASE));
	lapic_write(apic[1], LAPIC_ICR, 0x4500);
	ck_assert_uint_eq(receivers(0x4500), 0x7);
	/* A disabled one's page is not there. */
	ck_assert_uint_eq(lapic_read(apic[3], LAPIC_VERSION), 0);
}
END_TEST

/* --- x2APIC --- */

START_TEST(x2apic_identity)
{
	uint64_t v;

	ck_assert(!lapic_msr_read(apic[3], 0x802, &v));
	ck_assert(!lapic_msr_write(apic[3], 0x80b, 0));
	enter_x2apic(apic[3]);
	ck_assert(lapic_x2apic(apic[3]));
	ck_assert(lapic_msr_read(apic[3], 0x802, &v));
	ck_assert_uint_eq(v, 3);
	ck_assert(lapic_msr_read(apic[3], 0x80d, &v));
	ck_assert_uint_eq(v, 8);
	ck_assert_uint_eq(lapic_read(apic[3], LAPIC_VERSION), 0); /* no page any more */
	lapic_reset(apic[3], false);                              /* INIT keeps the mode */
	ck_assert(lapic_msr_read(apic[3], 0x80d, &v));
	ck_assert_uint_eq(v, 8);
	lapic_reset(apic[3], true);
	ck_assert(!lapic_x2apic(apic[3]));
	ck_assert_uint_eq(lapic_read(apic[3], LAPIC_ID), 0x03000000);
}
END_TEST

/* MSR: readable; a value that may be written and one that must not (0 = none to try). */
#define NOT (1ULL << 63 | 1) /* nothing can be written */
static const struct {
	uint32_t msr;
	bool read;
	uint64_t good, bad;
} msrs[] = {
        {0x800, false, NOT, 0},
        {0x802, true, NOT, 0},
        {0x803, true, NOT, 0},
        {0x808, true, 0xff, 0x100},
        {0x809, false, NOT, 0},
        {0x80a, true, NOT, 0},
        {0x80b, false, 0, 1},
        {0x80c, false, NOT, 0},
        {0x80d, true, NOT, 0},
        {0x80e, false, NOT, 0},
        {0x80f, true, 0x1ff, 0x1000},
        {0x810, true, NOT, 0},
        {0x817, true, NOT, 0},
        {0x81f, true, NOT, 0},
        {0x827, true, NOT, 0},
        {0x828, true, 0, 1},
        {0x829, false, NOT, 0},
        {0x82f, false, NOT, 0},
        {0x830, true, 0x1000c4500, 0x2000},
        {0x830, true, 0x100000071, 0x100000},
        {0x830, true, 0x100001071, 0x10000},
        {0x831, false, NOT, 0},
        {0x832, true, 0x710ff, 0x80000},
        {0x832, true, 0x10000, 0x100},
        {0x833, true, 0x117ff, 0x2000},
        {0x834, true, 0x117ff, 0x20000},
        {0x835, true, 0x1f7ff, 0x800},
        {0x836, true, 0x1f7ff, 0x1ULL << 32},
        {0x837, true, 0x110ff, 0x700},
        {0x838, true, 0xffffffff, 0x1ULL << 32},
        {0x839, true, NOT, 0},
        {0x83a, false, NOT, 0},
        {0x83e, true, 0xb, 0x4},
        {0x83f, false, 0xff, 0x100},
        {0x840, false, NOT, 0},
        {0x8ff, false, NOT, 0},
        {0x900, false, NOT, 0},
        {0x7ff, false, NOT, 0},
        {0, false, NOT, 0},
};

START_TEST(x2apic_msr)
{
	uint64_t v = 0;

	enter_x2apic(apic[0]);
	ck_assert_int_eq(lapic_msr_read(apic[0], msrs[_i].msr, &v), msrs[_i].read);
	if (msrs[_i].good == NOT) {
		ck_assert(!lapic_msr_write(apic[0], msrs[_i].msr, 0));
		ck_assert(!lapic_msr_write(apic[0], msrs[_i].msr, 1));
		return;
	}
	ck_assert(!lapic_msr_write(apic[0], msrs[_i].msr, msrs[_i].bad));
	ck_assert(lapic_msr_write(apic[0], msrs[_i].msr, msrs[_i].good));
	if (msrs[_i].read) {
		ck_assert(lapic_msr_read(apic[0], msrs[_i].msr, &v));
		ck_assert_uint_eq(v & ~0x5000ULL, msrs[_i].good & ~0x5000ULL);
	}
}
END_TEST

static const struct {
	uint64_t icr;
	unsigned who;
} x2_ipis[] = {
        {0x200000071ULL, 0x4},
        {0xffffffff00000071ULL, 0xf},
        {0xff00000071ULL, 0x0},       /* id 255, not everybody */
        {0x0000000500000871ULL, 0x5}, /* cluster 0, members 0 and 2 */
        {0x0001000500000871ULL, 0x0}, /* cluster 1 */
        {0xffffffff00000871ULL, 0xf},
        {0x00000000000c0071ULL, 0xd},
        {0x0000000000080071ULL, 0xf},
        {0x0000000000040071ULL, 0x2},
        {0x0000000c00000971ULL, 0x4},
};

START_TEST(x2apic_ipi)
{
	for (unsigned i = 0; i < 4; i++) {
		enter_x2apic(apic[i]);
	}
	ck_assert(lapic_msr_write(apic[1], 0x830, x2_ipis[_i].icr));
	ck_assert_uint_eq(receivers((uint32_t)x2_ipis[_i].icr), x2_ipis[_i].who);
}
END_TEST

/* Messages with 8-bit destinations (IOAPIC, MSI) to x2APICs. */
START_TEST(x2apic_short_destinations)
{
	struct apic_msg msg = {.dest = 2, .vector = 0x71};

	for (unsigned i = 0; i < 4; i++) {
		enter_x2apic(apic[i]);
	}
	ck_assert_uint_eq(apic_deliver(vm, &msg), 1);
	ck_assert_uint_eq(receivers(0x71), 0x4);
	msg.dest = 0xff;
	ck_assert_uint_eq(apic_deliver(vm, &msg), 4);
	msg.dest = 3;
	msg.logical = true;
	ck_assert_uint_eq(apic_deliver(vm, &msg), 2);
}
END_TEST

START_TEST(self_ipi)
{
	enter_x2apic(apic[0]);
	ck_assert(lapic_msr_write(apic[0], 0x83f, 0x44));
	ck_assert_int_eq(lapic_pending(apic[0]), 0x44);
	ck_assert(lapic_msr_write(apic[0], 0x83f, 0x0f));
	ck_assert_uint_eq(apic[0]->esr_pending, ESR_RECEIVE_ILLEGAL);
	ck_assert_uint_eq(vm->vcpus[0]->requests, 0);
}
END_TEST

/* IA32_APIC_BASE from, to: allowed? [SDM3] figure "Local x2APIC State Transitions". */
#define OFF 0
#define XAPIC APIC_BASE_EN
#define X2 (APIC_BASE_EN | APIC_BASE_EXTD)
#define BAD APIC_BASE_EXTD
static const struct {
	uint64_t from, to;
	bool ok;
} transitions[] = {
        {XAPIC, XAPIC, true},
        {XAPIC, X2, true},
        {XAPIC, OFF, true},
        {XAPIC, BAD, false},
        {X2, XAPIC, false},
        {X2, X2, true},
        {X2, OFF, true},
        {X2, BAD, false},
        {OFF, OFF, true},
        {OFF, XAPIC, true},
        {OFF, X2, false},
        {OFF, BAD, false},
};

START_TEST(base_transition)
{
	const uint64_t home = LAPIC_DEFAULT_BASE | APIC_BASE_BSP;

	if (transitions[_i].from != XAPIC) {
		ck_assert(lapic_set_base(apic[0], home | transitions[_i].from));
	}
	ck_assert_int_eq(lapic_set_base(apic[0], home | transitions[_i].to), transitions[_i].ok);
	ck_assert_uint_eq(apic[0]->base,
	        home | (transitions[_i].ok ? transitions[_i].to : transitions[_i].from));
	ck_assert_uint_eq(fake_vcpu(vm->vcpus[0])->apic_base, apic[0]->base);
}
END_TEST

START_TEST(base_bits)
{
	ck_assert(!lapic_set_base(apic[0], LAPIC_DEFAULT_BASE | APIC_BASE_EN | 1));
	ck_assert(!lapic_set_base(apic[0], LAPIC_DEFAULT_BASE | APIC_BASE_EN | 1 << 9));
	ck_assert(!lapic_set_base(apic[0], 1ULL << 63 | LAPIC_DEFAULT_BASE | APIC_BASE_EN));
	/* The boot processor stays what it is, and nobody becomes it. */
	ck_assert(lapic_set_base(apic[0], 0xfed00000 | APIC_BASE_EN));
	ck_assert_uint_eq(apic[0]->base, 0xfed00000 | APIC_BASE_EN | APIC_BASE_BSP);
	ck_assert(lapic_set_base(apic[1], LAPIC_DEFAULT_BASE | APIC_BASE_EN | APIC_BASE_BSP));
	ck_assert_uint_eq(apic[1]->base, LAPIC_DEFAULT_BASE | APIC_BASE_EN);
	/* Off: everything is forgotten, and the boot vCPU hears the PIC directly. */
	lapic_write(apic[0], LAPIC_LVT_LINT0, 0x10000);
	ck_assert(!lapic_extint_open(apic[0]));
	ck_assert(lapic_set_base(apic[0], LAPIC_DEFAULT_BASE));
	ck_assert(lapic_extint_open(apic[0]));
	ck_assert(!lapic_enabled(apic[0]));
	ck_assert(lapic_set_base(apic[1], LAPIC_DEFAULT_BASE));
	ck_assert(!lapic_extint_open(apic[1]));
	ck_assert(lapic_set_base(apic[0], LAPIC_DEFAULT_BASE | APIC_BASE_EN));
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_SVR), 0xff);
}
END_TEST

START_TEST(extint_message)
{
	const struct apic_msg msg = {.dest = 2, .delivery = APIC_DM_EXTINT};

	ck_assert(!lapic_extint_open(apic[2]));
	ck_assert_uint_eq(apic_deliver(vm, &msg), 1);
	ck_assert(lapic_extint_open(apic[2]));
	ck_assert_uint_eq(vm->vcpus[2]->requests, BIT64(VCPU_REQ_IRQ));
}
END_TEST

/* --- beside the processor's own delivery --- */

START_TEST(delivery_by_the_processor)
{
	struct fake_vcpu *f = fake_vcpu(vm->vcpus[0]);

	ck_assert_int_eq(f->irr, -1);
	lapic_post(apic[0], 0x41, false);
	ck_assert(lapic_has_interrupt(apic[0]));
	ck_assert_int_eq(f->irr, -1);
	lapic_fold(apic[0]);
	ck_assert_int_eq(f->irr, 0x41);
	ck_assert_uint_eq(f->eoi_exits[1], 0);
	lapic_post(apic[0], 0x61, true);
	lapic_fold(apic[0]);
	ck_assert_int_eq(f->irr, 0x61);
	ck_assert_uint_eq(f->eoi_exits[1], 1ULL << 33);
	/* Only a change is told. */
	memset(f->eoi_exits, 0, sizeof(f->eoi_exits));
	lapic_post(apic[0], 0x61, true);
	lapic_fold(apic[0]);
	ck_assert_uint_eq(f->eoi_exits[1], 0);
	lapic_eoi_done(apic[0], 0x61);
	ck_assert_uint_eq(eois, 1);
	lapic_eoi_done(apic[0], 0x41);
	ck_assert_uint_eq(eois, 1);
	f->irr = 7; /* nothing posted: nothing told */
	lapic_fold(apic[0]);
	ck_assert_int_eq(f->irr, 7);
	lapic_reset(apic[0], true);
	ck_assert_int_eq(f->irr, -1);
	ck_assert_int_eq(f->isr, -1);
	ck_assert_uint_eq(f->eoi_exits[1], 0);
}
END_TEST

START_TEST(self_ipi_beside_delivery)
{
	struct fake_vcpu *f = fake_vcpu(vm->vcpus[0]);

	lapic_write(apic[0], LAPIC_ICR, 0x40055);
	lapic_fold(apic[0]);
	ck_assert_int_eq(f->irr, 0x55);
}
END_TEST

/* The processor stored what the guest wrote; here is what it means. */
START_TEST(writes_after_the_fact)
{
	lapic_set(apic[0], LAPIC_ICR_HIGH, 0x02000000);
	lapic_set(apic[0], LAPIC_ICR, 0x71);
	lapic_write_done(apic[0], LAPIC_ICR);
	ck_assert_uint_eq(apic[2]->pir[1] >> 49 & 1, 1);
	lapic_set(apic[0], LAPIC_SVR, 0xff);
	lapic_write_done(apic[0], LAPIC_SVR);
	ck_assert_uint_eq(lapic_get(apic[0], LAPIC_LVT_LINT0), 0x10700);
	lapic_set(apic[0], LAPIC_ID, 0x77000000);
	lapic_write_done(apic[0], LAPIC_ID);
	ck_assert_uint_eq(lapic_get(apic[0], LAPIC_ID), 0);
	apic[0]->esr_pending = 0x20;
	lapic_set(apic[0], LAPIC_ESR, 0);
	lapic_write_done(apic[0], LAPIC_ESR);
	ck_assert_uint_eq(lapic_get(apic[0], LAPIC_ESR), 0x20);
	lapic_vector_put(apic[0], LAPIC_ISR, 0x81, true);
	lapic_vector_put(apic[0], LAPIC_ISR, 0x41, true);
	lapic_write_done(apic[0], LAPIC_EOI);
	ck_assert_int_eq(fake_vcpu(vm->vcpus[0])->isr, 0x41);
	enter_x2apic(apic[0]);
	lapic_set(apic[0], LAPIC_ICR, 0x72);
	lapic_set(apic[0], LAPIC_ICR + 4, 3);
	lapic_write_done(apic[0], LAPIC_ICR);
	ck_assert_uint_eq(apic[3]->pir[1] >> 50 & 1, 1);
	lapic_write_done(apic[0], 0x1000);
	lapic_write_done(apic[0], ~0U);
}
END_TEST

/* The note of registers that are not empty agrees with the registers, whatever came and went. */
START_TEST(highest_of_any_set)
{
	uint32_t seed = 1;

	for (unsigned round = 0; round < 4096; round++) {
		uint32_t array = round & 1 ? LAPIC_IRR : LAPIC_ISR;
		int highest = -1;

		seed = seed * 1664525U + 1013904223U;
		lapic_vector_put(apic[0], array, seed >> 24, (seed >> 12 & 3) == 0);
		for (int v = 0; v < 256; v++) {
			highest = lapic_vector_test(apic[0], array, (unsigned)v) ? v : highest;
		}
		ck_assert_int_eq(lapic_vector_highest(apic[0], array), highest);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lapic");
	TCase *sw = tcase_create("software"), *hw = tcase_create("delivery");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(sw, setup, NULL);
	tcase_add_loop_test(sw, register_table, 0, ARRAY_SIZE(regs));
	tcase_add_test(sw, software_disable_masks);
	tcase_add_test(sw, reset_states);
	tcase_add_test(sw, highest_first);
	tcase_add_test(sw, highest_of_any_set);
	tcase_add_loop_test(sw, priority_table, 0, ARRAY_SIZE(priorities));
	tcase_add_test(sw, cr8_is_tpr);
	tcase_add_test(sw, post_asks_once);
	tcase_add_test(sw, level_goes_to_the_ioapic);
	tcase_add_test(sw, threshold_with_a_shadowed_tpr);
	tcase_add_test(sw, errors);
	tcase_add_test(sw, error_vector_may_be_illegal_itself);
	tcase_add_loop_test(sw, ipi, 0, ARRAY_SIZE(ipis));
	tcase_add_test(sw, init_takes_back_a_sipi);
	tcase_add_test(sw, disabled_apics);
	tcase_add_test(sw, x2apic_identity);
	tcase_add_loop_test(sw, x2apic_msr, 0, ARRAY_SIZE(msrs));
	tcase_add_loop_test(sw, x2apic_ipi, 0, ARRAY_SIZE(x2_ipis));
	tcase_add_test(sw, x2apic_short_destinations);
	tcase_add_test(sw, self_ipi);
	tcase_add_loop_test(sw, base_transition, 0, ARRAY_SIZE(transitions));
	tcase_add_test(sw, base_bits);
	tcase_add_test(sw, extint_message);
	tcase_add_checked_fixture(hw, setup_delivery, NULL);
	tcase_add_test(hw, delivery_by_the_processor);
	tcase_add_test(hw, highest_of_any_set);
	tcase_add_test(hw, self_ipi_beside_delivery);
	tcase_add_test(hw, writes_after_the_fact);
	suite_add_tcase(suite, sw);
	suite_add_tcase(suite, hw);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
