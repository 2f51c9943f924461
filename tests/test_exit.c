// SPDX-License-Identifier: BSD-2-Clause
// From exit reasons and qualifications to neutral requests: exit.c and its decoders.
#include "tests/fake/host_fake.h"
#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"
#include "vmx/exit.h"
#include <string.h>

static struct vcpu *vcpu;

static void setup(void)
{
	vcpu = fake_vmx_vm(SIZE_2M, 1, 0)->vcpus[0];
	fake_vmx_long_mode(vcpu);
	fake_vmcs[VMCS_EXIT_INSN_LEN] = 3;
}

static struct vcpu_exit *decode(uint32_t reason, uint64_t qual)
{
	memset(&vcpu->exit, 0xee, sizeof(vcpu->exit)); /* what the exit before left */
	fake_vmcs[VMCS_EXIT_QUALIFICATION] = qual;
	fake_vmcs[VMCS_EXIT_REASON] = reason;
	vmx_exited(vcpu);
	ck_assert_uint_eq(vcpu->exit.raw_reason, reason & 0xffff);
	return &vcpu->exit;
}

/* [SDM3] table "VMX Basic Exit Reasons": the kind of each. */
static const struct {
	uint32_t reason;
	enum exit_kind kind;
} kinds[] = {
        {0, EXIT_EXCEPTION},
        {1, EXIT_NONE},
        {2, EXIT_TRIPLE_FAULT},
        {3, EXIT_SIGNAL},
        {4, EXIT_SIGNAL},
        {5, EXIT_FAILED},
        {6, EXIT_FAILED},
        {7, EXIT_NONE},
        {8, EXIT_NONE},
        {9, EXIT_TASK_SWITCH},
        {10, EXIT_CPUID},
        {11, EXIT_UNDEFINED},
        {12, EXIT_HLT},
        {13, EXIT_CACHE},
        {14, EXIT_PRIVILEGED},
        {15, EXIT_PRIVILEGED},
        {16, EXIT_FAILED},
        {17, EXIT_UNDEFINED},
        {18, EXIT_HYPERCALL},
        {19, EXIT_UNDEFINED},
        {20, EXIT_UNDEFINED},
        {21, EXIT_UNDEFINED},
        {22, EXIT_UNDEFINED},
        {23, EXIT_UNDEFINED},
        {24, EXIT_UNDEFINED},
        {25, EXIT_UNDEFINED},
        {26, EXIT_UNDEFINED},
        {27, EXIT_UNDEFINED},
        {28, EXIT_CR},
        {29, EXIT_DR},
        {30, EXIT_IO},
        {31, EXIT_RDMSR},
        {32, EXIT_WRMSR},
        {33, EXIT_FAILED},
        {34, EXIT_FAILED},
        {35, EXIT_FAILED},
        {36, EXIT_MWAIT},
        {37, EXIT_FAILED},
        {39, EXIT_MWAIT},
        {40, EXIT_PAUSE},
        {41, EXIT_FAILED},
        {43, EXIT_TPR_BELOW},
        {44, EXIT_MEM},
        {45, EXIT_EOI},
        {46, EXIT_FAILED},
        {47, EXIT_FAILED},
        {48, EXIT_MEM},
        {49, EXIT_FAILED},
        {50, EXIT_UNDEFINED},
        {51, EXIT_UNDEFINED},
        {52, EXIT_NONE},
        {53, EXIT_UNDEFINED},
        {54, EXIT_CACHE},
        {55, EXIT_XSETBV},
        {56, EXIT_APIC_WRITE},
        {57, EXIT_FAILED},
        {58, EXIT_UNDEFINED},
        {59, EXIT_UNDEFINED},
        {60, EXIT_UNDEFINED},
        {61, EXIT_FAILED},
        {62, EXIT_FAILED},
        {63, EXIT_UNDEFINED},
        {64, EXIT_UNDEFINED},
        {65, EXIT_FAILED},
        {69, EXIT_FAILED},
        {70, EXIT_FAILED},
        {0xffff, EXIT_FAILED},
        {BIT(31) | 33, EXIT_FAILED},
        {BIT(31) | 10, EXIT_FAILED},
};

