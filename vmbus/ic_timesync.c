// SPDX-License-Identifier: BSD-2-Clause
// Time synchronization: the host's time of day, to be set or to be known.
// Specs: Linux include/linux/hyperv.h "ictimesync_ref_data", "ictimesync_data".
#include "vmbus/guest_services.h"
#include "vmbus/proto.h"
#include "vmm/lib/string.h"
#include "vmm/vm_clock.h"

/* From version 4 on. */
struct timesync_body {
	uint64_t host_time;      /* 100 ns since 1601-01-01 UTC */
	uint64_t reference_time; /* the guest's reference counter at that moment */
	uint8_t flags;
	uint8_t leap, stratum;
	uint8_t reserved[3];
} __attribute__((packed));
_Static_assert(sizeof(struct timesync_body) == 22, "ictimesync_ref_data");

struct timesync_body_v3 {
	uint64_t host_time, guest_time, round_trip;
	uint8_t flags;
} __attribute__((packed));
_Static_assert(sizeof(struct timesync_body_v3) == 25, "ictimesync_data");

#define FLAG_SYNC 1U   /* set the clock */
#define FLAG_SAMPLE 2U /* only to know: Linux gives it to its PTP clock */

#define UNIT_NS 100U
#define UNITS_1601_TO_1970 116444736000000000ULL

static struct ic_timesync *timesync_of(struct ic *ic)
{
	return container_of(ic, struct ic_timesync, ic);
}

static uint64_t now(const struct ic_timesync *t)
{
	return vm_clock_now(t->ic.vm);
}

static void tick(void *arg)
{
	struct ic_timesync *t = arg;
	uint32_t none = 0;

	if (!ic_is_ready(&t->ic)) {
		return;
	}
	/* What has to be set is not only to be known. */
	(void)__atomic_compare_exchange_n(
	        &t->due, &none, FLAG_SAMPLE, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
	ic_kick(&t->ic);
	vm_timer_arm(&t->timer, now(t) + IC_TIMESYNC_NS);
}

static void ready(struct ic *ic)
{
	struct ic_timesync *t = timesync_of(ic);

	__atomic_store_n(&t->due, FLAG_SYNC, __ATOMIC_RELEASE);
	vm_timer_arm(&t->timer, now(t) + IC_TIMESYNC_NS);
}

static uint32_t next(struct ic *ic, uint32_t order, uint8_t *body)
{
	struct ic_timesync *t = timesync_of(ic);
	uint32_t flags = __atomic_exchange_n(&t->due, 0, __ATOMIC_ACQ_REL);
	uint64_t wall_ns = vm_wall_ns();
	uint64_t host_time = wall_ns / UNIT_NS + UNITS_1601_TO_1970;

	(void)order;
	if (flags == 0 || wall_ns == 0) {
		return 0;
	}
	if (ic->version.major >= 4) {
		/* The reference counter is the VM's time-stamp counter in other units
		 * (hypercall/ref_time.c). */
		const struct timesync_body b = {
		        .host_time = host_time,
		        .reference_time = vm_ticks_to_ns(vm_tsc(ic->vm)) / UNIT_NS,
		        .flags = (uint8_t)flags,
		};

		memcpy(body, &b, sizeof(b));
		return sizeof(b);
	}
	const struct timesync_body_v3 b = {.host_time = host_time, .flags = (uint8_t)flags};

	memcpy(body, &b, sizeof(b));
	return sizeof(b);
}

static void closed(struct ic *ic)
{
	vm_timer_cancel(&timesync_of(ic)->timer);
}

static const struct ic_version versions[] = {{4, 0}, {3, 0}, {1, 0}};

static const struct ic_service service = {
        .offer =
                {
                        .name = "Time Synchronization",
                        .type = GUID(0x9527e630, 0xd0ae, 0x497b, 0xadce, 0xe80ab0175caf),
                        .instance = GUID(0x2dd1ce17, 0x079e, 0x403c, 0xb352, 0xa1921ee207ee),
                },
        .type = IC_TIMESYNC,
        .versions = versions,
        .n_versions = ARRAY_SIZE(versions),
        .ready = ready,
        .next = next,
        .closed = closed,
};

void ic_timesync_init(struct ic_timesync *t, struct vm *vm)
{
	ic_init(&t->ic, &service, vm);
	vm_timer_init(&t->timer, vm, tick, t);
}

void ic_timesync_resumed(struct ic_timesync *t)
{
	if (ic_is_ready(&t->ic)) {
		__atomic_store_n(&t->due, FLAG_SYNC, __ATOMIC_RELEASE);
		/* Not kicked here: no vCPU runs yet. */
		vm_timer_arm(&t->timer, now(t));
	}
}
