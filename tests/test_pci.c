// SPDX-License-Identifier: BSD-2-Clause
// PCI bus, host bridge and PIIX4 ISA bridge as software sees them through 0xCF8/0xCFC.
#include "devices/pci_host.h"
#include "devices/piix4_isa.h"
#include "devices/reset_ports.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/err.h"
#include <string.h>

static struct vm *vm;
static struct pci_bus bus;
static struct pci_host host;
static struct piix4_isa isa;
static struct reset_ports ports;
static struct pci_func card;
static unsigned writes_seen;
static uint64_t last_offset;

static uint64_t card_read(void *dev, uint64_t offset, unsigned width)
{
	(void)width;
	return (uint64_t)(uintptr_t)dev + offset;
}

static void card_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	(void)dev;
	(void)width;
	(void)value;
	last_offset = offset;
}

static const struct io_ops card_ops = {.name = "card", .read = card_read, .write = card_write};

static void card_written(void *dev, const struct pci_func *f, unsigned offset, unsigned len)
{
	ck_assert_ptr_eq(dev, &card);
	ck_assert_ptr_eq(f, &card);
	ck_assert_uint_le(offset + len, PCI_CONFIG_LEN);
	writes_seen++;
}

static const struct pci_ids card_ids = {
        .vendor = 0x1234,
        .device = 0x5678,
        .class_base = 0x02,
        .revision = 9,
        .int_pin = 1,
        .command_mask = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
        .status = PCI_STATUS_DEVSEL_MEDIUM,
};

static void setup(void)
{
	fake_vm_requests = 0;
	vm = fake_vm(4 << 20, 1);
	pci_bus_init(&bus, vm);
	reset_ports_init(&ports);
	ck_assert_int_eq(reset_ports_attach(&ports, vm, 0x92), 0);
	pci_host_init(&host);
	ck_assert_int_eq(pci_host_attach(&host, vm, &bus, 0xcf8, &reset_control_ops, &ports), 0);
	piix4_isa_init(&isa);
	ck_assert_int_eq(piix4_isa_attach(&isa, &bus, 7), 0);
	pci_func_init(&card, &card_ids);
	pci_func_bar(&card, 0, PCI_BAR_IO, 128, &card_ops, (void *)0x1000);
	pci_func_bar(&card, 1, PCI_BAR_MEM, 0x10000, &card_ops, (void *)0x2000);
	card.written = card_written;
	card.dev = &card;
	ck_assert_int_eq(pci_func_attach(&card, &bus, 10, 0), 0);
	writes_seen = 0;
}

static void address(unsigned bus_nr, unsigned devfn, unsigned offset)
{
	io_bus_write(&vm->pio, 0xcf8, 4, 0x80000000U | bus_nr << 16 | devfn << 8 | (offset & 0xfc));
}

static uint32_t cfg_read(unsigned devfn, unsigned offset, unsigned width)
{
	address(0, devfn, offset);
	return (uint32_t)io_bus_read(&vm->pio, 0xcfc + (offset & 3), width);
}

static void cfg_write(unsigned devfn, unsigned offset, unsigned width, uint32_t value)
{
	address(0, devfn, offset);
	io_bus_write(&vm->pio, 0xcfc + (offset & 3), width, value);
}

#define HOST PCI_DEVFN(0, 0)
#define ISA PCI_DEVFN(7, 0)
#define CARD PCI_DEVFN(10, 0)

static const struct {
	uint8_t devfn, offset, width;
	uint32_t value;
} identity[] = {
        {HOST, 0x00, 4, 0x71928086},
        {HOST, 0x08, 4, 0x06000003},
        {HOST, 0x0e, 1, 0x00},
        {HOST, 0x3d, 1, 0x00},
        {HOST, 0x72, 1, 0x02},
        {ISA, 0x00, 2, 0x8086},
        {ISA, 0x02, 2, 0x7110},
        {ISA, 0x0a, 2, 0x0601},
        {ISA, 0x0e, 1, 0x80},
        {ISA, 0x60, 4, 0x80808080},
        {CARD, 0x00, 4, 0x56781234},
        {CARD, 0x03, 1, 0x56},
        {CARD, 0x0b, 1, 0x02},
        {CARD, 0x3c, 2, 0x0100},
        {CARD, 0x2c, 4, 0},
        {PCI_DEVFN(1, 0), 0x00, 4, 0xffffffff},
        {PCI_DEVFN(7, 1), 0x00, 2, 0xffff},
        {PCI_DEVFN(31, 7), 0x0e, 1, 0xff},
};

START_TEST(functions_identify)
{
	ck_assert_uint_eq(cfg_read(identity[_i].devfn, identity[_i].offset, identity[_i].width),
	        identity[_i].value);
}
END_TEST

