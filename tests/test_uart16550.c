// SPDX-License-Identifier: BSD-2-Clause
// The serial port by its data sheet, what Linux's 8250 driver tries on it, and back-pressure.
// Specs: [16550] "Registers", "FIFO Interrupt Mode Operation", "Loop Mode".
#include "devices/uart16550.h"
#include "tests/chips.h"
#include "vmm/lib/err.h"

#define GSI 4U
#define P(reg) (0x3f8U + (reg))
#define CHAR_NS 86806ULL /* 10 bits at 115200 baud */

static struct uart16550 uart;
static struct vm *vm;

/* A backend that takes 'room' bytes. */
static struct {
	struct chr chr;
	unsigned room, n_sent, rx_spaces, refusals;
	uint8_t sent[256];
	bool space_inside; /* tx_space() comes while put() refuses */
	unsigned feeds;    /* another vCPU writes this many bytes while put() runs, one each time */
} peer;

static bool peer_put(struct chr *chr, uint8_t byte)
{
	(void)chr;
	if (peer.space_inside) {
		peer.space_inside = false;
		peer.room = 1;
		peer.chr.tx_space(peer.chr.frontend);
		return false;
	}
	if (peer.room == 0) {
		peer.refusals++;
		return false;
	}
	if (peer.feeds) {
		peer.feeds--;
		chip_out(vm, P(0), 'f');
	}
	peer.room--;
	peer.sent[peer.n_sent++ % sizeof(peer.sent)] = byte;
	return true;
}

static void peer_rx_space(struct chr *chr)
{
	(void)chr;
	peer.rx_spaces++;
}

static const struct chr_ops peer_ops = {.name = "peer", .put = peer_put};

/* Calls for the tables. */
static uint64_t rx(unsigned byte)
{
	return peer.chr.rx_byte(peer.chr.frontend, (uint8_t)byte);
}

static uint64_t rx_many(unsigned n)
{
	uint64_t taken = 0;

	for (unsigned i = 0; i < n; i++) {
		taken += rx(0x40 + i);
	}
	return taken;
}

static uint64_t sent(unsigned unused)
{
	(void)unused;
	return peer.n_sent;
}

static uint64_t room(unsigned n)
{
	peer.room = n;
	if (n) {
		peer.chr.tx_space(peer.chr.frontend);
	}
	return 0;
}

static uint64_t rx_spaces(unsigned unused)
{
	(void)unused;
	return peer.rx_spaces;
}

static void setup(void)
{
	fake_clock_set(1000);
	vm = fake_vm(SIZE_2M, 1);
	chip_record_lines(vm);
	memset(&peer, 0, sizeof(peer));
	peer.chr.ops = &peer_ops;
	peer.chr.rx_space = peer_rx_space;
	peer.room = ~0U;
	uart16550_init(&uart);
	ck_assert_int_eq(uart16550_attach(&uart, vm, &peer.chr, P(0), GSI), 0);
}

#define FIFOS_ON OUT(P(2), 0x07)
#define OUT2_ON OUT(P(4), 0x0b)

