// SPDX-License-Identifier: BSD-2-Clause
// A disk's identity.
// Specs: none (contract in blk.h); the hash is FNV-1a.
#include "devices/backend/blk.h"
#include "vmm/lib/string.h"

#define FNV_PRIME 0x100000001b3ULL
#define FNV_BASIS 0xcbf29ce484222325ULL

static uint64_t hash(uint64_t h, const void *data, size_t n)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < n; i++) {
		h = (h ^ p[i]) * FNV_PRIME;
	}
	/* The last bytes reach all bits only now. */
	h ^= h >> 32;
	h *= FNV_PRIME;
	return h ^ h >> 29;
}

void blk_make_id(uint8_t id[BLK_ID_LEN], const char *vm_name, uint32_t number)
{
	uint64_t h = FNV_BASIS;

	for (unsigned i = 0; i < BLK_ID_LEN; i += sizeof(h)) {
		uint8_t tail[4] = {(uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16),
		        (uint8_t)(number >> 24)};

		h = hash(hash(h, vm_name, strlen(vm_name)), tail, sizeof(tail));
		memcpy(id + i, &h, sizeof(h));
	}
}
