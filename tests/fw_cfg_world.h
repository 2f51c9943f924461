/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fw_cfg on a VM's bus, asked by port and by command: what test_fw_cfg*.c have in common.
 */
#ifndef TESTS_FW_CFG_WORLD_H
#define TESTS_FW_CFG_WORLD_H

#include "devices/fw_cfg.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/err.h"
#include <stdio.h>
#include <string.h>

#define SEL 0x510U
#define DATA 0x511U
#define DMA_HIGH 0x514U
#define DMA_LOW 0x518U

/* [FWCFG] "Guest-side DMA Interface". */
#define ERROR 1U
#define READ 2U
#define SKIP 4U
#define SELECT 8U
#define WRITE 16U

#define MEM (8U << 20)
#define CMD 0x8000U
#define BUF 0x20000U
#define VGA 0xa0000U
#define MS 1000000ULL

static struct vm *vm;
static struct fw_cfg f;

static inline void setup(void)
{
	fake_clock_set(0);
	vm = fake_vm(MEM, 3);
	strcpy(((struct config_vm *)(uintptr_t)vm->config)->cmdline, "a=b c");
	fw_cfg_init(&f);
	ck_assert_int_eq(fw_cfg_attach(&f, vm, SEL), 0);
	fake_log_clear();
}

static inline uint64_t in(unsigned port, unsigned width)
{
	return io_bus_read(&vm->pio, port, width);
}

static inline void out(unsigned port, unsigned width, uint64_t value)
{
	io_bus_write(&vm->pio, port, width, value);
}

/* The next n bytes, little-endian. */
static inline uint64_t next(unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++) {
		v |= in(DATA, 1) << (8 * i);
	}
	return v;
}

static inline uint64_t item(unsigned key, unsigned n)
{
	out(SEL, 2, key);
	return next(n);
}

static inline void peek(uint64_t at, void *to, size_t n)
{
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), to, n), 0);
}

static inline void command_at(uint64_t at, uint32_t control, uint32_t len, uint64_t to)
{
	uint32_t c[2] = {__builtin_bswap32(control), __builtin_bswap32(len)};

	to = __builtin_bswap64(to);
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(at), c, sizeof(c)), 0);
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(at + 8), &to, sizeof(to)), 0);
	out(DMA_LOW, 4, __builtin_bswap32((uint32_t)at));
}

static inline uint32_t control_at(uint64_t at)
{
	uint32_t c;

	peek(at, &c, sizeof(c));
	return __builtin_bswap32(c);
}

/* A command, and what its control word says afterwards. */
static inline uint32_t command(uint32_t control, uint32_t len, uint64_t to)
{
	command_at(CMD, control, len, to);
	return control_at(CMD);
}

static inline void fill(uint64_t at, uint8_t byte, size_t n)
{
	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(at), byte, n), 0);
}

static inline bool all(uint64_t at, uint8_t byte, size_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		uint8_t b;

		peek(at + i, &b, 1);
		if (b != byte) {
			return false;
		}
	}
	return true;
}

#endif
