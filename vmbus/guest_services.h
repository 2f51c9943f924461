/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The integration services and the keyboard of a VM: what vmm/vm_guest.h asks of a guest, over
 * VMBus. Each service is a file of its own, on the framing of vmbus/ic.h.
 */
#ifndef VMBUS_GUEST_SERVICES_H
#define VMBUS_GUEST_SERVICES_H

#include "vmbus/ic.h"
#include "vmbus/kbd.h"
#include "vmm/vm_guest.h"
#include "vmm/vm_timer.h"

/* --- ic_shutdown.c: the guest is asked to shut down --- */
struct ic_shutdown {
	struct ic ic;
};
void ic_shutdown_init(struct ic_shutdown *s, struct vm *vm);

/* --- ic_heartbeat.c: is anybody there? --- */
#define IC_HEARTBEAT_NS (2 * NS_PER_SEC)
#define IC_HEARTBEAT_LOST_NS (10 * NS_PER_SEC)

struct ic_heartbeat {
	struct ic ic;
	struct vm_timer timer;
	uint64_t number; /* [channel] of the last request */
	uint32_t due;    /* [a] */
	uint64_t last;   /* [a] VM clock when the guest was heard last */
};
void ic_heartbeat_init(struct ic_heartbeat *h, struct vm *vm);
/* Any CPU. */
enum vm_heartbeat ic_heartbeat_state(const struct ic_heartbeat *h);

/* --- ic_timesync.c: the time of day --- */
#define IC_TIMESYNC_NS (5 * NS_PER_SEC)

struct ic_timesync {
	struct ic ic;
	struct vm_timer timer;
	uint32_t due; /* [a] flags of the next message; 0 = none */
};
void ic_timesync_init(struct ic_timesync *t, struct vm *vm);
/* The guest's clock stood still: it is set anew. Any CPU. */
void ic_timesync_resumed(struct ic_timesync *t);

/* --- ic_kvp.c: data exchange --- */
#define IC_KVP_TEXT 192U /* of a value, escaped, with its end */

/* What is kept of what the guest says. */
enum ic_kvp_value {
	IC_KVP_NAME,
	IC_KVP_OS,
	IC_KVP_OS_VERSION,
	IC_KVP_KERNEL,
	IC_KVP_SERVICES,
	IC_KVP_IPV4,
	IC_KVP_IPV6,
	IC_KVP_VALUES
};

struct ic_kvp_values {
	char text[IC_KVP_VALUES][IC_KVP_TEXT]; /* printable ASCII; "" = not said */
};

struct ic_kvp {
	struct ic ic;
	uint32_t next_host;          /* [channel] number of the host's next value for the guest */
	uint32_t next_index;         /* [channel] of the guest's next value */
	bool asking;                 /* [channel] through them */
	bool telling;                /* [channel] what is out is a value of the host's */
	struct ic_kvp_values fresh;  /* [channel] while asking */
	struct spinlock lock;        /* behind the channel's */
	struct ic_kvp_values values; /* [lock] of the last time through */
};
void ic_kvp_init(struct ic_kvp *k, struct vm *vm);
/* Lines "guest os: ..."; any CPU. */
void ic_kvp_info(struct ic_kvp *k, struct out *out);

/* --- ic_vss.c: file systems frozen for a snapshot --- */
struct ic_vss {
	struct ic ic;
	uint32_t order;  /* [channel] that is out */
	uint32_t frozen; /* [a] */
};
void ic_vss_init(struct ic_vss *v, struct vm *vm);
bool ic_vss_is_frozen(const struct ic_vss *v);

/* --- all of them --- */

struct guest_services {
	struct ic_shutdown shutdown;
	struct ic_heartbeat heartbeat;
	struct ic_timesync timesync;
	struct ic_kvp kvp;
	struct ic_vss vss;
	struct vmbus_kbd kbd;
};

/*
 * Put them on the VM's bus and become its vm->guest_ops. *s: zeroed, for as long as the VM lives.
 * Before the VM starts. What vmbus_channel_add() says.
 */
__must_check int guest_services_attach(struct guest_services *s, struct vmbus *bus, struct vm *vm);

#endif
