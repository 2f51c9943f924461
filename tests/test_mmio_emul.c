// SPDX-License-Identifier: BSD-2-Clause
// MMIO instructions carried out on a fake device: results, flags, faults.
#include "tests/mmio_world.h"

/* One instruction on [RBX] = DEV + 0x10; RAX, RCX and the device's quadword before and after. */
static const struct {
	const char *name;
	uint8_t code[8];
	uint8_t len;
	bool read, write;
	uint64_t rax, rcx, dev, flags;
	uint64_t want_rax, want_rcx, want_dev, want_flags;
} ops[] = {
#define IN 0x1122334455667788ULL
#define F RFLAGS_FIXED1
        {"mov eax,[rbx]", {0x8b, 0x03}, 2, 1, 0, ~0ULL, 0, IN, F, 0x55667788, 0, IN, F},
        {"mov rax,[rbx]", {0x48, 0x8b, 0x03}, 3, 1, 0, 0, 0, IN, F, IN, 0, IN, F},
        {"mov ax,[rbx]", {0x66, 0x8b, 0x03}, 3, 1, 0, ~0ULL, 0, IN, F, 0xffffffffffff7788ULL, 0, IN,
                F},
        {"mov al,[rbx]", {0x8a, 0x03}, 2, 1, 0, ~0ULL, 0, IN, F, 0xffffffffffffff88ULL, 0, IN, F},
        {"mov ah,[rbx]", {0x8a, 0x23}, 2, 1, 0, ~0ULL, 0, IN, F, 0xffffffffffff88ffULL, 0, IN, F},
        {"mov [rbx],ecx", {0x89, 0x0b}, 2, 0, 1, 0, ~0ULL, IN, F, 0, ~0ULL, 0x11223344ffffffffULL,
                F},
        {"mov [rbx],ch", {0x88, 0x2b}, 2, 0, 1, 0, 0xab00, IN, F, 0, 0xab00, 0x11223344556677abULL,
                F},
        {"mov [rbx],imm", {0x48, 0xc7, 0x03, 0xfe, 0xff, 0xff, 0xff}, 7, 0, 1, 0, 0, IN, F, 0, 0,
                ~1ULL, F},
        {"movzx eax,byte [rbx]", {0x0f, 0xb6, 0x03}, 3, 1, 0, ~0ULL, 0, IN, F, 0x88, 0, IN, F},
        {"movsx rax,byte [rbx]", {0x48, 0x0f, 0xbe, 0x03}, 4, 1, 0, 0, 0, IN, F,
                0xffffffffffffff88ULL, 0, IN, F},
        {"movsx ax,byte [rbx]", {0x66, 0x0f, 0xbe, 0x03}, 4, 1, 0, 0, 0, IN, F, 0xff88, 0, IN, F},
        {"or [rbx],ecx", {0x09, 0x0b}, 2, 1, 1, 0, 0x80000000, 1, F | RFLAGS_CF | RFLAGS_OF, 0,
                0x80000000, 0x80000001, F | RFLAGS_SF},
        {"and eax,[rbx]", {0x23, 0x03}, 2, 1, 0, 0xffff00000000000fULL, 0, 0x10, F, 0, 0, 0x10,
                F | RFLAGS_ZF | RFLAGS_PF},
        {"cmp [rbx],ecx", {0x39, 0x0b}, 2, 1, 0, 0, 2, 1, F, 0, 2, 1,
                F | RFLAGS_CF | RFLAGS_AF | RFLAGS_SF | RFLAGS_PF},
        {"cmp ecx,[rbx]", {0x3b, 0x0b}, 2, 1, 0, 0, 2, 1, F, 0, 2, 1, F},
        {"test byte [rbx],0x80", {0xf6, 0x03, 0x80}, 3, 1, 0, 0, 0, 0x80, F, 0, 0, 0x80,
                F | RFLAGS_SF},
        {"not dword [rbx]", {0xf7, 0x13}, 2, 1, 1, 0, 0, 0, F | RFLAGS_ZF, 0, 0, 0xffffffff,
                F | RFLAGS_ZF},
        {"inc byte [rbx]", {0xfe, 0x03}, 2, 1, 1, 0, 0, 0xff, F | RFLAGS_CF, 0, 0, 0,
                F | RFLAGS_CF | RFLAGS_ZF | RFLAGS_PF | RFLAGS_AF},
        {"xchg [rbx],ecx", {0x87, 0x0b}, 2, 1, 1, 0, ~0ULL, IN, F, 0, 0x55667788,
                0x11223344ffffffffULL, F},
        {"lock xadd [rbx],ecx", {0xf0, 0x0f, 0xc1, 0x0b}, 4, 1, 1, 0, 3, 4, F, 0, 4, 7, F},
        {"cmpxchg [rbx],ecx: equal", {0x0f, 0xb1, 0x0b}, 3, 1, 1, 0xff00000005ULL, 7, 5, F,
                0xff00000005ULL, 7, 7, F | RFLAGS_ZF | RFLAGS_PF},
        {"cmpxchg [rbx],ecx: not", {0x0f, 0xb1, 0x0b}, 3, 1, 1, 0xff00000006ULL, 7, 5, F, 5, 7, 5,
                F},
        {"lock bts dword [rbx],4", {0xf0, 0x0f, 0xba, 0x2b, 0x04}, 5, 1, 1, 0, 0, 0, F, 0, 0, 0x10,
                F},
        {"btr dword [rbx],36 = 4", {0x0f, 0xba, 0x33, 0x24}, 4, 1, 1, 0, 0, 0x11, F, 0, 0, 1,
                F | RFLAGS_CF},
        {"bt [rbx],ecx", {0x0f, 0xa3, 0x0b}, 3, 1, 0, 0, 31, 0x80000000, F | RFLAGS_ZF, 0, 31,
                0x80000000, F | RFLAGS_ZF | RFLAGS_CF},
};

