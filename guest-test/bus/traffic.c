// SPDX-License-Identifier: BSD-2-Clause
// What drivers of the bus's devices do: their handshakes, requests that mostly make sense, answers.
// Specs: vmbus/vstor.h, vmbus/nvsp_wire.h, vmbus/rndis_wire.h, vmbus/ic.h.
#include "guest-test/bus/bus.h"
#include "vmbus/nvsp_wire.h"
#include "vmbus/vstor.h"

#define DATA_LEN (BUS_DATA_PAGES * 4096U)
#define SECTION 6144U
#define PAYLOAD_MAX 128U

static uint64_t last_id;

/* --- lists of pages: a range, or several, of the data --- */

struct list {
	uint32_t words[2 + 4 * (2 + 2 * (BUS_DATA_PAGES + 1))];
	uint32_t n; /* words */
};

static void add_range(struct list *l, uint32_t at, uint32_t len)
{
	const uint64_t first = ((uint64_t)bus_memory.data + at) >> 12;
	const uint32_t offset = at & 4095, pages = (offset + len + 4095) >> 12;

	l->words[1]++;
	l->words[l->n++] = len;
	l->words[l->n++] = offset;
	for (uint32_t i = 0; i < pages; i++) {
		uint64_t pfn = rnd_below(64) ? first + i : bus_pfn(rnd());

		l->words[l->n++] = (uint32_t)pfn;
		l->words[l->n++] = (uint32_t)(pfn >> 32);
	}
}

static bool send_data(struct bus_channel *ch, uint32_t len, const void *payload, uint32_t n)
{
	struct bus_desc d = {.type = BUS_GPA_DIRECT, .flags = 1, .id = ++last_id};
	struct list l = {.n = 2};
	uint32_t at = (uint32_t)rnd_below(4096), half = len / 2 & ~511U;

	if (rnd_below(2)) {
		at &= 512;
	}
	len = len < DATA_LEN - at ? len : DATA_LEN - at;
	if (half != 0 && rnd_below(4) == 0) {
		add_range(&l, at, half);
		add_range(&l, at + half, len - half);
	} else {
		add_range(&l, at, len);
	}
	return bus_write(ch, &d, l.words, l.n * 4, payload, n);
}

static bool send(struct bus_channel *ch, const void *payload, uint32_t n)
{
	struct bus_desc d = {.type = BUS_INBAND, .flags = 1, .id = ++last_id};

	return bus_write(ch, &d, NULL, 0, payload, n);
}

/* --- the SCSI controller --- */

static void scsi_say(struct bus_channel *ch, uint32_t operation, uint16_t value)
{
	struct vstor_packet p = {.operation = operation, .flags = 1};

	p.version = value;
	(void)send(ch, &p, sizeof(p));
}

static void scsi_begin(struct bus_channel *ch)
{
	if (ch->is_sub) {
		return;
	}
	scsi_say(ch, VSTOR_BEGIN_INITIALIZATION, 0);
	scsi_say(ch, VSTOR_QUERY_PROTOCOL_VERSION, 0x602);
	scsi_say(ch, VSTOR_QUERY_PROPERTIES, 0);
	scsi_say(ch, VSTOR_END_INITIALIZATION, 0);
	scsi_say(ch, VSTOR_CREATE_SUB_CHANNELS, 1);
}

/* Commands whose data go either way, and the bytes that say where and how much. */
static const struct {
	uint8_t code, len, lba_at, count_at;
	bool blocks; /* the count is one of blocks */
} commands[] = {
        {0x00, 6, 0, 0, false},
        {0x03, 6, 0, 4, false},
        {0x08, 6, 2, 4, true},
        {0x0a, 6, 2, 4, true},
        {0x12, 6, 0, 4, false},
        {0x1a, 6, 0, 4, false},
        {0x1b, 6, 0, 0, false},
        {0x1e, 6, 0, 0, false},
        {0x25, 10, 0, 0, false},
        {0x28, 10, 4, 8, true},
        {0x2a, 10, 4, 8, true},
        {0x2f, 10, 4, 8, true},
        {0x35, 10, 4, 8, true},
        {0x41, 10, 4, 8, true},
        {0x42, 10, 0, 8, false},
        {0x43, 10, 0, 8, false},
        {0x46, 10, 0, 8, false},
        {0x4a, 10, 0, 8, false},
        {0x51, 10, 0, 8, false},
        {0x52, 10, 0, 8, false},
        {0x5a, 10, 0, 8, false},
        {0x88, 16, 8, 13, true},
        {0x8a, 16, 8, 13, true},
        {0x8f, 16, 8, 13, true},
        {0x91, 16, 8, 13, true},
        {0x93, 16, 8, 13, true},
        {0x9e, 16, 0, 13, false},
        {0xa0, 12, 0, 9, false},
        {0xa3, 12, 0, 9, false},
        {0xa8, 12, 4, 9, true},
        {0xaa, 12, 4, 9, true},
};

