/*
 * Keyboard controller, keyboard, mouse and port 0x92.
 *
 * Not modelled: see hw/i8042.c and hw/ps2.c.
 */
#include "hw/i8042.h"
#include "hw/port92.h"
#include "hw/ps2.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

static struct device *kbc, *ps2;
static struct rig_pin irq1, irq12;

static struct rig *begin(void)
{
    struct rig *r = rig_begin(NULL);
    device_new(r->m, &port92_ops, "port92");
    kbc = device_new(r->m, &i8042_ops, "i8042");
    ps2 = device_new(r->m, &ps2_ops, "ps2");
    i8042_connect(kbc, ps2);
    irq1 = irq12 = (struct rig_pin){0};
    rig_connect(i8042_irq(kbc, 0), &irq1);
    rig_connect(i8042_irq(kbc, 1), &irq12);
    rig_ready(r);
    return r;
}

static void command(struct rig *r, uint8_t cmd)
{
    rig_out8(r, 0x64, cmd);
}

static void set_ctr(struct rig *r, uint8_t ctr)
{
    command(r, 0x60);
    rig_out8(r, 0x60, ctr);
}

/* Next byte, waiting like a polling driver; -1 when none comes. */
static int next(struct rig *r)
{
    for (unsigned i = 0; i < 20; i++) {
        if (rig_in8(r, 0x64) & 1) {
            return rig_in8(r, 0x60);
        }
        rig_step(r, 10 * NS_PER_US);
    }
    return -1;
}

/* All bytes that come, as hex text. */
static const char *all(struct rig *r)
{
    static char buf[1024];
    int v;
    buf[0] = 0;
    while ((v = next(r)) >= 0 && strlen(buf) < sizeof buf - 4) {
        g_snprintf(buf + strlen(buf), 4, "%s%02x", *buf ? " " : "", v);
    }
    return buf;
}

/* The same of a mouse: packets come at its sampling rate. */
static const char *packets(struct rig *r)
{
    static char buf[4096];
    const char *some;
    buf[0] = 0;
    while (*(some = all(r)) && strlen(buf) + strlen(some) + 2 < sizeof buf) {
        g_strlcat(buf, *buf ? " " : "", sizeof buf);
        g_strlcat(buf, some, sizeof buf);
        rig_step(r, 10 * NS_PER_MS);
    }
    return buf;
}

static void mouse(struct rig *r, uint8_t val)
{
    command(r, 0xd4);
    rig_out8(r, 0x60, val);
}

Test(i8042, self_tests_and_the_command_byte)
{
    struct rig *r = begin();
    cr_expect_not(rig_in8(r, 0x64) & 4);
    command(r, 0xaa);
    cr_expect_eq(next(r), 0x55);
    cr_expect(rig_in8(r, 0x64) & 4, "system flag after the self-test");
    command(r, 0xab);
    cr_expect_eq(next(r), 0);
    command(r, 0xa9);
    cr_expect_eq(next(r), 0);
    set_ctr(r, 0x47);
    command(r, 0x20);
    cr_expect(rig_in8(r, 0x64) & 8, "the last write was a command");
    cr_expect_eq(next(r), 0x47);
    command(r, 0xa7);
    command(r, 0xad);
    command(r, 0x20);
    cr_expect_eq(next(r), 0x77);
    command(r, 0xa8);
    command(r, 0xae);
    command(r, 0x20);
    cr_expect_eq(next(r), 0x47);
    rig_free(r);
}

Test(i8042, aux_loop_gives_the_byte_back_as_from_the_mouse)
{
    struct rig *r = begin();
    set_ctr(r, 0x47);
    command(r, 0xd3);
    rig_out8(r, 0x60, 0xa5);
    cr_expect_eq(rig_in8(r, 0x64) & 0x21, 0x21);
    cr_expect(irq12.level);
    cr_expect_not(irq1.level);
    cr_expect_eq(rig_in8(r, 0x60), 0xa5);
    cr_expect_not(irq12.level);
    command(r, 0xd2);
    rig_out8(r, 0x60, 0x1e);
    cr_expect_eq(rig_in8(r, 0x64) & 0x21, 0x01);
    cr_expect(irq1.level);
    rig_free(r);
}

