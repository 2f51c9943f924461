// SPDX-License-Identifier: BSD-2-Clause
// fw_cfg: every item by port and by command, the directory, and what a hostile command can ask.
#include "devices/fw_cfg.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/err.h"
#include <stdio.h>
#include <string.h>

#define SEL 0x510U
#define DATA 0x511U
#define DMA_HIGH 0x514U
#define DMA_LOW 0x518U

/* [FWCFG] "Guest-side DMA Interface". */
#define ERROR 1U
#define READ 2U
#define SKIP 4U
#define SELECT 8U
#define WRITE 16U

#define MEM (8U << 20)
#define CMD 0x8000U
#define BUF 0x20000U
#define VGA 0xa0000U
#define MS 1000000ULL

static struct vm *vm;
static struct fw_cfg f;
static uint8_t big[3 * FW_CFG_DMA_NOW];

static void setup(void)
{
	fake_clock_set(0);
	vm = fake_vm(MEM, 3);
	strcpy(((struct config_vm *)(uintptr_t)vm->config)->cmdline, "a=b c");
	fw_cfg_init(&f);
	ck_assert_int_eq(fw_cfg_attach(&f, vm, SEL), 0);
	fake_log_clear();
}

static uint64_t in(unsigned port, unsigned width)
{
	return io_bus_read(&vm->pio, port, width);
}

static void out(unsigned port, unsigned width, uint64_t value)
{
	io_bus_write(&vm->pio, port, width, value);
}

/* The next n bytes, little-endian. */
static uint64_t next(unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++) {
		v |= in(DATA, 1) << (8 * i);
	}
	return v;
}

static uint64_t item(unsigned key, unsigned n)
{
	out(SEL, 2, key);
	return next(n);
}

static void peek(uint64_t at, void *to, size_t n)
{
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), to, n), 0);
}

static void command_at(uint64_t at, uint32_t control, uint32_t len, uint64_t to)
{
	uint32_t c[2] = {__builtin_bswap32(control), __builtin_bswap32(len)};

	to = __builtin_bswap64(to);
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(at), c, sizeof(c)), 0);
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(at + 8), &to, sizeof(to)), 0);
	out(DMA_LOW, 4, __builtin_bswap32((uint32_t)at));
}

static uint32_t control_at(uint64_t at)
{
	uint32_t c;

	peek(at, &c, sizeof(c));
	return __builtin_bswap32(c);
}

/* A command, and what its control word says afterwards. */
static uint32_t command(uint32_t control, uint32_t len, uint64_t to)
{
	command_at(CMD, control, len, to);
	return control_at(CMD);
}

static void fill(uint64_t at, uint8_t byte, size_t n)
{
	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(at), byte, n), 0);
}

static bool all(uint64_t at, uint8_t byte, size_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		uint8_t b;

		peek(at + i, &b, 1);
		if (b != byte) {
			return false;
		}
	}
	return true;
}

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

/* --- commands --- */

START_TEST(read_goes_on_where_it_was)
{
	uint8_t got[8];

	fill(BUF, 0xaa, 16);
	ck_assert_uint_eq(command(SELECT, 0, 0), 0);
	ck_assert_uint_eq(command(READ, 2, BUF), 0);
	peek(BUF, got, 3);
	ck_assert_mem_eq(got, "QE\xaa", 3);
	/* One offset for both interfaces; behind the end are zeros. */
	ck_assert_uint_eq(in(DATA, 1), 'M');
	ck_assert_uint_eq(command(READ, 3, BUF), 0);
	peek(BUF, got, 4);
	ck_assert_mem_eq(got, "U\0\0\xaa", 4);
	ck_assert_uint_eq(command(READ, 3, BUF), 0);
	ck_assert(all(BUF, 0, 3));
}
END_TEST

START_TEST(skip)
{
	ck_assert_uint_eq(command(SELECT | SKIP, 3, ~0ULL), 0);
	ck_assert_uint_eq(next(2), 'U');
	ck_assert_uint_eq(command(SELECT | SKIP, 0xffffffff, 0), 0);
	ck_assert_uint_eq(command(SKIP, 0xffffffff, 0), 0);
	ck_assert_uint_eq(next(2), 0);
	/* Reading wins over writing, writing over skipping. */
	ck_assert_uint_eq(command(SELECT | SKIP | READ | WRITE, 1, BUF), 0);
	ck_assert_uint_eq(next(1), 'E');
	ck_assert_uint_eq(command(SELECT | SKIP | WRITE, 1, BUF), ERROR);
	ck_assert_uint_eq(next(1), 'Q');
	/* Nothing at all is no error. */
	ck_assert_uint_eq(command(0, 100, 0), 0);
	ck_assert_uint_eq(command(0xffe0, 100, 0), 0);
	ck_assert_uint_eq(next(1), 'E');
}
END_TEST

