// SPDX-License-Identifier: BSD-2-Clause
/*
 * Build the guests' CPUID leaves once, from the host's and the table of bits; answer from them,
 * patching in what depends on the vCPU.
 * Specs: [SDM2] "CPUID"; [SDM1] "Determining the XSAVE Managed Features"; [SDM3] "Hierarchical
 * Mapping of Shared Resources".
 */
#include "vmm/cpuid_policy.h"

#include "vmm/cpuid_ratio.h"
#include "vmm/cpuid_table.h"
#include "vmm/cpuid_xstate.h"
#include "vmm/lapic.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/limits.h"
#include "vmm/lib/log.h"
#include "vmm/lib/string.h"
#include "vmm/pv.h"
#include "vmm/vm.h"

typedef void leaf_patch(
        struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *regs);

/* Where a leaf has subleaves, the row's own regs are those of subleaf 0. */
struct leaf {
	struct cpuid_regs regs;
	/* What depends on the subleaf or on the vCPU that asks; NULL = nothing. */
	leaf_patch *patch;
};

#define BASIC_LEAVES 0x17U
#define EXT_BASE 0x80000000U
#define EXT_LEAVES 9U
#define CACHE_SUBLEAVES 6U
#define STRUCTURED_SUBLEAVES 2U

#define LEAF1_ECX_OSXSAVE BIT(27)
#define LEAF1_EDX_APIC BIT(9)
#define LEAF1_EDX_HTT BIT(28)
#define LEAF7_ECX_PKU BIT(3)
#define LEAF7_ECX_OSPKE BIT(4)

/* [SDM2] "Deterministic Cache Parameters Leaf": EAX. */
#define CACHE_TYPE 0x1fU
#define CACHE_LEVEL_SHIFT 5
#define CACHE_SHARING GENMASK64(25, 14)
#define CACHE_CORES GENMASK64(31, 26)

/* [SDM2] "Extended Topology Enumeration Leaf": ECX[15:8]. */
#define LEVEL_SMT 1U
#define LEVEL_CORE 2U

/* Twelve characters in EBX, ECX, EDX of leaf 0x40000000 name the hypervisor. */
static const char hv_signature[] = "CandelaVisor";
_Static_assert(sizeof(hv_signature) == 13, "leaf 0x40000000 has room for 12 characters");
/* APIC ids and core counts fit the 4 bits that topology leaves say. */
_Static_assert(MAX_VCPUS <= 64, "leaf 4 counts at most 64 cores");

static struct {
	struct leaf basic[BASIC_LEAVES];
	struct leaf ext[EXT_LEAVES];
	struct leaf pv; /* all of PV_CPUID_LEAVES */
	uint32_t max_basic;
	struct cpuid_regs caches[CACHE_SUBLEAVES];
	struct cpuid_regs structured[STRUCTURED_SUBLEAVES];
	uint64_t cr4, efer;
	unsigned phys_bits;
} policy = {.phys_bits = 36}; /* the least a 64-bit processor has */

static uint32_t *reg_of(struct cpuid_regs *regs, enum cpuid_reg reg)
{
	switch (reg) {
	case CPUID_EAX:
		return &regs->eax;
	case CPUID_EBX:
		return &regs->ebx;
	case CPUID_ECX:
		return &regs->ecx;
	case CPUID_EDX:
		break;
	}
	return &regs->edx;
}

static bool backed(enum cpuid_backing backing, const struct virt_caps *caps, bool host_has)
{
	const uint64_t xcr0 = xstate_xcr0_allowed();

	switch (backing) {
	case CPUID_NEVER:
	case CPUID_COMPUTED:
	case CPUID_BACKING_COUNT:
		return false;
	case CPUID_ALWAYS:
		return true;
	case CPUID_HOST:
		return host_has;
	case CPUID_CAP_INVPCID:
		return host_has && caps->invpcid;
	case CPUID_CAP_RDTSCP:
		return host_has && caps->rdtscp;
	case CPUID_CAP_XSAVES:
		return host_has && caps->xsaves;
	case CPUID_AVX:
		return host_has && (xcr0 & XCR0_AVX);
	case CPUID_AVX512:
		return host_has && (xcr0 & XCR0_AVX512) == XCR0_AVX512;
	case CPUID_PKRU:
		return host_has && (xcr0 & XCR0_PKRU);
	}
	return false;
}

/* The host's leaf, or zeros where it has none: beyond its maximum it answers with another leaf. */
static struct cpuid_regs host_leaf(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs none = {0, 0, 0, 0};

	return leaf <= cpu_cpuid(leaf & EXT_BASE, 0).eax ? cpu_cpuid(leaf, subleaf) : none;
}

