/*
 * The toolkit towards its host: making one, its picture, what it looks like as text.
 *
 * Not here: acting on events (gui.c).
 */
#include "ui/gui/gui_int.h"
#include <math.h>

struct gui *gui_new(const struct gui_host *host, enum gui_theme theme)
{
    struct gui *g = g_new0(struct gui, 1);
    PangoFontMap *map = pango_cairo_font_map_new();
    cairo_font_options_t *options = cairo_font_options_create();

    g->host = host ? *host : (struct gui_host){0};
    g->theme = theme;
    g->damage = cairo_region_create();
    g->removed = g_ptr_array_new();
    g->pango = pango_font_map_create_context(map);
    g_object_unref(map);
    /* Colours of sub-pixels would show over what the host blends; places must not hang on scale. */
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_SLIGHT);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    pango_cairo_context_set_font_options(g->pango, options);
    cairo_font_options_destroy(options);
    g->layers[0].top = gui_new_top(g, &gui_box_class);
    g->layer_count = 1;
    gui_resize(g, 1, 1, 1);
    return g;
}

void gui_free(struct gui *g)
{
    g->host = (struct gui_host){0};
    while (g->layer_count > 1) {
        gui_close(gui_top(g)->top);
    }
    for (unsigned i = 0; i < GUI_TOASTS; i++) {
        if (g->toasts[i]) {
            gui_remove(g->toasts[i]);
        }
    }
    gui_remove(g->layers[0].top);
    gui_bury(g);
    g_ptr_array_free(g->removed, TRUE);
    cairo_region_destroy(g->damage);
    cairo_surface_destroy(g->surface);
    g_object_unref(g->pango);
    g_free(g);
}

void gui_set_theme(struct gui *g, enum gui_theme theme)
{
    g->theme = theme;
    gui_damage_rect(g, gui_whole(g), 0);
}

void gui_resize(struct gui *g, int w, int h, double scale)
{
    w = CLAMP(w, 1, 16384);
    h = CLAMP(h, 1, 16384);
    scale = scale >= 0.5 && scale <= 4 ? scale : 1;
    if (g->surface && g->dev_w == w && g->dev_h == h && fabs(g->scale - scale) < 0.001) {
        return;
    }
    if (g->surface) {
        cairo_surface_destroy(g->surface);
    }
    g->surface = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, w, h);
    g->dev_w = w;
    g->dev_h = h;
    g->scale = scale;
    g->w = (int)ceil(w / scale);
    g->h = (int)ceil(h / scale);
    cairo_region_destroy(g->damage);
    g->damage = cairo_region_create();
    gui_damage_rect(g, gui_whole(g), 0);
    gui_close_popups(g); /* what they stood at has moved */
    gui_relayout(g);
}

static void paint_tree(struct gui_widget *w, cairo_t *cr, struct gui_rect clip)
{
    struct gui_rect around = {w->r.x - GUI_SHADOW, w->r.y - GUI_SHADOW, w->r.w + 2 * GUI_SHADOW,
                              w->r.h + 2 * GUI_SHADOW};

    if (w->hidden || !gui_cut(around, clip).w || !gui_cut(around, clip).h || !w->r.w || !w->r.h) {
        return;
    }
    cairo_save(cr);
    if (w->scroll) {
        cairo_rectangle(cr, w->r.x, w->r.y, w->r.w, w->r.h);
        cairo_clip(cr);
    }
    if (w->class->paint) {
        w->class->paint(w, cr);
    }
    for (struct gui_widget *c = w->first; c; c = c->next) {
        paint_tree(c, cr, clip);
    }
    if (w->scroll) {
        gui_scroll_bar(w, cr);
    }
    cairo_restore(cr);
    if (gui_is_focused(w) && w->gui->by_keys && w->class->focusable && !w->class->own_ring) {
        gui_ring(cr, w->gui, w->r, 6);
    }
}

static void paint_rect(struct gui *g, const cairo_rectangle_int_t *dev)
{
    cairo_t *cr = cairo_create(g->surface);
    struct gui_rect clip = {(int)floor(dev->x / g->scale), (int)floor(dev->y / g->scale),
                            (int)ceil(dev->width / g->scale) + 1,
                            (int)ceil(dev->height / g->scale) + 1};

    cairo_rectangle(cr, dev->x, dev->y, dev->width, dev->height);
    cairo_clip(cr);
    cairo_set_operator(cr, CAIRO_OPERATOR_CLEAR);
    cairo_paint(cr);
    cairo_set_operator(cr, CAIRO_OPERATOR_OVER);
    cairo_scale(cr, g->scale, g->scale);
    for (unsigned i = 0; i < g->layer_count; i++) {
        if (g->layers[i].kind == LAYER_DIALOG) {
            gui_fill(cr, g, gui_whole(g), 0, C_SCRIM);
        }
        paint_tree(g->layers[i].top, cr, clip);
    }
    for (unsigned i = 0; i < GUI_TOASTS; i++) {
        if (g->toasts[i]) {
            paint_tree(g->toasts[i], cr, clip);
        }
    }
    if (g->tip) {
        struct gui_rect r = g->tip_rect;

        gui_fill(cr, g, r, 5, C_TIP);
        r.x += 8;
        r.w -= 15;
        gui_draw_text(cr, g, F_SMALL, g->tip->tip, r, C_ON_TIP, 0);
    }
    cairo_destroy(cr);
}

