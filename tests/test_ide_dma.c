// SPDX-License-Identifier: BSD-2-Clause
// The bus master: registers, PRD tables of every shape, and what status says afterwards.
#include "tests/ide_world.h"

#define ACT 0x01U
#define ERR 0x02U
#define INT 0x04U

static uint8_t want[1 << 20];

static void setup(void)
{
	w_make(true, false);
	for (unsigned i = 0; i < sizeof(want); i++) {
		want[i] = (uint8_t)(i * 31 + (i >> 8));
	}
}

START_TEST(registers)
{
	ck_assert_uint_eq(w_in(W_BM, 4), 0);
	w_out(W_BM + 4, 4, 0x12345677);
	ck_assert_uint_eq(w_in(W_BM + 4, 4), 0x12345674);
	w_out(W_BM + 5, 1, 0xff);
	w_out(W_BM + 6, 2, 0xabcd);
	ck_assert_uint_eq(w_in(W_BM + 4, 4), 0xabcdff74);
	ck_assert_uint_eq(w_in(W_BM + 12, 4), 0); /* the other channel's own */
	/* Direction and start are all there is; START with nothing to do is active. */
	w_out(W_BM, 1, 0xf8);
	ck_assert_uint_eq(w_in(W_BM, 1), 0x08);
	w_out(W_BM, 1, 0x09);
	ck_assert_uint_eq(w_bm_status(W_CMD), ACT);
	/* The direction does not change meanwhile. */
	w_out(W_BM, 1, 0x01);
	ck_assert_uint_eq(w_in(W_BM, 1), 0x09);
	w_out(W_BM, 1, 0x00);
	ck_assert_uint_eq(w_in(W_BM, 1), 0x00);
	ck_assert_uint_eq(w_bm_status(W_CMD), 0);
	/* Capable bits are storage, error and interrupt end with a 1. */
	w_out(W_BM + 2, 1, 0xff);
	ck_assert_uint_eq(w_bm_status(W_CMD), 0x60);
	w_lba28(0xe5, 0, 0);
	ck_assert_uint_eq(w_bm_status(W_CMD), 0x60 | INT);
	w_out(W_BM + 2, 1, 0x20);
	ck_assert_uint_eq(w_bm_status(W_CMD), 0x20 | INT);
	w_out(W_BM + 2, 1, 0x24);
	ck_assert_uint_eq(w_bm_status(W_CMD), 0x20);
	/* Not before the next edge of the line. */
	ck_assert(w_line(W_GSI));
	w_out(W_CMD + 7, 1, 0xe5);
	ck_assert_uint_eq(w_bm_status(W_CMD), 0x20 | INT);
	/* Reserved ones read 0; the two channels are not one register. */
	ck_assert_uint_eq(w_in(W_BM + 1, 1), 0);
	ck_assert_uint_eq(w_in(W_BM + 3, 1), 0);
	ck_assert_uint_eq(w_in(W_BM + 6, 4), 0xffffffff);
	w_out(W_BM + 6, 4, 0);
	ck_assert_uint_eq(w_in(W_BM + 6, 2), 0xabcd);
}
END_TEST