/* The bits of one leaf that the table lets through. */
static struct cpuid_regs masked_leaf(const struct virt_caps *caps, uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs host = host_leaf(leaf, subleaf), out = {0, 0, 0, 0};

	/* Subleaves beyond the maximum that EAX of subleaf 0 gives. */
	if (leaf == 7 && subleaf > 0 && subleaf > host_leaf(7, 0).eax) {
		host = out;
	}
	for (unsigned i = 0; i < cpuid_n_bits; i++) {
		const struct cpuid_bit *b = &cpuid_bits[i];

		if (b->leaf == leaf && b->subleaf == subleaf &&
		        backed(b->backing, caps, *reg_of(&host, b->reg) & BIT(b->bit))) {
			*reg_of(&out, b->reg) |= BIT(b->bit);
		}
	}
	return out;
}

/* Both or neither: leaf 0x16 alone would make Linux take whole MHz for the truth. */
static bool frequency_leaves(uint64_t tsc_hz, uint64_t lapic_hz)
{
	uint64_t mhz = (tsc_hz + 500000) / 1000000;
	uint32_t num, den;

	if (mhz > 0xffff || !cpuid_tsc_ratio(tsc_hz, lapic_hz, &num, &den)) {
		return false;
	}
	policy.basic[0x15].regs = (struct cpuid_regs){den, num, (uint32_t)lapic_hz, 0};
	policy.basic[0x16].regs = (struct cpuid_regs){(uint32_t)mhz, (uint32_t)mhz, 100, 0};
	return true;
}

/* Bits that an APIC id needs below the package: 0 for one vCPU. */
static unsigned id_bits(uint32_t n_vcpus)
{
	return n_vcpus > 1 ? bit_last(n_vcpus - 1) + 1 : 0;
}

static void leaf_features(
        struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	uint64_t cr4 = cpu_virt->get_reg(vcpu, REG_CR4);
	uint32_t n = vcpu->vm->n_vcpus;

	(void)leaf;
	(void)subleaf;
	out->ebx |= (1U << id_bits(n)) << 16 | vcpu->index << 24;
	out->ecx |= cr4 & CR4_OSXSAVE ? LEAF1_ECX_OSXSAVE : 0;
	out->edx |= (vcpu->lapic.base & APIC_BASE_EN ? LEAF1_EDX_APIC : 0) |
	            (n > 1 ? LEAF1_EDX_HTT : 0);
}

/* L1 and L2 belong to a core, anything above to the package; every vCPU is a core. */
static void leaf_caches(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	(void)leaf;
	uint32_t last = (1U << id_bits(vcpu->vm->n_vcpus)) - 1;

	*out = (struct cpuid_regs){0, 0, 0, 0};
	if (subleaf >= CACHE_SUBLEAVES || (policy.caches[subleaf].eax & CACHE_TYPE) == 0) {
		return;
	}
	*out = policy.caches[subleaf];
	out->eax |= last << 26;
	if (((out->eax >> CACHE_LEVEL_SHIFT) & 7U) > 2) {
		out->eax |= last << 14;
	}
}

static void leaf_topology(
        struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	(void)leaf;
	uint32_t n = vcpu->vm->n_vcpus;

	/* Invalid levels give the subleaf and the id, and nothing else. */
	*out = (struct cpuid_regs){0, 0, subleaf & 0xffU, vcpu->index};
	if (subleaf == 0) {
		out->ebx = 1;
		out->ecx |= LEVEL_SMT << 8;
	} else if (subleaf == 1) {
		out->eax = id_bits(n);
		out->ebx = n;
		out->ecx |= LEVEL_CORE << 8;
	}
}

static void leaf_structured(
        struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	(void)leaf;
	*out = (struct cpuid_regs){0, 0, 0, 0};
	if (subleaf < STRUCTURED_SUBLEAVES) {
		*out = policy.structured[subleaf];
	}
	if (subleaf == 0 && (out->ecx & LEAF7_ECX_PKU) &&
	        (cpu_virt->get_reg(vcpu, REG_CR4) & CR4_PKE)) {
		out->ecx |= LEAF7_ECX_OSPKE;
	}
}

static void leaf_xstate(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	(void)leaf;
	xstate_leaf(vcpu->xcr0, vcpu->xss, subleaf, out);
}

/* The row holds the first leaf of a VM without an interface: the name, and zeros after it. */
static void leaf_pv(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	(void)subleaf;
	if (vcpu->pv || leaf != PV_CPUID_BASE) {
		*out = (struct cpuid_regs){0, 0, 0, 0};
	}
	if (vcpu->pv) {
		vcpu->vm->pv->cpuid(vcpu, leaf, out);
	}
}

/* The paravirtual interface may keep the invariant TSC back. */
static void leaf_power(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	(void)subleaf;
	if (vcpu->pv) {
		vcpu->vm->pv->cpuid(vcpu, leaf, out);
	}
}

