// SPDX-License-Identifier: BSD-2-Clause
// An IDE channel's registers: task file, presence, selection, interrupt, resets.
#include "tests/ide_world.h"

static void setup(void)
{
	w_make(true, true);
}

/* [ATA6] "Device signatures for device reset". */
START_TEST(signatures_after_power_on)
{
	static const struct {
		unsigned cmd;
		uint8_t device, nsect, lbal, lbam, lbah, status, error;
	} rows[] = {
	        {W_CMD, 0xa0, 1, 1, 0x00, 0x00, W_GOOD, 1},
	        {W_CMD, 0xb0, 1, 1, 0x00, 0x00, W_GOOD, 1},
	        {W_CMD2, 0xa0, 1, 1, 0x14, 0xeb, 0x00, 1},
	        {W_CMD2, 0xb0, 0, 0, 0x00, 0x00, 0x00, 0}, /* absent: the other one answers */
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		w_out(rows[i].cmd + 6, 1, rows[i].device);
		ck_assert_uint_eq(w_reg(rows[i].cmd, IDE_NSECT), rows[i].nsect);
		ck_assert_uint_eq(w_reg(rows[i].cmd, IDE_LBAL), rows[i].lbal);
		ck_assert_uint_eq(w_reg(rows[i].cmd, IDE_LBAM), rows[i].lbam);
		ck_assert_uint_eq(w_reg(rows[i].cmd, IDE_LBAH), rows[i].lbah);
		ck_assert_uint_eq(w_reg(rows[i].cmd, IDE_STATUS), rows[i].status);
		ck_assert_uint_eq(w_reg(rows[i].cmd, IDE_FEATURES), rows[i].error);
		ck_assert_uint_eq(w_alt(rows[i].cmd), rows[i].status);
	}
	ck_assert(!w_line(W_GSI) && !w_line(W_GSI2));
}
END_TEST

START_TEST(a_channel_without_drives_floats)
{
	w_make(false, false);
	for (unsigned reg = 1; reg < 8; reg++) {
		w_out(W_CMD2 + reg, 1, 0x55);
		ck_assert_uint_eq(w_reg(W_CMD2, reg), 0x7f);
	}
	ck_assert_uint_eq(w_alt(W_CMD2), 0x7f);
	ck_assert_uint_eq(w_in(W_CMD2, 2), 0xffff);
	w_out(W_CMD2 + 7, 1, 0xec);
	ck_assert(!w_line(W_GSI2));
	w_out(W_CMD2 + 7, 1, 0x90); /* a command to both drives */
	ck_assert(!w_line(W_GSI2));
	ck_assert_uint_eq(w_bm_status(W_CMD2), 0);
}
END_TEST

START_TEST(registers_hold_what_is_written)
{
	for (unsigned reg = IDE_NSECT; reg <= IDE_LBAH; reg++) {
		w_out(W_CMD + reg, 1, 0x50 + reg);
		w_out(W_CMD + reg, 1, 0xa0 + reg);
	}
	w_out(W_CMD + 6, 1, 0x4f);
	for (unsigned reg = IDE_NSECT; reg <= IDE_LBAH; reg++) {
		ck_assert_uint_eq(w_reg(W_CMD, reg), 0xa0 + reg);
		w_out(W_CTL, 1, IDE_CTL_HOB);
		ck_assert_uint_eq(w_reg(W_CMD, reg), 0x50 + reg);
		w_out(W_CTL, 1, 0);
	}
	ck_assert_uint_eq(w_reg(W_CMD, IDE_DEVICE), 0xef);
	/* Both drives listened; a write to the command block ends HOB. */
	w_out(W_CTL, 1, IDE_CTL_HOB);
	w_out(W_CMD + 6, 1, 0xb0);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAM), 0xa4);
	/* Two bytes, two registers. */
	w_out(W_CMD + 2, 2, 0x1234);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_NSECT), 0x34);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAL), 0x12);
	ck_assert_uint_eq(w_in(W_CMD + 2, 2), 0x1234);
	/* The error register is not the features register. */
	w_out(W_CMD + 1, 1, 0x77);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_FEATURES), 1);
}
END_TEST

