// SPDX-License-Identifier: BSD-2-Clause
// Interrupt tables that survive anything, and the other vCPUs.
#include "guest-test/attack/attack.h"

uint32_t chaos_run(void (*fn)(void *), void *arg);
void chaos_user_enter(void *args);
void chaos_ended(uint32_t vector);
void ap_entry(unsigned index);
extern const uint8_t chaos_stubs[], ap_trampoline[], idt_pointer[];

struct gate {
	uint16_t low, selector, flags, middle;
	uint32_t high, reserved;
};

static struct gate chaos_idt[256] __attribute__((aligned(16)));
extern const struct __attribute__((packed)) chaos_pointer {
	uint16_t limit;
	uint64_t base;
} chaos_pointer;
const struct chaos_pointer chaos_pointer = {sizeof(chaos_idt) - 1, (uint64_t)chaos_idt};

static void (*ap_fn)(unsigned index);
volatile uint32_t ap_running;
volatile bool ap_stop;

static void make_idt(void)
{
	for (unsigned v = 0; v < 256; v++) {
		uint64_t at = (uint64_t)chaos_stubs + v * 16;

		chaos_idt[v] = (struct gate){
		        .low = (uint16_t)at,
		        .selector = 0x08,
		        .flags = v == 0x80 ? 0xee00 : 0x8e00,
		        .middle = (uint16_t)(at >> 16),
		        .high = (uint32_t)(at >> 32),
		};
	}
}

static void end_interrupt(void)
{
	uint64_t base = rdmsr(0x1b);

	if ((base & 0xc00) == 0xc00) {
		wrmsr(0x80b, 0);
	} else if (base & 0x800) {
		mmio_w32(LAPIC_BASE + 0xb0, 0);
	}
	outb(0xa0, 0x20);
	outb(0x20, 0x20);
}

void chaos_ended(uint32_t vector)
{
	if (vector >= 8) {
		end_interrupt();
	}
}

uint32_t chaos(void (*fn)(void *arg), void *arg)
{
	uint32_t vector;

	if (!chaos_idt[0].low) {
		make_idt();
	}
	__asm__ volatile("lidt %0" : : "m"(chaos_pointer));
	vector = chaos_run(fn, arg);
	__asm__ volatile("lidt (%0)" : : "r"(idt_pointer));
	if (vector != CALM) {
		chaos_ended(vector);
	}
	return vector;
}

uint32_t chaos_user(void *code, uint64_t arg)
{
	uint64_t args[2] = {(uint64_t)code, arg};

	return chaos(chaos_user_enter, args);
}

void ap_entry(unsigned index)
{
	__atomic_fetch_add(&ap_running, 1, __ATOMIC_SEQ_CST);
	if (ap_fn && !ap_stop) {
		ap_fn(index);
	}
}

void icr_write(uint32_t low, uint32_t dest)
{
	if ((rdmsr(0x1b) & 0xc00) == 0xc00) {
		wrmsr(0x830, (uint64_t)dest << 32 | low);
		return;
	}
	mmio_w32(LAPIC_BASE + 0x310, dest << 24);
	mmio_w32(LAPIC_BASE + 0x300, low);
}

void ap_init_sipi(uint32_t dest, bool to_all_others)
{
	uint32_t who = to_all_others ? 0xc0000U : 0;

	icr_write(who | 0x4500, dest);
	icr_write(who | 0x4600 | (uint32_t)((uint64_t)ap_trampoline >> 12), dest);
}

unsigned ap_start(void (*fn)(unsigned index))
{
	uint64_t end;

	ap_fn = fn;
	ap_stop = false;
	ap_running = 0;
	lapic_enable();
	/* Before anybody needs it: the others share it. */
	make_idt();
	ap_init_sipi(0, true);
	/* As many as come in a while. */
	end = rdtsc() + tsc_hz() / 10;
	while (rdtsc() < end) {
		__asm__ volatile("pause");
	}
	return ap_running;
}

void ap_park(void)
{
	ap_stop = true;
	icr_write(0xc4500, 0);
}
