// SPDX-License-Identifier: BSD-2-Clause
// A VM without hardware: a CPU back end of arrays, RAM between guard pages.
#include "tests/fake/fake.h"
#include "vmm/hw/pcpu.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/out.h"
#include "vmm/sched.h"
#include <string.h>
#include <sys/mman.h>

static struct vm the_vm;
static struct config_vm the_config;
static struct vcpu vcpus[MAX_VCPUS];
static struct fake_vcpu fakes[MAX_VCPUS];
static uint8_t apic_pages[MAX_VCPUS][PAGE_SIZE] __attribute__((aligned(4096)));
static struct virt_caps the_caps;
static void *ram;
static uint64_t ram_mapped;
unsigned fake_sched_wakes;
bool fake_contended;
unsigned fake_nested_flushes;

struct fake_vcpu *fake_vcpu(struct vcpu *vcpu)
{
	return vcpu->virt;
}

struct virt_caps *fake_caps(void)
{
	return &the_caps;
}

static const struct virt_caps *op_caps(void)
{
	return &the_caps;
}

static void op_host_dump(struct out *out)
{
	out_print(out, "fake: everything granted\n");
}

static uint64_t op_get_reg(struct vcpu *vcpu, enum vcpu_reg reg)
{
	return fake_vcpu(vcpu)->regs[reg];
}

static void op_set_reg(struct vcpu *vcpu, enum vcpu_reg reg, uint64_t value)
{
	fake_vcpu(vcpu)->regs[reg] = value;
}

static void op_get_seg(struct vcpu *vcpu, enum vcpu_seg seg, struct segment *out)
{
	*out = fake_vcpu(vcpu)->segs[seg];
}

static void op_set_seg(struct vcpu *vcpu, enum vcpu_seg seg, const struct segment *in)
{
	fake_vcpu(vcpu)->segs[seg] = *in;
}

static void op_get_table(struct vcpu *vcpu, bool idt, struct desc_table *out)
{
	*out = fake_vcpu(vcpu)->tables[idt];
}

static void op_set_table(struct vcpu *vcpu, bool idt, const struct desc_table *in)
{
	fake_vcpu(vcpu)->tables[idt] = *in;
}

static void op_get_fetch(struct vcpu *vcpu, struct fetch_context *out)
{
	const struct fake_vcpu *f = fake_vcpu(vcpu);

	*out = (struct fetch_context){
	        .rip = f->regs[REG_RIP],
	        .cr3 = f->regs[REG_CR3],
	        .mode = (f->segs[SEG_CS].attr * 0x10001ULL + f->regs[REG_CR0] * 31 +
	                        f->regs[REG_CR4] * 0x100000007ULL + f->regs[REG_EFER] * 1009) |
	                BIT64(63),
	};
}

static void op_set_pdptes(struct vcpu *vcpu, const uint64_t pdpte[4])
{
	memcpy(fake_vcpu(vcpu)->pdptes, pdpte, sizeof(fake_vcpu(vcpu)->pdptes));
}

static void op_skip_insn(struct vcpu *vcpu, unsigned len)
{
	fake_vcpu(vcpu)->regs[REG_RIP] += len;
	fake_vcpu(vcpu)->skipped_len += len;
	fake_vcpu(vcpu)->intr_shadow = false;
}

static void op_pend_debug(struct vcpu *vcpu, uint64_t dr6_bits)
{
	fake_vcpu(vcpu)->pending_debug |= dr6_bits;
}

static bool op_in_intr_shadow(struct vcpu *vcpu)
{
	return fake_vcpu(vcpu)->intr_shadow;
}

static bool op_intr_open(struct vcpu *vcpu)
{
	return (fake_vcpu(vcpu)->regs[REG_RFLAGS] & RFLAGS_IF) && !fake_vcpu(vcpu)->intr_shadow;
}

static bool op_nmi_blocked(struct vcpu *vcpu)
{
	return fake_vcpu(vcpu)->nmi_blocked;
}

