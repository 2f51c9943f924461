/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The common form of an emulated device (docs/adding-a-device.md walks through one).
 *
 * x_init(struct x *): power-on contents; cannot fail.
 * x_attach(struct x *, struct vm *, ...): registers ranges and lines; can fail, undoes itself.
 * x_reset(struct x *): the specification's power-on state.
 * x_quiesce(struct x *): timers cancelled, nothing in flight (only where there is something).
 * x_dump(const struct x *, struct out *): state by register name. The first line is the
 *   device in short, without its name; those that follow are indented. Takes no lock: any CPU
 *   may ask while the device works. Its row is in devices/platform_dump.c.
 *
 * A device embeds 'struct x_state' (plain, versioned, no pointers: what a snapshot would keep)
 * beside its wiring. Ports, addresses and interrupt lines are arguments: only
 * devices/platform.c knows them. A device whose state is touched from more than one context has a
 * spinlock; order: device lock, then the interrupt router's (docs/locking.md).
 */
#ifndef DEVICES_DEVICE_H
#define DEVICES_DEVICE_H

#include "vmm/io_bus.h"
#include "vmm/irq.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/out.h"
#include "vmm/lib/spinlock.h"
#include "vmm/lib/types.h"
#include "vmm/vm.h"
#include "vmm/vm_timer.h"

#endif
