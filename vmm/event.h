/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events that wait for a vCPU's next entry: an exception, an NMI, an interrupt - or one whose
 * delivery an exit broke off and that is delivered again.
 * Specs: [SDM3] "Interrupt and Exception Handling", "Information for VM Exits That Occur During
 * Event Delivery".
 */
#ifndef VMM_EVENT_H
#define VMM_EVENT_H

#include "vmm/lib/types.h"

struct vcpu;

enum event_type {
	EVENT_NONE,
	EVENT_EXCEPTION,           /* hardware exception */
	EVENT_SOFT_EXCEPTION,      /* INT3, INTO */
	EVENT_PRIV_SOFT_EXCEPTION, /* INT1 */
	EVENT_SOFT_INTERRUPT,      /* INT n */
	EVENT_EXTINT,              /* external interrupt */
	EVENT_NMI,
};

struct event {
	enum event_type type;
	uint8_t vector;
	uint8_t insn_len; /* soft events: bytes of the instruction that caused it */
	bool has_error;
	uint32_t error;
};

enum x86_exception {
	X86_DE = 0,
	X86_DB = 1,
	X86_NMI = 2,
	X86_BP = 3,
	X86_OF = 4,
	X86_BR = 5,
	X86_UD = 6,
	X86_NM = 7,
	X86_DF = 8,
	X86_TS = 10,
	X86_NP = 11,
	X86_SS = 12,
	X86_GP = 13,
	X86_PF = 14,
	X86_MF = 16,
	X86_AC = 17,
	X86_MC = 18,
	X86_XM = 19,
	X86_VE = 20,
	X86_CP = 21,
};

/*
 * Make an exception pending. With one already waiting, the SDM's table decides: benign ones replace
 * each other, contributory pairs become #DF, anything during #DF is a triple fault (returns false:
 * the vCPU shuts down).
 */
__must_check bool event_queue_exception(
        struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error);

/* An event whose delivery was broken off by an exit: delivered again unless the exit's own fault
 * takes precedence. */
void event_requeue(struct vcpu *vcpu, const struct event *event);

/* Nothing waits, nothing is asked of the back end: part of a vCPU's reset, after the back end's. */
void event_reset(struct vcpu *vcpu);

/*
 * Just before entry: hand the next event to the back end (pending event, NMI, ExtINT from
 * the PIC, local APIC), and ask for window exits for what has to wait. requests: vcpu->requests,
 * just read; VCPU_REQ_IRQ and VCPU_REQ_NMI are served and cleared.
 */
void event_prepare_entry(struct vcpu *vcpu, uint64_t requests);

/* Is there anything that wakes a halted vCPU? It is loaded. */
bool event_wakes(struct vcpu *vcpu);

/*
 * At an exit by HLT: does the local APIC's vector that the interrupt window was asked for wake it?
 * Quick: it waits since the entry and is not looked for again. false = event_wakes() knows.
 */
bool event_held_wakes(struct vcpu *vcpu);

#endif
