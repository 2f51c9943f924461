// SPDX-License-Identifier: BSD-2-Clause
// Control and debug registers, EFER, XCR0: tables of legal and illegal moves.
#include "tests/cpu_models.h"
#include "tests/unit.h"
#include "vmm/cpuid_policy.h"
#include "vmm/cr.h"

#define PDPT 0x3000ULL
#define REAL (CR0_ET)
#define PROT (CR0_PE | CR0_ET)
#define PAGED (CR0_PE | CR0_ET | CR0_PG)
#define CODE16 0x009bU
#define CODE32 0xc09bU
#define CODE64 0xa09bU
#define TSS16 0x0083U
#define TSS32 0x008bU

static struct vm *vm;
static struct vcpu *vcpu;
static struct fake_vcpu *f;

static void setup(void)
{
	struct virt_caps caps = cpu_model_caps();

	cpu_model_skylake_x();
	cpuid_policy_init(&caps, 0, 0);
	vm = fake_vm(SIZE_2M, 1);
	vcpu = vm->vcpus[0];
	f = fake_vcpu(vcpu);
	f->segs[SEG_TR].attr = TSS32;
	f->segs[SEG_CS].attr = CODE32;
}

static void state(uint64_t cr0, uint64_t cr4, uint64_t efer, uint16_t code)
{
	f->regs[REG_CR0] = cr0;
	f->regs[REG_CR4] = cr4;
	f->regs[REG_EFER] = efer;
	f->segs[SEG_CS].attr = code;
}

/* The fault that was queued, -1 = none. */
static int fault(void)
{
	return vcpu->pending.type == EVENT_EXCEPTION ? vcpu->pending.vector : -1;
}

struct move {
	const char *what;
	uint64_t cr0, cr4, efer;
	uint16_t code;
	uint64_t value;
	bool ok;
	uint64_t result, efer_result;
	bool flush;
};

static void check_move(unsigned cr, enum vcpu_reg reg, const struct move *m)
{
	enum exit_action action;
	uint64_t before;

	state(m->cr0, m->cr4, m->efer, m->code);
	before = f->regs[reg];
	f->flushes = 0;
	action = cr_write(vcpu, cr, m->value);
	ck_assert_msg(action == (m->ok ? ACT_SKIP : ACT_FAULT), "%s: action %d", m->what, action);
	ck_assert_msg(fault() == (m->ok ? -1 : X86_GP), "%s: fault %d", m->what, fault());
	ck_assert_msg(f->regs[reg] == (m->ok ? m->result : before), "%s: register 0x%llx", m->what,
	        (unsigned long long)f->regs[reg]);
	ck_assert_msg(f->regs[REG_EFER] == (m->ok ? m->efer_result : m->efer), "%s: EFER 0x%llx",
	        m->what, (unsigned long long)f->regs[REG_EFER]);
	ck_assert_msg((f->flushes > 0) == m->flush, "%s: flush", m->what);
}

