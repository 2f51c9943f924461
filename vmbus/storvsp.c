// SPDX-License-Identifier: BSD-2-Clause
// The synthetic SCSI controller's channels: requests taken, their completions sent.
// Specs: Linux drivers/scsi/storvsc_drv.c; for the IDE disk's instance, "storvsc_probe" there.
#include "vmbus/storvsp_priv.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"
#include "vmm/vm.h"

/* Work for the back ends in one round: some milliseconds at most. */
#define ROUND_BYTES (4U << 20)

static struct storvsp_channel *channel_of(const struct vmbus_channel *ch)
{
	return ch->device;
}

/* --- slots --- */

static struct storvsp_slot *slot_take(struct storvsp_channel *sc)
{
	struct storvsp *s = sc->s;
	struct storvsp_slot *slot;

	spin_lock(&s->lock);
	slot = s->free;
	sc->starved = !slot;
	if (slot) {
		s->free = slot->next;
	}
	spin_unlock(&s->lock);
	return slot;
}

static void slot_give_locked(struct storvsp *s, struct storvsp_slot *slot)
{
	slot->next = s->free;
	s->free = slot;
}

/* Back to the free ones; channels that wait for one work again. */
static void slot_give(struct storvsp *s, struct storvsp_slot *slot)
{
	uint32_t kick = 0;

	spin_lock(&s->lock);
	slot_give_locked(s, slot);
	for (unsigned i = 0; i <= s->max_sub; i++) {
		kick |= s->channels[i].starved ? BIT(i) : 0;
		s->channels[i].starved = false;
	}
	spin_unlock(&s->lock);
	for (; kick; kick &= kick - 1) {
		channel_kick(&s->channels[bit_first(kick)].ch);
	}
}

static void finish_locked(struct storvsp_slot *slot)
{
	struct storvsp_channel *sc = slot->sc;

	slot->next = NULL;
	*sc->last = slot;
	sc->last = &slot->next;
}

void storvsp_finish(struct storvsp_slot *slot, bool executed)
{
	struct storvsp_channel *sc = slot->sc;
	struct storvsp *s = sc->s;
	bool kick;

	spin_lock(&s->lock);
	finish_locked(slot);
	if (executed && --sc->executing == 0 && sc->barrier) {
		finish_locked(sc->barrier);
		sc->barrier = NULL;
	}
	kick = !sc->working;
	spin_unlock(&s->lock);
	if (kick) {
		channel_kick(&sc->ch);
	}
}

static struct storvsp_slot *first_finished(struct storvsp_channel *sc)
{
	struct storvsp_slot *slot;

	spin_lock(&sc->s->lock);
	slot = sc->finished;
	spin_unlock(&sc->s->lock);
	return slot;
}

/* Only work() and close() take from the list, and the channel's lock is held in both. */
static void drop_first_finished(struct storvsp_channel *sc)
{
	spin_lock(&sc->s->lock);
	sc->finished = sc->finished->next;
	if (!sc->finished) {
		sc->last = &sc->finished;
	}
	spin_unlock(&sc->s->lock);
}

/* --- the channel --- */

/* true = all that was finished is sent; *cost grows by what it took. */
static bool send_finished(struct storvsp_channel *sc, uint64_t *cost)
{
	struct storvsp_slot *slot;

	while ((slot = first_finished(sc)) != NULL) {
		if (channel_complete(&sc->ch, slot->trans_id, &slot->packet,
		            sizeof(slot->packet)) == -EAGAIN) {
			return false;
		}
		*cost += slot->scsi.cost;
		drop_first_finished(sc);
		slot_give(sc->s, slot);
	}
	return true;
}

/* Tell the guest that units came or went: it looks at all of them. */
static bool send_announcement(struct storvsp_channel *sc)
{
	static const struct vstor_packet packet = {.operation = VSTOR_ENUMERATE_BUS};
	struct storvsp *s = sc->s;

	if (!storvsp_is_primary(sc) || storvsp_state(s) != STORVSP_READY ||
	        !__atomic_exchange_n(&s->announce, 0, __ATOMIC_RELAXED)) {
		return true;
	}
	if (channel_send(&sc->ch, 0, false, &packet, sizeof(packet)) == -EAGAIN) {
		__atomic_store_n(&s->announce, 1, __ATOMIC_RELAXED);
		return false;
	}
	storvsp_count(&s->stats.announced);
	return true;
}

static bool has_barrier(struct storvsp_channel *sc)
{
	bool barrier;

	spin_lock(&sc->s->lock);
	barrier = sc->barrier != NULL;
	spin_unlock(&sc->s->lock);
	return barrier;
}