/* Tables: (base, bytes)..., all of 32 sectors or more. */
#define SECTORS 32U
#define LEN (SECTORS * 512)
static const struct {
	const char *name;
	struct {
		uint32_t base, count;
	} prds[16];
	uint8_t status; /* of the bus master, at the end */
	uint32_t max_segs, seg_align;
	unsigned submits; /* 0 = any */
} tables[] = {
        {"one", {{W_DATA, LEN}}, INT, 64, 1, 1},
        {"one, longer than the data", {{W_DATA, LEN + 2}}, INT | ACT, 64, 1, 1},
        {"one of 64 KiB", {{W_DATA, 0}}, INT | ACT, 64, 1, 1},
        {"pages",
                {{W_DATA, 0x1000}, {W_DATA + 0x2000, 0x1000}, {W_DATA + 0x1000, 0x1000},
                        {W_DATA + 0x5000, 0x1000}},
                INT, 64, 1, 1},
        {"not used up", {{W_DATA, LEN}, {W_DATA + LEN, 512}}, INT | ACT, 64, 1, 1},
        {"odd places", {{W_DATA + 2, 510}, {W_DATA + 0x1006, 1026}, {W_DATA + 0x3ffe, LEN - 1536}},
                INT, 64, 1, 1},
        {"odd pieces, few segments",
                {{W_DATA + 2, 510}, {W_DATA + 0x1006, 1026}, {W_DATA + 0x3ffe, LEN - 1536}}, INT, 2,
                1, 0},
        {"one segment a request",
                {{W_DATA, 700}, {W_DATA + 0x1000, 324}, {W_DATA + 0x2000, 0x2000},
                        {W_DATA + 0x8000, LEN - 0x2400}},
                INT, 1, 1, 0},
        {"crumbs",
                {{W_DATA, 2}, {W_DATA + 4, 4}, {W_DATA + 10, 2}, {W_DATA + 0x100, 6},
                        {W_DATA + 0x1000, LEN - 14}},
                INT, 2, 1, 0},
        {"aligned segments only",
                {{W_DATA, 0x1000}, {W_DATA + 0x1002, 0x200}, {W_DATA + 0x3000, LEN - 0x1200}}, INT,
                64, 512, 0},
        {"all unaligned", {{W_DATA + 2, LEN}}, INT, 64, 4, 0},
        {"bits that mean nothing", {{W_DATA + 1, LEN | 0x7fff0001}}, INT, 64, 1, 1},
};

static void put_table(unsigned t)
{
	unsigned n = 0;

	w_disk.blk.max_segs = tables[t].max_segs;
	w_disk.blk.seg_align = tables[t].seg_align;
	while (n + 1 < ARRAY_SIZE(tables[t].prds) && tables[t].prds[n + 1].base) {
		n++;
	}
	for (unsigned i = 0; i <= n; i++) {
		uint32_t entry[2] = {tables[t].prds[i].base, tables[t].prds[i].count};

		entry[1] |= i == n ? 0x80000000U : 0;
		w_mem_write(W_TABLE + 8 * i, entry, 8);
	}
}

/* Memory as the table sees it: read, or written. */
static void walk(unsigned t, uint8_t *data, bool write)
{
	uint32_t done = 0;

	for (unsigned i = 0; done < LEN; i++) {
		uint32_t n = tables[t].prds[i].count & 0xfffe, base = tables[t].prds[i].base & ~1U;

		n = n ? n : 0x10000;
		n = n < LEN - done ? n : LEN - done;
		if (write) {
			w_mem_write(base, data + done, n);
		} else {
			w_mem_read(base, data + done, n);
		}
		done += n;
	}
}

/* way: the command first, or the bus master first; an answer at once or later. */
static void run(unsigned way, bool to_guest, uint8_t command)
{
	w_disk.defer = way & 2;
	if (way & 1) {
		w_bm_start(W_CMD, to_guest);
		ck_assert_uint_eq(w_bm_status(W_CMD), ACT);
	}
	w_lba28(command, SECTORS, 99);
	if (!(way & 1)) {
		ck_assert_uint_eq(w_alt(W_CMD), W_DRQ);
		ck_assert_uint_eq(w_disk.submits, 0);
		w_bm_start(W_CMD, to_guest);
	}
	while (w_disk.held) {
		ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
		ck_assert_uint_eq(w_bm_status(W_CMD) & (INT | ERR), 0);
		blk_finish(&w_disk);
	}
}

START_TEST(tables_to_guest)
{
	static uint8_t got[LEN];

	for (unsigned way = 0; way < 4; way++) {
		setup();
		put_table((unsigned)_i);
		run(way, true, way & 1 ? 0xc8 : 0xc9);
		ck_assert_msg(w_bm_status(W_CMD) == tables[_i].status, "%s: status %#x",
		        tables[_i].name, w_bm_status(W_CMD));
		w_expect(W_CMD, W_GOOD);
		walk((unsigned)_i, got, false);
		ck_assert_msg(memcmp(got, w_disk_data + 99 * 512, LEN) == 0, "%s", tables[_i].name);
		ck_assert(!tables[_i].submits || w_disk.submits == tables[_i].submits);
		w_out(W_BM, 1, 0);
		ck_assert_uint_eq(w_bm_status(W_CMD), INT);
	}
}
END_TEST

