// SPDX-License-Identifier: BSD-2-Clause
// QEMU's firmware configuration device: selector, data port, commands in guest memory.
// Specs: [FWCFG] "Guest-side Hardware Interface", "Guest-side DMA Interface".
#include "devices/fw_cfg.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

/* [FWCFG] "Selector (Control) Register": the guest means to write; nothing can be. */
#define KEY_WRITE 0x4000U

/* [FWCFG] "Revision / feature bitmap". */
#define ID_TRADITIONAL BIT(0)
#define ID_DMA BIT(1)

/* [FWCFG] "Guest-side DMA Interface": the control word, whose upper half is a key. */
#define CONTROL_ERROR BIT(0)
#define CONTROL_READ BIT(1)
#define CONTROL_SKIP BIT(2)
#define CONTROL_SELECT BIT(3)
#define CONTROL_WRITE BIT(4)
#define CONTROL_KEY_SHIFT 16

#define DMA_PORT 4U /* from the selector's */
#define DMA_PORTS 8U
#define DMA_LOW 4U /* the half that starts a command */

/* A command in guest memory, big-endian. */
struct command {
	uint32_t control;
	uint32_t len;
	uint64_t gpa;
};
_Static_assert(sizeof(struct command) == 16, "[FWCFG] FWCfgDmaAccess");

static const char signature[4] = {'Q', 'E', 'M', 'U'};
static const uint8_t dma_signature[DMA_PORTS] = {'Q', 'E', 'M', 'U', ' ', 'C', 'F', 'G'};

static uint32_t n_files(const struct fw_cfg *f)
{
	return __builtin_bswap32(f->dir.count);
}

/* What a key stands for; unknown ones are items of no length. */
static struct fw_cfg_item find(const struct fw_cfg *f, uint16_t key)
{
	uint32_t file = key - (uint32_t)FW_CFG_FILE_FIRST;

	if (key >= FW_CFG_FILE_FIRST && file < n_files(f)) {
		return (struct fw_cfg_item){
		        .data = f->file_data[file],
		        .len = __builtin_bswap32(f->dir.files[file].size),
		        .key = key,
		};
	}
	for (uint32_t i = 0; i < f->n_items; i++) {
		if (f->items[i].key == key) {
			return f->items[i];
		}
	}
	return (struct fw_cfg_item){.key = key};
}

static void select_locked(struct fw_cfg *f, uint32_t key)
{
	f->s.key = (uint16_t)(key & ~KEY_WRITE);
	f->s.offset = 0;
}

/* Bytes of the selected item from here on, at most n. */
static uint32_t rest_locked(const struct fw_cfg *f, uint32_t n)
{
	uint32_t rest = find(f, f->s.key).len - f->s.offset;

	return n < rest ? n : rest;
}

/* --- selector and data port --- */

static uint64_t select_read(void *dev, uint64_t offset, unsigned width)
{
	struct fw_cfg *f = dev;
	uint64_t value = 0; /* beyond the item's end */

	if (offset != 1 || width != 1) {
		return ~0ULL; /* the selector is write-only */
	}
	spin_lock(&f->lock);
	if (rest_locked(f, 1)) {
		value = ((const uint8_t *)find(f, f->s.key).data)[f->s.offset++];
	}
	spin_unlock(&f->lock);
	return value;
}

/* The data port ignores writes. */
static void select_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct fw_cfg *f = dev;

	if (offset != 0 || width != 2) {
		return;
	}
	spin_lock(&f->lock);
	select_locked(f, (uint32_t)value);
	spin_unlock(&f->lock);
}

static const struct io_ops select_ops = {
        .name = "fw_cfg",
        .read = select_read,
        .write = select_write,
};

/* --- commands --- */

static void set_control(struct fw_cfg *f, uint64_t command_gpa, uint32_t control)
{
	control = __builtin_bswap32(control);
	if (gmem_write(&f->vm->mem, gpa(command_gpa), &control, sizeof(control))) {
		vm_log(f->vm, LOG_WARN, "fw_cfg: no answer to the command at %#llx",
		        (unsigned long long)command_gpa);
	}
}

/* At most budget bytes of the transfer; its owner only. -EFAULT when the guest's memory ends. */
static int copy_some(struct fw_cfg *f, uint32_t budget)
{
	struct fw_cfg_item item = find(f, f->s.dma.key);
	int err = 0;

	while (!err && budget && f->s.dma.left) {
		uint32_t rest = item.len - f->s.dma.offset;
		uint32_t n = f->s.dma.left < budget ? f->s.dma.left : budget;

		if (rest) {
			n = n < rest ? n : rest;
			err = gmem_write(&f->vm->mem, gpa(f->s.dma.to_gpa),
			        (const uint8_t *)item.data + f->s.dma.offset, n);
			f->s.dma.offset += n;
		} else {
			err = gmem_fill(&f->vm->mem, gpa(f->s.dma.to_gpa), 0, n);
		}
		f->s.dma.to_gpa += n;
		f->s.dma.left -= n;
		budget -= n;
	}
	return err;
}

