/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The synthetic SCSI controller of a VM: the storage protocol over a VMBus channel and as many
 * sub-channels as it has other vCPUs, up to a limit. Its units are at path 0, target 0.
 *
 * And the accelerator of an IDE disk: the same protocol over one channel for the one disk, which
 * the IDE controller (devices/ide.h) serves, too. They share its back end and nothing else. A guest
 * that uses both at once gets what it asked for: each one's reset and closing cancel what the other
 * one has at the back end.
 *
 * A guest waits for ever for a completion, so each request that is taken is completed exactly once,
 * unless its channel is closed first. No more are taken than there are slots, and none while a
 * completion waits for room in the ring.
 *
 * Context: as vmbus/channel.h says; its lock is the "device" one, a leaf but for channel_kick().
 */
#ifndef VMBUS_STORVSP_H
#define VMBUS_STORVSP_H

#include "vmbus/channel.h"
#include "vmbus/scsi.h"
#include "vmbus/vstor.h"
#include "vmm/lib/limits.h"

struct vm;

#define STORVSP_SLOTS 32U
#define STORVSP_MAX_SUB 7U
#define STORVSP_MAX_SEGS SCSI_MAX_SEGS
#define STORVSP_PACKET_MAX 2048U

struct storvsp_channel;

/* One request of the guest, from its packet to its completion. */
struct storvsp_slot {
	struct storvsp_slot *next; /* [lock] free, or finished and not sent */
	struct storvsp_channel *sc;
	uint64_t trans_id;
	struct vstor_packet packet; /* as it came; then what is sent */
	struct scsi_req scsi;
	struct io_seg segs[STORVSP_MAX_SEGS];
	uint8_t buf[SCSI_BUF_LEN];
};

struct storvsp_channel {
	struct vmbus_channel ch;
	struct storvsp *s;             /* (c) */
	bool working;                  /* [lock] work() looks at 'finished' before it returns */
	bool starved;                  /* [lock] it found no free slot */
	unsigned executing;            /* [lock] requests of this channel that units have */
	struct storvsp_slot *finished; /* [lock] completions to be sent, in order */
	struct storvsp_slot **last;    /* [lock] where the next one goes */
	struct storvsp_slot *barrier;  /* [lock] a reset that waits for 'executing' */
	uint8_t packet[STORVSP_PACKET_MAX];
};

/* What the guest has said on the primary channel. */
enum storvsp_state {
	STORVSP_CLOSED,
	STORVSP_OPEN,
	STORVSP_BEGUN,
	STORVSP_VERSION, /* agreed upon */
	STORVSP_READY,
};

struct storvsp {
	struct vm *vm;  /* (c) */
	bool ide;       /* (c) an IDE disk's accelerator: whatever the path, it means this disk */
	uint8_t target; /* (c) of its units */
	struct spinlock lock;
	uint32_t state;    /* [a] enum storvsp_state, set by the primary channel */
	uint16_t version;  /* of the protocol, [primary's lock] */
	uint32_t max_sub;  /* (c) */
	uint32_t n_luns;   /* (c) those configured */
	uint32_t present;  /* [a] those plugged in, a bit each */
	uint32_t announce; /* [a] the guest is to be told that units came or went */
	struct scsi_lun luns[MAX_DISKS];
	struct storvsp_slot *free; /* [lock] */
	struct {
		uint64_t requests, refused, ignored, announced; /* [a] */
	} stats;
	struct storvsp_channel channels[1 + STORVSP_MAX_SUB]; /* primary first */
	struct storvsp_slot slots[STORVSP_SLOTS];
};

/* In zeroed memory. n_vcpus bounds the sub-channels; units are plugged in. */
void storvsp_init(struct storvsp *s, struct vm *vm, struct blk *const *blks, uint32_t n_blks);
/* The same for the accelerator of an IDE disk. channel, drive: 0 or 1. */
void storvsp_init_ide(
        struct storvsp *s, struct vm *vm, struct blk *blk, uint8_t channel, uint8_t drive);
/* Put it on the bus. -EINVAL: a back end that does not fit (scsi_blk_fits()). */
__must_check int storvsp_attach(struct storvsp *s, struct vmbus *bus);

/*
 * Plug a unit in or take it out; the guest is told. 0, -ENOENT: there is no such unit, -EEXIST:
 * it is so already. Commands that the unit has still end as they may. Any CPU, no lock held.
 */
__must_check int storvsp_plug(struct storvsp *s, uint32_t lun, bool in);

#endif
