/*
 * Media in the window as its user has them: such as cannot be opened, and files dropped on it from
 * another program.
 */
#include "tests/window/x_rig.h"
#include <criterion/criterion.h>
#include <unistd.h>

#define ECHO                                                                                       \
    "-m 16M -boot a -drive file=pc-bios/modes/echo.img,if=floppy,format=raw,readonly=on "          \
    "-serial file:%s/com1 "

/* An image of nothing: 2 MiB, with the mark of a CD's volume. */
static char *iso_new(struct xrig *x, const char *name)
{
    char *path = g_build_filename(x->folder, name, NULL);
    g_autofree char *bytes = g_malloc0(2 << 20);

    memcpy(bytes + 16 * 2048 + 1, "CD001", 5);
    cr_assert(g_file_set_contents(path, bytes, 2 << 20, NULL));
    return path;
}

/* A disk of 4 MiB. */
static char *disk_new(struct xrig *x, const char *name)
{
    g_autofree char *line = g_strdup_printf("disk create '%%s/%s' --size 4M", name);

    g_free(xrig_candela(x, line));
    return g_build_filename(x->folder, name, NULL);
}

Test(xwindow, a_cd_that_cannot_be_opened_is_told_and_another_asked_for)
{
    g_autofree char *path = NULL, *shown = NULL;
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = xrig_begin(ECHO "-cdrom %s/none.iso");
    path = iso_new(x, "other.iso");
    shown = g_strconcat("ide1-cd0: ", path, NULL);
    g_free(xrig_com1(x, "^READY$"));
    cr_expect(xrig_block_has(x, "ide1-cd0: empty"), "%s", x->text->str);
    /* "Choose another", and what it asks for */
    xrig_do(x, "key a key Return sleep 0.5 type --delay 20 '%s'", path);
    xrig_do(x, "key Return");
    cr_expect(xrig_until(x, xrig_block_has, shown), "%s", x->text->str);
    /* the keys are the guest's again, and before were not */
    xrig_do(x, "sleep 0.3 key z");
    g_free(xrig_com1(x, "READY\n(PLACE.*\n)*KEY 2C7A"));
    xrig_free(x);
}

Test(xwindow, a_disk_that_cannot_be_opened_is_told_and_there_is_no_run)
{
    g_autofree char *log = NULL;
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = xrig_new();
    xrig_run(x, "run -display sdl -m 16M -hda %s/none.vhd");
    xrig_do(x, "sleep 0.5 key Return");
    cr_expect_eq(xrig_wait(x), 3);
    log = xrig_file(x, "candela.log");
    cr_expect(strstr(log, "none.vhd: no such file"), "%s", log);
    xrig_free(x);
}

/* A run with an end of its own is a program's: nobody is there to be asked. */
Test(xwindow, a_run_that_ends_by_itself_asks_nobody)
{
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = xrig_new();
    cr_expect_eq(xrig_status(x, "run -display sdl -m 16M --max-time 30 -cdrom %s/none.iso"), 3);
    cr_expect_eq(xrig_status(x, "run -display sdl -m 16M --max-insns 1000 -hda %s/none.iso"), 3);
    xrig_free(x);
}

Test(xwindow, a_dropped_cd_goes_into_its_drive)
{
    g_autofree char *path = NULL, *shown = NULL;
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = xrig_begin(ECHO "-drive media=cdrom,index=2");
    path = iso_new(x, "a disc_1.iso"); /* a blank is %20 on its way */
    shown = g_strconcat("ide1-cd0: ", path, NULL);
    xrig_drop(x, path);
    cr_expect(xrig_until(x, xrig_block_has, shown), "%s", x->text->str);
    xrig_free(x);
}

static bool file_has(struct xrig *x, const char *name, const char *part)
{
    g_autofree char *text = xrig_file(x, name);

    g_string_assign(x->text, text ? text : "");
    return strstr(x->text->str, part) != NULL;
}

static bool key_file_has(struct xrig *x, void *of)
{
    return file_has(x, "candela/machines/Box/machine.cvm", of);
}

static bool settings_have(struct xrig *x, void *of)
{
    return file_has(x, "candela/candela.conf", of);
}

/* What is dropped stays where it is; the machine's file names it. */
Test(xwindow, a_dropped_hard_disk_is_attached_from_the_next_start)
{
    g_autofree char *path = NULL, *shown = NULL;
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = xrig_new();
    path = disk_new(x, "data.vhd");
    shown = g_strconcat("hdb=", path, NULL);
    g_free(xrig_candela(x, "create Box memory=16M --disk 8M"));
    xrig_run(x, "run Box -display sdl");
    xrig_drop(x, path);
    xrig_do(x, "sleep 0.5 key Return");
    cr_expect(xrig_until(x, key_file_has, shown), "%s", x->text->str);
    xrig_free(x);
}

/* Where -cdrom would find its place, too: both of the secondary channel are taken. */
Test(xwindow, a_dropped_cd_is_attached_where_a_place_is_left)
{
    g_autofree char *path = NULL, *shown = NULL;
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = xrig_new();
    path = iso_new(x, "late.iso");
    shown = g_strconcat("cdrom=", path, NULL);
    g_free(disk_new(x, "c.vhd"));
    g_free(disk_new(x, "d.vhd"));
    g_free(xrig_candela(x, "create Box memory=16M hdc=%s/c.vhd hdd=%s/d.vhd"));
    xrig_run(x, "run Box -display sdl");
    xrig_drop(x, path);
    xrig_do(x, "sleep 0.5 key Return");
    cr_expect(xrig_until(x, key_file_has, shown), "%s", x->text->str);
    xrig_free(x);
}

/* What is chosen by Host+C is the machine's from then on. */
Test(xwindow, the_scaling_that_is_chosen_is_kept)
{
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = xrig_new();
    g_free(xrig_candela(x, "create Box memory=16M scale=sharp"));
    xrig_run(x, "run Box -display sdl");
    xrig_do(x, "keydown Control_R key c keyup Control_R");
    cr_expect(xrig_until(x, key_file_has, "scale=integer"), "%s", x->text->str);
    xrig_free(x);
}

/* Without a file of its own: the user's.  Right Alt is the host key then, as the file says. */
Test(xwindow, the_host_key_of_the_user_is_known_and_the_scaling_kept)
{
    g_autofree char *folder = NULL, *path = NULL;
    struct xrig *x;

    if (!xrig_can_run()) {
        return;
    }
    x = xrig_new();
    folder = g_build_filename(x->folder, "candela", NULL);
    path = g_build_filename(folder, "candela.conf", NULL);
    cr_assert_eq(g_mkdir_with_parents(folder, 0700), 0);
    cr_assert(g_file_set_contents(path, "# mine\n[window]\nhost-key=right-alt\n", -1, NULL));
    xrig_run(x, "run -display sdl " ECHO);
    xrig_do(x, "key Alt_R");
    xrig_title(x, "Right Alt releases", true);
    xrig_do(x, "keydown Alt_R key c keyup Alt_R");
    cr_expect(xrig_until(x, settings_have, "# mine\n\n[window]\nhost-key=right-alt\nscale=sharp\n"),
              "%s", x->text->str);
    xrig_free(x);
}
