/*
 * Virtual time: real (host monotonic plus an offset, loop.c sleeps until the next deadline) or
 * stepped by hand.
 *
 * Not modelled: clocks that drift against each other; every device counts the same nanoseconds.
 */
#include "hw/core/machine.h"
#include <time.h>

/* Timers fired per round before others get the lock: a guest may program absurdly short periods. */
#define ROUND_MAX 256
/* Stepped: firings without progress of time after which the timer is taken for a runaway. */
#define STUCK_MAX 10000
/* Devices that are behind at one time: timers of the board and one per processor.  More wait for
 * their deadlines. */
#define RETRIES_MAX 16

int64_t clock_host_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

void clock_init(struct machine *m)
{
    m->timers = g_sequence_new(NULL);
}

void clock_fini(struct machine *m)
{
    g_clear_pointer(&m->timers, g_sequence_free);
}

int64_t clock_now(const struct machine *m)
{
    if (atomic_load_explicit(&m->clock_running, memory_order_acquire)) {
        return clock_host_now() + atomic_load_explicit(&m->clock_offset, memory_order_relaxed);
    }
    return atomic_load_explicit(&m->clock_stepped_now, memory_order_relaxed);
}

int64_t clock_real(const struct machine *m)
{
    return m->clock_stepped ? clock_now(m) + m->clock_stepped_real : g_get_real_time() * NS_PER_US;
}

void clock_set_stepped(struct machine *m)
{
    clock_pause(m);
    m->clock_stepped = true;
}

void clock_start(struct machine *m)
{
    if (m->clock_stepped || m->clock_running) {
        return;
    }
    atomic_store(&m->clock_offset, atomic_load(&m->clock_stepped_now) - clock_host_now());
    atomic_store(&m->clock_running, true);
    loop_wake(m);
}

void clock_pause(struct machine *m)
{
    if (m->clock_running) {
        atomic_store(&m->clock_stepped_now, clock_now(m));
        atomic_store(&m->clock_running, false);
        loop_wake(m);
    }
}

/* Timers ------------------------------------------------------------------------------------ */

static int timer_compare(gconstpointer a, gconstpointer b, G_GNUC_UNUSED gpointer data)
{
    const struct timer *x = a, *y = b;

    return (x->deadline > y->deadline) - (x->deadline < y->deadline);
}

void timer_init(struct timer *t, struct device *dev, void (*fn)(struct device *, unsigned),
                unsigned n)
{
    t->m = dev->m;
    t->dev = dev;
    t->fn = fn;
    t->n = n;
    t->armed = false;
    t->at = NULL;
    t->retry = false;
}

static void timer_set_retry(struct timer *t, bool retry)
{
    t->m->timer_retries += (unsigned)retry - (unsigned)t->retry;
    t->retry = retry;
}

void timer_at(struct timer *t, int64_t deadline)
{
    if (!t->m) {
        return; /* never bound */
    }
    timer_set_retry(t, false);
    t->deadline = deadline;
    t->armed = true;
    if (t->at) {
        g_sequence_sort_changed(t->at, timer_compare, NULL);
    } else {
        t->at = g_sequence_insert_sorted(t->m->timers, t, timer_compare, NULL);
    }
    if (unlikely(t->dev->trace_mask & TR_TIMER)) {
        trace_write(t->m, t->dev->name, TR_TIMER, "timer %u at %" G_GINT64_FORMAT, t->n, deadline);
    }
    if (g_sequence_iter_is_begin(t->at)) {
        loop_wake(t->m);
    }
}

void timer_retry_at(struct timer *t, int64_t deadline)
{
    timer_at(t, deadline);
    if (t->m) {
        timer_set_retry(t, true);
    }
}

void timer_stop(struct timer *t)
{
    t->armed = false;
    if (t->at) {
        timer_set_retry(t, false);
        g_sequence_remove(t->at);
        t->at = NULL;
    }
}

static struct timer *clock_first(struct machine *m)
{
    GSequenceIter *it = g_sequence_get_begin_iter(m->timers);

    return g_sequence_iter_is_end(it) ? NULL : g_sequence_get(it);
}

int64_t clock_next_deadline(struct machine *m)
{
    const struct timer *t = clock_first(m);

    return t ? MAX(t->deadline, 0) : -1;
}

static void timer_fire(struct timer *t)
{
    timer_stop(t);
    trace(t->dev, TR_TIMER, "timer %u fires", t->n);
    t->fn(t->dev, t->n);
}

void clock_run_due(struct machine *m)
{
    int64_t now = clock_now(m);

    if (!m->clock_running) {
        return;
    }
    for (unsigned i = 0; i < ROUND_MAX; i++) {
        struct timer *t = clock_first(m);

        if (!t || t->deadline > now) {
            break;
        }
        timer_fire(t);
    }
}

/* Firing changes the queue, so they are gathered first; who waits again is not asked twice. */
void clock_interrupt_taken(struct machine *m)
{
    struct timer *waiting[RETRIES_MAX];
    unsigned n = 0;

    if (likely(!m->timer_retries)) {
        return;
    }
    for (GSequenceIter *it = g_sequence_get_begin_iter(m->timers);
         n < RETRIES_MAX && !g_sequence_iter_is_end(it); it = g_sequence_iter_next(it)) {
        struct timer *t = g_sequence_get(it);

        if (t->retry) {
            waiting[n++] = t;
        }
    }
    for (unsigned i = 0; i < n; i++) {
        if (waiting[i]->retry) { /* another's firing may have stopped it */
            timer_fire(waiting[i]);
        }
    }
}

void clock_step(struct machine *m, int64_t ns)
{
    int64_t now = clock_now(m), end = now + MAX(ns, 0);
    unsigned stuck = 0;

    for (struct timer *t; (t = clock_first(m)) && t->deadline <= end;) {
        if (t->deadline > now) {
            now = t->deadline;
            stuck = 0;
        }
        atomic_store(&m->clock_stepped_now, now);
        if (++stuck > STUCK_MAX) {
            guest_error(t->dev, "timer %u fires without end", t->n);
            timer_stop(t);
            continue;
        }
        timer_fire(t);
    }
    atomic_store(&m->clock_stepped_now, end);
}
