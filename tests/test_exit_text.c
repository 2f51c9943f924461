// SPDX-License-Identifier: BSD-2-Clause
// Exits in words: every kind, any content, and the ring of the last ones.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/exit_text.h"
#include <stdio.h>
#include <string.h>

static struct vcpu *vcpu;

static void setup(void)
{
	vcpu = fake_vm(2 << 20, 1)->vcpus[0];
	fake_clock_set(0);
	fake_log_clear();
}

static const struct {
	struct exit_facts facts;
	const char *text;
} rows[] = {
        {{.exit = {.kind = EXIT_NONE, .raw_reason = 10}}, "CPUID"}, /* the fake's only name */
        {{.exit = {.kind = EXIT_NONE, .raw_reason = 1}}, "-"},
        {{.exit = {.kind = EXIT_CPUID}, .number = 0x40000001}, "leaf 0x40000001"},
        {{.exit = {.kind = EXIT_CPUID}, .number = 7, .has_in = true, .in = 1}, "leaf 0x7 0x1"},
        {{.exit = {.kind = EXIT_IO, .io = {.port = 0x3f8, .width = 1}}, .has_in = true, .in = 0x41},
                "out 0x3f8/1 0x41"},
        {{.exit = {.kind = EXIT_IO, .io = {.port = 0xcfc, .width = 4, .in = true}},
                 .has_out = true,
                 .out = 0x71928086},
                "in 0xcfc/4 = 0x71928086"},
        {{.exit = {.kind = EXIT_IO,
                  .io = {.port = 0x60, .width = 2, .in = true, .string = true, .rep = true}}},
                "rep ins 0x60/2"},
        {{.exit = {.kind = EXIT_MEM,
                  .mem_access = MEM_ACCESS_WRITE,
                  .mem = {.gpa = {0xfec00010}, .write = true}}},
                "w 0xfec00010"},
        {{.exit = {.kind = EXIT_MEM,
                  .mem_access = MEM_ACCESS_READ | MEM_ACCESS_WRITE,
                  .mem = {.gpa = {0x1000}, .in_walk = true, .mapped = true}}},
                "rw 0x1000, not by the instruction itself, not permitted so"},
        {{.exit = {.kind = EXIT_MEM, .mem_access = MEM_ACCESS_FETCH, .mem = {.gpa = {0xa0000}}}},
                "x 0xa0000"},
        {{.exit = {.kind = EXIT_RDMSR}, .number = 0x1b, .has_out = true, .out = 0xfee00900},
                "0x1b = 0xfee00900"},
        {{.exit = {.kind = EXIT_WRMSR}, .number = 0x6e0, .has_in = true, .in = 0x123456789a},
                "0x6e0 0x123456789a"},
        {{.exit = {.kind = EXIT_XSETBV}, .number = 0, .has_in = true, .in = 7}, "0 0x7"},
        {{.exit = {.kind = EXIT_CR, .cr = {.cr = 0, .write = true, .reg = REG_RBX}},
                 .has_in = true,
                 .in = 0x80050033},
                "mov cr0, rbx 0x80050033"},
        {{.exit = {.kind = EXIT_CR, .cr = {.cr = 8, .reg = REG_R15}}}, "mov r15, cr8"},
        {{.exit = {.kind = EXIT_CR, .cr = {.clts = true}}}, "clts"},
        {{.exit = {.kind = EXIT_CR, .cr = {.lmsw = true, .lmsw_value = 0x11}}}, "lmsw 0x11"},
        {{.exit = {.kind = EXIT_DR, .dr = {.dr = 7, .write = true, .reg = REG_RAX}},
                 .has_in = true,
                 .in = 0x401},
                "mov dr7, rax 0x401"},
        {{.exit = {.kind = EXIT_DR, .dr = {.dr = 6, .reg = REG_RCX}}, .has_out = true, .out = 1},
                "mov rcx, dr6 = 0x1"},
        {{.exit = {.kind = EXIT_EXCEPTION,
                  .exception = {.vector = 14, .has_error = true, .error = 2, .dr6 = 0xdead}}},
                "#PF error 0x2 at 0xdead"},
        {{.exit = {.kind = EXIT_EXCEPTION, .exception = {.vector = 1, .dr6 = 0x4000}}},
                "#DB dr6 0x4000"},
        {{.exit = {.kind = EXIT_EXCEPTION, .exception = {.vector = 17, .has_error = true}}},
                "#AC error 0"},
        {{.exit = {.kind = EXIT_EXCEPTION, .exception = {.vector = 15}}}, "vector 15"},
        {{.exit = {.kind = EXIT_EXCEPTION, .exception = {.vector = 0xee}}}, "vector 238"},
        {{.exit = {.kind = EXIT_HYPERCALL, .raw_reason = 10}, .has_in = true, .in = 3},
                "CPUID 0x3"},
        {{.exit = {.kind = EXIT_TASK_SWITCH, .task = {.selector = 0x28, .source = TASK_JMP}}},
                "to 0x28 by jmp"},
        {{.exit = {.kind = EXIT_APIC_WRITE, .apic = {.offset = 0x300}}}, "offset 0x300"},
        {{.exit = {.kind = EXIT_EOI, .eoi = {.vector = 0x30}}}, "vector 0x30"},
        {{.exit = {.kind = EXIT_UNDEFINED, .raw_reason = 10}}, "CPUID"},
        {{.exit = {.kind = EXIT_PRIVILEGED}}, "-"},
        {{.exit = {.kind = EXIT_MWAIT}}, "-"},
        {{.exit = {.kind = EXIT_CACHE}}, "-"},
        {{.exit = {.kind = EXIT_SIGNAL}}, "-"},
        {{.exit = {.kind = EXIT_FAILED}}, "-"},
        {{.exit = {.kind = EXIT_HLT}}, ""},
        {{.exit = {.kind = EXIT_PAUSE}}, ""},
        {{.exit = {.kind = EXIT_TRIPLE_FAULT}}, ""},
        {{.exit = {.kind = EXIT_TPR_BELOW}}, ""},
};

