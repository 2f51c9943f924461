// SPDX-License-Identifier: BSD-2-Clause
// The Hyper-V interface: hypercalls, messages and events, synthetic timers, reference time. After
// irq.c: the local APIC is in x2APIC mode, and a VMCALL is a hypercall from here on.
// Specs: [TLFS] "Hypercall Interface", "Virtual Interrupts", "Timers".
#include "guest-test/hyperv/hyperv.h"
#include "guest-test/latency/bench.h"

#define VECTOR 0x50U
#define HANDLED_SINT 4U /* as in handlers.asm: interrupts, and the handler frees its slot */
#define POLLED_SINT 5U  /* does not */
#define DIRECT_CONFIG HV_MSR_STIMER0_CONFIG
#define DIRECT_COUNT (HV_MSR_STIMER0_CONFIG + 1)
#define MESSAGE_CONFIG (HV_MSR_STIMER0_CONFIG + 2)
#define MESSAGE_COUNT (HV_MSR_STIMER0_CONFIG + 3)
#define FAR (3600 * HV_TICKS_PER_SEC)
#define SOON 1000U /* reference time; a due time that HLT is reached before */
#define NOBODY 0U  /* a set of VPs */

/* [QEMU] "hyperv-testdev": what is sent to a connection comes back by a SINT. */
#define TESTDEV_PORT 0x3000
#define PAYLOAD (HV_MESSAGE_PAYLOAD - 8) /* QEMU's refuses a full one, and ends */
#define TESTDEV_MESSAGES 4U              /* create a connection */
#define TESTDEV_EVENTS 6U
enum connection { TO_HANDLER = 0x20, TO_SLOT, EVENT_TO_HANDLER, EVENT_SEEN };

static volatile struct hv_message *slot(void)
{
	return (volatile struct hv_message *)MESSAGE_PAGE + POLLED_SINT;
}

static const volatile struct hv_reference_tsc *const tsc_page =
        (const volatile struct hv_reference_tsc *)TSC_PAGE;

static inline void wait_irq(uint32_t before)
{
	while (irq_seen == before) {
	}
}

#define WITH_IRQ(operation) \
	uint32_t seen = irq_seen; \
	operation; \
	wait_irq(seen)

/* --- calls --- */

/* Interrupts for no VP: the call that does least. */
SAMPLE(null_fast, hv_call(HV_CALL_SEND_IPI | HV_CALL_FAST, VECTOR, NOBODY))
SAMPLE(null_slow, hv_call(HV_CALL_SEND_IPI, INPUT_PAGE, 0))
SAMPLE(unknown, hv_call(HV_CALL_FAST, 0, 0))
SAMPLE(flush, hv_call(HV_CALL_FLUSH_SPACE, INPUT_PAGE, 0))
SAMPLE(ipi, WITH_IRQ(hv_call(HV_CALL_SEND_IPI | HV_CALL_FAST, VECTOR, 1)))
SAMPLE(vp_index_call,
        hv_call(HV_CALL_GET_VP_INDEX_FROM_APIC_ID | HV_REPS(0, 1), INPUT_PAGE, OUTPUT_PAGE))
SAMPLE(event_fast, hv_call(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, EVENT_SEEN, 0))
SAMPLE(event_slow, hv_call(HV_CALL_SIGNAL_EVENT, INPUT_PAGE, 0))
SAMPLE(event_irq, WITH_IRQ(hv_call(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, EVENT_TO_HANDLER, 0)))
SAMPLE(message_irq, WITH_IRQ(hv_call(HV_CALL_POST_MESSAGE, INPUT_PAGE, 0)))

static uint32_t sample_message(void)
{
	uint32_t start;

	slot()->type = HV_MESSAGE_NONE;
	start = ticks();
	hv_call(HV_CALL_POST_MESSAGE, INPUT_PAGE, 0);
	return ticks() - start;
}

/* --- MSRs, timers, time --- */

