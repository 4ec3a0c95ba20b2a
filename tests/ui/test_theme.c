/*
 * What the desktop says of light and dark: a portal of the test's own on a session bus of its own.
 * Skipped without dbus-daemon.
 */
#include "ui/theme.h"
#include <criterion/criterion.h>

static const char portal_xml[] =
    "<node><interface name='org.freedesktop.portal.Settings'><method name='Read'>"
    "<arg type='s' direction='in'/><arg type='s' direction='in'/><arg type='v' direction='out'/>"
    "</method></interface></node>";

struct portal {
    GTestDBus *bus;
    GMainContext *context;
    GMainLoop *loop;
    GThread *thread;
    _Atomic bool up;
    uint32_t scheme;
};

static void portal_call(GDBusConnection *bus, const char *sender, const char *path,
                        const char *interface, const char *method, GVariant *args,
                        GDBusMethodInvocation *call, gpointer data)
{
    const struct portal *p = data;
    const char *space, *key;

    (void)bus;
    (void)sender;
    (void)path;
    (void)interface;
    (void)method;
    g_variant_get(args, "(&s&s)", &space, &key);
    if (strcmp(space, "org.freedesktop.appearance") || strcmp(key, "color-scheme")) {
        g_dbus_method_invocation_return_dbus_error(call, "org.freedesktop.portal.Error.NotFound",
                                                   "no such setting");
        return;
    }
    /* Read, unlike ReadOne, has one variant too many. */
    g_dbus_method_invocation_return_value(
        call, g_variant_new("(v)", g_variant_new_variant(g_variant_new_uint32(p->scheme))));
}

static void portal_is_up(GDBusConnection *bus, const char *name, gpointer data)
{
    struct portal *p = data;

    (void)bus;
    (void)name;
    p->up = true;
}

static gpointer portal_main(gpointer data)
{
    static const GDBusInterfaceVTable table = {.method_call = portal_call};
    struct portal *p = data;
    GDBusNodeInfo *node = g_dbus_node_info_new_for_xml(portal_xml, NULL);
    GDBusConnection *bus;

    g_main_context_push_thread_default(p->context);
    bus = g_dbus_connection_new_for_address_sync(g_test_dbus_get_bus_address(p->bus),
                                                 G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                     G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                                 NULL, NULL, NULL);
    cr_assert(bus);
    cr_assert(g_dbus_connection_register_object(bus, "/org/freedesktop/portal/desktop",
                                                node->interfaces[0], &table, p, NULL, NULL));
    g_bus_own_name_on_connection(bus, "org.freedesktop.portal.Desktop", G_BUS_NAME_OWNER_FLAGS_NONE,
                                 portal_is_up, NULL, p, NULL);
    g_main_loop_run(p->loop);
    g_object_unref(bus);
    g_dbus_node_info_unref(node);
    return NULL;
}

Test(theme, the_portal_is_asked, .timeout = 60)
{
    static const struct {
        uint32_t scheme;
        enum gui_theme want;
    } cases[] = {{0, GUI_LIGHT}, {1, GUI_DARK}, {2, GUI_LIGHT}};
    g_autofree char *daemon = g_find_program_in_path("dbus-daemon");
    struct portal p = {0};

    if (!daemon) {
        cr_skip_test("dbus-daemon is not installed");
        return;
    }
    g_unsetenv("GTK_THEME");
    p.bus = g_test_dbus_new(G_TEST_DBUS_NONE);
    g_test_dbus_up(p.bus);
    cr_expect_eq(theme_of_desktop(NULL), GUI_DARK, "a bus without a portal");
    p.context = g_main_context_new();
    p.loop = g_main_loop_new(p.context, FALSE);
    p.thread = g_thread_new("portal", portal_main, &p);
    while (!p.up) {
        g_usleep(1000);
    }
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        p.scheme = cases[i].scheme;
        cr_expect_eq(theme_of_desktop(NULL), cases[i].want, "%u", cases[i].scheme);
    }
    g_main_loop_quit(p.loop);
    g_thread_join(p.thread);
    g_main_loop_unref(p.loop);
    g_main_context_unref(p.context);
    g_test_dbus_stop(p.bus);
}