static const struct program programs[] = {
        {"registers after reset", {IN(P(1), 0), IN(P(2), 0x01), IN(P(3), 0), IN(P(4), 0),
                                          IN(P(5), 0x60), IN(P(6), 0xb0), IN(P(7), 0), LINE(0)}},
        {"divisor latch, scratch, reserved bits",
                {OUT(P(3), 0x80), OUT(P(0), 0x34), OUT(P(1), 0x12), IN(P(0), 0x34), IN(P(1), 0x12),
                        OUT(P(3), 0x03), IN(P(0), 0), IN(P(1), 0), OUT(P(7), 0xa5), IN(P(7), 0xa5),
                        OUT(P(1), 0xff), IN(P(1), 0x0f), OUT(P(4), 0xff), IN(P(4), 0x1f)}},
        {"Linux autoconfig(): IER, loopback, FIFO: a 16550A and no other",
                {OUT(P(1), 0), IN(P(1), 0), OUT(P(1), 0x0f), BITS(P(1), 0x0f, 0x0f), OUT(P(1), 0),
                        OUT(P(4), 0x1a), BITS(P(6), 0xf0, 0x90), OUT(P(4), 0), OUT(P(3), 0xbf),
                        OUT(P(2), 0), OUT(P(3), 0), OUT(P(2), 0x01), BITS(P(2), 0xc0, 0xc0),
                        /* autoconfig_16550a(): no EFR with DLAB or 0xbf */
                        OUT(P(3), 0x80), IN(P(2), 0xc1), OUT(P(3), 0xbf), IN(P(2), 0xc1),
                        /* not a National SuperIO */
                        OUT(P(3), 0), IN(P(4), 0), OUT(P(3), 0xe0), BITS(P(2), 0x10, 0),
                        OUT(P(3), 0), OUT(P(4), 0x10), OUT(P(3), 0xe0), BITS(P(2), 0x10, 0),
                        OUT(P(3), 0), OUT(P(4), 0),
                        /* not a TI16750, no Xscale UUE bit */
                        OUT(P(2), 0x21), BITS(P(2), 0xe0, 0xc0), OUT(P(3), 0x80), OUT(P(2), 0x21),
                        BITS(P(2), 0xe0, 0xc0), OUT(P(3), 0), OUT(P(1), 0x40), IN(P(1), 0)}},
        {"Linux serial8250_do_startup(): THRE comes back, no UART_BUG_THRE or _TXEN",
                {OUT(P(1), 0x02), IN(P(2), 0x02), OUT(P(1), 0), OUT(P(1), 0x02), IN(P(2), 0x02),
                        OUT(P(1), 0), IN(P(2), 0x01), OUT(P(1), 0x02), BITS(P(5), 0x40, 0x40),
                        IN(P(2), 0x02)}},
        {"the THRE interrupt: IIR read clears it, enabled anew does not bring it back",
                {OUT2_ON, OUT(P(1), 0x02), LINE(1), IN(P(2), 0x02), LINE(0), IN(P(2), 0x01),
                        OUT(P(1), 0x02), LINE(0), OUT(P(0), 'x'), LINE(1), RISES(2),
                        /* a driver that never reads IIR sees an edge for every byte */
                        OUT(P(0), 'y'), RISES(1), LINE(1), CALL(sent, 0, 2)}},
        {"IIR reads of a higher source leave THRE pending",
                {OUT2_ON, OUT(P(1), 0x03), CALL(rx, 'a', 1), IN(P(2), 0x04), IN(P(0), 'a'),
                        IN(P(2), 0x02), IN(P(2), 0x01)}},
        {"no interrupt without OUT2", {OUT(P(1), 0x02), LINE(0), OUT2_ON, LINE(1), OUT(P(4), 0x1b),
                                              LINE(0), OUT2_ON, LINE(1)}},
        {"without FIFOs: one byte, then the backend waits",
                {OUT2_ON, OUT(P(1), 0x01), CALL(rx, 'a', 1), LINE(1), CALL(rx, 'b', 0),
                        BITS(P(5), 0x03, 0x01), IN(P(2), 0x04), CALL(rx_spaces, 0, 0),
                        IN(P(0), 'a'), CALL(rx_spaces, 0, 1), LINE(0), CALL(rx, 'b', 1),
                        IN(P(0), 'b'), IN(P(0), 0), CALL(rx_spaces, 0, 1)}},
        {"trigger level 4: below it only the time-out tells",
                {OUT2_ON, OUT(P(2), 0x41), OUT(P(1), 0x01), OUT(P(3), 0x03), CALL(rx_many, 3, 3),
                        LINE(0), WAIT(4 * CHAR_NS - 1000), LINE(0), WAIT(2000), LINE(1),
                        IN(P(2), 0xcc), IN(P(0), 0x40), LINE(0), IN(P(2), 0xc1),
                        WAIT(4 * CHAR_NS + 1000), IN(P(2), 0xcc), IN(P(0), 0x41), IN(P(0), 0x42),
                        WAIT(100 * CHAR_NS), LINE(0), IN(P(2), 0xc1)}},
        {"trigger level 8: the level interrupt clears below it",
                {OUT2_ON, OUT(P(2), 0x81), OUT(P(1), 0x01), CALL(rx_many, 7, 7), LINE(0),
                        CALL(rx, 'h', 1), LINE(1), IN(P(2), 0xc4), IN(P(0), 0x40), LINE(0)}},
        {"trigger level 14, 16 bytes deep",
                {OUT2_ON, OUT(P(2), 0xc1), OUT(P(1), 0x01), CALL(rx_many, 13, 13), LINE(0),
                        CALL(rx_many, 9, 3), LINE(1), CALL(rx_spaces, 0, 0), IN(P(0), 0x40),
                        CALL(rx_spaces, 0, 1)}},
        {"FCR: clear receiver, toggling clears both, other bits need bit 0",
                {FIFOS_ON, CALL(rx_many, 5, 5), OUT(P(2), 0x03), BITS(P(5), 0x01, 0),
                        CALL(rx_many, 5, 5), OUT(P(2), 0xc0), BITS(P(5), 0x01, 0), IN(P(2), 0x01),
                        FIFOS_ON, CALL(rx, 'q', 1), OUT(P(2), 0x01), IN(P(0), 'q')}},
        {"back-pressure: THRE stays away until the backend took all",
                {OUT2_ON, FIFOS_ON, OUT(P(1), 0x02), IN(P(2), 0xc2), CALL(room, 0, 0),
                        OUT(P(0), 'a'), BITS(P(5), 0x60, 0), LINE(0), OUT(P(0), 'b'),
                        CALL(sent, 0, 0), CALL(room, 1, 0), CALL(sent, 0, 1), BITS(P(5), 0x60, 0),
                        LINE(0), CALL(room, 5, 0), CALL(sent, 0, 2), BITS(P(5), 0x60, 0x60),
                        LINE(1), IN(P(2), 0xc2), LINE(0)}},
        {"a cleared transmit FIFO keeps the byte in the shift register",
                {FIFOS_ON, CALL(room, 0, 0), OUT(P(0), 'a'), OUT(P(0), 'b'), OUT(P(2), 0x05),
                        CALL(room, 9, 0), CALL(sent, 0, 1), BITS(P(5), 0x60, 0x60)}},
        {"loop mode: bytes come back, OE when nobody reads, the pins are dead",
                {OUT(P(4), 0x10), OUT(P(1), 0x04), OUT(P(0), 'l'), CALL(sent, 0, 0),
                        BITS(P(5), 0x61, 0x61), CALL(rx, 'x', 0), OUT(P(0), 'm'), IN(P(2), 0x06),
                        IN(P(5), 0x63), IN(P(5), 0x61), IN(P(2), 0x01), IN(P(0), 'l'),
                        CALL(rx_spaces, 0, 0), OUT(P(4), 0), CALL(rx_spaces, 0, 1)}},
        {"loop mode: modem lines, deltas, RI tells its fall only",
                {OUT(P(4), 0x10), IN(P(6), 0x0b), IN(P(6), 0), OUT(P(4), 0x11), IN(P(6), 0x22),
                        OUT(P(4), 0x12), IN(P(6), 0x13), OUT(P(4), 0x14), IN(P(6), 0x41),
                        OUT(P(4), 0x18), IN(P(6), 0x8c), OUT(P(4), 0x18), IN(P(6), 0x80)}},
        {"the modem interrupt has the lowest priority",
                {OUT(P(1), 0x0a), OUT(P(4), 0x1b), OUT(P(4), 0x0b), LINE(1), IN(P(2), 0x02),
                        IN(P(2), 0x01), OUT(P(4), 0x10), OUT(P(4), 0x0b), IN(P(2), 0x00), LINE(1),
                        BITS(P(6), 0xf0, 0xb0), LINE(0), IN(P(2), 0x01)}},
        {"LSR and MSR are not written",
                {OUT(P(5), 0xff), OUT(P(6), 0xff), IN(P(5), 0x60), IN(P(6), 0xb0)}},
};