START_TEST(every_item_is_read_only)
{
	fill(BUF, 0x55, 16);
	ck_assert_uint_eq(command(SELECT | WRITE | 0x50000, 2, BUF), ERROR);
	ck_assert_uint_eq(command(SELECT | WRITE | 0x40050000, 2, BUF), ERROR);
	ck_assert_uint_eq(command(SELECT | WRITE | 0xffff0000, 0, BUF), ERROR);
	ck_assert_uint_eq(item(5, 2), 3);
	/* The error bit is an answer, not a question. */
	ck_assert_uint_eq(command(SELECT | READ | ERROR, 4, BUF), 0);
}
END_TEST

START_TEST(address_of_a_command)
{
	uint32_t c[4] = {
	        __builtin_bswap32(SELECT | READ), __builtin_bswap32(4), 0, __builtin_bswap32(BUF)};

	fake_clock_set(0);
	vm = fake_vm(GMEM_LOW_MAX + (4U << 20), 1);
	fw_cfg_init(&f);
	ck_assert_int_eq(fw_cfg_attach(&f, vm, SEL), 0);
	/* At 4 GiB + 0x1000, which needs both halves, the high one first. */
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(0x100001000ULL), c, sizeof(c)), 0);
	out(DMA_HIGH, 4, __builtin_bswap32(1));
	out(DMA_LOW, 4, __builtin_bswap32(0x1000));
	ck_assert_uint_eq(control_at(0x100001000ULL), 0);
	/* The register is 0 again: the next command is below 4 GiB. */
	ck_assert_uint_eq(command(SELECT | READ, 4, 0x100002000ULL), 0);
	peek(0x100002000ULL, c, 4);
	ck_assert_mem_eq(c, "QEMU", 4);
	/* Other widths do nothing. */
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(CMD), "\0\0\0\x08", 4), 0);
	out(DMA_LOW, 2, 0x80);
	out(DMA_LOW + 3, 1, 0x80);
	out(DMA_LOW + 2, 2, 0x80);
	out(DMA_HIGH + 2, 4, 0x80);
	ck_assert_uint_eq(control_at(CMD), SELECT);
}
END_TEST

START_TEST(command_outside_memory)
{
	static const uint64_t at[] = {VGA, VGA - 8, MEM, MEM - 15, 0xfffffff0, 0xffffffff};

	fill(VGA - 16, 0xff, 16);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
		fake_log_clear();
		out(DMA_LOW, 4, __builtin_bswap32((uint32_t)at[i]));
		ck_assert_uint_eq(fake_log_count("fw_cfg: no memory at"), 1);
	}
	out(DMA_HIGH, 4, 0xffffffff);
	out(DMA_LOW, 4, 0xf8ffffff); /* the structure wraps */
	ck_assert(all(VGA - 16, 0xff, 16));
	/* The last 16 bytes of memory are fine. */
	command_at(MEM - 16, SELECT, 0, 0);
	ck_assert_uint_eq(control_at(MEM - 16), 0);
}
END_TEST

START_TEST(target_outside_memory)
{
	static const struct {
		uint64_t at;
		uint32_t len;
	} targets[] = {
	        {VGA, 1},
	        {VGA - 1, 2},
	        {MEM - 3, 4},
	        {MEM, 0xffffffff},
	        {0, 0xffffffff},
	        {VGA + 0x20000, MEM},
	        {~0ULL, 1},
	        {~0ULL - 3, 16},
	        {1ULL << 63, 4},
	};

	fill(VGA - 16, 0xaa, 16);
	for (unsigned i = 0; i < ARRAY_SIZE(targets); i++) {
		ck_assert_msg(command(SELECT | READ, targets[i].len, targets[i].at) == ERROR,
		        "row %u", i);
		/* Not a byte of it was written, and the offset is where it was. */
		ck_assert(all(VGA - 16, 0xaa, 16));
		ck_assert_uint_eq(next(1), 'Q');
		ck_assert(!f.s.busy);
	}
	/* No bytes fit everywhere. */
	ck_assert_uint_eq(command(READ, 0, VGA), 0);
}
END_TEST

