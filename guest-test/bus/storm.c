// SPDX-License-Identifier: BSD-2-Clause
// The bus under a driver that works and others that change what it has written, all the time:
// indexes, masks, packets, lists of pages, data, messages on their way, and the channels' lives.
#include "guest-test/bus/bus.h"

/* What the others change, a bit each; the first vCPU chooses, so that what is broken at once by the
 * one kind is seen by the other, too. */
enum target { INDEXES, MASKS, PACKETS, DATA, MESSAGES, PAGES, SIGNALS, LIVES, TARGETS };
static volatile uint32_t targets;

/* Each vCPU's own numbers: rnd() is the first one's. */
static uint64_t next(uint64_t *n)
{
	*n = *n * 6364136223846793005ULL + 1442695040888963407ULL;
	return *n >> 20 ^ *n << 44;
}

/* A word that may come to stand where a page's number is read, whole or in halves: then the host
 * shall not write to the program. Small ones are lengths, types and indexes; 0 is nobody's page. */
static uint64_t any_word(uint64_t r)
{
	switch (r >> 4 & 7) {
	case 0:
		return 0;
	case 1: /* a descriptor, of GPA direct, in-band, a completion, nothing */
		return (r >> 8 & 1 ? 9 : r >> 8 & 15) | (r >> 16 & 31) << 16 |
		       (r >> 24 & 0x1ff) << 32 | (r >> 40 & 1) << 48 | 1ULL << 52;
	case 2: /* a range: its length and its offset */
		return ((r >> 8 & 0x1ffff) | 0x2000) | (r >> 32 & 0x1fff) << 32 | 1ULL << 48;
	case 3:
		return ~0ULL << (r >> 8 & 31);
	case 4:
		return r | 1ULL << 62;
	default:
		return bus_pfn(r >> 8);
	}
}

static struct bus_ring *any_ring(uint64_t r)
{
	return &bus_memory.rings[r % BUS_CHANNELS][r >> 8 & 1];
}

static uint32_t any_index(uint64_t r)
{
	return r & 7 ? (uint32_t)((r >> 8) % (BUS_RING_SIZE / 8) * 8) : (uint32_t)(r >> 8);
}

static void hit_data(uint64_t a, uint64_t b)
{
	volatile uint8_t *at = a & 1 ? bus_memory.data : bus_memory.send;
	uint32_t size = a & 1 ? BUS_DATA_PAGES * 4096 : BUS_SEND_PAGES * 4096;

	/* Mostly where messages and lists begin. */
	at += a & 2 ? (a >> 8) % size : (a >> 8) % (size / 512) * 512 + (a >> 32) % 64;
	*at = (uint8_t)b;
}

static void any_message(unsigned cpu, uint64_t r)
{
	static const uint32_t types[] = {VMBUS_OPEN_CHANNEL, VMBUS_CLOSE_CHANNEL,
	        VMBUS_GPADL_TEARDOWN, VMBUS_MODIFY_CHANNEL, VMBUS_RELID_RELEASED,
	        VMBUS_GPADL_HEADER, VMBUS_GPADL_BODY, VMBUS_REQUEST_OFFERS, VMBUS_TL_CONNECT};
	uint32_t m[60] = {types[r % (sizeof(types) / 4)], 0};

	/* Whole connections end more rarely than channels. */
	if ((r >> 8 & 127) == 0) {
		m[0] = r >> 16 & 1 ? VMBUS_UNLOAD : VMBUS_INITIATE_CONTACT;
	}
	m[2] = 1 + (uint32_t)(r >> 24) % (BUS_CHANNELS + 1);
	m[3] = 0xe1e10 + (uint32_t)(r >> 32) % 64;
	m[4] = m[3];
	m[5] = (uint32_t)(r >> 40) & 3;
	m[6] = BUS_RING_PAGES;
	(void)bus_post(cpu, m, 20 + (r >> 48 & 255) % 200);
}

