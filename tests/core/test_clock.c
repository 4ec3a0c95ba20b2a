/*
 * Virtual time: stepped timers, and conversion of ticks.
 *
 * Not modelled: the CPU.
 */
#include "tests/rig.h"
#include <criterion/criterion.h>

struct ticker {
    struct device dev;
    struct timer timer[4];
    GString *log;
    int64_t period; /* 0: do not arm again */
    unsigned fired;
};

static void ticker_fire(struct device *dev, unsigned n)
{
    struct ticker *t = (struct ticker *)dev;

    t->fired++;
    if (t->log) {
        g_string_append_printf(t->log, "%u@%lld ", n, (long long)clock_now(dev->m));
    }
    if (t->period) {
        timer_at(&t->timer[n], t->timer[n].deadline + t->period);
    }
}

static bool ticker_attach(struct device *dev, G_GNUC_UNUSED GError **err)
{
    struct ticker *t = (struct ticker *)dev;

    for (unsigned i = 0; i < 4; i++) {
        timer_init(&t->timer[i], dev, ticker_fire, i);
    }
    return true;
}

static const struct device_ops ticker_ops = {
    .name = "ticker", .size = sizeof(struct ticker), .attach = ticker_attach};

static struct rig *ticker_rig(struct ticker **t)
{
    struct rig *r = rig_begin(NULL);

    *t = (struct ticker *)device_new(r->m, &ticker_ops, "ticker");
    rig_ready(r);
    (*t)->log = g_string_new(NULL);
    return r;
}

Test(clock, timers_fire_in_order_at_their_time)
{
    struct ticker *t;
    struct rig *r = ticker_rig(&t);

    timer_at(&t->timer[0], 300);
    timer_at(&t->timer[1], 100);
    timer_at(&t->timer[2], 200);
    timer_at(&t->timer[3], 200);
    rig_step(r, 99);
    cr_assert_str_eq(t->log->str, "");
    cr_assert_eq(clock_next_deadline(r->m), 100);
    rig_step(r, 101);
    cr_assert_str_eq(t->log->str, "1@100 2@200 3@200 ", "%s", t->log->str);
    cr_assert(!t->timer[1].armed && t->timer[0].armed);
    timer_stop(&t->timer[0]);
    timer_stop(&t->timer[0]);
    rig_step(r, 1000);
    cr_assert_eq(clock_now(r->m), 1200);
    cr_assert_eq(t->fired, 3);
    timer_at(&t->timer[0], 5); /* past: as soon as possible */
    rig_step(r, 0);
    cr_assert_str_eq(t->log->str, "1@100 2@200 3@200 0@1200 ");
    g_string_free(t->log, TRUE);
    rig_free(r);
}

Test(clock, a_timer_armed_again_in_its_callback_keeps_its_beat)
{
    struct ticker *t;
    struct rig *r = ticker_rig(&t);

    t->period = 10;
    timer_at(&t->timer[0], 10);
    timer_at(&t->timer[1], 15);
    rig_step(r, 35);
    cr_assert_str_eq(t->log->str, "0@10 1@15 0@20 1@25 0@30 1@35 ", "%s", t->log->str);
    g_string_free(t->log, TRUE);
    rig_free(r);
}

Test(clock, moving_an_armed_timer_moves_it)
{
    struct ticker *t;
    struct rig *r = ticker_rig(&t);

    timer_at(&t->timer[0], 10);
    timer_at(&t->timer[1], 20);
    timer_at(&t->timer[0], 30);
    cr_assert_eq(clock_next_deadline(r->m), 20);
    rig_step(r, 30);
    cr_assert_str_eq(t->log->str, "1@20 0@30 ");
    g_string_free(t->log, TRUE);
    rig_free(r);
}

static void ticker_stick(struct device *dev, unsigned n)
{
    timer_at(&((struct ticker *)dev)->timer[n], 0);
}

Test(clock, a_timer_that_never_lets_time_pass_is_stopped, .timeout = 20)
{
    struct ticker *t;
    struct rig *r = ticker_rig(&t);

    timer_init(&t->timer[0], &t->dev, ticker_stick, 0);
    timer_at(&t->timer[0], 0);
    rig_step(r, 100);
    cr_assert_eq(clock_now(r->m), 100);
    cr_assert_eq(t->dev.guest_errors, 1);
    g_string_free(t->log, TRUE);
    rig_free(r);
}

Test(clock, real_time_stands_still_while_paused)
{
    struct vm_config c;
    struct machine *m;
    int64_t a, begun;

    vm_config_init(&c);
    m = machine_new(&c, NULL);
    vm_config_clear(&c);
    machine_lock(m);
    cr_assert_eq(clock_now(m), 0);
    clock_start(m);
    g_usleep(2000);
    clock_pause(m);
    a = clock_now(m);
    cr_assert(a >= 2 * NS_PER_MS, "%lld", (long long)a);
    g_usleep(2000);
    cr_assert_eq(clock_now(m), a);
    begun = clock_host_now();
    clock_start(m);
    cr_assert_geq(clock_now(m), a);
    a = clock_now(m) - a;
    cr_assert_leq(a, clock_host_now() - begun, "no time is made up for");
    machine_unlock(m);
    machine_free(m);
}

Test(clock, ticks_and_nanoseconds_convert_without_overflow)
{
    static const uint64_t hz[] = {1193182, 3579545, 32768, 100000000, 1000000000};

    for (unsigned i = 0; i < ARRAY_LEN(hz); i++) {
        for (uint64_t ticks = 0; ticks < 1ull << 40; ticks = ticks * 3 + 1) {
            int64_t ns = clock_ticks_to_ns(ticks, hz[i]);

            cr_assert_eq(clock_ns_to_ticks(ns, hz[i]), ticks);
            cr_assert(!ns || clock_ns_to_ticks(ns - 1, hz[i]) == ticks - 1);
        }
    }
}

Test(clock, who_waits_for_the_guest_fires_when_it_takes_an_interrupt)
{
    struct ticker *t;
    struct rig *r = ticker_rig(&t);

    timer_at(&t->timer[0], 100);
    timer_retry_at(&t->timer[1], 200);
    timer_retry_at(&t->timer[2], 300);
    timer_retry_at(&t->timer[3], 400);
    timer_stop(&t->timer[2]);
    timer_at(&t->timer[3], 400);
    rig_step(r, 50);
    clock_interrupt_taken(r->m);
    cr_expect_str_eq(t->log->str, "1@50 ", "nobody else");
    clock_interrupt_taken(r->m);
    rig_step(r, 1000);
    cr_expect_str_eq(t->log->str, "1@50 0@100 3@400 ", "once");
    cr_expect_eq(r->m->timer_retries, 0);
    timer_retry_at(&t->timer[2], 2000);
    rig_step(r, 1000);
    cr_expect_eq(t->fired, 4, "or at its deadline");
    cr_expect_eq(r->m->timer_retries, 0);
    g_string_free(t->log, true);
    rig_free(r);
}
