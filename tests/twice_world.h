/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM with a disk, a network adapter and the services, whose memory is watched: which bytes the
 * host may touch and how often, the words of its drivers, and all that the world hears of the host.
 */
#ifndef TESTS_TWICE_WORLD_H
#define TESTS_TWICE_WORLD_H

#include "devices/backend/blk_ram.h"
#include "devices/backend/net_switch.h"
#include "tests/fake/watched.h"
#include "tests/vmbus_vm.h"
#include "vmbus/guest_services.h"
#include "vmbus/netvsp.h"
#include "vmbus/nvsp_wire.h"
#include "vmbus/storvsp.h"

#define DISK_LEN (1U << 20)
#define RECV_AT VMBUS_VM_BUFFERS
#define RECV_PAGES 128U
#define SEND_AT (RECV_AT + 0x100000)
#define SEND_PAGES 24U
#define DATA_AT (SEND_AT + 0x40000)
#define DATA_PAGES 16U
#define SLOT 0x4000U
#define CONTROL_SECTION 15U
#define WATCH_FROM VMBUS_VM_RINGS
#define WATCH_TO (DATA_AT + DATA_PAGES * PAGE_SIZE)
#define GPADL_RECV 0x111U
#define GPADL_SEND 0x222U

enum { SCSI = 1, NIC = 2, FIRST_SERVICE = 3, CHANNELS = 8 };

static struct storvsp sp;
static struct netvsp nic;
static struct guest_services services;
static struct blk_ram disk;
static struct net_port peer;
static struct bus_rings rings[CHANNELS + 1];
static uint64_t seed;

/* What the world saw of the host: every packet, and what it received. */
static struct {
	uint8_t bytes[4 << 20];
	uint32_t len;
} said, said_before;

static inline uint64_t rnd(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (seed * 0x2545f4914f6cdd1dULL) >> 11;
}

static inline void note(const void *bytes, uint32_t len)
{
	ck_assert_uint_le(said.len + len, sizeof(said.bytes));
	memcpy(said.bytes + said.len, bytes, len);
	said.len += len;
}

static inline bool peer_receive(struct net_port *port, const struct net_frame *f)
{
	(void)port;
	for (uint32_t at = 0, len; at < f->len; at += len) {
		const uint8_t *run;

		len = f->len - at;
		run = net_frame_run(f, at, &len);
		note(run, len);
	}
	return true;
}

static const struct net_port_ops peer_ops = {.receive = peer_receive};

static inline uint64_t no_time(void)
{
	return 1;
}

static void *pages[8];
static unsigned n_pages;

static inline void *alloc(uint64_t count, uint64_t align)
{
	void *p;

	ck_assert_int_eq(posix_memalign(&p, align, count * PAGE_SIZE), 0);
	pages[n_pages++] = p;
	return memset(p, 0, count * PAGE_SIZE);
}

/* --- what may be touched --- */

static inline void rules_of_ring(const struct bus_rings *r)
{
	const unsigned look = WATCHED_READ | WATCHED_NO_CHANGE;

	/* The guest's sending ring: its index and its wish; the host's index and mask are shown,
	 * and never read back. */
	watched_set(r->out + offsetof(struct ring_header, write_index), 4, look);
	watched_set(r->out + offsetof(struct ring_header, pending_send_size), 4, look);
	watched_set(r->out + offsetof(struct ring_header, read_index), 8, WATCHED_WRITE);
	watched_set(r->out + PAGE_SIZE, r->size, WATCHED_READ_ONCE);
	watched_set(r->in + offsetof(struct ring_header, write_index), 4, WATCHED_WRITE);
	watched_set(r->in + offsetof(struct ring_header, read_index), 8, look);
	watched_set(r->in + offsetof(struct ring_header, pending_send_size), 4, WATCHED_WRITE);
	watched_set(r->in + offsetof(struct ring_header, feature_bits), 4, look);
	watched_set(r->in + PAGE_SIZE, r->size, WATCHED_WRITE);
}

/* The host works, watched. */
static inline void host(uint32_t relid)
{
	watched_on();
	ck_assert_int_eq(bus_signal(relid), HV_STATUS_SUCCESS);
	for (unsigned i = 0; i < 4; i++) {
		bus_serve(0);
	}
	bus_halt();
	watched_off();
}

/* The guest writes: as by the functions of the bus's world, but the signal is ours to give. */
static inline void sent(struct bus_rings *r, uint32_t from)
{
	const struct ring_header *h = (struct ring_header *)r->out;
	uint32_t to = h->write_index;

	if (to < from) {
		watched_fresh(r->out + PAGE_SIZE + from, r->size - from);
		from = 0;
	}
	watched_fresh(r->out + PAGE_SIZE + from, to - from);
}

