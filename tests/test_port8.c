// SPDX-License-Identifier: BSD-2-Clause
// Accesses of all widths to a chip of bytes.
#include "devices/port8.h"
#include "tests/unit.h"

static uint8_t regs[8];

static uint8_t read8(void *dev, unsigned reg)
{
	return ((uint8_t *)dev)[reg];
}

static void write8(void *dev, unsigned reg, uint8_t value)
{
	((uint8_t *)dev)[reg] = value;
}

static const struct {
	uint64_t offset, value;
	unsigned width;
} rows[] = {
        {0, 0x5a, 1},
        {7, 0xa5, 1},
        {3, 0x1234, 2},
        {6, 0xffff, 2},
        {2, 0xdeadbeef, 4},
        {4, 0x01020304, 4},
};

START_TEST(bytes_at_rising_ports)
{
	for (unsigned i = 0; i < sizeof(regs); i++) {
		regs[i] = (uint8_t)(0x10 + i);
	}
	/* What lies above the width is not looked at. */
	port8_write(write8, regs, rows[_i].offset, rows[_i].width,
	        rows[_i].value | ~0ULL << (8 * rows[_i].width));
	for (unsigned i = 0; i < sizeof(regs); i++) {
		unsigned at = i - (unsigned)rows[_i].offset;

		ck_assert_uint_eq(regs[i],
		        at < rows[_i].width ? (uint8_t)(rows[_i].value >> (8 * at)) : 0x10 + i);
	}
	ck_assert_uint_eq(port8_read(read8, regs, rows[_i].offset, rows[_i].width), rows[_i].value);
}
END_TEST

UNIT_MAIN(
        "port8", tcase_add_loop_test(tc, bytes_at_rising_ports, 0, sizeof(rows) / sizeof(rows[0]));)
