// SPDX-License-Identifier: BSD-2-Clause
/*
 * A VM's life: requests from anywhere, carried out by its home CPU when all its vCPUs have
 * left the guest. vmm/vm.h has the rules.
 */
#include "vmm/guest_load.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/panic.h"
#include "vmm/hw/pcpu.h"
#include "vmm/pv.h"
#include "vmm/sched.h"
#include "vmm/stats.h"
#include "vmm/vm.h"
#include "vmm/vm_guest.h"
#include "vmm/vm_timer.h"

/* Clearing memory: at most this long, and this much, in one turn of the CPU's loop. */
#define CLEAR_TURN_NS 2000000ULL
#define CLEAR_TURN_PIECES 16U
#define CLEAR_PIECE (1ULL << 20)

#define REQ_BEFORE_AN_END \
	(BIT(VM_REQ_START) | BIT(VM_REQ_RESET) | BIT(VM_REQ_PAUSE) | BIT(VM_REQ_RESUME))

/* What nobody wants any more when this is asked. */
static const uint32_t takes_back[VM_REQ_COUNT] = {
        [VM_REQ_POWEROFF] = REQ_BEFORE_AN_END,
        [VM_REQ_KILL] = REQ_BEFORE_AN_END,
        [VM_REQ_DEBUG_EXIT] = REQ_BEFORE_AN_END,
        [VM_REQ_PAUSE] = BIT(VM_REQ_RESUME),
        [VM_REQ_RESUME] = BIT(VM_REQ_PAUSE),
};

uint64_t vm_handoff_tsc;
static bool keep_alive;        /* [a] */
static bool operator_can_come; /* (c) after boot */

/* --- asking --- */

void vm_request(struct vm *vm, enum vm_request req, const char *reason)
{
	uint32_t before = __atomic_load_n(&vm->requests, __ATOMIC_SEQ_CST);

	if (!(before & BIT(req))) {
		__atomic_store_n(&vm->reasons[req], reason, __ATOMIC_RELEASE);
	}
	/*
	 * The vCPUs first: a stop that came after the home CPU had taken the request would stay
	 * without anybody who lets them go on. One that is lost now is made up for by the home
	 * CPU as long as there is a request.
	 */
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		vcpu_request(vm->vcpus[i], VCPU_REQ_STOP);
	}
	while (!__atomic_compare_exchange_n(&vm->requests, &before,
	        (before & ~takes_back[req]) | (uint32_t)BIT(req), false, __ATOMIC_SEQ_CST,
	        __ATOMIC_SEQ_CST)) {
	}
	pcpu_kick(vm->home_cpu);
}

void vm_debug_exit(struct vm *vm, uint32_t value)
{
	if (!(__atomic_load_n(&vm->requests, __ATOMIC_SEQ_CST) & BIT(VM_REQ_DEBUG_EXIT))) {
		__atomic_store_n(&vm->debug_exit, value, __ATOMIC_RELEASE);
	}
	vm_request(vm, VM_REQ_DEBUG_EXIT, "debug exit");
}

bool vm_power_button(struct vm *vm)
{
	enum vm_state state = vm_state(vm);

	if (state != VM_RUNNING && state != VM_PAUSED) {
		return false;
	}
	vm->platform_ops->power_button(vm);
	return true;
}

void vm_set_keep_alive(bool on)
{
	__atomic_store_n(&keep_alive, on, __ATOMIC_SEQ_CST);
}

void vm_autostart(bool can_come)
{
	unsigned n = 0;

	operator_can_come = can_come;
	for (unsigned i = 0; i < n_vms; i++) {
		if (!vms[i]->config->manual) {
			vm_request(vms[i], VM_REQ_START, "start");
			n++;
		}
	}
	if (n == 0) {
		log_info("no VM starts by itself: all have autostart = no");
	}
}

static void set_state(struct vm *vm, enum vm_state state)
{
	__atomic_store_n(&vm->state, state, __ATOMIC_SEQ_CST);
}

