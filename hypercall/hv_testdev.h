/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device that SynIC test kernels look for (testdev = on): QEMU's hyperv-testdev, a port by
 * which a guest raises a source's interrupt, and connects its own messages and events to sources.
 *
 * One 32-bit write is a command: source in bits 0-7, vCPU in 8-15, what to do in 16-23, connection
 * id in 24-31. Reads are 0.
 *
 * Specs: [QEMU] "hyperv-testdev".
 */
#ifndef HYPERCALL_HV_TESTDEV_H
#define HYPERCALL_HV_TESTDEV_H

#include "hypercall/synic.h"
#include "vmm/io_bus.h"
#include "vmm/lib/limits.h"

#define HV_TESTDEV_PORT 0x3000U
#define HV_TESTDEV_PORTS 4U
#define HV_TESTDEV_CONNECTIONS 256U

enum hv_testdev_command {
	HV_TESTDEV_ROUTE_CREATE = 1, /* the source may be raised by SET_SINT */
	HV_TESTDEV_ROUTE_DESTROY,
	HV_TESTDEV_SET_SINT,
	HV_TESTDEV_MESSAGES_CREATE, /* what is posted to the connection comes back to the source */
	HV_TESTDEV_MESSAGES_DESTROY,
	HV_TESTDEV_EVENTS_CREATE, /* a signal sets the source's flag of the connection's number */
	HV_TESTDEV_EVENTS_DESTROY,
};

/* Where a connection leads. */
struct hv_testdev_route {
	uint8_t vp, sint;
	bool on;
};

struct hv_testdev_connection {
	struct hv_testdev *dev;                   /* (c) */
	struct hv_testdev_route messages, events; /* [dev->lock] */
};

struct hv_testdev {
	struct vm *vm; /* (c) */
	struct io_range port;
	struct spinlock lock;
	uint16_t routes[MAX_VCPUS]; /* [lock] a bit a source */
	struct hv_testdev_connection connections[HV_TESTDEV_CONNECTIONS];
};

__must_check int hv_testdev_attach(struct hv_testdev *t, struct vm *vm);
/* Nothing is connected any more. */
void hv_testdev_reset(struct hv_testdev *t);

#endif
