// SPDX-License-Identifier: BSD-2-Clause
// The SCSI controller: its handshake, requests, resets, back pressure, units that come and go.
#include "devices/backend/blk_ram.h"
#include "tests/storvsp_world.h"
#include "tests/unit.h"
#include <stdlib.h>

static struct vm *vm;
static struct blk_ram disk;
static uint8_t data[512 << 10];
static void *pages[8];
static unsigned n_pages;

static void *alloc(uint64_t count, uint64_t align)
{
	void *p;

	ck_assert_int_eq(posix_memalign(&p, align, count * PAGE_SIZE), 0);
	pages[n_pages++] = p;
	return memset(p, 0, count * PAGE_SIZE);
}

/* --- a back end that completes when told to --- */

static struct blk_req *queue[STORVSP_SLOTS];
static unsigned n_queue, cancels;
static bool cancel_ends; /* what waits ends with cancel(), or only with drain() */

static int slow_submit(struct blk *blk, struct blk_req *req)
{
	(void)blk;
	queue[n_queue++] = req;
	return 0;
}

static void slow_complete(enum blk_status status)
{
	struct blk_req *req = queue[0];

	ck_assert_uint_gt(n_queue, 0);
	n_queue--;
	memmove(queue, queue + 1, n_queue * sizeof(queue[0]));
	req->done(req, status);
}

static void slow_cancel(struct blk *blk)
{
	(void)blk;
	cancels++;
	while (cancel_ends && n_queue > 0) {
		slow_complete(BLK_CANCELLED);
	}
}

static bool slow_drain(struct blk *blk)
{
	(void)blk;
	if (n_queue > 0) {
		slow_complete(BLK_OK);
	}
	return n_queue == 0;
}

static const struct blk_ops slow_ops = {
        .submit = slow_submit, .cancel = slow_cancel, .drain = slow_drain};
static const struct blk a_slow_one = {
        .ops = &slow_ops,
        .size = 4 << 20,
        .block_size = 512,
        .max_segs = STORVSP_MAX_SEGS,
        .max_len = SCSI_MAX_ZERO,
        .seg_align = 1,
};
static struct blk slow;

static void setup(void)
{
	struct blk_ram_params p = {.size = 4 << 20, .block_size = 512, .alloc = alloc};
	struct blk *blks[] = {&disk.blk, &slow};

	vm = fake_vm(4 << 20, 4);
	blk_make_id(p.id, "fake", 0);
	ck_assert_int_eq(blk_ram_attach(&disk, &p), 0);
	slow = a_slow_one;
	n_queue = 0;
	cancels = 0;
	cancel_ends = true;
	world_reset(vm, blks, 2);
}

static void teardown(void)
{
	while (n_pages > 0) {
		free(pages[--n_pages]);
	}
}

/* --- words of the guest --- */

static const struct vstor_packet *answer(unsigned w, uint64_t id)
{
	const struct world_out *out = &world[w].out[world[w].n_out - 1];

	ck_assert_uint_gt(world[w].n_out, 0);
	ck_assert(out->completion);
	ck_assert_uint_eq(out->trans_id, id);
	ck_assert_uint_eq(out->packet.operation, VSTOR_COMPLETE_IO);
	ck_assert_uint_eq(out->packet.flags, 0);
	return &out->packet;
}

static const struct vstor_packet *say(unsigned w, struct vstor_packet p)
{
	static uint64_t id = 1000;
	unsigned before = world[w].n_out;

	p.flags = 1;
	world_put(w, ++id, &p);
	world_work(w);
	ck_assert_uint_eq(world[w].n_out, before + 1);
	return answer(w, id);
}

static uint32_t status_of(const struct vstor_packet *p)
{
	return p->status;
}

#define SAY(w, ...) status_of(say(w, (struct vstor_packet){__VA_ARGS__}))

static void handshake(void)
{
	ck_assert_int_eq(world_open(0), 0);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_BEGIN_INITIALIZATION), VSTOR_SUCCESS);
	ck_assert_uint_eq(
	        SAY(0, .operation = VSTOR_QUERY_PROTOCOL_VERSION, .version = 0x602), VSTOR_SUCCESS);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_END_INITIALIZATION), VSTOR_SUCCESS);
}

