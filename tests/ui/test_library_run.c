/*
 * Machines of the library run by the program: by name, in the background, held, killed, two at
 * once, over linked disks.  Skipped where the program ($CANDELA, or candela in the current folder)
 * is not built.
 */
#include "ui/images.h"
#include "ui/library.h"
#include <criterion/criterion.h>
#include <json-glib/json-glib.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *program(void)
{
    const char *path = g_getenv("CANDELA");
    char *absolute = g_canonicalize_filename(path ? path : "candela", NULL);

    if (access(absolute, X_OK)) {
        cr_skip_test("%s is not built", absolute);
    }
    return absolute;
}

struct bench {
    char *program, *folder;
};

static void bench_begin(struct bench *b)
{
    static const char *const names[] = {"XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
                                        "XDG_CONFIG_HOME"};

    b->program = program();
    b->folder = g_dir_make_tmp("candela-library-XXXXXX", NULL);
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        g_autofree char *path = g_build_filename(b->folder, names[i], NULL);

        cr_assert_eq(mkdir(path, 0700), 0);
        g_setenv(names[i], path, TRUE);
    }
    g_unsetenv("DISPLAY");
    g_unsetenv("WAYLAND_DISPLAY");
}

static void bench_end(struct bench *b)
{
    const char *const argv[] = {"rm", "-rf", b->folder, NULL};

    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                 NULL);
    g_free(b->folder);
    g_free(b->program);
}

static void limit(gpointer data)
{
    (void)data;
    alarm(90); /* nothing here may hang */
}

/* The exit code of the program with these words (blanks separate, "@" is the test's folder); what
 * it said is in *out and *err, if they are not NULL. */
