// SPDX-License-Identifier: BSD-2-Clause
// The MC146818: registers A to D, time of day, alarm, three interrupts, CMOS memory.
// Specs: [MC146818] "Registers", "Update Cycle", "Interrupts", "Divider Control".
#include "devices/rtc_cmos.h"
#include "devices/port8.h"
#include "devices/rtc_time.h"
#include "vmm/lib/string.h"

#define STATE_VERSION 1U
#define NS_PER_S 1000000000ULL

enum rtc_reg {
	RTC_SECONDS = 0,
	RTC_SECONDS_ALARM = 1,
	RTC_MINUTES = 2,
	RTC_MINUTES_ALARM = 3,
	RTC_HOURS = 4,
	RTC_HOURS_ALARM = 5,
	RTC_WEEKDAY = 6,
	RTC_DAY = 7,
	RTC_MONTH = 8,
	RTC_YEAR = 9,
	RTC_A = 10,
	RTC_B = 11,
	RTC_C = 12,
	RTC_D = 13,
	RTC_FIRST_RAM = 14,
};

/* "Register A" */
#define A_UIP BIT(7)
#define A_DV_MASK 0x70U
#define A_DV_32K 0x20U /* the only divider that fits the crystal */
#define A_RS_MASK 0x0fU
#define A_RESET 0x26U /* 32 kHz, 1024 Hz */
/* "Register B" */
#define B_SET BIT(7)
#define B_PIE BIT(6)
#define B_AIE BIT(5)
#define B_UIE BIT(4)
#define B_SQWE BIT(3)
/* "Register C"; PF, AF and UF are where their enables are in B */
#define C_IRQF BIT(7)
#define C_PF B_PIE
#define C_AF B_AIE
#define C_UF B_UIE
/* "Register D" */
#define D_VRT BIT(7)

#define UIP_NS 244000U
/* "Divider Control": the first update comes half a second after the divider is let go. */
#define FIRST_UPDATE_NS (NS_PER_S / 2)
#define ALARM_ANY 0xc0U /* both bits set: any value matches */
#define CRYSTAL_HZ 32768ULL

/* Time stands still while SET, or while the divider does not run. */
static bool frozen(const struct rtc_cmos_state *s)
{
	return (s->bytes[RTC_B] & B_SET) || (s->bytes[RTC_A] & A_DV_MASK) != A_DV_32K;
}

/* Updates there have been since the time was base_seconds. */
static uint64_t updates(const struct rtc_cmos_state *s, uint64_t now_ns)
{
	return now_ns < s->update_ns ? 0 : (now_ns - s->update_ns) / NS_PER_S + 1;
}

static uint64_t seconds_at(const struct rtc_cmos_state *s, uint64_t now_ns)
{
	return s->base_seconds + updates(s, now_ns);
}

/* VM clock of the first update after now_ns. */
static uint64_t next_update_ns(const struct rtc_cmos_state *s, uint64_t now_ns)
{
	return s->update_ns + updates(s, now_ns) * NS_PER_S;
}

static uint64_t crystal_ticks(uint64_t ns)
{
	return ns / NS_PER_S * CRYSTAL_HZ + ns % NS_PER_S * CRYSTAL_HZ / NS_PER_S;
}

static uint64_t crystal_ns(uint64_t tick)
{
	return tick / CRYSTAL_HZ * NS_PER_S +
	       (tick % CRYSTAL_HZ * NS_PER_S + CRYSTAL_HZ - 1) / CRYSTAL_HZ;
}

/* "Periodic Interrupt Rate": crystal ticks, 0 = none. Rates 1 and 2 repeat 8 and 9. */
static uint64_t periodic_ticks(const struct rtc_cmos_state *s)
{
	unsigned rs = s->bytes[RTC_A] & A_RS_MASK;

	if (rs == 0 || (s->bytes[RTC_A] & A_DV_MASK) != A_DV_32K) {
		return 0;
	}
	return 1ULL << ((rs <= 2 ? rs + 7 : rs) - 1);
}

