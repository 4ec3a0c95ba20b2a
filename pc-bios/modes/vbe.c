/*
 * Modes of the Bochs VBE extensions: by the BIOS (whatever numbers it has for them), in banks and
 * in the linear frame buffer, and by the registers; and vertical retraces.
 *
 * Follows: VESA VBE 3.0; the Bochs VBE display interface (registers at 0x1ce and 0x1cf); Intel
 * 8254 data sheet.
 */
#include "pc-bios/modes/modes.h"

enum { INFO = 0x6800, WINDOW = 0xa0000, BANK = 0x10000 };
enum { VBE_INDEX = 0x1ce, VBE_DATA = 0x1cf };
enum { XRES = 1, YRES, BPP, ENABLE, BANK_NUMBER, VIRT_WIDTH, VIRT_HEIGHT, X_OFFSET, Y_OFFSET };
enum { LINEAR = 0x4000, ENABLED = 0x41 };

/* The mode that is set: where pixels go and how long a line is. */
static struct screen {
    uint32_t lfb, pitch;
    unsigned width, height, bits;
} screen;

/* What the BIOS says of a mode; false: it has none of this number. */
static bool take_info(unsigned mode)
{
    struct bios_regs r = {.eax = 0x4f01, .ecx = mode, .edi = INFO};

    bios_call(0x10, &r);
    if ((r.eax & 0xffff) != 0x004f || !(*at(INFO) & 1)) {
        return false;
    }
    screen = (struct screen){
        .lfb = *(volatile uint32_t *)at(INFO + 40),
        .pitch = *(volatile uint16_t *)at(INFO + 16),
        .width = *(volatile uint16_t *)at(INFO + 18),
        .height = *(volatile uint16_t *)at(INFO + 20),
        .bits = *at(INFO + 25),
    };
    return true;
}

/* The BIOS's number of a mode, 0: it has none; says so, and the picture will not be right. */
static unsigned find_mode(unsigned width, unsigned height, unsigned bits)
{
    for (unsigned mode = 0x100; mode < 0x1ff; mode++) {
        if (take_info(mode) && screen.width == width && screen.height == height &&
            screen.bits == bits) {
            return mode;
        }
    }
    return 0;
}

static void set_mode(unsigned width, unsigned height, unsigned bits, unsigned flags)
{
    bios_video(0x4f02, find_mode(width, height, bits) | flags, 0, 0);
}

/* Pixels --------------------------------------------------------------------------------------- */

static void put_pixel(uint32_t to, unsigned bits, uint32_t v)
{
    switch (bits) {
    case 8:
        *at(to) = (uint8_t)v;
        break;
    case 15:
        *(volatile uint16_t *)at(to) =
            (uint16_t)(v >> 19 << 10 | (v >> 11 & 31) << 5 | (v >> 3 & 31));
        break;
    case 16:
        *(volatile uint16_t *)at(to) =
            (uint16_t)(v >> 19 << 11 | (v >> 10 & 63) << 5 | (v >> 3 & 31));
        break;
    case 24:
        *(volatile uint16_t *)at(to) = (uint16_t)v;
        *at(to + 2) = (uint8_t)(v >> 16);
        break;
    default:
        *(volatile uint32_t *)at(to) = v;
    }
}

static uint32_t pixel_value(uint32_t seed, unsigned bits, unsigned x, unsigned y)
{
    return bits == 8 ? pattern_pixel(seed, x, y) : pattern_rgb(seed, x, y);
}

/* Lines of `width` pixels in the linear frame buffer, from its byte `start` on. */
static void linear_fill(uint32_t seed, uint32_t start, unsigned width, unsigned height)
{
    unsigned step = (screen.bits + 7) / 8;

    for (unsigned y = 0; y < height; y++) {
        uint32_t to = screen.lfb + start + y * screen.pitch;

        for (unsigned x = 0; x < width; x++, to += step) {
            put_pixel(to, screen.bits, pixel_value(seed, screen.bits, x, y));
        }
    }
}

