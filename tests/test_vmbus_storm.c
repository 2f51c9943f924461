// SPDX-License-Identifier: BSD-2-Clause
// A guest whose other vCPU never stops writing: a thread changes rings, indexes, lists of pages,
// data and send buffers while the host works on them. tests/test_vmbus_twice.c picks the moments;
// here they are whatever two processors make of them.
#include "devices/backend/blk_ram.h"
#include "devices/backend/net_switch.h"
#include "tests/vmbus_vm.h"
#include "vmbus/guest_services.h"
#include "vmbus/netvsp.h"
#include "vmbus/nvsp_wire.h"
#include "vmbus/storvsp.h"
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#define DISK_LEN (1U << 20)
#define RECV_AT VMBUS_VM_BUFFERS
#define RECV_PAGES 64U
#define SEND_AT (RECV_AT + RECV_PAGES * PAGE_SIZE)
#define SEND_PAGES 24U
#define DATA_AT (SEND_AT + SEND_PAGES * PAGE_SIZE)
#define DATA_PAGES 16U
#define GPADL_RECV 0x111U
#define GPADL_SEND 0x222U
#define MANY 200U /* of everything that has to happen */

enum { SCSI = 1, NIC = 2, FIRST_SERVICE = 3, CHANNELS = 8 };

static struct storvsp sp;
static struct netvsp nic;
static struct guest_services services;
static struct blk_ram disk;
static struct net_port peer;
static struct bus_rings rings[CHANNELS + 1];
static void *pages[8];
static unsigned n_pages;
static uint64_t frames, broken;

/* Each thread its own numbers. */
static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return (*seed * 0x2545f4914f6cdd1dULL) >> 11;
}

static uint64_t number_of(const char *name, uint64_t usual)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 0) : usual;
}

/* --- the other vCPU --- */

static struct {
	pthread_t thread;
	uint32_t wait, waits, end; /* [a] */
	uint32_t heat;             /* [a] of 4096 changes, so many are of the rings' headers */
	uint64_t changes;          /* [a] */
} storm;

static uint64_t some_value(uint64_t *seed, uint64_t old)
{
	switch (draw(seed) % 6) {
	case 0:
		return draw(seed) << 11 ^ draw(seed);
	case 1:
		return old ^ 1ULL << draw(seed) % 64;
	case 2:
		return draw(seed) % 64;
	case 3:
		return (draw(seed) % 64) << 32 | draw(seed) % 4096;
	case 4: /* a page that it may name */
		return (DATA_AT >> PAGE_SHIFT) + draw(seed) % DATA_PAGES;
	default:
		return old + draw(seed) % 16 - 8;
	}
}

