// SPDX-License-Identifier: BSD-2-Clause
// The test kernels' devices (testdev = on), used as such kernels use them. Ends by a debug exit.
// Specs: [QEMU] "isa-debug-exit", "pc-testdev".
#include "guest-test/lib/test.h"

#define REG 0xe0
#define FLUSH 0xe4
#define REG_BYTES 0xe8
#define EXIT 0xf4
#define LINES 0x2000
#define DEVICE_MEMORY 0xff000000ULL
#define DEVICE_LEN 0x10000U

#define VECTOR 0x61
#define PIN_LOW(pin) (0x10U + 2 * (pin))
#define PIN_HIGH(pin) (0x11U + 2 * (pin))
#define MASKED 0x10000U
#define LEVEL 0x8000U

/* tests/e2e/guest_tests.py reads it, and looks for it in the host's log. */
#define EXIT_VALUE 3735928559U

TEST(testdev_register)
{
	static const char text[] = "abcdefghijklmnop";
	const void *from = text;
	uint64_t n = 16;
	uint8_t back[4];
	void *to = back;

	outl(REG, 0x12345678);
	CHECK_EQ(inl(REG), 0x12345678);
	CHECK_EQ(inl(REG_BYTES), 0x12345678);
	outb(REG_BYTES + 1, 0xaa);
	outw(REG + 2, 0xbbcc);
	CHECK_EQ(inb(REG), 0x78);
	CHECK_EQ(inw(REG), 0xaa78);
	CHECK_EQ(inl(REG), 0xbbccaa78);
	__asm__ volatile("rep outsb" : "+S"(from), "+c"(n) : "d"(REG) : "memory");
	CHECK_EQ(inb(REG), 'p');
	from = text + 15;
	n = 16;
	__asm__ volatile("std; rep outsb; cld" : "+S"(from), "+c"(n) : "d"(REG) : "memory");
	CHECK_EQ(inb(REG), 'a');
	n = 2;
	__asm__ volatile("rep insw" : "+D"(to), "+c"(n) : "d"(REG) : "memory");
	CHECK_EQ(back[0], 'a');
	CHECK_EQ(back[2], 'a');
	CHECK_EQ(back[3], 0xaa);
	/* The debug port has given way to the third byte of these. */
	CHECK_EQ(inb(0xe9), 0xaa);
	outb(0xe9, 0x11);
	CHECK_EQ(inb(REG + 1), 0x11);
}

TEST(testdev_page_flush)
{
	static uint64_t page[512] __attribute__((aligned(4096)));
	volatile uint64_t *p = page;

	for (unsigned i = 0; i < 100; i++) {
		p[i] = i;
		outl(FLUSH, (uint32_t)(uint64_t)page);
		CHECK_EQ(p[i], i);
	}
	/* Nothing there to flush. */
	outl(FLUSH, 0xf0000000);
	outl(FLUSH, (uint32_t)DEVICE_MEMORY);
}

TEST(testdev_interrupt_lines)
{
	uint64_t want = 0;

	pic_mask_all();
	lapic_enable();
	irq_setup(VECTOR, EOI_LAPIC, NULL);
	for (unsigned pin = 0; pin < 24; pin++) {
		if (pin == 2 || pin == 8 || pin == 9) {
			continue; /* the timer's, the clock's and the SCI, which may be up */
		}
		ioapic_write(PIN_HIGH(pin), 0);
		ioapic_write(PIN_LOW(pin), VECTOR);
		outb((uint16_t)(LINES + pin), 1);
		want++;
		CHECK(wait_for(&irq_count[VECTOR], (uint32_t)want, 10000));
		/* It is an edge: no second one without a fall. */
		outb((uint16_t)(LINES + pin), 1);
		delay_open_us(20);
		CHECK_EQ(irq_count[VECTOR], want);
		outb((uint16_t)(LINES + pin), 0);
		CHECK_EQ(irq_count[VECTOR], want);
		ioapic_write(PIN_LOW(pin), MASKED);
	}
}

static void lower_14(struct frame *f)
{
	(void)f;
	if (irq_count[VECTOR] >= 3) {
		outb(LINES + 14, 0);
	}
}

TEST(testdev_level_line)
{
	pic_mask_all();
	lapic_enable();
	irq_setup(VECTOR, EOI_LAPIC, lower_14);
	ioapic_write(PIN_HIGH(14), 0);
	ioapic_write(PIN_LOW(14), LEVEL | VECTOR);
	outb(LINES + 14, 1);
	/* It comes again until the handler lowers it. */
	CHECK(wait_for(&irq_count[VECTOR], 3, 10000));
	delay_open_us(50);
	CHECK(irq_count[VECTOR] <= 4);
	CHECK_EQ(inb(LINES + 14), 0);
	outb(LINES + 14, 0);
	ioapic_write(PIN_LOW(14), MASKED);
}

