/* SPDX-License-Identifier: BSD-2-Clause */
/* What the guests of the Hyper-V interface share: where their pages lie, and how to call. */
#ifndef GUEST_TEST_HYPERV_HYPERV_H
#define GUEST_TEST_HYPERV_HYPERV_H

#include "guest-test/smp/smp.h"
#include "hypercall/tlfs.h"

/* Pages of RAM above the image. */
#define CALL_PAGE 0x400000ULL
#define TSC_PAGE 0x401000ULL
#define INPUT_PAGE 0x402000ULL
#define OUTPUT_PAGE 0x403000ULL
#define MESSAGE_PAGE 0x404000ULL
#define EVENT_PAGE 0x405000ULL
#define ODD_PAGE 0x406000ULL /* two more: calls32.asm */
#define ZERO_PAGE 0x409000ULL

#define OS_ID (0x81ULL << 56 | 1)

/* vCPUs run, the hypercall page is in place; each test begins with it. */
void hv_setup(void);
/* The result word: status, and elements done from bit 32 on. */
static inline uint64_t hv_call(uint64_t control, uint64_t input, uint64_t output)
{
	register uint64_t r8 __asm__("r8") = output;
	uint64_t result;

	__asm__ volatile("call *%[page]"
	                 : "=a"(result), "+c"(control), "+d"(input), "+r"(r8)
	                 : [page] "r"(CALL_PAGE)
	                 : "memory", "cc");
	return result;
}
#define HV_REPS(start, count) \
	((uint64_t)(count) << HV_CALL_REP_COUNT_SHIFT | (uint64_t)(start) \
	                                                        << HV_CALL_REP_START_SHIFT)

#define HV_VAR(words) ((uint64_t)(words) << HV_CALL_VAR_SHIFT)

static inline uint64_t hv_time(void)
{
	return rdmsr(HV_MSR_TIME_REF_COUNT);
}

/* The same by the page, which is at TSC_PAGE. */
static inline uint64_t hv_page_time(void)
{
	const volatile struct hv_reference_tsc *p =
	        (const volatile struct hv_reference_tsc *)TSC_PAGE;

	return (uint64_t)(((unsigned __int128)rdtsc() * p->scale) >> 64) + (uint64_t)p->offset;
}

#endif