static int run(const struct bench *b, const char *line, char **out, char **err)
{
    g_autofree char *text = g_strdup_printf("%s %s", b->program, line), *o = NULL, *e = NULL;
    g_auto(GStrv) parts = g_strsplit(text, "@", -1);
    g_autofree char *whole = g_strjoinv(b->folder, parts);
    g_auto(GStrv) argv = g_strsplit(whole, " ", -1);
    int status = 0;

    cr_assert(g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, limit, NULL, &o, &e, &status, NULL));
    if (out) {
        *out = g_steal_pointer(&o);
    }
    if (err) {
        *err = g_steal_pointer(&e);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void must(const struct bench *b, const char *line)
{
    g_autofree char *err = NULL;
    int code = run(b, line, NULL, &err);

    cr_assert_eq(code, 0, "'%s' gave %d: %s", line, code, err);
}

static void refused(const struct bench *b, const char *line, int code, const char *says)
{
    g_autofree char *err = NULL;
    int got = run(b, line, NULL, &err);

    cr_expect_eq(got, code, "'%s' gave %d: %s", line, got, err);
    cr_expect(strstr(err, says), "'%s' does not say '%s': %s", line, says, err);
}

static enum library_state state_of(const char *name)
{
    struct library_machine *m = library_look(name, NULL);
    enum library_state state = m ? m->state : LIBRARY_BROKEN;

    library_machine_free(m);
    return state;
}

/* The lab guest's floppy, which talks on COM1 and ends with a line. */
static void write_lab(const struct bench *b)
{
    g_autofree char *path = g_build_filename(b->folder, "lab.img", NULL);

    cr_assert(g_file_set_contents(path, (const char *)image_lab, image_lab_end - image_lab, NULL));
}

Test(library_run, a_machine_boots_by_its_name, .timeout = 200)
{
    struct bench b;

    bench_begin(&b);
    write_lab(&b);
    must(&b, "create lab -m 64M -fda @/lab.img -boot a --disk 64M");
    must(&b, "run lab --expect-serial done --max-time 80");
    bench_end(&b);
}

Test(library_run, the_end_of_a_run_is_recorded_with_a_picture, .timeout = 200)
{
    struct bench b;

    bench_begin(&b);
    must(&b, "create lab -m 32M --disk 1M");
    must(&b, "run lab -q --expect SeaBIOS --max-time 60");
    struct library_machine *m = library_look("lab", NULL);
    cr_expect_gt(m->begun, 0);
    cr_expect_geq(m->ended, m->begun);
    cr_expect_eq(m->exit_code, 0);
    cr_expect_str_eq(m->ending, "turned off");
    cr_expect_not_null(m->picture);
    library_machine_free(m);
    cr_expect_eq(run(&b, "run lab -q --max-time 0.2", NULL, NULL), 6);
    m = library_look("lab", NULL);
    cr_expect_eq(m->exit_code, 6);
    library_machine_free(m);
    bench_end(&b);
}

Test(library_run, the_command_line_goes_before_the_key_file, .timeout = 100)
{
    struct bench b;

    bench_begin(&b);
    must(&b, "create lab -m 32M -hda missing.vhd -nic switch:x -serial null -cdrom gone.iso");
    refused(&b, "run lab --max-time 1", 3, "missing.vhd");
    must(&b, "disk create @/a.vhd --size 1M");
    refused(&b, "run lab -hda @/a.vhd --max-time 1", 3, "gone.iso");
    must(&b,
         "run lab -drive file=@/a.vhd,index=0 -drive media=cdrom,index=2 --snapshot=off -m 40M "
         "-nic none -drive media=cdrom,index=3 -cdrom @/a.vhd --max-time 60 --expect SeaBIOS -hdb "
         "@/a.vhd -cdrom=@/b.iso --help");
    must(&b, "set lab --unset cdrom");
    must(&b, "run lab -drive file=@/a.vhd,index=0 -nic none --max-time 60 --expect SeaBIOS");
    bench_end(&b);
}

Test(library_run, in_the_background_it_can_be_held_asked_and_ended, .timeout = 200)
{
    struct bench b;
    g_autofree char *text = NULL;

    bench_begin(&b);
    must(&b, "create lab -m 32M --disk 1M");
    refused(&b, "ctl lab info status", 1, "not running");
    refused(&b, "stop lab", 1, "not running");
    must(&b, "start lab --headless");
    cr_expect_eq(state_of("lab"), LIBRARY_RUNNING);
    refused(&b, "start lab", 3, "is running (process ");
    refused(&b, "run lab", 3, "is running (process ");
    refused(&b, "set lab memory=64M", 3, "is running");
    refused(&b, "delete lab --yes", 3, "is running");
    refused(&b, "clone lab other", 3, "is running");
    must(&b, "pause lab");
    cr_expect_eq(state_of("lab"), LIBRARY_PAUSED);
    cr_expect_eq(run(&b, "ctl lab info status", &text, NULL), 0);
    cr_expect(g_str_has_prefix(text, "held"), "%s", text);
    must(&b, "resume lab");
    cr_expect_eq(state_of("lab"), LIBRARY_RUNNING);
    refused(&b, "ctl lab nonsense", 1, "unknown command 'nonsense'");
    must(&b, "ctl lab screendump @/s.png");
    must(&b, "stop lab --force");
    cr_expect_eq(state_of("lab"), LIBRARY_OFF);
    bench_end(&b);
}

Test(library_run, one_that_was_killed_runs_again, .timeout = 200)
{
    struct bench b;

    bench_begin(&b);
    must(&b, "create lab -m 32M --disk 1M");
    must(&b, "start lab --headless");
    struct library_machine *m = library_look("lab", NULL);
    cr_assert_gt(m->pid, 1);
    cr_assert_eq(kill(m->pid, SIGKILL), 0);
    library_machine_free(m);
    cr_expect(library_wait_off("lab", 20000));
    m = library_look("lab", NULL);
    cr_expect_eq(m->state, LIBRARY_OFF);
    cr_expect_str_eq(m->ending, "killed, or the host went down");
    library_machine_free(m);
    must(&b, "start lab --headless");
    must(&b, "ctl lab info status");
    must(&b, "stop lab --force");
    bench_end(&b);
}

Test(library_run, why_it_did_not_start_is_said, .timeout = 100)
{
    struct bench b;

    bench_begin(&b);
    must(&b, "create lab -m 32M -hda missing.vhd");
    refused(&b, "start lab --headless", 3, "missing.vhd");
    cr_expect_eq(state_of("lab"), LIBRARY_OFF);
    must(&b, "set lab --unset hda");
    refused(&b, "start lab --headless --accel warp", 2, "warp");
    refused(&b, "delete lab", 2, "--yes");
    bench_end(&b);
}

Test(library_run, the_socket_and_its_folders_are_the_users_alone, .timeout = 100)
{
    static const char *const names[] = {"", "/machines", "/machines/lab", "/machines/lab/control"};
    struct bench b;

    bench_begin(&b);
    must(&b, "create lab -m 32M --disk 1M");
    must(&b, "start lab --headless");
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        g_autofree char *path =
            g_strconcat(g_getenv("XDG_RUNTIME_DIR"), "/candela", names[i], NULL);
        struct stat st;

        cr_assert_eq(stat(path, &st), 0, "%s", path);
        cr_expect_eq(st.st_mode & 0077, 0, "%s: %o", path, st.st_mode);
    }
    must(&b, "stop lab --force");
    bench_end(&b);
}

