// SPDX-License-Identifier: BSD-2-Clause
// Hardware task switches: each source, each check, each size of TSS, what memory holds after them.
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
#define PAGE_DIR 0x10000ULL
#define PDPT 0x20000ULL
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

static void put(uint64_t at, const void *data, size_t len)
{
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(at), data, len), 0);
}

static void get(uint64_t at, void *data, size_t len)
{
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), data, len), 0);
}

static void put16(uint64_t at, uint16_t v)
{
	put(at, &v, 2);
}

static void put32(uint64_t at, uint32_t v)
{
	put(at, &v, 4);
}

static uint16_t get16(uint64_t at)
{
	uint16_t v;

	get(at, &v, 2);
	return v;
}

static uint32_t get32(uint64_t at)
{
	uint32_t v;

	get(at, &v, 4);
	return v;
}

static uint8_t access_of(unsigned selector)
{
	uint8_t v;

	get(GDT + selector + 5, &v, 1);
	return v;
}

static void descriptor(uint64_t at, uint32_t base, uint32_t limit, uint16_t attr)
{
	uint64_t raw = (uint64_t)(base >> 24) << 56 | (uint64_t)(attr & 0xf000) << 40 |
	               (uint64_t)(limit >> 16) << 48 | (uint64_t)(attr & 0xff) << 40 |
	               (uint64_t)(base & 0xffffff) << 16 | (limit & 0xffff);

	put(at, &raw, 8);
}

static void make_gdt(void)
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

static struct tss32 new_tss(void)
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

static void setup(void)
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
	ex = (struct vcpu_exit){.kind = EXIT_TASK_SWITCH, .insn_len = 7};
}

static enum exit_action run(enum task_source source, uint16_t selector)
{
	ex.task.source = source;
	ex.task.selector = selector;
	return vcpu_exit_dispatch(vcpu, &ex);
}

static void pend(enum event_type type, uint8_t vector, bool has_error, uint32_t error)
{
	vcpu->pending = (struct event){.type = type,
	        .vector = vector,
	        .insn_len = 2,
	        .has_error = has_error,
	        .error = error};
}

static void check_fault(const char *what, int vector, uint32_t error)
{
	const struct event *e = &vcpu->pending;

	ck_assert_msg(e->type == EVENT_EXCEPTION && e->vector == vector && e->error == error &&
	                      e->has_error,
	        "%s: event %d vector %u error 0x%x, want %d 0x%x", what, e->type, e->vector,
	        e->error, vector, error);
}

static void check_in_new(const char *what, uint16_t selector)
{
	ck_assert_msg(f->segs[SEG_TR].selector == selector, "%s: TR", what);
	ck_assert_msg(f->regs[REG_CR0] & CR0_TS, "%s: TS", what);
	ck_assert_uint_eq(f->regs[REG_RIP], selector == SEL_C ? 0x7000 : 0x8000);
}

/* As before the instruction: what the guest can see of it. */
static void check_in_old(const char *what)
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

/* --- what a switch does --- */

static void check_saved32(uint64_t at, uint32_t eip, uint32_t eflags)
{
	struct tss32 t;

	get(at, &t, sizeof(t));
	ck_assert_uint_eq(t.eip, eip);
	ck_assert_uint_eq(t.eflags, eflags);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_uint_eq(t.gpr[i], 0xa0 | i);
	}
	for (unsigned i = 0; i < 6; i++) {
		ck_assert_uint_eq(t.seg[i].value, 0xa8 + i);
	}
	/* The rest is not a switch's. */
	ck_assert_uint_eq(t.cr3, 0x55555555);
	ck_assert_uint_eq(t.stacks[5], 0x55555555);
	ck_assert_uint_eq(t.ldt.value, 0x5555);
	ck_assert_uint_eq(t.trap, 0x5555);
}

static void check_loaded_b(uint64_t eflags)
{
	ck_assert_uint_eq(f->regs[REG_RIP], 0x8000);
	ck_assert_uint_eq(f->regs[REG_RFLAGS], eflags);
	ck_assert_uint_eq(f->regs[REG_RSP], STACK);
	ck_assert_uint_eq(vcpu->gpr[REG_RSP], 0x5555);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_uint_eq(vcpu_reg_get(vcpu, i), i == REG_RSP ? STACK : 0xb0 | i);
	}
	ck_assert_uint_eq(f->regs[REG_CR3], 0x7000); /* no paging */
	ck_assert_uint_eq(f->regs[REG_CR0], CR0_PE | CR0_ET | CR0_TS);
	ck_assert_uint_eq(f->regs[REG_DR7], 0x7ff & ~0x155U);
	ck_assert_uint_eq(f->segs[SEG_TR].base, TSS_B);
	ck_assert_uint_eq(f->segs[SEG_TR].limit, 0x67);
	ck_assert_uint_eq(f->segs[SEG_TR].attr, 0x8b);
	ck_assert(f->segs[SEG_LDTR].unusable);
	for (unsigned i = 0; i < SEG_LDTR; i++) {
		ck_assert_uint_eq(f->segs[i].selector, i == SEG_CS ? CODE0 : DATA0);
		ck_assert_uint_eq(f->segs[i].attr, i == SEG_CS ? 0xc09b : 0xc093);
		ck_assert_uint_eq(f->segs[i].limit, 0xffffffff);
		ck_assert_uint_eq(f->segs[i].base, 0);
		ck_assert(!f->segs[i].unusable);
	}
	ck_assert_int_eq(vcpu->pending.type, EVENT_NONE);
}

#define NEW_EFLAGS (((0xffbc8228 | RFLAGS_IF) & 0x3f7fd7) | 2)

