/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fake VM with a whole bus - SynIC, server, channels - and the driver in its guest: for tests of
 * channels, and of devices behind them.
 *
 * The guest's memory: message and event pages of VP 0, then a ring GPADL for each relid; pages from
 * VMBUS_VM_BUFFERS on are the test's.
 */
#ifndef TESTS_VMBUS_VM_H
#define TESTS_VMBUS_VM_H

#include "tests/hv_world.h"
#include "vmbus/vmbus.h"
#include "vmm/pv.h"

#define VMBUS_VM_SIMP 0x300000ULL
#define VMBUS_VM_SIEFP 0x301000ULL
#define VMBUS_VM_RINGS 0x310000ULL /* 32 pages each */
#define VMBUS_VM_BUFFERS 0x600000ULL
#define VMBUS_VM_VECTOR 0xf3U
#define VMBUS_VM_RING_PAGES 16U /* each way, with the header */
#define VMBUS_VM_GPADL 0xe1e10U /* + relid */

static struct vm *bus_vm;
static struct vmbus *bus;

static inline void bus_wr(uint32_t msr, uint64_t value)
{
	ck_assert(hv_msr_write(bus_vm->vcpus[0], msr, value));
}

/* A VM with a bus and no channels; nobody has said anything. vCPU 0 runs, the others sleep. */
static inline void bus_setup(unsigned n_vcpus)
{
	static void *memory;

	if (!memory) {
		memory = aligned_alloc(PAGE_SIZE, vmbus_memory_pages() * PAGE_SIZE);
	}
	*fake_caps() = (struct virt_caps){0};
	bus_vm = hv_world(n_vcpus, (1U << HV_FEATURE_COUNT) - 1);
	memset(memory, 0, vmbus_memory_pages() * PAGE_SIZE);
	ck_assert_int_eq(vmbus_attach(bus_vm, memory, VMBUS_VERSION_MAX), 0);
	bus = vmbus_of(bus_vm);
	for (unsigned i = 1; i < n_vcpus; i++) {
		bus_vm->vcpus[i]->state = VCPU_HALTED;
	}
	bus_wr(HV_MSR_SCONTROL, HV_SCONTROL_ENABLE);
	bus_wr(HV_MSR_SIMP, VMBUS_VM_SIMP | 1);
	bus_wr(HV_MSR_SIEFP, VMBUS_VM_SIEFP | 1);
	bus_wr(HV_MSR_SINT0 + VMBUS_SINT, VMBUS_VM_VECTOR);
}

static inline void *bus_ram(uint64_t at)
{
	struct gmem_span span;

	ck_assert_int_eq(gmem_map_ram(&bus_vm->mem, gpa(at), 1, &span), 0);
	return span.hva;
}

/* What a vCPU does before it enters the guest, if it was asked to. */
static inline void bus_serve(unsigned vp)
{
	const uint64_t ours = BIT64(VCPU_REQ_PV) | BIT64(VCPU_REQ_PV_IDLE);

	if (bus_vm->vcpus[vp]->requests & ours) {
		bus_vm->vcpus[vp]->requests &= ~ours;
		bus_vm->pv->serve(bus_vm->vcpus[vp]);
	}
}

/* vCPU 0 has nothing to do. */
static inline void bus_halt(void)
{
	bus_vm->vcpus[0]->state = VCPU_HALTED;
	bus_serve(0);
	bus_vm->vcpus[0]->state = VCPU_RUNNABLE;
}

/* --- messages --- */

static inline enum hv_status bus_say(const void *message, size_t size)
{
	return synic_port_message(
	        bus_vm, VMBUS_MESSAGE_CONNECTION_4, VMBUS_MESSAGE_TYPE, message, (uint32_t)size);
}

/* The message in the guest's slot, taken out of it; its type, 0 = none. */
static inline uint32_t bus_hear(union vmbus_guest_message *m)
{
	uint64_t slot = VMBUS_VM_SIMP + VMBUS_SINT * HV_MESSAGE_SIZE;
	struct hv_message message;
	uint32_t none = HV_MESSAGE_NONE;

	ck_assert_int_eq(gmem_read(&bus_vm->mem, gpa(slot), &message, sizeof(message)), 0);
	if (message.type == HV_MESSAGE_NONE) {
		return 0;
	}
	ck_assert_uint_eq(message.type, VMBUS_MESSAGE_TYPE);
	memset(m, 0, sizeof(*m));
	memcpy(m, message.payload, message.payload_size);
	ck_assert_int_eq(gmem_write(&bus_vm->mem, gpa(slot), &none, sizeof(none)), 0);
	bus_wr(HV_MSR_EOM, 0);
	bus_serve(0);
	return m->header.type;
}

static inline void bus_expect(uint32_t type, union vmbus_guest_message *m)
{
	ck_assert_uint_eq(bus_hear(m), type);
}

