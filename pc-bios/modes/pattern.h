/*
 * What the mode guest draws, as numbers: the guest puts them on the screen, the test
 * (tests/hw/test_modes.c) works out from them how the screen has to look.  Everything follows from
 * the name of a stop, so that no two stops look alike.
 *
 * Not here: how a mode lays pixels out; each side has its own words for that.
 */
#ifndef MODES_PATTERN_H
#define MODES_PATTERN_H

#include <stdint.h>

/* A number that looks random but follows from its place. */
static inline uint32_t pattern_mix(uint32_t seed, uint32_t x, uint32_t y)
{
    uint32_t v = seed ^ x * 0x9e3779b1u ^ (y + 1) * 0x85ebca77u;

    v = (v ^ v >> 15) * 0x2c1b3c6du;
    v = (v ^ v >> 12) * 0x297a2d39u;
    return v ^ v >> 15;
}

static inline uint32_t pattern_seed(const char *name)
{
    uint32_t v = 0;

    for (unsigned i = 0; name[i]; i++) {
        v = pattern_mix(v, (uint8_t)name[i], i);
    }
    return v;
}

/* Blocks of 16 x 8 pixels of a random colour each, slopes inside: as many low bits as a pixel has
 * count. */
static inline uint32_t pattern_pixel(uint32_t seed, uint32_t x, uint32_t y)
{
    return pattern_mix(seed, x >> 4, y >> 3) + x + 3 * y;
}

/* A pixel of 24 bits (red 16-23, green 8-15, blue 0-7), in the same blocks. */
static inline uint32_t pattern_rgb(uint32_t seed, uint32_t x, uint32_t y)
{
    return (pattern_mix(seed, x >> 4, y >> 3) ^ x * 0x030507u ^ y * 0x0b0d11u) & 0xffffff;
}

/* A cell of text: character in bits 0-7, attribute in bits 8-15. */
static inline uint16_t pattern_cell(uint32_t seed, uint32_t column, uint32_t row)
{
    return (uint16_t)pattern_mix(seed, column, row);
}

/* A line (0..31) of a glyph of font `font`. */
static inline uint8_t pattern_glyph(uint32_t font, uint32_t ch, uint32_t line)
{
    return (uint8_t)pattern_mix(0xf0 + font, ch, line);
}

/* What the guest puts into the DAC: 24 bits; in 6-bit mode the upper six bits of each part. */
static inline uint32_t pattern_dac(uint32_t seed, uint32_t i)
{
    return pattern_mix(seed, i, 0xdac) & 0xffffff;
}

/* Palette register `i` (0..15), six bits: all different. */
static inline uint8_t pattern_pen(uint32_t seed, uint32_t i)
{
    return (uint8_t)((i * 11 + (seed & 63)) & 63);
}

#endif
