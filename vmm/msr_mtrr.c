// SPDX-License-Identifier: BSD-2-Clause
/*
 * The MTRRs of a vCPU.
 * Specs: [SDM3] "Memory Type Range Registers (MTRRs)": "MTRR Feature Identification",
 * "IA32_MTRR_DEF_TYPE MSR", "Fixed Range MTRRs", "Variable Range MTRRs".
 */
#include "vmm/msr_mtrr.h"

#include "vmm/cpuid_policy.h"
#include "vmm/vm.h"

#define MTRR_CAP_FIX BIT64(8)
#define DEF_TYPE_TYPE 0xffULL
#define DEF_TYPE_FE BIT64(10) /* fixed ranges enabled */
#define DEF_TYPE_E BIT64(11)
#define MASK_VALID BIT64(11)

#define TYPE_UC 0U
#define TYPE_WC 1U
#define TYPE_WT 4U
#define TYPE_WP 5U
#define TYPE_WB 6U

#define ALL_UC 0ULL
#define ALL_WB 0x0606060606060606ULL
#define ALL_WP 0x0505050505050505ULL

_Static_assert(2 * MTRR_VARIABLE == ARRAY_SIZE(((struct vcpu *)0)->mtrr_var), "base and mask each");

static bool type_valid(uint64_t type)
{
	return type == TYPE_UC || type == TYPE_WC || type == TYPE_WT || type == TYPE_WP ||
	       type == TYPE_WB;
}

/* The place of a fixed-range register, NULL = not one. */
static uint64_t *fixed_reg(struct vcpu *vcpu, uint32_t msr)
{
	if (msr == MSR_IA32_MTRR_FIX64K_00000) {
		return &vcpu->mtrr_fixed[0];
	}
	if (msr == MSR_IA32_MTRR_FIX16K_80000 || msr == MSR_IA32_MTRR_FIX16K_A0000) {
		return &vcpu->mtrr_fixed[1 + msr - MSR_IA32_MTRR_FIX16K_80000];
	}
	if (msr - MSR_IA32_MTRR_FIX4K_C0000 < 8) {
		return &vcpu->mtrr_fixed[3 + msr - MSR_IA32_MTRR_FIX4K_C0000];
	}
	return NULL;
}

bool mtrr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	const uint64_t *fixed = fixed_reg(vcpu, msr);

	if (msr == MSR_IA32_MTRRCAP) {
		*value = MTRR_VARIABLE | MTRR_CAP_FIX;
	} else if (msr == MSR_IA32_MTRR_DEF_TYPE) {
		*value = vcpu->mtrr_def_type;
	} else if (msr - MSR_IA32_MTRR_PHYSBASE0 < ARRAY_SIZE(vcpu->mtrr_var)) {
		*value = vcpu->mtrr_var[msr - MSR_IA32_MTRR_PHYSBASE0];
	} else if (fixed) {
		*value = *fixed;
	} else {
		return false;
	}
	return true;
}

static bool variable_valid(uint32_t index, uint64_t value)
{
	const uint64_t address = GENMASK64(cpuid_phys_bits() - 1, PAGE_SHIFT);

	if (index & 1U) {
		return !(value & ~(address | MASK_VALID));
	}
	return !(value & ~(address | DEF_TYPE_TYPE)) && type_valid(value & DEF_TYPE_TYPE);
}

static bool fixed_valid(uint64_t value)
{
	for (unsigned i = 0; i < 64; i += 8) {
		if (!type_valid((value >> i) & 0xffU)) {
			return false;
		}
	}
	return true;
}

bool mtrr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	uint64_t *fixed = fixed_reg(vcpu, msr);
	uint32_t index = msr - MSR_IA32_MTRR_PHYSBASE0;

	if (msr == MSR_IA32_MTRR_DEF_TYPE) {
		if ((value & ~(DEF_TYPE_TYPE | DEF_TYPE_FE | DEF_TYPE_E)) ||
		        !type_valid(value & DEF_TYPE_TYPE)) {
			return false;
		}
		vcpu->mtrr_def_type = value;
		return true;
	}
	if (index < ARRAY_SIZE(vcpu->mtrr_var)) {
		if (!variable_valid(index, value)) {
			return false;
		}
		vcpu->mtrr_var[index] = value;
		return true;
	}
	if (fixed && fixed_valid(value)) {
		*fixed = value;
		return true;
	}
	return false;
}

void mtrr_reset(struct vcpu *vcpu)
{
	/* After 64 KiB x 8 and 16 KiB x 8 come the VGA window and eight times 32 KiB of ROM area */
	static const uint64_t fixed[ARRAY_SIZE(vcpu->mtrr_fixed)] = {
	        [0] = ALL_WB,
	        [1] = ALL_WB,
	        [2] = ALL_UC,
	        [3] = ALL_WP,
	        [4] = ALL_WP,
	        [5] = ALL_WP,
	        [6] = ALL_WP,
	        [7] = ALL_WP,
	        [8] = ALL_WP,
	        [9] = ALL_WP,
	        [10] = ALL_WP,
	};
	const uint64_t mask = GENMASK64(cpuid_phys_bits() - 1, PAGE_SHIFT);

	for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++) {
		vcpu->mtrr_fixed[i] = fixed[i];
	}
	for (unsigned i = 0; i < ARRAY_SIZE(vcpu->mtrr_var); i++) {
		vcpu->mtrr_var[i] = 0;
	}
	/* Default write-back: Linux trims RAM that no range covers only when the default is UC. */
	vcpu->mtrr_def_type = DEF_TYPE_E | DEF_TYPE_FE | TYPE_WB;
	vcpu->mtrr_var[0] = GMEM_LOW_MAX | TYPE_UC;
	vcpu->mtrr_var[1] = (mask & ~(SIZE_4G - GMEM_LOW_MAX - 1)) | MASK_VALID;
}