START_TEST(one_operation)
{
	setup();
	cpu->gpr[REG_RBX] = DEV + 0x10;
	cpu->gpr[REG_RAX] = ops[_i].rax;
	cpu->gpr[REG_RCX] = ops[_i].rcx;
	fake_vcpu(cpu)->regs[REG_RFLAGS] = ops[_i].flags;
	memcpy(dev_mem + 0x10, &ops[_i].dev, 8);
	ck_assert_msg(run_at(RIP_START, ops[_i].code, ops[_i].len, DEV + 0x10, ops[_i].read,
	                      ops[_i].write) == ACT_RESUME,
	        "%s", ops[_i].name);
	ck_assert_uint_eq(rip(), RIP_START + ops[_i].len);
	ck_assert_uint_eq(cpu->gpr[REG_RAX], ops[_i].want_rax);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], ops[_i].want_rcx);
	ck_assert_uint_eq(get_dev(0x10, 8), ops[_i].want_dev);
	ck_assert_uint_eq(fake_vcpu(cpu)->regs[REG_RFLAGS], ops[_i].want_flags);
	ck_assert_uint_eq(n_reads, ops[_i].read);
	ck_assert_uint_eq(n_writes, ops[_i].write);
}
END_TEST

START_TEST(bit_offset_moves_the_operand)
{
	setup();
	cpu->gpr[REG_RBX] = DEV + 0x10;
	cpu->gpr[REG_RCX] = (uint64_t)-33; /* two dwords down, bit 31 */
	/* lock bts [rbx], ecx */
	ck_assert_int_eq(RUN(DEV + 8, 1, 1, 0xf0, 0x0f, 0xab, 0x0b), ACT_RESUME);
	ck_assert_uint_eq(get_dev(8, 4), 0x80000000);
	cpu->gpr[REG_RCX] = 64 + 5;
	ck_assert_int_eq(RUN(DEV + 0x18, 1, 1, 0x48, 0x0f, 0xab, 0x0b), ACT_RESUME);
	ck_assert_uint_eq(get_dev(0x18, 8), 0x20);
}
END_TEST

