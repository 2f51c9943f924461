// SPDX-License-Identifier: BSD-2-Clause
/*
 * Programs of MSR accesses, messages, events, ends of interrupts and time on two vCPUs; pages may
 * lie anywhere. What must hold: a timer is never early, time never runs back, what a page hides
 * comes back, and after a reset all is as new.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/hv_world.h"
#include "vmm/hw/timer.h"
#include "vmm/lib/err.h"
#include "vmm/pv.h"

#define ALL ((1U << HV_FEATURE_COUNT) - 1)
#define MAX_STEPS 300U
#define FIRST_PAGE 0x300000ULL
#define N_PAGES 8U
#define HV_VECTOR 0xe0U

enum op {
	OP_WRITE,
	OP_WRITE_AGAIN,
	OP_READ,
	OP_TIMER,
	OP_MESSAGE,
	OP_EVENT,
	OP_FREE_SLOT,
	OP_INTERRUPT,
	OP_TIME,
	OP_PAUSE,
	OP_INIT,
	OP_COUNT
};

struct source {
	const uint8_t *data;
	size_t left;
};

static struct vm *vm;
static uint64_t last_time;

static uint64_t take(struct source *s, unsigned n)
{
	uint64_t v = 0;

	n = n < s->left ? n : (unsigned)s->left;
	memcpy(&v, s->data, n);
	s->data += n;
	s->left -= n;
	return v;
}

static uint32_t an_msr(struct source *s)
{
	static const uint32_t msrs[] = {HV_MSR_GUEST_OS_ID, HV_MSR_HYPERCALL, HV_MSR_REFERENCE_TSC,
	        HV_MSR_VP_ASSIST_PAGE, HV_MSR_SIMP, HV_MSR_SIEFP, HV_MSR_SCONTROL, HV_MSR_EOM,
	        HV_MSR_SINT0, HV_MSR_SINT0 + 1, HV_MSR_SINT0 + 2, HV_MSR_STIMER0_CONFIG,
	        HV_MSR_STIMER0_CONFIG + 1, HV_MSR_STIMER3_COUNT - 1, HV_MSR_STIMER3_COUNT,
	        HV_MSR_CRASH_P0 + 3, HV_MSR_CRASH_P4, HV_MSR_CRASH_CTL, HV_MSR_TPR, HV_MSR_ICR,
	        HV_MSR_EOI};
	unsigned i = (unsigned)take(s, 1);

	return i < 0xe0 ? msrs[i % ARRAY_SIZE(msrs)] : PV_MSR_FIRST + (uint32_t)take(s, 2) % 0x200;
}

/* Pages meet each other, RAM, devices and nothing. */
static uint64_t a_value(struct source *s)
{
	unsigned kind = (unsigned)take(s, 1);

	switch (kind >> 5) {
	case 0:
		return take(s, 8);
	case 1:
		return 1ULL << (kind & 31) | take(s, 1);
	case 2:
		return (kind & 1 ? 0xfec00000ULL : 0xa0000ULL) | 1;
	case 3:
		return hv_reference_time(vm) + take(s, 2);
	case 4:
		return take(s, 1);
	case 5: /* a source */
		return 0x20 + (kind & 15) + (take(s, 1) << 16);
	default:
		return (FIRST_PAGE + kind % N_PAGES * PAGE_SIZE) | (take(s, 1) & 3);
	}
}

static void set_timer(struct source *s, struct vcpu *vcpu)
{
	uint32_t timer = (uint32_t)take(s, 1) % HV_STIMER_COUNT;
	uint32_t msr = HV_MSR_STIMER0_CONFIG + 2 * timer;
	uint64_t config = take(s, 3) & ~(7ULL << 13) & 0xfffff;
	uint64_t delta = take(s, 2);

	if (hv_msr_write(vcpu, msr, config)) {
		(void)hv_msr_write(vcpu, msr + 1,
		        config & HV_STIMER_PERIODIC ? delta : hv_reference_time(vm) + delta);
	}
}

/* Every timer message: at its time or later. */
static void free_slot(struct vcpu *vcpu, uint32_t sint)
{
	struct synic *synic = &hv_vcpu(vcpu)->synic;
	struct hv_message *slot = (struct hv_message *)synic->message_page + sint;

	FUZZ_CHECK(slot->payload_size <= HV_MESSAGE_PAYLOAD);
	if (slot->type == HV_MESSAGE_TIMER_EXPIRED) {
		struct hv_timer_message m;

		memcpy(&m, slot->payload, sizeof(m));
		FUZZ_CHECK(m.timer_index < HV_STIMER_COUNT);
		FUZZ_CHECK(m.expiration_time <= m.delivery_time);
		FUZZ_CHECK(m.delivery_time <= hv_reference_time(vm));
	}
	slot->type = HV_MESSAGE_NONE;
	if (slot->flags & HV_MESSAGE_FLAG_PENDING) {
		(void)hv_msr_write(vcpu, HV_MSR_EOM, 0);
	}
}

static void interrupt(struct vcpu *vcpu)
{
	int vector = lapic_pending(&vcpu->lapic);

	FUZZ_CHECK(vector == -1 || vector >= 16);
	if (vector >= 0) {
		lapic_ack(&vcpu->lapic, (uint8_t)vector);
	}
	lapic_write(&vcpu->lapic, LAPIC_EOI, 0);
}

