/*
 * Intel 8254 programmable interval timer and the system control port B (0x61).
 *
 * Follows the Intel 8254 data sheet (231164).  Nothing counts here: a counter is a start tick on an
 * absolute clock of 1,193,182 Hz derived from virtual time, and count, output and next edge are
 * computed from it when asked, so nothing drifts.  Only the rising edges of OUT0 (the interrupt)
 * use a timer.
 *
 * When the host was late with a tick, or with running the guest that is to take it, missed ticks of
 * a periodic counter 0 follow faster, within the bounds of CATCH_UP (hw/core/clock.h); older ones
 * are lost.  (The real chip knows nothing of this, and a real processor is not late.)
 *
 * Not modelled: the low half of OUT0's wave (interrupts are edges), the exact counts of mode 3
 * within an odd period and its reload after half a period, parity and channel check (bits 6 and 7
 * of port 0x61).
 */
#include "hw/i8254.h"

enum { CHANNELS = 3, REFRESH = 1, SPEAKER = 2 };
enum { RW_LATCH = 0, RW_LOW = 1, RW_HIGH = 2, RW_BOTH = 3 };
enum { PORT61_GATE2 = BIT(0), PORT61_SPEAKER = BIT(1), PORT61_WRITABLE = 0x0f };

static_assert(I8254_HZ == SPEAKER_HZ, "waves are told in ticks of this chip");

#define CATCH_UP_TICKS (CATCH_UP_NS * I8254_HZ / NS_PER_SEC)

struct channel {
    uint64_t start;     /* tick at which the count in use was loaded */
    uint64_t frozen;    /* ticks counted before the gate fell */
    uint64_t switch_at; /* with `pending`: tick at which new_count replaces count */
    uint32_t count;     /* in use: 1..65536 (10000 in BCD) */
    uint32_t new_count;
    uint16_t latched;
    uint8_t mode, rw; /* as programmed; mode 0..5 */
    uint8_t status;   /* latched status */
    uint8_t low;      /* first byte of a two-byte write */
    bool bcd, gate, loaded, pending;
    bool running;    /* counting, as far as triggers go (modes 1 and 5) */
    bool write_high; /* the second byte of a two-byte write is due */
    bool read_high;  /* likewise reading */
    bool count_latched, status_latched;
    uint8_t control; /* the control word's low six bits, as written */
};

struct i8254 {
    struct device dev;
    struct i8254_state {
        struct channel ch[CHANNELS];
        struct timer edge;  /* next rising edge of OUT0 */
        uint64_t edge_tick; /* when it is due, nominally */
        struct line out0;
        uint8_t port61, hole[7];
    } s;
    bool (*waiting)(void *opaque); /* see i8254_set_waiting */
    void *waiting_opaque;
    struct speaker_wave told; /* to machine.sound, last */
};

#define C(m, ...) STATE(struct channel, m, __VA_ARGS__)
static const struct state_field channel_state[] = {
    C(start),
    C(frozen),
    C(switch_at),
    C(count, .reset = 65536, .max = 65536),
    C(new_count, .reset = 65536, .max = 65536),
    C(latched),
    C(mode, .reset = 3, .max = 5),
    C(rw, .reset = RW_BOTH, .max = 3),
    C(status),
    C(low),
    C(bcd),
    C(gate, .reset = 1),
    C(loaded),
    C(pending),
    C(running),
    C(write_high),
    C(read_high),
    C(count_latched),
    C(status_latched),
    C(control, .reset = RW_BOTH << 4 | 3 << 1, .max = 0x3f),
    STATE_END,
};
static const struct state_field i8254_state[] = {
    STATE_STRUCTS(struct i8254, s.ch, channel_state),
    STATE(struct i8254, s.edge),
    STATE(struct i8254, s.edge_tick),
    STATE(struct i8254, s.out0),
    STATE(struct i8254, s.port61, .max = PORT61_WRITABLE),
    STATE_HOLE(struct i8254, s.hole),
    STATE_END,
};

static uint64_t i8254_now(const struct i8254 *pit)
{
    return clock_ns_to_ticks(clock_now(pit->dev.m), I8254_HZ);
}

