/*
 * The program itself, with good and bad input: exit codes, one clear line on stderr, nothing
 * created or changed.
 *
 * The program is $CANDELA, or candela in the folder the tests run in; without it the tests are
 * skipped.
 */
#define _GNU_SOURCE /* posix_openpt, ptsname_r */
#include "tests/rig.h"
#include "config.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

struct result {
    int status; /* exit code; -1: killed or not run */
    char *out, *err;
};

static const char *program(void)
{
    const char *path = g_getenv("CANDELA");

    path = path ? path : "./candela";
    if (access(path, X_OK)) {
        cr_skip_test("%s is not built", path);
    }
    return path;
}

static void limit_memory(gpointer data)
{
    struct rlimit limit = {GPOINTER_TO_SIZE(data), GPOINTER_TO_SIZE(data)};

    if (data) {
        setrlimit(RLIMIT_AS, &limit);
    }
    signal(SIGQUIT, SIG_DFL); /* ignored where the tests run in a shell's background */
    alarm(60);                /* nothing here may hang */
}

/* Run with these words (blanks separate; "@" becomes the folder). */
static struct result run_limited(const char *folder, const char *line, size_t address_space)
{
    g_autofree char *text = g_strdup_printf("%s %s", program(), line);
    g_auto(GStrv) argv = g_strsplit(g_strchomp(text), " ", -1);
    struct result r = {-1, NULL, NULL};
    int status = 0;

    for (char **word = argv; folder && *word; word++) {
        g_auto(GStrv) parts = g_strsplit(*word, "@", -1);

        g_free(*word);
        *word = g_strjoinv(folder, parts);
    }
    cr_assert(g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, limit_memory,
                           GSIZE_TO_POINTER(address_space), &r.out, &r.err, &status, NULL));
    r.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return r;
}

static void result_clear(struct result *r)
{
    g_free(r->out);
    g_free(r->err);
}

static unsigned count_lines(const char *text)
{
    unsigned n = 0;

    for (; *text; text++) {
        n += *text == '\n';
    }
    return n;
}

static void make_file(const char *folder, const char *name, const void *data, size_t len,
                      off_t size)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    cr_assert(fd >= 0 && write(fd, data, len) == (ssize_t)len && !ftruncate(fd, size));
    close(fd);
}

/* A folder with the images nobody should give. */
static char *make_folder(void)
{
    char *folder = g_dir_make_tmp("candela-cli-XXXXXX", NULL);
    g_autofree char *junk = g_strnfill(128 * 1024, 'j');

    cr_assert_not_null(folder);
    make_file(folder, "empty", "", 0, 0);
    make_file(folder, "short", "short", 5, 5);
    make_file(folder, "junk", junk, 128 * 1024, 128 * 1024);
    make_file(folder, "odd", junk, 70000, 70000);
    make_file(folder, "disk.img", "", 0, 1 << 20);
    make_file(folder, "keep.txt", "keep", 4, 4);
    make_file(folder, "huge", "", 0, (off_t)1 << 40);
    return folder;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names, sizes and times of everything in the folder. */
static char *list_folder(const char *folder)
{
    GString *list = g_string_new(NULL);
    GDir *dir = g_dir_open(folder, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        g_ptr_array_add(names, g_strdup(name));
    }
    g_dir_close(dir);
    g_ptr_array_sort(names, compare_names);
    for (unsigned i = 0; i < names->len; i++) {
        const char *n = g_ptr_array_index(names, i);
        g_autofree char *path = g_build_filename(folder, n, NULL);
        struct stat st = {0};

        stat(path, &st);
        g_string_append_printf(list, "%s %lld %ld.%ld\n", n, (long long)st.st_size,
                               (long)st.st_mtim.tv_sec, (long)st.st_mtim.tv_nsec);
    }
    return g_string_free(list, FALSE);
}

static void remove_folder(char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        unlink(path);
    }
    g_dir_close(dir);
    rmdir(folder);
    g_free(folder);
}

