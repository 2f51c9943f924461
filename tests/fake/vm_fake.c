// SPDX-License-Identifier: BSD-2-Clause
// What asks for a VM's end or reset, recorded. Weak: a test of vmm/vm_life.c gets the real one.
#include "tests/fake/fake.h"

uint32_t fake_vm_requests;
const char *fake_vm_reason;
uint32_t fake_vm_debug_exit;

__attribute__((weak)) void vm_request(struct vm *vm, enum vm_request req, const char *reason)
{
	(void)vm;
	if (fake_vm_requests == 0) {
		fake_vm_reason = reason;
	}
	fake_vm_requests |= BIT(req);
}

__attribute__((weak)) void vm_debug_exit(struct vm *vm, uint32_t value)
{
	fake_vm_debug_exit = value;
	vm_request(vm, VM_REQ_DEBUG_EXIT, "debug exit");
}
