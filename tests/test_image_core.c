// SPDX-License-Identifier: BSD-2-Clause
// The core's ELF file: what the loader accepts, and symbols for a backtrace.
#include "tests/image_build.h"
#include "tests/unit.h"
#include "vmm/lib/err.h"
#include "vmm/lib/image.h"

#define V 0xffffffff80000000ULL

static struct core_image core;
static char why[256];

static struct blob make_core(void)
{
	struct blob b = blob_new(0x5000);

	put_ehdr(&b, true, V + 0x10, 3);
	put_phdr(&b, true, 0, (struct test_segment){1, 5, 0x1000, V, V, 0x1000, 0x1000});
	put_phdr(&b, true, 1, (struct test_segment){1, 4, 0x2000, V + 0x1000, 0, 0x800, 0x800});
	put_phdr(&b, true, 2, (struct test_segment){1, 6, 0x3000, V + 0x2000, 0, 0x10, 0x3000});
	return b;
}

START_TEST(good)
{
	struct blob b = make_core();

	ck_assert_msg(core_image_probe(&core, b.p, b.len, why, sizeof(why)) == 0, "%s", why);
	ck_assert_uint_eq(core.entry, V + 0x10);
	ck_assert_uint_eq(core.lowest, V);
	ck_assert_uint_eq(core.highest, V + 0x5000);
	ck_assert_uint_eq(core.n_segments, 3);
	ck_assert_uint_eq(core.segments[2].file_len, 0x10);
	ck_assert_uint_eq(core.segments[2].mem_len, 0x3000);
	ck_assert_uint_eq(core.segments[2].flags, 6);
	blob_free(&b);
}
END_TEST

static const struct {
	unsigned index;
	struct test_segment seg;
	const char *why;
} segment_rows[] = {
        {0, {1, 7, 0x1000, V, V, 0x1000, 0x1000}, "both writable and executable"},
        {1, {1, 4, 0x2000, V, 0, 0x800, 0x800}, "overlapping"},
        {1, {1, 4, 0x2000, V + 0x1800, 0, 0x800, 0x800}, "cannot be placed"},
        {1, {1, 4, 0x2000, V + 0x1000, 0, 0, ~0ULL}, "cannot be placed"},
        {1, {1, 4, 0x2000, ~0xfffULL, 0, 0, 0x2000}, "cannot be placed"},
        {1, {1, 4, 0x2000, V - (1ULL << 32), 0, 0x800, 0x800}, "too far apart"},
        {1, {1, 4, 0x4fff, V + 0x1000, 0, 2, 2}, "truncated"},
        {1, {1, 4, ~0ULL, V + 0x1000, 0, 2, 2}, "truncated"},
        {1, {1, 4, 0x2000, V + 0x1000, 0, 3, 2}, "more bytes in the file"},
        {0, {1, 5, 0x1000, V, V, 0x10, 0x1000}, "no code at its entry point"},
        {0, {1, 4, 0x1000, V, V, 0x1000, 0x1000}, "no code at its entry point"},
        {0, {2, 5, 0x1000, V, V, 0x1000, 0x1000}, "no code at its entry point"},
};

START_TEST(bad_segment)
{
	struct blob b = make_core();

	put_phdr(&b, true, segment_rows[_i].index, segment_rows[_i].seg);
	ck_assert_int_eq(core_image_probe(&core, b.p, b.len, why, sizeof(why)), -ENOEXEC);
	ck_assert_msg(strstr(why, segment_rows[_i].why) != NULL, "%s", why);
	blob_free(&b);
}
END_TEST

START_TEST(wrong_kind)
{
	struct blob b = make_core();

	put16(&b, 16, 3);
	ck_assert_int_eq(core_image_probe(&core, b.p, b.len, why, sizeof(why)), -ENOEXEC);
	ck_assert_str_eq(why, "is not a 64-bit ELF executable");
	put_ehdr(&b, false, 0x10, 0);
	ck_assert_int_eq(core_image_probe(&core, b.p, b.len, why, sizeof(why)), -ENOEXEC);
	ck_assert_str_eq(why, "is not a 64-bit ELF executable");
	ck_assert_int_eq(core_image_probe(&core, "", 0, why, sizeof(why)), -ENOEXEC);
	ck_assert_str_eq(why, "is not an ELF file");
	blob_free(&b);
}
END_TEST

START_TEST(too_many)
{
	struct blob b = make_core();

	put16(&b, 56, IMAGE_MAX_SEGMENTS + 1);
	for (unsigned i = 0; i <= IMAGE_MAX_SEGMENTS; i++) {
		put_phdr(&b, true, i,
		        (struct test_segment){1, 5, 0x1000, V + i * 0x1000, 0, 0x20, 0x20});
	}
	ck_assert_int_eq(core_image_probe(&core, b.p, b.len, why, sizeof(why)), -ENOEXEC);
	ck_assert_str_eq(why, "has more than 16 segments");
	blob_free(&b);
}
END_TEST

/* Sections: 0 none, 1 .text (executable), 2 .data, 3 .symtab, 4 .strtab. */
static void put_shdr(struct blob *b, unsigned i, uint32_t type, uint64_t flags, uint64_t off,
        uint64_t size, uint32_t link)
{
	size_t o = 0x4000 + i * 64;

	put32(b, o + 4, type);
	put64(b, o + 8, flags);
	put64(b, o + 24, off);
	put64(b, o + 32, size);
	put32(b, o + 40, link);
}

