// SPDX-License-Identifier: BSD-2-Clause
// Which event a vCPU takes at an entry, what waits for a window, what wakes it from HLT.
// Specs: [SDM3] "Conditions for Generating a Double Fault", "Priority Among Concurrent Events".
#include "tests/fake/fake.h"
#include "tests/unit.h"
#include "vmm/event.h"
#include "vmm/lapic_regs.h"

static struct vm *vm;
static struct vcpu *vcpu;
static struct fake_vcpu *f;
static struct lapic *apic;
static uint8_t pic_vector;
static bool pic_keeps; /* more requests wait behind the one acknowledged */

static void pic_set(void *chip, unsigned pin, bool level)
{
	(void)chip;
	(void)pin;
	(void)level;
}

/* The pair's INTA cycle: one request, so the output falls unless there are more. */
static uint8_t pic_ack(void *chip)
{
	(void)chip;
	irq_set_extint(&vm->irq, pic_keeps);
	return pic_vector;
}

static const struct irq_chip_ops pic_ops = {.name = "pic", .set_line = pic_set, .ack = pic_ack};

static void make(void)
{
	fake_clock_set(0);
	vm = fake_vm(1 << 20, 1);
	vcpu = vm->vcpus[0];
	f = fake_vcpu(vcpu);
	apic = &vcpu->lapic;
	irq_router_set_pic(&vm->irq, &pic_ops, NULL);
	pic_vector = 0x38;
	lapic_write(apic, LAPIC_SVR, 0x1ff);
	lapic_write(apic, LAPIC_LVT_LINT0, 0x700);
	f->regs[REG_CR0] |= CR0_PE;
	f->regs[REG_RFLAGS] = RFLAGS_FIXED1 | RFLAGS_IF;
}

static void setup(void)
{
	*fake_caps() = (struct virt_caps){0};
	make();
}

static void setup_delivery(void)
{
	fake_caps()->apic = (struct virt_apic_caps){true, true, true, true, true};
	make();
}

/* What the next entry delivers: its type, the vector in *vector. */
static enum event_type enter(unsigned *vector)
{
	f->injected.type = EVENT_NONE;
	f->injections = 0;
	event_prepare_entry(vcpu, __atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED));
	ck_assert_uint_le(f->injections, 1);
	*vector = f->injected.vector;
	return f->injected.type;
}

#define NOTHING() \
	do { \
		unsigned got_; \
		ck_assert_int_eq(enter(&got_), EVENT_NONE); \
	} while (0)
#define DELIVERS(what, vec) \
	do { \
		unsigned got_; \
		ck_assert_int_eq(enter(&got_), (what)); \
		ck_assert_uint_eq(got_, (vec)); \
	} while (0)

static void nmi(void)
{
	const struct apic_msg msg = {.dest = 0, .delivery = APIC_DM_NMI};

	ck_assert_uint_eq(apic_deliver(vm, &msg), 1);
}

/* --- two exceptions --- */

/* First and second vector; what is pending then: a vector, or NONE for a shutdown. */
#define NONE 256
static const struct {
	uint8_t first, second;
	unsigned result;
} pairs[] = {
        {X86_DB, X86_GP, X86_GP},
        {X86_DB, X86_PF, X86_PF},
        {X86_DB, X86_UD, X86_UD},
        {X86_UD, X86_DF, X86_DF},
        {X86_GP, X86_DB, X86_DB},
        {X86_GP, X86_GP, X86_DF},
        {X86_DE, X86_NP, X86_DF},
        {X86_TS, X86_SS, X86_DF},
        {X86_CP, X86_GP, X86_DF},
        {X86_GP, X86_PF, X86_PF},
        {X86_PF, X86_GP, X86_DF},
        {X86_PF, X86_PF, X86_DF},
        {X86_VE, X86_PF, X86_DF},
        {X86_PF, X86_AC, X86_AC},
        {X86_PF, X86_UD, X86_UD},
        {X86_DF, X86_GP, NONE},
        {X86_DF, X86_PF, NONE},
        {X86_DF, X86_DF, NONE},
};