/* The time of day into its registers. */
static void spell_time(struct rtc_cmos_state *s, uint64_t seconds)
{
	uint8_t b = s->bytes[RTC_B];
	struct rtc_time t;

	rtc_time_split(seconds, &t);
	s->bytes[RTC_SECONDS] = rtc_encode(t.second, b);
	s->bytes[RTC_MINUTES] = rtc_encode(t.minute, b);
	s->bytes[RTC_HOURS] = rtc_encode_hour(t.hour, b);
	s->bytes[RTC_WEEKDAY] = rtc_encode((t.weekday + s->weekday_shift) % 7 + 1, b);
	s->bytes[RTC_DAY] = rtc_encode(t.day, b);
	s->bytes[RTC_MONTH] = rtc_encode(t.month, b);
	s->bytes[RTC_YEAR] = rtc_encode(t.year % 100, b);
	s->bytes[RTC_REG_CENTURY] = rtc_encode(t.year / 100, b);
}

/* And back: what the registers say is the time at now_ns. */
static void take_time(struct rtc_cmos_state *s, uint64_t now_ns)
{
	uint8_t b = s->bytes[RTC_B];
	struct rtc_time t = {
	        .second = rtc_decode(s->bytes[RTC_SECONDS], b),
	        .minute = rtc_decode(s->bytes[RTC_MINUTES], b),
	        .hour = rtc_decode_hour(s->bytes[RTC_HOURS], b),
	        .day = rtc_decode(s->bytes[RTC_DAY], b),
	        .month = rtc_decode(s->bytes[RTC_MONTH], b),
	        .year = rtc_decode(s->bytes[RTC_REG_CENTURY], b) % 100 * 100 +
	                rtc_decode(s->bytes[RTC_YEAR], b) % 100,
	};
	uint32_t weekday = rtc_decode(s->bytes[RTC_WEEKDAY], b);
	uint64_t seconds = rtc_time_join(&t), done = updates(s, now_ns);

	rtc_time_split(seconds, &t);
	s->weekday_shift = (uint8_t)((weekday + 6 + 7 - t.weekday) % 7);
	/* In year 0 there may not be as many seconds as there were updates: count them anew. */
	if (seconds < done) {
		s->update_ns += done * NS_PER_S;
		done = 0;
	}
	s->base_seconds = seconds - done;
}

static bool alarm_field(const struct rtc_cmos_state *s, enum rtc_reg alarm, uint8_t now)
{
	return s->bytes[alarm] >= ALARM_ANY || s->bytes[alarm] == now;
}

/*
 * The first second after 'seconds' that the alarm matches; false = none. Skips whole hours and
 * minutes, so it looks at no more than 25 + 60 + 60 candidates.
 */
static bool next_alarm(const struct rtc_cmos_state *s, uint64_t seconds, uint64_t *match)
{
	uint8_t b = s->bytes[RTC_B];
	uint64_t t = seconds + 1;

	for (unsigned i = 0; i < 160; i++) {
		uint32_t of_day = (uint32_t)(t % RTC_DAY_SECONDS);

		if (!alarm_field(s, RTC_HOURS_ALARM, rtc_encode_hour(of_day / 3600, b))) {
			t += 3600 - of_day % 3600;
		} else if (!alarm_field(s, RTC_MINUTES_ALARM, rtc_encode(of_day / 60 % 60, b))) {
			t += 60 - of_day % 60;
		} else if (!alarm_field(s, RTC_SECONDS_ALARM, rtc_encode(of_day % 60, b))) {
			t++;
		} else {
			*match = t;
			return true;
		}
	}
	return false;
}

/* VM clock at which an alarm rings that has not rung by checked_ns. */
static bool next_alarm_ns(const struct rtc_cmos_state *s, uint64_t *at_ns)
{
	uint64_t match;

	if (!next_alarm(s, seconds_at(s, s->checked_ns), &match)) {
		return false;
	}
	*at_ns = s->update_ns + (match - s->base_seconds - 1) * NS_PER_S;
	return true;
}

