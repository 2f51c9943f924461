/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two 32-bit tasks and two 16-bit ones in guest memory, the first one running: what test_task_*.c
 * have in common.
 */
#ifndef TESTS_TASK_WORLD_H
#define TESTS_TASK_WORLD_H

#include "tests/cpu_models.h"
#include "tests/unit.h"
#include "vmm/cpuid_policy.h"
#include "vmm/task_switch.h"
#include "vmm/tss.h"
#include <string.h>

#define GDT 0x1000ULL
#define LDT 0x2000ULL
#define TSS_A 0x3000ULL /* the old task's, 32-bit */
#define TSS_B 0x4000ULL /* 32-bit */
#define TSS_C 0x5000ULL /* 16-bit */
#define TSS_D 0x6000ULL /* 16-bit, busy */

#define STACK 0x9000U

enum {
	CODE0 = 0x08,
	DATA0 = 0x10,
	CODE3 = 0x18,
	DATA3 = 0x20,
	SEL_A = 0x28,
	SEL_B = 0x30,
	SEL_C = 0x38,
	SEL_D = 0x40,
	SEL_LDT = 0x48,
	CONFORMING0 = 0x50,
	CONFORMING3 = 0x58,
	NP_DATA = 0x60,
	NP_CODE = 0x68,
	EXEC_ONLY = 0x70,
	READ_ONLY = 0x78,
	NP_TSS = 0x80,
	SHORT_TSS32 = 0x88,
	SHORT_TSS16 = 0x90,
	NP_LDT = 0x98,
	SMALL_CODE = 0xa0,
	SMALL_STACK = 0xa8,
	DATA16 = 0xb0,
	SEL_BUSY_B = 0xb8,
	DOWN_STACK = 0xc0,
	NP_BUSY_TSS = 0xc8,
	FRESH_DATA = 0xd0, /* not yet accessed */
	FRESH_CODE = 0xd8,
	GDT_END = 0xe0,
};

static struct vm *vm;
static struct vcpu *vcpu;
static struct fake_vcpu *f;
static struct vcpu_exit ex;

static inline void put(uint64_t at, const void *data, size_t len)
{
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(at), data, len), 0);
}

static inline void get(uint64_t at, void *data, size_t len)
{
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), data, len), 0);
}

static inline void put16(uint64_t at, uint16_t v)
{
	put(at, &v, 2);
}

static inline void put32(uint64_t at, uint32_t v)
{
	put(at, &v, 4);
}

static inline uint16_t get16(uint64_t at)
{
	uint16_t v;

	get(at, &v, 2);
	return v;
}

static inline uint32_t get32(uint64_t at)
{
	uint32_t v;

	get(at, &v, 4);
	return v;
}

static inline uint8_t access_of(unsigned selector)
{
	uint8_t v;

	get(GDT + selector + 5, &v, 1);
	return v;
}

static inline void descriptor(uint64_t at, uint32_t base, uint32_t limit, uint16_t attr)
{
	uint64_t raw = (uint64_t)(base >> 24) << 56 | (uint64_t)(attr & 0xf000) << 40 |
	               (uint64_t)(limit >> 16) << 48 | (uint64_t)(attr & 0xff) << 40 |
	               (uint64_t)(base & 0xffffff) << 16 | (limit & 0xffff);

	put(at, &raw, 8);
}

