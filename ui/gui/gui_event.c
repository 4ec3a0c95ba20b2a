/*
 * Events: whose they are, the keyboard, tips that come when the pointer rests.
 *
 * Space presses what has the keyboard, and Enter buttons and menu items; Tab and arrows go on to
 * the next; a marked letter, with Alt where text could be typed, presses its widget or leads to the
 * one after its label.  Esc in the window's own tree gives the keyboard back.
 */
#include "ui/gui/gui_int.h"
#include <math.h>

enum { TIP_DELAY = 600 }; /* ms */

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

/* To `w`, else to what is around it. */
static bool send_up(struct gui_widget *w, const struct gui_event *ev)
{
    for (; w && !w->removed; w = w->parent) {
        if (w->class->event && gui_is_usable(w) && w->class->event(w, ev)) {
            return true;
        }
    }
    return false;
}

static bool click(struct gui_widget *w)
{
    bool can = w->class->click && !w->removed && gui_is_usable(w);

    if (can) {
        w->class->click(w);
    }
    return can;
}

/* ---- Who has the keyboard ---- */

void gui_focus(struct gui_widget *w)
{
    struct gui_widget *top = gui_top_of(w);

    if (w->removed || top->focus == w || !(w->class->flags & CAN_FOCUS)) {
        return;
    }
    if (top->focus) {
        gui_damage(top->focus);
    }
    top->focus = w;
    if (w->class->flags & EDITS) { /* typing begins anew; a click puts the caret somewhere */
        w->anchor = 0;
        w->caret = (int)strlen(w->text);
    }
    gui_layout(w->gui);
    gui_scroll_to(w);
    gui_damage(w);
}

bool gui_focus_next(struct gui_widget *top, int step)
{
    struct gui_widget *first = NULL, *last = NULL, *before = NULL, *after = NULL, *to;
    bool passed = false;

    for (struct gui_widget *w = top; w; w = gui_next(w, top)) {
        if (w == top->focus) {
            before = last;
            passed = true;
        } else if ((w->class->flags & CAN_FOCUS) && gui_is_usable(w)) {
            first = first ? first : w;
            after = passed && !after ? w : after;
            last = w;
        }
    }
    to = step > 0 ? (after ? after : first) : (before ? before : last);
    if (to) {
        gui_focus(to);
    }
    return to;
}

void gui_drop_keys(struct gui *g)
{
    gui_close_menus(g);
    if (gui_root(g)->focus) {
        gui_damage(gui_root(g)->focus);
        gui_root(g)->focus = NULL;
    }
}

/* ---- The pointer ---- */

/* The deepest widget at a place. */
static struct gui_widget *widget_at(struct gui_widget *w, int x, int y)
{
    struct gui_widget *hit = NULL;

    if (w->hidden || !gui_rect_has(&w->r, x, y)) {
        return NULL;
    }
    for (struct gui_widget *c = w->last; c && !hit; c = c->prev) {
        hit = widget_at(c, x, y);
    }
    return hit ? hit : w;
}

/* What of the toolkit is there: nothing below a dialog can be reached. */
static struct gui_widget *pointed_at(struct gui *g, int x, int y)
{
    struct gui_widget *hit = NULL;

    for (struct gui_widget *top = g->screen->last; top && !hit; top = top->prev) {
        hit = widget_at(top, x, y);
        if (top->kind == TOP_DIALOG) {
            break;
        }
    }
    return hit && gui_covers(hit) ? hit : NULL;
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
        if (w->tip) {
            g->tip_at = g->now + TIP_DELAY;
            gui_wake(g);
        }
        if (w->class == &gui_menu_item_class && gui_top_of(w) == gui_top(g) && gui_is_usable(w)) {
            gui_focus(w);
        }
    }
}

