// SPDX-License-Identifier: BSD-2-Clause
// disk = ram:\path\to\image or ram:SIZE, with its options; and which disks share an image.
#include "vmm/lib/bits.h"
#include "vmm/lib/config_parser.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"
#include "vmm/lib/suggest.h"

#define DISK_SIZE_MAX (1ULL << 46) /* as of memory: more than any machine has */
#define BLOCK_SIZE 512U
#define BLOCK_SIZE_LARGE 4096U
#define BLOCK_SIZE_DVD 2048U

enum option { OPT_BUS, OPT_BLOCK, OPT_RO, OPT_DVD, OPT_COUNT };

static const char *const option_names[OPT_COUNT] = {
        [OPT_BUS] = "bus",
        [OPT_BLOCK] = "block",
        [OPT_RO] = "ro",
        [OPT_DVD] = "dvd",
};
static const bool option_has_value[OPT_COUNT] = {[OPT_BUS] = true, [OPT_BLOCK] = true};

static int set_source(struct parser *p, struct config_disk *disk, struct slice source)
{
	static const char ram[] = "ram:";
	struct slice what = {source.p + sizeof(ram) - 1, source.len - (sizeof(ram) - 1)};

	if (source.len < sizeof(ram) || memcmp(source.p, ram, sizeof(ram) - 1) != 0) {
		return config_fail(p,
		        "a disk is ram: and an image's path or a size, such as ram:64M, not '%.*s'",
		        quote_len(source), source.p);
	}
	what = slice_trim(what);
	if (!value_size(what, &disk->size)) {
		disk->size = 0;
		return config_set_path(p, "disk", what, disk->path, &disk->line);
	}
	if (disk->size == 0 || disk->size > DISK_SIZE_MAX) {
		return config_fail(p, "a disk of %.*s is %s", quote_len(what), what.p,
		        disk->size == 0 ? "none" : "more than any machine has");
	}
	return 0;
}

const char *const disk_bus_names[DISK_BUS_COUNT] = {
        [DISK_STORVSC] = "storvsc",
        [DISK_IDE] = "ide",
};

static int set_bus(struct parser *p, struct config_disk *disk, struct slice value)
{
	int i = value_word(value, disk_bus_names, DISK_BUS_COUNT);

	if (i < 0) {
		return config_fail(
		        p, "bus must be storvsc or ide, not '%.*s'", quote_len(value), value.p);
	}
	disk->bus = (uint32_t)i;
	return 0;
}

static int set_block(struct parser *p, struct config_disk *disk, struct slice value)
{
	uint64_t n;

	if (!value_u64(value, &n) || (n != BLOCK_SIZE && n != BLOCK_SIZE_LARGE)) {
		return config_fail(
		        p, "block must be 512 or 4096, not '%.*s'", quote_len(value), value.p);
	}
	disk->block_size = (uint32_t)n;
	return 0;
}

static int set_option(struct parser *p, struct config_disk *disk, struct slice item)
{
	struct slice name = item, value = {item.p + item.len, 0};
	int i;

	for (size_t at = 0; at < item.len; at++) {
		if (item.p[at] == '=') {
			name = slice_trim((struct slice){item.p, at});
			value = slice_trim((struct slice){item.p + at + 1, item.len - at - 1});
			break;
		}
	}
	i = value_word(name, option_names, OPT_COUNT);
	if (i < 0) {
		i = suggest(name.p, name.len, option_names, OPT_COUNT);
		if (i >= 0) {
			return config_fail(p, "unknown disk option '%.*s' (did you mean '%s'?)",
			        quote_len(name), name.p, option_names[i]);
		}
		return config_fail(p,
		        "unknown disk option '%.*s': there are bus, block, ro and dvd",
		        quote_len(name), name.p);
	}
	if (option_has_value[i] != (name.len != item.len)) {
		return config_fail(p, "disk option %s %s value", option_names[i],
		        option_has_value[i] ? "needs a" : "takes no");
	}
	switch ((enum option)i) {
	case OPT_BUS:
		return set_bus(p, disk, value);
	case OPT_BLOCK:
		return set_block(p, disk, value);
	case OPT_RO:
		disk->read_only = true;
		break;
	case OPT_DVD:
		disk->dvd = true;
		break;
	case OPT_COUNT:
		break;
	}
	return 0;
}

/* What only all options together show. */
static int check(struct parser *p, struct config_disk *disk)
{
	if (disk->dvd) {
		if (disk->path[0] == '\0') {
			return config_fail(p, "a dvd needs an image: ram:\\path\\to\\file, dvd");
		}
		if (disk->block_size != 0) {
			return config_fail(p, "a dvd has blocks of 2048 bytes: leave block= away");
		}
		disk->read_only = true;
		disk->block_size = BLOCK_SIZE_DVD;
	}
	if (disk->block_size == 0) {
		disk->block_size = BLOCK_SIZE;
	}
	if (disk->bus == DISK_IDE && disk->block_size == BLOCK_SIZE_LARGE) {
		return config_fail(p, "a disk on bus ide has blocks of 512 bytes");
	}
	if (!is_aligned(disk->size, disk->block_size)) {
		return config_fail(p, "the disk's size is not a multiple of its block size, %u",
		        disk->block_size);
	}
	return 0;
}

int config_set_disk(struct parser *p, const char *key, struct slice value)
{
	struct config_disk *disk = &p->vm->disks[p->vm->n_disks];
	size_t start = 0;

	(void)key;
	if (p->vm->n_disks == MAX_DISKS) {
		return config_fail(p, "more than %d disks", MAX_DISKS);
	}
	disk->line = p->line;
	for (size_t i = 0; i <= value.len; i++) {
		if (i == value.len || value.p[i] == ',') {
			struct slice item = slice_trim((struct slice){value.p + start, i - start});
			int err =
			        start == 0 ? set_source(p, disk, item) : set_option(p, disk, item);

			if (err) {
				return err;
			}
			start = i + 1;
		}
	}
	p->vm->n_disks++;
	if (config_disks_on(p->vm, DISK_IDE) > MAX_IDE_DISKS) {
		return config_fail(p, "more than %d disks on bus ide", MAX_IDE_DISKS);
	}
	return check(p, disk);
}

uint32_t config_disks_on(const struct config_vm *vm, enum disk_bus bus)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < vm->n_disks; i++) {
		n += vm->disks[i].bus == (uint32_t)bus;
	}
	return n;
}

static unsigned uses_of(const struct config_vm *vm, const char *path)
{
	unsigned n = 0;

	n += strcmp(vm->kernel, path) == 0;
	n += strcmp(vm->initrd, path) == 0;
	for (uint32_t i = 0; i < vm->n_disks; i++) {
		n += strcmp(vm->disks[i].path, path) == 0;
	}
	return n;
}

bool config_disk_is_private(const struct config *cfg, const struct config_disk *disk)
{
	unsigned n = 0;

	if (disk->path[0] == '\0') {
		return true;
	}
	for (uint32_t i = 0; i < cfg->n_vms; i++) {
		n += uses_of(&cfg->vms[i], disk->path);
	}
	return !disk->read_only && n > 1;
}

uint64_t config_disk_memory(
        const struct config *cfg, const struct config_disk *disk, uint64_t image_len)
{
	if (!config_disk_is_private(cfg, disk)) {
		return 0;
	}
	return align_up(disk->path[0] != '\0' ? image_len : disk->size, SIZE_2M);
}
