// SPDX-License-Identifier: BSD-2-Clause
// Starts the other processors, one at a time.
// Specs: [SDM3] "MP Initialization Protocol Algorithm", "Typical AP Initialization Sequence".
#include "vmm/hw/apic_hw.h"
#include "vmm/hw/apic_priv_hw.h"
#include "vmm/hw/clock.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/hw/paging.h"
#include "vmm/hw/paging_build.h"
#include "vmm/hw/pcpu.h"
#include "vmm/hw/trap_hw.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/log.h"
#include "vmm/lib/string.h"

#define START_TIMEOUT_NS 100000000ULL
#define AP_STACK_PAGES 8U

/* vmm/hw/ap_start.asm; the labels are places in the copy. */
extern uint8_t ap_start[], ap_end[], ap_gdt_base[], ap_far_offset[], ap_cr3[], ap_stack[], ap_cpu[],
        ap_entry[];

static void (*cpu_entry)(struct pcpu *cpu);
static uint64_t ap_tsc; /* [a] of the CPU that has just come up */

/* Stacks with guard pages; a table entry that a dead CPU left keeps those it had. */
static bool alloc_stacks(struct pcpu *cpu)
{
	void *tops[TRAP_STACK_COUNT];
	void *stack;

	if (cpu->stack_top) {
		return true;
	}
	stack = paging_alloc_stack(AP_STACK_PAGES);
	for (unsigned i = 0; i < TRAP_STACK_COUNT; i++) {
		tops[i] = paging_alloc_stack(TRAP_STACK_PAGES);
		if (!tops[i]) {
			return false;
		}
	}
	cpu->stack_top = (uintptr_t)stack;
	trap_set_stacks(cpu, tops);
	return stack != NULL;
}

/* First code of the core on a started processor, on its own stack and the start-up tables. */
static __noreturn void ap_main(struct pcpu *cpu)
{
	trap_init_cpu(cpu);
	paging_use();
	apic_init_cpu();
	__atomic_store_n(&ap_tsc, cpu_rdtsc(), __ATOMIC_RELEASE);
	__atomic_store_n(&cpu->online, 1, __ATOMIC_RELEASE);
	cpu_entry(cpu);
	BUG("a CPU's entry returned");
}

static void put32(uint8_t *page, const uint8_t *label, uint32_t v)
{
	memcpy(page + (label - ap_start), &v, sizeof(v));
}

static void put64(uint8_t *page, const uint8_t *label, uint64_t v)
{
	memcpy(page + (label - ap_start), &v, sizeof(v));
}

static uint8_t *trampoline_fill(uint64_t pa, const struct page_table *tables)
{
	uint8_t *page = phys_to_virt(hpa(pa));

	BUG_ON(ap_end - ap_start > (ptrdiff_t)PAGE_SIZE);
	memcpy(page, ap_start, (size_t)(ap_end - ap_start));
	/* These two hold offsets in the page already. */
	for (unsigned i = 0; i < 2; i++) {
		const uint8_t *label = i == 0 ? ap_gdt_base : ap_far_offset;
		uint32_t v;

		memcpy(&v, page + (label - ap_start), sizeof(v));
		put32(page, label, v + (uint32_t)pa);
	}
	put64(page, ap_cr3, tables->root.v);
	put64(page, ap_entry, (uintptr_t)ap_main);
	return page;
}

static bool wait_online(const struct pcpu *cpu, uint64_t ns)
{
	uint64_t end = clock_now() + ns;

	do {
		if (__atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE)) {
			return true;
		}
		cpu_pause();
	} while (clock_now() < end);
	return false;
}

static bool start_one(struct pcpu *cpu, uint8_t *page, uint64_t page_pa)
{
	uint8_t vector = (uint8_t)(page_pa >> PAGE_SHIFT);

	put64(page, ap_stack, cpu->stack_top);
	put64(page, ap_cpu, (uintptr_t)cpu);
	apic_send_init(cpu->apic_id);
	clock_delay_us(10000);
	apic_send_sipi(cpu->apic_id, vector);
	if (wait_online(cpu, 1000000)) {
		return true;
	}
	apic_send_sipi(cpu->apic_id, vector);
	if (wait_online(cpu, START_TIMEOUT_NS)) {
		return true;
	}
	/* Should it still come, it must not find the next one's stack. */
	apic_send_init(cpu->apic_id);
	clock_delay_us(10000);
	return false;
}

/* The new CPU's counter must lie between ours before and after; else time jumps. */
static void check_tsc(const struct pcpu *cpu, uint64_t before, uint64_t after)
{
	uint64_t tsc = __atomic_load_n(&ap_tsc, __ATOMIC_ACQUIRE);

	if (tsc < before || tsc > after) {
		log_warn("CPU %u: its time-stamp counter is %llu ticks %s", cpu->index,
		        (unsigned long long)(tsc < before ? before - tsc : tsc - after),
		        tsc < before ? "behind" : "ahead");
	}
}

unsigned smp_start(const struct boot_info *bi, void (*entry)(struct pcpu *cpu))
{
	uint32_t n = bi->n_cpus < MAX_CPUS ? bi->n_cpus : MAX_CPUS, self = apic_id();
	struct page_table tables;
	unsigned up = 1;
	uint8_t *page;

	for (uint32_t i = 0; i < n; i++) {
		if (bi->cpus[i].apic_id > 0xfe) {
			apic_require_x2apic();
		}
	}
	pcpus[0].apic_id = self;
	__atomic_store_n(&pcpus[0].online, 1, __ATOMIC_RELEASE);
	if (n <= 1) {
		return up;
	}
	if (bi->ap_page == 0 || bi->ap_page >= 0xa0000 || bi->ap_page % PAGE_SIZE) {
		log_warn("no memory below 640 KiB: only the boot processor is used");
		return up;
	}
	if (paging_build_ap(&tables, paging_table(), hpa(bi->ap_page))) {
		log_warn("no memory to start other processors");
		return up;
	}
	cpu_entry = entry;
	page = trampoline_fill(bi->ap_page, &tables);
	for (uint32_t i = 0; i < n && up < MAX_CPUS; i++) {
		struct pcpu *cpu = &pcpus[up];
		uint64_t before;

		if (bi->cpus[i].apic_id == self) {
			continue;
		}
		if (bi->cpus[i].apic_id > 0xfe && !apic_is_x2apic()) {
			continue;
		}
		cpu->index = up;
		cpu->apic_id = bi->cpus[i].apic_id;
		if (!alloc_stacks(cpu)) {
			log_warn("no memory for the stacks of more than %u processors", up);
			break;
		}
		before = cpu_rdtsc();
		if (start_one(cpu, page, bi->ap_page)) {
			check_tsc(cpu, before, cpu_rdtsc());
			up++;
			pcpu_set_count(up);
		} else {
			log_warn("CPU with APIC id %u does not start: left out", cpu->apic_id);
		}
	}
	paging_free_ap(&tables, hpa(bi->ap_page));
	return up;
}
