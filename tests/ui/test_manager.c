/*
 * The library's window by events, over a library of its own in a folder of the test.
 */
#include "tests/ui/gui_rig.h"
#include "ui/library.h"
#include "ui/manager.h"
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

struct post {
    void (*fn)(void *arg);
    void *arg;
};

enum { POINTER_X = 300, POINTER_Y = 200 };

struct bench {
    struct gui_rig *r;
    struct manager *m;
    char *folder;
    GAsyncQueue *posts;
};

static void bench_post(void *of, void (*fn)(void *arg), void *arg)
{
    struct bench *b = of;
    struct post *p = g_new(struct post, 1);

    *p = (struct post){fn, arg};
    g_async_queue_push(b->posts, p);
}

static void bench_pointer(void *of, int *x, int *y)
{
    (void)of;
    *x = POINTER_X;
    *y = POINTER_Y;
}

static void post_take(struct post *p)
{
    p->fn(p->arg);
    g_free(p);
}

/* Do what the threads have to say until the window shows a text; false after a minute. */
static bool bench_wait(struct bench *b, const char *text)
{
    int64_t until = g_get_monotonic_time() + G_TIME_SPAN_MINUTE;

    while (!gui_rig_has(b->r, text) && g_get_monotonic_time() < until) {
        struct post *p = g_async_queue_timeout_pop(b->posts, 100000);

        if (p) {
            post_take(p);
        }
    }
    return gui_rig_has(b->r, text);
}

/* Until a machine of `make` is shown as it is once it is made. */
static void bench_wait_made(struct bench *b, const char *name)
{
    g_autofree char *row =
        g_strdup_printf("row \"%s\" \"64.0\u00a0MiB, 1 processor\" \"Off\"", name);

    cr_assert(bench_wait(b, row), "%s", gui_rig_dump(b->r));
}

/* Until no thread is at work. */
static void bench_rest(struct bench *b)
{
    while (manager_is_busy(b->m)) {
        post_take(g_async_queue_pop(b->posts));
    }
}

static void bench(struct bench *b)
{
    struct manager_host host = {b, bench_post, bench_pointer};
    g_autofree char *run = NULL;

    memset(b, 0, sizeof *b);
    b->folder = g_dir_make_tmp("candela-XXXXXX", NULL);
    run = g_build_filename(b->folder, "run", NULL);
    g_mkdir(run, 0700);
    g_setenv("XDG_DATA_HOME", b->folder, TRUE);
    g_setenv("XDG_STATE_HOME", b->folder, TRUE);
    g_setenv("XDG_RUNTIME_DIR", run, TRUE);
    b->posts = g_async_queue_new();
    b->r = gui_rig_new(820, 640, 1, GUI_LIGHT);
    b->m = manager_new(b->r->gui, &host);
}

static void done(struct bench *b)
{
    g_autofree char *command = g_strdup_printf("rm -rf %s", b->folder);
    struct post *p;

    manager_free(b->m);
    while ((p = g_async_queue_try_pop(b->posts))) {
        g_free(p); /* what they would have shown is lost with the process */
    }
    g_async_queue_unref(b->posts);
    gui_rig_free(b->r);
    g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL);
    g_free(b->folder);
}

static void make(const char *name)
{
    const struct library_option options[] = {{"memory", "64M"}, {NULL, NULL}};
    g_autoptr(GError) err = NULL;

    library_create(&(struct library_create_args){.what = name, .options = options}, &err);
    cr_assert_null(err, "%s", err->message);
}

Test(manager, an_empty_library_says_what_to_do)
{
    struct bench b;

    bench(&b);
    cr_assert(bench_wait(&b, "Make one with New"), "%s", gui_rig_dump(b.r));
    gui_rig_picture(b.r, "manager-empty");
    gui_rig_keys(b.r, "ret delete f2 menu esc");
    cr_assert(!gui_is_modal(b.r->gui));
    done(&b);
}

