// SPDX-License-Identifier: BSD-2-Clause
// A command's data through the data port: blocks, interrupts, and backends of every temper.
#include "tests/ide_world.h"

static uint8_t buf[1 << 20], want[1 << 20];

static void setup(void)
{
	w_make(true, false);
	for (unsigned i = 0; i < sizeof(want); i++) {
		want[i] = (uint8_t)(i * 31 + (i >> 8));
	}
}

static void set_multiple(uint8_t n)
{
	w_lba28(0xc6, n, 0);
	w_expect(W_CMD, W_GOOD);
}

/* One interrupt a block, none after the last. */
static void read_blocks(unsigned len, unsigned block)
{
	for (unsigned at = 0; at < len; at += block) {
		unsigned n = len - at < block ? len - at : block;

		w_expect(W_CMD, W_DRQ);
		w_read_data(W_CMD, buf + at, n - 2);
		ck_assert_uint_eq(w_alt(W_CMD), W_DRQ);
		ck_assert(!w_line(W_GSI));
		w_read_data(W_CMD, buf + at + n - 2, 2);
	}
	ck_assert_uint_eq(w_alt(W_CMD), W_GOOD);
	ck_assert(!w_line(W_GSI));
	ck_assert_uint_eq(w_in(W_CMD, 2), 0xffff);
}

/* None before the first, one after each. */
static void write_blocks(unsigned len, unsigned block)
{
	for (unsigned at = 0; at < len; at += block) {
		unsigned n = len - at < block ? len - at : block;

		if (at == 0) {
			ck_assert(!w_line(W_GSI));
			ck_assert_uint_eq(w_alt(W_CMD), W_DRQ);
		} else {
			w_expect(W_CMD, W_DRQ);
		}
		w_write_data(W_CMD, want + at, n);
	}
	w_expect(W_CMD, W_GOOD);
	w_out(W_CMD, 2, 0xdead);
	ck_assert(!w_line(W_GSI));
}

static const struct {
	uint8_t read, write;
	bool ext;
	uint8_t multiple;
	uint16_t sectors;
} pio[] = {
        {0x20, 0x30, false, 0, 1},
        {0x20, 0x30, false, 0, 2},
        {0x21, 0x31, false, 0, 33},
        {0x20, 0x30, false, 0, 256},
        {0x24, 0x34, true, 0, 1},
        {0x24, 0x34, true, 0, 300},
        {0xc4, 0xc5, false, 1, 3},
        {0xc4, 0xc5, false, 16, 16},
        {0xc4, 0xc5, false, 16, 17},
        {0xc4, 0xc5, false, 8, 100},
        {0xc4, 0xc5, false, 16, 256},
        {0x29, 0x39, true, 16, 1000},
        {0x29, 0x39, true, 4, 2},
};

START_TEST(pio_in)
{
	unsigned len = pio[_i].sectors * 512U,
	         block = 512U * (pio[_i].multiple ? pio[_i].multiple : 1);

	set_multiple(pio[_i].multiple);
	if (pio[_i].ext) {
		w_lba48(pio[_i].read, pio[_i].sectors, 77);
	} else {
		w_lba28(pio[_i].read, (uint8_t)pio[_i].sectors, 77);
	}
	read_blocks(len, block);
	ck_assert_mem_eq(buf, w_disk_data + 77 * 512, len);
}
END_TEST

START_TEST(pio_out)
{
	unsigned len = pio[_i].sectors * 512U,
	         block = 512U * (pio[_i].multiple ? pio[_i].multiple : 1);
	uint8_t before = w_disk_data[77 * 512 - 1], after = w_disk_data[77 * 512 + len];

	set_multiple(pio[_i].multiple);
	if (pio[_i].ext) {
		w_lba48(pio[_i].write, pio[_i].sectors, 77);
	} else {
		w_lba28(pio[_i].write, (uint8_t)pio[_i].sectors, 77);
	}
	write_blocks(len, block);
	ck_assert_mem_eq(w_disk_data + 77 * 512, want, len);
	ck_assert_uint_eq(w_disk_data[77 * 512 - 1], before);
	ck_assert_uint_eq(w_disk_data[77 * 512 + len], after);
}
END_TEST

