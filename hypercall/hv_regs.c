// SPDX-License-Identifier: BSD-2-Clause
/*
 * A VP reads and writes registers by number: its own at once; another's by that one's CPU, some at
 * a time, while the call is executed again until they are there.
 *
 * What can be written is what needs no check that the instruction would not make: general registers
 * and synthetic ones. Control registers have their own instructions.
 *
 * Specs: [TLFS] "HvCallGetVpRegisters", "HvCallSetVpRegisters", "HV_REGISTER_NAME".
 */
#include "hypercall/hv.h"
#include "hypercall/hypercall.h"
#include "vmm/cr.h"
#include "vmm/vm_clock.h"

enum phase { IDLE, ASKED, ANSWERED };

/* Those that are MSRs, too. */
static const struct {
	uint32_t first, last, msr;
} synthetic[] = {
        {HV_REG_VP_RUNTIME, HV_REG_VP_RUNTIME, HV_MSR_VP_RUNTIME},
        {HV_REG_HYPERCALL, HV_REG_HYPERCALL, HV_MSR_HYPERCALL},
        {HV_REG_GUEST_OS_ID, HV_REG_GUEST_OS_ID, HV_MSR_GUEST_OS_ID},
        {HV_REG_VP_INDEX, HV_REG_VP_INDEX, HV_MSR_VP_INDEX},
        {HV_REG_TIME_REF_COUNT, HV_REG_TIME_REF_COUNT, HV_MSR_TIME_REF_COUNT},
        {HV_REG_VP_ASSIST_PAGE, HV_REG_VP_ASSIST_PAGE, HV_MSR_VP_ASSIST_PAGE},
        {HV_REG_REFERENCE_TSC, HV_REG_REFERENCE_TSC, HV_MSR_REFERENCE_TSC},
        {HV_REG_SINT0, HV_REG_SINT15, HV_MSR_SINT0},
        {HV_REG_SCONTROL, HV_REG_EOM, HV_MSR_SCONTROL},
        {HV_REG_STIMER0_CONFIG, HV_REG_STIMER3_COUNT, HV_MSR_STIMER0_CONFIG},
};
_Static_assert(HV_REG_EOM - HV_REG_SCONTROL == HV_MSR_EOM - HV_MSR_SCONTROL,
        "SCONTROL to EOM have one order as registers and as MSRs");

static const struct {
	uint32_t name;
	enum vcpu_reg reg;
} plain[] = {
        {HV_REG_RIP, REG_RIP},
        {HV_REG_RFLAGS, REG_RFLAGS},
        {HV_REG_EFER, REG_EFER},
};

/* 0 = it is none of these */
static uint32_t msr_of(uint32_t name)
{
	for (size_t i = 0; i < ARRAY_SIZE(synthetic); i++) {
		if (name >= synthetic[i].first && name <= synthetic[i].last) {
			return synthetic[i].msr + (name - synthetic[i].first);
		}
	}
	return 0;
}

static bool is_general(uint32_t name)
{
	return name >= HV_REG_RAX && name <= HV_REG_R15;
}

static void get_segment(struct vcpu *vcpu, uint32_t name, union hv_register_value *value)
{
	struct segment seg;

	cpu_virt->get_seg(vcpu, (enum vcpu_seg)(SEG_ES + (name - HV_REG_ES)), &seg);
	value->segment.base = seg.base;
	value->segment.limit = seg.limit;
	value->segment.selector = seg.selector;
	/* A null selector has no descriptor. */
	value->segment.attributes = seg.unusable ? 0 : seg.attr;
}
_Static_assert(SEG_TR - SEG_ES == HV_REG_TR - HV_REG_ES, "segments have the same order");

static void get_table(struct vcpu *vcpu, bool idt, union hv_register_value *value)
{
	struct desc_table table;

	cpu_virt->get_table(vcpu, idt, &table);
	value->table.limit = (uint16_t)table.limit;
	value->table.base = table.base;
}

static bool get_plain(struct vcpu *vcpu, uint32_t name, uint64_t *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		if (plain[i].name == name) {
			*value = cpu_virt->get_reg(vcpu, plain[i].reg);
			return true;
		}
	}
	return false;
}

/* *value is zero. */
static bool get_register(struct vcpu *vcpu, uint32_t name, union hv_register_value *value)
{
	uint32_t msr = msr_of(name);

	if (is_general(name)) {
		value->low = vcpu_reg_get(vcpu, (enum vcpu_reg)(name - HV_REG_RAX));
	} else if (msr) {
		return hv_msr_read(vcpu, msr, &value->low);
	} else if (name >= HV_REG_ES && name <= HV_REG_TR) {
		get_segment(vcpu, name, value);
	} else if (name == HV_REG_IDTR || name == HV_REG_GDTR) {
		get_table(vcpu, name == HV_REG_IDTR, value);
	} else if (name == HV_REG_CR2) {
		value->low = cpu_read_cr2(); /* a loaded vCPU's is the processor's own */
	} else if (name == HV_REG_CR8) {
		value->low = cr_read(vcpu, 8);
	} else if (name >= HV_REG_CR0 && name <= HV_REG_CR4) {
		value->low = cr_read(vcpu, name == HV_REG_CR0 ? 0 : name - HV_REG_CR0 + 1);
	} else if (name == HV_REG_TSC) {
		value->low = clock_tsc() + vcpu->tsc_offset;
	} else {
		return get_plain(vcpu, name, &value->low);
	}
	return true;
}

static enum hv_status set_register(
        struct vcpu *vcpu, uint32_t name, const union hv_register_value *value)
{
	union hv_register_value old = {.words = {0, 0}};
	uint32_t msr = msr_of(name);

