/*
 * The card's VGA: its registers, after the IBM VGA/XGA Technical Reference (1992) and the Hardware
 * section of the PS/2 manuals, and the device.  Its memory as the CPU sees it is in vga_mem.c, the
 * Bochs VBE registers and the PCI function are in vga_vbe.c, the picture in vga_frame.c and
 * vga_draw.c.
 *
 * Not modelled: the vertical interrupt's wire (its bit in input status 0 is there), the light pen,
 * monitor sensing, DAC bus snow.
 */
#include "hw/pci.h"
#include "hw/vga.h"
#include "hw/vga_int.h"

enum { VGA_MISC_COLOR = 1 };

static struct vga *vga_of(struct device *dev)
{
    return container_of(dev, struct vga, dev);
}

/* Registers */

/* Whether the chip answers at a port: the CRTC and status 1 move between 0x3b0 and 0x3d0. */
static bool vga_has_port(const struct vga *v, unsigned port)
{
    bool color = v->s.misc & VGA_MISC_COLOR;

    return port < 0x3c0 ? !color : port < 0x3d0 || color;
}

/* Where the beam is, in lines and columns of a raster: it follows from virtual time. */
struct vga_beam {
    uint64_t frames; /* the pictures that ended up to now */
    uint64_t line, column;
    bool shown, retrace;
};

/* VBE modes have 60 frames a second, a twentieth of each the vertical blanking. */
static void vga_get_vbe_beam(const struct vga *v, struct vga_beam *b)
{
    unsigned height = v->vbe.height, lines = height + MAX(height / 19, 8), columns = 1000;
    uint64_t at = clock_ns_to_ticks(clock_now(v->dev.m), 60ull * lines * columns);

    b->frames = (at / columns + lines - height) / lines;
    b->line = at / columns % lines;
    b->column = at % columns;
    b->retrace = b->line > height && b->line < height + 6;
    b->shown = b->line < height && b->column < 800;
}

static void vga_get_beam(const struct vga *v, struct vga_beam *b)
{
    const struct vga_state *s = &v->s;
    uint64_t hz = (s->misc >> 2 & 3) == 1 ? 28322000 : 25175000, dots, clocks;
    struct vga_raster r;

    if (v->vbe.on) {
        vga_get_vbe_beam(v, b);
        return;
    }
    vga_get_raster(s, &r);
    dots = clock_ns_to_ticks(clock_now(v->dev.m), hz);
    clocks = dots / (r.cell_width * r.dot_width);
    b->line = clocks / r.total_columns;
    b->frames = (b->line + r.total_lines - MIN(r.lines, r.total_lines)) / r.total_lines;
    b->line %= r.total_lines;
    b->column = clocks % r.total_columns;
    b->retrace = b->line >= r.sync_start && b->line < r.sync_start + r.sync_lines;
    b->shown = b->line < r.lines && b->column < r.columns;
}

/* Input status 1: bit 0 no display, bit 3 vertical retrace. */
static uint8_t vga_read_status1(struct vga *v)
{
    struct vga_beam b;

    v->s.ac_data = false;
    vga_get_beam(v, &b);
    return (uint8_t)((b.retrace ? 8 : 0) | (b.shown ? 0 : 1));
}

/*
 * Input status 0: bit 7, the vertical interrupt: a picture ended since bit 4 of the retrace end
 * register was set, which clears it while it is 0; bit 5 keeps it off.  Bit 4: a colour monitor.
 */
static uint8_t vga_read_status0(const struct vga *v)
{
    uint8_t end = v->s.crtc[CRTC_V_SYNC_END];
    struct vga_beam b;

    vga_get_beam(v, &b);
    return 0x10 | ((end & 0x30) == 0x10 && b.frames != v->s.frame_cleared ? 0x80 : 0);
}

static void vga_start_dac(struct vga_state *s, uint8_t *index, uint8_t val, uint8_t state)
{
    *index = val;
    s->dac_part = 0;
    s->dac_state = state;
}

/* The DAC has eight bits, of which the CPU sees the upper six unless it asks for all. */
static unsigned vga_dac_shift(const struct vga_state *s)
{
    return s->vbe[VBE_ENABLE] & VBE_8BIT_DAC ? 0 : 2;
}

static uint8_t vga_read_dac(struct vga_state *s)
{
    uint8_t val = s->dac[s->dac_read_index * 3 + s->dac_part];

    if (++s->dac_part == 3) {
        s->dac_part = 0;
        s->dac_read_index++;
    }
    return val >> vga_dac_shift(s);
}

static void vga_write_dac(struct vga_state *s, uint8_t val)
{
    val = (uint8_t)(val << vga_dac_shift(s));
    if (s->dac_part < 2) {
        s->dac_first[s->dac_part++] = val;
        return;
    }
    uint8_t *entry = s->dac + s->dac_write_index * 3;
    entry[0] = s->dac_first[0];
    entry[1] = s->dac_first[1];
    entry[2] = val;
    s->dac_part = 0;
    s->dac_write_index++;
}

