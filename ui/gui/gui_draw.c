/*
 * How the toolkit looks: the tables of colours, styles and icons, shapes and texts.
 *
 * Colours are chosen so that texts stand out by 4.5 to 1 at least (WCAG 2, section 1.4.3).
 */
#include "ui/gui/gui_int.h"
#include <math.h>

/* 0xRRGGBBAA, light and dark. */
static const uint32_t colours[C_COLOURS][2] = {
    [C_WINDOW] = {0xf4f5f7ff, 0x1b1e23ff}, [C_PANEL] = {0xffffffff, 0x252930ff},
    [C_BAR] = {0xeceef1ff, 0x22262cff},    [C_TEXT] = {0x1c2430ff, 0xe8ebefff},
    [C_DIM] = {0x566170ff, 0x9fa9b6ff},    [C_LINE] = {0xcdd3dbff, 0x3d444eff},
    [C_BUTTON] = {0xffffffff, 0x323841ff}, [C_HOVER] = {0x1c24300f, 0xffffff12},
    [C_DOWN] = {0x1c243020, 0xffffff22},   [C_SELECTED] = {0xfbe7cfff, 0x4a3823ff},
    [C_ACCENT] = {0xb0560aff, 0xf2a541ff}, [C_ON_ACCENT] = {0xffffffff, 0x231503ff},
    [C_DANGER] = {0xc02f2fff, 0xff8078ff}, [C_ON_DANGER] = {0xffffffff, 0x2c0907ff},
    [C_OK] = {0x2f9e55ff, 0x58c77fff},     [C_SCRIM] = {0x10151c66, 0x00000088},
    [C_TIP] = {0x252b34ff, 0xe8ebefff},    [C_ON_TIP] = {0xf5f6f8ff, 0x1c2430ff},
};

static const struct gui_style styles[LOOKS] = {
    [GUI_PLAIN] = {C_NONE, C_TEXT, .radius = 6},
    [GUI_TITLE] = {C_NONE, C_TEXT, .font = F_TITLE},
    [GUI_DIM] = {C_NONE, C_DIM, .font = F_SMALL},
    [GUI_ERROR] = {.ground = C_NONE, .ink = C_DANGER},
    [GUI_PRIMARY] = {C_ACCENT, C_ON_ACCENT, .radius = 6},
    [GUI_DANGER] = {C_DANGER, C_ON_DANGER, .radius = 6},
    [GUI_WINDOW] = {.ground = C_WINDOW, .ink = C_TEXT},
    [GUI_BAR] = {.ground = C_BAR, .ink = C_TEXT},
    [GUI_PANEL] = {C_PANEL, C_TEXT, .radius = 8, .framed = true},
    [LOOK_BUTTON] = {C_BUTTON, C_TEXT, .radius = 6, .framed = true},
    [LOOK_FIELD] = {C_PANEL, C_TEXT, .radius = 6, .framed = true},
    [LOOK_ITEM] = {C_NONE, C_TEXT, F_SMALL, .radius = 5},
    [LOOK_DIALOG] = {C_WINDOW, C_TEXT, .radius = 10, .framed = true, .shadow = true},
    [LOOK_MENU] = {C_PANEL, C_TEXT, .radius = 8, .framed = true, .shadow = true},
    [LOOK_TIP] = {C_TIP, C_ON_TIP, F_SMALL, .radius = 5},
    [LOOK_TOAST] = {C_TIP, C_ON_TIP, .radius = 8, .shadow = true},
    [LOOK_TOAST_ERROR] = {C_DANGER, C_ON_DANGER, .radius = 8, .shadow = true},
};

const struct gui_style *gui_style(const struct gui_widget *w)
{
    return &styles[w->look && !w->disabled ? w->look : (int)w->class->look];
}

enum gui_colour gui_ink(const struct gui_widget *w)
{
    return w->disabled ? C_DIM : gui_style(w)->ink;
}

