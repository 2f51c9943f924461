// SPDX-License-Identifier: BSD-2-Clause
// The host's console, shared by the VMs: the one in front gets bytes out and in.
#include "devices/backend/chr_console.h"
#include "vmm/hw/console_hw.h"
#include "vmm/lib/spinlock.h"
#include "vmm/lib/string.h"

#define NO_BYTE (-1)

static struct chr_console *front; /* [a] */

/*
 * Input is handed over by one CPU at a time, with no lock held while the frontend is called:
 * whoever comes meanwhile leaves 'again' behind.
 */
static struct {
	struct spinlock lock;
	bool busy;  /* [lock] */
	bool again; /* [lock] */
	int held;   /* [busy] a byte the frontend had no room for, or NO_BYTE */
} input = {.held = NO_BYTE};

static bool console_put(struct chr *chr, uint8_t byte)
{
	struct chr_console *c = container_of(chr, struct chr_console, chr);
	char ch = (char)byte;

	if (chr_console_front() == c && console_write(&ch, 1) == 0) {
		return false;
	}
	chr_ring_put(&c->ring, byte);
	return true;
}

/* Hand over what is there; false when the frontend is full. At most one console ring a call. */
static bool input_drain(void)
{
	for (unsigned i = 0; i < CONSOLE_RX_RING; i++) {
		struct chr_console *c = chr_console_front();

		if (input.held == NO_BYTE) {
			input.held = console_getc();
		}
		if (input.held == NO_BYTE) {
			return true;
		}
		if (c && c->chr.rx_byte && !c->chr.rx_byte(c->chr.frontend, (uint8_t)input.held)) {
			return false;
		}
		input.held = NO_BYTE;
	}
	return true;
}

void chr_console_notify_rx(void)
{
	bool more;

	spin_lock(&input.lock);
	input.again = true;
	more = !input.busy;
	input.busy = true;
	while (more) {
		input.again = false;
		spin_unlock(&input.lock);
		input_drain();
		spin_lock(&input.lock);
		/* Room or bytes that came while we looked; each is somebody else's work, so this
		 * ends. */
		more = input.again;
		if (!more) {
			input.busy = false;
		}
	}
	spin_unlock(&input.lock);
}

static void console_rx_space(struct chr *chr)
{
	(void)chr;
	chr_console_notify_rx();
}

void chr_console_notify_tx(void)
{
	struct chr_console *c = chr_console_front();

	if (c && c->chr.tx_space) {
		c->chr.tx_space(c->chr.frontend);
	}
}

static const struct chr_ops console_ops = {
        .name = "console",
        .put = console_put,
};

void chr_console_init(struct chr_console *c)
{
	memset(c, 0, sizeof(*c));
	chr_ring_init(&c->ring);
	c->chr.ops = &console_ops;
	c->chr.rx_space = console_rx_space;
}

struct chr_console *chr_console_front(void)
{
	return __atomic_load_n(&front, __ATOMIC_ACQUIRE);
}

void chr_console_set_front(struct chr_console *c)
{
	struct chr_console *old = __atomic_exchange_n(&front, c, __ATOMIC_ACQ_REL);

	/* What the old one could not get rid of goes to its ring now. */
	if (old && old != c && old->chr.tx_space) {
		old->chr.tx_space(old->chr.frontend);
	}
	chr_console_notify_rx();
}
