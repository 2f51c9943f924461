// SPDX-License-Identifier: BSD-2-Clause
// Operands of emulated instructions: segments, pages, registers.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/emul_mem.h"
#include "vmm/lib/err.h"
#include <string.h>

#define TABLES 0x10000ULL

static struct vcpu *cpu;

/* 32-bit protected mode without paging. */
static void setup(struct emul *e)
{
	struct vm *vm = fake_vm(0x200000, 1);
	struct fake_vcpu *f;

	ck_assert_ptr_nonnull(vm);
	cpu = vm->vcpus[0];
	f = fake_vcpu(cpu);
	f->regs[REG_CR0] = CR0_PE | CR0_ET;
	for (unsigned i = 0; i < SEG_LDTR; i++) {
		f->segs[i] = (struct segment){.limit = 0xffffffff, .attr = 0xc093};
	}
	f->segs[SEG_CS].attr = 0xc09b;
	emul_begin(e, cpu);
}

static const struct {
	const char *name;
	uint64_t rflags;
	bool real, unusable;
	uint32_t limit;
	uint16_t attr;
	uint64_t offset;
	unsigned width;
	bool read, write;
} segs[] = {
        {"flat", 0, false, false, 0xffffffff, 0xc093, 0xfffffffc, 4, true, true},
        {"beyond 4 GiB", 0, false, false, 0xffffffff, 0xc093, 0xfffffffd, 4, false, false},
        {"last byte", 0, false, false, 0xfff, 0x4093, 0xffc, 4, true, true},
        {"one too far", 0, false, false, 0xfff, 0x4093, 0xffd, 4, false, false},
        {"read-only", 0, false, false, 0xfff, 0x4091, 0, 4, true, false},
        {"code", 0, false, false, 0xfff, 0x409b, 0, 4, true, false},
        {"execute-only", 0, false, false, 0xfff, 0x4099, 0, 4, false, false},
        {"conforming is no expand-down", 0, false, false, 0xfff, 0x409f, 0, 4, true, false},
        {"null selector", 0, false, true, 0xffffffff, 0xc093, 0, 4, false, false},
        {"expand-down below", 0, false, false, 0xfff, 0x4097, 0xfff, 1, false, false},
        {"expand-down above", 0, false, false, 0xfff, 0x4097, 0x1000, 4, true, true},
        {"expand-down top", 0, false, false, 0xfff, 0x4097, 0xfffffffd, 4, false, false},
        {"expand-down 16-bit", 0, false, false, 0xfff, 0x0097, 0x10000, 1, false, false},
        {"real mode writes to code", 0, true, false, 0xffff, 0x9b, 0xffff, 1, true, true},
        {"real mode limit", 0, true, false, 0xffff, 0x93, 0xffff, 2, false, false},
        {"virtual-8086", RFLAGS_VM, false, false, 0xffff, 0xf3, 0xfffe, 2, true, true},
};

START_TEST(segment_checks)
{
	static const enum vcpu_seg which[] = {SEG_DS, SEG_SS};

	for (unsigned i = 0; i < ARRAY_SIZE(which); i++) {
		struct segment s = {.base = 0x1000,
		        .limit = segs[_i].limit,
		        .attr = segs[_i].attr,
		        .unusable = segs[_i].unusable};
		struct emul e;
		gva_t va;

		setup(&e);
		fake_vcpu(cpu)->segs[which[i]] = s;
		(void)emul_walk(&e);
		e.walk.cr0 = segs[_i].real ? 0 : CR0_PE;
		e.walk.rflags = segs[_i].rflags;
		ck_assert_msg((emul_linear(&e, which[i], segs[_i].offset, segs[_i].width, WALK_READ,
		                       &va) == 0) == segs[_i].read,
		        "%s: read", segs[_i].name);
		ck_assert_msg((emul_linear(&e, which[i], segs[_i].offset, segs[_i].width,
		                       WALK_WRITE, &va) == 0) == segs[_i].write,
		        "%s: write", segs[_i].name);
		if (segs[_i].write) {
			ck_assert_uint_eq(va.v, (uint32_t)(0x1000 + segs[_i].offset));
		} else {
			ck_assert_uint_eq(e.fault.vector, which[i] == SEG_SS ? X86_SS : X86_GP);
			ck_assert_uint_eq(e.fault.error, 0);
		}
	}
}
END_TEST

START_TEST(long_mode_addresses)
{
	struct emul e;
	gva_t va;

	setup(&e);
	fake_long_mode(cpu, TABLES);
	fake_vcpu(cpu)->segs[SEG_DS].base = 0x5000; /* without meaning */
	fake_vcpu(cpu)->segs[SEG_GS].base = 0xffff800000000000ULL;
	fake_vcpu(cpu)->segs[SEG_GS].limit = 0;
	emul_begin(&e, cpu);
	ck_assert_int_eq(e.mode, INSN_64);
	ck_assert_int_eq(emul_linear(&e, SEG_DS, 0x10, 8, WALK_READ, &va), 0);
	ck_assert_uint_eq(va.v, 0x10);
	ck_assert_int_eq(emul_linear(&e, SEG_GS, 0x10, 8, WALK_WRITE, &va), 0);
	ck_assert_uint_eq(va.v, 0xffff800000000010ULL);
	/* the last byte is beyond the canonical half */
	ck_assert_int_eq(emul_linear(&e, SEG_DS, 0x7ffffffffffcULL, 4, WALK_READ, &va), 0);
	ck_assert_int_eq(emul_linear(&e, SEG_DS, 0x7ffffffffffdULL, 4, WALK_READ, &va), -EFAULT);
	ck_assert_uint_eq(e.fault.vector, X86_GP);
	ck_assert_int_eq(emul_linear(&e, SEG_SS, 1ULL << 63, 4, WALK_READ, &va), -EFAULT);
	ck_assert_uint_eq(e.fault.vector, X86_SS);
}
END_TEST