START_TEST(reasons)
{
	fake_vmcs[VMCS_EXIT_INTR_INFO] = 0x80000306;
	ck_assert_int_eq(decode(kinds[_i].reason, 0)->kind, kinds[_i].kind);
	/* Who skips the instruction reads how long it is. */
	ck_assert_uint_eq(fake_vmcs_reads(VMCS_EXIT_INSN_LEN), kinds[_i].kind == EXIT_TASK_SWITCH);
}
END_TEST

/* A nested host charges for each VMREAD: the frequent exits read what they need. */
static const struct {
	uint32_t reason;
	unsigned qual, vectoring;
} cheap[] = {{10, 0, 0}, {12, 0, 0}, {30, 1, 0}, {31, 0, 0}, {32, 0, 0}, {48, 1, 1}, {52, 0, 0}};

START_TEST(nothing_is_read_in_vain)
{
	decode(cheap[_i].reason, 0);
	ck_assert_uint_eq(fake_vmcs_reads(VMCS_EXIT_QUALIFICATION), cheap[_i].qual);
	ck_assert_uint_eq(fake_vmcs_reads(VMCS_IDT_VECTORING_INFO), cheap[_i].vectoring);
	ck_assert_uint_eq(fake_vmcs_all_writes(), 0);
}
END_TEST

/* --- ports --- */

static const struct {
	uint64_t qual;
	uint32_t info;
	uint16_t port;
	uint8_t width;
	bool in, string, rep;
	uint8_t addr_width, seg;
} ios[] = {
        {0x03f80000, 0, 0x3f8, 1, false, false, false, 0, 0},           /* OUT DX, AL */
        {0x03f80008, 0, 0x3f8, 1, true, false, false, 0, 0},            /* IN AL, DX */
        {0x00600048, 0, 0x60, 1, true, false, false, 0, 0},             /* IN AL, 60h */
        {0x01f00001, 0, 0x1f0, 2, false, false, false, 0, 0},           /* OUT DX, AX */
        {0xcfc00003, 0, 0xcfc0, 4, false, false, false, 0, 0},          /* OUT DX, EAX */
        {0xffff000b, 0, 0xffff, 4, true, false, false, 0, 0},           /* IN EAX, DX */
        {0x01f00019, 0x100, 0x1f0, 2, true, true, false, 8, SEG_ES},    /* INSW, 64-bit address */
        {0x01f00039, 0x080, 0x1f0, 2, true, true, true, 4, SEG_ES},     /* REP INSW, 32-bit */
        {0x03f80010, 0x18000, 0x3f8, 1, false, true, false, 2, SEG_DS}, /* OUTSB, 16-bit */
        {0x03f80030, 0x20100, 0x3f8, 1, false, true, true, 8, SEG_FS},  /* REP OUTSB FS: */
        {0x03f80033, 0x08080, 0x3f8, 4, false, true, true, 4, SEG_CS},  /* REP OUTSD CS: */
        {0x03f80010, 0x38000, 0x3f8, 1, false, true, false, 2, SEG_DS}, /* no such segment */
};

START_TEST(port_accesses)
{
	const struct vcpu_exit *e;

	fake_vmcs[VMCS_EXIT_INSN_INFO] = ios[_i].info;
	e = decode(30, ios[_i].qual);
	ck_assert_uint_eq(e->io.port, ios[_i].port);
	ck_assert_uint_eq(e->io.width, ios[_i].width);
	ck_assert_int_eq(e->io.in, ios[_i].in);
	ck_assert_int_eq(e->io.string, ios[_i].string);
	if (ios[_i].string) {
		ck_assert_int_eq(e->io.rep, ios[_i].rep);
		ck_assert_uint_eq(e->io.addr_width, ios[_i].addr_width);
		ck_assert_uint_eq(e->io.seg, ios[_i].seg);
	}
	ck_assert_uint_eq(fake_vmcs_reads(VMCS_EXIT_INSN_INFO), ios[_i].string);
}
END_TEST

/* --- control and debug registers --- */

