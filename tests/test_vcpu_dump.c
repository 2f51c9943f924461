// SPDX-License-Identifier: BSD-2-Clause
// A vCPU in words: every register by name with its value, flags in letters, what waits for it.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/log.h"
#include "vmm/vcpu_dump.h"
#include "vmm/x86.h"
#include <stdio.h>
#include <string.h>

static struct vcpu *vcpu;
static struct fake_vcpu *f;

static void setup(void)
{
	vcpu = fake_vm(2 << 20, 2)->vcpus[1];
	f = fake_vcpu(vcpu);
	fake_long_mode(vcpu, 0x1000);
	fake_clock_set(0);
	log_set_level(LOG_INFO);
	fake_log_clear();
}

#define says(text) ck_assert_msg(fake_log_count(text) == 1, "%s in\n%s", text, fake_log_text())

START_TEST(registers)
{
	static const char *const names[] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
	        "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15"};

	for (unsigned i = 0; i < REG_GPR_COUNT; i++) {
		vcpu->gpr[i] = 0x1111000000000000ULL + i;
	}
	for (unsigned i = 0; i < REG_COUNT; i++) {
		f->regs[i] = i == REG_RSP ? 0x1111000000000000ULL + i : 0x2222000000000000ULL + i;
	}
	vcpu_dump(vcpu, &out_log);
	for (unsigned i = 0; i < REG_GPR_COUNT; i++) {
		char want[32];

		snprintf(want, sizeof(want), "%s 1111%012x", names[i], i);
		says(want);
	}
	says("  RIP 2222000000000010");
	says("RFLAGS 2222000000000011");
	says("CR0 2222000000000012");
	says("CR3 2222000000000013");
	says("CR4 2222000000000014");
	says("EFER 2222000000000015");
	says("DR7 2222000000000016");
	says("SYSENTER CS 2222000000000017 ESP 2222000000000018 EIP 2222000000000019");
	says("PAT 222200000000001a");
}
END_TEST

START_TEST(flags_and_segments)
{
	f->regs[REG_RFLAGS] = RFLAGS_FIXED1 | RFLAGS_ZF | RFLAGS_IF | RFLAGS_IOPL;
	f->regs[REG_CR4] |= CR4_OSXSAVE;
	f->segs[SEG_SS].attr |= 3 << SEG_ATTR_DPL_SHIFT;
	f->segs[SEG_FS] = (struct segment){.base = 0xffff888000000000, .unusable = true};
	f->segs[SEG_TR] = (struct segment){.selector = 0x40, .limit = 0x67, .attr = 0x8b};
	f->tables[0] = (struct desc_table){.base = 0xfffffe0000001000, .limit = 0x7f};
	f->tables[1] = (struct desc_table){.base = 0xfffffe0000000000, .limit = 0xfff};
	fake_cr2 = 0xdeadbeef;
	vcpu_dump(vcpu, &out_log);
	says("vm fake vCPU 1: waits for SIPI on CPU 0; 64-bit mode, CPL 3");
	says("RFLAGS 00003242: ZF IF IOPL 3");
	says("CR0 80010031: PE ET NE WP PG");
	says("CR4 00040020: PAE OSXSAVE");
	says("EFER 00000d00: LME LMA NXE");
	says("CR2 00000000deadbeef");
	says("CS   0008 base 0000000000000000 limit ffffffff attr a09b (code, 64-bit, DPL 0)");
	says("SS   0010 base 0000000000000000 limit ffffffff attr c0f3 (data, writable, DPL 3)");
	says("FS   0000 base ffff888000000000 limit 00000000 attr 0000 (null, DPL 0)");
	says("TR   0040 base 0000000000000000 limit 00000067 attr 008b (system, DPL 0)");
	says("GDTR fffffe0000001000 limit 007f  IDTR fffffe0000000000 limit 0fff");
}
END_TEST

START_TEST(modes)
{
	f->segs[SEG_CS].attr = 0xc09b;
	vcpu_dump_short(vcpu, &out_log);
	says("32-bit code");
	f->segs[SEG_CS].attr = 0x809b;
	vcpu_dump_short(vcpu, &out_log);
	says("16-bit protected mode");
	f->regs[REG_RFLAGS] |= RFLAGS_VM;
	vcpu_dump_short(vcpu, &out_log);
	says("virtual-8086 mode");
	f->regs[REG_CR0] = 0;
	vcpu_dump_short(vcpu, &out_log);
	says("real mode");
}
END_TEST

