// SPDX-License-Identifier: BSD-2-Clause
// Guest kernels: each kind is recognised, each kind of damage is named, and where things go.
#include "tests/image_build.h"
#include "tests/unit.h"
#include "vmm/lib/err.h"
#include "vmm/lib/image.h"

#define M (1ULL << 20)
#define ELF_AT 0x1000U

static struct image img;
static char why[256];

static int probe(struct blob *b)
{
	why[0] = '\0';
	return image_probe(&img, b->p, b->len, why, sizeof(why));
}

static void expect_refused(struct blob *b, const char *part)
{
	ck_assert_int_eq(probe(b), -ENOEXEC);
	ck_assert_msg(strstr(why, part) != NULL, "'%s' is not in '%s'", part, why);
	blob_free(b);
}

static void expect_fit(uint64_t mem, uint64_t initrd, uint64_t kernel_at, uint64_t initrd_at)
{
	uint64_t k, i;

	ck_assert_msg(image_place(&img, mem, initrd, &k, &i, why, sizeof(why)) == 0, "%s", why);
	ck_assert_uint_eq(k, kernel_at);
	ck_assert_uint_eq(i, initrd_at);
	ck_assert_int_eq(image_check_fit(&img, mem, initrd, 10, why, sizeof(why)), 0);
}

static void expect_unfit(uint64_t mem, uint64_t initrd, const char *part)
{
	ck_assert_int_eq(image_check_fit(&img, mem, initrd, 10, why, sizeof(why)), -ENOMEM);
	ck_assert_msg(strstr(why, part) != NULL, "'%s' is not in '%s'", part, why);
}

/* --- Linux --- */

START_TEST(linux_header)
{
	struct blob b = make_bzimage();

	ck_assert_msg(probe(&b) == 0, "%s", why);
	ck_assert_int_eq(img.kind, IMAGE_LINUX);
	ck_assert_uint_eq(img.linux_img.version, 0x20f);
	ck_assert_uint_eq(img.linux_img.setup_len, 40 * 512);
	ck_assert_uint_eq(img.linux_img.kernel_len, 1 << 20);
	ck_assert_uint_eq(img.linux_img.pref_address, 16 * M);
	ck_assert_uint_eq(img.linux_img.alignment, 2 * M);
	ck_assert_uint_eq(img.linux_img.init_size, 36 * M);
	ck_assert_uint_eq(img.linux_img.cmdline_size, 2047);
	ck_assert(img.linux_img.relocatable);
	b.p[0x1f1] = 0; /* means 4 */
	ck_assert_int_eq(probe(&b), 0);
	ck_assert_uint_eq(img.linux_img.setup_len, 5 * 512);
	blob_free(&b);
}
END_TEST

static const struct {
	size_t off;
	unsigned width;
	uint64_t value;
	const char *why;
} linux_damage[] = {
        {0x206, 2, 0x020b, "too old: boot protocol 2.11"},
        {0x206, 2, 0x0206, "too old: boot protocol 2.06"},
        {0x211, 1, 0, "zImage"},
        {0x236, 2, 0x7e, "32-bit kernel"},
        {0x1f4, 4, 0x10001, "truncated: its header promises 1069072 bytes, the file has 1069056"},
        {0x1f4, 4, 0xffffffff, "truncated"},
        {0x1f1, 1, 255, "truncated"},
        {0x1f4, 4, 0, "no code"},
        {0x1f4, 4, 0x20, "no code"},
        {0x230, 4, 0, "alignment 0x0"},
        {0x230, 4, 0x300000, "alignment 0x300000"},
        {0x258, 8, 0x1000, "load address 0x1000"},
        {0x258, 8, 0xfffffffffffff000, "load address 0xfffffffffffff000"},
        {0x202, 4, 0, "not a Linux bzImage nor a multiboot ELF image"},
        {0x1fe, 2, 0, "not a Linux bzImage nor a multiboot ELF image"},
};

START_TEST(linux_damaged)
{
	struct blob b = make_bzimage();

	memcpy(b.p + linux_damage[_i].off, &linux_damage[_i].value, linux_damage[_i].width);
	expect_refused(&b, linux_damage[_i].why);
}
END_TEST

START_TEST(linux_cut_anywhere)
{
	struct blob whole = make_bzimage();

	for (size_t len = 0; len < 0x400; len++) {
		struct blob b = blob_new(len);

		memcpy(b.p, whole.p, len);
		ck_assert_int_eq(probe(&b), -ENOEXEC);
		if (len == 0) {
			ck_assert_str_eq(why, "is empty");
		} else if (len >= 0x206) {
			ck_assert_ptr_nonnull(strstr(why, "truncated"));
		}
		blob_free(&b);
	}
	blob_free(&whole);
}
END_TEST

