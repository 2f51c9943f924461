// SPDX-License-Identifier: BSD-2-Clause
// An exit in words: kind, and what tells it from others of its kind.
// Specs: [SDM3] "Exit Qualification" and its tables, for the meaning of struct vcpu_exit.
#include "vmm/exit_text.h"
#include "vmm/hw/clock.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/out.h"
#include "vmm/lib/string.h"

static const char *const gpr_names[REG_GPR_COUNT] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
        "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};

static const char *const exception_names[32] = {
        [X86_DE] = "#DE",
        [X86_DB] = "#DB",
        [X86_NMI] = "NMI",
        [X86_BP] = "#BP",
        [X86_OF] = "#OF",
        [X86_BR] = "#BR",
        [X86_UD] = "#UD",
        [X86_NM] = "#NM",
        [X86_DF] = "#DF",
        [X86_TS] = "#TS",
        [X86_NP] = "#NP",
        [X86_SS] = "#SS",
        [X86_GP] = "#GP",
        [X86_PF] = "#PF",
        [X86_MF] = "#MF",
        [X86_AC] = "#AC",
        [X86_MC] = "#MC",
        [X86_XM] = "#XM",
        [X86_VE] = "#VE",
        [X86_CP] = "#CP",
};

struct text {
	char *buf;
	size_t used; /* < EXIT_TEXT_LEN */
};

static void add(struct text *t, const char *fmt, ...) __printf(2, 3);

static void add(struct text *t, const char *fmt, ...)
{
	size_t room = EXIT_TEXT_LEN - t->used, n;
	va_list ap;

	va_start(ap, fmt);
	n = fmt_vprint(t->buf + t->used, room, fmt, ap);
	va_end(ap);
	t->used += n < room ? n : room - 1;
}

static void add_values(struct text *t, const struct exit_facts *f)
{
	if (f->has_in) {
		add(t, " %#llx%s", (unsigned long long)f->in, f->low_half ? " (low half)" : "");
	}
	if (f->has_out) {
		add(t, " = %#llx", (unsigned long long)f->out);
	}
}

static void add_io(struct text *t, const struct exit_facts *f)
{
	const struct vcpu_exit *e = &f->exit;

	add(t, "%s%s%s %#x/%u", e->io.string && e->io.rep ? "rep " : "", e->io.in ? "in" : "out",
	        e->io.string ? "s" : "", e->io.port, e->io.width);
	add_values(t, f);
}

static void add_mem(struct text *t, const struct exit_facts *f)
{
	const struct vcpu_exit *e = &f->exit;

	add(t, "%s%s%s %#llx", e->mem_access & MEM_ACCESS_READ ? "r" : "",
	        e->mem_access & MEM_ACCESS_WRITE ? "w" : "",
	        e->mem_access & MEM_ACCESS_FETCH ? "x" : "", (unsigned long long)e->mem.gpa.v);
	if (e->mem.in_walk) {
		add(t, ", not by the instruction itself");
	}
	if (e->mem.mapped) {
		add(t, ", not permitted so");
	}
}

static void add_cr(struct text *t, const struct exit_facts *f)
{
	const struct vcpu_exit *e = &f->exit;
	const char *reg = gpr_names[e->cr.reg & 15U];

	if (e->cr.clts) {
		add(t, "clts");
	} else if (e->cr.lmsw) {
		add(t, "lmsw %#x", e->cr.lmsw_value);
	} else if (e->cr.write) {
		add(t, "mov cr%u, %s", e->cr.cr, reg);
		add_values(t, f);
	} else {
		add(t, "mov %s, cr%u", reg, e->cr.cr);
		add_values(t, f);
	}
}

static void add_dr(struct text *t, const struct exit_facts *f)
{
	const struct vcpu_exit *e = &f->exit;
	const char *reg = gpr_names[e->dr.reg & 15U];

	if (e->dr.write) {
		add(t, "mov dr%u, %s", e->dr.dr, reg);
	} else {
		add(t, "mov %s, dr%u", reg, e->dr.dr);
	}
	add_values(t, f);
}

static void add_exception(struct text *t, const struct exit_facts *f)
{
	const struct vcpu_exit *e = &f->exit;
	const char *name = exception_names[e->exception.vector & 31U];

	if (e->exception.vector < 32 && name) {
		add(t, "%s", name);
	} else {
		add(t, "vector %u", e->exception.vector);
	}
	if (e->exception.has_error) {
		add(t, " error %#x", e->exception.error);
	}
	if (e->exception.vector == X86_PF) {
		add(t, " at %#llx", (unsigned long long)e->exception.dr6);
	} else if (e->exception.vector == X86_DB) {
		add(t, " dr6 %#llx", (unsigned long long)e->exception.dr6);
	}
}

/* Kinds of which all is said by their name, and the back end's reason. */
static void add_reason(struct text *t, const struct exit_facts *f)
{
	const char *name = cpu_virt->exit_name(f->exit.raw_reason);

	add(t, "%s", name ? name : "-");
}

