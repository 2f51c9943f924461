// SPDX-License-Identifier: BSD-2-Clause
// One 8254 counter against a model that really counts, clock by clock.
// Specs: [8254] "Mode Definitions".
#include "devices/pit_counter.h"
#include "tests/unit.h"

/* A counter without a gate input, by the data sheet's diagrams: what one clock pulse does. */
struct model {
	unsigned mode, count, ce;
	bool bcd, loaded, out, high, done;
};

static unsigned range_of(const struct model *m)
{
	return m->bcd ? 10000 : 65536;
}

static void model_clock(struct model *m)
{
	if (!m->loaded) {
		m->loaded = true;
		m->ce = m->mode == 3 ? m->count & ~1U : m->count;
		m->out = m->mode != 0;
		m->high = true;
		return;
	}
	switch (m->mode) {
	case 0:
		m->ce = m->ce ? m->ce - 1 : range_of(m) - 1;
		m->out |= m->ce == 0;
		break;
	case 2:
		m->ce = m->ce == 1 ? m->count : m->ce - 1;
		m->out = m->ce != 1;
		break;
	case 3:
		/* The high half of an odd count lasts one clock longer, with the count at 0. */
		if (m->ce > 2 || (m->ce == 2 && m->high && (m->count & 1))) {
			m->ce -= 2;
		} else {
			m->ce = m->count & ~1U;
			m->high = !m->high;
		}
		m->out = m->high;
		break;
	default: /* 4 */
		m->ce = m->ce ? m->ce - 1 : range_of(m) - 1;
		m->out = m->ce != 0 || m->done;
		m->done |= m->ce == 0;
		break;
	}
}

static unsigned digits(unsigned n, bool bcd)
{
	n %= bcd ? 10000 : 65536;
	return bcd ? n / 1000 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10 : n;
}

static unsigned latched(struct pit_counter *c, uint64_t now)
{
	unsigned lsb;

	pit_counter_latch_count(c, now);
	lsb = pit_counter_read(c, now);
	return lsb | (unsigned)pit_counter_read(c, now) << 8;
}

START_TEST(counts_as_the_model)
{
	static const unsigned modes[] = {0, 2, 3, 4};
	static const unsigned counts[] = {2, 3, 4, 5, 9, 10, 99, 100, 256, 1000, 9999};
	unsigned mode = modes[_i / 2];
	bool bcd = _i & 1;

	for (unsigned k = 0; k < ARRAY_SIZE(counts); k++) {
		struct model m = {.mode = mode, .count = counts[k], .bcd = bcd};
		unsigned wire = digits(counts[k], bcd);
		struct pit_counter c;
		uint64_t now = 1000;
		bool last = false;

		pit_counter_reset(&c, true);
		pit_counter_control(&c, (uint8_t)(0x30 | mode << 1 | bcd));
		ck_assert(!pit_counter_write(&c, (uint8_t)wire, now));
		ck_assert(pit_counter_write(&c, (uint8_t)(wire >> 8), now));
		for (unsigned i = 0; i < 30000; i++) {
			uint64_t rise = pit_counter_next_rise(&c, now);

			unsigned got;

			now++;
			model_clock(&m);
			got = latched(&c, now);
			ck_assert_uint_eq(got, digits(m.ce, bcd));
			ck_assert_int_eq(pit_counter_out(&c, now), m.out);
			/* The rise it announced is where the model's output rose. */
			if (i > 0) {
				ck_assert_int_eq(rise == now, m.out && !last);
			}
			last = m.out;
		}
	}
}
END_TEST

START_TEST(bad_digits)
{
	for (unsigned wire = 0; wire < 65536; wire += 13) {
		for (unsigned mode = 0; mode < 8; mode++) {
			struct pit_counter c;

			pit_counter_reset(&c, true);
			pit_counter_control(&c, (uint8_t)(0x31 | mode << 1));
			pit_counter_write(&c, (uint8_t)wire, 5);
			pit_counter_write(&c, (uint8_t)(wire >> 8), 5);
			for (uint64_t now = 5; now < 1000000; now = now * 3 + 1) {
				unsigned count = latched(&c, now);

				ck_assert_uint_lt(count & 15, 10);
				ck_assert_uint_lt(count >> 12, 10);
				ck_assert(pit_counter_next_rise(&c, now) > now);
			}
		}
	}
}
END_TEST

START_TEST(nothing_loaded)
{
	for (unsigned mode = 0; mode < 8; mode++) {
		struct pit_counter c;

		pit_counter_reset(&c, true);
		pit_counter_control(&c, (uint8_t)(0x30 | mode << 1));
		ck_assert_int_eq(pit_counter_out(&c, 100), mode != 0);
		ck_assert_uint_eq(pit_counter_next_rise(&c, 100), PIT_NO_TICK);
		pit_counter_set_gate(&c, false, 101);
		pit_counter_set_gate(&c, true, 102);
		ck_assert_uint_eq(pit_counter_next_rise(&c, 102), PIT_NO_TICK);
		ck_assert_uint_eq(pit_counter_read(&c, 103), 0);
	}
}
END_TEST

UNIT_MAIN("pit_counter", tcase_add_loop_test(tc, counts_as_the_model, 0, 8);
          tcase_add_test(tc, bad_digits); tcase_add_test(tc, nothing_loaded);)
