/*
 * Scan-out: what the CRTC, the shift registers, the attribute controller and the DAC make of the
 * planes, line by line, after the IBM VGA/XGA Technical Reference (1992), and the lines of the
 * linear frame buffer.  One routine fetches for all VGA modes; cells of text and the three kinds of
 * graphics pixels differ only in how four fetched bytes become eight or nine dots.
 *
 * Not modelled: display skew, interlace, shift loads of every second or fourth character.
 */
#include "hw/vga_int.h"

enum { VGA_MAX_COLUMNS = 256 };

/* A line about to be drawn. */
struct vga_line {
    uint32_t counter;  /* VGA: the address counter at its start */
    unsigned row_line; /* VGA: line of the row */
    unsigned pan;
};

void vga_get_raster(const struct vga_state *s, struct vga_raster *r)
{
    uint8_t over = s->crtc[CRTC_OVERFLOW], max_scan = s->crtc[CRTC_MAX_SCAN];
    unsigned scale = s->crtc[CRTC_MODE] & 4 ? 2 : 1; /* scan lines per vertical count */

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
    r->lines *= scale;
    r->total_lines *= scale;
    r->sync_start *= scale;
    r->sync_lines *= scale;
    r->line_compare = r->line_compare * scale + scale - 1;
}

uint32_t vga_fetch_address(const struct vga_frame *f, uint32_t counter, unsigned row_line)
{
    uint32_t a = counter & 0xffff;

    if (f->underline & 0x40) { /* doublewords */
        a = a << 2 | (a >> 14 & 3);
    } else if (!(f->crtc_mode & 0x40)) { /* words */
        a = a << 1 | ((f->crtc_mode & 0x20 ? a >> 15 : a >> 13) & 1);
    }
    if (!(f->crtc_mode & 1)) { /* CGA: odd lines 8 KiB further on */
        a = (a & ~0x2000u) | (row_line & 1) << 13;
    }
    if (!(f->crtc_mode & 2)) { /* Hercules */
        a = (a & ~0x4000u) | (row_line & 2) << 13;
    }
    return a & VGA_PLANE_MASK;
}

/* Dots of one character clock ------------------------------------------------------------------ */

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

static void vga_draw_cell(const struct vga_job *job, uint32_t *to, uint32_t counter,
                          uint32_t fetched, unsigned row_line)
{
    const struct vga_frame *f = job->f;
    uint8_t ch = (uint8_t)fetched, attr = (uint8_t)(fetched >> 8);
    uint32_t font = f->fonts[attr >> 3 & 1] + ch * 32u + row_line;
    unsigned dots = job->v->mem[4 * (font & VGA_PLANE_MASK) + 2];
    unsigned fg = attr & 15, bg = attr >> 4;
    bool ninth = (f->ac_mode & 4) && ch >= 0xc0 && ch <= 0xdf; /* line drawing reaches into it */

    if (f->ac_mode & 8) {
        bg &= 7;
        if ((attr & 0x80) && job->now.chars_off) {
            fg = bg;
        }
    }
    if ((attr & 7) == 1 && row_line == (f->underline & 31u)) {
        dots = 0xff;
    }
    if (counter == job->now.cursor && row_line >= job->now.first && row_line <= job->now.last) {
        dots = 0xff;
        fg = attr & 15;
        ninth = true;
    }
    uint32_t on = f->palette[fg], off = f->palette[bg];
    vga_draw_dots(to, dots >> 4, on, off);
    vga_draw_dots(to + 4, dots & 15, on, off);
    if (f->r.cell_width == 9) {
        to[8] = ninth && (dots & 1) ? on : off;
    }
}

