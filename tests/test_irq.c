// SPDX-License-Identifier: BSD-2-Clause
// The interrupt router: lines, sources, end of interrupt, MSIs, the PIC's output.
// Specs: vmm/irq.h; [SDM3] "Message Signalled Interrupts".
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/irq.h"
#include "vmm/lapic_regs.h"
#include "vmm/lib/err.h"

/* A chip that remembers what it was told. */
struct chip {
	bool level[IRQ_LINES];
	unsigned calls;
	unsigned eois;
	uint8_t eoi_vector;
};

static void chip_set(void *arg, unsigned pin, bool level)
{
	struct chip *chip = arg;

	ck_assert_uint_lt(pin, IRQ_LINES);
	chip->level[pin] = level;
	chip->calls++;
}

static uint8_t chip_ack(void *arg)
{
	(void)arg;
	return 0x33;
}

static void chip_eoi(void *arg, uint8_t vector)
{
	struct chip *chip = arg;

	chip->eois++;
	chip->eoi_vector = vector;
}

static const struct irq_chip_ops pic_ops = {.name = "pic", .set_line = chip_set, .ack = chip_ack};
static const struct irq_chip_ops ioapic_ops = {
        .name = "ioapic", .set_line = chip_set, .eoi = chip_eoi};

static struct vm *vm;
static struct irq_router *r;
static struct chip pic, ioapic;
static unsigned eoi_calls;

static void setup(void)
{
	fake_clock_set(0);
	vm = fake_vm(1 << 20, 4);
	r = &vm->irq;
	pic = ioapic = (struct chip){0};
	irq_router_set_pic(r, &pic_ops, &pic);
	irq_router_set_ioapic(r, &ioapic_ops, &ioapic);
	eoi_calls = 0;
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		struct lapic *apic = &vm->vcpus[i]->lapic;

		lapic_write(apic, LAPIC_SVR, 0x1ff);
		lapic_write(apic, LAPIC_LDR, 1U << (24 + i));
		vm->vcpus[i]->requests = 0;
	}
}

static bool posted(unsigned i, uint8_t vector)
{
	return vm->vcpus[i]->lapic.pir[vector / 64] >> (vector % 64) & 1;
}

START_TEST(line_is_the_or_of_its_sources)
{
	struct irq_source a, b;

	ck_assert_int_eq(irq_source_init(&a, r, 10, NULL, NULL), 0);
	ck_assert_int_eq(irq_source_init(&b, r, 10, NULL, NULL), 0);
	irq_source_set(&a, true);
	ck_assert(pic.level[10] && ioapic.level[10]);
	irq_source_set(&b, true);
	irq_source_set(&a, true);
	ck_assert_uint_eq(ioapic.calls, 1);
	irq_source_set(&a, false);
	ck_assert(pic.level[10] && ioapic.level[10]);
	irq_source_set(&b, false);
	ck_assert(!pic.level[10] && !ioapic.level[10]);
	ck_assert_uint_eq(pic.calls, 2);
	irq_source_pulse(&a);
	ck_assert_uint_eq(pic.calls, 4);
	ck_assert(!pic.level[10]);
}
END_TEST

/* GSI to PIC pin, -1 = not wired. */
static const int pins[IRQ_LINES] = {[0] = -1,
        [1] = 1,
        [2] = 0,
        [3] = 3,
        [4] = 4,
        [5] = 5,
        [6] = 6,
        [7] = 7,
        [8] = 8,
        [9] = 9,
        [10] = 10,
        [11] = 11,
        [12] = 12,
        [13] = 13,
        [14] = 14,
        [15] = 15,
        [16] = -1,
        [17] = -1,
        [18] = -1,
        [19] = -1,
        [20] = -1,
        [21] = -1,
        [22] = -1,
        [23] = -1};

START_TEST(isa_numbering)
{
	struct irq_source s;

	ck_assert_int_eq(irq_source_init(&s, r, (unsigned)_i, NULL, NULL), 0);
	irq_source_set(&s, true);
	ck_assert(ioapic.level[_i]);
	ck_assert_uint_eq(pic.calls, pins[_i] >= 0);
	if (pins[_i] >= 0) {
		ck_assert(pic.level[pins[_i]]);
	}
}
END_TEST

