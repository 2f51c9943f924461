// SPDX-License-Identifier: BSD-2-Clause
// The integration services and the keyboard of a VM: which of them does what the operator asks.
// Specs: vmm/vm_guest.h.
#include "vmbus/guest_services.h"
#include "vmm/vm.h"

static struct ic *who_does(struct guest_services *s, enum vm_guest_order order)
{
	switch (order) {
	case VM_GUEST_SHUT_DOWN:
		return &s->shutdown.ic;
	case VM_GUEST_FREEZE:
	case VM_GUEST_THAW:
		return &s->vss.ic;
	case VM_GUEST_REFRESH:
		break;
	}
	return &s->kvp.ic;
}

static int ask(struct vm *vm, enum vm_guest_order order)
{
	return ic_ask(who_does(vm->guest_services, order), order);
}

static int answer(struct vm *vm, enum vm_guest_order order)
{
	return ic_answer(who_does(vm->guest_services, order));
}

static enum vm_heartbeat heartbeat(struct vm *vm)
{
	const struct guest_services *s = vm->guest_services;

	return ic_heartbeat_state(&s->heartbeat);
}

static void info(struct vm *vm, struct out *out)
{
	struct guest_services *s = vm->guest_services;

	if (ic_vss_is_frozen(&s->vss)) {
		out_print(out, "file systems: frozen\n");
	}
	ic_kvp_info(&s->kvp, out);
}

static int key(struct vm *vm, const struct vm_key *k)
{
	struct guest_services *s = vm->guest_services;

	return vmbus_kbd_key(&s->kbd, k);
}

static void resumed(struct vm *vm)
{
	struct guest_services *s = vm->guest_services;

	ic_timesync_resumed(&s->timesync);
}

static const struct vm_guest_ops ops = {
        .ask = ask,
        .answer = answer,
        .heartbeat = heartbeat,
        .info = info,
        .key = key,
        .resumed = resumed,
};

int guest_services_attach(struct guest_services *s, struct vmbus *bus, struct vm *vm)
{
	struct vmbus_channel *const channels[] = {
	        &s->shutdown.ic.ch,
	        &s->heartbeat.ic.ch,
	        &s->timesync.ic.ch,
	        &s->kvp.ic.ch,
	        &s->vss.ic.ch,
	        &s->kbd.ch,
	};

	ic_shutdown_init(&s->shutdown, vm);
	ic_heartbeat_init(&s->heartbeat, vm);
	ic_timesync_init(&s->timesync, vm);
	ic_kvp_init(&s->kvp, vm);
	ic_vss_init(&s->vss, vm);
	vmbus_kbd_init(&s->kbd);
	for (unsigned i = 0; i < ARRAY_SIZE(channels); i++) {
		int err = vmbus_channel_add(bus, channels[i]);

		if (err) {
			return err;
		}
	}
	vm->guest_services = s;
	vm->guest_ops = &ops;
	return 0;
}
