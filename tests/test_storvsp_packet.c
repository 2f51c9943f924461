// SPDX-License-Identifier: BSD-2-Clause
// The storage protocol: its handshake, and what each packet asks and is answered.
#include "tests/storvsp_guest.h"

START_TEST(linux_handshake)
{
	const struct vstor_packet *p;

	ck_assert_int_eq(storvsp_attach(&sp, NULL), 0);
	ck_assert(world[0].added);
	ck_assert_str_eq(sp.channels[0].ch.offer.name, "Synthetic SCSI Controller");
	ck_assert_int_eq(world_open(0), 0);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_BEGIN_INITIALIZATION), VSTOR_SUCCESS);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_QUERY_PROTOCOL_VERSION, .version = 0x700),
	        VSTOR_REVISION_MISMATCH);
	ck_assert_uint_eq(
	        SAY(0, .operation = VSTOR_QUERY_PROTOCOL_VERSION, .version = 0x602), VSTOR_SUCCESS);
	p = say(0, (struct vstor_packet){.operation = VSTOR_QUERY_PROPERTIES});
	ck_assert_uint_eq(p->status, VSTOR_SUCCESS);
	ck_assert_uint_eq(p->properties.max_sub_channels, 3);
	ck_assert_uint_eq(p->properties.flags, VSTOR_MULTI_CHANNEL);
	ck_assert_uint_eq(p->properties.max_transfer, 256 << 10);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_END_INITIALIZATION), VSTOR_SUCCESS);
	ck_assert_uint_eq(
	        SAY(0, .operation = VSTOR_CREATE_SUB_CHANNELS, .sub_channels = 3), VSTOR_SUCCESS);
	ck_assert(world[1].added && world[2].added && world[3].added && !world[4].added);
	ck_assert_uint_eq(sp.channels[3].ch.offer.sub_index, 3);
	ck_assert(guid_equal(&sp.channels[0].ch.offer.instance, &sp.channels[3].ch.offer.instance));
}
END_TEST

/* What a back end cannot take as it comes must not come to it. */
START_TEST(back_ends)
{
	static const struct {
		size_t at;
		uint32_t bad;
	} rows[] = {
	        {offsetof(struct blk, seg_align), 512},
	        {offsetof(struct blk, seg_align), 0},
	        {offsetof(struct blk, max_segs), STORVSP_MAX_SEGS - 1},
	        {offsetof(struct blk, max_len), SCSI_MAX_ZERO - 1},
	        {offsetof(struct blk, block_size), 256},
	        {offsetof(struct blk, block_size), 1536},
	        {offsetof(struct blk, block_size), 8192},
	        {offsetof(struct blk, size), 4096 + 1},
	        {offsetof(struct blk, size), 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		slow = a_slow_one;
		memcpy((uint8_t *)&slow + rows[i].at, &rows[i].bad, sizeof(rows[i].bad));
		ck_assert_int_eq(storvsp_attach(&sp, NULL), -EINVAL);
		ck_assert(!world[0].added);
	}
	slow = a_slow_one;
	ck_assert_int_eq(storvsp_attach(&sp, NULL), 0);
}
END_TEST

START_TEST(windows_order)
{
	ck_assert_int_eq(world_open(0), 0);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_BEGIN_INITIALIZATION), VSTOR_SUCCESS);
	ck_assert_uint_eq(
	        SAY(0, .operation = VSTOR_QUERY_PROTOCOL_VERSION, .version = 0x602), VSTOR_SUCCESS);
	ck_assert_uint_eq(
	        SAY(0, .operation = VSTOR_CREATE_SUB_CHANNELS, .sub_channels = 1), VSTOR_SUCCESS);
	ck_assert(world[1].added && !world[2].added);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_END_INITIALIZATION), VSTOR_SUCCESS);
}
END_TEST

