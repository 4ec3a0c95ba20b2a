/*
 * The VGA's scan-out: what the CRTC, the shift registers, the attribute controller and the DAC make
 * of the planes, line by line, after the IBM VGA/XGA Technical Reference (1992).  One routine
 * fetches for all modes; cells of text and the three kinds of graphics pixels differ only in how
 * four fetched bytes become eight or nine dots.
 *
 * The surface is the raster: dots across (twice where the dot clock is halved) by scan lines down
 * (doubled lines drawn twice).  So text is 720x400, mode 0x13 640x400, mode 0x12 640x480.
 *
 * Not modelled: borders, cursor and display skew, interlace, scan lines of half the vertical clock,
 * changes in mid-frame.
 */
#include "hw/vga_int.h"

enum { VGA_MAX_COLUMNS = 256, VGA_MAX_WIDTH = 2560, VGA_CURSOR_PHASE = 1, VGA_BLINK_PHASE = 2 };

/* One frame's settings, taken from the registers once. */
struct vga_frame {
    const struct vga_state *s;
    struct vga_raster r;
    bool text;
    uint8_t blinks;       /* phases in which cursor and blinking characters are off */
    uint32_t color[256];  /* what 8-bit pixels look like */
    uint32_t palette[16]; /* what 4-bit pixels look like */
    uint32_t fonts[2];    /* plane 2 addresses: attribute bit 3 off, on */
    uint32_t cursor;      /* address counter at the cursor, UINT32_MAX: none */
    unsigned cursor_first, cursor_last;
    unsigned column_shift; /* the address counter steps every 1 << n character clocks */
};

void vga_get_raster(const struct vga_state *s, struct vga_raster *r)
{
    uint8_t over = s->crtc[CRTC_OVERFLOW], max_scan = s->crtc[CRTC_MAX_SCAN];

    r->columns = s->crtc[CRTC_H_DISPLAY_END] + 1u;
    r->cell_width = s->seq[SEQ_CLOCKING] & 1 ? 8 : 9;
    r->dot_width = s->seq[SEQ_CLOCKING] & 8 ? 2 : 1;
    r->lines = (s->crtc[CRTC_V_DISPLAY_END] | (over & 2u) << 7 | (over & 0x40u) << 3) + 1;
    r->cell_lines = (max_scan & 0x1f) + 1u;
    r->repeat = max_scan & 0x80 ? 2 : 1;
    r->total_columns = s->crtc[CRTC_H_TOTAL] + 5u;
    r->total_lines = (s->crtc[CRTC_V_TOTAL] | (over & 1u) << 8 | (over & 0x20u) << 4) + 2;
    r->sync_start = s->crtc[CRTC_V_SYNC_START] | (over & 4u) << 6 | (over & 0x80u) << 2;
    r->sync_start =
        MIN(r->sync_start, r->total_lines - 1); /* waiting programs must not wait for ever */
    r->sync_lines = (s->crtc[CRTC_V_SYNC_END] - r->sync_start) & 15;
    r->sync_lines = MAX(r->sync_lines, 1);
    r->line_compare = s->crtc[CRTC_LINE_COMPARE] | (over & 0x10u) << 4 | (max_scan & 0x40u) << 3;
}

static bool vga_is_programmed(const struct vga_state *s)
{
    return s->crtc[CRTC_H_DISPLAY_END] && s->crtc[CRTC_V_TOTAL] && s->crtc[CRTC_V_DISPLAY_END];
}

static bool vga_is_blanked(const struct vga_state *s)
{
    return !vga_is_programmed(s) || (s->seq[SEQ_CLOCKING] & 0x20) ||
           !(s->ac_index & VGA_AC_SCREEN_ON);
}

static uint16_t vga_start_address(const struct vga_state *s)
{
    return (uint16_t)(s->crtc[CRTC_START_HIGH] << 8 | s->crtc[CRTC_START_LOW]);
}

/* The address in the planes for a value of the address counter, in a line of a row. */
static uint32_t vga_fetch_address(const struct vga_state *s, uint32_t counter, unsigned row_line)
{
    uint8_t mode = s->crtc[CRTC_MODE];
    uint32_t a = counter & 0xffff;

    if (s->crtc[CRTC_UNDERLINE] & 0x40) { /* doublewords */
        a = a << 2 | (a >> 14 & 3);
    } else if (!(mode & 0x40)) { /* words */
        a = a << 1 | ((mode & 0x20 ? a >> 15 : a >> 13) & 1);
    }
    if (!(mode & 1)) { /* CGA: odd lines 8 KiB further on */
        a = (a & ~0x2000u) | (row_line & 1) << 13;
    }
    if (!(mode & 2)) { /* Hercules */
        a = (a & ~0x4000u) | (row_line & 2) << 13;
    }
    return a & VGA_PLANE_MASK;
}

