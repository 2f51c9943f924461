// SPDX-License-Identifier: BSD-2-Clause
// What a guest reads from CPUID, on two planted hosts.
#include "tests/cpu_models.h"
#include "tests/unit.h"
#include "vmm/cpuid_policy.h"
#include "vmm/cpuid_xstate.h"
#include <string.h>

#define TSC_HZ 3500000000ULL
#define LAPIC_HZ 25000000ULL

static struct vm *vm;

static void set_up(void (*model)(void), unsigned n_vcpus)
{
	struct virt_caps caps = cpu_model_caps();

	model();
	cpuid_policy_init(&caps, TSC_HZ, LAPIC_HZ);
	vm = fake_vm(SIZE_2M, n_vcpus);
	ck_assert_ptr_nonnull(vm);
}

static struct cpuid_regs ask_of(unsigned vcpu, uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r = {~0U, ~0U, ~0U, ~0U};
	struct vcpu *v = vm->vcpus[vcpu];

	cpuid_guest(v, leaf, subleaf, &r);
	/* The instruction gives the same, and clears the upper halves. */
	v->gpr[REG_RAX] = 0xdead00000000 | leaf;
	v->gpr[REG_RCX] = 0xdead00000000 | subleaf;
	v->gpr[REG_RBX] = v->gpr[REG_RDX] = ~0ULL;
	ck_assert_int_eq(cpuid_handle_exit(v, &v->exit), ACT_SKIP);
	ck_assert_uint_eq(v->gpr[REG_RAX], r.eax);
	ck_assert_uint_eq(v->gpr[REG_RBX], r.ebx);
	ck_assert_uint_eq(v->gpr[REG_RCX], r.ecx);
	ck_assert_uint_eq(v->gpr[REG_RDX], r.edx);
	return r;
}

static struct cpuid_regs ask(uint32_t leaf, uint32_t subleaf)
{
	return ask_of(0, leaf, subleaf);
}

static void is_zero(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r = ask(leaf, subleaf);

	ck_assert_msg(
	        (r.eax | r.ebx | r.ecx | r.edx) == 0, "leaf 0x%x.%u is not zero", leaf, subleaf);
}

/* Each row names one bit once, in order of its word; nobody can be offered and withheld. */
START_TEST(table_has_no_duplicates)
{
	for (unsigned i = 0; i < cpuid_n_bits; i++) {
		ck_assert_uint_lt(cpuid_bits[i].bit, 32);
		ck_assert_uint_le(cpuid_bits[i].reg, CPUID_EDX);
		ck_assert_uint_lt(cpuid_bits[i].backing, CPUID_BACKING_COUNT);
		for (unsigned j = 0; j < i; j++) {
			const struct cpuid_bit *a = &cpuid_bits[i], *b = &cpuid_bits[j];

			ck_assert_msg(a->leaf != b->leaf || a->subleaf != b->subleaf ||
			                      a->reg != b->reg || a->bit != b->bit,
			        "%s and %s are the same bit", a->name, b->name);
			ck_assert_str_ne(a->name, b->name);
		}
	}
}
END_TEST

/* With a host that has every bit set, exactly the rows that may be offered come through. */
START_TEST(only_backed_bits_come_through)
{
	struct virt_caps caps = cpu_model_caps();
	struct cpuid_regs r;

	cpu_model_skylake_x();
	fake_cpuid_set(1, 0, 0x50654, 0x800, ~0U, ~0U);
	fake_cpuid_set(6, 0, ~0U, ~0U, ~0U, ~0U);
	fake_cpuid_set(7, 0, 1, ~0U, ~0U, ~0U);
	fake_cpuid_set(7, 1, ~0U, ~0U, ~0U, ~0U);
	fake_cpuid_set(0x80000001, 0, 0, 0, ~0U, ~0U);
	fake_cpuid_set(0x80000007, 0, ~0U, ~0U, ~0U, ~0U);
	cpuid_policy_init(&caps, TSC_HZ, LAPIC_HZ);
	vm = fake_vm(SIZE_2M, 1);
	for (unsigned i = 0; i < cpuid_n_bits; i++) {
		const struct cpuid_bit *b = &cpuid_bits[i];
		uint32_t v;

		if (b->backing == CPUID_COMPUTED || b->leaf == 0xd) {
			continue;
		}
		r = ask(b->leaf, b->subleaf);
		v = b->reg == CPUID_EAX   ? r.eax
		    : b->reg == CPUID_EBX ? r.ebx
		    : b->reg == CPUID_ECX ? r.ecx
		                          : r.edx;
		ck_assert_msg(((v >> b->bit) & 1U) == (b->backing != CPUID_NEVER), "%s", b->name);
		ck_assert_int_eq(cpuid_offers(b->leaf, b->subleaf, b->reg, b->bit),
		        b->backing != CPUID_NEVER);
	}
	/* And no bit without a row: bit 16 of leaf 1 ECX, bit 10 and 20 of EDX, 7.0 ECX 15. */
	ck_assert_uint_eq(ask(1, 0).ecx & BIT(16), 0);
	ck_assert_uint_eq(ask(1, 0).edx & (BIT(10) | BIT(20)), 0);
	ck_assert_uint_eq(ask(7, 0).ecx & BIT(15), 0);
	ck_assert_uint_eq(ask(7, 1).ebx, 0);
}
END_TEST

