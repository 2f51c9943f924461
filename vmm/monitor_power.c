// SPDX-License-Identifier: BSD-2-Clause
// reboot and poweroff: the whole machine, whatever runs on it.
// Specs: docs/monitor.md.
#include "vmm/hw/panic.h"
#include "vmm/monitor_commands.h"
#include "vmm/monitor_out.h"
#include "vmm/vm.h"

static void farewell(const char *what)
{
	/* In front of the log lines; what the console has no room for is lost. */
	(void)monitor_out_drain();
	for (unsigned i = 0; i < n_vms; i++) {
		if (vm_state(vms[i]) != VM_OFF) {
			log_info("vm %s: ends with the machine", vms[i]->config->name);
		}
	}
	log_info("monitor: %s", what);
}

static enum monitor_result run_reboot(struct out *out, unsigned argc, char *const argv[])
{
	(void)out;
	(void)argc;
	(void)argv;
	farewell("the machine is reset");
	machine_reset();
}

static enum monitor_result run_poweroff(struct out *out, unsigned argc, char *const argv[])
{
	(void)out;
	(void)argc;
	(void)argv;
	farewell("the machine is switched off");
	machine_poweroff();
}

const struct monitor_command monitor_cmd_reboot = {
        .name = "reboot",
        .args = "",
        .summary = "reset the machine; VMs that run are lost",
        .help = "At once and without asking the VMs: 'vm stop' does.\n",
        .run = run_reboot,
};

const struct monitor_command monitor_cmd_poweroff = {
        .name = "poweroff",
        .args = "",
        .summary = "switch the machine off; VMs that run are lost",
        .help = "At once and without asking the VMs: 'vm stop' does.\n",
        .run = run_poweroff,
};
