/*
 * What the tests of the VGA share: modes as tables of register values, as a VGA BIOS has them, and
 * short names for accesses.
 *
 * Not modelled: the BIOS.
 */
#ifndef TESTS_HW_VGA_RIG_H
#define TESTS_HW_VGA_RIG_H

#include "hw/pci.h"
#include "hw/vga.h"
#include "tests/rig.h"
#include <criterion/criterion.h>

#define MAYBE_UNUSED __attribute__((unused))

struct mode {
    uint8_t misc, seq[5], crtc[25], gc[9], ac[21];
};

MAYBE_UNUSED static const struct mode text80 = {
    0x67,
    {3, 0, 3, 0, 2},
    {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0,    0x4f, 0x0d, 0x0e, 0,
     0,    0,    0,    0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
    {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0x0c, 0, 0x0f, 8, 0},
};
MAYBE_UNUSED static const struct mode mode13 = {
    0x63,
    {3, 1, 0x0f, 0, 0x0e},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0,    0x41, 0,    0,   0,
     0,    0,    0,    0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
    {0, 0, 0, 0, 0, 0x40, 5, 0x0f, 0xff},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0x41, 0, 0x0f, 0, 0},
};
MAYBE_UNUSED static const struct mode mode12 = {
    0xe3,
    {3, 1, 0x0f, 0, 6},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0,    0x40, 0,    0,   0,
     0,    0,    0,    0xea, 0x8c, 0xdf, 0x28, 0,    0xe7, 0x04, 0xe3, 0xff},
    {0, 0, 0, 0, 0, 0, 5, 0x0f, 0xff},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 1, 0, 0x0f, 0, 0},
};
MAYBE_UNUSED static const struct mode mode4 = {
    0x63,
    {3, 9, 3, 0, 2},
    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0,    0xc1, 0,    0,   0,
     0,    0,    0,    0x9c, 0x8e, 0x8f, 0x14, 0,    0x96, 0xb9, 0xa2, 0xff},
    {0, 0, 0, 0, 0, 0x30, 0x0f, 0x0f, 0xff},
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 1, 0, 3, 0, 0},
};

static inline void indexed(struct rig *r, uint16_t port, unsigned index, unsigned val)
{
    rig_out16(r, port, (uint16_t)(val << 8 | index));
}

static inline void set_mode(struct rig *r, const struct mode *mode)
{
    rig_out8(r, 0x3c2, mode->misc);
    for (unsigned i = 0; i < 5; i++) {
        indexed(r, 0x3c4, i, mode->seq[i]);
    }
    indexed(r, 0x3d4, 0x11, 0);
    for (unsigned i = 0; i < 25; i++) {
        indexed(r, 0x3d4, i, mode->crtc[i]);
    }
    for (unsigned i = 0; i < 9; i++) {
        indexed(r, 0x3ce, i, mode->gc[i]);
    }
    rig_in8(r, 0x3da);
    for (unsigned i = 0; i < 21; i++) {
        rig_out8(r, 0x3c0, (uint8_t)i);
        rig_out8(r, 0x3c0, mode->ac[i]);
    }
    rig_out8(r, 0x3c0, 0x20);
    rig_out8(r, 0x3c8, 0);
    for (unsigned i = 0; i < 256; i++) { /* colour i: red i/4, green i, blue 63-i */
        rig_out8(r, 0x3c9, (uint8_t)(i >> 2));
        rig_out8(r, 0x3c9, (uint8_t)(i & 63));
        rig_out8(r, 0x3c9, (uint8_t)(63 - (i & 63)));
    }
}

static inline uint32_t part(unsigned v)
{
    return v << 2 | v >> 4;
}

static inline uint32_t color(unsigned i)
{
    return part(i >> 2) << 16 | part(i & 63) << 8 | part(63 - (i & 63));
}

/* The card on a bus of its own, as device 2, its BARs mapped. */
enum { VGA_LFB = 0xe0000000u, VGA_MMIO = 0xf0000000u };

static inline bool build(struct machine *m, GError **err)
{
    (void)err;
    device_new(m, &pci_ops, "pci");
    pci_place(device_new(m, &vga_ops, "vga"), PCI_DEVFN(2, 0));
    return true;
}

static inline struct rig *vga_rig(const struct mode *mode)
{
    struct rig *r = rig_new(build);

    rig_config_write(r, PCI_DEVFN(2, 0), 0x10, VGA_LFB, 4);
    rig_config_write(r, PCI_DEVFN(2, 0), 0x18, VGA_MMIO, 4);
    rig_config_write(r, PCI_DEVFN(2, 0), 0x04, 3, 2);
    if (mode) {
        set_mode(r, mode);
    }
    return r;
}

static inline void poke(struct rig *r, uint32_t pa, unsigned val)
{
    rig_mmio_write(r, pa, val, 1);
}

static inline uint8_t peek(struct rig *r, uint32_t pa)
{
    return (uint8_t)rig_mmio_read(r, pa, 1);
}

/* Write a glyph as a BIOS does: plane 2, sequential. */
static inline void set_glyph(struct rig *r, unsigned font, unsigned ch, const uint8_t *rows,
                             unsigned n)
{
    indexed(r, 0x3c4, 2, 4);
    indexed(r, 0x3c4, 4, 7);
    indexed(r, 0x3ce, 5, 0);
    indexed(r, 0x3ce, 6, 4);
    for (unsigned i = 0; i < n; i++) {
        poke(r, 0xa0000 + font + ch * 32 + i, rows[i]);
    }
    indexed(r, 0x3c4, 2, 3);
    indexed(r, 0x3c4, 4, 2);
    indexed(r, 0x3ce, 5, 0x10);
    indexed(r, 0x3ce, 6, 0x0e);
}

static inline bool draw(struct rig *r, struct surface *s)
{
    return r->m->display->draw(r->m->display_dev, s);
}

static inline uint32_t pixel(const struct surface *s, unsigned x, unsigned y)
{
    cr_assert(x < s->width && y < s->height);
    return s->pixels[y * s->stride / 4 + x];
}

#endif
