/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU's firmware configuration device: what guest firmware and test kernels ask the machine about.
 *
 * Items are read-only blobs with a 16-bit key, files are items with a name. A guest picks one with
 * the selector port and reads it byte by byte, or has it copied by a command in its memory ("DMA").
 *
 * A command may ask for 4 GiB. The first FW_CFG_DMA_NOW bytes are copied while the vCPU waits, the
 * rest FW_CFG_DMA_STEP at a time from a timer; until then the command's control word tells that
 * the transfer is in progress, as the specification allows.
 *
 * Specs: [FWCFG] "Guest-side Hardware Interface", "Guest-side DMA Interface".
 */
#ifndef DEVICES_FW_CFG_H
#define DEVICES_FW_CFG_H

#include "devices/device.h"
#include "vmm/guest_load.h"
#include "vmm/guest_load_kinds.h"
#include "vmm/lib/out.h"

#define FW_CFG_FILES 16U
#define FW_CFG_NAME_LEN 56U /* with the terminating 0 */
#define FW_CFG_ITEMS 16U    /* those without a name */

#define FW_CFG_DMA_NOW (1U << 20)
#define FW_CFG_DMA_STEP (64U << 10)
#define FW_CFG_DMA_STEP_NS 1000000U

/* [FWCFG] "Firmware Configuration Items", and QEMU's names of the others. */
enum fw_cfg_key {
	FW_CFG_SIGNATURE = 0x00,
	FW_CFG_ID = 0x01,
	FW_CFG_RAM_SIZE = 0x03,
	FW_CFG_NB_CPUS = 0x05,
	FW_CFG_MAX_CPUS = 0x0f,
	FW_CFG_CMDLINE_SIZE = 0x14,
	FW_CFG_CMDLINE_DATA = 0x15,
	FW_CFG_FILE_DIR = 0x19,
	FW_CFG_FILE_FIRST = 0x20,
	FW_CFG_IRQ0_OVERRIDE = 0x8002,
	FW_CFG_E820_TABLE = 0x8003,
};

/* Big-endian, as all of the directory. */
struct fw_cfg_dir_entry {
	uint32_t size;
	uint16_t select;
	uint16_t reserved;
	char name[FW_CFG_NAME_LEN];
};
_Static_assert(sizeof(struct fw_cfg_dir_entry) == 64, "[FWCFG] File Directory");

struct fw_cfg_dir {
	uint32_t count;
	struct fw_cfg_dir_entry files[FW_CFG_FILES]; /* sorted by name */
};

struct fw_cfg_item {
	const void *data;
	uint32_t len;
	uint16_t key;
};

/* What the items without a name hold: little-endian. */
struct fw_cfg_values {
	uint64_t ram_size;
	uint32_t id;
	uint32_t cmdline_size;
	uint16_t cpus;
	uint8_t irq0_override;
	struct {
		uint32_t count;
		struct e820_entry entries[GUEST_E820_MAX];
	} __attribute__((packed)) e820;
};

#define FW_CFG_STATE_VERSION 1U

/* What a snapshot would keep: no pointers. */
struct fw_cfg_state {
	uint32_t version;
	uint32_t offset;   /* next byte of the selected item, at most its length */
	uint16_t key;      /* selected */
	bool busy;         /* a transfer is in progress; 'dma' belongs to whoever carries it on */
	uint32_t dma_high; /* upper half of the next command's address */
	struct {
		uint64_t command_gpa; /* whose control word hears of the end */
		uint64_t to_gpa;
		uint32_t left, offset;
		uint16_t key;
	} dma;
};

struct fw_cfg {
	struct spinlock lock;
	struct vm *vm; /* (c) */
	struct io_range select, address;
	struct vm_timer timer;
	struct fw_cfg_values values;            /* (c) after attach */
	struct fw_cfg_dir dir;                  /* (c) once the VM runs */
	uint32_t n_items;                       /* (c) */
	struct fw_cfg_item items[FW_CFG_ITEMS]; /* (c) */
	const void *file_data[FW_CFG_FILES];    /* (c) in the directory's order */
	struct fw_cfg_state s;                  /* [lock] */
};

void fw_cfg_init(struct fw_cfg *f);
/* port: the selector's; the data port is the next one, the command address is at port + 4. */
__must_check int fw_cfg_attach(struct fw_cfg *f, struct vm *vm, uint16_t port);
void fw_cfg_reset(struct fw_cfg *f);
void fw_cfg_quiesce(struct fw_cfg *f);
void fw_cfg_dump(const struct fw_cfg *f, struct out *out);

/*
 * Offer len bytes at data, which stay the caller's and must live as long as the VM, as a file.
 * Before the VM runs: keys move when a name is sorted in. -EINVAL for a name that is empty or
 * longer than 55 characters, -EEXIST when it is taken, -ENOSPC when the directory is full.
 */
__must_check int fw_cfg_add_file(
        struct fw_cfg *f, const char *name, const void *data, uint32_t len);

#endif
