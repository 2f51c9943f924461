// SPDX-License-Identifier: BSD-2-Clause
// The table of physical processors.
// Specs: none (contract in pcpu.h).
#include "vmm/hw/pcpu.h"
#include "vmm/lib/bug.h"

struct pcpu pcpus[MAX_CPUS];
static unsigned n_pcpus = 1;

unsigned pcpu_count(void)
{
	return n_pcpus;
}

void pcpu_set_count(unsigned n)
{
	BUG_ON(n == 0 || n > MAX_CPUS);
	n_pcpus = n;
}