START_TEST(nothing_is_taken_from_a_port_without_data)
{
	w_out(W_CMD, 2, 0x1234);
	ck_assert_uint_eq(w_in(W_CMD, 2), 0xffff);
	ck_assert_uint_eq(w_in(W_CMD, 4), 0xffffffff);
	ck_assert_uint_eq(w_alt(W_CMD), W_GOOD);
}
END_TEST

START_TEST(interrupt_and_its_ends)
{
	/* Alternate status leaves it, status ends it. */
	w_lba28(0xe5, 0, 0);
	ck_assert(w_line(W_GSI));
	ck_assert_uint_eq(w_alt(W_CMD), W_GOOD);
	ck_assert(w_line(W_GSI));
	ck_assert_uint_eq(w_reg(W_CMD, IDE_STATUS), W_GOOD);
	ck_assert(!w_line(W_GSI));
	/* A command ends the one before. */
	w_lba28(0xe5, 0, 0);
	w_out(W_CMD + 7, 1, 0xec);
	ck_assert(w_line(W_GSI));
	w_reg(W_CMD, IDE_STATUS);
	/* nIEN keeps it in, not away. */
	w_out(W_CTL, 1, IDE_CTL_NIEN);
	w_lba28(0xe5, 0, 0);
	ck_assert(!w_line(W_GSI));
	ck_assert_uint_eq(w_bm_status(W_CMD) & 4, 4); /* of those before */
	w_out(W_CTL, 1, 0);
	ck_assert(w_line(W_GSI));
	/* It is the selected drive's. */
	w_out(W_CMD + 6, 1, 0xb0);
	ck_assert(!w_line(W_GSI));
	w_reg(W_CMD, IDE_STATUS);
	w_out(W_CMD + 6, 1, 0xa0);
	ck_assert(w_line(W_GSI));
	w_expect(W_CMD, W_GOOD);
	ck_assert(!w_line(W_GSI2));
}
END_TEST

START_TEST(commands_for_a_drive_that_is_not_there)
{
	w_make(false, true);
	w_command(W_CMD, 0xec, 0, 0, 0, 0xb0);
	ck_assert_uint_eq(w_alt(W_CMD), 0);
	ck_assert(!w_line(W_GSI));
	w_out(W_CMD + 6, 1, 0xa0);
	ck_assert_uint_eq(w_alt(W_CMD), W_GOOD);
	w_out(W_CMD + 7, 1, 0xec);
	w_expect(W_CMD, W_DRQ);
}
END_TEST

START_TEST(execute_device_diagnostic)
{
	w_command(W_CMD, 0x90, 0, 0x55, 0x123456, 0xb0);
	w_expect(W_CMD, W_GOOD);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_DEVICE), 0xa0); /* drive 0 */
	ck_assert_uint_eq(w_reg(W_CMD, IDE_FEATURES), 1);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_NSECT), 1);
	w_out(W_CMD + 6, 1, 0xb0);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_FEATURES), 1);
	ck_assert(!w_line(W_GSI));
}
END_TEST

START_TEST(software_reset)
{
	w_command(W_CMD, 0xec, 0, 0, 0, 0xb0);
	ck_assert_uint_eq(w_alt(W_CMD), W_DRQ);
	ck_assert(w_line(W_GSI));
	w_out(W_CTL, 1, IDE_CTL_SRST);
	ck_assert(!w_line(W_GSI));
	ck_assert_uint_eq(w_reg(W_CMD, IDE_STATUS), IDE_ST_BSY);
	/* While it lasts nobody listens. */
	w_out(W_CMD + 2, 1, 0x77);
	w_out(W_CMD + 7, 1, 0xec);
	ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
	w_out(W_CTL, 1, 0);
	ck_assert_uint_eq(w_alt(W_CMD), W_GOOD);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_DEVICE), 0xa0);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_NSECT), 1);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_FEATURES), 1);
	ck_assert_uint_eq(w_in(W_CMD, 2), 0xffff);
	ck_assert(!w_line(W_GSI));
}
END_TEST

/* It selects drive 0 when it begins, so that what is seen is not the answer for an absent one. */
START_TEST(software_reset_selects_drive_0)
{
	w_make(false, false);
	w_out(W_CMD + 6, 1, 0xf0);
	ck_assert_uint_eq(w_alt(W_CMD), 0);
	w_out(W_CTL, 1, IDE_CTL_SRST);
	ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
	w_out(W_CTL, 1, 0);
	ck_assert_uint_eq(w_alt(W_CMD), W_GOOD);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_DEVICE), 0xa0);
}
END_TEST