static void put_sym(struct blob *b, unsigned i, uint32_t name, unsigned type, unsigned section,
        uint64_t value, uint64_t size)
{
	size_t o = 0x4200 + i * 24;

	put32(b, o, name);
	b->p[o + 4] = (uint8_t)type;
	put16(b, o + 6, (uint16_t)section);
	put64(b, o + 8, value);
	put64(b, o + 16, size);
}

static struct blob make_symbols(void)
{
	struct blob b = make_core();

	put64(&b, 40, 0x4000);
	put16(&b, 58, 64);
	put16(&b, 60, 5);
	put_shdr(&b, 1, 1, 6, 0x1000, 0x1000, 0);
	put_shdr(&b, 2, 1, 3, 0x3000, 0x10, 0);
	put_shdr(&b, 3, 2, 0, 0x4200, 7 * 24, 4);
	put_shdr(&b, 4, 3, 0, 0x4800, 0x40, 0);
	memcpy(b.p + 0x4800, "\0start\0vm_run\0asm_label\0mark\0data\0", 34);
	put_sym(&b, 1, 7, 0x12, 1, V + 0x100, 0x40);  /* vm_run */
	put_sym(&b, 2, 1, 0x12, 1, V + 0x10, 0x20);   /* start */
	put_sym(&b, 3, 14, 0x00, 1, V + 0x200, 0);    /* asm_label: no type, no size */
	put_sym(&b, 4, 24, 0x10, 1, V + 0x100, 0);    /* mark: same place as vm_run */
	put_sym(&b, 5, 29, 0x11, 2, V + 0x110, 0x10); /* an object */
	put_sym(&b, 6, 29, 0x12, 2, V + 0x110, 0x10); /* not in code */
	return b;
}

static const struct {
	uint64_t addr;
	const char *name;
	uint64_t offset;
} lookups[] = {
        {V + 0x10, "start", 0},
        {V + 0x2f, "start", 0x1f},
        {V + 0x30, NULL, 0},
        {V + 0xff, NULL, 0},
        {V + 0x100, "vm_run", 0},
        {V + 0x115, "vm_run", 0x15},
        {V + 0x140, NULL, 0},
        {V + 0x200, "asm_label", 0},
        {V + 0x280, "asm_label", 0x80},
        {V + 0xf, NULL, 0},
        {0, NULL, 0},
};

START_TEST(symbols)
{
	struct blob b = make_symbols();
	const char *name = NULL;
	uint64_t offset = 0;
	bool found = elf_symbol_lookup(b.p, b.len, lookups[_i].addr, &name, &offset);

	ck_assert_int_eq(found, lookups[_i].name != NULL);
	if (found) {
		ck_assert_str_eq(name, lookups[_i].name);
		ck_assert_uint_eq(offset, lookups[_i].offset);
	}
	blob_free(&b);
}
END_TEST

/* Each damage makes it fail, not read outside the file (ASan). */
static const struct {
	size_t off;
	unsigned width;
	uint64_t value;
} symbol_damage[] = {
        {0, 4, 0},                         /* not ELF */
        {40, 8, ~0ULL},                    /* section headers outside */
        {60, 2, 0xffff},                   /* too many sections */
        {58, 2, 40},                       /* wrong entry size */
        {0x4000 + 3 * 64 + 24, 8, 0x4ff0}, /* symbols outside */
        {0x4000 + 3 * 64 + 40, 4, 99},     /* no such string table */
        {0x4000 + 4 * 64 + 24, 8, ~0ULL},  /* strings outside */
        {0x4000 + 4 * 64 + 32, 8, 10},     /* name not terminated inside the table */
        {0x4200 + 24, 4, 0xffffffff},      /* name outside */
};

START_TEST(damaged_symbols)
{
	struct blob b = make_symbols();
	const char *name;
	uint64_t offset;

	memcpy(b.p + symbol_damage[_i].off, &symbol_damage[_i].value, symbol_damage[_i].width);
	ck_assert(!elf_symbol_lookup(b.p, b.len, V + 0x110, &name, &offset));
	blob_free(&b);
}
END_TEST

/* A table without contents may claim to lie anywhere: no pointer is made of that. */
START_TEST(empty_strings_anywhere)
{
	struct blob b = make_symbols();
	const char *name;
	uint64_t offset;

	put64(&b, 0x4000 + 4 * 64 + 24, 0xfffffffffffffff0);
	put64(&b, 0x4000 + 4 * 64 + 32, 0);
	ck_assert(!elf_symbol_lookup(b.p, b.len, V + 0x110, &name, &offset));
	blob_free(&b);
}
END_TEST

UNIT_MAIN("image_core", tcase_add_test(tc, empty_strings_anywhere); tcase_add_test(tc, good);
          tcase_add_loop_test(tc, bad_segment, 0, ARRAY_SIZE(segment_rows));
          tcase_add_test(tc, wrong_kind); tcase_add_test(tc, too_many);
          tcase_add_loop_test(tc, symbols, 0, ARRAY_SIZE(lookups));
          tcase_add_loop_test(tc, damaged_symbols, 0, ARRAY_SIZE(symbol_damage));)
