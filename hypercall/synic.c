// SPDX-License-Identifier: BSD-2-Clause
/*
 * The synthetic interrupt controller: messages wait in a queue until the guest has freed their
 * slot; event flags are set at once.
 *
 * The slots and flags lie in pages that the guest writes at the same time. The only word that
 * decides is a slot's type: it is written last when a message arrives, and read after 'pending' was
 * set, so that either the guest sees the flag when it frees the slot, or we see the free slot.
 *
 * Specs: [TLFS] "Synthetic Interrupt Controller", "SynIC Message Page", "SynIC Event Flags Page".
 */
#include "hypercall/synic.h"

#include "hypercall/hv.h"
#include "vmm/lapic.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

#define VECTOR_MIN 16U
#define ALL_FREE (~0U)
_Static_assert(SYNIC_POOL == 32, "the free ones are a 32-bit mask");

static struct synic *synic_of(struct vm *vm, uint32_t vp)
{
	return vm->pv_vm && vp < vm->n_vcpus ? &hv_vcpu(vm->vcpus[vp])->synic : NULL;
}

static struct hv_message *slot_of(const struct synic *synic, uint32_t sint)
{
	return (struct hv_message *)(synic->message_page + sint * HV_MESSAGE_SIZE);
}

static bool messages_on_locked(const struct synic *synic)
{
	return (synic->scontrol & HV_SCONTROL_ENABLE) && (synic->simp & HV_PAGE_MSR_ENABLE);
}

/* --- queues --- */

static bool enqueue_locked(struct synic *synic, uint32_t sint, const struct hv_message *message)
{
	struct synic_sint *s = &synic->sints[sint];
	uint8_t n;

	if (s->count == SYNIC_QUEUE || synic->free == 0) {
		synic->refused = true;
		return false;
	}
	n = (uint8_t)bit_first(synic->free);
	synic->free &= ~BIT(n);
	synic->pool[n] = *message;
	if (s->count == 0) {
		s->first = n;
	} else {
		synic->next[s->last] = n;
	}
	s->last = n;
	s->count++;
	synic->queued |= BIT(sint);
	return true;
}

static void dequeue_locked(struct synic *synic, uint32_t sint, struct hv_message *message)
{
	struct synic_sint *s = &synic->sints[sint];
	uint8_t n = s->first;

	*message = synic->pool[n];
	synic->free |= BIT(n);
	s->first = synic->next[n];
	s->count--;
	if (s->count == 0) {
		synic->queued &= ~BIT(sint);
	}
	if (synic->refused) {
		synic->refused = false;
		vcpu_request(synic->vcpu, VCPU_REQ_PV);
	}
}

/* A timer whose message waits for this source's slot, or -1. */
static int waiting_timer_locked(const struct synic *synic, uint32_t sint)
{
	for (unsigned i = 0; i < HV_STIMER_COUNT; i++) {
		if ((synic->timers_waiting & BIT(i)) && stimer_sint(synic->vcpu, i) == sint) {
			return (int)i;
		}
	}
	return -1;
}

static bool waiting_locked(const struct synic *synic, uint32_t sint)
{
	return synic->sints[sint].count > 0 || waiting_timer_locked(synic, sint) >= 0;
}

static void next_locked(struct synic *synic, uint32_t sint, struct hv_message *message)
{
	struct hv_timer_message payload;
	int timer;

	if (synic->sints[sint].count > 0) {
		dequeue_locked(synic, sint, message);
		return;
	}
	timer = waiting_timer_locked(synic, sint);
	synic->timers_waiting &= ~BIT(timer);
	stimer_message(synic->vcpu, (unsigned)timer, &payload);
	memset(message, 0, sizeof(*message));
	message->type = HV_MESSAGE_TIMER_EXPIRED;
	message->payload_size = sizeof(payload);
	memcpy(message->payload, &payload, sizeof(payload));
}

/* --- delivery --- */