Test(library_run, a_long_name_of_the_runtime_folder_is_no_matter, .timeout = 100)
{
    struct bench b;
    g_autofree char *part = g_strnfill(120, 'x'), *path = NULL;

    bench_begin(&b);
    path = g_build_filename(b.folder, part, NULL);
    cr_assert_eq(mkdir(path, 0700), 0);
    g_setenv("XDG_RUNTIME_DIR", path, TRUE);
    must(&b, "create lab -m 32M --disk 1M");
    must(&b, "start lab --headless -nic none");
    must(&b, "ctl lab info status");
    must(&b, "stop lab --force");
    bench_end(&b);
}

Test(library_run, linked_clones_and_the_old_machine_run_side_by_side, .timeout = 200)
{
    struct bench b;

    bench_begin(&b);
    must(&b, "create lab -m 32M --disk 1M");
    must(&b, "clone lab one --linked -q");
    must(&b, "start lab --headless -nic none");
    must(&b, "start one --headless -nic none");
    must(&b, "stop lab --force");
    must(&b, "run one -q --max-time 1 -hda @/none --help");
    must(&b, "stop one --force");
    bench_end(&b);
}

Test(library_run, a_file_anywhere_is_a_machine, .timeout = 100)
{
    struct bench b;
    g_autofree char *disk = NULL;

    bench_begin(&b);
    disk = g_build_filename(b.folder, "my.vhd", NULL);
    must(&b, "create @/my.cvm -m 32M --disk 1M");
    cr_expect(g_file_test(disk, G_FILE_TEST_EXISTS));
    must(&b, "start @/my.cvm --headless");
    refused(&b, "run @/my.cvm", 3, "is running");
    must(&b, "stop @/my.cvm --force");
    must(&b, "clone @/my.cvm mine -q");
    refused(&b, "delete @/my.cvm --yes", 2, "file of yours");
    refused(&b, "show @/your.cvm", 3, "no such file");
    bench_end(&b);
}

Test(library_run, json_can_be_read, .timeout = 60)
{
    static const char *const lines[] = {"list --json", "show lab --json"};
    struct bench b;

    bench_begin(&b);
    must(&b, "create lab -m 32M -nic user -nic open -serial null");
    for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
        g_autoptr(JsonParser) parser = json_parser_new();
        g_autofree char *text = NULL;

        cr_assert_eq(run(&b, lines[i], &text, NULL), 0);
        cr_expect(json_parser_load_from_data(parser, text, -1, NULL), "%s", text);
        cr_expect(strstr(text, "\"lab\""), "%s", text);
    }
    bench_end(&b);
}
