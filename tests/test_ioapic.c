// SPDX-License-Identifier: BSD-2-Clause
// The I/O APIC by its data sheet, delivering to real local APICs of a fake VM.
// Specs: [IOAPIC] "IOAPIC Registers", "I/O Redirection Table Registers"; [SDM3] "Signaling
// Interrupt Servicing Completion".
#include "devices/ioapic.h"
#include "tests/chips.h"
#include "vmm/lapic.h"
#include "vmm/lib/err.h"

#define BASE IOAPIC_DEFAULT_BASE
#define NONE (-1)
#define MASKED 0x10000U
#define LEVEL 0x8000U
#define REMOTE_IRR 0x4000U
#define LOGICAL 0x0800U
#define LOWEST 0x0100U

static struct ioapic io;
static struct vm *vm;
static struct irq_source line[IRQ_LINES], shared;
static unsigned eois;
static bool eoi_lowers;

static void eoi_callback(void *arg)
{
	struct irq_source *s = arg;

	eois++;
	if (eoi_lowers) {
		irq_source_set(s, false);
	}
}

static void setup(void)
{
	vm = fake_vm(SIZE_2M, 2);
	eois = 0;
	eoi_lowers = false;
	for (unsigned i = 0; i < 2; i++) {
		lapic_write(&vm->vcpus[i]->lapic, LAPIC_SVR, 0x1ff);
		lapic_write(&vm->vcpus[i]->lapic, LAPIC_LDR, 0x01000000U << i);
	}
	ioapic_init(&io);
	ck_assert_int_eq(ioapic_attach(&io, vm, BASE, 2), 0);
	for (unsigned gsi = 0; gsi < IRQ_LINES; gsi++) {
		ck_assert_int_eq(
		        irq_source_init(&line[gsi], &vm->irq, gsi, eoi_callback, &line[gsi]), 0);
	}
	ck_assert_int_eq(irq_source_init(&shared, &vm->irq, 10, NULL, NULL), 0);
}

static void reg_write(unsigned reg, uint32_t value)
{
	io_bus_write(&vm->mmio, BASE, 4, reg);
	io_bus_write(&vm->mmio, BASE + 0x10, 4, value);
}

static uint32_t reg_read(unsigned reg)
{
	io_bus_write(&vm->mmio, BASE, 4, reg);
	ck_assert_uint_eq(io_bus_read(&vm->mmio, BASE, 4), reg);
	return (uint32_t)io_bus_read(&vm->mmio, BASE + 0x10, 4);
}

static void entry_write(unsigned pin, uint32_t low, uint8_t dest)
{
	reg_write(0x10 + 2 * pin, MASKED);
	reg_write(0x11 + 2 * pin, (uint32_t)dest << 24);
	reg_write(0x10 + 2 * pin, low);
}

static uint32_t entry_low(unsigned pin)
{
	return reg_read(0x10 + 2 * pin);
}

/* The vCPU takes what is pending: vector or NONE. */
static int take(unsigned cpu)
{
	struct lapic *apic = &vm->vcpus[cpu]->lapic;
	int vector;

	lapic_fold(apic);
	vector = lapic_pending(apic);
	if (vector >= 0) {
		lapic_ack(apic, (uint8_t)vector);
	}
	return vector >= 0 ? vector : NONE;
}

static void end(unsigned cpu)
{
	lapic_write(&vm->vcpus[cpu]->lapic, LAPIC_EOI, 0);
}

static void check_power_on(void)
{
	ck_assert_uint_eq(reg_read(0), 2U << 24);
	ck_assert_uint_eq(reg_read(1), 0x00170011);
	ck_assert_uint_eq(reg_read(2), 2U << 24);
	for (unsigned pin = 0; pin < IRQ_LINES; pin++) {
		ck_assert_uint_eq(entry_low(pin), MASKED);
		ck_assert_uint_eq(reg_read(0x11 + 2 * pin), 0);
	}
}

