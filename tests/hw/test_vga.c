/*
 * The VGA (hw/vga.c, hw/vga_draw.c), after the IBM VGA/XGA Technical Reference: registers, the
 * CPU's view of the planes and the picture.  Modes are set from tables of register values as a VGA
 * BIOS has them.
 *
 * Not modelled: the BIOS.
 */
#include "tests/hw/vga_rig.h"

Test(vga, text_written_in_any_size_is_on_the_text_screen)
{
    struct rig *r = vga_rig(&text80);
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < 2000; i++) {
        rig_mmio_write(r, 0xb8000 + i * 2, 0x0720, 2);
    }
    rig_mmio_write(r, 0xb8000, 0x0741, 2);
    poke(r, 0xb8002, 'B');
    rig_mmio_write(r, 0xb8004, 0x0744074307ull << 8 | 0x43, 8);
    rig_mmio_write(r, 0xb8000 + 160, 0x07b107c9, 4); /* double corner, shade */
    rig_mmio_write(r, 0xb8f9e, 0x07ff, 2);
    rig_mmio_write(r, 0xb8f9c, 0x0703, 2);
    cr_assert_eq(rig_mmio_read(r, 0xb8000, 2), 0x0741);
    cr_assert_eq(rig_mmio_read(r, 0xb8002, 4), 0x07430742);
    cr_assert(display_text_utf8(r->m, text));
    g_auto(GStrv) lines = g_strsplit(text->str, "\n", -1);
    cr_assert_eq(g_strv_length(lines), 26);
    cr_assert_eq(lines[0][0], 'A');
    cr_assert_eq(lines[0][1], 'B');
    cr_assert_eq(lines[0][2], 'C');
    cr_assert_str_eq(lines[1], "\u2554\u2592");
    cr_assert_str_eq(lines[2], "");
    cr_assert(g_str_has_suffix(lines[24], " \u2665"));
    rig_free(r);
}

Test(vga, text_screen_follows_start_address_and_offset)
{
    struct rig *r = vga_rig(&text80);
    g_autoptr(GString) text = g_string_new(NULL);

    rig_mmio_write(r, 0xb8000 + 80 * 2 * 3 + 10, 'x' | 0x700, 2);
    indexed(r, 0x3d4, 0x0c, 0);
    indexed(r, 0x3d4, 0x0d, 3 * 80 + 5);
    cr_assert(display_text_utf8(r->m, text));
    cr_assert_eq(text->str[0], 'x');
    rig_free(r);
}

Test(vga, text_bytes_lie_in_planes_0_and_1_at_even_addresses)
{
    struct rig *r = vga_rig(&text80);

    rig_mmio_write(r, 0xb8006, 0x1234, 2);
    indexed(r, 0x3ce, 6, 4); /* planar at 0xa0000 */
    indexed(r, 0x3ce, 5, 0);
    indexed(r, 0x3c4, 4, 6);
    indexed(r, 0x3ce, 4, 0);
    cr_assert_eq(peek(r, 0xa0006), 0x34);
    cr_assert_eq(peek(r, 0xa0007), 0);
    indexed(r, 0x3ce, 4, 1);
    cr_assert_eq(peek(r, 0xa0006), 0x12);
    rig_free(r);
}

Test(vga, glyphs_attributes_and_ninth_dot_are_drawn)
{
    static const uint8_t glyph[16] = {0x81, 0x01, [15] = 0xff};
    struct rig *r = vga_rig(&text80);
    struct surface s = {0}, other = {0};

    set_glyph(r, 0, 'A', glyph, 16);
    set_glyph(r, 0, 0xc4, glyph, 16);
    set_glyph(r, 0x4000, 'A', (const uint8_t[]){0x18}, 1);
    indexed(r, 0x3d4, 0x0a, 0x20); /* no cursor */
    rig_mmio_write(r, 0xb8000, 0x1e41, 2);
    rig_mmio_write(r, 0xb8002, 0x1ec4, 2);
    cr_assert(draw(r, &s));
    cr_assert_eq(s.width, 720);
    cr_assert_eq(s.height, 400);
    cr_assert_eq(pixel(&s, 0, 0), color(14));
    cr_assert_eq(pixel(&s, 1, 0), color(1));
    cr_assert_eq(pixel(&s, 7, 1), color(14));
    cr_assert_eq(pixel(&s, 8, 1), color(1), "letters leave the ninth dot");
    cr_assert_eq(pixel(&s, 9 + 8, 1), color(14), "line graphics reach into it");
    cr_assert_eq(pixel(&s, 4, 15), color(14));
    cr_assert_eq(pixel(&s, 4, 16), color(0));
    cr_assert_not(draw(r, &s), "nothing changed");
    r->m->display->shot(r->m->display_dev, &other);
    cr_assert_eq(other.height, 400);
    cr_assert_eq(memcmp(other.pixels, s.pixels, (size_t)s.stride * s.height), 0);
    indexed(r, 0x3c4, 3, 4); /* bright characters from the second font */
    cr_assert(draw(r, &s));
    cr_assert_eq(pixel(&s, 0, 0), color(1));
    cr_assert_eq(pixel(&s, 3, 0), color(14));
    surface_free(&other);
    surface_free(&s);
    rig_free(r);
}

