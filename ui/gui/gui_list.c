/*
 * Lists: rows of one height with a picture, a title, a line below and a note.  Typing goes to the
 * row that starts so.
 *
 * Not here: several selected rows, columns, rows of different heights.
 */
#include "ui/gui/gui_int.h"

enum { TYPE_AHEAD = 1000 /* ms until typing starts again */ };

struct row {
    char *text, *sub, *note;
    enum gui_icon icon;
    enum gui_light light;
    bool pale;
    cairo_surface_t *picture;
};

struct list {
    GPtrArray *rows;
    int row_h, picture_w;
    int hover; /* row, or -1 */
    GString *typed;
    int64_t typed_at;
};

static void row_free(void *of)
{
    struct row *row = of;

    g_free(row->text);
    g_free(row->sub);
    g_free(row->note);
    if (row->picture) {
        cairo_surface_destroy(row->picture);
    }
    g_free(row);
}

static int row_height(struct gui_widget *w)
{
    struct list *l = w->own;

    return l->row_h ? l->row_h : 32;
}

static struct gui_rect row_rect(struct gui_widget *w, int at)
{
    return (struct gui_rect){w->r.x + 4, w->r.y + 4 + at * row_height(w) - w->offset,
                             w->r.w - 8 - (w->content > w->r.h ? 8 : 0), row_height(w)};
}

static int row_at(struct gui_widget *w, int x, int y)
{
    struct list *l = w->own;
    int at = (y - w->r.y - 4 + w->offset) / row_height(w);
    struct gui_rect r = row_rect(w, at);

    return at >= 0 && at < (int)l->rows->len && gui_rect_has(&r, x, y) ? at : -1;
}

static void damage_row(struct gui_widget *w, int at)
{
    if (at >= 0) {
        gui_damage_rect(w->gui, gui_cut(row_rect(w, at), w->r), 0);
    }
}

static struct gui_size list_measure(struct gui_widget *w, int width)
{
    struct list *l = w->own;

    (void)width;
    return (struct gui_size){200, (int)CLAMP(l->rows->len, 1, 8) * row_height(w) + 8};
}

static void list_layout(struct gui_widget *w)
{
    struct list *l = w->own;

    w->content = (int)MIN((int64_t)l->rows->len * row_height(w) + 8, 1 << 28);
    w->offset = CLAMP(w->offset, 0, MAX(w->content - w->r.h, 0));
}

static void list_changed(struct gui_widget *w)
{
    list_layout(w);
    gui_damage(w);
}

static void list_select(struct gui_widget *w, int at, bool by_user)
{
    struct list *l = w->own;

    at = CLAMP(at, -1, (int)l->rows->len - 1);
    if (at != w->value) {
        damage_row(w, w->value);
        w->value = at;
        damage_row(w, at);
        gui_call(w, by_user ? w->fn : NULL);
    }
    if (at >= 0 && !w->removed) {
        gui_layout(w->gui);
        gui_scroll_into(w, row_rect(w, at), 4);
    }
}

static void list_value_set(struct gui_widget *w, int value)
{
    list_select(w, value, false);
}

/* The next row from `from` on that starts with what was typed. */
static int find_typed(struct list *l, int from)
{
    g_autofree char *want = g_utf8_casefold(l->typed->str, -1);

    for (guint i = 0; i < l->rows->len; i++) {
        guint at = ((guint)MAX(from, 0) + i) % l->rows->len;
        const struct row *row = g_ptr_array_index(l->rows, at);
        g_autofree char *have = g_utf8_casefold(row->text, -1);

        if (g_str_has_prefix(have, want)) {
            return (int)at;
        }
    }
    return -1;
}

static bool list_text(struct gui_widget *w, const struct gui_event *ev)
{
    struct list *l = w->own;
    int at;

    if (w->gui->now - l->typed_at > TYPE_AHEAD) {
        g_string_truncate(l->typed, 0);
    }
    if (l->typed->len + strlen(ev->text) < 256) {
        g_string_append(l->typed, ev->text);
    }
    l->typed_at = w->gui->now;
    at = find_typed(l, w->value);
    if (at >= 0) {
        list_select(w, at, true);
    }
    return true;
}

static bool list_key(struct gui_widget *w, const struct gui_event *ev)
{
    struct list *l = w->own;
    int page = MAX(w->r.h / row_height(w) - 1, 1), last = (int)l->rows->len - 1, to;

    if (ev->mods) {
        return false;
    }
    switch (ev->key) {
    case KEY_UP:
        to = w->value - 1;
        break;
    case KEY_DOWN:
        to = w->value + 1;
        break;
    case KEY_PAGE_UP:
        to = w->value - page;
        break;
    case KEY_PAGE_DOWN:
        to = w->value + page;
        break;
    case KEY_HOME:
        to = 0;
        break;
    case KEY_END:
        to = last;
        break;
    case KEY_ENTER:
    case KEY_PAD_ENTER:
        gui_call(w, w->value >= 0 ? w->activate : NULL);
        return w->activate;
    default:
        return false;
    }
    if (last >= 0) {
        g_string_truncate(l->typed, 0);
        list_select(w, CLAMP(to, 0, last), true);
    }
    return true;
}

