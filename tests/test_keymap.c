// SPDX-License-Identifier: BSD-2-Clause
// Keys by character and by name.
#include "tests/unit.h"
#include "vmm/keymap.h"
#include <string.h>

START_TEST(characters)
{
	unsigned plain = 0, shifted = 0;

	for (int c = 0; c < 256; c++) {
		struct keymap_key key = keymap_char((char)c);

		ck_assert(!key.extended);
		if (key.code == 0) {
			ck_assert(c < ' ' || c > '~');
			continue;
		}
		plain += !key.shift;
		shifted += key.shift;
		/* One character a key and shift. */
		for (int d = 0; d < c; d++) {
			struct keymap_key other = keymap_char((char)d);

			ck_assert(other.code != key.code || other.shift != key.shift);
		}
	}
	ck_assert_uint_eq(shifted, 47);
	ck_assert_uint_eq(plain, 48 + 4); /* with Enter, Backspace, Tab, Esc */
}
END_TEST

static const struct {
	const char *name;
	uint8_t code;
	bool extended, shift;
} rows[] = {
        {"a", 0x1e, false, false},
        {"A", 0x1e, false, true},
        {"1", 0x02, false, false},
        {"0", 0x0b, false, false},
        {"_", 0x0c, false, true},
        {"`", 0x29, false, false},
        {"\\", 0x2b, false, false},
        {"/", 0x35, false, false},
        {"?", 0x35, false, true},
        {" ", 0x39, false, false},
        {"-", 0x0c, false, false},
        {"minus", 0x0c, false, false},
        {"ctrl", 0x1d, false, false},
        {"rctrl", 0x1d, true, false},
        {"del", 0x53, true, false},
        {"f1", 0x3b, false, false},
        {"f10", 0x44, false, false},
        {"f12", 0x58, false, false},
        {"enter", 0x1c, false, false},
        {"up", 0x48, true, false},
        {"f", 0x21, false, false},
        {"", 0, false, false},
        {"f13", 0, false, false},
        {"ct", 0, false, false},
        {"ctrlx", 0, false, false},
        {"\xe4", 0, false, false},
};

START_TEST(names)
{
	/* Not terminated where the name ends. */
	char text[32] = {0};
	struct keymap_key key;

	strcpy(text, rows[_i].name);
	strcat(text, "l-x");
	key = keymap_name(text, strlen(rows[_i].name));
	ck_assert_uint_eq(key.code, rows[_i].code);
	ck_assert_int_eq(key.extended, rows[_i].extended);
	ck_assert_int_eq(key.shift, rows[_i].shift);
}
END_TEST

START_TEST(slips)
{
	ck_assert_str_eq(keymap_suggest("crtl-x", 4), "ctrl");
	ck_assert_ptr_null(keymap_suggest("something", 9));
}
END_TEST

UNIT_MAIN("keymap", tcase_add_test(tc, characters);
          tcase_add_loop_test(tc, names, 0, ARRAY_SIZE(rows)); tcase_add_test(tc, slips);)
