// SPDX-License-Identifier: BSD-2-Clause
// Interrupts from one local APIC to others: who gets them, in xAPIC and x2APIC mode.
// Specs: [SDM3] "Issuing Interprocessor Interrupts", "Logical Destination Mode in x2APIC Mode".
#include "tests/lapic_world.h"

/* Sender is vCPU 1; DFR and the LDRs; ICR; who gets vector 0x71, NMI, INIT or SIPI. */
#define FLAT 0xffffffff
#define CLUSTER 0x0fffffff
static const struct {
	const char *what;
	uint32_t dfr, dest, icr;
	unsigned who;
} ipis[] = {
        {"physical 2", FLAT, 2, 0x71, 0x4},
        {"physical self", FLAT, 1, 0x71, 0x2},
        {"physical nobody", FLAT, 9, 0x71, 0x0},
        {"physical broadcast", FLAT, 0xff, 0x71, 0xf},
        {"flat 0 and 3", FLAT, 0x09, 0x871, 0x9},
        {"flat none", FLAT, 0xf0, 0x871, 0x0},
        {"flat broadcast", FLAT, 0xff, 0x871, 0xf},
        {"cluster 0 members 0, 1", CLUSTER, 0x03, 0x871, 0x3},
        {"cluster 1 member 1", CLUSTER, 0x12, 0x871, 0x8},
        {"cluster 2", CLUSTER, 0x23, 0x871, 0x0},
        {"cluster broadcast", CLUSTER, 0xff, 0x871, 0xf},
        {"reserved model", 0x5fffffff, 0x0f, 0x871, 0x0},
        {"self", FLAT, 3, 0x40071, 0x2},
        {"all", FLAT, 3, 0x80071, 0xf},
        {"others", FLAT, 3, 0xc0071, 0xd},
        {"lowest of 2 and 3", FLAT, 0x0c, 0x971, 0x4},
        {"lowest, others", FLAT, 0, 0xc0171, 0x1},
        {"level is an edge", FLAT, 2, 0xc071, 0x4},
        {"NMI 2", FLAT, 2, 0x400, 0x4},
        {"NMI others", FLAT, 0, 0xc0400, 0xd},
        {"INIT 3", FLAT, 3, 0x4500, 0x8},
        {"INIT level assert", FLAT, 3, 0xc500, 0x8},
        {"INIT deassert", FLAT, 3, 0x8500, 0x0},
        {"INIT others", FLAT, 0, 0xc4500, 0xd},
        {"SIPI 2", FLAT, 2, 0x4671, 0x4},
        {"SIPI others", FLAT, 2, 0xc4671, 0xd},
        {"SMI", FLAT, 2, 0x200, 0x0},
        {"reserved mode", FLAT, 2, 0x371, 0x0},
        {"ExtINT", FLAT, 2, 0x771, 0x0},
        {"self INIT", FLAT, 2, 0x44500, 0x0},
};

static unsigned receivers(uint32_t icr)
{
	unsigned who = 0;

	for (unsigned i = 0; i < 4; i++) {
		struct vcpu *vcpu = vm->vcpus[i];
		bool got = false;

		switch (icr >> 8 & 7) {
		case APIC_DM_NMI:
			got = vcpu->nmi_pending == 1 && (vcpu->requests & BIT64(VCPU_REQ_NMI));
			break;
		case APIC_DM_INIT:
			got = (vcpu->requests & BIT64(VCPU_REQ_INIT)) != 0;
			break;
		case APIC_DM_STARTUP:
			got = (vcpu->requests & BIT64(VCPU_REQ_SIPI)) && vcpu->sipi_vector == 0x71;
			break;
		default:
			got = lapic_pending(apic[i]) == 0x71;
			ck_assert(!lapic_vector_test(apic[i], LAPIC_TMR, 0x71));
			break;
		}
		who |= (unsigned)got << i;
	}
	return who;
}

/* A request may wait for its vCPU's turn: what counts is the order they were sent in. */
START_TEST(init_takes_back_a_sipi)
{
	struct vcpu *vcpu = vm->vcpus[2];

	lapic_write(apic[1], LAPIC_ICR_HIGH, 2U << 24);
	lapic_write(apic[1], LAPIC_ICR, 0x4610);
	ck_assert(vcpu->requests & BIT64(VCPU_REQ_SIPI));
	lapic_write(apic[1], LAPIC_ICR, 0x4500);
	ck_assert(!(vcpu->requests & BIT64(VCPU_REQ_SIPI)));
	ck_assert(vcpu->requests & BIT64(VCPU_REQ_INIT));
	lapic_write(apic[1], LAPIC_ICR, 0x4620);
	lapic_write(apic[1], LAPIC_ICR, 0x4630); /* the first one starts it: too late */
	ck_assert(vcpu->requests & BIT64(VCPU_REQ_SIPI));
	ck_assert_uint_eq(vcpu->sipi_vector, 0x20);
}
END_TEST

