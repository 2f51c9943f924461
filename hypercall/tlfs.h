/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Hyper-V guest interface in numbers: CPUID leaves, MSRs, hypercalls, status codes, page
 * layouts. Constants only, so that guests may include it too.
 * Specs: [TLFS] "Feature and Interface Discovery", "Hypercall Interface", "Synthetic MSR",
 * "Virtual Interrupts", "Timers".
 */
#ifndef HYPERCALL_TLFS_H
#define HYPERCALL_TLFS_H

#include <stdint.h>

/* --- CPUID: [TLFS] "Feature and Interface Discovery" --- */

#define HV_CPUID_VENDOR 0x40000000U
#define HV_CPUID_INTERFACE 0x40000001U
#define HV_CPUID_VERSION 0x40000002U
#define HV_CPUID_FEATURES 0x40000003U
#define HV_CPUID_HINTS 0x40000004U
#define HV_CPUID_LIMITS 0x40000005U
#define HV_CPUID_HARDWARE 0x40000006U
#define HV_CPUID_MAX HV_CPUID_HARDWARE

#define HV_VENDOR_EBX 0x7263694dU    /* "Micr" */
#define HV_VENDOR_ECX 0x666f736fU    /* "osof" */
#define HV_VENDOR_EDX 0x76482074U    /* "t Hv" */
#define HV_INTERFACE_HV1 0x31237648U /* "Hv#1" */

/* Leaf 3, EAX: partition privileges, low. */
#define HV_PRIV_VP_RUNTIME (1U << 0)
#define HV_PRIV_TIME_REF_COUNT (1U << 1)
#define HV_PRIV_SYNIC (1U << 2)
#define HV_PRIV_STIMER (1U << 3)
#define HV_PRIV_APIC_MSRS (1U << 4)
#define HV_PRIV_HYPERCALL_MSRS (1U << 5)
#define HV_PRIV_VP_INDEX (1U << 6)
#define HV_PRIV_RESET (1U << 7)
#define HV_PRIV_REFERENCE_TSC (1U << 9)
#define HV_PRIV_GUEST_IDLE (1U << 10)
#define HV_PRIV_FREQUENCY_MSRS (1U << 11)
#define HV_PRIV_INVARIANT_TSC (1U << 15)
/* Leaf 3, EBX: partition privileges, high. */
#define HV_PRIV_POST_MESSAGES (1U << 4)
#define HV_PRIV_SIGNAL_EVENTS (1U << 5)
#define HV_PRIV_ACCESS_VP_REGISTERS (1U << 17)
#define HV_PRIV_EXTENDED_HYPERCALLS (1U << 20)
#define HV_PRIV_START_VP (1U << 21)
/* Leaf 3, EDX: features. */
#define HV_FEATURE_XMM_INPUT (1U << 4)
#define HV_FEATURE_GUEST_IDLE (1U << 5)
#define HV_FEATURE_FREQUENCY_MSRS (1U << 8)
#define HV_FEATURE_CRASH_MSRS (1U << 10)
#define HV_FEATURE_STIMER_DIRECT (1U << 19)
/* Leaf 4, EAX: recommendations. */
#define HV_HINT_REMOTE_FLUSH (1U << 2)
#define HV_HINT_APIC_MSRS (1U << 3)
#define HV_HINT_RESET_MSR (1U << 4)
#define HV_HINT_RELAXED_TIMING (1U << 5)
#define HV_HINT_NO_AUTO_EOI (1U << 9)
#define HV_HINT_CLUSTER_IPI (1U << 10)
#define HV_HINT_EX_MASKS (1U << 11)
/* Leaf 4, EBX: spins before HvCallNotifyLongSpinWait; all ones = never. */
#define HV_SPIN_NEVER 0xffffffffU
/* Leaf 6, EAX: hardware features in use. */
#define HV_HW_APIC_ASSIST (1U << 0)
#define HV_HW_MSR_BITMAPS (1U << 1)
#define HV_HW_NESTED_PAGING (1U << 3)
#define HV_HW_UNRESTRICTED_GUEST (1U << 17)