static void op_set_nmi_blocked(struct vcpu *vcpu, bool blocked)
{
	fake_vcpu(vcpu)->nmi_blocked = blocked;
}

static void op_inject(struct vcpu *vcpu, const struct event *event)
{
	fake_vcpu(vcpu)->injected = *event;
	fake_vcpu(vcpu)->injections++;
}

static bool op_inject_interrupt(struct vcpu *vcpu, unsigned vector)
{
	const struct event event = {.type = EVENT_EXTINT, .vector = vector};

	if (!op_intr_open(vcpu)) {
		return false;
	}
	op_inject(vcpu, &event);
	return true;
}

static void op_request_window(struct vcpu *vcpu, bool intr, bool nmi)
{
	fake_vcpu(vcpu)->window_intr = intr;
	fake_vcpu(vcpu)->window_nmi = nmi;
}

static void op_apic_set_mode(struct vcpu *vcpu, uint64_t apic_base)
{
	fake_vcpu(vcpu)->apic_base = apic_base;
}

static void op_apic_set_irr(struct vcpu *vcpu, int highest_irr)
{
	fake_vcpu(vcpu)->irr = highest_irr;
}

static void op_apic_set_isr(struct vcpu *vcpu, int highest_isr)
{
	fake_vcpu(vcpu)->isr = highest_isr;
}

static void op_apic_set_eoi_exits(struct vcpu *vcpu, const uint64_t bitmap[4])
{
	memcpy(fake_vcpu(vcpu)->eoi_exits, bitmap, sizeof(fake_vcpu(vcpu)->eoi_exits));
}

static void op_apic_set_tpr_threshold(struct vcpu *vcpu, unsigned threshold)
{
	fake_vcpu(vcpu)->tpr_threshold = threshold;
}

static void op_flush_guest_tlb(struct vcpu *vcpu)
{
	fake_vcpu(vcpu)->flushes++;
}

static void op_flush_nested(struct vm *vm)
{
	(void)vm;
	fake_nested_flushes++;
}

static void op_set_tsc_offset(struct vcpu *vcpu, uint64_t offset)
{
	fake_vcpu(vcpu)->tsc_offset = offset;
}

static void op_vcpu_dump(struct vcpu *vcpu, struct out *out)
{
	out_print(out, "  the back end's part of vCPU %u\n", vcpu->index);
}

static const char *op_exit_name(uint16_t raw_reason)
{
	return raw_reason == 10 ? "CPUID" : NULL;
}

static void op_vcpu_reset(struct vcpu *vcpu, bool power_on)
{
	(void)power_on;
	memset(vcpu->virt, 0, sizeof(struct fake_vcpu));
	fake_vcpu(vcpu)->regs[REG_RFLAGS] = RFLAGS_FIXED1;
	fake_vcpu(vcpu)->regs[REG_RIP] = 0xfff0;
	fake_vcpu(vcpu)->regs[REG_CR0] = CR0_CD | CR0_NW | CR0_ET;
}

int fake_map_error;
static struct {
	uint64_t at, to, len;
	enum map_prot prot;
} map_log[512];
static unsigned n_maps;

static int record_map(gpa_t at, hpa_t to, uint64_t len, enum map_prot prot)
{
	if (fake_map_error) {
		return fake_map_error;
	}
	if (n_maps == ARRAY_SIZE(map_log)) {
		bug(__FILE__, __LINE__, "more mappings than the fake remembers");
	}
	map_log[n_maps].at = at.v;
	map_log[n_maps].to = to.v;
	map_log[n_maps].len = len;
	map_log[n_maps++].prot = prot;
	return 0;
}

enum map_prot fake_mapping(uint64_t at, uint64_t *to, uint64_t *len)
{
	for (unsigned i = n_maps; i-- > 0;) {
		if (at - map_log[i].at < map_log[i].len) {
			*to = map_log[i].to + (at - map_log[i].at);
			*len = map_log[i].len;
			return map_log[i].prot;
		}
	}
	*to = *len = 0;
	return (enum map_prot)0;
}

