// SPDX-License-Identifier: BSD-2-Clause
// Writes the exits of traced VMs into rings.
// Specs: none; vmm/trace.h has the contract.
#include "vmm/trace.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/insn.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"
#include "vmm/vcpu_loop.h"
#include "vmm/vm.h"

#define WORDS (sizeof(struct trace_entry) / sizeof(uint64_t))
#define TRACE_PAGES ((sizeof(struct trace) + PAGE_MASK) >> PAGE_SHIFT)
/*
 * Between the end of trace_run() and the loop's look at the clock are a few instructions. When more
 * than this passed, the look was a later one: the vCPU had left the CPU in between.
 */
#define AWAY_TICKS 1000U

_Static_assert((TRACE_ENTRIES & (TRACE_ENTRIES - 1)) == 0, "numbers are masked");
_Static_assert(EXIT_KIND_COUNT < 32, "kinds are bits");
_Static_assert(sizeof(struct trace_entry) % sizeof(uint64_t) == 0, "copied in words");
_Static_assert(offsetof(struct trace_entry, number) == 0, "the first word guards the others");

static const struct cpu_virt_ops *plain; /* the back end's own */
static struct cpu_virt_ops traced;       /* the same, but for run() */
static unsigned n_traced;                /* VMs; boot CPU only */

typedef uint64_t word __attribute__((may_alias));

static struct trace *trace_of(const struct vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->trace, __ATOMIC_ACQUIRE);
}

/* Owner: the entry with this number, which nobody takes for whole until it is published. */
static struct trace_entry *take(struct trace *t, uint64_t number)
{
	struct trace_entry *e = &t->ring[number & (TRACE_ENTRIES - 1)];

	__atomic_store_n(&e->number, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	return e;
}

static void publish(struct trace_entry *to, const struct trace_entry *from, uint64_t number)
{
	const word *src = (const word *)from;
	word *dst = (word *)to;

	for (unsigned i = 1; i < WORDS; i++) {
		__atomic_store_n(&dst[i], src[i], __ATOMIC_RELAXED);
	}
	__atomic_store_n(&to->number, number, __ATOMIC_RELEASE);
}

static bool read_entry(const struct trace *t, uint64_t number, struct trace_entry *entry)
{
	const struct trace_entry *e = &t->ring[number & (TRACE_ENTRIES - 1)];
	const word *src = (const word *)e;
	word *dst = (word *)entry;

	if (number == 0 || __atomic_load_n(&e->number, __ATOMIC_ACQUIRE) != number) {
		return false;
	}
	for (unsigned i = 1; i < WORDS; i++) {
		dst[i] = __atomic_load_n(&src[i], __ATOMIC_RELAXED);
	}
	entry->number = number;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&e->number, __ATOMIC_RELAXED) == number;
}

bool trace_read(const struct vcpu *vcpu, uint64_t number, struct trace_entry *entry)
{
	const struct trace *t = trace_of(vcpu);

	return t && read_entry(t, number, entry);
}

static uint64_t low_bytes(uint64_t value, unsigned width)
{
	return width < 8 ? value & ((1ULL << 8 * width) - 1) : value;
}

static uint64_t edx_eax(const struct vcpu *vcpu)
{
	return (uint32_t)vcpu->gpr[REG_RAX] | vcpu->gpr[REG_RDX] << 32;
}

/* What the guest gave, as the exit found it. */
static void note_in(struct vcpu *vcpu, struct trace_entry *e)
{
	const struct vcpu_exit *exit = &vcpu->exit;

	switch (exit->kind) {
	case EXIT_CPUID:
		e->index = (uint32_t)vcpu->gpr[REG_RAX];
		e->in = (uint32_t)vcpu->gpr[REG_RCX];
		e->has_in = true;
		break;
	case EXIT_IO:
		e->has_in = !exit->io.in && !exit->io.string;
		e->in = low_bytes(vcpu->gpr[REG_RAX], exit->io.width);
		break;
	case EXIT_RDMSR:
		e->index = (uint32_t)vcpu->gpr[REG_RCX];
		break;
	case EXIT_WRMSR:
	case EXIT_XSETBV:
		e->index = (uint32_t)vcpu->gpr[REG_RCX];
		e->in = edx_eax(vcpu);
		e->has_in = true;
		break;
	case EXIT_CR:
		e->has_in = exit->cr.write && !exit->cr.clts && !exit->cr.lmsw;
		e->in = e->has_in ? vcpu_reg_get(vcpu, exit->cr.reg & 15U) : 0;
		break;
	case EXIT_DR:
		e->has_in = exit->dr.write;
		e->in = e->has_in ? vcpu_reg_get(vcpu, exit->dr.reg & 15U) : 0;
		break;
	case EXIT_HYPERCALL:
		e->has_in = true;
		e->in = vcpu->gpr[REG_RCX];
		break;
	case EXIT_NONE:
	case EXIT_MEM:
	case EXIT_HLT:
	case EXIT_PAUSE:
	case EXIT_MWAIT:
	case EXIT_EXCEPTION:
	case EXIT_UNDEFINED:
	case EXIT_PRIVILEGED:
	case EXIT_CACHE:
	case EXIT_TASK_SWITCH:
	case EXIT_TRIPLE_FAULT:
	case EXIT_TPR_BELOW:
	case EXIT_APIC_WRITE:
	case EXIT_EOI:
	case EXIT_SIGNAL:
	case EXIT_FAILED:
	case EXIT_KIND_COUNT:
		break;
	}
}

