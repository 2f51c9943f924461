// SPDX-License-Identifier: BSD-2-Clause
// SCSI units: every command, every sense code, and what happens when a back end is slow or refuses.
#include "devices/backend/blk_ram.h"
#include "tests/unit.h"
#include "vmbus/scsi.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DISK_BLOCKS 8192U /* of 512 bytes: 4 MiB */
#define DATA_LEN (300U << 10)

static struct blk_ram disk, disk_4k, disk_ro, dvd;
static struct scsi_lun lun;
static struct scsi_req req;
static uint8_t data[DATA_LEN], answer_buf[SCSI_BUF_LEN];
static struct io_seg segs[SCSI_MAX_TRANSFER / PAGE_SIZE + 1];
static unsigned done_calls;
static void *taken[64];
static unsigned n_taken;

static void *alloc(uint64_t pages, uint64_t align)
{
	void *p;

	ck_assert_int_eq(posix_memalign(&p, align, pages * PAGE_SIZE), 0);
	taken[n_taken++] = p;
	return memset(p, 0, pages * PAGE_SIZE);
}

static void make(struct blk_ram *ram, uint32_t block, bool ro, bool removable, uint8_t *image)
{
	struct blk_ram_params p = {.size = 4 << 20,
	        .block_size = block,
	        .read_only = ro,
	        .removable = removable,
	        .image = image,
	        .alloc = alloc};

	blk_make_id(p.id, "vm", 3);
	ck_assert_int_eq(blk_ram_attach(ram, &p), 0);
}

static void setup(void)
{
	uint8_t *image = alloc(1024, PAGE_SIZE);

	for (unsigned i = 0; i < 4 << 20; i++) {
		image[i] = (uint8_t)(i / 2048);
	}
	make(&disk, 512, false, false, NULL);
	make(&disk_4k, 4096, false, false, NULL);
	make(&disk_ro, 512, true, false, image);
	make(&dvd, 2048, true, true, image);
	lun = (struct scsi_lun){.blk = &disk.blk};
	memset(data, 0, sizeof(data));
}

static void teardown(void)
{
	while (n_taken > 0) {
		free(taken[--n_taken]);
	}
}

static void done(struct scsi_req *r)
{
	ck_assert_ptr_eq(r, &req);
	done_calls++;
}

/* A CDB of so many bytes, data of so many in pieces of odd lengths. */
static void start(struct scsi_lun *l, const void *cdb, unsigned cdb_len, uint32_t data_len)
{
	unsigned n = 0;

	req = (struct scsi_req){.cdb_len = (uint8_t)cdb_len,
	        .segs = segs,
	        .max_segs = ARRAY_SIZE(segs),
	        .data_len = data_len,
	        .buf = answer_buf,
	        .luns = 0x9,
	        .done = done};
	memcpy(req.cdb, cdb, cdb_len);
	memset(answer_buf, 0xc7, sizeof(answer_buf));
	for (uint32_t at = 0; at < data_len;) {
		uint32_t len = n == 0 ? 100 : n == 1 ? 4096 : data_len - at;

		len = len < data_len - at ? len : data_len - at;
		segs[n++] = (struct io_seg){.hva = data + at, .len = len};
		at += len;
	}
	req.n_segs = n;
	done_calls = 0;
	scsi_execute(l, &req);
}

static void run(const void *cdb, unsigned cdb_len, uint32_t data_len)
{
	start(&lun, cdb, cdb_len, data_len);
	ck_assert_uint_eq(done_calls, 1);
	if (req.status == SCSI_CHECK_CONDITION) {
		ck_assert_uint_eq(req.sense_len, SCSI_SENSE_LEN);
		ck_assert_uint_eq(req.sense[0], 0x70);
		ck_assert_uint_eq(req.moved, 0);
	} else {
		ck_assert_uint_eq(req.sense_len, 0);
	}
}

#define RUN(len, ...) \
	do { \
		const uint8_t cdb_[] = {__VA_ARGS__}; \
		run(cdb_, sizeof(cdb_), len); \
	} while (0)

static uint32_t sense(void)
{
	return req.status == SCSI_CHECK_CONDITION
	               ? (uint32_t)req.sense[2] << 16 | (uint32_t)req.sense[12] << 8 | req.sense[13]
	               : 0;
}

#define GOOD(bytes) \
	do { \
		ck_assert_uint_eq(sense(), 0); \
		ck_assert_uint_eq(req.status, SCSI_GOOD); \
		ck_assert_uint_eq(req.moved, bytes); \
	} while (0)
#define BAD(code) ck_assert_uint_eq(sense(), code)

static uint32_t be(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;

	while (n--) {
		v = v << 8 | *p++;
	}
	return v;
}

/* --- refused: unit, CDB, data, sense --- */

