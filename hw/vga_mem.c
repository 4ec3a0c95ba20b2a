/*
 * The VGA's memory as the CPU sees it in the window at 0xa0000: the graphics controller's data
 * path, after the IBM VGA/XGA Technical Reference (1992), and in Bochs VBE modes a bank of the
 * linear frame buffer.
 *
 * The planes lie in the first 256 KiB of video memory as words of four bytes, one of each plane, so
 * that the linear frame buffer shows them as QEMU's and Bochs's cards do.  Chain-4 and odd/even
 * addresses use every fourth or second byte of a plane, as in the chip.
 *
 * Not modelled: separate banks for reads and writes, banks of 32 KiB.
 */
#include "hw/vga_int.h"

enum { VGA_MISC_RAM = 2 };
enum { VGA_ODD_EVEN_OFF = 4, VGA_CHAIN4 = 8 }; /* sequencer memory mode */

static enum vga_path vga_choose_path(const struct vga_state *s)
{
    unsigned map = s->gc[GC_MISC] >> 2 & 3;
    bool plain = !(s->gc[GC_MODE] & 3) && !(s->gc[GC_ENABLE_SET_RESET] & 15) &&
                 !(s->gc[GC_ROTATE] & 0x1f) && s->gc[GC_BIT_MASK] == 0xff && !(s->gc[GC_MODE] & 8);
    uint8_t mode = s->seq[SEQ_MEMORY_MODE], planes = s->seq[SEQ_MAP_MASK] & 15;

    if (plain && (mode & VGA_CHAIN4) && planes == 15 && map) {
        return VGA_PATH_CHAIN4;
    }
    if (plain && !(mode & (VGA_CHAIN4 | VGA_ODD_EVEN_OFF)) && planes == 3 && map &&
        (s->gc[GC_MODE] & 0x10) && (s->gc[GC_MISC] & 2) && !(s->gc[GC_READ_MAP] & 2)) {
        return VGA_PATH_TEXT;
    }
    return VGA_PATH_PLANAR;
}

void vga_update_access(struct vga *v)
{
    static const uint32_t base[4] = {0, 0, 0x10000, 0x18000};
    static const uint32_t size[4] = {0x20000, 0x10000, 0x8000, 0x8000};
    const struct vga_state *s = &v->s;
    unsigned map = s->gc[GC_MISC] >> 2 & 3;

    v->bank = 0;
    v->plane_mask = VGA_PLANE_MASK;
    if (v->vbe.on) {
        map = 1;
        v->bank = s->vbe[VBE_BANK] * (uint32_t)VGA_BANK_BYTES;
        v->plane_mask = (uint32_t)(v->ram->size / 4 - 1);
        v->path = v->vbe.bpp == 4 ? VGA_PATH_PLANAR : VGA_PATH_BANK;
    } else {
        v->path = vga_choose_path(s);
    }
    v->win_base = base[map];
    v->win_size = s->misc & VGA_MISC_RAM ? size[map] : 0;
}

/* `n` bytes of the planes were written to, not across a multiple of 256. */
static inline void vga_note_store(struct vga *v, uint32_t off, unsigned n)
{
    uint32_t page = off >> PAGE_SHIFT;

    v->stored = true;
    v->units[page] |= (uint16_t)(1u << (off >> 8 & 15));
    if (unlikely(__atomic_load_n(&v->ram->page_flags[page], __ATOMIC_RELAXED) & RAM_PAGE_CODE)) {
        ram_mark_written(v->ram, off, n, NULL);
    }
}

static inline uint8_t vga_rotate(uint8_t val, unsigned n)
{
    return (uint8_t)(val >> n | val << (8 - n));
}

/* The address in the planes of CPU address `a` (from the window's start). */
static uint32_t vga_plane_address(const struct vga *v, uint32_t a)
{
    const struct vga_state *s = &v->s;
    uint32_t at = a & VGA_PLANE_MASK;

    if (s->seq[SEQ_MEMORY_MODE] & VGA_CHAIN4) {
        at &= ~3u;
    } else if (s->gc[GC_MISC] & 2) {
        /* address bit 0 chooses the plane; with 128 KiB, bit 16 takes its place */
        at = (at & ~1u) | (a >> 16 & 1);
    }
    return (at + v->bank) & v->plane_mask;
}

