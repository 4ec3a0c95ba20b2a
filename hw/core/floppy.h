/*
 * The formats floppy disks have: vhd/ rounds images up to one, hw/fdc.c reads disks by it.
 *
 * Not modelled: formats with sectors of other than 512 bytes.
 */
#ifndef HW_CORE_FLOPPY_H
#define HW_CORE_FLOPPY_H

#include "hw/core/base.h"

enum { FLOPPY_MAX_SECTORS = 5760 }; /* 2.88 MB */

/* The drives there are, as CMOS byte 0x10 has them. */
enum {
    FLOPPY_DRIVE_360 = 1,
    FLOPPY_DRIVE_1200,
    FLOPPY_DRIVE_720, /* 3.5 inches from here on */
    FLOPPY_DRIVE_1440,
    FLOPPY_DRIVE_2880,
};

struct floppy_geometry {
    const char *name;
    uint8_t tracks, heads;
    uint8_t sectors; /* per track */
    uint8_t rates; /* data rates it can be read at: bit n for code n (500, 300, 250, 1000 kbit/s) */
    uint8_t drive; /* the drive it is made for */
    bool five_inch; /* 5.25", else 3.5" */
    bool exact;     /* only for images of exactly this size */
};

static inline unsigned floppy_geometry_sectors(const struct floppy_geometry *g)
{
    return (unsigned)g->tracks * g->heads * g->sectors;
}

/*
 * The format of an image of so many sectors: that of exactly this size, else the smallest common
 * one that holds it. NULL: none (no sectors, or more than FLOPPY_MAX_SECTORS).
 */
const struct floppy_geometry *floppy_geometry_for(uint64_t sectors);

#endif
