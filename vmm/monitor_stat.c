// SPDX-License-Identifier: BSD-2-Clause
// stat: what VMs exit for, how often, and where their time goes.
// Specs: docs/monitor.md.
#include "vmm/hw/clock.h"
#include "vmm/hw/pcpu.h"
#include "vmm/lib/string.h"
#include "vmm/monitor_commands.h"
#include "vmm/monitor_sample.h"
#include "vmm/vm.h"

#define FOLLOW_NS NS_PER_SEC

/* The command that is going on; the monitor runs one at a time. */
static struct {
	const struct vm *vm;  /* NULL = all */
	struct sample before; /* while following */
	struct sample now;
} job;

static unsigned long long llu(uint64_t v)
{
	return v;
}

/* Where the vCPUs' time went: so much of it for each. */
static void print_time(struct out *out, const char *key, const struct vm *vm,
        const struct sample_vm *s, uint64_t ns, uint64_t ticks)
{
	uint64_t all = ticks * vm->n_vcpus;

	out_print(out, "%s: guest %s%%, host %s%%, halted %s%%, waiting %s%%\n", key,
	        sample_percent(s->guest, all).text, sample_percent(s->host, all).text,
	        sample_percent(s->halted, all).text,
	        sample_percent(s->wait_ns, ns * vm->n_vcpus).text);
}

/* Kinds of exit, the most frequent first. */
static void sort_kinds(unsigned order[STATS_KINDS], const struct sample_vm *by)
{
	for (unsigned i = 0; i < EXIT_KIND_COUNT; i++) {
		unsigned at = i;

		while (at > 0 && by->counts[order[at - 1]] < by->counts[i]) {
			order[at] = order[at - 1];
			at--;
		}
		order[at] = i;
	}
}

/*
 * total: what count, share and ticks are of; recent: what was new in 'ns'.
 */
static void print_exits(
        struct out *out, const struct sample_vm *total, const struct sample_vm *recent, uint64_t ns)
{
	unsigned order[STATS_KINDS];

	sort_kinds(order, total);
	out_print(out, "%-14s %12s %10s %6s %14s %10s\n", "exit", "count", "per s", "share%",
	        "ticks", "each");
	for (unsigned i = 0; i < EXIT_KIND_COUNT && total->counts[order[i]]; i++) {
		unsigned k = order[i];

		out_print(out, "%-14s %12llu %10llu %6s %14llu %10llu\n", exit_kind_names[k],
		        llu(total->counts[k]), llu(sample_per_second(recent->counts[k], ns)),
		        sample_percent(total->counts[k], total->exits).text, llu(total->ticks[k]),
		        llu(total->ticks[k] / total->counts[k]));
	}
	out_print(out, "%-14s %12llu %10llu %6s %14llu %10llu\n", "all", llu(total->exits),
	        llu(sample_per_second(recent->exits, ns)),
	        sample_percent(total->exits, total->exits).text, llu(total->host),
	        llu(total->exits ? total->host / total->exits : 0));
}

static void print_vms_header(struct out *out)
{
	out_print(out, "%-16s %12s %10s %7s %7s %7s %7s %10s\n", "name", "exits", "per s", "guest%",
	        "host%", "halted%", "waits%", "ticks/exit");
}

static void print_vm_line(struct out *out, const struct vm *vm, const struct sample_vm *total,
        const struct sample_vm *recent, uint64_t ns, uint64_t ticks)
{
	uint64_t all = ticks * vm->n_vcpus;

	out_print(out, "%-16s %12llu %10llu %7s %7s %7s %7s %10llu\n", vm->config->name,
	        llu(total->exits), llu(sample_per_second(recent->exits, ns)),
	        sample_percent(recent->guest, all).text, sample_percent(recent->host, all).text,
	        sample_percent(recent->halted, all).text,
	        sample_percent(recent->wait_ns, ns * vm->n_vcpus).text,
	        llu(recent->exits ? recent->host / recent->exits : 0));
}

