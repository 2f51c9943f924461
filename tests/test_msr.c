// SPDX-License-Identifier: BSD-2-Clause
// MSRs as a guest reads and writes them.
#include "tests/cpu_models.h"
#include "tests/unit.h"
#include "vmm/cpuid_policy.h"
#include "vmm/hw/pcpu.h"
#include "vmm/msr.h"
#include <string.h>

static struct vm *vm;
static struct vcpu *vcpu;
static struct fake_vcpu *f;

static void setup(void)
{
	struct virt_caps caps = cpu_model_caps();

	cpu_model_skylake_x();
	cpuid_policy_init(&caps, 0, 0);
	fake_clock_set(1000000);
	vm = fake_vm(SIZE_2M, 2);
	vcpu = vm->vcpus[0];
	f = fake_vcpu(vcpu);
	msr_reset(vcpu, true);
}

static uint64_t rd(uint32_t msr)
{
	uint64_t v = 0xdeadbeef;

	ck_assert_msg(msr_read(vcpu, msr, &v), "RDMSR 0x%x faults", msr);
	return v;
}

static void wr(uint32_t msr, uint64_t v)
{
	ck_assert_msg(
	        msr_write(vcpu, msr, v), "WRMSR 0x%x, 0x%llx faults", msr, (unsigned long long)v);
}

static void no_wr(uint32_t msr, uint64_t v)
{
	ck_assert_msg(!msr_write(vcpu, msr, v), "WRMSR 0x%x, 0x%llx is accepted", msr,
	        (unsigned long long)v);
}

static void no_rd(uint32_t msr)
{
	uint64_t v;

	ck_assert_msg(!msr_read(vcpu, msr, &v), "RDMSR 0x%x works", msr);
}

/* What Linux 6.1 reads with plain RDMSR on an Intel CPU with these features, at power-on. */
static const struct {
	uint32_t msr;
	uint64_t value;
} read_at_reset[] = {
        {0x17, 0},
        {0x1b, 0xfee00900},
        {0x3a, 1},
        {0x3b, 0},
        {0xfe, 0x108},
        {0x140, 0},
        {0x174, 0},
        {0x179, 0},
        {0x17a, 0},
        {0x1a0, 0x1801},
        {0x1d9, 0},
        {0x200, 0xc0000000},
        {0x201, 0x3fffc0000800},
        {0x202, 0},
        {0x20f, 0},
        {0x250, 0x0606060606060606},
        {0x258, 0x0606060606060606},
        {0x259, 0},
        {0x268, 0x0505050505050505},
        {0x26f, 0x0505050505050505},
        {0x277, 0x0007040600070406},
        {0x2ff, 0xc06},
        {0x6e0, 0},
        {0xda0, 0},
        {0xc0000080, 0},
};

START_TEST(values_at_reset)
{
	ck_assert_msg(rd(read_at_reset[_i].msr) == read_at_reset[_i].value, "MSR 0x%x is 0x%llx",
	        read_at_reset[_i].msr, (unsigned long long)rd(read_at_reset[_i].msr));
}
END_TEST

/* Neighbours of ranges, counters, VMX, machine-check banks, and what comes with withheld features.
 */
static const uint32_t absent[] = {0, 1, 0xf, 0x11, 0x16, 0x18, 0x33, 0x48, 0x49, 0xc1, 0xe7, 0x10b,
        0x122, 0x123, 0x173, 0x177, 0x17b, 0x186, 0x198, 0x19c, 0x1fc, 0x210, 0x24f, 0x251, 0x25a,
        0x267, 0x270, 0x276, 0x278, 0x280, 0x2fe, 0x300, 0x345, 0x38d, 0x400, 0x480, 0x48b, 0x570,
        0x6df, 0x6e1, 0x770, 0x7ff, 0x900, 0xd90, 0xda1, 0x40000000, 0xc000007f, 0xc0000085,
        0xc00000ff, 0xc0000104, 0xc0010015, 0xffffffff};

START_TEST(absent_ones_fault)
{
	no_rd(absent[_i]);
	no_wr(absent[_i], 0);
}
END_TEST

static const uint32_t read_only[] = {0x17, 0x3a, 0xce, 0xfe, 0x10a, 0x179};

START_TEST(read_only_ones_fault)
{
	no_wr(read_only[_i], 0);
}
END_TEST

