// SPDX-License-Identifier: BSD-2-Clause
// What the monitor's commands share: errors, names of VMs, numbers.
// Specs: docs/monitor.md.
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"
#include "vmm/lib/suggest.h"
#include "vmm/monitor.h"
#include "vmm/vm.h"

void monitor_error(struct out *out, const char *fmt, ...)
{
	char text[OUT_LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	fmt_vprint(text, sizeof(text), fmt, ap);
	va_end(ap);
	out_print(out, "error: %s\n", text);
}

struct vm *monitor_find_vm(struct out *out, const char *name)
{
	const char *names[MAX_VMS];
	int near;

	for (unsigned i = 0; i < n_vms; i++) {
		names[i] = vms[i]->config->name;
		if (strcmp(names[i], name) == 0) {
			return vms[i];
		}
	}
	near = suggest(name, strlen(name), names, n_vms);
	if (near >= 0) {
		monitor_error(out, "there is no VM '%s' (did you mean '%s'?)", name, names[near]);
	} else {
		monitor_error(out, "there is no VM '%s' ('vm list' names them)", name);
	}
	return NULL;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	if (c >= 'A' && c <= 'F') {
		return c - 'A' + 10;
	}
	return 16;
}

static bool parse_number(const char *text, uint64_t *value)
{
	unsigned base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	uint64_t v = 0;

	text += base == 16 ? 2 : 0;
	if (*text == '\0') {
		return false;
	}
	for (; *text; text++) {
		unsigned d = (unsigned)digit(*text);

		if (d >= base || v > (UINT64_MAX - d) / base) {
			return false;
		}
		v = v * base + d;
	}
	*value = v;
	return true;
}

bool monitor_number(struct out *out, const char *text, const char *what, uint64_t *value)
{
	if (parse_number(text, value)) {
		return true;
	}
	monitor_error(out, "%s must be a number such as 4096 or 0x1000, not '%s'", what, text);
	return false;
}
