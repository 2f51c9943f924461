// SPDX-License-Identifier: BSD-2-Clause
/*
 * The statistics a VM leaves behind.
 */
#include "vmm/stats.h"

#include "vmm/hw/clock.h"
#include "vmm/vm.h"

_Static_assert(STATS_KINDS >= EXIT_KIND_COUNT, "a row for every kind of exit");

/* a / b in tenths of a percent, 0 for b = 0. */
static uint64_t permille(uint64_t a, uint64_t b)
{
	while (a > UINT64_MAX / 1000) {
		a >>= 1; /* a product of more than 64 bits; b is not smaller than a */
		b >>= 1;
	}
	return b ? a * 1000 / b : 0;
}

static uint64_t vcpu_exits(const struct vcpu *vcpu)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < EXIT_KIND_COUNT; i++) {
		count += vcpu->stats.exit_count[i];
	}
	return count;
}

uint64_t stats_exits(const struct vm *vm)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		count += vcpu_exits(vm->vcpus[i]);
	}
	return count;
}

static uint64_t look(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

uint64_t stats_guest_ticks(const struct vcpu *vcpu)
{
	const struct vcpu_stats *s = &vcpu->stats;
	uint64_t in_loop = look(&s->loop_ticks), since = look(&s->loop_since), host = 0;

	/* What the exit that is being decided takes is not counted yet. */
	if (since) {
		in_loop += look(&vcpu->exit_tsc) - since;
	}
	for (unsigned i = 0; i < EXIT_KIND_COUNT; i++) {
		host += look(&s->exit_ticks[i]);
	}
	/* While it is in the guest, its last exit is: another CPU may see that one alone. */
	return in_loop > host ? in_loop - host : 0;
}

static void log_vcpu(const struct vcpu *vcpu)
{
	const struct vcpu_stats *s = &vcpu->stats;
	uint64_t count = vcpu_exits(vcpu), ticks = 0, guest = stats_guest_ticks(vcpu);

	for (unsigned i = 0; i < EXIT_KIND_COUNT; i++) {
		ticks += s->exit_ticks[i];
	}
	log_info("vm %s vCPU %u: %llu exits; ticks: guest %llu, host %llu (%llu.%llu %%)",
	        vcpu->vm->config->name, vcpu->index, (unsigned long long)count,
	        (unsigned long long)guest, (unsigned long long)ticks,
	        (unsigned long long)permille(ticks, ticks + guest) / 10,
	        (unsigned long long)permille(ticks, ticks + guest) % 10);
	log_info("  asleep in HLT: %llu ticks; interrupts delivered by injection: %llu, "
	         "exceptions: %llu",
	        (unsigned long long)s->halted_ticks, (unsigned long long)s->injected_interrupts,
	        (unsigned long long)s->injected_exceptions);
	log_info("  ran %llu ms, waited for a CPU %llu ms; loaded %llu times, moved %llu times",
	        (unsigned long long)vcpu->sched.stats.run_ns / 1000000,
	        (unsigned long long)vcpu->sched.stats.wait_ns / 1000000,
	        (unsigned long long)vcpu->sched.stats.switches,
	        (unsigned long long)vcpu->sched.stats.migrations);
	log_info("  %-14s %12s %7s %14s %10s", "exit", "count", "share", "ticks", "each");
	for (unsigned i = 0; i < EXIT_KIND_COUNT; i++) {
		uint64_t n = s->exit_count[i];

		if (n) {
			log_info("  %-14s %12llu %5llu.%llu%% %14llu %10llu", exit_kind_names[i],
			        (unsigned long long)n, (unsigned long long)permille(n, count) / 10,
			        (unsigned long long)permille(n, count) % 10,
			        (unsigned long long)s->exit_ticks[i],
			        (unsigned long long)(s->exit_ticks[i] / n));
		}
	}
}

void stats_log(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		log_vcpu(vm->vcpus[i]);
	}
}
