// SPDX-License-Identifier: BSD-2-Clause
// GPADLs: lists of guest pages, from the first message that names them until nobody uses them.
//
// Each has a run of words in the VM's pool, one for each word of its list: for a range its length
// and offset, then the host addresses of its pages. So a list is translated where it lies, as it
// comes, a message at a time, and one message costs no more than its own words.
// Specs: Linux drivers/hv/channel.c "create_gpadl_header" for what guests send.
#include "vmbus/gpadl.h"

#include "vmbus/proto.h"
#include "vmm/lib/copy_hw.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

#define WORD 8U

static struct gpadl_slot *slot_of(struct gpadl *g)
{
	return container_of(g, struct gpadl_slot, g);
}

/* --- a range's first word in the pool --- */

static uint8_t *range_word(struct vmbus_gpa_range r)
{
	return (uint8_t *)((uintptr_t)r.byte_offset << 32 | r.byte_count);
}

static struct vmbus_gpa_range word_range(const uint8_t *word)
{
	return (struct vmbus_gpa_range){.byte_count = (uint32_t)(uintptr_t)word,
	        .byte_offset = (uint32_t)((uintptr_t)word >> 32)};
}

static uint64_t range_pages(struct vmbus_gpa_range r)
{
	return ((uint64_t)r.byte_offset + r.byte_count + PAGE_MASK) >> PAGE_SHIFT;
}

/* --- the table --- */

void gpadl_table_init(struct gpadl_table *t, const struct guest_mem *mem, uint8_t **pool)
{
	memset(t, 0, sizeof(*t));
	t->mem = mem;
	t->pool = pool;
}

static void set_state(struct gpadl_table *t, struct gpadl_slot *slot, enum gpadl_state state)
{
	spin_lock(&t->lock);
	slot->state = state;
	spin_unlock(&t->lock);
}

static struct gpadl_slot *free_slot(struct gpadl_table *t)
{
	for (unsigned i = 0; i < GPADL_MAX; i++) {
		if (t->slots[i].state == GPADL_FREE) {
			return &t->slots[i];
		}
	}
	return NULL;
}

/* The first n words of the pool that are free; false = there are none. */
static bool find_words(const struct gpadl_table *t, uint32_t n, uint32_t *first)
{
	uint32_t at = 0;
	bool moved = true;

	/* Each round begins behind a GPADL that was in the way: no more rounds than GPADLs. */
	while (moved && at + n <= GPADL_POOL_PAGES) {
		moved = false;
		for (unsigned i = 0; i < GPADL_MAX; i++) {
			const struct gpadl_slot *s = &t->slots[i];

			if (s->state != GPADL_FREE && s->first < at + n &&
			        at < s->first + s->n_words) {
				at = s->first + s->n_words;
				moved = true;
			}
		}
	}
	*first = at;
	return at + n <= GPADL_POOL_PAGES;
}

struct gpadl *gpadl_create(struct gpadl_table *t, uint32_t relid, uint32_t id, uint16_t range_count,
        uint16_t list_bytes)
{
	struct gpadl_slot *slot = free_slot(t);
	uint32_t n_words = list_bytes / WORD;
	uint32_t first;

	/* Each range has at least its own word and a page's. */
	if (!slot || id == 0 || list_bytes % WORD != 0 || range_count == 0 ||
	        n_words < 2U * range_count || gpadl_find(t, relid, id) || gpadl_building(t, id) ||
	        !find_words(t, n_words, &first)) {
		return NULL;
	}
	*slot = (struct gpadl_slot){
	        .g = {.id = id, .relid = relid, .n_ranges = range_count},
	        .first = first,
	        .n_words = n_words,
	};
	set_state(t, slot, GPADL_BUILDING);
	return &slot->g;
}

/* --- filling --- */

static int take_range(struct gpadl_table *t, struct gpadl_slot *slot, uint64_t word)
{
	struct vmbus_gpa_range r = {
	        .byte_count = (uint32_t)word, .byte_offset = (uint32_t)(word >> 32)};
	uint64_t pages = range_pages(r);

	/* What fits the rest of the list is at most 32 MiB: no sum of these overflows. */
	if (r.byte_count == 0 || r.byte_offset >= PAGE_SIZE ||
	        pages > slot->n_words - slot->n_seen - 1) {
		return -EINVAL;
	}
	if (slot->ranges_seen == 0) {
		slot->g.first_offset = r.byte_offset;
	}
	slot->ranges_seen++;
	slot->g.len += r.byte_count;
	slot->g.n_pages += (uint32_t)pages;
	slot->pages_left = (uint32_t)pages;
	t->pool[slot->first + slot->n_seen] = range_word(r);
	return 0;
}

