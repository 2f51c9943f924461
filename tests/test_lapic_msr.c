// SPDX-License-Identifier: BSD-2-Clause
// The local APIC by MSR: IA32_APIC_BASE, its modes, and the registers of x2APIC mode.
// Specs: [SDM3] "Extended XAPIC (x2APIC)".
#include "tests/lapic_world.h"

START_TEST(x2apic_identity)
{
	uint64_t v;

	ck_assert(!lapic_msr_read(apic[3], 0x802, &v));
	ck_assert(!lapic_msr_write(apic[3], 0x80b, 0));
	enter_x2apic(apic[3]);
	ck_assert(lapic_x2apic(apic[3]));
	ck_assert(lapic_msr_read(apic[3], 0x802, &v));
	ck_assert_uint_eq(v, 3);
	ck_assert(lapic_msr_read(apic[3], 0x80d, &v));
	ck_assert_uint_eq(v, 8);
	ck_assert_uint_eq(lapic_read(apic[3], LAPIC_VERSION), 0); /* no page any more */
	lapic_reset(apic[3], false);                              /* INIT keeps the mode */
	ck_assert(lapic_msr_read(apic[3], 0x80d, &v));
	ck_assert_uint_eq(v, 8);
	lapic_reset(apic[3], true);
	ck_assert(!lapic_x2apic(apic[3]));
	ck_assert_uint_eq(lapic_read(apic[3], LAPIC_ID), 0x03000000);
}
END_TEST

/* MSR: readable; a value that may be written and one that must not (0 = none to try). */
#define NOT (1ULL << 63 | 1) /* nothing can be written */
static const struct {
	uint32_t msr;
	bool read;
	uint64_t good, bad;
} msrs[] = {
        {0x800, false, NOT, 0},
        {0x802, true, NOT, 0},
        {0x803, true, NOT, 0},
        {0x808, true, 0xff, 0x100},
        {0x809, false, NOT, 0},
        {0x80a, true, NOT, 0},
        {0x80b, false, 0, 1},
        {0x80c, false, NOT, 0},
        {0x80d, true, NOT, 0},
        {0x80e, false, NOT, 0},
        {0x80f, true, 0x1ff, 0x1000},
        {0x810, true, NOT, 0},
        {0x817, true, NOT, 0},
        {0x81f, true, NOT, 0},
        {0x827, true, NOT, 0},
        {0x828, true, 0, 1},
        {0x829, false, NOT, 0},
        {0x82f, false, NOT, 0},
        {0x830, true, 0x1000c4500, 0x2000},
        {0x830, true, 0x100000071, 0x100000},
        {0x830, true, 0x100001071, 0x10000},
        {0x831, false, NOT, 0},
        {0x832, true, 0x710ff, 0x80000},
        {0x832, true, 0x10000, 0x100},
        {0x833, true, 0x117ff, 0x2000},
        {0x834, true, 0x117ff, 0x20000},
        {0x835, true, 0x1f7ff, 0x800},
        {0x836, true, 0x1f7ff, 0x1ULL << 32},
        {0x837, true, 0x110ff, 0x700},
        {0x838, true, 0xffffffff, 0x1ULL << 32},
        {0x839, true, NOT, 0},
        {0x83a, false, NOT, 0},
        {0x83e, true, 0xb, 0x4},
        {0x83f, false, 0xff, 0x100},
        {0x840, false, NOT, 0},
        {0x8ff, false, NOT, 0},
        {0x900, false, NOT, 0},
        {0x7ff, false, NOT, 0},
        {0, false, NOT, 0},
};

START_TEST(x2apic_msr)
{
	uint64_t v = 0;

	enter_x2apic(apic[0]);
	ck_assert_int_eq(lapic_msr_read(apic[0], msrs[_i].msr, &v), msrs[_i].read);
	if (msrs[_i].good == NOT) {
		ck_assert(!lapic_msr_write(apic[0], msrs[_i].msr, 0));
		ck_assert(!lapic_msr_write(apic[0], msrs[_i].msr, 1));
		return;
	}
	ck_assert(!lapic_msr_write(apic[0], msrs[_i].msr, msrs[_i].bad));
	ck_assert(lapic_msr_write(apic[0], msrs[_i].msr, msrs[_i].good));
	if (msrs[_i].read) {
		ck_assert(lapic_msr_read(apic[0], msrs[_i].msr, &v));
		ck_assert_uint_eq(v & ~0x5000ULL, msrs[_i].good & ~0x5000ULL);
	}
}
END_TEST

