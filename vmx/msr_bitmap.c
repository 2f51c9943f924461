// SPDX-License-Identifier: BSD-2-Clause
/*
 * Which MSRs a guest reads and writes without an exit: those the processor keeps per guest
 * anyway (VMCS fields) or that stay in it while the vCPU is loaded.
 * Specs: [SDM3] "MSR-Bitmap Address".
 */
#include "vmm/lib/string.h"
#include "vmx/vmx_vcpu.h"

#define HIGH_MSR_BASE 0xc0000000U
#define READ_LOW 0U
#define READ_HIGH 1024U
#define WRITE_LOW 2048U
#define WRITE_HIGH 3072U

static const uint32_t free_msrs[] = {
        MSR_IA32_SYSENTER_CS,
        MSR_IA32_SYSENTER_ESP,
        MSR_IA32_SYSENTER_EIP,
        MSR_IA32_FS_BASE,
        MSR_IA32_GS_BASE,
        MSR_IA32_KERNEL_GS_BASE,
        MSR_IA32_STAR,
        MSR_IA32_LSTAR,
        MSR_IA32_CSTAR,
        MSR_IA32_FMASK,
};

static void set_bit(uint8_t *part, uint32_t bit, bool intercept)
{
	if (intercept) {
		part[bit / 8] = (uint8_t)(part[bit / 8] | (1U << (bit % 8)));
	} else {
		part[bit / 8] = (uint8_t)(part[bit / 8] & ~(1U << (bit % 8)));
	}
}

void msr_bitmap_allow(uint8_t *bitmap, uint32_t msr, bool read, bool write)
{
	uint32_t bit = msr & 0x1fffU;
	bool high = msr >= HIGH_MSR_BASE;

	set_bit(bitmap + (high ? READ_HIGH : READ_LOW), bit, !read);
	set_bit(bitmap + (high ? WRITE_HIGH : WRITE_LOW), bit, !write);
}

void msr_bitmap_init(uint8_t *bitmap)
{
	memset(bitmap, 0xff, PAGE_SIZE);
	for (unsigned i = 0; i < ARRAY_SIZE(free_msrs); i++) {
		msr_bitmap_allow(bitmap, free_msrs[i], true, true);
	}
	/* Reads see the offset; writes move it and must exit. */
	msr_bitmap_allow(bitmap, MSR_IA32_TSC, true, false);
}
