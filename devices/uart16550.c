// SPDX-License-Identifier: BSD-2-Clause
// The serial port's registers, FIFOs and interrupts.
// Specs: [16550] PC16550D, "Registers", "FIFO Interrupt Mode Operation", "Loop Mode".
#include "devices/uart16550.h"
#include "devices/port8.h"
#include "devices/uart16550_bits.h"
#include "vmm/lib/string.h"

#define STATE_VERSION 1U
#define NS_PER_S 1000000000ULL
#define UART_CLOCK_HZ 1843200ULL

#define DIVISOR_RESET 1U /* undefined in the data sheet; 115200 baud is as good as any */

static bool fifos_on(const struct uart16550_state *s)
{
	return s->fcr & FCR_ENABLE;
}

static unsigned fifo_depth(const struct uart16550_state *s)
{
	return fifos_on(s) ? UART_FIFO_SIZE : 1;
}

static unsigned rx_trigger(const struct uart16550_state *s)
{
	static const uint8_t levels[] = {1, 4, 8, 14};

	return fifos_on(s) ? levels[s->fcr >> 6] : 1;
}

/* The holding register counts as full until the backend took the byte: that is the back-pressure.
 */
static bool tx_empty(const struct uart16550_state *s)
{
	return s->tx.count == 0 && !s->shift_full;
}

/* "Loop Mode": the modem's inputs are the four outputs. Else: always connected and ready. */
static uint8_t modem_lines(uint8_t mcr)
{
	if (!(mcr & MCR_LOOP)) {
		return (uint8_t)(MSR_CTS | MSR_DSR | MSR_DCD);
	}
	return (uint8_t)((mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) |
	                 (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0));
}

/* "Interrupt Identification Register", in order of priority. */
static uint8_t iir_source(const struct uart16550_state *s)
{
	if ((s->ier & IER_LINE) && s->lsr_errors) {
		return IIR_LINE;
	}
	if ((s->ier & IER_RX) && s->rx.count >= rx_trigger(s)) {
		return IIR_RX;
	}
	if ((s->ier & IER_RX) && s->timeout_pending) {
		return IIR_TIMEOUT;
	}
	if ((s->ier & IER_THRE) && s->thre_pending) {
		return IIR_THRE;
	}
	if ((s->ier & IER_MODEM) && s->msr_deltas) {
		return IIR_MODEM;
	}
	return IIR_NONE;
}

