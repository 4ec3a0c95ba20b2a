/*
 * Configuration data, device properties, trace lists, text input.
 *
 * Not modelled: the CPU.
 */
#include "tests/rig.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

Test(config, a_copy_shares_nothing)
{
    struct vm_config a, b;

    vm_config_init(&a);
    cr_assert(a.memory == 512 * MiB && a.cpus == 1 && a.debug_exit_port == -1);
    cr_assert_str_eq(a.cpu_model, "x86-64-v3");
    a.drives[7].file = g_strdup("disk.img");
    a.serial[1] = g_strdup("null");
    vm_config_copy(&b, &a);
    a.drives[7].file[0] = 'X';
    vm_config_clear(&a);
    cr_assert_str_eq(b.drives[7].file, "disk.img");
    cr_assert_str_eq(b.serial[1], "null");
    vm_config_clear(&b);
    cr_assert_null(b.serial[1]);
}

struct thing {
    struct device dev;
    bool flag;
    uint64_t number;
    char *text;
};

static const struct prop thing_props[] = {
    PROP_DEF_BOOL(struct thing, flag, "flag", true, "a flag"),
    PROP_DEF_UINT(struct thing, number, "number", 5, 300, "a number"),
    PROP_DEF_STRING(struct thing, text, "text", "some text"),
    PROP_DEF_END,
};
static const struct device_ops thing_ops = {
    .name = "thing", .size = sizeof(struct thing), .props = thing_props};

Test(device, properties_take_good_values_and_refuse_others)
{
    struct rig *r = rig_begin(NULL);
    struct thing *t = (struct thing *)device_new(r->m, &thing_ops, "thing0");
    static const struct {
        const char *prop, *value;
        bool good;
    } cases[] = {
        {"flag", "off", true},     {"flag", "maybe", false},
        {"number", "0x12c", true}, {"number", "301", false},
        {"number", "-1", false},   {"number", "", false},
        {"number", "12x", false},  {"number", "0x", false},
        {"number", " 1", false},   {"number", "99999999999999999999999", false},
        {"text", "hello", true},   {"text", "again", true},
        {"colour", "red", false},
    };

    cr_assert(t->flag && t->number == 5 && !t->text);
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        GError *err = NULL;

        cr_assert_eq(device_set(&t->dev, cases[i].prop, cases[i].value, &err), cases[i].good,
                     "case %u", i);
        cr_assert_eq(err == NULL, cases[i].good);
        if (err) {
            cr_assert(err->code == CANDELA_ERROR_CONFIG && strstr(err->message, "thing0") &&
                          strstr(err->message, cases[i].prop),
                      "%s", err->message);
            g_error_free(err);
        }
    }
    cr_assert(!t->flag && t->number == 300);
    cr_assert_str_eq(t->text, "again");
    cr_assert_eq(device_find(r->m, "thing0"), &t->dev);
    cr_assert_null(device_find(r->m, "thing1"));
    rig_ready(r);
    rig_free(r);
}

Test(trace, lists_are_parsed)
{
    uint32_t mask = 7;
    GError *err = NULL;

    cr_assert(trace_parse("io,irq", &mask, &err));
    cr_assert_eq(mask, TR_IO | TR_IRQ);
    cr_assert(trace_parse("all", &mask, &err));
    cr_assert_eq(mask, TR_ALL);
    cr_assert(!trace_parse("io,foo", &mask, &err));
    cr_assert(err->code == CANDELA_ERROR_CONFIG && strstr(err->message, "'foo'") &&
              strstr(err->message, "irq"));
    cr_assert_eq(mask, TR_ALL, "untouched after an error");
    g_error_free(err);
    cr_assert_str_eq(trace_name(TR_DMA), "dma");
}

Test(trace, guest_errors_are_shown_twenty_times)
{
    struct vm_config c;
    struct rig *r;
    struct device *dev;
    char *text = NULL;
    size_t len = 0, lines = 0;
    FILE *f = open_memstream(&text, &len);

    vm_config_init(&c);
    c.trace_mask = TR_GUEST;
    r = rig_begin(&c);
    vm_config_clear(&c);
    r->m->log = f;
    dev = device_new(r->m, &thing_ops, "thing");
    for (unsigned i = 0; i < 100; i++) {
        guest_error(dev, "bad %u", i);
    }
    trace(dev, TR_IO, "not shown");
    fflush(f);
    for (const char *p = text; (p = strchr(p, '\n')); p++) {
        lines++;
    }
    cr_assert_eq(lines, 21);
    cr_assert(g_str_has_prefix(text, "0.000000000 thing guest: bad 0\n"), "%s", text);
    cr_assert_eq(dev->guest_errors, 100);
    rig_ready(r);
    rig_free(r);
    fclose(f);
    free(text); /* of open_memstream */
}

static void keys_note(struct device *dev, unsigned hid, bool down)
{
    g_string_append_printf((GString *)(void *)dev, "%s%x ", down ? "+" : "-", hid);
}

Test(input, characters_become_keys_of_a_us_keyboard)
{
    static const struct input_ops ops = {.key = keys_note};
    static const struct {
        char ch;
        const char *keys;
    } cases[] = {
        {'a', "+4 -4 "},           {'Z', "+e1 +1d -1d -e1 "},
        {'0', "+27 -27 "},         {'!', "+e1 +1e -1e -e1 "},
        {'\n', "+28 -28 "},        {' ', "+2c -2c "},
        {'_', "+e1 +2d -2d -e1 "}, {'\\', "+31 -31 "},
        {'~', "+e1 +35 -35 -e1 "}, {'"', "+e1 +34 -34 -e1 "},
        {3, "+e0 +6 -6 -e0 "},     {'/', "+38 -38 "},
        {'@', "+e1 +1f -1f -e1 "}, {'{', "+e1 +2f -2f -e1 "},
        {(char)0xe4, ""},          {0, ""},
    };
    struct rig *r = rig_new(NULL);
    GString *log = g_string_new(NULL);

    r->m->input = &ops;
    r->m->input_dev = (struct device *)(void *)log; /* only handed through */
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        cr_assert_eq(input_type_char(r->m, cases[i].ch), cases[i].keys[0] != 0);
        cr_assert_str_eq(log->str, cases[i].keys, "case %u: %s", i, log->str);
        g_string_truncate(log, 0);
    }
    g_string_free(log, TRUE);
    rig_free(r);
}
