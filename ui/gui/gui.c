/*
 * The tree of widgets: making, changing, removing them, and what of the picture that touches.
 *
 * All is one tree: the screen's children lie over one another, and each is a box or an item like
 * any other.  A widget that is removed is freed when the event is over, so callbacks may remove
 * whatever they like.
 *
 * Not here: acting on events (gui_event.c), places (gui_box.c, gui_over.c), painting.
 */
#include "ui/gui/gui_int.h"
#include <math.h>

/* ---- Rectangles ---- */

struct gui_rect gui_inset(struct gui_rect r, int by)
{
    return (struct gui_rect){r.x + by, r.y + by, r.w - 2 * by, r.h - 2 * by};
}

struct gui_rect gui_cut(struct gui_rect a, struct gui_rect b)
{
    int x = MAX(a.x, b.x), y = MAX(a.y, b.y);

    return (struct gui_rect){x, y, MAX(MIN(a.x + a.w, b.x + b.w) - x, 0),
                             MAX(MIN(a.y + a.h, b.y + b.h) - y, 0)};
}

cairo_rectangle_int_t gui_device_rect(const struct gui *g, struct gui_rect r)
{
    int x = (int)CLAMP(floor(r.x * g->scale), 0, g->dev_w);
    int y = (int)CLAMP(floor(r.y * g->scale), 0, g->dev_h);

    return (cairo_rectangle_int_t){x, y, (int)CLAMP(ceil((r.x + r.w) * g->scale), x, g->dev_w) - x,
                                   (int)CLAMP(ceil((r.y + r.h) * g->scale), y, g->dev_h) - y};
}

/* ---- Changes ---- */

void gui_wake(struct gui *g)
{
    if (!g->woken && g->host.wake) {
        g->woken = true;
        g->host.wake(g->host.of);
    }
}

static void damage_rect(struct gui *g, struct gui_rect r)
{
    cairo_rectangle_int_t dev = gui_device_rect(g, r);

    if (dev.width > 0 && dev.height > 0) {
        cairo_region_union_rectangle(g->damage, &dev);
        gui_wake(g);
    }
}

void gui_damage_all(struct gui *g)
{
    damage_rect(g, (struct gui_rect){0, 0, g->w, g->h});
}

/* With the ring of who has the keyboard, or the shadow.  A dialog dims what is below it. */
void gui_damage(struct gui_widget *w)
{
    int margin = w->parent == w->gui->screen ? GUI_SHADOW : 4;
    struct gui_rect r = gui_inset(w->r, -margin);

    if (w->parent == w->gui->screen && w->kind <= TOP_MENU) {
        gui_damage_all(w->gui);
        return;
    }
    for (const struct gui_widget *p = w->parent; p; p = p->parent) {
        r = p->scroll ? gui_cut(r, p->r) : r;
    }
    damage_rect(w->gui, r);
}

void gui_relayout(struct gui *g)
{
    g->relayout = true;
    gui_wake(g);
}

void gui_layout(struct gui *g)
{
    if (g->relayout) {
        g->relayout = false;
        gui_screen_layout(g->screen);
    }
}

/* ---- The tree ---- */

static struct gui_widget *widget_new(struct gui *g, struct gui_widget *parent,
                                     struct gui_widget *next, const struct gui_class *class,
                                     const char *text)
{
    struct gui_widget *w = g_new0(struct gui_widget, 1);

    w->gui = g;
    w->class = class;
    w->text = gui_clean(text);
    w->parent = parent;
    w->next = next;
    w->prev = next ? next->prev : parent->last;
    *(w->prev ? &w->prev->next : &parent->first) = w;
    *(next ? &next->prev : &parent->last) = w;
    gui_relayout(g);
    return w;
}

struct gui_widget *gui_make(struct gui_widget *box, const struct gui_class *class,
                            enum gui_icon icon, const char *text, gui_fn *fn, void *of)
{
    struct gui_widget *w = widget_new(box->gui, box, NULL, class, text);

