/*
 * The real-time clock: time, formats, setting, interrupts, CMOS.
 *
 * Not modelled: see hw/rtc.c.
 */
#include "hw/rtc.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

static struct device *rtc;
static struct rig_pin irq;

static struct rig *begin_by(const char *base, bool by_vm)
{
    struct vm_config c;
    vm_config_init(&c);
    c.rtc_base = g_strdup(base);
    c.rtc_by_vm = by_vm;
    struct rig *r = rig_begin(&c);
    vm_config_clear(&c);
    rtc = device_new(r->m, &rtc_ops, "rtc");
    irq = (struct rig_pin){0};
    rig_connect(rtc_irq(rtc), &irq);
    rig_ready(r);
    return r;
}

static struct rig *begin(const char *base)
{
    return begin_by(base, false);
}

static uint8_t get(struct rig *r, uint8_t index)
{
    rig_out8(r, 0x70, index);
    return rig_in8(r, 0x71);
}

static void set(struct rig *r, uint8_t index, uint8_t val)
{
    rig_out8(r, 0x70, index);
    rig_out8(r, 0x71, val);
}

/* "CCYY-MM-DD hh:mm:ss d" as the registers' raw bytes. */
static const char *text(struct rig *r)
{
    static char buf[64];
    g_snprintf(buf, sizeof buf, "%02x%02x-%02x-%02x %02x:%02x:%02x %x", get(r, 0x32), get(r, 9),
               get(r, 8), get(r, 7), get(r, 4), get(r, 2), get(r, 0), get(r, 6));
    return buf;
}

Test(rtc, starts_at_the_base_and_runs_over_leap_days_and_centuries)
{
    static const struct {
        const char *base;
        int64_t seconds;
        const char *want;
    } cases[] = {
        {"2024-02-28T23:59:59", 0, "2024-02-28 23:59:59 4"},
        {"2024-02-28T23:59:59", 1, "2024-02-29 00:00:00 5"},
        {"2024-02-29T23:59:59", 1, "2024-03-01 00:00:00 6"},
        {"2023-02-28T23:59:59", 1, "2023-03-01 00:00:00 4"},
        {"1999-12-31T23:59:59", 1, "2000-01-01 00:00:00 7"},
        {"2000-02-28T12:00:00", 86400, "2000-02-29 12:00:00 3"},
        {"2099-12-31T23:59:58", 2, "2100-01-01 00:00:00 6"},
        {"2100-02-28T00:00:00", 86400, "2100-03-01 00:00:00 2"},
        {"1980-01-01T00:00:00", 366 * 86400, "1981-01-01 00:00:00 5"},
        {"2006-06-17", 0, "2006-06-17 00:00:00 7"},
        {"2024-06-01T12:00:00+02:00", 0, "2024-06-01 12:00:00 7"},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = begin(cases[i].base);
        rig_step(r, cases[i].seconds * NS_PER_SEC);
        cr_expect_str_eq(text(r), cases[i].want, "%s + %d", cases[i].base, (int)cases[i].seconds);
        rig_free(r);
    }
}

Test(rtc, a_base_that_is_no_time_is_a_configuration_error)
{
    struct vm_config c;
    GError *err = NULL;
    vm_config_init(&c);
    c.rtc_base = g_strdup("yesterday");
    struct rig *r = rig_begin(&c);
    vm_config_clear(&c);
    struct device *dev = device_new(r->m, &rtc_ops, "rtc");
    cr_expect_not(device_attach(dev, &err));
    cr_assert(err);
    cr_expect_eq(err->code, CANDELA_ERROR_CONFIG);
    cr_expect(strstr(err->message, "yesterday"));
    g_clear_error(&err);
    rig_free(r);
}

Test(rtc, binary_and_12_hour_formats)
{
    static const struct {
        const char *base;
        uint8_t b, hour;
    } cases[] = {
        {"2024-01-01T00:30:00", 0x02, 0x00}, {"2024-01-01T00:30:00", 0x00, 0x12},
        {"2024-01-01T12:30:00", 0x00, 0x92}, {"2024-01-01T23:30:00", 0x00, 0x91},
        {"2024-01-01T23:30:00", 0x06, 23},   {"2024-01-01T13:30:00", 0x04, 0x81},
        {"2024-01-01T11:30:00", 0x04, 11},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = begin(cases[i].base);
        set(r, 0x0b, cases[i].b);
        cr_expect_eq(get(r, 4), cases[i].hour, "case %u: %#x", i, get(r, 4));
        cr_expect_eq(get(r, 2), cases[i].b & 4 ? 30 : 0x30);
        rig_free(r);
    }
}