static const struct {
	const char *what;
	enum task_source source;
	enum event_type event;
	uint16_t selector;
	bool nest, old_busy;
	uint32_t eip;
	bool nt_saved;
} sources[] = {
        {"CALL", TASK_CALL, EVENT_NONE, SEL_B | 3, true, true, 0x123b, true},
        {"JMP", TASK_JMP, EVENT_NONE, SEL_B, false, false, 0x123b, true},
        {"IRET", TASK_IRET, EVENT_NONE, SEL_BUSY_B, false, false, 0x123b, false},
        {"INT n", TASK_IDT_GATE, EVENT_SOFT_INTERRUPT, SEL_B, true, true, 0x1236, true},
        {"INT3", TASK_IDT_GATE, EVENT_SOFT_EXCEPTION, SEL_B, true, true, 0x1236, true},
        {"INT1", TASK_IDT_GATE, EVENT_PRIV_SOFT_EXCEPTION, SEL_B, true, true, 0x1236, true},
        {"exception", TASK_IDT_GATE, EVENT_EXCEPTION, SEL_B, true, true, 0x1234, true},
        {"interrupt", TASK_IDT_GATE, EVENT_EXTINT, SEL_B, true, true, 0x1234, true},
        {"NMI", TASK_IDT_GATE, EVENT_NMI, SEL_B, true, true, 0x1234, true},
};

START_TEST(each_source)
{
	uint8_t fill[0x68];

	memset(fill, 0x55, sizeof(fill));
	put(TSS_A, fill, sizeof(fill));
	f->regs[REG_RFLAGS] |= RFLAGS_NT;
	f->intr_shadow = true;
	f->nmi_blocked = sources[_i].source == TASK_IRET;
	pend(sources[_i].event, 6, false, 0);
	ck_assert_int_eq(run(sources[_i].source, sources[_i].selector), ACT_RESUME);
	check_saved32(TSS_A, sources[_i].eip, sources[_i].nt_saved ? 0x7202 : 0x3202);
	check_loaded_b(NEW_EFLAGS | (sources[_i].nest ? RFLAGS_NT : 0));
	ck_assert_uint_eq(get16(TSS_A), 0x5555);
	ck_assert_uint_eq(get16(TSS_B), sources[_i].nest ? SEL_A : 0xdead);
	ck_assert_uint_eq(get16(TSS_B + 2), 0);
	ck_assert_uint_eq(access_of(SEL_A), sources[_i].old_busy ? 0x8b : 0x89);
	ck_assert_uint_eq(access_of(sources[_i].selector & 0xf8), 0x8b);
	ck_assert_uint_eq(f->segs[SEG_TR].selector, sources[_i].selector);
	ck_assert(!f->intr_shadow);
	ck_assert_uint_eq(f->skipped_len, 0);
	ck_assert(f->nmi_blocked == (sources[_i].event == EVENT_NMI));
	ck_assert_uint_eq(fake_dr[6], 0xffff0ff0);
}
END_TEST

START_TEST(nested_call_and_return)
{
	struct vcpu before = *vcpu;
	struct fake_vcpu f_before = *f;
	struct tss32 a = new_tss();

	/* Registers the old task can have, so that its image loads again. */
	put(TSS_A, &a, sizeof(a));
	for (unsigned i = 0; i < SEG_LDTR; i++) {
		f->segs[i].selector = i == SEG_CS ? CODE0 : DATA0;
	}
	put16(TSS_A + 0x60, SEL_LDT);
	ck_assert_int_eq(run(TASK_CALL, SEL_B), ACT_RESUME);
	ck_assert(f->regs[REG_RFLAGS] & RFLAGS_NT);
	ex.insn_len = 1;
	ck_assert_int_eq(run(TASK_IRET, get16(TSS_B)), ACT_RESUME);
	ck_assert_uint_eq(get32(TSS_B + 0x20), 0x8001);
	ck_assert_uint_eq(get32(TSS_B + 0x24), NEW_EFLAGS & ~RFLAGS_NT);
	ck_assert_uint_eq(f->regs[REG_RIP], 0x1234 + 7);
	ck_assert_uint_eq(f->regs[REG_RFLAGS], f_before.regs[REG_RFLAGS]);
	ck_assert_uint_eq(f->regs[REG_RSP], 0xa4);
	ck_assert_uint_eq(vcpu->gpr[REG_RDI], (uint32_t)before.gpr[REG_RDI]);
	ck_assert_uint_eq(f->segs[SEG_LDTR].selector, SEL_LDT);
	ck_assert_uint_eq(f->segs[SEG_LDTR].base, LDT);
	ck_assert_uint_eq(f->segs[SEG_LDTR].limit, 0x1f);
	ck_assert(!f->segs[SEG_LDTR].unusable);
	ck_assert_uint_eq(access_of(SEL_A), 0x8b);
	ck_assert_uint_eq(access_of(SEL_B), 0x89);
	/* And once more: nothing is worn out. */
	ck_assert_int_eq(run(TASK_CALL, SEL_B), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_RIP], 0x8001);
}
END_TEST

START_TEST(to_a_16_bit_task)
{
	fake_dr[6] = 0xffff0ff0;
	put16(TSS_C + 0x2c, 0xffff); /* behind its end: no T flag there */
	ck_assert_int_eq(run(TASK_JMP, SEL_C), ACT_RESUME);
	check_in_new("16 bit", SEL_C);
	ck_assert_uint_eq(f->regs[REG_RFLAGS], 0x4246);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_uint_eq(vcpu_reg_get(vcpu, i), i == REG_RSP ? 0x8ff0 : 0xc0 | i);
	}
	ck_assert_uint_eq(f->segs[SEG_TR].attr, 0x83);
	ck_assert_uint_eq(f->segs[SEG_ES].selector, DATA16);
	ck_assert_uint_eq(f->segs[SEG_CS].selector, CODE0);
	ck_assert_uint_eq(f->segs[SEG_SS].base, 0x10000);
	ck_assert_uint_eq(f->segs[SEG_DS].selector, DATA0);
	ck_assert(f->segs[SEG_FS].unusable && f->segs[SEG_FS].selector == 0);
	ck_assert(f->segs[SEG_GS].unusable && f->segs[SEG_GS].selector == 0);
	ck_assert_uint_eq(access_of(SEL_C), 0x83);
	ck_assert_uint_eq(access_of(SEL_A), 0x89);
}
END_TEST

