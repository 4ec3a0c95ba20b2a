/*
 * Light or dark.
 *
 * The portal is the one that sandboxed programs ask: org.freedesktop.portal.Settings, namespace
 * org.freedesktop.appearance, key color-scheme: 1 is dark, 2 light, 0 no preference, which is light
 * on the desktops that have it.
 */
#include "ui/theme.h"

enum { ANSWER_MS = 1000, SCHEME_DARK = 1 };

static const struct {
    const char *name, *help;
} themes[THEMES] = {
    [THEME_AUTO] = {"auto", "as the desktop prefers"},
    [THEME_LIGHT] = {"light", "dark on light"},
    [THEME_DARK] = {"dark", "light on dark"},
};

const char *theme_name(enum theme_choice t)
{
    return t < THEMES ? themes[t].name : NULL;
}

const char *theme_help(enum theme_choice t)
{
    return t < THEMES ? themes[t].help : NULL;
}

/* The number in a variant in up to a few others. */
static bool theme_number(GVariant *v, uint32_t *out)
{
    GVariant *inner = g_variant_ref(v);

    for (int i = 0; i < 4 && g_variant_is_of_type(inner, G_VARIANT_TYPE_VARIANT); i++) {
        GVariant *next = g_variant_get_variant(inner);

        g_variant_unref(inner);
        inner = next;
    }
    bool is = g_variant_is_of_type(inner, G_VARIANT_TYPE_UINT32);
    *out = is ? g_variant_get_uint32(inner) : 0;
    g_variant_unref(inner);
    return is;
}

/* Without a bus in the environment none shall be started. */
static bool theme_has_bus(void)
{
    g_autofree char *path = g_build_filename(g_get_user_runtime_dir(), "bus", NULL);

    return g_getenv("DBUS_SESSION_BUS_ADDRESS") || g_file_test(path, G_FILE_TEST_EXISTS);
}

static GVariant *theme_ask_portal(GCancellable *cancel)
{
    g_autoptr(GDBusConnection) bus =
        theme_has_bus() ? g_bus_get_sync(G_BUS_TYPE_SESSION, cancel, NULL) : NULL;

    return bus ? g_dbus_connection_call_sync(
                     bus, "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop",
                     "org.freedesktop.portal.Settings", "Read",
                     g_variant_new("(ss)", "org.freedesktop.appearance", "color-scheme"),
                     G_VARIANT_TYPE("(v)"), G_DBUS_CALL_FLAGS_NONE, ANSWER_MS, cancel, NULL)
               : NULL;
}

enum gui_theme theme_of_desktop(GCancellable *cancel)
{
    const char *gtk = g_getenv("GTK_THEME"); /* "Adwaita:dark", "Yaru" */
    g_autoptr(GVariant) answer = NULL;
    enum gui_theme theme = GUI_DARK;
    uint32_t scheme;

    if (gtk && *gtk) {
        return strstr(gtk, "dark") ? GUI_DARK : GUI_LIGHT;
    }
    answer = theme_ask_portal(cancel);
    if (answer) {
        g_autoptr(GVariant) value = g_variant_get_child_value(answer, 0);

        theme = theme_number(value, &scheme) && scheme != SCHEME_DARK ? GUI_LIGHT : GUI_DARK;
    }
    return theme;
}