static const struct {
	const char *what;
	struct blk_ram *ram;
	uint32_t data, sense;
	uint8_t len, cdb[16];
} bad[] = {
        {"no such command", &disk, 0, 0x052000, 6, {0x15}},
        {"ATA passthrough", &disk, 512, 0x052000, 16, {0x85}},
        {"reservation", &disk, 512, 0x052000, 10, {0x5e}},
        {"DVD's command on a disk", &disk, 12, 0x052000, 10, {0x43, [8] = 12}},
        {"disk's command on a DVD", &dvd, 512, 0x052000, 6, {0x08, [4] = 1}},
        {"write on a DVD", &dvd, 2048, 0x052000, 10, {0x2a, [8] = 1}},
        {"another service action", &disk, 32, 0x052400, 16, {0x9e, 0x12, [13] = 32}},
        {"short CDB", &disk, 512, 0x052400, 9, {0x28, [8] = 1}},
        {"NACA", &disk, 512, 0x052400, 10, {0x28, [8] = 1, 4}},
        {"no CDB", &disk, 0, 0x052400, 0, {0}},
        /* INQUIRY */
        {"page without EVPD", &disk, 36, 0x052400, 6, {0x12, 0, 0x83, 0, 36}},
        {"CMDDT", &disk, 36, 0x052400, 6, {0x12, 2, 0, 0, 36}},
        {"unknown VPD page", &disk, 36, 0x052400, 6, {0x12, 1, 0x89, 0, 36}},
        {"block limits of a DVD", &dvd, 64, 0x052400, 6, {0x12, 1, 0xb0, 0, 64}},
        /* MODE SENSE */
        {"unknown mode page", &disk, 192, 0x052400, 6, {0x1a, 0, 0x1c, 0, 192}},
        {"unknown subpage", &disk, 192, 0x052400, 6, {0x1a, 0, 0x08, 1, 192}},
        {"saved values", &disk, 192, 0x053900, 6, {0x1a, 0, 0xc8, 0, 192}},
        {"saved values, 10", &disk, 192, 0x053900, 10, {0x5a, 0, 0xff, [8] = 192}},
        {"caching page of a DVD", &dvd, 192, 0x052400, 10, {0x5a, 0, 0x08, [8] = 192}},
        /* REQUEST SENSE, START STOP, REPORT */
        {"descriptor format", &disk, 18, 0x052400, 6, {0x03, 1, 0, 0, 18}},
        {"power condition", &disk, 0, 0x052400, 6, {0x1b, 0, 0, 0, 0x20}},
        {"eject a disk", &disk, 0, 0x052400, 6, {0x1b, 0, 0, 0, 0x02}},
        {"lock a disk", &disk, 0, 0x052000, 6, {0x1e, 0, 0, 0, 0x01}},
        {"LUNs into 15 bytes", &disk, 16, 0x052400, 12, {0xa0, [9] = 15}},
        {"LUNs of what kind?", &disk, 16, 0x052400, 12, {0xa0, 0, 0x10, [9] = 16}},
        {"opcodes with timeouts", &disk, 512, 0x052400, 12, {0xa3, 0x0c, 0x80, [8] = 2}},
        {"opcode with an action, asked without", &disk, 512, 0x052400, 12,
                {0xa3, 0x0c, 1, 0x9e, [8] = 2}},
        {"opcode without, asked with", &disk, 512, 0x052400, 12, {0xa3, 0x0c, 2, 0x28, [8] = 2}},
        {"opcodes, reserved form", &disk, 512, 0x052400, 12, {0xa3, 0x0c, 4, 0x28, [8] = 2}},
        /* Addresses */
        {"address without PMI", &disk, 8, 0x052400, 10, {0x25, 0, 0, 0, 0, 1}},
        {"READ(6) past the end", &disk, 1024, 0x052100, 6, {0x08, 0, 0x1f, 0xff, 2}},
        {"READ(6) of 256 past the end", &disk, 256 * 512, 0x052100, 6, {0x08, 0, 0x1f, 0x01, 0}},
        {"READ(10) past the end", &disk, 1024, 0x052100, 10, {0x28, 0, 0, 0, 0x1f, 0xff, 0, 0, 2}},
        {"nothing past the end", &disk, 0, 0x052100, 10, {0x28, 0, 0, 0, 0x20, 0x01}},
        {"READ(16) that wraps", &disk, 1024, 0x052100, 16,
                {0x88, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2}},
        {"READ(12) past the end", &disk, 512, 0x052100, 12, {0xa8, 0, 0, 0, 0x20, 0, 0, 0, 0, 1}},
        {"WRITE(10) past the end", &disk, 512, 0x052100, 10, {0x2a, 0, 0, 0, 0x20, 0, 0, 0, 1}},
        {"VERIFY past the end", &disk, 0, 0x052100, 10, {0x2f, 0, 0, 0, 0x20, 0, 0, 0, 1}},
        {"flush past the end", &disk, 0, 0x052100, 10, {0x35, 0, 0, 0, 0x20, 0, 0, 0, 1}},
        {"WRITE SAME past the end", &disk, 512, 0x052100, 16, {0x93, 0, [8] = 0x20, 0, 0, 0, 0, 1}},
        {"4K: past the end", &disk_4k, 4096, 0x052100, 10, {0x28, 0, 0, 0, 0x04, 0, 0, 0, 1}},
        /* Lengths */
        {"more than the buffer", &disk, 512, 0x052400, 10, {0x28, [8] = 2}},
        {"no buffer", &disk, 0, 0x052400, 10, {0x2a, [8] = 1}},
        {"more than the limit", &disk, DATA_LEN, 0x052400, 10, {0x28, [7] = 0x02, 0x01}},
        {"protection, read", &disk, 512, 0x052400, 10, {0x28, 0x20, [8] = 1}},
        {"protection, write", &disk, 512, 0x052400, 16, {0x8a, 0x20, [13] = 1}},
        {"protection, verify", &disk, 512, 0x052400, 10, {0x2f, 0x20, [8] = 1}},
        {"compare", &disk, 512, 0x052400, 10, {0x2f, 0x02, [8] = 1}},
        {"WRITE SAME of nothing", &disk, 512, 0x052400, 10, {0x41}},
        {"WRITE SAME, half a block", &disk, 256, 0x052400, 10, {0x41, [8] = 1}},
        {"WRITE SAME, anchor", &disk, 512, 0x052400, 10, {0x41, 0x18, [8] = 1}},
        {"WRITE SAME, protection", &disk, 512, 0x052400, 10, {0x41, 0x20, [8] = 1}},
        {"UNMAP, anchor", &disk, 24, 0x052400, 10, {0x42, 1, [8] = 24}},
        {"UNMAP, less than a header", &disk, 7, 0x051a00, 10, {0x42, [8] = 7}},
        {"UNMAP, less than it says", &disk, 16, 0x051a00, 10, {0x42, [8] = 24}},
        {"UNMAP, more than is taken", &disk, 8192, 0x051a00, 10, {0x42, [7] = 0x20}},
        /* Write protection */
        {"WRITE(6), ro", &disk_ro, 512, 0x072700, 6, {0x0a, [4] = 1}},
        {"WRITE(10), ro", &disk_ro, 512, 0x072700, 10, {0x2a, [8] = 1}},
        {"WRITE SAME, ro", &disk_ro, 512, 0x072700, 10, {0x41, [8] = 1}},
        {"UNMAP, ro", &disk_ro, 24, 0x072700, 10, {0x42, [8] = 24}},
        /* DVD */
        {"TOC of track 2", &dvd, 20, 0x052400, 10, {0x43, [6] = 2, 0, 20}},
        {"TOC, another format", &dvd, 20, 0x052400, 10, {0x43, 0, 2, [8] = 20}},
        {"configuration, reserved form", &dvd, 64, 0x052400, 10, {0x46, 3, [8] = 64}},
        {"events by themselves", &dvd, 8, 0x052400, 10, {0x4a, 0, [4] = 0x10, [8] = 8}},
        {"track 2", &dvd, 36, 0x052400, 10, {0x52, 1, [5] = 2, [8] = 36}},
        {"track beyond the end", &dvd, 36, 0x052400, 10, {0x52, 0, [4] = 8, [8] = 36}},
        {"disc information of another kind", &dvd, 34, 0x052400, 10, {0x51, 1, [8] = 34}},
};