/* --- device memory: every form gives what it gives on RAM --- */

struct regs {
	uint64_t a, c, d, flags, di, si;
};

#define ALL_FLAGS 0x8d5U   /* OF SF ZF AF PF CF */
#define LOGIC_FLAGS 0x8c5U /* AF is undefined */
#define CARRY 0x001U       /* of the rest, little is defined */

#define FORM(name, text) \
	static void form_##name(struct regs *r) \
	{ \
		__asm__ volatile("pushq %[flags]; popfq; " text "; pushfq; popq %[flags]; cld" \
		                 : "+a"(r->a), "+c"(r->c), "+d"(r->d), "+D"(r->di), \
		                 "+S"(r->si), [flags] "+r"(r->flags) \
		                 : \
		                 : "memory", "cc"); \
	}

FORM(mov_b, "movb %%dl, 3(%%rdi)")
FORM(mov_w, "movw %%dx, 5(%%rdi)")
FORM(mov_l, "movl %%edx, 7(%%rdi)")
FORM(mov_q, "movq %%rdx, 9(%%rdi)")
FORM(mov_b_ah, "movb 1(%%rdi), %%ah")
FORM(mov_w_from, "movw 1(%%rdi), %%ax")
FORM(mov_l_from, "movl 1(%%rdi), %%eax")
FORM(mov_q_from, "movq 1(%%rdi), %%rax")
FORM(mov_imm, "movq $-2, (%%rdi); movw $0x1234, 8(%%rdi)")
FORM(movzx, "movzbl (%%rdi), %%eax; movzwq 2(%%rdi), %%rcx")
FORM(movsx, "movsbq 7(%%rdi), %%rax; movslq 4(%%rdi), %%rcx; movswl (%%rdi), %%edx")
FORM(add, "addb %%dl, (%%rdi); pushfq; addq 8(%%rdi), %%rax; popfq")
FORM(adc, "adcw %%dx, (%%rdi)")
FORM(sub, "subl %%edx, (%%rdi)")
FORM(sbb, "sbbq %%rdx, (%%rdi)")
FORM(cmp, "cmpq %%rdx, (%%rdi)")
FORM(cmp_from, "cmpw (%%rdi), %%dx")
FORM(neg, "negl (%%rdi)")
FORM(inc, "incw (%%rdi)")
FORM(dec, "lock decb (%%rdi)")
FORM(xadd, "lock xaddq %%rdx, (%%rdi)")
FORM(cmpxchg, "cmpxchgb %%dl, (%%rdi)")
FORM(cmpxchg_equal, "movq (%%rdi), %%rax; lock cmpxchgq %%rdx, (%%rdi)")
FORM(and_, "andq %%rdx, (%%rdi)")
FORM(or_, "orb $0x81, (%%rdi)")
FORM(xor_, "xorl %%edx, (%%rdi)")
FORM(test, "testw %%dx, (%%rdi)")
FORM(not_, "notq (%%rdi)")
FORM(xchg, "xchgw %%dx, (%%rdi); xchgq %%rax, 8(%%rdi)")
FORM(bts, "btsl $5, (%%rdi)")
FORM(btr, "lock btrq %%rcx, (%%rdi)")
FORM(btc, "btcw $3, (%%rdi)")
FORM(bt_far, "movq $133, %%rcx; btq %%rcx, (%%rdi)")
FORM(push, "pushq (%%rdi); popq 16(%%rdi)")
FORM(stos, "movq $5, %%rcx; rep stosb; stosq")
FORM(stos_down, "std; leaq 24(%%rdi), %%rdi; movq $3, %%rcx; rep stosl")
FORM(lods, "movq %%rdi, %%rsi; lodsw; lodsq; lodsb")
FORM(movs_to, "movq $7, %%rcx; rep movsw")
FORM(movs_from, "xchgq %%rsi, %%rdi; movq $3, %%rcx; rep movsq; xchgq %%rsi, %%rdi")
FORM(movs_inside, "movq %%rdi, %%rsi; leaq 3(%%rdi), %%rdi; movq $9, %%rcx; rep movsb")

#define ROW(name, mask) \
	{ \
#name, form_##name, mask \
	}
