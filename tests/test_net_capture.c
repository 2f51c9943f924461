// SPDX-License-Identifier: BSD-2-Clause
// Frames that are kept, and their text; text2pcap reads it back where it is installed.
#include "devices/backend/net_capture.h"
#include "tests/net_frames.h"
#include "tests/unit.h"
#include <stdio.h>

static struct test_frame t;
static char text[1 << 20];

static void write_text(struct out *out, const char *s, size_t n)
{
	(void)out;
	strncat(text, s, n);
}

static unsigned print_all(void)
{
	struct out out = {.write = write_text};
	uint64_t next = 0;
	unsigned n = 0;

	text[0] = '\0';
	while (net_capture_print(&out, &next)) {
		n++;
	}
	return n;
}

START_TEST(lines)
{
	net_capture_clear();
	ck_assert_uint_eq(print_all(), 0);
	make_frame(&t, FORM_UDP, 4);
	lay_out(&t, 10);
	net_capture_frame(&t.frame, false, 3723000045678ULL);
	t.frame.has_vlan = true;
	t.frame.vlan_tci = 0xa123;
	t.frame.len = 34;
	net_capture_frame(&t.frame, true, 1999);
	ck_assert_uint_eq(print_all(), 2);
	ck_assert_str_eq(text, "O 01:02:03.000045\n"
	                       "000000 02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 00\n"
	                       "000010 00 20 ff fe 40 00 40 11 00 00 0a 00 00 01 0a 00\n"
	                       "000020 00 02 03 e8 07 d0 00 0c 12 34 00 07 0e 15\n"
	                       "I 00:00:00.000001\n"
	                       "000000 02 00 00 00 00 02 02 00 00 00 00 01 81 00 a1 23\n"
	                       "000010 08 00 45 00 00 20 ff fe 40 00 40 11 00 00 0a 00\n"
	                       "000020 00 01 0a 00 00 02\n");
	free_frame(&t);
}
END_TEST

/* Long ones are cut; of many the last ones stay, the oldest first. */
START_TEST(bounds)
{
	struct out out = {.write = write_text};
	uint64_t next = 0;

	net_capture_clear();
	for (uint32_t n = 0; n < NET_CAPTURE_FRAMES + 10; n++) {
		make_frame(&t, FORM_UDP, 200 + n);
		lay_out(&t, 100);
		t.frame.has_vlan = n % 2;
		net_capture_frame(&t.frame, true, n * 1000ULL);
	}
	ck_assert_uint_eq(print_all(), NET_CAPTURE_FRAMES);
	ck_assert_int_eq(strncmp(text, "I 00:00:00.000010\n000000 02 00", 30), 0);
	ck_assert_ptr_nonnull(strstr(text, "I 00:00:00.000137\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n0000f0 "));
	ck_assert_ptr_null(strstr(text, "\n000100"));
	/* Others come while they are shown: what was written over is left out. */
	ck_assert(net_capture_print(&out, &next) && next == 11);
	for (uint32_t n = 0; n < 5; n++) {
		net_capture_frame(&t.frame, true, 0);
	}
	ck_assert(net_capture_print(&out, &next) && next == 16);
	net_capture_clear();
	ck_assert_uint_eq(print_all(), 0);
	free_frame(&t);
}
END_TEST

/* A pcap file: a header of 24 bytes, 16 for each frame. */
static void check_pcap(const uint8_t *p, size_t len, uint32_t n)
{
	size_t at = 24;

	ck_assert_uint_ge(len, at);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t kept;

		ck_assert_uint_le(at + 16, len);
		memcpy(&kept, p + at + 8, 4);
		make_frame(&t, i % 32, 20 * i);
		ck_assert_uint_eq(kept, t.len < NET_CAPTURE_BYTES ? t.len : NET_CAPTURE_BYTES);
		ck_assert_mem_eq(p + at + 16, t.bytes, kept);
		at += 16 + kept;
	}
	ck_assert_uint_eq(at, len);
}

/* With what a serial line has around it; the command is that of docs/monitor.md. */
START_TEST(text2pcap)
{
	static uint8_t pcap[1 << 16];
	FILE *f;
	size_t n;

	if (system("text2pcap -v >/dev/null 2>&1") != 0) {
		return;
	}
	net_capture_clear();
	for (uint32_t i = 0; i < 40; i++) {
		make_frame(&t, i % 32, 20 * i);
		lay_out(&t, 333);
		net_capture_frame(&t.frame, i % 3 != 0, i * 1000000ULL);
	}
	ck_assert_uint_eq(print_all(), 40);
	f = popen("sed 's/$/\\r/' | grep -E '^([IO] [0-9]|[0-9a-f]{6} )' | "
	          "text2pcap -q -F pcap -D -t %H:%M:%S.%f - /tmp/candela-capture.pcap",
	        "w");
	ck_assert_ptr_nonnull(f);
	fprintf(f, "candela> net capture abc\n%scandela> face\n00 11\n", text);
	ck_assert_int_eq(pclose(f), 0);
	f = fopen("/tmp/candela-capture.pcap", "rb");
	ck_assert_ptr_nonnull(f);
	n = fread(pcap, 1, sizeof(pcap), f);
	fclose(f);
	remove("/tmp/candela-capture.pcap");
	check_pcap(pcap, n, 40);
	free_frame(&t);
}
END_TEST

UNIT_MAIN("net_capture", tcase_add_test(tc, lines); tcase_add_test(tc, bounds);
          tcase_add_test(tc, text2pcap);)
