/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network adapters of VMs as candela.cfg names them: made, connected to their switches, put
 * on the bus.
 */
#ifndef VMBUS_NICS_H
#define VMBUS_NICS_H

#include "vmm/lib/out.h"
#include "vmm/lib/types.h"

struct vm;
struct vmbus;

/*
 * All of vm's, before it starts; bus may be NULL when it has none. alloc: n zeroed pages, for good.
 * now_ns: the host's clock. -ENOMEM, or what vmbus_channel_add() says.
 */
__must_check int nics_attach(struct vm *vm, struct vmbus *bus,
        void *(*alloc)(uint64_t n_pages, uint64_t align), uint64_t (*now_ns)(void));
/* Pull the cable of an adapter or put it back; false = it has no such one. Any CPU. */
bool nics_set_link(struct vm *vm, unsigned nic, bool up);

/* For the monitor: keep the last frames of its adapters, and those of no other VM, or stop; false
 * = it has none. */
bool nics_capture(struct vm *vm, bool on);
/* As net_capture_print(), of frames of this VM. */
bool nics_captured(struct vm *vm, struct out *out, uint64_t *next);

#endif
