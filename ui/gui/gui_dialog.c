/*
 * Dialogs and toasts.
 *
 * A dialog is a box with a title, a body that scrolls and a row of buttons, in the middle of the
 * window and never larger than it.  Enter presses its default button, Esc its cancelling one.
 */
#include "ui/gui/gui_int.h"

enum {
    EDGE = 24,
    ROOM = 16,
    DIALOG_WIDTH = 400,
    DIALOG_MOST = 640,
    SCROLL_BAR = 10,
    TOAST_MS = 6000,
    ERROR_MS = 20000
};

struct dialog {
    bool (*fn)(struct gui_widget *body, int id, void *of);
    void *of;
    struct gui_widget *body, *buttons, *standard, *cancel;
};

static void press(struct gui_widget *button)
{
    struct gui_widget *top = gui_top_of(button);
    struct dialog *d = top->own;

    if (!button->disabled && (!d->fn || d->fn(d->body, button->value, d->of)) && !top->removed) {
        gui_close(top);
    }
}

static void button_pressed(struct gui_widget *w, void *of)
{
    (void)of;
    press(w);
}

static struct gui_size dialog_measure(struct gui_widget *w, int width)
{
    return gui_box_class.measure(w, width);
}

static void dialog_layout(struct gui_widget *w)
{
    struct dialog *d = w->own;
    struct gui *g = w->gui;
    int natural = dialog_measure(w, 0).w + SCROLL_BAR;
    struct gui_layer *layer = gui_layer_of(w);
    struct gui_rect r;

    r.w = MIN(CLAMP(natural, DIALOG_WIDTH, DIALOG_MOST), MAX(g->w - 2 * ROOM, 1));
    r.h = MIN(dialog_measure(w, r.w).h, MAX(g->h - 2 * ROOM, 1));
    r.x = (g->w - r.w) / 2;
    r.y = (g->h - r.h) / 2;
    gui_move(w, r);
    gui_box_class.layout(w);
    if (layer && !layer->focus) {
        struct gui_widget *first = gui_first_focusable(d->body);

        first = first ? first : d->standard && !d->standard->disabled ? d->standard : d->cancel;
        layer->focus = first;
        if (first) {
            gui_damage(first);
        }
    }
}

static void dialog_paint(struct gui_widget *w, cairo_t *cr)
{
    gui_shadow(cr, w->gui, w->r, 10);
    gui_fill(cr, w->gui, w->r, 10, C_WINDOW);
    gui_frame(cr, w->gui, w->r, 10, C_LINE);
}

static bool dialog_event(struct gui_widget *w, const struct gui_event *ev)
{
    struct dialog *d = w->own;

    if (gui_is_enter(ev) && d->standard) {
        press(d->standard);
    } else if (gui_is_key(ev, KEY_ESC, 0) && d->cancel) {
        press(d->cancel);
    } else {
        return ev->kind == GUI_PRESS || ev->kind == GUI_RELEASE;
    }
    return true;
}

static void dialog_free(struct gui_widget *w)
{
    g_free(w->own);
}

static const struct gui_class dialog_class = {.role = "dialog",
                                              .measure = dialog_measure,
                                              .layout = dialog_layout,
                                              .paint = dialog_paint,
                                              .event = dialog_event,
                                              .free = dialog_free};

struct gui_widget *gui_dialog(struct gui *g, enum gui_icon icon, const char *title,
                              bool (*fn)(struct gui_widget *dialog, int id, void *of), void *of)
{
    struct gui_widget *top = gui_new_top(g, &dialog_class), *head;
    struct dialog *d = g_new0(struct dialog, 1);

    gui_close_popups(g);
    top->own = d;
    top->spacing = 16;
    top->pad = EDGE;
    gui_set_text(top, title);
    d->fn = fn;
    d->of = of;
    head = gui_hbox(top);
    head->spacing = 12;
    if (icon) {
        gui_picture(head, icon, 28);
    }
    gui_set_grow(gui_label(head, title, GUI_TITLE), true);
    d->body = gui_scroll(top);
    /* Room for the ring of who has the keyboard: the body cuts what is outside. */
    gui_set_spacing(d->body, 12, 4);
    d->buttons = gui_hbox(top);
    gui_space(d->buttons);
    gui_show(d->buttons, false);
    gui_open(g, top, LAYER_DIALOG);
    return d->body;
}

