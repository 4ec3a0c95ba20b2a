/*
 * Menus: they open at a widget or a place, with one level below.
 *
 * Keys: Up, Down, Home, End; Enter, Space or the marked letter chooses; Right opens what is below;
 * Left and Esc go back.
 */
#include "ui/gui/gui_int.h"

enum { ROW = 28, LINE = 9, EDGE = 6, MARK = 28 };

struct menu {
    struct gui_menu_item *items;
    unsigned count;
    int at;     /* highlighted, or -1 */
    bool armed; /* the pointer has moved in it: a release chooses */
    bool marks; /* any has a mark or an icon */
    void (*fn)(void *of, int id);
    void *of;
    struct gui_widget *above; /* the menu this one belongs to, or NULL */
    struct gui_rect anchor;
    bool beside; /* the anchor, not below it */
};

static struct gui_menu_item *items_copy(const struct gui_menu_item *items, unsigned count)
{
    struct gui_menu_item *copy = g_new0(struct gui_menu_item, (gsize)count + 1);

    for (unsigned i = 0; i < count; i++) {
        copy[i] = items[i];
        copy[i].text = items[i].text ? gui_clean(items[i].text) : NULL;
        copy[i].keys = items[i].keys ? gui_clean(items[i].keys) : NULL;
        copy[i].sub = items[i].sub ? items_copy(items[i].sub, items[i].sub_count) : NULL;
    }
    return copy;
}

static void items_free(struct gui_menu_item *items, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        g_free((char *)items[i].text);
        g_free((char *)items[i].keys);
        if (items[i].sub) {
            items_free((struct gui_menu_item *)items[i].sub, items[i].sub_count);
        }
    }
    g_free(items);
}

static bool can_choose(const struct menu *m, int at)
{
    return at >= 0 && at < (int)m->count && m->items[at].text && !m->items[at].disabled;
}

static struct gui_size menu_measure(struct gui_widget *w, int width)
{
    struct menu *m = w->own;
    int text = 60, keys = 0, h = 2 * EDGE;

    (void)width;
    for (unsigned i = 0; i < m->count; i++) {
        const struct gui_menu_item *it = &m->items[i];

        h += it->text ? ROW : LINE;
        if (it->text) {
            text = MAX(text, gui_text_size(w->gui, F_TEXT, it->text, 0, T_MNEMONIC).w);
            keys = MAX(keys, it->keys  ? gui_text_size(w->gui, F_SMALL, it->keys, 0, 0).w + 24
                             : it->sub ? 24
                                       : 0);
        }
    }
    return (struct gui_size){(m->marks ? MARK : 4) + text + keys + 2 * EDGE + 16, h};
}

/* Below its anchor (or beside), above where there is no room, and always inside. */
static void menu_layout(struct gui_widget *w)
{
    struct menu *m = w->own;
    struct gui *g = w->gui;
    struct gui_size s = menu_measure(w, 0);
    struct gui_rect r = {m->anchor.x, m->anchor.y + m->anchor.h + 4, MIN(s.w, g->w),
                         MIN(s.h, g->h)};

    w->content = s.h;
    r.w = MIN(MAX(r.w, m->beside ? 0 : MIN(m->anchor.w, 400)), g->w);
    if (m->beside) {
        r.x = m->anchor.x + m->anchor.w - 4;
        r.y = m->anchor.y - EDGE;
        if (r.x + r.w > g->w) {
            r.x = m->anchor.x - r.w + 4;
        }
    } else if (r.y + r.h > g->h && m->anchor.y - 4 - r.h >= 0) {
        r.y = m->anchor.y - 4 - r.h;
    }
    r.x = CLAMP(r.x, 0, g->w - r.w);
    r.y = CLAMP(r.y, 0, g->h - r.h);
    w->offset = CLAMP(w->offset, 0, MAX(w->content - r.h, 0));
    gui_move(w, r);
}

static struct gui_rect item_rect(const struct gui_widget *w, int at)
{
    const struct menu *m = w->own;
    struct gui_rect r = {w->r.x + EDGE, w->r.y + EDGE - w->offset, w->r.w - 2 * EDGE, 0};

    for (int i = 0; i <= at; i++) {
        r.y += r.h;
        r.h = m->items[i].text ? ROW : LINE;
    }
    return r;
}

static int item_at(struct gui_widget *w, int x, int y)
{
    struct menu *m = w->own;

    for (int i = 0; i < (int)m->count; i++) {
        struct gui_rect r = item_rect(w, i);

        if (gui_rect_has(&r, x, y)) {
            return can_choose(m, i) ? i : -1;
        }
    }
    return -1;
}

