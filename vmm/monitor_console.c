// SPDX-License-Identifier: BSD-2-Clause
// console: give the line to a VM.
// Specs: docs/monitor.md.
#include "vmm/lib/string.h"
#include "vmm/monitor_commands.h"
#include "vmm/vm.h"

static const char *const words[] = {"key", NULL};

static enum monitor_result run(struct out *out, unsigned argc, char *const argv[])
{
	struct vm *vm = monitor_find_vm(out, argv[1]);

	if (!vm) {
		return MONITOR_DONE;
	}
	if (argc > 2) {
		if (strcmp(argv[2], "key") != 0) {
			monitor_error(out, "after the VM's name only 'key' can follow");
			return MONITOR_DONE;
		}
		if (monitor_key() == 0) {
			monitor_error(out, "no key is set aside for the monitor");
			return MONITOR_DONE;
		}
		if (!monitor_type(vm, monitor_key())) {
			monitor_error(out, "the serial port of %s is full", vm->config->name);
			return MONITOR_DONE;
		}
	}
	monitor_leave(vm, argc == 2);
	return MONITOR_DONE;
}

const struct monitor_command monitor_cmd_console = {
        .name = "console",
        .args = "VM [key]",
        .summary = "show the recent output of a VM and give it the line",
        .help = "The last 16 KiB that the VM wrote are shown, then what it writes from now on; "
                "what is "
                "typed\ngoes to it. The monitor's key (Ctrl-] unless candela.cfg says otherwise) "
                "leads "
                "back here, and\nfrom here to the console that was left last, with what it wrote "
                "meanwhile.\nkey: send the VM the monitor's key itself first.\n",
        .min_args = 1,
        .max_args = 2,
        .complete = {MONITOR_ARG_VM, MONITOR_ARG_WORDS},
        .words = words,
        .run = run,
};
