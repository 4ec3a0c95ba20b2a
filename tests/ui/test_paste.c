/*
 * Pasting: what is typed, what is left out and told, pace, cancelling.  The keyboard is the test's.
 */
#include "tests/rig.h"
#include "ui/paste.h"
#include <criterion/criterion.h>

struct bench {
    struct rig *r;
    struct device dev; /* for the contract; container_of finds the bench */
    GString *typed;    /* a letter per key pressed, ^ for Shift */
    unsigned queued, leds, releases, ends;
    bool free_at_end;
    struct paste *p;
};

static void fake_key(struct device *dev, unsigned code, bool down)
{
    struct bench *b = container_of(dev, struct bench, dev);
    static const char names[] = "abcdefghijklmnopqrstuvwxyz1234567890\n\033\b\t -=[]\\?;'`,./";

    if (down) {
        g_string_append_c(b->typed, code == 0xe1 ? '^' : names[code - 4]);
    }
}

static unsigned fake_queued(struct device *dev)
{
    return container_of(dev, struct bench, dev)->queued;
}

static unsigned fake_leds(struct device *dev)
{
    return container_of(dev, struct bench, dev)->leds;
}

static void fake_release(struct device *dev)
{
    container_of(dev, struct bench, dev)->releases++;
}

static const struct input_ops fake_input = {
    .key = fake_key, .keys_queued = fake_queued, .leds = fake_leds, .release = fake_release};

static struct bench *bench_new(void)
{
    struct bench *b = g_new0(struct bench, 1);

    b->r = rig_begin(NULL);
    b->r->m->input = &fake_input;
    b->r->m->input_dev = &b->dev;
    b->typed = g_string_new(NULL);
    rig_ready(b->r);
    return b;
}

static void bench_free(struct bench *b)
{
    paste_free(b->p);
    rig_free(b->r);
    g_string_free(b->typed, TRUE);
    g_free(b);
}

static void on_end(void *arg)
{
    struct bench *b = arg;

    b->ends++;
    if (b->free_at_end) {
        g_clear_pointer(&b->p, paste_free);
    }
}

static void bench_paste(struct bench *b, const char *text)
{
    GError *err = NULL;

    b->p = paste_start(b->r->m, text, on_end, b, &err);
    cr_assert(b->p, "%s", err ? err->message : "");
}

static void bench_refused(struct bench *b, const char *text, const char *why)
{
    GError *err = NULL;

    cr_assert_null(paste_start(b->r->m, text, on_end, b, &err));
    cr_expect(g_error_matches(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG));
    cr_expect(strstr(err->message, why), "%s", err->message);
    g_error_free(err);
}

Test(paste, text_becomes_key_strokes_and_line_ends_enter)
{
    struct bench *b = bench_new();

    bench_paste(b, "Ls -l~\r\nx\ty\rz\n");
    cr_expect_eq(b->releases, 1, "what is held is let go first");
    cr_expect_eq(paste_left(b->p), 13);
    while (paste_tick(b->p)) {
    }
    cr_expect_str_eq(b->typed->str, "^ls -l^`\nx\ty\nz\n");
    cr_expect_eq(b->ends, 1);
    cr_expect_eq(paste_left(b->p), 0);
    cr_expect_eq(paste_skipped(b->p, NULL), 0);
    bench_free(b);
}

Test(paste, characters_without_a_key_are_left_out_and_told)
{
    struct bench *b = bench_new();
    g_autofree char *some = NULL;

    bench_paste(b, "a\u00e4b\u20ac\u00e4\u00a0c\x01");
    cr_expect_eq(paste_skipped(b->p, &some), 4);
    cr_expect_str_eq(some, "\u00e4\u20ac");
    b->free_at_end = true;
    while (!b->ends) {
        paste_tick(b->p);
    }
    cr_expect_str_eq(b->typed->str, "ab c");
    bench_free(b);
}

Test(paste, waits_for_the_guest_and_stops_when_it_is_freed)
{
    struct bench *b = bench_new();

    bench_paste(b, "abc");
    cr_expect(paste_tick(b->p));
    b->queued = 1;
    for (unsigned i = 0; i < 100; i++) {
        cr_expect(paste_tick(b->p));
    }
    cr_expect_str_eq(b->typed->str, "a");
    b->queued = 0;
    cr_expect(paste_tick(b->p));
    g_clear_pointer(&b->p, paste_free);
    cr_expect_str_eq(b->typed->str, "ab");
    cr_expect_eq(b->ends, 0);
    bench_free(b);
}

Test(paste, caps_lock_does_not_turn_letters_round)
{
    struct bench *b = bench_new();

    b->leds = INPUT_LED_CAPS;
    bench_paste(b, "aB1!");
    while (paste_tick(b->p)) {
    }
    cr_expect_str_eq(b->typed->str, "^ab1^1");
    bench_free(b);
}

Test(paste, what_cannot_be_typed_is_refused)
{
    struct bench *b = bench_new();
    g_autofree char *big = g_strnfill(PASTE_MAX + 1, 'x');

    bench_refused(b, "", "no key");
    bench_refused(b, "\u00e4", "no key");
    bench_refused(b, "a\xff", "UTF-8");
    bench_refused(b, big, "65536");
    b->r->m->input = NULL;
    bench_refused(b, "a", "no keyboard");
    bench_free(b);
}
