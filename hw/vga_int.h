/*
 * What the parts of the VGA share: registers (vga.c), the CPU's window (vga_mem.c), the Bochs VBE
 * extensions (vga_vbe.c), frames and what of them changed (vga_frame.c), scan-out (vga_draw.c).
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
    VGA_BANK_BYTES = 65536, /* of the VBE window */
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

/* The Bochs VBE registers. */
enum {
    VBE_ID,
    VBE_XRES,
    VBE_YRES,
    VBE_BPP,
    VBE_ENABLE,
    VBE_BANK,
    VBE_VIRT_WIDTH,
    VBE_VIRT_HEIGHT,
    VBE_X_OFFSET,
    VBE_Y_OFFSET,
    VBE_MEMORY_64K,
    VBE_COUNT,
};
enum {
    VBE_ENABLED = 0x01,
    VBE_GETCAPS = 0x02,
    VBE_8BIT_DAC = 0x20,
    VBE_LFB = 0x40,
    VBE_NOCLEAR = 0x80,
};
enum { VBE_MAX_WIDTH = 2560, VBE_MAX_HEIGHT = 1600 };

/* How the CPU's accesses reach the memory: the common cases are done without the graphics
 * controller. */
enum vga_path { VGA_PATH_PLANAR, VGA_PATH_TEXT, VGA_PATH_CHAIN4, VGA_PATH_BANK };

/* A VBE mode, from the registers. */
struct vga_vbe {
    bool on;
    unsigned width, height, bpp;
    uint32_t pitch; /* bytes */
    uint64_t start; /* of the picture in memory, bytes; may lie past its end */
    unsigned pan;   /* 4 bpp: pixels to the left of the picture in its first byte */
};

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

enum { VGA_MAX_LINES = 2048, VGA_PAGES_MAX = (int)(VM_MAX_VIDEO_MEMORY / PAGE_BYTES) };
enum vga_kind { VGA_KIND_NONE, VGA_KIND_BLANK, VGA_KIND_VGA, VGA_KIND_VBE };

/* All that a frame's picture follows from but memory, cursor and blinking.  Plain values, holes
 * zero: frames are compared as bytes. */
struct vga_frame {
    enum vga_kind kind;
    unsigned width, height; /* of the surface */
    struct vga_raster r;    /* VGA */
    struct vga_vbe vbe;     /* VBE */
    bool text;
    uint8_t ac_mode, gc_mode, crtc_mode, underline;
    uint32_t color[256];   /* what 8-bit pixels look like */
    uint32_t palette[16];  /* what 4-bit pixels look like */
    uint32_t fonts[2];     /* plane 2 addresses: attribute bit 3 off, on */
    uint32_t start;        /* address counter of the first line, byte panning in it */
    uint32_t offset;       /* between rows */
    unsigned byte_pan;     /* also below a split, unless AC mode bit 5 */
    unsigned row_line;     /* first line of the first row */
    unsigned pan;          /* dots to the left */
    unsigned column_shift; /* the address counter steps every 1 << n character clocks */
};

/* What moves by itself. */
struct vga_blink {
    uint32_t cursor; /* address counter at the cursor, UINT32_MAX: none, or in its dark phase */
    unsigned first, last;
    bool chars_off; /* blinking characters are dark */
};

struct vga {
    struct device dev;
    struct region window;
    struct ram *ram; /* planes and linear frame buffer: byte 4 * a + p is address a of plane p */
    uint8_t *mem;    /* its bytes */
    /* Derived from the registers by vga_update_access. */
    enum vga_path path;
    uint32_t win_base, win_size; /* what of the window answers; size 0: nothing */
    uint32_t bank;               /* added to addresses (planar: of a plane; else in memory) */
    uint32_t plane_mask;         /* addresses in a plane */
    struct vga_vbe vbe;
    /* The display: see vga_frame.c */
    bool touched; /* a register changed since the last frame */
    bool stored;  /* the CPU's window was written to since */
    bool fonts_stored;
    uint16_t *units; /* by page of memory: a bit per 256 bytes written to since */
    struct vga_frame frame;
    struct vga_blink blink;
    uint64_t blinking[VGA_MAX_LINES / 64]; /* a bit per scan line that has blinking characters */
    struct vga_state {
        uint64_t frame_cleared; /* the frame in which the vertical interrupt was cleared */
        uint8_t dac[768];       /* red, green, blue of 8 bits */
        uint8_t seq[SEQ_COUNT], gc[GC_COUNT], crtc[CRTC_COUNT], ac[AC_COUNT];
        uint32_t latch; /* byte p: plane p */
        uint8_t misc, feature, enable;
        uint8_t seq_index, gc_index, crtc_index, ac_index;
        uint8_t dac_mask, dac_write_index, dac_read_index;
        uint8_t dac_part;     /* component of the next data access, 0..2 */
        uint8_t dac_state;    /* 3: the last index written was for reading */
        uint8_t dac_first[2]; /* red and green, until blue comes */
        bool ac_data;         /* the next write to 0x3c0 is data */
        uint8_t vbe_low;      /* low byte of data whose high byte is still to come */
        uint16_t vbe_index;
        uint16_t vbe[VBE_COUNT];
        uint8_t hole[4];
    } s;
};

/* vga.c */
void vga_get_raster(const struct vga_state *s, struct vga_raster *r);
/* A register of the VGA by its port, 0x3b0-0x3df. */
uint32_t vga_read(struct vga *v, unsigned port);
void vga_write(struct vga *v, unsigned port, uint8_t val);

/* vga_mem.c: after a change of a register. */
void vga_update_access(struct vga *v);
extern const struct mmio_ops vga_mem_ops;

/* vga_vbe.c: ports 0x1ce-0x1d0, the PCI function. */
extern const struct pci_desc vga_pci_desc;
uint32_t vga_vbe_port_read(struct device *dev, unsigned off, unsigned size);
void vga_vbe_port_write(struct device *dev, unsigned off, uint32_t val, unsigned size);
void vga_vbe_reset(struct vga *v);
/* After a snapshot's values, which may be any. */
void vga_vbe_loaded(struct vga *v);

/* vga_edid.c */
enum { VGA_EDID_BYTES = 128 };
extern const uint8_t vga_edid[VGA_EDID_BYTES];

/* vga_frame.c */
extern const struct display_ops vga_display_ops;
/* The frame as registers are now. */
void vga_take_frame(const struct vga *v, struct vga_frame *f);

/* vga_draw.c */
/* The address in the planes for a value of the address counter, in a line of a row. */
uint32_t vga_fetch_address(const struct vga_frame *f, uint32_t counter, unsigned row_line);
/* A frame to draw. */
struct vga_job {
    const struct vga *v; /* its memory, and which of it was written to */
    const struct vga_frame *f;
    struct vga_blink now, was; /* `was`: in the frame that stands in the surface */
    bool all;                  /* every line; else those that changed */
    uint64_t *blinking;        /* as vga.blinking: of the frame before, and of this one; or NULL */
    struct surface *to;
};
/* Make the surface of the frame's size, draw, and say in to->changed_* what was drawn. */
void vga_draw_job(const struct vga_job *job);

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
