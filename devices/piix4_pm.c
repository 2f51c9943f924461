// SPDX-License-Identifier: BSD-2-Clause
// PIIX4 function 3: the ACPI power-management block behind a movable base.
// Specs: [PIIX4] "Power Management Register Descriptions"; [ACPI] "PM1 Event Grouping", "PM1
// Control Grouping", "Power Management Timer", "Power Button Override".
#include "devices/piix4_pm.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/string.h"

#define NS_PER_S 1000000000ULL

enum pm_config_reg {
	PM_CFG_PMBA = 0x40,
	PM_CFG_CNTA = 0x44,
	PM_CFG_DEVACTB = 0x58,
	PM_CFG_PMREGMISC = 0x80, /* bit 0: the block decodes */
	PM_CFG_SMBBA = 0x90,
	PM_CFG_SMBHSTCFG = 0xd2,
};

#define PMBA_MASK 0xffc0U
#define PMREGMISC_EN 0x01U

#define STS_MASK (PM_TMR_STS | 0x0010U | PM_GBL_STS | PM_PWRBTN_STS | PM_RTC_STS | PM_WAK_STS)
#define EN_MASK (PM_TMR_STS | PM_GBL_STS | PM_PWRBTN_STS | PM_RTC_STS)
#define CNTRL_MASK (PM_SCI_EN | 0x0002U | (7U << PM_SLP_TYP_SHIFT)) /* SLP_EN, GBL_RLS read 0 */
#define GPEN_MASK 0x0f01U

static const struct pci_ids pm_ids = {
        .vendor = 0x8086,
        .device = 0x7113,
        .class_base = 0x06,
        .class_sub = 0x80,
        /* From 3 on the chip has no PM timer bug: Linux reads ours once, not three times. */
        .revision = 0x03,
        .command_mask = PCI_COMMAND_IO,
        .status = PCI_STATUS_DEVSEL_MEDIUM | PCI_STATUS_FAST_B2B,
};

uint64_t pm_timer_ticks(uint64_t ns)
{
	return ns / NS_PER_S * PM_TIMER_HZ + ns % NS_PER_S * PM_TIMER_HZ / NS_PER_S;
}

uint64_t pm_timer_ns(uint64_t ticks)
{
	uint64_t part = ticks % PM_TIMER_HZ * NS_PER_S;

	return ticks / PM_TIMER_HZ * NS_PER_S + (part + PM_TIMER_HZ - 1) / PM_TIMER_HZ;
}

static uint32_t timer_value(const struct piix4_pm *pm)
{
	return (uint32_t)pm_timer_ticks(vm_clock_now(pm->vm)) & (BIT(PM_TIMER_BITS) - 1);
}

/*
 * TMR_STS is set whenever the timer's top bit toggles: every half period. Nobody counts them as
 * they pass; a look at the clock tells whether one did.
 */
static void update_locked(struct piix4_pm *pm)
{
	struct piix4_pm_state *s = &pm->state;
	uint64_t half = pm_timer_ticks(vm_clock_now(pm->vm)) >> (PM_TIMER_BITS - 1);
	uint64_t deadline_ns = TIMER_NEVER;

	if (half != s->tmr_half) {
		s->tmr_half = half;
		s->sts |= PM_TMR_STS;
	}
	irq_source_set(&pm->sci, (s->cntrl & PM_SCI_EN) && (s->sts & s->en & EN_MASK) != 0);
	if ((s->cntrl & PM_SCI_EN) && (s->en & PM_TMR_STS) && !(s->sts & PM_TMR_STS)) {
		deadline_ns = pm_timer_ns((half + 1) << (PM_TIMER_BITS - 1));
	}
	if (deadline_ns == pm->armed_ns) {
		return;
	}
	pm->armed_ns = deadline_ns;
	if (deadline_ns == TIMER_NEVER) {
		vm_timer_cancel(&pm->timer);
	} else {
		vm_timer_arm(&pm->timer, deadline_ns);
	}
}

static void timer_fired(void *arg)
{
	struct piix4_pm *pm = arg;

	spin_lock(&pm->lock);
	pm->armed_ns = TIMER_NEVER;
	update_locked(pm);
	spin_unlock(&pm->lock);
}

/* One aligned 16-bit register of the block. */
static uint16_t reg_read_locked(const struct piix4_pm *pm, unsigned reg)
{
	const struct piix4_pm_state *s = &pm->state;

	switch (reg) {
	case PM_STS:
		return s->sts;
	case PM_EN:
		return s->en;
	case PM_CNTRL:
		return s->cntrl;
	case PM_TMR:
		return (uint16_t)timer_value(pm);
	case PM_TMR + 2:
		return (uint16_t)(timer_value(pm) >> 16);
	case PM_GPEN:
		return s->gpen;
	default:
		return 0; /* GPSTS: no event ever comes; the rest is not modelled */
	}
}

