// SPDX-License-Identifier: BSD-2-Clause
/*
 * One hypercall: who calls, what, with which input; then its row; then the result.
 *
 * Input is copied once, into the vCPU's own buffer, before anything of it is looked at. A call that
 * is not finished leaves RIP where it is, so that interrupts and other requests come in between.
 *
 * What guests call most - an event, an interrupt - is two words in registers by a 64-bit kernel.
 * hv_hypercall() knows that at a glance, and makes no copy; all else goes the long way.
 *
 * Specs: [TLFS] "Hypercall Interface": "Hypercall Calling Conventions", "Hypercall Inputs",
 * "Hypercall Outputs", "Hypercall Restart", "Legal Hypercall Environments".
 */
#include "hypercall/hypercall.h"

#include "hypercall/hv.h"
#include "vmm/lib/string.h"
#include "vmm/x86.h"

#define ALIGNMENT_MASK 7ULL
#define FAST_REGS_LEN 16U
#define FAST_XMM_LEN 112U

/* What the registers say, 64-bit or 32-bit. */
struct call {
	uint64_t control, input, output;
	bool wide; /* 64-bit code */
};

static void read_call(struct vcpu *vcpu, struct call *c)
{
	const uint64_t *r = vcpu->gpr;

	c->wide = vcpu->exit.call.kernel64 || vcpu_in_64bit_mode(vcpu);
	if (c->wide) {
		c->control = r[REG_RCX];
		c->input = r[REG_RDX];
		c->output = r[REG_R8];
	} else {
		c->control = r[REG_RDX] << 32 | (uint32_t)r[REG_RAX];
		c->input = r[REG_RBX] << 32 | (uint32_t)r[REG_RCX];
		c->output = r[REG_RDI] << 32 | (uint32_t)r[REG_RSI];
	}
}

static void write_result(struct vcpu *vcpu, const struct call *c, uint64_t result)
{
	if (c->wide) {
		vcpu->gpr[REG_RAX] = result;
	} else {
		vcpu->gpr[REG_RDX] = result >> 32;
		vcpu->gpr[REG_RAX] = (uint32_t)result;
	}
}

/* The control word with the elements that are done: what the guest executes next time. */
static void write_control(struct vcpu *vcpu, const struct call *c, uint32_t reps)
{
	uint64_t control = c->control & ~(HV_CALL_REP_MASK << HV_CALL_REP_START_SHIFT);

	control |= (uint64_t)reps << HV_CALL_REP_START_SHIFT;
	if (c->wide) {
		vcpu->gpr[REG_RCX] = control;
	} else {
		vcpu->gpr[REG_RDX] = control >> 32;
		vcpu->gpr[REG_RAX] = (uint32_t)control;
	}
}

static uint32_t field(uint64_t control, unsigned shift, uint64_t mask)
{
	return (uint32_t)((control >> shift) & mask);
}

/* Is the control word legal for this row? Fills the counts. */
static bool counts_valid(const struct hv_call_row *row, uint64_t control, struct hv_call_args *args)
{
	args->n_var = field(control, HV_CALL_VAR_SHIFT, HV_CALL_VAR_MASK);
	args->rep_count = field(control, HV_CALL_REP_COUNT_SHIFT, HV_CALL_REP_MASK);
	args->rep_start = field(control, HV_CALL_REP_START_SHIFT, HV_CALL_REP_MASK);
	if ((control & HV_CALL_RESERVED) || (args->n_var != 0 && !row->var_header)) {
		return false;
	}
	if (!row->rep) {
		return args->rep_count == 0 && args->rep_start == 0;
	}
	return args->rep_start < args->rep_count;
}

/* Input in registers: two, and six XMM registers where they are offered. */
static enum hv_status fetch_fast(struct vcpu *vcpu, const struct call *c, uint32_t len)
{
	uint8_t *buf = hv_vcpu(vcpu)->call_buf;

