/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor: the operator's command line on the host's console. docs/monitor.md is its manual.
 *
 * Input is fed byte by byte and worked on by the boot CPU's loop, between guest runs; nothing
 * in it waits. A command that needs another CPU (a vCPU's registers) returns MONITOR_PENDING and
 * calls monitor_done() when its answer is complete; the next command starts after that.
 */
#ifndef VMM_MONITOR_H
#define VMM_MONITOR_H

#include "vmm/lib/config.h"
#include "vmm/lib/out.h"
#include "vmm/lib/types.h"

struct vm;

#define MONITOR_PROMPT "candela> "
#define MONITOR_ARGS_MAX 16U
#define MONITOR_LINE_MAX 256U

/* What a command returns. */
enum monitor_result {
	MONITOR_DONE,
	MONITOR_PENDING, /* monitor_done() follows, from any CPU */
};

/* How the Tab key completes an argument. */
enum monitor_arg {
	MONITOR_ARG_NONE,
	MONITOR_ARG_VM,      /* a VM's name */
	MONITOR_ARG_COMMAND, /* a command's name */
	MONITOR_ARG_WORDS,   /* one of command->words */
};

struct monitor_command {
	const char *name;
	const char *args;    /* for help: "VM N" */
	const char *summary; /* for the list of all: one short sentence without a full stop */
	const char *help;    /* for help COMMAND: the rest, lines ending in "\n" */
	unsigned min_args, max_args; /* without the name itself */
	enum monitor_arg complete[3];
	const char *const *words; /* NULL-terminated */
	/* argv[0] is the name; argv[argc] is NULL. Write to out; errors by monitor_error(). */
	enum monitor_result (*run)(struct out *out, unsigned argc, char *const argv[]);
};

/* The commands, in the order help lists them; NULL-terminated (vmm/monitor_table.c). */
extern const struct monitor_command *const monitor_commands[];

/* One line "error: ..." in the answer. */
void monitor_error(struct out *out, const char *fmt, ...) __printf(2, 3);
/* The VM named so; NULL after saying that there is none. */
struct vm *monitor_find_vm(struct out *out, const char *name);
/* A number, decimal or 0x hexadecimal; false after an error that names 'what'. */
__must_check bool monitor_number(
        struct out *out, const char *text, const char *what, uint64_t *value);
/* The answer of a command that returned MONITOR_PENDING is complete. Any CPU, no lock held. */
void monitor_done(void);

/*
 * For a command that returns MONITOR_PENDING: fn(out) is called every interval_ns on the boot CPU
 * until it returns true, when the answer is complete; with until_key a key that is pressed
 * ends it, too. Called once a command, before it returns.
 */
void monitor_repeat(bool (*fn)(struct out *out), uint64_t interval_ns, bool until_key);

/* The line goes to the console of vm when the answer is out; all: with all of its recent output. */
void monitor_leave(struct vm *vm, bool all);
/* As if it were typed at the console of vm; false = its serial port takes no more now. */
__must_check bool monitor_type(struct vm *vm, uint8_t byte);
uint8_t monitor_key(void); /* 0 = none */

/* --- for vmm/main.c --- */

/* What the monitor needs of devices: consoles (devices/backend/chr_console.h) and networks. */
struct monitor_ops {
	void (*show)(struct vm *vm, bool all);     /* the line is this VM's from here on */
	bool (*type)(struct vm *vm, uint8_t byte); /* see monitor_type() */
	void (*rx_space)(void);                    /* the monitor takes input again */
	void (*net)(struct out *out);              /* switches and what is connected */
	/* A cable of the VM is pulled or put back; false = it has no such one. */
	bool (*net_link)(struct vm *vm, unsigned nic, bool up);
	/* Keep the last frames of its adapters, and of no other VM's, or stop; false = it has none.
	 */
	bool (*net_capture)(struct vm *vm, bool on);
	/* Print the oldest of them from number *next on, and set *next behind it; false = none. */
	bool (*net_captured)(struct vm *vm, struct out *out, uint64_t *next);
};

/* For commands. */
const struct monitor_ops *monitor_outside(void);

/*
 * Before the first input, with the VMs made. front: the VM that has the line; NULL = the monitor
 * takes it.
 */
void monitor_init(const struct config *config, const struct monitor_ops *ops, struct vm *front);

/*
 * A byte for the monitor; the key is one, also when it was pressed at a guest's console: it
 * leads here, and back. false = no room now, ops->rx_space() follows. Any CPU, no lock held.
 */
__must_check bool monitor_rx(uint8_t byte);
/* The console has room, and the monitor has the line. Any CPU, no lock held. */
void monitor_tx(void);

#endif
