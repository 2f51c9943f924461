// SPDX-License-Identifier: BSD-2-Clause
// Who an interrupt message is for, and inter-processor interrupts.
// Specs: [SDM3] "Determining IPI Destination", "Issuing Interprocessor Interrupts", "Valid
// Combinations for the xAPIC Local Interrupt Command Register".
#include "vmm/irq.h"
#include "vmm/lapic.h"
#include "vmm/lapic_regs.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define BROADCAST_8 0xffU
#define BROADCAST_32 0xffffffffU
#define DFR_FLAT 0xfU
#define DFR_CLUSTER 0U
#define NMI_MAX 2U

enum icr_shorthand { ICR_DEST, ICR_SELF, ICR_ALL, ICR_OTHERS };

/* Who gets it, and as what. The one valid way to oneself is "fixed". */
#define ICR_DELIVERY (7U << ICR_DELIVERY_SHIFT)
#define ICR_HOW (3U << ICR_SHORTHAND_SHIFT | ICR_DELIVERY)
#define ICR_FIXED_TO_SELF \
	((uint32_t)ICR_SELF << ICR_SHORTHAND_SHIFT | (uint32_t)APIC_DM_FIXED << ICR_DELIVERY_SHIFT)

static bool matches_logical(const struct lapic *apic, uint32_t dest)
{
	uint32_t ldr = lapic_get(apic, LAPIC_LDR);

	if (lapic_x2apic(apic)) {
		/* Cluster in the upper half, one bit a member below. */
		return dest >> 16 == ldr >> 16 && (dest & ldr & 0xffffU) != 0;
	}
	ldr >>= 24;
	dest &= 0xffU;
	switch (lapic_get(apic, LAPIC_DFR) >> 28) {
	case DFR_FLAT:
		return (dest & ldr) != 0;
	case DFR_CLUSTER:
		return dest >> 4 == ldr >> 4 && (dest & ldr & 0xfU) != 0;
	default:
		return false; /* reserved */
	}
}

bool lapic_matches(const struct lapic *apic, const struct apic_msg *msg)
{
	uint64_t base = __atomic_load_n(&apic->base, __ATOMIC_RELAXED);

	if (!(base & APIC_BASE_EN)) {
		return false;
	}
	if (msg->dest == (msg->x2apic_dest ? BROADCAST_32 : BROADCAST_8)) {
		return true;
	}
	if (msg->logical) {
		/* An xAPIC has no logical id of more than 8 bits. */
		return (msg->dest <= 0xffU || lapic_x2apic(apic)) &&
		       matches_logical(apic, msg->dest);
	}
	return msg->dest == lapic_id(apic);
}

static void post_nmi(struct vcpu *vcpu)
{
	uint32_t n = __atomic_load_n(&vcpu->nmi_pending, __ATOMIC_RELAXED);

	/* One in delivery and one latched: more collapse into these. */
	while (n < NMI_MAX && !__atomic_compare_exchange_n(&vcpu->nmi_pending, &n, n + 1, false,
	                              __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
	}
	vcpu_request(vcpu, VCPU_REQ_NMI);
}

/* The first one starts it: the next means nothing, also while the first waits to be served. */
static void post_sipi(struct vcpu *vcpu, uint8_t vector)
{
	if (!(__atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE) & BIT64(VCPU_REQ_SIPI))) {
		__atomic_store_n(&vcpu->sipi_vector, vector, __ATOMIC_RELEASE);
		vcpu_request(vcpu, VCPU_REQ_SIPI);
	}
}

/* One matching APIC takes it: does it accept? Software-disabled ones take INIT, NMI, SIPI only. */
static bool deliver_one(struct vcpu *vcpu, const struct apic_msg *msg)
{
	struct lapic *apic = &vcpu->lapic;

	switch ((enum apic_delivery)msg->delivery) {
	case APIC_DM_FIXED:
	case APIC_DM_LOWEST:
		if (!lapic_enabled(apic)) {
			return false;
		}
		if (msg->vector < LAPIC_FIRST_VECTOR) {
			lapic_error(apic, ESR_RECEIVE_ILLEGAL);
			return false;
		}
		lapic_post(apic, msg->vector, msg->level);
		return true;
	case APIC_DM_SMI:
		return false; /* no system management mode */
	case APIC_DM_NMI:
		post_nmi(vcpu);
		return true;
	case APIC_DM_INIT:
		/* A SIPI that came before and was not served yet came too early. */
		__atomic_fetch_and(&vcpu->requests, ~BIT64(VCPU_REQ_SIPI), __ATOMIC_SEQ_CST);
		vcpu_request(vcpu, VCPU_REQ_INIT);
		return true;
	case APIC_DM_STARTUP:
		post_sipi(vcpu, msg->vector);
		return true;
	case APIC_DM_EXTINT:
		if (!lapic_enabled(apic)) {
			return false;
		}
		lapic_post_extint(apic);
		return true;
	}
	return false; /* delivery mode 3 is reserved */
}