START_TEST(host_without_it_offers_it_not)
{
	struct virt_caps none = {0};

	set_up(cpu_model_haswell, 1);
	/* RDSEED, ADX, SMAP, AVX-512: Haswell has none. */
	ck_assert_uint_eq(ask(7, 0).ebx, 0x27ab & ~BIT(2));
	ck_assert_uint_eq(ask(0xd, 1).eax, 1);
	/* The emulated ones are there anyway, also on a host that has not even CPUID leaf 1. */
	fake_cpuid_clear();
	cpuid_policy_init(&none, 0, 0);
	ck_assert_uint_eq(ask(1, 0).ecx, BIT(21) | BIT(24) | BIT(31));
	ck_assert_uint_eq(cpuid_phys_bits(), 36);
}
END_TEST

START_TEST(caps_back_their_features)
{
	struct virt_caps caps = {0};

	cpu_model_skylake_x();
	cpuid_policy_init(&caps, TSC_HZ, LAPIC_HZ);
	vm = fake_vm(SIZE_2M, 1);
	ck_assert_uint_eq(ask(7, 0).ebx & BIT(10), 0);          /* INVPCID */
	ck_assert_uint_eq(ask(7, 0).ecx & BIT(22), 0);          /* RDPID */
	ck_assert_uint_eq(ask(0x80000001, 0).edx & BIT(27), 0); /* RDTSCP */
	ck_assert_uint_eq(ask(0xd, 1).eax, 5);                  /* no XSAVES */
	set_up(cpu_model_skylake_x, 1);
	ck_assert_uint_ne(ask(7, 0).ebx & BIT(10), 0);
	ck_assert_uint_ne(ask(0x80000001, 0).edx & BIT(27), 0);
	ck_assert_uint_eq(ask(0xd, 1).eax, 15);
}
END_TEST

START_TEST(dynamic_bits_follow_the_vcpu)
{
	set_up(cpu_model_skylake_x, 4);
	ck_assert_uint_eq(ask(1, 0).ecx & BIT(27), 0);
	ck_assert_uint_eq(ask(7, 0).ecx & BIT(4), 0);
	fake_vcpu(vm->vcpus[0])->regs[REG_CR4] = CR4_OSXSAVE | CR4_PKE;
	ck_assert_uint_ne(ask(1, 0).ecx & BIT(27), 0);
	ck_assert_uint_ne(ask(7, 0).ecx & BIT(4), 0);
	ck_assert_uint_eq(ask_of(1, 1, 0).ecx & BIT(27), 0);

	ck_assert_uint_ne(ask(1, 0).edx & BIT(9), 0);
	vm->vcpus[0]->lapic.base &= ~APIC_BASE_EN;
	ck_assert_uint_eq(ask(1, 0).edx & BIT(9), 0);

	ck_assert_uint_eq(ask_of(3, 1, 0).ebx, 0x03040800);
}
END_TEST

