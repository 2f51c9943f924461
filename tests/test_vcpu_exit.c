// SPDX-License-Identifier: BSD-2-Clause
// One exit at a time: fill it in, dispatch, look at the action, the registers, the bus.
#include "tests/cpu_models.h"
#include "tests/unit.h"
#include "vmm/cpuid_policy.h"
#include "vmm/msr.h"
#include <string.h>

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
	fake_long_mode(vcpu, 0x10000);
	f->segs[SEG_SS].attr = 0xc093;
	msr_reset(vcpu, true);
	fake_log_clear();
}

static enum exit_action dispatch(enum exit_kind kind)
{
	struct vcpu_exit exit = {.kind = kind};

	return vcpu_exit_dispatch(vcpu, &exit);
}

static int fault(void)
{
	return vcpu->pending.type == EVENT_EXCEPTION ? vcpu->pending.vector : -1;
}

/* Kinds whose answer does not depend on anything: the action, and the fault it queues. */
static const struct {
	enum exit_kind kind;
	enum exit_action action;
	int fault;
} plain[] = {
        {EXIT_NONE, ACT_RESUME, -1},
        {EXIT_HLT, ACT_HALT, -1},
        {EXIT_PAUSE, ACT_YIELD, -1},
        {EXIT_MWAIT, ACT_FAULT, X86_UD},
        {EXIT_HYPERCALL, ACT_FAULT, X86_UD},
        {EXIT_UNDEFINED, ACT_FAULT, X86_UD},
        {EXIT_PRIVILEGED, ACT_FAULT, X86_GP},
        {EXIT_CACHE, ACT_SKIP, -1},
        {EXIT_TASK_SWITCH, ACT_KILL, -1},
        {EXIT_TRIPLE_FAULT, ACT_SHUTDOWN, -1},
        {EXIT_TPR_BELOW, ACT_RESUME, -1},
        {EXIT_EOI, ACT_RESUME, -1},
        {EXIT_SIGNAL, ACT_RESUME, -1},
        {EXIT_FAILED, ACT_KILL, -1},
};

START_TEST(plain_kinds)
{
	ck_assert_int_eq(dispatch(plain[_i].kind), plain[_i].action);
	ck_assert_int_eq(fault(), plain[_i].fault);
	ck_assert_int_eq(vcpu->kill_reason != NULL, plain[_i].action == ACT_KILL);
	/* #GP has an error code of 0, #UD has none. */
	ck_assert_int_eq(vcpu->pending.has_error, plain[_i].fault == X86_GP);
}
END_TEST

/* HLT sleeps, unless what waits for its window wakes it: a vector above PPR, with IF 1. */
START_TEST(hlt_with_an_interrupt_waiting)
{
	struct lapic *apic = &vcpu->lapic;

	lapic_write(apic, LAPIC_SVR, 0x1ff);
	lapic_write(apic, LAPIC_ICR, 0x44051);
	fake_vcpu(vcpu)->regs[REG_RFLAGS] = RFLAGS_FIXED1;
	event_prepare_entry(vcpu, 0);
	ck_assert_uint_eq(vcpu->attention, 1);
	ck_assert_int_eq(dispatch(EXIT_HLT), ACT_HALT);
	fake_vcpu(vcpu)->regs[REG_RFLAGS] = RFLAGS_FIXED1 | RFLAGS_IF;
	ck_assert_int_eq(dispatch(EXIT_HLT), ACT_SKIP);
	lapic_write(apic, LAPIC_TPR, 0x50);
	ck_assert_int_eq(dispatch(EXIT_HLT), ACT_HALT);
}
END_TEST

START_TEST(every_kind_has_a_name_and_a_handler)
{
	ck_assert_ptr_nonnull(exit_kind_names[_i]);
	for (int i = 0; i < _i; i++) {
		ck_assert_str_ne(exit_kind_names[i], exit_kind_names[_i]);
	}
}
END_TEST

