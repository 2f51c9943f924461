/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID leaves of two processors, abridged to what the policy reads, for tests. */
#ifndef TESTS_CPU_MODELS_H
#define TESTS_CPU_MODELS_H

#include "tests/fake/fake.h"

/* A fourth-generation Core: AVX2, XSAVEOPT, no XSAVES, no leaf 0x15. */
static inline void cpu_model_haswell(void)
{
	fake_cpuid_clear();
	fake_cpuid_set(0, 0, 0xd, 0x756e6547, 0x6c65746e, 0x49656e69);
	fake_cpuid_set(1, 0, 0x000306c3, 0x03100800, 0x7ffafbff, 0xbfebfbff);
	fake_cpuid_set(2, 0, 0x76036301, 0x00f0b5ff, 0, 0x00c10000);
	fake_cpuid_set(4, 0, 0x1c004121, 0x01c0003f, 0x0000003f, 0);
	fake_cpuid_set(4, 1, 0x1c004122, 0x01c0003f, 0x0000003f, 0);
	fake_cpuid_set(4, 2, 0x1c004143, 0x01c0003f, 0x000001ff, 0);
	fake_cpuid_set(4, 3, 0x1c03c163, 0x03c0003f, 0x00001fff, 6);
	fake_cpuid_set(5, 0, 0x40, 0x40, 3, 0x42120);
	fake_cpuid_set(6, 0, 0x77, 2, 9, 0);
	fake_cpuid_set(7, 0, 0, 0x000027ab, 0, 0);
	fake_cpuid_set(0xa, 0, 0x07300403, 0, 0, 0x603);
	fake_cpuid_set(0xb, 0, 1, 2, 0x100, 3);
	fake_cpuid_set(0xb, 1, 4, 8, 0x201, 3);
	fake_cpuid_set(0xd, 0, 7, 0x340, 0x340, 0);
	fake_cpuid_set(0xd, 1, 1, 0, 0, 0);
	fake_cpuid_set(0xd, 2, 0x100, 0x240, 0, 0);
	fake_cpuid_set(0x80000000, 0, 0x80000008, 0, 0, 0);
	fake_cpuid_set(0x80000001, 0, 0, 0, 0x21, 0x2c100800);
	fake_cpuid_set(0x80000002, 0, 0x65746e49, 0x2952286c, 0x726f4320, 0x4d542865);
	fake_cpuid_set(0x80000006, 0, 0, 0, 0x01006040, 0);
	fake_cpuid_set(0x80000007, 0, 0, 0, 0, 0x100);
	fake_cpuid_set(0x80000008, 0, 0x3027, 0, 0, 0);
}

/* A Skylake server: AVX-512, PKU, MPX, XSAVES with PT state, leaf 0x15, IBRS and friends. */
static inline void cpu_model_skylake_x(void)
{
	cpu_model_haswell();
	fake_cpuid_set(0, 0, 0x16, 0x756e6547, 0x6c65746e, 0x49656e69);
	fake_cpuid_set(1, 0, 0x00050654, 0x10400800, 0x7ffefbff, 0xbfebfbff);
	/* Everything in leaf 7 EBX, PKU and OSPKE, MD_CLEAR and the speculation controls. */
	fake_cpuid_set(7, 0, 0, 0xffffffff, 0x00000018, 0xbc000400);
	fake_cpuid_set(0xd, 0, 0x2ff, 0x440, 0xa88, 0);
	fake_cpuid_set(0xd, 1, 0xf, 0x990, 0x100, 0);
	fake_cpuid_set(0xd, 2, 0x100, 0x240, 0, 0);
	fake_cpuid_set(0xd, 3, 0x40, 0x3c0, 0, 0);
	fake_cpuid_set(0xd, 4, 0x40, 0x400, 0, 0);
	fake_cpuid_set(0xd, 5, 0x40, 0x440, 0, 0);
	fake_cpuid_set(0xd, 6, 0x200, 0x480, 0, 0);
	fake_cpuid_set(0xd, 7, 0x400, 0x680, 0, 0);
	fake_cpuid_set(0xd, 8, 0x80, 0, 1, 0);
	fake_cpuid_set(0xd, 9, 8, 0xa80, 0, 0);
	fake_cpuid_set(0x15, 0, 2, 0x118, 25000000, 0);
	fake_cpuid_set(0x16, 0, 0xdac, 0x1194, 0x64, 0);
	fake_cpuid_set(0x80000008, 0, 0x302e, 0, 0, 0);
}

/* What a modern VT-x grants. */
static inline struct virt_caps cpu_model_caps(void)
{
	return (struct virt_caps){
	        .invpcid = true, .rdtscp = true, .xsaves = true, .xss_mask = ~0ULL};
}

#endif
