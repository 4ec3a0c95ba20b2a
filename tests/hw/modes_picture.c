/* See modes_picture.h.  Not modelled: borders. */
#include "tests/hw/modes_picture.h"
#include "pc-bios/modes/pattern.h"

/* Colours -------------------------------------------------------------------------------------- */

/* The sixteen colours of the CGA, which the BIOS makes in all modes of 16 colours. */
static const uint32_t cga_colors[16] = {
    0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa,
    0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff,
};

/* A colour of the DAC in 6-bit mode: 63 is full. */
static uint32_t dac6(uint32_t seed, unsigned i)
{
    uint32_t rgb = pattern_dac(seed, i) & 0xfcfcfc;

    return rgb | (rgb >> 6 & 0x030303);
}

static uint32_t pen(uint32_t seed, unsigned i)
{
    return dac6(seed, pattern_pen(seed, i));
}

/* Text ----------------------------------------------------------------------------------------- */

enum { CURSOR = 5 * 80 + 17 };

struct text {
    const char *name;
    unsigned columns, lines; /* of the screen, doubling done */
    unsigned dots, cell;     /* of a cell, doubling not done */
    unsigned wide, tall;     /* a dot's and a line's size on the screen; 0: 1 */
    unsigned stride, start;  /* in cells; stride 0: columns */
    unsigned move_x, move_y; /* up to a cell, in dots and lines */
    unsigned split;          /* first line of the lower part, 0: none */
    bool split_moves;        /* move_x and the byte panning go on below */
    int font[2];             /* for attribute bit 3 off and on; -1: the BIOS's */
    bool own_colors;         /* else the CGA's */
    bool separate;           /* characters 0xc0 to 0xdf leave the ninth dot too */
    bool blink, bit3_is_font;
    int underline; /* the line, 0: none */
    bool cursor;
    unsigned cursor_first, cursor_last;
};
enum { BYTE_PANNING = 2 };

#define SCREEN(c, l, d, n) .columns = (c), .lines = (l), .dots = (d), .cell = (n)
#define OWN(a, b)          .font = {(a), (b)}, .own_colors = true
#define BIOS               .font = {-1, -1}
#define MOVED              .stride = 100, .start = 0x123 + BYTE_PANNING, .move_y = 5

static const struct text texts[] = {
    {"text80-bios", SCREEN(80, 400, 9, 16), BIOS},
    {"text40-bios", SCREEN(40, 400, 9, 16), .wide = 2, BIOS},
    {"text80x50-bios", SCREEN(80, 400, 9, 8), BIOS},
    {"text80x28-bios", SCREEN(80, 400, 9, 14), .font = {2, 2}},
    {"text80", SCREEN(80, 400, 9, 16), OWN(1, 1)},
    {"text80-8dot", SCREEN(80, 400, 8, 16), OWN(1, 1)},
    {"text40", SCREEN(40, 400, 9, 16), .wide = 2, OWN(1, 1)},
    {"text80x43", SCREEN(80, 350, 9, 8), OWN(1, 1)},
    {"text80x60", SCREEN(80, 480, 9, 8), OWN(1, 1)},
    {"text-double", SCREEN(80, 400, 9, 8), .tall = 2, OWN(1, 1)},
    {"text-512", SCREEN(80, 400, 9, 16), OWN(1, 2), .bit3_is_font = true},
    {"text-slots", SCREEN(80, 400, 9, 16), OWN(3, 4)},
    {"text-blink", SCREEN(80, 400, 9, 16), OWN(1, 1), .blink = true},
    {"text-nolines", SCREEN(80, 400, 9, 16), OWN(1, 1), .separate = true},
    {"text-underline", SCREEN(80, 400, 8, 16), OWN(1, 1), .underline = 12},
    {"cursor-line", SCREEN(80, 400, 9, 16), OWN(1, 1), .cursor = true, .cursor_first = 13,
     .cursor_last = 14},
    {"cursor-block", SCREEN(80, 400, 9, 16), OWN(1, 1), .cursor = true, .cursor_last = 15},
    {"cursor-inverted", SCREEN(80, 400, 9, 16), OWN(1, 1)},
    {"cursor-off", SCREEN(80, 400, 9, 16), OWN(1, 1)},
    {"text-moved", SCREEN(80, 400, 9, 16), OWN(1, 1), MOVED, .move_x = 4},
    {"text-moved-8dot", SCREEN(80, 400, 8, 16), OWN(1, 1), MOVED, .move_x = 3},
    {"text-split", SCREEN(80, 400, 9, 16), OWN(1, 1), MOVED, .move_x = 4, .split = 188,
     .split_moves = true},
    {"text-split-still", SCREEN(80, 400, 9, 16), OWN(1, 1), MOVED, .move_x = 4, .split = 188},
};

