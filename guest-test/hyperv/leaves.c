// SPDX-License-Identifier: BSD-2-Clause
// What the interface says about itself, its simple MSRs, and reference time.
#include "guest-test/hyperv/hyperv.h"

TEST(a_leaves)
{
	struct cpuid r = cpuid(HV_CPUID_VENDOR, 0);

	CHECK((cpuid(1, 0).c >> 31) == 1);
	CHECK_EQ(r.a, HV_CPUID_MAX);
	CHECK_EQ(r.b, HV_VENDOR_EBX);
	CHECK_EQ(r.c, HV_VENDOR_ECX);
	CHECK_EQ(r.d, HV_VENDOR_EDX);
	CHECK_EQ(cpuid(HV_CPUID_INTERFACE, 0).a, HV_INTERFACE_HV1);
	r = cpuid(HV_CPUID_FEATURES, 0);
	/* All but the invariant TSC, which is the host's. */
	CHECK_EQ(r.a & ~HV_PRIV_INVARIANT_TSC, 0xeff);
	CHECK_EQ(r.b, HV_PRIV_POST_MESSAGES | HV_PRIV_SIGNAL_EVENTS | HV_PRIV_ACCESS_VP_REGISTERS |
	                      HV_PRIV_EXTENDED_HYPERCALLS | HV_PRIV_START_VP);
	CHECK_EQ(r.d, 0x80530);
	/* The APIC MSRs where the processor does not deliver interrupts itself. */
	CHECK_EQ(cpuid(HV_CPUID_HINTS, 0).a & ~HV_HINT_APIC_MSRS, 0xe24);
	for (uint32_t leaf = HV_CPUID_MAX + 1; leaf < 0x40000100; leaf++) {
		r = cpuid(leaf, 0);
		CHECK_EQ(r.a | r.b | r.c | r.d, 0);
	}
}

TEST(msr_values)
{
	CHECK_EQ(rdmsr(HV_MSR_VP_INDEX), 0);
	CHECK_EQ(rdmsr(HV_MSR_TSC_FREQUENCY), tsc_hz());
	CHECK_EQ(rdmsr(HV_MSR_APIC_FREQUENCY) == 0, false);
	CHECK_EQ(rdmsr(HV_MSR_SVERSION), 1);
	CHECK_EQ(rdmsr(HV_MSR_CRASH_CTL), 3ULL << 62);
	CHECK_EQ(rdmsr(HV_MSR_EOM), 0);
	CHECK_EQ(rdmsr(HV_MSR_SINT15), HV_SINT_MASKED);
	CHECK(rdmsr(HV_MSR_VP_RUNTIME) != 0);
}

TEST(msr_refused)
{
	static const uint32_t not_written[] = {HV_MSR_VP_INDEX, HV_MSR_VP_RUNTIME,
	        HV_MSR_TIME_REF_COUNT, HV_MSR_TSC_FREQUENCY, HV_MSR_APIC_FREQUENCY, HV_MSR_SVERSION,
	        HV_MSR_GUEST_IDLE, 0x40000004, 0x40000085, 0x400000a0, 0x400000b8, 0x40000106,
	        0x40000119, 0x40001080};
	static const uint32_t not_read[] = {
	        HV_MSR_EOI, 0x40000004, 0x40000085, 0x400000a0, 0x40000106, 0x400001ff, 0x40001080};

	for (unsigned i = 0; i < sizeof(not_written) / 4; i++) {
		CHECK_EQ(wrmsr_fault(not_written[i], 0), X_GP);
	}
	for (unsigned i = 0; i < sizeof(not_read) / 4; i++) {
		CHECK_EQ(rdmsr_fault(not_read[i]), X_GP);
	}
	CHECK_EQ(wrmsr_fault(HV_MSR_TPR, 0x100), X_GP);
	CHECK_EQ(wrmsr_fault(HV_MSR_SINT0, 15), X_GP);
	CHECK_EQ(wrmsr_fault(HV_MSR_STIMER0_CONFIG, 1ULL << 13), X_GP);
	CHECK_EQ(wrmsr_fault(HV_MSR_SIMP, ~0ULL), X_GP);
}

