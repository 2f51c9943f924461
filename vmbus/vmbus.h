/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMBus of one VM: its server, its channels, and how both hang on the synthetic interrupt
 * controller, the vCPUs and the clock.
 *
 * Context: docs/locking.md "VMBus". Channels are worked in hypercalls, before a vCPU enters the
 * guest (vmbus_kick()), when it halts, and by a timer on the VM's home CPU.
 */
#ifndef VMBUS_VMBUS_H
#define VMBUS_VMBUS_H

#include "vmbus/channel.h"
#include "vmbus/server.h"
#include "vmm/lib/log.h"
#include "vmm/lib/out.h"
#include "vmm/lib/spinlock.h"
#include "vmm/vm_timer.h"

struct vcpu;
struct vm;

/* When to look again where nothing says how long it may take. */
#define VMBUS_LOOK_NS 100000ULL

_Static_assert(VMBUS_MAX_CHANNELS == 64, "sets of channels are one word");

struct vmbus {
	struct vm *vm;         /* (c) */
	struct spinlock lock;  /* the server's */
	bool messages_wait;    /* [a] for the guest's slot: synic asks to serve when it is free */
	uint64_t kicked;       /* [a] bit relid - 1: to be worked before a vCPU enters the guest */
	uint64_t masked;       /* [a] bit relid - 1: to be looked at by a vCPU that halts, or: */
	struct vm_timer timer; /* [timer_lock] runs while 'masked' is not 0 */
	uint64_t look_ns[VMBUS_MAX_CHANNELS]; /* [timer_lock] when, of those in 'masked' */
	struct spinlock timer_lock;
	struct vmbus_channel *channels[VMBUS_MAX_CHANNELS]; /* [a] by relid - 1; may be gone */
	uint8_t *interrupt_page;                            /* [a] in guest memory; NULL = none */
	bool trace; /* [a] the conversation goes to the log */

	struct spinlock subs_lock;
	struct vmbus_channel *subs; /* [subs_lock], NULL seen anywhere: to be added, by next_sub */

	struct vmbus_server server;            /* [lock] */
	uint8_t *gpadl_pool[GPADL_POOL_PAGES]; /* the server's */
};

/* --- for vmm/main.c --- */

/* A bus for a VM that has the Hyper-V interface, before it starts. memory: vmbus_memory_pages()
 * zeroed pages, for as long as the VM lives. -ENOSPC when there are too many ports. */
__must_check int vmbus_attach(struct vm *vm, void *memory, uint32_t max_version);
uint64_t vmbus_memory_pages(void);
/* NULL = it has none. */
struct vmbus *vmbus_of(const struct vm *vm);

/* --- for channels: their lock may be held, but for vmbus_kick() --- */

/* Interrupt the guest for this channel. */
void vmbus_interrupt(const struct vmbus_channel *ch);
/* Look at it again when a vCPU halts, or wait_ns from now at the latest. */
void vmbus_drain_later(struct vmbus_channel *ch, uint64_t wait_ns);
/* Look at it again then. */
void vmbus_look_later(struct vmbus_channel *ch, uint64_t wait_ns);
/* Does any vCPU run, or wait for a CPU? */
bool vmbus_guest_runs(const struct vmbus *bus);
/* channel_kick(), channel_add_sub() */
void vmbus_kick(struct vmbus_channel *ch);
bool vmbus_add_sub(struct vmbus_channel *ch, struct vmbus_channel *sub);

/* --- vmbus_dump.c, vmbus_trace.c --- */

void vmbus_dump(struct vmbus *bus, struct out *out);
void vmbus_trace_message(struct vmbus *bus, enum log_level level, bool from_guest,
        const void *message, uint32_t size, const char *remark);

#endif
