// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a device does with its open channel: packets in, each checked once copied; packets out.
 * Specs: Linux include/linux/hyperv.h "vmpacket_descriptor", "vmdata_gpa_direct",
 * "vmtransfer_page_packet_header".
 */
#include "vmbus/channel.h"

#include "vmbus/channel_run.h"
#include "vmbus/vmbus.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"
#include "vmm/vm.h"

/* Behind the descriptor of a packet with a list of ranges. */
struct list_head {
	uint16_t pageset; /* transfer pages only */
	uint16_t reserved;
	uint32_t n_ranges;
};
_Static_assert(sizeof(struct list_head) == 8, "Linux vmdata_gpa_direct, before range");

/* A range of a GPA direct packet; the numbers of its pages follow. */
struct gpa_range {
	uint32_t len;
	uint32_t offset;
};
_Static_assert(sizeof(struct gpa_range) == 8, "Linux gpa_range");
_Static_assert(sizeof(struct vmbus_xfer_range) == 8, "Linux vmtransfer_page_range");

#define LIST_AT (sizeof(struct ring_desc) + sizeof(struct list_head))
#define PFN_LEN sizeof(uint64_t)
#define PFN_MAX (~0ULL >> PAGE_SHIFT)

/* --- in --- */

static int break_it(struct vmbus_channel *ch, const char *why)
{
	ch->broken = true;
	vm_log(ch->bus->vm, LOG_WARN, "vmbus: %s, channel %u: %s; nothing more is taken from it",
	        ch->offer.name, ch->relid, why);
	return -EPROTO;
}

static uint32_t pages_of(const struct gpa_range *r)
{
	return (uint32_t)(((uint64_t)r->offset + r->len + PAGE_MASK) >> PAGE_SHIFT);
}

/* Ranges with the numbers of their pages, in exactly as many bytes at most. */
static bool check_gpa_ranges(struct vmbus_packet *p, uint32_t left)
{
	const uint8_t *at = p->ranges;
	uint64_t sum = 0;

	if (p->n_ranges == 0 || p->n_ranges > left / (sizeof(struct gpa_range) + PFN_LEN)) {
		return false;
	}
	for (uint32_t i = 0; i < p->n_ranges; i++) {
		struct gpa_range r;
		uint64_t len;

		if (left < sizeof(r)) {
			return false;
		}
		memcpy(&r, at, sizeof(r));
		if (r.len == 0 || r.offset >= PAGE_SIZE) {
			return false;
		}
		len = sizeof(r) + pages_of(&r) * PFN_LEN;
		if (len > left) {
			return false;
		}
		at += len;
		left -= (uint32_t)len;
		sum += r.len;
	}
	p->ranges_len = (uint32_t)sum;
	return sum <= UINT32_MAX;
}

static bool check_xfer_ranges(struct vmbus_packet *p, uint32_t left)
{
	uint64_t sum = 0;

	if (p->n_ranges > left / sizeof(struct vmbus_xfer_range)) {
		return false;
	}
	for (uint32_t i = 0; i < p->n_ranges; i++) {
		struct vmbus_xfer_range r;

		memcpy(&r, p->ranges + i * sizeof(r), sizeof(r));
		sum += r.len;
	}
	p->ranges_len = (uint32_t)sum;
	return sum <= UINT32_MAX;
}

/* The ring has checked that a list's head lies before the payload. */
static bool parse_list(struct vmbus_packet *p, const uint8_t *buf, uint32_t data_offset)
{
	uint32_t left = data_offset - (uint32_t)LIST_AT;
	struct list_head head;

	memcpy(&head, buf + sizeof(struct ring_desc), sizeof(head));
	p->n_ranges = head.n_ranges;
	p->ranges = buf + LIST_AT;
	return p->type == RING_PACKET_GPA_DIRECT ? check_gpa_ranges(p, left)
	                                         : check_xfer_ranges(p, left);
}

