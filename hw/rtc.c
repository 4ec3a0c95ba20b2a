/*
 * Motorola MC146818 real-time clock with 256 bytes of CMOS memory.
 *
 * Follows the MC146818A data sheet and, for the ports, the 82371AB data sheet (290562).  Time is
 * not counted: the registers are computed from virtual time and a base when read, and turned into a
 * new base when written.  While the SET bit or the divider's reset holds the clock, the registers
 * are plain memory.
 *
 * Flags in register C are brought up to date when they are read; a timer runs only while an enabled
 * interrupt waits for an event, so an interrupt the guest does not acknowledge costs nothing.
 *
 * Unless it is to count virtual time only (clock=vm), the clock goes on while the machine is held,
 * and follows when the host's clock is set: by whole seconds, once they differ by one.
 *
 * Not modelled: the square-wave output, daylight saving (the bit can be set and does nothing),
 * other crystals than 32.768 kHz, battery failure; the instant between the 244 us of warning and
 * the end of the update, during all of which UIP is set.
 */
#include "hw/rtc.h"

enum {
    RTC_SEC,
    RTC_SEC_ALARM,
    RTC_MIN,
    RTC_MIN_ALARM,
    RTC_HOUR,
    RTC_HOUR_ALARM,
    RTC_WDAY,
    RTC_MDAY,
    RTC_MONTH,
    RTC_YEAR,
    RTC_A,
    RTC_B,
    RTC_C,
    RTC_D,
    RTC_CENTURY = 0x32,
};
enum { A_UIP = 0x80, A_DV = 0x70, A_DV_RESET = 0x60, A_RS = 0x0f };
enum {
    B_SET = 0x80,
    B_PIE = 0x40,
    B_AIE = 0x20,
    B_UIE = 0x10,
    B_SQWE = 0x08,
    B_BINARY = 0x04,
    B_24H = 0x02
};
enum { C_IRQF = 0x80, C_PF = 0x40, C_AF = 0x20, C_UF = 0x10 };
enum { D_VRT = 0x80 };
enum { ALARM_ANY = 0xc0, HOUR_PM = 0x80 };

#define RTC_HZ 32768
/* See rtc_note_taken. */
#define REST_PART   8
#define REST_FACTOR 3
#define REST_MAX_NS (20 * NS_PER_MS)
/* UIP rises 244 us before the update, which takes 1984 us. */
#define RTC_UPDATE_NS   (2228 * NS_PER_US)
#define SECONDS_PER_DAY 86400

struct rtc {
    struct device dev;
    struct rtc_state {
        struct timer event;
        struct line irq;
        uint64_t base_ns;  /* virtual time at which second base_sec began (two's complement: may
                              precede 0) */
        uint64_t base_sec; /* seconds since 1970 in the clock's own time zone */
        uint64_t seen_sec; /* seconds since base_ns up to which UF and AF are settled */
        uint64_t seen_periods;
        uint8_t cmos[256]; /* time registers: valid while the clock is held */
        uint8_t index, ext_index;
        uint8_t wday_shift; /* the guest's idea of the weekday, less the calendar's */
        bool nmi_masked;
        uint8_t hole[4];
    } s;
    /* How the guest does with its interrupts: when the last one was asked for; how long the one
     * before it took; when one for a period that it missed may come next. */
    int64_t asked_at, took, rest_until;
    int64_t host_ahead; /* ns by which the host's clock was ahead of virtual time when we looked */
};

#define F(m, ...) STATE(struct rtc, s.m, __VA_ARGS__)
static const struct state_field rtc_state[] = {
    F(event),
    F(irq),
    F(base_ns, .keep = true),
    F(base_sec, .keep = true),
    F(seen_sec, .keep = true),
    F(seen_periods, .keep = true),
    STATE_ARRAY(struct rtc, s.cmos, .keep = true),
    F(index),
    F(ext_index),
    F(wday_shift, .keep = true, .max = 6),
    F(nmi_masked),
    STATE_HOLE(struct rtc, s.hole),
    STATE_END,
};

