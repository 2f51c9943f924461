// SPDX-License-Identifier: BSD-2-Clause
// Switching the machine off, and resetting it.
// Specs: [ACPI] "Transitioning from the Working to the Soft Off State", "Reset Register";
// [BOCHS] "shutdown port 0x8900"; [QEMU] ICH9 power management at 0x600.
#include "vmm/hw/power_hw.h"
#include "vmm/hw/acpi.h"
#include "vmm/hw/apic_hw.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/console_hw.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/panic.h"
#include "vmm/hw/trap_hw.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/log.h"

#define SLP_TYP_SHIFT 10
#define SLP_EN BIT(13)
#define BOCHS_PORT 0x8900
#define QEMU_Q35_PM1_CNT 0x604
#define DEBUG_PORT 0xe9

/* Without a clock (a panic in early boot) it is a matter of trying. */
static void wait_ms(unsigned ms)
{
	if (clock_tsc_hz()) {
		clock_delay_us(ms * 1000ULL);
		return;
	}
	for (unsigned i = 0; i < ms * 1000; i++) {
		(void)cpu_in8(0x80);
	}
}

void power_stop_others(void)
{
	trap_park_on_nmi();
	apic_send_nmi_others();
	wait_ms(10);
}

void power_off_emulator(void)
{
	/*
	 * On a real machine any of these ports could be anybody's. Bochs: the debug port reads
	 * as its number, or acpi_parse() has run and found no tables. QEMU: the hypervisor bit.
	 */
	bool no_tables = acpi.lapic_base != 0 && !acpi.present;

	if (cpu_in8(DEBUG_PORT) == DEBUG_PORT || no_tables) {
		for (const char *s = "Shutdown"; *s; s++) {
			cpu_out8(BOCHS_PORT, (uint8_t)*s);
		}
	}
	if (cpu_cpuid(1, 0).ecx & BIT(31)) {
		cpu_out16(QEMU_Q35_PM1_CNT, SLP_EN);
	}
}

static void acpi_s5(void)
{
	if (!acpi.s5_valid || !acpi.pm1a_cnt_port) {
		return;
	}
	cpu_out16(acpi.pm1a_cnt_port,
	        (uint16_t)((cpu_in16(acpi.pm1a_cnt_port) & 0x203) | /* SCI_EN, GBL_RLS, as they
	                                                               are */
	                   (uint16_t)(acpi.s5_slp_typ_a << SLP_TYP_SHIFT) | SLP_EN));
	if (acpi.pm1b_cnt_port) {
		cpu_out16(acpi.pm1b_cnt_port,
		        (uint16_t)((cpu_in16(acpi.pm1b_cnt_port) & 0x203) |
		                   (uint16_t)(acpi.s5_slp_typ_b << SLP_TYP_SHIFT) | SLP_EN));
	}
	wait_ms(500);
}

__noreturn void machine_poweroff(void)
{
	power_stop_others();
	console_panic_begin();
	console_flush();
	acpi_s5();
	power_off_emulator();
	log_info("The machine cannot switch itself off: do it by hand.");
	console_flush();
	cpu_halt_forever();
}

__noreturn void machine_reset(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} no_idt = {0, 0};

	power_stop_others();
	console_panic_begin();
	console_flush();
	if (acpi.reset_port) {
		cpu_out8(acpi.reset_port, acpi.reset_value);
		wait_ms(50);
	}
	/* The PCI chip set's reset control register, then the keyboard controller. */
	cpu_out8(0xcf9, 0x02);
	cpu_out8(0xcf9, 0x06);
	wait_ms(50);
	cpu_out8(0x64, 0xfe);
	wait_ms(50);
	/* A triple fault. */
	asm volatile("lidt %0; int3" ::"m"(no_idt));
	cpu_halt_forever();
}
