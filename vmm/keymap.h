/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of a PC keyboard with US layout: which key makes a character, and what keys are called.
 */
#ifndef VMM_KEYMAP_H
#define VMM_KEYMAP_H

#include "vmm/lib/types.h"

/* A key's code in scan code set 1. */
struct keymap_key {
	uint8_t code; /* 0 = none */
	bool extended;
	bool shift; /* for this character the shift key is held */
};

#define KEYMAP_SHIFT 0x2aU

/* code 0 when no key makes it. Also newline (Enter), Tab, Backspace and Esc. */
struct keymap_key keymap_char(char c);
/* By name, such as "ctrl" or "f1", or a character; len bytes. */
struct keymap_key keymap_name(const char *name, size_t len);
/* The nearest name to one that is none; NULL. */
const char *keymap_suggest(const char *name, size_t len);

#endif