static const struct move cr0_moves[] = {
        {"PE on", REAL, 0, 0, CODE16, CR0_PE, true, PROT, 0, false},
        {"PG without PE", REAL, 0, 0, CODE16, CR0_PG, false, 0, 0, false},
        {"NW without CD", PROT, 0, 0, CODE32, CR0_PE | CR0_NW, false, 0, 0, false},
        {"CD and NW", PROT, 0, 0, CODE32, CR0_PE | CR0_CD | CR0_NW, true, PROT | CR0_CD | CR0_NW, 0,
                false},
        {"CD alone", PROT, 0, 0, CODE32, CR0_PE | CR0_CD, true, PROT | CR0_CD, 0, false},
        {"reserved low bits", PROT, 0, 0, CODE32, CR0_PE | 0x1ffaffc0, true, PROT, 0, false},
        {"reserved high bits", PROT, 0, 0, CODE32, CR0_PE | BIT64(32), false, 0, 0, false},
        {"ET stays", PROT, 0, 0, CODE32, 0, true, CR0_ET, 0, false},
        {"32-bit paging", PROT, 0, 0, CODE32, PAGED, true, PAGED, 0, true},
        {"32-bit paging off", PAGED, 0, 0, CODE32, PROT, true, PROT, 0, true},
        {"WP alone", PAGED, 0, 0, CODE32, PAGED | CR0_WP, true, PAGED | CR0_WP, 0, false},
        {"long mode on", PROT, CR4_PAE, EFER_LME, CODE32, PAGED, true, PAGED, EFER_LME | EFER_LMA,
                true},
        {"long mode without PAE", PROT, 0, EFER_LME, CODE32, PAGED, false, 0, 0, false},
        {"long mode from CS.L", PROT, CR4_PAE, EFER_LME, CODE64, PAGED, false, 0, 0, false},
        {"long mode off, compatibility", PAGED, CR4_PAE, EFER_LME | EFER_LMA, CODE32, PROT, true,
                PROT, EFER_LME, true},
        {"long mode off from 64-bit code", PAGED, CR4_PAE, EFER_LME | EFER_LMA, CODE64, PROT, false,
                0, 0, false},
        {"paging off with PCIDE", PAGED, CR4_PAE | CR4_PCIDE, EFER_LME | EFER_LMA, CODE32, PROT,
                false, 0, 0, false},
        {"TS in long mode", PAGED, CR4_PAE, EFER_LME | EFER_LMA, CODE64, PAGED | CR0_TS, true,
                PAGED | CR0_TS, EFER_LME | EFER_LMA, false},
};

START_TEST(cr0)
{
	check_move(0, REG_CR0, &cr0_moves[_i]);
}
END_TEST

START_TEST(long_mode_wants_a_32_bit_tss)
{
	struct move m = {"TSS", PROT, CR4_PAE, EFER_LME, CODE32, PAGED, false, 0, 0, false};

	f->segs[SEG_TR].attr = TSS16;
	check_move(0, REG_CR0, &m);
}
END_TEST

#define LONG EFER_LME | EFER_LMA

static const struct move cr4_moves[] = {
        {"PAE on", PROT, 0, 0, CODE32, CR4_PAE, true, CR4_PAE, 0, true},
        {"PAE off in long mode", PAGED, CR4_PAE, LONG, CODE64, 0, false, 0, 0, false},
        {"PGE in long mode", PAGED, CR4_PAE, LONG, CODE64, CR4_PAE | CR4_PGE, true,
                CR4_PAE | CR4_PGE, LONG, true},
        {"VMXE", PAGED, CR4_PAE, LONG, CODE64, CR4_PAE | CR4_VMXE, false, 0, 0, false},
        {"LA57", PROT, 0, 0, CODE32, CR4_LA57, false, 0, 0, false},
        {"bit 15", PROT, 0, 0, CODE32, BIT64(15), false, 0, 0, false},
        {"bit 63", PROT, 0, 0, CODE32, BIT64(63), false, 0, 0, false},
        {"PCIDE in long mode", PAGED, CR4_PAE, LONG, CODE64, CR4_PAE | CR4_PCIDE, true,
                CR4_PAE | CR4_PCIDE, LONG, false},
        {"PCIDE outside long mode", PROT, CR4_PAE, 0, CODE32, CR4_PAE | CR4_PCIDE, false, 0, 0,
                false},
        {"PCIDE off", PAGED, CR4_PAE | CR4_PCIDE, LONG, CODE64, CR4_PAE, true, CR4_PAE, LONG, true},
        {"SMEP on", PAGED, CR4_PAE, LONG, CODE64, CR4_PAE | CR4_SMEP, true, CR4_PAE | CR4_SMEP,
                LONG, true},
        {"SMEP off", PAGED, CR4_PAE | CR4_SMEP, LONG, CODE64, CR4_PAE, true, CR4_PAE, LONG, false},
        {"OSXSAVE", PAGED, CR4_PAE, LONG, CODE64, CR4_PAE | CR4_OSXSAVE, true,
                CR4_PAE | CR4_OSXSAVE, LONG, false},
};

START_TEST(cr4)
{
	check_move(4, REG_CR4, &cr4_moves[_i]);
}
END_TEST

