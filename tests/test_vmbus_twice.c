// SPDX-License-Identifier: BSD-2-Clause
// A guest whose other vCPU changes everything the moment that the host has read it: rings, lists of
// pages, data, send buffers (tests/fake/watched.h). Nothing is read twice that must not be; the
// host touches nothing else; what it does is what the first reading says.
#include "devices/backend/blk_ram.h"
#include "devices/backend/net_switch.h"
#include "tests/fake/watched.h"
#include "tests/vmbus_vm.h"
#include "vmbus/guest_services.h"
#include "vmbus/netvsp.h"
#include "vmbus/nvsp_wire.h"
#include "vmbus/storvsp.h"

/* The core's own memcpy(): the C library's reads some bytes twice, in words that overlap. */
void *hv_memcpy(void *to, const void *from, size_t len);
void *__wrap_memcpy(void *to, const void *from, size_t len);
void *__wrap_memcpy(void *to, const void *from, size_t len)
{
	return hv_memcpy(to, from, len);
}

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
#define STEPS 60U

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

static uint64_t rnd(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (seed * 0x2545f4914f6cdd1dULL) >> 11;
}

static void note(const void *bytes, uint32_t len)
{
	ck_assert_uint_le(said.len + len, sizeof(said.bytes));
	memcpy(said.bytes + said.len, bytes, len);
	said.len += len;
}

static bool peer_receive(struct net_port *port, const struct net_frame *f)
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

static uint64_t no_time(void)
{
	return 1;
}

static void *pages[8];
static unsigned n_pages;

static void *alloc(uint64_t count, uint64_t align)
{
	void *p;

	ck_assert_int_eq(posix_memalign(&p, align, count * PAGE_SIZE), 0);
	pages[n_pages++] = p;
	return memset(p, 0, count * PAGE_SIZE);
}

/* --- what may be touched --- */

static void rules_of_ring(const struct bus_rings *r)
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
static void host(uint32_t relid)
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
static void sent(struct bus_rings *r, uint32_t from)
{
	const struct ring_header *h = (struct ring_header *)r->out;
	uint32_t to = h->write_index;

	if (to < from) {
		watched_fresh(r->out + PAGE_SIZE + from, r->size - from);
		from = 0;
	}
	watched_fresh(r->out + PAGE_SIZE + from, to - from);
}

static void send(uint32_t relid, uint64_t id, const void *payload, uint32_t len)
{
	struct ring_header *h = (struct ring_header *)rings[relid].out;
	uint32_t from = h->write_index, mask = h->interrupt_mask;

	h->interrupt_mask = 1;
	(void)bus_write(&rings[relid], id, payload, len);
	h->interrupt_mask = mask;
	sent(&rings[relid], from);
}

static void send_gpa(
        uint32_t relid, uint64_t id, uint64_t at, uint32_t n, const void *payload, uint32_t len)
{
	struct ring_header *h = (struct ring_header *)rings[relid].out;
	uint32_t from = h->write_index, mask = h->interrupt_mask;

	h->interrupt_mask = 1;
	(void)bus_write_gpa(&rings[relid], id, at, n, payload, len);
	h->interrupt_mask = mask;
	sent(&rings[relid], from);
}

static void fill(uint64_t at, const void *bytes, uint32_t len)
{
	uint8_t *to = bus_ram(at);

	memcpy(to, bytes, len);
	watched_fresh(to, len);
}

/* --- what the guest hears --- */

static void take_frames(uint32_t relid, const uint8_t *packet)
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
static void answer_service(uint32_t relid, uint8_t *body, uint32_t len)
{
	body[25] = IC_FLAG_RESPONSE;
	if (body[12] == IC_NEGOTIATE) {
		body[28] = body[30] = 1;
		memcpy(body + 40, body + 44, 4);
	}
	send(relid, 0, body, len);
}

static void listen(uint32_t relid)
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

static void scsi_say(uint32_t operation, uint16_t value)
{
	struct vstor_packet p = {.operation = operation, .flags = 1};

	p.version = value;
	send(SCSI, 1, &p, sizeof(p));
	host(SCSI);
	listen(SCSI);
}

static void scsi_order(const uint8_t cdb[16], uint32_t len, uint64_t at)
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

static void nic_say(uint32_t type, uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t m[10] = {type, a, b, c};

	send(NIC, 1, m, sizeof(m));
	host(NIC);
	listen(NIC);
}

