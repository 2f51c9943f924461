/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest and a bus for the VMBus server: messages as a driver makes them, and everything the
 * server does as lines of text, so that a conversation reads as one.
 */
#ifndef TESTS_VMBUS_WORLD_H
#define TESTS_VMBUS_WORLD_H

#include "tests/unit.h"
#include "vmbus/server.h"
#include "vmm/lib/err.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WORLD_PAGES 16384U /* RAM of the guest, from 0 on */
#define WORLD_VCPUS 4U
#define WORLD_CHANNELS 8U
#define BAD_PAGE 0x3000ULL /* an interrupt page that is not RAM */

struct vmbus_world {
	struct vmbus_server s;
	struct guest_mem mem;
	uint8_t *ram;
	uint8_t *pool[GPADL_POOL_PAGES];
	struct vmbus_channel ch[WORLD_CHANNELS];
	unsigned room;         /* messages the guest's slot takes */
	int post_error;        /* and then says */
	int begin_error;       /* of the devices */
	bool keeps;            /* devices do not let go of a GPADL that is taken back */
	const char *remark;    /* of the last message of the guest */
	unsigned remarks;      /* messages with one */
	struct gpadl *held[4]; /* by the device of any channel */
	unsigned n_held;
	char text[65536]; /* what happened since the last look */
	size_t n_text;
};

extern struct vmbus_world world;

/* --- what the server did --- */

static inline void __printf(1, 2) note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	world.n_text += (size_t)vsnprintf(
	        world.text + world.n_text, sizeof(world.text) - world.n_text, fmt, ap);
	va_end(ap);
	if (world.n_text >= sizeof(world.text) - 256) {
		world.n_text = 0; /* floods are counted, not read */
	}
}

static inline void note_message(uint32_t vp, const void *message, uint32_t size)
{
	union {
		struct vmbus_msg_header header;
		struct vmbus_msg_offer offer;
		struct vmbus_msg_relid relid;
		struct vmbus_msg_open_result open_result;
		struct vmbus_msg_gpadl_created created;
		struct vmbus_msg_gpadl_torndown torndown;
		struct vmbus_msg_version_response version;
		struct vmbus_msg_modify_response modify;
		struct vmbus_msg_tl_connect_result tl;
	} m;

	ck_assert_uint_le(size, sizeof(m));
	memcpy(&m, message, size);
	ck_assert_uint_eq(m.header.reserved, 0);
	note("vp%u ", vp);
	switch (m.header.type) {
	case VMBUS_OFFER_CHANNEL:
		ck_assert_uint_eq(size, 196);
		ck_assert_uint_eq(m.offer.connection_id, 0x2000 + m.offer.relid);
		ck_assert_uint_eq(m.offer.is_dedicated, 1);
		ck_assert_uint_eq(m.offer.monitor_allocated, 0);
		note("offer %u type %x.%u\n", m.offer.relid, m.offer.type.b[0], m.offer.sub_index);
		break;
	case VMBUS_RESCIND_OFFER:
		ck_assert_uint_eq(size, 12);
		note("rescind %u\n", m.relid.relid);
		break;
	case VMBUS_ALL_OFFERS_DELIVERED:
		ck_assert_uint_eq(size, 8);
		note("all offers\n");
		break;
	case VMBUS_OPEN_RESULT:
		ck_assert_uint_eq(size, 20);
		note("open result %u id %u: %x\n", m.open_result.relid, m.open_result.open_id,
		        m.open_result.status);
		break;
	case VMBUS_GPADL_CREATED:
		ck_assert_uint_eq(size, 20);
		note("created %u/%x: %x\n", m.created.relid, m.created.gpadl, m.created.status);
		break;
	case VMBUS_GPADL_TORNDOWN:
		ck_assert_uint_eq(size, 12);
		note("torn down %x\n", m.torndown.gpadl);
		break;
	case VMBUS_VERSION_RESPONSE:
		ck_assert_uint_eq(size, 16);
		note("version %s, state %u, %x\n", m.version.supported ? "yes" : "no",
		        m.version.connection_state, m.version.message_connection);
		break;
	case VMBUS_UNLOAD_RESPONSE:
		ck_assert_uint_eq(size, 8);
		note("unloaded\n");
		break;
	case VMBUS_CLOSE_RESERVED_RESPONSE:
		ck_assert_uint_eq(size, 12);
		note("reserved %u closed\n", m.relid.relid);
		break;
	case VMBUS_TL_CONNECT_RESULT:
		ck_assert_uint_eq(size, 44);
		note("socket %x.%x: %x\n", m.tl.endpoint.b[0], m.tl.service.b[0], m.tl.status);
		break;
	case VMBUS_MODIFY_CHANNEL_RESPONSE:
		ck_assert_uint_eq(size, 16);
		note("modified %u: %x\n", m.modify.relid, m.modify.status);
		break;
	default:
		ck_abort_msg("the server sends message %u", m.header.type);
	}
}

