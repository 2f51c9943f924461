// SPDX-License-Identifier: BSD-2-Clause
// Carry out the instruction that touched device memory.
// Specs: [SDM2] the instructions' pages; [SDM3] "EPT-Induced VM Exits" (the exit names the address,
// not the operand).
#include "vmm/mmio_emul.h"
#include "vmm/emul_alu.h"
#include "vmm/emul_mem.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/err.h"
#include "vmm/mmio_string.h"
#include "vmm/vm.h"

/* Instruction bytes as they were copied. */
struct code {
	uint8_t bytes[INSN_CACHE_BYTES];
	uint32_t len;
};

/* Up to INSN_MAX_LEN bytes, up to the page's end first: the next page may not be there. */
static int fetch_page(struct emul *e, struct code *code, uint64_t rip, gpa_t *where)
{
	struct emul_page page = {.va = EMUL_NO_PAGE};
	struct emul_operand at;
	uint64_t va = e->cs_base + rip + code->len;
	uint64_t rest;
	unsigned n = (unsigned)sizeof(code->bytes) - code->len;
	int err;

	if (e->mode != INSN_64) {
		va = (uint32_t)va;
	}
	rest = PAGE_SIZE - (va & PAGE_MASK);
	n = n < rest ? n : (unsigned)rest;
	err = emul_translate(e, &page, gva(va), 1, WALK_FETCH, &at);
	if (!err && gmem_read(&e->vcpu->vm->mem, at.gpa[0], code->bytes + code->len, n)) {
		err = -EIO;
	}
	if (!err) {
		code->len += n;
		*where = at.gpa[0];
	}
	return err;
}

/* Fetch and decode; keep for the next time what can be kept. */
static int fetch_insn(
        struct emul *e, struct code *code, const struct fetch_context *fetch, struct insn *insn)
{
	struct walk_trace trace;
	gpa_t where;
	int err;

	e->trace = &trace;
	err = fetch_page(e, code, fetch->rip, &where);
	e->trace = NULL;
	if (err) {
		return err;
	}
	err = insn_decode(insn, code->bytes, code->len, e->mode);
	if (!err && e->mode == INSN_64 && code->len == sizeof(code->bytes)) {
		insn_cache_keep(&e->vcpu->insns, &e->vcpu->vm->mem, fetch, &trace, where,
		        code->bytes, insn);
	}
	if (err == -E2BIG) {
		err = fetch_page(e, code, fetch->rip, &where);
		if (!err) {
			err = insn_decode(insn, code->bytes, code->len, e->mode);
		}
	}
	return err;
}

/*
 * An instruction that cannot be carried out. At CPL 3 it is #UD, so that a process with a device
 * mapped cannot end the VM; a kernel that does it needs a new row in vmm/insn_table.c, and is
 * stopped where that can be seen.
 */
static enum exit_action refuse(
        struct emul *e, const struct vcpu_exit *exit, const struct code *code, uint64_t rip)
{
	const uint8_t *b = code->bytes;

	vm_log(e->vcpu->vm, LOG_WARN,
	        "vCPU %u at %#llx cannot %s device memory at %#llx with the instruction "
	        "%02x %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x %02x "
	        "(%u bytes known)",
	        e->vcpu->index, (unsigned long long)rip,
	        exit->mem.fetch     ? "run"
	        : exit->mem.in_walk ? "keep page tables in"
	        : exit->mem.write   ? "write"
	                            : "read",
	        (unsigned long long)exit->mem.gpa.v, b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7],
	        b[8], b[9], b[10], b[11], b[12], b[13], b[14], code->len);
	if (emul_walk(e)->cpl == 3) {
		return vcpu_fault_noerr(e->vcpu, X86_UD);
	}
	return vcpu_kill(e->vcpu, "an instruction on device memory that cannot be emulated");
}

static inline uint64_t effective_address(
        struct vcpu *vcpu, const struct insn *insn, uint64_t rip, uint64_t rsp_moved)
{
	uint64_t ea = (uint64_t)insn->disp;

	if (insn->has_base) {
		ea += vcpu_reg_get(vcpu, (enum vcpu_reg)insn->base);
		ea += insn->base == REG_RSP ? rsp_moved : 0;
	}
	if (insn->has_index) {
		ea += vcpu_reg_get(vcpu, (enum vcpu_reg)insn->index) * insn->scale;
	}
	if (insn->rip_relative) {
		ea += rip + insn->len;
	}
	return ea & width_mask(insn->addr_width);
}

static bool is_bit_op(const struct insn *insn)
{
	return insn->op >= INSN_BT && insn->op <= INSN_BTC;
}

/*
 * A register's bit offset reaches beyond the operand: the signed number of whole operands goes to
 * the address ([SDM2] "BT - Bit Test").
 */
