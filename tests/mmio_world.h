/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU in long mode and a device that counts accesses: what test_mmio_*.c have in common.
 */
#ifndef TESTS_MMIO_WORLD_H
#define TESTS_MMIO_WORLD_H

#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/mmio_emul.h"
#include <string.h>

#define TABLES 0x10000ULL
#define CODE 0x20000ULL
#define DATA 0x30000ULL
#define STACK 0x40000ULL
#define DEV 0x10000000ULL /* guest-physical and, in the identity map, linear */
#define DEV_LEN 0x2000ULL
#define RIP_START CODE

static struct vm *vm;
static struct vcpu *cpu;
static uint8_t dev_mem[DEV_LEN];
static unsigned n_reads, n_writes, last_width;
static struct io_range range;

static inline uint64_t dev_read(void *dev, uint64_t offset, unsigned width)
{
	uint64_t v = 0;

	(void)dev;
	n_reads++;
	last_width = width;
	memcpy(&v, dev_mem + offset, width);
	return v;
}

static inline void dev_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	(void)dev;
	n_writes++;
	last_width = width;
	memcpy(dev_mem + offset, &value, width);
}

static const struct io_ops dev_ops = {"test", dev_read, dev_write};

static inline void setup(void)
{
	vm = fake_vm(0x200000, 1);
	ck_assert_ptr_nonnull(vm);
	cpu = vm->vcpus[0];
	fake_long_mode(cpu, TABLES);
	fake_log_clear();
	memset(dev_mem, 0, sizeof(dev_mem));
	n_reads = n_writes = last_width = 0;
	range = (struct io_range){
	        .base = DEV, .len = DEV_LEN, .ops = &dev_ops, .kind = IO_FIXED, .enabled = true};
	ck_assert_int_eq(io_bus_add(&vm->mmio, &range), 0);
	fake_vcpu(cpu)->regs[REG_RIP] = RIP_START;
	fake_vcpu(cpu)->regs[REG_RSP] = STACK;
}

static inline void put_ram(uint64_t at, const void *p, size_t len)
{
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(at), p, len), 0);
}

static inline uint64_t get_ram(uint64_t at, size_t len)
{
	uint64_t v = 0;

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), &v, len), 0);
	return v;
}

static inline uint64_t get_dev(uint64_t off, size_t len)
{
	uint64_t v = 0;

	memcpy(&v, dev_mem + off, len);
	return v;
}

static inline enum exit_action run_at(
        uint64_t rip, const uint8_t *code, size_t len, uint64_t at, bool read, bool write)
{
	struct vcpu_exit exit = {.kind = EXIT_MEM};

	put_ram(rip, code, len);
	fake_vcpu(cpu)->regs[REG_RIP] = rip;
	exit.mem.gpa = gpa(at);
	exit.mem.read = read;
	exit.mem.write = write;
	return mmio_emulate(cpu, &exit);
}

#define RUN(at, rd, wr, ...) \
	run_at(RIP_START, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), \
	        (at), (rd), (wr))

static inline uint64_t rip(void)
{
	return fake_vcpu(cpu)->regs[REG_RIP];
}

#endif
