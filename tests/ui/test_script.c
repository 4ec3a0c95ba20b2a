/*
 * --expect, --expect-serial, --type: order, matching, pacing, ends.  The screen and the keyboard
 * are the test's own.
 */
#include "tests/rig.h"
#include "ui/script.h"
#include <criterion/criterion.h>

enum { COLS = 20, ROWS = 4 };

struct bench {
    struct rig *r;
    GArray *steps;
    struct script *s;
    struct text_cell cells[COLS * ROWS];
    GArray *keys;    /* unsigned: HID code, | 0x100 for a release */
    unsigned queued; /* what the guest has not taken */
    bool graphics;
    struct device dev; /* for the contracts; container_of finds the bench */
};

static bool fake_text(struct device *dev, struct text_cell *cells, size_t max, unsigned *cols,
                      unsigned *rows)
{
    struct bench *b = container_of(dev, struct bench, dev);

    memcpy(cells, b->cells, MIN(max, ARRAY_LEN(b->cells)) * sizeof *cells);
    *cols = COLS;
    *rows = ROWS;
    return !b->graphics;
}

static void fake_key(struct device *dev, unsigned code, bool down)
{
    struct bench *b = container_of(dev, struct bench, dev);
    unsigned key = code | (down ? 0 : 0x100);

    g_array_append_val(b->keys, key);
}

static unsigned fake_queued(struct device *dev)
{
    return container_of(dev, struct bench, dev)->queued;
}

static const struct display_ops fake_display = {.text = fake_text};
static const struct input_ops fake_input = {.key = fake_key, .keys_queued = fake_queued};

static void bench_add(struct bench *b, enum step_kind kind, const char *text)
{
    struct script_step step = {kind, g_strdup(text)};

    g_array_append_val(b->steps, step);
}

static void step_clear(gpointer data)
{
    g_free(((struct script_step *)data)->text);
}

static struct bench *bench_new(void)
{
    struct bench *b = g_new0(struct bench, 1);

    b->r = rig_begin(NULL);
    b->r->m->display = &fake_display;
    b->r->m->display_dev = &b->dev;
    b->r->m->input = &fake_input;
    b->r->m->input_dev = &b->dev;
    b->steps = g_array_new(FALSE, FALSE, sizeof(struct script_step));
    g_array_set_clear_func(b->steps, step_clear);
    b->keys = g_array_new(FALSE, FALSE, sizeof(unsigned));
    rig_ready(b->r);
    return b;
}

static void bench_start(struct bench *b)
{
    b->s = script_new(b->steps, true);
    script_start(b->s, b->r->m, NULL);
}

static void bench_ticks(struct bench *b, unsigned n)
{
    while (n--) {
        script_tick(b->s);
    }
}

static void bench_show(struct bench *b, unsigned row, const char *text)
{
    for (unsigned i = 0; text[i] && i < COLS; i++) {
        b->cells[row * COLS + i].ch = (uint8_t)text[i];
    }
}

static void bench_serial(struct bench *b, const char *text)
{
    script_serial(b->s, (const uint8_t *)text, strlen(text));
}

/* The keys pressed (not released) so far. */
static unsigned bench_pressed(const struct bench *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < b->keys->len; i++) {
        n += !(g_array_index(b->keys, unsigned, i) & 0x100);
    }
    return n;
}

static void bench_free(struct bench *b)
{
    rig_free(b->r);
    script_free(b->s);
    g_array_unref(b->steps);
    g_array_unref(b->keys);
    g_free(b);
}

Test(script, the_last_expectation_ends_the_run)
{
    struct bench *b = bench_new();

    bench_add(b, STEP_EXPECT, "ready>");
    bench_start(b);
    bench_ticks(b, 10);
    cr_expect_eq((int)b->r->m->end, END_NONE);
    cr_expect_not(script_is_met(b->s));
    bench_show(b, 2, "the ready> prompt");
    bench_ticks(b, 10);
    cr_expect_eq((int)b->r->m->end, END_QUIT);
    cr_expect_eq(b->r->m->end_code, 0);
    cr_expect(script_is_met(b->s));
    bench_free(b);
}

Test(script, blanks_at_the_end_of_a_line_count)
{
    static const struct {
        const char *line, *text;
        bool met;
    } cases[] = {
        {"login:", "login: ", true},      {"login: x", "login: ", true},
        {"login:x", "login: ", false},    {"login: x", "login:  ", false},
        {"a:b a:", "a: ", true},          {"12345678901234567890", "890", true},
        {"login:", "login: root", false}, {"x", " ", true},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench *b = bench_new();

        bench_add(b, STEP_EXPECT, cases[i].text);
        bench_start(b);
        bench_show(b, 1, cases[i].line);
        bench_ticks(b, 10);
        cr_expect_eq(script_is_met(b->s), cases[i].met, "'%s' on '%s'", cases[i].text,
                     cases[i].line);
        bench_free(b);
    }
}

Test(script, a_graphics_mode_has_no_text)
{
    struct bench *b = bench_new();

    bench_add(b, STEP_EXPECT, "x");
    bench_start(b);
    bench_show(b, 0, "x");
    b->graphics = true;
    bench_ticks(b, 10);
    cr_expect_not(script_is_met(b->s));
    bench_free(b);
}

