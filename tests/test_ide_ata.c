// SPDX-License-Identifier: BSD-2-Clause
// An ATA disk's commands, one after the other as the standard lists them.
#include "tests/ide_world.h"

#define N_SECTORS (W_DISK_BYTES / 512)

static void setup(void)
{
	w_make(true, false);
}

/* Commands without data: registers in, and what comes of it. */
static const struct {
	const char *name;
	uint8_t command, features, nsect;
	uint32_t lba;
	uint8_t device, error; /* error 0 = ends well */
} non_data[] = {
        {"NOP", 0x00, 0, 0, 0, 0xe0, IDE_ERR_ABRT},
        {"DEVICE RESET", 0x08, 0, 0, 0, 0xe0, IDE_ERR_ABRT},
        {"RECALIBRATE", 0x10, 0, 0, 0, 0xe0, 0},
        {"READ VERIFY", 0x40, 0, 8, 16, 0xe0, 0},
        {"READ VERIFY beyond", 0x40, 0, 8, N_SECTORS - 7, 0xe0, IDE_ERR_IDNF},
        {"READ VERIFY without retry", 0x41, 0, 0, 0, 0xe0, 0},
        {"SEEK", 0x70, 0, 77, N_SECTORS - 1, 0xe0, 0},
        {"SEEK beyond", 0x70, 0, 0, N_SECTORS, 0xe0, IDE_ERR_IDNF},
        {"INITIALIZE DEVICE PARAMETERS", 0x91, 0, 32, 0, 0xa7, 0},
        {"INITIALIZE DEVICE PARAMETERS, no sectors", 0x91, 0, 0, 0, 0xa7, IDE_ERR_ABRT},
        {"PACKET", 0xa0, 0, 0, 0, 0xe0, IDE_ERR_ABRT},
        {"IDENTIFY PACKET DEVICE", 0xa1, 0, 0, 0, 0xe0, IDE_ERR_ABRT},
        {"SMART ENABLE", 0xb0, 0xd8, 0, 0xc24f00, 0xe0, 0},
        {"SMART DISABLE", 0xb0, 0xd9, 0, 0xc24f00, 0xe0, 0},
        {"SMART RETURN STATUS", 0xb0, 0xda, 0, 0xc24f00, 0xe0, 0},
        {"SMART autosave", 0xb0, 0xd2, 0xf1, 0xc24f00, 0xe0, 0},
        {"SMART self-test", 0xb0, 0xd4, 0, 0xc24f01, 0xe0, 0},
        {"SMART without the key", 0xb0, 0xda, 0, 0, 0xe0, IDE_ERR_ABRT},
        {"SMART with half the key", 0xb0, 0xda, 0, 0xc20000, 0xe0, IDE_ERR_ABRT},
        {"SMART WRITE LOG", 0xb0, 0xd6, 1, 0xc24f80, 0xe0, IDE_ERR_ABRT},
        {"SMART READ LOG that is not there", 0xb0, 0xd5, 1, 0xc24f80, 0xe0, IDE_ERR_ABRT},
        {"SMART READ LOG of two sectors", 0xb0, 0xd5, 2, 0xc24f01, 0xe0, IDE_ERR_ABRT},
        {"READ MULTIPLE while off", 0xc4, 0, 1, 0, 0xe0, IDE_ERR_ABRT},
        {"WRITE MULTIPLE while off", 0xc5, 0, 1, 0, 0xe0, IDE_ERR_ABRT},
        {"SET MULTIPLE MODE", 0xc6, 0, 16, 0, 0xe0, 0},
        {"SET MULTIPLE MODE, off", 0xc6, 0, 0, 0, 0xe0, 0},
        {"SET MULTIPLE MODE, too many", 0xc6, 0, 32, 0, 0xe0, IDE_ERR_ABRT},
        {"SET MULTIPLE MODE, no power of 2", 0xc6, 0, 12, 0, 0xe0, IDE_ERR_ABRT},
        {"STANDBY IMMEDIATE", 0xe0, 0, 0, 0, 0xe0, 0},
        {"IDLE IMMEDIATE", 0xe1, 0, 0, 0, 0xe0, 0},
        {"STANDBY", 0xe2, 0, 0, 0, 0xe0, 0},
        {"IDLE", 0xe3, 0, 0, 0, 0xe0, 0},
        {"READ BUFFER", 0xe4, 0, 0, 0, 0xe0, IDE_ERR_ABRT},
        {"SLEEP", 0xe6, 0, 0, 0, 0xe0, 0},
        {"FLUSH CACHE", 0xe7, 0, 0, 0, 0xe0, 0},
        {"FLUSH CACHE EXT", 0xea, 0, 0, 0, 0xe0, 0},
        {"SET FEATURES, write cache", 0xef, 0x02, 0, 0, 0xe0, 0},
        {"SET FEATURES, PIO default", 0xef, 0x03, 0x00, 0, 0xe0, 0},
        {"SET FEATURES, PIO 4", 0xef, 0x03, 0x0c, 0, 0xe0, 0},
        {"SET FEATURES, PIO 5", 0xef, 0x03, 0x0d, 0, 0xe0, IDE_ERR_ABRT},
        {"SET FEATURES, single-word DMA", 0xef, 0x03, 0x10, 0, 0xe0, IDE_ERR_ABRT},
        {"SET FEATURES, multiword DMA 2", 0xef, 0x03, 0x22, 0, 0xe0, 0},
        {"SET FEATURES, multiword DMA 3", 0xef, 0x03, 0x23, 0, 0xe0, IDE_ERR_ABRT},
        {"SET FEATURES, Ultra DMA 5", 0xef, 0x03, 0x45, 0, 0xe0, 0},
        {"SET FEATURES, Ultra DMA 6", 0xef, 0x03, 0x46, 0, 0xe0, IDE_ERR_ABRT},
        {"SET FEATURES, power management", 0xef, 0x05, 0x80, 0, 0xe0, IDE_ERR_ABRT},
        {"SET FEATURES, no look-ahead", 0xef, 0x55, 0, 0, 0xe0, 0},
        {"SET FEATURES, keep settings", 0xef, 0x66, 0, 0, 0xe0, 0},
        {"SET FEATURES, no write cache", 0xef, 0x82, 0, 0, 0xe0, 0},
        {"SET FEATURES, look-ahead", 0xef, 0xaa, 0, 0, 0xe0, 0},
        {"SET FEATURES, defaults", 0xef, 0xcc, 0, 0, 0xe0, 0},
        {"SET FEATURES, unknown", 0xef, 0x99, 0, 0, 0xe0, IDE_ERR_ABRT},
        {"SECURITY FREEZE LOCK", 0xf5, 0, 0, 0, 0xe0, IDE_ERR_ABRT},
        {"READ NATIVE MAX without LBA", 0xf8, 0, 0, 0, 0xa0, IDE_ERR_ABRT},
        {"SET MAX ADDRESS", 0xf9, 0, 0, 0, 0xe0, IDE_ERR_ABRT},
        {"no command", 0xff, 0, 0, 0, 0xe0, IDE_ERR_ABRT},
};