uint32_t vga_read(struct vga *v, unsigned port)
{
    struct vga_state *s = &v->s;

    if (!vga_has_port(v, port)) {
        return 0xff;
    }
    switch (port) {
    case 0x3c0:
        return s->ac_index;
    case 0x3c1:
        return s->ac[s->ac_index & 31];
    case 0x3c2:
        return vga_read_status0(v);
    case 0x3c3:
        return s->enable;
    case 0x3c4:
        return s->seq_index;
    case 0x3c5:
        return s->seq[s->seq_index];
    case 0x3c6:
        return s->dac_mask;
    case 0x3c7:
        return s->dac_state;
    case 0x3c8:
        return s->dac_write_index;
    case 0x3c9:
        return vga_read_dac(s);
    case 0x3ca:
        return s->feature;
    case 0x3cc:
        return s->misc;
    case 0x3ce:
        return s->gc_index;
    case 0x3cf:
        return s->gc[s->gc_index];
    case 0x3b4:
    case 0x3d4:
        return s->crtc_index;
    case 0x3b5:
    case 0x3d5:
        return s->crtc[s->crtc_index];
    case 0x3ba:
    case 0x3da:
        return vga_read_status1(v);
    default:
        return 0xff;
    }
}

static void vga_write_attribute(struct vga_state *s, uint8_t val)
{
    static const uint8_t mask[AC_COUNT] = {
        [0 ... 15] = 0x3f, [16] = 0xef, [17] = 0xff, [18] = 0x3f, [19] = 0x0f, [20] = 0x0f};
    unsigned index = s->ac_index & 31;

    if (!s->ac_data) {
        s->ac_index = val & 0x3f;
    } else if (index >= 16 || !(s->ac_index & VGA_AC_SCREEN_ON)) {
        s->ac[index] = val & mask[index]; /* the palette cannot be written while it is displayed */
    }
    s->ac_data = !s->ac_data;
}

static void vga_write_crtc(struct vga *v, uint8_t val)
{
    struct vga_state *s = &v->s;
    unsigned index = s->crtc_index;

    if (index <= CRTC_OVERFLOW && (s->crtc[CRTC_V_SYNC_END] & 0x80)) { /* write protection */
        if (index == CRTC_OVERFLOW) { /* but for the line compare bit */
            s->crtc[index] = (uint8_t)((s->crtc[index] & ~0x10) | (val & 0x10));
        }
        return;
    }
    if (index == CRTC_V_SYNC_END && !(s->crtc[index] & 0x10)) {
        struct vga_beam b;

        vga_get_beam(v, &b);
        s->frame_cleared = b.frames;
    }
    if (index <= CRTC_LINE_COMPARE) {
        s->crtc[index] = val;
    }
}

void vga_write(struct vga *v, unsigned port, uint8_t val)
{
    static const uint8_t seq_mask[SEQ_COUNT] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
    static const uint8_t gc_mask[GC_COUNT] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
    struct vga_state *s = &v->s;

    if (!vga_has_port(v, port)) {
        return;
    }
    switch (port) {
    case 0x3c0:
        vga_write_attribute(s, val);
        break;
    case 0x3c2:
        s->misc = val & 0xef;
        break;
    case 0x3c3:
        s->enable = val & 1;
        return;
    case 0x3c4:
        s->seq_index = val & (SEQ_COUNT - 1);
        return;
    case 0x3c5:
        s->seq[s->seq_index] = val & seq_mask[s->seq_index];
        break;
    case 0x3c6:
        s->dac_mask = val;
        break;
    case 0x3c7:
        vga_start_dac(s, &s->dac_read_index, val, 3);
        return;
    case 0x3c8:
        vga_start_dac(s, &s->dac_write_index, val, 0);
        return;
    case 0x3c9:
        vga_write_dac(s, val);
        break;
    case 0x3ce:
        s->gc_index = val & (GC_COUNT - 1);
        return;
    case 0x3cf:
        s->gc[s->gc_index] = val & gc_mask[s->gc_index];
        break;
    case 0x3b4:
    case 0x3d4:
        s->crtc_index = val & (CRTC_COUNT - 1);
        return;
    case 0x3b5:
    case 0x3d5:
        vga_write_crtc(v, val);
        break;
    case 0x3ba:
    case 0x3da:
        s->feature = val & 3;
        return;
    default:
        return;
    }
    v->touched = true;
    vga_update_access(v);
}

static uint32_t vga_port_read(struct device *dev, unsigned off, unsigned size)
{
    (void)size;
    return vga_read(vga_of(dev), 0x3c0 + off);
}

static void vga_port_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    (void)size;
    vga_write(vga_of(dev), 0x3c0 + off, (uint8_t)val);
}