Test(vga, cursor_and_blinking_characters_blink)
{
    static const uint8_t full[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct rig *r = vga_rig(&text80);
    struct surface s = {0};
    unsigned cursor_on = 0, text_on = 0, changes = 0;

    set_glyph(r, 0, 'A', full, 16);
    rig_mmio_write(r, 0xb8000, 0x0700, 2);
    rig_mmio_write(r, 0xb8002, 0x8741, 2);
    for (unsigned i = 0; i < 64; i++) {
        rig_step(r, NS_PER_SEC / 70 + 1);
        changes += draw(r, &s);
        cursor_on += pixel(&s, 0, 14) == color(7);
        text_on += pixel(&s, 9, 0) == color(7);
        cr_assert_eq(pixel(&s, 0, 12), color(0), "the cursor has two lines");
    }
    cr_assert_eq(cursor_on, 32);
    cr_assert_eq(text_on, 32);
    cr_assert_leq(changes, 9, "drawn only when something blinks");
    surface_free(&s);
    rig_free(r);
}

Test(vga, split_screen_and_panning_move_the_picture)
{
    static const uint8_t left[16] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                     0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
    struct rig *r = vga_rig(&text80);
    struct surface s = {0};

    set_glyph(r, 0, 'A', left, 16);
    indexed(r, 0x3d4, 0x0a, 0x20);
    rig_mmio_write(r, 0xb8000, 0x0741, 2);
    rig_mmio_write(r, 0xb8002, 0x0741, 2);
    indexed(r, 0x3d4, 0x0d, 80);  /* from the second row on: empty */
    indexed(r, 0x3d4, 0x18, 199); /* and from line 200 on address 0 */
    indexed(r, 0x3d4, 0x07, 0x0f);
    indexed(r, 0x3d4, 0x09, 0x0f);
    draw(r, &s);
    cr_assert_eq(pixel(&s, 0, 0), color(0));
    cr_assert_eq(pixel(&s, 0, 199), color(0));
    cr_assert_eq(pixel(&s, 0, 200), color(7));
    rig_in8(r, 0x3da);
    rig_out8(r, 0x3c0, 0x33);
    rig_out8(r, 0x3c0, 2); /* three dots to the left */
    draw(r, &s);
    cr_assert_eq(pixel(&s, 0, 200), color(0));
    cr_assert_eq(pixel(&s, 6, 200), color(7));
    surface_free(&s);
    rig_free(r);
}

Test(vga, mode_13_pixels_come_out_in_their_colours)
{
    struct rig *r = vga_rig(&mode13);
    struct surface s = {0};

    for (unsigned i = 0; i < 64000; i++) {
        poke(r, 0xa0000 + i, (i * 7 + i / 320) & 255);
    }
    rig_mmio_write(r, 0xa0000 + 64000 - 4, 0x04030201, 4);
    cr_assert_eq(peek(r, 0xa0000 + 63998), 3);
    draw(r, &s);
    cr_assert_eq(s.width, 640);
    cr_assert_eq(s.height, 400);
    for (unsigned y = 0; y < 200; y++) {
        for (unsigned x = 0; x < (y == 199 ? 316 : 320); x++) {
            unsigned i = y * 320 + x;
            cr_assert_eq(pixel(&s, 2 * x + (y & 1), 2 * y + (x & 1)),
                         color((i * 7 + i / 320) & 255), "%u,%u", x, y);
        }
    }
    cr_assert_eq(pixel(&s, 639, 399), color(4));
    surface_free(&s);
    rig_free(r);
}

Test(vga, planar_and_cga_pixels_come_out_in_their_colours)
{
    struct rig *r = vga_rig(&mode12);
    struct surface s = {0};

    for (unsigned plane = 0; plane < 4; plane++) { /* the first 16 pixels: colours 0 to 15 */
        static const uint16_t bits[4] = {0x5555, 0x3333, 0x0f0f, 0x00ff};
        indexed(r, 0x3c4, 2, 1u << plane);
        poke(r, 0xa0000 + 80 * 479, bits[plane] >> 8);
        poke(r, 0xa0001 + 80 * 479, bits[plane] & 255);
    }
    draw(r, &s);
    cr_assert_eq(s.width, 640);
    cr_assert_eq(s.height, 480);
    for (unsigned i = 0; i < 16; i++) {
        cr_assert_eq(pixel(&s, i, 479), color(i));
    }
    set_mode(r, &mode4);
    for (unsigned i = 0; i < 0x4000; i += 2) {
        rig_mmio_write(r, 0xb8000 + i, 0, 2);
    }
    poke(r, 0xb8000, 0x1b); /* line 0: colours 0 1 2 3 */
    poke(r, 0xb8001, 0xe4); /* then 3 2 1 0 */
    poke(r, 0xba000, 0xff); /* line 1 */
    draw(r, &s);
    cr_assert_eq(s.width, 640);
    cr_assert_eq(s.height, 400);
    for (unsigned i = 0; i < 8; i++) {
        cr_assert_eq(pixel(&s, 2 * i, 0), color(i < 4 ? i : 7 - i), "pixel %u", i);
        cr_assert_eq(pixel(&s, 2 * i + 1, 1), color(i < 4 ? i : 7 - i));
        cr_assert_eq(pixel(&s, 2 * i, 2), color(i < 4 ? 3 : 0));
    }
    surface_free(&s);
    rig_free(r);
}

/* Address 5 of each plane starts as 0x11, 0x22, 0x44, 0x88 and is in the latches. */
Test(vga, write_modes_follow_the_data_path)
{
    static const struct {
        uint8_t mode, set_reset, enable, rotate, bit_mask, map_mask, val;
        uint8_t result[4];
    } rows[] = {
        {0, 0, 0, 0x00, 0xff, 0x0f, 0xa5, {0xa5, 0xa5, 0xa5, 0xa5}},
        {0, 0, 0, 0x00, 0xff, 0x05, 0xa5, {0xa5, 0x22, 0xa5, 0x88}},
        {0, 0, 0, 0x04, 0xff, 0x0f, 0xa1, {0x1a, 0x1a, 0x1a, 0x1a}},
        {0, 0x3, 0xf, 0x00, 0xff, 0x0f, 0x77, {0xff, 0xff, 0x00, 0x00}},
        {0, 0x1, 0x5, 0x00, 0xff, 0x0f, 0x77, {0xff, 0x77, 0x00, 0x77}},
        {0, 0, 0, 0x00, 0x0f, 0x0f, 0xa5, {0x15, 0x25, 0x45, 0x85}},
        {0, 0, 0, 0x08, 0xff, 0x0f, 0xf0, {0x10, 0x20, 0x40, 0x80}}, /* and */
        {0, 0, 0, 0x10, 0xff, 0x0f, 0xf0, {0xf1, 0xf2, 0xf4, 0xf8}}, /* or */
        {0, 0, 0, 0x18, 0xff, 0x0f, 0xff, {0xee, 0xdd, 0xbb, 0x77}}, /* xor */
        {1, 0xf, 0xf, 0x18, 0x00, 0x0e, 0xff, {0x00, 0x22, 0x44, 0x88}},
        {2, 0, 0, 0x00, 0xff, 0x0f, 0x06, {0x00, 0xff, 0xff, 0x00}},
        {2, 0, 0, 0x00, 0xf0, 0x0f, 0x06, {0x01, 0xf2, 0xf4, 0x08}},
        {3, 0x9, 0, 0x00, 0xff, 0x0f, 0x0f, {0x1f, 0x20, 0x40, 0x8f}},
        {3, 0x9, 0, 0x04, 0x3c, 0x0f, 0xf0, {0x1d, 0x22, 0x40, 0x8c}},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig *r = vga_rig(&mode12);

        for (unsigned plane = 0; plane < 4; plane++) {
            indexed(r, 0x3c4, 2, 1u << plane);
            poke(r, 0xa0005, 0x11u << plane);
        }
        peek(r, 0xa0005);
        if (i == 9) { /* write mode 1 copies the latches elsewhere */
            indexed(r, 0x3c4, 2, 1);
            poke(r, 0xa0005, 0);
        }
        indexed(r, 0x3ce, 0, rows[i].set_reset);
        indexed(r, 0x3ce, 1, rows[i].enable);
        indexed(r, 0x3ce, 3, rows[i].rotate);
        indexed(r, 0x3ce, 5, rows[i].mode);
        indexed(r, 0x3ce, 8, rows[i].bit_mask);
        indexed(r, 0x3c4, 2, rows[i].map_mask);
        poke(r, 0xa0005, rows[i].val);
        for (unsigned plane = 0; plane < 4; plane++) {
            indexed(r, 0x3ce, 4, plane);
            uint8_t got = peek(r, 0xa0005);
            cr_assert_eq(got, rows[i].result[plane], "row %u plane %u: %02x", i, plane, got);
        }
        rig_free(r);
    }
}

Test(vga, read_mode_1_compares_colours)
{
    struct rig *r = vga_rig(&mode12);

    for (unsigned plane = 0; plane < 4; plane++) { /* eight pixels of colours 0 to 7, plane 3 set */
        static const uint8_t bits[4] = {0x55, 0x33, 0x0f, 0xff};
        indexed(r, 0x3c4, 2, 1u << plane);
        poke(r, 0xa0000, bits[plane]);
    }
    indexed(r, 0x3ce, 5, 8);
    indexed(r, 0x3ce, 2, 0x0d);
    cr_assert_eq(peek(r, 0xa0000), 0x80 >> 5);
    indexed(r, 0x3ce, 7, 0x07); /* plane 3 does not matter */
    indexed(r, 0x3ce, 2, 0x02);
    cr_assert_eq(peek(r, 0xa0000), 0x80 >> 2);
    indexed(r, 0x3ce, 7, 0);
    cr_assert_eq(peek(r, 0xa0000), 0xff);
    rig_free(r);
}

Test(vga, window_follows_the_memory_map_and_the_ram_bit)
{
    static const struct {
        uint8_t map;
        uint32_t first, last, outside;
    } rows[] = {
        {0, 0xa0000, 0xbffff, 0},
        {1, 0xa0000, 0xaffff, 0xb0000},
        {2, 0xb0000, 0xb7fff, 0xb8000},
        {3, 0xb8000, 0xbffff, 0xb7fff},
    };
    struct rig *r = vga_rig(&mode12);

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        indexed(r, 0x3ce, 6, 1u | (unsigned)rows[i].map << 2);
        poke(r, rows[i].first, 0x5a);
        cr_assert_eq(peek(r, rows[i].first), 0x5a);
        poke(r, rows[i].last, 0xa5);
        cr_assert_eq(peek(r, rows[i].last), 0xa5);
        if (rows[i].outside) {
            poke(r, rows[i].outside, 0x33);
            cr_assert_eq(peek(r, rows[i].outside), 0xff);
        }
    }
    rig_out8(r, 0x3c2, 0xe1);
    cr_assert_eq(peek(r, 0xb8000), 0xff);
    rig_free(r);
}

