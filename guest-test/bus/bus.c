// SPDX-License-Identifier: BSD-2-Clause
// The VMBus as a guest speaks it: hypercalls, messages, rings.
// Specs: vmbus/proto.h, vmbus/ring.h.
#include "guest-test/bus/bus.h"

#define PORT_MESSAGES 1U
#define PORT_MESSAGES_5 4U
#define VECTOR 0xf3
#define POLLS 20000U
#define TRIES 200U

struct bus_memory bus_memory __attribute__((aligned(4096)));
struct bus_channel bus_channels[BUS_CHANNELS];
struct bus_counts bus_counts;

static uint32_t port = PORT_MESSAGES, last_gpadl = 0xe1e10;
static bool answered, all_offers; /* by the host, since the question */

uint64_t bus_pfn(uint64_t random)
{
	const uint64_t first = (uint64_t)&bus_memory >> 12, n = sizeof(bus_memory) >> 12;
	const uint64_t ram = ram_size() >> 12;

	switch (random & 15) {
	case 0:
		return ram + (random >> 32);
	case 1:
		return 0xfee00;
	case 2:
		return 0xa0;
	case 3:
		return ~0ULL - (random >> 60);
	default:
		return first + (random >> 8) % n;
	}
}

/* --- calls --- */

uint64_t bus_call(uint64_t control, uint64_t input, uint64_t output)
{
	register uint64_t r8 __asm__("r8") = output;
	uint64_t result;

	__asm__ volatile("vmcall"
	                 : "=a"(result), "+c"(control), "+d"(input), "+r"(r8)
	                 :
	                 : "memory", "cc", "r9", "r10", "r11");
	return result;
}

void bus_synic_on(unsigned cpu)
{
	wrmsr(HV_MSR_GUEST_OS_ID, 0x81ULL << 56 | 1);
	wrmsr(HV_MSR_HYPERCALL, (uint64_t)bus_memory.code | HV_PAGE_MSR_ENABLE);
	wrmsr(HV_MSR_SCONTROL, HV_SCONTROL_ENABLE);
	wrmsr(HV_MSR_SIMP, (uint64_t)bus_memory.messages[cpu] | HV_PAGE_MSR_ENABLE);
	wrmsr(HV_MSR_SIEFP, (uint64_t)bus_memory.events[cpu] | HV_PAGE_MSR_ENABLE);
	/* Interrupts stay off: its place in the APIC is all that they take. */
	wrmsr(HV_MSR_SINT0 + VMBUS_SINT, VECTOR);
}

uint32_t bus_post(unsigned cpu, const void *message, uint32_t size)
{
	volatile uint8_t *input = bus_memory.input[cpu];
	const uint32_t head[4] = {port, 0, VMBUS_MESSAGE_TYPE, size};

	for (uint32_t i = 0; i < sizeof(head); i++) {
		input[i] = ((const uint8_t *)head)[i];
	}
	for (uint32_t i = 0; i < size; i++) {
		input[sizeof(head) + i] = ((const uint8_t *)message)[i];
	}
	return (uint32_t)bus_call(HV_CALL_POST_MESSAGE, (uint64_t)input, 0) & 0xffff;
}

void bus_signal(uint32_t relid)
{
	(void)bus_call(HV_CALL_SIGNAL_EVENT | 1U << 16, VMBUS_SIGNAL_CONNECTION(relid), 0);
}

/* --- what the host says --- */

static struct bus_channel *find(uint32_t relid)
{
	for (unsigned i = 0; i < BUS_CHANNELS; i++) {
		if (bus_channels[i].kind != BUS_NONE && bus_channels[i].relid == relid) {
			return &bus_channels[i];
		}
	}
	return NULL;
}

static void offered(const struct vmbus_msg_offer *m)
{
	struct bus_channel *ch = find(m->relid);
	uint32_t type;

	for (unsigned i = 0; i < BUS_CHANNELS && !ch; i++) {
		ch = bus_channels[i].kind == BUS_NONE ? &bus_channels[i] : NULL;
	}
	if (!ch) {
		return;
	}
	memcpy(&type, &m->type, sizeof(type));
	*ch = (struct bus_channel){
	        .kind = type == 0xba6163d9   ? BUS_SCSI
	                : type == 0xf8615163 ? BUS_NIC
	                                     : BUS_SERVICE,
	        .relid = m->relid,
	        .is_sub = m->sub_index != 0,
	};
}