static inline void make_gdt(void)
{
	static const struct {
		uint8_t selector;
		uint32_t base, limit;
		uint16_t attr;
	} rows[] = {
	        {CODE0, 0, 0xfffff, 0xc09b},
	        {DATA0, 0, 0xfffff, 0xc093},
	        {CODE3, 0, 0xfffff, 0xc0fb},
	        {DATA3, 0, 0xfffff, 0xc0f3},
	        {SEL_A, TSS_A, 0x67, 0x8b},
	        {SEL_B, TSS_B, 0x67, 0x89},
	        {SEL_C, TSS_C, 0x2b, 0x81},
	        {SEL_D, TSS_D, 0x2b, 0x83},
	        {SEL_LDT, LDT, 0x1f, 0x82},
	        {CONFORMING0, 0, 0xfffff, 0xc09f},
	        {CONFORMING3, 0, 0xfffff, 0xc0ff},
	        {NP_DATA, 0, 0xfffff, 0xc013},
	        {NP_CODE, 0, 0xfffff, 0xc01b},
	        {EXEC_ONLY, 0, 0xfffff, 0xc099},
	        {READ_ONLY, 0, 0xfffff, 0xc091},
	        {NP_TSS, TSS_B, 0x67, 0x09},
	        {SHORT_TSS32, TSS_B, 0x66, 0x89},
	        {SHORT_TSS16, TSS_C, 0x2a, 0x81},
	        {NP_LDT, LDT, 0x1f, 0x02},
	        {SMALL_CODE, 0, 0xffff, 0x409b},
	        {SMALL_STACK, 0, 0x8fff, 0x4093},
	        {DATA16, 0x10000, 0xffff, 0x0093},
	        {SEL_BUSY_B, TSS_B, 0x67, 0x8b},
	        {DOWN_STACK, 0, 0x8fff, 0x4097},
	        {NP_BUSY_TSS, TSS_B, 0x67, 0x0b},
	        {FRESH_DATA, 0x12345000, 0xfffff, 0xc092},
	        {FRESH_CODE, 0, 0xfffff, 0xc09a},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		descriptor(GDT + rows[i].selector, rows[i].base, rows[i].limit, rows[i].attr);
	}
	descriptor(LDT + 8, 0x700, 0xfffff, 0xc093);
	descriptor(LDT + 16, 0x800, 0xfffff, 0xc0f3);
}

static inline struct tss32 new_tss(void)
{
	return (struct tss32){
	        .link = 0xdead,
	        .cr3 = 0xabcd000,
	        .eip = 0x8000,
	        .eflags = 0xffbc8228 | RFLAGS_IF, /* reserved bits, too; no VM */
	        .gpr = {0xb0, 0xb1, 0xb2, 0xb3, STACK, 0xb5, 0xb6, 0xb7},
	        .seg = {{DATA0, 0xffff}, {CODE0, 0xffff}, {DATA0, 0xffff}, {DATA0, 0xffff},
	                {DATA0, 0xffff}, {DATA0, 0xffff}},
	};
}

static inline void setup(void)
{
	struct virt_caps caps = cpu_model_caps();
	struct tss32 b = new_tss();
	const struct tss16 c = {
	        .link = 0xdead,
	        .ip = 0x7000,
	        .flags = 0x0246 | RFLAGS_NT,
	        .gpr = {0xc0, 0xc1, 0xc2, 0xc3, 0x8ff0, 0xc5, 0xc6, 0xc7},
	        .seg = {DATA16, CODE0, DATA16, DATA0},
	};

	cpu_model_skylake_x();
	cpuid_policy_init(&caps, 0, 0);
	vm = fake_vm(SIZE_2M, 1);
	vcpu = vm->vcpus[0];
	f = fake_vcpu(vcpu);
	make_gdt();
	put(TSS_B, &b, sizeof(b));
	put(TSS_C, &c, sizeof(c));
	put(TSS_D, &c, sizeof(c));
	f->tables[0] = (struct desc_table){.base = GDT, .limit = GDT_END - 1};
	f->regs[REG_CR0] = CR0_PE | CR0_ET;
	f->regs[REG_CR3] = 0x7000;
	f->regs[REG_RIP] = 0x1234;
	f->regs[REG_RFLAGS] = 0x3202;
	f->regs[REG_DR7] = 0x7ff;
	f->regs[REG_RSP] = 0xa4;
	f->regs[REG_DEBUGCTL] = 2;
	for (unsigned i = 0; i < 8; i++) {
		vcpu->gpr[i] = 0xffffffff00000000 | 0xa0 | i;
	}
	vcpu->gpr[REG_RSP] = 0x5555; /* nobody's */
	for (unsigned i = 0; i < SEG_LDTR; i++) {
		f->segs[i] = (struct segment){
		        .limit = 0xffffffff, .attr = 0xc093, .selector = (uint16_t)(0xa8 + i)};
	}
	f->segs[SEG_CS].attr = 0xc09b;
	f->segs[SEG_LDTR] =
	        (struct segment){.base = 0x1800, .limit = 0xff, .attr = 0x82, .selector = 0x99};
	f->segs[SEG_TR] =
	        (struct segment){.base = TSS_A, .limit = 0x67, .attr = 0x8b, .selector = SEL_A};
	fake_dr[6] = 0xffff0ff0;
	fake_cr2 = 0;
	ex = (struct vcpu_exit){.kind = EXIT_TASK_SWITCH, .task.insn_len = 7};
}

