/*
 * Boxes: rows, columns, forms, and what scrolls.
 *
 * Natural sizes come from below (measure), places from above (layout).  Where there is too little
 * room, what grows gives first, then everything is cut at the end; nothing is ever negative.
 */
#include "ui/gui/gui_int.h"

enum { SCROLL_STEP = 48, SCROLL_BAR = 10, THUMB_LEAST = 20, BAR_EDGE = 4 };

struct gui_size gui_measure(struct gui_widget *w, int width)
{
    struct gui_size s = (w->class->measure  ? w->class->measure
                         : w->class->layout ? gui_box_measure
                                            : gui_item_measure)(w, width);

    return (struct gui_size){MAX(s.w, w->min_w), MAX(s.h, w->min_h)};
}

/* What is in it follows even where it stays: that may have changed. */
void gui_place(struct gui_widget *w, struct gui_rect r)
{
    r.w = MAX(r.w, 0);
    r.h = MAX(r.h, 0);
    if (memcmp(&r, &w->r, sizeof r) != 0) {
        gui_damage(w);
        w->r = r;
        gui_damage(w);
    }
    if (w->class->layout) {
        w->class->layout(w);
    }
}

static struct gui_widget *shown(struct gui_widget *w)
{
    while (w && w->hidden) {
        w = w->next;
    }
    return w;
}

/* How wide a form's labels are, with the room behind them; 0 in other boxes. */
static int label_width(const struct gui_widget *box)
{
    int width = 0;
    bool label = box->form;

    for (struct gui_widget *c = shown(box->first); c && box->form; c = shown(c->next)) {
        width = label ? MAX(width, gui_measure(c, 0).w + 2 * box->spacing) : width;
        label = !label;
    }
    return width;
}

/* One place after the other: a child, or in forms a label and its field, at which *c is then. */
static struct gui_size line_measure(const struct gui_widget *box, struct gui_widget **c, int inner,
                                    int label)
{
    struct gui_size s = gui_measure(*c, box->horizontal || box->form ? 0 : inner), f;
    struct gui_widget *field = box->form ? shown((*c)->next) : NULL;

    if (field) {
        f = gui_measure(field, inner ? MAX(inner - label, 1) : 0);
        s = (struct gui_size){label + f.w, MAX(s.h, f.h)};
        *c = field;
    }
    return s;
}

struct gui_size gui_box_measure(struct gui_widget *w, int width)
{
    int inner = width ? MAX(width - 2 * w->pad, 1) : 0, label = label_width(w), gap = 0;
    struct gui_size s = {0, 0};

    for (struct gui_widget *c = shown(w->first); c; c = shown(c->next)) {
        struct gui_size line = line_measure(w, &c, inner, label);

        s.w = w->horizontal ? s.w + gap + line.w : MAX(s.w, line.w);
        s.h = w->horizontal ? MAX(s.h, line.h) : s.h + gap + line.h;
        gap = w->spacing;
    }
    return (struct gui_size){s.w + 2 * w->pad, s.h + 2 * w->pad};
}

/* How wide it is without the bar, and where it has scrolled to. */
static int scroll_layout(struct gui_widget *w)
{
    int before = w->content, width = w->r.w;

    w->content = gui_box_measure(w, MAX(width, 1)).h;
    if (w->content > w->r.h) {
        width = MAX(width - SCROLL_BAR, 0);
        w->content = gui_box_measure(w, MAX(width, 1)).h;
    }
    if (w->content != before) {
        gui_damage(w); /* the bar */
    }
    w->offset = CLAMP(w->offset, 0, MAX(w->content - w->r.h, 0));
    return width;
}

/* A form's label keeps to the height of one line. */
static void line_place(const struct gui_widget *box, struct gui_widget *c, struct gui_rect r,
                       struct gui_size natural, int label)
{
    struct gui_widget *left = c->prev;

    if (box->form) {
        while (left && left->hidden) {
            left = left->prev;
        }
        if (left && r.h > 0) {
            gui_place(left,
                      (struct gui_rect){r.x, r.y, label - 2 * box->spacing, MIN(r.h, GUI_CONTROL)});
        }
        r.x += label;
        r.w -= label;
    } else if (box->horizontal && c->class != &gui_box_class && !c->grow) {
        r.y += (r.h - MIN(natural.h, r.h)) / 2;
        r.h = MIN(natural.h, r.h);
    }
    gui_place(c, r);
}