START_TEST(mechanism_1_probe)
{
	/* What Linux does first: a byte to 0xcfb must not disturb CONFADD. */
	io_bus_write(&vm->pio, 0xcfb, 1, 1);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xcf8, 4), 0);
	io_bus_write(&vm->pio, 0xcf8, 4, 0xffffffff);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xcf8, 4), 0x80fffffc);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xcf8, 2), 0xffff);
	/* Not enabled: the window answers nothing, and takes nothing. */
	io_bus_write(&vm->pio, 0xcf8, 4, ISA << 8 | 0x60);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xcfc, 4), 0xffffffff);
	io_bus_write(&vm->pio, 0xcfc, 4, 0);
	ck_assert_uint_eq(cfg_read(ISA, 0x60, 4), 0x80808080);
	/* There is one bus. */
	address(1, ISA, 0);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xcfc, 4), 0xffffffff);
	/* Accesses that cross the window's end or begin below it. */
	address(0, ISA, 0);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xcfe, 4), 0xffffffff);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xcff, 2), 0xffff);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xcfb, 2), 0xffff);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xcfd, 2), 0x1080);
	pci_host_reset(&host);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xcf8, 4), 0);
}
END_TEST

START_TEST(reset_control_byte_is_forwarded)
{
	io_bus_write(&vm->pio, 0xcf8, 4, 0x80000000);
	io_bus_write(&vm->pio, 0xcf9, 1, 0x02);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xcf9, 1), 0x02);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xcf8, 4), 0x80000000);
	ck_assert_uint_eq(fake_vm_requests, 0);
	io_bus_write(&vm->pio, 0xcf9, 2, 0x06);
	ck_assert_uint_eq(fake_vm_requests, 0);
	io_bus_write(&vm->pio, 0xcf9, 1, 0x06);
	ck_assert_uint_eq(fake_vm_requests, BIT(VM_REQ_RESET));
}
END_TEST

START_TEST(masks_hold)
{
	cfg_write(HOST, 0x00, 4, 0);
	ck_assert_uint_eq(cfg_read(HOST, 0x00, 4), 0x71928086);
	cfg_write(HOST, 0x04, 2, 0);
	ck_assert_uint_eq(cfg_read(HOST, 0x04, 2), 0x0006);
	cfg_write(HOST, 0x59, 1, 0xff);
	cfg_write(HOST, 0x5a, 2, 0xffff);
	ck_assert_uint_eq(cfg_read(HOST, 0x59, 1), 0x30);
	ck_assert_uint_eq(cfg_read(HOST, 0x5a, 2), 0x3333);
	cfg_write(ISA, 0x61, 1, 0x7b);
	ck_assert_uint_eq(cfg_read(ISA, 0x60, 4), 0x80800b80);
	cfg_write(CARD, 0x3c, 4, 0x1234050b);
	ck_assert_uint_eq(cfg_read(CARD, 0x3c, 4), 0x0000010b);
	/* Status is cleared by ones, and only error bits. */
	card.config[PCI_STATUS + 1] |= 0x30;
	cfg_write(CARD, 0x06, 2, 0x1000);
	ck_assert_uint_eq(cfg_read(CARD, 0x06, 2), 0x2200);
	cfg_write(CARD, 0x06, 2, 0xffff);
	ck_assert_uint_eq(cfg_read(CARD, 0x06, 2), 0x0200);
	pci_bus_reset(&bus);
	ck_assert_uint_eq(cfg_read(HOST, 0x59, 1), 0);
	ck_assert_uint_eq(cfg_read(ISA, 0x60, 4), 0x80808080);
	ck_assert_uint_eq(cfg_read(CARD, 0x3c, 1), 0);
}
END_TEST

START_TEST(bars_size_and_move)
{
	/* Off until assigned and enabled. */
	ck_assert(!io_bus_claims(&vm->pio, 0xc000, 1));
	cfg_write(CARD, 0x10, 4, 0xffffffff);
	ck_assert_uint_eq(cfg_read(CARD, 0x10, 4), 0xffffff81);
	cfg_write(CARD, 0x14, 4, 0xffffffff);
	ck_assert_uint_eq(cfg_read(CARD, 0x14, 4), 0xffff0000);
	cfg_write(CARD, 0x18, 4, 0xffffffff);
	ck_assert_uint_eq(cfg_read(CARD, 0x18, 4), 0);
	cfg_write(CARD, 0x10, 4, 0xc000);
	cfg_write(CARD, 0x14, 4, 0xe0120000);
	ck_assert(!io_bus_claims(&vm->pio, 0xc000, 1));
	cfg_write(CARD, PCI_COMMAND, 2, PCI_COMMAND_IO);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xc07f, 1), 0x7f);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xc010, 4), 0x1010);
	ck_assert(!io_bus_claims(&vm->pio, 0xc080, 1));
	ck_assert(!io_bus_claims(&vm->mmio, 0xe0120000, 4));
	cfg_write(CARD, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	ck_assert(!io_bus_claims(&vm->pio, 0xc000, 1));
	ck_assert_uint_eq(io_bus_read(&vm->mmio, 0xe0120004, 4), 0x2004);
	/* A byte of the base alone. */
	cfg_write(CARD, 0x17, 1, 0xf0);
	ck_assert(!io_bus_claims(&vm->mmio, 0xe0120000, 4));
	io_bus_write(&vm->mmio, 0xf012fffc, 4, 1);
	ck_assert_uint_eq(last_offset, 0xfffc);
	/* Base 0 is no place, beyond the ports neither. */
	cfg_write(CARD, PCI_COMMAND, 2, PCI_COMMAND_IO);
	cfg_write(CARD, 0x10, 4, 0);
	ck_assert(!io_bus_claims(&vm->pio, 0, 1));
	cfg_write(CARD, 0x10, 4, 0x1c000);
	ck_assert(!io_bus_claims(&vm->pio, 0xc000, 1));
	cfg_write(CARD, 0x10, 4, 0xd000);
	ck_assert(io_bus_claims(&vm->pio, 0xd000, 1));
	/* Fixed ranges win: the host bridge stays reachable. */
	cfg_write(CARD, 0x10, 4, 0x0c80);
	ck_assert(!io_bus_claims(&vm->pio, 0xc80, 1));
	ck_assert_uint_eq(cfg_read(HOST, 0x00, 4), 0x71928086);
	cfg_write(CARD, 0x10, 4, 0xd000);
	pci_bus_reset(&bus);
	ck_assert(!io_bus_claims(&vm->pio, 0xd000, 1));
	ck_assert_uint_eq(cfg_read(CARD, 0x10, 4), 1);
}
END_TEST