static inline enum exit_action run(enum task_source source, uint16_t selector)
{
	ex.task.source = source;
	ex.task.selector = selector;
	return vcpu_exit_dispatch(vcpu, &ex);
}

static inline void pend(enum event_type type, uint8_t vector, bool has_error, uint32_t error)
{
	vcpu->pending = (struct event){.type = type,
	        .vector = vector,
	        .insn_len = 2,
	        .has_error = has_error,
	        .error = error};
}

static inline void check_fault(const char *what, int vector, uint32_t error)
{
	const struct event *e = &vcpu->pending;

	ck_assert_msg(e->type == EVENT_EXCEPTION && e->vector == vector && e->error == error &&
	                      e->has_error,
	        "%s: event %d vector %u error 0x%x, want %d 0x%x", what, e->type, e->vector,
	        e->error, vector, error);
}

static inline void check_in_new(const char *what, uint16_t selector)
{
	ck_assert_msg(f->segs[SEG_TR].selector == selector, "%s: TR", what);
	ck_assert_msg(f->regs[REG_CR0] & CR0_TS, "%s: TS", what);
	ck_assert_uint_eq(f->regs[REG_RIP], selector == SEL_C ? 0x7000 : 0x8000);
}

/* As before the instruction: what the guest can see of it. */
static inline void check_in_old(const char *what)
{
	ck_assert_msg(f->segs[SEG_TR].selector == SEL_A, "%s: TR", what);
	ck_assert_msg(!(f->regs[REG_CR0] & CR0_TS), "%s: TS", what);
	ck_assert_msg(f->regs[REG_RIP] == 0x1234, "%s: RIP", what);
	ck_assert_uint_eq(f->regs[REG_CR3], 0x7000);
	ck_assert_uint_eq(f->regs[REG_RSP], 0xa4);
	ck_assert_uint_eq(f->regs[REG_RFLAGS], 0x3202);
	ck_assert_uint_eq(f->segs[SEG_CS].selector, 0xa9);
	ck_assert_uint_eq(f->segs[SEG_LDTR].selector, 0x99);
	ck_assert_msg(access_of(SEL_A) == 0x8b, "%s: old busy flag", what);
	ck_assert_msg(access_of(SEL_B) == 0x89, "%s: new busy flag", what);
	ck_assert_uint_eq(get16(TSS_B), 0xdead);
}

static const struct {
	uint16_t ss;
	uint32_t esp;
	bool ok;
} stacks[] = {
        {SMALL_STACK, 0x9000, true}, {SMALL_STACK, 0x9001, false},
        {SMALL_STACK, 0x3, false}, /* wraps */
        {DOWN_STACK, 0x9004, true}, {DOWN_STACK, 0x9003, false},
        {DATA0, 0, false}, /* the top of memory is no RAM, but within the limit: killed */
};

#endif