START_TEST(from_a_16_bit_task)
{
	uint8_t fill[0x40];
	struct tss16 t;

	memset(fill, 0x55, sizeof(fill));
	put(TSS_D, fill, sizeof(fill));
	f->segs[SEG_TR] =
	        (struct segment){.base = TSS_D, .limit = 0x2b, .attr = 0x83, .selector = SEL_D};
	f->regs[REG_RIP] = 0x54321;
	f->regs[REG_RFLAGS] = 0x13202;
	ck_assert_int_eq(run(TASK_CALL, SEL_B), ACT_RESUME);
	get(TSS_D, &t, sizeof(t));
	ck_assert_uint_eq(t.link, 0x5555);
	ck_assert_uint_eq(t.stacks[5], 0x5555);
	ck_assert_uint_eq(t.ip, 0x4328);
	ck_assert_uint_eq(t.flags, 0x3202);
	for (unsigned i = 0; i < 8; i++) {
		ck_assert_uint_eq(t.gpr[i], 0xa0 | i);
	}
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(t.seg[i], 0xa8 + i);
	}
	ck_assert_uint_eq(t.ldt, 0x5555);
	ck_assert_uint_eq(get16(TSS_D + 0x2c), 0x5555);
	ck_assert_uint_eq(get16(TSS_B), SEL_D);
	ck_assert_uint_eq(access_of(SEL_D), 0x83);
	/* Back again: its saved image, with LDT 0x5554 being none. */
	put16(TSS_D + 0x2a, 0);
	put16(TSS_D + 0x22, DATA0);
	put16(TSS_D + 0x24, CODE0);
	put16(TSS_D + 0x26, DATA0);
	put16(TSS_D + 0x28, 0);
	ck_assert_int_eq(run(TASK_IRET, SEL_D), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_RIP], 0x4328);
	ck_assert(f->segs[SEG_DS].unusable);
	ck_assert_uint_eq(access_of(SEL_D), 0x83);
	ck_assert_uint_eq(access_of(SEL_B), 0x89);
}
END_TEST

/* A task that returns to itself reads what it just saved. */
START_TEST(to_itself)
{
	for (unsigned i = 0; i < SEG_LDTR; i++) {
		f->segs[i].selector = i == SEG_CS ? CODE0 : DATA0;
	}
	f->regs[REG_RFLAGS] |= RFLAGS_NT;
	ck_assert_int_eq(run(TASK_IRET, SEL_A), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_RIP], 0x1234 + 7);
	ck_assert_uint_eq(f->regs[REG_RFLAGS], 0x3202);
	ck_assert_uint_eq(vcpu->gpr[REG_RCX], 0xa1);
}
END_TEST

START_TEST(virtual_8086_task)
{
	static const uint16_t selectors[] = {0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0xffff};
	struct tss32 t = new_tss();

	t.eflags = 0x23202;
	t.eip = 0x8000;
	t.ldt.value = SEL_LDT;
	for (unsigned i = 0; i < 6; i++) {
		t.seg[i].value = selectors[i];
	}
	put(TSS_B, &t, sizeof(t));
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
	check_in_new("v86", SEL_B);
	ck_assert_uint_eq(f->regs[REG_RFLAGS], 0x23202);
	for (unsigned i = 0; i < 6; i++) {
		ck_assert_uint_eq(f->segs[i].selector, selectors[i]);
		ck_assert_uint_eq(f->segs[i].base, (uint32_t)selectors[i] << 4);
		ck_assert_uint_eq(f->segs[i].limit, 0xffff);
		ck_assert_uint_eq(f->segs[i].attr, 0xf3);
		ck_assert(!f->segs[i].unusable);
	}
	ck_assert_uint_eq(f->segs[SEG_LDTR].selector, SEL_LDT);
	ck_assert(!f->segs[SEG_LDTR].unusable);
	/* From it by an interrupt: its flags and paragraphs are saved. */
	f->segs[SEG_TR].selector = SEL_B;
	descriptor(GDT + SEL_A, TSS_A, 0x67, 0x89);
	t = new_tss();
	put(TSS_A, &t, sizeof(t));
	pend(EVENT_EXTINT, 0x20, false, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_A), ACT_RESUME);
	ck_assert_uint_eq(get32(TSS_B + 0x24), 0x23202);
	ck_assert_uint_eq(get16(TSS_B + 0x5c), 0xffff);
	ck_assert(!(f->regs[REG_RFLAGS] & RFLAGS_VM));
}
END_TEST

/* Its LDT is checked though it has no use for it; an EIP beyond 64 KiB is outside CS. */
START_TEST(virtual_8086_faults)
{
	struct tss32 t = new_tss();

	t.eflags = 0x23202;
	t.ldt.value = SEL_B;
	put(TSS_B, &t, sizeof(t));
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("v86 LDT", X86_TS, SEL_B);
	ck_assert_uint_eq(f->segs[SEG_SS].attr, 0xf3);
	setup();
	t.ldt.value = 0;
	t.eip = 0x10000;
	put(TSS_B, &t, sizeof(t));
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("v86 EIP", X86_GP, 0);
	setup();
	t.eip = 0xffff;
	put(TSS_B, &t, sizeof(t));
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
}
END_TEST

START_TEST(user_task)
{
	struct tss32 t = new_tss();

	for (unsigned i = 0; i < 6; i++) {
		t.seg[i].value = i == SEG_CS ? CODE3 | 3 : DATA3 | 3;
	}
	t.seg[SEG_GS].value = 3;           /* null, with an RPL */
	t.seg[SEG_FS].value = CONFORMING0; /* readable by everybody */
	t.seg[SEG_DS].value = 16 | 4 | 3;  /* in the LDT */
	t.ldt.value = SEL_LDT;
	put(TSS_B, &t, sizeof(t));
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
	ck_assert_uint_eq(vcpu_cpl(vcpu), 3);
	ck_assert_uint_eq(f->segs[SEG_CS].attr, 0xc0fb);
	ck_assert(f->segs[SEG_GS].unusable);
	ck_assert_uint_eq(f->segs[SEG_GS].selector, 3);
	ck_assert_uint_eq(f->segs[SEG_FS].attr, 0xc09f);
	ck_assert_uint_eq(f->segs[SEG_DS].base, 0x800);
	/* The processor's own accesses are the supervisor's still. */
	ck_assert_int_eq(run(TASK_JMP, SEL_C), ACT_RESUME);
	ck_assert_uint_eq(vcpu_cpl(vcpu), 0);
}
END_TEST