static void vga_draw_pixels(const struct vga_frame *f, uint32_t *to, uint32_t fetched)
{
    uint8_t p0 = (uint8_t)fetched, p1 = (uint8_t)(fetched >> 8);
    uint8_t p2 = (uint8_t)(fetched >> 16), p3 = (uint8_t)(fetched >> 24);

    if (f->gc_mode & 0x40) { /* 256 colours, two dots each */
        to[0] = to[1] = f->color[p0];
        to[2] = to[3] = f->color[p1];
        to[4] = to[5] = f->color[p2];
        to[6] = to[7] = f->color[p3];
    } else if (f->gc_mode & 0x20) { /* CGA: bit pairs of even and odd bytes */
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

/* The cells of a line that are seen, in part with panning. */
static unsigned vga_cells(const struct vga_job *job, const struct vga_line *line)
{
    return job->f->r.columns + (line->pan ? 1 : 0);
}

/* Which lines ---------------------------------------------------------------------------------- */

/* Whether bytes [from, to) of memory were written to since the last frame. */
static bool vga_stored(const struct vga *v, uint64_t from, uint64_t to)
{
    to = MIN(to, v->ram->size);
    for (; from < to; from = (from | 255) + 1) {
        uint16_t units = v->units[from >> PAGE_SHIFT];

        if (!units) {
            from |= PAGE_OFFSET_MASK;
        } else if (units >> (from >> 8 & 15) & 1) {
            return true;
        }
    }
    return false;
}

static bool vga_line_has_cursor(const struct vga_job *job, const struct vga_blink *b,
                                const struct vga_line *line)
{
    return line->row_line >= b->first && line->row_line <= b->last && b->cursor != UINT32_MAX &&
           ((b->cursor - line->counter) & 0xffff) < vga_cells(job, line);
}

/* Whether the memory under a line of text or planar pixels was written to. */
static bool vga_line_stored(const struct vga_job *job, const struct vga_line *line)
{
    const struct vga_frame *f = job->f;
    uint32_t steps = (vga_cells(job, line) - 1) >> f->column_shift;
    uint32_t first = vga_fetch_address(f, line->counter, line->row_line);
    uint32_t last = vga_fetch_address(f, line->counter + steps, line->row_line);
    unsigned stride = f->underline & 0x40 ? 4 : f->crtc_mode & 0x40 ? 1 : 2;

    if (last - first != steps * stride) { /* the addresses wrap somewhere: rare */
        return true;
    }
    return vga_stored(job->v, 4ull * first, 4ull * last + 4);
}

static bool vga_line_wanted(const struct vga_job *job, const struct vga_line *line, unsigned y)
{
    bool blinks = job->now.chars_off != job->was.chars_off && job->blinking;

    if (job->all || vga_line_stored(job, line)) {
        return true;
    }
    if (blinks && (job->blinking[y / 64] >> (y % 64) & 1)) {
        return true;
    }
    return job->f->text &&
           (job->now.cursor != job->was.cursor || job->now.first != job->was.first ||
            job->now.last != job->was.last) &&
           (vga_line_has_cursor(job, &job->now, line) || vga_line_has_cursor(job, &job->was, line));
}

static void vga_note_line(const struct vga_job *job, unsigned y)
{
    struct surface *to = job->to;

    if (!to->changed_lines) {
        to->changed_top = y;
    }
    to->changed_lines = y + 1 - to->changed_top;
}

/* VGA lines ------------------------------------------------------------------------------------ */

/* The dots of a line.  Gives the cells' attributes, ORed. */
static uint8_t vga_draw_line(const struct vga_job *job, const struct vga_line *line, uint32_t *dots)
{
    const struct vga_frame *f = job->f;
    uint32_t seen = 0;

    for (unsigned i = 0; i < vga_cells(job, line); i++, dots += f->r.cell_width) {
        uint32_t at = line->counter + (i >> f->column_shift);
        uint32_t fetched = ld_le32(job->v->mem + 4 * vga_fetch_address(f, at, line->row_line));
        if (f->text) {
            seen |= fetched;
            vga_draw_cell(job, dots, at & 0xffff, fetched, line->row_line);
        } else {
            vga_draw_pixels(f, dots, fetched);
        }
    }
    return (uint8_t)(seen >> 8);
}

static uint32_t *vga_line_of(const struct surface *to, unsigned y)
{
    return (uint32_t *)((uint8_t *)to->pixels + (size_t)y * to->stride);
}

static void vga_copy_line(const struct vga_job *job, unsigned y, const uint32_t *dots)
{
    uint32_t *out = vga_line_of(job->to, y);
    unsigned width = job->to->width;

    if (job->f->r.dot_width == 1) {
        memcpy(out, dots, width * 4);
    } else {
        for (unsigned x = 0; x < width; x++) {
            out[x] = dots[x / 2];
        }
    }
}

static void vga_note_blinking(const struct vga_job *job, unsigned y, bool on)
{
    if (job->blinking) {
        uint64_t bit = BIT64(y % 64), *word = &job->blinking[y / 64];

        *word = on ? *word | bit : *word & ~bit;
    }
}

static void vga_draw_raster(const struct vga_job *job)
{
    const struct vga_frame *f = job->f;
    uint32_t dots[(VGA_MAX_COLUMNS + 2) * 9];
    struct vga_line line = {.counter = f->start, .row_line = f->row_line, .pan = f->pan};
    unsigned repeated = 0;
    bool wanted = false, blinks = false;

    for (unsigned y = 0; y < job->to->height; y++) {
        if (repeated == 0) {
            wanted = vga_line_wanted(job, &line, y);
            if (wanted) {
                uint8_t seen = vga_draw_line(job, &line, dots);
                blinks = f->text && (f->ac_mode & 8) && (seen & 0x80);
            }
        }
        if (wanted) {
            vga_copy_line(job, y, dots + line.pan);
            vga_note_blinking(job, y, blinks);
            vga_note_line(job, y);
        }
        if (++repeated == f->r.repeat) {
            repeated = 0;
            if (++line.row_line >= f->r.cell_lines) {
                line.row_line = 0;
                line.counter += f->offset;
            }
        }
        if (y == f->r.line_compare) { /* the lower part of a split screen starts at address 0 */
            bool still = f->ac_mode & 0x20;

            line.counter = still ? 0 : f->byte_pan;
            line.row_line = repeated = 0;
            line.pan = still ? 0 : line.pan;
        }
    }
}

/* VBE lines ------------------------------------------------------------------------------------ */

static uint32_t vga_expand(uint32_t val, unsigned bits)
{
    return bits == 6 ? val << 2 | val >> 4 : val << 3 | val >> 2;
}

static void vga_draw_16(const struct vga_frame *f, const uint8_t *from, uint32_t *out)
{
    unsigned green = f->vbe.bpp == 15 ? 5 : 6;

    for (unsigned x = 0; x < f->width; x++) {
        uint32_t p = ld_le16(from + 2 * x);

        out[x] = vga_expand(p >> (5 + green) & 31, 5) << 16 |
                 vga_expand(p >> 5 & (BIT(green) - 1), green) << 8 | vga_expand(p & 31, 5);
    }
}

static void vga_draw_packed(const struct vga_frame *f, const uint8_t *from, uint32_t *out)
{
    switch (f->vbe.bpp) {
    case 8:
        for (unsigned x = 0; x < f->width; x++) {
            out[x] = f->color[from[x]];
        }
        break;
    case 24:
        for (unsigned x = 0; x < f->width; x++) {
            out[x] = from[3 * x] | (uint32_t)from[3 * x + 1] << 8 | (uint32_t)from[3 * x + 2] << 16;
        }
        break;
    case 32:
        for (unsigned x = 0; x < f->width; x++) {
            out[x] = ld_le32(from + 4 * x) & 0xffffff;
        }
        break;
    default:
        vga_draw_16(f, from, out);
    }
}

static void vga_draw_planar(const struct vga_frame *f, const uint8_t *from, uint32_t *out)
{
    uint32_t dots[VBE_MAX_WIDTH + 16];

    for (unsigned x = 0; x < f->width + f->vbe.pan; x += 8, from += 4) {
        vga_draw_pixels(f, dots + x, ld_le32(from));
    }
    memcpy(out, dots + f->vbe.pan, f->width * 4);
}

static void vga_draw_vbe(const struct vga_job *job)
{
    const struct vga_vbe *m = &job->f->vbe;
    uint64_t bytes = m->bpp == 4 ? align_up(m->width + m->pan, 8) / 2
                                 : (uint64_t)m->width * align_up(m->bpp, 8) / 8;
    uint64_t at = m->start;

    for (unsigned y = 0; y < job->to->height; y++, at += m->pitch) {
        uint32_t *out = vga_line_of(job->to, y);
        bool there = at + bytes <= job->v->ram->size;

        if (!job->all && !(there && vga_stored(job->v, at, at + bytes))) {
            continue;
        }
        vga_note_line(job, y);
        if (!there) {
            memset(out, 0, job->to->width * 4ul);
        } else if (m->bpp == 4) {
            vga_draw_planar(job->f, job->v->mem + at, out);
        } else {
            vga_draw_packed(job->f, job->v->mem + at, out);
        }
    }
}

void vga_draw_job(const struct vga_job *job)
{
    struct surface *to = job->to;

    surface_resize(to, job->f->width, job->f->height);
    to->tube = !job->v->vbe.on;
    to->changed_top = to->changed_lines = 0;
    switch (job->f->kind) {
    case VGA_KIND_VGA:
        vga_draw_raster(job);
        break;
    case VGA_KIND_VBE:
        vga_draw_vbe(job);
        break;
    default:
        if (job->all) {
            memset(to->pixels, 0, (size_t)to->stride * to->height);
            to->changed_lines = to->height;
        }
    }
}
