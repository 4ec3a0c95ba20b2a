/*
 * High precision event timers: one block of three comparators on a 64-bit counter of 100 MHz.
 *
 * Follows the IA-PC HPET specification 1.0a.  Nothing counts here: the counter is computed from
 * virtual time, and what a comparator matched since it was last looked at follows from the counter
 * (hpet_settle).  A core timer runs only where an interrupt can come of it.
 *
 * Two departures, because a host may be late where hardware is not.  Missed periods follow faster,
 * within the bounds of CATCH_UP (hw/core/clock.h), as long as the guest takes them.  A comparator
 * that is set to a moment not more than LATE_TICKS ago matches at once: the guest read the counter,
 * added a little, and was held up; on hardware it would have waited for the counter to come round.
 *
 * Not modelled: accesses other than aligned ones of 4 and 8 bytes (undefined there, ones here),
 * several timer blocks.
 */
#include "hw/hpet.h"
#include "hw/lapic.h"

enum {
    REG_CAP = 0x000,
    REG_CONF = 0x010,
    REG_STATUS = 0x020,
    REG_COUNTER = 0x0f0,
    REG_TIMERS = 0x100,
    TIMER_STRIDE = 0x20,
    TIMER_CONF = 0x00,
    TIMER_COMPARATOR = 0x08,
    TIMER_FSB = 0x10,
};
enum { CONF_ENABLE = BIT(0), CONF_LEGACY = BIT(1) };
enum {
    T_LEVEL = BIT(1),
    T_INT = BIT(2),
    T_PERIODIC = BIT(3),
    T_VAL_SET = BIT(6),
    T_32BIT = BIT(8),
    T_ROUTE = 0x3e00,
    T_FSB = BIT(14),
    /* What can be written; VAL_SET reads as zero. */
    T_WRITABLE = T_LEVEL | T_INT | T_PERIODIC | T_VAL_SET | T_32BIT | T_FSB,
    /* Periodic, 64 bits wide, FSB delivery. */
    T_CAPABILITIES = BIT(4) | BIT(5) | BIT(15),
};

#define LATE_TICKS (NS_PER_MS / HPET_TICK_NS)

struct hpet_timer {
    uint64_t comparator;
    uint64_t period; /* what is added to it at a match in periodic mode */
    uint64_t fsb;    /* value; address in the upper half */
    uint64_t seen;   /* counter up to and with which matches are settled */
    uint64_t behind; /* matches whose interrupts are still to come */
    struct timer event;
    uint32_t conf;
    bool out; /* this timer's part of its interrupt line */
    uint8_t hole[3];
};

struct hpet {
    struct device dev;
    struct hpet_state {
        struct hpet_timer timer[HPET_TIMERS];
        struct line irq[HPET_OUTPUTS];
        struct line legacy;
        uint64_t counter; /* halted: its value; running: what it was at `start` */
        uint64_t start;   /* ns */
        uint32_t status;
        uint32_t conf;
    } s;
    struct region region;
    bool (*waiting)(void *opaque, unsigned output); /* see hpet_set_waiting */
    void *waiting_opaque;
};

#define T(m, ...) STATE(struct hpet_timer, m, __VA_ARGS__)
static const struct state_field hpet_timer_state[] = {
    T(comparator, .reset = UINT64_MAX),
    T(period),
    T(fsb),
    T(seen),
    T(behind),
    T(event),
    T(conf),
    T(out),
    STATE_HOLE(struct hpet_timer, hole),
    STATE_END,
};
static const struct state_field hpet_state[] = {
    STATE_STRUCTS(struct hpet, s.timer, hpet_timer_state),
    STATE_ARRAY(struct hpet, s.irq),
    STATE(struct hpet, s.legacy),
    STATE(struct hpet, s.counter),
    STATE(struct hpet, s.start),
    STATE(struct hpet, s.status, .max = BIT(HPET_TIMERS) - 1),
    STATE(struct hpet, s.conf, .max = CONF_ENABLE | CONF_LEGACY),
    STATE_END,
};
#undef T

