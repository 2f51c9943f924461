// SPDX-License-Identifier: BSD-2-Clause
/*
 * Moves to and from debug registers, for back ends and times that intercept them.
 * Specs: [SDM3] "Debug Registers"; [SDM2] "MOV - Move to/from Debug Registers".
 */
#include "vmm/cr.h"
#include "vmm/hw/cpu_hw.h"

#define DR6_FIXED1 0xffff0ff0ULL
#define DR6_HITS 0xfULL /* B0-B3: of this exception only */
#define DR6_WRITABLE 0xe00fULL
#define DR6_BD BIT64(13)
#define DR7_FIXED1 0x400ULL
#define DR7_WRITABLE 0xffff23ffULL
#define DR7_GD BIT64(13)
#define DEBUGCTL_LBR_BTF 3ULL

/* Fields of breakpoint n. R/W 2 = ports, with CR4.DE. */
static bool dr7_enabled(uint64_t dr7, unsigned n)
{
	return (dr7 >> (2 * n) & 3U) != 0;
}

static bool dr7_is_io(uint64_t dr7, unsigned n)
{
	return (dr7 >> (16 + 4 * n) & 3U) == 2;
}

static uint64_t dr7_len(uint64_t dr7, unsigned n)
{
	static const uint8_t lengths[] = {1, 2, 8, 4};

	return lengths[dr7 >> (18 + 4 * n) & 3U];
}

/* The processor does not compare ports of instructions that exit: this is for those. */
bool dr_io_access(struct vcpu *vcpu, uint16_t port, unsigned width)
{
	uint64_t dr7 = cpu_virt->get_reg(vcpu, REG_DR7), hits = 0;

	if (!(cpu_virt->get_reg(vcpu, REG_CR4) & CR4_DE)) {
		return false;
	}
	for (unsigned n = 0; n < 4; n++) {
		uint64_t len = dr7_len(dr7, n), first = cpu_read_dr(n) & ~(len - 1);

		if (dr7_enabled(dr7, n) && dr7_is_io(dr7, n) && first < (uint64_t)port + width &&
		        port < first + len) {
			hits |= BIT64(n);
		}
	}
	if (hits) {
		cpu_virt->pend_debug(vcpu, hits);
	}
	return hits != 0;
}

enum exit_action dr_exception(struct vcpu *vcpu, uint64_t causes)
{
	uint64_t dr6 = cpu_read_dr(6) & ~DR6_HITS;

	cpu_write_dr(6, dr6 | causes | DR6_FIXED1);
	cpu_virt->set_reg(vcpu, REG_DR7, cpu_virt->get_reg(vcpu, REG_DR7) & ~DR7_GD);
	cpu_virt->set_reg(
	        vcpu, REG_DEBUGCTL, cpu_virt->get_reg(vcpu, REG_DEBUGCTL) & ~DEBUGCTL_LBR_BTF);
	return vcpu_fault_noerr(vcpu, X86_DB);
}

static uint64_t dr_read(struct vcpu *vcpu, unsigned dr)
{
	return dr == 7 ? cpu_virt->get_reg(vcpu, REG_DR7) : cpu_read_dr(dr);
}

/* false = #GP: the upper halves of DR6 and DR7 are reserved. */
static bool dr_write(struct vcpu *vcpu, unsigned dr, uint64_t value)
{
	if (dr < 4) {
		cpu_write_dr(dr, value);
		return true;
	}
	if (value >> 32) {
		return false;
	}
	if (dr == 6) {
		cpu_write_dr(6, (value & DR6_WRITABLE) | DR6_FIXED1);
	} else {
		cpu_virt->set_reg(vcpu, REG_DR7, (value & DR7_WRITABLE) | DR7_FIXED1);
		vcpu->io_breakpoints = false;
		for (unsigned n = 0; n < 4; n++) {
			vcpu->io_breakpoints |= dr7_enabled(value, n) && dr7_is_io(value, n);
		}
	}
	return true;
}

enum exit_action dr_handle_exit(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	unsigned dr = exit->dr.dr & 7U;
	enum vcpu_reg reg = exit->dr.reg & 15U;
	uint64_t dr7 = cpu_virt->get_reg(vcpu, REG_DR7), value;
	struct segment cs;

	if (dr == 4 || dr == 5) {
		if (cpu_virt->get_reg(vcpu, REG_CR4) & CR4_DE) {
			return vcpu_fault_noerr(vcpu, X86_UD);
		}
		dr += 2;
	}
	if (vcpu_cpl(vcpu) != 0) {
		return vcpu_fault(vcpu, X86_GP, 0);
	}
	if (dr7 & DR7_GD) {
		cpu_virt->set_reg(vcpu, REG_DR7, dr7 & ~DR7_GD);
		cpu_write_dr(6, cpu_read_dr(6) | DR6_BD);
		return vcpu_fault_noerr(vcpu, X86_DB);
	}
	if (!exit->dr.write) {
		vcpu_reg_set(vcpu, reg, dr_read(vcpu, dr));
		return ACT_SKIP;
	}
	cpu_virt->get_seg(vcpu, SEG_CS, &cs);
	value = vcpu_reg_get(vcpu, reg);
	if (!(cpu_virt->get_reg(vcpu, REG_EFER) & EFER_LMA) || !(cs.attr & SEG_ATTR_L)) {
		value = (uint32_t)value;
	}
	return dr_write(vcpu, dr, value) ? ACT_SKIP : vcpu_fault(vcpu, X86_GP, 0);
}
