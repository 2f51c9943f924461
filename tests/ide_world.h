/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IDE controller on a fake VM, over backends that answer at once, later, or not as one would
 * like. Both channels are at their PC places; what a driver does is below as functions.
 */
#ifndef TESTS_IDE_WORLD_H
#define TESTS_IDE_WORLD_H

#include "devices/piix4_ide.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/err.h"
#include <string.h>

#define W_MEM (8U << 20)
#define W_CMD 0x1f0U
#define W_CTL 0x3f6U
#define W_CMD2 0x170U
#define W_CTL2 0x376U
#define W_BM 0xffa0U
#define W_GSI 14U
#define W_GSI2 15U

#define W_DISK_BYTES (4U << 20)
#define W_CD_BYTES (1U << 20)

/* Where the tests keep things in guest memory. */
#define W_TABLE 0x20000U
#define W_DATA 0x100000U

struct fake_blk {
	struct blk blk;
	uint8_t *data;
	bool defer;             /* keep the request until blk_finish() */
	bool stubborn;          /* cancel does not end it, drain does at the third call */
	unsigned refuse;        /* so many submits find the queue full */
	enum blk_status status; /* what requests end with */
	uint64_t bad;           /* if not 0: requests with this byte fail with 'status' */
	struct blk_req *held;
	unsigned submits, cancels, drains, flushes, max_segs_seen;
};

static struct vm *vm;
static struct pci_bus w_bus;
static struct piix4_ide w_ide;
static struct fake_blk w_disk, w_slave, w_cd;
static uint8_t w_disk_data[W_DISK_BYTES], w_slave_data[W_DISK_BYTES], w_cd_data[W_CD_BYTES];

static inline void blk_execute(struct fake_blk *f, struct blk_req *req)
{
	bool hit = !f->bad || (req->offset <= f->bad && f->bad < req->offset + req->len);
	enum blk_status status = hit ? f->status : BLK_OK;
	uint64_t at = req->offset, len = 0;

	f->held = NULL;
	if (req->op == BLK_FLUSH) {
		f->flushes++;
		req->done(req, status);
		return;
	}
	ck_assert(req->op == BLK_READ || req->op == BLK_WRITE);
	ck_assert(req->offset % f->blk.block_size == 0 && req->len % f->blk.block_size == 0);
	ck_assert(req->len > 0 && req->len <= f->blk.max_len);
	ck_assert(req->n_segs > 0 && req->n_segs <= f->blk.max_segs);
	ck_assert(req->offset + req->len <= f->blk.size);
	for (unsigned i = 0; i < req->n_segs; i++) {
		const struct io_seg *seg = &req->segs[i];

		ck_assert(is_aligned((uintptr_t)seg->hva | seg->len, f->blk.seg_align));
		ck_assert_uint_gt(seg->len, 0);
		if (status == BLK_OK && req->op == BLK_READ) {
			memcpy(seg->hva, f->data + at, seg->len);
		} else if (status == BLK_OK) {
			memcpy(f->data + at, seg->hva, seg->len);
		}
		at += seg->len;
		len += seg->len;
	}
	ck_assert_uint_eq(len, req->len);
	if (req->n_segs > f->max_segs_seen) {
		f->max_segs_seen = req->n_segs;
	}
	req->done(req, status);
}

static inline int blk_submit(struct blk *blk, struct blk_req *req)
{
	struct fake_blk *f = container_of(blk, struct fake_blk, blk);

	ck_assert_ptr_null(f->held);
	if (f->refuse) {
		f->refuse--;
		return -EAGAIN;
	}
	f->submits++;
	f->held = req;
	if (!f->defer) {
		blk_execute(f, req);
	}
	return 0;
}

static inline void blk_finish(struct fake_blk *f)
{
	ck_assert_ptr_nonnull(f->held);
	blk_execute(f, f->held);
}

static inline void blk_cancel(struct blk *blk)
{
	struct fake_blk *f = container_of(blk, struct fake_blk, blk);
	struct blk_req *req = f->held;

	f->cancels++;
	if (req && !f->stubborn) {
		f->held = NULL;
		req->done(req, BLK_CANCELLED);
	}
}

