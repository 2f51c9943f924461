/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's end of the VMBus, for attacks on it: it speaks the protocol well enough for every
 * device to work, and trusts nothing that it reads back, as another vCPU may have written it.
 *
 * All that the host may write is in bus_memory: page numbers that an attack makes up lie there, or
 * where there is no RAM, so that the program outlives what it asks for.
 */
#ifndef GUEST_TEST_BUS_BUS_H
#define GUEST_TEST_BUS_BUS_H

#include "guest-test/attack/attack.h"
#include "hypercall/tlfs.h"
#include "vmbus/proto.h"

#define BUS_CHANNELS 12U
#define BUS_RING_PAGES 4U /* each way, with the header */
#define BUS_RING_SIZE ((BUS_RING_PAGES - 1) * 4096U)
#define BUS_RECV_PAGES 48U
#define BUS_SEND_PAGES 12U
#define BUS_DATA_PAGES 16U

enum bus_kind { BUS_NONE, BUS_SCSI, BUS_NIC, BUS_SERVICE };

struct bus_channel {
	enum bus_kind kind; /* BUS_NONE = not offered */
	uint32_t relid;
	bool is_sub, is_open;
	uint32_t gpadl;
	uint32_t write, read; /* our indexes; what the ring says may be another vCPU's */
};

struct bus_ring {
	volatile uint32_t write, read, mask, pending;
	uint32_t reserved[12];
	volatile uint32_t features;
	uint8_t rest[4096 - 68];
	volatile uint8_t data[BUS_RING_SIZE];
};
_Static_assert(sizeof(struct bus_ring) == BUS_RING_PAGES * 4096, "a ring and its header");

struct bus_memory {
	struct bus_ring rings[BUS_CHANNELS][2]; /* out, in */
	volatile uint8_t recv[BUS_RECV_PAGES * 4096];
	volatile uint8_t send[BUS_SEND_PAGES * 4096];
	volatile uint8_t data[BUS_DATA_PAGES * 4096];
	struct hv_message messages[MAX_CPUS][16];
	uint8_t events[MAX_CPUS][4096];
	uint64_t interrupts[512];
	volatile uint8_t input[MAX_CPUS][4096]; /* of hypercalls */
	uint8_t code[4096];                     /* the hypercall page */
};

extern struct bus_memory bus_memory;
extern struct bus_channel bus_channels[BUS_CHANNELS];
extern struct bus_counts {
	uint64_t connections, openings, sent, received, completions;
} bus_counts;

/* A page of bus_memory that is the host's to write, or of nobody, as a page number. */
uint64_t bus_pfn(uint64_t random);

/* --- calls, from any vCPU: 'cpu' has its own pages --- */

void bus_synic_on(unsigned cpu);
uint64_t bus_call(uint64_t control, uint64_t input, uint64_t output);
/* Status of the call. */
uint32_t bus_post(unsigned cpu, const void *message, uint32_t size);
void bus_signal(uint32_t relid);

/* --- the conversation: vCPU 0 --- */

/* From nothing to a list of channels; false = the host did not answer (or was not heard). */
bool bus_connect(uint32_t version);
/* Take what the host has posted. */
void bus_listen(void);
/* A GPADL of n pages from 'at' on; its number. */
uint32_t bus_lend(struct bus_channel *ch, const volatile void *at, uint32_t n_pages);
void bus_take_back(struct bus_channel *ch, uint32_t gpadl);
void bus_open(struct bus_channel *ch);
void bus_close(struct bus_channel *ch);
void bus_unload(void);

/* --- packets --- */

struct bus_desc {
	uint16_t type, data_offset, len, flags;
	uint64_t id;
};
#define BUS_INBAND 6U
#define BUS_XFER_PAGES 7U
#define BUS_GPA_DIRECT 9U
#define BUS_COMPLETION 11U

/* Descriptor, list (a multiple of 8 bytes) and payload; false = there is no room. */
bool bus_write(struct bus_channel *ch, const struct bus_desc *desc, const void *list,
        uint32_t list_len, const void *payload, uint32_t len);
/* The next one, its first max bytes; how many of them there are, 0 = none. */
uint32_t bus_read(struct bus_channel *ch, struct bus_desc *desc, uint8_t *buf, uint32_t max);

/* --- traffic.c: what a driver does --- */

void bus_begin(struct bus_channel *ch);
void bus_ask(struct bus_channel *ch);
void bus_answer(struct bus_channel *ch);

#endif
