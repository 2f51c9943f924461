// SPDX-License-Identifier: BSD-2-Clause
// The machine as an operator sees it: a tree of devices, where each is, how it is.
// Specs: docs/hardware.md.
#include "devices/platform.h"
#include "devices/platform_map.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"

#define NO_GSI 0xffU
#define PLACE_LEN 160U

/* One device, by the name the operator gives. */
struct device_row {
	const char *name;
	const char *what;
	uint8_t depth;  /* in the tree; a device stands under the last one that is less deep */
	uint8_t gsi[2]; /* lines it drives; NO_GSI = none */
	size_t offset,
	        size; /* in struct platform: ranges of the buses that lie there are its own */
	void (*dump)(const struct platform *p, struct out *out); /* NULL = nothing to tell */
	/* For one that not every machine has: where it is, NULL = absent. */
	const void *(*find)(const struct platform *p);
};

#define DUMP(type, member) \
	static void dump_##member(const struct platform *p, struct out *out) \
	{ \
		type##_dump(&p->member, out); \
	}

DUMP(pic8259, pic)
DUMP(ioapic, ioapic)
DUMP(pit8254, pit)
DUMP(rtc_cmos, rtc)
DUMP(uart16550, com1)
DUMP(uart16550, com2)
DUMP(i8042, kbc)
DUMP(reset_ports, reset_ports)
DUMP(debugcon, debugcon)
DUMP(pci_bus, pci)
DUMP(pci_host, host)
DUMP(piix4_ide, ide)
DUMP(piix4_pm, pm)
DUMP(fw_cfg, fw_cfg)

static void dump_testdev(const struct platform *p, struct out *out)
{
	testdev_dump(p->testdev, out);
}

static const void *find_testdev(const struct platform *p)
{
	return p->testdev;
}

static const void *find_debugcon(const struct platform *p)
{
	return p->testdev ? NULL : &p->debugcon;
}

#define AT(member) \
	.offset = offsetof(struct platform, member), .size = sizeof(((struct platform *)0)->member)

static const struct device_row rows[] = {
        {"ioapic", "I/O APIC", 0, {NO_GSI, NO_GSI}, AT(ioapic), dump_ioapic},
        {"pci", "PCI bus 0", 0, {NO_GSI, NO_GSI}, AT(pci), dump_pci},
        {"host", "00:00.0 host bridge", 1, {NO_GSI, NO_GSI}, AT(host), dump_host},
        {"isa", "00:07.0 PIIX4 ISA bridge", 1, {NO_GSI, NO_GSI}, AT(isa), NULL},
        {"pic", "two 8259 interrupt controllers", 2, {NO_GSI, NO_GSI}, AT(pic), dump_pic},
        {"pit", "8254 timer, speaker port", 2, {PLAT_GSI_PIT, NO_GSI}, AT(pit), dump_pit},
        {"rtc", "MC146818 clock and CMOS", 2, {PLAT_GSI_RTC, NO_GSI}, AT(rtc), dump_rtc},
        {"com1", "16550 serial port", 2, {PLAT_GSI_COM1, NO_GSI}, AT(com1), dump_com1},
        {"com2", "16550 serial port", 2, {PLAT_GSI_COM2, NO_GSI}, AT(com2), dump_com2},
        {"i8042", "keyboard controller", 2, {PLAT_GSI_KBD, PLAT_GSI_MOUSE}, AT(kbc), dump_kbc},
        {"reset", "port 92, reset control at cf9", 2, {NO_GSI, NO_GSI}, AT(reset_ports),
                dump_reset_ports},
        {"debugcon", "debug port", 2, {NO_GSI, NO_GSI}, AT(debugcon), dump_debugcon, find_debugcon},
        {"testdev", "devices for test kernels", 2, {NO_GSI, NO_GSI}, 0, sizeof(struct testdev),
                dump_testdev, find_testdev},
        {"fwcfg", "firmware configuration", 2, {NO_GSI, NO_GSI}, AT(fw_cfg), dump_fw_cfg},
        {"post", "POST code and DMA pages: nothing behind", 2, {NO_GSI, NO_GSI}, AT(post), NULL},
        {"iodelay", "delay port: nothing behind", 2, {NO_GSI, NO_GSI}, AT(iodelay), NULL},
        {"ide", "00:07.1 PIIX4 IDE controller", 1, {PLAT_GSI_IDE1, PLAT_GSI_IDE2}, AT(ide),
                dump_ide},
        {"pm", "00:07.3 PIIX4 ACPI", 1, {PLAT_GSI_SCI, NO_GSI}, AT(pm), dump_pm},
};