static bool channel_is_periodic(const struct channel *c)
{
    return c->mode == 2 || c->mode == 3;
}

/* Let a reload that was due by tick `t` happen. */
static void channel_sync(struct channel *c, uint64_t t)
{
    if (c->pending && t >= c->switch_at) {
        c->pending = false;
        c->count = c->new_count;
        c->start = c->switch_at;
    }
}

/* Ticks counted since the load. */
static uint64_t channel_elapsed(const struct channel *c, uint64_t t)
{
    if (!c->loaded || !c->running) {
        return 0;
    }
    if (!c->gate && c->mode != 1 && c->mode != 5) {
        return c->frozen;
    }
    return t > c->start ? t - c->start : 0;
}

/* The counting element at tick `t`, in the counter's number format.  Call channel_sync first. */
static uint16_t channel_value(const struct channel *c, uint64_t t)
{
    uint32_t modulus = c->bcd ? 10000 : 65536;
    uint64_t d = channel_elapsed(c, t);
    uint32_t n = c->count, v;

    switch (c->mode) {
    case 2:
        v = n - d % n;
        break;
    case 3: {
        uint64_t in = d % n, half = (n + 1) / 2;
        v = (n & ~1u) - 2 * (in < half ? in : in - half);
        break;
    }
    default:
        v = (n + modulus - d % modulus) % modulus;
        break;
    }
    v %= modulus;
    if (c->bcd) {
        v = v % 10 | v / 10 % 10 << 4 | v / 100 % 10 << 8 | v / 1000 << 12;
    }
    return v;
}

/* The OUT pin at tick `t`. */
static bool channel_out(const struct channel *c, uint64_t t)
{
    uint64_t d = channel_elapsed(c, t);

    switch (c->mode) {
    case 0:
        return c->loaded && !c->write_high && d >= c->count;
    case 1:
        return !c->loaded || !c->running || d >= c->count;
    case 2:
        return !c->loaded || !c->gate || c->count == 1 || d % c->count != c->count - 1;
    case 3:
        return !c->loaded || !c->gate || d % c->count < (c->count + 1) / 2;
    default: /* 4, 5: a strobe of one tick */
        return !c->loaded || !c->running || d != c->count;
    }
}

/* Whether the count goes on by itself: else OUT stays what it is. */
static bool channel_is_counting(const struct channel *c)
{
    return c->loaded && c->running && !(c->mode == 0 && c->write_high) &&
           (c->gate || c->mode == 1 || c->mode == 5);
}

/* The first tick after `t` at which OUT rises, or 0: never, as things stand. */
static uint64_t channel_next_rise(const struct channel *c, uint64_t t)
{
    uint64_t at;

    if (!channel_is_counting(c)) {
        return 0;
    }
    if (channel_is_periodic(c)) {
        if (c->count == 1) {
            return 0; /* not allowed by the data sheet: OUT stays high */
        }
        /* A pending count takes over at the end of a period, so the next edge is the same either
         * way. */
        uint64_t d = t >= c->start ? t - c->start : 0;
        return c->start + (d / c->count + 1) * c->count;
    }
    at = c->start + c->count + (c->mode >= 4);
    return at > t ? at : 0;
}

/* Program the timer for the rising edge of OUT0 after tick `after`.  One that is due already waits
 * until `not_before`, or for the guest to take the last. */
static void i8254_arm(struct i8254 *pit, uint64_t after, int64_t not_before)
{
    uint64_t at = channel_next_rise(&pit->s.ch[0], after);
    int64_t ns = clock_ticks_to_ns(at, I8254_HZ);

    if (!at) {
        timer_stop(&pit->s.edge);
        return;
    }
    pit->s.edge_tick = at;
    if (ns < clock_now(pit->dev.m) && ns < not_before) {
        timer_retry_at(&pit->s.edge, not_before);
    } else {
        timer_at(&pit->s.edge, MAX(ns, not_before));
    }
}