static void hit(unsigned cpu, uint64_t *n)
{
	uint64_t a = next(n), b = next(n);
	enum target target = (enum target)(a % TARGETS);
	struct bus_ring *ring = any_ring(a >> 8);

	a >>= 20;
	if (!(targets & 1U << target)) {
		return;
	}
	switch (target) {
	case INDEXES:
		*(a & 1 ? &ring->write : &ring->read) = any_index(b);
		break;
	case MASKS:
		switch (a % 3) {
		case 0:
			ring->mask = (uint32_t)b & 1;
			break;
		case 1:
			ring->pending = any_index(b);
			break;
		default:
			ring->features = (uint32_t)b & 1;
			break;
		}
		break;
	case PACKETS:
		*(volatile uint64_t *)(ring->data + (a >> 8) % (BUS_RING_SIZE / 8) * 8) =
		        any_word(b);
		break;
	case DATA:
		hit_data(a, b);
		break;
	case MESSAGES: /* the first one's, as it is posted */
		*(volatile uint64_t *)(bus_memory.input[0] + (a >> 8) % 32 * 8) = any_word(b);
		break;
	case PAGES:
		if (a & 1) {
			bus_memory.messages[a >> 8 & 1][VMBUS_SINT].type = (uint32_t)b & 1;
		} else {
			bus_memory.events[a >> 8 & 1][256 * VMBUS_SINT + (a >> 16 & 15)] =
			        (uint8_t)b;
			bus_memory.interrupts[a >> 24 & 511] = b;
		}
		break;
	case SIGNALS:
		bus_signal(1 + (uint32_t)a % (BUS_CHANNELS + 1));
		break;
	case LIVES:
		if (((a >> 8) & 255) == 0) {
			any_message(cpu, b);
		}
		break;
	case TARGETS:
		break;
	}
}

static void storm(unsigned index)
{
	uint64_t n = params.seed * 0x9e3779b97f4a7c15ULL + index;

	bus_synic_on(index);
	while (!ap_stop) {
		hit(index, &n);
	}
}

static void one_life(struct bus_channel *ch)
{
	switch (rnd_below(64)) {
	case 0:
		bus_close(ch);
		break;
	case 1:
		bus_take_back(ch, ch->gpadl - (uint32_t)rnd_below(3));
		break;
	default:
		for (uint64_t n = 1 + rnd_below(8); n != 0; n--) {
			bus_ask(ch);
		}
		bus_answer(ch);
		break;
	}
}

static void some_rounds(void)
{
	for (unsigned n = 0; n < 400; n++) {
		struct bus_channel *ch = &bus_channels[rnd_below(BUS_CHANNELS)];

		bus_listen();
		if (ch->kind == BUS_NONE) {
			continue;
		}
		/* One that has been broken, or closed by another vCPU, is opened again in time. */
		if (!ch->is_open) {
			bus_open(ch);
			bus_begin(ch);
		} else if (rnd_below(48) == 0) {
			bus_close(ch);
		} else {
			one_life(ch);
		}
	}
}

/* Mostly one kind of change, so that the conversation comes far; now and then all, or none. */
static uint32_t choose(void)
{
	switch (rnd_below(8)) {
	case 0:
		return 0;
	case 1:
		return (1U << TARGETS) - 1;
	default:
		return 1U << rnd_below(TARGETS) | 1U << rnd_below(TARGETS) | 1U << DATA;
	}
}

/* Two vCPUs or more; the devices that the VM has. */
ATTACK(bus_storm)
{
	static const uint32_t versions[] = {VMBUS_VERSION_MAX, VMBUS_VERSION_MAX,
	        VMBUS_VERSION_WIN10_V5, VMBUS_VERSION_WIN10_V4_1, VMBUS_VERSION_WIN8,
	        VMBUS_VERSION_WIN7, VMBUS_VERSION_WS2008};

	bus_synic_on(0);
	say("vCPUs", ap_start(storm) + 1, true);
	while (more()) {
		/* A connection is made in peace, more often than not. */
		targets = rnd_below(8) ? 0 : choose();
		if (bus_connect(versions[rnd_below(sizeof(versions) / sizeof(versions[0]))])) {
			targets = choose();
			some_rounds();
		}
		if (rnd_below(2)) {
			bus_unload();
		}
	}
	targets = 0;
	ap_park();
	bus_unload();
	/* The host's log has room again for two lines a second. */
	delay_us(3000000);
	say("connections", bus_counts.connections, true);
	say("openings", bus_counts.openings, true);
	say("packets sent", bus_counts.sent, true);
	say("packets received", bus_counts.received, true);
	say("completions", bus_counts.completions, true);
}
