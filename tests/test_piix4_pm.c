// SPDX-License-Identifier: BSD-2-Clause
// The ACPI power-management block: timer, SCI, soft-off, SMI port, a base that moves.
#include "devices/piix4_pm.h"
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lib/err.h"

#define BASE 0x400
#define HALF_NS pm_timer_ns(1ULL << 23)

static struct vm *vm;
static struct pci_bus bus;
static struct piix4_pm pm;

static void setup(void)
{
	fake_clock_set(0);
	fake_vm_requests = 0;
	vm = fake_vm(4 << 20, 1);
	pci_bus_init(&bus, vm);
	piix4_pm_init(&pm, BASE);
	ck_assert_int_eq(piix4_pm_attach(&pm, vm, &bus, 7, 9, 0xb2), 0);
}

static uint32_t in(unsigned reg, unsigned width)
{
	return (uint32_t)io_bus_read(&vm->pio, BASE + reg, width);
}

static void out(unsigned reg, unsigned width, uint32_t value)
{
	io_bus_write(&vm->pio, BASE + reg, width, value);
}

static bool sci(void)
{
	return vm->irq.lines[9].levels != 0;
}

START_TEST(ticks_are_exact)
{
	static const uint64_t ns[] = {0, 1, 279, 280, 999999999, 1000000000, 1000000001,
	        123456789012345678ULL, UINT64_MAX};
	uint64_t x = ns[_i];

	ck_assert_uint_eq(
	        pm_timer_ticks(x), (uint64_t)((unsigned __int128)x * 3579545 / 1000000000));
	/* The first ns of a tick has that tick, the one before has not. */
	uint64_t tick = pm_timer_ticks(x / 2) + 1;
	ck_assert_uint_eq(pm_timer_ticks(pm_timer_ns(tick)), tick);
	ck_assert_uint_eq(pm_timer_ticks(pm_timer_ns(tick) - 1), tick - 1);
}
END_TEST

START_TEST(timer_counts_24_bits)
{
	ck_assert_uint_eq(in(PM_TMR, 4), 0);
	fake_clock_set(1000000000);
	ck_assert_uint_eq(in(PM_TMR, 4), 3579545);
	ck_assert_uint_eq(in(PM_TMR, 2), 3579545 & 0xffff);
	ck_assert_uint_eq(in(PM_TMR + 2, 1), 3579545 >> 16);
	ck_assert_uint_eq(in(PM_TMR + 1, 2), (3579545 >> 8) & 0xffff);
	fake_clock_set(pm_timer_ns(1 << 24) - 1);
	ck_assert_uint_eq(in(PM_TMR, 4), 0xffffff);
	fake_clock_set(pm_timer_ns(1 << 24));
	ck_assert_uint_eq(in(PM_TMR, 4), 0);
	out(PM_TMR, 4, 0x1234);
	ck_assert_uint_eq(in(PM_TMR, 4), 0);
}
END_TEST

START_TEST(timer_status_follows_the_top_bit)
{
	ck_assert_uint_eq(in(PM_STS, 2), 0);
	fake_clock_set(HALF_NS - 1);
	ck_assert_uint_eq(in(PM_STS, 2), 0);
	fake_clock_set(HALF_NS);
	ck_assert_uint_eq(in(PM_STS, 2), PM_TMR_STS);
	ck_assert(!sci());
	out(PM_STS, 2, PM_TMR_STS);
	ck_assert_uint_eq(in(PM_STS, 2), 0);
	/* Two toggles between two looks are one status. */
	fake_clock_set(3 * HALF_NS + 10);
	ck_assert_uint_eq(in(PM_STS, 2), PM_TMR_STS);
	/* Nobody asked: no timer runs. */
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
}
END_TEST