START_TEST(modes)
{
	static const struct {
		uint16_t cs_attr;
		bool lma;
		enum insn_mode mode;
	} rows[] = {{0xa09b, true, INSN_64}, {0xc09b, true, INSN_32}, {0x009b, true, INSN_16},
	        {0xa09b, false, INSN_16}, {0xc09b, false, INSN_32}};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct emul e;

		setup(&e);
		fake_vcpu(cpu)->segs[SEG_CS].attr = rows[i].cs_attr;
		fake_vcpu(cpu)->regs[REG_EFER] = rows[i].lma ? EFER_LMA : 0;
		emul_begin(&e, cpu);
		ck_assert_int_eq(e.mode, rows[i].mode);
	}
}
END_TEST

/* The page after 4 GiB is page 0. */
START_TEST(operand_wraps_at_4g)
{
	struct emul_page page = {.va = EMUL_NO_PAGE};
	struct emul_operand op;
	struct emul e;

	setup(&e);
	ck_assert_int_eq(emul_translate(&e, &page, gva(0xfffffffe), 4, WALK_READ, &op), 0);
	ck_assert_uint_eq(op.gpa[0].v, 0xfffffffe);
	ck_assert_uint_eq(op.gpa[1].v, 0);
	ck_assert_uint_eq(op.len[0], 2);
	ck_assert_uint_eq(op.len[1], 2);
	ck_assert_uint_eq(page.va, 0); /* the page that is remembered */
}
END_TEST

START_TEST(registers)
{
	struct emul e;

	setup(&e);
	cpu->gpr[REG_RBX] = 0x1122334455667788ULL;
	ck_assert_uint_eq(emul_reg_get(cpu, REG_RBX, true) & 0xff, 0x77);
	emul_reg_set(cpu, REG_RBX, true, 1, 0xaabb);
	ck_assert_uint_eq(cpu->gpr[REG_RBX], 0x112233445566bb88ULL);
	emul_reg_set(cpu, REG_RBX, false, 2, ~0ULL);
	ck_assert_uint_eq(cpu->gpr[REG_RBX], 0x112233445566ffffULL);
	emul_reg_set(cpu, REG_RBX, false, 4, ~0ULL);
	ck_assert_uint_eq(cpu->gpr[REG_RBX], 0xffffffffULL);
	emul_reg_add(cpu, REG_RBX, 4, 2);
	ck_assert_uint_eq(cpu->gpr[REG_RBX], 1);
	emul_reg_add(cpu, REG_RBX, 2, -2);
	ck_assert_uint_eq(cpu->gpr[REG_RBX], 0xffff);
	emul_reg_add(cpu, REG_RBX, 8, -0x10000);
	ck_assert_uint_eq(cpu->gpr[REG_RBX], ~0ULL);
	emul_reg_set(cpu, REG_RSP, false, 8, 0x1234); /* lives in the back end */
	ck_assert_uint_eq(fake_vcpu(cpu)->regs[REG_RSP], 0x1234);
}
END_TEST

START_TEST(errors)
{
	struct emul e;

	setup(&e);
	ck_assert_int_eq(emul_fail(&e, -EIO), ACT_KILL);
	ck_assert_ptr_nonnull(cpu->kill_reason);
	e.fault = (struct walk_fault){.vector = X86_SS};
	ck_assert_int_eq(emul_fail(&e, -EFAULT), ACT_FAULT);
	ck_assert_uint_eq(cpu->pending.vector, X86_SS);
	ck_assert(cpu->pending.has_error);
}
END_TEST

/* What only looks like an overlay's page, by the bits that are kept of its number, is RAM. */
START_TEST(ram_and_nothing_else)
{
	struct emul e;
	struct guest_mem *mem;

	setup(&e);
	mem = &cpu->vm->mem;
	mem->overlays[0] = (struct gmem_overlay){.gpa = 0x50000, .writable = true};
	mem->n_overlays = 1;
	mem->overlay_filter = BIT64(0x50 % 64);
	ck_assert(!emul_is_ram(cpu, gpa(0x50000), 512));
	ck_assert(!emul_is_ram(cpu, gpa(0x50e00), 512));
	ck_assert(emul_is_ram(cpu, gpa(0x4fe00), 512));
	ck_assert(emul_is_ram(cpu, gpa(0x51000), 512));
	ck_assert(emul_is_ram(cpu, gpa(0x50000 + 64 * PAGE_SIZE), 512));
	ck_assert(!emul_is_ram(cpu, gpa(0x50000 + 512 * PAGE_SIZE), 512)); /* no RAM */
}
END_TEST

UNIT_MAIN("emul_mem", tcase_add_loop_test(tc, segment_checks, 0, ARRAY_SIZE(segs));
          tcase_add_test(tc, long_mode_addresses); tcase_add_test(tc, modes);
          tcase_add_test(tc, operand_wraps_at_4g); tcase_add_test(tc, registers);
          tcase_add_test(tc, errors); tcase_add_test(tc, ram_and_nothing_else);)
