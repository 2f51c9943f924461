// SPDX-License-Identifier: BSD-2-Clause
/*
 * A load for a disk, in the guest: requests of one size, in order or not, so many at once, from one
 * process or more, each on its own CPU. Counts time-stamp ticks and the interrupts that came.
 *
 * diskload DEV r|w rand|seq SIZE DEPTH COUNT JOBS
 */
#define _GNU_SOURCE
#include "tests/bench/irqs.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MAX_DEPTH 256

struct load {
	int fd;
	int write, random;
	uint64_t size, blocks; /* of a request, and how many of them the disk has */
	unsigned depth;
	uint64_t count;
};

/* xorshift: the same requests each time. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Keeps 'depth' requests with the kernel: as many again as have come back, in one call. */
static void run(const struct load *l, unsigned job)
{
	struct iocb cbs[MAX_DEPTH], *ready[MAX_DEPTH];
	struct io_event events[MAX_DEPTH];
	uint64_t state = 88172645463325252ULL + job, issued = 0, done = 0;
	uint64_t at = l->blocks / 4 * job;
	unsigned n = l->depth;
	aio_context_t ctx = 0;
	char *buf = mmap(NULL, l->depth * l->size, PROT_READ | PROT_WRITE,
	        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (buf == MAP_FAILED || syscall(SYS_io_setup, l->depth, &ctx)) {
		die("set-up");
	}
	memset(cbs, 0, sizeof(cbs));
	for (unsigned i = 0; i < l->depth; i++) {
		cbs[i].aio_fildes = (uint32_t)l->fd;
		cbs[i].aio_lio_opcode = l->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
		cbs[i].aio_buf = (uintptr_t)(buf + i * l->size);
		cbs[i].aio_nbytes = l->size;
		ready[i] = &cbs[i];
	}
	while (done < l->count) {
		long got;

		n = n < l->count - issued ? n : (unsigned)(l->count - issued);
		for (unsigned i = 0; i < n; i++) {
			uint64_t block = l->random ? next_random(&state) : at++;

			ready[i]->aio_offset = (int64_t)(block % l->blocks * l->size);
		}
		for (unsigned sent = 0; sent < n;) {
			long ok = syscall(SYS_io_submit, ctx, n - sent, ready + sent);

			if (ok <= 0) {
				die("io_submit");
			}
			sent += (unsigned)ok;
		}
		issued += n;
		got = syscall(SYS_io_getevents, ctx, 1, l->depth, events, NULL);
		if (got <= 0) {
			die("io_getevents");
		}
		for (long i = 0; i < got; i++) {
			if (events[i].res != (int64_t)l->size) {
				fprintf(stderr, "a request ended with %lld\n",
				        (long long)events[i].res);
				exit(1);
			}
			ready[i] = (struct iocb *)(uintptr_t)events[i].obj;
		}
		done += (uint64_t)got;
		n = (unsigned)got;
	}
}

static void run_jobs(const struct load *l, unsigned jobs)
{
	for (unsigned job = 0; job < jobs; job++) {
		pid_t pid = fork();

		if (pid < 0) {
			die("fork");
		}
		if (pid == 0) {
			cpu_set_t set;

			CPU_ZERO(&set);
			CPU_SET(job, &set);
			if (sched_setaffinity(0, sizeof(set), &set)) {
				die("affinity");
			}
			run(l, job);
			_exit(0);
		}
	}
	for (unsigned job = 0; job < jobs; job++) {
		int status;

		if (wait(&status) < 0 || status != 0) {
			exit(1);
		}
	}
}

int main(int argc, char *argv[])
{
	struct load l;
	unsigned jobs;
	off_t size;

	if (argc != 8) {
		fputs("diskload DEV r|w rand|seq SIZE DEPTH COUNT JOBS\n", stderr);
		return 2;
	}
	l.write = argv[2][0] == 'w';
	l.random = argv[3][0] == 'r';
	l.size = strtoull(argv[4], NULL, 0);
	l.depth = (unsigned)strtoul(argv[5], NULL, 0);
	jobs = (unsigned)strtoul(argv[7], NULL, 0);
	l.count = strtoull(argv[6], NULL, 0) / (jobs ? jobs : 1);
	l.fd = open(argv[1], O_RDWR | O_DIRECT);
	size = l.fd < 0 ? -1 : lseek(l.fd, 0, SEEK_END);
	if (size < 0) {
		die(argv[1]);
	}
	if (l.depth < 1 || l.depth > MAX_DEPTH || l.size < 512 || (uint64_t)size < l.size) {
		fputs("bad numbers\n", stderr);
		return 2;
	}
	l.blocks = (uint64_t)size / l.size;
	irqs_begin();
	run_jobs(&l, jobs);
	irqs_end();
	return 0;
}