void exit_text(char text[EXIT_TEXT_LEN], const struct exit_facts *f)
{
	static const char *const sources[] = {
	        [TASK_CALL] = "call",
	        [TASK_IRET] = "iret",
	        [TASK_JMP] = "jmp",
	        [TASK_IDT_GATE] = "IDT gate",
	};
	const struct vcpu_exit *e = &f->exit;
	struct text t = {.buf = text};

	text[0] = '\0';
	switch (e->kind) {
	case EXIT_CPUID:
		add(&t, "leaf %#x", f->number);
		add_values(&t, f);
		break;
	case EXIT_IO:
		add_io(&t, f);
		break;
	case EXIT_MEM:
		add_mem(&t, f);
		break;
	case EXIT_RDMSR:
	case EXIT_WRMSR:
	case EXIT_XSETBV:
		add(&t, "%#x", f->number);
		add_values(&t, f);
		break;
	case EXIT_CR:
		add_cr(&t, f);
		break;
	case EXIT_DR:
		add_dr(&t, f);
		break;
	case EXIT_EXCEPTION:
		add_exception(&t, f);
		break;
	case EXIT_TASK_SWITCH:
		add(&t, "to %#x by %s", e->task.selector, sources[e->task.source & 3U]);
		break;
	case EXIT_APIC_WRITE:
		add(&t, "offset %#x", e->apic.offset);
		break;
	case EXIT_EOI:
		add(&t, "vector %#x", e->eoi.vector);
		break;
	case EXIT_HYPERCALL:
		add_reason(&t, f);
		add_values(&t, f);
		break;
	case EXIT_NONE:
	case EXIT_MWAIT:
	case EXIT_UNDEFINED:
	case EXIT_PRIVILEGED:
	case EXIT_CACHE:
	case EXIT_SIGNAL:
	case EXIT_FAILED:
		add_reason(&t, f);
		break;
	case EXIT_HLT:
	case EXIT_PAUSE:
	case EXIT_TRIPLE_FAULT:
	case EXIT_TPR_BELOW:
	case EXIT_KIND_COUNT:
		break;
	}
}

void exit_facts_of_record(struct exit_facts *f, const struct exit_record *record)
{
	memset(f, 0, sizeof(*f));
	/* What a record lacks stays 0: the address of a page fault, how memory was walked to. */
	memcpy(&f->exit, record->exit, sizeof(record->exit));
	switch (f->exit.kind) {
	case EXIT_CPUID:
		f->number = f->exit.regs.eax;
		f->in = f->exit.regs.ecx;
		f->has_in = true;
		break;
	case EXIT_RDMSR:
		f->number = f->exit.regs.ecx;
		break;
	case EXIT_WRMSR:
	case EXIT_XSETBV:
		f->number = f->exit.regs.ecx;
		f->in = f->exit.regs.eax;
		f->has_in = f->low_half = true;
		break;
	case EXIT_HYPERCALL:
		f->in = f->exit.call.rcx;
		f->has_in = true;
		break;
	case EXIT_IO:
		f->has_in = !f->exit.io.in && !f->exit.io.string;
		f->in = f->exit.io.eax & (uint32_t)((1ULL << 8 * (f->exit.io.width & 7U)) - 1);
		break;
	case EXIT_NONE:
	case EXIT_MEM:
	case EXIT_CR:
	case EXIT_DR:
	case EXIT_HLT:
	case EXIT_PAUSE:
	case EXIT_MWAIT:
	case EXIT_EXCEPTION:
	case EXIT_UNDEFINED:
	case EXIT_PRIVILEGED:
	case EXIT_CACHE:
	case EXIT_TASK_SWITCH:
	case EXIT_TRIPLE_FAULT:
	case EXIT_TPR_BELOW:
	case EXIT_APIC_WRITE:
	case EXIT_EOI:
	case EXIT_SIGNAL:
	case EXIT_FAILED:
	case EXIT_KIND_COUNT:
		break;
	}
}

uint64_t exit_ticks_us(uint64_t ticks)
{
	uint64_t hz = clock_tsc_hz();

	return hz ? ticks / hz * 1000000 + ticks % hz * 1000000 / hz : 0;
}

/* "   12.345678 s ago  io           out 0x3f8/1 0x41"; false = nothing written there yet. */
static bool record_line(char line[OUT_LINE_MAX], const struct exit_record *r, uint64_t now)
{
	uint64_t us = exit_ticks_us(now > r->tsc ? now - r->tsc : 0);
	char text[EXIT_TEXT_LEN];
	struct exit_facts facts;

	exit_facts_of_record(&facts, r);
	if (facts.exit.kind == EXIT_NONE || facts.exit.kind >= EXIT_KIND_COUNT) {
		return false;
	}
	exit_text(text, &facts);
	fmt_print(line, OUT_LINE_MAX, "%3llu.%06llu s ago  %-*s%s",
	        (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000),
	        text[0] ? 13 : 0, exit_kind_names[facts.exit.kind], text);
	return true;
}

/* back: 0 = the newest. */
static const struct exit_record *record_at(const struct vcpu *vcpu, unsigned back)
{
	size_t next = (size_t)(vcpu->next_exit - vcpu->last_exits);

	return &vcpu->last_exits[(next + 2 * EXIT_RECORDS - 1 - back) % EXIT_RECORDS];
}

bool exit_last_text(const struct vcpu *vcpu, char line[OUT_LINE_MAX])
{
	return record_line(line, record_at(vcpu, 0), clock_tsc());
}

void exit_dump_last(const struct vcpu *vcpu, struct out *out)
{
	uint64_t now = clock_tsc();
	unsigned n = 0;

	out_print(out, "  last exits, the newest last (host interrupts and windows left out):\n");
	for (unsigned back = EXIT_RECORDS; back-- > 0;) {
		char line[OUT_LINE_MAX];

		if (record_line(line, record_at(vcpu, back), now)) {
			out_print(out, "    %s\n", line);
			n++;
		}
	}
	if (n == 0) {
		out_print(out, "    none yet\n");
	}
}
