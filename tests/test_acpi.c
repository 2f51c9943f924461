// SPDX-License-Identifier: BSD-2-Clause
// vmm/hw/acpi.c on crafted tables: what it reads, and every length and checksum that lies.
#include "tests/fake/phys_fake.h"
#include "tests/unit.h"
#include "vmm/hw/acpi.h"
#include "vmm/lib/bits.h"
#include <string.h>

#define BASE 0x7fe00000ULL
#define SIZE 0x10000ULL

/* Where the tables of a test lie. */
#define RSDP (BASE + 0x10)
#define ROOT (BASE + 0x100)
#define MADT (BASE + 0x1000)
#define FADT (BASE + 0x2000)
#define DSDT (BASE + 0x3000)
#define MCFG (BASE + 0x4000)
#define DMAR (BASE + 0x5000)

static uint8_t *arena;
static struct acpi_info info;

static uint8_t *at(uint64_t pa)
{
	return arena + (pa - BASE);
}

static void put(uint64_t pa, uint64_t v, unsigned bytes)
{
	memcpy(at(pa), &v, bytes);
}

static void fix_sum(uint64_t pa, uint32_t len, uint32_t field)
{
	uint8_t sum = 0;

	at(pa)[field] = 0;
	for (uint32_t i = 0; i < len; i++) {
		sum = (uint8_t)(sum + at(pa)[i]);
	}
	at(pa)[field] = (uint8_t)-sum;
}

static void header(uint64_t pa, const char *signature, uint32_t len)
{
	memset(at(pa), 0, len);
	memcpy(at(pa), signature, 4);
	put(pa + 4, len, 4);
	fix_sum(pa, len, 9);
}

/* Change a field of a table and keep its sum right. */
static void patch(uint64_t pa, uint32_t off, uint64_t v, unsigned bytes)
{
	uint32_t len;

	put(pa + off, v, bytes);
	memcpy(&len, at(pa + 4), 4);
	fix_sum(pa, len, 9);
}

static void rsdp(unsigned revision, uint64_t root)
{
	memset(at(RSDP), 0, 36);
	memcpy(at(RSDP), "RSD PTR ", 8);
	at(RSDP)[15] = (uint8_t)revision;
	put(RSDP + 16, root, 4);
	if (revision >= 2) {
		put(RSDP + 20, 36, 4);
		put(RSDP + 24, root, 8);
	}
	fix_sum(RSDP, 20, 8);
	if (revision >= 2) {
		fix_sum(RSDP, 36, 32);
	}
}

/* An XSDT with everything; tests bend it. */
static void start(void)
{
	static const uint64_t tables[] = {MADT, FADT, MCFG, DMAR};
	static const uint8_t aml[] = {0x10, 0x05, '_', 'S', 'B', '_', /* something before */
	        0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x0a, 0x05, 0x01, 0x00, 0x00};

	arena = fake_phys_init(BASE, SIZE);
	rsdp(2, ROOT);
	header(ROOT, "XSDT", 36 + sizeof(tables));
	for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
		patch(ROOT, 36 + 8 * i, tables[i], 8);
	}
	header(MADT, "APIC", 44 + 12 + 10 + 12);
	patch(MADT, 36, 0xfee00000, 4);
	patch(MADT, 44, 0x0c01, 2); /* IOAPIC */
	patch(MADT, 48, 0xfec00000, 4);
	patch(MADT, 56, 0x0a02, 2); /* override: IRQ 4 is input 20, level, low */
	patch(MADT, 58, 0x0400, 2);
	patch(MADT, 60, 20, 4);
	patch(MADT, 64, 0x000f, 2);
	patch(MADT, 66, 0x0c01, 2); /* second IOAPIC from input 16 */
	patch(MADT, 70, 0xfec01000, 4);
	patch(MADT, 74, 16, 4);
	header(FADT, "FACP", 244);
	patch(FADT, 40, DSDT, 4);
	patch(FADT, 64, 0x604, 4);
	patch(FADT, 76, 0x608, 4);
	patch(FADT, 91, 4, 1);
	patch(FADT, 112, BIT(10), 4);
	patch(FADT, 116, 1, 1);
	patch(FADT, 120, 0xcf9, 8);
	patch(FADT, 128, 6, 1);
	header(DSDT, "DSDT", 36 + sizeof(aml));
	memcpy(at(DSDT + 36), aml, sizeof(aml));
	fix_sum(DSDT, 36 + sizeof(aml), 9);
	header(MCFG, "MCFG", 60);
	patch(MCFG, 44, 0xb0000000, 8);
	header(DMAR, "DMAR", 48);
}