void gui_colour(cairo_t *cr, const struct gui *g, enum gui_colour c)
{
    uint32_t v = colours[c][g->theme == GUI_DARK];

    cairo_set_source_rgba(cr, (v >> 24) / 255.0, (v >> 16 & 255) / 255.0, (v >> 8 & 255) / 255.0,
                          (v & 255) / 255.0);
}

/* ---- Shapes ---- */

static void round_path(cairo_t *cr, double x, double y, double w, double h, double radius)
{
    radius = CLAMP(radius, 0, MIN(w, h) / 2);
    cairo_new_sub_path(cr);
    cairo_arc(cr, x + w - radius, y + radius, radius, -G_PI_2, 0);
    cairo_arc(cr, x + w - radius, y + h - radius, radius, 0, G_PI_2);
    cairo_arc(cr, x + radius, y + h - radius, radius, G_PI_2, G_PI);
    cairo_arc(cr, x + radius, y + radius, radius, G_PI, 3 * G_PI_2);
    cairo_close_path(cr);
}

void gui_fill(cairo_t *cr, const struct gui *g, struct gui_rect r, double radius, enum gui_colour c)
{
    if (r.w > 0 && r.h > 0) {
        round_path(cr, r.x, r.y, r.w, r.h, radius);
        gui_colour(cr, g, c);
        cairo_fill(cr);
    }
}

/* Inside of the rectangle. */
void gui_frame(cairo_t *cr, const struct gui *g, struct gui_rect r, double radius, double width,
               enum gui_colour c)
{
    if (r.w > width && r.h > width) {
        round_path(cr, r.x + width / 2, r.y + width / 2, r.w - width, r.h - width,
                   radius - width / 2);
        gui_colour(cr, g, c);
        cairo_set_line_width(cr, width);
        cairo_stroke(cr);
    }
}

/* Light falls from above: the shadow is a little lower, and fades out. */
static void draw_shadow(cairo_t *cr, const struct gui *g, struct gui_rect r, double radius)
{
    for (int i = -4; i < 12; i++) {
        double fade = (12 - MAX(i, 0)) / 12.0;

        round_path(cr, r.x - i, r.y - i + 3, r.w + 2 * i, r.h + 2 * i, MAX(radius + i, 2));
        cairo_set_source_rgba(cr, 0, 0, 0, (g->theme == GUI_DARK ? 0.40 : 0.17) * fade * fade);
        cairo_set_line_width(cr, 1);
        cairo_stroke(cr);
    }
}

void gui_draw_ground(cairo_t *cr, struct gui_widget *w)
{
    const struct gui_style *s = gui_style(w);
    struct gui *g = w->gui;
    bool hovered = g->hover == w && !w->disabled && (!g->active || g->active == w);

    if (s->shadow) {
        draw_shadow(cr, g, w->r, s->radius);
    }
    if (s->ground) {
        gui_fill(cr, g, w->r, s->radius,
                 w->disabled && w->class->flags & EDITS ? C_WINDOW : s->ground);
    }
    if (s->framed) {
        gui_frame(cr, g, w->r, s->radius, 1, C_LINE);
    }
    if (s->ground == C_BAR) {
        gui_fill(cr, g, (struct gui_rect){w->r.x, w->r.y, w->r.w, 1}, 0, C_LINE);
    }
    if (gui_is_chosen(w)) {
        gui_fill(cr, g, w->r, 6, C_SELECTED);
    } else if (hovered && (w->class->click || w->class->flags & HOVERS)) {
        gui_fill(cr, g, w->r, s->radius, g->active == w ? C_DOWN : C_HOVER);
    }
}

void gui_draw_light(cairo_t *cr, const struct gui *g, enum gui_light light, double x, double y)
{
    static const enum gui_colour of[] = {[GUI_LIGHT_OFF] = C_LINE,
                                         [GUI_LIGHT_READ] = C_OK,
                                         [GUI_LIGHT_WRITE] = C_ACCENT,
                                         [GUI_LIGHT_ERROR] = C_DANGER};

    gui_colour(cr, g, of[light]);
    cairo_arc(cr, x, y, 3.7, 0, 2 * G_PI);
    cairo_fill(cr);
}