/* The guest powers itself off, or its time is up, before the next tick. */
Test(script, what_came_last_counts)
{
    struct bench *b = bench_new();

    bench_add(b, STEP_EXPECT_SERIAL, "bye");
    bench_add(b, STEP_EXPECT, "off");
    bench_start(b);
    bench_ticks(b, 1);
    bench_serial(b, "bye");
    bench_show(b, 0, "off");
    machine_end(b->r->m, END_BUDGET, 6);
    cr_expect(script_last_look(b->s));
    cr_expect(script_is_met(b->s));
    cr_expect_eq((int)b->r->m->end, END_BUDGET);
    bench_free(b);

    b = bench_new();
    bench_add(b, STEP_EXPECT, "off");
    bench_add(b, STEP_TYPE, "x");
    bench_start(b);
    bench_show(b, 0, "off");
    cr_expect_not(script_last_look(b->s), "typing does not end a run");
    cr_expect(script_is_met(b->s));
    bench_free(b);
    cr_expect_not(script_last_look(NULL));
}

Test(script, what_is_missing_is_named)
{
    struct bench *b = bench_new();
    g_autofree char *first = NULL, *second = NULL;

    bench_add(b, STEP_EXPECT, "one");
    bench_add(b, STEP_TYPE, "x");
    bench_add(b, STEP_EXPECT_SERIAL, "two");
    bench_start(b);
    first = script_missing(b->s);
    cr_expect_str_eq(first, "--expect 'one'");
    bench_show(b, 0, "one");
    bench_ticks(b, 20);
    second = script_missing(b->s);
    cr_expect_str_eq(second, "--expect-serial 'two'");
    bench_free(b);
}

Test(script, serial_text_counts_from_the_last_match_on)
{
    struct bench *b = bench_new();

    bench_add(b, STEP_EXPECT, "go");
    bench_add(b, STEP_EXPECT_SERIAL, "A#");
    bench_add(b, STEP_EXPECT_SERIAL, "A#");
    bench_start(b);
    bench_serial(b, "xxA"); /* before its step, and in pieces */
    bench_serial(b, "#yy");
    bench_show(b, 0, "go");
    bench_ticks(b, 10);
    cr_expect_not(script_is_met(b->s), "the same text served twice");
    bench_serial(b, "A#");
    bench_ticks(b, 1);
    cr_expect(script_is_met(b->s));
    cr_expect_eq((int)b->r->m->end, END_QUIT);
    bench_free(b);
}

Test(script, endless_serial_text_is_not_kept)
{
    struct bench *b = bench_new();
    g_autofree char *chunk = g_strnfill(64 * 1024, 'x');

    bench_add(b, STEP_EXPECT, "never");
    bench_add(b, STEP_EXPECT_SERIAL, "end");
    bench_start(b);
    for (unsigned i = 0; i < 64; i++) {
        bench_serial(b, chunk);
    }
    bench_serial(b, "end");
    bench_show(b, 0, "never");
    bench_ticks(b, 10);
    cr_expect(script_is_met(b->s), "the newest text is kept");
    bench_free(b);
}

Test(script, keys_wait_until_the_guest_took_the_last_one)
{
    struct bench *b = bench_new();

    bench_add(b, STEP_TYPE, "ab");
    bench_start(b);
    bench_ticks(b, 1);
    cr_expect_eq(bench_pressed(b), 1);
    b->queued = 1;
    bench_ticks(b, 20);
    cr_expect_eq(bench_pressed(b), 1);
    b->queued = 0;
    bench_ticks(b, 20);
    cr_expect_eq(bench_pressed(b), 2);
    cr_expect_eq((int)b->r->m->end, END_NONE, "typing alone does not end the run");
    bench_free(b);
}

Test(script, escapes_and_names_become_keys)
{
    static const struct {
        const char *text;
        unsigned codes[4]; /* in order of pressing, 0-ended */
    } cases[] = {
        {"a", {0x04}},
        {"A", {0xe1, 0x04}},
        {"\\n", {0x28}},
        {"\\e", {0x29}},
        {"\\t", {0x2b}},
        {"\\b", {0x2a}},
        {"\\\\", {0x31}},
        {"\\@", {0xe1, 0x1f}},
        {"@", {0xe1, 0x1f}},
        {"\\{f12}", {0x45}},
        {"\\{CTRL-alt-delete}", {0xe0, 0xe2, 0x4c}},
        {"\\{ctrl-c}", {0xe0, 0x06}},
        {"\\{0}", {0x27}},
        {"\\{9}", {0x26}},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench *b = bench_new();
        unsigned n = 0;

        bench_add(b, STEP_TYPE, cases[i].text);
        bench_start(b);
        bench_ticks(b, 10);
        for (unsigned k = 0; k < b->keys->len; k++) {
            unsigned key = g_array_index(b->keys, unsigned, k);

            if (!(key & 0x100)) {
                cr_expect(n < 4 && key == cases[i].codes[n], "'%s': key %u is %#x", cases[i].text,
                          n, key);
                n++;
            }
        }
        cr_expect(n && (n == 4 || !cases[i].codes[n]), "'%s': %u keys", cases[i].text, n);
        cr_expect_eq(b->keys->len, 2 * n, "'%s': what is pressed is released", cases[i].text);
        bench_free(b);
    }
}

Test(script, waits_take_their_time)
{
    struct bench *b = bench_new();
    int64_t begun = g_get_monotonic_time();

    bench_add(b, STEP_TYPE, "@120ms\\n");
    bench_start(b);
    bench_ticks(b, 50);
    cr_expect(!bench_pressed(b) || g_get_monotonic_time() - begun >= 120 * 1000);
    while (!bench_pressed(b) && g_get_monotonic_time() < begun + 5 * G_USEC_PER_SEC) {
        g_usleep(5000);
        bench_ticks(b, 1);
    }
    cr_expect_eq(bench_pressed(b), 1);
    cr_expect_geq(g_get_monotonic_time() - begun, 120 * 1000);
    bench_free(b);
}
