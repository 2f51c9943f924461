// SPDX-License-Identifier: BSD-2-Clause
// The leaves of the interface: each bit there with its feature and gone without it.
#include "tests/hv_world.h"
#include "vmm/pv.h"

#define ALL ((1U << HV_FEATURE_COUNT) - 1)

static struct vm *vm;

static struct cpuid_regs ask(uint32_t leaf)
{
	struct cpuid_regs r = {~0U, ~0U, ~0U, ~0U};

	cpuid_guest(vm->vcpus[0], leaf, 0, &r);
	return r;
}

static void check(uint32_t leaf, uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
	struct cpuid_regs r = ask(leaf);

	ck_assert_msg(r.eax == eax && r.ebx == ebx && r.ecx == ecx && r.edx == edx,
	        "leaf %#x: %#x %#x %#x %#x", leaf, r.eax, r.ebx, r.ecx, r.edx);
}

/* What Linux and others look for before anything else. */
START_TEST(identity)
{
	struct cpuid_regs r;
	char name[13] = "";

	vm = hv_world(1, 0);
	r = ask(0x40000000);
	ck_assert_uint_eq(r.eax, 0x40000006);
	memcpy(name, &r.ebx, 4);
	memcpy(name + 4, &r.ecx, 4);
	memcpy(name + 8, &r.edx, 4);
	ck_assert_str_eq(name, "Microsoft Hv");
	check(0x40000001, 0x31237648, 0, 0, 0);
	check(0x40000002, 20348, 10 << 16, 0, 0);
	check(0x40000005, 64, 64, 0, 0);
	ck_assert(ask(1).ecx & 1U << 31);
}
END_TEST

START_TEST(nothing_asked_for)
{
	vm = hv_world(1, 0);
	check(0x40000003, 1U << 5 | 1U << 6, 0, 0, 0);
	check(0x40000004, 0, ~0U, 46, 0);
}
END_TEST

static const struct {
	uint8_t feature;
	uint32_t leaf;
	uint8_t reg; /* 0 = EAX ... */
	uint8_t bit;
} bits[] = {
        {HV_VP_RUNTIME, 3, 0, 0},
        {HV_REF_COUNT, 3, 0, 1},
        {HV_SYNIC, 3, 0, 2},
        {HV_STIMER, 3, 0, 3},
        {HV_APIC_MSRS, 3, 0, 4},
        {HV_RESET, 3, 0, 7},
        {HV_REF_TSC, 3, 0, 9},
        {HV_IDLE, 3, 0, 10},
        {HV_FREQ_MSRS, 3, 0, 11},
        {HV_INVARIANT_TSC, 3, 0, 15},
        {HV_POST, 3, 1, 4},
        {HV_SIGNAL, 3, 1, 5},
        {HV_VP_REGS, 3, 1, 17},
        {HV_EXT_CALLS, 3, 1, 20},
        {HV_START_VP, 3, 1, 21},
        {HV_XMM, 3, 3, 4},
        {HV_IDLE, 3, 3, 5},
        {HV_FREQ_MSRS, 3, 3, 8},
        {HV_CRASH, 3, 3, 10},
        {HV_STIMER_DIRECT_MODE, 3, 3, 19},
        {HV_TLB_FLUSH, 4, 0, 2},
        {HV_APIC_HINT, 4, 0, 3},
        {HV_EOI_ASSIST, 4, 0, 3},
        {HV_RELAXED, 4, 0, 5},
        {HV_NO_AUTO_EOI, 4, 0, 9},
        {HV_IPI, 4, 0, 10},
        {HV_EX_MASKS, 4, 0, 11},
};

static uint32_t reg_of(const struct cpuid_regs *r, unsigned reg)
{
	const uint32_t all[] = {r->eax, r->ebx, r->ecx, r->edx};

	return all[reg];
}

START_TEST(a_bit_and_its_feature)
{
	uint32_t leaf = 0x40000000 + bits[_i].leaf;
	uint32_t all, with, without;
	const uint32_t both = 1U << HV_APIC_HINT | 1U << HV_EOI_ASSIST; /* one bit */
	struct cpuid_regs r;

	all = ALL & ~(both & ~(1U << bits[_i].feature));
	vm = hv_world(1, all);
	r = ask(leaf);
	with = reg_of(&r, bits[_i].reg);
	vm = hv_world(1, all & ~(1U << bits[_i].feature));
	r = ask(leaf);
	without = reg_of(&r, bits[_i].reg);
	ck_assert(with & 1U << bits[_i].bit);
	ck_assert(!(without & 1U << bits[_i].bit));
}
END_TEST

/* Bits that make guests do what they must not, whatever is asked for: root partition, isolation. */
START_TEST(bits_that_are_never_set)
{
	uint32_t all[4] = {0};
	struct cpuid_regs r;

	vm = hv_world(1, ALL);
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		all[bits[i].reg] |= bits[i].leaf == 3 ? 1U << bits[i].bit : 0;
	}
	r = ask(0x40000003);
	ck_assert_uint_eq(r.eax, all[0] | 1U << 5 | 1U << 6);
	ck_assert_uint_eq(r.ebx, all[1]);
	ck_assert(!(r.ebx & (1U << 0 | 1U << 1 | 1U << 12 | 1U << 22)));
	ck_assert_uint_eq(r.ecx, 0);
	ck_assert_uint_eq(r.edx, all[3]);
}
END_TEST

