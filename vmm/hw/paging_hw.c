// SPDX-License-Identifier: BSD-2-Clause
// Loads the core's page tables and the control bits that guard them.
// Specs: [SDM3] "Control Registers", "Paging"; [SDM2] "CPUID" (feature bits).
#include "vmm/hw/acpi.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/hw/paging.h"
#include "vmm/hw/paging_build.h"
#include "vmm/hw/panic.h"
#include "vmm/lib/bug.h"
#include "vmm/x86.h"

/* vmm/core.ld */
extern uint8_t core_text_start[], core_text_end[], core_rodata_start[], core_rodata_end[];
extern uint8_t core_data_start[], core_data_end[];
/* vmm/hw/entry.asm */
extern uint8_t boot_stack_guard[], boot_df_stack_guard[], boot_nmi_stack_guard[],
        boot_mc_stack_guard[];

static struct page_table tables;
static uint64_t direct_base; /* 0: the loader's identity map is in use */
static uint64_t core_pa;
static uint64_t boot_info_pa;

void *phys_to_virt(hpa_t pa)
{
	return (void *)(uintptr_t)(pa.v + direct_base);
}

hpa_t virt_to_phys(const void *va)
{
	uint64_t v = (uintptr_t)va;

	if (v >= CORE_VIRT_BASE) {
		return hpa(v - CORE_VIRT_BASE + core_pa);
	}
	/* Stacks and device registers have no business here. */
	BUG_ON(direct_base ? v < DIRECT_MAP_BASE || v >= DEVICE_MAP_BASE : v >> 47 != 0);
	return hpa(v - direct_base);
}

const void *acpi_map(uint64_t pa, uint64_t len)
{
	const struct boot_info *bi = phys_to_virt(hpa(boot_info_pa));

	return paging_is_ram(bi, pa, len) ? phys_to_virt(hpa(pa)) : NULL;
}

void paging_init(const struct boot_info *bi)
{
	const struct core_layout core = {
	        .text = (uintptr_t)core_text_start,
	        .text_end = (uintptr_t)core_text_end,
	        .rodata = (uintptr_t)core_rodata_start,
	        .rodata_end = (uintptr_t)core_rodata_end,
	        .data = (uintptr_t)core_data_start,
	        .data_end = (uintptr_t)core_data_end,
	        .guards = {(uintptr_t)boot_stack_guard, (uintptr_t)boot_df_stack_guard,
	                (uintptr_t)boot_nmi_stack_guard, (uintptr_t)boot_mc_stack_guard},
	};
	/* [SDM2] CPUID: 80000001H:EDX bit 26, 1-GByte pages; bit 20, execute disable. */
	uint32_t features = cpu_cpuid(0x80000001, 0).edx;

	core_pa = bi->core_base;
	boot_info_pa = (uintptr_t)bi;
	if (!(features & BIT(20))) {
		die("this processor has no execute-disable pages");
	}
	if (cpu_read_cr4() & CR4_LA57) {
		die("the firmware left 5-level paging on");
	}
	page_alloc_init(bi);
	if (page_table_init(&tables, features & BIT(26), false) ||
	        paging_build(&tables, bi, &core)) {
		die("no memory for the core's page tables");
	}
	paging_use();
	direct_base = DIRECT_MAP_BASE;
}

/* CR4 as every CPU of the core has it. */
static uint64_t wanted_cr4(void)
{
	uint64_t cr4 = CR4_DE | CR4_PAE | CR4_MCE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	uint32_t max_leaf = cpu_cpuid(0, 0).eax;
	struct cpuid_regs seven = {0, 0, 0, 0};

	if (max_leaf >= 7) {
		seven = cpu_cpuid(7, 0);
	}
	cr4 |= cpu_cpuid(1, 0).ecx & BIT(26) ? CR4_OSXSAVE : 0;
	cr4 |= seven.ebx & BIT(0) ? CR4_FSGSBASE : 0;
	cr4 |= seven.ebx & BIT(7) ? CR4_SMEP : 0;
	cr4 |= seven.ebx & BIT(20) ? CR4_SMAP : 0;
	cr4 |= seven.ecx & BIT(2) ? CR4_UMIP : 0;
	return cr4;
}

void paging_use(void)
{
	cpu_wrmsr(MSR_IA32_EFER, cpu_rdmsr(MSR_IA32_EFER) | EFER_NXE);
	/* Caches on, #NM off, writes to read-only pages fault. */
	cpu_write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	cpu_write_cr3(tables.root.v);
	/* PGE goes off, and with it every global translation of the loader's. SMEP and SMAP come
	 * on only now: the loader's tables may have user pages. */
	cpu_write_cr4(wanted_cr4() | (cpu_read_cr4() & CR4_VMXE));
}