START_TEST(registers)
{
	check_power_on();
	reg_write(0, 0xff345678);
	ck_assert_uint_eq(reg_read(0), 0x0f000000);
	reg_write(1, 0);
	reg_write(2, 0xff000000);
	ck_assert_uint_eq(reg_read(1), 0x00170011);
	ck_assert_uint_eq(reg_read(2), 0x0f000000);
	/* Reserved and read-only bits of an entry */
	reg_write(0x10, 0xffffffff);
	reg_write(0x11, 0xffffffff);
	ck_assert_uint_eq(entry_low(0), 0x1afff);
	ck_assert_uint_eq(reg_read(0x11), 0xff000000);
	/* Beyond the last entry */
	reg_write(0x40, 0x1234);
	ck_assert_uint_eq(reg_read(0x40), 0);
	ck_assert_uint_eq(reg_read(0xff), 0);
	ck_assert_uint_eq(reg_read(3), 0);
}
END_TEST

START_TEST(only_aligned_dwords)
{
	static const struct {
		uint64_t offset;
		unsigned width;
		uint64_t expected;
	} rows[] = {
	        {0, 1, 0xff},
	        {0, 2, 0xffff},
	        {0, 8, ~0ULL},
	        {4, 4, 0xffffffff},
	        {0x10, 1, 0xff},
	        {0x12, 2, 0xffff},
	        {0x20, 4, 0xffffffff},
	        {0x40, 4, 0xffffffff}, /* no EOI register in version 0x11 */
	        {0xffc, 4, 0xffffffff},
	};

	reg_write(0x10, MASKED | 0x77);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		io_bus_write(&vm->mmio, BASE + rows[i].offset, rows[i].width, 0);
		ck_assert_uint_eq(io_bus_read(&vm->mmio, BASE + rows[i].offset, rows[i].width),
		        rows[i].expected);
	}
	ck_assert_uint_eq(io_bus_read(&vm->mmio, BASE, 4), 0x10);
	ck_assert_uint_eq(entry_low(0), MASKED | 0x77);
}
END_TEST

START_TEST(edge)
{
	entry_write(4, 0x34, 1);
	irq_source_set(&line[4], true);
	ck_assert_int_eq(take(0), NONE);
	ck_assert_int_eq(take(1), 0x34);
	ck_assert_uint_eq(entry_low(4), 0x34); /* no remote IRR */
	end(1);
	ck_assert_int_eq(take(1), NONE); /* still high is no new edge */
	irq_source_set(&line[4], false);
	ck_assert_int_eq(take(1), NONE);
	irq_source_pulse(&line[4]);
	ck_assert_int_eq(take(1), 0x34);
	end(1);
	ck_assert_uint_eq(eois, 0);
}
END_TEST

START_TEST(masked_edges_are_lost)
{
	entry_write(4, 0x34 | MASKED, 0);
	irq_source_set(&line[4], true);
	reg_write(0x18, 0x34);
	ck_assert_int_eq(take(0), NONE);
	irq_source_pulse(&line[4]);
	irq_source_set(&line[4], true);
	ck_assert_int_eq(take(0), 0x34);
}
END_TEST

START_TEST(level_until_the_line_falls)
{
	entry_write(10, 0x41 | LEVEL, 0);
	irq_source_set(&line[10], true);
	ck_assert_uint_eq(entry_low(10), 0x41 | LEVEL | REMOTE_IRR);
	ck_assert_int_eq(take(0), 0x41);
	ck_assert_int_eq(take(0), NONE);
	end(0);
	ck_assert_uint_eq(eois, 1);
	ck_assert_int_eq(take(0), 0x41); /* still high */
	irq_source_set(&line[10], false);
	ck_assert_uint_eq(entry_low(10), 0x41 | LEVEL | REMOTE_IRR);
	end(0);
	ck_assert_int_eq(take(0), NONE);
	ck_assert_uint_eq(entry_low(10), 0x41 | LEVEL);
}
END_TEST