START_TEST(push_and_pop)
{
	uint64_t v = 0x1234567890abcdefULL;

	setup();
	memcpy(dev_mem + 0x20, &v, 8);
	cpu->gpr[REG_RBX] = DEV + 0x20;
	ck_assert_int_eq(RUN(DEV + 0x20, 1, 0, 0xff, 0x33), ACT_RESUME);
	ck_assert_uint_eq(fake_vcpu(cpu)->regs[REG_RSP], STACK - 8);
	ck_assert_uint_eq(get_ram(STACK - 8, 8), v);
	cpu->gpr[REG_RBX] = DEV + 0x28;
	ck_assert_int_eq(RUN(DEV + 0x28, 0, 1, 0x8f, 0x03), ACT_RESUME);
	ck_assert_uint_eq(fake_vcpu(cpu)->regs[REG_RSP], STACK);
	ck_assert_uint_eq(get_dev(0x28, 8), v);
	/* pop qword [rsp + rcx]: the address uses RSP after the pop. */
	fake_vcpu(cpu)->regs[REG_RSP] = STACK - 8;
	cpu->gpr[REG_RCX] = DEV + 0x30 - STACK;
	ck_assert_int_eq(RUN(DEV + 0x30, 0, 1, 0x8f, 0x04, 0x0c), ACT_RESUME);
	ck_assert_uint_eq(get_dev(0x30, 8), v);
}
END_TEST

START_TEST(push_to_a_missing_stack_reads_nothing)
{
	setup();
	fake_vcpu(cpu)->regs[REG_RSP] = 0x8000000000ULL; /* no such PML4 entry */
	cpu->gpr[REG_RBX] = DEV;
	ck_assert_int_eq(RUN(DEV, 1, 0, 0xff, 0x33), ACT_FAULT);
	ck_assert_uint_eq(cpu->pending.vector, X86_PF);
	ck_assert_uint_eq(cpu->pending.error, 2);
	ck_assert_uint_eq(n_reads, 0);
	ck_assert_uint_eq(fake_vcpu(cpu)->regs[REG_RSP], 0x8000000000ULL);
	ck_assert_uint_eq(rip(), RIP_START);
}
END_TEST

START_TEST(operand_over_two_pages)
{
	setup();
	/* mov [rbx], rcx at the device's page boundary: 3 + 5 bytes, in bus-sized pieces */
	cpu->gpr[REG_RBX] = DEV + 0xffd;
	cpu->gpr[REG_RCX] = 0x8877665544332211ULL;
	ck_assert_int_eq(RUN(DEV + 0xffd, 0, 1, 0x48, 0x89, 0x0b), ACT_RESUME);
	ck_assert_uint_eq(get_dev(0xffd, 8), 0x8877665544332211ULL);
	ck_assert_uint_eq(n_writes, 4); /* 1 + 2, 4 + 1 */
	ck_assert_int_eq(RUN(DEV + 0xffd, 1, 0, 0x48, 0x8b, 0x0b), ACT_RESUME);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 0x8877665544332211ULL);
	/* The first page is RAM, the exit was on the second: dword at 0x1ffffe */
	cpu->gpr[REG_RBX] = 0x1ffffe;
	ck_assert_int_eq(RUN(0x200000, 0, 1, 0x89, 0x0b), ACT_RESUME);
	ck_assert_uint_eq(get_ram(0x1ffffe, 2), 0x2211);
}
END_TEST

