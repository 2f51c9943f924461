// SPDX-License-Identifier: BSD-2-Clause
// Lays out a VM's SMBIOS structures in guest memory.
// Specs: [SMBIOS] "SMBIOS 2.1 (32-bit) Entry Point", "BIOS Information (Type 0)", "System
// Information (Type 1)", "Baseboard (Type 2)", "System Enclosure or Chassis (Type 3)", "Processor
// Information (Type 4)", "Physical Memory Array (Type 16)", "Memory Device (Type 17)", "Memory
// Array Mapped Address (Type 19)", "System Boot Information (Type 32)", "End-of-Table (Type 127)".
#include "devices/smbios.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

#define PACKED __attribute__((packed))
#define HANDLE(type, n) ((uint16_t)((type) << 8 | (n)))
#define HANDLE_NONE 0xffffU
#define HANDLE_NOT_PROVIDED 0xfffeU

struct PACKED smbios_entry {
	char anchor[4];
	uint8_t checksum, length, major, minor;
	uint16_t max_len;
	uint8_t revision;
	uint8_t formatted[5];
	char dmi_anchor[5];
	uint8_t dmi_checksum; /* of the last 15 bytes */
	uint16_t table_len;
	uint32_t table;
	uint16_t count;
	uint8_t bcd_revision;
};
_Static_assert(sizeof(struct smbios_entry) == 31, "SMBIOS 2.1 entry point");

struct PACKED smbios_header {
	uint8_t type, length;
	uint16_t handle;
};

/* Members called s_... are string numbers. */
struct PACKED smbios_bios {
	struct smbios_header h;
	uint8_t s_vendor, s_version;
	uint16_t segment;
	uint8_t s_date, rom_size;
	uint64_t features;
	uint8_t features_ext[2];
	uint8_t major, minor, ec_major, ec_minor;
};
_Static_assert(sizeof(struct smbios_bios) == 0x18, "type 0");

struct PACKED smbios_system {
	struct smbios_header h;
	uint8_t s_maker, s_product, s_version, s_serial;
	uint8_t uuid[16];
	uint8_t wake_up, s_sku, s_family;
};
_Static_assert(sizeof(struct smbios_system) == 0x1b, "type 1");

struct PACKED smbios_board {
	struct smbios_header h;
	uint8_t s_maker, s_product, s_version, s_serial, s_asset, features, s_location;
	uint16_t chassis;
	uint8_t type, n_objects;
};
_Static_assert(sizeof(struct smbios_board) == 0x0f, "type 2");

struct PACKED smbios_chassis {
	struct smbios_header h;
	uint8_t s_maker, type, s_version, s_serial, s_asset;
	uint8_t boot_state, power_state, thermal_state, security;
	uint32_t oem;
	uint8_t height, n_cords, n_elements, element_len, s_sku;
};
_Static_assert(sizeof(struct smbios_chassis) == 0x16, "type 3");

struct PACKED smbios_processor {
	struct smbios_header h;
	uint8_t s_socket, type, family, s_maker;
	uint64_t id;
	uint8_t s_version, voltage;
	uint16_t clock, max_mhz, mhz;
	uint8_t status, upgrade;
	uint16_t l1, l2, l3;
	uint8_t s_serial, s_asset, s_part;
	uint8_t cores, enabled, threads;
	uint16_t features, family2;
};
_Static_assert(sizeof(struct smbios_processor) == 0x2a, "type 4");

struct PACKED smbios_mem_array {
	struct smbios_header h;
	uint8_t location, use, correction;
	uint32_t max_kib;
	uint16_t error_handle, n_devices;
	uint64_t max_bytes; /* when max_kib is MEM_ARRAY_EXT */
};
_Static_assert(sizeof(struct smbios_mem_array) == 0x17, "type 16");
#define MEM_ARRAY_EXT 0x80000000U

struct PACKED smbios_mem_device {
	struct smbios_header h;
	uint16_t array, error_handle, total_width, data_width;
	uint16_t size; /* MiB; 0x7fff = see ext_size */
	uint8_t form, set, s_locator, s_bank, type;
	uint16_t detail, speed;
	uint8_t s_maker, s_serial, s_asset, s_part, attributes;
	uint32_t ext_size; /* MiB */
	uint16_t clock_speed, min_mv, max_mv, mv;
};
_Static_assert(sizeof(struct smbios_mem_device) == 0x28, "type 17");
#define MEM_DEVICE_EXT 0x7fffU

struct PACKED smbios_mem_map {
	struct smbios_header h;
	uint32_t start_kib, end_kib; /* inclusive; ~0 = see start, end */
	uint16_t array;
	uint8_t width;
	uint64_t start, end;
};
_Static_assert(sizeof(struct smbios_mem_map) == 0x1f, "type 19");

struct PACKED smbios_boot {
	struct smbios_header h;
	uint8_t reserved[6];
	uint8_t status;
};
_Static_assert(sizeof(struct smbios_boot) == 0x0b, "type 32");

/* [SMBIOS] "BIOS Characteristics": PCI; "Extension Bytes": ACPI; virtual machine. */
#define BIOS_PCI BIT64(7)
#define BIOS_EXT1_ACPI 0x01U
#define BIOS_EXT2_VM 0x10U