START_TEST(slots_and_room)
{
	static struct pci_func other;
	static struct io_range filler[IO_BUS_MAX_RANGES];
	uint32_t before = vm->mmio.n_ranges;
	unsigned n = 0;

	pci_func_init(&other, &card_ids);
	ck_assert_int_eq(pci_func_attach(&other, &bus, 10, 0), -EEXIST);
	/* No room for the second BAR: the first goes, too. */
	while (vm->pio.n_ranges < IO_BUS_MAX_RANGES) {
		filler[n] = (struct io_range){.base = 0x8000 + n, .len = 1, .ops = &card_ops};
		ck_assert_int_eq(io_bus_add(&vm->pio, &filler[n]), 0);
		n++;
	}
	pci_func_bar(&other, 0, PCI_BAR_MEM, 4096, &card_ops, NULL);
	pci_func_bar(&other, 1, PCI_BAR_IO, 32, &card_ops, NULL);
	ck_assert_int_eq(pci_func_attach(&other, &bus, 11, 0), -ENOSPC);
	ck_assert_uint_eq(vm->mmio.n_ranges, before);
	ck_assert_uint_eq(cfg_read(PCI_DEVFN(11, 0), 0, 4), 0xffffffff);
	io_bus_remove(&vm->pio, &filler[0]);
	ck_assert_int_eq(pci_func_attach(&other, &bus, 11, 0), 0);
	ck_assert_uint_eq(cfg_read(PCI_DEVFN(11, 0), 0, 4), 0x56781234);
	pci_func_detach(&other);
	pci_func_detach(&other);
	ck_assert_uint_eq(vm->mmio.n_ranges, before);
	ck_assert_uint_eq(cfg_read(PCI_DEVFN(11, 0), 0, 4), 0xffffffff);
}
END_TEST

START_TEST(random_programs)
{
	unsigned seed = 0x51a5 + (unsigned)_i;
	unsigned expected_writes = 0;

	for (unsigned i = 0; i < 20000; i++) {
		static const unsigned widths[] = {1, 2, 4};
		unsigned r = (unsigned)rand_r(&seed);
		unsigned width = widths[r % 3];
		uint32_t value = (uint32_t)rand_r(&seed) << 16 ^ (uint32_t)rand_r(&seed);
		unsigned devfn = r & 0x8000 ? CARD : r & 0x4000 ? ISA : HOST;
		unsigned offset = (r >> 3) & 0xff & ~(width - 1);

		if (devfn == CARD) {
			expected_writes++;
		}
		cfg_write(devfn, offset, width, value);
		(void)io_bus_read(&vm->pio, 0xcf8 + (r & 7), width);
		/* Wherever a guest puts them, ranges answer by their rules: */
		uint32_t bar = cfg_read(CARD, 0x10, 4);
		uint32_t command = cfg_read(CARD, PCI_COMMAND, 2);
		ck_assert_uint_eq(bar & 0x7f, 1);
		if ((command & PCI_COMMAND_IO) && bar > 0x2000 && bar < 0xff00) {
			ck_assert_uint_eq(io_bus_read(&vm->pio, bar - 1, 2), 0x1000);
		}
	}
	ck_assert_uint_eq(writes_seen, expected_writes);
	ck_assert_uint_eq(cfg_read(CARD, 0x00, 4), 0x56781234);
	ck_assert_uint_eq(cfg_read(ISA, 0x08, 4), 0x06010001);
	pci_bus_dump(&bus, &out_log);
	pci_host_dump(&host, &out_log);
}
END_TEST

UNIT_MAIN("pci", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, functions_identify, 0, ARRAY_SIZE(identity));
          tcase_add_test(tc, mechanism_1_probe);
          tcase_add_test(tc, reset_control_byte_is_forwarded); tcase_add_test(tc, masks_hold);
          tcase_add_test(tc, bars_size_and_move); tcase_add_test(tc, slots_and_room);
          tcase_add_loop_test(tc, random_programs, 0, 4);)
