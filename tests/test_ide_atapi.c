// SPDX-License-Identifier: BSD-2-Clause
// A CD-ROM drive: packets by PIO and DMA, sense, the tray.
#include "tests/ide_world.h"

#define N_BLOCKS (W_CD_BYTES / 2048)
#define CHK(key) ((uint8_t)((key) << 4 | ((key) == 5 ? IDE_ERR_ABRT : 0)))

static uint8_t buf[65536];

static void setup(void)
{
	w_make(false, true);
	w_ide.channels[1].s.drives[0].attention = 0;
}

/* The packet phase: asked for without an interrupt. */
static void packet(const void *p, uint16_t limit, uint8_t features)
{
	w_out(W_CMD2 + 6, 1, 0xa0);
	w_out(W_CMD2 + 1, 1, features);
	w_out(W_CMD2 + 4, 1, limit & 0xff);
	w_out(W_CMD2 + 5, 1, limit >> 8);
	w_out(W_CMD2 + 7, 1, 0xa0);
	ck_assert(!w_line(W_GSI2));
	ck_assert_uint_eq(w_reg(W_CMD2, IDE_STATUS), W_DRQ);
	ck_assert_uint_eq(w_reg(W_CMD2, IDE_NSECT), IDE_CD);
	w_write_data(W_CMD2, p, 12);
}

/* Blocks as the drive tells them, each with an interrupt; then the status. Returns the length. */
static unsigned data_in(unsigned max_block)
{
	unsigned len = 0;

	while (w_alt(W_CMD2) & IDE_ST_DRQ) {
		unsigned n = w_reg(W_CMD2, IDE_LBAM) | w_reg(W_CMD2, IDE_LBAH) << 8;

		w_expect(W_CMD2, W_DRQ);
		ck_assert_uint_eq(w_reg(W_CMD2, IDE_NSECT), IDE_IO);
		ck_assert(n > 0 && n <= max_block);
		w_read_data(W_CMD2, buf + len, n);
		len += n;
	}
	w_expect(W_CMD2, W_GOOD);
	ck_assert_uint_eq(w_reg(W_CMD2, IDE_NSECT), IDE_CD | IDE_IO);
	return len;
}

static void expect_check(uint8_t key, uint8_t asc, uint8_t ascq)
{
	w_expect(W_CMD2, W_ERR);
	ck_assert_uint_eq(w_reg(W_CMD2, IDE_FEATURES), CHK(key));
	ck_assert_uint_eq(w_reg(W_CMD2, IDE_NSECT), IDE_CD | IDE_IO);
	packet("\x03\0\0\0\x12\0\0\0\0\0\0\0", 0xfffe, 0);
	ck_assert_uint_eq(data_in(18), 18);
	ck_assert_uint_eq(buf[0], 0x70);
	ck_assert_uint_eq(buf[2], key);
	ck_assert_uint_eq(buf[12], asc);
	ck_assert_uint_eq(buf[13], ascq);
	/* Told once. */
	packet("\x03\0\0\0\x12\0\0\0\0\0\0\0", 0xfffe, 0);
	ck_assert_uint_eq(data_in(18), 18);
	ck_assert_uint_eq(buf[2], 0);
}

