// SPDX-License-Identifier: BSD-2-Clause
// Task switches under paging: CR3 and PAE entries follow, and page faults of the old task and the
// new.
#include "tests/task_world.h"

#define PAGE_DIR 0x10000ULL
#define PDPT 0x20000ULL

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

UNIT_MAIN("task_paging", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, cr3_follows_with_paging); tcase_add_test(tc, pae_entries_follow);
          tcase_add_test(tc, page_faults_of_the_old_task);
          tcase_add_test(tc, busy_flags_change_together);
          tcase_add_test(tc, page_faults_of_the_new_task); tcase_add_test(tc, smap_without_ac);)