/* On the PC, OUT2 gates the interrupt; in loop mode the pin is inactive. */
static void update_irq_locked(struct uart16550 *u)
{
	bool gate = (u->s.mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;

	irq_source_set(&u->irq, gate && iir_source(&u->s) != IIR_NONE);
}

/* "FIFO Interrupt Mode Operation": four character times without a byte in or out. */
static void rearm_timeout_locked(struct uart16550 *u)
{
	const struct uart16550_state *s = &u->s;
	uint64_t divisor = (uint64_t)(s->dlm << 8 | s->dll);
	uint64_t bits =
	        7U + (s->lcr & 3U) + (s->lcr & LCR_PARITY ? 1 : 0) + (s->lcr & LCR_STOP2 ? 1 : 0);

	if (!fifos_on(s) || !(s->ier & IER_RX) || s->timeout_pending || s->rx.count == 0 ||
	        s->rx.count >= rx_trigger(s)) {
		vm_timer_cancel(&u->rx_timer);
		return;
	}
	if (divisor == 0) {
		divisor = 1;
	}
	vm_timer_arm(&u->rx_timer,
	        vm_clock_now(u->vm) + 4 * bits * 16 * divisor * NS_PER_S / UART_CLOCK_HZ);
}

static void rx_timeout(void *arg)
{
	struct uart16550 *u = arg;

	spin_lock(&u->lock);
	if (fifos_on(&u->s) && u->s.rx.count > 0) {
		u->s.timeout_pending = true;
	}
	update_irq_locked(u);
	spin_unlock(&u->lock);
}

static void rx_push_locked(struct uart16550 *u, uint8_t byte)
{
	if (!uart_fifo_push(&u->s.rx, fifo_depth(&u->s), byte)) {
		u->s.lsr_errors |= (uint8_t)LSR_OE;
	}
	rearm_timeout_locked(u);
}

/*
 * Bytes in one go. Other vCPUs may fill the FIFO for as long as it is emptied: then a timer goes
 * on a little later, so that neither this vCPU's turn nor the home CPU's timers last for ever.
 */
#define SEND_BATCH 64U
#define SEND_PAUSE_NS 100000U

/*
 * Give the backend what it takes. One CPU at a time does so, without the lock while it is in the
 * backend; what others write meanwhile it finds in the FIFO.
 */
static void send_locked(struct uart16550 *u)
{
	struct uart16550_state *s = &u->s;

	if (u->sending) {
		return;
	}
	u->sending = true;
	for (unsigned n = 0; s->shift_full || uart_fifo_pop(&s->tx, &s->shift); n++) {
		uint8_t byte = s->shift;
		bool taken;

		s->shift_full = true;
		if (n == SEND_BATCH) {
			vm_timer_arm(&u->tx_timer, vm_clock_now(u->vm) + SEND_PAUSE_NS);
			break;
		}
		u->send_again = false;
		spin_unlock(&u->lock);
		taken = !u->chr || u->chr->ops->put(u->chr, byte);
		spin_lock(&u->lock);
		if (taken) {
			s->shift_full = false;
		} else if (!u->send_again) {
			break;
		}
	}
	u->sending = false;
	if (tx_empty(s)) {
		s->thre_pending = true;
	}
}

static void send_rest(void *arg)
{
	struct uart16550 *u = arg;

	spin_lock(&u->lock);
	send_locked(u);
	update_irq_locked(u);
	spin_unlock(&u->lock);
}

static void chr_tx_space(void *frontend)
{
	struct uart16550 *u = frontend;

	spin_lock(&u->lock);
	u->send_again = true;
	if (!tx_empty(&u->s)) {
		send_locked(u);
		update_irq_locked(u);
	}
	spin_unlock(&u->lock);
}

static bool chr_rx_byte(void *frontend, uint8_t byte)
{
	struct uart16550 *u = frontend;
	bool room;

	spin_lock(&u->lock);
	/* In loop mode the receiver's pin is disconnected: the byte may wait. */
	room = !(u->s.mcr & MCR_LOOP) && u->s.rx.count < fifo_depth(&u->s);
	if (room) {
		rx_push_locked(u, byte);
		update_irq_locked(u);
	} else {
		u->rx_refused = true;
	}
	spin_unlock(&u->lock);
	return room;
}

static uint8_t read_data_locked(struct uart16550 *u)
{
	uint8_t byte = 0;

	if (u->s.lcr & LCR_DLAB) {
		return u->s.dll;
	}
	uart_fifo_pop(&u->s.rx, &byte);
	u->s.timeout_pending = false;
	rearm_timeout_locked(u);
	return byte;
}

static uint8_t read_locked(struct uart16550 *u, enum uart_reg reg)
{
	struct uart16550_state *s = &u->s;
	uint8_t value = 0xff;

	switch (reg) {
	case UART_DATA:
		value = read_data_locked(u);
		break;
	case UART_IER:
		value = s->lcr & LCR_DLAB ? s->dlm : s->ier;
		break;
	case UART_IIR:
		value = iir_source(s);
		/* Reading IIR clears the THRE interrupt, if it is the one reported. */
		if (value == IIR_THRE) {
			s->thre_pending = false;
		}
		value |= fifos_on(s) ? IIR_FIFOS : 0;
		break;
	case UART_LCR:
		value = s->lcr;
		break;
	case UART_MCR:
		value = s->mcr;
		break;
	case UART_LSR:
		value = (uint8_t)(s->lsr_errors | (s->rx.count ? LSR_DR : 0) |
		                  (tx_empty(s) ? LSR_THRE | LSR_TEMT : 0));
		s->lsr_errors = 0;
		break;
	case UART_MSR:
		value = (uint8_t)(modem_lines(s->mcr) | s->msr_deltas);
		s->msr_deltas = 0;
		break;
	case UART_SCR:
		value = s->scr;
		break;
	}
	return value;
}

static void write_thr_locked(struct uart16550 *u, uint8_t value)
{
	struct uart16550_state *s = &u->s;

	s->thre_pending = false;
	/* The line must be seen to fall: a guest may write THR without ever reading IIR. */
	update_irq_locked(u);
	if (s->mcr & MCR_LOOP) {
		rx_push_locked(u, value);
		s->thre_pending = tx_empty(s);
		return;
	}
	if (!uart_fifo_push(&s->tx, fifo_depth(s), value) && !fifos_on(s)) {
		s->tx.buf[s->tx.head] = value; /* overwritten; a full FIFO drops it instead */
	}
	send_locked(u);
}

static void write_ier_locked(struct uart16550 *u, uint8_t value)
{
	struct uart16550_state *s = &u->s;
	uint8_t old = s->ier;

	s->ier = value & IER_MASK;
	/* "THRE interrupt when enabled with THR empty": Linux counts on it. */
	if ((s->ier & ~old & IER_THRE) && tx_empty(s)) {
		s->thre_pending = true;
	}
	rearm_timeout_locked(u);
}

/* "FIFO Control Register": changing bit 0 clears both FIFOs; the others need bit 0. */
static void write_fcr_locked(struct uart16550 *u, uint8_t value)
{
	struct uart16550_state *s = &u->s;
	bool toggled = (value ^ s->fcr) & FCR_ENABLE;

	s->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
	if (toggled || (value & (FCR_ENABLE | FCR_CLEAR_RX)) == (FCR_ENABLE | FCR_CLEAR_RX)) {
		uart_fifo_clear(&s->rx);
		s->timeout_pending = false;
	}
	if (toggled || (value & (FCR_ENABLE | FCR_CLEAR_TX)) == (FCR_ENABLE | FCR_CLEAR_TX)) {
		uart_fifo_clear(&s->tx); /* "The shift register is not cleared." */
		s->thre_pending |= tx_empty(s);
	}
	rearm_timeout_locked(u);
}

static void write_mcr_locked(struct uart16550 *u, uint8_t value)
{
	struct uart16550_state *s = &u->s;
	uint8_t before = modem_lines(s->mcr);
	uint8_t after, changed;

	s->mcr = value & MCR_MASK;
	after = modem_lines(s->mcr);
	changed = before ^ after;
	/* Trailing edge of RI only. */
	if (after & MSR_RI) {
		changed &= (uint8_t)~MSR_RI;
	}
	s->msr_deltas |= (uint8_t)(changed >> 4);
}

static void write_locked(struct uart16550 *u, enum uart_reg reg, uint8_t value)
{
	struct uart16550_state *s = &u->s;

	switch (reg) {
	case UART_DATA:
		if (s->lcr & LCR_DLAB) {
			s->dll = value;
		} else {
			write_thr_locked(u, value);
		}
		break;
	case UART_IER:
		if (s->lcr & LCR_DLAB) {
			s->dlm = value;
		} else {
			write_ier_locked(u, value);
		}
		break;
	case UART_IIR:
		write_fcr_locked(u, value);
		break;
	case UART_LCR:
		s->lcr = value;
		break;
	case UART_MCR:
		write_mcr_locked(u, value);
		break;
	case UART_SCR:
		s->scr = value;
		break;
	case UART_LSR: /* factory test only */
	case UART_MSR:
		break;
	}
}

/* Drops the lock; tells a waiting backend when the receiver has room again. */
static void finish_locked(struct uart16550 *u)
{
	bool notify = u->rx_refused && !(u->s.mcr & MCR_LOOP) && u->s.rx.count < fifo_depth(&u->s);

	if (notify) {
		u->rx_refused = false;
	}
	update_irq_locked(u);
	spin_unlock(&u->lock);
	if (notify && u->chr->rx_space) {
		u->chr->rx_space(u->chr);
	}
}

static uint8_t uart_read8(void *dev, unsigned reg)
{
	struct uart16550 *u = dev;
	uint8_t value;

	spin_lock(&u->lock);
	value = read_locked(u, (enum uart_reg)(reg % UART_PORTS));
	finish_locked(u);
	return value;
}

static void uart_write8(void *dev, unsigned reg, uint8_t value)
{
	struct uart16550 *u = dev;

	spin_lock(&u->lock);
	write_locked(u, (enum uart_reg)(reg % UART_PORTS), value);
	finish_locked(u);
}

static uint64_t uart_read(void *dev, uint64_t offset, unsigned width)
{
	return port8_read(uart_read8, dev, offset, width);
}

static void uart_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	port8_write(uart_write8, dev, offset, width, value);
}