/* One packet; false = there is none, or it must wait. */
static bool take_packet(struct storvsp_channel *sc)
{
	struct storvsp_slot *slot;
	struct vmbus_packet packet;

	if (has_barrier(sc) || !channel_has_room(&sc->ch, sizeof(struct vstor_packet), 0)) {
		return false;
	}
	slot = slot_take(sc);
	if (!slot) {
		return false;
	}
	if (channel_receive(&sc->ch, &packet) <= 0) {
		slot_give(sc->s, slot);
		return false;
	}
	if (!packet.wants_completion) {
		/* Nothing that a driver sends is like that. */
		storvsp_count(&sc->s->stats.ignored);
		slot_give(sc->s, slot);
		return true;
	}
	storvsp_count(&sc->s->stats.requests);
	slot->sc = sc;
	slot->trans_id = packet.trans_id;
	slot->scsi.cost = 0;
	storvsp_handle(slot, &packet);
	return true;
}

enum outcome {
	IDLE, /* nothing left to take */
	MORE, /* enough for one round */
	FULL, /* no room in the ring: called again when there is some */
};

static enum outcome round_of(struct storvsp_channel *sc, unsigned budget)
{
	uint64_t cost = 0;

	for (;;) {
		if (!send_finished(sc, &cost) || !send_announcement(sc)) {
			return FULL;
		}
		if (budget == 0 || cost >= ROUND_BYTES) {
			return MORE;
		}
		budget--;
		if (!take_packet(sc)) {
			return IDLE;
		}
	}
}

static bool work(struct vmbus_channel *ch, unsigned budget)
{
	struct storvsp_channel *sc = channel_of(ch);
	enum outcome outcome;

	spin_lock(&sc->s->lock);
	sc->working = true;
	spin_unlock(&sc->s->lock);
	outcome = round_of(sc, budget);
	spin_lock(&sc->s->lock);
	sc->working = false;
	if (outcome == IDLE && sc->finished) {
		outcome = MORE; /* came meanwhile; nobody was told */
	}
	spin_unlock(&sc->s->lock);
	return outcome == MORE;
}

static int open(struct vmbus_channel *ch, const uint8_t user[VMBUS_USER_DATA])
{
	struct storvsp_channel *sc = channel_of(ch);

	(void)user;
	if (storvsp_is_primary(sc)) {
		storvsp_set_state(sc->s, STORVSP_OPEN);
	}
	return 0;
}

/* What units have of this channel ends, and nothing of it is sent any more. A back end knows no
 * channels: while others live, theirs must not be cancelled; sub-channels are closed first. */
static void drain(struct storvsp_channel *sc)
{
	struct storvsp *s = sc->s;
	unsigned executing;

	for (unsigned i = 0; i < s->n_luns && storvsp_is_primary(sc); i++) {
		s->luns[i].blk->ops->cancel(s->luns[i].blk);
	}
	do {
		for (unsigned i = 0; i < s->n_luns; i++) {
			(void)s->luns[i].blk->ops->drain(s->luns[i].blk);
		}
		spin_lock(&s->lock);
		executing = sc->executing;
		spin_unlock(&s->lock);
	} while (executing > 0);
}

static void close(struct vmbus_channel *ch)
{
	struct storvsp_channel *sc = channel_of(ch);
	struct storvsp_slot *slot;

	if (storvsp_is_primary(sc)) {
		storvsp_set_state(sc->s, STORVSP_CLOSED);
	}
	drain(sc);
	while ((slot = first_finished(sc)) != NULL) {
		drop_first_finished(sc);
		slot_give(sc->s, slot);
	}
	spin_lock(&sc->s->lock);
	sc->starved = false;
	spin_unlock(&sc->s->lock);
}

static void gpadl_gone(struct vmbus_channel *ch, struct gpadl *g)
{
	(void)ch; /* none is ever held */
	(void)g;
}

static unsigned long long llu(uint64_t v)
{
	return v;
}

static void dump(const struct vmbus_channel *ch, struct out *out)
{
	static const char *const states[] = {
	        [STORVSP_CLOSED] = "closed",
	        [STORVSP_OPEN] = "open",
	        [STORVSP_BEGUN] = "negotiating",
	        [STORVSP_VERSION] = "negotiating",
	        [STORVSP_READY] = "ready",
	};
	const struct storvsp_channel *sc = channel_of(ch);
	const struct storvsp *s = sc->s;

	if (!storvsp_is_primary(sc)) {
		out_print(out, "sub-channel, %u executing\n", sc->executing);
		return;
	}
	out_print(out, "%s, protocol %u.%u, %u executing\n", states[storvsp_state(s)],
	        s->version >> 8, s->version & 0xffU, sc->executing);
	out_print(out, "  requests %llu, refused %llu, ignored %llu, announced %llu\n",
	        llu(s->stats.requests), llu(s->stats.refused), llu(s->stats.ignored),
	        llu(s->stats.announced));
}

