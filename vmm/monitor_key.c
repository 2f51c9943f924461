// SPDX-License-Identifier: BSD-2-Clause
/*
 * type and key: the operator at a VM's keyboard, the synthetic one if the guest has taken it, else
 * that of the 8042.
 * Specs: docs/monitor.md.
 */
#include "vmm/hw/clock.h"
#include "vmm/keymap.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"
#include "vmm/monitor_commands.h"
#include "vmm/vm.h"
#include "vmm/vm_guest.h"

/* Shift, key and both again for each character of a line. */
#define MAX_KEYS (4 * MONITOR_LINE_MAX)
#define MAX_CHORD 8U /* keys held together */

/* When the keyboard's queue is full, and for how long that may last. */
#define STEP_NS 5000000ULL
#define PATIENCE_NS (2 * NS_PER_SEC)

/* What is being typed; the monitor runs one command at a time. */
static struct {
	struct vm *vm;
	struct vm_key keys[MAX_KEYS];
	unsigned n, at;
	uint64_t end_ns;
} job;

static void begin(struct vm *vm)
{
	job.vm = vm;
	job.n = 0;
	job.at = 0;
}

static void add(struct keymap_key key, bool down)
{
	if (job.n < MAX_KEYS) {
		job.keys[job.n++] = (struct vm_key){key.code, key.extended, down};
	}
}

static void press(struct keymap_key key)
{
	const struct keymap_key shift = {.code = KEYMAP_SHIFT};

	if (key.shift) {
		add(shift, true);
	}
	add(key, true);
	add(key, false);
	if (key.shift) {
		add(shift, false);
	}
}

static int send(const struct vm_key *key)
{
	struct vm *vm = job.vm;
	int err = vm->guest_ops ? vm->guest_ops->key(vm, key) : -ENOTCONN;

	if (err == -ENOTCONN && vm->platform_ops->key) {
		err = vm->platform_ops->key(vm, key);
	}
	return err;
}

static bool go_on(struct out *out)
{
	uint64_t now = clock_now();

	while (job.at < job.n) {
		int err = vm_state(job.vm) == VM_RUNNING ? send(&job.keys[job.at]) : -ENOTCONN;

		if (err == -EAGAIN && now < job.end_ns) {
			return false;
		}
		if (err == -EAGAIN) {
			monitor_error(out, "%s does not read its keyboard", job.vm->config->name);
			return true;
		}
		if (err) {
			monitor_error(out, "%s runs no more", job.vm->config->name);
			return true;
		}
		job.at++;
		job.end_ns = now + PATIENCE_NS;
	}
	return true;
}

static enum monitor_result start(struct out *out)
{
	char state[128];

	if (vm_state(job.vm) != VM_RUNNING) {
		vm_describe_state(job.vm, state, sizeof(state));
		monitor_error(out, "%s is %s", job.vm->config->name, state);
		return MONITOR_DONE;
	}
	job.end_ns = clock_now() + PATIENCE_NS;
	if (go_on(out)) {
		return MONITOR_DONE;
	}
	monitor_repeat(go_on, STEP_NS, false);
	return MONITOR_PENDING;
}

/* --- type --- */

/* The character at *text, which moves on: \n, \t, \e and \\ are one. */
static char next_char(const char **text)
{
	static const char letters[] = "nte\\", meant[] = "\n\t\033\\";
	const char *s = *text;
	const char *letter = s[0] == '\\' && s[1] ? strchr(letters, s[1]) : NULL;

	*text += letter ? 2 : 1;
	return letter ? meant[letter - letters] : *s;
}

static enum monitor_result type(struct out *out, unsigned argc, char *const argv[])
{
	struct vm *vm = monitor_find_vm(out, argv[1]);

	if (!vm) {
		return MONITOR_DONE;
	}
	begin(vm);
	for (unsigned i = 2; i < argc; i++) {
		const char *text = argv[i];

		if (i > 2) {
			press(keymap_char(' '));
		}
		while (*text) {
			char c = next_char(&text);
			struct keymap_key key = keymap_char(c);

			if (key.code == 0) {
				monitor_error(out, "no key makes the character 0x%02x",
				        (unsigned)(uint8_t)c);
				return MONITOR_DONE;
			}
			press(key);
		}
	}
	return start(out);
}

const struct monitor_command monitor_cmd_type = {
        .name = "type",
        .args = "VM TEXT",
        .summary = "type text at the keyboard of a VM",
        .help = "The keyboard has US layout. TEXT in quotes keeps its blanks; \\n in it is Enter, "
                "\\t Tab, \\e Esc, \\\\ a backslash.\n"
                "It is the synthetic keyboard if the guest has a driver for it, else the PS/2 "
                "keyboard; not the serial line, which is the console's.\n",
        .min_args = 2,
        .max_args = MONITOR_ARGS_MAX - 1,
        .complete = {MONITOR_ARG_VM},
        .run = type,
};

/* --- key --- */

/* "ctrl-alt-del": down in this order, up in the other. false after an error. */
static bool chord(struct out *out, const char *word)
{
	struct keymap_key held[MAX_CHORD];
	unsigned n = 0;

	for (const char *name = word;;) {
		const char *dash = name[0] ? strchr(name + 1, '-') : NULL;
		size_t len = dash ? (size_t)(dash - name) : strlen(name);
		struct keymap_key key = keymap_name(name, len);
		const char *near = keymap_suggest(name, len);

		if (key.code == 0 && near) {
			monitor_error(out, "there is no key '%.*s' (did you mean '%s'?)", (int)len,
			        name, near);
			return false;
		}
		if (key.code == 0) {
			monitor_error(out, "there is no key '%.*s' ('help key' lists them)",
			        (int)len, name);
			return false;
		}
		if (n == MAX_CHORD) {
			monitor_error(out, "more than %u keys together", MAX_CHORD);
			return false;
		}
		held[n++] = key;
		if (!dash) {
			break;
		}
		name = dash + 1;
	}
	if (n == 1) {
		press(held[0]);
		return true;
	}
	for (unsigned i = 0; i < n; i++) {
		add(held[i], true);
	}
	while (n > 0) {
		add(held[--n], false);
	}
	return true;
}

static enum monitor_result key(struct out *out, unsigned argc, char *const argv[])
{
	struct vm *vm = monitor_find_vm(out, argv[1]);

	if (!vm) {
		return MONITOR_DONE;
	}
	begin(vm);
	for (unsigned i = 2; i < argc; i++) {
		if (!chord(out, argv[i])) {
			return MONITOR_DONE;
		}
	}
	return start(out);
}

const struct monitor_command monitor_cmd_key = {
        .name = "key",
        .args = "VM KEY...",
        .summary = "press keys of a VM's keyboard, such as ctrl-alt-del",
        .help = "Each KEY is pressed and let go; joined by - they are held together.\n"
                "Names: ctrl rctrl shift rshift alt altgr win menu enter esc tab space backspace "
                "minus ins del home end pgup pgdn up down left right capslock numlock scrolllock "
                "sysrq print f1 to f12; or the character on the key.\n",
        .min_args = 2,
        .max_args = MONITOR_ARGS_MAX - 1,
        .complete = {MONITOR_ARG_VM},
        .run = key,
};