static bool on_press(struct gui *g, const struct gui_event *ev)
{
    struct gui_widget *w = pointed_at(g, ev->x, ev->y), *top = w ? gui_top_of(w) : NULL;

    gui_tip_hide(g);
    if (gui_top(g)->kind == TOP_MENU && (!top || top->kind != TOP_MENU)) {
        gui_close_menus(g);
        return true;
    }
    if (!w) {
        return gui_is_modal(g);
    }
    while (top->kind == TOP_MENU && gui_top(g) != top) {
        gui_show(gui_top(g), false); /* it belongs to another item */
    }
    g->active = ev->button == GUI_BUTTON_LEFT ? w : g->active;
    gui_damage(w);
    for (struct gui_widget *p = w; p; p = p->parent) {
        if ((p->class->flags & CLICK_FOCUSES) && gui_is_usable(p)) {
            gui_focus(p);
        }
    }
    send_up(w, ev);
    for (struct gui_widget *p = w; p && ev->button == GUI_BUTTON_RIGHT; p = p->parent) {
        if (p->menu && gui_is_usable(p)) {
            gui_call(p, p->menu);
            break;
        }
    }
    return true;
}

/* A click is let go where it was pressed, or dragged to: into a menu that it opened. */
static bool on_release(struct gui *g, const struct gui_event *ev)
{
    struct gui_widget *w = pointed_at(g, ev->x, ev->y), *was = g->active;
    bool mine = w || was || gui_is_modal(g);

    if (was && ev->button == GUI_BUTTON_LEFT) {
        g->active = NULL;
        gui_damage(was);
        send_up(was, ev);
    }
    if (w && !w->removed &&
        ((w == was && ev->button == GUI_BUTTON_LEFT) ||
         (w == g->hover && w->class == &gui_menu_item_class))) {
        click(w);
    }
    hover_to(g, pointed_at(g, ev->x, ev->y));
    return mine;
}

static bool on_motion(struct gui *g, const struct gui_event *ev)
{
    struct gui_widget *w = ev->kind == GUI_LEAVE ? NULL : pointed_at(g, ev->x, ev->y);

    if (g->active && g->active->class->event) {
        g->active->class->event(g->active, ev);
    }
    hover_to(g, w);
    return g->active || w || gui_is_modal(g);
}

/* ---- Keys ---- */

static bool mnemonic(struct gui_widget *top, uint32_t sym)
{
    bool field = false;

    for (struct gui_widget *w = top; w; w = gui_next(w, top)) {
        bool can = w->class->flags & CAN_FOCUS;

        if (!gui_is_usable(w)) {
            continue;
        }
        if (can && field) {
            gui_focus(w);
            return true;
        }
        if ((w->class->flags & HAS_MARKS) && gui_mnemonic(w->text) == sym) {
            field = !can; /* a label: it leads to what comes next */
            if (can) {
                gui_focus(w);
                return click(w);
            }
        }
    }
    return false;
}

/* What nobody has taken. */
static bool on_key_left(struct gui *g, const struct gui_event *ev)
{
    struct gui_widget *top = gui_top(g), *w = top->focus;
    bool forward = ev->key == KEY_RIGHT || ev->key == KEY_DOWN;
    bool first = ev->key == KEY_HOME || ev->key == KEY_END;
    /* On a button nothing is typed: the letter alone will do. */
    bool letters =
        top->kind == TOP_MENU || (top->kind == TOP_DIALOG && w && w->class->flags & HAS_MARKS);

    if (ev->key == KEY_TAB && !(ev->mods & ~GUI_SHIFT)) {
        return gui_focus_next(top, ev->mods & GUI_SHIFT ? -1 : 1);
    }
    if (ev->sym && (ev->mods == GUI_ALT || (letters && !(ev->mods & GUI_CTRL)))) {
        return mnemonic(top, ev->sym);
    }
    if (ev->mods || (!w && top->kind != TOP_MENU)) {
        return false;
    }
    if (first) {
        top->focus = NULL;
        return gui_focus_next(top, ev->key == KEY_HOME ? 1 : -1);
    }
    if (forward || ev->key == KEY_LEFT || ev->key == KEY_UP) {
        return gui_focus_next(top, forward ? 1 : -1);
    }
    if (ev->key == KEY_ESC && top->kind == TOP_BASE && !(w->class->flags & CLICK_FOCUSES)) {
        gui_drop_keys(g);
    }
    return true;
}