Test(rtc, set_bit_holds_the_clock_while_it_is_set)
{
    struct rig *r = begin("2024-01-01T00:00:00");
    set(r, 0x0b, 0x82);
    set(r, 0, 0x58);
    set(r, 2, 0x59);
    set(r, 4, 0x23);
    set(r, 7, 0x31);
    set(r, 8, 0x12);
    set(r, 9, 0x99);
    set(r, 0x32, 0x19);
    set(r, 6, 0x06);
    rig_step(r, 5 * NS_PER_SEC);
    cr_expect_str_eq(text(r), "1999-12-31 23:59:58 6");
    set(r, 0x0b, 0x02);
    rig_step(r, 2 * NS_PER_SEC);
    cr_expect_str_eq(text(r), "2000-01-01 00:00:00 7");
    rig_free(r);
}

Test(rtc, nonsense_in_the_time_registers_is_cut_to_a_date)
{
    struct rig *r = begin("2024-01-01T00:00:00");
    set(r, 0x0b, 0x82);
    for (unsigned i = 0; i < 10; i++) {
        set(r, i, 0xff);
    }
    set(r, 0x32, 0xff);
    set(r, 0x0b, 0x02);
    rig_step(r, 10 * NS_PER_SEC);
    get(r, 0);
    cr_expect_leq(get(r, 8) & 0x1f, 0x12);
    cr_expect_leq(get(r, 7), 0x31);
    rig_free(r);
}

Test(rtc, divider_release_starts_the_second_half_way)
{
    struct rig *r = begin("2024-01-01T00:00:00");
    rig_step(r, 300 * NS_PER_MS);
    set(r, 0x0a, 0x76);
    rig_step(r, 5 * NS_PER_SEC);
    cr_expect_eq(get(r, 0), 0, "held");
    set(r, 0x0a, 0x26);
    rig_step(r, 499 * NS_PER_MS);
    cr_expect_eq(get(r, 0), 0);
    rig_step(r, 2 * NS_PER_MS);
    cr_expect_eq(get(r, 0), 1);
    rig_free(r);
}

Test(rtc, uip_warns_of_an_update_within_2228_us)
{
    struct rig *r = begin("2024-01-01T00:00:00");
    rig_step(r, NS_PER_SEC - 2300 * NS_PER_US);
    cr_expect_not(get(r, 0x0a) & 0x80);
    rig_step(r, 100 * NS_PER_US);
    cr_expect(get(r, 0x0a) & 0x80);
    cr_expect_eq(get(r, 0), 0);
    rig_step(r, 2200 * NS_PER_US);
    cr_expect_not(get(r, 0x0a) & 0x80);
    cr_expect_eq(get(r, 0), 1);
    rig_free(r);
}

Test(rtc, periodic_interrupt_waits_for_register_c)
{
    struct rig *r = begin("2024-01-01T00:00:00");
    set(r, 0x0b, 0x42);
    unsigned n = 0;
    for (unsigned i = 0; i < 10000; i++) {
        rig_step(r, 100 * NS_PER_US);
        if (irq.level) {
            cr_expect_eq(get(r, 0x0c) & 0xc0, 0xc0);
            cr_expect_not(irq.level, "reading register C ends the request");
            n++;
        }
    }
    cr_expect(n >= 1023 && n <= 1025, "1024 Hz gave %u", n);
    rig_step(r, NS_PER_SEC);
    unsigned rises = irq.rises;
    rig_step(r, NS_PER_SEC);
    cr_expect_eq(irq.rises, rises, "nobody reads register C");
    rig_free(r);
}

Test(rtc, periodic_rates_follow_register_a)
{
    static const struct {
        uint8_t rs;
        int64_t ns;
    } cases[] = {{1, 3906250}, {2, 7812500}, {3, 122071}, {6, 976563}, {15, 500000000}};
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = begin("2024-01-01T00:00:00");
        set(r, 0x0a, 0x20 | cases[i].rs);
        set(r, 0x0b, 0x42);
        rig_step(r, cases[i].ns - 1000);
        cr_expect_not(irq.level, "rate %u", cases[i].rs);
        rig_step(r, 2000);
        cr_expect(irq.level, "rate %u", cases[i].rs);
        rig_free(r);
    }
}

