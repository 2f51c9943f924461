/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual processor, and the exit it last took, in neutral words.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include "vmm/cpu_virt.h"
#include "vmm/event.h"
#include "vmm/insn_cache.h"
#include "vmm/io_bus.h"
#include "vmm/lapic.h"
#include "vmm/lib/types.h"
#include "vmm/sched_queue.h"
#include "vmm/stats.h"
#include "vmm/x86.h"

struct trace;
struct vm;

/* Why the guest stopped. The decoder of the back end fills struct vcpu_exit; vmm/vcpu_exit.c acts
 * on it. */
enum exit_kind {
	EXIT_NONE, /* nothing to do: host interrupt, deadline, window opened */
	EXIT_CPUID,
	EXIT_IO,
	EXIT_MEM, /* access to guest-physical space that is not mapped so */
	EXIT_RDMSR,
	EXIT_WRMSR,
	EXIT_CR,
	EXIT_DR,
	EXIT_XSETBV,
	EXIT_HLT,
	EXIT_PAUSE,
	EXIT_MWAIT, /* MONITOR or MWAIT */
	EXIT_EXCEPTION,
	EXIT_HYPERCALL,
	EXIT_UNDEFINED,  /* an instruction we do not offer: #UD */
	EXIT_PRIVILEGED, /* an instruction that only faults: #GP(0) */
	EXIT_CACHE,      /* INVD, WBINVD */
	EXIT_TASK_SWITCH,
	EXIT_TRIPLE_FAULT,
	EXIT_TPR_BELOW,  /* TPR fell below the threshold */
	EXIT_APIC_WRITE, /* the processor wrote an APIC register: carry out the effect */
	EXIT_EOI,        /* the processor ended a vector that is in the EOI exit bitmap */
	EXIT_SIGNAL,     /* INIT or SIPI at the physical CPU */
	EXIT_FAILED,     /* the back end could not enter the guest: fatal for the VM */
	EXIT_KIND_COUNT
};

enum task_source { TASK_CALL, TASK_IRET, TASK_JMP, TASK_IDT_GATE };

struct vcpu_exit {
	union {
		struct {
			enum exit_kind kind;
			uint16_t raw_reason; /* the back end's own number, for traces */
			uint8_t mem_access;  /* EXIT_MEM: bits 0-2 = read, write, fetch; so that
			                        exit_record has it */
		};
		uint64_t head; /* the three at once */
	};
	union {
		struct {
			uint16_t port;
			uint8_t width; /* 1, 2, 4 */
			union {
				struct {
					bool in : 1, string : 1, rep : 1;
				};
				uint8_t flags; /* the three at once */
			};
			union {
				struct {
					uint8_t addr_width; /* string: 2, 4, 8 */
					uint8_t seg;        /* string OUTS: enum vcpu_seg */
				};
				uint32_t eax; /* not string; what OUT writes, for exit_record */
			};
		} io;
		struct {
			uint32_t eax, ecx; /* CPUID, MSRs, XSETBV; for exit_record */
		} regs;
		struct {
			uint64_t rcx;  /* for exit_record */
			bool kernel64; /* 64-bit code at CPL 0; false = look closer */
		} call;                /* hypercalls */
		struct {
			gpa_t gpa;
			bool read, write, fetch;
			bool in_walk; /* the access was to a page table, not the operand */
			bool mapped;  /* something is mapped there: a permission was missing */
		} mem;
		struct {
			uint8_t cr; /* 0, 3, 4, 8 */
			bool write;
			uint8_t reg; /* enum vcpu_reg */
			bool clts, lmsw;
			uint16_t lmsw_value;
		} cr;
		struct {
			uint8_t dr;
			bool write;
			uint8_t reg;
		} dr;
		struct {
			uint8_t vector;
			bool has_error;
			uint32_t error;
			uint64_t dr6; /* #DB: the bits to set; #PF: the address */
		} exception;
		struct {
			uint16_t selector;
			uint8_t insn_len; /* of the instruction that switches, if one does */
			uint8_t source;   /* enum task_source; by a gate of the IDT: for
			                     vcpu->pending */
		} task;
		struct {
			uint16_t offset; /* register offset in the APIC page */
		} apic;
		struct {
			uint8_t vector;
		} eoi;
		struct {
			bool wants_memory; /* WBINVD rather than INVD */
		} cache;
	};
};

