// SPDX-License-Identifier: BSD-2-Clause
/*
 * The core from its first C line to its loops: the order of everything. The one file that may
 * include from every folder.
 */
#include "boot/boot_info.h"
#include "devices/backend/chr_console.h"
#include "devices/backend/net_switch.h"
#include "devices/platform.h"
#include "hypercall/hv.h"
#include "vmbus/disks.h"
#include "vmbus/guest_services.h"
#include "vmbus/nics.h"
#include "vmbus/vmbus.h"
#include "vmm/cpuid_policy.h"
#include "vmm/hw/acpi.h"
#include "vmm/hw/apic_hw.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/console_hw.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/hw/paging.h"
#include "vmm/hw/panic.h"
#include "vmm/hw/pcpu.h"
#include "vmm/lapic.h"
#include "vmm/lib/err.h"
#include "vmm/lib/version.h"
#include "vmm/monitor.h"
#include "vmm/sched.h"
#include "vmm/vm.h"

const struct cpu_virt_ops *cpu_virt;

void core_main(const struct boot_info *loader_bi);

static void check_boot_info(const struct boot_info *bi)
{
	if (bi->magic != BOOT_INFO_MAGIC || bi->version != BOOT_INFO_VERSION ||
	        bi->size != sizeof(*bi)) {
		die("The loader (BOOTX64.EFI) and the core (candela.elf) are of different "
		    "versions.");
	}
}

/* This processor, its memory, its interrupts, its clock. */
static void init_machine(const struct boot_info *bi)
{
	page_alloc_init(bi);
	acpi_parse(&acpi, bi->rsdp);
	apic_init();
	apic_init_cpu();
	if (clock_init(acpi.pm_timer_port)) {
		die("No clock to measure the time-stamp counter with: no PIT, no PM timer, no "
		    "CPUID leaf 0x15.");
	}
	clock_set_wall(bi->wall_seconds, bi->wall_tsc);
	apic_calibrate();
	console_irq_init();
	console_set_notify(chr_console_notify_tx, chr_console_notify_rx);
	log_info("TSC: %llu.%03llu MHz by %s", (unsigned long long)clock_tsc_hz() / 1000000,
	        (unsigned long long)clock_tsc_hz() / 1000 % 1000, clock_source_name());
	log_info("memory: %llu MiB free", (unsigned long long)page_alloc_free_bytes() >> 20);
}

static void enable_virt(struct pcpu *cpu)
{
	int err = cpu_virt->cpu_enable(cpu);

	if (err) {
		die("CPU %u: %s cannot be switched on (error %d).", cpu->index, cpu_virt->name,
		        -err);
	}
}

/* The other processors: virtualization on, then their loop for good. */
static void run_cpu(struct pcpu *cpu)
{
	enable_virt(cpu);
	sched_loop(cpu);
}

static void init_virt(const struct config *config)
{
	char why[160];

	cpu_virt = &vmx_ops;
	if (cpu_virt->host_init(config->vmx_off, config->vmx_force, why, sizeof(why))) {
		die("Candela cannot run here: %s.", why);
	}
	enable_virt(&pcpus[0]);
	cpuid_policy_init(cpu_virt->caps(), clock_tsc_hz(), lapic_timer_hz());
}

static struct chr_console *consoles[MAX_VMS];

/* The machine around the vCPUs, with a console each. */
static int create_platform(struct vm *vm)
{
	const uint64_t size = sizeof(struct platform) + sizeof(struct chr_console) +
	                      (vm->config->testdev ? sizeof(struct testdev) : 0);
	struct platform *p = page_alloc((size + PAGE_MASK) >> PAGE_SHIFT, PAGE_SIZE);
	struct chr_console *console = (struct chr_console *)(p + 1);

	if (!p) {
		return -ENOMEM;
	}
	chr_console_init(console);
	consoles[vm->index] = console;
	platform_init(p);
	piix4_ide_place(&p->ide, virt_to_phys(&p->ide));
	if (vm->config->testdev) {
		platform_add_testdev(p, (struct testdev *)(console + 1));
	}
	return platform_attach(p, vm, &console->chr, clock_wall_seconds());
}

/* The Hyper-V interface, for VMs that want it. */
static int create_interface(struct vm *vm)
{
	void *memory;

	if (!vm->config->hyperv) {
		return 0;
	}
	memory = page_alloc(hv_memory_pages(vm->n_vcpus), PAGE_SIZE);
	return memory ? hv_attach(vm, memory) : -ENOMEM;
}

/* The bus of synthetic devices. */
static int create_bus(struct vm *vm)
{
	void *memory;

	if (vm->config->vmbus == 0) {
		return 0;
	}
	memory = page_alloc(vmbus_memory_pages(), PAGE_SIZE);
	return memory ? vmbus_attach(vm, memory, vm->config->vmbus) : -ENOMEM;
}

