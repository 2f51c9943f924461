/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU in words: state, registers by name, what waits for it, what it did last. */
#ifndef VMM_VCPU_DUMP_H
#define VMM_VCPU_DUMP_H

#include "vmm/lib/out.h"
#include "vmm/vcpu.h"

/* All of it but the back end's part. On the vCPU's CPU, where it is loaded. */
void vcpu_dump(struct vcpu *vcpu, struct out *out);
/* One line: state, place, the last exit. */
void vcpu_dump_short(struct vcpu *vcpu, struct out *out);
/* What else may enter the guest: pending event, NMIs, requests, windows, what blocks them. */
void vcpu_dump_events(struct vcpu *vcpu, struct out *out);
/* To the log, at level error: why and where it was killed, and all that is known. */
__attribute__((noinline, cold)) void vcpu_dump_killed(struct vcpu *vcpu);

#endif
