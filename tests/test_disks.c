// SPDX-License-Identifier: BSD-2-Clause
// From candela.cfg to units of a controller: what each disk is, what it costs, who shares.
#include "tests/storvsp_world.h"
#include "tests/unit.h"
#include "vmbus/disks.h"
#include "vmm/vm_disk.h"
#include <stdio.h>
#include <stdlib.h>

#define IMAGE_AT 0x40000000ULL

static struct boot_info bi;
static struct config_error err;
static struct vm *vm;
static uint8_t image[1 << 20];
static uint64_t pages_left;
static void *taken[64];
static unsigned n_taken;
static char text[4096];

static void write_text(struct out *out, const char *s, size_t n)
{
	(void)out;
	strncat(text, s, n);
}

static struct out out = {.write = write_text};

static void *alloc(uint64_t pages, uint64_t align)
{
	void *p;

	if (pages > pages_left) {
		return NULL;
	}
	pages_left -= pages;
	ck_assert_int_eq(posix_memalign(&p, align, pages * PAGE_SIZE), 0);
	taken[n_taken++] = p;
	return memset(p, 0, pages * PAGE_SIZE);
}

static void *at(hpa_t pa)
{
	ck_assert_uint_eq(pa.v, IMAGE_AT);
	return image;
}

static const struct disks_memory memory = {.alloc = alloc, .at = at};

static int attach(const char *lines, uint64_t pages)
{
	char cfg[1024];

	snprintf(cfg, sizeof(cfg), "[vm.a]\nmemory=4M\nkernel=k\n%s", lines);
	ck_assert_msg(config_parse(&bi.config, "candela.cfg", cfg, strlen(cfg), &err) == 0, "%s",
	        err.text);
	strcpy(bi.files[0].path, "x.img");
	bi.files[0].base = IMAGE_AT;
	bi.files[0].len = sizeof(image);
	bi.n_files = 1;
	vm = fake_vm(4 << 20, 2);
	vm->config = &bi.config.vms[0];
	vm->disk_ops = NULL;
	pages_left = pages;
	fake_log_clear();
	world_n_added = 0;
	return disks_attach(vm, vm->config->vmbus ? (struct vmbus *)&bi : NULL, &bi, &memory);
}

static void teardown(void)
{
	while (n_taken > 0) {
		free(taken[--n_taken]);
	}
}

START_TEST(none)
{
	ck_assert_int_eq(attach("", 0), 0);
	ck_assert_ptr_null(vm->disk_ops);
	ck_assert_int_eq(disks_attach(vm, NULL, &bi, &memory), 0);
}
END_TEST

START_TEST(several)
{
	ck_assert_int_eq(
	        attach("disk = ram:x.img\ndisk = ram:x.img, dvd\ndisk = ram:3M, block=4096\n"
	               "disk = ram:1M, ro\n",
	                1 << 20),
	        0);
	text[0] = '\0';
	vm->disk_ops->list(vm, &out);
	ck_assert_ptr_nonnull(strstr(text, "   0 in          1024 KiB   512 rw  "));
	ck_assert_ptr_nonnull(strstr(text, "ram, copy on write, 0 KiB copied\n"));
	ck_assert_ptr_nonnull(strstr(text, "   1 in          1024 KiB  2048 dvd "));
	ck_assert_ptr_nonnull(strstr(text, "ram, in place\n"));
	ck_assert_ptr_nonnull(strstr(text, "   2 in          3072 KiB  4096 rw  "));
	ck_assert_ptr_nonnull(strstr(text, "   3 in          1024 KiB   512 ro  "));
	ck_assert_ptr_nonnull(strstr(text, "ram, empty at start\n"));
	ck_assert_int_eq(vm->disk_ops->plug(vm, 2, false), 0);
	ck_assert_int_eq(vm->disk_ops->plug(vm, 4, false), -ENOENT);
	text[0] = '\0';
	vm->disk_ops->list(vm, &out);
	ck_assert_ptr_nonnull(strstr(text, "   2 removed     3072 KiB"));
	ck_assert_int_eq(vm->disk_ops->plug(vm, 2, true), 0);
}
END_TEST