START_TEST(non_data_commands)
{
	w_command(W_CMD, non_data[_i].command, non_data[_i].features, non_data[_i].nsect,
	        non_data[_i].lba, non_data[_i].device);
	if (non_data[_i].error) {
		w_expect_error(W_CMD, non_data[_i].error);
	} else {
		w_expect(W_CMD, W_GOOD);
		ck_assert_uint_eq(w_reg(W_CMD, IDE_FEATURES), 0);
	}
	ck_assert_uint_eq(
	        w_disk.submits, non_data[_i].command == 0xe7 || non_data[_i].command == 0xea);
}
END_TEST

/* --- addresses --- */

static bool sector_is(const uint8_t *got, uint64_t lba)
{
	return memcmp(got, w_disk_data + lba * 512, 512) == 0;
}

static void expect_sector(uint64_t lba)
{
	uint8_t got[512];

	w_expect(W_CMD, W_DRQ);
	w_read_data(W_CMD, got, 512);
	ck_assert_msg(sector_is(got, lba), "not sector %llu", (unsigned long long)lba);
	ck_assert_uint_eq(w_alt(W_CMD), W_GOOD);
	ck_assert(!w_line(W_GSI));
}

START_TEST(lba28_addresses)
{
	static const uint32_t lbas[] = {0, 1, 0xff, 0x100, 0x1000, N_SECTORS - 1};

	for (unsigned i = 0; i < ARRAY_SIZE(lbas); i++) {
		w_lba28(0x20, 1, lbas[i]);
		expect_sector(lbas[i]);
	}
	/* All 28 bits count. */
	w_lba28(0x20, 1, 0x1000001);
	w_expect_error(W_CMD, IDE_ERR_IDNF);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_DEVICE), 0xe1);
}
END_TEST