/* Integration services and a keyboard, for VMs with a bus. */
static int create_services(struct vm *vm)
{
	struct vmbus *bus = vmbus_of(vm);
	void *memory;

	if (!bus) {
		return 0;
	}
	memory = page_alloc((sizeof(struct guest_services) + PAGE_MASK) >> PAGE_SHIFT, PAGE_SIZE);
	return memory ? guest_services_attach(memory, bus, vm) : -ENOMEM;
}

/* Disks, for VMs that have some. */
static int create_disks(struct vm *vm, const struct boot_info *bi)
{
	static const struct disks_memory memory = {.alloc = page_alloc, .at = phys_to_virt};

	struct platform *p = vm->platform;
	int err = disks_attach(vm, vmbus_of(vm), bi, &memory);

	for (uint32_t i = 0; !err && i < vm->config->n_disks; i++) {
		if (vm->config->disks[i].bus == DISK_IDE) {
			err = piix4_ide_add(&p->ide, disks_blk(vm, i));
		}
	}
	return err;
}

/* Network adapters, and the switches that they name. */
static int create_nics(struct vm *vm)
{
	return nics_attach(vm, vmbus_of(vm), page_alloc, clock_now);
}

static void console_show(struct vm *vm, bool all)
{
	chr_console_show(consoles[vm->index], all);
}

static bool console_type(struct vm *vm, uint8_t byte)
{
	return chr_console_type(consoles[vm->index], byte);
}

/* The monitor, and who has the line at first: the first VM that starts by itself. */
static void init_monitor(const struct config *config)
{
	static const struct monitor_ops ops = {
	        .show = console_show,
	        .type = console_type,
	        .rx_space = chr_console_notify_rx,
	        .net = net_switch_dump,
	        .net_link = nics_set_link,
	        .net_capture = nics_capture,
	        .net_captured = nics_captured,
	};
	static const struct chr_console_monitor monitor = {
	        .rx_byte = monitor_rx,
	        .tx_space = monitor_tx,
	};
	struct vm *front = NULL;

	for (unsigned i = n_vms; i > 0; i--) {
		front = vms[i - 1]->config->manual ? front : vms[i - 1];
	}
	chr_console_set_monitor(&monitor, config->monitor_key);
	chr_console_set_front(front ? consoles[front->index] : NULL);
	monitor_init(config, &ops, front);
}

/* The loader has counted the processors; this is for one that did not start. */
static void check_cpus(const struct config_vm *config)
{
	uint64_t missing = sched_missing_cpus(config->cpu_mask);

	if (missing) {
		die("candela.cfg:%u: [vm.%s] names CPU %u, which did not start.", config->cpu_line,
		        config->name, bit_first(missing));
	}
}

static void create_vms(const struct boot_info *bi)
{
	for (unsigned i = 0; i < bi->config.n_vms; i++) {
		struct vm *vm;

		check_cpus(&bi->config.vms[i]);
		vm = vm_create(&bi->config.vms[i], bi);
		if (!vm || create_platform(vm) || create_interface(vm) || create_bus(vm) ||
		        create_services(vm) || create_disks(vm, bi) || create_nics(vm)) {
			die("vm %s cannot be made; nothing was started.", bi->config.vms[i].name);
		}
	}
	init_monitor(&bi->config);
	vm_autostart(bi->config.monitor_key != 0);
}

/* What a host pays for Candela: its image, and the pages it took that are not a VM's RAM. */
static void log_own_memory(const struct boot_info *bi)
{
	uint64_t pages = page_alloc_total_bytes() - page_alloc_free_bytes();

	for (unsigned i = 0; i < n_vms; i++) {
		pages -= vms[i]->config->memory;
	}
	log_info("core: %llu KiB image, %llu KiB of pages besides the VMs' RAM",
	        (unsigned long long)bi->core_len >> 10, (unsigned long long)pages >> 10);
}

void core_main(const struct boot_info *loader_bi)
{
	const struct boot_info *bi = loader_bi;

	console_init();
	check_boot_info(bi);
	log_set_level(bi->config.log_level);
	log_info("Candela " CANDELA_VERSION " core at %#llx, %llu KiB",
	        (unsigned long long)bi->core_base, (unsigned long long)bi->core_len >> 10);
	panic_init(bi);
	trap_init_cpu(&pcpus[0]);
	paging_init(bi);
	/* The loader's identity map is gone. */
	bi = phys_to_virt(hpa((uintptr_t)loader_bi));
	init_machine(bi);
	config_log(&bi->config);
	init_virt(&bi->config);
	sched_init(smp_start(bi, run_cpu));
	vm_handoff_tsc = bi->handoff_tsc;
	create_vms(bi);
	log_own_memory(bi);
	sched_loop(&pcpus[0]);
}