/* The bus is full. */
START_TEST(no_place_for_sub_channels)
{
	handshake();
	world_subs = 0;
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_CREATE_SUB_CHANNELS, .sub_channels = 2),
	        VSTOR_NO_RESOURCES);
	ck_assert(!world[1].added);
	ck_assert_uint_eq(
	        SAY(0, .operation = VSTOR_CREATE_SUB_CHANNELS, .sub_channels = 0), VSTOR_SUCCESS);
	world_subs = 1;
	ck_assert_uint_eq(
	        SAY(0, .operation = VSTOR_CREATE_SUB_CHANNELS, .sub_channels = 2), VSTOR_SUCCESS);
	ck_assert(world[1].added && !world[2].added);
}
END_TEST

static const uint16_t versions[] = {0x200, 0x402, 0x501, 0x600, 0x602};

START_TEST(all_versions)
{
	ck_assert_int_eq(world_open(0), 0);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_BEGIN_INITIALIZATION), VSTOR_SUCCESS);
	ck_assert_uint_eq(
	        SAY(0, .operation = VSTOR_QUERY_PROTOCOL_VERSION, .version = versions[_i]),
	        VSTOR_SUCCESS);
	ck_assert_uint_eq(sp.version, versions[_i]);
}
END_TEST

/* What each step says before its time. */
START_TEST(wrong_order)
{
	static const struct {
		uint32_t operation, status[4]; /* open, begun, version, ready */
	} rows[] = {
	        {VSTOR_QUERY_PROTOCOL_VERSION,
	                {VSTOR_INVALID_STATE, VSTOR_REVISION_MISMATCH, VSTOR_REVISION_MISMATCH,
	                        VSTOR_INVALID_STATE}},
	        {VSTOR_QUERY_PROPERTIES,
	                {VSTOR_INVALID_STATE, VSTOR_INVALID_STATE, VSTOR_SUCCESS, VSTOR_SUCCESS}},
	        {VSTOR_CREATE_SUB_CHANNELS,
	                {VSTOR_INVALID_STATE, VSTOR_INVALID_STATE, VSTOR_SUCCESS, VSTOR_SUCCESS}},
	        {VSTOR_EXECUTE_SRB, {VSTOR_INVALID_STATE, VSTOR_INVALID_STATE, VSTOR_INVALID_STATE,
	                                    VSTOR_SUCCESS}},
	        {VSTOR_RESET_BUS, {VSTOR_SUCCESS, VSTOR_SUCCESS, VSTOR_SUCCESS, VSTOR_SUCCESS}},
	        {VSTOR_COMPLETE_IO, {[0 ... 3] = VSTOR_INVALID_PARAMETER}},
	        {VSTOR_FC_HBA_DATA, {[0 ... 3] = VSTOR_INVALID_PARAMETER}},
	        {VSTOR_EVENT_NOTIFICATION, {[0 ... 3] = VSTOR_INVALID_PARAMETER}},
	        {0, {[0 ... 3] = VSTOR_INVALID_PARAMETER}},
	        {15, {[0 ... 3] = VSTOR_INVALID_PARAMETER}},
	        {0xffffffff, {[0 ... 3] = VSTOR_INVALID_PARAMETER}},
	};

	ck_assert_int_eq(world_open(0), 0);
	for (unsigned state = 0; state < 4; state++) {
		if (state == 1) {
			SAY(0, .operation = VSTOR_BEGIN_INITIALIZATION);
		} else if (state == 2) {
			SAY(0, .operation = VSTOR_QUERY_PROTOCOL_VERSION, .version = 0x600);
		} else if (state == 3) {
			SAY(0, .operation = VSTOR_END_INITIALIZATION);
		}
		for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
			uint32_t status = SAY(0, .operation = rows[i].operation);

			ck_assert_msg(status == rows[i].status[state],
			        "state %u, operation %u: %08x", state, rows[i].operation, status);
		}
	}
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_CREATE_SUB_CHANNELS, .sub_channels = 4),
	        VSTOR_INVALID_PARAMETER);
	/* A driver that comes back begins again; until it is through, there are no commands. */
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_BEGIN_INITIALIZATION), VSTOR_SUCCESS);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_EXECUTE_SRB), VSTOR_INVALID_STATE);
	/* The handshake is the primary channel's. */
	handshake();
	ck_assert_int_eq(world_open(1), 0);
	ck_assert_uint_eq(SAY(1, .operation = VSTOR_BEGIN_INITIALIZATION), VSTOR_INVALID_PARAMETER);
	ck_assert_uint_eq(SAY(1, .operation = VSTOR_EXECUTE_SRB), VSTOR_SUCCESS);
}
END_TEST

