// SPDX-License-Identifier: BSD-2-Clause
// The monitor: any bytes typed. It must take every one in the end, answer within its buffer, and
// come back to its prompt.
#include "tests/fake/console_fake.h"
#include "tests/fake/fake.h"
#include "tests/fake/host_fake.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/hw/clock.h"
#include "vmm/lib/err.h"
#include "vmm/monitor.h"
#include "vmm/monitor_out.h"
#include "vmm/vm_guest.h"
#include <string.h>

#define ROOM 250000U
#define MAX_BYTES 2048U

static unsigned shows;

static void show(struct vm *vm, bool all)
{
	(void)vm;
	(void)all;
	shows++;
}

static bool type(struct vm *vm, uint8_t byte)
{
	(void)vm;
	return byte != 'x';
}

static void rx_space(void)
{
}

static void power_button(struct vm *vm)
{
	(void)vm;
}

static bool dump(struct vm *vm, const char *name, struct out *out)
{
	(void)vm;
	out_print(out, "device %s\n", name ? name : "(all)");
	return name == NULL;
}

/* A guest whose software does what it likes: by turns it is there, answers, refuses, is gone. */
static unsigned turn;
static const int whims[] = {0, -EAGAIN, 0, -EIO, -EAGAIN, -ENOTCONN, 0};

static int whim(void)
{
	return whims[turn++ % ARRAY_SIZE(whims)];
}

static int guest_order(struct vm *vm, enum vm_guest_order order)
{
	(void)vm;
	(void)order;
	return whim();
}

static enum vm_heartbeat guest_heartbeat(struct vm *vm)
{
	(void)vm;
	return (enum vm_heartbeat)(turn++ % (VM_HEARTBEAT_LOST + 1));
}

static void guest_info(struct vm *vm, struct out *out)
{
	(void)vm;
	out_print(out, "guest os: x\n");
}

static int press_key(struct vm *vm, const struct vm_key *key)
{
	(void)vm;
	FUZZ_CHECK(key->code != 0);
	return whim();
}

static const struct vm_guest_ops guest = {.ask = guest_order,
        .answer = guest_order,
        .heartbeat = guest_heartbeat,
        .info = guest_info,
        .key = press_key};

static const struct vm_platform_ops platform = {.power_button = power_button, .dump = dump};
static void net(struct out *out)
{
	out_print(out, "no switch\n");
}

static bool net_capture(struct vm *vm, bool on)
{
	(void)on;
	return vm->index == 0;
}

/* Frames without end. */
static bool net_captured(struct vm *vm, struct out *out, uint64_t *next)
{
	out_print(out, "000000 00\n");
	++*next;
	return vm->index == 0;
}

static bool net_link(struct vm *vm, unsigned nic, bool up)
{
	(void)vm;
	return nic == 1 && up;
}

static const struct monitor_ops ops = {.show = show,
        .type = type,
        .rx_space = rx_space,
        .net = net,
        .net_link = net_link,
        .net_capture = net_capture,
        .net_captured = net_captured};

/* Time goes by, and the console takes what there is. A machine that was switched off goes on. */
static void pass(uint64_t ns)
{
	if (setjmp(fake_end) == 0) {
		fake_clock_advance(ns);
	} else {
		/* It never returned to the monitor's loop. */
		monitor_done();
		fake_clock_advance(0);
	}
	fake_console_reset(ROOM);
	monitor_tx();
}

static void feed(uint8_t byte)
{
	unsigned tries = 0;

	/* A command may wait ten seconds for its answer. */
	while (!monitor_rx(byte)) {
		pass(NS_PER_SEC);
		FUZZ_CHECK(++tries < 20);
	}
	pass(0);
	FUZZ_CHECK(monitor_out_used() <= MONITOR_OUT_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct config config = {.monitor_key = CONFIG_MONITOR_KEY};
	static struct vm *vm;

	if (!vm) {
		vm = fake_vm(4 << 20, 2);
		vm->platform_ops = &platform;
		vm->guest_ops = &guest;
		vms[0] = vm;
		n_vms = 1;
	}
	turn = 0;
	vm->requests = 0;
	vm->state = len ? data[0] % (VM_PAUSED + 1) : VM_RUNNING;
	fake_log_clear();
	fake_console_reset(ROOM);
	monitor_init(&config, &ops, NULL);
	pass(0);
	for (size_t i = 1; i < len && i < MAX_BYTES; i++) {
		feed(data[i]);
	}
	/* Whatever goes on, Ctrl-C and an empty line lead to the prompt - unless a guest has the
	 * line: then the key does first. */
	feed(3);
	pass(11 * NS_PER_SEC);
	feed(3);
	shows = 0;
	feed(CONFIG_MONITOR_KEY);
	pass(NS_PER_SEC);
	if (shows == 0) {
		feed(CONFIG_MONITOR_KEY);
		pass(NS_PER_SEC);
	}
	FUZZ_CHECK(shows == 1);
	FUZZ_CHECK(monitor_out_used() == 0);
	return 0;
}