static void check_queues(const struct synic *synic)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < HV_SINT_COUNT; i++) {
		uint8_t n = synic->sints[i].first;

		FUZZ_CHECK(synic->sints[i].count <= SYNIC_QUEUE);
		for (unsigned k = 0; k < synic->sints[i].count; k++, n = synic->next[n]) {
			FUZZ_CHECK(n < SYNIC_POOL && !(used & BIT(n)));
			used |= BIT(n);
		}
	}
	FUZZ_CHECK((used ^ synic->free) == ~0U);
}

static void one_step(struct source *s)
{
	unsigned op = (unsigned)take(s, 1);
	struct vcpu *vcpu = vm->vcpus[op >> 7];
	uint8_t payload[HV_MESSAGE_PAYLOAD];
	uint64_t value;
	uint32_t msr;
	int err;

	pcpu_this()->loaded = vcpu;
	switch ((enum op)((op & 0x7f) % OP_COUNT)) {
	case OP_WRITE:
	case OP_WRITE_AGAIN:
		msr = an_msr(s);
		(void)hv_msr_write(vcpu, msr, a_value(s));
		break;
	case OP_READ:
		(void)hv_msr_read(vcpu, an_msr(s), &value);
		break;
	case OP_TIMER:
		set_timer(s, vcpu);
		break;
	case OP_MESSAGE:
		memset(payload, op, sizeof(payload));
		err = synic_post_message(vm, (uint32_t)take(s, 1) % 3, (uint32_t)take(s, 1) % 17,
		        (uint32_t)take(s, 4), 7, payload, (uint32_t)take(s, 1));
		FUZZ_CHECK(err == 0 || err == -EAGAIN || err == -EINVAL);
		break;
	case OP_EVENT:
		err = synic_signal_event(vm, (uint32_t)take(s, 1) % 3, (uint32_t)take(s, 1) % 17,
		        (uint32_t)take(s, 2) % 2100);
		FUZZ_CHECK(err == 0 || err == -ENXIO || err == -EINVAL);
		break;
	case OP_FREE_SLOT:
		free_slot(vcpu, (uint32_t)take(s, 1) % HV_SINT_COUNT);
		break;
	case OP_INTERRUPT:
		interrupt(vcpu);
		break;
	case OP_TIME:
		fake_clock_advance(take(s, 3));
		break;
	case OP_PAUSE:
		value = take(s, 2);
		fake_clock_set(clock_now() + value);
		vm->tsc_offset -= value;
		vm->pv->vm_resume(vm);
		vm->pv->serve(vm->vcpus[0]);
		vm->pv->serve(vm->vcpus[1]);
		break;
	case OP_INIT:
		vm->pv->vcpu_reset(vcpu, false);
		lapic_reset(&vcpu->lapic, false);
		lapic_write(&vcpu->lapic, LAPIC_SVR, 0x1ff);
		break;
	case OP_COUNT:
		break;
	}
	vcpu_timers_serve(vm->vcpus[0]);
	vcpu_timers_serve(vm->vcpus[1]);
	value = hv_reference_time(vm);
	FUZZ_CHECK(value >= last_time);
	last_time = value;
	for (unsigned i = 0; i < 2; i++) {
		const struct hv_vcpu *hv = hv_vcpu(vm->vcpus[i]);

		check_queues(&hv->synic);
		for (unsigned t = 0; t < HV_STIMER_COUNT; t++) {
			/* One that is due has expired. */
			FUZZ_CHECK(hv->stimers[t].due == 0 || hv->stimers[t].due + 2 > value);
		}
	}
}

/* What is seen at the pages' places: the same as at first, when no page is there. */
static void check_pages(void)
{
	for (unsigned i = 0; i < N_PAGES; i++) {
		uint64_t words[PAGE_SIZE / 8];

		FUZZ_CHECK(gmem_read(&vm->mem, gpa(FIRST_PAGE + i * PAGE_SIZE), words,
		                   sizeof(words)) == 0);
		for (unsigned k = 0; k < ARRAY_SIZE(words); k++) {
			FUZZ_CHECK(words[k] == 0);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct source s = {.data = data, .left = len};
	unsigned how = (unsigned)take(&s, 1);

	*fake_caps() = (struct virt_caps){0};
	fake_caps()->apic.tpr_shadow = fake_caps()->apic.intr_delivery = how & 2;
	fake_log_clear();
	vm = hv_world(2, how & 1 ? ALL : (uint32_t)take(&s, 4));
	last_time = 0;
	for (unsigned i = 0; i < MAX_STEPS && s.left > 0; i++) {
		one_step(&s);
	}
	vm->pv->vm_reset(vm);
	for (unsigned i = 0; i < 2; i++) {
		vm->pv->vcpu_reset(vm->vcpus[i], true);
		lapic_reset(&vm->vcpus[i]->lapic, true);
		FUZZ_CHECK(hv_vcpu(vm->vcpus[i])->synic.free == ~0U);
	}
	FUZZ_CHECK(vm->mem.overlay_filter == 0);
	check_pages();
	FUZZ_CHECK(timer_next_deadline(0) == TIMER_NEVER);
	return 0;
}