static void is_default(void)
{
	ck_assert(!info.present);
	ck_assert_uint_eq(info.lapic_base, 0xfee00000);
	ck_assert_uint_eq(info.ioapic_base, 0xfec00000);
	ck_assert_uint_eq(info.serial_gsi, 4);
	ck_assert(!info.serial_active_low && !info.serial_level && !info.s5_valid);
	ck_assert_uint_eq(info.pm_timer_port | info.pm1a_cnt_port | info.reset_port, 0);
}

START_TEST(reads_everything)
{
	start();
	acpi_parse(&info, RSDP);
	ck_assert(info.present);
	ck_assert_uint_eq(info.lapic_base, 0xfee00000);
	ck_assert_uint_eq(info.serial_gsi, 20);
	ck_assert(info.serial_active_low);
	ck_assert(info.serial_level);
	ck_assert_uint_eq(info.ioapic_base, 0xfec01000);
	ck_assert_uint_eq(info.ioapic_gsi_base, 16);
	ck_assert_uint_eq(info.pm_timer_port, 0x608);
	ck_assert_uint_eq(info.pm1a_cnt_port, 0x604);
	ck_assert_uint_eq(info.pm1b_cnt_port, 0);
	ck_assert_uint_eq(info.reset_port, 0xcf9);
	ck_assert_uint_eq(info.reset_value, 6);
	ck_assert(info.s5_valid);
	ck_assert_uint_eq(info.s5_slp_typ_a, 5);
	ck_assert_uint_eq(info.s5_slp_typ_b, 1);
	ck_assert_uint_eq(info.mcfg_base, 0xb0000000);
	ck_assert_uint_eq(info.dmar, DMAR);
}
END_TEST

START_TEST(without_tables_defaults_hold)
{
	arena = fake_phys_init(BASE, SIZE);
	memset(&info, 0xff, sizeof(info));
	acpi_parse(&info, 0);
	is_default();
	acpi_parse(&info, 0x1000); /* not RAM */
	is_default();
	acpi_parse(&info, BASE + SIZE - 8); /* half of it */
	is_default();
	acpi_parse(&info, BASE); /* rubbish */
	is_default();
}
END_TEST

START_TEST(revision_0_uses_the_rsdt)
{
	start();
	rsdp(0, ROOT);
	header(ROOT, "RSDT", 36 + 8);
	patch(ROOT, 36, MADT, 4);
	patch(ROOT, 40, FADT, 4);
	acpi_parse(&info, RSDP);
	ck_assert(info.present && info.s5_valid);
	ck_assert_uint_eq(info.serial_gsi, 20);
	ck_assert_uint_eq(info.dmar, 0);
}
END_TEST

START_TEST(extended_addresses_win)
{
	start();
	patch(FADT, 172, 1, 1); /* X_PM1a_CNT_BLK in I/O space */
	patch(FADT, 176, 0x1804, 8);
	patch(FADT, 208, 1, 1); /* X_PM_TMR_BLK */
	patch(FADT, 212, 0x1808, 8);
	patch(FADT, 116, 0, 1);     /* reset register in memory: not used */
	patch(MADT, 66, 0x0c05, 2); /* the second IOAPIC becomes a 64-bit LAPIC address */
	patch(MADT, 70, 0x1fee00000, 8);
	acpi_parse(&info, RSDP);
	ck_assert_uint_eq(info.pm1a_cnt_port, 0x1804);
	ck_assert_uint_eq(info.pm_timer_port, 0x1808);
	ck_assert_uint_eq(info.reset_port, 0);
	ck_assert_uint_eq(info.lapic_base, 0x1fee00000);
	ck_assert_uint_eq(info.ioapic_base, 0xfec00000);
}
END_TEST

