/*
 * What lies over the window: menus, dialogs, toasts and tips.  Each is a widget like any other, but
 * for the place it finds.
 *
 * A menu is a box of items; what is below one is a menu that is hidden until it is chosen.  A
 * dialog is a box with a title, a body that scrolls and a row of buttons, in the middle of the
 * window and never larger than it.
 */
#include "ui/gui/gui_int.h"

enum {
    ROOM = 16,       /* around all of them */
    WIDTH = 560,     /* of a dialog, and the most that others are wide */
    MENU_MOST = 400, /* as wide as what it belongs to, but no wider */
    TOASTS = 4,
    TOAST_MS = 6000,
    ERROR_MS = 20000
};

/* ---- Places ---- */

/* Below what it belongs to, or above where there is no room; menus of menus beside it. */
static struct gui_rect beside(const struct gui_widget *w, struct gui_rect r)
{
    struct gui_rect at = w->at;

    if (w->own) {
        r.x = at.x + at.w + r.w > w->gui->w ? at.x - r.w + 4 : at.x + at.w - 4;
        r.y = at.y - w->pad;
        return r;
    }
    r.w = w->kind == TOP_MENU ? MAX(r.w, MIN(at.w, MENU_MOST)) : r.w;
    r.x = w->kind == TOP_MENU ? at.x : at.x + (at.w - r.w) / 2;
    r.y = at.y + at.h + 4 + r.h > w->gui->h ? at.y - 4 - r.h : at.y + at.h + 4;
    return r;
}

static void first_focus(struct gui_widget *top);

/* Toasts stand below one another at the top, where no dialog has its buttons. */
void gui_screen_layout(struct gui_widget *screen)
{
    struct gui *g = screen->gui;
    int w = MAX(g->w - 2 * ROOM, 1), h = MAX(g->h - 2 * ROOM, 1), y = ROOM;

    screen->r = (struct gui_rect){0, 0, g->w, g->h};
    gui_place(screen->first, screen->r);
    for (struct gui_widget *top = screen->first->next; top; top = top->next) {
        struct gui_size s = gui_measure(top, MIN(w, WIDTH));
        struct gui_rect r = {0, (g->h - MIN(s.h, h)) / 2, MIN(s.w, w), MIN(s.h, h)};

        r.x = (g->w - r.w) / 2;
        if (top->kind == TOP_TOAST) {
            r.y = y;
            y += r.h + GUI_GAP;
        } else if (top->kind != TOP_DIALOG) {
            r = beside(top, r);
        }
        r.x = CLAMP(r.x, 0, MAX(g->w - r.w, 0));
        r.y = CLAMP(r.y, 0, MAX(g->h - r.h, 0));
        gui_place(top, r);
        if (top->kind <= TOP_MENU && !top->hidden && !top->focus) {
            first_focus(top);
        }
    }
}

/* ---- Menus ---- */

void gui_close_menus(struct gui *g)
{
    struct gui_widget *before;

    g->menu_of = NULL;
    for (struct gui_widget *w = g->screen->last; w; w = before) {
        before = w->prev;
        if (w->kind == TOP_MENU) {
            gui_remove(w);
        }
    }
}

static void menu_item_click(struct gui_widget *w)
{
    struct gui *g = w->gui;
    struct gui_widget *below = w->own, *base;

    if (below) {
        below->at = w->r;
        below->focus = NULL;
        gui_show(below, true);
        return;
    }
    gui_close_menus(g);
    base = gui_top(g)->focus;
    if (!gui_is_modal(g) && base && !(base->class->flags & CLICK_FOCUSES)) {
        gui_drop_keys(g); /* a status bar's menu is done: back to the guest */
    }
    if (w->fn) {
        w->fn(w, w->of);
    }
}

const struct gui_class gui_menu_item_class = {.role = "item",
                                              .flags = CAN_FOCUS | ENTER_CLICKS | HAS_MARKS,
                                              .pad = 6,
                                              .icon = 16,
                                              .height = 28,
                                              .click = menu_item_click};

/* Right goes to the menu below an item, Left and Esc back. */
static bool menu_event(struct gui_widget *w, const struct gui_event *ev)
{
    bool esc = gui_is_key(ev, KEY_ESC, 0), left = gui_is_key(ev, KEY_LEFT, 0);

    if (gui_is_key(ev, KEY_RIGHT, 0)) {
        if (w->focus && w->focus->own) {
            menu_item_click(w->focus);
        }
        return true;
    }
    if (w->own && (esc || left)) {
        gui_show(w, false);
    } else if (esc) {
        gui_close_menus(w->gui);
    }
    return esc || left || gui_scroll_event(w, ev);
}