START_TEST(accessed_flags)
{
	put16(TSS_B + 0x48 + 4 * SEG_ES, FRESH_DATA);
	put16(TSS_B + 0x48 + 4 * SEG_CS, FRESH_CODE);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
	ck_assert_uint_eq(access_of(FRESH_DATA), 0x93);
	ck_assert_uint_eq(access_of(FRESH_CODE), 0x9b);
	ck_assert_uint_eq(f->segs[SEG_ES].attr, 0xc093);
	ck_assert_uint_eq(f->segs[SEG_ES].base, 0x12345000);
	ck_assert_uint_eq(f->segs[SEG_CS].attr, 0xc09b);
}
END_TEST

START_TEST(trap_flag)
{
	put16(TSS_B + 0x64, 0xfffe);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
	setup();
	put16(TSS_B + 0x64, 1);
	f->regs[REG_DR7] = 0x27ff;
	fake_dr[6] = 0xffff0ff1;
	pend(EVENT_EXCEPTION, X86_GP, true, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_B), ACT_FAULT);
	check_in_new("T", SEL_B);
	/* Not a double fault: the first one is delivered. */
	ck_assert_int_eq(vcpu->pending.type, EVENT_EXCEPTION);
	ck_assert_uint_eq(vcpu->pending.vector, X86_DB);
	ck_assert(!vcpu->pending.has_error);
	ck_assert_uint_eq(fake_dr[6], 0xffff8ff0);
	ck_assert_uint_eq(f->regs[REG_DR7], 0x27ff & ~0x2155U);
	ck_assert_uint_eq(f->regs[REG_DEBUGCTL], 0);
	ck_assert_uint_eq(f->segs[SEG_GS].selector, DATA0);
}
END_TEST

/* --- checks while the old task still runs --- */

static const struct {
	const char *what;
	enum task_source source;
	uint16_t selector;
	uint8_t vector;
	uint16_t error;
} refused[] = {
        {"null", TASK_JMP, 0, X86_GP, 0},
        {"null with RPL", TASK_CALL, 3, X86_GP, 0},
        {"null, back", TASK_IRET, 2, X86_TS, 0},
        {"in the LDT", TASK_JMP, SEL_B | 4, X86_GP, SEL_B | 4},
        {"in the LDT, back", TASK_IRET, SEL_BUSY_B | 4, X86_TS, SEL_BUSY_B | 4},
        {"beyond the GDT", TASK_CALL, GDT_END | 1, X86_GP, GDT_END},
        {"beyond the GDT, back", TASK_IRET, GDT_END, X86_TS, GDT_END},
        {"far beyond", TASK_CALL, 0xfffb, X86_GP, 0xfff8},
        {"busy", TASK_JMP, SEL_BUSY_B, X86_GP, SEL_BUSY_B},
        {"busy, 16 bit", TASK_CALL, SEL_D, X86_GP, SEL_D},
        {"itself", TASK_CALL, SEL_A, X86_GP, SEL_A},
        {"not busy, back", TASK_IRET, SEL_B, X86_TS, SEL_B},
        {"not busy, 16 bit, back", TASK_IRET, SEL_C, X86_TS, SEL_C},
        {"an LDT", TASK_JMP, SEL_LDT, X86_GP, SEL_LDT},
        {"an LDT, back", TASK_IRET, SEL_LDT, X86_TS, SEL_LDT},
        {"code", TASK_JMP, EXEC_ONLY, X86_GP, EXEC_ONLY},
        {"data", TASK_JMP, READ_ONLY, X86_GP, READ_ONLY},
        {"code, back", TASK_IRET, CODE0, X86_TS, CODE0},
        {"not present", TASK_CALL, NP_TSS | 2, X86_NP, NP_TSS},
        {"not present, back", TASK_IRET, NP_BUSY_TSS, X86_NP, NP_BUSY_TSS},
        {"short", TASK_JMP, SHORT_TSS32, X86_TS, SHORT_TSS32},
        {"short, 16 bit", TASK_JMP, SHORT_TSS16, X86_TS, SHORT_TSS16},
};

START_TEST(refused_selectors)
{
	uint16_t attr = refused[_i].source == TASK_IRET ? 0x8b : 0x89;

	/* Where a selector that is refused unseen would lead: to a task. */
	descriptor(GDT, TSS_B, 0x67, attr);
	descriptor(f->segs[SEG_LDTR].base + SEL_B, TSS_B, 0x67, attr);
	descriptor(f->segs[SEG_LDTR].base + SEL_BUSY_B, TSS_B, 0x67, attr);
	ck_assert_int_eq(run(refused[_i].source, refused[_i].selector), ACT_FAULT);
	check_fault(refused[_i].what, refused[_i].vector, refused[_i].error);
	check_in_old(refused[_i].what);
	if (refused[_i].source != TASK_CALL) {
		return;
	}
	/* By a gate of the IDT: EXT, unless an instruction asked for it. */
	vcpu->pending.type = EVENT_NONE;
	pend(EVENT_EXTINT, 0x20, false, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, refused[_i].selector), ACT_FAULT);
	check_fault(refused[_i].what, refused[_i].vector, refused[_i].error | 1);
	pend(EVENT_PRIV_SOFT_EXCEPTION, 1, false, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, refused[_i].selector), ACT_FAULT);
	check_fault(refused[_i].what, refused[_i].vector, refused[_i].error | 1);
	pend(EVENT_SOFT_INTERRUPT, 0x80, false, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, refused[_i].selector), ACT_FAULT);
	check_fault(refused[_i].what, refused[_i].vector, refused[_i].error);
	pend(EVENT_SOFT_EXCEPTION, 3, false, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, refused[_i].selector), ACT_FAULT);
	check_fault(refused[_i].what, refused[_i].vector, refused[_i].error);
	check_in_old(refused[_i].what);
}
END_TEST

