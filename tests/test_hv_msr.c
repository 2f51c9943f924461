// SPDX-License-Identifier: BSD-2-Clause
// Synthetic MSRs: which there are, what they hold, who refuses; the pages they place; crash
// reports.
#include "tests/hv_world.h"
#include "vmm/lib/err.h"
#include "vmm/pv.h"

#define ALL ((1U << HV_FEATURE_COUNT) - 1)
#define PAGE_AT 0x300000ULL
#define OTHER_PAGE 0x301000ULL
#define TEXT_AT 0x200000ULL
#define OS_ID (0x8100ULL << 48 | 6ULL << 32)

static struct vm *vm;
static struct vcpu *vcpu;

static void world(uint32_t features)
{
	*fake_caps() = (struct virt_caps){0};
	fake_log_clear();
	fake_vm_requests = 0;
	vm = hv_world(2, features);
	vcpu = vm->vcpus[0];
}

static void setup(void)
{
	world(ALL);
}

static void wr(uint32_t msr, uint64_t value)
{
	ck_assert_msg(hv_msr_write(vcpu, msr, value), "WRMSR %#x is refused", msr);
}

static uint8_t byte_at(uint64_t at)
{
	uint8_t b = 0;

	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), &b, 1), 0);
	return b;
}

/* --- which there are --- */

#define NONE HV_FEATURE_COUNT

static const struct {
	uint32_t msr;
	uint32_t feature;
	bool read, write;
} msrs[] = {
        {HV_MSR_GUEST_OS_ID, NONE, true, true},
        {HV_MSR_HYPERCALL, NONE, true, true},
        {HV_MSR_VP_INDEX, NONE, true, false},
        {HV_MSR_RESET, HV_RESET, true, true},
        {HV_MSR_VP_RUNTIME, HV_VP_RUNTIME, true, false},
        {HV_MSR_TIME_REF_COUNT, HV_REF_COUNT, true, false},
        {HV_MSR_REFERENCE_TSC, HV_REF_TSC, true, true},
        {HV_MSR_TSC_FREQUENCY, HV_FREQ_MSRS, true, false},
        {HV_MSR_APIC_FREQUENCY, HV_FREQ_MSRS, true, false},
        {HV_MSR_EOI, HV_APIC_MSRS, false, true},
        {HV_MSR_ICR, HV_APIC_MSRS, true, true},
        {HV_MSR_TPR, HV_APIC_MSRS, true, true},
        {HV_MSR_VP_ASSIST_PAGE, NONE, true, true},
        {HV_MSR_SCONTROL, HV_SYNIC, true, true},
        {HV_MSR_SVERSION, HV_SYNIC, true, false},
        {HV_MSR_SIEFP, HV_SYNIC, true, true},
        {HV_MSR_SIMP, HV_SYNIC, true, true},
        {HV_MSR_EOM, HV_SYNIC, true, true},
        {HV_MSR_STIMER0_CONFIG, HV_STIMER, true, true},
        {HV_MSR_STIMER3_COUNT, HV_STIMER, true, true},
        {HV_MSR_STIMER0_CONFIG + 1, HV_STIMER, true, true},
        {HV_MSR_GUEST_IDLE, HV_IDLE, true, false},
        {HV_MSR_CRASH_P0, HV_CRASH, true, true},
        {HV_MSR_CRASH_P4, HV_CRASH, true, true},
        {HV_MSR_CRASH_CTL, HV_CRASH, true, true},
        {HV_MSR_INVARIANT_TSC, HV_INVARIANT_TSC, true, true},
};

START_TEST(who_refuses)
{
	uint64_t value;

	ck_assert_int_eq(hv_msr_read(vcpu, msrs[_i].msr, &value), msrs[_i].read);
	ck_assert_int_eq(hv_msr_write(vcpu, msrs[_i].msr, 0), msrs[_i].write);
	if (msrs[_i].feature == NONE) {
		world(0);
		ck_assert_int_eq(hv_msr_read(vcpu, msrs[_i].msr, &value), msrs[_i].read);
		ck_assert_int_eq(hv_msr_write(vcpu, msrs[_i].msr, 0), msrs[_i].write);
	} else {
		world(ALL & ~(1U << msrs[_i].feature));
		ck_assert(!hv_msr_read(vcpu, msrs[_i].msr, &value));
		ck_assert(!hv_msr_write(vcpu, msrs[_i].msr, 0));
	}
}
END_TEST