START_TEST(lba48_addresses)
{
	w_lba48(0x24, 1, N_SECTORS - 1);
	expect_sector(N_SECTORS - 1);
	w_lba48(0x42, 8, N_SECTORS - 8);
	w_expect(W_CMD, W_GOOD);
	/* Each of six bytes. */
	for (unsigned shift = 16; shift < 48; shift += 8) {
		w_lba48(0x24, 1, 1ULL << shift);
		w_expect_error(W_CMD, IDE_ERR_IDNF);
	}
	/* The address must be one. */
	w_out(W_CMD + 6, 1, 0xa0);
	w_out(W_CMD + 7, 1, 0x24);
	w_expect_error(W_CMD, IDE_ERR_IDNF);
}
END_TEST

START_TEST(chs_addresses)
{
	static const struct {
		uint16_t cylinder;
		uint8_t head, sector;
	} good[] = {{0, 0, 1}, {0, 0, 63}, {0, 1, 1}, {1, 0, 1}, {7, 15, 63}};

	for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
		uint32_t regs = good[i].sector | (uint32_t)good[i].cylinder << 8;

		w_command(W_CMD, 0x20, 0, 1, regs, 0xa0 | good[i].head);
		expect_sector((good[i].cylinder * 16 + good[i].head) * 63 + good[i].sector - 1);
	}
	/* Sectors count from 1, and there are 63. */
	w_command(W_CMD, 0x20, 0, 1, 0, 0xa0);
	w_expect_error(W_CMD, IDE_ERR_IDNF);
	w_command(W_CMD, 0x20, 0, 1, 64, 0xa0);
	w_expect_error(W_CMD, IDE_ERR_IDNF);
	/* Another translation: 8 heads of 32 sectors. */
	w_command(W_CMD, 0x91, 0, 32, 0, 0xa7);
	w_expect(W_CMD, W_GOOD);
	w_command(W_CMD, 0x20, 0, 1, 5 | 2 << 8, 0xa3);
	expect_sector((2 * 8 + 3) * 32 + 4);
	w_command(W_CMD, 0x20, 0, 1, 5, 0xa8);
	w_expect_error(W_CMD, IDE_ERR_IDNF);
	w_command(W_CMD, 0x20, 0, 1, 33, 0xa0);
	w_expect_error(W_CMD, IDE_ERR_IDNF);
}
END_TEST

/* The first sector that does not exist is named, in the form of the command. */
START_TEST(addresses_beyond_the_end)
{
	w_lba28(0x20, 9, N_SECTORS - 8);
	w_expect_error(W_CMD, IDE_ERR_IDNF);
	ck_assert_uint_eq(w_in(W_CMD + 3, 1) | w_in(W_CMD + 4, 1) << 8, N_SECTORS);
	w_lba48(0x24, 0, 0); /* 65536 sectors */
	w_expect_error(W_CMD, IDE_ERR_IDNF);
	ck_assert_uint_eq(w_in(W_CMD + 3, 1) | w_in(W_CMD + 4, 1) << 8, N_SECTORS);
	w_lba48(0x34, 1, 0x123456789abc);
	w_expect_error(W_CMD, IDE_ERR_IDNF);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAH), 0x78);
	w_out(W_CTL, 1, IDE_CTL_HOB);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAH), 0x12);
	/* 8192 sectors are 8 cylinders and a bit: this is the sector after the last one. */
	w_command(W_CMD, 0x30, 0, 2, (8 << 8) | 2, 0xa2);
	w_expect_error(W_CMD, IDE_ERR_IDNF);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAL), N_SECTORS % 63 + 1);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAM), N_SECTORS / 63 / 16);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_DEVICE) & 15, N_SECTORS / 63 % 16);
	/* 256 of them still fit. */
	w_lba28(0x20, 0, N_SECTORS - 256);
	w_expect(W_CMD, W_DRQ);
	ck_assert_uint_eq(w_disk.submits, 1);
}
END_TEST

