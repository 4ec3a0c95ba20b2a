/*
 * Text: cells and fonts of our own in every shape, by the BIOS and by the registers.
 *
 * Follows: IBM VGA/XGA Technical Reference (1992); Ralf Brown's interrupt list for INT 10h.
 * Not here: the monochrome mode 7.
 */
#include "pc-bios/modes/modes.h"

enum { SCREEN = 0xb8000, FONTS = 0xa0000, STRIDE = 80, CURSOR = 5 * 80 + 17 };
enum { UNBLINK = 0x1003, HIDE_CURSOR = 0x0100 };

/* Cells 0.. of a screen of `stride` columns. */
static void put_cells(uint32_t seed, unsigned stride, unsigned rows)
{
    volatile uint16_t *cells = (volatile uint16_t *)at(SCREEN);

    for (unsigned row = 0; row < rows; row++) {
        for (unsigned column = 0; column < stride; column++) {
            *cells++ = pattern_cell(seed, column, row);
        }
    }
}

/* Put font `font` into slot 0..7 of plane 2. */
static void put_font(unsigned slot, unsigned font)
{
    uint32_t to = FONTS + (slot & 3) * 0x4000 + (slot >> 2) * 0x2000;

    vga_put(SEQ, 2, 4);
    vga_put(SEQ, 4, 6);
    vga_put(GC, 5, 0);
    vga_put(GC, 6, 4);
    for (unsigned ch = 0; ch < 256; ch++) {
        for (unsigned line = 0; line < 32; line++) {
            *at(to + 32 * ch + line) = pattern_glyph(font, ch, line);
        }
    }
    vga_put(SEQ, 2, 3);
    vga_put(SEQ, 4, 2);
    vga_put(GC, 5, 0x10);
    vga_put(GC, 6, 0x0e);
}

/* By the BIOS ---------------------------------------------------------------------------------- */

/* Where the BIOS has a font: test programs read it there. */
static void say_font(unsigned which)
{
    struct bios_regs r = {.eax = 0x1130, .ebx = which << 8};

    bios_call(0x10, &r);
    serial_print("FONT at=%u\n", (unsigned)(r.es * 16u + (r.ebp & 0xffff)));
}

static void bios_mode(uint8_t mode)
{
    bios_video(mode, 0, 0, 0);
    bios_video(UNBLINK, 0, 0, 0);
    bios_video(HIDE_CURSOR, 0, 0x2000, 0);
}

static void bios_text80(uint32_t seed)
{
    bios_mode(3);
    say_font(6);
    put_cells(seed, 80, 25);
}

static void bios_text40(uint32_t seed)
{
    bios_mode(1);
    say_font(6);
    put_cells(seed, 40, 25);
}

static void bios_text80x50(uint32_t seed)
{
    bios_mode(3);
    bios_video(0x1112, 0, 0, 0);
    bios_video(HIDE_CURSOR, 0, 0x2000, 0);
    say_font(3);
    put_cells(seed, 80, 50);
}

/* A font of 14 lines from the program: 28 rows fit, and some of the next is seen. */
static void bios_user_font(uint32_t seed)
{
    static uint8_t font[256 * 14];
    struct bios_regs r = {.eax = 0x1110, .ebx = 14 << 8, .ecx = 256};

    bios_mode(3);
    for (unsigned i = 0; i < sizeof font; i++) {
        font[i] = pattern_glyph(2, i / 14, i % 14);
    }
    r.es = (uint16_t)((uintptr_t)font >> 4);
    r.ebp = (uintptr_t)font & 15;
    bios_call(0x10, &r);
    bios_video(HIDE_CURSOR, 0, 0x2000, 0);
    put_cells(seed, 80, 29);
}

/* By the registers ----------------------------------------------------------------------------- */

static void set_text(const struct vga_mode *mode, uint32_t seed, unsigned rows)
{
    vga_set(mode);
    put_font(0, 1);
    vga_put_dac(seed);
    vga_put_pens(seed);
    put_cells(seed, STRIDE, rows);
}

static void set_cell_lines(unsigned lines)
{
    vga_change(CRTC, 0x09, 0x1f, (uint8_t)(lines - 1));
}

static void text80(uint32_t seed)
{
    set_text(&vga_text80, seed, 25);
}

static void set_8_dots(void)
{
    outb(0x3c2, 0x63);
    vga_change(SEQ, 1, 1, 1);
}

/* CRTC registers 0 to 7 are locked but for the split's bit: the 40 columns do not come. */
static void lock_crtc(void)
{
    vga_change(CRTC, 0x11, 0x80, 0x80);
    vga_put(CRTC, 1, 0x27);
}

static void text_8dot(uint32_t seed)
{
    text80(seed);
    set_8_dots();
    lock_crtc();
}

