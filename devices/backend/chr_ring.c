// SPDX-License-Identifier: BSD-2-Clause
// A character backend that keeps the last 16 KiB of output.
#include "devices/backend/chr_ring.h"
#include "vmm/lib/string.h"

/* Longer lines are cut. */
#define LINE_SEARCH 256U

_Static_assert((CHR_RING_SIZE & (CHR_RING_SIZE - 1)) == 0, "positions are masked");

static bool ring_put(struct chr *chr, uint8_t byte)
{
	chr_ring_put(container_of(chr, struct chr_ring, chr), byte);
	return true;
}

static const struct chr_ops ring_ops = {
        .name = "ring",
        .put = ring_put,
};

void chr_ring_init(struct chr_ring *ring)
{
	memset(ring, 0, sizeof(*ring));
	ring->chr.ops = &ring_ops;
}

void chr_ring_put(struct chr_ring *ring, uint8_t byte)
{
	spin_lock(&ring->lock);
	ring->buf[ring->written % CHR_RING_SIZE] = byte;
	ring->written++;
	spin_unlock(&ring->lock);
}

size_t chr_ring_copy(struct chr_ring *ring, uint64_t *from, void *buf, size_t n)
{
	uint8_t *out = buf;
	size_t done = 0;

	spin_lock(&ring->lock);
	if (ring->written > CHR_RING_SIZE && *from < ring->written - CHR_RING_SIZE) {
		*from = ring->written - CHR_RING_SIZE;
	}
	while (done < n && *from < ring->written) {
		out[done++] = ring->buf[*from % CHR_RING_SIZE];
		(*from)++;
	}
	spin_unlock(&ring->lock);
	return done;
}

uint64_t chr_ring_written(struct chr_ring *ring)
{
	uint64_t written;

	spin_lock(&ring->lock);
	written = ring->written;
	spin_unlock(&ring->lock);
	return written;
}

static bool line_ends_before(const struct chr_ring *ring, uint64_t at)
{
	return ring->buf[(at - 1) % CHR_RING_SIZE] == '\n';
}

uint64_t chr_ring_line_start(struct chr_ring *ring, uint64_t at)
{
	uint64_t oldest, from;

	spin_lock(&ring->lock);
	oldest = ring->written > CHR_RING_SIZE ? ring->written - CHR_RING_SIZE : 0;
	at = at < ring->written ? at : ring->written;
	from = at > oldest ? at : oldest;
	if (from > oldest) {
		while (from > oldest && at - from < LINE_SEARCH && !line_ends_before(ring, from)) {
			from--;
		}
	} else if (oldest > 0) {
		/* What came before is lost, and so is the beginning of this line. */
		do {
			from++;
		} while (from < ring->written && from - oldest < LINE_SEARCH &&
		         !line_ends_before(ring, from));
	}
	spin_unlock(&ring->lock);
	return from;
}
