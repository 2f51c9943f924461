// SPDX-License-Identifier: BSD-2-Clause
// The network adapters that candela.cfg gives to VMs.
// Specs: docs/config.md "nic".
#include "vmbus/nics.h"
#include "devices/backend/net_capture.h"
#include "devices/backend/net_switch.h"
#include "vmbus/netvsp.h"
#include "vmm/lib/err.h"
#include "vmm/vm.h"

static struct netvsp *nics[MAX_VMS][MAX_NICS]; /* (c) after boot */

static int connect(struct netvsp *n, const char *name, uint64_t (*now_ns)(void))
{
	struct net_switch *sw;

	if (name[0] == '\0') {
		return 0;
	}
	sw = net_switch_make(name, now_ns);
	return sw ? netvsp_connect(n, sw) : -ENOSPC;
}

/* As many as there are vCPUs to work them, unless the owner wants less. */
static uint32_t queues(const struct vm *vm, const struct config_nic *config)
{
	uint32_t most = config->queues ? config->queues : NETVSP_QUEUES;

	return vm->n_vcpus < most ? vm->n_vcpus : most;
}

int nics_attach(struct vm *vm, struct vmbus *bus, void *(*alloc)(uint64_t n_pages, uint64_t align),
        uint64_t (*now_ns)(void))
{
	for (uint32_t i = 0; i < vm->config->n_nics; i++) {
		const struct config_nic *config = &vm->config->nics[i];
		struct netvsp *n = alloc((sizeof(*n) + PAGE_MASK) >> PAGE_SHIFT, PAGE_SIZE);
		int err = n ? 0 : -ENOMEM;

		if (!err) {
			netvsp_init(n, vm, vm->config->name, i, config->mac, queues(vm, config));
			err = connect(n, config->sw, now_ns);
		}
		if (!err) {
			nics[vm->index][i] = n;
			err = netvsp_attach(n, bus);
		}
		if (err) {
			return err;
		}
	}
	return 0;
}

bool nics_set_link(struct vm *vm, unsigned nic, bool up)
{
	if (nic >= vm->config->n_nics || !nics[vm->index][nic]->port.sw) {
		return false;
	}
	netvsp_set_link(nics[vm->index][nic], up);
	return true;
}

/* Whose frames are kept, or were last; boot CPU. */
static const struct vm *captured;

static void capture(const struct vm *vm, bool on)
{
	for (uint32_t i = 0; i < vm->config->n_nics; i++) {
		__atomic_store_n(&nics[vm->index][i]->port.captured, on, __ATOMIC_RELAXED);
	}
}

bool nics_capture(struct vm *vm, bool on)
{
	if (vm->config->n_nics == 0) {
		return false;
	}
	if (on && captured) {
		capture(captured, false);
	}
	if (on) {
		net_capture_clear();
		captured = vm;
	}
	capture(vm, on);
	return true;
}

bool nics_captured(struct vm *vm, struct out *out, uint64_t *next)
{
	return vm == captured && net_capture_print(out, next);
}
