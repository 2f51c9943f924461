/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPU back end: what the neutral code asks of VT-x (vmx/), and later of AMD-V. Nothing
 * outside a back end knows what a VMCS is. One ops table is picked at boot.
 *
 * Context: unless it says otherwise, a call that takes a vCPU runs on the physical CPU where that
 * vCPU is loaded (vcpu_load was the last load there).
 */
#ifndef VMM_CPU_VIRT_H
#define VMM_CPU_VIRT_H

#include "vmm/event.h"
#include "vmm/lib/config.h"
#include "vmm/lib/out.h"
#include "vmm/lib/types.h"

struct out;
struct pcpu;
struct vcpu;
struct vm;

/* Registers by their encoding in instructions, then the others. */
enum vcpu_reg {
	REG_RAX,
	REG_RCX,
	REG_RDX,
	REG_RBX,
	REG_RSP,
	REG_RBP,
	REG_RSI,
	REG_RDI,
	REG_R8,
	REG_R9,
	REG_R10,
	REG_R11,
	REG_R12,
	REG_R13,
	REG_R14,
	REG_R15,
	REG_GPR_COUNT,
	REG_RIP = REG_GPR_COUNT,
	REG_RFLAGS,
	REG_CR0,
	REG_CR3,
	REG_CR4,
	REG_EFER,
	REG_DR7,
	REG_SYSENTER_CS,
	REG_SYSENTER_ESP,
	REG_SYSENTER_EIP,
	REG_PAT,
	REG_DEBUGCTL,
	REG_COUNT
};

enum vcpu_seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

/* attr: descriptor bits 40-47 in bits 0-7 (type, S, DPL, P), bits 52-55 in bits 12-15 (AVL, L, D/B,
 * G). */
struct segment {
	uint64_t base;
	uint32_t limit; /* in bytes, granularity already applied */
	uint16_t selector;
	uint16_t attr;
	bool unusable; /* a null selector was loaded */
};

#define SEG_ATTR_TYPE 0x000fU
#define SEG_ATTR_S 0x0010U
#define SEG_ATTR_DPL_SHIFT 5
#define SEG_ATTR_P 0x0080U
#define SEG_ATTR_L 0x2000U
#define SEG_ATTR_DB 0x4000U
#define SEG_ATTR_G 0x8000U

struct desc_table {
	uint64_t base;
	uint32_t limit;
};

/* What decides which bytes the instruction at RIP consists of, beside memory. */
struct fetch_context {
	uint64_t rip, cr3;
	uint64_t mode; /* another number after any change of CR0, CR4, EFER or CS; never 0 */
};

enum map_prot { MAP_READ = 1, MAP_WRITE = 2, MAP_EXEC = 4, MAP_RWX = 7 };

/* Memory type of a mapping: by the host's MTRRs for RAM, uncached for device memory. */
enum map_type { MAP_TYPE_RAM, MAP_TYPE_DEVICE };

/* What the back end does for the local APIC; all false = the software path. */
struct virt_apic_caps {
	bool tpr_shadow;    /* TPR and CR8 need no exit */
	bool apic_access;   /* xAPIC page accesses are recognized by the processor */
	bool apic_reg;      /* reads need no exit, writes exit after the fact */
	bool x2apic;        /* x2APIC MSRs handled by the processor */
	bool intr_delivery; /* interrupts are evaluated and delivered without exits; EOI too */
};

struct virt_caps {
	struct virt_apic_caps apic;
	bool invpcid, rdtscp, xsaves, vpid,
	        tsc_scaling; /* granted: CPUID may offer what they back */
	uint64_t xss_mask;   /* XSS components that may be offered */
};

struct cpu_virt_ops {
	const char *name; /* "VT-x" */

	/* Boot processor: read what the CPU grants less what 'off' (config vmx_off) denies, print
	 * the table; a sentence in why on failure. */
	int (*host_init)(uint32_t off, uint32_t force, char *why, size_t why_size);
	/* Each CPU: enter and leave virtualization operation. */
	int (*cpu_enable)(struct pcpu *cpu);
	void (*cpu_disable)(struct pcpu *cpu);
	const struct virt_caps *(*caps)(void);
	/* What was granted, as host_init printed it. Any CPU. */
	void (*host_dump)(struct out *out);

	/* Memory of one VM and of one vCPU; -ENOMEM. vcpu_init leaves the vCPU in its INIT state.
	 */
	int (*vm_init)(struct vm *vm);
	void (*vm_destroy)(struct vm *vm);
	int (*vcpu_init)(struct vcpu *vcpu);
	void (*vcpu_destroy)(struct vcpu *vcpu);
	/* Registers to the state after INIT ([SDM3] table "IA-32 and Intel 64 Processor States").
	 */
	void (*vcpu_reset)(struct vcpu *vcpu,
	        bool power_on); /* INIT keeps FPU, debug registers' and system-call MSRs */

	/* Make the vCPU current on the calling CPU, and give it up. Includes FPU, MSRs, debug
	 * registers. */
	void (*vcpu_load)(struct vcpu *vcpu);
	void (*vcpu_put)(struct vcpu *vcpu);
	/* After vcpu_put, on the same CPU: nothing of it stays in this CPU, another may load it. */
	void (*vcpu_release)(struct vcpu *vcpu);

