/*
 * How the toolkit looks: the theme's table, icons, shapes and texts.
 *
 * Colours are chosen so that texts stand out by 4.5 to 1 at least (WCAG 2, section 1.4.3).
 *
 * Not here: what is painted where; each widget does that.
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

void gui_round(cairo_t *cr, struct gui_rect r, double radius, double inset)
{
    round_path(cr, r.x + inset, r.y + inset, r.w - 2 * inset, r.h - 2 * inset, radius - inset);
}

void gui_fill(cairo_t *cr, const struct gui *g, struct gui_rect r, double radius, enum gui_colour c)
{
    if (r.w > 0 && r.h > 0) {
        gui_round(cr, r, radius, 0);
        gui_colour(cr, g, c);
        cairo_fill(cr);
    }
}

void gui_frame(cairo_t *cr, const struct gui *g, struct gui_rect r, double radius,
               enum gui_colour c)
{
    if (r.w > 1 && r.h > 1) {
        gui_round(cr, r, radius, 0.5);
        gui_colour(cr, g, c);
        cairo_set_line_width(cr, 1);
        cairo_stroke(cr);
    }
}

/* Light falls from above: the shadow is a little lower, and fades out. */
void gui_shadow(cairo_t *cr, const struct gui *g, struct gui_rect r, double radius)
{
    for (int i = -4; i < 12; i++) {
        struct gui_rect around = {r.x - i, r.y - i + 3, r.w + 2 * i, r.h + 2 * i};

        double fade = (12 - MAX(i, 0)) / 12.0;

        gui_round(cr, around, MAX(radius + i, 2), 0);
        cairo_set_source_rgba(cr, 0, 0, 0, (g->theme == GUI_DARK ? 0.40 : 0.17) * fade * fade);
        cairo_set_line_width(cr, 1);
        cairo_stroke(cr);
    }
}

/* Who has the keyboard: a ring just outside of it. */
void gui_ring(cairo_t *cr, const struct gui *g, struct gui_rect r, double radius)
{
    struct gui_rect around = {r.x - 3, r.y - 3, r.w + 6, r.h + 6};

    gui_round(cr, around, radius + 3, 1);
    gui_colour(cr, g, C_ACCENT);
    cairo_set_line_width(cr, 2);
    cairo_stroke(cr);
}

/* ---- Icons ---- */