Test(i8042, key_strokes_arrive_translated_one_interrupt_each)
{
    struct rig *r = begin();
    set_ctr(r, 0x45);
    input_key(r->m, 0x04, true);
    input_key(r->m, 0x04, false);
    input_key(r->m, 0x52, true);
    input_key(r->m, 0x52, false);
    cr_expect_str_eq(all(r), "1e 9e e0 48 e0 c8");
    cr_expect_eq(irq1.rises, 6);
    cr_expect_eq(irq12.rises, 0);
    rig_free(r);
}

Test(i8042, a_byte_appears_only_after_the_one_before_was_read)
{
    struct rig *r = begin();
    set_ctr(r, 0x45);
    input_key(r->m, 0x04, true);
    cr_expect_not(rig_in8(r, 0x64) & 1, "it takes a moment");
    input_key(r->m, 0x05, true);
    rig_step(r, NS_PER_SEC);
    cr_expect_eq(irq1.rises, 1);
    cr_expect_eq(rig_in8(r, 0x60), 0x1e);
    cr_expect_not(irq1.level);
    cr_expect_eq(rig_in8(r, 0x60), 0x1e, "reading again gives the same");
    rig_step(r, NS_PER_MS);
    cr_expect_eq(rig_in8(r, 0x60), 0x30);
    rig_free(r);
}

Test(i8042, disabled_keyboard_keeps_its_bytes)
{
    struct rig *r = begin();
    set_ctr(r, 0x55);
    input_key(r->m, 0x04, true);
    cr_expect_eq(next(r), -1);
    cr_expect_eq(r->m->input->keys_queued(r->m->input_dev), 1);
    command(r, 0xae);
    cr_expect_eq(next(r), 0x1e);
    cr_expect_eq(r->m->input->keys_queued(r->m->input_dev), 0);
    rig_free(r);
}

Test(i8042, a20_is_open_when_either_source_says_so)
{
    static const struct {
        bool kbc, fast, open;
    } cases[] = {
        {true, false, true}, {false, false, false}, {false, true, true}, {true, true, true}};
    struct rig *r = begin();
    cr_expect(r->m->a20_mask & BIT(20), "open after reset");
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        command(r, 0xd1);
        rig_out8(r, 0x60, 0xcd | cases[i].kbc << 1);
        rig_out8(r, 0x92, cases[i].fast << 1);
        cr_expect_eq(rig_in8(r, 0x92), cases[i].fast << 1);
        cr_expect_eq(!!(r->m->a20_mask & BIT(20)), cases[i].open, "case %u", i);
        command(r, 0xd0);
        cr_expect_eq(!!(next(r) & 2), cases[i].kbc);
    }
    command(r, 0xdd);
    rig_out8(r, 0x92, 0);
    cr_expect_not(r->m->a20_mask & BIT(20));
    rig_reset(r);
    cr_expect(r->m->a20_mask & BIT(20));
    rig_free(r);
}

Test(i8042, every_way_to_reset_the_machine)
{
    for (unsigned way = 0; way < 3; way++) {
        struct rig *r = begin();
        uint64_t before = r->m->resets;
        switch (way) {
        case 0:
            command(r, 0xfe);
            break;
        case 1:
            command(r, 0xd1);
            rig_out8(r, 0x60, 0xce);
            break;
        default:
            rig_out8(r, 0x92, 3);
            break;
        }
        cr_expect(r->m->reset_pending, "way %u", way);
        rig_settle(r);
        cr_expect_eq(r->m->resets, before + 1, "way %u", way);
        rig_free(r);
    }
}

Test(i8042, pulse_of_other_lines_and_unknown_commands_do_nothing)
{
    struct rig *r = begin();
    command(r, 0xff);
    command(r, 0xa5);
    cr_expect_not(r->m->reset_pending);
    cr_expect_eq(next(r), -1);
    rig_free(r);
}

