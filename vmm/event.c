// SPDX-License-Identifier: BSD-2-Clause
// Decides which event a vCPU takes at its next entry.
// Specs: [SDM3] "Priority Among Concurrent Events", "Conditions for Generating a Double Fault",
// "Information for VM Exits That Occur During Event Delivery", "Masking External Interrupts".
#include "vmm/event.h"
#include "vmm/cpu_virt.h"
#include "vmm/lapic.h"
#include "vmm/lib/bits.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"
#include "vmm/x86.h"

/* vcpu->windows */
#define WINDOW_INTR BIT(0)
#define WINDOW_NMI BIT(1)

/* [SDM3] table "Interrupt and Exception Classes". */
enum fault_class { FAULT_BENIGN, FAULT_CONTRIBUTORY, FAULT_PAGE, FAULT_DOUBLE };

static enum fault_class class_of(const struct event *event)
{
	if (event->type != EVENT_EXCEPTION) {
		return FAULT_BENIGN;
	}
	switch (event->vector) {
	case X86_DE:
	case X86_TS:
	case X86_NP:
	case X86_SS:
	case X86_GP:
	case X86_CP:
		return FAULT_CONTRIBUTORY;
	case X86_PF:
	case X86_VE:
		return FAULT_PAGE;
	case X86_DF:
		return FAULT_DOUBLE;
	default:
		return FAULT_BENIGN;
	}
}

/* [SDM3] table "Conditions for Generating a Double Fault": row = first, column = second. */
enum verdict { SECOND, DOUBLE, SHUTDOWN };

static const uint8_t verdicts[4][4] = {
        [FAULT_BENIGN] = {SECOND, SECOND, SECOND, SECOND},
        [FAULT_CONTRIBUTORY] = {SECOND, DOUBLE, SECOND, SECOND},
        [FAULT_PAGE] = {SECOND, DOUBLE, DOUBLE, SECOND},
        /* Stricter than the table: what faults beside a double fault gets no second chance. */
        [FAULT_DOUBLE] = {SHUTDOWN, SHUTDOWN, SHUTDOWN, SHUTDOWN},
};

static bool merge(struct vcpu *vcpu, const struct event *first, const struct event *second)
{
	switch ((enum verdict)verdicts[class_of(first)][class_of(second)]) {
	case SECOND:
		/* An interrupt whose delivery faulted is lost, as it is on a processor. */
		vcpu->pending = *second;
		return true;
	case DOUBLE:
		vcpu->pending = (struct event){
		        .type = EVENT_EXCEPTION,
		        .vector = X86_DF,
		        /* Real mode pushes no error codes. */
		        .has_error = (cpu_virt->get_reg(vcpu, REG_CR0) & CR0_PE) != 0,
		};
		return true;
	case SHUTDOWN:
		break;
	}
	vcpu->pending.type = EVENT_NONE;
	return false;
}

bool event_queue_exception(struct vcpu *vcpu, uint8_t vector, bool has_error, uint32_t error)
{
	const struct event event = {
	        .type = EVENT_EXCEPTION,
	        .vector = vector,
	        .has_error = has_error,
	        .error = error,
	};
	struct event first = vcpu->pending;

	vcpu->attention = 1;
	if (first.type == EVENT_NONE) {
		vcpu->pending = event;
		return true;
	}
	return merge(vcpu, &first, &event);
}

void event_requeue(struct vcpu *vcpu, const struct event *event)
{
	/* A fault of the exit itself came later than what it interrupted, and has precedence. */
	if (vcpu->pending.type == EVENT_NONE) {
		vcpu->pending = *event;
		vcpu->attention = 1;
	}
}

void event_reset(struct vcpu *vcpu)
{
	vcpu->pending = (struct event){.type = EVENT_NONE};
	__atomic_store_n(&vcpu->nmi_pending, 0, __ATOMIC_RELAXED);
	vcpu->windows = 0;
	vcpu->attention = 1;
}

static void inject(struct vcpu *vcpu, const struct event *event)
{
	if (event->type == EVENT_EXTINT || event->type == EVENT_NMI) {
		vcpu->stats.injected_interrupts++;
	} else {
		vcpu->stats.injected_exceptions++;
	}
	cpu_virt->inject(vcpu, event);
}

/* Is it the 8259 pair's turn? A message that asked for it is good for one look. */
static bool extint_waits(struct vcpu *vcpu)
{
	struct lapic *apic = &vcpu->lapic;

	if (!lapic_extint_open(apic)) {
		return false;
	}
	if (irq_extint_pending(&vcpu->vm->irq)) {
		return true;
	}
	__atomic_store_n(&apic->extint_msg, 0, __ATOMIC_RELAXED);
	return false;
}

