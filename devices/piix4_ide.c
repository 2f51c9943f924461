// SPDX-License-Identifier: BSD-2-Clause
// PIIX4 function 1: configuration space of the IDE controller, and who answers at its ports.
// Specs: [PIIX4] "IDE Controller Register Descriptions (PCI Function 1)", "IDE Controller Bus
// Master IDE I/O Registers"; [PCIIDE] "Programming Interface".
#include "devices/piix4_ide.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

enum ide_config_reg {
	CFG_BMIBA = 0x20,
	CFG_IDETIM = 0x40, /* two, one a channel */
	CFG_SIDETIM = 0x44,
	CFG_UDMACTL = 0x48,
	CFG_UDMATIM = 0x4a,
};

#define BM_BAR 4U
#define BM_PORTS (PIIX4_IDE_CHANNELS * IDE_BM_PORTS)
#define BMIBA_MASK 0xfff0U
#define IDETIM_DECODE 0x8000U

static const struct pci_ids ide_ids = {
        .vendor = 0x8086,
        .device = 0x7111,
        .class_base = 0x01,
        .class_sub = 0x01,
        .class_prog = 0x80, /* bus master; both channels at their PC addresses for good */
        .revision = 0x01,
        .command = PCI_COMMAND_IO | PCI_COMMAND_MASTER,
        .command_mask = PCI_COMMAND_IO | PCI_COMMAND_MASTER,
        .status = PCI_STATUS_DEVSEL_MEDIUM | PCI_STATUS_FAST_B2B,
};

/* --- bus-master registers: eight ports a channel --- */

static uint64_t bm_read(void *dev, uint64_t offset, unsigned width)
{
	struct piix4_ide *ide = dev;
	struct ide_channel *ch = &ide->channels[offset / IDE_BM_PORTS];
	uint64_t value;

	if (offset % IDE_BM_PORTS + width > IDE_BM_PORTS) {
		return ~0ULL; /* nobody reads two channels at once */
	}
	spin_lock(&ch->lock);
	value = ide_bm_read_locked(ch, (unsigned)(offset % IDE_BM_PORTS), width);
	spin_unlock(&ch->lock);
	return value;
}

static void bm_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct piix4_ide *ide = dev;
	struct ide_channel *ch = &ide->channels[offset / IDE_BM_PORTS];

	if (offset % IDE_BM_PORTS + width > IDE_BM_PORTS) {
		return;
	}
	spin_lock(&ch->lock);
	if (ide_bm_write_locked(ch, (unsigned)(offset % IDE_BM_PORTS), width, (uint32_t)value)) {
		ide_pump_locked(ch);
	}
	spin_unlock(&ch->lock);
}

static const struct io_ops bm_ops = {
        .name = "ide bus master",
        .read = bm_read,
        .write = bm_write,
};

/* --- configuration space --- */

/* The command register or a channel's decode bit may have changed. The bus lock orders these. */
static void config_written(void *dev, const struct pci_func *f, unsigned offset, unsigned len)
{
	struct piix4_ide *ide = dev;
	uint32_t command = pci_func_get(f, PCI_COMMAND, 2);

	(void)offset;
	(void)len;
	for (unsigned i = 0; i < PIIX4_IDE_CHANNELS; i++) {
		bool decode = pci_func_get(f, CFG_IDETIM + 2 * i, 2) & IDETIM_DECODE;

		ide_channel_decode(&ide->channels[i], decode && (command & PCI_COMMAND_IO),
		        command & PCI_COMMAND_MASTER);
	}
}

void piix4_ide_init(struct piix4_ide *ide)
{
	static const char *const names[PIIX4_IDE_CHANNELS] = {"primary", "secondary"};
	struct pci_func *f = &ide->func;

	ide->n_drives = 0;
	for (unsigned i = 0; i < PIIX4_IDE_CHANNELS; i++) {
		ide_channel_init(&ide->channels[i], names[i]);
	}
	pci_func_init(f, &ide_ids);
	/* Timing is storage, decoding is not. Firmware leaves both channels on. */
	pci_func_reg(f, CFG_IDETIM, 2, IDETIM_DECODE, 0xf3ff);
	pci_func_reg(f, CFG_IDETIM + 2, 2, IDETIM_DECODE, 0xf3ff);
	pci_func_reg(f, CFG_SIDETIM, 1, 0, 0xff);
	pci_func_reg(f, CFG_UDMACTL, 1, 0, 0x0f);
	pci_func_reg(f, CFG_UDMATIM, 2, 0, 0x3333);
	f->written = config_written;
	f->dev = ide;
}

void piix4_ide_place(struct piix4_ide *ide, hpa_t self)
{
	for (unsigned i = 0; i < PIIX4_IDE_CHANNELS; i++) {
		struct ide_channel *ch = &ide->channels[i];

		ch->buf_hpa = hpa_add(self, (uint64_t)(ch->s.buf - (uint8_t *)ide));
	}
}

int piix4_ide_add(struct piix4_ide *ide, struct blk *blk)
{
	uint32_t n = ide->n_drives;
	int err;

	if (n == PIIX4_IDE_MAX_DRIVES) {
		return -ENOSPC;
	}
	err = ide_channel_add(&ide->channels[n / IDE_DRIVES], n % IDE_DRIVES, blk);
	if (!err) {
		ide->n_drives++;
	}
	return err;
}

int piix4_ide_attach(struct piix4_ide *ide, struct vm *vm, struct pci_bus *bus, unsigned slot,
        const struct piix4_ide_map *map)
{
	unsigned n;
	int err = 0;

	BUG_ON(map->bm & ~BMIBA_MASK);
	pci_func_bar(&ide->func, BM_BAR, PCI_BAR_IO, BM_PORTS, &bm_ops, ide);
	/* Ports have 16 address bits here, and firmware gave these ones away. */
	pci_func_reg(&ide->func, CFG_BMIBA, 4, map->bm | 1U, BMIBA_MASK);
	for (n = 0; n < PIIX4_IDE_CHANNELS && !err; n++) {
		err = ide_channel_attach(&ide->channels[n], vm, map->channels[n].command,
		        map->channels[n].control, map->channels[n].gsi);
	}
	if (err) {
		n--; /* that one undid itself */
	} else {
		err = pci_func_attach(&ide->func, bus, slot, 1);
	}
	while (err && n-- > 0) {
		ide_channel_detach(&ide->channels[n]);
	}
	return err;
}

void piix4_ide_reset(struct piix4_ide *ide)
{
	for (unsigned i = 0; i < PIIX4_IDE_CHANNELS; i++) {
		ide_channel_reset(&ide->channels[i]);
	}
}

void piix4_ide_quiesce(struct piix4_ide *ide)
{
	for (unsigned i = 0; i < PIIX4_IDE_CHANNELS; i++) {
		ide_channel_quiesce(&ide->channels[i]);
	}
}

void piix4_ide_dump(const struct piix4_ide *ide, struct out *out)
{
	static const char *const what[] = {
	        [IDE_NONE] = "-", [IDE_DISK] = "disk", [IDE_CDROM] = "CD-ROM"};
	const struct ide_channel *ch = ide->channels;

	out_print(out, "primary %s %s, secondary %s %s\n", what[ch[0].drives[0].kind],
	        what[ch[0].drives[1].kind], what[ch[1].drives[0].kind], what[ch[1].drives[1].kind]);
	for (unsigned i = 0; i < PIIX4_IDE_CHANNELS; i++) {
		ide_channel_dump(&ch[i], out);
	}
}
