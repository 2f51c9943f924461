// SPDX-License-Identifier: BSD-2-Clause
// CPUID: what is offered, what is withheld, and that each leaf agrees with the rest.
// Specs: [SDM2] "CPUID"; [SDM1] "Determining the XSAVE Managed Features".
#include "guest-test/lib/test.h"

#define PM_TIMER_HZ 3579545ULL
#define CR4_OSXSAVE (1U << 18)

static uint8_t area[4096] __attribute__((aligned(64)));

TEST(cpuid_range)
{
	struct cpuid max = cpuid(0, 0), top, beyond;

	CHECK(max.a >= 0xb && max.a < 0x40);
	top = cpuid(max.a, 0);
	beyond = cpuid(max.a + 100, 0);
	CHECK_EQ(beyond.a, top.a);
	CHECK_EQ(beyond.b, top.b);
	CHECK_EQ(beyond.c, top.c);
	CHECK_EQ(beyond.d, top.d);
	CHECK(cpuid(0x80000000, 0).a >= 0x80000008);
	/* The upper halves are cleared. */
	uint64_t a = ~0ULL << 32, b = ~0ULL, c = ~0ULL << 32, d = ~0ULL;

	__asm__ volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
	CHECK_EQ(a | b | c | d, (a | b | c | d) & 0xffffffffULL);
}

TEST(cpuid_hypervisor)
{
	struct cpuid r = cpuid(0x40000000, 0);

	CHECK(cpuid(1, 0).c >> 31);
	CHECK_EQ(r.a, 0x40000000);
	CHECK_EQ(r.b, 0x646e6143); /* "Cand" */
	CHECK_EQ(r.c, 0x56616c65); /* "elaV" */
	CHECK_EQ(r.d, 0x726f7369); /* "isor" */
	r = cpuid(0x40000001, 0);
	CHECK_EQ(r.a | r.b | r.c | r.d, 0);
}

TEST(cpuid_withheld)
{
	struct cpuid one = cpuid(1, 0), seven = cpuid(7, 0);

	/* DTES64 MONITOR DS-CPL VMX SMX EIST TM2, SDBG, xTPR, PDCM, DCA */
	CHECK_EQ(one.c & 0x0004c9fc, 0);
	CHECK_EQ(one.d & 0x20600000, 0); /* TM, DS, ACPI */
	CHECK_EQ(seven.b & (1U << 2 | 1U << 4 | 1U << 11 | 1U << 12 | 1U << 14 | 1U << 25), 0);
	CHECK_EQ(cpuid(0xa, 0).a & 0xff, 0);     /* no performance counters */
	CHECK_EQ(cpuid(0x80000001, 0).c & 4, 0); /* SVM */
}

TEST(cpuid_osxsave)
{
	uint64_t cr4 = read_cr4();

	if (!(cpuid(1, 0).c & (1U << 26))) {
		skip("no XSAVE");
		return;
	}
	write_cr4(cr4 & ~(uint64_t)CR4_OSXSAVE);
	CHECK(!(cpuid(1, 0).c & (1U << 27)));
	write_cr4(cr4 | CR4_OSXSAVE);
	CHECK(cpuid(1, 0).c & (1U << 27));
	write_cr4(cr4);
}

/* Bytes of 'area' from 'from' on that XSAVE with this mask touches. */
static uint32_t xsave_end(uint64_t mask)
{
	uint32_t end = sizeof(area);

	memset(area, 0xa5, sizeof(area));
	memset(area + 512, 0, 64);
	__asm__ volatile("xsave64 (%0)"
	                 :
	                 : "r"(area), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32))
	                 : "memory");
	while (end > 576 && area[end - 1] == 0xa5) {
		end--;
	}
	return end;
}

