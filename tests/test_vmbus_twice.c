// SPDX-License-Identifier: BSD-2-Clause
// A guest whose other vCPU changes everything the moment that the host has read it: rings, lists of
// pages, data, send buffers (tests/fake/watched.h). Nothing is read twice that must not be; the
// host touches nothing else; what it does is what the first reading says.
#include "tests/twice_world.h"

/* The core's own memcpy(): the C library's reads some bytes twice, in words that overlap. */
void *hv_memcpy(void *to, const void *from, size_t len);
void *__wrap_memcpy(void *to, const void *from, size_t len);
void *__wrap_memcpy(void *to, const void *from, size_t len)
{
	return hv_memcpy(to, from, len);
}

#define STEPS 60U

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

/* SEEDS=n in the environment for more of them. */
static int seeds(int usual)
{
	const char *n = getenv("SEEDS");

	return n ? atoi(n) : usual;
}

UNIT_MAIN("vmbus_twice", tcase_add_loop_test(tc, as_the_first_reading_says, 0, seeds(4));
          tcase_add_loop_test(tc, messages_are_read_once, 0, seeds(4));
          tcase_add_loop_test(tc, everything_changes, 0, seeds(8));)
