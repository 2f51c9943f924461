// SPDX-License-Identifier: BSD-2-Clause
// The firmware's ACPI tables, damaged: the input is physical memory from 0x1000 on.
#include "tests/fuzz/fuzz.h"
#include "vmm/hw/acpi.h"
#include <string.h>

#define BASE 0x1000U

static const uint8_t *memory;
static uint64_t memory_len;

const void *acpi_map(uint64_t pa, uint64_t len)
{
	if (pa < BASE || pa - BASE > memory_len || len > memory_len - (pa - BASE)) {
		return NULL;
	}
	return memory + (pa - BASE);
}

/* Checksums are hard to guess: the byte that makes each header right is put in, the rest stays. */
static void fix_checksum(uint8_t *p, size_t len, size_t at)
{
	uint8_t sum = 0;

	if (at >= len) {
		return;
	}
	p[at] = 0;
	for (size_t i = 0; i < len; i++) {
		sum = (uint8_t)(sum + p[i]);
	}
	p[at] = (uint8_t)-sum;
}

static void fix_all(uint8_t *p, size_t len)
{
	static const char names[][5] = {"XSDT", "RSDT", "APIC", "FACP", "MCFG", "DMAR", "DSDT"};

	for (size_t i = 0; i + 36 <= len; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
			uint32_t table_len;

			if (memcmp(p + i, names[k], 4) != 0) {
				continue;
			}
			memcpy(&table_len, p + i + 4, 4);
			if (table_len >= 36 && table_len <= len - i) {
				fix_checksum(p + i, table_len, 9);
			}
		}
	}
	if (len >= 20) {
		fix_checksum(p, 20, 8);
	}
	if (len >= 36) {
		fix_checksum(p, 36, 32);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct acpi_info info;
	uint8_t *copy = __builtin_malloc(len + (len == 0));

	FUZZ_CHECK(copy != NULL);
	memcpy(copy, data, len);
	if (len >= 36) {
		memcpy(copy, "RSD PTR ", 8);
	}
	fix_all(copy, len);
	memory = copy;
	memory_len = len;
	memset(&info, 0xa5, sizeof(info));
	acpi_parse(&info, BASE);
	FUZZ_CHECK(info.lapic_base != 0xa5a5a5a5a5a5a5a5ULL);
	FUZZ_CHECK(info.ioapic_base != 0xa5a5a5a5a5a5a5a5ULL);
	__builtin_free(copy);
	return 0;
}