START_TEST(eoi_callback_lowers_the_line)
{
	entry_write(10, 0x41 | LEVEL, 0);
	eoi_lowers = true;
	irq_source_set(&line[10], true);
	ck_assert_int_eq(take(0), 0x41);
	end(0);
	ck_assert_int_eq(take(0), NONE);
	ck_assert_uint_eq(entry_low(10), 0x41 | LEVEL);
	/* Another source keeps a shared line up. */
	irq_source_set(&shared, true);
	irq_source_set(&line[10], true);
	ck_assert_int_eq(take(0), 0x41);
	end(0);
	ck_assert_int_eq(take(0), 0x41);
	irq_source_set(&shared, false);
	end(0);
	ck_assert_int_eq(take(0), NONE);
}
END_TEST

START_TEST(two_pins_with_one_vector)
{
	entry_write(10, 0x41 | LEVEL, 0);
	entry_write(11, 0x41 | LEVEL, 0);
	irq_source_set(&line[10], true);
	irq_source_set(&line[11], true);
	ck_assert_int_eq(take(0), 0x41);
	irq_source_set(&line[10], false);
	end(0);
	ck_assert_uint_eq(eois, 2);
	ck_assert_uint_eq(entry_low(10), 0x41 | LEVEL);
	ck_assert_int_eq(take(0), 0x41);
}
END_TEST

START_TEST(unmasking_delivers_a_level)
{
	entry_write(12, 0x50 | LEVEL | MASKED, 0);
	irq_source_set(&line[12], true);
	ck_assert_int_eq(take(0), NONE);
	reg_write(0x28, 0x50 | LEVEL);
	ck_assert_int_eq(take(0), 0x50);
	/* Masked while in service: ended, and not delivered again. */
	reg_write(0x28, 0x50 | LEVEL | MASKED);
	ck_assert_uint_eq(entry_low(12), 0x50 | LEVEL | MASKED | REMOTE_IRR);
	end(0);
	ck_assert_int_eq(take(0), NONE);
	ck_assert_uint_eq(entry_low(12), 0x50 | LEVEL | MASKED);
}
END_TEST

/* Linux __eoi_ioapic_pin() on version 0x11: to edge and back clears remote IRR. */
START_TEST(edge_and_back_clears_remote_irr)
{
	entry_write(12, 0x50 | LEVEL, 0);
	irq_source_set(&line[12], true);
	irq_source_set(&line[12], false);
	ck_assert_uint_eq(entry_low(12), 0x50 | LEVEL | REMOTE_IRR);
	reg_write(0x28, 0x50 | MASKED);
	reg_write(0x28, 0x50 | LEVEL);
	ck_assert_uint_eq(entry_low(12), 0x50 | LEVEL);
}
END_TEST

START_TEST(destinations)
{
	static const struct {
		uint32_t low;
		uint8_t dest;
		bool first, second;
	} rows[] = {
	        {0x60, 0, true, false},
	        {0x60, 1, false, true},
	        {0x60, 0xff, true, true},
	        {0x60 | LOGICAL, 1, true, false},
	        {0x60 | LOGICAL, 2, false, true},
	        {0x60 | LOGICAL, 3, true, true},
	        {0x60, 7, false, false},
	        {0x60 | LOGICAL, 0, false, false},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		entry_write(5, rows[i].low, rows[i].dest);
		irq_source_pulse(&line[5]);
		ck_assert_int_eq(take(0), rows[i].first ? 0x60 : NONE);
		ck_assert_int_eq(take(1), rows[i].second ? 0x60 : NONE);
		end(0);
		end(1);
	}
	/* Lowest priority: one of them. */
	entry_write(5, 0x60 | LOGICAL | LOWEST, 3);
	irq_source_pulse(&line[5]);
	ck_assert_int_eq((take(0) == 0x60) + (take(1) == 0x60), 1);
}
END_TEST