static const struct {
	uint64_t qual;
	uint8_t cr, reg;
	bool write, clts, lmsw;
	uint16_t lmsw_value;
} crs[] = {
        {0x000, 0, REG_RAX, true, false, false, 0},  /* MOV CR0, RAX */
        {0x303, 3, REG_RBX, true, false, false, 0},  /* MOV CR3, RBX */
        {0x413, 3, REG_RSP, false, false, false, 0}, /* MOV RSP, CR3 */
        {0xf04, 4, REG_R15, true, false, false, 0},  /* MOV CR4, R15 */
        {0x818, 8, REG_R8, false, false, false, 0},  /* MOV R8, CR8 */
        {0x020, 0, REG_RAX, true, true, false, 0},   /* CLTS */
        {0xabcd0030, 0, REG_RAX, true, false, true, 0xabcd},
        {0x00010070, 0, REG_RAX, true, false, true, 1}, /* LMSW from memory */
};

START_TEST(control_registers)
{
	const struct vcpu_exit *e = decode(28, crs[_i].qual);

	ck_assert_uint_eq(e->cr.cr, crs[_i].cr);
	ck_assert_int_eq(e->cr.write, crs[_i].write);
	ck_assert_int_eq(e->cr.clts, crs[_i].clts);
	ck_assert_int_eq(e->cr.lmsw, crs[_i].lmsw);
	if (crs[_i].lmsw) {
		ck_assert_uint_eq(e->cr.lmsw_value, crs[_i].lmsw_value);
	} else if (!crs[_i].clts) {
		ck_assert_uint_eq(e->cr.reg, crs[_i].reg);
	}
}
END_TEST

START_TEST(debug_registers)
{
	for (unsigned dr = 0; dr < 8; dr++) {
		for (unsigned reg = 0; reg < 16; reg++) {
			const struct vcpu_exit *e = decode(29, dr | reg << 8 | (dr & 1) << 4);

			ck_assert_uint_eq(e->dr.dr, dr);
			ck_assert_uint_eq(e->dr.reg, reg);
			ck_assert_int_eq(e->dr.write, !(dr & 1));
		}
	}
}
END_TEST

/* --- memory --- */

static const struct {
	uint64_t qual;
	bool read, write, fetch, mapped, in_walk;
} violations[] = {
        {0x181, true, false, false, false, false}, {0x182, false, true, false, false, false},
        {0x184, false, false, true, false, false},
        {0x183, true, true, false, false, false}, /* a locked access */
        {0x18a, false, true, false, true, false}, /* readable, written */
        {0x19c, false, false, true, true, false}, /* RW, fetched */
        {0x1a4, false, false, true, true, false},
        {0x081, true, false, false, false, true},  /* reading a page table */
        {0x0ba, false, true, false, true, true},   /* setting its accessed bit */
        {0x001, true, false, false, false, false}, /* no linear address: a PDPTE load */
};

START_TEST(ept_violations)
{
	const struct vcpu_exit *e;

	fake_vmcs[VMCS_GUEST_PHYSICAL_ADDR] = 0xfec00010;
	e = decode(48, violations[_i].qual);
	ck_assert_uint_eq(e->mem.gpa.v, 0xfec00010);
	ck_assert_int_eq(e->mem.read, violations[_i].read);
	ck_assert_int_eq(e->mem.write, violations[_i].write);
	ck_assert_int_eq(e->mem.fetch, violations[_i].fetch);
	ck_assert_int_eq(e->mem.mapped, violations[_i].mapped);
	ck_assert_int_eq(e->mem.in_walk, violations[_i].in_walk);
}
END_TEST

/* [SDM3] table "Exit Qualification for APIC-Access VM Exits": type in bits 15:12. */
static const struct {
	uint64_t qual;
	bool read, write, fetch, in_walk;
} apics[] = {
        {0x0020, true, false, false, false},
        {0x10b0, false, true, false, false},
        {0x2000, false, false, true, false},
        {0x3300, false, false, false, true},
        {0xa300, false, false, false, true},
        {0xf300, false, false, false, true},
};

START_TEST(apic_accesses)
{
	const struct vcpu_exit *e = decode(44, apics[_i].qual);

	ck_assert_uint_eq(e->mem.gpa.v, 0xfee00000 + (apics[_i].qual & 0xfff));
	ck_assert_int_eq(e->mem.read, apics[_i].read);
	ck_assert_int_eq(e->mem.write, apics[_i].write);
	ck_assert_int_eq(e->mem.fetch, apics[_i].fetch);
	ck_assert_int_eq(e->mem.in_walk, apics[_i].in_walk);
	ck_assert(!e->mem.mapped);
}
END_TEST