/* --- MSRs: [TLFS] "Synthetic MSR" --- */

#define HV_MSR_GUEST_OS_ID 0x40000000U
#define HV_MSR_HYPERCALL 0x40000001U
#define HV_MSR_VP_INDEX 0x40000002U
#define HV_MSR_RESET 0x40000003U
#define HV_MSR_VP_RUNTIME 0x40000010U
#define HV_MSR_TIME_REF_COUNT 0x40000020U
#define HV_MSR_REFERENCE_TSC 0x40000021U
#define HV_MSR_TSC_FREQUENCY 0x40000022U
#define HV_MSR_APIC_FREQUENCY 0x40000023U
#define HV_MSR_EOI 0x40000070U
#define HV_MSR_ICR 0x40000071U
#define HV_MSR_TPR 0x40000072U
#define HV_MSR_VP_ASSIST_PAGE 0x40000073U
#define HV_MSR_SCONTROL 0x40000080U
#define HV_MSR_SVERSION 0x40000081U
#define HV_MSR_SIEFP 0x40000082U
#define HV_MSR_SIMP 0x40000083U
#define HV_MSR_EOM 0x40000084U
#define HV_MSR_SINT0 0x40000090U
#define HV_MSR_SINT15 0x4000009fU
#define HV_MSR_STIMER0_CONFIG 0x400000b0U /* then COUNT, then those of timer 1 ... */
#define HV_MSR_STIMER3_COUNT 0x400000b7U
#define HV_MSR_GUEST_IDLE 0x400000f0U
#define HV_MSR_CRASH_P0 0x40000100U
#define HV_MSR_CRASH_P4 0x40000104U
#define HV_MSR_CRASH_CTL 0x40000105U
#define HV_MSR_INVARIANT_TSC 0x40000118U

/* The MSRs that place a page: hypercall, reference TSC, VP assist, SIEFP, SIMP. */
#define HV_PAGE_MSR_ENABLE (1ULL << 0)
#define HV_PAGE_MSR_GPFN_SHIFT 12
#define HV_HYPERCALL_MSR_LOCKED (1ULL << 1)

#define HV_CRASH_CTL_MESSAGE (1ULL << 62) /* P3 = its address, P4 = its length */
#define HV_CRASH_CTL_NOTIFY (1ULL << 63)
#define HV_INVARIANT_TSC_VISIBLE (1ULL << 0)

/* SCONTROL and the SINTs: [TLFS] "Synthetic Interrupt Sources". */
#define HV_SYNIC_VERSION 1U
#define HV_SCONTROL_ENABLE (1ULL << 0)
#define HV_SINT_COUNT 16U
#define HV_SINT_VECTOR 0xffULL
#define HV_SINT_MASKED (1ULL << 16)
#define HV_SINT_AUTO_EOI (1ULL << 17)
#define HV_SINT_POLLING (1ULL << 18)
#define HV_SINT_RESET HV_SINT_MASKED

/* Synthetic timers: [TLFS] "Synthetic Timers". */
#define HV_STIMER_COUNT 4U
#define HV_STIMER_ENABLE (1ULL << 0)
#define HV_STIMER_PERIODIC (1ULL << 1)
#define HV_STIMER_LAZY (1ULL << 2)
#define HV_STIMER_AUTO_ENABLE (1ULL << 3)
#define HV_STIMER_VECTOR_SHIFT 4
#define HV_STIMER_VECTOR (0xffULL << HV_STIMER_VECTOR_SHIFT)
#define HV_STIMER_DIRECT (1ULL << 12)
#define HV_STIMER_SINT_SHIFT 16
#define HV_STIMER_SINT (0xfULL << HV_STIMER_SINT_SHIFT)

/* --- messages and event flags: [TLFS] "Inter-Partition Communication" --- */

