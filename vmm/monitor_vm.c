// SPDX-License-Identifier: BSD-2-Clause
// vm: the VMs, their configuration, and their life.
// Specs: docs/monitor.md.
#include "vmm/hw/clock.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"
#include "vmm/lib/suggest.h"
#include "vmm/monitor_commands.h"
#include "vmm/monitor_guest.h"
#include "vmm/monitor_sample.h"
#include "vmm/vm.h"

/* How often to look whether a VM has done what it was asked, and for how long. */
#define WAIT_STEP_NS 10000000ULL
#define WAIT_NS (2 * NS_PER_SEC)

#define STATE(s) BIT(s)

static unsigned long long llu(uint64_t v)
{
	return v;
}

/* --- list and info --- */

struct uptime {
	char text[24];
};

/* Of this life, without pauses: the guest's own TSC, when nobody writes it. */
static struct uptime uptime(const struct vm *vm)
{
	enum vm_state state = vm_state(vm);
	uint64_t ticks, hz = clock_tsc_hz(), s;
	struct uptime u;

	if (state != VM_RUNNING && state != VM_PAUSED) {
		(void)str_copy(u.text, sizeof(u.text), "-");
		return u;
	}
	ticks = (state == VM_PAUSED ? vm->paused_tsc : clock_tsc()) + vm->tsc_offset;
	s = ticks / hz;
	fmt_print(u.text, sizeof(u.text), "%llu:%02llu:%02llu.%01llu", llu(s / 3600),
	        llu(s / 60 % 60), llu(s % 60), llu(ticks % hz * 10 / hz));
	return u;
}

static bool list(struct out *out)
{
	static struct sample now;
	const struct sample *base = sample_base();

	if (!base) {
		return false;
	}
	sample_take(&now);
	out_print(out, "%-16s %-8s %5s %10s %6s %12s %9s\n", "name", "state", "vcpus", "memory",
	        "cpu%", "uptime", "heartbeat");
	for (unsigned i = 0; i < n_vms; i++) {
		struct vm *vm = vms[i];
		struct sample_vm recent;

		sample_vm_less(&now.vms[i], &base->vms[i], &recent);
		out_print(out, "%-16s %-8s %5u %6llu MiB %6s %12s %9s\n", vm->config->name,
		        vm_state_names[vm_state(vm)], vm->n_vcpus, llu(vm->config->memory >> 20),
		        sample_percent(recent.guest + recent.host, now.tsc - base->tsc).text,
		        uptime(vm).text, monitor_heartbeat(vm));
	}
	return true;
}

static enum monitor_result do_list(struct out *out)
{
	if (list(out)) {
		return MONITOR_DONE;
	}
	monitor_repeat(list, SAMPLE_MIN_NS / 10, false);
	return MONITOR_PENDING;
}

static void print_cpus(struct out *out, const struct vm *vm)
{
	uint64_t mask = vm->config->cpu_mask;
	char text[4 * MAX_CPUS];
	size_t used = 0;

	if (mask == 0) {
		out_print(out, "cpu: any\n");
		return;
	}
	for (unsigned i = 0; i < MAX_CPUS && used < sizeof(text); i++) {
		if (mask & BIT64(i)) {
			used += fmt_print(
			        text + used, sizeof(text) - used, "%s%u", used ? "," : "", i);
		}
	}
	out_print(out, "cpu: %s\n", text);
}

