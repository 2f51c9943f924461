// SPDX-License-Identifier: BSD-2-Clause
// The page walker: any tables, any control registers; always an answer, never outside RAM.
#include "tests/fuzz/fuzz.h"
#include "vmm/guest_walk.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/vcpu.h"
#include <string.h>

#define PAGES 8U

static uint8_t ram[PAGES * PAGE_SIZE] __attribute__((aligned(4096)));
static uint8_t copy[PAGES * PAGE_SIZE];

struct input {
	uint64_t cr0, cr3, cr4, efer, rflags, va;
	uint8_t cpl, access, phys_bits, pad;
};

/* Page tables point to each other: every entry is brought into the RAM that is there. */
static void fill(const uint8_t *data, size_t size)
{
	memset(ram, 0, sizeof(ram));
	for (size_t i = 0; i + 10 <= size; i += 10) {
		uint64_t entry;
		uint16_t at;

		memcpy(&at, data + i, 2);
		memcpy(&entry, data + i + 2, 8);
		if ((entry & BIT64(9)) == 0) {
			entry = (entry & ~GENMASK64(51, 15)) | 1;
		}
		memcpy(ram + (size_t)at % (sizeof(ram) / 8) * 8, &entry, 8);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest_mem mem = {.size = sizeof(ram)};
	struct walk_fault fault = {0};
	struct walk_state st;
	struct input in;
	gpa_t out = gpa(0), again = gpa(0);
	enum walk_access access;
	int err;

	if (size < sizeof(in)) {
		return 0;
	}
	memcpy(&in, data, sizeof(in));
	fill(data + sizeof(in), size - sizeof(in));
	FUZZ_CHECK(gmem_add(&mem, gpa(0), ram, hpa(0), sizeof(ram)) == 0);
	st = (struct walk_state){.cr0 = in.cr0 | (in.pad & 1 ? CR0_PG : 0),
	        .cr3 = in.pad & 2 ? in.cr3 & 0x7000 : in.cr3,
	        .cr4 = in.cr4,
	        .efer = in.efer,
	        .rflags = in.rflags,
	        .cpl = in.cpl & 3,
	        .phys_bits = 32 + in.phys_bits % 21};
	access = (enum walk_access)(in.access % 3);
	memcpy(copy, ram, sizeof(ram));
	err = guest_walk(&mem, &st, gva(in.va), access, &out, &fault);
	FUZZ_CHECK(err == 0 || err == -EFAULT || err == -EIO);
	if (err == -EFAULT) {
		FUZZ_CHECK(fault.vector == X86_PF || fault.vector == X86_GP);
		FUZZ_CHECK(fault.error < 32);
	}
	/*
	 * Only accessed and dirty flags may have changed; with a fault, too: tables that share an
	 * entry take a second round, where the flag of one may be a reserved bit of the other.
	 */
	for (size_t i = 0; i < sizeof(ram); i += 8) {
		uint64_t before, now;

		memcpy(&before, copy + i, 8);
		memcpy(&now, ram + i, 8);
		FUZZ_CHECK(((now ^ before) & ~0x6000000060ULL) == 0 && (before & ~now) == 0);
	}
	if (err != 0) {
		return 0;
	}
	FUZZ_CHECK((out.v & PAGE_MASK) == (in.va & PAGE_MASK));
	memcpy(copy, ram, sizeof(ram));
	err = guest_walk(&mem, &st, gva(in.va), access, &again, &fault);
	/* A second walk to the same place finds the flags set. */
	if (err == 0 && again.v == out.v) {
		FUZZ_CHECK(memcmp(copy, ram, sizeof(ram)) == 0);
	}
	return 0;
}
