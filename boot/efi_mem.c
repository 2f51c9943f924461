// SPDX-License-Identifier: BSD-2-Clause
// Memory from the firmware, the memory map, and the exit from boot services.
// Specs: [UEFI] "EFI_BOOT_SERVICES.AllocatePages()", "EFI_BOOT_SERVICES.GetMemoryMap()",
// "EFI_BOOT_SERVICES.ExitBootServices()", "Memory Type Usage after ExitBootServices()".
#include "boot/efi_mem.h"
#include "boot/efi_console.h"
#include "boot/mem_map.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/string.h"

#define MAX_ALLOCS (MAX_BOOT_FILES + 16U)
#define MAP_SLACK 8192U /* the map grows by what allocating its buffer does to it */
#define EXIT_TRIES 8U

static struct {
	uint64_t base, pages;
} allocs[MAX_ALLOCS];
static unsigned n_allocs;

static struct {
	uint64_t buf, size; /* room */
	UINTN used, key, desc_size;
} map;

uint64_t mem_alloc(uint64_t len, uint64_t align, uint64_t max_addr)
{
	uint64_t pages = align_up(len, PAGE_SIZE) / PAGE_SIZE;
	uint64_t spare = align > PAGE_SIZE ? align / PAGE_SIZE - 1 : 0;
	EFI_PHYSICAL_ADDRESS got = max_addr;
	uint64_t base, head;

	if (pages == 0 || len > UINT64_MAX / 2 || n_allocs == MAX_ALLOCS ||
	        EFI_ERROR(efi_bs->AllocatePages(
	                max_addr == MEM_ANYWHERE ? AllocateAnyPages : AllocateMaxAddress,
	                EfiLoaderData, pages + spare, &got))) {
		return 0;
	}
	/* Return what is there only for the alignment. */
	base = align > PAGE_SIZE ? align_up(got, align) : got;
	head = (base - got) / PAGE_SIZE;
	if (head != 0) {
		efi_bs->FreePages(got, head);
	}
	if (spare > head) {
		efi_bs->FreePages(base + pages * PAGE_SIZE, spare - head);
	}
	allocs[n_allocs].base = base;
	allocs[n_allocs++].pages = pages;
	memset((void *)base, 0, pages * PAGE_SIZE);
	return base;
}

void mem_free_all(void)
{
	while (n_allocs > 0) {
		n_allocs--;
		efi_bs->FreePages(allocs[n_allocs].base, allocs[n_allocs].pages);
	}
}

/* Boot services and the loader's own code are gone once the core runs. */
static enum boot_mem_type core_type(const EFI_MEMORY_DESCRIPTOR *d)
{
	switch (d->Type) {
	case EfiLoaderCode:
	case EfiBootServicesCode:
	case EfiBootServicesData:
	case EfiConventionalMemory:
		return d->Attribute & EFI_MEMORY_WB ? BOOT_MEM_USABLE : BOOT_MEM_RESERVED;
	case EfiLoaderData:
		return BOOT_MEM_LOADER;
	case EfiACPIReclaimMemory:
	case EfiACPIMemoryNVS:
		return BOOT_MEM_ACPI;
	case EfiRuntimeServicesCode:
	case EfiRuntimeServicesData:
		return BOOT_MEM_RUNTIME;
	default: /* firmware may report types newer than this code */
		return BOOT_MEM_RESERVED;
	}
}

static EFI_STATUS fetch(void)
{
	UINT32 version;

	map.used = map.size;
	return efi_bs->GetMemoryMap(
	        &map.used, (EFI_MEMORY_DESCRIPTOR *)map.buf, &map.key, &map.desc_size, &version);
}

static EFI_STATUS fetch_growing(void)
{
	EFI_STATUS status = EFI_BUFFER_TOO_SMALL;

	for (unsigned i = 0; i < 4; i++) {
		status = fetch();
		if (status != EFI_BUFFER_TOO_SMALL) {
			break;
		}
		map.size = map.used + MAP_SLACK;
		map.buf = mem_alloc(map.size, PAGE_SIZE, MEM_ANYWHERE);
		if (map.buf == 0) {
			return EFI_OUT_OF_RESOURCES;
		}
	}
	return status;
}

/* false when the table is full; what was left out is then not used by anyone. */
static bool convert(struct boot_info *bi)
{
	bool all = true;

	bi->n_mem = 0;
	for (UINTN off = 0; off + map.desc_size <= map.used; off += map.desc_size) {
		const EFI_MEMORY_DESCRIPTOR *d = (const EFI_MEMORY_DESCRIPTOR *)(map.buf + off);

		all &= mem_map_add(
		        bi, d->PhysicalStart, d->NumberOfPages * PAGE_SIZE, core_type(d));
	}
	return all;
}

EFI_STATUS mem_read_map(struct boot_info *bi)
{
	EFI_STATUS status = fetch_growing();

	if (EFI_ERROR(status)) {
		return con_fail(status, "the firmware gives no memory map: %s", con_status(status));
	}
	if (!convert(bi)) {
		return con_fail(EFI_OUT_OF_RESOURCES,
		        "the firmware's memory map has more than %d ranges", MAX_MEM_RANGES);
	}
	return EFI_SUCCESS;
}

EFI_STATUS mem_exit_boot_services(struct boot_info *bi)
{
	EFI_STATUS status = EFI_ABORTED;

	/* "stale map key": a timer event may have allocated in between; try again. After the first
	 * try only GetMemoryMap() and ExitBootServices() may be called: the buffer has slack. */
	for (unsigned i = 0; i < EXIT_TRIES; i++) {
		status = i == 0 ? fetch_growing() : fetch();
		if (EFI_ERROR(status)) {
			break;
		}
		status = efi_bs->ExitBootServices(efi_image, map.key);
		if (!EFI_ERROR(status)) {
			convert(bi);
			return EFI_SUCCESS;
		}
	}
	return con_fail(status, "the firmware does not let go: %s", con_status(status));
}