static const struct io_ops uart_ops = {
        .name = "16550",
        .read = uart_read,
        .write = uart_write,
};

/* "Reset": table of register contents after Master Reset. */
static void power_on(struct uart16550_state *s)
{
	memset(s, 0, sizeof(*s));
	s->version = STATE_VERSION;
	s->dll = DIVISOR_RESET;
	s->thre_pending = true;
}

void uart16550_init(struct uart16550 *u)
{
	memset(u, 0, sizeof(*u));
	power_on(&u->s);
}

int uart16550_attach(
        struct uart16550 *u, struct vm *vm, struct chr *chr, uint16_t port, unsigned gsi)
{
	int err;

	u->vm = vm;
	u->chr = chr;
	vm_timer_init(&u->rx_timer, vm, rx_timeout, u);
	vm_timer_init(&u->tx_timer, vm, send_rest, u);
	u->range = (struct io_range){
	        .base = port, .len = UART_PORTS, .ops = &uart_ops, .dev = u, .kind = IO_FIXED};
	err = io_bus_add(&vm->pio, &u->range);
	if (err) {
		return err;
	}
	err = irq_source_init(&u->irq, &vm->irq, gsi, NULL, NULL);
	if (err) {
		io_bus_remove(&vm->pio, &u->range);
		return err;
	}
	if (chr) {
		chr->frontend = u;
		chr->tx_space = chr_tx_space;
		chr->rx_byte = chr_rx_byte;
	}
	return 0;
}

