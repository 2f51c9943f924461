// SPDX-License-Identifier: BSD-2-Clause
/*
 * Switches tasks as the processor would: old state to its TSS, new state from its TSS.
 * Specs: [SDM3] "Task Switching", "Task Linking", "Use of Busy Flag to Prevent Recursive Task
 * Switching", "Executing a 16-Bit TSS Task" (16-bit TSSs), "Debug Registers" (DR7), "Treatment of
 * Task Switches", "Exit Qualification for Task Switches"; [SDM2] "CALL - Call Procedure", "INT
 * n/INTO/INT3/INT1", "IRET/IRETD/IRETQ".
 */
#include "vmm/task_switch.h"

#include "vmm/cr.h"
#include "vmm/emul_mem.h"
#include "vmm/lib/string.h"
#include "vmm/task_seg.h"

/* EFLAGS bits that exist; the entry refuses others. */
#define EFLAGS_DEFINED 0x3f7fd7ULL
#define DR6_BT BIT64(15)
#define DR7_LOCAL 0x155ULL /* L0-L3, LE */

/* A TSS of either size, as far as a switch looks at it. */
struct task_state {
	uint32_t cr3, eip, eflags, gpr[TSS_GPRS];
	uint16_t seg[SEG_GS + 1], ldt;
	bool trap;
};

union tss {
	struct tss32 tss32;
	struct tss16 tss16;
};

static bool is_32bit(const struct segment *tss)
{
	return (tss->attr & SEG_ATTR_TYPE & ~DESC_TSS_BUSY) == DESC_TSS32;
}

static uint32_t tss_size(const struct segment *tss)
{
	return is_32bit(tss) ? sizeof(struct tss32) : sizeof(struct tss16);
}

static enum exit_action write_busy(struct task *t, struct descriptor *d, bool busy)
{
	uint8_t access = (uint8_t)(d->seg.attr & ~DESC_TSS_BUSY);

	access |= busy ? DESC_TSS_BUSY : 0;
	return task_write(t, d->va + DESC_ACCESS_BYTE, &access, sizeof(access));
}

/* The new TSS's descriptor: is it a task that may be switched to? */
static enum exit_action find_new(struct task *t, uint16_t selector, struct descriptor *d)
{
	bool iret = t->source == TASK_IRET;
	enum x86_exception vector = iret ? X86_TS : X86_GP;
	enum exit_action action;
	unsigned type;

	if ((selector & SEL_ERROR) == 0 || (selector & SEL_TI)) {
		return task_fault(t, vector, selector);
	}
	action = task_descriptor(t, selector, vector, d);
	if (action != ACT_RESUME) {
		return action;
	}
	/* A caller's TSS is busy, any other must not be. */
	type = d->seg.attr & (SEG_ATTR_S | SEG_ATTR_TYPE);
	if (iret) {
		type ^= DESC_TSS_BUSY;
	}
	if (type != DESC_TSS16 && type != DESC_TSS32) {
		return task_fault(t, vector, selector);
	}
	if (!(d->seg.attr & SEG_ATTR_P)) {
		return task_fault(t, X86_NP, selector);
	}
	if (d->seg.limit < tss_size(&d->seg) - 1) {
		return task_fault(t, X86_TS, selector);
	}
	return ACT_RESUME;
}

/* --- the old task --- */

/* What the old task goes on with: past the instruction that switched, or at one that faulted. */
static uint32_t old_eip(struct task *t, const struct vcpu_exit *exit)
{
	const struct event *event = &t->vcpu->pending;
	uint64_t rip = cpu_virt->get_reg(t->vcpu, REG_RIP);

	if (t->source != TASK_IDT_GATE) {
		return (uint32_t)(rip + exit->task.insn_len);
	}
	if (event->type == EVENT_SOFT_INTERRUPT || event->type == EVENT_SOFT_EXCEPTION ||
	        event->type == EVENT_PRIV_SOFT_EXCEPTION) {
		return (uint32_t)(rip + event->insn_len);
	}
	return (uint32_t)rip;
}

static void get_state(struct task *t, const struct vcpu_exit *exit, struct task_state *s)
{
	struct segment seg;

	s->eip = old_eip(t, exit);
	s->eflags = (uint32_t)cpu_virt->get_reg(t->vcpu, REG_RFLAGS);
	if (t->source == TASK_IRET) {
		s->eflags &= ~(uint32_t)RFLAGS_NT;
	}
	for (unsigned i = 0; i < TSS_GPRS; i++) {
		s->gpr[i] = (uint32_t)vcpu_reg_get(t->vcpu, i);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(s->seg); i++) {
		cpu_virt->get_seg(t->vcpu, i, &seg);
		s->seg[i] = seg.selector;
	}
}

static enum exit_action save32(struct task *t, uint64_t base, const struct task_state *s)
{
	const size_t from = offsetof(struct tss32, eip), to = offsetof(struct tss32, ldt);
	struct tss32 tss = {.eip = s->eip, .eflags = s->eflags};