/*
 * On a grid of 24: M x y, L x y and Z as in SVG; O x y radius; R x y w h radius; A x y radius from
 * to (degrees, clockwise); F fills what stands before it; the rest is drawn with a line.
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
    [GUI_ICON_FULL] =
        "M 4 9 L 4 4 L 9 4 M 15 4 L 20 4 L 20 9 M 20 15 L 20 20 L 15 20 M 9 20 L 4 20 "
        "L 4 15",
    [GUI_ICON_KEYBOARD] =
        "R 2.5 6 19 12 2 M 6.5 10 L 7 10 M 10 10 L 10.5 10 M 13.5 10 L 14 10 M 17 "
        "10 L 17.5 10 M 8 14.3 L 16 14.3",
    [GUI_ICON_MOUSE] = "R 7 3 10 18 5 M 12 7 L 12 10",
    [GUI_ICON_PLUS] = "M 12 5 L 12 19 M 5 12 L 19 12",
    [GUI_ICON_TRASH] = "M 4 7 L 20 7 M 9 7 L 9 4 L 15 4 L 15 7 M 6 7 L 7 20 L 17 20 L 18 7 M 10 11 "
                       "L 10 16 M 14 11 L 14 16",
    [GUI_ICON_GEAR] = "M 3.5 7 L 12 7 M 17.5 7 L 20.5 7 O 14.7 7 2.7 M 3.5 17 L 6.5 17 M 12 17 L "
                      "20.5 17 O 9.3 17 2.7",
    [GUI_ICON_FOLDER] = "M 3 19 L 3 5.5 L 9 5.5 L 11.5 8.5 L 21 8.5 L 21 19 Z",
    [GUI_ICON_FILE] = "M 6 3 L 14 3 L 19 8 L 19 21 L 6 21 Z M 14 3 L 14 8 L 19 8",
    [GUI_ICON_COPY] = "R 8 8 12 12 2 M 16 8 L 16 4 L 4 4 L 4 16 L 8 16",
    [GUI_ICON_SEARCH] = "O 10.5 10.5 6.5 M 15.3 15.3 L 20.5 20.5",
    [GUI_ICON_SOUND] = "M 4 9.5 L 8 9.5 L 12.5 5.5 L 12.5 18.5 L 8 14.5 L 4 14.5 Z A 12.5 12 3.7 "
                       "-45 45 A 12.5 12 7.5 -50 50",
    [GUI_ICON_CHIP] =
        "R 6 6 12 12 2 R 10 10 4 4 0.5 M 9.5 3 L 9.5 6 M 14.5 3 L 14.5 6 M 9.5 18 L 9.5 21 M 14.5 "
        "18 "
        "L 14.5 21 M 3 9.5 L 6 9.5 M 3 14.5 L 6 14.5 M 18 9.5 L 21 9.5 M 18 14.5 L 21 14.5",
    [GUI_ICON_EJECT] = "M 12 5 L 20 14 L 4 14 Z M 4 18.5 L 20 18.5",
    [GUI_ICON_INFO] = "O 12 12 9 M 12 11 L 12 16.5 M 12 7.6 L 12 7.7",
    [GUI_ICON_WARNING] = "M 12 3.5 L 21.5 20 L 2.5 20 Z M 12 9.5 L 12 14 M 12 16.9 L 12 17",
    [GUI_ICON_UP] = "M 12 19 L 12 5 M 6 11 L 12 5 L 18 11",
    [GUI_ICON_MENU] = "M 4 7 L 20 7 M 4 12 L 20 12 M 4 17 L 20 17",
};

static void icon_path(cairo_t *cr, char op, const double *n)
{
    switch (op) {
    case 'M':
        cairo_move_to(cr, n[0], n[1]);
        break;
    case 'L':
        cairo_line_to(cr, n[0], n[1]);
        break;
    case 'Z':
        cairo_close_path(cr);
        break;
    case 'O':
        cairo_new_sub_path(cr);
        cairo_arc(cr, n[0], n[1], n[2], 0, 2 * G_PI);
        cairo_close_path(cr);
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
        break;
    }
}

static void icon_draw(cairo_t *cr, const char *path)
{
    while (*path) {
        char op = *path++;
        double n[5] = {0};
        char *end;

        for (unsigned i = 0; i < ARRAY_LEN(n); i++, path = end) {
            n[i] = g_ascii_strtod(path, &end);
            if (end == path) {
                break;
            }
        }
        icon_path(cr, op, n);
        path += strspn(path, " ");
    }
    cairo_set_line_width(cr, 1.7);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_stroke(cr);
}

static void set_gradient(cairo_t *cr, double y0, uint32_t from, double y1, uint32_t to)
{
    cairo_pattern_t *p = cairo_pattern_create_linear(0, y0, 0, y1);

    cairo_pattern_add_color_stop_rgb(p, 0, (from >> 16) / 255.0, (from >> 8 & 255) / 255.0,
                                     (from & 255) / 255.0);
    cairo_pattern_add_color_stop_rgb(p, 1, (to >> 16) / 255.0, (to >> 8 & 255) / 255.0,
                                     (to & 255) / 255.0);
    cairo_set_source(cr, p);
    cairo_pattern_destroy(p);
}

static void flame_path(cairo_t *cr, double x, double top, double bottom, double half)
{
    double belly = bottom - half;

    cairo_move_to(cr, x, top);
    cairo_curve_to(cr, x + half * 0.5, top + 2, x + half, belly - 1.2, x + half, belly);
    cairo_curve_to(cr, x + half, bottom, x - half, bottom, x - half, belly);
    cairo_curve_to(cr, x - half, belly - 1.2, x - half * 0.5, top + 2, x, top);
    cairo_close_path(cr);
}

/* The logo: a candle that burns. */
static void candle_draw(cairo_t *cr)
{
    cairo_pattern_t *glow = cairo_pattern_create_radial(12, 6.5, 1, 12, 6.5, 9);

    cairo_pattern_add_color_stop_rgba(glow, 0, 1, 0.70, 0.25, 0.55);
    cairo_pattern_add_color_stop_rgba(glow, 1, 1, 0.70, 0.25, 0);
    cairo_set_source(cr, glow);
    cairo_paint(cr);
    cairo_pattern_destroy(glow);
    set_gradient(cr, 19.5, 0xc98b45, 22.5, 0x8e5a22); /* the holder */
    round_path(cr, 5, 20, 14, 2.5, 1.25);
    cairo_fill(cr);
    set_gradient(cr, 11, 0xfff3d6, 21, 0xe9c793); /* the wax */
    round_path(cr, 8.5, 11, 7, 9.8, 1.4);
    cairo_fill(cr);
    cairo_set_source_rgb(cr, 0.25, 0.16, 0.08); /* the wick */
    cairo_move_to(cr, 12, 11.2);
    cairo_line_to(cr, 12, 8.5);
    cairo_set_line_width(cr, 0.8);
    cairo_stroke(cr);
    set_gradient(cr, 1, 0xffb52e, 10, 0xf0680f);
    flame_path(cr, 12, 1, 10, 2.7);
    cairo_fill(cr);
    set_gradient(cr, 4.5, 0xfff0a8, 9.6, 0xffc845);
    flame_path(cr, 12, 4.6, 9.5, 1.4);
    cairo_fill(cr);
}

