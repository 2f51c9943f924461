// SPDX-License-Identifier: BSD-2-Clause
// Which processor is executing this.
// Specs: [SDM3] "Segment Loading Instructions in IA-32e Mode" (GS base).
#include "vmm/hw/pcpu.h"

struct pcpu *pcpu_this(void)
{
	struct pcpu *cpu;

	_Static_assert(offsetof(struct pcpu, self) == 0, "read through GS:0");
	/* Not volatile, so that the answer may be reused: running code never changes its CPU. The
	 * memory operand keeps it behind trap_init_cpu(), which loads GS. */
	asm("mov %%gs:0, %0" : "=r"(cpu) : "m"(pcpus[0].self));
	return cpu;
}