#define HV_MESSAGE_SIZE 256U
#define HV_MESSAGE_PAYLOAD 240U
#define HV_EVENT_FLAGS 2048U /* per SINT */

#define HV_MESSAGE_NONE 0U
#define HV_MESSAGE_TIMER_EXPIRED 0x80000010U
#define HV_MESSAGE_TYPE_HYPERVISOR 0x80000000U /* types from here on are the hypervisor's */
#define HV_MESSAGE_FLAG_PENDING (1U << 0)

struct hv_message {
	uint32_t type; /* HV_MESSAGE_NONE = the slot is free */
	uint8_t payload_size;
	uint8_t flags;
	uint16_t reserved;
	uint64_t sender; /* the port it came by */
	uint8_t payload[HV_MESSAGE_PAYLOAD];
};
_Static_assert(sizeof(struct hv_message) == HV_MESSAGE_SIZE, "[TLFS] \"SynIC Message Page\"");

struct hv_timer_message {
	uint32_t timer_index;
	uint32_t reserved;
	uint64_t expiration_time; /* reference time, 100 ns */
	uint64_t delivery_time;
};
_Static_assert(sizeof(struct hv_timer_message) == 24, "[TLFS] \"Timer Messages\"");

/* --- reference TSC page: [TLFS] "Partition Reference Time Enlightenment" --- */

struct hv_reference_tsc {
	uint32_t sequence; /* 0 = invalid: use the MSR */
	uint32_t reserved;
	uint64_t scale;
	int64_t offset; /* time = (TSC * scale >> 64) + offset */
};
_Static_assert(
        sizeof(struct hv_reference_tsc) == 24, "[TLFS] \"Format of the Reference TSC Page\"");

#define HV_TICKS_PER_SEC 10000000ULL /* reference time counts 100 ns */

/* VP assist page, first word: [TLFS] "Virtual Processor Assist Page". */
#define HV_APIC_ASSIST_NO_EOI (1U << 0)

/* --- hypercalls: [TLFS] "Hypercall Interface" --- */

#define HV_CALL_CODE 0xffffULL
#define HV_CALL_FAST (1ULL << 16)
#define HV_CALL_VAR_SHIFT 17 /* variable header in units of 8 bytes */
#define HV_CALL_VAR_MASK 0x3ffULL
#define HV_CALL_REP_COUNT_SHIFT 32
#define HV_CALL_REP_START_SHIFT 48
#define HV_CALL_REP_MASK 0xfffULL
#define HV_CALL_RESERVED \
	((0xfULL << 27) | (1ULL << 31) | (0xfULL << 44) | (0xfULL << 60)) /* bit 31: nested */
#define HV_RESULT_REPS_SHIFT 32

enum hv_call {
	HV_CALL_FLUSH_SPACE = 0x0002,
	HV_CALL_FLUSH_LIST = 0x0003,
	HV_CALL_NOTIFY_LONG_SPIN_WAIT = 0x0008,
	HV_CALL_SEND_IPI = 0x000b,
	HV_CALL_FLUSH_SPACE_EX = 0x0013,
	HV_CALL_FLUSH_LIST_EX = 0x0014,
	HV_CALL_SEND_IPI_EX = 0x0015,
	HV_CALL_GET_VP_REGISTERS = 0x0050,
	HV_CALL_SET_VP_REGISTERS = 0x0051,
	HV_CALL_POST_MESSAGE = 0x005c,
	HV_CALL_SIGNAL_EVENT = 0x005d,
	HV_CALL_START_VP = 0x0099,
	HV_CALL_GET_VP_INDEX_FROM_APIC_ID = 0x009a,
	HV_CALL_EXT_QUERY_CAPABILITIES = 0x8001,
};

