// SPDX-License-Identifier: BSD-2-Clause
/*
 * Capability MSRs decide every control: required ones or a sentence, optional ones or without.
 * Specs: [SDM3] "VMX Capability Reporting Facility", "Reserved Controls and Default Settings".
 */
#include "vmx/vmx_caps.h"

#include "vmm/hw/cpu_hw.h"
#include "vmm/lib/err.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/log.h"
#include "vmm/lib/string.h"
#include "vmm/x86.h"

#define BASIC_TRUE_CONTROLS BIT64(55)
#define BASIC_MEMTYPE_SHIFT 50
#define BASIC_IO_INFO BIT64(54)
#define MEMTYPE_WB 6U
#define ARCH_CAP_RDCL_NO BIT64(0)
#define ARCH_CAP_SKIP_L1DFL_VMENTRY BIT64(3)
#define ARCH_CAP_IF_PSCHANGE_MC_NO BIT64(6)
#define LEAF7_EDX_L1D_FLUSH BIT(28)
#define LEAF7_EDX_ARCH_CAP BIT(29)
#define MISC_TIMER_RATE_MASK 0x1fU

enum word { WORD_PIN, WORD_PROC, WORD_PROC2, WORD_EXIT, WORD_ENTRY, WORD_COUNT };

static const char *const word_names[WORD_COUNT] = {
        [WORD_PIN] = "pin-based",
        [WORD_PROC] = "processor-based",
        [WORD_PROC2] = "secondary processor-based",
        [WORD_EXIT] = "VM-exit",
        [WORD_ENTRY] = "VM-entry",
};

/* Without these there is no guest. */
static const struct {
	enum word word;
	uint32_t bit;
	const char *name;
} required[] = {
        {WORD_PIN, PIN_EXT_INTR, "external-interrupt exiting"},
        {WORD_PIN, PIN_NMI, "NMI exiting"},
        {WORD_PROC, PROC_HLT, "HLT exiting"},
        {WORD_PROC, PROC_TSC_OFFSET, "use TSC offsetting"},
        {WORD_PROC, PROC_MWAIT, "MWAIT exiting"},
        {WORD_PROC, PROC_MOV_DR, "MOV-DR exiting"},
        {WORD_PROC, PROC_MONITOR, "MONITOR exiting"},
        {WORD_PROC, PROC_RDPMC, "RDPMC exiting"},
        {WORD_PROC, PROC_SECONDARY, "activate secondary controls"},
        {WORD_PROC2, PROC2_EPT, "enable EPT"},
        {WORD_PROC2, PROC2_UNRESTRICTED, "unrestricted guest"},
        {WORD_EXIT, EXIT_SAVE_DEBUG, "save debug controls"},
        {WORD_EXIT, EXIT_HOST_64, "host address-space size"},
        {WORD_EXIT, EXIT_ACK_INTR, "acknowledge interrupt on exit"},
        {WORD_EXIT, EXIT_SAVE_EFER, "save IA32_EFER"},
        {WORD_EXIT, EXIT_LOAD_EFER, "load IA32_EFER (exit)"},
        {WORD_ENTRY, ENTRY_LOAD_DEBUG, "load debug controls"},
        {WORD_ENTRY, ENTRY_LOAD_EFER, "load IA32_EFER (entry)"},
};

/* Without the option these keep the guest off the host's ports and task priority. */
static const struct {
	enum vmx_option option;
	uint32_t bit;
	const char *name;
} fallbacks[] = {
        {VMX_OPT_IOBITMAP, PROC_IO_UNCOND, "unconditional I/O exiting"},
        {VMX_OPT_TPR, PROC_CR8_LOAD, "CR8-load exiting"},
        {VMX_OPT_TPR, PROC_CR8_STORE, "CR8-store exiting"},
};

