/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside vmm/hw: the steps of stopping that panic and power-off share. */
#ifndef VMM_HW_POWER_HW_H
#define VMM_HW_POWER_HW_H

/* Park the other CPUs where they are, by NMI. */
void power_stop_others(void);
/* The emulators' exit ports; returns on a real machine. */
void power_off_emulator(void);

#endif
