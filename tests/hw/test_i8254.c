/*
 * The 8254: modes, latches, read-back, gates, the interrupt's rate.
 *
 * Not modelled: see hw/i8254.c.
 */
#include "hw/i8254.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

static struct device *pit;
static struct rig_pin out;

static struct rig *begin(void)
{
    struct rig *r = rig_begin(NULL);
    pit = device_new(r->m, &i8254_ops, "i8254");
    out = (struct rig_pin){0};
    rig_connect(i8254_out0(pit), &out);
    rig_ready(r);
    return r;
}

/* Step to the middle of tick `n`. */
static void to_tick(struct rig *r, uint64_t n)
{
    int64_t at = clock_ticks_to_ns(n, I8254_HZ) + 400;
    cr_assert(at >= clock_now(r->m));
    rig_step(r, at - clock_now(r->m));
}

static uint64_t tick(struct rig *r)
{
    return clock_ns_to_ticks(clock_now(r->m), I8254_HZ);
}

static void program(struct rig *r, unsigned n, unsigned mode, uint16_t count)
{
    rig_out8(r, 0x43, n << 6 | 0x30 | mode << 1);
    rig_out8(r, 0x40 + n, count & 0xff);
    rig_out8(r, 0x40 + n, count >> 8);
}

static uint16_t latch(struct rig *r, unsigned n)
{
    rig_out8(r, 0x43, n << 6);
    uint8_t low = rig_in8(r, 0x40 + n);
    return low | rig_in8(r, 0x40 + n) << 8;
}

static uint8_t status(struct rig *r, unsigned n)
{
    rig_out8(r, 0x43, 0xe0 | 2 << n);
    return rig_in8(r, 0x40 + n);
}

Test(i8254, mode_2_interrupts_at_1000_hz_without_drift)
{
    struct rig *r = begin();
    program(r, 0, 2, 1193);
    unsigned before = out.rises;
    rig_step(r, 10 * NS_PER_SEC);
    /* 10 s * 1193182 / 1193 */
    cr_expect_eq(out.rises - before, 10001, "%u", out.rises - before);
    cr_expect(out.level, "rests high");
    rig_free(r);
}

Test(i8254, mode_3_of_a_full_count_ticks_18_2_times_a_second)
{
    struct rig *r = begin();
    program(r, 0, 3, 0);
    unsigned before = out.rises;
    rig_step(r, 100 * NS_PER_SEC);
    cr_expect_eq(out.rises - before, 1820, "%u", out.rises - before);
    rig_free(r);
}

Test(i8254, mode_0_counts_down_once_and_raises_out)
{
    struct rig *r = begin();
    program(r, 0, 0, 100);
    uint64_t t = tick(r);
    cr_expect_not(out.level);
    to_tick(r, t + 1 + 30);
    cr_expect_eq(latch(r, 0), 70);
    cr_expect_eq(status(r, 0), 0x30, "OUT low, loaded, mode 0");
    to_tick(r, t + 1 + 99);
    cr_expect_not(out.level);
    to_tick(r, t + 1 + 100);
    cr_expect(out.level);
    cr_expect_eq(status(r, 0), 0xb0);
    to_tick(r, t + 1 + 101);
    cr_expect_eq(latch(r, 0), 0xffff, "goes on counting");
    rig_step(r, NS_PER_SEC);
    cr_expect_eq(out.rises, 1);
    rig_free(r);
}

Test(i8254, first_byte_of_a_mode_0_count_stops_the_counter)
{
    struct rig *r = begin();
    program(r, 0, 0, 1000);
    rig_step(r, 100 * NS_PER_US);
    rig_out8(r, 0x40, 50);
    rig_step(r, 10 * NS_PER_MS);
    cr_expect_not(out.level);
    rig_out8(r, 0x40, 0);
    rig_step(r, 51 * 839);
    cr_expect(out.level);
    rig_free(r);
}

Test(i8254, new_count_in_mode_2_waits_for_the_end_of_the_period)
{
    struct rig *r = begin();
    program(r, 2, 2, 1000);
    rig_out8(r, 0x61, 1);
    uint64_t t = tick(r) + 1;
    to_tick(r, t + 400);
    rig_out8(r, 0x42, 100);
    rig_out8(r, 0x42, 0);
    cr_expect_eq(latch(r, 2), 600);
    cr_expect(status(r, 2) & 0x40, "null count until it is taken over");
    to_tick(r, t + 1000 + 30);
    cr_expect_eq(latch(r, 2), 70);
    cr_expect_not(status(r, 2) & 0x40);
    rig_free(r);
}

