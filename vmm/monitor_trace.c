// SPDX-License-Identifier: BSD-2-Clause
// The monitor's command trace: switch on and off, choose kinds of exits, show.
// Specs: docs/monitor.md.
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"
#include "vmm/monitor_commands.h"
#include "vmm/pv.h"
#include "vmm/trace.h"
#include "vmm/vm.h"

#define SHOW_DEFAULT 20U
#define SHOW_MAX TRACE_ENTRIES
#define LINES_AT_ONCE 64U
#define BATCH_NS 5000000ULL

/* Kinds that one word stands for; the others go by their name, with '-' for a blank. */
static const struct {
	const char *name;
	uint32_t kinds;
} groups[] = {
        {"all", TRACE_ALL},
        {"apic", BIT(EXIT_APIC_WRITE) | BIT(EXIT_EOI) | BIT(EXIT_TPR_BELOW)},
        {"host", BIT(EXIT_NONE)},
        {"mem", BIT(EXIT_MEM)},
        {"msr", BIT(EXIT_RDMSR) | BIT(EXIT_WRMSR)},
        {"reg", BIT(EXIT_CR) | BIT(EXIT_DR) | BIT(EXIT_XSETBV)},
};

static bool is_kind(const char *word, size_t len, const char *name)
{
	if (strlen(name) != len) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (word[i] != (name[i] == ' ' ? '-' : name[i])) {
			return false;
		}
	}
	return true;
}

/* 0 = there is no such kind. */
static uint32_t kinds_of(const char *word, size_t len)
{
	for (unsigned i = 0; i < ARRAY_SIZE(groups); i++) {
		if (is_kind(word, len, groups[i].name)) {
			return groups[i].kinds;
		}
	}
	for (unsigned kind = 0; kind < EXIT_KIND_COUNT; kind++) {
		if (is_kind(word, len, exit_kind_names[kind])) {
			return BIT(kind);
		}
	}
	return 0;
}

/* "io,msr"; false after an error. */
static bool parse_kinds(struct out *out, const char *text, uint32_t *kinds)
{
	*kinds = 0;
	for (;;) {
		size_t len = 0;
		uint32_t some;

		while (text[len] && text[len] != ',') {
			len++;
		}
		some = kinds_of(text, len);
		if (some == 0) {
			monitor_error(out,
			        "there is no kind of exit '%.*s' ('help trace' names them)",
			        (int)len, text);
			return false;
		}
		*kinds |= some;
		text += len;
		if (*text == '\0') {
			return true;
		}
		text++;
	}
}

static void print_kinds(struct out *out, uint32_t kinds)
{
	char line[OUT_LINE_MAX];
	size_t used = 0;

	if (kinds == TRACE_ALL) {
		out_print(out, "  kinds: all\n");
		return;
	}
	line[0] = '\0';
	for (unsigned kind = 0; kind < EXIT_KIND_COUNT && used < sizeof(line); kind++) {
		if (kinds & BIT(kind)) {
			used += fmt_print(
			        line + used, sizeof(line) - used, " %s", exit_kind_names[kind]);
		}
	}
	out_print(out, "  kinds:%s\n", line);
}

static void print_status(struct out *out, struct vm *vm)
{
	uint32_t kinds = trace_kinds(vm);
	uint64_t traced, lost;

	trace_counts(vm, &traced, &lost);
	out_print(out, "trace of %s: %s, %llu exits, %llu of them written over\n", vm->config->name,
	        kinds ? "on" : "off", (unsigned long long)traced, (unsigned long long)lost);
	if (kinds) {
		print_kinds(out, kinds);
	}
}

static void switch_on(struct out *out, struct vm *vm, unsigned argc, char *const argv[])
{
	uint32_t kinds = TRACE_ALL;

	if (argc > 3 && !parse_kinds(out, argv[3], &kinds)) {
		return;
	}
	if (trace_on(vm, kinds)) {
		monitor_error(out, "not enough memory: a trace takes %u KiB a vCPU",
		        (unsigned)(sizeof(struct trace) >> 10));
		return;
	}
	print_status(out, vm);
}

/* An answer in pieces, as the monitor has room: monitor_repeat(). */
static struct trace_walk walk;

