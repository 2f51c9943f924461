// SPDX-License-Identifier: BSD-2-Clause
// When a channel is worked, by whom, and when the guest is left without signals.
// Specs: vmbus/channel_run.h.
#include "vmbus/channel_run.h"

#include "vmbus/vmbus.h"
#include "vmm/lib/err.h"
#include "vmm/vm_timer.h"

/* Packets a device takes at once; then the guest sees what was done, and is interrupted. */
#define BATCH 16U
/* Batches, and rounds for others that come meanwhile, before the vCPU or CPU goes on with its own.
 */
#define TURNS 4U
/* Signals that bring a single packet before the first try, before the next one of a guest that has
 * sent several together, and between tries that fail at most: a packet that waited for a vCPU to
 * halt has hardly waited. */
#define TRY_FIRST 8U
#define TRY_AGAIN 2U
#define TRY_MAX 256U
#define TRY_MAX_HALT 32U
/* How long a masked ring is left alone: so many times what a packet took lately, within bounds; a
 * try half as long, so that one that fails costs little. What comes more slowly than GAP_MAX_NS is
 * not waited for. */
#define WAIT_PACKETS 32U
#define TRY_PACKETS 16U
#define WAIT_MAX_NS 5000000ULL
#define GAP_MAX_NS 1000000ULL
/* So many looks in a row may bring less than two packets before a guest that had sent several
 * together signals again: one of them came at a bad moment. */
#define PATIENCE 2U

/* Show the guest what was read and written, and tell it what it has to be told. */
static void publish_locked(struct vmbus_channel *ch)
{
	bool wants_room = ring_read_done(&ch->in);
	bool has_news = ring_write_done(&ch->out);

	if (wants_room || has_news) {
		ch->stats.signals_out++;
		vmbus_interrupt(ch);
	}
}

/* So many packets have come since the last time: a moving average of what one takes. */
static void measure_locked(struct vmbus_channel *ch, uint64_t packets)
{
	const uint64_t max = 2 * GAP_MAX_NS;
	uint64_t now, gap;

	if (packets == 0) {
		return;
	}
	now = vm_clock_now(ch->bus->vm);
	gap = (now - ch->last_ns) / packets;
	ch->last_ns = now;
	ch->gap_ns = (3 * ch->gap_ns + (gap < max ? gap : max)) / 4;
}

static uint64_t wait_ns(const struct vmbus_channel *ch)
{
	uint64_t ns = (ch->trying ? TRY_PACKETS : WAIT_PACKETS) * ch->gap_ns;

	if (ns < VMBUS_LOOK_NS) {
		return VMBUS_LOOK_NS;
	}
	return ns < WAIT_MAX_NS ? ns : WAIT_MAX_NS;
}

static bool try_now_locked(struct vmbus_channel *ch)
{
	if (ch->gap_ns > GAP_MAX_NS || ++ch->tries < ch->try_after) {
		return false;
	}
	ch->tries = 0;
	ch->trying = true;
	ch->halted = false;
	return true;
}

static bool keep_masked_locked(
        struct vmbus_channel *ch, enum run_why why, uint64_t packets, bool was_masked)
{
	switch (why) {
	case RUN_SIGNAL:
		return packets > 1 || try_now_locked(ch);
	case RUN_KICK:
		return was_masked;
	case RUN_HALT:
		ch->halted |= packets != 0;
		/* Those that still run may go on sending. */
		if (packets < 2 && vmbus_guest_runs(ch->bus)) {
			return true;
		}
		break;
	case RUN_DRAIN:
		break;
	}
	if (packets > 1) {
		ch->try_after = TRY_AGAIN;
		ch->trying = false;
		ch->patience = PATIENCE;
		return true;
	}
	if (ch->patience > 0 && ch->gap_ns <= GAP_MAX_NS) {
		ch->patience--;
		return true;
	}
	/* The end of what came together is no failure; a try that brought nothing is. */
	if (ch->trying) {
		uint32_t max = why == RUN_HALT || ch->halted ? TRY_MAX_HALT : TRY_MAX;

		ch->try_after = 2 * ch->try_after < max ? 2 * ch->try_after : max;
	}
	ch->trying = false;
	return false;
}