static void nic_control(const uint32_t *words, uint32_t n)
{
	fill(SEND_AT + CONTROL_SECTION * NETVSP_SECTION, words, n * 4);
	nic_say(NVSP_SEND_RNDIS, NVSP_CHANNEL_CONTROL, CONTROL_SECTION, n * 4);
}

/* --- the world --- */

static void make_devices(void)
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

static void end_world(void)
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

static void world(uint64_t number, bool changes)
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

/* --- a step of the guest, as the seed has it --- */

static void random_bytes(uint64_t at, uint32_t len)
{
	uint8_t bytes[8192];

	for (uint32_t i = 0; i < len; i++) {
		bytes[i] = (uint8_t)rnd();
	}
	fill(at, bytes, len);
}

/* slot: those of one round lie apart. */
static void step_scsi(unsigned slot)
{
	uint32_t blocks = 1 + (uint32_t)rnd() % 3, len = blocks * 512;
	uint8_t lba = (uint8_t)rnd();
	uint64_t at = DATA_AT + slot * SLOT + (rnd() % 8) * 512;
	uint8_t cdb[16] = {0x28, 0, 0, 0, 0, lba, 0, 0, (uint8_t)blocks};

	switch (rnd() % 6) {
	case 0: /* WRITE */
		cdb[0] = 0x2a;
		random_bytes(at, len);
		break;
	case 1: /* WRITE SAME of a block */
		cdb[0] = 0x41;
		len = 512;
		random_bytes(at, len);
		break;
	case 2: { /* UNMAP: two descriptors */
		const uint8_t list[40] = {0, 38, 0, 32, [15] = lba, [19] = 4, [30] = 1, [35] = 7};

		memset(cdb, 0, sizeof(cdb));
		cdb[0] = 0x42;
		cdb[8] = len = sizeof(list);
		fill(at, list, sizeof(list));
		break;
	}
	case 3: /* INQUIRY, some page */
		memset(cdb, 0, sizeof(cdb));
		cdb[0] = 0x12;
		cdb[1] = 1;
		cdb[2] = (uint8_t[]){0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2}[rnd() % 6];
		cdb[4] = 255;
		len = 255;
		break;
	case 4: /* SYNCHRONIZE CACHE */
		cdb[0] = 0x35;
		len = 0;
		break;
	default:
		break;
	}
	scsi_order(cdb, len, at);
}

/* A frame in the send buffer, or by page numbers. offload: the host is asked to cut it and to sum
 * it up, which takes more than one look at it. */
static void step_nic(unsigned slot, bool offload)
{
	uint32_t data = 60 + (uint32_t)rnd() % 500, section = slot * 5 + (uint32_t)rnd() % 5;
	uint32_t head = offload ? 60 : 44;
	uint32_t m[15] = {1, head + data, head - 8, data, [7] = offload ? 36 : 0,
	        offload ? 16 : 0, [11] = 16, rnd() % 2 ? PPI_LSO : PPI_CSUM, PPI_HEADER,
	        rnd() % 2 ? 100 : 0x1c};
	uint32_t words[4] = {NVSP_SEND_RNDIS, NVSP_CHANNEL_DATA, section, head + data};
	/* To all, from an address of its own; the beginning of an IP header, of TCP. */
	static const uint8_t start[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 8, 0,
	        0x45, 0, 0, 200, 0, 0, 0x40, 0, 64, 6};
	uint64_t at = SEND_AT + section * NETVSP_SECTION;
	const bool by_pages = rnd() % 2;

	if (by_pages) {
		at = DATA_AT + slot * SLOT + (rnd() % 8) * 512;
		words[2] = NVSP_NO_SECTION;
		words[3] = 0;
	}
	random_bytes(at + head, data);
	fill(at, m, head);
	memcpy(bus_ram(at + head), start, sizeof(start));
	*(uint8_t *)bus_ram(at + head + 46) = 0x50; /* length of TCP's header */
	if (by_pages) {
		send_gpa(NIC, 9, at, head + data, words, sizeof(words));
	} else {
		send(NIC, 9, words, sizeof(words));
	}
}

static void step_control(void)
{
	static const uint32_t oids[] = {OID_GEN_SUPPORTED_LIST, OID_GEN_MAXIMUM_FRAME_SIZE,
	        OID_802_3_CURRENT_ADDRESS, OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES};
	const uint32_t query[] = {4, 28, (uint32_t)rnd(), oids[rnd() % ARRAY_SIZE(oids)], 0, 20, 0};

	nic_control(query, ARRAY_SIZE(query));
}

