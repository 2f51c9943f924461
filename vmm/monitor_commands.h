/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's commands, one object each, defined in the file that carries it out. */
#ifndef VMM_MONITOR_COMMANDS_H
#define VMM_MONITOR_COMMANDS_H

#include "vmm/monitor.h"

extern const struct monitor_command monitor_cmd_help;    /* vmm/monitor_help.c */
extern const struct monitor_command monitor_cmd_vm;      /* vmm/monitor_vm.c */
extern const struct monitor_command monitor_cmd_console; /* vmm/monitor_console.c */
extern const struct monitor_command monitor_cmd_type;    /* vmm/monitor_key.c */
extern const struct monitor_command monitor_cmd_key;     /* vmm/monitor_key.c */
extern const struct monitor_command monitor_cmd_stat;    /* vmm/monitor_stat.c */
extern const struct monitor_command monitor_cmd_dev;     /* vmm/monitor_debug.c */
extern const struct monitor_command monitor_cmd_disk;    /* vmm/monitor_disk.c */
extern const struct monitor_command monitor_cmd_irq;     /* vmm/monitor_debug.c */
extern const struct monitor_command monitor_cmd_vcpu;    /* vmm/monitor_debug.c */
extern const struct monitor_command monitor_cmd_vmbus;   /* vmm/monitor_vmbus.c */
extern const struct monitor_command monitor_cmd_trace;   /* vmm/monitor_trace.c */
extern const struct monitor_command monitor_cmd_mem;     /* vmm/monitor_mem.c */
extern const struct monitor_command monitor_cmd_host;    /* vmm/monitor_host.c */
extern const struct monitor_command monitor_cmd_net;     /* vmm/monitor_net.c */
extern const struct monitor_command monitor_cmd_log;     /* vmm/monitor_log.c */
extern const struct monitor_command monitor_cmd_reboot,
        monitor_cmd_poweroff; /* vmm/monitor_power.c */

#endif
