/*
 * Where the guest's picture stands in a window, and which place of it a place in the window is.
 * Plain arithmetic, no state.
 *
 * Not here: drawing (ui/sdl.c).
 */
#ifndef CANDELA_UI_WINDOW_VIEW_H
#define CANDELA_UI_WINDOW_VIEW_H

#include "hw/core/base.h"

enum view_scaling {
    VIEW_SMOOTH,  /* as large as fits, filtered */
    VIEW_SHARP,   /* as large as fits, pixels keep their edges */
    VIEW_INTEGER, /* whole multiples only, across and down */
    VIEW_SCALINGS
};

struct view_picture {
    unsigned width, height;
    bool tube; /* pixels are not square: the picture fills a screen of 4:3 */
};

struct view_rect {
    int x, y, w, h;
};

/* "smooth" and so on, as options and menus have it. */
const char *view_scaling_name(enum view_scaling s);
/* What it does, in a few words. */
const char *view_scaling_help(enum view_scaling s);

/* The area, in square pixels, in which the picture is neither stretched nor cut: at least as wide
 * and as high as the picture, times `zoom`. */
void view_natural(const struct view_picture *p, unsigned zoom, int *w, int *h);
/* How many times the natural size a new window had better be on a screen with w x h pixels free:
 * small pictures would be specks on large screens. */
unsigned view_zoom(const struct view_picture *p, int w, int h);
/* The picture in an area of w x h pixels, in its middle; nothing is cut unless the area is smaller
 * than one pixel per pixel of an integer scaling, which then shrinks as VIEW_SHARP does. */
struct view_rect view_place(const struct view_picture *p, enum view_scaling scaling, int w, int h);
/*
 * The guest's place 0..max, over the whole picture, that a place in the window is; places outside
 * are drawn to the edge.  Whether it was inside.
 */
bool view_to_guest(const struct view_rect *r, int x, int y, unsigned max, unsigned *gx,
                   unsigned *gy);

#endif