START_TEST(refused)
{
	lun.blk = &bad[_i].ram->blk;
	run(bad[_i].cdb, bad[_i].len, bad[_i].data);
	ck_assert_msg(sense() == bad[_i].sense, "%s: sense %06x, not %06x", bad[_i].what, sense(),
	        bad[_i].sense);
	ck_assert_uint_eq(lun.stats.commands, 1);
	ck_assert_uint_eq(lun.stats.errors, 1);
	ck_assert_uint_eq(bad[_i].ram->blk.stats.errors, 0);
}
END_TEST

/* --- who it is --- */

START_TEST(inquiry)
{
	RUN(36, 0x12, 0, 0, 0, 36, 0);
	GOOD(36);
	ck_assert_mem_eq(data, "\0\0\x05\x02\x1f\0\0\x02Msft    Virtual Disk    1.0 ", 36);
	/* Less than there is, and a buffer that is longer. */
	memset(data, 0xaa, 64);
	RUN(64, 0x12, 0, 0, 0, 5, 0);
	GOOD(5);
	ck_assert_uint_eq(data[4], 0x1f);
	ck_assert_uint_eq(data[5], 0xaa);
	RUN(255, 0x12, 0, 0, 0, 255, 0);
	GOOD(36);
	RUN(10, 0x12, 0, 0, 0, 255, 0);
	GOOD(10);
	lun.blk = &dvd.blk;
	RUN(36, 0x12, 0, 0, 0, 36, 0);
	ck_assert_mem_eq(data, "\x05\x80\x05\x02\x1f\0\0\x02Msft    Virtual DVD-ROM 1.0 ", 36);
}
END_TEST

START_TEST(vital_product_data)
{
	char serial[25];

	for (unsigned i = 0; i < 12; i++) {
		sprintf(serial + 2 * i, "%02x", disk.blk.id[i]);
	}
	RUN(255, 0x12, 1, 0, 0, 255, 0);
	GOOD(10);
	ck_assert_mem_eq(data, "\0\0\0\x06\0\x80\x83\xb0\xb1\xb2", 10);
	RUN(255, 0x12, 1, 0x80, 0, 255, 0);
	GOOD(28);
	ck_assert_mem_eq(data, "\0\x80\0\x18", 4);
	ck_assert_mem_eq(data + 4, serial, 24);
	RUN(255, 0x12, 1, 0x83, 0, 255, 0);
	GOOD(4 + 36 + 20);
	ck_assert_mem_eq(data, "\0\x83\0\x38\x02\x01\0\x20Msft    ", 16);
	ck_assert_mem_eq(data + 16, serial, 24);
	ck_assert_mem_eq(data + 40, "\x01\x03\0\x10\x60\x02\x24\x80", 8);
	ck_assert_mem_eq(data + 48, disk.blk.id, 12);
	RUN(255, 0x12, 1, 0xb0, 0, 255, 0);
	GOOD(64);
	ck_assert_uint_eq(data[4], 1);
	ck_assert_uint_eq(be(data + 6, 2), 8);
	ck_assert_uint_eq(be(data + 8, 4), 512);
	ck_assert_uint_eq(be(data + 12, 4), 512);
	ck_assert_uint_eq(be(data + 20, 4), 32768);
	ck_assert_uint_eq(be(data + 24, 4), 255);
	ck_assert_uint_eq(be(data + 28, 4), 8);
	ck_assert_uint_eq(be(data + 32, 4), 0x80000000);
	ck_assert_uint_eq(be(data + 40, 4), 32768);
	RUN(255, 0x12, 1, 0xb1, 0, 255, 0);
	GOOD(64);
	ck_assert_uint_eq(be(data + 4, 2), 1);
	RUN(255, 0x12, 1, 0xb2, 0, 255, 0);
	GOOD(8);
	ck_assert_mem_eq(data, "\0\xb2\0\x04\0\xe4\x02\0", 8);
	lun.blk = &disk_4k.blk;
	RUN(64, 0x12, 1, 0xb0, 0, 64, 0);
	ck_assert_uint_eq(be(data + 6, 2), 1);
	ck_assert_uint_eq(be(data + 8, 4), 64);
	ck_assert_uint_eq(be(data + 20, 4), 4096);
	lun.blk = &disk_ro.blk;
	RUN(64, 0x12, 1, 0xb0, 0, 64, 0);
	ck_assert_uint_eq(be(data + 20, 4), 0);
	RUN(8, 0x12, 1, 0xb2, 0, 8, 0);
	ck_assert_mem_eq(data, "\0\xb2\0\x04\0\0\x01\0", 8);
	lun.blk = &dvd.blk;
	RUN(255, 0x12, 1, 0, 0, 255, 0);
	GOOD(7);
	ck_assert_mem_eq(data, "\x05\0\0\x03\0\x80\x83", 7);
}
END_TEST

