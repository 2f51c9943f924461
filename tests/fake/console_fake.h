/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's console under a test's control. */
#ifndef TESTS_FAKE_CONSOLE_FAKE_H
#define TESTS_FAKE_CONSOLE_FAKE_H

#include "vmm/hw/console_hw.h"

/* Nothing written, no input, 'room' bytes of room. */
void fake_console_reset(size_t room);
void fake_console_room(size_t room);
void fake_console_type(const char *text);
const char *fake_console_text(void);
extern uint32_t fake_console_logs; /* what console_log_lines() says */

#endif