static bool is_known(uint32_t msr)
{
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
		if (msrs[i].msr == msr) {
			return true;
		}
	}
	return (msr >= HV_MSR_SINT0 && msr <= HV_MSR_SINT15) ||
	       (msr >= HV_MSR_STIMER0_CONFIG && msr <= HV_MSR_STIMER3_COUNT) ||
	       (msr >= HV_MSR_CRASH_P0 && msr <= HV_MSR_CRASH_P4);
}

START_TEST(all_others_are_refused)
{
	uint64_t value;

	for (uint32_t msr = PV_MSR_FIRST; msr <= PV_MSR_LAST; msr++) {
		if (!is_known(msr)) {
			ck_assert_msg(
			        !hv_msr_read(vcpu, msr, &value) && !hv_msr_write(vcpu, msr, 0),
			        "MSR %#x is there", msr);
		}
	}
	ck_assert(!hv_msr_read(vcpu, 0x40001080, &value));
}
END_TEST

/* --- the simple ones --- */

START_TEST(values)
{
	ck_assert_uint_eq(rd(vm->vcpus[0], HV_MSR_VP_INDEX), 0);
	ck_assert_uint_eq(rd(vm->vcpus[1], HV_MSR_VP_INDEX), 1);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_TSC_FREQUENCY), 1000000000);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_APIC_FREQUENCY), lapic_timer_hz());
	vcpu->stats.loop_ticks = 12345678;
	ck_assert_uint_eq(rd(vcpu, HV_MSR_VP_RUNTIME), 123456);
	ck_assert_uint_eq(rd(vm->vcpus[1], HV_MSR_VP_RUNTIME), 0);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_GUEST_IDLE), 0);
	ck_assert(vcpu->idle_by_msr);
}
END_TEST

START_TEST(reset_by_msr)
{
	wr(HV_MSR_RESET, 0);
	wr(HV_MSR_RESET, 2);
	ck_assert_uint_eq(fake_vm_requests, 0);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_RESET), 0);
	wr(HV_MSR_RESET, 1);
	ck_assert_uint_eq(fake_vm_requests, BIT(VM_REQ_RESET));
}
END_TEST

START_TEST(the_local_apic)
{
	struct lapic *apic = &vcpu->lapic, *other = &vm->vcpus[1]->lapic;

	wr(HV_MSR_TPR, 0x50);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_TPR), 0x50);
	ck_assert_uint_eq(lapic_get_cr8(apic), 5);
	ck_assert(!hv_msr_write(vcpu, HV_MSR_TPR, 0x100));
	wr(HV_MSR_TPR, 0);
	lapic_post(apic, 0x41, false);
	ck_assert_int_eq(lapic_pending(apic), 0x41);
	lapic_ack(apic, 0x41);
	lapic_post(apic, 0x40, false);
	ck_assert_int_eq(lapic_pending(apic), -1);
	wr(HV_MSR_EOI, 0xdead);
	ck_assert_int_eq(lapic_pending(apic), 0x40);
	wr(HV_MSR_ICR, 1ULL << 56 | 0x4077);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_ICR), 1ULL << 56 | 0x4077);
	ck_assert_int_eq(lapic_pending(other), 0x77);
}
END_TEST

START_TEST(the_local_apic_in_x2apic_mode)
{
	ck_assert(lapic_set_base(&vcpu->lapic, vcpu->lapic.base | 1U << 10));
	ck_assert(lapic_x2apic(&vcpu->lapic));
	wr(HV_MSR_ICR, 1ULL << 32 | 0x4077);
	ck_assert_int_eq(lapic_pending(&vm->vcpus[1]->lapic), 0x77);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_ICR), 1ULL << 32 | 0x4077);
	lapic_post(&vcpu->lapic, 0x41, false);
	ck_assert_int_eq(lapic_pending(&vcpu->lapic), 0x41);
	lapic_ack(&vcpu->lapic, 0x41);
	wr(HV_MSR_EOI, 0xdead);
	lapic_post(&vcpu->lapic, 0x40, false);
	ck_assert_int_eq(lapic_pending(&vcpu->lapic), 0x40);
	wr(HV_MSR_TPR, 0x50);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_TPR), 0x50);
	ck_assert_uint_eq(lapic_get_cr8(&vcpu->lapic), 5);
	ck_assert_int_eq(lapic_pending(&vcpu->lapic), -1);
	ck_assert(!hv_msr_write(vcpu, HV_MSR_TPR, 0x100));
}
END_TEST

