// SPDX-License-Identifier: BSD-2-Clause
// The VMBus server's channels: offered, opened, closed, moved, taken away.
//
// Specs: Linux drivers/hv/channel_mgmt.c "vmbus_onoffer", "vmbus_onoffer_rescind",
// drivers/hv/channel.c "__vmbus_open", "vmbus_disconnect_ring".
#include "vmbus/server_parts.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

#define MIN_RING_PAGES 2U /* a header and data */

/* --- places --- */

struct vmbus_place *server_place(struct vmbus_server *s, uint32_t relid)
{
	if (relid == 0 || relid > VMBUS_MAX_CHANNELS ||
	        s->places[relid - 1].state == CHANNEL_ABSENT) {
		return NULL;
	}
	return &s->places[relid - 1];
}

static uint32_t relid_of(const struct vmbus_server *s, const struct vmbus_place *place)
{
	return (uint32_t)(place - s->places) + 1;
}

static bool is_sub(const struct vmbus_place *place)
{
	return place->ch && place->ch->offer.sub_index != 0;
}

static void detach(struct vmbus_place *place)
{
	if (place->ch) {
		__atomic_store_n(&place->ch->relid, 0, __ATOMIC_RELEASE);
		place->ch = NULL;
	}
}

static void free_place(struct vmbus_server *s, struct vmbus_place *place)
{
	server_drop_gpadls(s, relid_of(s, place));
	detach(place);
	*place = (struct vmbus_place){0};
	vmbus_server_unpromise(s);
}

static bool same_device(const struct vmbus_offer *a, const struct vmbus_offer *b)
{
	return guid_equal(&a->type, &b->type) && guid_equal(&a->instance, &b->instance);
}

/* --- ending --- */

/* The rings end; the place's state is the caller's to say. */
static void end_rings(struct vmbus_server *s, struct vmbus_place *place)
{
	struct vmbus_channel *ch = place->ch;

	s->ops->end(s->owner, ch);
	gpadl_release(&s->gpadls, ch->ring_gpadl);
	ch->ring_gpadl = NULL;
	place->state = CHANNEL_OFFERED;
}

static void take_away(struct vmbus_server *s, struct vmbus_place *place)
{
	if (place->state == CHANNEL_HIDDEN) {
		free_place(s, place);
		return;
	}
	if (place->state == CHANNEL_OPEN) {
		end_rings(s, place);
	}
	place->state = CHANNEL_RESCINDED;
	place->rescind_due = true;
	if (is_sub(place)) {
		detach(place);
	}
}

/* A device's sub-channels live while its primary is open: Linux asks for new ones then, and would
 * count old ones among them. */
static void take_away_subs(struct vmbus_server *s, const struct vmbus_channel *primary)
{
	for (unsigned i = 0; i < VMBUS_MAX_CHANNELS; i++) {
		struct vmbus_place *place = &s->places[i];

		if (is_sub(place) && same_device(&place->ch->offer, &primary->offer)) {
			take_away(s, place);
		}
	}
}

void server_close_channel(struct vmbus_server *s, struct vmbus_place *place)
{
	if (!is_sub(place)) {
		take_away_subs(s, place->ch);
	}
	end_rings(s, place);
}

void server_forget_channels(struct vmbus_server *s)
{
	/* Sub-channels before their primaries: they use what these have. */
	for (int subs = 1; subs >= 0; subs--) {
		for (unsigned i = 0; i < VMBUS_MAX_CHANNELS; i++) {
			struct vmbus_place *place = &s->places[i];

			if (place->state == CHANNEL_OPEN && is_sub(place) == subs) {
				end_rings(s, place);
			}
		}
	}
	for (unsigned i = 0; i < VMBUS_MAX_CHANNELS; i++) {
		struct vmbus_place *place = &s->places[i];

		if (place->state == CHANNEL_RESCINDED || is_sub(place)) {
			free_place(s, place);
		} else if (place->state == CHANNEL_OFFERED) {
			place->state = CHANNEL_HIDDEN;
		}
	}
}

/* --- offers --- */

static int send_offer(struct vmbus_server *s, const struct vmbus_place *place)
{
	const struct vmbus_offer *o = &place->ch->offer;
	uint32_t relid = relid_of(s, place);
	struct vmbus_msg_offer m = {
	        .header.type = VMBUS_OFFER_CHANNEL,
	        .type = o->type,
	        .instance = o->instance,
	        .flags = o->flags,
	        .mmio_megabytes = o->mmio_megabytes,
	        .sub_index = o->sub_index,
	        .relid = relid,
	        .is_dedicated = 1,
	        .connection_id = VMBUS_SIGNAL_CONNECTION(relid),
	};

	memcpy(m.user, o->user, sizeof(o->user));
	if (o->pipe_message_mode) {
		m.user[0] = VMBUS_PIPE_MESSAGE_MODE;
	}
	return server_post(s, s->vp, &m, sizeof(m));
}

