// SPDX-License-Identifier: BSD-2-Clause
/*
 * Sequences of what hosts and two vCPUs do with a SynIC: post, signal, free a slot, EOM, EOI, mask,
 * move a vector, switch off and on, INIT and reset, in any order; a guest that keeps the rules and
 * one that forgets EOM. Beside it runs the simplest model there is: a list for each source.
 *
 * What must hold: messages come once, in order, none is lost; while one waits behind a full slot
 * its "pending" flag is set; what arrives interrupts; a flag interrupts when it was clear.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/hv_world.h"
#include "vmm/lib/err.h"
#include "vmm/pv.h"

#define ALL ((1U << HV_FEATURE_COUNT) - 1)
#define MAX_STEPS 400U
#define VPS 2U
#define SINTS 3U
#define PAGE_OF(vp, n) (0x300000ULL + (vp)*0x4000 + (n)*PAGE_SIZE)

enum op {
	OP_POST,
	OP_POST_AGAIN,
	OP_SIGNAL,
	OP_FREE,
	OP_EOM,
	OP_INTERRUPT,
	OP_EOI,
	OP_SINT,
	OP_SWITCH,
	OP_INIT,
	OP_RESET,
	OP_COUNT
};

struct source {
	const uint8_t *data;
	size_t left;
};

/* What was accepted and not taken yet; the first of them may lie in the slot. */
struct queue {
	uint64_t senders[SYNIC_QUEUE + 1];
	unsigned n;
	bool in_slot;
	bool owes_eom; /* the guest has freed the slot, and has not told us */
};

static struct vm *vm;
static struct queue queues[VPS][SINTS];
static uint64_t next_sender;
static int taken; /* the vector that went into the guest in this step, or -1 */

static unsigned take(struct source *s)
{
	if (s->left == 0) {
		return 0;
	}
	s->left--;
	return *s->data++;
}

static struct synic *synic_of(unsigned vp)
{
	return &hv_vcpu(vm->vcpus[vp])->synic;
}

static struct hv_message *slot_of(unsigned vp, unsigned sint)
{
	return (struct hv_message *)synic_of(vp)->message_page + sint;
}

static bool messages_on(unsigned vp, unsigned sint)
{
	const struct synic *s = synic_of(vp);

	return (s->scontrol & 1) && (s->simp & 1) && !(s->sints[sint].msr & HV_SINT_MASKED);
}

static bool requested(unsigned vp, unsigned vector)
{
	const struct lapic *apic = &vm->vcpus[vp]->lapic;
	const uint32_t *irr = (const uint32_t *)(apic->regs + LAPIC_IRR + vector / 32 * 16);

	return (apic->pir[vector / 64] & BIT64(vector % 64)) || (*irr & BIT(vector % 32));
}

static void check_interrupts(unsigned vp, unsigned sint)
{
	uint64_t msr = synic_of(vp)->sints[sint].msr;

	FUZZ_CHECK((msr & (HV_SINT_MASKED | HV_SINT_POLLING)) ||
	           !lapic_enabled(&vm->vcpus[vp]->lapic) || taken == (int)(msr & HV_SINT_VECTOR) ||
	           requested(vp, (unsigned)(msr & HV_SINT_VECTOR)));
}

/* After each step: what has arrived, and what still waits. */
static void check_queue(unsigned vp, unsigned sint)
{
	struct queue *q = &queues[vp][sint];
	const struct hv_message *slot = slot_of(vp, sint);
	bool full = slot->type != HV_MESSAGE_NONE;

	if (full && !q->in_slot) {
		FUZZ_CHECK(q->n > 0 && slot->sender == q->senders[0]);
		FUZZ_CHECK(slot->payload[slot->payload_size - 1] == (uint8_t)slot->sender);
		q->in_slot = true;
		q->owes_eom = false;
		check_interrupts(vp, sint);
	}
	FUZZ_CHECK(full == q->in_slot);
	FUZZ_CHECK(synic_of(vp)->sints[sint].count == q->n - q->in_slot);
	if (q->n > q->in_slot && messages_on(vp, sint)) {
		FUZZ_CHECK(full ? (slot->flags & HV_MESSAGE_FLAG_PENDING) != 0 : q->owes_eom);
	}
}

