// SPDX-License-Identifier: BSD-2-Clause
// A disk in memory: where its bytes are, what it costs, who sees whose writes.
#include "devices/backend/blk_ram.h"
#include "tests/unit.h"
#include "vmm/lib/err.h"
#include <stdlib.h>
#include <string.h>

static struct blk_ram ram, other;
static uint64_t pages_left, pages_taken;
static unsigned done_calls;
static enum blk_status done_status;

static void *taken[4096];
static unsigned n_taken;

static void *alloc(uint64_t pages, uint64_t align)
{
	void *p;

	if (pages > pages_left) {
		return NULL;
	}
	pages_left -= pages;
	pages_taken += pages;
	ck_assert_int_eq(posix_memalign(&p, align, pages * PAGE_SIZE), 0);
	taken[n_taken++] = p;
	return memset(p, 0, pages * PAGE_SIZE);
}

static void setup(void)
{
	pages_left = 1 << 20;
	pages_taken = 0;
}

static void teardown(void)
{
	while (n_taken > 0) {
		free(taken[--n_taken]);
	}
}

static struct blk_ram_params params(uint64_t size, uint8_t *image)
{
	return (struct blk_ram_params){
	        .size = size, .block_size = 512, .image = image, .alloc = alloc};
}

static uint8_t *make_image(uint64_t size)
{
	uint8_t *image = malloc(size);

	for (uint64_t i = 0; i < size; i++) {
		image[i] = (uint8_t)(i * 7 + i / 4096);
	}
	return image;
}

static void done(struct blk_req *req, enum blk_status status)
{
	(void)req;
	done_calls++;
	done_status = status;
}

static enum blk_status ask(struct blk_ram *r, enum blk_op op, uint64_t at, uint64_t len,
        struct io_seg *segs, unsigned n)
{
	struct blk_req req = {
	        .op = op, .offset = at, .len = len, .segs = segs, .n_segs = n, .done = done};

	done_calls = 0;
	ck_assert_int_eq(r->blk.ops->submit(&r->blk, &req), 0);
	ck_assert_uint_eq(done_calls, 1);
	return done_status;
}

static enum blk_status ask1(struct blk_ram *r, enum blk_op op, uint64_t at, void *buf, uint32_t len)
{
	struct io_seg seg = {.hva = buf, .len = len};

	return ask(r, op, at, len, &seg, buf ? 1 : 0);
}

START_TEST(empty_disk)
{
	struct blk_ram_params p = params(5 << 20, NULL);
	static uint8_t buf[8192], back[8192];

	ck_assert_int_eq(blk_ram_attach(&ram, &p), 0);
	ck_assert_uint_eq(pages_taken, 1 + 3 * 512);
	ck_assert_int_eq(ask1(&ram, BLK_READ, (5 << 20) - 512, buf, 512), BLK_OK);
	for (unsigned i = 0; i < 512; i++) {
		ck_assert_uint_eq(buf[i], 0);
	}
	/* Across two pieces. */
	memset(buf, 0x5a, sizeof(buf));
	ck_assert_int_eq(ask1(&ram, BLK_WRITE, (2 << 20) - 4096, buf, sizeof(buf)), BLK_OK);
	ck_assert_int_eq(ask1(&ram, BLK_READ, (2 << 20) - 4096, back, sizeof(back)), BLK_OK);
	ck_assert_mem_eq(buf, back, sizeof(buf));
	ck_assert_int_eq(ask1(&ram, BLK_DISCARD, (2 << 20) - 512, NULL, 1024), BLK_OK);
	memset(buf + 4096 - 512, 0, 1024);
	ck_assert_int_eq(ask1(&ram, BLK_READ, (2 << 20) - 4096, back, sizeof(back)), BLK_OK);
	ck_assert_mem_eq(buf, back, sizeof(buf));
	ck_assert_int_eq(ask1(&ram, BLK_FLUSH, 0, NULL, 0), BLK_OK);
	ck_assert_uint_eq(ram.blk.stats.reads, 3);
	ck_assert_uint_eq(ram.blk.stats.writes, 1);
	ck_assert_uint_eq(ram.blk.stats.bytes_read, 512 + 2 * 8192);
	ck_assert_uint_eq(ram.blk.stats.bytes_written, 8192);
	ck_assert_uint_eq(ram.blk.stats.discards, 1);
	ck_assert_uint_eq(ram.blk.stats.flushes, 1);
	ck_assert_uint_eq(ram.blk.stats.errors, 0);
}
END_TEST

