// SPDX-License-Identifier: BSD-2-Clause
// fw_cfg by port: every item, the directory, the files.
#include "tests/fw_cfg_world.h"

static const struct {
	uint16_t key;
	uint8_t len;
	uint64_t value;
} values[] = {
        {0x0000, 4, 0x554d4551}, /* QEMU */
        {0x0001, 4, 3},          /* traditional and DMA */
        {0x0003, 8, MEM},
        {0x0005, 2, 3},
        {0x000f, 2, 3},
        {0x0014, 4, 6},
        {0x0015, 6, 0x006320623d61ULL},
        {0x8002, 1, 1},
};

START_TEST(values_and_zeros_behind)
{
	unsigned key = values[_i].key, len = values[_i].len;

	ck_assert_uint_eq(item(key, len), values[_i].value);
	ck_assert_uint_eq(next(8), 0);
	/* Selecting it again, also for writing, begins again. */
	ck_assert_uint_eq(item(key | 0x4000, len), values[_i].value);
}
END_TEST

START_TEST(power_on)
{
	ck_assert_uint_eq(next(4), 0x554d4551);
	item(5, 1);
	fw_cfg_quiesce(&f);
	fw_cfg_reset(&f);
	ck_assert_uint_eq(next(4), 0x554d4551);
}
END_TEST

START_TEST(unknown_items_are_empty)
{
	static const uint16_t keys[] = {
	        0x02, 0x08, 0x0b, 0x1f, 0x21, 0x2f, 0x30, 0x3fff, 0x7fff, 0x8000, 0x8020, 0xffff};

	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
		ck_assert_msg(item(keys[i], 8) == 0, "key %x", keys[i]);
	}
	fill(BUF, 0xaa, 32);
	ck_assert_uint_eq(command(SELECT | READ | 0xffff0000, 16, BUF), 0);
	ck_assert(all(BUF, 0, 16));
	ck_assert(all(BUF + 16, 0xaa, 16));
}
END_TEST

START_TEST(only_the_right_widths)
{
	ck_assert_uint_eq(item(0, 1), 'Q');
	/* The selector is 16 bits, write-only; data is 8 bits, read-only. */
	out(SEL, 1, 5);
	out(SEL, 4, 5);
	out(DATA, 1, 0xff);
	out(DATA, 2, 5);
	ck_assert_uint_eq(in(SEL, 1), 0xff);
	ck_assert_uint_eq(in(SEL, 2), 0xffff);
	ck_assert_uint_eq(in(DATA, 2), 0xffff);
	ck_assert_uint_eq(in(SEL, 4), 0xffffffff);
	ck_assert_uint_eq(next(3), 0x554d45);
	/* Ports between. */
	ck_assert(!io_bus_claims(&vm->pio, 0x512, 1));
	ck_assert(!io_bus_claims(&vm->pio, 0x513, 1));
}
END_TEST

START_TEST(address_register)
{
	ck_assert_uint_eq(in(DMA_HIGH, 4), 0x554d4551);
	ck_assert_uint_eq(in(DMA_LOW, 4), 0x47464320);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_uint_eq(in(DMA_HIGH + i, 1), (uint8_t) "QEMU CFG"[i]);
	}
	ck_assert_uint_eq(in(DMA_HIGH + 3, 2), 0x2055);
}
END_TEST

static unsigned directory(struct fw_cfg_dir *dir)
{
	uint8_t *p = (uint8_t *)dir;
	unsigned n;

	out(SEL, 2, 0x19);
	for (unsigned i = 0; i < sizeof(*dir); i++) {
		p[i] = (uint8_t)in(DATA, 1);
	}
	n = __builtin_bswap32(dir->count);
	/* Nothing behind the last entry. */
	for (unsigned i = 4 + n * 64; i < sizeof(*dir); i++) {
		ck_assert_uint_eq(p[i], 0);
	}
	return n;
}

START_TEST(memory_map)
{
	struct e820_entry want[GUEST_E820_MAX], got[GUEST_E820_MAX];
	struct fw_cfg_dir dir;
	unsigned n = guest_e820(vm, want, ARRAY_SIZE(want));
	unsigned len = n * 20;

	ck_assert_uint_ge(n, 3);
	ck_assert_uint_eq(directory(&dir), 1);
	ck_assert_str_eq(dir.files[0].name, "etc/e820");
	ck_assert_uint_eq(__builtin_bswap32(dir.files[0].size), len);
	ck_assert_uint_eq(__builtin_bswap16(dir.files[0].select), 0x20);
	ck_assert_uint_eq(command(SELECT | READ | 0x200000, len, BUF), 0);
	peek(BUF, got, len);
	ck_assert_mem_eq(got, want, len);
	ck_assert_uint_eq(item(0x8003, 4), n);
	ck_assert_uint_eq(command(READ, len, BUF), 0);
	peek(BUF, got, len);
	ck_assert_mem_eq(got, want, len);
	ck_assert_uint_eq(next(1), 0);
}
END_TEST

