// SPDX-License-Identifier: BSD-2-Clause
// Saving and restoring extended state, in each form that CPUID offers: what comes back is what was
// saved, through exits and sleep.
// Specs: [SDM1] "Managing State Using the XSAVE Feature Set".
#include "guest-test/lib/test.h"

#define XCR0_X87 (1ULL << 0)
#define XCR0_SSE (1ULL << 1)
#define XCR0_AVX (1ULL << 2)
#define XCR0_AVX512 (7ULL << 5)
#define CR4_OSXSAVE (1ULL << 18)
#define MSR_XSS 0xda0U
#define AREA_SIZE 4096U
#define XSTATE_BV 512U
#define XCOMP_BV 520U
#define COMPACTED (1ULL << 63)
#define VECTOR_BYTES 64U

static uint8_t area[AREA_SIZE] __attribute__((aligned(64)));
static uint8_t initial[AREA_SIZE] __attribute__((aligned(64)));
static uint8_t pattern[2 * VECTOR_BYTES] __attribute__((aligned(64)));
static uint8_t result[2 * VECTOR_BYTES] __attribute__((aligned(64)));
static unsigned width; /* of a vector register here: 16, 32 or 64 */

/* The first register and the last one: xmm0 and 15, ymm0 and 15, zmm0 and 31. */
static void load_vectors(void)
{
	if (width == 64) {
		__asm__ volatile(
		        "vmovdqu64 (%0), %%zmm0; vmovdqu64 64(%0), %%zmm31; kxnorw %%k1, %%k1, %%k1"
		        :
		        : "r"(pattern));
	} else if (width == 32) {
		__asm__ volatile("vmovdqa (%0), %%ymm0; vmovdqa 64(%0), %%ymm15" : : "r"(pattern));
	} else {
		__asm__ volatile("movdqa (%0), %%xmm0; movdqa 64(%0), %%xmm15" : : "r"(pattern));
	}
}

static void store_vectors(void)
{
	memset(result, 0xee, sizeof(result));
	if (width == 64) {
		__asm__ volatile("vmovdqu64 %%zmm0, (%0); vmovdqu64 %%zmm31, 64(%0)"
		                 :
		                 : "r"(result)
		                 : "memory");
	} else if (width == 32) {
		__asm__ volatile("vmovdqa %%ymm0, (%0); vmovdqa %%ymm15, 64(%0)"
		                 :
		                 : "r"(result)
		                 : "memory");
	} else {
		__asm__ volatile("movdqa %%xmm0, (%0); movdqa %%xmm15, 64(%0)"
		                 :
		                 : "r"(result)
		                 : "memory");
	}
}

enum form { FORM_XSAVE, FORM_XSAVEOPT, FORM_XSAVEC, FORM_XSAVES };

static void save(enum form form, uint64_t mask)
{
	uint32_t lo = (uint32_t)mask, hi = (uint32_t)(mask >> 32);

	switch (form) {
	case FORM_XSAVE:
		__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(lo), "d"(hi) : "memory");
		break;
	case FORM_XSAVEOPT:
		__asm__ volatile("xsaveopt64 (%0)" : : "r"(area), "a"(lo), "d"(hi) : "memory");
		break;
	case FORM_XSAVEC:
		__asm__ volatile("xsavec64 (%0)" : : "r"(area), "a"(lo), "d"(hi) : "memory");
		break;
	case FORM_XSAVES:
		__asm__ volatile("xsaves64 (%0)" : : "r"(area), "a"(lo), "d"(hi) : "memory");
		break;
	}
}

static void restore(enum form form, const uint8_t *from, uint64_t mask)
{
	uint32_t lo = (uint32_t)mask, hi = (uint32_t)(mask >> 32);

	if (form == FORM_XSAVES) {
		__asm__ volatile("xrstors64 (%0)" : : "r"(from), "a"(lo), "d"(hi) : "memory");
	} else {
		__asm__ volatile("xrstor64 (%0)" : : "r"(from), "a"(lo), "d"(hi) : "memory");
	}
}

