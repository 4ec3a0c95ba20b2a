/*
 * The toolkit towards its host: making one, its picture, what it looks like as text.
 */
#include "ui/gui/gui_int.h"
#include <math.h>

struct gui *gui_new(const struct gui_host *host, enum gui_theme theme)
{
    static const struct gui_class screen_class = {"screen", .layout = gui_screen_layout};
    struct gui *g = g_new0(struct gui, 1);

    g->host = host ? *host : (struct gui_host){0};
    g->theme = theme;
    g->damage = cairo_region_create();
    g->removed = g_ptr_array_new();
    gui_fonts_new(g);
    g->screen = g_new0(struct gui_widget, 1);
    *g->screen = (struct gui_widget){.class = &screen_class, .gui = g, .text = g_strdup("")};
    gui_make_top(g, &gui_box_class, TOP_BASE, NULL);
    gui_resize(g, 1, 1, 1);
    return g;
}

void gui_free(struct gui *g)
{
    g->host = (struct gui_host){0};
    while (g->screen->last) {
        gui_remove(g->screen->last);
    }
    g_free(g->screen->text);
    g_free(g->screen);
    g_ptr_array_free(g->removed, TRUE);
    cairo_region_destroy(g->damage);
    cairo_surface_destroy(g->surface);
    gui_fonts_free(g);
    g_free(g);
}

void gui_set_theme(struct gui *g, enum gui_theme theme)
{
    g->theme = theme;
    gui_damage_all(g);
}

void gui_resize(struct gui *g, int w, int h, double scale)
{
    w = CLAMP(w, 1, 16384);
    h = CLAMP(h, 1, 16384);
    scale = scale >= 0.5 && scale <= 4 ? scale : 1;
    if (g->surface && g->dev_w == w && g->dev_h == h && fabs(g->scale - scale) < 0.001) {
        return;
    }
    cairo_surface_destroy(g->surface);
    g->surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, w, h);
    g->dev_w = w;
    g->dev_h = h;
    g->scale = scale;
    g->w = (int)ceil(w / scale);
    g->h = (int)ceil(h / scale);
    cairo_region_destroy(g->damage);
    g->damage = cairo_region_create();
    gui_damage_all(g);
    gui_close_menus(g); /* what they stood at has moved */
    gui_relayout(g);
}

/* ---- The picture ---- */

static void paint_tree(struct gui_widget *w, cairo_t *cr, struct gui_rect clip)
{
    struct gui_rect seen = gui_cut(gui_inset(w->r, -GUI_SHADOW), clip);

    if (w->hidden || !seen.w || !seen.h || !w->r.w || !w->r.h) {
        return;
    }
    gui_draw_ground(cr, w);
    cairo_save(cr);
    if (w->scroll) {
        cairo_rectangle(cr, w->r.x, w->r.y + 1, w->r.w, w->r.h - 2);
        cairo_clip(cr);
    }
    if (w->class->paint) {
        w->class->paint(w, cr);
    } else if (!w->class->layout) {
        gui_item_paint(w, cr);
    }
    for (struct gui_widget *c = w->first; c; c = c->next) {
        paint_tree(c, cr, clip);
    }
    if (w->scroll) {
        gui_scroll_bar(w, cr);
    }
    cairo_restore(cr);
    if (gui_is_focused(w) && w->gui->by_keys && w->class != &gui_menu_item_class) {
        gui_frame(cr, w->gui, gui_inset(w->r, -3), 9, 2, C_ACCENT);
    }
}

/* The rectangles of a region, or their hull; the region goes. */
static unsigned give_rects(cairo_region_t *region, struct gui_rect *out, unsigned max)
{
    int n = cairo_region_num_rectangles(region);
    cairo_rectangle_int_t r;

    for (int i = 0; i < n; i++) {
        if (n > (int)max) {
            cairo_region_get_extents(region, &r);
            n = 1;
        } else {
            cairo_region_get_rectangle(region, i, &r);
        }
        out[i] = (struct gui_rect){r.x, r.y, r.width, r.height};
    }
    cairo_region_destroy(region);
    return (unsigned)n;
}

