/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SCSI units over disks in memory and an initiator that sends one command at a time: what
 * test_scsi*.c have in common.
 */
#ifndef TESTS_SCSI_WORLD_H
#define TESTS_SCSI_WORLD_H

#include "devices/backend/blk_ram.h"
#include "tests/unit.h"
#include "vmbus/scsi.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATA_LEN (300U << 10)

static struct blk_ram disk, disk_4k, disk_ro, dvd;
static struct scsi_lun lun;
static struct scsi_req req;
static uint8_t data[DATA_LEN], answer_buf[SCSI_BUF_LEN];
static struct io_seg segs[SCSI_MAX_TRANSFER / PAGE_SIZE + 1];
static unsigned done_calls;
static void *taken[64];
static unsigned n_taken;

static inline void *alloc(uint64_t pages, uint64_t align)
{
	void *p;

	ck_assert_int_eq(posix_memalign(&p, align, pages * PAGE_SIZE), 0);
	taken[n_taken++] = p;
	return memset(p, 0, pages * PAGE_SIZE);
}

static inline void make(
        struct blk_ram *ram, uint32_t block, bool ro, bool removable, uint8_t *image)
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

static inline void setup(void)
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

static inline void teardown(void)
{
	while (n_taken > 0) {
		free(taken[--n_taken]);
	}
}

static inline void done(struct scsi_req *r)
{
	ck_assert_ptr_eq(r, &req);
	done_calls++;
}

/* A CDB of so many bytes, data of so many in pieces of odd lengths. */
static inline void start(struct scsi_lun *l, const void *cdb, unsigned cdb_len, uint32_t data_len)
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

static inline void run(const void *cdb, unsigned cdb_len, uint32_t data_len)
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

static inline uint32_t sense(void)
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

static inline uint32_t be(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;

	while (n--) {
		v = v << 8 | *p++;
	}
	return v;
}

#endif
