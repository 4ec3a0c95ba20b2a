/*
 * The window as its user has it: a real X server, keys and clicks through it, and what the guest
 * gets of them; the guest is pc-bios/modes/echo.S.
 *
 * Run apart (`make check-window`).  Skipped without Xvfb, openbox, xdotool or SeaBIOS.
 */
#include "tests/window/x_rig.h"
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ECHO                                                                                       \
    "-name Test -m 16M --scale sharp -boot a -drive "                                              \
    "file=pc-bios/modes/echo.img,if=floppy,format=raw,readonly=on -serial file:%s/com1 "

/* The picture in the window ------------------------------------------------------------------- */

/* Whether a colour lies between those of three lines of the picture at a place, and of `around`
 * columns more on each side. */
static bool is_between(const struct surface *s, int px, int row, int around, uint32_t got)
{
    for (unsigned shift = 0; shift < 24; shift += 8) {
        int low = 255, high = 0, part = (int)(got >> shift & 0xff);

        for (int i = 0; i < 3 * (2 * around + 1); i++) {
            int y = CLAMP(row - 1 + i % 3, 0, (int)s->height - 1);
            int c = CLAMP(px - around + i / 3, 0, (int)s->width - 1);
            int near = (int)(s->pixels[y * (int)s->stride / 4 + c] >> shift & 0xff);

            low = MIN(low, near);
            high = MAX(high, near);
        }
        if (part < low - 1 || part > high + 1) {
            return false;
        }
    }
    return true;
}

/* A picture of 4:3, `w` wide, with edges kept: every pixel of it is made of the guest's around its
 * place.  Text is thin, so a wrong line is seen at once.  The share that differs, of 1000. */
static unsigned scaled_differs(struct xrig *x, const struct surface *s, int left, int top, int w)
{
    int h = w * 3 / 4, differs = 0, around = w != (int)s->width;

    for (int y = 0; y < h; y++) {
        for (int px = 0; px < w; px++) {
            uint32_t got = xrig_pixel(x, left + px, top + y);

            differs += !is_between(s, px * (int)s->width / w, y * (int)s->height / h, around, got);
        }
    }
    return (unsigned)(differs * 1000ll / (w * h));
}

/* As wide as it is, and made higher. */
static unsigned picture_differs(struct xrig *x, const struct surface *s)
{
    struct xrig_place p = xrig_place(x);

    return scaled_differs(x, s, p.x + (p.w - (int)s->width) / 2, p.y, (int)s->width);
}

static unsigned lit(const struct surface *s)
{
    unsigned n = 0;

    for (unsigned i = 0; i < s->width * s->height; i++) {
        n += s->pixels[i / s->width * s->stride / 4 + i % s->width] != 0;
    }
    return n;
}

static bool picture_is_shown(struct xrig *x, void *of)
{
    struct surface *s = of;

    xrig_dump(x, s);
    return lit(s) > 200 && picture_differs(x, s) < 2;
}

/* A wish of every test: the window shows what the screendump does. */
static void expect_picture(struct xrig *x, const char *name)
{
    struct surface s = {0};

    if (!xrig_until(x, picture_is_shown, &s)) {
        xrig_keep(x, name);
        cr_expect_fail("%s: the window does not show the screen (%u of 1000 pixels differ)", name,
                       picture_differs(x, &s));
    }
    surface_free(&s);
}

/* Until the picture is there the window is on its way to the size it wants. */
static struct xrig *begin(const char *args)
{
    struct xrig *x = xrig_begin(args);

    g_free(xrig_com1(x, "^READY$"));
    expect_picture(x, "boot");
    return x;
}

Test(xwindow, a_boot_is_seen_and_keys_reach_the_guest)
{
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = begin(ECHO);
    xrig_title(x, "Test - Candela", true);
    /* Letters, a shifted one, a function key, keypad and cursor keys: scan codes are the places of
     * keys.  The echo on the screen is seen, too. */
    xrig_do(x, "type --delay 30 abcQ");
    g_free(xrig_com1(x, "^KEY 1E61\nKEY 3062\nKEY 2E63\nKEY 1051$"));
    xrig_do(x, "key F5 Up Escape KP_Add alt+x");
    g_free(xrig_com1(x, "^KEY 3F00\nKEY 48..\nKEY 011B\nKEY 4E2B\nKEY 2D00$"));
    expect_picture(x, "typed");
    xrig_free(x);
}