static void banked_fill(uint32_t seed)
{
    unsigned step = (screen.bits + 7) / 8, bank = ~0u;

    for (unsigned y = 0; y < screen.height; y++) {
        for (unsigned x = 0; x < screen.width; x++) {
            uint32_t offset = y * screen.pitch + x * step;

            if (offset / BANK != bank) {
                bank = offset / BANK;
                bios_video(0x4f05, 0, 0, bank);
            }
            put_pixel(WINDOW + offset % BANK, screen.bits, pixel_value(seed, screen.bits, x, y));
        }
    }
}

/* By the BIOS ---------------------------------------------------------------------------------- */

static void linear(uint32_t seed, unsigned width, unsigned height, unsigned bits)
{
    set_mode(width, height, bits, LINEAR);
    vga_put_dac(seed);
    linear_fill(seed, 0, width, height);
}

static void banked(uint32_t seed, unsigned width, unsigned height, unsigned bits)
{
    set_mode(width, height, bits, 0);
    vga_put_dac(seed);
    banked_fill(seed);
}

static void vbe_640x480x8(uint32_t seed)
{
    linear(seed, 640, 480, 8);
}

static void vbe_640x480x8_banked(uint32_t seed)
{
    banked(seed, 640, 480, 8);
}

static void vbe_640x480x15(uint32_t seed)
{
    linear(seed, 640, 480, 15);
}

static void vbe_800x600x16(uint32_t seed)
{
    linear(seed, 800, 600, 16);
}

static void vbe_800x600x16_banked(uint32_t seed)
{
    banked(seed, 800, 600, 16);
}

static void vbe_1024x768x24(uint32_t seed)
{
    linear(seed, 1024, 768, 24);
}

static void vbe_1024x768x32_banked(uint32_t seed)
{
    banked(seed, 1024, 768, 32);
}

static void vbe_1280x1024x32(uint32_t seed)
{
    linear(seed, 1280, 1024, 32);
}

/* 16 colours in planes. */
static void vbe_800x600x4(uint32_t seed)
{
    set_mode(800, 600, 4, 0);
    vga_put_dac(seed);
    vga_put_pens(seed);
    planar_fill(seed, 100, 600, 4);
}

/* DAC of eight bits. */
static void vbe_dac8(uint32_t seed)
{
    set_mode(640, 480, 8, LINEAR);
    bios_video(0x4f08, 0x0800, 0, 0);
    outb(0x3c8, 0);
    for (unsigned i = 0; i < 256; i++) {
        uint32_t rgb = pattern_dac(seed, i);

        outb(0x3c9, (uint8_t)(rgb >> 16));
        outb(0x3c9, (uint8_t)(rgb >> 8));
        outb(0x3c9, (uint8_t)rgb);
    }
    linear_fill(seed, 0, 640, 480);
}

/* Lines of 1024 pixels in memory, shown from pixel 37 of line 11 on. */
static void vbe_moved(uint32_t seed)
{
    set_mode(640, 480, 32, LINEAR);
    bios_video(0x4f06, 0, 1024, 0);
    screen.pitch = 4096;
    linear_fill(seed, 0, 1024, 512);
    bios_video(0x4f07, 0, 37, 11);
}

/* Two pages: the first is shown, the second is drawn meanwhile. */
static void vbe_pages(uint32_t seed)
{
    linear(seed, 640, 480, 32);
    linear_fill(seed + 1, 480 * screen.pitch, 640, 480);
}

static void vbe_flipped(uint32_t seed)
{
    (void)seed;
    bios_video(0x4f07, 0, 0, 480);
}

/* By the registers ----------------------------------------------------------------------------- */

static void vbe_put(uint16_t index, uint16_t value)
{
    outw(VBE_INDEX, index);
    outw(VBE_DATA, value);
}

static void registers(unsigned width, unsigned height, unsigned bits)
{
    find_mode(640, 480, 32); /* for the address */
    vbe_put(ENABLE, 0);
    vbe_put(XRES, (uint16_t)width);
    vbe_put(YRES, (uint16_t)height);
    vbe_put(BPP, (uint16_t)bits);
    vbe_put(ENABLE, ENABLED);
    screen.width = width;
    screen.height = height;
    screen.bits = bits;
    screen.pitch = width * (bits / 8);
}

