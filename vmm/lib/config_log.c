// SPDX-License-Identifier: BSD-2-Clause
// The parsed configuration in the boot log, so that nobody has to guess what was understood.
#include "vmm/lib/bits.h"
#include "vmm/lib/config.h"
#include "vmm/lib/fmt.h"

static const char *const level_names[] = {
        [LOG_ERROR] = "error",
        [LOG_WARN] = "warn",
        [LOG_INFO] = "info",
        [LOG_DEBUG] = "debug",
};

static void log_vmx(uint32_t off, uint32_t force)
{
	char list[256];
	size_t used = 0;

	list[0] = '\0';
	for (unsigned i = 0; i < VMX_OPT_COUNT && used < sizeof(list); i++) {
		if ((off | force) & BIT(i)) {
			used += fmt_print(list + used, sizeof(list) - used, "%s%c%s",
			        used ? "," : "", (off & BIT(i)) ? '-' : '+', vmx_option_names[i]);
		}
	}
	log_info("config: host: vmx = %s", used ? list : "(everything the processor grants)");
}

static void log_cpus(const struct config_vm *vm)
{
	char list[4 * MAX_CPUS];
	size_t used = 0;

	for (unsigned i = 0; i < MAX_CPUS && used < sizeof(list); i++) {
		if (vm->cpu_mask & BIT64(i)) {
			used += fmt_print(
			        list + used, sizeof(list) - used, "%s%u", used ? "," : "", i);
		}
	}
	log_info("config: vm.%s: cpu = %s", vm->name, used ? list : "(any)");
}

static void log_hyperv(const struct config_vm *vm)
{
	char list[256];
	size_t used = 0;
	uint32_t changed = vm->hv_features ^ CONFIG_HV_DEFAULT;

	list[0] = '\0';
	for (unsigned i = 0; i < HV_FEATURE_COUNT && used < sizeof(list); i++) {
		if (vm->hyperv && (changed & BIT(i))) {
			used += fmt_print(list + used, sizeof(list) - used, ",%c%s",
			        (vm->hv_features & BIT(i)) ? '+' : '-', hv_feature_names[i]);
		}
	}
	log_info("config: vm.%s: hyperv = %s%s", vm->name, vm->hyperv ? "on" : "off", list);
	if (vm->vmbus) {
		log_info("config: vm.%s: vmbus = %u.%u", vm->name, vm->vmbus >> 16,
		        vm->vmbus & 0xffff);
	} else {
		log_info("config: vm.%s: vmbus = off", vm->name);
	}
}

static void log_disks(const struct config_vm *vm)
{
	for (uint32_t i = 0; i < vm->n_disks; i++) {
		const struct config_disk *disk = &vm->disks[i];
		const char *more = disk->dvd ? ", dvd" : disk->read_only ? ", ro" : "";

		if (disk->path[0] != '\0') {
			log_info("config: vm.%s: disk = ram:%s, bus=%s, block=%u%s", vm->name,
			        disk->path, disk_bus_names[disk->bus], disk->block_size, more);
		} else {
			log_info("config: vm.%s: disk = ram:%lluK, bus=%s, block=%u%s", vm->name,
			        (unsigned long long)disk->size >> 10, disk_bus_names[disk->bus],
			        disk->block_size, more);
		}
	}
}

static void log_nics(const struct config_vm *vm)
{
	for (uint32_t i = 0; i < vm->n_nics; i++) {
		const struct config_nic *nic = &vm->nics[i];

		log_info("config: vm.%s: nic = %s, bus=netvsc, mac=%02x:%02x:%02x:%02x:%02x:%02x",
		        vm->name, nic->sw[0] != '\0' ? nic->sw : "none", (unsigned)(nic->mac >> 40),
		        (unsigned)(nic->mac >> 32) & 0xff, (unsigned)(nic->mac >> 24) & 0xff,
		        (unsigned)(nic->mac >> 16) & 0xff, (unsigned)(nic->mac >> 8) & 0xff,
		        (unsigned)nic->mac & 0xff);
	}
}

static void log_vm(const struct config_vm *vm)
{
	log_info("config: vm.%s: vcpus = %u", vm->name, vm->vcpus);
	log_info("config: vm.%s: memory = %lluM", vm->name, (unsigned long long)(vm->memory >> 20));
	log_info("config: vm.%s: kernel = %s", vm->name, vm->kernel);
	if (vm->initrd[0] != '\0') {
		log_info("config: vm.%s: initrd = %s", vm->name, vm->initrd);
	}
	log_info("config: vm.%s: cmdline = %s", vm->name, vm->cmdline);
	log_info("config: vm.%s: smbios = %s", vm->name,
	        vm->smbios == SMBIOS_HYPERV ? "hyperv" : "candela");
	log_info("config: vm.%s: autostart = %s", vm->name, vm->manual ? "no" : "yes");
	log_cpus(vm);
	log_info("config: vm.%s: weight = %u", vm->name, vm->weight);
	log_hyperv(vm);
	log_info("config: vm.%s: testdev = %s", vm->name, vm->testdev ? "on" : "off");
	log_disks(vm);
	log_nics(vm);
}

void config_log(const struct config *cfg)
{
	log_info("config: host: log = %s", level_names[cfg->log_level]);
	log_vmx(cfg->vmx_off, cfg->vmx_force);
	if (cfg->monitor_key) {
		log_info("config: host: monitor_key = ^%c", cfg->monitor_key + '@');
	} else {
		log_info("config: host: monitor_key = none");
	}
	for (uint32_t i = 0; i < cfg->n_vms; i++) {
		log_vm(&cfg->vms[i]);
	}
}
