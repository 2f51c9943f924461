// SPDX-License-Identifier: BSD-2-Clause
// vm: the VMs, their configuration, and their life.
// Specs: docs/monitor.md.
#include "vmm/lib/string.h"
#include "vmm/monitor_commands.h"
#include "vmm/vm.h"

static const char *const words[] = {"list", NULL};

static void list(struct out *out)
{
	out_print(out, "%-16s %-8s %5s %10s\n", "name", "state", "vcpus", "memory");
	for (unsigned i = 0; i < n_vms; i++) {
		const struct vm *vm = vms[i];

		out_print(out, "%-16s %-8s %5u %6llu MiB\n", vm->config->name,
		        vm_state_names[vm_state(vm)], vm->n_vcpus,
		        (unsigned long long)(vm->config->memory >> 20));
	}
}

static enum monitor_result run(struct out *out, unsigned argc, char *const argv[])
{
	(void)argc;
	if (strcmp(argv[1], "list") != 0) {
		monitor_error(out, "usage: vm list");
		return MONITOR_DONE;
	}
	list(out);
	return MONITOR_DONE;
}

const struct monitor_command monitor_cmd_vm = {
        .name = "vm",
        .args = "list",
        .summary = "the VMs",
        .min_args = 1,
        .max_args = 2,
        .complete = {MONITOR_ARG_WORDS, MONITOR_ARG_VM},
        .words = words,
        .run = run,
};