/* What the guest gets: the vCPU is about to be entered again. */
static void note_out(struct vcpu *vcpu, struct trace_entry *e)
{
	const struct vcpu_exit *exit = &e->exit;
	bool is_read =
	        (exit->kind == EXIT_IO && exit->io.in && !exit->io.string) ||
	        exit->kind == EXIT_RDMSR || exit->kind == EXIT_HYPERCALL ||
	        (exit->kind == EXIT_CR && !exit->cr.write && !exit->cr.clts && !exit->cr.lmsw) ||
	        (exit->kind == EXIT_DR && !exit->dr.write);

	uint64_t moved = cpu_virt->get_reg(vcpu, REG_RIP) - e->rip;

	/* An instruction that faulted, or a vCPU that was reset, got nothing. */
	if (!is_read || moved == 0 || moved > INSN_MAX_LEN) {
		return;
	}
	e->has_out = true;
	if (exit->kind == EXIT_IO) {
		e->out = low_bytes(vcpu->gpr[REG_RAX], exit->io.width);
	} else if (exit->kind == EXIT_RDMSR) {
		e->out = edx_eax(vcpu);
	} else if (exit->kind == EXIT_HYPERCALL) {
		e->out = vcpu->gpr[REG_RAX];
	} else {
		e->out = vcpu_reg_get(
		        vcpu, (exit->kind == EXIT_CR ? exit->cr.reg : exit->dr.reg) & 15U);
	}
}

/* Before an entry: the last exit has been dealt with. */
static void close_entry(struct trace *t, struct vcpu *vcpu, uint64_t now_tsc)
{
	uint64_t number = t->count;
	uint64_t away = vcpu->exit_tsc - t->left_tsc;
	struct trace_entry e, *to;

	t->open = false;
	if (!read_entry(t, number, &e)) {
		return; /* nobody else writes: it is there */
	}
	e.away_ticks = away > AWAY_TICKS ? away : 0;
	e.host_ticks = now_tsc - e.tsc - e.away_ticks;
	note_out(vcpu, &e);
	to = take(t, number);
	publish(to, &e, number);
}

static void add_entry(struct trace *t, struct vcpu *vcpu, uint64_t entry_tsc)
{
	uint64_t number = t->count + 1;
	struct trace_entry e;

	memset(&e, 0, sizeof(e));
	e.tsc = clock_tsc();
	e.guest_ticks = e.tsc - entry_tsc;
	e.rip = cpu_virt->get_reg(vcpu, REG_RIP);
	e.exit = vcpu->exit;
	note_in(vcpu, &e);
	publish(take(t, number), &e, number);
	__atomic_store_n(&t->count, number, __ATOMIC_RELEASE);
	t->open = true;
}

static void trace_run(struct vcpu *vcpu, uint64_t now_tsc, uint64_t deadline_tsc)
{
	struct trace *t = trace_of(vcpu);

	if (t && t->open) {
		close_entry(t, vcpu, now_tsc);
	}
	plain->run(vcpu, now_tsc, deadline_tsc);
	if (t && (__atomic_load_n(&t->kinds, __ATOMIC_RELAXED) >> vcpu->exit.kind & 1)) {
		add_entry(t, vcpu, now_tsc);
		t->left_tsc = clock_tsc();
	}
}

static bool trace_loop(struct vcpu *vcpu, uint64_t slice_end_ns)
{
	return vcpu_loop(vcpu, slice_end_ns, trace_run, plain->skip_exit);
}

static int allocate(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		struct trace *t;

		if (vm->vcpus[i]->trace) {
			continue;
		}
		t = page_alloc(TRACE_PAGES, PAGE_SIZE);
		if (!t) {
			/* What was got stays: it is what the next attempt needs first. */
			return -ENOMEM;
		}
		__atomic_store_n(&vm->vcpus[i]->trace, t, __ATOMIC_RELEASE);
	}
	return 0;
}

int trace_on(struct vm *vm, uint32_t kinds)
{
	bool was_on = trace_kinds(vm) != 0;
	int err = allocate(vm);

	if (err) {
		return err;
	}
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		struct trace *t = vm->vcpus[i]->trace;

		if (!was_on) {
			__atomic_store_n(&t->first,
			        __atomic_load_n(&t->count, __ATOMIC_ACQUIRE) + 1, __ATOMIC_RELAXED);
		}
		__atomic_store_n(&t->kinds, kinds & TRACE_ALL, __ATOMIC_RELAXED);
	}
	if (!was_on && n_traced++ == 0) {
		plain = cpu_virt;
		traced = *plain;
		traced.run = trace_run;
		traced.loop = trace_loop;
		__atomic_store_n(&cpu_virt, &traced, __ATOMIC_RELEASE);
	}
	return 0;
}