void gui_draw_picture(cairo_t *cr, cairo_surface_t *picture, struct gui_rect r)
{
    double w = cairo_image_surface_get_width(picture), h = cairo_image_surface_get_height(picture);
    double s = MIN(r.w / w, r.h / h);

    cairo_save(cr);
    round_path(cr, r.x, r.y, r.w, r.h, 4);
    cairo_clip(cr);
    cairo_translate(cr, r.x + (r.w - w * s) / 2, r.y + (r.h - h * s) / 2);
    cairo_scale(cr, s, s);
    cairo_set_source_surface(cr, picture, 0, 0);
    cairo_paint(cr);
    cairo_restore(cr);
}

/* ---- Icons ---- */

/*
 * On a grid of 24: M x y, L x y, C x y x y x y and Z as in SVG; O x y radius; R x y w h radius;
 * A x y radius from to (degrees, clockwise).  What stands there is drawn with a line at the end; F
 * fills it, K goes on in the colour of what is on that, and G y colour y colour too, with a
 * gradient; H x y radius colour is a halo.
 */
static const char *const icons[GUI_ICONS] = {
    [GUI_ICON_DISK] = "R 3 5 18 14 3 M 3 13.5 L 21 13.5 M 6.5 16.3 L 11 16.3 M 17 16.3 L 17.5 16.3",
    [GUI_ICON_CD] = "O 12 12 9 O 12 12 2.5 A 12 12 5.7 190 260 A 12 12 5.7 10 80",
    [GUI_ICON_FLOPPY] = "M 4 4 L 17 4 L 20 7 L 20 20 L 4 20 Z M 8 4 L 8 9 L 15 9 L 15 4 M 7 20 L 7 "
                        "13 L 17 13 L 17 20",
    [GUI_ICON_NETWORK] = "R 9 3 6 5 1 R 3 16 6 5 1 R 15 16 6 5 1 M 12 8 L 12 12 M 6 16 L 6 12 L 18 "
                         "12 L 18 16",
    [GUI_ICON_POWER] = "M 12 3 L 12 11 A 12 12.5 8 -58 238",
    [GUI_ICON_RESET] = "A 12 12 8 20 322 M 19 2.5 L 19 7.5 L 14 7.5",
    [GUI_ICON_PAUSE] = "R 6 5 4 14 1 R 14 5 4 14 1 F",
    [GUI_ICON_PLAY] = "M 7.5 4.5 L 19 12 L 7.5 19.5 Z F M 7.5 4.5 L 19 12 L 7.5 19.5 Z",
    [GUI_ICON_CAMERA] = "R 3 7 18 13 2 O 12 13.5 3.7 M 8 7 L 9.5 4 L 14.5 4 L 16 7",
    [GUI_ICON_FULL] = "M 4 9 L 4 4 L 9 4 M 15 4 L 20 4 L 20 9 M 20 15 L 20 20 L 15 20 M 9 20 L 4 "
                      "20 L 4 15",
    [GUI_ICON_KEYBOARD] = "R 2.5 6 19 12 2 M 6.5 10 L 7 10 M 10 10 L 10.5 10 M 13.5 10 L 14 10 M "
                          "17 10 L 17.5 10 M 8 14.3 L 16 14.3",
    [GUI_ICON_MOUSE] = "R 7 3 10 18 5 M 12 7 L 12 10",
    [GUI_ICON_PLUS] = "M 12 5 L 12 19 M 5 12 L 19 12",
    [GUI_ICON_MINUS] = "M 5 12 L 19 12",
    [GUI_ICON_TRASH] = "M 4 7 L 20 7 M 9 7 L 9 4 L 15 4 L 15 7 M 6 7 L 7 20 L 17 20 L 18 7 M 10 11 "
                       "L 10 16 M 14 11 L 14 16",
    [GUI_ICON_GEAR] = "M 3.5 7 L 12 7 M 17.5 7 L 20.5 7 O 14.7 7 2.7 M 3.5 17 L 6.5 17 M 12 17 L "
                      "20.5 17 O 9.3 17 2.7",
    [GUI_ICON_FOLDER] = "M 3 19 L 3 5.5 L 9 5.5 L 11.5 8.5 L 21 8.5 L 21 19 Z",
    [GUI_ICON_FILE] = "M 6 3 L 14 3 L 19 8 L 19 21 L 6 21 Z M 14 3 L 14 8 L 19 8",
    [GUI_ICON_COPY] = "R 8 8 12 12 2 M 16 8 L 16 4 L 4 4 L 4 16 L 8 16",
    [GUI_ICON_SEARCH] = "O 10.5 10.5 6.5 M 15.3 15.3 L 20.5 20.5",
    [GUI_ICON_CHIP] = "R 6 6 12 12 2 R 10 10 4 4 0.5 M 9.5 3 L 9.5 6 M 14.5 3 L 14.5 6 M 9.5 18 L "
                      "9.5 21 M 14.5 18 L 14.5 21 M 3 9.5 L 6 9.5 M 3 14.5 L 6 14.5 M 18 9.5 L 21 "
                      "9.5 M 18 14.5 L 21 14.5",
    [GUI_ICON_EJECT] = "M 12 5 L 20 14 L 4 14 Z M 4 18.5 L 20 18.5",
    [GUI_ICON_INFO] = "O 12 12 9 M 12 11 L 12 16.5 M 12 7.6 L 12 7.7",
    [GUI_ICON_WARNING] = "M 12 3.5 L 21.5 20 L 2.5 20 Z M 12 9.5 L 12 14 M 12 16.9 L 12 17",
    [GUI_ICON_UP] = "M 12 19 L 12 5 M 6 11 L 12 5 L 18 11",
    [GUI_ICON_MENU] = "M 4 7 L 20 7 M 4 12 L 20 12 M 4 17 L 20 17",
    [GUI_ICON_TICK] = "M 5.5 12.5 L 10 17 L 18 7",
    [GUI_ICON_UNCHECKED] = "R 1 1 22 22 5",
    [GUI_ICON_CHECKED] = "R 0 0 24 24 5 F K M 6 12.5 L 10.5 17 L 18 7.5",
    [GUI_ICON_DOWN] = "M 5 9 L 12 16 L 19 9",
    [GUI_ICON_RIGHT] = "M 9 5 L 16 12 L 9 19",
    /* The logo, a candle that burns: its glow, holder, wax, wick and flame. */
    [GUI_ICON_CANDLE] = "H 12 6.5 9 0xffb24090 "
                        "R 5 20 14 2.5 1.25 G 19.5 0xc98b45ff 22.5 0x8e5a22ff "
                        "R 8.5 11 7 9.8 1.4 G 11 0xfff3d6ff 21 0xe9c793ff "
                        "R 11.6 8.5 0.8 2.7 0.4 G 8 0x402914ff 11 0x402914ff "
                        "M 12 1 C 13.4 3 14.7 6.1 14.7 7.3 C 14.7 10 9.3 10 9.3 7.3 "
                        "C 9.3 6.1 10.6 3 12 1 Z G 1 0xffb52eff 10 0xf0680fff "
                        "M 12 4.6 C 12.7 6.6 13.4 6.9 13.4 8.1 C 13.4 9.5 10.6 9.5 10.6 8.1 "
                        "C 10.6 6.9 11.3 6.6 12 4.6 Z G 4.5 0xfff0a8ff 9.6 0xffc845ff",
};

