// SPDX-License-Identifier: BSD-2-Clause
// A vCPU in words.
// Specs: [SDM1] "EFLAGS Register"; [SDM3] "Control Registers", "Segment Descriptors".
#include "vmm/vcpu_dump.h"
#include "vmm/exit_text.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/lib/fmt.h"
#include "vmm/vm.h"

#define FLAGS_LEN 128U

struct flag {
	uint64_t bit;
	const char *name;
};

static const struct flag rflags_names[] = {{RFLAGS_CF, "CF"}, {RFLAGS_PF, "PF"}, {RFLAGS_AF, "AF"},
        {RFLAGS_ZF, "ZF"}, {RFLAGS_SF, "SF"}, {RFLAGS_TF, "TF"}, {RFLAGS_IF, "IF"},
        {RFLAGS_DF, "DF"}, {RFLAGS_OF, "OF"}, {RFLAGS_NT, "NT"}, {RFLAGS_RF, "RF"},
        {RFLAGS_VM, "VM"}, {RFLAGS_AC, "AC"}, {0, NULL}};

static const struct flag cr0_names[] = {{CR0_PE, "PE"}, {CR0_MP, "MP"}, {CR0_EM, "EM"},
        {CR0_TS, "TS"}, {CR0_ET, "ET"}, {CR0_NE, "NE"}, {CR0_WP, "WP"}, {CR0_AM, "AM"},
        {CR0_NW, "NW"}, {CR0_CD, "CD"}, {CR0_PG, "PG"}, {0, NULL}};

static const struct flag cr4_names[] = {{CR4_VME, "VME"}, {CR4_PVI, "PVI"}, {CR4_TSD, "TSD"},
        {CR4_DE, "DE"}, {CR4_PSE, "PSE"}, {CR4_PAE, "PAE"}, {CR4_MCE, "MCE"}, {CR4_PGE, "PGE"},
        {CR4_PCE, "PCE"}, {CR4_OSFXSR, "OSFXSR"}, {CR4_OSXMMEXCPT, "OSXMMEXCPT"},
        {CR4_UMIP, "UMIP"}, {CR4_LA57, "LA57"}, {CR4_VMXE, "VMXE"}, {CR4_SMXE, "SMXE"},
        {CR4_FSGSBASE, "FSGSBASE"}, {CR4_PCIDE, "PCIDE"}, {CR4_OSXSAVE, "OSXSAVE"},
        {CR4_SMEP, "SMEP"}, {CR4_SMAP, "SMAP"}, {CR4_PKE, "PKE"}, {0, NULL}};

static const struct flag efer_names[] = {
        {EFER_SCE, "SCE"}, {EFER_LME, "LME"}, {EFER_LMA, "LMA"}, {EFER_NXE, "NXE"}, {0, NULL}};

static const struct flag block_names[] = {
        {1, "IF=0"}, {2, "STI/MOV SS shadow"}, {4, "NMI"}, {0, NULL}};

static const struct flag window_names[] = {{1, "interrupt"}, {2, "NMI"}, {0, NULL}};

static const char *const request_names[64] = {
        [VCPU_REQ_IRQ] = "irq",
        [VCPU_REQ_NMI] = "nmi",
        [VCPU_REQ_INIT] = "init",
        [VCPU_REQ_SIPI] = "sipi",
        [VCPU_REQ_FLUSH_GUEST] = "flush-guest",
        [VCPU_REQ_FLUSH_NESTED] = "flush-nested",
        [VCPU_REQ_STOP] = "stop",
        [VCPU_REQ_RESUME] = "resume",
        [VCPU_REQ_RESET] = "reset",
        [VCPU_REQ_CALL] = "call",
        [VCPU_REQ_PV] = "pv",
        [VCPU_REQ_PV_IDLE] = "pv-idle",
        [VCPU_REQ_TIMER] = "timer",
        [VCPU_REQ_YIELD] = "yield",
};