static void highlight(struct gui_widget *w, int at)
{
    struct menu *m = w->own;

    if (at != m->at) {
        m->at = at;
        gui_damage(w);
    }
    if (at >= 0) {
        gui_scroll_into(w, item_rect(w, at), EDGE);
    }
}

static void menu_open(struct gui *g, const struct menu *like, const struct gui_menu_item *items,
                      unsigned count);

static void choose(struct gui_widget *w, int at)
{
    struct menu *m = w->own;
    struct gui *g = w->gui;
    const struct gui_menu_item *it = &m->items[at];
    void (*fn)(void *of, int id) = m->fn;
    void *of = m->of;
    int id = it->id;

    if (it->sub) {
        struct menu sub = {.fn = fn, .of = of, .above = w, .beside = true};

        sub.anchor = item_rect(w, at);
        menu_open(g, &sub, it->sub, it->sub_count);
        return;
    }
    gui_close_popups(g);
    if (gui_top(g)->kind == LAYER_BASE && gui_top(g)->focus &&
        !gui_top(g)->focus->class->clicks_focus) {
        gui_drop_keys(g); /* a status bar's menu is done: back to the guest */
    }
    if (fn) {
        fn(of, id);
    }
}

static void move(struct gui_widget *w, int from, int step)
{
    struct menu *m = w->own;

    for (unsigned i = 0; i < m->count; i++) {
        from = (from + step + (int)m->count) % (int)m->count;
        if (can_choose(m, from)) {
            highlight(w, from);
            return;
        }
    }
}

static bool menu_letter(struct gui_widget *w, uint32_t sym)
{
    struct menu *m = w->own;

    for (int i = 0; i < (int)m->count; i++) {
        if (can_choose(m, i) && gui_mnemonic(m->items[i].text) == sym) {
            highlight(w, i);
            choose(w, i);
            return true;
        }
    }
    return false;
}

static bool menu_key(struct gui_widget *w, const struct gui_event *ev)
{
    struct menu *m = w->own;

    switch (ev->key) {
    case KEY_DOWN:
        move(w, m->at, 1);
        break;
    case KEY_UP:
        move(w, m->at < 0 ? 0 : m->at, -1);
        break;
    case KEY_HOME:
        move(w, -1, 1);
        break;
    case KEY_END:
        move(w, 0, -1);
        break;
    case KEY_LEFT:
    case KEY_ESC:
        if (m->above || ev->key == KEY_ESC) {
            gui_close(w);
        }
        break;
    case KEY_RIGHT:
        if (can_choose(m, m->at) && m->items[m->at].sub) {
            choose(w, m->at);
        }
        break;
    case KEY_ENTER:
    case KEY_PAD_ENTER:
    case KEY_SPACE:
        if (can_choose(m, m->at)) {
            choose(w, m->at);
        }
        break;
    default:
        if (ev->sym && !(ev->mods & GUI_CTRL)) {
            menu_letter(w, ev->sym);
        }
        break;
    }
    return true; /* a menu has all keys */
}

static bool menu_event(struct gui_widget *w, const struct gui_event *ev)
{
    struct menu *m = w->own;
    int at = item_at(w, ev->x, ev->y);

    switch (ev->kind) {
    case GUI_WHEEL:
        return gui_scroll_by(w, -ev->dy * ROW);
    case GUI_PRESS:
        m->armed = true;
        while (gui_top(w->gui)->top != w) { /* the menu below belongs to another item */
            gui_close(gui_top(w->gui)->top);
        }
        highlight(w, at);
        return true;
    case GUI_MOTION:
        m->armed = true;
        if (gui_top(w->gui)->top == w) {
            highlight(w, at);
        }
        return true;
    case GUI_RELEASE:
        if (at >= 0 && m->armed) {
            choose(w, at);
        }
        return true;
    case GUI_KEY:
        return menu_key(w, ev);
    default:
        return true;
    }
}