START_TEST(pcide_wants_pcid_zero)
{
	struct move m = {
	        "PCIDE", PAGED, CR4_PAE, LONG, CODE64, CR4_PAE | CR4_PCIDE, false, 0, 0, false};

	f->regs[REG_CR3] = 0x1001;
	check_move(4, REG_CR4, &m);
	/* Once it is on, the process-context id does not matter. */
	vcpu->pending.type = EVENT_NONE;
	state(PAGED, CR4_PAE | CR4_PCIDE, LONG, CODE64);
	ck_assert_int_eq(cr_write(vcpu, 4, CR4_PAE | CR4_PCIDE | CR4_SMEP), ACT_SKIP);
}
END_TEST

static const struct move cr3_moves[] = {
        {"long mode", PAGED, CR4_PAE, LONG, CODE64, 0x1000, true, 0x1000, LONG, true},
        {"last address bit", PAGED, CR4_PAE, LONG, CODE64, BIT64(45), true, BIT64(45), LONG, true},
        {"beyond MAXPHYADDR", PAGED, CR4_PAE, LONG, CODE64, BIT64(46), false, 0, 0, false},
        {"no-flush bit without PCIDE", PAGED, CR4_PAE, LONG, CODE64, BIT64(63) | 0x1000, false, 0,
                0, false},
        {"no-flush bit with PCIDE", PAGED, CR4_PAE | CR4_PCIDE, LONG, CODE64, BIT64(63) | 0x1005,
                true, 0x1005, LONG, false},
        {"PCID, flushing", PAGED, CR4_PAE | CR4_PCIDE, LONG, CODE64, 0x1005, true, 0x1005, LONG,
                true},
        {"32-bit paging", PAGED, 0, 0, CODE32, 0xfffff018, true, 0xfffff018, 0, true},
};

START_TEST(cr3)
{
	check_move(3, REG_CR3, &cr3_moves[_i]);
}
END_TEST

/* PDPTEs: what lies at CR3, and whether paging with it may be switched on. */
static const struct {
	uint64_t entry[4];
	bool ok;
} pdpts[] = {
        {{0x1001, 0x2001, 0x3001, 0x4001}, true},
        {{0, 0, 0, 0}, true},
        {{0x1001, 0x1e6, 0, 0}, true}, /* not present: the rest does not matter */
        {{0x1003, 0, 0, 0}, false},
        {{0, 0x1005, 0, 0}, false},
        {{0, 0, 0x1021, 0}, false},
        {{0, 0, 0, 0x1101}, false},
        {{0x1e19, 0, 0, 0}, true}, /* PWT, PCD and ignored bits 9-11 */
        {{BIT64(46) | 1, 0, 0, 0}, false},
        {{BIT64(63) | 1, 0, 0, 0}, false},
};

START_TEST(pae_entries)
{
	bool ok = pdpts[_i].ok;

	ck_assert_int_eq(gmem_write(&vm->mem, gpa(PDPT + 0x20), pdpts[_i].entry, 32), 0);
	/* by CR0.PG */
	state(PROT, CR4_PAE, 0, CODE32);
	f->regs[REG_CR3] = PDPT + 0x20;
	ck_assert_int_eq(cr_write(vcpu, 0, PAGED), ok ? ACT_SKIP : ACT_FAULT);
	ck_assert_uint_eq(f->regs[REG_CR0], ok ? PAGED : PROT);
	if (ok) {
		ck_assert_mem_eq(f->pdptes, pdpts[_i].entry, 32);
	}
	/* by CR3: ignored low bits do not move the table */
	vcpu->pending.type = EVENT_NONE;
	state(PAGED, CR4_PAE, 0, CODE32);
	f->regs[REG_CR3] = 0;
	ck_assert_int_eq(cr_write(vcpu, 3, PDPT + 0x3f), ok ? ACT_SKIP : ACT_FAULT);
	ck_assert_uint_eq(f->regs[REG_CR3], ok ? PDPT + 0x3f : 0);
	/* by CR4.PAE */
	vcpu->pending.type = EVENT_NONE;
	state(PAGED, 0, 0, CODE32);
	f->regs[REG_CR3] = PDPT + 0x20;
	ck_assert_int_eq(cr_write(vcpu, 4, CR4_PAE), ok ? ACT_SKIP : ACT_FAULT);
	ck_assert_uint_eq(f->regs[REG_CR4], ok ? CR4_PAE : 0);
}
END_TEST

