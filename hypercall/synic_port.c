// SPDX-License-Identifier: BSD-2-Clause
/*
 * Ports: where the messages and events that guests send go, found by connection id.
 * Specs: [TLFS] "Inter-Partition Communication".
 */
#include "hypercall/hv.h"
#include "vmm/lib/err.h"

static void changed_locked(struct synic_ports *ports)
{
	__atomic_store_n(&ports->generation, ports->generation + 1, __ATOMIC_RELEASE);
}

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
		changed_locked(ports);
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
			changed_locked(ports);
		}
	}
	spin_unlock(&ports->lock);
}

static bool answers(const struct synic_port *port, uint32_t connection_id)
{
	return port->used && connection_id >= port->first_id && connection_id <= port->last_id;
}

/* A copy: owners are called without the lock. */
static bool find(struct vm *vm, uint32_t connection_id, struct synic_port_cache *found)
{
	struct synic_ports *ports = &hv_vm(vm)->ports;
	bool ok = false;

	spin_lock(&ports->lock);
	for (unsigned i = 0; i < SYNIC_PORTS && !ok; i++) {
		if (answers(&ports->ports[i], connection_id)) {
			found->port = ports->ports[i];
			found->generation = ports->generation;
			ok = true;
		}
	}
	spin_unlock(&ports->lock);
	return ok;
}

enum hv_status synic_port_message(
        struct vm *vm, uint32_t connection_id, uint32_t type, const void *payload, uint32_t size)
{
	struct synic_port_cache found;

	if (!find(vm, connection_id, &found) || !found.port.ops->message) {
		return HV_STATUS_INVALID_CONNECTION_ID;
	}
	return found.port.ops->message(found.port.owner, type, payload, size);
}

enum hv_status synic_port_event(struct vcpu *vcpu, uint32_t connection_id, uint16_t flag)
{
	const struct synic_ports *ports = &hv_vm(vcpu->vm)->ports;
	struct synic_port_cache *last = &hv_vcpu(vcpu)->port;
	uint32_t now = __atomic_load_n(&ports->generation, __ATOMIC_ACQUIRE);

	if (last->generation != now || !answers(&last->port, connection_id)) {
		if (!find(vcpu->vm, connection_id, last)) {
			return HV_STATUS_INVALID_CONNECTION_ID;
		}
	}
	if (!last->port.ops->event) {
		return HV_STATUS_INVALID_CONNECTION_ID;
	}
	return last->port.ops->event(last->port.owner, connection_id, flag);
}