/* Cores of one package: the number of vCPUs, and the id bits that hold them. */
static const struct {
	unsigned n, bits;
} topologies[] = {{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {8, 3}, {9, 4}, {16, 4}};

START_TEST(topology_agrees)
{
	unsigned n = topologies[_i].n, bits = topologies[_i].bits, last = n - 1;
	struct cpuid_regs r;

	set_up(cpu_model_haswell, n);
	r = ask_of(last, 0xb, 0);
	ck_assert_uint_eq(r.eax, 0);
	ck_assert_uint_eq(r.ebx, 1);
	ck_assert_uint_eq(r.ecx, 0x100);
	ck_assert_uint_eq(r.edx, last);
	r = ask_of(last, 0xb, 1);
	ck_assert_uint_eq(r.eax, bits);
	ck_assert_uint_eq(r.ebx, n);
	ck_assert_uint_eq(r.ecx, 0x201);
	ck_assert_uint_eq(r.edx, last);
	r = ask_of(last, 0xb, 0x102);
	ck_assert_uint_eq(r.eax | r.ebx, 0);
	ck_assert_uint_eq(r.ecx, 2);
	ck_assert_uint_eq(r.edx, last);
	ck_assert_uint_eq((ask(1, 0).ebx >> 16) & 0xff, 1U << bits);
	ck_assert_uint_eq((ask(1, 0).edx >> 28) & 1, n > 1);

	/* L2 is a core's own, L3 the package's. */
	r = ask(4, 2);
	ck_assert_uint_eq(r.eax >> 26, (1U << bits) - 1);
	ck_assert_uint_eq((r.eax >> 14) & 0xfff, 0);
	r = ask(4, 3);
	ck_assert_uint_eq((r.eax >> 14) & 0xfff, (1U << bits) - 1);
	ck_assert_uint_eq(r.ecx, 0x1fff);
	is_zero(4, 4);
	is_zero(4, 6);
	is_zero(4, ~0U);
}
END_TEST

START_TEST(leaves_out_of_range)
{
	struct cpuid_regs r;

	set_up(cpu_model_haswell, 2);
	ck_assert_uint_eq(ask(0, 0).eax, 0x16);
	r = ask(0x17, 0); /* the highest basic leaf's answer */
	ck_assert_uint_eq(r.eax, ask(0x16, 0).eax);
	ck_assert_uint_eq(ask(0x3fffffff, 0).eax, 3500);
	ck_assert_uint_eq(ask(0x80000009, 0).eax, 3500);
	ck_assert_uint_eq(ask(0xffffffff, 0).eax, 3500);
	is_zero(0x40000001, 0);
	is_zero(0x40000010, 0);
	is_zero(0x400000ff, 0);
	/* Withheld as a whole. */
	is_zero(3, 0);
	is_zero(5, 0);
	is_zero(0xa, 0);
	is_zero(0x12, 0);
	is_zero(0x14, 0);
	is_zero(7, 2);
	is_zero(7, ~0U);
}
END_TEST

START_TEST(hypervisor_signature)
{
	struct cpuid_regs r;
	char text[13] = {0};

	set_up(cpu_model_haswell, 1);
	r = ask(0x40000000, 0);
	ck_assert_uint_eq(r.eax, 0x40000000);
	memcpy(text, &r.ebx, 4);
	memcpy(text + 4, &r.ecx, 4);
	memcpy(text + 8, &r.edx, 4);
	ck_assert_str_eq(text, "CandelaVisor");
	ck_assert_uint_ne(ask(1, 0).ecx & BIT(31), 0);
}
END_TEST

START_TEST(extended_leaves)
{
	set_up(cpu_model_skylake_x, 1);
	ck_assert_uint_eq(ask(0x80000000, 0).eax, 0x80000008);
	ck_assert_uint_eq(ask(0x80000002, 0).eax, 0x65746e49);
	ck_assert_uint_eq(ask(0x80000006, 0).ecx, 0x01006040);
	ck_assert_uint_eq(ask(0x80000007, 0).edx, 0x100);
	ck_assert_uint_eq(ask(0x80000008, 0).eax, 0x302e);
	fake_cpuid_set(0x80000008, 0, 0x3934, 0, 0, 0);
	cpuid_policy_init(&(struct virt_caps){0}, 0, 0);
	ck_assert_uint_eq(cpuid_phys_bits(), 48);
	ck_assert_uint_eq(ask(0x80000008, 0).eax, 0x3030);
}
END_TEST

/* tsc, crystal; EBX/EAX and whether the leaves exist at all. */
static const struct {
	uint64_t tsc, crystal;
	uint32_t num, den;
} ratios[] = {
        {3500000000, 25000000, 140, 1},
        {3500000000, 3500000000, 1, 1},
        {200000000, 1000000000, 1, 5},
        {2999999999, 2999999999, 1, 1},
        {5000000001, 2500000000, 2, 1},       /* 0.0002 ppm off */
        {2893299000, 24000000, 964433, 8000}, /* too long for Linux' 32 bits: see below */
        {0, 25000000, 0, 0},
        {3500000000, 0, 0, 0},
        {3500000000, 999, 0, 0},
        {3500000000, 1ULL << 32, 0, 0},
        {1ULL << 36, 25000000, 0, 0},
        {3000200000, 1000000000, 0, 0}, /* 15001/5000 is too long, nothing shorter is near */
        {1, 4294967295, 0, 0},
};

START_TEST(frequency)
{
	struct virt_caps caps = cpu_model_caps();
	struct cpuid_regs r;
	uint64_t tsc = ratios[_i].tsc, crystal = ratios[_i].crystal, hz;

	cpu_model_skylake_x();
	cpuid_policy_init(&caps, tsc, crystal);
	vm = fake_vm(SIZE_2M, 1);
	if (ratios[_i].num == 0) {
		/* The host's own numbers do not shine through, and 0x16 goes with 0x15. */
		ck_assert_uint_eq(ask(0, 0).eax, 0xd);
		ck_assert_uint_eq(ask(0x15, 0).ecx, ask(0xd, 0).ecx);
		return;
	}
	r = ask(0x15, 0);
	ck_assert_uint_eq(ask(0, 0).eax, 0x16);
	ck_assert_uint_eq(r.ecx, crystal);
	ck_assert_uint_eq(ask(0x16, 0).eax, (tsc + 500000) / 1000000);
	/* As Linux 6.1 computes, without overflow, and near. */
	ck_assert_uint_le((uint64_t)(r.ecx / 1000) * r.ebx, UINT32_MAX);
	hz = (uint64_t)r.ecx * r.ebx / r.eax;
	ck_assert_uint_le(hz > tsc ? hz - tsc : tsc - hz, tsc / 1000000 + 1);
	if ((uint64_t)(r.ecx / 1000) * ratios[_i].num <= UINT32_MAX) {
		ck_assert_uint_eq(r.ebx, ratios[_i].num);
		ck_assert_uint_eq(r.eax, ratios[_i].den);
	}
}
END_TEST

START_TEST(xstate_sizes)
{
	struct vcpu *vcpu;

	set_up(cpu_model_skylake_x, 1);
	vcpu = vm->vcpus[0];
	/* MPX (3, 4) and PT (supervisor 8) are not offered. */
	ck_assert_uint_eq(cpuid_xcr0_allowed(), 0x2e7);
	ck_assert_uint_eq(cpuid_xss_allowed(), 0);
	ck_assert_uint_eq(ask(0xd, 0).eax, 0x2e7);
	ck_assert_uint_eq(ask(0xd, 0).ecx, 0xa88);
	ck_assert_uint_eq(ask(0xd, 0).ebx, 576);
	ck_assert_uint_eq(ask(0xd, 1).ebx, 576);
	vcpu->xcr0 = 7;
	ck_assert_uint_eq(ask(0xd, 0).ebx, 0x340);
	ck_assert_uint_eq(ask(0xd, 1).ebx, 0x340);
	vcpu->xcr0 = 0xe7;
	ck_assert_uint_eq(ask(0xd, 0).ebx, 0xa80);
	/* Compacted: the gap that MPX leaves closes. */
	ck_assert_uint_eq(ask(0xd, 1).ebx, 0x340 + 0x40 + 0x200 + 0x400);
	vcpu->xcr0 = 0x207;
	ck_assert_uint_eq(ask(0xd, 0).ebx, 0xa88);
	ck_assert_uint_eq(ask(0xd, 1).ebx, 0x348);
	is_zero(0xd, 3);
	is_zero(0xd, 8);
	is_zero(0xd, 32);
	is_zero(0xd, ~0U);
	ck_assert_uint_eq(ask(0xd, 9).ebx, 0xa80);
}
END_TEST

START_TEST(xstate_alignment)
{
	struct virt_caps caps = cpu_model_caps();

	cpu_model_skylake_x();
	fake_cpuid_set(0xd, 5, 0x24, 0x440, 2, 0);
	fake_cpuid_set(0xd, 6, 0x200, 0x480, 2, 0);
	cpuid_policy_init(&caps, 0, 0);
	vm = fake_vm(SIZE_2M, 1);
	vm->vcpus[0]->xcr0 = 0xe7;
	ck_assert_uint_eq(ask(0xd, 1).ebx, 0x340 + 0x40 + 0x200 + 0x400);
}
END_TEST

START_TEST(no_xsave_no_leaf_d)
{
	struct virt_caps caps = cpu_model_caps();

	cpu_model_haswell();
	fake_cpuid_set(1, 0, 0x306c3, 0x800, 0x7ffafbff & ~BIT(26), 0xbfebfbff);
	cpuid_policy_init(&caps, 0, 0);
	vm = fake_vm(SIZE_2M, 1);
	ck_assert_uint_eq(cpuid_xcr0_allowed(), 0);
	ck_assert_uint_eq(ask(0, 0).eax, 0xb);
	ck_assert_uint_eq(ask(1, 0).ecx & (BIT(26) | BIT(28) | BIT(12)), 0);
	ck_assert_uint_eq(ask(7, 0).ebx & BIT(5), 0);
	ck_assert_uint_eq(cpuid_cr4_allowed() & CR4_OSXSAVE, 0);
	/* Beyond the maximum: leaf 0xb, for the subleaf asked for. */
	ck_assert_uint_eq(ask(0xd, 1).ecx, 0x201);
	ck_assert_uint_eq(ask(0xd, 0).ecx, 0x100);
}
END_TEST

/* xcr0, valid */
static const struct {
	uint64_t xcr0;
	bool valid;
} xcr0s[] = {
        {0, false},
        {1, true},
        {2, false},
        {3, true},
        {5, false},
        {7, true},
        {0x23, false},
        {0xe3, false},
        {0xe7, true},
        {0x67, false},
        {0xc7, false},
        {0x27, false},
        {0x1f, false},
        {0x207, true},
        {0x201, true},
        {0x2e7, true},
        {0x107, false},
        {0x60007, false},
        {1ULL << 63 | 7, false},
};

START_TEST(xcr0_combinations)
{
	set_up(cpu_model_skylake_x, 1);
	ck_assert_int_eq(xstate_xcr0_valid(xcr0s[_i].xcr0), xcr0s[_i].valid);
}
END_TEST

START_TEST(control_bits_follow_features)
{
	set_up(cpu_model_skylake_x, 1);
	ck_assert_uint_eq(cpuid_cr4_allowed() & (CR4_VMXE | CR4_SMXE | CR4_LA57), 0);
	ck_assert_uint_eq(cpuid_cr4_allowed() & (CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_PCIDE),
	        CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_PCIDE);
	ck_assert_uint_eq(cpuid_efer_allowed(), EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
	set_up(cpu_model_haswell, 1);
	ck_assert_uint_eq(cpuid_cr4_allowed() & (CR4_SMAP | CR4_PKE | CR4_UMIP), 0);
	ck_assert_uint_eq(cpuid_cr4_allowed() >> 23, 0);
}
END_TEST

START_TEST(log_names_what_is_withheld)
{
	fake_log_clear();
	log_set_level(LOG_DEBUG);
	set_up(cpu_model_haswell, 1);
	ck_assert_uint_eq(fake_log_count("withheld from guests: dtes64 monitor"), 1);
	ck_assert_uint_eq(fake_log_count(" avx2"), 0);
}
END_TEST

UNIT_MAIN("cpuid_policy", tcase_add_test(tc, table_has_no_duplicates);
          tcase_add_test(tc, only_backed_bits_come_through);
          tcase_add_test(tc, host_without_it_offers_it_not);
          tcase_add_test(tc, caps_back_their_features);
          tcase_add_test(tc, dynamic_bits_follow_the_vcpu);
          tcase_add_loop_test(tc, topology_agrees, 0, ARRAY_SIZE(topologies));
          tcase_add_test(tc, leaves_out_of_range); tcase_add_test(tc, hypervisor_signature);
          tcase_add_test(tc, extended_leaves);
          tcase_add_loop_test(tc, frequency, 0, ARRAY_SIZE(ratios));
          tcase_add_test(tc, xstate_sizes); tcase_add_test(tc, xstate_alignment);
          tcase_add_test(tc, no_xsave_no_leaf_d);
          tcase_add_loop_test(tc, xcr0_combinations, 0, ARRAY_SIZE(xcr0s));
          tcase_add_test(tc, control_bits_follow_features);
          tcase_add_test(tc, log_names_what_is_withheld);)
