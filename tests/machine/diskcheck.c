// SPDX-License-Identifier: BSD-2-Clause
/*
 * Runs in a Linux guest: random direct requests to a disk (or a file), each block checked.
 *
 *	diskcheck run FILE MIB DEPTH KIB SEED
 *		at least MIB MiB of requests of up to KIB KiB, up to DEPTH at once, in random sizes,
 *		alignments and pieces of memory; then everything is read again
 *	diskcheck check FILE
 *		each block is as some run has left it
 *
 * A block is all zeros, or says its number and how often it was written. Both end with a hash of
 * these counts: a check that prints the hash of a run has found all that the run wrote. Status 1: a
 * block is wrong; 2: a request failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 512
#define WORDS (SECTOR / 8)
#define PAGE 4096
#define PARTS 4
#define MAX_DEPTH 256
#define MIX 0x9e3779b97f4a7c15ull

/* A request, and the memory that is its own. */
struct slot {
	struct iocb iocb;
	struct iovec iov[PARTS];
	uint8_t *memory;
	uint64_t first, sectors;
	int parts;
	bool busy;
};

static int fd;
static uint64_t disk_sectors, unit; /* unit: sectors in a logical block */
static uint32_t *counts;            /* of each sector: how often it was written */
static uint64_t rng;
static uint64_t reads, writes, moved;
static struct slot slots[MAX_DEPTH];

static void die(const char *what, long err)
{
	printf("diskcheck: %s: %s\n", what, strerror((int)err));
	exit(2);
}

static uint64_t rnd(uint64_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (rng >> 11) % below;
}

static uint64_t first_word(uint64_t sector, uint32_t count)
{
	return count ? (uint64_t)count << 40 | sector : 0;
}

static void fill(uint64_t *block, uint64_t sector, uint32_t count)
{
	uint64_t word = first_word(sector, count);

	for (int i = 0; i < WORDS; i++) {
		block[i] = word;
		word += count ? MIX : 0;
	}
}

static void verify(const uint64_t *block, uint64_t sector, uint32_t count)
{
	uint64_t word = first_word(sector, count);

	for (int i = 0; i < WORDS; i++) {
		if (block[i] != word) {
			printf("diskcheck: sector %llu, word %d: is %llx, should be %llx\n",
			        (unsigned long long)sector, i, (unsigned long long)block[i],
			        (unsigned long long)word);
			exit(1);
		}
		word += count ? MIX : 0;
	}
}

/* All of the disk in order: each sector says itself what it is; known: it has to be what we know.
 */
static void read_all(bool known)
{
	size_t chunk = 1u << 20;
	uint8_t *buf = aligned_alloc(PAGE, chunk);
	uint64_t sector = 0, hash = 0;

	while (sector < disk_sectors) {
		ssize_t got = pread(fd, buf, chunk, (off_t)(sector * SECTOR));

		if (got <= 0) {
			die("read", got ? errno : EIO);
		}
		moved += (uint64_t)got;
		for (ssize_t at = 0; at < got; at += SECTOR, sector++) {
			const uint64_t *block = (const uint64_t *)(buf + at);
			uint32_t count = (uint32_t)(block[0] >> 40);

			verify(block, sector, known ? counts[sector] : count);
			counts[sector] = count;
			hash = (hash ^ count) * MIX;
		}
	}
	free(buf);
	printf("diskcheck: %llu reads, %llu writes, %llu MiB, good, hash %016llx\n",
	        (unsigned long long)reads, (unsigned long long)writes,
	        (unsigned long long)(moved >> 20), (unsigned long long)hash);
}

static bool overlaps(uint64_t first, uint64_t sectors)
{
	for (int i = 0; i < MAX_DEPTH; i++) {
		const struct slot *s = &slots[i];

		if (s->busy && first < s->first + s->sectors && s->first < first + sectors) {
			return true;
		}
	}
	return false;
}

/* Cut into parts of whole blocks, each with a gap in memory before it. */
static void cut(struct slot *s)
{
	uint64_t blocks = s->sectors / unit;
	size_t block = unit * SECTOR;
	uint8_t *at = s->memory + rnd(PAGE / SECTOR) * SECTOR / block * block;

	s->parts = 0;
	while (blocks > 0) {
		uint64_t n = s->parts == PARTS - 1 ? blocks : 1 + rnd(blocks);

		s->iov[s->parts].iov_base = at;
		s->iov[s->parts].iov_len = n * block;
		s->parts++;
		at += (n + 1) * block;
		blocks -= n;
	}
}

static void each_sector(struct slot *s, bool write)
{
	uint64_t sector = s->first;

	for (int i = 0; i < s->parts; i++) {
		for (size_t at = 0; at < s->iov[i].iov_len; at += SECTOR, sector++) {
			uint64_t *block = (uint64_t *)((uint8_t *)s->iov[i].iov_base + at);

			if (write) {
				fill(block, sector, ++counts[sector]);
			} else {
				verify(block, sector, counts[sector]);
			}
		}
	}
}

