/*
 * The window of one machine: events of the window to keys, pointer and commands of the machine.
 */
#include "ui/monitor_cmd.h"
#include "ui/window_int.h"

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
    gui_toast(sdl_gui(w->sdl), text, error);
}

bool window_keep(struct window *w, const char *option, const char *value)
{
    g_autoptr(GError) err = NULL;

    if (w->keep(w->keep_of, option, value, &err)) {
        return true;
    }
    window_tell(w, err->message, true);
    return false;
}

/* Pointer and keyboard ------------------------------------------------------------------------ */

void window_catch(struct window *w, bool on)
{
    w->caught = w->keys.caught = on;
    sdl_catch(w->sdl, on && !w->status.tablet, on);
    sdl_hide_pointer(w->sdl, w->status.tablet && w->inside);
    window_show_title(w);
    window_bar_show(w);
}

/* A menu or a dialog takes the keyboard, and needs the pointer. */
static void window_on_toolkit(struct window *w)
{
    bool has = gui_wants_keys(sdl_gui(w->sdl));

    if (has && !w->toolkit) {
        window_keys_release(&w->keys);
        window_catch(w, false);
    } else if (!has && w->toolkit) {
        window_keys_come_back(&w->keys);
    }
    w->toolkit = has;
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

/* In full screen the bar comes when the pointer touches the lower edge. */
static void window_peek(struct window *w, int y)
{
    int height = gui_where(gui_root(sdl_gui(w->sdl))).h;
    bool peek = sdl_is_fullscreen(w->sdl) && !(w->caught && !w->status.tablet) &&
                y >= height - (w->peek ? 2 * w->bar_height : 1);

    if (peek != w->peek) {
        w->peek = peek;
        window_bar_place(w);
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
    window_peek(w, e->y);
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
    window_keys_come_back(&w->keys);
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

void window_tell_place(struct window *w)
{
    struct view_rect place = sdl_picture_place(w->sdl);
    unsigned gx, gy;
    int x, y;

    sdl_pointer(w->sdl, &x, &y);
    if (w->status.tablet && sdl_has_pointer(w->sdl) &&
        view_to_guest(&place, x, y, TABLET_MAX, &gx, &gy)) {
        window_inside(w, true);
        window_input_place(&w->input, gx, gy, 0, w->input.buttons);
    }
}

void window_on_status(struct window *w, struct window_status *status)
{
    bool mode = status->tablet != w->status.tablet;

    if (status->switches != w->status.switches) {
        g_free(w->engine);
        g_free(w->engine_why);
        w->engine = g_strdup(status->engine);
        w->engine_why = g_strdup("as the monitor was told");
    }
    window_status_clear(&w->status);
    w->status = *status;
    window_keys_guest_locks(&w->keys, status->leds);
    if (mode) {
        window_catch(w, w->caught);
        window_tell_place(w);
    }
    window_show_title(w);
    window_bar_show(w);
}

/* What shortcuts and menus ask for ------------------------------------------------------------ */

static void window_set_fullscreen(struct window *w, bool on)
{
    sdl_set_fullscreen(w->sdl, on);
    window_bar_place(w);
    window_catch(w, sdl_is_fullscreen(w->sdl));
    if (sdl_is_fullscreen(w->sdl)) {
        g_autofree char *leave = shortcut_label(w->keys.host, ACTION_FULLSCREEN);
        g_autofree char *menu = shortcut_label(w->keys.host, ACTION_MENU);
        g_autofree char *said =
            g_strdup_printf("%s leaves full screen, %s opens the menu", leave, menu);

        window_tell(w, said, false);
    }
}

void window_set_scaling(struct window *w, enum view_scaling scaling)
{
    g_autofree char *said = g_strdup_printf("Scaling: %s", view_scaling_help(scaling));

    w->scaling = scaling;
    sdl_set_scaling(w->sdl, scaling);
    window_tell(w, said, false);
    window_keep(w, "scale", view_scaling_name(scaling));
}

void window_set_host(struct window *w, const struct host_key *host)
{
    window_keys_release(&w->keys);
    w->keys.host = host;
    window_show_title(w);
    window_bar_show(w);
    window_keep(w, "host-key", host->name);
}

static void screenshot_done(struct window *w, void *of, const char *text, const GError *err)
{
    g_autofree char *path = of;
    g_autofree char *said = g_strdup_printf("Screenshot: %s", path);

    (void)text;
    window_tell(w, err ? err->message : said, err != NULL);
}

static void window_screenshot(struct window *w)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *stamp = g_date_time_format(now, "%Y-%m-%d %H.%M.%S");
    const char *pictures = g_get_user_special_dir(G_USER_DIRECTORY_PICTURES);
    g_autofree char *name = g_strdup_printf("%s %s.png", w->name ? w->name : "Candela", stamp);
    char *path = g_build_filename(pictures ? pictures : g_get_home_dir(), name, NULL);
    g_autofree char *file = monitor_quoted(path);

    window_command(w, screenshot_done, path, "screendump %s", file);
}

/* What is done with one command of the monitor. */
static const char *action_command(const struct window *w, enum window_action action)
{
    switch (action) {
    case ACTION_CTRL_ALT_DEL:
        return "sendkey ctrl-alt-delete";
    case ACTION_PAUSE:
        return w->status.paused ? "cont" : "stop";
    case ACTION_POWER_BUTTON:
        return "system_powerdown";
    default:
        return NULL;
    }
}

void window_do(struct window *w, enum window_action action)
{
    const char *command = action_command(w, action);

    if (command) {
        window_command(w, NULL, NULL, "%s", command);
        return;
    }
    switch (action) {
    case ACTION_CATCH:
        window_catch(w, !w->caught);
        break;
    case ACTION_MENU:
        window_main_menu(w);
        break;
    case ACTION_FULLSCREEN:
        window_set_fullscreen(w, !sdl_is_fullscreen(w->sdl));
        break;
    case ACTION_SCALING:
        window_set_scaling(w, (w->scaling + 1) % VIEW_SCALINGS);
        break;
    case ACTION_ORIGINAL_SIZE:
        sdl_fit_window(w->sdl);
        break;
    case ACTION_PASTE:
        window_paste(w);
        break;
    case ACTION_SCREENSHOT:
        window_screenshot(w);
        break;
    case ACTION_RESET:
        window_ask_reset(w);
        break;
    case ACTION_HELP:
        window_help(w);
        break;
    case ACTION_CLOSE:
        window_ask_close(w);
        break;
    default:
        break;
    }
    window_on_toolkit(w);
}

/* Events -------------------------------------------------------------------------------------- */

static void window_on_event(void *opaque, const struct sdl_event *e)
{
    struct window *w = opaque;

    if (w->refused && e->kind == SDL_ON_CLOSE) {
        sdl_quit(w->sdl);
    }
    if (!w->m || w->refused) {
        return; /* before it is shown, or there is nothing to do */
    }
    switch (e->kind) {
    case SDL_ON_KEY:
        window_keys_host_locks(&w->keys, e->locks);
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
        window_bar_place(w);
        break;
    case SDL_ON_CLOSE:
        window_do(w, ACTION_CLOSE);
        break;
    case SDL_ON_DROP:
        window_drop(w, e->text);
        break;
    }
    window_on_toolkit(w);
}

/* Life ---------------------------------------------------------------------------------------- */

struct window *window_new(const struct window_setup *setup, GError **err)
{
    struct window *w = g_new0(struct window, 1);
    struct sdl_setup sdl = {.title = "Candela",
                            .width = 720,
                            .height = 540,
                            .fullscreen = setup->fullscreen,
                            .theme = setup->theme,
                            .event = window_on_event,
                            .opaque = w};

    w->name = g_strdup(setup->name);
    w->engine = g_strdup(setup->engine);
    w->engine_why = g_strdup(setup->engine_why);
    w->scaling = setup->scaling;
    w->keep = setup->keep;
    w->keep_of = setup->of;
    w->has_file = setup->has_file;
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
    window_bar_new(w);
    window_screen_start(w);
}

static bool refusal_seen(struct gui_widget *dialog, int id, void *of)
{
    struct window *w = of;

    (void)dialog;
    (void)id;
    sdl_quit(w->sdl);
    return true;
}

void window_refuse(struct window *w, const char *why)
{
    g_autofree char *title =
        g_strdup_printf("%s cannot be started", w->name ? w->name : "The machine");

    w->refused = true;
    gui_ask(sdl_gui(w->sdl), GUI_ICON_WARNING, title, why, "_Close", refusal_seen, w);
    sdl_show(w->sdl);
    sdl_run(w->sdl);
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
        window_paste_clear(w);
        window_commands_clear(w);
        window_input_clear(&w->input);
        window_screen_clear(w);
    }
    sdl_free(w->sdl);
    window_status_clear(&w->status);
    g_strfreev(w->recent);
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