START_TEST(small_qualifications)
{
	ck_assert_uint_eq(decode(56, 0x304)->apic.offset, 0x300);
	ck_assert_uint_eq(decode(45, 0x41)->eoi.vector, 0x41);
	ck_assert_uint_eq(decode(9, 0x40000018)->task.selector, 0x18);
	ck_assert_uint_eq(vcpu->exit.task.source, 1);
	ck_assert_uint_eq(decode(9, 0xc0000020)->task.source, 3);
	fake_vmcs[VMCS_GUEST_PHYSICAL_ADDR] = 0x1234000;
	ck_assert_uint_eq(decode(49, 0)->mem.gpa.v, 0x1234000);
}
END_TEST

/* --- events --- */

START_TEST(exceptions)
{
	const struct vcpu_exit *e;

	fake_vmcs[VMCS_EXIT_INTR_INFO] = 0x80000b11; /* #AC with an error code */
	fake_vmcs[VMCS_EXIT_INTR_ERROR] = 0x5a;
	e = decode(0, 0);
	ck_assert_int_eq(e->kind, EXIT_EXCEPTION);
	ck_assert_uint_eq(e->exception.vector, X86_AC);
	ck_assert(e->exception.has_error);
	ck_assert_uint_eq(e->exception.error, 0x5a);
	fake_vmcs[VMCS_EXIT_INTR_INFO] = 0x80000301; /* #DB: the qualification is DR6's news */
	e = decode(0, 0x4002);
	ck_assert_uint_eq(e->exception.vector, X86_DB);
	ck_assert(!e->exception.has_error);
	ck_assert_uint_eq(e->exception.error, 0);
	ck_assert_uint_eq(e->exception.dr6, 0x4002);
}
END_TEST

START_TEST(the_hosts_own)
{
	fake_vmcs[VMCS_EXIT_INTR_INFO] = 0x80000202;
	ck_assert_int_eq(decode(0, 0)->kind, EXIT_NONE);
	ck_assert_uint_eq(fake_host.nmis, 1);
	fake_vmcs[VMCS_EXIT_INTR_INFO] = 0x800000f1;
	ck_assert_int_eq(decode(1, 0)->kind, EXIT_NONE);
	ck_assert_uint_eq(fake_host.interrupts, 1);
	ck_assert_uint_eq(fake_host.last_interrupt, 0xf1);
	if (setjmp(fake_end) == 0) {
		fake_vmcs[VMCS_EXIT_INTR_INFO] = 0x80000312;
		decode(0, 0);
	}
	ck_assert_int_eq(fake_end_reason, FAKE_END_PANIC);
}
END_TEST

/* INT1 traps without a bit in DR6: it goes back as the instruction it is. */
START_TEST(int1)
{
	fake_vmcs[VMCS_EXIT_INTR_INFO] = 0x80000501;
	fake_vmcs[VMCS_EXIT_INSN_LEN] = 1;
	ck_assert_int_eq(decode(0, 0)->kind, EXIT_NONE);
	ck_assert_int_eq(vcpu->pending.type, EVENT_PRIV_SOFT_EXCEPTION);
	ck_assert_uint_eq(vcpu->pending.vector, 1);
	ck_assert_uint_eq(vcpu->pending.insn_len, 1);
}
END_TEST

/* An exit in the middle of a delivery: the event waits for the next entry. */
static const uint32_t interrupted_by[] = {0, 9, 44, 48, 49};

START_TEST(a_broken_off_delivery)
{
	fake_vmcs[VMCS_EXIT_INTR_INFO] = 0x80000b11;
	fake_vmcs[VMCS_IDT_VECTORING_INFO] = 0x80000480;
	fake_vmcs[VMCS_EXIT_INSN_LEN] = 2;
	decode(interrupted_by[_i], 0x181);
	ck_assert_int_eq(vcpu->pending.type, EVENT_SOFT_INTERRUPT);
	ck_assert_uint_eq(vcpu->pending.vector, 0x80);
	ck_assert_uint_eq(vcpu->pending.insn_len, 2);
	/* Not valid: nothing. */
	vcpu->pending.type = EVENT_NONE;
	fake_vmcs[VMCS_IDT_VECTORING_INFO] = 0x480;
	decode(interrupted_by[_i], 0x181);
	ck_assert_int_eq(vcpu->pending.type, EVENT_NONE);
}
END_TEST

