// SPDX-License-Identifier: BSD-2-Clause
/*
 * Runs in a Linux guest, a thread on each CPU: is there one time, and do page tables that one
 * CPU changed hold on all? Prints 'smpcheck: N CPUs, ...' and ends with 0 if so.
 * Static; tests/machine/mksmp.sh builds it for the initramfs of tests/e2e/test_smp.py.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MAX_CPUS 64
#define PAGE 4096
#define REMAPS 400
#define TURNS 3000

static int cpus;
static atomic_int failures;

static void fail(const char *what, uint64_t a, uint64_t b)
{
	if (atomic_fetch_add(&failures, 1) < 5) {
		printf("smpcheck: FAIL %s: %llu %llu on CPU %d\n", what, (unsigned long long)a,
		        (unsigned long long)b, sched_getcpu());
	}
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		fail("sched_setaffinity", (uint64_t)cpu, 0);
	}
}

static void on_all(void *(*fn)(void *))
{
	pthread_t threads[MAX_CPUS];

	for (long i = 0; i < cpus; i++) {
		if (pthread_create(&threads[i], NULL, fn, (void *)i)) {
			perror("smpcheck: pthread_create");
			exit(1);
		}
	}
	for (int i = 0; i < cpus; i++) {
		pthread_join(threads[i], NULL);
	}
}

/* --- time: whoever has the lock sees no earlier one than who had it before --- */

static pthread_mutex_t time_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t last_tsc, last_ns;

static uint64_t tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void *check_time(void *arg)
{
	pin((int)(long)arg);
	for (int i = 0; i < TURNS; i++) {
		uint64_t t, ns;

		pthread_mutex_lock(&time_lock);
		t = tsc();
		ns = now_ns();
		if (t < last_tsc) {
			fail("TSC went back", last_tsc, t);
		}
		if (ns < last_ns) {
			fail("clock went back", last_ns, ns);
		}
		last_tsc = t;
		last_ns = ns;
		pthread_mutex_unlock(&time_lock);
		if (i % 64 == 0) {
			sched_yield();
		}
	}
	return NULL;
}

/* --- translations: after mmap() has returned nobody sees the page from before --- */

static volatile uint64_t *window;
static _Atomic uint64_t valid_from;
static atomic_bool stop;
static atomic_ulong reads;
static int memory;

static void remap(uint64_t i)
{
	void *p = mmap((void *)window, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
	        memory, (off_t)(i * PAGE));

	if (p != (void *)window) {
		perror("smpcheck: mmap");
		exit(1);
	}
	atomic_store(&valid_from, i);
}

static void *check_translations(void *arg)
{
	unsigned long n = 0;

	pin((int)(long)arg);
	if (arg == NULL) {
		for (uint64_t i = 1; i < REMAPS; i++) {
			remap(i);
		}
		atomic_store(&stop, true);
		return NULL;
	}
	while (!atomic_load(&stop)) {
		uint64_t from = atomic_load(&valid_from);
		uint64_t v = *window;

		if (v < from) {
			fail("a stale page", from, v);
		}
		n++;
	}
	atomic_fetch_add(&reads, n);
	return NULL;
}

int main(void)
{
	cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	cpus = cpus < MAX_CPUS ? cpus : MAX_CPUS;
	on_all(check_time);

	memory = memfd_create("pages", 0);
	if (memory < 0 || ftruncate(memory, (off_t)REMAPS * PAGE)) {
		perror("smpcheck: memfd");
		return 1;
	}
	for (uint64_t i = 0; i < REMAPS; i++) {
		if (pwrite(memory, &i, sizeof(i), (off_t)(i * PAGE)) != sizeof(i)) {
			perror("smpcheck: pwrite");
			return 1;
		}
	}
	window = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, memory, 0);
	if (window == MAP_FAILED) {
		perror("smpcheck: mmap");
		return 1;
	}
	on_all(check_translations);
	printf("smpcheck: %d CPUs, %d turns each, %d remaps, %s\n", cpus, TURNS, REMAPS,
	        failures ? "FAILED" : "good");
	return failures != 0;
}
