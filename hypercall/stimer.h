/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The synthetic timers of a vCPU: one-shot or periodic in reference time, expiring into an
 * interrupt (direct mode) or a message.
 * Specs: [TLFS] "Synthetic Timers".
 */
#ifndef HYPERCALL_STIMER_H
#define HYPERCALL_STIMER_H

#include "hypercall/tlfs.h"
#include "vmm/lib/out.h"
#include "vmm/lib/types.h"
#include "vmm/vcpu_timer.h"

struct vcpu;

struct stimer {
	struct vcpu *vcpu;       /* (c) */
	uint32_t index;          /* (c) 0..3 */
	uint64_t config;         /* (v) MSR */
	uint64_t count;          /* (v) MSR */
	uint64_t due;            /* (v) reference time of the next expiry; 0 = not armed */
	uint64_t expired_at;     /* (v) reference time the waiting message says */
	struct vcpu_timer timer; /* (v) */
};

void stimer_init(struct stimer *t, struct vcpu *vcpu, uint32_t index);
void stimer_reset(struct stimer *t);
bool stimer_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool stimer_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
/* The payload of a waiting expiry, now that its slot is free. */
void stimer_message(struct vcpu *vcpu, unsigned index, struct hv_timer_message *message);
/* The source its messages go to. */
uint32_t stimer_sint(const struct vcpu *vcpu, unsigned index);
/* The VM's clock moved (pause) or the vCPU runs on another CPU: arm anew. */
void stimer_rearm(struct vcpu *vcpu);
void stimer_dump(const struct stimer *t, struct out *out);

#endif
