/*
 * The screen at the end of a run, as a picture or as text.
 */
#ifndef CANDELA_UI_SCREEN_H
#define CANDELA_UI_SCREEN_H

#include "hw/core/machine.h"

/* Write the screen to `path`, by its ending .png or .txt; FILE error.  Lock held. */
bool screen_write(struct machine *m, const char *path, GError **err);

#endif