static inline bool blk_drain(struct blk *blk)
{
	struct fake_blk *f = container_of(blk, struct fake_blk, blk);

	f->drains++;
	if (f->held && f->drains % 3 == 0) {
		blk_execute(f, f->held);
	}
	return !f->held;
}

static const struct blk_ops fake_blk_ops = {
        .submit = blk_submit, .cancel = blk_cancel, .drain = blk_drain};

static inline struct fake_blk blk_make(uint8_t *data, uint64_t size, bool cd)
{
	for (uint64_t i = 0; i < size; i++) {
		data[i] = (uint8_t)(i * 7 + (i >> 9) * 13 + (i >> 17) + (cd ? 3 : 0));
	}
	return (struct fake_blk){
	        .blk =
	                {
	                        .ops = &fake_blk_ops,
	                        .kind = "fake",
	                        .size = size,
	                        .block_size = cd ? 2048 : 512,
	                        .max_segs = 64,
	                        .max_len = 1 << 20,
	                        .seg_align = 1,
	                        .read_only = cd,
	                        .removable = cd,
	                        .id = {0x12, 0x34, 0xab, 0xcd, 0xef, 0x55, 0x66, 0x77, 0x88},
	                },
	        .data = data,
	};
}

static const struct piix4_ide_map w_map = {
        .channels = {{W_CMD, W_CTL, W_GSI}, {W_CMD2, W_CTL2, W_GSI2}},
        .bm = W_BM,
};

/* Disk, disk; CD-ROM. */
static inline void w_make(bool slave, bool cd)
{
	fake_clock_set(0);
	vm = fake_vm(W_MEM, 1);
	memset(&w_ide, 0, sizeof(w_ide));
	pci_bus_init(&w_bus, vm);
	piix4_ide_init(&w_ide);
	w_disk = blk_make(w_disk_data, W_DISK_BYTES, false);
	w_slave = blk_make(w_slave_data, W_DISK_BYTES, false);
	w_cd = blk_make(w_cd_data, W_CD_BYTES, true);
	ck_assert_int_eq(ide_channel_add(&w_ide.channels[0], 0, &w_disk.blk), 0);
	if (slave) {
		ck_assert_int_eq(ide_channel_add(&w_ide.channels[0], 1, &w_slave.blk), 0);
	}
	if (cd) {
		ck_assert_int_eq(ide_channel_add(&w_ide.channels[1], 0, &w_cd.blk), 0);
	}
	ck_assert_int_eq(piix4_ide_attach(&w_ide, vm, &w_bus, 7, &w_map), 0);
	pci_bus_reset(&w_bus);
	piix4_ide_reset(&w_ide);
}

static inline uint32_t w_in(unsigned port, unsigned width)
{
	return (uint32_t)io_bus_read(&vm->pio, port, width);
}

static inline void w_out(unsigned port, unsigned width, uint32_t value)
{
	io_bus_write(&vm->pio, port, width, value);
}

/* --- what a driver does; cmd: the command block --- */

static inline unsigned w_ctl_of(unsigned cmd)
{
	return cmd + 0x206;
}

static inline uint8_t w_reg(unsigned cmd, unsigned reg)
{
	return (uint8_t)w_in(cmd + reg, 1);
}

static inline uint8_t w_alt(unsigned cmd)
{
	return (uint8_t)w_in(w_ctl_of(cmd), 1);
}

static inline bool w_line(unsigned gsi)
{
	return vm->irq.lines[gsi].levels != 0;
}

static inline bool w_intrq(unsigned cmd)
{
	return w_line(cmd == W_CMD ? W_GSI : W_GSI2);
}

/* One register each: features, count, LBA low, mid, high, device, command. */
static inline void w_command(unsigned cmd, uint8_t command, uint8_t features, uint8_t nsect,
        uint32_t lba, uint8_t device)
{
	w_out(cmd + 6, 1, device);
	w_out(cmd + 1, 1, features);
	w_out(cmd + 2, 1, nsect);
	for (unsigned i = 0; i < 3; i++) {
		w_out(cmd + 3 + i, 1, lba >> (8 * i) & 0xff);
	}
	w_out(cmd + 7, 1, command);
}