Test(manager, new_by_keys_alone)
{
    struct bench b;
    struct library_machine *machine;

    bench(&b);
    cr_assert(bench_wait(&b, "Make one with New"));
    gui_rig_keys(b.r, "Ctrl+n");
    cr_assert(gui_rig_has(b.r, "entry \"New machine\" [focused]"), "%s", gui_rig_dump(b.r));
    gui_rig_type(b.r, "a/b"); /* in place of the name that is proposed */
    gui_rig_keys(b.r, "ret");
    cr_assert(gui_rig_has(b.r, "entry \"a/b\" [focused]"), "it stays, at what is wrong: %s",
              gui_rig_dump(b.r));
    gui_rig_picture(b.r, "manager-error");
    gui_rig_keys(b.r, "Ctrl+a");
    gui_rig_type(b.r, "Büro");
    gui_rig_keys(b.r, "Alt+m Ctrl+a");
    gui_rig_type(b.r, "96");
    gui_rig_keys(b.r, "Alt+s Ctrl+a");
    gui_rig_type(b.r, "1");
    gui_rig_picture(b.r, "manager-new");
    gui_rig_keys(b.r, "ret");
    cr_assert(bench_wait(&b, "row \"Büro\""), "%s", gui_rig_dump(b.r));
    cr_assert(bench_wait(&b, "96.0\u00a0MiB, 1 processor"), "%s", gui_rig_dump(b.r));
    bench_rest(&b);
    cr_assert(!gui_is_modal(b.r->gui), "%s", gui_rig_dump(b.r));
    machine = library_look("Büro", NULL);
    cr_assert_not_null(machine);
    cr_assert_eq(machine->disks->len, 1);
    library_machine_free(machine);
    done(&b);
}

Test(manager, shows_what_comes_and_goes)
{
    struct bench b;

    bench(&b);
    cr_assert(bench_wait(&b, "Make one with New"));
    make("Alpha");
    make("Beta");
    bench_wait_made(&b, "Beta");
    cr_assert(bench_wait(&b, "2 machines"), "%s", gui_rig_dump(b.r));
    gui_rig_picture(b.r, "manager-two");
    gui_rig_type(b.r, "be");
    cr_assert(!gui_rig_has(b.r, "row \"Alpha\""), "%s", gui_rig_dump(b.r));
    gui_rig_keys(b.r, "backspace backspace");
    cr_assert(gui_rig_has(b.r, "row \"Alpha\""));
    gui_rig_type(b.r, "nobody");
    cr_assert(gui_rig_has(b.r, "No machine has that"), "%s", gui_rig_dump(b.r));
    gui_rig_keys(b.r, "esc home");
    cr_assert(gui_rig_has(b.r, "row \"Alpha\" \"64.0\u00a0MiB, 1 processor\" \"Off\" [selected]"),
              "%s", gui_rig_dump(b.r));
    gui_rig_keys(b.r, "delete");
    cr_assert(bench_wait(&b, "Delete Alpha?"), "%s", gui_rig_dump(b.r));
    gui_rig_picture(b.r, "manager-delete");
    gui_rig_keys(b.r, "ret");
    cr_assert(gui_rig_has(b.r, "row \"Alpha\""), "Enter does not delete");
    gui_rig_keys(b.r, "delete");
    cr_assert(bench_wait(&b, "Delete Alpha?"), "%s", gui_rig_dump(b.r));
    gui_rig_keys(b.r, "d");
    cr_assert(bench_wait(&b, "1 machine\""), "%s", gui_rig_dump(b.r));
    cr_assert(!gui_rig_has(b.r, "row \"Alpha\""));
    done(&b);
}

Test(manager, settings_write_what_was_changed)
{
    struct bench b;
    g_auto(GStrv) memory = NULL;
    g_auto(GStrv) cd = NULL;
    g_auto(GStrv) boot = NULL;

    bench(&b);
    make("Gamma");
    bench_wait_made(&b, "Gamma");
    gui_rig_keys(b.r, "home f2");
    cr_assert(gui_rig_has(b.r, "Settings of Gamma"), "%s", gui_rig_dump(b.r));
    gui_rig_picture(b.r, "manager-settings");
    gui_rig_keys(b.r, "Ctrl+a");
    gui_rig_type(b.r, "Delta");
    gui_rig_keys(b.r, "Alt+c");
    gui_rig_type(b.r, "/tmp/some.iso");
    gui_rig_keys(b.r, "Alt+b down ret");
    cr_assert(bench_wait(&b, "row \"Delta\""), "%s", gui_rig_dump(b.r));
    bench_rest(&b);
    memory = library_get("Delta", "memory", NULL);
    cr_assert_str_eq(memory[0], "64M", "as it was typed");
    cd = library_get("Delta", "cdrom", NULL);
    cr_assert_str_eq(cd[0], "/tmp/some.iso");
    boot = library_get("Delta", "boot", NULL);
    cr_assert_str_eq(boot[0], "cd");
    done(&b);
}

