// SPDX-License-Identifier: BSD-2-Clause
// Multiboot 1 images: the header, ELF or address fields, and where the first module goes.
// Specs: [MB1] "OS image format", "The layout of Multiboot header".
#include "vmm/lib/bits.h"
#include "vmm/lib/elf.h"
#include "vmm/lib/err.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/guest_layout.h"
#include "vmm/lib/image_kinds.h"

#define MB1_MAGIC 0x1badb002U
#define MB1_SEARCH 8192U /* "contained completely within the first 8192 bytes" */
#define MB1_HEADER_LEN 12U
#define MB1_ADDRESS_LEN 32U /* with the address fields */
#define MB1_ADDRESS_FIELDS BIT(16)
/* Bits 0-15 are requirements: "if the boot loader sees any of these it does not understand, it
 * must refuse". 0 page-aligned modules, 1 memory information, 2 video mode: a wish that the
 * information structure answers with 'no video'. */
#define MB1_KNOWN 0x7U
#define MB1_REQUIRED 0xffffU

int64_t image_find_multiboot(const void *file, size_t len)
{
	const uint8_t *p = file;
	size_t end = len < MB1_SEARCH ? len : MB1_SEARCH;

	for (size_t i = 0; i + MB1_HEADER_LEN <= end; i += 4) {
		if (le32_at(p + i) == MB1_MAGIC &&
		        MB1_MAGIC + le32_at(p + i + 4) + le32_at(p + i + 8) == 0) {
			return (int64_t)i;
		}
	}
	return -1;
}

static int add_segment(
        struct multiboot_image *img, const struct elf_phdr *ph, char *why, size_t why_size)
{
	if (img->n_segments == IMAGE_MAX_SEGMENTS) {
		fmt_print(why, why_size, "has more than %d segments", IMAGE_MAX_SEGMENTS);
		return -ENOEXEC;
	}
	if (ph->paddr >= SIZE_4G || ph->mem_len > SIZE_4G - ph->paddr) {
		fmt_print(why, why_size, "has a segment at 0x%llx, beyond 4 GiB",
		        (unsigned long long)ph->paddr);
		return -ENOEXEC;
	}
	img->segments[img->n_segments++] = (struct image_segment){.file_off = ph->file_off,
	        .file_len = ph->file_len,
	        .addr = ph->paddr,
	        .mem_len = ph->mem_len,
	        .flags = ph->flags};
	if (ph->paddr < img->lowest) {
		img->lowest = ph->paddr;
	}
	if (ph->paddr + ph->mem_len > img->highest) {
		img->highest = ph->paddr + ph->mem_len;
	}
	return 0;
}

static int set_entry(struct multiboot_image *img, uint64_t entry, char *why, size_t why_size)
{
	for (uint32_t i = 0; i < img->n_segments; i++) {
		if (entry >= img->segments[i].addr &&
		        entry - img->segments[i].addr < img->segments[i].mem_len) {
			img->entry = (uint32_t)entry; /* segments end below 4 GiB */
			return 0;
		}
	}
	fmt_print(why, why_size, "has its entry point 0x%llx outside its segments",
	        (unsigned long long)entry);
	return -ENOEXEC;
}

/*
 * ELF64 too: it is entered in 32-bit mode like the other (GRUB loads such images, QEMU does
 * not). An entry point given as a virtual address is turned into a physical one.
 */
static int probe_elf(
        struct multiboot_image *img, const void *file, size_t len, char *why, size_t why_size)
{
	struct elf elf;
	uint64_t entry;
	int err = elf_open(&elf, file, len, why, why_size);

	if (err) {
		return err;
	}
	if (elf.type != ET_EXEC && elf.type != ET_DYN) {
		fmt_print(why, why_size, "is an ELF file of type %u, not an executable", elf.type);
		return -ENOEXEC;
	}
	entry = elf.entry;
	for (unsigned i = 0; i < elf.ph_count; i++) {
		struct elf_phdr ph;

		elf_read_phdr(&elf, i, &ph);
		if (ph.type != PT_LOAD || ph.mem_len == 0) {
			continue;
		}
		err = elf_check_segment(&elf, &ph, why, why_size);
		if (err == 0) {
			err = add_segment(img, &ph, why, why_size);
		}
		if (err) {
			return err;
		}
		if (ph.vaddr != ph.paddr && elf.entry >= ph.vaddr &&
		        elf.entry - ph.vaddr < ph.mem_len) {
			entry = ph.paddr + (elf.entry - ph.vaddr);
		}
	}
	return set_entry(img, entry, why, why_size);
}