START_TEST(pae_entries_outside_ram)
{
	state(PAGED, CR4_PAE, 0, CODE32);
	ck_assert_int_eq(cr_write(vcpu, 3, 0xfffff000), ACT_FAULT);
	ck_assert_int_eq(fault(), X86_GP);
}
END_TEST

START_TEST(cr8)
{
	ck_assert_int_eq(cr_write(vcpu, 8, 15), ACT_SKIP);
	ck_assert_uint_eq(cr_read(vcpu, 8), 15);
	ck_assert_int_eq(cr_write(vcpu, 8, 16), ACT_FAULT);
	ck_assert_uint_eq(cr_read(vcpu, 8), 15);
	vcpu->pending.type = EVENT_NONE;
	ck_assert_int_eq(cr_write(vcpu, 2, 0), ACT_FAULT);
	ck_assert_int_eq(fault(), X86_UD);
}
END_TEST

START_TEST(clts_and_lmsw)
{
	struct vcpu_exit exit = {.kind = EXIT_CR, .cr = {.clts = true, .write = true}};

	state(PAGED | CR0_TS | CR0_WP, CR4_PAE, LONG, CODE64);
	ck_assert_int_eq(cr_handle_exit(vcpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(f->regs[REG_CR0], PAGED | CR0_WP);
	exit.cr.clts = false;
	exit.cr.lmsw = true;
	exit.cr.lmsw_value = 0xfffa; /* PE clear, MP clear, EM clear... and bits above 3 */
	ck_assert_int_eq(cr_handle_exit(vcpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(f->regs[REG_CR0], PAGED | CR0_WP | CR0_TS | CR0_MP);
	exit.cr.lmsw_value = 0;
	ck_assert_int_eq(cr_handle_exit(vcpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(f->regs[REG_CR0], PAGED | CR0_WP);
	state(REAL, 0, 0, CODE16);
	exit.cr.lmsw_value = 1;
	ck_assert_int_eq(cr_handle_exit(vcpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(f->regs[REG_CR0], PROT);
}
END_TEST

START_TEST(moves_use_registers)
{
	struct vcpu_exit exit = {.kind = EXIT_CR, .cr = {.cr = 3, .write = true, .reg = REG_R9}};

	state(PAGED, CR4_PAE, LONG, CODE64);
	vcpu->gpr[REG_R9] = 0x5000;
	ck_assert_int_eq(cr_handle_exit(vcpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(f->regs[REG_CR3], 0x5000);
	exit.cr.write = false;
	exit.cr.reg = REG_RSP;
	ck_assert_int_eq(cr_handle_exit(vcpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(f->regs[REG_RSP], 0x5000);
	/* Outside 64-bit mode the upper half of the register is not there. */
	state(PAGED, CR4_PAE, LONG, CODE32);
	exit = (struct vcpu_exit){.cr = {.cr = 3, .write = true, .reg = REG_RBX}};
	vcpu->gpr[REG_RBX] = 0xffffffff00006000;
	ck_assert_int_eq(cr_handle_exit(vcpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(f->regs[REG_CR3], 0x6000);
}
END_TEST

static const struct {
	uint64_t cr0, old, value;
	bool ok;
	uint64_t result;
} efers[] = {
        {PROT, 0, EFER_LME | EFER_SCE | EFER_NXE, true, EFER_LME | EFER_SCE | EFER_NXE},
        {PAGED, 0, EFER_LME, false, 0},
        {PAGED, EFER_LME | EFER_LMA, EFER_LMA, false, EFER_LME | EFER_LMA},
        {PAGED, EFER_LME | EFER_LMA, EFER_LME | EFER_SCE, true, EFER_LME | EFER_LMA | EFER_SCE},
        {PROT, 0, EFER_LMA, true, 0},
        {PROT, 0, BIT64(12), false, 0},
        {PROT, 0, BIT64(63), false, 0},
        {PROT, 0, BIT64(1), false, 0},
};

START_TEST(efer)
{
	state(efers[_i].cr0, CR4_PAE, efers[_i].old, CODE32);
	ck_assert_int_eq(efer_write(vcpu, efers[_i].value), efers[_i].ok);
	ck_assert_uint_eq(f->regs[REG_EFER], efers[_i].result);
}
END_TEST

static enum exit_action xsetbv(uint32_t index, uint64_t value)
{
	struct vcpu_exit exit = {.kind = EXIT_XSETBV};

	vcpu->pending.type = EVENT_NONE;
	vcpu->gpr[REG_RCX] = index;
	vcpu->gpr[REG_RAX] = (uint32_t)value;
	vcpu->gpr[REG_RDX] = value >> 32;
	return xsetbv_handle_exit(vcpu, &exit);
}

START_TEST(xcr0)
{
	state(PAGED, CR4_PAE, LONG, CODE64);
	ck_assert_int_eq(xsetbv(0, 7), ACT_FAULT);
	ck_assert_int_eq(fault(), X86_UD);
	state(PAGED, CR4_PAE | CR4_OSXSAVE, LONG, CODE64);
	fake_xcr0 = 0;
	ck_assert_int_eq(xsetbv(0, 7), ACT_SKIP);
	ck_assert_uint_eq(vcpu->xcr0, 7);
	ck_assert_uint_eq(fake_xcr0, 7);
	ck_assert_int_eq(xsetbv(1, 7), ACT_FAULT);
	ck_assert_int_eq(fault(), X86_GP);
	ck_assert_int_eq(xsetbv(0, 6), ACT_FAULT);
	ck_assert_int_eq(xsetbv(0, BIT64(63) | 7), ACT_FAULT);
	f->segs[SEG_SS].attr = 0xc0f3;
	ck_assert_int_eq(xsetbv(0, 3), ACT_FAULT);
	ck_assert_int_eq(fault(), X86_GP);
	ck_assert_uint_eq(vcpu->xcr0, 7);
	ck_assert_uint_eq(fake_xcr0, 7);
}
END_TEST

static enum exit_action mov_dr(unsigned dr, bool write, uint64_t value)
{
	struct vcpu_exit exit = {
	        .kind = EXIT_DR, .dr = {.dr = (uint8_t)dr, .write = write, .reg = REG_RAX}};

	vcpu->pending.type = EVENT_NONE;
	vcpu->gpr[REG_RAX] = value;
	return dr_handle_exit(vcpu, &exit);
}

START_TEST(debug_registers)
{
	state(PAGED, CR4_PAE, LONG, CODE64);
	ck_assert_int_eq(mov_dr(2, true, 0xffff800012345678), ACT_SKIP);
	ck_assert_uint_eq(fake_dr[2], 0xffff800012345678);
	ck_assert_int_eq(mov_dr(2, false, 0), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 0xffff800012345678);
	/* DR6 and DR7: fixed bits, and faults on the upper half. */
	ck_assert_int_eq(mov_dr(6, true, 0), ACT_SKIP);
	ck_assert_uint_eq(fake_dr[6], 0xffff0ff0);
	ck_assert_int_eq(mov_dr(6, true, BIT64(32)), ACT_FAULT);
	ck_assert_int_eq(fault(), X86_GP);
	ck_assert_int_eq(mov_dr(7, true, 0xffffffff & ~BIT64(13)), ACT_SKIP);
	ck_assert_uint_eq(f->regs[REG_DR7], 0xffff07ff);
	ck_assert_int_eq(mov_dr(7, true, BIT64(40)), ACT_FAULT);
	/* 4 and 5 are 6 and 7 until CR4.DE. */
	ck_assert_int_eq(mov_dr(5, false, 0), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 0xffff07ff);
	state(PAGED, CR4_PAE | CR4_DE, LONG, CODE64);
	ck_assert_int_eq(mov_dr(5, false, 0), ACT_FAULT);
	ck_assert_int_eq(fault(), X86_UD);
	f->segs[SEG_SS].attr = 0xc0f3;
	ck_assert_int_eq(mov_dr(0, false, 0), ACT_FAULT);
	ck_assert_int_eq(fault(), X86_GP);
}
END_TEST

START_TEST(general_detect)
{
	state(PAGED, CR4_PAE, LONG, CODE64);
	f->regs[REG_DR7] = 0x2400;
	fake_dr[6] = 0xffff0ff0;
	fake_dr[1] = 0x1111;
	ck_assert_int_eq(mov_dr(1, true, 0x2222), ACT_FAULT);
	ck_assert_int_eq(fault(), X86_DB);
	ck_assert_uint_eq(fake_dr[1], 0x1111);
	ck_assert_uint_eq(fake_dr[6], 0xffff2ff0);
	ck_assert_uint_eq(f->regs[REG_DR7], 0x400);
	ck_assert_int_eq(mov_dr(1, true, 0x2222), ACT_SKIP);
	ck_assert_uint_eq(fake_dr[1], 0x2222);
}
END_TEST

static const struct {
	const char *name;
	uint64_t dr7, cr4;
	uint64_t dr0;
	uint16_t port;
	unsigned width;
	bool watches, hit;
} io_points[] = {
        {"the port", 0x20002, CR4_DE, 0x80, 0x80, 1, true, true},
        {"local enable", 0x20001, CR4_DE, 0x80, 0x80, 1, true, true},
        {"not enabled", 0x20000, CR4_DE, 0x80, 0x80, 1, false, false},
        {"a data breakpoint", 0x10002, CR4_DE, 0x80, 0x80, 1, false, false},
        {"without DE", 0x20002, 0, 0x80, 0x80, 1, true, false},
        {"the next port", 0x20002, CR4_DE, 0x80, 0x81, 1, true, false},
        {"a wide access over it", 0x20002, CR4_DE, 0x81, 0x80, 2, true, true},
        {"four ports", 0xe0002, CR4_DE, 0x82, 0x83, 1, true, true}, /* aligned down */
        {"behind them", 0xe0002, CR4_DE, 0x82, 0x84, 1, true, false},
};

START_TEST(io_breakpoints)
{
	state(PAGED, CR4_PAE | io_points[_i].cr4, LONG, CODE64);
	fake_dr[0] = io_points[_i].dr0;
	ck_assert_int_eq(mov_dr(7, true, io_points[_i].dr7), ACT_SKIP);
	ck_assert_msg(vcpu->io_breakpoints == io_points[_i].watches, "%s", io_points[_i].name);
	if (vcpu->io_breakpoints) {
		ck_assert_msg(dr_io_access(vcpu, io_points[_i].port, io_points[_i].width) ==
		                      io_points[_i].hit,
		        "%s", io_points[_i].name);
		ck_assert_uint_eq(f->pending_debug, io_points[_i].hit ? 1 : 0);
	}
	ck_assert_int_eq(mov_dr(7, true, 0x400), ACT_SKIP);
	ck_assert(!vcpu->io_breakpoints);
}
END_TEST

UNIT_MAIN("cr", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, cr0, 0, ARRAY_SIZE(cr0_moves));
          tcase_add_test(tc, long_mode_wants_a_32_bit_tss);
          tcase_add_loop_test(tc, cr4, 0, ARRAY_SIZE(cr4_moves));
          tcase_add_test(tc, pcide_wants_pcid_zero);
          tcase_add_loop_test(tc, cr3, 0, ARRAY_SIZE(cr3_moves));
          tcase_add_loop_test(tc, pae_entries, 0, ARRAY_SIZE(pdpts));
          tcase_add_test(tc, pae_entries_outside_ram); tcase_add_test(tc, cr8);
          tcase_add_test(tc, clts_and_lmsw); tcase_add_test(tc, moves_use_registers);
          tcase_add_loop_test(tc, efer, 0, ARRAY_SIZE(efers)); tcase_add_test(tc, xcr0);
          tcase_add_test(tc, debug_registers);
          tcase_add_loop_test(tc, io_breakpoints, 0, ARRAY_SIZE(io_points));
          tcase_add_test(tc, general_detect);)
