// SPDX-License-Identifier: BSD-2-Clause
/*
 * Start a multiboot kernel: its segments, one module, the information structure, registers.
 * Specs: [MB1] "Machine state", "Boot information format".
 */
#include "vmm/guest_load_kinds.h"

#include "vmm/guest_load.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

#define MB_BOOT_MAGIC 0x2badb002U

/* [MB1] "Boot information format", flags: which fields are valid. */
#define MBI_MEMORY BIT(0)
#define MBI_CMDLINE BIT(2)
#define MBI_MODS BIT(3)
#define MBI_MMAP BIT(6)
#define MBI_LOADER_NAME BIT(9)

struct mb_info {
	uint32_t flags;
	uint32_t mem_lower, mem_upper; /* KiB */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint8_t vbe[16];
	uint8_t framebuffer[28];
};

struct mb_module {
	uint32_t start, end; /* end exclusive */
	uint32_t string;
	uint32_t reserved;
};

struct mb_mmap {
	uint32_t size; /* of the rest */
	struct e820_entry entry;
} __attribute__((packed));

_Static_assert(offsetof(struct mb_info, mmap_length) == 44, "[MB1] mmap_length");
_Static_assert(offsetof(struct mb_info, boot_loader_name) == 64, "[MB1] boot_loader_name");
_Static_assert(offsetof(struct mb_info, vbe) == 72, "[MB1] vbe_control_info");
_Static_assert(sizeof(struct mb_info) == 116, "[MB1] framebuffer ends the structure");
_Static_assert(sizeof(struct mb_module) == 16, "[MB1] module structure");
_Static_assert(sizeof(struct mb_mmap) == 24, "[MB1] mmap entry");

static const char loader_name[] = "Candela";

/* All that the information structure points to, in one block of guest memory. */
struct mb_block {
	struct mb_info info;
	struct mb_module module;
	struct mb_mmap mmap[GUEST_E820_MAX];
	char loader[sizeof(loader_name)];
	char module_path[MAX_PATH_LEN];
	/* Path of the kernel, a space, the arguments: argv[0] first, as multiboot kernels expect */
	char cmdline[MAX_PATH_LEN + MAX_CMDLINE_LEN];
};

/* Places to try for the block: the usual one, and the page after each thing that may be in its way.
 */
#define MAX_PLACES (IMAGE_MAX_SEGMENTS + 3U)

/* Attributes of 32-bit flat segments ([MB1] "Machine state"). */
#define ATTR_CODE32 0xc09bU
#define ATTR_DATA32 0xc093U
#define ATTR_TSS_BUSY 0x008bU

static bool block_fits(const struct guest_load *load, uint64_t at)
{
	const struct multiboot_image *img = &load->img.multiboot;
	const uint64_t len = sizeof(struct mb_block);

	if (at == 0 || at + len > SIZE_4G || !gmem_is_ram(&load->vm->mem, gpa(at), len)) {
		return false;
	}
	/* From the EBDA to 1 MiB is not the guest's own memory. */
	if (ranges_overlap(at, len, GUEST_EBDA, GUEST_TABLES_END - GUEST_EBDA)) {
		return false;
	}
	if (load->initrd && ranges_overlap(at, len, load->initrd_addr, load->initrd_len)) {
		return false;
	}
	for (uint32_t i = 0; i < img->n_segments; i++) {
		if (ranges_overlap(at, len, img->segments[i].addr, img->segments[i].mem_len)) {
			return false;
		}
	}
	return true;
}

/* Page-aligned place for the block, 0 = none. The lowest that is free wins, the usual one first. */
static uint64_t block_place(const struct guest_load *load)
{
	const struct multiboot_image *img = &load->img.multiboot;
	uint64_t places[MAX_PLACES] = {PAGE_SIZE, GUEST_TABLES_END};
	unsigned n = 2;
	uint64_t best = 0;

	if (block_fits(load, GUEST_MULTIBOOT_INFO)) {
		return GUEST_MULTIBOOT_INFO;
	}
	for (uint32_t i = 0; i < img->n_segments; i++) {
		places[n++] = align_up(img->segments[i].addr + img->segments[i].mem_len, PAGE_SIZE);
	}
	if (load->initrd) {
		places[n++] = align_up(load->initrd_addr + load->initrd_len, PAGE_SIZE);
	}
	for (unsigned i = 0; i < n; i++) {
		if (block_fits(load, places[i]) && (best == 0 || places[i] < best)) {
			best = places[i];
		}
	}
	return best;
}

static int load_segments(struct guest_load *load)
{
	const struct multiboot_image *img = &load->img.multiboot;
	struct guest_mem *mem = &load->vm->mem;
	int err = 0;

	for (uint32_t i = 0; i < img->n_segments && !err; i++) {
		const struct image_segment *s = &img->segments[i];

		err = gmem_write(mem, gpa(s->addr), load->kernel + s->file_off, s->file_len);
		if (!err) {
			err = gmem_fill(
			        mem, gpa(s->addr + s->file_len), 0, s->mem_len - s->file_len);
		}
	}
	return err;
}

/* [MB1] "Boot information format": mem_upper ends at the first hole above 1 MiB. */
static uint32_t upper_kib(const struct e820_entry *map, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (map[i].type == E820_RAM && map[i].base == GUEST_TABLES_END) {
			return (uint32_t)(map[i].len / 1024);
		}
	}
	return 0;
}

static uint32_t lower_kib(const struct e820_entry *map, unsigned n)
{
	return n > 0 && map[0].type == E820_RAM && map[0].base == 0 ? (uint32_t)(map[0].len / 1024)
	                                                            : 0;
}