/* msr, value, accepted; what is then read. */
static const struct {
	uint32_t msr;
	uint64_t value;
	bool ok;
	uint64_t result;
} writes[] = {
        {0x8b, 0, true, 1ULL << 32},
        {0x8b, 1, false, 1ULL << 32},
        {0x140, 0, true, 0},
        {0x140, 1, false, 0},
        {0x174, 0xffffffff00000010, true, 0x10},
        {0x175, 0xffff800000000000, true, 0xffff800000000000},
        {0x175, 0x0000800000000000, false, 0},
        {0x176, 0x00007fffffffffff, true, 0x00007fffffffffff},
        {0x17a, 0, true, 0},
        {0x17a, 4, false, 0},
        {0x1a0, 0, true, 0x1800},
        {0x1a0, ~0ULL, true, 0x1801},
        {0x1d9, 2, true, 2},
        {0x1d9, 1, true, 0},
        {0x1d9, 4, false, 0},
        {0x1d9, BIT64(14), false, 0},
        {0x200, 0xd0000001, true, 0xd0000001},
        {0x200, 0xd0000002, false, 0xc0000000},
        {0x200, 0xd0000106, false, 0xc0000000},
        {0x200, BIT64(46) | 6, false, 0xc0000000},
        {0x201, BIT64(45) | 0x800, true, BIT64(45) | 0x800},
        {0x201, 0x400, false, 0x3fffc0000800},
        {0x201, BIT64(46), false, 0x3fffc0000800},
        {0x20f, 0xfff00800, true, 0xfff00800},
        {0x250, 0x0001040506060606, true, 0x0001040506060606},
        {0x250, 0x0700000000000000, false, 0x0606060606060606},
        {0x259, 0x0101010101010101, true, 0x0101010101010101},
        {0x26f, 0x2, false, 0x0505050505050505},
        {0x2ff, 0, true, 0},
        {0x2ff, 0xc00, true, 0xc00},
        {0x2ff, 0xc02, false, 0xc06},
        {0x2ff, 0x1006, false, 0xc06},
        {0x277, 0x0607050401000706, true, 0x0607050401000706},
        {0x277, 0x0000000000000200, false, 0x0007040600070406},
        {0x277, 0x0000000000000003, false, 0x0007040600070406},
        {0x277, 0x0800000000000000, false, 0x0007040600070406},
        {0xda0, 0, true, 0},
        {0xda0, 0x100, false, 0},
        {0xc0000080, 0x901, true, 0x901},
        {0xc0000080, 0x2, false, 0},
        {0xc0000081, ~0ULL, true, ~0ULL},
        {0xc0000082, 0xffffffff81000000, true, 0xffffffff81000000},
        {0xc0000082, 0x1000000000000000, false, 0},
        {0xc0000083, 0x8000000000000000, false, 0},
        {0xc0000084, 0x47700, true, 0x47700},
        {0xc0000084, BIT64(32), false, 0},
        {0xc0000100, 0xffff888000000000, true, 0xffff888000000000},
        {0xc0000101, 0x0008000000000000, false, 0},
        {0xc0000102, 0x7fffffffffff, true, 0x7fffffffffff},
        {0xc0000102, 0x800000000000, false, 0},
        {0xc0000103, 5, true, 5},
        {0xc0000103, BIT64(32), false, 0},
};

START_TEST(writes_are_checked)
{
	ck_assert_msg(msr_write(vcpu, writes[_i].msr, writes[_i].value) == writes[_i].ok,
	        "WRMSR 0x%x, 0x%llx", writes[_i].msr, (unsigned long long)writes[_i].value);
	ck_assert_msg(rd(writes[_i].msr) == writes[_i].result, "MSR 0x%x is 0x%llx", writes[_i].msr,
	        (unsigned long long)rd(writes[_i].msr));
}
END_TEST

START_TEST(segment_bases_leave_the_rest_alone)
{
	f->segs[SEG_GS] = (struct segment){.base = 1, .limit = 7, .selector = 8, .attr = 0x93};
	wr(MSR_IA32_GS_BASE, 0x123000);
	ck_assert_uint_eq(f->segs[SEG_GS].base, 0x123000);
	ck_assert_uint_eq(f->segs[SEG_GS].limit, 7);
	ck_assert_uint_eq(f->segs[SEG_GS].selector, 8);
	ck_assert_uint_eq(f->segs[SEG_FS].base, 0);
}
END_TEST

START_TEST(tsc_and_its_adjustment)
{
	ck_assert_uint_eq(rd(MSR_IA32_TSC), 1000000);
	wr(MSR_IA32_TSC, 5000000);
	ck_assert_uint_eq(rd(MSR_IA32_TSC), 5000000);
	ck_assert_uint_eq(rd(MSR_IA32_TSC_ADJUST), 4000000);
	fake_clock_advance(10);
	ck_assert_uint_eq(rd(MSR_IA32_TSC), 5000010);
	wr(MSR_IA32_TSC_ADJUST, (uint64_t)-500000);
	ck_assert_uint_eq(rd(MSR_IA32_TSC), 500010);
	ck_assert_uint_eq(vcpu->tsc_offset, (uint64_t)-500000);
	/* Power-on forgets it, INIT does not. */
	msr_reset(vcpu, false);
	ck_assert_uint_eq(rd(MSR_IA32_TSC_ADJUST), (uint64_t)-500000);
	msr_reset(vcpu, true);
	ck_assert_uint_eq(rd(MSR_IA32_TSC_ADJUST), 0);
	ck_assert_uint_eq(rd(MSR_IA32_TSC), 1000010);
}
END_TEST

START_TEST(all_vcpus_start_with_the_vms_clock)
{
	vm->tsc_offset = (uint64_t)-1000000;
	msr_reset(vm->vcpus[0], true);
	msr_reset(vm->vcpus[1], true);
	ck_assert_uint_eq(rd(MSR_IA32_TSC), 0);
	vcpu = vm->vcpus[1];
	ck_assert_uint_eq(rd(MSR_IA32_TSC), 0);
}
END_TEST

