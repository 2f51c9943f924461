// SPDX-License-Identifier: BSD-2-Clause
// The interrupt lines of a VM and what they go to, in words.
// Specs: none; vmm/irq.h has the contract.
#include "vmm/irq.h"
#include "vmm/lib/out.h"
#include "vmm/vm.h"

void irq_dump(struct vm *vm, struct out *out)
{
	/* Each figure is read once, as it is now; a device may change it the next moment. */
	for (unsigned gsi = 0; gsi < IRQ_LINES; gsi++) {
		unsigned n = __atomic_load_n(&vm->irq.lines[gsi].n_sources, __ATOMIC_RELAXED);
		unsigned levels = __atomic_load_n(&vm->irq.lines[gsi].levels, __ATOMIC_RELAXED);
		uint64_t rises = __atomic_load_n(&vm->irq.lines[gsi].rises, __ATOMIC_RELAXED);

		unsigned up = 0;

		if (n == 0) {
			continue;
		}
		for (unsigned i = 0; i < IRQ_MAX_SOURCES; i++) {
			up += levels >> i & 1;
		}
		out_print(out, "  line %2u: level %u, %u of %u sources up, raised %llu times\n",
		        gsi, levels != 0, up, n, (unsigned long long)rises);
	}
	(void)vm->platform_ops->dump(vm, "pic", out);
	(void)vm->platform_ops->dump(vm, "ioapic", out);
}
