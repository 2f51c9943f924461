/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SCSI logical units: a command block and guest memory in, a status, sense data and bytes out. The
 * medium is a back end (devices/backend/blk.h); who carries commands (vmbus/storvsp.h) does not
 * matter here. Disks (SBC) and DVD drives (MMC).
 *
 * Context: scsi_execute() from any CPU, for several commands of one unit at once; the caller's
 * locks may be held. done() is called exactly once: within scsi_execute(), or from where the back
 * end completes.
 * Specs: [SPC] "Commands for all device types", [SBC] "Direct access block device type", [MMC].
 */
#ifndef VMBUS_SCSI_H
#define VMBUS_SCSI_H

#include "devices/backend/blk.h"
#include "vmm/lib/types.h"

#define SCSI_CDB_LEN 16U
#define SCSI_SENSE_LEN 18U
#define SCSI_BUF_LEN 4096U             /* longest answer that is not the medium's; a block */
#define SCSI_MAX_TRANSFER (256U << 10) /* bytes of one read or write: block limits page */
#define SCSI_MAX_ZERO (16U << 20)      /* bytes of one UNMAP or WRITE SAME: some ms of work */
#define SCSI_MAX_LUNS 64U
/* A transfer that begins within a page touches one more; each may be a segment. */
#define SCSI_MAX_SEGS (SCSI_MAX_TRANSFER / PAGE_SIZE + 1U)

enum scsi_status {
	SCSI_GOOD = 0x00,
	SCSI_CHECK_CONDITION = 0x02,
	SCSI_TASK_SET_FULL = 0x28,
};

/* Where a unit is between commands. */
enum scsi_lun_state {
	SCSI_STOPPED = 1, /* by START STOP UNIT */
	SCSI_EJECTED = 2, /* a DVD drive's tray is open */
	SCSI_LOCKED = 4,  /* PREVENT ALLOW MEDIUM REMOVAL */
	SCSI_CHANGED = 8, /* unit attention: the medium may have changed */
};

struct scsi_lun {
	struct blk *blk; /* (c) */
	uint32_t state;  /* [a] bits of enum scsi_lun_state */
	struct {
		uint64_t commands, errors; /* [a] */
	} stats;
};

struct scsi_req {
	/* The requester's, filled in before scsi_execute(). */
	uint8_t cdb[SCSI_CDB_LEN]; /* zeroes behind cdb_len */
	uint8_t cdb_len;
	struct io_seg *segs; /* data in or out; shortened here to what is moved */
	unsigned n_segs;
	unsigned max_segs; /* room in segs: at least 1 */
	uint32_t data_len; /* bytes in segs together */
	uint8_t *buf;      /* SCSI_BUF_LEN bytes, private to the request while it runs */
	uint64_t luns;     /* those this target has, a bit each: for REPORT LUNS */
	void (*done)(struct scsi_req *req);

	/* The answer. */
	enum scsi_status status;
	bool no_lun;    /* there is no such unit; status is CHECK CONDITION */
	uint32_t moved; /* bytes */
	uint64_t cost;  /* bytes of work for the back end */
	uint8_t sense_len;
	uint8_t sense[SCSI_SENSE_LEN];

	/* While it runs (vmbus/scsi_media.c). */
	struct scsi_lun *lun;
	struct blk_req blk;
	bool (*next)(struct scsi_req *req); /* sets up blk for the next step; false = all done */
	uint32_t step;                      /* steps taken */
	uint32_t turn;                      /* [a] who goes on: submit's caller, or done() */
	enum blk_status step_status;
	union {
		struct {
			bool flush; /* FUA: a flush follows */
		} rw;
		struct {
			uint64_t at, end; /* bytes */
			uint32_t unit;    /* bytes of one step */
		} same;
		struct {
			unsigned n; /* descriptors in buf */
		} unmap;
	};
};

/* Can a unit be made of it? What an initiator sends lies anywhere in its memory and is handed on as
 * it is, and whole: nothing is copied or cut here. */
bool scsi_blk_fits(const struct blk *blk);
/* Power-on state. */
void scsi_lun_reset(struct scsi_lun *lun);
/* lun NULL = the address has no unit: an answer that every initiator understands as that. */
void scsi_execute(struct scsi_lun *lun, struct scsi_req *req);

#endif