struct order {
	uint8_t path, target, lun, cdb[16], cdb_len;
	uint32_t data_len;
};

static struct vstor_packet srb_of(const struct order *o)
{
	struct vstor_packet p = {.operation = VSTOR_EXECUTE_SRB, .flags = 1};

	p.srb.length = sizeof(p.srb);
	p.srb.path = o->path;
	p.srb.target = o->target;
	p.srb.lun = o->lun;
	p.srb.cdb_len = o->cdb_len;
	p.srb.data_len = o->data_len;
	memcpy(p.srb.cdb, o->cdb, sizeof(o->cdb));
	return p;
}

/* Its data in pages, the first one from its middle on. */
static struct world_in *put_order(unsigned w, uint64_t id, const struct order *o)
{
	struct vstor_packet p = srb_of(o);
	struct world_in *in = world_put(w, id, &p);

	in->ranges_len = o->data_len;
	in->type = o->data_len ? RING_PACKET_GPA_DIRECT : RING_PACKET_INBAND;
	for (uint32_t at = 0; at < o->data_len;) {
		uint32_t n = at == 0 ? 2048 : 4096;

		n = n < o->data_len - at ? n : o->data_len - at;
		in->segs[in->n_segs++] = (struct io_seg){.hva = data + at, .len = n};
		at += n;
	}
	return in;
}

static const struct vstor_srb *execute(unsigned w, const struct order *o)
{
	static uint64_t id = 5000;

	put_order(w, ++id, o);
	world_work(w);
	ck_assert_uint_eq(answer(w, id)->status, VSTOR_SUCCESS);
	return &answer(w, id)->srb;
}

#define READ_10(l, n) \
	{ \
		.lun = (l), .cdb = {0x28, [7] = (uint8_t)((n) >> 8), (uint8_t)(n)}, .cdb_len = 10, \
		.data_len = (n)*512U \
	}

/* --- the handshake --- */

START_TEST(linux_handshake)
{
	const struct vstor_packet *p;

	ck_assert_int_eq(storvsp_attach(&sp, NULL), 0);
	ck_assert(world[0].added);
	ck_assert_str_eq(sp.channels[0].ch.offer.name, "Synthetic SCSI Controller");
	ck_assert_int_eq(world_open(0), 0);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_BEGIN_INITIALIZATION), VSTOR_SUCCESS);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_QUERY_PROTOCOL_VERSION, .version = 0x700),
	        VSTOR_REVISION_MISMATCH);
	ck_assert_uint_eq(
	        SAY(0, .operation = VSTOR_QUERY_PROTOCOL_VERSION, .version = 0x602), VSTOR_SUCCESS);
	p = say(0, (struct vstor_packet){.operation = VSTOR_QUERY_PROPERTIES});
	ck_assert_uint_eq(p->status, VSTOR_SUCCESS);
	ck_assert_uint_eq(p->properties.max_sub_channels, 3);
	ck_assert_uint_eq(p->properties.flags, VSTOR_MULTI_CHANNEL);
	ck_assert_uint_eq(p->properties.max_transfer, 256 << 10);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_END_INITIALIZATION), VSTOR_SUCCESS);
	ck_assert_uint_eq(
	        SAY(0, .operation = VSTOR_CREATE_SUB_CHANNELS, .sub_channels = 3), VSTOR_SUCCESS);
	ck_assert(world[1].added && world[2].added && world[3].added && !world[4].added);
	ck_assert_uint_eq(sp.channels[3].ch.offer.sub_index, 3);
	ck_assert(guid_equal(&sp.channels[0].ch.offer.instance, &sp.channels[3].ch.offer.instance));
}
END_TEST