/* Modes that are no vectors are edges, whatever the trigger bit says; some are reserved. */
START_TEST(other_delivery_modes)
{
	for (unsigned mode = 2; mode < 8; mode++) {
		entry_write(6, 0x40 | mode << 8 | LEVEL, 1);
		irq_source_set(&line[6], true);
		ck_assert_uint_eq(entry_low(6) & REMOTE_IRR, 0);
		irq_source_set(&line[6], false);
		ck_assert_int_eq(take(1), NONE);
		ck_assert_uint_eq(vm->vcpus[1]->nmi_pending, mode >= APIC_DM_NMI);
		ck_assert_uint_eq(
		        vm->vcpus[1]->requests >> VCPU_REQ_INIT & 1, mode >= APIC_DM_INIT);
		ck_assert_uint_eq(vm->vcpus[1]->requests >> VCPU_REQ_SIPI & 1, 0);
	}
}
END_TEST

/* A level nobody accepts does not lock the pin. */
START_TEST(nobody_accepts)
{
	entry_write(9, 0x49 | LEVEL, 9);
	irq_source_set(&line[9], true);
	ck_assert_uint_eq(entry_low(9), 0x49 | LEVEL);
	reg_write(0x11 + 18, 0);
	ck_assert_int_eq(take(0), 0x49);
}
END_TEST

START_TEST(foreign_eoi)
{
	entry_write(9, 0x49 | LEVEL, 0);
	irq_source_set(&line[9], true);
	irq_eoi(vm, 0x48);
	ck_assert_uint_eq(entry_low(9), 0x49 | LEVEL | REMOTE_IRR);
	ck_assert_uint_eq(eois, 0);
}
END_TEST

START_TEST(reset_masks_all)
{
	entry_write(9, 0x49 | LEVEL, 0);
	reg_write(0, 0x07000000);
	irq_source_set(&line[9], true);
	irq_router_reset(&vm->irq);
	ioapic_reset(&io);
	ck_assert_uint_eq(io.s.lines, 0);
	check_power_on();
}
END_TEST

START_TEST(attach_twice)
{
	static struct ioapic second;

	ioapic_init(&second);
	ck_assert_int_eq(ioapic_attach(&second, vm, BASE, 3), -EEXIST);
	ck_assert_ptr_eq(vm->irq.ioapic, &io);
}
END_TEST

static void shake(uint32_t random)
{
	irq_source_set(&line[random >> 8 & 15], random & 1);
	if (random & 2) {
		(void)take(random >> 4 & 1);
	}
	if (random & 4) {
		end(random >> 4 & 1);
	}
}

START_TEST(random_programs)
{
	static const uint64_t at[] = {BASE, BASE, BASE + 0x10, BASE + 0x10, BASE + 0x08};
	uint64_t state = (uint64_t)_i;

	chip_fuzz(&vm->mmio, at, ARRAY_SIZE(at), 10000, (uint64_t)_i + 1, 10, shake);
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t r = chip_random(&state);

		reg_write(0x10 + r % 48, chip_random(&state) & ~(r & 0x40 ? MASKED : 0));
		shake(chip_random(&state));
	}
	fake_log_clear();
	ioapic_dump(&io, &out_log);
	ck_assert_uint_ge(fake_log_count("  pin "), 20);
}
END_TEST

UNIT_MAIN("ioapic", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, registers);
          tcase_add_test(tc, only_aligned_dwords); tcase_add_test(tc, edge);
          tcase_add_test(tc, masked_edges_are_lost); tcase_add_test(tc, level_until_the_line_falls);
          tcase_add_test(tc, eoi_callback_lowers_the_line);
          tcase_add_test(tc, two_pins_with_one_vector);
          tcase_add_test(tc, unmasking_delivers_a_level);
          tcase_add_test(tc, edge_and_back_clears_remote_irr); tcase_add_test(tc, destinations);
          tcase_add_test(tc, other_delivery_modes); tcase_add_test(tc, nobody_accepts);
          tcase_add_test(tc, foreign_eoi); tcase_add_test(tc, reset_masks_all);
          tcase_add_test(tc, attach_twice); tcase_add_loop_test(tc, random_programs, 0, 4);)