/* [TLFS] "Hypercall Status Codes". */
enum hv_status {
	HV_STATUS_SUCCESS = 0x00,
	HV_STATUS_INVALID_HYPERCALL_CODE = 0x02,
	HV_STATUS_INVALID_HYPERCALL_INPUT = 0x03,
	HV_STATUS_INVALID_ALIGNMENT = 0x04,
	HV_STATUS_INVALID_PARAMETER = 0x05,
	HV_STATUS_ACCESS_DENIED = 0x06,
	HV_STATUS_INVALID_PARTITION_STATE = 0x07,
	HV_STATUS_OPERATION_DENIED = 0x08,
	HV_STATUS_INSUFFICIENT_MEMORY = 0x0b,
	HV_STATUS_INVALID_PARTITION_ID = 0x0d,
	HV_STATUS_INVALID_VP_INDEX = 0x0e,
	HV_STATUS_INVALID_PORT_ID = 0x11,
	HV_STATUS_INVALID_CONNECTION_ID = 0x12,
	HV_STATUS_INSUFFICIENT_BUFFERS = 0x13,
	HV_STATUS_INVALID_VP_STATE = 0x15,
	HV_STATUS_INVALID_SYNIC_STATE = 0x18,
};

/* Flush flags; formats of a VP set. */
#define HV_FLUSH_ALL_PROCESSORS (1ULL << 0)
#define HV_FLUSH_ALL_SPACES (1ULL << 1)
#define HV_FLUSH_NON_GLOBAL (1ULL << 2)
#define HV_FLUSH_EXTENDED_RANGES (1ULL << 3)
#define HV_VP_SET_SPARSE 0ULL
#define HV_VP_SET_ALL 1ULL

struct hv_flush_input { /* calls 2 and 3; a list of GVA ranges may follow */
	uint64_t address_space;
	uint64_t flags;
	uint64_t processor_mask;
};
_Static_assert(sizeof(struct hv_flush_input) == 24, "[TLFS] \"HvCallFlushVirtualAddressSpace\"");

struct hv_flush_ex_input { /* banks follow, then the list */
	uint64_t address_space;
	uint64_t flags;
	uint64_t format;
	uint64_t valid_banks;
};
_Static_assert(
        sizeof(struct hv_flush_ex_input) == 32, "[TLFS] \"HvCallFlushVirtualAddressSpaceEx\"");

struct hv_ipi_input {
	uint32_t vector;
	uint8_t target_vtl;
	uint8_t reserved[3];
	uint64_t processor_mask;
};
_Static_assert(sizeof(struct hv_ipi_input) == 16, "[TLFS] \"HvCallSendSyntheticClusterIpi\"");

struct hv_ipi_ex_input { /* banks follow */
	uint32_t vector;
	uint8_t target_vtl;
	uint8_t reserved[3];
	uint64_t format;
	uint64_t valid_banks;
};
_Static_assert(sizeof(struct hv_ipi_ex_input) == 24, "[TLFS] \"HvCallSendSyntheticClusterIpiEx\"");

struct hv_post_message_input {
	uint32_t connection_id;
	uint32_t reserved;
	uint32_t type;
	uint32_t payload_size;
	uint8_t payload[HV_MESSAGE_PAYLOAD];
};
_Static_assert(sizeof(struct hv_post_message_input) == 256, "[TLFS] \"HvCallPostMessage\"");

struct hv_signal_event_input {
	uint32_t connection_id;
	uint16_t flag_number;
	uint16_t reserved;
};
_Static_assert(sizeof(struct hv_signal_event_input) == 8, "[TLFS] \"HvCallSignalEvent\"");

/* The calls about one VP: get and set registers, index by APIC id; a list follows. */
#define HV_PARTITION_SELF (~0ULL)
#define HV_VP_SELF 0xfffffffeU
#define HV_INPUT_VTL 0x0fU      /* the level */
#define HV_INPUT_VTL_USED 0x10U /* it is meant; else the caller's own */

struct hv_vp_registers_input {
	uint64_t partition;
	uint32_t vp_index;
	uint8_t vtl;
	uint8_t reserved[3];
};
_Static_assert(sizeof(struct hv_vp_registers_input) == 16, "[TLFS] \"HvCallGetVpRegisters\"");

