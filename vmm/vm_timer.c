// SPDX-License-Identifier: BSD-2-Clause
// Timers on a VM's own clock, which runs beside the host's.
// Specs: vmm/vm_timer.h.
#include "vmm/vm_timer.h"
#include "vmm/hw/clock.h"
#include "vmm/vm.h"

uint64_t vm_clock_now(const struct vm *vm)
{
	return clock_now() - vm->clock_base_ns;
}

/* Host time of a time of the VM's clock; saturates. */
static uint64_t host_deadline(const struct vm *vm, uint64_t deadline_ns)
{
	uint64_t host_ns = deadline_ns + vm->clock_base_ns;

	return host_ns < deadline_ns ? TIMER_NEVER : host_ns;
}

static void fire(struct timer *timer)
{
	struct vm_timer *t = container_of(timer, struct vm_timer, timer);

	uint64_t deadline_ns = __atomic_load_n(&t->deadline_ns, __ATOMIC_RELAXED);

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

void vm_timer_init(struct vm_timer *t, struct vm *vm, void (*fn)(void *arg), void *arg)
{
	timer_init(&t->timer, fire);
	t->vm = vm;
	t->deadline_ns = TIMER_NEVER;
	t->fn = fn;
	t->arg = arg;
}

void vm_timer_arm(struct vm_timer *t, uint64_t deadline_ns)
{
	uint64_t host_ns = host_deadline(t->vm, deadline_ns);

	if (host_ns == TIMER_NEVER) {
		vm_timer_cancel(t);
		return;
	}
	__atomic_store_n(&t->deadline_ns, deadline_ns, __ATOMIC_RELAXED);
	timer_arm(&t->timer, t->vm->home_cpu, host_ns);
}

void vm_timer_cancel(struct vm_timer *t)
{
	__atomic_store_n(&t->deadline_ns, TIMER_NEVER, __ATOMIC_RELAXED);
	timer_cancel(&t->timer);
}
