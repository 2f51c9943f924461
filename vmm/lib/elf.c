// SPDX-License-Identifier: BSD-2-Clause
// Reading ELF files of both classes without trusting a byte of them.
// Specs: [ELF] "ELF Header", "Program Header", "Sections".
#include "vmm/lib/elf.h"
#include "vmm/lib/err.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"

struct elf32_ehdr {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version, entry, phoff, shoff, flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf32_ehdr) == 52, "[ELF] ELF Header");

struct elf64_ehdr {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf64_ehdr) == 64, "[ELF] ELF-64 Header");

struct elf32_phdr {
	uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};
_Static_assert(sizeof(struct elf32_phdr) == 32, "[ELF] Program Header");

struct elf64_phdr {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf64_phdr) == 56, "[ELF] ELF-64 Program Header");

struct elf64_shdr {
	uint32_t name, type;
	uint64_t flags, addr, offset, size;
	uint32_t link, info;
	uint64_t addralign, entsize;
};
_Static_assert(sizeof(struct elf64_shdr) == 64, "[ELF] ELF-64 Section Header");

enum { EI_CLASS = 4, EI_DATA = 5, ELFCLASS32 = 1, ELFCLASS64 = 2, ELFDATA2LSB = 1 };
enum { SHT_NOBITS = 8 };

uint16_t le16_at(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

uint32_t le32_at(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

uint64_t le64_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

bool elf_has_magic(const void *file, size_t len)
{
	return len >= 4 && memcmp(file, "\177ELF", 4) == 0;
}

static bool in_file(const struct elf *elf, uint64_t off, uint64_t len)
{
	return off <= elf->len && len <= elf->len - off;
}

/* Copies the header's fields; false when a table's entry size is not this class's. */
static bool read_ehdr(struct elf *elf)
{
	if (elf->is_64) {
		struct elf64_ehdr h;

		memcpy(&h, elf->data, sizeof(h));
		elf->type = h.type;
		elf->machine = h.machine;
		elf->entry = h.entry;
		elf->ph_off = h.phoff;
		elf->ph_count = h.phnum;
		elf->sh_off = h.shoff;
		elf->sh_count = h.shentsize == sizeof(struct elf64_shdr) ? h.shnum : 0;
		return h.phnum == 0 || h.phentsize == sizeof(struct elf64_phdr);
	}
	struct elf32_ehdr h;

	memcpy(&h, elf->data, sizeof(h));
	elf->type = h.type;
	elf->machine = h.machine;
	elf->entry = h.entry;
	elf->ph_off = h.phoff;
	elf->ph_count = h.phnum;
	return h.phnum == 0 || h.phentsize == sizeof(struct elf32_phdr);
}

int elf_open(struct elf *elf, const void *file, size_t len, char *why, size_t why_size)
{
	uint8_t class;
	size_t ph_size;

	memset(elf, 0, sizeof(*elf));
	elf->data = file;
	elf->len = len;
	if (!elf_has_magic(file, len)) {
		fmt_print(why, why_size, "is not an ELF file");
		return -ENOEXEC;
	}
	if (len < sizeof(struct elf64_ehdr)) {
		fmt_print(why, why_size, "is truncated: its ELF header is not complete");
		return -ENOEXEC;
	}
	class = elf->data[EI_CLASS];
	if ((class != ELFCLASS32 && class != ELFCLASS64) || elf->data[EI_DATA] != ELFDATA2LSB) {
		fmt_print(why, why_size,
		        "has a wrong ELF class: class %u with data encoding %u is not "
		        "little-endian "
		        "32-bit or 64-bit",
		        class, elf->data[EI_DATA]);
		return -ENOEXEC;
	}
	elf->is_64 = class == ELFCLASS64;
	if (!read_ehdr(elf)) {
		fmt_print(why, why_size, "has a damaged ELF header: wrong program header size");
		return -ENOEXEC;
	}
	if (elf->machine != (elf->is_64 ? EM_X86_64 : EM_386)) {
		fmt_print(why, why_size, "is a %s-bit ELF file for machine type %u, not for x86",
		        elf->is_64 ? "64" : "32", elf->machine);
		return -ENOEXEC;
	}
	ph_size = elf->is_64 ? sizeof(struct elf64_phdr) : sizeof(struct elf32_phdr);
	if (!in_file(elf, elf->ph_off, elf->ph_count * (uint64_t)ph_size)) {
		fmt_print(why, why_size, "is truncated: its program headers are not in the file");
		return -ENOEXEC;
	}
	return 0;
}

void elf_read_phdr(const struct elf *elf, unsigned i, struct elf_phdr *ph)
{
	if (elf->is_64) {
		struct elf64_phdr p;

		memcpy(&p, elf->data + elf->ph_off + i * sizeof(p), sizeof(p));
		*ph = (struct elf_phdr){.type = p.type,
		        .flags = p.flags,
		        .file_off = p.offset,
		        .file_len = p.filesz,
		        .vaddr = p.vaddr,
		        .paddr = p.paddr,
		        .mem_len = p.memsz};
	} else {
		struct elf32_phdr p;

		memcpy(&p, elf->data + elf->ph_off + i * sizeof(p), sizeof(p));
		*ph = (struct elf_phdr){.type = p.type,
		        .flags = p.flags,
		        .file_off = p.offset,
		        .file_len = p.filesz,
		        .vaddr = p.vaddr,
		        .paddr = p.paddr,
		        .mem_len = p.memsz};
	}
}

int elf_check_segment(const struct elf *elf, const struct elf_phdr *ph, char *why, size_t why_size)
{
	if (ph->file_len > ph->mem_len) {
		fmt_print(why, why_size,
		        "has a damaged ELF segment: more bytes in the file than in memory");
		return -ENOEXEC;
	}
	if (!in_file(elf, ph->file_off, ph->file_len)) {
		fmt_print(why, why_size,
		        "is truncated: a segment of %llu bytes at offset %llu, the file has %llu",
		        (unsigned long long)ph->file_len, (unsigned long long)ph->file_off,
		        (unsigned long long)elf->len);
		return -ENOEXEC;
	}
	return 0;
}

bool elf_read_shdr(const struct elf *elf, unsigned i, struct elf_shdr *sh)
{
	struct elf64_shdr s;

	if (!elf->is_64 || i >= elf->sh_count ||
	        !in_file(elf, elf->sh_off, (uint64_t)elf->sh_count * sizeof(s))) {
		return false;
	}
	memcpy(&s, elf->data + elf->sh_off + i * sizeof(s), sizeof(s));
	*sh = (struct elf_shdr){.type = s.type,
	        .link = s.link,
	        .flags = s.flags,
	        .file_off = s.offset,
	        .file_len = s.type == SHT_NOBITS ? 0 : s.size};
	return sh->file_len == 0 || in_file(elf, s.offset, s.size);
}
