// SPDX-License-Identifier: BSD-2-Clause
// Hypercalls: the page, interrupts, registers, and what a hostile caller gets.
#include "guest-test/hyperv/hyperv.h"

#define V_IPI 0x66

void hv_setup(void)
{
	cpus_start();
	wrmsr(HV_MSR_GUEST_OS_ID, OS_ID);
	wrmsr(HV_MSR_HYPERCALL, CALL_PAGE | 1);
}

TEST(call_page)
{
	static const uint8_t code[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x0f, 0x01, 0xc1, 0xc3};
	const volatile uint8_t *page = (const volatile uint8_t *)CALL_PAGE;

	wrmsr(HV_MSR_HYPERCALL, 0);
	memset((void *)CALL_PAGE, 0x55, 4096);
	hv_setup();
	for (unsigned i = 0; i < sizeof(code); i++) {
		CHECK_EQ(page[i], code[i]);
	}
	wrmsr(HV_MSR_GUEST_OS_ID, 0);
	CHECK_EQ(rdmsr(HV_MSR_HYPERCALL) & 1, 0);
	CHECK_EQ(page[0], 0x55);
	wrmsr(HV_MSR_HYPERCALL, CALL_PAGE | 1);
	CHECK_EQ(rdmsr(HV_MSR_HYPERCALL) & 1, 0);
	hv_setup();
	CHECK_EQ(rdmsr(HV_MSR_HYPERCALL), CALL_PAGE | 1);
	CHECK_EQ(page[0], 0xf3);
}

/* --- interrupts --- */

struct ipi_ex {
	struct hv_ipi_ex_input head;
	uint64_t bank;
};

/* Every set of vCPUs, in each form: it arrives at those, once, and at no other. */
TEST(call_ipi)
{
	struct ipi_ex *ex = (void *)INPUT_PAGE;
	struct hv_ipi_input *slow = (void *)INPUT_PAGE;
	uint32_t n = 0, want[CPUS] = {0};

	hv_setup();
	counts_clear();
	for (uint64_t set = 0; set < 1ULL << cpu_count(); set++) {
		for (unsigned form = 0; form < 3; form++, n++) {
			uint64_t result;
			bool all = true;

			memset(ex, 0, sizeof(*ex));
			if (form == 0) {
				result = hv_call(HV_CALL_SEND_IPI | HV_CALL_FAST, V_IPI, set);
			} else if (form == 1) {
				slow->vector = V_IPI;
				slow->processor_mask = set;
				result = hv_call(HV_CALL_SEND_IPI, INPUT_PAGE, 0);
			} else {
				ex->head.vector = V_IPI;
				ex->head.valid_banks = 1;
				ex->bank = set;
				result = hv_call(HV_CALL_SEND_IPI_EX | HV_VAR(1), INPUT_PAGE, 0);
			}
			CHECK_EQ(result, HV_STATUS_SUCCESS);
			for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
				want[cpu] += set >> cpu & 1;
				all = WAIT(got[cpu][V_IPI] == want[cpu], 500) && all;
			}
			CHECK(all);
		}
	}
	/* All there are, without naming one; and vCPUs there are not. */
	ex->head = (struct hv_ipi_ex_input){.vector = V_IPI, .format = HV_VP_SET_ALL};
	CHECK_EQ(hv_call(HV_CALL_SEND_IPI_EX, INPUT_PAGE, 0), HV_STATUS_SUCCESS);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		CHECK(WAIT(got[cpu][V_IPI] == want[cpu] + 1, 500));
	}
	CHECK_EQ(hv_call(HV_CALL_SEND_IPI | HV_CALL_FAST, V_IPI, ~0ULL << cpu_count()),
	        HV_STATUS_SUCCESS);
	CHECK(!WAIT(got[0][V_IPI] != want[0] + 1, 2));
	CHECK_EQ(hv_call(HV_CALL_SEND_IPI | HV_CALL_FAST, 15, 2), HV_STATUS_INVALID_PARAMETER);
	CHECK_EQ(hv_call(HV_CALL_SEND_IPI | HV_CALL_FAST, 256, 2), HV_STATUS_INVALID_PARAMETER);
	info("sent", n, "");
}