static bool start(aio_context_t ctx, struct slot *s, uint64_t max_sectors)
{
	uint64_t most = rnd(2) ? max_sectors : 8 * unit;
	bool write = rnd(2);
	struct iocb *iocb = &s->iocb;

	s->sectors = (1 + rnd(most / unit)) * unit;
	s->first = rnd((disk_sectors - s->sectors) / unit + 1) * unit;
	if (overlaps(s->first, s->sectors)) {
		return false;
	}
	cut(s);
	if (write) {
		each_sector(s, true);
	}
	*iocb = (struct iocb){
	        .aio_data = (uint64_t)(uintptr_t)s,
	        .aio_lio_opcode = write ? IOCB_CMD_PWRITEV : IOCB_CMD_PREADV,
	        .aio_fildes = (uint32_t)fd,
	        .aio_buf = (uint64_t)(uintptr_t)s->iov,
	        .aio_nbytes = (uint64_t)s->parts,
	        .aio_offset = (int64_t)(s->first * SECTOR),
	};
	if (syscall(SYS_io_submit, ctx, 1L, &iocb) != 1) {
		die("io_submit", errno);
	}
	s->busy = true;
	return true;
}

/* Wait for one at least; returns how many have ended. */
static int finish(aio_context_t ctx)
{
	struct io_event events[MAX_DEPTH];
	long n = syscall(SYS_io_getevents, ctx, 1L, (long)MAX_DEPTH, events, NULL);

	if (n < 0) {
		die("io_getevents", errno);
	}
	for (long i = 0; i < n; i++) {
		struct slot *s = (struct slot *)(uintptr_t)events[i].data;
		bool write = s->iocb.aio_lio_opcode == IOCB_CMD_PWRITEV;

		if (events[i].res != (int64_t)(s->sectors * SECTOR)) {
			die(write ? "write" : "read", events[i].res < 0 ? -events[i].res : EIO);
		}
		if (!write) {
			each_sector(s, false);
		}
		*(write ? &writes : &reads) += 1;
		moved += s->sectors * SECTOR;
		s->busy = false;
	}
	return (int)n;
}

static void run(uint64_t bytes, int depth, uint64_t max_sectors)
{
	aio_context_t ctx = 0;
	uint64_t started = 0;
	int busy = 0, want = 1;

	if (syscall(SYS_io_setup, depth, &ctx) < 0) {
		die("io_setup", errno);
	}
	for (int i = 0; i < depth; i++) {
		slots[i].memory =
		        aligned_alloc(PAGE, max_sectors * SECTOR + PARTS * unit * SECTOR + PAGE);
	}
	while (moved < bytes || busy > 0) {
		if (started++ % 64 == 0) {
			want = 1 + (int)rnd((uint64_t)depth);
		}
		for (int i = 0; i < depth && busy < want && moved < bytes; i++) {
			if (!slots[i].busy && start(ctx, &slots[i], max_sectors)) {
				busy++;
			}
		}
		if (busy > 0) {
			busy -= finish(ctx);
		}
	}
	if (fsync(fd) < 0) {
		die("fsync", errno);
	}
}

int main(int argc, char **argv)
{
	bool running = argc == 7 && strcmp(argv[1], "run") == 0;
	int block = SECTOR, depth;
	uint64_t max_sectors;

	if (!running && !(argc == 3 && strcmp(argv[1], "check") == 0)) {
		printf("usage: diskcheck run FILE MIB DEPTH KIB SEED | check FILE\n");
		return 2;
	}
	fd = open(argv[2], (running ? O_RDWR : O_RDONLY) | O_DIRECT);
	if (fd < 0) {
		die(argv[2], errno);
	}
	/* A file has none: its file system's blocks have pages' size. */
	if (ioctl(fd, BLKSSZGET, &block) < 0) {
		block = PAGE;
	}
	unit = (uint64_t)block / SECTOR;
	disk_sectors = (uint64_t)lseek(fd, 0, SEEK_END) / SECTOR;
	counts = calloc(disk_sectors, sizeof(*counts));
	read_all(false);
	if (running) {
		depth = atoi(argv[4]);
		depth = depth < 1 ? 1 : depth > MAX_DEPTH ? MAX_DEPTH : depth;
		max_sectors = strtoull(argv[5], NULL, 10) * 1024 / SECTOR / unit * unit;
		max_sectors = max_sectors < 8 * unit ? 8 * unit : max_sectors;
		if (max_sectors > disk_sectors) {
			die("the disk is too small", ENOSPC);
		}
		rng = strtoull(argv[6], NULL, 10) * MIX + 1;
		run(strtoull(argv[3], NULL, 10) << 20, depth, max_sectors);
		read_all(true);
	}
	return 0;
}