Test(vga, retrace_and_blanking_follow_virtual_time)
{
    struct rig *r = vga_rig(&text80);
    unsigned retrace = 0, blank = 0, edges = 0;
    uint8_t last = 0;

    for (unsigned i = 0; i < 10000; i++) { /* 10 us apart: a tenth of a second */
        rig_step(r, 10 * NS_PER_US);
        uint8_t now = rig_in8(r, 0x3da);
        retrace += (now & 8) != 0;
        blank += now & 1;
        edges += (now & 8) && !(last & 8);
        cr_assert(!(now & 8) || (now & 1), "retrace is blank");
        last = now;
    }
    cr_assert_eq(edges, 7, "70 frames a second");
    cr_assert(retrace > 30 && retrace < 60, "%u", retrace);
    cr_assert(blank > 2500 && blank < 3500, "%u", blank);
    rig_free(r);
}

Test(vga, registers_keep_what_the_chip_keeps)
{
    struct rig *r = vga_rig(&text80);

    rig_out8(r, 0x3d4, 0x11);
    cr_assert_eq(rig_in8(r, 0x3d5), 0x8e);
    indexed(r, 0x3d4, 0, 0x11); /* protected */
    rig_out8(r, 0x3d4, 0);
    cr_assert_eq(rig_in8(r, 0x3d5), 0x5f);
    indexed(r, 0x3d4, 7, 0); /* but for the line compare bit */
    rig_out8(r, 0x3d4, 7);
    cr_assert_eq(rig_in8(r, 0x3d5), 0x0f);
    rig_out8(r, 0x3c7, 5); /* colours can be read back */
    cr_assert_eq(rig_in8(r, 0x3c7), 3);
    cr_assert_eq(rig_in8(r, 0x3c9), 1);
    cr_assert_eq(rig_in8(r, 0x3c9), 5);
    cr_assert_eq(rig_in8(r, 0x3c9), 58);
    cr_assert_eq(rig_in8(r, 0x3c9), 1);
    cr_assert_eq(rig_in8(r, 0x3b5), 0xff, "no monochrome ports");
    rig_out8(r, 0x3c2, 0x66);
    cr_assert_eq(rig_in8(r, 0x3cc), 0x66);
    cr_assert_eq(rig_in8(r, 0x3d5), 0xff);
    cr_assert_eq(rig_in8(r, 0x3b4), 7);
    rig_in8(r, 0x3ba); /* attribute index and data take turns */
    rig_out8(r, 0x3c0, 0x12);
    cr_assert_eq(rig_in8(r, 0x3c1), 0x0f);
    rig_out8(r, 0x3c0, 0x05);
    cr_assert_eq(rig_in8(r, 0x3c1), 0x05);
    rig_free(r);
}

