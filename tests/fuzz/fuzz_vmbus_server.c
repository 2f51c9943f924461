// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest that says anything to the VMBus server, whole messages and broken ones, while channels
 * come and go, devices hold memory, and the guest's slot is full or not. After each step the
 * server's view of the world is one that can be.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/vmbus_world.h"

#define MAX_STEPS 400U

struct vmbus_world world;

struct source {
	const uint8_t *data;
	size_t left;
};

static uint64_t take(struct source *s, unsigned n)
{
	uint64_t v = 0;

	n = n < s->left ? n : (unsigned)s->left;
	memcpy(&v, s->data, n);
	s->data += n;
	s->left -= n;
	return v;
}

/* Mostly a number that something has. */
static uint32_t small(struct source *s, uint32_t n)
{
	uint8_t b = (uint8_t)take(s, 1);

	return b < 0xf0 ? b % n : (uint32_t)take(s, 4);
}

/* --- what the guest says --- */

static void contact(struct source *s)
{
	static const uint32_t versions[] = {VMBUS_VERSION(5, 3), VMBUS_VERSION(5, 2),
	        VMBUS_VERSION(4, 1), VMBUS_VERSION(4, 0), VMBUS_VERSION(2, 4), VMBUS_VERSION(1, 1),
	        VMBUS_VERSION(0, 13), VMBUS_VERSION(6, 0)};

	say_contact(versions[small(s, 8) % 8], small(s, WORLD_VCPUS));
}

/* A list as good as the source wants it, in a header and bodies. */
static void gpadl(struct source *s)
{
	union {
		struct vmbus_msg_gpadl_header h;
		struct vmbus_msg_gpadl_body b;
		uint8_t bytes[VMBUS_MESSAGE_MAX];
	} m = {0};
	uint8_t form = (uint8_t)take(s, 1);
	uint32_t at, words = 1 + (uint32_t)take(s, 1) % 26;

	if (form & 1) {
		m.b.header.type = VMBUS_GPADL_BODY;
		m.b.gpadl = small(s, 8);
		at = sizeof(m.b);
	} else {
		m.h.header.type = VMBUS_GPADL_HEADER;
		m.h.relid = 1 + small(s, 8);
		m.h.gpadl = small(s, 8);
		m.h.range_count = (uint16_t)(form & 2 ? small(s, 5) : 1);
		m.h.list_bytes = (uint16_t)(form & 4 ? take(s, 2) : 8 * words);
		at = sizeof(m.h);
		if (form & 8) {
			uint64_t range = (words - 1) * PAGE_SIZE;

			memcpy(m.bytes + at, &range, 8);
			at += 8;
			words--;
		}
	}
	for (uint32_t i = 0; i < words; i++, at += 8) {
		uint64_t word = form & 16 ? take(s, 8) : take(s, 1);

		memcpy(m.bytes + at, &word, 8);
	}
	(void)!say_as(1, m.bytes, at);
}

static void raw(struct source *s)
{
	uint8_t bytes[VMBUS_MESSAGE_MAX + 8];
	uint32_t size = (uint32_t)take(s, 1) % (sizeof(bytes) + 1);
	uint8_t *copy;

	memset(bytes, 0, sizeof(bytes));
	for (uint32_t i = 0; i < size; i++) {
		bytes[i] = (uint8_t)take(s, 1);
	}
	if (size >= 4 && bytes[0] < 0xf0) {
		memset(bytes + 1, 0, 3);
		bytes[0] %= VMBUS_MESSAGE_TYPES + 2;
	}
	copy = malloc(size + 1); /* so that a read beyond its end is seen */
	memcpy(copy, bytes, size);
	(void)!say_as((uint32_t)take(s, 1) & 7, copy, size);
	free(copy);
}

static void say_some(const void *message, size_t size)
{
	(void)!say_as(4, message, size);
}

static void open_one(struct source *s)
{
	struct vmbus_msg_open m = {.header.type = VMBUS_OPEN_CHANNEL,
	        .relid = 1 + small(s, 8),
	        .ring_gpadl = small(s, 8),
	        .target_vp = small(s, WORLD_VCPUS),
	        .out_offset_pages = small(s, 8)};

	say_some(&m, sizeof(m));
}

static void modify(struct source *s)
{
	struct vmbus_msg_modify m = {.header.type = VMBUS_MODIFY_CHANNEL,
	        .relid = 1 + small(s, 8),
	        .target_vp = small(s, WORLD_VCPUS)};

	say_some(&m, sizeof(m));
}

static void teardown(struct source *s)
{
	struct vmbus_msg_gpadl_teardown m = {.header.type = VMBUS_GPADL_TEARDOWN,
	        .relid = 1 + small(s, 8),
	        .gpadl = small(s, 8)};

	say_some(&m, sizeof(m));
}

static void with_relid(struct source *s, uint32_t type)
{
	struct vmbus_msg_relid m = {.header.type = type, .relid = 1 + small(s, 8)};

	say_some(&m, sizeof(m));
}

static void plain(uint32_t type)
{
	say_some(&(struct vmbus_msg_header){.type = type}, sizeof(struct vmbus_msg_header));
}

/* --- what the host does --- */

/* Channels 0 to 3 are devices, the others sub-channels of the first one. */
static void add(struct source *s)
{
	unsigned n = (unsigned)take(s, 1) % WORLD_CHANNELS;
	uint8_t type = (uint8_t)(n < 4 ? 0xa0 + n : 0xa0);

	if (world.ch[n].relid == 0) {
		world_channel(n, type, (uint16_t)(n < 4 ? 0 : n - 3));
		(void)!vmbus_server_add(&world.s, &world.ch[n]);
	}
}