static void work_locked(struct vmbus_channel *ch, enum run_why why)
{
	const uint64_t before = ch->stats.packets_in;
	const bool was_masked = ch->in.masked;
	bool more = false, moved = false;

	if (!ch->is_open || ch->broken) {
		return;
	}
	ring_mask(&ch->in);
	for (unsigned turn = 0; turn < TURNS; turn++) {
		const uint64_t at = ch->stats.packets_in;

		ch->stats.rounds++;
		more = ch->ops->work(ch, BATCH);
		publish_locked(ch);
		moved = ch->stats.packets_in != at;
		if (ch->broken) {
			return;
		}
		if (more) {
			continue;
		}
		measure_locked(ch, ch->stats.packets_in - before);
		if (keep_masked_locked(ch, why, ch->stats.packets_in - before, was_masked)) {
			vmbus_drain_later(ch, wait_ns(ch));
			return;
		}
		if (!ring_unmask(&ch->in)) {
			return;
		}
		ring_mask(
		        &ch->in); /* something has come meanwhile, or the device does not take it */
	}
	/* A device that takes nothing waits for room or for its back end, and says when it goes on.
	 */
	if (more || moved) {
		vmbus_drain_later(ch, VMBUS_LOOK_NS);
	}
}

static void count(struct vmbus_channel *ch, enum run_why why)
{
	ch->stats.signals_in += why == RUN_SIGNAL;
	ch->stats.drains += why == RUN_HALT || why == RUN_DRAIN;
}

void channel_run(struct vmbus_channel *ch, enum run_why why)
{
	__atomic_store_n(&ch->again, 1, __ATOMIC_SEQ_CST);
	for (unsigned turn = 0; turn < TURNS; turn++) {
		if (!spin_trylock(&ch->lock)) {
			return; /* who holds it looks at 'again' when he lets go */
		}
		if (__atomic_exchange_n(&ch->again, 0, __ATOMIC_SEQ_CST)) {
			count(ch, why);
			work_locked(ch, why);
		}
		spin_unlock(&ch->lock);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&ch->again, __ATOMIC_SEQ_CST)) {
			return;
		}
	}
	vmbus_look_later(ch, VMBUS_LOOK_NS);
}

void channel_unlock(struct vmbus_channel *ch)
{
	spin_unlock(&ch->lock);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&ch->again, __ATOMIC_SEQ_CST)) {
		vmbus_look_later(ch, VMBUS_LOOK_NS);
	}
}

/* --- the server's part --- */

static int open_locked(struct vmbus_channel *ch, uint32_t out_offset_pages, const uint8_t *user)
{
	const struct gpadl *g = ch->ring_gpadl;
	int err;

	if (ring_open(&ch->in, g->pages, out_offset_pages, true) ||
	        ring_open(&ch->out, g->pages + out_offset_pages, g->n_pages - out_offset_pages,
	                false)) {
		return -EINVAL;
	}
	ch->broken = false;
	ch->tries = 0;
	ch->try_after = TRY_FIRST;
	ch->trying = false;
	ch->halted = false;
	ch->patience = 0;
	ch->gap_ns = 0;
	ch->last_ns = vm_clock_now(ch->bus->vm);
	ch->is_open = true;
	err = ch->ops->open(ch, user);
	if (err) {
		ch->is_open = false;
		return err;
	}
	publish_locked(ch);
	/* What the guest wrote before we listen is found by the kick that follows. */
	(void)!ring_unmask(&ch->in);
	return 0;
}

int channel_begin(struct vmbus_channel *ch, uint32_t out_offset_pages, const uint8_t *user)
{
	int err;

	if (out_offset_pages >= ch->ring_gpadl->n_pages) {
		return -EINVAL;
	}
	spin_lock(&ch->lock);
	err = open_locked(ch, out_offset_pages, user);
	channel_unlock(ch);
	return err;
}

void channel_end(struct vmbus_channel *ch)
{
	spin_lock(&ch->lock);
	if (ch->is_open) {
		ch->is_open = false;
		ch->ops->close(ch);
	}
	channel_unlock(ch);
}

void channel_retarget(struct vmbus_channel *ch, uint32_t vp)
{
	spin_lock(&ch->lock);
	ch->target_vp = vp;
	channel_unlock(ch);
}

void channel_gpadl_gone(struct vmbus_channel *ch, struct gpadl *g)
{
	spin_lock(&ch->lock);
	ch->ops->gpadl_gone(ch, g);
	channel_unlock(ch);
}
