/*
 * A gui for tests; see gui_rig.h.
 */
#include "tests/ui/gui_rig.h"
#include "ui/keys.h"
#include <criterion/criterion.h>
#include <stdio.h>

static void rig_set_clipboard(void *of, const char *text)
{
    struct gui_rig *r = of;

    g_free(r->clipboard);
    r->clipboard = g_strdup(text);
}

static char *rig_get_clipboard(void *of)
{
    struct gui_rig *r = of;

    return g_strdup(r->clipboard);
}

static void rig_wake(void *of)
{
    struct gui_rig *r = of;

    r->wakes++;
}

struct gui_rig *gui_rig_new(int w, int h, double scale, enum gui_theme theme)
{
    struct gui_rig *r = g_new0(struct gui_rig, 1);
    struct gui_host host = {r, rig_wake, rig_set_clipboard, rig_get_clipboard};

    r->gui = gui_new(&host, theme);
    gui_resize(r->gui, w, h, scale);
    return r;
}

void gui_rig_free(struct gui_rig *r)
{
    gui_free(r->gui);
    g_free(r->dumped);
    g_free(r->clipboard);
    g_free(r);
}

static void rig_key(struct gui_rig *r, const char *name)
{
    static const char *const mods[] = {"Shift+", "Ctrl+", "Alt+"};
    struct gui_event ev = {.kind = GUI_KEY};

    for (unsigned i = 0; i < ARRAY_LEN(mods); i++) {
        if (g_str_has_prefix(name, mods[i])) {
            ev.mods |= BIT(i);
            name += strlen(mods[i]);
        }
    }
    ev.key = key_find(name);
    cr_assert(ev.key, "no key %s", name);
    ev.sym = name[1] ? 0 : (uint32_t)g_ascii_tolower(name[0]);
    gui_event(r->gui, &ev);
}

void gui_rig_keys(struct gui_rig *r, const char *keys)
{
    g_auto(GStrv) names = g_strsplit(keys, " ", -1);

    for (char **p = names; *p; p++) {
        rig_key(r, *p);
    }
}

void gui_rig_type(struct gui_rig *r, const char *text)
{
    gui_event(r->gui, &(struct gui_event){.kind = GUI_TEXT, .text = text});
}

void gui_rig_move(struct gui_rig *r, int x, int y)
{
    gui_event(r->gui, &(struct gui_event){.kind = GUI_MOTION, .x = x, .y = y});
}

void gui_rig_click(struct gui_rig *r, int x, int y, unsigned button, unsigned clicks)
{
    struct gui_event ev = {.x = x, .y = y, .button = button, .clicks = clicks};

    gui_rig_move(r, x, y);
    ev.kind = GUI_PRESS;
    gui_event(r->gui, &ev);
    ev.kind = GUI_RELEASE;
    gui_event(r->gui, &ev);
}

void gui_rig_click_on(struct gui_rig *r, struct gui_widget *w)
{
    struct gui_rect at = gui_where(w);

    gui_rig_click(r, at.x + at.w / 2, at.y + at.h / 2, GUI_BUTTON_LEFT, 1);
}

const char *gui_rig_dump(struct gui_rig *r)
{
    GString *out = g_string_new(NULL);

    gui_dump(r->gui, out);
    g_free(r->dumped);
    r->dumped = g_string_free(out, FALSE);
    return r->dumped;
}

bool gui_rig_has(struct gui_rig *r, const char *text)
{
    return strstr(gui_rig_dump(r), text) != NULL;
}

uint32_t gui_rig_pixel(struct gui_rig *r, int x, int y)
{
    struct gui_rect rect;
    unsigned stride;
    const uint32_t *pixels;

    gui_paint(r->gui, &rect, 1);
    pixels = gui_pixels(r->gui, &stride);
    return pixels[(size_t)y * stride / 4 + (size_t)x];
}

/* Over white, as PPM. */
void gui_rig_picture(struct gui_rig *r, const char *name)
{
    const char *folder = g_getenv("CANDELA_PICTURES");
    g_autofree char *path = folder ? g_strdup_printf("%s/%s.ppm", folder, name) : NULL;
    struct gui_rect at = gui_where(gui_root(r->gui)), rect;
    FILE *f = path ? fopen(path, "w") : NULL;
    const uint32_t *p;
    unsigned stride;

    gui_paint(r->gui, &rect, 1);
    p = gui_pixels(r->gui, &stride);
    if (path) {
        cr_assert(f, "%s", path);
        fprintf(f, "P6 %d %d 255\n", at.w, at.h);
        for (int y = 0; y < at.h; y++, p += stride / 4) {
            for (int x = 0; x < at.w; x++) {
                unsigned white = 0xff - (p[x] >> 24);

                fputc((int)((p[x] >> 16 & 0xff) + white), f);
                fputc((int)((p[x] >> 8 & 0xff) + white), f);
                fputc((int)((p[x] & 0xff) + white), f);
            }
        }
        cr_assert_eq(fclose(f), 0, "%s", path);
    }
}
