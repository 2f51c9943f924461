/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual machine: memory, vCPUs, buses, interrupts, and its life.
 *
 * Life: created by vm_create() from its configuration, loaded and started by vm_start();
 * a guest's power-off, reset or fault arrives as a request (any CPU, any context) and is carried
 * out by the VM's home CPU once all its vCPUs have left the guest.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include "boot/boot_info.h"
#include "vmm/guest_mem.h"
#include "vmm/io_bus.h"
#include "vmm/irq.h"
#include "vmm/lib/config.h"
#include "vmm/lib/limits.h"
#include "vmm/lib/log.h"
#include "vmm/lib/types.h"
#include "vmm/vcpu.h"

struct pv_ops;

enum vm_state { VM_OFF, VM_RUNNING, VM_DEAD };

enum vm_request {
	VM_REQ_START,
	VM_REQ_POWEROFF,
	VM_REQ_RESET,
	VM_REQ_KILL,
};

/* What the platform (devices/platform.c) offers to the VM. */
struct vm_platform_ops {
	/* All devices to their power-on state. */
	void (*reset)(struct vm *vm);
	/* Nothing in flight; before reset and at power-off. */
	void (*quiesce)(struct vm *vm);
	/* ACPI, SMBIOS: firmware tables into guest memory; called after each load of the guest.
	 * -ENOMEM when they do not fit. */
	int (*write_tables)(struct vm *vm);
};

struct vm {
	const struct config_vm *config; /* (c) */
	uint32_t index;                 /* (c) */
	uint32_t home_cpu;              /* (c) runs its timers and its life */
	uint32_t state;                 /* [a] enum vm_state */
	uint32_t requests;              /* [a] bits of enum vm_request */
	const char *reason;             /* why it was reset or killed: a string constant */

	/* RAM as it was allocated, to give it back; (c) */
	struct {
		uint8_t *va;
		uint64_t len;
	} pieces[GMEM_MAX_REGIONS];
	uint32_t n_pieces;

	struct guest_mem mem;
	struct spinlock overlay_lock; /* moving of mem's overlays; then the second-level tables' */
	struct io_bus pio;            /* ports */
	struct io_bus mmio;           /* guest-physical holes */
	struct irq_router irq;

	uint32_t n_vcpus;              /* (c) */
	struct vcpu *vcpus[MAX_VCPUS]; /* (c) */

	void *virt;                                 /* (c) the back end's part: struct vmx_vm */
	const struct pv_ops *pv;                    /* (c) vmm/pv.h; NULL = none */
	void *pv_vm;                                /* (c) its part: struct hv_vm */
	void *platform;                             /* (c) struct platform of devices/platform.c */
	const struct vm_platform_ops *platform_ops; /* (c) */

	uint64_t clock_base_ns; /* (c) host clock at creation */
	uint64_t tsc_offset;    /* (c) all vCPUs share it: guest TSC = host TSC + offset */
	const struct boot_file *kernel, *initrd; /* (c) */
	struct log_limit log_limit;              /* [log lock] */
	struct spinlock log_lock;
};

/* Any CPU, any context. Only the first request of a life counts. reason: a string constant. */
void vm_request(struct vm *vm, enum vm_request req, const char *reason);

/* A log line on behalf of a guest: "vm NAME: ...", rate-limited. */
void vm_log(struct vm *vm, enum log_level level, const char *fmt, ...) __printf(3, 4);

/* --- life, for vmm/main.c and vmm/sched.c --- */

extern struct vm *vms[MAX_VMS]; /* (c) after boot */
/* The loader's last TSC reading, until the first VM's first entry is logged with it. */
extern uint64_t vm_handoff_tsc;
extern unsigned n_vms; /* (c) after boot */

/*
 * Memory, vCPUs, second-level map; no platform yet. Returns NULL with a sentence in the log and
 * everything undone. The VM starts at VM_REQ_START.
 */
__must_check struct vm *vm_create(const struct config_vm *config, const struct boot_info *bi);
/* Undo vm_create() for a VM that never started. */
void vm_destroy(struct vm *vm);
/* Called on CPU 'cpu' between vCPUs: carries out the requests of the VMs at home there. true when
 * something was done. */
bool vm_serve_requests(uint32_t cpu);
struct vcpu *vm_vcpu_by_apic_id(struct vm *vm, uint32_t apic_id);

#endif