static const struct {
	const char *bios_vendor, *bios_version, *bios_date;
	const char *maker, *product, *version;
} identities[] = {
        [SMBIOS_CANDELA] = {.bios_vendor = "Candela",
                .bios_version = "1",
                .bios_date = "01/01/2026",
                .maker = "Candela",
                .product = "Candela Virtual Machine",
                .version = "gen1"},
        /* As dmidecode shows it in a Hyper-V generation 1 VM. */
        [SMBIOS_HYPERV] = {.bios_vendor = "American Megatrends Inc.",
                .bios_version = "090008 ",
                .bios_date = "12/07/2018",
                .maker = "Microsoft Corporation",
                .product = "Virtual Machine",
                .version = "7.0"},
};
_Static_assert(ARRAY_SIZE(identities) == SMBIOS_HYPERV + 1, "one for each identity");

/* Structures one behind the other, each followed by its strings. */
struct builder {
	uint8_t *buf;
	uint32_t size, len;
	uint32_t last;  /* where the structure under construction begins */
	uint32_t count; /* structures */
	uint32_t max;   /* length of the longest, with strings */
	bool overflow;
};

static void append(struct builder *b, const void *data, size_t n)
{
	if (b->overflow || n > b->size - b->len) {
		b->overflow = true;
		return;
	}
	memcpy(b->buf + b->len, data, n);
	b->len += (uint32_t)n;
}

/* The structure, then its strings (up to NULL) in the order of their numbers. */
static void add(struct builder *b, uint8_t type, unsigned n, struct smbios_header *h, size_t len,
        const char *const *strings)
{
	static const char zeros[2];

	h->type = type;
	h->length = (uint8_t)len;
	h->handle = HANDLE(type, n);
	b->last = b->len;
	append(b, h, len);
	if (!*strings) {
		append(b, zeros, 1);
	}
	for (; *strings; strings++) {
		append(b, *strings, strlen(*strings) + 1);
	}
	append(b, zeros, 1);
	b->count++;
	if (b->len - b->last > b->max) {
		b->max = b->len - b->last;
	}
}

#define STRINGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_STRINGS ((const char *const[]){NULL})

