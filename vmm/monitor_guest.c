// SPDX-License-Identifier: BSD-2-Clause
// What the operator asks of software inside a guest: to shut down, to freeze and thaw its file
// systems, who it is.
// Specs: docs/monitor.md.
#include "vmm/monitor_guest.h"
#include "vmm/hw/clock.h"
#include "vmm/lib/err.h"
#include "vmm/vm.h"
#include "vmm/vm_guest.h"

#define WAIT_STEP_NS 10000000ULL

/* What is said of an order, and how long its answer is waited for. */
static const struct {
	const char *done, *refused, *waiting;
	uint64_t wait_ns;
} orders[] = {
        [VM_GUEST_SHUT_DOWN] = {"shuts down", "refuses to shut down", "asked to shut down",
                2 * NS_PER_SEC},
        [VM_GUEST_FREEZE] = {"frozen", "cannot freeze its file systems", "asked to freeze",
                10 * NS_PER_SEC},
        [VM_GUEST_THAW] = {"thawed", "cannot thaw its file systems", "asked to thaw",
                10 * NS_PER_SEC},
        [VM_GUEST_REFRESH] = {"", "", "", NS_PER_SEC / 2},
};

/* The order that is out; the monitor runs one command at a time. */
static struct {
	struct vm *vm;
	enum vm_guest_order order;
	uint64_t end_ns;
	void (*then)(struct out *out, struct vm *vm);
} job;

static bool ask(struct vm *vm, enum vm_guest_order order)
{
	if (!vm->guest_ops || vm_state(vm) != VM_RUNNING || vm->guest_ops->ask(vm, order)) {
		return false;
	}
	job.vm = vm;
	job.order = order;
	job.end_ns = clock_now() + orders[order].wait_ns;
	return true;
}

static int answer(void)
{
	int err = job.vm->guest_ops->answer(job.vm, job.order);

	return err == -EAGAIN && clock_now() >= job.end_ns ? -ETIMEDOUT : err;
}

static bool wait(struct out *out)
{
	const char *name = job.vm->config->name;

	switch (-answer()) {
	case EAGAIN:
		return false;
	case 0:
		out_print(out, "%s: %s\n", name, orders[job.order].done);
		break;
	case ETIMEDOUT:
		out_print(out, "%s: %s; no answer yet\n", name, orders[job.order].waiting);
		break;
	case ENOTCONN:
		out_print(out, "%s: %s; who was asked is gone\n", name, orders[job.order].waiting);
		break;
	default:
		monitor_error(out, "%s %s", name, orders[job.order].refused);
		break;
	}
	return true;
}

bool monitor_guest_ask(struct vm *vm, enum vm_guest_order order)
{
	if (!ask(vm, order)) {
		return false;
	}
	monitor_repeat(wait, WAIT_STEP_NS, false);
	return true;
}

static bool wait_refresh(struct out *out)
{
	if (answer() == -EAGAIN) {
		return false;
	}
	job.then(out, job.vm);
	return true;
}

bool monitor_guest_refresh(struct vm *vm, void (*then)(struct out *out, struct vm *vm))
{
	if (!ask(vm, VM_GUEST_REFRESH)) {
		return false;
	}
	job.then = then;
	monitor_repeat(wait_refresh, WAIT_STEP_NS, false);
	return true;
}

const char *monitor_heartbeat(struct vm *vm)
{
	static const char *const names[] = {
	        [VM_HEARTBEAT_NONE] = "none",
	        [VM_HEARTBEAT_OK] = "ok",
	        [VM_HEARTBEAT_LOST] = "lost",
	};
	enum vm_state state = vm_state(vm);

	if (!vm->guest_ops || (state != VM_RUNNING && state != VM_PAUSED)) {
		return names[VM_HEARTBEAT_NONE];
	}
	return names[vm->guest_ops->heartbeat(vm)];
}