SAMPLE(vp_index_msr, rdmsr(HV_MSR_VP_INDEX))
SAMPLE(eom, wrmsr(HV_MSR_EOM, 0))
SAMPLE(time_msr, hv_time())
SAMPLE(time_page, uint64_t now = hv_page_time(); __asm__ volatile("" : : "r"(now)))
SAMPLE(timer_set, wrmsr(DIRECT_COUNT, FAR))
SAMPLE(timer_past, WITH_IRQ(wrmsr(DIRECT_COUNT, 1)))
SAMPLE(timer_message, WITH_IRQ(wrmsr(MESSAGE_COUNT, 1)))

/* The time-stamp counter at a reference time. */
static uint64_t tsc_at(uint64_t time)
{
	uint64_t high = time - (uint64_t)tsc_page->offset, low = 0;

	/* High is below the scale: else the quotient would be no 64-bit counter. */
	__asm__("divq %2" : "+a"(low), "+d"(high) : "rm"(tsc_page->scale) : "cc");
	return low;
}

/* From the due time itself to the instruction after HLT. */
static uint32_t sample_hlt_timer(void)
{
	uint64_t due = hv_page_time() + SOON;
	uint32_t due_tsc = (uint32_t)tsc_at(due);

	wrmsr(DIRECT_COUNT, due);
	sti_hlt();
	return ticks() - due_tsc;
}

/* --- preparing --- */

static const char *setup(void)
{
	struct cpuid features = cpuid(HV_CPUID_FEATURES, 0);

	if (!(cpuid(1, 0).c >> 31) || cpuid(HV_CPUID_INTERFACE, 0).a != HV_INTERFACE_HV1) {
		return "no Hyper-V interface";
	}
	if (!(rdmsr(BASE_MSR) & BASE_EXTD) || !(features.d & HV_FEATURE_STIMER_DIRECT)) {
		return "no x2APIC, or no direct timers";
	}
	set_gate(VECTOR, irq_x2apic);
	wrmsr(HV_MSR_GUEST_OS_ID, OS_ID);
	wrmsr(HV_MSR_HYPERCALL, CALL_PAGE | 1);
	wrmsr(HV_MSR_REFERENCE_TSC, TSC_PAGE | 1);
	wrmsr(DIRECT_CONFIG, (uint64_t)VECTOR << HV_STIMER_VECTOR_SHIFT | HV_STIMER_DIRECT |
	                             HV_STIMER_AUTO_ENABLE);
	wrmsr(MESSAGE_CONFIG,
	        (uint64_t)HANDLED_SINT << HV_STIMER_SINT_SHIFT | HV_STIMER_AUTO_ENABLE);
	memset((void *)INPUT_PAGE, 0, 4096);
	return NULL;
}

static const char *setup_on(void)
{
	const char *why = setup();

	if (!why) {
		sti();
	}
	return why;
}

static const char *setup_page(void)
{
	const char *why = setup();

	return why || tsc_page->sequence ? why : "the reference TSC page is not valid";
}

static const char *setup_null(void)
{
	const char *why = setup();

	((struct hv_ipi_input *)INPUT_PAGE)->vector = VECTOR;
	return why;
}

static const char *setup_flush(void)
{
	const char *why = setup();
	struct hv_flush_input *in = (struct hv_flush_input *)INPUT_PAGE;

	in->flags = HV_FLUSH_ALL_SPACES;
	in->processor_mask = 1;
	return why;
}

static const char *setup_vp_index_call(void)
{
	const char *why = setup();

	((struct hv_vp_index_input *)INPUT_PAGE)->partition = HV_PARTITION_SELF;
	if (!why && hv_call(HV_CALL_GET_VP_INDEX_FROM_APIC_ID | HV_REPS(0, 1), INPUT_PAGE,
	                    OUTPUT_PAGE) != 1ULL << HV_RESULT_REPS_SHIFT) {
		why = "no access to VP registers";
	}
	return why;
}

