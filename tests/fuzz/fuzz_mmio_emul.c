// SPDX-License-Identifier: BSD-2-Clause
// The emulator as a whole: any instruction, registers, mode and exit must end in an action.
#include "tests/fake/fake.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/mmio_emul.h"
#include <string.h>

#define TABLES 0x10000ULL
#define CODE 0x20ffaULL /* the instruction crosses a page, or ends before it */
#define DEV 0x10000000ULL

struct input {
	uint8_t code[16];
	uint64_t gpr[4];  /* spread over the sixteen */
	uint64_t gpa_low; /* of the exit */
	uint8_t flags, rflags, mode, pio;
};

static uint64_t calls;

static uint64_t dev_read(void *dev, uint64_t offset, unsigned width)
{
	(void)dev;
	(void)width;
	calls++;
	return offset * 0x0101010101010101ULL;
}

static void dev_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	(void)dev;
	(void)offset;
	(void)width;
	(void)value;
	calls++;
}

static const struct io_ops ops = {"fuzz", dev_read, dev_write};
static struct io_range mmio, pio;

static void set_mode(struct vcpu *cpu, uint8_t mode)
{
	struct fake_vcpu *f = fake_vcpu(cpu);

	if ((mode & 3) == 0) {
		return;
	}
	f->regs[REG_EFER] = 0;
	f->regs[REG_CR0] = (mode & 4) ? CR0_PE | CR0_ET : CR0_ET;
	for (unsigned i = 0; i < SEG_LDTR; i++) {
		f->segs[i].limit = (mode & 8) ? 0xffff : 0xffffffff;
		f->segs[i].attr = (uint16_t)(0x93 | ((mode & 3) == 1 ? 0 : SEG_ATTR_DB) |
		                             ((mode & 16) ? 4 : 0));
	}
	f->segs[SEG_CS].attr |= 0xb;
	f->segs[SEG_DS].base = (mode & 32) ? DEV : 0;
	f->segs[SEG_ES].unusable = (mode & 64) != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vcpu_exit exit = {.kind = EXIT_MEM};
	enum exit_action action;
	struct input in;
	struct vm *vm;
	struct vcpu *cpu;

	if (size < sizeof(in)) {
		return 0;
	}
	memcpy(&in, data, sizeof(in));
	vm = fake_vm(0x40000, 1);
	FUZZ_CHECK(vm != NULL);
	cpu = vm->vcpus[0];
	fake_long_mode(cpu, TABLES);
	fake_log_clear();
	set_mode(cpu, in.mode);
	mmio = (struct io_range){
	        .base = DEV, .len = 0x1800, .ops = &ops, .kind = IO_FIXED, .enabled = true};
	pio = (struct io_range){
	        .base = 0, .len = 0x10000, .ops = &ops, .kind = IO_FIXED, .enabled = true};
	FUZZ_CHECK(io_bus_add(&vm->mmio, &mmio) == 0 && io_bus_add(&vm->pio, &pio) == 0);
	FUZZ_CHECK(gmem_write(&vm->mem, gpa(CODE), in.code, sizeof(in.code)) == 0);
	fake_vcpu(cpu)->regs[REG_RIP] = CODE;
	fake_vcpu(cpu)->regs[REG_RFLAGS] =
	        RFLAGS_FIXED1 | (in.rflags & 1 ? RFLAGS_DF : 0) | (in.rflags & 2 ? RFLAGS_CF : 0);
	for (unsigned i = 0; i < REG_GPR_COUNT; i++) {
		uint64_t v = in.gpr[i % 4];

		/* Most of them near something. */
		if ((in.flags & 0x80) == 0) {
			v = (v & 0x1fff) + ((v & 0x10000) ? DEV : (v & 0x20000) ? 0x30000 : 0);
		}
		vcpu_reg_set(cpu, (enum vcpu_reg)i, v);
	}
	calls = 0;
	if (in.pio & 1) {
		exit = (struct vcpu_exit){.kind = EXIT_IO};
		exit.io.port = (uint16_t)in.gpa_low;
		exit.io.width = (uint8_t)(1U << (in.pio >> 1) % 3);
		exit.io.in = (in.flags & 1) != 0;
		exit.io.string = (in.flags & 2) != 0;
		exit.io.rep = (in.flags & 4) != 0;
		exit.io.addr_width = (uint8_t)(2U << (in.pio >> 3) % 3);
		exit.io.seg = (uint8_t)((in.pio >> 5) % SEG_LDTR);
		action = pio_handle_exit(cpu, &exit);
		FUZZ_CHECK(action == ACT_SKIP || action == ACT_RESUME || action == ACT_FAULT ||
		           action == ACT_KILL);
	} else {
		exit.mem.gpa = gpa(DEV + (in.gpa_low & 0x1fff));
		exit.mem.read = (in.flags & 1) != 0;
		exit.mem.write = (in.flags & 2) != 0;
		exit.mem.fetch = (in.flags & 0x7c) == 4;
		action = mmio_emulate(cpu, &exit);
		FUZZ_CHECK(action == ACT_RESUME || action == ACT_FAULT || action == ACT_KILL);
		FUZZ_CHECK(fake_vcpu(cpu)->regs[REG_RIP] - CODE <= 15);
		FUZZ_CHECK(action == ACT_RESUME || fake_vcpu(cpu)->regs[REG_RIP] == CODE);
	}
	/* Bounded work: the largest batch, each operand in a few pieces. */
	FUZZ_CHECK(calls <= 256 * 8);
	return 0;
}