Test(vga, blank_before_a_mode_is_set_and_when_switched_off)
{
    struct rig *r = vga_rig(NULL);
    g_autoptr(GString) text = g_string_new(NULL);
    struct surface s = {0};

    cr_assert(draw(r, &s));
    cr_assert_eq(s.width, 720);
    cr_assert_eq(pixel(&s, 0, 0), 0);
    cr_assert_not(display_text_utf8(r->m, text));
    set_mode(r, &mode13);
    cr_assert_not(display_text_utf8(r->m, text));
    indexed(r, 0x3c4, 1, 0x21);
    draw(r, &s);
    cr_assert_eq(pixel(&s, 5, 5), 0);
    surface_free(&s);
    rig_free(r);
}

Test(vga, state_table_covers_the_state)
{
    g_autofree uint8_t *covered = g_malloc0(vga_ops.size);

    cr_assert(state_cover(vga_ops.state, 0, covered, vga_ops.size));
    for (unsigned i = vga_ops.s_offset; i < vga_ops.s_offset + vga_ops.s_size; i++) {
        cr_assert(covered[i], "byte %u of s is in no field", i - vga_ops.s_offset);
    }
}

Test(vga, survives_random_registers_and_accesses)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    struct rig *r = vga_rig(&text80);
    g_autoptr(GString) text = g_string_new(NULL);
    struct surface s = {0};

    for (unsigned i = 0; i < 40000; i++) {
        uint16_t port = (uint16_t)(0x3b0 + g_rand_int_range(rand, 0, 0x30));
        unsigned size = 1u << g_rand_int_range(rand, 0, 4);
        port_write_locked(r->m, port, g_rand_int(rand), 1u << g_rand_int_range(rand, 0, 3));
        port_read_locked(r->m, port, 1);
        rig_mmio_write(r, 0xa0000 + (g_rand_int(rand) & 0x1ffff), g_rand_int(rand), size);
        rig_mmio_read(r, 0xa0000 + (g_rand_int(rand) & 0x1ffff), size);
        if (i % 200 == 0) {
            rig_step(r, NS_PER_MS);
            rig_out8(r, 0x3c0, 0x20);
            draw(r, &s);
            display_text_utf8(r->m, text);
            g_string_truncate(text, 0);
        }
    }
    surface_free(&s);
    rig_free(r);
}