static const struct {
	const char *name;
	uint8_t p[12];
	uint8_t key, asc, ascq;
	unsigned len; /* of the data, when it ends well */
} packets[] = {
        {"TEST UNIT READY", {0x00}, 0, 0, 0, 0},
        {"REQUEST SENSE, cut", {0x03, [4] = 8}, 0, 0, 0, 8},
        {"INQUIRY", {0x12, [4] = 36}, 0, 0, 0, 36},
        {"INQUIRY, cut", {0x12, [4] = 5}, 0, 0, 0, 5},
        {"INQUIRY of nothing", {0x12}, 0, 0, 0, 0},
        {"INQUIRY, long", {0x12, [3] = 2}, 0, 0, 0, 36},
        {"INQUIRY, vital product data", {0x12, 1, 0x80, [4] = 36}, 5, 0x24, 0, 0},
        {"INQUIRY, page without EVPD", {0x12, 0, 0x80, [4] = 36}, 5, 0x24, 0, 0},
        {"START STOP, start", {0x1b, [4] = 1}, 0, 0, 0, 0},
        {"START STOP, stop", {0x1b}, 0, 0, 0, 0},
        {"PREVENT", {0x1e, [4] = 1}, 0, 0, 0, 0},
        {"READ CAPACITY", {0x25}, 0, 0, 0, 8},
        {"READ(10)", {0x28, [8] = 1}, 0, 0, 0, 2048},
        {"READ(10) of nothing", {0x28}, 0, 0, 0, 0},
        {"READ(10), the last ones", {0x28, [4] = 1, [5] = 0xf0, [8] = 16}, 0, 0, 0, 16 * 2048},
        {"READ(10), one too many", {0x28, [4] = 1, [5] = 0xf0, [8] = 17}, 5, 0x21, 0, 0},
        {"READ(10) beyond", {0x28, 0, 0x80, [8] = 1}, 5, 0x21, 0, 0},
        {"READ(12)", {0xa8, [9] = 3}, 0, 0, 0, 3 * 2048},
        {"READ(12) of everything", {0xa8, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, 5, 0x21, 0, 0},
        {"SEEK(10)", {0x2b, [4] = 1, [5] = 0xff}, 0, 0, 0, 0},
        {"SEEK(10) beyond", {0x2b, [4] = 2}, 5, 0x21, 0, 0},
        {"READ TOC", {0x43, [8] = 20}, 0, 0, 0, 20},
        {"READ TOC, raw", {0x43, 0, 2, [8] = 48}, 0, 0, 0, 48},
        {"READ TOC, program memory", {0x43, 0, 3, [8] = 20}, 5, 0x24, 0, 0},
        {"READ CD", {0xbe, [5] = 7, [8] = 2, [9] = 0x10}, 0, 0, 0, 2 * 2048},
        {"READ CD of mode 1", {0xbe, 2 << 2, [8] = 1, [9] = 0x10}, 0, 0, 0, 2048},
        {"READ CD without data", {0xbe, [8] = 2}, 0, 0, 0, 0},
        {"READ CD of sound", {0xbe, 1 << 2, [8] = 1, [9] = 0x10}, 5, 0x64, 0, 0},
        {"READ CD of whole sectors", {0xbe, [8] = 1, [9] = 0xf8}, 5, 0x24, 0, 0},
        {"READ CD with subchannel", {0xbe, [8] = 1, [9] = 0x10, [10] = 1}, 5, 0x24, 0, 0},
        {"READ CD, one too many", {0xbe, [6] = 0, [7] = 2, [8] = 1, [9] = 0x10}, 5, 0x21, 0, 0},
        {"READ CD of too much", {0xbe, [6] = 1, [9] = 0x10}, 5, 0x21, 0, 0},
        {"READ CD MSF", {0xb9, [4] = 2, [5] = 3, [7] = 2, [8] = 5, [9] = 0x10}, 0, 0, 0, 4096},
        {"READ CD MSF backwards", {0xb9, [4] = 2, [5] = 3, [7] = 2, [9] = 0x10}, 5, 0x24, 0, 0},
        {"READ CD MSF of the lead-in", {0xb9, [4] = 1, [7] = 2, [9] = 0x10}, 5, 0x21, 0, 0},
        {"READ CD MSF beyond", {0xb9, 0, 0, 99, 0, 0, 99, 0, 1, 0x10}, 5, 0x21, 0, 0},
        {"GET CONFIGURATION", {0x46, 2, [8] = 255}, 0, 0, 0, 20},
        {"GET EVENT STATUS", {0x4a, 1, [4] = 0x10, [8] = 8}, 0, 0, 0, 8},
        {"GET EVENT STATUS, later", {0x4a, 0, [4] = 0x10, [8] = 8}, 5, 0x24, 0, 0},
        {"READ DISC INFORMATION", {0x51, [8] = 34}, 0, 0, 0, 34},
        {"READ DISC INFORMATION, tracks", {0x51, 1, [8] = 34}, 5, 0x24, 0, 0},
        {"MODE SENSE(10)", {0x5a, 0, 0x2a, [8] = 128}, 0, 0, 0, 30},
        {"MODE SENSE(10), no page", {0x5a, 0, 0x07, [8] = 128}, 5, 0x24, 0, 0},
        {"WRITE(10)", {0x2a, [8] = 1}, 5, 0x20, 0, 0},
        {"MODE SELECT(10)", {0x55}, 5, 0x20, 0, 0},
        {"READ(6)", {0x08}, 5, 0x20, 0, 0},
        {"no packet", {0xff}, 5, 0x20, 0, 0},
};

START_TEST(each_packet)
{
	bool dma = _i & 1;
	unsigned row = (unsigned)_i / 2;

	w_prd(0, W_DATA, 0, true);
	if (dma) {
		w_bm_start(W_CMD2, true);
	}
	packet(packets[row].p, dma ? 0 : 0xfffe, dma);
	if (packets[row].key) {
		expect_check(packets[row].key, packets[row].asc, packets[row].ascq);
	} else if (dma) {
		w_expect(W_CMD2, W_GOOD);
		ck_assert_uint_eq(w_bm_status(W_CMD2), 5);
		ck_assert_uint_eq(w_in(W_BM + 8, 1), 9);
		ck_assert_uint_eq(w_ide.channels[1].s.bm.at.base,
		        packets[row].len ? W_DATA + packets[row].len : 0);
	} else {
		ck_assert_uint_eq(data_in(0xfffe), packets[row].len);
	}
}
END_TEST

/* Three ways to name the same block. */
START_TEST(ways_to_read)
{
	static const uint8_t ways[][12] = {
	        {0x28, [5] = 80, [8] = 1}, {0xbe, [5] = 80, [8] = 1, [9] = 0x10},
	        {0xb9, 0, 0, 0, 3, 5, 0, 3, 6, 0x10}, /* 3 s and 5 frames, less 2 s */
	};

	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		memset(buf, 0, 2048);
		packet(ways[i], 0xfffe, 0);
		ck_assert_uint_eq(data_in(2048), 2048);
		ck_assert_mem_eq(buf, w_cd_data + 80 * 2048, 2048);
	}
}
END_TEST

