/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading ELF files of both classes without trusting a byte of them.
 * Specs: [ELF] "ELF Header", "Program Header", "Sections".
 */
#ifndef VMM_LIB_ELF_H
#define VMM_LIB_ELF_H

#include "vmm/lib/types.h"

#define ET_EXEC 2U
#define ET_DYN 3U
#define EM_386 3U
#define EM_X86_64 62U
#define PT_LOAD 1U
#define PF_X 1U
#define PF_W 2U
#define PF_R 4U

struct elf {
	const uint8_t *data;
	size_t len;
	bool is_64;
	uint16_t type;
	uint16_t machine;
	uint64_t entry;
	uint64_t ph_off;
	uint64_t sh_off;
	uint16_t ph_count;
	uint16_t sh_count;
};

struct elf_phdr {
	uint32_t type, flags;
	uint64_t file_off, file_len;
	uint64_t vaddr, paddr, mem_len;
};

struct elf_shdr {
	uint32_t type, link;
	uint64_t flags, file_off, file_len;
};

bool elf_has_magic(const void *file, size_t len);

/* Read and check the ELF header. 0, or -ENOEXEC with a sentence without file name. */
__must_check int elf_open(
        struct elf *elf, const void *file, size_t len, char *why, size_t why_size);

/* Program header i < ph_count; elf_open() has checked that the table lies in the file. */
void elf_read_phdr(const struct elf *elf, unsigned i, struct elf_phdr *ph);

/* A loadable segment's bytes lie in the file and do not exceed its memory; else a sentence. */
__must_check int elf_check_segment(
        const struct elf *elf, const struct elf_phdr *ph, char *why, size_t why_size);

/* Section i; false when its header or its bytes are not in the file. ELF64 only. */
__must_check bool elf_read_shdr(const struct elf *elf, unsigned i, struct elf_shdr *sh);

/* Little-endian fields at any alignment. */
uint16_t le16_at(const uint8_t *p);
uint32_t le32_at(const uint8_t *p);
uint64_t le64_at(const uint8_t *p);

#endif