static int send_rescind(struct vmbus_server *s, const struct vmbus_place *place)
{
	struct vmbus_msg_relid m = {
	        .header.type = VMBUS_RESCIND_OFFER, .relid = relid_of(s, place)};

	return server_post(s, s->vp, &m, sizeof(m));
}

static bool is_due(const struct vmbus_server *s, const struct vmbus_place *place)
{
	return s->offers_wanted && place->state == CHANNEL_HIDDEN &&
	       place->ch->offer.min_version_major <= s->version >> 16;
}

bool server_send_offers(struct vmbus_server *s)
{
	struct vmbus_msg_header all = {.type = VMBUS_ALL_OFFERS_DELIVERED};

	/* Rescinds first: a sub-channel may be offered anew while its last offer is taken back. */
	for (unsigned i = 0; i < VMBUS_MAX_CHANNELS; i++) {
		struct vmbus_place *place = &s->places[i];

		if (place->rescind_due) {
			if (send_rescind(s, place) != 0) {
				return true;
			}
			place->rescind_due = false;
		}
	}
	for (unsigned i = 0; i < VMBUS_MAX_CHANNELS; i++) {
		struct vmbus_place *place = &s->places[i];

		if (is_due(s, place)) {
			if (send_offer(s, place) != 0) {
				return true;
			}
			place->state = CHANNEL_OFFERED;
		}
	}
	if (s->all_offers_due && server_post(s, s->vp, &all, sizeof(all)) != 0) {
		return true;
	}
	s->all_offers_due = false;
	return false;
}

/* Asked again, the guest hears of what it does not know, and that this was all. */
const char *server_request_offers(struct vmbus_server *s, const struct vmbus_request *r)
{
	const char *remark = s->offers_wanted ? "once more" : NULL;

	(void)r;
	s->offers_wanted = true;
	s->all_offers_due = true;
	return remark;
}

/* --- opening, closing, moving --- */

static bool vp_valid(const struct vmbus_server *s, uint32_t vp)
{
	return vp < s->vcpus || vp == VMBUS_NO_VP;
}

/* Old clients have one event flag for all channels, where they want their messages. */
static uint32_t target_vp(const struct vmbus_server *s, const struct vmbus_msg_open *m)
{
	return s->version < VMBUS_VERSION_WIN8 ? s->vp : m->target_vp;
}

static const char *open_rings(struct vmbus_server *s, struct vmbus_place *place, struct gpadl *ring,
        const struct vmbus_msg_open *m)
{
	struct vmbus_channel *ch = place->ch;

	if (!ring->page_aligned || m->out_offset_pages < MIN_RING_PAGES ||
	        (uint64_t)m->out_offset_pages + MIN_RING_PAGES > ring->n_pages) {
		return "its GPADL does not make two rings";
	}
	ch->ring_gpadl = ring;
	ch->target_vp = target_vp(s, m);
	if (s->ops->begin(s->owner, ch, m->out_offset_pages, m->user) != 0) {
		ch->ring_gpadl = NULL;
		return "the device refuses";
	}
	place->state = CHANNEL_OPEN;
	return NULL;
}

static const char *try_open(struct vmbus_server *s, const struct vmbus_msg_open *m)
{
	struct vmbus_place *place = server_place(s, m->relid);
	struct gpadl *ring;
	const char *remark;

	if (!place || place->state != CHANNEL_OFFERED) {
		return place && place->state == CHANNEL_OPEN ? "already open" : "not a channel";
	}
	if (!vp_valid(s, target_vp(s, m))) {
		return "no such VP";
	}
	ring = gpadl_hold(&s->gpadls, m->relid, m->ring_gpadl);
	if (!ring) {
		return "no such GPADL";
	}
	remark = open_rings(s, place, ring, m);
	if (remark) {
		gpadl_release(&s->gpadls, ring);
	}
	return remark;
}

