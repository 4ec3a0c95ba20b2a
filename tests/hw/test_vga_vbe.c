/*
 * The card's Bochs extensions (hw/vga_vbe.c) and the linear frame buffer's picture.
 *
 * Not modelled: the BIOS.
 */
#include "tests/hw/vga_rig.h"

enum { XRES = 1, YRES, BPP, ENABLE, BANK, VIRT_WIDTH, VIRT_HEIGHT, X_OFFSET, Y_OFFSET, MEMORY };

static void dispi(struct rig *r, unsigned index, unsigned val)
{
    rig_out16(r, 0x1ce, (uint16_t)index);
    rig_out16(r, 0x1cf, (uint16_t)val);
}

static unsigned dispi_get(struct rig *r, unsigned index)
{
    rig_out16(r, 0x1ce, (uint16_t)index);
    return rig_in16(r, 0x1cf);
}

static struct rig *vbe_rig(unsigned width, unsigned height, unsigned bpp)
{
    struct rig *r = vga_rig(&text80);

    dispi(r, ENABLE, 0);
    dispi(r, XRES, width);
    dispi(r, YRES, height);
    dispi(r, BPP, bpp);
    dispi(r, ENABLE, 0x41);
    return r;
}

Test(vga_vbe, registers_are_found_and_say_what_they_can)
{
    struct rig *r = vga_rig(NULL);

    for (unsigned id = 0xb0c0; id <= 0xb0c5; id++) {
        dispi(r, 0, id);
        cr_assert_eq(dispi_get(r, 0), id);
    }
    dispi(r, 0, 0xb0c6);
    cr_assert_eq(dispi_get(r, 0), 0xb0c5);
    cr_assert_eq(dispi_get(r, MEMORY), 16 * 16);
    dispi(r, ENABLE, 2);
    cr_assert_eq(dispi_get(r, XRES), 2560);
    cr_assert_eq(dispi_get(r, YRES), 1600);
    cr_assert_eq(dispi_get(r, BPP), 32);
    dispi(r, ENABLE, 0);
    cr_assert_eq(dispi_get(r, XRES), 640);
    dispi(r, XRES, 2561);
    dispi(r, BPP, 17);
    cr_assert_eq(dispi_get(r, XRES), 640);
    cr_assert_eq(dispi_get(r, BPP), 8);
    cr_assert_eq(dispi_get(r, 99), 0);
    rig_free(r);
}

Test(vga_vbe, the_pci_function_is_what_drivers_look_for)
{
    struct rig *r = vga_rig(NULL);

    rig_out32(r, 0xcf8, 0x80001000);
    cr_assert_eq(rig_in32(r, 0xcfc), 0x11111234);
    rig_out32(r, 0xcf8, 0x80001008);
    cr_assert_eq(rig_in32(r, 0xcfc), 0x03000002);
    rig_config_write(r, PCI_DEVFN(2, 0), 0x10, 0xffffffff, 4);
    rig_out32(r, 0xcf8, 0x80001010);
    cr_assert_eq(rig_in32(r, 0xcfc), 0xff000008, "16 MiB, prefetchable");
    rig_free(r);
}

Test(vga_vbe, registers_are_in_memory_too)
{
    struct rig *r = vga_rig(&text80);

    rig_mmio_write(r, VGA_MMIO + 0x500 + 2 * XRES, 800, 2);
    cr_assert_eq(dispi_get(r, XRES), 800);
    cr_assert_eq(rig_mmio_read(r, VGA_MMIO + 0x500, 2), 0xb0c5);
    cr_assert_eq(rig_mmio_read(r, VGA_MMIO + 0x514, 2), 256);
    rig_mmio_write(r, VGA_MMIO + 0x414, 0x0e, 1); /* the CRTC */
    rig_mmio_write(r, VGA_MMIO + 0x415, 0x12, 1);
    cr_assert_eq(rig_in8(r, 0x3d5), 0x12);
    rig_mmio_write(r, VGA_MMIO + 0x414, 0x340f, 2);
    cr_assert_eq(rig_in8(r, 0x3d5), 0x34);
    cr_assert_eq(rig_mmio_read(r, VGA_MMIO + 0x600, 4), 8);
    cr_assert_eq(rig_mmio_read(r, VGA_MMIO + 0x604, 4), 0x1e1e1e1e);
    rig_free(r);
}

Test(vga_vbe, the_monitor_says_what_it_is)
{
    struct rig *r = vga_rig(NULL);
    uint8_t sum = 0;

    for (unsigned i = 0; i < 128; i += 2) {
        unsigned pair = (unsigned)rig_mmio_read(r, VGA_MMIO + i, 2);

        cr_assert_eq(rig_mmio_read(r, VGA_MMIO + i, 1), pair & 255);
        sum = (uint8_t)(sum + (pair & 255) + (pair >> 8));
    }
    cr_assert_eq(sum, 0);
    cr_assert_eq(rig_mmio_read(r, VGA_MMIO, 8), 0x00ffffffffffff00ull);
    rig_free(r);
}