START_TEST(one_vcpu)
{
	struct blk *blks[] = {&disk.blk};

	vm = fake_vm(4 << 20, 1);
	world_reset(vm, blks, 1);
	ck_assert_int_eq(world_open(0), 0);
	SAY(0, .operation = VSTOR_BEGIN_INITIALIZATION);
	SAY(0, .operation = VSTOR_QUERY_PROTOCOL_VERSION, .version = 0x602);
	ck_assert_uint_eq(say(0, (struct vstor_packet){.operation = VSTOR_QUERY_PROPERTIES})
	                          ->properties.flags,
	        0);
	ck_assert_uint_eq(SAY(0, .operation = VSTOR_CREATE_SUB_CHANNELS, .sub_channels = 1),
	        VSTOR_INVALID_PARAMETER);
}
END_TEST

/* Older clients send 48 bytes; less is no packet, more is not looked at. */
START_TEST(lengths)
{
	struct vstor_packet p = {.operation = VSTOR_BEGIN_INITIALIZATION, .flags = 1};
	struct world_in *in;

	ck_assert_int_eq(world_open(0), 0);
	in = world_put(0, 1, &p);
	in->len = 47;
	world_work(0);
	ck_assert_uint_eq(answer(0, 1)->status, VSTOR_INVALID_PARAMETER);
	in = world_put(0, 2, &p);
	in->len = 48;
	world_work(0);
	ck_assert_uint_eq(answer(0, 2)->status, VSTOR_SUCCESS);
	in = world_put(0, 3, &p);
	in->len = 80;
	world_work(0);
	ck_assert_uint_eq(answer(0, 3)->status, VSTOR_SUCCESS);
	in = world_put(0, 4, &p);
	in->len = 0;
	world_work(0);
	ck_assert_uint_eq(answer(0, 4)->status, VSTOR_INVALID_PARAMETER);
	/* Other kinds of packet; and nobody waits for the last one. */
	in = world_put(0, 5, &p);
	in->type = RING_PACKET_XFER_PAGES;
	world_work(0);
	ck_assert_uint_eq(answer(0, 5)->status, VSTOR_INVALID_PARAMETER);
	in = world_put(0, 6, &p);
	in->wants_completion = false;
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, 5);
	ck_assert_uint_eq(sp.stats.ignored, 1);
}
END_TEST

/* --- commands --- */

START_TEST(commands)
{
	const struct vstor_srb *srb;
	struct order write = {.cdb = {0x2a, [5] = 8, [8] = 16}, .cdb_len = 10, .data_len = 8192};
	struct order read = {.cdb = {0x28, [5] = 8, [8] = 16}, .cdb_len = 10, .data_len = 8192};

	handshake();
	memset(data, 0x5a, 8192);
	srb = execute(0, &write);
	ck_assert_uint_eq(srb->srb_status, SRB_SUCCESS);
	ck_assert_uint_eq(srb->scsi_status, 0);
	ck_assert_uint_eq(srb->data_len, 8192);
	ck_assert_uint_eq(srb->sense_len, 0);
	memset(data, 0, 8192);
	srb = execute(0, &read);
	ck_assert_uint_eq(srb->srb_status, SRB_SUCCESS);
	ck_assert_uint_eq(data[0], 0x5a);
	ck_assert_uint_eq(data[8191], 0x5a);
	/* The shorter of what the request says and what it brings. */
	read.cdb[8] = 8;
	put_order(0, 1, &read)->ranges_len = 4096;
	world_work(0);
	ck_assert_uint_eq(answer(0, 1)->srb.srb_status, SRB_SUCCESS);
	ck_assert_uint_eq(answer(0, 1)->srb.data_len, 4096);
	read.cdb[8] = 16;
	put_order(0, 2, &read)->ranges_len = 4096;
	world_work(0);
	srb = &answer(0, 2)->srb;
	ck_assert_uint_eq(srb->srb_status, SRB_ERROR | SRB_AUTOSENSE);
	ck_assert_uint_eq(srb->scsi_status, SCSI_CHECK_CONDITION);
	ck_assert_uint_eq(srb->data_len, 0);
	ck_assert_uint_eq(srb->sense_len, 18);
	ck_assert_mem_eq(srb->cdb, "\x70\0\x05\0\0\0\0\x0a\0\0\0\0\x24\0\0\0\0\0\0\0", 20);
	ck_assert_uint_eq(sp.stats.refused, 0);
}
END_TEST