/* A rising edge of OUT0 is due. */
static void i8254_edge(struct device *dev, unsigned n)
{
    struct i8254 *pit = (struct i8254 *)dev;
    struct channel *c = &pit->s.ch[0];
    int64_t now = clock_now(dev->m);
    uint64_t t = clock_ns_to_ticks(now, I8254_HZ), after = pit->s.edge_tick;
    bool periodic = channel_is_periodic(c);
    bool put_off = periodic && pit->waiting && pit->waiting(pit->waiting_opaque);
    (void)n;

    if (!put_off) {
        line_set(&pit->s.out0, false);
        line_set(&pit->s.out0, true);
    }
    if (!periodic) {
        i8254_arm(pit, after, 0);
        return;
    }
    uint64_t lag = MAX((uint64_t)c->count * CATCH_UP_PERIODS, CATCH_UP_TICKS);
    if (put_off && t <= after + lag) {
        timer_retry_at(&pit->s.edge,
                       now + MAX(clock_ticks_to_ns(c->count, I8254_HZ), PERIOD_MIN_NS));
        return;
    }
    channel_sync(c, after);
    if (t > after + lag) {
        after = t - lag;
    }
    int64_t spacing = clock_ticks_to_ns(c->count, I8254_HZ) / CATCH_UP_SPEED;
    i8254_arm(pit, after, now + MAX(spacing, PERIOD_MIN_NS));
}

/* For how long OUT is high and low in a period of mode 2 or 3; with a count of 1 it stays high. */
static void channel_lengths(const struct channel *c, uint32_t count, uint32_t *high, uint32_t *low)
{
    if (count > 1) {
        *high = c->mode == 2 ? count - 1 : (count + 1) / 2;
        *low = count - *high;
    }
}

/* OUT of modes 2 and 3 from tick `t` on. */
static void channel_periodic_wave(const struct channel *c, uint64_t t, struct speaker_wave *w)
{
    uint64_t in;

    w->level = channel_out(c, t);
    if (!c->loaded || !c->gate) {
        return;
    }
    t = MAX(t, c->start);
    in = (t - c->start) % c->count;
    channel_lengths(c, c->count, &w->high, &w->low);
    if (c->count > 1) {
        w->edge = t - in + (w->level ? w->high : c->count);
    }
    if (c->pending) {
        w->turn = c->switch_at;
        channel_lengths(c, c->new_count, &w->turn_high, &w->turn_low);
    }
}

/* OUT from tick `t` on.  Call channel_sync first. */
static void channel_wave(const struct channel *c, uint64_t t, struct speaker_wave *w)
{
    uint64_t end = c->start + c->count;

    if (channel_is_periodic(c)) {
        channel_periodic_wave(c, t, w);
        return;
    }
    w->level = channel_out(c, t);
    if (!channel_is_counting(c) || t > end) {
        return;
    }
    if (c->mode >= 4) { /* a strobe of one tick */
        w->edge = end + !w->level;
        w->low = w->level;
    } else if (!w->level) {
        w->edge = end;
    }
}

static bool wave_is_same(const struct speaker_wave *a, const struct speaker_wave *b)
{
    return a->level == b->level && a->edge == b->edge && a->high == b->high && a->low == b->low &&
           a->turn == b->turn && a->turn_high == b->turn_high && a->turn_low == b->turn_low;
}

/* What the speaker gets may have changed: it is OUT2 and bit 1 of port 0x61. */
static void i8254_tell_speaker(struct i8254 *pit, uint64_t t)
{
    struct sound *sound = pit->dev.m->sound;
    struct channel *c = &pit->s.ch[SPEAKER];
    struct speaker_wave w = {.at = t};

    if (!sound) {
        return;
    }
    if (pit->s.port61 & PORT61_SPEAKER) {
        channel_sync(c, t);
        channel_wave(c, t, &w);
    }
    if (!wave_is_same(&w, &pit->told)) {
        pit->told = w;
        sound->speaker(sound, &w);
    }
}

/* Channel `n` was reprogrammed: bring OUT0 and its timer in line, or the speaker. */
static void i8254_changed(struct i8254 *pit, unsigned n, uint64_t t)
{
    if (n == 0) {
        line_set(&pit->s.out0, pit->s.ch[0].mode != 0 || channel_out(&pit->s.ch[0], t));
        i8254_arm(pit, t, 0);
    } else if (n == SPEAKER) {
        i8254_tell_speaker(pit, t);
    }
}

