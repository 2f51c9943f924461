/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest test: TEST(name) { ... CHECK(condition); ... }. The image's main() runs them all in
 * the order of their names and reports 'PASS name', 'FAIL name file:line' or
 * 'SKIP name reason' on COM1 (tests/e2e/guest_tests.py counts them), then powers off.
 */
#ifndef GUEST_TEST_LIB_TEST_H
#define GUEST_TEST_LIB_TEST_H

#include "guest-test/lib/x86.h"

struct test {
	const char *name;
	void (*fn)(void);
};

#define TEST(test_name) \
	static void test_##test_name(void); \
	static const struct test entry_##test_name __attribute__((section(".tests." #test_name), \
	        used, aligned(8))) = {#test_name, test_##test_name}; \
	static void test_##test_name(void)

/* Note the failure and go on. */
void check_failed(const char *file, int line, const char *what);
#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			check_failed(__FILE__, __LINE__, #cond); \
		} \
	} while (0)
/* Two numbers that must be equal; both are printed when they are not. */
void check_equal(const char *file, int line, const char *what, uint64_t got, uint64_t want);
#define CHECK_EQ(got, want) check_equal(__FILE__, __LINE__, #got " == " #want, (got), (want))

/* This machine cannot show it. */
void skip(const char *reason);
/* A figure: 'INFO test what value unit'. */
void info(const char *what, uint64_t value, const char *unit);

void put_char(char c);
void put_string(const char *s);
void put_hex(uint64_t v);
void put_dec(uint64_t v);

/* --- faults --- */
struct frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

#define NO_FAULT 0xffU
enum exception {
	X_DE = 0,
	X_DB = 1,
	X_NMI = 2,
	X_BP = 3,
	X_UD = 6,
	X_NM = 7,
	X_DF = 8,
	X_NP = 11,
	X_SS = 12,
	X_GP = 13,
	X_PF = 14,
	X_MF = 16,
	X_AC = 17,
};
struct fault {
	uint32_t vector; /* NO_FAULT = fn returned */
	uint64_t error, rip, cr2;
};
/* Run fn; a fault inside ends it and is described. */
struct fault catch_fault(void (*fn)(void *arg), void *arg);
/* The vector alone. */
uint32_t fault_of(void (*fn)(void *arg), void *arg);
uint32_t rdmsr_fault(uint32_t msr);
uint32_t wrmsr_fault(uint32_t msr, uint64_t v);
/* void insn_NAME(void *arg): one instruction, with arg in RDI. */
#define INSN(name, text) \
	static void insn_##name(void *arg) \
	{ \
		__asm__ volatile(text \
		                 : "+D"(arg) \
		                 : \
		                 : "rax", "rbx", "rcx", "rdx", "rsi", "memory", "cc"); \
	}
extern struct frame fault_frame; /* all registers at the last one caught */
/* The same, but a fault counts as a failure of the test. */
void run_caught(void (*fn)(void *arg), void *arg);
/*
 * Run position-independent code at CPL 3, at USER_BASE + its address; it ends by a fault, or by
 * INT 80H with its result in RAX (fault_frame.rax).
 */
#define USER_EXIT 0x80U
struct fault user_call(void (*fn)(void), uint64_t arg);

/* --- memory --- */
#define USER_BASE 0x10000000000ULL  /* the first GiB once more, for CPL 3 */
#define WINDOW_BASE 0x8000000000ULL /* 512 pages that a test may set */
#define WINDOW_PAGES 512U
#define PTE_P 1ULL
#define PTE_W 2ULL
#define PTE_U 4ULL
#define PTE_NX (1ULL << 63)
extern volatile uint64_t window_pt[WINDOW_PAGES];
/* Where RAM from 1 MiB on ends, from what the loader says. */
uint64_t ram_size(void);
/* Set a page of the window; returns its address. */
void *window_map(unsigned page, uint64_t phys, uint64_t flags);
void *memset(void *to, int byte, size_t len);
void *memcpy(void *to, const void *from, size_t len);

/* --- interrupts --- */
extern volatile uint32_t irq_count[256];
/* Called by the trap handler for a vector, before its EOI; NULL = count only. */
extern void (*irq_handler[256])(struct frame *f);
/* Before all else; true = it was dealt with, its EOI too. For images with several vCPUs. */
extern bool (*trap_first)(struct frame *f);
enum eoi_kind { EOI_NONE, EOI_LAPIC, EOI_PIC };
void irq_setup(uint8_t vector, enum eoi_kind eoi, void (*handler)(struct frame *f));

/* --- time: TSC ticks, and microseconds by CPUID leaf 0x15 or the ACPI PM timer --- */
uint64_t tsc_hz(void);
void delay_us(uint64_t us);
/* The same with interrupts on: without the preemption timer Bochs lets nothing else end it. */
void delay_open_us(uint64_t us);
/* Interrupts on until *counter reaches want or so many microseconds are over. */
bool wait_for(volatile uint32_t *counter, uint32_t want, uint64_t us);

/* --- the machine's places (docs/hardware.md) --- */
#define PM_BASE 0x400
#define PM_TIMER (PM_BASE + 8)
#define LAPIC_BASE 0xfee00000ULL
#define IOAPIC_BASE 0xfec00000ULL
void lapic_enable(void); /* software-enable, xAPIC */
void pic_mask_all(void);
void ioapic_write(uint32_t reg, uint32_t v);
uint32_t ioapic_read(uint32_t reg);
uint8_t cmos_read(uint8_t reg);
void cmos_write(uint8_t reg, uint8_t v);
void power_off(void);

/* After all tests: what main() does at the end. */
void run_tests(void);

#endif
