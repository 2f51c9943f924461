// SPDX-License-Identifier: BSD-2-Clause
// The network adapter: its link, and what the monitor shows.
#include "tests/net_driver.h"

START_TEST(link_state)
{
	struct guest *g = &guests[2];

	world(1500, true);
	make_guest(2, NULL, RECV_PAGES); /* nic = none */
	set_up(2, NVSP_VERSION_61, 1500, true);
	ck_assert_uint_eq(oid(2, RNDIS_QUERY, OID_GEN_MEDIA_CONNECT_STATUS, "", 0), 0);
	ck_assert_uint_eq(get_le32(flat + 24), 1);
	frame_to(1, FORM_UDP, 100);
	send_frame(2, NULL, 0, IN_SECTION);
	netvsp_set_link(&g->n, true);
	ck_assert(!g->n.rndis.link_up);
	/* A cable that is pulled. */
	netvsp_set_link(&guests[1].n, false);
	run(1);
	read_buffer(&guests[1].recv, last(1)->ranges[0].offset, flat, 20);
	ck_assert_uint_eq(get_le32(flat + 8), 0x4001000c);
	give_back(1);
	send_frame(0, NULL, 0, IN_SECTION);
	frame_to(0, FORM_UDP, 100);
	send_frame(1, NULL, 0, IN_SECTION);
	run_all();
	ck_assert_uint_eq(guests[0].q[0].n_out, 1);
	ck_assert_uint_eq(guests[1].q[0].n_out, 1);
	netvsp_set_link(&guests[1].n, false); /* twice is once */
	netvsp_set_link(&guests[1].n, true);
	run(1);
	ck_assert_uint_eq(guests[1].q[0].n_out, 2);
	frame_to(1, FORM_UDP, 100);
	send_frame(0, NULL, 0, IN_SECTION);
	run(1);
	ck_assert_uint_eq(guests[1].q[0].n_out, 3);
}
END_TEST

static char text[2048];

static void write_text(struct out *out, const char *s, size_t n)
{
	(void)out;
	strncat(text, s, n);
}

START_TEST(dump)
{
	struct out out = {.write = write_text};

	world(1500, true);
	channel_of(0, 0)->ops->dump(channel_of(0, 0), &out);
	ck_assert_ptr_nonnull(
	        strstr(text, "NVSP 6.1, 02:00:00:00:00:01, link up, MTU 1500, filter 0xd\n"
	                     "  receive buffer: 1024 of 1024 slots free, 2048 bytes each\n"));
	free_world();
	free_frame(&t);
}
END_TEST

UNIT_MAIN("netvsp", tcase_add_test(tc, link_state); tcase_add_test(tc, dump);)
