// SPDX-License-Identifier: BSD-2-Clause
// The IDE controller driven by a program of port accesses, PRD tables, packets, configuration
// space, time, and a backend that answers when it likes.
#include "devices/piix4_ide.h"
#include "tests/fake/fake.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/hw/timer.h"
#include "vmm/lib/err.h"
#include <string.h>

#define MEM (4U << 20)
#define TABLE 0x10000U
#define BM 0xffa0U
#define MAX_STEPS 300U
#define DISK_BYTES (2U << 20)
#define CD_BYTES (256U << 10)

enum op {
	OP_COMMAND,
	OP_COMMAND_48,
	OP_PACKET,
	OP_WRITE,
	OP_READ,
	OP_DATA,
	OP_DATA_AGAIN,
	OP_PRD,
	OP_START,
	OP_CONTROL,
	OP_ANSWER,
	OP_TEMPER,
	OP_TIME,
	OP_CONFIG,
	OP_RESET,
	OP_COUNT
};

struct step {
	uint8_t op, a, b, c;
	uint32_t v, w;
} __attribute__((packed));

struct disk {
	struct blk blk;
	uint8_t data[DISK_BYTES];
	struct blk_req *held;
	bool defer, stubborn;
	uint8_t refuse, fail;
	bool refused;
};

static struct piix4_ide ide;
static struct pci_bus bus;
static struct vm *vm;
static struct disk disks[3];

static bool in_guest(const uint8_t *p, uint64_t len)
{
	for (unsigned i = 0; i < vm->mem.n_regions; i++) {
		const struct gmem_region *r = &vm->mem.regions[i];

		if (p >= r->hva && p + len <= r->hva + r->len) {
			return true;
		}
	}
	return false;
}

static void answer(struct disk *d)
{
	struct blk_req *req = d->held;
	uint64_t at = req->offset, len = 0;

	d->held = NULL;
	for (unsigned i = 0; i < req->n_segs; i++) {
		const struct io_seg *seg = &req->segs[i];
		bool own = false;

		for (unsigned ch = 0; ch < PIIX4_IDE_CHANNELS; ch++) {
			own |= seg->hva == ide.channels[ch].s.buf && seg->len <= IDE_BUF_LEN;
		}
		FUZZ_CHECK(seg->len > 0 && (own || in_guest(seg->hva, seg->len)));
		FUZZ_CHECK(at + seg->len <= d->blk.size);
		if (d->fail == BLK_OK && req->op == BLK_READ) {
			memcpy(seg->hva, d->data + at, seg->len);
		} else if (d->fail == BLK_OK) {
			memcpy(d->data + at, seg->hva, seg->len);
		}
		at += seg->len;
		len += seg->len;
	}
	FUZZ_CHECK(len == req->len);
	req->done(req, (enum blk_status)d->fail);
}

static int submit(struct blk *blk, struct blk_req *req)
{
	struct disk *d = container_of(blk, struct disk, blk);

	FUZZ_CHECK(!d->held && !d->refused);
	FUZZ_CHECK(req->op == BLK_FLUSH || req->len > 0);
	FUZZ_CHECK(req->len % blk->block_size == 0 && req->len <= blk->max_len);
	FUZZ_CHECK(req->n_segs <= blk->max_segs);
	FUZZ_CHECK(!(req->op == BLK_WRITE && blk->read_only));
	if (d->refuse) {
		d->refuse--;
		d->refused = true;
		return -EAGAIN;
	}
	d->held = req;
	if (!d->defer) {
		answer(d);
	}
	return 0;
}

static void cancel(struct blk *blk)
{
	struct disk *d = container_of(blk, struct disk, blk);
	struct blk_req *req = d->held;

	if (req && !d->stubborn) {
		d->held = NULL;
		req->done(req, BLK_CANCELLED);
	}
}

static bool drain(struct blk *blk)
{
	struct disk *d = container_of(blk, struct disk, blk);

	if (d->held) {
		answer(d);
	}
	return !d->held;
}

static const struct blk_ops ops = {.submit = submit, .cancel = cancel, .drain = drain};