START_TEST(files_are_sorted)
{
	static const char *const order[] = {"bootorder", "etc/e820", "etc/e8200", "opt/x/a"};
	struct fw_cfg_dir dir;

	ck_assert_int_eq(fw_cfg_add_file(&f, "opt/x/a", "1", 1), 0);
	ck_assert_int_eq(fw_cfg_add_file(&f, "bootorder", "22", 2), 0);
	ck_assert_int_eq(fw_cfg_add_file(&f, "etc/e8200", "4444", 4), 0);
	ck_assert_uint_eq(directory(&dir), 4);
	for (unsigned i = 0; i < 4; i++) {
		unsigned len = __builtin_bswap32(dir.files[i].size);

		ck_assert_str_eq(dir.files[i].name, order[i]);
		ck_assert_uint_eq(__builtin_bswap16(dir.files[i].select), 0x20 + i);
		ck_assert_uint_eq(dir.files[i].reserved, 0);
		out(SEL, 2, 0x20 + i);
		for (unsigned j = 0; i != 1 && j < len; j++) {
			ck_assert_uint_eq(in(DATA, 1), '0' + len);
		}
	}
}
END_TEST

START_TEST(files_refused)
{
	char name[64];

	ck_assert_int_eq(fw_cfg_add_file(&f, "", "", 0), -EINVAL);
	memset(name, 'x', sizeof(name));
	name[56] = '\0';
	ck_assert_int_eq(fw_cfg_add_file(&f, name, "", 0), -EINVAL);
	ck_assert_int_eq(fw_cfg_add_file(&f, "etc/e820", "", 0), -EEXIST);
	name[55] = '\0';
	ck_assert_int_eq(fw_cfg_add_file(&f, name, "", 0), 0);
	for (unsigned i = 2; i < FW_CFG_FILES; i++) {
		snprintf(name, sizeof(name), "%u", i);
		ck_assert_int_eq(fw_cfg_add_file(&f, name, "", 0), 0);
	}
	ck_assert_int_eq(fw_cfg_add_file(&f, "more", "", 0), -ENOSPC);
	/* Still the better reason. */
	ck_assert_int_eq(fw_cfg_add_file(&f, "etc/e820", "", 0), -EEXIST);
	struct fw_cfg_dir dir;
	ck_assert_uint_eq(directory(&dir), FW_CFG_FILES);
	for (unsigned i = 1; i < FW_CFG_FILES; i++) {
		ck_assert_int_lt(strcmp(dir.files[i - 1].name, dir.files[i].name), 0);
	}
	ck_assert_uint_eq(strlen(dir.files[FW_CFG_FILES - 1].name), 55);
}
END_TEST

START_TEST(attach_undoes)
{
	static const unsigned taken[] = {SEL, SEL + 1, SEL + 4, SEL + 11};
	static const struct io_ops nothing = {.name = "squatter"};
	static struct io_range squatter;

	for (unsigned i = 0; i < ARRAY_SIZE(taken); i++) {
		vm = fake_vm(MEM, 1);
		squatter = (struct io_range){.base = taken[i], .len = 1, .ops = &nothing};
		ck_assert_int_eq(io_bus_add(&vm->pio, &squatter), 0);
		fw_cfg_init(&f);
		ck_assert_int_eq(fw_cfg_attach(&f, vm, SEL), -EEXIST);
		ck_assert_uint_eq(vm->pio.n_ranges, 1);
	}
	vm = fake_vm(MEM, 1);
	fw_cfg_init(&f);
	ck_assert_int_eq(fw_cfg_attach(&f, vm, 0xfff5), -EINVAL);
	ck_assert_uint_eq(vm->pio.n_ranges, 0);
	/* The name of a file of its own is taken. */
	fw_cfg_init(&f);
	ck_assert_int_eq(fw_cfg_add_file(&f, "etc/e820", "", 0), 0);
	ck_assert_int_eq(fw_cfg_attach(&f, vm, SEL), -EEXIST);
	ck_assert_uint_eq(vm->pio.n_ranges, 0);
}
END_TEST

START_TEST(dump)
{
	item(5, 1);
	fw_cfg_dump(&f, &out_log);
	ck_assert_uint_eq(fake_log_count("key 0005 offset 1, 1 files"), 1);
}
END_TEST

UNIT_MAIN("fw_cfg", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, values_and_zeros_behind, 0, ARRAY_SIZE(values));
          tcase_add_test(tc, power_on); tcase_add_test(tc, unknown_items_are_empty);
          tcase_add_test(tc, only_the_right_widths); tcase_add_test(tc, address_register);
          tcase_add_test(tc, memory_map); tcase_add_test(tc, files_are_sorted);
          tcase_add_test(tc, files_refused); tcase_add_test(tc, attach_undoes);
          tcase_add_test(tc, dump);)
