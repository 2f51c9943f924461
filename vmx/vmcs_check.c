// SPDX-License-Identifier: BSD-2-Clause
/*
 * When a VM entry fails: compare the guest state with the checks the processor makes and
 * name the field at fault.
 * Specs: [SDM3] "Checking and Loading Guest State".
 */
#include "vmm/cpuid_policy.h"
#include "vmm/lib/out.h"
#include "vmx/vmx_insn_hw.h"
#include "vmx/vmx_vcpu.h"

#define RIGHTS_UNUSABLE BIT64(16)
#define INTR_VALID BIT64(31)
#define SEG(field, n) vmcs_read((enum vmcs_field)((unsigned)VMCS_GUEST_ES_##field + 2U * (n)))

struct checker {
	struct out *out;
	unsigned failures;
};

static void check(struct checker *c, bool ok, const char *field, const char *rule, uint64_t value)
{
	if (!ok) {
		c->failures++;
		out_print(c->out, "  entry check: %s = %#llx: %s\n", field,
		        (unsigned long long)value, rule);
	}
}

static bool canonical(uint64_t v)
{
	return (uint64_t)((int64_t)(v << 16) >> 16) == v;
}

static void check_control_registers(struct checker *c, bool long_mode)
{
	uint64_t cr0 = vmcs_read(VMCS_GUEST_CR0);
	uint64_t cr4 = vmcs_read(VMCS_GUEST_CR4);
	uint64_t efer = vmcs_read(VMCS_GUEST_EFER);
	uint64_t fixed0 = vmx_caps.cr0_fixed0 & ~(CR0_PE | CR0_PG);

	check(c, (cr0 & fixed0) == fixed0, "GUEST_CR0", "a bit that VMX fixes to 1 is 0", cr0);
	check(c, !(cr0 & ~vmx_caps.cr0_fixed1), "GUEST_CR0", "a bit that VMX fixes to 0 is 1", cr0);
	check(c, !(cr0 & CR0_PG) || (cr0 & CR0_PE), "GUEST_CR0", "PG without PE", cr0);
	check(c, (cr4 & vmx_caps.cr4_fixed0) == vmx_caps.cr4_fixed0, "GUEST_CR4",
	        "a bit that VMX fixes to 1 is 0", cr4);
	check(c, !(cr4 & ~vmx_caps.cr4_fixed1), "GUEST_CR4", "a bit that VMX fixes to 0 is 1", cr4);
	check(c, !long_mode || ((cr0 & CR0_PG) && (cr4 & CR4_PAE)), "ENTRY_CONTROLS",
	        "IA-32e mode guest without CR0.PG and CR4.PAE", cr0);
	check(c, long_mode || !(cr4 & CR4_PCIDE), "GUEST_CR4", "PCIDE outside IA-32e mode", cr4);
	check(c, !(vmcs_read(VMCS_GUEST_CR3) >> cpuid_phys_bits()), "GUEST_CR3",
	        "bits beyond the physical-address width", vmcs_read(VMCS_GUEST_CR3));
	check(c, ((efer & EFER_LMA) != 0) == long_mode, "GUEST_EFER",
	        "LMA differs from the IA-32e mode guest control", efer);
	check(c, !(cr0 & CR0_PG) || ((efer & EFER_LMA) != 0) == ((efer & EFER_LME) != 0),
	        "GUEST_EFER", "LMA differs from LME with paging on", efer);
	check(c, !(efer & ~(uint64_t)(EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)), "GUEST_EFER",
	        "reserved bits", efer);
	check(c, !(vmcs_read(VMCS_GUEST_DR7) >> 32), "GUEST_DR7", "bits 63:32 set",
	        vmcs_read(VMCS_GUEST_DR7));
	check(c, canonical(vmcs_read(VMCS_GUEST_SYSENTER_ESP)), "GUEST_SYSENTER_ESP",
	        "not canonical", vmcs_read(VMCS_GUEST_SYSENTER_ESP));
	check(c, canonical(vmcs_read(VMCS_GUEST_SYSENTER_EIP)), "GUEST_SYSENTER_EIP",
	        "not canonical", vmcs_read(VMCS_GUEST_SYSENTER_EIP));
}