/* " irq nmi"; one without a name by its number. */
static const char *requests_text(char text[FLAGS_LEN], uint64_t requests)
{
	size_t used = 0;

	for (unsigned i = 0; i < 64 && used < FLAGS_LEN; i++) {
		if (!(requests >> i & 1)) {
			continue;
		}
		if (request_names[i]) {
			used += fmt_print(text + used, FLAGS_LEN - used, " %s", request_names[i]);
		} else {
			used += fmt_print(text + used, FLAGS_LEN - used, " %u", i);
		}
	}
	return used ? text : " none";
}

/* " CF ZF" */
static const char *flags_text(char text[FLAGS_LEN], const struct flag *names, uint64_t value)
{
	size_t used = 0;

	text[0] = '\0';
	for (; names->name; names++) {
		if ((value & names->bit) && used < FLAGS_LEN) {
			used += fmt_print(text + used, FLAGS_LEN - used, " %s", names->name);
		}
	}
	return used ? text : " none";
}

static const char *mode_of(struct vcpu *vcpu)
{
	struct segment cs;

	if (!(cpu_virt->get_reg(vcpu, REG_CR0) & CR0_PE)) {
		return "real mode";
	}
	if (cpu_virt->get_reg(vcpu, REG_RFLAGS) & RFLAGS_VM) {
		return "virtual-8086 mode";
	}
	cpu_virt->get_seg(vcpu, SEG_CS, &cs);
	if ((cpu_virt->get_reg(vcpu, REG_EFER) & EFER_LMA) && (cs.attr & SEG_ATTR_L)) {
		return "64-bit mode";
	}
	return cs.attr & SEG_ATTR_DB ? "32-bit code" : "16-bit protected mode";
}

static void dump_gpr(struct vcpu *vcpu, struct out *out)
{
	static const struct {
		const char *name;
		enum vcpu_reg reg;
	} rows[] = {{"RAX", REG_RAX}, {"RBX", REG_RBX}, {"RCX", REG_RCX}, {"RDX", REG_RDX},
	        {"RSI", REG_RSI}, {"RDI", REG_RDI}, {"RBP", REG_RBP}, {"RSP", REG_RSP},
	        {"R8", REG_R8}, {"R9", REG_R9}, {"R10", REG_R10}, {"R11", REG_R11},
	        {"R12", REG_R12}, {"R13", REG_R13}, {"R14", REG_R14}, {"R15", REG_R15}};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i += 4) {
		out_print(out, "  %-3s %016llx  %-3s %016llx  %-3s %016llx  %-3s %016llx\n",
		        rows[i].name, (unsigned long long)vcpu_reg_get(vcpu, rows[i].reg),
		        rows[i + 1].name, (unsigned long long)vcpu_reg_get(vcpu, rows[i + 1].reg),
		        rows[i + 2].name, (unsigned long long)vcpu_reg_get(vcpu, rows[i + 2].reg),
		        rows[i + 3].name, (unsigned long long)vcpu_reg_get(vcpu, rows[i + 3].reg));
	}
}

