// SPDX-License-Identifier: BSD-2-Clause
// ACPI tables, walked as an operating system walks them. ACPI_DUMP=directory keeps them for iasl
// -d.
#include "devices/acpi_build.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/guest_load.h"
#include "vmm/lib/err.h"
#include <stdio.h>
#include <string.h>

static struct vm *vm;
static uint8_t area[0x20000];
#define AREA_LEN (GUEST_TABLES_END - GUEST_TABLES_BASE)

static struct acpi_info info = {
        .n_vcpus = 3,
        .lapic_base = 0xfee00000,
        .ioapic_base = 0xfec00000,
        .ioapic_id = 7,
        .sci_gsi = 9,
        .pit_gsi = 2,
        .century = 0x32,
        .pm_base = 0x400,
        .smi_port = 0xb2,
        .acpi_enable = 0xf1,
        .acpi_disable = 0xf0,
        .reset_port = 0xcf9,
        .reset_value = 6,
};

static void setup(void)
{
	vm = fake_vm(2 << 20, 1);
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

/* A table at a guest-physical address: inside the area, right signature and sum. */
static const uint8_t *table(uint64_t at, const char *signature, size_t *len)
{
	const uint8_t *t = area + (at - GUEST_TABLES_BASE);

	ck_assert_uint_ge(at, GUEST_TABLES_BASE);
	ck_assert_uint_le(at + 36, GUEST_TABLES_END);
	ck_assert_msg(
	        memcmp(t, signature, 4) == 0, "%.4s instead of %s", (const char *)t, signature);
	*len = le(t + 4, 4);
	ck_assert_uint_le(at + *len, GUEST_TABLES_END);
	if (strcmp(signature, "FACS") != 0) {
		ck_assert_uint_eq(sum(t, *len), 0);
	}
	if (getenv("ACPI_DUMP")) {
		char path[256];
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s.dat", getenv("ACPI_DUMP"), signature);
		f = fopen(path, "wb");
		ck_assert_ptr_nonnull(f);
		fwrite(t, 1, *len, f);
		fclose(f);
	}
	return t;
}

static void build(void)
{
	ck_assert_int_eq(acpi_build(&vm->mem, gpa(GUEST_TABLES_BASE), AREA_LEN, &info), 0);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(GUEST_TABLES_BASE), area, AREA_LEN), 0);
}

START_TEST(tables_chain)
{
	size_t len;
	build();
	ck_assert_mem_eq(area, "RSD PTR ", 8);
	ck_assert_uint_eq(sum(area, 20), 0);
	ck_assert_uint_eq(sum(area, 36), 0);
	ck_assert_uint_eq(area[15], 2);
	ck_assert_uint_eq(le(area + 20, 4), 36);
	const uint8_t *rsdt = table(le(area + 16, 4), "RSDT", &len);
	ck_assert_uint_eq(len, 36 + 8);
	const uint8_t *xsdt = table(le(area + 24, 8), "XSDT", &len);
	ck_assert_uint_eq(len, 36 + 16);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_uint_eq(le(rsdt + 36 + 4 * i, 4), le(xsdt + 36 + 8 * i, 8));
	}
	table(le(xsdt + 36, 8), "FACP", &len);
	table(le(xsdt + 44, 8), "APIC", &len);
}
END_TEST

static bool contains(const uint8_t *table_at, size_t len, const void *what, size_t n)
{
	for (size_t i = 0; i + n <= len; i++) {
		if (memcmp(table_at + i, what, n) == 0) {
			return true;
		}
	}
	return false;
}

START_TEST(a_vmbus_has_a_table_of_its_own)
{
	size_t len, aml;

	info.vmbus = true;
	build();
	info.vmbus = false;
	const uint8_t *rsdt = table(le(area + 16, 4), "RSDT", &len);
	ck_assert_uint_eq(len, 36 + 12);
	const uint8_t *xsdt = table(le(area + 24, 8), "XSDT", &len);
	ck_assert_uint_eq(len, 36 + 24);
	ck_assert_uint_eq(le(rsdt + 44, 4), le(xsdt + 52, 8));
	const uint8_t *ssdt = table(le(xsdt + 52, 8), "SSDT", &aml);
	/* The name Linux and Windows look for, and the window in the device above it. */
	ck_assert(contains(ssdt, aml, "\x0dVMBUS", 7));
	ck_assert(contains(ssdt, aml, "\x00\x00\x00\xd0\xff\xff\xff\xdf", 8));
}
END_TEST

/* [ACPI] "FADT Format": offset, width, value. */
static const struct {
	uint8_t offset, width;
	uint64_t value;
} fadt_fields[] = {
        {8, 1, 4},
        {46, 2, 9},
        {48, 4, 0xb2},
        {52, 2, 0xf0f1},
        {54, 2, 0},
        {56, 4, 0x400},
        {60, 4, 0},
        {64, 4, 0x404},
        {72, 4, 0},
        {76, 4, 0x408},
        {80, 4, 0x40c},
        {84, 4, 0},
        {88, 4, 0x04000204},
        {92, 4, 0x00000004},
        {108, 1, 0x32},
        {109, 2, 0x0007},
        {112, 4, 0x00000465},
        {116, 4, 0x01000801},
        {120, 8, 0xcf9},
        {128, 1, 6},
        {132, 8, 0},
        {148, 4, 0x02002001},
        {152, 8, 0x400},
        {160, 4, 0},
        {164, 8, 0},
        {172, 4, 0x02001001},
        {176, 8, 0x404},
        {208, 4, 0x03002001},
        {212, 8, 0x408},
        {220, 4, 0x01002001},
        {224, 8, 0x40c},
        {232, 8, 0},
};