/* Flags of what happened since the last look. */
static void check_locked(struct rtc_cmos *rtc, uint64_t now_ns)
{
	struct rtc_cmos_state *s = &rtc->s;
	uint64_t period = periodic_ticks(s), alarm_ns;

	if (now_ns <= s->checked_ns) {
		return;
	}
	if (period && crystal_ticks(now_ns) / period != crystal_ticks(s->checked_ns) / period) {
		s->flags |= (uint8_t)C_PF;
	}
	if (!frozen(s) && updates(s, now_ns) != updates(s, s->checked_ns)) {
		s->flags |= (uint8_t)C_UF;
		if (next_alarm_ns(s, &alarm_ns) && alarm_ns <= now_ns) {
			s->flags |= (uint8_t)C_AF;
		}
	}
	s->checked_ns = now_ns;
}

/*
 * The line, and the timer for the next flag that would raise it. A flag that is set waits for the
 * guest to read register C, so no rate is faster than the guest. Flags are up to date.
 */
static void update_locked(struct rtc_cmos *rtc)
{
	struct rtc_cmos_state *s = &rtc->s;
	uint8_t wanted = s->bytes[RTC_B] & (uint8_t)~s->flags;
	uint64_t period = periodic_ticks(s), first = TIMER_NEVER, at;

	irq_source_set(&rtc->irq, s->bytes[RTC_B] & s->flags & (C_PF | C_AF | C_UF));
	if ((wanted & B_PIE) && period) {
		first = crystal_ns((crystal_ticks(s->checked_ns) / period + 1) * period);
	}
	if ((wanted & B_UIE) && !frozen(s)) {
		at = next_update_ns(s, s->checked_ns);
		first = at < first ? at : first;
	}
	if ((wanted & B_AIE) && !frozen(s) && next_alarm_ns(s, &at)) {
		first = at < first ? at : first;
	}
	if (first == TIMER_NEVER) {
		vm_timer_cancel(&rtc->timer);
	} else {
		vm_timer_arm(&rtc->timer, first);
	}
}

static void timer_due(void *arg)
{
	struct rtc_cmos *rtc = arg;

	spin_lock(&rtc->lock);
	check_locked(rtc, vm_clock_now(rtc->vm));
	update_locked(rtc);
	spin_unlock(&rtc->lock);
}

static bool is_time(unsigned reg)
{
	return reg == RTC_SECONDS || reg == RTC_MINUTES || reg == RTC_HOURS ||
	       (reg >= RTC_WEEKDAY && reg <= RTC_YEAR) || reg == RTC_REG_CENTURY;
}

static uint8_t read_data_locked(struct rtc_cmos *rtc, uint64_t now_ns)
{
	struct rtc_cmos_state *s = &rtc->s;
	uint8_t value;

	switch (s->index) {
	case RTC_A:
		/* "Update Cycle": time is good for at least 244 us after UIP was seen clear. */
		if (!frozen(s) && next_update_ns(s, now_ns) - now_ns <= UIP_NS) {
			return (uint8_t)(s->bytes[RTC_A] | A_UIP);
		}
		return s->bytes[RTC_A];
	case RTC_C:
		value = s->flags;
		if (value & s->bytes[RTC_B] & (C_PF | C_AF | C_UF)) {
			value |= (uint8_t)C_IRQF;
		}
		s->flags = 0;
		return value;
	case RTC_D:
		return D_VRT;
	default:
		if (is_time(s->index) && !frozen(s)) {
			spell_time(s, seconds_at(s, now_ns));
		}
		return s->bytes[s->index];
	}
}