/* Lowest priority: in turns, beginning after the vCPU that took the last one. */
static unsigned deliver_lowest(struct vm *vm, const struct apic_msg *msg, const struct vcpu *except)
{
	uint32_t first = __atomic_load_n(&vm->irq.lowest_next, __ATOMIC_RELAXED);

	for (uint32_t i = 0; i < vm->n_vcpus; i++) {
		struct vcpu *vcpu = vm->vcpus[(first + i) % vm->n_vcpus];

		if (vcpu != except && lapic_matches(&vcpu->lapic, msg) && deliver_one(vcpu, msg)) {
			__atomic_store_n(&vm->irq.lowest_next, vcpu->index + 1, __ATOMIC_RELAXED);
			return 1;
		}
	}
	return 0;
}

static unsigned deliver(struct vm *vm, const struct apic_msg *msg, const struct vcpu *except)
{
	unsigned accepted = 0;

	if (msg->delivery == APIC_DM_LOWEST) {
		return deliver_lowest(vm, msg, except);
	}
	for (uint32_t i = 0; i < vm->n_vcpus; i++) {
		struct vcpu *vcpu = vm->vcpus[i];

		if (vcpu != except && lapic_matches(&vcpu->lapic, msg)) {
			accepted += deliver_one(vcpu, msg);
		}
	}
	return accepted;
}

unsigned apic_deliver(struct vm *vm, const struct apic_msg *msg)
{
	return deliver(vm, msg, NULL);
}

void lapic_send_self(struct lapic *apic, uint8_t vector)
{
	if (vector < LAPIC_FIRST_VECTOR) {
		lapic_error(apic, ESR_RECEIVE_ILLEGAL);
	} else if (lapic_enabled(apic)) {
		lapic_accept(apic, vector, false);
	}
}

/* To others, or to a destination that may be anybody. */
static __attribute__((noinline)) void send_message(
        struct lapic *apic, uint32_t icr_low, uint32_t dest)
{
	enum icr_shorthand shorthand = (enum icr_shorthand)(icr_low >> ICR_SHORTHAND_SHIFT & 3);
	struct apic_msg msg = {
	        .dest = dest,
	        .vector = (uint8_t)icr_low,
	        .delivery = icr_low >> ICR_DELIVERY_SHIFT & 7,
	        .logical = (icr_low & ICR_LOGICAL) != 0,
	        .level = false, /* IPIs are edges whatever the trigger bit says */
	        .x2apic_dest = lapic_x2apic(apic),
	};

	/* INIT level de-assert only re-arms arbitration ids of old processors; no ExtINT by IPI. */
	if ((msg.delivery == APIC_DM_INIT && (icr_low & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL) ||
	        msg.delivery == APIC_DM_EXTINT) {
		return;
	}
	if (shorthand == ICR_DEST) {
		(void)apic_deliver(apic->vcpu->vm, &msg);
		return;
	}
	if (shorthand == ICR_ALL) {
		if (msg.delivery != APIC_DM_FIXED) {
			return;
		}
		lapic_send_self(apic, msg.vector);
	}
	msg.dest = msg.x2apic_dest ? BROADCAST_32 : BROADCAST_8;
	(void)deliver(apic->vcpu->vm, &msg, apic->vcpu);
}

void lapic_send_ipi(struct lapic *apic, uint32_t icr_low, uint32_t dest)
{
	const uint32_t how = icr_low & ICR_HOW,
	               delivery = (how & ICR_DELIVERY) >> ICR_DELIVERY_SHIFT;
	const uint8_t vector = (uint8_t)icr_low;

	if (vector < LAPIC_FIRST_VECTOR &&
	        (delivery == APIC_DM_FIXED || delivery == APIC_DM_LOWEST)) {
		lapic_error(apic, ESR_SEND_ILLEGAL);
	} else if (how == ICR_FIXED_TO_SELF) {
		if (lapic_enabled(apic)) {
			lapic_accept(apic, vector, false);
		}
	} else if (how >> ICR_SHORTHAND_SHIFT != ICR_SELF) {
		send_message(apic, icr_low, dest);
	}
}
