/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A serial port: NS16550A with 16-byte FIFOs. A byte is sent at the speed of its backend, not at
 * the programmed rate: the transmitter is empty again as soon as the backend took the byte.
 *
 * Specs: [16550] PC16550D "Universal Asynchronous Receiver/Transmitter with FIFOs".
 */
#ifndef DEVICES_UART16550_H
#define DEVICES_UART16550_H

#include "devices/backend/chr.h"
#include "devices/device.h"
#include "devices/uart_fifo.h"

#define UART_PORTS 8U

struct uart16550_state {
	uint32_t version;
	uint8_t ier, fcr, lcr, mcr, scr;
	uint8_t dll, dlm;
	uint8_t lsr_errors;   /* OE, PE, FE, BI: until LSR is read */
	uint8_t msr_deltas;   /* low four bits of MSR: until it is read */
	bool thre_pending;    /* the THRE interrupt: until IIR is read or THR written */
	bool timeout_pending; /* the character time-out: until RBR is read */
	bool shift_full;      /* a byte the backend has not taken yet */
	uint8_t shift;
	struct uart_fifo rx, tx;
};

struct uart16550 {
	struct spinlock lock;
	struct uart16550_state s; /* [lock] */
	struct chr *chr;          /* (c) NULL = everything sent is dropped */
	bool sending;             /* [lock] somebody is in chr->ops->put */
	bool send_again;          /* [lock] tx_space came meanwhile */
	bool rx_refused;          /* [lock] the backend waits for rx_space */
	struct irq_source irq;
	struct io_range range;
	struct vm_timer rx_timer, tx_timer;
	struct vm *vm; /* (c) */
};

void uart16550_init(struct uart16550 *u);
/* chr may be NULL. -EEXIST, -EINVAL, -ENOSPC as the bus and the router say. */
__must_check int uart16550_attach(
        struct uart16550 *u, struct vm *vm, struct chr *chr, uint16_t port, unsigned gsi);
void uart16550_reset(struct uart16550 *u);
void uart16550_quiesce(struct uart16550 *u);
void uart16550_dump(const struct uart16550 *u, struct out *out);

#endif