/* One bit each; the options without a bit of a control word are handled by code below. */
static const struct {
	enum word word;
	uint32_t bit;
} option_bits[VMX_OPT_COUNT] = {
        [VMX_OPT_VPID] = {WORD_PROC2, PROC2_VPID},
        [VMX_OPT_TPR] = {WORD_PROC, PROC_TPR_SHADOW},
        [VMX_OPT_APICACC] = {WORD_PROC2, PROC2_APIC_ACCESS},
        [VMX_OPT_APICREG] = {WORD_PROC2, PROC2_APIC_REG},
        [VMX_OPT_X2APIC] = {WORD_PROC2, PROC2_X2APIC},
        [VMX_OPT_VID] = {WORD_PROC2, PROC2_INTR_DELIVERY},
        [VMX_OPT_MSRBITMAP] = {WORD_PROC, PROC_MSR_BITMAPS},
        [VMX_OPT_IOBITMAP] = {WORD_PROC, PROC_IO_BITMAPS},
        [VMX_OPT_TIMER] = {WORD_PIN, PIN_TIMER},
        [VMX_OPT_PLE] = {WORD_PROC2, PROC2_PAUSE_LOOP},
        [VMX_OPT_INVPCID] = {WORD_PROC2, PROC2_INVPCID},
        [VMX_OPT_RDTSCP] = {WORD_PROC2, PROC2_RDTSCP},
        [VMX_OPT_XSAVES] = {WORD_PROC2, PROC2_XSAVES},
        [VMX_OPT_TSCSCALE] = {WORD_PROC2, PROC2_TSC_SCALING},
};

/* "A requires B" ([SDM3] "Checks on VMX Controls"): without B, A goes too. Order matters. */
static const struct {
	enum vmx_option option, needs;
} dependencies[] = {
        {VMX_OPT_X2APIC, VMX_OPT_TPR},
        {VMX_OPT_APICREG, VMX_OPT_TPR},
        {VMX_OPT_VID, VMX_OPT_TPR},
        {VMX_OPT_APICREG, VMX_OPT_APICACC},
        {VMX_OPT_VID, VMX_OPT_APICREG},
        /* x2APIC MSR reads are virtualized only through the bitmap. */
        {VMX_OPT_X2APIC, VMX_OPT_MSRBITMAP},
};

struct words {
	uint32_t must[WORD_COUNT]; /* bits that are always 1 */
	uint32_t may[WORD_COUNT];  /* bits that may be 1 */
};

static void read_words(struct words *w, bool true_controls)
{
	static const uint32_t plain[WORD_COUNT] = {
	        MSR_IA32_VMX_PINBASED_CTLS,
	        MSR_IA32_VMX_PROCBASED_CTLS,
	        MSR_IA32_VMX_PROCBASED_CTLS2,
	        MSR_IA32_VMX_EXIT_CTLS,
	        MSR_IA32_VMX_ENTRY_CTLS,
	};
	static const uint32_t exact[WORD_COUNT] = {
	        MSR_IA32_VMX_TRUE_PINBASED_CTLS,
	        MSR_IA32_VMX_TRUE_PROCBASED_CTLS,
	        MSR_IA32_VMX_PROCBASED_CTLS2,
	        MSR_IA32_VMX_TRUE_EXIT_CTLS,
	        MSR_IA32_VMX_TRUE_ENTRY_CTLS,
	};

	for (unsigned i = 0; i < WORD_COUNT; i++) {
		uint64_t v = 0;

		if (!cpu_rdmsr_safe(true_controls ? exact[i] : plain[i], &v)) {
			v = 0;
		}
		w->must[i] = (uint32_t)v;
		w->may[i] = (uint32_t)(v >> 32);
	}
}

/* Which optional controls the processor has. */
static uint32_t available_options(const struct words *w, uint64_t ept_cap)
{
	uint32_t available = 0;

	for (unsigned i = 0; i < VMX_OPT_COUNT; i++) {
		if (option_bits[i].bit != 0 && (w->may[option_bits[i].word] & option_bits[i].bit)) {
			available |= BIT(i);
		}
	}
	if (!(ept_cap & EPT_CAP_INVVPID) ||
	        !(ept_cap & (EPT_CAP_INVVPID_SINGLE | EPT_CAP_INVVPID_ALL))) {
		available &= ~BIT(VMX_OPT_VPID);
	}
	if (ept_cap & EPT_CAP_2M) {
		available |= BIT(VMX_OPT_EPT2M);
	}
	if (ept_cap & EPT_CAP_1G) {
		available |= BIT(VMX_OPT_EPT1G);
	}
	if (ept_cap & EPT_CAP_AD) {
		available |= BIT(VMX_OPT_EPTAD);
	}
	return available;
}