START_TEST(source_limits)
{
	struct irq_source s[IRQ_MAX_SOURCES + 1];

	ck_assert_int_eq(irq_source_init(&s[0], r, IRQ_LINES, NULL, NULL), -EINVAL);
	ck_assert_int_eq(irq_source_init(&s[0], r, ~0U, NULL, NULL), -EINVAL);
	for (unsigned i = 0; i < IRQ_MAX_SOURCES; i++) {
		ck_assert_int_eq(irq_source_init(&s[i], r, 23, NULL, NULL), 0);
		ck_assert_uint_eq(s[i].index, i);
	}
	ck_assert_int_eq(irq_source_init(&s[8], r, 23, NULL, NULL), -ENOSPC);
	irq_source_set(&s[7], true);
	ck_assert(ioapic.level[23]);
	irq_source_set(&s[7], false);
	ck_assert(!ioapic.level[23]);
}
END_TEST

START_TEST(no_chips)
{
	struct irq_source s;

	irq_router_init(r, vm);
	ck_assert_int_eq(irq_source_init(&s, r, 4, NULL, NULL), 0);
	irq_source_pulse(&s);
	irq_eoi(vm, 0x40);
	ck_assert_uint_eq(irq_extint_ack(r), 0xff);
}
END_TEST

START_TEST(reset_forgets_levels)
{
	struct irq_source s;

	ck_assert_int_eq(irq_source_init(&s, r, 4, NULL, NULL), 0);
	irq_source_set(&s, true);
	irq_set_extint(r, true);
	irq_router_reset(r);
	ck_assert_uint_eq(pic.calls, 1); /* the chips are not told */
	ck_assert(!irq_extint_pending(r));
	irq_source_set(&s, true);
	ck_assert_uint_eq(pic.calls, 2);
}
END_TEST

static void count_eoi(void *arg)
{
	eoi_calls++;
	/* No lock is held: the source may be set from here. */
	irq_source_set(arg, false);
}

START_TEST(eoi_reaches_the_sources)
{
	struct irq_source a, b, c;

	ck_assert_int_eq(irq_source_init(&a, r, 20, count_eoi, &a), 0);
	ck_assert_int_eq(irq_source_init(&b, r, 20, NULL, NULL), 0);
	ck_assert_int_eq(irq_source_init(&c, r, 21, count_eoi, &c), 0);
	irq_source_set(&a, true);
	irq_line_eoi(r, 20);
	ck_assert_uint_eq(eoi_calls, 1);
	ck_assert(!ioapic.level[20]);
	irq_line_eoi(r, IRQ_LINES);
	irq_line_eoi(r, ~0U);
	ck_assert_uint_eq(eoi_calls, 1);
	irq_eoi(vm, 0x45);
	ck_assert_uint_eq(ioapic.eois, 1);
	ck_assert_uint_eq(ioapic.eoi_vector, 0x45);
}
END_TEST

/* MSI address and data to a mask of vCPUs that got vector 0x41. */
static const struct {
	uint64_t address;
	uint32_t data;
	unsigned who;
} msis[] = {
        {0xfee00000, 0x41, 0x1},
        {0xfee02000, 0x41, 0x4},
        {0xfee03ff0, 0x41, 0x8},
        {0xfee04000, 0x41, 0x0},
        {0xfeeff000, 0x41, 0xf},
        {0xfee05004, 0x41, 0x5},           /* logical, RH = 0 as Linux programs it */
        {0xfee0f00c, 0x41, 0x1},           /* redirected: one of them */
        {0xfee0a00c, 0x41, 0x2},           /* redirected: the first in turn of 1 and 3 */
        {0xfee0c004, 0x41 | 1 << 8, 0x4},  /* lowest priority */
        {0xfee01000, 0x41 | 1 << 15, 0x0}, /* level, deasserted */
        {0xfee01000, 0x41 | 3 << 14, 0x2}, /* level, asserted */
        {0xfee01000, 0x41 | 3 << 8, 0x0},  /* reserved delivery mode */
        {0xfee01000, 0x41 | 2 << 8, 0x0},  /* SMI */
        {0xfed01000, 0x41, 0x0},
        {0x1fee01000ULL, 0x41, 0x0},
        {0, 0x41, 0x0},
};

