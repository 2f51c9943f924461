// SPDX-License-Identifier: BSD-2-Clause
// fw_cfg: items by port, by string instruction and by command, against what else says the same.
// Specs: [FWCFG] "Guest-side Hardware Interface", "Guest-side DMA Interface".
#include "guest-test/lib/test.h"

#define SELECTOR 0x510
#define DATA 0x511
#define DMA_HIGH 0x514
#define DMA_LOW 0x518

#define DMA_ERROR 1U
#define DMA_READ 2U
#define DMA_SKIP 4U
#define DMA_SELECT 8U
#define DMA_WRITE 16U

struct command {
	uint32_t control, len;
	uint64_t address;
};

struct dir_entry {
	uint32_t size;
	uint16_t select, reserved;
	char name[56];
};

struct e820 {
	uint64_t base, len;
	uint32_t type;
} __attribute__((packed));

static volatile struct command command __attribute__((aligned(16)));
static struct dir_entry files[16];
static uint8_t buffer[4096];

static uint64_t next(unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++) {
		v |= (uint64_t)inb(DATA) << (8 * i);
	}
	return v;
}

static uint64_t item(uint16_t key, unsigned n)
{
	outw(SELECTOR, key);
	return next(n);
}

/* Returns the control word at the end. */
static uint32_t dma(uint32_t control, uint32_t len, uint64_t address)
{
	command.control = __builtin_bswap32(control);
	command.len = __builtin_bswap32(len);
	command.address = __builtin_bswap64(address);
	__asm__ volatile("" : : : "memory");
	outl(DMA_LOW, __builtin_bswap32((uint32_t)(uint64_t)&command));
	while (command.control & ~__builtin_bswap32(DMA_ERROR)) {
		__asm__ volatile("pause" : : : "memory");
	}
	return __builtin_bswap32(command.control);
}

static uint32_t dma_item(uint16_t key, uint32_t len, void *to)
{
	return dma(DMA_SELECT | DMA_READ | (uint32_t)key << 16, len, (uint64_t)to);
}

static bool equal(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;

	while (n--) {
		if (*p++ != *q++) {
			return false;
		}
	}
	return true;
}

static size_t length(const char *s)
{
	size_t n = 0;

	while (s[n]) {
		n++;
	}
	return n;
}

/* [MB1] "Boot information format". */
static const uint32_t *multiboot(void)
{
	extern uint32_t multiboot_info;

	return (const uint32_t *)(uint64_t)multiboot_info;
}

TEST(fw_cfg_identifies_itself)
{
	CHECK_EQ(item(0, 4), 0x554d4551);
	CHECK_EQ(next(4), 0);
	CHECK_EQ(item(1, 4), 3);
	CHECK_EQ(inl(DMA_HIGH), 0x554d4551);
	CHECK_EQ(inl(DMA_LOW), 0x47464320);
}

TEST(fw_cfg_machine)
{
	/* The CMOS and the boot information say the same. */
	CHECK_EQ(item(5, 2), cmos_read(0x5f) + 1U);
	CHECK_EQ(item(5, 2), 2);
	CHECK_EQ(item(0xf, 2), 2);
	CHECK_EQ(item(3, 8), ram_size());
	CHECK_EQ(item(0x8002, 1), 1);
	CHECK_EQ(item(8, 4), 0);
}

TEST(fw_cfg_cmdline)
{
	const char *cmdline = (const char *)(uint64_t)multiboot()[4];
	size_t n = item(0x14, 4);

	/* Multiboot's begins with the kernel's name. */
	CHECK_EQ(n, sizeof("two words"));
	CHECK_EQ(dma_item(0x15, (uint32_t)n, buffer), 0);
	CHECK(equal(buffer, "two words", n));
	CHECK(equal(buffer, cmdline + length(cmdline) + 1 - n, n));
}

TEST(fw_cfg_string_input)
{
	void *to = buffer;
	uint64_t n = 6;

	memset(buffer, 0xaa, 8);
	outw(SELECTOR, 0);
	__asm__ volatile("rep insb" : "+D"(to), "+c"(n) : "d"(DATA) : "memory");
	CHECK(equal(buffer, "QEMU\0\0\xaa\xaa", 8));
}

TEST(fw_cfg_files)
{
	const uint32_t *mbi = multiboot();
	const uint8_t *map = (const uint8_t *)(uint64_t)mbi[12];
	uint32_t n, size = 0;

	CHECK_EQ(dma_item(0x19, 4, &n), 0);
	n = __builtin_bswap32(n);
	CHECK(n >= 1 && n <= 16);
	CHECK_EQ(dma(DMA_READ, n * 64, (uint64_t)files), 0);
	for (uint32_t i = 0; i < n && i < 16; i++) {
		CHECK_EQ(__builtin_bswap16(files[i].select), 0x20 + i);
		if (equal(files[i].name, "etc/e820", 9)) {
			size = __builtin_bswap32(files[i].size);
			CHECK(size <= sizeof(buffer));
			CHECK_EQ(dma_item((uint16_t)(0x20 + i), size, buffer), 0);
		}
	}
	/* Multiboot's entries have 4 bytes before each: the size of the rest. */
	CHECK_EQ(size / 20, mbi[11] / 24);
	for (uint32_t i = 0; i < size / 20; i++) {
		CHECK(equal(buffer + i * 20, map + i * 24 + 4, 20));
	}
	CHECK_EQ(item(0x8003, 4), size / 20);
}

TEST(fw_cfg_dma_answers)
{
	/* Both halves of the address; select and skip; what is refused. */
	outl(DMA_HIGH, 0);
	CHECK_EQ(dma(DMA_SELECT | DMA_SKIP, 2, 0), 0);
	CHECK_EQ(next(3), 'M' | 'U' << 8);
	CHECK_EQ(dma(DMA_SELECT | DMA_WRITE, 1, (uint64_t)buffer), DMA_ERROR);
	CHECK_EQ(dma(DMA_SELECT | DMA_READ, 4, 0xa0000), DMA_ERROR);
	CHECK_EQ(dma(DMA_SELECT | DMA_READ, 0xffffffff, (uint64_t)buffer), DMA_ERROR);
	CHECK_EQ(dma(DMA_SELECT | DMA_READ, 4, ~0ULL), DMA_ERROR);
	CHECK_EQ(item(0, 4), 0x554d4551);
	/* A command that lies nowhere gets no answer, and hurts nobody. */
	outl(DMA_HIGH, 0xffffffff);
	outl(DMA_LOW, 0);
	CHECK_EQ(dma(DMA_SELECT | DMA_READ, 4, (uint64_t)buffer), 0);
	CHECK(equal(buffer, "QEMU", 4));
}

/* More than one exit copies: the rest comes by itself. */
TEST(fw_cfg_dma_long)
{
	uint8_t *at = (uint8_t *)(32ULL << 20);
	const uint32_t len = (1U << 20) + 100000;
	uint32_t bad = 0;

	memset(at, 0xaa, len + 1);
	CHECK_EQ(dma_item(0, len, at), 0);
	CHECK(equal(at, "QEMU", 4));
	for (uint32_t i = 4; i < len; i++) {
		bad += at[i] != 0;
	}
	CHECK_EQ(bad, 0);
	CHECK_EQ(at[len], 0xaa);
}