START_TEST(fadt)
{
	size_t len;
	build();
	const uint8_t *xsdt = table(le(area + 24, 8), "XSDT", &len);
	const uint8_t *f = table(le(xsdt + 36, 8), "FACP", &len);
	ck_assert_uint_eq(len, 244);
	ck_assert_msg(
	        le(f + fadt_fields[_i].offset, fadt_fields[_i].width) == fadt_fields[_i].value,
	        "FADT offset %u: %llx", fadt_fields[_i].offset,
	        (unsigned long long)le(f + fadt_fields[_i].offset, fadt_fields[_i].width));
}
END_TEST

START_TEST(facs_and_dsdt)
{
	size_t len;
	build();
	const uint8_t *xsdt = table(le(area + 24, 8), "XSDT", &len);
	const uint8_t *f = table(le(xsdt + 36, 8), "FACP", &len);
	ck_assert_uint_eq(le(f + 36, 4) % 64, 0);
	const uint8_t *facs = table(le(f + 36, 4), "FACS", &len);
	ck_assert_uint_eq(len, 64);
	ck_assert_uint_eq(facs[32], 1);
	ck_assert_uint_eq(le(f + 40, 4), le(f + 140, 8));
	const uint8_t *dsdt = table(le(f + 40, 4), "DSDT", &len);
	ck_assert_uint_eq(dsdt[8], 2);
	ck_assert_uint_gt(len, 500);
}
END_TEST

/* Entries of the MADT; returns how many of the type there are, the last in *entry. */
static unsigned madt_entries(const uint8_t *madt, size_t len, uint8_t type, const uint8_t **entry)
{
	unsigned n = 0;
	size_t at = 44;

	while (at + 2 <= len) {
		ck_assert_uint_ge(madt[at + 1], 6);
		ck_assert_uint_le(at + madt[at + 1], len);
		if (madt[at] == type) {
			*entry = madt + at;
			n++;
		}
		at += madt[at + 1];
	}
	ck_assert_uint_eq(at, len);
	return n;
}

START_TEST(madt)
{
	static const uint8_t counts[] = {1, 3, MAX_VCPUS};
	size_t len;
	const uint8_t *e = NULL;

	info.n_vcpus = counts[_i];
	build();
	const uint8_t *xsdt = table(le(area + 24, 8), "XSDT", &len);
	const uint8_t *m = table(le(xsdt + 44, 8), "APIC", &len);
	ck_assert_uint_eq(le(m + 36, 4), 0xfee00000);
	ck_assert_uint_eq(le(m + 40, 4), 1);
	ck_assert_uint_eq(madt_entries(m, len, 0, &e), counts[_i]);
	ck_assert_uint_eq(e[2], counts[_i] - 1U);
	ck_assert_uint_eq(e[3], counts[_i] - 1U);
	ck_assert_uint_eq(le(e + 4, 4), 1);
	ck_assert_uint_eq(madt_entries(m, len, 1, &e), 1);
	ck_assert_uint_eq(e[2], 7);
	ck_assert_uint_eq(le(e + 4, 4), 0xfec00000);
	ck_assert_uint_eq(le(e + 8, 4), 0);
	ck_assert_uint_eq(madt_entries(m, len, 2, &e), 2);
	/* The SCI: level, active high. */
	ck_assert_uint_eq(e[3], 9);
	ck_assert_uint_eq(le(e + 4, 4), 9);
	ck_assert_uint_eq(le(e + 8, 2), 0xd);
	e -= 10;
	ck_assert_uint_eq(le(e, 4), 0x00000a02);
	ck_assert_uint_eq(le(e + 4, 4), 2);
	ck_assert_uint_eq(le(e + 8, 2), 0);
	ck_assert_uint_eq(madt_entries(m, len, 4, &e), 1);
	ck_assert_uint_eq(e[2], 0xff);
	ck_assert_uint_eq(e[5], 1);
}
END_TEST

START_TEST(room)
{
	uint64_t need = AREA_LEN;

	/* The smallest room that does, and one byte less. */
	while (acpi_build(&vm->mem, gpa(GUEST_TABLES_BASE), need - 1, &info) == 0) {
		need--;
	}
	ck_assert_uint_lt(need, 0x4000);
	ck_assert_int_eq(acpi_build(&vm->mem, gpa(GUEST_TABLES_BASE), need, &info), 0);
	for (uint64_t len = 0; len < need; len += 13) {
		ck_assert_int_eq(acpi_build(&vm->mem, gpa(GUEST_TABLES_BASE), len, &info), -ENOMEM);
	}
	ck_assert_int_eq(acpi_build(&vm->mem, gpa(GMEM_VGA_BASE), AREA_LEN, &info), -EFAULT);
}
END_TEST

UNIT_MAIN("acpi_build", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, tables_chain); tcase_add_test(tc, a_vmbus_has_a_table_of_its_own);
          tcase_add_loop_test(tc, fadt, 0, ARRAY_SIZE(fadt_fields));
          tcase_add_test(tc, facs_and_dsdt); tcase_add_loop_test(tc, madt, 0, 3);
          tcase_add_test(tc, room);)
