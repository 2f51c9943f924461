// SPDX-License-Identifier: BSD-2-Clause
// Reads the few facts that the core needs from the firmware's ACPI tables.
// Specs: [ACPI] "Root System Description Pointer (RSDP)", "Multiple APIC Description Table
// (MADT)", "Fixed ACPI Description Table (FADT)", "\_Sx (System States)", "DefPackage";
// [PCIFW] "MCFG Table Description"; [VTD] "DMA Remapping Reporting Structure".
#include "vmm/hw/acpi.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/string.h"

#define TABLE_HEADER_LEN 36U
#define TABLE_LEN_MAX (1U << 20) /* the largest DSDTs are some 200 KiB */
#define MAX_ROOT_ENTRIES 256U
#define ISA_IRQ_SERIAL 4U

struct acpi_info acpi;

/* Bytes of a table, mapped whole and of checked length and checksum. */
struct table {
	const uint8_t *at;
	uint32_t len;
};

/* Fields beyond the end read as zero, which the specification makes "absent" throughout. */
static uint64_t get(const struct table *t, uint32_t off, unsigned bytes)
{
	uint64_t v = 0;

	if (off <= t->len && t->len - off >= bytes) {
		memcpy(&v, t->at + off, bytes);
	}
	return v;
}

static bool sums_to_zero(const uint8_t *p, uint32_t len)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < len; i++) {
		sum = (uint8_t)(sum + p[i]);
	}
	return sum == 0;
}

static bool table_open(struct table *t, uint64_t pa)
{
	t->at = acpi_map(pa, TABLE_HEADER_LEN);
	t->len = TABLE_HEADER_LEN;
	if (!t->at) {
		return false;
	}
	t->len = (uint32_t)get(t, 4, 4);
	if (t->len < TABLE_HEADER_LEN || t->len > TABLE_LEN_MAX) {
		return false;
	}
	t->at = acpi_map(pa, t->len);
	return t->at && sums_to_zero(t->at, t->len);
}

static bool is_table(const struct table *t, const char *signature)
{
	return memcmp(t->at, signature, 4) == 0;
}

/* Generic Address Structure in system I/O space: its port, else 0. */
static uint16_t gas_port(const struct table *t, uint32_t off)
{
	uint64_t address = get(t, off + 4, 8);

	return get(t, off, 1) == 1 && address <= 0xffff ? (uint16_t)address : 0;
}

/* A port block that FADT revision 1 has as 32 bits and later ones also as a GAS. */
static uint16_t fadt_port(const struct table *t, uint32_t off, uint32_t gas_off)
{
	uint16_t port = gas_port(t, gas_off);
	uint64_t old = get(t, off, 4);

	return port ? port : old <= 0xffff ? (uint16_t)old : 0;
}

/* A ByteConst, WordConst, Zero or One at *off, which moves past it. */
static bool aml_small_integer(const struct table *t, uint32_t *off, uint8_t *value)
{
	uint8_t op = (uint8_t)get(t, *off, 1);

	if (*off >= t->len) {
		return false;
	}
	switch (op) {
	case 0x00: /* ZeroOp */
	case 0x01: /* OneOp */
		*value = op;
		*off += 1;
		return true;
	case 0x0a: /* BytePrefix */
		*value = (uint8_t)get(t, *off + 1, 1);
		*off += 2;
		return *off <= t->len;
	case 0x0b: /* WordPrefix: only the low byte means something here */
		*value = (uint8_t)get(t, *off + 1, 1);
		*off += 3;
		return *off <= t->len;
	default:
		return false;
	}
}

/* PkgLength at *off, which moves past it; gives the end of the package. [ACPI] "Package Length
 * Encoding": the lead byte's top two bits count the bytes that follow. */
static bool aml_package_end(const struct table *t, uint32_t *off, uint32_t *end)
{
	uint32_t lead = (uint32_t)get(t, *off, 1), more = lead >> 6;
	uint32_t len = more ? lead & 0x0f : lead & 0x3f;

	for (uint32_t i = 0; i < more; i++) {
		len |= (uint32_t)get(t, *off + 1 + i, 1) << (4 + 8 * i);
	}
	if (*off >= t->len || len < 1 + more || len > t->len - *off) {
		return false;
	}
	*end = *off + len;
	*off += 1 + more;
	return true;
}

/* Name (_S5_, Package (n) {typ_a, typ_b, ...}) with _S5_ at off. */
static bool aml_s5_package(const struct table *t, uint32_t off, struct acpi_info *info)
{
	uint32_t p = off + 5, end;
	struct table package;
	uint64_t count;

	/* NameOp before it, with or without a root prefix. */
	if (!(t->at[off - 1] == 0x08 || (t->at[off - 1] == '\\' && t->at[off - 2] == 0x08))) {
		return false;
	}
	/* PackageOp */
	if (get(t, off + 4, 1) != 0x12 || !aml_package_end(t, &p, &end)) {
		return false;
	}
	/* Nothing is read past the package's end. */
	package = (struct table){.at = t->at, .len = end};
	count = get(&package, p++, 1);
	if (count < 1 || !aml_small_integer(&package, &p, &info->s5_slp_typ_a)) {
		return false;
	}
	info->s5_slp_typ_b = info->s5_slp_typ_a;
	if (count > 1 && !aml_small_integer(&package, &p, &info->s5_slp_typ_b)) {
		return false;
	}
	return info->s5_slp_typ_a < 8 && info->s5_slp_typ_b < 8; /* three-bit fields */
}

static void parse_dsdt(uint64_t pa, struct acpi_info *info)
{
	struct table t;

	if (pa == 0 || !table_open(&t, pa) || !is_table(&t, "DSDT")) {
		return;
	}
	for (uint32_t off = TABLE_HEADER_LEN; off + 4 <= t.len; off++) {
		if (memcmp(t.at + off, "_S5_", 4) == 0 && aml_s5_package(&t, off, info)) {
			info->s5_valid = true;
			return;
		}
	}
}