Test(ps2_keyboard, identifies_and_resets)
{
    struct rig *r = begin();
    set_ctr(r, 0x05); /* no translation */
    rig_out8(r, 0x60, 0xff);
    cr_expect_str_eq(all(r), "fa aa");
    rig_out8(r, 0x60, 0xf2);
    cr_expect_str_eq(all(r), "fa ab 83");
    rig_out8(r, 0x60, 0xee);
    cr_expect_str_eq(all(r), "ee");
    rig_out8(r, 0x60, 0xfe);
    cr_expect_str_eq(all(r), "ee", "resend");
    rig_out8(r, 0x60, 0x01);
    cr_expect_str_eq(all(r), "fe", "unknown");
    set_ctr(r, 0x45);
    rig_out8(r, 0x60, 0xf2);
    cr_expect_str_eq(all(r), "fa ab 41", "translation does not spare the id");
    rig_free(r);
}

Test(ps2_keyboard, commands_with_parameters)
{
    struct rig *r = begin();
    set_ctr(r, 0x05);
    rig_out8(r, 0x60, 0xed);
    cr_expect_str_eq(all(r), "fa");
    rig_out8(r, 0x60, 0x07);
    cr_expect_str_eq(all(r), "fa");
    rig_out8(r, 0x60, 0xf3);
    all(r);
    rig_out8(r, 0x60, 0x00);
    cr_expect_str_eq(all(r), "fa");
    rig_out8(r, 0x60, 0xf0);
    all(r);
    rig_out8(r, 0x60, 0x00);
    cr_expect_str_eq(all(r), "fa 02");
    rig_out8(r, 0x60, 0xed); /* a command where a parameter is due */
    all(r);
    rig_out8(r, 0x60, 0xf2);
    cr_expect_str_eq(all(r), "fa ab 83");
    rig_free(r);
}

/* Firmware that sets the lights, without interrupts, throws away what is not the answer. */
Test(ps2_keyboard, no_code_is_in_the_way_of_an_answer)
{
    struct rig *r = begin();
    set_ctr(r, 0x05);
    rig_out8(r, 0x60, 0xed);
    input_key(r->m, 0x04, true);
    cr_expect_str_eq(all(r), "fa", "keys wait for the parameter");
    rig_out8(r, 0x60, 0x04);
    cr_expect_str_eq(all(r), "fa 1c");
    input_key(r->m, 0x04, false);
    all(r);
    set_ctr(r, 0x44);
    input_key(r->m, 0x04, true);
    input_key(r->m, 0x04, false);
    rig_step(r, NS_PER_MS);
    rig_out8(r, 0x60, 0xed);
    cr_expect_str_eq(all(r), "fa");
    rig_out8(r, 0x60, 0x00);
    cr_expect_eq(next(r), 0xfa);
    cr_expect_eq(next(r), 0x1e, "what was cut off");
    rig_step(r, NS_PER_MS);
    rig_out8(r, 0x60, 0xee);
    cr_expect_str_eq(all(r), "ee 9e", "and its break with the prefix");
    rig_out8(r, 0x60, 0xee);
    rig_step(r, NS_PER_MS);
    rig_out8(r, 0x60, 0xf2);
    cr_expect_str_eq(all(r), "ee fa ab 41", "replies stay");
    set_ctr(r, 0x45);
    input_key(r->m, 0x04, true);
    rig_step(r, NS_PER_MS);
    rig_out8(r, 0x60, 0xee);
    cr_expect_str_eq(all(r), "1e ee", "what an interrupt told of stays");
    rig_free(r);
}