const char *server_open(struct vmbus_server *s, const struct vmbus_request *r)
{
	const struct vmbus_msg_open *m = &r->m->open;
	const char *remark = try_open(s, m);
	struct vmbus_msg_open_result answer = {
	        .header.type = VMBUS_OPEN_RESULT,
	        .relid = m->relid,
	        .open_id = m->open_id,
	        .status = remark ? VMBUS_STATUS_UNSUCCESSFUL : VMBUS_STATUS_SUCCESS,
	};

	server_answer(s, &answer, sizeof(answer));
	return remark;
}

const char *server_close(struct vmbus_server *s, const struct vmbus_request *r)
{
	struct vmbus_place *place = server_place(s, r->m->relid.relid);

	if (!place || place->state != CHANNEL_OPEN) {
		/* A guest may close what has just been rescinded. */
		return place && place->state == CHANNEL_RESCINDED ? NULL : "not open";
	}
	server_close_channel(s, place);
	return NULL;
}

static const char *try_modify(struct vmbus_server *s, const struct vmbus_msg_modify *m)
{
	struct vmbus_place *place = server_place(s, m->relid);

	if (!place || place->state != CHANNEL_OPEN) {
		return "not open";
	}
	if (!vp_valid(s, m->target_vp)) {
		return "no such VP";
	}
	s->ops->retarget(s->owner, place->ch, m->target_vp);
	return NULL;
}

const char *server_modify(struct vmbus_server *s, const struct vmbus_request *r)
{
	const struct vmbus_msg_modify *m = &r->m->modify;
	const char *remark = try_modify(s, m);
	struct vmbus_msg_modify_response answer = {
	        .header.type = VMBUS_MODIFY_CHANNEL_RESPONSE,
	        .relid = m->relid,
	        .status = remark ? VMBUS_STATUS_UNSUCCESSFUL : VMBUS_STATUS_SUCCESS,
	};

	if (s->version >= VMBUS_VERSION_WIN10_V5_3) {
		server_answer(s, &answer, sizeof(answer));
	}
	return remark;
}

const char *server_relid_released(struct vmbus_server *s, const struct vmbus_request *r)
{
	struct vmbus_place *place = server_place(s, r->m->relid.relid);

	if (s->version == 0) {
		return NULL; /* Linux 6.1 says it of each channel, after Unload */
	}
	if (!place || place->state != CHANNEL_RESCINDED || place->rescind_due) {
		return "not rescinded";
	}
	free_place(s, place);
	return NULL;
}

/* --- for the bus --- */

bool vmbus_server_promise(struct vmbus_server *s)
{
	uint32_t spare = __atomic_load_n(&s->spare, __ATOMIC_RELAXED);

	while (spare > 0 && !__atomic_compare_exchange_n(&s->spare, &spare, spare - 1, false,
	                            __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
	}
	return spare > 0;
}

void vmbus_server_unpromise(struct vmbus_server *s)
{
	__atomic_fetch_add(&s->spare, 1, __ATOMIC_SEQ_CST);
}

int vmbus_server_add(struct vmbus_server *s, struct vmbus_channel *ch)
{
	return vmbus_server_promise(s) ? vmbus_server_add_promised(s, ch) : -ENOSPC;
}

int vmbus_server_add_promised(struct vmbus_server *s, struct vmbus_channel *ch)
{
	struct vmbus_place *free = NULL;

	for (unsigned i = 0; i < VMBUS_MAX_CHANNELS; i++) {
		struct vmbus_place *place = &s->places[i];

		if (place->state == CHANNEL_ABSENT) {
			free = free ? free : place;
		} else if (place->ch && same_device(&place->ch->offer, &ch->offer) &&
		           place->ch->offer.sub_index == ch->offer.sub_index) {
			vmbus_server_unpromise(s);
			return -EEXIST;
		}
	}
	BUG_ON(!free);
	*free = (struct vmbus_place){.ch = ch, .state = CHANNEL_HIDDEN};
	__atomic_store_n(&ch->relid, relid_of(s, free), __ATOMIC_RELEASE);
	(void)vmbus_server_pump(s);
	return 0;
}

void vmbus_server_rescind(struct vmbus_server *s, struct vmbus_channel *ch)
{
	struct vmbus_place *place = server_place(s, ch->relid);

	if (!place || place->state == CHANNEL_RESCINDED) {
		return;
	}
	if (!is_sub(place)) {
		take_away_subs(s, ch);
	}
	take_away(s, place);
	(void)vmbus_server_pump(s);
}

enum vmbus_channel_state vmbus_server_state(
        const struct vmbus_server *s, const struct vmbus_channel *ch)
{
	return ch->relid == 0 ? CHANNEL_ABSENT : s->places[ch->relid - 1].state;
}
