// SPDX-License-Identifier: BSD-2-Clause
// nic =: what is accepted and what it means, the exact sentence for what is not, and the addresses.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/config.h"
#include "vmm/lib/err.h"
#include <stdio.h>
#include <string.h>

#define VM "[vm.a]\nmemory=4M\nkernel=k\n"
#define VM_B "[vm.b]\nmemory=4M\nkernel=k\n"

static struct config cfg;
static struct config_error err;

static int parse(const char *text)
{
	return config_parse(&cfg, "candela.cfg", text, strlen(text), &err);
}

static void parse_ok(const char *text)
{
	ck_assert_msg(parse(text) == 0, "%s", err.text);
}

START_TEST(accepted)
{
	static const struct {
		const char *line, *sw;
		uint64_t mac; /* 0 = any */
	} rows[] = {
	        {"nic = switch0\n", "switch0", 0},
	        {"nic = none\n", "", 0},
	        {"nic = none, mac=02:00:00:00:00:01\n", "", 0x020000000001},
	        {"nic=a.b-c_9,bus=netvsc,mac=00-15-5d-AB-cd-eF\n", "a.b-c_9", 0x00155dabcdef},
	        {"nic = nonesuch , mac = fe:ff:ff:ff:ff:ff\n", "nonesuch", 0xfeffffffffff},
	        {"nic = 1234567890123456789012345678901\n", "1234567890123456789012345678901", 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[256];

		snprintf(text, sizeof(text), VM "%s", rows[i].line);
		parse_ok(text);
		ck_assert_uint_eq(cfg.vms[0].n_nics, 1);
		ck_assert_uint_eq(cfg.vms[0].nics[0].line, 4);
		ck_assert_str_eq(cfg.vms[0].nics[0].sw, rows[i].sw);
		if (rows[i].mac) {
			ck_assert_uint_eq(cfg.vms[0].nics[0].mac, rows[i].mac);
		} else {
			ck_assert_uint_eq(cfg.vms[0].nics[0].mac >> 24, 0x00155d);
		}
	}
	parse_ok(VM "nic = a\nnic = b, queues=1\nnic = c, queues = 8\n");
	ck_assert_uint_eq(cfg.vms[0].nics[0].queues, 0);
	ck_assert_uint_eq(cfg.vms[0].nics[1].queues, 1);
	ck_assert_uint_eq(cfg.vms[0].nics[2].queues, 8);
	parse_ok(VM);
	ck_assert_uint_eq(cfg.vms[0].n_nics, 0);
}
END_TEST

START_TEST(refused)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
	        {VM "nic =\n", "candela.cfg:4: nic has no value"},
	        {VM "nic = ,\n", "candela.cfg:4: a switch's name has 1 to 31 characters, not ''"},
	        {VM "nic = 12345678901234567890123456789012\n",
	                "candela.cfg:4: a switch's name has 1 to 31 characters, not "
	                "'12345678901234567890123456789012'"},
	        {VM "nic = a b\n",
	                "candela.cfg:4: a switch's name has letters, digits, '-', '_' and '.' "
	                "only, not 'a b'"},
	        {VM "nic = s, mac=1\n",
	                "candela.cfg:4: mac must be like 00:15:5d:01:02:03, not '1'"},
	        {VM "nic = s, mac=00:15:5d:01:02-03\n",
	                "candela.cfg:4: mac must be like 00:15:5d:01:02:03, not "
	                "'00:15:5d:01:02-03'"},
	        {VM "nic = s, mac=00:15:5d:01:02:0g\n",
	                "candela.cfg:4: mac must be like 00:15:5d:01:02:03, not "
	                "'00:15:5d:01:02:0g'"},
	        {VM "nic = s, mac=00:15:5d:01:02:031\n",
	                "candela.cfg:4: mac must be like 00:15:5d:01:02:03, not "
	                "'00:15:5d:01:02:031'"},
	        {VM "nic = s, mac=01:15:5d:01:02:03\n",
	                "candela.cfg:4: mac 01:15:5d:01:02:03 is no adapter's own address"},
	        {VM "nic = s, mac=00:00:00:00:00:00\n",
	                "candela.cfg:4: mac 00:00:00:00:00:00 is no adapter's own address"},
	        {VM "nic = s, bus=e1000\n", "candela.cfg:4: bus must be netvsc, not 'e1000'"},
	        {VM "nic = s, queues=0\n", "candela.cfg:4: queues must be 1 to 8, not '0'"},
	        {VM "nic = s, queues=9\n", "candela.cfg:4: queues must be 1 to 8, not '9'"},
	        {VM "nic = s, queues=all\n", "candela.cfg:4: queues must be 1 to 8, not 'all'"},
	        {VM "nic = s, vlan=1\n", "candela.cfg:4: unknown nic option 'vlan=1': there are "
	                                 "mac=, queues= and bus="},
	        {VM "nic = s, mac\n", "candela.cfg:4: unknown nic option 'mac': there are mac=, "
	                              "queues= and bus="},
	        {VM "nic = s,\n",
	                "candela.cfg:4: unknown nic option '': there are mac=, queues= and bus="},
	        {VM "nic = s\nnic = s\nnic = s\nnic = s\nnic = s\n",
	                "candela.cfg:8: more than 4 nics"},
	        {VM "hyperv = off\nnic = s\n",
	                "candela.cfg:5: a nic needs VMBus: hyperv = on, vmbus = on"},
	        {VM "nic = s, mac=02:00:00:00:00:01\n" VM_B "nic = t, mac=02:00:00:00:00:01\n",
	                "candela.cfg:8: this mac is that of another nic of [vm.a], on line 4"},
	        {VM "nic = s, mac=02:00:00:00:00:01\nnic = none, mac=02:00:00:00:00:01\n",
	                "candela.cfg:5: this mac is that of another nic of [vm.a], on line 4"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_int_eq(parse(rows[i].text), -EINVAL);
		ck_assert_str_eq(err.text, rows[i].error);
	}
}
END_TEST

