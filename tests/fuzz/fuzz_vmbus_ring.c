// SPDX-License-Identifier: BSD-2-Clause
/*
 * A guest that writes whatever it likes into its rings - data, indexes, masks - while a device
 * receives and sends. What must hold: nothing outside the rings and the device's buffer is touched,
 * what is received lies in the buffer and adds up, our indexes stay ours, and a broken ring stays
 * broken until it is opened again.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/vmbus_vm.h"
#include "vmm/lib/err.h"

#define IN_PAGES 3U
#define OUT_PAGES 3U
#define BUF_LEN 2048U
#define MAX_STEPS 400U
#define MAX_SEGS 16U

enum op {
	OP_GUEST_DATA,
	OP_GUEST_PACKET,
	OP_GUEST_WORD,
	OP_RECEIVE,
	OP_SEND,
	OP_SEND_XFER,
	OP_ROOM,
	OP_PUBLISH,
	OP_MASK,
	OP_OPEN,
	OP_COUNT
};

struct source {
	const uint8_t *data;
	size_t left;
};

static struct vmbus_channel ch;
static uint8_t *pages[IN_PAGES + OUT_PAGES]; /* each its own allocation */

static uint64_t take(struct source *s, unsigned n)
{
	uint64_t v = 0;

	n = n < s->left ? n : (unsigned)s->left;
	memcpy(&v, s->data, n);
	s->data += n;
	s->left -= n;
	return v;
}

static void open_rings(bool clear)
{
	if (clear) {
		memset(pages[0], 0, 128);
		memset(pages[IN_PAGES], 0, 128);
	}
	ch.is_open = !ring_open(&ch.in, pages, IN_PAGES, true) &&
	             !ring_open(&ch.out, pages + IN_PAGES, OUT_PAGES, false);
	ch.broken = false;
}

static void setup(void)
{
	bus_setup(1);
	ch.bus = bus;
	ch.relid = 1;
	ch.offer.name = "Fuzzed device";
	ch.target_vp = VMBUS_NO_VP;
	ch.packet_buf = malloc(BUF_LEN);
	ch.packet_buf_len = BUF_LEN;
	for (unsigned i = 0; i < IN_PAGES + OUT_PAGES; i++) {
		pages[i] = calloc(1, PAGE_SIZE);
	}
}

static uint8_t *in_byte(uint32_t at)
{
	at %= (IN_PAGES - 1) * PAGE_SIZE;
	return &pages[1 + at / PAGE_SIZE][at % PAGE_SIZE];
}

/* Bytes into the data of the guest's ring. */
static void guest_data(struct source *s, uint32_t at, unsigned n)
{
	for (unsigned i = 0; i < n && s->left; i++) {
		*in_byte(at + i) = (uint8_t)take(s, 1);
	}
}

/* A packet whose descriptor makes sense more often than not, at the write index. */
static void guest_packet(struct source *s)
{
	static const uint16_t types[] = {6, 9, 9, 9, 7, 11, 8, 0};
	struct ring_header *h = (struct ring_header *)pages[0];
	uint32_t size = (IN_PAGES - 1) * PAGE_SIZE, at = h->write_index % size & ~7U;
	uint32_t len = (uint32_t)take(s, 1) * 8 + 16;
	struct ring_desc d = {.type = types[take(s, 1) % ARRAY_SIZE(types)],
	        .data_offset = (uint16_t)(2 + take(s, 1) % 32),
	        .len = (uint16_t)(len / 8),
	        .flags = (uint16_t)(take(s, 1) & 1),
	        .trans_id = take(s, 2)};

	for (unsigned i = 0; i < sizeof(d); i++) {
		*in_byte(at + i) = ((const uint8_t *)&d)[i];
	}
	guest_data(s, at + sizeof(d), (unsigned)(take(s, 1) % len));
	h->write_index = (at + len + 8) % size;
}

static void guest_word(struct source *s)
{
	uint32_t *header = (uint32_t *)pages[take(s, 1) & 1 ? IN_PAGES : 0];
	uint32_t value = (uint32_t)take(s, 4);

	if (value & 0x80000000U) {
		value = value % (2 * PAGE_SIZE) & ~7U; /* one that may be */
	}
	header[take(s, 1) % 17] = value;
}

