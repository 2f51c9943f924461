// SPDX-License-Identifier: BSD-2-Clause
// Keys by character and by name: a US keyboard with 104 keys, scan code set 1.
// Specs: [8042] "Keyboards (101- and 102-Key)": "Scan Codes".
#include "vmm/keymap.h"
#include "vmm/lib/string.h"
#include "vmm/lib/suggest.h"

/* Keys whose codes follow each other. */
static const struct {
	uint8_t code; /* of the first */
	const char *plain, *shifted;
} rows[] = {
        {0x02, "1234567890-=", "!@#$%^&*()_+"},
        {0x10, "qwertyuiop[]", "QWERTYUIOP{}"},
        {0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~"},
        {0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"},
        {0x39, " ", ""},
        {0x1c, "\n", ""},
        {0x0e, "\b\t", ""},
        {0x01, "\033", ""},
};

struct keymap_key keymap_char(char c)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows) && c != '\0'; i++) {
		const char *plain = strchr(rows[i].plain, c);
		const char *shifted = strchr(rows[i].shifted, c);

		if (plain) {
			return (struct keymap_key){
			        .code = (uint8_t)(rows[i].code + (plain - rows[i].plain))};
		}
		if (shifted) {
			return (struct keymap_key){
			        .code = (uint8_t)(rows[i].code + (shifted - rows[i].shifted)),
			        .shift = true};
		}
	}
	return (struct keymap_key){0};
}

#define NAMES \
	X("ctrl", 0x1d, false) \
	X("rctrl", 0x1d, true) \
	X("shift", KEYMAP_SHIFT, false) \
	X("rshift", 0x36, false) \
	X("alt", 0x38, false) \
	X("altgr", 0x38, true) \
	X("win", 0x5b, true) \
	X("menu", 0x5d, true) \
	X("enter", 0x1c, false) \
	X("esc", 0x01, false) \
	X("tab", 0x0f, false) \
	X("space", 0x39, false) \
	X("backspace", 0x0e, false) \
	X("minus", 0x0c, false) \
	X("ins", 0x52, true) \
	X("del", 0x53, true) \
	X("home", 0x47, true) \
	X("end", 0x4f, true) \
	X("pgup", 0x49, true) \
	X("pgdn", 0x51, true) \
	X("up", 0x48, true) \
	X("down", 0x50, true) \
	X("left", 0x4b, true) \
	X("right", 0x4d, true) \
	X("capslock", 0x3a, false) \
	X("numlock", 0x45, false) \
	X("scrolllock", 0x46, false) \
	X("sysrq", 0x54, false) \
	X("print", 0x37, true) \
	X("f1", 0x3b, false) \
	X("f2", 0x3c, false) \
	X("f3", 0x3d, false) \
	X("f4", 0x3e, false) \
	X("f5", 0x3f, false) \
	X("f6", 0x40, false) \
	X("f7", 0x41, false) \
	X("f8", 0x42, false) \
	X("f9", 0x43, false) \
	X("f10", 0x44, false) \
	X("f11", 0x57, false) \
	X("f12", 0x58, false)

#define X(name, code, extended) name,
static const char *const names[] = {NAMES};
#undef X
#define X(name, code, extended) {code, extended, false},
static const struct keymap_key keys[] = {NAMES};
#undef X

struct keymap_key keymap_name(const char *name, size_t len)
{
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (strlen(names[i]) == len && strncmp(names[i], name, len) == 0) {
			return keys[i];
		}
	}
	return len == 1 ? keymap_char(name[0]) : (struct keymap_key){0};
}

const char *keymap_suggest(const char *name, size_t len)
{
	int near = suggest(name, len, names, ARRAY_SIZE(names));

	return near >= 0 ? names[near] : NULL;
}