Test(ps2_keyboard, scan_code_sets_of_special_keys)
{
    static const struct {
        uint8_t set, hid, mod;
        const char *want;
    } cases[] = {
        {2, 0x04, 0, "1c f0 1c"},
        {1, 0x04, 0, "1e 9e"},
        {3, 0x04, 0, "1c"},
        {2, 0x48, 0, "e1 14 77 e1 f0 14 f0 77"},
        {1, 0x48, 0, "e1 1d 45 e1 9d c5"},
        {2, 0x48, 0xe0, "14 e0 7e e0 f0 7e f0 14"},
        {1, 0x48, 0xe0, "1d e0 46 e0 c6 9d"},
        {2, 0x46, 0, "e0 12 e0 7c e0 f0 7c e0 f0 12"},
        {1, 0x46, 0, "e0 2a e0 37 e0 b7 e0 aa"},
        {2, 0x46, 0xe2, "11 84 f0 84 f0 11"},
        {1, 0x46, 0xe2, "38 54 d4 b8"},
        {2, 0x46, 0xe1, "12 e0 7c e0 f0 7c f0 12"},
        {2, 0x58, 0, "e0 5a e0 f0 5a"},
        {1, 0x58, 0, "e0 1c e0 9c"},
        {1, 0x54, 0, "e0 35 e0 b5"},
        {1, 0x38, 0, "35 b5"},
        {1, 0x53, 0, "45 c5"},
        {1, 0x65, 0, "e0 5d e0 dd"},
        {1, 0xe6, 0, "e0 38 e0 b8"},
        {1, 0xe7, 0, "e0 5c e0 dc"},
        {1, 0x64, 0, "56 d6"},
        {1, 0x45, 0, "58 d8"},
        {1, 0x40, 0, "41 c1"},
        {2, 0x40, 0, "83 f0 83"},
        {3, 0xe0, 0, "11 f0 11"},
        {2, 0xf5, 0, ""},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = begin();
        set_ctr(r, 0x05);
        rig_out8(r, 0x60, 0xf0);
        all(r);
        rig_out8(r, 0x60, cases[i].set);
        all(r);
        if (cases[i].mod) {
            input_key(r->m, cases[i].mod, true);
        }
        input_key(r->m, cases[i].hid, true);
        input_key(r->m, cases[i].hid, false);
        if (cases[i].mod) {
            input_key(r->m, cases[i].mod, false);
        }
        cr_expect_str_eq(all(r), cases[i].want, "case %u", i);
        rig_free(r);
    }
}

/* Translated set 2 must be set 1 for every key, and no two keys may share a code. */
Test(ps2_keyboard, every_key_has_its_own_code_in_sets_1_and_2)
{
    GHashTable *seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    unsigned keys = 0;
    for (unsigned hid = 0; hid < 256; hid++) {
        struct ps2_mods none = {0};
        uint8_t one[PS2_KEY_MAX_CODES], two[PS2_KEY_MAX_CODES];
        unsigned n1 = ps2_key_codes(hid, 1, true, none, one),
                 n2 = ps2_key_codes(hid, 2, true, none, two);
        cr_expect_eq(n1 != 0, n2 != 0);
        if (!n1 || hid == 0x32 || hid == 0x48 || hid == 0x94) {
            /* 0x32 is the ISO form of 0x31, 0x94 has the code of F24 */
            continue;
        }
        cr_expect_eq(n1, n2);
        for (unsigned i = 0; i < n1; i++) {
            cr_expect_eq(ps2_translate(two[i]), one[i], "key %#x", hid);
        }
        char *name = g_strdup_printf("%02x%02x%02x%02x", one[0], n1 > 1 ? one[1] : 0,
                                     n1 > 2 ? one[2] : 0, n1 > 3 ? one[3] : 0);
        cr_expect(g_hash_table_add(seen, name), "key %#x shares %s", hid, name);
        keys++;
    }
    cr_expect_geq(keys, 105, "%u", keys);
    g_hash_table_unref(seen);
}

/* CVE-2017-16845 was a queue position out of range: here bounded by code and by .max on load. */
Test(ps2_keyboard, queue_never_overflows_and_never_loses_a_release)
{
    struct rig *r = begin();
    set_ctr(r, 0x05);
    for (unsigned i = 0; i < 10000; i++) {
        input_key(r->m, 0x52, i % 3 != 2);
        input_key(r->m, 0x46, i & 1);
        cr_assert_leq(r->m->input->keys_queued(r->m->input_dev), 64);
    }
    unsigned n = 0;
    while (next(r) >= 0) {
        n++;
    }
    cr_expect_leq(n, 64);
    for (unsigned i = 0; i < 600; i++) { /* commands nobody reads the answers of */
        rig_out8(r, 0x60, i);
        mouse(r, i);
    }
    rig_free(r);
}

