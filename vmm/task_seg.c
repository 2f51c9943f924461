// SPDX-License-Identifier: BSD-2-Clause
/*
 * Loads the segment registers of a new task, with the checks of a task switch.
 * Specs: [SDM3] "Task Switching", table "Exception Conditions Checked During a Task Switch";
 * "Invalid TSS Exception (#TS)", table "Invalid TSS Conditions"; "Error Code"; "Segment
 * Descriptors"; [SDM3] "Virtual-8086 Mode", "8086 Address Translation".
 */
#include "vmm/task_seg.h"

#include "vmm/guest_walk.h"
#include "vmm/lib/err.h"
#include "vmm/lib/string.h"

#define ATTR_MASK 0xf0ffU
#define ATTR_V86 0xf3U
#define ATTR_CODE 0x9bU

enum exit_action task_fault(struct task *t, enum x86_exception vector, uint16_t selector)
{
	return vcpu_fault(t->vcpu, vector, (selector & SEL_ERROR) | t->ext);
}

static enum exit_action access_result(
        struct task *t, int err, gva_t fault_va, const struct walk_fault *fault)
{
	if (err == 0) {
		return ACT_RESUME;
	}
	if (err == -EFAULT) {
		return vcpu_page_fault(t->vcpu, fault_va, fault->error);
	}
	return vcpu_kill(t->vcpu, "task switch with tables outside its memory");
}

enum exit_action task_read(struct task *t, uint64_t va, void *buf, size_t len)
{
	struct walk_fault fault = {0};
	gva_t at = gva(0);
	int err = guest_system_read(t->vcpu, gva(va), buf, len, &at, &fault);

	return access_result(t, err, at, &fault);
}

enum exit_action task_write(struct task *t, uint64_t va, const void *buf, size_t len)
{
	struct walk_fault fault = {0};
	gva_t at = gva(0);
	int err = guest_system_write(t->vcpu, gva(va), buf, len, &at, &fault);

	return access_result(t, err, at, &fault);
}

static void decode(uint64_t raw, uint16_t selector, struct segment *out)
{
	uint32_t limit = (uint32_t)(raw & 0xffffU) | (uint32_t)(raw >> 32 & 0xf0000U);

	out->selector = selector;
	out->attr = (uint16_t)(raw >> 40 & ATTR_MASK);
	out->base = (raw >> 16 & 0xffffffU) | (raw >> 32 & 0xff000000U);
	out->limit = (out->attr & SEG_ATTR_G) ? limit << 12 | 0xfffU : limit;
	out->unusable = false;
}

enum exit_action task_descriptor(
        struct task *t, uint16_t selector, enum x86_exception vector, struct descriptor *out)
{
	uint64_t raw = 0, table;
	uint32_t limit;
	enum exit_action action;

	if (selector & SEL_TI) {
		struct segment ldt;

		cpu_virt->get_seg(t->vcpu, SEG_LDTR, &ldt);
		if (ldt.unusable) {
			return task_fault(t, vector, selector);
		}
		table = ldt.base;
		limit = ldt.limit;
	} else {
		struct desc_table gdt;

		cpu_virt->get_table(t->vcpu, false, &gdt);
		table = gdt.base;
		limit = gdt.limit;
	}
	if ((selector & SEL_INDEX) + DESC_SIZE - 1 > limit) {
		return task_fault(t, vector, selector);
	}
	out->va = table + (selector & SEL_INDEX);
	action = task_read(t, out->va, &raw, sizeof(raw));
	decode(raw, selector, &out->seg);
	return action;
}

static bool is_null(uint16_t selector)
{
	return (selector & SEL_ERROR) == 0;
}

static unsigned dpl_of(const struct segment *s)
{
	return s->attr >> SEG_ATTR_DPL_SHIFT & 3U;
}

static bool is_present(const struct segment *s)
{
	return (s->attr & SEG_ATTR_P) != 0;
}

/* Into the register; memory learns that the segment was used. */
static enum exit_action load(struct task *t, enum vcpu_seg seg, struct descriptor *d)
{
	enum exit_action action = ACT_RESUME;

	if (!(d->seg.attr & DESC_ACCESSED)) {
		uint8_t access = (uint8_t)(d->seg.attr | DESC_ACCESSED);

		action = task_write(t, d->va + DESC_ACCESS_BYTE, &access, sizeof(access));
		d->seg.attr |= DESC_ACCESSED;
	}
	if (action == ACT_RESUME) {
		cpu_virt->set_seg(t->vcpu, seg, &d->seg);
	}
	return action;
}

static enum exit_action load_ldtr(struct task *t, uint16_t selector)
{
	struct descriptor d;
	enum exit_action action;

	if (is_null(selector)) {
		return ACT_RESUME;
	}
	if (selector & SEL_TI) {
		return task_fault(t, X86_TS, selector);
	}
	action = task_descriptor(t, selector, X86_TS, &d);
	if (action != ACT_RESUME) {
		return action;
	}
	if ((d.seg.attr & (SEG_ATTR_S | SEG_ATTR_TYPE)) != DESC_LDT || !is_present(&d.seg)) {
		return task_fault(t, X86_TS, selector);
	}
	cpu_virt->set_seg(t->vcpu, SEG_LDTR, &d.seg);
	return ACT_RESUME;
}