void uart16550_reset(struct uart16550 *u)
{
	spin_lock(&u->lock);
	vm_timer_cancel(&u->rx_timer);
	vm_timer_cancel(&u->tx_timer);
	power_on(&u->s);
	finish_locked(u);
}

void uart16550_quiesce(struct uart16550 *u)
{
	spin_lock(&u->lock);
	vm_timer_cancel(&u->rx_timer);
	vm_timer_cancel(&u->tx_timer);
	spin_unlock(&u->lock);
}

void uart16550_dump(const struct uart16550 *u, struct out *out)
{
	const struct uart16550_state *s = &u->s;

	out_print(out, "IER %02x IIR %02x LCR %02x MCR %02x, rx %u bytes, tx %u bytes%s\n", s->ier,
	        iir_source(s), s->lcr, s->mcr, s->rx.count, s->tx.count,
	        s->shift_full ? " + 1 the backend refused" : "");
	out_print(out, "  FCR %02x SCR %02x DLL %02x DLM %02x, errors %02x, deltas %x%s%s%s\n",
	        s->fcr, s->scr, s->dll, s->dlm, s->lsr_errors, s->msr_deltas,
	        s->thre_pending ? ", THRE pending" : "",
	        s->timeout_pending ? ", time-out pending" : "",
	        u->rx_refused ? ", the backend waits for room" : "");
}
