// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: any bytes as candela.cfg. What is accepted must keep struct config's promises.
#include "vmm/lib/config.h"
#include "vmm/lib/err.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool promise)
{
	if (!promise) {
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config cfg;
	static struct config_error err;

	if (config_parse(&cfg, "candela.cfg", (const char *)data, size, &err) != 0) {
		check(strncmp(err.text, "candela.cfg:", 12) == 0);
		check(memchr(err.text, '\0', sizeof(err.text)) != NULL);
		return 0;
	}
	check(cfg.n_vms >= 1 && cfg.n_vms <= MAX_VMS);
	check(cfg.log_level <= LOG_DEBUG && cfg.vmx_off < 1U << VMX_OPT_COUNT);
	for (uint32_t i = 0; i < cfg.n_vms; i++) {
		const struct config_vm *vm = &cfg.vms[i];

		check(vm->vcpus >= 1 && vm->vcpus <= MAX_VCPUS);
		check(vm->memory >= 4U << 20 && vm->memory % SIZE_2M == 0);
		check(vm->name[0] != '\0' && memchr(vm->name, '\0', sizeof(vm->name)) != NULL);
		check(vm->kernel[0] != '\0' &&
		        memchr(vm->kernel, '\0', sizeof(vm->kernel)) != NULL);
		check(memchr(vm->initrd, '\0', sizeof(vm->initrd)) != NULL);
		check(memchr(vm->cmdline, '\0', sizeof(vm->cmdline)) != NULL);
		check(vm->smbios == SMBIOS_CANDELA || vm->smbios == SMBIOS_HYPERV);
	}
	return 0;
}