/* --- hypercall page and OS id --- */

START_TEST(the_hypercall_page)
{
	static const uint8_t code[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x0f, 0x01, 0xc1, 0xc3, 0xcc};
	uint8_t bytes[PAGE_SIZE];

	ck_assert_uint_eq(rd(vcpu, HV_MSR_GUEST_OS_ID), 0);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL), 0);
	/* Not for a guest that has not said who it is: the place is kept, the bit is not. */
	wr(HV_MSR_HYPERCALL, PAGE_AT | 1);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL), PAGE_AT);
	ck_assert_uint_eq(byte_at(PAGE_AT), 0);
	wr(HV_MSR_GUEST_OS_ID, OS_ID);
	ck_assert_uint_eq(rd(vm->vcpus[1], HV_MSR_GUEST_OS_ID), OS_ID);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL), PAGE_AT);
	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(PAGE_AT), 0x55, PAGE_SIZE), 0);
	wr(HV_MSR_HYPERCALL, PAGE_AT | 0xffd); /* bits between are kept */
	ck_assert_uint_eq(rd(vm->vcpus[1], HV_MSR_HYPERCALL), PAGE_AT | 0xffd);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(PAGE_AT), bytes, PAGE_SIZE), 0);
	ck_assert_mem_eq(bytes, code, sizeof(code));
	for (unsigned i = sizeof(code); i < PAGE_SIZE; i++) {
		ck_assert_uint_eq(bytes[i], 0xcc);
	}
	ck_assert_int_ne(gmem_fill(&vm->mem, gpa(PAGE_AT), 0, 1), 0);
	/* Without an identity the page goes, and the RAM is what it was. */
	wr(HV_MSR_GUEST_OS_ID, 0);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL) & 1, 0);
	ck_assert_uint_eq(byte_at(PAGE_AT), 0x55);
	wr(HV_MSR_GUEST_OS_ID, OS_ID);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL) & 1, 0);
}
END_TEST

START_TEST(the_hypercall_page_locked)
{
	wr(HV_MSR_GUEST_OS_ID, OS_ID);
	wr(HV_MSR_HYPERCALL, PAGE_AT | HV_HYPERCALL_MSR_LOCKED | 1);
	wr(HV_MSR_HYPERCALL, 0);
	wr(HV_MSR_HYPERCALL, OTHER_PAGE | 1);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL), PAGE_AT | HV_HYPERCALL_MSR_LOCKED | 1);
	ck_assert_uint_eq(byte_at(PAGE_AT), 0xf3);
	vm->pv->vm_reset(vm);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL), 0);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_GUEST_OS_ID), 0);
	ck_assert_uint_eq(byte_at(PAGE_AT), 0);
}
END_TEST

START_TEST(the_hypercall_page_moves)
{
	wr(HV_MSR_GUEST_OS_ID, OS_ID);
	wr(HV_MSR_HYPERCALL, PAGE_AT | 1);
	wr(HV_MSR_HYPERCALL, OTHER_PAGE | 1);
	ck_assert_uint_eq(byte_at(PAGE_AT), 0);
	ck_assert_uint_eq(byte_at(OTHER_PAGE), 0xf3);
	ck_assert(!hv_msr_write(vcpu, HV_MSR_HYPERCALL, 1ULL << 46 | 1));
	ck_assert_uint_eq(rd(vcpu, HV_MSR_HYPERCALL), OTHER_PAGE | 1);
	ck_assert_uint_eq(byte_at(OTHER_PAGE), 0xf3);
}
END_TEST

/* --- pages over each other, over devices, and back --- */

static const struct {
	uint32_t msr;
	uint8_t first; /* byte of the page */
} pages[] = {          /* in order of precedence */
        {HV_MSR_HYPERCALL, 0xf3}, {HV_MSR_REFERENCE_TSC, 1}, {HV_MSR_VP_ASSIST_PAGE, 0xa1},
        {HV_MSR_SIEFP, 0xa2}, {HV_MSR_SIMP, 0xa3}};

