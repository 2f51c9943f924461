// SPDX-License-Identifier: BSD-2-Clause
// The integration services and the keyboard against a guest that answers what it likes, closes and
// opens as it likes, and an operator who asks.
#include "tests/channel_world.h"
#include "tests/fuzz/fuzz.h"
#include "vmbus/guest_services.h"
#include "vmm/hw/clock.h"

#define MAX_STEPS 256U

enum op { OP_OPEN, OP_CLOSE, OP_RAW, OP_ANSWER, OP_AGREE, OP_TIME, OP_ORDER, OP_KEY, OP_ROOM, OPS };

struct step {
	uint8_t op, channel, type, len; /* len: of what follows, in OP_RAW and OP_ANSWER */
	uint16_t at;                    /* where it goes in an answer */
	uint16_t value;
} __attribute__((packed));

static struct guest_services s;
static struct vm *vm;
static bool is_open[16];
static struct wire_packet requests[16]; /* the last of each channel */
static size_t said;

static void count_text(struct out *out, const char *text, size_t n)
{
	(void)out;
	said += n;
	FUZZ_CHECK(n <= OUT_LINE_MAX);
	for (size_t i = 0; i < n; i++) {
		FUZZ_CHECK((text[i] >= ' ' && text[i] < 0x7f) || (text[i] == '\n' && i == n - 1));
	}
}

/* What the device sent belongs to this channel; never two requests of a service at a time. */
static void work(unsigned i)
{
	struct vmbus_channel *ch = wire.added[i];
	bool is_service = ch != &s.kbd.ch;
	unsigned rounds = 0;

	wire.n_sent = 0;
	do {
		wire.kicks = 0;
		while (ch->ops->work(ch, 4)) {
			FUZZ_CHECK(++rounds < WIRE_PACKETS);
		}
	} while (wire.kicks && ++rounds < WIRE_PACKETS);
	FUZZ_CHECK(!is_service || wire.n_sent <= 1);
	if (wire.n_sent) {
		requests[i] = wire.sent[0];
	}
	wire.next_to_device = wire.n_to_device = 0;
}

static void work_all(void)
{
	for (unsigned i = 0; i < wire.n_added; i++) {
		if (is_open[i]) {
			work(i);
		}
	}
	wire.kicks = 0;
}

/* The last request comes back as an answer, some of its bytes changed. */
static void answer(unsigned i, const struct step *step, const uint8_t *bytes, uint32_t len)
{
	struct wire_packet *r = &requests[i];
	struct ic_header h;

	if (r->len < sizeof(h)) {
		return;
	}
	memcpy(&h, r->bytes, sizeof(h));
	h.flags = IC_FLAG_RESPONSE;
	h.status = step->type & 1 ? 0 : step->value;
	memcpy(r->bytes, &h, sizeof(h));
	if (step->at + len <= r->len) {
		memcpy(r->bytes + step->at, bytes, len);
	}
	if (step->type & 0x80 && step->value < r->len) {
		r->len = step->value;
	}
	wire_in(RING_PACKET_INBAND, r->trans_id, step->type & 0x40, r->bytes, r->len);
	work(i);
}

/* As a driver of today would. */
static void agree(unsigned i)
{
	static const struct ic_version best[] = {{3, 2}, {3, 0}, {4, 0}, {4, 0}, {5, 0}};
	struct {
		struct ic_negotiate n;
		struct ic_version frame, version;
	} body = {{1, 1, 0}, {3, 0}, {0, 0}};
	struct step none = {.type = 1, .at = sizeof(struct ic_header)};

	if (i < ARRAY_SIZE(best)) {
		body.version = best[i];
		answer(i, &none, (const uint8_t *)&body, sizeof(body));
	} else {
		static const uint32_t request[] = {1, 0x10000};

		wire_in(RING_PACKET_INBAND, 7, true, request, sizeof(request));
		work(i);
	}
}

static void order(const struct step *step)
{
	enum vm_guest_order what = (enum vm_guest_order)(step->type % VM_GUEST_REFRESH + 1);
	struct out out = {.write = count_text};

	(void)vm->guest_ops->ask(vm, what);
	work_all();
	(void)vm->guest_ops->answer(vm, what);
	(void)vm->guest_ops->heartbeat(vm);
	said = 0;
	vm->guest_ops->info(vm, &out);
	FUZZ_CHECK(said < 4096);
	for (unsigned i = 0; i < wire.n_added; i++) {
		wire.added[i]->ops->dump(wire.added[i], &out);
	}
}

static void run(const struct step *step, const uint8_t *bytes, uint32_t len)
{
	static const uint8_t user[VMBUS_USER_DATA];
	unsigned i = step->channel % wire.n_added;
	struct vmbus_channel *ch = wire.added[i];
	struct vm_key key = {.code = step->type, .extended = step->at & 1, .down = step->at & 2};

	switch ((enum op)(step->op % OPS)) {
	case OP_OPEN:
		if (!is_open[i]) {
			FUZZ_CHECK(ch->ops->open(ch, user) == 0);
			is_open[i] = true;
			requests[i].len = 0;
			work(i);
		}
		break;
	case OP_CLOSE:
		if (is_open[i]) {
			ch->ops->close(ch);
			is_open[i] = false;
		}
		break;
	case OP_RAW:
		if (is_open[i]) {
			wire_in(step->type, step->value, step->at & 1, bytes, len);
			work(i);
		}
		break;
	case OP_ANSWER:
		if (is_open[i]) {
			answer(i, step, bytes, len);
		}
		break;
	case OP_AGREE:
		if (is_open[i]) {
			agree(i);
		}
		break;
	case OP_TIME:
		fake_clock_advance(step->value * 10000000ULL);
		if (step->type & 1) {
			vm->guest_ops->resumed(vm);
		}
		work_all();
		break;
	case OP_ORDER:
		order(step);
		break;
	case OP_KEY:
		(void)vm->guest_ops->key(vm, &key);
		break;
	case OP_ROOM:
		wire.room = step->type % 8;
		work_all();
		wire.room = WIRE_PACKETS;
		break;
	case OPS:
		break;
	}
	wire.room = WIRE_PACKETS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;

	wire_reset();
	memset(&s, 0, sizeof(s));
	memset(is_open, 0, sizeof(is_open));
	memset(requests, 0, sizeof(requests));
	fake_log_clear();
	fake_clock_set(1000 * NS_PER_SEC);
	vm = fake_vm(4 << 20, 1);
	vm->state = VM_RUNNING;
	FUZZ_CHECK(guest_services_attach(&s, NULL, vm) == 0);
	for (unsigned n = 0; n < MAX_STEPS && size >= sizeof(step); n++) {
		uint32_t len;

		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		size -= sizeof(step);
		len = step.len < size ? step.len : (uint32_t)size;
		run(&step, data, len);
		data += len;
		size -= len;
	}
	for (unsigned i = 0; i < wire.n_added; i++) {
		if (is_open[i]) {
			wire.added[i]->ops->close(wire.added[i]);
		}
	}
	/* No channel, nothing left to do: not even a timer. */
	fake_clock_advance(10 * NS_PER_SEC);
	FUZZ_CHECK(timer_next_deadline(0) == TIMER_NEVER);
	FUZZ_CHECK(vm->guest_ops->heartbeat(vm) == VM_HEARTBEAT_NONE);
	return 0;
}