	if (is_general(name)) {
		vcpu_reg_set(vcpu, (enum vcpu_reg)(name - HV_REG_RAX), value->low);
		return HV_STATUS_SUCCESS;
	}
	if (msr) {
		return hv_msr_write(vcpu, msr, value->low) ? HV_STATUS_SUCCESS
		                                           : HV_STATUS_INVALID_PARAMETER;
	}
	return get_register(vcpu, name, &old) ? HV_STATUS_ACCESS_DENIED
	                                      : HV_STATUS_INVALID_PARAMETER;
}

/* --- one VP's, on its own CPU --- */

static enum hv_status get_one(struct vcpu *vcpu, uint32_t name, union hv_register_value *value)
{
	*value = (union hv_register_value){.words = {0, 0}};
	return get_register(vcpu, name, value) ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARAMETER;
}

/* vcpu_call() */
static void serve_remote(struct vcpu *vcpu, void *arg)
{
	struct hv_remote *r = arg;

	r->status = HV_STATUS_SUCCESS;
	for (r->done = 0; r->done < r->n; r->done++) {
		struct hv_register_assoc *reg = &r->regs[r->done];

		r->status = r->set ? set_register(vcpu, reg->name, &reg->value)
		                   : get_one(vcpu, reg->name, &reg->value);
		if (r->status != HV_STATUS_SUCCESS) {
			break;
		}
	}
	__atomic_store_n(&r->state, ANSWERED, __ATOMIC_RELEASE);
}

/* --- the caller's side --- */

static uint32_t name_of(const struct hv_call_args *args, uint32_t i, bool set)
{
	return set ? ((const struct hv_register_assoc *)args->list)[i].name
	           : ((const uint32_t *)args->list)[i];
}

/* How many are asked for at a time. */
static uint32_t some_of(const struct hv_call_args *args)
{
	uint32_t left = args->rep_count - args->rep_start;

	return left < HV_REMOTE_REGS ? left : HV_REMOTE_REGS;
}

/* If somebody else wants something of that VP, later. */
static void ask(struct hv_remote *r, struct vcpu *target, const struct hv_call_args *args, bool set)
{
	const struct hv_register_assoc *list = (const struct hv_register_assoc *)args->list;

	r->n = some_of(args);
	r->set = set;
	for (uint32_t i = 0; i < r->n; i++) {
		r->regs[i].name = name_of(args, args->rep_start + i, set);
		if (set) {
			r->regs[i].value = list[args->rep_start + i].value;
		}
	}
	r->name = args->name;
	r->call = (struct vcpu_call){.fn = serve_remote, .arg = r};
	__atomic_store_n(&r->state, ASKED, __ATOMIC_RELAXED);
	if (!vcpu_call(target, &r->call)) {
		__atomic_store_n(&r->state, IDLE, __ATOMIC_RELAXED);
	}
}

/* Not finished, or with more to come, the call is executed again. */
static struct hv_call_result of_another(
        struct vcpu *vcpu, struct vcpu *target, const struct hv_call_args *args, bool set)
{
	struct hv_remote *r = &hv_vcpu(vcpu)->remote;
	struct hv_call_result result = {.reps = args->rep_start, .again = true};
	uint32_t state = __atomic_load_n(&r->state, __ATOMIC_ACQUIRE);

	if (state == ASKED) {
		return result;
	}
	/* An answer to another call - an interrupt handler's, an earlier life's - is no use. */
	if (state == IDLE || r->name != args->name || r->n != some_of(args) || r->set != set) {
		ask(r, target, args, set);
		return result;
	}
	r->state = IDLE;
	for (uint32_t i = 0; i < r->done && !set; i++) {
		((union hv_register_value *)args->output)[result.reps + i] = r->regs[i].value;
	}
	result.reps += r->done;
	result.status = r->status;
	result.again = r->status == HV_STATUS_SUCCESS && result.reps < args->rep_count;
	return result;
}

static struct hv_call_result of_self(struct vcpu *vcpu, const struct hv_call_args *args, bool set)
{
	const struct hv_register_assoc *list = (const struct hv_register_assoc *)args->list;
	union hv_register_value *out = (union hv_register_value *)args->output;
	struct hv_call_result result = {.status = HV_STATUS_SUCCESS, .reps = args->rep_start};

	while (result.reps < args->rep_count) {
		uint32_t name = name_of(args, result.reps, set);

		result.status = set ? set_register(vcpu, name, &list[result.reps].value)
		                    : get_one(vcpu, name, &out[result.reps]);
		if (result.status != HV_STATUS_SUCCESS) {
			break;
		}
		result.reps++;
	}
	return result;
}

static struct hv_call_result registers(struct vcpu *vcpu, const struct hv_call_args *args, bool set)
{
	const struct hv_vp_registers_input *in = (const struct hv_vp_registers_input *)args->input;
	struct vcpu *target;
	enum hv_status status = hv_call_vp(vcpu, in->partition, in->vtl, in->vp_index, &target);

	if (status != HV_STATUS_SUCCESS) {
		return (struct hv_call_result){.status = status, .reps = args->rep_start};
	}
	return target == vcpu ? of_self(vcpu, args, set) : of_another(vcpu, target, args, set);
}

struct hv_call_result hv_call_get_registers(struct vcpu *vcpu, const struct hv_call_args *args)
{
	return registers(vcpu, args, false);
}

struct hv_call_result hv_call_set_registers(struct vcpu *vcpu, const struct hv_call_args *args)
{
	return registers(vcpu, args, true);
}