#define MEM_ACCESS_READ 1U
#define MEM_ACCESS_WRITE 2U
#define MEM_ACCESS_FETCH 4U

/*
 * One of a vCPU's last exits: what it takes to tell it (vmm/exit_text.h), and no more, as each exit
 * writes one.
 */
struct exit_record {
	uint64_t exit[2]; /* the first bytes of struct vcpu_exit */
	uint64_t tsc;     /* the host's, at the exit */
	uint64_t pad;     /* a ring is an aligned power of two */
};
#define EXIT_RECORDS 16U
#define EXIT_RING_LEN (EXIT_RECORDS * sizeof(struct exit_record))
_Static_assert(EXIT_RING_LEN == 512, "a power of two: the way around is a mask");

/* What a handler wants done; only vmm/vcpu_run.c does it. */
enum exit_action {
	ACT_RESUME,   /* go on where RIP is */
	ACT_SKIP,     /* past the instruction */
	ACT_FAULT,    /* the event the handler queued; RIP stays */
	ACT_HALT,     /* past the instruction, then wait for an event */
	ACT_YIELD,    /* past the instruction; whoever waits for the CPU may have it */
	ACT_SHUTDOWN, /* triple fault: reset the VM */
	ACT_KILL,     /* vcpu->kill_reason says why */
};

/* Requests from anywhere, served before the next entry. vcpu_request(). */
enum vcpu_request {
	VCPU_REQ_IRQ, /* look at the local APIC's pending bits */
	VCPU_REQ_NMI,
	VCPU_REQ_INIT,
	VCPU_REQ_SIPI,         /* vcpu->sipi_vector */
	VCPU_REQ_FLUSH_GUEST,  /* guest TLB */
	VCPU_REQ_FLUSH_NESTED, /* second-level translations */
	VCPU_REQ_STOP,         /* somebody wants something of the VM: leave the loop */
	VCPU_REQ_RESUME,       /* go on where STOP found it; vm->paused_ticks were not */
	VCPU_REQ_RESET,        /* power-on state, then wait for SIPI */
	VCPU_REQ_CALL,         /* vcpu->call */
	VCPU_REQ_PV,           /* vm->pv->serve() */
	VCPU_REQ_PV_IDLE,      /* the same, but only when it leaves the loop: when it halts */
	VCPU_REQ_TIMER,        /* vcpu_timers_serve() */
	VCPU_REQ_YIELD,        /* another's turn: leave the loop, still runnable */
};

/* Those that event_prepare_entry() serves and clears; the others are the loop's. */
#define VCPU_EVENT_REQUESTS (BIT64(VCPU_REQ_IRQ) | BIT64(VCPU_REQ_NMI))

enum vcpu_state {
	VCPU_WAIT_SIPI, /* after INIT */
	VCPU_RUNNABLE,
	VCPU_HALTED,
	VCPU_STOPPED, /* the VM is off, paused or being reset: only RESUME or RESET end it */
};

/* Those that do not keep it from entering the guest. */
#define VCPU_IDLE_REQUESTS BIT64(VCPU_REQ_PV_IDLE)

/* What comes for a vCPU that is stopped waits for RESUME; RESET drops it. */
#define VCPU_HELD_REQUESTS \
	(BIT64(VCPU_REQ_IRQ) | BIT64(VCPU_REQ_NMI) | BIT64(VCPU_REQ_INIT) | BIT64(VCPU_REQ_SIPI) | \
	        BIT64(VCPU_REQ_FLUSH_GUEST) | BIT64(VCPU_REQ_PV))

/* See vcpu_call(). */
struct vcpu_call {
	void (*fn)(struct vcpu *vcpu, void *arg);
	void *arg;
};

struct vcpu {
	uint64_t gpr[REG_GPR_COUNT]; /* (v) RSP's slot unused; offsets used by vmentry.asm: keep
	                                first */
	struct vcpu_exit exit;       /* (v) */
	uint64_t host_sp; /* (v) while in the guest: the stack of the loop; vmentry.asm */