static void channel_load(struct channel *c, uint32_t count, uint64_t t)
{
    uint64_t first = t + 1; /* a new count goes in with the next clock */

    if (!count) {
        count = c->bcd ? 10000 : 65536;
    }
    c->new_count = count;
    c->pending = false;
    if (c->loaded && channel_is_periodic(c) && c->gate) {
        /* At the end of the period in progress. */
        uint64_t from = MAX(t, c->start);
        c->switch_at = from - (from - c->start) % c->count + c->count;
        c->pending = true;
        return;
    }
    if (c->mode == 1 || c->mode == 5) {
        /* Used from the next trigger on. */
        c->loaded = true;
        c->pending = true;
        c->switch_at = UINT64_MAX;
        return;
    }
    c->count = count;
    c->start = first;
    c->frozen = 0;
    c->loaded = c->running = true;
}

/* A rising edge of the gate: retriggers modes 1 and 5, reloads 2 and 3, resumes 0 and 4. */
static void channel_set_gate(struct channel *c, bool gate, uint64_t t)
{
    if (c->gate == gate) {
        return;
    }
    channel_sync(c, t);
    if (!gate) {
        c->frozen = channel_elapsed(c, t);
        c->gate = false;
        if (channel_is_periodic(c)) {
            c->frozen = 0;
        }
        return;
    }
    c->gate = true;
    if (!c->loaded) {
        return;
    }
    if (c->mode == 0 || c->mode == 4) {
        c->start = t - MIN(c->frozen, t);
    } else {
        c->count = c->new_count;
        c->pending = false;
        c->running = true;
        c->start = t + 1;
    }
}

static void channel_latch_count(struct channel *c, uint64_t t)
{
    if (!c->count_latched) {
        c->count_latched = true;
        c->latched = channel_value(c, t);
    }
}

static void channel_latch_status(struct channel *c, uint64_t t)
{
    if (!c->status_latched) {
        bool null = !c->loaded || c->pending || (c->running && t < c->start);
        c->status_latched = true;
        c->status = channel_out(c, t) << 7 | null << 6 | c->control;
    }
}

static void i8254_write_control(struct i8254 *pit, uint8_t val, uint64_t t)
{
    unsigned n = val >> 6;

    if (n == 3) { /* read-back */
        for (unsigned i = 0; i < CHANNELS; i++) {
            struct channel *c = &pit->s.ch[i];
            if (!(val & BIT(i + 1))) {
                continue;
            }
            channel_sync(c, t);
            if (!(val & 0x20)) {
                channel_latch_count(c, t);
            }
            if (!(val & 0x10)) {
                channel_latch_status(c, t);
            }
        }
        return;
    }
    struct channel *c = &pit->s.ch[n];
    unsigned rw = val >> 4 & 3, mode = val >> 1 & 7;
    if (rw == RW_LATCH) {
        channel_sync(c, t);
        channel_latch_count(c, t);
        return;
    }
    c->control = val & 0x3f;
    c->rw = rw;
    c->mode = mode > 5 ? mode - 4 : mode;
    c->bcd = val & 1;
    c->loaded = c->running = c->pending = false;
    c->write_high = c->read_high = c->count_latched = c->status_latched = false;
    c->frozen = 0;
    trace(pit, TR_STATE, "counter %u mode %u%s", n, c->mode, c->bcd ? " BCD" : "");
    i8254_changed(pit, n, t);
}

static uint32_t channel_from_bcd(uint16_t v)
{
    return (v & 15) + (v >> 4 & 15) * 10 + (v >> 8 & 15) * 100 + (v >> 12) * 1000;
}

static void i8254_write_count(struct i8254 *pit, unsigned n, uint8_t val, uint64_t t)
{
    struct channel *c = &pit->s.ch[n];
    uint16_t raw;

    channel_sync(c, t);
    switch (c->rw) {
    case RW_LOW:
        raw = val;
        break;
    case RW_HIGH:
        raw = val << 8;
        break;
    default:
        if (!c->write_high) {
            c->low = val;
            c->write_high = true;
            if (c->mode == 0) { /* the first byte stops the counter and OUT goes low */
                c->loaded = false;
                i8254_changed(pit, n, t);
            }
            return;
        }
        c->write_high = false;
        raw = val << 8 | c->low;
        break;
    }
    /* Digits above 9 can make a BCD count larger than the counter holds. */
    uint32_t count = c->bcd ? MIN(channel_from_bcd(raw), 10000) : raw;
    channel_load(c, count, t);
    trace(pit, TR_STATE, "counter %u loaded with %u", n, c->new_count);
    i8254_changed(pit, n, t);
}