START_TEST(msi)
{
	unsigned who = 0;

	msi_send(vm, msis[_i].address, msis[_i].data);
	for (unsigned i = 0; i < 4; i++) {
		who |= (unsigned)posted(i, 0x41) << i;
		ck_assert_uint_eq(
		        vm->vcpus[i]->requests, posted(i, 0x41) ? BIT64(VCPU_REQ_IRQ) : 0);
	}
	ck_assert_uint_eq(who, msis[_i].who);
	ck_assert_uint_eq(vm->vcpus[1]->lapic.pir_level[1] >> 1 & 1,
	        (msis[_i].data >> 15 & 1) && msis[_i].who != 0);
}
END_TEST

START_TEST(msi_special_modes)
{
	msi_send(vm, 0xfee01000, 4 << 8);
	ck_assert_uint_eq(vm->vcpus[1]->nmi_pending, 1);
	ck_assert_uint_eq(vm->vcpus[1]->requests, BIT64(VCPU_REQ_NMI));
	msi_send(vm, 0xfee01000, 4 << 8);
	msi_send(vm, 0xfee01000, 4 << 8);
	ck_assert_uint_eq(vm->vcpus[1]->nmi_pending, 2);
	msi_send(vm, 0xfee02000, 5 << 8);
	ck_assert_uint_eq(vm->vcpus[2]->requests, BIT64(VCPU_REQ_INIT));
	msi_send(vm, 0xfee03000, 6 << 8 | 0x9a);
	ck_assert_uint_eq(vm->vcpus[3]->requests, BIT64(VCPU_REQ_SIPI));
	ck_assert_uint_eq(vm->vcpus[3]->sipi_vector, 0x9a);
	/* An illegal vector is an error at the receiver. */
	msi_send(vm, 0xfee01000, 15);
	ck_assert_uint_eq(vm->vcpus[1]->lapic.esr_pending, ESR_RECEIVE_ILLEGAL);
	ck_assert(!posted(1, 15));
}
END_TEST

START_TEST(lowest_priority_takes_turns)
{
	unsigned count[4] = {0};
	const struct apic_msg msg = {
	        .dest = 0x0f, .logical = true, .vector = 0x50, .delivery = APIC_DM_LOWEST};

	lapic_write(&vm->vcpus[2]->lapic, LAPIC_SVR, 0xff); /* software-disabled: does not accept */
	for (unsigned n = 0; n < 30; n++) {
		ck_assert_uint_eq(apic_deliver(vm, &msg), 1);
		for (unsigned i = 0; i < 4; i++) {
			count[i] += posted(i, 0x50);
			vm->vcpus[i]->lapic.pir[1] = 0;
		}
	}
	ck_assert_uint_eq(count[0], 10);
	ck_assert_uint_eq(count[1], 10);
	ck_assert_uint_eq(count[2], 0);
	ck_assert_uint_eq(count[3], 10);
}
END_TEST

START_TEST(extint_wakes_who_listens)
{
	irq_set_extint(r, true);
	ck_assert(irq_extint_pending(r));
	ck_assert_uint_eq(irq_extint_ack(r), 0x33);
	/* The boot vCPU's LINT0 is open since power-on, the others' are masked. */
	ck_assert_uint_eq(vm->vcpus[0]->requests, BIT64(VCPU_REQ_IRQ));
	ck_assert_uint_eq(vm->vcpus[1]->requests, 0);
	vm->vcpus[0]->requests = 0;
	irq_set_extint(r, false);
	ck_assert(!irq_extint_pending(r));
	ck_assert_uint_eq(vm->vcpus[0]->requests, 0);
	lapic_write(&vm->vcpus[0]->lapic, LAPIC_LVT_LINT0, 0x10700);
	lapic_write(&vm->vcpus[1]->lapic, LAPIC_LVT_LINT0, 0x700);
	irq_set_extint(r, true);
	ck_assert_uint_eq(vm->vcpus[0]->requests, 0);
	ck_assert_uint_eq(vm->vcpus[1]->requests, BIT64(VCPU_REQ_IRQ));
}
END_TEST

UNIT_MAIN("irq", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, line_is_the_or_of_its_sources);
          tcase_add_loop_test(tc, isa_numbering, 0, IRQ_LINES); tcase_add_test(tc, source_limits);
          tcase_add_test(tc, no_chips); tcase_add_test(tc, reset_forgets_levels);
          tcase_add_test(tc, eoi_reaches_the_sources);
          tcase_add_loop_test(tc, msi, 0, ARRAY_SIZE(msis)); tcase_add_test(tc, msi_special_modes);
          tcase_add_test(tc, lowest_priority_takes_turns);
          tcase_add_test(tc, extint_wakes_who_listens);)