/* The monochrome ports lie below, up to 0x3bb: 0x3bc is a parallel port's. */
static uint32_t vga_mono_read(struct device *dev, unsigned off, unsigned size)
{
    (void)size;
    return vga_read(vga_of(dev), 0x3b0 + off);
}

static void vga_mono_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    (void)size;
    vga_write(vga_of(dev), 0x3b0 + off, (uint8_t)val);
}

/* The device */

static void vga_reset(struct device *dev)
{
    vga_vbe_reset(vga_of(dev));
}

static void vga_loaded(struct device *dev)
{
    vga_vbe_loaded(vga_of(dev));
}

static bool vga_attach(struct device *dev, GError **err)
{
    struct vga *v = vga_of(dev);
    struct machine *m = dev->m;
    uint64_t bytes = m->config.video_memory;

    if (bytes < VM_MIN_VIDEO_MEMORY || bytes > VM_MAX_VIDEO_MEMORY || (bytes & (bytes - 1))) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG,
                    "video memory of %" G_GUINT64_FORMAT
                    " bytes: it must be 1, 2, 4, 8, 16, 32 or 64 MiB",
                    bytes);
        return false;
    }
    v->ram = ram_new(m, "vga-memory", bytes, err);
    if (!v->ram) {
        return false;
    }
    v->mem = v->ram->host;
    v->units = g_new0(uint16_t, bytes / PAGE_BYTES);
    ram_set_log_dirty(v->ram, true);
    region_init_mmio(&v->window, "vga", dev, &vga_mem_ops, VGA_WINDOW_BYTES);
    region_add(m, &v->window, 0xa0000, VGA_WINDOW_PRIORITY);
    if (pci_func(dev)) { /* else a test's, on no board */
        pci_set_bar_size(dev, 0, (uint32_t)bytes);
        pci_set_bar_ram(dev, 0, v->ram, 0);
    }
    m->display = &vga_display_ops;
    m->display_dev = dev;
    return true;
}

static void vga_detach(struct device *dev)
{
    g_clear_pointer(&vga_of(dev)->units, g_free);
}

static void vga_info(struct device *dev, GString *out)
{
    const struct vga *v = vga_of(dev);
    const struct vga_state *s = &v->s;
    struct vga_raster r;

    if (v->vbe.on) {
        g_string_append_printf(out,
                               "VBE mode, %ux%u, %u bits per pixel, %u bytes per line, picture at "
                               "%#" G_GINT64_MODIFIER "x, bank %u\n",
                               v->vbe.width, v->vbe.height, v->vbe.bpp, v->vbe.pitch, v->vbe.start,
                               s->vbe[VBE_BANK]);
        return;
    }
    vga_get_raster(s, &r);
    g_string_append_printf(out, "%s mode, %u columns of %u dots, %u lines\n",
                           vga_is_text(s) ? "text" : "graphics", r.columns, r.cell_width, r.lines);
}

static const struct port_range vga_ports[] = {
    {.first = 0x3b0,
     .count = 0x0c,
     .sizes = SIZE_1 | SIZE_POSTED,
     .read = vga_mono_read,
     .write = vga_mono_write},
    {.first = 0x3c0,
     .count = 0x20,
     .sizes = SIZE_1 | SIZE_POSTED,
     .read = vga_port_read,
     .write = vga_port_write},
    {.first = 0x1ce,
     .count = 3,
     .sizes = SIZE_1 | SIZE_2,
     .read = vga_vbe_port_read,
     .write = vga_vbe_port_write},
    {.count = 0},
};

#define F(m, ...) STATE(struct vga, s.m, __VA_ARGS__)
#define A(m, ...) STATE_ARRAY(struct vga, s.m, __VA_ARGS__)
static const struct state_field vga_state[] = {
    A(dac),
    A(seq),
    A(gc),
    A(crtc),
    A(ac, .max = 0xff),
    F(frame_cleared),
    F(latch),
    F(misc),
    F(feature),
    F(enable, .reset = 1),
    F(seq_index, .max = SEQ_COUNT - 1),
    F(gc_index, .max = GC_COUNT - 1),
    F(crtc_index, .max = CRTC_COUNT - 1),
    F(ac_index, .max = 0x3f),
    F(dac_mask, .reset = 0xff),
    F(dac_write_index),
    F(dac_read_index),
    F(dac_part, .max = 2),
    F(dac_state, .max = 3),
    A(dac_first),
    F(ac_data),
    F(vbe_low),
    F(vbe_index),
    A(vbe),
    STATE_HOLE(struct vga, s.hole),
    STATE_END,
};

const struct device_ops vga_ops = {
    .name = "vga",
    .title = "IBM VGA with the Bochs VBE extensions",
    DEVICE_STATE(struct vga),
    .state = vga_state,
    .ports = vga_ports,
    .pci = &vga_pci_desc,
    .attach = vga_attach,
    .reset = vga_reset,
    .loaded = vga_loaded,
    .detach = vga_detach,
    .info = vga_info,
};
