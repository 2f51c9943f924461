// SPDX-License-Identifier: BSD-2-Clause
// Random values into every register a processor has.
#include "guest-test/attack/attack.h"

extern uint64_t pml4[512], gdt[];
extern uint8_t tss[];

struct value {
	uint64_t v;
	uint32_t n;
};

static void do_wrmsr(void *arg)
{
	const struct value *w = arg;

	wrmsr(w->n, w->v);
}

static void do_rdmsr(void *arg)
{
	(void)rdmsr(((const struct value *)arg)->n);
}

static const uint32_t known_msrs[] = {0x10, 0x1b, 0x3a, 0x3b, 0x48, 0x49, 0x79, 0x8b, 0xce, 0xe7,
        0xfe, 0x10a, 0x10b, 0x122, 0x140, 0x174, 0x175, 0x176, 0x179, 0x17a, 0x17b, 0x186, 0x1a0,
        0x1b2, 0x1d9, 0x1da, 0x1f2, 0x200, 0x201, 0x20f, 0x250, 0x258, 0x268, 0x277, 0x2ff, 0x345,
        0x38d, 0x38f, 0x400, 0x480, 0x48b, 0x491, 0x4c1, 0x560, 0x570, 0x600, 0x6a0, 0x6a2, 0x6a4,
        0x6a8, 0x6e0, 0x802, 0x808, 0x80b, 0x80f, 0x830, 0x838, 0x83f, 0xc80, 0xd90, 0xda0,
        0x40000000, 0x40000001, 0x4b564d00, 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083,
        0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0xc0010114};

/* What must be as it was for the attack to go on. */
static void msrs_back(void)
{
	wrmsr(0xc0000080, 0x900);
	wrmsr(0xc0000101, 0);
	wrmsr(0x6e0, 0);
	wrmsr(0x277, 0x0007040600070406ULL);
	wrmsr(0x1d9, 0);
}

ATTACK(msrs)
{
	use_pm_timer();
	while (more()) {
		struct value w = {
		        .n = rnd_below(4) ? known_msrs[rnd_below(sizeof(known_msrs) / 4)]
		                          : (uint32_t)rnd_odd(),
		        .v = rnd_odd(),
		};

		/* An INIT that hits oneself is the end. */
		if (w.n == 0x830 && (w.v & 0x700) == 0x500) {
			continue;
		}
		(void)chaos(do_rdmsr, &w);
		(void)chaos(do_wrmsr, &w);
		if (rnd_below(4) == 0) {
			w.v = rdmsr(0x1b) ^ (1ULL << rnd_below(40));
			w.n = 0x1b;
			(void)chaos(do_wrmsr, &w);
		}
		msrs_back();
	}
}

static void do_cr(void *arg)
{
	const struct value *w = arg;

	switch (w->n) {
	case 0:
		write_cr0(w->v);
		break;
	case 1:
		write_cr4(w->v);
		break;
	case 2:
		write_cr3(w->v);
		break;
	case 3:
		write_cr8(w->v);
		break;
	case 4:
		write_cr2(w->v);
		break;
	case 5:
		write_dr0(w->v);
		break;
	case 6:
		write_dr6(w->v);
		break;
	case 7:
		write_dr7(w->v);
		break;
	case 8:
		xsetbv(0, w->v);
		break;
	case 9:
		xsetbv((uint32_t)w->v, 1);
		break;
	case 10:
		__asm__ volatile("lmsw %w0" : : "r"(w->v));
		break;
	case 11:
		__asm__ volatile("clts");
		break;
	case 12:
		__asm__ volatile("mov %0, %%dr4" : : "r"(w->v));
		break;
	case 13:
		write_dr3(w->v);
		break;
	}
}

/* DR7 first: with GD set, the first access of all to a debug register faults and clears it. */
static void regs_back(void *arg)
{
	const uint64_t *cr = arg;

	write_dr7(0x400);
	write_cr0(cr[0]);
	write_cr4(cr[1]);
	write_cr3(cr[2]);
	write_cr8(0);
}

/*
 * Each write, and the registers back. Nothing that turns paging or protection off: there the next
 * instruction is not this program's; entry.c goes there.
 */
