/*
 * Boxes: rows, columns, forms and what scrolls.
 *
 * Natural sizes come from below (measure), places from above (layout).  Where there is too little
 * room, what grows gives first, then everything is cut at the end; nothing is ever negative.
 */
#include "ui/gui/gui_int.h"

struct gui_size gui_measure(struct gui_widget *w, int width)
{
    struct gui_size s = w->class->measure(w, width);

    s.w = MAX(s.w, w->min_w);
    s.h = MAX(s.h, w->min_h);
    return s;
}

void gui_move(struct gui_widget *w, struct gui_rect r)
{
    if (memcmp(&r, &w->r, sizeof r) != 0) {
        gui_damage(w);
        w->r = r;
        gui_damage(w);
    }
}

void gui_place(struct gui_widget *w, struct gui_rect r)
{
    r.w = MAX(r.w, 0);
    r.h = MAX(r.h, 0);
    gui_move(w, r);
    if (w->class->layout) {
        w->class->layout(w);
    }
}

static struct gui_widget *shown_from(struct gui_widget *w)
{
    while (w && w->hidden) {
        w = w->next;
    }
    return w;
}

#define FOR_SHOWN(c, w)                                                                            \
    for (struct gui_widget *c = shown_from((w)->first); c; c = shown_from(c->next))

/* A form's rows: a label and its field. */
static int form_label_width(struct gui_widget *w)
{
    int width = 0, n = 0;

    FOR_SHOWN(c, w)
    {
        if (n++ % 2 == 0) {
            width = MAX(width, gui_measure(c, 0).w);
        }
    }
    return width;
}

static struct gui_size form_measure(struct gui_widget *w, int inner)
{
    int label = form_label_width(w), n = 0, row = 0;
    struct gui_size s = {0, -w->spacing};

    FOR_SHOWN(c, w)
    {
        bool field = n++ % 2;
        struct gui_size cs =
            gui_measure(c, field && inner ? MAX(inner - label - 2 * w->spacing, 1) : 0);

        row = field ? MAX(row, cs.h) : cs.h;
        if (field) {
            s.w = MAX(s.w, label + 2 * w->spacing + cs.w);
            s.h += row + w->spacing;
        }
    }
    return (struct gui_size){s.w, MAX(s.h, 0)};
}

static struct gui_size box_measure(struct gui_widget *w, int width)
{
    int inner = width ? MAX(width - 2 * w->pad, 1) : 0, gaps = 0;
    struct gui_size s = {0, 0};

    if (w->form) {
        s = form_measure(w, inner);
    } else {
        FOR_SHOWN(c, w)
        {
            struct gui_size cs = gui_measure(c, w->horizontal ? 0 : inner);

            s.w = w->horizontal ? s.w + cs.w : MAX(s.w, cs.w);
            s.h = w->horizontal ? MAX(s.h, cs.h) : s.h + cs.h;
            gaps += c != shown_from(w->first) ? w->spacing : 0;
        }
        s.w += w->horizontal ? gaps : 0;
        s.h += w->horizontal ? 0 : gaps;
    }
    return (struct gui_size){s.w + 2 * w->pad, s.h + 2 * w->pad};
}

static void form_layout(struct gui_widget *w, struct gui_rect in)
{
    int label = MIN(form_label_width(w), in.w / 2), n = 0;
    struct gui_widget *left = NULL;
    int x = in.x + label + 2 * w->spacing, field_w = in.w - label - 2 * w->spacing;

    FOR_SHOWN(c, w)
    {
        if (n++ % 2 == 0) {
            left = c;
        } else {
            int h = MAX(gui_measure(left, label).h, gui_measure(c, MAX(field_w, 1)).h);

            gui_place(left, (struct gui_rect){in.x, in.y, label, MIN(h, GUI_CONTROL)});
            gui_place(c, (struct gui_rect){x, in.y, field_w, h});
            in.y += h + w->spacing;
        }
    }
}

/* How much of the room beyond the natural sizes each child that grows gets (may be negative). */
static int box_share(struct gui_widget *w, int room, int inner, int *growing)
{
    int used = 0;

    *growing = 0;
    FOR_SHOWN(c, w)
    {
        struct gui_size s = gui_measure(c, w->horizontal ? 0 : inner);

        used += (w->horizontal ? s.w : s.h) + (c != shown_from(w->first) ? w->spacing : 0);
        *growing += c->grow;
    }
    return room - used;
}

static void box_layout(struct gui_widget *w)
{
    struct gui_rect in = {w->r.x + w->pad, w->r.y + w->pad, w->r.w - 2 * w->pad,
                          w->r.h - 2 * w->pad};
    int growing, extra, end = w->horizontal ? in.x + in.w : in.y + in.h;

    in.w = MAX(in.w, 0);
    in.h = MAX(in.h, 0);
    if (w->scroll) {
        int before = w->content;

        w->content = box_measure(w, w->r.w).h;
        if (w->content > w->r.h) {
            in.w = MAX(in.w - 10, 0); /* beside the bar */
            w->content = box_measure(w, MAX(w->r.w - 10, 1)).h;
        }
        if (w->content != before) {
            gui_damage(w); /* the bar */
        }
        w->offset = CLAMP(w->offset, 0, MAX(w->content - w->r.h, 0));
        in.y -= w->offset;
        in.h = MAX(in.h, w->content - 2 * w->pad);
        end = in.y + in.h;
    }
    if (w->form) {
        form_layout(w, in);
        return;
    }
    extra = box_share(w, w->horizontal ? in.w : in.h, MAX(in.w, 1), &growing);
    FOR_SHOWN(c, w)
    {
        struct gui_size s = gui_measure(c, w->horizontal ? 0 : MAX(in.w, 1));
        int mine = c->grow && growing ? extra / growing : 0;
        struct gui_rect r = in;

        if (c->grow && growing) {
            extra -= mine;
            growing--;
        }
        if (w->horizontal) {
            r.w = MIN(MAX(s.w + mine, c->min_w), MAX(end - in.x, 0));
            if (c->class != &gui_box_class && !c->grow) {
                r.h = MIN(s.h, in.h);
                r.y += (in.h - r.h) / 2;
            }
            in.x += r.w + w->spacing;
        } else {
            r.h = MIN(MAX(s.h + mine, c->min_h), MAX(end - in.y, 0));
            in.y += r.h + w->spacing;
        }
        gui_place(c, r);
    }
}

