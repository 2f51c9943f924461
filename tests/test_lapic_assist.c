// SPDX-License-Identifier: BSD-2-Clause
// EOI assist: when it is offered, when it is taken back, and that the guest never sees a
// difference.
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/lapic.h"
#include "vmm/lapic_regs.h"
#include "vmm/pv.h"
#include <string.h>

#define LOW 0x41
#define HIGH 0x61

static struct vm *vm;
static struct lapic *apic;
static uint32_t word;
static unsigned ends; /* that somebody watched for */

static void on_end(struct vcpu *vcpu, uint8_t vector)
{
	(void)vcpu;
	(void)vector;
	ends++;
}

static const struct pv_ops pv_ops = {.eoi = on_end};

static void setup(void)
{
	*fake_caps() = (struct virt_caps){0};
	fake_clock_set(0);
	vm = fake_vm(1 << 20, 2);
	vm->pv = &pv_ops;
	apic = &vm->vcpus[0]->lapic;
	word = 0xfffffffe; /* what is not bit 0 is not ours */
	ends = 0;
	for (unsigned i = 0; i < 2; i++) {
		lapic_write(&vm->vcpus[i]->lapic, LAPIC_SVR, 0x1ff);
	}
	lapic_set_eoi_assist(apic, &word);
}

/* Into the guest: the vector that interrupts it, -1 = none. */
static int enter(struct lapic *a)
{
	int vector = lapic_pending(a);

	if (vector >= 0) {
		lapic_ack(a, (uint8_t)vector);
	}
	return vector;
}

static bool offered(void)
{
	ck_assert_uint_eq(word | 1, 0xffffffff);
	return word & 1;
}

/* The end of a handler. true = without an exit. */
static bool end(void)
{
	bool was = offered();

	word &= ~1U;
	if (!was) {
		lapic_write(apic, LAPIC_EOI, 0);
	}
	return was;
}

static bool in_service(uint8_t vector)
{
	return lapic_vector_test(apic, LAPIC_ISR, vector);
}

START_TEST(one_by_one)
{
	for (unsigned i = 0; i < 3; i++) {
		lapic_post(apic, LOW, false);
		ck_assert_int_eq(enter(apic), LOW);
		ck_assert(in_service(LOW));
		ck_assert(end());
		ck_assert(!lapic_has_interrupt(apic));
	}
	ck_assert_uint_eq(lapic_read(apic, LAPIC_ISR + 0x20), 0);
	ck_assert_uint_eq(lapic_read(apic, LAPIC_PPR), 0);
	/* A guest that does not know of it ends it as ever. */
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
	lapic_write(apic, LAPIC_EOI, 0);
	ck_assert(!offered());
	ck_assert(!in_service(LOW));
}
END_TEST

START_TEST(what_waits_already)
{
	lapic_post(apic, LOW, false);
	lapic_post(apic, HIGH, false);
	ck_assert_int_eq(enter(apic), HIGH);
	ck_assert(!offered());
	ck_assert_int_eq(enter(apic), -1);
	ck_assert(!end());
	ck_assert_int_eq(enter(apic), LOW);
	ck_assert(end());
	/* The same vector again, while it is served. */
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), -1);
	ck_assert(!end());
	ck_assert_int_eq(enter(apic), LOW);
	ck_assert(end());
	/* One that TPR holds back waits for TPR, and for this one, too. */
	lapic_write(apic, LAPIC_TPR, 0x50);
	lapic_post(apic, LOW, false);
	lapic_post(apic, HIGH, false);
	ck_assert_int_eq(enter(apic), HIGH);
	ck_assert(!end());
	ck_assert_int_eq(enter(apic), -1);
	lapic_write(apic, LAPIC_TPR, 0);
	ck_assert_int_eq(enter(apic), LOW);
}
END_TEST

START_TEST(what_comes_later)
{
	lapic_post(apic, HIGH, false);
	ck_assert_int_eq(enter(apic), HIGH);
	ck_assert(offered());
	/* Not ended yet: the end has to be seen. */
	lapic_post(apic, LOW, false);
	ck_assert(!lapic_has_interrupt(apic));
	ck_assert_int_eq(enter(apic), -1);
	ck_assert(!end());
	ck_assert_int_eq(enter(apic), LOW);
	ck_assert(offered());
	/* Ended before it came: nothing is in its way. */
	ck_assert(end());
	lapic_post(apic, LOW, false);
	ck_assert(lapic_has_interrupt(apic));
	ck_assert_int_eq(enter(apic), LOW);
	ck_assert(offered());
}
END_TEST

START_TEST(nested)
{
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
	lapic_post(apic, HIGH, false);
	ck_assert_int_eq(enter(apic), HIGH);
	ck_assert(offered());
	ck_assert(in_service(LOW) && in_service(HIGH));
	ck_assert(end());
	/* The outer one's end is the outer one's. */
	ck_assert(!end());
	ck_assert(!in_service(LOW) && !in_service(HIGH));
	/* The outer one had ended: only the inner one is in service. */
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
	ck_assert(end());
	lapic_post(apic, HIGH, false);
	ck_assert_int_eq(enter(apic), HIGH);
	ck_assert(!in_service(LOW));
	ck_assert(end());
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
}
END_TEST