static const char *setup_synic(void)
{
	const char *why = setup();

	if (!why) {
		wrmsr(HV_MSR_SIMP, MESSAGE_PAGE | 1);
		wrmsr(HV_MSR_SIEFP, EVENT_PAGE | 1);
		wrmsr(HV_MSR_SINT0 + HANDLED_SINT, VECTOR);
		wrmsr(HV_MSR_SINT0 + POLLED_SINT, HV_SINT_POLLING | VECTOR);
		wrmsr(HV_MSR_SCONTROL, 1);
		set_gate(VECTOR, irq_synic);
	}
	return why;
}

static const char *setup_synic_on(void)
{
	const char *why = setup_synic();

	if (!why) {
		sti();
	}
	return why;
}

static void connect(uint32_t what, enum connection connection, uint32_t sint)
{
	outl(TESTDEV_PORT, (uint32_t)connection << 24 | what << 16 | sint);
}

/* The same with connections, and the call's input; interrupts on. */
static const char *setup_connection(enum connection connection)
{
	static bool connected;
	struct hv_post_message_input *message = (struct hv_post_message_input *)INPUT_PAGE;
	const char *why = setup_synic_on();

	if (why) {
		return why;
	}
	if (!connected) {
		connected = true;
		connect(TESTDEV_MESSAGES, TO_HANDLER, HANDLED_SINT);
		connect(TESTDEV_MESSAGES, TO_SLOT, POLLED_SINT);
		connect(TESTDEV_EVENTS, EVENT_TO_HANDLER, HANDLED_SINT);
		connect(TESTDEV_EVENTS, EVENT_SEEN, POLLED_SINT);
	}
	message->connection_id = connection;
	if (hv_call(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, EVENT_SEEN, 0) != HV_STATUS_SUCCESS) {
		cli();
		return "no hyperv-testdev";
	}
	return NULL;
}

static const char *setup_message(void)
{
	const char *why = setup_connection(TO_SLOT);
	struct hv_post_message_input *message = (struct hv_post_message_input *)INPUT_PAGE;

	message->type = 1;
	message->payload_size = PAYLOAD;
	return why;
}

static const char *setup_message_irq(void)
{
	const char *why = setup_message();

	((struct hv_post_message_input *)INPUT_PAGE)->connection_id = TO_HANDLER;
	return why;
}

static const char *setup_event(void)
{
	return setup_connection(EVENT_SEEN);
}

static void teardown(void)
{
	cli();
}

static const struct bench rows[] = {
        {"hv-call-null-fast", setup, sample_null_fast, NULL},
        {"hv-call-null-slow", setup_null, sample_null_slow, NULL},
        {"hv-call-unknown", setup, sample_unknown, NULL},
        {"hv-call-flush-self", setup_flush, sample_flush, NULL},
        {"hv-call-self-ipi", setup_on, sample_ipi, teardown},
        {"hv-vp-index-call", setup_vp_index_call, sample_vp_index_call, NULL},
        {"hv-vp-index-msr", setup, sample_vp_index_msr, NULL},
        {"hv-time-msr", setup, sample_time_msr, NULL},
        {"hv-time-page", setup_page, sample_time_page, NULL},
        {"hv-timer-set", setup, sample_timer_set, NULL},
        {"hv-timer-past", setup_on, sample_timer_past, teardown},
        {"hv-hlt-timer", setup_page, sample_hlt_timer, NULL},
        {"hv-timer-message", setup_synic_on, sample_timer_message, teardown},
        {"hv-eom", setup_synic, sample_eom, NULL},
        {"hv-post-message", setup_message, sample_message, teardown},
        {"hv-post-message-handler", setup_message_irq, sample_message_irq, teardown},
        {"hv-signal-event", setup_event, sample_event_fast, teardown},
        {"hv-signal-event-slow", setup_event, sample_event_slow, teardown},
        {"hv-signal-event-handler", setup_event, sample_event_irq, teardown},
};
const struct bench_table hv_table = BENCH_TABLE(rows);
