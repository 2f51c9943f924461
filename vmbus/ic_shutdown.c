// SPDX-License-Identifier: BSD-2-Clause
// Shutdown: the guest is asked to power itself off, as by its own command.
// Specs: Linux include/linux/hyperv.h "shutdown_msg_data"; drivers/hv/hv_util.c.
#include "vmbus/guest_services.h"
#include "vmbus/proto.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

struct shutdown_body {
	uint32_t reason;
	uint32_t timeout_seconds;
	uint32_t flags; /* 0 = power off, if the guest can without losing anything */
	uint8_t message[2048];
} __attribute__((packed));
_Static_assert(sizeof(struct shutdown_body) == 2060, "shutdown_msg_data");
_Static_assert(sizeof(struct shutdown_body) <= IC_MAX_BODY, "fits");

/* The guest has no need to hurry; who wants it gone by force does not ask. */
#define TIMEOUT_SECONDS 300U

static uint32_t next(struct ic *ic, uint32_t order, uint8_t *body)
{
	const struct shutdown_body b = {.timeout_seconds = TIMEOUT_SECONDS};

	(void)ic;
	if (order == 0) {
		return 0;
	}
	memcpy(body, &b, sizeof(b));
	return sizeof(b);
}

static void reply(struct ic *ic, uint32_t status, const uint8_t *body, uint32_t len)
{
	(void)body;
	(void)len;
	ic_finish(ic, status ? -EIO : 0);
}

static const struct ic_version versions[] = {{3, 2}, {3, 1}, {3, 0}, {1, 0}};

static const struct ic_service service = {
        .offer =
                {
                        .name = "Operating system shutdown",
                        .type = GUID(0x0e0b6031, 0x5213, 0x4934, 0x818b, 0x38d90ced39db),
                        .instance = GUID(0xb6650ff7, 0x33bc, 0x4840, 0x8048, 0xe0676786f393),
                },
        .type = IC_SHUTDOWN,
        .versions = versions,
        .n_versions = ARRAY_SIZE(versions),
        .next = next,
        .reply = reply,
};

void ic_shutdown_init(struct ic_shutdown *s, struct vm *vm)
{
	ic_init(&s->ic, &service, vm);
}