Test(i8254, mode_3_output_is_a_square_wave)
{
    static const struct {
        uint16_t count, at;
        bool high;
    } cases[] = {{100, 0, true},   {100, 49, true},   {100, 50, false},
                 {100, 99, false}, {100, 100, true},  {101, 50, true},
                 {101, 51, false}, {101, 100, false}, {101, 101, true}};
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = begin();
        rig_out8(r, 0x61, 1);
        program(r, 2, 3, cases[i].count);
        to_tick(r, tick(r) + 1 + cases[i].at);
        cr_expect_eq(!!(rig_in8(r, 0x61) & 0x20), cases[i].high, "count %u tick %u", cases[i].count,
                     cases[i].at);
        rig_free(r);
    }
}

Test(i8254, mode_2_output_is_low_for_the_last_tick)
{
    struct rig *r = begin();
    rig_out8(r, 0x61, 1);
    program(r, 2, 2, 10);
    uint64_t t = tick(r) + 1;
    for (unsigned i = 0; i < 25; i++) {
        to_tick(r, t + i);
        cr_expect_eq(!!(rig_in8(r, 0x61) & 0x20), i % 10 != 9, "tick %u", i);
    }
    rig_free(r);
}

Test(i8254, gate_stops_mode_0_and_reloads_mode_2)
{
    struct rig *r = begin();
    program(r, 2, 0, 1000); /* the gate is low after reset */
    rig_step(r, NS_PER_MS);
    cr_expect_eq(latch(r, 2), 1000);
    rig_out8(r, 0x61, 1);
    uint64_t t = tick(r);
    to_tick(r, t + 100);
    cr_expect_eq(latch(r, 2), 900);
    rig_out8(r, 0x61, 0);
    rig_step(r, NS_PER_MS);
    cr_expect_eq(latch(r, 2), 900);
    program(r, 2, 2, 500);
    rig_out8(r, 0x61, 1);
    t = tick(r) + 1;
    to_tick(r, t + 7);
    cr_expect_eq(latch(r, 2), 493);
    rig_free(r);
}

Test(i8254, mode_1_is_triggered_by_the_gate)
{
    struct rig *r = begin();
    program(r, 2, 1, 50);
    rig_step(r, NS_PER_MS);
    cr_expect(rig_in8(r, 0x61) & 0x20, "high until triggered");
    rig_out8(r, 0x61, 1);
    uint64_t t = tick(r) + 1;
    to_tick(r, t + 10);
    cr_expect_not(rig_in8(r, 0x61) & 0x20);
    to_tick(r, t + 50);
    cr_expect(rig_in8(r, 0x61) & 0x20);
    rig_free(r);
}

Test(i8254, modes_4_and_5_strobe_for_one_tick)
{
    for (unsigned mode = 4; mode <= 5; mode++) {
        struct rig *r = begin();
        rig_out8(r, 0x61, mode == 4);
        program(r, 2, mode, 20);
        rig_out8(r, 0x61, 1);
        uint64_t t = tick(r) + 1;
        for (unsigned i = 18; i < 23; i++) {
            to_tick(r, t + i);
            cr_expect_eq(!!(rig_in8(r, 0x61) & 0x20), i != 20, "mode %u tick %u", mode, i);
        }
        rig_free(r);
    }
}

Test(i8254, mode_4_raises_the_interrupt_once)
{
    struct rig *r = begin();
    program(r, 0, 4, 100);
    unsigned before = out.rises;
    rig_step(r, NS_PER_SEC);
    cr_expect_eq(out.rises - before, 1);
    rig_free(r);
}

Test(i8254, bcd_counts_in_decimal_digits)
{
    struct rig *r = begin();
    rig_out8(r, 0x61, 1);
    rig_out8(r, 0x43, 0xb5); /* channel 2, mode 2, BCD */
    rig_out8(r, 0x42, 0x00);
    rig_out8(r, 0x42, 0x20);
    uint64_t t = tick(r) + 1;
    to_tick(r, t + 1);
    cr_expect_eq(latch(r, 2), 0x1999);
    to_tick(r, t + 766);
    cr_expect_eq(latch(r, 2), 0x1234);
    rig_out8(r, 0x42, 0xff); /* digits above 9 harm nobody */
    rig_out8(r, 0x42, 0xff);
    rig_step(r, NS_PER_SEC);
    latch(r, 2);
    rig_free(r);
}

Test(i8254, latched_count_stands_until_read_and_status_comes_first)
{
    struct rig *r = begin();
    rig_out8(r, 0x61, 1);
    program(r, 2, 2, 1000);
    uint64_t t = tick(r) + 1;
    to_tick(r, t + 100);
    rig_out8(r, 0x43, 0xc8); /* read-back: count and status of channel 2 */
    to_tick(r, t + 300);
    rig_out8(r, 0x43, 0x80); /* a second latch does not replace the first */
    cr_expect_eq(rig_in8(r, 0x42), 0xb4, "status: OUT, both bytes, mode 2");
    cr_expect_eq(rig_in8(r, 0x42), 900 & 0xff);
    cr_expect_eq(rig_in8(r, 0x42), 900 >> 8);
    uint16_t live = rig_in8(r, 0x42);
    live |= rig_in8(r, 0x42) << 8;
    cr_expect_eq(live, 700);
    rig_free(r);
}