Test(ps2_keyboard, release_of_a_held_key_finds_room_in_a_full_queue)
{
    struct rig *r = begin();
    const char *codes;
    set_ctr(r, 0x05);
    input_key(r->m, 0x04, true);
    for (unsigned i = 0; i < 100; i++) {
        input_key(r->m, 0x06 + i % 20, true);
        input_key(r->m, 0x06 + i % 20, false);
    }
    input_key(r->m, 0x04, false);
    codes = all(r);
    cr_expect(g_str_has_suffix(codes, " f0 1c"), "%s", codes);
    for (unsigned hid = 0x04; hid < 0x50; hid++) { /* as many as fit, and none stays */
        input_key(r->m, hid, true);
    }
    for (unsigned hid = 0x04; hid < 0x50; hid++) {
        input_key(r->m, hid, false);
    }
    codes = all(r);
    for (unsigned hid = 0x04; hid < 0x0a; hid++) {
        g_autofree char *release =
            g_strdup_printf("f0 %02x", ps2_key_set3(hid)); /* letters: set 2's too */
        cr_expect(strstr(codes, release), "%s in %s", release, codes);
    }
    rig_free(r);
}

Test(ps2_keyboard, the_key_pressed_last_repeats_as_it_was_set)
{
    struct rig *r = begin();
    set_ctr(r, 0x05);
    input_key(r->m, 0x04, true);
    input_key(r->m, 0x04, true);
    cr_expect_str_eq(all(r), "1c", "what is down does not go down");
    rig_step(r, 480 * NS_PER_MS);
    cr_expect_str_eq(all(r), "");
    rig_step(r, 30 * NS_PER_MS);
    cr_expect_str_eq(all(r), "1c", "after half a second");
    unsigned n = 0;
    for (unsigned i = 0; i < 100; i++) {
        rig_step(r, 10 * NS_PER_MS);
        n += *all(r) != 0;
    }
    cr_expect(n == 10 || n == 11, "10.9 a second: %u", n);
    input_key(r->m, 0xe1, true);
    rig_step(r, NS_PER_SEC);
    cr_expect_str_eq(all(r), "12 12", "who does not read gets no more");
    rig_out8(r, 0x60, 0xf3);
    all(r);
    rig_out8(r, 0x60, 0x00); /* 250 ms, 30 a second */
    all(r);
    input_key(r->m, 0x05, true);
    cr_expect_str_eq(all(r), "32");
    rig_step(r, 260 * NS_PER_MS);
    cr_expect_str_eq(all(r), "32");
    rig_step(r, 34 * NS_PER_MS);
    cr_expect_str_eq(all(r), "32");
    input_key(r->m, 0x04, false);
    rig_step(r, 34 * NS_PER_MS);
    cr_expect_str_eq(all(r), "f0 1c", "another's release changes nothing, what waits goes first");
    rig_step(r, 34 * NS_PER_MS);
    cr_expect_str_eq(all(r), "32");
    input_key(r->m, 0x05, false);
    all(r);
    rig_step(r, NS_PER_SEC);
    cr_expect_str_eq(all(r), "", "and nothing takes its place");
    input_key(r->m, 0x48, true);
    all(r);
    rig_step(r, NS_PER_SEC);
    cr_expect_str_eq(all(r), "", "Pause does not repeat");
    rig_free(r);
}

/* Set scan code set and lights. */
static void set_up(struct rig *r, uint8_t set, uint8_t leds)
{
    const uint8_t bytes[] = {0xf0, set, 0xed, leds};
    for (unsigned i = 0; i < sizeof bytes; i++) {
        rig_out8(r, 0x60, bytes[i]);
        all(r);
    }
}

