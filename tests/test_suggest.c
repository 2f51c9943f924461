// SPDX-License-Identifier: BSD-2-Clause
// "Did you mean ...?": slips of the keyboard are recognised, other words are not.
#include "tests/unit.h"
#include "vmm/lib/suggest.h"
#include <string.h>

static const char *const names[] = {"vcpus", "memory", "kernel", "initrd", "cmdline", "ple"};

static const struct {
	const char *word;
	int index;
} rows[] = {
        {"memroy", 1},
        {"memoryy", 1},
        {"memry", 1},
        {"mamory", 1},
        {"MEMORY", 1},
        {"memory", 1},
        {"kernal", 2},
        {"vcpu", 0},
        {"cpus", 0},
        {"cmd_line", 4},
        {"command", -1},
        {"pel", 5},
        {"p", -1},
        {"xyz", -1},
        {"", -1},
        {"averyveryverylongwordindeed", -1},
};

START_TEST(nearest)
{
	ck_assert_int_eq(suggest(rows[_i].word, strlen(rows[_i].word), names, ARRAY_SIZE(names)),
	        rows[_i].index);
}
END_TEST

UNIT_MAIN("suggest", tcase_add_loop_test(tc, nearest, 0, ARRAY_SIZE(rows));)
