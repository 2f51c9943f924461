/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two VMs that only note what the monitor asks of them: what test_monitor_cmds.c and
 * test_monitor_stat.c have in common.
 */
#ifndef TESTS_MONITOR_CMDS_WORLD_H
#define TESTS_MONITOR_CMDS_WORLD_H

#include "tests/fake/fake.h"
#include "tests/fake/host_fake.h"
#include "tests/fake/phys_fake.h"
#include "tests/unit.h"
#include "vmm/hw/clock.h"
#include "vmm/lib/err.h"
#include "vmm/lib/log.h"
#include "vmm/monitor_parse.h"
#include "vmm/monitor_sample.h"
#include "vmm/sched.h"
#include "vmm/vm_disk.h"
#include <stdio.h>
#include <string.h>

#define MS 1000000ULL

static char text[65536];
static size_t n_text;
static struct vm *vm, other;
static struct config_vm vm_config, other_config;

static inline void write_text(struct out *out, const char *s, size_t n)
{
	(void)out;
	ck_assert_uint_lt(n_text + n, sizeof(text));
	memcpy(text + n_text, s, n);
	n_text += n;
	text[n_text] = '\0';
}

static struct out out = {.write = write_text};

/* --- the monitor's own frame, which test_monitor.c tests --- */

static bool (*repeated)(struct out *out);
static bool until_key;
static uint64_t interval;
static struct vm *left_to;

void monitor_repeat(bool (*fn)(struct out *out), uint64_t interval_ns, bool key)
{
	repeated = fn;
	interval = interval_ns;
	until_key = key;
}

void monitor_leave(struct vm *v, bool all)
{
	(void)all;
	left_to = v;
}

void monitor_done(void)
{
}

uint8_t monitor_key(void)
{
	return 0;
}

bool monitor_type(struct vm *v, uint8_t byte)
{
	(void)v;
	(void)byte;
	return true;
}

/* --- VMs that do nothing by themselves --- */

static struct {
	struct vm *vm;
	uint32_t requests;
	const char *reason;
	bool button;
} asked;

void vm_request(struct vm *v, enum vm_request req, const char *reason)
{
	asked.vm = v;
	asked.requests |= BIT(req);
	asked.reason = reason;
	v->requests |= BIT(req);
}

bool vm_power_button(struct vm *v)
{
	asked.button = vm_state(v) == VM_RUNNING || vm_state(v) == VM_PAUSED;
	return asked.button;
}

size_t vm_describe_state(const struct vm *v, char *buf, size_t size)
{
	return (size_t)snprintf(buf, size, "%s (as the test says)", vm_state_names[vm_state(v)]);
}

static uint64_t idle_ns, wait_ns;

void sched_get_stats(struct vcpu *vcpu, struct sched_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->wait_ns = vcpu->vm == vm ? wait_ns : 0;
}

void sched_get_cpu_stats(uint32_t cpu, struct sched_cpu_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->idle_ns = cpu == 0 ? idle_ns : 0;
}

static inline void setup(void)
{
	fake_clock_set(10000 * MS);
	vm = fake_vm(4 << 20, 2);
	vm_config = *vm->config;
	vm->config = &vm_config;
	strcpy(vm_config.name, "debian");
	strcpy(vm_config.kernel, "\\k");
	vm_config.weight = 100;
	vm->tsc_offset = 0 - 5000 * MS; /* started 5 s ago */
	vm->index = 0;
	strcpy(other_config.name, "other");
	other_config.manual = true;
	other_config.memory = 64 << 20;
	other.config = &other_config;
	other.index = 1;
	vms[0] = vm;
	vms[1] = &other;
	n_vms = 2;
	memset(&asked, 0, sizeof(asked));
	repeated = NULL;
	n_text = 0;
	text[0] = '\0';
	sample_start();
}

/* The answer, without what it takes its time for. */
static inline const char *ask(const char *line)
{
	char copy[256];

	n_text = 0;
	text[0] = '\0';
	repeated = NULL;
	snprintf(copy, sizeof(copy), "%s", line);
	ck_assert_int_eq(monitor_run_line(&out, copy), repeated ? MONITOR_PENDING : MONITOR_DONE);
	return text;
}

#define SAYS(line, want) ck_assert_str_eq(ask(line), want)
#define HAS(line, want) \
	do { \
		ask(line); \
		ck_assert_msg(strstr(text, want), "%s", text); \
	} while (0)

#endif