	memcpy(tss.gpr, s->gpr, sizeof(tss.gpr));
	for (unsigned i = 0; i < ARRAY_SIZE(tss.seg); i++) {
		tss.seg[i].value = s->seg[i];
	}
	return task_write(t, base + from, (uint8_t *)&tss + from, to - from);
}

static enum exit_action save16(struct task *t, uint64_t base, const struct task_state *s)
{
	const size_t from = offsetof(struct tss16, ip), to = offsetof(struct tss16, ldt);
	struct tss16 tss = {.ip = (uint16_t)s->eip, .flags = (uint16_t)s->eflags};

	for (unsigned i = 0; i < ARRAY_SIZE(tss.gpr); i++) {
		tss.gpr[i] = (uint16_t)s->gpr[i];
	}
	memcpy(tss.seg, s->seg, sizeof(tss.seg));
	return task_write(t, base + from, (uint8_t *)&tss + from, to - from);
}

static enum exit_action save_old(
        struct task *t, const struct vcpu_exit *exit, const struct segment *tr)
{
	struct task_state s;

	if (tr->limit < tss_size(tr) - 1) {
		return task_fault(t, X86_TS, tr->selector);
	}
	get_state(t, exit, &s);
	return is_32bit(tr) ? save32(t, tr->base, &s) : save16(t, tr->base, &s);
}

/* --- the new task --- */

static enum exit_action read_new(struct task *t, const struct segment *tss, struct task_state *s)
{
	union tss raw = {0};
	enum exit_action action = task_read(t, tss->base, &raw, tss_size(tss));

	*s = (struct task_state){0};
	if (is_32bit(tss)) {
		s->cr3 = raw.tss32.cr3;
		s->eip = raw.tss32.eip;
		s->eflags = raw.tss32.eflags;
		memcpy(s->gpr, raw.tss32.gpr, sizeof(s->gpr));
		for (unsigned i = 0; i < ARRAY_SIZE(s->seg); i++) {
			s->seg[i] = raw.tss32.seg[i].value;
		}
		s->ldt = raw.tss32.ldt.value;
		s->trap = (raw.tss32.trap & TSS_TRAP) != 0;
	} else {
		/* The upper halves are zero, FS and GS null: a 16-bit task knows of neither. */
		s->eip = raw.tss16.ip;
		s->eflags = raw.tss16.flags;
		for (unsigned i = 0; i < ARRAY_SIZE(s->gpr); i++) {
			s->gpr[i] = raw.tss16.gpr[i];
		}
		memcpy(s->seg, raw.tss16.seg, sizeof(raw.tss16.seg));
		s->ldt = raw.tss16.ldt;
	}
	return action;
}

/*
 * Everything that the switch writes to memory, while the old task can still take a fault: first
 * what changes nothing that anybody reads, then the back link and the busy flags. The new
 * descriptor is written as it is to find out whether it can be.
 */
static enum exit_action write_memory(struct task *t, const struct vcpu_exit *exit,
        const struct segment *tr, struct descriptor *to)
{
	bool nest = t->source == TASK_CALL || t->source == TASK_IDT_GATE;
	enum exit_action action = save_old(t, exit, tr);
	struct descriptor from;

	if (action == ACT_RESUME && t->source != TASK_IRET) {
		action = write_busy(t, to, false);
	}
	if (action == ACT_RESUME && nest) {
		action = task_write(t, to->seg.base, &tr->selector, sizeof(tr->selector));
	}
	if (action == ACT_RESUME && !nest) {
		action = task_descriptor(t, tr->selector, X86_TS, &from);
		if (action == ACT_RESUME) {
			action = write_busy(t, &from, false);
		}
	}
	if (action == ACT_RESUME && t->source != TASK_IRET) {
		action = write_busy(t, to, true);
	}
	return action;
}

/* [SDM3] "Task Switching", steps 11 and 12: nothing in here faults. */
static void load_state(struct task *t, const struct descriptor *to, const struct task_state *s)
{
	bool nest = t->source == TASK_CALL || t->source == TASK_IDT_GATE;
	struct vcpu *vcpu = t->vcpu;
	struct segment tr = to->seg;
	uint64_t eflags = (s->eflags & EFLAGS_DEFINED) | RFLAGS_FIXED1 | (nest ? RFLAGS_NT : 0);

	tr.attr |= DESC_TSS_BUSY;
	cpu_virt->set_seg(vcpu, SEG_TR, &tr);
	cpu_virt->set_reg(vcpu, REG_CR0, cpu_virt->get_reg(vcpu, REG_CR0) | CR0_TS);
	cpu_virt->set_reg(vcpu, REG_DR7, cpu_virt->get_reg(vcpu, REG_DR7) & ~DR7_LOCAL);
	/* Ends the old task's interrupt shadow; without TF, as no trap of its follows it here. */
	cpu_virt->set_reg(vcpu, REG_RFLAGS, RFLAGS_FIXED1);
	cpu_virt->skip_insn(vcpu, 0);
	cpu_virt->set_reg(vcpu, REG_RFLAGS, eflags);
	cpu_virt->set_reg(vcpu, REG_RIP, s->eip);
	for (unsigned i = 0; i < TSS_GPRS; i++) {
		vcpu_reg_set(vcpu, i, s->gpr[i]);
	}
	task_selectors(t, s->seg, s->ldt, (eflags & RFLAGS_VM) != 0, is_32bit(&to->seg));
}