int channel_receive(struct vmbus_channel *ch, struct vmbus_packet *packet)
{
	struct ring_packet raw;
	int got;

	if (!ch->is_open || ch->broken) {
		return ch->broken ? -EPROTO : 0;
	}
	got = ring_read(&ch->in, ch->packet_buf, ch->packet_buf_len, &raw);
	if (got < 0) {
		return break_it(ch, "the guest's ring makes no sense");
	}
	if (got == 0) {
		return 0;
	}
	*packet = (struct vmbus_packet){
	        .type = raw.type,
	        .wants_completion = (raw.flags & RING_FLAG_COMPLETION) != 0,
	        .trans_id = raw.trans_id,
	        .payload = ch->packet_buf + raw.data_offset,
	        .payload_len = raw.len - raw.data_offset,
	};
	if ((raw.type == RING_PACKET_GPA_DIRECT || raw.type == RING_PACKET_XFER_PAGES) &&
	        !parse_list(packet, ch->packet_buf, raw.data_offset)) {
		return break_it(ch, "a list of ranges makes no sense");
	}
	ch->stats.packets_in++;
	ch->stats.bytes_in += raw.len + RING_TRAILER;
	return 1;
}

/* One more run of RAM; neighbours become one. false = there is no room. */
static bool add_seg(struct io_seg *segs, unsigned *n, unsigned max, const struct gmem_span *span)
{
	struct io_seg *last = *n > 0 ? &segs[*n - 1] : NULL;
	uint32_t len = (uint32_t)span->len;

	if (last && last->hva + last->len == span->hva && last->hpa.v + last->len == span->hpa.v &&
	        last->len + len > len) {
		last->len += len;
		return true;
	}
	if (*n == max) {
		return false;
	}
	segs[(*n)++] = (struct io_seg){.hva = span->hva, .hpa = span->hpa, .len = len};
	return true;
}

int channel_segs(struct vmbus_channel *ch, const struct vmbus_packet *packet, struct io_seg *segs,
        unsigned max_segs)
{
	const struct guest_mem *mem = &ch->bus->vm->mem;
	const uint8_t *at = packet->ranges;
	unsigned n = 0;

	if (packet->type != RING_PACKET_GPA_DIRECT) {
		return 0;
	}
	for (uint32_t i = 0; i < packet->n_ranges; i++) {
		struct gpa_range r;
		uint32_t n_pages;

		memcpy(&r, at, sizeof(r));
		at += sizeof(r);
		n_pages = pages_of(&r);
		for (uint32_t page = 0; page < n_pages; page++, at += PFN_LEN) {
			uint32_t room = (uint32_t)PAGE_SIZE - r.offset;
			uint32_t len = r.len < room ? r.len : room;
			struct gmem_span span;
			uint64_t pfn;

			memcpy(&pfn, at, sizeof(pfn));
			if (pfn > PFN_MAX ||
			        gmem_map_ram(
			                mem, gpa((pfn << PAGE_SHIFT) + r.offset), len, &span) ||
			        span.len < len) {
				return -EFAULT;
			}
			if (!add_seg(segs, &n, max_segs, &span)) {
				return -ENOSPC;
			}
			r.len -= len;
			r.offset = 0;
		}
	}
	return (int)n;
}

/* --- out --- */

static uint32_t list_len(unsigned n_ranges)
{
	return n_ranges ? (uint32_t)(sizeof(struct list_head) +
	                             n_ranges * sizeof(struct vmbus_xfer_range))
	                : 0;
}

static bool has_room(struct vmbus_channel *ch, uint32_t len)
{
	if (ring_has_room(&ch->out, len)) {
		return true;
	}
	ch->stats.full++;
	if (!ring_tells_room(&ch->out)) {
		vmbus_look_later(ch, VMBUS_LOOK_NS);
	}
	return false;
}

