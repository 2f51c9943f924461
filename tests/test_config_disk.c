// SPDX-License-Identifier: BSD-2-Clause
// disk =: what is accepted and what it means, the exact sentence for what is not, and who shares.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/config.h"
#include "vmm/lib/err.h"
#include <stdio.h>
#include <string.h>

#define VM "[vm.a]\nmemory=4M\nkernel=k\n"
#define VM_B "[vm.b]\nmemory=4M\nkernel=k\n"

static struct config cfg;
static struct config_error err;

static int parse(const char *text)
{
	return config_parse(&cfg, "candela.cfg", text, strlen(text), &err);
}

static void parse_ok(const char *text)
{
	ck_assert_msg(parse(text) == 0, "%s", err.text);
}

static const struct {
	const char *value, *path, *printed;
	uint64_t size;
	uint32_t block;
	bool ro, dvd;
} good[] = {
        {"ram:\\a\\root.img", "\\a\\root.img", "disk = ram:\\a\\root.img, bus=storvsc, block=512",
                0, 512, false, false},
        {"ram: root.img , ro", "root.img", "disk = ram:root.img, bus=storvsc, block=512, ro", 0,
                512, true, false},
        {"ram:64M", "", "disk = ram:65536K, bus=storvsc, block=512", 64 << 20, 512, false, false},
        {"ram:4k,block = 4096,bus=storvsc", "", "disk = ram:4K, bus=storvsc, block=4096", 4096,
                4096, false, false},
        {"ram:x.iso, dvd", "x.iso", "disk = ram:x.iso, bus=storvsc, block=2048, dvd", 0, 2048, true,
                true},
        {"ram:64M.img", "64M.img", "disk = ram:64M.img, bus=storvsc, block=512", 0, 512, false,
                false},
        {"ram:1M, bus=ide", "", "disk = ram:1024K, bus=ide, block=512", 1 << 20, 512, false, false},
        {"ram:x.iso, dvd, bus=ide", "x.iso", "disk = ram:x.iso, bus=ide, block=2048, dvd", 0, 2048,
                true, true},
        {"ram:100", "100", "disk = ram:100, bus=storvsc, block=512", 0, 512, false, false},
};

START_TEST(accepted)
{
	const struct config_disk *d = &cfg.vms[0].disks[0];
	char text[256];

	snprintf(text, sizeof(text), VM "disk = %s\n", good[_i].value);
	parse_ok(text);
	ck_assert_uint_eq(cfg.vms[0].n_disks, 1);
	ck_assert_uint_eq(d->line, 4);
	ck_assert_str_eq(d->path, good[_i].path);
	ck_assert_uint_eq(d->size, good[_i].size);
	ck_assert_uint_eq(d->block_size, good[_i].block);
	ck_assert_int_eq(d->read_only, good[_i].ro);
	ck_assert_int_eq(d->dvd, good[_i].dvd);
	fake_log_clear();
	config_log(&cfg);
	snprintf(text, sizeof(text), "config: vm.a: %s\n", good[_i].printed);
	ck_assert_uint_eq(fake_log_count(good[_i].printed), 1);
	ck_assert_ptr_nonnull(strstr(fake_log_text(), text));
}
END_TEST

#define IDE "disk = ram:1M, bus=ide\n"

/* Without VMBus there is still IDE. */
START_TEST(ide_alone)
{
	parse_ok(VM "hyperv = off\n" IDE IDE IDE IDE);
	ck_assert_uint_eq(config_disks_on(&cfg.vms[0], DISK_IDE), 4);
	ck_assert_uint_eq(config_disks_on(&cfg.vms[0], DISK_STORVSC), 0);
}
END_TEST

