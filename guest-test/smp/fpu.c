// SPDX-License-Identifier: BSD-2-Clause
// Vector registers belong to their vCPU, whoever else has the CPU meanwhile.
// Specs: [SDM1] "Managing State Using the XSAVE Feature Set".
#include "guest-test/smp/smp.h"

#define ROUNDS 20U

static uint8_t pattern[CPUS][32] __attribute__((aligned(32)));
static uint8_t result[CPUS][64] __attribute__((aligned(32)));
static volatile uint32_t wrong;

/* Each vCPU has its own pattern in the first and the last register, and sleeps again and again. */
static void keep(uint64_t avx)
{
	unsigned id = me();
	uint64_t cr4 = read_cr4();

	for (unsigned i = 0; i < 32; i++) {
		pattern[id][i] = (uint8_t)(id * 37 + i * 3 + 1);
	}
	if (avx) {
		write_cr4(cr4 | 1U << 18);
		xsetbv(0, 7);
		__asm__ volatile("vmovdqa (%0), %%ymm0; vmovdqa (%0), %%ymm15"
		                 :
		                 : "r"(pattern[id]));
	} else {
		__asm__ volatile("movdqa (%0), %%xmm0; movdqa 16(%0), %%xmm15"
		                 :
		                 : "r"(pattern[id]));
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		nap();
		if (avx) {
			__asm__ volatile("vmovdqa %%ymm0, (%0); vmovdqa %%ymm15, 32(%0)"
			                 :
			                 : "r"(result[id])
			                 : "memory");
		} else {
			__asm__ volatile("movdqa %%xmm0, (%0); movdqa %%xmm15, 16(%0)"
			                 :
			                 : "r"(result[id])
			                 : "memory");
		}
		for (unsigned i = 0; i < (avx ? 64U : 32U); i++) {
			if (result[id][i] != pattern[id][i % 32]) {
				__atomic_fetch_add(&wrong, 1, __ATOMIC_SEQ_CST);
			}
		}
	}
	if (avx) {
		xsetbv(0, 3);
		write_cr4(cr4);
	}
}

TEST(smp_vector_registers)
{
	cpus_start();
	all_run(keep, 0);
	CHECK_EQ(wrong, 0);
	if (cpuid(1, 0).c & 1U << 28) {
		all_run(keep, 1);
		CHECK_EQ(wrong, 0);
	}
}
