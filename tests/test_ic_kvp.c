// SPDX-License-Identifier: BSD-2-Clause
// Data exchange: the host's values out, the guest's values in, none of them trusted.
#include "tests/ic_world.h"
#include "vmm/lib/version.h"
#include <stdio.h>

#define NO_MORE 0x80070103U
#define ENUM_VALUE 20U /* in an enumeration's body: where type and sizes, key and value begin */
#define KEY 532U

static struct ic_kvp k;
static char text[4096];

static void write_text(struct out *out, const char *s, size_t n)
{
	(void)out;
	ck_assert_uint_lt(strlen(text) + n, sizeof(text));
	strncat(text, s, n);
}

static const char *info(void)
{
	struct out out = {.write = write_text};

	text[0] = '\0';
	ic_kvp_info(&k, &out);
	return text;
}

static void setup(void)
{
	ic_world();
	memset(&k, 0, sizeof(k));
	ic_kvp_init(&k, vm);
}

static void put32(unsigned at, uint32_t v)
{
	memcpy(request.bytes + HEAD + at, &v, sizeof(v));
}

static uint32_t get32(unsigned at)
{
	uint32_t v;

	memcpy(&v, request.bytes + HEAD + at, sizeof(v));
	return v;
}

/* UTF-16 of ASCII at 'at' of the body; returns its bytes with the 0. */
static uint32_t put_text(unsigned at, const char *s)
{
	unsigned n = 0;

	for (; *s; s++) {
		request.bytes[HEAD + at + n++] = (uint8_t)*s;
		request.bytes[HEAD + at + n++] = 0;
	}
	request.bytes[HEAD + at + n++] = 0;
	request.bytes[HEAD + at + n++] = 0;
	return n;
}

static void get_text(char *to, unsigned at, uint32_t bytes)
{
	for (unsigned i = 0; i < bytes; i += 2) {
		*to++ = (char)request.bytes[HEAD + at + i];
		ck_assert_uint_eq(request.bytes[HEAD + at + i + 1], 0);
	}
}

/* The values that the guest is told; it says 'status' to each. */
static unsigned told(uint32_t status, char all[1024])
{
	unsigned n = 0;

	all[0] = '\0';
	while (take_request() && request.bytes[HEAD] == 1) {
		char key[256], value[256];

		ck_assert_uint_eq(head_of(&request).type, 2);
		ck_assert_uint_eq(request.len, HEAD + 2576);
		ck_assert_uint_eq(request.bytes[HEAD + 1], 3);
		ck_assert_uint_eq(get32(4), 1);
		get_text(key, 16, get32(8));
		get_text(value, 16 + 512, get32(12));
		sprintf(all + strlen(all), "%s=%s\n", key, value);
		respond(&k.ic, status);
		n++;
	}
	return n;
}

/* Through the host's values: the first question about the guest's is taken. */
static void up(void)
{
	char all[1024];

	ic_up(&k.ic, 4, 0);
	ck_assert_uint_eq(told(0, all), 5);
}

static void is_enumeration(uint32_t index)
{
	ck_assert_uint_eq(request.len, HEAD + 2580);
	ck_assert_uint_eq(request.bytes[HEAD], 3);
	ck_assert_uint_eq(request.bytes[HEAD + 1], 2);
	ck_assert_uint_eq(get32(4), index);
}

/* The guest's answer to an enumeration, and the next one is taken. */
static void say(const char *key, const char *value)
{
	put32(8, 1);
	put32(12, put_text(ENUM_VALUE, key));
	put32(16, put_text(KEY, value));
	respond(&k.ic, 0);
	ck_assert(take_request());
}

static void end(void)
{
	respond(&k.ic, NO_MORE);
	ck_assert(!take_request());
}

START_TEST(host_values)
{
	char all[1024];

	ic_up(&k.ic, 4, 0);
	ck_assert_uint_eq(told(0, all), 5);
	ck_assert_str_eq(all, "HostName=Candela\nPhysicalHostName=Candela\n"
	                      "PhysicalHostNameFullyQualified=Candela\n"
	                      "HostingSystemVersion=" CANDELA_VERSION "\n"
	                      "VirtualMachineName=fake\n");
	is_enumeration(0);
	/* A guest that wants none of it is asked nevertheless. */
	k.ic.ch.ops->close(&k.ic.ch);
	ic_up(&k.ic, 3, 0);
	ck_assert_uint_eq(told(IC_STATUS_FAIL, all), 5);
	is_enumeration(0);
}
END_TEST

START_TEST(guest_values)
{
	up();
	is_enumeration(0);
	say("FullyQualifiedDomainName", "debian.example");
	is_enumeration(1);
	say("OSName", "Debian GNU/Linux");
	say("OSMajorVersion", "12");
	say("SomethingElse", "x");
	say("OSBuildNumber", "6.1.0-56-cloud-amd64");
	say("NetworkAddressIPv4", "10.0.0.2;10.0.0.3");
	is_enumeration(6);
	/* All of it at once. */
	ck_assert_str_eq(info(), "");
	end();
	ck_assert_str_eq(info(), "guest name: debian.example\nguest os: Debian GNU/Linux\n"
	                         "guest os version: 12\nguest kernel: 6.1.0-56-cloud-amd64\n"
	                         "guest ipv4: 10.0.0.2;10.0.0.3\n");
	k.ic.ch.ops->close(&k.ic.ch);
	ck_assert_str_eq(info(), "");
}
END_TEST