static const char *reason_of(const struct vm *vm, enum vm_request req)
{
	return __atomic_load_n(&vm->reasons[req], __ATOMIC_ACQUIRE);
}

/* --- pause --- */

static void pause_vm(struct vm *vm)
{
	vm->paused_tsc = clock_tsc();
	vm_clock_stop(vm, clock_tsc_to_ns(vm->paused_tsc));
	set_state(vm, VM_PAUSED);
	log_info("vm %s: paused (%s)", vm->config->name, reason_of(vm, VM_REQ_PAUSE));
}

/* The VM's time goes on from where it stood; its vCPUs do not run yet. */
static void end_pause(struct vm *vm)
{
	uint64_t now_tsc = clock_tsc();
	uint64_t now_ns = clock_tsc_to_ns(now_tsc);

	vm->paused_ticks = now_tsc - vm->paused_tsc;
	vm->tsc_offset -= vm->paused_ticks;
	vm_clock_go(vm, now_ns);
	vm->platform_ops->time_passed(vm, now_ns - clock_tsc_to_ns(vm->paused_tsc));
	if (vm->pv) {
		vm->pv->vm_resume(vm);
	}
	if (vm->guest_ops) {
		vm->guest_ops->resumed(vm);
	}
}

/* All vCPUs go on as they were when they were stopped. */
static void go_on(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		vcpu_request(vm->vcpus[i], VCPU_REQ_RESUME);
	}
}

static void resume_vm(struct vm *vm)
{
	end_pause(vm);
	set_state(vm, VM_RUNNING);
	log_info("vm %s: goes on (%s)", vm->config->name, reason_of(vm, VM_REQ_RESUME));
	go_on(vm);
}

/* --- the end --- */

/* Is there anything to wait for: one that is not off, or may still be started? */
static bool is_left(const struct vm *vm)
{
	/* In this order: a request is in the first until it is in the second, and there until
	 * the state says it. */
	uint32_t asked = __atomic_load_n(&vm->requests, __ATOMIC_SEQ_CST);

	asked |= __atomic_load_n(&vm->serving, __ATOMIC_SEQ_CST);
	if ((asked & BIT(VM_REQ_START)) ||
	        __atomic_load_n(&vm->state, __ATOMIC_SEQ_CST) != VM_OFF) {
		return true;
	}
	return vm->off_why == VM_OFF_NEVER_STARTED && (!vm->config->manual || operator_can_come);
}

static void power_off_if_last(void)
{
	for (unsigned i = 0; i < n_vms; i++) {
		if (is_left(vms[i])) {
			return;
		}
	}
	if (__atomic_load_n(&keep_alive, __ATOMIC_SEQ_CST)) {
		log_info("the last VM has stopped; the machine stays on for the monitor");
		return;
	}
	log_info("the last VM has stopped");
	machine_poweroff();
}

/* Nothing in flight, of no device. */
static void quiesce(struct vm *vm)
{
	vm->platform_ops->quiesce(vm);
	if (vm->bus_ops) {
		vm->bus_ops->quiesce(vm);
	}
}

static void end(struct vm *vm, enum vm_off_why why, const char *reason)
{
	const char *name = vm->config->name;

	if (vm->state == VM_PAUSED) {
		end_pause(vm);
	}
	quiesce(vm);
	vm->off_why = why;
	vm->off_reason = reason;
	set_state(vm, VM_OFF);
	switch (why) {
	case VM_OFF_POWERED_OFF:
		log_info("vm %s: powered off (%s)", name, reason);
		break;
	case VM_OFF_KILLED:
		log_info("vm %s: killed (%s)", name, reason);
		break;
	case VM_OFF_NEVER_STARTED:
	case VM_OFF_CANNOT_START:
		log_error("vm %s: cannot be started", name);
		break;
	case VM_OFF_DEBUG_EXIT:
		log_info("vm %s: debug exit %u", name, vm->debug_exit);
		break;
	}
	stats_log(vm);
}