static void i8254_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct i8254 *pit = (struct i8254 *)dev;
    uint64_t t = i8254_now(pit);
    (void)size;
    if (off == 3) {
        i8254_write_control(pit, val, t);
    } else {
        i8254_write_count(pit, off, val, t);
    }
}

static uint32_t i8254_read(struct device *dev, unsigned off, unsigned size)
{
    struct i8254 *pit = (struct i8254 *)dev;
    uint64_t t = i8254_now(pit);
    (void)size;
    if (off == 3) {
        return 0xff; /* the control word cannot be read */
    }
    struct channel *c = &pit->s.ch[off];
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    channel_sync(c, t);
    uint16_t v = c->count_latched ? c->latched : channel_value(c, t);
    if (c->rw == RW_BOTH && !c->read_high) {
        c->read_high = true;
        return v & 0xff;
    }
    c->read_high = c->count_latched = false;
    return c->rw == RW_LOW ? v & 0xff : v >> 8;
}

static uint32_t port61_read(struct device *dev, unsigned off, unsigned size)
{
    struct i8254 *pit = (struct i8254 *)dev;
    uint64_t t = i8254_now(pit);
    struct channel *refresh = &pit->s.ch[REFRESH], *speaker = &pit->s.ch[SPEAKER];
    (void)off;
    (void)size;
    channel_sync(refresh, t);
    channel_sync(speaker, t);
    /* Bit 4 toggles with every refresh request, about each 15 us. */
    unsigned toggle = refresh->loaded ? channel_elapsed(refresh, t) / refresh->count & 1 : 0;
    return pit->s.port61 | toggle << 4 | channel_out(speaker, t) << 5;
}

static void port61_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct i8254 *pit = (struct i8254 *)dev;
    uint64_t t = i8254_now(pit);
    (void)off;
    (void)size;
    pit->s.port61 = val & PORT61_WRITABLE;
    channel_set_gate(&pit->s.ch[SPEAKER], val & PORT61_GATE2, t);
    i8254_tell_speaker(pit, t);
}

void i8254_set_waiting(struct device *dev, bool (*waiting)(void *opaque), void *opaque)
{
    struct i8254 *pit = (struct i8254 *)dev;
    pit->waiting = waiting;
    pit->waiting_opaque = opaque;
}

struct line *i8254_out0(struct device *dev)
{
    return &((struct i8254 *)dev)->s.out0;
}

static bool i8254_attach(struct device *dev, GError **err)
{
    (void)err;
    timer_init(&((struct i8254 *)dev)->s.edge, dev, i8254_edge, 0);
    return true;
}

/* What every BIOS sets up and some software expects without asking: the refresh counter runs. */
static void i8254_reset(struct device *dev)
{
    struct i8254 *pit = (struct i8254 *)dev;
    struct channel *refresh = &pit->s.ch[REFRESH];
    refresh->mode = 2;
    refresh->rw = RW_LOW;
    refresh->control = RW_LOW << 4 | 2 << 1;
    channel_load(refresh, 18, i8254_now(pit));
    pit->s.ch[SPEAKER].gate = false;
    i8254_tell_speaker(pit, i8254_now(pit));
}

static const struct port_range i8254_ports[] = {
    {.first = 0x40, .count = 4, .sizes = SIZE_1, .read = i8254_read, .write = i8254_write},
    {.first = 0x61, .count = 1, .sizes = SIZE_1, .read = port61_read, .write = port61_write},
    {.count = 0},
};

const struct device_ops i8254_ops = {
    .name = "i8254",
    .title = "Intel 8254 interval timer",
    DEVICE_STATE(struct i8254),
    .state = i8254_state,
    .ports = i8254_ports,
    .attach = i8254_attach,
    .reset = i8254_reset,
};
