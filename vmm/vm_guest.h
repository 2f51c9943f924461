/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the operator can ask of software inside a guest, and a keyboard for it. vmbus/ implements it
 * by Hyper-V's integration services; a VM without them has vm->guest_ops NULL.
 *
 * Context: any CPU, no lock held, in every state of the VM.
 */
#ifndef VMM_VM_GUEST_H
#define VMM_VM_GUEST_H

#include "vmm/lib/out.h"
#include "vmm/lib/types.h"

struct vm;

enum vm_guest_order {
	VM_GUEST_SHUT_DOWN = 1,
	VM_GUEST_FREEZE,  /* its file systems, for a snapshot */
	VM_GUEST_THAW,    /* let them go on */
	VM_GUEST_REFRESH, /* what it says of itself: info() */
};

enum vm_heartbeat {
	VM_HEARTBEAT_NONE, /* nobody there to have one */
	VM_HEARTBEAT_OK,
	VM_HEARTBEAT_LOST,
};

/* A key goes down or up: its code of scan code set 1, extended: behind the 0xe0 prefix. */
struct vm_key {
	uint8_t code;
	bool extended;
	bool down;
};

struct vm_guest_ops {
	/* 0 = the guest will be asked; -ENOTCONN = nobody there does such a thing. */
	int (*ask)(struct vm *vm, enum vm_guest_order order);
	/* What came of the last ask(): 0 = it is done or being done, -EAGAIN = no answer yet, -EIO
	 * = the guest refuses, -ENOTCONN = who was asked is gone. */
	int (*answer)(struct vm *vm, enum vm_guest_order order);
	enum vm_heartbeat (*heartbeat)(struct vm *vm);
	/* What the guest says of itself, "key: value" lines. Nothing that it could play with: what
	 * is not printable ASCII is escaped, and no line is long. */
	void (*info)(struct vm *vm, struct out *out);
	/* 0; -EAGAIN = no room now; -ENOTCONN = the guest has not taken this keyboard. */
	int (*key)(struct vm *vm, const struct vm_key *key);
	/* The VM goes on after a pause; its clock has moved. Home CPU. */
	void (*resumed)(struct vm *vm);
};

#endif