/* A request that is at the backend: cancelled, or waited for. */
START_TEST(software_reset_while_the_backend_works)
{
	bool stubborn = _i;

	w_disk.defer = true;
	w_disk.stubborn = stubborn;
	w_lba28(0x20, 4, 10);
	ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
	ck_assert_ptr_nonnull(w_disk.held);
	w_out(W_CTL, 1, IDE_CTL_SRST);
	ck_assert_uint_eq(w_disk.cancels, 1);
	ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
	w_out(W_CTL, 1, 0);
	if (stubborn) {
		ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
		/* The drive is deaf, the diagnostic included. */
		w_out(W_CMD + 7, 1, 0x90);
		w_out(W_CMD + 7, 1, 0xec);
		w_out(W_CMD + 6, 1, 0xb0);
		ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
		/* A second reset on top. */
		w_out(W_CTL, 1, IDE_CTL_SRST);
		w_out(W_CTL, 1, 0);
		blk_finish(&w_disk);
	}
	ck_assert_uint_eq(w_alt(W_CMD), W_GOOD);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_NSECT), 1);
	ck_assert(!w_line(W_GSI));
	w_disk.defer = false;
	w_lba28(0x20, 1, 10);
	w_expect(W_CMD, W_DRQ);
}
END_TEST

/* The answer comes while SRST is still set. */
START_TEST(answer_within_the_reset)
{
	w_disk.defer = true;
	w_disk.stubborn = true;
	w_lba28(0x20, 4, 10);
	w_out(W_CTL, 1, IDE_CTL_SRST);
	blk_finish(&w_disk);
	ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
	w_out(W_CTL, 1, 0);
	ck_assert_uint_eq(w_alt(W_CMD), W_GOOD);
}
END_TEST

START_TEST(busy_drives_do_not_listen)
{
	w_disk.defer = true;
	w_lba28(0x20, 1, 7);
	w_out(W_CMD + 3, 1, 0x99);
	w_out(W_CMD + 6, 1, 0xb0);
	w_out(W_CMD + 7, 1, 0xec);
	w_out(W_CMD + 7, 1, 0x08); /* not a disk's command */
	ck_assert_uint_eq(w_disk.cancels, 0);
	ck_assert_uint_eq(w_in(W_CMD, 2), 0xffff);
	blk_finish(&w_disk);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAL), 7);
	w_expect(W_CMD, W_DRQ);
	ck_assert_uint_eq(w_disk.submits, 1);
}
END_TEST

/* A new command instead of the data: the old one is forgotten, on the other drive too. */
START_TEST(command_in_the_middle_of_data)
{
	w_lba28(0x20, 2, 0);
	w_expect(W_CMD, W_DRQ);
	w_out(W_CMD + 7, 1, 0xe5);
	w_expect(W_CMD, W_GOOD);
	w_lba28(0x30, 2, 0);
	ck_assert_uint_eq(w_alt(W_CMD), W_DRQ);
	w_command(W_CMD, 0xe5, 0, 0, 0, 0xb0);
	w_expect(W_CMD, W_GOOD);
	w_out(W_CMD + 6, 1, 0xa0);
	ck_assert_uint_eq(w_alt(W_CMD), W_ERR);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_FEATURES), IDE_ERR_ABRT);
	ck_assert_uint_eq(w_disk.submits, 1);
}
END_TEST

START_TEST(device_reset)
{
	/* Of a CD-ROM drive, busy with a read. */
	w_command(W_CMD2, 0xe5, 0, 0, 0, 0xa0);
	w_expect(W_CMD2, W_GOOD);
	w_ide.channels[1].s.drives[0].attention = 0;
	w_cd.defer = true;
	w_command(W_CMD2, 0xa0, 0, 0, 0x080000, 0xa0);
	w_write_data(W_CMD2, "\x28\0\0\0\0\1\0\0\1\0\0\0", 12);
	ck_assert_ptr_nonnull(w_cd.held);
	ck_assert_uint_eq(w_alt(W_CMD2), IDE_ST_BSY);
	w_out(W_CMD2 + 7, 1, 0x08);
	ck_assert_uint_eq(w_cd.cancels, 1);
	ck_assert_uint_eq(w_alt(W_CMD2), 0);
	ck_assert_uint_eq(w_reg(W_CMD2, IDE_LBAH), 0xeb);
	ck_assert(!w_line(W_GSI2));
	/* A disk does not know it. */
	w_lba28(0x08, 0, 0);
	w_expect_error(W_CMD, IDE_ERR_ABRT);
}
END_TEST

