/*
 * The bar along the bottom of a machine's window: its devices with their lights, who runs the
 * guest, and the host key.
 */
#include "ui/window_int.h"

enum { BAR_ROOM = 2 }; /* between items */

static const enum gui_icon drive_icons[MEDIA_KINDS] = {
    [MEDIA_CD] = GUI_ICON_CD, [MEDIA_FLOPPY] = GUI_ICON_FLOPPY, [MEDIA_DISK] = GUI_ICON_DISK};

static struct window_item *bar_item(struct window *w, enum item_kind kind, unsigned index,
                                    enum gui_icon icon, const char *text)
{
    struct window_item *i = &w->items[w->item_count++];

    *i = (struct window_item){.w = w, .kind = kind, .index = index};
    i->widget = gui_item(w->bar, icon, text, NULL, window_on_item, i);
    gui_on_menu(i->widget, window_on_item);
    return i;
}

/* Hard disks first, floppies last, as the board has them. */
static void bar_add_drives(struct window *w)
{
    static const enum media_kind kinds[] = {MEDIA_DISK, MEDIA_CD, MEDIA_FLOPPY};

    for (unsigned k = 0; k < ARRAY_LEN(kinds); k++) {
        unsigned rows[VM_MAX_DRIVES], n = media_drives(&w->m->config, kinds[k], rows);

        for (unsigned i = 0; i < n; i++) {
            bar_item(w, ITEM_DRIVE, rows[i], drive_icons[kinds[k]], "");
        }
    }
}

/* Who runs the guest and why, in as few words as a bar has room for; the tip says more. */
static char *engine_text(const struct window *w)
{
    static const struct {
        const char *name, *text, *otherwise;
    } engines[] = {
        {"kvm", "KVM", NULL},
        {"jit", "Translator", "no KVM"},
        {"interp", "Interpreter", "no KVM, no translator"},
    };
    bool asked = g_strcmp0(w->m->config.accel, "auto") != 0 || w->status.switches;

    for (unsigned i = 0; i < ARRAY_LEN(engines); i++) {
        if (!strcmp(w->engine, engines[i].name)) {
            const char *why = asked ? "as asked" : engines[i].otherwise;

            return why ? g_strdup_printf("%s: %s", engines[i].text, why)
                       : g_strdup(engines[i].text);
        }
    }
    return g_strdup(w->engine);
}

void window_bar_new(struct window *w)
{
    struct gui_widget *root = gui_root(sdl_gui(w->sdl));

    gui_space(root);
    w->bar = gui_hbox(root);
    gui_set_look(w->bar, GUI_BAR);
    gui_set_spacing(w->bar, BAR_ROOM, 3);
    bar_item(w, ITEM_MENU, 0, GUI_ICON_MENU, "");
    bar_add_drives(w);
    for (unsigned i = 0; i < VM_MAX_NICS; i++) {
        if (w->m->nics[i]) {
            bar_item(w, ITEM_NIC, i, GUI_ICON_NETWORK, "");
        }
    }
    w->state = bar_item(w, ITEM_STATE, 0, GUI_ICON_PAUSE, "");
    gui_space(w->bar);
    bar_item(w, ITEM_ENGINE, 0, GUI_ICON_CHIP, "");
    w->host_item = bar_item(w, ITEM_HOST, 0, GUI_ICON_MOUSE, "");
    window_bar_show(w);
    window_bar_place(w);
}

/* Tips ---------------------------------------------------------------------------------------- */

static char *drive_tip(const struct window *w, unsigned row)
{
    const struct window_drive *d = &w->status.drives[row];
    g_autofree char *title = media_drive_title(&w->m->config.drives[row]);
    g_autofree char *name = d->path ? g_path_get_basename(d->path) : NULL;

    if (!name) {
        return g_strdup_printf("%s: empty", title);
    }
    return g_strdup_printf("%s: %s%s", title, name, d->readonly ? " (read-only)" : "");
}

char *window_nic_peer(const struct window *w, unsigned n)
{
    const struct nic_config *c = &w->m->config.nics[n];

    switch (c->peer) {
    case NIC_PEER_USER:
        return g_strdup("the host's network");
    case NIC_PEER_SWITCH:
        return g_strdup_printf("switch %s", c->name);
    case NIC_PEER_TAP:
        return g_strdup_printf("interface %s", c->name);
    default:
        return g_strdup("nothing at the other end");
    }
}

static char *nic_tip(const struct window *w, unsigned n)
{
    g_autofree char *peer = window_nic_peer(w, n);

    return g_strdup_printf("Network card %s: %s", w->m->nics[n]->id,
                           w->status.nics[n].link ? peer : "the cable is pulled out");
}

static char *item_tip(const struct window *w, const struct window_item *i)
{
    switch (i->kind) {
    case ITEM_MENU:
        return shortcut_label(w->keys.host, ACTION_MENU);
    case ITEM_DRIVE:
        return drive_tip(w, i->index);
    case ITEM_NIC:
        return nic_tip(w, i->index);
    case ITEM_STATE:
        return g_strdup("The machine is paused: click to go on");
    case ITEM_ENGINE:
        return g_strdup(w->engine_why);
    case ITEM_HOST:
        return g_strdup_printf(w->status.tablet ? "%s catches and releases the keyboard"
                                                : "%s catches and releases the mouse",
                               w->keys.host->label);
    }
    return NULL;
}

/* What it shows ------------------------------------------------------------------------------- */

static void item_show(struct window *w, struct window_item *i)
{
    g_autofree char *tip = item_tip(w, i);

    gui_set_tip(i->widget, tip);
    if (i->kind == ITEM_DRIVE) {
        gui_set_light(i->widget, w->status.drives[i->index].light);
    } else if (i->kind == ITEM_NIC) {
        const struct window_nic *n = &w->status.nics[i->index];

        gui_set_light(i->widget, n->link ? n->light : GUI_LIGHT_ERROR);
    } else if (i->kind == ITEM_ENGINE) {
        g_autofree char *engine = engine_text(w);

        gui_set_text(i->widget, engine);
    }
}

void window_bar_show(struct window *w)
{
    if (!w->bar) {
        return;
    }
    for (unsigned i = 0; i < w->item_count; i++) {
        item_show(w, &w->items[i]);
    }
    gui_show(w->state->widget, w->status.paused);
    gui_set_text(w->state->widget, "Paused");
    gui_set_icon(w->host_item->widget, w->status.tablet ? GUI_ICON_KEYBOARD : GUI_ICON_MOUSE);
    gui_set_text(w->host_item->widget, w->keys.host->label);
    gui_set_light(w->host_item->widget, w->caught ? GUI_LIGHT_READ : GUI_LIGHT_OFF);
}

/* In full screen the bar is out of the way, unless asked for. */
void window_bar_place(struct window *w)
{
    bool over = sdl_is_fullscreen(w->sdl);

    if (!w->bar) {
        return;
    }
    gui_show(w->bar, !over || w->peek);
    if (gui_is_shown(w->bar)) {
        w->bar_height = gui_where(w->bar).h;
    }
    sdl_set_bar(w->sdl, over ? 0 : w->bar_height);
}

struct window_item *window_item_at(struct window *w, int x, int y)
{
    for (unsigned i = 0; i < w->item_count; i++) {
        struct gui_rect r = gui_where(w->items[i].widget);

        if (gui_rect_has(&r, x, y)) {
            return &w->items[i];
        }
    }
    return NULL;
}
