/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's console: COM1 at 115200 8N1 behind a ring each way, and port 0xE9 for the
 * log. Nobody waits for the UART: output goes to the ring, the interrupt (or the 10 ms poll
 * where the line does not work) moves it on.
 */
#ifndef VMM_HW_CONSOLE_HW_H
#define VMM_HW_CONSOLE_HW_H

#include "vmm/lib/types.h"

#define CONSOLE_TX_RING 65536U
#define CONSOLE_RX_RING 1024U

void console_init(void);     /* before anything else: polled output works from here */
void console_irq_init(void); /* after apic_init and acpi_parse */

/* Bytes of a guest's console; returns how many were taken (less than n when the ring is full). */
size_t console_write(const char *buf, size_t n);
/* One received byte, or -1. */
int console_getc(void);

/* Log lines written so far: whoever draws a prompt draws it again when it changes. */
uint32_t console_log_lines(void);

/* Move bytes between rings and UART; never waits. From host_interrupt() and the poll timer. */
void console_service(void);
/* Called from console_service() when output space was freed or input arrived; set by vmm/. */
void console_set_notify(void (*tx_space)(void), void (*rx_ready)(void));

/* Write everything out, waiting for the UART. Panic and power-off only. */
void console_flush(void);

/* From here on every line waits for the UART, and locks held by CPUs that were stopped do not
 * count. The other CPUs are parked. */
void console_panic_begin(void);

#endif