/* --- pages --- */

static uint64_t first_word(uint64_t page)
{
	return *(volatile uint64_t *)page;
}

TEST(pages_anywhere)
{
	static const uint32_t msrs[] = {HV_MSR_SIMP, HV_MSR_SIEFP, HV_MSR_VP_ASSIST_PAGE};
	uint32_t version = ioapic_read(1);

	*(volatile uint64_t *)ODD_PAGE = 0x1234;
	for (unsigned i = 0; i < 3; i++) {
		wrmsr(msrs[i], ODD_PAGE | 1);
		CHECK_EQ(first_word(ODD_PAGE), 0);
		*(volatile uint64_t *)ODD_PAGE = 0x5678 + i;
		wrmsr(msrs[i], 0);
		CHECK_EQ(first_word(ODD_PAGE), 0x1234);
		/* Over a device, and where nothing is. */
		wrmsr(msrs[i], IOAPIC_BASE | 1);
		CHECK_EQ(mmio_r32(IOAPIC_BASE), 0);
		mmio_w32(IOAPIC_BASE, 0x77);
		CHECK_EQ(mmio_r32(IOAPIC_BASE), 0x77);
		wrmsr(msrs[i], 1ULL << 36 | 1);
		CHECK_EQ(ioapic_read(1), version);
		wrmsr(msrs[i], 0);
	}
	/* One over the other: the assist page is on top. */
	wrmsr(HV_MSR_SIMP, ODD_PAGE | 1);
	*(volatile uint64_t *)ODD_PAGE = 1;
	wrmsr(HV_MSR_VP_ASSIST_PAGE, ODD_PAGE | 1);
	CHECK_EQ(first_word(ODD_PAGE), 0);
	wrmsr(HV_MSR_VP_ASSIST_PAGE, 0);
	CHECK_EQ(first_word(ODD_PAGE), 1);
	wrmsr(HV_MSR_SIMP, 0);
	CHECK_EQ(first_word(ODD_PAGE), 0x1234);
}

/* --- reference time --- */

TEST(time_msr_and_page)
{
	const volatile struct hv_reference_tsc *p =
	        (const volatile struct hv_reference_tsc *)TSC_PAGE;
	uint64_t window = ~0ULL;

	wrmsr(HV_MSR_REFERENCE_TSC, TSC_PAGE | 1);
	CHECK(p->sequence != 0);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t before, msr, after;

		delay_us(i);
		before = hv_page_time();
		msr = hv_time();
		after = hv_page_time();
		CHECK(before <= msr);
		CHECK(msr <= after);
		window = after - before < window ? after - before : window;
	}
	info("between two readings of the page", window * 100, "ns");
	for (unsigned i = 3; i < 512; i++) {
		CHECK_EQ(((const volatile uint64_t *)TSC_PAGE)[i], 0);
	}
}

TEST(time_unit)
{
	uint64_t ticks = hv_time(), tsc = rdtsc(), want;

	delay_us(2000);
	ticks = hv_time() - ticks;
	want = (rdtsc() - tsc) * HV_TICKS_PER_SEC / tsc_hz();
	/* The two pairs of readings are some instructions apart. */
	CHECK(ticks + 200 > want && want + 200 > ticks);
}

static volatile uint64_t latest;
static volatile uint32_t backwards;

static void race(uint64_t arg)
{
	(void)arg;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t seen = __atomic_load_n(&latest, __ATOMIC_SEQ_CST);
		uint64_t now = i & 1 ? hv_time() : hv_page_time();

		if (now < seen) {
			__atomic_fetch_add(&backwards, 1, __ATOMIC_SEQ_CST);
		}
		while (now > seen && !__atomic_compare_exchange_n(&latest, &seen, now, false,
		                             __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		}
	}
}

TEST(time_over_vcpus)
{
	hv_setup();
	wrmsr(HV_MSR_REFERENCE_TSC, TSC_PAGE | 1);
	latest = 0;
	backwards = 0;
	all_run(race, 0);
	CHECK_EQ(backwards, 0);
}