static int take_page(struct gpadl_table *t, struct gpadl_slot *slot, uint64_t pfn)
{
	struct gmem_span span;

	if (pfn > UINT64_MAX >> PAGE_SHIFT ||
	        gmem_map_ram(t->mem, gpa(pfn << PAGE_SHIFT), PAGE_SIZE, &span) != 0 ||
	        span.len != PAGE_SIZE) {
		return -EFAULT;
	}
	slot->pages_left--;
	t->pool[slot->first + slot->n_seen] = span.hva;
	return 0;
}

static int finish(struct gpadl_table *t, struct gpadl_slot *slot)
{
	struct gpadl *g = &slot->g;

	if (slot->ranges_seen != g->n_ranges) {
		return -EINVAL;
	}
	g->pages = &t->pool[slot->first];
	if (g->n_ranges == 1) {
		g->pages++;
		g->page_aligned = g->first_offset == 0 && g->len % PAGE_SIZE == 0;
	}
	set_state(t, slot, GPADL_READY);
	return 1;
}

int gpadl_fill(struct gpadl_table *t, struct gpadl *g, const uint8_t *list, uint32_t len)
{
	struct gpadl_slot *slot = slot_of(g);
	int err = 0;

	for (; len >= WORD && slot->n_seen < slot->n_words && !err; len -= WORD, list += WORD) {
		uint64_t word;

		memcpy(&word, list, WORD);
		err = slot->pages_left != 0 ? take_page(t, slot, word) : take_range(t, slot, word);
		slot->n_seen++;
	}
	if (!err && slot->n_seen == slot->n_words) {
		err = finish(t, slot);
	}
	if (err < 0) {
		set_state(t, slot, GPADL_FREE);
	}
	return err;
}

/* --- finding --- */

struct gpadl *gpadl_building(struct gpadl_table *t, uint32_t id)
{
	for (unsigned i = 0; i < GPADL_MAX; i++) {
		struct gpadl_slot *slot = &t->slots[i];

		if (slot->state == GPADL_BUILDING && slot->g.id == id) {
			return &slot->g;
		}
	}
	return NULL;
}

struct gpadl *gpadl_find(struct gpadl_table *t, uint32_t relid, uint32_t id)
{
	for (unsigned i = 0; i < GPADL_MAX; i++) {
		struct gpadl_slot *slot = &t->slots[i];

		if (slot->state != GPADL_FREE && slot->g.id == id && slot->g.relid == relid) {
			return &slot->g;
		}
	}
	return NULL;
}

struct gpadl *gpadl_any(struct gpadl_table *t, uint32_t relid)
{
	for (unsigned i = 0; i < GPADL_MAX; i++) {
		struct gpadl_slot *slot = &t->slots[i];

		if ((slot->state == GPADL_BUILDING || slot->state == GPADL_READY) &&
		        (relid == 0 || slot->g.relid == relid)) {
			return &slot->g;
		}
	}
	return NULL;
}

/* --- holding, and the end --- */

struct gpadl *gpadl_hold(struct gpadl_table *t, uint32_t relid, uint32_t id)
{
	struct gpadl *found = NULL;

	spin_lock(&t->lock);
	for (unsigned i = 0; i < GPADL_MAX && !found; i++) {
		struct gpadl_slot *slot = &t->slots[i];

		if (slot->state == GPADL_READY && slot->g.id == id && slot->g.relid == relid) {
			slot->g.holders++;
			found = &slot->g;
		}
	}
	spin_unlock(&t->lock);
	return found;
}

void gpadl_release(struct gpadl_table *t, struct gpadl *g)
{
	spin_lock(&t->lock);
	g->holders--;
	spin_unlock(&t->lock);
}

bool gpadl_is_retired(const struct gpadl *g)
{
	return container_of(g, const struct gpadl_slot, g)->state == GPADL_RETIRED;
}