static void say_relid(uint32_t type, uint32_t relid)
{
	struct vmbus_msg_relid m = {.header.type = type, .relid = relid};

	(void)bus_post(0, &m, sizeof(m));
}

static void rescinded(uint32_t relid)
{
	struct bus_channel *ch = find(relid);

	if (ch) {
		ch->kind = BUS_NONE;
	}
	say_relid(VMBUS_RELID_RELEASED, relid);
}

/* One message out of the slot; false = there is none. */
static bool hear(void)
{
	volatile struct hv_message *slot = &bus_memory.messages[0][VMBUS_SINT];
	union {
		uint32_t type;
		struct vmbus_msg_offer offer;
		struct vmbus_msg_relid relid;
		struct vmbus_msg_version_response version;
		uint8_t bytes[HV_MESSAGE_PAYLOAD];
	} m;

	if (slot->type == HV_MESSAGE_NONE) {
		return false;
	}
	for (unsigned i = 0; i < sizeof(m); i++) {
		m.bytes[i] = slot->payload[i];
	}
	slot->type = HV_MESSAGE_NONE;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wrmsr(HV_MSR_EOM, 0);
	switch (m.type) {
	case VMBUS_OFFER_CHANNEL:
		offered(&m.offer);
		break;
	case VMBUS_RESCIND_OFFER:
		rescinded(m.relid.relid);
		break;
	case VMBUS_ALL_OFFERS_DELIVERED:
		all_offers = true;
		break;
	case VMBUS_VERSION_RESPONSE:
		answered = m.version.supported;
		break;
	default:
		answered = true;
		break;
	}
	return true;
}

void bus_listen(void)
{
	for (unsigned i = 0; i < TRIES && hear(); i++) {
	}
}

static bool wait_until(const bool *what)
{
	for (unsigned i = 0; i < POLLS && !*what; i++) {
		(void)hear();
		__asm__ volatile("pause" ::: "memory");
	}
	return *what;
}

static void ask(const void *message, uint32_t size)
{
	answered = false;
	for (unsigned i = 0; i < TRIES; i++) {
		if (bus_post(0, message, size) != HV_STATUS_INSUFFICIENT_BUFFERS) {
			return;
		}
		bus_listen();
	}
}

/* --- the conversation --- */

bool bus_connect(uint32_t version)
{
	struct vmbus_msg_contact contact = {
	        .header.type = VMBUS_INITIATE_CONTACT, .version = version};
	struct vmbus_msg_header request = {.type = VMBUS_REQUEST_OFFERS};

	port = PORT_MESSAGES;
	if (version >= VMBUS_VERSION_WIN10_V5) {
		port = PORT_MESSAGES_5;
		contact.sint = VMBUS_SINT;
	} else {
		contact.interrupt_page = (uint64_t)bus_memory.interrupts;
	}
	memset(bus_channels, 0, sizeof(bus_channels));
	/* What another vCPU wrote there would be in the way for ever. */
	bus_memory.messages[0][VMBUS_SINT].type = HV_MESSAGE_NONE;
	wrmsr(HV_MSR_EOM, 0);
	ask(&contact, sizeof(contact));
	if (!wait_until(&answered)) {
		return false;
	}
	all_offers = false;
	ask(&request, sizeof(request));
	bus_counts.connections += wait_until(&all_offers);
	return all_offers;
}

uint32_t bus_lend(struct bus_channel *ch, const volatile void *at, uint32_t n_pages)
{
	struct {
		struct vmbus_msg_gpadl_header h;
		struct vmbus_gpa_range range;
		uint32_t pfns[2 * 26]; /* they are 64-bit, and only 4-aligned */
	} m = {.h = {.header.type = VMBUS_GPADL_HEADER,
	               .relid = ch->relid,
	               .gpadl = ++last_gpadl,
	               .list_bytes = (uint16_t)(8 + 8 * n_pages),
	               .range_count = 1},
	        .range.byte_count = n_pages * 4096};
	uint32_t sent = 0;

	for (; sent < n_pages && sent < 26; sent++) {
		m.pfns[2 * sent] = (uint32_t)(((uint64_t)at >> 12) + sent);
	}
	ask(&m, sizeof(m.h) + sizeof(m.range) + 8 * sent);
	while (sent < n_pages) {
		struct {
			struct vmbus_msg_gpadl_body h;
			uint64_t pfns[28];
		} body = {.h = {.header.type = VMBUS_GPADL_BODY, .gpadl = last_gpadl}};
		uint32_t n = 0;

		for (; sent < n_pages && n < 28; sent++) {
			body.pfns[n++] = ((uint64_t)at >> 12) + sent;
		}
		ask(&body, (uint32_t)sizeof(body.h) + 8 * n);
	}
	(void)wait_until(&answered);
	return last_gpadl;
}