static const struct bad_case {
    const char *line;
    int status;
    const char *says; /* stderr has it; "@" is the folder */
} bad_cases[] = {
    {"rnu", 2, "run"},
    {"-hda x", 2, "candela run"},
    {"run -cdrm x", 2, "-cdrom"},
    {"run foo", 3, "foo"},
    {"run foo bar", 2, "bar"},
    {"run -m 0 -hda @/disk.img", 2, "-m"},
    {"run -m 65G -hda @/disk.img", 2, "64G"},
    {"run -m -1 -hda @/disk.img", 2, "-m"},
    {"run -cpu z80 -hda @/disk.img", 2, "z80"},
    {"run -cpu x86-64,+flux -hda @/disk.img", 2, "flux"},
    {"run --accel warp -hda @/disk.img", 2, "warp"},
    {"run -debug-exit 0x3f8 -hda @/disk.img", 2, "uart0"},
    {"run -rtc base=never -hda @/disk.img", 2, "never"},
    {"run -hda @/missing", 3, "@/missing"},
    {"run -hda @/empty", 3, "@/empty"},
    {"run -hda @/short", 3, "@/short"},
    {"run -hda @", 3, "folder"},
    {"run -hda /dev/null", 3, "/dev/null"},
    {"run -cdrom @/missing", 3, "@/missing"},
    {"run -cdrom @/empty", 3, "@/empty"},
    {"run -fda @/missing", 3, "@/missing"},
    {"run -fda @/empty", 3, "@/empty"},
    {"run -drive file=@/disk.img,format=vhd", 3, "@/disk.img"},
    {"run -hda @/disk.img -hdb @/disk.img", 3, "in use"},
    {"run -kernel @/missing", 3, "@/missing"},
    {"run -kernel @/empty", 3, "@/empty"},
    {"run -kernel @/junk", 3, "@/junk"},
    {"run -kernel @/short", 3, "@/short"},
    {"run -kernel @/huge", 3, "too large"},
    {"run -kernel @", 3, "folder"},
    {"run -kernel @/junk -initrd @/missing", 3, "@/missing"},
    {"run -kernel @/junk -initrd @/huge", 3, "too large"},
    {"run -bios @/missing", 3, "@/missing"},
    {"run -bios @/odd", 3, "64 KiB"},
    {"run -bios @/huge", 3, "too large"},
    {"run -hda @/disk.img --screen @/none/x.png", 3, "@/none"},
    {"run -hda @/disk.img --stats @", 3, "--stats"},
    {"run -hda @/disk.img --log-file @/none/x", 3, "--log-file"},
    {"run -hda @/disk.img -serial file:@/none/x", 3, "COM1"},
    {"run -hda @/missing --screen @/keep.txt --stats @/keep.txt --log-file @/keep.txt", 3,
     "@/missing"},
    {"run -hda @/missing --screen @/new.txt --stats @/new2 --log-file @/new3 -serial file:@/new4",
     3, "@/missing"},
    {"run -kernel @/junk -serial file:@/keep.txt --log-file @/new", 3, "@/junk"},
    {"run -hda @/disk.img -serial unix:@/nobody", 3, "@/nobody"},
    {"run -hda @/disk.img -serial pipe:@/nopipe", 3, "@/nopipe"},
    {"doctor --jsn", 2, "--json"},
    {"help rnu", 2, "run"},
};

Test(cli, bad_input_gives_one_clear_line_and_changes_nothing, .timeout = 200)
{
    char *folder = make_folder();
    g_autofree char *before = list_folder(folder);

    program();
    for (unsigned i = 0; i < ARRAY_LEN(bad_cases); i++) {
        const struct bad_case *b = &bad_cases[i];
        struct result r = run_limited(folder, b->line, 0);
        g_auto(GStrv) parts = g_strsplit(b->says, "@", -1);
        g_autofree char *says = g_strjoinv(folder, parts), *after = list_folder(folder);

        cr_expect_eq(r.status, b->status, "'%s' gave %d: %s", b->line, r.status, r.err);
        cr_expect(strstr(r.err, says), "'%s' does not say '%s': %s", b->line, says, r.err);
        /* Once it is sure that the machine can be built, a line says on what it runs. */
        cr_expect(count_lines(r.err) == 1 || strstr(b->line, "-serial unix:") ||
                      strstr(b->line, "-serial pipe:"),
                  "'%s' says more than a line: %s", b->line, r.err);
        cr_expect_str_eq(r.out, "", "'%s'", b->line);
        cr_expect_str_eq(after, before, "'%s' changed files", b->line);
        result_clear(&r);
    }
    remove_folder(folder);
}

