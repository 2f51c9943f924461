/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Carry out the instruction that touched device memory: fetch, decode, read and write through the
 * MMIO bus, the registers and flags as hardware would.
 */
#ifndef VMM_MMIO_EMUL_H
#define VMM_MMIO_EMUL_H

#include "vmm/vcpu.h"

/*
 * exit->mem names the address. ACT_RESUME with RIP moved by the amount the instruction took (REP
 * may resume), ACT_FAULT, or ACT_KILL for an instruction the decoder refuses (with its bytes in the
 * log).
 */
enum exit_action mmio_emulate(struct vcpu *vcpu, const struct vcpu_exit *exit);

/* Port I/O exits, string forms included. */
enum exit_action pio_handle_exit(struct vcpu *vcpu, const struct vcpu_exit *exit);

#endif
