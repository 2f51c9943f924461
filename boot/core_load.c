// SPDX-License-Identifier: BSD-2-Clause
// The core: its file, its segments in memory, and the page tables that it is entered with.
// Specs: [ELF] "Program Header"; boot/boot_info.h.
#include "boot/core_load.h"
#include "boot/cpu_check.h"
#include "boot/efi_console.h"
#include "boot/efi_file.h"
#include "boot/efi_mem.h"
#include "boot/mem_map.h"
#include "boot/page_tables.h"
#include "vmm/lib/image.h"
#include "vmm/lib/string.h"

#define CORE_FILE "candela.elf"
#define CORE_STACK_LEN (16ULL << 10)
#define BELOW_4G 0xffffffffULL

static struct core_image core;

static EFI_STATUS place_segments(struct boot_info *bi, const char *path)
{
	bi->core_len = core.highest - core.lowest;
	bi->core_base = mem_alloc(bi->core_len, SIZE_2M, BELOW_4G);
	if (bi->core_base == 0) {
		return con_fail(EFI_OUT_OF_RESOURCES,
		        "%s: there are no %llu KiB of free memory below 4 GiB", path,
		        (unsigned long long)(bi->core_len >> 10));
	}
	for (uint32_t i = 0; i < core.n_segments; i++) {
		const struct image_segment *seg = &core.segments[i];

		/* The pages are zeroed: what lies beyond file_len is as it must be. */
		memcpy((void *)(bi->core_base + (seg->addr - core.lowest)),
		        (const void *)(bi->core_file_base + seg->file_off), seg->file_len);
	}
	return EFI_SUCCESS;
}

EFI_STATUS core_load(struct boot_info *bi)
{
	char path[FILE_PATH_MAX], why[256];
	EFI_STATUS status;

	if (!file_join(path, file_loader_dir(), CORE_FILE)) {
		return con_fail(EFI_INVALID_PARAMETER, "the path of %s is too long", CORE_FILE);
	}
	status = file_read(path, &bi->core_file_base, &bi->core_file_len, why, sizeof(why));
	if (status == EFI_NOT_FOUND) {
		return con_fail(status,
		        "%s: Candela's core is missing: it belongs beside the loader", path);
	}
	if (EFI_ERROR(status)) {
		return con_fail(status, "%s: Candela's core %s", path, why);
	}
	if (core_image_probe(&core, (const void *)bi->core_file_base, bi->core_file_len, why,
	            sizeof(why)) != 0) {
		return con_fail(EFI_LOAD_ERROR, "%s: Candela's core %s", path, why);
	}
	if (core.lowest != CORE_VIRT_BASE) {
		return con_fail(EFI_LOAD_ERROR,
		        "%s: Candela's core is linked to 0x%llx, this loader expects 0x%llx", path,
		        (unsigned long long)core.lowest, CORE_VIRT_BASE);
	}
	return place_segments(bi, path);
}

EFI_STATUS core_prepare_entry(const struct boot_info *bi, struct core_entry_state *state)
{
	bool has_1g = cpu_has_1g_pages();
	uint64_t ram_end = mem_map_ram_end(bi);
	struct page_tables t = {.pages = page_tables_need(ram_end, bi->core_len, has_1g)};
	uint64_t stack = mem_alloc(CORE_STACK_LEN, PAGE_SIZE, MEM_ANYWHERE);

	t.mem = (uint64_t *)mem_alloc(t.pages * PAGE_SIZE, PAGE_SIZE, MEM_ANYWHERE);
	if (stack == 0 || !t.mem ||
	        !page_tables_build(
	                &t, ram_end, CORE_VIRT_BASE, bi->core_base, bi->core_len, has_1g)) {
		return con_fail(
		        EFI_OUT_OF_RESOURCES, "there is no memory for the core's page tables");
	}
	state->entry = core.entry;
	state->cr3 = (uintptr_t)t.mem;
	state->stack_top = stack + CORE_STACK_LEN;
	return EFI_SUCCESS;
}