/* What the delivery of a fault cannot deliver becomes a double fault, and that the end. */
START_TEST(refused_deliveries)
{
	pend(EVENT_EXCEPTION, X86_GP, true, 0x50);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_BUSY_B), ACT_FAULT);
	check_fault("double", X86_DF, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_BUSY_B), ACT_SHUTDOWN);
	check_in_old("triple");
	pend(EVENT_NMI, X86_NMI, false, 0);
	f->nmi_blocked = false;
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_BUSY_B), ACT_FAULT);
	ck_assert(f->nmi_blocked);
	ck_assert_int_eq(run(TASK_IRET, SEL_B), ACT_FAULT);
	ck_assert(!f->nmi_blocked);
}
END_TEST

START_TEST(old_tss_too_short)
{
	f->segs[SEG_TR].limit = 0x66;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("32 bit", X86_TS, SEL_A);
	check_in_old("32 bit");
	f->segs[SEG_TR].limit = 0x2b;
	f->segs[SEG_TR].attr = 0x83;
	vcpu->pending.type = EVENT_NONE;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
	setup();
	f->segs[SEG_TR].limit = 0x2a;
	f->segs[SEG_TR].attr = 0x83;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("16 bit", X86_TS, SEL_A);
	/* Its descriptor is gone: only who has to clear its busy flag cares. */
	setup();
	f->segs[SEG_TR].selector = GDT_END;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("no descriptor", X86_TS, GDT_END);
	ck_assert_uint_eq(access_of(SEL_B), 0x89);
	vcpu->pending.type = EVENT_NONE;
	ck_assert_int_eq(run(TASK_CALL, SEL_B), ACT_RESUME);
}
END_TEST

START_TEST(tables_outside_ram)
{
	f->tables[0].base = 0xfffff000;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_KILL);
	ck_assert_ptr_nonnull(vcpu->kill_reason);
	setup();
	f->segs[SEG_TR].base = 0xfffff000;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_KILL);
	setup();
	descriptor(GDT + SEL_B, 0xfffff000, 0x67, 0x89);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_KILL);
	check_in_old("outside");
}
END_TEST

START_TEST(modes_without_tasks)
{
	f->regs[REG_CR0] = CR0_ET;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_KILL);
	f->regs[REG_CR0] = CR0_PE | CR0_PG | CR0_ET;
	f->regs[REG_EFER] = EFER_LMA | EFER_LME;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_KILL);
	ck_assert_str_eq(vcpu->kill_reason, "task switch in a mode that has none");
	ck_assert_uint_eq(access_of(SEL_B), 0x89);
}
END_TEST

/* --- checks in the new task --- */

#define LDT_FIELD SEG_LDTR
#define USER BIT(16) /* with CS and SS of CPL 3 */

static const struct {
	const char *what;
	uint32_t field;
	uint16_t selector;
	int vector; /* -1: none */
} loads[] = {
        {"LDT in the LDT", LDT_FIELD, 12, X86_TS},
        {"LDT beyond", LDT_FIELD, GDT_END, X86_TS},
        {"LDT of another type", LDT_FIELD, SEL_C, X86_TS},
        {"LDT as data", LDT_FIELD, FRESH_DATA, X86_TS},
        {"LDT not present", LDT_FIELD, NP_LDT, X86_TS},
        {"LDT with RPL", LDT_FIELD, SEL_LDT | 3, -1},
        {"LDT null", LDT_FIELD, 3, -1},
        {"SS null", SEG_SS, 0, X86_TS},
        {"SS null, user", SEG_SS | USER, 3, X86_TS},
        {"SS beyond", SEG_SS, GDT_END, X86_TS},
        {"SS without LDT", SEG_SS, 12, X86_TS},
        {"SS code", SEG_SS, CODE0, X86_TS},
        {"SS read-only", SEG_SS, READ_ONLY, X86_TS},
        {"SS system", SEG_SS, SEL_LDT, X86_TS},
        {"SS not present", SEG_SS, NP_DATA, X86_SS},
        {"SS DPL", SEG_SS, DATA3, X86_TS},
        {"SS DPL and RPL", SEG_SS, DATA3 | 3, X86_TS},
        {"SS RPL", SEG_SS, DATA0 | 1, X86_TS},
        {"SS DPL, user", SEG_SS | USER, DATA0, X86_TS},
        {"SS RPL, user", SEG_SS | USER, DATA3, X86_TS},
        {"SS expand-down", SEG_SS, DOWN_STACK, -1},
        {"CS null", SEG_CS, 0, X86_TS},
        {"CS beyond", SEG_CS, GDT_END, X86_TS},
        {"CS without LDT", SEG_CS, 12, X86_TS},
        {"CS data", SEG_CS, DATA0, X86_TS},
        {"CS system", SEG_CS, SEL_B, X86_TS},
        {"CS DPL", SEG_CS, CODE3, X86_TS},
        {"CS RPL, user", SEG_CS | USER, CODE0 | 3, X86_TS},
        {"CS not present", SEG_CS, NP_CODE, X86_NP},
        {"CS conforming", SEG_CS, CONFORMING0, -1},
        {"CS conforming, user", SEG_CS | USER, CONFORMING0 | 3, -1},
        {"CS conforming DPL", SEG_CS, CONFORMING3, X86_TS},
        {"CS conforming DPL, user", SEG_CS | USER, CONFORMING3 | 3, -1},
        {"CS execute-only", SEG_CS, EXEC_ONLY, -1},
        {"DS null", SEG_DS, 0, -1},
        {"DS beyond", SEG_DS, GDT_END | 3, X86_TS},
        {"ES beyond", SEG_ES, GDT_END, X86_TS},
        {"FS beyond", SEG_FS, GDT_END, X86_TS},
        {"GS beyond", SEG_GS, GDT_END, X86_TS},
        {"last of the GDT", SEG_GS, GDT_END - 8, -1},
        {"DS without LDT", SEG_DS, 12, X86_TS},
        {"DS execute-only", SEG_DS, EXEC_ONLY, X86_TS},
        {"DS system", SEG_DS, SEL_LDT, X86_TS},
        {"DS readable code", SEG_DS, CODE0, -1},
        {"DS read-only", SEG_DS, READ_ONLY, -1},
        {"DS not present", SEG_DS, NP_DATA, X86_NP},
        {"GS not present", SEG_GS, NP_DATA | 1, X86_NP},
        {"DS RPL", SEG_DS, DATA0 | 1, X86_TS},
        {"DS CPL", SEG_DS | USER, DATA0, X86_TS},
        {"DS code CPL", SEG_DS | USER, CODE0, X86_TS},
        {"DS code RPL", SEG_DS, CODE0 | 3, X86_TS},
        {"DS conforming", SEG_DS | USER, CONFORMING0 | 3, -1},
        {"DS of users", SEG_DS, DATA3 | 3, -1},
};