START_TEST(asked_again)
{
	up();
	say("NetworkAddressIPv4", "10.0.0.2");
	/* In the middle of it: from the start. */
	ck_assert_int_eq(ic_ask(&k.ic, VM_GUEST_REFRESH), 0);
	respond(&k.ic, 0);
	ck_assert(take_request());
	is_enumeration(0);
	ck_assert_int_eq(ic_answer(&k.ic), -EAGAIN);
	say("NetworkAddressIPv4", "10.0.0.3");
	end();
	ck_assert_int_eq(ic_answer(&k.ic), 0);
	ck_assert_str_eq(info(), "guest ipv4: 10.0.0.3\n");
	/* And when it was idle. What is gone is gone. */
	ck_assert_int_eq(ic_ask(&k.ic, VM_GUEST_REFRESH), 0);
	wire_work(&k.ic.ch);
	ck_assert(take_request());
	respond(&k.ic, IC_STATUS_FAIL);
	ck_assert_int_eq(ic_answer(&k.ic), -EIO);
	ck_assert_str_eq(info(), "");
}
END_TEST

START_TEST(hostile_text)
{
	static const uint16_t units[] = {
	        'a', '\n', 0x1b, '\\', 0x7f, 0xe9, 0xd83d, 0xde00, 0xdc00, 0x20ac, 'z', 0, 'q'};

	up();
	put32(8, 1);
	put32(12, put_text(ENUM_VALUE, "OSName"));
	put32(16, sizeof(units));
	memcpy(request.bytes + HEAD + KEY, units, sizeof(units));
	respond(&k.ic, 0);
	ck_assert(take_request());
	end();
	ck_assert_str_eq(info(),
	        "guest os: a\\u000a\\u001b\\u005c\\u007f\\u00e9\\ud83d\\ude00\\udc00"
	        "\\u20acz\n");
}
END_TEST

START_TEST(hostile_sizes)
{
	static const uint32_t sizes[] = {0, 1, 2, 3, 2047, 2048, 2049, 0x7fffffff, 0xffffffff};

	up();
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		/* No end in sight. */
		put32(8, 1);
		put_text(ENUM_VALUE, "OSName");
		put32(12, 2 * sizeof("OSName"));
		put32(16, sizes[i]);
		memset(request.bytes + HEAD + KEY, 'A', 2048);
		respond(&k.ic, 0);
		ck_assert(take_request());
		/* Nor of the key. */
		memset(request.bytes + HEAD + ENUM_VALUE, 'K', 512);
		put32(12, sizes[i]);
		respond(&k.ic, 0);
		ck_assert(take_request());
	}
	end();
	/* "\u4141" over and over, as many as fit. */
	ck_assert_uint_eq(strlen(info()), strlen("guest os: \n") + 6 * ((IC_KVP_TEXT - 1) / 6));
}
END_TEST

START_TEST(numbers_and_other_types)
{
	static const struct {
		uint32_t type;
		const char *want;
	} rows[] = {
	        {4, "guest os: 16909060\n"},
	        {8, "guest os: 361700864123077380\n"},
	        {0, ""},
	        {2, ""},
	        {0xffffffff, ""},
	};

	up();
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		put32(12, put_text(ENUM_VALUE, "OSName"));
		put32(8, rows[i].type);
		put32(16, 8);
		memcpy(request.bytes + HEAD + KEY, "\4\3\2\1\5\5\5\5", 8);
		respond(&k.ic, 0);
		ck_assert(take_request());
		end();
		ck_assert_str_eq(info(), rows[i].want);
		ck_assert_int_eq(ic_ask(&k.ic, VM_GUEST_REFRESH), 0);
		wire_work(&k.ic.ch);
		ck_assert(take_request());
	}
}
END_TEST

START_TEST(hostile_course)
{
	up();
	/* Short of a pair: the end of it, as an error. */
	say("OSName", "x");
	request.len = HEAD + 2579;
	ck_assert_int_eq(ic_ask(&k.ic, VM_GUEST_REFRESH), 0);
	respond(&k.ic, 0);
	ck_assert_str_eq(info(), "guest os: x\n");
	/* For ever: cut off. */
	ck_assert(take_request());
	for (unsigned i = 0; i < 64; i++) {
		is_enumeration(i);
		wire.n_to_device = wire.next_to_device = 0;
		say("OSName", "y");
	}
	respond(&k.ic, 0);
	ck_assert(!take_request());
	ck_assert_int_eq(ic_answer(&k.ic), -EIO);
	ck_assert_str_eq(info(), "guest os: y\n");
}
END_TEST

UNIT_MAIN("ic_kvp", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, host_values);
          tcase_add_test(tc, guest_values); tcase_add_test(tc, asked_again);
          tcase_add_test(tc, hostile_text); tcase_add_test(tc, hostile_sizes);
          tcase_add_test(tc, numbers_and_other_types); tcase_add_test(tc, hostile_course);)