Test(cli, more_memory_than_the_host_maps_is_a_clear_line, .timeout = 60)
{
    if (RIG_SANITIZED) {
        cr_skip_test("the address sanitizer itself needs more than the limit");
    }
    char *folder = make_folder();
    struct result r = run_limited(folder, "run -m 60G -hda @/disk.img", (size_t)(4 * GiB));

    cr_expect_eq(r.status, 3, "%d: %s", r.status, r.err);
    cr_expect(strstr(r.err, "61440"), "%s", r.err);
    cr_expect_eq(count_lines(r.err), 1, "%s", r.err);
    result_clear(&r);
    remove_folder(folder);
}

Test(cli, a_pty_says_its_name_even_when_all_else_is_quiet, .timeout = 60)
{
    char *folder = make_folder();
    struct result r = run_limited(
        folder, "run -q -hda @/disk.img -serial pty -m 16M -display none --max-time 1", 0);

    cr_expect_eq(r.status, 6, "%d: %s", r.status, r.err);
    cr_expect(strstr(r.err, "/dev/pts/"), "%s", r.err);
    result_clear(&r);
    remove_folder(folder);
}

Test(cli, an_image_that_is_in_use_is_refused, .timeout = 60)
{
    char *folder = make_folder();
    g_autofree char *path = g_build_filename(folder, "disk.img", NULL);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct result r;

    cr_assert(fd >= 0 && !fcntl(fd, F_SETLK, &lock));
    r = run_limited(folder, "run -hda @/disk.img", 0);
    cr_expect_eq(r.status, 3);
    cr_expect(strstr(r.err, "in use"), "%s", r.err);
    close(fd);
    result_clear(&r);
    remove_folder(folder);
}

Test(cli, no_image_says_what_to_do)
{
    struct result r = run_limited(NULL, "run", 0);

    cr_expect_eq(r.status, 2);
    cr_expect(strstr(r.err, "-cdrom") && strstr(r.err, "candela demo"), "%s", r.err);
    result_clear(&r);
}

Test(cli, help_and_version_are_for_people)
{
    static const struct {
        const char *line, *has;
    } cases[] = {
        {"--version", CANDELA_VERSION},
        {"--help", "doctor"},
        {"help", "doctor"},
        {"help run", "--max-time"},
        {"run --help", "Exit codes"},
        {"run -cpu help", "486"},
        {"demo --help", "--expect"},
        {"doctor --help", "--json"},
        {"doctor", "kvm"},
        {"doctor", "tap "},
        {"doctor --json", "\"findings\""},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct result r = run_limited(NULL, cases[i].line, 0);

        cr_expect_eq(r.status, 0, "%s", cases[i].line);
        cr_expect(strstr(r.out, cases[i].has), "%s: %s", cases[i].line, r.out);
        cr_expect_str_eq(r.err, "", "%s", cases[i].line);
        result_clear(&r);
    }
}

Test(cli, help_that_cannot_be_written_is_an_error)
{
    g_autofree char *command =
        g_strdup_printf("for w in 'run --help' 'doctor --json' --version; do %s $w >/dev/full; "
                        "echo $?; %s $w | true; %s $w >&-; echo $?; done",
                        program(), program(), program());
    char *argv[] = {"/bin/sh", "-c", command, NULL};
    g_autofree char *out = NULL, *err = NULL;

    cr_assert(g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &err, NULL, NULL));
    cr_expect_str_eq(out, "1\n0\n1\n0\n1\n0\n");
    cr_expect_eq(count_lines(err), 3, "%s", err);
    cr_expect(strstr(err, "standard output"), "%s", err);
}

static bool have_firmware(void)
{
    if (access(CANDELA_BIOS_FILE, R_OK) || access(CANDELA_VGABIOS_FILE, R_OK)) {
        cr_skip_test("no SeaBIOS here");
        return false;
    }
    return true;
}