/* [MB1] "The address fields of Multiboot header": one segment, described by the header. */
static int probe_address_fields(struct multiboot_image *img, const uint8_t *file, size_t len,
        uint32_t header_off, char *why, size_t why_size)
{
	struct elf_phdr ph = {.type = PT_LOAD, .flags = PF_R | PF_W | PF_X};
	uint32_t header_addr, load_addr, load_end, bss_end;
	int err;

	if (len - header_off < MB1_ADDRESS_LEN) {
		fmt_print(why, why_size, "is truncated: its multiboot header is not complete");
		return -ENOEXEC;
	}
	header_addr = le32_at(file + header_off + 12);
	load_addr = le32_at(file + header_off + 16);
	load_end = le32_at(file + header_off + 20);
	bss_end = le32_at(file + header_off + 24);
	if (load_addr > header_addr || header_addr - load_addr > header_off ||
	        (load_end != 0 && load_end < load_addr)) {
		fmt_print(why, why_size,
		        "has a damaged multiboot header: load address 0x%x to 0x%x, header at 0x%x",
		        load_addr, load_end, header_addr);
		return -ENOEXEC;
	}
	ph.file_off = header_off - (header_addr - load_addr);
	ph.paddr = load_addr;
	/* "If load_end_addr is zero, the text and data segments occupy the whole image file" */
	ph.file_len = load_end != 0 ? load_end - load_addr : len - ph.file_off;
	ph.mem_len = ph.file_len;
	if (bss_end != 0) {
		if (bss_end < load_addr + ph.file_len) {
			fmt_print(why, why_size,
			        "has a damaged multiboot header: bss ends at 0x%x, inside the data",
			        bss_end);
			return -ENOEXEC;
		}
		ph.mem_len = bss_end - load_addr;
	}
	if (ph.file_len > len - ph.file_off) {
		fmt_print(why, why_size,
		        "is truncated: its header promises %llu bytes, the file has %zu",
		        (unsigned long long)(ph.file_off + ph.file_len), len);
		return -ENOEXEC;
	}
	err = add_segment(img, &ph, why, why_size);
	return err ? err : set_entry(img, le32_at(file + header_off + 28), why, why_size);
}

int image_probe_multiboot(struct multiboot_image *img, const void *file, size_t len,
        uint32_t header_off, char *why, size_t why_size)
{
	const uint8_t *p = file;
	uint32_t unknown;

	img->flags = le32_at(p + header_off + 4);
	img->lowest = UINT64_MAX;
	unknown = img->flags & MB1_REQUIRED & ~MB1_KNOWN;
	if (unknown != 0) {
		fmt_print(why, why_size,
		        "requires a multiboot feature that is not offered (flags 0x%x)", unknown);
		return -ENOEXEC;
	}
	if (img->flags & MB1_ADDRESS_FIELDS) {
		return probe_address_fields(img, p, len, header_off, why, why_size);
	}
	if (!elf_has_magic(file, len)) {
		fmt_print(why, why_size,
		        "has a multiboot header but is not ELF and gives no load addresses");
		return -ENOEXEC;
	}
	return probe_elf(img, file, len, why, why_size);
}

/* A segment must be all RAM, and not where the platform's tables are written afterwards. */
static int check_segment_place(
        const struct image_segment *seg, uint64_t low_end, char *why, size_t why_size)
{
	if (seg->addr + seg->mem_len > low_end) {
		fmt_print(why, why_size, "needs memory up to %llu KiB, the VM has %llu KiB",
		        (unsigned long long)(align_up(seg->addr + seg->mem_len, 1024) >> 10),
		        (unsigned long long)(low_end >> 10));
		return -ENOMEM;
	}
	if (ranges_overlap(seg->addr, seg->mem_len, GUEST_EBDA, GUEST_TABLES_END - GUEST_EBDA)) {
		fmt_print(why, why_size,
		        "has a segment at 0x%llx to 0x%llx: it does not fit beside video memory "
		        "and firmware tables (0x%llx to 0x%llx)",
		        (unsigned long long)seg->addr,
		        (unsigned long long)(seg->addr + seg->mem_len), GUEST_EBDA,
		        GUEST_TABLES_END);
		return -ENOMEM;
	}
	return 0;
}

int image_place_multiboot(const struct multiboot_image *img, uint64_t low_end, uint64_t module_len,
        uint64_t *kernel_addr, uint64_t *module_addr, char *why, size_t why_size)
{
	uint64_t start = align_up(img->highest, PAGE_SIZE);

	for (uint32_t i = 0; i < img->n_segments; i++) {
		int err = check_segment_place(&img->segments[i], low_end, why, why_size);

		if (err) {
			return err;
		}
	}
	*kernel_addr = img->lowest;
	*module_addr = 0;
	if (module_len == 0) {
		return 0;
	}
	start = start < GUEST_TABLES_END ? GUEST_TABLES_END : start;
	if (start > low_end || module_len > low_end - start) {
		fmt_print(why, why_size,
		        "leaves no room for the initrd (its first module): it has %llu KiB, the VM "
		        "%llu KiB from address 0x%llx on",
		        (unsigned long long)(align_up(module_len, 1024) >> 10),
		        (unsigned long long)(start < low_end ? (low_end - start) >> 10 : 0),
		        (unsigned long long)start);
		return -ENOMEM;
	}
	*module_addr = start;
	return 0;
}