static void add_stop(cairo_pattern_t *p, double at, double rgba)
{
    uint32_t c = (uint32_t)rgba;

    cairo_pattern_add_color_stop_rgba(p, at, (c >> 24) / 255.0, (c >> 16 & 255) / 255.0,
                                      (c >> 8 & 255) / 255.0, (c & 255) / 255.0);
}

/* Fills with a gradient from above to below, or (a halo) with one outwards. */
static void icon_shade(cairo_t *cr, char op, const double *n)
{
    cairo_pattern_t *p = op == 'G' ? cairo_pattern_create_linear(0, n[0], 0, n[2])
                                   : cairo_pattern_create_radial(n[0], n[1], 1, n[0], n[1], n[2]);

    if (op == 'H') {
        cairo_arc(cr, n[0], n[1], n[2], 0, 2 * G_PI);
    }
    add_stop(p, 0, op == 'G' ? n[1] : n[3]);
    add_stop(p, 1, op == 'G' ? n[3] : (uint32_t)n[3] & ~0xffu);
    cairo_save(cr);
    cairo_set_source(cr, p);
    cairo_fill(cr);
    cairo_restore(cr);
    cairo_pattern_destroy(p);
}

static void icon_path(cairo_t *cr, char op, const double *n)
{
    switch (op) {
    case 'M':
        cairo_move_to(cr, n[0], n[1]);
        break;
    case 'L':
        cairo_line_to(cr, n[0], n[1]);
        break;
    case 'C':
        cairo_curve_to(cr, n[0], n[1], n[2], n[3], n[4], n[5]);
        break;
    case 'Z':
        cairo_close_path(cr);
        break;
    case 'O':
        cairo_new_sub_path(cr);
        cairo_arc(cr, n[0], n[1], n[2], 0, 2 * G_PI);
        break;
    case 'A':
        cairo_new_sub_path(cr);
        cairo_arc(cr, n[0], n[1], n[2], n[3] * G_PI / 180, n[4] * G_PI / 180);
        break;
    case 'R':
        round_path(cr, n[0], n[1], n[2], n[3], n[4]);
        break;
    case 'F':
        cairo_fill(cr);
        break;
    default:
        icon_shade(cr, op, n);
        break;
    }
}

