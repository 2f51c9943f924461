// SPDX-License-Identifier: BSD-2-Clause
// A guest's way to its own SynIC: what test kernels do to have messages, events and interrupts
// come.
// Specs: [QEMU] "hyperv-testdev".
#include "hypercall/hv_testdev.h"

#include "hypercall/hv.h"
#include "vmm/lib/err.h"

/* --- connections --- */

static struct hv_testdev_route route_of(
        const struct hv_testdev_connection *c, const struct hv_testdev_route *route)
{
	struct hv_testdev_route copy;

	spin_lock(&c->dev->lock);
	copy = *route;
	spin_unlock(&c->dev->lock);
	return copy;
}

static enum hv_status on_message(void *owner, uint32_t type, const void *payload, uint32_t size)
{
	const struct hv_testdev_connection *c = owner;
	struct hv_testdev_route to = route_of(c, &c->messages);
	int err;

	if (!to.on) {
		return HV_STATUS_INVALID_CONNECTION_ID;
	}
	err = synic_post_message(c->dev->vm, to.vp, to.sint, type, 0, payload, size);
	if (err == -EAGAIN) {
		return HV_STATUS_INSUFFICIENT_BUFFERS;
	}
	return err ? HV_STATUS_INVALID_PARAMETER : HV_STATUS_SUCCESS;
}

static enum hv_status on_event(void *owner, uint32_t connection_id, uint16_t flag)
{
	const struct hv_testdev_connection *c = owner;
	struct hv_testdev_route to = route_of(c, &c->events);

	if (!to.on) {
		return HV_STATUS_INVALID_CONNECTION_ID;
	}
	if (flag != 0) {
		return HV_STATUS_INVALID_PARAMETER;
	}
	return synic_signal_event(c->dev->vm, to.vp, to.sint, connection_id)
	               ? HV_STATUS_INVALID_SYNIC_STATE
	               : HV_STATUS_SUCCESS;
}

static const struct synic_port_ops port_ops = {.message = on_message, .event = on_event};

/* One port for both kinds, as long as one of them is there. */
static void connect_locked(struct hv_testdev *t, uint8_t id, struct hv_testdev_route *route,
        struct hv_testdev_route to)
{
	struct hv_testdev_connection *c = &t->connections[id];
	bool before = c->messages.on || c->events.on;

	*route = to;
	if (before && !(c->messages.on || c->events.on)) {
		synic_port_remove(t->vm, id);
	} else if (to.on && !before && synic_port_add(t->vm, id, id, &port_ops, c)) {
		route->on = false; /* another's id, or too many */
	}
}

/* --- the port --- */

static void route_locked(struct hv_testdev *t, uint8_t vp, uint8_t sint, bool on)
{
	uint16_t bit = (uint16_t)(1U << sint);

	t->routes[vp] = (uint16_t)(on ? t->routes[vp] | bit : t->routes[vp] & ~bit);
}

static void command(struct hv_testdev *t, uint8_t what, uint8_t vp, uint8_t sint, uint8_t id)
{
	struct hv_testdev_connection *c = &t->connections[id];
	const struct hv_testdev_route to = {.vp = vp, .sint = sint, .on = true};
	const struct hv_testdev_route nowhere = {.on = false};
	bool raise = false;

	spin_lock(&t->lock);
	switch (what) {
	case HV_TESTDEV_ROUTE_CREATE:
	case HV_TESTDEV_ROUTE_DESTROY:
		route_locked(t, vp, sint, what == HV_TESTDEV_ROUTE_CREATE);
		break;
	case HV_TESTDEV_SET_SINT:
		raise = t->routes[vp] >> sint & 1;
		break;
	case HV_TESTDEV_MESSAGES_CREATE:
		connect_locked(t, id, &c->messages, to);
		break;
	case HV_TESTDEV_MESSAGES_DESTROY:
		connect_locked(t, id, &c->messages, nowhere);
		break;
	case HV_TESTDEV_EVENTS_CREATE:
		connect_locked(t, id, &c->events, to);
		break;
	case HV_TESTDEV_EVENTS_DESTROY:
		connect_locked(t, id, &c->events, nowhere);
		break;
	}
	spin_unlock(&t->lock);
	if (raise) {
		synic_raise(t->vm, vp, sint);
	}
}

static void port_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct hv_testdev *t = dev;
	uint8_t sint = (uint8_t)value, vp = (uint8_t)(value >> 8);

	(void)offset; /* of four bytes: 0 */
	if (width == HV_TESTDEV_PORTS && vp < t->vm->n_vcpus && sint < HV_SINT_COUNT) {
		command(t, (uint8_t)(value >> 16), vp, sint, (uint8_t)(value >> 24));
	}
}

static uint64_t port_read(void *dev, uint64_t offset, unsigned width)
{
	(void)dev;
	(void)offset;
	(void)width;
	return 0;
}

static const struct io_ops ops = {
        .name = "Hyper-V test device",
        .read = port_read,
        .write = port_write,
};

int hv_testdev_attach(struct hv_testdev *t, struct vm *vm)
{
	t->vm = vm;
	for (unsigned id = 0; id < HV_TESTDEV_CONNECTIONS; id++) {
		t->connections[id].dev = t;
	}
	t->port = (struct io_range){.base = HV_TESTDEV_PORT,
	        .len = HV_TESTDEV_PORTS,
	        .ops = &ops,
	        .dev = t,
	        .kind = IO_FIXED};
	return io_bus_add(&vm->pio, &t->port);
}

void hv_testdev_reset(struct hv_testdev *t)
{
	const struct hv_testdev_route nowhere = {.on = false};

	spin_lock(&t->lock);
	for (unsigned vp = 0; vp < MAX_VCPUS; vp++) {
		t->routes[vp] = 0;
	}
	for (unsigned id = 0; id < HV_TESTDEV_CONNECTIONS; id++) {
		connect_locked(t, (uint8_t)id, &t->connections[id].messages, nowhere);
		connect_locked(t, (uint8_t)id, &t->connections[id].events, nowhere);
	}
	spin_unlock(&t->lock);
}
