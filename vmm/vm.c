// SPDX-License-Identifier: BSD-2-Clause
/*
 * Making a VM: memory, vCPUs, second-level map. Its life is in vm_life.c.
 */
#include "vmm/vm.h"

#include "vmm/hw/clock.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"
#include "vmm/sched.h"

#define PHYS_LIMIT ((1ULL << 46) - 1)

struct vm *vms[MAX_VMS];
unsigned n_vms;

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes + PAGE_MASK) >> PAGE_SHIFT;
}

/*
 * Where the next byte of RAM goes: below the VGA window, above it up to GMEM_LOW_MAX, and from
 * 4 GiB on. Returns how many bytes fit there in one run.
 */
static uint64_t next_run(uint64_t at, uint64_t left)
{
	uint64_t end = at < GMEM_LOW_MAX ? GMEM_LOW_MAX : ~0ULL;

	return left < end - at ? left : end - at;
}

/* The largest piece of at most len bytes that the host has in one run, in steps of two. */
static void *alloc_piece(uint64_t len, uint64_t *got)
{
	for (uint64_t try = len; try >= SIZE_2M; try = align_up(try / 2, SIZE_2M)) {
		uint64_t align = try >= SIZE_1G ? SIZE_1G : SIZE_2M;
		void *p = page_alloc(try >> PAGE_SHIFT, align);

		if (!p && align > SIZE_2M) {
			p = page_alloc(try >> PAGE_SHIFT, SIZE_2M);
		}
		if (p) {
			*got = try;
			return p;
		}
		if (try == SIZE_2M) {
			break;
		}
	}
	return NULL;
}

static int add_ram(struct vm *vm, uint64_t at, uint8_t *p, uint64_t from, uint64_t to)
{
	hpa_t pa = virt_to_phys(p);
	int err = gmem_add(&vm->mem, gpa(at + from), p + from, hpa_add(pa, from), to - from);

	if (!err) {
		err = cpu_virt->map(
		        vm, gpa(at + from), hpa_add(pa, from), to - from, MAP_RWX, MAP_TYPE_RAM);
	}
	return err;
}

static int create_memory(struct vm *vm)
{
	uint64_t left = vm->config->memory;
	uint64_t at = 0;

	vm->mem.size = left;
	while (left) {
		uint64_t got = 0;
		uint8_t *p = alloc_piece(next_run(at, left), &got);
		int err;

		if (!p) {
			return -ENOMEM;
		}
		if (vm->n_pieces == ARRAY_SIZE(vm->pieces)) {
			page_free(p, got >> PAGE_SHIFT);
			return -ENOMEM;
		}
		vm->pieces[vm->n_pieces].va = p;
		vm->pieces[vm->n_pieces++].len = got;
		if (at == 0) {
			/* The memory behind the VGA window is the price of one large run. */
			err = add_ram(vm, 0, p, 0, GMEM_VGA_BASE);
			err = err ? err : add_ram(vm, 0, p, GMEM_VGA_END, got);
		} else {
			err = add_ram(vm, at, p, 0, got);
		}
		if (err) {
			return err;
		}
		left -= got;
		at += got;
		if (at == GMEM_LOW_MAX) {
			at = SIZE_4G;
		}
	}
	return 0;
}

static int create_vcpu(struct vm *vm, unsigned index)
{
	struct vcpu *vcpu = page_alloc(pages_of(sizeof(*vcpu)), PAGE_SIZE);
	uint8_t *apic_page = page_alloc(1, PAGE_SIZE);
	int err;

	if (!vcpu || !apic_page) {
		page_free(vcpu, pages_of(sizeof(*vcpu)));
		page_free(apic_page, 1);
		return -ENOMEM;
	}
	vm->vcpus[index] = vcpu;
	vcpu->vm = vm;
	vcpu->index = index;
	vcpu->next_exit = vcpu->last_exits;
	vcpu->hypercall = vcpu_no_hypercall;
	vcpu->state = VCPU_STOPPED;
	vcpu->tsc_offset = vm->tsc_offset;
	lapic_init(&vcpu->lapic, vcpu, apic_page);
	err = sched_assign(vcpu);
	return err ? err : cpu_virt->vcpu_init(vcpu);
}

static const struct boot_file *find_file(const struct boot_info *bi, const char *path)
{
	for (unsigned i = 0; path[0] && i < bi->n_files; i++) {
		if (strcmp(bi->files[i].path, path) == 0) {
			return &bi->files[i];
		}
	}
	return NULL;
}

struct vm *vm_create(const struct config_vm *config, const struct boot_info *bi)
{
	struct vm *vm = page_alloc(pages_of(sizeof(*vm)), PAGE_SIZE);
	int err;

	if (!vm || n_vms == MAX_VMS) {
		log_error("vm %s: no memory for its description", config->name);
		page_free(vm, pages_of(sizeof(*vm)));
		return NULL;
	}
	vm->config = config;
	vm->index = n_vms;
	vm->state = VM_OFF;
	vm->kernel = find_file(bi, config->kernel);
	vm->initrd = find_file(bi, config->initrd);
	vm->clock_base_ns = clock_now();
	vm->tsc_offset = 0 - clock_tsc();
	io_bus_init(&vm->pio, 0xffff);
	io_bus_init(&vm->mmio, PHYS_LIMIT);
	irq_router_init(&vm->irq, vm);
	err = cpu_virt->vm_init(vm);
	err = err ? err : create_memory(vm);
	vm->n_vcpus = config->vcpus;
	for (unsigned i = 0; !err && i < vm->n_vcpus; i++) {
		err = create_vcpu(vm, i);
	}
	if (err) {
		log_error("vm %s: cannot be made (error %d): %llu MiB asked, %llu MiB free",
		        config->name, -err, (unsigned long long)(config->memory >> 20),
		        (unsigned long long)(page_alloc_free_bytes() >> 20));
		vm_destroy(vm);
		return NULL;
	}
	vm->home_cpu = vm->vcpus[0]->cpu;
	vms[n_vms++] = vm;
	return vm;
}

void vm_destroy(struct vm *vm)
{
	for (unsigned i = 0; i < MAX_VCPUS && vm->vcpus[i]; i++) {
		cpu_virt->vcpu_destroy(vm->vcpus[i]);
		page_free(vm->vcpus[i]->lapic.regs, 1);
		page_free(vm->vcpus[i], pages_of(sizeof(struct vcpu)));
	}
	cpu_virt->vm_destroy(vm);
	for (unsigned i = 0; i < vm->n_pieces; i++) {
		page_free(vm->pieces[i].va, vm->pieces[i].len >> PAGE_SHIFT);
	}
	page_free(vm, pages_of(sizeof(*vm)));
}
