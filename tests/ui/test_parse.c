/*
 * The small parsers of the command line: sizes, numbers, times, lists, distances.
 */
#include "ui/parse.h"
#include <criterion/criterion.h>

Test(parse, sizes_are_counted_in_their_unit)
{
    static const struct {
        const char *text;
        uint64_t unit, bytes; /* bytes 0: refused */
    } cases[] = {
        {"1", MiB, MiB},
        {"512", MiB, 512 * MiB},
        {"64", 1, 64},
        {"512M", MiB, 512 * MiB},
        {"2G", MiB, 2 * GiB},
        {"64K", MiB, 64 * KiB},
        {"2g", MiB, 2 * GiB},
        {"1MiB", 1, MiB},
        {"1MB", 1, MiB},
        {"3T", 1, 3072 * GiB},
        {"0", MiB, 0},
        {"0G", MiB, 0},
        {"-1", MiB, 0},
        {"", MiB, 0},
        {"M", MiB, 0},
        {"1.5G", MiB, 0},
        {"12Q", MiB, 0},
        {"1MM", MiB, 0},
        {" 1", MiB, 0},
        {"1 ", MiB, 0},
        {"0x10", MiB, 0},
        {"18446744073709551615", 1, UINT64_MAX},
        {"18446744073709551616", 1, 0},
        {"18014398509481984K", MiB, 0},
        {"99999999999999999999G", MiB, 0},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t bytes = 0;
        GError *err = NULL;
        bool good = parse_size(cases[i].text, cases[i].unit, &bytes, &err);

        cr_expect_eq(good, cases[i].bytes != 0, "'%s'", cases[i].text);
        cr_expect_eq(good, err == NULL, "'%s'", cases[i].text);
        if (good) {
            cr_expect_eq(bytes, cases[i].bytes, "'%s'", cases[i].text);
        } else {
            cr_expect(strstr(err->message, cases[i].text), "'%s' is not named: %s", cases[i].text,
                      err->message);
        }
        g_clear_error(&err);
    }
}

Test(parse, numbers_stay_below_their_limit)
{
    static const struct {
        const char *text;
        uint64_t max, val;
        bool good;
    } cases[] = {
        {"0", 3, 0, true},     {"3", 3, 3, true},
        {"4", 3, 0, false},    {"0xf4", 255, 0xf4, true},
        {"0x", 255, 0, false}, {"", 255, 0, false},
        {"-1", 9, 0, false},   {"+1", 9, 0, false},
        {"12a", 99, 0, false}, {"a", 99, 0, false},
        {" 1", 9, 0, false},   {"18446744073709551616", UINT64_MAX, 0, false},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t val = 0;
        bool good = parse_number(cases[i].text, cases[i].max, &val, NULL);

        cr_expect_eq(good, cases[i].good, "'%s'", cases[i].text);
        cr_expect(!good || val == cases[i].val, "'%s'", cases[i].text);
    }
}

Test(parse, times_are_milliseconds_above_zero)
{
    static const struct {
        const char *text;
        int64_t ms; /* 0: refused */
    } cases[] = {
        {"1", 1000}, {"2.5", 2500}, {".25", 250}, {"60s", 60000}, {"0", 0},     {"-1", 0},
        {"", 0},     {"x", 0},      {"1x", 0},    {"nan", 0},     {"1e300", 0}, {"inf", 0},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = 0;
        bool good = parse_seconds(cases[i].text, &ms, NULL);

        cr_expect_eq(good, cases[i].ms != 0, "'%s'", cases[i].text);
        cr_expect(!good || ms == cases[i].ms, "'%s'", cases[i].text);
    }
}

Test(parse, two_commas_stand_for_one)
{
    g_auto(GStrv) words = parse_commas("file=a,,b.img,if=ide,,");

    cr_assert_eq(g_strv_length(words), 2);
    cr_expect_str_eq(words[0], "file=a,b.img");
    cr_expect_str_eq(words[1], "if=ide,");
}

Test(parse, distance_counts_single_changes)
{
    cr_expect_eq(parse_distance("", ""), 0);
    cr_expect_eq(parse_distance("cdrom", "cdrom"), 0);
    cr_expect_eq(parse_distance("cdrm", "cdrom"), 1);
    cr_expect_eq(parse_distance("cdorm", "cdrom"), 1); /* neighbours swapped */
    cr_expect_eq(parse_distance("abc", ""), 3);
    cr_expect_eq(parse_distance("kitten", "sitting"), 3);
}

Test(parse, nearest_gives_up_on_what_is_far)
{
    static const char *const names[] = {"m", "memory", "cdrom", "serial", NULL};

    cr_expect_str_eq(parse_nearest("cdrm", names), "cdrom");
    cr_expect_str_eq(parse_nearest("mem", names), "memory", "not spoilt by the shorter m");
    cr_expect_str_eq(parse_nearest("memroy", names), "memory");
    cr_expect_null(parse_nearest("zzzzzzzz", names));
    cr_expect_null(parse_nearest(
        "a-word-that-is-much-longer-than-any-name-could-ever-be-and-must-not-overrun-a-buffer",
        names));
}