START_TEST(native_max)
{
	w_lba28(0xf8, 0, 0);
	w_expect(W_CMD, W_GOOD);
	ck_assert_uint_eq(w_in(W_CMD + 3, 1) | w_in(W_CMD + 4, 1) << 8, N_SECTORS - 1);
	w_disk.blk.size = (1ULL << 33) * 512;
	w_lba28(0xf8, 0, 0);
	w_expect(W_CMD, W_GOOD);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAH), 0xff);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_DEVICE) & 15, 15);
	w_lba28(0x27, 0, 0);
	w_expect(W_CMD, W_GOOD);
	w_out(W_CTL, 1, IDE_CTL_HOB);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAL), 0xff);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAM), 0x01);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAH), 0x00);
	w_out(W_CTL, 1, 0);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAL), 0xff);
}
END_TEST

/* --- errors of the backend --- */

static const struct {
	enum blk_status status;
	uint8_t command, error, error_status;
} failures[] = {
        {BLK_IO_ERROR, 0x20, IDE_ERR_UNC, W_ERR},
        {BLK_IO_ERROR, 0x30, IDE_ERR_ABRT, W_ERR | IDE_ST_DF},
        {BLK_IO_ERROR, 0xe7, IDE_ERR_ABRT, W_ERR | IDE_ST_DF},
        {BLK_NO_SPACE, 0x30, IDE_ERR_ABRT, W_ERR | IDE_ST_DF},
        {BLK_READ_ONLY, 0x30, IDE_ERR_ABRT, W_ERR},
        {BLK_OUT_OF_RANGE, 0x20, IDE_ERR_IDNF, W_ERR},
        {BLK_OUT_OF_RANGE, 0x30, IDE_ERR_IDNF, W_ERR},
        {BLK_CANCELLED, 0x20, IDE_ERR_ABRT, W_ERR},
};

START_TEST(backend_fails)
{
	static const uint8_t zeroes[512];

	w_disk.status = failures[_i].status;
	w_lba28(failures[_i].command, 3, 0x123);
	if (failures[_i].command == 0x30) {
		w_write_data(W_CMD, zeroes, 512);
	}
	w_expect(W_CMD, failures[_i].error_status);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_FEATURES), failures[_i].error);
	if (failures[_i].command != 0xe7) {
		ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAL), 0x23);
		ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAM), 0x01);
		ck_assert_uint_eq(w_reg(W_CMD, IDE_NSECT), 3);
	}
	/* And the drive lives on. */
	w_disk.status = BLK_OK;
	w_lba28(0x20, 1, 5);
	expect_sector(5);
}
END_TEST

START_TEST(read_only_disk)
{
	static const uint8_t commands[] = {0x30, 0x31, 0x34, 0x35, 0xca, 0xcb};

	w_disk.blk.read_only = true;
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		w_lba28(commands[i], 1, 0);
		w_expect_error(W_CMD, IDE_ERR_ABRT);
	}
	ck_assert_uint_eq(w_disk.submits, 0);
}
END_TEST

START_TEST(flush_waits_for_the_backend)
{
	w_disk.defer = true;
	w_lba28(_i ? 0xea : 0xe7, 0, 0);
	ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
	ck_assert(!w_line(W_GSI));
	blk_finish(&w_disk);
	w_expect(W_CMD, W_GOOD);
	ck_assert_uint_eq(w_disk.flushes, 1);
}
END_TEST

/* --- settings --- */

static uint16_t identify_word(unsigned word)
{
	uint16_t data[256];

	w_lba28(0xec, 0, 0);
	w_expect(W_CMD, W_DRQ);
	w_read_data(W_CMD, data, 512);
	ck_assert_uint_eq(w_alt(W_CMD), W_GOOD);
	return data[word];
}