static void box_paint(struct gui_widget *w, cairo_t *cr)
{
    const struct gui_rect *r = &w->r;

    if (w->look == GUI_WINDOW || w->look == GUI_BAR) {
        gui_fill(cr, w->gui, *r, 0, w->look == GUI_BAR ? C_BAR : C_WINDOW);
    }
    if (w->look == GUI_BAR) {
        gui_fill(cr, w->gui, (struct gui_rect){r->x, r->y, r->w, 1}, 0, C_LINE);
    }
    if (w->look == GUI_PANEL) {
        gui_fill(cr, w->gui, *r, 8, C_PANEL);
        gui_frame(cr, w->gui, *r, 8, C_LINE);
    }
}

bool gui_scroll_by(struct gui_widget *w, int dy)
{
    int to = CLAMP(w->offset + dy, 0, MAX(w->content - w->r.h, 0));

    if (to == w->offset) {
        return false;
    }
    w->offset = to;
    gui_damage(w);
    if (w->class->layout) {
        w->class->layout(w);
    }
    return true;
}

void gui_scroll_into(struct gui_widget *w, struct gui_rect r, int margin)
{
    int above = w->r.y + margin - r.y, below = r.y + r.h + margin - w->r.y - w->r.h;

    if (w->r.h > 0) {
        gui_scroll_by(w, above > 0 ? -above : MAX(below, 0));
    }
}

/* Everything around that scrolls shows `w`. */
void gui_scroll_to(struct gui_widget *w)
{
    for (struct gui_widget *p = w->parent; p; p = p->parent) {
        if (p->scroll) {
            gui_scroll_into(p, w->r, 6);
        }
    }
}

/* The bar's thumb, in units; no height: all fits. */
static struct gui_rect thumb_of(const struct gui_widget *w)
{
    int room = w->r.h - 8, h, y;

    if (w->content <= w->r.h || room < 24) {
        return (struct gui_rect){0, 0, 0, 0};
    }
    h = MAX((int)((int64_t)room * w->r.h / w->content), 20);
    y = (int)((int64_t)(room - h) * w->offset / (w->content - w->r.h));
    return (struct gui_rect){w->r.x + w->r.w - 9, w->r.y + 4 + y, 6, h};
}

void gui_scroll_bar(struct gui_widget *w, cairo_t *cr)
{
    struct gui_rect r = thumb_of(w);

    if (r.h) {
        gui_fill(cr, w->gui, r, 3, w->dragging ? C_DIM : C_LINE);
    }
}

bool gui_scroll_event(struct gui_widget *w, const struct gui_event *ev)
{
    struct gui_rect thumb = thumb_of(w);

    if (ev->kind == GUI_WHEEL) {
        return gui_scroll_by(w, -ev->dy * GUI_SCROLL_STEP);
    }
    if (ev->kind == GUI_PRESS && thumb.h && ev->x >= thumb.x - 3) {
        w->dragging = true;
    } else if (ev->kind == GUI_RELEASE && w->dragging) {
        w->dragging = false;
        gui_damage(w);
        return true;
    } else if (ev->kind != GUI_MOTION || !w->dragging) {
        return false;
    }
    /* The thumb's middle goes to the pointer. */
    gui_scroll_by(w, (int)((int64_t)(ev->y - thumb.y - thumb.h / 2) * (w->content - w->r.h) /
                           MAX(w->r.h - 8 - thumb.h, 1)));
    return true;
}

static bool box_event(struct gui_widget *w, const struct gui_event *ev)
{
    return w->scroll && gui_scroll_event(w, ev);
}

const struct gui_class gui_box_class = {
    .role = "box",
    .measure = box_measure,
    .layout = box_layout,
    .paint = box_paint,
    .event = box_event,
};

static struct gui_widget *box_new(struct gui_widget *in, bool horizontal)
{
    struct gui_widget *w = gui_make(in->gui, in, &gui_box_class, NULL, NULL, NULL);

    w->horizontal = horizontal;
    w->spacing = GUI_GAP;
    return w;
}

struct gui_widget *gui_vbox(struct gui_widget *box)
{
    return box_new(box, false);
}

struct gui_widget *gui_hbox(struct gui_widget *box)
{
    return box_new(box, true);
}

struct gui_widget *gui_form(struct gui_widget *box)
{
    struct gui_widget *w = box_new(box, false);

    w->form = true;
    return w;
}

struct gui_widget *gui_scroll(struct gui_widget *box)
{
    struct gui_widget *w = box_new(box, false);

    w->scroll = w->grow = true;
    return w;
}