/* Colours */

static uint32_t vga_dac_color(const struct vga_state *s, uint8_t index)
{
    const uint8_t *e = s->dac + (index & s->dac_mask) * 3;
    uint32_t rgb = 0;

    for (unsigned i = 0; i < 3; i++) {
        rgb = rgb << 8 | (e[i] << 2 | e[i] >> 4);
    }
    return rgb;
}

static void vga_take_colors(struct vga_frame *f)
{
    const struct vga_state *s = f->s;
    uint8_t mode = s->ac[AC_MODE], select = s->ac[AC_COLOR_SELECT];

    for (unsigned i = 0; i < 256; i++) {
        f->color[i] = vga_dac_color(s, (uint8_t)i);
    }
    for (unsigned i = 0; i < 16; i++) {
        uint8_t pen = s->ac[i & s->ac[AC_PLANES]] & 0x3f;
        if (mode & 0x80) {
            pen = (uint8_t)((pen & 0x0f) | (select & 3) << 4);
        }
        f->palette[i] = f->color[pen | (select & 0x0c) << 4];
    }
}

/* Dots of one character clock */

#define DOTS(n)                                                                                    \
    {                                                                                              \
        -((n) >> 3 & 1u), -((n) >> 2 & 1u), -((n) >> 1 & 1u), -((n)&1u)                            \
    }

/* Four dots of a glyph.  The inner loop of text: masks from a table become two vector instructions.
 */
static inline void vga_draw_dots(uint32_t *to, unsigned dots, uint32_t on, uint32_t off)
{
    static const uint32_t mask[16][4] = {
        DOTS(0), DOTS(1), DOTS(2),  DOTS(3),  DOTS(4),  DOTS(5),  DOTS(6),  DOTS(7),
        DOTS(8), DOTS(9), DOTS(10), DOTS(11), DOTS(12), DOTS(13), DOTS(14), DOTS(15),
    };

    for (unsigned i = 0; i < 4; i++) {
        to[i] = off ^ ((on ^ off) & mask[dots][i]);
    }
}

static void vga_draw_cell(const struct vga_frame *f, uint32_t *to, uint32_t counter,
                          uint32_t fetched, unsigned row_line)
{
    const struct vga_state *s = f->s;
    uint8_t ch = (uint8_t)fetched, attr = (uint8_t)(fetched >> 8);
    uint32_t font = f->fonts[attr >> 3 & 1] + ch * 32u + row_line;
    unsigned dots = s->vram[4 * (font & VGA_PLANE_MASK) + 2];
    unsigned fg = attr & 15, bg = attr >> 4;

    if (s->ac[AC_MODE] & 8) {
        bg &= 7;
        if ((attr & 0x80) && (f->blinks & VGA_BLINK_PHASE)) {
            fg = bg;
        }
    }
    if ((attr & 7) == 1 && row_line == (s->crtc[CRTC_UNDERLINE] & 31u)) {
        dots = 0xff;
    }
    if (counter == f->cursor && row_line >= f->cursor_first && row_line <= f->cursor_last) {
        dots = 0xff;
        fg = attr & 15;
    }
    uint32_t on = f->palette[fg], off = f->palette[bg];
    vga_draw_dots(to, dots >> 4, on, off);
    vga_draw_dots(to + 4, dots & 15, on, off);
    if (f->r.cell_width == 9) { /* line drawing characters reach into the ninth dot */
        bool joins = (s->ac[AC_MODE] & 4) && ch >= 0xc0 && ch <= 0xdf;
        to[8] = (joins || counter == f->cursor) && (dots & 1) ? on : off;
    }
}

