// SPDX-License-Identifier: BSD-2-Clause
// SCSI units driven by a program of command blocks with buffers of any size.
#include "devices/backend/blk_ram.h"
#include "tests/fuzz/fuzz.h"
#include "vmbus/scsi.h"
#include <string.h>

#define DISK_SIZE (1U << 20)
#define GUARD 64U

struct step {
	uint8_t unit, cdb_len;
	uint8_t cdb[SCSI_CDB_LEN];
	uint32_t data_len;
	uint8_t pieces, fill;
} __attribute__((packed));

static uint8_t pages[3][SIZE_2M] __attribute__((aligned(SIZE_2M)));
static uint8_t tables[16][PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned n_pages, n_tables;
static uint8_t image[DISK_SIZE];
static uint8_t data[SCSI_MAX_TRANSFER + PAGE_SIZE + GUARD];
static unsigned done_calls;

static void *alloc(uint64_t count, uint64_t align)
{
	(void)align;
	FUZZ_CHECK(count == 1 ? n_tables < ARRAY_SIZE(tables) : n_pages < ARRAY_SIZE(pages));
	return count == 1 ? (void *)tables[n_tables++] : (void *)pages[n_pages++];
}

static void done(struct scsi_req *req)
{
	(void)req;
	done_calls++;
}

static void make(struct blk_ram *ram, uint32_t block, bool read_only, bool dvd, bool shared)
{
	struct blk_ram_params p = {
	        .size = DISK_SIZE,
	        .block_size = block,
	        .read_only = read_only,
	        .removable = dvd,
	        .image = read_only || shared ? image : NULL,
	        .shared = shared,
	        .alloc = alloc,
	};

	FUZZ_CHECK(blk_ram_attach(ram, &p) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	static struct blk_ram rams[5];
	static struct scsi_lun luns[5];
	static uint8_t buf[SCSI_BUF_LEN];
	struct step s;

	n_pages = n_tables = 0;
	memset(tables, 0, sizeof(tables));
	make(&rams[0], 512, false, false, false);
	make(&rams[1], 4096, false, false, false);
	make(&rams[2], 512, true, false, false);
	make(&rams[3], 2048, true, true, false);
	make(&rams[4], 512, false, false, true);
	for (unsigned i = 0; i < ARRAY_SIZE(luns); i++) {
		luns[i] = (struct scsi_lun){.blk = &rams[i].blk};
	}
	for (unsigned n = 0; n < 32 && size >= sizeof(s); n++) {
		struct io_seg segs[SCSI_MAX_TRANSFER / PAGE_SIZE + 1];
		struct scsi_req req = {
		        .segs = segs,
		        .max_segs = ARRAY_SIZE(segs),
		        .buf = buf,
		        .luns = 0x1f,
		        .done = done,
		};
		uint32_t at = 0;
		uint64_t errors = 0;

		memcpy(&s, input, sizeof(s));
		input += sizeof(s);
		size -= sizeof(s);
		req.cdb_len = s.cdb_len % (SCSI_CDB_LEN + 1);
		memcpy(req.cdb, s.cdb, req.cdb_len);
		req.data_len = s.data_len % (SCSI_MAX_TRANSFER + PAGE_SIZE);
		memset(data, s.fill, req.data_len < 8192 ? req.data_len : 8192);
		memset(data + req.data_len, 0x5c, GUARD);
		while (at < req.data_len) {
			uint32_t len =
			        req.n_segs < s.pieces % 60U ? 100U + s.pieces : req.data_len - at;

			len = len < req.data_len - at ? len : req.data_len - at;
			segs[req.n_segs++] = (struct io_seg){.hva = data + at, .len = len};
			at += len;
		}
		done_calls = 0;
		scsi_execute(s.unit % 6 == 5 ? NULL : &luns[s.unit % 6], &req);
		FUZZ_CHECK(done_calls == 1);
		FUZZ_CHECK(req.moved <= s.data_len % (SCSI_MAX_TRANSFER + PAGE_SIZE));
		FUZZ_CHECK(req.cost <= SCSI_MAX_ZERO);
		FUZZ_CHECK(req.status == SCSI_GOOD || req.moved == 0);
		FUZZ_CHECK(
		        (req.status == SCSI_CHECK_CONDITION) == (req.sense_len == SCSI_SENSE_LEN));
		FUZZ_CHECK(req.status != SCSI_TASK_SET_FULL);
		for (unsigned i = 0; i < GUARD; i++) {
			FUZZ_CHECK(data[s.data_len % (SCSI_MAX_TRANSFER + PAGE_SIZE) + i] == 0x5c);
		}
		/* What a back end refuses, its unit had to know. */
		for (unsigned i = 0; i < ARRAY_SIZE(rams); i++) {
			errors += rams[i].blk.stats.errors;
		}
		FUZZ_CHECK(errors == 0);
	}
	/* Shared and read-only ones never change their image. */
	for (unsigned i = 0; i < DISK_SIZE; i += 512) {
		FUZZ_CHECK(image[i] == 0);
	}
	return 0;
}
