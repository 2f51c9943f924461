// SPDX-License-Identifier: BSD-2-Clause
// disk: a VM's disks, and taking one out or putting it in while the VM runs.
// Specs: docs/monitor.md.
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"
#include "vmm/monitor_commands.h"
#include "vmm/vm.h"
#include "vmm/vm_disk.h"

static const char *const words[] = {"list", "remove", "add", NULL};

static void plug(struct out *out, struct vm *vm, uint64_t number, bool in)
{
	const char *name = vm->config->name;
	int err = number > UINT32_MAX ? -ENOENT : vm->disk_ops->plug(vm, (uint32_t)number, in);

	if (err == -ENOENT) {
		monitor_error(out, "%s has no disk %llu", name, (unsigned long long)number);
	} else if (err == -EOPNOTSUPP) {
		monitor_error(out, "disk %llu of %s is on bus ide, where nothing is plugged",
		        (unsigned long long)number, name);
	} else if (err) {
		monitor_error(out, "disk %llu of %s is %s already", (unsigned long long)number,
		        name, in ? "there" : "removed");
	} else {
		out_print(out, "%s: disk %llu %s\n", name, (unsigned long long)number,
		        in ? "added" : "removed");
	}
}

static enum monitor_result run(struct out *out, unsigned argc, char *const argv[])
{
	struct vm *vm = monitor_find_vm(out, argv[1]);
	const char *word = argc > 2 ? argv[2] : "list";
	const bool add = strcmp(word, "add") == 0;
	uint64_t number;

	if (!vm) {
		return MONITOR_DONE;
	}
	if (strcmp(word, "list") == 0 && argc <= 3) {
		if (vm->disk_ops) {
			vm->disk_ops->list(vm, out);
		} else {
			out_print(out, "%s has no disks\n", vm->config->name);
		}
	} else if ((add || strcmp(word, "remove") == 0) && argc == 4) {
		if (!vm->disk_ops) {
			monitor_error(out, "%s has no disks", vm->config->name);
		} else if (monitor_number(out, argv[3], "disk", &number)) {
			plug(out, vm, number, add);
		}
	} else {
		monitor_error(out, "usage: disk VM [list | remove N | add N]");
	}
	return MONITOR_DONE;
}

const struct monitor_command monitor_cmd_disk = {
        .name = "disk",
        .args = "VM [list | remove N | add N]",
        .summary = "disks of a VM; take one out or put it in",
        .help = "list: number, state, size, what was done with it, serial number, contents.\n"
                "remove N: pull the disk; the guest is told and loses it.\n"
                "add N: put it in again, with its contents.\n",
        .min_args = 1,
        .max_args = 3,
        .complete = {MONITOR_ARG_VM, MONITOR_ARG_WORDS},
        .words = words,
        .run = run,
};