static inline void send(uint32_t relid, uint64_t id, const void *payload, uint32_t len)
{
	struct ring_header *h = (struct ring_header *)rings[relid].out;
	uint32_t from = h->write_index, mask = h->interrupt_mask;

	h->interrupt_mask = 1;
	(void)bus_write(&rings[relid], id, payload, len);
	h->interrupt_mask = mask;
	sent(&rings[relid], from);
}

static inline void send_gpa(
        uint32_t relid, uint64_t id, uint64_t at, uint32_t n, const void *payload, uint32_t len)
{
	struct ring_header *h = (struct ring_header *)rings[relid].out;
	uint32_t from = h->write_index, mask = h->interrupt_mask;

	h->interrupt_mask = 1;
	(void)bus_write_gpa(&rings[relid], id, at, n, payload, len);
	h->interrupt_mask = mask;
	sent(&rings[relid], from);
}

static inline void fill(uint64_t at, const void *bytes, uint32_t len)
{
	uint8_t *to = bus_ram(at);

	memcpy(to, bytes, len);
	watched_fresh(to, len);
}

/* --- what the guest hears --- */

static inline void take_frames(uint32_t relid, const uint8_t *packet)
{
	static const uint32_t done[2] = {NVSP_SEND_RNDIS_COMPLETE, NVSP_SUCCESS};
	struct ring_desc d, answer;
	uint8_t bytes[24];
	uint32_t n;

	memcpy(&d, packet, sizeof(d));
	memcpy(&n, packet + 20, sizeof(n));
	for (uint32_t i = 0; i < n; i++) {
		struct vmbus_xfer_range range;

		memcpy(&range, packet + 24 + 8 * i, sizeof(range));
		note(bus_ram(RECV_AT + range.offset), range.len);
	}
	answer = (struct ring_desc){
	        .type = RING_PACKET_COMPLETION, .data_offset = 2, .len = 3, .trans_id = d.trans_id};
	memcpy(bytes, &answer, sizeof(answer));
	memcpy(bytes + 16, done, sizeof(done));
	{
		struct ring_header *h = (struct ring_header *)rings[relid].out;
		uint32_t from = h->write_index, mask = h->interrupt_mask;

		h->interrupt_mask = 1;
		(void)bus_write_raw(&rings[relid], bytes, sizeof(bytes));
		h->interrupt_mask = mask;
		sent(&rings[relid], from);
	}
}

/* A service's request: the first version of each list, or the request itself, is what it hears. */
static inline void answer_service(uint32_t relid, uint8_t *body, uint32_t len)
{
	body[25] = IC_FLAG_RESPONSE;
	if (body[12] == IC_NEGOTIATE) {
		body[28] = body[30] = 1;
		memcpy(body + 40, body + 44, 4);
	}
	send(relid, 0, body, len);
}

static inline void listen(uint32_t relid)
{
	static uint8_t packet[16384];
	uint32_t len;

	while ((len = bus_read(&rings[relid], packet, sizeof(packet))) != 0) {
		struct ring_desc d;

		memcpy(&d, packet, sizeof(d));
		note(packet, len);
		if (relid == NIC && d.type == RING_PACKET_XFER_PAGES) {
			take_frames(relid, packet);
		} else if (relid >= FIRST_SERVICE && len > 16 + sizeof(struct ic_header)) {
			answer_service(relid, packet + 16, len - 16);
		}
	}
}

/* --- words of drivers --- */

static inline void scsi_say(uint32_t operation, uint16_t value)
{
	struct vstor_packet p = {.operation = operation, .flags = 1};

	p.version = value;
	send(SCSI, 1, &p, sizeof(p));
	host(SCSI);
	listen(SCSI);
}

static inline void scsi_order(const uint8_t cdb[16], uint32_t len, uint64_t at)
{
	struct vstor_packet p = {.operation = VSTOR_EXECUTE_SRB, .flags = 1};

	p.srb.length = sizeof(p.srb);
	p.srb.cdb_len = 16;
	p.srb.data_len = len;
	memcpy(p.srb.cdb, cdb, 16);
	if (len) {
		send_gpa(SCSI, 2, at, len, &p, sizeof(p));
	} else {
		send(SCSI, 3, &p, sizeof(p));
	}
}

static inline void nic_say(uint32_t type, uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t m[10] = {type, a, b, c};

	send(NIC, 1, m, sizeof(m));
	host(NIC);
	listen(NIC);
}

