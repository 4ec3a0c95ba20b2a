/*
 * The toolkit's core: the tree, layers over it, the keyboard, events, painting of what changed.
 *
 * Layers lie one over the other: the window's own tree, dialogs, menus.  The top one has the
 * keyboard.  Painting clips to the damaged rectangles and goes down the tree only where it meets
 * them, so a light that changes costs its widget and nothing else.
 *
 * A widget that is removed is freed when the event that did it is over, so callbacks may remove
 * whatever they like.
 */
#include "ui/gui/gui_int.h"
#include <math.h>

enum { TIP_DELAY = 600 }; /* ms */

/* ---- The tree ---- */

static struct gui_widget *widget_new(struct gui *g, const struct gui_class *class, const char *text)
{
    struct gui_widget *w = g_new0(struct gui_widget, 1);

    w->gui = g;
    w->class = class;
    w->text = gui_clean(text);
    return w;
}

struct gui_widget *gui_make(struct gui *g, struct gui_widget *box, const struct gui_class *class,
                            const char *text, gui_fn *fn, void *of)
{
    struct gui_widget *w = widget_new(g, class, text);

    w->fn = fn;
    w->of = of;
    w->parent = box;
    w->prev = box->last;
    *(box->last ? &box->last->next : &box->first) = w;
    box->last = w;
    gui_relayout(g);
    return w;
}

struct gui_widget *gui_new_top(struct gui *g, const struct gui_class *class)
{
    return widget_new(g, class, NULL);
}

static void widget_free(struct gui_widget *w)
{
    for (struct gui_widget *c = w->first, *next; c; c = next) {
        next = c->next;
        widget_free(c);
    }
    if (w->class->free) {
        w->class->free(w);
    }
    if (w->data_free) {
        w->data_free(w->data);
    }
    g_free(w->text);
    g_free(w->tip);
    g_free(w);
}