static bool show_some(struct out *out)
{
	for (unsigned n = 0; n < LINES_AT_ONCE; n++) {
		char line[TRACE_LINE];
		struct trace_entry entry;
		unsigned vcpu;

		if (!trace_walk_next(&walk, &entry, &vcpu)) {
			if (walk.skipped) {
				out_print(out, "(%llu more changed while they were read)\n",
				        (unsigned long long)walk.skipped);
			}
			return true;
		}
		trace_text(line, &entry, vcpu);
		out_print(out, "%s\n", line);
	}
	return false;
}

static enum monitor_result show(struct out *out, struct vm *vm, unsigned argc, char *const argv[])
{
	uint64_t n = SHOW_DEFAULT;

	if (argc > 3 && !monitor_number(out, argv[3], "N", &n)) {
		return MONITOR_DONE;
	}
	if (n == 0 || n > SHOW_MAX) {
		monitor_error(out, "N is 1 to %u", SHOW_MAX);
		return MONITOR_DONE;
	}
	print_status(out, vm);
	out_print(out,
	        "     seconds vCPU kind       what                                 where, ticks\n");
	trace_walk_start(&walk, vm, n);
	if (show_some(out)) {
		return MONITOR_DONE;
	}
	monitor_repeat(show_some, BATCH_NS, true);
	return MONITOR_PENDING;
}

/* The conversation with the VMBus: it goes to the log. */
static void switch_vmbus(struct out *out, struct vm *vm, const char *how)
{
	bool on = how && strcmp(how, "on") == 0;

	if (!on && !(how && strcmp(how, "off") == 0)) {
		monitor_error(out, "what follows 'vmbus' is 'on' or 'off'");
	} else if (!vm->bus_ops) {
		monitor_error(out, "%s has no VMBus", vm->config->name);
	} else {
		vm->bus_ops->trace(vm, on);
		out_print(out, "VMBus messages of %s: %s\n", vm->config->name,
		        on ? "in the log" : "off");
	}
}

static enum monitor_result trace_run_command(struct out *out, unsigned argc, char *const argv[])
{
	struct vm *vm = monitor_find_vm(out, argv[1]);

	if (!vm) {
		return MONITOR_DONE;
	}
	if (argc == 2) {
		print_status(out, vm);
	} else if (strcmp(argv[2], "show") == 0) {
		return show(out, vm, argc, argv);
	} else if (strcmp(argv[2], "vmbus") == 0) {
		switch_vmbus(out, vm, argv[3]);
	} else if (strcmp(argv[2], "on") == 0) {
		switch_on(out, vm, argc, argv);
	} else if (strcmp(argv[2], "off") == 0 && argc == 3) {
		trace_off(vm);
		print_status(out, vm);
	} else {
		monitor_error(out,
		        "what follows the VM is 'on [KINDS]', 'off', 'show [N]' or 'vmbus on'");
	}
	return MONITOR_DONE;
}

static const char *const words[] = {"on", "off", "show", "vmbus", NULL};

const struct monitor_command monitor_cmd_trace = {
        .name = "trace",
        .args = "VM [on [KINDS] | off | show [N] | vmbus on | vmbus off]",
        .summary = "record every exit of a VM, and show the last ones",
        .help = "on: from now on each vCPU keeps its last 4096 exits; it slows the VM down. KINDS\n"
                "chooses, for example io,msr: cpuid io mem rdmsr wrmsr msr cr dr xsetbv reg hlt\n"
                "pause mwait exception hypercall undefined privileged cache task-switch\n"
                "triple-fault apic signal host all. off: what was recorded stays.\n"
                "show: the last N (20), of all vCPUs, the newest last: time, vCPU, kind, what, "
                "RIP,\n"
                "ticks in the guest before it, in the hypervisor after it, and away from the\n"
                "processor (asleep, or another's turn).\n"
                "vmbus on, vmbus off: each message between the guest and its VMBus in the log, <- "
                "from\n"
                "the guest, as many as the log takes from a VM.\n",
        .min_args = 1,
        .max_args = 3,
        .complete = {MONITOR_ARG_VM, MONITOR_ARG_WORDS},
        .words = words,
        .run = trace_run_command,
};