/* On the new task's stack, in the width of its TSS. */
static enum exit_action push_error(struct task *t, uint32_t error, unsigned width)
{
	struct vcpu *vcpu = t->vcpu;
	struct segment ss;
	struct emul e;
	uint64_t sp = cpu_virt->get_reg(vcpu, REG_RSP), mask, top;
	gva_t va;
	int err;

	cpu_virt->get_seg(vcpu, SEG_SS, &ss);
	mask = (ss.attr & SEG_ATTR_DB) ? 0xffffffffULL : 0xffffULL;
	top = (sp - width) & mask;
	emul_begin(&e, vcpu);
	if (emul_linear(&e, SEG_SS, top, width, WALK_WRITE, &va)) {
		return task_fault(t, X86_SS, 0);
	}
	err = guest_virt_write(vcpu, va, &error, width, &e.fault_va, &e.fault);
	if (err) {
		return emul_fail(&e, err);
	}
	cpu_virt->set_reg(vcpu, REG_RSP, (sp & ~mask) | top);
	return ACT_RESUME;
}

/* In the new task, before its first instruction. */
static enum exit_action enter(
        struct task *t, const struct task_state *s, const struct event *event, unsigned width)
{
	enum exit_action action = task_segments(t, (s->eflags & RFLAGS_VM) != 0);
	struct segment cs;

	if (action == ACT_RESUME && event->type != EVENT_NONE && event->has_error) {
		action = push_error(t, event->error, width);
	}
	if (action != ACT_RESUME) {
		return action;
	}
	cpu_virt->get_seg(t->vcpu, SEG_CS, &cs);
	if (s->eip > cs.limit) {
		return task_fault(t, X86_GP, 0);
	}
	/* The switch was the delivery. */
	t->vcpu->pending.type = EVENT_NONE;
	if (s->trap) {
		return dr_exception(t->vcpu, DR6_BT);
	}
	return ACT_RESUME;
}

static enum exit_action switch_tasks(struct task *t, const struct vcpu_exit *exit)
{
	struct vcpu *vcpu = t->vcpu;
	const struct event event = vcpu->pending; /* none, but for a gate of the IDT */
	struct descriptor to;
	struct task_state s;
	struct segment tr;
	enum exit_action action = find_new(t, exit->task.selector, &to);

	cpu_virt->get_seg(vcpu, SEG_TR, &tr);
	if (action == ACT_RESUME) {
		action = read_new(t, &to.seg, &s);
	}
	if (action == ACT_RESUME) {
		action = write_memory(t, exit, &tr, &to);
	}
	if (action == ACT_RESUME) {
		/* Again: a task may return to itself. */
		action = read_new(t, &to.seg, &s);
	}
	if (action != ACT_RESUME) {
		return action;
	}
	if (is_32bit(&to.seg) && (cpu_virt->get_reg(vcpu, REG_CR0) & CR0_PG) &&
	        s.cr3 != cpu_virt->get_reg(vcpu, REG_CR3)) {
		action = cr_write(vcpu, 3, s.cr3);
		if (action != ACT_SKIP) {
			return action;
		}
	}
	load_state(t, &to, &s);
	return enter(t, &s, &event, is_32bit(&to.seg) ? 4 : 2);
}

enum exit_action task_switch_handle_exit(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	struct task t = {.vcpu = vcpu, .source = exit->task.source & 3U};

	if (!(cpu_virt->get_reg(vcpu, REG_CR0) & CR0_PE) ||
	        (cpu_virt->get_reg(vcpu, REG_EFER) & EFER_LMA)) {
		return vcpu_kill(vcpu, "task switch in a mode that has none");
	}
	if (t.source == TASK_IDT_GATE) {
		/* [SDM3] "Error Code", EXT: not for INT n, INT3 and INTO. */
		t.ext = vcpu->pending.type != EVENT_SOFT_INTERRUPT &&
		        vcpu->pending.type != EVENT_SOFT_EXCEPTION;
		if (vcpu->pending.type == EVENT_NMI) {
			cpu_virt->set_nmi_blocked(vcpu, true);
		}
	} else if (t.source == TASK_IRET) {
		/* Even of an IRET that faults. */
		cpu_virt->set_nmi_blocked(vcpu, false);
	}
	return switch_tasks(&t, exit);
}
