/*
 * What the VGA draws anew (hw/vga_frame.c): only the lines that changed, and all of those.  Besides
 * the details of scan-out that programs rely on.
 *
 * Not modelled: the BIOS.
 */
#include "tests/hw/vga_rig.h"

static void expect_lines(struct rig *r, struct surface *s, unsigned top, unsigned lines,
                         const char *what)
{
    bool any = draw(r, s);

    cr_assert_eq(any, lines > 0, "%s", what);
    cr_assert_eq(s->changed_lines, lines, "%s: %u lines", what, s->changed_lines);
    cr_assert(!lines || s->changed_top == top, "%s: from %u on", what, s->changed_top);
}

static void no_cursor(struct rig *r)
{
    indexed(r, 0x3d4, 0x0a, 0x20);
}

Test(vga_frame, text_changes_by_rows)
{
    struct rig *r = vga_rig(&text80);
    struct surface s = {0};

    no_cursor(r);
    expect_lines(r, &s, 0, 400, "the first frame");
    expect_lines(r, &s, 0, 0, "nothing changed");
    rig_mmio_write(r, 0xb8000 + 160 * 10, 0x0741, 2);
    draw(r, &s);
    cr_assert_leq(s.changed_top, 160);
    cr_assert_geq(s.changed_top + s.changed_lines, 176);
    cr_assert_leq(s.changed_lines, 48, "%u", s.changed_lines);
    rig_mmio_write(r, 0xb8000 + 160 * 30, 0x0741, 2);
    expect_lines(r, &s, 0, 0, "below the screen");
    indexed(r, 0x3c4, 2, 3);
    indexed(r, 0x3ce, 0, 5);
    indexed(r, 0x3d4, 0x0c, 0);
    rig_out8(r, 0x3c2, 0x67);
    expect_lines(r, &s, 0, 0, "registers that show nothing, or have what they had");
    set_glyph(r, 0, 'B', (const uint8_t[]){1}, 1);
    expect_lines(r, &s, 0, 400, "a glyph");
    rig_mmio_write(r, VGA_LFB + 160 * 2, 0x0741, 2);
    expect_lines(r, &s, 0, 400, "the frame buffer, where the planes lie");
    rig_out8(r, 0x3c8, 7);
    rig_out8(r, 0x3c9, 1);
    rig_out8(r, 0x3c9, 7);
    expect_lines(r, &s, 0, 0, "a colour begun");
    rig_out8(r, 0x3c9, 56);
    expect_lines(r, &s, 0, 0, "the colour it was");
    rig_out8(r, 0x3c6, 0xfe);
    expect_lines(r, &s, 0, 400, "the colour mask");
    surface_free(&s);
    rig_free(r);
}

Test(vga_frame, the_cursor_and_blinking_change_their_rows)
{
    struct rig *r = vga_rig(&text80);
    struct surface s = {0};

    draw(r, &s);
    indexed(r, 0x3d4, 0x0f, 81); /* from row 0 to row 1 */
    expect_lines(r, &s, 13, 18, "lines 13 to 14 and 29 to 30");
    rig_mmio_write(r, 0xb8000 + 160 * 20, 0x8741, 2);
    draw(r, &s);
    rig_step(r, 8 * NS_PER_SEC / 70 + 1);
    expect_lines(r, &s, 29, 2, "the cursor goes");
    rig_step(r, 8 * NS_PER_SEC / 70 + 1);
    expect_lines(r, &s, 29, 336 - 29, "the cursor comes, the character goes");
    no_cursor(r);
    draw(r, &s);
    rig_step(r, 8 * NS_PER_SEC / 70 + 1);
    expect_lines(r, &s, 0, 0, "nothing blinks now");
    rig_step(r, 8 * NS_PER_SEC / 70 + 1);
    expect_lines(r, &s, 320, 16, "the character comes");
    surface_free(&s);
    rig_free(r);
}

Test(vga_frame, pixels_change_by_lines)
{
    struct rig *r = vga_rig(&mode13);
    struct surface s = {0};

    draw(r, &s);
    poke(r, 0xa0000 + 320 * 100 + 128, 5);
    expect_lines(r, &s, 200, 2, "mode 0x13");
    set_mode(r, &mode12);
    draw(r, &s);
    poke(r, 0xa0000 + 80 * 300 + 32, 5);
    expect_lines(r, &s, 300, 1, "mode 0x12");
    set_mode(r, &mode4);
    draw(r, &s);
    poke(r, 0xba000 + 80 * 10, 5);
    draw(r, &s);
    cr_assert(s.changed_top <= 42 && s.changed_top + s.changed_lines >= 44, "mode 4");
    cr_assert_leq(s.changed_lines, 16);
    surface_free(&s);
    rig_free(r);
}