void bus_take_back(struct bus_channel *ch, uint32_t gpadl)
{
	struct vmbus_msg_gpadl_teardown m = {
	        .header.type = VMBUS_GPADL_TEARDOWN, .relid = ch->relid, .gpadl = gpadl};

	ask(&m, sizeof(m));
}

void bus_open(struct bus_channel *ch)
{
	struct bus_ring *rings = bus_memory.rings[ch - bus_channels];
	struct vmbus_msg_open m = {
	        .header.type = VMBUS_OPEN_CHANNEL,
	        .relid = ch->relid,
	        .open_id = ch->relid,
	        .target_vp = (uint32_t)rnd_below(2),
	        .out_offset_pages = BUS_RING_PAGES,
	};

	ch->gpadl = m.ring_gpadl = bus_lend(ch, rings, 2 * BUS_RING_PAGES);
	for (unsigned i = 0; i < 2; i++) {
		rings[i].write = rings[i].read = rings[i].mask = rings[i].pending = 0;
		rings[i].features = 1;
	}
	ch->write = ch->read = 0;
	ask(&m, sizeof(m));
	ch->is_open = wait_until(&answered);
	bus_counts.openings += ch->is_open;
}

void bus_close(struct bus_channel *ch)
{
	ch->is_open = false;
	say_relid(VMBUS_CLOSE_CHANNEL, ch->relid);
	bus_take_back(ch, ch->gpadl);
}

void bus_unload(void)
{
	struct vmbus_msg_header m = {.type = VMBUS_UNLOAD};

	ask(&m, sizeof(m));
	(void)wait_until(&answered);
}

/* --- packets --- */

static void put(struct bus_ring *ring, uint32_t *at, const void *from, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++, *at = (*at + 1) % BUS_RING_SIZE) {
		ring->data[*at] = ((const uint8_t *)from)[i];
	}
}

bool bus_write(struct bus_channel *ch, const struct bus_desc *desc, const void *list,
        uint32_t list_len, const void *payload, uint32_t len)
{
	struct bus_ring *ring = &bus_memory.rings[ch - bus_channels][0];
	struct bus_desc d = *desc;
	uint32_t total = (uint32_t)sizeof(d) + list_len + ((len + 7) & ~7U);
	uint32_t read = ring->read % BUS_RING_SIZE, at = ch->write;

	if ((at + BUS_RING_SIZE - read) % BUS_RING_SIZE + total + 16 > BUS_RING_SIZE) {
		bus_signal(ch->relid);
		return false;
	}
	d.data_offset = (uint16_t)((sizeof(d) + list_len) / 8);
	d.len = (uint16_t)(total / 8);
	put(ring, &at, &d, sizeof(d));
	put(ring, &at, list, list_len);
	put(ring, &at, payload, len);
	ch->write = (ch->write + total + 8) % BUS_RING_SIZE;
	ring->write = ch->write;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!ring->mask || rnd_below(16) == 0) {
		bus_signal(ch->relid);
	}
	bus_counts.sent++;
	return true;
}

uint32_t bus_read(struct bus_channel *ch, struct bus_desc *desc, uint8_t *buf, uint32_t max)
{
	struct bus_ring *ring = &bus_memory.rings[ch - bus_channels][1];
	uint32_t at = ch->read, len;

	/* Bytes of other vCPUs: nothing of it is believed further than the ring goes. */
	if (at == ring->write) {
		return 0;
	}
	for (uint32_t i = 0; i < sizeof(*desc); i++) {
		((uint8_t *)desc)[i] = ring->data[(at + i) % BUS_RING_SIZE];
	}
	len = desc->len * 8U;
	if (len < sizeof(*desc) || len + 8 > BUS_RING_SIZE) {
		return 0;
	}
	for (uint32_t i = 0; i < len && i < max; i++) {
		buf[i] = ring->data[(at + i) % BUS_RING_SIZE];
	}
	ch->read = (at + len + 8) % BUS_RING_SIZE;
	ring->read = ch->read;
	bus_counts.received++;
	bus_counts.completions += desc->type == BUS_COMPLETION;
	return len < max ? len : max;
}