	struct vm *vm;  /* (c) */
	uint32_t index; /* (c) in vm->vcpus; also the initial APIC id */
	uint32_t cpu;   /* [a] physical CPU it belongs to; changed under that one's queue lock */
	void *virt;     /* (c) the back end's part: struct vmx_vcpu */
	void *pv;       /* (c) the paravirtual interface's part: struct hv_vcpu; NULL = none */
	enum exit_action (*hypercall)(struct vcpu *vcpu); /* (c) VMCALL: the interface's, or #UD */

	uint32_t held_vector;   /* (v) that an interrupt window was asked for; 0 = another's */
	uint32_t attention;     /* (v) 1 = an event may wait, besides what requests say */
	uint64_t requests;      /* [a] bits of enum vcpu_request */
	uint32_t state;         /* [a] enum vcpu_state; changed by the own CPU, read anywhere */
	uint32_t sipi_vector;   /* [a] */
	uint32_t nmi_pending;   /* [a] 0..2 */
	uint32_t running;       /* [a] 1 while in the guest: a kick needs an IPI */
	struct vcpu_call *call; /* [a] NULL = none; taken by the own CPU */

	uint32_t resume_state; /* (v) enum vcpu_state; while VCPU_STOPPED: what it was before */
	uint64_t held;         /* (v) VCPU_HELD_REQUESTS that came while stopped */

	struct event pending;     /* (v) delivered first */
	uint32_t windows;         /* (v) window exits asked for, see vmm/event.c */
	uint64_t cr2, dr[4], dr6; /* (v) while not loaded; in the CPU while loaded */
	uint64_t xcr0, xss;       /* (v) */
	uint64_t tsc_offset;      /* (v) */
	uint64_t tsc_adjust;      /* (v) IA32_TSC_ADJUST */
	uint64_t mtrr_def_type, mtrr_fixed[11],
	        mtrr_var[16]; /* (v) kept for the guest; EPT types come from the host's */
	uint64_t misc_enable; /* (v) */
	bool io_breakpoints;  /* (v) DR7 watches ports: vmm/dr.c */

	struct vcpu_timer *timers; /* (c) all of them, see vmm/vcpu_timer.h */
	struct lapic lapic;        /* (v) but for its [a] fields */
	bool idle_by_msr;          /* (v) the RDMSR that is being decided puts it to sleep */
	bool wakes_masked;         /* (v) halted so that interrupts wake it even with IF=0 */
	uint64_t halted_tsc;       /* (v) when it went to sleep in HLT */
	uint64_t exit_tsc;         /* (v) host TSC at the last exit */
	struct vcpu_stats stats;   /* (v), read anywhere */
	const char *kill_reason;   /* (v) */
	/*
	 * (v) A ring, always on, and where the next one goes. EXIT_NONE is left out: a guest that
	 * does nothing but take host interrupts shows what it did before.
	 */
	struct exit_record *next_exit;
	struct exit_record last_exits[EXIT_RECORDS] __attribute__((aligned(2 * EXIT_RING_LEN)));
	struct trace *trace; /* [a] NULL = never traced: vmm/trace.h */

	struct io_cache pio, mmio; /* (v) of the VM's buses */
	struct insn_cache insns;   /* (v) */

	struct sched_node sched; /* vmm/sched.c */
	bool yielding;           /* (v) it left the loop by ACT_YIELD */
};

static inline uint64_t vcpu_reg_get(struct vcpu *vcpu, enum vcpu_reg reg)
{
	if (reg < REG_GPR_COUNT && reg != REG_RSP) {
		return vcpu->gpr[reg];
	}
	return cpu_virt->get_reg(vcpu, reg);
}

static inline void vcpu_reg_set(struct vcpu *vcpu, enum vcpu_reg reg, uint64_t value)
{
	if (reg < REG_GPR_COUNT && reg != REG_RSP) {
		vcpu->gpr[reg] = value;
	} else {
		cpu_virt->set_reg(vcpu, reg, value);
	}
}

/*
 * Keep vcpu->exit, of exit_tsc, among the last ones. Each exit pays for it: the ring lies at a
 * multiple of twice its length, so the address behind its end differs from its own in one bit.
 */
