// SPDX-License-Identifier: BSD-2-Clause
// One exit from end to end, as docs/tour.md follows it: OUT 0x3F8 by the processor's numbers,
// through the decoder, the bus and the UART to the backend; and the interrupt's way back.
#include "devices/ioapic.h"
#include "devices/uart16550.h"
#include "tests/fake/host_fake.h"
#include "tests/fake/vmx_fake.h"
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/x86.h"
#include <string.h>

#define COM1 0x3f8ULL

static struct vm *vm;
static struct vcpu *vcpu;
static struct uart16550 uart;
static struct ioapic ioapic;
static char sent[64];
static unsigned n_sent;
static bool room = true;

static bool put(struct chr *chr, uint8_t byte)
{
	(void)chr;
	if (room && n_sent < sizeof(sent) - 1) {
		sent[n_sent++] = (char)byte;
	}
	return room;
}

static const struct chr_ops backend_ops = {.name = "test", .put = put};
static struct chr backend = {.ops = &backend_ops};

static void make(uint32_t off)
{
	vm = fake_vmx_vm(SIZE_2M, 1, off);
	vcpu = vm->vcpus[0];
	fake_vmx_long_mode(vcpu);
	ioapic_init(&ioapic);
	ck_assert_int_eq(ioapic_attach(&ioapic, vm, 0xfec00000, 1), 0);
	ioapic_reset(&ioapic);
	uart16550_init(&uart);
	ck_assert_int_eq(uart16550_attach(&uart, vm, &backend, COM1, 4), 0);
	uart16550_reset(&uart);
	lapic_write(&vcpu->lapic, LAPIC_SVR, 0x1ff);
}

static void setup(void)
{
	make(BIT(VMX_OPT_VID));
}

static void run(const struct fake_exit *exits, unsigned n)
{
	fake_vmx_script(exits, n);
	vcpu_run(vcpu, clock_now() + 1000000);
}

/* OUT DX, AL: one byte long, port in bits 31:16, size 0, direction out. */
static const struct fake_exit out_thr = {.reason = 30, .len = 1, .qual = COM1 << 16};
static const struct fake_exit out_ier = {.reason = 30, .len = 1, .qual = (COM1 + 1) << 16};
static const struct fake_exit in_lsr = {.reason = 30, .len = 1, .qual = (COM1 + 5) << 16 | 8};
static const struct fake_exit in_iir = {.reason = 30, .len = 1, .qual = (COM1 + 2) << 16 | 8};

START_TEST(a_byte_goes_out)
{
	vcpu->gpr[REG_RAX] = 0x1122334455667748; /* 'H' */
	run(&out_thr, 1);
	ck_assert_str_eq(sent, "H");
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_RIP], 0x8001);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 0x1122334455667748);
	ck_assert_uint_eq(vcpu->stats.exit_count[EXIT_IO], 1);
	run(&in_lsr, 1);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 0x1122334455667760); /* THRE, TEMT */
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_RIP], 0x8002);
}
END_TEST

/* REP OUTSB from guest memory: the string's bytes in order, registers behind them. */
START_TEST(a_string_goes_out)
{
	const struct fake_exit outs = {
	        .reason = 30, .len = 2, .qual = COM1 << 16 | 0x30, .info = 0x18100};
	const uint64_t table = 0x87; /* the first GiB as itself: PML4 -> PDPT -> 1 GiB page */
	uint64_t pml4 = 0x11007;

	ck_assert_int_eq(gmem_write(&vm->mem, gpa(0x10000), &pml4, 8), 0);
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(0x11000), &table, 8), 0);
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(0x6000), "Hello", 5), 0);
	vcpu->gpr[REG_RSI] = 0x6000;
	vcpu->gpr[REG_RCX] = 5;
	run(&outs, 1);
	ck_assert_str_eq(sent, "Hello");
	ck_assert_uint_eq(vcpu->gpr[REG_RSI], 0x6005);
	ck_assert_uint_eq(vcpu->gpr[REG_RCX], 0);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_RIP], 0x8002);
}
END_TEST

static void route_gsi4(void)
{
	/* IOAPIC pin 4: vector 0x34, fixed, edge, to APIC 0. */
	io_bus_write(&vm->mmio, 0xfec00000, 4, 0x18);
	io_bus_write(&vm->mmio, 0xfec00010, 4, 0x34);
}