/* Moving the guest's clock moves the host time of a deadline in guest ticks. */
START_TEST(deadline_moves_with_the_tsc)
{
	wr(MSR_IA32_APIC_BASE, 0xfee00900);
	lapic_write(&vcpu->lapic, LAPIC_SVR, 0x1ff);
	lapic_write(&vcpu->lapic, LAPIC_LVT_TIMER, 0x40000 | 0x40);
	wr(MSR_IA32_TSC_DEADLINE, 2000000);
	ck_assert_uint_eq(rd(MSR_IA32_TSC_DEADLINE), 2000000);
	wr(MSR_IA32_TSC_ADJUST, 900000);
	pcpu_this()->loaded = vcpu; /* its timers fire where it is loaded */
	fake_clock_advance(99000);
	lapic_fold(&vcpu->lapic);
	ck_assert_int_eq(lapic_pending(&vcpu->lapic), -1);
	fake_clock_advance(2000);
	lapic_fold(&vcpu->lapic);
	ck_assert_int_eq(lapic_pending(&vcpu->lapic), 0x40);
}
END_TEST

START_TEST(x2apic_range_needs_the_mode)
{
	no_rd(0x802);
	wr(MSR_IA32_APIC_BASE, 0xfee00d00);
	ck_assert_uint_eq(rd(0x802), 0);
	no_rd(0x8ff);
}
END_TEST

START_TEST(arch_capabilities_follow_cpuid)
{
	/* RDCL_NO, IBRS_ALL, MDS_NO, TSX_CTRL, TAA_NO: the two with MSRs behind them vanish. */
	fake_msr_set(0x10a, 0x1 | 0x2 | 0x20 | 0x80 | 0x100);
	ck_assert_uint_eq(rd(0x10a), 0x121);
	cpu_model_haswell();
	cpuid_policy_init(&(struct virt_caps){0}, 0, 0);
	no_rd(0x10a);
}
END_TEST

START_TEST(features_without_a_control_have_no_msr)
{
	struct virt_caps none = {0};

	cpuid_policy_init(&none, 0, 0);
	no_rd(MSR_IA32_TSC_AUX);
	no_wr(MSR_IA32_TSC_AUX, 0);
	no_rd(MSR_IA32_XSS);
	no_wr(MSR_IA32_XSS, 0);
}
END_TEST

START_TEST(microcode_is_the_hosts)
{
	ck_assert_uint_eq(rd(0x8b), 1ULL << 32);
	fake_msr_set(0x8b, 0x2000065ULL << 32);
	ck_assert_uint_eq(rd(0x8b), 0x2000065ULL << 32);
}
END_TEST

START_TEST(platform_info_never_divides_by_zero)
{
	ck_assert_uint_eq(rd(0xce), 10ULL << 8 | 10ULL << 40);
}
END_TEST

/* A guest that tries every MSR does not fill the log. */
START_TEST(refusals_are_limited)
{
	uint64_t v;

	fake_log_clear();
	log_set_level(LOG_DEBUG);
	for (uint32_t i = 0x300; i < 0x340; i++) {
		ck_assert(!msr_read(vcpu, i, &v));
	}
	ck_assert_uint_ge(fake_log_count("RDMSR 0x3"), 1);
	ck_assert_uint_le(fake_log_count("RDMSR 0x3"), LOG_LIMIT_BURST);
}
END_TEST

/* The search finds every register of the table's ends. */
START_TEST(ends_of_ranges)
{
	for (uint32_t i = 0; i < 16; i++) {
		(void)rd(0x200 + i);
	}
	for (uint32_t i = 0; i < 8; i++) {
		(void)rd(0x268 + i);
	}
	(void)rd(0x10);
	(void)rd(0xc0000103);
}
END_TEST

UNIT_MAIN("msr", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, values_at_reset, 0, ARRAY_SIZE(read_at_reset));
          tcase_add_loop_test(tc, absent_ones_fault, 0, ARRAY_SIZE(absent));
          tcase_add_loop_test(tc, read_only_ones_fault, 0, ARRAY_SIZE(read_only));
          tcase_add_loop_test(tc, writes_are_checked, 0, ARRAY_SIZE(writes));
          tcase_add_test(tc, segment_bases_leave_the_rest_alone);
          tcase_add_test(tc, tsc_and_its_adjustment);
          tcase_add_test(tc, all_vcpus_start_with_the_vms_clock);
          tcase_add_test(tc, deadline_moves_with_the_tsc);
          tcase_add_test(tc, x2apic_range_needs_the_mode);
          tcase_add_test(tc, arch_capabilities_follow_cpuid);
          tcase_add_test(tc, features_without_a_control_have_no_msr);
          tcase_add_test(tc, microcode_is_the_hosts);
          tcase_add_test(tc, platform_info_never_divides_by_zero);
          tcase_add_test(tc, refusals_are_limited); tcase_add_test(tc, ends_of_ranges);)
