// SPDX-License-Identifier: BSD-2-Clause
// Which device is where: ports, addresses and interrupt lines of the generation 1 machine.
// Specs: docs/hardware.md; [PIIX4] "Register Address Space"; [MPS] "Default Configurations".
#include "devices/platform.h"
#include "devices/acpi_build.h"
#include "devices/platform_map.h"
#include "devices/smbios.h"
#include "vmm/guest_load.h"
#include "vmm/lapic.h"
#include "vmm/lib/err.h"
#include "vmm/lib/out.h"
#include "vmm/lib/string.h"
#include "vmm/vm_guest.h"

/* The DSDT was compiled with these numbers. */
_Static_assert(PLAT_GSI_PIT == IRQ_GSI_PIT && PLAT_GSI_SCI == IRQ_GSI_SCI, "interrupt lines");
_Static_assert(PLAT_IOAPIC_BASE == IOAPIC_DEFAULT_BASE, "the PC's IOAPIC address");
_Static_assert(PLAT_LAPIC_BASE == LAPIC_DEFAULT_BASE, "the PC's local APIC address");
_Static_assert(PLAT_PCI_WINDOW >= GMEM_LOW_MAX, "PCI memory begins above RAM");
_Static_assert(PLAT_SLP_TYP_S5 == PM_SLP_TYP_S5, "soft-off in the DSDT and in the chip");
_Static_assert(PLAT_CENTURY == RTC_REG_CENTURY, "century in the FADT and in the chip");
_Static_assert(PLAT_RESET_CONTROL == PLAT_PCI_CONFIG + 1, "the PCI host forwards it");

#define IOAPIC_ID 0U
/* Hard reset by a rising RCPU. */
#define RESET_CONTROL_VALUE 0x06U

/* The area that operating systems search is shared: ACPI in its first half, SMBIOS in the second.
 */
#define SMBIOS_AREA 0xf0000ULL
_Static_assert(GUEST_TABLES_BASE == 0xe0000 && GUEST_TABLES_END == 0x100000, "search areas");

/* Reads ones, ignores writes, and is not an access to nothing. */
static const struct io_ops void_ops = {.name = "void"};

/* [MC146818] memory as PC firmware uses it: sizes that old software asks for. */
enum cmos_byte {
	CMOS_EQUIPMENT = 0x14,
	CMOS_BASE_KIB = 0x15,
	CMOS_EXT_KIB = 0x17,
	CMOS_SUM = 0x2e,
	CMOS_EXT2_KIB = 0x30,
	CMOS_ABOVE_16M = 0x34, /* in 64 KiB */
	CMOS_ABOVE_4G = 0x5b,  /* in 64 KiB, three bytes */
	CMOS_CPUS = 0x5f,      /* less one */
};
#define CMOS_EQUIPMENT_FPU 0x02U
#define CMOS_SUM_FIRST 0x10U
#define CMOS_SUM_LAST 0x2dU

static void cmos_set_le(struct rtc_cmos *rtc, unsigned index, unsigned n, uint64_t value)
{
	for (unsigned i = 0; i < n; i++) {
		rtc_cmos_set_byte(rtc, index + i, (uint8_t)(value >> (8 * i)));
	}
}

static uint64_t at_most(uint64_t value, uint64_t max)
{
	return value < max ? value : max;
}

static void cmos_fill(struct platform *p)
{
	uint64_t size = p->vm->mem.size;
	uint64_t low = at_most(size, GMEM_LOW_MAX);
	uint64_t ext = low > (1U << 20) ? at_most((low >> 10) - 1024, 0xffff) : 0;
	uint64_t above_16m = low > (16U << 20) ? at_most((low >> 16) - 256, 0xffff) : 0;
	/* The sum covers 0x10-0x2d, where all but these is 0. */
	uint64_t sum = CMOS_EQUIPMENT_FPU + (640 & 0xff) + (640 >> 8) + (ext & 0xff) + (ext >> 8);

	for (unsigned i = CMOS_SUM_FIRST; i <= CMOS_SUM_LAST; i++) {
		rtc_cmos_set_byte(&p->rtc, i, 0);
	}
	rtc_cmos_set_byte(&p->rtc, CMOS_EQUIPMENT, CMOS_EQUIPMENT_FPU);
	cmos_set_le(&p->rtc, CMOS_BASE_KIB, 2, 640);
	cmos_set_le(&p->rtc, CMOS_EXT_KIB, 2, ext);
	cmos_set_le(&p->rtc, CMOS_EXT2_KIB, 2, ext);
	cmos_set_le(&p->rtc, CMOS_ABOVE_16M, 2, above_16m);
	cmos_set_le(&p->rtc, CMOS_ABOVE_4G, 3, at_most((size - low) >> 16, 0xffffff));
	rtc_cmos_set_byte(&p->rtc, CMOS_CPUS, (uint8_t)(p->vm->n_vcpus - 1));
	/* This one is big-endian. */
	rtc_cmos_set_byte(&p->rtc, CMOS_SUM, (uint8_t)(sum >> 8));
	rtc_cmos_set_byte(&p->rtc, CMOS_SUM + 1, (uint8_t)sum);
}

