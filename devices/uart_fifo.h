/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One of a serial port's two FIFOs: up to 16 bytes, or one.
 *
 * Specs: [16550] PC16550D, "FIFO Interrupt Mode Operation".
 */
#ifndef DEVICES_UART_FIFO_H
#define DEVICES_UART_FIFO_H

#include "vmm/lib/types.h"

#define UART_FIFO_SIZE 16U

struct uart_fifo {
	uint8_t buf[UART_FIFO_SIZE];
	uint8_t head;
	uint8_t count;
};

static inline bool uart_fifo_push(struct uart_fifo *f, unsigned depth, uint8_t byte)
{
	if (f->count >= depth) {
		return false;
	}
	f->buf[(f->head + f->count) % UART_FIFO_SIZE] = byte;
	f->count++;
	return true;
}

static inline bool uart_fifo_pop(struct uart_fifo *f, uint8_t *byte)
{
	if (f->count == 0) {
		return false;
	}
	*byte = f->buf[f->head];
	f->head = (uint8_t)((f->head + 1) % UART_FIFO_SIZE);
	f->count--;
	return true;
}

static inline void uart_fifo_clear(struct uart_fifo *f)
{
	f->head = 0;
	f->count = 0;
}

#endif
