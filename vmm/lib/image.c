// SPDX-License-Identifier: BSD-2-Clause
// What kind of guest kernel a file is, and whether and where it fits a VM.
// Specs: [BOOT] "The Real-Mode Kernel Header"; [MB1] "OS image format".
#include "vmm/lib/image.h"
#include "vmm/lib/elf.h"
#include "vmm/lib/err.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/guest_layout.h"
#include "vmm/lib/image_kinds.h"
#include "vmm/lib/limits.h"
#include "vmm/lib/string.h"

int image_probe(struct image *img, const void *file, size_t len, char *why, size_t why_size)
{
	struct elf elf;
	int64_t header_off;
	int err;

	memset(img, 0, sizeof(*img));
	if (len == 0) {
		fmt_print(why, why_size, "is empty");
		return -ENOEXEC;
	}
	if (image_is_linux(file, len)) {
		img->kind = IMAGE_LINUX;
		return image_probe_linux(&img->linux_img, file, len, why, why_size);
	}
	header_off = image_find_multiboot(file, len);
	if (header_off >= 0) {
		img->kind = IMAGE_MULTIBOOT;
		return image_probe_multiboot(
		        &img->multiboot, file, len, (uint32_t)header_off, why, why_size);
	}
	if (elf_has_magic(file, len)) {
		/* A wrong class or machine says more than a missing multiboot header. */
		err = elf_open(&elf, file, len, why, why_size);
		if (err == 0) {
			fmt_print(why, why_size,
			        "is a %s-bit ELF file without a multiboot header in its first 8 "
			        "KiB",
			        elf.is_64 ? "64" : "32");
		}
		return -ENOEXEC;
	}
	fmt_print(why, why_size, "is not a Linux bzImage nor a multiboot ELF image");
	return -ENOEXEC;
}

int image_place(const struct image *img, uint64_t mem_size, uint64_t initrd_len,
        uint64_t *kernel_addr, uint64_t *initrd_addr, char *why, size_t why_size)
{
	uint64_t low_end = mem_size < GMEM_LOW_MAX ? mem_size : GMEM_LOW_MAX;
	int err = 0;

	*kernel_addr = *initrd_addr = 0;
	switch (img->kind) {
	case IMAGE_LINUX:
		err = image_place_linux(&img->linux_img, low_end, initrd_len, kernel_addr,
		        initrd_addr, why, why_size);
		break;
	case IMAGE_MULTIBOOT:
		err = image_place_multiboot(&img->multiboot, low_end, initrd_len, kernel_addr,
		        initrd_addr, why, why_size);
		break;
	}
	return err;
}

int image_check_fit(const struct image *img, uint64_t mem_size, uint64_t initrd_len,
        size_t cmdline_len, char *why, size_t why_size)
{
	uint64_t kernel_addr, initrd_addr;
	uint32_t max = MAX_CMDLINE_LEN - 1;

	if (img->kind == IMAGE_LINUX && img->linux_img.cmdline_size < max) {
		max = img->linux_img.cmdline_size;
	}
	if (cmdline_len > max) {
		fmt_print(why, why_size,
		        "takes a command line of at most %u characters, this one has %zu", max,
		        cmdline_len);
		return -E2BIG;
	}
	return image_place(img, mem_size, initrd_len, &kernel_addr, &initrd_addr, why, why_size);
}