static struct gui_widget *menu_new(struct gui *g, gui_fn *fn, void *of)
{
    static const struct gui_class menu_class = {
        .role = "menu", .look = LOOK_MENU, .layout = gui_box_layout, .event = menu_event};
    struct gui_widget *menu = gui_make_top(g, &menu_class, TOP_MENU, NULL);

    menu->scroll = true;
    menu->pad = 6;
    menu->fn = fn;
    menu->of = of;
    return menu;
}

struct gui_widget *gui_menu(struct gui *g, struct gui_widget *at, int x, int y, gui_fn *fn,
                            void *of)
{
    struct gui_widget *menu;

    gui_layout(g);
    gui_close_menus(g);
    menu = menu_new(g, fn, of);
    menu->at = at ? at->r : (struct gui_rect){(int)(x / g->scale), (int)(y / g->scale) - 4, 0, 0};
    g->menu_of = at;
    return menu;
}

struct gui_widget *gui_menu_add(struct gui_widget *menu, enum gui_icon icon, const char *text,
                                const char *keys, int id)
{
    struct gui_widget *w = gui_make(menu, &gui_menu_item_class, icon, text, menu->fn, menu->of);

    w->note = keys && *keys ? gui_clean(keys) : NULL;
    w->value = id;
    return w;
}

struct gui_widget *gui_menu_sub(struct gui_widget *menu, const char *text)
{
    struct gui_widget *w = gui_menu_add(menu, GUI_NO_ICON, text, NULL, 0);
    struct gui_widget *below = menu_new(menu->gui, menu->fn, menu->of);

    below->hidden = true;
    below->own = w;
    w->own = below;
    return below;
}

static struct gui_size line_measure(struct gui_widget *w, int width)
{
    (void)w;
    (void)width;
    return (struct gui_size){0, 9};
}

static void line_paint(struct gui_widget *w, cairo_t *cr)
{
    gui_fill(cr, w->gui, (struct gui_rect){w->r.x, w->r.y + 4, w->r.w, 1}, 0, C_LINE);
}

void gui_menu_line(struct gui_widget *menu)
{
    static const struct gui_class line_class = {
        .role = "line", .paint = line_paint, .measure = line_measure};

    gui_make(menu, &line_class, GUI_NO_ICON, NULL, NULL, NULL);
}

/* ---- Dialogs ---- */

struct dialog {
    bool (*fn)(struct gui_widget *body, int id, void *of);
    void *of;
    struct gui_widget *body, *buttons, *standard, *cancel;
};

/* What is in a dialog, or else its default button; in a menu what is marked. */
static void first_focus(struct gui_widget *top)
{
    struct dialog *d = top->data;
    struct gui_widget *w = top->first;

    if (top->kind == TOP_DIALOG && !gui_focus_next(d->body, 1)) {
        w = d->standard && !d->standard->disabled ? d->standard : d->cancel;
    }
    while (w && top->kind == TOP_MENU && w->mark != GUI_CHECKED) {
        w = w->next;
    }
    if (w) {
        gui_focus(w);
    } else if (top->gui->by_keys) {
        gui_focus_next(top, 1);
    }
}

static void press(struct gui_widget *button, void *of)
{
    struct gui_widget *top = gui_top_of(button);
    struct dialog *d = top->data;

    (void)of;
    if (!button->disabled && (!d->fn || d->fn(d->body, button->value, d->of)) && !top->removed) {
        gui_dialog_close(top);
    }
}

static bool dialog_event(struct gui_widget *w, const struct gui_event *ev)
{
    struct dialog *d = w->data;
    struct gui_widget *button = gui_is_enter(ev)             ? d->standard
                                : gui_is_key(ev, KEY_ESC, 0) ? d->cancel
                                                             : NULL;

    if (button) {
        press(button, NULL);
    }
    return button;
}

static const struct gui_class dialog_class = {
    .role = "dialog", .look = LOOK_DIALOG, .layout = gui_box_layout, .event = dialog_event};