/* A driver that polls never sees a difference. */
START_TEST(polling_with_interrupts_off)
{
	w_out(W_CTL, 1, IDE_CTL_NIEN);
	w_disk.defer = true;
	w_lba28(0x20, 40, 3);
	for (unsigned i = 0; i < 40; i++) {
		if (w_disk.held) {
			ck_assert_uint_eq(w_reg(W_CMD, IDE_STATUS), IDE_ST_BSY);
			ck_assert_uint_eq(w_in(W_CMD, 2), 0xffff);
			blk_finish(&w_disk);
		}
		ck_assert_uint_eq(w_reg(W_CMD, IDE_STATUS), W_DRQ);
		w_read_data(W_CMD, buf + 512 * i, 512);
	}
	ck_assert_uint_eq(w_reg(W_CMD, IDE_STATUS), W_GOOD);
	ck_assert_mem_eq(buf, w_disk_data + 3 * 512, 40 * 512);
	ck_assert_uint_eq(w_disk.submits, 2); /* read ahead into the buffer */
	ck_assert(!w_line(W_GSI));
}
END_TEST

START_TEST(backend_answers_later)
{
	w_disk.defer = true;
	w_lba28(0x30, 2, 3);
	for (unsigned i = 0; i < 2; i++) {
		w_write_data(W_CMD, want + 512 * i, 512);
		ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
		ck_assert(!w_line(W_GSI));
		w_out(W_CMD, 2, 0xdead);
		blk_finish(&w_disk);
		w_expect(W_CMD, i ? W_GOOD : W_DRQ);
	}
	ck_assert_mem_eq(w_disk_data + 3 * 512, want, 1024);
}
END_TEST

START_TEST(backend_is_full)
{
	w_disk.refuse = 2;
	w_lba28(0x20, 1, 3);
	ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
	w_disk.blk.ready(w_disk.blk.ready_arg);
	ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
	ck_assert_uint_eq(w_disk.submits, 0);
	w_disk.blk.ready(w_disk.blk.ready_arg);
	read_blocks(512, 512);
	/* Nobody waits: nothing happens. */
	w_disk.blk.ready(w_disk.blk.ready_arg);
	ck_assert_uint_eq(w_disk.submits, 1);
	/* Refused and reset. */
	w_disk.refuse = 1;
	w_lba28(0x20, 1, 3);
	w_out(W_CTL, 1, IDE_CTL_SRST);
	w_out(W_CTL, 1, 0);
	ck_assert_uint_eq(w_alt(W_CMD), W_GOOD);
	w_disk.blk.ready(w_disk.blk.ready_arg);
	ck_assert_uint_eq(w_disk.submits, 1);
	ck_assert_uint_eq(w_disk.cancels, 0);
}
END_TEST

static int submit_and_ready(struct blk *blk, struct blk_req *req)
{
	struct fake_blk *f = container_of(blk, struct fake_blk, blk);
	bool refused = f->refuse != 0;
	int err = blk_submit(blk, req);

	if (refused) {
		blk->ready(blk->ready_arg);
	}
	return err;
}

static int submit_fails(struct blk *blk, struct blk_req *req)
{
	(void)blk;
	(void)req;
	return -EIO;
}

/* There was room again before the refusal was known. */
START_TEST(ready_within_the_submit)
{
	static const struct blk_ops ops = {
	        .submit = submit_and_ready, .cancel = blk_cancel, .drain = blk_drain};
	static const struct blk_ops broken = {
	        .submit = submit_fails, .cancel = blk_cancel, .drain = blk_drain};

	w_disk.blk.ops = &ops;
	w_disk.refuse = 3;
	w_lba28(0x20, 1, 3);
	read_blocks(512, 512);
	w_disk.blk.ops = &broken;
	w_lba28(0x20, 1, 3);
	w_expect_error(W_CMD, IDE_ERR_UNC);
}
END_TEST