static inline void bus_contact(uint32_t version, uint64_t target)
{
	struct vmbus_msg_contact contact = {.header.type = VMBUS_INITIATE_CONTACT,
	        .version = version,
	        .interrupt_page = target};
	union vmbus_guest_message m;

	ck_assert_int_eq(bus_say(&contact, sizeof(contact)), HV_STATUS_SUCCESS);
	bus_expect(VMBUS_VERSION_RESPONSE, &m);
	ck_assert_uint_eq(m.bytes[8], 1);
}

/* As Linux does; how many offers came. */
static inline unsigned bus_connect(void)
{
	struct vmbus_msg_header request = {.type = VMBUS_REQUEST_OFFERS};
	union vmbus_guest_message m;
	unsigned n = 0;

	bus_contact(VMBUS_VERSION_MAX, VMBUS_SINT);
	ck_assert_int_eq(bus_say(&request, sizeof(request)), HV_STATUS_SUCCESS);
	while (bus_hear(&m) == VMBUS_OFFER_CHANNEL) {
		n++;
	}
	ck_assert_uint_eq(m.header.type, VMBUS_ALL_OFFERS_DELIVERED);
	return n;
}

static inline void bus_gpadl(uint32_t relid, uint32_t id, uint64_t at, uint32_t n_pages)
{
	struct {
		struct vmbus_msg_gpadl_header h;
		struct vmbus_gpa_range range;
		uint32_t pfns[2 * 26]; /* they are 64-bit, and only 4-aligned */
	} m = {.h = {.header.type = VMBUS_GPADL_HEADER,
	               .relid = relid,
	               .gpadl = id,
	               .list_bytes = (uint16_t)(8 + 8 * n_pages),
	               .range_count = 1},
	        .range.byte_count = n_pages * (uint32_t)PAGE_SIZE};
	uint32_t sent = 0;
	union vmbus_guest_message answer;

	for (; sent < n_pages && sent < 26; sent++) {
		uint64_t pfn = (at >> PAGE_SHIFT) + sent;

		memcpy(&m.pfns[2 * sent], &pfn, sizeof(pfn));
	}
	ck_assert_int_eq(bus_say(&m, sizeof(m.h) + sizeof(m.range) + 8 * sent), HV_STATUS_SUCCESS);
	while (sent < n_pages) {
		struct {
			struct vmbus_msg_gpadl_body h;
			uint64_t pfns[28];
		} body = {.h = {.header.type = VMBUS_GPADL_BODY, .gpadl = id}};
		uint32_t n = 0;

		for (; sent < n_pages && n < 28; sent++) {
			body.pfns[n++] = (at >> PAGE_SHIFT) + sent;
		}
		ck_assert_int_eq(bus_say(&body, sizeof(body.h) + 8 * n), HV_STATUS_SUCCESS);
	}
	bus_expect(VMBUS_GPADL_CREATED, &answer);
}

/* --- a channel: the guest's end of its rings --- */

struct bus_rings {
	uint32_t relid;
	uint8_t *out, *in; /* header pages; of the guest's sending and receiving ring */
	uint32_t size;     /* of data */
};

/* Status of the opening. */
static inline uint32_t bus_open(uint32_t relid, struct bus_rings *r)
{
	uint64_t at = VMBUS_VM_RINGS + relid * 2 * VMBUS_VM_RING_PAGES * PAGE_SIZE;
	struct vmbus_msg_open open = {.header.type = VMBUS_OPEN_CHANNEL,
	        .relid = relid,
	        .open_id = relid,
	        .ring_gpadl = VMBUS_VM_GPADL + relid,
	        .out_offset_pages = VMBUS_VM_RING_PAGES,
	        .user = {0x55}};
	union vmbus_guest_message m;
	uint32_t status;

	*r = (struct bus_rings){.relid = relid,
	        .out = bus_ram(at),
	        .in = bus_ram(at + VMBUS_VM_RING_PAGES * PAGE_SIZE),
	        .size = (VMBUS_VM_RING_PAGES - 1) * (uint32_t)PAGE_SIZE};
	memset(r->out, 0, 2 * VMBUS_VM_RING_PAGES * PAGE_SIZE);
	((struct ring_header *)r->out)->feature_bits = 1;
	((struct ring_header *)r->in)->feature_bits = 1;
	bus_gpadl(relid, open.ring_gpadl, at, 2 * VMBUS_VM_RING_PAGES);
	ck_assert_int_eq(bus_say(&open, sizeof(open)), HV_STATUS_SUCCESS);
	bus_expect(VMBUS_OPEN_RESULT, &m);
	memcpy(&status, m.bytes + 16, sizeof(status));
	if (status == 0) {
		bus_serve(0);
	}
	return status;
}

static inline void bus_close(uint32_t relid)
{
	struct vmbus_msg_relid close = {.header.type = VMBUS_CLOSE_CHANNEL, .relid = relid};
	struct vmbus_msg_gpadl_teardown down = {.header.type = VMBUS_GPADL_TEARDOWN,
	        .relid = relid,
	        .gpadl = VMBUS_VM_GPADL + relid};
	union vmbus_guest_message m;

	ck_assert_int_eq(bus_say(&close, sizeof(close)), HV_STATUS_SUCCESS);
	ck_assert_int_eq(bus_say(&down, sizeof(down)), HV_STATUS_SUCCESS);
	while (bus_hear(&m) != VMBUS_GPADL_TORNDOWN) {
		ck_assert_uint_eq(m.header.type, VMBUS_RESCIND_OFFER); /* of its sub-channels */
	}
}