static void dump_control(struct vcpu *vcpu, struct out *out)
{
	uint64_t rflags = cpu_virt->get_reg(vcpu, REG_RFLAGS);
	uint64_t cr0 = cpu_virt->get_reg(vcpu, REG_CR0), cr4 = cpu_virt->get_reg(vcpu, REG_CR4);
	uint64_t efer = cpu_virt->get_reg(vcpu, REG_EFER);
	char text[FLAGS_LEN];

	out_print(out, "  RIP %016llx  RFLAGS %08llx:%s IOPL %u\n",
	        (unsigned long long)cpu_virt->get_reg(vcpu, REG_RIP), (unsigned long long)rflags,
	        flags_text(text, rflags_names, rflags), (unsigned)(rflags >> 12 & 3));
	out_print(out, "  CR0 %08llx:%s\n", (unsigned long long)cr0,
	        flags_text(text, cr0_names, cr0));
	out_print(out, "  CR2 %016llx  CR3 %016llx\n", (unsigned long long)cpu_read_cr2(),
	        (unsigned long long)cpu_virt->get_reg(vcpu, REG_CR3));
	out_print(out, "  CR4 %08llx:%s\n", (unsigned long long)cr4,
	        flags_text(text, cr4_names, cr4));
	out_print(out, "  EFER %08llx:%s  PAT %016llx  DR7 %08llx\n", (unsigned long long)efer,
	        flags_text(text, efer_names, efer),
	        (unsigned long long)cpu_virt->get_reg(vcpu, REG_PAT),
	        (unsigned long long)cpu_virt->get_reg(vcpu, REG_DR7));
	out_print(out, "  SYSENTER CS %llx ESP %llx EIP %llx\n",
	        (unsigned long long)cpu_virt->get_reg(vcpu, REG_SYSENTER_CS),
	        (unsigned long long)cpu_virt->get_reg(vcpu, REG_SYSENTER_ESP),
	        (unsigned long long)cpu_virt->get_reg(vcpu, REG_SYSENTER_EIP));
}

static const char *seg_kind(const struct segment *s)
{
	if (s->unusable) {
		return "null";
	}
	if (!(s->attr & SEG_ATTR_S)) {
		return "system";
	}
	if (!(s->attr & 8U)) {
		return s->attr & 2U ? "data, writable" : "data, read-only";
	}
	return s->attr & SEG_ATTR_L ? "code, 64-bit"
	                            : (s->attr & SEG_ATTR_DB ? "code, 32-bit" : "code, 16-bit");
}

static void dump_segments(struct vcpu *vcpu, struct out *out)
{
	static const struct {
		const char *name;
		enum vcpu_seg seg;
	} rows[] = {{"CS", SEG_CS}, {"SS", SEG_SS}, {"DS", SEG_DS}, {"ES", SEG_ES}, {"FS", SEG_FS},
	        {"GS", SEG_GS}, {"LDTR", SEG_LDTR}, {"TR", SEG_TR}};
	struct desc_table gdt, idt;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct segment s;

		cpu_virt->get_seg(vcpu, rows[i].seg, &s);
		out_print(out, "  %-4s %04x base %016llx limit %08x attr %04x (%s, DPL %u%s)\n",
		        rows[i].name, s.selector, (unsigned long long)s.base, s.limit, s.attr,
		        seg_kind(&s), (unsigned)(s.attr >> SEG_ATTR_DPL_SHIFT) & 3U,
		        s.unusable || (s.attr & SEG_ATTR_P) ? "" : ", not present");
	}
	cpu_virt->get_table(vcpu, false, &gdt);
	cpu_virt->get_table(vcpu, true, &idt);
	out_print(out, "  GDTR %016llx limit %04x  IDTR %016llx limit %04x\n",
	        (unsigned long long)gdt.base, gdt.limit, (unsigned long long)idt.base, idt.limit);
}

void vcpu_dump_events(struct vcpu *vcpu, struct out *out)
{
	static const char *const types[] = {
	        [EVENT_NONE] = "none",
	        [EVENT_EXCEPTION] = "exception",
	        [EVENT_SOFT_EXCEPTION] = "software exception",
	        [EVENT_PRIV_SOFT_EXCEPTION] = "INT1",
	        [EVENT_SOFT_INTERRUPT] = "INT n",
	        [EVENT_EXTINT] = "external interrupt",
	        [EVENT_NMI] = "NMI",
	};
	const struct event *e = &vcpu->pending;
	char text[FLAGS_LEN];
	uint64_t blocked;

	if (e->type == EVENT_NONE) {
		out_print(out, "  pending event: none; NMIs waiting: %u\n", vcpu->nmi_pending);
	} else {
		out_print(out, "  pending event: %s vector %02x error %s%x; NMIs waiting: %u\n",
		        types[e->type], e->vector, e->has_error ? "" : "none ", e->error,
		        vcpu->nmi_pending);
	}
	blocked = (cpu_virt->get_reg(vcpu, REG_RFLAGS) & RFLAGS_IF ? 0 : 1U) |
	          (cpu_virt->in_intr_shadow(vcpu) ? 2U : 0) |
	          (cpu_virt->nmi_blocked(vcpu) ? 4U : 0);
	out_print(out, "  blocked:%s\n", flags_text(text, block_names, blocked));
	out_print(out, "  window asked for:%s\n", flags_text(text, window_names, vcpu->windows));
	out_print(out, "  requests:%s\n",
	        requests_text(text, __atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED)));
	if (vcpu->held) {
		out_print(out, "  requests for when it goes on:%s\n",
		        requests_text(text, vcpu->held));
	}
}