/* What firmware would leave behind for the operating system. */
static int write_tables(struct vm *vm)
{
	struct platform *p = vm->platform;
	struct acpi_info acpi = {
	        .n_vcpus = vm->n_vcpus,
	        .lapic_base = PLAT_LAPIC_BASE,
	        .ioapic_base = PLAT_IOAPIC_BASE,
	        .ioapic_id = IOAPIC_ID,
	        .sci_gsi = PLAT_GSI_SCI,
	        .pit_gsi = PLAT_GSI_PIT,
	        .century = PLAT_CENTURY,
	        .pm_base = PLAT_PM_BASE,
	        .smi_port = PLAT_SMI_CMD,
	        .acpi_enable = PM_SMI_ACPI_ENABLE,
	        .acpi_disable = PM_SMI_ACPI_DISABLE,
	        .reset_port = PLAT_RESET_CONTROL,
	        .reset_value = RESET_CONTROL_VALUE,
	        .vmbus = vm->bus_ops != NULL,
	};
	struct smbios_info smbios = {
	        .strings = vm->config->smbios,
	        .vm_name = vm->config->name,
	        .n_vcpus = vm->n_vcpus,
	        .mem_size = vm->mem.size,
	};
	int err;

	cmos_fill(p);
	err = acpi_build(&vm->mem, gpa(GUEST_TABLES_BASE), SMBIOS_AREA - GUEST_TABLES_BASE, &acpi);
	if (err) {
		return err;
	}
	return smbios_build(&vm->mem, gpa(SMBIOS_AREA), GUEST_TABLES_END - SMBIOS_AREA, &smbios);
}

static void quiesce(struct vm *vm)
{
	struct platform *p = vm->platform;

	pit8254_quiesce(&p->pit);
	rtc_cmos_quiesce(&p->rtc);
	uart16550_quiesce(&p->com1);
	uart16550_quiesce(&p->com2);
	piix4_ide_quiesce(&p->ide);
	piix4_pm_quiesce(&p->pm);
	fw_cfg_quiesce(&p->fw_cfg);
}

static void reset(struct vm *vm)
{
	struct platform *p = vm->platform;

	/* Interrupt controllers first: a device that drops its line finds nobody listening. */
	irq_router_reset(&vm->irq);
	pic8259_reset(&p->pic);
	ioapic_reset(&p->ioapic);
	pit8254_reset(&p->pit);
	rtc_cmos_reset(&p->rtc);
	uart16550_reset(&p->com1);
	uart16550_reset(&p->com2);
	i8042_reset(&p->kbc);
	reset_ports_reset(&p->reset_ports);
	debugcon_reset(&p->debugcon);
	pci_host_reset(&p->host);
	pci_bus_reset(&p->pci);
	piix4_ide_reset(&p->ide);
	piix4_pm_reset(&p->pm);
	fw_cfg_reset(&p->fw_cfg);
	if (p->testdev) {
		testdev_reset(p->testdev);
	}
}

static void power_button(struct vm *vm)
{
	struct platform *p = vm->platform;

	piix4_pm_power_button(&p->pm);
}

static int key(struct vm *vm, const struct vm_key *k)
{
	struct platform *p = vm->platform;

	return i8042_type(&p->kbc, k->code, k->extended, k->down) ? 0 : -EAGAIN;
}

static void time_passed(struct vm *vm, uint64_t paused_ns)
{
	struct platform *p = vm->platform;

	rtc_cmos_time_passed(&p->rtc, paused_ns);
}

static const struct vm_platform_ops platform_ops = {
        .reset = reset,
        .quiesce = quiesce,
        .write_tables = write_tables,
        .power_button = power_button,
        .key = key,
        .time_passed = time_passed,
        .dump = platform_dump,
};

void platform_init(struct platform *p)
{
	memset(p, 0, sizeof(*p));
	pic8259_init(&p->pic);
	ioapic_init(&p->ioapic);
	pit8254_init(&p->pit);
	rtc_cmos_init(&p->rtc);
	uart16550_init(&p->com1);
	uart16550_init(&p->com2);
	i8042_init(&p->kbc);
	reset_ports_init(&p->reset_ports);
	debugcon_init(&p->debugcon);
	pci_host_init(&p->host);
	piix4_isa_init(&p->isa);
	piix4_ide_init(&p->ide);
	piix4_pm_init(&p->pm, PLAT_PM_BASE);
	fw_cfg_init(&p->fw_cfg);
	p->post =
	        (struct io_range){.base = PLAT_POST, .len = 16, .ops = &void_ops, .kind = IO_FIXED};
	p->iodelay = (struct io_range){
	        .base = PLAT_IODELAY, .len = 1, .ops = &void_ops, .kind = IO_FIXED};
}

