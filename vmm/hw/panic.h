/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end: stop the other CPUs by NMI, print registers and a symbolised backtrace, flush
 * the console, and stop (or power off, so that an emulator ends).
 */
#ifndef VMM_HW_PANIC_H
#define VMM_HW_PANIC_H

#include "boot/boot_info.h"
#include "vmm/lib/types.h"

/* What the ISR stubs push; vmm/hw/isr.asm has the same order (checked by asm_offsets). */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

void panic_init(const struct boot_info *bi); /* remembers the symbol table */
__noreturn void panic(const char *fmt, ...) __printf(1, 2);
__noreturn void panic_trap(const struct trap_frame *frame);

/* Log "  address  function+offset" lines, newest first, at most 32. */
void backtrace_log(uint64_t rip, uint64_t rbp);

/* A start-up failure only the core can see: one sentence, then power off. */
__noreturn void die(const char *fmt, ...) __printf(1, 2);

/* ACPI S5 if known, the emulators' exit ports, else halt and say so. */
__noreturn void machine_poweroff(void);
__noreturn void machine_reset(void);

#endif
