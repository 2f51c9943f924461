// SPDX-License-Identifier: BSD-2-Clause
// The framing of integration services: versions first, then one request at a time.
// Specs: Linux include/linux/hyperv.h "icmsg_hdr", "icmsg_negotiate".
#include "vmbus/ic.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"
#include "vmm/vm.h"

/* Of the framing itself: since Windows Server 2008 R2, and before. */
static const struct ic_version frames[] = {{3, 0}, {1, 0}};

static struct ic *ic_of(struct vmbus_channel *ch)
{
	return ch->device;
}

static void set_state(struct ic *ic, enum ic_state state)
{
	__atomic_store_n(&ic->state, state, __ATOMIC_RELEASE);
}

static enum ic_state state_of(const struct ic *ic)
{
	return (enum ic_state)__atomic_load_n(&ic->state, __ATOMIC_ACQUIRE);
}

/* --- to the guest --- */

static uint32_t write_versions(const struct ic *ic, uint8_t *body)
{
	const struct ic_negotiate n = {
	        .n_frames = ARRAY_SIZE(frames),
	        .n_versions = (uint16_t)ic->service->n_versions,
	};
	const uint32_t versions_len = ic->service->n_versions * sizeof(struct ic_version);

	memcpy(body, &n, sizeof(n));
	memcpy(body + sizeof(n), frames, sizeof(frames));
	memcpy(body + sizeof(n) + sizeof(frames), ic->service->versions, versions_len);
	return (uint32_t)(sizeof(n) + sizeof(frames)) + versions_len;
}

static uint32_t next_request(struct ic *ic, uint8_t *body)
{
	uint32_t order = __atomic_exchange_n(&ic->order, 0, __ATOMIC_ACQ_REL);

	if (order) {
		ic->current = order;
	}
	return ic->service->next(ic, order & ((1U << IC_ORDER_BITS) - 1), body);
}

/* The next message, if there is one to send, into ic->message. */
static void compose(struct ic *ic)
{
	struct ic_header h = {.pipe_type = IC_PIPE_DATA};
	uint8_t *body = ic->message + sizeof(h);
	uint32_t len = 0;

	memset(ic->message, 0, sizeof(ic->message));
	switch ((enum ic_state)ic->state) {
	case IC_OPEN:
		h.type = IC_NEGOTIATE;
		len = write_versions(ic, body);
		set_state(ic, IC_NEGOTIATING);
		break;
	case IC_READY:
		h.type = (uint16_t)ic->service->type;
		h.frame = ic->frame;
		h.version = ic->version;
		len = next_request(ic, body);
		break;
	case IC_CLOSED:
	case IC_NEGOTIATING:
	case IC_REFUSED:
		break;
	}
	if (len == 0) {
		return;
	}
	h.pipe_len = (uint32_t)sizeof(h) - offsetof(struct ic_header, frame) + len;
	h.body_len = (uint16_t)len;
	h.id = ++ic->id ? ic->id : ++ic->id;
	h.flags = IC_FLAG_TRANSACTION | IC_FLAG_REQUEST;
	memcpy(ic->message, &h, sizeof(h));
	ic->unsent = (uint32_t)sizeof(h) + len;
}

static void transmit(struct ic *ic)
{
	if (!ic->waiting && ic->unsent == 0) {
		compose(ic);
	}
	if (ic->unsent && channel_send(&ic->ch, ic->id, false, ic->message, ic->unsent) == 0) {
		ic->unsent = 0;
		ic->waiting = true;
	}
}

/* --- from the guest --- */

static bool is_one_of(struct ic_version v, const struct ic_version *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (list[i].major == v.major && list[i].minor == v.minor) {
			return true;
		}
	}
	return false;
}

static void negotiated(struct ic *ic, const uint8_t *body, uint32_t len)
{
	const struct ic_service *service = ic->service;
	struct {
		struct ic_negotiate n;
		struct ic_version frame, version;
	} answer;

	if (len < sizeof(answer)) {
		memset(&answer, 0, sizeof(answer));
	} else {
		memcpy(&answer, body, sizeof(answer));
	}
	if (answer.n.n_frames != 1 || answer.n.n_versions != 1 ||
	        !is_one_of(answer.frame, frames, ARRAY_SIZE(frames)) ||
	        !is_one_of(answer.version, service->versions, service->n_versions)) {
		set_state(ic, IC_REFUSED);
		vm_log(ic->vm, LOG_WARN, "%s: no version in common", service->offer.name);
		return;
	}
	ic->frame = answer.frame;
	ic->version = answer.version;
	set_state(ic, IC_READY);
	if (service->ready) {
		service->ready(ic);
	}
}