START_TEST(cpuid_fills_four_registers)
{
	vcpu->gpr[REG_RAX] = 0xffffffff40000000;
	vcpu->gpr[REG_RCX] = vcpu->gpr[REG_RBX] = vcpu->gpr[REG_RDX] = ~0ULL;
	ck_assert_int_eq(dispatch(EXIT_CPUID), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 0x40000000);
	ck_assert_uint_eq(vcpu->gpr[REG_RBX], 0x646e6143); /* "Cand" */
	ck_assert_uint_eq(vcpu->gpr[REG_RCX] >> 32, 0);
	ck_assert_uint_eq(vcpu->gpr[REG_RDX] >> 32, 0);
}
END_TEST

START_TEST(msrs_in_edx_eax)
{
	vcpu->gpr[REG_RCX] = 0xdead00000000 | MSR_IA32_LSTAR;
	vcpu->gpr[REG_RAX] = 0xdeadbeef81000000;
	vcpu->gpr[REG_RDX] = 0xdeadbeefffffffff;
	ck_assert_int_eq(dispatch(EXIT_WRMSR), ACT_SKIP);
	vcpu->gpr[REG_RAX] = vcpu->gpr[REG_RDX] = ~0ULL;
	ck_assert_int_eq(dispatch(EXIT_RDMSR), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 0x81000000);
	ck_assert_uint_eq(vcpu->gpr[REG_RDX], 0xffffffff);
}
END_TEST

START_TEST(refused_msrs_change_nothing)
{
	vcpu->gpr[REG_RCX] = 0x480;
	vcpu->gpr[REG_RAX] = 1;
	vcpu->gpr[REG_RDX] = 2;
	ck_assert_int_eq(dispatch(EXIT_RDMSR), ACT_FAULT);
	ck_assert_int_eq(fault(), X86_GP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 1);
	ck_assert_uint_eq(vcpu->gpr[REG_RDX], 2);
	vcpu->pending.type = EVENT_NONE;
	ck_assert_int_eq(dispatch(EXIT_WRMSR), ACT_FAULT);
	ck_assert_int_eq(fault(), X86_GP);
	ck_assert_uint_eq(vcpu->pending.error, 0);
}
END_TEST

START_TEST(registers_reach_their_files)
{
	struct vcpu_exit cr = {.kind = EXIT_CR, .cr = {.cr = 3, .write = true, .reg = REG_RAX}};
	struct vcpu_exit dr = {.kind = EXIT_DR, .dr = {.dr = 3, .write = true, .reg = REG_RAX}};

	vcpu->gpr[REG_RAX] = 0x7000;
	ck_assert_int_eq(vcpu_exit_dispatch(vcpu, &cr), ACT_SKIP);
	ck_assert_uint_eq(f->regs[REG_CR3], 0x7000);
	ck_assert_int_eq(vcpu_exit_dispatch(vcpu, &dr), ACT_SKIP);
	ck_assert_uint_eq(fake_dr[3], 0x7000);
	f->regs[REG_CR4] |= CR4_OSXSAVE;
	vcpu->gpr[REG_RAX] = 3;
	vcpu->gpr[REG_RCX] = vcpu->gpr[REG_RDX] = 0;
	ck_assert_int_eq(dispatch(EXIT_XSETBV), ACT_SKIP);
	ck_assert_uint_eq(vcpu->xcr0, 3);
}
END_TEST

/* --- the bus --- */

static uint64_t bus_value;

static uint64_t bus_read(void *dev, uint64_t offset, unsigned width)
{
	(void)dev;
	(void)width;
	return 0x40 + offset;
}

static void bus_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	(void)dev;
	bus_value = value | offset << 32 | (uint64_t)width << 56;
}

static const struct io_ops bus_ops = {.name = "test", .read = bus_read, .write = bus_write};

