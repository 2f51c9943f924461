// SPDX-License-Identifier: BSD-2-Clause
// CPUID: what is offered, what is withheld, and that each agrees with the rest.
// Specs: [SDM2] "CPUID"; [SDM1] "Determining the XSAVE Managed Features".
#include "guest-test/lib/test.h"

TEST(cpuid_range)
{
	struct cpuid max = cpuid(0, 0), top, beyond;

	CHECK(max.a >= 0xb && max.a < 0x40);
	top = cpuid(max.a, 0);
	beyond = cpuid(max.a + 100, 0);
	CHECK_EQ(beyond.a, top.a);
	CHECK_EQ(beyond.d, top.d);
	CHECK(cpuid(0x80000000, 0).a >= 0x80000008);
}
