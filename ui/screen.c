/*
 * The screen as a picture (PNG through libpng, or PPM) or as UTF-8 text.
 *
 * Not here: the pointer, sound, other picture formats.
 */
#include "ui/screen.h"
#include "ui/output.h"
#include <png.h>
#include <stdio.h>

static void png_to_bytes(png_structp png, png_bytep data, png_size_t len)
{
    g_byte_array_append(png_get_io_ptr(png), data, (guint)len);
}

static void png_nothing(png_structp png)
{
    (void)png;
}

static uint32_t *screen_line(const struct surface *s, unsigned y)
{
    return (uint32_t *)((uint8_t *)s->pixels + (size_t)y * s->stride);
}

/* Bytes R, G, B of one line. */
static void screen_row(const struct surface *s, unsigned y, uint8_t *rgb)
{
    const uint32_t *p = screen_line(s, y);

    for (unsigned x = 0; x < s->width; x++) {
        rgb[3 * x] = (uint8_t)(p[x] >> 16);
        rgb[3 * x + 1] = (uint8_t)(p[x] >> 8);
        rgb[3 * x + 2] = (uint8_t)p[x];
    }
}

static bool png_encode(const struct surface *s, GByteArray *out, uint8_t *rgb)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png ? png_create_info_struct(png) : NULL;

    if (!info || setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &info);
        return false;
    }
    png_set_write_fn(png, out, png_to_bytes, png_nothing);
    png_set_IHDR(png, info, s->width, s->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (unsigned y = 0; y < s->height; y++) {
        screen_row(s, y, rgb);
        png_write_row(png, rgb);
    }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return true;
}

static bool screen_to_png(const struct surface *s, GByteArray *out)
{
    g_autofree uint8_t *rgb = g_malloc0((gsize)s->width * 3);

    return png_encode(s, out, rgb);
}

/* Netpbm's binary "portable pixmap". */
static bool screen_to_ppm(const struct surface *s, GByteArray *out)
{
    g_autofree uint8_t *rgb = g_malloc0((gsize)s->width * 3);
    g_autofree char *head = g_strdup_printf("P6\n%u %u\n255\n", s->width, s->height);

    g_byte_array_append(out, (const guint8 *)head, (guint)strlen(head));
    for (unsigned y = 0; y < s->height; y++) {
        screen_row(s, y, rgb);
        g_byte_array_append(out, rgb, 3 * s->width);
    }
    return true;
}

static const struct {
    const char *ending;
    bool (*encode)(const struct surface *s, GByteArray *out); /* NULL: text */
} screen_formats[] = {{".png", screen_to_png}, {".ppm", screen_to_ppm}, {".txt", NULL}};

bool screen_knows_ending(const char *path)
{
    for (unsigned i = 0; i < ARRAY_LEN(screen_formats); i++) {
        if (g_str_has_suffix(path, screen_formats[i].ending)) {
            return true;
        }
    }
    return false;
}

struct screen_shot {
    struct surface surface;
    GString *text;
    bool has_text;
};

struct screen_shot *screen_take(struct machine *m)
{
    struct screen_shot *shot = g_new0(struct screen_shot, 1);

    if (m->display && m->display->shot) {
        m->display->shot(m->display_dev, &shot->surface);
    }
    if (!shot->surface.pixels) {
        surface_resize(&shot->surface, 640, 400); /* no display: black */
    }
    shot->text = g_string_new(NULL);
    shot->has_text = display_text_utf8(m, shot->text);
    return shot;
}

bool screen_shot_has_text(const struct screen_shot *shot)
{
    return shot->has_text;
}

/* The mean of the pixels that one of the small picture stands for. */
static uint32_t shrink_pixel(const struct surface *s, unsigned x0, unsigned x1, unsigned y0,
                             unsigned y1)
{
    uint64_t sum[3] = {0}, count = (uint64_t)(x1 - x0) * (y1 - y0);

    for (unsigned y = y0; y < y1; y++) {
        const uint32_t *line = screen_line(s, y);

        for (unsigned x = x0; x < x1; x++) {
            sum[0] += line[x] & 0xff;
            sum[1] += line[x] >> 8 & 0xff;
            sum[2] += line[x] >> 16 & 0xff;
        }
    }
    return (uint32_t)(sum[0] / count | sum[1] / count << 8 | sum[2] / count << 16);
}

void screen_shot_shrink(struct screen_shot *shot, unsigned width)
{
    struct surface *s = &shot->surface, small = {0};
    unsigned w = MIN(width, s->width);
    unsigned h = s->tube ? w * 3 / 4 : (unsigned)((uint64_t)s->height * w / s->width);

    h = CLAMP(h, 1, 4 * width);
    surface_resize(&small, w, h);
    for (unsigned y = 0; y < h; y++) {
        uint32_t *line = screen_line(&small, y);
        unsigned y0 = (unsigned)((uint64_t)y * s->height / h);
        unsigned y1 = (unsigned)((uint64_t)(y + 1) * s->height / h);

        for (unsigned x = 0; x < w; x++) {
            unsigned x0 = (unsigned)((uint64_t)x * s->width / w);
            unsigned x1 = (unsigned)((uint64_t)(x + 1) * s->width / w);

            line[x] = shrink_pixel(s, x0, MAX(x1, x0 + 1), y0, MAX(y1, y0 + 1));
        }
    }
    surface_free(s);
    *s = small;
}

uint32_t screen_shot_sum(const struct screen_shot *shot)
{
    const struct surface *s = &shot->surface;
    uint32_t sum = 2166136261u; /* FNV-1a */

    for (unsigned y = 0; y < s->height; y++) {
        const uint32_t *line = screen_line(s, y);

        for (unsigned x = 0; x < s->width; x++) {
            sum = (sum ^ (line[x] & 0xffffff)) * 16777619u;
        }
    }
    return sum;
}

void screen_shot_free(struct screen_shot *shot)
{
    surface_free(&shot->surface);
    g_string_free(shot->text, TRUE);
    g_free(shot);
}

static bool screen_write_picture(const struct screen_shot *shot, const char *what, const char *path,
                                 bool (*encode)(const struct surface *s, GByteArray *out),
                                 GError **err)
{
    GByteArray *out = g_byte_array_new();
    bool good;

    if (!encode(&shot->surface, out)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "%s %s: libpng failed", what, path);
        good = false;
    } else {
        good = output_write(what, path, out->data, out->len, err);
    }
    g_byte_array_unref(out);
    return good;
}

bool screen_shot_write(const struct screen_shot *shot, const char *what, const char *path,
                       GError **err)
{
    for (unsigned i = 0; i < ARRAY_LEN(screen_formats); i++) {
        if (g_str_has_suffix(path, screen_formats[i].ending) && screen_formats[i].encode) {
            return screen_write_picture(shot, what, path, screen_formats[i].encode, err);
        }
    }
    if (!shot->has_text) {
        fprintf(stderr,
                "candela: %s %s: the screen is in a graphics mode: no text (a .png "
                "shows it)\n",
                what, path);
    }
    return output_write(what, path, shot->text->str, shot->text->len, err);
}

bool screen_write(struct machine *m, const char *path, GError **err)
{
    struct screen_shot *shot = screen_take(m);
    bool good = screen_shot_write(shot, "--screen", path, err);

    screen_shot_free(shot);
    return good;
}
