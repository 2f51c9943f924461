// SPDX-License-Identifier: BSD-2-Clause
// The 8259 pair by its data sheet: initialisation, priorities, EOI commands, cascade, poll, ELCR.
// Specs: [8259A] "Initialization Command Words", "Operation Command Words", "Interrupt Sequence".
#include "devices/pic8259.h"
#include "tests/chips.h"
#include "vmm/lib/err.h"

#define NONE 0U
#define NOTHING_PENDING 0xfffU

static struct pic8259 pic;
static struct vm *vm;
static struct irq_source lines[16];

/* For the tables: ISA numbers. The router's GSI of IRQ 0 is 2. */
static uint64_t raise(unsigned irq)
{
	irq_source_set(&lines[irq], true);
	return NONE;
}

static uint64_t lower(unsigned irq)
{
	irq_source_set(&lines[irq], false);
	return NONE;
}

static uint64_t pulse(unsigned irq)
{
	irq_source_pulse(&lines[irq]);
	return NONE;
}

static uint64_t pending(unsigned unused)
{
	(void)unused;
	return irq_extint_pending(&vm->irq);
}

/* The INTA cycle of a processor that saw the line. */
static uint64_t ack(unsigned unused)
{
	(void)unused;
	return irq_extint_pending(&vm->irq) ? irq_extint_ack(&vm->irq) : NOTHING_PENDING;
}

static uint64_t ack_anyway(unsigned unused)
{
	(void)unused;
	return irq_extint_ack(&vm->irq);
}

static void setup(void)
{
	vm = fake_vm(SIZE_2M, 1);
	pic8259_init(&pic);
	ck_assert_int_eq(pic8259_attach(&pic, vm, 0x20, 0xa0, 0x4d0), 0);
	for (unsigned irq = 0; irq < 16; irq++) {
		unsigned gsi = irq == 0 ? IRQ_GSI_PIT : irq;

		if (irq != 2) {
			ck_assert_int_eq(
			        irq_source_init(&lines[irq], &vm->irq, gsi, NULL, NULL), 0);
		}
	}
}

#define ICW1(chip, v) OUT((chip) ? 0xa0 : 0x20, v)
#define DATA(chip, v) OUT((chip) ? 0xa1 : 0x21, v)
#define INIT_MASTER(icw4) ICW1(0, 0x11), DATA(0, 0x30), DATA(0, 0x04), DATA(0, icw4)
#define INIT_SLAVE(icw4) ICW1(1, 0x11), DATA(1, 0x38), DATA(1, 0x02), DATA(1, icw4)
#define INIT INIT_MASTER(0x01), INIT_SLAVE(0x01)
#define RAISE(irq) CALL(raise, irq, NONE)
#define LOWER(irq) CALL(lower, irq, NONE)
#define PULSE(irq) CALL(pulse, irq, NONE)
#define PENDING(v) CALL(pending, 0, v)
#define ACK(vector) CALL(ack, 0, vector)
#define EOI OUT(0x20, 0x20)
#define IRR(chip, v) OUT((chip) ? 0xa0 : 0x20, 0x0a), IN((chip) ? 0xa0 : 0x20, v)
#define ISR(chip, v) OUT((chip) ? 0xa0 : 0x20, 0x0b), IN((chip) ? 0xa0 : 0x20, v)

