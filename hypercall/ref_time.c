// SPDX-License-Identifier: BSD-2-Clause
/*
 * Partition reference time: 100 ns units of the VM's time-stamp counter, by an MSR, and by a
 * page from which guests compute the same number without an exit.
 * Specs: [TLFS] "Partition Reference Time Enlightenment", "Reference Time Enlightenment".
 */
#include "hypercall/hv.h"
#include "vmm/lib/string.h"
#include "vmm/vm_clock.h"

#define NS_PER_TICK 100ULL

/* floor((10^7 << 64) / hz) by long division; hz is above 10^7. */
static uint64_t scale_for(uint64_t hz)
{
	uint64_t rest = HV_TICKS_PER_SEC % hz, quotient = 0;

	for (unsigned i = 0; i < 64; i++) {
		bool carry = rest >> 63;

		rest <<= 1;
		quotient <<= 1;
		if (carry || rest >= hz) {
			rest -= hz;
			quotient |= 1;
		}
	}
	return quotient;
}

static uint64_t scaled(uint64_t tsc, uint64_t scale)
{
	return (uint64_t)(((unsigned __int128)tsc * scale) >> 64);
}

void ref_time_init(struct hv_vm *hv)
{
	const struct hv_reference_tsc page = {
	        .sequence = 1,
	        .scale = scale_for(vm_tsc_hz()),
	        .offset = 0,
	};

	hv->tsc_scale = page.scale;
	/* Nothing on it ever changes: a pause moves the guest's TSC, not the relation of the two.
	 */
	memcpy(hv->reference_page, &page, sizeof(page));
}

uint64_t hv_reference_time(const struct vm *vm)
{
	return scaled(vm_tsc(vm), hv_vm(vm)->tsc_scale);
}

uint64_t hv_reference_to_host_ns(const struct vm *vm, uint64_t reference)
{
	uint64_t now = hv_reference_time(vm), host_now = vm_host_now();
	uint64_t left = reference > now ? reference - now : 0;

	if (left > (~0ULL - host_now) / NS_PER_TICK) {
		return ~0ULL;
	}
	return host_now + left * NS_PER_TICK;
}

bool ref_time_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	(void)msr;
	*value = hv_reference_time(vcpu->vm);
	return true;
}
