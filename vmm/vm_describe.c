// SPDX-License-Identifier: BSD-2-Clause
// What a VM is doing, in words for the operator.
// Specs: none (contract in vm.h).
#include "vmm/lib/bits.h"
#include "vmm/lib/fmt.h"
#include "vmm/vm.h"

const char *const vm_state_names[] = {
        [VM_OFF] = "off",
        [VM_STARTING] = "starting",
        [VM_RUNNING] = "running",
        [VM_PAUSED] = "paused",
};

static size_t describe_off(const struct vm *vm, char *buf, size_t size)
{
	switch ((enum vm_off_why)vm->off_why) {
	case VM_OFF_NEVER_STARTED:
		return fmt_print(buf, size, "off (never started)");
	case VM_OFF_POWERED_OFF:
		return fmt_print(buf, size, "off (powered off: %s)", vm->off_reason);
	case VM_OFF_KILLED:
		return fmt_print(buf, size, "off (killed: %s)", vm->off_reason);
	case VM_OFF_CANNOT_START:
		return fmt_print(buf, size, "off (cannot be started)");
	case VM_OFF_DEBUG_EXIT:
		return fmt_print(buf, size, "off (debug exit %u)", vm->debug_exit);
	}
	return 0;
}

size_t vm_describe_state(const struct vm *vm, char *buf, size_t size)
{
	enum vm_state state = vm_state(vm);

	if (state == VM_OFF) {
		return describe_off(vm, buf, size);
	}
	if (__atomic_load_n(&vm->requests, __ATOMIC_SEQ_CST) & VM_REQ_ENDS) {
		return fmt_print(buf, size, "stopping");
	}
	return fmt_print(buf, size, "%s", vm_state_names[state]);
}
