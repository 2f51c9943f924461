// SPDX-License-Identifier: BSD-2-Clause
// candela.cfg: vmbus, its versions, and what it needs of hyperv.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmbus/proto.h"
#include "vmm/lib/config.h"
#include "vmm/lib/err.h"
#include <stdio.h>
#include <string.h>

static struct config cfg;
static struct config_error err;

static int parse(const char *keys)
{
	char text[256];
	int len = snprintf(text, sizeof(text), "[vm.a]\nmemory=4M\nkernel=k\n%s", keys);

	return config_parse(&cfg, "candela.cfg", text, (size_t)len, &err);
}

static const struct {
	const char *keys;
	uint32_t version;
} good[] = {
        {"", VMBUS_VERSION_MAX},
        {"vmbus = on\n", VMBUS_VERSION_MAX},
        {"vmbus = off\n", 0},
        {"vmbus = 0.13\n", VMBUS_VERSION(0, 13)},
        {"vmbus=1.1\n", VMBUS_VERSION(1, 1)},
        {"vmbus = 2.4\n", VMBUS_VERSION(2, 4)},
        {"vmbus = 3.0\n", VMBUS_VERSION(3, 0)},
        {"vmbus = 4.0\n", VMBUS_VERSION(4, 0)},
        {"vmbus = 4.1 # for a test\n", VMBUS_VERSION(4, 1)},
        {"vmbus = 5.0\n", VMBUS_VERSION(5, 0)},
        {"vmbus = 5.1\n", VMBUS_VERSION(5, 1)},
        {"vmbus = 5.2\n", VMBUS_VERSION(5, 2)},
        {"vmbus = 5.3\n", VMBUS_VERSION(5, 3)},
        /* Not asked for, it goes with what it needs. */
        {"hyperv = off\n", 0},
        {"hyperv = on, -synic\n", 0},
        {"hyperv = on, -post\n", 0},
        {"hyperv = on, -signal\n", 0},
        {"hyperv = on, -stimer\n", VMBUS_VERSION_MAX},
        {"hyperv = off\nvmbus = off\n", 0},
        {"vmbus = 4.1\nhyperv = on\n", VMBUS_VERSION(4, 1)},
};

START_TEST(versions)
{
	ck_assert_msg(parse(good[_i].keys) == 0, "%s", err.text);
	ck_assert_uint_eq(cfg.vms[0].vmbus, good[_i].version);
}
END_TEST

#define LIST \
	"vmbus must be on, off, or the highest version: 0.13, 1.1, 2.4, 3.0, 4.0, 4.1, 5.0, 5.1, " \
	"5.2 or 5.3, not '"
#define NEEDS "vmbus needs hyperv = on with its features synic, post and signal"

static const struct {
	const char *keys, *want;
} bad[] = {
        {"vmbus = 6.0\n", "candela.cfg:4: " LIST "6.0'"},
        {"vmbus = 5\n", "candela.cfg:4: " LIST "5'"},
        {"vmbus = 5.30\n", "candela.cfg:4: " LIST "5.30'"},
        {"vmbus = yes\n", "candela.cfg:4: " LIST "yes'"},
        {"vmbus =\n", "candela.cfg:4: vmbus has no value"},
        {"vmbus = on\nhyperv = off\n", "candela.cfg:4: " NEEDS},
        {"hyperv = on, -synic\nvmbus = 4.1\n", "candela.cfg:5: " NEEDS},
        {"hyperv = on, -post\nvmbus = on\n[host]\n", "candela.cfg:5: " NEEDS},
        {"hyperv = on, -signal\nvmbus = on\n", "candela.cfg:5: " NEEDS},
        {"vmbus = on\nvmbus = off\n",
                "candela.cfg:5: vmbus is given twice: it is on line 4 already"},
};

START_TEST(errors)
{
	ck_assert_int_eq(parse(bad[_i].keys), -EINVAL);
	ck_assert_str_eq(err.text, bad[_i].want);
}
END_TEST

START_TEST(shown_at_boot)
{
	ck_assert_int_eq(parse("vmbus = 4.1\n[vm.b]\nmemory=4M\nkernel=k\nvmbus=off\n"), 0);
	fake_log_clear();
	config_log(&cfg);
	ck_assert_uint_eq(fake_log_count("config: vm.a: vmbus = 4.1"), 1);
	ck_assert_uint_eq(fake_log_count("config: vm.b: vmbus = off"), 1);
}
END_TEST

UNIT_MAIN("config_vmbus", tcase_add_loop_test(tc, versions, 0, ARRAY_SIZE(good));
          tcase_add_loop_test(tc, errors, 0, ARRAY_SIZE(bad)); tcase_add_test(tc, shown_at_boot);)