START_TEST(pair)
{
	ck_assert(event_queue_exception(vcpu, pairs[_i].first, true, 0x111));
	ck_assert_int_eq(event_queue_exception(vcpu, pairs[_i].second, true, 0x222),
	        pairs[_i].result != NONE);
	if (pairs[_i].result == NONE) {
		ck_assert_int_eq(vcpu->pending.type, EVENT_NONE);
		return;
	}
	ck_assert_uint_eq(vcpu->pending.vector, pairs[_i].result);
	ck_assert(vcpu->pending.has_error);
	ck_assert_uint_eq(vcpu->pending.error, pairs[_i].result == pairs[_i].second ? 0x222U : 0U);
	DELIVERS(EVENT_EXCEPTION, pairs[_i].result);
	NOTHING();
}
END_TEST

START_TEST(double_fault_in_real_mode_has_no_error_code)
{
	f->regs[REG_CR0] &= ~CR0_PE;
	ck_assert(event_queue_exception(vcpu, X86_GP, false, 0));
	ck_assert(event_queue_exception(vcpu, X86_SS, false, 0));
	ck_assert_uint_eq(vcpu->pending.vector, X86_DF);
	ck_assert(!vcpu->pending.has_error);
}
END_TEST

/* Delivery of an event broke off; then the exit's handler queues a fault. */
static const struct {
	enum event_type type;
	uint8_t vector, second;
	unsigned result;
} broken[] = {
        {EVENT_EXTINT, 0x41, X86_GP, X86_GP},
        {EVENT_NMI, 2, X86_PF, X86_PF},
        {EVENT_SOFT_INTERRUPT, 0x80, X86_PF, X86_PF},
        {EVENT_SOFT_EXCEPTION, X86_BP, X86_GP, X86_GP},
        /* INT 14 is an interrupt, not a page fault. */
        {EVENT_SOFT_INTERRUPT, X86_PF, X86_PF, X86_PF},
        {EVENT_EXCEPTION, X86_PF, X86_PF, X86_DF},
        {EVENT_EXCEPTION, X86_DF, X86_PF, NONE},
};

START_TEST(broken_delivery)
{
	const struct event event = {
	        .type = broken[_i].type, .vector = broken[_i].vector, .insn_len = 2};

	event_requeue(vcpu, &event);
	ck_assert_int_eq(
	        event_queue_exception(vcpu, broken[_i].second, true, 4), broken[_i].result != NONE);
	if (broken[_i].result != NONE) {
		DELIVERS(EVENT_EXCEPTION, broken[_i].result);
	}
}
END_TEST

START_TEST(requeued_goes_in_again)
{
	const struct event soft = {.type = EVENT_SOFT_INTERRUPT, .vector = 0x80, .insn_len = 2};
	const struct event ext = {.type = EVENT_EXTINT, .vector = 0x41};

	event_requeue(vcpu, &soft);
	DELIVERS(EVENT_SOFT_INTERRUPT, 0x80);
	ck_assert_uint_eq(f->injected.insn_len, 2);
	/* An acknowledged interrupt needs no open window. */
	f->regs[REG_RFLAGS] = RFLAGS_FIXED1;
	event_requeue(vcpu, &ext);
	DELIVERS(EVENT_EXTINT, 0x41);
	/* What the exit itself raised is there already. */
	ck_assert(event_queue_exception(vcpu, X86_UD, false, 0));
	event_requeue(vcpu, &ext);
	DELIVERS(EVENT_EXCEPTION, X86_UD);
	NOTHING();
}
END_TEST

/* --- order and windows --- */

START_TEST(nothing)
{
	NOTHING();
	ck_assert(!event_wakes(vcpu));
	ck_assert(!f->window_intr && !f->window_nmi);
}
END_TEST

