/*
 * Graphics of 2, 4 and 16 colours: CGA, EGA and VGA modes by the BIOS, and what the registers can
 * do besides: colours, panning, split screens, lines twice.
 *
 * Follows: IBM VGA/XGA Technical Reference (1992).
 * Not here: 256 colours (packed.c), how writes reach the planes (ops.c).
 */
#include "pc-bios/modes/modes.h"

enum { PLANES = 0xa0000, CGA = 0xb8000, CGA_ODD = 0x2000 };

/* Eight (one bit) or four (two bits) pixels of pattern_pixel as a byte of CGA memory. */
static uint8_t cga_byte(uint32_t seed, unsigned bits, unsigned x, unsigned y)
{
    uint8_t byte = 0;

    for (unsigned i = 0; i < 8 / bits; i++) {
        byte = (uint8_t)(byte << bits | (pattern_pixel(seed, x + i, y) & ((1u << bits) - 1)));
    }
    return byte;
}

/* 200 lines of 80 bytes, even and odd ones apart. */
static void cga_fill(uint32_t seed, unsigned bits)
{
    for (unsigned y = 0; y < 200; y++) {
        uint32_t line = CGA + (y & 1 ? CGA_ODD : 0) + (y >> 1) * 80;

        for (unsigned i = 0; i < 80; i++) {
            *at(line + i) = cga_byte(seed, bits, i * 8 / bits, y);
        }
    }
}

static void bios_mode4(uint32_t seed)
{
    bios_video(4, 0, 0, 0);
    cga_fill(seed, 2);
}

/* Palette 0 (green, red, brown) on blue. */
static void bios_mode4_palette(uint32_t seed)
{
    bios_mode4(seed);
    bios_video(0x0b00, 0x0001, 0, 0);
    bios_video(0x0b00, 0x0100, 0, 0);
}

static void bios_mode5(uint32_t seed)
{
    bios_video(5, 0, 0, 0);
    cga_fill(seed, 2);
}

static void bios_mode6(uint32_t seed)
{
    bios_video(6, 0, 0, 0);
    cga_fill(seed, 1);
}

/* Plane `plane` of 8 pixels. */
static uint8_t planar_byte(const uint32_t pixels[8], unsigned plane)
{
    uint8_t byte = 0;

    for (unsigned i = 0; i < 8; i++) {
        byte = (uint8_t)(byte << 1 | (pixels[i] >> plane & 1));
    }
    return byte;
}

void planar_fill(uint32_t seed, unsigned stride, unsigned lines, unsigned planes)
{
    uint32_t pixels[8], to = PLANES;

    for (unsigned y = 0; y < lines; y++) {
        for (unsigned x = 0; x < stride; x++, to++) {
            for (unsigned i = 0; i < 8; i++) {
                pixels[i] = pattern_pixel(seed, 8 * x + i, y);
            }
            for (unsigned plane = 0; plane < planes; plane++) {
                vga_put(SEQ, 2, (uint8_t)(1 << plane));
                *at(to) = planar_byte(pixels, plane);
            }
        }
    }
    vga_put(SEQ, 2, 0x0f);
}

static void bios_mode0d(uint32_t seed)
{
    bios_video(0x0d, 0, 0, 0);
    planar_fill(seed, 40, 200, 4);
}

static void bios_mode0e(uint32_t seed)
{
    bios_video(0x0e, 0, 0, 0);
    planar_fill(seed, 80, 200, 4);
}

static void bios_mode10(uint32_t seed)
{
    bios_video(0x10, 0, 0, 0);
    planar_fill(seed, 80, 350, 4);
}

static void bios_mode11(uint32_t seed)
{
    bios_video(0x11, 0, 0, 0);
    planar_fill(seed, 80, 480, 1);
}

static void bios_mode12(uint32_t seed)
{
    bios_video(0x12, 0, 0, 0);
    planar_fill(seed, 80, 480, 4);
}

/* By the registers ----------------------------------------------------------------------------- */

