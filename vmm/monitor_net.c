// SPDX-License-Identifier: BSD-2-Clause
// net: the switches, who is connected to them, and cables to pull.
// Specs: docs/monitor.md.
#include "vmm/lib/string.h"
#include "vmm/monitor_commands.h"
#include "vmm/vm.h"

static enum monitor_result run(struct out *out, unsigned argc, char *const argv[])
{
	const struct monitor_ops *ops = monitor_outside();
	struct vm *vm;
	uint64_t n;
	bool up;

	if (argc == 1) {
		ops->net(out);
		return MONITOR_DONE;
	}
	if (strcmp(argv[1], "link") != 0 || argc != 5) {
		monitor_error(out, "it is 'net', or 'net link VM N up', or 'net link VM N down'");
		return MONITOR_DONE;
	}
	vm = monitor_find_vm(out, argv[2]);
	if (!vm || !monitor_number(out, argv[3], "N", &n)) {
		return MONITOR_DONE;
	}
	up = strcmp(argv[4], "up") == 0;
	if (!up && strcmp(argv[4], "down") != 0) {
		monitor_error(out, "a link is 'up' or 'down'");
	} else if (n >= MAX_NICS || !ops->net_link(vm, (unsigned)n, up)) {
		monitor_error(out, "%s has no network adapter %llu with a cable", vm->config->name,
		        (unsigned long long)n);
	}
	return MONITOR_DONE;
}

static const char *const words[] = {"link", NULL};

const struct monitor_command monitor_cmd_net = {
        .name = "net",
        .args = "[link VM N up|down]",
        .summary = "switches, the adapters at them and their counters",
        .help = "N: the adapter's number, as the list has it behind the VM's name. 'link' pulls "
                "its "
                "cable or\nputs it back; the guest is told.\n",
        .max_args = 4,
        .complete = {MONITOR_ARG_WORDS, MONITOR_ARG_VM},
        .words = words,
        .run = run,
};
