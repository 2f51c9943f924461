// SPDX-License-Identifier: BSD-2-Clause
// Decides which event a vCPU takes at its next entry.
// Specs: [SDM3] "Priority Among Concurrent Events", "Conditions for Generating a Double Fault",
// "Information for VM Exits That Occur During Event Delivery", "Masking External Interrupts".
#include "vmm/event.h"
#include "vmm/cpu_virt.h"
#include "vmm/lapic_regs.h"
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

static __attribute__((noinline)) void inject(struct vcpu *vcpu, const struct event *event)
{
	if (event->type == EVENT_EXTINT || event->type == EVENT_NMI) {
		vcpu->stats.injected_interrupts++;
	} else {
		vcpu->stats.injected_exceptions++;
	}
	cpu_virt->inject(vcpu, event);
}

/* Is it the 8259 pair's turn? A message that asked for it is good for one look. */
static inline bool extint_waits(struct vcpu *vcpu)
{
	struct lapic *apic = &vcpu->lapic;
	/* Before the look at the pair: a message that comes after it is not the one that it
	 * answers. */
	bool msg = __atomic_load_n(&apic->extint_msg, __ATOMIC_ACQUIRE);

	if (irq_extint_pending(&vcpu->vm->irq)) {
		return msg || lapic_extint_open(apic);
	}
	if (msg) {
		__atomic_store_n(&apic->extint_msg, 0, __ATOMIC_RELAXED);
	}
	return false;
}

/* The 8259 pair's; it is its turn. true = another is left over. */
static __attribute__((noinline)) bool deliver_extint(struct vcpu *vcpu)
{
	uint8_t vector;

	if (!cpu_virt->intr_open(vcpu)) {
		return true;
	}
	__atomic_store_n(&vcpu->lapic.extint_msg, 0, __ATOMIC_RELAXED);
	vector = irq_extint_ack(&vcpu->vm->irq);
	vcpu->stats.injected_interrupts++;
	(void)cpu_virt->inject_interrupt(vcpu, vector);
	return extint_waits(vcpu);
}

/*
 * One of the local APIC's, if there is one and it can go in now. true = something is left over;
 * what others bring from now on asks for another look.
 */
static inline bool deliver_lapic(struct vcpu *vcpu)
{
	const int vector = lapic_pending(&vcpu->lapic);

	if (vector < 0) {
		return false;
	}
	if (!cpu_virt->inject_interrupt(vcpu, (unsigned)vector)) {
		vcpu->held_vector = (unsigned)vector;
		return true;
	}
	vcpu->stats.injected_interrupts++;
	if (!lapic_ack(&vcpu->lapic, (unsigned)vector)) {
		return false;
	}
	vcpu->held_vector = 0;
	return lapic_pending(&vcpu->lapic) >= 0;
}

/* One is pending. true = it was delivered; *waits = one is left over. */
static __attribute__((noinline)) bool deliver_nmi(struct vcpu *vcpu, bool busy, bool *waits)
{
	static const struct event nmi = {.type = EVENT_NMI, .vector = X86_NMI};
	uint32_t left;

	*waits = true;
	if (busy) {
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

/* What was delivered, or not, is settled; what is left over waits for a window. */
static inline void set_windows(struct vcpu *vcpu, bool intr, bool nmi)
{
	uint32_t windows = (intr ? WINDOW_INTR : 0) | (nmi ? WINDOW_NMI : 0);

	if (windows != vcpu->windows) {
		vcpu->windows = windows;
		cpu_virt->request_window(vcpu, intr, nmi);
	}
	/* What waits for a window is looked at again before each entry. */
	vcpu->attention = windows != 0;
}

/* Not only the local APIC has something: in the order of precedence, one. */
static __attribute__((noinline)) void prepare_all(struct vcpu *vcpu)
{
	bool busy = false, nmi_waits = false, extint, intr_waits;

	if (vcpu->pending.type != EVENT_NONE) {
		inject(vcpu, &vcpu->pending);
		vcpu->pending.type = EVENT_NONE;
		busy = true;
	}
	if (__atomic_load_n(&vcpu->nmi_pending, __ATOMIC_ACQUIRE)) {
		busy |= deliver_nmi(vcpu, busy, &nmi_waits);
	}
	extint = extint_waits(vcpu);
	if (busy || extint) {
		vcpu->held_vector = 0;
		/* In any case: a processor that delivers by itself has to be told. */
		intr_waits = lapic_pending(&vcpu->lapic) >= 0;
		intr_waits |= extint && (busy || deliver_extint(vcpu));
	} else {
		intr_waits = deliver_lapic(vcpu);
	}
	set_windows(vcpu, intr_waits, nmi_waits);
}

void event_prepare_entry(struct vcpu *vcpu, uint64_t requests)
{
	/* First forget the requests, then look: what comes later asks again. */
	if (requests & VCPU_EVENT_REQUESTS) {
		__atomic_fetch_and(&vcpu->requests, ~VCPU_EVENT_REQUESTS, __ATOMIC_SEQ_CST);
	}
	if (vcpu->pending.type != EVENT_NONE ||
	        __atomic_load_n(&vcpu->nmi_pending, __ATOMIC_ACQUIRE) || extint_waits(vcpu)) {
		prepare_all(vcpu);
	} else {
		set_windows(vcpu, deliver_lapic(vcpu), false);
	}
}

bool event_held_wakes(struct vcpu *vcpu)
{
	/* Since the entry only the guest's own TPR and flag can have changed. */
	return (vcpu->windows & WINDOW_INTR) && lapic_above_tpr(&vcpu->lapic, vcpu->held_vector) &&
	       (cpu_virt->get_reg(vcpu, REG_RFLAGS) & RFLAGS_IF);
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