START_TEST(what_waits)
{
	f->regs[REG_RFLAGS] |= RFLAGS_IF;
	vcpu_dump_events(vcpu, &out_log);
	says("pending event: none; NMIs waiting: 0");
	says("blocked: none\n");
	says("window asked for: none\n");
	says("requests: none\n");
	fake_log_clear();
	f->regs[REG_RFLAGS] &= ~RFLAGS_IF;
	f->intr_shadow = f->nmi_blocked = true;
	vcpu->windows = 3;
	vcpu->nmi_pending = 2;
	vcpu->requests = ((1ULL << (VCPU_REQ_YIELD + 1)) - 1) | 1ULL << 40;
	vcpu->held = BIT64(VCPU_REQ_SIPI);
	vcpu->pending = (struct event){
	        .type = EVENT_EXCEPTION, .vector = 14, .has_error = true, .error = 2};
	vcpu_dump_events(vcpu, &out_log);
	says("pending event: exception vector 0e error 2; NMIs waiting: 2");
	says("blocked: IF=0 STI/MOV SS shadow NMI\n");
	says("window asked for: interrupt NMI\n");
	says("requests: irq nmi init sipi flush-guest flush-nested stop resume reset call pv "
	     "pv-idle timer "
	     "yield 40\n");
	says("requests for when it goes on: sipi\n");
	for (unsigned type = EVENT_EXCEPTION; type <= EVENT_NMI; type++) {
		vcpu->pending = (struct event){.type = type, .vector = 3};
		fake_log_clear();
		vcpu_dump_events(vcpu, &out_log);
		says("vector 03 error none");
	}
}
END_TEST

START_TEST(times_and_last_exits)
{
	fake_clock_set(5000000);
	vcpu->exit_tsc = 4000000;
	vcpu->stats.loop_ticks = 3070000;
	vcpu->stats.halted_ticks = 2000;
	vcpu->stats.exit_count[EXIT_IO] = 7;
	vcpu->stats.exit_ticks[EXIT_IO] = 70000;
	vcpu_dump_short(vcpu, &out_log);
	ck_assert_uint_eq(fake_log_count("last exit"), 0);
	vcpu->exit = (struct vcpu_exit){.kind = EXIT_HLT};
	vcpu_record_exit(vcpu, 4000000);
	vcpu_dump_short(vcpu, &out_log);
	says("last exit:   0.001000 s ago  hlt");
	fake_log_clear();
	vcpu_dump(vcpu, &out_log);
	says("in the guest 3000, in the hypervisor 70, asleep 2; 7 exits");
	says("the last exit of any sort was 1000 microseconds ago");
	says("    0.001000 s ago  hlt");
}
END_TEST

/* The log alone is enough, at any level. */
START_TEST(killed)
{
	log_set_level(LOG_ERROR);
	vcpu->kill_reason = "page tables outside its memory";
	vcpu->exit = (struct vcpu_exit){.kind = EXIT_MEM,
	        .mem_access = MEM_ACCESS_READ,
	        .mem = {.gpa = {0xf0000000}, .read = true, .in_walk = true}};
	vcpu_record_exit(vcpu, 0);
	vcpu_dump_killed(vcpu);
	says("vm fake killed: page tables outside its memory");
	says("this exit: memory r 0xf0000000, not by the instruction itself");
	says("  RIP ");
	says("memory       r 0xf0000000\n");
	says("local APIC 1");
	says("the back end's part of vCPU 1");
	vcpu->exit = (struct vcpu_exit){.kind = EXIT_CPUID, .regs = {.eax = 0x4000}};
	vcpu_dump_killed(vcpu);
	says("this exit: cpuid leaf 0x4000 0");
}
END_TEST

UNIT_MAIN("vcpu_dump", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, registers);
          tcase_add_test(tc, flags_and_segments); tcase_add_test(tc, modes);
          tcase_add_test(tc, what_waits); tcase_add_test(tc, times_and_last_exits);
          tcase_add_test(tc, killed);)