/* Since the host started, so that the difference of two looks says what ran and what slept. */
static void print_machine(struct out *out)
{
	uint64_t idle_ns = 0;

	for (unsigned i = 0; i < pcpu_count(); i++) {
		idle_ns += job.now.idle_ns[i];
	}
	out_print(out, "machine: %llu ticks, CPUs idle %llu\n", llu(job.now.tsc),
	        llu(clock_ns_to_tsc(idle_ns) - clock_ns_to_tsc(0)));
}

/* One VM since it was made, or, following, since the last time. */
static void print_one(struct out *out, const struct sample *base, bool following)
{
	const struct vm *vm = job.vm;
	const struct sample_vm *now = &job.now.vms[vm->index];
	uint64_t ns = job.now.ns - base->ns, ticks = job.now.tsc - base->tsc;
	struct sample_vm recent;

	sample_vm_less(now, &base->vms[vm->index], &recent);
	if (following) {
		out_print(out, "vm: %s\n", vm->config->name);
		print_time(out, "time", vm, &recent, ns, ticks);
		print_exits(out, &recent, &recent, ns);
		return;
	}
	out_print(out, "vm: %s\n", vm->config->name);
	print_time(out, "time now", vm, &recent, ns, ticks);
	out_print(out, "ticks: guest %llu, host %llu, halted %llu\n", llu(now->guest),
	        llu(now->host), llu(now->halted));
	print_machine(out);
	print_exits(out, now, &recent, ns);
}

static void print_all(struct out *out, const struct sample *base, bool following)
{
	uint64_t ns = job.now.ns - base->ns, ticks = job.now.tsc - base->tsc;

	print_vms_header(out);
	for (unsigned i = 0; i < n_vms; i++) {
		struct sample_vm recent;

		sample_vm_less(&job.now.vms[i], &base->vms[i], &recent);
		print_vm_line(
		        out, vms[i], following ? &recent : &job.now.vms[i], &recent, ns, ticks);
	}
}

static void print(struct out *out, const struct sample *base, bool following)
{
	if (job.vm) {
		print_one(out, base, following);
	} else {
		print_all(out, base, following);
	}
}

static bool once(struct out *out)
{
	const struct sample *base = sample_base();

	if (!base) {
		return false;
	}
	sample_take(&job.now);
	print(out, base, false);
	return true;
}

static bool follow(struct out *out)
{
	sample_take(&job.now);
	print(out, &job.before, true);
	job.before = job.now;
	return false;
}

static enum monitor_result run(struct out *out, unsigned argc, char *const argv[])
{
	bool following = false;

	job.vm = NULL;
	for (unsigned i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-f") == 0) {
			following = true;
		} else if (job.vm) {
			monitor_error(out, "usage: stat [-f] [VM]");
			return MONITOR_DONE;
		} else {
			job.vm = monitor_find_vm(out, argv[i]);
			if (!job.vm) {
				return MONITOR_DONE;
			}
		}
	}
	if (following) {
		sample_take(&job.before);
		monitor_repeat(follow, FOLLOW_NS, true);
		return MONITOR_PENDING;
	}
	if (once(out)) {
		return MONITOR_DONE;
	}
	monitor_repeat(once, SAMPLE_MIN_NS / 10, false);
	return MONITOR_PENDING;
}

const struct monitor_command monitor_cmd_stat = {
        .name = "stat",
        .args = "[-f] [VM]",
        .summary = "exits of a VM by reason and where its time goes, or a line for each VM",
        .help = "count, share and ticks are since the VM was made; per s, and the times in percent "
                "of its\nvCPUs' time, are of the last second. ticks: of the host's time-stamp "
                "counter, from the exit to\nthe next entry. waiting: ready, but another vCPU had "
                "the CPU. The rest is paused or off.\n-f: what changed, each second, until a key "
                "is pressed.\n",
        .max_args = 2,
        .complete = {MONITOR_ARG_VM, MONITOR_ARG_VM},
        .run = run,
};
