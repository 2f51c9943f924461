// SPDX-License-Identifier: BSD-2-Clause
/*
 * Load a VM's guest: probe the image, place it, hand over to its boot protocol, tell the memory
 * map.
 * Specs: [BOOT] "64-bit Boot Protocol"; [MB1] "Boot information format"; [ACPI] "Querying System
 * Address Map".
 */
#include "vmm/guest_load.h"

#include "vmm/guest_load_kinds.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/lib/err.h"
#include "vmm/lib/log.h"

_Static_assert(sizeof(struct e820_entry) == 20, "[BOOT] boot_e820_entry");

/* A list under construction: entries arrive in ascending order, neighbours of a type grow. */
struct e820_list {
	struct e820_entry *out;
	unsigned n, max;
};

static void e820_add(struct e820_list *list, uint64_t base, uint64_t end, uint32_t type)
{
	if (base >= end) {
		return;
	}
	if (list->n > 0) {
		struct e820_entry *last = &list->out[list->n - 1];

		if (last->type == type && last->base + last->len == base) {
			last->len += end - base;
			return;
		}
	}
	if (list->n == list->max) {
		return;
	}
	list->out[list->n++] = (struct e820_entry){.base = base, .len = end - base, .type = type};
}

/* The part of every RAM region that lies in [base, end). */
static void e820_add_ram(
        struct e820_list *list, const struct guest_mem *mem, uint64_t base, uint64_t end)
{
	for (uint32_t i = 0; i < mem->n_regions; i++) {
		uint64_t from = mem->regions[i].gpa.v;
		uint64_t to = from + mem->regions[i].len;

		e820_add(list, from < base ? base : from, to > end ? end : to, E820_RAM);
	}
}

unsigned guest_e820(const struct vm *vm, struct e820_entry *out, unsigned max)
{
	struct e820_list list = {.out = out, .max = max};

	e820_add_ram(&list, &vm->mem, 0, GUEST_EBDA);
	e820_add(&list, GUEST_EBDA, GMEM_VGA_BASE, E820_RESERVED);
	/* 0xc0000-0xdffff may be RAM for option ROMs, but nobody is told that it is free. */
	e820_add(&list, GUEST_TABLES_BASE, GUEST_TABLES_END, E820_RESERVED);
	e820_add_ram(&list, &vm->mem, GUEST_TABLES_END, ~0ULL);
	return list.n;
}

int guest_load(struct vm *vm)
{
	struct guest_load load = {.vm = vm, .vcpu = vm->vcpus[0]};
	const char *name = vm->config->name;
	char why[160];
	int err;

	load.kernel = phys_to_virt(hpa(vm->kernel->base));
	if (vm->initrd) {
		load.initrd = phys_to_virt(hpa(vm->initrd->base));
		load.initrd_len = vm->initrd->len;
	}
	err = image_probe(&load.img, load.kernel, vm->kernel->len, why, sizeof(why));
	if (!err) {
		err = image_place(&load.img, vm->mem.size, load.initrd_len, &load.kernel_addr,
		        &load.initrd_addr, why, sizeof(why));
	}
	if (err) {
		log_error("vm %s: %s %s", name, vm->kernel->path, why);
		return err;
	}
	if (load.initrd &&
	        gmem_write(&vm->mem, gpa(load.initrd_addr), load.initrd, load.initrd_len)) {
		log_error("vm %s: %s does not fit its memory", name, vm->initrd->path);
		return -ENOMEM;
	}
	switch (load.img.kind) {
	case IMAGE_LINUX:
		err = guest_load_linux(&load);
		break;
	case IMAGE_MULTIBOOT:
		err = guest_load_multiboot(&load);
		break;
	}
	if (err) {
		log_error("vm %s: %s does not fit its memory", name, vm->kernel->path);
		return err;
	}
	load.vcpu->state = VCPU_RUNNABLE;
	return 0;
}