static uint64_t word_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool all_are(uint8_t want)
{
	for (unsigned i = 0; i < width; i++) {
		if (result[i] != want || result[VECTOR_BYTES + i] != want) {
			return false;
		}
	}
	return true;
}

static bool same_as_pattern(void)
{
	for (unsigned i = 0; i < width; i++) {
		if (result[i] != pattern[i] ||
		        result[VECTOR_BYTES + i] != pattern[VECTOR_BYTES + i]) {
			return false;
		}
	}
	return true;
}

static void some_exits(void)
{
	for (unsigned i = 0; i < 20; i++) {
		cpuid(i & 7, 0);
		outb(0x80, (uint8_t)i);
	}
}

static void round_trip(enum form form, uint64_t mask)
{
	bool compacted = form == FORM_XSAVEC || form == FORM_XSAVES;
	uint64_t none = compacted ? COMPACTED | mask : 0;

	memset(area, 0, sizeof(area));
	memset(initial, 0, sizeof(initial));
	memcpy(initial + 24, &(uint32_t){0x1f80}, 4); /* MXCSR */
	memcpy(initial + XCOMP_BV, &none, sizeof(none));
	load_vectors();
	some_exits();
	save(form, mask);
	CHECK_EQ(word_at(area + XSTATE_BV) & mask & ~XCR0_X87, mask & ~XCR0_X87);
	CHECK_EQ(word_at(area + XCOMP_BV), none);
	restore(form, initial, mask);
	some_exits();
	store_vectors();
	CHECK(all_are(0));
	restore(form, area, mask);
	some_exits();
	store_vectors();
	CHECK(same_as_pattern());
}

/* With everything that XCR0 can have; returns its old state for close_all(). */
static uint64_t open_all(uint64_t *mask)
{
	uint64_t cr4 = read_cr4();
	uint64_t offered = cpuid(0xd, 0).a;

	write_cr4(cr4 | CR4_OSXSAVE);
	width = 16;
	*mask = XCR0_X87 | XCR0_SSE;
	if (offered & XCR0_AVX) {
		*mask |= XCR0_AVX;
		width = 32;
	}
	if ((offered & XCR0_AVX512) == XCR0_AVX512) {
		*mask |= XCR0_AVX512;
		width = 64;
	}
	xsetbv(0, *mask);
	for (unsigned i = 0; i < sizeof(pattern); i++) {
		pattern[i] = (uint8_t)(i * 13 + 5);
	}
	return cr4;
}

static void close_all(uint64_t cr4)
{
	xsetbv(0, XCR0_X87 | XCR0_SSE);
	write_cr4(cr4);
}

static void try_form(enum form form, uint32_t leaf_bit)
{
	uint64_t mask, cr4;

	if (!(cpuid(1, 0).c & (1U << 26))) {
		skip("no XSAVE");
		return;
	}
	if (leaf_bit && !(cpuid(0xd, 1).a & leaf_bit)) {
		skip("not offered");
		return;
	}
	cr4 = open_all(&mask);
	if (form == FORM_XSAVES) {
		wrmsr(MSR_XSS, 0);
	}
	info("bytes of a vector register", width, "");
	round_trip(form, mask);
	/* A part alone: the rest stays as it is. */
	load_vectors();
	save(form, XCR0_X87);
	restore(form, initial, 0);
	store_vectors();
	CHECK(same_as_pattern());
	if (form == FORM_XSAVEC || form == FORM_XSAVES) {
		uint32_t size = cpuid(0xd, 1).b;

		CHECK(size >= 576 && size <= AREA_SIZE);
	} else {
		CHECK(cpuid(0xd, 0).b >= 576 && cpuid(0xd, 0).b <= AREA_SIZE);
	}
	close_all(cr4);
}

TEST(xsave_round_trip)
{
	try_form(FORM_XSAVE, 0);
}

TEST(xsaveopt_round_trip)
{
	try_form(FORM_XSAVEOPT, 1U << 0);
}

TEST(xsavec_round_trip)
{
	try_form(FORM_XSAVEC, 1U << 1);
}

TEST(xsaves_round_trip)
{
	try_form(FORM_XSAVES, 1U << 3);
}
