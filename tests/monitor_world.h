/* SPDX-License-Identifier: BSD-2-Clause */
/* A command of the monitor without the monitor: its answer, and what it takes its time for. */
#ifndef TESTS_MONITOR_WORLD_H
#define TESTS_MONITOR_WORLD_H

#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/lib/err.h"
#include "vmm/monitor.h"
#include "vmm/vm_guest.h"
#include <stdio.h>
#include <string.h>

static char text[4096];
static struct vm *vm;
static struct config_vm vm_config;
static bool (*repeated)(struct out *out);
static uint64_t interval;

static void write_text(struct out *out, const char *s, size_t n)
{
	(void)out;
	ck_assert_uint_lt(strlen(text) + n, sizeof(text));
	strncat(text, s, n);
}

static struct out out = {.write = write_text};

void monitor_repeat(bool (*fn)(struct out *out), uint64_t interval_ns, bool until_key)
{
	ck_assert(!until_key);
	repeated = fn;
	interval = interval_ns;
}

/* A running VM "debian". */
static inline void monitor_world(void)
{
	fake_clock_set(10000 * NS_PER_SEC);
	vm = fake_vm(4 << 20, 1);
	vm_config = *vm->config;
	strcpy(vm_config.name, "debian");
	vm->config = &vm_config;
	vm->state = VM_RUNNING;
	vms[0] = vm;
	n_vms = 1;
}

/* Run the command; its words are separated by '|'. */
static inline const char *ask(const struct monitor_command *command, const char *line)
{
	static char copy[512];
	char *argv[MONITOR_ARGS_MAX + 1] = {copy};
	unsigned argc = 1;
	enum monitor_result result;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *at = strchr(copy, '|'); at; at = strchr(at, '|')) {
		*at++ = '\0';
		argv[argc++] = at;
	}
	text[0] = '\0';
	repeated = NULL;
	result = command->run(&out, argc, argv);
	ck_assert_int_eq(result, repeated ? MONITOR_PENDING : MONITOR_DONE);
	return text;
}

/* Time goes by for a command that waits. */
static inline void wait_for(uint64_t ns)
{
	for (uint64_t end = clock_now() + ns; repeated && clock_now() < end;) {
		fake_clock_advance(interval);
		if (repeated(&out)) {
			repeated = NULL;
		}
	}
}

#endif
