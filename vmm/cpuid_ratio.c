// SPDX-License-Identifier: BSD-2-Clause
/*
 * Best short fraction for the TSC's frequency, by continued fractions.
 * Specs: [SDM2] "Time Stamp Counter and Nominal Core Crystal Clock Information Leaf".
 */
#include "vmm/cpuid_ratio.h"

bool cpuid_tsc_ratio(uint64_t tsc_hz, uint64_t crystal_hz, uint32_t *num, uint32_t *den)
{
	uint64_t a = tsc_hz, b = crystal_hz;
	/* Two convergents in a row, p0/q0 the older one. */
	uint64_t p0 = 0, q0 = 1, p1 = 1, q1 = 0;
	uint64_t limit, x, y;

	/* 2^36 Hz: beyond any processor, and the products below stay in 64 bits. */
	if (crystal_hz < 1000 || crystal_hz > UINT32_MAX || tsc_hz == 0 || tsc_hz >> 36) {
		return false;
	}
	limit = UINT32_MAX / (crystal_hz / 1000);
	while (b != 0) {
		uint64_t n = a / b, rest = a % b, p, q;

		/* n, p1, q1 < 2^37, 2^32, 2^27: the new p and q cannot wrap. */
		p = n * p1 + p0;
		q = n * q1 + q0;
		if (p > limit || q >> 27) {
			break;
		}
		p0 = p1;
		q0 = q1;
		p1 = p;
		q1 = q;
		a = b;
		b = rest;
	}
	if (p1 == 0 || q1 == 0) {
		return false;
	}
	x = crystal_hz * p1;
	y = tsc_hz * q1;
	if ((x > y ? x - y : y - x) > y / 1000000) {
		return false;
	}
	*num = (uint32_t)p1;
	*den = (uint32_t)q1;
	return true;
}