static void dispi_2560x1600x32(uint32_t seed)
{
    registers(2560, 1600, 32);
    linear_fill(seed, 0, 2560, 1600);
}

static void dispi_1920x1080x24(uint32_t seed)
{
    registers(1920, 1080, 24);
    linear_fill(seed, 0, 1920, 1080);
}

static void dispi_400x300x16(uint32_t seed)
{
    registers(400, 300, 16);
    linear_fill(seed, 0, 400, 300);
}

/* Lines of 1000 pixels, from pixel 19 of line 5 on. */
static void dispi_moved(uint32_t seed)
{
    registers(640, 480, 16);
    vbe_put(VIRT_WIDTH, 1000);
    screen.pitch = 2000;
    linear_fill(seed, 0, 1000, 500);
    vbe_put(X_OFFSET, 19);
    vbe_put(Y_OFFSET, 5);
}

/* Back to the VGA: the planes are the frame buffer's first bytes. */
static void dispi_off(uint32_t seed)
{
    vbe_put(ENABLE, 0);
    bios_video(0x12, 0, 0, 0);
    vga_put_dac(seed);
    vga_put_pens(seed);
    planar_fill(seed, 80, 480, 4);
}

/* Retraces ------------------------------------------------------------------------------------- */

enum { FRAMES = 6, STATUS = 0x3da, RETRACE = 8 };

/* Channel 2 counts down all the time. */
static void timer_start(void)
{
    outb(0x61, (uint8_t)((inb(0x61) & ~2u) | 1));
    outb(0x43, 0xb4);
    outb(0x42, 0);
    outb(0x42, 0);
}

static unsigned timer_read(void)
{
    unsigned low;

    outb(0x43, 0x80);
    low = inb(0x42);
    return low | (unsigned)inb(0x42) << 8;
}

/* Wait for the start of a retrace, and count the timer's ticks meanwhile. */
static uint32_t to_retrace(unsigned *last)
{
    uint32_t ticks = 0;

    for (unsigned level = RETRACE;; level = 0) {
        while ((inb(STATUS) & RETRACE) == level) {
            unsigned now = timer_read();

            ticks += (*last - now) & 0xffff;
            *last = now;
        }
        if (!level) {
            return ticks;
        }
    }
}

/* Say what FRAMES frames took until a byte comes: a busy host makes some of it wrong. */
static void measure(const char *name)
{
    timer_start();
    do {
        uint32_t ticks = 0;
        unsigned last = timer_read();

        to_retrace(&last);
        for (unsigned i = 0; i < FRAMES; i++) {
            ticks += to_retrace(&last);
        }
        serial_print("RETRACE %s ticks=%u\n", name, (unsigned)ticks);
    } while (!has_byte());
    wait_byte();
}

static void retraces(uint32_t seed)
{
    (void)seed;
    bios_video(3, 0, 0, 0);
    measure("text");
    bios_video(0x12, 0, 0, 0);
    measure("vga");
}

const struct stop vbe_stops[] = {
    {"vbe-640x480x8-bios", vbe_640x480x8},
    {"vbe-640x480x8-banked", vbe_640x480x8_banked},
    {"vbe-dac8", vbe_dac8},
    {"vbe-640x480x15", vbe_640x480x15},
    {"vbe-800x600x4", vbe_800x600x4},
    {"vbe-800x600x16", vbe_800x600x16},
    {"vbe-800x600x16-banked", vbe_800x600x16_banked},
    {"vbe-1024x768x24", vbe_1024x768x24},
    {"vbe-1024x768x32-banked", vbe_1024x768x32_banked},
    {"vbe-1280x1024x32", vbe_1280x1024x32},
    {"vbe-moved", vbe_moved},
    {"vbe-pages", vbe_pages},
    {"vbe-flipped", vbe_flipped},
    {"dispi-400x300x16", dispi_400x300x16},
    {"dispi-moved", dispi_moved},
    {"dispi-1920x1080x24", dispi_1920x1080x24},
    {"dispi-2560x1600x32", dispi_2560x1600x32},
    {"dispi-off", dispi_off},
    {"retraces", retraces},
    {0},
};
