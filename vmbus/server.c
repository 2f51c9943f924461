// SPDX-License-Identifier: BSD-2-Clause
// The VMBus server: the connection, and messages on their way in and out.
//
// Specs: Linux drivers/hv/connection.c (versions, contact), drivers/hv/channel_mgmt.c (messages).
#include "vmbus/server.h"

#include "vmbus/server_parts.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

#define HEADER(t) ((struct vmbus_msg_header){.type = (t)})

/* --- out --- */

bool server_has_room(const struct vmbus_server *s)
{
	return s->n_answers < VMBUS_OUTBOX;
}

void server_answer(struct vmbus_server *s, const void *message, uint32_t size)
{
	uint32_t at = (s->first_answer + s->n_answers) % VMBUS_OUTBOX;
	struct vmbus_answer *a = &s->answers[at];

	a->vp = s->vp;
	a->size = size;
	memcpy(a->bytes, message, size);
	s->n_answers++;
}

int server_post(struct vmbus_server *s, uint32_t vp, const void *message, uint32_t size)
{
	int err = s->ops->post(s->owner, vp, VMBUS_SINT, message, size);

	if (err != -EAGAIN) {
		s->ops->trace(s->owner, false, message, size, err ? "cannot be delivered" : NULL);
		err = 0;
	}
	return err;
}

bool vmbus_server_pump(struct vmbus_server *s)
{
	for (;;) {
		server_reap_gpadls(s);
		if (s->n_answers == 0) {
			return server_send_offers(s);
		}
		const struct vmbus_answer *a = &s->answers[s->first_answer];

		if (server_post(s, a->vp, a->bytes, a->size) != 0) {
			return true;
		}
		s->first_answer = (s->first_answer + 1) % VMBUS_OUTBOX;
		s->n_answers--;
	}
}

/* --- the connection --- */

/* What a guest waits for belongs to the connection: nothing of it is sent any more. */
static void disconnect(struct vmbus_server *s)
{
	server_forget_channels(s);
	server_drop_gpadls(s, 0);
	gpadl_mute(&s->gpadls);
	if (s->has_interrupt_page) {
		(void)s->ops->interrupt_page(s->owner, 0);
		s->has_interrupt_page = false;
	}
	s->version = 0;
	s->offers_wanted = false;
	s->all_offers_due = false;
	s->n_answers = 0;
}

static bool version_known(const struct vmbus_server *s, uint32_t version)
{
	static const uint32_t versions[] = {
	        VMBUS_VERSION(0, 13),
	        VMBUS_VERSION(1, 1),
	        VMBUS_VERSION(2, 4),
	        VMBUS_VERSION(3, 0),
	        VMBUS_VERSION(4, 0),
	        VMBUS_VERSION(4, 1),
	        VMBUS_VERSION(5, 0),
	        VMBUS_VERSION(5, 1),
	        VMBUS_VERSION(5, 2),
	        VMBUS_VERSION(5, 3),
	};
	bool known = false;

	for (unsigned i = 0; i < ARRAY_SIZE(versions); i++) {
		known |= versions[i] == version;
	}
	return known && version <= s->max_version;
}

/* Before 2.4 interrupts are bits of a page; what later clients pass along is not used. */
static bool take_interrupt_page(struct vmbus_server *s, const struct vmbus_msg_contact *c)
{
	uint64_t page = c->interrupt_page;

	if (c->version >= VMBUS_VERSION_WIN8 || page == 0) {
		return true;
	}
	s->has_interrupt_page = (page & PAGE_MASK) == 0 && s->ops->interrupt_page(s->owner, page);
	return s->has_interrupt_page;
}