static void set_feature(uint8_t feature, uint8_t nsect)
{
	w_command(W_CMD, 0xef, feature, nsect, 0, 0xe0);
	w_expect(W_CMD, W_GOOD);
}

START_TEST(settings_show_in_identify)
{
	ck_assert_uint_eq(identify_word(88), 0x043f);
	set_feature(0x03, 0x21);
	ck_assert_uint_eq(identify_word(63), 0x0207);
	ck_assert_uint_eq(identify_word(88), 0x003f);
	set_feature(0x03, 0x45);
	ck_assert_uint_eq(identify_word(63), 0x0007);
	ck_assert_uint_eq(identify_word(88), 0x203f);
	set_feature(0x03, 0x0c);
	ck_assert_uint_eq(identify_word(88), 0x203f);
	ck_assert_uint_eq(identify_word(85), 0x4069);
	set_feature(0x82, 0);
	ck_assert_uint_eq(identify_word(85), 0x4049);
	set_feature(0x55, 0);
	ck_assert_uint_eq(identify_word(85), 0x4009);
	set_feature(0x02, 0);
	set_feature(0xaa, 0);
	w_command(W_CMD, 0xb0, 0xd9, 0, 0xc24f00, 0xe0);
	w_expect(W_CMD, W_GOOD);
	ck_assert_uint_eq(identify_word(85), 0x4068);
	ck_assert_uint_eq(identify_word(59), 0);
	w_lba28(0xc6, 8, 0);
	w_expect(W_CMD, W_GOOD);
	ck_assert_uint_eq(identify_word(59), 0x0108);
	w_command(W_CMD, 0x91, 0, 32, 0, 0xa7);
	w_expect(W_CMD, W_GOOD);
	ck_assert_uint_eq(identify_word(55), 8);
	ck_assert_uint_eq(identify_word(56), 32);
	/* A software reset keeps them, power-on does not. */
	w_out(W_CTL, 1, IDE_CTL_SRST);
	w_out(W_CTL, 1, 0);
	ck_assert_uint_eq(identify_word(59), 0x0108);
	piix4_ide_reset(&w_ide);
	ck_assert_uint_eq(identify_word(59), 0);
	ck_assert_uint_eq(identify_word(85), 0x4069);
	ck_assert_uint_eq(identify_word(88), 0x043f);
}
END_TEST

/* Unless the disk was told to go back to what it was at power-on. */
START_TEST(software_reset_reverts_settings)
{
	for (unsigned i = 0; i < 2; i++) {
		set_feature(0x03, 0x21);
		set_feature(0x82, 0);
		w_lba28(0xc6, 8, 0);
		w_expect(W_CMD, W_GOOD);
		w_command(W_CMD, 0x91, 0, 32, 0, 0xa7);
		w_expect(W_CMD, W_GOOD);
		set_feature(i ? 0xcc : 0x66, 0);
		w_out(W_CTL, 1, IDE_CTL_SRST);
		w_out(W_CTL, 1, 0);
		ck_assert_uint_eq(identify_word(59), i ? 0 : 0x0108);
		ck_assert_uint_eq(identify_word(56), i ? 63 : 32);
		ck_assert_uint_eq(identify_word(63), i ? 0x0007 : 0x0207);
		ck_assert_uint_eq(identify_word(85), i ? 0x4069 : 0x4049);
	}
}
END_TEST

/* No write cache: a write is durable when it has ended. */
START_TEST(writes_without_a_cache)
{
	static const uint8_t zeroes[1024];
	bool dma = _i & 1, fails = _i & 2;

	set_feature(0x82, 0);
	w_disk.defer = true;
	w_prd(0, W_DATA, 1024, true);
	w_bm_start(W_CMD, false);
	w_lba28(dma ? 0xca : 0x30, 2, N_SECTORS - 2);
	for (unsigned i = 0; i < 2 && !dma; i++) {
		w_write_data(W_CMD, zeroes, 512);
		if (i == 0) {
			blk_finish(&w_disk);
			w_expect(W_CMD, W_DRQ);
		}
	}
	blk_finish(&w_disk);
	ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
	ck_assert(!w_line(W_GSI));
	ck_assert_uint_eq(w_disk.flushes, 0);
	w_disk.status = fails ? BLK_IO_ERROR : BLK_OK;
	blk_finish(&w_disk);
	w_expect(W_CMD, fails ? W_ERR | IDE_ST_DF : W_GOOD);
	ck_assert_uint_eq(w_disk.flushes, 1);
	/* With it, they are told from each other. */
	w_disk.status = BLK_OK;
	w_disk.defer = false;
	set_feature(0x02, 0);
	w_lba28(0x30, 1, 0);
	w_write_data(W_CMD, zeroes, 512);
	w_expect(W_CMD, W_GOOD);
	ck_assert_uint_eq(w_disk.flushes, 1);
}
END_TEST

