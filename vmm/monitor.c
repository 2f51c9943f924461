// SPDX-License-Identifier: BSD-2-Clause
/*
 * Who has the host's line, and the monitor's part of it: bytes in, one command at a time, its
 * answer out.
 *
 * Bytes arrive on any CPU and wait in a queue; all else is done by work(), on the boot CPU. After
 * a byte that may change where the next ones go - the end of a line, the key - no more are taken
 * until it was worked on, so they stay in order in the host's own ring.
 */
#include "vmm/monitor.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/console_hw.h"
#include "vmm/hw/timer.h"
#include "vmm/lib/spinlock.h"
#include "vmm/lib/string.h"
#include "vmm/monitor_complete.h"
#include "vmm/monitor_line.h"
#include "vmm/monitor_out.h"
#include "vmm/monitor_parse.h"
#include "vmm/monitor_sample.h"
#include "vmm/vm.h"

#define IN_SIZE 256U
/* A command that another CPU should answer: not for ever. */
#define PENDING_NS (10 * NS_PER_SEC)

enum phase {
	AWAY,    /* a guest has the line */
	EDITING, /* the prompt is shown */
	PENDING, /* a command waits for monitor_done() or repeats itself */
	ENDING,  /* an answer is complete; the prompt waits for room */
	LEAVING, /* the line goes to m.vm when everything is out */
};

/* Boot CPU only, but for what says otherwise. */
static struct {
	const struct monitor_ops *ops; /* (c) */
	uint8_t key;                   /* (c) */
	uint32_t phase;                /* [a] enum phase; changed by the boot CPU */
	uint32_t done;                 /* [a] monitor_done() was called */
	uint32_t logs;                 /* [a] log lines when the prompt was out */
	uint32_t drawn;                /* [a] the prompt is in the buffer, not out yet */
	struct vm *vm;                 /* who had the line last, or gets it next */
	bool show_all, leave;
	bool (*repeat)(struct out *out);
	bool until_key;
	uint64_t interval_ns, next_ns; /* of repeat; next_ns also the end of waiting */
	struct monitor_line line;
	struct timer tick; /* at next_ns */
} m;

/* Bytes on their way in, and the timer that brings work() to the boot CPU. */
static struct {
	struct spinlock lock;
	uint8_t buf[IN_SIZE]; /* [lock] */
	unsigned head, tail;  /* [lock] free-running */
	bool closed;          /* [lock] no more until what is here was worked on */
	bool refused;         /* [lock] somebody waits for ops->rx_space() */
	struct timer timer;   /* [lock] */
} in;

static enum phase phase(void)
{
	return (enum phase)__atomic_load_n(&m.phase, __ATOMIC_ACQUIRE);
}

static void set_phase(enum phase p)
{
	__atomic_store_n(&m.phase, p, __ATOMIC_RELEASE);
}

static void wake(void)
{
	spin_lock(&in.lock);
	timer_arm(&in.timer, 0, clock_now());
	spin_unlock(&in.lock);
}

bool monitor_rx(uint8_t byte)
{
	bool taken = false;

	spin_lock(&in.lock);
	if (!in.closed && in.head - in.tail < IN_SIZE) {
		in.buf[in.head++ % IN_SIZE] = byte;
		in.closed = byte == '\r' || byte == '\n' || (m.key && byte == m.key);
		taken = true;
		timer_arm(&in.timer, 0, clock_now());
	}
	in.refused |= !taken;
	spin_unlock(&in.lock);
	return taken;
}

/*
 * Does the log stand between the prompt and what will be typed? Not what was logged before the
 * prompt was out.
 */
static bool prompt_is_lost(void)
{
	return !__atomic_load_n(&m.drawn, __ATOMIC_RELAXED) &&
	       __atomic_load_n(&m.logs, __ATOMIC_RELAXED) != console_log_lines();
}

void monitor_tx(void)
{
	bool empty = monitor_out_drain();
	enum phase p = phase();

	if ((p == EDITING &&
	            (__atomic_load_n(&m.drawn, __ATOMIC_RELAXED) ? empty : prompt_is_lost())) ||
	        (p == ENDING && monitor_out_used() <= MONITOR_OUT_LOW) || (p == LEAVING && empty)) {
		wake();
	}
}

void monitor_done(void)
{
	__atomic_store_n(&m.done, 1, __ATOMIC_RELEASE);
	wake();
}

uint8_t monitor_key(void)
{
	return m.key;
}

bool monitor_type(struct vm *vm, uint8_t byte)
{
	return m.ops->type(vm, byte);
}

void monitor_repeat(bool (*fn)(struct out *out), uint64_t interval_ns, bool until_key)
{
	m.repeat = fn;
	m.interval_ns = interval_ns;
	m.until_key = until_key;
}

void monitor_leave(struct vm *vm, bool all)
{
	m.vm = vm;
	m.show_all = all;
	m.leave = true;
}

static void draw_prompt(void)
{
	monitor_line_draw(&m.line, &monitor_out);
	__atomic_store_n(&m.drawn, 1, __ATOMIC_RELAXED);
}

static void enter(void)
{
	set_phase(EDITING);
	vm_set_keep_alive(true);
	sample_start();
	if (m.vm && m.key) {
		out_print(&monitor_out,
		        "\n[monitor - Ctrl-%c for the console of %s, 'help' for the commands]\n",
		        m.key + '@', m.vm->config->name);
	} else {
		out_print(&monitor_out, "\n[monitor - 'help' for the commands]\n");
	}
	draw_prompt();
}