Test(vga_frame, a_shot_leaves_the_changes)
{
    struct rig *r = vga_rig(&mode13);
    struct surface s = {0}, shot = {0};

    draw(r, &s);
    poke(r, 0xa0000, 5);
    rig_mmio_write(r, VGA_LFB + 4 * 80 * 4 * 150, 9, 1);
    r->m->display->shot(r->m->display_dev, &shot);
    r->m->display->shot(r->m->display_dev, &shot);
    cr_assert(draw(r, &s));
    cr_assert_eq(memcmp(s.pixels, shot.pixels, (size_t)s.stride * s.height), 0);
    surface_free(&shot);
    surface_free(&s);
    rig_free(r);
}

Test(vga_frame, cursor_skew_and_the_ninth_dot)
{
    struct rig *r = vga_rig(&text80);
    struct surface s = {0};

    set_glyph(r, 0, 'A', (const uint8_t[]){[0] = 0xff, [15] = 0}, 16);
    rig_mmio_write(r, 0xb8000, 0x0741, 2);
    rig_mmio_write(r, 0xb8002, 0x0741, 2);
    draw(r, &s);
    cr_assert_eq(pixel(&s, 8, 13), color(7), "the cursor has nine dots");
    cr_assert_eq(pixel(&s, 8, 0), color(0), "the character under it has not");
    indexed(r, 0x3d4, 0x0b, 0x2e);
    draw(r, &s);
    cr_assert_eq(pixel(&s, 8, 13), color(0));
    cr_assert_eq(pixel(&s, 9, 13), color(7));
    indexed(r, 0x3d4, 0x0a, 0x0f);
    draw(r, &s);
    cr_assert_eq(pixel(&s, 9, 13), color(0), "begins below its end: none");
    surface_free(&s);
    rig_free(r);
}

Test(vga_frame, rows_of_eight_lines_and_forty_columns)
{
    struct rig *r = vga_rig(&text80);
    struct surface s = {0};
    g_autoptr(GString) text = g_string_new(NULL);

    no_cursor(r);
    set_glyph(r, 0, 'A', (const uint8_t[]){0xff}, 1);
    indexed(r, 0x3d4, 0x09, 0x47); /* 50 rows */
    rig_mmio_write(r, 0xb8000 + 160 * 49, 0x0741, 2);
    draw(r, &s);
    cr_assert_eq(s.height, 400);
    cr_assert_eq(pixel(&s, 0, 392), color(7));
    cr_assert_eq(pixel(&s, 0, 393), color(0));
    cr_assert(display_text_utf8(r->m, text));
    cr_assert(g_str_has_suffix(text->str, "\nA\n"));
    indexed(r, 0x3c4, 1, 0x08); /* half the dot clock, nine dots */
    rig_out8(r, 0x3d4, 0x11);
    rig_out8(r, 0x3d5, 0x0e);
    indexed(r, 0x3d4, 0x01, 39);
    indexed(r, 0x3d4, 0x13, 20);
    draw(r, &s);
    cr_assert_eq(s.width, 720);
    rig_mmio_write(r, 0xb8002, 0x0741, 2);
    draw(r, &s);
    cr_assert_eq(pixel(&s, 17, 0), color(0));
    cr_assert_eq(pixel(&s, 18, 0), color(7));
    cr_assert_eq(pixel(&s, 33, 0), color(7));
    cr_assert_eq(pixel(&s, 34, 0), color(0));
    surface_free(&s);
    rig_free(r);
}

Test(vga_frame, byte_panning_holds_below_the_split_unless_told_otherwise)
{
    struct rig *r = vga_rig(&mode12);
    struct surface s = {0};

    indexed(r, 0x3d4, 0x18, 0x63); /* 99; mode 12 has bits 8 and 9 set */
    indexed(r, 0x3d4, 0x11, 0);
    indexed(r, 0x3d4, 0x07, 0x2e);
    indexed(r, 0x3d4, 0x09, 0);
    indexed(r, 0x3d4, 0x08, 0x20);
    poke(r, 0xa0000, 0xff);
    poke(r, 0xa0002, 0xff);
    draw(r, &s);
    cr_assert_eq(pixel(&s, 8, 0), color(15));
    cr_assert_eq(pixel(&s, 0, 100), color(0));
    cr_assert_eq(pixel(&s, 8, 100), color(15));
    rig_in8(r, 0x3da);
    rig_out8(r, 0x3c0, 0x30);
    rig_out8(r, 0x3c0, 0x21);
    draw(r, &s);
    cr_assert_eq(pixel(&s, 8, 0), color(15));
    cr_assert_eq(pixel(&s, 0, 100), color(15));
    cr_assert_eq(pixel(&s, 8, 100), color(0));
    cr_assert_eq(pixel(&s, 16, 100), color(15));
    surface_free(&s);
    rig_free(r);
}

Test(vga_frame, half_the_vertical_clock_doubles_the_lines)
{
    struct rig *r = vga_rig(&mode12);
    struct surface s = {0};

    indexed(r, 0x3d4, 0x17, 0xe7);
    poke(r, 0xa0000 + 80 * 500, 0xff);
    draw(r, &s);
    cr_assert_eq(s.height, 960);
    cr_assert_eq(pixel(&s, 0, 500), color(15));
    surface_free(&s);
    rig_free(r);
}

