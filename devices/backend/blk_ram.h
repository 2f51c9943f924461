/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk in memory: empty, or a file of the boot volume. Its contents live as long as Candela runs,
 * through resets, kills and new starts of the VM.
 *
 * Memory: an image that nobody else uses is written where it lies and costs nothing more. An empty
 * disk costs its size. A disk that writes to a shared image costs the image's size once more: that
 * is set aside when the disk is made, so that no write can fail later, and a page of the image is
 * copied there when it is written first. All in pieces of 2 MiB.
 */
#ifndef DEVICES_BACKEND_BLK_RAM_H
#define DEVICES_BACKEND_BLK_RAM_H

#include "devices/backend/blk.h"
#include "vmm/lib/spinlock.h"

struct blk_ram {
	struct blk blk; /* give &ram->blk to the device */
	/* (c) 2 MiB each, the last one perhaps only in part; NULL = the image is never written */
	uint8_t **pieces;
	const uint8_t *image; /* (c) NULL = none */
	/* Copied pages, a bit each. NULL = pieces hold everything (or the image does). */
	uint64_t *copied;     /* [a], set under lock */
	struct spinlock lock; /* copying of a page; a leaf */
	uint64_t n_copied;    /* [lock], read anywhere */
};

/* What a disk shall be; struct blk says more of the fields they share. */
struct blk_ram_params {
	uint64_t size; /* bytes, a multiple of the block size */
	uint32_t block_size;
	bool read_only;
	bool removable;
	uint8_t *image; /* size bytes, or NULL: zeroes */
	bool shared;    /* somebody else reads the image: never write to it */
	uint8_t id[BLK_ID_LEN];
	/* Zeroed pages, so aligned; NULL = there are none. Boot only: nothing is given back. */
	void *(*alloc)(uint64_t pages, uint64_t align);
};

/* -ENOMEM when the memory is not there. */
__must_check int blk_ram_attach(struct blk_ram *ram, const struct blk_ram_params *params);

#endif