static const struct text *text_find(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
        if (!strcmp(texts[i].name, name)) {
            return &texts[i];
        }
    }
    return NULL;
}

static unsigned text_glyph(const struct text *t, const struct modes_view *view, uint16_t cell,
                           unsigned line)
{
    int font = t->font[cell >> 11 & 1];
    unsigned ch = cell & 0xff;

    return font < 0 ? view->font[ch * t->cell + line] : pattern_glyph((uint32_t)font, ch, line);
}

/* Whether a dot of a cell has the foreground's colour. */
static bool text_is_lit(const struct text *t, const struct modes_view *view, unsigned place,
                        uint16_t cell, unsigned dot, unsigned line)
{
    unsigned ch = cell & 0xff, glyph = text_glyph(t, view, cell, line);

    if (t->cursor && !view->cursor_hidden && place == CURSOR && line >= t->cursor_first &&
        line <= t->cursor_last) {
        return true;
    }
    if (t->blink && cell >> 15 && view->chars_hidden) {
        return false;
    }
    if (t->underline && (cell >> 8 & 7) == 1 && line == (unsigned)t->underline) {
        return true;
    }
    if (dot == 8) {
        return !t->separate && ch >= 0xc0 && ch <= 0xdf && (glyph & 1);
    }
    return glyph >> (7 - dot) & 1;
}

static uint32_t text_pixel(const struct text *t, const struct modes_view *view, unsigned x,
                           unsigned y)
{
    bool below = t->split && y >= t->split, moves = !below || t->split_moves;
    unsigned line = below ? y - t->split : y + t->move_y;
    unsigned start = !below ? t->start : moves ? BYTE_PANNING : 0;
    unsigned dot = x + (moves ? t->move_x : 0), stride = t->stride ? t->stride : t->columns;
    unsigned place = start + line / t->cell * stride + dot / t->dots;
    uint32_t seed = pattern_seed(t->name);
    uint16_t cell = pattern_cell(seed, place % stride, place / stride);
    unsigned background = cell >> 12, foreground = cell >> 8 & 15, color;

    if (t->bit3_is_font) {
        background &= 7;
        foreground &= 7;
    }
    if (t->blink) {
        background &= 7;
    }
    color =
        text_is_lit(t, view, place, cell, dot % t->dots, line % t->cell) ? foreground : background;
    return t->own_colors ? pen(seed, color) : cga_colors[color];
}

static void text_draw(const struct text *t, const struct modes_view *view, struct surface *to)
{
    unsigned wide = MAX(t->wide, 1), tall = MAX(t->tall, 1);

    surface_resize(to, t->columns * t->dots * wide, t->lines);
    for (unsigned y = 0; y < to->height; y++) {
        for (unsigned x = 0; x < to->width; x++) {
            to->pixels[y * to->stride / 4 + x] = text_pixel(t, view, x / wide, y / tall);
        }
    }
}

/* Graphics ------------------------------------------------------------------------------------- */

static uint32_t cga4_pixel(uint32_t seed, unsigned x, unsigned y)
{
    static const uint8_t colors[4] = {0, 11, 13, 15};

    return cga_colors[colors[pattern_pixel(seed, x, y) & 3]];
}

static uint32_t cga4_other_pixel(uint32_t seed, unsigned x, unsigned y)
{
    static const uint8_t colors[4] = {1, 2, 4, 6};

    return cga_colors[colors[pattern_pixel(seed, x, y) & 3]];
}