Test(vga_frame, the_vertical_interrupt_shows_in_input_status_0)
{
    struct rig *r = vga_rig(&text80);

    rig_step(r, 20 * NS_PER_MS);
    cr_assert_eq(rig_in8(r, 0x3c2) & 0x80, 0);
    indexed(r, 0x3d4, 0x11, 0x8e);
    indexed(r, 0x3d4, 0x11, 0x9e);
    cr_assert_eq(rig_in8(r, 0x3c2) & 0x80, 0, "cleared");
    rig_step(r, 15 * NS_PER_MS);
    cr_assert_eq(rig_in8(r, 0x3c2) & 0x80, 0x80, "a frame later");
    cr_assert_eq(rig_in8(r, 0x3c2) & 0x80, 0x80, "it stays");
    indexed(r, 0x3d4, 0x11, 0xbe);
    cr_assert_eq(rig_in8(r, 0x3c2) & 0x80, 0, "disabled");
    indexed(r, 0x3d4, 0x11, 0x8e);
    indexed(r, 0x3d4, 0x11, 0x9e);
    cr_assert_eq(rig_in8(r, 0x3c2) & 0x80, 0, "cleared again");
    rig_free(r);
}

/* Any accesses in any order: `draw`, however little it draws, ends with the picture of `shot`. */
static void random_dispi(struct rig *r, GRand *rand)
{
    unsigned index = (unsigned)g_rand_int_range(rand, 0, 12), val = g_rand_int(rand) & 0xffff;
    static const uint8_t bpp[6] = {4, 8, 15, 16, 24, 32};

    switch (index) {
    case 1:
    case 2:
        val = g_rand_int(rand) % 16 ? val % 300 : val % 2600;
        break;
    case 3:
        val = bpp[val % 6];
        break;
    case 4:
        val = (val & 0xe2) | (g_rand_int(rand) % 3 ? 1 : 0);
        break;
    case 6:
    case 8:
    case 9:
        val = g_rand_int(rand) % 8 ? val % 600 : val;
        break;
    }
    rig_out16(r, 0x1ce, (uint16_t)index);
    rig_out16(r, 0x1cf, (uint16_t)val);
}

static void random_access(struct rig *r, GRand *rand)
{
    unsigned size = 1u << g_rand_int_range(rand, 0, 4);
    uint32_t at = g_rand_int(rand) >> g_rand_int_range(rand, 8, 24);
    uint16_t port = (uint16_t)(0x3b0 + g_rand_int_range(rand, 0, 0x30));

    switch (g_rand_int_range(rand, 0, 40)) {
    case 0:
        port_write_locked(r->m, port, g_rand_int(rand), 1u << g_rand_int_range(rand, 0, 3));
        break;
    case 1:
        random_dispi(r, rand);
        break;
    case 2:
        rig_mmio_write(r, VGA_MMIO + (at & 0xfff), g_rand_int(rand), size);
        break;
    case 3:
        rig_mmio_read(r, VGA_MMIO + (at & 0xfff), size);
        port_read_locked(r->m, port, 1);
        break;
    case 4:
        rig_step(r, 1 + g_rand_int(rand) % (200 * NS_PER_MS));
        break;
    case 5:
        rig_mmio_write(r, VGA_LFB + (at & 0xffffff), g_rand_int(rand), size);
        break;
    case 6:
        rig_mmio_read(r, 0xa0000 + (at & 0x1ffff), size);
        break;
    default:
        rig_mmio_write(r, 0xa0000 + (at & 0x1ffff), g_rand_int(rand), size);
    }
}

static void random_scene(uint32_t seed)
{
    static const struct mode *const modes[] = {&text80, &mode13, &mode12, &mode4};
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    struct rig *r = vga_rig(modes[seed % 4]);
    struct surface s = {0}, shot = {0};
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < 600; i++) {
        for (int n = g_rand_int_range(rand, 0, 12); n; n--) {
            random_access(r, rand);
        }
        if (g_rand_int(rand) % 4) { /* or little would be shown */
            rig_in8(r, 0x3da);
            rig_out8(r, 0x3c0, 0x20);
        }
        draw(r, &s);
        r->m->display->shot(r->m->display_dev, &shot);
        display_text_utf8(r->m, text);
        g_string_truncate(text, 0);
        cr_assert(s.width == shot.width && s.height == shot.height && s.tube == shot.tube);
        cr_assert_eq(memcmp(s.pixels, shot.pixels, (size_t)s.stride * s.height), 0,
                     "seed %u, step %u", seed, i);
    }
    surface_free(&s);
    surface_free(&shot);
    rig_free(r);
}

Test(vga_frame, drawing_what_changed_gives_the_whole_picture)
{
    for (uint32_t seed = 0; seed < 16; seed++) {
        random_scene(seed);
    }
}
