// SPDX-License-Identifier: BSD-2-Clause
// Messages and events through the host and back, by way of QEMU's hyperv-testdev: order, full
// queues, flags, and no message forgotten however posting and taking interleave. Specs: [TLFS]
// "Inter-Partition Communication"; [QEMU] "hyperv-testdev".
#include "guest-test/hyperv/hyperv.h"

#define PORT 0x3000
#define TO_MESSAGES 4U
#define NO_MESSAGES 5U
#define TO_EVENTS 6U
#define NO_EVENTS 7U
#define V_SINT 0x72
#define SINT 5U
#define FIRST_ID 0x20U /* of connections: one for each vCPU */
#define QUEUE 16U      /* messages that wait for one source */
#define RACE 60U       /* messages that each sends */
/* Pages of each vCPU: messages, event flags, a call's input. */
#define PAGES(cpu) (0x420000ULL + (cpu)*0x3000ULL)

static volatile struct hv_message *slot(unsigned cpu)
{
	return (volatile struct hv_message *)PAGES(cpu) + SINT;
}

static volatile uint64_t *flags_of(unsigned cpu)
{
	return (volatile uint64_t *)(PAGES(cpu) + 0x1000 + SINT * HV_EVENT_FLAGS / 8);
}

static void test_port(uint32_t what, unsigned cpu)
{
	outl(PORT, (FIRST_ID + cpu) << 24 | what << 16 | cpu << 8 | SINT);
}

/* This vCPU's controller; 0 takes it away again. */
static void synic(uint64_t on)
{
	uint64_t pages = PAGES(me());

	wrmsr(HV_MSR_SCONTROL, on);
	wrmsr(HV_MSR_SINT0 + SINT, on ? V_SINT : HV_SINT_MASKED);
	wrmsr(HV_MSR_SIMP, on ? pages | 1 : 0);
	wrmsr(HV_MSR_SIEFP, on ? (pages + 0x1000) | 1 : 0);
	if (on) {
		slot(me())->type = HV_MESSAGE_NONE;
		*flags_of(me()) = 0;
	}
}

static uint64_t signal_flag(unsigned cpu, uint64_t flag)
{
	return hv_call(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, flag << 32 | (FIRST_ID + cpu), 0);
}

static bool ports_on(void)
{
	hv_setup();
	counts_clear();
	all_run(synic, 1);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		test_port(TO_MESSAGES, cpu);
		test_port(TO_EVENTS, cpu);
	}
	if (signal_flag(0, 1) == HV_STATUS_INVALID_CONNECTION_ID) {
		skip("no hyperv-testdev");
		return false;
	}
	return true;
}

static void ports_off(void)
{
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		test_port(NO_MESSAGES, cpu);
		test_port(NO_EVENTS, cpu);
	}
	all_run(synic, 0);
	on_vector[V_SINT] = NULL;
}

/* To vCPU 'cpu': who sends it, and its number. */
static uint64_t post(unsigned cpu, uint64_t number)
{
	struct hv_post_message_input *in = (void *)(PAGES(me()) + 0x2000);

	in->connection_id = FIRST_ID + cpu;
	in->reserved = 0;
	in->type = 1 + me();
	in->payload_size = sizeof(number);
	memcpy(in->payload, &number, sizeof(number));
	return hv_call(HV_CALL_POST_MESSAGE, (uint64_t)in, 0);
}

static uint64_t number_in(unsigned cpu)
{
	return *(const volatile uint64_t *)slot(cpu)->payload;
}

/* Free the slot, and say so if more is waiting; its owner does. */
static void take(void)
{
	volatile struct hv_message *m = slot(me());

	__atomic_store_n(&m->type, HV_MESSAGE_NONE, __ATOMIC_SEQ_CST);
	if (m->flags & HV_MESSAGE_FLAG_PENDING) {
		wrmsr(HV_MSR_EOM, 0);
	}
}