static void receive(struct ic *ic, const struct vmbus_packet *packet)
{
	const uint8_t *body = packet->payload + sizeof(struct ic_header);
	enum ic_type type = ic->state == IC_NEGOTIATING ? IC_NEGOTIATE : ic->service->type;
	struct ic_header h;
	uint32_t len;

	if (packet->type != RING_PACKET_INBAND || packet->payload_len < sizeof(h)) {
		ic->strays++;
		return;
	}
	memcpy(&h, packet->payload, sizeof(h));
	len = packet->payload_len - (uint32_t)sizeof(h);
	if (!ic->waiting || !(h.flags & IC_FLAG_RESPONSE) || h.type != type || h.id != ic->id) {
		ic->strays++;
		return;
	}
	ic->waiting = false;
	ic->replies++;
	if (type == IC_NEGOTIATE) {
		negotiated(ic, body, len);
	} else if (ic->service->reply) {
		ic->service->reply(ic, h.status, body, len);
	}
}

/* --- the channel --- */

static int ic_open(struct vmbus_channel *ch, const uint8_t user[VMBUS_USER_DATA])
{
	struct ic *ic = ic_of(ch);

	(void)user;
	ic->waiting = false;
	ic->unsent = 0;
	ic->current = 0;
	__atomic_store_n(&ic->order, 0, __ATOMIC_RELAXED);
	set_state(ic, IC_OPEN);
	channel_kick(ch);
	return 0;
}

static bool ic_work(struct vmbus_channel *ch, unsigned budget)
{
	struct ic *ic = ic_of(ch);
	struct vmbus_packet packet;
	unsigned n = 0;

	while (n < budget && channel_receive(ch, &packet) == 1) {
		receive(ic, &packet);
		n++;
	}
	transmit(ic);
	return n == budget;
}

static void ic_close(struct vmbus_channel *ch)
{
	struct ic *ic = ic_of(ch);

	set_state(ic, IC_CLOSED);
	if (ic->service->closed) {
		ic->service->closed(ic);
	}
}

static void ic_dump(const struct vmbus_channel *ch, struct out *out)
{
	static const char *const names[] = {
	        [IC_CLOSED] = "closed",
	        [IC_OPEN] = "open",
	        [IC_NEGOTIATING] = "waits for the guest's version",
	        [IC_REFUSED] = "no version in common",
	};
	const struct ic *ic = ch->device;
	enum ic_state state = state_of(ic);

	if (state == IC_READY) {
		out_print(out, "ready, version %u.%u\n", ic->version.major, ic->version.minor);
	} else {
		out_print(out, "%s\n", names[state]);
	}
	out_print(out, "  answers %llu, strays %llu, %s\n", (unsigned long long)ic->replies,
	        (unsigned long long)ic->strays, ic->waiting ? "a request is out" : "idle");
	if (ic->service->dump) {
		ic->service->dump(ic, out);
	}
}

static const struct vmbus_channel_ops channel_ops = {
        .open = ic_open,
        .work = ic_work,
        .close = ic_close,
        .dump = ic_dump,
};

void ic_init(struct ic *ic, const struct ic_service *service, struct vm *vm)
{
	memset(ic, 0, sizeof(*ic));
	ic->service = service;
	ic->vm = vm;
	ic->ch.ops = &channel_ops;
	ic->ch.offer = service->offer;
	ic->ch.offer.flags = VMBUS_OFFER_NAMED_PIPE;
	ic->ch.offer.pipe_message_mode = true;
	ic->ch.device = ic;
	ic->ch.packet_buf = ic->packet;
	ic->ch.packet_buf_len = sizeof(ic->packet);
}

/* --- any context --- */

void ic_kick(struct ic *ic)
{
	channel_kick(&ic->ch);
}

bool ic_is_ready(const struct ic *ic)
{
	return state_of(ic) == IC_READY;
}

int ic_ask(struct ic *ic, uint32_t order)
{
	uint32_t number = (ic->asked >> IC_ORDER_BITS) + 1;

	if (!ic_is_ready(ic)) {
		return -ENOTCONN;
	}
	ic->asked = number << IC_ORDER_BITS | order;
	__atomic_store_n(&ic->order, ic->asked, __ATOMIC_RELEASE);
	ic_kick(ic);
	return 0;
}

int ic_answer(const struct ic *ic)
{
	uint64_t answered = __atomic_load_n(&ic->answered, __ATOMIC_ACQUIRE);

	/* Also when the channel is closed by now: who shuts down goes. */
	if (ic->asked && answered >> 32 == ic->asked) {
		return -(int)(uint32_t)answered;
	}
	return ic_is_ready(ic) ? -EAGAIN : -ENOTCONN;
}

void ic_finish(struct ic *ic, int err)
{
	if (ic->current) {
		__atomic_store_n(&ic->answered, (uint64_t)ic->current << 32 | (uint32_t)-err,
		        __ATOMIC_RELEASE);
		ic->current = 0;
	}
}
