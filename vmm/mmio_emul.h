/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carry out the instruction that touched device memory: fetch, decode, read and write through the
 * MMIO bus, the registers and flags as hardware would.
 */
#ifndef VMM_MMIO_EMUL_H
#define VMM_MMIO_EMUL_H

#include "vmm/vcpu.h"

/*
 * exit->mem names the address. ACT_RESUME with RIP moved by the amount the instruction took (a
 * repeated one may go on: RIP unmoved after a batch), or ACT_FAULT. An instruction that cannot be
 * carried out has its bytes logged; at CPL 3 it is #UD, for a kernel ACT_KILL.
 */
enum exit_action mmio_emulate(struct vcpu *vcpu, const struct vcpu_exit *exit);

/* Port I/O exits: ACT_SKIP when done, ACT_RESUME between batches of a REP, ACT_FAULT. */
enum exit_action pio_handle_exit(struct vcpu *vcpu, const struct vcpu_exit *exit);

#endif