START_TEST(tables_from_guest)
{
	for (unsigned way = 0; way < 4; way++) {
		setup();
		put_table((unsigned)_i);
		walk((unsigned)_i, want, true);
		run(way, false, way & 1 ? 0xca : 0xcb);
		ck_assert_uint_eq(w_bm_status(W_CMD), tables[_i].status);
		w_expect(W_CMD, W_GOOD);
		ck_assert_msg(
		        memcmp(want, w_disk_data + 99 * 512, LEN) == 0, "%s", tables[_i].name);
		ck_assert(!tables[_i].submits || w_disk.submits == tables[_i].submits);
	}
}
END_TEST

/* Shorter than the data: neither interrupt nor active. A further table takes the rest. */
START_TEST(short_tables)
{
	bool to_guest = _i & 1;
	unsigned first = _i & 2 ? 1022 : 1024; /* within a sector, or not */

	w_mem_write(W_DATA, want, 2048);
	w_prd(0, W_DATA, first, true);
	w_bm_start(W_CMD, to_guest);
	w_lba48(to_guest ? 0x25 : 0x35, 4, 50);
	ck_assert_uint_eq(w_bm_status(W_CMD), 0);
	ck_assert(!w_line(W_GSI));
	ck_assert_uint_eq(w_alt(W_CMD), W_DRQ);
	w_out(W_BM, 1, 0);
	w_prd(0, W_DATA + first, 2048 - first, true);
	w_bm_start(W_CMD, to_guest);
	ck_assert_uint_eq(w_bm_status(W_CMD), INT);
	w_expect(W_CMD, W_GOOD);
	if (to_guest) {
		ck_assert(w_mem_is(W_DATA, w_disk_data + 50 * 512, 2048));
	} else {
		ck_assert_mem_eq(w_disk_data + 50 * 512, want, 2048);
	}
}
END_TEST

/* What the controller cannot reach is an error of the bus master; the drive waits for a reset. */
static const struct {
	const char *name;
	uint32_t table, base, count;
} bad[] = {
        {"a table outside memory", 0xe0000000, 0, 0},
        {"a table at memory's end", W_MEM - 4, 0, 0},
        {"a region outside memory", W_TABLE, 0xe0000000, 2048},
        {"a region that leaves memory", W_TABLE, W_MEM - 512, 2048},
        {"a region in the VGA window", W_TABLE, 0xa0000, 2048},
        {"a region up to 4 GiB", W_TABLE, 0xfffffffe, 2048},
};

START_TEST(bad_memory)
{
	for (unsigned to_guest = 0; to_guest < 2; to_guest++) {
		setup();
		w_prd(0, bad[_i].base, bad[_i].count, true);
		w_bm_start(W_CMD, to_guest);
		w_out(W_BM, 1, 0);
		w_out(W_BM + 4, 4, bad[_i].table);
		w_out(W_BM, 1, to_guest ? 9 : 1);
		w_lba28(to_guest ? 0xc8 : 0xca, 4, 0);
		ck_assert_msg(
		        w_bm_status(W_CMD) == ERR, "%s: %#x", bad[_i].name, w_bm_status(W_CMD));
		ck_assert(!w_line(W_GSI));
		ck_assert_uint_eq(w_alt(W_CMD), W_DRQ);
		w_out(W_CTL, 1, IDE_CTL_SRST);
		w_out(W_CTL, 1, 0);
		ck_assert_uint_eq(w_alt(W_CMD), W_GOOD);
		w_out(W_BM + 2, 1, ERR);
		ck_assert_uint_eq(w_bm_status(W_CMD), 0);
	}
}
END_TEST

/* The table's end is where 64 KiB end, whatever the last entry says. */
START_TEST(table_at_a_boundary)
{
	uint32_t entry[2] = {W_DATA, 512};

	for (uint32_t at = 0x2fff0; at < 0x30010; at += 8) {
		w_mem_write(at, entry, 8);
	}
	w_out(W_BM + 4, 4, 0x2fff0);
	w_out(W_BM, 1, 9);
	w_lba28(0xc8, 4, 0);
	ck_assert_uint_eq(w_bm_status(W_CMD), 0);
	ck_assert_uint_eq(w_alt(W_CMD), W_DRQ);
	ck_assert_uint_eq(w_disk.submits, 1);
	ck_assert(w_mem_is(W_DATA, w_disk_data + 512, 512));
}
END_TEST

