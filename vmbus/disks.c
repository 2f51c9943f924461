// SPDX-License-Identifier: BSD-2-Clause
// The disks of a VM: from its configuration and the loaded images to units of a SCSI controller,
// and to accelerators beside an IDE controller.
// Specs: none (docs/config.md "disk").
#include "vmbus/disks.h"
#include "devices/backend/blk_ram.h"
#include "vmbus/storvsp.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/log.h"
#include "vmm/lib/string.h"
#include "vmm/vm.h"
#include "vmm/vm_disk.h"

struct disks {
	struct storvsp *scsi; /* (c) NULL = no disk is on it */
	struct blk_ram rams[MAX_DISKS];
	uint8_t luns[MAX_DISKS]; /* (c) its units; NO_LUN: another controller's */
};

#define NO_LUN 0xffU

static unsigned long long llu(uint64_t v)
{
	return v;
}

static void list(struct vm *vm, struct out *out)
{
	const struct disks *disks = vm->disks;
	const uint32_t present =
	        disks->scsi ? __atomic_load_n(&disks->scsi->present, __ATOMIC_RELAXED) : 0;

	out_print(out, "%4s %-7s %12s %5s %-4s %10s %10s %8s %6s %-24s %s\n", "disk", "state",
	        "size", "block", "mode", "reads", "writes", "flushes", "errors", "serial",
	        "contents");
	for (unsigned i = 0; i < vm->config->n_disks; i++) {
		const struct config_disk *config = &vm->config->disks[i];
		const struct blk *blk = &disks->rams[i].blk;
		const uint8_t lun = disks->luns[i];
		char serial[25];

		for (unsigned b = 0; b < 12; b++) {
			fmt_print(serial + 2 * (size_t)b, 3, "%02x", blk->id[b]);
		}
		out_print(out, "%4u %-7s %8llu KiB %5u %-4s %10llu %10llu %8llu %6llu %-24s ", i,
		        lun == NO_LUN        ? disk_bus_names[config->bus]
		        : present & BIT(lun) ? "in"
		                             : "removed",
		        llu(blk->size >> 10), blk->block_size,
		        config->dvd      ? "dvd"
		        : blk->read_only ? "ro"
		                         : "rw",
		        llu(blk->stats.reads), llu(blk->stats.writes), llu(blk->stats.flushes),
		        llu(blk->stats.errors), serial);
		blk->ops->dump(blk, out);
	}
}

static int plug(struct vm *vm, uint32_t number, bool in)
{
	struct disks *disks = vm->disks;

	if (number >= vm->config->n_disks) {
		return -ENOENT;
	}
	if (disks->luns[number] == NO_LUN) {
		return -EOPNOTSUPP;
	}
	return storvsp_plug(disks->scsi, disks->luns[number], in);
}

static const struct vm_disk_ops ops = {.list = list, .plug = plug};

static const struct boot_file *find_file(const struct boot_info *bi, const char *path)
{
	for (uint32_t i = 0; i < bi->n_files; i++) {
		if (strcmp(bi->files[i].path, path) == 0) {
			return &bi->files[i];
		}
	}
	return NULL;
}

static int make_disk(struct vm *vm, uint32_t number, struct blk_ram *ram,
        const struct boot_info *bi, const struct disks_memory *memory)
{
	const struct config_disk *config = &vm->config->disks[number];
	const struct boot_file *file = NULL;
	struct blk_ram_params params = {
	        .size = config->size,
	        .block_size = config->block_size,
	        .read_only = config->read_only,
	        .removable = config->dvd,
	        .shared = config_disk_is_private(&bi->config, config),
	        .alloc = memory->alloc,
	};

	if (config->path[0] != '\0') {
		file = find_file(bi, config->path);
		if (!file) {
			return -ENOENT; /* the loader has read it */
		}
		params.size = file->len;
		params.image = memory->at(hpa(file->base));
	}
	blk_make_id(params.id, vm->config->name, number);
	return blk_ram_attach(ram, &params);
}

static int make_disks(struct vm *vm, struct disks *disks, const struct boot_info *bi,
        const struct disks_memory *memory)
{
	for (uint32_t i = 0; i < vm->config->n_disks; i++) {
		int err = make_disk(vm, i, &disks->rams[i], bi, memory);

		if (err) {
			log_error("candela.cfg:%u: [vm.%s]: no memory is left for disk %u",
			        vm->config->disks[i].line, vm->config->name, i);
			return err;
		}
	}
	return 0;
}

static void *alloc_struct(const struct vm *vm, size_t size, const struct disks_memory *memory)
{
	void *p = memory->alloc((size + PAGE_MASK) >> PAGE_SHIFT, PAGE_SIZE);

	if (!p) {
		log_error(
		        "[vm.%s]: no memory is left for its disks' controllers", vm->config->name);
	}
	return p;
}

static int attach_scsi(
        struct vm *vm, struct disks *disks, struct vmbus *bus, const struct disks_memory *memory)
{
	struct blk *blks[MAX_DISKS];
	uint32_t n = 0;

	for (uint32_t i = 0; i < vm->config->n_disks; i++) {
		disks->luns[i] = NO_LUN;
		if (vm->config->disks[i].bus == DISK_STORVSC) {
			disks->luns[i] = (uint8_t)n;
			blks[n++] = &disks->rams[i].blk;
		}
	}
	if (n == 0) {
		return 0;
	}
	disks->scsi = alloc_struct(vm, sizeof(*disks->scsi), memory);
	if (!disks->scsi) {
		return -ENOMEM;
	}
	storvsp_init(disks->scsi, vm, blks, n);
	return storvsp_attach(disks->scsi, bus);
}

/* A generation 1 VM has a channel for each IDE disk; drivers that know it leave the disk alone. */
static int attach_ide(
        struct vm *vm, struct disks *disks, struct vmbus *bus, const struct disks_memory *memory)
{
	uint8_t place = 0;
	int err = 0;

	for (uint32_t i = 0; i < vm->config->n_disks && !err; i++) {
		const struct config_disk *config = &vm->config->disks[i];
		struct storvsp *ide;

		if (config->bus != DISK_IDE) {
			continue;
		}
		if (!config->dvd) {
			ide = alloc_struct(vm, sizeof(*ide), memory);
			if (!ide) {
				return -ENOMEM;
			}
			storvsp_init_ide(ide, vm, &disks->rams[i].blk, place / 2, place % 2);
			err = storvsp_attach(ide, bus);
		}
		place++;
	}
	return err;
}

int disks_attach(struct vm *vm, struct vmbus *bus, const struct boot_info *bi,
        const struct disks_memory *memory)
{
	struct disks *disks;
	int err;

	if (vm->config->n_disks == 0) {
		return 0;
	}
	disks = alloc_struct(vm, sizeof(*disks), memory);
	if (!disks) {
		return -ENOMEM;
	}
	err = make_disks(vm, disks, bi, memory);
	if (err) {
		return err;
	}
	vm->disks = disks;
	vm->disk_ops = &ops;
	err = attach_scsi(vm, disks, bus, memory);
	if (!err && bus && vm->config->smbios == SMBIOS_HYPERV) {
		err = attach_ide(vm, disks, bus, memory);
	}
	return err;
}

struct blk *disks_blk(const struct vm *vm, uint32_t number)
{
	struct disks *disks = vm->disks;

	return &disks->rams[number].blk;
}
