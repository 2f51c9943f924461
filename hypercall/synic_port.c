// SPDX-License-Identifier: BSD-2-Clause
/*
 * Ports: where the messages and events that guests send go, found by connection id.
 * Specs: [TLFS] "Inter-Partition Communication".
 */
#include "hypercall/hv.h"
#include "vmm/lib/err.h"

int synic_port_add(struct vm *vm, uint32_t first_id, uint32_t last_id,
        const struct synic_port_ops *ops, void *owner)
{
	struct synic_ports *ports = &hv_vm(vm)->ports;
	struct synic_port *free = NULL;
	int err = first_id <= last_id ? 0 : -EINVAL;

	spin_lock(&ports->lock);
	for (unsigned i = 0; i < SYNIC_PORTS; i++) {
		struct synic_port *p = &ports->ports[i];

		if (!p->used) {
			free = free ? free : p;
		} else if (first_id <= p->last_id && p->first_id <= last_id) {
			err = -EEXIST;
		}
	}
	if (!err && !free) {
		err = -ENOSPC;
	}
	if (!err) {
		*free = (struct synic_port){.first_id = first_id,
		        .last_id = last_id,
		        .ops = ops,
		        .owner = owner,
		        .used = true};
	}
	spin_unlock(&ports->lock);
	return err;
}

void synic_port_remove(struct vm *vm, uint32_t first_id)
{
	struct synic_ports *ports = &hv_vm(vm)->ports;

	spin_lock(&ports->lock);
	for (unsigned i = 0; i < SYNIC_PORTS; i++) {
		if (ports->ports[i].used && ports->ports[i].first_id == first_id) {
			ports->ports[i].used = false;
		}
	}
	spin_unlock(&ports->lock);
}

/* A copy: owners are called without the lock. */
static bool find(struct vm *vm, uint32_t connection_id, struct synic_port *found)
{
	struct synic_ports *ports = &hv_vm(vm)->ports;
	bool ok = false;

	spin_lock(&ports->lock);
	for (unsigned i = 0; i < SYNIC_PORTS && !ok; i++) {
		const struct synic_port *p = &ports->ports[i];

		if (p->used && connection_id >= p->first_id && connection_id <= p->last_id) {
			*found = *p;
			ok = true;
		}
	}
	spin_unlock(&ports->lock);
	return ok;
}

enum hv_status synic_port_message(
        struct vm *vm, uint32_t connection_id, uint32_t type, const void *payload, uint32_t size)
{
	struct synic_port port;

	if (!find(vm, connection_id, &port) || !port.ops->message) {
		return HV_STATUS_INVALID_CONNECTION_ID;
	}
	return port.ops->message(port.owner, type, payload, size);
}

enum hv_status synic_port_event(struct vm *vm, uint32_t connection_id, uint16_t flag)
{
	struct synic_port port;

	if (!find(vm, connection_id, &port) || !port.ops->event) {
		return HV_STATUS_INVALID_CONNECTION_ID;
	}
	return port.ops->event(port.owner, connection_id, flag);
}
