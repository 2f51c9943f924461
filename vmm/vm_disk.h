/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the operator sees of a VM's disks, and does with them. vmbus/disks.c implements it; a VM
 * without disks has vm->disk_ops NULL.
 *
 * Context: any CPU, no lock held, in every state of the VM.
 */
#ifndef VMM_VM_DISK_H
#define VMM_VM_DISK_H

#include "vmm/lib/out.h"
#include "vmm/lib/types.h"

struct vm;

struct vm_disk_ops {
	/* A line of headings, and one for each disk. */
	void (*list)(struct vm *vm, struct out *out);
	/* Take a disk out, or put it in again with its contents; the guest is told. 0; -ENOENT =
	 * there is none of that number; -EEXIST = it is so already;
	 * -EOPNOTSUPP = its bus has no plugs. */
	int (*plug)(struct vm *vm, uint32_t number, bool in);
};

#endif
