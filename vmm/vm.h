/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual machine: memory, vCPUs, buses, interrupts, and its life.
 *
 * Life: made once by vm_create(), then started and ended as often as somebody asks. What the guest
 * does (power-off, reset, fault) and what the operator wants arrive as requests from any CPU, in
 * any context; the VM's home CPU carries them out once all its vCPUs have left the guest.
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

struct pv_bus_ops;
struct pv_ops;
struct vm_disk_ops;
struct vm_guest_ops;
struct vm_key;

enum vm_state {
	VM_OFF,      /* vm->off_why says why */
	VM_STARTING, /* its memory is being cleared, at a start or a reset; then it runs */
	VM_RUNNING,
	VM_PAUSED, /* no vCPU runs and the VM's clock stands still */
};

/* Why a VM is off. */
enum vm_off_why {
	VM_OFF_NEVER_STARTED,
	VM_OFF_POWERED_OFF, /* vm->off_reason: by what */
	VM_OFF_KILLED,      /* vm->off_reason: why */
	VM_OFF_CANNOT_START,
	VM_OFF_DEBUG_EXIT, /* vm->debug_exit: the value */
};

/*
 * What can be asked of a VM, and what comes of it by state; "-" is nothing, without a word.
 *
 *               off      starting             running    paused
 *   START       starts   -                    -          -
 *   POWEROFF    -        off                  off        off
 *   KILL        -        off                  off        off
 *   RESET       -        -                    starts     starts, and is paused again
 *   PAUSE       -        starts, then pauses  pauses     -
 *   RESUME      -        takes a PAUSE back   -          goes on
 *
 * Requests wait until all vCPUs have left the guest, so several may come together. Then the
 * strongest end is carried out: KILL before DEBUG_EXIT before POWEROFF. An end takes back what was
 * asked before it, but a START that is asked after it starts the VM anew. With no end: RESET, and
 * of PAUSE and RESUME the later one; PAUSE beside START or RESET means paused before the first
 * instruction. The first reason of several equal requests is the one that is told.
 */
enum vm_request {
	VM_REQ_START,
	VM_REQ_POWEROFF, /* at once; the polite way is vm_power_button() */
	VM_REQ_RESET,
	VM_REQ_KILL,
	VM_REQ_PAUSE,
	VM_REQ_RESUME,
	VM_REQ_DEBUG_EXIT, /* vm_debug_exit() */
	VM_REQ_COUNT
};
#define VM_REQ_ENDS (BIT(VM_REQ_POWEROFF) | BIT(VM_REQ_KILL) | BIT(VM_REQ_DEBUG_EXIT))

/* What the platform (devices/platform.c) offers to the VM. */
struct vm_platform_ops {
	/* All devices to their power-on state. */
	void (*reset)(struct vm *vm);
	/* Nothing in flight; before reset and at power-off. */
	void (*quiesce)(struct vm *vm);
	/* ACPI, SMBIOS: firmware tables into guest memory; called after each load of the guest.
	 * -ENOMEM when they do not fit. */
	int (*write_tables)(struct vm *vm);
	/* Somebody presses the power button. Any CPU. */
	void (*power_button)(struct vm *vm);
	/* A key of the VM's keyboard (vmm/vm_guest.h). 0; -EAGAIN = no room now; NULL = there is no
	 * keyboard. Any CPU. */
	int (*key)(struct vm *vm, const struct vm_key *key);
	/* The VM was paused for so long: clocks that tell the time of day catch up. */
	void (*time_passed)(struct vm *vm, uint64_t paused_ns);
	/*
	 * name NULL: the tree of devices, with place and state in short; else one device's
	 * registers; false = there is no such device. Any CPU.
	 */
	bool (*dump)(struct vm *vm, const char *name, struct out *out);
};

struct vm {
	const struct config_vm *config; /* (c) */
	uint32_t index;                 /* (c) */
	uint32_t home_cpu;              /* (c) runs its timers and its life */
	uint32_t state;                 /* [a] enum vm_state */
	uint32_t requests;              /* [a] bits of enum vm_request */
	uint32_t serving;               /* [a] those that the home CPU has taken and not done yet */
	const char *reasons[VM_REQ_COUNT]; /* [a] of each request, string constants; NULL = none */

	/* Why it is off. Written by the home CPU before state becomes VM_OFF. */
	uint32_t off_why;       /* enum vm_off_why */
	const char *off_reason; /* a string constant */
	uint32_t debug_exit;    /* [a] the value the guest gave */

