// SPDX-License-Identifier: BSD-2-Clause
// Log lines on behalf of a guest: named after its VM, and never more than its share.
#include "vmm/hw/clock.h"
#include "vmm/lib/fmt.h"
#include "vmm/vm.h"

void vm_log(struct vm *vm, enum log_level level, const char *fmt, ...)
{
	char prefix[MAX_NAME_LEN + 8];
	uint32_t dropped = 0;
	bool pass;
	va_list ap;

	if (level > log_area_level(LOG_GUEST)) {
		return;
	}
	spin_lock(&vm->log_lock);
	pass = log_limit_pass(&vm->log_limit, clock_now(), &dropped);
	spin_unlock(&vm->log_lock);
	if (!pass) {
		return;
	}
	if (dropped) {
		log_line(level, "vm %s: (%u lines left out)", vm->config->name, dropped);
	}
	fmt_print(prefix, sizeof(prefix), "vm %s: ", vm->config->name);
	va_start(ap, fmt);
	log_vline(level, prefix, fmt, ap);
	va_end(ap);
}
