// SPDX-License-Identifier: BSD-2-Clause
// Guest memory: all of it is there, what is not reads ones, code may appear anywhere.
// Specs: docs/hardware.md "Memory map"; [SDM3] "Self-Modifying Code".
#include "guest-test/lib/test.h"

static void touch(uint64_t at)
{
	volatile uint64_t *p = (volatile uint64_t *)at;
	uint64_t old = *p;

	*p = at ^ 0x5a5a5a5a5a5a5a5aULL;
	CHECK_EQ(*p, at ^ 0x5a5a5a5a5a5a5a5aULL);
	*p = old;
}

TEST(memory_all_there)
{
	uint64_t end = ram_size();

	CHECK_EQ(end, 64ULL << 20);
	touch(0);
	touch(0x9fbf8);
	touch(0xc0000);
	touch(end / 2);
	touch(end - 8);
	for (uint64_t at = 2ULL << 20; at < end; at += 1ULL << 20) {
		touch(at);
	}
	/* No aliases: each megabyte keeps its own mark. */
	for (uint64_t at = 4ULL << 20; at < end; at += 1ULL << 20) {
		*(volatile uint64_t *)at = at;
	}
	for (uint64_t at = 4ULL << 20; at < end; at += 1ULL << 20) {
		CHECK_EQ(*(volatile uint64_t *)at, at);
	}
}

TEST(memory_starts_clear)
{
	uint64_t end = ram_size(), sum = 0;

	/* Above the image nothing was ever written but by memory_all_there. */
	for (uint64_t at = 3ULL << 20; at < end; at += 4096) {
		sum |= *(volatile uint64_t *)(at + 0x100);
	}
	CHECK_EQ(sum, 0);
}

TEST(memory_holes)
{
	static const uint64_t holes[] = {0xa0000, 0xb8000, 0xbfff8, 0x80000000, 0xe0000000,
	        0xfebffff8, 0xfec01000, 0xfed00000, 0xffffff00};

	for (unsigned i = 0; i < sizeof(holes) / sizeof(holes[0]); i++) {
		volatile uint64_t *p = (volatile uint64_t *)holes[i];

		CHECK_EQ(*p, ~0ULL);
		*p = 0;
		CHECK_EQ(*p, ~0ULL);
	}
	CHECK_EQ(*(volatile uint64_t *)ram_size(), ~0ULL);
}

TEST(memory_beyond_the_map)
{
	/* Addresses of 40 and of all but the last bit there are. */
	unsigned bits = cpuid(0x80000008, 0).a & 0xff;
	volatile uint64_t *p;

	p = window_map(24, 1ULL << (bits - 1), PTE_P | PTE_W);
	CHECK_EQ(*p, ~0ULL);
	p = window_map(24, (1ULL << bits) - 4096, PTE_P | PTE_W);
	CHECK_EQ(*p, ~0ULL);
	*p = 1;
	window_map(24, 0, 0);
}

static int (*plant(uint64_t at, int value))(void)
{
	uint8_t *p = (uint8_t *)at;

	p[0] = 0xb8; /* mov $value, %eax; ret */
	memcpy(p + 1, &value, 4);
	p[5] = 0xc3;
	return (int (*)(void))at;
}

/* Code in regions where none ever ran: pages that are large until then. */
TEST(memory_new_code)
{
	for (uint64_t at = 32ULL << 20; at < 64ULL << 20; at += 2ULL << 20) {
		volatile uint64_t *neighbour = (volatile uint64_t *)(at + 0x5000);

		*neighbour = at;
		CHECK_EQ((uint64_t)plant(at + 0x3ff0, (int)at + 1)(), at + 1);
		CHECK_EQ((uint64_t)plant(at + 0x1ffff0, (int)at + 2)(), at + 2);
		CHECK_EQ(*neighbour, at);
		*neighbour = at + 1;
		CHECK_EQ(*neighbour, at + 1);
	}
}

TEST(memory_self_modifying)
{
	uint64_t at = 24ULL << 20;

	for (int i = 0; i < 50; i++) {
		CHECK_EQ((uint64_t)plant(at, i)(), (uint64_t)i);
	}
	/* Through another address, then the same place. */
	plant((uint64_t)window_map(25, at, PTE_P | PTE_W), 77);
	CHECK_EQ(((int (*)(void))at)(), 77);
	window_map(25, 0, 0);
}
