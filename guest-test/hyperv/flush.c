// SPDX-License-Identifier: BSD-2-Clause
// Flushes by hypercall while the others read on, or flush as well.
// Specs: [TLFS] "HvCallFlushVirtualAddressSpace" and its relatives.
#include "guest-test/hyperv/hyperv.h"

#define SLOT 7U
#define ADDRESS (WINDOW_BASE + SLOT * 4096ULL)
#define PAGE_A 0x410000ULL
#define PAGE_B 0x411000ULL
#define INPUTS 0x412000ULL /* a page for each vCPU */
#define ROUNDS 60U
#define CROSS 100U

enum form { SPACE, LIST, SPACE_EX, LIST_EX, EVERYBODY, FORMS };

static volatile bool stop;
static volatile uint64_t published;
static volatile uint64_t reads[CPUS], stale[CPUS];

/* The others have it gone when this returns. */
static uint64_t flush(enum form form)
{
	struct {
		struct hv_flush_input head;
		uint64_t pages[2];
	} *in = (void *)(INPUTS + me() * 4096ULL);
	struct {
		struct hv_flush_ex_input head;
		uint64_t bank;
		uint64_t pages[2];
	} *ex = (void *)in;
	uint64_t all = (1ULL << cpu_count()) - 1, at = (uint64_t)in;

	if (form == SPACE_EX || form == LIST_EX) {
		ex->head =
		        (struct hv_flush_ex_input){.flags = HV_FLUSH_ALL_SPACES, .valid_banks = 1};
		ex->bank = all;
		ex->pages[0] = 0x1000;
		ex->pages[1] = ADDRESS;
		return form == SPACE_EX
		               ? hv_call(HV_CALL_FLUSH_SPACE_EX | HV_VAR(1), at, 0)
		               : hv_call(HV_CALL_FLUSH_LIST_EX | HV_VAR(1) | HV_REPS(0, 2), at, 0);
	}
	in->head = (struct hv_flush_input){.flags = HV_FLUSH_ALL_SPACES, .processor_mask = all};
	if (form == EVERYBODY) {
		in->head.flags |= HV_FLUSH_ALL_PROCESSORS;
		in->head.processor_mask = 0;
	}
	in->pages[0] = 0x1000;
	in->pages[1] = ADDRESS;
	return form == LIST ? hv_call(HV_CALL_FLUSH_LIST | HV_REPS(0, 2), at, 0)
	                    : hv_call(HV_CALL_FLUSH_SPACE, at, 0);
}

static uint64_t result_of(enum form form)
{
	return form == LIST || form == LIST_EX ? 2ULL << HV_RESULT_REPS_SHIFT : 0;
}

/* Each page holds a number; once it is published, no smaller one may be read. */
static void reader(uint64_t arg)
{
	unsigned cpu = me();

	(void)arg;
	while (!stop) {
		for (unsigned i = 0; i < 50; i++) {
			uint64_t least = __atomic_load_n(&published, __ATOMIC_SEQ_CST);

			if (*(volatile uint64_t *)ADDRESS < least) {
				stale[cpu]++;
			}
			reads[cpu]++;
		}
		sti();
		__asm__ volatile("pause");
		cli();
	}
}

TEST(call_flush)
{
	uint64_t sum = 0;

	hv_setup();
	*(volatile uint64_t *)PAGE_A = 1;
	window_map(SLOT, PAGE_A, PTE_P | PTE_W);
	published = 1;
	stop = false;
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		reads[cpu] = stale[cpu] = 0;
		cpu_run(cpu, reader, 0);
	}
	for (uint64_t n = 2; n < 2 + ROUNDS; n++) {
		uint64_t page = n % 2 ? PAGE_A : PAGE_B;
		enum form form = n % FORMS;

		for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
			uint64_t before = reads[cpu];

			CHECK(WAIT(reads[cpu] > before, 500)); /* it has the old one cached */
		}
		*(volatile uint64_t *)page = n;
		window_pt[SLOT] = page | PTE_P | PTE_W;
		CHECK_EQ(flush(form), result_of(form));
		CHECK_EQ(*(volatile uint64_t *)ADDRESS, n);
		__atomic_store_n(&published, n, __ATOMIC_SEQ_CST);
	}
	stop = true;
	for (unsigned cpu = 1; cpu < cpu_count(); cpu++) {
		CHECK(cpu_done(cpu));
		CHECK_EQ(stale[cpu], 0);
		sum += reads[cpu];
	}
	info("reads beside", sum, "");
	window_pt[SLOT] = 0;
}

/* All flush all, none of them with interrupts on: nobody waits for somebody who waits. */
static void flusher(uint64_t arg)
{
	(void)arg;
	for (unsigned i = 0; i < CROSS; i++) {
		enum form form = (i + me()) % FORMS;

		if (flush(form) != result_of(form)) {
			stale[me()]++;
		}
	}
}

TEST(call_flush_each_other)
{
	hv_setup();
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		stale[cpu] = 0;
	}
	all_run(flusher, 0);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		CHECK_EQ(stale[cpu], 0);
	}
}
