// SPDX-License-Identifier: BSD-2-Clause
// INQUIRY: what a SCSI unit is, who it is, and what its limits are.
// Specs: [SPC] "INQUIRY command", "Vital product data parameters"; [SBC] "Block limits VPD page".
//
// Vendor and OUI are those of a Hyper-V disk: Linux 6.1's storvsc lets UNMAP and WRITE SAME through
// only for the vendor, and names in /dev/disk/by-id look as on Hyper-V.
#include "vmbus/scsi_cmd.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"

#define TYPE_DISK 0x00U
#define TYPE_DVD 0x05U
#define TYPE_ABSENT 0x7fU /* qualifier 3, type 0x1f: the target has no such unit */
#define VERSION_SPC3 0x05U
#define STANDARD_LEN 36U
#define VENDOR "Msft    "

/* NAA 6, the OUI 00-22-48, then 25 hexadecimal digits of our own, of which the first is 0. */
#define NAA_PREFIX 0x60022480U
#define NAA_LEN 16U
#define SERIAL_BYTES (NAA_LEN - 4U)
#define SERIAL_LEN (2U * SERIAL_BYTES)

#define UNMAP_DESCRIPTORS 255U

static void put_standard(uint8_t *buf, uint8_t type)
{
	memset(buf, 0, STANDARD_LEN);
	buf[0] = type;
	buf[2] = VERSION_SPC3;
	buf[3] = 0x02; /* response data format */
	buf[4] = STANDARD_LEN - 5;
}

void scsi_inquiry_absent(struct scsi_req *req)
{
	put_standard(req->buf, TYPE_ABSENT);
	scsi_reply(req, STANDARD_LEN, get_be16(req->cdb + 3));
}

static void standard(struct scsi_req *req)
{
	uint8_t *buf = req->buf;

	put_standard(buf, scsi_is_dvd(req) ? TYPE_DVD : TYPE_DISK);
	buf[1] = scsi_is_dvd(req) ? 0x80 : 0; /* RMB */
	buf[7] = 0x02;                        /* CMDQUE */
	memcpy(buf + 8, VENDOR, 8);
	memcpy(buf + 16, scsi_is_dvd(req) ? "Virtual DVD-ROM " : "Virtual Disk    ", 16);
	memcpy(buf + 32, "1.0 ", 4);
	scsi_reply(req, STANDARD_LEN, get_be16(req->cdb + 3));
}

static void put_serial(uint8_t *to, const struct blk *blk)
{
	char digits[3];

	for (unsigned i = 0; i < SERIAL_BYTES; i++) {
		fmt_print(digits, sizeof(digits), "%02x", blk->id[i]);
		memcpy(to + 2 * (size_t)i, digits, 2);
	}
}

/* --- vital product data: each fills in what follows its four bytes of header --- */

static uint32_t page_serial(const struct blk *blk, uint8_t *p)
{
	put_serial(p, blk);
	return SERIAL_LEN;
}

static uint32_t page_designators(const struct blk *blk, uint8_t *p)
{
	uint32_t len = 4 + 8 + SERIAL_LEN;

	p[0] = 0x02; /* ASCII */
	p[1] = 0x01; /* of the unit, by T10 vendor */
	p[3] = 8 + SERIAL_LEN;
	memcpy(p + 4, VENDOR, 8);
	put_serial(p + 12, blk);
	p += len;
	p[0] = 0x01; /* binary */
	p[1] = 0x03; /* of the unit, NAA */
	p[3] = NAA_LEN;
	put_be32(p + 4, NAA_PREFIX);
	memcpy(p + 8, blk->id, SERIAL_BYTES);
	return len + 4 + NAA_LEN;
}

/* Offsets of fields are those of the page in the standard, less its header. */
static uint32_t page_limits(const struct blk *blk, uint8_t *p)
{
	const uint32_t blocks_of_page = (uint32_t)(PAGE_SIZE / blk->block_size);

	p[4 - 4] = 0x01; /* WSNZ: WRITE SAME wants a number of blocks */
	put_be16(p + 6 - 4, blocks_of_page);
	put_be32(p + 8 - 4, SCSI_MAX_TRANSFER / blk->block_size);
	put_be32(p + 12 - 4,
	        SCSI_MAX_TRANSFER / blk->block_size); /* best is as much as there may be */
	if (!blk->read_only) {
		put_be32(p + 20 - 4, SCSI_MAX_ZERO / blk->block_size);
		put_be32(p + 24 - 4, UNMAP_DESCRIPTORS);
		put_be32(p + 28 - 4, blocks_of_page);
		put_be32(p + 32 - 4, 0x80000000U); /* alignment of the above: 0, valid */
		put_be64(p + 36 - 4, SCSI_MAX_ZERO / blk->block_size);
	}
	return 0x3c;
}

static uint32_t page_characteristics(const struct blk *blk, uint8_t *p)
{
	(void)blk;
	put_be16(p, 1); /* no rotation */
	return 0x3c;
}

static uint32_t page_provisioning(const struct blk *blk, uint8_t *p)
{
	/* LBPU, LBPWS, LBPWS10, LBPRZ: by UNMAP and both WRITE SAME, and reads zeroes. */
	p[1] = blk->read_only ? 0 : 0xe4;
	p[2] = blk->read_only ? 0x01 : 0x02; /* fully, or thinly provisioned */
	return 4;
}

static uint32_t page_list(const struct blk *blk, uint8_t *p);

static const struct page {
	uint8_t code;
	bool disk_only;
	uint32_t (*put)(const struct blk *blk, uint8_t *p);
} pages[] = {
        {.code = 0x00, .put = page_list},
        {.code = 0x80, .put = page_serial},
        {.code = 0x83, .put = page_designators},
        {.code = 0xb0, .disk_only = true, .put = page_limits},
        {.code = 0xb1, .disk_only = true, .put = page_characteristics},
        {.code = 0xb2, .disk_only = true, .put = page_provisioning},
};

static uint32_t page_list(const struct blk *blk, uint8_t *p)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		if (!pages[i].disk_only || !blk->removable) {
			p[n++] = pages[i].code;
		}
	}
	return n;
}

static void vital_product_data(struct scsi_req *req)
{
	const struct blk *blk = req->lun->blk;

	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		const struct page *page = &pages[i];
		uint32_t len;

		if (page->code != req->cdb[2] || (page->disk_only && blk->removable)) {
			continue;
		}
		memset(req->buf, 0, 256);
		len = page->put(blk, req->buf + 4);
		req->buf[0] = scsi_is_dvd(req) ? TYPE_DVD : TYPE_DISK;
		req->buf[1] = page->code;
		put_be16(req->buf + 2, len);
		scsi_reply(req, 4 + len, get_be16(req->cdb + 3));
		return;
	}
	scsi_fail(req, SENSE_INVALID_FIELD);
}

void scsi_inquiry(struct scsi_req *req)
{
	if (req->cdb[1] & 0x01) { /* EVPD */
		vital_product_data(req);
	} else if (req->cdb[2] != 0 || (req->cdb[1] & 0x02)) { /* CMDDT is obsolete */
		scsi_fail(req, SENSE_INVALID_FIELD);
	} else {
		standard(req);
	}
}
