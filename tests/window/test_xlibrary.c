/*
 * The library's window as its user has it, by keys alone (tests/window/x_rig.h); what came of them
 * is read by `candela list`.
 */
#include "tests/window/x_rig.h"
#include <criterion/criterion.h>

/* Whether the list says so of the one machine; "": that there is none. */
static bool list_has(struct xrig *x, void *of)
{
    const char *want = of;
    g_autofree char *list = xrig_list(x);

    g_string_assign(x->text, list);
    return *want ? strstr(list, want) != NULL : strstr(list, "\"name\"") == NULL;
}

static void expect_list(struct xrig *x, const char *want)
{
    if (!xrig_until(x, list_has, (void *)want)) {
        xrig_keep(x, "library");
        cr_assert_fail("the library has no '%s': %s", want, x->text->str);
    }
}

struct wish {
    const char *keys, *want;
};

static bool keys_do(struct xrig *x, void *of)
{
    const struct wish *wish = of;

    xrig_do(x, "key %s", wish->keys);
    for (unsigned i = 0; i < 10; i++) {
        if (list_has(x, (void *)wish->want)) {
            return true;
        }
        g_usleep(G_USEC_PER_SEC / 4);
    }
    return false;
}

/* The window learns of a change a moment after the list: what is too early is pressed again, but
 * not while it may be at work. */
static void press(struct xrig *x, const char *keys, const char *want)
{
    struct wish wish = {keys, want};

    if (!xrig_until(x, keys_do, &wish)) {
        xrig_keep(x, "library");
        cr_assert_fail("'%s' does not lead to '%s': %s", keys, want, x->text->str);
    }
}

/* A machine's window is one of another process. */
static bool has_focus(struct xrig *x, void *of)
{
    g_autofree char *focus = xrig_get(x, "getwindowfocus getwindowname");

    return focus && !strcmp(focus, of);
}

Test(xwindow, the_library_by_keys_alone)
{
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = xrig_begin_library();
    expect_list(x, "");
    xrig_do(x, "key ctrl+n sleep 0.3 key ctrl+a type --delay 20 Alpha");
    xrig_do(x, "key Return");
    expect_list(x, "\"name\" : \"Alpha\"");
    expect_list(x, "\"state\" : \"off\"");
    press(x, "Return", "\"state\" : \"running\"");
    cr_assert(xrig_until(x, has_focus, "Alpha - Candela"), "no window of the machine");
    /* turned off by its own window */
    xrig_do_seen(x, "key alt+F4");
    xrig_do(x, "key Down key Return");
    expect_list(x, "\"state\" : \"off\"");
    cr_assert(xrig_until(x, has_focus, "Candela"));
    /* deleted, but not by a slip */
    xrig_do_seen(x, "key Delete");
    xrig_do_seen(x, "key Return");
    expect_list(x, "\"name\" : \"Alpha\"");
    xrig_do_seen(x, "key Delete");
    xrig_do(x, "key d");
    expect_list(x, "");
    xrig_do(x, "key alt+F4");
    cr_expect_eq(xrig_wait(x), 0);
    xrig_free(x);
}

/* An image dropped on the window is a new machine's disk, and gives it its name. */
Test(xwindow, a_disk_dropped_on_the_library_begins_a_machine)
{
    g_autofree char *path = NULL, *shown = NULL;
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = xrig_new();
    g_free(xrig_candela(x, "disk create '%s/My disk.vhd' --size 4M"));
    path = g_build_filename(x->folder, "My disk.vhd", NULL);
    xrig_run(x, "");
    xrig_drop(x, path);
    xrig_do(x, "sleep 0.5 key Return");
    expect_list(x, "\"name\" : \"My disk\"");
    shown = xrig_candela(x, "show 'My disk'");
    cr_expect(strstr(shown, path), "%s", shown);
    xrig_free(x);
}