static void pop(struct queue *q)
{
	q->n--;
	memmove(q->senders, q->senders + 1, q->n * sizeof(q->senders[0]));
	q->in_slot = false;
}

static void post(unsigned vp, unsigned sint, unsigned size)
{
	struct queue *q = &queues[vp][sint];
	uint8_t payload[HV_MESSAGE_PAYLOAD];
	unsigned waiting = 0;
	int err;

	for (unsigned i = 0; i < SINTS; i++) {
		waiting += queues[vp][i].n - queues[vp][i].in_slot;
	}
	size = size % HV_MESSAGE_PAYLOAD + 1;
	memset(payload, (int)next_sender, size);
	err = synic_post_message(vm, vp, sint, 1, next_sender, payload, size);
	if (q->n - q->in_slot == SYNIC_QUEUE || waiting == SYNIC_POOL) {
		FUZZ_CHECK(err == -EAGAIN);
		return;
	}
	FUZZ_CHECK(err == 0);
	q->senders[q->n++] = next_sender++;
}

static void signal_event(unsigned vp, unsigned sint, unsigned flag)
{
	const struct synic *s = synic_of(vp);
	uint8_t *byte = s->event_page + sint * (HV_EVENT_FLAGS / 8) + flag / 8;
	bool before = *byte >> flag % 8 & 1;
	bool on = (s->scontrol & 1) && (s->siefp & 1) && !(s->sints[sint].msr & HV_SINT_MASKED);

	FUZZ_CHECK(synic_signal_event(vm, vp, sint, flag) == (on ? 0 : -ENXIO));
	FUZZ_CHECK((*byte >> flag % 8 & 1) == (before || on));
	if (on && !before) {
		check_interrupts(vp, sint);
	}
	if (flag & 1) {
		*byte = 0; /* the guest has seen it */
	}
}

/* The guest reads its message, frees the slot, and then looks whether more waits. */
static void free_slot(unsigned vp, unsigned sint, bool polite)
{
	struct queue *q = &queues[vp][sint];
	struct hv_message *slot = slot_of(vp, sint);

	if (!q->in_slot) {
		return;
	}
	FUZZ_CHECK(slot->sender == q->senders[0]);
	slot->type = HV_MESSAGE_NONE;
	pop(q);
	q->owes_eom = (slot->flags & HV_MESSAGE_FLAG_PENDING) != 0 || !messages_on(vp, sint);
	if (q->owes_eom && polite) {
		FUZZ_CHECK(hv_msr_write(vm->vcpus[vp], HV_MSR_EOM, 0));
		q->owes_eom = !messages_on(vp, sint);
	}
}

static void eom(unsigned vp)
{
	FUZZ_CHECK(hv_msr_write(vm->vcpus[vp], HV_MSR_EOM, 0));
	for (unsigned i = 0; i < SINTS; i++) {
		queues[vp][i].owes_eom &= !messages_on(vp, i);
	}
}

/* The end of a handler; by the assist page where it says so. */
static void eoi(unsigned vp)
{
	uint32_t *assist = (uint32_t *)hv_vcpu(vm->vcpus[vp])->assist_page;

	if (*assist & HV_APIC_ASSIST_NO_EOI) {
		*assist &= ~HV_APIC_ASSIST_NO_EOI;
	} else {
		lapic_write(&vm->vcpus[vp]->lapic, LAPIC_EOI, 0);
	}
}

static void write_sint(unsigned vp, unsigned sint, unsigned how)
{
	uint64_t msr = 0x30 + (how & 3) * 0x10 + (how & 4 ? HV_SINT_MASKED : 0) +
	               (how & 0x18 ? 0 : HV_SINT_POLLING) + (how & 0x60 ? 0 : HV_SINT_AUTO_EOI);

	FUZZ_CHECK(hv_msr_write(vm->vcpus[vp], HV_MSR_SINT0 + sint, msr));
	queues[vp][sint].owes_eom &= !messages_on(vp, sint);
}

