/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An 8-bit chip on the ISA bus: a wider access becomes byte accesses at rising ports.
 *
 * The bus has checked that all bytes lie in the chip's range.
 */
#ifndef DEVICES_PORT8_H
#define DEVICES_PORT8_H

#include "vmm/lib/types.h"

static inline uint64_t port8_read(
        uint8_t (*read)(void *dev, unsigned reg), void *dev, uint64_t offset, unsigned width)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < width; i++) {
		value |= (uint64_t)read(dev, (unsigned)offset + i) << (8 * i);
	}
	return value;
}

static inline void port8_write(void (*write)(void *dev, unsigned reg, uint8_t value), void *dev,
        uint64_t offset, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++) {
		write(dev, (unsigned)offset + i, (uint8_t)(value >> (8 * i)));
	}
}

#endif