/* What stands on something else goes with it. */
static const struct {
	uint32_t off;
	uint8_t gone;
} falls[] = {
        {1U << HV_REF_COUNT, HV_STIMER},
        {1U << HV_REF_COUNT, HV_REF_TSC},
        {1U << HV_REF_COUNT, HV_STIMER_DIRECT_MODE},
        {1U << HV_STIMER, HV_STIMER_DIRECT_MODE},
        {1U << HV_APIC_MSRS, HV_APIC_HINT},
        {1U << HV_APIC_MSRS, HV_EOI_ASSIST},
};

START_TEST(features_that_fall_together)
{
	vm = hv_world(1, ALL & ~falls[_i].off);
	ck_assert(!hv_has(vm, (enum hv_feature)falls[_i].gone));
}
END_TEST

/* Where the processor ends interrupts itself, the hint is for those who ask for it only. */
START_TEST(no_assist_beside_the_processors_delivery)
{
	fake_caps()->apic.intr_delivery = true;
	vm = hv_world(1, ALL & ~(1U << HV_APIC_HINT));
	*fake_caps() = (struct virt_caps){0};
	ck_assert(!hv_has(vm, HV_EOI_ASSIST));
	ck_assert(!(ask(0x40000004).eax & HV_HINT_APIC_MSRS));
}
END_TEST

START_TEST(long_spins)
{
	vm = hv_world(1, ALL);
	ck_assert_uint_eq(ask(0x40000004).ebx, 0xfff);
	vm = hv_world(1, ALL & ~(1U << HV_SPIN_WAIT));
	ck_assert_uint_eq(ask(0x40000004).ebx, ~0U);
}
END_TEST

START_TEST(zero_above)
{
	vm = hv_world(1, ALL);
	for (uint32_t leaf = 0x40000007; leaf < 0x40000100; leaf++) {
		check(leaf, 0, 0, 0, 0);
	}
}
END_TEST

START_TEST(hardware)
{
	vm = hv_world(1, ALL);
	ck_assert_uint_eq(ask(0x40000006).eax, 1U << 1 | 1U << 3 | 1U << 17);
	fake_caps()->apic.intr_delivery = true;
	ck_assert_uint_eq(ask(0x40000006).eax, 1U << 0 | 1U << 1 | 1U << 3 | 1U << 17);
	fake_caps()->apic.intr_delivery = false;
}
END_TEST

/* --- the invariant TSC: 0x80000007 says so when the guest has asked for it --- */

static bool tsc_invariant(void)
{
	return ask(0x80000007).edx & 1U << 8;
}

START_TEST(invariant_tsc)
{
	struct vcpu *vcpu;

	vm = hv_world(2, ALL);
	vcpu = vm->vcpus[1];
	ck_assert(!tsc_invariant());
	ck_assert_uint_eq(rd(vcpu, HV_MSR_INVARIANT_TSC), 0);
	ck_assert(!hv_msr_write(vcpu, HV_MSR_INVARIANT_TSC, 2));
	ck_assert(hv_msr_write(vcpu, HV_MSR_INVARIANT_TSC, 1));
	ck_assert_uint_eq(rd(vm->vcpus[0], HV_MSR_INVARIANT_TSC), 1);
	ck_assert(tsc_invariant());
	ck_assert(hv_msr_write(vcpu, HV_MSR_INVARIANT_TSC, 0));
	ck_assert(!tsc_invariant());
	ck_assert(hv_msr_write(vcpu, HV_MSR_INVARIANT_TSC, 1));
	vm->pv->vm_reset(vm);
	ck_assert(!tsc_invariant());
}
END_TEST

START_TEST(invariant_tsc_withheld)
{
	uint64_t value;

	vm = hv_world(1, ALL & ~(1U << HV_INVARIANT_TSC));
	ck_assert(!tsc_invariant());
	ck_assert(!hv_msr_read(vm->vcpus[0], HV_MSR_INVARIANT_TSC, &value));
	ck_assert(!hv_msr_write(vm->vcpus[0], HV_MSR_INVARIANT_TSC, 1));
}
END_TEST

/* A host whose TSC stops in sleep has none to offer. */
START_TEST(invariant_tsc_not_the_hosts)
{
	struct config_vm *config;
	uint64_t pages = hv_memory_pages(1);
	void *memory;

	vm = hv_world(1, ALL);
	fake_cpuid_set(0x80000007, 0, 0, 0, 0, 0);
	cpuid_policy_init(fake_caps(), 1000000000, 1000000000);
	vm = fake_vm(WORLD_MEM, 1);
	config = (struct config_vm *)vm->config;
	config->hyperv = true;
	config->hv_features = ALL;
	memory = fake_phys_init(WORLD_ARENA, pages * PAGE_SIZE);
	memset(memory, 0, pages * PAGE_SIZE);
	ck_assert_int_eq(hv_attach(vm, memory), 0);
	ck_assert(!hv_has(vm, HV_INVARIANT_TSC));
	ck_assert(!(ask(0x40000003).eax & 1U << 15));
	ck_assert(!tsc_invariant());
}
END_TEST

UNIT_MAIN("hv_cpuid", tcase_add_test(tc, identity); tcase_add_test(tc, nothing_asked_for);
          tcase_add_loop_test(tc, a_bit_and_its_feature, 0, ARRAY_SIZE(bits));
          tcase_add_test(tc, bits_that_are_never_set);
          tcase_add_loop_test(tc, features_that_fall_together, 0, ARRAY_SIZE(falls));
          tcase_add_test(tc, long_spins);
          tcase_add_test(tc, no_assist_beside_the_processors_delivery);
          tcase_add_test(tc, zero_above); tcase_add_test(tc, hardware);
          tcase_add_test(tc, invariant_tsc); tcase_add_test(tc, invariant_tsc_withheld);
          tcase_add_test(tc, invariant_tsc_not_the_hosts);)
