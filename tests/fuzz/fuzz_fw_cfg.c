// SPDX-License-Identifier: BSD-2-Clause
// fw_cfg driven by a program of port accesses, commands in guest memory and time.
#include "devices/fw_cfg.h"
#include "tests/fake/fake.h"
#include "tests/fuzz/fuzz.h"
#include <string.h>

#define MEM (4U << 20)
#define PORT 0x510U
#define MAX_OPS 64U

enum op { OP_SELECT, OP_READ_DATA, OP_PORT_READ, OP_PORT_WRITE, OP_COMMAND, OP_TIME, OP_RESET };

/* One step of the program. */
struct step {
	uint8_t op, a;
	uint16_t b;
	uint32_t control, len;
	uint64_t gpa;
} __attribute__((packed));

static uint8_t big[FW_CFG_DMA_NOW + FW_CFG_DMA_STEP + 77];

/* Most addresses near something: memory's ends, the VGA hole, the command itself. */
static uint64_t near(uint64_t v)
{
	static const uint64_t bases[] = {0, 0xa0000, 0xc0000, MEM, 0x1000, 1ULL << 32, 0};

	return v >> 56 >= ARRAY_SIZE(bases) ? v : bases[v >> 56] + (v & 0xfff) - 0x20;
}

static void command(struct vm *vm, const struct step *s)
{
	uint64_t at = near((uint64_t)s->a << 56 | s->b);
	uint64_t to = __builtin_bswap64(near(s->gpa));
	uint32_t c[2] = {__builtin_bswap32(s->control), __builtin_bswap32(s->len)};

	if (gmem_write(&vm->mem, gpa(at), c, sizeof(c)) == 0 &&
	        gmem_write(&vm->mem, gpa(at + 8), &to, sizeof(to)) != 0) {
		at = 0;
	}
	if (at >> 32) {
		io_bus_write(&vm->pio, PORT + 4, 4, __builtin_bswap32((uint32_t)(at >> 32)));
	}
	io_bus_write(&vm->pio, PORT + 8, 4, __builtin_bswap32((uint32_t)at));
}

static uint32_t selected_len(const struct fw_cfg *f)
{
	uint32_t file = f->s.key - (uint32_t)FW_CFG_FILE_FIRST;

	if (file < __builtin_bswap32(f->dir.count)) {
		return __builtin_bswap32(f->dir.files[file].size);
	}
	for (uint32_t i = 0; i < f->n_items; i++) {
		if (f->items[i].key == f->s.key) {
			return f->items[i].len;
		}
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fw_cfg f;
	struct vm *vm = fake_vm(MEM, 2);
	struct step s;

	FUZZ_CHECK(vm != NULL);
	fake_log_clear();
	fw_cfg_init(&f);
	FUZZ_CHECK(fw_cfg_attach(&f, vm, PORT) == 0);
	FUZZ_CHECK(fw_cfg_add_file(&f, "big", big, sizeof(big)) == 0);
	for (unsigned n = 0; n < MAX_OPS && size >= sizeof(s); n++) {
		memcpy(&s, data, sizeof(s));
		data += sizeof(s);
		size -= sizeof(s);
		switch ((enum op)(s.op % (OP_RESET + 1))) {
		case OP_SELECT:
			io_bus_write(&vm->pio, PORT, 2, s.a & 0x80 ? s.b : s.a);
			break;
		case OP_READ_DATA:
			for (unsigned i = 0; i < s.a; i++) {
				FUZZ_CHECK(io_bus_read(&vm->pio, PORT + 1, 1) <= 0xff);
			}
			break;
		case OP_PORT_READ:
			(void)io_bus_read(&vm->pio, PORT + s.a % 12, 1U << s.b % 3);
			break;
		case OP_PORT_WRITE:
			io_bus_write(&vm->pio, PORT + s.a % 12, 1U << s.b % 3, s.control);
			break;
		case OP_COMMAND:
			command(vm, &s);
			break;
		case OP_TIME:
			fake_clock_advance((uint64_t)s.b * 1000);
			break;
		case OP_RESET:
			fw_cfg_quiesce(&f);
			fw_cfg_reset(&f);
			break;
		}
		FUZZ_CHECK(f.s.offset <= selected_len(&f));
		FUZZ_CHECK(f.s.busy == (timer_next_deadline(0) != TIMER_NEVER));
	}
	/* Whatever was asked for ends: all of memory at the rate of the timer. */
	fake_clock_advance((MEM / FW_CFG_DMA_STEP + 1) * (uint64_t)FW_CFG_DMA_STEP_NS);
	FUZZ_CHECK(!f.s.busy && timer_next_deadline(0) == TIMER_NEVER);
	return 0;
}