static uint32_t drop_dependents(uint32_t options)
{
	for (unsigned pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < ARRAY_SIZE(dependencies); i++) {
			if (!(options & BIT(dependencies[i].needs))) {
				options &= ~BIT(dependencies[i].option);
			}
		}
	}
	if (!(options & BIT(VMX_OPT_EPT2M))) {
		options &= ~BIT(VMX_OPT_EPT1G);
	}
	return options;
}

static uint32_t leaf7_edx(void)
{
	return cpu_cpuid(0, 0).eax < 7 ? 0 : cpu_cpuid(7, 0).edx;
}

/* What the processor says it is not affected by: nothing, when it does not say. */
static uint64_t arch_capabilities(void)
{
	uint64_t caps;

	if (!(leaf7_edx() & LEAF7_EDX_ARCH_CAP) ||
	        !cpu_rdmsr_safe(MSR_IA32_ARCH_CAPABILITIES, &caps)) {
		return 0;
	}
	return caps;
}

/* [L1TF] "Hypervisor Mitigations": unless it has no L1TF, or a hypervisor below flushes for us. */
static enum l1d_need l1d_need(uint64_t arch_caps)
{
	if (arch_caps & ARCH_CAP_RDCL_NO) {
		return L1D_NOT_AFFECTED;
	}
	if (arch_caps & ARCH_CAP_SKIP_L1DFL_VMENTRY) {
		return L1D_FLUSHED_BELOW;
	}
	return leaf7_edx() & LEAF7_EDX_L1D_FLUSH ? L1D_FLUSH : L1D_CANNOT;
}

static int check_required(
        const struct words *w, uint64_t basic, uint64_t ept_cap, char *why, size_t why_size)
{
	for (unsigned i = 0; i < ARRAY_SIZE(required); i++) {
		if (!(w->may[required[i].word] & required[i].bit)) {
			fmt_print(why, why_size, "VT-x here lacks the %s control '%s'",
			        word_names[required[i].word], required[i].name);
			return -ENODEV;
		}
	}
	if (!(ept_cap & EPT_CAP_WALK4) || !(ept_cap & EPT_CAP_WB)) {
		fmt_print(why, why_size, "EPT here lacks 4-level write-back tables");
		return -ENODEV;
	}
	if (!(ept_cap & EPT_CAP_INVEPT) ||
	        !(ept_cap & (EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL))) {
		fmt_print(why, why_size, "VT-x here lacks INVEPT");
		return -ENODEV;
	}
	if (((basic >> BASIC_MEMTYPE_SHIFT) & 0xfU) != MEMTYPE_WB || !(basic & BASIC_IO_INFO)) {
		fmt_print(why, why_size,
		        "VT-x here is too old: no write-back VMCS or no INS/OUTS information");
		return -ENODEV;
	}
	return 0;
}

static int check_fallbacks(const struct words *w, uint32_t granted, char *why, size_t why_size)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fallbacks); i++) {
		if (!(granted & BIT(fallbacks[i].option)) &&
		        !(w->may[WORD_PROC] & fallbacks[i].bit)) {
			fmt_print(why, why_size, "VT-x here has neither '%s' nor the control '%s'",
			        vmx_option_names[fallbacks[i].option], fallbacks[i].name);
			return -ENODEV;
		}
	}
	return 0;
}

static void fill_virt_caps(struct vmx_caps *caps)
{
	uint32_t g = caps->granted;

	caps->virt = (struct virt_caps){
	        .apic =
	                {
	                        .tpr_shadow = (g & BIT(VMX_OPT_TPR)) != 0,
	                        .apic_access = (g & BIT(VMX_OPT_APICACC)) != 0,
	                        .apic_reg = (g & BIT(VMX_OPT_APICREG)) != 0,
	                        .x2apic = (g & BIT(VMX_OPT_X2APIC)) != 0,
	                        .intr_delivery = (g & BIT(VMX_OPT_VID)) != 0,
	                },
	        .invpcid = (g & BIT(VMX_OPT_INVPCID)) != 0,
	        .rdtscp = (g & BIT(VMX_OPT_RDTSCP)) != 0,
	        .xsaves = (g & BIT(VMX_OPT_XSAVES)) != 0,
	        .vpid = (g & BIT(VMX_OPT_VPID)) != 0,
	        .tsc_scaling = (g & BIT(VMX_OPT_TSCSCALE)) != 0,
	        .xss_mask = 0,
	};
}

