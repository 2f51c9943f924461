// SPDX-License-Identifier: BSD-2-Clause
/*
 * The synthetic timers of a vCPU. Due times are reference times; the host timer behind one is
 * only a wake-up, after which the timer looks at the reference time for itself: never early.
 * Specs: [TLFS] "Synthetic Timers".
 */
#include "hypercall/stimer.h"

#include "hypercall/hv.h"
#include "vmm/lapic.h"
#include "vmm/vm_clock.h"

/* A periodic timer does not fire oftener: what comes due meanwhile is one expiry. */
#define MIN_PERIOD 200ULL /* 100 ns: 20 us */

#define CONFIG_RESERVED (~(uint64_t)(HV_STIMER_SINT | HV_STIMER_DIRECT | HV_STIMER_VECTOR | 0xfULL))
#define VECTOR_MIN 16U

static uint32_t vector_of(uint64_t config)
{
	return (uint32_t)((config & HV_STIMER_VECTOR) >> HV_STIMER_VECTOR_SHIFT);
}

static uint32_t sint_of(uint64_t config)
{
	return (uint32_t)((config & HV_STIMER_SINT) >> HV_STIMER_SINT_SHIFT);
}

static void expire(struct stimer *t)
{
	t->expired_at = t->due;
	if (t->config & HV_STIMER_PERIODIC) {
		uint64_t late = hv_reference_time(t->vcpu->vm) - t->due;
		uint64_t period = t->count < MIN_PERIOD ? MIN_PERIOD : t->count;

		/* What came due meanwhile is this one expiry, lazy or not. */
		t->due += late - late % period + period;
	} else {
		t->due = 0;
		t->config &= ~HV_STIMER_ENABLE;
	}
	if (!(t->config & HV_STIMER_DIRECT)) {
		synic_timer_expired(&hv_vcpu(t->vcpu)->synic, t->index);
	} else if (lapic_enabled(&t->vcpu->lapic)) {
		lapic_post(&t->vcpu->lapic, (uint8_t)vector_of(t->config), false);
	}
}

/* Wait for the due time, or expire now. */
static void arm(struct stimer *t)
{
	if (t->due != 0 && t->due <= hv_reference_time(t->vcpu->vm)) {
		expire(t);
	}
	if (t->due != 0) {
		vcpu_timer_arm(&t->timer, hv_reference_to_host_ns(t->vcpu->vm, t->due));
	}
}

static void fired(struct vcpu_timer *timer)
{
	struct stimer *t = container_of(timer, struct stimer, timer);

	/* Paused, or ended: stimer_rearm() comes when it goes on. */
	if (__atomic_load_n(&t->vcpu->state, __ATOMIC_RELAXED) != VCPU_STOPPED) {
		arm(t);
	}
}

/* Configuration or count are about to change: what was armed, or waits, is no longer. */
static void stop(struct stimer *t)
{
	vcpu_timer_cancel(&t->timer);
	t->due = 0;
	synic_timer_forget(&hv_vcpu(t->vcpu)->synic, t->index);
}

static void start(struct stimer *t)
{
	/* Without a source to send it to, no message can be sent. */
	if (!(t->config & HV_STIMER_DIRECT) && sint_of(t->config) == 0) {
		t->config &= ~HV_STIMER_ENABLE;
	}
	if (!(t->config & HV_STIMER_ENABLE) || t->count == 0) {
		return;
	}
	t->due = t->count;
	if (t->config & HV_STIMER_PERIODIC) {
		uint64_t now = hv_reference_time(t->vcpu->vm);

		t->due = t->count < UINT64_MAX - now ? now + t->count : UINT64_MAX;
	}
	arm(t);
}

void stimer_init(struct stimer *t, struct vcpu *vcpu, uint32_t index)
{
	t->vcpu = vcpu;
	t->index = index;
	vcpu_timer_init(&t->timer, vcpu, fired);
}

void stimer_reset(struct stimer *t)
{
	vcpu_timer_cancel(&t->timer);
	t->config = 0;
	t->count = 0;
	t->due = 0;
	t->expired_at = 0;
}

static struct stimer *stimer_of(struct vcpu *vcpu, uint32_t msr, bool *is_count)
{
	*is_count = (msr - HV_MSR_STIMER0_CONFIG) & 1;
	return &hv_vcpu(vcpu)->stimers[(msr - HV_MSR_STIMER0_CONFIG) / 2];
}

bool stimer_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value)
{
	bool is_count;
	const struct stimer *t = stimer_of(vcpu, msr, &is_count);

	*value = is_count ? t->count : t->config;
	return true;
}

static bool config_valid(const struct vcpu *vcpu, uint64_t config)
{
	if (config & CONFIG_RESERVED) {
		return false;
	}
	if (!(config & HV_STIMER_DIRECT)) {
		return true;
	}
	return hv_has(vcpu->vm, HV_STIMER_DIRECT_MODE) && vector_of(config) >= VECTOR_MIN;
}

bool stimer_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	bool is_count;
	struct stimer *t = stimer_of(vcpu, msr, &is_count);

	if (!is_count && !config_valid(vcpu, value)) {
		return false;
	}
	stop(t);
	if (is_count) {
		t->count = value;
		if (value == 0) {
			t->config &= ~HV_STIMER_ENABLE;
		} else if (t->config & HV_STIMER_AUTO_ENABLE) {
			t->config |= HV_STIMER_ENABLE;
		}
	} else {
		t->config = value;
	}
	start(t);
	return true;
}

void stimer_message(struct vcpu *vcpu, unsigned index, struct hv_timer_message *message)
{
	const struct stimer *t = &hv_vcpu(vcpu)->stimers[index];

	*message = (struct hv_timer_message){
	        .timer_index = index,
	        .expiration_time = t->expired_at,
	        .delivery_time = hv_reference_time(vcpu->vm),
	};
}

uint32_t stimer_sint(const struct vcpu *vcpu, unsigned index)
{
	return sint_of(hv_vcpu(vcpu)->stimers[index].config);
}

void stimer_rearm(struct vcpu *vcpu)
{
	for (unsigned i = 0; i < HV_STIMER_COUNT; i++) {
		arm(&hv_vcpu(vcpu)->stimers[i]);
	}
}

void stimer_dump(const struct stimer *t, struct out *out)
{
	out_print(out, "  timer %u: config %#llx, count %llu, due %llu\n", t->index,
	        (unsigned long long)t->config, (unsigned long long)t->count,
	        (unsigned long long)t->due);
}
