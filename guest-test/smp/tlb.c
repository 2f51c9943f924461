// SPDX-License-Identifier: BSD-2-Clause
// One vCPU changes a mapping and tells the others; what they cached goes when they are told, and
// with every CR3 load, whatever else runs on their CPU.
// Specs: [SDM3] "Propagation of Paging-Structure Changes to Multiple Processors", "Operations that
// Invalidate TLBs and Paging-Structure Caches", "Process-Context Identifiers (PCIDs)".
#include "guest-test/smp/smp.h"

#define V_FLUSH 0x62
#define ROUNDS 24U
#define PAGE_A 0x200000ULL /* two pages of RAM above the image */
#define PAGE_B 0x201000ULL
#define SLOT 7U
#define ADDRESS (WINDOW_BASE + SLOT * 4096ULL)
#define PTE_G 0x100ULL
#define CR4_PGE 0x80ULL
#define CR4_PCIDE 0x20000ULL
#define VALUE_A 0x1111111111111111ULL
#define VALUE_B 0x2222222222222222ULL

enum flush_kind { FLUSH_INVLPG, FLUSH_CR3, FLUSH_PGE, FLUSH_INVPCID, FLUSH_PCID_CR3 };

static enum flush_kind kind;
static volatile bool stop;
static volatile uint32_t acks;           /* flushes done, by all */
static volatile uint64_t expected[CPUS]; /* what each must read since its last flush */
static volatile uint64_t wrong[CPUS];    /* how often it read something else */
static volatile uint64_t reads[CPUS];
static volatile uint64_t now_mapped;

static void flush_here(void)
{
	struct {
		uint64_t pcid, address;
	} all = {0, 0};

	switch (kind) {
	case FLUSH_INVLPG:
		__asm__ volatile("invlpg (%0)" : : "r"(ADDRESS) : "memory");
		break;
	case FLUSH_CR3:
	case FLUSH_PCID_CR3:
		write_cr3(read_cr3());
		break;
	case FLUSH_PGE:
		write_cr4(read_cr4() ^ CR4_PGE);
		write_cr4(read_cr4() ^ CR4_PGE);
		break;
	case FLUSH_INVPCID:
		__asm__ volatile("invpcid %0, %1" : : "m"(all), "r"(2ULL) : "memory");
		break;
	}
}

static void told(struct frame *f)
{
	(void)f;
	flush_here();
	expected[me()] = now_mapped;
	__atomic_fetch_add(&acks, 1, __ATOMIC_SEQ_CST);
}

/* Read all the time; interrupts come between two reads only. */
static void reader(uint64_t arg)
{
	unsigned cpu = me();

	if (arg) {
		write_cr4(read_cr4() | arg);
	}
	expected[cpu] = now_mapped;
	flush_here();
	while (!stop) {
		for (unsigned i = 0; i < 50; i++) {
			uint64_t v = *(volatile uint64_t *)ADDRESS;

			/* The new one may show before the news of it. */
			if (v != expected[cpu] && v != now_mapped) {
				wrong[cpu]++;
			}
			reads[cpu]++;
		}
		sti();
		__asm__ volatile("pause");
		cli();
	}
	if (arg) {
		write_cr4(read_cr4() & ~arg);
	}
}

static void shoot(enum flush_kind how, uint64_t pte_flags, uint64_t cr4)
{
	unsigned n = cpu_count();

	cpus_start();
	kind = how;
	*(volatile uint64_t *)PAGE_A = VALUE_A;
	*(volatile uint64_t *)PAGE_B = VALUE_B;
	window_map(SLOT, PAGE_A, PTE_P | PTE_W | pte_flags);
	now_mapped = VALUE_A;
	stop = false;
	on_vector[V_FLUSH] = told;
	memset((void *)wrong, 0, sizeof(wrong));
	memset((void *)reads, 0, sizeof(reads));
	for (unsigned cpu = 1; cpu < n; cpu++) {
		cpu_run(cpu, reader, cr4);
	}
	for (unsigned cpu = 1; cpu < n; cpu++) {
		CHECK(WAIT(reads[cpu] > 0, 500));
	}
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint64_t page = round % 2 ? PAGE_A : PAGE_B;

		now_mapped = round % 2 ? VALUE_A : VALUE_B;
		acks = 0;
		window_pt[SLOT] = page | PTE_P | PTE_W | pte_flags;
		ipi(ICR_OTHERS | ICR_ASSERT | V_FLUSH, 0);
		CHECK(WAIT(acks == n - 1, 1000));
	}
	stop = true;
	for (unsigned cpu = 1; cpu < n; cpu++) {
		CHECK(cpu_done(cpu));
		CHECK(reads[cpu] > ROUNDS);
		CHECK_EQ(wrong[cpu], 0);
	}
	on_vector[V_FLUSH] = NULL;
	window_pt[SLOT] = 0;
}

TEST(tlb_invlpg)
{
	shoot(FLUSH_INVLPG, 0, 0);
}

TEST(tlb_invlpg_global)
{
	shoot(FLUSH_INVLPG, PTE_G, CR4_PGE);
}

TEST(tlb_cr3_load)
{
	shoot(FLUSH_CR3, 0, 0);
}

TEST(tlb_pge_toggle)
{
	shoot(FLUSH_PGE, PTE_G, CR4_PGE);
}

TEST(tlb_pcid_cr3_load)
{
	if (!(cpuid(1, 0).c & 1U << 17)) {
		skip("no PCIDs");
		return;
	}
	shoot(FLUSH_PCID_CR3, 0, CR4_PCIDE);
}

TEST(tlb_invpcid)
{
	if (!(cpuid(7, 0).b & 1U << 10)) {
		skip("no INVPCID");
		return;
	}
	shoot(FLUSH_INVPCID, PTE_G, CR4_PGE | CR4_PCIDE);
}