static const void *find(const struct platform *p, const struct device_row *row)
{
	return row->find ? row->find(p) : (const uint8_t *)p + row->offset;
}

/* The ranges of a bus that are embedded in the device. */
static size_t add_ranges(char *text, size_t used, struct io_bus *bus, const char *what,
        const uint8_t *device, size_t size)
{
	const char *sep = what;

	spin_lock(&bus->lock);
	for (unsigned i = 0; i < bus->n_ranges && used < PLACE_LEN; i++) {
		const struct io_range *r = bus->ranges[i];
		uint64_t last = r->base + r->len - 1;

		if ((uintptr_t)r - (uintptr_t)device >= size) {
			continue;
		}
		used += fmt_print(
		        text + used, PLACE_LEN - used, "%s%llx", sep, (unsigned long long)r->base);
		if (used < PLACE_LEN && last != r->base) {
			used += fmt_print(
			        text + used, PLACE_LEN - used, "-%llx", (unsigned long long)last);
		}
		if (used < PLACE_LEN && r->kind == IO_MOVABLE && !r->enabled) {
			used += fmt_print(text + used, PLACE_LEN - used, " (off)");
		}
		sep = " ";
	}
	spin_unlock(&bus->lock);
	return used;
}

/* One line: name, what it is, ports, addresses, lines. */
static void print_place(
        struct vm *vm, const struct device_row *row, unsigned indent, struct out *out)
{
	const uint8_t *device = find(vm->platform, row);
	char text[PLACE_LEN] = "";
	size_t used = 0;

	used = add_ranges(text, used, &vm->pio, "; ports ", device, row->size);
	if (used < PLACE_LEN) {
		used = add_ranges(text, used, &vm->mmio, "; memory ", device, row->size);
	}
	for (unsigned i = 0; i < 2 && used < PLACE_LEN; i++) {
		if (row->gsi[i] != NO_GSI) {
			used += fmt_print(text + used, PLACE_LEN - used, "%s%u",
			        i == 0 ? "; line " : " ", row->gsi[i]);
		}
	}
	out_print(out, "%*s%-*s %s%s\n", (int)indent, "", (int)(14 - indent), row->name, row->what,
	        text);
}

/* Lets the first line through, indented: the device in short. */
struct first_line {
	struct out out;
	struct out *to;
	unsigned indent;
	bool done;
};

static void first_line_write(struct out *out, const char *text, size_t n)
{
	struct first_line *f = container_of(out, struct first_line, out);

	if (!f->done) {
		out_print(f->to, "%*s%.*s", (int)f->indent, "", (int)n, text);
		f->done = true;
	}
}

static void print_tree(struct vm *vm, struct out *out)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct device_row *row = &rows[i];
		struct first_line f = {.out = {.write = first_line_write}, .to = out, .indent = 15};

		if (!find(vm->platform, row)) {
			continue;
		}
		print_place(vm, row, row->depth * 2U, out);
		if (row->dump) {
			row->dump(vm->platform, &f.out);
		}
	}
}

bool platform_dump(struct vm *vm, const char *name, struct out *out)
{
	if (!name) {
		print_tree(vm, out);
		return true;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		if (strcmp(rows[i].name, name) == 0 && find(vm->platform, &rows[i])) {
			print_place(vm, &rows[i], 0, out);
			if (rows[i].dump) {
				rows[i].dump(vm->platform, out);
			}
			return true;
		}
	}
	return false;
}