struct gui_widget *gui_dialog(struct gui *g, enum gui_icon icon, const char *title,
                              bool (*fn)(struct gui_widget *dialog, int id, void *of), void *of)
{
    struct gui_widget *top, *head;
    struct dialog *d = g_new0(struct dialog, 1);

    gui_close_menus(g);
    top = gui_make_top(g, &dialog_class, TOP_DIALOG, title);
    gui_own(top, d, g_free);
    gui_set_spacing(top, 16, 24);
    gui_set_min(top, WIDTH, 0);
    d->fn = fn;
    d->of = of;
    head = gui_hbox(top);
    head->spacing = 12;
    if (icon) {
        gui_set_look(gui_picture(head, icon, 28), GUI_DIM);
    }
    gui_label(head, title, GUI_TITLE)->grow = true;
    d->body = gui_vbox(top);
    d->body->scroll = true;
    d->body->grow = true;
    /* Room for the ring of who has the keyboard: the body cuts what is outside. */
    gui_set_spacing(d->body, 12, 4);
    d->buttons = gui_hbox(top);
    gui_space(d->buttons);
    return d->body;
}

struct gui_widget *gui_dialog_button(struct gui_widget *dialog, const char *text, int id,
                                     unsigned flags)
{
    struct dialog *d = gui_top_of(dialog)->data;
    struct gui_widget *w = gui_button(d->buttons, GUI_NO_ICON, text, press, NULL);

    w->value = id;
    w->look = flags & GUI_DESTROYS ? GUI_DANGER : flags & GUI_DEFAULT ? GUI_PRIMARY : GUI_PLAIN;
    d->standard = flags & GUI_DEFAULT ? w : d->standard;
    d->cancel = flags & GUI_CANCEL ? w : d->cancel;
    return w;
}

void gui_dialog_close(struct gui_widget *dialog)
{
    if (!dialog->removed) {
        gui_close_menus(dialog->gui);
        gui_remove(gui_top_of(dialog));
    }
}

struct gui_widget *gui_ask(struct gui *g, enum gui_icon icon, const char *title, const char *text,
                           const char *buttons,
                           bool (*fn)(struct gui_widget *dialog, int id, void *of), void *of)
{
    struct gui_widget *dialog = gui_dialog(g, icon, title, fn, of);
    g_auto(GStrv) names = g_strsplit(buttons, "|", 8);
    int last = (int)g_strv_length(names) - 1;
    bool danger = icon == GUI_ICON_TRASH; /* Enter must not destroy anything */

    if (text && *text) {
        gui_label(dialog, text, GUI_PLAIN);
    }
    for (int i = last; i >= 0; i--) {
        unsigned flags = i == last ? GUI_CANCEL : 0;

        flags |= i == (danger ? last : 0) ? GUI_DEFAULT : 0;
        gui_dialog_button(dialog, names[i], i, flags | (danger && i == 0 ? GUI_DESTROYS : 0));
    }
    return dialog;
}

/* ---- Toasts and tips ---- */

static const struct gui_class toast_class = {.role = "toast",
                                             .flags = WRAPS,
                                             .look = LOOK_TOAST,
                                             .pad = 14,
                                             .icon = 20,
                                             .click = gui_remove};

void gui_toast(struct gui *g, const char *text, bool error)
{
    struct gui_widget *w = gui_make_top(g, &toast_class, TOP_TOAST, text), *old = w;
    unsigned n = 0;

    w->look = error ? LOOK_TOAST_ERROR : LOOK_TOAST;
    w->icon = error ? GUI_ICON_WARNING : GUI_ICON_INFO;
    w->value = error ? ERROR_MS : TOAST_MS;
    while (old->prev->kind == TOP_TOAST) {
        old = old->prev;
        n++;
    }
    if (n == TOASTS) {
        gui_remove(old);
    }
}

static const struct gui_class tip_class = {
    .role = "tip", .flags = WRAPS, .look = LOOK_TIP, .pad = 8};

void gui_tip_hide(struct gui *g)
{
    if (g->tip) {
        gui_remove(g->tip);
    }
    g->tip = g->tip_of = NULL;
    g->tip_at = 0;
}

void gui_tip_show(struct gui_widget *w)
{
    struct gui *g = w->gui;

    gui_tip_hide(g);
    if (w->tip && gui_top_of(w) == gui_top(g)) { /* a menu may have opened over it meanwhile */
        g->tip_of = w;
        g->tip = gui_make_top(g, &tip_class, TOP_TIP, w->tip);
        g->tip->at = w->r;
    }
}