Test(cli, a_disk_without_a_system_ends_by_expectation_or_time, .timeout = 180)
{
    static const struct {
        const char *line;
        int status;
    } cases[] = {
        {"run -q -m 16 -hda @/disk.img --max-time 60 --expect bootable --screen @/s.txt --stats "
         "@/s.json",
         0},
        {"run -q -m 16 -hda @/disk.img --max-time 0.5 --expect never --screen @/s.png", 7},
        {"run -q -m 16 -hda @/disk.img --max-time 0.5", 6},
        {"run -q -m 16 -hda @/disk.img --max-insns 100000 --max-time 60", 6},
        {"run -q -m 16 -hda @/disk.img --max-insns 100000 --max-time 60 --expect-serial never", 7},
        {"run -q -m 16 -hda @/disk.img --max-insns 4000000 --max-time 60 --expect SeaBIOS", 0},
    };
    char *folder = make_folder();
    g_autofree char *text = NULL, *json = NULL, *png = NULL;
    g_autofree char *s_txt = g_build_filename(folder, "s.txt", NULL);
    g_autofree char *s_json = g_build_filename(folder, "s.json", NULL);
    g_autofree char *s_png = g_build_filename(folder, "s.png", NULL);
    gsize len = 0;

    program();
    for (unsigned i = 0; have_firmware() && i < ARRAY_LEN(cases); i++) {
        struct result r = run_limited(folder, cases[i].line, 0);

        cr_expect_eq(r.status, cases[i].status, "'%s' gave %d: %s", cases[i].line, r.status, r.err);
        result_clear(&r);
    }
    cr_assert(g_file_get_contents(s_txt, &text, NULL, NULL));
    cr_expect(strstr(text, "SeaBIOS") && strstr(text, "bootable"), "%s", text);
    cr_assert(g_file_get_contents(s_json, &json, NULL, NULL));
    cr_expect(strstr(json, "\"exit_code\": 0") && strstr(json, "\"instructions\""), "%s", json);
    cr_assert(g_file_get_contents(s_png, &png, &len, NULL));
    cr_expect(len > 8 && !memcmp(png, "\x89PNG", 4));
    remove_folder(folder);
}

/* Files may not be large: the translator's code cache is one that is mapped twice. */
Test(cli, without_executable_memory_the_translator_is_not_available, .timeout = 60)
{
    char *folder = make_folder();
    struct rlimit limit;

    have_firmware();
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = MiB;
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct result r = run_limited(folder, "run -m 16 -hda @/disk.img --accel jit", 0);
    cr_expect_eq(r.status, 4, "%d", r.status);
    cr_expect(strstr(r.err, "--accel jit: no executable memory for the translator: "), "%s", r.err);
    cr_expect_eq(count_lines(r.err), 1, "%s", r.err);
    result_clear(&r);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    r = run_limited(folder, "run -m 16 -hda @/disk.img --max-insns 9 -serial null", 0);
    cr_expect(strstr(r.err, "jit: hot guest code is translated"), "%s", r.err);
    result_clear(&r);
    remove_folder(folder);
}

Test(cli, the_budget_of_instructions_is_exact, .timeout = 60)
{
    static const unsigned budgets[] = {1, 2, 10, 33, 1000, 99999, 100000, 2345678};
    static const char *const engines[] = {"interp", "jit"};
    char *folder = make_folder();
    g_autofree char *stats = g_build_filename(folder, "s.json", NULL);

    have_firmware();
    for (unsigned i = 0; i < 2 * ARRAY_LEN(budgets); i++) {
        unsigned budget = budgets[i / 2];
        g_autofree char *line = g_strdup_printf(
            "run -q -m 16 -hda @/disk.img --max-insns %u --stats @/s.json --accel %s", budget,
            engines[i % 2]);
        g_autofree char *says = g_strdup_printf("\"instructions\": %u,", budget);
        g_autofree char *json = NULL;
        struct result r = run_limited(folder, line, 0);

        cr_expect_eq(r.status, 6, "%u: %d", budget, r.status);
        cr_assert(g_file_get_contents(stats, &json, NULL, NULL));
        cr_expect(strstr(json, says), "%u: %s", budget, json);
        result_clear(&r);
    }
    remove_folder(folder);
}

/* Start the program with the disk of the folder and these words more (blanks separate, "@" is the
 * folder), and wait until the guest says something on its debug console. */