START_TEST(second_page_missing)
{
	uint64_t pd = 0;

	setup();
	put_ram(TABLES + 0x2000 + (DEV >> 21) * 8 + 8, &pd, 8);
	cpu->gpr[REG_RBX] = DEV + 0x1ffffe;
	ck_assert_int_eq(RUN(DEV + 0x1ffffe, 0, 1, 0x89, 0x0b), ACT_FAULT);
	ck_assert_uint_eq(cpu->pending.vector, X86_PF);
	ck_assert_uint_eq(cpu->pending.error, 2);
	ck_assert_uint_eq(n_writes, 0);
}
END_TEST

START_TEST(operand_is_ram_after_all)
{
	setup();
	cpu->gpr[REG_RBX] = DATA + 8;
	cpu->gpr[REG_RCX] = 0x55;
	ck_assert_int_eq(RUN(DATA + 8, 0, 1, 0x89, 0x0b), ACT_RESUME);
	ck_assert_uint_eq(get_ram(DATA + 8, 4), 0x55);
}
END_TEST

/* A read exit and, by now, a writing instruction: the page's rights are looked up again. */
START_TEST(swapped_instruction_is_checked)
{
	uint64_t ro = DEV | 0x85; /* present, user, large, read-only */

	setup();
	put_ram(TABLES + 0x2000 + (DEV >> 21) * 8, &ro, 8);
	cpu->gpr[REG_RBX] = DEV + 0x10;
	ck_assert_int_eq(RUN(DEV + 0x10, 1, 0, 0x89, 0x0b), ACT_FAULT);
	ck_assert_uint_eq(cpu->pending.vector, X86_PF);
	ck_assert_uint_eq(cpu->pending.error, 3);
	ck_assert_uint_eq(n_writes, 0);
}
END_TEST

START_TEST(other_page_offset_is_walked)
{
	setup();
	cpu->gpr[REG_RBX] = DEV + 0x10;
	dev_mem[0x10] = 0x77;
	ck_assert_int_eq(RUN(DEV + 0x14, 1, 0, 0x8a, 0x03), ACT_RESUME);
	ck_assert_uint_eq(cpu->gpr[REG_RAX], 0x77);
	cpu->gpr[REG_RBX] = 0x0001000000000010ULL; /* not canonical */
	ck_assert_int_eq(RUN(DEV + 0x14, 1, 0, 0x8a, 0x03), ACT_FAULT);
	ck_assert_uint_eq(cpu->pending.vector, X86_GP);
}
END_TEST

START_TEST(code_over_two_pages)
{
	static const uint8_t code[] = {0xc7, 0x83, 0x20, 0, 0, 0, 0x78, 0x56, 0x34, 0x12};

	for (uint64_t n = 1; n < sizeof(code); n++) {
		uint64_t at = CODE + 0x1000 - n;

		setup();
		cpu->gpr[REG_RBX] = DEV;
		ck_assert_int_eq(
		        run_at(at, code, sizeof(code), DEV + 0x20, false, true), ACT_RESUME);
		ck_assert_uint_eq(get_dev(0x20, 4), 0x12345678);
		ck_assert_uint_eq(rip(), at + sizeof(code));
	}
}
END_TEST

START_TEST(short_code_before_a_missing_page)
{
	uint64_t none = 0;

	setup();
	put_ram(TABLES + 0x2000, &none, 8);
	put_ram(TABLES + 0x2000, &(uint64_t){0x87}, 8);
	put_ram(TABLES + 0x2000 + 8, &none, 8);
	cpu->gpr[REG_RBX] = DEV;
	/* Ends exactly at the last mapped byte: the next page is not touched. */
	ck_assert_int_eq(run_at(0x200000 - 2, (const uint8_t[]){0x8b, 0x03}, 2, DEV, true, false),
	        ACT_RESUME);
	/* One byte short: #PF on the fetch. */
	ck_assert_int_eq(
	        run_at(0x200000 - 1, (const uint8_t[]){0x8b}, 1, DEV, true, false), ACT_FAULT);
	ck_assert_uint_eq(cpu->pending.vector, X86_PF);
	ck_assert_uint_eq(cpu->pending.error, 0x10);
}
END_TEST