/* The strongest end of those that were asked for. */
static void end_by_request(struct vm *vm, uint32_t req)
{
	if (req & BIT(VM_REQ_KILL)) {
		end(vm, VM_OFF_KILLED, reason_of(vm, VM_REQ_KILL));
	} else if (req & BIT(VM_REQ_DEBUG_EXIT)) {
		end(vm, VM_OFF_DEBUG_EXIT, NULL);
	} else {
		end(vm, VM_OFF_POWERED_OFF, reason_of(vm, VM_REQ_POWEROFF));
	}
}

/* --- the start --- */

static void begin_start(struct vm *vm, bool paused)
{
	if (vm->state == VM_PAUSED) {
		end_pause(vm);
	}
	quiesce(vm);
	if (vm->pv) {
		vm->pv->vm_reset(vm);
	}
	vm->start_paused = paused;
	vm->n_cleared = 0;
	set_state(vm, VM_STARTING);
}

/* A bounded piece of the memory to zero; true when all of it is. */
static bool clear_some(struct vm *vm)
{
	uint64_t end_ns = clock_now() + CLEAR_TURN_NS;

	for (unsigned i = 0; i < CLEAR_TURN_PIECES && clock_now() <= end_ns; i++) {
		uint64_t n = gmem_clear(&vm->mem, vm->n_cleared, CLEAR_PIECE);

		vm->n_cleared += n;
		if (n < CLEAR_PIECE) {
			vm->dirty = false;
			return true;
		}
	}
	return false;
}

/* What is left of the old life in a vCPU that stands still. */
static void forget_requests(struct vcpu *vcpu)
{
	/* But translations that had to go still have to, and who called waits. */
	__atomic_fetch_and(&vcpu->requests, BIT64(VCPU_REQ_FLUSH_NESTED) | BIT64(VCPU_REQ_CALL),
	        __ATOMIC_SEQ_CST);
}

/* Power-on: devices, vCPUs, image, tables; then the boot vCPU runs. Memory is clean. */
static int start(struct vm *vm)
{
	struct vcpu *boot = vm->vcpus[0];
	int err;

	vm->platform_ops->reset(vm);
	irq_router_reset(&vm->irq);
	vm->tsc_offset = 0 - clock_tsc();
	vm->paused_ticks = 0;
	vm->dirty = true;
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		forget_requests(vm->vcpus[i]);
	}
	sched_load(boot);
	vcpu_reset(boot);
	boot->held = 0;
	err = guest_load(vm);
	if (!err) {
		err = vm->platform_ops->write_tables(vm);
	}
	if (err) {
		boot->state = VCPU_STOPPED;
		return err;
	}
	set_state(vm, VM_RUNNING);
	if (vm_handoff_tsc) {
		log_info("hand-off to first entry: %llu ticks",
		        (unsigned long long)(clock_tsc() - vm_handoff_tsc));
		vm_handoff_tsc = 0;
	}
	for (unsigned i = 1; i < vm->n_vcpus; i++) {
		/* Their turn may come after the boot vCPU's, whose INIT must find them. */
		lapic_reset_base(&vm->vcpus[i]->lapic);
		vcpu_request(vm->vcpus[i], VCPU_REQ_RESET);
	}
	boot->state = VCPU_RUNNABLE;
	if (vm->start_paused) {
		/* Its first look is at the stop that comes with this. */
		vm_request(vm, VM_REQ_PAUSE, "at the start");
	}
	sched_wake(boot);
	return 0;
}

/* true = there is more to do. */
static bool go_on_starting(struct vm *vm)
{
	if ((vm->dirty && !clear_some(vm)) || __atomic_load_n(&vm->requests, __ATOMIC_SEQ_CST)) {
		return true;
	}
	if (start(vm)) {
		end(vm, VM_OFF_CANNOT_START, NULL);
		power_off_if_last();
	}
	return false;
}

/* --- the home CPU's part --- */