/* What a back end cannot take as it comes must not come to it. */
START_TEST(back_ends)
{
	static const struct {
		size_t at;
		uint32_t bad;
	} rows[] = {
	        {offsetof(struct blk, seg_align), 512},
	        {offsetof(struct blk, seg_align), 0},
	        {offsetof(struct blk, max_segs), STORVSP_MAX_SEGS - 1},
	        {offsetof(struct blk, max_len), SCSI_MAX_ZERO - 1},
	        {offsetof(struct blk, block_size), 256},
	        {offsetof(struct blk, block_size), 1536},
	        {offsetof(struct blk, block_size), 8192},
	        {offsetof(struct blk, size), 4096 + 1},
	        {offsetof(struct blk, size), 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		slow = a_slow_one;
		memcpy((uint8_t *)&slow + rows[i].at, &rows[i].bad, sizeof(rows[i].bad));
		ck_assert_int_eq(storvsp_attach(&sp, NULL), -EINVAL);
		ck_assert(!world[0].added);
	}
	slow = a_slow_one;
	ck_assert_int_eq(storvsp_attach(&sp, NULL), 0);
}
END_TEST

START_TEST(windows_order)
{
	ck_assert_int_eq(world_open(0), 0);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_BEGIN_INITIALIZATION), VSTOR_SUCCESS);
	ck_assert_uint_eq(
	        SAY(0, .operation = VSTOR_QUERY_PROTOCOL_VERSION, .version = 0x602), VSTOR_SUCCESS);
	ck_assert_uint_eq(
	        SAY(0, .operation = VSTOR_CREATE_SUB_CHANNELS, .sub_channels = 1), VSTOR_SUCCESS);
	ck_assert(world[1].added && !world[2].added);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_END_INITIALIZATION), VSTOR_SUCCESS);
}
END_TEST

static const uint16_t versions[] = {0x200, 0x402, 0x501, 0x600, 0x602};

START_TEST(all_versions)
{
	ck_assert_int_eq(world_open(0), 0);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_BEGIN_INITIALIZATION), VSTOR_SUCCESS);
	ck_assert_uint_eq(
	        SAY(0, .operation = VSTOR_QUERY_PROTOCOL_VERSION, .version = versions[_i]),
	        VSTOR_SUCCESS);
	ck_assert_uint_eq(sp.version, versions[_i]);
}
END_TEST

/* What each step says before its time. */
START_TEST(wrong_order)
{
	static const struct {
		uint32_t operation, status[4]; /* open, begun, version, ready */
	} rows[] = {
	        {VSTOR_QUERY_PROTOCOL_VERSION,
	                {VSTOR_INVALID_STATE, VSTOR_REVISION_MISMATCH, VSTOR_REVISION_MISMATCH,
	                        VSTOR_INVALID_STATE}},
	        {VSTOR_QUERY_PROPERTIES,
	                {VSTOR_INVALID_STATE, VSTOR_INVALID_STATE, VSTOR_SUCCESS, VSTOR_SUCCESS}},
	        {VSTOR_CREATE_SUB_CHANNELS,
	                {VSTOR_INVALID_STATE, VSTOR_INVALID_STATE, VSTOR_SUCCESS, VSTOR_SUCCESS}},
	        {VSTOR_EXECUTE_SRB, {VSTOR_INVALID_STATE, VSTOR_INVALID_STATE, VSTOR_INVALID_STATE,
	                                    VSTOR_SUCCESS}},
	        {VSTOR_RESET_BUS, {VSTOR_SUCCESS, VSTOR_SUCCESS, VSTOR_SUCCESS, VSTOR_SUCCESS}},
	        {VSTOR_COMPLETE_IO, {[0 ... 3] = VSTOR_INVALID_PARAMETER}},
	        {VSTOR_FC_HBA_DATA, {[0 ... 3] = VSTOR_INVALID_PARAMETER}},
	        {VSTOR_EVENT_NOTIFICATION, {[0 ... 3] = VSTOR_INVALID_PARAMETER}},
	        {0, {[0 ... 3] = VSTOR_INVALID_PARAMETER}},
	        {15, {[0 ... 3] = VSTOR_INVALID_PARAMETER}},
	        {0xffffffff, {[0 ... 3] = VSTOR_INVALID_PARAMETER}},
	};

	ck_assert_int_eq(world_open(0), 0);
	for (unsigned state = 0; state < 4; state++) {
		if (state == 1) {
			SAY(0, .operation = VSTOR_BEGIN_INITIALIZATION);
		} else if (state == 2) {
			SAY(0, .operation = VSTOR_QUERY_PROTOCOL_VERSION, .version = 0x600);
		} else if (state == 3) {
			SAY(0, .operation = VSTOR_END_INITIALIZATION);
		}
		for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
			uint32_t status = SAY(0, .operation = rows[i].operation);

			ck_assert_msg(status == rows[i].status[state],
			        "state %u, operation %u: %08x", state, rows[i].operation, status);
		}
	}
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_CREATE_SUB_CHANNELS, .sub_channels = 4),
	        VSTOR_INVALID_PARAMETER);
	/* A driver that comes back begins again; until it is through, there are no commands. */
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_BEGIN_INITIALIZATION), VSTOR_SUCCESS);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_EXECUTE_SRB), VSTOR_INVALID_STATE);
	/* The handshake is the primary channel's. */
	handshake();
	ck_assert_int_eq(world_open(1), 0);
	ck_assert_uint_eq(SAY(1, .operation = VSTOR_BEGIN_INITIALIZATION), VSTOR_INVALID_PARAMETER);
	ck_assert_uint_eq(SAY(1, .operation = VSTOR_EXECUTE_SRB), VSTOR_SUCCESS);
}
END_TEST

