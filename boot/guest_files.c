// SPDX-License-Identifier: BSD-2-Clause
// candela.cfg and the files it names: read and checked, all before anything starts.
#include "boot/guest_files.h"
#include "boot/efi_console.h"
#include "boot/efi_file.h"
#include "boot/mem_map.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/image.h"
#include "vmm/lib/string.h"

/* Left for the core's tables, stacks and the VMs' own state. */
#define CORE_RESERVE (16ULL << 20)

static char config_dir[FILE_PATH_MAX];
static char config_path[FILE_PATH_MAX];
static const char *config_name; /* its last part, for messages */

/* \EFI\BOOT\BOOTX64.cfg, then candela.cfg beside the loader, then in the root. */
static EFI_STATUS find_config(uint64_t *base, uint64_t *len)
{
	char own_name[FILE_PATH_MAX], why[128];
	const struct {
		const char *dir, *name;
	} places[] = {
	        {file_loader_dir(), own_name},
	        {file_loader_dir(), "candela.cfg"},
	        {"", "candela.cfg"},
	};

	if (fmt_print(own_name, sizeof(own_name), "%s.cfg", file_loader_name()) >=
	        sizeof(own_name)) {
		own_name[0] = '\0';
	}
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		EFI_STATUS status;

		if (places[i].name[0] == '\0' ||
		        !file_join(config_path, places[i].dir, places[i].name)) {
			continue;
		}
		status = file_read(config_path, base, len, why, sizeof(why));
		if (status == EFI_NOT_FOUND) {
			continue;
		}
		if (EFI_ERROR(status)) {
			return con_fail(status, "%s: the configuration %s", config_path, why);
		}
		str_copy(config_dir, sizeof(config_dir), places[i].dir);
		config_name = config_path + strlen(places[i].dir) + 1;
		return EFI_SUCCESS;
	}
	return con_fail(EFI_NOT_FOUND,
	        "there is no configuration: neither %s\\%s nor %s\\candela.cfg nor \\candela.cfg "
	        "is on the volume this loader was started from",
	        file_loader_dir(), own_name, file_loader_dir());
}

EFI_STATUS guest_config_load(struct boot_info *bi)
{
	static struct config_error err;
	uint64_t base, len;
	EFI_STATUS status = find_config(&base, &len);

	if (EFI_ERROR(status)) {
		return status;
	}
	con_line("Candela: configuration %s", config_path);
	if (config_parse(&bi->config, config_name, (const char *)base, len, &err) != 0) {
		return con_fail(EFI_LOAD_ERROR, "%s", err.text);
	}
	return EFI_SUCCESS;
}

static struct boot_file *find_file(struct boot_info *bi, const char *path)
{
	for (uint32_t i = 0; i < bi->n_files; i++) {
		if (strcmp(bi->files[i].path, path) == 0) {
			return &bi->files[i];
		}
	}
	return NULL;
}

/* A file once for all VMs that name it by the same path. NULL: the reason was said. */
static const struct boot_file *load_file(struct boot_info *bi, const char *path, uint32_t line)
{
	struct boot_file *file;
	char full[FILE_PATH_MAX], why[256];
	EFI_STATUS status;

	file = find_file(bi, path);
	if (file) {
		return file;
	}
	if (bi->n_files == MAX_BOOT_FILES) {
		con_line("%s:%u: more than %d files", config_name, line, MAX_BOOT_FILES);
		return NULL;
	}
	if (!file_join(full, config_dir, path)) {
		con_line("%s:%u: %s: the path is too long", config_name, line, path);
		return NULL;
	}
	file = &bi->files[bi->n_files];
	status = file_read(full, &file->base, &file->len, why, sizeof(why));
	if (status == EFI_NOT_FOUND) {
		con_line("%s:%u: %s: there is no such file on the volume", config_name, line, full);
		return NULL;
	}
	if (EFI_ERROR(status)) {
		con_line("%s:%u: %s %s", config_name, line, full, why);
		return NULL;
	}
	con_line("Candela: %s, %llu KiB", full, (unsigned long long)((file->len + 1023) >> 10));
	str_copy(file->path, sizeof(file->path), path);
	bi->n_files++;
	return file;
}