static void check_limit(struct checker *c, const char *name, uint64_t limit, uint64_t rights)
{
	check(c, !((limit & 0xfff) != 0xfff && (rights & SEG_ATTR_G)), name,
	        "G is 1 but limit bits 11:0 are not all 1", limit);
	check(c, !((limit >> 20) && !(rights & SEG_ATTR_G)), name, "limit above 1 MiB but G is 0",
	        limit);
}

static void check_data_and_code(struct checker *c)
{
	static const char *const names[] = {"GUEST_ES_RIGHTS", "GUEST_CS_RIGHTS", "GUEST_SS_RIGHTS",
	        "GUEST_DS_RIGHTS", "GUEST_FS_RIGHTS", "GUEST_GS_RIGHTS"};
	bool v86 = (vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_VM) != 0;

	for (unsigned i = SEG_ES; i <= SEG_GS; i++) {
		uint64_t rights = SEG(RIGHTS, i);
		uint64_t type = rights & SEG_ATTR_TYPE;

		if (v86) {
			check(c, rights == 0xf3, names[i], "virtual-8086 mode wants 0xf3", rights);
			check(c, SEG(LIMIT, i) == 0xffff, names[i],
			        "virtual-8086 mode wants limit 0xffff", SEG(LIMIT, i));
			check(c, SEG(BASE, i) == SEG(SELECTOR, i) << 4, names[i],
			        "virtual-8086 mode wants base = selector * 16", SEG(BASE, i));
			continue;
		}
		if (rights & RIGHTS_UNUSABLE) {
			check(c, i != SEG_CS, names[i], "CS is unusable", rights);
			continue;
		}
		check(c,
		        i == SEG_CS
		                ? (type == 3 || type == 9 || type == 11 || type == 13 || type == 15)
		        : i == SEG_SS ? (type == 3 || type == 7)
		                      : (type & 1) && (!(type & 8) || (type & 2)),
		        names[i], "type", rights);
		check(c, (rights & SEG_ATTR_S) != 0, names[i], "S is 0", rights);
		check(c, (rights & SEG_ATTR_P) != 0, names[i], "P is 0", rights);
		check(c, !(rights & 0xfffe0f00U), names[i], "reserved bits", rights);
		check(c, i == SEG_FS || i == SEG_GS || !(SEG(BASE, i) >> 32), names[i],
		        "base above 4 GiB", SEG(BASE, i));
		check(c, canonical(SEG(BASE, i)), names[i], "base not canonical", SEG(BASE, i));
		check_limit(c, names[i], SEG(LIMIT, i), rights);
	}
	check(c,
	        !((SEG(RIGHTS, SEG_CS) & SEG_ATTR_L) && (SEG(RIGHTS, SEG_CS) & SEG_ATTR_DB) &&
	                (vmcs_read(VMCS_GUEST_EFER) & EFER_LMA)),
	        "GUEST_CS_RIGHTS", "L and D/B both 1", SEG(RIGHTS, SEG_CS));
}

