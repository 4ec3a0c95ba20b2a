/*
 * The card's Bochs extensions: the VBE registers at ports 0x1ce and 0x1cf, and the PCI function
 * 1234:1111 with the linear frame buffer (BAR 0) and in memory (BAR 2) the registers once more and
 * the monitor's EDID.
 *
 * After the interface as Bochs's "VBE display interface" document, QEMU's description of its
 * standard VGA and Linux's bochs driver have it.  Modes go up to 2560x1600 with any width; what
 * does not fit into the memory is shown black.  The VGA's own registers stay as they are in a VBE
 * mode, and only blanking (the attribute controller's and the sequencer's) and the DAC matter.
 *
 * Not modelled: big-endian frame buffers (the register says little, and stays so), banks of 32 KiB
 * and apart for reads and writes, the expansion ROM (the firmware gets the video BIOS by fw_cfg),
 * versions: all registers are there whatever ID is written.
 */
#include "hw/pci.h"
#include "hw/vga_int.h"

enum {
    VBE_ID_FIRST = 0xb0c0,
    VBE_ID_LAST = 0xb0c5,
    MMIO_BYTES = 4096,
    MMIO_VGA = 0x400, /* ports 0x3c0-0x3df */
    MMIO_VGA_END = 0x420,
    MMIO_VBE = 0x500, /* the registers side by side */
    MMIO_VBE_END = MMIO_VBE + 2 * VBE_COUNT,
    MMIO_EXTRA = 0x600, /* size of what follows, and the frame buffer's byte order */
    MMIO_EXTRA_BYTES = 8,
};
#define VBE_LITTLE_ENDIAN 0x1e1e1e1eu

/* What follows from the registers -------------------------------------------------------------- */

static void vga_vbe_update(struct vga *v)
{
    struct vga_state *s = &v->s;
    struct vga_vbe *m = &v->vbe;
    unsigned bits;

    s->vbe[VBE_VIRT_WIDTH] = MAX(s->vbe[VBE_VIRT_WIDTH], s->vbe[VBE_XRES]);
    if (s->vbe[VBE_BPP] == 4) { /* lines are words of the planes */
        s->vbe[VBE_VIRT_WIDTH] = (uint16_t)MIN(align_up(s->vbe[VBE_VIRT_WIDTH], 8), 0xfff8u);
    }
    bits = (unsigned)align_up(s->vbe[VBE_BPP], 4);
    memset(m, 0, sizeof *m);
    m->on = s->vbe[VBE_ENABLE] & VBE_ENABLED;
    m->width = s->vbe[VBE_XRES];
    m->height = s->vbe[VBE_YRES];
    m->bpp = s->vbe[VBE_BPP];
    m->pitch = s->vbe[VBE_VIRT_WIDTH] * bits / 8;
    m->start = (uint64_t)m->pitch * s->vbe[VBE_Y_OFFSET];
    if (m->bpp == 4) {
        m->start += s->vbe[VBE_X_OFFSET] / 8 * 4u;
        m->pan = s->vbe[VBE_X_OFFSET] & 7;
    } else {
        m->start += s->vbe[VBE_X_OFFSET] * bits / 8;
    }
    s->vbe[VBE_VIRT_HEIGHT] = (uint16_t)MIN(v->ram->size / m->pitch, 0xffffu);
    v->touched = true;
    vga_update_access(v);
}

void vga_vbe_reset(struct vga *v)
{
    uint16_t *r = v->s.vbe;

    r[VBE_ID] = VBE_ID_LAST;
    r[VBE_XRES] = r[VBE_VIRT_WIDTH] = 640;
    r[VBE_YRES] = 480;
    r[VBE_BPP] = 8;
    r[VBE_MEMORY_64K] = (uint16_t)(v->ram->size / (64 * KiB));
    vga_vbe_update(v);
}

/* Registers ------------------------------------------------------------------------------------ */

static void vga_vbe_clear(struct vga *v)
{
    uint64_t bytes = MIN((uint64_t)v->vbe.pitch * v->vbe.height, v->ram->size);

    memset(v->mem, 0, bytes);
    ram_mark_written(v->ram, 0, bytes, NULL);
}

static void vga_vbe_enable(struct vga *v, uint16_t val)
{
    uint16_t *r = v->s.vbe, old = r[VBE_ENABLE];
    bool on = (val & VBE_ENABLED) && !(old & VBE_ENABLED);

    r[VBE_ENABLE] = val & (VBE_ENABLED | VBE_GETCAPS | VBE_8BIT_DAC | VBE_LFB | VBE_NOCLEAR);
    if (on) {
        r[VBE_VIRT_WIDTH] = r[VBE_XRES];
        r[VBE_X_OFFSET] = r[VBE_Y_OFFSET] = 0;
    }
    if (!(val & VBE_ENABLED)) {
        r[VBE_BANK] = 0;
    }
    vga_vbe_update(v);
    if (on && !(val & VBE_NOCLEAR)) {
        vga_vbe_clear(v);
    }
    trace(&v->dev, TR_STATE, "VBE %s, %ux%ux%u", val & VBE_ENABLED ? "on" : "off", r[VBE_XRES],
          r[VBE_YRES], r[VBE_BPP]);
}

static bool vga_vbe_has_bpp(unsigned bpp)
{
    return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
}

/* What cannot be is not taken: the register keeps what it had. */
static bool vga_vbe_takes(unsigned index, unsigned val)
{
    switch (index) {
    case VBE_ID:
        return val >= VBE_ID_FIRST && val <= VBE_ID_LAST;
    case VBE_XRES:
        return val >= 1 && val <= VBE_MAX_WIDTH;
    case VBE_YRES:
        return val >= 1 && val <= VBE_MAX_HEIGHT;
    case VBE_BPP:
        return vga_vbe_has_bpp(val);
    case VBE_VIRT_HEIGHT:
    case VBE_MEMORY_64K:
        return false;
    default:
        return index < VBE_COUNT;
    }
}