static void mark(uint64_t at, uint8_t byte)
{
	ck_assert_int_eq(gmem_fill(&vm->mem, gpa(at), byte, 1), 0);
}

START_TEST(pages_over_each_other)
{
	mark(PAGE_AT, 0x55);
	mark(OTHER_PAGE, 0x66);
	wr(HV_MSR_GUEST_OS_ID, OS_ID);
	for (unsigned i = ARRAY_SIZE(pages); i-- > 0;) {
		wr(pages[i].msr, PAGE_AT | 1);
		if (pages[i].first >= 0xa0 && pages[i].first < 0xb0) {
			mark(PAGE_AT, pages[i].first);
		}
		ck_assert_uint_eq(byte_at(PAGE_AT), pages[i].first);
	}
	/* The uppermost goes: the next one is seen. */
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		ck_assert_uint_eq(byte_at(PAGE_AT), pages[i].first);
		wr(pages[i].msr, OTHER_PAGE | 1);
		ck_assert_uint_eq(byte_at(OTHER_PAGE), pages[0].first);
	}
	ck_assert_uint_eq(byte_at(PAGE_AT), 0x55);
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		wr(pages[i].msr, 0);
	}
	ck_assert_uint_eq(byte_at(OTHER_PAGE), 0x66);
}
END_TEST

static const uint64_t odd_places[] = {
        0xa0000, 0xfec00000, 0xfed00000, WORLD_MEM, SIZE_4G, (1ULL << 46) - PAGE_SIZE};

START_TEST(a_page_where_no_ram_is)
{
	uint64_t at = odd_places[_i / ARRAY_SIZE(pages)];
	uint32_t msr = pages[_i % ARRAY_SIZE(pages)].msr;
	uint8_t b;
	uint64_t to, len;

	wr(HV_MSR_GUEST_OS_ID, OS_ID);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), &b, 1), -EFAULT);
	wr(msr, at | 1);
	ck_assert_uint_eq(rd(vcpu, msr), at | 1);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at + PAGE_SIZE - 1), &b, 1), 0);
	ck_assert_uint_ne(fake_mapping(at, &to, &len), 0);
	wr(msr, 0);
	/* The device, or nothing, again. */
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(at), &b, 1), -EFAULT);
	ck_assert_uint_eq(fake_mapping(at, &to, &len), 0);
}
END_TEST

START_TEST(below_the_local_apic)
{
	uint8_t b;

	wr(HV_MSR_SIMP, 0xfee00000 | 1);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_SIMP), 0xfee00001);
	ck_assert_int_eq(gmem_read(&vm->mem, gpa(0xfee00000), &b, 1), -EFAULT);
}
END_TEST

START_TEST(page_zero)
{
	mark(0, 0x77);
	wr(HV_MSR_SIMP, 1);
	ck_assert_uint_eq(byte_at(0), 0);
	wr(HV_MSR_SIMP, 0);
	ck_assert_uint_eq(byte_at(0), 0x77);
}
END_TEST

/* Memory for the tables of a split large page may run out: the guest gets #GP and keeps what it
 * had. */
START_TEST(no_memory_for_a_page)
{
	for (unsigned i = 0; i < ARRAY_SIZE(pages); i++) {
		wr(HV_MSR_GUEST_OS_ID, OS_ID);
		fake_map_error = -ENOMEM;
		ck_assert(!hv_msr_write(vcpu, pages[i].msr, PAGE_AT | 1));
		fake_map_error = 0;
		ck_assert_uint_eq(rd(vcpu, pages[i].msr), 0);
		ck_assert_uint_eq(byte_at(PAGE_AT), 0);
		wr(pages[i].msr, PAGE_AT | 1);
		wr(pages[i].msr, 0);
	}
}
END_TEST