static GPid start_guest(const char *folder, const char *before, const char *words)
{
    g_autofree char *line =
        g_strdup_printf("%s exec %s run -q -m 16 -hda @/disk.img -debugcon file:@/said %s", before,
                        program(), words);
    g_auto(GStrv) parts = g_strsplit(line, "@", -1);
    g_autofree char *command = g_strjoinv(folder, parts);
    g_autofree char *said = g_build_filename(folder, "said", NULL);
    char *argv[] = {"/bin/sh", "-c", command, NULL};
    struct stat st = {0};
    GPid pid;

    cr_assert(g_spawn_async(NULL, argv, NULL,
                            G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, limit_memory,
                            NULL, &pid, NULL));
    for (unsigned ms = 0; ms < 50000 && (stat(said, &st) || !st.st_size); ms++) {
        g_usleep(1000);
    }
    cr_assert(st.st_size, "the guest does not begin");
    return pid;
}

/* The disk is full: the trace is not whole, and the statistics are written all the same. */
Test(cli, an_output_that_fails_is_told_and_spoils_no_other, .timeout = 60)
{
    char *folder = make_folder();
    g_autofree char *stats = g_build_filename(folder, "s.json", NULL);
    g_autofree char *screen = g_build_filename(folder, "full.txt", NULL);
    struct result r;

    have_firmware();
    r = run_limited(folder,
                    "run -q -m 16 -hda @/disk.img --max-insns 1000000 -d io --log-file /dev/full "
                    "--stats @/s.json",
                    0);
    cr_expect_eq(r.status, 3, "%d", r.status);
    cr_expect(strstr(r.err, "--log-file /dev/full"), "%s", r.err);
    cr_expect(g_file_test(stats, G_FILE_TEST_EXISTS));
    result_clear(&r);
    unlink(stats);
    cr_assert_eq(symlink("/dev/full", screen), 0);
    r = run_limited(folder,
                    "run -q -m 16 -hda @/disk.img --max-time 0.5 --screen @/full.txt --stats "
                    "@/s.json",
                    0);
    cr_expect_eq(r.status, 3, "%d", r.status);
    cr_expect(strstr(r.err, "full.txt"), "%s", r.err);
    cr_expect(g_file_test(stats, G_FILE_TEST_EXISTS));
    result_clear(&r);
    remove_folder(folder);
}

Test(cli, a_signal_ends_the_run_cleanly, .timeout = 60)
{
    char *folder = make_folder();
    g_autofree char *stats = g_build_filename(folder, "stats.json", NULL);
    GPid pid;
    int status = 0;

    have_firmware();
    pid = start_guest(folder, "", "--stats @/stats.json");
    kill(pid, SIGTERM);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status %#x", status);
    cr_expect(g_file_test(stats, G_FILE_TEST_EXISTS), "what was asked for is written");
    remove_folder(folder);
}

/* A signalfd wakes who polls it with every signal of the process, and compiled code faults some
 * thousand times in a second. */
Test(cli, no_signalfd_is_polled_while_a_guest_runs, .timeout = 60)
{
    char *folder = make_folder();
    unsigned seen = 0;

    have_firmware();
    GPid pid = start_guest(folder, "", "--max-time 30");
    g_autofree char *fds = g_strdup_printf("/proc/%d/fd", (int)pid);
    GDir *dir = g_dir_open(fds, 0, NULL);
    cr_assert(dir);
    for (const char *name; (name = g_dir_read_name(dir)); seen++) {
        g_autofree char *path = g_build_filename(fds, name, NULL);
        g_autofree char *what = g_file_read_link(path, NULL);

        cr_expect(!what || !strstr(what, "signalfd"), "%s is %s", name, what);
    }
    cr_expect_gt(seen, 3);
    g_dir_close(dir);
    kill(pid, SIGTERM);
    cr_expect_eq(waitpid(pid, NULL, 0), pid);
    remove_folder(folder);
}

Test(cli, nohup_lets_the_run_go_on, .timeout = 60)
{
    char *folder = make_folder();
    GPid pid;
    int status = 0;

    have_firmware();
    pid = start_guest(folder, "trap '' HUP;", "--max-time 2");
    kill(pid, SIGHUP);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 6, "status %#x", status);
    remove_folder(folder);
}

