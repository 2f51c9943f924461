// SPDX-License-Identifier: BSD-2-Clause
// Timers on a VM's own clock, which runs beside the host's.
// Specs: vmm/vm_timer.h.
#include "vmm/vm_timer.h"
#include "vmm/hw/clock.h"
#include "vmm/vm.h"

/*
 * One word tells it all, so that nobody sees half of a change: vm->clock_base_ns is the host time
 * at which the VM's clock was 0, or, with this bit, the VM's clock where it stands.
 */
#define CLOCK_STANDS BIT64(63)

static uint64_t clock_word(const struct vm *vm)
{
	return __atomic_load_n(&vm->clock_base_ns, __ATOMIC_SEQ_CST);
}

uint64_t vm_clock_now(const struct vm *vm)
{
	uint64_t word = clock_word(vm);

	return word & CLOCK_STANDS ? word & ~CLOCK_STANDS : clock_now() - word;
}

/*
 * Queue it by its deadline. What another CPU arms while the clock starts again may be overtaken
 * here by what this CPU has read before: look again.
 */
static void queue(struct vm_timer *t)
{
	uint64_t deadline_ns = __atomic_load_n(&t->deadline_ns, __ATOMIC_SEQ_CST);
	uint64_t queued_ns;

	do {
		uint64_t word = clock_word(t->vm);
		uint64_t host_ns = deadline_ns + word;

		queued_ns = deadline_ns;
		if (word & CLOCK_STANDS) {
			return; /* vm_clock_go() queues it */
		}
		/* Beyond the end of the host's clock is never. */
		if (deadline_ns == TIMER_NEVER || host_ns < deadline_ns) {
			timer_cancel(&t->timer);
		} else {
			timer_arm(&t->timer, t->vm->home_cpu, host_ns);
		}
		deadline_ns = __atomic_load_n(&t->deadline_ns, __ATOMIC_SEQ_CST);
	} while (deadline_ns != queued_ns);
}

void vm_clock_stop(struct vm *vm, uint64_t host_ns)
{
	uint64_t now_ns = host_ns - clock_word(vm);

	__atomic_store_n(&vm->clock_base_ns, now_ns | CLOCK_STANDS, __ATOMIC_SEQ_CST);
}

void vm_clock_go(struct vm *vm, uint64_t host_ns)
{
	uint64_t now_ns = clock_word(vm) & ~CLOCK_STANDS;

	__atomic_store_n(&vm->clock_base_ns, host_ns - now_ns, __ATOMIC_SEQ_CST);
	for (struct vm_timer *t = vm->timers; t; t = t->next_of_vm) {
		queue(t);
	}
}

static void fire(struct timer *timer)
{
	struct vm_timer *t = container_of(timer, struct vm_timer, timer);

	uint64_t deadline_ns = __atomic_load_n(&t->deadline_ns, __ATOMIC_RELAXED);

	if (clock_word(t->vm) & CLOCK_STANDS) {
		return;
	}
	/* Cancelled or moved on another CPU while this call was already due, even between the
	 * look and the exchange: a new deadline is not to be forgotten. */
	do {
		if (vm_clock_now(t->vm) < deadline_ns) {
			return;
		}
	} while (!__atomic_compare_exchange_n(&t->deadline_ns, &deadline_ns, TIMER_NEVER, false,
	        __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	t->fn(t->arg);
}

/* A device that is attached again, after its VM could not be made, is in the list already. */
static void enlist(struct vm *vm, struct vm_timer *t)
{
	for (const struct vm_timer *i = vm->timers; i; i = i->next_of_vm) {
		if (i == t) {
			return;
		}
	}
	t->next_of_vm = vm->timers;
	vm->timers = t;
}

void vm_timer_init(struct vm_timer *t, struct vm *vm, void (*fn)(void *arg), void *arg)
{
	timer_init(&t->timer, fire);
	t->vm = vm;
	t->deadline_ns = TIMER_NEVER;
	t->fn = fn;
	t->arg = arg;
	enlist(vm, t);
}

void vm_timer_arm(struct vm_timer *t, uint64_t deadline_ns)
{
	/* Never, if the host's clock ends before it. */
	if (deadline_ns + (clock_word(t->vm) & ~CLOCK_STANDS) < deadline_ns) {
		deadline_ns = TIMER_NEVER;
	}
	__atomic_store_n(&t->deadline_ns, deadline_ns, __ATOMIC_SEQ_CST);
	queue(t);
}

void vm_timer_cancel(struct vm_timer *t)
{
	vm_timer_arm(t, TIMER_NEVER);
}