void vga_vbe_loaded(struct vga *v)
{
    uint16_t *r = v->s.vbe;

    for (unsigned i = VBE_XRES; i <= VBE_BPP; i++) {
        if (!vga_vbe_takes(i, r[i])) {
            r[i] = 8;
        }
    }
    r[VBE_MEMORY_64K] = (uint16_t)(v->ram->size / (64 * KiB));
    r[VBE_BANK] &= (uint16_t)(r[VBE_MEMORY_64K] - 1);
    vga_vbe_update(v);
}

static void vga_vbe_write(struct vga *v, unsigned index, uint16_t val)
{
    uint16_t *r = v->s.vbe;

    if (index == VBE_BPP && !val) {
        val = 8; /* so the interface's first version had it */
    }
    if (index == VBE_ENABLE) {
        vga_vbe_enable(v, val);
        return;
    }
    if (!vga_vbe_takes(index, val)) {
        guest_error(&v->dev, "VBE register %u cannot be %#x", index, val);
        return;
    }
    if (index == VBE_BANK) {
        val &= (uint16_t)(r[VBE_MEMORY_64K] / (r[VBE_BPP] == 4 ? 4 : 1) - 1);
    }
    r[index] = val;
    vga_vbe_update(v);
}

static uint16_t vga_vbe_read(const struct vga *v, unsigned index)
{
    const uint16_t *r = v->s.vbe;

    if (r[VBE_ENABLE] & VBE_GETCAPS) {
        switch (index) {
        case VBE_XRES:
            return VBE_MAX_WIDTH;
        case VBE_YRES:
            return VBE_MAX_HEIGHT;
        case VBE_BPP:
            return 32;
        }
    }
    return index < VBE_COUNT ? r[index] : 0;
}

/*
 * The index at 0x1ce is a word, and so are the data at 0x1cf, which as an odd address come as two
 * bytes: the low one waits for the high one at 0x1d0.  A word at 0x1d0 is data as well.
 */
uint32_t vga_vbe_port_read(struct device *dev, unsigned off, unsigned size)
{
    const struct vga *v = container_of(dev, struct vga, dev);
    uint16_t data = vga_vbe_read(v, v->s.vbe_index);

    if (off == 0) {
        return v->s.vbe_index;
    }
    return off == 2 && size == 1 ? data >> 8 : data;
}

void vga_vbe_port_write(struct device *dev, unsigned off, uint32_t val, unsigned size)
{
    struct vga *v = container_of(dev, struct vga, dev);

    if (off == 0) {
        v->s.vbe_index = (uint16_t)val;
    } else if (size == 2) {
        vga_vbe_write(v, v->s.vbe_index, (uint16_t)val);
    } else if (off == 1) {
        v->s.vbe_low = (uint8_t)val;
    } else if (off == 2) {
        vga_vbe_write(v, v->s.vbe_index, (uint16_t)(v->s.vbe_low | val << 8));
    }
}

/* The registers in memory ---------------------------------------------------------------------- */

static uint64_t vga_mmio_read(struct device *dev, uint64_t off, unsigned size)
{
    struct vga *v = container_of(dev, struct vga, dev);
    uint64_t val = 0;

    if (off < VGA_EDID_BYTES) {
        return size == 1 ? vga_edid[off] : ld_le16(vga_edid + off);
    }
    if (off >= MMIO_VGA && off < MMIO_VGA_END) {
        for (unsigned i = 0; i < size; i++) {
            val |= (uint64_t)vga_read(v, 0x3c0 + (unsigned)(off - MMIO_VGA) + i) << 8 * i;
        }
        return val;
    }
    if (off >= MMIO_VBE && off < MMIO_VBE_END) {
        val = vga_vbe_read(v, (unsigned)(off - MMIO_VBE) / 2);
        return off & 1 ? val >> 8 : val;
    }
    if (off >= MMIO_EXTRA && off < MMIO_EXTRA + MMIO_EXTRA_BYTES) {
        val = off & 4 ? VBE_LITTLE_ENDIAN : MMIO_EXTRA_BYTES;
        return val >> 8 * (off & 3);
    }
    return 0;
}

static void vga_mmio_write(struct device *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct vga *v = container_of(dev, struct vga, dev);

    if (off >= MMIO_VGA && off < MMIO_VGA_END) {
        for (unsigned i = 0; i < size; i++) {
            vga_write(v, 0x3c0 + (unsigned)(off - MMIO_VGA) + i, (uint8_t)(val >> 8 * i));
        }
    } else if (off >= MMIO_VBE && off < MMIO_VBE_END && size == 2) {
        vga_vbe_write(v, (unsigned)(off - MMIO_VBE) / 2, (uint16_t)val);
    }
}

static const struct mmio_ops vga_mmio_ops = {
    .sizes = SIZE_1 | SIZE_2,
    .read = vga_mmio_read,
    .write = vga_mmio_write,
};

/* Revision 2 says that the registers at MMIO_EXTRA are there. */
const struct pci_desc vga_pci_desc = {
    .vendor = 0x1234,
    .device = 0x1111,
    .class_code = 0x030000,
    .revision = 2,
    .bars = {[0] = {.kind = PCI_BAR_MEM_PREFETCH, .size = 16 * MiB},
             [2] = {.kind = PCI_BAR_MEM, .size = MMIO_BYTES, .mmio = &vga_mmio_ops}},
};