TEST(cpuid_xstate)
{
	struct cpuid all;
	uint64_t cr4 = read_cr4(), allowed;
	uint32_t largest = 576;

	if (!(cpuid(1, 0).c & (1U << 26))) {
		skip("no XSAVE");
		return;
	}
	write_cr4(cr4 | CR4_OSXSAVE);
	all = cpuid(0xd, 0);
	allowed = (uint64_t)all.d << 32 | all.a;
	CHECK_EQ(allowed & 3, 3);
	xsetbv(0, 1);
	CHECK_EQ(cpuid(0xd, 0).b, 576);
	xsetbv(0, 3);
	CHECK_EQ(cpuid(0xd, 0).b, 576);
	CHECK(xsave_end(3) <= 576);
	for (unsigned i = 2; i < 63; i++) {
		struct cpuid part = cpuid(0xd, i);

		if (!(allowed >> i & 1)) {
			CHECK_EQ(part.a, 0);
			continue;
		}
		CHECK(part.a != 0 && part.b >= 576);
		if (part.a + part.b > largest) {
			largest = part.a + part.b;
		}
	}
	CHECK_EQ(all.c, largest);
	if (allowed & 4) {
		struct cpuid avx = cpuid(0xd, 2);

		CHECK_EQ(avx.a, 256);
		xsetbv(0, 7);
		CHECK_EQ(cpuid(0xd, 0).b, avx.a + avx.b);
		/* Ones into the upper halves, and where XSAVE puts them. */
		__asm__ volatile("vpcmpeqd %%ymm0, %%ymm0, %%ymm0; vmovdqa %%ymm0, %%ymm15" : : :);
		CHECK_EQ(xsave_end(7), avx.a + avx.b);
		CHECK_EQ(*(uint64_t *)(area + avx.b), ~0ULL);
		CHECK_EQ(*(uint64_t *)(area + avx.b + 248), ~0ULL);
		CHECK_EQ(*(uint64_t *)(area + 512) & 4, 4);
	}
	xsetbv(0, allowed);
	CHECK_EQ(cpuid(0xd, 0).b, largest);
	xsetbv(0, 3);
	write_cr4(cr4);
}

TEST(cpuid_tsc_frequency)
{
	struct cpuid r = cpuid(0x15, 0), mhz = cpuid(0x16, 0);
	uint64_t said, measured, t0;
	uint32_t start, ticks;

	if (cpuid(0, 0).a < 0x16 || !r.a || !r.b || !r.c) {
		skip("leaf 0x15 says nothing");
		return;
	}
	said = (uint64_t)r.c * r.b / r.a;
	start = inl(PM_TIMER);
	t0 = rdtsc();
	do {
		ticks = (inl(PM_TIMER) - start) & 0xffffffU;
	} while (ticks < PM_TIMER_HZ / 20);
	measured = (rdtsc() - t0) * PM_TIMER_HZ / ticks;
	info("leaf 0x15", said, "Hz");
	info("by PM timer", measured, "Hz");
	CHECK(said > measured / 100 * 99 && said < measured / 100 * 101);
	CHECK((said + 500000) / 1000000 == (mhz.a & 0xffff));
}

TEST(cpuid_topology)
{
	struct cpuid smt = cpuid(0xb, 0), core = cpuid(0xb, 1), end = cpuid(0xb, 2);
	uint32_t id = cpuid(1, 0).b >> 24;

	CHECK_EQ(smt.c, 0x100);
	CHECK_EQ(core.c, 0x201);
	CHECK_EQ(end.c, 2);
	CHECK_EQ(smt.b, 1);
	CHECK_EQ(core.b, 1);
	CHECK_EQ(end.b, 0);
	CHECK_EQ(smt.d, id);
	CHECK_EQ(core.d, id);
	CHECK_EQ(id, mmio_r32(LAPIC_BASE + 0x20) >> 24);
	CHECK_EQ(cpuid(0x80000008, 0).a >> 8 & 0xff, 48);
}

/* One instruction of each feature: none may be #UD where it is offered. */
INSN(rdtscp, "rdtscp")
INSN(invpcid, "sub $16, %%rsp; movq $0, (%%rsp); movq $0, 8(%%rsp); mov $2, %%eax;"
              "invpcid (%%rsp), %%rax; add $16, %%rsp")