static uint64_t hpet_counter(const struct hpet *h)
{
    if (!(h->s.conf & CONF_ENABLE)) {
        return h->s.counter;
    }
    return h->s.counter + ((uint64_t)clock_now(h->dev.m) - h->s.start) / HPET_TICK_NS;
}

static uint64_t hpet_mask(const struct hpet_timer *t)
{
    return t->conf & T_32BIT ? UINT32_MAX : UINT64_MAX;
}

/* Messages have no level: status and line stay as they are. */
static bool hpet_is_level(const struct hpet_timer *t)
{
    return (t->conf & (T_LEVEL | T_FSB)) == T_LEVEL;
}

static bool hpet_can_interrupt(const struct hpet *h, const struct hpet_timer *t)
{
    return (h->s.conf & CONF_ENABLE) && (t->conf & T_INT);
}

/* Ticks from `seen` to the next match, less one, so that a whole turn of the counter fits. */
static uint64_t hpet_ticks_before_match(const struct hpet_timer *t)
{
    return (t->comparator - t->seen - 1) & hpet_mask(t);
}

/* Outputs ------------------------------------------------------------------------------------- */

/* Which output the timer drives; HPET_OUTPUTS: none. */
static unsigned hpet_output(const struct hpet *h, unsigned n)
{
    const struct hpet_timer *t = &h->s.timer[n];
    unsigned route = (t->conf & T_ROUTE) >> 9;

    if (t->conf & T_FSB) {
        return HPET_OUTPUTS;
    }
    if ((h->s.conf & CONF_LEGACY) && n < 2) {
        return n;
    }
    return route >= HPET_FIRST_PIN ? HPET_PIN_OUTPUT(route) : HPET_OUTPUTS;
}

static void hpet_update_lines(struct hpet *h)
{
    bool level[HPET_OUTPUTS + 1] = {false};

    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        struct hpet_timer *t = &h->s.timer[n];

        if (!hpet_can_interrupt(h, t)) {
            t->out = false;
        } else if (hpet_is_level(t)) {
            t->out = h->s.status & BIT(n);
        }
        level[hpet_output(h, n)] |= t->out;
    }
    for (unsigned i = 0; i < HPET_OUTPUTS; i++) {
        line_set(&h->s.irq[i], level[i]);
    }
}

static void hpet_send_message(struct hpet *h, const struct hpet_timer *t)
{
    uint64_t address = t->fsb >> 32;
    uint8_t data[4];

    if (address >> 20 == 0xfee) {
        lapic_deliver_msi(h->dev.m, address, (uint32_t)t->fsb);
        return;
    }
    st_le32(data, (uint32_t)t->fsb);
    dma_write(h->dev.m, address & ~3ull, data, sizeof data);
}

/* A match becomes an interrupt. */
static void hpet_interrupt(struct hpet *h, unsigned n)
{
    struct hpet_timer *t = &h->s.timer[n];

    trace(&h->dev, TR_IRQ, "timer %u interrupts", n);
    if (t->conf & T_FSB) {
        hpet_send_message(h, t);
    } else if (hpet_is_level(t)) {
        h->s.status |= BIT(n);
        hpet_update_lines(h);
    } else {
        t->out = false; /* the last edge left it high */
        hpet_update_lines(h);
        t->out = true;
        hpet_update_lines(h);
    }
}

/* Whether the guest has still to take the timer's last interrupt, so that another one would vanish
 * in it. */
static bool hpet_is_waiting(struct hpet *h, unsigned n)
{
    const struct hpet_timer *t = &h->s.timer[n];
    unsigned output = hpet_output(h, n);

    if (t->conf & T_FSB) {
        return t->fsb >> 52 == 0xfee && lapic_is_waiting(h->dev.m, t->fsb >> 44 & 0xff,
                                                         t->fsb >> 32 & BIT(2), t->fsb & 0xff);
    }
    if (hpet_is_level(t)) {
        return h->s.status & BIT(n);
    }
    return output < HPET_OUTPUTS && h->waiting && h->waiting(h->waiting_opaque, output);
}

