// SPDX-License-Identifier: BSD-2-Clause
// SCSI commands over a back end that takes its time, refuses, and fails.
#include "tests/scsi_world.h"

static struct blk_req *waiting;
static unsigned submitted, refuse_at;

static int slow_submit(struct blk *blk, struct blk_req *r)
{
	(void)blk;
	if (++submitted == refuse_at) {
		return -EAGAIN;
	}
	ck_assert_ptr_null(waiting);
	waiting = r;
	return 0;
}

static const struct blk_ops slow_ops = {.submit = slow_submit};
static struct blk slow = {.ops = &slow_ops, .size = 4 << 20, .block_size = 512};

static void complete(enum blk_status status)
{
	struct blk_req *r = waiting;

	waiting = NULL;
	r->done(r, status);
}

static void slow_setup(void)
{
	setup();
	lun.blk = &slow;
	waiting = NULL;
	submitted = 0;
	refuse_at = 0;
}

static const struct {
	enum blk_status status;
	uint32_t on_read, on_write;
} failures[] = {
        {BLK_READ_ONLY, 0x072700, 0x072700},
        {BLK_OUT_OF_RANGE, 0x044400, 0x044400},
        {BLK_NO_SPACE, 0x072707, 0x072707},
        {BLK_IO_ERROR, 0x031100, 0x030c00},
        {BLK_CANCELLED, 0x0b0000, 0x0b0000},
};

START_TEST(failing)
{
	start(&lun, (const uint8_t[10]){0x28, [8] = 1}, 10, 512);
	ck_assert_uint_eq(done_calls, 0);
	complete(failures[_i].status);
	ck_assert_uint_eq(done_calls, 1);
	BAD(failures[_i].on_read);
	start(&lun, (const uint8_t[10]){0x2a, [8] = 1}, 10, 512);
	complete(failures[_i].status);
	ck_assert_uint_eq(done_calls, 1);
	BAD(failures[_i].on_write);
	ck_assert_uint_eq(req.moved, 0);
}
END_TEST

START_TEST(later)
{
	start(&lun, (const uint8_t[10]){0x28, [8] = 1}, 10, 512);
	ck_assert_uint_eq(waiting->op, BLK_READ);
	complete(BLK_OK);
	ck_assert_uint_eq(done_calls, 1);
	GOOD(512);
	/* With FUA: write, then flush. */
	start(&lun, (const uint8_t[10]){0x2a, 0x08, [5] = 3, [8] = 1}, 10, 512);
	ck_assert_uint_eq(waiting->op, BLK_WRITE);
	ck_assert_uint_eq(waiting->offset, 1536);
	complete(BLK_OK);
	ck_assert_uint_eq(done_calls, 0);
	ck_assert_uint_eq(waiting->op, BLK_FLUSH);
	complete(BLK_OK);
	ck_assert_uint_eq(done_calls, 1);
	GOOD(512);
	/* An error in the middle of a long one. */
	memset(data, 1, 512);
	start(&lun, (const uint8_t[16]){0x93, [12] = 0x10}, 16, 512);
	complete(BLK_OK);
	ck_assert_uint_eq(waiting->op, BLK_WRITE);
	ck_assert_uint_eq(waiting->offset, ARRAY_SIZE(segs) * SCSI_BUF_LEN);
	ck_assert_uint_eq(done_calls, 0);
	complete(BLK_IO_ERROR);
	ck_assert_uint_eq(done_calls, 1);
	BAD(0x030c00);
	ck_assert_ptr_null(waiting);
}
END_TEST

/* Nothing that keeps a CPU busy for long. */
START_TEST(too_much)
{
	slow.size = 1 << 30;
	start(&lun, (const uint8_t[16]){0x93, [12] = 0x80, 0x01}, 16, 512);
	BAD(0x052400);
	start(&lun, (const uint8_t[16]){0x93, 0x08, [12] = 0x80, 0x00}, 16, 512);
	ck_assert_uint_eq(waiting->op, BLK_DISCARD);
	ck_assert_uint_eq(waiting->len, SCSI_MAX_ZERO);
	complete(BLK_OK);
	GOOD(512);
	slow.size = 4 << 20;
}
END_TEST

START_TEST(queue_full)
{
	for (unsigned step = 1; step <= 2; step++) {
		submitted = 0;
		refuse_at = step;
		start(&lun, (const uint8_t[10]){0x2a, 0x08, [8] = 1}, 10, 512);
		if (step == 2) {
			complete(BLK_OK);
		}
		ck_assert_uint_eq(done_calls, 1);
		ck_assert_uint_eq(req.status, SCSI_TASK_SET_FULL);
		ck_assert_uint_eq(req.moved, 0);
		ck_assert_uint_eq(req.sense_len, 0);
	}
}
END_TEST

UNIT_MAIN("scsi_slow", tcase_add_checked_fixture(tc, slow_setup, teardown);
          tcase_add_loop_test(tc, failing, 0, ARRAY_SIZE(failures)); tcase_add_test(tc, later);
          tcase_add_test(tc, queue_full); tcase_add_test(tc, too_much);)