unsigned gui_paint(struct gui *g, struct gui_rect *out, unsigned max)
{
    cairo_t *cr = cairo_create(g->surface);
    double x0, y0, x1, y1;
    unsigned n;

    gui_layout(g);
    g->woken = false;
    n = give_rects(g->damage, out, max);
    g->damage = cairo_region_create();
    for (unsigned i = 0; i < n; i++) {
        cairo_rectangle(cr, out[i].x, out[i].y, out[i].w, out[i].h);
    }
    cairo_clip(cr);
    cairo_set_operator(cr, CAIRO_OPERATOR_CLEAR);
    cairo_paint(cr);
    cairo_set_operator(cr, CAIRO_OPERATOR_OVER);
    cairo_scale(cr, g->scale, g->scale);
    cairo_clip_extents(cr, &x0, &y0, &x1, &y1);
    for (struct gui_widget *top = g->screen->first; top && n; top = top->next) {
        if (top->kind == TOP_DIALOG) {
            gui_fill(cr, g, g->screen->r, 0, C_SCRIM);
        }
        paint_tree(top, cr,
                   (struct gui_rect){(int)floor(x0), (int)floor(y0), (int)ceil(x1 - x0) + 1,
                                     (int)ceil(y1 - y0) + 1});
    }
    cairo_destroy(cr);
    cairo_surface_flush(g->surface);
    return n;
}

const uint32_t *gui_pixels(const struct gui *g, unsigned *stride)
{
    *stride = (unsigned)cairo_image_surface_get_stride(g->surface);
    return (const uint32_t *)cairo_image_surface_get_data(g->surface);
}

/* The topmost widgets with a ground; a dialog dims the whole window. */
static void add_grounds(cairo_region_t *region, const struct gui_widget *w)
{
    bool over = w->parent == w->gui->screen && w->kind != TOP_BASE;
    struct gui_rect r =
        w->kind == TOP_DIALOG ? w->gui->screen->r : gui_inset(w->r, over ? -GUI_SHADOW : 0);
    cairo_rectangle_int_t dev = gui_device_rect(w->gui, r);

    if (w->hidden) {
        return;
    }
    if (over || gui_covers(w)) {
        cairo_region_union_rectangle(region, &dev);
        return;
    }
    for (const struct gui_widget *c = w->first; c; c = c->next) {
        add_grounds(region, c);
    }
}

unsigned gui_layers(const struct gui *g, struct gui_rect *out, unsigned max)
{
    cairo_region_t *region = cairo_region_create();

    for (const struct gui_widget *top = g->screen->first; top; top = top->next) {
        add_grounds(region, top);
    }
    return give_rects(region, out, max);
}

/* ---- As text ---- */

static void dump_text(GString *out, const char *text)
{
    if (text && *text) {
        g_string_append_printf(out, " \"%s\"", text);
    }
}

static void dump_widget(struct gui_widget *w, GString *out, int depth)
{
    const struct {
        bool is;
        const char *name;
    } states[] = {
        {gui_is_focused(w) && !gui_is_chosen(w), "focused"},
        {w->disabled, "disabled"},
        {w->gui->hover == w, "hovered"},
        {w->mark == GUI_CHECKED, "checked"},
        {w->picture != NULL, "picture"},
        {w->own != NULL, "sub"},
        {gui_is_chosen(w), "selected"},
    };

    bool edits = w->class->flags & EDITS;

    if (w->hidden) {
        return;
    }
    g_string_append_printf(out, "%*s%s", 2 * depth, "", w->class->role);
    dump_text(out, w->text);
    dump_text(out, w->sub);
    dump_text(out, edits && *w->text ? NULL : w->note); /* the hint is not seen then */
    for (unsigned i = 0; i < ARRAY_LEN(states); i++) {
        if (states[i].is) {
            g_string_append_printf(out, " [%s]", states[i].name);
        }
    }
    if (w->light) {
        g_string_append_printf(out, " light=%d", (int)w->light);
    }
    if (edits) {
        g_string_append_printf(out, " caret=%d mark=%d", w->caret, w->anchor);
    }
    g_string_append_printf(out, " %d,%d %dx%d\n", w->r.x, w->r.y, w->r.w, w->r.h);
    for (struct gui_widget *c = w->first; c; c = c->next) {
        dump_widget(c, out, depth + 1);
    }
}

void gui_dump(struct gui *g, GString *out)
{
    gui_layout(g);
    for (struct gui_widget *top = g->screen->first; top; top = top->next) {
        dump_widget(top, out, 0);
    }
}
