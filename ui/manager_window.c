/*
 * The library's window on SDL: `candela` without arguments.
 */
#include "ui/manager.h"
#include "ui/preference.h"
#include "ui/run.h"
#include "ui/sdl.h"
#include <stdio.h>

struct manager_window {
    struct sdl *sdl;
    struct manager *manager;
};

static void window_post(void *of, void (*fn)(void *arg), void *arg)
{
    struct manager_window *w = of;

    sdl_post(w->sdl, fn, arg);
}

static void window_pointer(void *of, int *x, int *y)
{
    struct manager_window *w = of;

    sdl_pointer(w->sdl, x, y);
}

static void window_event(void *of, const struct sdl_event *e)
{
    struct manager_window *w = of;

    if (e->kind == SDL_ON_CLOSE && manager_is_busy(w->manager)) {
        gui_toast(sdl_gui(w->sdl), "Something is being written still; a moment, please.", true);
    } else if (e->kind == SDL_ON_CLOSE) {
        sdl_quit(w->sdl);
    } else if (e->kind == SDL_ON_DROP) {
        manager_drop(w->manager, e->text);
    }
}

int command_manager(void)
{
    struct manager_window w = {0};
    struct manager_host host = {&w, window_post, window_pointer};
    struct sdl_setup setup = {
        .title = "Candela", .width = 820, .height = 640, .event = window_event, .opaque = &w};
    g_autoptr(GError) err = NULL;
    struct options mine;

    options_init(&mine);
    preference_apply(&mine);
    setup.theme = mine.theme;
    options_clear(&mine);

    w.sdl = sdl_new(&setup, &err);
    if (!w.sdl) {
        fprintf(stderr, "candela: %s\n", err->message);
        return EXIT_RUN;
    }
    w.manager = manager_new(sdl_gui(w.sdl), &host);
    sdl_show(w.sdl);
    sdl_run(w.sdl);
    manager_free(w.manager);
    sdl_free(w.sdl);
    return EXIT_GOOD;
}
