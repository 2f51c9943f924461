/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last frames of one VM's adapters, kept for the monitor: copies in a ring, each cut after its
 * first bytes. They are printed as text2pcap reads them. A port whose frames are not kept pays one
 * load a frame.
 *
 * Context: net_capture_frame() from any CPU, adapters' locks may be held, its lock is a leaf; the
 * others from the boot CPU.
 */
#ifndef DEVICES_BACKEND_NET_CAPTURE_H
#define DEVICES_BACKEND_NET_CAPTURE_H

#include "devices/backend/net.h"
#include "vmm/lib/out.h"

#define NET_CAPTURE_FRAMES 128U
#define NET_CAPTURE_BYTES 256U /* of each */

/* Begin with an empty ring. */
void net_capture_clear(void);
/* One more frame that an adapter was given (to_guest), or that it sent. */
void net_capture_frame(const struct net_frame *f, bool to_guest, uint64_t now_ns);
/* Print the oldest frame that is kept of those from number *next on, and set *next to the number
 * after it; false = there is none. */
bool net_capture_print(struct out *out, uint64_t *next);

#endif
