// SPDX-License-Identifier: BSD-2-Clause
// SMBIOS structures, walked by their lengths. SMBIOS_DUMP=file keeps them for dmidecode.
#include "devices/smbios.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/guest_load.h"
#include "vmm/lib/err.h"
#include <stdio.h>
#include <string.h>

#define AT 0xf0000ULL

static struct vm *vm;
static uint8_t area[0x10000];
static const uint8_t *found[256];
static unsigned n_found[256];

static void setup(void)
{
	vm = fake_vm(2 << 20, 1);
	memset(found, 0, sizeof(found));
	memset(n_found, 0, sizeof(n_found));
}

static uint64_t le(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++) {
		v |= (uint64_t)p[i] << (8 * i);
	}
	return v;
}

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	while (n-- > 0) {
		s = (uint8_t)(s + *p++);
	}
	return s;
}

/* String number i of a structure. */
static const char *string(const uint8_t *s, unsigned i)
{
	const char *p = (const char *)s + s[1];

	ck_assert_uint_gt(i, 0);
	while (--i > 0) {
		ck_assert_uint_gt(strlen(p), 0);
		p += strlen(p) + 1;
	}
	return p;
}

static void build(const struct smbios_info *info)
{
	ck_assert_int_eq(smbios_build(&vm->mem, gpa(AT), 0x10000, info), 0);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(AT), area, sizeof(area)), 0);
	ck_assert_mem_eq(area, "_SM_", 4);
	ck_assert_mem_eq(area + 16, "_DMI_", 5);
	ck_assert_uint_eq(area[5], 31);
	ck_assert_uint_eq(sum(area, 31), 0);
	ck_assert_uint_eq(sum(area + 16, 15), 0);
	ck_assert_uint_eq(area[6], 2);
	ck_assert_uint_eq(area[7], 8);
	size_t len = le(area + 22, 2);
	unsigned count = (unsigned)le(area + 28, 2), longest = 0;
	const uint8_t *s = area + (le(area + 24, 4) - AT), *end = s + len;

	ck_assert(s >= area + 31);
	ck_assert(end <= area + sizeof(area));
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *p = s + s[1];

		ck_assert_uint_ge(s[1], 4);
		found[s[0]] = s;
		n_found[s[0]]++;
		ck_assert_uint_eq(le(s + 2, 2), (unsigned)s[0] << 8 | (n_found[s[0]] - 1));
		while (p[0] || p[1]) {
			p++;
		}
		p += 2;
		if ((unsigned)(p - s) > longest) {
			longest = (unsigned)(p - s);
		}
		s = p;
	}
	ck_assert_ptr_eq(s, end);
	ck_assert_uint_eq(le(area + 8, 2), longest);
	static const uint8_t types[] = {0, 1, 2, 3, 4, 16, 17, 19, 32, 127};
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		ck_assert_uint_ge(n_found[types[i]], 1);
	}
	ck_assert_ptr_eq(found[127], end - 6);
	if (getenv("SMBIOS_DUMP")) {
		FILE *f = fopen(getenv("SMBIOS_DUMP"), "wb");

		/* The form that dmidecode --from-dump reads: entry at 0, table at 32. */
		fwrite(area, 1, 32 + len, f);
		fclose(f);
	}
}

START_TEST(candela)
{
	build(&(struct smbios_info){.vm_name = "debian", .n_vcpus = 4, .mem_size = 512 << 20});
	ck_assert_str_eq(string(found[0], found[0][4]), "Candela");
	ck_assert_str_eq(string(found[1], found[1][4]), "Candela");
	ck_assert_str_eq(string(found[1], found[1][7]), "debian");
	ck_assert_uint_eq(found[4][0x23], 4);
	ck_assert_uint_eq(le(found[16] + 7, 4), 512 << 10);
	ck_assert_uint_eq(le(found[17] + 12, 2), 512);
	ck_assert_uint_eq(n_found[19], 1);
	ck_assert_uint_eq(le(found[19] + 4, 4), 0);
	ck_assert_uint_eq(le(found[19] + 8, 4), (512 << 10) - 1);
	/* The UUID: stable, and another for another VM. */
	uint8_t uuid[16];
	memcpy(uuid, found[1] + 8, 16);
	setup();
	build(&(struct smbios_info){.vm_name = "debian", .n_vcpus = 1, .mem_size = 64 << 20});
	ck_assert_mem_eq(uuid, found[1] + 8, 16);
	setup();
	build(&(struct smbios_info){.vm_name = "debiam", .n_vcpus = 1, .mem_size = 64 << 20});
	ck_assert_mem_ne(uuid, found[1] + 8, 16);
	ck_assert_uint_eq(uuid[7] >> 4, 8);
	ck_assert_uint_eq(uuid[8] >> 6, 2);
}
END_TEST

START_TEST(hyperv)
{
	build(&(struct smbios_info){
	        .strings = SMBIOS_HYPERV, .vm_name = "", .n_vcpus = 1, .mem_size = 64 << 20});
	ck_assert_str_eq(string(found[0], found[0][4]), "American Megatrends Inc.");
	ck_assert_str_eq(string(found[1], found[1][4]), "Microsoft Corporation");
	ck_assert_str_eq(string(found[1], found[1][5]), "Virtual Machine");
	ck_assert_str_eq(string(found[2], found[2][5]), "Virtual Machine");
	ck_assert_str_eq(string(found[3], found[3][4]), "Microsoft Corporation");
}
END_TEST

START_TEST(much_memory)
{
	build(&(struct smbios_info){
	        .vm_name = "big", .n_vcpus = MAX_VCPUS, .mem_size = 64ULL << 30});
	ck_assert_uint_eq(le(found[17] + 12, 2), 0x7fff);
	ck_assert_uint_eq(le(found[17] + 0x1c, 4), 64 << 10);
	ck_assert_uint_eq(n_found[19], 2);
	ck_assert_uint_eq(le(found[19] + 4, 4), SIZE_4G >> 10);
	ck_assert_uint_eq(le(found[19] + 8, 4), (65ULL << 20) - 1);
	setup();
	build(&(struct smbios_info){.vm_name = "huge", .n_vcpus = 1, .mem_size = 8ULL << 40});
	ck_assert_uint_eq(le(found[16] + 7, 4), 0x80000000);
	ck_assert_uint_eq(le(found[16] + 15, 8), 8ULL << 40);
	ck_assert_uint_eq(le(found[19] + 4, 4), 0xffffffff);
	ck_assert_uint_eq(le(found[19] + 15, 8), SIZE_4G);
	ck_assert_uint_eq(le(found[19] + 23, 8), SIZE_4G + (8ULL << 40) - GMEM_LOW_MAX - 1);
}
END_TEST

START_TEST(room)
{
	struct smbios_info info = {.vm_name = "x", .n_vcpus = 1, .mem_size = 64 << 20};

	ck_assert_int_eq(smbios_build(&vm->mem, gpa(AT), 31, &info), -ENOMEM);
	ck_assert_int_eq(smbios_build(&vm->mem, gpa(AT), 300, &info), -ENOMEM);
	ck_assert_int_eq(smbios_build(&vm->mem, gpa(AT), 1024, &info), 0);
	ck_assert_int_eq(smbios_build(&vm->mem, gpa(GMEM_VGA_BASE), 1024, &info), -EFAULT);
}
END_TEST

UNIT_MAIN("smbios", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, candela);
          tcase_add_test(tc, hyperv); tcase_add_test(tc, much_memory); tcase_add_test(tc, room);)