START_TEST(smart)
{
	uint8_t data[512], sum = 0;

	w_command(W_CMD, 0xb0, 0xda, 0, 0xc24f00, 0xe0);
	w_expect(W_CMD, W_GOOD);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAM), 0x4f);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAH), 0xc2);
	for (uint8_t what = 0xd0; what <= 0xd1; what++) {
		w_command(W_CMD, 0xb0, what, 1, 0xc24f00, 0xe0);
		w_expect(W_CMD, W_DRQ);
		w_read_data(W_CMD, data, 512);
		ck_assert_uint_eq(data[0], 0x10);
		sum = 0;
		for (unsigned i = 0; i < 512; i++) {
			sum = (uint8_t)(sum + data[i]);
		}
		ck_assert_uint_eq(sum, 0);
	}
	w_command(W_CMD, 0xb0, 0xd5, 1, 0xc24f06, 0xe0);
	w_expect(W_CMD, W_DRQ);
	/* Off: nothing but ENABLE. */
	w_command(W_CMD, 0xb0, 0xd9, 0, 0xc24f00, 0xe0);
	w_expect(W_CMD, W_GOOD);
	w_command(W_CMD, 0xb0, 0xda, 0, 0xc24f00, 0xe0);
	w_expect_error(W_CMD, IDE_ERR_ABRT);
	w_command(W_CMD, 0xb0, 0xd9, 0, 0xc24f00, 0xe0);
	w_expect_error(W_CMD, IDE_ERR_ABRT);
	w_command(W_CMD, 0xb0, 0xd8, 0, 0xc24f00, 0xe0);
	w_expect(W_CMD, W_GOOD);
	w_command(W_CMD, 0xb0, 0xda, 0, 0xc24f00, 0xe0);
	w_expect(W_CMD, W_GOOD);
}
END_TEST

static uint8_t power_mode(void)
{
	w_lba28(0xe5, 0x55, 0);
	w_expect(W_CMD, W_GOOD);
	return w_reg(W_CMD, IDE_NSECT);
}

START_TEST(power_modes)
{
	static const struct {
		uint8_t command, mode;
	} rows[] = {{0xe0, 0x00}, {0xe1, 0xff}, {0xe2, 0x00}, {0xe3, 0xff}, {0xe6, 0x00},
	        {0x40, 0xff}, {0xe0, 0x00}, {0xec, 0x00}, {0x20, 0xff}};

	ck_assert_uint_eq(power_mode(), 0xff);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		w_lba28(rows[i].command, 1, 0);
		ck_assert_uint_eq(power_mode(), rows[i].mode);
	}
}
END_TEST

UNIT_MAIN("ide_ata", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, non_data_commands, 0, ARRAY_SIZE(non_data));
          tcase_add_test(tc, lba28_addresses); tcase_add_test(tc, lba48_addresses);
          tcase_add_test(tc, chs_addresses); tcase_add_test(tc, addresses_beyond_the_end);
          tcase_add_test(tc, native_max);
          tcase_add_loop_test(tc, backend_fails, 0, ARRAY_SIZE(failures));
          tcase_add_test(tc, read_only_disk);
          tcase_add_loop_test(tc, flush_waits_for_the_backend, 0, 2);
          tcase_add_test(tc, software_reset_reverts_settings);
          tcase_add_loop_test(tc, writes_without_a_cache, 0, 4);
          tcase_add_test(tc, settings_show_in_identify); tcase_add_test(tc, smart);
          tcase_add_test(tc, power_modes);)