static bool pointer_is_heard(struct xrig *x, void *of)
{
    const struct xrig_place *p = of;

    xrig_do(x, "mousemove %d %d mousemove %d %d", p->x + 201, p->y + 200, p->x + 200, p->y + 200);
    return xrig_com1_has(x, "^PLACE");
}

Test(xwindow, the_pointer_moves_to_its_place_in_the_guest)
{
    struct xrig_place p;
    struct xrig *x;
    unsigned gx, gy;
    char *line;

    if (!xrig_can_run()) {
        return;
    }
    x = begin(ECHO);
    p = xrig_place(x);
    /* the picture is 720x540 at the window's top; the window learns a moment after the guest asked
     * that it wants places */
    cr_assert(xrig_until(x, pointer_is_heard, &p), "no places come");
    xrig_do(x, "mousemove %d %d", p.x + p.w / 2, p.y + 270);
    line = xrig_com1(x, "^PLACE (7F|80).. (7F|80).. 00$");
    cr_expect_eq(sscanf(line, "PLACE %x %x", &gx, &gy), 2);
    g_free(line);
    xrig_do(x, "mousemove %d %d", p.x + (p.w - 720) / 2 + 719, p.y + 539);
    g_free(xrig_com1(x, "^PLACE FF.. FF.. 00$"));
    xrig_do(x, "mousemove %d %d", p.x + 100, p.y + 100);
    g_free(xrig_com1(x, "^PLACE 2... 2... 00$"));
    xrig_do(x, "mousedown 1");
    g_free(xrig_com1(x, "^PLACE 2... 2... 20$"));
    xrig_do(x, "mouseup 1");
    g_free(xrig_com1(x, "20\n(.*\n)*PLACE 2... 2... 00$"));
    xrig_free(x);
}

/* Media --------------------------------------------------------------------------------------- */

/* A floppy disk by the menu of the drive's place in the bar, behind the main menu's; its file is
 * typed in the chooser.  Then the menu takes it out. */
Test(xwindow, the_bar_changes_a_medium)
{
    g_autofree char *path = NULL, *shown = NULL;
    struct xrig_place p;
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = begin(ECHO);
    path = g_build_filename(x->folder, "other.img", NULL);
    shown = g_strconcat("floppy0: ", path, " ", NULL);
    cr_assert(g_file_set_contents(path, "", 0, NULL));
    cr_assert_eq(truncate(path, 1440 * 1024), 0);
    p = xrig_place(x);
    cr_expect(xrig_block_has(x, "echo.img"), "%s", x->text->str);
    xrig_do(x, "mousemove %d %d click 1 sleep 0.3 key c", p.x + 50, p.y + p.h - 16);
    xrig_do(x, "sleep 0.3 type --delay 20 '%s'", path);
    xrig_do(x, "key Return");
    cr_expect(xrig_until(x, xrig_block_has, shown), "not inserted: %s", x->text->str);
    xrig_do(x, "sleep 0.3 mousemove %d %d click 1 sleep 0.3 key r", p.x + 50, p.y + p.h - 16);
    cr_expect(xrig_until(x, xrig_block_has, "floppy0: empty"), "not taken out: %s", x->text->str);
    /* the keys are the guest's again */
    xrig_do(x, "key z");
    g_free(xrig_com1(x, "READY\n(PLACE.*\n)*KEY 2C7A"));
    xrig_free(x);
}

/* Size ---------------------------------------------------------------------------------------- */

static bool size_is(struct xrig *x, void *of)
{
    const struct xrig_place *want = of;
    struct xrig_place p = xrig_place(x);

    return p.w == want->w && p.h == want->h;
}