START_TEST(unknown_instruction)
{
	setup();
	/* movups xmm0, [rbx]: a kernel is stopped, with the bytes in the log */
	cpu->gpr[REG_RBX] = DEV;
	ck_assert_int_eq(RUN(DEV, 1, 0, 0x0f, 0x10, 0x03), ACT_KILL);
	ck_assert_uint_eq(fake_log_count("0f 10 03"), 1);
	/* a process gets #UD */
	fake_vcpu(cpu)->segs[SEG_SS].attr |= 3U << SEG_ATTR_DPL_SHIFT;
	ck_assert_int_eq(RUN(DEV, 1, 0, 0x0f, 0x10, 0x03), ACT_FAULT);
	ck_assert_uint_eq(cpu->pending.vector, X86_UD);
}
END_TEST

START_TEST(fetch_from_a_device)
{
	struct vcpu_exit exit = {.kind = EXIT_MEM};

	setup();
	exit.mem.gpa = gpa(DEV);
	exit.mem.fetch = true;
	ck_assert_int_eq(mmio_emulate(cpu, &exit), ACT_KILL);
}
END_TEST

START_TEST(apic_page)
{
	uint64_t at = LAPIC_DEFAULT_BASE, pd = 0xfee00000ULL | 0x87;

	setup();
	put_ram(TABLES + 0x1000 + 3 * 8, &(uint64_t){(TABLES + 0x3000) | 7}, 8);
	put_ram(TABLES + 0x3000 + 0x1f7 * 8, &pd, 8); /* 0xfee00000 */
	cpu->lapic.base = at | APIC_BASE_EN | APIC_BASE_BSP;
	cpu->gpr[REG_RBX] = at;
	cpu->gpr[REG_RCX] = 0x30;
	/* mov [rbx+0x80], ecx: TPR */
	ck_assert_int_eq(RUN(at + 0x80, 0, 1, 0x89, 0x8b, 0x80, 0, 0, 0), ACT_RESUME);
	ck_assert_uint_eq(lapic_read(&cpu->lapic, LAPIC_TPR), 0x30);
	ck_assert_int_eq(RUN(at + 0x80, 1, 0, 0x8b, 0x83, 0x80, 0, 0, 0), ACT_RESUME);
	ck_assert_uint_eq(cpu->gpr[REG_RAX], 0x30);
	/* a byte write is dropped, a byte read works, the gap reads zero */
	cpu->gpr[REG_RCX] = 0x40;
	ck_assert_int_eq(RUN(at + 0x80, 0, 1, 0x88, 0x8b, 0x80, 0, 0, 0), ACT_RESUME);
	ck_assert_uint_eq(lapic_read(&cpu->lapic, LAPIC_TPR), 0x30);
	ck_assert_int_eq(RUN(at + 0x80, 1, 0, 0x8a, 0x83, 0x80, 0, 0, 0), ACT_RESUME);
	ck_assert_uint_eq(cpu->gpr[REG_RAX], 0x30);
	ck_assert_int_eq(RUN(at + 0x84, 1, 0, 0x8b, 0x83, 0x84, 0, 0, 0), ACT_RESUME);
	ck_assert_uint_eq(cpu->gpr[REG_RAX], 0);
	/* in x2APIC mode the page is nobody's */
	cpu->lapic.base |= APIC_BASE_EXTD;
	ck_assert_int_eq(RUN(at + 0x80, 1, 0, 0x8b, 0x83, 0x80, 0, 0, 0), ACT_RESUME);
	ck_assert_uint_eq(cpu->gpr[REG_RAX], 0xffffffff);
}
END_TEST