START_TEST(one_vcpu)
{
	struct blk *blks[] = {&disk.blk};

	vm = fake_vm(4 << 20, 1);
	world_reset(vm, blks, 1);
	ck_assert_int_eq(world_open(0), 0);
	SAY(0, .operation = VSTOR_BEGIN_INITIALIZATION);
	SAY(0, .operation = VSTOR_QUERY_PROTOCOL_VERSION, .version = 0x602);
	ck_assert_uint_eq(say(0, (struct vstor_packet){.operation = VSTOR_QUERY_PROPERTIES})
	                          ->properties.flags,
	        0);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_CREATE_SUB_CHANNELS, .sub_channels = 1),
	        VSTOR_INVALID_PARAMETER);
}
END_TEST

/* Older clients send 48 bytes; less is no packet, more is not looked at. */
START_TEST(lengths)
{
	struct vstor_packet p = {.operation = VSTOR_BEGIN_INITIALIZATION, .flags = 1};
	struct world_in *in;

	ck_assert_int_eq(world_open(0), 0);
	in = world_put(0, 1, &p);
	in->len = 47;
	world_work(0);
	ck_assert_uint_eq(answer(0, 1)->status, VSTOR_INVALID_PARAMETER);
	in = world_put(0, 2, &p);
	in->len = 48;
	world_work(0);
	ck_assert_uint_eq(answer(0, 2)->status, VSTOR_SUCCESS);
	in = world_put(0, 3, &p);
	in->len = 80;
	world_work(0);
	ck_assert_uint_eq(answer(0, 3)->status, VSTOR_SUCCESS);
	in = world_put(0, 4, &p);
	in->len = 0;
	world_work(0);
	ck_assert_uint_eq(answer(0, 4)->status, VSTOR_INVALID_PARAMETER);
	/* Other kinds of packet; and nobody waits for the last one. */
	in = world_put(0, 5, &p);
	in->type = RING_PACKET_XFER_PAGES;
	world_work(0);
	ck_assert_uint_eq(answer(0, 5)->status, VSTOR_INVALID_PARAMETER);
	in = world_put(0, 6, &p);
	in->wants_completion = false;
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 5);
	ck_assert_uint_eq(sp.stats.ignored, 1);
}
END_TEST

/* --- commands --- */