static void vga_draw_pixels(const struct vga_frame *f, uint32_t *to, uint32_t fetched)
{
    uint8_t p0 = (uint8_t)fetched, p1 = (uint8_t)(fetched >> 8);
    uint8_t p2 = (uint8_t)(fetched >> 16), p3 = (uint8_t)(fetched >> 24);

    if (f->s->gc[GC_MODE] & 0x40) { /* 256 colours, two dots each */
        to[0] = to[1] = f->color[p0];
        to[2] = to[3] = f->color[p1];
        to[4] = to[5] = f->color[p2];
        to[6] = to[7] = f->color[p3];
    } else if (f->s->gc[GC_MODE] & 0x20) { /* CGA: bit pairs of even and odd bytes */
        for (unsigned i = 0; i < 4; i++) {
            unsigned shift = 6 - 2 * i;
            to[i] = f->palette[(p0 >> shift & 3) | (p2 >> shift & 3) << 2];
            to[i + 4] = f->palette[(p1 >> shift & 3) | (p3 >> shift & 3) << 2];
        }
    } else {
        for (unsigned i = 0; i < 8; i++) {
            unsigned shift = 7 - i;
            to[i] = f->palette[(p0 >> shift & 1) | (p1 >> shift & 1) << 1 | (p2 >> shift & 1) << 2 |
                               (p3 >> shift & 1) << 3];
        }
    }
    if (f->r.cell_width == 9) {
        to[8] = to[7];
    }
}

/* Lines */

/* The dots of a line from address counter `counter` on: one column more than shown, for panning. */
static void vga_draw_line(const struct vga_frame *f, uint32_t *dots, uint32_t counter,
                          unsigned row_line)
{
    for (unsigned i = 0; i <= f->r.columns; i++, dots += f->r.cell_width) {
        uint32_t at = counter + (i >> f->column_shift);
        uint32_t fetched = ld_le32(f->s->vram + 4 * vga_fetch_address(f->s, at, row_line));
        if (f->text) {
            vga_draw_cell(f, dots, at & 0xffff, fetched, row_line);
        } else {
            vga_draw_pixels(f, dots, fetched);
        }
    }
}

static void vga_copy_line(const struct vga_frame *f, struct surface *to, unsigned y,
                          const uint32_t *dots)
{
    uint32_t *out = (uint32_t *)((uint8_t *)to->pixels + (size_t)y * to->stride);

    if (f->r.dot_width == 1) {
        memcpy(out, dots, to->width * 4);
    } else {
        for (unsigned x = 0; x < to->width; x++) {
            out[x] = dots[x / 2];
        }
    }
}

/* How many dots the picture is moved to the left. */
static unsigned vga_panning(const struct vga_frame *f)
{
    unsigned pan = f->s->ac[AC_PANNING];

    if (f->r.cell_width == 9) { /* 8: not moved, 0..7: one to eight dots */
        return pan >= 8 ? 0 : pan + 1;
    }
    return pan & 7;
}

static void vga_draw_lines(const struct vga_frame *f, struct surface *to)
{
    uint32_t dots[(VGA_MAX_COLUMNS + 2) * 9];
    const struct vga_state *s = f->s;
    uint32_t offset = s->crtc[CRTC_OFFSET] * 2u;
    uint32_t counter = vga_start_address(s) + (s->crtc[CRTC_PRESET_ROW] >> 5 & 3);
    unsigned row_line = s->crtc[CRTC_PRESET_ROW] & 0x1f, repeated = 0, pan = vga_panning(f);

    for (unsigned y = 0; y < to->height; y++) {
        if (repeated == 0 || y == 0) {
            vga_draw_line(f, dots, counter, row_line);
        }
        vga_copy_line(f, to, y, dots + pan);
        if (++repeated == f->r.repeat) {
            repeated = 0;
            if (++row_line >= f->r.cell_lines) {
                row_line = 0;
                counter += offset;
            }
        }
        if (y == f->r.line_compare) { /* the lower part of a split screen starts at address 0 */
            counter = 0;
            row_line = repeated = 0;
            pan = s->ac[AC_MODE] & 0x20 ? 0 : pan;
        }
    }
}

/* Frames */

static void vga_take_fonts(struct vga_frame *f)
{
    uint8_t map = f->s->seq[SEQ_CHAR_MAP];
    unsigned a = (map >> 2 & 3) | (map >> 3 & 4), b = (map & 3) | (map >> 2 & 4);

    f->fonts[0] = (b & 3) << 14 | (b & 4) << 11;
    f->fonts[1] = (a & 3) << 14 | (a & 4) << 11;
}

static void vga_take_cursor(struct vga_frame *f)
{
    const struct vga_state *s = f->s;
    bool off = (s->crtc[CRTC_CURSOR_START] & 0x20) || (f->blinks & VGA_CURSOR_PHASE);

    f->cursor =
        off ? UINT32_MAX : (uint32_t)s->crtc[CRTC_CURSOR_HIGH] << 8 | s->crtc[CRTC_CURSOR_LOW];
    f->cursor_first = s->crtc[CRTC_CURSOR_START] & 0x1f;
    f->cursor_last = s->crtc[CRTC_CURSOR_END] & 0x1f;
}