static inline void vcpu_record_exit(struct vcpu *vcpu, uint64_t exit_tsc)
{
	struct exit_record *r = vcpu->next_exit;

	vcpu->next_exit = (struct exit_record *)((uintptr_t)(r + 1) & ~EXIT_RING_LEN);
	__builtin_memcpy(r->exit, &vcpu->exit, sizeof(r->exit));
	r->tsc = exit_tsc;
}

/* Queue a fault and return ACT_FAULT (ACT_SHUTDOWN when it is one too many). */
enum exit_action vcpu_fault(struct vcpu *vcpu, enum x86_exception vector, uint32_t error);
/* #UD and the other vectors without an error code. */
enum exit_action vcpu_fault_noerr(struct vcpu *vcpu, enum x86_exception vector);
/* #PF: CR2 and the error code. */
enum exit_action vcpu_page_fault(struct vcpu *vcpu, gva_t address, uint32_t error);
/* vcpu->hypercall where no interface announces any: VMCALL is no instruction of ours. */
enum exit_action vcpu_no_hypercall(struct vcpu *vcpu);
/* Set the reason and return ACT_KILL. reason: a string constant. */
enum exit_action vcpu_kill(struct vcpu *vcpu, const char *reason);

/* CPL 0-3 of the guest: SS.DPL. */
unsigned vcpu_cpl(struct vcpu *vcpu);

/* Set a request bit and make the vCPU notice: kick it out of the guest, wake it from HLT. Any CPU.
 */
void vcpu_request(struct vcpu *vcpu, enum vcpu_request req);

/* The same, but a vCPU that sleeps is not woken for it: it serves the request before it runs again.
 */
void vcpu_request_lazy(struct vcpu *vcpu, enum vcpu_request req);

/* VCPU_REQ_PV_IDLE: no kick and no wake-up. One that falls asleep just now may miss it. */
static inline void vcpu_request_idle(struct vcpu *vcpu)
{
	if (!(__atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED) & BIT64(VCPU_REQ_PV_IDLE))) {
		__atomic_fetch_or(&vcpu->requests, BIT64(VCPU_REQ_PV_IDLE), __ATOMIC_SEQ_CST);
	}
}

/* 64-bit code; protected mode and CPL 0. */
bool vcpu_in_64bit_mode(struct vcpu *vcpu);
bool vcpu_in_kernel(struct vcpu *vcpu);
/* The first n of XMM0-XMM7, 16 bytes each. */
void vcpu_read_xmm(struct vcpu *vcpu, void *buf, unsigned n);

/*
 * Have call->fn run on the vCPU's CPU, where it is loaded, before it enters the guest again: to
 * look at its registers, for instance. Works in every state, also halted, paused and off. fn runs
 * once, with no lock held, and must be short. false = another call waits already. *call stays the
 * caller's until fn has begun. Any CPU.
 */
__must_check bool vcpu_call(struct vcpu *vcpu, struct vcpu_call *call);

/* One exit, decided: a table by kind (vmm/vcpu_exit.c). */
typedef enum exit_action exit_handler(struct vcpu *vcpu, const struct vcpu_exit *exit);
extern exit_handler *const vcpu_exit_handlers[EXIT_KIND_COUNT];
static inline enum exit_action vcpu_exit_dispatch(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	return vcpu_exit_handlers[exit->kind](vcpu, exit);
}
extern const char *const exit_kind_names[EXIT_KIND_COUNT];

/*
 * Run the vCPU until it halts, stops, slice_end_ns (host clock) passes or a timer of this CPU
 * is due (vmm/vcpu_run.c, the loop). It is loaded before and on return.
 */
void vcpu_run(struct vcpu *vcpu, uint64_t slice_end_ns);

/* The vCPU's own CPU, loaded: power-on state, and the state after INIT. Both wait for SIPI. */
void vcpu_reset(struct vcpu *vcpu);
void vcpu_init_signal(struct vcpu *vcpu);
/* VCPU_REQ_STOP and VCPU_REQ_RESUME; resume returns the requests that were held. */
void vcpu_stop(struct vcpu *vcpu);
uint64_t vcpu_resume(struct vcpu *vcpu);
/* SIPI: real mode at vector << 12, runnable. Ignored unless it waits for one. */
void vcpu_sipi(struct vcpu *vcpu, uint8_t vector);

#endif
