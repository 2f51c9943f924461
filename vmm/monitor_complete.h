/* SPDX-License-Identifier: BSD-2-Clause */
/* The Tab key. */
#ifndef VMM_MONITOR_COMPLETE_H
#define VMM_MONITOR_COMPLETE_H

#include "vmm/monitor_line.h"

/*
 * Complete the word at the cursor as far as it is certain; a second Tab in a row lists what it
 * could become.
 */
void monitor_complete(struct monitor_line *line, struct out *echo);

#endif