/* The transmitter's interrupt: UART, router, IOAPIC, local APIC, injection; reading IIR ends it. */
START_TEST(the_interrupt_comes_back)
{
	const struct fake_exit exits[] = {out_ier, {.reason = 52}};

	route_gsi4();
	io_bus_write(&vm->pio, COM1 + 4, 1, 8); /* OUT2 gates the line on a PC */
	vcpu->gpr[REG_RAX] = 2;                 /* THRE interrupt on */
	run(exits, 1);
	ck_assert_uint_eq(vcpu->stats.injected_interrupts, 1);
	ck_assert_uint_eq(fake_vmcs[VMCS_ENTRY_INTR_INFO] & 0x7ff, 0x34);
	run(&in_iir, 1);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX] & 0xf, 2);
	run(&in_iir, 1);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX] & 0xf, 1); /* none */
	ck_assert_uint_eq(vcpu->stats.injected_interrupts, 1);
}
END_TEST

/* The guest keeps interrupts off: a window exit is asked for, and delivery follows it. */
static void sti(struct vcpu *v)
{
	(void)v;
	fake_vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_IF;
}

START_TEST(the_interrupt_waits_for_its_window)
{
	const struct fake_exit exits[] = {out_ier, {.reason = 7, .guest = sti}};

	route_gsi4();
	io_bus_write(&vm->pio, COM1 + 4, 1, 8);
	fake_vmcs[VMCS_GUEST_RFLAGS] &= ~RFLAGS_IF;
	vcpu->gpr[REG_RAX] = 2;
	run(exits, 1);
	ck_assert_uint_eq(vcpu->stats.injected_interrupts, 0);
	ck_assert(fake_vmcs[VMCS_PROC_CONTROLS] & PROC_INTR_WINDOW);
	run(&exits[1], 1);
	ck_assert_uint_eq(vcpu->stats.injected_interrupts, 1);
	ck_assert(!(fake_vmcs[VMCS_PROC_CONTROLS] & PROC_INTR_WINDOW));
}
END_TEST

/* The same with the processor delivering. */
START_TEST(the_interrupt_by_the_processor)
{
	make(0);
	route_gsi4();
	io_bus_write(&vm->pio, COM1 + 4, 1, 8);
	vcpu->gpr[REG_RAX] = 2;
	run(&out_ier, 1);
	ck_assert_uint_eq(fake_vmcs[VMCS_GUEST_INTR_STATUS], 0x34);
	ck_assert_uint_eq(vcpu->stats.injected_interrupts, 0);
}
END_TEST

/* HLT until the byte that somebody types arrives. */
START_TEST(a_byte_wakes_the_guest)
{
	const struct fake_exit hlt = {.reason = 12, .len = 1};
	const struct fake_exit in_rbr = {.reason = 30, .len = 1, .qual = COM1 << 16 | 8};

	route_gsi4();
	io_bus_write(&vm->pio, COM1 + 4, 1, 8);
	io_bus_write(&vm->pio, COM1 + 1, 1, 1); /* received data */
	run(&hlt, 1);
	ck_assert_int_eq(vcpu->state, VCPU_HALTED);
	ck_assert(backend.rx_byte(backend.frontend, 'x'));
	run(&in_rbr, 1);
	ck_assert_int_eq(vcpu->state, VCPU_RUNNABLE);
	ck_assert_uint_eq(vcpu->stats.injected_interrupts, 1);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX] & 0xff, 'x');
}
END_TEST

/* A port with nobody behind it. */
START_TEST(an_empty_port)
{
	const struct fake_exit in = {.reason = 30, .len = 2, .qual = 0x12340000 | 0x4b};

	run(&in, 1);
	ck_assert_uint_eq(vcpu->gpr[REG_RAX], 0xffffffff);
}
END_TEST

UNIT_MAIN("exit_path", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, a_byte_goes_out); tcase_add_test(tc, a_string_goes_out);
          tcase_add_test(tc, the_interrupt_comes_back);
          tcase_add_test(tc, the_interrupt_waits_for_its_window);
          tcase_add_test(tc, the_interrupt_by_the_processor);
          tcase_add_test(tc, a_byte_wakes_the_guest); tcase_add_test(tc, an_empty_port);)
