/*
 * The menus of a machine's window, and the dialogs that only tell something.
 */
#include "config.h"
#include "hw/core/net.h"
#include "ui/window_int.h"
#include <stdio.h>

enum {
    ID_ACTION = 0, /* + enum window_action */
    ID_SCALING = 100,
    ID_HOST = 200,
    ID_KEYS = 300,
    ID_INSERT = 400,
    ID_EJECT,
    ID_LINK,
    ID_ABOUT,
    ID_TURN_OFF,
    ID_RECENT = 500,
};

static const struct {
    const char *text, *keys;
} combos[] = {
    {"Ctrl+Alt+_Del", "ctrl-alt-delete"},
    {"Ctrl+Alt+_Backspace", "ctrl-alt-backspace"},
    {"Ctrl+_Esc", "ctrl-esc"},
    {"_Alt+Tab", "alt-tab"},
    {"Alt+F_4", "alt-f4"},
    {"_Print Screen", "print"},
    {"Pa_use", "pause"},
    {"Ctrl+Alt+F_1", "ctrl-alt-f1"},
    {"Ctrl+Alt+F_2", "ctrl-alt-f2"},
    {"Ctrl+Alt+F_7", "ctrl-alt-f7"},
};

static void menu_chosen(struct gui_widget *chosen, void *of);

/* Over its item of the bar, or where that would be. */
static struct gui_widget *menu_open(struct window *w, struct window_item *at)
{
    struct gui_widget *widget = gui_is_shown(w->bar) ? at->widget : NULL;
    struct view_rect place = sdl_picture_place(w->sdl);

    w->menu_item = at;
    return gui_menu(sdl_gui(w->sdl), widget, place.x + 16, place.y + place.h - 16, menu_chosen, w);
}

/* Text from outside: of a file, say. */
static struct gui_widget *menu_add_plain(struct gui_widget *m, const char *text, int id)
{
    g_autofree char *plain = gui_plain(text);

    return gui_menu_add(m, GUI_NO_ICON, plain, NULL, id);
}

static void menu_add_title(struct gui_widget *m, const char *text)
{
    gui_set_enabled(menu_add_plain(m, text, 0), false);
}

static struct gui_widget *menu_add_action(struct window *w, struct gui_widget *m, const char *text,
                                          enum gui_icon icon, enum window_action action)
{
    g_autofree char *keys = shortcut_label(w->keys.host, action);

    return gui_menu_add(m, icon, text, keys, ID_ACTION + (int)action);
}

/* The main menu ------------------------------------------------------------------------------- */

static void menu_fill_scalings(struct window *w, struct gui_widget *m)
{
    static const char *const names[VIEW_SCALINGS] = {"_Smooth", "S_harp", "_Whole multiples"};

    for (unsigned i = 0; i < VIEW_SCALINGS; i++) {
        gui_set_mark(gui_menu_add(m, GUI_NO_ICON, names[i], NULL, ID_SCALING + (int)i),
                     i == w->scaling ? GUI_CHECKED : GUI_UNCHECKED);
    }
    gui_menu_line(m);
    menu_add_action(w, m, "_Original size", GUI_NO_ICON, ACTION_ORIGINAL_SIZE);
}

static void menu_fill_hosts(struct window *w, struct gui_widget *m)
{
    const struct host_key *h;

    for (unsigned i = 0; (h = host_key_at(i)); i++) {
        g_autofree char *label = gui_plain(h->label);

        gui_set_mark(gui_menu_add(m, GUI_NO_ICON, label, i < 4 ? h->help : NULL, ID_HOST + (int)i),
                     h == w->keys.host ? GUI_CHECKED : GUI_UNCHECKED);
    }
}

static void menu_fill_keys(struct gui_widget *m)
{
    for (unsigned i = 0; i < ARRAY_LEN(combos); i++) {
        gui_menu_add(m, GUI_NO_ICON, combos[i].text, NULL, ID_KEYS + (int)i);
    }
}

