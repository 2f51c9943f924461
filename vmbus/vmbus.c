// SPDX-License-Identifier: BSD-2-Clause
/*
 * The bus of a VM put together: ports of the synthetic interrupt controller in front, the server
 * and the channels behind, vCPUs and a timer that work them.
 * Specs: [TLFS] "Inter-Partition Communication"; docs/vmbus.md.
 */
#include "vmbus/vmbus.h"

#include "hypercall/synic.h"
#include "vmbus/channel_run.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/pv.h"
#include "vmm/vm.h"

/* The interrupt page: one bit a relid, to the guest in its first half, from it in its second. */
#define TO_HOST_WORD (PAGE_SIZE / 2 / sizeof(uint64_t))
#define RELID_WORDS ((VMBUS_MAX_CHANNELS + 1 + 63) / 64)

struct vmbus *vmbus_of(const struct vm *vm)
{
	return vm->bus;
}

static struct vmbus_channel *channel_of(struct vmbus *bus, uint32_t relid)
{
	struct vmbus_channel *ch;

	if (relid == 0 || relid > VMBUS_MAX_CHANNELS) {
		return NULL;
	}
	ch = __atomic_load_n(&bus->channels[relid - 1], __ATOMIC_ACQUIRE);
	/* It may have come back at another place. */
	return ch && ch->relid == relid ? ch : NULL;
}

/* No bit for a sub-channel that has just gone. */
static uint64_t bit_of(const struct vmbus_channel *ch)
{
	uint32_t relid = __atomic_load_n(&ch->relid, __ATOMIC_RELAXED);

	return relid ? BIT64(relid - 1) : 0;
}

static void run_all(struct vmbus *bus, uint64_t set, enum run_why why)
{
	for (; set; set &= set - 1) {
		struct vmbus_channel *ch = channel_of(bus, bit_first(set) + 1);

		if (ch) {
			channel_run(ch, why);
		}
	}
}

/* --- the server's lock, and what is left for its holder --- */

static int add_locked(struct vmbus *bus, struct vmbus_channel *ch, bool promised)
{
	int err;

	ch->bus = bus;
	err = promised ? vmbus_server_add_promised(&bus->server, ch)
	               : vmbus_server_add(&bus->server, ch);
	if (!err) {
		__atomic_store_n(&bus->channels[ch->relid - 1], ch, __ATOMIC_RELEASE);
	}
	return err;
}

static void add_subs_locked(struct vmbus *bus)
{
	struct vmbus_channel *sub, *next;

	spin_lock(&bus->subs_lock);
	sub = bus->subs;
	__atomic_store_n(&bus->subs, NULL, __ATOMIC_RELAXED);
	spin_unlock(&bus->subs_lock);
	for (; sub; sub = next) {
		int err = add_locked(bus, sub, true);

		next = sub->next_sub;
		if (err) {
			vm_log(bus->vm, LOG_ERROR, "vmbus: %s: no sub-channel (error %d)",
			        sub->offer.name, -err);
		}
		spin_lock(&bus->subs_lock);
		sub->primary = NULL;
		spin_unlock(&bus->subs_lock);
	}
}

/* The guest that asked for them closes their primary. */
static void forget_subs(struct vmbus *bus, const struct vmbus_channel *primary)
{
	spin_lock(&bus->subs_lock);
	for (struct vmbus_channel **at = &bus->subs; *at;) {
		struct vmbus_channel *sub = *at;

		if (sub->primary == primary) {
			*at = sub->next_sub;
			sub->primary = NULL;
			vmbus_server_unpromise(&bus->server);
		} else {
			at = &sub->next_sub;
		}
	}
	spin_unlock(&bus->subs_lock);
}

static void unlock(struct vmbus *bus)
{
	/* Before the look: room that comes in between has its taker wait for our lock. */
	__atomic_store_n(&bus->messages_wait, true, __ATOMIC_SEQ_CST);
	if (!vmbus_server_pump(&bus->server)) {
		__atomic_store_n(&bus->messages_wait, false, __ATOMIC_SEQ_CST);
	}
	spin_unlock(&bus->lock);
}

int vmbus_channel_add(struct vmbus *bus, struct vmbus_channel *ch)
{
	int err;

	spin_lock(&bus->lock);
	err = add_locked(bus, ch, false);
	unlock(bus);
	return err;
}

void vmbus_channel_rescind(struct vmbus_channel *ch)
{
	struct vmbus *bus = ch->bus;

	spin_lock(&bus->lock);
	vmbus_server_rescind(&bus->server, ch);
	unlock(bus);
}

bool vmbus_channel_gone(const struct vmbus_channel *ch)
{
	return __atomic_load_n(&ch->relid, __ATOMIC_ACQUIRE) == 0;
}