static void change_header(uint64_t *seed)
{
	static const uint8_t words[] = {0, 1, 2, 3, 16};
	const struct bus_rings *r = &rings[1 + draw(seed) % CHANNELS];
	uint32_t *header = (uint32_t *)(draw(seed) % 2 ? r->out : r->in);
	uint32_t *word = &header[words[draw(seed) % sizeof(words)]];
	uint32_t old = __atomic_load_n(word, __ATOMIC_RELAXED), value;

	switch (draw(seed) % 4) {
	case 0:
		value = (uint32_t)some_value(seed, old);
		break;
	case 1: /* an index that may be */
		value = (uint32_t)(draw(seed) % r->size) & ~7U;
		break;
	case 2:
		value = (old + (uint32_t)(draw(seed) % 32) * 8) % r->size;
		break;
	default:
		value = __atomic_load_n(&header[draw(seed) % 2], __ATOMIC_RELAXED);
		break;
	}
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* Where something is being read: the end of a ring's data, or the head of a buffer. */
static uint64_t *some_place(uint64_t *seed)
{
	const struct bus_rings *r = &rings[1 + draw(seed) % (draw(seed) % 2 ? CHANNELS : NIC)];
	uint32_t at;

	switch (draw(seed) % 4) {
	case 0:
		return bus_ram(SEND_AT + draw(seed) % 15 * NETVSP_SECTION + draw(seed) % 32 * 8);
	case 1:
		return bus_ram(DATA_AT + draw(seed) % DATA_PAGES * PAGE_SIZE + draw(seed) % 64 * 8);
	default:
		at = __atomic_load_n((uint32_t *)r->out, __ATOMIC_RELAXED) / 8 * 8;
		at = (at + r->size - (uint32_t)(draw(seed) % 48) * 8) % r->size;
		return (uint64_t *)(r->out + PAGE_SIZE + at / 8 * 8);
	}
}

static void *change(void *arg)
{
	uint64_t seed = *(const uint64_t *)arg;

	while (!__atomic_load_n(&storm.end, __ATOMIC_RELAXED)) {
		if (__atomic_load_n(&storm.wait, __ATOMIC_ACQUIRE)) {
			__atomic_store_n(&storm.waits, 1, __ATOMIC_RELEASE);
			sched_yield();
			continue;
		}
		__atomic_store_n(&storm.waits, 0, __ATOMIC_RELAXED);
		if (draw(&seed) % 4096 < __atomic_load_n(&storm.heat, __ATOMIC_RELAXED)) {
			change_header(&seed);
		} else {
			uint64_t *word = some_place(&seed);
			uint64_t old = __atomic_load_n(word, __ATOMIC_RELAXED);

			__atomic_store_n(word, some_value(&seed, old), __ATOMIC_RELAXED);
		}
		__atomic_fetch_add(&storm.changes, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void storm_waits(void)
{
	__atomic_store_n(&storm.waits, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&storm.wait, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&storm.waits, __ATOMIC_ACQUIRE)) {
		sched_yield();
	}
}

static void storm_goes_on(void)
{
	__atomic_store_n(&storm.wait, 0, __ATOMIC_RELEASE);
}

/* --- the world --- */

static bool peer_receive(struct net_port *port, const struct net_frame *f)
{
	(void)port;
	frames += f->len > 0;
	return true;
}

static const struct net_port_ops peer_ops = {.receive = peer_receive};

static uint64_t no_time(void)
{
	return 1;
}

static void *alloc(uint64_t count, uint64_t align)
{
	void *p;

	ck_assert_int_eq(posix_memalign(&p, align, count * PAGE_SIZE), 0);
	pages[n_pages++] = p;
	return memset(p, 0, count * PAGE_SIZE);
}

static void make_devices(void)
{
	struct blk_ram_params p = {.size = DISK_LEN, .block_size = 512, .alloc = alloc};
	struct blk *blks[] = {&disk.blk};
	struct net_switch *sw;

	ck_assert_int_eq(blk_ram_attach(&disk, &p), 0);
	storvsp_init(&sp, bus_vm, blks, 1);
	ck_assert_int_eq(storvsp_attach(&sp, bus), 0);
	net_switch_reset();
	sw = net_switch_make("sw", no_time);
	netvsp_init(&nic, bus_vm, "test", 0, 0x020000000001, 1);
	ck_assert_int_eq(netvsp_connect(&nic, sw), 0);
	ck_assert_int_eq(netvsp_attach(&nic, bus), 0);
	peer = (struct net_port){.ops = &peer_ops, .owner = "peer", .mac = 0x020000000002};
	ck_assert_int_eq(net_switch_attach(sw, &peer), 0);
	ck_assert_int_eq(guest_services_attach(&services, bus, bus_vm), 0);
}

/* --- a driver's words, while nothing is changed --- */

static uint8_t heard[16384]; /* the last packet */

static void ask(uint32_t relid, const void *message, uint32_t len)
{
	ck_assert(bus_write(&rings[relid], 1, message, len));
	bus_serve(0);
	bus_halt();
	while (bus_read(&rings[relid], heard, sizeof(heard)) != 0) {
	}
}

static void scsi_say(uint32_t operation, uint16_t value)
{
	struct vstor_packet p = {.operation = operation, .flags = 1};

	p.version = value;
	ask(SCSI, &p, sizeof(p));
}

static void nic_say(uint32_t type, uint32_t a, uint32_t b)
{
	const uint32_t m[10] = {type, a, b};

	ask(NIC, m, sizeof(m));
}

static void control(const uint32_t *words, uint32_t n)
{
	const uint32_t m[10] = {NVSP_SEND_RNDIS, NVSP_CHANNEL_CONTROL, 15, 4 * n};

	memcpy(bus_ram(SEND_AT + 15 * NETVSP_SECTION), words, 4 * n);
	ask(NIC, m, sizeof(m));
}

static void greet(uint32_t relid)
{
	static const uint32_t initialize[] = {2, 24, 1, 1, 0, 0x4000};
	static const uint32_t filter[] = {5, 32, 2, OID_GEN_CURRENT_PACKET_FILTER, 4, 20, 0, 0x2f};
	uint32_t len;

	if (relid == SCSI) {
		scsi_say(VSTOR_BEGIN_INITIALIZATION, 0);
		scsi_say(VSTOR_QUERY_PROTOCOL_VERSION, 0x602);
		scsi_say(VSTOR_END_INITIALIZATION, 0);
	} else if (relid == NIC) {
		nic_say(NVSP_INIT, NVSP_VERSION_1, NVSP_VERSION_61);
		nic_say(NVSP_SEND_RECV_BUF, GPADL_RECV, 0xcafe);
		nic_say(NVSP_SEND_SEND_BUF, GPADL_SEND, 0);
		control(initialize, ARRAY_SIZE(initialize));
		control(filter, ARRAY_SIZE(filter));
	} else if ((len = bus_read(&rings[relid], heard, sizeof(heard))) > 16 + 44 + 4) {
		/* The first version of each list. */
		uint8_t *m = heard + 16;

		m[25] = IC_FLAG_RESPONSE;
		m[28] = m[30] = 1;
		memcpy(m + 40, m + 44, 4);
		ask(relid, m, len - 16);
	}
}

static void open_channel(uint32_t relid)
{
	ck_assert_uint_eq(bus_open(relid, &rings[relid]), 0);
	greet(relid);
}

/* Nothing lies in any ring, so that nobody writes where the guest's messages come. */
static void quiet(void)
{
	union vmbus_guest_message m;

	for (uint32_t relid = SCSI; relid <= CHANNELS; relid++) {
		const struct vmbus_channel *ch = bus->channels[relid - 1];

		((struct ring_header *)rings[relid].out)->write_index = ch->in.own;
		((struct ring_header *)rings[relid].in)->read_index = ch->out.own;
	}
	bus_serve(0);
	memset(bus_ram(VMBUS_VM_SIMP), 0, PAGE_SIZE);
	bus_wr(HV_MSR_EOM, 0);
	bus_serve(0);
	while (bus_hear(&m)) {
	}
}

static void open_anew(uint32_t relid)
{
	quiet();
	bus_close(relid);
	open_channel(relid);
}

/* --- and while everything is --- */

static void scsi_order(uint64_t *seed)
{
	struct vstor_packet p = {.operation = VSTOR_EXECUTE_SRB, .flags = 1};
	const uint8_t blocks = (uint8_t)(1 + draw(seed) % 16);
	const uint8_t codes[] = {0x28, 0x2a, 0x41, 0x42, 0x12, 0x35, 0xa0, 0x1a};
	uint64_t at = DATA_AT + draw(seed) % (DATA_PAGES - 3) * PAGE_SIZE + draw(seed) % 8 * 512;

	p.srb.length = sizeof(p.srb);
	p.srb.cdb_len = 16;
	p.srb.data_len = blocks * 512U;
	p.srb.cdb[0] = codes[draw(seed) % sizeof(codes)];
	p.srb.cdb[4] = 4;
	p.srb.cdb[5] = (uint8_t)draw(seed);
	p.srb.cdb[8] = blocks;
	(void)bus_write_gpa(&rings[SCSI], 1 + draw(seed) % 9, at, blocks * 512U, &p, sizeof(p));
}

static void nic_order(uint64_t *seed)
{
	const uint32_t data = 60 + (uint32_t)(draw(seed) % 1400);
	const uint32_t section = (uint32_t)(draw(seed) % 15);
	uint64_t at = SEND_AT + section * NETVSP_SECTION;
	uint32_t m[15] = {1, 60 + data, 52, data, [7] = 36, 16, [11] = 16,
	        draw(seed) % 2 ? PPI_LSO : PPI_CSUM, PPI_HEADER, draw(seed) % 2 ? 100 : 0x1c};
	uint32_t words[4] = {NVSP_SEND_RNDIS, NVSP_CHANNEL_DATA, section, 60 + data};
	static const uint8_t start[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 0,
	        0x45, 0, 0, 200, 0, 0, 0x40, 0, 64, 6};

	if (draw(seed) % 2) {
		at = DATA_AT + draw(seed) % (DATA_PAGES - 1) * PAGE_SIZE;
		words[2] = NVSP_NO_SECTION;
		words[3] = 0;
	}
	memcpy(bus_ram(at), m, sizeof(m));
	memcpy(bus_ram(at + sizeof(m)), start, sizeof(start));
	if (words[3] == 0) {
		(void)bus_write_gpa(&rings[NIC], 9, at, 60 + data, words, sizeof(words));
	} else {
		(void)bus_write(&rings[NIC], 9, words, sizeof(words));
	}
}

static void service_order(uint32_t relid, uint64_t *seed)
{
	uint8_t bytes[64] = {[24] = (uint8_t)draw(seed), IC_FLAG_RESPONSE};

	(void)bus_write(&rings[relid], 0, bytes, sizeof(bytes));
}

static void step(uint64_t *seed)
{
	uint32_t relid = draw(seed) % 4 ? 1 + (uint32_t)(draw(seed) % 2)
	                                : 1 + (uint32_t)(draw(seed) % CHANNELS);
	struct ring_header *in = (struct ring_header *)rings[relid].in;

	for (unsigned n = 1 + (unsigned)(draw(seed) % 4); n > 0; n--) {
		if (relid == SCSI) {
			scsi_order(seed);
		} else if (relid == NIC) {
			nic_order(seed);
		} else {
			service_order(relid, seed);
		}
	}
	ck_assert_int_eq(bus_signal(relid), HV_STATUS_SUCCESS);
	bus_serve(0);
	bus_halt();
	in->read_index = draw(seed) % 8 ? in->write_index : in->read_index;
	if (bus->channels[relid - 1]->broken || draw(seed) % 1024 == 0) {
		broken += bus->channels[relid - 1]->broken;
		storm_waits();
		open_anew(relid);
		storm.heat = (uint32_t)(1U << draw(seed) % 11);
		storm_goes_on();
	}
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- afterwards --- */

static void all_is_well(void)
{
	struct vstor_packet p = {.operation = VSTOR_EXECUTE_SRB, .flags = 1};
	unsigned n_free = 0;

	for (uint32_t relid = SCSI; relid <= CHANNELS; relid++) {
		open_anew(relid);
	}
	p.srb = (struct vstor_srb){.length = sizeof(p.srb), .cdb_len = 16, .data_len = 512};
	memset(bus_ram(DATA_AT), 0x77, 512);
	memset(bus_ram(DATA_AT + PAGE_SIZE), 0, 512);
	for (unsigned i = 0; i < 2; i++) {
		p.srb.cdb[0] = i ? 0x28 : 0x2a;
		p.srb.cdb[8] = 1;
		ck_assert(bus_write_gpa(
		        &rings[SCSI], 5, DATA_AT + i * PAGE_SIZE, 512, &p, sizeof(p)));
		bus_serve(0);
		bus_halt();
		ck_assert_uint_gt(bus_read(&rings[SCSI], heard, sizeof(heard)), 0);
	}
	ck_assert_mem_eq(bus_ram(DATA_AT), bus_ram(DATA_AT + PAGE_SIZE), 512);
	bus_vm->bus_ops->quiesce(bus_vm);
	for (const struct storvsp_slot *slot = sp.free; slot; slot = slot->next) {
		n_free++;
	}
	ck_assert_uint_eq(n_free, STORVSP_SLOTS);
	ck_assert_ptr_null(nic.rx.gpadl);
	ck_assert_ptr_null(nic.send_buffer);
}

/* STORM_SECONDS and SEED in the environment for more of it. */
START_TEST(everything_changes_all_the_time)
{
	uint64_t seed = number_of("SEED", 1) * 0x9e3779b97f4a7c15ULL + 1, other = ~seed;
	uint64_t steps = 0;
	double least = (double)number_of("STORM_SECONDS", 2), begin;

	fake_log_clear();
	bus_setup(1);
	make_devices();
	ck_assert_uint_eq(bus_connect(), CHANNELS);
	bus_gpadl(NIC, GPADL_RECV, RECV_AT, RECV_PAGES);
	bus_gpadl(NIC, GPADL_SEND, SEND_AT, SEND_PAGES);
	for (uint32_t relid = SCSI; relid <= CHANNELS; relid++) {
		open_channel(relid);
	}
	storm.heat = 1;
	ck_assert_int_eq(pthread_create(&storm.thread, NULL, change, &other), 0);
	/* So long, and on a slow machine until enough has happened. */
	for (begin = seconds();
	        seconds() - begin < least ||
	        (seconds() - begin < least + 40 &&
	                (steps < MANY || sp.stats.requests < MANY || frames < MANY || broken < 10));
	        steps++) {
		step(&seed);
	}
	storm.end = 1;
	ck_assert_int_eq(pthread_join(storm.thread, NULL), 0);
	if (getenv("STORM_SECONDS")) {
		printf("storm: %llu steps, %llu changes, %llu requests, %llu frames, %llu broken\n",
		        (unsigned long long)steps, (unsigned long long)storm.changes,
		        (unsigned long long)sp.stats.requests, (unsigned long long)frames,
		        (unsigned long long)broken);
	}
	ck_assert_uint_gt(storm.changes, MANY);
	ck_assert_uint_ge(sp.stats.requests, MANY);
	ck_assert_uint_ge(frames, MANY);
	ck_assert_uint_ge(broken, 10);
	all_is_well();
	while (n_pages > 0) {
		free(pages[--n_pages]);
	}
}
END_TEST

UNIT_MAIN("vmbus_storm", tcase_set_timeout(tc, 60 + (double)number_of("STORM_SECONDS", 2));
          tcase_add_test(tc, everything_changes_all_the_time);)