Test(i8254, status_has_the_control_word_as_it_was_written)
{
    struct rig *r = begin();

    cr_expect_eq(status(r, 1) & 0x3f, 0x14, "the refresh counter");
    for (unsigned low = 0x10; low < 0x40; low++) { /* modes 6 and 7 are 2 and 3 */
        rig_out8(r, 0x43, 0x80 | low);
        cr_expect_eq(status(r, 2) & 0x3f, low, "control word %#x", low);
    }
    rig_free(r);
}

Test(i8254, single_byte_access_modes)
{
    struct rig *r = begin();
    rig_out8(r, 0x61, 1);
    rig_out8(r, 0x43, 0x94); /* channel 2, low byte only, mode 2 */
    rig_out8(r, 0x42, 200);
    uint64_t t = tick(r) + 1;
    to_tick(r, t + 50);
    cr_expect_eq(rig_in8(r, 0x42), 150);
    rig_out8(r, 0x43, 0xa4); /* high byte only */
    rig_out8(r, 0x42, 2);
    t = tick(r) + 1;
    to_tick(r, t + 10);
    cr_expect_eq(rig_in8(r, 0x42), 1, "502 is 0x1f6");
    rig_free(r);
}

Test(i8254, refresh_bit_toggles_every_15_us)
{
    struct rig *r = begin();
    unsigned toggles = 0, last = rig_in8(r, 0x61) & 0x10;
    for (unsigned i = 0; i < 1000; i++) {
        rig_step(r, NS_PER_US);
        unsigned now = rig_in8(r, 0x61) & 0x10;
        toggles += now != last;
        last = now;
    }
    cr_expect(toggles >= 65 && toggles <= 67, "%u", toggles);
    rig_free(r);
}

/* Who listens at the speaker: the waves as they come. */
static struct ear {
    struct sound snd;
    struct speaker_wave last;
    unsigned waves;
} ear;

static void ear_speaker(struct sound *snd, const struct speaker_wave *wave)
{
    (void)snd;
    cr_assert(wave->at >= ear.last.at);
    ear.last = *wave;
    ear.waves++;
}

static struct rig *begin_with_ear(void)
{
    struct rig *r = rig_begin(NULL);
    ear = (struct ear){.snd.speaker = ear_speaker};
    r->m->sound = &ear.snd;
    pit = device_new(r->m, &i8254_ops, "i8254");
    rig_ready(r);
    return r;
}

Test(i8254, a_tone_is_told_to_the_speaker_with_its_period)
{
    struct rig *r = begin_with_ear();
    program(r, 2, 3, 1193);
    cr_expect_eq(ear.waves, 0, "bit 1 of port 0x61 is off");
    rig_out8(r, 0x61, 3);
    cr_expect_eq(ear.waves, 1);
    cr_expect(ear.last.level && ear.last.high == 597 && ear.last.low == 596);
    cr_expect_eq(ear.last.edge, tick(r) + 1 + 597, "the gate starts a period");
    program(r, 2, 3, 600); /* ends the period first */
    cr_expect_eq(ear.last.turn, 0, "a control word starts anew");
    rig_out8(r, 0x42, 500 & 0xff);
    rig_out8(r, 0x42, 500 >> 8);
    cr_expect_eq(ear.last.high, 300);
    cr_expect(ear.last.turn_high == 250 && ear.last.turn_low == 250);
    cr_expect_eq(ear.last.turn, tick(r) + 1 + 600);
    unsigned waves = ear.waves;
    rig_out8(r, 0x61, 1);
    cr_expect(!ear.last.level && !ear.last.edge && ear.waves == waves + 1);
    rig_out8(r, 0x61, 0);
    rig_out8(r, 0x61, 1);
    cr_expect_eq(ear.waves, waves + 1, "nothing to be heard");
    rig_out8(r, 0x61, 3);
    rig_reset(r);
    cr_expect(!ear.last.level && !ear.last.edge);
    rig_free(r);
}

Test(i8254, pulse_widths_of_mode_0_are_told_exactly)
{
    struct rig *r = begin_with_ear();
    rig_out8(r, 0x61, 3);
    rig_out8(r, 0x43, 0x90); /* counter 2, low byte only, mode 0 */
    rig_out8(r, 0x42, 40);
    cr_expect(!ear.last.level && ear.last.edge == tick(r) + 1 + 40 && !ear.last.high);
    to_tick(r, tick(r) + 72);
    rig_out8(r, 0x42, 20);
    cr_expect(!ear.last.level && ear.last.edge == tick(r) + 1 + 20 && !ear.last.high);
    rig_free(r);
}

