// SPDX-License-Identifier: BSD-2-Clause
// The accelerator of an IDE disk: what is offered, where the disk is found, and the disk through
// both doors at once.
#include "tests/ide_world.h"
#include "tests/storvsp_world.h"

#define CHANNEL 0U
#define DRIVE 1U
#define READ_SECTORS 0x20U
#define BYTES 1024U /* of each read */

/* --- a back end that has several requests at once, and none when they are cancelled --- */

static struct blk_req *queue[4];
static unsigned n_queue;

static int slow_submit(struct blk *blk, struct blk_req *req)
{
	(void)blk;
	ck_assert_uint_lt(n_queue, ARRAY_SIZE(queue));
	queue[n_queue++] = req;
	return 0;
}

static void slow_cancel(struct blk *blk)
{
	(void)blk;
	for (; n_queue > 0; n_queue--) {
		queue[n_queue - 1]->done(queue[n_queue - 1], BLK_CANCELLED);
	}
}

static bool slow_drain(struct blk *blk)
{
	(void)blk;
	return n_queue == 0;
}

static const struct blk_ops slow_ops = {
        .submit = slow_submit, .cancel = slow_cancel, .drain = slow_drain};

static void setup(void)
{
	w_make(true, false);
	w_slave.blk.max_segs = SCSI_MAX_SEGS;
	w_slave.blk.max_len = SCSI_MAX_ZERO;
	n_queue = 0;
	memset(&sp, 0, sizeof(sp));
	memset(world, 0, sizeof(world));
	world[0].room = WORLD_PACKETS;
	storvsp_init_ide(&sp, vm, &w_slave.blk, CHANNEL, DRIVE);
}

/* --- words of the guest --- */

static uint8_t data[BYTES];

static struct vstor_packet say(struct vstor_packet p)
{
	static uint64_t id;
	unsigned before = world[0].n_out;

	world_put(0, ++id, &p);
	world_work(0);
	ck_assert_uint_eq(world[0].n_out, before + 1);
	return world[0].out[before].packet;
}

static void handshake(void)
{
	static const uint32_t steps[] = {
	        VSTOR_BEGIN_INITIALIZATION, VSTOR_QUERY_PROTOCOL_VERSION, VSTOR_END_INITIALIZATION};

	ck_assert_int_eq(world_open(0), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		struct vstor_packet p = {.operation = steps[i]};

		p.version = steps[i] == VSTOR_QUERY_PROTOCOL_VERSION ? 0x602 : 0;
		ck_assert_uint_eq(say(p).status, VSTOR_SUCCESS);
	}
}

static struct vstor_packet srb(uint8_t path, uint8_t target, uint8_t lun)
{
	struct vstor_packet p = {.operation = VSTOR_EXECUTE_SRB};

	p.srb.path = path;
	p.srb.target = target;
	p.srb.lun = lun;
	return p;
}

/* Two blocks from the second one on. */
static void put_read(uint8_t path, uint8_t target)
{
	static const uint8_t cdb[] = {0x28, 0, 0, 0, 0, 1, 0, 0, BYTES / 512, 0};
	struct vstor_packet p = srb(path, target, 0);
	struct world_in *in;

	memcpy(p.srb.cdb, cdb, sizeof(cdb));
	p.srb.cdb_len = sizeof(cdb);
	p.srb.data_len = sizeof(data);
	in = world_put(0, 1, &p);
	in->type = RING_PACKET_GPA_DIRECT;
	in->ranges_len = sizeof(data);
	in->segs[in->n_segs++] = (struct io_seg){.hva = data, .len = sizeof(data)};
}

static const struct vstor_srb *last_srb(void)
{
	ck_assert_uint_gt(world[0].n_out, 0);
	return &world[0].out[world[0].n_out - 1].packet.srb;
}

/* --- tests --- */

START_TEST(offer)
{
	static const struct guid type = GUID(0x32412632, 0x86cb, 0x44a2, 0x9b5c, 0x50d1417354f5);
	static const uint8_t instances[4][16] = {
	        {0, 0, 0, 0, 0, 0, 0x99, 0x88},
	        {0, 0, 0, 0, 1, 0, 0x99, 0x88},
	        {1, 0, 0, 0, 0, 0, 0x99, 0x88},
	        {1, 0, 0, 0, 1, 0, 0x99, 0x88},
	};
	static struct storvsp one;

	for (uint8_t i = 0; i < 4; i++) {
		const uint8_t user[VMBUS_OFFER_USER] = {0, 0, i / 2, i % 2, 0, 0, 0, 0, 2};
		const struct vmbus_offer *o = &one.channels[0].ch.offer;

		memset(&one, 0, sizeof(one));
		storvsp_init_ide(&one, vm, &w_slave.blk, i / 2, i % 2);
		ck_assert_str_eq(o->name, "Synthetic IDE Controller");
		ck_assert(guid_equal(&o->type, &type));
		ck_assert_mem_eq(o->instance.b, instances[i], 16);
		ck_assert_mem_eq(o->user, user, sizeof(user));
		ck_assert_uint_eq(o->flags, VMBUS_OFFER_ENUMERATE);
		ck_assert_uint_eq(o->sub_index, 0);
		ck_assert(!o->pipe_message_mode);
	}
	ck_assert_int_eq(storvsp_attach(&sp, NULL), 0);
	ck_assert(world[0].added);
}
END_TEST