static uint32_t two_color_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return pattern_pixel(seed, x, y) & 1 ? 0xffffff : 0;
}

static uint32_t cga16_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return cga_colors[pattern_pixel(seed, x, y) & 15];
}

static uint32_t pen_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return pen(seed, pattern_pixel(seed, x, y) & 15);
}

static uint32_t dac_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return dac6(seed, pattern_pixel(seed, x, y) & 0xff);
}

static uint32_t plane_enable_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return pen(seed, pattern_pixel(seed, x, y) & 5);
}

static uint32_t color_select_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return dac6(seed, 0xe0 | (pattern_pen(seed, pattern_pixel(seed, x, y) & 15) & 15));
}

static uint32_t color_select_high_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return dac6(seed, 0x80 | pattern_pen(seed, pattern_pixel(seed, x, y) & 15));
}

static uint32_t pel_mask_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return dac6(seed, pattern_pen(seed, pattern_pixel(seed, x, y) & 15) & 0x2b);
}

/* Lines of 800 pixels, from byte 507 and pixel 5 on. */
static uint32_t planar_moved_pixel(uint32_t seed, unsigned x, unsigned y)
{
    unsigned at = 507 * 8 + 5 + y * 800 + x;

    return pen_pixel(seed, at % 800, at / 800);
}

static uint32_t planar_split_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return y > 300 ? pen_pixel(seed, x + 5, y - 301) : planar_moved_pixel(seed, x, y);
}

static uint32_t planar_split_still_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return y > 300 ? pen_pixel(seed, x, y - 301) : planar_moved_pixel(seed, x, y);
}

/* The planes hold 512 pixels a line of the pattern; the picture begins at byte 0x9000. */
static uint32_t planar_wrapped_pixel(uint32_t seed, unsigned x, unsigned y)
{
    unsigned at = (0x9000 * 8 + y * 640 + x) % (65536 * 8);

    return pen_pixel(seed, at % 512, at / 512);
}

static uint32_t ega_split_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return y > 151 ? pen_pixel(seed, x, (y - 152) / 2) : pen_pixel(seed, x, 20 + y / 2);
}

static uint32_t dark_pixel(uint32_t seed, unsigned x, unsigned y)
{
    (void)seed;
    (void)x;
    (void)y;
    return 0;
}

/* 256 colours ---------------------------------------------------------------------------------- */

static uint32_t chained_moved_pixel(uint32_t seed, unsigned x, unsigned y)
{
    unsigned at = 320 + 2 + y * 320 + x;

    return dac_pixel(seed, at % 320, at / 320);
}

static uint32_t dac_read_pixel(uint32_t seed, unsigned x, unsigned y)
{
    unsigned i = pattern_pixel(seed, x, y) & 0xff;

    return dac6(seed, i < 128 ? i : 255 - i);
}

static uint32_t x_flipped_pixel(uint32_t seed, unsigned x, unsigned y)
{
    uint32_t before = pattern_seed("x320x200");

    (void)seed;
    return dac6(before, pattern_pixel(before + 1, x, y) & 0xff);
}

static uint32_t x_moved_pixel(uint32_t seed, unsigned x, unsigned y)
{
    unsigned at = 1234 * 4 + 3 + y * 400 + x;

    return dac_pixel(seed, at % 400, at / 400);
}

static uint32_t x_split_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return y > 240 ? dac_pixel(seed, x, (y - 241) / 2) : x_moved_pixel(seed, x, y / 2);
}

/* The VBE's -----------------------------------------------------------------------------------
 */

static uint32_t dac8_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return pattern_dac(seed, pattern_pixel(seed, x, y) & 0xff);
}

static uint32_t rgb_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return pattern_rgb(seed, x, y);
}

/* What is left of a colour whose parts have only their upper bits: the lowest is 0, the highest
 * full. */
static uint32_t rgb_rounded(uint32_t rgb, unsigned green_bits)
{
    unsigned red = rgb >> 16 & 0xf8, green = rgb >> 8 & (0xff00u >> green_bits & 0xff);
    unsigned blue = rgb & 0xf8;

    return (red | red >> 5) << 16 | (green | green >> green_bits) << 8 | blue | blue >> 5;
}