static int op_map(
        struct vm *vm, gpa_t at, hpa_t to, uint64_t len, enum map_prot prot, enum map_type type)
{
	(void)vm;
	(void)type;
	return record_map(at, to, len, prot);
}

static int op_unmap(struct vm *vm, gpa_t at, uint64_t len)
{
	(void)vm;
	return record_map(at, hpa(0), len, (enum map_prot)0);
}

static bool op_fix_fault(struct vm *vm, gpa_t at, bool fetch)
{
	(void)vm;
	(void)at;
	(void)fetch;
	return false;
}

static const struct cpu_virt_ops fake_ops = {
        .name = "fake",
        .caps = op_caps,
        .host_dump = op_host_dump,
        .vcpu_reset = op_vcpu_reset,
        .get_reg = op_get_reg,
        .set_reg = op_set_reg,
        .get_seg = op_get_seg,
        .set_seg = op_set_seg,
        .get_table = op_get_table,
        .set_table = op_set_table,
        .get_fetch = op_get_fetch,
        .set_pdptes = op_set_pdptes,
        .skip_insn = op_skip_insn,
        .pend_debug = op_pend_debug,
        .in_intr_shadow = op_in_intr_shadow,
        .intr_open = op_intr_open,
        .nmi_blocked = op_nmi_blocked,
        .set_nmi_blocked = op_set_nmi_blocked,
        .inject = op_inject,
        .inject_interrupt = op_inject_interrupt,
        .request_window = op_request_window,
        .apic_set_mode = op_apic_set_mode,
        .apic_set_irr = op_apic_set_irr,
        .apic_set_isr = op_apic_set_isr,
        .apic_set_eoi_exits = op_apic_set_eoi_exits,
        .apic_set_tpr_threshold = op_apic_set_tpr_threshold,
        .map = op_map,
        .unmap = op_unmap,
        .fix_fault = op_fix_fault,
        .flush_guest_tlb = op_flush_guest_tlb,
        .flush_nested = op_flush_nested,
        .set_tsc_offset = op_set_tsc_offset,
        .vcpu_dump = op_vcpu_dump,
        .exit_name = op_exit_name,
};

const struct cpu_virt_ops *cpu_virt = &fake_ops;

/* Weak: a test of vmm/sched.c gets the real one. */
__attribute__((weak)) void sched_wake(struct vcpu *vcpu)
{
	(void)vcpu;
	fake_sched_wakes++;
}

__attribute__((weak)) bool sched_contended(const struct vcpu *vcpu)
{
	(void)vcpu;
	return fake_contended;
}

__attribute__((weak)) bool sched_released(const struct vcpu *vcpu, uint32_t cpu)
{
	(void)vcpu;
	(void)cpu;
	return true;
}

__attribute__((weak)) void sched_load(struct vcpu *vcpu)
{
	if (pcpu_this()->loaded != vcpu) {
		cpu_virt->vcpu_load(vcpu);
	}
}

/* RAM with an inaccessible page before and after it. */
static uint8_t *map_ram(uint64_t size)
{
	uint8_t *p;

	if (ram) {
		munmap(ram, ram_mapped);
	}
	ram_mapped = size + 2 * PAGE_SIZE;
	ram = mmap(NULL, ram_mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram == MAP_FAILED) {
		ram = NULL;
		return NULL;
	}
	p = (uint8_t *)ram + PAGE_SIZE;
	if (mprotect(p, size, PROT_READ | PROT_WRITE)) {
		return NULL;
	}
	return p;
}

struct vm *fake_vm(uint64_t mem_size, unsigned n_vcpus)
{
	uint64_t low = mem_size < GMEM_LOW_MAX ? mem_size : GMEM_LOW_MAX;
	uint8_t *p = map_ram(mem_size);
	int err = 0;