static unsigned give_rects(const cairo_region_t *region, struct gui_rect *out, unsigned max)
{
    int n = cairo_region_num_rectangles(region);
    cairo_rectangle_int_t r;

    if (n > (int)max) {
        cairo_region_get_extents(region, &r);
        out[0] = (struct gui_rect){r.x, r.y, r.width, r.height};
        return 1;
    }
    for (int i = 0; i < n; i++) {
        cairo_region_get_rectangle(region, i, &r);
        out[i] = (struct gui_rect){r.x, r.y, r.width, r.height};
    }
    return (unsigned)n;
}

unsigned gui_paint(struct gui *g, struct gui_rect *out, unsigned max)
{
    cairo_rectangle_int_t r;
    unsigned n;

    gui_layout(g);
    g->woken = false;
    for (int i = 0; i < cairo_region_num_rectangles(g->damage); i++) {
        cairo_region_get_rectangle(g->damage, i, &r);
        paint_rect(g, &r);
    }
    cairo_surface_flush(g->surface);
    n = give_rects(g->damage, out, max);
    cairo_region_destroy(g->damage);
    g->damage = cairo_region_create();
    return n;
}

const uint32_t *gui_pixels(const struct gui *g, unsigned *stride)
{
    *stride = (unsigned)cairo_image_surface_get_stride(g->surface);
    return (const uint32_t *)cairo_image_surface_get_data(g->surface);
}

/* The topmost widgets with a ground. */
static void add_grounds(cairo_region_t *region, const struct gui_widget *w)
{
    if (w->hidden) {
        return;
    }
    if (gui_covers(w)) {
        gui_add_rect(region, w->gui, w->r, 0);
        return;
    }
    for (const struct gui_widget *c = w->first; c; c = c->next) {
        add_grounds(region, c);
    }
}

unsigned gui_layers(const struct gui *g, struct gui_rect *out, unsigned max)
{
    cairo_region_t *region = cairo_region_create();
    unsigned n;

    add_grounds(region, g->layers[0].top);
    for (unsigned i = 1; i < g->layer_count; i++) {
        bool dialog = g->layers[i].kind == LAYER_DIALOG;

        gui_add_rect(region, g, dialog ? gui_whole(g) : g->layers[i].top->r, GUI_SHADOW);
    }
    for (unsigned i = 0; i < GUI_TOASTS; i++) {
        if (g->toasts[i]) {
            gui_add_rect(region, g, g->toasts[i]->r, GUI_SHADOW);
        }
    }
    if (g->tip) {
        gui_add_rect(region, g, g->tip_rect, 2);
    }
    n = give_rects(region, out, max);
    cairo_region_destroy(region);
    return n;
}

bool gui_write_png(struct gui *g, const char *path, GError **err)
{
    struct gui_rect r;
    cairo_status_t status;

    gui_paint(g, &r, 1);
    status = cairo_surface_write_to_png(g->surface, path);
    if (status != CAIRO_STATUS_SUCCESS) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE, "cannot write %s: %s", path,
                    cairo_status_to_string(status));
    }
    return status == CAIRO_STATUS_SUCCESS;
}

/* ---- As text ---- */

static void dump_widget(const struct gui_widget *w, GString *out, int depth)
{
    const struct {
        bool is;
        const char *name;
    } states[] = {
        {gui_is_focused(w), "focused"},
        {w->disabled, "disabled"},
        {w->gui->hover == w && w->class->event, "hovered"},
    };

    if (w->hidden) {
        return;
    }
    g_string_append_printf(out, "%*s%s", 2 * depth, "", w->class->role);
    if (*w->text) {
        g_string_append_printf(out, " \"%s\"", w->text);
    }
    for (unsigned i = 0; i < ARRAY_LEN(states); i++) {
        if (states[i].is) {
            g_string_append_printf(out, " [%s]", states[i].name);
        }
    }
    if (w->light) {
        g_string_append_printf(out, " light=%d", (int)w->light);
    }
    if (w->class->dump) {
        w->class->dump(w, out);
    }
    g_string_append_printf(out, " %d,%d %dx%d\n", w->r.x, w->r.y, w->r.w, w->r.h);
    if (w->class->dump_rows) {
        w->class->dump_rows(w, out, depth + 1);
    }
    for (const struct gui_widget *c = w->first; c; c = c->next) {
        dump_widget(c, out, depth + 1);
    }
}

void gui_dump(struct gui *g, GString *out)
{
    gui_layout(g);
    for (unsigned i = 0; i < g->layer_count; i++) {
        dump_widget(g->layers[i].top, out, 0);
    }
    for (unsigned i = 0; i < GUI_TOASTS; i++) {
        if (g->toasts[i]) {
            dump_widget(g->toasts[i], out, 0);
        }
    }
}