START_TEST(levels_never)
{
	lapic_post(apic, LOW, true);
	ck_assert_int_eq(enter(apic), LOW);
	ck_assert(!offered());
	ck_assert(!end());
	/* Edge again. */
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
	ck_assert(offered());
}
END_TEST

START_TEST(who_watches_the_end)
{
	lapic_watch_eoi(apic, LOW, true);
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
	ck_assert(!offered());
	ck_assert(!end());
	ck_assert_uint_eq(ends, 1);
	lapic_watch_eoi(apic, LOW, false);
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
	ck_assert(offered());
	/* Somebody begins to watch: before the end, and after it. */
	vm->vcpus[0]->requests = 0;
	lapic_watch_eoi(apic, LOW, true);
	ck_assert(vm->vcpus[0]->requests & BIT64(VCPU_REQ_IRQ));
	ck_assert_int_eq(enter(apic), -1);
	ck_assert(!end());
	ck_assert_uint_eq(ends, 2);
	lapic_watch_eoi(apic, LOW, false);
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
	ck_assert(end());
	lapic_watch_eoi(apic, LOW, true);
	ck_assert_int_eq(enter(apic), -1);
	ck_assert_uint_eq(ends, 3);
}
END_TEST

START_TEST(vectors_that_end_themselves)
{
	lapic_set_auto_eoi(apic, HIGH, true);
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
	lapic_post(apic, HIGH, false);
	ck_assert_int_eq(enter(apic), HIGH);
	ck_assert(!offered());
	ck_assert(!end()); /* of the outer one */
	ck_assert(!in_service(LOW));
}
END_TEST

START_TEST(the_word_goes_away)
{
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
	lapic_set_eoi_assist(apic, NULL);
	ck_assert(!offered());
	ck_assert(in_service(LOW));
	ck_assert(!end());
	ck_assert(!in_service(LOW));
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
	ck_assert(!offered());
	lapic_write(apic, LAPIC_EOI, 0);
	/* Ended just before. */
	lapic_set_eoi_assist(apic, &word);
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
	ck_assert(end());
	lapic_set_eoi_assist(apic, NULL);
	ck_assert(!in_service(LOW));
}
END_TEST

START_TEST(resets)
{
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
	lapic_reset(apic, false);
	ck_assert(!offered());
	lapic_write(apic, LAPIC_SVR, 0x1ff);
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
	ck_assert(offered()); /* INIT leaves the page */
	lapic_reset(apic, true);
	ck_assert(!offered());
	lapic_write(apic, LAPIC_SVR, 0x1ff);
	lapic_post(apic, LOW, false);
	ck_assert_int_eq(enter(apic), LOW);
	ck_assert(!offered());
}
END_TEST

/* --- two guests, one with assist, in all orders --- */

static uint64_t seed;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33) % n;
}

static void same(struct lapic *plain, int run, unsigned step)
{
	ck_assert_msg(lapic_has_interrupt(apic) == lapic_has_interrupt(plain), "seed %d, step %u",
	        run, step);
	if (step % 3 == 0) {
		for (uint32_t i = 0; i < 0x80; i += 16) {
			ck_assert_uint_eq(
			        lapic_read(apic, LAPIC_ISR + i), lapic_read(plain, LAPIC_ISR + i));
		}
		ck_assert_uint_eq(lapic_read(apic, LAPIC_PPR), lapic_read(plain, LAPIC_PPR));
	}
}

START_TEST(no_difference)
{
	struct lapic *plain = &vm->vcpus[1]->lapic;
	unsigned depth = 0, saved = 0;
	uint8_t vector;
	bool on;
	int a;

	seed = (uint64_t)_i * 77 + 1;
	for (unsigned step = 0; step < 3000; step++) {
		switch (rnd(16)) {
		case 0:
			vector = (uint8_t)(0x30 + rnd(4) * 0x20 + rnd(2));
			on = rnd(8) == 0;
			lapic_post(apic, vector, on);
			lapic_post(plain, vector, on);
			break;
		case 1:
		case 2:
		case 3:
		case 4:
		case 5:
		case 6:
			a = enter(apic);
			ck_assert_msg(a == enter(plain), "seed %d, step %u", _i, step);
			depth += a >= 0;
			break;
		case 7:
		case 8:
		case 9:
		case 10:
		case 11:
		case 12:
		case 13:
		case 14:
			if (depth > 0) {
				depth--;
				saved += end();
				lapic_write(plain, LAPIC_EOI, 0);
			}
			break;
		default:
			vector = (uint8_t)(0x30 + rnd(4) * 0x20);
			on = rnd(2);
			lapic_watch_eoi(apic, vector, on);
			a = (int)rnd(4) * 0x20;
			lapic_write(apic, LAPIC_TPR, (uint32_t)a);
			lapic_write(plain, LAPIC_TPR, (uint32_t)a);
			break;
		}
		same(plain, _i, step);
	}
	ck_assert_uint_gt(saved, 20);
}
END_TEST

UNIT_MAIN("lapic_assist", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_test(tc, one_by_one); tcase_add_test(tc, what_waits_already);
          tcase_add_test(tc, what_comes_later); tcase_add_test(tc, nested);
          tcase_add_test(tc, levels_never); tcase_add_test(tc, who_watches_the_end);
          tcase_add_test(tc, vectors_that_end_themselves); tcase_add_test(tc, the_word_goes_away);
          tcase_add_test(tc, resets); tcase_add_loop_test(tc, no_difference, 0, 20);)
