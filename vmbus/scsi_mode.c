// SPDX-License-Identifier: BSD-2-Clause
// MODE SENSE: the pages of settings, none of which can be changed.
// Specs: [SPC] "MODE SENSE(6) command", "Mode parameters"; [SBC] "Caching mode page"; [MMC] "MM
// Capabilities and Mechanical Status Page".
#include "vmbus/scsi_cmd.h"
#include "vmm/lib/string.h"

#define PAGE_ALL 0x3fU
#define SUBPAGE_ALL 0xffU

enum page_control { PC_CURRENT, PC_CHANGEABLE, PC_DEFAULT, PC_SAVED };

struct mode_page {
	uint8_t code;
	bool disk, dvd;
	uint8_t len; /* without the two bytes of header */
	uint8_t data[24];
};

static const struct mode_page pages[] = {
        /* Caching: WCE, so that initiators synchronize. */
        {.code = 0x08, .disk = true, .len = 0x12, .data = {0x04}},
        /* Control: unrestricted reordering; a busy timeout without limit. */
        {.code = 0x0a,
                .disk = true,
                .dvd = true,
                .len = 0x0a,
                .data = {0x00, 0x10, [6] = 0xff, 0xff}},
        /* Capabilities: reads CD-R, CD-RW and DVD-ROM, at 24 times a CD's speed; tray that locks
         * and opens. */
        {.code = 0x2a,
                .dvd = true,
                .len = 0x12,
                .data = {0x0b, 0x00, 0x70, 0x00, 0x29, 0x00, 0x10, 0x8a, [12] = 0x10, 0x8a}},
};

static uint32_t put_pages(const struct scsi_req *req, uint8_t *to)
{
	const unsigned code = req->cdb[2] & 0x3f, control = req->cdb[2] >> 6;
	uint32_t len = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		const struct mode_page *page = &pages[i];

		if ((code != page->code && code != PAGE_ALL) ||
		        !(scsi_is_dvd(req) ? page->dvd : page->disk)) {
			continue;
		}
		memset(to + len, 0, 2U + page->len);
		to[len] = page->code;
		to[len + 1] = page->len;
		if (control != PC_CHANGEABLE) {
			memcpy(to + len + 2, page->data, page->len);
		}
		len += 2U + page->len;
	}
	return len;
}

/* Number and length of blocks; more than fit are all ones. */
static uint32_t put_descriptor(const struct scsi_req *req, uint8_t *to)
{
	const struct blk *blk = req->lun->blk;
	uint64_t blocks = blk->size / blk->block_size;

	if (scsi_is_dvd(req) || (req->cdb[1] & 0x08)) { /* DBD */
		return 0;
	}
	put_be32(to, blocks > UINT32_MAX ? UINT32_MAX : (uint32_t)blocks);
	put_be32(to + 4, blk->block_size);
	return 8;
}

/* WP and DPOFUA, of a disk. */
static uint8_t device_specific(const struct scsi_req *req)
{
	return scsi_is_dvd(req) ? 0 : req->lun->blk->read_only ? 0x90 : 0x10;
}

/* Where the pages begin behind a header of so many bytes; 0 = it was answered with an error. */
static uint32_t put_body(struct scsi_req *req, uint32_t header, uint32_t *descriptor)
{
	uint32_t len;

	if (req->cdb[2] >> 6 == PC_SAVED) {
		scsi_fail(req, SENSE_NO_SAVING);
		return 0;
	}
	memset(req->buf, 0, header);
	*descriptor = put_descriptor(req, req->buf + header);
	len = put_pages(req, req->buf + header + *descriptor);
	if (len == 0 || (req->cdb[3] != 0 && req->cdb[3] != SUBPAGE_ALL)) {
		scsi_fail(req, SENSE_INVALID_FIELD);
		return 0;
	}
	return header + *descriptor + len;
}

void scsi_mode_sense_6(struct scsi_req *req)
{
	uint32_t descriptor, len = put_body(req, 4, &descriptor);

	if (len > 0) {
		req->buf[0] = (uint8_t)(len - 1);
		req->buf[2] = device_specific(req);
		req->buf[3] = (uint8_t)descriptor;
		scsi_reply(req, len, req->cdb[4]);
	}
}

void scsi_mode_sense_10(struct scsi_req *req)
{
	uint32_t descriptor, len = put_body(req, 8, &descriptor);

	if (len > 0) {
		put_be16(req->buf, len - 2);
		req->buf[3] = device_specific(req);
		put_be16(req->buf + 6, descriptor);
		scsi_reply(req, len, get_be16(req->cdb + 7));
	}
}