static void rescind(struct source *s)
{
	struct vmbus_channel *ch = &world.ch[take(s, 1) % WORLD_CHANNELS];

	vmbus_server_rescind(&world.s, ch);
	FUZZ_CHECK(!ch->is_open);
}

static void device(struct source *s)
{
	unsigned what = (unsigned)take(s, 1);

	world.keeps = what & 1;
	world.begin_error = what & 2 ? -EIO : 0;
	if (what & 4) {
		(void)world_hold(1 + small(s, 8), small(s, 8));
	} else if (world.n_held > 0) {
		world_let_go(world.held[0], 0);
	}
}

static void step(struct source *s)
{
	switch (take(s, 1) % 20) {
	case 0:
		contact(s);
		break;
	case 1:
		plain(VMBUS_REQUEST_OFFERS);
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		gpadl(s);
		break;
	case 6:
	case 7:
		open_one(s);
		break;
	case 8:
		with_relid(s, VMBUS_CLOSE_CHANNEL);
		break;
	case 9:
	case 10:
		teardown(s);
		break;
	case 11:
		with_relid(s, VMBUS_RELID_RELEASED);
		break;
	case 12:
		modify(s);
		break;
	case 13:
		raw(s);
		break;
	case 14:
		add(s);
		break;
	case 15:
		rescind(s);
		break;
	case 16:
		device(s);
		break;
	case 17:
		world.room = (unsigned)take(s, 1);
		(void)vmbus_server_pump(&world.s);
		break;
	case 18:
		plain(VMBUS_UNLOAD);
		break;
	default:
		vmbus_server_reset(&world.s);
		break;
	}
}

/* --- what must hold --- */

static void check_place(unsigned i)
{
	const struct vmbus_place *p = &world.s.places[i];
	bool open = p->state == CHANNEL_OPEN;

	FUZZ_CHECK(!p->ch || p->ch->relid == i + 1);
	FUZZ_CHECK(p->ch || p->state == CHANNEL_ABSENT || p->state == CHANNEL_RESCINDED);
	FUZZ_CHECK(!p->rescind_due || p->state == CHANNEL_RESCINDED);
	FUZZ_CHECK(world.s.version != 0 || p->state <= CHANNEL_HIDDEN);
	if (p->ch) {
		FUZZ_CHECK(p->ch->is_open == open);
		FUZZ_CHECK((p->ch->ring_gpadl != NULL) == open);
		FUZZ_CHECK(!open ||
		           (p->ch->ring_gpadl->holders > 0 && p->ch->ring_gpadl->relid == i + 1 &&
		                   !gpadl_is_retired(p->ch->ring_gpadl)));
	}
}

static void check_bytes(struct gpadl *g)
{
	uint8_t byte;

	FUZZ_CHECK(g->len > 0 && g->n_pages > 0);
	for (uint32_t at = 0; at < g->len; at += 1 + g->len / 7) {
		uint32_t len = g->len;
		uint8_t *p = gpadl_span(g, at, &len);

		FUZZ_CHECK(p >= world.ram && len > 0 && len <= g->len - at);
		FUZZ_CHECK(p + len <= world.ram + WORLD_PAGES * PAGE_SIZE);
	}
	FUZZ_CHECK(gpadl_read(g, g->len - 1, &byte, 1) == 0);
	FUZZ_CHECK(gpadl_read(g, g->len, &byte, 1) != 0);
}

static void check_gpadls(void)
{
	struct gpadl_slot *slots = world.s.gpadls.slots;
	unsigned retired = 0;

	for (unsigned i = 0; i < GPADL_MAX; i++) {
		struct gpadl_slot *a = &slots[i];

		if (a->state == GPADL_FREE) {
			continue;
		}
		retired += a->state == GPADL_RETIRED;
		FUZZ_CHECK(a->first + a->n_words <= GPADL_POOL_PAGES && a->n_words >= 2);
		FUZZ_CHECK(world.s.version != 0 || a->state == GPADL_RETIRED);
		FUZZ_CHECK(a->state != GPADL_BUILDING || a->g.holders == 0);
		for (unsigned k = 0; k < i; k++) {
			FUZZ_CHECK(slots[k].state == GPADL_FREE ||
			           a->first + a->n_words <= slots[k].first ||
			           slots[k].first + slots[k].n_words <= a->first);
		}
		if (a->state == GPADL_READY) {
			check_bytes(&a->g);
		}
	}
	FUZZ_CHECK(retired == world.s.gpadls.n_retired);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct source s = {data, len};

	world_setup(VMBUS_VERSION_MAX);
	world_add(0, 0xa0, 0);
	world_add(1, 0xa1, 0);
	if (take(&s, 1) & 1) {
		say_contact(VMBUS_VERSION(5, 3), 0);
		say_plain(VMBUS_REQUEST_OFFERS);
		say_gpadl(1, 1, 0x100, 8);
		say_open(1, 1, 0);
	}
	for (unsigned i = 0; i < MAX_STEPS && s.left > 0; i++) {
		step(&s);
		FUZZ_CHECK(world.s.n_answers <= VMBUS_OUTBOX);
		for (unsigned k = 0; k < VMBUS_MAX_CHANNELS; k++) {
			check_place(k);
		}
		check_gpadls();
	}
	/* Whatever it was: an end is an end, and devices hold nothing afterwards. */
	world.keeps = false;
	vmbus_server_reset(&world.s);
	while (world.n_held > 0) {
		world_let_go(world.held[0], 0);
	}
	world.room = 0;
	FUZZ_CHECK(!vmbus_server_pump(&world.s));
	FUZZ_CHECK(world.s.gpadls.n_retired == 0 && !gpadl_any(&world.s.gpadls, 0));
	return 0;
}