	memcpy(buf, &c->input, 8);
	memcpy(buf + 8, &c->output, 8);
	if (len <= FAST_REGS_LEN) {
		return HV_STATUS_SUCCESS;
	}
	if (len > FAST_XMM_LEN || !hv_has(vcpu->vm, HV_XMM)) {
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	}
	vcpu_read_xmm(vcpu, buf + FAST_REGS_LEN, 6);
	return HV_STATUS_SUCCESS;
}

static enum hv_status check_block(uint64_t at, uint32_t len)
{
	if (at & ALIGNMENT_MASK || (at & PAGE_MASK) + len > PAGE_SIZE) {
		return HV_STATUS_INVALID_ALIGNMENT;
	}
	return HV_STATUS_SUCCESS;
}

static enum hv_status fetch_slow(struct vcpu *vcpu, const struct call *c, uint32_t len)
{
	enum hv_status status = check_block(c->input, len);

	if (status != HV_STATUS_SUCCESS || len == 0) {
		return status;
	}
	return gmem_read(&vcpu->vm->mem, gpa(c->input), hv_vcpu(vcpu)->call_buf, len)
	               ? HV_STATUS_INVALID_PARAMETER
	               : HV_STATUS_SUCCESS;
}

/* Sizes first, in numbers that cannot overflow: header and list are a page at most. */
static enum hv_status fetch_input(struct vcpu *vcpu, const struct hv_call_row *row,
        const struct call *c, struct hv_call_args *args)
{
	uint8_t *buf = hv_vcpu(vcpu)->call_buf;
	uint32_t head = row->header_len + args->n_var * 8;
	uint32_t len = head + args->rep_count * row->rep_in_len;
	uint32_t out_len = row->rep_out_len * (row->rep ? args->rep_count : 1);
	bool fast = (c->control & HV_CALL_FAST) != 0;
	enum hv_status status;

	if (len > PAGE_SIZE || out_len > PAGE_SIZE || (fast && out_len > 0)) {
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	}
	status = fast ? fetch_fast(vcpu, c, len) : fetch_slow(vcpu, c, len);
	if (status == HV_STATUS_SUCCESS && out_len > 0) {
		status = check_block(c->output, out_len);
	}
	args->name = c->control * 31 + c->input;
	args->input = buf;
	args->var = (const uint64_t *)(buf + row->header_len);
	args->list = buf + head;
	args->output = out_len > 0 ? hv_vcpu(vcpu)->call_out : NULL;
	return status;
}

/* What this run has produced; the elements before it are there already. */
static enum hv_status store_output(struct vcpu *vcpu, const struct hv_call_row *row,
        const struct call *c, const struct hv_call_args *args, const struct hv_call_result *result)
{
	uint32_t first = row->rep ? args->rep_start * row->rep_out_len : 0;
	uint32_t end = row->rep_out_len * (row->rep ? result->reps : 1);

	if (!args->output || end <= first || (!row->rep && result->status != HV_STATUS_SUCCESS)) {
		return result->status;
	}
	return gmem_write(&vcpu->vm->mem, gpa(c->output + first), args->output + first, end - first)
	               ? HV_STATUS_INVALID_PARAMETER
	               : result->status;
}

static const struct hv_call_row *find(uint64_t control)
{
	uint32_t code = control & HV_CALL_CODE;
	const struct hv_call_row *row = NULL;

	if (code < HV_CALL_ROWS) {
		row = &hv_call_rows[code];
	} else if (code >= HV_CALL_EXTENDED && code - HV_CALL_EXTENDED < HV_CALL_EXTENDED_ROWS) {
		row = &hv_call_extended[code - HV_CALL_EXTENDED];
	}
	return row && (row->fn || row->short_fn) ? row : NULL;
}

