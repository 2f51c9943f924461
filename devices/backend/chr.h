/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A character backend: where a serial port's bytes go and come from.
 */
#ifndef DEVICES_BACKEND_CHR_H
#define DEVICES_BACKEND_CHR_H

#include "vmm/lib/types.h"

struct chr;

struct chr_ops {
	const char *name;
	/* Take one byte; false = no room now, the frontend keeps it and waits for tx_space(). Any
	 * CPU. */
	bool (*put)(struct chr *chr, uint8_t byte);
};

struct chr {
	const struct chr_ops *ops; /* (c) */
	/* Frontend's callbacks, set at attach. May be called from any CPU with no lock held. */
	void (*tx_space)(void *frontend);
	/* A byte arrives; false = the frontend has no room: the backend offers it again after
	 * rx_space. */
	bool (*rx_byte)(void *frontend, uint8_t byte);
	void *frontend;
	/* Backend's callback: the frontend has room again. */
	void (*rx_space)(struct chr *chr);
};

#endif
