// SPDX-License-Identifier: BSD-2-Clause
// Lays out a VM's ACPI tables in guest memory.
// Specs: [ACPI] "Root System Description Pointer (RSDP)", "System Description Table Header",
// "Fixed ACPI Description Table (FADT)", "Firmware ACPI Control Structure (FACS)", "Multiple APIC
// Description Table (MADT)", "Generic Address Structure".
#include "devices/acpi_build.h"
#include "devices/piix4_pm.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/lib/limits.h"
#include "vmm/lib/string.h"

static const uint8_t dsdt[] = {
#include "gen/dsdt_aml.h"
};

static const uint8_t ssdt_vmbus[] = {
#include "gen/ssdt_vmbus_aml.h"
};

#define PACKED __attribute__((packed))

struct PACKED acpi_rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t ext_checksum;
	uint8_t reserved[3];
};
_Static_assert(sizeof(struct acpi_rsdp) == 36, "RSDP");

struct PACKED acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
};
_Static_assert(sizeof(struct acpi_header) == 36, "system description table header");

struct PACKED acpi_gas {
	uint8_t space; /* 1 = ports */
	uint8_t bits;
	uint8_t bit_offset;
	uint8_t access; /* 1 byte, 2 word, 3 dword */
	uint64_t address;
};
_Static_assert(sizeof(struct acpi_gas) == 12, "generic address structure");

struct PACKED acpi_fadt {
	struct acpi_header header;
	uint32_t firmware_ctrl, dsdt;
	uint8_t reserved0, profile;
	uint16_t sci_int;
	uint32_t smi_cmd;
	uint8_t acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
	uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base;
	uint8_t cst_cnt;
	uint16_t p_lvl2_lat, p_lvl3_lat, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_arch;
	uint8_t reserved1;
	uint32_t flags;
	struct acpi_gas reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor;
	uint64_t x_firmware_ctrl, x_dsdt;
	struct acpi_gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr;
	struct acpi_gas x_gpe0, x_gpe1;
};
_Static_assert(sizeof(struct acpi_fadt) == 244, "FADT of revisions 3 and 4");
#define FADT_REVISION 4U

/* FADT flags and boot architecture flags. */
#define FADT_WBINVD BIT(0)
#define FADT_PROC_C1 BIT(2)
#define FADT_SLP_BUTTON BIT(5) /* no fixed sleep button */
#define FADT_FIX_RTC BIT(6)    /* no RTC wake status in the fixed registers */
#define FADT_RESET_REG_SUP BIT(10)
#define BOOT_LEGACY_DEVICES 0x0001U
#define BOOT_8042 0x0002U
#define BOOT_NO_VGA 0x0004U

/* Longer than 100 us and 1000 us: states C2 and C3 do not exist. */
#define P_LVL2_NONE 0x0fffU
#define P_LVL3_NONE 0x0fffU

struct PACKED acpi_facs {
	char signature[4];
	uint32_t length, hw_signature, waking_vector, global_lock, flags;
	uint64_t x_waking_vector;
	uint8_t version;
	uint8_t reserved[31];
};
_Static_assert(sizeof(struct acpi_facs) == 64, "FACS");

struct PACKED madt_lapic {
	uint8_t type, length, processor, apic_id;
	uint32_t flags;
};
_Static_assert(sizeof(struct madt_lapic) == 8, "processor local APIC");

struct PACKED madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t address, gsi_base;
};
_Static_assert(sizeof(struct madt_ioapic) == 12, "I/O APIC");

struct PACKED madt_override {
	uint8_t type, length, bus, source;
	uint32_t gsi;
	uint16_t flags;
};
_Static_assert(sizeof(struct madt_override) == 10, "interrupt source override");

struct PACKED madt_nmi {
	uint8_t type, length, processor;
	uint16_t flags;
	uint8_t lint;
};
_Static_assert(sizeof(struct madt_nmi) == 6, "local APIC NMI");

struct PACKED acpi_madt {
	struct acpi_header header;
	uint32_t lapic_base, flags;
	struct madt_ioapic ioapic;
	struct madt_override pit, sci;
	struct madt_nmi nmi;
	struct madt_lapic lapics[MAX_VCPUS]; /* as many as there are */
};

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_NMI = 4 };
#define MADT_PCAT_COMPAT 1U
#define MADT_LAPIC_ENABLED 1U
#define MADT_ALL_PROCESSORS 0xffU
#define MPS_CONFORMS 0x0U
#define MPS_HIGH_LEVEL 0xdU
#define MPS_HIGH_EDGE 0x5U

