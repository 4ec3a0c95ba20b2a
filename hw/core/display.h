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
    bool tube;          /* pixels are not square: the picture fills a screen of 4:3 */
    unsigned changed_top, changed_lines; /* what the last draw changed; lines between them too */
};

/* Make a surface hold w x h pixels (contents undefined after a change); w, h at most 4096. */
void surface_resize(struct surface *s, unsigned w, unsigned h);
void surface_free(struct surface *s);

/* One text cell: character in the guest's code page (437), attribute as in VGA memory. */
struct text_cell {
    uint8_t ch, attr;
};

struct display_ops {
    /*
     * Bring a surface up to date.  For the one viewer that shows every frame (the window): what
     * changed is what changed since the last call.  A surface of another size than the frame's (a
     * new one has none) is resized and drawn whole; in any other the last frame must still stand.
     * True: something changed, and s->changed_top and changed_lines say where.  Lock held.
     */
    bool (*draw)(struct device *dev, struct surface *s);
    /* Draw the present frame whole into any surface; what `draw` will find changed stays. */
    void (*shot)(struct device *dev, struct surface *s);
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