/* However many vCPUs there are. */
START_TEST(one_channel)
{
	struct vstor_packet p;

	vm = fake_vm(W_MEM, 4);
	memset(&sp, 0, sizeof(sp));
	storvsp_init_ide(&sp, vm, &w_slave.blk, CHANNEL, DRIVE);
	handshake();
	p = say((struct vstor_packet){.operation = VSTOR_QUERY_PROPERTIES});
	ck_assert_uint_eq(p.properties.max_sub_channels, 0);
	ck_assert_uint_eq(p.properties.flags, 0);
	p = say((struct vstor_packet){.operation = VSTOR_CREATE_SUB_CHANNELS, .sub_channels = 1});
	ck_assert_uint_eq(p.status, VSTOR_INVALID_PARAMETER);
}
END_TEST

/* The target is the drive; the path may be the channel, or 0 as Linux has it. */
START_TEST(addresses)
{
	handshake();
	for (unsigned path = 0; path < 3; path++) {
		memset(data, 0, sizeof(data));
		put_read((uint8_t)path, DRIVE);
		world_work(0);
		ck_assert_uint_eq(last_srb()->srb_status, SRB_SUCCESS);
		ck_assert_uint_eq(last_srb()->data_len, sizeof(data));
		ck_assert_mem_eq(data, w_slave_data + 512, sizeof(data));
	}
	put_read(0, 0);
	world_work(0);
	ck_assert_uint_eq(last_srb()->srb_status, SRB_INVALID_LUN | SRB_AUTOSENSE);
	put_read(0, 2);
	world_work(0);
	ck_assert_uint_eq(last_srb()->srb_status, SRB_INVALID_LUN | SRB_AUTOSENSE);
	/* TEST UNIT READY of another unit. */
	say(srb(0, DRIVE, 1));
	ck_assert_uint_eq(last_srb()->srb_status, SRB_INVALID_LUN | SRB_AUTOSENSE);
}
END_TEST

/* What is written through one door is read through the other. */
START_TEST(one_disk)
{
	uint8_t sector[512], read[512];

	handshake();
	memset(sector, 0x5a, sizeof(sector));
	w_command(W_CMD, 0x30, 0, 1, 1, 0xf0); /* WRITE SECTORS, slave */
	w_write_data(W_CMD, sector, sizeof(sector));
	put_read(0, DRIVE);
	world_work(0);
	ck_assert_mem_eq(data, sector, sizeof(sector));
	w_command(W_CMD, READ_SECTORS, 0, 1, 1, 0xf0);
	w_read_data(W_CMD, read, sizeof(read));
	ck_assert_mem_eq(read, sector, sizeof(read));
}
END_TEST

/* Both doors have a request at the back end; one of them goes. */
static void ask_both(void)
{
	w_slave.blk.ops = &slow_ops;
	handshake();
	put_read(0, DRIVE);
	world_work(0);
	w_command(W_CMD, READ_SECTORS, 0, 1, 1, 0xf0);
	ck_assert_uint_eq(n_queue, 2);
	ck_assert_uint_eq(w_alt(W_CMD), IDE_ST_BSY);
}

START_TEST(channel_closes)
{
	ask_both();
	world_close(0);
	ck_assert_uint_eq(n_queue, 0);
	ck_assert_uint_eq(sp.channels[0].executing, 0);
	w_expect_error(W_CMD, IDE_ERR_ABRT);
	/* The drive goes on. */
	w_slave.blk.ops = &fake_blk_ops;
	w_command(W_CMD, READ_SECTORS, 0, 1, 1, 0xf0);
	w_expect(W_CMD, W_DRQ);
}
END_TEST

START_TEST(drive_is_reset)
{
	ask_both();
	w_out(W_CTL, 1, IDE_CTL_SRST);
	w_out(W_CTL, 1, 0);
	ck_assert_uint_eq(n_queue, 0);
	world_work(0);
	ck_assert_uint_eq(last_srb()->srb_status, SRB_ERROR | SRB_AUTOSENSE);
	ck_assert_uint_eq(last_srb()->cdb[2], 0x0b); /* aborted command */
	w_slave.blk.ops = &fake_blk_ops;
	put_read(0, DRIVE);
	world_work(0);
	ck_assert_uint_eq(last_srb()->srb_status, SRB_SUCCESS);
}
END_TEST

UNIT_MAIN("storvsp_ide", tcase_add_checked_fixture(tc, setup, NULL); tcase_add_test(tc, offer);
          tcase_add_test(tc, one_channel); tcase_add_test(tc, addresses);
          tcase_add_test(tc, one_disk); tcase_add_test(tc, channel_closes);
          tcase_add_test(tc, drive_is_reset);)
