/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The back end's own part of a vCPU and a VM. Nothing outside vmx/ includes this.
 */
#ifndef VMX_VMX_VCPU_H
#define VMX_VMX_VCPU_H

#include "vmm/lib/spinlock.h"
#include "vmm/lib/types.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"
#include "vmx/vmx_caps.h"

extern struct vmx_caps vmx_caps; /* (c) after host_init */

/* Guest MSRs that stay in the processor while a vCPU is loaded: the host uses none of them. */
enum vmx_live_msr {
	LIVE_STAR,
	LIVE_LSTAR,
	LIVE_CSTAR,
	LIVE_FMASK,
	LIVE_KERNEL_GS_BASE,
	LIVE_TSC_AUX,
	LIVE_MSR_COUNT
};

struct vmx_vcpu {
	struct vcpu *vcpu;    /* (c) */
	hpa_t vmcs;           /* (c) */
	uint8_t *msr_bitmap;  /* (c) one page */
	uint8_t *fpu;         /* (c) XSAVE area, one page */
	uint32_t cpu;         /* (v) where the VMCS's host state is valid; ~0 = nowhere */
	bool launched;        /* (v) VMLAUNCH was done since the last VMCLEAR */
	uint32_t proc, proc2; /* (v) control words now in the VMCS */
	uint64_t cr0_shadow, cr4_shadow; /* (v) as in the VMCS: the processor only reads them */
	uint32_t modes;                  /* (v) how often CR0, CR4 or EFER were set */
	uint32_t kernel64_mask;          /* (v) vmx_exit_vmcall(): of CS's rights; 0 = LMA is 0 */
	uint64_t pat; /* (v) as last written: without the PAT controls only remembered */
	uint64_t live_msrs[LIVE_MSR_COUNT]; /* (v) while not loaded */
	uint16_t vpid;                      /* (c) 0 = none */
	uint64_t flushes_seen;              /* [a] vmx_vm->flushes at its last flush */
	bool nmi_given; /* (v) an NMI went in since NMIs were last seen open: they may be blocked */
};

/* Tables that a large page replaced, until no processor walks them any more: one move of an
 * overlay page retires one, so a few are enough. */
#define EPT_RETIRED_MAX 8U

/* [SDM3] "Format of an MSR Entry": what an entry or exit loads into an MSR. */
struct msr_entry {
	uint32_t msr, reserved;
	uint64_t value;
} __attribute__((aligned(16)));
_Static_assert(sizeof(struct msr_entry) == 16, "the processor's layout");

struct vmx_vm {
	uint64_t *root;       /* (c) EPT level 4 */
	uint64_t eptp;        /* (c) */
	struct spinlock lock; /* of the tables */
	uint64_t flushes;     /* [a] how often the vCPUs were asked to forget translations */
	struct {
		uint64_t *table; /* [lock] NULL = free */
		unsigned level;
		uint64_t flush; /* gone from every processor when all vCPUs have served this one */
	} retired[EPT_RETIRED_MAX];
	uint64_t *spare;            /* [lock] tables to split large pages with, a list by entry 0 */
	uint8_t *io_bitmaps;        /* (c) A and B, all ones: every port exits */
	uint8_t *apic_page;         /* (c) the page APIC accesses are recognized by */
	struct msr_entry flush_l1d; /* (c) loaded at each entry, with VMX_OPT_L1DFLUSH */
};

static inline struct vmx_vcpu *vmx_vcpu(struct vcpu *vcpu)
{
	return vcpu->virt;
}

static inline struct vmx_vm *vmx_vm(struct vm *vm)
{
	return vm->virt;
}

/* --- vmcs_setup.c --- */
/* All fields of a cleared, current VMCS but the guest's registers. */
void vmcs_setup(struct vcpu *vcpu);
/* Host state that differs between CPUs; at each load on another CPU. */
void vmcs_set_host_cpu(struct pcpu *cpu);

/* --- vmx_run.c --- */
void vmx_run(struct vcpu *vcpu, uint64_t now_tsc, uint64_t deadline_tsc);
bool vmx_loop(struct vcpu *vcpu, uint64_t slice_end_ns);

