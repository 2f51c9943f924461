// SPDX-License-Identifier: BSD-2-Clause
// The monitor's commands that look into a VM: vcpu, irq, dev.
// Specs: docs/monitor.md.
#include "vmm/hw/clock.h"
#include "vmm/lib/string.h"
#include "vmm/monitor_commands.h"
#include "vmm/vcpu_dump.h"
#include "vmm/vm.h"

/* The monitor gives up waiting after 10 s; an answer that comes later is not printed. */
#define LATE_NS (9 * NS_PER_SEC)

/*
 * A question to vCPUs, one after the other, each on its own CPU. There is one: the monitor starts
 * the next command only after monitor_done(), and a question that it no longer waits for keeps
 * the place until it is answered.
 */
static struct walk {
	uint32_t busy; /* [a] asked, and the answer is not complete */
	uint64_t start_ns;
	struct vcpu_call call;
	void (*ask)(struct vcpu *vcpu, struct out *out);
	struct out *out;
	struct vm *vm;
	unsigned next, end;
} walk;

static void walk_end(void)
{
	__atomic_store_n(&walk.busy, 0, __ATOMIC_RELEASE);
}

static void walk_on(void)
{
	while (walk.next < walk.end) {
		if (vcpu_call(walk.vm->vcpus[walk.next], &walk.call)) {
			return;
		}
		monitor_error(walk.out, "vCPU %u is being asked already", walk.next);
		walk.next++;
	}
	walk_end();
	monitor_done();
}

/* On the vCPU's CPU. The call is ours again since this has begun. */
static void asked(struct vcpu *vcpu, void *arg)
{
	(void)arg;
	if (clock_now() - walk.start_ns > LATE_NS) {
		walk_end();
		return;
	}
	walk.ask(vcpu, walk.out);
	walk.next++;
	walk_on();
}

static enum monitor_result walk_start(struct out *out, struct vm *vm, unsigned first, unsigned end,
        void (*ask)(struct vcpu *vcpu, struct out *out))
{
	if (__atomic_load_n(&walk.busy, __ATOMIC_ACQUIRE)) {
		monitor_error(out, "vCPU %u of %s still owes the last answer", walk.next,
		        walk.vm->config->name);
		return MONITOR_DONE;
	}
	walk = (struct walk){
	        .busy = 1,
	        .start_ns = clock_now(),
	        .call = {.fn = asked},
	        .ask = ask,
	        .out = out,
	        .vm = vm,
	        .next = first,
	        .end = end,
	};
	walk_on();
	return MONITOR_PENDING;
}

static void ask_all(struct vcpu *vcpu, struct out *out)
{
	vcpu_dump(vcpu, out);
	lapic_dump(&vcpu->lapic, out);
	cpu_virt->vcpu_dump(vcpu, out);
}

static enum monitor_result vcpu_run_command(struct out *out, unsigned argc, char *const argv[])
{
	struct vm *vm = monitor_find_vm(out, argv[1]);
	uint64_t n;

	if (!vm) {
		return MONITOR_DONE;
	}
	if (argc == 2) {
		return walk_start(out, vm, 0, vm->n_vcpus, vcpu_dump_short);
	}
	if (!monitor_number(out, argv[2], "N", &n)) {
		return MONITOR_DONE;
	}
	if (n >= vm->n_vcpus) {
		monitor_error(out, "%s has vCPUs 0 to %u", argv[1], vm->n_vcpus - 1);
		return MONITOR_DONE;
	}
	if (argc > 3 && strcmp(argv[3], "all") != 0) {
		monitor_error(out, "after the number only 'all' can follow, not '%s'", argv[3]);
		return MONITOR_DONE;
	}
	return walk_start(out, vm, (unsigned)n, (unsigned)n + 1, argc > 3 ? ask_all : vcpu_dump);
}

const struct monitor_command monitor_cmd_vcpu = {
        .name = "vcpu",
        .args = "VM [N [all]]",
        .summary = "registers, state, pending events and last exits of a vCPU",
        .help = "Without N, one line for each vCPU of the VM. With N, everything about that one; "
                "it "
                "is\n"
                "stopped for as long as it takes to look. 'all' adds its local APIC and what the\n"
                "processor keeps for it (every VMCS field).\n",
        .min_args = 1,
        .max_args = 3,
        .complete = {MONITOR_ARG_VM},
        .run = vcpu_run_command,
};

static void ask_irq(struct vcpu *vcpu, struct out *out)
{
	out_print(out, "vCPU %u:\n", vcpu->index);
	vcpu_dump_events(vcpu, out);
	lapic_dump(&vcpu->lapic, out);
}

static enum monitor_result irq_run_command(struct out *out, unsigned argc, char *const argv[])
{
	struct vm *vm = monitor_find_vm(out, argv[1]);

	(void)argc;
	if (!vm) {
		return MONITOR_DONE;
	}
	irq_dump(vm, out);
	return walk_start(out, vm, 0, vm->n_vcpus, ask_irq);
}

const struct monitor_command monitor_cmd_irq = {
        .name = "irq",
        .args = "VM",
        .summary = "interrupt lines, 8259 pair, IOAPIC, local APICs",
        .help = "The way of an interrupt, from the line that a device raises through the "
                "controllers\n"
                "to what each vCPU has waiting (IRR), in service (ISR) and masked.\n",
        .min_args = 1,
        .max_args = 1,
        .complete = {MONITOR_ARG_VM},
        .run = irq_run_command,
};

static enum monitor_result dev_run_command(struct out *out, unsigned argc, char *const argv[])
{
	struct vm *vm = monitor_find_vm(out, argv[1]);

	if (vm && !vm->platform_ops->dump(vm, argc > 2 ? argv[2] : NULL, out)) {
		monitor_error(out, "%s has no device '%s' ('dev %s' names them)", argv[1], argv[2],
		        argv[1]);
	}
	return MONITOR_DONE;
}

const struct monitor_command monitor_cmd_dev = {
        .name = "dev",
        .args = "VM [NAME]",
        .summary = "devices of a VM and their state",
        .help = "The tree of devices: name, ports, addresses, interrupt lines, and the state in a "
                "line.\n"
                "With NAME, all registers of one of them.\n",
        .min_args = 1,
        .max_args = 2,
        .complete = {MONITOR_ARG_VM},
        .run = dev_run_command,
};
