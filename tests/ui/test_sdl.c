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