static const struct program programs[] = {
        {"nothing before initialisation, but IMR can be probed",
                {OUT(0x21, 0xfb), IN(0x21, 0xfb), OUT(0x21, 0), PULSE(3), PENDING(0), IRR(0, 8)}},
        {"ICW1 clears IMR, ISR, latched edges",
                {INIT, PULSE(3), ACK(0x33), PULSE(4), DATA(0, 0xaa), INIT_MASTER(1), IN(0x21, 0),
                        ISR(0, 0), IRR(0, 0), PENDING(0)}},
        {"no request between ICW1 and the last ICW",
                {INIT, ICW1(0, 0x11), PULSE(1), PENDING(0), DATA(0, 0x50), PENDING(0), DATA(0, 4),
                        PENDING(0), DATA(0, 1), PENDING(1), ACK(0x51)}},
        {"ICW1 without ICW4, single without ICW3",
                {ICW1(0, 0x10), DATA(0, 0x60), DATA(0, 4), PULSE(1), ACK(0x61), ICW1(0, 0x12),
                        DATA(0, 0x77), PULSE(1), ACK(0x71), DATA(0, 0xf0), IN(0x21, 0xf0)}},
        {"an edge is latched, acknowledged once, blocked until EOI",
                {INIT, RAISE(5), PENDING(1), ACK(0x35), ISR(0, 0x20), IRR(0, 0), PENDING(0),
                        LOWER(5), RAISE(5), IRR(0, 0x20), PENDING(0), EOI, ACK(0x35), EOI,
                        ACK(NOTHING_PENDING)}},
        {"fixed priority: a higher input interrupts, a lower waits",
                {INIT, PULSE(5), ACK(0x35), PULSE(6), PENDING(0), PULSE(1), ACK(0x31), EOI,
                        ISR(0, 0x20), PENDING(0), EOI, ACK(0x36)}},
        {"IMR masks, what was latched stays",
                {INIT, DATA(0, 0x08), PULSE(3), PENDING(0), IRR(0, 8), DATA(0, 0), ACK(0x33)}},
        {"cascade: the slave through IR2, both need an EOI",
                {INIT, PULSE(12), IRR(0, 0x04), IRR(1, 0x10), ACK(0x3c), ISR(0, 0x04), ISR(1, 0x10),
                        PULSE(9), IRR(0, 0x04), PENDING(0), OUT(0xa0, 0x20), PENDING(0), EOI,
                        ACK(0x39), PULSE(3), PENDING(0), PULSE(1), ACK(0x31)}},
        {"special fully nested: a higher input of the slave in service gets through",
                {INIT_MASTER(0x11), INIT_SLAVE(0x01), PULSE(12), ACK(0x3c), PULSE(14), PENDING(0),
                        PULSE(9), ACK(0x39), ISR(1, 0x12)}},
        {"spurious: the request is masked before INTA",
                {INIT, PULSE(3), DATA(0, 0x08), CALL(ack_anyway, 0, 0x37), ISR(0, 0), DATA(0, 0),
                        ACK(0x33)}},
        {"spurious at the slave: the master has IR2 in service",
                {INIT, OUT(0x4d1, 0x10), RAISE(12), LOWER(12), PENDING(0), RAISE(12), DATA(1, 0x10),
                        PENDING(0), CALL(ack_anyway, 0, 0x37), ISR(0, 0)}},
        {"level: follows the line",
                {INIT, OUT(0x4d0, 0x20), RAISE(5), IRR(0, 0x20), LOWER(5), IRR(0, 0), PENDING(0),
                        RAISE(5), ACK(0x35), IRR(0, 0x20), PENDING(0), EOI, ACK(0x35), LOWER(5),
                        EOI, PENDING(0)}},
        {"ELCR: timer, keyboard, cascade, clock and FPU stay edge",
                {OUT(0x4d0, 0xff), IN(0x4d0, 0xf8), OUT(0x4d1, 0xff), IN(0x4d1, 0xde)}},
        {"ELCR: a line that is high is a request when it becomes level",
                {INIT, RAISE(10), ACK(0x3a), OUT(0xa0, 0x20), EOI, PENDING(0), OUT(0x4d1, 0x04),
                        ACK(0x3a), OUT(0x4d1, 0), OUT(0xa0, 0x20), EOI, PENDING(0)}},
        {"automatic EOI", {INIT_MASTER(0x03), PULSE(5), ACK(0x35), ISR(0, 0), PULSE(6), ACK(0x36)}},
        {"automatic EOI with rotation",
                {INIT_MASTER(0x03), OUT(0x20, 0x80), PULSE(3), ACK(0x33), PULSE(3), PULSE(4),
                        ACK(0x34), ACK(0x33), OUT(0x20, 0x00), PULSE(5), ACK(0x35), PULSE(3),
                        PULSE(4), ACK(0x34)}},
        {"specific EOI", {INIT, PULSE(5), ACK(0x35), PULSE(1), ACK(0x31), OUT(0x20, 0x65),
                                 ISR(0, 0x02), OUT(0x20, 0x61), ISR(0, 0)}},
        {"rotate on non-specific and specific EOI, set priority, no operation",
                {INIT, PULSE(0), ACK(0x30), OUT(0x20, 0xa0), ISR(0, 0), PULSE(0), PULSE(1),
                        ACK(0x31), OUT(0x20, 0xe1), PULSE(1), PULSE(7), ACK(0x37), EOI, ACK(0x30),
                        EOI, ACK(0x31), EOI, OUT(0x20, 0xc4), PULSE(4), PULSE(5), ACK(0x35),
                        OUT(0x20, 0x40), EOI, ACK(0x34)}},
        {"special mask mode: a masked input in service blocks nobody",
                {INIT, PULSE(1), ACK(0x31), DATA(0, 0x02), PULSE(6), PENDING(0), OUT(0x20, 0x68),
                        ACK(0x36), EOI, ISR(0, 0x02), EOI, ISR(0, 0x02), OUT(0x20, 0x48), EOI,
                        ISR(0, 0)}},
        {"poll: the read acknowledges",
                {INIT, PULSE(4), OUT(0x20, 0x0c), IN(0x20, 0x84), ISR(0, 0x10), EOI,
                        OUT(0x20, 0x0c), IN(0x20, 0x00), PULSE(9), OUT(0x20, 0x0c), IN(0x20, 0x82),
                        OUT(0xa0, 0x0c), IN(0xa0, 0x81), ISR(1, 0x02)}},
};

