// SPDX-License-Identifier: BSD-2-Clause
// Samples of the counters, and the arithmetic of rates.
// Specs: none (contract in monitor_sample.h).
#include "vmm/monitor_sample.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/pcpu.h"
#include "vmm/hw/timer.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"
#include "vmm/sched.h"
#include "vmm/vm.h"

static struct {
	struct sample samples[2];
	unsigned newest; /* index */
	unsigned n;      /* valid ones: 0, 1, 2 */
	bool initialised;
	struct timer timer;
} state; /* boot CPU only */

/* Another CPU counts on meanwhile. */
static uint64_t look(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static void add_vcpu(struct vcpu *vcpu, struct sample_vm *s)
{
	struct sched_stats sched;

	for (unsigned i = 0; i < EXIT_KIND_COUNT; i++) {
		uint64_t count = look(&vcpu->stats.exit_count[i]);
		uint64_t ticks = look(&vcpu->stats.exit_ticks[i]);

		s->counts[i] += count;
		s->ticks[i] += ticks;
		s->exits += count;
		s->host += ticks;
	}
	sched_get_stats(vcpu, &sched);
	s->wait_ns += sched.wait_ns;
	s->guest += stats_guest_ticks(vcpu);
	s->halted += look(&vcpu->stats.halted_ticks);
	/* A sleep is counted when it ends. */
	if (__atomic_load_n(&vcpu->state, __ATOMIC_RELAXED) == VCPU_HALTED) {
		uint64_t since = look(&vcpu->halted_tsc), now = clock_tsc();

		s->halted += now > since ? now - since : 0;
	}
}

void sample_vm(const struct vm *vm, struct sample_vm *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		add_vcpu(vm->vcpus[i], s);
	}
}

static uint64_t less(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

void sample_vm_less(
        const struct sample_vm *now, const struct sample_vm *before, struct sample_vm *difference)
{
	for (unsigned i = 0; i < STATS_KINDS; i++) {
		difference->counts[i] = less(now->counts[i], before->counts[i]);
		difference->ticks[i] = less(now->ticks[i], before->ticks[i]);
	}
	difference->exits = less(now->exits, before->exits);
	difference->guest = less(now->guest, before->guest);
	difference->host = less(now->host, before->host);
	difference->halted = less(now->halted, before->halted);
	difference->wait_ns = less(now->wait_ns, before->wait_ns);
}

void sample_take(struct sample *s)
{
	s->ns = clock_now();
	s->tsc = clock_tsc();
	for (unsigned i = 0; i < n_vms; i++) {
		sample_vm(vms[i], &s->vms[i]);
	}
	for (unsigned i = 0; i < pcpu_count(); i++) {
		struct sched_cpu_stats stats;

		sched_get_cpu_stats(i, &stats);
		s->idle_ns[i] = stats.idle_ns;
	}
}

static void tick(struct timer *t)
{
	state.newest = state.n ? state.newest ^ 1 : 0;
	state.n = state.n < 2 ? state.n + 1 : 2;
	sample_take(&state.samples[state.newest]);
	timer_arm(t, 0, clock_now() + NS_PER_SEC);
}

void sample_start(void)
{
	if (!state.initialised) {
		timer_init(&state.timer, tick);
		state.initialised = true;
	}
	state.n = 0;
	tick(&state.timer);
}

void sample_stop(void)
{
	state.n = 0;
	timer_cancel(&state.timer);
}

const struct sample *sample_base(void)
{
	uint64_t now = clock_now();

	for (unsigned i = 0; i < state.n; i++) {
		const struct sample *s = &state.samples[state.newest ^ i];

		if (now - s->ns >= SAMPLE_MIN_NS) {
			return s;
		}
	}
	return NULL;
}

/* a * b / c for results that fit; the product may not. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
	while (a > UINT64_MAX / b) {
		a >>= 1;
		c >>= 1;
	}
	return c ? a * b / c : 0;
}

uint64_t sample_per_second(uint64_t n, uint64_t ns)
{
	/* Rounded: 99.6 is 100. */
	return ns ? (scale(n, 10 * NS_PER_SEC, ns) + 5) / 10 : 0;
}

struct percent sample_percent(uint64_t a, uint64_t b)
{
	struct percent p;
	uint64_t tenths;

	if (b == 0) {
		(void)str_copy(p.text, sizeof(p.text), "-");
		return p;
	}
	tenths = scale(a, 1000, b);
	fmt_print(p.text, sizeof(p.text), "%llu.%llu", (unsigned long long)(tenths / 10),
	        (unsigned long long)(tenths % 10));
	return p;
}