static const char *connect(struct vmbus_server *s, const struct vmbus_msg_contact *c)
{
	if (!version_known(s, c->version)) {
		return "version not supported";
	}
	if (c->target_vp >= s->vcpus) {
		return "no such VP";
	}
	if (c->version >= VMBUS_VERSION_WIN10_V5 && (c->sint != VMBUS_SINT || c->vtl != 0)) {
		return "no such SINT or VTL";
	}
	if (!take_interrupt_page(s, c)) {
		return "the interrupt page is not RAM";
	}
	s->version = c->version;
	return NULL;
}

/* Legal at any time: a guest that crashed or was replaced says nothing else before. */
static const char *initiate_contact(struct vmbus_server *s, const struct vmbus_request *r)
{
	const struct vmbus_msg_contact *c = &r->m->contact;
	struct vmbus_msg_version_response answer = {.header = HEADER(VMBUS_VERSION_RESPONSE)};
	const char *remark;

	disconnect(s);
	s->vp = c->target_vp < s->vcpus ? c->target_vp : 0;
	remark = connect(s, c);
	/* Linux does not look at connection_state: what fails is not supported. */
	answer.supported = remark == NULL;
	if (remark && version_known(s, c->version)) {
		answer.connection_state = VMBUS_CONNECTION_FAILED;
	}
	answer.message_connection = c->version;
	if (c->version >= VMBUS_VERSION_WIN10_V5) {
		/* Linux posts there from now on; others came by the old one and stay with it. */
		answer.message_connection = r->connection_id == VMBUS_MESSAGE_CONNECTION_4
		                                    ? VMBUS_MESSAGE_CONNECTION_4
		                                    : VMBUS_MESSAGE_CONNECTION;
	}
	server_answer(s, &answer, sizeof(answer));
	return remark;
}

/* Answered also where nothing was connected: Linux waits for ever. */
static const char *unload(struct vmbus_server *s, const struct vmbus_request *r)
{
	struct vmbus_msg_header answer = HEADER(VMBUS_UNLOAD_RESPONSE);
	const char *remark = s->version == 0 ? "not connected" : NULL;

	(void)r;
	disconnect(s);
	server_answer(s, &answer, sizeof(answer));
	return remark;
}

/* --- what is not offered --- */

static const char *open_reserved(struct vmbus_server *s, const struct vmbus_request *r)
{
	struct vmbus_msg_open_result answer = {
	        .header = HEADER(VMBUS_OPEN_RESULT),
	        .relid = r->m->open_reserved.relid,
	        .status = VMBUS_STATUS_UNSUCCESSFUL,
	};

	server_answer(s, &answer, sizeof(answer));
	return "no channel is reserved";
}

static const char *close_reserved(struct vmbus_server *s, const struct vmbus_request *r)
{
	struct vmbus_msg_relid answer = {
	        .header = HEADER(VMBUS_CLOSE_RESERVED_RESPONSE),
	        .relid = r->m->close_reserved.relid,
	};

	server_answer(s, &answer, sizeof(answer));
	return "no channel is reserved";
}

/* A socket of hv_sock: nobody listens. */
static const char *tl_connect(struct vmbus_server *s, const struct vmbus_request *r)
{
	struct vmbus_msg_tl_connect_result answer = {
	        .header = HEADER(VMBUS_TL_CONNECT_RESULT),
	        .endpoint = r->m->tl_connect.endpoint,
	        .service = r->m->tl_connect.service,
	        .status = VMBUS_STATUS_CONNECTION_REFUSED,
	};

	server_answer(s, &answer, sizeof(answer));
	return "nobody listens";
}

/* --- in --- */

struct row {
	const char *(*handle)(struct vmbus_server *s, const struct vmbus_request *r);
	uint32_t min_size;    /* what is longer is longer for nothing */
	uint32_t min_version; /* 0 = also when not connected */
};

#define ALWAYS 0U
#define CONNECTED 1U

