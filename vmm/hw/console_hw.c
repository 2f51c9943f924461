// SPDX-License-Identifier: BSD-2-Clause
// The host's console on COM1, and the log's sink.
// Specs: [16550] "PC16550D: Line Status Register, FIFO Control Register, Interrupt
// Identification Register"; Bochs "port_e9_hack".
//
// Three ways of moving output, in this order of a life: polled (until console_irq_init():
// a line waits for the UART), by interrupt or by the 10 ms poll (nobody waits: a log line
// that does not fit the ring is dropped and counted), and polled again (panic, power-off).
#include "vmm/hw/console_hw.h"
#include "vmm/hw/acpi.h"
#include "vmm/hw/apic_hw.h"
#include "vmm/hw/apic_priv_hw.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/console_ring.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/pcpu.h"
#include "vmm/hw/timer.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/log.h"
#include "vmm/lib/spinlock.h"

#define COM1 0x3f8
#define UART_DATA (COM1 + 0)
#define UART_IER (COM1 + 1)
#define UART_IIR (COM1 + 2)
#define UART_FCR (COM1 + 2)
#define UART_LCR (COM1 + 3)
#define UART_MCR (COM1 + 4)
#define UART_LSR (COM1 + 5)
#define UART_SCRATCH (COM1 + 7)

#define IER_RX 0x01
#define IER_TX 0x02
#define IIR_NONE 0x01
#define IIR_FIFO 0xc0
#define LSR_DATA 0x01
#define LSR_TX_EMPTY 0x20
#define LSR_IDLE 0x40

#define DEBUG_PORT 0xe9
/* Reads of the line status before the UART is given up: seconds on real hardware. */
#define WAIT_READS 2000000U
/* Rounds of one service call: a UART that never calms down must not hold the CPU. */
#define SERVICE_ROUNDS 32U
/* Ring space that guests' output leaves to the log. */
#define LOG_RESERVE 8192U
#define POLL_NS 10000000ULL

static struct spinlock lock;
static char tx_buf[CONSOLE_TX_RING], rx_buf[CONSOLE_RX_RING];
static struct console_ring tx, rx; /* [lock] */
static bool present;               /* a UART answers */
static bool debug_port;            /* an emulator listens at 0xE9 */
static bool polled = true;         /* output waits for the UART */
static unsigned tx_fifo = 1;       /* (c) bytes it takes when it is empty */
static uint8_t ier;                /* [lock] */
static uint32_t log_lines;         /* [a] */
static struct timer poll_timer;
static void (*notify_tx)(void), (*notify_rx)(void);

void console_init(void)
{
	console_ring_init(&tx, tx_buf, sizeof(tx_buf));
	console_ring_init(&rx, rx_buf, sizeof(rx_buf));
	/* Both emulators that have the port answer a read with its number. */
	debug_port = cpu_in8(DEBUG_PORT) == DEBUG_PORT;
	cpu_out8(UART_SCRATCH, 0x5a);
	present = cpu_in8(UART_SCRATCH) == 0x5a;
	if (!present) {
		return;
	}
	cpu_out8(UART_IER, 0);
	cpu_out8(UART_LCR, 0x80); /* divisor latch */
	cpu_out8(UART_DATA, 1);   /* 115200 */
	cpu_out8(UART_IER, 0);
	cpu_out8(UART_LCR, 0x03); /* 8N1 */
	cpu_out8(UART_FCR, 0x07); /* FIFOs on and empty; interrupt at the first byte */
	cpu_out8(UART_MCR, 0x0b); /* DTR, RTS, OUT2 (the interrupt's gate) */
	tx_fifo = (cpu_in8(UART_IIR) & IIR_FIFO) == IIR_FIFO ? 16 : 1;
}

/* One FIFO full at most; returns bytes given. */
static unsigned tx_fill_locked(void)
{
	unsigned n = 0;

	if (!(cpu_in8(UART_LSR) & LSR_TX_EMPTY)) {
		return 0;
	}
	for (int c; n < tx_fifo && (c = console_ring_get(&tx)) >= 0; n++) {
		cpu_out8(UART_DATA, (uint8_t)c);
	}
	return n;
}

static unsigned rx_drain_locked(void)
{
	unsigned n = 0;

	while (n < 64 && (cpu_in8(UART_LSR) & LSR_DATA)) {
		char c = (char)cpu_in8(UART_DATA);

		/* What nobody collects is lost, as on any serial line. */
		(void)console_ring_put(&rx, &c, 1, 0);
		n++;
	}
	return n;
}

/* THRE interrupts only while there is something to send. */
static void update_ier_locked(void)
{
	uint8_t want = (uint8_t)(IER_RX | (console_ring_used(&tx) ? IER_TX : 0));

	if (want != ier) {
		ier = want;
		cpu_out8(UART_IER, want);
	}
}