/* It is started, as what is wrong with it tells: the program of the tests runs no machines. */
Test(manager, a_dropped_key_file_is_a_machine_and_an_image_is_for_a_new_one)
{
    static const struct {
        const char *name, *label;
    } images[] = {
        {"Some system.ISO", "field \"_CD image\""},
        {"Some system.vhd", "field \"_File\""},
        {"Some system.vfd", "field \"_Floppy image\""},
    };
    struct bench b;
    g_autofree char *path = NULL;

    bench(&b);
    cr_assert(bench_wait(&b, "Make one with New"));
    path = g_build_filename(b.folder, "Broken.cvm", NULL);
    cr_assert(g_file_set_contents(path, "nonsense", -1, NULL));
    manager_drop(b.m, path);
    cr_expect(!gui_is_modal(b.r->gui), "%s", gui_rig_dump(b.r));
    cr_expect(bench_wait(&b, "Broken.cvm: "), "%s", gui_rig_dump(b.r));
    gui_rig_keys(b.r, "esc");
    for (unsigned i = 0; i < ARRAY_LEN(images); i++) {
        g_autofree char *image = g_build_filename(b.folder, images[i].name, NULL);
        g_autofree char *entry = g_strdup_printf("entry \"%s\"", image);

        cr_assert(g_file_set_contents(image, "", 0, NULL));
        cr_assert_eq(truncate(image, 1440 * 1024), 0);
        manager_drop(b.m, image);
        cr_expect(gui_rig_has(b.r, "entry \"Some system\" [focused]"), "%s", gui_rig_dump(b.r));
        cr_expect(gui_rig_has(b.r, images[i].label), "%s", gui_rig_dump(b.r));
        cr_expect(gui_rig_has(b.r, entry), "%s", gui_rig_dump(b.r));
        gui_rig_keys(b.r, "esc");
    }
    manager_drop(b.m, "/dev/null");
    cr_expect(gui_rig_has(b.r, "null is no image"), "%s", gui_rig_dump(b.r));
    cr_expect(!gui_is_modal(b.r->gui));
    done(&b);
}

/* A click of the right button selects the row and opens its menu at the pointer, also after one by
 * the Menu key.  What is chosen
 * is for that machine also when the list has changed meanwhile, or for none. */
Test(manager, a_menu_is_for_the_row_it_was_opened_on)
{
    struct gui_rect row;
    const char *at;
    struct bench b;

    bench(&b);
    make("Alpha");
    make("Beta");
    bench_wait_made(&b, "Beta");
    at = strstr(gui_rig_dump(b.r), "list ");
    cr_assert(at && sscanf(strchr(at, ']'), "] %d,%d", &row.x, &row.y) == 2, "%s", at);
    gui_rig_keys(b.r, "home menu");
    cr_expect(gui_is_modal(b.r->gui) && !gui_rig_has(b.r, "300,200"), "by the list: %s",
              gui_rig_dump(b.r));
    gui_rig_keys(b.r, "esc");
    gui_rig_click(b.r, row.x + 40, row.y + 92 + 40, GUI_BUTTON_RIGHT, 1);
    at = strstr(gui_rig_dump(b.r), "row \"Beta\"");
    cr_assert(at && strstr(at, "[selected]"), "%s", gui_rig_dump(b.r));
    cr_expect(gui_rig_has(b.r, "300,200"), "at the pointer: %s", gui_rig_dump(b.r));
    gui_rig_picture(b.r, "manager-menu");
    /* Beta goes while its menu is open */
    cr_assert(library_delete("Beta", NULL, NULL));
    cr_assert(bench_wait(&b, "1 machine\""), "%s", gui_rig_dump(b.r));
    gui_rig_keys(b.r, "d");
    cr_expect(gui_rig_has(b.r, "not there any more"), "%s", gui_rig_dump(b.r));
    bench_rest(&b);
    cr_expect(!gui_is_modal(b.r->gui), "not Alpha's: %s", gui_rig_dump(b.r));
    done(&b);
}