void gui_box_layout(struct gui_widget *w)
{
    int width = w->scroll ? scroll_layout(w) : w->r.w, growing = 0, label, extra, room, natural;
    struct gui_rect in = gui_inset((struct gui_rect){w->r.x, w->r.y - w->offset, width,
                                                     MAX(w->r.h, w->scroll ? w->content : 0)},
                                   w->pad);

    room = w->horizontal ? in.w : in.h;
    label = MIN(label_width(w), in.w / 2);
    natural = w->scroll       ? w->content
              : w->horizontal ? gui_box_measure(w, 0).w
                              : gui_box_measure(w, MAX(width, 1)).h;
    extra = room + 2 * w->pad - natural;
    for (struct gui_widget *c = shown(w->first); c; c = shown(c->next)) {
        growing += c->grow;
    }
    for (struct gui_widget *c = shown(w->first); c; c = shown(c->next)) {
        struct gui_size s = line_measure(w, &c, MAX(in.w, 1), label);
        struct gui_rect r = in;
        int size = w->horizontal ? s.w : s.h;

        if (c->grow) {
            size = MAX(size + extra / growing, w->horizontal ? c->min_w : c->min_h);
            extra -= extra / growing--;
        }
        size = CLAMP(size, 0, room);
        *(w->horizontal ? &r.w : &r.h) = size;
        *(w->horizontal ? &in.x : &in.y) += size + w->spacing;
        room = MAX(room - size - w->spacing, 0);
        line_place(w, c, r, s, label);
    }
}

/* ---- Scrolling ---- */

static void shift(struct gui_widget *w, int dy)
{
    for (struct gui_widget *c = w->first; c; c = c->next) {
        c->r.y += dy;
        shift(c, dy);
    }
}

static bool scroll_by(struct gui_widget *w, int dy)
{
    int before = w->offset;

    w->offset = CLAMP(w->offset + dy, 0, MAX(w->content - w->r.h, 0));
    if (w->offset != before) {
        shift(w, before - w->offset);
        gui_damage(w);
    }
    return w->offset != before;
}

void gui_scroll_to(struct gui_widget *w)
{
    for (struct gui_widget *p = w->parent; p; p = p->parent) {
        int above = p->r.y + p->pad + 2 - w->r.y;
        int below = w->r.y + w->r.h + p->pad + 2 - p->r.y - p->r.h;

        if (p->scroll && p->r.h > 0) {
            scroll_by(p, above > 0 ? -above : MAX(below, 0));
        }
    }
}

/* The bar's thumb, in units; no height: all fits. */
static struct gui_rect thumb_of(const struct gui_widget *w)
{
    int room = w->r.h - 2 * BAR_EDGE, h, y;

    if (w->content <= w->r.h || room < THUMB_LEAST) {
        return (struct gui_rect){0, 0, 0, 0};
    }
    h = MAX((int)((int64_t)room * w->r.h / w->content), THUMB_LEAST);
    y = (int)((int64_t)(room - h) * w->offset / (w->content - w->r.h));
    return (struct gui_rect){w->r.x + w->r.w - SCROLL_BAR + 1, w->r.y + BAR_EDGE + y, 6, h};
}

void gui_scroll_bar(struct gui_widget *w, cairo_t *cr)
{
    gui_fill(cr, w->gui, thumb_of(w), 3, w->dragging ? C_DIM : C_LINE);
}

bool gui_scroll_event(struct gui_widget *w, const struct gui_event *ev)
{
    struct gui_rect thumb = thumb_of(w);
    bool was = w->dragging;

    if (ev->kind == GUI_WHEEL) {
        return w->scroll && scroll_by(w, -ev->dy * SCROLL_STEP);
    }
    if (ev->kind == GUI_PRESS || ev->kind == GUI_RELEASE) {
        w->dragging = ev->kind == GUI_PRESS && thumb.h && ev->x >= thumb.x - 3;
    }
    if (w->dragging && (ev->kind == GUI_PRESS || ev->kind == GUI_MOTION)) {
        /* The thumb's middle goes to the pointer. */
        scroll_by(w, (int)((int64_t)(ev->y - thumb.y - thumb.h / 2) * (w->content - w->r.h) /
                           MAX(w->r.h - 2 * BAR_EDGE - thumb.h, 1)));
    }
    return was || w->dragging;
}

const struct gui_class gui_box_class = {
    .role = "box", .layout = gui_box_layout, .event = gui_scroll_event};

static struct gui_widget *box_new(struct gui_widget *in, bool horizontal, bool form)
{
    struct gui_widget *w = gui_make(in, &gui_box_class, GUI_NO_ICON, NULL, NULL, NULL);

    w->horizontal = horizontal;
    w->form = form;
    w->spacing = GUI_GAP;
    return w;
}

struct gui_widget *gui_vbox(struct gui_widget *box)
{
    return box_new(box, false, false);
}

struct gui_widget *gui_hbox(struct gui_widget *box)
{
    return box_new(box, true, false);
}

struct gui_widget *gui_form(struct gui_widget *box)
{
    return box_new(box, false, true);
}

struct gui_widget *gui_space(struct gui_widget *box)
{
    struct gui_widget *w = gui_vbox(box);

    w->grow = true;
    return w;
}
