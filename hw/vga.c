/*
 * The IBM VGA: registers and the CPU's view of its 256 KiB of planar memory, after the IBM VGA/XGA
 * Technical Reference (1992) and the Hardware section of the PS/2 manuals.  Scan-out is in
 * vga_draw.c.
 *
 * Memory is kept as the chip has it: four planes of 64 KiB, chain-4 and odd/even addresses using
 * every fourth or second byte of a plane, and the CRTC's byte, word and doubleword modes finding
 * them again.
 *
 * Not modelled: the linear frame buffer and the Bochs VBE registers (issue 5: ports 0x1ce-0x1d0 are
 * left unclaimed, so that the stdvga BIOS falls back to plain VGA), the vertical interrupt, the
 * light pen, monitor sensing, DAC bus snow.
 */
#include "hw/vga_int.h"
#include "hw/vga.h"

enum { VGA_MISC_COLOR = 1, VGA_MISC_RAM = 2 };
enum { VGA_ODD_EVEN_OFF = 4, VGA_CHAIN4 = 8 }; /* sequencer memory mode */

static struct vga *vga_of(struct device *dev)
{
    return container_of(dev, struct vga, dev);
}

/* Memory */

static void vga_update_access(struct vga *v)
{
    static const uint32_t base[4] = {0, 0, 0x10000, 0x18000};
    static const uint32_t size[4] = {0x20000, 0x10000, 0x8000, 0x8000};
    const struct vga_state *s = &v->s;
    unsigned map = s->gc[GC_MISC] >> 2 & 3;
    bool plain = !(s->gc[GC_MODE] & 3) && !(s->gc[GC_ENABLE_SET_RESET] & 15) &&
                 !(s->gc[GC_ROTATE] & 0x1f) && s->gc[GC_BIT_MASK] == 0xff && !(s->gc[GC_MODE] & 8);
    uint8_t mode = s->seq[SEQ_MEMORY_MODE], planes = s->seq[SEQ_MAP_MASK] & 15;

    v->win_base = base[map];
    v->win_size = s->misc & VGA_MISC_RAM ? size[map] : 0;
    v->path = VGA_PATH_PLANAR;
    if (plain && (mode & VGA_CHAIN4) && planes == 15 && map) {
        v->path = VGA_PATH_CHAIN4;
    } else if (plain && !(mode & (VGA_CHAIN4 | VGA_ODD_EVEN_OFF)) && planes == 3 && map &&
               (s->gc[GC_MODE] & 0x10) && (s->gc[GC_MISC] & 2) && !(s->gc[GC_READ_MAP] & 2)) {
        v->path = VGA_PATH_TEXT;
    }
}

static inline uint8_t vga_rotate(uint8_t val, unsigned n)
{
    return (uint8_t)(val >> n | val << (8 - n));
}

/* The address in the planes of CPU address `a` (from the window's start). */
static uint32_t vga_plane_address(const struct vga_state *s, uint32_t a)
{
    if (s->seq[SEQ_MEMORY_MODE] & VGA_CHAIN4) {
        return a & VGA_PLANE_MASK & ~3u;
    }
    if (s->gc[GC_MISC] &
        2) { /* address bit 0 chooses the plane; with 128 KiB, bit 16 takes its place */
        return ((a & VGA_PLANE_MASK) & ~1u) | (a >> 16 & 1);
    }
    return a & VGA_PLANE_MASK;
}

/* The graphics controller's data path, for one byte from the CPU. */
static void vga_write_planar(struct vga_state *s, uint32_t a, uint8_t val)
{
    uint8_t *at = s->vram + 4 * vga_plane_address(s, a);
    unsigned planes = s->seq[SEQ_MAP_MASK] & 15;
    uint32_t mask = s->gc[GC_BIT_MASK] * 0x01010101u;
    uint32_t set_reset = vga_plane_mask(s->gc[GC_SET_RESET]);
    uint8_t rotated = vga_rotate(val, s->gc[GC_ROTATE] & 7);
    uint32_t data;

    if (s->seq[SEQ_MEMORY_MODE] & VGA_CHAIN4) {
        planes &= 1u << (a & 3);
    } else if (!(s->seq[SEQ_MEMORY_MODE] & VGA_ODD_EVEN_OFF)) {
        planes &= a & 1 ? 0xa : 0x5;
    }
    switch (s->gc[GC_MODE] & 3) {
    case 0: {
        uint32_t enable = vga_plane_mask(s->gc[GC_ENABLE_SET_RESET]);
        data = (rotated * 0x01010101u & ~enable) | (set_reset & enable);
        break;
    }
    case 1:
        data = s->latch;
        mask = 0xffffffff;
        break;
    case 2:
        data = vga_plane_mask(val);
        break;
    default:
        data = set_reset;
        mask &= rotated * 0x01010101u;
    }
    if ((s->gc[GC_MODE] & 3) != 1) {
        unsigned function = s->gc[GC_ROTATE] >> 3 & 3;
        data = function == 0   ? data
               : function == 1 ? data & s->latch
               : function == 2 ? data | s->latch
                               : data ^ s->latch;
    }
    data = (data & mask) | (s->latch & ~mask);
    uint32_t write = vga_plane_mask(planes);
    st_le32(at, (ld_le32(at) & ~write) | (data & write));
}

