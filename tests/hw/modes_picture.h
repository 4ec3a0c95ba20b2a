/*
 * The pictures that the mode guest (pc-bios/modes) has to show, worked out from its patterns and
 * from what the IBM manual says of each mode.  Nothing of hw/vga is used.
 *
 * Not modelled: how a mode is set; the guest's source says that.
 */
#ifndef TESTS_HW_MODES_PICTURE_H
#define TESTS_HW_MODES_PICTURE_H

#include "hw/core/display.h"

/* What a picture depends on besides its name. */
struct modes_view {
    const uint8_t *font;              /* the BIOS's font that the guest names last */
    bool cursor_hidden, chars_hidden; /* the phases of what blinks */
};

/* Draw the picture of a stop of the guest; false: there is no such stop. */
bool modes_expect(const char *name, const struct modes_view *view, struct surface *to);
/* What blinks at a stop. */
void modes_blinks(const char *name, bool *cursor, bool *chars);
/* The names, in the table's order; NULL behind the last. */
const char *modes_name(unsigned n);

#endif
