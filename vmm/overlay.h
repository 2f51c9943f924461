/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overlay pages: host-owned pages that a guest places over its own physical address space, and
 * takes away again to find there what was there before ([TLFS] "GPA Overlay Pages"). Second-level
 * tables and vmm/guest_mem.h always agree on what is on top.
 *
 * Precedence: the local APIC's page at its default address is above every overlay; of two
 * overlays at one place the one that was added first to the VM is on top.
 */
#ifndef VMM_OVERLAY_H
#define VMM_OVERLAY_H

#include "vmm/lib/types.h"

struct vm;

/*
 * While a VM is made: announce a page (zeroed, page-aligned, living as long as the VM). Returns its
 * number, or -ENOSPC.
 */
__must_check int overlay_add(struct vm *vm, void *page, bool writable, bool exec);

/*
 * Put overlay n at the page of gpa, wherever it was, or take it away (GMEM_NOWHERE). Any CPU;
 * guests may see the old state until each vCPU's next entry. -EINVAL beyond the VM's physical
 * address width; -ENOMEM: it is then nowhere.
 */
__must_check int overlay_place(struct vm *vm, unsigned n, uint64_t gpa);
/* All of them nowhere, and large pages large again. No vCPU is in the guest. */
void overlay_reset(struct vm *vm);

#endif
