/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the VMBus server share: server.c (connection, messages in and out),
 * server_channel.c (channels), server_gpadl.c (GPADLs).
 * Specs: none; contracts are here and in vmbus/server.h.
 */
#ifndef VMBUS_SERVER_PARTS_H
#define VMBUS_SERVER_PARTS_H

#include "vmbus/server.h"

/* A message of the guest on its way to its handler. */
struct vmbus_request {
	const union vmbus_guest_message *m;
	uint32_t size;
	uint32_t connection_id;
};

/*
 * Handlers of messages. They answer with server_answer(), at most once: there is room for one
 * answer. They return what is wrong with the message, for the trace; NULL = nothing.
 */
const char *server_request_offers(struct vmbus_server *s, const struct vmbus_request *r);
const char *server_open(struct vmbus_server *s, const struct vmbus_request *r);
const char *server_close(struct vmbus_server *s, const struct vmbus_request *r);
const char *server_modify(struct vmbus_server *s, const struct vmbus_request *r);
const char *server_relid_released(struct vmbus_server *s, const struct vmbus_request *r);
const char *server_gpadl_header(struct vmbus_server *s, const struct vmbus_request *r);
const char *server_gpadl_body(struct vmbus_server *s, const struct vmbus_request *r);
const char *server_gpadl_teardown(struct vmbus_server *s, const struct vmbus_request *r);

bool server_has_room(const struct vmbus_server *s);
void server_answer(struct vmbus_server *s, const void *message, uint32_t size);
/* To the guest's slot at once: 0 or -EAGAIN. */
__must_check int server_post(
        struct vmbus_server *s, uint32_t vp, const void *message, uint32_t size);

/* The place of a relid, whatever the guest says it is; NULL = nothing is there. */
struct vmbus_place *server_place(struct vmbus_server *s, uint32_t relid);
/* Its rings end; the guest closed it or did as if. */
void server_close_channel(struct vmbus_server *s, struct vmbus_place *place);
/* Send the rescinds and the offers that are due; true = some still are. */
bool server_send_offers(struct vmbus_server *s);
/* The connection ends: no channel is open, none is known to the guest, sub-channels are gone. */
void server_forget_channels(struct vmbus_server *s);

/* All GPADLs of a channel, or of all (0), without a word to the guest. */
void server_drop_gpadls(struct vmbus_server *s, uint32_t relid);
/* Tell the guest of those that are gone at last. */
void server_reap_gpadls(struct vmbus_server *s);

#endif
