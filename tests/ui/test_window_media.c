/*
 * Which drive a file is for, which files were used last, and what lights show.
 */
#include "tests/rig.h"
#include "ui/window_media.h"
#include "ui/window_status.h"
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <unistd.h>

static char *folder_new(void)
{
    char *folder = g_dir_make_tmp("candela-window-XXXXXX", NULL);

    cr_assert(folder);
    return folder;
}

/* A file of `size` bytes, with `text` at `at`. */
static char *file_new(const char *folder, const char *name, size_t size, const char *text,
                      size_t at)
{
    char *path = g_build_filename(folder, name, NULL);
    g_autofree char *bytes = g_malloc0(size + 1);

    if (text) {
        memcpy(bytes + at, text, strlen(text));
    }
    cr_assert(g_file_set_contents(path, bytes, (gssize)size, NULL));
    return path;
}

static void folder_remove(char *folder)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", folder);

    cr_assert(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    g_free(folder);
}

Test(window, files_are_known_by_name_size_and_contents)
{
    static const struct {
        const char *name;
        size_t size;
        const char *text;
        size_t at;
        enum media_kind kind;
    } cases[] = {
        {"a.iso", 10, NULL, 0, MEDIA_CD},           {"A.ISO", 10, NULL, 0, MEDIA_CD},
        {"a.vfd", 1474560, NULL, 0, MEDIA_FLOPPY},  {"a.img", 1474560, NULL, 0, MEDIA_FLOPPY},
        {"a.img", 2949120, NULL, 0, MEDIA_FLOPPY},  {"b.img", 2949120 + 512, NULL, 0, MEDIA_DISK},
        {"c.img", 65536, "CD001", 32769, MEDIA_CD}, {"noending", 368640, NULL, 0, MEDIA_FLOPPY},
        {"a.vhd", 1024, NULL, 0, MEDIA_DISK},       {"letter.txt", 100, NULL, 0, MEDIA_UNKNOWN},
        {"nothing.img", 0, NULL, 0, MEDIA_UNKNOWN}, {"ending.", 100, NULL, 0, MEDIA_UNKNOWN},
    };
    char *folder = folder_new();

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        g_autofree char *path =
            file_new(folder, cases[i].name, cases[i].size, cases[i].text, cases[i].at);

        cr_expect_eq(media_kind_of(path), cases[i].kind, "%s: %d", cases[i].name,
                     media_kind_of(path));
    }
    cr_expect_eq(media_kind_of(folder), MEDIA_UNKNOWN);
    cr_expect_eq(media_kind_of("/nowhere/a.iso"), MEDIA_UNKNOWN);
    folder_remove(folder);
}

Test(window, drives_are_found_by_what_they_take)
{
    struct vm_config c;
    unsigned rows[VM_MAX_DRIVES];
    g_autofree char *title = NULL;

    vm_config_init(&c);
    c.drives[0] = (struct drive_config){.used = true, .media = DRIVE_DISK, .index = 0};
    c.drives[2] = (struct drive_config){.used = true, .media = DRIVE_CDROM, .index = 2};
    c.drives[3] = (struct drive_config){.used = true, .media = DRIVE_CDROM, .index = 3};
    c.drives[5] = (struct drive_config){.used = true, .interface = DRIVE_FLOPPY, .index = 1};
    cr_expect_eq(media_drives(&c, MEDIA_CD, rows), 2);
    cr_expect(rows[0] == 2 && rows[1] == 3);
    cr_expect_eq(media_drives(&c, MEDIA_FLOPPY, rows), 1);
    cr_expect_eq(rows[0], 5);
    cr_expect_eq(media_drives(&c, MEDIA_DISK, rows), 1);
    cr_expect_eq(media_drives(&c, MEDIA_UNKNOWN, rows), 0);
    title = media_drive_title(&c.drives[5]);
    cr_expect_str_eq(title, "Floppy drive B");
    vm_config_clear(&c);
}