/* --- from the guest --- */

static enum hv_status message(
        struct vmbus *bus, uint32_t connection, uint32_t type, const void *payload, uint32_t size)
{
	bool taken;

	if (type != VMBUS_MESSAGE_TYPE) {
		return HV_STATUS_INVALID_PARAMETER;
	}
	spin_lock(&bus->lock);
	taken = vmbus_server_message(&bus->server, connection, payload, size);
	unlock(bus);
	return taken ? HV_STATUS_SUCCESS : HV_STATUS_INSUFFICIENT_BUFFERS;
}

static enum hv_status message_1(void *owner, uint32_t type, const void *payload, uint32_t size)
{
	return message(owner, VMBUS_MESSAGE_CONNECTION, type, payload, size);
}

static enum hv_status message_4(void *owner, uint32_t type, const void *payload, uint32_t size)
{
	return message(owner, VMBUS_MESSAGE_CONNECTION_4, type, payload, size);
}

static enum hv_status event(void *owner, uint32_t connection_id, uint16_t flag)
{
	struct vmbus_channel *ch = channel_of(owner, connection_id - VMBUS_SIGNAL_CONNECTION(0));

	(void)flag;
	if (!ch) {
		return HV_STATUS_INVALID_CONNECTION_ID;
	}
	channel_run(ch, RUN_SIGNAL);
	return HV_STATUS_SUCCESS;
}

/* Versions without a connection for each channel: the bits in the page say which. */
static enum hv_status event_any(void *owner, uint32_t connection_id, uint16_t flag)
{
	struct vmbus *bus = owner;
	uint64_t *page = (uint64_t *)__atomic_load_n(&bus->interrupt_page, __ATOMIC_ACQUIRE);

	(void)connection_id;
	(void)flag;
	if (!page) {
		return HV_STATUS_SUCCESS;
	}
	for (unsigned word = 0; word < RELID_WORDS; word++) {
		uint64_t set = __atomic_exchange_n(&page[TO_HOST_WORD + word], 0, __ATOMIC_SEQ_CST);

		for (; set; set &= set - 1) {
			struct vmbus_channel *ch = channel_of(bus, word * 64 + bit_first(set));

			if (ch) {
				channel_run(ch, RUN_SIGNAL);
			}
		}
	}
	return HV_STATUS_SUCCESS;
}

static const struct {
	uint32_t first, last;
	struct synic_port_ops ops;
} ports[] = {
        {VMBUS_MESSAGE_CONNECTION, VMBUS_MESSAGE_CONNECTION, {.message = message_1}},
        {VMBUS_EVENT_CONNECTION, VMBUS_EVENT_CONNECTION, {.event = event_any}},
        {VMBUS_MESSAGE_CONNECTION_4, VMBUS_MESSAGE_CONNECTION_4, {.message = message_4}},
        {VMBUS_SIGNAL_CONNECTION(1), VMBUS_SIGNAL_CONNECTION(VMBUS_MAX_CHANNELS), {.event = event}},
};

/* --- to the guest --- */

void vmbus_interrupt(const struct vmbus_channel *ch)
{
	struct vmbus *bus = ch->bus;
	uint64_t *page;

	if (ch->target_vp == VMBUS_NO_VP) {
		return;
	}
	/* A connection stays as it is while a channel of it is open. */
	if (vmbus_server_version(&bus->server) >= VMBUS_VERSION_WIN8) {
		(void)!synic_signal_event(bus->vm, ch->target_vp, VMBUS_SINT, ch->relid);
		return;
	}
	page = (uint64_t *)__atomic_load_n(&bus->interrupt_page, __ATOMIC_ACQUIRE);
	if (page) {
		__atomic_fetch_or(&page[ch->relid / 64], BIT64(ch->relid % 64), __ATOMIC_SEQ_CST);
		(void)!synic_signal_event(bus->vm, bus->server.vp, VMBUS_SINT, 0);
	}
}

/* --- later --- */

void vmbus_look_later(struct vmbus_channel *ch, uint64_t wait_ns)
{
	struct vmbus *bus = ch->bus;
	uint64_t deadline_ns = vm_clock_now(bus->vm) + wait_ns, bit = bit_of(ch), before;

	if (bit == 0) {
		return;
	}
	spin_lock(&bus->timer_lock);
	before = __atomic_fetch_or(&bus->masked, bit, __ATOMIC_SEQ_CST);
	if (!(before & bit) || deadline_ns < bus->look_ns[bit_first(bit)]) {
		bus->look_ns[bit_first(bit)] = deadline_ns;
	}
	if (before == 0 || deadline_ns < bus->timer.deadline_ns) {
		vm_timer_arm(&bus->timer, deadline_ns);
	}
	spin_unlock(&bus->timer_lock);
}

