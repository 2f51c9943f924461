// SPDX-License-Identifier: BSD-2-Clause
// Making a VM on VT-x: its memory around the VGA window, in pieces, and everything back when it
// fails. vmm/vm_log.c beside it.
#include "tests/fake/phys_fake.h"
#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/sched.h"
#include <string.h>

static struct boot_info bi;
static struct config_vm config;
static uint64_t free_at_start;

static void setup(void)
{
	fake_arena_size = 16 * SIZE_2M;
	fake_vmx_host(0);
	sched_init(2);
	strcpy(config.name, "one");
	strcpy(config.kernel, "\\k");
	config.vcpus = 2;
	config.memory = 2 * SIZE_2M;
	bi.n_files = 2;
	strcpy(bi.files[0].path, "\\initrd");
	strcpy(bi.files[1].path, "\\k");
	free_at_start = page_alloc_free_bytes();
	fake_log_clear();
}

START_TEST(a_vm)
{
	struct vm *vm;

	fake_clock_set(1000);
	vm = vm_create(&config, &bi);
	ck_assert_ptr_nonnull(vm);
	ck_assert(n_vms == 1 && vms[0] == vm && vm->index == 0);
	ck_assert_int_eq(vm->state, VM_OFF);
	ck_assert_ptr_eq(vm->kernel, &bi.files[1]);
	ck_assert_ptr_null(vm->initrd); /* none asked for */
	ck_assert_uint_eq(vm->clock_base_ns, 1000);
	ck_assert_uint_eq(vm->tsc_offset + clock_tsc(), 0);
	ck_assert_uint_eq(vm->n_vcpus, 2);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(vm->vcpus[i]->state, VCPU_STOPPED);
		ck_assert_uint_eq(vm->vcpus[i]->index, i);
		ck_assert_uint_eq(vm->vcpus[i]->cpu, i);
		ck_assert_uint_eq(vm->vcpus[i]->tsc_offset, vm->tsc_offset);
		ck_assert_uint_eq(lapic_id(&vm->vcpus[i]->lapic), i);
	}
	ck_assert_uint_eq(vm->home_cpu, 0);
	vm_destroy(vm);
	ck_assert_uint_eq(page_alloc_free_bytes(), free_at_start);
}
END_TEST

/* What gmem and the second-level tables say must be the same host page everywhere. */
static void check_memory(struct vm *vm)
{
	for (uint64_t a = 0; a < config.memory; a += PAGE_SIZE) {
		bool hole = a >= GMEM_VGA_BASE && a < GMEM_VGA_END;
		uint64_t size = 0, entry = ept_lookup(vm, gpa(a), &size), probe = a | 0x5a,
		         value = 0;
		uint64_t pa;

		ck_assert_int_eq(gmem_write(&vm->mem, gpa(a), &probe, 8) != 0, hole);
		ck_assert_int_eq(entry == 0, hole);
		if (hole) {
			continue;
		}
		ck_assert_uint_eq(entry & 3, 3);
		pa = (entry & 0xffffffffff000 & ~(size - 1)) + (a & (size - 1));
		memcpy(&value, phys_to_virt(hpa(pa)), 8);
		ck_assert_uint_eq(value, probe);
	}
}

START_TEST(memory_in_one_run)
{
	struct vm *vm = vm_create(&config, &bi);
	uint64_t size;

	ck_assert_ptr_nonnull(vm);
	ck_assert_uint_eq(vm->n_pieces, 1);
	check_memory(vm);
	ck_assert(ept_lookup(vm, gpa(SIZE_2M), &size) != 0);
	ck_assert_uint_eq(size, SIZE_2M);
	vm_destroy(vm);
}
END_TEST

/* Fragments: every second 2 MiB of the host is taken. */
START_TEST(memory_in_pieces)
{
	void *all[16];
	unsigned n = 0;
	struct vm *vm;

	while (n < 16 && (all[n] = page_alloc(512, SIZE_2M))) {
		n++;
	}
	ck_assert_uint_ge(n, 14);
	for (unsigned i = 1; i < n; i += 2) {
		page_free(all[i], 512);
	}
	config.memory = 3 * SIZE_2M;
	free_at_start = page_alloc_free_bytes();
	vm = vm_create(&config, &bi);
	ck_assert_ptr_nonnull(vm);
	ck_assert_uint_eq(vm->n_pieces, 3);
	check_memory(vm);
	vm_destroy(vm);
	ck_assert_uint_eq(page_alloc_free_bytes(), free_at_start);
}
END_TEST

/* A page less at a time: it fails at another place each time and leaves nothing behind. */
START_TEST(out_of_memory)
{
	static void *hoard[8192];
	unsigned n = 0;
	struct vm *vm;
	uint64_t left;
	void *ram;

	config.memory = SIZE_2M;
	ram = _i < 60 ? NULL : page_alloc(512, SIZE_2M);
	while (page_alloc_free_bytes()) {
		hoard[n] = page_alloc(1, PAGE_SIZE);
		n++;
	}
	page_free(ram, 512);
	for (int i = 0; i < _i % 60; i++) {
		page_free(hoard[--n], 1);
	}
	left = page_alloc_free_bytes();
	vm = vm_create(&config, &bi);
	if (vm) {
		ck_assert_uint_ge(left, SIZE_2M);
		ck_assert_uint_eq(fake_log_count("cannot be made"), 0);
		vm_destroy(vm);
	} else {
		ck_assert_uint_ge(fake_log_count("vm one: "), 1);
		ck_assert_uint_eq(n_vms, 0);
	}
	ck_assert_uint_eq(page_alloc_free_bytes(), left);
	ck_assert(_i != 119 || vm);
}
END_TEST

START_TEST(one_vm_too_many)
{
	n_vms = MAX_VMS;
	ck_assert_ptr_null(vm_create(&config, &bi));
	ck_assert_uint_eq(n_vms, MAX_VMS);
	ck_assert_uint_eq(page_alloc_free_bytes(), free_at_start);
}
END_TEST

/* --- vm_log() --- */

START_TEST(lines_carry_the_name)
{
	struct vm *vm = vm_create(&config, &bi);

	fake_log_clear();
	vm_log(vm, LOG_WARN, "port 0x%x", 0x80);
	ck_assert_uint_eq(fake_log_count("vm one: port 0x80"), 1);
	log_set_level(LOG_ERROR);
	vm_log(vm, LOG_WARN, "not now");
	ck_assert_uint_eq(fake_log_count("not now"), 0);
}
END_TEST

START_TEST(a_guest_cannot_flood_the_log)
{
	struct vm *vm = vm_create(&config, &bi);
	unsigned lines;

	fake_log_clear();
	for (unsigned i = 0; i < 10000; i++) {
		vm_log(vm, LOG_WARN, "noise");
	}
	lines = fake_log_count("noise");
	ck_assert(lines > 0 && lines < 200);
	fake_clock_set(clock_now() + 100 * NS_PER_SEC);
	vm_log(vm, LOG_WARN, "news");
	ck_assert_uint_eq(fake_log_count("vm one: news"), 1);
	ck_assert_uint_eq(fake_log_count("lines left out"), 1);
}
END_TEST

UNIT_MAIN("vm", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, a_vm);
          tcase_add_test(tc, memory_in_one_run); tcase_add_test(tc, memory_in_pieces);
          tcase_add_loop_test(tc, out_of_memory, 0, 120); tcase_add_test(tc, one_vm_too_many);
          tcase_add_test(tc, lines_carry_the_name);
          tcase_add_test(tc, a_guest_cannot_flood_the_log);)