static bool list_press(struct gui_widget *w, const struct gui_event *ev)
{
    int at = row_at(w, ev->x, ev->y);

    if (at >= 0) {
        list_select(w, at, true);
    }
    if (at >= 0 && ev->button == GUI_BUTTON_LEFT && ev->clicks == 2 && !w->removed) {
        gui_call(w, w->activate);
    } else if (at >= 0 && ev->button == GUI_BUTTON_RIGHT && !w->removed) {
        gui_call(w, w->menu);
    }
    return true;
}

static bool list_event(struct gui_widget *w, const struct gui_event *ev)
{
    struct list *l = w->own;

    if (gui_scroll_event(w, ev)) {
        return true;
    }
    switch (ev->kind) {
    case GUI_MOTION:
        damage_row(w, l->hover);
        l->hover = row_at(w, ev->x, ev->y);
        damage_row(w, l->hover);
        return true;
    case GUI_PRESS:
        return list_press(w, ev);
    case GUI_KEY:
        return list_key(w, ev);
    case GUI_TEXT:
        return list_text(w, ev);
    default:
        return false;
    }
}

static void picture_paint(struct gui_widget *w, cairo_t *cr, const struct row *row,
                          struct gui_rect r)
{
    double pw, ph, s;

    gui_fill(cr, w->gui, r, 4, row->picture ? C_TIP : C_WINDOW);
    if (!row->picture) {
        double size = MIN(r.h * 0.5, 32);

        gui_draw_icon(cr, w->gui, row->icon, r.x + (r.w - size) / 2, r.y + (r.h - size) / 2, size,
                      C_DIM);
        gui_frame(cr, w->gui, r, 4, C_LINE);
        return;
    }
    pw = cairo_image_surface_get_width(row->picture);
    ph = cairo_image_surface_get_height(row->picture);
    s = MIN(r.w / pw, r.h / ph);
    cairo_save(cr);
    gui_round(cr, r, 4, 0);
    cairo_clip(cr);
    cairo_translate(cr, r.x + (r.w - pw * s) / 2, r.y + (r.h - ph * s) / 2);
    cairo_scale(cr, s, s);
    cairo_set_source_surface(cr, row->picture, 0, 0);
    cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_GOOD);
    cairo_paint(cr);
    cairo_restore(cr);
    gui_frame(cr, w->gui, r, 4, C_LINE);
}

/* The note at the right, before it the light; gives the width they take. */
static int note_paint(struct gui_widget *w, cairo_t *cr, const struct row *row, struct gui_rect r)
{
    int width = 0;

    if (row->note) {
        width = MIN(gui_text_size(w->gui, F_SMALL, row->note, 0, 0).w, r.w / 3);
        gui_draw_text(cr, w->gui, F_SMALL, row->note,
                      (struct gui_rect){r.x + r.w - width - 12, r.y, width + 1, r.h}, C_DIM, 0);
    }
    if (row->light) {
        gui_draw_light(cr, w->gui, row->light, r.x + r.w - width - 24, r.y + r.h / 2.0, 4.5);
        width += 18;
    }
    return width ? width + 20 : 8;
}

static void row_paint(struct gui_widget *w, cairo_t *cr, int at)
{
    struct list *l = w->own;
    const struct row *row = g_ptr_array_index(l->rows, (guint)at);
    struct gui_rect r = row_rect(w, at), text = r;
    bool wide = l->picture_w > 0;
    enum gui_colour ink = row->pale || w->disabled ? C_DIM : C_TEXT;

    if (at == w->value) {
        gui_fill(cr, w->gui, r, 6, C_SELECTED);
        if (gui_is_focused(w) && w->gui->by_keys) {
            gui_frame(cr, w->gui, r, 6, C_ACCENT);
        }
    } else if (at == l->hover && gui_is_hovered(w)) {
        gui_fill(cr, w->gui, r, 6, C_HOVER);
    }
    text.x += 8;
    text.w -= 8;
    if (wide) {
        struct gui_rect p = {text.x, r.y + 8, l->picture_w, r.h - 16};

        picture_paint(w, cr, row, p);
        text.x += l->picture_w + 16;
        text.w -= l->picture_w + 16;
    } else if (row->icon) {
        gui_draw_icon(cr, w->gui, row->icon, text.x, r.y + (r.h - 18) / 2.0, 18, C_DIM);
        text.x += 28;
        text.w -= 28;
    }
    text.w -= note_paint(w, cr, row, r);
    if (row->sub) {
        int mid = r.y + r.h / 2;

        gui_draw_text(cr, w->gui, F_STRONG, row->text,
                      (struct gui_rect){text.x, mid - 21, text.w, 20}, ink, 0);
        gui_draw_text(cr, w->gui, F_SMALL, row->sub, (struct gui_rect){text.x, mid + 2, text.w, 18},
                      C_DIM, 0);
    } else {
        gui_draw_text(cr, w->gui, F_TEXT, row->text, text, ink, 0);
    }
}