/* --- vmx_regs.c --- */
void vmx_reset_regs(struct vcpu *vcpu);
uint64_t vmx_get_reg(struct vcpu *vcpu, enum vcpu_reg reg);
void vmx_set_reg(struct vcpu *vcpu, enum vcpu_reg reg, uint64_t value);
void vmx_get_seg(struct vcpu *vcpu, enum vcpu_seg seg, struct segment *out);
void vmx_set_seg(struct vcpu *vcpu, enum vcpu_seg seg, const struct segment *in);
void vmx_get_table(struct vcpu *vcpu, bool idt, struct desc_table *out);
void vmx_set_table(struct vcpu *vcpu, bool idt, const struct desc_table *in);
void vmx_get_fetch(struct vcpu *vcpu, struct fetch_context *out);
void vmx_set_pdptes(struct vcpu *vcpu, const uint64_t pdpte[4]);
void vmx_skip_insn(struct vcpu *vcpu, unsigned len);
void vmx_skip_exit(struct vcpu *vcpu);
void vmx_pend_debug(struct vcpu *vcpu, uint64_t dr6_bits);
/* CR0 and CR4 bits the guest may change without an exit. */
uint64_t vmx_cr0_guest_owned(void);
uint64_t vmx_cr4_guest_owned(void);

/* --- vmx_inject.c --- */
bool vmx_in_intr_shadow(struct vcpu *vcpu);
bool vmx_intr_open(struct vcpu *vcpu);
bool vmx_nmi_blocked(struct vcpu *vcpu);
void vmx_set_nmi_blocked(struct vcpu *vcpu, bool blocked);
void vmx_inject(struct vcpu *vcpu, const struct event *event);
bool vmx_inject_interrupt(struct vcpu *vcpu, unsigned vector);
void vmx_request_window(struct vcpu *vcpu, bool intr, bool nmi);
/* An event whose delivery the exit broke off: queue it again. */
void vmx_requeue_vectoring(struct vcpu *vcpu, uint32_t info);

/* --- vmx_live.c --- */
void vmx_live_state_reset(struct vcpu *vcpu);
/* INIT: what it resets of the live state; the vCPU is loaded. */
void vmx_live_state_init(void);
void vmx_live_state_load(struct vcpu *vcpu);
void vmx_live_state_save(struct vcpu *vcpu);

/* --- vmx_flush.c --- */
void vmx_flush_guest(struct vcpu *vcpu);
void vmx_flush_nested(struct vcpu *vcpu); /* on the calling CPU */
void vmx_flush_all(struct vcpu *vcpu);
void vmx_flush_nested_request(struct vm *vm); /* on every CPU, before its next entry */

/* --- apicv.c --- */
void vmx_apic_set_mode(struct vcpu *vcpu, uint64_t apic_base);
void vmx_apic_set_irr(struct vcpu *vcpu, int highest_irr);
void vmx_apic_set_isr(struct vcpu *vcpu, int highest_isr);
void vmx_apic_set_eoi_exits(struct vcpu *vcpu, const uint64_t bitmap[4]);
void vmx_apic_set_tpr_threshold(struct vcpu *vcpu, unsigned threshold);

/* --- msr_bitmap.c --- */
void msr_bitmap_init(uint8_t *bitmap);
void msr_bitmap_allow(uint8_t *bitmap, uint32_t msr, bool read, bool write);

/* --- ept.c --- */
__must_check int ept_init(struct vm *vm);
void ept_destroy(struct vm *vm);
int ept_map(
        struct vm *vm, gpa_t gpa, hpa_t hpa, uint64_t len, enum map_prot prot, enum map_type type);
int ept_unmap(struct vm *vm, gpa_t gpa, uint64_t len);
bool ept_fix_fault(struct vm *vm, gpa_t gpa, bool fetch);
/* The leaf entry that maps gpa and its size; 0 when nothing does. For tests and dumps. */
uint64_t ept_lookup(struct vm *vm, gpa_t gpa, uint64_t *size);

/* --- vmcs_dump.c, vmcs_check.c --- */
const char *vmx_exit_name(uint16_t raw_reason);
void vmcs_dump(struct vcpu *vcpu, struct out *out);
/* Compare the guest state with the entry checks of the SDM and name what fails; returns how many.
 */
unsigned vmcs_check_guest(struct out *out);

#endif