static void info(struct out *out, struct vm *vm)
{
	const struct config_vm *c = vm->config;
	char state[128];

	vm_describe_state(vm, state, sizeof(state));
	out_print(out, "name: %s\nstate: %s\nuptime: %s\n", c->name, state, uptime(vm).text);
	out_print(out, "vcpus: %u\n", vm->n_vcpus);
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		static const char *const states[] = {
		        [VCPU_WAIT_SIPI] = "waits for SIPI",
		        [VCPU_RUNNABLE] = "runnable",
		        [VCPU_HALTED] = "halted",
		        [VCPU_STOPPED] = "stopped",
		};
		const struct vcpu *vcpu = vm->vcpus[i];
		uint32_t s = __atomic_load_n(&vcpu->state, __ATOMIC_RELAXED);

		out_print(out, "vcpu %u: %s, at CPU %u\n", i,
		        s < ARRAY_SIZE(states) ? states[s] : "?",
		        __atomic_load_n(&vcpu->cpu, __ATOMIC_RELAXED));
	}
	print_cpus(out, vm);
	out_print(out, "weight: %u\n", c->weight);
	out_print(out, "memory: %llu MiB\n", llu(c->memory >> 20));
	out_print(out, "kernel: %s\ninitrd: %s\n", c->kernel, c->initrd[0] ? c->initrd : "(none)");
	/* May be longer than out_print() takes. */
	out_print(out, "cmdline: ");
	out->write(out, c->cmdline, strlen(c->cmdline));
	out_print(out, "\nautostart: %s\n", c->manual ? "no" : "yes");
	out_print(out, "testdev: %s\n", c->testdev ? "on" : "off");
	out_print(out, "smbios: %s\n", c->smbios == SMBIOS_HYPERV ? "hyperv" : "candela");
	out_print(out, "heartbeat: %s\n", monitor_heartbeat(vm));
	if (vm->guest_ops) {
		vm->guest_ops->info(vm, out);
	}
}

/* --- life --- */

struct action {
	const char *name;
	enum vm_request request;
	uint32_t from; /* STATE() bits it makes sense in */
	uint32_t to;   /* states that are a success */
};

enum { START, KILL, PAUSE, RESUME, RESET, N_ACTIONS };

static const struct action actions[N_ACTIONS] = {
        [START] = {"start", VM_REQ_START, STATE(VM_OFF), STATE(VM_RUNNING) | STATE(VM_PAUSED)},
        [KILL] = {"kill", VM_REQ_KILL, STATE(VM_STARTING) | STATE(VM_RUNNING) | STATE(VM_PAUSED),
                STATE(VM_OFF)},
        [PAUSE] = {"pause", VM_REQ_PAUSE, STATE(VM_STARTING) | STATE(VM_RUNNING), STATE(VM_PAUSED)},
        [RESUME] = {"resume", VM_REQ_RESUME, STATE(VM_PAUSED), STATE(VM_RUNNING)},
        [RESET] = {"reset", VM_REQ_RESET, STATE(VM_RUNNING) | STATE(VM_PAUSED),
                STATE(VM_RUNNING) | STATE(VM_PAUSED)},
};

/* The command that is going on; the monitor runs one at a time. */
static struct {
	struct vm *vm;
	const struct action *action;
	uint64_t end_ns;
} job;

static bool wait(struct out *out)
{
	struct vm *vm = job.vm;
	uint32_t asked = __atomic_load_n(&vm->requests, __ATOMIC_SEQ_CST);
	enum vm_state state;
	char text[128];
	bool over;

	/* In this order: a request is in the first until it is in the second, and there until the
	 * state says it. */
	asked |= __atomic_load_n(&vm->serving, __ATOMIC_SEQ_CST);
	state = vm_state(vm);
	over = !(asked & BIT(job.action->request)) && state != VM_STARTING;
	if (!over && clock_now() < job.end_ns) {
		return false;
	}
	vm_describe_state(vm, text, sizeof(text));
	if (over && !(job.action->to & STATE(state))) {
		monitor_error(out, "%s is %s", vm->config->name, text);
	} else if (!over && state != VM_STARTING) {
		monitor_error(out, "%s is still %s after %llu s", vm->config->name, text,
		        llu(WAIT_NS / NS_PER_SEC));
	} else {
		/* A large memory takes its time to clear: starting is an answer, too. */
		out_print(out, "%s: %s\n", vm->config->name, text);
	}
	return true;
}

static enum monitor_result act(struct out *out, struct vm *vm, const struct action *action)
{
	char text[128];

	if (!(action->from & STATE(vm_state(vm)))) {
		vm_describe_state(vm, text, sizeof(text));
		monitor_error(out, "%s is %s", vm->config->name, text);
		return MONITOR_DONE;
	}
	job.vm = vm;
	job.action = action;
	job.end_ns = clock_now() + WAIT_NS;
	vm_request(vm, action->request, "by the operator");
	monitor_repeat(wait, WAIT_STEP_NS, false);
	return MONITOR_PENDING;
}

/* Software in the guest that can be asked, or else the button that a PC has. */
static enum monitor_result stop(struct out *out, struct vm *vm)
{
	char text[128];