/* Bits on from the start; windows and APIC modes come and go later. */
static void choose_words(struct vmx_caps *caps, const struct words *w)
{
	uint32_t want[WORD_COUNT] = {0};
	/* Switched on per vCPU when its local APIC is in the mode that needs them. */
	const uint32_t later2 =
	        PROC2_APIC_ACCESS | PROC2_X2APIC | PROC2_APIC_REG | PROC2_INTR_DELIVERY;

	for (unsigned i = 0; i < ARRAY_SIZE(required); i++) {
		want[required[i].word] |= required[i].bit;
	}
	for (unsigned i = 0; i < VMX_OPT_COUNT; i++) {
		if (caps->granted & BIT(i)) {
			want[option_bits[i].word] |= option_bits[i].bit;
		}
	}
	want[WORD_PROC2] &= ~later2;
	for (unsigned i = 0; i < ARRAY_SIZE(fallbacks); i++) {
		if (!(caps->granted & BIT(fallbacks[i].option))) {
			want[WORD_PROC] |= fallbacks[i].bit;
		}
	}
	caps->virtual_nmi = (w->may[WORD_PIN] & PIN_VIRTUAL_NMI) != 0;
	caps->wbinvd = (w->may[WORD_PROC2] & PROC2_WBINVD) != 0;
	caps->pat = (w->may[WORD_EXIT] & EXIT_LOAD_PAT) && (w->may[WORD_EXIT] & EXIT_SAVE_PAT) &&
	            (w->may[WORD_ENTRY] & ENTRY_LOAD_PAT);
	want[WORD_PIN] |= caps->virtual_nmi ? PIN_VIRTUAL_NMI : 0;
	want[WORD_PROC2] |= caps->wbinvd ? PROC2_WBINVD : 0;
	want[WORD_EXIT] |= caps->pat ? EXIT_LOAD_PAT | EXIT_SAVE_PAT : 0;
	want[WORD_ENTRY] |= caps->pat ? ENTRY_LOAD_PAT : 0;

	caps->pin = (want[WORD_PIN] | w->must[WORD_PIN]) & w->may[WORD_PIN];
	caps->proc = (want[WORD_PROC] | w->must[WORD_PROC]) & w->may[WORD_PROC];
	caps->proc2 = (want[WORD_PROC2] | w->must[WORD_PROC2]) & w->may[WORD_PROC2];
	caps->exit = (want[WORD_EXIT] | w->must[WORD_EXIT]) & w->may[WORD_EXIT];
	caps->entry = (want[WORD_ENTRY] | w->must[WORD_ENTRY]) & w->may[WORD_ENTRY];
}