static const struct vmbus_channel_ops ops = {
        .open = open,
        .work = work,
        .close = close,
        .gpadl_gone = gpadl_gone,
        .dump = dump,
};

/* --- making it --- */

static void init_channel(struct storvsp *s, unsigned i, const struct vmbus_offer *offer)
{
	struct storvsp_channel *sc = &s->channels[i];

	sc->s = s;
	sc->last = &sc->finished;
	sc->ch.ops = &ops;
	sc->ch.device = sc;
	sc->ch.packet_buf = sc->packet;
	sc->ch.packet_buf_len = sizeof(sc->packet);
	sc->ch.offer = *offer;
	sc->ch.offer.sub_index = (uint16_t)i;
}

static void init(struct storvsp *s, struct vm *vm, struct blk *const *blks, uint32_t n_blks,
        const struct vmbus_offer *offer)
{
	s->vm = vm;
	s->n_luns = n_blks < MAX_DISKS ? n_blks : MAX_DISKS;
	for (unsigned i = 0; i < s->n_luns; i++) {
		s->luns[i].blk = blks[i];
		s->present |= BIT(i);
	}
	for (unsigned i = 0; i <= s->max_sub; i++) {
		init_channel(s, i, offer);
	}
	for (unsigned i = 0; i < STORVSP_SLOTS; i++) {
		slot_give_locked(s, &s->slots[i]);
	}
}

void storvsp_init(struct storvsp *s, struct vm *vm, struct blk *const *blks, uint32_t n_blks)
{
	struct vmbus_offer offer = {
	        .name = "Synthetic SCSI Controller",
	        .type = GUID(0xba6163d9, 0x04a1, 0x4d29, 0xb605, 0x72e2ffb1dc7f),
	        .flags = VMBUS_OFFER_ENUMERATE,
	};

	/* Not a disk's number: no disk has this identity. */
	blk_make_id(offer.instance.b, vm->config->name, UINT32_MAX);
	s->max_sub = vm->n_vcpus - 1 < STORVSP_MAX_SUB ? vm->n_vcpus - 1 : STORVSP_MAX_SUB;
	init(s, vm, blks, n_blks, &offer);
}

void storvsp_init_ide(
        struct storvsp *s, struct vm *vm, struct blk *blk, uint8_t channel, uint8_t drive)
{
	const struct vstor_ide_offer user = {
	        .path = channel, .target = drive, .flags = VSTOR_IDE_DEVICE};
	struct vmbus_offer offer = {
	        .name = "Synthetic IDE Controller",
	        .type = GUID(0x32412632, 0x86cb, 0x44a2, 0x9b5c, 0x50d1417354f5),
	        /* The same in every VM: drivers take the disk's place from it. */
	        .instance = GUID(channel, drive, 0x8899, 0, 0),
	        .flags = VMBUS_OFFER_ENUMERATE,
	};

	_Static_assert(sizeof(user) <= sizeof(offer.user), "it fits");
	memcpy(offer.user, &user, sizeof(user));
	s->ide = true;
	s->target = drive;
	init(s, vm, &blk, 1, &offer);
}

int storvsp_attach(struct storvsp *s, struct vmbus *bus)
{
	for (unsigned i = 0; i < s->n_luns; i++) {
		if (!scsi_blk_fits(s->luns[i].blk)) {
			return -EINVAL;
		}
	}
	return vmbus_channel_add(bus, &s->channels[0].ch);
}

int storvsp_plug(struct storvsp *s, uint32_t lun, bool in)
{
	uint32_t was;

	if (lun >= s->n_luns) {
		return -ENOENT;
	}
	was = in ? __atomic_fetch_or(&s->present, BIT(lun), __ATOMIC_ACQ_REL)
	         : __atomic_fetch_and(&s->present, ~BIT(lun), __ATOMIC_ACQ_REL);
	if (((was & BIT(lun)) != 0) == in) {
		return -EEXIST;
	}
	if (in) {
		scsi_lun_reset(&s->luns[lun]);
	} else {
		s->luns[lun].blk->ops->cancel(s->luns[lun].blk);
	}
	__atomic_store_n(&s->announce, 1, __ATOMIC_RELAXED);
	channel_kick(&s->channels[0].ch);
	return 0;
}
