/*
 * The VGA as programs drive it: the mode guest (pc-bios/modes) runs on the whole board, sets one
 * mode after the other, by the BIOS and by the registers, and each frame is compared pixel by pixel
 * with the picture it has to show (modes_picture.c).  A picture that differs is left with the
 * expected one in check-out/modes.ENGINE/.
 *
 * Also here: what the window is given, line by line as it changes, is the same picture.
 *
 * Skipped without SeaBIOS or the guest's image.  Not modelled: the monitor.
 */
#include "config.h"
#include "hw/pc.h"
#include "tests/hw/modes_picture.h"
#include "tests/rig.h"
#include "ui/media.h"
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>

#define IMAGE "pc-bios/modes/modes.img"
enum { ENOUGH_US = 60 * G_USEC_PER_SEC };

struct walk {
    struct machine *m;
    struct chr com1;
    GString *text; /* from COM1, under the machine's lock */
    GHashTable *seen;
    struct modes_view view;
    bool retraces[2]; /* seen right: graphics, text */
    uint8_t font[256 * 16];
    struct surface window; /* what a window has, brought up to date by draw */
    struct surface shot, expected[2], before;
};

/* The machine ---------------------------------------------------------------------------------- */

static size_t com1_write(struct chr *c, const uint8_t *buf, size_t len)
{
    struct walk *w = container_of(c, struct walk, com1);

    g_string_append_len(w->text, (const char *)buf, (gssize)len);
    return len;
}

static const struct chr_ops com1_ops = {.write = com1_write};

static bool walk_can_run(void)
{
    if (!g_file_test(CANDELA_BIOS_FILE, G_FILE_TEST_EXISTS) ||
        !g_file_test(CANDELA_VGABIOS_FILE, G_FILE_TEST_EXISTS)) {
        cr_skip_test("there is no SeaBIOS here");
        return false;
    }
    if (!g_file_test(IMAGE, G_FILE_TEST_EXISTS)) {
        cr_skip_test("there is no " IMAGE " here: make modes");
        return false;
    }
    return true;
}

static struct walk *walk_new(void)
{
    struct walk *w = g_new0(struct walk, 1);
    struct vm_config config;
    GError *err = NULL;

    vm_config_init(&config);
    config.memory = 64 * MiB;
    config.boot_order = g_strdup("a");
    config.drives[0] = (struct drive_config){
        .used = true, .interface = DRIVE_FLOPPY, .file = g_strdup(IMAGE), .readonly = true};
    w->m = machine_new(&config, rig_accel_ops());
    vm_config_clear(&config);
    w->text = g_string_new(NULL);
    w->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    w->com1 = (struct chr){.ops = &com1_ops, .open = true};
    w->m->serial[0] = &w->com1;
    cr_assert(media_open(w->m, NULL, NULL, &err), "%s", err ? err->message : "");
    cr_assert(machine_build(w->m, &pc_board, &err), "%s", err ? err->message : "");
    cr_assert(machine_run(w->m, &err), "%s", err ? err->message : "");
    return w;
}

static void walk_free(struct walk *w)
{
    machine_stop(w->m);
    machine_free(w->m);
    g_string_free(w->text, TRUE);
    g_hash_table_unref(w->seen);
    surface_free(&w->window);
    surface_free(&w->shot);
    surface_free(&w->before);
    surface_free(&w->expected[0]);
    surface_free(&w->expected[1]);
    g_free(w);
}

static void walk_send(void *arg)
{
    struct walk *w = arg;
    const uint8_t byte = '\r';

    w->com1.front->read(w->com1.opaque, &byte, 1);
}

/* Pictures ------------------------------------------------------------------------------------- */

static uint32_t *line_of(const struct surface *s, unsigned y)
{
    return s->pixels + (size_t)y * s->stride / 4;
}

static bool same_size(const struct surface *a, const struct surface *b)
{
    return a->width == b->width && a->height == b->height;
}

/* The first pixel that differs. */
static bool same_picture(const struct surface *a, const struct surface *b, unsigned *x, unsigned *y)
{
    for (*y = 0; *y < a->height; ++*y) {
        for (*x = 0; *x < a->width; ++*x) {
            if ((line_of(a, *y)[*x] ^ line_of(b, *y)[*x]) & 0xffffff) {
                return false;
            }
        }
    }
    return true;
}