	/*
	 * Enter the guest until something happens or the host TSC (now_tsc: just read) passes
	 * deadline_tsc; decode what happened into vcpu->exit. Host interrupts that arrive are
	 * handled inside.
	 */
	void (*run)(struct vcpu *vcpu, uint64_t now_tsc, uint64_t deadline_tsc);
	/* vcpu_loop() of vmm/vcpu_loop.h with run and skip_exit in it. */
	bool (*loop)(struct vcpu *vcpu, uint64_t slice_end_ns);

	/* General registers are in vcpu->gpr (RSP is not): use vcpu_reg_get/set. */
	uint64_t (*get_reg)(struct vcpu *vcpu, enum vcpu_reg reg);
	void (*set_reg)(struct vcpu *vcpu, enum vcpu_reg reg, uint64_t value);
	void (*get_seg)(struct vcpu *vcpu, enum vcpu_seg seg, struct segment *out);
	void (*set_seg)(struct vcpu *vcpu, enum vcpu_seg seg, const struct segment *in);
	void (*get_table)(struct vcpu *vcpu, bool idt, struct desc_table *out);
	void (*set_table)(struct vcpu *vcpu, bool idt, const struct desc_table *in);
	void (*get_fetch)(struct vcpu *vcpu, struct fetch_context *out);
	/* The four page-directory-pointer entries of PAE paging, after CR0/CR3/CR4 changed. */
	void (*set_pdptes)(struct vcpu *vcpu, const uint64_t pdpte[4]);

	/* RIP past the instruction that exited; ends interrupt shadow, raises a single-step trap.
	 */
	void (*skip_insn)(struct vcpu *vcpu, unsigned len);
	/* The same by its own length: an exit that names none (EXIT_MEM) has none. */
	void (*skip_exit)(struct vcpu *vcpu);
	/* A debug trap of the instruction about to be skipped: breakpoints B0-B3 of DR6. */
	void (*pend_debug)(struct vcpu *vcpu, uint64_t dr6_bits);
	/* The instruction that exited lies in a STI or MOV SS shadow: false = interrupts must wait.
	 */
	bool (*in_intr_shadow)(struct vcpu *vcpu);
	/* RFLAGS.IF is 1, and there is no such shadow. */
	bool (*intr_open)(struct vcpu *vcpu);
	bool (*nmi_blocked)(struct vcpu *vcpu);
	/* NMIs wait until IRET, or no longer: for an NMI or an IRET that is carried out here. */
	void (*set_nmi_blocked)(struct vcpu *vcpu, bool blocked);

	/* Deliver at the next entry; at most one an entry. */
	void (*inject)(struct vcpu *vcpu, const struct event *event);
	/* The same for an external interrupt, unless intr_open() says no: false. */
	bool (*inject_interrupt)(struct vcpu *vcpu, unsigned vector);
	/* Exit as soon as the guest could take one. */
	void (*request_window)(struct vcpu *vcpu, bool intr, bool nmi);

	/* Local APIC: see struct virt_apic_caps. mode: the value of IA32_APIC_BASE. */
	void (*apic_set_mode)(struct vcpu *vcpu, uint64_t apic_base);
	/* intr_delivery: IRR changed (highest pending vector or -1), ISR changed after EOI or
	 * reset. */
	void (*apic_set_irr)(struct vcpu *vcpu, int highest_irr);
	void (*apic_set_isr)(struct vcpu *vcpu, int highest_isr);
	/* intr_delivery: vectors whose EOI must exit (level-triggered), 256 bits. */
	void (*apic_set_eoi_exits)(struct vcpu *vcpu, const uint64_t bitmap[4]);
	/* tpr_shadow without intr_delivery: exit when TPR[7:4] falls below; 0 = never. */
	void (*apic_set_tpr_threshold)(struct vcpu *vcpu, unsigned threshold);

	/* Second-level tables. 4 KiB granularity; large pages where alignment and policy allow. Any
	 * CPU. */
	int (*map)(struct vm *vm, gpa_t gpa, hpa_t hpa, uint64_t len, enum map_prot prot,
	        enum map_type type);
	int (*unmap)(struct vm *vm, gpa_t gpa, uint64_t len);
	/* An access the tables refused on a page that is mapped: true when fixed (a large page
	 * split for execution). */
	bool (*fix_fault)(struct vm *vm, gpa_t gpa, bool fetch);

	/* Forget this vCPU's cached translations (guest-linear), or all of the VM's second-level
	 * ones. */
	void (*flush_guest_tlb)(struct vcpu *vcpu);
	void (*flush_nested)(struct vm *vm);           /* asks every vCPU, any CPU */
	void (*flush_nested_local)(struct vcpu *vcpu); /* serves VCPU_REQ_FLUSH_NESTED */

	/* TSC seen by the guest = host TSC * 1 + offset. */
	void (*set_tsc_offset)(struct vcpu *vcpu, uint64_t offset);

	/* The reason of the last exit and everything else the back end keeps, by name. */
	void (*vcpu_dump)(struct vcpu *vcpu, struct out *out);
	/* The back end's own word for vcpu_exit.raw_reason; NULL = none. */
	const char *(*exit_name)(uint16_t raw_reason);
};

extern const struct cpu_virt_ops *cpu_virt; /* (c) after boot */
extern const struct cpu_virt_ops vmx_ops;   /* vmx/vmx.c */

#endif