static void scsi_ask(struct bus_channel *ch)
{
	struct vstor_packet p = {.operation = VSTOR_EXECUTE_SRB, .flags = 1};
	/* Half of them move blocks, as those do that matter most. */
	unsigned i = rnd_below(2) ? (rnd_below(2) ? 9 : 10)
	                          : (unsigned)rnd_below(sizeof(commands) / sizeof(commands[0]));
	uint32_t count = 1 + (uint32_t)rnd_below(32), len = commands[i].blocks ? count * 512 : 256;

	if (rnd_below(64) == 0) {
		scsi_say(ch, 1 + (uint32_t)rnd_below(14), (uint16_t)rnd());
		return;
	}
	p.srb.length = sizeof(p.srb);
	p.srb.lun = (uint8_t)(rnd_below(16) ? 0 : rnd_below(3));
	p.srb.cdb_len = commands[i].len;
	p.srb.data_in = (uint8_t)rnd_below(3);
	p.srb.data_len = rnd_below(16) ? len : (uint32_t)rnd_odd();
	p.srb.cdb[0] = commands[i].code;
	if (commands[i].lba_at) {
		p.srb.cdb[commands[i].lba_at] = (uint8_t)rnd_below(8);
		p.srb.cdb[commands[i].lba_at + 1] = (uint8_t)rnd();
	}
	if (commands[i].count_at) {
		p.srb.cdb[commands[i].count_at] = commands[i].blocks ? (uint8_t)count : 255;
	}
	if (rnd_below(8) == 0) {
		p.srb.cdb[1 + rnd_below(15)] = (uint8_t)rnd();
	}
	(void)(rnd_below(32) ? send_data(ch, len, &p, sizeof(p)) : send(ch, &p, sizeof(p)));
}

/* --- the network adapter --- */

static void nic_say(struct bus_channel *ch, uint32_t type, uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t m[10] = {type, a, b, c};

	(void)send(ch, m, sizeof(m));
}

static void nic_control(struct bus_channel *ch, const uint32_t *words, uint32_t n)
{
	for (uint32_t i = 0; i < n * 4; i++) {
		bus_memory.send[i] = ((const uint8_t *)words)[i];
	}
	nic_say(ch, NVSP_SEND_RNDIS, NVSP_CHANNEL_CONTROL, 0, n * 4);
}

static void nic_begin(struct bus_channel *ch)
{
	static const uint32_t initialize[] = {2, 24, 1, 1, 0, 0x4000};
	static const uint32_t filter[] = {5, 32, 2, OID_GEN_CURRENT_PACKET_FILTER, 4, 20, 0, 0x2f};

	nic_say(ch, NVSP_INIT, NVSP_VERSION_1, NVSP_VERSION_61, 0);
	nic_say(ch, NVSP_SEND_NDIS_CONFIG, 1514, 0, 0);
	nic_say(ch, NVSP_SEND_RECV_BUF, bus_lend(ch, bus_memory.recv, BUS_RECV_PAGES), 0xcafe, 0);
	nic_say(ch, NVSP_SEND_SEND_BUF, bus_lend(ch, bus_memory.send, BUS_SEND_PAGES), 0, 0);
	nic_control(ch, initialize, sizeof(initialize) / 4);
	nic_control(ch, filter, sizeof(filter) / 4);
}

static void nic_query(struct bus_channel *ch)
{
	static const uint32_t oids[] = {OID_GEN_SUPPORTED_LIST, OID_GEN_MAXIMUM_FRAME_SIZE,
	        OID_GEN_LINK_SPEED, OID_GEN_CURRENT_PACKET_FILTER, OID_802_3_CURRENT_ADDRESS,
	        OID_802_3_MULTICAST_LIST, OID_TCP_OFFLOAD_PARAMETERS,
	        OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES, OID_GEN_RNDIS_CONFIG_PARAMETER};
	uint32_t m[16] = {rnd_below(8) ? 4 + (uint32_t)rnd_below(2) : (uint32_t)rnd_below(10), 64,
	        (uint32_t)rnd(), oids[rnd_below(sizeof(oids) / 4)], 36, 20};

	for (unsigned i = 7; i < 16; i++) {
		m[i] = rnd_below(2) ? 0 : (uint32_t)rnd_odd();
	}
	if (rnd_below(4) == 0) {
		m[1 + rnd_below(5)] = (uint32_t)rnd_odd();
	}
	nic_control(ch, m, 16);
}