static void copy_picture(const struct surface *from, struct surface *to)
{
    surface_resize(to, from->width, from->height);
    for (unsigned y = 0; y < from->height; y++) {
        memcpy(line_of(to, y), line_of(from, y), from->width * 4);
    }
}

static void keep_picture(const struct surface *s, const char *name, const char *what)
{
    const char *engine = g_getenv("CANDELA_TEST_ACCEL");
    g_autofree char *folder = g_strdup_printf("check-out/modes.%s", engine ? engine : "interp");
    g_autofree char *path = g_strdup_printf("%s/%s.%s.ppm", folder, name, what);
    FILE *f = g_mkdir_with_parents(folder, 0777) ? NULL : fopen(path, "w");

    if (!f) {
        return;
    }
    fprintf(f, "P6\n%u %u\n255\n", s->width, s->height);
    for (unsigned y = 0; y < s->height; y++) {
        for (unsigned x = 0; x < s->width; x++) {
            uint32_t p = line_of(s, y)[x];

            fputc((int)(p >> 16 & 0xff), f);
            fputc((int)(p >> 8 & 0xff), f);
            fputc((int)(p & 0xff), f);
        }
    }
    fclose(f);
}

/* Bring the window's picture up to date, as a window does; lines that are not said to have changed
 * must not have. */
static void walk_draw(struct walk *w, const char *when)
{
    struct surface *s = &w->window;
    bool same = s->pixels != NULL;

    if (same) {
        copy_picture(s, &w->before);
    }
    machine_lock(w->m);
    bool changed = w->m->display->draw(w->m->display_dev, s);
    machine_unlock(w->m);
    if (!same || !same_size(s, &w->before)) {
        cr_expect(changed && s->changed_top == 0 && s->changed_lines == s->height,
                  "%s: a new size, and lines %u to %u changed", when, s->changed_top,
                  s->changed_top + s->changed_lines);
        return;
    }
    for (unsigned y = 0; y < s->height; y++) {
        bool said = changed && y >= s->changed_top && y < s->changed_top + s->changed_lines;

        if (!said && memcmp(line_of(s, y), line_of(&w->before, y), s->width * 4)) {
            cr_expect_fail("%s: line %u changed and is not said to have", when, y);
            return;
        }
    }
}

static void walk_shot(struct walk *w)
{
    machine_lock(w->m);
    w->m->display->shot(w->m->display_dev, &w->shot);
    machine_unlock(w->m);
}

/* Which of the expected pictures the screen shows, or -1, having said what is wrong. */
static int walk_compare(struct walk *w, const char *name, unsigned n)
{
    unsigned x = 0, y = 0;

    for (unsigned i = 0; i < n; i++) {
        if (same_size(&w->shot, &w->expected[i]) &&
            same_picture(&w->shot, &w->expected[i], &x, &y)) {
            return (int)i;
        }
    }
    keep_picture(&w->shot, name, "got");
    keep_picture(&w->expected[0], name, "expected");
    if (!same_size(&w->shot, &w->expected[0])) {
        cr_expect_fail("%s: %ux%u, not %ux%u", name, w->shot.width, w->shot.height,
                       w->expected[0].width, w->expected[0].height);
    } else {
        same_picture(&w->shot, &w->expected[0], &x, &y);
        cr_expect_fail("%s: at %u,%u %06x, not %06x", name, x, y, line_of(&w->shot, y)[x],
                       line_of(&w->expected[0], y)[x]);
    }
    return -1;
}

/* The window's picture is the screen's: what blinks may change between the two, so more tries. */
static void walk_compare_window(struct walk *w, const char *name)
{
    unsigned x = 0, y = 0;

    for (unsigned tries = 0; tries < 100; tries++) {
        walk_draw(w, name);
        walk_shot(w);
        if (same_size(&w->shot, &w->window) && same_picture(&w->shot, &w->window, &x, &y)) {
            return;
        }
    }
    keep_picture(&w->window, name, "window");
    keep_picture(&w->shot, name, "shot");
    cr_expect_fail("%s: the window shows another picture, at %u,%u", name, x, y);
}