START_TEST(order)
{
	lapic_post(apic, 0x91, false);
	irq_set_extint(&vm->irq, true);
	nmi();
	ck_assert(event_queue_exception(vcpu, X86_GP, true, 0));
	DELIVERS(EVENT_EXCEPTION, X86_GP);
	ck_assert(f->window_nmi && f->window_intr);
	DELIVERS(EVENT_NMI, 2);
	ck_assert(!f->window_nmi && f->window_intr);
	DELIVERS(EVENT_EXTINT, 0x38);
	ck_assert(f->window_intr);
	DELIVERS(EVENT_EXTINT, 0x91);
	ck_assert(!f->window_intr);
	NOTHING();
	ck_assert_uint_eq(vcpu->requests, 0);
	ck_assert_uint_eq(vcpu->stats.injected_interrupts, 3);
	ck_assert_uint_eq(vcpu->stats.injected_exceptions, 1);
}
END_TEST

/* IF, interrupt shadow: what hinders an interrupt. */
static const struct {
	bool flag, shadow, goes;
} gates[] = {
        {true, false, true},
        {true, true, false},
        {false, false, false},
        {false, true, false},
};

START_TEST(gate)
{
	f->regs[REG_RFLAGS] = RFLAGS_FIXED1 | (gates[_i].flag ? RFLAGS_IF : 0);
	f->intr_shadow = gates[_i].shadow;
	lapic_post(apic, 0x41, false);
	if (gates[_i].goes) {
		DELIVERS(EVENT_EXTINT, 0x41);
		ck_assert(!f->window_intr);
		return;
	}
	NOTHING();
	ck_assert(f->window_intr);
	ck_assert(!lapic_vector_test(apic, LAPIC_ISR, 0x41));
	/* The window opens. */
	f->regs[REG_RFLAGS] |= RFLAGS_IF;
	f->intr_shadow = false;
	DELIVERS(EVENT_EXTINT, 0x41);
	ck_assert(!f->window_intr);
	ck_assert(lapic_vector_test(apic, LAPIC_ISR, 0x41));
}
END_TEST

START_TEST(window_is_asked_for_once)
{
	f->regs[REG_RFLAGS] = RFLAGS_FIXED1;
	lapic_post(apic, 0x41, false);
	NOTHING();
	ck_assert(f->window_intr);
	f->window_intr = false; /* would come back if asked again */
	NOTHING();
	ck_assert(!f->window_intr);
	/* A reset forgets that there is one. */
	event_reset(vcpu);
	NOTHING();
	ck_assert(f->window_intr);
}
END_TEST

START_TEST(window_closes_when_the_request_goes)
{
	f->regs[REG_RFLAGS] = RFLAGS_FIXED1;
	irq_set_extint(&vm->irq, true);
	NOTHING();
	ck_assert(f->window_intr);
	irq_set_extint(&vm->irq, false);
	NOTHING();
	ck_assert(!f->window_intr);
}
END_TEST

/* [SDM3] "Handling Multiple NMIs": one in its handler, one latched. */
START_TEST(nmi_blocked_waits)
{
	nmi();
	nmi();
	nmi();
	DELIVERS(EVENT_NMI, 2);
	ck_assert(f->window_nmi); /* the second */
	f->nmi_blocked = true;
	NOTHING();
	f->nmi_blocked = false;
	DELIVERS(EVENT_NMI, 2);
	ck_assert(!f->window_nmi);
	NOTHING();
}
END_TEST

START_TEST(nmis_that_find_it_blocked_are_one)
{
	f->nmi_blocked = true;
	nmi();
	nmi();
	nmi();
	NOTHING();
	ck_assert(f->window_nmi);
	nmi();
	NOTHING();
	f->nmi_blocked = false;
	DELIVERS(EVENT_NMI, 2);
	ck_assert(!f->window_nmi);
	NOTHING();
}
END_TEST

START_TEST(blocked_by_priority_needs_no_window)
{
	lapic_post(apic, 0x81, false);
	DELIVERS(EVENT_EXTINT, 0x81);
	lapic_post(apic, 0x82, false);
	NOTHING();
	ck_assert(!f->window_intr);
	ck_assert_uint_eq(apic->attention, 0);
	lapic_write(apic, LAPIC_EOI, 0);
	DELIVERS(EVENT_EXTINT, 0x82);
}
END_TEST

