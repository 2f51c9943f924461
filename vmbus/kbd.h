/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The synthetic keyboard: scan codes of set 1, one packet a key that goes down or up.
 *
 * Context: vmbus_kbd_key() on any CPU; its lock is a device's, behind the channel's.
 * Specs: Linux drivers/input/serio/hyperv-keyboard.c.
 */
#ifndef VMBUS_KBD_H
#define VMBUS_KBD_H

#include "vmbus/channel.h"
#include "vmm/vm_guest.h"

#define VMBUS_KBD_QUEUE 64U

struct vmbus_kbd {
	struct vmbus_channel ch;
	bool answer_due;     /* [channel] to the guest's version */
	uint32_t answer;     /* [channel] */
	uint16_t leds;       /* [channel] as the guest wants them lit */
	uint64_t strays;     /* [channel] packets that mean nothing */
	uint8_t packet[256]; /* [channel] */

	struct spinlock lock;
	bool ready;                           /* [lock] the guest has agreed to a version */
	unsigned head, tail;                  /* [lock] of queue, free-running */
	struct vm_key queue[VMBUS_KBD_QUEUE]; /* [lock] */
};

void vmbus_kbd_init(struct vmbus_kbd *kbd);
/* 0; -EAGAIN when the queue is full; -ENOTCONN when the guest does not use it. */
__must_check int vmbus_kbd_key(struct vmbus_kbd *kbd, const struct vm_key *key);

#endif
