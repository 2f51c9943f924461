// SPDX-License-Identifier: BSD-2-Clause
// Memory that the guest has never touched: whether it is there already, or what it costs to get it.
#include "guest-test/latency/bench.h"

/* The image and the pages it uses lie below, what firmware leaves at the end of RAM above. */
#define SMALL_FROM 0x800000ULL
#define LARGE_FROM 0x1000000ULL
#define LARGE_PAGES 16U
#define SMALL_PAGE 0x1000ULL
#define LARGE_PAGE 0x200000ULL
#define RAM_NEEDED (60ULL << 20)

static uint64_t next;

SAMPLE(small, mmio_w32(next, 1); next += SMALL_PAGE)
SAMPLE(large, mmio_w32(next, 1); next += LARGE_PAGE)

static const char *setup(uint64_t from, unsigned pages)
{
	next = from;
	limit_samples(pages);
	return ram_size() < RAM_NEEDED ? "less than 60 MiB of memory" : NULL;
}

static const char *setup_small(void)
{
	return setup(SMALL_FROM, SAMPLES);
}

static const char *setup_large(void)
{
	return setup(LARGE_FROM, LARGE_PAGES);
}

static const struct bench rows[] = {
        {"touch-4k", setup_small, sample_small, NULL},
        {"touch-2m", setup_large, sample_large, NULL},
};
const struct bench_table memory_table = BENCH_TABLE(rows);
