// SPDX-License-Identifier: BSD-2-Clause
/*
 * Events into the guest, and those that an exit broke off.
 * Specs: [SDM3] "Event Injection", "Information for VM Exits That Occur During Event Delivery".
 */
#include "vmx/vmx_insn_hw.h"
#include "vmx/vmx_vcpu.h"

#define INTR_INFO_VALID BIT(31)
#define INTR_INFO_ERROR BIT(11)
#define INTR_INFO_TYPE_SHIFT 8

#define BLOCKING_STI BIT(0)
#define BLOCKING_MOV_SS BIT(1)
#define BLOCKING_NMI BIT(3)

/* Interruption types of the VMCS. */
enum intr_type {
	INTR_EXTERNAL = 0,
	INTR_NMI = 2,
	INTR_EXCEPTION = 3,
	INTR_SOFT = 4,
	INTR_PRIV_SOFT_EXC = 5,
	INTR_SOFT_EXC = 6,
};

static const uint8_t types[] = {
        [EVENT_NONE] = 0,
        [EVENT_EXCEPTION] = INTR_EXCEPTION,
        [EVENT_SOFT_EXCEPTION] = INTR_SOFT_EXC,
        [EVENT_PRIV_SOFT_EXCEPTION] = INTR_PRIV_SOFT_EXC,
        [EVENT_SOFT_INTERRUPT] = INTR_SOFT,
        [EVENT_EXTINT] = INTR_EXTERNAL,
        [EVENT_NMI] = INTR_NMI,
};
_Static_assert(ARRAY_SIZE(types) == EVENT_NMI + 1, "one row per event type");

bool vmx_in_intr_shadow(struct vcpu *vcpu)
{
	(void)vcpu;
	return (vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) & (BLOCKING_STI | BLOCKING_MOV_SS)) != 0;
}

bool vmx_intr_open(struct vcpu *vcpu)
{
	return (vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF) && !vmx_in_intr_shadow(vcpu);
}

/*
 * Nothing but an NMI of its own blocks a guest's NMIs. Bochs 2.7 does not open them when it enters
 * a guest whose state says so: what the guest before it on this CPU had blocked stays blocked until
 * some IRET, and is then said to be this one's.
 */
static uint64_t interruptibility(struct vmx_vcpu *v)
{
	uint64_t state = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);

	if (!(state & BLOCKING_NMI)) {
		v->nmi_given = false;
	} else if (!v->nmi_given && vmx_caps.virtual_nmi) {
		state &= ~(uint64_t)BLOCKING_NMI;
		vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, state);
	}
	return state;
}

bool vmx_nmi_blocked(struct vcpu *vcpu)
{
	uint64_t state = interruptibility(vmx_vcpu(vcpu));

	if (!vmx_caps.virtual_nmi) {
		/*
		 * No processor without virtual NMIs has unrestricted guests, but a nested host may
		 * not grant them: then an NMI waits while interrupts are shadowed or off, as near
		 * as can be had to "until IRET".
		 */
		return (state & (BLOCKING_STI | BLOCKING_MOV_SS)) ||
		       !(vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF);
	}
	return (state & (BLOCKING_NMI | BLOCKING_MOV_SS | BLOCKING_STI)) != 0;
}

void vmx_set_nmi_blocked(struct vcpu *vcpu, bool blocked)
{
	uint64_t state = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) & ~(uint64_t)BLOCKING_NMI;

	vmx_vcpu(vcpu)->nmi_given = blocked;
	/* Without virtual NMIs the bit would hold back the host's. */
	if (vmx_caps.virtual_nmi) {
		vmcs_write(VMCS_GUEST_INTERRUPTIBILITY, blocked ? state | BLOCKING_NMI : state);
	}
}

/*
 * Delivery ends the shadow of STI and MOV SS anyway. After an exit by #DB it must be gone before:
 * such an exit does not leave the pending single step that [SDM3] "Checks on Guest Non-Register
 * State" wants with TF and a shadow. MOV SS and INT1 in a process are enough to get there.
 */