static void cache_leaves(void)
{
	for (unsigned i = 0; i < CACHE_SUBLEAVES; i++) {
		struct cpuid_regs r = host_leaf(4, i);

		if ((r.eax & CACHE_TYPE) == 0) {
			break;
		}
		r.eax &= ~(uint32_t)(CACHE_SHARING | CACHE_CORES);
		policy.caches[i] = r;
	}
	policy.basic[4].patch = leaf_caches;
}

static void basic_leaves(const struct virt_caps *caps, uint64_t tsc_hz, uint64_t lapic_hz)
{
	struct leaf *l = policy.basic;
	struct cpuid_regs host = host_leaf(1, 0);
	bool freq;

	l[1].regs = masked_leaf(caps, 1, 0);
	l[1].patch = leaf_features;
	l[1].regs.eax = host.eax;
	l[1].regs.ebx = host.ebx & 0xff00U; /* CLFLUSH line size; brand index 0 */
	l[2].regs = host_leaf(2, 0);
	cache_leaves();
	l[6].regs = masked_leaf(caps, 6, 0);
	policy.structured[0] = masked_leaf(caps, 7, 0);
	policy.structured[1] = masked_leaf(caps, 7, 1);
	policy.structured[0].eax = STRUCTURED_SUBLEAVES - 1;
	l[7].patch = leaf_structured;
	l[0xb].patch = leaf_topology;
	l[0xd].patch = leaf_xstate;
	xstate_set_features(masked_leaf(caps, 0xd, 1).eax);
	freq = frequency_leaves(tsc_hz, lapic_hz);
	policy.max_basic = freq ? 0x16 : (xstate_xcr0_allowed() ? 0xd : 0xb);

	l[0].regs = host_leaf(0, 0);
	l[0].regs.eax = policy.max_basic;
	/* [SDM2] "CPUID": beyond the highest basic leaf, the data of that leaf. */
	for (uint32_t i = policy.max_basic + 1; i < BASIC_LEAVES; i++) {
		l[i] = l[policy.max_basic];
	}
}

static void extended_leaves(const struct virt_caps *caps)
{
	struct leaf *l = policy.ext;
	uint32_t linear = 48;

	l[0].regs.eax = EXT_BASE + EXT_LEAVES - 1;
	l[1].regs = masked_leaf(caps, EXT_BASE + 1, 0);
	for (uint32_t i = 2; i <= 4; i++) {
		l[i].regs = host_leaf(EXT_BASE + i, 0); /* brand string */
	}
	l[6].regs.ecx = host_leaf(EXT_BASE + 6, 0).ecx; /* L2 cache */
	l[7].regs = masked_leaf(caps, EXT_BASE + 7, 0);
	l[7].patch = leaf_power;
	policy.phys_bits = host_leaf(EXT_BASE + 8, 0).eax & 0xffU;
	if (policy.phys_bits == 0) {
		policy.phys_bits = 36; /* not said: the least there is */
	} else if (policy.phys_bits > 48) {
		policy.phys_bits = 48; /* what second-level tables of four levels reach */
	}
	l[8].regs.eax = policy.phys_bits | (linear << 8);
}

static uint64_t cr4_if(uint32_t reg, unsigned bit, uint64_t cr4_bits)
{
	return reg & BIT(bit) ? cr4_bits : 0;
}

/* [SDM3] "Control Registers": each CR4 bit exists with its CPUID bit. */
static void control_bits(void)
{
	const struct cpuid_regs l1 = policy.basic[1].regs, l7 = policy.structured[0];
	const struct cpuid_regs e1 = policy.ext[1].regs;

	policy.cr4 = CR4_PCE | CR4_MCE | cr4_if(l1.edx, 1, CR4_VME | CR4_PVI) |
	             cr4_if(l1.edx, 2, CR4_DE) | cr4_if(l1.edx, 3, CR4_PSE) |
	             cr4_if(l1.edx, 4, CR4_TSD) | cr4_if(l1.edx, 6, CR4_PAE) |
	             cr4_if(l1.edx, 13, CR4_PGE) | cr4_if(l1.edx, 24, CR4_OSFXSR) |
	             cr4_if(l1.edx, 25, CR4_OSXMMEXCPT) | cr4_if(l1.ecx, 17, CR4_PCIDE) |
	             cr4_if(l1.ecx, 26, CR4_OSXSAVE) | cr4_if(l7.ebx, 0, CR4_FSGSBASE) |
	             cr4_if(l7.ebx, 7, CR4_SMEP) | cr4_if(l7.ebx, 20, CR4_SMAP) |
	             cr4_if(l7.ecx, 2, CR4_UMIP) | cr4_if(l7.ecx, 3, CR4_PKE);
	policy.efer = EFER_LME | EFER_LMA | (e1.edx & BIT(11) ? EFER_SCE : 0) |
	              (e1.edx & BIT(20) ? EFER_NXE : 0);
}

