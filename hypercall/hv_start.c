// SPDX-License-Identifier: BSD-2-Clause
/*
 * Starting a VP that waits for SIPI, with all its registers. They are loaded on its own CPU, so
 * the call is executed again until that has happened.
 *
 * The guest's registers are checked before: a state that the processor would not enter is refused,
 * and is nobody's end. What concerns control registers is left to the code of their instructions.
 *
 * Specs: [TLFS] "HvCallStartVirtualProcessor"; [SDM3] "Checks on the Guest State Area".
 */
#include "hypercall/hv.h"
#include "hypercall/hypercall.h"
#include "vmm/cr.h"
#include "vmm/event.h"

/* state: a phase, and above it who asked: a VP's index, and which of its lives, so that what it
 * asked before an INIT is not answered to it after that. */
enum phase { IDLE, ASKED, STARTED, REFUSED };
#define PHASE 0xffU
#define ASKER_SHIFT 8
#define LIFE_SHIFT 16
_Static_assert(MAX_VCPUS <= 1U << (LIFE_SHIFT - ASKER_SHIFT), "an asker's index");

#define RFLAGS_RESERVED (~0x3f7fd7ULL)
#define RFLAGS_ONE 2ULL
#define RFLAGS_VM_BIT (1ULL << 17)
#define ATTR_RESERVED 0x0f00U
#define ATTR_CODE 8U
#define ATTR_RW 2U /* readable code, writable data */
#define ATTR_ACCESSED 1U
#define TYPE_LDT 2U
#define TYPE_BUSY_TSS 11U
#define SELECTOR_TI 4U
#define LIMIT_LOW 0xfffU
#define LIMIT_HIGH 0xfff00000U

static bool canonical(uint64_t v)
{
	return (uint64_t)((int64_t)(v << 16) >> 16) == v;
}

static bool present(const struct hv_segment *s)
{
	return s->attributes & SEG_ATTR_P;
}

static unsigned type_of(const struct hv_segment *s)
{
	return s->attributes & SEG_ATTR_TYPE;
}

static bool limit_valid(const struct hv_segment *s)
{
	bool pages = s->attributes & SEG_ATTR_G;

	return pages ? (s->limit & LIMIT_LOW) == LIMIT_LOW : !(s->limit & LIMIT_HIGH);
}

/* Code or data for CPL 0. */
static bool user_segment_valid(const struct hv_segment *s)
{
	return (s->attributes & SEG_ATTR_S) && !(s->attributes & ATTR_RESERVED) &&
	       !(s->attributes & 3U << SEG_ATTR_DPL_SHIFT) && (s->selector & 3) == 0 &&
	       (type_of(s) & ATTR_ACCESSED) && limit_valid(s);
}

static bool system_segment_valid(const struct hv_segment *s, unsigned type)
{
	return !(s->attributes & (SEG_ATTR_S | ATTR_RESERVED)) && type_of(s) == type &&
	       !(s->selector & SELECTOR_TI) && canonical(s->base) && limit_valid(s);
}

static bool code_valid(const struct hv_segment *s, bool long_mode)
{
	bool wide = s->attributes & SEG_ATTR_L;

	return present(s) && user_segment_valid(s) && (type_of(s) & ATTR_CODE) &&
	       s->base >> 32 == 0 && (!wide || (long_mode && !(s->attributes & SEG_ATTR_DB)));
}

static bool stack_valid(const struct hv_segment *s)
{
	return !present(s) || (user_segment_valid(s) && !(type_of(s) & ATTR_CODE) &&
	                              (type_of(s) & ATTR_RW) && s->base >> 32 == 0);
}

static bool data_valid(const struct hv_segment *s, bool any_base)
{
	return !present(s) ||
	       (user_segment_valid(s) && (!(type_of(s) & ATTR_CODE) || (type_of(s) & ATTR_RW)) &&
	               (any_base ? canonical(s->base) : s->base >> 32 == 0));
}

static bool pat_valid(uint64_t pat)
{
	for (unsigned i = 0; i < 8; i++) {
		unsigned type = (pat >> (8 * i)) & 0xff;

		if (type > 7 || type == 2 || type == 3) {
			return false;
		}
	}
	return true;
}

static bool context_valid(const struct hv_vp_context *c)
{
	bool long_mode = (c->efer & EFER_LME) && (c->cr0 & CR0_PG);
	bool wide = c->cs.attributes & SEG_ATTR_L;

	return (c->cr0 & CR0_PE) && !(c->rflags & (RFLAGS_RESERVED | RFLAGS_VM_BIT)) &&
	       (c->rflags & RFLAGS_ONE) && (wide ? canonical(c->rip) : c->rip >> 32 == 0) &&
	       code_valid(&c->cs, long_mode) && stack_valid(&c->ss) && data_valid(&c->ds, false) &&
	       data_valid(&c->es, false) && data_valid(&c->fs, true) && data_valid(&c->gs, true) &&
	       present(&c->tr) && system_segment_valid(&c->tr, TYPE_BUSY_TSS) &&
	       (!present(&c->ldtr) || system_segment_valid(&c->ldtr, TYPE_LDT)) &&
	       canonical(c->idtr.base) && canonical(c->gdtr.base) && pat_valid(c->pat);
}