START_TEST(segments)
{
	struct blk_ram_params p = params(4 << 20, NULL);
	static uint8_t a[512], b[4096 + 100], back[8192];
	struct io_seg segs[] = {{.hva = a, .len = 100}, {.hva = b, .len = 4096 + 100},
	        {.hva = a + 100, .len = 412 - 100}};
	uint32_t len = 100 + 4196 + 312;

	ck_assert_int_eq(blk_ram_attach(&ram, &p), 0);
	memset(a, 1, sizeof(a));
	memset(b, 2, sizeof(b));
	ck_assert_uint_eq(len, 4608);
	ck_assert_int_eq(ask(&ram, BLK_WRITE, 1024, len, segs, 3), BLK_OK);
	ck_assert_int_eq(ask1(&ram, BLK_READ, 1024, back, len), BLK_OK);
	ck_assert_uint_eq(back[99], 1);
	ck_assert_uint_eq(back[100], 2);
	ck_assert_uint_eq(back[4295], 2);
	ck_assert_uint_eq(back[4296], 1);
	/* What is asked and what there is room for are two things. */
	ck_assert_int_eq(ask(&ram, BLK_WRITE, 1024, len + 512, segs, 3), BLK_IO_ERROR);
}
END_TEST

START_TEST(limits)
{
	struct blk_ram_params p = params(1 << 20, NULL);
	static uint8_t buf[1024];

	ck_assert_int_eq(blk_ram_attach(&ram, &p), 0);
	ck_assert_int_eq(ask1(&ram, BLK_READ, (1 << 20) - 512, buf, 1024), BLK_OUT_OF_RANGE);
	ck_assert_int_eq(ask1(&ram, BLK_WRITE, 1 << 20, buf, 512), BLK_OUT_OF_RANGE);
	ck_assert_int_eq(ask1(&ram, BLK_DISCARD, 512, NULL, 0), BLK_OK);
	ck_assert_int_eq(ask(&ram, BLK_DISCARD, 512, ~0ULL - 511, NULL, 0), BLK_OUT_OF_RANGE);
	ck_assert_int_eq(ask(&ram, BLK_READ, ~0ULL - 511, 1024, NULL, 0), BLK_OUT_OF_RANGE);
	ck_assert_uint_eq(ram.blk.stats.errors, 4);
}
END_TEST

START_TEST(image_in_place)
{
	uint8_t *image = make_image((2 << 20) + 512), buf[512];
	struct blk_ram_params p = params((2 << 20) + 512, image);

	ck_assert_int_eq(blk_ram_attach(&ram, &p), 0);
	ck_assert_uint_eq(pages_taken, 1);
	ck_assert_int_eq(ask1(&ram, BLK_READ, 2 << 20, buf, 512), BLK_OK);
	ck_assert_mem_eq(buf, image + (2 << 20), 512);
	memset(buf, 0xee, sizeof(buf));
	ck_assert_int_eq(ask1(&ram, BLK_WRITE, 2 << 20, buf, 512), BLK_OK);
	ck_assert_mem_eq(buf, image + (2 << 20), 512);
	free(image);
}
END_TEST

START_TEST(read_only)
{
	uint8_t *image = make_image(4096), buf[512] = {0};
	struct blk_ram_params p = params(4096, image);

	p.read_only = true;
	ck_assert_int_eq(blk_ram_attach(&ram, &p), 0);
	ck_assert_uint_eq(pages_taken, 0);
	ck_assert_int_eq(ask1(&ram, BLK_WRITE, 0, buf, 512), BLK_READ_ONLY);
	ck_assert_int_eq(ask1(&ram, BLK_DISCARD, 0, NULL, 512), BLK_READ_ONLY);
	ck_assert_int_eq(ask1(&ram, BLK_WRITE_ZERO, 0, NULL, 512), BLK_READ_ONLY);
	ck_assert_int_eq(ask1(&ram, BLK_FLUSH, 0, NULL, 0), BLK_OK);
	ck_assert_int_eq(ask1(&ram, BLK_READ, 3584, buf, 512), BLK_OK);
	ck_assert_mem_eq(buf, image + 3584, 512);
	free(image);
}
END_TEST

