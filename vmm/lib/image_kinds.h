/* SPDX-License-Identifier: BSD-2-Clause */
/* The two kinds of guest kernel behind vmm/lib/image.h; used by image*.c only. */
#ifndef VMM_LIB_IMAGE_KINDS_H
#define VMM_LIB_IMAGE_KINDS_H

#include "vmm/lib/image.h"

/* Does the file claim to be one? What it claims is not checked yet. */
bool image_is_linux(const void *file, size_t len);
/* The offset of the multiboot header, or -1. */
int64_t image_find_multiboot(const void *file, size_t len);

__must_check int image_probe_linux(
        struct linux_image *img, const void *file, size_t len, char *why, size_t why_size);
__must_check int image_probe_multiboot(struct multiboot_image *img, const void *file, size_t len,
        uint32_t header_off, char *why, size_t why_size);

/* RAM ends at low_end; see image_place(). */
__must_check int image_place_linux(const struct linux_image *img, uint64_t low_end,
        uint64_t initrd_len, uint64_t *kernel_addr, uint64_t *initrd_addr, char *why,
        size_t why_size);
__must_check int image_place_multiboot(const struct multiboot_image *img, uint64_t low_end,
        uint64_t module_len, uint64_t *kernel_addr, uint64_t *module_addr, char *why,
        size_t why_size);

#endif