INSN(fsgsbase, "rdfsbase %%rax; wrfsbase %%rax")
INSN(bmi1, "andn %%rax, %%rbx, %%rcx; tzcnt %%rax, %%rbx")
INSN(bmi2, "shlx %%rax, %%rbx, %%rcx; pdep %%rax, %%rbx, %%rcx")
INSN(lzcnt, "lzcnt %%rax, %%rbx")
INSN(avx, "vpxor %%xmm0, %%xmm1, %%xmm2; vaddps %%ymm0, %%ymm1, %%ymm2")
INSN(avx2, "vpaddd %%ymm0, %%ymm1, %%ymm2")
INSN(fma, "vfmadd132ps %%ymm0, %%ymm1, %%ymm2")
INSN(f16c, "vcvtph2ps %%xmm0, %%ymm1")
INSN(aes, "aesenc %%xmm0, %%xmm1")
INSN(clmul, "pclmulqdq $0, %%xmm0, %%xmm1")
INSN(sse3, "haddps %%xmm0, %%xmm1")
INSN(ssse3, "pshufb %%xmm0, %%xmm1")
INSN(sse41, "pmulld %%xmm0, %%xmm1")
INSN(sse42, "crc32q %%rax, %%rbx")
INSN(movbe, "push %%rax; movbe (%%rsp), %%rax; pop %%rax")
INSN(popcnt, "popcnt %%rax, %%rbx")
INSN(rdrand, "rdrand %%rax")
INSN(rdseed, "rdseed %%rax")
INSN(adx, "adcx %%rax, %%rbx; adox %%rax, %%rbx")
INSN(cx16, "sub $32, %%rsp; lea 15(%%rsp), %%rsi; and $-16, %%rsi; cmpxchg16b (%%rsi);"
           "add $32, %%rsp")
INSN(clflush, "clflush (%%rsp)")
INSN(clflushopt, "clflushopt (%%rsp)")
INSN(clwb, "clwb (%%rsp)")
INSN(fxsr, "fxsave64 (%%rdi); fxrstor64 (%%rdi)")
INSN(xsave, "xor %%ecx, %%ecx; xgetbv; mov $3, %%eax; xor %%edx, %%edx; xsave64 (%%rdi);"
            "xrstor64 (%%rdi)")
INSN(xsaveopt, "mov $3, %%eax; xor %%edx, %%edx; xsaveopt64 (%%rdi)")
INSN(xsavec, "mov $3, %%eax; xor %%edx, %%edx; xsavec64 (%%rdi)")
INSN(xgetbv1, "mov $1, %%ecx; xgetbv")
INSN(xsaves, "mov $3, %%eax; xor %%edx, %%edx; xsaves64 (%%rdi); xrstors64 (%%rdi)")
INSN(avx512f, "vpxord %%zmm0, %%zmm1, %%zmm2")
INSN(sha, "sha1nexte %%xmm0, %%xmm1")
INSN(rdpid, "rdpid %%rax")
INSN(smap, "clac; stac; clac")
INSN(pku, "xor %%ecx, %%ecx; rdpkru")
INSN(prefetchw, "prefetchw (%%rsp)")
INSN(lahf, "lahf")