/* The command may lie in its own target: the answer comes last. */
START_TEST(command_in_its_target)
{
	uint8_t got[8];

	ck_assert_uint_eq(command(SELECT | READ, 4, CMD), 0);
	ck_assert_uint_eq(command(SELECT | READ, 4, CMD + 4), 0);
	peek(CMD, got, 8);
	ck_assert_mem_eq(got, "\0\0\0\0QEMU", 8);
}
END_TEST

static void add_big(void)
{
	for (unsigned i = 0; i < sizeof(big); i++) {
		big[i] = (uint8_t)(i * 7 + (i >> 8) * 3 + 1);
	}
	ck_assert_int_eq(fw_cfg_add_file(&f, "a", big, sizeof(big)), 0);
}

#define BIG_TO (1U << 20)
#define BIG_EXTRA 1000U

/* More than a vCPU waits for: in steps, in time, and not a byte twice. */
START_TEST(long_transfer)
{
	static uint8_t got[sizeof(big) + BIG_EXTRA];
	unsigned steps = (sizeof(got) - FW_CFG_DMA_NOW + FW_CFG_DMA_STEP - 1) / FW_CFG_DMA_STEP;

	add_big();
	fill(BIG_TO, 0xaa, sizeof(got));
	ck_assert_uint_eq(
	        command(SELECT | READ | 0x200000, sizeof(got), BIG_TO), SELECT | READ | 0x200000);
	/* The first part is there, the next byte is not. */
	peek(BIG_TO, got, FW_CFG_DMA_NOW + 1);
	ck_assert_mem_eq(got, big, FW_CFG_DMA_NOW);
	ck_assert_uint_eq(got[FW_CFG_DMA_NOW], 0xaa);
	/* The offset is where it will be. */
	ck_assert_uint_eq(next(1), 0);
	/* Nobody else gets in. */
	command_at(CMD + 16, SELECT | READ, 4, BUF);
	ck_assert_uint_eq(control_at(CMD + 16), ERROR);
	/* The ports work, and change nothing of it. */
	ck_assert_uint_eq(item(0, 4), 0x554d4551);
	fake_clock_advance((steps - 1) * (uint64_t)FW_CFG_DMA_STEP_NS);
	ck_assert_uint_ne(control_at(CMD), 0);
	/* What the guest does to its command meanwhile is not looked at. */
	fill(CMD, 0xff, 16);
	fake_clock_advance(FW_CFG_DMA_STEP_NS);
	ck_assert_uint_eq(control_at(CMD), 0);
	peek(BIG_TO, got, sizeof(got));
	ck_assert_mem_eq(got, big, sizeof(big));
	ck_assert(all(BIG_TO + sizeof(big), 0, BIG_EXTRA));
	ck_assert(all(BIG_TO + sizeof(got), 0, 1));
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
	ck_assert_uint_eq(command(SELECT | READ, 4, BUF), 0);
}
END_TEST

START_TEST(exactly_what_a_vcpu_waits_for)
{
	add_big();
	ck_assert_uint_eq(command(SELECT | READ | 0x200000, FW_CFG_DMA_NOW, BIG_TO), 0);
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
	ck_assert_uint_eq(next(1), big[FW_CFG_DMA_NOW]);
}
END_TEST

START_TEST(reset_ends_a_transfer)
{
	add_big();
	ck_assert_uint_ne(command(SELECT | READ | 0x200000, sizeof(big), BIG_TO), 0);
	fw_cfg_quiesce(&f);
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
	fw_cfg_reset(&f);
	fill(CMD, 0x11, 16);
	fill(BIG_TO, 0xaa, sizeof(big));
	fake_clock_advance(1000 * MS);
	ck_assert(all(BIG_TO, 0xaa, sizeof(big)));
	ck_assert_uint_eq(control_at(CMD), 0x11111111);
	ck_assert_uint_eq(next(1), 'Q');
	/* High half written, then a reset: gone, too. */
	out(DMA_HIGH, 4, 0xffffffff);
	fw_cfg_reset(&f);
	ck_assert_uint_eq(command(SELECT, 0, 0), 0);
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
          tcase_add_test(tc, files_refused); tcase_add_test(tc, read_goes_on_where_it_was);
          tcase_add_test(tc, skip); tcase_add_test(tc, every_item_is_read_only);
          tcase_add_test(tc, address_of_a_command); tcase_add_test(tc, command_outside_memory);
          tcase_add_test(tc, target_outside_memory); tcase_add_test(tc, command_in_its_target);
          tcase_add_test(tc, long_transfer); tcase_add_test(tc, exactly_what_a_vcpu_waits_for);
          tcase_add_test(tc, reset_ends_a_transfer); tcase_add_test(tc, attach_undoes);
          tcase_add_test(tc, dump);)
