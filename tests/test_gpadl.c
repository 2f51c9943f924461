// SPDX-License-Identifier: BSD-2-Clause
// GPADLs: every form of a page list, and its bytes.
#include "tests/gpadl_world.h"

START_TEST(whole_pages)
{
	struct gpadl *g;

	setup();
	g = make_pages(0xe1e10, 0x100, 80);
	ck_assert_ptr_nonnull(g);
	ck_assert_uint_eq(g->id, 0xe1e10);
	ck_assert_uint_eq(g->relid, RELID);
	ck_assert_uint_eq(g->len, 80 * PAGE_SIZE);
	ck_assert_uint_eq(g->n_ranges, 1);
	ck_assert_uint_eq(g->n_pages, 80);
	ck_assert_uint_eq(g->first_offset, 0);
	ck_assert(g->page_aligned);
	for (unsigned i = 0; i < 80; i++) {
		ck_assert_ptr_eq(g->pages[i], ram + (0x100 + i) * PAGE_SIZE);
	}
}
END_TEST

static const struct {
	uint32_t bytes, offset, pages;
	bool good, aligned;
} ranges[] = {
        {4096, 0, 1, true, true}, {1, 0, 1, true, false}, {1, 4095, 1, true, false},
        {2, 4095, 2, true, false}, {4096, 1, 2, true, false}, {4096, 8, 2, true, false},
        {8192, 0, 2, true, true}, {8191, 0, 2, true, false}, {8191, 1, 2, true, false},
        {4095, 2, 2, true, false}, {0, 0, 1, false, false}, /* no bytes */
        {0, 100, 1, false, false},                          /* no bytes, but a page */
        {100, 4096, 1, false, false},                       /* offset beyond its page */
        {100, 4096, 2, false, false}, {100, ~0U, 2, false, false},
        {4097, 0, 1, false, false}, /* too few pages */
        {4096, 1, 1, false, false},
        {4096, 0, 2, false, false}, /* too many: the second one would be a range */
        {~0U, 0, 2, false, false}, {~0U, 4095, 2, false, false}, /* together beyond 32 bits */
};

START_TEST(one_range)
{
	struct gpadl *g;

	setup();
	list[0] = range(ranges[_i].bytes, ranges[_i].offset);
	list[1] = 5;
	list[2] = 6;
	g = make(1, 1, 1 + ranges[_i].pages);
	ck_assert_int_eq(g != NULL, ranges[_i].good);
	if (g) {
		ck_assert_uint_eq(g->len, ranges[_i].bytes);
		ck_assert_uint_eq(g->first_offset, ranges[_i].offset);
		ck_assert_int_eq(g->page_aligned, ranges[_i].aligned);
	} else {
		/* Its number and its words are free again. */
		ck_assert_ptr_null(gpadl_find(&t, RELID, 1));
		g = make_pages(1, 7, 1);
		ck_assert_ptr_nonnull(g);
		ck_assert_uint_eq(first_word(g), 0);
	}
}
END_TEST

static const struct {
	uint32_t id;
	uint16_t ranges, bytes;
	bool good;
} headers[] = {
        {1, 1, 16, true},
        {0, 1, 16, false}, /* 0 is no number */
        {1, 0, 16, false}, /* no range */
        {1, 1, 0, false},  /* no list */
        {1, 1, 8, false},  /* no page */
        {1, 1, 15, false}, /* not of words */
        {1, 1, 20, false},
        {1, 2, 24, false}, /* one page for two ranges */
        {1, 2, 32, true},
        {1, 4095, 65528, true}, /* 8191 words */
        {1, 4096, 65528, false},
        {1, 65535, 65528, false},
        {1, 1, 65528, true},
        {1, 1, 65535, false},
};

START_TEST(header)
{
	setup();
	ck_assert_int_eq(gpadl_create(&t, RELID, headers[_i].id, headers[_i].ranges,
	                         headers[_i].bytes) != NULL,
	        headers[_i].good);
}
END_TEST

static const uint64_t bad_pages[] = {
        RAM_PAGES, /* behind the RAM */
        ~0ULL,
        1ULL << 52,       /* as an address beyond 64 bits */
        (1ULL << 52) + 5, /* and back to a good one */
        ~0ULL >> PAGE_SHIFT,
};

START_TEST(page_is_not_ram)
{
	struct gpadl *g;

	setup();
	list[0] = range(3 * (uint32_t)PAGE_SIZE, 0);
	list[1] = 5;
	list[2] = bad_pages[_i];
	list[3] = 6;
	g = gpadl_create(&t, RELID, 1, 1, 32);
	ck_assert_int_eq(fill(g, 4), -EFAULT);
	ck_assert_ptr_null(gpadl_building(&t, 1));
}
END_TEST