static const struct feature {
	uint32_t leaf, sub;
	char reg;
	uint8_t bit;
	const char *name;
	void (*fn)(void *arg);
	uint64_t cr4; /* what has to be on */
} features[] = {
        {1, 0, 'c', 0, "SSE3", insn_sse3, 0},
        {1, 0, 'c', 1, "PCLMULQDQ", insn_clmul, 0},
        {1, 0, 'c', 9, "SSSE3", insn_ssse3, 0},
        {1, 0, 'c', 12, "FMA", insn_fma, 0},
        {1, 0, 'c', 13, "CMPXCHG16B", insn_cx16, 0},
        {1, 0, 'c', 19, "SSE4.1", insn_sse41, 0},
        {1, 0, 'c', 20, "SSE4.2", insn_sse42, 0},
        {1, 0, 'c', 22, "MOVBE", insn_movbe, 0},
        {1, 0, 'c', 23, "POPCNT", insn_popcnt, 0},
        {1, 0, 'c', 25, "AES", insn_aes, 0},
        {1, 0, 'c', 26, "XSAVE", insn_xsave, 0},
        {1, 0, 'c', 28, "AVX", insn_avx, 0},
        {1, 0, 'c', 29, "F16C", insn_f16c, 0},
        {1, 0, 'c', 30, "RDRAND", insn_rdrand, 0},
        {1, 0, 'd', 19, "CLFLUSH", insn_clflush, 0},
        {1, 0, 'd', 24, "FXSAVE", insn_fxsr, 0},
        {7, 0, 'b', 0, "FSGSBASE", insn_fsgsbase, 1U << 16},
        {7, 0, 'b', 3, "BMI1", insn_bmi1, 0},
        {7, 0, 'b', 5, "AVX2", insn_avx2, 0},
        {7, 0, 'b', 8, "BMI2", insn_bmi2, 0},
        {7, 0, 'b', 10, "INVPCID", insn_invpcid, 0},
        {7, 0, 'b', 16, "AVX512F", insn_avx512f, 0},
        {7, 0, 'b', 18, "RDSEED", insn_rdseed, 0},
        {7, 0, 'b', 19, "ADX", insn_adx, 0},
        {7, 0, 'b', 20, "SMAP", insn_smap, 0},
        {7, 0, 'b', 23, "CLFLUSHOPT", insn_clflushopt, 0},
        {7, 0, 'b', 24, "CLWB", insn_clwb, 0},
        {7, 0, 'b', 29, "SHA", insn_sha, 0},
        {7, 0, 'c', 3, "PKU", insn_pku, 1U << 22},
        {7, 0, 'c', 22, "RDPID", insn_rdpid, 0},
        {0xd, 1, 'a', 0, "XSAVEOPT", insn_xsaveopt, 0},
        {0xd, 1, 'a', 1, "XSAVEC", insn_xsavec, 0},
        {0xd, 1, 'a', 2, "XGETBV 1", insn_xgetbv1, 0},
        {0xd, 1, 'a', 3, "XSAVES", insn_xsaves, 0},
        {0x80000001, 0, 'c', 0, "LAHF", insn_lahf, 0},
        {0x80000001, 0, 'c', 5, "LZCNT", insn_lzcnt, 0},
        {0x80000001, 0, 'c', 8, "PREFETCHW", insn_prefetchw, 0},
        {0x80000001, 0, 'd', 27, "RDTSCP", insn_rdtscp, 0},
};

TEST(cpuid_features_work)
{
	uint64_t cr4 = read_cr4();
	bool xsave = cpuid(1, 0).c & (1U << 26);

	if (xsave) {
		struct cpuid all = cpuid(0xd, 0);

		write_cr4(cr4 | CR4_OSXSAVE);
		xsetbv(0, (uint64_t)all.d << 32 | all.a);
	}
	memset(area, 0, sizeof(area));
	__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
	for (unsigned i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		const struct feature *f = &features[i];
		struct cpuid r = cpuid(f->leaf, f->sub);
		uint32_t reg = f->reg == 'a'   ? r.a
		               : f->reg == 'b' ? r.b
		               : f->reg == 'c' ? r.c
		                               : r.d;
		uint64_t before = read_cr4();
		uint32_t vector;

		if (!(reg >> f->bit & 1)) {
			continue;
		}
		write_cr4(before | f->cr4);
		vector = fault_of(f->fn, area);
		write_cr4(before);
		if (vector != NO_FAULT) {
			put_string("     offered but faults: ");
			put_string(f->name);
			put_string("\n");
		}
		CHECK_EQ(vector, NO_FAULT);
	}
	if (xsave) {
		xsetbv(0, 3);
	}
	write_cr4(cr4);
}