static void interrupt_locked(struct synic *synic, uint32_t sint)
{
	uint64_t msr = synic->sints[sint].msr;

	if (!(msr & (HV_SINT_MASKED | HV_SINT_POLLING)) && lapic_enabled(&synic->vcpu->lapic)) {
		lapic_post(&synic->vcpu->lapic, (uint8_t)(msr & HV_SINT_VECTOR), false);
	}
}

static bool slot_free(struct hv_message *slot)
{
	return __atomic_load_n(&slot->type, __ATOMIC_SEQ_CST) == HV_MESSAGE_NONE;
}

static bool watched_locked(const struct synic *synic, uint8_t vector)
{
	for (uint32_t i = 0; i < HV_SINT_COUNT; i++) {
		const struct synic_sint *s = &synic->sints[i];

		if (s->watching && (s->msr & HV_SINT_VECTOR) == vector) {
			return true;
		}
	}
	return false;
}

/* While a message waits for a slot, the end of the interrupt is a moment to look again. Sources
 * may share a vector. */
static void watch_locked(struct synic *synic, uint32_t sint, bool on)
{
	struct synic_sint *s = &synic->sints[sint];
	uint8_t vector = (uint8_t)(s->msr & HV_SINT_VECTOR);

	if (s->watching != on) {
		s->watching = on;
		lapic_watch_eoi(&synic->vcpu->lapic, vector, watched_locked(synic, vector));
	}
}

/* Fill the guest's slot if something waits and the slot is free; tell the guest if it is not. */
static void deliver_locked(struct synic *synic, uint32_t sint)
{
	struct hv_message *slot = slot_of(synic, sint);
	struct hv_message message;

	if (!messages_on_locked(synic) || (synic->sints[sint].msr & HV_SINT_MASKED) ||
	        !waiting_locked(synic, sint)) {
		return;
	}
	if (!slot_free(slot)) {
		__atomic_fetch_or(&slot->flags, HV_MESSAGE_FLAG_PENDING, __ATOMIC_SEQ_CST);
		if (!slot_free(slot)) {
			watch_locked(synic, sint, true);
			return;
		}
	}
	next_locked(synic, sint, &message);
	message.flags = waiting_locked(synic, sint) ? HV_MESSAGE_FLAG_PENDING : 0;
	watch_locked(synic, sint, message.flags != 0);
	memcpy((uint8_t *)slot + sizeof(slot->type), (uint8_t *)&message + sizeof(message.type),
	        sizeof(message) - sizeof(message.type));
	__atomic_store_n(&slot->type, message.type, __ATOMIC_RELEASE);
	interrupt_locked(synic, sint);
}

static void deliver_all_locked(struct synic *synic)
{
	uint32_t sints = synic->queued;

	for (uint32_t timers = synic->timers_waiting; timers; timers &= timers - 1) {
		sints |= BIT(stimer_sint(synic->vcpu, bit_first(timers)));
	}
	for (; sints; sints &= sints - 1) {
		deliver_locked(synic, bit_first(sints));
	}
}

int synic_post_message(struct vm *vm, uint32_t vp, uint32_t sint, uint32_t type, uint64_t sender,
        const void *payload, uint32_t size)
{
	struct synic *synic = synic_of(vm, vp);
	struct hv_message message = {.type = type, .payload_size = (uint8_t)size, .sender = sender};
	bool queued;

	if (!synic || sint >= HV_SINT_COUNT || size > HV_MESSAGE_PAYLOAD ||
	        type == HV_MESSAGE_NONE) {
		return -EINVAL;
	}
	if (size > 0) {
		memcpy(message.payload, payload, size);
	}
	spin_lock(&synic->lock);
	queued = enqueue_locked(synic, sint, &message);
	if (queued) {
		deliver_locked(synic, sint);
	}
	spin_unlock(&synic->lock);
	return queued ? 0 : -EAGAIN;
}

