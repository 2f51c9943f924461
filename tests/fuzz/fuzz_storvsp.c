// SPDX-License-Identifier: BSD-2-Clause
// The SCSI controller driven by a program of packets, ring space, late completions, plugging and
// closing: whatever is taken is answered once, and no slot is lost.
#define WORLD_PACKETS 48U
#include "tests/fuzz/fuzz.h"
#include "tests/storvsp_world.h"

#define CHANNELS 3U

enum op { OP_PACKET, OP_SRB, OP_WORK, OP_ROOM, OP_COMPLETE, OP_PLUG, OP_CLOSE, OP_BREAK };

struct step {
	uint8_t op, channel, a, b;
	uint32_t len;
	uint8_t packet[64];
} __attribute__((packed));

static uint8_t data[SCSI_MAX_TRANSFER];
static struct blk_req *queue[STORVSP_SLOTS];
static unsigned n_queue;

static int submit(struct blk *blk, struct blk_req *req)
{
	(void)blk;
	if (n_queue == 8) {
		return -EAGAIN;
	}
	queue[n_queue++] = req;
	return 0;
}

static void complete(unsigned i, enum blk_status status)
{
	struct blk_req *req = queue[i];

	queue[i] = queue[--n_queue];
	req->done(req, status);
}

static void cancel(struct blk *blk)
{
	(void)blk;
	for (unsigned n = n_queue; n > 0; n--) {
		complete(0, BLK_CANCELLED);
	}
}

static bool drain(struct blk *blk)
{
	cancel(blk);
	return n_queue == 0;
}

static const struct blk_ops ops = {.submit = submit, .cancel = cancel, .drain = drain};
static struct blk disk = {.ops = &ops, .size = 64 << 20, .block_size = 512};
static struct blk dvd = {
        .ops = &ops, .size = 64 << 20, .block_size = 2048, .read_only = true, .removable = true};

static uint64_t next_id;

static void put(const struct step *s, bool srb)
{
	unsigned w = s->channel % CHANNELS;
	struct vstor_packet p;
	struct world_in *in;

	if (world[w].n_in == WORLD_PACKETS) {
		return;
	}
	memcpy(&p, s->packet, sizeof(p));
	if (srb) {
		p.operation = VSTOR_EXECUTE_SRB;
		p.srb.path = p.srb.target = 0;
		p.srb.lun &= 3;
		p.srb.cdb_len = 16;
	} else {
		p.operation = s->a & 0x80 ? p.operation : s->a % 16U;
	}
	in = world_put(w, ++next_id, &p);
	in->len = s->b & 1 ? s->len % sizeof(in->bytes) : sizeof(p);
	in->wants_completion = s->b & 2 || srb;
	in->type = s->b & 4 ? RING_PACKET_GPA_DIRECT : RING_PACKET_INBAND;
	if (in->type == RING_PACKET_GPA_DIRECT) {
		in->ranges_len = s->len % sizeof(data) + 1;
		in->n_segs = s->b & 8 ? -EFAULT : 1;
		in->segs[0] = (struct io_seg){.hva = data, .len = in->ranges_len};
	}
}

/* Each answer is to something that was taken and not answered before. */
static void check_answers(unsigned w)
{
	for (unsigned i = 0; i < world[w].n_out; i++) {
		unsigned found = 0;

		if (!world[w].out[i].completion) {
			continue;
		}
		for (unsigned j = 0; j < world[w].taken; j++) {
			found += world[w].in[j].trans_id == world[w].out[i].trans_id;
		}
		FUZZ_CHECK(found == 1);
		for (unsigned j = 0; j < i; j++) {
			FUZZ_CHECK(!world[w].out[j].completion ||
			           world[w].out[j].trans_id != world[w].out[i].trans_id);
		}
	}
}

static unsigned owed(unsigned w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < world[w].taken; i++) {
		n += world[w].in[i].wants_completion;
	}
	for (unsigned i = 0; i < world[w].n_out; i++) {
		n -= world[w].out[i].completion;
	}
	return n;
}

static void close_channel(unsigned w)
{
	check_answers(w);
	world_close(w);
	FUZZ_CHECK(sp.channels[w].executing == 0 && !sp.channels[w].finished &&
	           !sp.channels[w].barrier);
	world[w].n_out = 0;
	world[w].broken = false;
	FUZZ_CHECK(world_open(w) == 0);
}

/* Nothing is missing when everything has room and is done. */
static void finish(void)
{
	unsigned free_slots = 0;

	for (unsigned turn = 0; turn < 40; turn++) {
		cancel(NULL);
		for (unsigned w = 0; w < CHANNELS; w++) {
			world[w].room = WORLD_PACKETS;
			world_work(w);
		}
	}
	FUZZ_CHECK(n_queue == 0);
	for (unsigned w = 0; w < CHANNELS; w++) {
		check_answers(w);
		FUZZ_CHECK(world[w].broken || world[w].taken == world[w].n_in);
		FUZZ_CHECK(world[w].broken || owed(w) == 0);
	}
	for (const struct storvsp_slot *slot = sp.free; slot; slot = slot->next) {
		free_slots++;
	}
	FUZZ_CHECK(free_slots == STORVSP_SLOTS);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct blk *blks[] = {&disk, &dvd};
	struct step s;

	n_queue = 0;
	next_id = 1;
	world_reset(fake_vm(4 << 20, CHANNELS), blks, 2);
	for (unsigned w = 0; w < CHANNELS; w++) {
		FUZZ_CHECK(world_open(w) == 0);
	}
	__atomic_store_n(&sp.state, STORVSP_READY, __ATOMIC_RELAXED);
	for (unsigned n = 0; n < 200 && size >= sizeof(s); n++) {
		unsigned w;

		memcpy(&s, input, sizeof(s));
		input += sizeof(s);
		size -= sizeof(s);
		w = s.channel % CHANNELS;
		switch ((enum op)(s.op % (OP_BREAK + 1))) {
		case OP_PACKET:
		case OP_SRB:
			put(&s, s.op % (OP_BREAK + 1) == OP_SRB);
			break;
		case OP_WORK:
			(void)sp.channels[w].ch.ops->work(&sp.channels[w].ch, s.a % 8U);
			break;
		case OP_ROOM:
			world[w].room = s.a % 8U;
			break;
		case OP_COMPLETE:
			if (n_queue > 0) {
				complete(s.a % n_queue,
				        (enum blk_status)(s.b % (BLK_CANCELLED + 1)));
			}
			break;
		case OP_PLUG:
			(void)storvsp_plug(&sp, s.a % 3U, s.b & 1);
			break;
		case OP_CLOSE:
			close_channel(w);
			break;
		case OP_BREAK:
			/* For good, until it is closed. */
			world[w].broken = world[w].broken || s.a == 0xff;
			break;
		}
	}
	finish();
	return 0;
}
