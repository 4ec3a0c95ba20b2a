/*
 * What the halves of the VGA share: registers and memory (vga.c), scan-out (vga_draw.c).
 *
 * Not modelled: see hw/vga.c.
 */
#ifndef HW_VGA_INT_H
#define HW_VGA_INT_H

#include "hw/core/machine.h"

enum {
    VGA_PLANE_BYTES = 65536,
    VGA_PLANE_MASK = VGA_PLANE_BYTES - 1,
    VGA_WINDOW_BYTES = 0x20000,
};

/* Register indexes, named as in the IBM manual. */
enum { SEQ_CLOCKING = 1, SEQ_MAP_MASK = 2, SEQ_CHAR_MAP = 3, SEQ_MEMORY_MODE = 4, SEQ_COUNT = 8 };
enum {
    GC_SET_RESET,
    GC_ENABLE_SET_RESET,
    GC_COMPARE,
    GC_ROTATE,
    GC_READ_MAP,
    GC_MODE,
    GC_MISC,
    GC_DONT_CARE,
    GC_BIT_MASK,
    GC_COUNT = 16,
};
enum {
    CRTC_H_TOTAL = 0x00,
    CRTC_H_DISPLAY_END = 0x01,
    CRTC_V_TOTAL = 0x06,
    CRTC_OVERFLOW = 0x07,
    CRTC_PRESET_ROW = 0x08,
    CRTC_MAX_SCAN = 0x09,
    CRTC_CURSOR_START = 0x0a,
    CRTC_CURSOR_END = 0x0b,
    CRTC_START_HIGH = 0x0c,
    CRTC_START_LOW = 0x0d,
    CRTC_CURSOR_HIGH = 0x0e,
    CRTC_CURSOR_LOW = 0x0f,
    CRTC_V_SYNC_START = 0x10,
    CRTC_V_SYNC_END = 0x11,
    CRTC_V_DISPLAY_END = 0x12,
    CRTC_OFFSET = 0x13,
    CRTC_UNDERLINE = 0x14,
    CRTC_MODE = 0x17,
    CRTC_LINE_COMPARE = 0x18,
    CRTC_COUNT = 0x20,
};
enum {
    AC_MODE = 0x10,
    AC_PLANES = 0x12,
    AC_PANNING = 0x13,
    AC_COLOR_SELECT = 0x14,
    AC_COUNT = 0x20
};
enum { VGA_AC_SCREEN_ON = 0x20 }; /* in the attribute index: the palette belongs to the display */

/* How the CPU's accesses reach the memory: the two common cases are done without the graphics
 * controller. */
enum vga_path { VGA_PATH_PLANAR, VGA_PATH_TEXT, VGA_PATH_CHAIN4 };

struct vga {
    struct device dev;
    struct region window;
    /* Derived from the registers by vga_update_access. */
    enum vga_path path;
    uint32_t win_base, win_size; /* what of the window answers; size 0: nothing */
    /* The display */
    bool dirty;     /* memory or a register changed since the last frame */
    uint8_t blinks; /* blink phases of the last frame drawn */
    struct vga_state {
        /* Byte 4 * a + p is address a of plane p. */
        uint8_t vram[4 * VGA_PLANE_BYTES];
        uint8_t dac[768]; /* 6-bit red, green, blue */
        uint8_t seq[SEQ_COUNT], gc[GC_COUNT], crtc[CRTC_COUNT], ac[AC_COUNT];
        uint32_t latch; /* byte p: plane p */
        uint8_t misc, feature, enable;
        uint8_t seq_index, gc_index, crtc_index, ac_index;
        uint8_t dac_mask, dac_write_index, dac_read_index;
        uint8_t dac_part;     /* component of the next data access, 0..2 */
        uint8_t dac_state;    /* 3: the last index written was for reading */
        uint8_t dac_first[2]; /* red and green, until blue comes */
        bool ac_data;         /* the next write to 0x3c0 is data */
        uint8_t hole;
    } s;
};

extern const struct display_ops vga_display_ops;

/* Raster as the CRTC is programmed. */
struct vga_raster {
    unsigned columns;    /* character clocks displayed */
    unsigned cell_width; /* dots per character clock: 8 or 9 */
    unsigned dot_width;  /* surface pixels per dot: 1 or 2 */
    unsigned lines;      /* scan lines displayed */
    unsigned cell_lines; /* scan lines per row of cells, doubling not counted */
    unsigned repeat;     /* scan lines per line of a row: 1 or 2 */
    unsigned total_columns, total_lines, sync_start, sync_lines;
    unsigned line_compare;
};
void vga_get_raster(const struct vga_state *s, struct vga_raster *r);

static inline bool vga_is_text(const struct vga_state *s)
{
    return !(s->gc[GC_MISC] & 1);
}

/* The byte mask of a 4-bit plane set. */
static inline uint32_t vga_plane_mask(unsigned planes)
{
    return ((planes & 1) ? 0xffu : 0) | ((planes & 2) ? 0xff00u : 0) |
           ((planes & 4) ? 0xff0000u : 0) | ((planes & 8) ? 0xff000000u : 0);
}

#endif
