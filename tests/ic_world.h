/* SPDX-License-Identifier: BSD-2-Clause */
/* An integration service and a guest that answers it as Linux's driver does: in the request's own
 * bytes. */
#ifndef TESTS_IC_WORLD_H
#define TESTS_IC_WORLD_H

#include "tests/channel_world.h"
#include "tests/unit.h"
#include "vmbus/guest_services.h"
#include "vmm/hw/clock.h"

#define HEAD ((uint32_t)sizeof(struct ic_header))

static struct vm *vm;
static struct wire_packet request; /* the last one that the guest took */

static inline struct ic_header head_of(const struct wire_packet *p)
{
	struct ic_header h;

	ck_assert_uint_ge(p->len, HEAD);
	memcpy(&h, p->bytes, sizeof(h));
	return h;
}

static inline void ic_world(void)
{
	wire_reset();
	fake_clock_set(1000 * NS_PER_SEC);
	vm = fake_vm(4 << 20, 1);
	vm->state = VM_RUNNING;
}

/* What the host asks; false = nothing. */
static inline bool take_request(void)
{
	if (wire.n_sent == 0) {
		return false;
	}
	ck_assert_uint_eq(wire.n_sent, 1); /* never two at a time */
	request = wire.sent[0];
	wire.n_sent = 0;
	wire.room = WIRE_PACKETS;
	return true;
}

/* The guest answers the last request, with its body as it is in 'request' now. */
static inline void respond(struct ic *ic, uint32_t status)
{
	struct ic_header h = head_of(&request);

	h.status = status;
	h.flags = IC_FLAG_TRANSACTION | IC_FLAG_RESPONSE;
	memcpy(request.bytes, &h, sizeof(h));
	wire_in(RING_PACKET_INBAND, request.trans_id, false, request.bytes, request.len);
	wire_work(&ic->ch);
}

static inline void agree(struct ic *ic, struct ic_version frame, struct ic_version version)
{
	const struct ic_negotiate n = {.n_frames = 1, .n_versions = 1};
	uint8_t *body = request.bytes + HEAD;

	ck_assert(take_request());
	ck_assert_uint_eq(head_of(&request).type, IC_NEGOTIATE);
	memcpy(body, &n, sizeof(n));
	memcpy(body + sizeof(n), &frame, sizeof(frame));
	memcpy(body + sizeof(n) + sizeof(frame), &version, sizeof(version));
	respond(ic, 0);
}

/* Opened, and agreed upon the framing of today and this version. */
static inline void ic_up(struct ic *ic, uint16_t major, uint16_t minor)
{
	ck_assert_int_eq(wire_open(&ic->ch), 0);
	agree(ic, (struct ic_version){3, 0}, (struct ic_version){major, minor});
	ck_assert(ic_is_ready(ic));
}

/* Time goes by; what became due is worked on. */
static inline void advance(struct ic *ic, uint64_t ns)
{
	fake_clock_advance(ns);
	if (wire.kicks) {
		wire_work(&ic->ch);
	}
}

#endif
