// SPDX-License-Identifier: BSD-2-Clause
// Accesses of an 8-bit chip that are wider than it.
// Specs: [PIIX4] "Register descriptions" (byte registers on the ISA bus).
#include "devices/port8.h"

__attribute__((noinline)) uint64_t port8_read_wide(
        port8_read_fn *read, void *dev, unsigned reg, unsigned width)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < width; i++) {
		value |= (uint64_t)read(dev, reg + i) << (8 * i);
	}
	return value;
}

__attribute__((noinline)) void port8_write_wide(
        port8_write_fn *write, void *dev, unsigned reg, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++) {
		write(dev, reg + i, (uint8_t)(value >> (8 * i)));
	}
}