/* Bits in mask are written. Returns true when the guest asked for soft-off. */
static bool reg_write_locked(struct piix4_pm *pm, unsigned reg, uint16_t value, uint16_t mask)
{
	struct piix4_pm_state *s = &pm->state;

	switch (reg) {
	case PM_STS:
		s->sts = (uint16_t)(s->sts & ~(value & mask & STS_MASK));
		break;
	case PM_EN:
		mask &= EN_MASK;
		s->en = (uint16_t)((s->en & ~mask) | (value & mask));
		break;
	case PM_CNTRL:
		s->cntrl =
		        (uint16_t)((s->cntrl & ~(mask & CNTRL_MASK)) | (value & mask & CNTRL_MASK));
		/* SLP_EN acts with the type that is in the register now; types other than
		 * soft-off are not offered in the DSDT and do nothing. */
		return (value & mask & PM_SLP_EN) &&
		       ((s->cntrl >> PM_SLP_TYP_SHIFT) & 7U) == PM_SLP_TYP_S5;
	case PM_GPEN:
		mask &= GPEN_MASK;
		s->gpen = (uint16_t)((s->gpen & ~mask) | (value & mask));
		break;
	default:
		break;
	}
	return false;
}

static uint64_t block_read(void *dev, uint64_t offset, unsigned width)
{
	struct piix4_pm *pm = dev;
	uint64_t value = 0;

	/* The hot one: a clock source, without state and so without the lock. */
	if (offset == PM_TMR && width == 4) {
		return timer_value(pm);
	}
	spin_lock(&pm->lock);
	update_locked(pm);
	for (unsigned i = 0; i < width; i++) {
		unsigned at = (unsigned)offset + i;
		unsigned reg = at & ~1U;

		value |= (uint64_t)((reg_read_locked(pm, reg) >> (8 * (at & 1))) & 0xff) << (8 * i);
	}
	spin_unlock(&pm->lock);
	return value;
}

static void block_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct piix4_pm *pm = dev;
	bool off = false;
	unsigned first = (unsigned)offset & ~1U;

	/* Spread over the 16-bit registers it touches. */
	value &= width_mask(width);
	spin_lock(&pm->lock);
	update_locked(pm);
	for (unsigned reg = first; reg < offset + width; reg += 2) {
		uint64_t v = value << (8 * (offset - first));
		uint64_t m = width_mask(width) << (8 * (offset - first));
		unsigned shift = 8 * (reg - first);

		off |= reg_write_locked(pm, reg, (uint16_t)(v >> shift), (uint16_t)(m >> shift));
	}
	update_locked(pm);
	spin_unlock(&pm->lock);
	if (off) {
		vm_request(pm->vm, VM_REQ_POWEROFF, "ACPI S5");
	}
}

static const struct io_ops block_ops = {
        .name = "piix4 pm",
        .read = block_read,
        .write = block_write,
};

/*
 * The SMI command port. There is no system-management mode: what the firmware's handler
 * would do happens here. [ACPI] "Legacy/ACPI Select and the SCI Interrupt".
 */
static uint64_t smi_read(void *dev, uint64_t offset, unsigned width)
{
	struct piix4_pm *pm = dev;
	uint64_t value;

	spin_lock(&pm->lock);
	value = (uint64_t)pm->state.apmc | (uint64_t)pm->state.apms << 8;
	spin_unlock(&pm->lock);
	return value >> (8 * offset) & width_mask(width);
}

static void smi_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct piix4_pm *pm = dev;
	struct piix4_pm_state *s = &pm->state;

	spin_lock(&pm->lock);
	if (offset + width > 1) {
		s->apms = (uint8_t)(value >> (8 * (1 - offset)));
	}
	if (offset == 0) {
		s->apmc = (uint8_t)value;
		if (s->apmc == PM_SMI_ACPI_ENABLE) {
			s->cntrl |= PM_SCI_EN;
		} else if (s->apmc == PM_SMI_ACPI_DISABLE) {
			s->cntrl &= (uint16_t)~PM_SCI_EN;
		}
		update_locked(pm);
	}
	spin_unlock(&pm->lock);
}

static const struct io_ops smi_ops = {
        .name = "smi command",
        .read = smi_read,
        .write = smi_write,
};