START_TEST(commands)
{
	const struct vstor_srb *srb;
	struct order write = {.cdb = {0x2a, [5] = 8, [8] = 16}, .cdb_len = 10, .data_len = 8192};
	struct order read = {.cdb = {0x28, [5] = 8, [8] = 16}, .cdb_len = 10, .data_len = 8192};

	handshake();
	memset(data, 0x5a, 8192);
	srb = execute(0, &write);
	ck_assert_uint_eq(srb->srb_status, SRB_SUCCESS);
	ck_assert_uint_eq(srb->scsi_status, 0);
	ck_assert_uint_eq(srb->data_len, 8192);
	ck_assert_uint_eq(srb->sense_len, 0);
	memset(data, 0, 8192);
	srb = execute(0, &read);
	ck_assert_uint_eq(srb->srb_status, SRB_SUCCESS);
	ck_assert_uint_eq(data[0], 0x5a);
	ck_assert_uint_eq(data[8191], 0x5a);
	/* The shorter of what the request says and what it brings. */
	read.cdb[8] = 8;
	put_order(0, 1, &read)->ranges_len = 4096;
	world_work(0);
	ck_assert_uint_eq(answer(0, 1)->srb.srb_status, SRB_SUCCESS);
	ck_assert_uint_eq(answer(0, 1)->srb.data_len, 4096);
	read.cdb[8] = 16;
	put_order(0, 2, &read)->ranges_len = 4096;
	world_work(0);
	srb = &answer(0, 2)->srb;
	ck_assert_uint_eq(srb->srb_status, SRB_ERROR | SRB_AUTOSENSE);
	ck_assert_uint_eq(srb->scsi_status, SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(srb->data_len, 0);
	ck_assert_uint_eq(srb->sense_len, 18);
	ck_assert_mem_eq(srb->cdb, "\x70\0\x05\0\0\0\0\x0a\0\0\0\0\x24\0\0\0\0\0\0\0", 20);
	ck_assert_uint_eq(sp.stats.refused, 0);
}
END_TEST

START_TEST(senseless)
{
	struct order o = READ_10(0, 8);

	handshake();
	put_order(0, 1, &o)->n_segs = -EFAULT;
	world_work(0);
	ck_assert_uint_eq(answer(0, 1)->srb.srb_status, SRB_INVALID_REQUEST);
	ck_assert_uint_eq(answer(0, 1)->srb.data_len, 0);
	put_order(0, 2, &o)->n_segs = STORVSP_MAX_SEGS + 1;
	world_work(0);
	ck_assert_uint_eq(answer(0, 2)->srb.srb_status, SRB_INVALID_REQUEST);
	o.cdb_len = 17;
	ck_assert_uint_eq(execute(0, &o)->srb_status, SRB_INVALID_REQUEST);
	ck_assert_uint_eq(sp.stats.refused, 3);
	ck_assert_uint_eq(disk.blk.stats.reads, 0);
}
END_TEST

START_TEST(addresses)
{
	struct order inquiry = {.cdb = {0x12, 0, 0, 0, 36}, .cdb_len = 6, .data_len = 36};
	struct order luns = {.cdb = {0xa0, [9] = 64}, .cdb_len = 12, .data_len = 64};
	struct order ready = {.cdb_len = 6};

	handshake();
	ck_assert_uint_eq(execute(0, &inquiry)->data_len, 36);
	ck_assert_uint_eq(data[0], 0);
	for (unsigned i = 0; i < 4; i++) {
		inquiry.path = i == 0;
		inquiry.target = i == 1;
		inquiry.lun = i == 2 ? 2 : i == 3 ? 255 : 0;
		memset(data, 0, 36);
		ck_assert_uint_eq(execute(0, &inquiry)->srb_status, SRB_SUCCESS);
		ck_assert_uint_eq(world[0].out[world[0].n_out - 1].packet.srb.data_len, 36);
		ck_assert_uint_eq(data[0], 0x7f);
	}
	ready.lun = 2;
	ck_assert_uint_eq(execute(0, &ready)->srb_status, SRB_INVALID_LUN | SRB_AUTOSENSE);
	ready.lun = 1;
	ck_assert_uint_eq(execute(0, &ready)->srb_status, SRB_SUCCESS);
	ready.target = 1;
	ck_assert_uint_eq(execute(0, &ready)->srb_status, SRB_INVALID_LUN | SRB_AUTOSENSE);
	ck_assert_uint_eq(execute(0, &luns)->data_len, 24);
	ck_assert_uint_eq(data[3], 16);
	luns.target = 1;
	ck_assert_uint_eq(execute(0, &luns)->data_len, 8);
	ck_assert_uint_eq(data[3], 0);
}
END_TEST

/* --- in flight --- */

START_TEST(out_of_order)
{
	struct order late = READ_10(1, 8), quick = READ_10(0, 8);

	handshake();
	put_order(0, 1, &late);
	put_order(0, 2, &quick);
	world[0].n_out = 0;
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 1);
	answer(0, 2);
	slow_complete(BLK_OK);
	ck_assert_uint_eq(world[0].kicks, 1);
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 2);
	ck_assert_uint_eq(answer(0, 1)->srb.data_len, 4096);
}
END_TEST

