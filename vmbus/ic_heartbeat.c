// SPDX-License-Identifier: BSD-2-Clause
// Heartbeat: every two seconds the guest is asked for a sign of life.
// Specs: Linux include/linux/hyperv.h "heartbeat_msg_data"; drivers/hv/hv_util.c.
#include "vmbus/guest_services.h"
#include "vmbus/proto.h"
#include "vmm/lib/string.h"
#include "vmm/vm_clock.h"

struct heartbeat_body {
	uint64_t number; /* the answer's is one more */
	uint32_t reserved[8];
} __attribute__((packed));
_Static_assert(sizeof(struct heartbeat_body) == 40, "heartbeat_msg_data");

static struct ic_heartbeat *heartbeat_of(struct ic *ic)
{
	return container_of(ic, struct ic_heartbeat, ic);
}

static uint64_t now(const struct ic_heartbeat *h)
{
	return vm_clock_now(h->ic.vm);
}

static void tick(void *arg)
{
	struct ic_heartbeat *h = arg;

	if (!ic_is_ready(&h->ic)) {
		return;
	}
	__atomic_store_n(&h->due, 1, __ATOMIC_RELEASE);
	ic_kick(&h->ic);
	vm_timer_arm(&h->timer, now(h) + IC_HEARTBEAT_NS);
}

static void ready(struct ic *ic)
{
	struct ic_heartbeat *h = heartbeat_of(ic);

	__atomic_store_n(&h->last, now(h), __ATOMIC_RELEASE);
	__atomic_store_n(&h->due, 1, __ATOMIC_RELEASE);
	vm_timer_arm(&h->timer, now(h) + IC_HEARTBEAT_NS);
}

static uint32_t next(struct ic *ic, uint32_t order, uint8_t *body)
{
	struct ic_heartbeat *h = heartbeat_of(ic);
	struct heartbeat_body b = {0};

	(void)order;
	if (!__atomic_exchange_n(&h->due, 0, __ATOMIC_ACQ_REL)) {
		return 0;
	}
	b.number = ++h->number;
	memcpy(body, &b, sizeof(b));
	return sizeof(b);
}

/* Whatever it says, somebody said it. */
static void reply(struct ic *ic, uint32_t status, const uint8_t *body, uint32_t len)
{
	struct ic_heartbeat *h = heartbeat_of(ic);

	(void)status;
	(void)body;
	(void)len;
	__atomic_store_n(&h->last, now(h), __ATOMIC_RELEASE);
}

static void closed(struct ic *ic)
{
	vm_timer_cancel(&heartbeat_of(ic)->timer);
}

static const struct ic_version versions[] = {{3, 0}, {1, 0}};

static const struct ic_service service = {
        .offer =
                {
                        .name = "Heartbeat",
                        .type = GUID(0x57164f39, 0x9115, 0x4e78, 0xab55, 0x382f3bd5422d),
                        .instance = GUID(0xfd149e91, 0x82e0, 0x4a7d, 0xafa6, 0x2a4166cbd7c0),
                },
        .type = IC_HEARTBEAT,
        .versions = versions,
        .n_versions = ARRAY_SIZE(versions),
        .ready = ready,
        .next = next,
        .reply = reply,
        .closed = closed,
};

void ic_heartbeat_init(struct ic_heartbeat *h, struct vm *vm)
{
	ic_init(&h->ic, &service, vm);
	vm_timer_init(&h->timer, vm, tick, h);
}

enum vm_heartbeat ic_heartbeat_state(const struct ic_heartbeat *h)
{
	if (!ic_is_ready(&h->ic)) {
		return VM_HEARTBEAT_NONE;
	}
	return now(h) - __atomic_load_n(&h->last, __ATOMIC_ACQUIRE) < IC_HEARTBEAT_LOST_NS
	               ? VM_HEARTBEAT_OK
	               : VM_HEARTBEAT_LOST;
}