void platform_add_testdev(struct platform *p, struct testdev *t)
{
	testdev_init(t);
	p->testdev = t;
}

static const struct testdev_map testdev_map = {
        .mem = PLAT_TESTDEV_MEM,
        .reg = PLAT_TESTDEV_REG,
        .flush = PLAT_TESTDEV_FLUSH,
        .reg_bytes = PLAT_TESTDEV_REG_BYTES,
        .lines = PLAT_TESTDEV_LINES,
        .exit = PLAT_TESTDEV_EXIT,
};

static int attach_interrupts(struct platform *p, struct vm *vm)
{
	int err = pic8259_attach(&p->pic, vm, PLAT_PIC_MASTER, PLAT_PIC_SLAVE, PLAT_PIC_ELCR);

	return err ? err : ioapic_attach(&p->ioapic, vm, PLAT_IOAPIC_BASE, IOAPIC_ID);
}

static int attach_isa(struct platform *p, struct vm *vm, struct chr *com1, uint64_t wall_seconds)
{
	int err = pit8254_attach(&p->pit, vm, PLAT_PIT, PLAT_PORT61, PLAT_GSI_PIT);

	if (!err) {
		err = rtc_cmos_attach(&p->rtc, vm, PLAT_RTC, PLAT_GSI_RTC, wall_seconds);
	}
	if (!err) {
		err = uart16550_attach(&p->com1, vm, com1, PLAT_COM1, PLAT_GSI_COM1);
	}
	if (!err) {
		err = uart16550_attach(&p->com2, vm, NULL, PLAT_COM2, PLAT_GSI_COM2);
	}
	if (!err) {
		err = i8042_attach(
		        &p->kbc, vm, PLAT_I8042_DATA, PLAT_I8042_CMD, PLAT_GSI_KBD, PLAT_GSI_MOUSE);
	}
	if (!err) {
		err = reset_ports_attach(&p->reset_ports, vm, PLAT_PORT92);
	}
	if (!err) {
		/* The same ports. */
		err = p->testdev ? testdev_attach(p->testdev, vm, &testdev_map)
		                 : debugcon_attach(&p->debugcon, vm, PLAT_DEBUGCON);
	}
	if (!err) {
		err = fw_cfg_attach(&p->fw_cfg, vm, PLAT_FW_CFG);
	}
	if (!err) {
		err = io_bus_add(&vm->pio, &p->post);
	}
	if (!err) {
		err = io_bus_add(&vm->pio, &p->iodelay);
	}
	return err;
}

static const struct piix4_ide_map ide_map = {
        .channels = {{PLAT_IDE1, PLAT_IDE1_CTL, PLAT_GSI_IDE1},
                {PLAT_IDE2, PLAT_IDE2_CTL, PLAT_GSI_IDE2}},
        .bm = PLAT_IDE_BM,
};

static int attach_pci(struct platform *p, struct vm *vm)
{
	int err;

	pci_bus_init(&p->pci, vm);
	err = pci_host_attach(
	        &p->host, vm, &p->pci, PLAT_PCI_CONFIG, &reset_control_ops, &p->reset_ports);
	if (!err) {
		err = piix4_isa_attach(&p->isa, &p->pci, PLAT_SLOT_SOUTH);
	}
	if (!err) {
		err = piix4_ide_attach(&p->ide, vm, &p->pci, PLAT_SLOT_SOUTH, &ide_map);
	}
	if (!err) {
		err = piix4_pm_attach(
		        &p->pm, vm, &p->pci, PLAT_SLOT_SOUTH, PLAT_GSI_SCI, PLAT_SMI_CMD);
	}
	return err;
}

int platform_attach(struct platform *p, struct vm *vm, struct chr *com1, uint64_t wall_seconds)
{
	int err;

	p->vm = vm;
	vm->platform = p;
	vm->platform_ops = &platform_ops;
	err = attach_interrupts(p, vm);
	if (err) {
		goto out;
	}
	err = attach_isa(p, vm, com1, wall_seconds);
	if (err) {
		goto out;
	}
	err = attach_pci(p, vm);
	if (err) {
		goto out;
	}
	return 0;
out:
	log_error("vm %s: its devices do not fit together (error %d)", vm->config->name, -err);
	/* The machine owns all of the VM's ranges and lines: empty buses undo every step. */
	io_bus_init(&vm->pio, vm->pio.limit);
	io_bus_init(&vm->mmio, vm->mmio.limit);
	irq_router_init(&vm->irq, vm);
	vm->timers = NULL;
	vm->platform = NULL;
	vm->platform_ops = NULL;
	return err;
}