/* All that is checked before the call's own function. */
static enum hv_status check(struct vcpu *vcpu, const struct hv_call_row *row, const struct call *c,
        struct hv_call_args *args)
{
	if (!row) {
		return HV_STATUS_INVALID_HYPERCALL_CODE;
	}
	if (!(hv_vm(vcpu->vm)->features & row->features)) {
		return HV_STATUS_ACCESS_DENIED;
	}
	if (!counts_valid(row, c->control, args)) {
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	}
	return fetch_input(vcpu, row, c, args);
}

static enum exit_action short_form(struct vcpu *vcpu, const struct hv_call_row *row,
        const struct call *c, const struct hv_call_args *args)
{
	uint64_t words[2] = {0, 0};
	enum exit_action action;

	memcpy(words, args->input, row->header_len);
	action = row->short_fn(vcpu, words[0], words[1], hv_vm(vcpu->vm));
	write_result(vcpu, c, vcpu->gpr[REG_RAX]);
	return action;
}

static bool page_enabled(const struct hv_vm *hv)
{
	return __atomic_load_n(&hv->hypercall_msr, __ATOMIC_RELAXED) & HV_PAGE_MSR_ENABLE;
}

static __attribute__((noinline)) enum exit_action any_form(struct vcpu *vcpu)
{
	const struct hv_call_row *row;
	struct hv_call_result result = {.status = HV_STATUS_SUCCESS};
	struct hv_call_args args;
	struct call c;

	if (!vcpu->exit.call.kernel64 && !vcpu_in_kernel(vcpu)) {
		return vcpu_fault_noerr(vcpu, X86_UD);
	}
	read_call(vcpu, &c);
	row = find(c.control);
	result.status = check(vcpu, row, &c, &args);
	if (result.status == HV_STATUS_SUCCESS && row->short_fn) {
		return short_form(vcpu, row, &c, &args);
	}
	if (result.status == HV_STATUS_SUCCESS) {
		result = row->fn(vcpu, &args);
		result.status = store_output(vcpu, row, &c, &args, &result);
	}
	if (result.again && result.status == HV_STATUS_SUCCESS) {
		write_control(vcpu, &c, result.reps);
		return ACT_RESUME;
	}
	write_result(vcpu, &c, (uint64_t)result.reps << HV_RESULT_REPS_SHIFT | result.status);
	return ACT_SKIP;
}

static enum exit_action long_way(struct vcpu *vcpu)
{
	/* [TLFS] "Legal Hypercall Environments": page enabled, protected mode, CPL 0. */
	return page_enabled(hv_vm(vcpu->vm)) ? any_form(vcpu) : vcpu_fault_noerr(vcpu, X86_UD);
}

static enum exit_action no_short_way(
        struct vcpu *vcpu, uint64_t first, uint64_t second, const struct hv_vm *hv)
{
	(void)first;
	(void)second;
	(void)hv;
	return long_way(vcpu);
}

void hypercall_offer_short(struct hv_vm *hv, bool page)
{
	for (unsigned i = 0; i < HV_CALL_ROWS; i++) {
		const struct hv_call_row *row = &hv_call_rows[i];
		bool offered = page && row->short_fn && (row->features & hv->features);

		__atomic_store_n(&hv->short_calls[i], offered ? row->short_fn : no_short_way,
		        __ATOMIC_RELAXED);
	}
}

enum exit_action hv_hypercall(struct vcpu *vcpu)
{
	const struct hv_vm *hv = hv_vm(vcpu->vm);
	/* The call's number, if nothing is above it but the bit that says "in registers". */
	uint64_t code = vcpu->gpr[REG_RCX] ^ HV_CALL_FAST;

	if (__builtin_expect(code < HV_CALL_ROWS && vcpu->exit.call.kernel64, 1)) {
		hv_call_short_fn *fn = __atomic_load_n(&hv->short_calls[code], __ATOMIC_RELAXED);

		return fn(vcpu, vcpu->gpr[REG_RDX], vcpu->gpr[REG_R8], hv);
	}
	return long_way(vcpu);
}