/* What the logic unit makes of the CPU's byte, for the four planes. */
static uint32_t vga_planar_data(const struct vga_state *s, uint8_t val)
{
    uint32_t mask = s->gc[GC_BIT_MASK] * 0x01010101u;
    uint32_t set_reset = vga_plane_mask(s->gc[GC_SET_RESET]);
    uint8_t rotated = vga_rotate(val, s->gc[GC_ROTATE] & 7);
    uint32_t data;

    switch (s->gc[GC_MODE] & 3) {
    case 0: {
        uint32_t enable = vga_plane_mask(s->gc[GC_ENABLE_SET_RESET]);
        data = (rotated * 0x01010101u & ~enable) | (set_reset & enable);
        break;
    }
    case 1:
        return s->latch;
    case 2:
        data = vga_plane_mask(val);
        break;
    default:
        data = set_reset;
        mask &= rotated * 0x01010101u;
    }
    switch (s->gc[GC_ROTATE] >> 3 & 3) {
    case 1:
        data &= s->latch;
        break;
    case 2:
        data |= s->latch;
        break;
    case 3:
        data ^= s->latch;
        break;
    }
    return (data & mask) | (s->latch & ~mask);
}

/* The graphics controller's data path, for one byte from the CPU. */
static void vga_write_planar(struct vga *v, uint32_t a, uint8_t val)
{
    const struct vga_state *s = &v->s;
    uint32_t at = 4 * vga_plane_address(v, a);
    unsigned planes = s->seq[SEQ_MAP_MASK] & 15;

    if (s->seq[SEQ_MEMORY_MODE] & VGA_CHAIN4) {
        planes &= 1u << (a & 3);
    } else if (!(s->seq[SEQ_MEMORY_MODE] & VGA_ODD_EVEN_OFF)) {
        planes &= a & 1 ? 0xa : 0x5;
    }
    uint32_t data = vga_planar_data(s, val), write = vga_plane_mask(planes);
    st_le32(v->mem + at, (ld_le32(v->mem + at) & ~write) | (data & write));
    v->fonts_stored |= planes & 4;
    vga_note_store(v, at, 4);
}

static uint8_t vga_read_planar(struct vga *v, uint32_t a)
{
    struct vga_state *s = &v->s;
    unsigned plane = s->gc[GC_READ_MAP] & 3;

    s->latch = ld_le32(v->mem + 4 * vga_plane_address(v, a));
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

static void vga_write_byte(struct vga *v, uint32_t a, uint8_t val)
{
    uint32_t at;

    switch (v->path) {
    case VGA_PATH_TEXT:
        at = vga_text_index(a);
        break;
    case VGA_PATH_CHAIN4:
        at = vga_chain4_index(a);
        v->fonts_stored = true;
        break;
    default:
        vga_write_planar(v, a, val);
        return;
    }
    v->mem[at] = val;
    vga_note_store(v, at, 1);
}

/* The window shows a bank of the linear frame buffer: v->bank is below its size, a power of two. */
static void vga_write_bank(struct vga *v, uint32_t a, uint64_t val, unsigned size)
{
    uint32_t at = v->bank + a;

    size = MIN(size, v->win_size - a);
    for (unsigned i = 0; i < size; i++, val >>= 8) {
        v->mem[at + i] = (uint8_t)val;
    }
    ram_mark_written(v->ram, at, size, NULL);
}

static void vga_mem_write(struct device *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct vga *v = container_of(dev, struct vga, dev);
    uint32_t a = (uint32_t)off - v->win_base;

    if (a >= v->win_size) {
        return;
    }
    if (v->path == VGA_PATH_TEXT && size == 2 && !(a & 1)) { /* character and attribute */
        st_le16(v->mem + vga_text_index(a), (uint16_t)val);
        vga_note_store(v, vga_text_index(a), 2);
        return;
    }
    if (v->path == VGA_PATH_CHAIN4 && size == 4 && !(a & 3)) {
        st_le32(v->mem + vga_chain4_index(a), (uint32_t)val);
        v->fonts_stored = true;
        vga_note_store(v, vga_chain4_index(a), 4);
        return;
    }
    if (v->path == VGA_PATH_BANK) {
        vga_write_bank(v, a, val, size);
        return;
    }
    for (; size && a < v->win_size; size--, a++, val >>= 8) {
        vga_write_byte(v, a, (uint8_t)val);
    }
}

static uint64_t vga_mem_read(struct device *dev, uint64_t off, unsigned size)
{
    struct vga *v = container_of(dev, struct vga, dev);
    uint32_t a = (uint32_t)off - v->win_base;
    uint64_t val = 0;

    if (v->path == VGA_PATH_TEXT && size == 2 && !(a & 1) && a < v->win_size) {
        v->s.latch = ld_le32(v->mem + vga_text_index(a));
        return (uint16_t)v->s.latch;
    }
    for (unsigned i = 0; i < size; i++, a++) {
        uint64_t byte = a >= v->win_size           ? 0xff
                        : v->path == VGA_PATH_BANK ? v->mem[v->bank + a]
                                                   : vga_read_planar(v, a);
        val |= byte << 8 * i;
    }
    return val;
}

const struct mmio_ops vga_mem_ops = {
    .sizes = SIZE_ANY,
    .passive = true,
    .read = vga_mem_read,
    .write = vga_mem_write,
};