/* Compare what is shown, and wait until what blinks has been seen in both phases. */
static void walk_check(struct walk *w, const char *name)
{
    int64_t until = g_get_monotonic_time() + ENOUGH_US;
    unsigned seen = 0, n;
    bool cursor, chars;

    modes_blinks(name, &cursor, &chars);
    n = cursor || chars ? 2 : 1;
    for (unsigned i = 0; i < n; i++) {
        w->view.cursor_hidden = cursor && i;
        w->view.chars_hidden = chars && i;
        if (!modes_expect(name, &w->view, &w->expected[i])) {
            cr_expect_fail("the guest stops at %s, of which nothing is known here", name);
            return;
        }
    }
    while (seen != (1u << n) - 1) {
        bool late = g_get_monotonic_time() > until;
        int which;

        walk_shot(w);
        which = walk_compare(w, name, n);
        cr_expect(!late, "%s: it does not blink", name);
        if (which < 0 || late) {
            return;
        }
        seen |= 1u << which;
        if (seen != (1u << n) - 1) {
            g_usleep(20000);
        }
    }
    walk_compare_window(w, name);
}

/* The guest's lines ---------------------------------------------------------------------------- */

/* "FONT at=N" */
static void walk_take_font(struct walk *w, const char *line)
{
    unsigned long at = strtoul(strchr(line, '=') + 1, NULL, 10);

    machine_lock(w->m);
    cr_assert(at < 0x100000 - sizeof w->font, "%s", line);
    dma_read(w->m, at, w->font, sizeof w->font);
    machine_unlock(w->m);
    w->view.font = w->font;
}

/*
 * "RETRACE MODE ticks=N": what six frames took by the PIT.  The guest says it again and again until
 * it is answered: on a busy host it may miss one.
 */
static void walk_take_retraces(struct walk *w, const char *mode, const char *ticks)
{
    bool text = !strcmp(mode, "text");
    /* character clocks of a line, lines, dots a microsecond */
    double us = text ? 100 * 9 * 449 / 28.322 : 100 * 8 * 525 / 25.175;
    double expected = 6 * us * 1.193182, got = strtod(strchr(ticks, '=') + 1, NULL);

    if (!w->retraces[text] && got > expected - 150 && got < expected + 150) {
        w->retraces[text] = true;
        loop_post(w->m, walk_send, w);
    }
}

/* The next line from COM1, without its end; the window is kept up to date meanwhile. */
static char *walk_line(struct walk *w)
{
    int64_t until = g_get_monotonic_time() + ENOUGH_US;
    unsigned looks = 0;

    while (g_get_monotonic_time() < until) {
        char *line = NULL, *end;

        machine_lock(w->m);
        end = strstr(w->text->str, "\r\n");
        if (end) {
            line = g_strndup(w->text->str, (gsize)(end - w->text->str));
            g_string_erase(w->text, 0, end + 2 - w->text->str);
        }
        machine_unlock(w->m);
        if (line) {
            return line;
        }
        if (++looks % 16 == 0) { /* as often as a window does */
            walk_draw(w, "while the guest draws");
        }
        g_usleep(1000);
    }
    cr_assert_fail("the guest says nothing");
    return NULL;
}

/* One line; false: it was the last. */
static bool walk_step(struct walk *w)
{
    g_autofree char *line = walk_line(w);
    g_auto(GStrv) words = g_strsplit(line, " ", 3);

    if (g_str_has_prefix(line, "FONT at=")) {
        walk_take_font(w, line);
    } else if (g_str_has_prefix(line, "MODE ") && words[2] && !strcmp(words[2], "READY")) {
        g_hash_table_add(w->seen, g_strdup(words[1]));
        walk_check(w, words[1]);
        loop_post(w->m, walk_send, w);
    } else if (g_str_has_prefix(line, "RETRACE ") && words[2]) {
        walk_take_retraces(w, words[1], words[2]);
    } else {
        cr_assert_str_eq(line, "MODES DONE");
        return false;
    }
    return true;
}

Test(modes, every_mode_shows_its_picture)
{
    struct walk *w;

    if (!walk_can_run()) {
        return;
    }
    w = walk_new();
    while (walk_step(w)) {
    }
    for (unsigned i = 0; modes_name(i); i++) {
        cr_expect(g_hash_table_contains(w->seen, modes_name(i)), "%s was not shown", modes_name(i));
    }
    cr_expect(w->retraces[false] && w->retraces[true], "the retraces were not measured");
    walk_free(w);
}