static bool presses(const struct gui_widget *w, const struct gui_event *ev)
{
    return gui_is_key(ev, KEY_SPACE, 0) || (w->class->flags & ENTER_CLICKS && gui_is_enter(ev));
}

static bool on_key(struct gui *g, const struct gui_event *ev)
{
    struct gui_widget *w = gui_top(g)->focus, *to = w ? w : gui_top(g);
    bool key = ev->kind == GUI_KEY,
         menu = ev->key == KEY_MENU || gui_is_key(ev, KEY_F10, GUI_SHIFT);

    if (!gui_wants_keys(g)) {
        return false;
    }
    if (!g->by_keys && key) {
        g->by_keys = true; /* letters get their lines, and who has the keyboard its ring */
        gui_damage_all(g);
    }
    gui_tip_hide(g);
    if ((w && w->on_key && w->on_key(w, ev, w->of)) || to->removed) {
        return true;
    }
    if (w && key && menu && w->menu) {
        gui_call(w, w->menu);
    } else if (!(w && presses(w, ev) && click(w)) && !send_up(to, ev) && key) {
        on_key_left(g, ev);
    }
    w = gui_top(g)->focus;
    if (w && key && !gui_is_modal(g)) {
        gui_layout(g);
        gui_tip_show(w);
    }
    return true;
}

/* ---- From the host ---- */

static bool dispatch(struct gui *g, const struct gui_event *ev)
{
    struct gui_widget *w;

    switch (ev->kind) {
    case GUI_PRESS:
        if (g->by_keys) {
            g->by_keys = false;
            gui_damage_all(g);
        }
        return on_press(g, ev);
    case GUI_RELEASE:
        return on_release(g, ev);
    case GUI_MOTION:
    case GUI_LEAVE:
        return on_motion(g, ev);
    case GUI_WHEEL:
        w = pointed_at(g, ev->x, ev->y);
        send_up(w, ev);
        return w || gui_is_modal(g);
    case GUI_KEY:
    case GUI_TEXT:
        return on_key(g, ev);
    default:
        return false;
    }
}

bool gui_event(struct gui *g, const struct gui_event *ev)
{
    g_autofree char *text = ev->kind == GUI_TEXT ? gui_clean(ev->text) : NULL;
    struct gui_event in_units = *ev;
    bool taken;

    gui_layout(g);
    g->now = MAX(g->now, ev->time);
    in_units.x = (int)floor(CLAMP(ev->x, -65536, 65536) / g->scale);
    in_units.y = (int)floor(CLAMP(ev->y, -65536, 65536) / g->scale);
    in_units.dy = CLAMP(ev->dy, -100, 100);
    in_units.text = text;
    g->busy++;
    taken = dispatch(g, &in_units);
    g->busy--;
    gui_bury(g);
    return taken;
}

/* Whether it is time; else *next is no later. */
static bool is_due(int64_t at, int64_t now, int64_t *next)
{
    if (at > now) {
        *next = MIN(*next, at);
    }
    return at && at <= now;
}

int gui_tick(struct gui *g, int64_t now)
{
    int64_t next = INT64_MAX;

    g->busy++;
    g->now = now;
    for (struct gui_widget *w = g->screen->first, *after; w; w = after) {
        after = w->next;
        if (w->kind == TOP_TOAST && !w->until) {
            w->until = now + w->value;
        }
        if (is_due(w->until, now, &next)) {
            gui_remove(w);
        }
    }
    if (is_due(g->tip_at, now, &next)) {
        g->tip_at = 0;
        if (g->hover) {
            gui_tip_show(g->hover);
        }
    }
    g->busy--;
    gui_bury(g);
    return next == INT64_MAX ? -1 : (int)MIN(next - now, 60000);
}
