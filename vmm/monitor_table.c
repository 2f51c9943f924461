// SPDX-License-Identifier: BSD-2-Clause
// The monitor's commands, in the order in which help lists them.
// Specs: docs/monitor.md.
#include "vmm/monitor_commands.h"

const struct monitor_command *const monitor_commands[] = {
        &monitor_cmd_help,
        &monitor_cmd_vm,
        &monitor_cmd_console,
        &monitor_cmd_type,
        &monitor_cmd_key,
        &monitor_cmd_stat,
        &monitor_cmd_vcpu,
        &monitor_cmd_irq,
        &monitor_cmd_dev,
        &monitor_cmd_disk,
        &monitor_cmd_vmbus,
        &monitor_cmd_trace,
        &monitor_cmd_mem,
        &monitor_cmd_net,
        &monitor_cmd_host,
        &monitor_cmd_log,
        &monitor_cmd_reboot,
        &monitor_cmd_poweroff,
        NULL,
};
