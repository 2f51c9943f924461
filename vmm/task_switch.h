/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hardware task switches: a processor with hardware virtualization leaves them to its host.
 * Specs: [SDM3] "Task Management", "Treatment of Task Switches".
 */
#ifndef VMM_TASK_SWITCH_H
#define VMM_TASK_SWITCH_H

#include "vmm/vcpu.h"

/*
 * The processor has checked privileges, but nothing else is taken for granted. What a gate of the
 * IDT was to deliver is in vcpu->pending, and is delivered by the switch. Bounded: two TSSs and
 * eight descriptors.
 */
enum exit_action task_switch_handle_exit(struct vcpu *vcpu, const struct vcpu_exit *exit);

#endif
