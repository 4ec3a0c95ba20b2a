/*
 * How writes and reads go through the graphics controller: twelve bands of 40 lines of 640x480 in
 * 16 colours.  Each band holds a picture of its own; then each of its bytes is written in its own
 * way, with data that follows from the place.
 *
 * Follows: IBM VGA/XGA Technical Reference (1992).
 */
#include "pc-bios/modes/modes.h"

enum { PLANES = 0xa0000, STRIDE = 80, BAND = 40, SPARE = 480 };
enum { SET_RESET, ENABLE, COMPARE, ROTATE, READ_MAP, MODE, MISC, DONT_CARE, BIT_MASK };

/* The byte that is written at a place. */
static uint8_t data_at(uint32_t seed, unsigned x, unsigned y)
{
    return (uint8_t)pattern_mix(seed + 1, x, y);
}

/* What each band does before its writes; the test has the same list in its own words. */
struct band {
    uint8_t map;
    uint8_t gc[9];
    bool reads; /* fill the latches from the place first */
};
static const struct band bands[] = {
    {0x5, {0, 0, 0, 0, 0, 0, 5, 15, 0xff}, false},      /* planes 0 and 2 alone */
    {0xf, {0, 0, 0, 3, 0, 0, 5, 15, 0xff}, false},      /* turned by 3 */
    {0xf, {0xa, 0x6, 0, 0, 0, 0, 5, 15, 0xff}, false},  /* set and reset in planes 2 and 1 */
    {0xf, {0, 0, 0, 0x08, 0, 0, 5, 15, 0xff}, true},    /* AND */
    {0xf, {0, 0, 0, 0x10, 0, 0, 5, 15, 0xff}, true},    /* OR */
    {0xb, {0, 0, 0, 0x1d, 0, 0, 5, 15, 0x5a}, true},    /* XOR, turned by 5, some bits */
    {0xf, {0, 0, 0, 0, 0, 1, 5, 15, 0x3c}, false},      /* latches of the spare lines */
    {0xf, {0, 0, 0, 0, 0, 2, 5, 15, 0x66}, true},       /* a colour */
    {0xf, {0x9, 0, 0, 0x01, 0, 3, 5, 15, 0x7e}, true},  /* a colour through a mask, turned by 1 */
    {0xf, {0, 0, 0x6, 0, 0, 8, 5, 0x7, 0xff}, false},   /* read: where is colour 6 or 14? */
    {0xf, {0, 0, 0, 0, 2, 0, 5, 15, 0xff}, false},      /* read: plane 2 */
    {0xf, {0x5, 0xf, 0, 0x18, 0, 2, 5, 15, 0xff}, true} /* a colour, XOR */
};
enum { COPY = 6, READ_COLOR = 9, READ_PLANE = 10 };

static void set_band(const struct band *band)
{
    vga_put(SEQ, 2, band->map);
    for (uint8_t i = 0; i < 9; i++) {
        vga_put(GC, i, band->gc[i]);
    }
}

static void write_band(uint32_t seed, unsigned n)
{
    set_band(&bands[n]);
    for (unsigned y = n * BAND; y < (n + 1) * BAND; y++) {
        for (unsigned x = 0; x < STRIDE; x++) {
            volatile uint8_t *to = at(PLANES + y * STRIDE + x);

            if (n == COPY) {
                (void)*at(PLANES + (SPARE + y % BAND) * STRIDE + x);
                *to = 0;
            } else if (n == READ_COLOR || n == READ_PLANE) {
                *to = *to;
            } else {
                if (bands[n].reads) {
                    (void)*to;
                }
                *to = data_at(seed, x, y);
            }
        }
    }
}

static void ops(uint32_t seed)
{
    vga_set(&vga_mode12);
    vga_put_dac(seed);
    vga_put_pens(seed);
    planar_fill(seed, STRIDE, SPARE + BAND, 4);
    for (unsigned n = 0; n < ARRAY_LEN(bands); n++) {
        write_band(seed, n);
    }
}

const struct stop ops_stops[] = {
    {"ops", ops},
    {0},
};
