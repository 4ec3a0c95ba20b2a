/*
 * The parts of the mode guest and what they offer each other.
 *
 * Each stop has a name and a function that sets its mode and draws its pattern; a stop may build
 * on the one before it (a flip to another page).
 */
#ifndef MODES_MODES_H
#define MODES_MODES_H

#include "pc-bios/lab/io.h"
#include "pc-bios/lab/lab.h"
#include "pc-bios/modes/pattern.h"

struct stop {
    const char *name;
    void (*draw)(uint32_t seed);
};
/* Each table ends with a stop without a name. */
extern const struct stop text_stops[], graphics_stops[], packed_stops[], ops_stops[], vbe_stops[];

/* board.c: COM1 and the BIOS */

/* Registers of a BIOS call, laid out as entry.S has them. */
struct bios_regs {
    uint32_t eax, ebx, ecx, edx, esi, edi, ebp;
    uint16_t ds, es, flags;
};

bool has_byte(void);  /* whether one has come from COM1 */
void wait_byte(void); /* any byte from COM1 */
/* Call INT `vector`; the registers come back in *r. */
void bios_call(unsigned vector, struct bios_regs *r);
/* INT 10h with these values; AX as it comes back. */
uint16_t bios_video(uint32_t ax, uint32_t bx, uint32_t cx, uint32_t dx);

/* vga.c: registers */

struct vga_mode {
    uint8_t misc, seq[5], crtc[25], gc[9], ac[16 + 5];
};
extern const struct vga_mode vga_text80, vga_text80_350, vga_mode0d, vga_mode10, vga_mode12,
    vga_mode13;

enum { SEQ = 0x3c4, GC = 0x3ce, CRTC = 0x3d4 }; /* index ports; data one further */
void vga_set(const struct vga_mode *mode);
void vga_put(uint16_t port, uint8_t index, uint8_t value);
uint8_t vga_get(uint16_t port, uint8_t index);
/* Change the bits of `mask`. */
void vga_change(uint16_t port, uint8_t index, uint8_t mask, uint8_t value);
void vga_put_attribute(uint8_t index, uint8_t value); /* the screen stays on */
void vga_put_start(uint16_t start);
void vga_put_line_compare(unsigned line);
/* All 256 entries after pattern_dac, six bits each; the palette registers after pattern_pen. */
void vga_put_dac(uint32_t seed);
void vga_put_pens(uint32_t seed);

static inline volatile uint8_t *at(uint32_t address)
{
    __asm__("" : "+r"(address)); /* no object the compiler knows of lies there */
    return (volatile uint8_t *)address;
}

/* graphics.c, for ops.c too */

/* Fill the first planes, 8 pixels a byte and `stride` bytes a line, with pattern_pixel. */
void planar_fill(uint32_t seed, unsigned stride, unsigned lines, unsigned planes);

#endif
