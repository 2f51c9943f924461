// SPDX-License-Identifier: BSD-2-Clause
// net: the switches, who is connected to them, cables to pull, and frames that are kept.
// Specs: docs/monitor.md.
#include "vmm/lib/string.h"
#include "vmm/monitor_commands.h"
#include "vmm/vm.h"

#define FRAMES_MAX 128U /* of one answer */
#define FRAMES_AT_ONCE 4U
#define BATCH_NS 5000000ULL

static void link(struct out *out, struct vm *vm, char *const argv[])
{
	uint64_t n;
	bool up = strcmp(argv[4], "up") == 0;

	if (!monitor_number(out, argv[3], "N", &n)) {
		return;
	}
	if (!up && strcmp(argv[4], "down") != 0) {
		monitor_error(out, "a link is 'up' or 'down'");
	} else if (n >= MAX_NICS || !monitor_outside()->net_link(vm, (unsigned)n, up)) {
		monitor_error(out, "%s has no network adapter %llu with a cable", vm->config->name,
		        (unsigned long long)n);
	}
}

/* The frames of an answer, some at a time. */
static struct {
	struct vm *vm;
	uint64_t next;
	unsigned n;
} shown;

static bool show_some(struct out *out)
{
	for (unsigned i = 0; i < FRAMES_AT_ONCE; i++) {
		if (shown.n == FRAMES_MAX ||
		        !monitor_outside()->net_captured(shown.vm, out, &shown.next)) {
			return true;
		}
		shown.n++;
	}
	return false;
}

static enum monitor_result show(struct out *out, struct vm *vm)
{
	shown.vm = vm;
	shown.next = 0;
	shown.n = 0;
	if (!show_some(out)) {
		monitor_repeat(show_some, BATCH_NS, true);
		return MONITOR_PENDING;
	}
	if (shown.n == 0) {
		out_print(out, "no frames of %s are kept\n", vm->config->name);
	}
	return MONITOR_DONE;
}

static void capture(struct out *out, struct vm *vm, const char *how)
{
	bool on = strcmp(how, "on") == 0;

	if (!on && strcmp(how, "off") != 0) {
		monitor_error(out, "a capture is 'on' or 'off'");
	} else if (!monitor_outside()->net_capture(vm, on)) {
		monitor_error(out, "%s has no network adapter", vm->config->name);
	}
}

static enum monitor_result run(struct out *out, unsigned argc, char *const argv[])
{
	bool is_link = argc == 5 && strcmp(argv[1], "link") == 0;
	bool is_capture = (argc == 3 || argc == 4) && strcmp(argv[1], "capture") == 0;
	struct vm *vm;

	if (argc == 1) {
		monitor_outside()->net(out);
		return MONITOR_DONE;
	}
	if (!is_link && !is_capture) {
		monitor_error(out, "it is 'net', 'net link VM N up|down', or 'net capture VM "
		                   "[on|off]'");
		return MONITOR_DONE;
	}
	vm = monitor_find_vm(out, argv[2]);
	if (!vm) {
		return MONITOR_DONE;
	}
	if (is_capture && argc == 3) {
		return show(out, vm);
	}
	if (is_capture) {
		capture(out, vm, argv[3]);
	} else {
		link(out, vm, argv);
	}
	return MONITOR_DONE;
}

static const char *const words[] = {"link", "capture", NULL};

const struct monitor_command monitor_cmd_net = {
        .name = "net",
        .args = "[link VM N up|down | capture VM [on|off]]",
        .summary = "switches, the adapters at them, their counters and their frames",
        .help = "link: pulls the cable of adapter N or puts it back; the guest is told. N: as the\n"
                "list has it behind the VM's name. capture on: from now on the last 128 frames of\n"
                "the VM's adapters are kept, 256 bytes of each, until off, or on for another VM.\n"
                "Without a word it shows them, as text2pcap reads them; a key ends that.\n",
        .max_args = 4,
        .complete = {MONITOR_ARG_WORDS, MONITOR_ARG_VM},
        .words = words,
        .run = run,
};