/* From each vCPU to the next, and around, all at once. */
#define LAPS 100U
static void pass_on(uint64_t arg)
{
	unsigned cpu = me(), next = (cpu + 1) % cpu_count();

	(void)arg;
	for (uint32_t lap = 0; lap < LAPS; lap++) {
		if (cpu == 0) {
			hv_call(HV_CALL_SEND_IPI | HV_CALL_FAST, V_IPI, 1ULL << next);
		}
		if (!WAIT(got[cpu][V_IPI] > lap, 1000)) {
			check_failed(__FILE__, __LINE__, "the ring goes on");
			return;
		}
		if (cpu != 0) {
			hv_call(HV_CALL_SEND_IPI | HV_CALL_FAST, V_IPI, 1ULL << next);
		}
	}
}

TEST(call_ipi_ring)
{
	hv_setup();
	if (cpu_count() < 2) {
		skip("one vCPU");
		return;
	}
	counts_clear();
	all_run(pass_on, 0);
	for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
		CHECK_EQ(got[cpu][V_IPI], LAPS);
	}
}

/* --- one VP --- */

TEST(call_registers)
{
	struct {
		struct hv_vp_registers_input head;
		uint32_t names[4];
	} *in = (void *)INPUT_PAGE;
	const union hv_register_value *out = (const union hv_register_value *)OUTPUT_PAGE;

	hv_setup();
	memset(in, 0, sizeof(*in));
	in->head.partition = HV_PARTITION_SELF;
	in->head.vp_index = HV_VP_SELF;
	in->names[0] = HV_REG_CR3;
	in->names[1] = HV_REG_VP_INDEX;
	in->names[2] = HV_REG_ES + 1;
	CHECK_EQ(hv_call(HV_CALL_GET_VP_REGISTERS | HV_REPS(0, 3), INPUT_PAGE, OUTPUT_PAGE),
	        3ULL << 32);
	CHECK_EQ(out[0].low, read_cr3());
	CHECK_EQ(out[1].low, 0);
	CHECK_EQ(out[2].segment.attributes & 0x2000, 0x2000); /* 64-bit code */
	/* The others, and the first that is not there. */
	for (uint32_t vp = 1; vp < cpu_count(); vp++) {
		in->head.vp_index = vp;
		CHECK_EQ(hv_call(HV_CALL_GET_VP_REGISTERS | HV_REPS(0, 3), INPUT_PAGE, OUTPUT_PAGE),
		        3ULL << 32);
		CHECK_EQ(out[1].low, vp);
	}
	in->head.vp_index = cpu_count();
	CHECK_EQ(hv_call(HV_CALL_GET_VP_REGISTERS | HV_REPS(0, 3), INPUT_PAGE, OUTPUT_PAGE),
	        HV_STATUS_INVALID_VP_INDEX);
}

TEST(call_vp_index)
{
	struct {
		struct hv_vp_index_input head;
		uint32_t ids[2];
	} *in = (void *)INPUT_PAGE;

	hv_setup();
	memset(in, 0, sizeof(*in));
	in->head.partition = HV_PARTITION_SELF;
	in->ids[0] = cpu_count() - 1;
	in->ids[1] = 77;
	CHECK_EQ(
	        hv_call(HV_CALL_GET_VP_INDEX_FROM_APIC_ID | HV_REPS(0, 2), INPUT_PAGE, OUTPUT_PAGE),
	        1ULL << 32 | HV_STATUS_INVALID_PARAMETER);
	CHECK_EQ(*(volatile uint32_t *)OUTPUT_PAGE, cpu_count() - 1);
}

static volatile uint64_t started_cr3;

static void started(void)
{
	started_cr3 = read_cr3();
	for (;;) {
		__asm__ volatile("cli; hlt");
	}
}

static struct hv_segment segment_of(unsigned reg)
{
	const union hv_register_value *v = (const union hv_register_value *)OUTPUT_PAGE + reg;

	return (struct hv_segment){.base = v->segment.base,
	        .limit = v->segment.limit,
	        .selector = v->segment.selector,
	        .attributes = v->segment.attributes};
}

