// SPDX-License-Identifier: BSD-2-Clause
/*
 * Start a Linux kernel at its 64-bit entry point: zero page, identity page tables, registers.
 * Specs: [BOOT] "The Real-Mode Kernel Header", "64-bit Boot Protocol", "Zero Page";
 * [SDM3] "Segment Descriptors", "4-Level Paging and 5-Level Paging".
 */
#include "vmm/guest_load_kinds.h"

#include "vmm/guest_load.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

/* [BOOT] "Zero Page": offsets from its start. */
#define BP_EXT_RAMDISK_IMAGE 0x0c0U
#define BP_EXT_RAMDISK_SIZE 0x0c4U
#define BP_EXT_CMD_LINE_PTR 0x0c8U
#define BP_E820_ENTRIES 0x1e8U
#define BP_HDR 0x1f1U
#define BP_E820_TABLE 0x2d0U
#define BP_E820_MAX 128U

/* [BOOT] "The Real-Mode Kernel Header": offsets in the file, which are those in the zero page. */
#define HDR_JUMP 0x200U /* its second byte is the header's length after 0x202 */
#define HDR_TYPE_OF_LOADER 0x210U
#define HDR_LOADFLAGS 0x211U
#define HDR_CODE32_START 0x214U
#define HDR_RAMDISK_IMAGE 0x218U
#define HDR_RAMDISK_SIZE 0x21cU
#define HDR_CMD_LINE_PTR 0x228U
#define HDR_MAX_END 0x290U /* where the next field of the zero page begins */

#define LOADER_UNDEFINED 0xffU
#define LOADED_HIGH 0x01U
#define QUIET_FLAG 0x20U
#define ENTRY_64_OFFSET 0x200U

/* [BOOT] "64-bit Boot Protocol": __BOOT_CS and __BOOT_DS, flat, 4 GiB. */
#define BOOT_CS 0x10U
#define BOOT_DS 0x18U
#define DESC_CODE64 0x00af9b000000ffffULL
#define DESC_DATA 0x00cf93000000ffffULL
#define ATTR_CODE64 0xa09bU
#define ATTR_DATA 0xc093U
#define ATTR_TSS_BUSY 0x008bU

#define PTE_P BIT64(0)
#define PTE_RW BIT64(1)
#define PTE_PS BIT64(7)

_Static_assert(GUEST_BOOT_CMDLINE + MAX_CMDLINE_LEN <= GUEST_MULTIBOOT_INFO, "command line");
_Static_assert(GUEST_BOOT_PAGE_TABLES + 6 * PAGE_SIZE <= GUEST_BOOT_CMDLINE, "page tables");
_Static_assert(GUEST_E820_MAX <= BP_E820_MAX, "the zero page holds the whole map");

static void put32(uint8_t *p, uint64_t value)
{
	uint32_t v = (uint32_t)value;

	memcpy(p, &v, sizeof(v));
}

static int write_u32(struct vm *vm, uint64_t at, uint64_t value)
{
	uint32_t v = (uint32_t)value;

	return gmem_write(&vm->mem, gpa(at), &v, sizeof(v));
}

static int write_u64(struct vm *vm, uint64_t at, uint64_t value)
{
	return gmem_write(&vm->mem, gpa(at), &value, sizeof(value));
}

/* The setup header as the file has it, with what a boot loader fills in. */
static int write_setup_header(struct guest_load *load)
{
	uint8_t hdr[HDR_MAX_END - BP_HDR];
	uint64_t end = HDR_JUMP + 2U + load->kernel[HDR_JUMP + 1U];

	if (end > HDR_MAX_END) {
		end = HDR_MAX_END;
	}
	/* image_probe() refuses headers older than 2.12; that one ends at 0x268. */
	if (end < HDR_CMD_LINE_PTR + 4U || end > load->vm->kernel->len) {
		return -ENOEXEC;
	}
	memset(hdr, 0, sizeof(hdr));
	memcpy(hdr, load->kernel + BP_HDR, end - BP_HDR);
	hdr[HDR_TYPE_OF_LOADER - BP_HDR] = LOADER_UNDEFINED;
	hdr[HDR_LOADFLAGS - BP_HDR] |= LOADED_HIGH;
	hdr[HDR_LOADFLAGS - BP_HDR] &= (uint8_t)~QUIET_FLAG;
	put32(&hdr[HDR_CODE32_START - BP_HDR], load->kernel_addr);
	put32(&hdr[HDR_CMD_LINE_PTR - BP_HDR], GUEST_BOOT_CMDLINE);
	if (load->initrd) {
		put32(&hdr[HDR_RAMDISK_IMAGE - BP_HDR], load->initrd_addr);
		put32(&hdr[HDR_RAMDISK_SIZE - BP_HDR], load->initrd_len);
	}
	return gmem_write(&load->vm->mem, gpa(GUEST_BOOT_PARAMS + BP_HDR), hdr, end - BP_HDR);
}