/* What the host has and guests do not see, for whoever wonders. */
static void log_withheld(void)
{
	char text[512];
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < cpuid_n_bits; i++) {
		const struct cpuid_bit *b = &cpuid_bits[i];
		struct cpuid_regs host = host_leaf(b->leaf, b->subleaf);
		size_t len = strlen(b->name);

		if (b->backing == CPUID_COMPUTED || !(*reg_of(&host, b->reg) & BIT(b->bit)) ||
		        cpuid_offers(b->leaf, b->subleaf, b->reg, b->bit) ||
		        used + len + 2 > sizeof(text)) {
			continue;
		}
		text[used++] = ' ';
		memcpy(text + used, b->name, len + 1);
		used += len;
	}
	log_debug("CPUID: withheld from guests:%s", used ? text : " nothing");
}

void cpuid_policy_init(const struct virt_caps *caps, uint64_t tsc_hz, uint64_t lapic_hz)
{
	memset(&policy, 0, sizeof(policy));
	xstate_init(caps);
	basic_leaves(caps, tsc_hz, lapic_hz);
	extended_leaves(caps);
	control_bits();
	/* No interface beyond the name: a guest that does not know it finds zeros. */
	policy.pv.patch = leaf_pv;
	policy.pv.regs.eax = PV_CPUID_BASE;
	memcpy(&policy.pv.regs.ebx, hv_signature, 4);
	memcpy(&policy.pv.regs.ecx, hv_signature + 4, 4);
	memcpy(&policy.pv.regs.edx, hv_signature + 8, 4);
	log_withheld();
}

bool cpuid_offers(uint32_t leaf, uint32_t subleaf, enum cpuid_reg reg, unsigned bit)
{
	struct cpuid_regs regs = {0, 0, 0, 0};

	if (leaf == 7) {
		regs = policy.structured[subleaf < STRUCTURED_SUBLEAVES ? subleaf : 0];
	} else if (leaf == 0xd) {
		regs.eax = subleaf == 1 ? xstate_features() : 0;
	} else if (leaf < BASIC_LEAVES) {
		regs = policy.basic[leaf].regs;
	} else if (leaf - EXT_BASE < EXT_LEAVES) {
		regs = policy.ext[leaf - EXT_BASE].regs;
	}
	return *reg_of(&regs, reg) & BIT(bit);
}

static inline const struct leaf *find(uint32_t leaf)
{
	if (__builtin_expect(leaf < BASIC_LEAVES, 1)) {
		return &policy.basic[leaf];
	}
	if (leaf - EXT_BASE < EXT_LEAVES) {
		return &policy.ext[leaf - EXT_BASE];
	}
	if (leaf - PV_CPUID_BASE < PV_CPUID_LEAVES) {
		return &policy.pv;
	}
	return &policy.basic[policy.max_basic];
}

void cpuid_guest(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf, struct cpuid_regs *out)
{
	const struct leaf *l = find(leaf);

	*out = l->regs;
	if (l->patch) {
		l->patch(vcpu, leaf, subleaf, out);
	}
}

static inline enum exit_action answer(struct vcpu *vcpu, const struct cpuid_regs *regs)
{
	vcpu->gpr[REG_RAX] = regs->eax;
	vcpu->gpr[REG_RBX] = regs->ebx;
	vcpu->gpr[REG_RCX] = regs->ecx;
	vcpu->gpr[REG_RDX] = regs->edx;
	return ACT_SKIP;
}

static __attribute__((noinline)) enum exit_action answer_patched(
        struct vcpu *vcpu, const struct leaf *l)
{
	struct cpuid_regs regs = l->regs;

	l->patch(vcpu, (uint32_t)vcpu->gpr[REG_RAX], (uint32_t)vcpu->gpr[REG_RCX], &regs);
	return answer(vcpu, &regs);
}

enum exit_action cpuid_handle_exit(struct vcpu *vcpu, const struct vcpu_exit *exit)
{
	const struct leaf *l = find((uint32_t)vcpu->gpr[REG_RAX]);

	(void)exit;
	return l->patch ? answer_patched(vcpu, l) : answer(vcpu, &l->regs);
}

uint64_t cpuid_xcr0_allowed(void)
{
	return xstate_xcr0_allowed();
}

uint64_t cpuid_xss_allowed(void)
{
	return xstate_xss_allowed();
}

uint64_t cpuid_cr4_allowed(void)
{
	return policy.cr4;
}

uint64_t cpuid_efer_allowed(void)
{
	return policy.efer;
}

unsigned cpuid_phys_bits(void)
{
	return policy.phys_bits;
}