/* Room from base to end, given out from the bottom. */
struct layout {
	struct guest_mem *mem;
	uint64_t next, end;
	int err;
};

static uint64_t place(struct layout *l, uint64_t len, uint64_t align)
{
	uint64_t at = align_up(l->next, align);

	if (at > l->end || len > l->end - at) {
		l->err = -ENOMEM;
		return 0;
	}
	l->next = at + len;
	return at;
}

static void put(struct layout *l, uint64_t at, const void *table, uint64_t len)
{
	if (!l->err) {
		l->err = gmem_write(l->mem, gpa(at), table, len);
	}
}

/* What has to be added so that all bytes sum up to 0. */
static uint8_t checksum(const void *table, uint64_t len)
{
	const uint8_t *p = table;
	uint8_t sum = 0;

	for (uint64_t i = 0; i < len; i++) {
		sum = (uint8_t)(sum + p[i]);
	}
	return (uint8_t)(0U - sum);
}

static struct acpi_header header(const char *signature, uint8_t revision)
{
	struct acpi_header h = {.revision = revision, .oem_revision = 1, .creator_revision = 1};

	memcpy(h.signature, signature, sizeof(h.signature));
	memcpy(h.oem_id, "CANDEL", sizeof(h.oem_id));
	memcpy(h.oem_table_id, "GEN1    ", sizeof(h.oem_table_id));
	memcpy(h.creator_id, "CNDL", sizeof(h.creator_id));
	return h;
}

/* Complete the header of a table and write it. */
static uint64_t put_table(struct layout *l, struct acpi_header *h, uint64_t len)
{
	uint64_t at = place(l, len, 16);

	h->length = (uint32_t)len;
	h->checksum = 0;
	h->checksum = checksum(h, len);
	put(l, at, h, len);
	return at;
}

static struct acpi_gas port(uint32_t address, unsigned bits)
{
	uint8_t access = bits == 8 ? 1 : bits == 16 ? 2 : 3;

	return (struct acpi_gas){
	        .space = 1, .bits = (uint8_t)bits, .access = access, .address = address};
}

static uint64_t put_fadt(
        struct layout *l, const struct acpi_info *info, uint64_t facs, uint64_t dsdt_at)
{
	uint32_t sts = info->pm_base + (uint32_t)PM_STS;
	uint32_t cnt = info->pm_base + (uint32_t)PM_CNTRL;
	uint32_t tmr = info->pm_base + (uint32_t)PM_TMR;
	uint32_t gpe = info->pm_base + (uint32_t)PM_GPSTS;
	struct acpi_fadt f = {
	        .header = header("FACP", FADT_REVISION),
	        .firmware_ctrl = (uint32_t)facs, /* and X_FIRMWARE_CTRL 0: one of the two */
	        .dsdt = (uint32_t)dsdt_at,
	        .x_dsdt = dsdt_at,
	        .sci_int = info->sci_gsi,
	        .smi_cmd = info->smi_port,
	        .acpi_enable = info->acpi_enable,
	        .acpi_disable = info->acpi_disable,
	        .pm1a_evt = sts,
	        .pm1a_cnt = cnt,
	        .pm_tmr = tmr,
	        .gpe0 = gpe,
	        .pm1_evt_len = 4,
	        .pm1_cnt_len = 2,
	        .pm_tmr_len = 4,
	        .gpe0_len = 4,
	        .p_lvl2_lat = P_LVL2_NONE,
	        .p_lvl3_lat = P_LVL3_NONE,
	        .century = info->century,
	        .boot_arch = BOOT_LEGACY_DEVICES | BOOT_8042 | BOOT_NO_VGA,
	        .flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIX_RTC |
	                 FADT_RESET_REG_SUP,
	        .reset_reg = port(info->reset_port, 8),
	        .reset_value = info->reset_value,
	        .x_pm1a_evt = port(sts, 32),
	        .x_pm1a_cnt = port(cnt, 16),
	        .x_pm_tmr = port(tmr, 32),
	        .x_gpe0 = port(gpe, 32),
	};

	/* [ACPI] "PM1 Event Grouping": accessed as two 16-bit halves. */
	f.x_pm1a_evt.access = 2;
	f.x_gpe0.access = 1;
	return put_table(l, &f.header, sizeof(f));
}

