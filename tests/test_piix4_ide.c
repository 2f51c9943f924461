// SPDX-License-Identifier: BSD-2-Clause
// PIIX4 function 1: configuration space, where ports answer, how many drives there can be.
#include "tests/ide_world.h"

#define FN PCI_DEVFN(7, 1)

static void setup(void)
{
	w_make(true, true);
}

static uint32_t cfg(unsigned offset, unsigned width)
{
	return pci_config_read(&w_bus, FN, offset, width);
}

static void cfg_write(unsigned offset, unsigned width, uint32_t value)
{
	pci_config_write(&w_bus, FN, offset, width, value);
}

/* At power-on, and what ones leave. */
static const struct {
	uint8_t offset, width;
	uint32_t power_on, ones;
} regs[] = {
        {0x00, 4, 0x71118086, 0x71118086},
        {0x04, 2, 0x0005, 0x0005},
        {0x06, 2, 0x0280, 0x0280},
        {0x08, 4, 0x01018001, 0x01018001},
        {0x0d, 1, 0x00, 0xf8},
        {0x0e, 1, 0x00, 0x00},
        {0x10, 4, 0, 0},
        {0x14, 4, 0, 0},
        {0x20, 4, 0xffa1, 0xfff1},
        {0x24, 4, 0, 0},
        {0x3c, 2, 0, 0},
        {0x40, 2, 0x8000, 0xf3ff},
        {0x42, 2, 0x8000, 0xf3ff},
        {0x44, 1, 0, 0xff},
        {0x48, 1, 0, 0x0f},
        {0x4a, 2, 0, 0x3333},
};

START_TEST(configuration_space)
{
	ck_assert_uint_eq(cfg(regs[_i].offset, regs[_i].width), regs[_i].power_on);
	cfg_write(regs[_i].offset, regs[_i].width, 0xffffffff);
	ck_assert_uint_eq(cfg(regs[_i].offset, regs[_i].width), regs[_i].ones);
	pci_bus_reset(&w_bus);
	ck_assert_uint_eq(cfg(regs[_i].offset, regs[_i].width), regs[_i].power_on);
}
END_TEST

static void expect_ports(bool primary, bool secondary, bool bm)
{
	for (unsigned i = 0; i < 8; i++) {
		ck_assert(io_bus_claims(&vm->pio, 0x1f0 + i, 1) == primary);
		ck_assert(io_bus_claims(&vm->pio, 0x170 + i, 1) == secondary);
	}
	ck_assert(io_bus_claims(&vm->pio, 0x3f6, 1) == primary);
	ck_assert(io_bus_claims(&vm->pio, 0x376, 1) == secondary);
	ck_assert(!io_bus_claims(&vm->pio, 0x3f7, 1));
	ck_assert(!io_bus_claims(&vm->pio, 0x3f5, 1));
	ck_assert(io_bus_claims(&vm->pio, 0xffa0, 4) == bm);
	ck_assert(io_bus_claims(&vm->pio, 0xffac, 4) == bm);
}

START_TEST(decoding)
{
	expect_ports(true, true, true);
	cfg_write(0x40, 2, 0x0000);
	expect_ports(false, true, true);
	ck_assert_uint_eq(w_in(0x1f7, 1), 0xff);
	cfg_write(0x41, 1, 0x80);
	expect_ports(true, true, true);
	cfg_write(0x43, 1, 0);
	expect_ports(true, false, true);
	cfg_write(0x04, 2, 0x0004);
	expect_ports(false, false, false);
	cfg_write(0x04, 2, 0x0001);
	expect_ports(true, false, true);
	pci_bus_reset(&w_bus);
	expect_ports(true, true, true);
}
END_TEST

START_TEST(bus_master_moves)
{
	cfg_write(0x20, 4, 0xc000);
	ck_assert(!io_bus_claims(&vm->pio, 0xffa0, 4));
	w_out(0xc004, 4, 0x12344);
	w_out(0xc00c, 4, 0x56788);
	ck_assert_uint_eq(w_in(0xc004, 4), 0x12344);
	ck_assert_uint_eq(w_in(0xc00c, 4), 0x56788);
	cfg_write(0x20, 4, 0xd000);
	ck_assert_uint_eq(w_in(0xd00c, 4), 0x56788);
	/* Another device's ports are not hidden. */
	cfg_write(0x20, 4, 0x01f0);
	ck_assert_uint_eq(w_in(0x1f7, 1), W_GOOD);
}
END_TEST