START_TEST(addresses)
{
	uint64_t a0, a1, b0;
	char text[256];

	parse_ok(VM "nic = s\nnic = none\n" VM_B "nic = s\n");
	a0 = cfg.vms[0].nics[0].mac;
	a1 = cfg.vms[0].nics[1].mac;
	b0 = cfg.vms[1].nics[0].mac;
	ck_assert(a0 != a1 && a0 != b0 && a1 != b0);
	/* They do not depend on the other VMs. */
	parse_ok(VM_B "nic = other\n");
	ck_assert_uint_eq(cfg.vms[0].nics[0].mac, b0);
	/* But for one that has been given that address, also on a later line. */
	snprintf(text, sizeof(text),
	        VM "nic = s\n" VM_B "nic = s, mac=%02x:%02x:%02x:%02x:%02x:%02x\n",
	        (unsigned)(a0 >> 40), (unsigned)(a0 >> 32) & 0xff, (unsigned)(a0 >> 24) & 0xff,
	        (unsigned)(a0 >> 16) & 0xff, (unsigned)(a0 >> 8) & 0xff, (unsigned)a0 & 0xff);
	parse_ok(text);
	ck_assert_uint_eq(cfg.vms[1].nics[0].mac, a0);
	ck_assert_uint_eq(cfg.vms[0].nics[0].mac, 0x00155d000000 | ((a0 + 1) & 0xffffff));
}
END_TEST

/* All adapters that there can be have different addresses; all but 16 switches are refused. */
START_TEST(many)
{
	static char text[32768];
	size_t n = 0;

	for (unsigned vm = 0; vm < MAX_VMS; vm++) {
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		        "[vm.v%u]\nmemory=4M\nkernel=k\nnic=s%u\nnic=s%u\nnic=none\nnic=s0\n", vm,
		        vm, vm);
	}
	parse_ok(text);
	for (unsigned i = 0; i < MAX_VMS * MAX_NICS; i++) {
		for (unsigned j = 0; j < i; j++) {
			ck_assert_uint_ne(cfg.vms[i / MAX_NICS].nics[i % MAX_NICS].mac,
			        cfg.vms[j / MAX_NICS].nics[j % MAX_NICS].mac);
		}
	}
	memcpy(strstr(text, "none"), "more", 4);
	ck_assert_int_eq(parse(text), -EINVAL);
	ck_assert_str_eq(err.text, "candela.cfg:109: more than 16 switches");
}
END_TEST

START_TEST(logged)
{
	parse_ok(VM "nic = s, mac=02:00:00:00:00:0a\nnic = none, mac=02:00:00:00:00:0b\n");
	fake_log_clear();
	config_log(&cfg);
	ck_assert_uint_eq(fake_log_count("vm.a: nic = s, bus=netvsc, mac=02:00:00:00:00:0a"), 1);
	ck_assert_uint_eq(fake_log_count("vm.a: nic = none, bus=netvsc, mac=02:00:00:00:00:0b"), 1);
}
END_TEST

UNIT_MAIN("config_nic", tcase_add_test(tc, accepted); tcase_add_test(tc, refused);
          tcase_add_test(tc, addresses); tcase_add_test(tc, many); tcase_add_test(tc, logged);)
