/*
 * The display's frames: what a frame looks like by the registers, and which of its lines changed
 * since the last one.
 *
 * A frame's settings are plain values (struct vga_frame); where they differ from the last frame's,
 * everything is drawn anew.  Else the lines are drawn whose memory was written to (the CPU's window
 * notes units of 256 bytes, the linear frame buffer has the dirty bits of its pages), which hold
 * the cursor or held it, and whose blinking characters change.  With nothing of that, a frame costs
 * a look at the dirty bits of the memory that is shown.
 *
 * The surface is the raster without its border: dots across (twice where the dot clock is halved)
 * by scan lines down (doubled lines drawn twice).  So text is 720x400, mode 0x13 640x400, mode 0x12
 * 640x480, a VBE mode its own size.
 *
 * Not modelled: the border (overscan): the raster's visible part alone is shown; changes of
 * registers in mid-frame; blinking in graphics modes.
 */
#include "hw/vga_int.h"

/* Settings ------------------------------------------------------------------------------------- */

static bool vga_is_programmed(const struct vga_state *s)
{
    return s->crtc[CRTC_H_DISPLAY_END] && s->crtc[CRTC_V_TOTAL] && s->crtc[CRTC_V_DISPLAY_END];
}

static bool vga_is_blanked(const struct vga *v)
{
    const struct vga_state *s = &v->s;

    return (!v->vbe.on && !vga_is_programmed(s)) || (s->seq[SEQ_CLOCKING] & 0x20) ||
           !(s->ac_index & VGA_AC_SCREEN_ON);
}

static uint32_t vga_dac_color(const struct vga_state *s, uint8_t index)
{
    const uint8_t *e = s->dac + (index & s->dac_mask) * 3;
    bool wide = s->vbe[VBE_ENABLE] & VBE_8BIT_DAC;
    uint32_t rgb = 0;

    for (unsigned i = 0; i < 3; i++) { /* of six bits, all ones are white all the same */
        rgb = rgb << 8 | e[i] | (wide ? 0 : e[i] >> 6);
    }
    return rgb;
}