/* Messages that only hosts send, and those of 6.0, have no row. */
static const struct row rows[VMBUS_MESSAGE_TYPES] = {
        [VMBUS_REQUEST_OFFERS] = {server_request_offers, sizeof(struct vmbus_msg_header),
                CONNECTED},
        [VMBUS_OPEN_CHANNEL] = {server_open, sizeof(struct vmbus_msg_open), CONNECTED},
        [VMBUS_CLOSE_CHANNEL] = {server_close, sizeof(struct vmbus_msg_relid), CONNECTED},
        [VMBUS_GPADL_HEADER] = {server_gpadl_header, sizeof(struct vmbus_msg_gpadl_header),
                CONNECTED},
        [VMBUS_GPADL_BODY] = {server_gpadl_body, sizeof(struct vmbus_msg_gpadl_body), CONNECTED},
        [VMBUS_GPADL_TEARDOWN] = {server_gpadl_teardown, sizeof(struct vmbus_msg_gpadl_teardown),
                CONNECTED},
        [VMBUS_RELID_RELEASED] = {server_relid_released, sizeof(struct vmbus_msg_relid), ALWAYS},
        [VMBUS_INITIATE_CONTACT] = {initiate_contact, sizeof(struct vmbus_msg_contact), ALWAYS},
        [VMBUS_UNLOAD] = {unload, sizeof(struct vmbus_msg_header), ALWAYS},
        [VMBUS_OPEN_RESERVED] = {open_reserved, sizeof(struct vmbus_msg_open_reserved), CONNECTED},
        [VMBUS_CLOSE_RESERVED] = {close_reserved, sizeof(struct vmbus_msg_close_reserved),
                CONNECTED},
        [VMBUS_TL_CONNECT] = {tl_connect, sizeof(struct vmbus_msg_tl_connect), CONNECTED},
        [VMBUS_MODIFY_CHANNEL] = {server_modify, sizeof(struct vmbus_msg_modify),
                VMBUS_VERSION_WIN10_V4_1},
};

static const char *handle(struct vmbus_server *s, const struct vmbus_request *r)
{
	uint32_t type = r->m->header.type;
	const struct row *row = type < VMBUS_MESSAGE_TYPES ? &rows[type] : NULL;

	if (r->size < sizeof(struct vmbus_msg_header) || !row || !row->handle) {
		return "not a message of a guest";
	}
	if (r->size < row->min_size) {
		return "too short";
	}
	if (s->version < row->min_version) {
		return s->version == 0 ? "not connected" : "not in this version";
	}
	return row->handle(s, r);
}

bool vmbus_server_message(
        struct vmbus_server *s, uint32_t connection_id, const void *message, uint32_t size)
{
	union vmbus_guest_message m = {0};
	struct vmbus_request r = {.m = &m, .connection_id = connection_id};
	const char *remark;

	r.size = size < sizeof(m) ? size : sizeof(m);
	memcpy(&m, message, r.size);
	/* These two make room themselves, and must be heard from a guest that no longer listens. */
	if (!server_has_room(s) && m.header.type != VMBUS_INITIATE_CONTACT &&
	        m.header.type != VMBUS_UNLOAD && vmbus_server_pump(s) && !server_has_room(s)) {
		return false;
	}
	remark = handle(s, &r);
	s->ops->trace(s->owner, true, message, size, remark);
	(void)vmbus_server_pump(s);
	return true;
}

/* --- for the bus --- */

void vmbus_server_init(struct vmbus_server *s, const struct vmbus_server_ops *ops, void *owner,
        const struct guest_mem *mem, uint32_t vcpus, uint32_t max_version, uint8_t **gpadl_pool)
{
	memset(s, 0, sizeof(*s));
	s->ops = ops;
	s->owner = owner;
	s->vcpus = vcpus;
	s->max_version = max_version;
	s->spare = VMBUS_MAX_CHANNELS;
	gpadl_table_init(&s->gpadls, mem, gpadl_pool);
}

void vmbus_server_reset(struct vmbus_server *s)
{
	disconnect(s);
	s->vp = 0;
}

uint32_t vmbus_server_version(const struct vmbus_server *s)
{
	return s->version;
}
