/*
 * The local APIC's timer: one-shot, periodic, TSC deadline.
 *
 * Follows the Intel SDM volume 3A, section 11.5.4.  The counter is computed from virtual time; a
 * core timer runs only while an interrupt can come of it.
 *
 * Not modelled: see hw/lapic.c.
 */
#include "hw/lapic_int.h"

#define TICK_NS (NS_PER_SEC / LAPIC_BUS_HZ)

static uint64_t lapic_tick_ns(const struct lapic *l)
{
    unsigned d = (l->s.divide & 3) | (l->s.divide >> 1 & 4);
    return TICK_NS * (d == 7 ? 1 : 2u << d);
}

static uint64_t lapic_now(const struct lapic *l)
{
    return (uint64_t)clock_now(l->dev.m);
}

uint32_t lapic_count_at(const struct lapic *l, uint64_t now)
{
    uint32_t lvt = l->s.lvt[LVT_TIMER];
    if (!l->s.counting || !l->s.initial || (lvt & LVT_DEADLINE)) {
        return 0;
    }
    uint64_t ticks = (now - l->s.count_start) / lapic_tick_ns(l);
    if (lvt & LVT_PERIODIC) {
        return l->s.initial - ticks % l->s.initial;
    }
    return ticks >= l->s.initial ? 0 : l->s.initial - ticks;
}

static uint64_t lapic_period_ns(const struct lapic *l)
{
    return l->s.initial * lapic_tick_ns(l);
}

/*
 * Program the core timer for the next interrupt after `now`; periods that passed before are not
 * made up for.  Whoever changes the set-up looks at the clock once: a count that ran out between
 * two looks would be taken for one that ran out long ago, and its interrupt would never come.
 */
static void lapic_arm(struct lapic *l, uint64_t now)
{
    uint32_t lvt = l->s.lvt[LVT_TIMER];

    timer_stop(&l->s.timer);
    if (lvt & LVT_MASKED) {
        return;
    }
    if (lvt & LVT_DEADLINE) {
        if (l->s.tsc_deadline) {
            timer_at(&l->s.timer, (int64_t)MIN(l->s.tsc_deadline, (uint64_t)INT64_MAX));
        }
        return;
    }
    if (!l->s.counting || !l->s.initial) {
        return;
    }
    uint64_t period = lapic_period_ns(l), done = (now - l->s.count_start) / period;
    if (lvt & LVT_PERIODIC) {
        l->s.fired = MAX(l->s.fired, done);
    } else if (done || l->s.fired) {
        return;
    }
    timer_at(&l->s.timer, (int64_t)(l->s.count_start + (l->s.fired + 1) * period));
}

/*
 * A period is over.  While the guest has not taken the last interrupt, this one would merge with it
 * in IRR: it is put off.  What the host was late with follows faster, within the bounds of
 * CATCH_UP.
 */
static void lapic_fire_periodic(struct lapic *l)
{
    uint8_t vector = l->s.lvt[LVT_TIMER] & 0xff;
    bool put_off = l->s.irr[vector >> 5] & BIT(vector & 31);
    uint64_t period = lapic_period_ns(l), now = lapic_now(l);
    uint64_t done = (now - l->s.count_start) / period, lag = CATCH_UP_NS / period;

    if (!put_off) {
        l->s.fired++;
        lapic_local(l, LVT_TIMER);
    }
    lag = MAX(lag, CATCH_UP_PERIODS);
    if (done > l->s.fired + lag) {
        l->s.fired = done - lag;
    }
    uint64_t next = l->s.count_start + (l->s.fired + 1) * period;
    uint64_t not_before =
        now + MAX(put_off ? period : period / CATCH_UP_SPEED, (uint64_t)PERIOD_MIN_NS);
    if (next <= now) {
        timer_retry_at(&l->s.timer, (int64_t)not_before);
    } else {
        timer_at(&l->s.timer, (int64_t)MAX(next, not_before));
    }
}

void lapic_timer_fire(struct device *dev, unsigned n)
{
    struct lapic *l = (struct lapic *)dev;
    uint32_t lvt = l->s.lvt[LVT_TIMER];
    (void)n;

    if (lvt & LVT_DEADLINE) {
        l->s.tsc_deadline = 0;
    } else if (lvt & LVT_PERIODIC) {
        lapic_fire_periodic(l);
        return;
    } else {
        l->s.fired++;
    }
    lapic_local(l, LVT_TIMER);
}

uint64_t lapic_timer_settle(struct lapic *l)
{
    uint64_t now = lapic_now(l);
    if (l->s.timer.armed && (uint64_t)l->s.timer.deadline <= now) {
        timer_stop(&l->s.timer);
        lapic_timer_fire(&l->dev, 0);
    }
    return now;
}

uint32_t lapic_read_current(struct lapic *l)
{
    return lapic_count_at(l, lapic_timer_settle(l));
}

void lapic_write_initial(struct lapic *l, uint32_t val)
{
    if (l->s.lvt[LVT_TIMER] & LVT_DEADLINE) {
        return;
    }
    uint64_t now = lapic_timer_settle(l);
    l->s.initial = val;
    l->s.count_start = now;
    l->s.fired = 0;
    l->s.counting = val != 0;
    lapic_arm(l, now);
}

/* What is left of the count goes on at the new speed. */
void lapic_write_divide(struct lapic *l, uint32_t val)
{
    uint64_t now = lapic_timer_settle(l);
    uint32_t left = lapic_count_at(l, now);
    l->s.divide = val & 11;
    if (left) {
        l->s.count_start = now - (l->s.initial - left) * lapic_tick_ns(l);
        l->s.fired = 0;
    } else {
        l->s.counting = false;
    }
    lapic_arm(l, now);
}

void lapic_write_lvt_timer(struct lapic *l, uint32_t val)
{
    uint32_t old = l->s.lvt[LVT_TIMER];
    uint64_t now = lapic_timer_settle(l);

    if (val & LVT_DEADLINE) {
        val &= ~LVT_PERIODIC;
    }
    if ((old ^ val) & LVT_DEADLINE) { /* changing to or from deadline mode disarms */
        l->s.tsc_deadline = 0;
        l->s.counting = false;
    } else if (((old ^ val) & LVT_PERIODIC) && l->s.counting) {
        uint32_t left = lapic_count_at(l, now);
        l->s.count_start = now - (l->s.initial - left) * lapic_tick_ns(l);
        l->s.counting = left != 0;
        l->s.fired = 0;
    }
    l->s.lvt[LVT_TIMER] = val;
    lapic_arm(l, now);
}

void lapic_timer_resume(struct lapic *l, uint32_t current)
{
    uint64_t now = lapic_now(l);

    l->s.fired = 0;
    l->s.counting = current && current <= l->s.initial && !(l->s.lvt[LVT_TIMER] & LVT_DEADLINE);
    l->s.count_start =
        l->s.counting ? now - (uint64_t)(l->s.initial - current) * lapic_tick_ns(l) : 0;
    lapic_arm(l, now);
}

void lapic_write_tsc_deadline(struct lapic *l, uint64_t val)
{
    uint64_t now = lapic_timer_settle(l);
    if (!(l->s.lvt[LVT_TIMER] & LVT_DEADLINE)) {
        return;
    }
    l->s.tsc_deadline = val;
    if (val && val <= now && !(l->s.lvt[LVT_TIMER] & LVT_MASKED)) {
        timer_stop(&l->s.timer); /* in the past: no detour over the I/O thread */
        lapic_timer_fire(&l->dev, 0);
        return;
    }
    lapic_arm(l, now);
}
