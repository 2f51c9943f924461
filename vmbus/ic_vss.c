// SPDX-License-Identifier: BSD-2-Clause
// Snapshot: the guest's file systems are frozen in a consistent state, and thawed.
// Specs: Linux include/uapi/linux/hyperv.h "hv_vss_msg"; drivers/hv/hv_snapshot.c.
#include "vmbus/guest_services.h"
#include "vmbus/proto.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

enum vss_operation {
	VSS_FREEZE = 5,
	VSS_THAW = 6,
};

struct vss_body {
	uint8_t operation;
	uint8_t reserved[7];
	uint32_t flags;
} __attribute__((packed));
_Static_assert(sizeof(struct vss_body) == 12, "hv_vss_msg");

static struct ic_vss *vss_of(struct ic *ic)
{
	return container_of(ic, struct ic_vss, ic);
}

static uint32_t next(struct ic *ic, uint32_t order, uint8_t *body)
{
	const struct vss_body b = {
	        .operation = order == VM_GUEST_FREEZE ? VSS_FREEZE : VSS_THAW,
	};

	if (order == 0) {
		return 0;
	}
	vss_of(ic)->order = order;
	memcpy(body, &b, sizeof(b));
	return sizeof(b);
}

static void reply(struct ic *ic, uint32_t status, const uint8_t *body, uint32_t len)
{
	struct ic_vss *v = vss_of(ic);

	(void)body;
	(void)len;
	if (status == 0) {
		__atomic_store_n(&v->frozen, v->order == VM_GUEST_FREEZE, __ATOMIC_RELEASE);
	}
	ic_finish(ic, status ? -EIO : 0);
}

static void closed(struct ic *ic)
{
	__atomic_store_n(&vss_of(ic)->frozen, 0, __ATOMIC_RELEASE);
}

static const struct ic_version versions[] = {{5, 0}};

static const struct ic_service service = {
        .offer =
                {
                        .name = "Backup (volume checkpoint)",
                        .type = GUID(0x35fa2e29, 0xea23, 0x4236, 0x96ae, 0x3a6ebacba440),
                        .instance = GUID(0x2450ee40, 0x33bf, 0x4fbd, 0x892e, 0x9fb06e9214cf),
                        /* Before, Linux refuses it. */
                        .min_version_major = 3,
                },
        .type = IC_VSS,
        .versions = versions,
        .n_versions = ARRAY_SIZE(versions),
        .next = next,
        .reply = reply,
        .closed = closed,
};

void ic_vss_init(struct ic_vss *v, struct vm *vm)
{
	ic_init(&v->ic, &service, vm);
}

bool ic_vss_is_frozen(const struct ic_vss *v)
{
	return ic_is_ready(&v->ic) && __atomic_load_n(&v->frozen, __ATOMIC_ACQUIRE);
}