/* --- on the VP's own CPU --- */

static void load_segment(struct vcpu *vcpu, enum vcpu_seg seg, const struct hv_segment *from)
{
	const struct segment s = {
	        .base = from->base,
	        .limit = from->limit,
	        .selector = from->selector,
	        .attr = from->attributes,
	        .unusable = !present(from),
	};

	cpu_virt->set_seg(vcpu, seg, &s);
}

static bool load(struct vcpu *vcpu, const struct hv_vp_context *c)
{
	const struct desc_table gdt = {.base = c->gdtr.base, .limit = c->gdtr.limit};
	const struct desc_table idt = {.base = c->idtr.base, .limit = c->idtr.limit};

	if (!efer_write(vcpu, c->efer & ~EFER_LMA) || cr_write(vcpu, 3, c->cr3) != ACT_SKIP ||
	        cr_write(vcpu, 4, c->cr4) != ACT_SKIP || cr_write(vcpu, 0, c->cr0) != ACT_SKIP) {
		return false;
	}
	load_segment(vcpu, SEG_CS, &c->cs);
	load_segment(vcpu, SEG_DS, &c->ds);
	load_segment(vcpu, SEG_ES, &c->es);
	load_segment(vcpu, SEG_FS, &c->fs);
	load_segment(vcpu, SEG_GS, &c->gs);
	load_segment(vcpu, SEG_SS, &c->ss);
	load_segment(vcpu, SEG_TR, &c->tr);
	load_segment(vcpu, SEG_LDTR, &c->ldtr);
	cpu_virt->set_table(vcpu, false, &gdt);
	cpu_virt->set_table(vcpu, true, &idt);
	cpu_virt->set_reg(vcpu, REG_PAT, c->pat);
	cpu_virt->set_reg(vcpu, REG_RIP, c->rip);
	cpu_virt->set_reg(vcpu, REG_RSP, c->rsp);
	cpu_virt->set_reg(vcpu, REG_RFLAGS, c->rflags);
	return true;
}

static void start(struct vcpu *vcpu, void *arg)
{
	struct hv_start *s = arg;
	uint32_t asker = s->state & ~PHASE;
	enum phase phase = REFUSED;

	if (vcpu->state == VCPU_STOPPED) {
		phase = IDLE; /* the VM is paused: the caller asks again */
	} else if (vcpu->state == VCPU_WAIT_SIPI) {
		if (load(vcpu, &s->context)) {
			vcpu->state = VCPU_RUNNABLE;
			phase = STARTED;
		} else {
			vcpu_init_signal(vcpu); /* nothing of it, and no fault, is left */
		}
	}
	__atomic_store_n(&s->state, asker | phase, __ATOMIC_RELEASE);
}

/* --- on the caller's --- */

static const struct hv_call_result again = {.again = true};

static struct hv_call_result ask(
        struct vcpu *target, uint32_t seen, uint32_t asker, const struct hv_vp_context *context)
{
	struct hv_start *s = &hv_vcpu(target)->start;

	if (__atomic_load_n(&target->state, __ATOMIC_RELAXED) != VCPU_WAIT_SIPI) {
		return hv_call_done(HV_STATUS_INVALID_VP_STATE);
	}
	if (!__atomic_compare_exchange_n(
	            &s->state, &seen, asker | ASKED, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
		return again;
	}
	s->context = *context;
	s->call = (struct vcpu_call){.fn = start, .arg = s};
	if (!vcpu_call(target, &s->call)) {
		/* Somebody looks at its registers. */
		__atomic_store_n(&s->state, IDLE, __ATOMIC_RELEASE);
	}
	return again;
}

struct hv_call_result hv_call_start_vp(struct vcpu *vcpu, const struct hv_call_args *args)
{
	const struct hv_start_input *in = (const struct hv_start_input *)args->input;
	uint32_t asker = vcpu->index << ASKER_SHIFT | hv_vcpu(vcpu)->lives << LIFE_SHIFT;
	struct vcpu *target;
	enum hv_status status = hv_call_vp(vcpu, in->partition, in->vtl, in->vp_index, &target);
	uint32_t state;

	if (status == HV_STATUS_SUCCESS && target == vcpu) {
		status = HV_STATUS_INVALID_VP_STATE;
	}
	if (status == HV_STATUS_SUCCESS && !context_valid(&in->context)) {
		status = HV_STATUS_INVALID_PARAMETER;
	}
	if (status != HV_STATUS_SUCCESS) {
		return hv_call_done(status);
	}
	state = __atomic_load_n(&hv_vcpu(target)->start.state, __ATOMIC_ACQUIRE);
	if ((state & PHASE) == ASKED) {
		return (state & ~PHASE) == asker ? again : hv_call_done(HV_STATUS_INVALID_VP_STATE);
	}
	/* An answer that its asker has not come for is taken with the next question. */
	if ((state & PHASE) == IDLE || (state & ~PHASE) != asker) {
		return ask(target, state, asker, &in->context);
	}
	__atomic_store_n(&hv_vcpu(target)->start.state, IDLE, __ATOMIC_RELEASE);
	return hv_call_done(
	        (state & PHASE) == STARTED ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER);
}
