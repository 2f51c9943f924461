// SPDX-License-Identifier: BSD-2-Clause
// String instructions on device memory: batches, directions, faults in the middle.
#include "tests/mmio_world.h"

START_TEST(string_batches)
{
	setup();
	for (unsigned i = 0; i < 200; i++) {
		uint32_t v = i * 3 + 1;

		put_ram(DATA + 4 * i, &v, 4);
	}
	cpu->gpr[REG_RSI] = DATA;
	cpu->gpr[REG_RDI] = DEV;
	cpu->gpr[REG_RCX] = 200;
	/* rep movsd, resumed until done */
	for (unsigned n = 1; n <= 3; n++) {
		ck_assert_int_eq(RUN(DEV + 256 * (n - 1), 0, 1, 0xf3, 0xa5), ACT_RESUME);
		ck_assert_uint_eq(rip(), RIP_START);
		ck_assert_uint_eq(cpu->gpr[REG_RCX], 200 - 64 * n);
		ck_assert_uint_eq(cpu->gpr[REG_RDI], DEV + 256 * n);
	}
	ck_assert_int_eq(RUN(DEV + 256 * 3, 0, 1, 0xf3, 0xa5), ACT_RESUME);
	ck_assert_uint_eq(rip(), RIP_START + 2);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 0);
	ck_assert_uint_eq(n_writes, 200);
	for (unsigned i = 0; i < 200; i++) {
		ck_assert_uint_eq(get_dev(4 * i, 4), i * 3 + 1);
	}
}
END_TEST

START_TEST(string_single_step)
{
	struct fake_vcpu *f;

	setup();
	f = fake_vcpu(cpu);
	f->regs[REG_RFLAGS] |= RFLAGS_TF;
	f->intr_shadow = true;
	cpu->gpr[REG_RDI] = DEV;
	cpu->gpr[REG_RCX] = 2;
	ck_assert_int_eq(RUN(DEV, 0, 1, 0xf3, 0xab), ACT_RESUME); /* rep stosd */
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 1);
	ck_assert_uint_eq(rip(), RIP_START);
	ck_assert(!f->intr_shadow);
	ck_assert_int_eq(RUN(DEV + 4, 0, 1, 0xf3, 0xab), ACT_RESUME);
	ck_assert_uint_eq(rip(), RIP_START + 2);
}
END_TEST

START_TEST(string_directions)
{
	setup();
	/* std; rep stosw, address size 32: upper halves of the registers are cleared */
	cpu->gpr[REG_RAX] = 0xaaaa1234;
	cpu->gpr[REG_RDI] = 0xffffffff00000000ULL | (DEV + 6);
	cpu->gpr[REG_RCX] = 0xffffffff00000003ULL;
	fake_vcpu(cpu)->regs[REG_RFLAGS] = RFLAGS_FIXED1 | RFLAGS_DF;
	ck_assert_int_eq(RUN(DEV + 6, 0, 1, 0xf3, 0x67, 0x66, 0xab), ACT_RESUME);
	ck_assert_uint_eq(get_dev(0, 8), 0x1234123412340000ULL);
	ck_assert_uint_eq(cpu->gpr[REG_RDI], DEV);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 0);
	/* lodsb from the device */
	fake_vcpu(cpu)->regs[REG_RFLAGS] = RFLAGS_FIXED1;
	cpu->gpr[REG_RSI] = DEV + 2;
	ck_assert_int_eq(RUN(DEV + 2, 1, 0, 0xac), ACT_RESUME);
	ck_assert_uint_eq(cpu->gpr[REG_RAX], 0xaaaa1234);
	ck_assert_uint_eq(cpu->gpr[REG_RSI], DEV + 3);
	/* rep with a count of zero does nothing */
	cpu->gpr[REG_RCX] = 0;
	ck_assert_int_eq(RUN(DEV, 0, 1, 0xf3, 0xaa), ACT_RESUME);
	ck_assert_uint_eq(rip(), RIP_START + 2);
	ck_assert_uint_eq(n_writes, 3);
}
END_TEST

/* Device to device at the same page offset: the kind of access tells which page was which. */
START_TEST(string_between_devices)
{
	uint64_t v = 0xfeed;

	setup();
	memcpy(dev_mem + 0x40, &v, 8);
	cpu->gpr[REG_RSI] = DEV + 0x40;
	cpu->gpr[REG_RDI] = DEV + 0x1040;
	ck_assert_int_eq(RUN(DEV + 0x40, 1, 0, 0x48, 0xa5), ACT_RESUME);
	ck_assert_uint_eq(get_dev(0x1040, 8), v);
	/* The source in RAM, the destination a device, both at offset 0x40. */
	v = 0xbeef;
	put_ram(DATA + 0x40, &v, 8);
	cpu->gpr[REG_RSI] = DATA + 0x40;
	cpu->gpr[REG_RDI] = DEV + 0x40;
	ck_assert_int_eq(RUN(DEV + 0x40, 0, 1, 0x48, 0xa5), ACT_RESUME);
	ck_assert_uint_eq(get_dev(0x40, 8), v);
}
END_TEST

START_TEST(string_fault_keeps_progress)
{
	uint64_t none = 0;

	setup();
	put_ram(TABLES + 0x2000 + 8, &none, 8); /* 0x200000-0x3fffff is not present */
	cpu->gpr[REG_RSI] = 0x200000 - 8;
	cpu->gpr[REG_RDI] = DEV;
	cpu->gpr[REG_RCX] = 5;
	ck_assert_int_eq(RUN(DEV, 0, 1, 0xf3, 0xa5), ACT_FAULT);
	ck_assert_uint_eq(cpu->pending.vector, X86_PF);
	ck_assert_uint_eq(cpu->pending.error, 0);
	ck_assert_uint_eq(cpu->gpr[REG_RCX], 3);
	ck_assert_uint_eq(cpu->gpr[REG_RSI], 0x200000);
	ck_assert_uint_eq(cpu->gpr[REG_RDI], DEV + 8);
	ck_assert_uint_eq(rip(), RIP_START);
}
END_TEST

UNIT_MAIN("mmio_string", tcase_add_test(tc, string_batches); tcase_add_test(tc, string_single_step);
          tcase_add_test(tc, string_directions); tcase_add_test(tc, string_between_devices);
          tcase_add_test(tc, string_fault_keeps_progress);)