Test(cli, the_monitor_answers_on_standard_input, .timeout = 60)
{
    char *folder = make_folder();
    g_autofree char *disk = g_build_filename(folder, "disk.img", NULL);
    g_autofree char *command = g_strdup_printf(
        "{ sleep 1; for c in help 'info registers' 'info devices' 'info mtree' 'info status' stop "
        "'info status' cont 'inf' 'info device rtc' quit; do echo \"$c\"; sleep 0.1; done; } | "
        "%s run -q -m 16 -hda %s -monitor stdio --max-time 30",
        program(), disk);
    char *argv[] = {"/bin/sh", "-c", command, NULL};
    g_autofree char *out = NULL;
    int status = 0;
    static const char *const has[] = {"system_reset", "RIP=",          "uart0", "held",
                                      "running",      "nearest: info", "rtc"};

    have_firmware();
    cr_assert(g_spawn_sync(NULL, argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out, NULL,
                           &status, NULL));
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
    for (unsigned i = 0; i < ARRAY_LEN(has); i++) {
        cr_expect(strstr(out, has[i]), "no '%s' in: %s", has[i], out);
    }
    remove_folder(folder);
}

/* A pseudo-terminal; the slave's name and settings. */
static int open_terminal(char *name, size_t max, struct termios *settings)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;

    cr_assert(fd >= 0 && !grantpt(fd) && !unlockpt(fd) && !ptsname_r(fd, name, max));
    slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert(slave >= 0 && !tcgetattr(slave, settings));
    return slave; /* open to the end: the settings last as long */
}

Test(cli, a_crash_leaves_the_terminal_as_it_was, .timeout = 60)
{
    static const int numbers[] = {SIGABRT, SIGQUIT, SIGSEGV};
    char *folder = make_folder(), name[128];

    have_firmware();
    for (unsigned i = 0; i < ARRAY_LEN(numbers); i++) {
        struct termios before, now = {0};
        int slave = open_terminal(name, sizeof name, &before), status = 0;
        g_autofree char *command = g_strdup_printf(
            "ulimit -c 0; exec %s run -q -m 16 -hda %s/disk.img -nographic <%s >%s 2>&1", program(),
            folder, name, name);
        char *argv[] = {"/bin/sh", "-c", command, NULL};
        GPid pid;

        if (numbers[i] == SIGSEGV && RIG_SANITIZED) {
            continue; /* the sanitizer's own handler reports it */
        }
        cr_assert(g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, limit_memory, NULL,
                                &pid, NULL));
        do {
            g_usleep(10000);
            tcgetattr(slave, &now);
        } while (now.c_lflag & ICANON);
        kill(pid, numbers[i]);
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == numbers[i], "status %#x", status);
        tcgetattr(slave, &now);
        cr_expect(now.c_lflag == before.c_lflag && now.c_iflag == before.c_iflag &&
                      now.c_oflag == before.c_oflag,
                  "signal %d leaves a raw terminal", numbers[i]);
        close(slave);
    }
    remove_folder(folder);
}

/* One that has no input of its own. */
Test(cli, the_debug_console_can_share_with_the_monitor, .timeout = 60)
{
    char *folder = make_folder();
    g_autofree char *absolute = g_canonicalize_filename(program(), NULL);
    g_autofree char *command = g_strdup_printf(
        "cd %s; mkfifo in; %s run -q -m 16 -hda disk.img -debugcon mon:stdio --max-time 50 <in "
        ">out & exec 3>in; until grep -q SeaBIOS out || ! kill -0 $!; do sleep 0.1; done; "
        "printf '\\001cinfo status\\nquit\\n' >&3; wait; cat out",
        folder, absolute);
    char *argv[] = {"/bin/sh", "-c", command, NULL};
    g_autofree char *out = NULL;
    int status = 0;

    have_firmware();
    cr_assert(g_spawn_sync(NULL, argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, limit_memory, NULL, &out,
                           NULL, &status, NULL));
    cr_expect(strstr(out, "SeaBIOS") && strstr(out, "running,"), "%s", out);
    remove_folder(folder);
}
