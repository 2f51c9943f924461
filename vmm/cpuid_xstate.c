// SPDX-License-Identifier: BSD-2-Clause
/*
 * Extended state components: what is allowed, and the sizes that CPUID leaf 0xD reports.
 * Specs: [SDM1] "Determining the XSAVE Managed Features", "Extended Region of an XSAVE Area",
 * "Standard Format of Extended Region", "Compacted Format of Extended Region".
 */
#include "vmm/cpuid_xstate.h"

#include "vmm/cpu_virt.h"
#include "vmm/lib/string.h"

#define LEAF_XSTATE_ID 0xdU
#define LEAF1_ECX_XSAVE BIT(26)

/* User components this hypervisor knows to be plain state: MPX, PT and AMX are not. */
#define XCR0_OFFERED (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)
/* Supervisor components belong to PT, CET, user interrupts, LBR, HWP: none of them is offered. */
#define XSS_OFFERED 0ULL

#define LEGACY_SIZE 512U /* [SDM1] "Legacy Region of an XSAVE Area" */
#define HEADER_SIZE 64U
#define COMPONENTS 32U
#define ALIGN64 BIT(1) /* ECX of a component: starts at a multiple of 64 when compacted */

static struct {
	uint64_t xcr0, xss;
	uint32_t features;
	uint32_t max_size; /* standard format, everything allowed */
	struct cpuid_regs components[COMPONENTS];
} state;

/* Standard format: the components lie at fixed offsets. */
static uint32_t standard_size(uint64_t mask)
{
	uint32_t size = LEGACY_SIZE + HEADER_SIZE;

	for (uint64_t rest = mask & ~(XCR0_X87 | XCR0_SSE); rest != 0; rest &= rest - 1) {
		const struct cpuid_regs *c = &state.components[bit_first(rest)];

		if (c->ebx + c->eax > size) {
			size = c->ebx + c->eax;
		}
	}
	return size;
}

/* Compacted format: one after the other, in ascending order. */
static uint32_t compacted_size(uint64_t mask)
{
	uint32_t size = LEGACY_SIZE + HEADER_SIZE;

	for (uint64_t rest = mask & ~(XCR0_X87 | XCR0_SSE); rest != 0; rest &= rest - 1) {
		const struct cpuid_regs *c = &state.components[bit_first(rest)];

		if (c->ecx & ALIGN64) {
			size = (uint32_t)align_up(size, 64);
		}
		size += c->eax;
	}
	return size;
}

void xstate_init(const struct virt_caps *caps)
{
	struct cpuid_regs d0, d1;
	uint64_t host;

	memset(&state, 0, sizeof(state));
	if (cpu_cpuid(0, 0).eax < LEAF_XSTATE_ID || !(cpu_cpuid(1, 0).ecx & LEAF1_ECX_XSAVE)) {
		return;
	}
	d0 = cpu_cpuid(LEAF_XSTATE_ID, 0);
	d1 = cpu_cpuid(LEAF_XSTATE_ID, 1);
	host = d0.eax | (uint64_t)d0.edx << 32;
	state.xcr0 = host & XCR0_OFFERED;
	if (!(state.xcr0 & XCR0_AVX)) {
		state.xcr0 &= ~XCR0_AVX512;
	}
	if ((state.xcr0 & XCR0_AVX512) != XCR0_AVX512) {
		state.xcr0 &= ~XCR0_AVX512;
	}
	host = d1.ecx | (uint64_t)d1.edx << 32;
	if (caps->xsaves) {
		state.xss = host & caps->xss_mask & XSS_OFFERED;
	}
	for (uint32_t i = 2; i < COMPONENTS; i++) {
		if ((state.xcr0 | state.xss) & BIT64(i)) {
			state.components[i] = cpu_cpuid(LEAF_XSTATE_ID, i);
		}
	}
	state.max_size = standard_size(state.xcr0);
}

void xstate_set_features(uint32_t features)
{
	state.features = state.xcr0 ? features : 0;
	if (!(state.features & XSTATE_XSAVES)) {
		state.xss = 0;
	}
}

uint32_t xstate_features(void)
{
	return state.features;
}

uint64_t xstate_xcr0_allowed(void)
{
	return state.xcr0;
}

uint64_t xstate_xss_allowed(void)
{
	return state.xss;
}

bool xstate_xcr0_valid(uint64_t xcr0)
{
	if ((xcr0 & ~state.xcr0) || !(xcr0 & XCR0_X87)) {
		return false;
	}
	if ((xcr0 & XCR0_AVX) && !(xcr0 & XCR0_SSE)) {
		return false;
	}
	if (xcr0 & XCR0_AVX512) {
		return (xcr0 & XCR0_AVX512) == XCR0_AVX512 && (xcr0 & XCR0_AVX);
	}
	return true;
}

void xstate_leaf(uint64_t xcr0, uint64_t xss, uint32_t subleaf, struct cpuid_regs *out)
{
	*out = (struct cpuid_regs){0, 0, 0, 0};
	if (state.xcr0 == 0) {
		return;
	}
	if (subleaf == 0) {
		out->eax = (uint32_t)state.xcr0;
		out->ebx = standard_size(xcr0);
		out->ecx = state.max_size;
		out->edx = (uint32_t)(state.xcr0 >> 32);
	} else if (subleaf == 1) {
		out->eax = state.features;
		if (state.features & (XSTATE_XSAVEC | XSTATE_XSAVES)) {
			out->ebx = compacted_size(xcr0 | xss);
		}
		out->ecx = (uint32_t)state.xss;
		out->edx = (uint32_t)(state.xss >> 32);
	} else if (subleaf < COMPONENTS) {
		*out = state.components[subleaf];
	}
}