START_TEST(program)
{
	program_run(vm, &programs[_i], GSI);
}
END_TEST

START_TEST(prints_at_full_speed)
{
	static const char text[] = "[    0.000000] Linux version";

	chip_out(vm, P(2), 1);
	for (unsigned i = 0; i < sizeof(text); i++) {
		ck_assert_uint_eq(chip_in(vm, P(5)) & 0x20, 0x20);
		chip_out(vm, P(0), (uint8_t)text[i]);
	}
	ck_assert_mem_eq(peer.sent, text, sizeof(text));
}
END_TEST

/* A full FIFO loses the newest byte; without FIFOs THR is overwritten. */
START_TEST(overrun_of_the_transmitter)
{
	chip_out(vm, P(2), 1);
	peer.room = 0;
	for (unsigned i = 0; i < 20; i++) {
		chip_out(vm, P(0), i);
	}
	room(100);
	ck_assert_uint_eq(peer.n_sent, 17); /* 16 and the one being sent */
	ck_assert_uint_eq(peer.sent[16], 16);
	chip_out(vm, P(2), 0);
	peer.n_sent = 0;
	peer.room = 0;
	for (unsigned i = 0; i < 20; i++) {
		chip_out(vm, P(0), i);
	}
	room(100);
	ck_assert_uint_eq(peer.n_sent, 2);
	ck_assert_uint_eq(peer.sent[1], 19);
}
END_TEST

