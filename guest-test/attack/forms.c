// SPDX-License-Identifier: BSD-2-Clause
// Device memory under every instruction there is, known to the emulator or not.
#include "guest-test/attack/attack.h"

/* [rdi] in each: forms the decoder has no row for, lengths at the limit, prefixes of all kinds. */
static const struct {
	uint8_t len, bytes[15];
} odd_forms[] = {
        {3, {0x0f, 0xae, 0x07}},                   /* fxsave */
        {3, {0x0f, 0xae, 0x0f}},                   /* fxrstor */
        {3, {0x0f, 0xae, 0x27}},                   /* xsave */
        {3, {0x0f, 0xae, 0x3f}},                   /* clflush */
        {3, {0x0f, 0xc7, 0x0f}},                   /* cmpxchg8b */
        {4, {0x48, 0x0f, 0xc7, 0x0f}},             /* cmpxchg16b */
        {5, {0xf0, 0x48, 0x0f, 0xc7, 0x0f}},       /* lock cmpxchg16b */
        {3, {0x0f, 0x10, 0x07}},                   /* movups */
        {3, {0x0f, 0x29, 0x07}},                   /* movaps */
        {4, {0x66, 0x0f, 0x6f, 0x07}},             /* movdqa */
        {4, {0xc5, 0xfc, 0x10, 0x07}},             /* vmovups ymm */
        {5, {0xc4, 0xe2, 0x7d, 0x58, 0x07}},       /* vpbroadcastd */
        {6, {0x62, 0xf1, 0x7c, 0x48, 0x10, 0x07}}, /* vmovups zmm */
        {2, {0xd9, 0x07}},                         /* fld */
        {2, {0xdf, 0x3f}},                         /* fistp */
        {2, {0xff, 0x17}},                         /* call [rdi] */
        {2, {0xff, 0x27}},                         /* jmp [rdi] */
        {2, {0xff, 0x1f}},                         /* call far [rdi] */
        {2, {0xff, 0x2f}},                         /* jmp far [rdi] */
        {3, {0x0f, 0xb2, 0x07}},                   /* lss */
        {2, {0x8e, 0x1f}},                         /* mov ds, [rdi] */
        {3, {0x0f, 0x00, 0x17}},                   /* lldt */
        {3, {0x0f, 0x00, 0x1f}},                   /* ltr */
        {3, {0x0f, 0x01, 0x17}},                   /* lgdt */
        {3, {0x0f, 0x01, 0x37}},                   /* lmsw */
        {3, {0x0f, 0x01, 0x3f}},                   /* invlpg */
        {3, {0x0f, 0x02, 0x07}},                   /* lar */
        {3, {0x0f, 0x00, 0x27}},                   /* verr */
        {2, {0xf7, 0x27}},                         /* mul */
        {2, {0xf7, 0x37}},                         /* div */
        {2, {0xf7, 0x3f}},                         /* idiv */
        {3, {0x0f, 0xaf, 0x07}},                   /* imul */
        {3, {0x0f, 0xa4, 0x07}},                   /* shld */
        {2, {0xd3, 0x07}},                         /* rol */
        {3, {0x0f, 0x90, 0x07}},                   /* seto */
        {3, {0x0f, 0x44, 0x07}},                   /* cmov */
        {3, {0x0f, 0xa3, 0x07}},                   /* bt [rdi], eax */
        {3, {0x0f, 0x18, 0x07}},                   /* prefetch */
        {3, {0x0f, 0xc3, 0x07}},                   /* movnti */
        {4, {0x0f, 0x38, 0xf0, 0x07}},             /* movbe */
        {5, {0xf2, 0x0f, 0x38, 0xf1, 0x07}},       /* crc32 */
        {1, {0xd7}},                               /* xlat */
        {1, {0xa4}},                               /* movsb */
        {2, {0xf3, 0xa6}},                         /* repe cmpsb */
        {2, {0xf2, 0xae}},                         /* repne scasb */
        {1, {0xc9}},                               /* leave */
        {2, {0x8f, 0x07}},                         /* pop [rdi] */
        {2, {0xff, 0x37}},                         /* push [rdi] */
        {4, {0xc8, 0x08, 0x00, 0x1f}},             /* enter */
        {3, {0xf0, 0x8b, 0x07}},                   /* lock mov: #UD */
        {15, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x8b,
                     0x07}},
        {3, {0xf3, 0x48, 0xab}},                                     /* rep stosq */
        {9, {0xa1, 0x00, 0x00, 0xc0, 0xfe, 0x00, 0x00, 0x00, 0x00}}, /* mov eax, [moffs] */
        {4, {0x64, 0x67, 0x8b, 0x07}},                               /* fs, 32-bit address */
        {4, {0x0f, 0x3a, 0x63, 0x07}}, {3, {0x0f, 0xff, 0x07}},      /* ud0 */
};

