// SPDX-License-Identifier: BSD-2-Clause
// The local APIC in words.
// Specs: [SDM3] "Local APIC", "Local Vector Table", "APIC Timer".
#include "vmm/hw/clock.h"
#include "vmm/lapic.h"
#include "vmm/lapic_regs.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/out.h"
#include "vmm/vcpu.h"

#define VECTORS_SHOWN 24U

/* The vectors of a set of 256, by word; how many of them do not fit is said, too. */
static void dump_vectors(struct out *out, const char *name, const uint32_t words[8])
{
	char line[VECTORS_SHOWN * 3 + 24];
	size_t used = 0;
	unsigned n = 0;

	line[0] = '\0';
	for (unsigned v = 0; v < 256; v++) {
		if (!(words[v / 32] >> (v & 31) & 1)) {
			continue;
		}
		if (n++ < VECTORS_SHOWN) {
			used += fmt_print(line + used, sizeof(line) - used, " %02x", v);
		}
	}
	if (n > VECTORS_SHOWN) {
		fmt_print(line + used, sizeof(line) - used, " and %u more", n - VECTORS_SHOWN);
	}
	out_print(out, "    %s:%s\n", name, n ? line : " none");
}

static void dump_array(const struct lapic *apic, struct out *out, const char *name, uint32_t array)
{
	uint32_t words[8];

	for (unsigned i = 0; i < 8; i++) {
		words[i] = lapic_get(apic, array + i * 16);
	}
	dump_vectors(out, name, words);
}

static void dump_posted(const struct lapic *apic, struct out *out)
{
	uint32_t words[8];

	for (unsigned i = 0; i < 8; i++) {
		uint64_t pir = __atomic_load_n(&apic->pir[i / 2], __ATOMIC_RELAXED);

		words[i] = (uint32_t)(pir >> (i & 1 ? 32 : 0));
	}
	dump_vectors(out, "posted", words);
}

static const char *const delivery_names[8] = {
        [APIC_DM_FIXED] = "fixed",
        [APIC_DM_LOWEST] = "lowest",
        [APIC_DM_SMI] = "SMI",
        [3] = "mode 3",
        [APIC_DM_NMI] = "NMI",
        [APIC_DM_INIT] = "INIT",
        [APIC_DM_STARTUP] = "mode 6",
        [APIC_DM_EXTINT] = "ExtINT",
};

static void dump_lvt(const struct lapic *apic, struct out *out)
{
	static const struct {
		const char *name;
		uint32_t offset;
	} rows[] = {
	        {"timer", LAPIC_LVT_TIMER},
	        {"thermal", LAPIC_LVT_THERMAL},
	        {"counters", LAPIC_LVT_PERF},
	        {"LINT0", LAPIC_LVT_LINT0},
	        {"LINT1", LAPIC_LVT_LINT1},
	        {"error", LAPIC_LVT_ERROR},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t v = lapic_get(apic, rows[i].offset);

		out_print(out, "    LVT %-8s %08x: vector %02x, %s, %s%s\n", rows[i].name, v,
		        v & LVT_VECTOR, delivery_names[(v & LVT_DELIVERY) >> 8],
		        v & LVT_MASKED ? "masked" : "open", v & LVT_TRIGGER ? ", level" : "");
	}
}

/* Ticks of the TSC in words of a person. */
static void dump_left(struct out *out, const char *mode, uint64_t ticks)
{
	uint64_t hz = clock_tsc_hz();
	uint64_t us = hz ? ticks / hz * 1000000 + ticks % hz * 1000000 / hz : 0;

	out_print(out, "    timer: %s, due in %llu.%06llu s (%llu ticks)\n", mode,
	        (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000),
	        (unsigned long long)ticks);
}

static void dump_timer(const struct lapic *apic, struct out *out)
{
	static const char *const modes[] = {
	        [LAPIC_TIMER_ONE_SHOT] = "one-shot",
	        [LAPIC_TIMER_PERIODIC] = "periodic",
	        [LAPIC_TIMER_TSC_DEADLINE] = "TSC deadline",
	        [LAPIC_TIMER_RESERVED] = "reserved mode",
	};
	const char *mode = modes[apic->timer_mode & 3U];
	uint64_t now = clock_tsc();

	if (apic->timer_mode == LAPIC_TIMER_TSC_DEADLINE && apic->tsc_deadline != 0) {
		uint64_t guest_now = now + apic->vcpu->tsc_offset;

		dump_left(out, mode,
		        apic->tsc_deadline > guest_now ? apic->tsc_deadline - guest_now : 0);
	} else if (apic->timer_mode != LAPIC_TIMER_TSC_DEADLINE && apic->timer_armed) {
		uint64_t end = apic->timer_start_tsc + apic->timer_full_tsc;

		dump_left(out, mode, end > now ? end - now : 0);
		out_print(out, "    timer: count %08x of %08x\n", lapic_timer_current(apic),
		        lapic_get(apic, LAPIC_TIMER_INITIAL));
	} else {
		out_print(out, "    timer: %s, not armed\n", mode);
	}
}

void lapic_dump(const struct lapic *apic, struct out *out)
{
	uint64_t base = apic->base;
	bool on = (base & APIC_BASE_EN) != 0;

	out_print(out, "  local APIC %u: %s at %llx, %s; TPR %02x PPR %02x LDR %08x DFR %08x\n",
	        lapic_id(apic), !on ? "off" : (base & APIC_BASE_EXTD ? "x2APIC" : "xAPIC"),
	        (unsigned long long)(base & ~0xfffULL),
	        lapic_get(apic, LAPIC_SVR) & SVR_ENABLE ? "enabled" : "disabled by SVR",
	        lapic_get(apic, LAPIC_TPR), lapic_ppr(apic), lapic_get(apic, LAPIC_LDR),
	        lapic_get(apic, LAPIC_DFR));
	dump_array(apic, out, "IRR", LAPIC_IRR);
	dump_array(apic, out, "ISR", LAPIC_ISR);
	dump_array(apic, out, "TMR", LAPIC_TMR);
	dump_posted(apic, out);
	dump_lvt(apic, out);
	dump_timer(apic, out);
	out_print(out, "    SVR %08x ESR %08x ICR %08x %08x, divide %x%s%s\n",
	        lapic_get(apic, LAPIC_SVR), lapic_get(apic, LAPIC_ESR),
	        lapic_get(apic, LAPIC_ICR_HIGH), lapic_get(apic, LAPIC_ICR),
	        lapic_get(apic, LAPIC_TIMER_DIVIDE),
	        lapic_extint_open(apic) ? "; takes the 8259's interrupts" : "",
	        apic->extint_msg ? "; an ExtINT message waits" : "");
}