/* The other one, after INIT, with this one's registers. */
TEST(call_start_vp)
{
	struct {
		struct hv_vp_registers_input head;
		uint32_t names[10];
	} *regs = (void *)INPUT_PAGE;
	struct hv_start_input *in = (void *)INPUT_PAGE;
	const union hv_register_value *out = (const union hv_register_value *)OUTPUT_PAGE;

	hv_setup();
	if (cpu_count() < 2) {
		skip("one vCPU");
		return;
	}
	memset(regs, 0, sizeof(*regs));
	regs->head.partition = HV_PARTITION_SELF;
	regs->head.vp_index = HV_VP_SELF;
	for (unsigned i = 0; i < 8; i++) {
		regs->names[i] = HV_REG_ES + i;
	}
	regs->names[8] = HV_REG_IDTR;
	regs->names[9] = HV_REG_GDTR;
	CHECK_EQ(hv_call(HV_CALL_GET_VP_REGISTERS | HV_REPS(0, 10), INPUT_PAGE, OUTPUT_PAGE),
	        10ULL << 32);
	memset(in, 0, sizeof(*in));
	in->partition = HV_PARTITION_SELF;
	in->vp_index = 1;
	in->context = (struct hv_vp_context){.rip = (uint64_t)started,
	        .rsp = OUTPUT_PAGE + 4096 - 8,
	        .rflags = 2,
	        .es = segment_of(0),
	        .cs = segment_of(1),
	        .ss = segment_of(2),
	        .ds = segment_of(3),
	        .fs = segment_of(4),
	        .gs = segment_of(5),
	        .ldtr = segment_of(6),
	        .tr = segment_of(7),
	        .idtr = {.limit = out[8].table.limit, .base = out[8].table.base},
	        .gdtr = {.limit = out[9].table.limit, .base = out[9].table.base},
	        .efer = rdmsr(0xc0000080),
	        .cr0 = read_cr0(),
	        .cr3 = read_cr3(),
	        .cr4 = read_cr4(),
	        .pat = rdmsr(0x277)};
	/* It runs. */
	CHECK_EQ(hv_call(HV_CALL_START_VP, INPUT_PAGE, 0), HV_STATUS_INVALID_VP_STATE);
	ipi(ICR_INIT | ICR_ASSERT, 1);
	delay_us(100);
	in->context.cr4 = 0;
	CHECK_EQ(hv_call(HV_CALL_START_VP, INPUT_PAGE, 0), HV_STATUS_INVALID_PARAMETER);
	in->context.cr4 = read_cr4();
	in->context.tr.attributes = 0;
	CHECK_EQ(hv_call(HV_CALL_START_VP, INPUT_PAGE, 0), HV_STATUS_INVALID_PARAMETER);
	in->context.tr = segment_of(7);
	CHECK_EQ(hv_call(HV_CALL_START_VP, INPUT_PAGE, 0), HV_STATUS_SUCCESS);
	CHECK(WAIT(started_cr3 == read_cr3(), 500));
	CHECK(cpu_start(1, START_PAGE));
}

/* --- hostile callers --- */

