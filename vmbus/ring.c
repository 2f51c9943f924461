// SPDX-License-Identifier: BSD-2-Clause
// VMBus ring buffers: packets in, packets out, and when the other side has to be told.
// Specs: vmbus/ring.h.
#include "vmbus/ring.h"

#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

#define UNIT 8U
/* Write and read index may only be equal when the ring is empty. */
#define ALWAYS_FREE UNIT
/* Descriptor and the list's head: 'pages of' and range count. */
#define LIST_OFFSET 24U

static struct ring_header *header(const struct ring *r)
{
	return (struct ring_header *)r->pages[0];
}

/* What the guest changes at any time is loaded once for each look. */
static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void full_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static bool valid_index(const struct ring *r, uint32_t index)
{
	return index < r->size && is_aligned(index, UNIT);
}

/* From one index on to another. */
static uint32_t distance(const struct ring *r, uint32_t from, uint32_t to)
{
	return to >= from ? to - from : r->size - from + to;
}

static uint32_t advance(const struct ring *r, uint32_t index, uint32_t len)
{
	uint64_t at = (uint64_t)index + len;

	return (uint32_t)(at >= r->size ? at - r->size : at);
}

/* The run of data at 'at', up to the end of its page. */
static uint8_t *span(const struct ring *r, uint32_t at, uint32_t *len)
{
	uint32_t left = (uint32_t)(PAGE_SIZE - (at & PAGE_MASK));

	*len = *len < left ? *len : left;
	return r->pages[1 + (at >> PAGE_SHIFT)] + (at & PAGE_MASK);
}

static void copy_out(const struct ring *r, uint32_t at, void *buf, uint32_t len)
{
	uint8_t *to = buf;

	while (len != 0) {
		uint32_t run = len;
		const uint8_t *from = span(r, at, &run);

		memcpy(to, from, run);
		to += run;
		len -= run;
		at = advance(r, at, run);
	}
}

static uint32_t copy_in(const struct ring *r, uint32_t at, const void *buf, uint32_t len)
{
	const uint8_t *from = buf;

	while (len != 0) {
		uint32_t run = len;
		uint8_t *to = span(r, at, &run);

		memcpy(to, from, run);
		from += run;
		len -= run;
		at = advance(r, at, run);
	}
	return at;
}

int ring_open(struct ring *r, uint8_t **pages, uint32_t n_pages, bool in)
{
	const struct ring_header *h;
	uint32_t read, write;

	if (n_pages < 2 || n_pages > (1U << 31) >> PAGE_SHIFT) {
		return -EINVAL;
	}
	*r = (struct ring){.pages = pages, .size = (n_pages - 1) << PAGE_SHIFT};
	h = header(r);
	read = load(&h->read_index);
	write = load(&h->write_index);
	if (!valid_index(r, read) || !valid_index(r, write)) {
		return -EINVAL;
	}
	r->own = r->shown = in ? read : write;
	r->peer = in ? write : read;
	return 0;
}

/* --- the guest writes --- */

/* Bytes that wait to be read; -EPROTO. */
static int64_t available(struct ring *r)
{
	if (r->peer == r->own) {
		uint32_t write = load(&header(r)->write_index);

		if (!valid_index(r, write)) {
			return -EPROTO;
		}
		r->peer = write;
	}
	return distance(r, r->own, r->peer);
}

static bool known_type(uint16_t type)
{
	return type == RING_PACKET_INBAND || type == RING_PACKET_XFER_PAGES ||
	       type == RING_PACKET_GPA_DIRECT || type == RING_PACKET_COMPLETION;
}

static bool check_desc(const struct ring_desc *d, struct ring_packet *p)
{
	bool has_list = d->type == RING_PACKET_XFER_PAGES || d->type == RING_PACKET_GPA_DIRECT;

	if (!known_type(d->type) || (d->flags & ~RING_FLAG_COMPLETION)) {
		return false;
	}
	*p = (struct ring_packet){
	        .type = (enum ring_packet_type)d->type,
	        .data_offset = d->data_offset * UNIT,
	        .flags = d->flags,
	        .len = d->len * UNIT,
	        .trans_id = d->trans_id,
	};
	return p->data_offset >= (has_list ? LIST_OFFSET : sizeof(*d)) && p->data_offset <= p->len;
}

int ring_read(struct ring *r, void *buf, uint32_t max, struct ring_packet *packet)
{
	int64_t avail = available(r);
	struct ring_desc desc;

	if (avail <= 0) {
		return (int)avail;
	}
	if (avail < (int64_t)(sizeof(desc) + RING_TRAILER) || max < sizeof(desc)) {
		return -EPROTO;
	}
	copy_out(r, r->own, &desc, sizeof(desc));
	if (!check_desc(&desc, packet) || packet->len > max ||
	        packet->len + RING_TRAILER > (uint64_t)avail) {
		return -EPROTO;
	}
	/* The descriptor that was checked, not what lies there now. */
	memcpy(buf, &desc, sizeof(desc));
	copy_out(r, advance(r, r->own, sizeof(desc)), (uint8_t *)buf + sizeof(desc),
	        packet->len - (uint32_t)sizeof(desc));
	r->own = advance(r, r->own, packet->len + RING_TRAILER);
	return 1;
}