START_TEST(ipi)
{
	static const uint8_t cluster_ldr[4] = {0x01, 0x02, 0x11, 0x12};

	for (unsigned i = 0; i < 4; i++) {
		uint32_t ldr = ipis[_i].dfr == CLUSTER ? cluster_ldr[i] : 1U << i;

		lapic_write(apic[i], LAPIC_DFR, ipis[_i].dfr);
		lapic_write(apic[i], LAPIC_LDR, ldr << 24);
		vm->vcpus[i]->requests = 0;
	}
	lapic_write(apic[1], LAPIC_ICR_HIGH, ipis[_i].dest << 24);
	lapic_write(apic[1], LAPIC_ICR, ipis[_i].icr);
	ck_assert_msg(receivers(ipis[_i].icr) == ipis[_i].who, "%s: %x", ipis[_i].what,
	        receivers(ipis[_i].icr));
	ck_assert_uint_eq(lapic_read(apic[1], LAPIC_ICR) & ICR_STATUS, 0);
}
END_TEST

START_TEST(disabled_apics)
{
	lapic_write(apic[2], LAPIC_SVR, 0xff);
	lapic_write(apic[1], LAPIC_ICR_HIGH, 0xff000000);
	lapic_write(apic[1], LAPIC_ICR, 0x71);
	ck_assert_uint_eq(receivers(0x71), 0xb);
	lapic_write(apic[1], LAPIC_ICR, 0x400); /* NMI passes a software-disabled one */
	ck_assert_uint_eq(receivers(0x400), 0xf);
	ck_assert(lapic_set_base(apic[3], LAPIC_DEFAULT_BASE));
	lapic_write(apic[1], LAPIC_ICR, 0x4500);
	ck_assert_uint_eq(receivers(0x4500), 0x7);
	/* A disabled one's page is not there. */
	ck_assert_uint_eq(lapic_read(apic[3], LAPIC_VERSION), 0);
}
END_TEST

static const struct {
	uint64_t icr;
	unsigned who;
} x2_ipis[] = {
        {0x200000071ULL, 0x4},
        {0xffffffff00000071ULL, 0xf},
        {0xff00000071ULL, 0x0},       /* id 255, not everybody */
        {0x0000000500000871ULL, 0x5}, /* cluster 0, members 0 and 2 */
        {0x0001000500000871ULL, 0x0}, /* cluster 1 */
        {0xffffffff00000871ULL, 0xf},
        {0x00000000000c0071ULL, 0xd},
        {0x0000000000080071ULL, 0xf},
        {0x0000000000040071ULL, 0x2},
        {0x0000000c00000971ULL, 0x4},
};

START_TEST(x2apic_ipi)
{
	for (unsigned i = 0; i < 4; i++) {
		enter_x2apic(apic[i]);
	}
	ck_assert(lapic_msr_write(apic[1], 0x830, x2_ipis[_i].icr));
	ck_assert_uint_eq(receivers((uint32_t)x2_ipis[_i].icr), x2_ipis[_i].who);
}
END_TEST

/* Messages with 8-bit destinations (IOAPIC, MSI) to x2APICs. */
START_TEST(x2apic_short_destinations)
{
	struct apic_msg msg = {.dest = 2, .vector = 0x71};

	for (unsigned i = 0; i < 4; i++) {
		enter_x2apic(apic[i]);
	}
	ck_assert_uint_eq(apic_deliver(vm, &msg), 1);
	ck_assert_uint_eq(receivers(0x71), 0x4);
	msg.dest = 0xff;
	ck_assert_uint_eq(apic_deliver(vm, &msg), 4);
	msg.dest = 3;
	msg.logical = true;
	ck_assert_uint_eq(apic_deliver(vm, &msg), 2);
}
END_TEST

START_TEST(self_ipi)
{
	enter_x2apic(apic[0]);
	ck_assert(lapic_msr_write(apic[0], 0x83f, 0x44));
	ck_assert_int_eq(lapic_pending(apic[0]), 0x44);
	ck_assert(lapic_msr_write(apic[0], 0x83f, 0x0f));
	ck_assert_uint_eq(apic[0]->esr_pending, ESR_RECEIVE_ILLEGAL);
	ck_assert_uint_eq(vm->vcpus[0]->requests, 0);
}
END_TEST

UNIT_MAIN("lapic_ipi", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, ipi, 0, ARRAY_SIZE(ipis));
          tcase_add_test(tc, init_takes_back_a_sipi); tcase_add_test(tc, disabled_apics);
          tcase_add_loop_test(tc, x2apic_ipi, 0, ARRAY_SIZE(x2_ipis));
          tcase_add_test(tc, x2apic_short_destinations); tcase_add_test(tc, self_ipi);)
