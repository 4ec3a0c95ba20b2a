/*
 * The window of one machine: events of the window to keys, pointer and commands of the machine.
 */
#include "ui/window_int.h"
#include <stdio.h>

/* To the user --------------------------------------------------------------------------------- */

void window_show_title(struct window *w)
{
    g_autoptr(GString) title = g_string_new(NULL);

    if (w->name) {
        g_string_append_printf(title, "%s%s - ", w->name, w->status.paused ? " [paused]" : "");
    }
    g_string_append(title, "Candela");
    if (!w->name && w->status.paused) {
        g_string_append(title, " [paused]");
    }
    if (w->caught) {
        g_string_append_printf(title, " - %s releases %s", w->keys.host->label,
                               w->status.tablet ? "the keyboard" : "the mouse");
    }
    sdl_set_title(w->sdl, title->str);
}

void window_tell(struct window *w, const char *text, bool error)
{
    (void)w;
    fprintf(stderr, "candela: %s%s\n", error ? "" : "note: ", text);
}

/* Pointer and keyboard ------------------------------------------------------------------------ */

void window_catch(struct window *w, bool on)
{
    w->caught = w->keys.caught = on;
    sdl_catch(w->sdl, on && !w->status.tablet, on);
    sdl_hide_pointer(w->sdl, w->status.tablet && w->inside);
    window_show_title(w);
}

static void window_on_key_out(void *opaque, unsigned code, bool down)
{
    struct window *w = opaque;

    if (w->m) {
        window_input_key(&w->input, code, down);
    }
}

static void window_on_action(void *opaque, enum window_action action)
{
    window_do(opaque, action);
}

static void window_inside(struct window *w, bool inside)
{
    if (w->inside != inside) {
        w->inside = inside;
        sdl_hide_pointer(w->sdl, w->status.tablet && inside);
    }
}

/* The pointer moved, turned its wheel or changed a button. */
static void window_on_pointer(struct window *w, const struct sdl_event *e)
{
    struct view_rect place = sdl_picture_place(w->sdl);
    int wheel = e->kind == SDL_ON_WHEEL ? e->dy : 0;
    unsigned x, y;
    bool inside = view_to_guest(&place, e->x, e->y, TABLET_MAX, &x, &y);

    if (e->kind == SDL_ON_BUTTON && e->down) {
        window_keys_used(&w->keys);
    }
    window_inside(w, inside);
    if (w->status.tablet) {
        /* A button held when the pointer leaves the picture is let go outside of it. */
        if (inside || w->input.buttons) {
            window_input_place(&w->input, x, y, wheel, e->buttons);
        }
    } else if (w->caught) {
        bool moved = e->kind == SDL_ON_MOTION;

        window_input_motion(&w->input, moved ? e->dx : 0, moved ? e->dy : 0, wheel, e->buttons);
    } else if (e->kind == SDL_ON_BUTTON && e->down && inside) {
        window_catch(w, true);
    }
}

static void window_on_focus(struct window *w, bool focus)
{
    w->focus = focus;
    if (!focus) {
        window_keys_release(&w->keys);
        if (w->input.buttons) {
            window_input_motion(&w->input, 0, 0, 0, 0);
        }
        window_catch(w, false);
    } else if (sdl_is_fullscreen(w->sdl)) {
        window_catch(w, true);
    }
}

void window_on_status(struct window *w, const struct window_status *status)
{
    w->status = *status;
    window_catch(w, w->caught);
}

/* What shortcuts and menus ask for ------------------------------------------------------------ */

static void window_set_fullscreen(struct window *w, bool on)
{
    sdl_set_fullscreen(w->sdl, on);
    window_catch(w, sdl_is_fullscreen(w->sdl));
}

static void window_screenshot(struct window *w)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *stamp = g_date_time_format(now, "%Y-%m-%d %H.%M.%S");
    g_autofree char *path = g_strdup_printf("%s %s.png", w->name ? w->name : "candela", stamp);

    window_command(w, NULL, NULL, "screendump \"%s\"", path);
}