/* With the picture in the middle, and no word about full screen any more. */
static bool fills_screen(struct xrig *x, void *of)
{
    const int top = (XRIG_SCREEN_H - XRIG_SCREEN_W * 3 / 4) / 2;
    struct xrig_place p = xrig_place(x);
    struct surface *s = of;

    xrig_dump(x, s);
    return p.x == 0 && p.y == 0 && p.w == XRIG_SCREEN_W && p.h == XRIG_SCREEN_H &&
           scaled_differs(x, s, 0, top, XRIG_SCREEN_W) < 2;
}

Test(xwindow, it_changes_its_size_and_fills_the_screen)
{
    struct xrig_place was, large = {.w = 1000, .h = 700};
    struct surface s = {0};
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = begin(ECHO);
    was = xrig_place(x);
    xrig_do(x, "windowsize %s 1000 700", x->window);
    cr_expect(xrig_until(x, size_is, &large), "the size does not change");
    xrig_do(x, "windowsize %s %d %d", x->window, was.w, was.h);
    cr_expect(xrig_until(x, size_is, &was), "the size does not change back");
    expect_picture(x, "resized");
    xrig_do(x, "keydown Control_R key f keyup Control_R");
    cr_expect(xrig_until(x, fills_screen, &s), "no full screen");
    xrig_do(x, "keydown Control_R key f keyup Control_R");
    if (!xrig_until(x, size_is, &was)) {
        struct xrig_place is = xrig_place(x);

        cr_expect_fail("after full screen the window has %dx%d, before %dx%d", is.w, is.h, was.w,
                       was.h);
    }
    expect_picture(x, "after-fullscreen");
    /* none of these keys was the guest's */
    xrig_do(x, "key z");
    g_free(xrig_com1(x, "READY\n(PLACE.*\n)*KEY 2C7A"));
    surface_free(&s);
    xrig_free(x);
}

Test(xwindow, the_host_key_catches_and_releases)
{
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = begin(ECHO);
    xrig_do(x, "key Control_R");
    xrig_title(x, "Right Ctrl releases", true);
    xrig_do(x, "key a");
    g_free(xrig_com1(x, "^KEY 1E61$"));
    xrig_do(x, "key Control_R");
    xrig_title(x, "Right Ctrl releases", false);
    /* paused and on again */
    xrig_do(x, "keydown Control_R key p keyup Control_R");
    xrig_title(x, "[paused]", true);
    cr_expect(strstr(xrig_ask(x, "info status"), "held"), "%s", x->text->str);
    xrig_do(x, "keydown Control_R key p keyup Control_R");
    xrig_title(x, "[paused]", false);
    xrig_free(x);
}

/* Caps Lock is pressed while no window has the keyboard; BIOS and guest begin without it. */
Test(xwindow, caps_lock_is_the_hosts)
{
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = begin(ECHO);
    xrig_do(x, "key a");
    g_free(xrig_com1(x, "^KEY 1E61$"));
    xrig_do(x, "windowminimize %s", x->window);
    xrig_focus(x, false);
    /* SDL believes in a change 200 ms later */
    xrig_do(x, "sleep 0.5 key Caps_Lock sleep 0.5 windowactivate --sync %s", x->window);
    xrig_focus(x, true);
    xrig_do(x, "sleep 0.5 key b");
    g_free(xrig_com1(x, "^KEY 3042$"));
    /* and off again, by the window's own */
    xrig_do(x, "key Caps_Lock sleep 0.5 key c");
    g_free(xrig_com1(x, "^KEY 2E63$"));
    xrig_free(x);
}

/* Wayland ------------------------------------------------------------------------------------- */

enum { TEXT_COLOUR = 0xaaaaaa, BAR_UNITS = 32 };

/* Pixels of the BIOS's text: in the whole screen, and in the guest's. */
static unsigned text_shown(struct xrig *x)
{
    unsigned n = 0;

    for (int y = 0; y < XRIG_SCREEN_H; y++) {
        for (int px = 0; px < XRIG_SCREEN_W; px++) {
            n += xrig_pixel(x, px, y) == TEXT_COLOUR;
        }
    }
    return n;
}