static void vga_take_colors(struct vga_frame *f, const struct vga_state *s)
{
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

static void vga_take_fonts(struct vga_frame *f, const struct vga_state *s)
{
    uint8_t map = s->seq[SEQ_CHAR_MAP];
    unsigned a = (map >> 2 & 3) | (map >> 3 & 4), b = (map & 3) | (map >> 2 & 4);

    f->fonts[0] = (b & 3) << 14 | (b & 4) << 11;
    f->fonts[1] = (a & 3) << 14 | (a & 4) << 11;
}

/* How many dots the picture is moved to the left. */
static unsigned vga_panning(const struct vga_state *s, unsigned cell_width)
{
    unsigned pan = s->ac[AC_PANNING];

    if (cell_width == 9) { /* 8: not moved, 0..7: one to eight dots */
        return pan >= 8 ? 0 : pan + 1;
    }
    return pan & 7;
}

static void vga_take_addresses(struct vga_frame *f, const struct vga_state *s)
{
    f->byte_pan = s->crtc[CRTC_PRESET_ROW] >> 5 & 3;
    f->start = (s->crtc[CRTC_START_HIGH] << 8 | s->crtc[CRTC_START_LOW]) + f->byte_pan;
    f->offset = s->crtc[CRTC_OFFSET] * 2u;
    f->row_line = s->crtc[CRTC_PRESET_ROW] & 0x1f;
    f->pan = vga_panning(s, f->r.cell_width);
    f->column_shift = s->crtc[CRTC_UNDERLINE] & 0x20 ? 2 : s->crtc[CRTC_MODE] & 8 ? 1 : 0;
    f->crtc_mode = s->crtc[CRTC_MODE];
    f->underline = s->crtc[CRTC_UNDERLINE];
}

void vga_take_frame(const struct vga *v, struct vga_frame *f)
{
    const struct vga_state *s = &v->s;

    memset(f, 0, sizeof *f);
    f->kind = vga_is_blanked(v) ? VGA_KIND_BLANK : v->vbe.on ? VGA_KIND_VBE : VGA_KIND_VGA;
    vga_get_raster(s, &f->r);
    if (v->vbe.on) {
        f->vbe = v->vbe;
        f->width = v->vbe.width;
        f->height = v->vbe.height;
    } else if (vga_is_programmed(s)) {
        f->width = MIN(f->r.columns * f->r.cell_width * f->r.dot_width, VBE_MAX_WIDTH);
        f->height = f->r.lines;
    } else {
        f->width = 720;
        f->height = 400;
    }
    if (f->kind == VGA_KIND_BLANK) {
        return;
    }
    f->text = !v->vbe.on && vga_is_text(s);
    f->ac_mode = s->ac[AC_MODE];
    f->gc_mode = v->vbe.on ? 0 : s->gc[GC_MODE];
    vga_take_colors(f, s);
    vga_take_fonts(f, s);
    vga_take_addresses(f, s);
}

/* The cursor changes every 8 frames, characters every 16. */
static void vga_take_blink(const struct vga *v, struct vga_blink *b)
{
    const struct vga_state *s = &v->s;
    uint64_t frames = clock_ns_to_ticks(clock_now(v->dev.m), 70);
    unsigned skew = s->crtc[CRTC_CURSOR_END] >> 5 & 3;

    memset(b, 0, sizeof *b); /* compared as bytes */
    b->cursor = UINT32_MAX;
    if (v->vbe.on || !vga_is_text(s)) {
        return;
    }
    b->chars_off = (s->ac[AC_MODE] & 8) && (frames >> 4 & 1);
    if (!(s->crtc[CRTC_CURSOR_START] & 0x20) && !(frames >> 3 & 1)) {
        b->cursor = ((uint32_t)s->crtc[CRTC_CURSOR_HIGH] << 8 | s->crtc[CRTC_CURSOR_LOW]) + skew;
        b->cursor &= 0xffff;
        b->first = s->crtc[CRTC_CURSOR_START] & 0x1f;
        b->last = s->crtc[CRTC_CURSOR_END] & 0x1f;
    }
}

/* Frames --------------------------------------------------------------------------------------- */

/* The bytes of memory that a frame shows, as pages [*first, *first + *n). */
static void vga_shown_pages(const struct vga *v, const struct vga_frame *f, uint64_t *first,
                            uint64_t *n)
{
    uint64_t pages = v->ram->size >> PAGE_SHIFT, end;

    *first = 0;
    switch (f->kind) {
    case VGA_KIND_VBE:
        *first = MIN(f->vbe.start >> PAGE_SHIFT, pages);
        end = f->vbe.start + (uint64_t)f->vbe.pitch * f->vbe.height + PAGE_OFFSET_MASK;
        *n = MIN(end >> PAGE_SHIFT, pages) - *first;
        break;
    case VGA_KIND_VGA:
        *n = 4 * VGA_PLANE_BYTES >> PAGE_SHIFT;
        break;
    default:
        *n = 0;
    }
}

/* Gather in v->units what was stored to memory that is shown; whether anything was. */
static bool vga_take_stores(struct vga *v)
{
    uint64_t map[VGA_PAGES_MAX / 64], first, n;
    bool any = v->stored;

    v->stored = false;
    vga_shown_pages(v, &v->frame, &first, &n);
    if (!n || !ram_take_dirty(v->ram, first, n, map)) {
        return any;
    }
    for (uint64_t i = 0; i < n; i++) {
        if (map[i / 64] >> (i % 64) & 1) {
            v->units[first + i] = 0xffff;
        }
    }
    v->fonts_stored = true;
    return true;
}

static void vga_clear_units(struct vga *v)
{
    uint64_t first, n;

    vga_shown_pages(v, &v->frame, &first, &n);
    memset(v->units + first, 0, n * sizeof *v->units);
    v->fonts_stored = false;
}

static bool vga_draw(struct device *dev, struct surface *to)
{
    struct vga *v = container_of(dev, struct vga, dev);
    struct vga_job job = {.v = v, .f = &v->frame, .was = v->blink, .to = to};
    bool stored;

    if (v->touched) {
        struct vga_frame next;

        vga_take_frame(v, &next);
        job.all = memcmp(&next, &v->frame, sizeof next) != 0;
        v->frame = next;
        v->touched = false;
    }
    job.all |= !to->pixels || to->width != v->frame.width || to->height != v->frame.height;
    stored = vga_take_stores(v);
    vga_take_blink(v, &job.now);
    if (!job.all && !stored && !memcmp(&job.now, &job.was, sizeof job.now)) {
        to->changed_lines = 0;
        return false;
    }
    job.all |= v->frame.text && v->fonts_stored;
    job.blinking = v->blinking;
    vga_draw_job(&job);
    v->blink = job.now;
    vga_clear_units(v);
    return to->changed_lines > 0;
}

static void vga_shot(struct device *dev, struct surface *to)
{
    const struct vga *v = container_of(dev, struct vga, dev);
    struct vga_frame f;
    struct vga_job job = {.v = v, .f = &f, .all = true, .to = to};

    vga_take_frame(v, &f);
    vga_take_blink(v, &job.now);
    vga_draw_job(&job);
}

static bool vga_text(struct device *dev, struct text_cell *cells, size_t max, unsigned *cols,
                     unsigned *rows)
{
    const struct vga *v = container_of(dev, struct vga, dev);
    struct vga_frame f;

    if (v->vbe.on || !vga_is_text(&v->s) || !vga_is_programmed(&v->s)) {
        return false;
    }
    vga_take_frame(v, &f);
    vga_take_addresses(&f, &v->s); /* also when blanked */
    uint32_t counter = f.start;
    *cols = f.r.columns;
    *rows = MIN(f.r.lines / (f.r.cell_lines * f.r.repeat), (unsigned)(max / f.r.columns));
    for (unsigned row = 0; row < *rows; row++) {
        if (row * f.r.cell_lines * f.r.repeat == f.r.line_compare + 1) {
            counter = 0;
        }
        for (unsigned i = 0; i < *cols; i++, cells++) {
            const uint8_t *cell = v->mem + 4 * vga_fetch_address(&f, counter + i, 0);
            cells->ch = cell[0];
            cells->attr = cell[1];
        }
        counter += f.offset;
    }
    return true;
}

const struct display_ops vga_display_ops = {
    .draw = vga_draw,
    .shot = vga_shot,
    .text = vga_text,
};