void window_do(struct window *w, enum window_action action)
{
    switch (action) {
    case ACTION_CATCH:
        window_catch(w, !w->caught);
        break;
    case ACTION_FULLSCREEN:
        window_set_fullscreen(w, !sdl_is_fullscreen(w->sdl));
        break;
    case ACTION_SCALING:
        w->scaling = (w->scaling + 1) % VIEW_SCALINGS;
        sdl_set_scaling(w->sdl, w->scaling);
        break;
    case ACTION_ORIGINAL_SIZE:
        sdl_fit_window(w->sdl);
        break;
    case ACTION_CTRL_ALT_DEL:
        window_command(w, NULL, NULL, "sendkey ctrl-alt-delete");
        break;
    case ACTION_SCREENSHOT:
        window_screenshot(w);
        break;
    case ACTION_PAUSE:
        window_command(w, NULL, NULL, w->status.paused ? "cont" : "stop");
        break;
    case ACTION_RESET:
        window_command(w, NULL, NULL, "system_reset");
        break;
    case ACTION_POWER_BUTTON:
        window_command(w, NULL, NULL, "system_powerdown");
        break;
    case ACTION_CLOSE:
        machine_end(w->m, END_QUIT, 0);
        break;
    default:
        break;
    }
}

/* Events -------------------------------------------------------------------------------------- */

static void window_on_event(void *opaque, const struct sdl_event *e)
{
    struct window *w = opaque;

    if (!w->m) {
        return; /* before it is shown */
    }
    switch (e->kind) {
    case SDL_ON_KEY:
        window_keys_event(&w->keys, e->code, e->symbol, e->down, e->repeat);
        break;
    case SDL_ON_MOTION:
    case SDL_ON_BUTTON:
    case SDL_ON_WHEEL:
        window_on_pointer(w, e);
        break;
    case SDL_ON_LEAVE:
        window_inside(w, false);
        break;
    case SDL_ON_FOCUS:
        window_on_focus(w, e->down);
        break;
    case SDL_ON_RESIZE:
        w->screen.seen = sdl_is_visible(w->sdl);
        break;
    case SDL_ON_CLOSE:
        window_do(w, ACTION_CLOSE);
        break;
    case SDL_ON_DROP:
        break;
    }
}

/* Life ---------------------------------------------------------------------------------------- */

struct window *window_new(const struct window_setup *setup, GError **err)
{
    struct window *w = g_new0(struct window, 1);
    struct sdl_setup sdl = {.title = "Candela",
                            .width = 720,
                            .height = 540,
                            .fullscreen = setup->fullscreen,
                            .event = window_on_event,
                            .opaque = w};

    w->name = g_strdup(setup->name);
    w->engine = g_strdup(setup->engine);
    w->engine_why = g_strdup(setup->engine_why);
    w->scaling = setup->scaling;
    w->keys = (struct window_keys){
        .host = setup->host, .key = window_on_key_out, .action = window_on_action, .opaque = w};
    w->sdl = sdl_new(&sdl, err);
    if (!w->sdl) {
        window_free(w);
        return NULL;
    }
    sdl_set_scaling(w->sdl, w->scaling);
    window_show_title(w);
    return w;
}

void window_attach(struct window *w, struct machine *m)
{
    w->m = m;
    window_input_init(&w->input, m);
    window_commands_start(w);
    window_screen_start(w);
}

void window_run(struct window *w)
{
    sdl_show(w->sdl);
    w->screen.seen = sdl_is_visible(w->sdl);
    sdl_run(w->sdl);
    window_catch(w, false);
}

static void window_on_end(void *arg)
{
    struct window *w = arg;

    sdl_quit(w->sdl);
}

void window_end(struct window *w)
{
    sdl_post(w->sdl, window_on_end, w);
}

void window_free(struct window *w)
{
    if (!w) {
        return;
    }
    if (w->m) {
        window_commands_clear(w);
        window_input_clear(&w->input);
        window_screen_clear(w);
    }
    sdl_free(w->sdl);
    g_free(w->name);
    g_free(w->engine);
    g_free(w->engine_why);
    g_free(w);
}

void window_stats_json(const struct window *w, GString *out)
{
    uint64_t frames, uploads;

    sdl_counters(w->sdl, &frames, &uploads);
    g_string_append_printf(out,
                           "\"window\": {\"frames\": %" G_GUINT64_FORMAT
                           ", \"uploads\": %" G_GUINT64_FORMAT ", \"drawn\": %" G_GUINT64_FORMAT
                           ", \"input_dropped\": %" G_GUINT64_FORMAT "}",
                           frames, uploads, w->screen.drawn, w->input.dropped);
}
