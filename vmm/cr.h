/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control and debug registers, XCR0 and EFER: what a write does, as hardware would.
 * Specs: [SDM3] "Control Registers", "Debug Registers", "XCR0"; [SDM2] "MOV - Move to/from Control
 * Registers".
 */
#ifndef VMM_CR_H
#define VMM_CR_H

#include "vmm/vcpu.h"

/* ACT_SKIP when done, ACT_FAULT when refused. */
enum exit_action cr_write(struct vcpu *vcpu, unsigned cr, uint64_t value);
uint64_t cr_read(struct vcpu *vcpu, unsigned cr);
enum exit_action cr_handle_exit(struct vcpu *vcpu, const struct vcpu_exit *exit);
enum exit_action dr_handle_exit(struct vcpu *vcpu, const struct vcpu_exit *exit);
/* Raise #DB with these bits of DR6: the registers change as at its delivery. */
enum exit_action dr_exception(struct vcpu *vcpu, uint64_t causes);
/* vcpu->io_breakpoints: an emulated access to ports; true = a breakpoint trap is pending. */
bool dr_io_access(struct vcpu *vcpu, uint16_t port, unsigned width);
enum exit_action xsetbv_handle_exit(struct vcpu *vcpu, const struct vcpu_exit *exit);
/* IA32_EFER; false = #GP. */
__must_check bool efer_write(struct vcpu *vcpu, uint64_t value);

#endif
