/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors of a task switch: reading them, and the new task's segment registers.
 * Specs: [SDM3] "Task Switching", table "Exception Conditions Checked During a Task Switch".
 */
#ifndef VMM_TASK_SEG_H
#define VMM_TASK_SEG_H

#include "vmm/tss.h"
#include "vmm/vcpu.h"

/*
 * Functions that can fail return what the exit's handler returns: ACT_RESUME = go on, else the
 * fault is queued (or the VM has had it), and the switch ends here.
 */
struct task {
	struct vcpu *vcpu;
	enum task_source source;
	uint32_t ext; /* 1 in error codes: the switch delivers what is external to the program */
};

enum exit_action task_fault(struct task *t, enum x86_exception vector, uint16_t selector);
/* Linear memory as the processor itself accesses it; #PF. */
enum exit_action task_read(struct task *t, uint64_t va, void *buf, size_t len);
enum exit_action task_write(struct task *t, uint64_t va, const void *buf, size_t len);

/* A descriptor from memory: out in the form of a segment register, va = where it lies. */
struct descriptor {
	struct segment seg;
	uint64_t va;
};

/* The table has no such entry: fault with the selector's error code. */
enum exit_action task_descriptor(
        struct task *t, uint16_t selector, enum x86_exception vector, struct descriptor *out);

/* The selectors alone, before any descriptor is looked at: no segment can be used. */
void task_selectors(
        struct task *t, const uint16_t seg[SEG_GS + 1], uint16_t ldt, bool v86, bool code32);
/* The descriptors of what task_selectors() put there, one after the other until a fault. */
enum exit_action task_segments(struct task *t, bool v86);

#endif
