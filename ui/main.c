/*
 * candela: the subcommands.  Each stands in its own file; here is only the table.
 */
#include "config.h"
#include "ui/commands.h"
#include "ui/complete.h"
#include "ui/manager.h"
#include "ui/options.h"
#include "ui/parse.h"
#include "ui/run.h"
#include "ui/sdl.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct subcommand {
    const char *name, *help;
    int (*run)(int argc, char *const *argv);
    void (*complete)(struct completion *c, int argc, char *const *argv);
} subcommands[] = {
    {"run", "run a machine: candela run [NAME | FILE.cvm] [options]", command_run, complete_run},
    {"create", "make a machine with a name, kept in the library", command_create, complete_create},
    {"list", "the machines of the library, and how they are", command_list, complete_list},
    {"show", "what a machine is made of, and how it is", command_show, complete_show},
    {"set", "change a machine's options", command_set, complete_set},
    {"clone", "copy a machine and its disks", command_clone, complete_clone},
    {"rename", "give a machine another name", command_rename, complete_rename},
    {"delete", "remove a machine and its disks", command_delete, complete_delete},
    {"start", "run a machine in the background", command_start, complete_start},
    {"stop", "press a running machine's power button, or turn it off", command_stop, complete_stop},
    {"pause", "hold a running machine", command_pause, complete_pause},
    {"resume", "let a held machine go on", command_resume, complete_resume},
    {"ctl", "give a running machine a command of the monitor", command_ctl, complete_ctl},
    {"demo", "run the built-in lab guest, which reports what its PC is made of", command_demo,
     options_complete},
    {"disk", "make, look at, check and change disk images", command_disk, complete_disk},
    {"doctor", "say what this host offers and what to do about what it lacks", command_doctor,
     complete_doctor},
};

static void print_usage(FILE *to)
{
    fprintf(to, "Usage: candela COMMAND [options]\n\n");
    for (unsigned i = 0; i < ARRAY_LEN(subcommands); i++) {
        fprintf(to, "  %-8s %s\n", subcommands[i].name, subcommands[i].help);
    }
    fprintf(to, "  %-8s %s\n", "help", "this text; candela help COMMAND: the command's");
    fprintf(to, "\nWithout a command, on a desktop: a window with the machines of the library.\n");
    fprintf(to, "candela --version prints the version; man candela says more.\n");
}

static const struct subcommand *find_subcommand(const char *name)
{
    for (unsigned i = 0; i < ARRAY_LEN(subcommands); i++) {
        if (!strcmp(subcommands[i].name, name)) {
            return &subcommands[i];
        }
    }
    return NULL;
}

static int unknown_subcommand(const char *name)
{
    const char *names[ARRAY_LEN(subcommands) + 2] = {"help"};
    const char *nearest;

    for (unsigned i = 0; i < ARRAY_LEN(subcommands); i++) {
        names[i + 1] = subcommands[i].name;
    }
    nearest = parse_nearest(name, names);
    if (name[0] == '-') {
        fprintf(stderr,
                "candela: '%s': a command comes first, as in: candela run %s (candela "
                "--help lists them)\n",
                name, name);
    } else {
        fprintf(stderr, "candela: unknown command '%s'%s%s (candela --help lists them)\n", name,
                nearest ? "; nearest: " : "", nearest ? nearest : "");
    }
    return EXIT_USAGE;
}

static int command_help(int argc, char **argv)
{
    const struct subcommand *sub = argc > 0 ? find_subcommand(argv[0]) : NULL;
    char *const ask[] = {"--help", NULL};

    if (argc == 0 || !strcmp(argv[0], "help")) {
        print_usage(stdout);
        return EXIT_GOOD;
    }
    return sub ? sub->run(1, ask) : unknown_subcommand(argv[0]);
}

static void complete_names(struct completion *c)
{
    for (unsigned i = 0; i < ARRAY_LEN(subcommands); i++) {
        complete_offer(c, "", subcommands[i].name, subcommands[i].help);
    }
}

/* For shells: what can stand in the place of the last word. */
static int command_complete(int argc, char **argv)
{
    g_autoptr(GString) out = g_string_new(NULL);
    struct completion c = {.begun = argc ? argv[argc - 1] : "", .out = out};
    const struct subcommand *sub = argc > 1 ? find_subcommand(argv[0]) : NULL;

    if (argc <= 1) {
        complete_names(&c);
        complete_offer(&c, "", "help", "the commands, or the help of one");
        complete_offer(&c, "", "--help", NULL);
        complete_offer(&c, "", "--version", NULL);
    } else if (sub) {
        sub->complete(&c, argc - 1, argv + 1);
    } else if (!strcmp(argv[0], "help") && argc == 2) {
        complete_names(&c);
    }
    fputs(out->str, stdout);
    return EXIT_GOOD;
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
    return !strcmp(word, a) || !strcmp(word, b) || !strcmp(word, c);
}

/* A file opened later must not become standard output: a disk would get what is printed. */
static bool fill_standard_fds(void)
{
    for (int fd = open("/dev/null", O_RDWR); fd >= 0; fd = open("/dev/null", O_RDWR)) {
        if (fd > STDERR_FILENO) {
            close(fd);
            return true;
        }
    }
    return false;
}

static int run_subcommand(int argc, char **argv)
{
    const struct subcommand *sub;

    if (argc < 2 && sdl_has_display()) {
        return command_manager();
    }
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (is_one_of(argv[1], "--help", "-h", "-help") || !strcmp(argv[1], "help")) {
        return command_help(argc - 2, argv + 2);
    }
    if (is_one_of(argv[1], "--version", "-version", "version")) {
        printf("candela %s\n", CANDELA_VERSION);
        return EXIT_GOOD;
    }
    if (!strcmp(argv[1], "__complete")) {
        return command_complete(argc - 2, argv + 2);
    }
    sub = find_subcommand(argv[1]);
    return sub ? sub->run(argc - 2, argv + 2) : unknown_subcommand(argv[1]);
}

/* Whether what was said on standard output got there; of a pipe's reader that has seen enough it
 * is not asked. */
static bool flush_output(void)
{
    struct stat st;

    errno = 0;
    if ((!fflush(stdout) && !ferror(stdout)) || fstat(STDOUT_FILENO, &st) || S_ISFIFO(st.st_mode) ||
        S_ISSOCK(st.st_mode)) {
        return true;
    }
    fprintf(stderr, "candela: cannot write to standard output: %s\n",
            g_strerror(errno ? errno : EIO));
    return false;
}

int main(int argc, char **argv)
{
    int code;

    if (!fill_standard_fds()) {
        return EXIT_RUN;
    }
    signal(SIGPIPE, SIG_IGN); /* a reader that went away is an error of write */
    signal(SIGXFSZ, SIG_IGN); /* as is a file that may not become larger (ulimit -f) */
    code = run_subcommand(argc, argv);
    return flush_output() || code != EXIT_GOOD ? code : EXIT_RUN;
}
