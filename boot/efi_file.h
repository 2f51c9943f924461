/* SPDX-License-Identifier: BSD-2-Clause */
/* Files on the volume that the loader came from. Paths are ASCII, with / or \. */
#ifndef BOOT_EFI_FILE_H
#define BOOT_EFI_FILE_H

#include "boot/boot_info.h"
#include "boot/efi_env.h"

#define FILE_PATH_MAX 256U

/* Find the volume, the loader's directory and its own name. Says why if it cannot. */
EFI_STATUS file_init(void);

/* The loader's directory ("\EFI\BOOT") and its base name ("BOOTX64"). */
const char *file_loader_dir(void);
const char *file_loader_name(void);

/* dir\path, or path alone when it is absolute; false when too long. */
__must_check bool file_join(char out[FILE_PATH_MAX], const char *dir, const char *path);

/*
 * Read the whole file into pages of the loader. EFI_NOT_FOUND says nothing (the caller knows
 * better what is missing); other errors are in why.
 */
EFI_STATUS file_read(const char *path, uint64_t *base, uint64_t *len, char *why, size_t why_size);

#endif
