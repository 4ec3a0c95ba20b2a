/*
 * Pasting into a machine's window: the clipboard's text, typed for the guest.
 */
#include "ui/paste.h"
#include "ui/window_int.h"

struct paste_order {
    struct window *w;
    char *text; /* to type; NULL: to stop */
    char *said; /* for the user */
    bool failed;
};

/* Main thread. */
static void paste_say(void *arg)
{
    struct paste_order *o = arg;

    if (o->said) {
        window_tell(o->w, o->said, o->failed);
    }
    g_free(o->text);
    g_free(o->said);
    g_free(o);
}

/* I/O thread, lock held, likewise the next. */
static void paste_on_done(void *arg)
{
    struct window *w = arg;
    struct paste_order *o = g_new0(struct paste_order, 1);
    g_autofree char *some = NULL;
    unsigned skipped = paste_skipped(w->paste, &some);

    o->w = w;
    if (skipped) {
        o->failed = true;
        o->said = g_strdup_printf("%u characters have no key on a US keyboard and were left out: "
                                  "%s",
                                  skipped, some);
    }
    paste_free(g_steal_pointer(&w->paste));
    sdl_post(w->sdl, paste_say, o);
}

static void paste_order(void *arg)
{
    struct paste_order *o = arg;
    struct window *w = o->w;
    GError *err = NULL;

    if (w->paste) {
        o->said = g_strdup_printf("Typing stopped, %u characters short", paste_left(w->paste));
        paste_free(g_steal_pointer(&w->paste));
    } else if (!o->text) {
        o->said = g_strdup("There is no text on the clipboard");
        o->failed = true;
    } else {
        w->paste = paste_start(w->m, o->text, paste_on_done, w, &err);
    }
    if (err) {
        o->said = g_strdup(err->message);
        o->failed = true;
        g_error_free(err);
    }
    sdl_post(w->sdl, paste_say, o);
}

void window_paste(struct window *w)
{
    struct paste_order *o = g_new0(struct paste_order, 1);

    o->w = w;
    o->text = sdl_clipboard(w->sdl);
    loop_post(w->m, paste_order, o);
}

void window_paste_clear(struct window *w)
{
    paste_free(g_steal_pointer(&w->paste));
}