void window_main_menu(struct window *w)
{
    struct gui_widget *m = menu_open(w, &w->items[0]);

    menu_add_action(w, m, w->status.paused ? "Go _on" : "_Pause",
                    w->status.paused ? GUI_ICON_PLAY : GUI_ICON_PAUSE, ACTION_PAUSE);
    menu_add_action(w, m, "_Reset", GUI_ICON_RESET, ACTION_RESET);
    menu_add_action(w, m, "Press po_wer button", GUI_ICON_POWER, ACTION_POWER_BUTTON);
    gui_menu_add(m, GUI_NO_ICON, "_Turn off", NULL, ID_TURN_OFF);
    gui_menu_line(m);
    menu_add_action(w, m, "Ctrl+Alt+_Del", GUI_ICON_KEYBOARD, ACTION_CTRL_ALT_DEL);
    menu_fill_keys(gui_menu_sub(m, "Send _keys"));
    menu_add_action(w, m, "T_ype the clipboard", GUI_ICON_COPY, ACTION_PASTE);
    menu_add_action(w, m, "_Screenshot", GUI_ICON_CAMERA, ACTION_SCREENSHOT);
    gui_menu_line(m);
    gui_set_mark(menu_add_action(w, m, "_Full screen", GUI_ICON_FULL, ACTION_FULLSCREEN),
                 sdl_is_fullscreen(w->sdl) ? GUI_CHECKED : GUI_NO_MARK);
    menu_fill_scalings(w, gui_menu_sub(m, "S_caling"));
    menu_fill_hosts(w, gui_menu_sub(m, "_Host key"));
    gui_menu_line(m);
    menu_add_action(w, m, "Shortc_uts", GUI_NO_ICON, ACTION_HELP);
    gui_menu_add(m, GUI_ICON_INFO, "_About this machine", NULL, ID_ABOUT);
    menu_add_action(w, m, "_Close...", GUI_NO_ICON, ACTION_CLOSE);
}

/* Devices ------------------------------------------------------------------------------------- */

static void menu_fill_recent(struct window *w, struct gui_widget *m, enum media_kind kind)
{
    g_strfreev(w->recent);
    w->recent = media_recent(kind);
    if (w->recent[0]) {
        gui_menu_line(m);
    }
    for (int i = 0; w->recent[i]; i++) {
        g_autofree char *name = g_path_get_basename(w->recent[i]);

        menu_add_plain(m, name, ID_RECENT + i);
    }
}

static void drive_menu(struct window *w, struct window_item *item)
{
    const struct drive_config *d = &w->m->config.drives[item->index];
    const struct window_drive *now = &w->status.drives[item->index];
    enum media_kind kind = media_kind_of_drive(d);
    g_autofree char *title = media_drive_title(d);
    g_autofree char *name = now->path ? g_path_get_basename(now->path) : g_strdup("empty");
    struct gui_widget *m = menu_open(w, item);
    bool cd = kind == MEDIA_CD;

    menu_add_title(m, title);
    menu_add_title(m, name);
    gui_menu_line(m);
    if (kind == MEDIA_DISK) {
        menu_add_title(m, now->readonly ? "Read-only" : "Hard disks stay while the machine runs");
        return;
    }
    gui_menu_add(m, GUI_ICON_FOLDER, cd ? "_Capture ISO image..." : "_Capture floppy disk image...",
                 NULL, ID_INSERT);
    gui_set_enabled(gui_menu_add(m, GUI_ICON_EJECT, cd ? "_Release CD" : "_Release floppy disk",
                                 NULL, ID_EJECT),
                    now->path != NULL);
    menu_fill_recent(w, m, kind);
}

static void nic_menu(struct window *w, struct window_item *item)
{
    const struct net *n = w->m->nics[item->index];
    g_autofree char *peer = window_nic_peer(w, item->index);
    g_autofree char *title =
        g_strdup_printf("%s: " NET_MAC_FORMAT ", %s", n->id, NET_MAC_ARGS(n->mac), peer);
    struct gui_widget *m = menu_open(w, item);

    menu_add_title(m, title);
    gui_menu_line(m);
    gui_set_mark(gui_menu_add(m, GUI_NO_ICON, "Cable _connected", NULL, ID_LINK),
                 w->status.nics[item->index].link ? GUI_CHECKED : GUI_UNCHECKED);
}

