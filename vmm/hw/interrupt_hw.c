// SPDX-License-Identifier: BSD-2-Clause
// What each of the host's interrupt vectors does.
// Specs: [SDM3] "Spurious Interrupt", "Signaling Interrupt Servicing Completion".
#include "vmm/hw/apic_hw.h"
#include "vmm/hw/console_hw.h"
#include "vmm/hw/pcpu.h"

void host_interrupt(uint8_t vector)
{
	if (vector == HOST_VECTOR_SPURIOUS) {
		return; /* not in service: takes no EOI */
	}
	if (vector == HOST_VECTOR_SERIAL) {
		console_service();
	}
	if (vector == HOST_VECTOR_TIMER) {
		pcpu_this()->timer_tsc = 0;
	}
	/* Timer and kick have done their work by waking the CPU or ending the guest's run. */
	apic_eoi();
}