	if (monitor_guest_ask(vm, VM_GUEST_SHUT_DOWN)) {
		return MONITOR_PENDING;
	}
	if (!vm_power_button(vm)) {
		vm_describe_state(vm, text, sizeof(text));
		monitor_error(out, "%s is %s", vm->config->name, text);
	} else if (vm_state(vm) == VM_PAUSED) {
		out_print(out, "%s: power button pressed; it is paused and hears of it later\n",
		        vm->config->name);
	} else {
		out_print(out, "%s: power button pressed\n", vm->config->name);
	}
	return MONITOR_DONE;
}

static enum monitor_result snapshot(struct out *out, struct vm *vm, enum vm_guest_order order)
{
	if (monitor_guest_ask(vm, order)) {
		return MONITOR_PENDING;
	}
	monitor_error(out, "nobody in %s freezes file systems (docs/monitor.md)", vm->config->name);
	return MONITOR_DONE;
}

static enum monitor_result do_info(struct out *out, struct vm *vm)
{
	if (monitor_guest_refresh(vm, info)) {
		return MONITOR_PENDING;
	}
	info(out, vm);
	return MONITOR_DONE;
}

/* --- the command --- */

static const char *const words[] = {"list", "start", "stop", "kill", "pause", "resume", "reset",
        "freeze", "thaw", "info", NULL};
#define N_WORDS (ARRAY_SIZE(words) - 1)

static void unknown_word(struct out *out, const char *word)
{
	int near = suggest(word, strlen(word), words, N_WORDS);

	if (near >= 0) {
		monitor_error(
		        out, "unknown command 'vm %s' (did you mean 'vm %s'?)", word, words[near]);
	} else {
		monitor_error(out, "unknown command 'vm %s' ('help vm' lists them)", word);
	}
}

static bool is_word(const char *word)
{
	for (unsigned i = 0; i < N_WORDS; i++) {
		if (strcmp(words[i], word) == 0) {
			return true;
		}
	}
	return false;
}

static enum monitor_result run(struct out *out, unsigned argc, char *const argv[])
{
	const char *word = argv[1];
	struct vm *vm;

	if (!is_word(word)) {
		unknown_word(out, word);
		return MONITOR_DONE;
	}
	if (strcmp(word, "list") == 0) {
		if (argc == 2) {
			return do_list(out);
		}
		monitor_error(out, "usage: vm list");
		return MONITOR_DONE;
	}
	if (argc != 3) {
		monitor_error(out, "usage: vm %s VM", word);
		return MONITOR_DONE;
	}
	vm = monitor_find_vm(out, argv[2]);
	if (!vm) {
		return MONITOR_DONE;
	}
	for (unsigned i = 0; i < N_ACTIONS; i++) {
		if (strcmp(actions[i].name, word) == 0) {
			return act(out, vm, &actions[i]);
		}
	}
	if (strcmp(word, "stop") == 0) {
		return stop(out, vm);
	}
	if (strcmp(word, "freeze") == 0) {
		return snapshot(out, vm, VM_GUEST_FREEZE);
	}
	if (strcmp(word, "thaw") == 0) {
		return snapshot(out, vm, VM_GUEST_THAW);
	}
	return do_info(out, vm);
}

const struct monitor_command monitor_cmd_vm = {
        .name = "vm",
        .args = "COMMAND [VM]",
        .summary = "list the VMs, or act on one",
        .help = "list: each VM on a line. cpu% is of one CPU, during the last second; uptime is "
                "without pauses.\n"
                "start VM: from power-on, with clean memory.\n"
                "stop VM: ask the guest to shut down: its integration services, or by the power "
                "button; it is up to the guest.\n"
                "kill VM: end it at once.\n"
                "pause VM, resume VM: stop its vCPUs and its clock, and let them go on.\n"
                "reset VM: as its reset button would.\n"
                "freeze VM, thaw VM: its file systems, for a snapshot.\n"
                "info VM: configuration and state, and what the guest says of itself.\n"
                "The answer comes when it is done, at the latest after 2 s; of freeze and thaw "
                "after 10 s.\n",
        .min_args = 1,
        .max_args = 2,
        .complete = {MONITOR_ARG_WORDS, MONITOR_ARG_VM},
        .words = words,
        .run = run,
};