/* A frame in its RNDIS message, at p: to everybody, to one address or another; IP, or not. */
static uint32_t put_frame(volatile uint8_t *p)
{
	const bool large = rnd_below(8) == 0, info = rnd_below(2);
	uint32_t data = 60 + (uint32_t)rnd_below(large ? 3000 : 1400), head = info ? 60 : 44;
	uint32_t m[15] = {1, head + data, head - 8, data, 0, 0, 0, info ? 36 : 0, info ? 16 : 0, 0,
	        0, 16, rnd_below(2) ? 2 : 0, 12, rnd_below(2) ? 1400 : 0x1c};

	if (rnd_below(16) == 0) {
		m[rnd_below(15)] = (uint32_t)rnd_odd();
	}
	for (uint32_t i = 0; i < head; i++) {
		p[i] = ((const uint8_t *)m)[i];
	}
	p += head;
	for (uint32_t i = 0; i < 64; i++) {
		p[i] = (uint8_t)(i < 6 && rnd_below(2) ? 0xff : rnd());
	}
	p[6] = 0x02; /* a source of its own */
	if (rnd_below(4)) {
		p[12] = 0x08;
		p[13] = 0x00;
		p[14] = 0x45;
		p[23] = rnd_below(2) ? 6 : 17;
	}
	return head + data;
}

static void nic_ask(struct bus_channel *ch)
{
	uint32_t section = (uint32_t)rnd_below(BUS_SEND_PAGES * 4096 / SECTION), len;
	uint32_t m[4] = {NVSP_SEND_RNDIS, NVSP_CHANNEL_DATA, NVSP_NO_SECTION, 0};

	switch (rnd_below(16)) {
	case 0:
		nic_query(ch);
		return;
	case 1:
		nic_say(ch, rnd_below(4) ? 100 + (uint32_t)rnd_below(34) : (uint32_t)rnd_below(5),
		        (uint32_t)rnd_odd(), (uint32_t)rnd_odd(), (uint32_t)rnd_odd());
		return;
	case 2:
	case 3:
	case 4:
	case 5: /* by page numbers, which send_data() says may lie elsewhere */
		for (unsigned page = 0; page < 2; page++) {
			len = put_frame(bus_memory.data + page * 512);
		}
		(void)send_data(ch, len, m, sizeof(m));
		return;
	default:
		len = put_frame(bus_memory.send + section * SECTION);
		nic_say(ch, NVSP_SEND_RNDIS, NVSP_CHANNEL_DATA,
		        rnd_below(32) ? section : (uint32_t)rnd_odd(),
		        rnd_below(32) ? len : (uint32_t)rnd_odd());
		return;
	}
}

/* --- all of them --- */

void bus_begin(struct bus_channel *ch)
{
	if (ch->kind == BUS_SCSI) {
		scsi_begin(ch);
	} else if (ch->kind == BUS_NIC && !ch->is_sub) {
		nic_begin(ch);
	}
}

void bus_ask(struct bus_channel *ch)
{
	uint8_t m[PAYLOAD_MAX];

	switch (ch->kind) {
	case BUS_SCSI:
		scsi_ask(ch);
		break;
	case BUS_NIC:
		nic_ask(ch);
		break;
	case BUS_SERVICE: /* they ask; words of nobody's */
		for (unsigned i = 0; i < sizeof(m); i++) {
			m[i] = (uint8_t)rnd_odd();
		}
		(void)send(ch, m, (uint32_t)rnd_below(sizeof(m)));
		break;
	case BUS_NONE:
		break;
	}
}

/* What a driver answers: the receipt of frames, a service's request. */
void bus_answer(struct bus_channel *ch)
{
	static uint8_t buf[BUS_RING_SIZE];
	struct bus_desc d;
	uint32_t len;

	for (unsigned n = 0; n < 16 && (len = bus_read(ch, &d, buf, sizeof(buf))) != 0; n++) {
		if (d.type == BUS_XFER_PAGES && rnd_below(32)) {
			static const uint32_t done[2] = {NVSP_SEND_RNDIS_COMPLETE, NVSP_SUCCESS};
			struct bus_desc answer = {.type = BUS_COMPLETION, .id = d.id};

			do {
				(void)bus_write(ch, &answer, NULL, 0, done, sizeof(done));
			} while (rnd_below(64) == 0);
		} else if (ch->kind == BUS_SERVICE && len > sizeof(d) + 28) {
			struct bus_desc answer = {.type = BUS_INBAND};
			uint8_t *body = buf + sizeof(d);

			body[25] = 4; /* flags: a response */
			if (body[12] == 0) {
				/* One version of each list: the first. */
				body[28] = body[30] = 1;
				memcpy(body + 40, body + 36 + 4 * 2, 4);
			}
			if (rnd_below(4) == 0) {
				body[rnd_below(len - sizeof(d))] = (uint8_t)rnd_odd();
			}
			(void)bus_write(ch, &answer, NULL, 0, body, len - (uint32_t)sizeof(d));
		}
	}
}