/* A page that is switched on is empty: what lay in it is gone. */
static void switch_something(unsigned vp, unsigned what)
{
	static const uint32_t msrs[] = {
	        HV_MSR_SCONTROL, HV_MSR_SIMP, HV_MSR_SIEFP, HV_MSR_VP_ASSIST_PAGE};
	unsigned i = what % ARRAY_SIZE(msrs);
	bool on = what & 0x80;
	bool cleared = msrs[i] == HV_MSR_SIMP && on && !(synic_of(vp)->simp & 1);

	for (unsigned sint = 0; cleared && sint < SINTS; sint++) {
		if (queues[vp][sint].in_slot) {
			pop(&queues[vp][sint]);
		}
	}
	FUZZ_CHECK(hv_msr_write(vm->vcpus[vp], msrs[i], i == 0 ? on : PAGE_OF(vp, i) | on));
	for (unsigned sint = 0; i < 2 && sint < SINTS; sint++) {
		queues[vp][sint].owes_eom &= !messages_on(vp, sint);
	}
}

static void start(unsigned vp)
{
	struct vcpu *vcpu = vm->vcpus[vp];
	bool ok = true;

	lapic_write(&vcpu->lapic, LAPIC_SVR, 0x1ff);
	ok &= hv_msr_write(vcpu, HV_MSR_SCONTROL, 1);
	ok &= hv_msr_write(vcpu, HV_MSR_SIMP, PAGE_OF(vp, 1) | 1);
	ok &= hv_msr_write(vcpu, HV_MSR_SIEFP, PAGE_OF(vp, 2) | 1);
	ok &= hv_msr_write(vcpu, HV_MSR_VP_ASSIST_PAGE, PAGE_OF(vp, 3) | 1);
	for (unsigned i = 0; i < SINTS; i++) {
		ok &= hv_msr_write(vcpu, HV_MSR_SINT0 + i, 0x40 + i / 2 * 0x10);
	}
	FUZZ_CHECK(ok);
}

static void one_step(struct source *s)
{
	unsigned op = take(s), how = take(s);
	unsigned vp = op >> 7, sint = how % SINTS;
	struct vcpu *vcpu = vm->vcpus[vp];
	int vector;

	pcpu_this()->loaded = vcpu;
	taken = -1;
	switch ((enum op)((op & 0x7f) % OP_COUNT)) {
	case OP_POST:
	case OP_POST_AGAIN:
		post(vp, sint, how);
		break;
	case OP_SIGNAL:
		signal_event(vp, sint, how * 8 + (how & 7));
		break;
	case OP_FREE:
		free_slot(vp, sint, how & 0x80);
		break;
	case OP_EOM:
		eom(vp);
		break;
	case OP_INTERRUPT:
		vector = lapic_pending(&vcpu->lapic);
		FUZZ_CHECK(vector == -1 || vector >= 16);
		if (vector >= 0) {
			lapic_ack(&vcpu->lapic, (uint8_t)vector);
			taken = vector;
		}
		break;
	case OP_EOI:
		eoi(vp);
		break;
	case OP_SINT:
		write_sint(vp, sint, how / SINTS);
		break;
	case OP_SWITCH:
		switch_something(vp, how);
		break;
	case OP_INIT:
		vm->pv->vcpu_reset(vcpu, false);
		lapic_reset(&vcpu->lapic, false);
		lapic_write(&vcpu->lapic, LAPIC_SVR, 0x1ff);
		break;
	case OP_RESET:
		if (how == 0xff) {
			vm->pv->vcpu_reset(vcpu, true);
			lapic_reset(&vcpu->lapic, true);
			memset(queues[vp], 0, sizeof(queues[vp]));
			start(vp);
		}
		break;
	case OP_COUNT:
		break;
	}
	for (unsigned v = 0; v < VPS; v++) {
		for (unsigned i = 0; i < SINTS; i++) {
			check_queue(v, i);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct source s = {.data = data, .left = len};

	*fake_caps() = (struct virt_caps){0};
	fake_caps()->apic.tpr_shadow = fake_caps()->apic.intr_delivery = take(&s) & 1;
	fake_log_clear();
	vm = hv_world(VPS, ALL);
	memset(queues, 0, sizeof(queues));
	next_sender = 1;
	for (unsigned vp = 0; vp < VPS; vp++) {
		pcpu_this()->loaded = vm->vcpus[vp];
		start(vp);
	}
	for (unsigned i = 0; i < MAX_STEPS && s.left > 0; i++) {
		one_step(&s);
	}
	return 0;
}