static void make_new(unsigned i)
{
	struct tss32 t = new_tss();
	uint32_t field = loads[i].field & ~USER;

	if (loads[i].field & USER) {
		for (unsigned s = 0; s < 6; s++) {
			t.seg[s].value = s == SEG_CS ? CODE3 | 3 : DATA3 | 3;
		}
	}
	/* Null selectors are not looked up, or they would find something. */
	descriptor(GDT, 0, 0xfffff,
	        field == LDT_FIELD ? 0x82
	        : field == SEG_CS  ? 0xc09b
	                           : (loads[i].field & USER ? 0xc0f3 : 0xc093));
	if (field == LDT_FIELD) {
		t.ldt.value = loads[i].selector;
	} else {
		t.seg[field].value = loads[i].selector;
	}
	put(TSS_B, &t, sizeof(t));
}

START_TEST(loaded_segments)
{
	const char *what = loads[_i].what;
	uint32_t field = loads[_i].field & ~USER;
	uint16_t error = loads[_i].selector & 0xfffc;
	enum exit_action action;

	make_new((unsigned)_i);
	action = run(TASK_CALL, SEL_B);
	check_in_new(what, SEL_B);
	ck_assert_uint_eq(f->segs[field].selector, loads[_i].selector);
	ck_assert_uint_eq(access_of(SEL_B), 0x8b);
	ck_assert_uint_eq(get16(TSS_B), SEL_A);
	if (loads[_i].vector < 0) {
		ck_assert_msg(action == ACT_RESUME, "%s: fault %u", what, vcpu->pending.vector);
		ck_assert(f->segs[field].unusable == (error == 0));
		return;
	}
	ck_assert_msg(action == ACT_FAULT, "%s: action %d", what, action);
	check_fault(what, loads[_i].vector, error);
	/* What the entry needs: a CS and an SS of one level; nothing that was not checked. */
	ck_assert(!f->segs[SEG_CS].unusable);
	ck_assert_uint_eq(f->segs[SEG_CS].attr & 0x9a, 0x9a);
	ck_assert_uint_eq(vcpu_cpl(vcpu), f->segs[SEG_CS].selector & 3);
	if (!(f->segs[SEG_CS].attr & 4)) {
		ck_assert_uint_eq(f->segs[SEG_CS].attr >> 5 & 3, f->segs[SEG_CS].selector & 3);
	}
	ck_assert(field == SEG_CS || f->segs[field].unusable);
	if (field == LDT_FIELD) {
		ck_assert(f->segs[SEG_SS].unusable && f->segs[SEG_DS].unusable);
		ck_assert_uint_eq(f->segs[SEG_SS].selector, DATA0);
	}
	/* As the delivery of something, it says so; of a fault, it is the second. */
	setup();
	make_new((unsigned)_i);
	pend(EVENT_EXTINT, 0x20, false, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_B), ACT_FAULT);
	check_fault(what, loads[_i].vector, error | 1);
	setup();
	make_new((unsigned)_i);
	pend(EVENT_EXCEPTION, X86_GP, true, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_B), ACT_FAULT);
	check_fault(what, X86_DF, 0);
}
END_TEST

START_TEST(entry_point_outside_code)
{
	put16(TSS_B + 0x48 + 4 * SEG_CS, SMALL_CODE);
	put32(TSS_B + 0x20, 0x10000);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("EIP", X86_GP, 0);
	ck_assert_uint_eq(f->regs[REG_RIP], 0x10000);
	ck_assert_uint_eq(f->segs[SEG_CS].selector, SMALL_CODE);
	setup();
	put16(TSS_B + 0x48 + 4 * SEG_CS, SMALL_CODE);
	put32(TSS_B + 0x20, 0xffff);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
}
END_TEST

/* --- error codes --- */

START_TEST(error_code_is_pushed)
{
	pend(EVENT_EXCEPTION, X86_GP, true, 0x89abcdef);
	put32(STACK - 8, 0x55555555);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_B), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_RSP], STACK - 4);
	ck_assert_uint_eq(get32(STACK - 4), 0x89abcdef);
	ck_assert_uint_eq(get32(STACK - 8), 0x55555555);
	ck_assert_int_eq(vcpu->pending.type, EVENT_NONE);
	/* On a stack of 16-bit addresses, by a 32-bit task. */
	setup();
	put16(TSS_B + 0x48 + 4 * SEG_SS, DATA16);
	put32(TSS_B + 0x38, 0xabcd0000);
	pend(EVENT_EXCEPTION, X86_DF, true, 0);
	put32(0x1fffc, 0x55555555);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_B), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_RSP], 0xabcdfffc);
	ck_assert_uint_eq(get32(0x1fffc), 0);
	/* By a 16-bit task: a word. */
	setup();
	pend(EVENT_EXCEPTION, X86_GP, true, 0x89abcdef);
	put32(0x18fec, 0x55555555);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_C), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_RSP], 0x8fee);
	ck_assert_uint_eq(get32(0x18fec), 0xcdef5555);
}
END_TEST