START_TEST(the_vp_assist_page)
{
	wr(HV_MSR_VP_ASSIST_PAGE, PAGE_AT | 1); /* before any identity */
	ck_assert_uint_eq(rd(vcpu, HV_MSR_VP_ASSIST_PAGE), PAGE_AT | 1);
	ck_assert_uint_eq(rd(vm->vcpus[1], HV_MSR_VP_ASSIST_PAGE), 0);
	ck_assert_uint_eq(byte_at(PAGE_AT), 0);
	mark(PAGE_AT + 100, 9);
	wr(HV_MSR_VP_ASSIST_PAGE, OTHER_PAGE | 1);
	ck_assert_uint_eq(byte_at(OTHER_PAGE + 100), 9);
	wr(HV_MSR_VP_ASSIST_PAGE, 0);
	wr(HV_MSR_VP_ASSIST_PAGE, PAGE_AT | 1);
	ck_assert_uint_eq(byte_at(PAGE_AT + 100), 0);
	vm->pv->vcpu_reset(vcpu, false);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_VP_ASSIST_PAGE), PAGE_AT | 1);
	vm->pv->vcpu_reset(vcpu, true);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_VP_ASSIST_PAGE), 0);
}
END_TEST

/* Its first bit: the handler needs no EOI; for a guest that has the page, and the feature. */
START_TEST(the_eoi_assist)
{
	for (unsigned i = 0; i < 3; i++) {
		vm = hv_world(2, i == 2 ? ALL & ~(1U << HV_EOI_ASSIST) : ALL);
		vcpu = vm->vcpus[0];
		if (i > 0) {
			wr(HV_MSR_VP_ASSIST_PAGE, PAGE_AT | 1);
		}
		lapic_post(&vcpu->lapic, 0x50, false);
		ck_assert_int_eq(lapic_pending(&vcpu->lapic), 0x50);
		lapic_ack(&vcpu->lapic, 0x50);
		ck_assert_uint_eq(byte_at(PAGE_AT), i == 1 ? HV_APIC_ASSIST_NO_EOI : 0);
		/* Taken away while it is served, and brought back. */
		wr(HV_MSR_VP_ASSIST_PAGE, 0);
		wr(HV_MSR_VP_ASSIST_PAGE, PAGE_AT | 1);
		ck_assert_uint_eq(byte_at(PAGE_AT), 0);
		wr(HV_MSR_EOI, 0);
		ck_assert_uint_eq(lapic_read(&vcpu->lapic, LAPIC_ISR + 0x20), 0);
	}
}
END_TEST

/* --- crashes --- */

static void crash(uint64_t at, uint64_t len)
{
	wr(HV_MSR_CRASH_P0 + 3, at);
	wr(HV_MSR_CRASH_P0 + 4, len);
	wr(HV_MSR_CRASH_CTL, HV_CRASH_CTL_NOTIFY | HV_CRASH_CTL_MESSAGE);
}

static void put(const void *text, size_t len)
{
	ck_assert_int_eq(gmem_write(&vm->mem, gpa(TEXT_AT), text, len), 0);
}

START_TEST(crash_parameters)
{
	ck_assert_uint_eq(rd(vcpu, HV_MSR_CRASH_CTL), 3ULL << 62);
	for (unsigned i = 0; i < 5; i++) {
		wr(HV_MSR_CRASH_P0 + i, 0x1000 + i);
		ck_assert_uint_eq(rd(vm->vcpus[1], HV_MSR_CRASH_P0 + i), 0x1000 + i);
	}
	wr(HV_MSR_CRASH_CTL, 0);
	ck_assert_uint_eq(fake_log_count("panic"), 0);
	wr(HV_MSR_CRASH_CTL, HV_CRASH_CTL_NOTIFY);
	ck_assert_uint_eq(fake_log_count("the guest reports a panic on vCPU 0: 0x1000 0x1001 "
	                                 "0x1002 0x1003 0x1004"),
	        1);
	vm->pv->vm_reset(vm);
	ck_assert_uint_eq(rd(vcpu, HV_MSR_CRASH_P0), 0);
}
END_TEST

START_TEST(crash_message)
{
	static const char text[] = "Kernel panic\n\n<0>\x1b[2Jtwo\rthree\x80\n\0 behind the end";

	put(text, sizeof(text));
	crash(TEXT_AT, sizeof(text));
	ck_assert_uint_eq(fake_log_count("fake: | Kernel panic"), 1);
	/* Nothing that a terminal would act on. */
	ck_assert_uint_eq(fake_log_count("fake: | <0>.[2Jtwo.three."), 1);
	ck_assert_ptr_null(strchr(fake_log_text(), '\x1b'));
	ck_assert_uint_eq(fake_log_count("behind the end"), 0);
	ck_assert_uint_eq(fake_log_count("| "), 2);
}
END_TEST