Test(ps2_keyboard, grey_keys_feign_shifts)
{
    struct rig *r = begin();
    set_ctr(r, 0x05);
    set_up(r, 2, INPUT_LED_NUM);
    cr_expect_eq(input_leds(r->m), INPUT_LED_NUM);
    input_key(r->m, 0x4f, true);
    cr_expect_str_eq(all(r), "e0 12 e0 74");
    set_up(r, 2, 0);
    input_key(r->m, 0x4f, false);
    cr_expect_str_eq(all(r), "e0 f0 74 e0 f0 12", "as it went down");
    input_key(r->m, 0xe1, true);
    input_key(r->m, 0xe5, true);
    all(r);
    input_key(r->m, 0x49, true);
    cr_expect_str_eq(all(r), "e0 f0 12 e0 f0 59 e0 70");
    input_key(r->m, 0xe1, false);
    all(r);
    input_key(r->m, 0x49, false);
    cr_expect_str_eq(all(r), "e0 f0 70 e0 59", "the left one is up by now");
    input_key(r->m, 0x54, true);
    input_key(r->m, 0x54, false);
    cr_expect_str_eq(all(r), "e0 f0 59 e0 4a e0 f0 4a e0 59");
    set_up(r, 1, INPUT_LED_NUM);
    input_key(r->m, 0x4f, true);
    input_key(r->m, 0x4f, false);
    cr_expect_str_eq(all(r), "e0 4d e0 cd", "Shift undoes Num Lock");
    input_key(r->m, 0xe5, false);
    all(r);
    input_key(r->m, 0x4f, true);
    input_key(r->m, 0x4f, false);
    cr_expect_str_eq(all(r), "e0 2a e0 4d e0 cd e0 aa");
    /* Alt+SysRq, with Alt up first: the release must be that of the press. */
    input_key(r->m, 0xe2, true);
    input_key(r->m, 0x46, true);
    input_key(r->m, 0xe2, false);
    input_key(r->m, 0x46, false);
    cr_expect_str_eq(all(r), "38 54 b8 d4");
    rig_free(r);
}

Test(ps2_keyboard, keys_of_set_3_have_types)
{
    struct rig *r = begin();
    set_ctr(r, 0x05);
    set_up(r, 3, 0);
    input_key(r->m, 0x29, true); /* Esc makes only */
    all(r);
    rig_step(r, NS_PER_SEC);
    cr_expect_str_eq(all(r), "");
    input_key(r->m, 0x29, false);
    cr_expect_str_eq(all(r), "");
    const uint8_t list[] = {0xfc, 0x08, 0x1c}; /* Esc and A: make and break */
    for (unsigned i = 0; i < sizeof list; i++) {
        rig_out8(r, 0x60, list[i]);
        cr_expect_str_eq(all(r), "fa");
    }
    rig_out8(r, 0x60, 0xf4); /* ends the list */
    all(r);
    input_key(r->m, 0x04, true);
    input_key(r->m, 0x04, false);
    input_key(r->m, 0x29, true);
    input_key(r->m, 0x29, false);
    cr_expect_str_eq(all(r), "1c f0 1c 08 f0 08");
    rig_out8(r, 0x60, 0xfa);
    all(r);
    input_key(r->m, 0x05, true);
    all(r);
    rig_step(r, 510 * NS_PER_MS);
    input_key(r->m, 0x05, false);
    cr_expect_str_eq(all(r), "32 f0 32", "all repeat and break");
    rig_free(r);
}