START_TEST(ports_reach_the_bus)
{
	struct io_range range = {.base = 0x80, .len = 4, .ops = &bus_ops, .kind = IO_FIXED};
	struct vcpu_exit exit = {.kind = EXIT_IO, .io = {.port = 0x82, .width = 1}};

	ck_assert_int_eq(io_bus_add(&vm->pio, &range), 0);
	vcpu->gpr[REG_RAX] = 0xaa55;
	ck_assert_int_eq(vcpu_exit_dispatch(vcpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(bus_value, 0x55 | 2ULL << 32 | 1ULL << 56);
	exit.io.in = true;
	ck_assert_int_eq(vcpu_exit_dispatch(vcpu, &exit), ACT_SKIP);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 0xaa42);
}
END_TEST

START_TEST(device_memory_is_emulated)
{
	struct io_range range = {.base = 0x300000, .len = 16, .ops = &bus_ops, .kind = IO_FIXED};
	struct vcpu_exit exit = {.kind = EXIT_MEM, .mem = {.gpa = {0x300008}, .write = true}};
	const uint8_t insn[] = {0x89, 0x03}; /* MOV [RBX], EAX */

	ck_assert_int_eq(io_bus_add(&vm->mmio, &range), 0);
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(0x8000), insn, sizeof(insn)), 0);
	f->regs[REG_RIP] = 0x8000;
	vcpu->gpr[REG_RBX] = 0x300008;
	vcpu->gpr[REG_RAX] = 0x11223344;
	ck_assert_int_eq(vcpu_exit_dispatch(vcpu, &exit), ACT_RESUME);
	ck_assert_uint_eq(bus_value, 0x11223344 | 8ULL << 32 | 4ULL << 56);
	ck_assert_uint_eq(f->regs[REG_RIP], 0x8002);
}
END_TEST

START_TEST(memory_that_cannot_be_emulated)
{
	struct vcpu_exit exit = {.kind = EXIT_MEM, .mem = {.gpa = {0x300000}, .fetch = true}};

	ck_assert_int_eq(vcpu_exit_dispatch(vcpu, &exit), ACT_KILL);
	ck_assert_str_eq(vcpu->kill_reason, "instruction fetch outside its memory");
	exit.mem.fetch = false;
	exit.mem.in_walk = true;
	ck_assert_int_eq(vcpu_exit_dispatch(vcpu, &exit), ACT_KILL);
	ck_assert_str_eq(vcpu->kill_reason, "page tables outside its memory");
	/* An event could not be delivered: the instruction at RIP has nothing to do with it. */
	exit.mem.in_walk = false;
	exit.mem.write = true;
	vcpu->pending = (struct event){.type = EVENT_EXTINT, .vector = 0x20};
	ck_assert_int_eq(vcpu_exit_dispatch(vcpu, &exit), ACT_KILL);
	ck_assert_str_eq(vcpu->kill_reason, "descriptor tables or a stack outside its memory");
}
END_TEST

static bool fixes;
static unsigned fix_calls;

static bool fix_fault(struct vm *fixed, gpa_t at, bool fetch)
{
	ck_assert_ptr_eq(fixed, vm);
	ck_assert_uint_eq(at.v, 0x5000);
	ck_assert(fetch);
	fix_calls++;
	return fixes;
}

/* A page that is mapped without a right: the back end may repair that, and is asked only then. */
START_TEST(mapped_memory_is_fixed)
{
	struct cpu_virt_ops ops = *cpu_virt;
	struct vcpu_exit exit = {
	        .kind = EXIT_MEM, .mem = {.gpa = {0x5000}, .fetch = true, .mapped = true}};

	ops.fix_fault = fix_fault;
	cpu_virt = &ops;
	fixes = true;
	ck_assert_int_eq(vcpu_exit_dispatch(vcpu, &exit), ACT_RESUME);
	ck_assert_uint_eq(fix_calls, 1);
	fixes = false;
	ck_assert_int_eq(vcpu_exit_dispatch(vcpu, &exit), ACT_KILL);
	exit.mem.mapped = false;
	ck_assert_int_eq(vcpu_exit_dispatch(vcpu, &exit), ACT_KILL);
	ck_assert_uint_eq(fix_calls, 2);
}
END_TEST

