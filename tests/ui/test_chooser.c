/*
 * The file chooser, in a folder of its own.
 */
#include "tests/ui/gui_rig.h"
#include "ui/chooser.h"
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <unistd.h>

struct bench {
    struct gui_rig *r;
    char *folder, *got;
    unsigned called;
};

static void on_file(void *of, const char *path)
{
    struct bench *b = of;

    b->called++;
    g_free(b->got);
    b->got = g_strdup(path);
}

static void make(struct bench *b, const char *name, const char *contents)
{
    g_autofree char *path = g_build_filename(b->folder, name, NULL);

    if (contents) {
        cr_assert(g_file_set_contents(path, contents, -1, NULL), "%s", path);
    } else {
        cr_assert_eq(g_mkdir(path, 0700), 0, "%s", path);
    }
}

static void bench(struct bench *b, const char *patterns)
{
    memset(b, 0, sizeof *b);
    b->folder = g_dir_make_tmp("candela-XXXXXX", NULL);
    cr_assert_not_null(b->folder);
    make(b, "sub", NULL);
    make(b, "Other", NULL);
    make(b, "sub/deep.iso", "x");
    make(b, ".hidden.iso", "x");
    make(b, "b2.iso", "twelve bytes");
    make(b, "b10.ISO", "x");
    make(b, "notes.txt", "x");
    make(b, "w\xc3\xa4r.iso", "x");
    make(b, "br\xff.iso", "x");
    b->r = gui_rig_new(640, 480, 1, GUI_LIGHT);
    chooser_open(b->r->gui, &(struct chooser_ask){"Take one", b->folder, patterns}, on_file, b);
}

static void done(struct bench *b)
{
    static const char *const names[] = {
        "sub/deep.iso",   ".hidden.iso", "b2.iso", "b10.ISO", "notes.txt",
        "w\xc3\xa4r.iso", "br\xff.iso",  "sub",    "Other",   ""};

    gui_rig_free(b->r);
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        g_autofree char *path = g_build_filename(b->folder, names[i], NULL);

        g_remove(path);
    }
    g_free(b->folder);
    g_free(b->got);
}

#define GOT(b, name)                                                                               \
    do {                                                                                           \
        g_autofree char *want = g_build_filename((b)->folder, name, NULL);                         \
        cr_assert_str_eq((b)->got, want);                                                          \
        cr_assert_eq((b)->called, 1);                                                              \
        cr_assert(!gui_is_modal((b)->r->gui));                                                     \
    } while (0)

Test(chooser, lists_folders_first_and_what_fits)
{
    struct bench b;
    const char *dump, *p;

    bench(&b, "*.iso");
    dump = gui_rig_dump(b.r);
    p = strstr(dump, "row \"Other\"");
    cr_assert(p, "%s", dump);
    p = strstr(p, "row \"sub\"");
    cr_assert(p, "%s", dump);
    p = strstr(p, "row \"b2.iso\" \"12 bytes\"");
    cr_assert(p, "%s", dump);
    p = strstr(p, "row \"b10.ISO\"");
    cr_assert(p, "numbers count: %s", dump);
    cr_assert(!strstr(dump, "notes.txt") && !strstr(dump, ".hidden"), "%s", dump);
    gui_rig_keys(b.r, "Alt+a");
    cr_assert(gui_rig_has(b.r, "notes.txt"), "%s", gui_rig_dump(b.r));
    gui_rig_keys(b.r, "Alt+h");
    cr_assert(gui_rig_has(b.r, "row \".hidden.iso\""), "%s", gui_rig_dump(b.r));
    gui_rig_keys(b.r, "esc");
    cr_assert_eq(b.called, 1);
    cr_assert_null(b.got);
    done(&b);
}

Test(chooser, into_folders_and_out)
{
    struct bench b;

    bench(&b, "*.iso");
    gui_rig_type(b.r, "s");
    gui_rig_keys(b.r, "ret");
    cr_assert(gui_rig_has(b.r, "row \"deep.iso\""), "%s", gui_rig_dump(b.r));
    gui_rig_keys(b.r, "backspace");
    cr_assert(gui_rig_has(b.r, "row \"sub\" [selected]"), "%s", gui_rig_dump(b.r));
    gui_rig_keys(b.r, "ret ret");
    GOT(&b, "sub/deep.iso");
    done(&b);
}

Test(chooser, letters_find_a_file)
{
    struct bench b;

    bench(&b, "*.iso");
    gui_rig_type(b.r, "w");
    gui_rig_type(b.r, "\xc3\x84"); /* case does not matter */
    cr_assert(gui_rig_has(b.r, "row \"w\xc3\xa4r.iso\" \"1 byte\" [selected]"), "%s",
              gui_rig_dump(b.r));
    gui_rig_keys(b.r, "Alt+o");
    GOT(&b, "w\xc3\xa4r.iso");
    done(&b);
}

Test(chooser, a_path_can_be_typed)
{
    struct bench b;

    bench(&b, "*.iso");
    gui_rig_type(b.r, "/");
    gui_rig_type(b.r, "nowhere/at all");
    gui_rig_keys(b.r, "ret");
    cr_assert(gui_rig_has(b.r, "/nowhere/at all: No such file"), "%s", gui_rig_dump(b.r));
    cr_assert_eq(b.called, 0);
    gui_rig_keys(b.r, "Ctrl+a");
    gui_rig_type(b.r, "notes.txt");
    gui_rig_keys(b.r, "ret");
    GOT(&b, "notes.txt");
    done(&b);
}

Test(chooser, names_that_are_no_text_can_be_taken)
{
    struct bench b;

    bench(&b, "*.iso");
    gui_rig_type(b.r, "br");
    gui_rig_keys(b.r, "ret");
    GOT(&b, "br\xff.iso");
    done(&b);
}

Test(chooser, a_folder_that_cannot_be_read)
{
    struct bench b;
    g_autofree char *path = NULL;

    bench(&b, NULL);
    path = g_build_filename(b.folder, "sub", NULL);
    g_chmod(path, 0);
    gui_rig_type(b.r, "s");
    gui_rig_keys(b.r, "ret");
    if (geteuid() != 0) { /* root reads everything */
        cr_assert(gui_rig_has(b.r, "/sub: Permission denied"), "%s", gui_rig_dump(b.r));
        cr_assert(gui_rig_has(b.r, "row \"Other\""), "what was there stays");
    }
    g_chmod(path, 0700);
    gui_rig_type(b.r, "/proc/self/task/nothing");
    gui_rig_keys(b.r, "ret");
    done(&b);
}

Test(chooser, one_that_is_gone_says_so)
{
    struct bench b;
    g_autofree char *path = NULL;

    bench(&b, NULL);
    path = g_build_filename(b.folder, "b2.iso", NULL);
    gui_rig_type(b.r, "b2");
    g_remove(path);
    gui_rig_keys(b.r, "ret");
    cr_assert(gui_rig_has(b.r, "b2.iso: No such file"), "%s", gui_rig_dump(b.r));
    cr_assert_eq(b.called, 0);
    done(&b);
}

Test(chooser, a_start_that_is_not_there)
{
    struct gui_rig *r = gui_rig_new(640, 480, 1, GUI_LIGHT);

    chooser_open(r->gui, &(struct chooser_ask){"T", "/nowhere", NULL}, NULL, NULL);
    cr_assert(gui_rig_has(r, "/nowhere: No such file"), "%s", gui_rig_dump(r));
    cr_assert(gui_rig_has(r, "entry \"/\""), "%s", gui_rig_dump(r));
    gui_rig_free(r);
}