START_TEST(channels_are_independent)
{
	w_disk.defer = true;
	w_cd.defer = true;
	w_lba28(0x20, 1, 0);
	w_command(W_CMD2, 0xa0, 0, 0, 0xfffe00, 0xa0);
	w_write_data(W_CMD2, "\x12\0\0\0\x24\0\0\0\0\0\0\0", 12);
	ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
	w_expect(W_CMD2, W_DRQ);
	ck_assert(!w_line(W_GSI));
	blk_finish(&w_disk);
	w_expect(W_CMD, W_DRQ);
	ck_assert_uint_eq(w_in(W_BM + 2, 1), 4);
	ck_assert_uint_eq(w_in(W_BM + 10, 1), 4);
}
END_TEST

START_TEST(four_drives_at_most)
{
	static struct piix4_ide ide;
	struct fake_blk b[5];

	piix4_ide_init(&ide);
	for (unsigned i = 0; i < 5; i++) {
		b[i] = blk_make(w_slave_data, 1 << 16, i == 2);
		ck_assert_int_eq(piix4_ide_add(&ide, &b[i].blk), i < 4 ? 0 : -ENOSPC);
	}
	ck_assert_ptr_eq(ide.channels[0].drives[1].blk, &b[1].blk);
	ck_assert_int_eq(ide.channels[1].drives[0].kind, IDE_CDROM);
	piix4_ide_init(&ide);
	memset(&ide, 0, sizeof(ide));
	b[0].blk.block_size = 4096;
	ck_assert_int_eq(piix4_ide_add(&ide, &b[0].blk), -EINVAL);
	ck_assert_int_eq(piix4_ide_add(&ide, &b[1].blk), 0);
	ck_assert_ptr_eq(ide.channels[0].drives[0].blk, &b[1].blk);
}
END_TEST

START_TEST(buffers_lie_where_they_are_said_to)
{
	static struct piix4_ide ide;

	piix4_ide_init(&ide);
	piix4_ide_place(&ide, hpa(0x10000000));
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(ide.channels[i].buf_hpa.v - 0x10000000,
		        (uintptr_t)ide.channels[i].s.buf - (uintptr_t)&ide);
		ck_assert_uint_eq(ide.channels[i].buf_hpa.v % 512, 0);
	}
}
END_TEST

/* Each step that can fail undoes the ones before: room for so many ranges, or for all of them. */
START_TEST(attach_undoes)
{
	static const struct io_ops nothing = {.name = "squatter"};
	static struct io_range fill[IO_BUS_MAX_RANGES];
	static struct pci_func other;
	static struct piix4_ide ide;
	bool taken = _i == 5;
	unsigned n = taken ? 0 : IO_BUS_MAX_RANGES - (unsigned)_i;

	vm = fake_vm(W_MEM, 1);
	pci_bus_init(&w_bus, vm);
	if (taken) {
		pci_func_init(&other, &(struct pci_ids){.vendor = 1});
		ck_assert_int_eq(pci_func_attach(&other, &w_bus, 7, 1), 0);
	}
	for (unsigned i = 0; i < n; i++) {
		fill[i] = (struct io_range){
		        .base = 0x8000 + i, .len = 1, .ops = &nothing, .kind = IO_FIXED};
		ck_assert_int_eq(io_bus_add(&vm->pio, &fill[i]), 0);
	}
	memset(&ide, 0, sizeof(ide));
	piix4_ide_init(&ide);
	ck_assert_int_eq(piix4_ide_attach(&ide, vm, &w_bus, 7, &w_map), taken ? -EEXIST : -ENOSPC);
	ck_assert_uint_eq(vm->pio.n_ranges, n);
	ck_assert(w_bus.funcs[FN] == (taken ? &other : NULL));
}
END_TEST

static char text[4096];
static size_t used;

static void keep(struct out *out, const char *line, size_t n)
{
	(void)out;
	memcpy(text + used, line, n);
	used += n;
	text[used] = '\0';
}

START_TEST(dump)
{
	struct out out = {.write = keep};

	used = 0;
	w_lba28(0x20, 2, 0);
	piix4_ide_dump(&w_ide, &out);
	ck_assert_ptr_nonnull(strstr(text, "primary disk disk, secondary CD-ROM -\n"));
	ck_assert_ptr_nonnull(strstr(text, "  primary 0: disk of 4096 KiB, status 58"));
	ck_assert_ptr_nonnull(strstr(text, "  secondary 0: CD-ROM of 1024 KiB"));
	ck_assert_ptr_nonnull(strstr(text, "PIO in"));
	ck_assert_ptr_null(strstr(text, "secondary 1"));
}
END_TEST

UNIT_MAIN("piix4_ide", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, configuration_space, 0, ARRAY_SIZE(regs));
          tcase_add_test(tc, decoding); tcase_add_test(tc, bus_master_moves);
          tcase_add_test(tc, channels_are_independent); tcase_add_test(tc, four_drives_at_most);
          tcase_add_test(tc, buffers_lie_where_they_are_said_to);
          tcase_add_loop_test(tc, attach_undoes, 0, 6); tcase_add_test(tc, dump);)
