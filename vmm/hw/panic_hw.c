// SPDX-License-Identifier: BSD-2-Clause
// The core's last words: registers, backtrace, stop.
// Specs: [SDM3] "Exception and Interrupt Reference"; [SYSV] "The Stack Frame".
#include "vmm/hw/console_hw.h"
#include "vmm/hw/cpu_hw.h"
#include "vmm/hw/page_alloc.h"
#include "vmm/hw/paging_build.h"
#include "vmm/hw/panic.h"
#include "vmm/hw/pcpu.h"
#include "vmm/hw/power_hw.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/bug.h"
#include "vmm/lib/image.h"
#include "vmm/lib/log.h"
#include <stdarg.h>

#define MAX_FRAMES 32U

static uint64_t symbols_pa, symbols_len;
static uint32_t panicking; /* [a] CPU index + 1 */

extern uint8_t core_text_start[], core_text_end[], core_data_start[], core_data_end[];

void panic_init(const struct boot_info *bi)
{
	symbols_pa = bi->core_file_base;
	symbols_len = bi->core_file_len;
}

static bool in_text(uint64_t address)
{
	return address >= (uintptr_t)core_text_start && address < (uintptr_t)core_text_end;
}

/* May 16 bytes be read there? A broken chain of frames must not fault again. */
static bool readable(uint64_t va)
{
	const struct page_table *pt = paging_table();
	hpa_t pa;

	if (!is_aligned(va, 8)) {
		return false;
	}
	if (!pt) {
		return va >= (uintptr_t)core_data_start && va < (uintptr_t)core_data_end - 16;
	}
	return page_table_lookup(pt, va, &pa, NULL) && page_table_lookup(pt, va + 15, &pa, NULL);
}

/* back: 1 for a return address, which may lie behind the end of its function; else 0. */
static void log_frame(uint64_t rip, unsigned back)
{
	const char *name;
	uint64_t offset;

	if (symbols_pa && in_text(rip) &&
	        elf_symbol_lookup(
	                phys_to_virt(hpa(symbols_pa)), symbols_len, rip - back, &name, &offset)) {
		log_error("  %016llx  %s+0x%llx", (unsigned long long)rip, name,
		        (unsigned long long)(offset + back));
	} else {
		log_error("  %016llx", (unsigned long long)rip);
	}
}

void backtrace_log(uint64_t rip, uint64_t rbp)
{
	log_frame(rip, 0);
	for (unsigned n = 1; n < MAX_FRAMES && readable(rbp); n++) {
		const uint64_t *frame = (const uint64_t *)(uintptr_t)rbp;

		if (!in_text(frame[1])) {
			break;
		}
		log_frame(frame[1], 1);
		/* No check for order: a trap goes from its own stack to another. The count ends it.
		 */
		rbp = frame[0];
	}
}

/* Only the first CPU speaks, and only once. */
static void panic_enter(void)
{
	uint32_t free = 0, self = pcpu_this()->index + 1;

	cpu_cli();
	if (!__atomic_compare_exchange_n(
	            &panicking, &free, self, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (free == self) {
			/* While panicking: what is in the ring is all there will be. */
			power_off_emulator();
		}
		cpu_halt_forever();
	}
	power_stop_others();
	console_panic_begin();
}

static __noreturn void panic_leave(void)
{
	log_error("Candela stopped.");
	console_flush();
	power_off_emulator();
	cpu_halt_forever();
}

__noreturn void panic(const char *fmt, ...)
{
	va_list ap;

	panic_enter();
	va_start(ap, fmt);
	log_vline(LOG_ERROR, "PANIC: ", fmt, ap);
	va_end(ap);
	log_error("on CPU %u (APIC id %u)", pcpu_this()->index, pcpu_this()->apic_id);
	backtrace_log((uintptr_t)__builtin_return_address(0),
	        *(const uint64_t *)__builtin_frame_address(0));
	panic_leave();
}

static const char *const exception_names[32] = {
        [0] = "#DE divide error",
        [1] = "#DB debug",
        [2] = "NMI",
        [3] = "#BP breakpoint",
        [4] = "#OF overflow",
        [5] = "#BR bound range",
        [6] = "#UD invalid opcode",
        [7] = "#NM no FPU",
        [8] = "#DF double fault",
        [10] = "#TS invalid TSS",
        [11] = "#NP segment not present",
        [12] = "#SS stack fault",
        [13] = "#GP general protection",
        [14] = "#PF page fault",
        [16] = "#MF FPU error",
        [17] = "#AC alignment check",
        [18] = "#MC machine check",
        [19] = "#XM SIMD error",
        [20] = "#VE virtualization exception",
        [21] = "#CP control protection",
};

#define X(v) ((unsigned long long)(v))

__noreturn void panic_trap(const struct trap_frame *f)
{
	const char *name = f->vector < 32 ? exception_names[f->vector] : NULL;
	uint64_t cr2 = cpu_read_cr2();

	panic_enter();
	log_error("PANIC: exception %llu (%s), error code 0x%llx", X(f->vector),
	        name ? name : "reserved", X(f->error));
	log_error("on CPU %u (APIC id %u)", pcpu_this()->index, pcpu_this()->apic_id);
	log_error("RIP %04llx:%016llx RFLAGS %08llx RSP %04llx:%016llx", X(f->cs), X(f->rip),
	        X(f->rflags), X(f->ss), X(f->rsp));
	log_error("RAX %016llx RBX %016llx RCX %016llx RDX %016llx", X(f->rax), X(f->rbx),
	        X(f->rcx), X(f->rdx));
	log_error("RSI %016llx RDI %016llx RBP %016llx R8  %016llx", X(f->rsi), X(f->rdi),
	        X(f->rbp), X(f->r8));
	log_error("R9  %016llx R10 %016llx R11 %016llx R12 %016llx", X(f->r9), X(f->r10), X(f->r11),
	        X(f->r12));
	log_error("R13 %016llx R14 %016llx R15 %016llx", X(f->r13), X(f->r14), X(f->r15));
	log_error("CR0 %08llx CR2 %016llx CR3 %012llx CR4 %08llx", X(cpu_read_cr0()), X(cr2),
	        X(cpu_read_cr3()), X(cpu_read_cr4()));
	if (f->vector == 8 && f->rsp - cr2 < PAGE_SIZE) {
		log_error("The stack is full: CR2 lies in the guard page below it.");
	}
	if (!in_text(f->rip) && readable(f->rsp) && in_text(*(const uint64_t *)f->rsp)) {
		log_error("Called from:");
		log_frame(*(const uint64_t *)f->rsp, 1);
	}
	backtrace_log(f->rip, f->rbp);
	panic_leave();
}

__noreturn void bug(const char *file, int line, const char *what)
{
	panic("BUG at %s:%d: %s", file, line, what);
}

__noreturn void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(LOG_ERROR, "Candela cannot start: ", fmt, ap);
	va_end(ap);
	machine_poweroff();
}