START_TEST(quiesce_waits_for_the_backend)
{
	w_disk.defer = true;
	w_disk.stubborn = _i;
	w_prd(0, W_DATA, 0x10000, true);
	w_bm_start(W_CMD, true);
	w_lba28(0xc8, 128, 0);
	ck_assert_ptr_nonnull(w_disk.held);
	piix4_ide_quiesce(&w_ide);
	ck_assert_ptr_null(w_disk.held);
	ck_assert_uint_eq(w_disk.submits, 1);
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
	pci_bus_reset(&w_bus);
	piix4_ide_reset(&w_ide);
	w_disk.defer = false;
	ck_assert_uint_eq(w_alt(W_CMD), W_GOOD);
	ck_assert(!w_line(W_GSI));
	ck_assert_uint_eq(w_bm_status(W_CMD), 0);
	w_lba28(0x20, 1, 0);
	w_expect(W_CMD, W_DRQ);
}
END_TEST

/* Nothing more is begun: neither the rest of a transfer, nor what was refused. */
START_TEST(quiesce_starts_nothing)
{
	w_disk.refuse = 1;
	w_lba28(0x20, 8, 0);
	ck_assert_uint_eq(w_disk.submits, 0);
	piix4_ide_quiesce(&w_ide);
	w_disk.blk.ready(w_disk.blk.ready_arg);
	ck_assert_uint_eq(w_disk.submits, 0);
	piix4_ide_reset(&w_ide);
	w_lba28(0x20, 1, 0);
	w_expect(W_CMD, W_DRQ);
}
END_TEST

START_TEST(drives_that_do_not_fit)
{
	struct ide_channel *ch = &w_ide.channels[1];
	struct fake_blk b = blk_make(w_slave_data, W_DISK_BYTES, false);

	ck_assert_int_eq(ide_channel_add(ch, 0, &b.blk), -EEXIST);
	b.blk.block_size = 4096;
	ck_assert_int_eq(ide_channel_add(ch, 1, &b.blk), -EINVAL);
	b.blk.block_size = 512;
	b.blk.removable = true;
	ck_assert_int_eq(ide_channel_add(ch, 1, &b.blk), -EINVAL);
	b.blk.removable = false;
	b.blk.max_len = 4096;
	ck_assert_int_eq(ide_channel_add(ch, 1, &b.blk), -EINVAL);
	b.blk.max_len = 8192;
	b.blk.seg_align = 1024;
	ck_assert_int_eq(ide_channel_add(ch, 1, &b.blk), -EINVAL);
	b.blk.seg_align = 512;
	b.blk.size = 0;
	ck_assert_int_eq(ide_channel_add(ch, 1, &b.blk), -EINVAL);
	b.blk.size = 512;
	ck_assert_int_eq(ide_channel_add(ch, 1, &b.blk), 0);
}
END_TEST

UNIT_MAIN("ide_channel", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, signatures_after_power_on);
          tcase_add_test(tc, a_channel_without_drives_floats);
          tcase_add_test(tc, registers_hold_what_is_written);
          tcase_add_test(tc, nothing_is_taken_from_a_port_without_data);
          tcase_add_test(tc, interrupt_and_its_ends);
          tcase_add_test(tc, commands_for_a_drive_that_is_not_there);
          tcase_add_test(tc, execute_device_diagnostic); tcase_add_test(tc, software_reset);
          tcase_add_test(tc, software_reset_selects_drive_0);
          tcase_add_loop_test(tc, software_reset_while_the_backend_works, 0, 2);
          tcase_add_test(tc, answer_within_the_reset);
          tcase_add_test(tc, busy_drives_do_not_listen);
          tcase_add_test(tc, command_in_the_middle_of_data); tcase_add_test(tc, device_reset);
          tcase_add_loop_test(tc, quiesce_waits_for_the_backend, 0, 2);
          tcase_add_test(tc, quiesce_starts_nothing); tcase_add_test(tc, drives_that_do_not_fit);)