/* One field wrong; what must then be missing. */
enum missing { ALL, MADT_GONE, FADT_GONE, S5_GONE };
static const struct {
	uint64_t pa;
	uint32_t off;
	uint64_t v;
	unsigned bytes;
	bool keep_sum;
	enum missing missing;
} lies[] = {
        {RSDP, 0, 'X', 1, false, ALL},            /* signature */
        {RSDP, 8, 0x77, 1, false, ALL},           /* checksum */
        {ROOT, 0, 'Y', 1, true, ALL},             /* XSDT signature */
        {ROOT, 9, 0x5a, 1, false, ALL},           /* checksum */
        {ROOT, 4, 35, 4, false, ALL},             /* shorter than a header */
        {ROOT, 4, 0xffffffff, 4, false, ALL},     /* longer than allowed */
        {ROOT, 4, 0xfff00, 4, false, ALL},        /* longer than memory */
        {MADT, 9, 0x11, 1, false, MADT_GONE},     /* checksum */
        {MADT, 4, 0, 4, false, MADT_GONE},        /* length 0 */
        {MADT, 45, 0, 1, true, MADT_GONE},        /* entry of length 0: must not loop */
        {MADT, 45, 1, 1, true, MADT_GONE},        /* of length 1 */
        {MADT, 45, 0xff, 1, true, MADT_GONE},     /* past the end */
        {MADT, 57, 9, 1, true, MADT_GONE},        /* override too short for its type */
        {MADT, 58, 1, 1, true, MADT_GONE},        /* another bus */
        {MADT, 59, 3, 1, true, MADT_GONE},        /* another IRQ */
        {FADT, 9, 0x11, 1, false, FADT_GONE},     /* checksum */
        {FADT, 112, BIT(20), 4, true, FADT_GONE}, /* hardware-reduced */
        {FADT, 40, 0, 4, true, S5_GONE},
        {FADT, 40, 0xfffffff0, 4, true, S5_GONE}, /* DSDT not in memory */
        {FADT, 40, MCFG, 4, true, S5_GONE},       /* not a DSDT */
        {DSDT, 9, 0x33, 1, false, S5_GONE}, {DSDT, 42, 0x14, 1, true, S5_GONE}, /* not a Name */
        {DSDT, 47, 0x13, 1, true, S5_GONE},                                     /* not a package */
        {DSDT, 48, 0xff, 1, true, S5_GONE}, /* PkgLength in four bytes: past the rest */
        {DSDT, 49, 0, 1, true, S5_GONE},    /* no elements */
        {DSDT, 50, 0x0e, 1, true, S5_GONE}, /* a QWordConst */
        {DSDT, 51, 8, 1, true, S5_GONE},    /* does not fit three bits */
        {DSDT, 4, 46, 4, true, S5_GONE},    /* ends after the first letters */
        {DSDT, 4, 51, 4, true, S5_GONE},    /* ends before the value */
};

START_TEST(believes_no_lie)
{
	start();
	put(lies[_i].pa + lies[_i].off, lies[_i].v, lies[_i].bytes);
	if (lies[_i].keep_sum) {
		patch(lies[_i].pa, lies[_i].off, lies[_i].v, lies[_i].bytes);
	}
	acpi_parse(&info, RSDP);
	ck_assert_int_eq(info.present, lies[_i].missing != ALL);
	ck_assert_uint_eq(
	        info.serial_gsi, lies[_i].missing == ALL || lies[_i].missing == MADT_GONE ? 4 : 20);
	ck_assert_uint_eq(info.pm_timer_port,
	        lies[_i].missing == ALL || lies[_i].missing == FADT_GONE ? 0 : 0x608);
	ck_assert_int_eq(info.s5_valid, lies[_i].missing == MADT_GONE);
}
END_TEST

START_TEST(lapic_base_must_be_a_page)
{
	start();
	patch(MADT, 36, 0xfee00800, 4);
	acpi_parse(&info, RSDP);
	ck_assert_uint_eq(info.lapic_base, 0xfee00000);
}
END_TEST

START_TEST(table_at_the_end_of_memory)
{
	uint64_t last = BASE + SIZE - 48;

	start();
	header(last, "DMAR", 48);
	patch(ROOT, 36 + 24, last, 8);
	acpi_parse(&info, RSDP);
	ck_assert_uint_eq(info.dmar, last);
	/* One byte further down it would end outside. */
	put(last + 4, 49, 4);
	acpi_parse(&info, RSDP);
	ck_assert_uint_eq(info.dmar, 0);
}
END_TEST

UNIT_MAIN("acpi", tcase_add_test(tc, reads_everything);
          tcase_add_test(tc, without_tables_defaults_hold);
          tcase_add_test(tc, revision_0_uses_the_rsdt); tcase_add_test(tc, extended_addresses_win);
          tcase_add_loop_test(tc, believes_no_lie, 0, (int)ARRAY_SIZE(lies));
          tcase_add_test(tc, lapic_base_must_be_a_page);
          tcase_add_test(tc, table_at_the_end_of_memory);)
