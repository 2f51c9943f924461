// SPDX-License-Identifier: BSD-2-Clause
// Faults that tests provoke, and interrupts.
#include "guest-test/lib/test.h"

int fault_catch(void (*fn)(void *), void *arg);
void fault_throw(void);
void user_enter(void *args);
void trap(struct frame *f);

static volatile bool catching;
static volatile struct fault caught;
struct frame fault_frame;
static enum eoi_kind eoi_of[256];
volatile uint32_t irq_count[256];
void (*irq_handler[256])(struct frame *f);
bool (*trap_first)(struct frame *f);

void irq_setup(uint8_t vector, enum eoi_kind eoi, void (*handler)(struct frame *f))
{
	irq_count[vector] = 0;
	eoi_of[vector] = eoi;
	irq_handler[vector] = handler;
}

static void end_of_interrupt(uint64_t vector)
{
	switch (eoi_of[vector]) {
	case EOI_LAPIC:
		if (rdmsr(0x1b) & (1U << 10)) {
			wrmsr(0x80b, 0);
		} else {
			mmio_w32(LAPIC_BASE + 0xb0, 0);
		}
		break;
	case EOI_PIC:
		if (vector >= 0x28) {
			outb(0xa0, 0x20);
		}
		outb(0x20, 0x20);
		break;
	case EOI_NONE:
		break;
	}
}

static void unexpected_fault(const struct frame *f)
{
	check_failed(__FILE__, __LINE__, "no unexpected fault");
	put_string("     vector ");
	put_dec(f->vector);
	put_string(" error ");
	put_hex(f->error);
	put_string(" rip ");
	put_hex(f->rip);
	put_string(" cr2 ");
	put_hex(read_cr2());
	put_string("\n");
}

void trap(struct frame *f)
{
	if (trap_first && trap_first(f)) {
		return;
	}
	if ((f->vector >= 32 && f->vector != USER_EXIT) || irq_handler[f->vector]) {
		irq_count[f->vector]++;
		if (irq_handler[f->vector]) {
			irq_handler[f->vector](f);
		}
		end_of_interrupt(f->vector);
		return;
	}
	if (!catching) {
		unexpected_fault(f);
	}
	caught.vector = (uint32_t)f->vector;
	caught.error = f->error;
	caught.rip = f->rip;
	caught.cr2 = read_cr2();
	fault_frame = *f;
	catching = false;
	f->rip = (uint64_t)fault_throw;
	f->cs = 0x08;
	f->ss = 0x10;
	f->rflags = 2;
	if (f->rsp >= USER_BASE) {
		f->rsp = (uint64_t)f; /* fault_throw() takes its own */
	}
}

struct fault user_call(void (*fn)(void), uint64_t arg)
{
	uint64_t args[2] = {(uint64_t)fn, arg};

	return catch_fault(user_enter, args);
}

struct fault catch_fault(void (*fn)(void *arg), void *arg)
{
	bool outer = catching;
	struct fault result;

	caught.vector = NO_FAULT;
	catching = true;
	fault_catch(fn, arg);
	catching = outer;
	result.vector = caught.vector;
	result.error = caught.error;
	result.rip = caught.rip;
	result.cr2 = caught.cr2;
	return result;
}

void run_caught(void (*fn)(void *arg), void *arg)
{
	fault_catch(fn, arg);
}

uint32_t fault_of(void (*fn)(void *arg), void *arg)
{
	return catch_fault(fn, arg).vector;
}

struct msr_access {
	uint32_t msr;
	uint64_t value;
};

static void do_rdmsr(void *arg)
{
	struct msr_access *a = arg;

	a->value = rdmsr(a->msr);
}

static void do_wrmsr(void *arg)
{
	struct msr_access *a = arg;

	wrmsr(a->msr, a->value);
}

uint32_t rdmsr_fault(uint32_t msr)
{
	struct msr_access a = {msr, 0};

	return fault_of(do_rdmsr, &a);
}

uint32_t wrmsr_fault(uint32_t msr, uint64_t v)
{
	struct msr_access a = {msr, v};

	return fault_of(do_wrmsr, &a);
}