Test(ps2_keyboard, keys_of_other_countries_and_of_multimedia_keyboards)
{
    static const struct {
        uint8_t hid;
        const char *set1, *set2;
    } cases[] = {
        {0x32, "2b ab", "5d f0 5d"},
        {0x64, "56 d6", "61 f0 61"},
        {0x87, "73 f3", "51 f0 51"},
        {0x89, "7d fd", "6a f0 6a"},
        {0x8b, "7b fb", "67 f0 67"},
        {0x90, "f2", "f2"},
        {0x91, "f1", "f1"},
        {0x66, "e0 5e e0 de", "e0 37 e0 f0 37"},
        {0x7f, "e0 20 e0 a0", "e0 23 e0 f0 23"},
        {INPUT_KEY_PLAY, "e0 22 e0 a2", "e0 34 e0 f0 34"},
        {INPUT_KEY_SLEEP, "e0 5f e0 df", "e0 3f e0 f0 3f"},
        {INPUT_KEY_WAKE, "e0 63 e0 e3", "e0 5e e0 f0 5e"},
        {INPUT_KEY_MAIL, "e0 6c e0 ec", "e0 48 e0 f0 48"},
    };
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig *r = begin();
        for (unsigned set = 1; set <= 2; set++) {
            set_ctr(r, 0x05);
            set_up(r, set, 0);
            input_key(r->m, cases[i].hid, true);
            input_key(r->m, cases[i].hid, false);
            cr_expect_str_eq(all(r), set == 1 ? cases[i].set1 : cases[i].set2, "case %u", i);
        }
        rig_free(r);
    }
}

Test(ps2_keyboard, disabled_scanning_drops_keys)
{
    struct rig *r = begin();
    set_ctr(r, 0x05);
    rig_out8(r, 0x60, 0xf5);
    cr_expect_str_eq(all(r), "fa");
    input_key(r->m, 0x04, true);
    cr_expect_eq(next(r), -1);
    input_key(r->m, 0x04, false);
    rig_out8(r, 0x60, 0xf4);
    all(r);
    input_key(r->m, 0x04, true);
    cr_expect_eq(next(r), 0x1c);
    rig_free(r);
}

Test(ps2_mouse, standard_mouse_resets_and_reports_status)
{
    struct rig *r = begin();
    set_ctr(r, 0x47);
    mouse(r, 0xff);
    cr_expect_str_eq(all(r), "fa aa 00");
    mouse(r, 0xf2);
    cr_expect_str_eq(all(r), "fa 00");
    mouse(r, 0xe9);
    cr_expect_str_eq(all(r), "fa 00 02 64");
    mouse(r, 0xe8);
    all(r);
    mouse(r, 0x03);
    all(r);
    mouse(r, 0xe7);
    all(r);
    mouse(r, 0xf4);
    all(r);
    mouse(r, 0xe9);
    cr_expect_str_eq(all(r), "fa 30 03 64");
    mouse(r, 0x99);
    cr_expect_str_eq(all(r), "fe");
    cr_expect_eq(irq1.rises, 0);
    rig_free(r);
}

static void rates(struct rig *r, uint8_t a, uint8_t b, uint8_t c)
{
    uint8_t seq[3] = {a, b, c};
    for (unsigned i = 0; i < 3; i++) {
        mouse(r, 0xf3);
        all(r);
        mouse(r, seq[i]);
        all(r);
    }
}

Test(ps2_mouse, becomes_an_intellimouse_and_an_explorer)
{
    struct rig *r = begin();
    rates(r, 200, 200, 80);
    mouse(r, 0xf2);
    cr_expect_str_eq(all(r), "fa 00", "not without the first step");
    rates(r, 200, 100, 80);
    mouse(r, 0xf2);
    cr_expect_str_eq(all(r), "fa 03");
    mouse(r, 0xe8);
    all(r);
    mouse(r, 0x03);
    all(r);
    mouse(r, 0xf4);
    all(r);
    input_pointer(r->m, 5, -3, 1, 0);
    cr_expect_str_eq(all(r), "08 05 03 ff");
    rates(r, 200, 200, 80);
    mouse(r, 0xf2);
    cr_expect_str_eq(all(r), "fa 04");
    input_pointer(r->m, 0, 0, -2, 8 | 1);
    cr_expect_str_eq(all(r), "09 00 00 12");
    mouse(r, 0xff);
    all(r);
    mouse(r, 0xf2);
    cr_expect_str_eq(all(r), "fa 00");
    rig_free(r);
}