int synic_signal_event(struct vm *vm, uint32_t vp, uint32_t sint, uint32_t flag)
{
	struct synic *synic = synic_of(vm, vp);
	int err = 0;

	if (!synic || sint >= HV_SINT_COUNT || flag >= HV_EVENT_FLAGS) {
		return -EINVAL;
	}
	spin_lock(&synic->lock);
	if (!(synic->scontrol & HV_SCONTROL_ENABLE) || !(synic->siefp & HV_PAGE_MSR_ENABLE) ||
	        (synic->sints[sint].msr & HV_SINT_MASKED)) {
		err = -ENXIO;
	} else {
		uint64_t *words = (uint64_t *)(synic->event_page + sint * (HV_EVENT_FLAGS / 8));
		uint64_t bit = BIT64(flag % 64);

		/* One that is set already is an interrupt the guest has not looked at yet. */
		if (!(__atomic_fetch_or(&words[flag / 64], bit, __ATOMIC_SEQ_CST) & bit)) {
			interrupt_locked(synic, sint);
		}
	}
	spin_unlock(&synic->lock);
	return err;
}

void synic_raise(struct vm *vm, uint32_t vp, uint32_t sint)
{
	struct synic *synic = synic_of(vm, vp);

	if (synic && sint < HV_SINT_COUNT) {
		spin_lock(&synic->lock);
		if (synic->scontrol & HV_SCONTROL_ENABLE) {
			interrupt_locked(synic, sint);
		}
		spin_unlock(&synic->lock);
	}
}

void synic_timer_expired(struct synic *synic, unsigned timer)
{
	spin_lock(&synic->lock);
	synic->timers_waiting |= BIT(timer);
	deliver_locked(synic, stimer_sint(synic->vcpu, timer));
	spin_unlock(&synic->lock);
}

void synic_timer_forget(struct synic *synic, unsigned timer)
{
	/* Only the own CPU sets bits, so a clear one stays clear: a guest's tick needs no lock. */
	if (__atomic_load_n(&synic->timers_waiting, __ATOMIC_RELAXED) & BIT(timer)) {
		spin_lock(&synic->lock);
		synic->timers_waiting &= ~BIT(timer);
		spin_unlock(&synic->lock);
	}
}

void synic_eoi(struct synic *synic, uint8_t vector)
{
	spin_lock(&synic->lock);
	for (uint32_t i = 0; i < HV_SINT_COUNT; i++) {
		if ((synic->sints[i].msr & HV_SINT_VECTOR) == vector) {
			deliver_locked(synic, i);
		}
	}
	spin_unlock(&synic->lock);
}

/* --- MSRs --- */

void synic_init(struct synic *synic, struct vcpu *vcpu, uint8_t *message_page, uint8_t *event_page)
{
	synic->vcpu = vcpu;
	synic->message_page = message_page;
	synic->event_page = event_page;
	synic_reset(synic);
}

void synic_reset(struct synic *synic)
{
	spin_lock(&synic->lock);
	synic->scontrol = 0;
	synic->siefp = 0;
	synic->simp = 0;
	synic->timers_waiting = 0;
	synic->free = ALL_FREE;
	synic->queued = 0;
	synic->refused = false;
	for (uint32_t i = 0; i < HV_SINT_COUNT; i++) {
		synic->sints[i] = (struct synic_sint){.msr = HV_SINT_RESET};
	}
	memset(synic->message_page, 0, PAGE_SIZE);
	memset(synic->event_page, 0, PAGE_SIZE);
	spin_unlock(&synic->lock);
}

bool synic_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	struct synic *synic = &hv_vcpu(vcpu)->synic;
	bool ok = true;

	spin_lock(&synic->lock);
	switch (msr) {
	case HV_MSR_SCONTROL:
		*value = synic->scontrol;
		break;
	case HV_MSR_SVERSION:
		*value = HV_SYNIC_VERSION;
		break;
	case HV_MSR_SIEFP:
		*value = synic->siefp;
		break;
	case HV_MSR_SIMP:
		*value = synic->simp;
		break;
	case HV_MSR_EOM:
		*value = 0;
		break;
	default:
		ok = msr >= HV_MSR_SINT0;
		if (ok) {
			*value = synic->sints[msr - HV_MSR_SINT0].msr;
		}
	}
	spin_unlock(&synic->lock);
	return ok;
}