void trace_off(struct vm *vm)
{
	if (trace_kinds(vm) == 0) {
		return;
	}
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		__atomic_store_n(&vm->vcpus[i]->trace->kinds, 0, __ATOMIC_RELAXED);
	}
	if (--n_traced == 0) {
		__atomic_store_n(&cpu_virt, plain, __ATOMIC_RELEASE);
	}
}

uint32_t trace_kinds(const struct vm *vm)
{
	const struct trace *t = trace_of(vm->vcpus[0]);

	return t ? __atomic_load_n(&t->kinds, __ATOMIC_RELAXED) : 0;
}

/* Numbers that may be in the ring: from *first to before *end. */
static void range(const struct vcpu *vcpu, uint64_t *first, uint64_t *end)
{
	const struct trace *t = trace_of(vcpu);

	*first = *end = 1;
	if (t) {
		*end = __atomic_load_n(&t->count, __ATOMIC_ACQUIRE) + 1;
		*first = __atomic_load_n(&t->first, __ATOMIC_RELAXED);
	}
}

static uint64_t oldest(uint64_t first, uint64_t end)
{
	return end - first > TRACE_ENTRIES ? end - TRACE_ENTRIES : first;
}

void trace_counts(const struct vm *vm, uint64_t *traced_exits, uint64_t *lost)
{
	*traced_exits = *lost = 0;
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		uint64_t first, end;

		range(vm->vcpus[i], &first, &end);
		*traced_exits += end - first;
		*lost += oldest(first, end) - first;
	}
}

/* Entry of vCPU i before w->vcpus[i].next, going back; false = no more from 'from' on. */
static bool load_back(struct trace_walk *w, unsigned i, uint64_t from)
{
	while (!w->vcpus[i].loaded && w->vcpus[i].next > from) {
		w->vcpus[i].loaded =
		        trace_read(w->vm->vcpus[i], w->vcpus[i].next - 1, &w->vcpus[i].entry);
		w->vcpus[i].next -= w->vcpus[i].loaded ? 0 : 1;
	}
	return w->vcpus[i].loaded;
}

void trace_walk_start(struct trace_walk *w, const struct vm *vm, uint64_t n)
{
	uint64_t from[MAX_VCPUS];

	memset(w, 0, sizeof(*w));
	w->vm = vm;
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		uint64_t first;

		range(vm->vcpus[i], &first, &w->vcpus[i].end);
		w->vcpus[i].next = w->vcpus[i].end;
		from[i] = oldest(first, w->vcpus[i].end);
	}
	/* Back from the newest, n steps, each to the latest of what is left. */
	for (; n; n--) {
		int latest = -1;

		for (unsigned i = 0; i < vm->n_vcpus; i++) {
			if (load_back(w, i, from[i]) &&
			        (latest < 0 ||
			                w->vcpus[i].entry.tsc > w->vcpus[latest].entry.tsc)) {
				latest = (int)i;
			}
		}
		if (latest < 0) {
			break;
		}
		w->vcpus[latest].loaded = false;
		w->vcpus[latest].next--;
	}
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		w->vcpus[i].loaded = false;
	}
}

static bool load_next(struct trace_walk *w, unsigned i)
{
	while (!w->vcpus[i].loaded && w->vcpus[i].next < w->vcpus[i].end) {
		w->vcpus[i].loaded =
		        trace_read(w->vm->vcpus[i], w->vcpus[i].next, &w->vcpus[i].entry);
		w->skipped += w->vcpus[i].loaded ? 0 : 1;
		w->vcpus[i].next++;
	}
	return w->vcpus[i].loaded;
}

bool trace_walk_next(struct trace_walk *w, struct trace_entry *entry, unsigned *vcpu_index)
{
	int first = -1;

	for (unsigned i = 0; i < w->vm->n_vcpus; i++) {
		if (load_next(w, i) &&
		        (first < 0 || w->vcpus[i].entry.tsc < w->vcpus[first].entry.tsc)) {
			first = (int)i;
		}
	}
	if (first < 0) {
		return false;
	}
	w->vcpus[first].loaded = false;
	*entry = w->vcpus[first].entry;
	*vcpu_index = (unsigned)first;
	return true;
}

void trace_text(char line[TRACE_LINE], const struct trace_entry *e, unsigned vcpu_index)
{
	const struct exit_facts facts = {
	        .exit = e->exit,
	        .number = e->index,
	        .has_in = e->has_in,
	        .has_out = e->has_out,
	        .in = e->in,
	        .out = e->out,
	};
	uint64_t us = clock_tsc_to_ns(e->tsc) / 1000;
	char text[EXIT_TEXT_LEN], away[32] = "";

	exit_text(text, &facts);
	if (e->away_ticks) {
		fmt_print(away, sizeof(away), " away %llu", (unsigned long long)e->away_ticks);
	}
	fmt_print(line, TRACE_LINE, "%5llu.%06llu %2u %-12s %-36s rip %llx guest %llu host %llu%s",
	        (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000), vcpu_index,
	        exit_kind_names[e->exit.kind], text, (unsigned long long)e->rip,
	        (unsigned long long)e->guest_ticks, (unsigned long long)e->host_ticks, away);
}