bool ring_read_done(struct ring *r)
{
	struct ring_header *h = header(r);
	uint32_t before = r->shown, wanted, write, free_now, free_before;

	if (before == r->own) {
		return false;
	}
	r->shown = r->own;
	__atomic_store_n(&h->read_index, r->own, __ATOMIC_RELEASE);
	full_fence();
	wanted = load(&h->pending_send_size) & ~(UNIT - 1);
	if (wanted == 0) {
		return false;
	}
	write = load(&h->write_index);
	if (!valid_index(r, write)) {
		return false; /* the next read says so */
	}
	/* Only who crosses the line signals: before it the guest's packet would not fit, and
	 * behind it somebody has signalled already. */
	free_now = r->size - distance(r, r->own, write);
	free_before = r->size - distance(r, before, write);
	return free_before <= wanted && wanted < free_now;
}

void ring_mask(struct ring *r)
{
	if (!r->masked) {
		r->masked = true;
		__atomic_store_n(&header(r)->interrupt_mask, 1, __ATOMIC_RELAXED);
	}
}

bool ring_unmask(struct ring *r)
{
	struct ring_header *h = header(r);

	r->masked = false;
	__atomic_store_n(&h->interrupt_mask, 0, __ATOMIC_RELAXED);
	full_fence();
	return load(&h->write_index) != r->own;
}

/* --- we write --- */

static uint32_t packet_bytes(uint32_t len)
{
	return (uint32_t)align_up(len, UNIT) + RING_TRAILER;
}

static bool fits(struct ring *r, uint32_t bytes)
{
	uint32_t read;

	if (bytes + ALWAYS_FREE <= r->size - distance(r, r->peer, r->own)) {
		return true;
	}
	read = load(&header(r)->read_index);
	/* A reader goes on, as far as we have written. One that does anything else stands still
	 * for us, so that room which was there once stays there. */
	if (!valid_index(r, read) || distance(r, r->peer, read) > distance(r, r->peer, r->own)) {
		return false;
	}
	r->peer = read;
	return bytes + ALWAYS_FREE <= r->size - distance(r, r->peer, r->own);
}

static void want_room(struct ring *r, uint32_t bytes)
{
	r->wanted = bytes;
	__atomic_store_n(&header(r)->pending_send_size, bytes, __ATOMIC_RELAXED);
	full_fence();
}

bool ring_has_room(struct ring *r, uint32_t len)
{
	uint32_t bytes = packet_bytes(len);

	if (len >= r->size) {
		return false;
	}
	if (!fits(r, bytes)) {
		want_room(r, bytes);
		if (!fits(r, bytes)) {
			return false;
		}
	}
	/* A smaller packet may pass by one that still waits. */
	if (r->wanted && fits(r, r->wanted)) {
		want_room(r, 0);
	}
	return true;
}

bool ring_tells_room(const struct ring *r)
{
	return (load(&header(r)->feature_bits) & RING_FEATURE_PENDING_SEND_SIZE) != 0;
}

void ring_write(struct ring *r, const struct ring_piece *pieces, unsigned n)
{
	static const uint8_t zeros[UNIT];
	const uint64_t trailer = (uint64_t)r->own << 32;
	uint32_t at = r->own, len = 0;

	for (unsigned i = 0; i < n; i++) {
		at = copy_in(r, at, pieces[i].data, pieces[i].len);
		len += pieces[i].len;
	}
	at = copy_in(r, at, zeros, (uint32_t)align_up(len, UNIT) - len);
	r->own = copy_in(r, at, &trailer, sizeof(trailer));
}

bool ring_write_done(struct ring *r)
{
	struct ring_header *h = header(r);
	uint32_t before = r->shown;

	if (before == r->own) {
		return false;
	}
	r->shown = r->own;
	__atomic_store_n(&h->write_index, r->own, __ATOMIC_RELEASE);
	full_fence();
	/* A guest that had not read all looks again before it sleeps. */
	return load(&h->interrupt_mask) == 0 && load(&h->read_index) == before;
}

uint32_t ring_fill(const struct ring *r, bool in)
{
	uint32_t other = in ? load(&header(r)->write_index) : load(&header(r)->read_index);

	if (!valid_index(r, other)) {
		return 0;
	}
	return in ? distance(r, r->own, other) : distance(r, other, r->own);
}