START_TEST(linux_last_paragraph)
{
	struct blob b = make_bzimage();

	b.len -= 15; /* a file need not be rounded up to 16 bytes */
	ck_assert_int_eq(probe(&b), 0);
	ck_assert_uint_eq(img.linux_img.kernel_len, (1 << 20) - 15);
	b.len -= 1;
	expect_refused(&b, "truncated");
}
END_TEST

START_TEST(linux_places)
{
	struct blob b = make_bzimage();

	ck_assert_int_eq(probe(&b), 0);
	blob_free(&b);
	expect_fit(512 * M, 0, 16 * M, 0);
	expect_fit(512 * M, 10 * M + 1, 16 * M, 502 * M - PAGE_SIZE);
	expect_fit(52 * M, 0, 16 * M, 0);
	expect_unfit(
	        52 * M - SIZE_2M, 0, "needs memory up to 53248 KiB to start, the VM has 51200");
	expect_unfit(4 * M, 0, "needs memory");
	/* No room above: below the kernel, down to 1 MiB. */
	expect_fit(52 * M, 1, 16 * M, 16 * M - PAGE_SIZE);
	expect_fit(52 * M, 15 * M, 16 * M, M);
	expect_unfit(52 * M, 15 * M + 1, "leaves no room for the initrd");
	expect_fit(66 * M, 14 * M, 16 * M, 52 * M);
	expect_unfit(66 * M, 15 * M + 1, "leaves no room");
	/* initrd_addr_max, and RAM below 4 GiB ends at 3 GiB. */
	expect_fit(4096 * M, M, 16 * M, 2047 * M);
	img.linux_img.initrd_addr_max = 0xffffffff;
	expect_fit(4096 * M, M, 16 * M, 3071 * M);
	img.linux_img.initrd_addr_max = 0x37ffffff;
	expect_fit(4096 * M, M, 16 * M, 895 * M);
	expect_unfit(4096 * M, 1000 * M, "leaves no room");
	expect_unfit(4096 * M, ~0ULL, "leaves no room");
	img.linux_img.initrd_addr_max = 0;
	expect_unfit(4096 * M, 1, "leaves no room");
	img.linux_img.pref_address = 0xfffff000;
	img.linux_img.init_size = 0xffffffff;
	expect_unfit(1ULL << 45, 0, "needs memory");
}
END_TEST

START_TEST(linux_alignment)
{
	struct blob b = make_bzimage();

	put64(&b, 0x258, 0x1000001);
	put32(&b, 0x230, 0x1000000);
	ck_assert_int_eq(probe(&b), 0);
	expect_fit(512 * M, 0, 32 * M, 0);
	b.p[0x234] = 0; /* not relocatable: exactly there */
	ck_assert_int_eq(probe(&b), 0);
	blob_free(&b);
	expect_fit(512 * M, 0, 0x1000001, 0);
}
END_TEST

START_TEST(linux_cmdline)
{
	struct blob b = make_bzimage();

	put32(&b, 0x238, 255);
	ck_assert_int_eq(probe(&b), 0);
	ck_assert_int_eq(image_check_fit(&img, 512 * M, 0, 255, why, sizeof(why)), 0);
	ck_assert_int_eq(image_check_fit(&img, 512 * M, 0, 256, why, sizeof(why)), -E2BIG);
	ck_assert_str_eq(why, "takes a command line of at most 255 characters, this one has 256");
	blob_free(&b);
}
END_TEST

/* --- multiboot --- */

static struct blob make_elf(bool is_64)
{
	struct blob b = blob_new(0x3000);

	put_ehdr(&b, is_64, 0x100010, 3);
	put_phdr(&b, is_64, 0,
	        (struct test_segment){1, 5, 0x1000, 0x100000, 0x100000, 0x800, 0x800});
	put_phdr(&b, is_64, 1, (struct test_segment){6, 4, 0, 0, 0, 0, 0}); /* not PT_LOAD */
	put_phdr(&b, is_64, 2,
	        (struct test_segment){1, 6, 0x2000, 0x200000, 0x200000, 0x100, 0x5001});
	put_multiboot(&b, ELF_AT, 3);
	return b;
}

