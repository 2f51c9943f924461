/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A SCSI controller with two disks, one of which answers when it is told to, and the words of its
 * guest: what test_storvsp*.c have in common.
 */
#ifndef TESTS_STORVSP_GUEST_H
#define TESTS_STORVSP_GUEST_H

#include "devices/backend/blk_ram.h"
#include "tests/storvsp_world.h"
#include "tests/unit.h"
#include <stdlib.h>

static struct vm *vm;
static struct blk_ram disk;
static uint8_t data[512 << 10];
static void *pages[8];
static unsigned n_pages;

static inline void *alloc(uint64_t count, uint64_t align)
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

static inline int slow_submit(struct blk *blk, struct blk_req *req)
{
	(void)blk;
	queue[n_queue++] = req;
	return 0;
}

static inline void slow_complete(enum blk_status status)
{
	struct blk_req *req = queue[0];

	ck_assert_uint_gt(n_queue, 0);
	n_queue--;
	memmove(queue, queue + 1, n_queue * sizeof(queue[0]));
	req->done(req, status);
}

static inline void slow_cancel(struct blk *blk)
{
	(void)blk;
	cancels++;
	while (cancel_ends && n_queue > 0) {
		slow_complete(BLK_CANCELLED);
	}
}

static inline bool slow_drain(struct blk *blk)
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

static inline void setup(void)
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

static inline void teardown(void)
{
	while (n_pages > 0) {
		free(pages[--n_pages]);
	}
}

/* --- words of the guest --- */

static inline const struct vstor_packet *answer(unsigned w, uint64_t id)
{
	const struct world_out *out = &world[w].out[world[w].n_out - 1];

	ck_assert_uint_gt(world[w].n_out, 0);
	ck_assert(out->completion);
	ck_assert_uint_eq(out->trans_id, id);
	ck_assert_uint_eq(out->packet.operation, VSTOR_COMPLETE_IO);
	ck_assert_uint_eq(out->packet.flags, 0);
	return &out->packet;
}

static inline const struct vstor_packet *say(unsigned w, struct vstor_packet p)
{
	static uint64_t id = 1000;
	unsigned before = world[w].n_out;

	p.flags = 1;
	world_put(w, ++id, &p);
	world_work(w);
	ck_assert_uint_eq(world[w].n_out, before + 1);
	return answer(w, id);
}

static inline uint32_t status_of(const struct vstor_packet *p)
{
	return p->status;
}

#define SAY(w, ...) status_of(say(w, (struct vstor_packet){__VA_ARGS__}))

static inline void handshake(void)
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

static inline struct vstor_packet srb_of(const struct order *o)
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
static inline struct world_in *put_order(unsigned w, uint64_t id, const struct order *o)
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

static inline const struct vstor_srb *execute(unsigned w, const struct order *o)
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

#endif