/* As many as there are slots, of all channels; the next when one of those is done. */
START_TEST(slots)
{
	struct order o = READ_10(1, 8);

	handshake();
	ck_assert_int_eq(world_open(1), 0);
	for (unsigned i = 0; i < STORVSP_SLOTS + 2; i++) {
		put_order(0, i + 1, &o);
	}
	world[0].n_out = 0;
	world_work(0);
	ck_assert_uint_eq(n_queue, STORVSP_SLOTS);
	put_order(1, 77, &o);
	world_work(1);
	ck_assert_uint_eq(n_queue, STORVSP_SLOTS);
	slow_complete(BLK_OK);
	world_work(0);
	/* The slot went to who asked; the other one is told, too, and finds none. */
	ck_assert_uint_eq(world[0].n_out, 1);
	ck_assert_uint_eq(world[1].kicks, 1);
	world_work(1);
	while (n_queue > 0) {
		slow_complete(BLK_OK);
		world_work(0);
		world_work(1);
	}
	ck_assert_uint_eq(world[0].n_out, STORVSP_SLOTS + 2);
	ck_assert_uint_eq(world[1].n_out, 1);
	answer(1, 77);
}
END_TEST

START_TEST(ring_full)
{
	struct order late = READ_10(1, 8), quick = READ_10(0, 8);

	handshake();
	world[0].n_out = 0;
	world[0].room = 0;
	for (unsigned i = 0; i < 6; i++) {
		put_order(0, i + 1, &quick);
	}
	world_work(0);
	/* Nothing is taken that could not be answered. */
	ck_assert_uint_eq(world[0].taken, world[0].n_in - 6);
	world[0].room = 4;
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 4);
	ck_assert_uint_eq(world[0].taken, world[0].n_in - 2);
	world[0].room = 3;
	put_order(0, 7, &late);
	put_order(0, 8, &late);
	put_order(0, 9, &quick);
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 7);
	ck_assert_uint_eq(n_queue, 2);
	/* Completions that find no room are kept, in order, and nothing is taken meanwhile. */
	slow_complete(BLK_OK);
	slow_complete(BLK_OK);
	ck_assert(!sp.channels[0].ch.ops->work(&sp.channels[0].ch, 4));
	put_order(0, 10, &quick);
	world[0].room = 1;
	world_work(0);
	answer(0, 7);
	ck_assert_uint_eq(world[0].n_out, 8);
	world[0].room = 5;
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 10);
	answer(0, 10);
	ck_assert_uint_eq(world[0].out[8].trans_id, 8);
}
END_TEST

START_TEST(budget)
{
	struct order o = READ_10(0, 512);

	handshake();
	world[0].n_out = 0;
	for (unsigned i = 0; i < 20; i++) {
		put_order(0, i + 1, &o);
	}
	ck_assert(sp.channels[0].ch.ops->work(&sp.channels[0].ch, 3));
	ck_assert_uint_eq(world[0].n_out, 3);
	/* 4 MiB are enough, whatever the budget. */
	ck_assert(sp.channels[0].ch.ops->work(&sp.channels[0].ch, 1000));
	ck_assert_uint_eq(world[0].n_out, 3 + 16);
	ck_assert(!sp.channels[0].ch.ops->work(&sp.channels[0].ch, 1000));
	ck_assert_uint_eq(world[0].n_out, 20);
}
END_TEST

