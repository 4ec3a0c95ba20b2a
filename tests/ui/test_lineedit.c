/*
 * The line editor: keys and what the terminal shows.  A small terminal model reads what the editor
 * writes: what it shows must be what the editor means, whatever is typed.
 */
#include "hw/core/base.h"
#include "ui/lineedit.h"
#include <criterion/criterion.h>

enum { COLS = 1200 };

struct bench {
    GString *out;
    struct lineedit *e;
    GString *screen; /* the line the cursor is in, one byte a column */
    size_t col;
};

static struct bench *bench_new(bool editing)
{
    struct bench *b = g_new0(struct bench, 1);

    b->out = g_string_new(NULL);
    b->screen = g_string_new(NULL);
    b->e = lineedit_new("> ", b->out);
    lineedit_set_editing(b->e, editing);
    lineedit_show(b->e);
    return b;
}

static void bench_free(struct bench *b)
{
    lineedit_free(b->e);
    g_string_free(b->out, TRUE);
    g_string_free(b->screen, TRUE);
    g_free(b);
}

/* Take what the editor wrote. */
static void bench_show(struct bench *b)
{
    for (const char *p = b->out->str; *p; p++) {
        if (g_str_has_prefix(p, "\033[K")) {
            g_string_truncate(b->screen, b->col);
            p += 2;
        } else if (g_str_has_prefix(p, "\033[H\033[2J")) {
            g_string_truncate(b->screen, 0);
            b->col = 0;
            p += 6;
        } else if (*p == '\b') {
            cr_assert(b->col > 0, "back over the left edge");
            b->col--;
        } else if (*p == '\r') {
            b->col = 0;
        } else if (*p == '\n') {
            g_string_truncate(b->screen, 0);
        } else if (((uint8_t)*p & 0xc0) != 0x80) {
            cr_assert((uint8_t)*p >= 0x20, "control character %02x", (uint8_t)*p);
            if (b->col == b->screen->len) {
                g_string_append_c(b->screen, *p);
            } else {
                b->screen->str[b->col] = *p;
            }
            b->col++;
        }
    }
    g_string_truncate(b->out, 0);
}

static enum line_event type(struct bench *b, const char *keys)
{
    enum line_event event = LINE_MORE;

    for (; *keys; keys++) {
        event = lineedit_take(b->e, (uint8_t)*keys);
    }
    bench_show(b);
    return event;
}

/* `line`: with a bar where the cursor is. */
static void expect(struct bench *b, const char *keys, const char *line)
{
    g_autofree char *text = g_strdup(line), *shown = NULL;
    char *bar = strchr(text, '|');
    size_t at = (size_t)(bar - text);

    memmove(bar, bar + 1, strlen(bar));
    shown = g_strconcat("> ", text, NULL);
    type(b, keys);
    cr_expect_str_eq(lineedit_text(b->e), text, "%s: %s", line, lineedit_text(b->e));
    cr_expect_eq(lineedit_cursor(b->e), at, "%s: %zu", line, lineedit_cursor(b->e));
    cr_expect_str_eq(b->screen->str, shown, "%s: shown: %s", line, b->screen->str);
    cr_expect_eq(b->col, at + 2, "%s: column %zu", line, b->col);
}

Test(lineedit, keys_edit_the_line)
{
    struct bench *b = bench_new(true);

    expect(b, "info block", "info block|");
    expect(b, "\x01", "|info block");
    expect(b, "\x06\x06", "in|fo block");
    expect(b, "XY", "inXY|fo block");
    expect(b, "\x7f\b", "in|fo block");
    expect(b, "\x04", "in|o block");
    expect(b, "\033[3~", "in| block");
    expect(b, "\033[C\033[C", "in b|lock");
    expect(b, "\033[D", "in |block");
    expect(b, "\x05", "in block|");
    expect(b, "\x17", "in |");
    expect(b, "\x17", "|");
    expect(b, "one two", "one two|");
    expect(b, "\033b", "one |two");
    expect(b, "\x15", "|two");
    expect(b, "\033f", "two|");
    expect(b, "\033[H", "|two");
    expect(b, "\033[F", "two|");
    expect(b, "\033[1~", "|two");
    expect(b, "\033OF", "two|");
    expect(b, "\x02\x0b", "tw|");
    expect(b, "\x0c", "tw|");
    expect(b, "\033[1;5C\033[99z\033x", "tw|");
    expect(b, "\x01\x7f\x15\x17\x02\x1b[D", "|tw");
    expect(b, "\x05\x04\x0b\x06\x1b[C", "tw|");
    cr_expect_eq((int)type(b, "\t"), LINE_COMPLETE);
    lineedit_insert(b->e, "o ");
    bench_show(b);
    expect(b, "", "two |");
    cr_expect_eq((int)type(b, "\x03"), LINE_CANCEL);
    cr_expect_str_eq(lineedit_text(b->e), "");
    bench_free(b);
}

static void enter(struct bench *b, const char *line)
{
    cr_expect_eq((int)type(b, line), LINE_MORE);
    cr_expect_eq((int)type(b, "\r"), LINE_DONE);
    cr_expect_str_eq(lineedit_text(b->e), line);
    lineedit_next(b->e);
    lineedit_show(b->e);
    bench_show(b);
}