static const char *state_name(const struct vcpu *vcpu)
{
	static const char *const names[] = {
	        [VCPU_WAIT_SIPI] = "waits for SIPI",
	        [VCPU_RUNNABLE] = "runnable",
	        [VCPU_HALTED] = "halted",
	        [VCPU_STOPPED] = "stopped",
	};
	uint32_t state = vcpu->state;

	return state < ARRAY_SIZE(names) && names[state] ? names[state] : "in no known state";
}

static void dump_times(const struct vcpu *vcpu, struct out *out)
{
	uint64_t host = 0, exits = 0;

	for (unsigned i = 0; i < EXIT_KIND_COUNT; i++) {
		exits += vcpu->stats.exit_count[i];
		host += vcpu->stats.exit_ticks[i];
	}
	out_print(out,
	        "  microseconds: in the guest %llu, in the hypervisor %llu, asleep %llu; %llu "
	        "exits\n",
	        (unsigned long long)exit_ticks_us(stats_guest_ticks(vcpu)),
	        (unsigned long long)exit_ticks_us(host),
	        (unsigned long long)exit_ticks_us(vcpu->stats.halted_ticks),
	        (unsigned long long)exits);
	out_print(out, "  the last exit of any sort was %llu microseconds ago\n",
	        (unsigned long long)exit_ticks_us(clock_tsc() - vcpu->exit_tsc));
}

static void dump_head(struct vcpu *vcpu, struct out *out)
{
	out_print(out, "vm %s vCPU %u: %s on CPU %u; %s, CPL %u, RIP %llx\n",
	        vcpu->vm->config->name, vcpu->index, state_name(vcpu), vcpu->cpu, mode_of(vcpu),
	        vcpu_cpl(vcpu), (unsigned long long)cpu_virt->get_reg(vcpu, REG_RIP));
}

void vcpu_dump_short(struct vcpu *vcpu, struct out *out)
{
	char line[OUT_LINE_MAX];

	dump_head(vcpu, out);
	if (exit_last_text(vcpu, line)) {
		out_print(out, "  last exit: %s\n", line);
	}
}

void vcpu_dump(struct vcpu *vcpu, struct out *out)
{
	dump_head(vcpu, out);
	dump_gpr(vcpu, out);
	dump_control(vcpu, out);
	dump_segments(vcpu, out);
	vcpu_dump_events(vcpu, out);
	dump_times(vcpu, out);
	exit_dump_last(vcpu, out);
}

void vcpu_dump_killed(struct vcpu *vcpu)
{
	struct exit_record record = {.tsc = vcpu->exit_tsc};
	struct exit_facts facts;
	char text[EXIT_TEXT_LEN];

	__builtin_memcpy(record.exit, &vcpu->exit, sizeof(record.exit));
	exit_facts_of_record(&facts, &record);
	facts.exit = vcpu->exit;
	exit_text(text, &facts);
	out_print(&out_error, "vm %s killed: %s\n", vcpu->vm->config->name, vcpu->kill_reason);
	out_print(&out_error, "  this exit: %s %s\n", exit_kind_names[vcpu->exit.kind], text);
	vcpu_dump(vcpu, &out_error);
	lapic_dump(&vcpu->lapic, &out_error);
	cpu_virt->vcpu_dump(vcpu, &out_error);
}