START_TEST(multiboot_elf)
{
	struct blob b = make_elf(_i != 0);

	ck_assert_msg(probe(&b) == 0, "%s", why);
	blob_free(&b);
	ck_assert_int_eq(img.kind, IMAGE_MULTIBOOT);
	ck_assert_uint_eq(img.multiboot.flags, 3);
	ck_assert_uint_eq(img.multiboot.entry, 0x100010);
	ck_assert_uint_eq(img.multiboot.n_segments, 2);
	ck_assert_uint_eq(img.multiboot.lowest, 0x100000);
	ck_assert_uint_eq(img.multiboot.highest, 0x205001);
	ck_assert_uint_eq(img.multiboot.segments[1].addr, 0x200000);
	ck_assert_uint_eq(img.multiboot.segments[1].file_off, 0x2000);
	ck_assert_uint_eq(img.multiboot.segments[1].file_len, 0x100);
	ck_assert_uint_eq(img.multiboot.segments[1].mem_len, 0x5001);
	expect_fit(4 * M, 0, 0x100000, 0);
	expect_fit(4 * M, 5, 0x100000, 0x206000);
	expect_fit(4 * M, 4 * M - 0x206000, 0x100000, 0x206000);
	expect_unfit(4 * M, 4 * M - 0x206000 + 1, "leaves no room for the initrd");
	expect_unfit(4 * M, ~0ULL, "leaves no room for the initrd");
	expect_unfit(2 * M, 0, "needs memory up to 2069 KiB, the VM has 2048 KiB");
}
END_TEST

START_TEST(multiboot_virtual_entry)
{
	struct blob b = make_elf(false);

	put32(&b, 24, 0xc0100010);
	put_phdr(&b, false, 0,
	        (struct test_segment){1, 5, 0x1000, 0xc0100000, 0x100000, 0x800, 0x800});
	ck_assert_msg(probe(&b) == 0, "%s", why);
	ck_assert_uint_eq(img.multiboot.entry, 0x100010);
	blob_free(&b);
}
END_TEST

START_TEST(multiboot_low_memory)
{
	struct blob b = make_elf(false);

	/* Page 0 for itself: allowed. Its module goes above 1 MiB all the same. */
	put_phdr(&b, false, 0, (struct test_segment){1, 7, 0x1000, 0, 0, 0x800, 0x9fc00});
	put_phdr(&b, false, 2, (struct test_segment){0});
	put32(&b, 24, 0);
	ck_assert_msg(probe(&b) == 0, "%s", why);
	expect_fit(4 * M, 1, 0, M);
	/* Over the EBDA, the VGA window, the tables: not. */
	put_phdr(&b, false, 0, (struct test_segment){1, 7, 0x1000, 0, 0, 0x800, 0x9fc01});
	ck_assert_int_eq(probe(&b), 0);
	expect_unfit(4 * M, 0, "firmware tables");
	put_phdr(&b, false, 0, (struct test_segment){1, 7, 0x1000, 0xfffff, 0xfffff, 1, 1});
	put32(&b, 24, 0xfffff);
	ck_assert_int_eq(probe(&b), 0);
	expect_unfit(4 * M, 0, "firmware tables");
	blob_free(&b);
}
END_TEST

static const struct {
	struct test_segment seg;
	uint64_t entry;
	const char *why;
} segment_damage[] = {
        {{1, 5, 0x1000, 0x100000, 0x100000, 0x801, 0x800}, 0x100010, "more bytes in the file"},
        {{1, 5, 0x2fff, 0x100000, 0x100000, 2, 2}, 0x100000, "truncated: a segment of 2 bytes"},
        {{1, 5, 0xffffffff, 0x100000, 0x100000, 2, 2}, 0x100000, "truncated"},
        {{1, 5, 0x1000, 0xfffff000, 0xfffff000, 0x10, 0x1001}, 0xfffff000, "beyond 4 GiB"},
        {{1, 5, 0x1000, 0x100000, 0x100000, 0x800, 0x800}, 0x100800, "outside its segments"},
        {{1, 5, 0x1000, 0x100000, 0x100000, 0, 0}, 0x100000, "outside its segments"},
};

START_TEST(multiboot_damaged_segment)
{
	struct blob b = make_elf(false);

	put_phdr(&b, false, 0, segment_damage[_i].seg);
	put32(&b, 24, (uint32_t)segment_damage[_i].entry);
	expect_refused(&b, segment_damage[_i].why);
}
END_TEST