/* No end among them, and the VM is not off. */
static void carry_out_alive(struct vm *vm, uint32_t req)
{
	bool pause_it = req & BIT(VM_REQ_PAUSE), resume_it = req & BIT(VM_REQ_RESUME);

	switch ((enum vm_state)vm->state) {
	case VM_OFF:
		break;
	case VM_STARTING:
		vm->start_paused = pause_it || (vm->start_paused && !resume_it);
		break;
	case VM_RUNNING:
	case VM_PAUSED:
		if (req & BIT(VM_REQ_RESET)) {
			vm_log(vm, LOG_INFO, "reset (%s)", reason_of(vm, VM_REQ_RESET));
			begin_start(vm, pause_it || (vm->state == VM_PAUSED && !resume_it));
		} else if (vm->state == VM_PAUSED) {
			if (resume_it) {
				resume_vm(vm);
			}
		} else if (pause_it) {
			pause_vm(vm);
		} else {
			/* Nothing to do: but its vCPUs were stopped for it. */
			vm->paused_ticks = 0;
			go_on(vm);
		}
		break;
	}
}

static void carry_out(struct vm *vm, uint32_t req)
{
	if ((req & VM_REQ_ENDS) && vm->state != VM_OFF) {
		end_by_request(vm, req);
		if (!(req & BIT(VM_REQ_START))) {
			power_off_if_last();
		}
	}
	if (vm->state != VM_OFF) {
		carry_out_alive(vm, req);
	} else if (req & BIT(VM_REQ_START)) {
		begin_start(vm, req & BIT(VM_REQ_PAUSE));
	}
}

/*
 * It stands still, and no earlier request will change that. In this order: its CPU says 'running'
 * before it takes requests, and takes it back when it has served them.
 */
static bool stopped(const struct vcpu *vcpu)
{
	const uint64_t changes =
	        BIT64(VCPU_REQ_STOP) | BIT64(VCPU_REQ_RESUME) | BIT64(VCPU_REQ_RESET);

	return !(__atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST) & changes) &&
	       !__atomic_load_n(&vcpu->running, __ATOMIC_SEQ_CST) &&
	       __atomic_load_n(&vcpu->state, __ATOMIC_SEQ_CST) == VCPU_STOPPED &&
	       sched_released(vcpu, vcpu->vm->home_cpu);
}

/* Also asks again those who were not asked, or whose stop a start has swept away. */
static bool all_stopped(const struct vm *vm)
{
	bool all = true;

	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		struct vcpu *vcpu = vm->vcpus[i];

		if (stopped(vcpu)) {
			continue;
		}
		all = false;
		if (__atomic_load_n(&vcpu->state, __ATOMIC_SEQ_CST) != VCPU_STOPPED &&
		        !(__atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST) &
		                BIT64(VCPU_REQ_STOP))) {
			vcpu_request(vcpu, VCPU_REQ_STOP);
		}
	}
	return all;
}

static bool serve(struct vm *vm)
{
	uint32_t req = __atomic_load_n(&vm->requests, __ATOMIC_SEQ_CST);
	bool done = false;

	if (req && all_stopped(vm)) {
		/* With what came since the look: a kill must not be lost to a reset. */
		do {
			__atomic_store_n(&vm->serving, req, __ATOMIC_SEQ_CST);
		} while (!__atomic_compare_exchange_n(
		        &vm->requests, &req, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
		carry_out(vm, req);
		__atomic_store_n(&vm->serving, 0, __ATOMIC_SEQ_CST);
		done = true;
	}
	if (vm->state == VM_STARTING) {
		return go_on_starting(vm) || done;
	}
	return done;
}

static bool has_work(const struct vm *vm)
{
	return __atomic_load_n(&vm->requests, __ATOMIC_SEQ_CST) || vm->state == VM_STARTING;
}

bool vm_serve_requests(uint32_t cpu)
{
	bool again = false;

	for (unsigned i = 0; i < n_vms; i++) {
		struct vm *vm = vms[i];
		uint64_t start_ns;

		if (vm->home_cpu != cpu || !has_work(vm)) {
			continue;
		}
		start_ns = clock_now();
		again |= serve(vm);
		/* Resets are the guest's to ask for, as often as it likes: in its own time. */
		sched_charge(vm->vcpus[0], clock_now() - start_ns);
	}
	return again;
}