static void end_shadow(void)
{
	uint64_t state = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY);

	if (state & (BLOCKING_STI | BLOCKING_MOV_SS)) {
		vmcs_write(VMCS_GUEST_INTERRUPTIBILITY,
		        state & ~(uint64_t)(BLOCKING_STI | BLOCKING_MOV_SS));
	}
}

void vmx_inject(struct vcpu *vcpu, const struct event *event)
{
	uint32_t info = INTR_INFO_VALID | event->vector |
	                (uint32_t)types[event->type] << INTR_INFO_TYPE_SHIFT;

	if (event->type == EVENT_NMI) {
		vmx_vcpu(vcpu)->nmi_given = true;
	}
	if (event->type == EVENT_EXCEPTION || event->type == EVENT_PRIV_SOFT_EXCEPTION) {
		end_shadow();
	}
	if (event->has_error) {
		info |= INTR_INFO_ERROR;
		vmcs_write(VMCS_ENTRY_ERROR_CODE, event->error);
	}
	if (event->type == EVENT_SOFT_INTERRUPT || event->type == EVENT_SOFT_EXCEPTION ||
	        event->type == EVENT_PRIV_SOFT_EXCEPTION) {
		vmcs_write(VMCS_ENTRY_INSN_LEN, event->insn_len);
	}
	vmcs_write(VMCS_ENTRY_INTR_INFO, info);
}

bool vmx_inject_interrupt(struct vcpu *vcpu, unsigned vector)
{
	if (!vmx_intr_open(vcpu)) {
		return false;
	}
	vmcs_write(VMCS_ENTRY_INTR_INFO,
	        INTR_INFO_VALID | vector | INTR_EXTERNAL << INTR_INFO_TYPE_SHIFT);
	return true;
}

void vmx_request_window(struct vcpu *vcpu, bool intr, bool nmi)
{
	struct vmx_vcpu *v = vmx_vcpu(vcpu);
	uint32_t proc = v->proc & ~(PROC_INTR_WINDOW | PROC_NMI_WINDOW);

	/* Without virtual NMIs there is no NMI window: the interrupt window stands in. */
	if (intr || (nmi && !vmx_caps.virtual_nmi)) {
		proc |= PROC_INTR_WINDOW;
	}
	if (nmi && vmx_caps.virtual_nmi) {
		proc |= PROC_NMI_WINDOW;
	}
	if (proc != v->proc) {
		v->proc = proc;
		vmcs_write(VMCS_PROC_CONTROLS, proc);
	}
}

void vmx_requeue_vectoring(struct vcpu *vcpu, uint32_t info)
{
	struct event event = {.vector = (uint8_t)info};

	switch ((enum intr_type)((info >> INTR_INFO_TYPE_SHIFT) & 7U)) {
	case INTR_EXTERNAL:
		event.type = EVENT_EXTINT;
		break;
	case INTR_NMI:
		event.type = EVENT_NMI;
		/* It is blocked since its delivery began; injecting it again needs it open. */
		vmcs_write(VMCS_GUEST_INTERRUPTIBILITY,
		        vmcs_read(VMCS_GUEST_INTERRUPTIBILITY) & ~(uint64_t)BLOCKING_NMI);
		break;
	case INTR_EXCEPTION:
		event.type = EVENT_EXCEPTION;
		break;
	case INTR_SOFT:
		event.type = EVENT_SOFT_INTERRUPT;
		break;
	case INTR_PRIV_SOFT_EXC:
		event.type = EVENT_PRIV_SOFT_EXCEPTION;
		break;
	case INTR_SOFT_EXC:
		event.type = EVENT_SOFT_EXCEPTION;
		break;
	}
	if (event.type == EVENT_SOFT_INTERRUPT || event.type == EVENT_SOFT_EXCEPTION ||
	        event.type == EVENT_PRIV_SOFT_EXCEPTION) {
		event.insn_len = (uint8_t)vmcs_read(VMCS_EXIT_INSN_LEN);
	}
	if (info & INTR_INFO_ERROR) {
		event.has_error = true;
		event.error = (uint32_t)vmcs_read(VMCS_IDT_VECTORING_ERROR);
	}
	event_requeue(vcpu, &event);
}