Test(lineedit, history_is_walked_and_bounded)
{
    struct bench *b = bench_new(true);

    expect(b, "\033[A\033[B\x10\x0e", "|");
    enter(b, "first");
    enter(b, "second");
    enter(b, "second");
    enter(b, "");
    expect(b, "new", "new|");
    expect(b, "\033[A", "second|");
    expect(b, "\033OA", "first|");
    expect(b, "\033[A", "first|");
    expect(b, "!", "first!|");
    expect(b, "\033[B", "second|");
    expect(b, "\033[B", "new|");
    expect(b, "\033[B", "new|");
    type(b, "\x03");
    for (unsigned i = 0; i < 200; i++) {
        g_autofree char *line = g_strdup_printf("line %u", i);

        enter(b, line);
    }
    for (unsigned i = 0; i < 300; i++) {
        type(b, "\033[A");
    }
    expect(b, "", "line 136|");
    lineedit_reset(b->e);
    g_string_truncate(b->screen, 0);
    b->col = 0;
    lineedit_show(b->e);
    bench_show(b);
    expect(b, "\033[A", "|"); /* another peer sees nothing of it */
    bench_free(b);
}

Test(lineedit, lines_end_once_however_they_end)
{
    struct bench *b = bench_new(false);
    unsigned done = 0;

    for (const char *p = "a\r\nb\nc\rd\r\r\n"; *p; p++) {
        if (lineedit_take(b->e, (uint8_t)*p) == LINE_DONE) {
            done++;
            lineedit_next(b->e);
        }
    }
    cr_expect_eq(done, 5);
    bench_free(b);
}

Test(lineedit, without_editing_nothing_is_echoed_and_long_lines_are_refused)
{
    struct bench *b = bench_new(false);

    g_string_truncate(b->out, 0);
    for (unsigned i = 0; i < 100000; i++) {
        cr_assert_eq((int)lineedit_take(b->e, i % 2 ? 'x' : 1), LINE_MORE);
    }
    cr_expect_eq(strlen(lineedit_text(b->e)), LINEEDIT_MAX);
    cr_expect_eq((int)lineedit_take(b->e, '\n'), LINE_TOO_LONG);
    lineedit_next(b->e);
    lineedit_take(b->e, '\t'); /* a blank here */
    for (const char *p = "ok\b\bno"; *p; p++) {
        lineedit_take(b->e, (uint8_t)*p);
    }
    cr_expect_eq((int)lineedit_take(b->e, '\n'), LINE_DONE);
    cr_expect_str_eq(lineedit_text(b->e), " no");
    cr_expect_eq(b->out->len, 0);
    bench_free(b);
}

Test(lineedit, a_long_line_stops_a_person)
{
    struct bench *b = bench_new(true);

    for (unsigned i = 0; i < 2000; i++) {
        lineedit_take(b->e, 'x');
    }
    bench_show(b);
    cr_expect_eq(b->screen->len, LINEEDIT_MAX + 2);
    cr_expect_eq((int)type(b, "\r"), LINE_DONE);
    bench_free(b);
}

Test(lineedit, umlauts_are_one_column)
{
    struct bench *b = bench_new(true);

    type(b, "a\xc3\xa4z\xe2\x82\xac");
    cr_expect_eq(b->col, 2 + 4);
    type(b, "\x7f\x7f");
    cr_expect_str_eq(lineedit_text(b->e), "a\xc3\xa4");
    cr_expect_eq(b->col, 2 + 2);
    type(b, "\033[D");
    cr_expect_eq(lineedit_cursor(b->e), 1);
    type(b, "\x04");
    cr_expect_str_eq(lineedit_text(b->e), "a");
    cr_expect_eq(b->screen->len, 2 + 1);
    bench_free(b);
}

/* Any keys: the terminal shows the line, with the cursor where it is. */
Test(lineedit, the_screen_is_right_whatever_is_typed)
{
    static const char *const keys[] = {"a",      "b",      " ",     "xyz",   "\x01",    "\x02",
                                       "\x04",   "\x05",   "\x06",  "\x0b",  "\x0c",    "\x0e",
                                       "\x10",   "\x15",   "\x17",  "\x7f",  "\033[A",  "\033[B",
                                       "\033[C", "\033[D", "\033b", "\033f", "\033[3~", "\r"};
    struct bench *b = bench_new(true);
    uint32_t seed = 12345;

    for (unsigned i = 0; i < 20000; i++) {
        g_autofree char *shown = NULL;

        seed = seed * 1664525 + 1013904223;
        if (type(b, keys[(seed >> 16) % ARRAY_LEN(keys)]) == LINE_DONE) {
            lineedit_next(b->e);
            lineedit_show(b->e);
            bench_show(b);
        }
        shown = g_strconcat("> ", lineedit_text(b->e), NULL);
        cr_assert_str_eq(b->screen->str, shown, "%u: '%s', shown '%s'", i, shown, b->screen->str);
        cr_assert_eq(b->col, lineedit_cursor(b->e) + 2, "%u", i);
    }
    bench_free(b);
}