struct civil {
    unsigned year, month, day, hour, min, sec, wday; /* month and day from 1, wday from 0: Sunday */
};

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar (years from 0 to 9999). */
static int64_t civil_to_days(unsigned year, unsigned month, unsigned day)
{
    /* Years that start in March put the leap day at the end. */
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400, in_era = y - era * 400;
    int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static void civil_from_seconds(int64_t secs, struct civil *c)
{
    int64_t days = secs / SECONDS_PER_DAY, rest = secs % SECONDS_PER_DAY;
    if (rest < 0) {
        rest += SECONDS_PER_DAY;
        days--;
    }
    c->hour = rest / 3600;
    c->min = rest / 60 % 60;
    c->sec = rest % 60;
    c->wday = ((days + 4) % 7 + 7) % 7;
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned doe = z - era * 146097;
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    c->day = doy - (153 * mp + 2) / 5 + 1;
    c->month = mp < 10 ? mp + 3 : mp - 9;
    c->year = yoe + era * 400 + (c->month <= 2);
}

static int64_t civil_to_seconds(const struct civil *c)
{
    return civil_to_days(c->year, c->month, c->day) * SECONDS_PER_DAY + c->hour * 3600 +
           c->min * 60 + c->sec;
}

/* A number as the time registers hold it. */
static uint8_t rtc_encode(const struct rtc *r, unsigned v)
{
    return r->s.cmos[RTC_B] & B_BINARY ? v : v / 10 % 10 << 4 | v % 10;
}

static unsigned rtc_decode(const struct rtc *r, uint8_t v)
{
    return r->s.cmos[RTC_B] & B_BINARY ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t rtc_encode_hour(const struct rtc *r, unsigned hour)
{
    if (r->s.cmos[RTC_B] & B_24H) {
        return rtc_encode(r, hour);
    }
    unsigned h = hour % 12;
    return rtc_encode(r, h ? h : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned rtc_decode_hour(const struct rtc *r, uint8_t v)
{
    if (r->s.cmos[RTC_B] & B_24H) {
        return rtc_decode(r, v);
    }
    return rtc_decode(r, v & ~HOUR_PM) % 12 + (v & HOUR_PM ? 12 : 0);
}

/* SET or the divider's reset stop the clock. */
static bool rtc_is_held(const struct rtc *r)
{
    return (r->s.cmos[RTC_B] & B_SET) || (r->s.cmos[RTC_A] & A_DV_RESET) == A_DV_RESET;
}

static uint64_t rtc_since_base(const struct rtc *r)
{
    return (uint64_t)clock_now(r->dev.m) - r->s.base_ns;
}

/* Fill the time registers from seconds since 1970. */
static void rtc_store_time(struct rtc *r, int64_t secs)
{
    struct civil c;
    uint8_t *reg = r->s.cmos;
    civil_from_seconds(secs, &c);
    reg[RTC_SEC] = rtc_encode(r, c.sec);
    reg[RTC_MIN] = rtc_encode(r, c.min);
    reg[RTC_HOUR] = rtc_encode_hour(r, c.hour);
    reg[RTC_WDAY] = rtc_encode(r, (c.wday + r->s.wday_shift) % 7 + 1);
    reg[RTC_MDAY] = rtc_encode(r, c.day);
    reg[RTC_MONTH] = rtc_encode(r, c.month);
    reg[RTC_YEAR] = rtc_encode(r, c.year % 100);
    reg[RTC_CENTURY] = c.year / 100 % 100 / 10 << 4 | c.year / 100 % 10; /* BCD always */
}

static void rtc_refresh(struct rtc *r)
{
    if (!rtc_is_held(r)) {
        rtc_store_time(r, (int64_t)(r->s.base_sec + rtc_since_base(r) / NS_PER_SEC));
    }
}

/* Seconds since 1970 out of the time registers; nonsense is cut to the nearest date there is. */
static int64_t rtc_load_time(struct rtc *r)
{
    uint8_t *reg = r->s.cmos;
    unsigned century = (reg[RTC_CENTURY] >> 4) * 10 + (reg[RTC_CENTURY] & 15);
    struct civil c = {
        .sec = MIN(rtc_decode(r, reg[RTC_SEC]), 59),
        .min = MIN(rtc_decode(r, reg[RTC_MIN]), 59),
        .hour = MIN(rtc_decode_hour(r, reg[RTC_HOUR]), 23),
        .day = CLAMP(rtc_decode(r, reg[RTC_MDAY]), 1, 31),
        .month = CLAMP(rtc_decode(r, reg[RTC_MONTH]), 1, 12),
        .year = MIN(century, 99) * 100 + rtc_decode(r, reg[RTC_YEAR]) % 100,
    };
    int64_t secs = civil_to_seconds(&c);
    struct civil real;
    civil_from_seconds(secs, &real);
    r->s.wday_shift = (rtc_decode(r, reg[RTC_WDAY]) + 6 + 7 - real.wday) % 7;
    return secs;
}

/* The clock goes on from what the registers say, `phase` ns into the second. */
static void rtc_rebase(struct rtc *r, uint64_t phase)
{
    r->s.base_sec = (uint64_t)rtc_load_time(r);
    r->s.base_ns = (uint64_t)clock_now(r->dev.m) - phase;
    r->s.seen_sec = 0;
}

/* 32.768 kHz ticks per periodic event; 0: off. */
static unsigned rtc_period(const struct rtc *r)
{
    unsigned rs = r->s.cmos[RTC_A] & A_RS;
    if (!rs || (r->s.cmos[RTC_A] & A_DV_RESET) == A_DV_RESET) {
        return 0;
    }
    return 1u << ((rs <= 2 ? rs + 7 : rs) - 1);
}

static bool rtc_alarm_byte(uint8_t alarm, uint8_t now)
{
    return (alarm & ALARM_ANY) == ALARM_ANY || alarm == now;
}

/* Whether the alarm matches the time of day `sod` (seconds since midnight). */
static bool rtc_alarm_at(const struct rtc *r, unsigned sod)
{
    const uint8_t *reg = r->s.cmos;
    return rtc_alarm_byte(reg[RTC_SEC_ALARM], rtc_encode(r, sod % 60)) &&
           rtc_alarm_byte(reg[RTC_MIN_ALARM], rtc_encode(r, sod / 60 % 60)) &&
           rtc_alarm_byte(reg[RTC_HOUR_ALARM], rtc_encode_hour(r, sod / 3600));
}

/* Whether the alarm went off in the seconds (from, to] since the base. */
static bool rtc_alarm_between(const struct rtc *r, uint64_t from, uint64_t to)
{
    if (to - from >= SECONDS_PER_DAY) {
        from = to - SECONDS_PER_DAY; /* a whole day holds every time */
    }
    for (uint64_t s = from + 1; s != to + 1; s++) { /* `from` may lie before the base */
        int64_t sod = (int64_t)(r->s.base_sec + s) % SECONDS_PER_DAY;
        if (rtc_alarm_at(r, sod < 0 ? sod + SECONDS_PER_DAY : sod)) {
            return true;
        }
    }
    return false;
}

static uint64_t rtc_periods(const struct rtc *r, unsigned period)
{
    return clock_ns_to_ticks((int64_t)rtc_since_base(r), RTC_HZ) / period;
}

/*
 * Periods are taken one by one while they interrupt: those that pass before register C is read
 * follow, as the guest reads it, within the bounds of CATCH_UP.  Else one flag stands for all.
 */
static void rtc_settle_periods(struct rtc *r, unsigned period)
{
    uint8_t *flags = &r->s.cmos[RTC_C];
    uint64_t n = rtc_periods(r, period);
    uint64_t lag = MAX((uint64_t)CATCH_UP_NS * RTC_HZ / NS_PER_SEC / period, CATCH_UP_PERIODS);

    if (n == r->s.seen_periods || clock_now(r->dev.m) < r->rest_until ||
        (r->s.event.retry && clock_now(r->dev.m) < r->s.event.deadline)) {
        return;
    }
    if (!(r->s.cmos[RTC_B] & B_PIE)) {
        *flags |= C_PF;
        r->s.seen_periods = n;
        return;
    }
    r->s.seen_periods += *flags & C_PF ? 0 : 1;
    *flags |= C_PF;
    if (n > r->s.seen_periods + lag) {
        r->s.seen_periods = n - lag;
    }
}

/* Seconds have passed on the host that did not pass here: the time jumps, and an alarm in between
 * goes off. */
static void rtc_follow_host(struct rtc *r)
{
    int64_t ahead = clock_real(r->dev.m) - clock_now(r->dev.m);
    int64_t jump = (ahead - r->host_ahead) / NS_PER_SEC;

    if (!jump || r->dev.m->config.rtc_by_vm) {
        return;
    }
    r->host_ahead += jump * NS_PER_SEC;
    if (rtc_is_held(r)) {
        return; /* the guest is setting it */
    }
    r->s.base_sec += (uint64_t)jump;
    if (jump > 0 && rtc_alarm_between(r, r->s.seen_sec - (uint64_t)jump, r->s.seen_sec)) {
        r->s.cmos[RTC_C] |= C_AF;
    }
}

/* Settle the flags of register C up to now. */
static void rtc_settle(struct rtc *r)
{
    uint8_t *flags = &r->s.cmos[RTC_C];
    unsigned period = rtc_period(r);

    if (period) {
        rtc_settle_periods(r, period);
    }
    if (!rtc_is_held(r)) {
        uint64_t sec = rtc_since_base(r) / NS_PER_SEC;
        if (sec > r->s.seen_sec) {
            *flags |= C_UF;
            if (!(*flags & C_AF) && rtc_alarm_between(r, r->s.seen_sec, sec)) {
                *flags |= C_AF;
            }
            r->s.seen_sec = sec;
        }
    }
    rtc_follow_host(r);
}

static void rtc_set_irq(struct rtc *r, bool level)
{
    if (level && !r->s.irq.level) {
        r->asked_at = clock_now(r->dev.m);
    }
    line_set(&r->s.irq, level);
}

/*
 * The guest has come as far as register C.  One that is slow at its interrupts, as on a busy host,
 * gets those that it missed only in a part of its time: it may need longer for each than a period
 * is, and would do nothing else.  Once is no sign of that.
 */
static void rtc_note_taken(struct rtc *r)
{
    int64_t now = clock_now(r->dev.m), took = now - r->asked_at, slow = MIN(took, r->took);
    int64_t period = clock_ticks_to_ns(rtc_period(r), RTC_HZ);

    if (r->s.irq.level) {
        r->took = took;
        r->rest_until = slow > period / REST_PART ? now + MIN(REST_FACTOR * slow, REST_MAX_NS) : 0;
    }
}

/*
 * Set IRQF and the line, and program the timer for the next event an enabled interrupt waits for.
 *
 * A period that is due already asks for its interrupt at once, but its flag comes when the guest
 * has taken the interrupt (or a moment later): the guest is not to find the flag set again where it
 * has just cleared it.
 */
static void rtc_update(struct rtc *r)
{
    uint8_t c = r->s.cmos[RTC_C] & (C_PF | C_AF | C_UF), b = r->s.cmos[RTC_B];
    uint8_t wanted = b & (B_PIE | B_AIE | B_UIE);
    int64_t next = INT64_MAX, base = (int64_t)r->s.base_ns, now = clock_now(r->dev.m);
    unsigned period = rtc_period(r);
    bool behind = false;

    r->s.cmos[RTC_C] = c | (c & wanted ? C_IRQF : 0);
    if ((b & ~c & B_PIE) && period) {
        next = base + clock_ticks_to_ns((r->s.seen_periods + 1) * period, RTC_HZ);
        behind = next <= now;
    }
    if ((b & ~c & (B_AIE | B_UIE)) && !rtc_is_held(r)) {
        next = MIN(next, base + (int64_t)(r->s.seen_sec + 1) * NS_PER_SEC);
    }
    if (behind && now < r->rest_until) {
        next = r->rest_until;
        behind = false;
    }
    rtc_set_irq(r, (c & wanted) || behind);
    /* With a request pending, more events change nothing until register C is read. */
    if (next == INT64_MAX || (c & wanted)) {
        timer_stop(&r->s.event);
    } else if (behind) {
        timer_retry_at(&r->s.event, now + PERIOD_MIN_NS);
    } else {
        timer_at(&r->s.event, next);
    }
}

static void rtc_event(struct device *dev, unsigned n)
{
    struct rtc *r = (struct rtc *)dev;
    (void)n;
    rtc_settle(r);
    rtc_update(r);
}

static uint8_t rtc_read_reg(struct rtc *r, unsigned index)
{
    uint8_t v;

    switch (index) {
    case RTC_A:
        v = r->s.cmos[RTC_A] & ~A_UIP;
        if (!rtc_is_held(r) && rtc_since_base(r) % NS_PER_SEC >= NS_PER_SEC - RTC_UPDATE_NS) {
            v |= A_UIP;
        }
        return v;
    case RTC_C:
        rtc_settle(r);
        rtc_update(r);
        v = r->s.cmos[RTC_C];
        r->s.cmos[RTC_C] = 0;
        rtc_note_taken(r);
        rtc_set_irq(r, false);
        rtc_update(r);
        return v;
    case RTC_D:
        return D_VRT;
    default:
        if (index < RTC_A || index == RTC_CENTURY) {
            rtc_settle(r);
            rtc_update(r);
            rtc_refresh(r);
        }
        return r->s.cmos[index];
    }
}

static void rtc_write_a(struct rtc *r, uint8_t val)
{
    bool held = rtc_is_held(r), reset = (r->s.cmos[RTC_A] & A_DV_RESET) == A_DV_RESET;
    uint64_t phase = rtc_since_base(r) % NS_PER_SEC;

    rtc_settle(r);
    rtc_refresh(r);
    r->s.cmos[RTC_A] = val & ~A_UIP;
    if (held && !rtc_is_held(r)) {
        /* Half a second from the divider's release to the first update. */
        rtc_rebase(r, reset ? NS_PER_SEC / 2 : phase);
    }
    unsigned period = rtc_period(r);
    r->s.seen_periods = period ? rtc_periods(r, period) : 0;
}

static void rtc_write_b(struct rtc *r, uint8_t val)
{
    bool held = rtc_is_held(r);
    uint64_t phase = rtc_since_base(r) % NS_PER_SEC;
    unsigned period = rtc_period(r);

    rtc_settle(r);
    rtc_refresh(r);
    if (val & B_SET) {
        val &= ~B_UIE;
    }
    if (!held && !(val & B_SET) && ((val ^ r->s.cmos[RTC_B]) & (B_BINARY | B_24H))) {
        r->s.cmos[RTC_B] = val; /* another notation of the same time */
        return;
    }
    r->s.cmos[RTC_B] = val;
    if (held && !rtc_is_held(r)) {
        rtc_rebase(r, phase);
        r->s.seen_periods = period ? rtc_periods(r, period) : 0;
    }
}

static void rtc_write_reg(struct rtc *r, unsigned index, uint8_t val)
{
    switch (index) {
    case RTC_A:
        rtc_write_a(r, val);
        break;
    case RTC_B:
        rtc_write_b(r, val);
        break;
    case RTC_C:
    case RTC_D:
        return; /* read-only */
    case RTC_SEC_ALARM:
    case RTC_MIN_ALARM:
    case RTC_HOUR_ALARM:
        rtc_settle(r);
        r->s.cmos[index] = val;
        break;
    default:
        if (index >= RTC_A && index != RTC_CENTURY) {
            r->s.cmos[index] = val;
            return;
        }
        rtc_settle(r);
        rtc_refresh(r);
        r->s.cmos[index] = val;
        if (!rtc_is_held(r)) {
            unsigned period = rtc_period(r);
            rtc_rebase(r, rtc_since_base(r) % NS_PER_SEC);
            r->s.seen_periods = period ? rtc_periods(r, period) : 0;
        }
        break;
    }
    rtc_update(r);
}

/* Ports 0x70-0x73: index (with the NMI mask), data, and the same for the upper 128 bytes. */
static uint32_t rtc_read(struct device *dev, unsigned off, unsigned size)
{
    struct rtc *r = (struct rtc *)dev;
    (void)size;
    switch (off) {
    case 1:
        return rtc_read_reg(r, r->s.index);
    case 3:
        return r->s.cmos[0x80 | r->s.ext_index];
    default:
        return 0xff; /* the index cannot be read back */
    }
}

static void rtc_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct rtc *r = (struct rtc *)dev;
    (void)size;
    switch (off) {
    case 0:
        r->s.index = val & 0x7f;
        r->s.nmi_masked = val & 0x80;
        break;
    case 1:
        rtc_write_reg(r, r->s.index, val);
        break;
    case 2:
        r->s.ext_index = val & 0x7f;
        break;
    default:
        r->s.cmos[0x80 | r->s.ext_index] = val;
        break;
    }
}

struct line *rtc_irq(struct device *dev)
{
    return &((struct rtc *)dev)->s.irq;
}

void rtc_set_cmos(struct device *dev, unsigned index, uint8_t value)
{
    if (index > RTC_D && index < 256 && index != RTC_CENTURY) {
        ((struct rtc *)dev)->s.cmos[index] = value;
    }
}

uint8_t rtc_get_cmos(struct device *dev, unsigned index)
{
    return index < 256 ? ((struct rtc *)dev)->s.cmos[index] : 0xff;
}

void rtc_set_cmos_checksum(struct device *dev)
{
    unsigned sum = 0;
    for (unsigned i = 0x10; i <= 0x2d; i++) {
        sum += rtc_get_cmos(dev, i);
    }
    rtc_set_cmos(dev, 0x2e, sum >> 8);
    rtc_set_cmos(dev, 0x2f, sum & 0xff);
}

bool rtc_nmi_masked(struct device *dev)
{
    return ((struct rtc *)dev)->s.nmi_masked;
}

/* Microseconds since 1970 at which the machine's clock starts, in its own time zone. */
static bool rtc_parse_base(const char *text, int64_t *us, GError **err)
{
    if (!text || !strcmp(text, "utc")) {
        *us = g_get_real_time();
        return true;
    }
    GDateTime *t = NULL;
    if (!strcmp(text, "localtime")) {
        t = g_date_time_new_now_local();
    } else {
        GTimeZone *utc = g_time_zone_new_utc();
        /* A date alone begins at midnight. */
        g_autofree char *full = g_strconcat(text, strpbrk(text, "T ") ? "" : "T00:00:00", NULL);
        t = g_date_time_new_from_iso8601(full, utc);
        g_time_zone_unref(utc);
    }
    if (!t) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "rtc base '%s': expected utc, localtime or a time like 2024-02-29T12:00:00",
                    text);
        return false;
    }
    *us = g_date_time_to_unix(t) * 1000000 + g_date_time_get_microsecond(t) +
          g_date_time_get_utc_offset(t);
    g_date_time_unref(t);
    return true;
}

static bool rtc_attach(struct device *dev, GError **err)
{
    struct rtc *r = (struct rtc *)dev;
    int64_t us;

    timer_init(&r->s.event, dev, rtc_event, 0);
    if (!rtc_parse_base(dev->m->config.rtc_base, &us, err)) {
        return false;
    }
    int64_t sec = us / 1000000, rest = us % 1000000;
    if (rest < 0) {
        rest += 1000000;
        sec--;
    }
    r->host_ahead = clock_real(dev->m) - clock_now(dev->m);
    r->s.base_sec = (uint64_t)sec;
    r->s.base_ns = (uint64_t)(clock_now(dev->m) - rest * NS_PER_US);
    r->s.cmos[RTC_A] = 0x26; /* 32.768 kHz, 1024 Hz */
    r->s.cmos[RTC_B] = B_24H;
    r->s.cmos[RTC_D] = D_VRT;
    return true;
}

/* The RESET# pin: interrupts off, time and memory stay. */
static void rtc_reset(struct device *dev)
{
    struct rtc *r = (struct rtc *)dev;
    r->s.cmos[RTC_B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    r->s.cmos[RTC_C] = 0;
    r->took = r->rest_until = 0;
    rtc_update(r);
}

static const struct port_range rtc_ports[] = {
    {.first = 0x70, .count = 4, .sizes = SIZE_1, .read = rtc_read, .write = rtc_write},
    {.count = 0},
};

const struct device_ops rtc_ops = {
    .name = "rtc",
    .title = "MC146818 real-time clock and CMOS memory",
    DEVICE_STATE(struct rtc),
    .state = rtc_state,
    .ports = rtc_ports,
    .attach = rtc_attach,
    .reset = rtc_reset,
};
