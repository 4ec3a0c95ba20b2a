/*
 * The display contract: a device renders into a 32-bit surface on demand and can give its text
 * screen.
 *
 * Not modelled: several screens, hardware cursors, acceleration.
 */
#ifndef HW_CORE_DISPLAY_H
#define HW_CORE_DISPLAY_H

#include "hw/core/base.h"

struct device;

/* 0x00RRGGBB pixels, `stride` bytes per line. */
struct surface {
    unsigned width, height, stride;
    uint32_t *pixels;
    unsigned allocated; /* bytes behind pixels */
};

/* Make a surface hold w x h pixels (contents undefined after a change); w, h at most 4096. */
void surface_resize(struct surface *s, unsigned w, unsigned h);
void surface_free(struct surface *s);

/* One text cell: character in the guest's code page (437), attribute as in VGA memory. */
struct text_cell {
    uint8_t ch, attr;
};

struct display_ops {
    /* Draw the present frame; true when anything changed since the last call (`force` draws
     * regardless). */
    bool (*draw)(struct device *dev, struct surface *s, bool force);
    /* The text screen: fills up to max cells, row by row, gives columns and rows; false in a
     * graphics mode. */
    bool (*text)(struct device *dev, struct text_cell *cells, size_t max, unsigned *cols,
                 unsigned *rows);
};

struct machine;

/* The Unicode character that code page 437 shows for `ch`. */
uint32_t cp437_to_unicode(uint8_t ch);
/*
 * Append the text screen to `out`, one line per row, blanks at line ends cut off; false (nothing
 * appended) in a graphics mode or without a display.  Lock held.
 */
bool display_text_utf8(struct machine *m, GString *out);

/* The machine's display: set by the display device at attach (machine.display,
 * machine.display_dev). */

#endif