/* The wrong direction moves nothing. */
START_TEST(direction)
{
	w_prd(0, W_DATA, 512, true);
	w_bm_start(W_CMD, false);
	w_lba28(0xc8, 1, 0);
	ck_assert_uint_eq(w_alt(W_CMD), W_DRQ);
	ck_assert_uint_eq(w_bm_status(W_CMD), ACT);
	w_out(W_BM, 1, 0);
	w_bm_start(W_CMD, true);
	w_expect(W_CMD, W_GOOD);
}
END_TEST

START_TEST(not_a_bus_master)
{
	pci_config_write(&w_bus, PCI_DEVFN(7, 1), PCI_COMMAND, 2, PCI_COMMAND_IO);
	w_prd(0, W_DATA, 512, true);
	w_lba28(0xc8, 1, 0);
	w_bm_start(W_CMD, true);
	ck_assert_uint_eq(w_bm_status(W_CMD), ERR);
	ck_assert_uint_eq(w_alt(W_CMD), W_DRQ);
	ck_assert_uint_eq(w_disk.submits, 0);
}
END_TEST

/* Stopped while the backend works: the request ends, the table is not touched any more. */
START_TEST(stop_and_start_in_flight)
{
	w_disk.defer = true;
	w_prd(0, W_DATA, 1024, true);
	w_bm_start(W_CMD, true);
	w_lba28(0xc8, 2, 8);
	w_out(W_BM, 1, 0);
	ck_assert_uint_eq(w_bm_status(W_CMD), 0);
	if (_i) {
		w_prd(0, W_DATA + 0x8000, 512, true);
		w_bm_start(W_CMD, true);
	}
	blk_finish(&w_disk);
	ck_assert_uint_eq(w_bm_status(W_CMD), _i ? INT | ACT : INT);
	w_expect(W_CMD, W_GOOD);
	ck_assert(w_mem_is(W_DATA, w_disk_data + 8 * 512, 1024));
}
END_TEST

START_TEST(errors_of_the_backend)
{
	w_disk.status = BLK_IO_ERROR;
	w_disk.blk.max_len = 8192;
	w_disk.bad = 512 * 40;
	w_prd(0, W_DATA, 32768, true);
	w_bm_start(W_CMD, true);
	w_lba28(0xc8, 64, 10);
	ck_assert_uint_eq(w_bm_status(W_CMD), INT | ACT);
	w_expect_error(W_CMD, IDE_ERR_UNC);
	ck_assert_uint_eq(w_reg(W_CMD, IDE_LBAL), 26);
	ck_assert(w_mem_is(W_DATA, w_disk_data + 512 * 10, 8192));
	w_out(W_BM, 1, 0);
}
END_TEST

/* A long transfer goes in pieces, with pauses in which others have their turn. */
START_TEST(long_transfers_pause)
{
	bool to_guest = _i;
	unsigned n_prds = 4 * IDE_BURST / 0x10000;

	w_disk.blk.max_len = 256 << 10;
	for (unsigned i = 0; i < n_prds; i++) {
		w_prd(i, W_DATA + i * 0x10000, 0, i == n_prds - 1);
	}
	w_bm_start(W_CMD, to_guest);
	w_lba48(to_guest ? 0x25 : 0x35, W_DISK_BYTES / 512, 0);
	for (unsigned bursts = 1; bursts < 4; bursts++) {
		ck_assert_uint_eq(w_disk.submits, 4 * bursts);
		ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
		ck_assert_uint_eq(w_bm_status(W_CMD), ACT);
		ck_assert(!w_line(W_GSI));
		fake_clock_advance(IDE_PAUSE_NS - 1);
		ck_assert_uint_eq(w_disk.submits, 4 * bursts);
		fake_clock_advance(1);
	}
	fake_clock_advance(IDE_PAUSE_NS);
	ck_assert_uint_eq(w_bm_status(W_CMD), INT);
	w_expect(W_CMD, W_GOOD);
	ck_assert(w_mem_is(W_DATA, w_disk_data, W_DISK_BYTES));
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
}
END_TEST

