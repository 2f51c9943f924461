/* SPDX-License-Identifier: BSD-2-Clause */
/* SCSI commands among themselves: how one ends, and where each is. Used by vmbus/scsi*.c only. */
#ifndef VMBUS_SCSI_CMD_H
#define VMBUS_SCSI_CMD_H

#include "vmbus/scsi.h"
#include "vmm/lib/be.h"

/* Sense key, additional sense code and qualifier. [SPC] "Sense data". */
#define SENSE(key, asc, ascq) ((uint32_t)(key) << 16 | (uint32_t)(asc) << 8 | (ascq))

enum scsi_sense {
	SENSE_NONE = SENSE(0x0, 0x00, 0x00),
	SENSE_STOPPED = SENSE(0x2, 0x04, 0x02),        /* not ready, START UNIT required */
	SENSE_TRAY_OPEN = SENSE(0x2, 0x3a, 0x02),      /* not ready, medium not present */
	SENSE_WRITE_ERROR = SENSE(0x3, 0x0c, 0x00),    /* medium error */
	SENSE_READ_ERROR = SENSE(0x3, 0x11, 0x00),     /* medium error, unrecovered */
	SENSE_TARGET_FAILURE = SENSE(0x4, 0x44, 0x00), /* hardware error */
	SENSE_LIST_LENGTH = SENSE(0x5, 0x1a, 0x00),    /* illegal request from here on */
	SENSE_INVALID_OPCODE = SENSE(0x5, 0x20, 0x00),
	SENSE_LBA_RANGE = SENSE(0x5, 0x21, 0x00),
	SENSE_INVALID_FIELD = SENSE(0x5, 0x24, 0x00), /* in the CDB */
	SENSE_NO_LUN = SENSE(0x5, 0x25, 0x00),
	SENSE_INVALID_LIST = SENSE(0x5, 0x26, 0x00), /* field in the parameter list */
	SENSE_NO_SAVING = SENSE(0x5, 0x39, 0x00),
	SENSE_REMOVAL_PREVENTED = SENSE(0x5, 0x53, 0x02),
	SENSE_MEDIUM_CHANGED = SENSE(0x6, 0x28, 0x00), /* unit attention */
	SENSE_WRITE_PROTECTED = SENSE(0x7, 0x27, 0x00),
	SENSE_NO_SPACE = SENSE(0x7, 0x27, 0x07), /* space allocation failed */
	SENSE_ABORTED = SENSE(0xb, 0x00, 0x00),
};

/* --- how a command ends --- */

void scsi_good(struct scsi_req *req);
void scsi_fail(struct scsi_req *req, enum scsi_sense sense);
/* The first len bytes of buf are the answer; the initiator takes at most alloc of them. */
void scsi_reply(struct scsi_req *req, uint32_t len, uint32_t alloc);
/* Sense data of fixed format into SCSI_SENSE_LEN bytes. */
void scsi_put_sense(uint8_t *to, enum scsi_sense sense);
/* Why the unit cannot reach its medium; SENSE_NONE = it can. */
enum scsi_sense scsi_not_ready(const struct scsi_lun *lun);

/* A unit of MMC, not of SBC. */
static inline bool scsi_is_dvd(const struct scsi_req *req)
{
	return req->lun->blk->removable;
}

/* Bytes of data that the initiator sent, at most len, into buf; how many. */
uint32_t scsi_fetch(struct scsi_req *req, uint32_t len);

/* --- the commands --- */

/* vmbus/scsi_inquiry.c */
void scsi_inquiry(struct scsi_req *req);
void scsi_inquiry_absent(struct scsi_req *req);
/* vmbus/scsi_mode.c */
void scsi_mode_sense_6(struct scsi_req *req);
void scsi_mode_sense_10(struct scsi_req *req);
/* vmbus/scsi_media.c */
void scsi_read_capacity_10(struct scsi_req *req);
void scsi_read_capacity_16(struct scsi_req *req);
void scsi_read(struct scsi_req *req);
void scsi_write(struct scsi_req *req);
void scsi_verify(struct scsi_req *req);
void scsi_sync_cache(struct scsi_req *req);
/* No check of the medium: for a unit that stops. */
void scsi_flush(struct scsi_req *req);
void scsi_write_same(struct scsi_req *req);
void scsi_unmap(struct scsi_req *req);
/* vmbus/scsi_dvd.c */
void scsi_read_toc(struct scsi_req *req);
void scsi_get_configuration(struct scsi_req *req);
void scsi_get_event_status(struct scsi_req *req);
void scsi_read_disc_info(struct scsi_req *req);
void scsi_read_track_info(struct scsi_req *req);
void scsi_prevent_allow(struct scsi_req *req);

#endif