/* What is not delivered has no error code, whatever its event's field says. */
START_TEST(no_error_code)
{
	pend(EVENT_NONE, 0, true, 0x1234);
	ck_assert_int_eq(run(TASK_CALL, SEL_B), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_RSP], STACK);
	ck_assert_uint_eq(get32(STACK - 4), 0);
}
END_TEST

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

START_TEST(stack_limits)
{
	enum exit_action action;

	put16(TSS_B + 0x48 + 4 * SEG_SS, stacks[_i].ss);
	put32(TSS_B + 0x38, stacks[_i].esp);
	pend(EVENT_EXCEPTION, X86_AC, true, 0);
	action = run(TASK_IDT_GATE, SEL_B);
	check_in_new("stack", SEL_B);
	if (stacks[_i].ok) {
		ck_assert_int_eq(action, ACT_RESUME);
		ck_assert_uint_eq(f->regs[REG_RSP], stacks[_i].esp - 4);
	} else if (stacks[_i].ss == DATA0) {
		ck_assert_int_eq(action, ACT_KILL);
	} else {
		ck_assert_int_eq(action, ACT_FAULT);
		check_fault("stack", X86_SS, 1);
		ck_assert_uint_eq(f->regs[REG_RSP], stacks[_i].esp);
	}
}
END_TEST

/* --- paging --- */

/* 32-bit tables: the first 4 MiB one to one by 4 KiB pages. */
static void page_tables(uint64_t at)
{
	put32(at, (uint32_t)(at + 0x1000) | 7);
	for (unsigned i = 0; i < 1024; i++) {
		put32(at + 0x1000 + i * 4, i << 12 | 3);
	}
}

static void unmap(uint64_t tables, uint64_t va)
{
	put32(tables + 0x1000 + (va >> 12) * 4, 0);
}

static void read_only(uint64_t tables, uint64_t va)
{
	put32(tables + 0x1000 + (va >> 12) * 4, (uint32_t)va | 1);
}

static void paging(void)
{
	page_tables(PAGE_DIR);
	page_tables(PAGE_DIR + 0x4000);
	f->regs[REG_CR0] |= CR0_PG | CR0_WP;
	f->regs[REG_CR3] = PAGE_DIR;
	put32(TSS_B + 0x1c, PAGE_DIR + 0x4000);
}

START_TEST(cr3_follows_with_paging)
{
	paging();
	unmap(PAGE_DIR + 0x4000, TSS_A); /* saved before, through the old tables */
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_CR3], PAGE_DIR + 0x4000);
	ck_assert_uint_eq(f->flushes, 1);
	setup();
	paging();
	put32(TSS_B + 0x1c, PAGE_DIR);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
	ck_assert_uint_eq(f->flushes, 0);
	/* A 16-bit TSS has none. */
	setup();
	paging();
	ck_assert_int_eq(run(TASK_JMP, SEL_C), ACT_RESUME);
	ck_assert_uint_eq(f->regs[REG_CR3], PAGE_DIR);
	ck_assert_uint_eq(f->flushes, 0);
}
END_TEST

START_TEST(pae_entries_follow)
{
	const uint64_t good[4] = {PAGE_DIR | 1, 0, 0, 0}, bad[4] = {PAGE_DIR | 7, 0, 0, 0};
	uint64_t large = 0x83;

	put(PAGE_DIR, &large, 8);
	put(PDPT, good, 32);
	put(PDPT + 0x20, good, 32);
	f->regs[REG_CR0] |= CR0_PG;
	f->regs[REG_CR4] = CR4_PAE;
	f->regs[REG_CR3] = PDPT;
	put32(TSS_B + 0x1c, PDPT + 0x20);
	ck_assert_int_eq(run(TASK_CALL, SEL_B), ACT_RESUME);
	ck_assert_mem_eq(f->pdptes, good, 32);
	ck_assert_uint_eq(f->regs[REG_CR3], PDPT + 0x20);
	setup();
	put(PAGE_DIR, &large, 8);
	put(PDPT, good, 32);
	put(PDPT + 0x20, bad, 32);
	f->regs[REG_CR0] |= CR0_PG;
	f->regs[REG_CR4] = CR4_PAE;
	f->regs[REG_CR3] = PDPT;
	put32(TSS_B + 0x1c, PDPT + 0x20);
	ck_assert_int_eq(run(TASK_CALL, SEL_B), ACT_FAULT);
	check_fault("PDPTE", X86_GP, 0);
	ck_assert_uint_eq(f->regs[REG_RIP], 0x1234);
	ck_assert_uint_eq(f->segs[SEG_TR].selector, SEL_A);
	ck_assert_uint_eq(f->regs[REG_CR3], PDPT);
}
END_TEST

static void check_page_fault(const char *what, uint64_t cr2, uint32_t error)
{
	check_fault(what, X86_PF, error);
	ck_assert_msg(fake_cr2 == cr2, "%s: CR2 0x%llx", what, (unsigned long long)fake_cr2);
	f->regs[REG_CR3] = 0x7000; /* for check_in_old() */
	check_in_old(what);
}

