/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The synthetic interrupt controller of a vCPU: sixteen sources (SINTs), each with a message
 * slot, a queue behind it and 2048 event flags; and the ports through which guests reach the host.
 *
 * Context: posting and signalling from any CPU, no lock held that a device's callback may want; the
 * vCPU's lock is a leaf but for posting to the local APIC.
 * Specs: [TLFS] "Virtual Interrupts" ("Synthetic Interrupt Controller"), "Inter-Partition
 * Communication".
 */
#ifndef HYPERCALL_SYNIC_H
#define HYPERCALL_SYNIC_H

#include "hypercall/tlfs.h"
#include "vmm/lib/out.h"
#include "vmm/lib/spinlock.h"
#include "vmm/lib/types.h"

struct vcpu;
struct vm;

#define SYNIC_POOL 32U  /* messages that wait for their slots, for each vCPU */
#define SYNIC_QUEUE 16U /* of these at most for one source */
#define SYNIC_PORTS 32U /* ports a VM can have */

struct synic_sint {
	uint64_t msr;        /* [lock] */
	uint8_t first, last; /* [lock] of the queue, in synic->pool; valid if count */
	bool watching;       /* [lock] the local APIC tells us when its interrupt ends */
	uint8_t count;       /* [lock] */
};

struct synic {
	struct vcpu *vcpu;     /* (c) */
	uint8_t *message_page; /* (c) host-owned overlay: 16 slots */
	uint8_t *event_page;   /* (c) host-owned overlay: 16 x 2048 flags */
	struct spinlock lock;
	uint64_t scontrol, siefp, simp; /* [lock] MSRs */
	uint32_t timers_waiting;        /* [lock] bit n: timer n's expiry waits for its slot */
	uint32_t free;                  /* [lock] bit n: pool[n] is free */
	uint32_t queued;                /* [lock] bit n: sints[n].count is not 0 */
	bool refused;                   /* [lock] somebody waits for room in a queue */
	struct synic_sint sints[HV_SINT_COUNT];
	struct hv_message pool[SYNIC_POOL]; /* [lock] */
	uint8_t next[SYNIC_POOL];           /* [lock] the one behind it in its queue */
};

/* --- towards the guest --- */

/*
 * Queue a message for vCPU 'vp', source 'sint'. 0; -EAGAIN when its queue is full; -EINVAL for a
 * vCPU, a source or a size there is not. Delivered as soon as the guest's slot is free. After an
 * -EAGAIN the vCPU is asked to serve its bus (vmm/pv.h) when a message has gone.
 */
__must_check int synic_post_message(struct vm *vm, uint32_t vp, uint32_t sint, uint32_t type,
        uint64_t sender, const void *payload, uint32_t size);
/*
 * Set event flag 'flag' of source 'sint' and interrupt when it was clear. 0; -EINVAL; -ENXIO when
 * the guest has that source masked or its event page or controller off.
 */
__must_check int synic_signal_event(struct vm *vm, uint32_t vp, uint32_t sint, uint32_t flag);

/* Raise the source's interrupt and nothing else, for test kernels; not a masked one's. */
void synic_raise(struct vm *vm, uint32_t vp, uint32_t sint);

/* --- from the guest: ports, found by connection id --- */

/*
 * What a port's owner does with a message (copied, at most HV_MESSAGE_PAYLOAD bytes) or a flag.
 * Runs in the hypercall, on the caller's vCPU, no lock held. Its status is the call's:
 * HV_STATUS_INSUFFICIENT_BUFFERS makes guests try again later.
 */
struct synic_port_ops {
	enum hv_status (*message)(void *owner, uint32_t type, const void *payload, uint32_t size);
	enum hv_status (*event)(void *owner, uint32_t connection_id, uint16_t flag);
};

struct synic_port {
	uint32_t first_id, last_id;       /* connection ids it answers to */
	const struct synic_port_ops *ops; /* NULL members: HV_STATUS_INVALID_CONNECTION_ID */
	void *owner;
	bool used;
};

struct synic_ports {
	struct spinlock lock;
	uint32_t generation;                  /* [a] counts changes; written under the lock */
	struct synic_port ports[SYNIC_PORTS]; /* [lock] */
};

/* The port a vCPU's last event went to, good for one generation: a guest signals the same one most
 * of the time. */
struct synic_port_cache {
	uint32_t generation;
	struct synic_port port;
};

/* -EEXIST on overlap, -ENOSPC when full. */
__must_check int synic_port_add(struct vm *vm, uint32_t first_id, uint32_t last_id,
        const struct synic_port_ops *ops, void *owner);
void synic_port_remove(struct vm *vm, uint32_t first_id);
/* For the hypercalls. */
enum hv_status synic_port_message(
        struct vm *vm, uint32_t connection_id, uint32_t type, const void *payload, uint32_t size);
enum hv_status synic_port_event(struct vcpu *vcpu, uint32_t connection_id, uint16_t flag);

/* --- for the rest of hypercall/ --- */

void synic_init(struct synic *synic, struct vcpu *vcpu, uint8_t *message_page, uint8_t *event_page);
/* Power-on or INIT: [TLFS] has the values; what waits is dropped. */
void synic_reset(struct synic *synic);
bool synic_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool synic_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);
/* The guest ended 'vector', own CPU: look again at the slots of the sources that use it. */
void synic_eoi(struct synic *synic, uint8_t vector);
/* A timer of this vCPU expired in message mode; stimer_message() fills it when it is delivered. */
void synic_timer_expired(struct synic *synic, unsigned timer);
/* It is being set anew: an expiry that still waits is none any more. */
void synic_timer_forget(struct synic *synic, unsigned timer);
void synic_dump(const struct synic *synic, struct out *out);

#endif