int vmx_caps_read(struct vmx_caps *caps, uint32_t off, char *why, size_t why_size)
{
	uint64_t basic, misc, arch_caps, ept_cap = 0;
	struct words w;
	uint32_t available;
	int err;

	memset(caps, 0, sizeof(*caps));
	if (!cpu_rdmsr_safe(MSR_IA32_VMX_BASIC, &basic)) {
		fmt_print(why, why_size, "this processor has no VT-x");
		return -ENODEV;
	}
	if (!cpu_rdmsr_safe(MSR_IA32_VMX_EPT_VPID_CAP, &ept_cap)) {
		ept_cap = 0;
	}
	read_words(&w, (basic & BASIC_TRUE_CONTROLS) != 0);
	err = check_required(&w, basic, ept_cap, why, why_size);
	if (err) {
		return err;
	}
	misc = cpu_rdmsr(MSR_IA32_VMX_MISC);
	caps->revision = (uint32_t)basic & 0x7fffffffU;
	caps->timer_shift = (unsigned)(misc & MISC_TIMER_RATE_MASK);
	caps->cr0_fixed0 = cpu_rdmsr(MSR_IA32_VMX_CR0_FIXED0);
	caps->cr0_fixed1 = cpu_rdmsr(MSR_IA32_VMX_CR0_FIXED1);
	caps->cr4_fixed0 = cpu_rdmsr(MSR_IA32_VMX_CR4_FIXED0);
	caps->cr4_fixed1 = cpu_rdmsr(MSR_IA32_VMX_CR4_FIXED1);
	caps->invept_single = (ept_cap & EPT_CAP_INVEPT_SINGLE) != 0;
	caps->invvpid_single = (ept_cap & EPT_CAP_INVVPID_SINGLE) != 0;
	arch_caps = arch_capabilities();
	caps->itlb_multihit = !(arch_caps & ARCH_CAP_IF_PSCHANGE_MC_NO);
	caps->l1d = l1d_need(arch_caps);
	available = available_options(&w, ept_cap);
	if (caps->l1d == L1D_FLUSH) {
		available |= BIT(VMX_OPT_L1DFLUSH);
	}
	caps->refused = ~available & (BIT(VMX_OPT_COUNT) - 1);
	caps->granted = drop_dependents(available & ~off);
	err = check_fallbacks(&w, caps->granted, why, why_size);
	if (err) {
		return err;
	}
	fill_virt_caps(caps);
	choose_words(caps, &w);
	return 0;
}

/*
 * Bochs 2.7 delivers a pending virtual interrupt whenever a host interrupt arrives, even
 * while the guest's RFLAGS.IF is 0: a guest that holds a lock with interrupts off is then
 * interrupted and deadlocks, about once in a hundred typed lines. And XRSTOR there refuses, with
 * #GP, what XSAVEC wrote of AVX-512 state: a kernel then starts the process over with an empty FPU.
 * No processor is known to use its revision.
 */
#define REVISION_BOCHS 0x2bU

uint32_t vmx_known_defects(void)
{
	uint64_t basic;

	if (cpu_rdmsr_safe(MSR_IA32_VMX_BASIC, &basic) &&
	        ((uint32_t)basic & 0x7fffffffU) == REVISION_BOCHS) {
		return BIT(VMX_OPT_VID) | BIT(VMX_OPT_XSAVES);
	}
	return 0;
}

static const char *state_name(
        const struct vmx_caps *caps, uint32_t off, uint32_t defects, unsigned option)
{
	if (caps->granted & BIT(option)) {
		return "granted";
	}
	if (caps->refused & BIT(option)) {
		return "absent";
	}
	if (off & BIT(option)) {
		return "off (candela.cfg)";
	}
	return (defects & BIT(option)) ? "off (wrong here, docs/config.md)" : "off (needs another)";
}

static const char *const why_no_flush[] = {
        [L1D_FLUSH] = "no, although L1TF is not denied: off (candela.cfg)",
        [L1D_CANNOT] = "no, although L1TF is not denied: the processor has no such command",
        [L1D_NOT_AFFECTED] = "no (L1TF denied)",
        [L1D_FLUSHED_BELOW] = "no (the hypervisor below does it)",
};

void vmx_caps_dump(const struct vmx_caps *caps, uint32_t off, uint32_t defects, struct out *out)
{
	out_print(out, "VT-x: VMCS revision 0x%x; optional controls:\n", caps->revision);
	for (unsigned i = 0; i < VMX_OPT_COUNT; i++) {
		out_print(out, "  %-10s %s\n", vmx_option_names[i],
		        state_name(caps, off, defects, i));
	}
	out_print(out, "  words: pin %08x proc %08x proc2 %08x exit %08x entry %08x\n", caps->pin,
	        caps->proc, caps->proc2, caps->exit, caps->entry);
	out_print(out, "  executable large pages: %s\n",
	        caps->itlb_multihit ? "no (iTLB multihit erratum not denied)" : "yes");
	out_print(out, "  L1 data cache flush at entry: %s\n",
	        caps->granted & BIT(VMX_OPT_L1DFLUSH) ? "yes" : why_no_flush[caps->l1d]);
}
