/* SPDX-License-Identifier: BSD-2-Clause */
/* For commands that ask software inside a guest. */
#ifndef VMM_MONITOR_GUEST_H
#define VMM_MONITOR_GUEST_H

#include "vmm/monitor.h"
#include "vmm/vm_guest.h"

/* Ask, and answer the command when the guest has answered, or has not for a while. false = nobody
 * there who could be asked; true = the command returns MONITOR_PENDING. */
__must_check bool monitor_guest_ask(struct vm *vm, enum vm_guest_order order);
/* Have the guest say anew who it is; 'then' writes the command's answer. false = as above. */
__must_check bool monitor_guest_refresh(
        struct vm *vm, void (*then)(struct out *out, struct vm *vm));
/* "ok", "lost" or "none". */
const char *monitor_heartbeat(struct vm *vm);

#endif
