// SPDX-License-Identifier: BSD-2-Clause
// The host's console, shared by the VMs: the one in front gets bytes out and in.
#include "devices/backend/chr_console.h"
#include "vmm/hw/console_hw.h"
#include "vmm/lib/spinlock.h"
#include "vmm/lib/string.h"

#define NO_BYTE (-1)

static struct chr_console *front;                 /* [a] */
static const struct chr_console_monitor *monitor; /* (c) */
static uint8_t monitor_key;                       /* (c) */

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

/* The line has not seen all of a console that came to the front: go on. true when it has. */
static bool replay_locked(struct chr_console *c)
{
	for (;;) {
		char buf[256];
		uint64_t end = c->shown;
		size_t n = chr_ring_copy(&c->ring, &end, buf, sizeof(buf));
		size_t taken;

		if (n == 0) {
			return true;
		}
		taken = console_write(buf, n);
		/* Less what did not fit; what the ring has lost is skipped. */
		c->shown = end - (n - taken);
		if (taken < n) {
			return false;
		}
	}
}

static bool console_put(struct chr *chr, uint8_t byte)
{
	struct chr_console *c = container_of(chr, struct chr_console, chr);
	char ch = (char)byte;

	/* Under the lock, so that who comes to the front meanwhile finds the byte in the ring, or
	 * we find that it came. */
	spin_lock(&c->lock);
	if (chr_console_front() == c) {
		if (!replay_locked(c) || console_write(&ch, 1) == 0) {
			spin_unlock(&c->lock);
			return false;
		}
		c->shown++;
	}
	chr_ring_put(&c->ring, byte);
	spin_unlock(&c->lock);
	return true;
}

/* One byte to whom it belongs; false = no room there. */
static bool input_byte(uint8_t byte)
{
	struct chr_console *c = chr_console_front();

	if (c && monitor_key && byte == monitor_key) {
		chr_console_set_front(NULL);
		c = NULL;
	}
	if (c) {
		return chr_console_type(c, byte);
	}
	return !monitor || monitor->rx_byte(byte);
}

/* Hand over what is there; false when the frontend is full. At most one console ring a call. */
static bool input_drain(void)
{
	for (unsigned i = 0; i < CONSOLE_RX_RING; i++) {
		if (input.held == NO_BYTE) {
			input.held = console_getc();
		}
		if (input.held == NO_BYTE) {
			return true;
		}
		if (!input_byte((uint8_t)input.held)) {
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

	if (!c) {
		if (monitor) {
			monitor->tx_space();
		}
		return;
	}
	spin_lock(&c->lock);
	(void)replay_locked(c);
	spin_unlock(&c->lock);
	if (c->chr.tx_space) {
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

void chr_console_set_monitor(const struct chr_console_monitor *m, uint8_t key)
{
	monitor = m;
	monitor_key = key;
}

struct chr_console *chr_console_front(void)
{
	return __atomic_load_n(&front, __ATOMIC_ACQUIRE);
}

bool chr_console_type(struct chr_console *c, uint8_t byte)
{
	return !c->chr.rx_byte || c->chr.rx_byte(c->chr.frontend, byte);
}

static void bring_to_front(struct chr_console *c, bool all, bool from_here)
{
	struct chr_console *old;

	if (c) {
		spin_lock(&c->lock);
		c->shown = from_here ? chr_ring_written(&c->ring)
		                     : chr_ring_line_start(&c->ring, all ? 0 : c->shown);
		old = __atomic_exchange_n(&front, c, __ATOMIC_ACQ_REL);
		spin_unlock(&c->lock);
	} else {
		old = __atomic_exchange_n(&front, NULL, __ATOMIC_ACQ_REL);
	}
	/* What the old one could not get rid of goes to its ring now. */
	if (old && old != c && old->chr.tx_space) {
		old->chr.tx_space(old->chr.frontend);
	}
	chr_console_notify_tx();
	chr_console_notify_rx();
}

void chr_console_set_front(struct chr_console *c)
{
	bring_to_front(c, false, true);
}

void chr_console_show(struct chr_console *c, bool all)
{
	bring_to_front(c, all, false);
}
