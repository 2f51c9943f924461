/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Hyper-V interface of a VM from the inside: what its parts share. vmm/ sees it through
 * vmm/pv.h only, vmbus/ through hypercall/synic.h only.
 *
 * Each part is x.c with the MSRs, calls and state of one section of the TLFS; hv.c wires them,
 * hv_cpuid.c announces them, hv_msr.c and hypercall_table.c are the tables that lead to them.
 */
#ifndef HYPERCALL_HV_H
#define HYPERCALL_HV_H

#include "hypercall/hv_testdev.h"
#include "hypercall/stimer.h"
#include "hypercall/synic.h"
#include "hypercall/tlfs.h"
#include "vmm/lib/config.h"
#include "vmm/lib/spinlock.h"
#include "vmm/pv.h"
#include "vmm/vm.h"

#define HV_MAX_VPS 64U /* what a guest sizes its sets of VPs by */

/* Numbers of the overlay pages, in order of precedence; the last three count from
 * hv_vcpu->overlays. */
enum hv_overlay { HV_OVERLAY_HYPERCALL, HV_OVERLAY_REFERENCE_TSC };
enum hv_vcpu_overlay { HV_OVERLAY_VP_ASSIST, HV_OVERLAY_SIEFP, HV_OVERLAY_SIMP };

struct hv_vm;
/* A call of two words in registers: hypercall/hypercall.h. */
typedef enum exit_action hv_call_short_fn(
        struct vcpu *vcpu, uint64_t first, uint64_t second, const struct hv_vm *hv);
#define HV_CALL_ROWS (HV_CALL_GET_VP_INDEX_FROM_APIC_ID + 1U)

/* One VM's. */
struct hv_vm {
	hv_call_short_fn *short_calls[HV_CALL_ROWS]; /* [a] hypercall_offer_short() */
	struct vm *vm;                               /* (c) */
	uint32_t features;                           /* (c) 1U << enum hv_feature, as granted */
	uint64_t all_vps;                            /* (c) a mask by VP index */

	struct spinlock lock;      /* the MSRs below: partition-wide, written by any vCPU */
	uint64_t guest_os_id;      /* [lock], read anywhere */
	uint64_t hypercall_msr;    /* [lock], read anywhere */
	uint64_t reference_tsc;    /* [lock], read anywhere */
	uint64_t invariant_tsc;    /* [a] */
	uint64_t crash[5];         /* [lock] P0-P4 */
	uint64_t panics_since;     /* [lock] host clock, and how many since; over resets */
	uint32_t n_panics;         /* [lock] */
	uint8_t *hypercall_page;   /* (c) overlay */
	uint8_t *reference_page;   /* (c) overlay */
	uint64_t tsc_scale;        /* (c) 2^64 * 10 MHz / TSC frequency */
	struct synic_ports ports;  /* hypercall/synic.h */
	struct hv_testdev testdev; /* with testdev = on */
};

/* A call that starts this VP: made by one CPU, carried out by the VP's own. */
struct hv_start {
	uint32_t state;               /* [a] hv_start.c: a phase, and who asked */
	struct vcpu_call call;        /* the one who asked, until its fn has begun */
	struct hv_vp_context context; /* as call */
};

/* Registers of another VP, read or written by that one's CPU for the one who asks: hv_regs.c. */
#define HV_REMOTE_REGS 16U
struct hv_remote {
	uint32_t state;        /* [a] hv_regs.c: a phase; all below is the other CPU's meanwhile */
	struct vcpu_call call; /* until its fn has begun */
	struct hv_register_assoc regs[HV_REMOTE_REGS];
	uint32_t n, done; /* of regs: asked for, and how many went well */
	bool set;
	enum hv_status status; /* of the one behind those that went well */
	uint64_t name;         /* (v) which call asked; 0 = none any more */
};

/* One vCPU's. VP index = vcpu->index. */
struct hv_vcpu {
	struct vcpu *vcpu;    /* (c) */
	uint32_t overlays;    /* (c) number of its first overlay page */
	uint64_t vp_assist;   /* (v) MSR */
	uint8_t *assist_page; /* (c) overlay */
	struct synic synic;   /* hypercall/synic.h */
	struct stimer stimers[HV_STIMER_COUNT];
	struct synic_port_cache port; /* (v) */
	uint64_t flush_waits;         /* (v) VPs that a flush call still waits for */
	uint64_t flush_key;           /* (v) which call that was */
	struct hv_start start;        /* hv_start.c */
	uint32_t lives; /* (v) INITs so far: an older life's questions are not this one's */
	struct hv_remote remote;
	uint8_t call_buf[4096]; /* (v) a hypercall's input, copied once */
	uint8_t call_out[4096]; /* (v) its output, before it is copied out */
};

static inline struct hv_vm *hv_vm(const struct vm *vm)
{
	return vm->pv_vm;
}

static inline struct hv_vcpu *hv_vcpu(const struct vcpu *vcpu)
{
	return vcpu->pv;
}

static inline bool hv_has(const struct vm *vm, enum hv_feature feature)
{
	return (hv_vm(vm)->features & (1U << feature)) != 0;
}

/* --- hv.c: for vmm/main.c --- */

/*
 * Give a VM the interface its configuration asks for; before it starts. memory: hv_memory_pages()
 * zeroed pages, page-aligned, for as long as the VM lives. -ENOSPC when there are too many overlay
 * pages.
 */
__must_check int hv_attach(struct vm *vm, void *memory);
uint64_t hv_memory_pages(uint32_t n_vcpus);

/* --- hv_cpuid.c --- */
void hv_cpuid(struct vcpu *vcpu, uint32_t leaf, struct cpuid_regs *out);

/* --- hv_msr.c: the table of MSRs; the handlers are with their parts --- */
bool hv_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool hv_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* --- MSR handlers: false = #GP --- */
typedef bool hv_msr_read_fn(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
typedef bool hv_msr_write_fn(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* --- hv_page.c --- */
void hv_page_init(struct hv_vm *hv);
/* A page as an MSR places it; false when it cannot be there. */
__must_check bool hv_page_place(struct vm *vm, unsigned overlay, uint64_t msr);
hv_msr_read_fn guest_os_id_read, hypercall_msr_read, reference_tsc_read, vp_assist_read;
hv_msr_write_fn guest_os_id_write, hypercall_msr_write, reference_tsc_write, vp_assist_write;

/* --- hv_crash.c --- */
hv_msr_read_fn crash_param_read, crash_ctl_read;
hv_msr_write_fn crash_param_write, crash_ctl_write;

/* --- hv_idle.c --- */
hv_msr_read_fn guest_idle_read;

/* --- ref_time.c --- */
void ref_time_init(struct hv_vm *hv);
hv_msr_read_fn ref_time_read;
/* 100 ns since the VM was created, by its TSC; the same on every vCPU, and what the page gives. */
uint64_t hv_reference_time(const struct vm *vm);
/* A host clock at which hv_reference_time() has reached it, give or take one unit; ~0 beyond. */
uint64_t hv_reference_to_host_ns(const struct vm *vm, uint64_t reference);

/* --- hypercall.c --- */
enum exit_action hv_hypercall(struct vcpu *vcpu);
/*
 * Where each short call leads at once: to its function if the VM has it and the hypercall page is
 * there, else all the checks come first.
 */
void hypercall_offer_short(struct hv_vm *hv, bool page);

#endif