/* Space that comes while the backend is just refusing is not forgotten. */
START_TEST(space_is_never_missed)
{
	peer.room = 0;
	peer.space_inside = true;
	chip_out(vm, P(0), 'r');
	ck_assert_uint_eq(peer.n_sent, 1);
	ck_assert_uint_eq(chip_in(vm, P(5)), 0x60);
}
END_TEST

START_TEST(no_backend_is_a_sink)
{
	static struct uart16550 sink;

	uart16550_init(&sink);
	ck_assert_int_eq(uart16550_attach(&sink, vm, NULL, 0x2f8, 3), 0);
	for (unsigned i = 0; i < 100; i++) {
		chip_out(vm, 0x2f8, i);
		ck_assert_uint_eq(chip_in(vm, 0x2fd), 0x60);
	}
	uart16550_dump(&sink, &out_log);
}
END_TEST

START_TEST(divisor_zero_and_huge)
{
	static const struct {
		unsigned dll, dlm, lcr;
		uint64_t not_before_ns, by_ns;
	} rows[] = {
	        {0, 0, 0x03, 0, 4 * CHAR_NS + 1000},
	        {1, 0, 0x03, 4 * CHAR_NS - 1000, 4 * CHAR_NS + 1000},
	        {0xff, 0xff, 0x0f, 27000000000ULL, 28000000000ULL},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uart16550_reset(&uart);
		chip_out(vm, P(3), 0x80);
		chip_out(vm, P(0), rows[i].dll);
		chip_out(vm, P(1), rows[i].dlm);
		chip_out(vm, P(3), rows[i].lcr);
		chip_out(vm, P(2), 0x41);
		chip_out(vm, P(4), 0x08);
		chip_out(vm, P(1), 0x01);
		rx('t');
		fake_clock_advance(rows[i].not_before_ns);
		ck_assert(!chip_lines[GSI].level);
		fake_clock_advance(rows[i].by_ns - rows[i].not_before_ns);
		ck_assert(chip_lines[GSI].level);
	}
}
END_TEST

START_TEST(wide_accesses_are_bytes)
{
	io_bus_write(&vm->pio, P(3), 2, 0x0b80); /* LCR, MCR */
	ck_assert_uint_eq(chip_in(vm, P(3)), 0x80);
	ck_assert_uint_eq(chip_in(vm, P(4)), 0x0b);
	io_bus_write(&vm->pio, P(0), 2, 0x0102); /* the divisor */
	ck_assert_uint_eq(io_bus_read(&vm->pio, P(0), 2), 0x0102);
	/* IIR, LCR, MCR, LSR */
	ck_assert_uint_eq(io_bus_read(&vm->pio, P(2), 4), 0x600b8001);
	/* Beyond the end: nobody's */
	ck_assert_uint_eq(io_bus_read(&vm->pio, P(7), 2), 0xffff);
}
END_TEST