void window_on_item(struct gui_widget *widget, void *of)
{
    struct window_item *item = of;
    struct window *w = item->w;

    (void)widget;
    switch (item->kind) {
    case ITEM_MENU:
        window_main_menu(w);
        break;
    case ITEM_DRIVE:
        drive_menu(w, item);
        break;
    case ITEM_NIC:
        nic_menu(w, item);
        break;
    case ITEM_STATE:
        window_do(w, ACTION_PAUSE);
        break;
    case ITEM_ENGINE:
        window_about(w);
        break;
    case ITEM_HOST:
        menu_fill_hosts(w, menu_open(w, item));
        break;
    }
}

static void menu_chosen(struct gui_widget *chosen, void *of)
{
    struct window *w = of;
    struct window_item *item = w->menu_item;
    int id = gui_value(chosen);

    if (id >= ID_RECENT) {
        window_insert(w, item->index, w->recent[id - ID_RECENT]);
    } else if (id == ID_INSERT) {
        window_choose_medium(w, item->index);
    } else if (id == ID_EJECT) {
        window_eject(w, item->index);
    } else if (id == ID_LINK) {
        window_command(w, NULL, NULL, "link %s %s", w->m->nics[item->index]->id,
                       w->status.nics[item->index].link ? "down" : "up");
    } else if (id == ID_ABOUT) {
        window_about(w);
    } else if (id == ID_TURN_OFF) {
        window_ask_turn_off(w);
    } else if (id >= ID_KEYS) {
        window_command(w, NULL, NULL, "sendkey %s", combos[id - ID_KEYS].keys);
    } else if (id >= ID_HOST) {
        window_set_host(w, host_key_at((unsigned)(id - ID_HOST)));
    } else if (id >= ID_SCALING) {
        window_set_scaling(w, (enum view_scaling)(id - ID_SCALING));
    } else {
        window_do(w, (enum window_action)(id - ID_ACTION));
    }
}

/* What is only told --------------------------------------------------------------------------- */

static void form_row(struct gui_widget *form, const char *name, char *value)
{
    gui_label(form, name, GUI_DIM);
    gui_label(form, value, GUI_PLAIN);
    g_free(value);
}

void window_about(struct window *w)
{
    const struct vm_config *c = &w->m->config;
    struct view_rect place = sdl_picture_place(w->sdl);
    struct gui_widget *box = gui_dialog(sdl_gui(w->sdl), GUI_ICON_CANDLE,
                                        w->name ? w->name : "This machine", NULL, NULL);
    struct gui_widget *form = gui_form(box);

    form_row(form, "Engine", g_strdup_printf("%s: %s", w->engine, w->engine_why));
    form_row(form, "Processors", g_strdup_printf("%u, %s", c->cpus, c->cpu_model));
    form_row(form, "Memory", g_format_size_full(c->memory, G_FORMAT_SIZE_IEC_UNITS));
    form_row(
        form, "Screen",
        g_strdup_printf("%u x %u, shown as %d x %d", w->picture_w, w->picture_h, place.w, place.h));
    form_row(form, "Mouse",
             g_strdup(w->status.tablet ? "the guest follows the host's pointer"
                                       : "caught by a click, until the host key is pressed"));
    form_row(form, "Host key", g_strdup(w->keys.host->label));
    form_row(form, "Candela", g_strdup(CANDELA_VERSION));
    gui_dialog_button(box, "_Close", 0, GUI_DEFAULT | GUI_CANCEL);
}

void window_help(struct window *w)
{
    struct gui_widget *box =
        gui_dialog(sdl_gui(w->sdl), GUI_ICON_KEYBOARD, "Shortcuts", NULL, NULL);
    struct gui_widget *form = gui_form(box);
    const struct shortcut *s;

    form_row(form, w->keys.host->label, g_strdup("catch or release mouse and keyboard"));
    for (unsigned i = 0; (s = shortcut_at(i)); i++) {
        if (s->help) {
            g_autofree char *keys = shortcut_row_label(w->keys.host, s);

            form_row(form, keys, g_strdup(s->help));
        }
    }
    gui_dialog_button(box, "_Close", 0, GUI_DEFAULT | GUI_CANCEL);
}
