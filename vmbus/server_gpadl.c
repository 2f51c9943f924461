// SPDX-License-Identifier: BSD-2-Clause
// The VMBus server's messages about GPADLs: made, in one message or many, and taken back.
//
// Specs: Linux drivers/hv/channel.c "__vmbus_establish_gpadl", "vmbus_teardown_gpadl": it waits
// for an answer to either without end.
#include "vmbus/server_parts.h"

static void created(struct vmbus_server *s, uint32_t relid, uint32_t id, uint32_t status)
{
	struct vmbus_msg_gpadl_created answer = {
	        .header.type = VMBUS_GPADL_CREATED, .relid = relid, .gpadl = id, .status = status};

	server_answer(s, &answer, sizeof(answer));
}

/* Answered when it is complete, or when it can no longer be. Bodies that still come for it then
 * are of a GPADL that there is not. */
static const char *fill(struct vmbus_server *s, struct gpadl *g, const uint8_t *list, uint32_t len)
{
	uint32_t relid = g->relid, id = g->id;
	int ret = gpadl_fill(&s->gpadls, g, list, len);

	if (ret == 0) {
		return NULL;
	}
	created(s, relid, id, ret > 0 ? VMBUS_STATUS_SUCCESS : VMBUS_STATUS_UNSUCCESSFUL);
	return ret > 0 ? NULL : "its pages make no sense";
}

const char *server_gpadl_header(struct vmbus_server *s, const struct vmbus_request *r)
{
	const struct vmbus_msg_gpadl_header *h = &r->m->gpadl_header;
	const struct vmbus_place *place = server_place(s, h->relid);
	const char *remark = NULL;
	struct gpadl *g = NULL;

	if (!place || place->state == CHANNEL_HIDDEN || place->state == CHANNEL_RESCINDED) {
		remark = "not a channel";
	} else {
		g = gpadl_create(&s->gpadls, h->relid, h->gpadl, h->range_count, h->list_bytes);
		remark = g ? NULL : "number or size wrong, or no room";
	}
	if (!g) {
		created(s, h->relid, h->gpadl, VMBUS_STATUS_UNSUCCESSFUL);
		return remark;
	}
	return fill(s, g, h->list, r->size - (uint32_t)sizeof(*h));
}

const char *server_gpadl_body(struct vmbus_server *s, const struct vmbus_request *r)
{
	const struct vmbus_msg_gpadl_body *b = &r->m->gpadl_body;
	struct gpadl *g = gpadl_building(&s->gpadls, b->gpadl);

	return g ? fill(s, g, b->list, r->size - (uint32_t)sizeof(*b)) : "no such GPADL";
}

static void take(struct vmbus_server *s, struct gpadl *g, bool answer)
{
	struct vmbus_place *place = server_place(s, g->relid);

	if (!gpadl_retire(&s->gpadls, g, answer) && place && place->ch) {
		s->ops->gpadl_gone(s->owner, place->ch, g);
	}
}

const char *server_gpadl_teardown(struct vmbus_server *s, const struct vmbus_request *r)
{
	const struct vmbus_msg_gpadl_teardown *t = &r->m->gpadl_teardown;
	struct vmbus_place *place = server_place(s, t->relid);
	struct gpadl *g = gpadl_find(&s->gpadls, t->relid, t->gpadl);
	struct vmbus_msg_gpadl_torndown answer = {
	        .header.type = VMBUS_GPADL_TORNDOWN, .gpadl = t->gpadl};
	const char *remark = NULL;

	if (!g) {
		server_answer(s, &answer, sizeof(answer));
		return "no such GPADL";
	}
	if (gpadl_is_retired(g)) {
		return "is being torn down";
	}
	/* Its memory goes, whatever the guest forgot to say before. */
	if (place && place->state == CHANNEL_OPEN && place->ch->ring_gpadl == g) {
		server_close_channel(s, place);
		remark = "of an open channel, which is closed";
	}
	take(s, g, true);
	server_reap_gpadls(s);
	return remark;
}

void server_drop_gpadls(struct vmbus_server *s, uint32_t relid)
{
	for (struct gpadl *g; (g = gpadl_any(&s->gpadls, relid)) != NULL;) {
		take(s, g, false);
	}
}

void server_reap_gpadls(struct vmbus_server *s)
{
	uint32_t id;

	while (server_has_room(s) && (id = gpadl_reap(&s->gpadls)) != 0) {
		struct vmbus_msg_gpadl_torndown answer = {
		        .header.type = VMBUS_GPADL_TORNDOWN, .gpadl = id};

		server_answer(s, &answer, sizeof(answer));
	}
}