bool gpadl_retire(struct gpadl_table *t, struct gpadl *g, bool answer)
{
	struct gpadl_slot *slot = slot_of(g);
	bool unused;

	slot->answer = answer;
	spin_lock(&t->lock);
	slot->state = GPADL_RETIRED;
	unused = g->holders == 0;
	spin_unlock(&t->lock);
	t->n_retired++;
	return unused;
}

void gpadl_mute(struct gpadl_table *t)
{
	for (unsigned i = 0; i < GPADL_MAX; i++) {
		t->slots[i].answer = false;
	}
}

uint32_t gpadl_reap(struct gpadl_table *t)
{
	for (unsigned i = 0; i < GPADL_MAX && t->n_retired != 0; i++) {
		struct gpadl_slot *slot = &t->slots[i];
		bool gone = false;

		spin_lock(&t->lock);
		if (slot->state == GPADL_RETIRED && slot->g.holders == 0) {
			slot->state = GPADL_FREE;
			gone = true;
		}
		spin_unlock(&t->lock);
		if (gone) {
			t->n_retired--;
			if (slot->answer) {
				return slot->g.id;
			}
		}
	}
	return 0;
}

/* --- bytes --- */

/* A place in a GPADL; both counted from the start of its range's first page. */
struct cursor {
	uint8_t **pages;
	uint64_t pos;
	uint64_t end; /* of the range */
};

static void enter_range(struct cursor *c, uint8_t **word)
{
	struct vmbus_gpa_range r = word_range(*word);

	c->pages = word + 1;
	c->pos = r.byte_offset;
	c->end = (uint64_t)r.byte_offset + r.byte_count;
}

static void leave_range(struct cursor *c)
{
	enter_range(c, c->pages + ((c->end + PAGE_MASK) >> PAGE_SHIFT));
}

/* at < g->len */
static struct cursor seek(const struct gpadl *g, uint64_t at)
{
	struct cursor c = {g->pages, g->first_offset, (uint64_t)g->first_offset + g->len};

	if (g->n_ranges > 1) {
		enter_range(&c, g->pages);
		while (at >= c.end - c.pos) {
			at -= c.end - c.pos;
			leave_range(&c);
		}
	}
	c.pos += at;
	return c;
}

/* The bytes that lie together from the cursor on, at most *len; it moves behind them. They exist:
 * the caller has compared with g->len. */
static uint8_t *advance(struct cursor *c, uint32_t *len)
{
	uint8_t **page, *start;
	uint64_t run, left;

	if (c->pos == c->end) {
		leave_range(c);
	}
	page = c->pages + (c->pos >> PAGE_SHIFT);
	start = *page + (c->pos & PAGE_MASK);
	run = PAGE_SIZE - (c->pos & PAGE_MASK);
	left = *len < c->end - c->pos ? *len : c->end - c->pos;
	while (run < left && page[1] == page[0] + PAGE_SIZE) {
		page++;
		run += PAGE_SIZE;
	}
	*len = (uint32_t)(run < left ? run : left);
	c->pos += *len;
	return start;
}

uint8_t *gpadl_span(const struct gpadl *g, uint32_t at, uint32_t *len)
{
	struct cursor c;

	if (at >= g->len || *len == 0) {
		return NULL;
	}
	c = seek(g, at);
	return advance(&c, len);
}

static bool is_inside(const struct gpadl *g, uint32_t at, uint32_t len)
{
	return (uint64_t)at + len <= g->len;
}

int gpadl_read(const struct gpadl *g, uint32_t at, void *buf, uint32_t len)
{
	uint8_t *to = buf;
	struct cursor c;

	if (!is_inside(g, at, len)) {
		return -EFAULT;
	}
	c = len ? seek(g, at) : (struct cursor){0};
	for (uint32_t run; len != 0; len -= run, to += run) {
		const uint8_t *from;

		run = len;
		from = advance(&c, &run);
		memcpy(to, from, run);
	}
	return 0;
}

int gpadl_write(const struct gpadl *g, uint32_t at, const void *buf, uint32_t len)
{
	const uint8_t *from = buf;
	struct cursor c;

	if (!is_inside(g, at, len)) {
		return -EFAULT;
	}
	c = len ? seek(g, at) : (struct cursor){0};
	for (uint32_t run; len != 0; len -= run, from += run) {
		uint8_t *to;

		run = len;
		to = advance(&c, &run);
		copy_large(to, from, run);
	}
	return 0;
}
