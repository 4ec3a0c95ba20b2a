/*
 * The screen as PNG (through libpng) or as UTF-8 text.
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

/* Bytes R, G, B of one line. */
static void screen_row(const struct surface *s, unsigned y, uint8_t *rgb)
{
    const uint32_t *p = (const uint32_t *)((const uint8_t *)s->pixels + (size_t)y * s->stride);

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

static bool screen_write_png(struct machine *m, const char *path, GError **err)
{
    struct surface s = {0};
    GByteArray *out = g_byte_array_new();
    uint8_t *rgb;
    bool good;

    if (m->display && m->display->draw) {
        m->display->draw(m->display_dev, &s, true);
    }
    if (!s.pixels) {
        surface_resize(&s, 640, 400); /* no display: black */
    }
    rgb = g_malloc0((gsize)s.width * 3);
    if (!png_encode(&s, out, rgb)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "--screen %s: libpng failed", path);
        good = false;
    } else {
        good = output_write("--screen", path, out->data, out->len, err);
    }
    g_free(rgb);
    surface_free(&s);
    g_byte_array_unref(out);
    return good;
}

bool screen_write(struct machine *m, const char *path, GError **err)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (g_str_has_suffix(path, ".png")) {
        return screen_write_png(m, path, err);
    }
    if (!display_text_utf8(m, text)) {
        fprintf(stderr,
                "candela: --screen %s: the screen is in a graphics mode: no text (a .png "
                "shows it)\n",
                path);
    }
    return output_write("--screen", path, text->str, text->len, err);
}