/* A member's address in guest memory, for a block at 'at'; below 4 GiB by block_fits(). */
#define BLOCK_ADDR(at, member) ((uint32_t)((at) + offsetof(struct mb_block, member)))

static int write_info(struct guest_load *load, uint64_t at)
{
	struct guest_mem *mem = &load->vm->mem;
	const struct config_vm *config = load->vm->config;
	struct e820_entry map[GUEST_E820_MAX];
	unsigned n = guest_e820(load->vm, map, ARRAY_SIZE(map));
	const uint32_t cmdline = BLOCK_ADDR(at, cmdline);
	size_t path_len = strnlen(config->kernel, MAX_PATH_LEN - 1);
	size_t args_len = strnlen(config->cmdline, MAX_CMDLINE_LEN - 1);
	struct mb_info info = {
	        .flags = MBI_MEMORY | MBI_CMDLINE | MBI_MMAP | MBI_LOADER_NAME | MBI_MODS,
	        .mem_lower = lower_kib(map, n),
	        .mem_upper = upper_kib(map, n),
	        .cmdline = cmdline,
	        .mods_count = load->initrd ? 1 : 0,
	        .mods_addr = BLOCK_ADDR(at, module),
	        .mmap_length = n * (uint32_t)sizeof(struct mb_mmap),
	        .mmap_addr = BLOCK_ADDR(at, mmap),
	        .boot_loader_name = BLOCK_ADDR(at, loader),
	};
	struct mb_module module = {
	        .start = (uint32_t)load->initrd_addr,
	        .end = (uint32_t)(load->initrd_addr + load->initrd_len),
	        .string = BLOCK_ADDR(at, module_path),
	};
	int err = gmem_fill(mem, gpa(at), 0, sizeof(struct mb_block));

	if (!err) {
		err = gmem_write(mem, gpa(at), &info, sizeof(info));
	}
	for (unsigned i = 0; i < n && !err; i++) {
		struct mb_mmap row = {.size = sizeof(row.entry), .entry = map[i]};

		err = gmem_write(mem, gpa(info.mmap_addr + i * sizeof(row)), &row, sizeof(row));
	}
	if (!err) {
		err = gmem_write(mem, gpa(info.boot_loader_name), loader_name, sizeof(loader_name));
	}
	if (!err) {
		err = gmem_write(mem, gpa(cmdline), config->kernel, path_len);
	}
	if (!err && args_len > 0) {
		err = gmem_fill(mem, gpa(cmdline + path_len), ' ', 1);
	}
	if (!err) {
		err = gmem_write(mem, gpa(cmdline + path_len + 1), config->cmdline, args_len);
	}
	if (!err && load->initrd) {
		err = gmem_write(mem, gpa(info.mods_addr), &module, sizeof(module));
	}
	if (!err && load->initrd) {
		err = gmem_write(mem, gpa(module.string), config->initrd,
		        strnlen(config->initrd, MAX_PATH_LEN - 1));
	}
	return err;
}

/* [MB1] "Machine state": selectors are ours to choose, the descriptor table need not be there. */
static void set_registers(struct guest_load *load, uint64_t info)
{
	struct vcpu *vcpu = load->vcpu;
	const struct segment code = {.limit = 0xffffffff, .selector = 0x08, .attr = ATTR_CODE32};
	const struct segment data = {.limit = 0xffffffff, .selector = 0x10, .attr = ATTR_DATA32};
	const struct segment tss = {.limit = 0x67, .attr = ATTR_TSS_BUSY};
	const struct segment ldt = {.unusable = true};
	const struct desc_table none = {.base = 0, .limit = 0};

	cpu_virt->set_reg(vcpu, REG_CR4, 0);
	cpu_virt->set_reg(vcpu, REG_CR3, 0);
	cpu_virt->set_reg(vcpu, REG_EFER, 0);
	cpu_virt->set_reg(vcpu, REG_CR0, CR0_PE | CR0_ET);
	cpu_virt->set_seg(vcpu, SEG_CS, &code);
	cpu_virt->set_seg(vcpu, SEG_DS, &data);
	cpu_virt->set_seg(vcpu, SEG_ES, &data);
	cpu_virt->set_seg(vcpu, SEG_SS, &data);
	cpu_virt->set_seg(vcpu, SEG_FS, &data);
	cpu_virt->set_seg(vcpu, SEG_GS, &data);
	cpu_virt->set_seg(vcpu, SEG_TR, &tss);
	cpu_virt->set_seg(vcpu, SEG_LDTR, &ldt);
	cpu_virt->set_table(vcpu, false, &none);
	cpu_virt->set_table(vcpu, true, &none);
	cpu_virt->set_reg(vcpu, REG_RFLAGS, RFLAGS_FIXED1);
	cpu_virt->set_reg(vcpu, REG_RSP, 0);
	cpu_virt->set_reg(vcpu, REG_RIP, load->img.multiboot.entry);
	for (unsigned i = 0; i < REG_GPR_COUNT; i++) {
		vcpu->gpr[i] = 0;
	}
	vcpu->gpr[REG_RAX] = MB_BOOT_MAGIC;
	vcpu->gpr[REG_RBX] = info;
}

int guest_load_multiboot(struct guest_load *load)
{
	uint64_t at = block_place(load);
	int err;

	if (at == 0 || (load->initrd && load->initrd_addr + load->initrd_len > SIZE_4G)) {
		return -ENOMEM;
	}
	err = load_segments(load);
	if (!err) {
		err = write_info(load, at);
	}
	if (!err) {
		set_registers(load, at);
	}
	return err;
}