static uint64_t bit_displacement(struct vcpu *vcpu, const struct insn *insn)
{
	unsigned bits = insn->op_width * 8U;
	unsigned unused = 64 - bits;
	int64_t off = (int64_t)(emul_reg_get(vcpu, insn->reg, false) << unused) >> unused;

	return (uint64_t)(off >> bit_first(bits)) * insn->op_width;
}

/* The operand on another page, or beyond the page's end, or the instruction is another one now. */
static __attribute__((noinline)) int find_operand_by_walk(struct emul *e,
        const struct vcpu_exit *exit, const struct insn *insn, uint64_t ea, bool same_page,
        struct emul_operand *out)
{
	enum walk_access access = insn->writes ? WALK_WRITE : WALK_READ;
	enum vcpu_seg seg = (enum vcpu_seg)insn->seg;
	struct emul_page page = {.va = EMUL_NO_PAGE};
	gva_t va;
	int err;

	if (same_page) {
		page.va = emul_linear_unchecked(e, seg, ea).v & ~PAGE_MASK;
		page.gpa = exit->mem.gpa.v & ~PAGE_MASK;
	}
	err = emul_linear(e, seg, ea, insn->op_width, access, &va);
	return err ? err : emul_translate(e, &page, va, insn->op_width, access, out);
}

/*
 * Find the memory operand. The processor has translated and checked the access that exited:
 * its address is taken as it is when the page offset and the kind of access agree. The instruction
 * may have changed under us, so a read is never made a write on that ground.
 */
static inline int find_operand(struct emul *e, const struct vcpu_exit *exit,
        const struct insn *insn, uint64_t ea, struct emul_operand *out)
{
	uint64_t off = emul_linear_unchecked(e, (enum vcpu_seg)insn->seg, ea).v & PAGE_MASK;
	bool same_page = off == (exit->mem.gpa.v & PAGE_MASK) && (exit->mem.write || !insn->writes);

	if (!same_page || off + insn->op_width > PAGE_SIZE) {
		return find_operand_by_walk(e, exit, insn, ea, same_page, out);
	}
	out->gpa[0] = exit->mem.gpa;
	out->len[0] = insn->op_width;
	out->len[1] = 0;
	return 0;
}

static uint64_t sign_extend(uint64_t v, unsigned width)
{
	unsigned unused = 64 - width * 8;

	return (uint64_t)((int64_t)(v << unused) >> unused);
}

static void do_mov(struct vcpu *vcpu, const struct insn *insn, const struct emul_operand *mem)
{
	uint64_t v;

	if (insn->writes) {
		v = insn->has_imm ? insn->imm : emul_reg_get(vcpu, insn->reg, insn->reg_high);
		emul_store(vcpu, mem, v);
		return;
	}
	v = emul_load(vcpu, mem);
	if (insn->op == INSN_MOVSX) {
		v = sign_extend(v, insn->op_width);
	}
	emul_reg_set(vcpu, insn->reg, insn->reg_high, insn->reg_width, v);
}

/* Everything that reads, computes flags, and may write. */
static __attribute__((noinline)) void do_arith(
        struct emul *e, const struct insn *insn, const struct emul_operand *mem)
{
	struct vcpu *vcpu = e->vcpu;
	uint64_t before = vcpu_reg_get(vcpu, REG_RFLAGS), flags = before;
	unsigned width = insn->op_width;
	uint64_t m = emul_load(vcpu, mem);
	uint64_t other = insn->has_reg ? emul_reg_get(vcpu, insn->reg, insn->reg_high) : insn->imm;
	uint64_t result;

	if (is_bit_op(insn)) {
		result = emul_bit(insn->op, m, (unsigned)other & (width * 8 - 1), &flags);
	} else if (insn->op == INSN_CMPXCHG) {
		uint64_t rax = vcpu->gpr[REG_RAX];

		emul_alu(INSN_CMPXCHG, width, rax, m, &flags);
		/* The write cycle happens either way. */
		result = (flags & RFLAGS_ZF) != 0 ? other : m;
		if ((flags & RFLAGS_ZF) == 0) {
			emul_reg_set(vcpu, REG_RAX, false, width, m);
		}
	} else if (insn->op == INSN_XCHG) {
		result = other;
	} else if (insn->mem_is_dest) {
		result = emul_alu(insn->op, width, m, other, &flags);
	} else {
		result = emul_alu(insn->op, width, other, m, &flags);
	}
	if (insn->writes) {
		emul_store(vcpu, mem, result);
		if (insn->op == INSN_XCHG || insn->op == INSN_XADD) {
			emul_reg_set(vcpu, insn->reg, insn->reg_high, width, m);
		}
	} else if (!insn->mem_is_dest && insn->op != INSN_CMP) {
		emul_reg_set(vcpu, insn->reg, insn->reg_high, width, result);
	}
	if (flags != before) {
		vcpu_reg_set(vcpu, REG_RFLAGS, flags);
	}
}