START_TEST(program)
{
	program_run(vm, &programs[_i], 0);
}
END_TEST

/* Linux 6.1 probe_8259A() and init_8259A(). */
START_TEST(linux_init)
{
	chip_out(vm, 0xa1, 0xff);
	chip_out(vm, 0x21, 0xfb);
	ck_assert_uint_eq(chip_in(vm, 0x21), 0xfb);
	program_run(vm,
	        &(const struct program){"init_8259A",
	                {OUT(0x21, 0xff), INIT, OUT(0x21, 0xff), OUT(0xa1, 0xff), PULSE(0),
	                        PENDING(0), OUT(0x21, 0xfa), ACK(0x30), OUT(0x20, 0x60)}},
	        0);
}
END_TEST

START_TEST(wide_accesses_are_bytes)
{
	io_bus_write(&vm->pio, 0x20, 2, 0x3011); /* ICW1, ICW2 */
	chip_out(vm, 0x21, 4);
	chip_out(vm, 0x21, 1);
	ck_assert_uint_eq(pic.s.chips[0].base, 0x30);
	io_bus_write(&vm->pio, 0x4d0, 2, 0xffff);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0x4d0, 2), 0xdef8);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0x20, 4), 0xffffffff);
}
END_TEST

START_TEST(reset_forgets)
{
	static const struct program before = {
	        "before", {INIT, OUT(0x4d0, 0xff), RAISE(5), RAISE(14), PENDING(1)}};
	static const struct program after = {
	        "after", {PENDING(0), IN(0x4d0, 0), IRR(0, 0), ISR(0, 0), IRR(1, 0), IN(0x21, 0)}};

	program_run(vm, &before, 0);
	irq_router_reset(&vm->irq);
	pic8259_reset(&pic);
	program_run(vm, &after, 0);
	pic8259_dump(&pic, &out_log);
	ck_assert_uint_eq(fake_log_count("not initialised"), 2);
}
END_TEST

START_TEST(attach_undoes_itself)
{
	static struct pic8259 second;

	pic8259_init(&second);
	ck_assert_int_eq(pic8259_attach(&second, vm, 0x120, 0x1a0, 0x4d0), -EEXIST);
	ck_assert(!io_bus_claims(&vm->pio, 0x120, 1));
	ck_assert(!io_bus_claims(&vm->pio, 0x1a0, 1));
	ck_assert_ptr_eq(vm->irq.pic, &pic);
}
END_TEST

static void shake(uint32_t random)
{
	unsigned irq = random >> 4 & 15;

	if (irq != 2) {
		irq_source_set(&lines[irq], random & 1);
	}
	if (random & 0x100 && irq_extint_pending(&vm->irq)) {
		(void)irq_extint_ack(&vm->irq);
	}
}

START_TEST(random_programs)
{
	static const uint64_t ports[] = {0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1};

	chip_fuzz(&vm->pio, ports, ARRAY_SIZE(ports), 20000, (uint64_t)_i + 1, 10, shake);
	/* Whatever it was told, a new initialisation makes it a fresh chip. */
	(void)chip_in(vm, 0x20); /* an open poll */
	(void)chip_in(vm, 0xa0);
	chip_out(vm, 0x4d0, 0);
	chip_out(vm, 0x4d1, 0);
	for (unsigned i = 4; i <= 8; i++) {
		for (unsigned irq = 0; irq < 16; irq++) {
			if (irq != 2) {
				irq_source_set(&lines[irq], false);
			}
		}
		program_run(vm, &programs[i], 0);
	}
}
END_TEST

UNIT_MAIN("pic8259", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, program, 0, ARRAY_SIZE(programs)); tcase_add_test(tc, linux_init);
          tcase_add_test(tc, wide_accesses_are_bytes); tcase_add_test(tc, reset_forgets);
          tcase_add_test(tc, attach_undoes_itself); tcase_add_loop_test(tc, random_programs, 0, 4);)
