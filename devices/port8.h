/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An 8-bit chip on the ISA bus: a wider access becomes byte accesses at rising ports.
 *
 * The bus has checked that all bytes lie in the chip's range.
 */
#ifndef DEVICES_PORT8_H
#define DEVICES_PORT8_H

#include "vmm/lib/types.h"

typedef uint8_t port8_read_fn(void *dev, unsigned reg);
typedef void port8_write_fn(void *dev, unsigned reg, uint8_t value);

uint64_t port8_read_wide(port8_read_fn *read, void *dev, unsigned reg, unsigned width);
void port8_write_wide(
        port8_write_fn *write, void *dev, unsigned reg, unsigned width, uint64_t value);

static inline uint64_t port8_read(port8_read_fn *read, void *dev, uint64_t offset, unsigned width)
{
	if (width != 1) {
		return port8_read_wide(read, dev, (unsigned)offset, width);
	}
	return read(dev, (unsigned)offset);
}

static inline void port8_write(
        port8_write_fn *write, void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	if (width != 1) {
		port8_write_wide(write, dev, (unsigned)offset, width, value);
		return;
	}
	write(dev, (unsigned)offset, (uint8_t)value);
}

#endif