/* A reset is answered behind what came before it, and holds up what comes after. */
START_TEST(resets)
{
	struct order late = READ_10(1, 8), quick = READ_10(0, 8);
	struct vstor_packet p = {.operation = VSTOR_RESET_BUS, .flags = 1};

	handshake();
	world[0].n_out = 0;
	put_order(0, 1, &late);
	put_order(0, 2, &late);
	world_put(0, 3, &p);
	put_order(0, 4, &quick);
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 0);
	slow_complete(BLK_OK);
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 1);
	slow_complete(BLK_OK);
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 4);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(world[0].out[i].trans_id, i + 1);
	}
	ck_assert_uint_eq(world[0].out[2].packet.status, VSTOR_SUCCESS);
}
END_TEST

static unsigned free_slots(void)
{
	unsigned n = 0;

	for (const struct storvsp_slot *slot = sp.free; slot; slot = slot->next) {
		n++;
	}
	return n;
}

/* Closed with requests everywhere: units, behind a reset, finished but not sent. */
START_TEST(closing)
{
	struct order late = READ_10(1, 8);
	struct vstor_packet p = {.operation = VSTOR_RESET_BUS, .flags = 1};

	for (unsigned how = 0; how < 2; how++) {
		cancel_ends = how == 0;
		handshake();
		ck_assert_int_eq(world_open(1), 0);
		world[0].n_out = 0;
		for (unsigned i = 0; i < 3; i++) {
			put_order(0, i + 1, &late);
		}
		world_put(0, 3, &p);
		put_order(1, 9, &late);
		world_work(0);
		world_work(1);
		slow_complete(BLK_OK);
		ck_assert_uint_eq(n_queue, 3);
		world_close(1);
		ck_assert_uint_eq(sp.channels[1].executing, 0);
		world_close(0);
		ck_assert_uint_eq(n_queue, 0);
		ck_assert_uint_gt(cancels, 0);
		ck_assert_uint_eq(world[0].n_out, 0);
		ck_assert_uint_eq(free_slots(), STORVSP_SLOTS);
		ck_assert_ptr_null(sp.channels[0].barrier);
		ck_assert_ptr_null(sp.channels[0].finished);
	}
	/* And opened again. */
	handshake();
}
END_TEST

/* A sub-channel that is closed lets those of the others end as they do. */
START_TEST(siblings)
{
	struct order late = READ_10(1, 8);

	handshake();
	ck_assert_int_eq(world_open(1), 0);
	ck_assert_int_eq(world_open(2), 0);
	put_order(0, 1, &late);
	put_order(1, 2, &late);
	put_order(2, 3, &late);
	for (unsigned w = 0; w < 3; w++) {
		world[w].n_out = 0;
		world_work(w);
	}
	ck_assert_uint_eq(n_queue, 3);
	world_close(1);
	ck_assert_uint_eq(sp.channels[1].executing, 0);
	ck_assert_uint_eq(world[1].n_out, 0);
	while (n_queue > 0) {
		slow_complete(BLK_OK);
	}
	world_work(0);
	ck_assert_uint_eq(answer(0, 1)->srb.srb_status, SRB_SUCCESS);
	world_work(2);
	ck_assert_uint_eq(answer(2, 3)->srb.srb_status, SRB_SUCCESS);
}
END_TEST

START_TEST(broken_ring)
{
	struct order late = READ_10(1, 8);

	handshake();
	put_order(0, 1, &late);
	world_work(0);
	world[0].broken = true;
	world[0].n_out = 0;
	slow_complete(BLK_OK);
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 0);
	ck_assert_uint_eq(free_slots(), STORVSP_SLOTS);
}
END_TEST

/* --- plugging --- */