/* The host's byte count bounds each block; only one that is all may be odd. */
START_TEST(byte_counts)
{
	static const struct {
		uint16_t limit;
		unsigned block, blocks;
	} rows[] = {{2048, 2048, 6}, {2, 2, 6 * 1024}, {3, 2, 6 * 1024}, {512, 512, 24},
	        {4096, 4096, 3}, {0xffff, 12288, 1}, {0xfffe, 12288, 1}, {10000, 10000, 2}};
	static const uint8_t p[12] = {0x28, [5] = 7, [8] = 6};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned n = 0;

		packet(p, rows[i].limit, 0);
		for (; w_alt(W_CMD2) & IDE_ST_DRQ; n++) {
			unsigned len = w_reg(W_CMD2, IDE_LBAM) | w_reg(W_CMD2, IDE_LBAH) << 8;

			w_reg(W_CMD2, IDE_STATUS);
			ck_assert(len == rows[i].block || n == rows[i].blocks - 1);
			w_read_data(W_CMD2, buf + n * rows[i].block, len);
		}
		ck_assert_uint_eq(n, rows[i].blocks);
		ck_assert_mem_eq(buf, w_cd_data + 7 * 2048, 6 * 2048);
		w_expect(W_CMD2, W_GOOD);
	}
	/* Room for nothing. */
	packet(p, 0, 0);
	w_expect(W_CMD2, W_ERR);
	ck_assert_uint_eq(w_reg(W_CMD2, IDE_FEATURES), IDE_ERR_ABRT);
	packet(p, 1, 0);
	w_expect(W_CMD2, W_ERR);
	packet("\x12\0\0\0\x24\0\0\0\0\0\0\0", 0, 0);
	w_expect(W_CMD2, W_ERR);
	/* An odd reply in one block. */
	packet("\x12\0\0\0\x05\0\0\0\0\0\0\0", 5, 0);
	ck_assert_uint_eq(data_in(5), 5);
	/* None needed where no data come. */
	packet("\0\0\0\0\0\0\0\0\0\0\0\0", 0, 0);
	w_expect(W_CMD2, W_GOOD);
}
END_TEST

