/*
 * The window on SDL without a display: SDL's driver "dummy" shows nothing and is otherwise whole.
 *
 * Not here: what a window system does (tests/window).
 */
#include "ui/sdl_int.h"
#include <criterion/criterion.h>

static void on_event(void *opaque, const struct sdl_event *e)
{
    (void)opaque;
    (void)e;
}

static struct sdl *window_of(void)
{
    struct sdl_setup setup = {.title = "Test", .width = 320, .height = 240, .event = on_event};
    GError *err = NULL;
    struct sdl *s;

    g_setenv("SDL_VIDEODRIVER", "dummy", TRUE);
    s = sdl_new(&setup, &err);
    cr_assert(s, "%s", err ? err->message : "");
    sdl_show(s);
    return s;
}

static void quit(void *arg)
{
    sdl_quit(arg);
}

/* Handle what waits. */
static void run(struct sdl *s)
{
    s->quit = false;
    sdl_post(s, quit, s);
    sdl_run(s);
}

/* The toolkit's clock stands while nothing is painted: it must not be that of the last picture
 * that a tip's delay begins at. */
Test(sdl, a_tip_waits_also_after_a_rest)
{
    struct sdl *s = window_of();
    struct gui_widget *button = gui_button(gui_root(s->gui), GUI_ICON_MENU, "Do", NULL, NULL);
    struct gui_rect at;

    gui_set_tip(button, "Does it");
    run(s);
    at = gui_where(button);
    g_usleep(G_USEC_PER_SEC); /* longer than the delay */
    SDL_PushEvent(&(SDL_Event){.motion = {.type = SDL_MOUSEMOTION,
                                          .windowID = SDL_GetWindowID(s->window),
                                          .x = at.x + at.w / 2,
                                          .y = at.y + at.h / 2}});
    run(s);
    cr_expect(s->tick_at > 0, "no tip is to come");
    cr_expect(sdl_gui_wait(s) > 0, "it is there at once");
    sdl_free(s);
}

/* A guest that changes to a larger mode: the window grows to the right and down, and stays on the
 * screen with its lower edge, where the bar is. */
Test(sdl, a_window_that_grows_stays_on_the_screen)
{
    struct surface small = {0}, large = {0};
    struct sdl *s = window_of();
    SDL_Rect screen;
    int x, y, w, h;

    cr_assert_eq(SDL_GetDisplayUsableBounds(0, &screen), 0);
    surface_resize(&small, 320, 200);
    surface_resize(&large, (unsigned)screen.w - 8, (unsigned)screen.h - 8);
    sdl_set_bar(s, 8);
    sdl_set_picture(s, &small);
    run(s);
    sdl_set_picture(s, &large);
    run(s);
    SDL_GetWindowPosition(s->window, &x, &y);
    SDL_GetWindowSize(s->window, &w, &h);
    cr_expect(w == screen.w - 8 && h == screen.h, "%dx%d", w, h);
    cr_expect(x >= 0 && y >= 0 && x + w <= screen.w && y + h <= screen.h, "%dx%d at %d,%d", w, h, x,
              y);
    surface_free(&small);
    surface_free(&large);
    sdl_free(s);
}

/* Every run of the setup's theme, which a desktop is asked for only when it may decide. */
Test(sdl, the_theme_is_the_users_or_the_desktops)
{
    static const struct {
        enum theme_choice choice;
        const char *gtk;
        bool light;
    } cases[] = {
        {THEME_LIGHT, "Adwaita:dark", true},
        {THEME_DARK, "Adwaita", false},
        {THEME_AUTO, "Adwaita", true},
        {THEME_AUTO, "Adwaita:dark", false},
        {THEME_AUTO, "", false},
    };

    g_setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere", TRUE);
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct sdl_setup setup = {.title = "Test",
                                  .width = 64,
                                  .height = 64,
                                  .theme = cases[i].choice,
                                  .event = on_event};
        struct sdl *s;
        const uint32_t *pixels;
        unsigned stride;

        g_setenv("SDL_VIDEODRIVER", "dummy", TRUE);
        g_setenv("GTK_THEME", cases[i].gtk, TRUE);
        s = sdl_new(&setup, NULL);
        cr_assert(s);
        gui_set_look(gui_root(s->gui), GUI_WINDOW);
        sdl_show(s);
        if (s->asks_theme) {
            g_thread_join(g_steal_pointer(&s->asks_theme));
            g_clear_object(&s->asking);
        }
        run(s);
        run(s); /* what the thread posted came before */
        pixels = gui_pixels(s->gui, &stride);
        cr_expect_eq((pixels[0] & 0xff) > 0x80, cases[i].light, "case %u: %08x", i, pixels[0]);
        sdl_free(s);
    }
}
