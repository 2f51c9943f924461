// SPDX-License-Identifier: BSD-2-Clause
// What the firmware knows about the machine: processors, ACPI, graphics, the time.
// Specs: [UEFI] "EFI Configuration Table", "EFI Graphics Output Protocol", "GetTime()";
// [PI] Volume 2, "MP Services Protocol".
#include "boot/efi_facts.h"
#include "boot/efi_console.h"
#include "boot/efi_mem.h"
#include "boot/loader_hw.h"
#include "boot/wall_time.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/string.h"

/* [PI] EFI_MP_SERVICES_PROTOCOL: only what is called here has a type. */
struct mp_processor_info {
	UINT64 processor_id; /* the local APIC id */
	UINT32 status;
	UINT32 location[3];
	UINT32 extended[6];
	UINT64 room[8]; /* for what later versions may add */
};
_Static_assert(
        offsetof(struct mp_processor_info, location) == 12, "[PI] EFI_PROCESSOR_INFORMATION");

#define MP_STATUS_BSP BIT(0)
#define MP_STATUS_ENABLED BIT(1)
#define MP_STATUS_HEALTHY BIT(2)

struct mp_services {
	EFI_STATUS(EFIAPI *get_count)(struct mp_services *mp, UINTN *count, UINTN *enabled);
	EFI_STATUS(EFIAPI *get_info)
	(struct mp_services *mp, UINTN number, struct mp_processor_info *info);
	void *rest[5];
};

static EFI_GUID mp_services_protocol = {
        0x3fdda605, 0xa76e, 0x4f46, {0xad, 0x29, 0x12, 0xf4, 0x53, 0x1b, 0x3d, 0x08}};
static EFI_GUID graphics_output_protocol = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
static EFI_GUID acpi_10_table = ACPI_TABLE_GUID;
static EFI_GUID acpi_20_table = ACPI_20_TABLE_GUID;

/* [SDM2] CPUID leaf 0BH: the whole x2APIC id; leaf 1 has its low eight bits. */
static uint32_t own_apic_id(void)
{
	if (hw_cpuid(0, 0).eax >= 0xb && hw_cpuid(0xb, 0).ebx != 0) {
		return hw_cpuid(0xb, 0).edx;
	}
	return hw_cpuid(1, 0).ebx >> 24;
}

/* The boot processor is entry 0, whatever the firmware's order is. */
static void collect_cpus(struct boot_info *bi)
{
	struct mp_services *mp = NULL;
	UINTN count = 0, enabled = 0, parked = 0;

	bi->cpus[0] = (struct boot_cpu){.apic_id = own_apic_id(), .is_bsp = 1};
	bi->n_cpus = 1;
	if (EFI_ERROR(efi_bs->LocateProtocol(&mp_services_protocol, NULL, (void **)&mp)) ||
	        EFI_ERROR(mp->get_count(mp, &count, &enabled))) {
		con_line("Candela: the firmware does not tell of other processors: using one");
		return;
	}
	for (UINTN i = 0; i < count; i++) {
		struct mp_processor_info info = {0};
		const UINT32 usable = MP_STATUS_ENABLED | MP_STATUS_HEALTHY;

		if (EFI_ERROR(mp->get_info(mp, i, &info)) || (info.status & usable) != usable) {
			continue;
		}
		if ((info.status & MP_STATUS_BSP) ||
		        (uint32_t)info.processor_id == bi->cpus[0].apic_id) {
			bi->cpus[0].apic_id = (uint32_t)info.processor_id;
		} else if (bi->n_cpus < MAX_CPUS) {
			bi->cpus[bi->n_cpus++].apic_id = (uint32_t)info.processor_id;
		} else {
			parked++;
		}
	}
	if (parked != 0) {
		con_line("Candela: using %u processors, %llu more stay parked", bi->n_cpus,
		        (unsigned long long)parked);
	}
}

static void collect_rsdp(struct boot_info *bi)
{
	for (UINTN i = 0; i < efi_st->NumberOfTableEntries; i++) {
		const EFI_CONFIGURATION_TABLE *t = &efi_st->ConfigurationTable[i];

		if (memcmp(&t->VendorGuid, &acpi_20_table, sizeof(EFI_GUID)) == 0) {
			bi->rsdp = (uintptr_t)t->VendorTable;
			return;
		}
		if (memcmp(&t->VendorGuid, &acpi_10_table, sizeof(EFI_GUID)) == 0) {
			bi->rsdp = (uintptr_t)t->VendorTable;
		}
	}
}

static void collect_fb(struct boot_info *bi)
{
	EFI_GRAPHICS_OUTPUT_PROTOCOL *gop = NULL;
	const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info;
	bool bgr = false;

	if (EFI_ERROR(efi_bs->LocateProtocol(&graphics_output_protocol, NULL, (void **)&gop)) ||
	        !gop->Mode || !gop->Mode->Info) {
		return;
	}
	info = gop->Mode->Info;
	switch (info->PixelFormat) {
	case PixelRedGreenBlueReserved8BitPerColor:
		break;
	case PixelBlueGreenRedReserved8BitPerColor:
		bgr = true;
		break;
	case PixelBitMask:
		bgr = info->PixelInformation.BlueMask == 0xff;
		if (!bgr && info->PixelInformation.RedMask != 0xff) {
			return;
		}
		break;
	case PixelBltOnly:
	case PixelFormatMax:
		return;
	}
	bi->fb = (struct boot_fb){.base = gop->Mode->FrameBufferBase,
	        .width = info->HorizontalResolution,
	        .height = info->VerticalResolution,
	        .pitch = info->PixelsPerScanLine * 4,
	        .bgr = bgr};
}

static void collect_time(struct boot_info *bi)
{
	EFI_TIME now = {0};
	struct wall_time t;

	if (EFI_ERROR(efi_st->RuntimeServices->GetTime(&now, NULL))) {
		return;
	}
	t = (struct wall_time){.year = now.Year,
	        .month = now.Month,
	        .day = now.Day,
	        .hour = now.Hour,
	        .minute = now.Minute,
	        .second = now.Second,
	        .zone_minutes = now.TimeZone == EFI_UNSPECIFIED_TIMEZONE ? 0 : now.TimeZone};
	bi->wall_seconds = wall_time_seconds(&t);
	bi->wall_tsc = bi->wall_seconds != 0 ? hw_rdtsc() : 0;
}

/* The start-up IPI's vector is a page number below 1 MiB; page 0 is left alone. */
static EFI_STATUS take_ap_page(struct boot_info *bi)
{
	bi->ap_page = mem_alloc(PAGE_SIZE, PAGE_SIZE, 0x9ffff);
	if (bi->ap_page == 0) {
		bi->ap_page = mem_alloc(PAGE_SIZE, PAGE_SIZE, 0x9ffff);
	}
	if (bi->ap_page == 0) {
		return con_fail(EFI_OUT_OF_RESOURCES,
		        "there is no free page below 640 KiB to start the other processors with");
	}
	return EFI_SUCCESS;
}

EFI_STATUS facts_collect(struct boot_info *bi)
{
	collect_cpus(bi);
	collect_rsdp(bi);
	collect_fb(bi);
	collect_time(bi);
	return take_ap_page(bi);
}
