// SPDX-License-Identifier: BSD-2-Clause
// INS, OUTS, MOVS and their like over every edge there is: page, RAM, device, hole, 4 GiB.
#include "guest-test/attack/attack.h"

struct string_op {
	uint64_t from, to, count;
	uint32_t port, kind;
};

#define STRING(n, text) \
	case n: \
		__asm__ volatile(text \
		                 : "+S"(si), "+D"(di), "+c"(cx) \
		                 : "d"(s->port) \
		                 : "rax", "memory"); \
		break

static void string_insn(void *arg)
{
	const struct string_op *s = arg;
	uint64_t si = s->from, di = s->to, cx = s->count;

	if (s->kind & 16) {
		__asm__ volatile("std");
	}
	switch (s->kind & 15) {
		STRING(0, "rep outsb");
		STRING(1, "rep outsw");
		STRING(2, "rep outsl");
		STRING(3, "rep insb");
		STRING(4, "rep insw");
		STRING(5, "rep insl");
		STRING(6, "rep movsb");
		STRING(7, "rep movsl");
		STRING(8, "rep movsq");
		STRING(9, "outsl");
		STRING(10, "insl");
		STRING(11, "movsq");
		STRING(12, "btsl $31, %%edi; addr32 rep insb"); /* beyond its own image */
		STRING(13, "addr32 rep outsl");
		STRING(14, "rep stosl");
		STRING(15, "rep lodsl");
	}
	__asm__ volatile("cld");
}

/*
 * Neighbours in the window: RAM's last page, what follows it, a device, a hole, RAM, nothing,
 * read-only RAM, an address beyond the processor's.
 */
static void map_edges(void)
{
	uint64_t last = ram_size() - 4096;
	const uint64_t pages[] = {last, last + 4096, (uint64_t)scratch, IOAPIC_BASE,
	        (uint64_t)scratch + 4096, 0xe0000000, LAPIC_BASE, (uint64_t)scratch + 8192, 0xa0000,
	        (uint64_t)scratch + 12288, 0xc0000, 0xf0000};
	unsigned n = sizeof(pages) / sizeof(pages[0]);

	for (unsigned i = 0; i < 32; i++) {
		uint64_t flags = i % 7 == 6 ? 0 : (i % 5 == 4 ? PTE_P : PTE_P | PTE_W);

		window_map(i, i < n ? pages[i] : pages[rnd_below(n)], flags);
	}
	window_map(32, 0xffffffffff000ULL, PTE_P | PTE_W);
}

static uint64_t edge(void)
{
	uint64_t at = WINDOW_BASE + rnd_below(33) * 4096;

	/* Its own image would only end the attack. */
	if (rnd_below(16) == 0) {
		uint64_t odd = rnd_odd();

		return odd < ram_size() ? at : odd;
	}
	return rnd_below(4) == 0 ? at + rnd_below(4096) : at - 8 + rnd_below(16);
}

static const uint16_t ports[] = {0x80, 0xed, 0x21, 0x60, 0x71, 0x3f8, 0x2f8, 0xcfc, 0x1234, 0xffff};

ATTACK(strings)
{
	while (more()) {
		struct string_op s = {
		        .from = edge(),
		        .to = edge(),
		        .count = rnd_below(4) ? rnd_below(5000) : rnd_odd() & 0x3ffff,
		        .port = ports[rnd_below(sizeof(ports) / sizeof(ports[0]))],
		        .kind = (uint32_t)rnd_below(32),
		};

		map_edges();
		/* The processor's own strings never exit: a wild count would only lose time. */
		if ((s.kind & 15) >= 6 && s.count > 8192) {
			s.count &= 0x1fff;
		}
		(void)chaos(string_insn, &s);
	}
}