START_TEST(reset_and_quiesce)
{
	chip_out(vm, P(2), 0xc1);
	chip_out(vm, P(4), 0x0b);
	chip_out(vm, P(1), 0x03);
	rx_many(20);
	ck_assert(chip_lines[GSI].level);
	uart16550_reset(&uart);
	ck_assert(!chip_lines[GSI].level);
	ck_assert_uint_eq(peer.rx_spaces, 1); /* what was refused may come now */
	program_run(vm, &programs[0], GSI);
	chip_out(vm, P(2), 0xc1);
	chip_out(vm, P(4), 0x0b);
	chip_out(vm, P(1), 0x01);
	rx('a');
	uart16550_quiesce(&uart);
	fake_clock_advance(1000 * CHAR_NS);
	ck_assert(!chip_lines[GSI].level);
}
END_TEST

/* One vCPU must not be kept sending what the others write. */
START_TEST(others_feed_the_fifo)
{
	chip_out(vm, P(2), 0x01);
	peer.room = 10000;
	peer.feeds = 1000;
	chip_out(vm, P(0), 'a');
	ck_assert_uint_le(peer.n_sent, 100);
	ck_assert_uint_gt(peer.feeds, 0);
	/* What is left goes on by itself, a piece at a time. */
	ck_assert_uint_eq(chip_in(vm, P(5)) & 0x60, 0);
	fake_clock_advance(200000);
	ck_assert_uint_le(peer.n_sent, 300);
	fake_clock_advance(10000000);
	ck_assert_uint_eq(peer.n_sent, 1001);
	ck_assert_uint_eq(chip_in(vm, P(5)) & 0x60, 0x60);
}
END_TEST

/* And not after the end. */
START_TEST(feeding_ends_with_the_machine)
{
	chip_out(vm, P(2), 0x01);
	peer.room = 10000;
	peer.feeds = 1000;
	chip_out(vm, P(0), 'a');
	uart16550_quiesce(&uart);
	peer.n_sent = 0;
	fake_clock_advance(1000000);
	ck_assert_uint_eq(peer.n_sent, 0);
	uart16550_reset(&uart);
	fake_clock_advance(1000000);
	ck_assert_uint_eq(peer.n_sent, 0);
}
END_TEST

START_TEST(attach_undoes_itself)
{
	static struct uart16550 second;

	uart16550_init(&second);
	ck_assert_int_eq(uart16550_attach(&second, vm, NULL, P(0), 3), -EEXIST);
	ck_assert_int_eq(uart16550_attach(&second, vm, NULL, 0x2f8, 24), -EINVAL);
	ck_assert(!io_bus_claims(&vm->pio, 0x2f8, 1));
}
END_TEST

static void feed(uint32_t random)
{
	if (random % 5 == 0) {
		rx(random >> 8);
	} else if (random % 5 == 1) {
		room(random >> 8 & 31);
	}
}

START_TEST(random_programs)
{
	static const uint64_t ports[] = {
	        P(0), P(0), P(0), P(1), P(2), P(3), P(4), P(5), P(6), P(7)};

	chip_fuzz(&vm->pio, ports, ARRAY_SIZE(ports), 20000, (uint64_t)_i + 1, 2000000, feed);
	fake_log_clear();
	uart16550_dump(&uart, &out_log);
	ck_assert_uint_eq(fake_log_count("IER"), 1);
	ck_assert_uint_eq(fake_log_count("FCR"), 1);
	uart16550_reset(&uart);
	peer.rx_spaces = 0;
	peer.n_sent = 0;
	room(1000);
	program_run(vm, &programs[0], GSI);
}
END_TEST

UNIT_MAIN("uart16550", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, program, 0, ARRAY_SIZE(programs));
          tcase_add_test(tc, prints_at_full_speed); tcase_add_test(tc, overrun_of_the_transmitter);
          tcase_add_test(tc, space_is_never_missed); tcase_add_test(tc, no_backend_is_a_sink);
          tcase_add_test(tc, divisor_zero_and_huge); tcase_add_test(tc, wide_accesses_are_bytes);
          tcase_add_test(tc, others_feed_the_fifo);
          tcase_add_test(tc, feeding_ends_with_the_machine); tcase_add_test(tc, reset_and_quiesce);
          tcase_add_test(tc, attach_undoes_itself); tcase_add_loop_test(tc, random_programs, 0, 4);)