START_TEST(absent_unit)
{
	static const uint8_t inquiry_cdb[] = {0x12, 0, 0, 0, 96, 0}, ready[6] = {0};
	static const uint8_t luns[12] = {0xa0, [9] = 16};

	start(NULL, inquiry_cdb, 6, 96);
	ck_assert_uint_eq(done_calls, 1);
	GOOD(36);
	ck_assert_mem_eq(data, "\x7f\0\x05\x02\x1f\0\0\0", 8);
	start(NULL, ready, 6, 0);
	ck_assert_uint_eq(done_calls, 1);
	BAD(0x052500);
	ck_assert(req.no_lun);
	start(NULL, luns, 12, 16);
	GOOD(16);
	ck_assert_uint_eq(data[3], 16);
	start(&lun, ready, 6, 0);
	GOOD(0);
	ck_assert(!req.no_lun);
}
END_TEST

START_TEST(report_luns)
{
	RUN(4096, 0xa0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0);
	GOOD(24);
	ck_assert_mem_eq(data, "\0\0\0\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\x03\0\0\0\0\0\0", 24);
	RUN(4096, 0xa0, 0, 1, 0, 0, 0, 0, 0, 16, 0, 0, 0);
	GOOD(8);
	ck_assert_uint_eq(be(data, 4), 0);
	RUN(16, 0xa0, 0, 2, 0, 0, 0, 0, 0, 16, 0, 0, 0);
	GOOD(16);
	ck_assert_uint_eq(be(data, 4), 16);
}
END_TEST

/* --- settings --- */

START_TEST(mode_sense)
{
	RUN(192, 0x1a, 0, 0x3f, 0, 192, 0);
	GOOD(4 + 8 + 20 + 12);
	ck_assert_mem_eq(data, "\x2b\0\x10\x08\0\0\x20\0\0\0\x02\0\x08\x12\x04", 15);
	ck_assert_mem_eq(data + 32, "\x0a\x0a\0\x10", 4);
	RUN(192, 0x1a, 0x08, 0x08, 0, 192, 0);
	GOOD(4 + 20);
	ck_assert_mem_eq(data, "\x17\0\x10\0\x08\x12\x04", 7);
	RUN(4, 0x1a, 0, 0x3f, 0, 4, 0);
	GOOD(4);
	ck_assert_uint_eq(data[0], 0x2b);
	/* Nothing can be changed. */
	RUN(192, 0x1a, 0x08, 0x48, 0, 192, 0);
	GOOD(24);
	ck_assert_uint_eq(data[6], 0);
	RUN(192, 0x1a, 0x08, 0x88, 0xff, 192, 0);
	GOOD(24);
	ck_assert_uint_eq(data[6], 4);
	RUN(192, 0x5a, 0, 0x08, 0, 0, 0, 0, 0, 192, 0);
	GOOD(8 + 8 + 20);
	ck_assert_mem_eq(data, "\0\x22\0\x10\0\0\0\x08\0\0\x20\0\0\0\x02\0\x08\x12", 18);
	lun.blk = &disk_ro.blk;
	RUN(4, 0x1a, 0, 0x3f, 0, 4, 0);
	ck_assert_uint_eq(data[2], 0x90);
	lun.blk = &dvd.blk;
	RUN(192, 0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 192, 0);
	GOOD(8 + 20);
	ck_assert_mem_eq(data + 8, "\x2a\x12\x0b\0\x70\0\x29", 7);
}
END_TEST

