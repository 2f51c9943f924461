// SPDX-License-Identifier: BSD-2-Clause
// What the walk of modes.asm found in each mode.
// Specs: [SDM3] "Modes of Operation", "32-Bit Paging", "PAE Paging".
#include "guest-test/lib/test.h"

struct probe {
	uint32_t done;
	uint32_t port;   /* the host bridge's id by IN */
	uint32_t device; /* the IOAPIC's version register */
	uint32_t hole;
	uint32_t cpuid;
	uint32_t cr0;
	uint32_t ints, irqs;
	uint32_t string; /* the id by REP INSW: its lower half twice */
	uint32_t unused;
};
_Static_assert(sizeof(struct probe) == 40, "SLOT_SIZE");

enum slot { COMPAT, PROT32, PROT16, REAL, V86, PSE, PAE, MISC };

/* The last slot: single findings. */
struct misc {
	uint16_t real_faults; /* #DE 1, #GP 0x100 */
	uint16_t pad;
	uint32_t efer;
	uint32_t small_page;
	uint32_t pf_vector, pf_cr2;
	uint16_t sp_before, sp_after;
	uint16_t real_msw, pad2;
	uint32_t bad_vector, bad_cr3;
};

extern volatile struct probe results[];
extern uint64_t idt32[256];
extern const uint32_t idt32_handlers[6];
extern uint64_t pds[];
void modes_run(void);

uint32_t pse_pd[1024] __attribute__((aligned(4096)));
static uint32_t small_pt[1024] __attribute__((aligned(4096)));
static uint32_t small_page[1024] __attribute__((aligned(4096)));
uint64_t pae_pdpt[4] __attribute__((aligned(32)));
uint64_t bad_pdpt[4] __attribute__((aligned(32)));

static void gate(unsigned vector, uint32_t handler, unsigned dpl)
{
	idt32[vector] = (handler & 0xffff) | 0x08U << 16 | (0x8e00ULL | dpl << 13) << 32 |
	                (uint64_t)(handler >> 16) << 48;
}

static void prepare(void)
{
	for (unsigned v = 0; v < 256; v++) {
		gate(v, idt32_handlers[0], 0);
	}
	gate(0x60, idt32_handlers[1], 0);
	gate(0x20, idt32_handlers[2], 0);
	gate(13, idt32_handlers[3], 0);
	gate(14, idt32_handlers[4], 0);
	gate(0x61, idt32_handlers[5], 3);
	for (uint32_t i = 0; i < 1024; i++) {
		pse_pd[i] = i << 22 | 0x83;
	}
	small_pt[0] = (uint32_t)(uint64_t)small_page | 3;
	small_page[4] = 0x600dcafe;
	pse_pd[0x40000000 >> 22] = (uint32_t)(uint64_t)small_pt | 3;
	pse_pd[0x50000000 >> 22] = 0;
	for (unsigned i = 0; i < 4; i++) {
		pae_pdpt[i] = (uint64_t)(pds + 512 * i) | 1;
		bad_pdpt[i] = pae_pdpt[i] | (i == 2 ? 6 : 0);
	}
	/* The timer alone, as vector 20H; LINT0 is ExtINT from power-on. */
	outb(0x20, 0x11);
	outb(0x21, 0x20);
	outb(0x21, 4);
	outb(0x21, 1);
	outb(0x21, 0xfe);
	outb(0xa1, 0xff);
}

static const volatile struct probe *probe_of(enum slot slot)
{
	static bool done;

	if (!done) {
		done = true;
		prepare();
		modes_run();
		pic_mask_all();
	}
	return &results[slot];
}

static void check_probe(enum slot slot, uint32_t cr0_mask, uint32_t cr0)
{
	const volatile struct probe *p = probe_of(slot);

	CHECK_EQ(p->done, 1);
	CHECK_EQ(p->port, 0x71928086);
	CHECK_EQ(p->hole, 0xffffffff);
	CHECK_EQ(p->cpuid, 0x646e6143);
	CHECK_EQ(p->string, 0x80868086);
	CHECK_EQ(p->cr0 & cr0_mask, cr0);
}

static void check_events(enum slot slot)
{
	CHECK_EQ(probe_of(slot)->ints, 1);
	CHECK_EQ(probe_of(slot)->irqs, 1);
}

TEST(modes_compatibility)
{
	check_probe(COMPAT, 0x80000001, 0x80000001);
	CHECK_EQ(probe_of(COMPAT)->device, 0x170011);
}

TEST(modes_protected_32)
{
	check_probe(PROT32, 0x80000001, 1);
	CHECK_EQ(probe_of(PROT32)->device, 0x170011);
	check_events(PROT32);
	CHECK_EQ(((volatile struct misc *)probe_of(MISC))->efer & 0x500, 0x100);
}

TEST(modes_protected_16)
{
	check_probe(PROT16, 0x80000001, 1);
	CHECK_EQ(probe_of(PROT16)->device, 0x170011);
	check_events(PROT16);
}

TEST(modes_real)
{
	volatile struct misc *m = (volatile struct misc *)probe_of(MISC);

	check_probe(REAL, 0x80000001, 0);
	CHECK_EQ(probe_of(REAL)->device, 0x170011);
	check_events(REAL);
	CHECK_EQ(m->real_faults, 0x101);
	CHECK_EQ(m->sp_after, m->sp_before);
	CHECK_EQ(m->real_msw & 1, 0);
}

TEST(modes_virtual_8086)
{
	check_probe(V86, 1, 1);
}

TEST(modes_paging_32)
{
	volatile struct misc *m = (volatile struct misc *)probe_of(MISC);

	check_probe(PSE, 0x80000001, 0x80000001);
	CHECK_EQ(probe_of(PSE)->device, 0x170011);
	check_events(PSE);
	CHECK_EQ(m->small_page, 0x600dcafe);
	CHECK_EQ(m->pf_vector, X_PF);
	CHECK_EQ(m->pf_cr2, 0x50000123);
	CHECK_EQ(small_pt[0] & 0x20, 0x20); /* accessed */
}

TEST(modes_paging_pae)
{
	volatile struct misc *m = (volatile struct misc *)probe_of(MISC);

	check_probe(PAE, 0x80000001, 0x80000001);
	CHECK_EQ(probe_of(PAE)->device, 0x170011);
	check_events(PAE);
	CHECK_EQ(m->bad_vector, X_GP);
	CHECK_EQ(m->bad_cr3, (uint64_t)pae_pdpt);
}

/* And long mode works as before. */
TEST(modes_zz_back)
{
	probe_of(MISC);
	CHECK_EQ(rdmsr(0xc0000080) & 0x500, 0x500);
	CHECK_EQ(read_cr4() & 0x20, 0x20);
	CHECK_EQ(ioapic_read(1), 0x170011);
	lapic_enable();
	irq_setup(0x60, EOI_LAPIC, NULL);
	mmio_w32(LAPIC_BASE + 0x300, 0x40060);
	CHECK(wait_for(&irq_count[0x60], 1, 1000));
}

/* The same walk again and again: nothing is left behind. */
TEST(modes_zzz_again)
{
	for (unsigned i = 0; i < 50; i++) {
		prepare();
		modes_run();
		CHECK_EQ(results[PAE].irqs, 1);
	}
	pic_mask_all();
}