void gui_draw_icon(cairo_t *cr, const struct gui *g, enum gui_icon icon, double x, double y,
                   double size, enum gui_colour c)
{
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_scale(cr, size / 24, size / 24);
    cairo_new_path(cr);
    if (icon == GUI_ICON_CANDLE) {
        cairo_rectangle(cr, 0, 0, 24, 24);
        cairo_clip(cr);
        candle_draw(cr);
    } else if (icon > GUI_NO_ICON && icon < GUI_ICONS) {
        gui_colour(cr, g, c);
        icon_draw(cr, icons[icon]);
    }
    cairo_restore(cr);
}

void gui_draw_light(cairo_t *cr, const struct gui *g, enum gui_light light, double x, double y,
                    double radius)
{
    static const enum gui_colour of[] = {[GUI_LIGHT_OFF] = C_LINE,
                                         [GUI_LIGHT_READ] = C_OK,
                                         [GUI_LIGHT_WRITE] = C_ACCENT,
                                         [GUI_LIGHT_ERROR] = C_DANGER};

    if (light > GUI_LIGHT_NONE && light < ARRAY_LEN(of)) {
        gui_colour(cr, g, of[light]);
        cairo_arc(cr, x, y, radius, 0, 2 * G_PI);
        cairo_fill(cr);
    }
}

/* ---- Texts ---- */

static const struct {
    double size; /* units of a line's em */
    PangoWeight weight;
} fonts[F_FONTS] = {
    [F_TEXT] = {13, PANGO_WEIGHT_NORMAL},
    [F_STRONG] = {13, PANGO_WEIGHT_BOLD},
    [F_SMALL] = {11.5, PANGO_WEIGHT_NORMAL},
    [F_TITLE] = {18, PANGO_WEIGHT_BOLD},
};

char *gui_clean(const char *text)
{
    g_autofree char *valid = NULL;
    char *to;

    text = text ? text : "";
    valid = g_utf8_make_valid(text, (gssize)strnlen(text, GUI_MAX_TEXT));
    to = valid;
    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        int len = (int)(g_utf8_next_char(p) - p);

        if ((uint8_t)*p < 0x20 && *p != '\n') {
            *to++ = ' ';
        } else {
            memmove(to, p, (size_t)len);
            to += len;
        }
    }
    *to = 0;
    return g_steal_pointer(&valid);
}