bool channel_has_room(struct vmbus_channel *ch, uint32_t len, unsigned n_ranges)
{
	return ch->is_open && !ch->broken &&
	       has_room(ch, (uint32_t)sizeof(struct ring_desc) + list_len(n_ranges) + len);
}

/* Descriptor, 'list_pieces' pieces that are n_ranges' list, payload. */
static int send(struct vmbus_channel *ch, struct ring_desc *desc, struct ring_piece pieces[4],
        unsigned n_pieces)
{
	uint32_t data_offset = 0, len;

	for (unsigned i = 0; i + 1 < n_pieces; i++) {
		data_offset += pieces[i].len;
	}
	len = data_offset + pieces[n_pieces - 1].len;
	if (!ch->is_open || ch->broken) {
		return -ENOTCONN;
	}
	if (len > UINT16_MAX * sizeof(uint64_t) || len < pieces[n_pieces - 1].len) {
		return -EINVAL;
	}
	if (!has_room(ch, len)) {
		return -EAGAIN;
	}
	desc->data_offset = (uint16_t)(data_offset / sizeof(uint64_t));
	desc->len = (uint16_t)(align_up(len, sizeof(uint64_t)) / sizeof(uint64_t));
	ring_write(&ch->out, pieces, n_pieces);
	ch->stats.packets_out++;
	ch->stats.bytes_out += align_up(len, sizeof(uint64_t)) + RING_TRAILER;
	return 0;
}

static int send_plain(struct vmbus_channel *ch, enum ring_packet_type type, uint16_t flags,
        uint64_t trans_id, const void *payload, uint32_t len)
{
	struct ring_desc desc = {.type = (uint16_t)type, .flags = flags, .trans_id = trans_id};
	struct ring_piece pieces[4] = {{&desc, sizeof(desc)}, {payload, len}};

	return send(ch, &desc, pieces, 2);
}

int channel_send(struct vmbus_channel *ch, uint64_t trans_id, bool wants_completion,
        const void *payload, uint32_t len)
{
	return send_plain(ch, RING_PACKET_INBAND, wants_completion ? RING_FLAG_COMPLETION : 0,
	        trans_id, payload, len);
}

int channel_complete(struct vmbus_channel *ch, uint64_t trans_id, const void *payload, uint32_t len)
{
	return send_plain(ch, RING_PACKET_COMPLETION, 0, trans_id, payload, len);
}

int channel_send_xfer(struct vmbus_channel *ch, uint64_t trans_id, uint16_t pageset,
        const struct vmbus_xfer_range *ranges, unsigned n_ranges, const void *payload, uint32_t len)
{
	struct ring_desc desc = {.type = RING_PACKET_XFER_PAGES,
	        .flags = RING_FLAG_COMPLETION,
	        .trans_id = trans_id};
	struct list_head head = {.pageset = pageset, .n_ranges = n_ranges};
	struct ring_piece pieces[4] = {{&desc, sizeof(desc)}, {&head, sizeof(head)},
	        {ranges, n_ranges * (uint32_t)sizeof(*ranges)}, {payload, len}};

	if (n_ranges > UINT16_MAX) {
		return -EINVAL;
	}
	return send(ch, &desc, pieces, 4);
}

/* --- GPADLs --- */

struct gpadl *channel_gpadl_hold(struct vmbus_channel *ch, uint32_t id)
{
	return gpadl_hold(&ch->bus->server.gpadls, ch->relid, id);
}

void channel_gpadl_release(struct vmbus_channel *ch, struct gpadl *g)
{
	gpadl_release(&ch->bus->server.gpadls, g);
}

bool channel_add_sub(struct vmbus_channel *ch, struct vmbus_channel *sub)
{
	return vmbus_add_sub(ch, sub);
}

void channel_wait(struct vmbus_channel *sub)
{
	spin_lock(&sub->lock);
	channel_unlock(sub);
}

void channel_kick(struct vmbus_channel *ch)
{
	vmbus_kick(ch);
}