#define CODE_AT (4096 * 4)

static const uint8_t tail[] = {0xcd, 0x80};

static uint64_t rnd_target(void)
{
	return rnd_below(2) ? rnd_device() : rnd_hole();
}

/* Any number in the ICR may be an INIT to oneself, and nobody to end it. */
static bool reaches_icr(uint64_t at, const uint8_t *form)
{
	bool run = form[0] == 0xf3 && form[2] == 0xab; /* rep stosq */

	return (at & ~0xfffULL) == LAPIC_BASE && (run || (at & 0xff0) == 0x300);
}

/* The target is mapped for CPL 3 at the same place each time. */
static uint64_t map_target(uint64_t at)
{
	window_map(0, at & ~0xfffULL, PTE_P | PTE_W | PTE_U);
	window_map(1, rnd_below(2) ? rnd_hole() & ~0xfffULL : (uint64_t)scratch,
	        PTE_P | PTE_W | PTE_U);
	return WINDOW_BASE + (rnd_below(8) ? at & 0xff0 : 4096 - rnd_below(64));
}

/* Code at the end of a page, or anywhere in it. */
static uint8_t *place(unsigned room)
{
	return scratch + CODE_AT + (rnd_below(4) ? rnd_below(2048) : 4096 - rnd_below(room));
}

ATTACK(mmio_forms)
{
	for (unsigned i = 0; more(); i++) {
		unsigned n = i % (sizeof(odd_forms) / sizeof(odd_forms[0]));
		uint8_t *code = place(20);
		uint64_t at = rnd_target();

		while (reaches_icr(at, odd_forms[n].bytes)) {
			at = rnd_target();
		}
		memcpy(code, odd_forms[n].bytes, odd_forms[n].len);
		memcpy(code + odd_forms[n].len, tail, sizeof(tail));
		(void)chaos_user(code, map_target(at));
	}
}

/* Any bytes at all, with a memory operand likely: opcode, ModRM of [rdi], then what comes. */
ATTACK(mmio_bytes)
{
	while (more()) {
		uint8_t *code = place(20), *p = code;
		unsigned prefixes = (unsigned)rnd_below(4);
		static const uint8_t prefix[] = {
		        0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x64, 0x65, 0x48, 0x4c, 0x41, 0x36};

		while (prefixes--) {
			*p++ = prefix[rnd_below(sizeof(prefix))];
		}
		if (rnd_below(2)) {
			*p++ = 0x0f;
		}
		*p++ = (uint8_t)rnd();
		*p++ = (uint8_t)((rnd() & 0x38) | 7);
		for (unsigned i = 0; i < 9; i++) {
			*p++ = rnd_below(3) ? 0xcc : (uint8_t)rnd();
		}
		*p++ = tail[0];
		*p++ = tail[1];
		(void)chaos_user(code, map_target(rnd_target()));
	}
}

/* The kernel's turn: what cannot be emulated ends the VM, and its dump names the instruction. */
ATTACK(mmio_kill)
{
	__asm__ volatile("fxsave (%0)"
	                 :
	                 : "r"(window_map(0, IOAPIC_BASE, PTE_P | PTE_W))
	                 : "memory");
}

ATTACK(rom)
{
	while (more()) {
		uint64_t at =
		        rnd_below(2) ? 0xc0000 + (rnd() & 0x3f000) : 0xfffc0000 + (rnd() & 0x3f000);
		volatile uint8_t *p = window_map(0, at, PTE_P | PTE_W);

		/* The tables of the firmware are the guest's own memory. */
		p[rnd() & 0xfff] = (uint8_t)rnd();
		(void)p[rnd() & 0xfff];
	}
}