static inline void forget(void)
{
	world.n_text = 0;
	world.text[0] = '\0';
}

/* All that happened since the last look is exactly this. */
#define ck_did(want) \
	do { \
		ck_assert_str_eq(world.text, want); \
		forget(); \
	} while (0)

/* --- the bus --- */

static inline int world_post(
        void *owner, uint32_t vp, uint32_t sint, const void *message, uint32_t size)
{
	ck_assert_ptr_eq(owner, &world);
	ck_assert_uint_eq(sint, VMBUS_SINT);
	ck_assert_uint_lt(vp, WORLD_VCPUS);
	if (world.room == 0) {
		return world.post_error;
	}
	world.room--;
	note_message(vp, message, size);
	return 0;
}

static inline int world_begin(
        void *owner, struct vmbus_channel *ch, uint32_t out_offset_pages, const uint8_t *user)
{
	ck_assert_ptr_eq(owner, &world);
	ck_assert(!ch->is_open);
	ck_assert_ptr_nonnull(ch->ring_gpadl);
	ck_assert(ch->ring_gpadl->page_aligned && ch->ring_gpadl->holders >= 1);
	ck_assert_uint_eq(ch->ring_gpadl->relid, ch->relid);
	ck_assert_uint_ge(out_offset_pages, 2);
	ck_assert_uint_ge(ch->ring_gpadl->n_pages - out_offset_pages, 2);
	note("begin %u vp %d user %x: %d\n", ch->relid, (int)ch->target_vp, user[0],
	        world.begin_error);
	ch->is_open = world.begin_error == 0;
	return world.begin_error;
}

static inline void world_let_go(const struct gpadl *g, uint32_t relid)
{
	for (unsigned i = world.n_held; i-- > 0;) {
		if (world.held[i] == g || world.held[i]->relid == relid) {
			gpadl_release(&world.s.gpadls, world.held[i]);
			world.held[i] = world.held[--world.n_held];
		}
	}
}

static inline void world_end(void *owner, struct vmbus_channel *ch)
{
	ck_assert_ptr_eq(owner, &world);
	ck_assert(ch->is_open);
	ck_assert_ptr_nonnull(ch->ring_gpadl);
	note("end %u\n", ch->relid);
	ch->is_open = false;
	if (!world.keeps) {
		world_let_go(NULL, ch->relid);
	}
}

static inline void world_retarget(void *owner, struct vmbus_channel *ch, uint32_t vp)
{
	ck_assert_ptr_eq(owner, &world);
	ck_assert(ch->is_open);
	note("retarget %u vp %d\n", ch->relid, (int)vp);
	ch->target_vp = vp;
}

static inline void world_gpadl_gone(void *owner, struct vmbus_channel *ch, struct gpadl *g)
{
	ck_assert_ptr_eq(owner, &world);
	ck_assert_uint_eq(ch->relid, g->relid);
	ck_assert_uint_gt(g->holders, 0);
	note("gone %u/%x\n", ch->relid, g->id);
	if (!world.keeps) {
		world_let_go(g, 0);
	}
}

static inline bool world_interrupt_page(void *owner, uint64_t page)
{
	ck_assert_ptr_eq(owner, &world);
	ck_assert_uint_eq(page & PAGE_MASK, 0);
	note("interrupt page %llx\n", (unsigned long long)page);
	return page != BAD_PAGE;
}

static inline void world_trace(
        void *owner, bool from_guest, const void *message, uint32_t size, const char *remark)
{
	ck_assert_ptr_eq(owner, &world);
	ck_assert_ptr_nonnull(message);
	(void)size;
	if (from_guest) {
		world.remark = remark;
		world.remarks += remark != NULL;
	}
}

static const struct vmbus_server_ops world_ops = {
        .post = world_post,
        .begin = world_begin,
        .end = world_end,
        .retarget = world_retarget,
        .gpadl_gone = world_gpadl_gone,
        .interrupt_page = world_interrupt_page,
        .trace = world_trace,
};

/* A server without channels, whose guest has said nothing yet. */
static inline void world_setup(uint32_t max_version)
{
	static uint8_t *ram;

	if (!ram) {
		ram = aligned_alloc(PAGE_SIZE, (size_t)WORLD_PAGES * PAGE_SIZE);
	}
	memset(&world, 0, sizeof(world));
	world.ram = ram;
	world.room = ~0U;
	world.post_error = -EAGAIN;
	ck_assert_int_eq(
	        gmem_add(&world.mem, gpa(0), ram, hpa(0x10000000), WORLD_PAGES * PAGE_SIZE), 0);
	vmbus_server_init(
	        &world.s, &world_ops, &world, &world.mem, WORLD_VCPUS, max_version, world.pool);
}