/* An error in the middle: the address of the request that failed, and what was not done. */
START_TEST(errors_in_the_middle)
{
	w_disk.status = BLK_IO_ERROR;
	w_disk.bad = 512 * 6;
	w_lba28(0x30, 5, 4);
	w_write_data(W_CMD, want, 512);
	w_expect(W_CMD, W_DRQ);
	w_write_data(W_CMD, want, 512);
	w_expect(W_CMD, W_DRQ);
	w_write_data(W_CMD, want, 512);
	w_expect(W_CMD, W_ERR | IDE_ST_DF);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAL), 6);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_NSECT), 3);
	w_disk.bad = 512 * 36;
	w_lba48(0x24, 100, 4);
	for (unsigned i = 0; i < 32; i++) {
		w_expect(W_CMD, W_DRQ);
		w_read_data(W_CMD, buf, 512);
	}
	w_expect_error(W_CMD, IDE_ERR_UNC);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAL), 36);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_NSECT), 68);
}
END_TEST

/* Both drives take turns on the one buffer. */
START_TEST(two_drives)
{
	for (unsigned i = 0; i < 4; i++) {
		const uint8_t *data = i & 1 ? w_slave_data : w_disk_data;

		w_slave_data[512 * i] = (uint8_t)(0xf0 + i);
		w_command(W_CMD, 0x20, 0, 1, i, i & 1 ? 0xf0 : 0xe0);
		read_blocks(512, 512);
		ck_assert_mem_eq(buf, data + 512 * i, 512);
	}
	ck_assert_uint_eq(w_disk.submits, 2);
	ck_assert_uint_eq(w_slave.submits, 2);
}
END_TEST

/* Random sizes, addresses and ways, against a copy of the disk. */
START_TEST(random_transfers)
{
	static uint8_t model[W_DISK_BYTES];
	unsigned seed = 5 + (unsigned)_i;

	memcpy(model, w_disk_data, sizeof(model));
	for (unsigned i = 0; i < 60; i++) {
		unsigned n = 1 + (unsigned)rand_r(&seed) % 70;
		uint64_t lba = (unsigned)rand_r(&seed) % (W_DISK_BYTES / 512 - n);
		unsigned multiple = 1U << (unsigned)rand_r(&seed) % 5;
		bool ext = rand_r(&seed) & 1;

		set_multiple((uint8_t)multiple);
		if (rand_r(&seed) & 1) {
			want[(unsigned)rand_r(&seed) % (n * 512)] ^= 0x5a;
			if (ext) {
				w_lba48(0x39, (uint16_t)n, lba);
			} else {
				w_lba28(0xc5, (uint8_t)n, (uint32_t)lba);
			}
			write_blocks(n * 512, 512 * multiple);
			memcpy(model + lba * 512, want, n * 512);
		} else {
			if (ext) {
				w_lba48(0x29, (uint16_t)n, lba);
			} else {
				w_lba28(0xc4, (uint8_t)n, (uint32_t)lba);
			}
			read_blocks(n * 512, 512 * multiple);
			ck_assert_mem_eq(buf, model + lba * 512, n * 512);
		}
	}
	ck_assert_mem_eq(model, w_disk_data, sizeof(model));
}
END_TEST

UNIT_MAIN("ide_xfer", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, pio_in, 0, ARRAY_SIZE(pio));
          tcase_add_loop_test(tc, pio_out, 0, ARRAY_SIZE(pio));
          tcase_add_test(tc, polling_with_interrupts_off);
          tcase_add_test(tc, backend_answers_later); tcase_add_test(tc, backend_is_full);
          tcase_add_test(tc, ready_within_the_submit); tcase_add_test(tc, errors_in_the_middle);
          tcase_add_test(tc, two_drives); tcase_add_loop_test(tc, random_transfers, 0, 3);)