/* A reset in a pause. */
START_TEST(reset_of_a_long_transfer)
{
	unsigned n_prds = 4 * IDE_BURST / 0x10000;

	for (unsigned i = 0; i < n_prds; i++) {
		w_prd(i, W_DATA, 0, i == n_prds - 1);
	}
	w_bm_start(W_CMD, true);
	w_lba48(0x25, W_DISK_BYTES / 512, 0);
	ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
	if (_i) {
		piix4_ide_quiesce(&w_ide);
		ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
		piix4_ide_reset(&w_ide);
	} else {
		w_out(W_CTL, 1, IDE_CTL_SRST);
		w_out(W_CTL, 1, 0);
	}
	ck_assert_uint_eq(w_alt(W_CMD), W_GOOD);
	fake_clock_advance(10 * IDE_PAUSE_NS);
	ck_assert_uint_eq(w_disk.submits, 1);
	ck_assert(!w_line(W_GSI));
	w_lba28(0x20, 1, 0);
	w_expect(W_CMD, W_DRQ);
}
END_TEST

START_TEST(random_tables)
{
	static uint8_t model[W_DISK_BYTES], mem[1 << 16];
	unsigned seed = 77 + (unsigned)_i;

	memcpy(model, w_disk_data, sizeof(model));
	for (unsigned round = 0; round < 60; round++) {
		unsigned n = 1 + (unsigned)rand_r(&seed) % 64, left = n * 512, at = W_DATA, i = 0;
		uint32_t lba = (unsigned)rand_r(&seed) % (W_DISK_BYTES / 512 - n);
		bool to_guest = rand_r(&seed) & 1;
		unsigned limits = (unsigned)rand_r(&seed);

		w_disk.blk.max_segs = 1 + limits % 7;
		w_disk.blk.seg_align = 1U << limits / 8 % 4;
		w_disk.blk.max_len = 8192U << limits / 64 % 4;
		while (left) {
			unsigned len = ((unsigned)rand_r(&seed) % 1500 + 2) & ~1U;

			if (rand_r(&seed) % 3 == 0) {
				len = 512U << (unsigned)rand_r(&seed) % 6;
			}
			len = len < left ? len : left;
			left -= len;
			w_prd(i++, at, len, left == 0);
			at += len; /* contiguous: the data can be compared at once */
		}
		for (unsigned k = 0; k < n * 512; k++) {
			mem[k] = (uint8_t)rand_r(&seed);
		}
		w_mem_write(W_DATA, mem, n * 512);
		w_bm_start(W_CMD, to_guest);
		w_lba28(to_guest ? 0xc8 : 0xca, (uint8_t)n, lba);
		ck_assert_uint_eq(w_bm_status(W_CMD), INT);
		w_expect(W_CMD, W_GOOD);
		w_out(W_BM, 1, 0);
		if (to_guest) {
			ck_assert(w_mem_is(W_DATA, model + lba * 512, n * 512));
		} else {
			memcpy(model + lba * 512, mem, n * 512);
		}
	}
	ck_assert_mem_eq(model, w_disk_data, sizeof(model));
}
END_TEST

UNIT_MAIN("ide_dma", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, registers);
          tcase_add_loop_test(tc, tables_to_guest, 0, ARRAY_SIZE(tables));
          tcase_add_loop_test(tc, tables_from_guest, 0, ARRAY_SIZE(tables));
          tcase_add_loop_test(tc, short_tables, 0, 4);
          tcase_add_loop_test(tc, bad_memory, 0, ARRAY_SIZE(bad));
          tcase_add_test(tc, table_at_a_boundary); tcase_add_test(tc, direction);
          tcase_add_test(tc, not_a_bus_master);
          tcase_add_loop_test(tc, stop_and_start_in_flight, 0, 2);
          tcase_add_test(tc, errors_of_the_backend);
          tcase_add_loop_test(tc, long_transfers_pause, 0, 2);
          tcase_add_loop_test(tc, reset_of_a_long_transfer, 0, 2);
          tcase_add_loop_test(tc, random_tables, 0, 4);)