Test(vga_vbe, pixels_of_every_depth_come_out)
{
    static const struct {
        unsigned bpp, bytes;
        uint32_t val, color;
    } rows[] = {
        {8, 1, 0x25, 0}, /* by the palette */
        {15, 2, 0x7c1f, 0xff00ff}, {15, 2, 0x0201, 0x008408},   {16, 2, 0xf81f, 0xff00ff},
        {16, 2, 0x0401, 0x008208}, {24, 3, 0x123456, 0x123456}, {32, 4, 0x99abcdef, 0xabcdef},
    };

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        struct rig *r = vbe_rig(800, 600, rows[i].bpp);
        struct surface s = {0};
        uint32_t at = VGA_LFB + (599 * 800 + 799) * rows[i].bytes;

        for (unsigned b = 0; b < rows[i].bytes; b++) {
            poke(r, at + b, rows[i].val >> (8 * b) & 255);
        }
        cr_assert(draw(r, &s));
        cr_assert_eq(s.width, 800);
        cr_assert_eq(s.height, 600);
        cr_assert_not(s.tube);
        cr_assert_eq(pixel(&s, 799, 599), rows[i].bpp == 8 ? color(0x25) : rows[i].color, "row %u",
                     i);
        cr_assert_eq(pixel(&s, 798, 599), rows[i].bpp == 8 ? color(0) : 0);
        surface_free(&s);
        rig_free(r);
    }
}

Test(vga_vbe, a_draw_takes_only_the_lines_written_to)
{
    struct rig *r = vbe_rig(1024, 768, 32);
    struct surface s = {0};

    cr_assert(draw(r, &s));
    cr_assert_eq(s.changed_lines, 768);
    cr_assert_not(draw(r, &s));
    cr_assert_eq(s.changed_lines, 0);
    rig_mmio_write(r, VGA_LFB + 100 * 4096 + 8, 0x123456, 4);
    rig_mmio_write(r, VGA_LFB + 102 * 4096 + 8, 0x123456, 4);
    cr_assert(draw(r, &s));
    cr_assert_eq(s.changed_top, 100);
    cr_assert_eq(s.changed_lines, 3);
    cr_assert_eq(pixel(&s, 2, 100), 0x123456);
    rig_mmio_write(r, VGA_LFB + 900 * 4096, 1, 4);
    cr_assert_not(draw(r, &s), "not on the screen");
    dispi(r, ENABLE, 0x41);
    dispi(r, X_OFFSET, 0);
    cr_assert_not(draw(r, &s), "registers with the values they had");
    dispi(r, Y_OFFSET, 1);
    cr_assert(draw(r, &s));
    cr_assert_eq(s.changed_lines, 768);
    cr_assert_eq(pixel(&s, 2, 99), 0x123456);
    rig_free(r);
    surface_free(&s);
}

Test(vga_vbe, the_window_shows_a_bank)
{
    struct rig *r = vbe_rig(640, 480, 8);
    struct surface s = {0};

    draw(r, &s);
    dispi(r, BANK, 3);
    poke(r, 0xa0005, 0x77);
    cr_assert_eq(peek(r, VGA_LFB + 3 * 65536 + 5), 0x77);
    cr_assert_eq(peek(r, 0xa0005), 0x77);
    cr_assert(draw(r, &s), "the window's writes are seen");
    cr_assert_eq(pixel(&s, (3 * 65536 + 5) % 640, (3 * 65536 + 5) / 640), color(0x77));
    rig_mmio_write(r, 0xafffe, 0x11223344, 4); /* past the window's end: dropped */
    cr_assert_eq(rig_mmio_read(r, VGA_LFB + 3 * 65536 + 65534, 4), 0x3344);
    dispi(r, BANK, 0xffff);
    cr_assert_eq(dispi_get(r, BANK), 255);
    surface_free(&s);
    rig_free(r);
}

Test(vga_vbe, planar_modes_share_the_memory)
{
    struct rig *r = vbe_rig(1024, 768, 4);
    struct surface s = {0};

    indexed(r, 0x3c4, 2, 0xf);
    indexed(r, 0x3c4, 4, 6);
    indexed(r, 0x3ce, 5, 2); /* write mode 2 */
    dispi(r, BANK, 1);
    poke(r, 0xa0000, 9);
    cr_assert_eq(peek(r, VGA_LFB + 4 * 65536), 0xff, "plane 0");
    cr_assert_eq(peek(r, VGA_LFB + 4 * 65536 + 1), 0);
    draw(r, &s);
    cr_assert_eq(s.width, 1024);
    cr_assert_eq(pixel(&s, 0, 512), color(9));
    cr_assert_eq(pixel(&s, 8, 512), color(0));
    dispi(r, Y_OFFSET, 512);
    dispi(r, X_OFFSET, 3);
    draw(r, &s);
    cr_assert_eq(pixel(&s, 4, 0), color(9));
    cr_assert_eq(pixel(&s, 5, 0), color(0));
    surface_free(&s);
    rig_free(r);
}