/* Units count on, whatever lies between; disks of another bus are for others to take. */
START_TEST(some_on_ide)
{
	ck_assert_int_eq(attach("disk = ram:1M, bus=ide\ndisk = ram:2M\n"
	                        "disk = ram:x.img, dvd, bus=ide\ndisk = ram:3M\n",
	                         1 << 20),
	        0);
	text[0] = '\0';
	vm->disk_ops->list(vm, &out);
	ck_assert_ptr_nonnull(strstr(text, "   0 ide         1024 KiB   512 rw  "));
	ck_assert_ptr_nonnull(strstr(text, "   1 in          2048 KiB   512 rw  "));
	ck_assert_ptr_nonnull(strstr(text, "   2 ide         1024 KiB  2048 dvd "));
	ck_assert_ptr_nonnull(strstr(text, "   3 in          3072 KiB   512 rw  "));
	ck_assert_int_eq(vm->disk_ops->plug(vm, 0, false), -EOPNOTSUPP);
	ck_assert_int_eq(vm->disk_ops->plug(vm, 3, false), 0);
	ck_assert_int_eq(vm->disk_ops->plug(vm, 4, false), -ENOENT);
	text[0] = '\0';
	vm->disk_ops->list(vm, &out);
	ck_assert_ptr_nonnull(strstr(text, "   3 removed     3072 KiB"));
	ck_assert_ptr_nonnull(strstr(text, "   1 in          2048 KiB"));
	ck_assert_uint_eq(disks_blk(vm, 2)->block_size, 2048);
	/* No bus, no controller. */
	ck_assert_int_eq(attach("hyperv = off\ndisk = ram:1M, bus=ide\n", 1 << 20), 0);
	ck_assert_uint_eq(disks_blk(vm, 0)->size, 1 << 20);
	ck_assert_int_eq(vm->disk_ops->plug(vm, 0, true), -EOPNOTSUPP);
}
END_TEST

static const struct storvsp *added(unsigned i)
{
	const struct storvsp_channel *sc = world_added[i]->device;

	ck_assert_uint_lt(i, world_n_added);
	return sc->s;
}

/* As on a generation 1 VM: each disk's place counts its neighbours, also a DVD, which has none. */
START_TEST(accelerators)
{
	static const char lines[] = "disk = ram:1M, bus=ide\n"
	                            "disk = ram:x.img, bus=ide, dvd\n"
	                            "disk = ram:2M\n"
	                            "disk = ram:3M, bus=ide\n";
	static const uint8_t places[][8] = {
	        {0, 0, 0, 0, 0, 0, 0x99, 0x88}, {1, 0, 0, 0, 0, 0, 0x99, 0x88}};
	char cfg[256];

	snprintf(cfg, sizeof(cfg), "smbios = hyperv\n%s", lines);
	ck_assert_int_eq(attach(cfg, 1 << 20), 0);
	ck_assert_uint_eq(world_n_added, 3);
	ck_assert_str_eq(world_added[0]->offer.name, "Synthetic SCSI Controller");
	ck_assert_uint_eq(added(0)->n_luns, 1);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_str_eq(world_added[i + 1]->offer.name, "Synthetic IDE Controller");
		ck_assert_mem_eq(world_added[i + 1]->offer.instance.b, places[i], 8);
		ck_assert_uint_eq(added(i + 1)->n_luns, 1);
		ck_assert_ptr_eq(added(i + 1)->luns[0].blk, disks_blk(vm, i == 0 ? 0 : 3));
	}
	ck_assert_int_eq(vm->disk_ops->plug(vm, 0, false), -EOPNOTSUPP);
	/* No bus; not that kind of machine. */
	ck_assert_int_eq(
	        attach("smbios = hyperv\nvmbus = off\ndisk = ram:1M, bus=ide\n", 1 << 20), 0);
	ck_assert_uint_eq(world_n_added, 0);
	ck_assert_int_eq(attach(lines, 1 << 20), 0);
	ck_assert_uint_eq(world_n_added, 1);
}
END_TEST

START_TEST(no_memory)
{
	static const char one[] = "smbios = hyperv\ndisk = ram:2M, bus=ide\n";
	const uint64_t pages = 600; /* for all of it */
	unsigned failed = 0;

	ck_assert_int_eq(attach("disk = ram:64M\n", 100), -ENOMEM);
	ck_assert_uint_eq(fake_log_count("candela.cfg:4: [vm.a]: no memory is left for disk 0"), 1);
	ck_assert_ptr_null(vm->disk_ops);
	ck_assert_int_eq(attach("disk = ram:64M\n", 0), -ENOMEM);
	ck_assert_uint_eq(
	        fake_log_count("[vm.a]: no memory is left for its disks' controllers"), 1);
	ck_assert_ptr_null(vm->disk_ops);
	/* Whatever it is that there is no memory for. */
	ck_assert_int_eq(attach(one, pages), 0);
	for (uint64_t left = pages - pages_left; left-- > 0;) {
		failed += attach(one, left) == -ENOMEM;
		ck_assert_uint_eq(fake_log_count("no memory is left for"), 1);
		teardown();
	}
	ck_assert_uint_gt(failed, 512);
}
END_TEST

UNIT_MAIN("disks", tcase_add_checked_fixture(tc, NULL, teardown); tcase_add_test(tc, none);
          tcase_add_test(tc, several); tcase_add_test(tc, some_on_ide);
          tcase_add_test(tc, accelerators); tcase_add_test(tc, no_memory);)
