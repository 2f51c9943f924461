/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMBus on the wire: versions, control messages, connection ids. Layouts of rings are
 * vmbus/ring.h's, those of devices with the devices.
 * Specs: Linux include/linux/hyperv.h; Windows Server's versions by what its clients send.
 */
#ifndef VMBUS_PROTO_H
#define VMBUS_PROTO_H

#include "vmm/lib/types.h"

#define VMBUS_VERSION(major, minor) ((uint32_t)(major) << 16 | (minor))

/* VPs and interrupts. */
#define VMBUS_NO_VP 0xffffffffU /* a channel without interrupts */

/* Flags of an offer. */
#define VMBUS_OFFER_ENUMERATE 0x0001U
#define VMBUS_OFFER_NAMED_PIPE 0x0010U

#endif