/* Offsets: [ACPI] "FADT Format". */
static void parse_fadt(const struct table *t, struct acpi_info *info)
{
	uint32_t flags = (uint32_t)get(t, 112, 4);
	uint64_t dsdt = get(t, 140, 8);

	if (flags & BIT(20)) { /* HW_REDUCED_ACPI: no such registers */
		return;
	}
	info->pm1a_cnt_port = fadt_port(t, 64, 172);
	info->pm1b_cnt_port = fadt_port(t, 68, 184);
	if (get(t, 91, 1) == 4) { /* PM_TMR_LEN */
		info->pm_timer_port = fadt_port(t, 76, 208);
	}
	if (flags & BIT(10)) { /* RESET_REG_SUP */
		info->reset_port = gas_port(t, 116);
		info->reset_value = (uint8_t)get(t, 128, 1);
	}
	parse_dsdt(dsdt ? dsdt : get(t, 40, 4), info);
}

/* Interrupt source override: [ACPI] "MPS INTI Flags"; what conforms to ISA is edge, high. */
static void madt_override(const struct table *t, uint32_t off, struct acpi_info *info)
{
	uint16_t flags = (uint16_t)get(t, off + 8, 2);

	if (get(t, off + 2, 1) != 0 || get(t, off + 3, 1) != ISA_IRQ_SERIAL) {
		return;
	}
	info->serial_gsi = (uint32_t)get(t, off + 4, 4);
	info->serial_active_low = (flags & 3) == 3;
	info->serial_level = (flags >> 2 & 3) == 3;
}

/* Entries of one type; the rules for their length are the same for all. */
static void madt_each(const struct table *t, uint8_t type, uint8_t min_len, struct acpi_info *info,
        void (*fn)(const struct table *t, uint32_t off, struct acpi_info *info))
{
	uint32_t off = 44;

	while (off + 2 <= t->len) {
		uint32_t len = t->at[off + 1];

		if (len < 2 || len > t->len - off) {
			return;
		}
		if (t->at[off] == type && len >= min_len) {
			fn(t, off, info);
		}
		off += len;
	}
}

/* The IOAPIC that has the serial line: the highest base at or below its number. */
static void madt_ioapic(const struct table *t, uint32_t off, struct acpi_info *info)
{
	uint32_t gsi_base = (uint32_t)get(t, off + 8, 4);
	uint64_t base = get(t, off + 4, 4);

	if (base == 0 || gsi_base > info->serial_gsi || gsi_base < info->ioapic_gsi_base) {
		return;
	}
	info->ioapic_base = base;
	info->ioapic_gsi_base = gsi_base;
}

static void madt_lapic_base(const struct table *t, uint32_t off, struct acpi_info *info)
{
	info->lapic_base = get(t, off + 4, 8);
}

static void parse_madt(const struct table *t, struct acpi_info *info)
{
	uint64_t lapic = get(t, 36, 4);

	if (lapic) {
		info->lapic_base = lapic;
	}
	madt_each(t, 2, 10, info, madt_override);
	madt_each(t, 1, 12, info, madt_ioapic); /* after the override: needs the line's number */
	madt_each(t, 5, 12, info, madt_lapic_base);
	if (!is_aligned(info->lapic_base, PAGE_SIZE) || info->lapic_base == 0 ||
	        info->lapic_base >> 52) {
		info->lapic_base = 0xfee00000;
	}
}

static void parse_table(uint64_t pa, struct acpi_info *info)
{
	struct table t;

	if (pa == 0 || !table_open(&t, pa)) {
		return;
	}
	if (is_table(&t, "APIC")) {
		parse_madt(&t, info);
	} else if (is_table(&t, "FACP")) {
		parse_fadt(&t, info);
	} else if (is_table(&t, "MCFG")) {
		info->mcfg_base = get(&t, 44, 8);
	} else if (is_table(&t, "DMAR")) {
		info->dmar = pa;
	}
}

/* The root table's address; false when there is no valid pointer. */
static bool read_rsdp(uint64_t pa, uint64_t *root, unsigned *entry_bytes)
{
	struct table t = {.at = acpi_map(pa, 20), .len = 20};

	if (!t.at || memcmp(t.at, "RSD PTR ", 8) != 0 || !sums_to_zero(t.at, 20)) {
		return false;
	}
	*root = get(&t, 16, 4);
	*entry_bytes = 4;
	if (get(&t, 15, 1) >= 2) {
		t.at = acpi_map(pa, 36);
		t.len = 36;
		if (t.at && sums_to_zero(t.at, 36) && get(&t, 24, 8)) {
			*root = get(&t, 24, 8);
			*entry_bytes = 8;
		}
	}
	return true;
}

void acpi_parse(struct acpi_info *info, uint64_t rsdp)
{
	struct table root;
	uint64_t root_pa;
	unsigned bytes;

	*info = (struct acpi_info){
	        .lapic_base = 0xfee00000,
	        .ioapic_base = 0xfec00000,
	        .serial_gsi = ISA_IRQ_SERIAL,
	};
	if (rsdp == 0 || !read_rsdp(rsdp, &root_pa, &bytes) || !table_open(&root, root_pa) ||
	        !is_table(&root, bytes == 8 ? "XSDT" : "RSDT")) {
		return;
	}
	info->present = true;
	for (uint32_t i = 0; i < MAX_ROOT_ENTRIES; i++) {
		uint32_t off = TABLE_HEADER_LEN + i * bytes;

		if (off + bytes > root.len) {
			break;
		}
		parse_table(get(&root, off, bytes), info);
	}
}
