/*
 * The registers of the VGA, and values for the modes that the guest makes itself.
 *
 * Follows: IBM VGA/XGA Technical Reference (1992).
 */
#include "pc-bios/modes/modes.h"

enum { ATTRIBUTE = 0x3c0, MISC = 0x3c2, DAC_MASK = 0x3c6, DAC_WRITE = 0x3c8, STATUS = 0x3da };

#define PENS 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15

/* 80x25 cells of 9x16 dots, 720x400 */
const struct vga_mode vga_text80 = {
    0x67,
    {3, 0, 3, 0, 2},
    {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0,    0x4f, 0x20, 0,   0,
     0,    0,    0,    0x9c, 0x0e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
    {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff},
    {PENS, 0x04, 0, 0x0f, 8, 0},
};

/* The same with 350 lines, cells of 9x14 dots. */
const struct vga_mode vga_text80_350 = {
    0xa7,
    {3, 0, 3, 0, 2},
    {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0,    0x4d, 0x20, 0,   0,
     0,    0,    0,    0x83, 0x05, 0x5d, 0x28, 0x1f, 0x63, 0xba, 0xa3, 0xff},
    {0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff},
    {PENS, 0x04, 0, 0x0f, 8, 0},
};

/* 320x200, 16 colours: dots and lines twice */
const struct vga_mode vga_mode0d = {
    0x63,
    {3, 9, 0x0f, 0, 6},
    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0,    0xc0, 0,    0,   0,
     0,    0,    0,    0x9c, 0x0e, 0x8f, 0x14, 0,    0x96, 0xb9, 0xe3, 0xff},
    {0, 0, 0, 0, 0, 0, 5, 0x0f, 0xff},
    {PENS, 1, 0, 0x0f, 0, 0},
};

/* 640x350, 16 colours */
const struct vga_mode vga_mode10 = {
    0xa3,
    {3, 1, 0x0f, 0, 6},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0,    0x40, 0,    0,   0,
     0,    0,    0,    0x83, 0x05, 0x5d, 0x28, 0x0f, 0x63, 0xba, 0xe3, 0xff},
    {0, 0, 0, 0, 0, 0, 5, 0x0f, 0xff},
    {PENS, 1, 0, 0x0f, 0, 0},
};

/* 640x480, 16 colours */
const struct vga_mode vga_mode12 = {
    0xe3,
    {3, 1, 0x0f, 0, 6},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0,    0x40, 0,    0,   0,
     0,    0,    0,    0xea, 0x0c, 0xdf, 0x28, 0,    0xe7, 0x04, 0xe3, 0xff},
    {0, 0, 0, 0, 0, 0, 5, 0x0f, 0xff},
    {PENS, 1, 0, 0x0f, 0, 0},
};

/* 320x200, 256 colours, chained */
const struct vga_mode vga_mode13 = {
    0x63,
    {3, 1, 0x0f, 0, 0x0e},
    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0,    0x41, 0,    0,   0,
     0,    0,    0,    0x9c, 0x0e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
    {0, 0, 0, 0, 0, 0x40, 5, 0x0f, 0xff},
    {PENS, 0x41, 0, 0x0f, 0, 0},
};

void vga_put(uint16_t port, uint8_t index, uint8_t value)
{
    outw(port, (uint16_t)(value << 8 | index));
}

uint8_t vga_get(uint16_t port, uint8_t index)
{
    outb(port, index);
    return inb((uint16_t)(port + 1));
}

void vga_change(uint16_t port, uint8_t index, uint8_t mask, uint8_t value)
{
    vga_put(port, index, (uint8_t)((vga_get(port, index) & ~mask) | (value & mask)));
}

void vga_put_attribute(uint8_t index, uint8_t value)
{
    inb(STATUS); /* the next write is an index */
    outb(ATTRIBUTE, index);
    outb(ATTRIBUTE, value);
    outb(ATTRIBUTE, 0x20);
}

void vga_set(const struct vga_mode *mode)
{
    vga_put(SEQ, 0, 1); /* synchronous reset while the clock changes */
    outb(MISC, mode->misc);
    for (uint8_t i = 1; i < 5; i++) {
        vga_put(SEQ, i, mode->seq[i]);
    }
    vga_put(SEQ, 0, 3);
    vga_change(CRTC, 0x11, 0x80, 0); /* registers 0..7 can be written */
    for (uint8_t i = 0; i < 25; i++) {
        vga_put(CRTC, i, mode->crtc[i]);
    }
    for (uint8_t i = 0; i < 9; i++) {
        vga_put(GC, i, mode->gc[i]);
    }
    for (uint8_t i = 0; i < 21; i++) {
        vga_put_attribute(i, mode->ac[i]);
    }
    outb(DAC_MASK, 0xff);
}

void vga_put_start(uint16_t start)
{
    vga_put(CRTC, 0x0c, (uint8_t)(start >> 8));
    vga_put(CRTC, 0x0d, (uint8_t)start);
}

void vga_put_line_compare(unsigned line)
{
    vga_put(CRTC, 0x18, (uint8_t)line);
    vga_change(CRTC, 0x07, 0x10, line & 0x100 ? 0x10 : 0);
    vga_change(CRTC, 0x09, 0x40, line & 0x200 ? 0x40 : 0);
}

void vga_put_dac(uint32_t seed)
{
    outb(DAC_WRITE, 0);
    for (unsigned i = 0; i < 256; i++) {
        uint32_t rgb = pattern_dac(seed, i);

        outb(DAC_WRITE + 1, (uint8_t)(rgb >> 18 & 63));
        outb(DAC_WRITE + 1, (uint8_t)(rgb >> 10 & 63));
        outb(DAC_WRITE + 1, (uint8_t)(rgb >> 2 & 63));
    }
}

void vga_put_pens(uint32_t seed)
{
    for (uint8_t i = 0; i < 16; i++) {
        vga_put_attribute(i, pattern_pen(seed, i));
    }
}