/* 40 columns of 9 dots, each twice as wide. */
static void text40(uint32_t seed)
{
    static const uint8_t crtc[6] = {0x2d, 0x27, 0x28, 0x90, 0x2b, 0xa0};

    text80(seed);
    put_cells(seed, 40, 25);
    vga_change(SEQ, 1, 8, 8);
    for (uint8_t i = 0; i < 6; i++) {
        vga_put(CRTC, i, crtc[i]);
    }
    vga_put(CRTC, 0x13, 20);
}

static void text80x43(uint32_t seed)
{
    set_text(&vga_text80_350, seed, 44);
    set_cell_lines(8);
}

/* The vertical timing of 480 lines. */
static void text80x60(uint32_t seed)
{
    static const uint8_t registers[][2] = {{0x06, 0x0b}, {0x07, 0x3e}, {0x10, 0xea}, {0x11, 0x0c},
                                           {0x12, 0xdf}, {0x15, 0xe7}, {0x16, 0x04}};

    set_text(&vga_text80, seed, 60);
    outb(0x3c2, 0xe7);
    for (unsigned i = 0; i < ARRAY_LEN(registers); i++) {
        vga_put(CRTC, registers[i][0], registers[i][1]);
    }
    set_cell_lines(8);
}

/* Cells of 8 lines, every line twice. */
static void text_double(uint32_t seed)
{
    text80(seed);
    set_cell_lines(8);
    vga_change(CRTC, 0x09, 0x80, 0x80);
}

/* Attribute bit 3 chooses between two fonts, and not the colour. */
static void text_512(uint32_t seed)
{
    text80(seed);
    put_font(1, 2);
    vga_put(SEQ, 3, 0x04);
    vga_put_attribute(0x12, 7);
}

/* Fonts in slot 6 and, for attribute bit 3, in slot 3. */
static void text_slots(uint32_t seed)
{
    text80(seed);
    put_font(6, 3);
    put_font(3, 4);
    vga_put(SEQ, 3, 0x1e);
}

static void text_blink(uint32_t seed)
{
    text80(seed);
    vga_put_attribute(0x10, 0x0c);
}

static void text_nolines(uint32_t seed)
{
    text80(seed);
    vga_put_attribute(0x10, 0x00);
}

static void text_underline(uint32_t seed)
{
    text_8dot(seed);
    vga_put(CRTC, 0x14, 12);
}

static void set_cursor(uint32_t seed, uint8_t start, uint8_t end)
{
    text80(seed);
    vga_put(CRTC, 0x0e, CURSOR >> 8);
    vga_put(CRTC, 0x0f, CURSOR & 0xff);
    vga_put(CRTC, 0x0a, start);
    vga_put(CRTC, 0x0b, end);
}

static void cursor_line(uint32_t seed)
{
    set_cursor(seed, 13, 14);
}

static void cursor_block(uint32_t seed)
{
    set_cursor(seed, 0, 31);
}

/* The last line before the first: none, on a VGA. */
static void cursor_inverted(uint32_t seed)
{
    set_cursor(seed, 12, 3);
}

static void cursor_off(uint32_t seed)
{
    set_cursor(seed, 0x20, 15);
}

/* 100 columns in memory; from cell 0x123 + 2, line 5, dot 4 on. */
static void set_moved(uint32_t seed)
{
    text80(seed);
    put_cells(seed, 100, 40);
    vga_put(CRTC, 0x13, 50);
    vga_put_start(0x123);
    vga_put(CRTC, 0x08, 2 << 5 | 5);
}

static void text_moved(uint32_t seed)
{
    set_moved(seed);
    vga_put_attribute(0x13, 3);
}

static void text_moved_8dot(uint32_t seed)
{
    set_moved(seed);
    set_8_dots();
    vga_put_attribute(0x13, 3);
}

/* The lower part begins below line 187; it is moved sideways too. */
static void text_split(uint32_t seed)
{
    text_moved(seed);
    lock_crtc();
    vga_put_line_compare(187);
}

static void text_split_still(uint32_t seed)
{
    text_split(seed);
    vga_put_attribute(0x10, 0x24);
}

const struct stop text_stops[] = {
    {"text80-bios", bios_text80},
    {"text40-bios", bios_text40},
    {"text80x50-bios", bios_text80x50},
    {"text80x28-bios", bios_user_font},
    {"text80", text80},
    {"text80-8dot", text_8dot},
    {"text40", text40},
    {"text80x43", text80x43},
    {"text80x60", text80x60},
    {"text-double", text_double},
    {"text-512", text_512},
    {"text-slots", text_slots},
    {"text-blink", text_blink},
    {"text-nolines", text_nolines},
    {"text-underline", text_underline},
    {"cursor-line", cursor_line},
    {"cursor-block", cursor_block},
    {"cursor-inverted", cursor_inverted},
    {"cursor-off", cursor_off},
    {"text-moved", text_moved},
    {"text-moved-8dot", text_moved_8dot},
    {"text-split", text_split},
    {"text-split-still", text_split_still},
    {0},
};
