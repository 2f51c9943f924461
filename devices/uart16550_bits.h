/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The serial port's registers and their bits.
 *
 * Specs: [16550] PC16550D, "Registers".
 */
#ifndef DEVICES_UART16550_BITS_H
#define DEVICES_UART16550_BITS_H

#include "vmm/lib/bits.h"

enum uart_reg {
	UART_DATA = 0, /* RBR, THR; DLL with DLAB */
	UART_IER = 1,  /* DLM with DLAB */
	UART_IIR = 2,  /* FCR when written */
	UART_LCR = 3,
	UART_MCR = 4,
	UART_LSR = 5,
	UART_MSR = 6,
	UART_SCR = 7,
};

/* "Interrupt Enable Register" */
#define IER_RX BIT(0)
#define IER_THRE BIT(1)
#define IER_LINE BIT(2)
#define IER_MODEM BIT(3)
#define IER_MASK 0x0fU
/* "Interrupt Identification Register" */
#define IIR_NONE 0x01U
#define IIR_MODEM 0x00U
#define IIR_THRE 0x02U
#define IIR_RX 0x04U
#define IIR_LINE 0x06U
#define IIR_TIMEOUT 0x0cU
#define IIR_FIFOS 0xc0U
/* "FIFO Control Register" */
#define FCR_ENABLE BIT(0)
#define FCR_CLEAR_RX BIT(1)
#define FCR_CLEAR_TX BIT(2)
#define FCR_KEPT 0xc9U /* enable, DMA mode, trigger level */
/* "Line Control Register" */
#define LCR_STOP2 BIT(2)
#define LCR_PARITY BIT(3)
#define LCR_DLAB BIT(7)
/* "Modem Control Register" */
#define MCR_DTR BIT(0)
#define MCR_RTS BIT(1)
#define MCR_OUT1 BIT(2)
#define MCR_OUT2 BIT(3)
#define MCR_LOOP BIT(4)
#define MCR_MASK 0x1fU
/* "Line Status Register" */
#define LSR_DR BIT(0)
#define LSR_OE BIT(1)
#define LSR_THRE BIT(5)
#define LSR_TEMT BIT(6)
/* "Modem Status Register"; a delta is its line shifted right by 4, but RI's tells of a fall only */
#define MSR_CTS BIT(4)
#define MSR_DSR BIT(5)
#define MSR_RI BIT(6)
#define MSR_DCD BIT(7)

#endif