/* Real mode: segment base, 16-bit addresses, no paging. */
START_TEST(real_mode)
{
	struct fake_vcpu *f;

	setup();
	f = fake_vcpu(cpu);
	f->regs[REG_CR0] = CR0_ET;
	f->regs[REG_EFER] = 0;
	f->regs[REG_CR4] = 0;
	for (unsigned i = 0; i < SEG_LDTR; i++) {
		f->segs[i] = (struct segment){.limit = 0xffff, .attr = 0x93};
	}
	f->segs[SEG_DS].base = 0xb8000;
	cpu->gpr[REG_RBX] = 0xffff1234;
	cpu->gpr[REG_RSI] = 0x10;
	/* mov byte [bx+si+2], 0x41: nobody there, dropped */
	ck_assert_int_eq(RUN(0xb9246, 0, 1, 0xc6, 0x40, 0x02, 0x41), ACT_RESUME);
	ck_assert_uint_eq(rip(), RIP_START + 4);
	/* beyond the limit, with an address that must be checked: mov ax, [bx] at 0xffff */
	cpu->gpr[REG_RBX] = 0xffff;
	ck_assert_int_eq(RUN(0xb8000, 1, 0, 0x8b, 0x07), ACT_FAULT);
	ck_assert_uint_eq(cpu->pending.vector, X86_GP);
}
END_TEST

/* 32-bit protected mode: the source of MOVS is checked against its segment. */
START_TEST(protected_mode_segments)
{
	struct fake_vcpu *f;

	setup();
	f = fake_vcpu(cpu);
	f->regs[REG_CR0] = CR0_PE | CR0_ET;
	f->regs[REG_EFER] = 0;
	f->segs[SEG_CS].attr = 0xc09b;
	f->segs[SEG_ES].base = DEV;
	f->segs[SEG_DS] = (struct segment){.base = DATA, .limit = 0xff, .attr = 0x4091};
	put_ram(DATA + 0xfc, &(uint32_t){0xcafe}, 4);
	cpu->gpr[REG_RSI] = 0xfc;
	cpu->gpr[REG_RDI] = 0x10;
	cpu->gpr[REG_RCX] = 2;
	ck_assert_int_eq(RUN(DEV + 0x10, 0, 1, 0xf3, 0xa5), ACT_FAULT);
	ck_assert_uint_eq(cpu->pending.vector, X86_GP);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 1);
	ck_assert_uint_eq(get_dev(0x10, 4), 0xcafe);
	/* expand-down: only above the limit */
	event_requeue(cpu, &(struct event){.type = EVENT_NONE});
	cpu->pending.type = EVENT_NONE;
	f->segs[SEG_DS].attr = 0x4095;
	ck_assert_int_eq(RUN(DEV + 0x14, 0, 1, 0xa5), ACT_RESUME);
	/* a segment nobody loaded, through SS */
	f->segs[SEG_SS].unusable = true;
	ck_assert_int_eq(RUN(DEV + 0x18, 0, 1, 0x36, 0xa5), ACT_FAULT);
	ck_assert_uint_eq(cpu->pending.vector, X86_SS);
}
END_TEST

UNIT_MAIN("mmio_emul", tcase_add_loop_test(tc, one_operation, 0, ARRAY_SIZE(ops));
          tcase_add_test(tc, bit_offset_moves_the_operand); tcase_add_test(tc, push_and_pop);
          tcase_add_test(tc, push_to_a_missing_stack_reads_nothing);
          tcase_add_test(tc, operand_over_two_pages); tcase_add_test(tc, second_page_missing);
          tcase_add_test(tc, operand_is_ram_after_all);
          tcase_add_test(tc, swapped_instruction_is_checked);
          tcase_add_test(tc, other_page_offset_is_walked); tcase_add_test(tc, code_over_two_pages);
          tcase_add_test(tc, short_code_before_a_missing_page);
          tcase_add_test(tc, unknown_instruction); tcase_add_test(tc, fetch_from_a_device);
          tcase_add_test(tc, apic_page); tcase_add_test(tc, real_mode);
          tcase_add_test(tc, protected_mode_segments);)