static void ready(struct disk *d)
{
	d->refused = false;
	d->blk.ready(d->blk.ready_arg);
}

static const uint16_t places[2] = {0x1f0, 0x170};

static void out(unsigned port, unsigned width, uint32_t value)
{
	io_bus_write(&vm->pio, port, width, value);
}

static void command(const struct step *s)
{
	unsigned cmd = places[s->a & 1];

	out(cmd + 6, 1, s->v >> 24);
	out(cmd + 1, 1, s->w);
	out(cmd + 2, 1, s->c);
	for (unsigned i = 0; i < 3; i++) {
		if (s->op % OP_COUNT == OP_COMMAND_48) {
			out(cmd + 3 + i, 1, s->w >> (8 + 8 * i));
		}
		out(cmd + 3 + i, 1, s->v >> (8 * i));
	}
	out(cmd + 7, 1, s->b);
}

static void packet(const struct step *s)
{
	unsigned cmd = places[s->a & 1];
	uint8_t p[IDE_PACKET_LEN] = {s->b, s->c};

	memcpy(p + 2, &s->v, 4);
	memcpy(p + 6, &s->w, 4);
	out(cmd + 6, 1, s->a & 2 ? 0x10 : 0);
	out(cmd + 1, 1, s->a >> 2 & 3);
	out(cmd + 4, 2, s->a & 0x10 ? s->v : 0xfffe);
	out(cmd + 7, 1, 0xa0);
	for (unsigned i = 0; i < sizeof(p); i += 2) {
		out(cmd, 2, p[i] | (uint32_t)p[i + 1] << 8);
	}
}

static void data(const struct step *s)
{
	unsigned cmd = places[s->a & 1], width = 1U << (s->a >> 1) % 3;

	for (unsigned i = 0; i < s->v % 1200; i++) {
		if (s->a & 0x80) {
			out(cmd, width, s->w + i);
		} else {
			(void)io_bus_read(&vm->pio, cmd, width);
		}
	}
}

static void check(void)
{
	for (unsigned i = 0; i < PIIX4_IDE_CHANNELS; i++) {
		const struct ide_channel *ch = &ide.channels[i];
		const struct ide_command *c = &ch->s.cmd;

		FUZZ_CHECK(!ch->pumping);
		FUZZ_CHECK(c->buf_len <= IDE_BUF_LEN && c->buf_pos <= IDE_BUF_LEN);
		FUZZ_CHECK(c->drq_end <= IDE_BUF_LEN && c->drive < IDE_DRIVES);
		FUZZ_CHECK(c->phase == IDE_IDLE || c->phase == IDE_RESET ||
		           ch->drives[c->drive].kind != IDE_NONE);
		FUZZ_CHECK(ch->req_state != IDE_REQ_READY && ch->req_state != IDE_REQ_DONE);
		/* A drive whose request is out is busy. */
		FUZZ_CHECK(ch->req_state == IDE_REQ_NONE ||
		           (ch->s.drives[c->drive].status & IDE_ST_BSY));
		FUZZ_CHECK(ch->line == (vm->irq.lines[14 + i].levels != 0));
	}
}

static void quiesce(void)
{
	piix4_ide_quiesce(&ide);
	FUZZ_CHECK(timer_next_deadline(0) == TIMER_NEVER);
	for (unsigned i = 0; i < ARRAY_SIZE(disks); i++) {
		FUZZ_CHECK(!disks[i].held);
		disks[i].refused = false;
	}
}

static void reset(void)
{
	quiesce();
	pci_bus_reset(&bus);
	piix4_ide_reset(&ide);
	FUZZ_CHECK(io_bus_read(&vm->pio, 0x1f7, 1) == 0x50);
	FUZZ_CHECK(io_bus_read(&vm->pio, 0x174, 2) == 0xeb14);
}

