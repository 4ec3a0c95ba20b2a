/*
 * The screen at the end of a run, as a picture or as text.
 */
#ifndef CANDELA_UI_SCREEN_H
#define CANDELA_UI_SCREEN_H

#include "hw/core/machine.h"

/* The screen at one moment. */
struct screen_shot;
/* Lock held. */
struct screen_shot *screen_take(struct machine *m);
/*
 * Write it to `path`, by its ending .png, .ppm or .txt (any other: text); `what` is for messages.
 * FILE error.  Any thread; blocks on the file system.
 */
bool screen_shot_write(const struct screen_shot *shot, const char *what, const char *path,
                       GError **err);
/* False in a graphics mode. */
bool screen_shot_has_text(const struct screen_shot *shot);
/* Make the picture at most `width` pixels wide, each the mean of those it stands for, with square
 * pixels. */
void screen_shot_shrink(struct screen_shot *shot, unsigned width);
/* A sum of the picture: another one for another picture, as good as always. */
uint32_t screen_shot_sum(const struct screen_shot *shot);
void screen_shot_free(struct screen_shot *shot);
/* Whether the name ends in one of them. */
bool screen_knows_ending(const char *path);

/* Take and write the screen for --screen.  Lock held. */
bool screen_write(struct machine *m, const char *path, GError **err);

#endif
