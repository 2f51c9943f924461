/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the monitor says, on its way to the host's console: a buffer that is moved on as room
 * comes. Nobody waits for the line.
 */
#ifndef VMM_MONITOR_OUT_H
#define VMM_MONITOR_OUT_H

#include "vmm/lib/out.h"

#define MONITOR_OUT_SIZE 131072U
/* A command starts, and a prompt is shown, only when no more than this waits: so every answer has
 * the other half. */
#define MONITOR_OUT_LOW (MONITOR_OUT_SIZE / 2)

/*
 * Writes to the buffer, "\n" becoming "\r\n". What does not fit is dropped, each write as a whole,
 * and so is the rest of that answer. Any CPU.
 */
extern struct out monitor_out;

/* An answer is complete: says so when it was cut off. */
void monitor_out_end(void);
/* Move on what the console takes; true when nothing is left. Any CPU, no lock held. */
bool monitor_out_drain(void);
/* Bytes that wait. */
size_t monitor_out_used(void);
/* Forget everything: for tests, and before anything was said. */
void monitor_out_reset(void);

#endif