/* IA32_APIC_BASE from, to: allowed? [SDM3] figure "Local x2APIC State Transitions". */
#define OFF 0
#define XAPIC APIC_BASE_EN
#define X2 (APIC_BASE_EN | APIC_BASE_EXTD)
#define BAD APIC_BASE_EXTD
static const struct {
	uint64_t from, to;
	bool ok;
} transitions[] = {
        {XAPIC, XAPIC, true},
        {XAPIC, X2, true},
        {XAPIC, OFF, true},
        {XAPIC, BAD, false},
        {X2, XAPIC, false},
        {X2, X2, true},
        {X2, OFF, true},
        {X2, BAD, false},
        {OFF, OFF, true},
        {OFF, XAPIC, true},
        {OFF, X2, false},
        {OFF, BAD, false},
};

START_TEST(base_transition)
{
	const uint64_t home = LAPIC_DEFAULT_BASE | APIC_BASE_BSP;

	if (transitions[_i].from != XAPIC) {
		ck_assert(lapic_set_base(apic[0], home | transitions[_i].from));
	}
	ck_assert_int_eq(lapic_set_base(apic[0], home | transitions[_i].to), transitions[_i].ok);
	ck_assert_uint_eq(apic[0]->base,
	        home | (transitions[_i].ok ? transitions[_i].to : transitions[_i].from));
	ck_assert_uint_eq(fake_vcpu(vm->vcpus[0])->apic_base, apic[0]->base);
}
END_TEST

START_TEST(base_bits)
{
	ck_assert(!lapic_set_base(apic[0], LAPIC_DEFAULT_BASE | APIC_BASE_EN | 1));
	ck_assert(!lapic_set_base(apic[0], LAPIC_DEFAULT_BASE | APIC_BASE_EN | 1 << 9));
	ck_assert(!lapic_set_base(apic[0], 1ULL << 63 | LAPIC_DEFAULT_BASE | APIC_BASE_EN));
	/* The boot processor stays what it is, and nobody becomes it. */
	ck_assert(lapic_set_base(apic[0], 0xfed00000 | APIC_BASE_EN));
	ck_assert_uint_eq(apic[0]->base, 0xfed00000 | APIC_BASE_EN | APIC_BASE_BSP);
	ck_assert(lapic_set_base(apic[1], LAPIC_DEFAULT_BASE | APIC_BASE_EN | APIC_BASE_BSP));
	ck_assert_uint_eq(apic[1]->base, LAPIC_DEFAULT_BASE | APIC_BASE_EN);
	/* Off: everything is forgotten, and the boot vCPU hears the PIC directly. */
	lapic_write(apic[0], LAPIC_LVT_LINT0, 0x10000);
	ck_assert(!lapic_extint_open(apic[0]));
	ck_assert(lapic_set_base(apic[0], LAPIC_DEFAULT_BASE));
	ck_assert(lapic_extint_open(apic[0]));
	ck_assert(!lapic_enabled(apic[0]));
	ck_assert(lapic_set_base(apic[1], LAPIC_DEFAULT_BASE));
	ck_assert(!lapic_extint_open(apic[1]));
	ck_assert(lapic_set_base(apic[0], LAPIC_DEFAULT_BASE | APIC_BASE_EN));
	ck_assert_uint_eq(lapic_read(apic[0], LAPIC_SVR), 0xff);
}
END_TEST

UNIT_MAIN("lapic_msr", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, x2apic_identity);
          tcase_add_loop_test(tc, x2apic_msr, 0, ARRAY_SIZE(msrs));
          tcase_add_loop_test(tc, base_transition, 0, ARRAY_SIZE(transitions));
          tcase_add_test(tc, base_bits);)