void gui_draw_icon(cairo_t *cr, const struct gui *g, enum gui_icon icon, struct gui_rect r,
                   int size, enum gui_colour c)
{
    const char *path = icons[icon];

    if (!path || size <= 0) {
        return;
    }
    cairo_save(cr);
    cairo_translate(cr, r.x + (r.w - size) / 2.0, r.y + (r.h - size) / 2.0);
    cairo_scale(cr, size / 24.0, size / 24.0);
    cairo_new_path(cr);
    gui_colour(cr, g, c);
    while (*path) {
        char op = *path++;
        double n[6] = {0};

        for (unsigned i = 0; *path == ' ' && !g_ascii_isupper(path[1]) && i < ARRAY_LEN(n); i++) {
            n[i] = g_ascii_strtod(path, (char **)&path);
        }
        if (op == 'K') {
            gui_colour(cr, g, C_ON_ACCENT);
        } else {
            icon_path(cr, op, n);
        }
        path += *path == ' ';
    }
    cairo_set_line_width(cr, 1.7);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_stroke(cr);
    cairo_restore(cr);
}

/* ---- Texts ---- */

void gui_fonts_new(struct gui *g)
{
    static const char *const names[F_FONTS] = {
        [F_TEXT] = "DejaVu Sans 13px",
        [F_STRONG] = "DejaVu Sans Bold 13px",
        [F_SMALL] = "DejaVu Sans 11.5px",
        [F_TITLE] = "DejaVu Sans Bold 18px",
    };
    PangoFontMap *map = pango_cairo_font_map_new();
    cairo_font_options_t *options = cairo_font_options_create();

    g->pango = pango_font_map_create_context(map);
    g_object_unref(map);
    /* Colours of sub-pixels would show over what the host blends; places must not hang on scale. */
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_SLIGHT);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    pango_cairo_context_set_font_options(g->pango, options);
    cairo_font_options_destroy(options);
    for (unsigned i = 0; i < F_FONTS; i++) {
        g->fonts[i] = pango_font_description_from_string(names[i]);
    }
}

void gui_fonts_free(struct gui *g)
{
    for (unsigned i = 0; i < F_FONTS; i++) {
        pango_font_description_free(g->fonts[i]);
    }
    g_object_unref(g->pango);
}