static inline enum hv_status bus_signal(uint32_t relid)
{
	return synic_port_event(bus_vm->vcpus[0], VMBUS_SIGNAL_CONNECTION(relid), 0);
}

/* Put a packet into the ring, as it is, and signal as Linux does; false = there is no room. */
static inline bool bus_write_raw(struct bus_rings *r, const void *packet, uint32_t len)
{
	struct ring_header *h = (struct ring_header *)r->out;
	uint32_t at = h->write_index, used;

	used = at >= h->read_index ? at - h->read_index : r->size - h->read_index + at;
	if (len + 8 >= r->size - used) {
		return false;
	}
	for (uint32_t i = 0; i < len; i++) {
		r->out[PAGE_SIZE + (at + i) % r->size] = ((const uint8_t *)packet)[i];
	}
	h->write_index = (at + len + 8) % r->size;
	if (!h->interrupt_mask && at == h->read_index) {
		ck_assert_int_eq(bus_signal(r->relid), HV_STATUS_SUCCESS);
	}
	return true;
}

/* In-band; the completion is wanted unless trans_id is 0. */
static inline bool bus_write(
        struct bus_rings *r, uint64_t trans_id, const void *payload, uint32_t len)
{
	uint8_t packet[8192] = {0};
	uint32_t total = (16 + len + 7) / 8 * 8;
	struct ring_desc d = {.type = RING_PACKET_INBAND,
	        .data_offset = 2,
	        .len = (uint16_t)(total / 8),
	        .flags = trans_id != 0,
	        .trans_id = trans_id};

	ck_assert_uint_le(total, sizeof(packet));
	memcpy(packet, &d, sizeof(d));
	memcpy(packet + 16, payload, len);
	return bus_write_raw(r, packet, total);
}

/* GPA direct with one range: n_bytes at 'at', page by page. */
static inline bool bus_write_gpa(struct bus_rings *r, uint64_t trans_id, uint64_t at,
        uint32_t n_bytes, const void *payload, uint32_t len)
{
	uint8_t packet[8192] = {0};
	uint32_t offset = (uint32_t)(at & PAGE_MASK);
	uint32_t pages = (offset + n_bytes + 4095) / 4096;
	uint32_t data_offset = 32 + 8 * pages, total = (data_offset + len + 7) / 8 * 8;
	struct ring_desc d = {.type = RING_PACKET_GPA_DIRECT,
	        .data_offset = (uint16_t)(data_offset / 8),
	        .len = (uint16_t)(total / 8),
	        .flags = 1,
	        .trans_id = trans_id};
	uint32_t head[4] = {0, 1, n_bytes, offset};

	ck_assert_uint_le(total, sizeof(packet));
	memcpy(packet, &d, sizeof(d));
	memcpy(packet + 16, head, sizeof(head));
	for (uint32_t i = 0; i < pages; i++) {
		uint64_t pfn = (at >> PAGE_SHIFT) + i;

		memcpy(packet + 32 + 8 * i, &pfn, sizeof(pfn));
	}
	memcpy(packet + data_offset, payload, len);
	return bus_write_raw(r, packet, total);
}

/* The next packet to the guest, whole, with its descriptor; its length, 0 = none. */
static inline uint32_t bus_read(struct bus_rings *r, void *packet, uint32_t max)
{
	struct ring_header *h = (struct ring_header *)r->in;
	uint32_t at = h->read_index, len;
	uint32_t wanted = h->pending_send_size, before, now;
	struct ring_desc d;

	if (at == h->write_index) {
		return 0;
	}
	for (uint32_t i = 0; i < sizeof(d); i++) {
		((uint8_t *)&d)[i] = r->in[PAGE_SIZE + (at + i) % r->size];
	}
	len = d.len * 8U;
	ck_assert_uint_le(len, max);
	for (uint32_t i = 0; i < len; i++) {
		((uint8_t *)packet)[i] = r->in[PAGE_SIZE + (at + i) % r->size];
	}
	before = at > h->write_index ? at - h->write_index : r->size - h->write_index + at;
	h->read_index = (at + len + 8) % r->size;
	now = before + len + 8;
	if (h->feature_bits && wanted && before <= wanted && wanted < now) {
		ck_assert_int_eq(bus_signal(r->relid), HV_STATUS_SUCCESS);
	}
	return len;
}

/* The channel's event flag, taken. */
static inline bool bus_interrupted(uint32_t flag)
{
	uint8_t *byte = hv_vcpu(bus_vm->vcpus[0])->synic.event_page + VMBUS_SINT * 256 + flag / 8;
	bool set = *byte >> flag % 8 & 1;

	*byte &= (uint8_t) ~(1U << flag % 8);
	return set;
}

#endif