static uint8_t vga_read_planar(struct vga_state *s, uint32_t a)
{
    unsigned plane = s->gc[GC_READ_MAP] & 3;

    s->latch = ld_le32(s->vram + 4 * vga_plane_address(s, a));
    if (s->gc[GC_MODE] & 8) { /* read mode 1: ones where the colour matches */
        uint32_t care = vga_plane_mask(s->gc[GC_DONT_CARE]);
        uint32_t differ = (s->latch ^ vga_plane_mask(s->gc[GC_COMPARE])) & care;
        differ |= differ >> 16;
        return (uint8_t) ~(differ | differ >> 8);
    }
    if (s->seq[SEQ_MEMORY_MODE] & VGA_CHAIN4) {
        plane = a & 3;
    } else if (s->gc[GC_MODE] & 0x10) {
        plane = (plane & 2) | (a & 1);
    }
    return (uint8_t)(s->latch >> 8 * plane);
}

/* Where a byte of the two simple paths lies. */
static inline uint32_t vga_text_index(uint32_t a)
{
    return ((a & VGA_PLANE_MASK & ~1u) << 2) | (a & 1);
}

static inline uint32_t vga_chain4_index(uint32_t a)
{
    return ((a & VGA_PLANE_MASK & ~3u) << 2) | (a & 3);
}

static void vga_mem_write(struct device *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct vga *v = vga_of(dev);
    uint32_t a = (uint32_t)off - v->win_base;

    if (a >= v->win_size) {
        return;
    }
    v->dirty = true;
    if (v->path == VGA_PATH_TEXT && size == 2 && !(a & 1)) { /* character and attribute */
        st_le16(v->s.vram + vga_text_index(a), (uint16_t)val);
        return;
    }
    if (v->path == VGA_PATH_CHAIN4 && size == 4 && !(a & 3)) {
        st_le32(v->s.vram + vga_chain4_index(a), (uint32_t)val);
        return;
    }
    for (; size && a < v->win_size; size--, a++, val >>= 8) {
        if (v->path == VGA_PATH_TEXT) {
            v->s.vram[vga_text_index(a)] = (uint8_t)val;
        } else if (v->path == VGA_PATH_CHAIN4) {
            v->s.vram[vga_chain4_index(a)] = (uint8_t)val;
        } else {
            vga_write_planar(&v->s, a, (uint8_t)val);
        }
    }
}

static uint64_t vga_mem_read(struct device *dev, uint64_t off, unsigned size)
{
    struct vga *v = vga_of(dev);
    uint32_t a = (uint32_t)off - v->win_base;
    uint64_t val = 0;

    if (v->path == VGA_PATH_TEXT && size == 2 && !(a & 1) && a < v->win_size) {
        v->s.latch = ld_le32(v->s.vram + vga_text_index(a));
        return (uint16_t)v->s.latch;
    }
    for (unsigned i = 0; i < size; i++, a++) {
        uint64_t byte = a < v->win_size ? vga_read_planar(&v->s, a) : 0xff;
        val |= byte << 8 * i;
    }
    return val;
}

/* Registers */

/* Whether the chip answers at a port: the CRTC and status 1 move between 0x3b0 and 0x3d0. */
static bool vga_has_port(const struct vga *v, unsigned port)
{
    bool color = v->s.misc & VGA_MISC_COLOR;

    return port < 0x3c0 ? !color : port < 0x3d0 || color;
}

/* Input status 1: bit 0 no display, bit 3 vertical retrace; where the beam is follows from virtual
 * time. */
static uint8_t vga_read_status1(struct vga *v)
{
    const struct vga_state *s = &v->s;
    uint64_t hz = (s->misc >> 2 & 3) == 1 ? 28322000 : 25175000;
    struct vga_raster r;

    vga_get_raster(s, &r);
    v->s.ac_data = false;
    uint64_t clocks_per_line = r.total_columns;
    uint64_t dots = clock_ns_to_ticks(clock_now(v->dev.m), hz);
    uint64_t clocks = dots / (r.cell_width * r.dot_width);
    uint64_t line = clocks / clocks_per_line % r.total_lines;
    uint64_t column = clocks % clocks_per_line;
    bool retrace = line >= r.sync_start && line < r.sync_start + r.sync_lines;
    bool shown = line < r.lines && column < r.columns;

    return (uint8_t)((retrace ? 8 : 0) | (shown ? 0 : 1));
}