Test(ps2_mouse, motion_is_summed_up_and_clicks_are_kept)
{
    struct rig *r = begin();
    mouse(r, 0xf4);
    all(r);
    for (unsigned i = 0; i < 100; i++) {
        input_pointer(r->m, 6, 0, 0, 0); /* two for a count of the resolution after reset */
    }
    cr_expect_str_eq(packets(r), "08 03 00 08 ff 00 08 2a 00", "then 297 counts in two");
    input_pointer(r->m, 0, 0, 0, 1);
    input_pointer(r->m, 0, 0, 0, 0);
    input_pointer(r->m, 0, 0, 0, 2);
    cr_expect_str_eq(all(r), "09 00 00 08 00 00 0a 00 00");
    for (unsigned i = 0; i < 10000; i++) {
        input_pointer(r->m, INT32_MAX, INT32_MIN, INT32_MAX, i);
    }
    cr_expect_lt(strlen(packets(r)), 3 * 3 * 100, "bounded");
    rig_free(r);
}

Test(ps2_mouse, packets_wait_for_the_parameter)
{
    struct rig *r = begin();
    mouse(r, 0xf4);
    all(r);
    mouse(r, 0xf3);
    input_pointer(r->m, 0, 0, 0, 1);
    cr_expect_str_eq(all(r), "fa");
    mouse(r, 100);
    cr_expect_str_eq(all(r), "fa 09 00 00", "and are not lost");
    rig_free(r);
}

Test(ps2_mouse, resolution_and_rate_are_heeded)
{
    struct rig *r = begin();
    unsigned n = 0;
    for (unsigned resolution = 0; resolution <= 3; resolution++) {
        static const char *const want[] = {"08 04 00", "08 08 00", "08 10 00", "08 20 00"};
        mouse(r, 0xe8);
        all(r);
        mouse(r, resolution);
        all(r);
        mouse(r, 0xf4);
        all(r);
        rig_step(r, NS_PER_SEC);
        input_pointer(r->m, 32, 0, 0, 0);
        cr_expect_str_eq(all(r), want[resolution]);
    }
    mouse(r, 0xf3);
    all(r);
    mouse(r, 20);
    all(r);
    for (unsigned i = 0; i < 1000; i++) { /* a second of motion, 20 packets of 50 */
        input_pointer(r->m, 1, 0, 0, 0);
        rig_step(r, NS_PER_MS);
        n += *all(r) != 0;
    }
    cr_expect(n >= 20 && n <= 26, "%u", n);
    rig_free(r);
}

Test(ps2_mouse, lost_motion_is_told_and_a_slow_hand_is_not_lost)
{
    struct rig *r = begin();
    mouse(r, 0xf4);
    all(r);
    input_pointer(r->m, 1, 0, 0, 0);
    cr_expect_str_eq(all(r), "", "half a count");
    input_pointer(r->m, 1, 0, 0, 0);
    cr_expect_str_eq(all(r), "08 01 00");
    rig_step(r, NS_PER_SEC);
    input_pointer(r->m, 40000, -5, 0, 0);
    cr_expect(g_str_has_prefix(packets(r), "48 ff 02"), "overflow of X");
    rig_free(r);
}

Test(ps2_mouse, everything_held_is_let_go)
{
    struct rig *r = begin();
    set_ctr(r, 0x07);
    mouse(r, 0xf4);
    all(r);
    input_key(r->m, 0xe0, true);
    input_key(r->m, 0x04, true);
    input_pointer(r->m, 0, 0, 0, 1);
    all(r);
    input_release_all(r->m);
    cr_expect_str_eq(all(r), "f0 1c f0 14 08 00 00");
    input_key(r->m, 0x04, false);
    input_release_all(r->m);
    cr_expect_str_eq(all(r), "", "once");
    rig_free(r);
}

Test(ps2_mouse, remote_and_wrap_modes)
{
    struct rig *r = begin();
    mouse(r, 0xf0);
    all(r);
    input_pointer(r->m, -2, 2, 0, 4);
    cr_expect_eq(next(r), -1);
    mouse(r, 0xeb);
    cr_expect_str_eq(all(r), "fa 3c ff ff");
    mouse(r, 0xee);
    all(r);
    mouse(r, 0xf2);
    cr_expect_str_eq(all(r), "f2");
    mouse(r, 0xec);
    cr_expect_str_eq(all(r), "fa");
    rig_free(r);
}
