/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What kind of image a file is, and what it asks for: the loader checks each file with
 * this before it leaves boot services, the core loads with it. Pure; all input hostile.
 *
 * Specs: [BOOT] Linux Documentation/arch/x86/boot.rst; [MB1] "Multiboot Specification 0.6.96";
 * [ELF] "Tool Interface Standard ELF 1.2", "ELF-64 Object File Format".
 */
#ifndef VMM_LIB_IMAGE_H
#define VMM_LIB_IMAGE_H

#include "vmm/lib/types.h"

enum image_kind { IMAGE_LINUX, IMAGE_MULTIBOOT };

/* A Linux bzImage, from its setup header. All file ranges are checked against the file's length. */
struct linux_image {
	uint16_t
	        version; /* boot protocol, 0x020c or later here: 64-bit entry and above-4G fields */
	uint32_t setup_len;    /* bytes of the real-mode part; the protected-mode part follows */
	uint32_t kernel_len;   /* bytes of the protected-mode part in the file */
	uint64_t pref_address; /* where the kernel prefers to be loaded */
	uint32_t alignment;
	uint32_t init_size; /* bytes of RAM it needs from its load address on */
	uint32_t initrd_addr_max;
	uint32_t cmdline_size; /* longest command line it takes, without the terminator */
	uint16_t xloadflags;
	bool relocatable;
};

#define IMAGE_MAX_SEGMENTS 16

struct image_segment {
	uint64_t file_off;
	uint64_t file_len;
	uint64_t addr;    /* guest-physical (multiboot) or virtual (core ELF) */
	uint64_t mem_len; /* >= file_len; the rest is zeroed */
	uint32_t flags;   /* ELF PF_X 1, PF_W 2, PF_R 4 */
	uint32_t pad;
};

struct multiboot_image {
	uint32_t flags; /* of the multiboot header */
	uint32_t entry; /* physical, 32-bit protected mode */
	uint32_t n_segments;
	struct image_segment segments[IMAGE_MAX_SEGMENTS];
	uint64_t lowest, highest; /* extent of all segments, highest exclusive */
};

struct image {
	enum image_kind kind;
	union {
		struct linux_image linux_img;
		struct multiboot_image multiboot;
	};
};

struct core_image {
	uint64_t entry;           /* virtual */
	uint64_t lowest, highest; /* virtual extent, highest exclusive */
	uint32_t n_segments;
	struct image_segment segments[IMAGE_MAX_SEGMENTS];
};

/*
 * Tell what a guest kernel file is and read its header. Returns 0, or -ENOEXEC with a
 * sentence without file name in why[why_size] ("is not a Linux bzImage nor a multiboot
 * ELF image", "is truncated: the header promises 9437184 bytes, the file has 4096", ...).
 */
__must_check int image_probe(
        struct image *img, const void *file, size_t len, char *why, size_t why_size);

/*
 * Will it fit a VM of mem_size bytes with an initrd of initrd_len bytes and this command line?
 * Returns 0, or -ENOMEM/-E2BIG with a sentence that names what does not fit.
 */
__must_check int image_check_fit(const struct image *img, uint64_t mem_size, uint64_t initrd_len,
        size_t cmdline_len, char *why, size_t why_size);

/*
 * Where the kernel and the initrd (multiboot: the first module) go in a VM of mem_size bytes;
 * the one place that decides it. *kernel_addr is where the protected-mode part of a bzImage is
 * copied, or the lowest address of a multiboot image's segments; *initrd_addr is 4 KiB aligned,
 * 0 with initrd_len 0. Same errors as image_check_fit().
 */
__must_check int image_place(const struct image *img, uint64_t mem_size, uint64_t initrd_len,
        uint64_t *kernel_addr, uint64_t *initrd_addr, char *why, size_t why_size);

/* Parse the core's own ELF64 file. Same error form. */
__must_check int core_image_probe(
        struct core_image *core, const void *file, size_t len, char *why, size_t why_size);

/* One function symbol of an ELF64 file; false when no symbol covers addr. name is not copied. */
bool elf_symbol_lookup(
        const void *file, size_t len, uint64_t addr, const char **name, uint64_t *offset);

#endif