char *gui_clean(const char *text)
{
    char *valid =
        g_utf8_make_valid(text ? text : "", text ? (gssize)strnlen(text, GUI_MAX_TEXT) : 0);

    for (char *p = valid; *p; p++) {
        *p = (uint8_t)*p < 0x20 && *p != '\n' ? ' ' : *p;
    }
    return valid;
}

char *gui_plain(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text ? text : "", "_", -1);

    return g_strjoinv("__", parts);
}

/* The text without its marks, the marked letter (or 0) and the line below it. */
static char *split_marks(const char *text, gunichar *letter, PangoAttrList **line)
{
    g_autofree char *escaped = g_markup_escape_text(text, -1);
    char *plain = NULL;

    *letter = 0;
    pango_parse_markup(escaped, -1, '_', line, &plain, letter, NULL);
    return plain;
}

uint32_t gui_mnemonic(const char *text)
{
    gunichar letter;

    g_free(split_marks(text, &letter, NULL));
    return g_unichar_tolower(letter);
}

PangoLayout *gui_text_layout(struct gui *g, enum gui_font font, const char *text, int width,
                             unsigned flags)
{
    PangoLayout *layout = pango_layout_new(g->pango);
    PangoAttrList *line = NULL;
    gunichar letter;
    g_autofree char *plain = flags & T_MARKS ? split_marks(text, &letter, &line) : NULL;

    pango_layout_set_font_description(layout, g->fonts[font]);
    pango_layout_set_single_paragraph_mode(layout, !(flags & T_WRAP));
    pango_layout_set_text(layout, plain ? plain : text, -1);
    if (line) {
        pango_layout_set_attributes(layout, g->by_keys ? line : NULL);
        pango_attr_list_unref(line);
    }
    if (width > 0) {
        pango_layout_set_width(layout, width * PANGO_SCALE);
        pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
        pango_layout_set_ellipsize(layout,
                                   flags & T_WRAP ? PANGO_ELLIPSIZE_NONE : PANGO_ELLIPSIZE_END);
        pango_layout_set_alignment(layout, flags & T_RIGHT ? PANGO_ALIGN_RIGHT : PANGO_ALIGN_LEFT);
    }
    return layout;
}

void gui_mark_text(PangoLayout *layout, const struct gui *g, int from, int to)
{
    uint32_t c = colours[C_SELECTED][g->theme == GUI_DARK];
    PangoAttrList *attrs = pango_attr_list_new();
    PangoAttribute *ground = pango_attr_background_new(
        (uint16_t)(c >> 24) * 257, (uint16_t)(c >> 16 & 255) * 257, (uint16_t)(c >> 8 & 255) * 257);

    ground->start_index = (guint)from;
    ground->end_index = (guint)to;
    pango_attr_list_insert(attrs, ground);
    pango_layout_set_attributes(layout, attrs);
    pango_attr_list_unref(attrs);
}

struct gui_size gui_text_size(struct gui *g, enum gui_font font, const char *text, int width,
                              unsigned flags)
{
    PangoLayout *layout = gui_text_layout(g, font, text, width, flags);
    PangoRectangle r;

    pango_layout_get_extents(layout, NULL, &r);
    g_object_unref(layout);
    return (struct gui_size){PANGO_PIXELS_CEIL(r.width), PANGO_PIXELS_CEIL(r.height)};
}

void gui_draw_text(cairo_t *cr, struct gui *g, enum gui_font font, const char *text,
                   struct gui_rect r, enum gui_colour c, unsigned flags)
{
    PangoLayout *layout;
    PangoRectangle size;

    if (text && *text && r.w > 0 && r.h > 0) {
        layout = gui_text_layout(g, font, text, r.w, flags);
        pango_layout_get_extents(layout, NULL, &size);
        gui_colour(cr, g, c);
        cairo_move_to(cr, r.x, r.y + MAX(0, round((r.h - (double)size.height / PANGO_SCALE) / 2)));
        pango_cairo_show_layout(cr, layout);
        g_object_unref(layout);
    }
}
