/*
 * The formats floppy disks have.
 *
 * Not modelled: formats with sectors of other than 512 bytes, or with fewer of them on some tracks.
 */
#include "hw/core/floppy.h"

enum { K500 = BIT(0), K300 = BIT(1), K250 = BIT(2), M1 = BIT(3) };

/* The common formats in order of size, then the special ones. */
static const struct floppy_geometry geometries[] = {
    /* A 360 K drive reads its disks at 250 kbit/s; a 1.2 M drive turns faster and reads them at
       300. */
    {"160 K", 40, 1, 8, K250 | K300, 1, true, false},
    {"180 K", 40, 1, 9, K250 | K300, 1, true, false},
    {"320 K", 40, 2, 8, K250 | K300, 1, true, false},
    {"360 K", 40, 2, 9, K250 | K300, 1, true, false},
    {"720 K", 80, 2, 9, K250, 3, false, false},
    {"1.2 M", 80, 2, 15, K500, 2, true, false},
    {"1.44 M", 80, 2, 18, K500, 4, false, false},
    {"2.88 M", 80, 2, 36, M1, 5, false, false},
    {"640 K", 80, 2, 8, K250, 3, false, true},
    {"800 K", 80, 2, 10, K250, 3, false, true},
    {"820 K", 82, 2, 10, K250, 3, false, true},
    {"1.48 M", 82, 2, 18, K500, 4, false, true},
    {"1.49 M", 83, 2, 18, K500, 4, false, true},
    {"1.6 M", 80, 2, 20, K500, 4, false, true},
    {"1.68 M", 80, 2, 21, K500, 4, false, true},
    {"1.72 M", 82, 2, 21, K500, 4, false, true},
    {"1.74 M", 83, 2, 21, K500, 4, false, true},
};

const struct floppy_geometry *floppy_geometry_for(uint64_t sectors)
{
    const struct floppy_geometry *holds = NULL;

    for (unsigned i = 0; i < ARRAY_LEN(geometries) && sectors; i++) {
        const struct floppy_geometry *g = &geometries[i];

        if (floppy_geometry_sectors(g) == sectors) {
            return g;
        }
        if (!holds && !g->exact && floppy_geometry_sectors(g) > sectors) {
            holds = g;
        }
    }
    return holds;
}