static void receive(struct source *s)
{
	struct vmbus_packet p;
	struct io_seg segs[MAX_SEGS];
	bool was_broken = ch.broken;
	unsigned max = 1 + (unsigned)take(s, 1) % MAX_SEGS;
	int got = channel_receive(&ch, &p), n;
	uint64_t sum = 0;

	FUZZ_CHECK(got == 1 || got == 0 || got == -EPROTO);
	FUZZ_CHECK(ch.broken == (was_broken || got == -EPROTO));
	FUZZ_CHECK(!was_broken || got == -EPROTO);
	if (got != 1) {
		return;
	}
	FUZZ_CHECK(p.payload >= ch.packet_buf && p.payload_len <= BUF_LEN);
	FUZZ_CHECK(p.payload + p.payload_len <= ch.packet_buf + BUF_LEN);
	n = channel_segs(&ch, &p, segs, max);
	FUZZ_CHECK(n <= (int)max);
	FUZZ_CHECK(n >= 0 || n == -EFAULT || n == -ENOSPC);
	FUZZ_CHECK(p.type == RING_PACKET_GPA_DIRECT || n == 0);
	for (int i = 0; i < n; i++) {
		/* ASan looks at both ends. */
		sum += segs[i].hva[0] & 0;
		sum += segs[i].hva[segs[i].len - 1] & 0;
		sum += segs[i].len;
	}
	FUZZ_CHECK(n < 0 || p.type != RING_PACKET_GPA_DIRECT || sum == p.ranges_len);
}

static void send_something(struct source *s, bool xfer)
{
	static uint8_t payload[3 * PAGE_SIZE];
	static struct vmbus_xfer_range ranges[64];
	unsigned n = xfer ? (unsigned)take(s, 1) % ARRAY_SIZE(ranges) : 0;
	uint32_t len = (uint32_t)take(s, 2) % (uint32_t)sizeof(payload);
	bool room = channel_has_room(&ch, len, n);
	int err = xfer ? channel_send_xfer(&ch, 1, 2, ranges, n, payload, len)
	               : channel_send(&ch, 1, false, payload, len);

	FUZZ_CHECK(err == 0 || err == -EAGAIN || err == -ENOTCONN);
	/* The reader may have nonsense in its index: then both say no. */
	FUZZ_CHECK(!room || err == 0 || (xfer && n == 0));
}

static void step(struct source *s)
{
	switch ((enum op)(take(s, 1) % OP_COUNT)) {
	case OP_GUEST_DATA: {
		uint32_t at = (uint32_t)take(s, 2);

		guest_data(s, at, (unsigned)take(s, 1));
		break;
	}
	case OP_GUEST_PACKET:
		guest_packet(s);
		break;
	case OP_GUEST_WORD:
		guest_word(s);
		break;
	case OP_RECEIVE:
		receive(s);
		break;
	case OP_SEND:
		send_something(s, false);
		break;
	case OP_SEND_XFER:
		send_something(s, true);
		break;
	case OP_ROOM:
		(void)!channel_has_room(&ch, (uint32_t)take(s, 4), (unsigned)take(s, 1));
		break;
	case OP_PUBLISH:
		(void)!ring_read_done(&ch.in);
		(void)!ring_write_done(&ch.out);
		FUZZ_CHECK(ch.in.shown == ch.in.own && ch.out.shown == ch.out.own);
		break;
	case OP_MASK:
		ring_mask(&ch.in);
		(void)!ring_unmask(&ch.in);
		break;
	case OP_OPEN:
		open_rings(take(s, 1) & 1);
		if (!ch.is_open) {
			open_rings(true);
		}
		break;
	case OP_COUNT:
		break;
	}
	FUZZ_CHECK(ch.in.own < ch.in.size && ch.in.own % 8 == 0);
	FUZZ_CHECK(ch.out.own < ch.out.size && ch.out.own % 8 == 0);
	FUZZ_CHECK(ring_fill(&ch.in, true) < ch.in.size);
	FUZZ_CHECK(ring_fill(&ch.out, false) < ch.out.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct source s = {.data = data, .left = len};

	if (!pages[0]) {
		setup();
	}
	for (unsigned i = 0; i < IN_PAGES + OUT_PAGES; i++) {
		memset(pages[i], 0, PAGE_SIZE);
	}
	open_rings(true);
	for (unsigned i = 0; i < MAX_STEPS && s.left; i++) {
		step(&s);
	}
	return 0;
}