START_TEST(senseless)
{
	struct order o = READ_10(0, 8);

	handshake();
	put_order(0, 1, &o)->n_segs = -EFAULT;
	world_work(0);
	ck_assert_uint_eq(answer(0, 1)->srb.srb_status, SRB_INVALID_REQUEST);
	ck_assert_uint_eq(answer(0, 1)->srb.data_len, 0);
	put_order(0, 2, &o)->n_segs = STORVSP_MAX_SEGS + 1;
	world_work(0);
	ck_assert_uint_eq(answer(0, 2)->srb.srb_status, SRB_INVALID_REQUEST);
	o.cdb_len = 17;
	ck_assert_uint_eq(execute(0, &o)->srb_status, SRB_INVALID_REQUEST);
	ck_assert_uint_eq(sp.stats.refused, 3);
	ck_assert_uint_eq(disk.blk.stats.reads, 0);
}
END_TEST

START_TEST(addresses)
{
	struct order inquiry = {.cdb = {0x12, 0, 0, 0, 36}, .cdb_len = 6, .data_len = 36};
	struct order luns = {.cdb = {0xa0, [9] = 64}, .cdb_len = 12, .data_len = 64};
	struct order ready = {.cdb_len = 6};

	handshake();
	ck_assert_uint_eq(execute(0, &inquiry)->data_len, 36);
	ck_assert_uint_eq(data[0], 0);
	for (unsigned i = 0; i < 4; i++) {
		inquiry.path = i == 0;
		inquiry.target = i == 1;
		inquiry.lun = i == 2 ? 2 : i == 3 ? 255 : 0;
		memset(data, 0, 36);
		ck_assert_uint_eq(execute(0, &inquiry)->srb_status, SRB_SUCCESS);
		ck_assert_uint_eq(world[0].out[world[0].n_out - 1].packet.srb.data_len, 36);
		ck_assert_uint_eq(data[0], 0x7f);
	}
	ready.lun = 2;
	ck_assert_uint_eq(execute(0, &ready)->srb_status, SRB_INVALID_LUN | SRB_AUTOSENSE);
	ready.lun = 1;
	ck_assert_uint_eq(execute(0, &ready)->srb_status, SRB_SUCCESS);
	ready.target = 1;
	ck_assert_uint_eq(execute(0, &ready)->srb_status, SRB_INVALID_LUN | SRB_AUTOSENSE);
	ck_assert_uint_eq(execute(0, &luns)->data_len, 24);
	ck_assert_uint_eq(data[3], 16);
	luns.target = 1;
	ck_assert_uint_eq(execute(0, &luns)->data_len, 8);
	ck_assert_uint_eq(data[3], 0);
}
END_TEST

UNIT_MAIN("storvsp_packet", tcase_add_checked_fixture(tc, setup, teardown);
          tcase_add_test(tc, linux_handshake); tcase_add_test(tc, back_ends);
          tcase_add_test(tc, windows_order); tcase_add_test(tc, no_place_for_sub_channels);
          tcase_add_loop_test(tc, all_versions, 0, ARRAY_SIZE(versions));
          tcase_add_test(tc, wrong_order); tcase_add_test(tc, one_vcpu);
          tcase_add_test(tc, lengths); tcase_add_test(tc, commands); tcase_add_test(tc, senseless);
          tcase_add_test(tc, addresses);)