/* Matches ------------------------------------------------------------------------------------- */

/* How many periods of interrupts are kept for a guest that is behind. */
static uint64_t hpet_lag_max(const struct hpet_timer *t)
{
    return MAX((uint64_t)CATCH_UP_NS / HPET_TICK_NS / MAX(t->period, 1), CATCH_UP_PERIODS);
}

/* Take account of the matches in (seen, counter]. */
static void hpet_settle(struct hpet *h, unsigned n, uint64_t counter)
{
    struct hpet_timer *t = &h->s.timer[n];
    uint64_t before = hpet_ticks_before_match(t), passed = counter - t->seen, matches = 1;

    t->seen = counter;
    if (passed <= before) {
        return;
    }
    if (t->conf & T_PERIODIC) {
        /* A period of zero is a comparator that stays where it is. */
        matches = t->period ? 1 + (passed - before - 1) / t->period : 1;
        t->comparator = (t->comparator + matches * t->period) & hpet_mask(t);
    }
    if (!hpet_can_interrupt(h, t)) {
        h->s.status |= hpet_is_level(t) ? BIT(n) : 0;
        return;
    }
    t->behind = t->conf & T_PERIODIC ? MIN(t->behind + matches, hpet_lag_max(t)) : 1;
}

/* The moment of the next match; matches up to now are settled.  INT64_MAX: out of sight. */
static int64_t hpet_next_match(const struct hpet *h, const struct hpet_timer *t)
{
    uint64_t seen_at = h->s.start + (t->seen - h->s.counter) * HPET_TICK_NS;
    uint64_t room = (INT64_MAX - seen_at) / HPET_TICK_NS, ticks = hpet_ticks_before_match(t);

    return ticks < room ? (int64_t)(seen_at + (ticks + 1) * HPET_TICK_NS) : INT64_MAX;
}

/* Program the core timer for the next interrupt, no sooner than `not_before`. */
static void hpet_arm(struct hpet *h, unsigned n, int64_t not_before)
{
    struct hpet_timer *t = &h->s.timer[n];

    if (!hpet_can_interrupt(h, t)) {
        t->behind = 0;
        timer_stop(&t->event);
    } else if (t->behind) {
        timer_retry_at(&t->event, not_before);
    } else {
        timer_at(&t->event, MAX(hpet_next_match(h, t), not_before));
    }
}

/* An interrupt is due, or one that was put off is looked at again. */
static void hpet_event(struct device *dev, unsigned n)
{
    struct hpet *h = (struct hpet *)dev;
    struct hpet_timer *t = &h->s.timer[n];
    int64_t now = clock_now(dev->m), spacing = PERIOD_MIN_NS;

    hpet_settle(h, n, hpet_counter(h));
    if (t->conf & T_PERIODIC) {
        uint64_t ticks = MIN(t->period, (uint64_t)NS_PER_SEC / HPET_TICK_NS);

        spacing = MAX((int64_t)ticks * HPET_TICK_NS / CATCH_UP_SPEED, PERIOD_MIN_NS);
    }
    if (t->behind && !((t->conf & T_PERIODIC) && hpet_is_waiting(h, n))) {
        t->behind--;
        hpet_interrupt(h, n);
    }
    hpet_arm(h, n, now + spacing);
}

/* Bring a timer up to date; an interrupt that is due but still on its way comes now. */
static void hpet_sync(struct hpet *h, unsigned n)
{
    struct timer *event = &h->s.timer[n].event;

    hpet_settle(h, n, hpet_counter(h));
    if (event->armed && event->deadline <= clock_now(h->dev.m)) {
        timer_stop(event);
        hpet_event(&h->dev, n);
    }
}