char *gui_plain(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text ? text : "", "_", -1);

    return g_strjoinv("__", parts);
}

/* `text` without its marks; *at: the marked letter's place in it, or -1. */
static char *split_mnemonic(const char *text, int *at)
{
    GString *out = g_string_new(NULL);

    *at = -1;
    for (; *text; text++) {
        if (*text == '_' && text[1]) {
            text++;
            if (*text != '_' && *at < 0) {
                *at = (int)out->len;
            }
        }
        g_string_append_c(out, *text);
    }
    return g_string_free(out, FALSE);
}

uint32_t gui_mnemonic(const char *text)
{
    int at;
    g_autofree char *plain = split_mnemonic(text ? text : "", &at);

    return at < 0 ? 0 : g_unichar_tolower(g_utf8_get_char(plain + at));
}

PangoLayout *gui_text_layout(struct gui *g, enum gui_font font, const char *text, unsigned flags)
{
    PangoLayout *layout = pango_layout_new(g->pango);
    PangoFontDescription *desc = pango_font_description_from_string("DejaVu Sans");
    int at = -1;

    pango_font_description_set_absolute_size(desc, fonts[font].size * PANGO_SCALE);
    pango_font_description_set_weight(desc, fonts[font].weight);
    pango_layout_set_font_description(layout, desc);
    pango_font_description_free(desc);
    pango_layout_set_single_paragraph_mode(layout, !(flags & T_WRAP));
    if (flags & T_MNEMONIC) {
        g_autofree char *plain = split_mnemonic(text, &at);

        pango_layout_set_text(layout, plain, -1);
        if (at >= 0 && g->by_keys) {
            PangoAttrList *attrs = pango_attr_list_new();
            PangoAttribute *line = pango_attr_underline_new(PANGO_UNDERLINE_LOW);

            line->start_index = (guint)at;
            line->end_index = (guint)(g_utf8_next_char(plain + at) - plain);
            pango_attr_list_insert(attrs, line);
            pango_layout_set_attributes(layout, attrs);
            pango_attr_list_unref(attrs);
        }
    } else {
        pango_layout_set_text(layout, text, -1);
    }
    return layout;
}

static void layout_fit(PangoLayout *layout, int width, unsigned flags)
{
    if (width > 0) {
        pango_layout_set_width(layout, width * PANGO_SCALE);
        if (flags & T_WRAP) {
            pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
        } else {
            pango_layout_set_ellipsize(layout, PANGO_ELLIPSIZE_END);
        }
    }
}

struct gui_size gui_text_size(struct gui *g, enum gui_font font, const char *text, int width,
                              unsigned flags)
{
    PangoLayout *layout = gui_text_layout(g, font, text, flags);
    PangoRectangle r;

    layout_fit(layout, width, flags);
    pango_layout_get_extents(layout, NULL, &r);
    g_object_unref(layout);
    return (struct gui_size){(int)ceil((double)r.width / PANGO_SCALE),
                             (int)ceil((double)r.height / PANGO_SCALE)};
}

void gui_draw_text(cairo_t *cr, struct gui *g, enum gui_font font, const char *text,
                   struct gui_rect r, enum gui_colour c, unsigned flags)
{
    PangoLayout *layout;
    PangoRectangle size;

    if (!text || !*text || r.w <= 0 || r.h <= 0) {
        return;
    }
    layout = gui_text_layout(g, font, text, flags);
    layout_fit(layout, r.w, flags);
    if (flags & T_RIGHT) {
        pango_layout_set_alignment(layout, PANGO_ALIGN_RIGHT);
    }
    pango_layout_get_extents(layout, NULL, &size);
    gui_colour(cr, g, c);
    cairo_move_to(cr, r.x, r.y + MAX(0, round((r.h - (double)size.height / PANGO_SCALE) / 2)));
    pango_cairo_show_layout(cr, layout);
    g_object_unref(layout);
}