static const struct {
	const char *name;
	void (*fn)(struct regs *r);
	uint64_t flags;
} forms[] = {
        ROW(mov_b, ALL_FLAGS),
        ROW(mov_w, ALL_FLAGS),
        ROW(mov_l, ALL_FLAGS),
        ROW(mov_q, ALL_FLAGS),
        ROW(mov_b_ah, ALL_FLAGS),
        ROW(mov_w_from, ALL_FLAGS),
        ROW(mov_l_from, ALL_FLAGS),
        ROW(mov_q_from, ALL_FLAGS),
        ROW(mov_imm, ALL_FLAGS),
        ROW(movzx, ALL_FLAGS),
        ROW(movsx, ALL_FLAGS),
        ROW(add, ALL_FLAGS),
        ROW(adc, ALL_FLAGS),
        ROW(sub, ALL_FLAGS),
        ROW(sbb, ALL_FLAGS),
        ROW(cmp, ALL_FLAGS),
        ROW(cmp_from, ALL_FLAGS),
        ROW(neg, ALL_FLAGS),
        ROW(inc, ALL_FLAGS),
        ROW(dec, ALL_FLAGS),
        ROW(xadd, ALL_FLAGS),
        ROW(cmpxchg, ALL_FLAGS),
        ROW(cmpxchg_equal, ALL_FLAGS),
        ROW(and_, LOGIC_FLAGS),
        ROW(or_, LOGIC_FLAGS),
        ROW(xor_, LOGIC_FLAGS),
        ROW(test, LOGIC_FLAGS),
        ROW(not_, ALL_FLAGS),
        ROW(xchg, ALL_FLAGS),
        ROW(bts, CARRY),
        ROW(btr, CARRY),
        ROW(btc, CARRY),
        ROW(bt_far, CARRY),
        ROW(push, ALL_FLAGS),
        ROW(stos, ALL_FLAGS),
        ROW(stos_down, ALL_FLAGS),
        ROW(lods, ALL_FLAGS),
        ROW(movs_to, ALL_FLAGS),
        ROW(movs_from, ALL_FLAGS),
        ROW(movs_inside, ALL_FLAGS),
};

#define ARENA 64U

static void fill(volatile uint8_t *at, uint64_t seed)
{
	for (unsigned i = 0; i < ARENA; i++) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		at[i] = (uint8_t)(seed >> 56);
	}
}

/* A run on memory at 'at', with a second operand in RAM; pointers come back as offsets. */
static struct regs run_form(unsigned form, volatile uint8_t *at, uint64_t seed)
{
	static uint64_t ram[8];
	struct regs r;

	fill((volatile uint8_t *)ram, seed + 1);
	fill(at, seed);
	r = (struct regs){.a = seed * 3,
	        .c = seed % 61,
	        .d = seed * 0x0101010101010107ULL,
	        .flags = 2 | (seed & 1),
	        .di = (uint64_t)at,
	        .si = (uint64_t)ram};
	forms[form].fn(&r);
	r.flags &= forms[form].flags;
	r.di -= r.di - (uint64_t)at < ARENA ? (uint64_t)at : (uint64_t)ram;
	r.si -= r.si - (uint64_t)at < ARENA ? (uint64_t)at : (uint64_t)ram;
	/* What was copied there counts, too. */
	for (unsigned i = 0; i < 8; i++) {
		r.flags += ram[i] << 12;
	}
	return r;
}

static bool same_result(unsigned form, volatile uint8_t *device, uint64_t seed)
{
	static uint8_t ram[ARENA] __attribute__((aligned(64)));
	struct regs want = run_form(form, ram, seed);
	struct regs got = run_form(form, device, seed);
	bool same = got.a == want.a && got.c == want.c && got.d == want.d &&
	            got.flags == want.flags && got.di == want.di && got.si == want.si;

	for (unsigned i = 0; i < ARENA; i++) {
		same &= device[i] == ram[i];
	}
	return same;
}

TEST(testdev_memory_forms)
{
	/* Inside a page, over the edge of two, at both ends of the device. */
	static const uint32_t offsets[] = {0, 0x105, 0xffd, 0x1fe0, DEVICE_LEN - ARENA};

	for (unsigned form = 0; form < sizeof(forms) / sizeof(forms[0]); form++) {
		for (unsigned i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
			volatile uint8_t *at = (volatile uint8_t *)(DEVICE_MEMORY + offsets[i]);

			if (!same_result(form, at, form * 0x9e3779b97f4a7c15ULL + i)) {
				put_string(forms[form].name);
				put_string(" at ");
				put_hex(offsets[i]);
				put_string("\n");
				CHECK(!"the same as on RAM");
			}
		}
	}
}

TEST(testdev_memory_ends)
{
	volatile uint64_t *last = (volatile uint64_t *)(DEVICE_MEMORY + DEVICE_LEN - 8);

	*last = 0x1122334455667788;
	CHECK_EQ(*last, 0x1122334455667788);
	CHECK_EQ(*(volatile uint32_t *)(DEVICE_MEMORY + DEVICE_LEN), 0xffffffff);
	CHECK_EQ(*(volatile uint32_t *)(DEVICE_MEMORY - 4), 0xffffffff);
}

void main(void)
{
	run_tests();
	put_string("EXIT ");
	put_dec(EXIT_VALUE);
	put_string("\n");
	outl(EXIT, EXIT_VALUE);
	put_string("FAIL testdev_debug_exit guest-test/testdev/testdev.c:1 goes on after it\n");
	power_off();
}