static void setup(void)
{
	static const struct piix4_ide_map map = {
	        .channels = {{0x1f0, 0x3f6, 14}, {0x170, 0x376, 15}}, .bm = BM};

	fake_clock_set(0);
	vm = fake_vm(MEM, 1);
	FUZZ_CHECK(vm != NULL);
	memset(&ide, 0, sizeof(ide));
	pci_bus_init(&bus, vm);
	piix4_ide_init(&ide);
	for (unsigned i = 0; i < ARRAY_SIZE(disks); i++) {
		bool cd = i == 2;

		disks[i].held = NULL;
		disks[i].defer = disks[i].stubborn = disks[i].refused = false;
		disks[i].refuse = disks[i].fail = 0;
		disks[i].blk = (struct blk){.ops = &ops,
		        .size = cd ? CD_BYTES : DISK_BYTES,
		        .block_size = cd ? IDE_CD_BLOCK : IDE_SECTOR,
		        .max_segs = 17,
		        .max_len = 128 << 10,
		        .seg_align = i == 1 ? 16 : 1,
		        .read_only = cd,
		        .removable = cd};
		FUZZ_CHECK(piix4_ide_add(&ide, &disks[i].blk) == 0);
	}
	FUZZ_CHECK(piix4_ide_attach(&ide, vm, &bus, 7, &map) == 0);
	pci_bus_reset(&bus);
	piix4_ide_reset(&ide);
}

static void one_step(const struct step *s)
{
	static const uint8_t config[] = {0x04, 0x05, 0x20, 0x21, 0x40, 0x41, 0x43, 0x48};
	struct disk *d = &disks[s->a % ARRAY_SIZE(disks)];
	uint32_t prd[2] = {s->v, s->w};

	switch ((enum op)(s->op % OP_COUNT)) {
	case OP_COMMAND:
	case OP_COMMAND_48:
		command(s);
		break;
	case OP_PACKET:
		packet(s);
		break;
	case OP_WRITE:
		out(s->a & 0x80 ? BM + s->a % 16 : places[s->a & 1] + (s->a >> 1) % 8U,
		        1U << s->b % 3, s->v);
		break;
	case OP_READ:
		(void)io_bus_read(&vm->pio,
		        s->a & 0x80 ? BM + s->a % 16 : places[s->a & 1] + (s->a >> 1) % 8U,
		        1U << s->b % 3);
		break;
	case OP_DATA:
	case OP_DATA_AGAIN:
		data(s);
		break;
	case OP_PRD:
		FUZZ_CHECK(gmem_write(&vm->mem, gpa(TABLE + 8 * (s->a % 32U)), prd, 8) == 0);
		break;
	case OP_START:
		out(BM + 8 * (s->a & 1U) + 4, 4, s->a & 2 ? s->v : TABLE);
		out(BM + 8 * (s->a & 1U), 1, s->b & 8);
		out(BM + 8 * (s->a & 1U), 1, (s->b & 8) | 1);
		break;
	case OP_CONTROL:
		out(places[s->a & 1] + 0x206U, 1, s->b);
		break;
	case OP_ANSWER:
		if (d->held) {
			answer(d);
		} else if (d->refused) {
			ready(d);
		}
		break;
	case OP_TEMPER:
		d->defer = s->b & 1;
		d->stubborn = s->b & 2;
		d->refuse = s->b >> 2 & 3;
		d->fail = s->b & 0x80 ? s->c % (BLK_CANCELLED + 1) : BLK_OK;
		break;
	case OP_TIME:
		fake_clock_advance(s->v % (4 * IDE_PAUSE_NS));
		break;
	case OP_CONFIG:
		pci_config_write(&bus, PCI_DEVFN(7, 1), config[s->a % sizeof(config)], 1, s->b);
		break;
	case OP_RESET:
		if (s->b < 32) {
			reset();
		}
		break;
	case OP_COUNT:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct step s;

	setup();
	for (unsigned n = 0; n < MAX_STEPS && size >= sizeof(s); n++) {
		memcpy(&s, input, sizeof(s));
		input += sizeof(s);
		size -= sizeof(s);
		one_step(&s);
		check();
	}
	/* A refused request waits for ready() and nothing else. */
	for (unsigned i = 0; i < ARRAY_SIZE(disks); i++) {
		disks[i].refuse = 0;
		if (disks[i].refused) {
			ready(&disks[i]);
		}
	}
	check();
	reset();
	return 0;
}