START_TEST(page_faults_of_the_old_task)
{
	paging();
	f->segs[SEG_SS].attr = 0xc0f3; /* at CPL 3: still the supervisor's accesses */
	unmap(PAGE_DIR, GDT);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	page_tables(PAGE_DIR);
	check_page_fault("GDT", GDT + SEL_B, 0);
	setup();
	paging();
	read_only(PAGE_DIR, GDT);
	ck_assert_int_eq(run(TASK_CALL, SEL_B), ACT_FAULT);
	check_page_fault("new busy flag", GDT + SEL_B + 5, 3);
	ck_assert_uint_ne(get32(TSS_A + 0x20), 0);
	setup();
	paging();
	read_only(PAGE_DIR, GDT);
	ck_assert_int_eq(run(TASK_IRET, SEL_BUSY_B), ACT_FAULT);
	check_page_fault("old busy flag", GDT + SEL_A + 5, 3);
	setup();
	paging();
	read_only(PAGE_DIR, TSS_A);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_page_fault("save", TSS_A + 0x20, 3);
	setup();
	paging();
	read_only(PAGE_DIR, TSS_B);
	ck_assert_int_eq(run(TASK_CALL, SEL_B), ACT_FAULT);
	check_page_fault("back link", TSS_B, 3);
	setup();
	paging();
	read_only(PAGE_DIR, TSS_B);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_RESUME);
	setup();
	paging();
	unmap(PAGE_DIR, TSS_B);
	pend(EVENT_EXTINT, 0x20, false, 0);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_B), ACT_FAULT);
	check_page_fault("new TSS", TSS_B, 0); /* no EXT there */
	ck_assert_uint_eq(get32(TSS_A + 0x20), 0);
}
END_TEST

/* Both TSSs of a JMP in one GDT page each: the second busy flag fails, the first one stays. */
START_TEST(busy_flags_change_together)
{
	struct segment tr = f->segs[SEG_TR];

	/* The GDT runs over a page's end: old below, new above. */
	f->tables[0].base = 0x7000 - SEL_B;
	for (uint16_t i = 8; i < GDT_END; i += 8) {
		uint64_t raw;

		get(GDT + i, &raw, 8);
		put(0x7000 - SEL_B + i, &raw, 8);
	}
	paging();
	f->segs[SEG_TR] = tr;
	read_only(PAGE_DIR, 0x7000);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("new", X86_PF, 3);
	ck_assert_uint_eq(fake_cr2, 0x7005);
	ck_assert_uint_eq(get32(0x7000 - 8 + 4) >> 8 & 0xff, 0x8b);
	page_tables(PAGE_DIR);
	read_only(PAGE_DIR, 0x6000);
	vcpu->pending.type = EVENT_NONE;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	ck_assert_uint_eq(fake_cr2, 0x6ffd);
	ck_assert_uint_eq(get32(0x7004) >> 8 & 0xff, 0x89);
}
END_TEST

START_TEST(page_faults_of_the_new_task)
{
	paging();
	unmap(PAGE_DIR + 0x4000, GDT);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("GDT", X86_PF, 0);
	ck_assert_uint_eq(fake_cr2, GDT + DATA0);
	check_in_new("GDT", SEL_B);
	ck_assert_uint_eq(f->regs[REG_CR3], PAGE_DIR + 0x4000);
	setup();
	paging();
	read_only(PAGE_DIR + 0x4000, GDT);
	put16(TSS_B + 0x48 + 4 * SEG_FS, FRESH_DATA);
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("accessed", X86_PF, 3);
	ck_assert_uint_eq(fake_cr2, GDT + FRESH_DATA + 5);
	ck_assert(f->segs[SEG_FS].unusable && !f->segs[SEG_ES].unusable);
	/* The push is the new task's own access, at its CPL. */
	setup();
	paging();
	for (unsigned i = 0; i < 6; i++) {
		put16(TSS_B + 0x48 + 4 * i, i == SEG_CS ? CODE3 | 3 : DATA3 | 3);
	}
	pend(EVENT_EXCEPTION, X86_PF, true, 2);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_B), ACT_FAULT);
	check_fault("stack", X86_DF, 0);
	ck_assert_uint_eq(fake_cr2, STACK - 4);
	ck_assert_uint_eq(f->regs[REG_RSP], STACK);
	setup();
	paging();
	unmap(PAGE_DIR + 0x4000, STACK - 4);
	pend(EVENT_EXCEPTION, X86_GP, true, 2);
	ck_assert_int_eq(run(TASK_IDT_GATE, SEL_B), ACT_FAULT);
	check_fault("stack", X86_PF, 2);
}
END_TEST

/* User pages are nothing to the processor's own accesses under SMAP, whatever AC says. */
START_TEST(smap_without_ac)
{
	paging();
	put32(PAGE_DIR + 0x1000 + (GDT >> 12) * 4, GDT | 7);
	f->regs[REG_CR4] = CR4_SMAP;
	f->regs[REG_RFLAGS] |= RFLAGS_AC;
	ck_assert_int_eq(run(TASK_JMP, SEL_B), ACT_FAULT);
	check_fault("SMAP", X86_PF, 1);
}
END_TEST

UNIT_MAIN("task_switch", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, each_source, 0, ARRAY_SIZE(sources));
          tcase_add_test(tc, nested_call_and_return); tcase_add_test(tc, to_a_16_bit_task);
          tcase_add_test(tc, from_a_16_bit_task); tcase_add_test(tc, to_itself);
          tcase_add_test(tc, virtual_8086_task); tcase_add_test(tc, virtual_8086_faults);
          tcase_add_test(tc, user_task); tcase_add_test(tc, accessed_flags);
          tcase_add_test(tc, trap_flag);
          tcase_add_loop_test(tc, refused_selectors, 0, ARRAY_SIZE(refused));
          tcase_add_test(tc, refused_deliveries); tcase_add_test(tc, old_tss_too_short);
          tcase_add_test(tc, tables_outside_ram); tcase_add_test(tc, modes_without_tasks);
          tcase_add_loop_test(tc, loaded_segments, 0, ARRAY_SIZE(loads));
          tcase_add_test(tc, entry_point_outside_code); tcase_add_test(tc, error_code_is_pushed);
          tcase_add_test(tc, no_error_code);
          tcase_add_loop_test(tc, stack_limits, 0, ARRAY_SIZE(stacks));
          tcase_add_test(tc, cr3_follows_with_paging); tcase_add_test(tc, pae_entries_follow);
          tcase_add_test(tc, page_faults_of_the_old_task);
          tcase_add_test(tc, busy_flags_change_together);
          tcase_add_test(tc, page_faults_of_the_new_task); tcase_add_test(tc, smap_without_ac);)
