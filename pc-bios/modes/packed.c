/*
 * 256 colours of the plain VGA: mode 13h and the unchained modes ("mode X").
 *
 * Follows: IBM VGA/XGA Technical Reference (1992).  The sizes of mode X are those that games use.
 */
#include "pc-bios/modes/modes.h"

enum { SCREEN = 0xa0000 };

static void chained_fill(uint32_t seed, uint32_t to, unsigned width, unsigned lines)
{
    for (unsigned y = 0; y < lines; y++) {
        for (unsigned x = 0; x < width; x++) {
            *at(to++) = (uint8_t)pattern_pixel(seed, x, y);
        }
    }
}

/* By the BIOS, with all 256 colours set by it. */
static void bios_mode13(uint32_t seed)
{
    static uint8_t colors[768];
    struct bios_regs r = {.eax = 0x1012, .ebx = 0, .ecx = 256};

    bios_video(0x13, 0, 0, 0);
    for (unsigned i = 0; i < 256; i++) {
        uint32_t rgb = pattern_dac(seed, i);

        colors[3 * i] = rgb >> 18 & 63;
        colors[3 * i + 1] = rgb >> 10 & 63;
        colors[3 * i + 2] = rgb >> 2 & 63;
    }
    r.es = (uint16_t)((uintptr_t)colors >> 4);
    r.edx = (uintptr_t)colors & 15;
    bios_call(0x10, &r);
    chained_fill(seed, SCREEN, 320, 200);
}

static void set_chained(uint32_t seed)
{
    vga_set(&vga_mode13);
    vga_put_dac(seed);
}

static void chained(uint32_t seed)
{
    set_chained(seed);
    chained_fill(seed, SCREEN, 320, 200);
}

/* Two pixels to the left, one line down, in lines of 320. */
static void chained_moved(uint32_t seed)
{
    set_chained(seed);
    chained_fill(seed, SCREEN, 320, 204);
    vga_put_start(80);
    vga_put_attribute(0x13, 4);
}

/* Write what the DAC says of entries 0..127, from the last to the first, into 128..255. */
static void dac_read(uint32_t seed)
{
    chained(seed);
    for (unsigned i = 0; i < 128; i++) {
        uint8_t rgb[3];

        outb(0x3c7, (uint8_t)(127 - i));
        for (unsigned part = 0; part < 3; part++) {
            rgb[part] = inb(0x3c9);
        }
        outb(0x3c8, (uint8_t)(128 + i));
        for (unsigned part = 0; part < 3; part++) {
            outb(0x3c9, rgb[part]);
        }
    }
}

/* Mode X: plane x & 3 has column x; `to` counts bytes of a plane. */
static void unchained_fill(uint32_t seed, uint32_t to, unsigned width, unsigned lines)
{
    for (unsigned plane = 0; plane < 4; plane++) {
        uint32_t byte = SCREEN + to;

        vga_put(SEQ, 2, (uint8_t)(1 << plane));
        for (unsigned y = 0; y < lines; y++) {
            for (unsigned x = plane; x < width; x += 4) {
                *at(byte++) = (uint8_t)pattern_pixel(seed, x, y);
            }
        }
    }
    vga_put(SEQ, 2, 0x0f);
}

static void set_unchained(uint32_t seed)
{
    set_chained(seed);
    vga_put(SEQ, 4, 0x06);
    vga_put(CRTC, 0x14, 0x00);
    vga_put(CRTC, 0x17, 0xe3);
}

static void set_480_lines(uint8_t misc)
{
    static const uint8_t registers[][2] = {{0x06, 0x0d}, {0x07, 0x3e}, {0x10, 0xea}, {0x11, 0x0c},
                                           {0x12, 0xdf}, {0x15, 0xe7}, {0x16, 0x06}};

    outb(0x3c2, misc);
    for (unsigned i = 0; i < ARRAY_LEN(registers); i++) {
        vga_put(CRTC, registers[i][0], registers[i][1]);
    }
}

/* Two pages: the first is shown, the second is drawn meanwhile. */
static void x320x200(uint32_t seed)
{
    set_unchained(seed);
    unchained_fill(seed, 0, 320, 200);
    unchained_fill(seed + 1, 16000, 320, 200);
}

static void x320x200_flipped(uint32_t seed)
{
    (void)seed;
    vga_put_start(16000);
}

static void x320x240(uint32_t seed)
{
    set_unchained(seed);
    set_480_lines(0xe3);
    unchained_fill(seed, 0, 320, 240);
}

static void x320x400(uint32_t seed)
{
    set_unchained(seed);
    vga_change(CRTC, 0x09, 0x9f, 0);
    unchained_fill(seed, 0, 320, 400);
}

static void x360x480(uint32_t seed)
{
    static const uint8_t crtc[6] = {0x6b, 0x59, 0x5a, 0x8e, 0x5e, 0x8a};

    set_unchained(seed);
    set_480_lines(0xe7);
    vga_change(CRTC, 0x09, 0x9f, 0);
    for (uint8_t i = 0; i < 6; i++) {
        vga_put(CRTC, i, crtc[i]);
    }
    vga_put(CRTC, 0x13, 45);
    unchained_fill(seed, 0, 360, 480);
}

/* Lines of 400 pixels in memory; from byte 1234 and pixel 3 on. */
static void x_moved(uint32_t seed)
{
    set_unchained(seed);
    unchained_fill(seed, 0, 400, 400);
    vga_put(CRTC, 0x13, 50);
    vga_put_start(1234);
    vga_put_attribute(0x13, 6);
}

/* The lower part, from line 241 on, stands still. */
static void x_split(uint32_t seed)
{
    x_moved(seed);
    vga_put_attribute(0x10, 0x61);
    vga_put_line_compare(240);
}

const struct stop packed_stops[] = {
    {"mode13-bios", bios_mode13}, {"chained", chained},   {"chained-moved", chained_moved},
    {"dac-read", dac_read},       {"x320x200", x320x200}, {"x320x200-flipped", x320x200_flipped},
    {"x320x240", x320x240},       {"x320x400", x320x400}, {"x360x480", x360x480},
    {"x-moved", x_moved},         {"x-split", x_split},   {0},
};
