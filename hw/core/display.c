/*
 * Surfaces: the 32-bit pictures a display device draws into.
 *
 * Not modelled: anything of the guest.
 */
#include "hw/core/display.h"

#define SURFACE_MAX 4096u

void surface_resize(struct surface *s, unsigned w, unsigned h)
{
    unsigned bytes;

    w = CLAMP(w, 1, SURFACE_MAX);
    h = CLAMP(h, 1, SURFACE_MAX);
    bytes = w * h * 4;
    if (bytes > s->allocated) {
        g_free(s->pixels);
        s->pixels = g_malloc0(bytes);
        s->allocated = bytes;
    }
    s->width = w;
    s->height = h;
    s->stride = w * 4;
}

void surface_free(struct surface *s)
{
    g_free(s->pixels);
    memset(s, 0, sizeof *s);
}