/* An overlay hides the page from the guest; the memory that it lends is what lies under it. */
START_TEST(overlays_do_not_count)
{
	static uint8_t page[4096] __attribute__((aligned(4096)));
	struct gpadl *g;

	setup();
	mem.overlays[0] = (struct gmem_overlay){.gpa = 5 * PAGE_SIZE, .hva = page};
	mem.n_overlays = 1;
	mem.overlay_filter = 1ULL << 5;
	g = make_pages(1, 5, 1);
	ck_assert_ptr_nonnull(g);
	ck_assert_ptr_eq(g->pages[0], ram + 5 * PAGE_SIZE);
}
END_TEST

/* Word for word, with what does not make a word, and with more than the list needs. */
START_TEST(in_pieces)
{
	uint8_t bytes[64];
	struct gpadl *g;

	setup();
	list[0] = range(3 * (uint32_t)PAGE_SIZE, 0);
	list[1] = 7;
	list[2] = 9;
	list[3] = 8;
	list[4] = ~0ULL; /* not looked at */
	g = gpadl_create(&t, RELID, 0x10, 1, 32);
	ck_assert_ptr_nonnull(g);
	ck_assert_ptr_eq(gpadl_building(&t, 0x10), g);
	ck_assert_ptr_null(gpadl_hold(&t, RELID, 0x10));
	for (unsigned i = 0; i < 3; i++) {
		memcpy(bytes + 1, &list[i], 8); /* and not aligned */
		ck_assert_int_eq(gpadl_fill(&t, g, bytes + 1, 0), 0);
		ck_assert_int_eq(gpadl_fill(&t, g, bytes + 1, 7), 0);
		ck_assert_int_eq(gpadl_fill(&t, g, bytes + 1, 15), 0);
	}
	ck_assert_int_eq(gpadl_fill(&t, g, (uint8_t *)&list[3], 16), 1);
	ck_assert_ptr_null(gpadl_building(&t, 0x10));
	ck_assert_ptr_eq(gpadl_find(&t, RELID, 0x10), g);
	ck_assert_ptr_eq(g->pages[1], ram + 9 * PAGE_SIZE);
	ck_assert_ptr_eq(g->pages[2], ram + 8 * PAGE_SIZE);
}
END_TEST

/* --- several ranges --- */

static const struct {
	uint32_t bytes, offset;
	uint64_t pages[3];
} parts[] = {
        {100, 4000, {20, 21}},
        {1, 4095, {30}},
        {8192, 0, {41, 40}},
        {5000, 3000, {50, 51}},
        {1, 0, {60}},
        {9000, 500, {70, 72, 71}},
};

/* The address of each byte, from the definition. */
static uint8_t *model[32768];

static uint32_t make_model(unsigned n_parts, uint32_t *words)
{
	uint32_t bytes = 0;

	*words = 0;
	for (unsigned i = 0; i < n_parts; i++) {
		uint32_t n =
		        (uint32_t)((parts[i].offset + parts[i].bytes + PAGE_MASK) >> PAGE_SHIFT);

		list[(*words)++] = range(parts[i].bytes, parts[i].offset);
		for (uint32_t k = 0; k < n; k++) {
			list[(*words)++] = parts[i].pages[k];
		}
		for (uint32_t k = 0; k < parts[i].bytes; k++) {
			uint32_t pos = parts[i].offset + k;

			model[bytes++] = ram + parts[i].pages[pos >> PAGE_SHIFT] * PAGE_SIZE +
			                 (pos & PAGE_MASK);
		}
	}
	return bytes;
}

START_TEST(bytes_of_many_ranges)
{
	static uint8_t buf[32768];
	uint32_t words, bytes;
	struct gpadl *g;

	setup();
	bytes = make_model((unsigned)_i, &words);
	g = make(1, (uint16_t)_i, words);
	ck_assert_ptr_nonnull(g);
	ck_assert_uint_eq(g->len, bytes);
	ck_assert_uint_eq(g->n_ranges, (unsigned)_i);
	ck_assert_int_eq(g->page_aligned, 0);
	for (uint32_t i = 0; i < bytes; i++) {
		*model[i] = (uint8_t)(i * 7 + 3);
	}
	ck_assert_int_eq(gpadl_read(g, 0, buf, bytes), 0);
	for (uint32_t i = 0; i < bytes; i++) {
		ck_assert_uint_eq(buf[i], (uint8_t)(i * 7 + 3));
	}
	/* Spans begin where they should and never cross what does not lie together. */
	for (uint32_t i = 0; i < bytes; i++) {
		uint32_t len = bytes;
		uint8_t *p = gpadl_span(g, i, &len);

		ck_assert_ptr_eq(p, model[i]);
		ck_assert_uint_ge(len, 1);
		ck_assert_uint_le(len, bytes - i);
		ck_assert_ptr_eq(p + len - 1, model[i + len - 1]);
	}
	for (uint32_t at = 0; at < bytes; at += 97) {
		uint8_t some[300];
		uint32_t len = bytes - at < sizeof(some) ? bytes - at : sizeof(some);

		memset(some, (int)at, sizeof(some));
		ck_assert_int_eq(gpadl_write(g, at, some, len), 0);
		ck_assert_int_eq(gpadl_read(g, at, buf, len), 0);
		ck_assert_int_eq(memcmp(some, buf, len), 0);
		for (uint32_t i = at; i < at + len; i++) {
			ck_assert_uint_eq(*model[i], (uint8_t)at);
		}
		if (at + len < bytes) {
			ck_assert_uint_eq(*model[at + len], (uint8_t)((at + len) * 7 + 3));
		}
	}
}
END_TEST