/* Carry the transfer on; its owner only, no lock held. */
static void run_transfer(struct fw_cfg *f, uint32_t budget)
{
	uint64_t command_gpa = f->s.dma.command_gpa;
	int err = copy_some(f, budget);

	if (!err && f->s.dma.left) {
		vm_timer_arm(&f->timer, vm_clock_now(f->vm) + FW_CFG_DMA_STEP_NS);
		return;
	}
	/* Free before the guest hears of it: it may start the next one at once. */
	spin_lock(&f->lock);
	f->s.busy = false;
	spin_unlock(&f->lock);
	set_control(f, command_gpa, err ? CONTROL_ERROR : 0);
}

static void next_step(void *arg)
{
	struct fw_cfg *f = arg;
	bool busy;

	spin_lock(&f->lock);
	busy = f->s.busy;
	spin_unlock(&f->lock);
	if (busy) {
		run_transfer(f, FW_CFG_DMA_STEP);
	}
}

/* Carry out a command, or make a transfer of it (busy). Returns the control word's answer. */
static uint32_t execute_locked(struct fw_cfg *f, uint64_t command_gpa, const struct command *c)
{
	if (c->control & CONTROL_SELECT) {
		select_locked(f, c->control >> CONTROL_KEY_SHIFT);
	}
	if (c->control & CONTROL_READ) {
		if (!gmem_is_ram(&f->vm->mem, gpa(c->gpa), c->len)) {
			return CONTROL_ERROR;
		}
		f->s.busy = true;
		f->s.dma.command_gpa = command_gpa;
		f->s.dma.to_gpa = c->gpa;
		f->s.dma.left = c->len;
		f->s.dma.offset = f->s.offset;
		f->s.dma.key = f->s.key;
		f->s.offset += rest_locked(f, c->len);
	} else if (c->control & CONTROL_WRITE) {
		return CONTROL_ERROR; /* every item is read-only */
	} else if (c->control & CONTROL_SKIP) {
		f->s.offset += rest_locked(f, c->len);
	}
	return 0;
}

static void start_command(struct fw_cfg *f, uint64_t command_gpa)
{
	uint32_t answer = CONTROL_ERROR;
	bool transfer = false;
	struct command c;

	if (gmem_read(&f->vm->mem, gpa(command_gpa), &c, sizeof(c))) {
		vm_log(f->vm, LOG_WARN, "fw_cfg: no memory at %#llx for a command",
		        (unsigned long long)command_gpa);
		return;
	}
	c.control = __builtin_bswap32(c.control);
	c.len = __builtin_bswap32(c.len);
	c.gpa = __builtin_bswap64(c.gpa);
	spin_lock(&f->lock);
	/* One at a time: whoever does not wait for the first gets an error for the second. */
	if (!f->s.busy) {
		answer = execute_locked(f, command_gpa, &c);
		transfer = f->s.busy;
	}
	spin_unlock(&f->lock);
	if (transfer) {
		run_transfer(f, FW_CFG_DMA_NOW);
	} else {
		set_control(f, command_gpa, answer);
	}
}

static uint64_t address_read(void *dev, uint64_t offset, unsigned width)
{
	uint64_t value = 0;

	(void)dev;
	for (unsigned i = 0; i < width; i++) {
		value |= (uint64_t)dma_signature[(offset + i) % DMA_PORTS] << (8 * i);
	}
	return value;
}

/* Big-endian: what the guest sees as the first byte is the highest. */
static void address_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct fw_cfg *f = dev;
	uint32_t half = __builtin_bswap32((uint32_t)value);
	uint64_t command_gpa;

	if (width != 4 || (offset != 0 && offset != DMA_LOW)) {
		return;
	}
	spin_lock(&f->lock);
	command_gpa = (uint64_t)f->s.dma_high << 32 | half;
	f->s.dma_high = offset == 0 ? half : 0; /* 0 after an operation */
	spin_unlock(&f->lock);
	if (offset == DMA_LOW) {
		start_command(f, command_gpa);
	}
}

static const struct io_ops address_ops = {
        .name = "fw_cfg DMA",
        .read = address_read,
        .write = address_write,
};

/* --- what there is --- */

static void add_item(struct fw_cfg *f, enum fw_cfg_key key, const void *data, size_t len)
{
	f->items[f->n_items++] =
	        (struct fw_cfg_item){.key = (uint16_t)key, .data = data, .len = (uint32_t)len};
}

/* The directory's length follows from its files; it is item 0. */
static void set_dir_len(struct fw_cfg *f)
{
	f->items[0].len = (uint32_t)(offsetof(struct fw_cfg_dir, files) +
	                             n_files(f) * sizeof(f->dir.files[0]));
}

int fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, uint32_t len)
{
	size_t name_len = strnlen(name, FW_CFG_NAME_LEN);
	uint32_t n = n_files(f), at = n;

	if (name_len == 0 || name_len == FW_CFG_NAME_LEN) {
		return -EINVAL;
	}
	while (at > 0 && strcmp(name, f->dir.files[at - 1].name) < 0) {
		at--;
	}
	if (at > 0 && strcmp(name, f->dir.files[at - 1].name) == 0) {
		return -EEXIST;
	}
	if (n == FW_CFG_FILES) {
		return -ENOSPC;
	}
	for (uint32_t i = n; i > at; i--) {
		f->dir.files[i] = f->dir.files[i - 1];
		f->file_data[i] = f->file_data[i - 1];
	}
	f->dir.files[at] = (struct fw_cfg_dir_entry){.size = __builtin_bswap32(len)};
	memcpy(f->dir.files[at].name, name, name_len);
	f->file_data[at] = data;
	for (uint32_t i = at; i <= n; i++) {
		f->dir.files[i].select = __builtin_bswap16((uint16_t)(FW_CFG_FILE_FIRST + i));
	}
	f->dir.count = __builtin_bswap32(n + 1);
	set_dir_len(f);
	return 0;
}

/*
 * There is no KERNEL_SIZE (it reads 0): the kernel of a VM without firmware is in memory already.
 */
static int add_all(struct fw_cfg *f)
{
	const struct vm *vm = f->vm;
	struct fw_cfg_values *v = &f->values;

	*v = (struct fw_cfg_values){
	        .ram_size = vm->mem.size,
	        .id = ID_TRADITIONAL | ID_DMA,
	        .cmdline_size = (uint32_t)strnlen(vm->config->cmdline, MAX_CMDLINE_LEN - 1) + 1,
	        .cpus = (uint16_t)vm->n_vcpus,
	        .irq0_override = 1, /* ISA interrupt 0 is not GSI 0 */
	};
	v->e820.count = guest_e820(vm, v->e820.entries, ARRAY_SIZE(v->e820.entries));
	add_item(f, FW_CFG_SIGNATURE, signature, sizeof(signature));
	add_item(f, FW_CFG_ID, &v->id, sizeof(v->id));
	add_item(f, FW_CFG_RAM_SIZE, &v->ram_size, sizeof(v->ram_size));
	add_item(f, FW_CFG_NB_CPUS, &v->cpus, sizeof(v->cpus));
	add_item(f, FW_CFG_MAX_CPUS, &v->cpus, sizeof(v->cpus));
	add_item(f, FW_CFG_CMDLINE_SIZE, &v->cmdline_size, sizeof(v->cmdline_size));
	add_item(f, FW_CFG_CMDLINE_DATA, vm->config->cmdline, v->cmdline_size);
	add_item(f, FW_CFG_IRQ0_OVERRIDE, &v->irq0_override, sizeof(v->irq0_override));
	add_item(f, FW_CFG_E820_TABLE, &v->e820,
	        sizeof(v->e820.count) + v->e820.count * sizeof(v->e820.entries[0]));
	return fw_cfg_add_file(f, "etc/e820", v->e820.entries,
	        (uint32_t)(v->e820.count * sizeof(v->e820.entries[0])));
}

/* --- the device's life --- */

static const struct fw_cfg_state power_on = {.version = FW_CFG_STATE_VERSION};

void fw_cfg_init(struct fw_cfg *f)
{
	memset(f, 0, sizeof(*f));
	f->s = power_on;
	add_item(f, FW_CFG_FILE_DIR, &f->dir, 0);
	set_dir_len(f);
}

int fw_cfg_attach(struct fw_cfg *f, struct vm *vm, uint16_t port)
{
	int err;

	f->vm = vm;
	vm_timer_init(&f->timer, vm, next_step, f);
	f->select = (struct io_range){
	        .base = port, .len = 2, .ops = &select_ops, .dev = f, .kind = IO_FIXED};
	f->address = (struct io_range){.base = (uint64_t)port + DMA_PORT,
	        .len = DMA_PORTS,
	        .ops = &address_ops,
	        .dev = f,
	        .kind = IO_FIXED};
	err = add_all(f);
	if (err) {
		return err;
	}
	err = io_bus_add(&vm->pio, &f->select);
	if (err) {
		return err;
	}
	err = io_bus_add(&vm->pio, &f->address);
	if (err) {
		io_bus_remove(&vm->pio, &f->select);
	}
	return err;
}

void fw_cfg_quiesce(struct fw_cfg *f)
{
	vm_timer_cancel(&f->timer);
}

/* A transfer that was in progress is forgotten: its memory is another life's. */
void fw_cfg_reset(struct fw_cfg *f)
{
	spin_lock(&f->lock);
	f->s = power_on;
	spin_unlock(&f->lock);
}

void fw_cfg_dump(const struct fw_cfg *f, struct out *out)
{
	out_print(out, "key %04x offset %u, %u files%s\n", f->s.key, f->s.offset, n_files(f),
	        f->s.busy ? ", transfer in progress" : "");
}