static void hpet_sync_all(struct hpet *h)
{
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        hpet_sync(h, n);
    }
}

/* Registers ----------------------------------------------------------------------------------- */

static uint64_t hpet_read_timer(struct hpet *h, unsigned n, unsigned reg)
{
    const struct hpet_timer *t = &h->s.timer[n];

    switch (reg) {
    case TIMER_CONF:
        return (uint64_t)HPET_ROUTES << 32 | T_CAPABILITIES | (t->conf & ~(uint32_t)T_VAL_SET);
    case TIMER_COMPARATOR:
        hpet_sync(h, n);
        return t->comparator;
    case TIMER_FSB:
        return t->fsb;
    default:
        return 0;
    }
}

/* A whole register, `off` a multiple of 8. */
static uint64_t hpet_read_reg(struct hpet *h, unsigned off)
{
    unsigned n = (off - REG_TIMERS) / TIMER_STRIDE;

    switch (off) {
    case REG_CAP:
        return HPET_CAPABILITIES;
    case REG_CONF:
        return h->s.conf;
    case REG_STATUS:
        hpet_sync_all(h);
        return h->s.status;
    case REG_COUNTER:
        return hpet_counter(h);
    default:
        return off >= REG_TIMERS && n < HPET_TIMERS
                   ? hpet_read_timer(h, n, off & (TIMER_STRIDE - 1))
                   : 0;
    }
}

static void hpet_write_conf(struct hpet *h, uint32_t val)
{
    val &= CONF_ENABLE | CONF_LEGACY;
    trace(&h->dev, TR_STATE, "configuration %#x", val);
    hpet_sync_all(h);
    if ((val ^ h->s.conf) & CONF_ENABLE) {
        uint64_t counter = hpet_counter(h);

        for (unsigned n = 0; n < HPET_TIMERS; n++) {
            hpet_settle(h, n, counter);
        }
        h->s.counter = counter;
        h->s.start = (uint64_t)clock_now(h->dev.m);
    }
    h->s.conf = val;
    hpet_update_lines(h);
    line_set(&h->s.legacy, val & CONF_LEGACY);
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        hpet_arm(h, n, clock_now(h->dev.m));
    }
}

/* Writable only while it stands; what the comparators hold does not match before it moves. */
static void hpet_write_counter(struct hpet *h, uint64_t val)
{
    if (h->s.conf & CONF_ENABLE) {
        guest_error(&h->dev, "the main counter is written while it runs");
        return;
    }
    h->s.counter = val;
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        h->s.timer[n].seen = val;
    }
}

static void hpet_write_timer_conf(struct hpet *h, struct hpet_timer *t, uint32_t val)
{
    uint32_t route = val & T_ROUTE;

    /* A route that does not exist is not taken: software reads back what it got. */
    if (!(HPET_ROUTES & BIT(route >> 9))) {
        route = t->conf & T_ROUTE;
    }
    if ((val ^ t->conf) & (T_LEVEL | T_FSB | T_ROUTE)) {
        t->out = false;
    }
    t->conf = (val & T_WRITABLE) | route;
    if (!(t->conf & T_PERIODIC)) {
        t->conf &= ~(uint32_t)T_VAL_SET;
        t->behind = MIN(t->behind, 1);
    }
    t->comparator &= hpet_mask(t);
    t->period &= hpet_mask(t);
    hpet_update_lines(h);
}

/* In periodic mode a write sets what is added, and the comparator itself only with VAL_SET. */
static void hpet_write_comparator(struct hpet *h, struct hpet_timer *t, uint64_t val, uint64_t mask)
{
    if (!(t->conf & T_PERIODIC) || (t->conf & T_VAL_SET)) {
        t->comparator = ((t->comparator & ~mask) | (val & mask)) & hpet_mask(t);
        t->behind = 0;
        t->seen -= h->s.conf & CONF_ENABLE ? MIN(t->seen, (uint64_t)LATE_TICKS) : 0;
    }
    if (t->conf & T_PERIODIC) {
        t->period = ((t->period & ~mask) | (val & mask)) & hpet_mask(t);
        t->conf &= ~(uint32_t)T_VAL_SET;
    }
}