static const struct {
	bool is_64;
	size_t off;
	unsigned width;
	uint64_t value;
	const char *why;
} elf_damage[] = {
        {false, 4, 1, 3, "wrong ELF class"},
        {false, 4, 1, 0, "wrong ELF class"},
        {false, 5, 1, 2, "wrong ELF class"},
        {false, 18, 2, 183, "32-bit ELF file for machine type 183, not for x86"},
        {true, 18, 2, 183, "64-bit ELF file for machine type 183, not for x86"},
        {true, 18, 2, 3, "64-bit ELF file for machine type 3"},
        {false, 16, 2, 1, "ELF file of type 1, not an executable"},
        {false, 42, 2, 56, "wrong program header size"},
        {false, 28, 4, 0xfffffff0, "program headers are not in the file"},
        {true, 32, 8, 0xfffffffffffffff0, "program headers are not in the file"},
        {false, 44, 2, 0xffff, "program headers are not in the file"},
        {true, 24, 8, 0x100000010, "entry point 0x100000010 outside its segments"},
        {false, ELF_AT, 4, 0, "a 32-bit ELF file without a multiboot header"},
        {true, ELF_AT + 8, 4, 0, "a 64-bit ELF file without a multiboot header"},
        {false, 0, 4, 0, "not ELF and gives no load addresses"},
};

START_TEST(elf_damaged)
{
	struct blob b = make_elf(elf_damage[_i].is_64);

	memcpy(b.p + elf_damage[_i].off, &elf_damage[_i].value, elf_damage[_i].width);
	expect_refused(&b, elf_damage[_i].why);
}
END_TEST

START_TEST(wrong_class_without_header)
{
	struct blob b = make_elf(false);

	put32(&b, ELF_AT, 0);
	b.p[4] = 7;
	expect_refused(&b, "wrong ELF class");
}
END_TEST

START_TEST(elf_cut_anywhere)
{
	struct blob whole = make_elf(_i != 0);

	for (size_t len = 0; len < 0x2100; len += len < 0x200 ? 1 : 7) {
		struct blob b = blob_new(len);

		memcpy(b.p, whole.p, len);
		ck_assert_int_eq(probe(&b), -ENOEXEC);
		blob_free(&b);
	}
	blob_free(&whole);
}
END_TEST

START_TEST(too_many_segments)
{
	struct blob b = blob_new(0x3000);

	put_ehdr(&b, false, 0x100000, IMAGE_MAX_SEGMENTS + 1);
	for (unsigned i = 0; i <= IMAGE_MAX_SEGMENTS; i++) {
		put_phdr(&b, false, i,
		        (struct test_segment){1, 5, 0x1000, 0x100000, 0x100000 + i * 0x1000, 1, 1});
	}
	put_multiboot(&b, 0x1000, 0);
	put_ehdr(&b, false, 0x100000, IMAGE_MAX_SEGMENTS);
	ck_assert_int_eq(probe(&b), 0);
	put_ehdr(&b, false, 0x100000, IMAGE_MAX_SEGMENTS + 1);
	expect_refused(&b, "more than 16 segments");
}
END_TEST

/* The header must lie in the first 8 KiB, 4-byte aligned; flags it requires must be known. */
START_TEST(multiboot_header_search)
{
	static const struct {
		size_t at;
		bool found;
	} places[] = {{0x1000, true}, {8192 - 12, true}, {8192 - 8, false}, {0x1002, false}};

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		struct blob b = make_elf(false);

		put32(&b, ELF_AT, 0);
		put_multiboot(&b, places[i].at, 0);
		ck_assert_int_eq(probe(&b) == 0, places[i].found);
		blob_free(&b);
	}
}
END_TEST

START_TEST(multiboot_flags)
{
	struct blob b = make_elf(false);

	put_multiboot(&b, ELF_AT, 0x00020007); /* unknown bits above 15 are optional */
	ck_assert_int_eq(probe(&b), 0);
	put_multiboot(&b, ELF_AT, 0x8);
	expect_refused(&b, "not offered (flags 0x8)");
}
END_TEST

static struct blob make_kludge(
        uint32_t header, uint32_t load, uint32_t load_end, uint32_t bss_end, uint32_t entry)
{
	struct blob b = blob_new(0x1000);

	put_multiboot(&b, 0x100, 0x10000);
	put32(&b, 0x10c, header);
	put32(&b, 0x110, load);
	put32(&b, 0x114, load_end);
	put32(&b, 0x118, bss_end);
	put32(&b, 0x11c, entry);
	return b;
}