struct gui_widget *gui_dialog_button(struct gui_widget *dialog, const char *text, int id,
                                     unsigned flags)
{
    struct dialog *d = gui_top_of(dialog)->own;
    struct gui_widget *w = gui_button(d->buttons, GUI_NO_ICON, text, button_pressed, NULL);

    gui_show(d->buttons, true);
    w->value = id;
    w->look = flags & GUI_DESTROYS ? GUI_DANGER : flags & GUI_DEFAULT ? GUI_PRIMARY : GUI_PLAIN;
    d->standard = flags & GUI_DEFAULT ? w : d->standard;
    d->cancel = flags & GUI_CANCEL ? w : d->cancel;
    return w;
}

void gui_dialog_close(struct gui_widget *dialog)
{
    gui_close(gui_top_of(dialog));
}

struct gui_widget *gui_ask(struct gui *g, enum gui_icon icon, const char *title, const char *text,
                           const char *buttons,
                           bool (*fn)(struct gui_widget *dialog, int id, void *of), void *of)
{
    struct gui_widget *dialog = gui_dialog(g, icon, title, fn, of);
    g_auto(GStrv) names = g_strsplit(buttons, "|", 8);
    int last = (int)g_strv_length(names) - 1;

    if (text && *text) {
        gui_label(dialog, text, GUI_PLAIN);
    }
    for (int i = last; i >= 0; i--) {
        bool danger = icon == GUI_ICON_TRASH; /* Enter must not destroy anything */
        unsigned flags = i == last ? GUI_CANCEL : 0;

        flags |= i == (danger ? last : 0) ? GUI_DEFAULT : 0;
        gui_dialog_button(dialog, names[i], i, flags | (danger && i == 0 ? GUI_DESTROYS : 0));
    }
    return dialog;
}

/* ---- Toasts ---- */

static struct gui_size toast_measure(struct gui_widget *w, int width)
{
    struct gui_size s = gui_text_size(w->gui, F_TEXT, w->text, MAX(width - 60, 1), T_WRAP);

    return (struct gui_size){MIN(s.w + 60, MAX(width, 1)), MIN(s.h, 120) + 20};
}

static void toast_paint(struct gui_widget *w, cairo_t *cr)
{
    bool error = w->look == GUI_ERROR;
    struct gui_rect text = {w->r.x + 44, w->r.y + 10, w->r.w - 56, w->r.h - 20};

    gui_shadow(cr, w->gui, w->r, 8);
    gui_fill(cr, w->gui, w->r, 8, error ? C_DANGER : C_TIP);
    gui_draw_icon(cr, w->gui, w->icon, w->r.x + 14, w->r.y + (w->r.h - 20) / 2.0, 20,
                  error ? C_ON_DANGER : C_ON_TIP);
    gui_draw_text(cr, w->gui, F_TEXT, w->text, text, error ? C_ON_DANGER : C_ON_TIP, T_WRAP);
}

static bool toast_event(struct gui_widget *w, const struct gui_event *ev)
{
    if (ev->kind == GUI_RELEASE) {
        for (unsigned i = 0; i < GUI_TOASTS; i++) {
            w->gui->toasts[i] = w->gui->toasts[i] == w ? NULL : w->gui->toasts[i];
        }
        gui_remove(w);
    }
    return ev->kind == GUI_RELEASE || ev->kind == GUI_PRESS;
}

static const struct gui_class toast_class = {
    .role = "toast", .measure = toast_measure, .paint = toast_paint, .event = toast_event};

void gui_toast(struct gui *g, const char *text, bool error)
{
    struct gui_widget *w = gui_new_top(g, &toast_class);

    gui_set_text(w, text);
    w->look = error ? GUI_ERROR : GUI_PLAIN;
    w->icon = error ? GUI_ICON_WARNING : GUI_ICON_INFO;
    w->value = error ? ERROR_MS : TOAST_MS;
    if (g->toasts[0]) {
        gui_remove(g->toasts[0]);
    }
    memmove(g->toasts, g->toasts + 1, sizeof g->toasts - sizeof *g->toasts);
    memmove(g->toast_until, g->toast_until + 1, sizeof g->toast_until - sizeof *g->toast_until);
    g->toasts[GUI_TOASTS - 1] = w;
    g->toast_until[GUI_TOASTS - 1] = 0; /* counts from the next tick */
    gui_relayout(g);
}
