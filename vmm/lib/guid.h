/* SPDX-License-Identifier: BSD-2-Clause */
/* A GUID as it lies in memory: its first three groups little-endian ([RFC 4122], and Microsoft's
 * use of it). */
#ifndef VMM_LIB_GUID_H
#define VMM_LIB_GUID_H

#include "vmm/lib/types.h"

struct guid {
	uint8_t b[16];
};
_Static_assert(sizeof(struct guid) == 16, "as on the wire");

/* GUID(0xba6163d9, 0x04a1, 0x4d29, 0xb605, 0x72e2ffb1dc7f) is ba6163d9-04a1-4d29-b605-72e2ffb1dc7f.
 */
#define GUID(a, b_, c, d, e) \
	{ \
		.b = {(uint8_t)(a), (uint8_t)((a) >> 8), (uint8_t)((a) >> 16), \
		        (uint8_t)((a) >> 24), (uint8_t)(b_), (uint8_t)((b_) >> 8), (uint8_t)(c), \
		        (uint8_t)((c) >> 8), (uint8_t)((d) >> 8), (uint8_t)(d), \
		        (uint8_t)((e##ULL) >> 40), (uint8_t)((e##ULL) >> 32), \
		        (uint8_t)((e##ULL) >> 24), (uint8_t)((e##ULL) >> 16), \
		        (uint8_t)((e##ULL) >> 8), (uint8_t)(e##ULL)}, \
	}

static inline bool guid_equal(const struct guid *x, const struct guid *y)
{
	return __builtin_memcmp(x->b, y->b, sizeof(x->b)) == 0;
}

#endif
