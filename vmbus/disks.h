/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disks of a VM, as its configuration names them: contents in memory, on a synthetic SCSI
 * controller, or for another controller to take (bus=ide); then, with smbios = hyperv and a bus,
 * with an accelerator beside it (vmbus/storvsp.h). They live as long as Candela runs, whatever the
 * VM does.
 */
#ifndef VMBUS_DISKS_H
#define VMBUS_DISKS_H

#include "vmm/lib/types.h"

struct blk;
struct boot_info;
struct vm;
struct vmbus;

/* Where memory comes from: vmm/hw/page_alloc.h. */
struct disks_memory {
	void *(*alloc)(uint64_t pages, uint64_t align);
	void *(*at)(hpa_t pa);
};

/* Before the VM starts; bus NULL = it has none. Nothing for a VM without disks. -ENOMEM after a
 * sentence in the log. */
__must_check int disks_attach(struct vm *vm, struct vmbus *bus, const struct boot_info *bi,
        const struct disks_memory *memory);

/* The contents of disk 'number' of the configuration; the VM has been attached to. */
struct blk *disks_blk(const struct vm *vm, uint32_t number);

#endif
