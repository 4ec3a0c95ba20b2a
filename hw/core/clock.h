/*
 * Virtual time: one clock per machine, in nanoseconds since power-on, standing still while the
 * machine is stopped.
 *
 * Two drivers: real time (the I/O thread sleeps until the next deadline) and stepped (tests and
 * instruction-counted runs move time by hand).  Timers are one-shot and fire under the machine
 * lock.
 *
 * Not modelled: a clock that runs at another rate than the host's.
 */
#ifndef HW_CORE_CLOCK_H
#define HW_CORE_CLOCK_H

#include "hw/core/base.h"

struct machine;
struct device;

/* Embed in a device's `s`.  Only `deadline` and `armed` are state; the rest is wiring set by
 * timer_init. */
struct timer {
    int64_t deadline; /* ns of virtual time */
    bool armed;
    struct machine *m;
    struct device *dev;
    void (*fn)(struct device *dev, unsigned n);
    unsigned n;
    GSequenceIter *at; /* place in the machine's queue while armed */
    bool retry;        /* timer_retry_at: fires at the guest's next interrupt too */
};

/* Bind a timer to a device and function; call once from `attach`.  `n` is handed to fn (which
 * channel, say). */
void timer_init(struct timer *t, struct device *dev, void (*fn)(struct device *, unsigned),
                unsigned n);
/* Arm for virtual time `deadline` (past deadlines fire as soon as possible).  Lock held. */
void timer_at(struct timer *t, int64_t deadline);
/*
 * The same for a device that is behind with interrupts and waits for the guest to take the last
 * one: besides, the timer fires as soon as the guest has taken an interrupt, whichever.  Lock held.
 */
void timer_retry_at(struct timer *t, int64_t deadline);
/* Disarm; harmless when not armed.  Lock held. */
void timer_stop(struct timer *t);

/* Virtual nanoseconds since power-on.  Any thread, no lock needed. */
int64_t clock_now(const struct machine *m);
/* The host's monotonic clock, ns.  Any thread. */
int64_t clock_host_now(void);

/* The host's clock, in ns since 1970.  In stepped mode it follows virtual time, plus
 * m->clock_stepped_real.  Any thread. */
int64_t clock_real(const struct machine *m);

/* now * hz / 1e9 without overflow: how many ticks of a clock of `hz` have passed at `ns`. */
static inline uint64_t clock_ns_to_ticks(int64_t ns, uint64_t hz)
{
    return (uint64_t)(((unsigned __int128)(uint64_t)ns * hz) / (uint64_t)NS_PER_SEC);
}

/* The first nanosecond at which clock_ns_to_ticks gives `ticks`. */
static inline int64_t clock_ticks_to_ns(uint64_t ticks, uint64_t hz)
{
    return (int64_t)(((unsigned __int128)ticks * (uint64_t)NS_PER_SEC + hz - 1) / hz);
}

/*
 * What a device's periodic timer does when the host was late with it, or with running the guest
 * that is to take its interrupt: the missed periods follow as fast as the guest takes them
 * (timer_retry_at), and without a sign of it at CATCH_UP_SPEED times the rate, as long as they are
 * not older than CATCH_UP_PERIODS periods or CATCH_UP_NS, whichever is more.  So a guest that
 * counts interrupts keeps time also where it gets a small part of a busy host.
 */
#define CATCH_UP_SPEED   4
#define CATCH_UP_PERIODS 10
#define CATCH_UP_NS      (5 * NS_PER_SEC)
/* Interrupts closer together than this do nobody good and would eat the host's I/O thread. */
#define PERIOD_MIN_NS (50 * NS_PER_US)

/* Stepped mode: time moves only by clock_step, which fires due timers in order.  Before
 * machine_run; lock held. */
void clock_set_stepped(struct machine *m);
void clock_step(struct machine *m, int64_t ns);

/* Used by machine.c: the timer queue. */
void clock_init(struct machine *m);
void clock_fini(struct machine *m);
/* Used by machine.c: start and stop the flow of time; the I/O loop's deadline (-1: none) and firing
 * of due timers. */
void clock_start(struct machine *m);
void clock_pause(struct machine *m);
int64_t clock_next_deadline(struct machine *m);
void clock_run_due(struct machine *m);
/* Used by vcpu.c: a processor took an interrupt.  Lock held. */
void clock_interrupt_taken(struct machine *m);

#endif
