// SPDX-License-Identifier: BSD-2-Clause
// The boot, told from top to bottom: everything that can be checked is checked while there is
// still a firmware to return to; then the core gets the machine.
// Specs: [UEFI] "UEFI Images", "EFI_BOOT_SERVICES.ExitBootServices()".
#include "boot/boot_info.h"
#include "boot/core_load.h"
#include "boot/cpu_check.h"
#include "boot/efi_console.h"
#include "boot/efi_env.h"
#include "boot/efi_facts.h"
#include "boot/efi_file.h"
#include "boot/efi_mem.h"
#include "boot/guest_files.h"
#include "boot/loader_hw.h"

#define READING_TIME_US 3000000U

EFI_HANDLE efi_image;
EFI_SYSTEM_TABLE *efi_st;
EFI_BOOT_SERVICES *efi_bs;

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table);

static EFI_STATUS make_boot_info(struct boot_info **bi)
{
	*bi = (struct boot_info *)mem_alloc(sizeof(**bi), PAGE_SIZE, MEM_ANYWHERE);
	if (!*bi) {
		return con_fail(EFI_OUT_OF_RESOURCES, "there is no memory even for the loader");
	}
	(*bi)->magic = BOOT_INFO_MAGIC;
	(*bi)->version = BOOT_INFO_VERSION;
	(*bi)->size = sizeof(**bi);
	return EFI_SUCCESS;
}

/* Every step says what is wrong itself, in one sentence. */
#define TRY(step) \
	do { \
		EFI_STATUS try_status = (step); \
		if (EFI_ERROR(try_status)) { \
			return try_status; \
		} \
	} while (0)

/* Returns only when it fails, with boot services still there. */
static EFI_STATUS boot(void)
{
	struct boot_info *bi;
	struct core_entry_state core;

	TRY(make_boot_info(&bi));
	TRY(cpu_check());
	TRY(file_init());
	TRY(guest_config_load(bi));
	TRY(guest_files_load(bi));
	TRY(core_load(bi));
	TRY(facts_collect(bi));
	TRY(guest_cpus_check(bi));
	TRY(mem_read_map(bi));
	TRY(guest_memory_check(bi));
	TRY(core_prepare_entry(bi, &core));
	con_line("Candela: starting the core");
	TRY(mem_exit_boot_services(bi));

	bi->handoff_tsc = hw_rdtsc();
	handoff(core.cr3, core.stack_top, (uintptr_t)bi, core.entry);
}

/* Called by gnu-efi's start-up code, with C's calling convention. */
EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system_table)
{
	EFI_STATUS status;

	efi_image = image;
	efi_st = system_table;
	efi_bs = system_table->BootServices;
	efi_bs->SetWatchdogTimer(0, 0, 0, NULL); /* large files on slow disks take their time */
	con_init();
	con_line("Candela: loader");

	status = boot();
	con_line("Candela: nothing was started; back to the firmware");
	mem_free_all();
	efi_bs->Stall(READING_TIME_US);
	return status;
}