/* Only the rows that the clip meets. */
static void list_paint(struct gui_widget *w, cairo_t *cr)
{
    struct list *l = w->own;
    double x0, y0, x1, y1;
    int first, last;

    gui_fill(cr, w->gui, w->r, 8, C_PANEL);
    gui_frame(cr, w->gui, w->r, 8, gui_is_focused(w) && w->gui->by_keys ? C_ACCENT : C_LINE);
    cairo_clip_extents(cr, &x0, &y0, &x1, &y1);
    first = ((int)y0 - w->r.y - 4 + w->offset) / row_height(w);
    last = ((int)y1 + 1 - w->r.y - 4 + w->offset) / row_height(w);
    for (int i = MAX(first, 0); i <= MIN(last, (int)l->rows->len - 1); i++) {
        row_paint(w, cr, i);
    }
}

static void list_dump_rows(const struct gui_widget *w, GString *out, int depth)
{
    struct list *l = w->own;

    for (guint i = 0; i < MIN(l->rows->len, 1000); i++) {
        const struct row *row = g_ptr_array_index(l->rows, i);

        g_string_append_printf(out, "%*srow \"%s\"", 2 * depth, "", row->text);
        if (row->sub) {
            g_string_append_printf(out, " \"%s\"", row->sub);
        }
        if (row->note) {
            g_string_append_printf(out, " \"%s\"", row->note);
        }
        g_string_append_printf(out, "%s%s\n", row->picture ? " [picture]" : "",
                               (int)i == w->value ? " [selected]" : "");
    }
}

static void list_free(struct gui_widget *w)
{
    struct list *l = w->own;

    g_ptr_array_free(l->rows, TRUE);
    g_string_free(l->typed, TRUE);
    g_free(l);
}

static const struct gui_class list_class = {.role = "list",
                                            .focusable = true,
                                            .clicks_focus = true,
                                            .own_ring = true,
                                            .measure = list_measure,
                                            .layout = list_layout,
                                            .paint = list_paint,
                                            .event = list_event,
                                            .free = list_free,
                                            .dump_rows = list_dump_rows,
                                            .value_set = list_value_set};

struct gui_widget *gui_list(struct gui_widget *box, gui_fn *fn, void *of)
{
    struct gui_widget *w = gui_make(box->gui, box, &list_class, NULL, fn, of);
    struct list *l = g_new0(struct list, 1);

    w->own = l;
    w->grow = w->scroll = true;
    w->value = -1;
    l->rows = g_ptr_array_new_with_free_func(row_free);
    l->typed = g_string_new(NULL);
    l->hover = -1;
    return w;
}

static cairo_surface_t *picture_new(const struct gui_row *row)
{
    cairo_surface_t *s;

    if (!row->picture || row->picture_w < 1 || row->picture_h < 1 || row->picture_w > 4096 ||
        row->picture_h > 4096) {
        return NULL;
    }
    s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, row->picture_w, row->picture_h);
    if (cairo_surface_status(s) == CAIRO_STATUS_SUCCESS) {
        for (int y = 0; y < row->picture_h; y++) {
            memcpy(cairo_image_surface_get_data(s) +
                       (size_t)y * (size_t)cairo_image_surface_get_stride(s),
                   (const char *)row->picture + (size_t)y * (size_t)row->picture_stride,
                   (size_t)row->picture_w * 4);
        }
        cairo_surface_mark_dirty(s);
    }
    return s;
}

void gui_list_clear(struct gui_widget *w)
{
    struct list *l = w->own;

    g_ptr_array_set_size(l->rows, 0);
    w->value = l->hover = -1;
    list_changed(w);
}

int gui_list_add(struct gui_widget *w, const struct gui_row *row)
{
    struct list *l = w->own;
    struct row *new = g_new0(struct row, 1);

    new->text = gui_clean(row->text);
    new->sub = row->sub ? gui_clean(row->sub) : NULL;
    new->note = row->note ? gui_clean(row->note) : NULL;
    new->icon = row->icon;
    new->light = row->light;
    new->pale = row->pale;
    new->picture = picture_new(row);
    g_ptr_array_add(l->rows, new);
    list_changed(w);
    return (int)l->rows->len - 1;
}

void gui_list_set_size(struct gui_widget *w, int row_height, int picture_width)
{
    struct list *l = w->own;

    l->row_h = CLAMP(row_height, 0, 512);
    l->picture_w = CLAMP(picture_width, 0, 1024);
    list_changed(w);
}