/* Registers A and B: time may stop, and go on from what the registers say then. */
static void write_control_locked(struct rtc_cmos *rtc, uint8_t value, uint64_t now_ns)
{
	struct rtc_cmos_state *s = &rtc->s;
	bool was_frozen = frozen(s);
	bool divider_ran = (s->bytes[RTC_A] & A_DV_MASK) == A_DV_32K;

	if (!was_frozen) {
		spell_time(s, seconds_at(s, now_ns));
	}
	if (s->index == RTC_A) {
		s->bytes[RTC_A] = value & (uint8_t)~A_UIP;
	} else {
		/* "SET ... going high clears UIE." */
		s->bytes[RTC_B] = value & B_SET ? value & (uint8_t)~B_UIE : value;
	}
	if (!divider_ran && (s->bytes[RTC_A] & A_DV_MASK) == A_DV_32K) {
		s->update_ns = now_ns + FIRST_UPDATE_NS;
	}
	if (was_frozen && !frozen(s)) {
		take_time(s, now_ns);
	} else if (!was_frozen && !frozen(s)) {
		spell_time(s, seconds_at(s, now_ns)); /* the mode may be another */
	}
}

static void write_data_locked(struct rtc_cmos *rtc, uint8_t value, uint64_t now_ns)
{
	struct rtc_cmos_state *s = &rtc->s;

	switch (s->index) {
	case RTC_A:
	case RTC_B:
		write_control_locked(rtc, value, now_ns);
		break;
	case RTC_C: /* read-only */
	case RTC_D:
		break;
	default:
		if (is_time(s->index) && !frozen(s)) {
			/* Without SET a write changes the running time. */
			spell_time(s, seconds_at(s, now_ns));
			s->bytes[s->index] = value;
			take_time(s, now_ns);
		} else {
			s->bytes[s->index] = value;
		}
		break;
	}
}

static uint8_t rtc_read8(void *dev, unsigned reg)
{
	struct rtc_cmos *rtc = dev;
	uint64_t now_ns;
	uint8_t value;

	if (reg == 0) {
		return 0xff; /* the index port is write-only */
	}
	spin_lock(&rtc->lock);
	now_ns = vm_clock_now(rtc->vm);
	check_locked(rtc, now_ns);
	value = read_data_locked(rtc, now_ns);
	update_locked(rtc);
	spin_unlock(&rtc->lock);
	return value;
}

static void rtc_write8(void *dev, unsigned reg, uint8_t value)
{
	struct rtc_cmos *rtc = dev;
	uint64_t now_ns;

	spin_lock(&rtc->lock);
	if (reg == 0) {
		rtc->s.index = value & (RTC_CMOS_SIZE - 1);
		rtc->s.nmi_disabled = value & RTC_CMOS_SIZE;
	} else {
		now_ns = vm_clock_now(rtc->vm);
		check_locked(rtc, now_ns);
		write_data_locked(rtc, value, now_ns);
		update_locked(rtc);
	}
	spin_unlock(&rtc->lock);
}

static uint64_t rtc_read(void *dev, uint64_t offset, unsigned width)
{
	return port8_read(rtc_read8, dev, offset, width);
}

static void rtc_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	port8_write(rtc_write8, dev, offset, width, value);
}

static const struct io_ops rtc_ops = {
        .name = "MC146818",
        .read = rtc_read,
        .write = rtc_write,
};

void rtc_cmos_init(struct rtc_cmos *rtc)
{
	memset(rtc, 0, sizeof(*rtc));
	rtc->s.version = STATE_VERSION;
	rtc->s.bytes[RTC_A] = A_RESET;
	rtc->s.bytes[RTC_B] = RTC_B_24H;
	rtc->s.base_seconds = RTC_UNIX_EPOCH;
}

int rtc_cmos_attach(
        struct rtc_cmos *rtc, struct vm *vm, uint16_t port, unsigned gsi, uint64_t wall_seconds)
{
	int err;

