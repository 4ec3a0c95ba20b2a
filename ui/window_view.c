/*
 * Where the guest's picture stands in a window.
 *
 * A tube's picture is 4:3 whatever its pixels are.  Fitting keeps that exactly; whole multiples
 * come as near as they can: 320x200 is 5 times across and 6 times down where there is room.
 */
#include "ui/window_view.h"

static const struct {
    const char *name, *help;
} scalings[VIEW_SCALINGS] = {
    [VIEW_SMOOTH] = {"smooth", "as large as fits, filtered"},
    [VIEW_SHARP] = {"sharp", "as large as fits, pixels keep their edges"},
    [VIEW_INTEGER] = {"integer", "whole multiples of the guest's pixels"},
};

const char *view_scaling_name(enum view_scaling s)
{
    return s < VIEW_SCALINGS ? scalings[s].name : NULL;
}

const char *view_scaling_help(enum view_scaling s)
{
    return s < VIEW_SCALINGS ? scalings[s].help : NULL;
}

/* The proportions of the whole picture. */
static void view_shape(const struct view_picture *p, int64_t *across, int64_t *down)
{
    *across = p->tube ? 4 : MAX(p->width, 1);
    *down = p->tube ? 3 : MAX(p->height, 1);
}

void view_natural(const struct view_picture *p, unsigned zoom, int *w, int *h)
{
    int64_t across, down, width = MAX(p->width, 1), height = MAX(p->height, 1);

    view_shape(p, &across, &down);
    if (width * down >= height * across) {
        height = (width * down + across / 2) / across;
    } else {
        width = (height * across + down / 2) / down;
    }
    *w = (int)(width * zoom);
    *h = (int)(height * zoom);
}

unsigned view_zoom(const struct view_picture *p, int w, int h)
{
    int nw, nh;
    unsigned zoom = 1;

    view_natural(p, 1, &nw, &nh);
    /* A window had better leave room around it: half the screen each way, a bit more for pictures
     * that are really small. */
    while (zoom < 8 && nw * (int)(zoom + 1) <= w * 5 / 8 && nh * (int)(zoom + 1) <= h * 5 / 8) {
        zoom++;
    }
    return zoom;
}

static struct view_rect view_center(int64_t pw, int64_t ph, int w, int h)
{
    return (struct view_rect){(int)((w - pw) / 2), (int)((h - ph) / 2), (int)pw, (int)ph};
}

static struct view_rect view_fit(const struct view_picture *p, int w, int h)
{
    int64_t across, down;

    view_shape(p, &across, &down);
    if (w * down <= h * across) {
        return view_center(w, MAX((w * down + across / 2) / across, 1), w, h);
    }
    return view_center(MAX((h * across + down / 2) / down, 1), h, w, h);
}

/* How far multiples of nx by ny are from the right shape: 0 none, growing. */
static double view_error(const struct view_picture *p, int64_t nx, int64_t ny)
{
    int64_t across, down;

    view_shape(p, &across, &down);
    double have = (double)(nx * p->width * down), want = (double)(ny * p->height * across);
    return have > want ? have / want - 1 : want / have - 1;
}

static struct view_rect view_integer(const struct view_picture *p, int w, int h)
{
    int64_t most_x = w / (int)p->width, most_y = h / (int)p->height, best_x = 1, best_y = 1;
    double best = 1e9;

    /* The largest multiple decides one way; the other follows the shape. */
    for (int64_t ny = most_y; ny >= 1 && ny * 2 > most_y; ny--) {
        for (int64_t nx = 1; nx <= most_x; nx++) {
            /* A smaller picture has to be a good deal better in shape. */
            double error = view_error(p, nx, ny) + 0.15 * (double)(most_y - ny);

            if (error < best) {
                best = error;
                best_x = nx;
                best_y = ny;
            }
        }
    }
    return view_center(best_x * p->width, best_y * p->height, w, h);
}

struct view_rect view_place(const struct view_picture *p, enum view_scaling scaling, int w, int h)
{
    if (!p->width || !p->height || w <= 0 || h <= 0) {
        return (struct view_rect){0};
    }
    if (scaling == VIEW_INTEGER && w >= (int)p->width && h >= (int)p->height) {
        return view_integer(p, w, h);
    }
    return view_fit(p, w, h);
}

static unsigned view_along(int at, int length, unsigned max)
{
    at = CLAMP(at, 0, length - 1);
    return length > 1 ? (unsigned)((int64_t)at * max / (length - 1)) : 0;
}

bool view_to_guest(const struct view_rect *r, int x, int y, unsigned max, unsigned *gx,
                   unsigned *gy)
{
    if (r->w <= 0 || r->h <= 0) {
        *gx = *gy = 0;
        return false;
    }
    *gx = view_along(x - r->x, r->w, max);
    *gy = view_along(y - r->y, r->h, max);
    return x >= r->x && y >= r->y && x < r->x + r->w && y < r->y + r->h;
}