TEST(port_messages)
{
	if (!ports_on()) {
		return;
	}
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		CHECK_EQ(post(cpu, 100 + cpu), HV_STATUS_SUCCESS);
		CHECK(WAIT(got[cpu][V_SINT] == 1, 500));
		CHECK_EQ(slot(cpu)->type, 1);
		CHECK_EQ(slot(cpu)->payload_size, 8);
		CHECK_EQ(number_in(cpu), 100 + cpu);
	}
	/* The slot is taken: so many wait, in order, and no more. */
	for (unsigned i = 0; i < QUEUE; i++) {
		CHECK_EQ(post(0, i), HV_STATUS_SUCCESS);
		CHECK_EQ(slot(0)->flags & HV_MESSAGE_FLAG_PENDING, HV_MESSAGE_FLAG_PENDING);
	}
	CHECK_EQ(post(0, QUEUE), HV_STATUS_INSUFFICIENT_BUFFERS);
	CHECK_EQ(number_in(0), 100);
	for (unsigned i = 0; i < QUEUE; i++) {
		take();
		CHECK_EQ(slot(0)->type, 1);
		CHECK_EQ(number_in(0), i);
	}
	CHECK_EQ(slot(0)->flags & HV_MESSAGE_FLAG_PENDING, 0);
	take();
	CHECK_EQ(slot(0)->type, HV_MESSAGE_NONE);
	ports_off();
	CHECK_EQ(post(0, 0), HV_STATUS_INVALID_CONNECTION_ID);
}

TEST(port_events)
{
	if (!ports_on()) {
		return;
	}
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		uint64_t bit = 1ULL << ((FIRST_ID + cpu) % 64);

		CHECK_EQ(signal_flag(cpu, 0), HV_STATUS_SUCCESS);
		CHECK(WAIT(got[cpu][V_SINT] == 1, 500));
		CHECK_EQ(*flags_of(cpu), bit);
		/* Set already: the interrupt was. */
		CHECK_EQ(signal_flag(cpu, 0), HV_STATUS_SUCCESS);
		CHECK(!WAIT(got[cpu][V_SINT] != 1, 2));
		__atomic_fetch_and(flags_of(cpu), ~bit, __ATOMIC_SEQ_CST);
		CHECK_EQ(signal_flag(cpu, 0), HV_STATUS_SUCCESS);
		CHECK(WAIT(got[cpu][V_SINT] == 2, 500));
	}
	CHECK_EQ(signal_flag(0, 1), HV_STATUS_INVALID_PARAMETER);
	wrmsr(HV_MSR_SINT0 + SINT, HV_SINT_MASKED | V_SINT);
	CHECK_EQ(signal_flag(0, 0), HV_STATUS_INVALID_SYNIC_STATE);
	ports_off();
}

/* --- everybody sends, one takes --- */

static volatile uint64_t next_of[CPUS]; /* the number due from each */
static volatile uint32_t taken, wrong;

/* Only what lies in the slot when the interrupt comes, as a driver would: the rest announces
 * itself. */
static void on_message(struct frame *f)
{
	volatile struct hv_message *m = slot(0);
	uint32_t type = __atomic_load_n(&m->type, __ATOMIC_SEQ_CST);

	(void)f;
	if (type == HV_MESSAGE_NONE || type > CPUS) {
		return;
	}
	if (number_in(0) != next_of[type - 1]++) {
		wrong++;
	}
	taken++;
	take();
}

static void sender(uint64_t arg)
{
	(void)arg;
	for (uint64_t n = 0; n < RACE; n++) {
		uint64_t status;

		while ((status = post(0, n)) == HV_STATUS_INSUFFICIENT_BUFFERS) {
			nap();
		}
		if (status != HV_STATUS_SUCCESS) {
			__atomic_fetch_add(&wrong, 1, __ATOMIC_SEQ_CST);
		}
	}
}

TEST(port_race)
{
	if (!ports_on()) {
		return;
	}
	taken = wrong = 0;
	memset((void *)next_of, 0, sizeof(next_of));
	on_vector[V_SINT] = on_message;
	all_run(sender, 0);
	CHECK(WAIT(taken == RACE * cpu_count(), 2000));
	CHECK_EQ(wrong, 0);
	info("messages", taken, "");
	info("interrupts", got[0][V_SINT], "");
	ports_off();
}
