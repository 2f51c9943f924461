/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this processor's VT-x grants, and the control words the core uses.
 * Specs: [SDM3] "VMX Capability Reporting Facility".
 */
#ifndef VMX_VMX_CAPS_H
#define VMX_VMX_CAPS_H

#include "vmm/cpu_virt.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/out.h"
#include "vmm/lib/types.h"

/* Capability MSRs. */
#define MSR_IA32_VMX_BASIC 0x480U
#define MSR_IA32_VMX_PINBASED_CTLS 0x481U
#define MSR_IA32_VMX_PROCBASED_CTLS 0x482U
#define MSR_IA32_VMX_EXIT_CTLS 0x483U
#define MSR_IA32_VMX_ENTRY_CTLS 0x484U
#define MSR_IA32_VMX_MISC 0x485U
#define MSR_IA32_VMX_CR0_FIXED0 0x486U
#define MSR_IA32_VMX_CR0_FIXED1 0x487U
#define MSR_IA32_VMX_CR4_FIXED0 0x488U
#define MSR_IA32_VMX_CR4_FIXED1 0x489U
#define MSR_IA32_VMX_PROCBASED_CTLS2 0x48bU
#define MSR_IA32_VMX_EPT_VPID_CAP 0x48cU
#define MSR_IA32_VMX_TRUE_PINBASED_CTLS 0x48dU
#define MSR_IA32_VMX_TRUE_PROCBASED_CTLS 0x48eU
#define MSR_IA32_VMX_TRUE_EXIT_CTLS 0x48fU
#define MSR_IA32_VMX_TRUE_ENTRY_CTLS 0x490U

/* Pin-based controls ([SDM3] "Pin-Based VM-Execution Controls"). */
#define PIN_EXT_INTR BIT(0)
#define PIN_NMI BIT(3)
#define PIN_VIRTUAL_NMI BIT(5)
#define PIN_TIMER BIT(6)

/* Primary processor-based controls. */
#define PROC_INTR_WINDOW BIT(2)
#define PROC_TSC_OFFSET BIT(3)
#define PROC_HLT BIT(7)
#define PROC_MWAIT BIT(10)
#define PROC_RDPMC BIT(11)
#define PROC_CR3_LOAD BIT(15)
#define PROC_CR3_STORE BIT(16)
#define PROC_CR8_LOAD BIT(19)
#define PROC_CR8_STORE BIT(20)
#define PROC_TPR_SHADOW BIT(21)
#define PROC_NMI_WINDOW BIT(22)
#define PROC_MOV_DR BIT(23)
#define PROC_IO_UNCOND BIT(24)
#define PROC_IO_BITMAPS BIT(25)
#define PROC_MSR_BITMAPS BIT(28)
#define PROC_MONITOR BIT(29)
#define PROC_SECONDARY BIT(31)

/* Secondary processor-based controls. */
#define PROC2_APIC_ACCESS BIT(0)
#define PROC2_EPT BIT(1)
#define PROC2_RDTSCP BIT(3)
#define PROC2_X2APIC BIT(4)
#define PROC2_VPID BIT(5)
#define PROC2_WBINVD BIT(6)
#define PROC2_UNRESTRICTED BIT(7)
#define PROC2_APIC_REG BIT(8)
#define PROC2_INTR_DELIVERY BIT(9)
#define PROC2_PAUSE_LOOP BIT(10)
#define PROC2_INVPCID BIT(12)
#define PROC2_XSAVES BIT(20)
#define PROC2_TSC_SCALING BIT(25)

/* VM-exit and VM-entry controls. */
#define EXIT_SAVE_DEBUG BIT(2)
#define EXIT_HOST_64 BIT(9)
#define EXIT_ACK_INTR BIT(15)
#define EXIT_SAVE_PAT BIT(18)
#define EXIT_LOAD_PAT BIT(19)
#define EXIT_SAVE_EFER BIT(20)
#define EXIT_LOAD_EFER BIT(21)
#define ENTRY_LOAD_DEBUG BIT(2)
#define ENTRY_IA32E BIT(9)
#define ENTRY_LOAD_PAT BIT(14)
#define ENTRY_LOAD_EFER BIT(15)

/* IA32_VMX_EPT_VPID_CAP. */
#define EPT_CAP_EXEC_ONLY BIT64(0)
#define EPT_CAP_WALK4 BIT64(6)
#define EPT_CAP_WB BIT64(14)
#define EPT_CAP_2M BIT64(16)
#define EPT_CAP_1G BIT64(17)
#define EPT_CAP_INVEPT BIT64(20)
#define EPT_CAP_AD BIT64(21)
#define EPT_CAP_INVEPT_SINGLE BIT64(25)
#define EPT_CAP_INVEPT_ALL BIT64(26)
#define EPT_CAP_INVVPID BIT64(32)
#define EPT_CAP_INVVPID_SINGLE BIT64(41)
#define EPT_CAP_INVVPID_ALL BIT64(42)

/* L1TF: does each entry have to flush the L1 data cache? */
enum l1d_need {
	L1D_FLUSH,         /* yes */
	L1D_CANNOT,        /* it should, and the processor has no command for it */
	L1D_NOT_AFFECTED,  /* RDCL_NO */
	L1D_FLUSHED_BELOW, /* SKIP_L1DFL_VMENTRY: nested, and the hypervisor below does it */
};

struct vmx_caps {
	uint32_t revision;                      /* VMCS revision identifier */
	uint32_t pin, proc, proc2, exit, entry; /* control words to use */
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	uint32_t granted;     /* 1U << enum vmx_option: in use */
	uint32_t refused;     /* the processor does not have it */
	unsigned timer_shift; /* preemption timer counts TSC >> this */
	bool invept_single, invvpid_single;
	bool pat, virtual_nmi, wbinvd;
	bool itlb_multihit; /* executable large pages are unsafe */
	enum l1d_need l1d;
	struct virt_caps virt;
};

/*
 * Read the capability MSRs (boot processor; all processors are taken to be alike), leave out
 * what 'off' says (1U << enum vmx_option). Returns 0, or -ENODEV with a sentence in why.
 */
__must_check int vmx_caps_read(struct vmx_caps *caps, uint32_t off, char *why, size_t why_size);

/* Options that this processor grants and is known to do wrong (1U << enum vmx_option). */
uint32_t vmx_known_defects(void);

/* The table of what was granted. off: by configuration; defects: known ones. */
void vmx_caps_dump(const struct vmx_caps *caps, uint32_t off, uint32_t defects, struct out *out);

#endif