static void vga_start_dac(struct vga_state *s, uint8_t *index, uint8_t val, uint8_t state)
{
    *index = val;
    s->dac_part = 0;
    s->dac_state = state;
}

static uint8_t vga_read_dac(struct vga_state *s)
{
    uint8_t val = s->dac[s->dac_read_index * 3 + s->dac_part];

    if (++s->dac_part == 3) {
        s->dac_part = 0;
        s->dac_read_index++;
    }
    return val;
}

static void vga_write_dac(struct vga_state *s, uint8_t val)
{
    if (s->dac_part < 2) {
        s->dac_first[s->dac_part++] = val & 63;
        return;
    }
    uint8_t *entry = s->dac + s->dac_write_index * 3;
    entry[0] = s->dac_first[0];
    entry[1] = s->dac_first[1];
    entry[2] = val & 63;
    s->dac_part = 0;
    s->dac_write_index++;
}

static uint32_t vga_read(struct vga *v, unsigned port)
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
        return 0x10; /* switch sense: a colour monitor */
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

static void vga_write_crtc(struct vga_state *s, uint8_t val)
{
    unsigned index = s->crtc_index;

    if (index <= CRTC_OVERFLOW && (s->crtc[CRTC_V_SYNC_END] & 0x80)) { /* write protection */
        if (index == CRTC_OVERFLOW) { /* but for the line compare bit */
            s->crtc[index] = (uint8_t)((s->crtc[index] & ~0x10) | (val & 0x10));
        }
        return;
    }
    if (index <= CRTC_LINE_COMPARE) {
        s->crtc[index] = val;
    }
}

static void vga_write(struct vga *v, unsigned port, uint8_t val)
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
        vga_write_crtc(s, val);
        break;
    case 0x3ba:
    case 0x3da:
        s->feature = val & 3;
        return;
    default:
        return;
    }
    v->dirty = true;
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

static const struct mmio_ops vga_mem_ops = {
    .sizes = SIZE_ANY,
    .passive = true,
    .read = vga_mem_read,
    .write = vga_mem_write,
};

static void vga_loaded(struct device *dev)
{
    struct vga *v = vga_of(dev);

    vga_update_access(v);
    v->dirty = true;
}

static bool vga_attach(struct device *dev, GError **err)
{
    struct vga *v = vga_of(dev);
    struct machine *m = dev->m;

    (void)err;
    region_init_mmio(&v->window, "vga", dev, &vga_mem_ops, VGA_WINDOW_BYTES);
    region_add(m, &v->window, 0xa0000, VGA_WINDOW_PRIORITY);
    m->display = &vga_display_ops;
    m->display_dev = dev;
    return true;
}

static void vga_info(struct device *dev, GString *out)
{
    const struct vga_state *s = &vga_of(dev)->s;
    struct vga_raster r;

    vga_get_raster(s, &r);
    g_string_append_printf(out, "%s mode, %u columns of %u dots, %u lines\n",
                           vga_is_text(s) ? "text" : "graphics", r.columns, r.cell_width, r.lines);
}

static const struct port_range vga_ports[] = {
    {.first = 0x3b0,
     .count = 0x0c,
     .sizes = SIZE_1,
     .read = vga_mono_read,
     .write = vga_mono_write},
    {.first = 0x3c0,
     .count = 0x20,
     .sizes = SIZE_1,
     .read = vga_port_read,
     .write = vga_port_write},
    {.count = 0},
};

#define F(m, ...) STATE(struct vga, s.m, __VA_ARGS__)
#define A(m, ...) STATE_ARRAY(struct vga, s.m, __VA_ARGS__)
static const struct state_field vga_state[] = {
    A(vram, .keep = true),
    A(dac, .max = 63),
    A(seq),
    A(gc),
    A(crtc),
    A(ac, .max = 0xff),
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
    A(dac_first, .max = 63),
    F(ac_data),
    STATE_HOLE(struct vga, s.hole),
    STATE_END,
};

const struct device_ops vga_ops = {
    .name = "vga",
    .title = "IBM VGA, 256 KiB",
    DEVICE_STATE(struct vga),
    .state = vga_state,
    .ports = vga_ports,
    .attach = vga_attach,
    .reset = vga_loaded,
    .loaded = vga_loaded,
    .info = vga_info,
};