START_TEST(extint_needs_an_open_lint0)
{
	lapic_write(apic, LAPIC_LVT_LINT0, 0x10700);
	irq_set_extint(&vm->irq, true);
	NOTHING();
	ck_assert(!event_wakes(vcpu));
	lapic_write(apic, LAPIC_LVT_LINT0, 0x700);
	ck_assert(event_wakes(vcpu));
	DELIVERS(EVENT_EXTINT, 0x38);
	NOTHING();
}
END_TEST

START_TEST(extint_message_counts_once)
{
	const struct apic_msg msg = {.dest = 0, .delivery = APIC_DM_EXTINT};

	lapic_write(apic, LAPIC_LVT_LINT0, 0x10700);
	irq_set_extint(&vm->irq, true);
	ck_assert_uint_eq(apic_deliver(vm, &msg), 1);
	DELIVERS(EVENT_EXTINT, 0x38);
	irq_set_extint(&vm->irq, true);
	NOTHING();
	/* Nor twice while the pair's output stays up. */
	pic_keeps = true;
	ck_assert_uint_eq(apic_deliver(vm, &msg), 1);
	DELIVERS(EVENT_EXTINT, 0x38);
	NOTHING();
	pic_keeps = false;
	/* The request was gone by the time it was looked at. */
	irq_set_extint(&vm->irq, false);
	ck_assert_uint_eq(apic_deliver(vm, &msg), 1);
	NOTHING();
	irq_set_extint(&vm->irq, true);
	NOTHING();
}
END_TEST

/* --- waking --- */

/* A vector that waits for its window wakes, unless the guest has raised its TPR since. */
START_TEST(held_vector_wakes)
{
	f->regs[REG_RFLAGS] = RFLAGS_FIXED1;
	lapic_accept(apic, 0x41, false);
	NOTHING();
	ck_assert(f->window_intr);
	ck_assert(!event_held_wakes(vcpu));
	f->regs[REG_RFLAGS] |= RFLAGS_IF;
	ck_assert(event_held_wakes(vcpu));
	lapic_set(apic, LAPIC_TPR, 0x40); /* as CR8 is written without an exit */
	ck_assert(!event_held_wakes(vcpu));
	lapic_set(apic, LAPIC_TPR, 0x30);
	ck_assert(event_held_wakes(vcpu));
	DELIVERS(EVENT_EXTINT, 0x41);
	ck_assert(!event_held_wakes(vcpu));
}
END_TEST

/* What waits behind a vector that was delivered is not that vector. */
START_TEST(held_vector_is_forgotten)
{
	f->regs[REG_RFLAGS] = RFLAGS_FIXED1;
	lapic_accept(apic, 0x41, false);
	NOTHING();
	f->regs[REG_RFLAGS] |= RFLAGS_IF;
	lapic_accept(apic, 0x31, false);
	DELIVERS(EVENT_EXTINT, 0x41);
	ck_assert(!event_held_wakes(vcpu)); /* 0x31 is below it */
	/* The pair's request has the window, and goes away again. */
	f->regs[REG_RFLAGS] = RFLAGS_FIXED1;
	lapic_write(apic, LAPIC_EOI, 0);
	lapic_accept(apic, 0x51, false);
	NOTHING();
	lapic_set(apic, LAPIC_TPR, 0x50);
	irq_set_extint(&vm->irq, true);
	vcpu->attention = 1;
	NOTHING();
	irq_set_extint(&vm->irq, false);
	lapic_set(apic, LAPIC_TPR, 0);
	f->regs[REG_RFLAGS] |= RFLAGS_IF;
	ck_assert(!event_held_wakes(vcpu));
	ck_assert(event_wakes(vcpu)); /* found by looking */
}
END_TEST

