// SPDX-License-Identifier: BSD-2-Clause
// The core's own ELF file, damaged: its segments and the symbol look-up of a panic.
#include "tests/fuzz/fuzz.h"
#include "vmm/lib/image.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct core_image core;
	char why[256];
	uint8_t *file;
	uint64_t addr = 0xffffffff80000000ULL, offset = 0;
	const char *name = NULL;

	if (len >= 8) {
		memcpy(&addr, data, 8);
		data += 8;
		len -= 8;
	}
	file = __builtin_malloc(len + (len == 0));
	FUZZ_CHECK(file != NULL);
	memcpy(file, data, len);
	why[0] = '\0';
	if (core_image_probe(&core, file, len, why, sizeof(why)) != 0) {
		FUZZ_CHECK(why[0] != '\0' && memchr(why, 0, sizeof(why)) != NULL);
	} else {
		FUZZ_CHECK(core.n_segments >= 1 && core.n_segments <= IMAGE_MAX_SEGMENTS);
		FUZZ_CHECK(core.entry >= core.lowest && core.entry < core.highest);
		for (uint32_t i = 0; i < core.n_segments; i++) {
			const struct image_segment *s = &core.segments[i];

			FUZZ_CHECK(s->file_len <= len && s->file_off <= len - s->file_len);
			FUZZ_CHECK(s->file_len <= s->mem_len);
			FUZZ_CHECK(s->addr >= core.lowest && s->mem_len <= core.highest - s->addr);
		}
	}
	if (elf_symbol_lookup(file, len, addr, &name, &offset)) {
		/* The name is a terminated string inside the file. */
		FUZZ_CHECK((const uint8_t *)name >= file && (const uint8_t *)name < file + len);
		FUZZ_CHECK(memchr(name, 0, (size_t)(file + len - (const uint8_t *)name)) != NULL);
	}
	__builtin_free(file);
	return 0;
}