/* A guest that is late reads register C once per interrupt, and gets every one. */
Test(rtc, periods_wait_for_a_guest_that_is_late_within_bounds)
{
    struct rig *r = begin("2024-01-01T00:00:00");
    unsigned before, n;

    set(r, 0x0a, 0x26); /* 1024 Hz */
    set(r, 0x0b, 0x42);
    rig_step(r, NS_PER_SEC / 4 + NS_PER_US);
    cr_expect_eq(irq.rises, 1);
    cr_expect_eq(get(r, 0x0c) & 0xc0, 0xc0);
    cr_expect_eq(irq.rises, 2, "the next one asks already,");
    cr_expect_eq(get(r, 0x0c), 0, "but cleared is cleared");
    clock_interrupt_taken(r->m);
    cr_expect_eq(get(r, 0x0c) & 0xc0, 0xc0);
    for (n = 2; n < 10; n++) {
        rig_step(r, 60 * NS_PER_US);
        cr_expect_eq(get(r, 0x0c) & 0xc0, 0xc0, "without a sign of the guest, a moment later");
    }
    for (unsigned i = 0; i < 5000; i++) {
        n += get(r, 0x0c) >> 6 & 1;
        clock_interrupt_taken(r->m);
        rig_step(r, 100 * NS_PER_US);
    }
    cr_expect(n == 768 || n == 769, "%u of 768", n);
    rig_step(r, 3600 * NS_PER_SEC);
    before = irq.rises;
    for (unsigned i = 0; i < 50000; i++) {
        (void)get(r, 0x0c);
        rig_step(r, 100 * NS_PER_US);
    }
    before = irq.rises - before;
    cr_expect(before > 10 * 1024 - 10 && before < 10 * 1024 + 10, "not an hour of them: %u",
              before);
    rig_free(r);
}

/* A guest that needs longer than a period for an interrupt, again and again, does something else
 * too.
 */
Test(rtc, missed_periods_leave_a_slow_guest_most_of_its_time)
{
    struct rig *r = begin("2024-01-01T00:00:00");
    int64_t busy = 0, idle = 0;

    set(r, 0x0a, 0x26); /* 1024 Hz */
    set(r, 0x0b, 0x42);
    for (unsigned i = 0; i < 2000; i++) {
        if (irq.level) {
            clock_interrupt_taken(r->m);
            rig_step(r, 1500 * NS_PER_US);
            (void)get(r, 0x0c);
            busy++;
        } else {
            rig_step(r, 1500 * NS_PER_US);
            idle++;
        }
    }
    cr_expect(idle > 2 * busy && busy > 300, "%u interrupts, %u other things", (unsigned)busy,
              (unsigned)idle);
    rig_free(r);
}

Test(rtc, update_and_alarm_interrupts)
{
    struct rig *r = begin("2024-01-01T23:59:57");
    set(r, 1, 0x00);
    set(r, 3, 0x00);
    set(r, 5, 0x00);
    set(r, 0x0b, 0x22);
    rig_step(r, 2900 * NS_PER_MS);
    cr_expect_not(irq.level);
    rig_step(r, 200 * NS_PER_MS);
    cr_expect(irq.level);
    cr_expect_eq(get(r, 0x0c) & 0xb0, 0xb0, "IRQF, AF, UF");
    set(r, 0x0b, 0x12);
    rig_step(r, NS_PER_SEC);
    cr_expect(irq.level);
    cr_expect_eq(get(r, 0x0c) & 0xb0, 0x90);
    cr_expect_eq(get(r, 0x0c), 0);
    rig_free(r);
}

Test(rtc, alarm_wildcards_and_flags_without_interrupts)
{
    struct rig *r = begin("2024-01-01T10:00:00");
    set(r, 1, 0x30);
    set(r, 3, 0xff);
    set(r, 5, 0xc0);
    rig_step(r, 29 * NS_PER_SEC);
    cr_expect_eq(get(r, 0x0c) & 0x30, 0x10);
    rig_step(r, 2 * NS_PER_SEC);
    cr_expect_eq(get(r, 0x0c) & 0x30, 0x30);
    rig_step(r, 60 * NS_PER_SEC);
    cr_expect_eq(get(r, 0x0c) & 0x30, 0x30, "every minute");
    cr_expect_eq(irq.rises, 0);
    rig_free(r);
}