/* The rest of the zero page stays zero: no screen (text mode unknown), no EFI, no APM. */
static int write_zero_page(struct guest_load *load)
{
	struct vm *vm = load->vm;
	struct e820_entry map[GUEST_E820_MAX];
	uint8_t n = (uint8_t)guest_e820(vm, map, ARRAY_SIZE(map));
	int err = gmem_fill(&vm->mem, gpa(GUEST_BOOT_PARAMS), 0, PAGE_SIZE);

	if (!err) {
		err = write_setup_header(load);
	}
	if (!err) {
		err = gmem_write(&vm->mem, gpa(GUEST_BOOT_PARAMS + BP_E820_ENTRIES), &n, sizeof(n));
	}
	if (!err) {
		err = gmem_write(
		        &vm->mem, gpa(GUEST_BOOT_PARAMS + BP_E820_TABLE), map, n * sizeof(map[0]));
	}
	if (!err && load->initrd) {
		err = write_u32(
		        vm, GUEST_BOOT_PARAMS + BP_EXT_RAMDISK_IMAGE, load->initrd_addr >> 32);
	}
	if (!err && load->initrd) {
		err = write_u32(
		        vm, GUEST_BOOT_PARAMS + BP_EXT_RAMDISK_SIZE, load->initrd_len >> 32);
	}
	if (!err) {
		err = write_u32(vm, GUEST_BOOT_PARAMS + BP_EXT_CMD_LINE_PTR, 0);
	}
	return err;
}

/* The first 4 GiB onto themselves, in 2 MiB pages. */
static int write_page_tables(struct vm *vm)
{
	const uint64_t pml4 = GUEST_BOOT_PAGE_TABLES;
	const uint64_t pdpt = pml4 + PAGE_SIZE, pd = pdpt + PAGE_SIZE;
	int err = gmem_fill(&vm->mem, gpa(pml4), 0, 2 * PAGE_SIZE);

	if (!err) {
		err = write_u64(vm, pml4, pdpt | PTE_P | PTE_RW);
	}
	for (uint64_t i = 0; i < 4 && !err; i++) {
		err = write_u64(vm, pdpt + i * 8, (pd + i * PAGE_SIZE) | PTE_P | PTE_RW);
	}
	for (uint64_t i = 0; i < SIZE_4G / SIZE_2M && !err; i++) {
		err = write_u64(vm, pd + i * 8, (i * SIZE_2M) | PTE_P | PTE_RW | PTE_PS);
	}
	return err;
}

static int write_gdt(struct vm *vm)
{
	static const uint64_t gdt[] = {
	        [BOOT_CS / 8] = DESC_CODE64,
	        [BOOT_DS / 8] = DESC_DATA,
	};

	return gmem_write(&vm->mem, gpa(GUEST_BOOT_GDT), gdt, sizeof(gdt));
}

static void set_registers(struct guest_load *load)
{
	struct vcpu *vcpu = load->vcpu;
	const struct segment code = {.limit = 0xffffffff, .selector = BOOT_CS, .attr = ATTR_CODE64};
	const struct segment data = {.limit = 0xffffffff, .selector = BOOT_DS, .attr = ATTR_DATA};
	const struct segment tss = {.limit = 0x67, .attr = ATTR_TSS_BUSY};
	const struct segment ldt = {.unusable = true};
	const struct desc_table gdt = {.base = GUEST_BOOT_GDT, .limit = BOOT_DS + 7};
	const struct desc_table idt = {.base = 0, .limit = 0};

	/* EFER before CR0: paging and long mode become active together. */
	cpu_virt->set_reg(vcpu, REG_CR4, CR4_PAE);
	cpu_virt->set_reg(vcpu, REG_CR3, GUEST_BOOT_PAGE_TABLES);
	cpu_virt->set_reg(vcpu, REG_EFER, EFER_LME | EFER_LMA);
	cpu_virt->set_reg(vcpu, REG_CR0, CR0_PE | CR0_ET | CR0_PG);
	cpu_virt->set_seg(vcpu, SEG_CS, &code);
	cpu_virt->set_seg(vcpu, SEG_DS, &data);
	cpu_virt->set_seg(vcpu, SEG_ES, &data);
	cpu_virt->set_seg(vcpu, SEG_SS, &data);
	cpu_virt->set_seg(vcpu, SEG_FS, &data);
	cpu_virt->set_seg(vcpu, SEG_GS, &data);
	cpu_virt->set_seg(vcpu, SEG_TR, &tss);
	cpu_virt->set_seg(vcpu, SEG_LDTR, &ldt);
	cpu_virt->set_table(vcpu, false, &gdt);
	cpu_virt->set_table(vcpu, true, &idt);
	cpu_virt->set_reg(vcpu, REG_RFLAGS, RFLAGS_FIXED1);
	cpu_virt->set_reg(vcpu, REG_RSP, 0);
	cpu_virt->set_reg(vcpu, REG_RIP, load->kernel_addr + ENTRY_64_OFFSET);
	for (unsigned i = 0; i < REG_GPR_COUNT; i++) {
		vcpu->gpr[i] = 0;
	}
	vcpu->gpr[REG_RSI] = GUEST_BOOT_PARAMS;
}

int guest_load_linux(struct guest_load *load)
{
	const struct linux_image *img = &load->img.linux_img;
	struct vm *vm = load->vm;
	const char *cmdline = vm->config->cmdline;
	size_t cmdline_len = strnlen(cmdline, MAX_CMDLINE_LEN - 1);
	int err;

	err = gmem_write(
	        &vm->mem, gpa(load->kernel_addr), load->kernel + img->setup_len, img->kernel_len);
	if (!err) {
		err = gmem_write(&vm->mem, gpa(GUEST_BOOT_CMDLINE), cmdline, cmdline_len);
	}
	if (!err) {
		err = gmem_fill(&vm->mem, gpa(GUEST_BOOT_CMDLINE + cmdline_len), 0, 1);
	}
	if (!err) {
		err = write_zero_page(load);
	}
	if (!err) {
		err = write_page_tables(vm);
	}
	if (!err) {
		err = write_gdt(vm);
	}
	if (!err) {
		set_registers(load);
	}
	return err;
}
