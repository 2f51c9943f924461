/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The basic types: fixed-width integers and the three kinds of address.
 *
 * A guest-physical, a host-physical and a guest-virtual address are one-member
 * structs, so that passing one for another does not compile. Make one with
 * gpa()/hpa()/gva(), look inside with .v, move with gpa_add().
 */
#ifndef VMM_LIB_TYPES_H
#define VMM_LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
	uint64_t v;
} gpa_t; /* guest-physical */

typedef struct {
	uint64_t v;
} hpa_t; /* host-physical */

typedef struct {
	uint64_t v;
} gva_t; /* guest-virtual (linear) */

static inline gpa_t gpa(uint64_t v)
{
	return (gpa_t){v};
}

static inline hpa_t hpa(uint64_t v)
{
	return (hpa_t){v};
}

static inline gva_t gva(uint64_t v)
{
	return (gva_t){v};
}

static inline gpa_t gpa_add(gpa_t a, uint64_t n)
{
	return gpa(a.v + n);
}

static inline hpa_t hpa_add(hpa_t a, uint64_t n)
{
	return hpa(a.v + n);
}

static inline gva_t gva_add(gva_t a, uint64_t n)
{
	return gva(a.v + n);
}

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ULL
#define PAGE_MASK (PAGE_SIZE - 1)
#define SIZE_2M (2ULL << 20)
#define SIZE_1G (1ULL << 30)
#define SIZE_4G (4ULL << 30)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define __must_check __attribute__((warn_unused_result))
#define __printf(fmt, args) __attribute__((format(printf, fmt, args)))
#define __noreturn __attribute__((noreturn))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