ATTACK(crs)
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4(), cr3 = read_cr3();
	uint64_t regs[] = {cr0, cr4, cr3};

	while (more()) {
		struct value w = {.n = (uint32_t)rnd_below(14), .v = rnd_odd()};

		if (w.n == 0) {
			w.v = cr0 ^ (w.v & ~0x80000001ULL);
		} else if (w.n == 1) {
			w.v = cr4 ^ (rnd_below(2) ? 1ULL << rnd_below(26) : w.v & 0x7fffffULL);
		} else if (w.n == 2) {
			/* The same tables, other bits. */
			w.v = cr3 ^ (1ULL << (rnd_below(2) ? rnd_below(12) : 52 + rnd_below(12)));
		} else if (w.n == 8) {
			w.v = rnd() & 0xff;
			write_cr4(cr4 | 1U << 18);
		}
		(void)chaos(do_cr, &w);
		while (chaos(regs_back, regs) != CALM) {
		}
	}
}

/* --- descriptors, gates and task switches that are nonsense --- */

static void load_segments(void *arg)
{
	uint64_t v = (uint64_t)arg;

	switch (v >> 16 & 7) {
	case 0:
		__asm__ volatile("mov %w0, %%ds" : : "r"(v));
		break;
	case 1:
		__asm__ volatile("mov %w0, %%fs" : : "r"(v));
		break;
	case 2:
		__asm__ volatile("mov %w0, %%ss" : : "r"(v));
		break;
	case 3:
		__asm__ volatile("lldt %w0" : : "r"(v));
		break;
	case 4:
		__asm__ volatile("push %0; pushq $1f; lretq; 1:" : : "r"(v & 0xffff) : "memory");
		break;
	case 5:
		/* Not with a TSS that is ours. */
		__asm__ volatile("verr %w0; lar %w0, %%eax; lsl %w0, %%eax"
		                 :
		                 : "r"(v)
		                 : "eax", "cc");
		break;
	case 6:
		__asm__ volatile("str %%eax; sldt %%eax; sgdt %0; sidt %0"
		                 : "=m"(scratch[0])
		                 :
		                 : "eax");
		break;
	case 7: {
		struct {
			uint32_t offset;
			uint16_t selector;
		} far = {0, (uint16_t)v};

		__asm__ volatile("ljmp *%0" : : "m"(far));
		break;
	}
	}
}

/* The table's upper part belongs to the attack. */
static uint64_t attack_gdt[32] __attribute__((aligned(16)));
static const struct __attribute__((packed)) {
	uint16_t limit;
	uint64_t base;
} attack_gdt_pointer = {sizeof(attack_gdt) - 1, (uint64_t)attack_gdt};
extern const uint8_t gdt_pointer[];

static void cpuid_exit(void)
{
	(void)cpuid(0, 0);
}

/* Whatever was loaded is what the VM is entered with. */
ATTACK(segments)
{
	for (unsigned i = 0; i < 11; i++) {
		attack_gdt[i] = gdt[i];
	}
	__asm__ volatile("lgdt %0" : : "m"(attack_gdt_pointer));
	while (more()) {
		for (unsigned i = 12; i < 32; i++) {
			attack_gdt[i] = rnd_below(3)
			                        ? rnd()
			                        : 0x00cf93000000ffffULL ^ 1ULL << rnd_below(64);
		}
		for (unsigned i = 0; i < 8; i++) {
			(void)chaos(load_segments, (void *)((rnd() & 0x70000) | rnd_below(0x108)));
			cpuid_exit();
		}
	}
	__asm__ volatile("lgdt (%0)" : : "r"(gdt_pointer));
}

/* Flags nobody has: at CPL 3, with an instruction that exits. */
static const uint8_t user_flags[] = {
        0x57,       /* push rdi */
        0x9d,       /* popf */
        0x0f, 0xa2, /* cpuid */
        0x0f, 0xa2, /* cpuid */
        0xcd, 0x80, /* int 0x80 */
};

ATTACK(flags)
{
	memcpy(scratch + 8192, user_flags, sizeof(user_flags));
	while (more()) {
		(void)chaos_user(scratch + 8192, rnd_odd() & 0xffffffff);
	}
}
