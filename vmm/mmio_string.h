/* SPDX-License-Identifier: BSD-2-Clause */
/* String instructions on device memory: the part of mmio_emul.c that repeats. */
#ifndef VMM_MMIO_STRING_H
#define VMM_MMIO_STRING_H

#include "vmm/emul_mem.h"

/*
 * Carry out one instruction or a bounded batch of its iterations. ACT_RESUME: done and skipped, or
 * RIP unmoved with the rest still to do. ACT_FAULT in the middle leaves what is done done.
 */
enum exit_action mmio_string(struct emul *e, const struct vcpu_exit *exit, const struct insn *insn);

#endif