static void play(uint64_t number, bool changes)
{
	world(number, changes);
	for (unsigned i = 0; i < STEPS; i++) {
		/* Some by themselves, some together. */
		uint32_t relid = rnd() % 2 ? SCSI : NIC;

		for (unsigned n = 1 + (unsigned)rnd() % 3; n-- > 0;) {
			if (relid == SCSI) {
				step_scsi(n);
			} else if (rnd() % 8) {
				step_nic(n, false);
			} else {
				step_control();
			}
		}
		host(relid);
		listen(relid);
		ck_assert_msg(watched_broken == 0, "%u times; %s", watched_broken, watched_first);
	}
	note(disk.pieces[0], DISK_LEN);
	for (uint32_t relid = SCSI; relid <= CHANNELS; relid++) {
		ck_assert(!rings[relid].relid || bus->channels[relid - 1]->is_open);
		ck_assert(!bus->channels[relid - 1]->broken);
	}
}

START_TEST(as_the_first_reading_says)
{
	play((uint64_t)_i, false);
	memcpy(&said_before, &said, sizeof(said));
	ck_assert_uint_gt(watched_reads, 1000);
	play((uint64_t)_i, true);
	ck_assert_uint_eq(said.len, said_before.len);
	ck_assert_mem_eq(said.bytes, said_before.bytes, said.len);
	end_world();
}
END_TEST

/* The list of pages in a message: what was checked is what is lent. */
START_TEST(messages_are_read_once)
{
	const uint32_t n = 12, id = 0x4711;
	struct {
		uint32_t connection, reserved, type, size;
		struct vmbus_msg_gpadl_header h;
		uint32_t words[2 + 2 * 12];
	} m = {VMBUS_MESSAGE_CONNECTION_4, 0, VMBUS_MESSAGE_TYPE, 20 + 8 + 8 * n,
	        .h = {.header.type = VMBUS_GPADL_HEADER,
	                .relid = NIC,
	                .gpadl = id,
	                .list_bytes = (uint16_t)(8 + 8 * n),
	                .range_count = 1},
	        .words = {n * (uint32_t)PAGE_SIZE}};
	union vmbus_guest_message answer;
	struct gpadl *g;

	world((uint64_t)_i, true);
	watched_set(bus_ram(DATA_AT), PAGE_SIZE, WATCHED_READ_ONCE);
	bus_wr(HV_MSR_GUEST_OS_ID, 1);
	bus_wr(HV_MSR_HYPERCALL, VMBUS_VM_SIEFP + PAGE_SIZE + 1);
	for (uint32_t i = 0; i < n; i++) {
		m.words[2 + 2 * i] = (uint32_t)(RECV_AT >> PAGE_SHIFT) + 3 * i;
	}
	fill(DATA_AT, &m, sizeof(m));
	bus_vm->vcpus[0]->gpr[REG_RCX] = HV_CALL_POST_MESSAGE;
	bus_vm->vcpus[0]->gpr[REG_RDX] = DATA_AT;
	watched_on();
	ck_assert_int_eq(hv_hypercall(bus_vm->vcpus[0]), ACT_SKIP);
	watched_off();
	ck_assert_uint_eq(bus_vm->vcpus[0]->gpr[REG_RAX], HV_STATUS_SUCCESS);
	ck_assert_msg(watched_broken == 0, "%u times; %s", watched_broken, watched_first);
	ck_assert_uint_gt(watched_reads, 10);
	bus_expect(VMBUS_GPADL_CREATED, &answer);
	ck_assert_uint_eq(answer.bytes[16], 0);
	g = gpadl_hold(&bus->server.gpadls, NIC, id);
	ck_assert_ptr_nonnull(g);
	for (uint32_t i = 0; i < n; i++) {
		ck_assert_ptr_eq(g->pages[i], bus_ram(RECV_AT + 3 * i * PAGE_SIZE));
	}
	gpadl_release(&bus->server.gpadls, g);
	end_world();
}
END_TEST

/* --- rings whose every word changes --- */