/* --- exceptions --- */

static enum exit_action exception(uint8_t vector, bool has_error, uint32_t error, uint64_t dr6)
{
	struct vcpu_exit exit = {.kind = EXIT_EXCEPTION,
	        .exception = {
	                .vector = vector, .has_error = has_error, .error = error, .dr6 = dr6}};

	return vcpu_exit_dispatch(vcpu, &exit);
}

START_TEST(alignment_check_goes_back)
{
	ck_assert_int_eq(exception(X86_AC, true, 0, 0), ACT_FAULT);
	ck_assert_int_eq(fault(), X86_AC);
	ck_assert(vcpu->pending.has_error);
}
END_TEST

START_TEST(debug_exception_updates_dr6)
{
	fake_dr[6] = 0xffff4ff3; /* BS from before, and two hits */
	f->regs[REG_DR7] = 0x2401;
	f->regs[REG_DEBUGCTL] = 2;
	ck_assert_int_eq(exception(X86_DB, false, 0, 0x4 | BIT64(16)), ACT_FAULT);
	ck_assert_int_eq(fault(), X86_DB);
	ck_assert(!vcpu->pending.has_error);
	ck_assert_uint_eq(fake_dr[6], 0xffff4ff4);
	ck_assert_uint_eq(f->regs[REG_DR7], 0x401);
	ck_assert_uint_eq(f->regs[REG_DEBUGCTL], 0);
}
END_TEST

START_TEST(page_fault_sets_cr2)
{
	ck_assert_int_eq(exception(X86_PF, true, 6, 0xffff888012345678), ACT_FAULT);
	ck_assert_int_eq(fault(), X86_PF);
	ck_assert_uint_eq(vcpu->pending.error, 6);
	ck_assert_uint_eq(fake_cr2, 0xffff888012345678);
}
END_TEST

/* A fault while a fault waits is #DF, and one more the end. */
START_TEST(nested_exceptions_end)
{
	ck_assert_int_eq(exception(X86_PF, true, 0, 0), ACT_FAULT);
	ck_assert_int_eq(exception(X86_PF, true, 0, 0), ACT_FAULT);
	ck_assert_int_eq(fault(), X86_DF);
	ck_assert_int_eq(exception(X86_PF, true, 0, 0), ACT_SHUTDOWN);
}
END_TEST

START_TEST(apic_write_effects)
{
	struct vcpu_exit exit = {.kind = EXIT_APIC_WRITE, .apic = {.offset = LAPIC_TPR}};

	ck_assert_int_eq(vcpu_exit_dispatch(vcpu, &exit), ACT_RESUME);
}
END_TEST

UNIT_MAIN("vcpu_exit", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, plain_kinds, 0, ARRAY_SIZE(plain));
          tcase_add_test(tc, hlt_with_an_interrupt_waiting);
          tcase_add_loop_test(tc, every_kind_has_a_name_and_a_handler, 0, EXIT_KIND_COUNT);
          tcase_add_test(tc, cpuid_fills_four_registers); tcase_add_test(tc, msrs_in_edx_eax);
          tcase_add_test(tc, refused_msrs_change_nothing);
          tcase_add_test(tc, registers_reach_their_files); tcase_add_test(tc, ports_reach_the_bus);
          tcase_add_test(tc, device_memory_is_emulated);
          tcase_add_test(tc, memory_that_cannot_be_emulated);
          tcase_add_test(tc, mapped_memory_is_fixed); tcase_add_test(tc, alignment_check_goes_back);
          tcase_add_test(tc, debug_exception_updates_dr6); tcase_add_test(tc, page_fault_sets_cr2);
          tcase_add_test(tc, nested_exceptions_end); tcase_add_test(tc, apic_write_effects);)