union hv_register_value {
	uint64_t low;
	struct {
		uint64_t base;
		uint32_t limit;
		uint16_t selector;
		uint16_t attributes; /* as in a descriptor, bits 40-55 */
	} segment;
	struct {
		uint16_t reserved[3];
		uint16_t limit;
		uint64_t base;
	} table;
	uint64_t words[2];
};
_Static_assert(sizeof(union hv_register_value) == 16, "[TLFS] \"HV_REGISTER_VALUE\"");

struct hv_register_assoc { /* list element of HvCallSetVpRegisters */
	uint32_t name;
	uint32_t reserved;
	uint64_t reserved2;
	union hv_register_value value;
};
_Static_assert(sizeof(struct hv_register_assoc) == 32, "[TLFS] \"HvCallSetVpRegisters\"");

struct hv_segment {
	uint64_t base;
	uint32_t limit;
	uint16_t selector;
	uint16_t attributes; /* as in a descriptor, bits 40-55; not present = a null selector */
};
struct hv_table {
	uint16_t reserved[3];
	uint16_t limit;
	uint64_t base;
};

struct hv_vp_context {
	uint64_t rip, rsp, rflags;
	struct hv_segment cs, ds, es, fs, gs, ss, tr, ldtr;
	struct hv_table idtr, gdtr;
	uint64_t efer, cr0, cr3, cr4, pat;
};
_Static_assert(sizeof(struct hv_vp_context) == 224, "[TLFS] \"HV_INITIAL_VP_CONTEXT\"");

struct hv_start_input {
	uint64_t partition;
	uint32_t vp_index;
	uint8_t vtl;
	uint8_t reserved[3];
	struct hv_vp_context context;
};
_Static_assert(sizeof(struct hv_start_input) == 240, "[TLFS] \"HvCallStartVirtualProcessor\"");

struct hv_vp_index_input {
	uint64_t partition;
	uint8_t vtl;
	uint8_t reserved[7];
};
_Static_assert(sizeof(struct hv_vp_index_input) == 16, "[TLFS] \"HvCallGetVpIndexFromApicId\"");

/* Names of registers: [TLFS] "HV_REGISTER_NAME". */
#define HV_REG_RAX 0x00020000U /* then RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8-R15 */
#define HV_REG_R15 0x0002000fU
#define HV_REG_RIP 0x00020010U
#define HV_REG_RFLAGS 0x00020011U
#define HV_REG_CR0 0x00040000U
#define HV_REG_CR2 0x00040001U
#define HV_REG_CR3 0x00040002U
#define HV_REG_CR4 0x00040003U
#define HV_REG_CR8 0x00040004U
#define HV_REG_ES 0x00060000U /* then CS, SS, DS, FS, GS, LDTR, TR */
#define HV_REG_TR 0x00060007U
#define HV_REG_IDTR 0x00070000U
#define HV_REG_GDTR 0x00070001U
#define HV_REG_TSC 0x00080000U
#define HV_REG_EFER 0x00080001U
#define HV_REG_VP_RUNTIME 0x00090000U
#define HV_REG_HYPERCALL 0x00090001U
#define HV_REG_GUEST_OS_ID 0x00090002U
#define HV_REG_VP_INDEX 0x00090003U
#define HV_REG_TIME_REF_COUNT 0x00090004U
#define HV_REG_VP_ASSIST_PAGE 0x00090013U
#define HV_REG_REFERENCE_TSC 0x00090017U
#define HV_REG_SINT0 0x000a0000U
#define HV_REG_SINT15 0x000a000fU
#define HV_REG_SCONTROL 0x000a0010U
#define HV_REG_SVERSION 0x000a0011U
#define HV_REG_SIEFP 0x000a0012U
#define HV_REG_SIMP 0x000a0013U
#define HV_REG_EOM 0x000a0014U
#define HV_REG_STIMER0_CONFIG 0x000b0000U /* then COUNT, then those of timer 1 ... */
#define HV_REG_STIMER3_COUNT 0x000b0007U

#endif