/* PMBA or PMREGMISC changed. The bus lock orders these. */
static void config_written(void *dev, const struct pci_func *f, unsigned offset, unsigned len)
{
	struct piix4_pm *pm = dev;
	uint64_t base = pci_func_get(f, PM_CFG_PMBA, 2) & PMBA_MASK;
	bool on = pci_func_get(f, PM_CFG_PMREGMISC, 1) & PMREGMISC_EN;

	(void)offset;
	(void)len;
	if (base != pm->block.base || on != pm->block.enabled) {
		io_bus_move(&pm->vm->pio, &pm->block, base, on);
	}
}

void piix4_pm_init(struct piix4_pm *pm, uint16_t pm_base)
{
	BUG_ON(pm_base & ~PMBA_MASK);
	memset(pm, 0, sizeof(*pm));
	pm->state.version = PIIX4_PM_STATE_VERSION;
	pm->pm_base = pm_base;
	pm->armed_ns = TIMER_NEVER;
	pci_func_init(&pm->func, &pm_ids);
	pci_func_reg(&pm->func, PM_CFG_PMBA, 4, pm_base | 1U, PMBA_MASK);
	pci_func_reg(&pm->func, PM_CFG_CNTA, 4, 0, 0xffffffff);
	pci_func_reg(&pm->func, PM_CFG_DEVACTB, 4, 0, 0x03ffffff);
	pci_func_reg(&pm->func, PM_CFG_PMREGMISC, 1, PMREGMISC_EN, PMREGMISC_EN);
	/* No SMBus: base 0 and not enabled. */
	pci_func_reg(&pm->func, PM_CFG_SMBBA, 4, 1, 0);
	pci_func_reg(&pm->func, PM_CFG_SMBHSTCFG, 1, 0, 0);
	pm->func.written = config_written;
	pm->func.dev = pm;
}

int piix4_pm_attach(struct piix4_pm *pm, struct vm *vm, struct pci_bus *bus, unsigned slot,
        unsigned sci_gsi, uint16_t smi_port)
{
	int err;

	pm->vm = vm;
	vm_timer_init(&pm->timer, vm, timer_fired, pm);
	pm->state.tmr_half = pm_timer_ticks(vm_clock_now(vm)) >> (PM_TIMER_BITS - 1);
	pm->block = (struct io_range){.base = pm->pm_base,
	        .len = PIIX4_PM_LEN,
	        .ops = &block_ops,
	        .dev = pm,
	        .kind = IO_MOVABLE,
	        .enabled = true};
	pm->smi = (struct io_range){
	        .base = smi_port, .len = 2, .ops = &smi_ops, .dev = pm, .kind = IO_FIXED};
	err = irq_source_init(&pm->sci, &vm->irq, sci_gsi, NULL, NULL);
	if (err) {
		return err;
	}
	err = io_bus_add(&vm->pio, &pm->block);
	if (err) {
		return err;
	}
	err = io_bus_add(&vm->pio, &pm->smi);
	if (err) {
		goto out_block;
	}
	err = pci_func_attach(&pm->func, bus, slot, 3);
	if (err) {
		goto out_smi;
	}
	return 0;
out_smi:
	io_bus_remove(&vm->pio, &pm->smi);
out_block:
	io_bus_remove(&vm->pio, &pm->block);
	return err;
}

void piix4_pm_reset(struct piix4_pm *pm)
{
	spin_lock(&pm->lock);
	pm->state = (struct piix4_pm_state){
	        .version = PIIX4_PM_STATE_VERSION,
	        .tmr_half = pm_timer_ticks(vm_clock_now(pm->vm)) >> (PM_TIMER_BITS - 1),
	};
	update_locked(pm);
	spin_unlock(&pm->lock);
}

void piix4_pm_quiesce(struct piix4_pm *pm)
{
	spin_lock(&pm->lock);
	pm->armed_ns = TIMER_NEVER;
	vm_timer_cancel(&pm->timer);
	spin_unlock(&pm->lock);
}

void piix4_pm_power_button(struct piix4_pm *pm)
{
	spin_lock(&pm->lock);
	pm->state.sts |= PM_PWRBTN_STS;
	update_locked(pm);
	spin_unlock(&pm->lock);
}

void piix4_pm_dump(const struct piix4_pm *pm, struct out *out)
{
	const struct piix4_pm_state *s = &pm->state;

	out_print(out, "base %04x%s, PMSTS %04x PMEN %04x PMCNTRL %04x%s\n",
	        (unsigned)pm->block.base, pm->block.enabled ? "" : " (off)", s->sts, s->en,
	        s->cntrl, s->cntrl & PM_SCI_EN ? " (ACPI)" : " (legacy)");
	out_print(out, "  GPEN %04x, timer %06x, SMI command %02x status %02x\n", s->gpen,
	        timer_value(pm), s->apmc, s->apms);
}