START_TEST(crash_message_of_one_long_line)
{
	static char text[8192];

	memset(text, 'x', sizeof(text));
	put(text, sizeof(text));
	crash(TEXT_AT, sizeof(text));
	/* A page at most, in lines that the log takes. */
	ck_assert_uint_eq(fake_log_count("| xxx"), (4096 + 159) / 160);
	ck_assert_uint_eq(fake_log_count("xxx..."), 0);
}
END_TEST

START_TEST(crash_message_of_many_lines)
{
	static char text[4096];

	memset(text, '\n', sizeof(text));
	for (unsigned i = 0; i < sizeof(text); i += 2) {
		text[i] = 'y';
	}
	put(text, sizeof(text));
	crash(TEXT_AT, sizeof(text));
	ck_assert_uint_ge(fake_log_count("| y"), 100);
	ck_assert_uint_le(fake_log_count("| y"), 128);
}
END_TEST

static const struct {
	uint64_t at, len;
} nowhere[] = {{WORLD_MEM - 8, 16}, {WORLD_MEM, 1}, {~0ULL - 4, 100}, {~0ULL, ~0ULL}, {0xa0000, 1}};

START_TEST(crash_message_that_is_not_there)
{
	crash(nowhere[_i].at, nowhere[_i].len);
	ck_assert_uint_eq(fake_log_count("its message is not in memory"), 1);
	ck_assert_uint_eq(fake_log_count("| "), 0);
}
END_TEST

START_TEST(crash_message_of_nothing)
{
	crash(0, 0);
	ck_assert_uint_eq(fake_log_count("reports a panic"), 1);
	ck_assert_uint_eq(fake_log_count("| "), 0);
	ck_assert_uint_eq(fake_log_count("not in memory"), 0);
}
END_TEST

/* A guest that panics for ever, and resets itself in between, cannot fill the log. */
START_TEST(crashes_without_end)
{
	unsigned lines;

	put("one line\n", 10);
	for (unsigned i = 0; i < 10000; i++) {
		crash(TEXT_AT, 10);
		if (i % 3 == 0) {
			vm->pv->vm_reset(vm);
		}
	}
	ck_assert_uint_le(fake_log_count("one line"), 4);
	lines = fake_log_count("fake: ");
	ck_assert_uint_le(lines, 40);
	/* An hour later one is news again. */
	fake_clock_advance(3600 * NS_PER_SEC);
	fake_log_clear();
	crash(TEXT_AT, 10);
	ck_assert_uint_eq(fake_log_count("one line"), 1);
}
END_TEST

UNIT_MAIN("hv_msr", tcase_add_checked_fixture(tc, setup, NULL);
          tcase_add_loop_test(tc, who_refuses, 0, ARRAY_SIZE(msrs));
          tcase_add_test(tc, all_others_are_refused); tcase_add_test(tc, values);
          tcase_add_test(tc, reset_by_msr); tcase_add_test(tc, the_local_apic);
          tcase_add_test(tc, the_local_apic_in_x2apic_mode); tcase_add_test(tc, the_hypercall_page);
          tcase_add_test(tc, the_hypercall_page_locked);
          tcase_add_test(tc, the_hypercall_page_moves); tcase_add_test(tc, pages_over_each_other);
          tcase_add_loop_test(
                  tc, a_page_where_no_ram_is, 0, ARRAY_SIZE(odd_places) * ARRAY_SIZE(pages));
          tcase_add_test(tc, below_the_local_apic); tcase_add_test(tc, page_zero);
          tcase_add_test(tc, no_memory_for_a_page); tcase_add_test(tc, the_vp_assist_page);
          tcase_add_test(tc, the_eoi_assist); tcase_add_test(tc, crash_parameters);
          tcase_add_test(tc, crash_message); tcase_add_test(tc, crash_message_of_one_long_line);
          tcase_add_test(tc, crash_message_of_many_lines);
          tcase_add_loop_test(tc, crash_message_that_is_not_there, 0, ARRAY_SIZE(nowhere));
          tcase_add_test(tc, crash_message_of_nothing); tcase_add_test(tc, crashes_without_end);)