/* The told waves against bits 5 and 1 of port 0x61, tick by tick. */
static void check_wave(struct rig *r, unsigned ticks)
{
    while (ticks--) {
        to_tick(r, tick(r) + 1);
        unsigned bits = rig_in8(r, 0x61);
        uint64_t until;
        bool told = speaker_wave_level(&ear.last, tick(r), &until);
        cr_assert_eq(told, (bits & 0x22) == 0x22, "at tick %u", (unsigned)tick(r));
        cr_assert(until > tick(r));
    }
}

Test(i8254, the_waves_told_are_what_port_61_shows_in_every_mode)
{
    struct rig *r = begin_with_ear();
    uint32_t x = 1;

    for (unsigned i = 0; i < 4000; i++) {
        x = x * 1103515245 + 12345;
        unsigned v = x >> 16;
        switch (v & 3) {
        case 0:
            rig_out8(r, 0x43, 0x80 | 0x10 << (v >> 2 & 1) | (v >> 3 & 7) << 1);
            break;
        case 1:
            rig_out8(r, 0x61, (v >> 3 & 7 ? 2 : 0) | (v >> 2 & 1));
            break;
        default:
            rig_out8(r, 0x42, v >> 2 & 31);
        }
        check_wave(r, v >> 10 & 63);
    }
    rig_free(r);
}

Test(i8254, absurd_rate_is_bounded_and_a_stopped_counter_is_silent)
{
    struct rig *r = begin();
    program(r, 0, 2, 2);
    unsigned before = out.rises;
    rig_step(r, NS_PER_SEC / 10);
    cr_expect(out.rises - before <= 2001, "%u", out.rises - before);
    rig_out8(r, 0x43, 0x34);
    before = out.rises;
    rig_step(r, NS_PER_SEC);
    cr_expect_eq(out.rises, before, "no count, no ticks");
    program(r, 0, 2, 1);
    rig_step(r, NS_PER_SEC);
    cr_expect_eq(out.rises, before);
    rig_free(r);
}

/* The host was late: time passes without a timer getting its turn. */
static void stall(struct rig *r, int64_t ns)
{
    atomic_store(&r->m->clock_stepped_now, clock_now(r->m) + ns);
}

Test(i8254, ticks_missed_while_the_host_was_late_follow_within_bounds)
{
    struct rig *r = begin();
    program(r, 0, 2, 1193);
    rig_step(r, 10 * NS_PER_MS + 1);
    unsigned before = out.rises;
    stall(r, 50 * NS_PER_MS);
    rig_step(r, NS_PER_US);
    cr_expect_leq(out.rises - before, 1, "not in one burst");
    rig_step(r, 49 * NS_PER_MS + 999 * NS_PER_US);
    cr_expect_eq(out.rises - before, 100, "none is lost: %u", out.rises - before);
    before = out.rises;
    stall(r, 3600 * NS_PER_SEC);
    rig_step(r, 10 * NS_PER_SEC);
    cr_expect(out.rises - before > 14900 && out.rises - before < 15100,
              "an hour is not made up for, some seconds are: %u", out.rises - before);
    rig_free(r);
}

static bool is_waiting(void *opaque)
{
    return *(bool *)opaque;
}

Test(i8254, ticks_wait_for_a_guest_that_is_late_within_bounds)
{
    struct rig *r = begin();
    bool waiting = false;
    i8254_set_waiting(pit, is_waiting, &waiting);
    program(r, 0, 2, 1193);
    rig_step(r, 10 * NS_PER_MS + 1);
    unsigned before = out.rises;
    waiting = true;
    rig_step(r, 50 * NS_PER_MS);
    cr_expect_eq(out.rises, before);
    waiting = false;
    rig_step(r, 50 * NS_PER_MS);
    cr_expect_eq(out.rises - before, 100, "none is lost: %u", out.rises - before);
    before = out.rises;
    waiting = true;
    rig_step(r, 20 * NS_PER_SEC);
    waiting = false;
    rig_step(r, 10 * NS_PER_SEC);
    cr_expect(out.rises - before < 15100, "not all of it: %u", out.rises - before);
    program(r, 0, 2, 1193);
    waiting = true;
    rig_step(r, 20 * NS_PER_MS);
    waiting = false;
    before = out.rises;
    for (unsigned i = 0; i < 50; i++) {
        clock_interrupt_taken(r->m);
    }
    cr_expect_eq(out.rises - before, 20, "as fast as they are taken: %u", out.rises - before);
    waiting = true;
    program(r, 0, 0, 100);
    before = out.rises;
    rig_step(r, NS_PER_MS);
    cr_expect_eq(out.rises - before, 1, "one-shots do not wait");
    rig_free(r);
}