/* Channel n of the world: a device of type n + 0xa0, or a sub-channel of one. */
static inline struct vmbus_channel *world_channel(unsigned n, uint8_t type, uint16_t sub)
{
	world.ch[n] = (struct vmbus_channel){.offer = {.sub_index = sub}};
	world.ch[n].offer.type.b[0] = type;
	world.ch[n].offer.instance.b[0] = type;
	return &world.ch[n];
}

static inline void world_add(unsigned n, uint8_t type, uint16_t sub)
{
	ck_assert_int_eq(vmbus_server_add(&world.s, world_channel(n, type, sub)), 0);
}

/* --- the guest's driver; each returns whether the server took it --- */

static inline bool say_as(uint32_t connection_id, const void *message, size_t size)
{
	return vmbus_server_message(&world.s, connection_id, message, (uint32_t)size);
}

static inline void say(const void *message, size_t size)
{
	ck_assert(say_as(VMBUS_MESSAGE_CONNECTION, message, size));
}

static inline void say_plain(uint32_t type)
{
	say(&(struct vmbus_msg_header){.type = type}, sizeof(struct vmbus_msg_header));
}

static inline void say_relid(uint32_t type, uint32_t relid)
{
	struct vmbus_msg_relid m = {.header.type = type, .relid = relid};

	say(&m, sizeof(m));
}

static inline void say_contact_as(
        uint32_t connection_id, uint32_t version, uint32_t vp, uint64_t target)
{
	struct vmbus_msg_contact m = {.header.type = VMBUS_INITIATE_CONTACT,
	        .version = version,
	        .target_vp = vp,
	        .interrupt_page = target};

	ck_assert(say_as(connection_id, &m, sizeof(m)));
}

/* As Linux does. */
static inline void say_contact(uint32_t version, uint32_t vp)
{
	if (version >= VMBUS_VERSION_WIN10_V5) {
		say_contact_as(VMBUS_MESSAGE_CONNECTION_4, version, vp, VMBUS_SINT);
	} else {
		say_contact_as(VMBUS_MESSAGE_CONNECTION, version, vp, 0x1000);
	}
}

/* One range of n pages from 'first' on, in as many messages as it takes. */
static inline void say_gpadl(uint32_t relid, uint32_t id, uint32_t first, uint32_t n)
{
	union {
		struct vmbus_msg_gpadl_header h;
		struct vmbus_msg_gpadl_body b;
		uint8_t bytes[VMBUS_MESSAGE_MAX];
	} m = {.h = {.header.type = VMBUS_GPADL_HEADER,
	               .relid = relid,
	               .gpadl = id,
	               .list_bytes = (uint16_t)(8 + 8 * n),
	               .range_count = 1}};
	struct vmbus_gpa_range range = {.byte_count = n * (uint32_t)PAGE_SIZE};
	uint32_t size = sizeof(m.h) + sizeof(range), number = 0;

	memcpy(m.bytes + sizeof(m.h), &range, sizeof(range));
	for (uint32_t i = 0; i < n; i++) {
		uint64_t pfn = first + i;

		memcpy(m.bytes + size, &pfn, sizeof(pfn));
		size += 8;
		if (size + 8 > sizeof(m) || i == n - 1) {
			say(&m, size);
			m.b = (struct vmbus_msg_gpadl_body){
			        .header.type = VMBUS_GPADL_BODY, .number = number++, .gpadl = id};
			size = sizeof(m.b);
		}
	}
}

static inline void say_teardown(uint32_t relid, uint32_t id)
{
	struct vmbus_msg_gpadl_teardown m = {
	        .header.type = VMBUS_GPADL_TEARDOWN, .relid = relid, .gpadl = id};

	say(&m, sizeof(m));
}

static inline void say_open_at(uint32_t relid, uint32_t id, uint32_t vp, uint32_t out_offset_pages)
{
	struct vmbus_msg_open m = {.header.type = VMBUS_OPEN_CHANNEL,
	        .relid = relid,
	        .open_id = relid + 100,
	        .ring_gpadl = id,
	        .target_vp = vp,
	        .out_offset_pages = out_offset_pages,
	        .user = {0x5a}};

	say(&m, sizeof(m));
}

static inline void say_open(uint32_t relid, uint32_t id, uint32_t vp)
{
	say_open_at(relid, id, vp, 4);
}

static inline void say_modify(uint32_t relid, uint32_t vp)
{
	struct vmbus_msg_modify m = {
	        .header.type = VMBUS_MODIFY_CHANNEL, .relid = relid, .target_vp = vp};

	say(&m, sizeof(m));
}

/* The device of a channel takes hold of a GPADL. */
static inline struct gpadl *world_hold(uint32_t relid, uint32_t id)
{
	struct gpadl *g = gpadl_hold(&world.s.gpadls, relid, id);

	if (g && world.n_held < ARRAY_SIZE(world.held)) {
		world.held[world.n_held++] = g;
	} else if (g) {
		gpadl_release(&world.s.gpadls, g);
		g = NULL;
	}
	return g;
}

#endif