Test(vga_vbe, enabling_clears_unless_told_not_to)
{
    struct rig *r = vbe_rig(320, 200, 32);

    rig_mmio_write(r, VGA_LFB + 320 * 200 * 4 - 4, 1, 4);
    rig_mmio_write(r, VGA_LFB + 320 * 200 * 4, 2, 4);
    dispi(r, ENABLE, 0);
    dispi(r, ENABLE, 0xc1);
    cr_assert_eq(rig_mmio_read(r, VGA_LFB + 320 * 200 * 4 - 4, 4), 1);
    dispi(r, ENABLE, 0x61);
    cr_assert_eq(rig_mmio_read(r, VGA_LFB + 320 * 200 * 4 - 4, 4), 1, "it was on");
    dispi(r, ENABLE, 0);
    dispi(r, ENABLE, 0x41);
    cr_assert_eq(rig_mmio_read(r, VGA_LFB + 320 * 200 * 4 - 4, 4), 0);
    cr_assert_eq(rig_mmio_read(r, VGA_LFB + 320 * 200 * 4, 4), 2);
    rig_free(r);
}

Test(vga_vbe, virtual_sizes_and_what_lies_past_the_memory)
{
    struct rig *r = vbe_rig(640, 480, 16);
    struct surface s = {0};

    dispi(r, VIRT_WIDTH, 100);
    cr_assert_eq(dispi_get(r, VIRT_WIDTH), 640);
    dispi(r, VIRT_WIDTH, 1024);
    cr_assert_eq(dispi_get(r, VIRT_WIDTH), 1024);
    cr_assert_eq(dispi_get(r, VIRT_HEIGHT), 8192);
    rig_mmio_write(r, VGA_LFB + 2048 * 8191 + 2 * 20, 0xffff, 2);
    dispi(r, X_OFFSET, 16);
    dispi(r, Y_OFFSET, 8191);
    draw(r, &s);
    cr_assert_eq(pixel(&s, 4, 0), 0xffffff);
    cr_assert_eq(pixel(&s, 4, 1), 0);
    dispi(r, X_OFFSET, 0xffff);
    dispi(r, Y_OFFSET, 0xffff);
    dispi(r, VIRT_WIDTH, 0xffff);
    draw(r, &s);
    cr_assert_eq(pixel(&s, 4, 0), 0);
    surface_free(&s);
    rig_free(r);
}

Test(vga_vbe, the_dac_has_six_or_eight_bits)
{
    struct rig *r = vbe_rig(640, 480, 8);
    struct surface s = {0};

    rig_out8(r, 0x3c8, 0);
    rig_out8(r, 0x3c9, 0x3f);
    rig_out8(r, 0x3c9, 0x20);
    rig_out8(r, 0x3c9, 0x41); /* the upper bits do not count */
    draw(r, &s);
    cr_assert_eq(pixel(&s, 0, 0), 0xff8204);
    dispi(r, ENABLE, 0x61);
    rig_out8(r, 0x3c7, 0);
    cr_assert_eq(rig_in8(r, 0x3c9), 0xfc);
    rig_out8(r, 0x3c8, 0);
    rig_out8(r, 0x3c9, 0x12);
    rig_out8(r, 0x3c9, 0x34);
    rig_out8(r, 0x3c9, 0x56);
    draw(r, &s);
    cr_assert_eq(pixel(&s, 0, 0), 0x123456);
    surface_free(&s);
    rig_free(r);
}

Test(vga_vbe, blanking_by_the_attribute_controller_holds)
{
    struct rig *r = vbe_rig(640, 480, 32);
    struct surface s = {0};

    rig_mmio_write(r, VGA_LFB, 0x123456, 4);
    draw(r, &s);
    cr_assert_eq(pixel(&s, 0, 0), 0x123456);
    rig_in8(r, 0x3da);
    rig_out8(r, 0x3c0, 0);
    cr_assert(draw(r, &s));
    cr_assert_eq(s.height, 480);
    cr_assert_eq(pixel(&s, 0, 0), 0);
    rig_in8(r, 0x3da);
    rig_out8(r, 0x3c0, 0x20);
    cr_assert(draw(r, &s));
    cr_assert_eq(pixel(&s, 0, 0), 0x123456);
    surface_free(&s);
    rig_free(r);
}

Test(vga_vbe, vertical_retrace_comes_sixty_times_a_second)
{
    struct rig *r = vbe_rig(1024, 768, 32);
    unsigned edges = 0;
    uint8_t last = 8;

    for (unsigned i = 0; i < 50000; i++) { /* 10 us apart */
        rig_step(r, 10 * NS_PER_US);
        uint8_t now = rig_in8(r, 0x3da);
        edges += (now & 8) && !(last & 8);
        cr_assert(!(now & 8) || (now & 1), "retrace is blank");
        last = now;
    }
    cr_assert_eq(edges, 30);
    rig_free(r);
}