START_TEST(capacity)
{
	RUN(8, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	GOOD(8);
	ck_assert_mem_eq(data, "\0\0\x1f\xff\0\0\x02\0", 8);
	RUN(32, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0);
	GOOD(32);
	ck_assert_mem_eq(data, "\0\0\0\0\0\0\x1f\xff\0\0\x02\0\0\x03\xc0\0", 16);
	RUN(12, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0);
	GOOD(12);
	lun.blk = &disk_4k.blk;
	RUN(32, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0);
	ck_assert_mem_eq(data, "\0\0\0\0\0\0\x03\xff\0\0\x10\0\0\0\xc0\0", 16);
	lun.blk = &disk_ro.blk;
	RUN(32, 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0);
	ck_assert_uint_eq(data[14], 0);
	lun.blk = &dvd.blk;
	RUN(8, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	ck_assert_mem_eq(data, "\0\0\x07\xff\0\0\x08\0", 8);
	/* More blocks than 32 bits count. */
	lun.blk = &disk.blk;
	disk.blk.size = 1ULL << 42;
	RUN(8, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	ck_assert_mem_eq(data, "\xff\xff\xff\xff\0\0\x02\0", 8);
}
END_TEST

/* --- data --- */

/* Write with one form, read with another. */
START_TEST(read_write)
{
	static const uint8_t writes[][16] = {{0x0a, 0, 0x10, 0x00, 2},
	        {0x2a, 0, 0, 0, 0x10, 0, 0, 0, 2}, {0xaa, 0, 0, 0, 0x10, 0, 0, 0, 0, 2},
	        {0x8a, 0, [8] = 0x10, 0, [13] = 2}, {0x2a, 0x08, 0, 0, 0x10, 0, 0, 0, 2}};
	static const uint8_t reads[][16] = {{0x08, 0, 0x10, 0x00, 2},
	        {0x28, 0, 0, 0, 0x10, 0, 0, 0, 2}, {0xa8, 0, 0, 0, 0x10, 0, 0, 0, 0, 2},
	        {0x88, 0, [8] = 0x10, 0, [13] = 2}};

	for (unsigned w = 0; w < ARRAY_SIZE(writes); w++) {
		memset(data, (int)w + 1, 1024);
		run(writes[w], 16, 2000);
		GOOD(1024);
		ck_assert_uint_eq(disk.blk.stats.flushes, w == 4);
		for (unsigned r = 0; r < ARRAY_SIZE(reads); r++) {
			memset(data, 0xcc, 2000);
			run(reads[r], 16, 2000);
			GOOD(1024);
			ck_assert_uint_eq(data[0], w + 1);
			ck_assert_uint_eq(data[1023], w + 1);
			ck_assert_uint_eq(data[1024], 0xcc);
		}
	}
	ck_assert_uint_eq(disk.blk.stats.bytes_written, ARRAY_SIZE(writes) * 1024);
	/* No blocks: nothing; in the form of 6 bytes: 256. */
	run((const uint8_t[10]){0x28}, 10, 0);
	GOOD(0);
	run((const uint8_t[6]){0x08}, 6, 256 * 512);
	GOOD(256 * 512);
	/* As much as there may be. */
	run((const uint8_t[10]){0x28, [7] = 2}, 10, SCSI_MAX_TRANSFER);
	GOOD(SCSI_MAX_TRANSFER);
	RUN(0, 0x2f, 0, 0, 0, 0x1f, 0xff, 0, 0, 1, 0);
	GOOD(0);
	RUN(0, 0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	GOOD(0);
	run((const uint8_t[16]){0x91}, 16, 0);
	GOOD(0);
	ck_assert_uint_eq(disk.blk.stats.flushes, 3);
}
END_TEST

static void fill_disk(uint8_t byte)
{
	for (unsigned i = 0; i < 2; i++) {
		memset(disk.pieces[i], byte, 2 << 20);
	}
}

static void expect_bytes(uint32_t block, uint32_t n, uint8_t byte)
{
	for (uint64_t at = (uint64_t)block * 512; at < (uint64_t)(block + n) * 512; at++) {
		ck_assert_uint_eq(disk.pieces[at >> 21][at & ((2 << 20) - 1)], byte);
	}
}

START_TEST(write_same)
{
	fill_disk(0xdd);
	/* Zeroes, written and unmapped. */
	RUN(512, 0x41, 0, 0, 0, 0, 1, 0, 0, 2, 0);
	GOOD(512);
	expect_bytes(0, 1, 0xdd);
	expect_bytes(1, 2, 0);
	expect_bytes(3, 1, 0xdd);
	run((const uint8_t[16]){0x93, 0x08, [9] = 8, [12] = 1, 0}, 16, 512);
	GOOD(512);
	expect_bytes(8, 256, 0);
	expect_bytes(264, 1, 0xdd);
	/* Without data. */
	run((const uint8_t[16]){0x93, 0x09, [8] = 2, 0, [13] = 1}, 16, 0);
	GOOD(0);
	expect_bytes(512, 1, 0);
	ck_assert_uint_eq(disk.blk.stats.discards, 3);
	ck_assert_uint_eq(disk.blk.stats.writes, 0);
	/* A pattern, over more than one step: the whole disk but its ends. */
	memset(data, 0x77, 512);
	run((const uint8_t[16]){0x93, 0, [9] = 1, [12] = 0x1f, 0xfe}, 16, 512);
	GOOD(512);
	expect_bytes(0, 1, 0xdd);
	expect_bytes(1, DISK_BLOCKS - 2, 0x77);
	expect_bytes(DISK_BLOCKS - 1, 1, 0xdd);
	ck_assert_uint_gt(disk.blk.stats.writes, 10);
	ck_assert_uint_eq(req.cost, (DISK_BLOCKS - 2) * 512);
}
END_TEST

static void put_unmap(unsigned i, uint64_t block, uint32_t n)
{
	uint8_t *d = data + 8 + 16 * (size_t)i;

	for (unsigned b = 0; b < 8; b++) {
		d[b] = (uint8_t)(block >> (56 - 8 * b));
	}
	for (unsigned b = 0; b < 4; b++) {
		d[8 + b] = (uint8_t)(n >> (24 - 8 * b));
	}
}

START_TEST(unmap)
{
	fill_disk(0xdd);
	data[3] = 48;
	put_unmap(0, 1, 2);
	put_unmap(1, 100, 0);
	put_unmap(2, DISK_BLOCKS - 1, 1);
	RUN(56, 0x42, 0, 0, 0, 0, 0, 0, 0, 56, 0);
	GOOD(56);
	expect_bytes(0, 1, 0xdd);
	expect_bytes(1, 2, 0);
	expect_bytes(3, 1000, 0xdd);
	expect_bytes(DISK_BLOCKS - 1, 1, 0);
	/* A header that promises more, a list with a piece of a descriptor. */
	fill_disk(0xdd);
	data[3] = 255;
	RUN(50, 0x42, 0, 0, 0, 0, 0, 0, 0, 50, 0);
	GOOD(50);
	expect_bytes(1, 2, 0);
	expect_bytes(DISK_BLOCKS - 1, 1, 0xdd);
	/* One bad range: nothing is done. */
	fill_disk(0xdd);
	data[3] = 48;
	put_unmap(2, DISK_BLOCKS - 1, 2);
	RUN(56, 0x42, 0, 0, 0, 0, 0, 0, 0, 56, 0);
	BAD(0x052100);
	expect_bytes(1, 2, 0xdd);
	put_unmap(2, ~0ULL, 1);
	RUN(56, 0x42, 0, 0, 0, 0, 0, 0, 0, 56, 0);
	BAD(0x052100);
	/* Each is in range, all of them are too many. */
	for (unsigned i = 0; i < 5; i++) {
		put_unmap(i, 0, DISK_BLOCKS);
	}
	data[3] = 80;
	RUN(88, 0x42, 0, 0, 0, 0, 0, 0, 0, 88, 0);
	BAD(0x052600);
	data[3] = 64;
	RUN(88, 0x42, 0, 0, 0, 0, 0, 0, 0, 88, 0);
	GOOD(88);
	RUN(0, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	GOOD(0);
	data[3] = 0;
	RUN(8, 0x42, 0, 0, 0, 0, 0, 0, 0, 8, 0);
	GOOD(8);
}
END_TEST

/* --- states --- */

START_TEST(stop_and_start)
{
	RUN(0, 0x1b, 0, 0, 0, 0, 0);
	GOOD(0);
	ck_assert_uint_eq(disk.blk.stats.flushes, 1);
	RUN(0, 0, 0, 0, 0, 0, 0);
	BAD(0x020402);
	run((const uint8_t[10]){0x28, [8] = 1}, 10, 512);
	BAD(0x020402);
	RUN(18, 0x03, 0, 0, 0, 18, 0);
	GOOD(18);
	ck_assert_mem_eq(data, "\x70\0\x02\0\0\0\0\x0a\0\0\0\0\x04\x02\0\0\0\0", 18);
	RUN(36, 0x12, 0, 0, 0, 36, 0);
	GOOD(36);
	RUN(0, 0x1b, 0, 0, 0, 1, 0);
	GOOD(0);
	RUN(0, 0, 0, 0, 0, 0, 0);
	GOOD(0);
	RUN(18, 0x03, 0, 0, 0, 18, 0);
	GOOD(18);
	ck_assert_mem_eq(data, "\x70\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0\0\0\0", 18);
	RUN(0, 0x1b, 0, 0, 0, 0, 0);
	scsi_lun_reset(&lun);
	RUN(0, 0, 0, 0, 0, 0, 0);
	GOOD(0);
}
END_TEST

START_TEST(tray)
{
	lun.blk = &dvd.blk;
	RUN(0, 0x1e, 0, 0, 0, 1, 0);
	GOOD(0);
	RUN(0, 0x1b, 0, 0, 0, 2, 0);
	BAD(0x055302);
	RUN(0, 0x1e, 0, 0, 0, 0, 0);
	RUN(0, 0x1b, 0, 0, 0, 2, 0);
	GOOD(0);
	RUN(0, 0, 0, 0, 0, 0, 0);
	BAD(0x023a02);
	RUN(8, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8, 0);
	GOOD(8);
	ck_assert_mem_eq(data, "\0\x06\x04\x10\0\x01\0\0", 8);
	RUN(8, 0x46, 0, 0, 0, 0, 0, 0, 0, 8, 0);
	GOOD(8);
	ck_assert_uint_eq(be(data + 6, 2), 0);
	/* Closed again: told once that it may be another disc, and only to those who touch it. */
	RUN(0, 0x1b, 0, 0, 0, 3, 0);
	GOOD(0);
	RUN(36, 0x12, 0, 0, 0, 36, 0);
	GOOD(36);
	RUN(8, 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8, 0);
	ck_assert_mem_eq(data, "\0\x06\x04\x10\x02\x02\0\0", 8);
	RUN(0, 0, 0, 0, 0, 0, 0);
	BAD(0x062800);
	RUN(0, 0, 0, 0, 0, 0, 0);
	GOOD(0);
	/* Or to REQUEST SENSE. */
	RUN(0, 0x1b, 0, 0, 0, 2, 0);
	RUN(0, 0x1b, 0, 0, 0, 3, 0);
	RUN(18, 0x03, 0, 0, 0, 18, 0);
	ck_assert_uint_eq(data[2], 6);
	RUN(0, 0, 0, 0, 0, 0, 0);
	GOOD(0);
	/* Closing a closed one, spinning it down. */
	RUN(0, 0x1b, 0, 0, 0, 3, 0);
	RUN(0, 0x1b, 0, 0, 0, 0, 0);
	RUN(0, 0, 0, 0, 0, 0, 0);
	GOOD(0);
	RUN(8, 0x4a, 1, 0, 0, 0x02, 0, 0, 0, 8, 0);
	GOOD(4);
	ck_assert_mem_eq(data, "\0\x02\x80\x10", 4);
}
END_TEST

START_TEST(disc)
{
	lun.blk = &dvd.blk;
	run((const uint8_t[10]){0x28, [5] = 5, [8] = 1}, 10, 2048);
	GOOD(2048);
	ck_assert_uint_eq(data[0], 5);
	ck_assert_uint_eq(data[2047], 5);
	RUN(20, 0x43, 0, 0, 0, 0, 0, 0, 0, 20, 0);
	GOOD(20);
	ck_assert_mem_eq(data, "\0\x12\x01\x01\0\x14\x01\0\0\0\0\0\0\x14\xaa\0\0\0\x08\0", 20);
	/* In minutes, seconds and frames: 2048 blocks and 150 are 29 s and 23. */
	RUN(20, 0x43, 2, 0, 0, 0, 0, 0xaa, 0, 20, 0);
	GOOD(12);
	ck_assert_mem_eq(data, "\0\x0a\x01\x01\0\x14\xaa\0\0\0\x1d\x17", 12);
	RUN(12, 0x43, 0, 1, 0, 0, 0, 0, 0, 12, 0);
	GOOD(12);
	ck_assert_mem_eq(data, "\0\x0a\x01\x01\0\x14\x01\0\0\0\0\0", 12);
	/* The format where older drivers have it. */
	RUN(12, 0x43, 0, 0, 0, 0, 0, 0, 0, 12, 0x40);
	GOOD(12);
	RUN(255, 0x46, 0, 0, 0, 0, 0, 0, 0, 255, 0);
	GOOD(8 + 12 + 12 + 8 + 12 + 8 + 8);
	ck_assert_uint_eq(be(data, 4), req.moved - 4);
	ck_assert_uint_eq(be(data + 6, 2), 8);
	ck_assert_mem_eq(data + 8, "\0\0\x03\x08\0\x10\0\0\0\x08\x01\0", 12);
	RUN(255, 0x46, 2, 0, 3, 0, 0, 0, 0, 255, 0);
	GOOD(16);
	RUN(255, 0x46, 0, 0, 0x1f, 0, 0, 0, 0, 255, 0);
	GOOD(16);
	RUN(34, 0x51, 0, 0, 0, 0, 0, 0, 0, 34, 0);
	GOOD(34);
	ck_assert_mem_eq(data, "\0\x20\x0e\x01\x01\x01\x01\x20", 8);
	for (uint8_t kind = 0; kind < 3; kind++) {
		RUN(36, 0x52, kind, 0, 0, 0, 1, 0, 0, 36, 0);
		GOOD(36);
		ck_assert_mem_eq(data, "\0\x22\x01\x01\0\x04\x01\x02\0\0\0\0", 12);
		ck_assert_mem_eq(data + 24, "\0\0\x08\0\0\0\x07\xff", 8);
	}
	/* Larger than any CD. */
	dvd.blk.size = 1ULL << 32;
	RUN(255, 0x46, 0, 0, 0, 0, 0, 0, 0, 255, 0);
	ck_assert_uint_eq(be(data + 6, 2), 0x10);
	ck_assert_mem_eq(data + 8, "\0\0\x03\x08\0\x10\x01\0\0\x08\0\0", 12);
}
END_TEST

/* --- REPORT SUPPORTED OPERATION CODES --- */

START_TEST(opcodes)
{
	uint32_t len;

	RUN(4096, 0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0);
	ck_assert_uint_eq(req.status, SCSI_GOOD);
	len = be(data, 4);
	ck_assert_uint_eq(req.moved, len + 4);
	ck_assert_uint_gt(len, 20 * 8);
	/* Each of them is known when asked for alone. */
	for (uint32_t at = 4; at < 4 + len; at += 8) {
		uint8_t code = data[at], action = data[at + 3], flags = data[at + 5];
		uint8_t cdb_len = data[at + 7], keep[4096];

		memcpy(keep, data, sizeof(keep));
		RUN(64, 0xa3, 0x0c, 3, code, 0, action, 0, 0, 0, 64, 0, 0);
		GOOD(4 + cdb_len);
		ck_assert_uint_eq(data[1], 3);
		ck_assert_uint_eq(data[3], cdb_len);
		ck_assert_uint_eq(data[4], code);
		if (flags & 1) {
			ck_assert_uint_eq(data[5], action);
		}
		memcpy(data, keep, sizeof(keep));
	}
	RUN(64, 0xa3, 0x0c, 1, 0x28, 0, 0, 0, 0, 0, 64, 0, 0);
	GOOD(14);
	ck_assert_mem_eq(data, "\0\x03\0\x0a\x28\x18\xff\xff\xff\xff\0\xff\xff\0", 14);
	RUN(64, 0xa3, 0x0c, 1, 0x5e, 0, 0, 0, 0, 0, 64, 0, 0);
	GOOD(4);
	ck_assert_uint_eq(data[1], 1);
	RUN(64, 0xa3, 0x0c, 2, 0x9e, 0, 0x10, 0, 0, 0, 64, 0, 0);
	GOOD(20);
	RUN(64, 0xa3, 0x0c, 2, 0x9e, 0, 0x11, 0, 0, 0, 64, 0, 0);
	GOOD(4);
	ck_assert_uint_eq(data[1], 1);
	lun.blk = &dvd.blk;
	RUN(64, 0xa3, 0x0c, 1, 0x2a, 0, 0, 0, 0, 0, 64, 0, 0);
	ck_assert_uint_eq(data[1], 1);
}
END_TEST

/* --- a back end that takes its time, refuses, and fails --- */

static struct blk_req *waiting;
static unsigned submitted, refuse_at;

static int slow_submit(struct blk *blk, struct blk_req *r)
{
	(void)blk;
	if (++submitted == refuse_at) {
		return -EAGAIN;
	}
	ck_assert_ptr_null(waiting);
	waiting = r;
	return 0;
}

static const struct blk_ops slow_ops = {.submit = slow_submit};
static struct blk slow = {.ops = &slow_ops, .size = 4 << 20, .block_size = 512};

static void complete(enum blk_status status)
{
	struct blk_req *r = waiting;

	waiting = NULL;
	r->done(r, status);
}

static void slow_setup(void)
{
	setup();
	lun.blk = &slow;
	waiting = NULL;
	submitted = 0;
	refuse_at = 0;
}

static const struct {
	enum blk_status status;
	uint32_t on_read, on_write;
} failures[] = {
        {BLK_READ_ONLY, 0x072700, 0x072700},
        {BLK_OUT_OF_RANGE, 0x044400, 0x044400},
        {BLK_NO_SPACE, 0x072707, 0x072707},
        {BLK_IO_ERROR, 0x031100, 0x030c00},
        {BLK_CANCELLED, 0x0b0000, 0x0b0000},
};

START_TEST(failing)
{
	start(&lun, (const uint8_t[10]){0x28, [8] = 1}, 10, 512);
	ck_assert_uint_eq(done_calls, 0);
	complete(failures[_i].status);
	ck_assert_uint_eq(done_calls, 1);
	BAD(failures[_i].on_read);
	start(&lun, (const uint8_t[10]){0x2a, [8] = 1}, 10, 512);
	complete(failures[_i].status);
	ck_assert_uint_eq(done_calls, 1);
	BAD(failures[_i].on_write);
	ck_assert_uint_eq(req.moved, 0);
}
END_TEST

START_TEST(later)
{
	start(&lun, (const uint8_t[10]){0x28, [8] = 1}, 10, 512);
	ck_assert_uint_eq(waiting->op, BLK_READ);
	complete(BLK_OK);
	ck_assert_uint_eq(done_calls, 1);
	GOOD(512);
	/* With FUA: write, then flush. */
	start(&lun, (const uint8_t[10]){0x2a, 0x08, [5] = 3, [8] = 1}, 10, 512);
	ck_assert_uint_eq(waiting->op, BLK_WRITE);
	ck_assert_uint_eq(waiting->offset, 1536);
	complete(BLK_OK);
	ck_assert_uint_eq(done_calls, 0);
	ck_assert_uint_eq(waiting->op, BLK_FLUSH);
	complete(BLK_OK);
	ck_assert_uint_eq(done_calls, 1);
	GOOD(512);
	/* An error in the middle of a long one. */
	memset(data, 1, 512);
	start(&lun, (const uint8_t[16]){0x93, [12] = 0x10}, 16, 512);
	complete(BLK_OK);
	ck_assert_uint_eq(waiting->op, BLK_WRITE);
	ck_assert_uint_eq(waiting->offset, ARRAY_SIZE(segs) * SCSI_BUF_LEN);
	ck_assert_uint_eq(done_calls, 0);
	complete(BLK_IO_ERROR);
	ck_assert_uint_eq(done_calls, 1);
	BAD(0x030c00);
	ck_assert_ptr_null(waiting);
}
END_TEST

/* Nothing that keeps a CPU busy for long. */
START_TEST(too_much)
{
	slow.size = 1 << 30;
	start(&lun, (const uint8_t[16]){0x93, [12] = 0x80, 0x01}, 16, 512);
	BAD(0x052400);
	start(&lun, (const uint8_t[16]){0x93, 0x08, [12] = 0x80, 0x00}, 16, 512);
	ck_assert_uint_eq(waiting->op, BLK_DISCARD);
	ck_assert_uint_eq(waiting->len, SCSI_MAX_ZERO);
	complete(BLK_OK);
	GOOD(512);
	slow.size = 4 << 20;
}
END_TEST

START_TEST(queue_full)
{
	for (unsigned step = 1; step <= 2; step++) {
		submitted = 0;
		refuse_at = step;
		start(&lun, (const uint8_t[10]){0x2a, 0x08, [8] = 1}, 10, 512);
		if (step == 2) {
			complete(BLK_OK);
		}
		ck_assert_uint_eq(done_calls, 1);
		ck_assert_uint_eq(req.status, SCSI_TASK_SET_FULL);
		ck_assert_uint_eq(req.moved, 0);
		ck_assert_uint_eq(req.sense_len, 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scsi");
	TCase *tc = tcase_create("scsi"), *slow_tc = tcase_create("slow");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, refused, 0, ARRAY_SIZE(bad));
	tcase_add_test(tc, inquiry);
	tcase_add_test(tc, vital_product_data);
	tcase_add_test(tc, absent_unit);
	tcase_add_test(tc, report_luns);
	tcase_add_test(tc, mode_sense);
	tcase_add_test(tc, capacity);
	tcase_add_test(tc, read_write);
	tcase_add_test(tc, write_same);
	tcase_add_test(tc, unmap);
	tcase_add_test(tc, stop_and_start);
	tcase_add_test(tc, tray);
	tcase_add_test(tc, disc);
	tcase_add_test(tc, opcodes);
	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(slow_tc, slow_setup, teardown);
	tcase_add_loop_test(slow_tc, failing, 0, ARRAY_SIZE(failures));
	tcase_add_test(slow_tc, later);
	tcase_add_test(slow_tc, queue_full);
	tcase_add_test(slow_tc, too_much);
	suite_add_tcase(suite, slow_tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