	n_maps = 0;
	fake_map_error = 0;
	memset(&the_vm, 0, sizeof(the_vm));
	memset(&the_config, 0, sizeof(the_config));
	memset(vcpus, 0, sizeof(vcpus));
	memset(fakes, 0, sizeof(fakes));
	memset(apic_pages, 0, sizeof(apic_pages));
	strcpy(the_config.name, "fake");
	the_config.vcpus = n_vcpus;
	the_config.memory = mem_size;
	the_vm.config = &the_config;
	the_vm.state = VM_RUNNING;
	the_vm.mem.size = mem_size;
	the_vm.n_vcpus = n_vcpus;
	io_bus_init(&the_vm.pio, 0xffff);
	io_bus_init(&the_vm.mmio, (1ULL << 46) - 1);
	irq_router_init(&the_vm.irq, &the_vm);
	/* Conventional memory, a hole for VGA, the rest. */
	err |= gmem_add(&the_vm.mem, gpa(0), p, hpa(0x100000000ULL),
	        low < GMEM_VGA_BASE ? low : GMEM_VGA_BASE);
	if (low > GMEM_VGA_END) {
		err |= gmem_add(&the_vm.mem, gpa(GMEM_VGA_END), p + GMEM_VGA_END,
		        hpa(0x100000000ULL + GMEM_VGA_END), low - GMEM_VGA_END);
	}
	if (mem_size > low) {
		err |= gmem_add(&the_vm.mem, gpa(SIZE_4G), p + low, hpa(0x100000000ULL + low),
		        mem_size - low);
	}
	if (err) {
		return NULL;
	}
	for (unsigned i = 0; i < n_vcpus; i++) {
		struct vcpu *vcpu = &vcpus[i];

		the_vm.vcpus[i] = vcpu;
		vcpu->vm = &the_vm;
		vcpu->index = i;
		vcpu->next_exit = vcpu->last_exits;
		vcpu->hypercall = vcpu_no_hypercall;
		vcpu->virt = &fakes[i];
		vcpu->state = i == 0 ? VCPU_RUNNABLE : VCPU_WAIT_SIPI;
		vcpu->xcr0 = 1;
		op_vcpu_reset(vcpu, true);
		lapic_init(&vcpu->lapic, vcpu, apic_pages[i]);
		lapic_reset(&vcpu->lapic, true);
	}
	return &the_vm;
}

void fake_long_mode(struct vcpu *vcpu, uint64_t tables)
{
	struct fake_vcpu *f = fake_vcpu(vcpu);
	struct guest_mem *mem = &vcpu->vm->mem;
	uint64_t entry = (tables + 0x1000) | 7;
	int err = gmem_write(mem, gpa(tables), &entry, 8);

	entry = (tables + 0x2000) | 7;
	err |= gmem_write(mem, gpa(tables + 0x1000), &entry, 8);
	for (unsigned i = 0; i < 512; i++) {
		entry = ((uint64_t)i << 21) | 0x87;
		err |= gmem_write(mem, gpa(tables + 0x2000 + i * 8), &entry, 8);
	}
	if (err) {
		bug(__FILE__, __LINE__, "page tables do not fit the fake guest");
	}
	f->regs[REG_CR0] = CR0_PE | CR0_PG | CR0_NE | CR0_ET | CR0_WP;
	f->regs[REG_CR3] = tables;
	f->regs[REG_CR4] = CR4_PAE;
	f->regs[REG_EFER] = EFER_LME | EFER_LMA | EFER_NXE;
	for (unsigned i = 0; i < SEG_LDTR; i++) {
		f->segs[i] =
		        (struct segment){.limit = 0xffffffff, .selector = 0x10, .attr = 0xc093};
	}
	f->segs[SEG_CS] = (struct segment){.limit = 0xffffffff, .selector = 0x08, .attr = 0xa09b};
}