static uint32_t rgb15_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return rgb_rounded(pattern_rgb(seed, x, y), 5);
}

static uint32_t rgb16_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return rgb_rounded(pattern_rgb(seed, x, y), 6);
}

static uint32_t vbe_moved_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return pattern_rgb(seed, x + 37, y + 11);
}

static uint32_t vbe_flipped_pixel(uint32_t seed, unsigned x, unsigned y)
{
    (void)seed;
    return pattern_rgb(pattern_seed("vbe-pages") + 1, x, y);
}

static uint32_t dispi_moved_pixel(uint32_t seed, unsigned x, unsigned y)
{
    return rgb16_pixel(seed, x + 19, y + 5);
}

/* The graphics controller ---------------------------------------------------------------------- */

static bool turned_bit(unsigned byte, unsigned right, unsigned x)
{
    byte = (byte >> right | byte << (8 - right)) & 0xff;
    return byte >> (7 - x % 8) & 1;
}

static unsigned op_result(unsigned band, unsigned was, unsigned copied, unsigned data, unsigned x)
{
    unsigned ones = turned_bit(data, 0, x) ? 15 : 0;

    switch (band) {
    case 0:
        return (was & 10) | (ones & 5);
    case 1:
        return turned_bit(data, 3, x) ? 15 : 0;
    case 2:
        return (ones & 9) | 2;
    case 3:
        return was & ones;
    case 4:
        return was | ones;
    case 5:
        return turned_bit(0x5a, 0, x) && turned_bit(data, 5, x) ? was ^ 0xb : was;
    case 6:
        return copied;
    case 7:
        return turned_bit(0x66, 0, x) ? data & 15 : was;
    case 8:
        return turned_bit(data, 1, x) && turned_bit(0x7e, 0, x) ? 9 : was;
    case 9:
        return (was & 7) == 6 ? 15 : 0;
    case 10:
        return was & 4 ? 15 : 0;
    default:
        return was ^ (data & 15);
    }
}

static uint32_t ops_pixel(uint32_t seed, unsigned x, unsigned y)
{
    unsigned was = pattern_pixel(seed, x, y) & 15;
    unsigned copied = pattern_pixel(seed, x, 480 + y % 40) & 15;
    unsigned data = pattern_mix(seed + 1, x / 8, y) & 0xff;

    return pen(seed, op_result(y / 40, was, copied, data, x));
}