static void start_leaving(void)
{
	m.leave = false;
	if (m.key) {
		out_print(&monitor_out, "[console: %s - Ctrl-%c for the monitor]\n",
		        m.vm->config->name, m.key + '@');
	} else {
		out_print(&monitor_out, "[console: %s]\n", m.vm->config->name);
	}
	set_phase(LEAVING);
}

/* An answer is complete. */
static void end_answer(void)
{
	m.repeat = NULL;
	timer_cancel(&m.tick);
	monitor_out_end();
	if (m.leave) {
		start_leaving();
	} else {
		set_phase(ENDING);
	}
}

static void run_line(void)
{
	char text[MONITOR_LINE_MAX];
	enum monitor_result result;

	memcpy(text, m.line.text, sizeof(text));
	monitor_line_next(&m.line);
	m.repeat = NULL;
	__atomic_store_n(&m.done, 0, __ATOMIC_RELAXED);
	result = monitor_run_line(&monitor_out, text);
	if (result == MONITOR_DONE) {
		end_answer();
		return;
	}
	m.next_ns = clock_now() + (m.repeat ? m.interval_ns : PENDING_NS);
	timer_arm(&m.tick, 0, m.next_ns);
	set_phase(PENDING);
}

static void edit(uint8_t byte)
{
	if (m.key && byte == m.key) {
		if (m.vm) {
			/* What was typed is still there when we come back. */
			out_print(&monitor_out, "\n");
			m.show_all = false;
			start_leaving();
		}
		return;
	}
	switch (monitor_line_feed(&m.line, byte, &monitor_out)) {
	case LINE_READY:
		run_line();
		break;
	case LINE_COMPLETE:
		monitor_complete(&m.line, &monitor_out);
		break;
	case LINE_DROPPED:
		draw_prompt();
		break;
	case LINE_NONE:
		break;
	}
}

/* A command goes on, or is over. */
static void work_pending(void)
{
	uint64_t now = clock_now();

	if (__atomic_load_n(&m.done, __ATOMIC_ACQUIRE)) {
		end_answer();
	} else if (now < m.next_ns) {
		return;
	} else if (!m.repeat) {
		monitor_error(
		        &monitor_out, "no answer within %u s", (unsigned)(PENDING_NS / NS_PER_SEC));
		end_answer();
	} else if (monitor_out_used() <= MONITOR_OUT_LOW && m.repeat(&monitor_out)) {
		end_answer();
	} else {
		m.next_ns = now + m.interval_ns;
		timer_arm(&m.tick, 0, m.next_ns);
	}
}

/* One byte, in the phase it finds. */
static void work_byte(uint8_t byte)
{
	switch (phase()) {
	case AWAY:
		if (m.key && byte == m.key) {
			enter();
		}
		break;
	case EDITING:
		edit(byte);
		break;
	case PENDING:
		/* Only with until_key; the key does what it always does. The second half of CR LF
		 * is none. */
		if (byte == '\n' && m.line.last_cr) {
			m.line.last_cr = false;
			break;
		}
		end_answer();
		if (m.key && byte == m.key && m.vm) {
			m.show_all = false;
			start_leaving();
		}
		break;
	case ENDING:
	case LEAVING:
		break;
	}
}

static bool takes_bytes(void)
{
	enum phase p = phase();

	return p == AWAY || p == EDITING || (p == PENDING && m.repeat && m.until_key);
}

/* The next byte for work_byte(); without one the queue is open again. */
static bool next_byte(uint8_t *byte)
{
	bool some = false, refused = false;

	spin_lock(&in.lock);
	if (in.head != in.tail) {
		*byte = in.buf[in.tail++ % IN_SIZE];
		some = true;
	} else {
		in.closed = false;
		refused = in.refused;
		in.refused = false;
	}
	spin_unlock(&in.lock);
	if (refused) {
		m.ops->rx_space();
	}
	return some;
}

static void work(struct timer *t)
{
	uint8_t byte;

	(void)t;
	for (;;) {
		bool empty = monitor_out_drain();

		if (empty && m.drawn) {
			__atomic_store_n(&m.logs, console_log_lines(), __ATOMIC_RELAXED);
			__atomic_store_n(&m.drawn, 0, __ATOMIC_RELAXED);
		}
		if (phase() == LEAVING && empty) {
			set_phase(AWAY);
			sample_stop();
			vm_set_keep_alive(false);
			m.ops->show(m.vm, m.show_all);
		} else if (phase() == ENDING && monitor_out_used() <= MONITOR_OUT_LOW) {
			set_phase(EDITING);
			draw_prompt();
			continue;
		} else if (phase() == PENDING) {
			work_pending();
			if (phase() != PENDING) {
				continue;
			}
			(void)monitor_out_drain();
		} else if (phase() == EDITING && prompt_is_lost()) {
			draw_prompt();
			continue;
		}
		if (!takes_bytes() || !next_byte(&byte)) {
			return;
		}
		work_byte(byte);
	}
}

const struct monitor_ops *monitor_outside(void)
{
	return m.ops;
}

void monitor_init(const struct config *config, const struct monitor_ops *ops, struct vm *front)
{
	memset(&m, 0, sizeof(m));
	memset(&in, 0, sizeof(in));
	monitor_out_reset();
	m.ops = ops;
	m.key = config->monitor_key;
	m.vm = front;
	monitor_line_init(&m.line);
	timer_init(&m.tick, work);
	timer_init(&in.timer, work);
	if (!front) {
		m.vm = n_vms ? vms[0] : NULL;
		enter();
		wake();
	}
}