static enum exit_action load_ss(struct task *t, uint16_t selector, unsigned cpl)
{
	struct descriptor d;
	enum exit_action action;

	if (is_null(selector)) {
		return task_fault(t, X86_TS, selector);
	}
	action = task_descriptor(t, selector, X86_TS, &d);
	if (action != ACT_RESUME) {
		return action;
	}
	if ((d.seg.attr & (SEG_ATTR_S | DESC_CODE | DESC_WRITABLE)) !=
	        (SEG_ATTR_S | DESC_WRITABLE)) {
		return task_fault(t, X86_TS, selector);
	}
	if (!is_present(&d.seg)) {
		return task_fault(t, X86_SS, selector);
	}
	if (dpl_of(&d.seg) != cpl || (selector & SEL_RPL) != cpl) {
		return task_fault(t, X86_TS, selector);
	}
	return load(t, SEG_SS, &d);
}

static enum exit_action load_cs(struct task *t, uint16_t selector, unsigned cpl)
{
	struct descriptor d;
	enum exit_action action;
	unsigned dpl;

	if (is_null(selector)) {
		return task_fault(t, X86_TS, selector);
	}
	action = task_descriptor(t, selector, X86_TS, &d);
	if (action != ACT_RESUME) {
		return action;
	}
	if ((d.seg.attr & (SEG_ATTR_S | DESC_CODE)) != (SEG_ATTR_S | DESC_CODE)) {
		return task_fault(t, X86_TS, selector);
	}
	dpl = dpl_of(&d.seg);
	if ((d.seg.attr & DESC_CONFORMING) ? dpl > cpl : dpl != cpl) {
		return task_fault(t, X86_TS, selector);
	}
	if (!is_present(&d.seg)) {
		return task_fault(t, X86_NP, selector);
	}
	return load(t, SEG_CS, &d);
}

static enum exit_action load_data(
        struct task *t, enum vcpu_seg seg, uint16_t selector, unsigned cpl)
{
	struct descriptor d;
	enum exit_action action;
	bool code;

	if (is_null(selector)) {
		return ACT_RESUME;
	}
	action = task_descriptor(t, selector, X86_TS, &d);
	if (action != ACT_RESUME) {
		return action;
	}
	code = (d.seg.attr & DESC_CODE) != 0;
	if (!(d.seg.attr & SEG_ATTR_S) || (code && !(d.seg.attr & DESC_READABLE))) {
		return task_fault(t, X86_TS, selector);
	}
	if (!is_present(&d.seg)) {
		return task_fault(t, X86_NP, selector);
	}
	if (!(code && (d.seg.attr & DESC_CONFORMING)) &&
	        ((selector & SEL_RPL) > dpl_of(&d.seg) || cpl > dpl_of(&d.seg))) {
		return task_fault(t, X86_TS, selector);
	}
	return load(t, seg, &d);
}

/*
 * A fault in one of the descriptors is taken by the new task, with every selector in its
 * register ([SDM3] "Task Switching", step 13). The entry wants some CS of the new CPL: nobody
 * executes from it, and SS, of that level though unusable, takes no push.
 */
void task_selectors(
        struct task *t, const uint16_t seg[SEG_GS + 1], uint16_t ldt, bool v86, bool code32)
{
	uint16_t cpl = v86 ? 3 : seg[SEG_CS] & SEL_RPL;
	struct segment s;

	for (enum vcpu_seg i = SEG_ES; i <= SEG_GS; i++) {
		s = (struct segment){.selector = seg[i]};
		if (v86) {
			s.base = (uint32_t)seg[i] << 4;
			s.limit = 0xffff;
			s.attr = ATTR_V86;
		} else if (i == SEG_CS) {
			s.limit = 0xffffffff;
			s.attr = (uint16_t)(ATTR_CODE | SEG_ATTR_G | (code32 ? SEG_ATTR_DB : 0) |
			                    cpl << SEG_ATTR_DPL_SHIFT);
		} else {
			s.attr = (uint16_t)(cpl << SEG_ATTR_DPL_SHIFT);
			s.unusable = true;
		}
		cpu_virt->set_seg(t->vcpu, i, &s);
	}
	s = (struct segment){.selector = ldt, .unusable = true};
	cpu_virt->set_seg(t->vcpu, SEG_LDTR, &s);
}

/*
 * In the order of the SDM's table as to the registers; where one task has two faults, processors
 * differ in which they report.
 */
enum exit_action task_segments(struct task *t, bool v86)
{
	static const enum vcpu_seg data[] = {SEG_DS, SEG_ES, SEG_FS, SEG_GS};
	struct segment s[SEG_COUNT];
	enum exit_action action;
	unsigned cpl;

	for (enum vcpu_seg i = SEG_ES; i < SEG_COUNT; i++) {
		cpu_virt->get_seg(t->vcpu, i, &s[i]);
	}
	action = load_ldtr(t, s[SEG_LDTR].selector);
	if (v86 || action != ACT_RESUME) {
		return action;
	}
	cpl = s[SEG_CS].selector & SEL_RPL;
	action = load_ss(t, s[SEG_SS].selector, cpl);
	if (action == ACT_RESUME) {
		action = load_cs(t, s[SEG_CS].selector, cpl);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(data) && action == ACT_RESUME; i++) {
		action = load_data(t, data[i], s[data[i]].selector, cpl);
	}
	return action;
}