START_TEST(ranges_do_not_add_up)
{
	uint32_t words;

	setup();
	(void)make_model(3, &words);
	ck_assert_ptr_nonnull(make(1, 3, words));
	ck_assert_ptr_null(make(2, 4, words)); /* one less than promised */
	ck_assert_ptr_null(make(3, 2, words)); /* one more */
	ck_assert_ptr_null(make(4, 3, words - 1));
}
END_TEST

/* As many ranges as a list can have, of a byte each. */
START_TEST(most_ranges)
{
	static uint8_t buf[4095];
	struct gpadl *g;

	setup();
	for (uint32_t i = 0; i < 4095; i++) {
		list[2 * i] = range(1, i);
		list[2 * i + 1] = i;
		ram[i * PAGE_SIZE + i] = (uint8_t)i;
	}
	list[8190] = range(1, 0);
	ck_assert_ptr_null(make(1, 4095, 8191)); /* a range without a page */
	g = make(2, 4095, 8190);
	ck_assert_ptr_nonnull(g);
	ck_assert_int_eq(gpadl_read(g, 0, buf, sizeof(buf)), 0);
	for (uint32_t i = 0; i < 4095; i++) {
		ck_assert_uint_eq(buf[i], (uint8_t)i);
	}
}
END_TEST

START_TEST(edges_of_reading)
{
	uint8_t buf[PAGE_SIZE];
	struct gpadl *g;
	uint32_t len = 1;

	setup();
	g = make_pages(1, 5, 2);
	ck_assert_int_eq(gpadl_read(g, 2 * PAGE_SIZE - 1, buf, 1), 0);
	ck_assert_int_eq(gpadl_read(g, 2 * PAGE_SIZE - 1, buf, 2), -EFAULT);
	ck_assert_int_eq(gpadl_read(g, 2 * PAGE_SIZE, buf, 0), 0);
	ck_assert_int_eq(gpadl_read(g, 2 * PAGE_SIZE, buf, 1), -EFAULT);
	ck_assert_int_eq(gpadl_read(g, ~0U, buf, 2), -EFAULT);
	ck_assert_int_eq(gpadl_read(g, 1, buf, ~0U), -EFAULT);
	ck_assert_int_eq(gpadl_write(g, ~0U, buf, 2), -EFAULT);
	ck_assert_int_eq(gpadl_write(g, 2 * PAGE_SIZE - 1, buf, 2), -EFAULT);
	ck_assert_int_eq(gpadl_write(g, 2 * PAGE_SIZE, buf, 0), 0);
	ck_assert_ptr_null(gpadl_span(g, 2 * PAGE_SIZE, &len));
	len = 0;
	ck_assert_ptr_null(gpadl_span(g, 0, &len));
	/* Neighbours in memory are one run. */
	len = ~0U;
	ck_assert_ptr_eq(gpadl_span(g, 100, &len), ram + 5 * PAGE_SIZE + 100);
	ck_assert_uint_eq(len, 2 * PAGE_SIZE - 100);
}
END_TEST

UNIT_MAIN("gpadl", tcase_add_test(tc, whole_pages);
          tcase_add_loop_test(tc, one_range, 0, ARRAY_SIZE(ranges));
          tcase_add_loop_test(tc, header, 0, ARRAY_SIZE(headers));
          tcase_add_loop_test(tc, page_is_not_ram, 0, ARRAY_SIZE(bad_pages));
          tcase_add_test(tc, overlays_do_not_count); tcase_add_test(tc, in_pieces);
          tcase_add_loop_test(tc, bytes_of_many_ranges, 1, ARRAY_SIZE(parts) + 1);
          tcase_add_test(tc, ranges_do_not_add_up); tcase_add_test(tc, most_ranges);
          tcase_add_test(tc, edges_of_reading);)