static inline void w_lba28(uint8_t command, uint8_t nsect, uint32_t lba)
{
	w_command(W_CMD, command, 0, nsect, lba, (uint8_t)(0xe0 | lba >> 24));
}

static inline void w_lba48(uint8_t command, uint16_t nsect, uint64_t lba)
{
	w_out(W_CMD + 6, 1, 0xe0);
	w_out(W_CMD + 2, 1, nsect >> 8);
	w_out(W_CMD + 2, 1, nsect & 0xff);
	for (unsigned i = 0; i < 3; i++) {
		w_out(W_CMD + 3 + i, 1, (uint32_t)(lba >> (24 + 8 * i)) & 0xff);
		w_out(W_CMD + 3 + i, 1, (uint32_t)(lba >> (8 * i)) & 0xff);
	}
	w_out(W_CMD + 7, 1, command);
}

static inline void w_read_data(unsigned cmd, void *buf, unsigned len)
{
	for (unsigned i = 0; i < len; i += 2) {
		uint16_t v = (uint16_t)w_in(cmd, 2);

		memcpy((uint8_t *)buf + i, &v, 2);
	}
}

static inline void w_write_data(unsigned cmd, const void *buf, unsigned len)
{
	for (unsigned i = 0; i < len; i += 2) {
		uint16_t v;

		memcpy(&v, (const uint8_t *)buf + i, 2);
		w_out(cmd, 2, v);
	}
}

#define W_GOOD (IDE_ST_DRDY | IDE_ST_DSC)
#define W_DRQ (W_GOOD | IDE_ST_DRQ)
#define W_ERR (W_GOOD | IDE_ST_ERR)

/* An interrupt is there, and the status it tells; reading it ends the interrupt. */
static inline void w_expect(unsigned cmd, uint8_t status)
{
	ck_assert_msg(w_intrq(cmd), "no interrupt, status %#x error %#x", w_alt(cmd),
	        w_reg(cmd, IDE_FEATURES));
	ck_assert_msg(w_alt(cmd) == status, "status %#x (error %#x), want %#x", w_alt(cmd),
	        w_reg(cmd, IDE_FEATURES), status);
	ck_assert_uint_eq(w_reg(cmd, IDE_STATUS), status);
	ck_assert(!w_intrq(cmd));
}

static inline void w_expect_error(unsigned cmd, uint8_t error)
{
	w_expect(cmd, W_ERR);
	ck_assert_uint_eq(w_reg(cmd, IDE_FEATURES), error);
}

/* --- bus master --- */

static inline unsigned w_bm_of(unsigned cmd)
{
	return cmd == W_CMD ? W_BM : W_BM + 8;
}

static inline void w_prd(unsigned i, uint32_t base, uint32_t count, bool last)
{
	uint32_t entry[2] = {base, (count & 0xffff) | (last ? 0x80000000U : 0)};

	ck_assert_int_eq(gmem_write(&vm->mem, gpa(W_TABLE + 8 * i), entry, sizeof(entry)), 0);
}

static inline void w_bm_start(unsigned cmd, bool to_guest)
{
	w_out(w_bm_of(cmd) + 4, 4, W_TABLE);
	w_out(w_bm_of(cmd) + 2, 1, 6);
	w_out(w_bm_of(cmd), 1, to_guest ? 8 : 0);
	w_out(w_bm_of(cmd), 1, to_guest ? 9 : 1);
}

static inline uint8_t w_bm_status(unsigned cmd)
{
	return (uint8_t)w_in(w_bm_of(cmd) + 2, 1);
}

static inline void w_mem_write(uint64_t at, const void *p, size_t n)
{
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(at), p, n), 0);
}

static inline void w_mem_read(uint64_t at, void *p, size_t n)
{
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), p, n), 0);
}

static inline bool w_mem_is(uint64_t at, const void *p, size_t n)
{
	static uint8_t copy[W_MEM];

	w_mem_read(at, copy, n);
	return memcmp(copy, p, n) == 0;
}

#endif