static int lapic_waits(struct vcpu *vcpu)
{
	struct lapic *apic = &vcpu->lapic;

	if (apic->hw_delivery) {
		lapic_fold(apic); /* the processor delivers */
		return -1;
	}
	return lapic_pending(apic);
}

/* One external interrupt, if there is one and it can go in now. true = something is left over. */
static bool deliver_interrupt(struct vcpu *vcpu, bool busy)
{
	struct event event = {.type = EVENT_EXTINT};
	bool extint = extint_waits(vcpu);
	int vector = lapic_waits(vcpu);

	if (!extint && vector < 0) {
		return false;
	}
	if (busy || !cpu_virt->intr_open(vcpu)) {
		return true;
	}
	if (extint) {
		__atomic_store_n(&vcpu->lapic.extint_msg, 0, __ATOMIC_RELAXED);
		event.vector = irq_extint_ack(&vcpu->vm->irq);
	} else {
		event.vector = (uint8_t)vector;
		lapic_ack(&vcpu->lapic, event.vector);
	}
	inject(vcpu, &event);
	return extint_waits(vcpu) || lapic_waits(vcpu) >= 0;
}

/* true = one was delivered; *waits = one is left over. */
static bool deliver_nmi(struct vcpu *vcpu, bool busy, bool *waits)
{
	static const struct event nmi = {.type = EVENT_NMI, .vector = X86_NMI};
	uint32_t left = __atomic_load_n(&vcpu->nmi_pending, __ATOMIC_ACQUIRE);

	*waits = left != 0;
	if (left == 0 || busy) {
		return false;
	}
	if (cpu_virt->nmi_blocked(vcpu)) {
		/* [SDM3] "Handling Multiple NMIs": one is latched; those that came beside it are
		 * lost. */
		__atomic_store_n(&vcpu->nmi_pending, 1, __ATOMIC_RELAXED);
		return false;
	}
	left = __atomic_sub_fetch(&vcpu->nmi_pending, 1, __ATOMIC_RELAXED);
	*waits = left != 0;
	inject(vcpu, &nmi);
	return true;
}

static __attribute__((noinline)) void prepare(struct vcpu *vcpu)
{
	bool busy = false, nmi_waits, intr_waits;
	uint32_t windows;

	/* First forget the requests, then look: what comes later asks again. */
	if (__atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED) & VCPU_EVENT_REQUESTS) {
		__atomic_fetch_and(&vcpu->requests, ~VCPU_EVENT_REQUESTS, __ATOMIC_SEQ_CST);
	}
	if (vcpu->pending.type != EVENT_NONE) {
		inject(vcpu, &vcpu->pending);
		vcpu->pending.type = EVENT_NONE;
		busy = true;
	}
	busy |= deliver_nmi(vcpu, busy, &nmi_waits);
	intr_waits = deliver_interrupt(vcpu, busy);

	windows = (intr_waits ? WINDOW_INTR : 0) | (nmi_waits ? WINDOW_NMI : 0);
	if (windows != vcpu->windows) {
		vcpu->windows = windows;
		cpu_virt->request_window(vcpu, intr_waits, nmi_waits);
	}
	/* What waits for a window is looked at again before each entry. */
	vcpu->attention = windows != 0;
}

void event_prepare_entry(struct vcpu *vcpu)
{
	if (vcpu->attention |
	        (__atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED) & VCPU_EVENT_REQUESTS)) {
		prepare(vcpu);
	}
}

bool event_wakes(struct vcpu *vcpu)
{
	const uint64_t start = BIT64(VCPU_REQ_INIT) | BIT64(VCPU_REQ_SIPI);

	if (vcpu->pending.type != EVENT_NONE ||
	        (__atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE) & start)) {
		return true;
	}
	if (__atomic_load_n(&vcpu->nmi_pending, __ATOMIC_ACQUIRE) && !cpu_virt->nmi_blocked(vcpu)) {
		return true;
	}
	if (!vcpu->wakes_masked && !(cpu_virt->get_reg(vcpu, REG_RFLAGS) & RFLAGS_IF)) {
		return false;
	}
	return lapic_has_interrupt(&vcpu->lapic) ||
	       (lapic_extint_open(&vcpu->lapic) && irq_extint_pending(&vcpu->vm->irq));
}