    w->icon = (int)icon;
    w->fn = fn;
    w->of = of;
    return w;
}

struct gui_widget *gui_make_top(struct gui *g, const struct gui_class *class, enum gui_kind kind,
                                const char *text)
{
    struct gui_widget *next = g->screen->first, *w;

    while (next && next->kind <= kind) {
        next = next->next;
    }
    w = widget_new(g, g->screen, next, class, text);
    w->kind = kind;
    gui_damage(w);
    return w;
}

static void widget_free(struct gui_widget *w)
{
    for (struct gui_widget *c = w->first, *next; c; c = next) {
        next = c->next;
        widget_free(c);
    }
    if (w->data_free) {
        w->data_free(w->data);
    }
    if (w->picture) {
        cairo_surface_destroy(w->picture);
    }
    g_free(w->text);
    g_free(w->sub);
    g_free(w->note);
    g_free(w->tip);
    g_free(w);
}

/* Nothing may point at it, or into it, any more. */
static void forget(struct gui_widget *w, struct gui_widget *top)
{
    struct gui *g = w->gui;
    struct gui_widget **holders[] = {&g->hover,  &g->active,  &g->tip,
                                     &g->tip_of, &top->focus, &w->parent->focus};

    w->removed = true;
    if (g->menu_of == w) {
        gui_close_menus(g);
    }
    for (unsigned i = 0; i < ARRAY_LEN(holders); i++) {
        *holders[i] = *holders[i] == w ? NULL : *holders[i];
    }
    for (struct gui_widget *c = w->first; c; c = c->next) {
        forget(c, top);
    }
}

void gui_bury(struct gui *g)
{
    while (!g->busy && g->removed->len) {
        widget_free(g_ptr_array_steal_index(g->removed, g->removed->len - 1));
    }
}

void gui_remove(struct gui_widget *w)
{
    struct gui *g = w->gui;

    if (!w->removed) {
        gui_damage(w);
        forget(w, gui_top_of(w));
        *(w->prev ? &w->prev->next : &w->parent->first) = w->next;
        *(w->next ? &w->next->prev : &w->parent->last) = w->prev;
        w->parent = NULL;
        gui_relayout(g);
        g_ptr_array_add(g->removed, w);
        gui_bury(g);
    }
}

struct gui_widget *gui_root(struct gui *g)
{
    return g->screen->first;
}

struct gui_widget *gui_top(const struct gui *g)
{
    struct gui_widget *w = g->screen->last;

    while (w->hidden || w->kind > TOP_MENU) {
        w = w->prev;
    }
    return w;
}

struct gui_widget *gui_top_of(struct gui_widget *w)
{
    while (w->parent && w->parent != w->gui->screen) {
        w = w->parent;
    }
    return w;
}

struct gui_widget *gui_next(struct gui_widget *w, const struct gui_widget *top)
{
    if (!w->hidden && w->first) {
        return w->first;
    }
    while (w != top && !w->next) {
        w = w->parent;
    }
    return w == top ? NULL : w->next;
}

bool gui_is_usable(const struct gui_widget *w)
{
    while (w && !w->hidden && !w->disabled) {
        w = w->parent;
    }
    return !w;
}

bool gui_is_focused(const struct gui_widget *w)
{
    return gui_top(w->gui)->focus == w;
}

bool gui_covers(const struct gui_widget *w)
{
    while (w && w->class->layout && !gui_style(w)->ground) {
        w = w->parent;
    }
    return w;
}

bool gui_is_modal(const struct gui *g)
{
    return gui_top(g)->kind != TOP_BASE;
}

bool gui_is_by_keys(const struct gui *g)
{
    return g->by_keys;
}

bool gui_wants_keys(const struct gui *g)
{
    return gui_top(g)->kind != TOP_BASE || gui_top(g)->focus;
}

