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
        {2, 0xff, 0, ""},
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
        if (!n1 || hid == 0x32 || hid == 0x48) { /* 0x32 is the ISO form of 0x31 */
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
        input_key(r->m, 0x05, true);
    }
    input_key(r->m, 0x05, false);
    input_key(r->m, 0x04, false);
    codes = all(r);
    cr_expect(g_str_has_suffix(codes, "32 f0 32 f0 1c"), "%s", codes);
    rig_free(r);
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
        input_pointer(r->m, 3, 0, 0, 0);
    }
    cr_expect_str_eq(all(r), "08 03 00 08 ff 00 08 2a 00", "first packet, then 297 counts in two");
    input_pointer(r->m, 0, 0, 0, 1);
    input_pointer(r->m, 0, 0, 0, 0);
    input_pointer(r->m, 0, 0, 0, 2);
    cr_expect_str_eq(all(r), "09 00 00 08 00 00 0a 00 00");
    for (unsigned i = 0; i < 10000; i++) {
        input_pointer(r->m, INT32_MAX, INT32_MIN, INT32_MAX, i);
    }
    cr_expect_lt(strlen(all(r)), 600, "bounded");
    rig_free(r);
}

Test(ps2_mouse, remote_and_wrap_modes)
{
    struct rig *r = begin();
    mouse(r, 0xf0);
    all(r);
    input_pointer(r->m, -1, 1, 0, 4);
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