START_TEST(timer_raises_the_sci)
{
	out(PM_EN, 2, PM_TMR_STS);
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
	io_bus_write(&vm->pio, 0xb2, 1, PM_SMI_ACPI_ENABLE);
	ck_assert_uint_eq(timer_next_deadline(0), HALF_NS);
	fake_clock_advance(HALF_NS - 1);
	ck_assert(!sci());
	fake_clock_advance(1);
	ck_assert(sci());
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
	out(PM_STS, 1, PM_TMR_STS);
	ck_assert(!sci());
	fake_clock_advance(HALF_NS);
	ck_assert(sci());
	out(PM_EN, 2, 0);
	ck_assert(!sci());
	out(PM_STS, 2, PM_TMR_STS);
	out(PM_EN, 2, PM_TMR_STS);
	piix4_pm_quiesce(&pm);
	ck_assert_uint_eq(timer_next_deadline(0), TIMER_NEVER);
	piix4_pm_reset(&pm);
	fake_clock_advance(3 * HALF_NS);
	ck_assert(!sci());
}
END_TEST

START_TEST(power_button)
{
	piix4_pm_power_button(&pm);
	ck_assert_uint_eq(in(PM_STS, 2), PM_PWRBTN_STS);
	ck_assert(!sci());
	out(PM_EN, 2, PM_PWRBTN_STS);
	ck_assert(!sci());
	out(PM_CNTRL, 2, PM_SCI_EN);
	ck_assert(sci());
	/* High byte alone. */
	out(PM_STS + 1, 1, PM_PWRBTN_STS >> 8);
	ck_assert(!sci());
	ck_assert_uint_eq(in(PM_STS, 2), 0);
}
END_TEST

START_TEST(smi_port_switches_acpi)
{
	io_bus_write(&vm->pio, 0xb2, 1, PM_SMI_ACPI_ENABLE);
	ck_assert_uint_eq(in(PM_CNTRL, 2), PM_SCI_EN);
	io_bus_write(&vm->pio, 0xb3, 1, 0x5a);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xb2, 2), 0x5a00 | PM_SMI_ACPI_ENABLE);
	io_bus_write(&vm->pio, 0xb2, 2, 0x1100 | PM_SMI_ACPI_DISABLE);
	ck_assert_uint_eq(in(PM_CNTRL, 2), 0);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xb3, 1), 0x11);
	io_bus_write(&vm->pio, 0xb2, 1, 0x77);
	ck_assert_uint_eq(in(PM_CNTRL, 2), 0);
}
END_TEST

static const struct {
	unsigned reg, width;
	uint32_t value;
	bool off;
} sleeps[] = {
        {PM_CNTRL, 2, PM_SLP_EN, true},
        {PM_CNTRL, 2, PM_SLP_EN | PM_SCI_EN, true},
        {PM_CNTRL, 4, PM_SLP_EN, true},
        {PM_CNTRL + 1, 1, PM_SLP_EN >> 8, true},
        {PM_EN, 4, PM_SLP_EN << 16, true},
        {PM_CNTRL, 2, 1 << PM_SLP_TYP_SHIFT | PM_SLP_EN, false},
        {PM_CNTRL, 2, 5 << PM_SLP_TYP_SHIFT | PM_SLP_EN, false},
        {PM_CNTRL, 2, 0, false},
        {PM_CNTRL, 1, 0xff, false},
        {PM_EN, 2, PM_SLP_EN, false},
        {PM_CNTRL + 2, 2, PM_SLP_EN, false},
};

START_TEST(sleep_types)
{
	out(sleeps[_i].reg, sleeps[_i].width, sleeps[_i].value);
	ck_assert_uint_eq(fake_vm_requests, sleeps[_i].off ? BIT(VM_REQ_POWEROFF) : 0);
	ck_assert_uint_eq(in(PM_CNTRL, 2) & PM_SLP_EN, 0);
	if (sleeps[_i].off) {
		ck_assert_str_eq(fake_vm_reason, "ACPI S5");
	}
}
END_TEST