/* Stable over restarts and different for every VM of a host: FNV-1a of its name, twice. */
static void make_uuid(uint8_t uuid[16], const char *name)
{
	for (unsigned half = 0; half < 2; half++) {
		uint64_t hash = 0xcbf29ce484222325ULL + half;

		for (const char *c = name; *c; c++) {
			hash = (hash ^ (uint8_t)*c) * 0x100000001b3ULL;
		}
		for (unsigned i = 0; i < 8; i++) {
			uuid[8 * half + i] = (uint8_t)(hash >> (8 * i));
		}
	}
	/* RFC 9562 version 8 (vendor's own), little-endian time fields as SMBIOS 2.6 wants. */
	uuid[7] = (uint8_t)((uuid[7] & 0x0f) | 0x80);
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

static void add_identity(struct builder *b, const struct smbios_info *info)
{
	unsigned i = info->strings == SMBIOS_HYPERV ? SMBIOS_HYPERV : SMBIOS_CANDELA;
	const char *maker = identities[i].maker;
	const char *product = identities[i].product;
	const char *version = identities[i].version;
	struct smbios_bios bios = {
	        .s_vendor = 1,
	        .s_version = 2,
	        .segment = 0xf000,
	        .s_date = 3,
	        .features = BIOS_PCI,
	        .features_ext = {BIOS_EXT1_ACPI, BIOS_EXT2_VM},
	        .major = 1,
	        .minor = 0,
	        .ec_major = 0xff,
	        .ec_minor = 0xff,
	};
	struct smbios_system system = {
	        .s_maker = 1,
	        .s_product = 2,
	        .s_version = 3,
	        .s_serial = 4,
	        .wake_up = 6, /* power switch */
	};
	struct smbios_board board = {
	        .s_maker = 1,
	        .s_product = 2,
	        .s_version = 3,
	        .features = 1, /* hosting board */
	        .chassis = HANDLE(3, 0),
	        .type = 0x0a, /* motherboard */
	};
	struct smbios_chassis chassis = {
	        .s_maker = 1,
	        .type = 3, /* desktop, as Hyper-V */
	        .s_version = 2,
	        .boot_state = 3, /* safe */
	        .power_state = 3,
	        .thermal_state = 3,
	        .security = 3, /* none */
	};

	make_uuid(system.uuid, info->vm_name);
	add(b, 0, 0, &bios.h, sizeof(bios),
	        STRINGS(identities[i].bios_vendor, identities[i].bios_version,
	                identities[i].bios_date));
	add(b, 1, 0, &system.h, sizeof(system),
	        info->vm_name[0] ? STRINGS(maker, product, version, info->vm_name)
	                         : STRINGS(maker, product, version, "0"));
	add(b, 2, 0, &board.h, sizeof(board), STRINGS(maker, product, version));
	add(b, 3, 0, &chassis.h, sizeof(chassis), STRINGS(maker, version));
}

static void add_processor(struct builder *b, const struct smbios_info *info)
{
	struct smbios_processor cpu = {
	        .s_socket = 1,
	        .type = 3,   /* central */
	        .family = 2, /* unknown: CPUID tells */
	        .s_maker = 2,
	        .s_version = 3,
	        .status = 0x41, /* populated, enabled */
	        .upgrade = 6,   /* no socket */
	        .l1 = HANDLE_NONE,
	        .l2 = HANDLE_NONE,
	        .l3 = HANDLE_NONE,
	        .cores = (uint8_t)info->n_vcpus,
	        .enabled = (uint8_t)info->n_vcpus,
	        .threads = (uint8_t)info->n_vcpus,
	        .features = 0x0004, /* 64-bit capable */
	        .family2 = 2,
	};

	add(b, 4, 0, &cpu.h, sizeof(cpu), STRINGS("CPU 0", "Candela", "virtual"));
}

static void add_mapping(struct builder *b, unsigned n, uint64_t start, uint64_t end)
{
	struct smbios_mem_map map = {.array = HANDLE(16, 0), .width = 1};

	if (end >> 10 <= UINT32_MAX) {
		map.start_kib = (uint32_t)(start >> 10);
		map.end_kib = (uint32_t)((end >> 10) - 1);
	} else {
		map.start_kib = UINT32_MAX;
		map.end_kib = UINT32_MAX;
		map.start = start;
		map.end = end - 1;
	}
	add(b, 19, n, &map.h, sizeof(map), NO_STRINGS);
}

static void add_memory(struct builder *b, const struct smbios_info *info)
{
	uint64_t mib = info->mem_size >> 20;
	uint64_t low = info->mem_size < GMEM_LOW_MAX ? info->mem_size : GMEM_LOW_MAX;
	struct smbios_mem_array array = {
	        .location = 1,   /* other */
	        .use = 3,        /* system memory */
	        .correction = 3, /* none */
	        .error_handle = HANDLE_NOT_PROVIDED,
	        .n_devices = 1,
	};
	struct smbios_mem_device device = {
	        .array = HANDLE(16, 0),
	        .error_handle = HANDLE_NOT_PROVIDED,
	        .total_width = 0xffff, /* unknown */
	        .data_width = 0xffff,
	        .form = 2, /* unknown */
	        .s_locator = 1,
	        .type = 2,
	        .detail = 4, /* unknown */
	};

	if (info->mem_size >> 10 < MEM_ARRAY_EXT) {
		array.max_kib = (uint32_t)(info->mem_size >> 10);
	} else {
		array.max_kib = MEM_ARRAY_EXT;
		array.max_bytes = info->mem_size;
	}
	if (mib < MEM_DEVICE_EXT) {
		device.size = (uint16_t)mib;
	} else {
		device.size = MEM_DEVICE_EXT;
		device.ext_size = (uint32_t)mib;
	}
	add(b, 16, 0, &array.h, sizeof(array), NO_STRINGS);
	add(b, 17, 0, &device.h, sizeof(device), STRINGS("DIMM 0"));
	add_mapping(b, 0, 0, low);
	if (info->mem_size > low) {
		add_mapping(b, 1, SIZE_4G, SIZE_4G + info->mem_size - low);
	}
}

static uint8_t checksum(const void *p, size_t n)
{
	const uint8_t *bytes = p;
	uint8_t sum = 0;

	while (n-- > 0) {
		sum = (uint8_t)(sum + *bytes++);
	}
	return (uint8_t)(0U - sum);
}

int smbios_build(struct guest_mem *mem, gpa_t base, uint64_t len, const struct smbios_info *info)
{
	uint8_t buf[1024];
	struct builder b = {.buf = buf, .size = sizeof(buf)};
	struct smbios_boot boot = {.status = 0};
	struct smbios_header end;
	uint64_t table = align_up(base.v + sizeof(struct smbios_entry), 16);
	struct smbios_entry entry = {
	        .length = sizeof(entry),
	        .major = 2,
	        .minor = 8,
	        .table = (uint32_t)table,
	        .bcd_revision = 0x28,
	};
	int err;

	add_identity(&b, info);
	add_processor(&b, info);
	add_memory(&b, info);
	add(&b, 32, 0, &boot.h, sizeof(boot), NO_STRINGS);
	add(&b, 127, 0, &end, sizeof(end), NO_STRINGS);
	if (b.overflow || table + b.len > base.v + len) {
		return -ENOMEM;
	}
	memcpy(entry.anchor, "_SM_", sizeof(entry.anchor));
	memcpy(entry.dmi_anchor, "_DMI_", sizeof(entry.dmi_anchor));
	entry.max_len = (uint16_t)b.max;
	entry.table_len = (uint16_t)b.len;
	entry.count = (uint16_t)b.count;
	entry.dmi_checksum = checksum(entry.dmi_anchor, 15);
	entry.checksum = checksum(&entry, sizeof(entry));
	err = gmem_write(mem, gpa(table), buf, b.len);
	return err ? err : gmem_write(mem, base, &entry, sizeof(entry));
}
