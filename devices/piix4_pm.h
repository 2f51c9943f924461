/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PIIX4 function 3: ACPI power management - PM1 registers with the SCI, the PM timer, soft-off,
 * the SMI command port.
 *
 * Specs: [PIIX4] "Power Management (Function 3)"; [ACPI] "ACPI Hardware Specification",
 * "Fixed Hardware Feature Control Bits".
 */
#ifndef DEVICES_PIIX4_PM_H
#define DEVICES_PIIX4_PM_H

#include "devices/pci_bus.h"

#define PIIX4_PM_LEN 0x40U
#define PM_TIMER_HZ 3579545ULL
#define PM_TIMER_BITS 24U

/* Offsets in the PM block. */
enum pm_reg {
	PM_STS = 0x00,
	PM_EN = 0x02,
	PM_CNTRL = 0x04,
	PM_TMR = 0x08,
	PM_GPSTS = 0x0c,
	PM_GPEN = 0x0e,
};

/* PM1 status and enable. */
#define PM_TMR_STS 0x0001U
#define PM_GBL_STS 0x0020U
#define PM_PWRBTN_STS 0x0100U
#define PM_RTC_STS 0x0400U
#define PM_WAK_STS 0x8000U
/* PM1 control. */
#define PM_SCI_EN 0x0001U
#define PM_SLP_TYP_SHIFT 10U
#define PM_SLP_EN 0x2000U
/* The SLP_TYP of soft-off; the DSDT's \_S5 says the same. */
#define PM_SLP_TYP_S5 0U

/* Values for the SMI command port, as the FADT announces them. */
#define PM_SMI_ACPI_ENABLE 0xf1U
#define PM_SMI_ACPI_DISABLE 0xf0U

struct piix4_pm_state {
	uint32_t version;
	uint16_t sts, en, cntrl, gpen; /* [lock] */
	uint8_t apmc, apms;            /* [lock] SMI command and status ports */
	uint64_t tmr_half;             /* [lock] half periods of the PM timer seen in TMR_STS */
};
#define PIIX4_PM_STATE_VERSION 1U

struct piix4_pm {
	struct piix4_pm_state state;
	struct spinlock lock;
	struct vm *vm;              /* (c) */
	struct irq_source sci;      /* (c) */
	struct vm_timer timer;      /* [lock] armed only while the guest wants TMR_STS as an SCI */
	uint64_t armed_ns;          /* [lock] its deadline; TIMER_NEVER = not armed */
	struct io_range block, smi; /* block moves with PMBA */
	struct pci_func func;
	uint16_t pm_base; /* (c) at power-on, as firmware would leave it */
};

/* pm_base: where the block answers after reset; a multiple of 0x40. */
void piix4_pm_init(struct piix4_pm *pm, uint16_t pm_base);
__must_check int piix4_pm_attach(struct piix4_pm *pm, struct vm *vm, struct pci_bus *bus,
        unsigned slot, unsigned sci_gsi, uint16_t smi_port);
void piix4_pm_reset(struct piix4_pm *pm);
void piix4_pm_quiesce(struct piix4_pm *pm);
void piix4_pm_dump(const struct piix4_pm *pm, struct out *out);

/* Somebody presses the power button: a guest in ACPI mode shuts down by itself. Any CPU. */
void piix4_pm_power_button(struct piix4_pm *pm);

/* Ticks of the PM timer at a time, exact; and the first nanosecond at which 'ticks' is reached. */
uint64_t pm_timer_ticks(uint64_t ns);
uint64_t pm_timer_ns(uint64_t ticks);

#endif