START_TEST(base_moves)
{
	ck_assert_uint_eq(pci_config_read(&bus, PCI_DEVFN(7, 3), 0, 4), 0x71138086);
	ck_assert_uint_eq(pci_config_read(&bus, PCI_DEVFN(7, 3), 0x40, 4), BASE | 1);
	pci_config_write(&bus, PCI_DEVFN(7, 3), 0x40, 4, 0xffffb03f);
	ck_assert_uint_eq(pci_config_read(&bus, PCI_DEVFN(7, 3), 0x40, 4), 0xb001);
	ck_assert(!io_bus_claims(&vm->pio, BASE, 4));
	fake_clock_set(1000000000);
	ck_assert_uint_eq(io_bus_read(&vm->pio, 0xb008, 4), 3579545);
	ck_assert(io_bus_claims(&vm->pio, 0xb03f, 1));
	ck_assert(!io_bus_claims(&vm->pio, 0xb040, 1));
	pci_config_write(&bus, PCI_DEVFN(7, 3), 0x80, 1, 0);
	ck_assert(!io_bus_claims(&vm->pio, 0xb000, 4));
	pci_bus_reset(&bus);
	ck_assert(io_bus_claims(&vm->pio, BASE, 4));
	ck_assert(!io_bus_claims(&vm->pio, 0xb000, 4));
}
END_TEST

START_TEST(attach_undoes)
{
	static struct piix4_pm other;
	uint32_t n = vm->pio.n_ranges;

	piix4_pm_init(&other, 0x600);
	ck_assert_int_eq(piix4_pm_attach(&other, vm, &bus, 8, 9, 0xb2), -EEXIST);
	ck_assert_uint_eq(vm->pio.n_ranges, n);
	piix4_pm_init(&other, 0x600);
	ck_assert_int_eq(piix4_pm_attach(&other, vm, &bus, 7, 9, 0xc2), -EEXIST);
	ck_assert_uint_eq(vm->pio.n_ranges, n);
	ck_assert_int_eq(piix4_pm_attach(&other, vm, &bus, 8, 99, 0xc2), -EINVAL);
	ck_assert_uint_eq(vm->pio.n_ranges, n);
}
END_TEST

START_TEST(random_programs)
{
	unsigned seed = 0xac91 + (unsigned)_i;

	for (unsigned i = 0; i < 20000; i++) {
		static const unsigned widths[] = {1, 2, 4};
		unsigned r = (unsigned)rand_r(&seed);
		unsigned width = widths[r % 3];
		uint32_t value = (uint32_t)rand_r(&seed) << 16 ^ (uint32_t)rand_r(&seed);

		switch ((r >> 4) & 7) {
		case 0:
			fake_clock_advance(value);
			break;
		case 1:
			piix4_pm_power_button(&pm);
			break;
		case 2:
			io_bus_write(&vm->pio, 0xb2 + (r >> 8 & 1), width,
			        r & 0x1000 ? PM_SMI_ACPI_ENABLE : PM_SMI_ACPI_DISABLE);
			break;
		default:
			out(r >> 8 & 0x3f, width, value);
			(void)in(r >> 16 & 0x3f, width);
			break;
		}
		/* What holds always: the line says what the registers say. */
		uint32_t sts = in(PM_STS, 2), en = in(PM_EN, 2), cnt = in(PM_CNTRL, 2);
		ck_assert_int_eq(sci(), (cnt & PM_SCI_EN) && (sts & en) != 0);
		ck_assert_uint_eq(in(PM_EN, 4), en | cnt << 16);
		bool armed = timer_next_deadline(0) != TIMER_NEVER;
		ck_assert_int_eq(
		        armed, (cnt & PM_SCI_EN) && (en & PM_TMR_STS) && !(sts & PM_TMR_STS));
	}
	piix4_pm_dump(&pm, &out_log);
}
END_TEST

UNIT_MAIN("piix4_pm", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, ticks_are_exact, 0, 9); tcase_add_test(tc, timer_counts_24_bits);
          tcase_add_test(tc, timer_status_follows_the_top_bit);
          tcase_add_test(tc, timer_raises_the_sci); tcase_add_test(tc, power_button);
          tcase_add_test(tc, smi_port_switches_acpi);
          tcase_add_loop_test(tc, sleep_types, 0, ARRAY_SIZE(sleeps));
          tcase_add_test(tc, base_moves); tcase_add_test(tc, attach_undoes);
          tcase_add_loop_test(tc, random_programs, 0, 4);)