static unsigned stack_width(const struct emul *e)
{
	struct segment ss;

	if (e->mode == INSN_64) {
		return 8;
	}
	cpu_virt->get_seg(e->vcpu, SEG_SS, &ss);
	return (ss.attr & SEG_ATTR_DB) != 0 ? 4 : 2;
}

/* PUSH m and POP m: both operands are found before anything is read or written. */
static __attribute__((noinline)) int do_stack(
        struct emul *e, const struct vcpu_exit *exit, const struct insn *insn, uint64_t rip)
{
	struct vcpu *vcpu = e->vcpu;
	struct emul_page page = {.va = EMUL_NO_PAGE};
	struct emul_operand mem, stack;
	unsigned sp_width = stack_width(e);
	bool push = insn->op == INSN_PUSH;
	int64_t moved = push ? -(int64_t)insn->op_width : insn->op_width;
	uint64_t rsp = vcpu_reg_get(vcpu, REG_RSP);
	uint64_t at = (push ? rsp + (uint64_t)moved : rsp) & width_mask(sp_width);
	enum walk_access access = push ? WALK_WRITE : WALK_READ;
	gva_t va;
	int err;

	/* POP computes its operand's address after it has moved rSP. */
	err = find_operand(e, exit, insn,
	        effective_address(vcpu, insn, rip, push ? 0 : (uint64_t)moved), &mem);
	if (!err) {
		err = emul_linear(e, SEG_SS, at, insn->op_width, access, &va);
	}
	if (!err) {
		err = emul_translate(e, &page, va, insn->op_width, access, &stack);
	}
	if (err) {
		return err;
	}
	if (push) {
		emul_store(vcpu, &stack, emul_load(vcpu, &mem));
	} else {
		emul_store(vcpu, &mem, emul_load(vcpu, &stack));
	}
	emul_reg_add(vcpu, REG_RSP, sp_width, moved);
	return 0;
}

static enum exit_action execute(
        struct emul *e, const struct vcpu_exit *exit, const struct insn *insn, uint64_t rip)
{
	struct vcpu *vcpu = e->vcpu;
	struct emul_operand mem;
	uint64_t ea;
	int err;

	if (insn->op == INSN_PUSH || insn->op == INSN_POP) {
		err = do_stack(e, exit, insn, rip);
	} else {
		ea = effective_address(vcpu, insn, rip, 0);
		if (is_bit_op(insn) && insn->has_reg) {
			ea = (ea + bit_displacement(vcpu, insn)) & width_mask(insn->addr_width);
		}
		err = find_operand(e, exit, insn, ea, &mem);
		if (!err && insn->op <= INSN_MOVSX) {
			do_mov(vcpu, insn, &mem);
		} else if (!err) {
			do_arith(e, insn, &mem);
		}
	}
	if (err) {
		return emul_fail(e, err);
	}
	cpu_virt->skip_insn(vcpu, insn->len);
	return ACT_RESUME;
}

static inline enum exit_action carry_out(
        struct emul *e, const struct vcpu_exit *exit, const struct insn *insn, uint64_t rip)
{
	if (insn->op >= INSN_MOVS && insn->op <= INSN_LODS) {
		return mmio_string(e, exit, insn);
	}
	return execute(e, exit, insn, rip);
}

/* One that was not carried out lately. */
static __attribute__((noinline)) enum exit_action emulate_unknown(
        struct vcpu *vcpu, const struct vcpu_exit *exit, const struct fetch_context *fetch)
{
	struct code code = {.len = 0};
	struct insn insn;
	struct emul e;
	int err;

	emul_begin(&e, vcpu);
	if (exit->mem.fetch || exit->mem.in_walk) {
		return refuse(&e, exit, &code, fetch->rip);
	}
	err = fetch_insn(&e, &code, fetch, &insn);
	switch (err) {
	case 0:
		break;
	case -EIO: /* code that is not in RAM */
	case -EOPNOTSUPP:
		return refuse(&e, exit, &code, fetch->rip);
	case -EINVAL: /* another vCPU has changed the instruction meanwhile */
		return vcpu_fault_noerr(vcpu, X86_UD);
	case -E2BIG:
	case -ERANGE:
		return vcpu_fault(vcpu, X86_GP, 0);
	default:
		return emul_fail(&e, err);
	}
	return carry_out(&e, exit, &insn, fetch->rip);
}

enum exit_action mmio_emulate(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	struct fetch_context fetch;
	const struct insn *insn;
	struct emul e;

	cpu_virt->get_fetch(vcpu, &fetch);
	insn = insn_cache_hit(&vcpu->insns, &vcpu->vm->mem, &fetch);
	if (__builtin_expect(!insn || exit->mem.fetch || exit->mem.in_walk, 0)) {
		return emulate_unknown(vcpu, exit, &fetch);
	}
	emul_begin_64(&e, vcpu);
	return carry_out(&e, exit, insn, fetch.rip);
}
