// SPDX-License-Identifier: BSD-2-Clause
// Frames kept for the monitor, and their text.
// Specs: text2pcap(1): a line with direction and time, then lines with an offset and 16 bytes each.
#include "devices/backend/net_capture.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/spinlock.h"
#include "vmm/lib/string.h"

#define TAG_AT (2 * NET_MAC_LEN)
#define LINE_BYTES 16U
#define LINE_MAX (6 + 3 * LINE_BYTES + 1)

struct captured {
	uint64_t when_ns;
	uint32_t len; /* bytes kept */
	bool to_guest;
	uint8_t bytes[NET_CAPTURE_BYTES];
};

static struct {
	struct spinlock lock;
	uint64_t count; /* [lock] frames that came; the last NET_CAPTURE_FRAMES of them are there */
	struct captured frames[NET_CAPTURE_FRAMES]; /* [lock] */
} ring;

void net_capture_clear(void)
{
	spin_lock(&ring.lock);
	ring.count = 0;
	spin_unlock(&ring.lock);
}

static uint32_t copy(const struct net_frame *f, uint32_t at, uint8_t *to, uint32_t room)
{
	uint32_t done = 0;

	while (done < room && at < f->len) {
		uint32_t len = f->len - at < room - done ? f->len - at : room - done;
		const uint8_t *run = net_frame_run(f, at, &len);

		if (len == 0) {
			break;
		}
		memcpy(to + done, run, len);
		done += len;
		at += len;
	}
	return done;
}

void net_capture_frame(const struct net_frame *f, bool to_guest, uint64_t now_ns)
{
	struct captured *c;
	uint32_t len;

	spin_lock(&ring.lock);
	c = &ring.frames[ring.count++ % NET_CAPTURE_FRAMES];
	c->when_ns = now_ns;
	c->to_guest = to_guest;
	len = copy(f, 0, c->bytes, TAG_AT);
	if (f->has_vlan) {
		/* [802.1Q]: where a wire would have it. */
		c->bytes[len++] = 0x81;
		c->bytes[len++] = 0x00;
		c->bytes[len++] = (uint8_t)(f->vlan_tci >> 8);
		c->bytes[len++] = (uint8_t)f->vlan_tci;
	}
	c->len = len + copy(f, TAG_AT, c->bytes + len, NET_CAPTURE_BYTES - len);
	spin_unlock(&ring.lock);
}

static void print_line(struct out *out, const struct captured *c, uint32_t at)
{
	char text[LINE_MAX + 1] = "";
	size_t n = fmt_print(text, sizeof(text), "%06x", at);

	for (uint32_t i = at; i < c->len && i < at + LINE_BYTES; i++) {
		n += fmt_print(text + n, sizeof(text) - n, " %02x", c->bytes[i]);
	}
	out_print(out, "%s\n", text);
}

bool net_capture_print(struct out *out, uint64_t *next)
{
	struct captured c;
	uint64_t us, s;

	spin_lock(&ring.lock);
	if (ring.count > *next + NET_CAPTURE_FRAMES) {
		*next = ring.count - NET_CAPTURE_FRAMES;
	}
	if (*next >= ring.count) {
		spin_unlock(&ring.lock);
		return false;
	}
	c = ring.frames[*next % NET_CAPTURE_FRAMES];
	spin_unlock(&ring.lock);
	*next += 1;
	us = c.when_ns / 1000;
	s = us / 1000000;
	out_print(out, "%c %02llu:%02llu:%02llu.%06llu\n", c.to_guest ? 'I' : 'O',
	        (unsigned long long)(s / 3600 % 24), (unsigned long long)(s / 60 % 60),
	        (unsigned long long)(s % 60), (unsigned long long)(us % 1000000));
	for (uint32_t at = 0; at < c.len; at += LINE_BYTES) {
		print_line(out, &c, at);
	}
	return true;
}