Test(rtc, cmos_keeps_its_contents_over_a_reset_and_interrupts_do_not)
{
    struct rig *r = begin("2024-01-01T10:00:00");
    rtc_set_cmos(rtc, 0x34, 0xab);
    rtc_set_cmos(rtc, 0, 0xab); /* the clock is not memory */
    cr_expect_eq(get(r, 0), 0);
    set(r, 0x5f, 0x77);
    rig_out8(r, 0x72, 0x05);
    rig_out8(r, 0x73, 0x99);
    set(r, 0x0b, 0x72);
    rig_step(r, 3 * NS_PER_SEC);
    cr_expect(irq.level);
    rig_reset(r);
    cr_expect_not(irq.level);
    cr_expect_eq(get(r, 0x0b), 0x02);
    cr_expect_eq(get(r, 0x34), 0xab);
    cr_expect_eq(get(r, 0x5f), 0x77);
    cr_expect_eq(rtc_get_cmos(rtc, 0x85), 0x99);
    cr_expect_eq(get(r, 0), 3, "time goes on");
    cr_expect_eq(get(r, 0x0d), 0x80);
    rig_free(r);
}

Test(rtc, nmi_mask_is_bit_7_of_the_index_and_the_checksum_is_the_standard_one)
{
    struct rig *r = begin("2024-01-01T10:00:00");
    rig_out8(r, 0x70, 0x8d);
    cr_expect(rtc_nmi_masked(rtc));
    cr_expect_eq(rig_in8(r, 0x71), 0x80);
    rig_out8(r, 0x70, 0x0d);
    cr_expect_not(rtc_nmi_masked(rtc));
    for (unsigned i = 0x10; i <= 0x2d; i++) {
        rtc_set_cmos(rtc, i, 0xff);
    }
    rtc_set_cmos_checksum(rtc);
    cr_expect_eq(get(r, 0x2e) << 8 | get(r, 0x2f), 30 * 255);
    rig_free(r);
}

/* The machine was held, or the host's clock set: its clock is ahead of virtual time all at once. */
Test(rtc, follows_the_hosts_clock)
{
    struct rig *r = begin("2024-02-28T23:30:00");

    rig_step(r, NS_PER_SEC);
    r->m->clock_stepped_real += 3600 * NS_PER_SEC + 900 * NS_PER_MS;
    cr_expect_str_eq(text(r), "2024-02-29 00:30:01 5");
    r->m->clock_stepped_real += 100 * NS_PER_MS;
    cr_expect_str_eq(text(r), "2024-02-29 00:30:02 5", "by whole seconds");
    r->m->clock_stepped_real -= 2 * 3600 * NS_PER_SEC;
    cr_expect_str_eq(text(r), "2024-02-28 22:30:02 4", "backwards too");
    /* An alarm that was due meanwhile goes off. */
    set(r, 1, 0x00);
    set(r, 3, 0x45);
    set(r, 5, 0x22);
    cr_expect_eq(get(r, 0x0c) & 0x20, 0x20, "the one at midnight was jumped over");
    set(r, 0x0b, 0x22);
    rig_step(r, 2 * NS_PER_SEC);
    cr_expect_not(irq.level);
    r->m->clock_stepped_real += 24 * 3600 * NS_PER_SEC;
    rig_step(r, 2 * NS_PER_SEC);
    cr_expect(irq.level);
    cr_expect_eq(get(r, 0x0c) & 0xa0, 0xa0);
    /* What the guest set stays what it is ahead. */
    set(r, 9, 0x32);
    r->m->clock_stepped_real += 10 * NS_PER_SEC;
    rig_reset(r);
    cr_expect_str_eq(text(r), "2032-02-29 22:30:16 5");
    rig_free(r);

    r = begin_by("2024-02-28T23:30:00", true);
    r->m->clock_stepped_real += 3600 * NS_PER_SEC;
    rig_step(r, NS_PER_SEC);
    cr_expect_str_eq(text(r), "2024-02-28 23:30:01 4");
    rig_free(r);
}