/* `mask` has ones where the access has bytes. */
static void hpet_write_timer(struct hpet *h, unsigned n, unsigned reg, uint64_t val, uint64_t mask)
{
    struct hpet_timer *t = &h->s.timer[n];

    hpet_sync(h, n);
    switch (reg) {
    case TIMER_CONF:
        hpet_write_timer_conf(h, t, (uint32_t)((t->conf & ~mask) | (val & mask)));
        break;
    case TIMER_COMPARATOR:
        hpet_write_comparator(h, t, val, mask);
        hpet_settle(h, n, hpet_counter(h));
        break;
    case TIMER_FSB:
        t->fsb = (t->fsb & ~mask) | (val & mask);
        return;
    default:
        return;
    }
    hpet_arm(h, n, clock_now(h->dev.m));
    hpet_sync(h, n); /* due already: no detour over the I/O thread */
}

static uint64_t hpet_read(struct device *dev, uint64_t off, unsigned size)
{
    uint64_t val = hpet_read_reg((struct hpet *)dev, (unsigned)off & ~7u);

    return size == 8 ? val : (uint32_t)(val >> (8 * (off & 4)));
}

static void hpet_write(struct device *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct hpet *h = (struct hpet *)dev;
    unsigned shift = 8 * (off & 4), reg = (unsigned)off & ~7u,
             n = (reg - REG_TIMERS) / TIMER_STRIDE;
    uint64_t mask = size == 8 ? UINT64_MAX : (uint64_t)UINT32_MAX << shift;

    val <<= shift;
    switch (reg) {
    case REG_CONF:
        hpet_write_conf(h, (uint32_t)((h->s.conf & ~mask) | (val & mask)));
        break;
    case REG_STATUS: /* ones clear; timers that are edge-triggered have no status */
        hpet_sync_all(h);
        h->s.status &= ~(uint32_t)(val & mask);
        hpet_update_lines(h);
        break;
    case REG_COUNTER:
        hpet_write_counter(h, (hpet_counter(h) & ~mask) | (val & mask));
        break;
    default:
        if (reg >= REG_TIMERS && n < HPET_TIMERS) {
            hpet_write_timer(h, n, reg & (TIMER_STRIDE - 1), val, mask);
        }
        break;
    }
}

static const struct mmio_ops hpet_mmio = {
    .sizes = SIZE_4 | SIZE_8,
    .read = hpet_read,
    .write = hpet_write,
};

/* ---- device ---- */

struct line *hpet_irq(struct device *dev, unsigned output)
{
    return &((struct hpet *)dev)->s.irq[output % HPET_OUTPUTS];
}

struct line *hpet_legacy(struct device *dev)
{
    return &((struct hpet *)dev)->s.legacy;
}

void hpet_set_waiting(struct device *dev, bool (*waiting)(void *opaque, unsigned output),
                      void *opaque)
{
    struct hpet *h = (struct hpet *)dev;

    h->waiting = waiting;
    h->waiting_opaque = opaque;
}

static bool hpet_attach(struct device *dev, GError **err)
{
    struct hpet *h = (struct hpet *)dev;

    (void)err;
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        timer_init(&h->s.timer[n].event, dev, hpet_event, n);
    }
    region_init_mmio(&h->region, "hpet", dev, &hpet_mmio, HPET_BYTES);
    region_add(dev->m, &h->region, HPET_BASE, HPET_PRIORITY);
    return true;
}

const struct device_ops hpet_ops = {
    .name = "hpet",
    .title = "High precision event timers (HPET)",
    DEVICE_STATE(struct hpet),
    .state = hpet_state,
    .attach = hpet_attach,
};