	bool dirty;            /* [home] RAM holds what the last life left */
	bool start_paused;     /* [home] while VM_STARTING: it begins paused */
	uint64_t n_cleared;    /* [home] while VM_STARTING: bytes of RAM that are zero again */
	uint64_t paused_tsc;   /* [home] host TSC when it was paused */
	uint64_t paused_ticks; /* [home] length of the last pause, for VCPU_REQ_RESUME */

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
	const struct pv_bus_ops *bus_ops;           /* (c) vmm/pv.h; NULL = none */
	void *bus;                                  /* (c) its part: struct vmbus */
	void *platform;                             /* (c) struct platform of devices/platform.c */
	const struct vm_platform_ops *platform_ops; /* (c) */
	const struct vm_guest_ops *guest_ops;       /* (c) vmm/vm_guest.h; NULL = none */
	void *guest_services;                       /* (c) their part */
	const struct vm_disk_ops *disk_ops;         /* (c) vmm/vm_disk.h; NULL = no disks */
	void *disks;                                /* (c) their part */

	uint64_t clock_base_ns;  /* [a] see vmm/vm_timer.c */
	struct vm_timer *timers; /* (c) all of them, by next_of_vm */
	uint64_t tsc_offset;     /* [home] of a vCPU at power-on: guest TSC = host TSC + offset */
	const struct boot_file *kernel, *initrd; /* (c) */
	struct log_limit log_limit;              /* [log lock] */
	struct spinlock log_lock;
};

/* Any CPU, any context, no device lock held. reason: a string constant, such as "ACPI S5" or "by
 * the operator". */
void vm_request(struct vm *vm, enum vm_request req, const char *reason);
/* The guest ends itself with a value, for those who test kernels: stops the VM and logs "vm NAME:
 * debug exit VALUE" (decimal). Any CPU, any context, no device lock held. */
void vm_debug_exit(struct vm *vm, uint32_t value);
/* Ask the guest to shut down by itself. false = there is nobody to ask: it is off or starting. Any
 * CPU. A paused VM notices when it goes on, and a guest may ignore it. */
__must_check bool vm_power_button(struct vm *vm);

/* enum vm_state in one word: "off", "starting", "running", "paused". */
extern const char *const vm_state_names[VM_PAUSED + 1];
/* The state in words: "running", "off (never started)", "off (powered off: ACPI S5)", "off (killed:
 * REASON)", "off (cannot be started)", "off (debug exit 3)"; and "stopping" while an end waits for
 * the vCPUs. Any CPU. Returns what fmt_print() does. */
size_t vm_describe_state(const struct vm *vm, char *buf, size_t size);
static inline enum vm_state vm_state(const struct vm *vm)
{
	return (enum vm_state)__atomic_load_n(&vm->state, __ATOMIC_ACQUIRE);
}

/*
 * When a VM stops and no other is left, the machine powers off. A VM is left if it is not off, or
 * about to start, or left to the operator (autostart = no) and never started yet - the latter only
 * when there can be an operator. While 'on' the machine stays on whatever stops: the monitor says
 * so while it has the console. Switching it off does not look at the VMs again. Any CPU.
 */
void vm_set_keep_alive(bool on);

/* A log line on behalf of a guest: "vm NAME: ...", rate-limited. */
void vm_log(struct vm *vm, enum log_level level, const char *fmt, ...) __printf(3, 4);

/* --- life, for vmm/main.c and vmm/sched.c --- */

extern struct vm *vms[MAX_VMS]; /* (c) after boot */
/* The loader's last TSC reading, until the first VM's first entry is logged with it. */
extern uint64_t vm_handoff_tsc;
extern unsigned n_vms; /* (c) after boot */

/* Start requests for all but those left to the operator. Boot, once. */
void vm_autostart(bool operator_can_come);
/*
 * Memory, vCPUs, second-level map; no platform yet. Returns NULL with a sentence in the log and
 * everything undone. The VM starts at VM_REQ_START.
 */
__must_check struct vm *vm_create(const struct config_vm *config, const struct boot_info *bi);
/* Undo vm_create() for a VM that never started. */
void vm_destroy(struct vm *vm);
/* Called on CPU 'cpu' between vCPUs, in every turn: carries out the requests of the VMs at home
 * there, a bounded piece at a time. true = look again before the CPU sleeps; vCPUs may run first.
 */
bool vm_serve_requests(uint32_t cpu);

#endif