void vmbus_drain_later(struct vmbus_channel *ch, uint64_t wait_ns)
{
	const struct vm *vm = ch->bus->vm;

	vmbus_look_later(ch, wait_ns);
	for (unsigned i = 0; i < vm->n_vcpus; i++) {
		vcpu_request_idle(vm->vcpus[i]);
	}
}

bool vmbus_guest_runs(const struct vmbus *bus)
{
	for (unsigned i = 0; i < bus->vm->n_vcpus; i++) {
		if (__atomic_load_n(&bus->vm->vcpus[i]->state, __ATOMIC_RELAXED) == VCPU_RUNNABLE) {
			return true;
		}
	}
	return false;
}

static void drain(struct vmbus *bus)
{
	run_all(bus, __atomic_exchange_n(&bus->masked, 0, __ATOMIC_SEQ_CST), RUN_HALT);
}

/* Those whose time has come: a look too early sees less than would have come together. */
static void drain_by_timer(void *arg)
{
	struct vmbus *bus = arg;
	uint64_t soon_ns = vm_clock_now(bus->vm) + VMBUS_LOOK_NS, next_ns = TIMER_NEVER, due = 0;

	spin_lock(&bus->timer_lock);
	for (uint64_t set = __atomic_load_n(&bus->masked, __ATOMIC_SEQ_CST); set; set &= set - 1) {
		uint64_t at = bus->look_ns[bit_first(set)];

		if (at < soon_ns) {
			due |= set & -set;
		} else if (at < next_ns) {
			next_ns = at;
		}
	}
	due &= __atomic_fetch_and(&bus->masked, ~due, __ATOMIC_SEQ_CST);
	if (next_ns != TIMER_NEVER) {
		vm_timer_arm(&bus->timer, next_ns);
	}
	spin_unlock(&bus->timer_lock);
	run_all(bus, due, RUN_DRAIN);
}

/* Where its interrupts go, its work is best done. */
static void request_serve(struct vmbus_channel *ch)
{
	const struct vm *vm = ch->bus->vm;
	uint32_t vp = __atomic_load_n(&ch->target_vp, __ATOMIC_RELAXED);

	vcpu_request(vm->vcpus[vp < vm->n_vcpus ? vp : 0], VCPU_REQ_PV);
}

void vmbus_kick(struct vmbus_channel *ch)
{
	uint32_t relid = __atomic_load_n(&ch->relid, __ATOMIC_RELAXED);

	/* Opening it looks at it, too. */
	if (relid != 0 && __atomic_load_n(&ch->is_open, __ATOMIC_SEQ_CST) &&
	        !(__atomic_fetch_or(&ch->bus->kicked, BIT64(relid - 1), __ATOMIC_SEQ_CST) &
	                BIT64(relid - 1))) {
		request_serve(ch);
	}
}

bool vmbus_add_sub(struct vmbus_channel *ch, struct vmbus_channel *sub)
{
	struct vmbus *bus = ch->bus;
	bool there;

	spin_lock(&bus->subs_lock);
	there = __atomic_load_n(&sub->relid, __ATOMIC_ACQUIRE) != 0;
	if (!there && !sub->primary && vmbus_server_promise(&bus->server)) {
		struct vmbus_channel **end = &bus->subs;

		while (*end) {
			end = &(*end)->next_sub;
		}
		sub->primary = ch;
		sub->next_sub = NULL;
		__atomic_store_n(end, sub, __ATOMIC_RELEASE);
	}
	there |= sub->primary != NULL;
	spin_unlock(&bus->subs_lock);
	if (there) {
		request_serve(ch);
	}
	return there;
}

/* It looks again when it halts the next time, not now; if it does not halt, as soon as it has seen
 * its interrupt. */
static void sleep_on(struct vcpu *vcpu)
{
	uint64_t requests = __atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED);

	if ((requests & VCPU_IDLE_REQUESTS) && !(requests & VCPU_EVENT_REQUESTS)) {
		__atomic_fetch_and(&vcpu->requests, ~VCPU_IDLE_REQUESTS, __ATOMIC_SEQ_CST);
	}
}