Test(window, images_used_last_are_kept)
{
    char *folder = folder_new();
    g_auto(GStrv) none = NULL, some = NULL, floppies = NULL;
    g_autofree char *last = NULL, *list = NULL, *gone = NULL;

    g_setenv("XDG_STATE_HOME", folder, TRUE);
    none = media_recent(MEDIA_CD);
    cr_expect_eq(g_strv_length(none), 0);
    for (unsigned i = 0; i < RECENT_MAX + 3; i++) {
        g_autofree char *name = g_strdup_printf("%u one.iso", i);
        g_autofree char *path = file_new(folder, name, 10, NULL, 0);

        media_remember(MEDIA_CD, path);
        media_remember(MEDIA_CD, path);
        g_free(gone);
        gone = g_steal_pointer(&last);
        last = g_steal_pointer(&path);
    }
    media_remember(MEDIA_FLOPPY, last);
    cr_assert_eq(g_unlink(gone), 0);
    some = media_recent(MEDIA_CD);
    cr_expect_eq(g_strv_length(some), RECENT_MAX - 1);
    cr_expect_str_eq(some[0], last);
    floppies = media_recent(MEDIA_FLOPPY);
    cr_expect_eq(g_strv_length(floppies), 1);
    /* what somebody else left there */
    list = g_build_filename(folder, "candela", "recent-media", NULL);
    cr_assert(g_file_set_contents(list, "cd\ncd\t\n\t\nfloppy\tx\ncd\trelative\n\xff", -1, NULL));
    g_strfreev(some);
    some = media_recent(MEDIA_CD);
    cr_expect_eq(g_strv_length(some), 0);
    folder_remove(folder);
}

/* Lights -------------------------------------------------------------------------------------- */

Test(window, lights_follow_bytes)
{
    struct vm_config c;
    struct machine *m;
    struct block disk = {.path = (char *)"/a/disk.img"}, other = {.read_bytes = 99};
    struct net card = {.link = true};
    struct window_watch w = {0};
    struct window_status copy;

    vm_config_init(&c);
    m = machine_new(&c, NULL);
    vm_config_clear(&c);
    cr_expect(!window_watch_look(&w, m), "a machine without drives has no news");
    m->drives[1] = &disk;
    m->nics[0] = &card;
    cr_expect(window_watch_look(&w, m));
    cr_expect(w.told.drives[1].light == GUI_LIGHT_OFF && w.told.nics[0].light == GUI_LIGHT_OFF);
    cr_expect_str_eq(w.told.drives[1].path, "/a/disk.img");
    cr_expect(!window_watch_look(&w, m), "nothing happened");
    disk.read_bytes += 512;
    cr_expect(window_watch_look(&w, m) && w.told.drives[1].light == GUI_LIGHT_READ);
    disk.read_bytes += 512;
    disk.write_bytes += 512;
    card.stats.tx_bytes = 60;
    cr_expect(window_watch_look(&w, m) && w.told.drives[1].light == GUI_LIGHT_WRITE);
    cr_expect_eq(w.told.nics[0].light, GUI_LIGHT_WRITE);
    cr_expect(!window_watch_look(&w, m), "lights go out a look later");
    cr_expect(window_watch_look(&w, m) && w.told.drives[1].light == GUI_LIGHT_OFF);
    /* another medium: its bytes were not read just now */
    m->drives[1] = &other;
    cr_expect(window_watch_look(&w, m) && w.told.drives[1].light == GUI_LIGHT_OFF);
    cr_expect_null(w.told.drives[1].path);
    m->drives[1] = NULL;
    card.link = false;
    cr_expect(window_watch_look(&w, m) && w.told.drives[1].light == GUI_LIGHT_NONE);
    cr_expect_not(w.told.nics[0].link);
    m->paused = true;
    cr_expect(window_watch_look(&w, m) && w.told.paused);
    window_status_copy(&copy, &w.told);
    window_status_clear(&copy);
    window_watch_clear(&w);
    m->paused = false;
    m->nics[0] = NULL;
    machine_free(m);
}
