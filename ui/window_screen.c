/*
 * The guest's frames: drawn in the I/O thread 60 times a second at most, shown by the main thread
 * when something changed.
 */
#include "ui/window_int.h"

enum { FRAME_MS = 16, LOOK_TICKS = 6 };

/* Main thread. */
static void screen_show(void *arg)
{
    struct window *w = arg;
    bool resized;

    g_mutex_lock(&w->screen.lock);
    sdl_set_picture(w->sdl, &w->screen.surface);
    resized = w->picture_w != w->screen.surface.width || w->picture_h != w->screen.surface.height;
    w->picture_w = w->screen.surface.width;
    w->picture_h = w->screen.surface.height;
    g_mutex_unlock(&w->screen.lock);
    w->screen.waiting = false;
    if (resized) {
        window_tell_place(w);
    }
}

struct screen_news {
    struct window *w;
    struct window_status status;
};

/* Main thread. */
static void screen_tell(void *arg)
{
    struct screen_news *n = arg;

    window_on_status(n->w, &n->status);
    g_free(n);
}

/* In the I/O thread, lock held, likewise the next. */
static void screen_look(struct window *w)
{
    struct screen_news *n;

    if (!window_watch_look(&w->screen.watch, w->m)) {
        return;
    }
    n = g_new0(struct screen_news, 1);
    n->w = w;
    window_status_copy(&n->status, &w->screen.watch.told);
    sdl_post(w->sdl, screen_tell, n);
}

static bool screen_on_tick(void *arg)
{
    struct window *w = arg;
    struct machine *m = w->m;
    bool changed;

    window_input_flush(&w->input);
    /* What the pointer does next hangs on who has it; the rest is for eyes. */
    if (w->screen.ticks++ % LOOK_TICKS == 0 || input_has_tablet(m) != w->screen.watch.told.tablet) {
        screen_look(w);
    }
    if (!w->screen.seen || w->screen.waiting || !m->display || !m->display->draw ||
        !g_mutex_trylock(&w->screen.lock)) {
        return true;
    }
    changed = m->display->draw(m->display_dev, &w->screen.surface);
    g_mutex_unlock(&w->screen.lock);
    if (changed) {
        w->screen.drawn++;
        w->screen.waiting = true;
        sdl_post(w->sdl, screen_show, w);
    }
    return true;
}

static void screen_start(void *arg)
{
    struct window *w = arg;

    loop_every(w->m, FRAME_MS, screen_on_tick, w);
}

void window_screen_start(struct window *w)
{
    g_mutex_init(&w->screen.lock);
    loop_post(w->m, screen_start, w);
}

void window_screen_clear(struct window *w)
{
    window_watch_clear(&w->screen.watch);
    surface_free(&w->screen.surface);
    g_mutex_clear(&w->screen.lock);
}