START_TEST(wakes)
{
	f->regs[REG_RFLAGS] = RFLAGS_FIXED1;
	lapic_post(apic, 0x41, false);
	ck_assert(!event_wakes(vcpu));
	f->regs[REG_RFLAGS] |= RFLAGS_IF;
	ck_assert(event_wakes(vcpu));
	ck_assert_uint_eq(apic->pir_notify, 0); /* taken in: whoever posts next asks again */
	lapic_write(apic, LAPIC_TPR, 0x40);
	ck_assert(!event_wakes(vcpu));
	vcpu->requests = 0;
	f->regs[REG_RFLAGS] = RFLAGS_FIXED1;
	nmi();
	ck_assert(event_wakes(vcpu));
	f->nmi_blocked = true;
	ck_assert(!event_wakes(vcpu));
	event_reset(vcpu);
	vcpu->requests = BIT64(VCPU_REQ_INIT);
	ck_assert(event_wakes(vcpu));
	vcpu->requests = BIT64(VCPU_REQ_SIPI);
	ck_assert(event_wakes(vcpu));
	vcpu->requests = BIT64(VCPU_REQ_IRQ);
	ck_assert(!event_wakes(vcpu));
	ck_assert(event_queue_exception(vcpu, X86_DB, false, 0));
	ck_assert(event_wakes(vcpu));
}
END_TEST

START_TEST(other_requests_stay)
{
	vcpu->requests = BIT64(VCPU_REQ_STOP) | BIT64(VCPU_REQ_IRQ) | BIT64(VCPU_REQ_NMI);
	NOTHING();
	ck_assert_uint_eq(vcpu->requests, BIT64(VCPU_REQ_STOP));
}
END_TEST

/* --- the processor delivers --- */

START_TEST(delivery_folds_only)
{
	f->regs[REG_RFLAGS] = RFLAGS_FIXED1;
	lapic_post(apic, 0x41, false);
	NOTHING();
	ck_assert_int_eq(f->irr, 0x41);
	ck_assert(!f->window_intr);
	ck_assert_uint_eq(vcpu->requests, 0);
	f->irr = 99;
	NOTHING();
	ck_assert_int_eq(f->irr, 99); /* nothing new: the back end is left alone */
}
END_TEST

START_TEST(delivery_and_extint)
{
	f->regs[REG_RFLAGS] = RFLAGS_FIXED1;
	irq_set_extint(&vm->irq, true);
	lapic_post(apic, 0x41, false);
	NOTHING();
	ck_assert(f->window_intr);
	ck_assert_int_eq(f->irr, 0x41);
	f->regs[REG_RFLAGS] |= RFLAGS_IF;
	DELIVERS(EVENT_EXTINT, 0x38);
	ck_assert(!f->window_intr);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("event");
	TCase *sw = tcase_create("software"), *hw = tcase_create("delivery");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(sw, setup, NULL);
	tcase_add_loop_test(sw, pair, 0, ARRAY_SIZE(pairs));
	tcase_add_test(sw, double_fault_in_real_mode_has_no_error_code);
	tcase_add_loop_test(sw, broken_delivery, 0, ARRAY_SIZE(broken));
	tcase_add_test(sw, requeued_goes_in_again);
	tcase_add_test(sw, nothing);
	tcase_add_test(sw, order);
	tcase_add_loop_test(sw, gate, 0, ARRAY_SIZE(gates));
	tcase_add_test(sw, window_is_asked_for_once);
	tcase_add_test(sw, window_closes_when_the_request_goes);
	tcase_add_test(sw, nmi_blocked_waits);
	tcase_add_test(sw, nmis_that_find_it_blocked_are_one);
	tcase_add_test(sw, blocked_by_priority_needs_no_window);
	tcase_add_test(sw, extint_needs_an_open_lint0);
	tcase_add_test(sw, extint_message_counts_once);
	tcase_add_test(sw, wakes);
	tcase_add_test(sw, held_vector_wakes);
	tcase_add_test(sw, held_vector_is_forgotten);
	tcase_add_test(sw, other_requests_stay);
	tcase_add_checked_fixture(hw, setup_delivery, NULL);
	tcase_add_test(hw, delivery_folds_only);
	tcase_add_test(hw, delivery_and_extint);
	suite_add_tcase(suite, sw);
	suite_add_tcase(suite, hw);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