/* One of the two pages: placed, and clean when it is switched on. */
static bool page_write(struct synic *synic, enum hv_vcpu_overlay overlay, uint64_t *msr,
        uint8_t *page, uint64_t value)
{
	struct vcpu *vcpu = synic->vcpu;

	if (!hv_page_place(vcpu->vm, hv_vcpu(vcpu)->overlays + overlay, value)) {
		return false;
	}
	spin_lock(&synic->lock);
	if ((value & HV_PAGE_MSR_ENABLE) && !(*msr & HV_PAGE_MSR_ENABLE)) {
		memset(page, 0, PAGE_SIZE);
	}
	*msr = value;
	deliver_all_locked(synic);
	spin_unlock(&synic->lock);
	return true;
}

/* A vector ends by itself when any open source that uses it says so. Own CPU. */
static void update_auto_eoi_locked(struct synic *synic)
{
	uint64_t want[4] = {0};

	for (uint32_t i = 0; i < HV_SINT_COUNT; i++) {
		uint64_t msr = synic->sints[i].msr;

		if ((msr & (HV_SINT_AUTO_EOI | HV_SINT_MASKED)) == HV_SINT_AUTO_EOI) {
			want[(msr & HV_SINT_VECTOR) / 64] |= BIT64((msr & HV_SINT_VECTOR) % 64);
		}
	}
	for (unsigned v = 0; v < 256; v++) {
		bool on = (want[v / 64] & BIT64(v % 64)) != 0;

		if (on != ((synic->vcpu->lapic.auto_eoi[v / 32] >> (v & 31) & 1))) {
			lapic_set_auto_eoi(&synic->vcpu->lapic, (uint8_t)v, on);
		}
	}
}

static bool sint_write(struct synic *synic, uint32_t sint, uint64_t value)
{
	if (!(value & HV_SINT_MASKED) && (value & HV_SINT_VECTOR) < VECTOR_MIN) {
		return false;
	}
	spin_lock(&synic->lock);
	watch_locked(synic, sint, false); /* by the old vector */
	synic->sints[sint].msr = value;
	update_auto_eoi_locked(synic);
	deliver_locked(synic, sint);
	spin_unlock(&synic->lock);
	return true;
}

bool synic_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	struct synic *synic = &hv_vcpu(vcpu)->synic;

	switch (msr) {
	case HV_MSR_SIEFP:
		return page_write(synic, HV_OVERLAY_SIEFP, &synic->siefp, synic->event_page, value);
	case HV_MSR_SIMP:
		return page_write(synic, HV_OVERLAY_SIMP, &synic->simp, synic->message_page, value);
	case HV_MSR_SCONTROL:
	case HV_MSR_EOM:
		spin_lock(&synic->lock);
		if (msr == HV_MSR_SCONTROL) {
			synic->scontrol = value;
		}
		deliver_all_locked(synic);
		spin_unlock(&synic->lock);
		return true;
	case HV_MSR_SVERSION:
		return false;
	default:
		return msr >= HV_MSR_SINT0 && sint_write(synic, msr - HV_MSR_SINT0, value);
	}
}

void synic_dump(const struct synic *synic, struct out *out)
{
	out_print(out, "  SynIC: control %#llx, messages %#llx, events %#llx\n",
	        (unsigned long long)synic->scontrol, (unsigned long long)synic->simp,
	        (unsigned long long)synic->siefp);
	for (uint32_t i = 0; i < HV_SINT_COUNT; i++) {
		const struct synic_sint *s = &synic->sints[i];

		if (s->msr != HV_SINT_RESET || s->count != 0) {
			out_print(out, "  SINT%u: %#llx, slot %s, %u queued\n", i,
			        (unsigned long long)s->msr,
			        slot_free(slot_of(synic, i)) ? "free" : "busy", s->count);
		}
	}
}
