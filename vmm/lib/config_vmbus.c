// SPDX-License-Identifier: BSD-2-Clause
// vmbus = on, off or a version: which VMBus a VM has, and what it needs of the Hyper-V interface.
#include "vmm/lib/bits.h"
#include "vmm/lib/config_parser.h"

#define NEEDED (BIT(HV_SYNIC) | BIT(HV_POST) | BIT(HV_SIGNAL))

/* What the server speaks (vmbus/server.c). */
static const struct {
	const char *name;
	uint32_t version;
} versions[] = {
        {"0.13", CONFIG_VMBUS(0, 13)},
        {"1.1", CONFIG_VMBUS(1, 1)},
        {"2.4", CONFIG_VMBUS(2, 4)},
        {"3.0", CONFIG_VMBUS(3, 0)},
        {"4.0", CONFIG_VMBUS(4, 0)},
        {"4.1", CONFIG_VMBUS(4, 1)},
        {"5.0", CONFIG_VMBUS(5, 0)},
        {"5.1", CONFIG_VMBUS(5, 1)},
        {"5.2", CONFIG_VMBUS(5, 2)},
        {"5.3", CONFIG_VMBUS(5, 3)},
        {"on", CONFIG_VMBUS_MAX},
        {"off", 0},
};

int config_set_vmbus(struct parser *p, const char *key, struct slice value)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		if (slice_is(value, versions[i].name)) {
			p->vm->vmbus = versions[i].version;
			p->vm->vmbus_line = p->line;
			return 0;
		}
	}
	return config_fail(p,
	        "%s must be on, off, or the highest version: 0.13, 1.1, 2.4, 3.0, 4.0, 4.1, 5.0, "
	        "5.1, 5.2 or 5.3, not '%.*s'",
	        key, quote_len(value), value.p);
}

int config_finish_vmbus(struct parser *p, struct config_vm *vm)
{
	bool possible = vm->hyperv && (vm->hv_features & NEEDED) == NEEDED;

	if (vm->vmbus_line == 0) {
		vm->vmbus = possible ? CONFIG_VMBUS_MAX : 0;
	}
	if (vm->vmbus != 0 && !possible) {
		p->line = vm->vmbus_line;
		return config_fail(
		        p, "vmbus needs hyperv = on with its features synic, post and signal");
	}
	return 0;
}