	rtc->vm = vm;
	rtc->s.checked_ns = vm_clock_now(vm);
	rtc->s.update_ns = rtc->s.checked_ns + NS_PER_S;
	rtc->s.base_seconds = RTC_UNIX_EPOCH + wall_seconds;
	vm_timer_init(&rtc->timer, vm, timer_due, rtc);
	rtc->range = (struct io_range){
	        .base = port, .len = 2, .ops = &rtc_ops, .dev = rtc, .kind = IO_FIXED};
	err = io_bus_add(&vm->pio, &rtc->range);
	if (err) {
		return err;
	}
	err = irq_source_init(&rtc->irq, &vm->irq, gsi, NULL, NULL);
	if (err) {
		io_bus_remove(&vm->pio, &rtc->range);
	}
	return err;
}

/* "RESET": what the pin clears; time, alarm and memory have a battery. */
void rtc_cmos_reset(struct rtc_cmos *rtc)
{
	spin_lock(&rtc->lock);
	check_locked(rtc, vm_clock_now(rtc->vm));
	rtc->s.bytes[RTC_B] &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
	rtc->s.flags = 0;
	rtc->s.index = 0;
	rtc->s.nmi_disabled = false;
	update_locked(rtc);
	spin_unlock(&rtc->lock);
}

void rtc_cmos_quiesce(struct rtc_cmos *rtc)
{
	spin_lock(&rtc->lock);
	vm_timer_cancel(&rtc->timer);
	spin_unlock(&rtc->lock);
}

void rtc_cmos_set_byte(struct rtc_cmos *rtc, unsigned index, uint8_t value)
{
	if (index >= RTC_FIRST_RAM && index < RTC_CMOS_SIZE && !is_time(index)) {
		spin_lock(&rtc->lock);
		rtc->s.bytes[index] = value;
		spin_unlock(&rtc->lock);
	}
}

void rtc_cmos_time_passed(struct rtc_cmos *rtc, uint64_t paused_ns)
{
	struct rtc_cmos_state *s = &rtc->s;

	spin_lock(&rtc->lock);
	check_locked(rtc, vm_clock_now(rtc->vm));
	/* One that the guest has stopped stays where it is. */
	if (!frozen(s)) {
		uint64_t late_ns = s->behind_ns + paused_ns;

		s->base_seconds += late_ns / NS_PER_S;
		s->behind_ns = late_ns % NS_PER_S;
	}
	update_locked(rtc);
	spin_unlock(&rtc->lock);
}

void rtc_cmos_dump(const struct rtc_cmos *rtc, struct out *out)
{
	const struct rtc_cmos_state *s = &rtc->s;
	struct rtc_time t;

	rtc_time_split(seconds_at(s, vm_clock_now(rtc->vm)), &t);
	out_print(out, "%04u-%02u-%02u %02u:%02u:%02u%s, A %02x B %02x C %02x\n", t.year, t.month,
	        t.day, t.hour, t.minute, t.second, frozen(s) ? " (stopped)" : "", s->bytes[RTC_A],
	        s->bytes[RTC_B], s->flags);
	out_print(out, "  index %02x%s, alarm %02x:%02x:%02x, interrupts:%s%s%s\n", s->index,
	        s->nmi_disabled ? ", NMI off" : "", s->bytes[RTC_HOURS_ALARM],
	        s->bytes[RTC_MINUTES_ALARM], s->bytes[RTC_SECONDS_ALARM],
	        s->bytes[RTC_B] & B_PIE ? " periodic" : "", s->bytes[RTC_B] & B_AIE ? " alarm" : "",
	        s->bytes[RTC_B] & B_UIE ? " update" : "");
	for (unsigned i = 0; i < sizeof(s->bytes); i += 16) {
		const uint8_t *b = &s->bytes[i];

		out_print(out,
		        "  %02x: %02x %02x %02x %02x %02x %02x %02x %02x  %02x %02x %02x %02x %02x "
		        "%02x %02x %02x\n",
		        i, b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
		        b[12], b[13], b[14], b[15]);
	}
}
