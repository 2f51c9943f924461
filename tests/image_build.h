/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel images made in memory, for tests: a buffer of exactly the file's size (ASan guards it). */
#ifndef TESTS_IMAGE_BUILD_H
#define TESTS_IMAGE_BUILD_H

#include "vmm/lib/types.h"
#include <stdlib.h>
#include <string.h>

struct blob {
	uint8_t *p;
	size_t len;
};

static inline struct blob blob_new(size_t len)
{
	return (struct blob){calloc(1, len ? len : 1), len};
}

static inline void blob_free(struct blob *b)
{
	free(b->p);
	b->p = NULL;
}

static inline void put16(struct blob *b, size_t off, uint16_t v)
{
	memcpy(b->p + off, &v, sizeof(v));
}

static inline void put32(struct blob *b, size_t off, uint32_t v)
{
	memcpy(b->p + off, &v, sizeof(v));
}

static inline void put64(struct blob *b, size_t off, uint64_t v)
{
	memcpy(b->p + off, &v, sizeof(v));
}

/* A bzImage like Debian's 6.1: 39 setup sectors, 1 MiB of kernel, 36 MiB of init_size at 16 MiB. */
static inline struct blob make_bzimage(void)
{
	struct blob b = blob_new(40 * 512 + (1 << 20));

	b.p[0x1f1] = 39;
	put32(&b, 0x1f4, (1 << 20) / 16);
	put16(&b, 0x1fe, 0xaa55);
	memcpy(b.p + 0x202, "HdrS", 4);
	put16(&b, 0x206, 0x020f);
	b.p[0x211] = 1;
	put32(&b, 0x22c, 0x7fffffff);
	put32(&b, 0x230, 0x200000);
	b.p[0x234] = 1;
	put16(&b, 0x236, 0x7f);
	put32(&b, 0x238, 2047);
	put64(&b, 0x258, 0x1000000);
	put32(&b, 0x260, 36 << 20);
	return b;
}

/* A multiboot header at off, flags with their checksum. */
static inline void put_multiboot(struct blob *b, size_t off, uint32_t flags)
{
	put32(b, off, 0x1badb002);
	put32(b, off + 4, flags);
	put32(b, off + 8, 0 - 0x1badb002U - flags);
}

static inline void put_ehdr(struct blob *b, bool is_64, uint64_t entry, unsigned n_segments)
{
	memcpy(b->p, "\177ELF", 4);
	b->p[4] = is_64 ? 2 : 1;
	b->p[5] = 1;
	b->p[6] = 1;
	put16(b, 16, 2);
	put16(b, 18, is_64 ? 62 : 3);
	put32(b, 20, 1);
	if (is_64) {
		put64(b, 24, entry);
		put64(b, 32, 64);
		put16(b, 54, 56);
		put16(b, 56, (uint16_t)n_segments);
	} else {
		put32(b, 24, (uint32_t)entry);
		put32(b, 28, 64);
		put16(b, 42, 32);
		put16(b, 44, (uint16_t)n_segments);
	}
}

struct test_segment {
	uint32_t type, flags;
	uint64_t off, vaddr, paddr, filesz, memsz;
};

/* Program headers begin at offset 64 in both classes. */
static inline void put_phdr(struct blob *b, bool is_64, unsigned i, struct test_segment s)
{
	if (is_64) {
		size_t o = 64 + i * 56;

		put32(b, o, s.type);
		put32(b, o + 4, s.flags);
		put64(b, o + 8, s.off);
		put64(b, o + 16, s.vaddr);
		put64(b, o + 24, s.paddr);
		put64(b, o + 32, s.filesz);
		put64(b, o + 40, s.memsz);
	} else {
		size_t o = 64 + i * 32;

		put32(b, o, s.type);
		put32(b, o + 4, (uint32_t)s.off);
		put32(b, o + 8, (uint32_t)s.vaddr);
		put32(b, o + 12, (uint32_t)s.paddr);
		put32(b, o + 16, (uint32_t)s.filesz);
		put32(b, o + 20, (uint32_t)s.memsz);
		put32(b, o + 24, s.flags);
	}
}

#endif