/* Nothing may point at it, or into it, any more. */
static void forget(struct gui *g, struct gui_widget *w)
{
    struct gui_widget **holders[] = {&g->hover, &g->active, &g->tip};

    w->removed = true;
    for (unsigned i = 0; i < ARRAY_LEN(holders); i++) {
        *holders[i] = *holders[i] == w ? NULL : *holders[i];
    }
    for (unsigned i = 0; i < g->layer_count; i++) {
        g->layers[i].focus = g->layers[i].focus == w ? NULL : g->layers[i].focus;
    }
    for (struct gui_widget *c = w->first; c; c = c->next) {
        forget(g, c);
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

    if (w->removed) {
        return;
    }
    if (w->parent) {
        gui_close_popups(g); /* one may be its own */
    }
    gui_damage(w);
    forget(g, w);
    if (w->parent) {
        *(w->prev ? &w->prev->next : &w->parent->first) = w->next;
        *(w->next ? &w->next->prev : &w->parent->last) = w->prev;
    }
    w->parent = NULL;
    gui_relayout(g);
    g_ptr_array_add(g->removed, w);
    gui_bury(g);
}

struct gui_widget *gui_root(struct gui *g)
{
    return g->layers[0].top;
}

/* ---- Damage and layout ---- */

static void wake(struct gui *g)
{
    if (!g->woken && g->host.wake) {
        g->woken = true;
        g->host.wake(g->host.of);
    }
}

bool gui_add_rect(cairo_region_t *region, const struct gui *g, struct gui_rect r, int margin)
{
    double x0 = floor((r.x - margin) * g->scale), y0 = floor((r.y - margin) * g->scale);
    double x1 = ceil((r.x + r.w + margin) * g->scale), y1 = ceil((r.y + r.h + margin) * g->scale);
    cairo_rectangle_int_t dev;

    dev.x = (int)CLAMP(x0, 0, g->dev_w);
    dev.y = (int)CLAMP(y0, 0, g->dev_h);
    dev.width = (int)CLAMP(x1, 0, g->dev_w) - dev.x;
    dev.height = (int)CLAMP(y1, 0, g->dev_h) - dev.y;
    if (dev.width <= 0 || dev.height <= 0) {
        return false;
    }
    cairo_region_union_rectangle(region, &dev);
    return true;
}

void gui_damage_rect(struct gui *g, struct gui_rect r, int margin)
{
    if (gui_add_rect(g->damage, g, r, margin)) {
        wake(g);
    }
}

struct gui_rect gui_cut(struct gui_rect a, struct gui_rect b)
{
    int x = MAX(a.x, b.x), y = MAX(a.y, b.y);

    return (struct gui_rect){x, y, MAX(MIN(a.x + a.w, b.x + b.w) - x, 0),
                             MAX(MIN(a.y + a.h, b.y + b.h) - y, 0)};
}

/* With the ring of who has the keyboard. */
void gui_damage(struct gui_widget *w)
{
    struct gui_rect r = {w->r.x - 4, w->r.y - 4, w->r.w + 8, w->r.h + 8};

    for (struct gui_widget *p = w->parent; p; p = p->parent) {
        if (p->scroll) {
            r = gui_cut(r, p->r);
        }
    }
    gui_damage_rect(w->gui, r, w->parent ? 0 : GUI_SHADOW);
}

void gui_relayout(struct gui *g)
{
    g->relayout = true;
    wake(g);
}

struct gui_rect gui_whole(const struct gui *g)
{
    return (struct gui_rect){0, 0, g->w, g->h};
}

/* Toasts stand below one another at the top, where no dialog has its buttons. */
static void toasts_place(struct gui *g)
{
    int y = 2 * GUI_GAP;

    for (unsigned i = 0; i < GUI_TOASTS; i++) {
        if (g->toasts[i]) {
            struct gui_size s = gui_measure(g->toasts[i], MAX(MIN(g->w - 32, 560), 1));

            gui_place(g->toasts[i], (struct gui_rect){(g->w - s.w) / 2, y, s.w, s.h});
            y += s.h + GUI_GAP;
        }
    }
}

void gui_layout(struct gui *g)
{
    if (!g->relayout) {
        return;
    }
    g->relayout = false;
    gui_place(g->layers[0].top, gui_whole(g));
    for (unsigned i = 1; i < g->layer_count; i++) {
        g->layers[i].top->class->layout(g->layers[i].top); /* finds its own place */
    }
    toasts_place(g);
}

/* ---- Layers and the keyboard ---- */

struct gui_layer *gui_top(struct gui *g)
{
    return &g->layers[g->layer_count - 1];
}

struct gui_widget *gui_top_of(struct gui_widget *w)
{
    while (w->parent) {
        w = w->parent;
    }
    return w;
}

struct gui_layer *gui_layer_of(struct gui_widget *w)
{
    const struct gui_widget *top = gui_top_of(w);

    for (unsigned i = 0; i < w->gui->layer_count; i++) {
        if (w->gui->layers[i].top == top) {
            return &w->gui->layers[i];
        }
    }
    return NULL;
}

/* Who has the keyboard shows it only while its layer is the top one. */
static void damage_focus(struct gui *g)
{
    if (gui_top(g)->focus) {
        gui_damage(gui_top(g)->focus);
    }
}

bool gui_open(struct gui *g, struct gui_widget *top, enum gui_layer_kind kind)
{
    if (g->layer_count == GUI_LAYERS) {
        return false;
    }
    damage_focus(g);
    g->layers[g->layer_count++] = (struct gui_layer){.top = top, .kind = kind};
    g->active = g->hover = g->tip = NULL;
    gui_relayout(g);
    if (kind == LAYER_DIALOG) {
        gui_damage_rect(g, gui_whole(g), 0); /* what is below is dimmed */
    }
    return true;
}

void gui_close(struct gui_widget *top)
{
    struct gui *g = top->gui;
    struct gui_layer *layer = gui_layer_of(top);

    if (layer && layer != g->layers) {
        if (layer->kind == LAYER_DIALOG) {
            gui_close_popups(g);
            gui_damage_rect(g, gui_whole(g), 0);
        }
        memmove(layer, layer + 1, (size_t)(g->layers + g->layer_count - layer - 1) * sizeof *layer);
        g->layer_count--;
        damage_focus(g);
    }
    gui_remove(top);
}

void gui_close_popups(struct gui *g)
{
    while (gui_top(g)->kind == LAYER_POPUP) {
        gui_close(gui_top(g)->top);
    }
}

static bool is_usable(const struct gui_widget *w)
{
    for (; w; w = w->parent) {
        if (w->hidden || w->disabled) {
            return false;
        }
    }
    return true;
}

bool gui_is_focused(const struct gui_widget *w)
{
    return gui_top(w->gui)->focus == w;
}

bool gui_is_hovered(const struct gui_widget *w)
{
    return w->gui->hover == w && (!w->gui->active || w->gui->active == w);
}

void gui_focus(struct gui_widget *w)
{
    struct gui_layer *layer = gui_layer_of(w);

    if (!layer || layer->focus == w || !w->class->focusable) {
        return;
    }
    if (layer->focus) {
        gui_damage(layer->focus);
    }
    layer->focus = w;
    gui_layout(w->gui);
    gui_scroll_to(w);
    gui_damage(w);
}

/* The next widget in the order of the tree below `top`; not into those that are hidden. */
static struct gui_widget *tree_next(struct gui_widget *w, struct gui_widget *top)
{
    if (!w->hidden && w->first) {
        return w->first;
    }
    while (w != top && !w->next) {
        w = w->parent;
    }
    return w == top ? NULL : w->next;
}

static GPtrArray *focus_order(struct gui_widget *top)
{
    GPtrArray *all = g_ptr_array_new();

    for (struct gui_widget *w = top; w; w = tree_next(w, top)) {
        if (w->class->focusable && is_usable(w)) {
            g_ptr_array_add(all, w);
        }
    }
    return all;
}

struct gui_widget *gui_first_focusable(struct gui_widget *top)
{
    g_autoptr(GPtrArray) all = focus_order(top);

    return all->len ? g_ptr_array_index(all, 0) : NULL;
}

static bool focus_next(struct gui *g, int step)
{
    const struct gui_widget *from = gui_top(g)->focus;
    g_autoptr(GPtrArray) all = focus_order(gui_top(g)->top);
    guint at = 0;

    if (!all->len) {
        return false;
    }
    if (from && g_ptr_array_find(all, from, &at)) {
        at = (at + all->len + (guint)step) % all->len;
    } else {
        at = step < 0 ? all->len - 1 : 0;
    }
    gui_focus(g_ptr_array_index(all, at));
    return true;
}

bool gui_wants_keys(const struct gui *g)
{
    return g->layer_count > 1 || g->layers[0].focus;
}

bool gui_is_modal(const struct gui *g)
{
    return g->layer_count > 1;
}

void gui_drop_keys(struct gui *g)
{
    gui_close_popups(g);
    if (g->layers[0].focus) {
        gui_damage(g->layers[0].focus);
        g->layers[0].focus = NULL;
    }
}

void gui_call(struct gui_widget *w, gui_fn *fn)
{
    if (fn) {
        fn(w, w->of);
    }
}

/* ---- Events ---- */

bool gui_is_key(const struct gui_event *ev, unsigned key, unsigned mods)
{
    return ev->kind == GUI_KEY && ev->key == key && ev->mods == mods;
}

bool gui_is_enter(const struct gui_event *ev)
{
    return gui_is_key(ev, KEY_ENTER, 0) || gui_is_key(ev, KEY_PAD_ENTER, 0);
}

bool gui_rect_has(const struct gui_rect *r, int x, int y)
{
    return x >= r->x && y >= r->y && x < r->x + r->w && y < r->y + r->h;
}

/* The deepest widget at a place. */
static struct gui_widget *widget_at(struct gui_widget *w, int x, int y)
{
    if (w->hidden || !gui_rect_has(&w->r, x, y)) {
        return NULL;
    }
    for (struct gui_widget *c = w->last; c; c = c->prev) {
        struct gui_widget *hit = widget_at(c, x, y);

        if (hit) {
            return hit;
        }
    }
    return w;
}

static struct gui_widget *pointed_at(struct gui *g, int x, int y)
{
    struct gui_widget *hit = NULL;

    for (unsigned i = GUI_TOASTS; i-- > 0 && !hit;) {
        hit = g->toasts[i] ? widget_at(g->toasts[i], x, y) : NULL;
    }
    for (unsigned i = g->layer_count; i-- > 0 && !hit;) {
        hit = widget_at(g->layers[i].top, x, y);
        if (g->layers[i].kind != LAYER_POPUP) {
            break; /* nothing below a dialog can be reached */
        }
    }
    return hit;
}

static bool send(struct gui_widget *w, const struct gui_event *ev)
{
    return w->class->event && is_usable(w) && w->class->event(w, ev);
}

/* To `w`, else to what is around it. */
static bool send_up(struct gui_widget *w, const struct gui_event *ev)
{
    while (w && !w->removed) {
        struct gui_widget *up = w->parent;

        if (send(w, ev)) {
            return true;
        }
        w = up;
    }
    return false;
}

void gui_tip_hide(struct gui *g)
{
    if (g->tip) {
        gui_damage_rect(g, g->tip_rect, 2);
    }
    g->tip = NULL;
    g->tip_at = 0;
}

static void tip_show(struct gui *g, struct gui_widget *w)
{
    struct gui_size s;
    int x, y;

    gui_tip_hide(g);
    if (!w || !w->tip || gui_layer_of(w) != gui_top(g)) {
        return; /* a menu may have opened over it meanwhile */
    }
    s = gui_text_size(g, F_SMALL, w->tip, MAX(MIN(g->w - 32, 480), 1), 0);
    x = CLAMP(w->r.x + w->r.w / 2 - s.w / 2 - 8, 4, MAX(g->w - s.w - 20, 4));
    y = w->r.y + w->r.h + 6;
    if (y + s.h + 10 > g->h) {
        y = MAX(w->r.y - s.h - 16, 0);
    }
    g->tip = w;
    g->tip_rect = (struct gui_rect){x, y, s.w + 16, s.h + 10};
    gui_damage_rect(g, g->tip_rect, 2);
}

static void hover_to(struct gui *g, struct gui_widget *w)
{
    if (g->hover == w) {
        return;
    }
    gui_tip_hide(g);
    if (g->hover) {
        gui_damage(g->hover);
    }
    g->hover = w;
    if (w) {
        gui_damage(w);
        g->tip_at = w->tip ? g->now + TIP_DELAY : 0;
        if (g->tip_at) {
            wake(g);
        }
    }
}

/* Only where the toolkit shows something is a click its own. */
bool gui_covers(const struct gui_widget *w)
{
    for (; w; w = w->parent) {
        if (w->look == GUI_WINDOW || w->look == GUI_BAR || w->look == GUI_PANEL ||
            (w->class->paint && w->class != &gui_box_class)) {
            return true;
        }
    }
    return false;
}

static bool on_press(struct gui *g, const struct gui_event *ev)
{
    struct gui_widget *w = pointed_at(g, ev->x, ev->y);
    bool modal = gui_is_modal(g);

    gui_tip_hide(g);
    if (gui_top(g)->kind == LAYER_POPUP) {
        const struct gui_layer *layer = w ? gui_layer_of(w) : NULL;

        if (!layer || layer->kind != LAYER_POPUP) {
            gui_close_popups(g);
            return true;
        }
    }
    if (!w) {
        return modal;
    }
    if (ev->button == GUI_BUTTON_LEFT) {
        g->active = w;
    }
    if (w->class->clicks_focus && is_usable(w)) {
        gui_focus(w);
    }
    gui_damage(w);
    send_up(w, ev);
    return modal || gui_covers(w);
}

static bool on_release(struct gui *g, const struct gui_event *ev)
{
    struct gui_widget *w = g->active ? g->active : pointed_at(g, ev->x, ev->y);
    bool mine = g->active || gui_is_modal(g);

    if (!w) {
        return mine;
    }
    gui_damage(w);
    if (ev->button == GUI_BUTTON_LEFT) {
        g->active = NULL;
    }
    send_up(w, ev);
    if (!w->removed) {
        hover_to(g, pointed_at(g, ev->x, ev->y));
    }
    return mine || gui_covers(w);
}

static bool on_motion(struct gui *g, const struct gui_event *ev)
{
    struct gui_widget *w = ev->kind == GUI_LEAVE ? NULL : pointed_at(g, ev->x, ev->y);

    g->mouse_x = ev->x;
    g->mouse_y = ev->y;
    if (g->active) {
        send(g->active, ev);
        return true;
    }
    hover_to(g, w);
    if (!w) {
        return gui_is_modal(g);
    }
    send_up(w, ev);
    return gui_is_modal(g) || gui_covers(w);
}

static bool mnemonic(struct gui *g, uint32_t sym)
{
    struct gui_widget *top = gui_top(g)->top;
    bool field = false;

    for (struct gui_widget *w = top; w; w = tree_next(w, top)) {
        bool marked = w->class->marks && gui_mnemonic(w->text) == sym;

        if (!is_usable(w)) {
            continue;
        }
        if (field && w->class->focusable) {
            gui_focus(w);
            return true;
        }
        if (marked && !w->class->focusable) {
            field = true; /* a label: it leads to what comes next */
        } else if (marked) {
            gui_focus(w);
            return w->class->event(w, &(struct gui_event){.kind = GUI_KEY, .key = KEY_SPACE});
        }
    }
    return false;
}

/* What nobody has taken. */
static bool on_key_left(struct gui *g, const struct gui_event *ev)
{
    struct gui_layer *top = gui_top(g);
    bool forward = ev->key == KEY_RIGHT || ev->key == KEY_DOWN;
    /* In a dialog's buttons nothing is typed: the letter alone will do. */
    bool letters = !ev->mods && top->kind == LAYER_DIALOG && top->focus && top->focus->class->marks;

    if (ev->key == KEY_TAB && !(ev->mods & ~GUI_SHIFT)) {
        return focus_next(g, ev->mods & GUI_SHIFT ? -1 : 1);
    }
    if (ev->sym && (ev->mods == GUI_ALT || letters)) {
        return mnemonic(g, ev->sym);
    }
    if (!ev->mods && top->focus && (forward || ev->key == KEY_LEFT || ev->key == KEY_UP)) {
        return focus_next(g, forward ? 1 : -1);
    }
    if (gui_is_key(ev, KEY_ESC, 0) && top->kind == LAYER_BASE && top->focus &&
        !top->focus->class->clicks_focus) {
        gui_drop_keys(g);
        return true;
    }
    return false;
}

static bool on_key(struct gui *g, const struct gui_event *ev)
{
    struct gui_widget *w = gui_top(g)->focus;
    bool mine = gui_wants_keys(g), menu = ev->key == KEY_MENU || gui_is_key(ev, KEY_F10, GUI_SHIFT);

    if (!mine) {
        return false;
    }
    if (!g->by_keys && ev->kind == GUI_KEY) {
        g->by_keys = true; /* letters get their lines, and who has the keyboard its ring */
        gui_damage_rect(g, gui_whole(g), 0);
    }
    gui_tip_hide(g);
    if (w && w->on_key && w->on_key(w, ev, w->of)) {
        return true;
    }
    if (w && !w->removed && ev->kind == GUI_KEY && menu && w->menu) {
        gui_call(w, w->menu);
        return true;
    }
    if (!send_up(w && !w->removed ? w : gui_top(g)->top, ev) && ev->kind == GUI_KEY) {
        on_key_left(g, ev);
    }
    w = gui_top(g)->focus;
    if (w && w->tip && ev->kind == GUI_KEY && gui_top(g)->kind == LAYER_BASE) {
        gui_layout(g);
        tip_show(g, w);
    }
    return true;
}

static bool dispatch(struct gui *g, const struct gui_event *ev)
{
    struct gui_widget *w;

    switch (ev->kind) {
    case GUI_PRESS:
        if (g->by_keys) {
            g->by_keys = false;
            gui_damage_rect(g, gui_whole(g), 0);
        }
        return on_press(g, ev);
    case GUI_RELEASE:
        return on_release(g, ev);
    case GUI_MOTION:
    case GUI_LEAVE:
        return on_motion(g, ev);
    case GUI_WHEEL:
        w = pointed_at(g, ev->x, ev->y);
        return (w && (send_up(w, ev) || gui_covers(w))) || gui_is_modal(g);
    case GUI_KEY:
    case GUI_TEXT:
        return on_key(g, ev);
    default:
        return false;
    }
}

bool gui_event(struct gui *g, const struct gui_event *ev)
{
    struct gui_event in_units = *ev;
    bool taken;

    gui_layout(g);
    g->now = MAX(g->now, ev->time);
    in_units.x = (int)floor(CLAMP(ev->x, -65536, 65536) / g->scale);
    in_units.y = (int)floor(CLAMP(ev->y, -65536, 65536) / g->scale);
    in_units.dy = CLAMP(ev->dy, -100, 100);
    g->busy++;
    taken = dispatch(g, &in_units);
    g->busy--;
    gui_bury(g);
    return taken;
}

int gui_tick(struct gui *g, int64_t now)
{
    int64_t next = -1;

    g->busy++;
    g->now = now;
    for (unsigned i = 0; i < GUI_TOASTS; i++) {
        if (g->toasts[i] && !g->toast_until[i]) {
            g->toast_until[i] = now + g->toasts[i]->value;
        }
        if (g->toasts[i] && g->toast_until[i] <= now) {
            struct gui_widget *old = g->toasts[i];

            g->toasts[i] = NULL;
            gui_remove(old);
        } else if (g->toasts[i]) {
            next = next < 0 ? g->toast_until[i] : MIN(next, g->toast_until[i]);
        }
    }
    if (g->tip_at && g->tip_at <= now) {
        tip_show(g, g->hover);
    } else if (g->tip_at) {
        next = next < 0 ? g->tip_at : MIN(next, g->tip_at);
    }
    g->busy--;
    gui_bury(g);
    return next < 0 ? -1 : (int)MIN(next - now, 60000);
}