static void check_system_segments(struct checker *c, bool long_mode)
{
	uint64_t tr = SEG(RIGHTS, SEG_TR);
	uint64_t ldtr = SEG(RIGHTS, SEG_LDTR);
	uint64_t type = tr & SEG_ATTR_TYPE;

	check(c, type == 11 || (type == 3 && !long_mode), "GUEST_TR_RIGHTS", "not a busy TSS", tr);
	check(c, !(tr & RIGHTS_UNUSABLE), "GUEST_TR_RIGHTS", "unusable", tr);
	check(c, !(tr & SEG_ATTR_S) && (tr & SEG_ATTR_P), "GUEST_TR_RIGHTS", "S or P", tr);
	check(c, !(SEG(SELECTOR, SEG_TR) & 4), "GUEST_TR_SELECTOR", "TI is 1",
	        SEG(SELECTOR, SEG_TR));
	check_limit(c, "GUEST_TR_LIMIT", SEG(LIMIT, SEG_TR), tr);
	check(c, canonical(SEG(BASE, SEG_TR)), "GUEST_TR_BASE", "not canonical", SEG(BASE, SEG_TR));
	if (!(ldtr & RIGHTS_UNUSABLE)) {
		check(c, (ldtr & SEG_ATTR_TYPE) == 2, "GUEST_LDTR_RIGHTS", "not an LDT", ldtr);
		check(c, !(ldtr & SEG_ATTR_S) && (ldtr & SEG_ATTR_P), "GUEST_LDTR_RIGHTS", "S or P",
		        ldtr);
		check_limit(c, "GUEST_LDTR_LIMIT", SEG(LIMIT, SEG_LDTR), ldtr);
		check(c, canonical(SEG(BASE, SEG_LDTR)), "GUEST_LDTR_BASE", "not canonical",
		        SEG(BASE, SEG_LDTR));
	}
	check(c, canonical(vmcs_read(VMCS_GUEST_GDTR_BASE)), "GUEST_GDTR_BASE", "not canonical",
	        vmcs_read(VMCS_GUEST_GDTR_BASE));
	check(c, canonical(vmcs_read(VMCS_GUEST_IDTR_BASE)), "GUEST_IDTR_BASE", "not canonical",
	        vmcs_read(VMCS_GUEST_IDTR_BASE));
	check(c, !(vmcs_read(VMCS_GUEST_GDTR_LIMIT) >> 16), "GUEST_GDTR_LIMIT", "above 0xffff",
	        vmcs_read(VMCS_GUEST_GDTR_LIMIT));
	check(c, !(vmcs_read(VMCS_GUEST_IDTR_LIMIT) >> 16), "GUEST_IDTR_LIMIT", "above 0xffff",
	        vmcs_read(VMCS_GUEST_IDTR_LIMIT));
}

static void check_flow(struct checker *c, bool long_mode)
{
	uint64_t rip = vmcs_read(VMCS_GUEST_RIP);
	uint64_t rflags = vmcs_read(VMCS_GUEST_RFLAGS);
	uint64_t intr = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);
	uint64_t entry = vmcs_read(VMCS_ENTRY_INTR_INFO);
	bool code64 = long_mode && (SEG(RIGHTS, SEG_CS) & SEG_ATTR_L);
	bool external = (entry & INTR_VALID) && ((entry >> 8) & 7) == 0;

	check(c, code64 ? canonical(rip) : !(rip >> 32), "GUEST_RIP", "outside its mode's range",
	        rip);
	check(c, (rflags & RFLAGS_FIXED1) && !(rflags & 0xffffffffffc08028ULL), "GUEST_RFLAGS",
	        "reserved bits", rflags);
	check(c, !(rflags & RFLAGS_VM) || (!long_mode && (vmcs_read(VMCS_GUEST_CR0) & CR0_PE)),
	        "GUEST_RFLAGS", "VM outside protected mode", rflags);
	check(c, !external || (rflags & RFLAGS_IF), "GUEST_RFLAGS",
	        "IF is 0 with an external interrupt to inject", rflags);
	check(c, vmcs_read(VMCS_GUEST_ACTIVITY) <= 3, "GUEST_ACTIVITY", "no such state",
	        vmcs_read(VMCS_GUEST_ACTIVITY));
	check(c, !(intr & ~0x1fULL), "GUEST_INTERRUPTIBILITY", "reserved bits", intr);
	check(c, (intr & 3) != 3, "GUEST_INTERRUPTIBILITY", "blocking by STI and by MOV SS", intr);
	check(c, !(intr & 1) || (rflags & RFLAGS_IF), "GUEST_INTERRUPTIBILITY",
	        "blocking by STI with IF 0", intr);
	check(c, !external || !(intr & 3), "GUEST_INTERRUPTIBILITY",
	        "shadow with an external interrupt to inject", intr);
	check(c, vmcs_read(VMCS_LINK_POINTER) == ~0ULL, "LINK_POINTER", "not all ones",
	        vmcs_read(VMCS_LINK_POINTER));
}

unsigned vmcs_check_guest(struct out *out)
{
	struct checker checker = {.out = out}, *c = &checker;
	bool long_mode = (vmcs_read(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E) != 0;

	check_control_registers(c, long_mode);
	check_data_and_code(c);
	check_system_segments(c, long_mode);
	check_flow(c, long_mode);
	return c->failures;
}
