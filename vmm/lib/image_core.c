// SPDX-License-Identifier: BSD-2-Clause
// The core's own ELF64 file: its segments for the loader, its symbols for a panic.
// Specs: [ELF] "Program Header", "Symbol Table".
#include "vmm/lib/bits.h"
#include "vmm/lib/elf.h"
#include "vmm/lib/err.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/image.h"
#include "vmm/lib/string.h"

#define CORE_MAX_LEN (256ULL << 20) /* nobody's core is that large: a damaged header */

enum { SHT_SYMTAB = 2, SHF_EXECINSTR = 4, STT_NOTYPE = 0, STT_FUNC = 2 };

struct elf64_sym {
	uint32_t name;
	uint8_t info, other;
	uint16_t shndx;
	uint64_t value, size;
};
_Static_assert(sizeof(struct elf64_sym) == 24, "[ELF] ELF-64 Symbol Table Entry");

static int check_core_segment(
        const struct core_image *core, const struct image_segment *seg, char *why, size_t why_size)
{
	if (!is_aligned(seg->addr, PAGE_SIZE) || seg->mem_len > CORE_MAX_LEN ||
	        seg->addr > UINT64_MAX - CORE_MAX_LEN) {
		fmt_print(why, why_size, "has a segment at 0x%llx that cannot be placed",
		        (unsigned long long)seg->addr);
		return -ENOEXEC;
	}
	if ((seg->flags & PF_W) && (seg->flags & PF_X)) {
		fmt_print(why, why_size, "has a segment that is both writable and executable");
		return -ENOEXEC;
	}
	for (uint32_t i = 0; i < core->n_segments; i++) {
		if (ranges_overlap(seg->addr, seg->mem_len, core->segments[i].addr,
		            core->segments[i].mem_len)) {
			fmt_print(why, why_size, "has overlapping segments");
			return -ENOEXEC;
		}
	}
	return 0;
}

static bool entry_is_code(const struct core_image *core)
{
	for (uint32_t i = 0; i < core->n_segments; i++) {
		const struct image_segment *seg = &core->segments[i];

		if ((seg->flags & PF_X) && core->entry >= seg->addr &&
		        core->entry - seg->addr < seg->file_len) {
			return true;
		}
	}
	return false;
}

int core_image_probe(
        struct core_image *core, const void *file, size_t len, char *why, size_t why_size)
{
	struct elf elf;
	int err = elf_open(&elf, file, len, why, why_size);

	memset(core, 0, sizeof(*core));
	if (err) {
		return err;
	}
	if (!elf.is_64 || elf.type != ET_EXEC) {
		fmt_print(why, why_size, "is not a 64-bit ELF executable");
		return -ENOEXEC;
	}
	core->entry = elf.entry;
	core->lowest = UINT64_MAX;
	for (unsigned i = 0; i < elf.ph_count; i++) {
		struct image_segment *seg = &core->segments[core->n_segments];
		struct elf_phdr ph;

		elf_read_phdr(&elf, i, &ph);
		if (ph.type != PT_LOAD || ph.mem_len == 0) {
			continue;
		}
		if (core->n_segments == IMAGE_MAX_SEGMENTS) {
			fmt_print(why, why_size, "has more than %d segments", IMAGE_MAX_SEGMENTS);
			return -ENOEXEC;
		}
		*seg = (struct image_segment){.file_off = ph.file_off,
		        .file_len = ph.file_len,
		        .addr = ph.vaddr,
		        .mem_len = ph.mem_len,
		        .flags = ph.flags};
		err = elf_check_segment(&elf, &ph, why, why_size);
		if (err == 0) {
			err = check_core_segment(core, seg, why, why_size);
		}
		if (err) {
			return err;
		}
		core->n_segments++;
		core->lowest = seg->addr < core->lowest ? seg->addr : core->lowest;
		if (seg->addr + seg->mem_len > core->highest) {
			core->highest = seg->addr + seg->mem_len;
		}
	}
	if (core->n_segments == 0 || !entry_is_code(core)) {
		fmt_print(why, why_size, "has no code at its entry point");
		return -ENOEXEC;
	}
	if (core->highest - core->lowest > CORE_MAX_LEN) {
		fmt_print(why, why_size, "has segments too far apart");
		return -ENOEXEC;
	}
	return 0;
}

/* The name at an offset of a string table, NULL when it is not terminated inside it. */
static const char *string_at(const struct elf *elf, const struct elf_shdr *strings, uint32_t off)
{
	const char *s;

	/* An empty table may claim to lie anywhere. */
	if (off >= strings->file_len) {
		return NULL;
	}
	s = (const char *)elf->data + strings->file_off + off;
	for (uint64_t n = strings->file_len - off, i = 0; i < n; i++) {
		if (s[i] == '\0') {
			return s;
		}
	}
	return NULL;
}

/*
 * C gives functions a type and a size; labels of the assembler have neither, and reach to
 * the next symbol. So the nearest symbol at or below addr decides, if its size does not
 * exclude addr.
 */
bool elf_symbol_lookup(
        const void *file, size_t len, uint64_t addr, const char **name, uint64_t *offset)
{
	struct elf elf;
	struct elf_shdr symtab = {0}, strings, home;
	struct elf64_sym best = {0};
	bool found = false;
	char why[96];

	if (elf_open(&elf, file, len, why, sizeof(why)) != 0) {
		return false;
	}
	for (unsigned i = 0; i < elf.sh_count && symtab.type != SHT_SYMTAB; i++) {
		if (!elf_read_shdr(&elf, i, &symtab)) {
			symtab.type = 0;
		}
	}
	if (symtab.type != SHT_SYMTAB || !elf_read_shdr(&elf, symtab.link, &strings)) {
		return false;
	}
	for (uint64_t i = 0; i < symtab.file_len / sizeof(best); i++) {
		struct elf64_sym sym;
		unsigned type;

		memcpy(&sym, elf.data + symtab.file_off + i * sizeof(sym), sizeof(sym));
		type = sym.info & 0xfU;
		if (sym.value > addr || (type != STT_FUNC && type != STT_NOTYPE) ||
		        (found && sym.value < best.value) ||
		        (found && sym.value == best.value && type != STT_FUNC) ||
		        !elf_read_shdr(&elf, sym.shndx, &home) || !(home.flags & SHF_EXECINSTR)) {
			continue;
		}
		best = sym;
		found = true;
	}
	if (!found || (best.size != 0 && addr - best.value >= best.size)) {
		return false;
	}
	*name = string_at(&elf, &strings, best.name);
	*offset = addr - best.value;
	return *name != NULL;
}
