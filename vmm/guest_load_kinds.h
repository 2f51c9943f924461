/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot protocols that vmm/guest_load.c chooses from: each puts one kind of image into memory
 * and sets the boot vCPU's registers.
 */
#ifndef VMM_GUEST_LOAD_KINDS_H
#define VMM_GUEST_LOAD_KINDS_H

#include "vmm/lib/image.h"
#include "vmm/lib/types.h"
#include "vmm/vm.h"

/* E820 entries of a VM at most: its RAM regions and the two reserved ranges below 1 MiB. */
#define GUEST_E820_MAX (GMEM_MAX_REGIONS + 4U)

#define E820_RAM 1U
#define E820_RESERVED 2U

/* One guest to load: the probed image, its bytes, and where image_place() wants things. */
struct guest_load {
	struct vm *vm;
	struct vcpu *vcpu; /* the boot vCPU */
	struct image img;
	const uint8_t *kernel; /* the whole file, vm->kernel->len bytes */
	const uint8_t *initrd; /* NULL = none */
	uint64_t kernel_addr;  /* guest-physical */
	uint64_t initrd_addr;  /* guest-physical; meaningless without initrd */
	uint64_t initrd_len;   /* bytes */
};

/* 0, or a negative error when something lands outside the guest's RAM. */
__must_check int guest_load_linux(struct guest_load *load);
__must_check int guest_load_multiboot(struct guest_load *load);

#endif
