// SPDX-License-Identifier: BSD-2-Clause
// INS and OUTS: REP, widths, direction, pages, faults in the middle.
// Specs: [SDM2] "INS/INSB/INSW/INSD", "OUTS/OUTSB/OUTSW/OUTSD".
#include "guest-test/lib/test.h"

#define COM2 0x2f8
#define MCR_LOOP 0x10

static uint8_t pages[3][4096] __attribute__((aligned(4096)));

static void rep_outsb(uint16_t port, const void *from, uint64_t n)
{
	__asm__ volatile("rep outsb" : "+S"(from), "+c"(n) : "d"(port) : "memory");
}

static void rep_insb(uint16_t port, void *to, uint64_t n)
{
	__asm__ volatile("rep insb" : "+D"(to), "+c"(n) : "d"(port) : "memory");
}

/* A FIFO of 16 bytes that gives back what it takes. */
static void loop_on(void)
{
	outb(COM2 + 1, 0);
	outb(COM2 + 2, 7);
	outb(COM2 + 3, 3);
	outb(COM2 + 4, MCR_LOOP);
}

TEST(string_bytes)
{
	static uint8_t out[16] = "0123456789abcde", in[18];

	loop_on();
	memset(in, 0x55, sizeof(in));
	rep_outsb(COM2, out, 16);
	rep_insb(COM2, in + 1, 16);
	for (unsigned i = 0; i < 16; i++) {
		CHECK_EQ(in[i + 1], out[i]);
	}
	CHECK_EQ(in[0], 0x55);
	CHECK_EQ(in[17], 0x55);
	CHECK_EQ(inb(COM2 + 5) & 1, 0);
	outb(COM2 + 4, 0);
}

TEST(string_backwards)
{
	static uint8_t out[4] = {1, 2, 3, 4}, in[4];
	uint8_t *to = in + 3, *from = out + 3;
	uint64_t n = 4;

	loop_on();
	__asm__ volatile("std; rep outsb; cld" : "+S"(from), "+c"(n) : "d"(COM2) : "memory");
	CHECK_EQ((uint64_t)from, (uint64_t)out - 1);
	CHECK_EQ(n, 0);
	n = 4;
	__asm__ volatile("std; rep insb; cld" : "+D"(to), "+c"(n) : "d"(COM2) : "memory");
	CHECK_EQ((uint64_t)to, (uint64_t)in - 1);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQ(in[i], out[i]);
	}
	outb(COM2 + 4, 0);
}

TEST(string_widths)
{
	static uint32_t in32[2];
	static uint16_t in16[2];
	uint32_t out32 = 0x80000000;
	void *p = &out32;
	uint64_t n;

	__asm__ volatile("outsl" : "+S"(p) : "d"(0xcf8) : "memory");
	CHECK_EQ((uint64_t)p, (uint64_t)&out32 + 4);
	p = in32;
	n = 2;
	__asm__ volatile("rep insl" : "+D"(p), "+c"(n) : "d"(0xcfc) : "memory");
	CHECK_EQ(in32[0], 0x71928086);
	CHECK_EQ(in32[1], 0x71928086);
	p = in16;
	n = 2;
	__asm__ volatile("rep insw" : "+D"(p), "+c"(n) : "d"(0xcfe) : "memory");
	CHECK_EQ(in16[0], 0x7192);
	CHECK_EQ(in16[1], 0x7192);
	/* Nothing to do: no access at all. */
	p = in16;
	in16[0] = 0;
	n = 0;
	__asm__ volatile("rep insw" : "+D"(p), "+c"(n) : "d"(0xcfe) : "memory");
	CHECK_EQ(in16[0], 0);
	/* 32-bit addresses: EDI and ECX count, the upper halves do not. */
	n = 1 | 1ULL << 32;
	__asm__ volatile("addr32 rep insw" : "+D"(p), "+c"(n) : "d"(0xcfe) : "memory");
	CHECK_EQ(in16[0], 0x7192);
}