static bool text_is_fine(struct xrig *x, void *of)
{
    /* The picture is 4:3, and as high as the screen above the bar: all in pixels, not in points. */
    const double height = XRIG_SCREEN_H - BAR_UNITS * XRIG_SCALE, width = height * 4 / 3;
    struct surface *s = of;
    double want, have = text_shown(x);

    xrig_dump(x, s);
    want = lit(s) * width * height / (s->width * s->height);
    g_string_printf(x->text, "%.0f pixels of text, %.0f wanted", have, want);
    return lit(s) > 200 && fabs(have / want - 1) < 0.1;
}

/* The guest's pixels are made of the screen's finest, and keys arrive. */
Test(xwindow, it_is_as_fine_as_a_wayland_screen)
{
    struct surface s = {0};
    struct xrig *x;

    if (!xrig_can_run() || !(x = xrig_begin_wayland(ECHO))) {
        return;
    }
    g_free(xrig_com1(x, "^READY$"));
    if (!xrig_until(x, text_is_fine, &s)) {
        xrig_keep(x, "wayland");
        cr_expect_fail("%s", x->text->str);
    }
    xrig_do(x, "key a");
    g_free(xrig_com1(x, "^KEY 1E61$"));
    surface_free(&s);
    xrig_free(x);
}

/* The end ------------------------------------------------------------------------------------- */

static unsigned counter(const char *json, const char *name)
{
    g_autofree char *key = g_strdup_printf("\"%s\":", name);
    const char *at = strstr(json, "\"window\"");

    at = at ? strstr(at, key) : NULL;
    cr_assert(at, "no %s in: %s", name, json);
    return (unsigned)strtoul(at + strlen(key), NULL, 10);
}

/* Seconds of processor time that a process used. */
static double cpu_seconds(GPid pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid), *text = NULL;
    unsigned long user = 0, system = 0;

    cr_assert(g_file_get_contents(path, &text, NULL, NULL));
    cr_assert_eq(sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                        &user, &system),
                 2);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

/* A guest that sleeps in a text screen without a cursor: the window draws while it boots, 60 frames
 * a second at most, and then not any more. */
Test(xwindow, an_idle_screen_costs_no_frames)
{
    enum { SECONDS = 5 };
    int64_t begun = g_get_monotonic_time();
    g_autofree char *stats = NULL;
    struct xrig *x;
    unsigned most;
    double used;

    if (!xrig_can_run()) {
        return;
    }
    x = begin(ECHO "--stats %s/stats.json");
    g_usleep(G_USEC_PER_SEC); /* the bar's lights go off */
    most = (unsigned)((g_get_monotonic_time() - begun) * 60 / G_USEC_PER_SEC) + 60;
    used = cpu_seconds(x->candela);
    g_usleep(SECONDS * G_USEC_PER_SEC);
    used = cpu_seconds(x->candela) - used;
    fprintf(stderr, "an idle window: %.1f %% of a processor\n", 100 * used / SECONDS);
    xrig_ask(x, "info status");
    kill(x->candela, SIGTERM);
    xrig_wait(x);
    stats = xrig_file(x, "stats.json");
    cr_assert(stats, "no counters");
    cr_expect(counter(stats, "frames") > 0 && counter(stats, "frames") < most, "%u frames",
              counter(stats, "frames"));
    xrig_free(x);
}

/* The window manager's way: the window asks what to do; not to close, then to turn off. */
Test(xwindow, closing_it_ends_cleanly)
{
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = begin(ECHO);
    xrig_do_seen(x, "key alt+F4");
    xrig_do_seen(x, "key Escape");
    xrig_do(x, "key a");
    g_free(xrig_com1(x, "^KEY 1E61$"));
    xrig_do_seen(x, "key alt+F4");
    xrig_do(x, "key Down key Return");
    cr_expect_eq(xrig_wait(x), 0);
    xrig_free(x);
}