static void storm_step(uint32_t relid, uint32_t *write)
{
	struct ring_header *out = (struct ring_header *)rings[relid].out;
	struct ring_header *in = (struct ring_header *)rings[relid].in;

	if (bus->channels[relid - 1]->broken || rnd() % 32 == 0) {
		bus_close(relid);
		ck_assert_uint_eq(bus_open(relid, &rings[relid]), 0);
		*write = 0;
	}
	/* Our own index, whatever became of it; the host's words are left as they are. */
	out->write_index = *write;
	in->read_index = rnd() % 8 ? in->write_index : in->read_index;
	in->interrupt_mask = (uint32_t)rnd() % 2;
	in->feature_bits = (uint32_t)rnd() % 2;
	out->pending_send_size = rnd() % 4 ? 0 : (uint32_t)rnd() % 0x4000;
	for (unsigned n = 1 + (unsigned)rnd() % 3; n-- > 0;) {
		if (relid == SCSI) {
			step_scsi(n);
		} else if (relid == NIC) {
			step_nic(n, rnd() % 2);
		} else {
			uint8_t bytes[64] = {[24] = (uint8_t)rnd(), IC_FLAG_RESPONSE};

			send(relid, 0, bytes, sizeof(bytes));
		}
	}
	*write = out->write_index;
	host(relid);
}

/* Whatever is changed at whatever moment: the host reads and writes the guest's memory and no
 * other, comes to an end, and works for a guest that opens its channel again. */
START_TEST(everything_changes)
{
	uint32_t write[CHANNELS + 1];

	world((uint64_t)_i, false);
	for (uint32_t relid = SCSI; relid <= CHANNELS; relid++) {
		write[relid] = ((struct ring_header *)rings[relid].out)->write_index;
	}
	watched_init(bus_ram(WATCH_FROM), (uint32_t)(WATCH_TO - WATCH_FROM), true, seed);
	watched_set(bus_ram(WATCH_FROM), (uint32_t)(WATCH_TO - WATCH_FROM),
	        WATCHED_READ | WATCHED_WRITE);
	for (unsigned i = 0; i < STEPS; i++) {
		uint32_t relid = 1 + (uint32_t)rnd() % CHANNELS;

		storm_step(relid, &write[relid]);
	}
	ck_assert_uint_gt(watched_reads, 500);
	end_world();
}
END_TEST

/* --- the detector itself --- */

static volatile uint64_t result;

START_TEST(what_is_wrong_is_found)
{
	static uint8_t memory[2 * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
	volatile uint64_t *words = (volatile uint64_t *)memory;

	watched_init(memory, sizeof(memory), true, 1);
	watched_set(memory, 64, WATCHED_READ_ONCE);
	watched_set(memory + 64, 64, WATCHED_READ);
	watched_set(memory + PAGE_SIZE, 64, WATCHED_WRITE);
	words[0] = words[8] = 0x1234;
	watched_on();
	result = words[0];
	watched_off();
	ck_assert_uint_eq(result, 0x1234);
	ck_assert_uint_ne(words[0], 0x1234);
	watched_on();
	result = words[8] + words[8];
	words[512] = 1;
	watched_off();
	ck_assert_uint_ne(result, 2 * 0x1234);
	ck_assert_uint_eq(watched_broken, 0);
	ck_assert_uint_eq(watched_reads, 3);
	ck_assert_uint_eq(watched_writes, 1);
	watched_on();
	result = *(volatile uint8_t *)(memory + 7);
	watched_off();
	ck_assert_uint_eq(watched_broken, 1);
	ck_assert_ptr_nonnull(strstr(watched_first, "byte 0x7 is read twice"));
	watched_fresh(memory, 8);
	watched_on();
	result = words[0]; /* fine */
	words[1] = 0;      /* not */
	result = words[512];
	words[512]++; /* its reading is not */
	watched_off();
	ck_assert_uint_eq(watched_broken, 1 + 8 + 8 + 8);
}
END_TEST

/* SEEDS=n in the environment for more of them. */
static int seeds(int usual)
{
	const char *n = getenv("SEEDS");

	return n ? atoi(n) : usual;
}

UNIT_MAIN("vmbus_twice", tcase_add_test(tc, what_is_wrong_is_found);
          tcase_add_loop_test(tc, as_the_first_reading_says, 0, seeds(4));
          tcase_add_loop_test(tc, messages_are_read_once, 0, seeds(4));
          tcase_add_loop_test(tc, everything_changes, 0, seeds(8));)