static EFI_STATUS load_disks(struct boot_info *bi, const struct config_vm *vm)
{
	for (uint32_t i = 0; i < vm->n_disks; i++) {
		const struct config_disk *disk = &vm->disks[i];
		const struct boot_file *file;

		if (disk->path[0] == '\0') {
			continue;
		}
		file = load_file(bi, disk->path, disk->line);
		if (!file) {
			return EFI_LOAD_ERROR;
		}
		if (!is_aligned(file->len, disk->block_size)) {
			return con_fail(EFI_LOAD_ERROR,
			        "%s:%u: %s has %llu bytes, which is not a multiple of its block "
			        "size, %u",
			        config_name, disk->line, disk->path, (unsigned long long)file->len,
			        disk->block_size);
		}
	}
	return EFI_SUCCESS;
}

static EFI_STATUS load_vm_files(struct boot_info *bi, const struct config_vm *vm)
{
	static struct image image;
	const struct boot_file *kernel, *initrd = NULL;
	char why[256];
	int err;

	kernel = load_file(bi, vm->kernel, vm->kernel_line);
	if (!kernel) {
		return EFI_LOAD_ERROR;
	}
	err = image_probe(&image, (const void *)kernel->base, kernel->len, why, sizeof(why));
	if (err == 0 && vm->initrd[0] != '\0') {
		initrd = load_file(bi, vm->initrd, vm->initrd_line);
		if (!initrd) {
			return EFI_LOAD_ERROR;
		}
	}
	if (err == 0) {
		err = image_check_fit(&image, vm->memory, initrd ? initrd->len : 0,
		        strlen(vm->cmdline), why, sizeof(why));
	}
	if (err) {
		return con_fail(EFI_LOAD_ERROR, "%s:%u: %s %s", config_name, vm->kernel_line,
		        vm->kernel, why);
	}
	return load_disks(bi, vm);
}

EFI_STATUS guest_files_load(struct boot_info *bi)
{
	for (uint32_t i = 0; i < bi->config.n_vms; i++) {
		EFI_STATUS status = load_vm_files(bi, &bi->config.vms[i]);

		if (EFI_ERROR(status)) {
			return status;
		}
	}
	return EFI_SUCCESS;
}

EFI_STATUS guest_cpus_check(const struct boot_info *bi)
{
	uint64_t missing = bi->n_cpus < 64 ? ~0ULL << bi->n_cpus : 0;

	for (uint32_t i = 0; i < bi->config.n_vms; i++) {
		const struct config_vm *vm = &bi->config.vms[i];

		if (vm->cpu_mask & missing) {
			return con_fail(EFI_LOAD_ERROR,
			        "%s:%u: [vm.%s] names CPU %u; this machine has CPUs 0 to %u",
			        config_name, vm->cpu_line, vm->name,
			        bit_first(vm->cpu_mask & missing), bi->n_cpus - 1);
		}
	}
	return EFI_SUCCESS;
}

EFI_STATUS guest_memory_check(struct boot_info *bi)
{
	uint64_t have = mem_map_large_bytes(bi);
	uint64_t want = 0;

	have = have > CORE_RESERVE ? have - CORE_RESERVE : 0;
	for (uint32_t i = 0; i < bi->config.n_vms; i++) {
		const struct config_vm *vm = &bi->config.vms[i];

		/* At most 16 times 64 TiB; and a table for each of its large pages (vmx/ept.c). */
		want += vm->memory + align_up(vm->memory / 512, SIZE_2M);
		if (want > have) {
			return con_fail(EFI_OUT_OF_RESOURCES,
			        "%s:%u: [vm.%s] is too large: the VMs up to it need %lluM of "
			        "memory, "
			        "this machine has %lluM for them",
			        config_name, vm->line, vm->name, (unsigned long long)(want >> 20),
			        (unsigned long long)(have >> 20));
		}
		for (uint32_t d = 0; d < vm->n_disks; d++) {
			const struct config_disk *disk = &vm->disks[d];
			const struct boot_file *file = find_file(bi, disk->path);

			want += config_disk_memory(&bi->config, disk, file ? file->len : 0);
			if (want > have) {
				return con_fail(EFI_OUT_OF_RESOURCES,
				        "%s:%u: the disk is too large: the VMs with their disks up "
				        "to it "
				        "need %lluM of memory, this machine has %lluM for them",
				        config_name, disk->line, (unsigned long long)(want >> 20),
				        (unsigned long long)(have >> 20));
			}
		}
	}
	return EFI_SUCCESS;
}