static void item_paint(struct gui_widget *w, cairo_t *cr, int i)
{
    struct menu *m = w->own;
    const struct gui_menu_item *it = &m->items[i];
    struct gui_rect r = item_rect(w, i), text = r;
    enum gui_colour ink = it->disabled ? C_DIM : C_TEXT;
    double y = r.y + r.h / 2.0;

    if (!it->text) {
        gui_fill(cr, w->gui, (struct gui_rect){r.x, r.y + LINE / 2, r.w, 1}, 0, C_LINE);
        return;
    }
    if (i == m->at) {
        gui_fill(cr, w->gui, r, 5, C_SELECTED);
    }
    if (it->mark == GUI_CHECKED) {
        cairo_move_to(cr, r.x + 9, y);
        cairo_line_to(cr, r.x + 12.5, y + 3.5);
        cairo_line_to(cr, r.x + 18.5, y - 4);
        gui_colour(cr, w->gui, C_ACCENT);
        cairo_set_line_width(cr, 2);
        cairo_stroke(cr);
    } else if (it->icon) {
        gui_draw_icon(cr, w->gui, it->icon, r.x + 6, y - 8, 16, ink);
    }
    text.x += m->marks ? MARK : 8;
    text.w -= (m->marks ? MARK : 8) + 8;
    gui_draw_text(cr, w->gui, F_TEXT, it->text, text, ink, T_MNEMONIC);
    gui_draw_text(cr, w->gui, F_SMALL, it->keys, text, C_DIM, T_RIGHT);
    if (it->sub) {
        cairo_move_to(cr, r.x + r.w - 13, y - 4);
        cairo_line_to(cr, r.x + r.w - 9, y);
        cairo_line_to(cr, r.x + r.w - 13, y + 4);
        gui_colour(cr, w->gui, C_DIM);
        cairo_set_line_width(cr, 1.5);
        cairo_stroke(cr);
    }
}

static void menu_paint(struct gui_widget *w, cairo_t *cr)
{
    struct menu *m = w->own;

    gui_shadow(cr, w->gui, w->r, 8);
    gui_fill(cr, w->gui, w->r, 8, C_PANEL);
    gui_frame(cr, w->gui, w->r, 8, C_LINE);
    cairo_save(cr);
    cairo_rectangle(cr, w->r.x, w->r.y + 2, w->r.w, w->r.h - 4);
    cairo_clip(cr);
    for (int i = 0; i < (int)m->count; i++) {
        item_paint(w, cr, i);
    }
    cairo_restore(cr);
}

static void menu_dump_rows(const struct gui_widget *w, GString *out, int depth)
{
    struct menu *m = w->own;

    for (int i = 0; i < (int)m->count; i++) {
        const struct gui_menu_item *it = &m->items[i];

        g_string_append_printf(out, "%*sitem \"%s\"%s%s%s%s\n", 2 * depth, "",
                               it->text ? it->text : "-", it->disabled ? " [disabled]" : "",
                               it->mark == GUI_CHECKED ? " [checked]" : "", it->sub ? " [sub]" : "",
                               i == m->at ? " [selected]" : "");
    }
}

static void menu_free(struct gui_widget *w)
{
    struct menu *m = w->own;

    items_free(m->items, m->count);
    g_free(m);
}

static const struct gui_class menu_class = {.role = "menu",
                                            .focusable = true,
                                            .own_ring = true,
                                            .measure = menu_measure,
                                            .layout = menu_layout,
                                            .paint = menu_paint,
                                            .event = menu_event,
                                            .free = menu_free,
                                            .dump_rows = menu_dump_rows};

static void menu_open(struct gui *g, const struct menu *like, const struct gui_menu_item *items,
                      unsigned count)
{
    struct gui_widget *w = gui_new_top(g, &menu_class);
    struct menu *m = g_memdup2(like, sizeof *like);

    w->own = m;
    m->items = items_copy(items, count);
    m->count = count;
    m->at = -1;
    for (unsigned i = 0; i < count; i++) {
        m->marks |= items[i].mark || items[i].icon;
        if (items[i].mark == GUI_CHECKED && m->at < 0) {
            m->at = (int)i;
        }
    }
    if (!count || !gui_open(g, w, LAYER_POPUP)) {
        gui_remove(w);
        return;
    }
    gui_top(g)->focus = w;
    gui_layout(g);
    if (m->at >= 0) {
        highlight(w, m->at);
    } else if (g->by_keys) {
        move(w, -1, 1);
    }
}

void gui_menu(struct gui *g, struct gui_widget *at, int x, int y, const struct gui_menu_item *items,
              unsigned count, void (*fn)(void *of, int id), void *of)
{
    struct menu like = {.fn = fn, .of = of};

    gui_layout(g);
    like.anchor =
        at ? at->r : (struct gui_rect){(int)(x / g->scale), (int)(y / g->scale) - 4, 0, 0};
    gui_close_popups(g);
    menu_open(g, &like, items, count);
}