START_TEST(dma_of_many_blocks)
{
	static const uint8_t p[12] = {0xa8, [5] = 3, [9] = 200};

	/* A region that ends within a block. */
	w_cd.defer = _i;
	w_prd(0, W_DATA, 1002, false);
	for (unsigned i = 0; i < 7; i++) {
		w_prd(1 + i, W_DATA + 1002 + i * 0x10000, 0, i == 6);
	}
	packet(p, 0, 1);
	ck_assert_uint_eq(w_alt(W_CMD2), W_DRQ);
	ck_assert_uint_eq(w_reg(W_CMD2, IDE_NSECT), IDE_IO);
	w_bm_start(W_CMD2, true);
	while (w_cd.held) {
		ck_assert(!w_line(W_GSI2));
		blk_finish(&w_cd);
	}
	w_expect(W_CMD2, W_GOOD);
	ck_assert_uint_eq(w_reg(W_CMD2, IDE_NSECT), IDE_CD | IDE_IO);
	ck_assert(w_mem_is(W_DATA, w_cd_data + 3 * 2048, 200 * 2048));
	ck_assert(!w_line(W_GSI));
}
END_TEST

START_TEST(overlap_is_refused)
{
	w_out(W_CMD2 + 1, 1, 2);
	w_out(W_CMD2 + 7, 1, 0xa0);
	w_expect_error(W_CMD2, IDE_ERR_ABRT);
}
END_TEST

START_TEST(read_error)
{
	static const uint8_t p[12] = {0x28, [5] = 3, [8] = 20};

	w_cd.status = BLK_IO_ERROR;
	w_cd.bad = 12 * 2048;
	packet(p, 2048, 0);
	for (unsigned i = 0; i < 8; i++) {
		w_expect(W_CMD2, W_DRQ);
		w_read_data(W_CMD2, buf, 2048);
	}
	expect_check(3, 0x11, 0);
	w_cd.status = BLK_OUT_OF_RANGE;
	packet(p, 2048, 1);
	w_prd(0, W_DATA, 0, true);
	w_bm_start(W_CMD2, true);
	expect_check(5, 0x21, 0);
}
END_TEST

/* After power-on: whoever asks first for something else hears of the reset. */
START_TEST(unit_attention)
{
	static const uint8_t tur[12], inquiry[12] = {0x12, [4] = 36},
	                              event[12] = {0x4a, 1, [4] = 0x10, [8] = 8},
	                              config[12] = {0x46, [8] = 8};

	piix4_ide_reset(&w_ide);
	packet(inquiry, 0xfffe, 0);
	ck_assert_uint_eq(data_in(36), 36);
	packet(event, 0xfffe, 0);
	ck_assert_uint_eq(data_in(8), 8);
	packet(config, 0xfffe, 0);
	ck_assert_uint_eq(data_in(8), 8);
	packet(tur, 0, 0);
	expect_check(6, 0x29, 0);
	packet(tur, 0, 0);
	w_expect(W_CMD2, W_GOOD);
	/* REQUEST SENSE itself takes it. */
	piix4_ide_reset(&w_ide);
	packet("\x03\0\0\0\x12\0\0\0\0\0\0\0", 0xfffe, 0);
	ck_assert_uint_eq(data_in(18), 18);
	ck_assert_uint_eq(buf[2], 6);
	ck_assert_uint_eq(buf[12], 0x29);
	packet(tur, 0, 0);
	w_expect(W_CMD2, W_GOOD);
	/* Sense data live until the next command. */
	packet("\xff\0\0\0\0\0\0\0\0\0\0\0", 0, 0);
	w_expect(W_CMD2, W_ERR);
	packet(tur, 0, 0);
	w_expect(W_CMD2, W_GOOD);
	packet("\x03\0\0\0\x12\0\0\0\0\0\0\0", 0xfffe, 0);
	ck_assert_uint_eq(data_in(18), 18);
	ck_assert_uint_eq(buf[2], 0);
}
END_TEST

static uint8_t media_event(void)
{
	packet("\x4a\1\0\0\x10\0\0\0\x08\0\0\0", 0xfffe, 0);
	ck_assert_uint_eq(data_in(8), 8);
	return (uint8_t)(buf[4] << 4 | buf[5]);
}