/* [SDM3] "NMI unblocking due to IRET": bit 12, unless a delivery was broken off (or #DF). */
static const struct {
	uint32_t reason;
	uint64_t qual;
	uint32_t info, vectoring;
	bool blocked;
} irets[] = {
        {48, 0x1181, 0, 0, true},
        {48, 0x0181, 0, 0, false},
        {48, 0x1181, 0, 0x80000020, false},
        {0, 0, 0x80001b11, 0, true},
        {0, 0, 0x80000b11, 0, false},
        {0, 0, 0x80001b11, 0x8000030d, false},
        {0, 0, 0x80001b08, 0, false},
};

START_TEST(nmi_unblocking_by_iret)
{
	fake_vmcs[VMCS_EXIT_INTR_INFO] = irets[_i].info;
	fake_vmcs[VMCS_IDT_VECTORING_INFO] = irets[_i].vectoring;
	decode(irets[_i].reason, irets[_i].qual);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTERRUPTIBILITY], irets[_i].blocked ? 8 : 0);
}
END_TEST

/* Who calls: seen by CS alone, and in doubt not at all. */
static const struct {
	uint64_t efer;
	uint32_t cs;
	bool kernel64;
} callers[] = {
        {EFER_LME | EFER_LMA, 0xa09b, true},
        {EFER_LME | EFER_LMA | EFER_NXE, 0xa099, true},
        {EFER_LME | EFER_LMA, 0xa0fb, false}, /* CPL 3 */
        {EFER_LME | EFER_LMA, 0xa0bb, false}, /* CPL 1 */
        {EFER_LME | EFER_LMA, 0xa09f, false}, /* conforming: SS has the CPL */
        {EFER_LME | EFER_LMA, 0xc09b, false}, /* compatibility mode */
        {EFER_LME, 0xa09b, false},            /* L means nothing */
        {0, 0xa09b, false},
};

START_TEST(vmcall)
{
	vcpu->gpr[REG_RAX] = 0x1122334455667788;
	vcpu->gpr[REG_RCX] = 0x99aabbccddeeff00;
	vmx_set_reg(vcpu, REG_EFER, callers[_i].efer);
	fake_vmcs[VMCS_GUEST_CS_RIGHTS] = callers[_i].cs;
	fake_vmcs_forget();
	ck_assert_int_eq(decode(18, 0)->kind, EXIT_HYPERCALL);
	ck_assert_uint_eq(vcpu->exit.call.kernel64, callers[_i].kernel64);
	ck_assert_uint_eq(vcpu->exit.call.rcx, 0x99aabbccddeeff00);
	ck_assert_uint_eq(vcpu->exit.raw_reason, 18);
	ck_assert_uint_eq(fake_vmcs_reads(VMCS_GUEST_CS_RIGHTS), 1);
	ck_assert_uint_eq(fake_vmcs_reads(VMCS_GUEST_EFER), 0);
}
END_TEST

UNIT_MAIN("exit", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, reasons, 0, ARRAY_SIZE(kinds));
          tcase_add_loop_test(tc, nothing_is_read_in_vain, 0, ARRAY_SIZE(cheap));
          tcase_add_loop_test(tc, port_accesses, 0, ARRAY_SIZE(ios));
          tcase_add_loop_test(tc, control_registers, 0, ARRAY_SIZE(crs));
          tcase_add_test(tc, debug_registers);
          tcase_add_loop_test(tc, ept_violations, 0, ARRAY_SIZE(violations));
          tcase_add_loop_test(tc, apic_accesses, 0, ARRAY_SIZE(apics));
          tcase_add_test(tc, small_qualifications); tcase_add_test(tc, exceptions);
          tcase_add_test(tc, the_hosts_own); tcase_add_test(tc, int1);
          tcase_add_loop_test(tc, a_broken_off_delivery, 0, ARRAY_SIZE(interrupted_by));
          tcase_add_loop_test(tc, nmi_unblocking_by_iret, 0, ARRAY_SIZE(irets));
          tcase_add_loop_test(tc, vmcall, 0, ARRAY_SIZE(callers));)
