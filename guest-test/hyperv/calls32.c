// SPDX-License-Identifier: BSD-2-Clause
// Hypercalls of 32-bit code, which passes 64-bit values in pairs of registers: calls32.asm.
#include "guest-test/hyperv/hyperv.h"

#define N_MODES 4U /* compatibility, no paging, 32-bit paging, PAE */

struct call32 {
	uint64_t control, input, output;
	uint32_t page, pad;
	uint64_t results[N_MODES];
};

/* Once in each mode. */
void call32_run(struct call32 *call);

static struct call32 call;

static void check(uint64_t control, uint64_t input, uint64_t output, uint64_t result)
{
	call = (struct call32){
	        .control = control, .input = input, .output = output, .page = CALL_PAGE};
	call32_run(&call);
	for (unsigned i = 0; i < N_MODES; i++) {
		CHECK_EQ(call.results[i], result);
	}
}

TEST(call_32bit)
{
	struct {
		struct hv_vp_index_input head;
		uint32_t ids[2];
	} *by_id = (void *)INPUT_PAGE;
	struct hv_flush_input *flush = (void *)INPUT_PAGE;
	volatile uint32_t *index = (volatile uint32_t *)OUTPUT_PAGE;

	hv_setup();
	/* in registers: each half where it belongs */
	check(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 0xdead, 0, HV_STATUS_INVALID_CONNECTION_ID);
	check(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST, 4096ULL << 32, 0, HV_STATUS_INVALID_PARAMETER);
	check(HV_CALL_SEND_IPI | HV_CALL_FAST, 1ULL << 32 | 0x66, 0, HV_STATUS_INVALID_PARAMETER);
	check(HV_CALL_SEND_IPI | HV_CALL_FAST, 0x66, 1ULL << 40, HV_STATUS_SUCCESS);
	check(HV_CALL_SIGNAL_EVENT | HV_CALL_FAST | 1ULL << 63, 0, 0,
	        HV_STATUS_INVALID_HYPERCALL_INPUT);
	/* in memory */
	memset(by_id, 0, sizeof(*by_id));
	by_id->head.partition = HV_PARTITION_SELF;
	by_id->ids[0] = cpu_count() - 1;
	by_id->ids[1] = 77;
	*index = ~0U;
	check(HV_CALL_GET_VP_INDEX_FROM_APIC_ID | HV_REPS(0, 2), INPUT_PAGE, OUTPUT_PAGE,
	        1ULL << 32 | HV_STATUS_INVALID_PARAMETER);
	CHECK_EQ(*index, cpu_count() - 1);
	check(HV_CALL_GET_VP_INDEX_FROM_APIC_ID | HV_REPS(0, 2), 1ULL << 32 | INPUT_PAGE,
	        OUTPUT_PAGE, HV_STATUS_INVALID_PARAMETER);
	/* one that waits for the other vCPU, and is executed again */
	*flush = (struct hv_flush_input){.flags = HV_FLUSH_ALL_SPACES, .processor_mask = 3};
	check(HV_CALL_FLUSH_SPACE, INPUT_PAGE, 0, HV_STATUS_SUCCESS);
	check(HV_CALL_FLUSH_LIST | HV_REPS(0, 1), INPUT_PAGE, 0, 1ULL << 32);
}