static const struct {
	const char *text, *error;
} bad[] = {
        {VM "disk =\n", "4: disk has no value"},
        {VM "disk = root.img\n",
                "4: a disk is ram: and an image's path or a size, such as ram:64M, "
                "not 'root.img'"},
        {VM "disk = ram:\n",
                "4: a disk is ram: and an image's path or a size, such as ram:64M, not 'ram:'"},
        {VM "disk = , ro\n",
                "4: a disk is ram: and an image's path or a size, such as ram:64M, not ''"},
        {VM "disk = ram:0M\n", "4: a disk of 0M is none"},
        {VM "disk = ram:99999999G\n", "4: a disk of 99999999G is more than any machine has"},
        {VM "disk = ram:1K, block=4096\n",
                "4: the disk's size is not a multiple of its block size, 4096"},
        {VM "disk = ram:b\xc3\xa4r\n", "4: disk has a character that is not ASCII"},
        {VM "disk = ram:1M, bus=scsi\n", "4: bus must be storvsc or ide, not 'scsi'"},
        {VM "disk = ram:1M, bus=ide, block=4096\n", "4: a disk on bus ide has blocks of 512 bytes"},
        {VM IDE IDE "disk = ram:1M\n" IDE IDE IDE, "9: more than 4 disks on bus ide"},
        {VM "hyperv = off\n" IDE "disk = ram:1M\n",
                "6: a disk on bus storvsc needs VMBus: hyperv = on, vmbus = on"},
        {VM "disk = ram:1M, bus\n", "4: disk option bus needs a value"},
        {VM "disk = ram:1M, ro=yes\n", "4: disk option ro takes no value"},
        {VM "disk = ram:1M, dvd=\n", "4: disk option dvd takes no value"},
        {VM "disk = ram:1M, block=1024\n", "4: block must be 512 or 4096, not '1024'"},
        {VM "disk = ram:1M, blok=512\n", "4: unknown disk option 'blok' (did you mean 'block'?)"},
        {VM "disk = ram:1M, elephant\n",
                "4: unknown disk option 'elephant': there are bus, block, ro and dvd"},
        {VM "disk = ram:1M,\n", "4: unknown disk option '': there are bus, block, ro and dvd"},
        {VM "disk = ram:1M, dvd\n", "4: a dvd needs an image: ram:\\path\\to\\file, dvd"},
        {VM "disk = ram:x.iso, dvd, block=4096\n",
                "4: a dvd has blocks of 2048 bytes: leave block= away"},
        {VM "hyperv = off\ndisk = ram:1M\n",
                "5: a disk on bus storvsc needs VMBus: hyperv = on, vmbus = on"},
        {VM "disk = ram:1M\nhyperv = off\n" VM_B,
                "4: a disk on bus storvsc needs VMBus: hyperv = on, vmbus = on"},
};

START_TEST(refused)
{
	char want[256];

	snprintf(want, sizeof(want), "candela.cfg:%s", bad[_i].error);
	ck_assert_int_eq(parse(bad[_i].text), -EINVAL);
	ck_assert_str_eq(err.text, want);
}
END_TEST

START_TEST(several)
{
	char text[1024] = VM;

	for (unsigned i = 0; i < MAX_DISKS; i++) {
		sprintf(text + strlen(text), "disk = ram:%uM\n", i + 1);
	}
	parse_ok(text);
	ck_assert_uint_eq(cfg.vms[0].n_disks, MAX_DISKS);
	ck_assert_uint_eq(cfg.vms[0].disks[0].size, 1 << 20);
	ck_assert_uint_eq(cfg.vms[0].disks[7].size, 8 << 20);
	strcat(text, "disk = ram:1M\n");
	ck_assert_int_eq(parse(text), -EINVAL);
	ck_assert_str_eq(err.text, "candela.cfg:12: more than 8 disks");
}
END_TEST

START_TEST(longest_path)
{
	char text[512] = VM "disk = ram:";

	memset(text + strlen(text), 'x', MAX_PATH_LEN - 1);
	parse_ok(text);
	strcat(text, "x");
	ck_assert_int_eq(parse(text), -EINVAL);
	ck_assert_str_eq(err.text, "candela.cfg:4: disk is too long: a path has at most 127 "
	                           "characters, this one has 128");
}
END_TEST

/* An image is written in place when nothing else is made of the file. */
START_TEST(sharing)
{
	const struct config_disk *a = cfg.vms[0].disks, *b = cfg.vms[1].disks;

	parse_ok(VM "disk = ram:one\ndisk = ram:two\ndisk = ram:3M\ndisk = ram:four\n"
	            "disk = ram:four,ro\ndisk = ram:k\n" VM_B
	            "disk = ram:two\ndisk = ram:five,ro\ninitrd = one.gz\n");
	ck_assert(!config_disk_is_private(&cfg, &a[0]));
	ck_assert_uint_eq(config_disk_memory(&cfg, &a[0], 512), 0);
	/* Written by both VMs. */
	ck_assert(config_disk_is_private(&cfg, &a[1]));
	ck_assert(config_disk_is_private(&cfg, &b[0]));
	ck_assert_uint_eq(config_disk_memory(&cfg, &a[1], 512), SIZE_2M);
	ck_assert_uint_eq(config_disk_memory(&cfg, &a[1], SIZE_2M + 512), 2 * SIZE_2M);
	/* Empty. */
	ck_assert(config_disk_is_private(&cfg, &a[2]));
	ck_assert_uint_eq(config_disk_memory(&cfg, &a[2], 0), 2 * SIZE_2M);
	/* Read by one, written by the other. */
	ck_assert(config_disk_is_private(&cfg, &a[3]));
	ck_assert(!config_disk_is_private(&cfg, &a[4]));
	/* A kernel must be the same at the next start. */
	ck_assert(config_disk_is_private(&cfg, &a[5]));
	ck_assert(!config_disk_is_private(&cfg, &b[1]));
}
END_TEST

UNIT_MAIN("config_disk", tcase_add_test(tc, ide_alone);
          tcase_add_loop_test(tc, accepted, 0, ARRAY_SIZE(good));
          tcase_add_loop_test(tc, refused, 0, ARRAY_SIZE(bad)); tcase_add_test(tc, several);
          tcase_add_test(tc, longest_path); tcase_add_test(tc, sharing);)
