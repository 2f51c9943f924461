// SPDX-License-Identifier: BSD-2-Clause
// The monitor's line: input in, command out, answers that take their time.
// Specs: docs/monitor.md.
#include "vmm/monitor.h"

void monitor_done(void)
{
}

void monitor_init(const struct config *config)
{
	(void)config;
}