static void serve(struct vcpu *vcpu)
{
	struct vmbus *bus = vmbus_of(vcpu->vm);

	run_all(bus, __atomic_exchange_n(&bus->kicked, 0, __ATOMIC_SEQ_CST), RUN_KICK);
	if (__atomic_load_n(&bus->messages_wait, __ATOMIC_SEQ_CST) ||
	        __atomic_load_n(&bus->subs, __ATOMIC_ACQUIRE)) {
		spin_lock(&bus->lock);
		add_subs_locked(bus);
		unlock(bus);
	}
	if (!__atomic_load_n(&bus->masked, __ATOMIC_RELAXED)) {
		return;
	}
	if (vcpu->state == VCPU_RUNNABLE) {
		vcpu_request_idle(vcpu);
	} else if (vcpu->state == VCPU_HALTED) {
		drain(bus);
		sleep_on(vcpu);
	}
}

/* --- the server's outside --- */

static int post(void *owner, uint32_t vp, uint32_t sint, const void *msg, uint32_t size)
{
	const struct vmbus *bus = owner;

	return synic_post_message(bus->vm, vp, sint, VMBUS_MESSAGE_TYPE, 0, msg, size);
}

static int begin(
        void *owner, struct vmbus_channel *ch, uint32_t out_offset_pages, const uint8_t *user)
{
	struct vmbus *bus = owner;
	int err = channel_begin(ch, out_offset_pages, user);

	if (!err) {
		/* A kick of an earlier life may never have been served. */
		__atomic_fetch_and(&bus->kicked, ~bit_of(ch), __ATOMIC_SEQ_CST);
		vmbus_kick(ch);
	}
	return err;
}

static void end(void *owner, struct vmbus_channel *ch)
{
	channel_end(ch);
	forget_subs(owner, ch);
}

static void retarget(void *owner, struct vmbus_channel *ch, uint32_t vp)
{
	(void)owner;
	channel_retarget(ch, vp);
}

static void gpadl_gone(void *owner, struct vmbus_channel *ch, struct gpadl *g)
{
	(void)owner;
	channel_gpadl_gone(ch, g);
}

static bool interrupt_page(void *owner, uint64_t at)
{
	struct vmbus *bus = owner;
	struct gmem_span span = {.hva = NULL};

	if (at != 0 &&
	        (gmem_map_ram(&bus->vm->mem, gpa(at), PAGE_SIZE, &span) || span.len < PAGE_SIZE)) {
		return false;
	}
	__atomic_store_n(&bus->interrupt_page, span.hva, __ATOMIC_RELEASE);
	return true;
}

static void trace(void *owner, bool from_guest, const void *msg, uint32_t size, const char *remark)
{
	struct vmbus *bus = owner;

	bool on = __atomic_load_n(&bus->trace, __ATOMIC_RELAXED);

	if (on || remark) {
		vmbus_trace_message(bus, on ? LOG_INFO : LOG_DEBUG, from_guest, msg, size, remark);
	}
}

static const struct vmbus_server_ops server_ops = {
        .post = post,
        .begin = begin,
        .end = end,
        .retarget = retarget,
        .gpadl_gone = gpadl_gone,
        .interrupt_page = interrupt_page,
        .trace = trace,
};

/* --- the VM's part --- */

static void quiesce(struct vm *vm)
{
	struct vmbus *bus = vmbus_of(vm);

	spin_lock(&bus->lock);
	vmbus_server_reset(&bus->server);
	unlock(bus);
	__atomic_store_n(&bus->kicked, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&bus->masked, 0, __ATOMIC_SEQ_CST);
	spin_lock(&bus->timer_lock);
	vm_timer_cancel(&bus->timer);
	spin_unlock(&bus->timer_lock);
}

static void dump(struct vm *vm, struct out *out)
{
	vmbus_dump(vmbus_of(vm), out);
}

static void set_trace(struct vm *vm, bool on)
{
	__atomic_store_n(&vmbus_of(vm)->trace, on, __ATOMIC_RELAXED);
}

static const struct pv_bus_ops bus_ops = {
        .serve = serve,
        .quiesce = quiesce,
        .dump = dump,
        .trace = set_trace,
};

uint64_t vmbus_memory_pages(void)
{
	return (sizeof(struct vmbus) + PAGE_MASK) >> PAGE_SHIFT;
}

int vmbus_attach(struct vm *vm, void *memory, uint32_t max_version)
{
	struct vmbus *bus = memory;
	int err = 0;

	bus->vm = vm;
	vmbus_server_init(&bus->server, &server_ops, bus, &vm->mem, vm->n_vcpus, max_version,
	        bus->gpadl_pool);
	vm_timer_init(&bus->timer, vm, drain_by_timer, bus);
	for (unsigned i = 0; !err && i < ARRAY_SIZE(ports); i++) {
		err = synic_port_add(vm, ports[i].first, ports[i].last, &ports[i].ops, bus);
	}
	if (!err) {
		vm->bus = bus;
		vm->bus_ops = &bus_ops;
	}
	return err;
}
