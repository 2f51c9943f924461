// SPDX-License-Identifier: BSD-2-Clause
// The monitor's command vmbus: the channels of a VM and their devices.
// Specs: docs/monitor.md.
#include "vmm/monitor_commands.h"
#include "vmm/pv.h"
#include "vmm/vm.h"

static enum monitor_result run(struct out *out, unsigned argc, char *const argv[])
{
	struct vm *vm = monitor_find_vm(out, argv[1]);

	(void)argc;
	if (!vm) {
		return MONITOR_DONE;
	}
	if (vm->bus_ops) {
		vm->bus_ops->dump(vm, out);
	} else {
		monitor_error(out, "%s has no VMBus", argv[1]);
	}
	return MONITOR_DONE;
}

const struct monitor_command monitor_cmd_vmbus = {
        .name = "vmbus",
        .args = "VM",
        .summary = "devices on a VM's VMBus, their channels and rings",
        .help = "The version that the guest has agreed to, and of each channel: its number, name "
                "as\n"
                "lsvmbus has it (the sub-channel in brackets), state, both rings and their "
                "counters\n"
                "since the VM was made, and its device. in: from the guest; 'drains' are looks at\n"
                "a ring whose signals are masked.\n",
        .min_args = 1,
        .max_args = 1,
        .complete = {MONITOR_ARG_VM},
        .run = run,
};