START_TEST(in_words)
{
	char text[EXIT_TEXT_LEN];

	exit_text(text, &rows[_i].facts);
	ck_assert_str_eq(text, rows[_i].text);
}
END_TEST

START_TEST(every_kind_has_a_row)
{
	for (unsigned kind = 0; kind < EXIT_KIND_COUNT; kind++) {
		bool found = false;

		for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
			found |= rows[i].facts.exit.kind == kind;
		}
		ck_assert_msg(found, "%s", exit_kind_names[kind]);
	}
}
END_TEST

/* A record is copied while it changes: whatever it says, its text ends in its buffer. */
START_TEST(any_content)
{
	unsigned seed = 0x7ace;

	for (unsigned i = 0; i < 20000; i++) {
		char text[EXIT_TEXT_LEN + 1];
		struct exit_record r;
		struct exit_facts f;
		uint32_t kind = (unsigned)rand_r(&seed) % EXIT_KIND_COUNT;

		for (unsigned b = 0; b < sizeof(r); b++) {
			((uint8_t *)&r)[b] = (uint8_t)rand_r(&seed);
		}
		memcpy(&r.exit[0], &kind, sizeof(kind));
		/* A bool has two values: the decoder wrote them. */
		if (kind == EXIT_CR || kind == EXIT_DR || kind == EXIT_EXCEPTION) {
			r.exit[1] &= 0x0101010101010101ULL;
		}
		exit_facts_of_record(&f, &r);
		f.exit.mem.in_walk = f.exit.mem.mapped = true;
		text[EXIT_TEXT_LEN] = '!';
		exit_text(text, &f);
		ck_assert_uint_lt(strlen(text), EXIT_TEXT_LEN);
		ck_assert_int_eq(text[EXIT_TEXT_LEN], '!');
	}
}
END_TEST

static void record(const struct vcpu_exit *exit)
{
	vcpu->exit = *exit;
	fake_clock_advance(1000);
	vcpu->exit_tsc += 1000;
	vcpu_record_exit(vcpu, vcpu->exit_tsc);
}

static unsigned place(const char *needle)
{
	const char *at = strstr(fake_log_text(), needle);

	ck_assert_msg(at != NULL, "'%s' in %s", needle, fake_log_text());
	return (unsigned)(at - fake_log_text());
}

START_TEST(last_exits)
{
	char line[OUT_LINE_MAX];

	ck_assert(!exit_last_text(vcpu, line));
	exit_dump_last(vcpu, &out_log);
	ck_assert_uint_eq(fake_log_count("none yet"), 1);

	record(&(struct vcpu_exit){.kind = EXIT_CPUID, .regs = {.eax = 0x15}});
	record(&(struct vcpu_exit){
	        .kind = EXIT_IO, .io = {.port = 0x3f8, .width = 1, .eax = 0x141}});
	record(&(struct vcpu_exit){.kind = EXIT_WRMSR, .regs = {.eax = 0x55, .ecx = 0x6e0}});
	record(&(struct vcpu_exit){
	        .kind = EXIT_IO, .io = {.port = 0x60, .width = 1, .in = true, .eax = 0x99}});
	fake_log_clear();
	exit_dump_last(vcpu, &out_log);
	ck_assert_uint_eq(fake_log_count(" s ago"), 4);
	ck_assert_uint_lt(
	        place("cpuid        leaf 0x15 0"), place("io           out 0x3f8/1 0x41"));
	ck_assert_uint_lt(place("0x3f8"), place("wrmsr        0x6e0 0x55 (low half)"));
	ck_assert_uint_lt(place("wrmsr"), place("  0.000000 s ago  io           in 0x60/1"));
	ck_assert_uint_lt(0, place("  0.000003 s ago  cpuid"));
	ck_assert(exit_last_text(vcpu, line));
	ck_assert_str_eq(line, "  0.000000 s ago  io           in 0x60/1");
}
END_TEST

/* Seventeen: the first is gone, the others are in order; and on, around the byte. */
START_TEST(the_ring_wraps)
{
	for (unsigned n = 1; n <= 1000; n++) {
		record(&(struct vcpu_exit){.kind = EXIT_CPUID, .regs = {.eax = n}});
		fake_log_clear();
		exit_dump_last(vcpu, &out_log);
		ck_assert_uint_eq(fake_log_count("leaf"), n < 16 ? n : 16);
		for (unsigned back = 0; back < n && back < 16; back++) {
			char want[32];

			snprintf(want, sizeof(want), "cpuid        leaf %#x 0\n", n - back);
			ck_assert_uint_gt(place(want), 0);
		}
	}
}
END_TEST

START_TEST(ticks)
{
	ck_assert_uint_eq(exit_ticks_us(0), 0);
	ck_assert_uint_eq(exit_ticks_us(1999), 1);
	ck_assert_uint_eq(exit_ticks_us(3600ULL * 1000000000), 3600ULL * 1000000);
	ck_assert_uint_eq(exit_ticks_us(UINT64_MAX), UINT64_MAX / 1000);
}
END_TEST

UNIT_MAIN("exit_text", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, in_words, 0, ARRAY_SIZE(rows));
          tcase_add_test(tc, every_kind_has_a_row); tcase_add_test(tc, any_content);
          tcase_add_test(tc, last_exits); tcase_add_test(tc, the_ring_wraps);
          tcase_add_test(tc, ticks);)