static const struct {
	uint64_t control, input, output;
	uint64_t status;
} hostile[] = {
        {0, 0, 0, HV_STATUS_INVALID_HYPERCALL_CODE},
        {0xffff, ~0ULL, ~0ULL, HV_STATUS_INVALID_HYPERCALL_CODE},
        {HV_CALL_FLUSH_SPACE | 1ULL << 27, INPUT_PAGE, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | 1ULL << 63, INPUT_PAGE, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | HV_REPS(0, 1), INPUT_PAGE, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST, INPUT_PAGE, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST | HV_REPS(4095, 4095), INPUT_PAGE, 0,
                HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST | HV_REPS(0, 4095), INPUT_PAGE, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE_EX | HV_VAR(0x3ff), INPUT_PAGE, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST | HV_REPS(1, 1), INPUT_PAGE, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST | HV_REPS(0, 509), INPUT_PAGE + 8, 0, HV_STATUS_INVALID_ALIGNMENT},
        {HV_CALL_FLUSH_LIST | HV_CALL_FAST | HV_REPS(0, 12), 0, 0,
                HV_STATUS_INVALID_HYPERCALL_INPUT}, /* more than the registers hold */
        {HV_CALL_FLUSH_LIST | HV_VAR(1) | HV_REPS(0, 1), INPUT_PAGE, 0,
                HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | 1ULL << 31, INPUT_PAGE, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_SPACE | 1ULL << 44, INPUT_PAGE, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_FLUSH_LIST_EX | HV_VAR(1) | HV_REPS(0, 1), ZERO_PAGE, 0,
                HV_STATUS_INVALID_HYPERCALL_INPUT}, /* a bank that the set does not name */
        {HV_CALL_SEND_IPI_EX | HV_VAR(0x3ff), ZERO_PAGE, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_SEND_IPI_EX | HV_VAR(508), ZERO_PAGE, 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {HV_CALL_GET_VP_REGISTERS | HV_REPS(0, 257), ZERO_PAGE, OUTPUT_PAGE,
                HV_STATUS_INVALID_HYPERCALL_INPUT}, /* more than a page of values */
        {HV_CALL_GET_VP_REGISTERS | HV_REPS(0, 2), ZERO_PAGE, OUTPUT_PAGE + 4096 - 16,
                HV_STATUS_INVALID_ALIGNMENT},
        {HV_CALL_GET_VP_REGISTERS | HV_REPS(0, 1), ZERO_PAGE, OUTPUT_PAGE,
                HV_STATUS_INVALID_PARTITION_ID},
        {HV_CALL_GET_VP_REGISTERS | HV_CALL_FAST | HV_REPS(0, 1), 0, 0,
                HV_STATUS_INVALID_HYPERCALL_INPUT}, /* no output in registers */
        {HV_CALL_START_VP, ZERO_PAGE, 0, HV_STATUS_INVALID_PARTITION_ID},
        {HV_CALL_START_VP, INPUT_PAGE + 4096 - 232, 0, HV_STATUS_INVALID_ALIGNMENT},
        {HV_CALL_FLUSH_SPACE, INPUT_PAGE + 1, 0, HV_STATUS_INVALID_ALIGNMENT},
        {HV_CALL_FLUSH_SPACE, INPUT_PAGE + 4096 - 16, 0, HV_STATUS_INVALID_ALIGNMENT},
        {HV_CALL_FLUSH_SPACE, 0xa0000, 0, HV_STATUS_INVALID_PARAMETER},
        {HV_CALL_FLUSH_SPACE, LAPIC_BASE, 0, HV_STATUS_INVALID_PARAMETER},
        {HV_CALL_FLUSH_SPACE, IOAPIC_BASE, 0, HV_STATUS_INVALID_PARAMETER},
        {HV_CALL_FLUSH_SPACE, 1ULL << 45, 0, HV_STATUS_INVALID_PARAMETER},
        {HV_CALL_FLUSH_SPACE, ~0xfffULL, 0, HV_STATUS_INVALID_PARAMETER},
        {HV_CALL_POST_MESSAGE, ZERO_PAGE, 0, HV_STATUS_INVALID_PARAMETER}, /* type 0 */
        {HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 0xdead, 0, HV_STATUS_INVALID_CONNECTION_ID},
        {HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 4096ULL << 32, 0, HV_STATUS_INVALID_PARAMETER},
        {HV_CALL_EXT_QUERY_CAPABILITIES, 0, OUTPUT_PAGE + 4, HV_STATUS_INVALID_ALIGNMENT},
        {HV_CALL_EXT_QUERY_CAPABILITIES, 0, CALL_PAGE, HV_STATUS_INVALID_PARAMETER},
        {HV_CALL_EXT_QUERY_CAPABILITIES, 0, IOAPIC_BASE, HV_STATUS_INVALID_PARAMETER},
        {HV_CALL_EXT_QUERY_CAPABILITIES, 0, OUTPUT_PAGE, HV_STATUS_SUCCESS},
};

TEST(call_hostile)
{
	hv_setup();
	memset((void *)ZERO_PAGE, 0, 4096);
	for (unsigned i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		uint64_t result = hv_call(hostile[i].control, hostile[i].input, hostile[i].output);

		CHECK_EQ(result, hostile[i].status);
		if (result != hostile[i].status) {
			info("row", i, "");
		}
	}
}

void user_vmcall(void);
__asm__("user_vmcall: vmcall\n\tint $0x80");

INSN(vmcall, "xor %%ecx, %%ecx; vmcall")

TEST(call_who_may)
{
	hv_setup();
	CHECK_EQ(fault_of(insn_vmcall, NULL), NO_FAULT);
	CHECK_EQ(user_call(user_vmcall, 0).vector, X_UD);
	wrmsr(HV_MSR_HYPERCALL, 0);
	CHECK_EQ(fault_of(insn_vmcall, NULL), X_UD);
	hv_setup();
}
