/*
 * The Bochs VBE extensions (none yet).
 */
#include "pc-bios/modes/modes.h"

const struct stop vbe_stops[] = {
    {0},
};