START_TEST(tray)
{
	static const uint8_t tur[12], eject[12] = {0x1b, [4] = 2}, load[12] = {0x1b, [4] = 3},
	                              lock[12] = {0x1e, [4] = 1}, unlock[12] = {0x1e},
	                              read[12] = {0x28, [8] = 1};

	ck_assert_uint_eq(media_event(), 0x02);
	packet(lock, 0, 0);
	w_expect(W_CMD2, W_GOOD);
	packet(eject, 0, 0);
	expect_check(5, 0x53, 0x02);
	packet(unlock, 0, 0);
	w_expect(W_CMD2, W_GOOD);
	packet(eject, 0, 0);
	w_expect(W_CMD2, W_GOOD);
	ck_assert_uint_eq(media_event(), 0x31);
	ck_assert_uint_eq(media_event(), 0x01);
	packet(tur, 0, 0);
	expect_check(2, 0x3a, 0x02);
	packet(read, 2048, 0);
	expect_check(2, 0x3a, 0x02);
	ck_assert_uint_eq(w_cd.submits, 0);
	packet("\x46\2\0\0\0\0\0\0\x08\0\0\0", 0xfffe, 0);
	ck_assert_uint_eq(data_in(8), 8);
	ck_assert_uint_eq(buf[7], 0); /* no profile */
	packet(eject, 0, 0);
	w_expect(W_CMD2, W_GOOD);
	packet(load, 0, 0);
	w_expect(W_CMD2, W_GOOD);
	ck_assert_uint_eq(media_event(), 0x22);
	packet(tur, 0, 0);
	expect_check(6, 0x28, 0);
	packet(read, 2048, 0);
	ck_assert_uint_eq(data_in(2048), 2048);
	ck_assert_mem_eq(buf, w_cd_data, 2048);
}
END_TEST

static const struct {
	uint8_t command, features, nsect, status, error;
} commands[] = {
        {0x00, 0, 0, W_ERR, IDE_ERR_ABRT},
        {0x25, 0, 0, W_ERR, IDE_ERR_ABRT},
        {0xc8, 0, 0, W_ERR, IDE_ERR_ABRT},
        {0xe0, 0, 0, W_GOOD, 0},
        {0xe1, 0, 0, W_GOOD, 0},
        {0xe5, 0, 0, W_GOOD, 0},
        {0xe6, 0, 0, W_GOOD, 0},
        {0xef, 0x03, 0x42, W_GOOD, 0},
        {0xef, 0x03, 0x47, W_ERR, IDE_ERR_ABRT},
        {0xef, 0x02, 0, W_ERR, IDE_ERR_ABRT},
        {0xff, 0, 0, W_ERR, IDE_ERR_ABRT},
};

START_TEST(other_commands)
{
	w_command(W_CMD2, commands[_i].command, commands[_i].features, commands[_i].nsect, 0, 0xa0);
	w_expect(W_CMD2, commands[_i].status);
	ck_assert_uint_eq(w_reg(W_CMD2, IDE_FEATURES), commands[_i].error);
}
END_TEST

START_TEST(who_asks_a_disk_finds_a_cdrom)
{
	static const uint8_t asks[] = {0xec, 0x20};

	for (unsigned i = 0; i < ARRAY_SIZE(asks); i++) {
		w_command(W_CMD2, asks[i], 0, 1, 0, 0xa0);
		w_expect_error(W_CMD2, IDE_ERR_ABRT);
		ck_assert_uint_eq(w_reg(W_CMD2, IDE_NSECT), 1);
		ck_assert_uint_eq(w_reg(W_CMD2, IDE_LBAM), 0x14);
		ck_assert_uint_eq(w_reg(W_CMD2, IDE_LBAH), 0xeb);
	}
	w_command(W_CMD2, 0xe0, 0, 0, 0, 0xa0);
	w_command(W_CMD2, 0xe5, 0, 0, 0, 0xa0);
	w_expect(W_CMD2, W_GOOD);
	ck_assert_uint_eq(w_reg(W_CMD2, IDE_NSECT), 0);
	w_command(W_CMD2, 0xa1, 0, 0, 0, 0xa0);
	w_expect(W_CMD2, W_DRQ);
	w_read_data(W_CMD2, buf, 512);
	ck_assert_uint_eq(buf[0] | buf[1] << 8, 0x85c0);
}
END_TEST

UNIT_MAIN("ide_atapi", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, each_packet, 0, 2 * ARRAY_SIZE(packets));
          tcase_add_test(tc, ways_to_read); tcase_add_test(tc, byte_counts);
          tcase_add_loop_test(tc, dma_of_many_blocks, 0, 2); tcase_add_test(tc, overlap_is_refused);
          tcase_add_test(tc, read_error); tcase_add_test(tc, unit_attention);
          tcase_add_test(tc, tray);
          tcase_add_loop_test(tc, other_commands, 0, ARRAY_SIZE(commands));
          tcase_add_test(tc, who_asks_a_disk_finds_a_cdrom);)