static const struct shape {
    const char *name;
    unsigned width, height; /* of the screen */
    unsigned wide, tall;    /* a pixel's size there; lines of split screens: the function's work */
    uint32_t (*pixel)(uint32_t seed, unsigned x, unsigned y);
} shapes[] = {
    {"mode04-bios", 640, 400, 2, 2, cga4_pixel},
    {"mode04-palette-bios", 640, 400, 2, 2, cga4_other_pixel},
    {"mode05-bios", 640, 400, 2, 2, cga4_pixel},
    {"mode06-bios", 640, 400, 1, 2, two_color_pixel},
    {"mode0d-bios", 640, 400, 2, 2, cga16_pixel},
    {"mode0e-bios", 640, 400, 1, 2, cga16_pixel},
    {"mode10-bios", 640, 350, 1, 1, cga16_pixel},
    {"mode11-bios", 640, 480, 1, 1, two_color_pixel},
    {"mode12-bios", 640, 480, 1, 1, cga16_pixel},
    {"ega-low", 640, 400, 2, 2, pen_pixel},
    {"ega-high", 640, 350, 1, 1, pen_pixel},
    {"ega-rows", 640, 400, 2, 2, pen_pixel},
    {"vga-high", 640, 480, 1, 1, pen_pixel},
    {"plane-enable", 640, 480, 1, 1, plane_enable_pixel},
    {"color-select", 640, 480, 1, 1, color_select_pixel},
    {"color-select-high", 640, 480, 1, 1, color_select_high_pixel},
    {"pel-mask", 640, 480, 1, 1, pel_mask_pixel},
    {"planar-moved", 640, 480, 1, 1, planar_moved_pixel},
    {"planar-wrapped", 640, 480, 1, 1, planar_wrapped_pixel},
    {"planar-split", 640, 480, 1, 1, planar_split_pixel},
    {"planar-split-still", 640, 480, 1, 1, planar_split_still_pixel},
    {"ega-split", 640, 400, 2, 1, ega_split_pixel},
    {"planar-dark", 640, 480, 1, 1, dark_pixel},
    {"mode13-bios", 640, 400, 2, 2, dac_pixel},
    {"chained", 640, 400, 2, 2, dac_pixel},
    {"chained-moved", 640, 400, 2, 2, chained_moved_pixel},
    {"dac-read", 640, 400, 2, 2, dac_read_pixel},
    {"x320x200", 640, 400, 2, 2, dac_pixel},
    {"x320x200-flipped", 640, 400, 2, 2, x_flipped_pixel},
    {"x320x240", 640, 480, 2, 2, dac_pixel},
    {"x320x400", 640, 400, 2, 1, dac_pixel},
    {"x360x480", 720, 480, 2, 1, dac_pixel},
    {"x-moved", 640, 400, 2, 2, x_moved_pixel},
    {"x-split", 640, 400, 2, 1, x_split_pixel},
    {"ops", 640, 480, 1, 1, ops_pixel},
    {"vbe-640x480x8-bios", 640, 480, 1, 1, dac_pixel},
    {"vbe-640x480x8-banked", 640, 480, 1, 1, dac_pixel},
    {"vbe-dac8", 640, 480, 1, 1, dac8_pixel},
    {"vbe-640x480x15", 640, 480, 1, 1, rgb15_pixel},
    {"vbe-800x600x4", 800, 600, 1, 1, pen_pixel},
    {"vbe-800x600x16", 800, 600, 1, 1, rgb16_pixel},
    {"vbe-800x600x16-banked", 800, 600, 1, 1, rgb16_pixel},
    {"vbe-1024x768x24", 1024, 768, 1, 1, rgb_pixel},
    {"vbe-1024x768x32-banked", 1024, 768, 1, 1, rgb_pixel},
    {"vbe-1280x1024x32", 1280, 1024, 1, 1, rgb_pixel},
    {"vbe-moved", 640, 480, 1, 1, vbe_moved_pixel},
    {"vbe-pages", 640, 480, 1, 1, rgb_pixel},
    {"vbe-flipped", 640, 480, 1, 1, vbe_flipped_pixel},
    {"dispi-400x300x16", 400, 300, 1, 1, rgb16_pixel},
    {"dispi-moved", 640, 480, 1, 1, dispi_moved_pixel},
    {"dispi-1920x1080x24", 1920, 1080, 1, 1, rgb_pixel},
    {"dispi-2560x1600x32", 2560, 1600, 1, 1, rgb_pixel},
    {"dispi-off", 640, 480, 1, 1, pen_pixel},
    {"retraces", 640, 480, 1, 1, dark_pixel},
};

static void shape_draw(const struct shape *s, struct surface *to)
{
    uint32_t seed = pattern_seed(s->name);

    surface_resize(to, s->width, s->height);
    for (unsigned y = 0; y < to->height; y++) {
        for (unsigned x = 0; x < to->width; x++) {
            to->pixels[y * to->stride / 4 + x] = s->pixel(seed, x / s->wide, y / s->tall);
        }
    }
}

bool modes_expect(const char *name, const struct modes_view *view, struct surface *to)
{
    const struct text *t = text_find(name);

    if (t) {
        text_draw(t, view, to);
        return true;
    }
    for (unsigned i = 0; i < ARRAY_LEN(shapes); i++) {
        if (!strcmp(shapes[i].name, name)) {
            shape_draw(&shapes[i], to);
            return true;
        }
    }
    return false;
}

void modes_blinks(const char *name, bool *cursor, bool *chars)
{
    const struct text *t = text_find(name);

    *cursor = t && t->cursor;
    *chars = t && t->blink;
}

const char *modes_name(unsigned n)
{
    if (n < ARRAY_LEN(texts)) {
        return texts[n].name;
    }
    n -= ARRAY_LEN(texts);
    return n < ARRAY_LEN(shapes) ? shapes[n].name : NULL;
}