static inline void nic_control(const uint32_t *words, uint32_t n)
{
	fill(SEND_AT + CONTROL_SECTION * NETVSP_SECTION, words, n * 4);
	nic_say(NVSP_SEND_RNDIS, NVSP_CHANNEL_CONTROL, CONTROL_SECTION, n * 4);
}

/* --- the world --- */

static inline void make_devices(void)
{
	struct blk_ram_params p = {.size = DISK_LEN, .block_size = 512, .alloc = alloc};
	struct blk *blks[] = {&disk.blk};
	struct net_switch *sw;

	ck_assert_int_eq(blk_ram_attach(&disk, &p), 0);
	memset(&sp, 0, sizeof(sp));
	storvsp_init(&sp, bus_vm, blks, 1);
	ck_assert_int_eq(storvsp_attach(&sp, bus), 0);
	net_switch_reset();
	sw = net_switch_make("sw", no_time);
	netvsp_init(&nic, bus_vm, "test", 0, 0x020000000001, 1);
	ck_assert_int_eq(netvsp_connect(&nic, sw), 0);
	ck_assert_int_eq(netvsp_attach(&nic, bus), 0);
	peer = (struct net_port){.ops = &peer_ops, .owner = "peer", .mac = 0x020000000002};
	ck_assert_int_eq(net_switch_attach(sw, &peer), 0);
	memset(&services, 0, sizeof(services));
	ck_assert_int_eq(guest_services_attach(&services, bus, bus_vm), 0);
}

static inline void end_world(void)
{
	unsigned n_free = 0;

	bus_vm->bus_ops->quiesce(bus_vm);
	for (const struct storvsp_slot *slot = sp.free; slot; slot = slot->next) {
		n_free++;
	}
	ck_assert_uint_eq(n_free, STORVSP_SLOTS);
	while (n_pages > 0) {
		free(pages[--n_pages]);
	}
}

static inline void world(uint64_t number, bool changes)
{
	static const uint32_t initialize[] = {2, 24, 1, 1, 0, 0x4000};
	static const uint32_t filter[] = {5, 32, 2, OID_GEN_CURRENT_PACKET_FILTER, 4, 20, 0, 0x2f};

	seed = number * 0x9e3779b97f4a7c15ULL + 1;
	said.len = 0;
	if (bus_vm) {
		end_world();
	}
	bus_setup(2);
	make_devices();
	ck_assert_uint_eq(bus_connect(), CHANNELS);
	watched_init(bus_ram(WATCH_FROM), (uint32_t)(WATCH_TO - WATCH_FROM), changes, number);
	for (uint32_t relid = SCSI; relid <= CHANNELS; relid++) {
		ck_assert_uint_eq(bus_open(relid, &rings[relid]), 0);
		rules_of_ring(&rings[relid]);
	}
	bus_gpadl(NIC, GPADL_RECV, RECV_AT, RECV_PAGES);
	bus_gpadl(NIC, GPADL_SEND, SEND_AT, SEND_PAGES);
	watched_set(bus_ram(RECV_AT), RECV_PAGES * PAGE_SIZE, WATCHED_WRITE);
	watched_set(bus_ram(SEND_AT), SEND_PAGES * PAGE_SIZE, WATCHED_READ_ONCE);
	watched_set(bus_ram(DATA_AT), DATA_PAGES * PAGE_SIZE, WATCHED_READ_ONCE | WATCHED_WRITE);
	scsi_say(VSTOR_BEGIN_INITIALIZATION, 0);
	scsi_say(VSTOR_QUERY_PROTOCOL_VERSION, 0x602);
	scsi_say(VSTOR_QUERY_PROPERTIES, 0);
	scsi_say(VSTOR_END_INITIALIZATION, 0);
	nic_say(NVSP_INIT, NVSP_VERSION_1, NVSP_VERSION_61, 0);
	nic_say(NVSP_SEND_NDIS_CONFIG, 1514, 0, 0);
	nic_say(NVSP_SEND_RECV_BUF, GPADL_RECV, 0xcafe, 0);
	nic_say(NVSP_SEND_SEND_BUF, GPADL_SEND, 0, 0);
	nic_control(initialize, ARRAY_SIZE(initialize));
	nic_control(filter, ARRAY_SIZE(filter));
	for (uint32_t relid = FIRST_SERVICE; relid <= CHANNELS; relid++) {
		for (unsigned turn = 0; turn < 3; turn++) {
			host(relid);
			listen(relid);
		}
	}
}

#endif
