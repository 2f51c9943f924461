// SPDX-License-Identifier: BSD-2-Clause
// mem: a look at a VM's memory.
// Specs: docs/monitor.md.
#include "vmm/guest_mem.h"
#include "vmm/lib/fmt.h"
#include "vmm/monitor_commands.h"
#include "vmm/vm.h"

#define LEN_DEFAULT 128U
#define LEN_MAX 8192U
#define ROW 16U

static void print_row(struct out *out, uint64_t at, const uint8_t *bytes, unsigned n)
{
	char hex[3 * ROW + 2], text[ROW + 1];
	size_t used = 0;

	for (unsigned i = 0; i < ROW; i++) {
		if (i < n) {
			used += fmt_print(hex + used, sizeof(hex) - used, "%s%02x",
			        i == ROW / 2 ? "  " : " ", bytes[i]);
			text[i] = bytes[i] >= ' ' && bytes[i] < 0x7f ? (char)bytes[i] : '.';
		}
	}
	hex[used] = '\0';
	text[n] = '\0';
	out_print(out, "%012llx %-49s  %s\n", (unsigned long long)at, hex, text);
}

/* Length of the run that begins at 'at' and is RAM all over, or none: to the end of the page. */
static uint64_t hole_end(const struct guest_mem *mem, uint64_t at, uint64_t end)
{
	while (at < end && !gmem_is_ram(mem, gpa(at), 1)) {
		uint64_t next = (at | PAGE_MASK) + 1;

		at = next < end ? next : end;
	}
	return at;
}

static void dump(struct out *out, const struct vm *vm, uint64_t at, uint64_t end)
{
	while (at < end) {
		uint8_t bytes[ROW];
		uint64_t row_end = (at | (ROW - 1)) + 1;
		unsigned n;

		row_end = row_end < end ? row_end : end;
		n = (unsigned)(row_end - at);
		if (gmem_read(&vm->mem, gpa(at), bytes, n) == 0) {
			print_row(out, at, bytes, n);
			at = row_end;
		} else {
			uint64_t hole = hole_end(&vm->mem, at, end);

			/* An overlay that moved between the two looks: try the next row. */
			hole = hole > at ? hole : row_end;
			out_print(out, "%012llx-%012llx is no RAM\n", (unsigned long long)at,
			        (unsigned long long)hole - 1);
			at = hole;
		}
	}
}

static enum monitor_result run(struct out *out, unsigned argc, char *const argv[])
{
	struct vm *vm = monitor_find_vm(out, argv[1]);
	uint64_t at, len = LEN_DEFAULT;

	if (!vm || !monitor_number(out, argv[2], "GPA", &at) ||
	        (argc > 3 && !monitor_number(out, argv[3], "LEN", &len))) {
		return MONITOR_DONE;
	}
	if (len == 0 || len > LEN_MAX) {
		monitor_error(out, "LEN must be from 1 to %u", LEN_MAX);
	} else if (at > UINT64_MAX - LEN_MAX) {
		monitor_error(out, "GPA is beyond any guest's memory");
	} else {
		dump(out, vm, at, at + len);
	}
	return MONITOR_DONE;
}

const struct monitor_command monitor_cmd_mem = {
        .name = "mem",
        .args = "VM GPA [LEN]",
        .summary = "bytes of a VM's memory at a guest-physical address",
        .help = "LEN: 1 to 8192 bytes, 128 without it. The VM runs on meanwhile. Device memory is "
                "not read: a\nread can change a device.\n",
        .min_args = 2,
        .max_args = 3,
        .complete = {MONITOR_ARG_VM},
        .run = run,
};