static uint64_t put_madt(struct layout *l, const struct acpi_info *info)
{
	struct acpi_madt m = {
	        .header = header("APIC", 3),
	        .lapic_base = info->lapic_base,
	        .flags = MADT_PCAT_COMPAT,
	        .ioapic = {.type = MADT_IOAPIC,
	                .length = sizeof(m.ioapic),
	                .id = info->ioapic_id,
	                .address = info->ioapic_base},
	        .pit = {.type = MADT_OVERRIDE,
	                .length = sizeof(m.pit),
	                .source = 0,
	                .gsi = info->pit_gsi,
	                .flags = MPS_CONFORMS},
	        .sci = {.type = MADT_OVERRIDE,
	                .length = sizeof(m.sci),
	                .source = info->sci_gsi,
	                .gsi = info->sci_gsi,
	                .flags = MPS_HIGH_LEVEL},
	        .nmi = {.type = MADT_LAPIC_NMI,
	                .length = sizeof(m.nmi),
	                .processor = MADT_ALL_PROCESSORS,
	                .flags = MPS_HIGH_EDGE,
	                .lint = 1},
	};
	uint32_t n = info->n_vcpus < MAX_VCPUS ? info->n_vcpus : MAX_VCPUS;

	for (uint32_t i = 0; i < n; i++) {
		m.lapics[i] = (struct madt_lapic){
		        .type = MADT_LAPIC,
		        .length = sizeof(m.lapics[i]),
		        .processor = (uint8_t)i,
		        .apic_id = (uint8_t)i,
		        .flags = MADT_LAPIC_ENABLED,
		};
	}
	return put_table(
	        l, &m.header, offsetof(struct acpi_madt, lapics) + n * sizeof(m.lapics[0]));
}

static uint64_t put_facs(struct layout *l)
{
	struct acpi_facs facs = {.length = sizeof(facs), .version = 1};
	uint64_t at = place(l, sizeof(facs), 64);

	memcpy(facs.signature, "FACS", 4);
	put(l, at, &facs, sizeof(facs));
	return at;
}

/* As iasl has made and summed it. */
static uint64_t put_aml(struct layout *l, const uint8_t *aml, uint64_t len)
{
	uint64_t at = place(l, len, 16);

	put(l, at, aml, len);
	return at;
}

/* FADT, MADT, and with a VMBus its SSDT. */
#define TABLES_MAX 3U

int acpi_build(struct guest_mem *mem, gpa_t base, uint64_t len, const struct acpi_info *info)
{
	struct layout l = {.mem = mem, .next = base.v, .end = base.v + len};
	struct acpi_rsdp rsdp = {.revision = 2, .length = sizeof(rsdp)};
	struct PACKED {
		struct acpi_header header;
		uint32_t entries[TABLES_MAX];
	} rsdt = {.header = header("RSDT", 1)};
	struct PACKED {
		struct acpi_header header;
		uint64_t entries[TABLES_MAX];
	} xsdt = {.header = header("XSDT", 1)};
	uint64_t rsdp_at = place(&l, sizeof(rsdp), 16);
	uint64_t facs_at = put_facs(&l);
	uint64_t dsdt_at = put_aml(&l, dsdt, sizeof(dsdt));
	unsigned n = 0;

	xsdt.entries[n++] = put_fadt(&l, info, facs_at, dsdt_at);
	xsdt.entries[n++] = put_madt(&l, info);
	if (info->vmbus) {
		xsdt.entries[n++] = put_aml(&l, ssdt_vmbus, sizeof(ssdt_vmbus));
	}
	for (unsigned i = 0; i < n; i++) {
		rsdt.entries[i] = (uint32_t)xsdt.entries[i];
	}
	memcpy(rsdp.signature, "RSD PTR ", sizeof(rsdp.signature));
	memcpy(rsdp.oem_id, "CANDEL", sizeof(rsdp.oem_id));
	rsdp.rsdt = (uint32_t)put_table(
	        &l, &rsdt.header, sizeof(rsdt.header) + n * sizeof(rsdt.entries[0]));
	rsdp.xsdt = put_table(&l, &xsdt.header, sizeof(xsdt.header) + n * sizeof(xsdt.entries[0]));
	rsdp.checksum = checksum(&rsdp, 20);
	rsdp.ext_checksum = checksum(&rsdp, sizeof(rsdp));
	put(&l, rsdp_at, &rsdp, sizeof(rsdp));
	return l.err;
}
