// SPDX-License-Identifier: BSD-2-Clause
// Descriptor tables of each CPU, and where exceptions and interrupts go.
// Specs: [SDM3] "IDT Descriptors" and "Interrupt Stack Table" (64-bit mode), "TSS Descriptor in
// 64-bit mode", "Nonmaskable Interrupt (NMI)".
//
// NMI: the handler runs on a stack of its own and does nothing that can fault - an IRET from
// a nested exception would unblock NMIs, and the next one would overwrite its frame. It
// counts, or parks the CPU for good; it never logs or takes a lock.
#include "vmm/hw/trap_hw.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/panic.h"
#include "vmm/lib/bug.h"
#include "vmm/x86.h"

#define VECTOR_NMI 2U
#define VECTOR_DF 8U
#define VECTOR_MC 18U
#define FIRST_EXTERNAL 32U

struct __attribute__((packed)) tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map;
};
_Static_assert(sizeof(struct tss) == 104, "[SDM3] \"64-Bit TSS Format\"");

struct idt_gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t reserved;
};
_Static_assert(sizeof(struct idt_gate) == 16, "[SDM3] \"64-Bit IDT Gate Descriptors\"");

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uint64_t base;
};

/* One CPU's own tables. */
struct cpu_tables {
	uint64_t gdt[5]; /* null, code, data, TSS (two words) */
	struct tss tss;
};

/* vmm/core.ld: pairs of addresses, an instruction that may fault and where to go on. */
struct extable_entry {
	uint64_t insn, fixup;
};

extern const uint64_t isr_stubs[256];
extern const struct extable_entry extable_start[], extable_end[];
extern uint8_t boot_stack_top[], boot_df_stack_top[], boot_nmi_stack_top[], boot_mc_stack_top[];

static struct cpu_tables tables[MAX_CPUS];
static struct idt_gate idt[256];
static bool idt_built;
static uint32_t parking; /* [a] */

/* isr.asm calls it. */
void trap_dispatch(struct trap_frame *frame);

static void idt_build(void)
{
	for (unsigned v = 0; v < 256; v++) {
		uint64_t to = isr_stubs[v];

		idt[v] = (struct idt_gate){
		        .offset_low = (uint16_t)to,
		        .selector = HOST_CS,
		        .type = 0x8e, /* present, interrupt gate: IF=0 inside */
		        .offset_mid = (uint16_t)(to >> 16),
		        .offset_high = (uint32_t)(to >> 32),
		};
	}
	idt[VECTOR_DF].ist = TRAP_STACK_DF + 1;
	idt[VECTOR_NMI].ist = TRAP_STACK_NMI + 1;
	idt[VECTOR_MC].ist = TRAP_STACK_MC + 1;
	idt_built = true;
}

void trap_set_stacks(const struct pcpu *cpu, void *const tops[TRAP_STACK_COUNT])
{
	for (unsigned i = 0; i < TRAP_STACK_COUNT; i++) {
		tables[cpu->index].tss.ist[i] = (uintptr_t)tops[i];
	}
}

static void gdt_load(const struct cpu_tables *t)
{
	struct table_register gdtr = {.limit = sizeof(t->gdt) - 1, .base = (uintptr_t)t->gdt};

	asm volatile("lgdt %0\n\t"
	             "pushq %1\n\t"
	             "leaq 1f(%%rip), %%rax\n\t"
	             "pushq %%rax\n\t"
	             "lretq\n"
	             "1: movw %w2, %%ss\n\t"
	             "xorl %%eax, %%eax\n\t"
	             "movw %%ax, %%ds\n\t"
	             "movw %%ax, %%es\n\t"
	             "movw %%ax, %%fs\n\t"
	             "movw %%ax, %%gs\n\t"
	             "lldt %%ax\n\t"
	             "ltr %w3"
	             :
	             : "m"(gdtr), "i"(HOST_CS), "r"(HOST_SS), "r"(HOST_TR)
	             : "rax", "memory");
}

void trap_init_cpu(struct pcpu *cpu)
{
	struct cpu_tables *t = &tables[cpu->index];
	uint64_t tss = (uintptr_t)&t->tss;
	struct table_register idtr = {.limit = sizeof(idt) - 1, .base = (uintptr_t)idt};

	if (!idt_built) {
		void *const tops[] = {boot_df_stack_top, boot_nmi_stack_top, boot_mc_stack_top};

		idt_build();
		trap_set_stacks(cpu, tops);
		cpu->stack_top = (uintptr_t)boot_stack_top;
	}
	t->gdt[HOST_CS / 8] = 0x00af9b000000ffff;
	t->gdt[HOST_SS / 8] = 0x00cf93000000ffff;
	/* Present, available 64-bit TSS; [SDM3] "TSS Descriptor in 64-bit mode". */
	t->gdt[HOST_TR / 8] = (sizeof(t->tss) - 1) | (tss & 0xffffff) << 16 | 0x89ULL << 40 |
	                      (tss >> 24 & 0xff) << 56;
	t->gdt[HOST_TR / 8 + 1] = tss >> 32;
	t->tss.io_map = sizeof(t->tss);
	gdt_load(t);
	cpu_wrmsr(MSR_IA32_FS_BASE, 0);
	cpu_wrmsr(MSR_IA32_GS_BASE, (uintptr_t)cpu);
	cpu->self = cpu;
	cpu->tss_base = tss;
	cpu->gdt_base = (uintptr_t)t->gdt;
	cpu->idt_base = (uintptr_t)idt;
	asm volatile("lidt %0" ::"m"(idtr) : "memory");
}

void trap_park_on_nmi(void)
{
	__atomic_store_n(&parking, 1, __ATOMIC_SEQ_CST);
}

static bool fix_up(struct trap_frame *frame)
{
	for (const struct extable_entry *e = extable_start; e < extable_end; e++) {
		if (e->insn == frame->rip) {
			frame->rip = e->fixup;
			return true;
		}
	}
	return false;
}

void trap_dispatch(struct trap_frame *frame)
{
	if (frame->vector >= FIRST_EXTERNAL) {
		host_interrupt((uint8_t)frame->vector);
	} else if (frame->vector == VECTOR_NMI) {
		if (__atomic_load_n(&parking, __ATOMIC_SEQ_CST)) {
			cpu_halt_forever();
		}
		pcpu_this()->nmi_seen++;
	} else if (frame->vector == VECTOR_DF || frame->vector == VECTOR_MC || !fix_up(frame)) {
		panic_trap(frame);
	}
}

void host_nmi(void)
{
	asm volatile("int $2" ::: "memory");
}