/* Until the ring is empty, or the UART is stuck. */
static void drain_polled_locked(void)
{
	unsigned waited = 0;

	while (present && console_ring_used(&tx)) {
		if (tx_fill_locked()) {
			waited = 0;
		} else if (++waited > WAIT_READS) {
			present = false;
		}
	}
	if (!present) {
		tx.tail = tx.head;
	}
}

static void debug_port_write(const char *text, size_t len)
{
	for (size_t i = 0; debug_port && i < len; i++) {
		cpu_out8(DEBUG_PORT, (uint8_t)text[i]);
	}
}

void log_sink(const char *text, size_t len)
{
	spin_lock(&lock);
	debug_port_write(text, len);
	if (tx.size != 0) {
		(void)console_ring_put_log(&tx, text, len);
		__atomic_fetch_add(&log_lines, 1, __ATOMIC_RELAXED);
		if (polled || !present) {
			drain_polled_locked();
		} else {
			(void)tx_fill_locked();
			update_ier_locked();
		}
	}
	spin_unlock(&lock);
}

size_t console_write(const char *buf, size_t n)
{
	size_t taken;

	bool idle;

	spin_lock(&lock);
	idle = console_ring_used(&tx) == 0;
	taken = console_ring_put(&tx, buf, n, LOG_RESERVE);
	if (polled || !present) {
		drain_polled_locked();
	} else if (idle) {
		/* Else the UART's interrupt is on its way: no port of the host for each byte. */
		(void)tx_fill_locked();
		update_ier_locked();
	}
	spin_unlock(&lock);
	return taken;
}

uint32_t console_log_lines(void)
{
	return __atomic_load_n(&log_lines, __ATOMIC_RELAXED);
}

int console_getc(void)
{
	int c;

	spin_lock(&lock);
	c = console_ring_get(&rx);
	spin_unlock(&lock);
	return c;
}

void console_service(void)
{
	unsigned sent = 0, received = 0;

	spin_lock(&lock);
	/*
	 * An edge-triggered line tells once: go on until the UART has nothing to say, or a
	 * condition that came up meanwhile keeps the line high and silent.
	 */
	for (unsigned i = 0; present && i < SERVICE_ROUNDS; i++) {
		received += rx_drain_locked();
		sent += tx_fill_locked();
		update_ier_locked();
		if (cpu_in8(UART_IIR) & IIR_NONE) {
			break;
		}
	}
	spin_unlock(&lock);
	if (sent && notify_tx) {
		notify_tx();
	}
	if (received && notify_rx) {
		notify_rx();
	}
}

void console_set_notify(void (*tx_space)(void), void (*rx_ready)(void))
{
	notify_tx = tx_space;
	notify_rx = rx_ready;
}

static void poll(struct timer *t)
{
	console_service();
	timer_arm(t, t->cpu, clock_now() + POLL_NS);
}

/* Provoke a THRE interrupt with host interrupts off and see whether it reaches the APIC. */
static bool interrupt_works(void)
{
	uint32_t line = acpi.serial_gsi - acpi.ioapic_gsi_base;
	uint64_t start = clock_now();
	bool seen = false;

	if (!ioapic_route(line, HOST_VECTOR_SERIAL, apic_id(), acpi.serial_active_low,
	            acpi.serial_level)) {
		return false;
	}
	cpu_out8(UART_IER, IER_TX);
	while (!seen && clock_now() - start < 5000000) {
		seen = apic_irr_test(HOST_VECTOR_SERIAL);
	}
	cpu_out8(UART_IER, 0);
	if (!seen) {
		ioapic_mask(line);
	}
	return seen;
}

void console_irq_init(void)
{
	bool by_irq;

	if (!present) {
		log_info("console: COM1 does not answer; log at port 0xE9 only");
		return;
	}
	by_irq = interrupt_works();
	if (by_irq) {
		log_info("console: COM1, interrupt by IOAPIC input %u", acpi.serial_gsi);
	} else {
		log_info("console: COM1, polled every 10 ms (no interrupt arrives)");
		timer_init(&poll_timer, poll);
		timer_arm(&poll_timer, 0, clock_now() + POLL_NS);
	}
	spin_lock(&lock);
	polled = false;
	update_ier_locked();
	spin_unlock(&lock);
}

void console_flush(void)
{
	spin_lock(&lock);
	drain_polled_locked();
	/* The FIFO and the shift register, too: the machine may be gone in a moment. */
	for (unsigned i = 0; present && i < WAIT_READS; i++) {
		if (cpu_in8(UART_LSR) & LSR_IDLE) {
			break;
		}
	}
	spin_unlock(&lock);
}

void console_panic_begin(void)
{
	lock = (struct spinlock){0};
	polled = true;
}
