/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk's contents: what stands behind an emulated or a synthetic disk. blk_ram.c keeps them in
 * memory; a driver of real hardware fits the same interface and finishes later.
 *
 * Context: submit, cancel and drain from any CPU, the caller's device lock may be held; done() is
 * called once for every request that submit accepted: within submit, from another CPU's deferred
 * work, or within cancel and drain. It may submit the next one.
 */
#ifndef DEVICES_BACKEND_BLK_H
#define DEVICES_BACKEND_BLK_H

#include "devices/backend/io_seg.h"
#include "vmm/lib/out.h"
#include "vmm/lib/types.h"

enum blk_op {
	BLK_READ,
	BLK_WRITE,
	BLK_FLUSH,   /* what was written before is durable after */
	BLK_DISCARD, /* contents need not be kept; reads then give zeroes */
	BLK_WRITE_ZERO,
};

enum blk_status {
	BLK_OK,
	BLK_READ_ONLY,
	BLK_OUT_OF_RANGE,
	BLK_NO_SPACE, /* thinly provisioned and full */
	BLK_IO_ERROR,
	BLK_CANCELLED,
};

struct blk_req {
	enum blk_op op;
	uint64_t offset;           /* bytes, a multiple of the block size */
	uint64_t len;              /* bytes, likewise; for reads and writes the sum of segs */
	const struct io_seg *segs; /* valid until done() */
	unsigned n_segs;
	void (*done)(struct blk_req *req, enum blk_status status);
	void *arg;            /* the requester's */
	struct blk_req *next; /* the back end's, while it has it */
};

#define BLK_ID_LEN 16U

struct blk;

struct blk_ops {
	/* 0 = accepted, done() follows exactly once; -EAGAIN: its queue is full, nothing happened;
	 * ready() of the blk's user is called when there is room. */
	int (*submit)(struct blk *blk, struct blk_req *req);
	/* What is waiting ends with BLK_CANCELLED, whoever asked for it: an IDE disk and its
	 * accelerator (vmbus/storvsp.h) have one back end. What is on its way to the hardware goes
	 * on. */
	void (*cancel)(struct blk *blk);
	/* true = nothing is in flight any more. Bounded; ask again. */
	bool (*drain)(struct blk *blk);
	void (*dump)(const struct blk *blk, struct out *out);
};

/* Facts are constant while a disk is attached. */
struct blk {
	const struct blk_ops *ops;
	const char *kind;    /* "ram" */
	uint64_t size;       /* bytes, a multiple of block_size */
	uint32_t block_size; /* 512, 2048 (CD-ROM) or 4096: what the guest is told */
	uint32_t max_segs;   /* of one request */
	uint32_t max_len;    /* bytes of one request */
	uint32_t seg_align;  /* address and length of each segment */
	bool read_only;
	bool removable;         /* a CD-ROM image */
	uint8_t id[BLK_ID_LEN]; /* stable identity: by the VM's name and the disk's number */
	/* The user's, see submit; NULL = it does not wait, its guest asks again. */
	void (*ready)(void *arg);
	void *ready_arg;
	struct {
		uint64_t reads, writes, flushes, discards, bytes_read, bytes_written, errors;
	} stats;
};

/* The identity of a VM's disk: the same in every run, different for every VM and number. */
void blk_make_id(uint8_t id[BLK_ID_LEN], const char *vm_name, uint32_t number);

#endif