static void vga_start_frame(struct vga_frame *f, const struct vga_state *s, uint8_t blinks)
{
    f->s = s;
    f->text = vga_is_text(s);
    f->blinks = blinks;
    f->column_shift = s->crtc[CRTC_UNDERLINE] & 0x20 ? 2 : s->crtc[CRTC_MODE] & 8 ? 1 : 0;
    vga_get_raster(s, &f->r);
    vga_take_colors(f);
    vga_take_fonts(f);
    vga_take_cursor(f);
}

/* Phases of what blinks in this mode: the cursor changes every 8 frames, characters every 16. */
static uint8_t vga_blinks(const struct vga *v)
{
    const struct vga_state *s = &v->s;
    uint64_t frames = clock_ns_to_ticks(clock_now(v->dev.m), 70);
    uint8_t blinks = 0;

    if (!vga_is_text(s)) {
        return 0;
    }
    if (!(s->crtc[CRTC_CURSOR_START] & 0x20) && (frames >> 3 & 1)) {
        blinks |= VGA_CURSOR_PHASE;
    }
    if ((s->ac[AC_MODE] & 8) && (frames >> 4 & 1)) {
        blinks |= VGA_BLINK_PHASE;
    }
    return blinks;
}

static void vga_draw_blank(const struct vga_state *s, struct surface *to)
{
    struct vga_raster r;

    vga_get_raster(s, &r);
    if (vga_is_programmed(s)) {
        surface_resize(to, MIN(r.columns * r.cell_width * r.dot_width, VGA_MAX_WIDTH), r.lines);
    } else {
        surface_resize(to, 720, 400);
    }
    memset(to->pixels, 0, (size_t)to->stride * to->height);
}

static void vga_draw_frame(const struct vga_state *s, uint8_t blinks, struct surface *to)
{
    struct vga_frame f;

    if (vga_is_blanked(s)) {
        vga_draw_blank(s, to);
    } else {
        vga_start_frame(&f, s, blinks);
        surface_resize(to, MIN(f.r.columns * f.r.cell_width * f.r.dot_width, VGA_MAX_WIDTH),
                       f.r.lines);
        vga_draw_lines(&f, to);
    }
    to->tube = true;
    to->changed_top = 0;
    to->changed_lines = to->height;
}

static bool vga_draw(struct device *dev, struct surface *to)
{
    struct vga *v = container_of(dev, struct vga, dev);
    uint8_t blinks = vga_blinks(v);

    if (!v->dirty && blinks == v->blinks && to->pixels) {
        to->changed_lines = 0;
        return false;
    }
    v->dirty = false;
    v->blinks = blinks;
    vga_draw_frame(&v->s, blinks, to);
    return true;
}

static void vga_shot(struct device *dev, struct surface *to)
{
    struct vga *v = container_of(dev, struct vga, dev);

    vga_draw_frame(&v->s, vga_blinks(v), to);
}

static bool vga_text(struct device *dev, struct text_cell *cells, size_t max, unsigned *cols,
                     unsigned *rows)
{
    const struct vga_state *s = &container_of(dev, struct vga, dev)->s;
    struct vga_raster r;

    vga_get_raster(s, &r);
    if (!vga_is_text(s) || !vga_is_programmed(s)) {
        return false;
    }
    uint32_t counter = vga_start_address(s) + (s->crtc[CRTC_PRESET_ROW] >> 5 & 3);
    *cols = r.columns;
    *rows = MIN(r.lines / (r.cell_lines * r.repeat), (unsigned)(max / r.columns));
    for (unsigned row = 0; row < *rows; row++) {
        if (row * r.cell_lines * r.repeat == r.line_compare + 1) {
            counter = 0;
        }
        for (unsigned i = 0; i < *cols; i++, cells++) {
            const uint8_t *cell = s->vram + 4 * vga_fetch_address(s, counter + i, 0);
            cells->ch = cell[0];
            cells->attr = cell[1];
        }
        counter += s->crtc[CRTC_OFFSET] * 2u;
    }
    return true;
}

const struct display_ops vga_display_ops = {
    .draw = vga_draw,
    .shot = vga_shot,
    .text = vga_text,
};