/* Two neighbouring pages whose memory is not. */
TEST(string_page_crossing)
{
	uint8_t *va = window_map(16, (uint64_t)pages[0], PTE_P | PTE_W);
	static const uint8_t out[16] = "ABCDEFGHIJKLMNO";

	window_map(17, (uint64_t)pages[2], PTE_P | PTE_W);
	memset(pages, 0, sizeof(pages));
	loop_on();
	rep_outsb(COM2, out, 16);
	rep_insb(COM2, va + 4096 - 7, 16);
	CHECK_EQ(pages[0][4089], 'A');
	CHECK_EQ(pages[0][4095], 'G');
	CHECK_EQ(pages[2][0], 'H');
	CHECK_EQ(pages[2][8], 0);
	CHECK_EQ(pages[2][7], 'O');
	CHECK_EQ(pages[1][0], 0);
	/* A wide one that lies in both. */
	outl(0xcf8, 0x80000000);
	__asm__ volatile("insl" : : "D"(va + 4094), "d"(0xcfc) : "memory");
	CHECK_EQ(pages[0][4094], 0x86);
	CHECK_EQ(pages[0][4095], 0x80);
	CHECK_EQ(pages[2][0], 0x92);
	CHECK_EQ(pages[2][1], 0x71);
	outb(COM2 + 4, 0);
}

static volatile uint64_t fault_rcx, fault_rdi, fault_cr2, fault_error;

static void map_second(struct frame *f)
{
	fault_rcx = f->rcx;
	fault_rdi = f->rdi;
	fault_cr2 = read_cr2();
	fault_error = f->error;
	window_map(19, (uint64_t)pages[2], PTE_P | PTE_W);
}

/* The second page comes when it is asked for; nothing is read twice or lost. */
TEST(string_fault_in_the_middle)
{
	uint8_t *va = window_map(18, (uint64_t)pages[0], PTE_P | PTE_W);
	static const uint8_t out[16] = "abcdefghijklmno";

	window_map(19, 0, 0);
	memset(pages, 0, sizeof(pages));
	irq_setup(X_PF, EOI_NONE, map_second);
	loop_on();
	rep_outsb(COM2, out, 16);
	rep_insb(COM2, va + 4096 - 6, 16);
	CHECK_EQ(irq_count[X_PF], 1);
	CHECK_EQ(fault_rcx, 10);
	CHECK_EQ(fault_rdi, (uint64_t)va + 4096);
	CHECK_EQ(fault_cr2, (uint64_t)va + 4096);
	CHECK_EQ(fault_error, 2);
	CHECK_EQ(pages[0][4095], 'f');
	CHECK_EQ(pages[2][0], 'g');
	CHECK_EQ(pages[2][8], 'o');
	outb(COM2 + 4, 0);
}

/* More than one exit's worth. */
TEST(string_long)
{
	uint16_t *to = (uint16_t *)pages;
	uint64_t n = 3000;
	bool same = true;

	memset(pages, 0, sizeof(pages));
	outl(0xcf8, 0x80000000);
	__asm__ volatile("rep insw" : "+D"(to), "+c"(n) : "d"(0xcfc) : "memory");
	for (unsigned i = 0; i < 3000; i++) {
		same = same && ((uint16_t *)pages)[i] == 0x8086;
	}
	CHECK(same);
	CHECK_EQ(((uint16_t *)pages)[3000], 0);
	CHECK_EQ(n, 0);
}

TEST(port_widths)
{
	/* Nothing there, at any width; parts of the register beyond are kept or cleared. */
	uint64_t rax;

	outl(0xcf8, 0x80000000);
	CHECK_EQ(inb(0x1234), 0xff);
	CHECK_EQ(inw(0x1234), 0xffff);
	CHECK_EQ(inl(0x1234), 0xffffffff);
	__asm__ volatile("mov $0x1122334455667788, %0; mov $0xcfe, %%edx; inb %%dx, %%al"
	                 : "=&a"(rax)
	                 :
	                 : "rdx");
	CHECK_EQ(rax, 0x1122334455667792);
	__asm__ volatile("mov $0x1122334455667788, %0; mov $0xcfe, %%edx; inw %%dx, %%ax"
	                 : "=&a"(rax)
	                 :
	                 : "rdx");
	CHECK_EQ(rax, 0x1122334455667192);
	__asm__ volatile("mov $0x1122334455667788, %0; mov $0xcfc, %%edx; inl %%dx, %%eax"
	                 : "=&a"(rax)
	                 :
	                 : "rdx");
	CHECK_EQ(rax, 0x71928086);
}