/* ---- What all have ---- */

void gui_call(struct gui_widget *w, gui_fn *fn)
{
    if (fn && !w->removed) {
        fn(w, w->of);
    }
}

void gui_change(struct gui_widget *w, int value, bool by_user)
{
    int before = w->value;

    if (w->class->set) {
        w->class->set(w, value);
    } else {
        w->value = value;
    }
    if (w->value != before) {
        gui_damage(w);
        gui_call(w, by_user ? w->fn : NULL);
    }
}

void gui_set_value(struct gui_widget *w, int value)
{
    gui_change(w, value, false);
}

int gui_value(const struct gui_widget *w)
{
    return w->value;
}

/* Entries: at the end one goes on. */
void gui_set_text(struct gui_widget *w, const char *text)
{
    g_autofree char *clean = gui_clean(text);

    if (strcmp(clean, w->text) != 0) {
        gui_damage(w);
        g_free(w->text);
        w->text = g_steal_pointer(&clean);
        gui_relayout(w->gui);
    }
    w->caret = w->anchor = (int)strlen(w->text);
}

const char *gui_text(const struct gui_widget *w)
{
    return w->text;
}

static void set(struct gui_widget *w, int *field, int value)
{
    if (*field != value) {
        *field = value;
        gui_damage(w);
        gui_relayout(w->gui);
    }
}

void gui_set_icon(struct gui_widget *w, enum gui_icon icon)
{
    set(w, &w->icon, (int)icon);
}

void gui_set_mark(struct gui_widget *w, enum gui_mark mark)
{
    set(w, &w->mark, (int)mark);
}

void gui_set_light(struct gui_widget *w, enum gui_light light)
{
    if (w->light != light) {
        w->light = light;
        gui_damage(w); /* that is all: it blinks */
    }
}

void gui_set_look(struct gui_widget *w, enum gui_look look)
{
    set(w, &w->look, (int)look);
}

void gui_set_enabled(struct gui_widget *w, bool on)
{
    set(w, &w->disabled, !on);
}

void gui_show(struct gui_widget *w, bool on)
{
    set(w, &w->hidden, !on);
}

void gui_set_grow(struct gui_widget *w, bool on)
{
    set(w, &w->grow, on);
}

bool gui_is_shown(const struct gui_widget *w)
{
    return !w->hidden;
}

void gui_set_tip(struct gui_widget *w, const char *tip)
{
    if (g_strcmp0(tip, w->tip) != 0) {
        if (w->gui->tip_of == w) {
            gui_tip_hide(w->gui);
        }
        g_free(w->tip);
        w->tip = tip ? gui_clean(tip) : NULL;
    }
}

void gui_set_min(struct gui_widget *w, int width, int height)
{
    w->min_w = CLAMP(width, 0, 8192);
    w->min_h = CLAMP(height, 0, 8192);
    gui_relayout(w->gui);
}

void gui_set_spacing(struct gui_widget *w, int spacing, int pad)
{
    w->spacing = spacing;
    w->pad = pad;
    gui_relayout(w->gui);
}

struct gui_rect gui_where(struct gui_widget *w)
{
    double s = w->gui->scale;

    gui_layout(w->gui);
    return (struct gui_rect){(int)floor(w->r.x * s), (int)floor(w->r.y * s), (int)ceil(w->r.w * s),
                             (int)ceil(w->r.h * s)};
}

void gui_on_activate(struct gui_widget *w, gui_fn *fn)
{
    w->activate = fn;
}

void gui_on_menu(struct gui_widget *w, gui_fn *fn)
{
    w->menu = fn;
}

void gui_on_key(struct gui_widget *w,
                bool (*fn)(struct gui_widget *w, const struct gui_event *ev, void *of))
{
    w->on_key = fn;
}

void gui_own(struct gui_widget *w, void *data, GDestroyNotify data_free)
{
    w->data = data;
    w->data_free = data_free;
}