static const struct {
	uint32_t header, load, load_end, bss_end, entry;
	const char *why; /* NULL = good, then: */
	uint32_t file_off, file_len, mem_len;
} kludges[] = {
        {0x100100, 0x100000, 0, 0, 0x100020, NULL, 0, 0x1000, 0x1000},
        {0x100100, 0x100080, 0, 0x200000, 0x1fffff, NULL, 0x80, 0xf80, 0xfff80},
        {0x100100, 0x100100, 0x100200, 0x100200, 0x100100, NULL, 0x100, 0x100, 0x100},
        {0x100100, 0x100101, 0, 0, 0x100020, "damaged multiboot header", 0, 0, 0},
        {0x100100, 0x0fffff, 0, 0, 0x100020, "damaged multiboot header", 0, 0, 0},
        {0x100100, 0x100000, 0x0fffff, 0, 0x100020, "damaged multiboot header", 0, 0, 0},
        {0x100100, 0x100000, 0x101001, 0, 0x100020, "truncated: its header promises 4097", 0, 0, 0},
        {0x100100, 0x100000, 0, 0x100fff, 0x100020, "bss ends at 0x100fff, inside", 0, 0, 0},
        {0x100100, 0x100000, 0, 0, 0x101000, "entry point 0x101000 outside", 0, 0, 0},
        {0xfffff100, 0xfffff000, 0, 0, 0xfffff000, NULL, 0, 0x1000, 0x1000},
        {0xfffffff0, 0xfffffef0, 0, 0, 0xfffffef0, "beyond 4 GiB", 0, 0, 0},
};

START_TEST(multiboot_address_fields)
{
	struct blob b = make_kludge(kludges[_i].header, kludges[_i].load, kludges[_i].load_end,
	        kludges[_i].bss_end, kludges[_i].entry);

	if (kludges[_i].why) {
		expect_refused(&b, kludges[_i].why);
		return;
	}
	ck_assert_msg(probe(&b) == 0, "%s", why);
	blob_free(&b);
	ck_assert_uint_eq(img.multiboot.n_segments, 1);
	ck_assert_uint_eq(img.multiboot.entry, kludges[_i].entry);
	ck_assert_uint_eq(img.multiboot.segments[0].addr, kludges[_i].load);
	ck_assert_uint_eq(img.multiboot.segments[0].file_off, kludges[_i].file_off);
	ck_assert_uint_eq(img.multiboot.segments[0].file_len, kludges[_i].file_len);
	ck_assert_uint_eq(img.multiboot.segments[0].mem_len, kludges[_i].mem_len);
}
END_TEST

START_TEST(address_fields_cut)
{
	struct blob b = make_kludge(0x100100, 0x100000, 0, 0, 0x100020);

	b.len = 0x11f;
	expect_refused(&b, "multiboot header is not complete");
}
END_TEST

START_TEST(other_files)
{
	static const char *const files[] = {"\x1f\x8b\x08 gzip", "#!/bin/sh\n", "x", "MZ\0\0"};

	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		struct blob b = blob_new(strlen(files[i]));

		memcpy(b.p, files[i], b.len);
		expect_refused(&b, "is not a Linux bzImage nor a multiboot ELF image");
	}
}
END_TEST

UNIT_MAIN("image", tcase_add_test(tc, linux_header);
          tcase_add_loop_test(tc, linux_damaged, 0, ARRAY_SIZE(linux_damage));
          tcase_add_test(tc, linux_cut_anywhere); tcase_add_test(tc, linux_last_paragraph);
          tcase_add_test(tc, linux_places); tcase_add_test(tc, linux_alignment);
          tcase_add_test(tc, linux_cmdline); tcase_add_loop_test(tc, multiboot_elf, 0, 2);
          tcase_add_test(tc, multiboot_virtual_entry); tcase_add_test(tc, multiboot_low_memory);
          tcase_add_loop_test(tc, multiboot_damaged_segment, 0, ARRAY_SIZE(segment_damage));
          tcase_add_loop_test(tc, elf_damaged, 0, ARRAY_SIZE(elf_damage));
          tcase_add_test(tc, wrong_class_without_header);
          tcase_add_loop_test(tc, elf_cut_anywhere, 0, 2); tcase_add_test(tc, too_many_segments);
          tcase_add_test(tc, multiboot_header_search); tcase_add_test(tc, multiboot_flags);
          tcase_add_loop_test(tc, multiboot_address_fields, 0, ARRAY_SIZE(kludges));
          tcase_add_test(tc, address_fields_cut); tcase_add_test(tc, other_files);)