/* Two disks of one image: each has its own, the image stays as it was. */
START_TEST(copy_on_write)
{
	const uint64_t size = (2 << 20) + 4096 + 512;
	uint8_t *image = make_image(size), *was = make_image(size), buf[8192], back[8192];
	struct blk_ram_params p = params(size, image);

	p.shared = true;
	ck_assert_int_eq(blk_ram_attach(&ram, &p), 0);
	ck_assert_uint_eq(pages_taken, 1 + 2 * 512 + 1);
	ck_assert_int_eq(blk_ram_attach(&other, &p), 0);
	/* A block in the middle of a page, then one across the ends of two pages and pieces. */
	memset(buf, 0xee, sizeof(buf));
	ck_assert_int_eq(ask1(&ram, BLK_WRITE, 512, buf, 512), BLK_OK);
	ck_assert_int_eq(ask1(&ram, BLK_READ, 0, back, 4096), BLK_OK);
	ck_assert_mem_eq(back, was, 512);
	ck_assert_mem_eq(back + 512, buf, 512);
	ck_assert_mem_eq(back + 1024, was + 1024, 4096 - 1024);
	ck_assert_uint_eq(ram.n_copied, 1);
	ck_assert_int_eq(ask1(&ram, BLK_WRITE, (2 << 20) - 512, buf, 1024), BLK_OK);
	ck_assert_uint_eq(ram.n_copied, 3);
	/* The last page is not whole. */
	ck_assert_int_eq(ask1(&ram, BLK_WRITE_ZERO, size - 512, NULL, 512), BLK_OK);
	ck_assert_uint_eq(ram.n_copied, 4);
	ck_assert_int_eq(ask1(&ram, BLK_READ, size - 1024, back, 1024), BLK_OK);
	ck_assert_mem_eq(back, was + size - 1024, 512);
	ck_assert_uint_eq(back[512], 0);
	ck_assert_int_eq(ask1(&other, BLK_READ, 0, back, 8192), BLK_OK);
	ck_assert_mem_eq(back, was, 8192);
	ck_assert_mem_eq(image, was, size);
	ck_assert_uint_eq(other.n_copied, 0);
	free(image);
	free(was);
}
END_TEST

/* Whatever is missing is noticed when the disk is made. */
START_TEST(no_memory)
{
	uint8_t *image = make_image(4 << 20);
	struct blk_ram_params p = params(4 << 20, image);

	p.shared = true;
	for (uint64_t have = 0; have < 1 + 2 * 512 + 1; have += 128) {
		pages_left = have;
		ck_assert_int_eq(blk_ram_attach(&ram, &p), -ENOMEM);
	}
	pages_left = 1 + 2 * 512;
	ck_assert_int_eq(blk_ram_attach(&ram, &p), -ENOMEM);
	pages_left = 1 + 2 * 512 + 1;
	ck_assert_int_eq(blk_ram_attach(&ram, &p), 0);
	free(image);
}
END_TEST

START_TEST(identity)
{
	uint8_t a[BLK_ID_LEN], b[BLK_ID_LEN];
	static const uint8_t first[] = {0, 0};

	blk_make_id(a, "debian", 0);
	blk_make_id(b, "debian", 0);
	ck_assert_mem_eq(a, b, sizeof(a));
	ck_assert_mem_ne(a, a + 8, 8);
	ck_assert_mem_ne(a, first, sizeof(first));
	blk_make_id(b, "debian", 1);
	ck_assert_mem_ne(a, b, 8);
	ck_assert_mem_ne(a + 8, b + 8, 8);
	blk_make_id(b, "debiam", 0);
	ck_assert_mem_ne(a, b, 8);
	ck_assert_mem_ne(a + 8, b + 8, 8);
}
END_TEST

UNIT_MAIN("blk_ram", tcase_add_checked_fixture(tc, setup, teardown); tcase_add_test(tc, empty_disk);
          tcase_add_test(tc, segments); tcase_add_test(tc, limits);
          tcase_add_test(tc, image_in_place); tcase_add_test(tc, read_only);
          tcase_add_test(tc, copy_on_write); tcase_add_test(tc, no_memory);
          tcase_add_test(tc, identity);)