static void set_planar(const struct vga_mode *mode, uint32_t seed)
{
    vga_set(mode);
    vga_put_dac(seed);
    vga_put_pens(seed);
}

static void ega_low(uint32_t seed)
{
    set_planar(&vga_mode0d, seed);
    planar_fill(seed, 40, 200, 4);
}

static void ega_high(uint32_t seed)
{
    set_planar(&vga_mode10, seed);
    planar_fill(seed, 80, 350, 4);
}

static void vga_high(uint32_t seed)
{
    set_planar(&vga_mode12, seed);
    planar_fill(seed, 80, 480, 4);
}

/* 200 lines of 320 pixels, by a row of cells two lines high instead of the doubling bit. */
static void ega_rows(uint32_t seed)
{
    ega_low(seed);
    vga_change(CRTC, 0x09, 0x9f, 0x01);
}

/* Planes 0 and 2 alone reach the palette. */
static void plane_enable(uint32_t seed)
{
    vga_high(seed);
    vga_put_attribute(0x12, 5);
}

/* Palette bits 5 and 4, and 7 and 6, from the colour select register. */
static void color_select(uint32_t seed)
{
    vga_high(seed);
    vga_put_attribute(0x10, 0x81);
    vga_put_attribute(0x14, 0x0e);
}

/* Only bits 7 and 6. */
static void color_select_high(uint32_t seed)
{
    vga_high(seed);
    vga_put_attribute(0x14, 0x0b);
}

static void pel_mask(uint32_t seed)
{
    vga_high(seed);
    outb(0x3c6, 0x2b);
}

/* A screen of 100 bytes a line in memory, from byte 507 and pixel 5 on. */
static void set_moved(uint32_t seed)
{
    set_planar(&vga_mode12, seed);
    planar_fill(seed, 100, 600, 4);
    vga_put(CRTC, 0x13, 50);
    vga_put_start(507);
}

static void planar_moved(uint32_t seed)
{
    set_moved(seed);
    vga_put_attribute(0x13, 5);
}

/* The picture goes over the end of the planes, on from their start.  The planes are filled whole,
 * as 1024 lines of 512 pixels. */
static void planar_wrapped(uint32_t seed)
{
    set_planar(&vga_mode12, seed);
    planar_fill(seed, 64, 1024, 4);
    vga_put_start(0x9000);
}

static void planar_split(uint32_t seed)
{
    planar_moved(seed);
    vga_put_line_compare(300);
}

static void planar_split_still(uint32_t seed)
{
    planar_split(seed);
    vga_put_attribute(0x10, 0x21);
}

/* Lines twice: the split counts lines as they are on the screen. */
static void ega_split(uint32_t seed)
{
    ega_low(seed);
    vga_put_start(40 * 20);
    vga_put_line_compare(151);
}

/* The screen off: black. */
static void planar_dark(uint32_t seed)
{
    vga_high(seed);
    vga_change(SEQ, 1, 0x20, 0x20);
}

const struct stop graphics_stops[] = {
    {"mode04-bios", bios_mode4},
    {"mode04-palette-bios", bios_mode4_palette},
    {"mode05-bios", bios_mode5},
    {"mode06-bios", bios_mode6},
    {"mode0d-bios", bios_mode0d},
    {"mode0e-bios", bios_mode0e},
    {"mode10-bios", bios_mode10},
    {"mode11-bios", bios_mode11},
    {"mode12-bios", bios_mode12},
    {"ega-low", ega_low},
    {"ega-high", ega_high},
    {"ega-rows", ega_rows},
    {"vga-high", vga_high},
    {"plane-enable", plane_enable},
    {"color-select", color_select},
    {"color-select-high", color_select_high},
    {"pel-mask", pel_mask},
    {"planar-moved", planar_moved},
    {"planar-wrapped", planar_wrapped},
    {"planar-split", planar_split},
    {"planar-split-still", planar_split_still},
    {"ega-split", ega_split},
    {"planar-dark", planar_dark},
    {0},
};