START_TEST(plugging)
{
	struct order ready = {.cdb_len = 6}, late = READ_10(1, 8);
	unsigned n;

	ck_assert_int_eq(storvsp_plug(&sp, 2, true), -ENOENT);
	ck_assert_int_eq(storvsp_plug(&sp, 2, false), -ENOENT);
	ck_assert_int_eq(storvsp_plug(&sp, 0, true), -EEXIST);
	/* Before there is a driver: it looks by itself when it comes. */
	ck_assert_int_eq(storvsp_plug(&sp, 0, false), 0);
	ck_assert_int_eq(storvsp_plug(&sp, 0, false), -EEXIST);
	handshake();
	world_work(0);
	ck_assert_uint_eq(sp.stats.announced, 0);
	ck_assert_uint_eq(execute(0, &ready)->srb_status, SRB_INVALID_LUN | SRB_AUTOSENSE);
	/* Told when there is room. */
	n = world[0].n_out;
	world[0].room = 0;
	ck_assert_int_eq(storvsp_plug(&sp, 0, true), 0);
	ck_assert_uint_eq(world[0].kicks, 1);
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, n);
	world[0].room = 100;
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, n + 1);
	ck_assert(!world[0].out[n].completion);
	ck_assert_uint_eq(world[0].out[n].trans_id, 0);
	ck_assert_uint_eq(world[0].out[n].packet.operation, VSTOR_ENUMERATE_BUS);
	ck_assert_uint_eq(execute(0, &ready)->srb_status, SRB_SUCCESS);
	/* Pulled under a command. */
	put_order(0, 1, &late);
	world_work(0);
	ck_assert_int_eq(storvsp_plug(&sp, 1, false), 0);
	world_work(0);
	ck_assert_uint_eq(sp.stats.announced, 2);
	ck_assert_uint_eq(n_queue, 0);
	ready.lun = 1;
	ck_assert_uint_eq(execute(0, &ready)->srb_status, SRB_INVALID_LUN | SRB_AUTOSENSE);
	ck_assert_int_eq(storvsp_plug(&sp, 1, true), 0);
	ck_assert_uint_eq(execute(0, &ready)->srb_status, SRB_SUCCESS);
}
END_TEST

static char text[4096];

static void write_text(struct out *out, const char *s, size_t n)
{
	(void)out;
	strncat(text, s, n);
}

START_TEST(dumps)
{
	struct out out = {.write = write_text};
	struct order ready = {.cdb_len = 6};

	text[0] = '\0';
	sp.channels[0].ch.ops->dump(&sp.channels[0].ch, &out);
	ck_assert_ptr_nonnull(strstr(text, "closed"));
	handshake();
	execute(0, &ready);
	text[0] = '\0';
	sp.channels[0].ch.ops->dump(&sp.channels[0].ch, &out);
	ck_assert_ptr_nonnull(strstr(text, "ready, protocol 6.2, 0 executing\n"));
	ck_assert_ptr_nonnull(strstr(text, "  requests 4, refused 0"));
	sp.channels[1].ch.ops->dump(&sp.channels[1].ch, &out);
	ck_assert_ptr_nonnull(strstr(text, "sub-channel"));
}
END_TEST

UNIT_MAIN("storvsp", tcase_add_checked_fixture(tc, setup, teardown);
          tcase_add_test(tc, linux_handshake); tcase_add_test(tc, back_ends);
          tcase_add_test(tc, windows_order);
          tcase_add_loop_test(tc, all_versions, 0, ARRAY_SIZE(versions));
          tcase_add_test(tc, wrong_order); tcase_add_test(tc, one_vcpu);
          tcase_add_test(tc, lengths); tcase_add_test(tc, commands); tcase_add_test(tc, senseless);
          tcase_add_test(tc, addresses); tcase_add_test(tc, out_of_order);
          tcase_add_test(tc, slots); tcase_add_test(tc, ring_full); tcase_add_test(tc, budget);
          tcase_add_test(tc, resets); tcase_add_test(tc, closing); tcase_add_test(tc, siblings);
          tcase_add_test(tc, broken_ring); tcase_add_test(tc, plugging); tcase_add_test(tc, dumps);)
