/*
 * candela create, list, show, set, clone, rename, delete, start, stop, pause, resume, ctl: their
 * command lines.
 */
#include "ui/command_library.h"
#include "ui/commands.h"
#include "ui/complete.h"
#include "ui/library_int.h"
#include "ui/monitor_cmd.h"
#include "ui/parse.h"
#include "ui/run.h"
#include <stdio.h>

/* Options -------------------------------------------------------------------------------------- */

enum {
    OPT_DISK = BIT(0),
    OPT_UNSET = BIT(1),
    OPT_JSON = BIT(2),
    OPT_LINKED = BIT(3),
    OPT_YES = BIT(4),
    OPT_HEADLESS = BIT(5),
    OPT_FORCE = BIT(6),
    OPT_WAIT = BIT(7),
    OPT_QUIET = BIT(8),
    OPT_HELP = BIT(9),
};

typedef bool library_set(struct library_args *a, size_t offset, const char *opt, const char *val,
                         GError **err);

static bool set_yes(struct library_args *a, size_t offset, const char *opt, const char *val,
                    GError **err)
{
    (void)opt;
    (void)val;
    (void)err;
    *(bool *)((char *)a + offset) = true;
    return true;
}

static bool set_disk(struct library_args *a, size_t offset, const char *opt, const char *val,
                     GError **err)
{
    (void)offset;
    if (!parse_size(val, GiB, &a->disk_bytes, err)) {
        g_prefix_error(err, "%s: ", opt);
        return false;
    }
    return a->disk_bytes % 512 == 0 ||
           parse_fail(err, "%s: '%s' is no number of sectors of 512 bytes", opt, val);
}

static bool set_wait(struct library_args *a, size_t offset, const char *opt, const char *val,
                     GError **err)
{
    (void)offset;
    if (!parse_seconds(val, &a->wait_ms, err)) {
        g_prefix_error(err, "%s: ", opt);
        return false;
    }
    return a->wait_ms <= INT_MAX || parse_fail(err, "%s: '%s' is too long", opt, val);
}

/* Names of options, kept apart from the table's, as those taken out need not be in it. */
static void args_add_option(struct library_args *a, const char *name, const char *value)
{
    const struct library_option o = {g_strdup(name), g_strdup(value)};

    g_array_append_val(a->options, o);
}

static bool set_unset(struct library_args *a, size_t offset, const char *opt, const char *val,
                      GError **err)
{
    (void)offset;
    args_add_option(a, val + strspn(val, "-"), NULL);
    return *val || parse_fail(err, "%s needs the name of an option", opt);
}

#define AT(member) offsetof(struct library_args, member)

static const struct library_row {
    unsigned bit;
    const char *names[OPTION_NAMES];
    const char *arg, *help;
    library_set *set;
    size_t offset;
} own_rows[] = {
    {OPT_DISK, {"disk"}, "SIZE", "make a disk, NAME.vhd: GiB, or with K, M, G, T", set_disk, 0},
    {OPT_UNSET, {"unset"}, "OPTION", "take an option out; may be repeated", set_unset, 0},
    {OPT_JSON, {"json"}, NULL, "as JSON", set_yes, AT(json)},
    {OPT_LINKED,
     {"linked"},
     NULL,
     "share the disks as they are now: differencing VHDs over them",
     set_yes,
     AT(linked)},
    {OPT_YES, {"yes", "y"}, NULL, "do not ask", set_yes, AT(yes)},
    {OPT_HEADLESS, {"headless"}, NULL, "no window", set_yes, AT(headless)},
    {OPT_FORCE, {"force", "f"}, NULL, "turn it off, whatever the guest does", set_yes, AT(force)},
    {OPT_WAIT,
     {"wait"},
     "SECONDS",
     "wait until it is off; exit code 1 when it is not",
     set_wait,
     0},
    {OPT_QUIET, {"quiet", "q"}, NULL, "no messages but errors", set_yes, AT(quiet)},
    {OPT_HELP, {"help", "h"}, NULL, "this text", set_yes, AT(help)},
};

static const struct library_row *own_row_at(const struct library_command *c, unsigned n)
{
    for (unsigned i = 0; i < ARRAY_LEN(own_rows); i++) {
        if ((c->options & own_rows[i].bit) && n-- == 0) {
            return &own_rows[i];
        }
    }
    return NULL;
}

static unsigned own_count(const struct library_command *c)
{
    unsigned n = 0;

    while (own_row_at(c, n)) {
        n++;
    }
    return n;
}

static bool own_spec(const struct option_table *t, unsigned n, struct option_spec *out)
{
    const struct library_row *row = own_row_at(t->of, n);

    if (!row) {
        return false;
    }
    *out = (struct option_spec){.names = row->names,
                                .arg = row->arg,
                                .help = row->help,
                                .takes = row->arg ? ARG : NO_ARG,
                                .two = true};
    return true;
}

/* The subcommand's own options, then those of candela run. */
static bool all_spec(const struct option_table *t, unsigned n, struct option_spec *out)
{
    const struct library_command *c = t->of;
    unsigned own = own_count(c);

    return own_spec(t, n, out) || ((c->rest == REST_OPTIONS || c->rest == REST_RUN) &&
                                   options_table()->spec(options_table(), n - own, out));
}

/* The table ------------------------------------------------------------------------------------ */

static const struct library_command commands[] = {
    {"create", "NAME", "make a machine: candela create NAME --disk 20G -cdrom FILE", 1,
     REST_OPTIONS, OPT_DISK | OPT_HELP, machine_create},
    {"list", "", "the machines there are, and how they are", 0, REST_NONE, OPT_JSON | OPT_HELP,
     machine_list},
    {"show", "NAME", "what a machine is made of, and how it is", 1, REST_NONE, OPT_JSON | OPT_HELP,
     machine_show},
    {"set", "NAME OPTION=VALUE...", "change a machine's options", 1, REST_OPTIONS,
     OPT_UNSET | OPT_HELP, machine_set},
    {"clone", "NAME NEW", "copy a machine and its disks", 2, REST_NONE,
     OPT_LINKED | OPT_QUIET | OPT_HELP, machine_clone},
    {"rename", "NAME NEW", "give a machine another name", 2, REST_NONE, OPT_HELP, machine_rename},
    {"delete", "NAME", "remove a machine and its disks for good", 1, REST_NONE,
     OPT_YES | OPT_QUIET | OPT_HELP, machine_delete},
    {"start", "NAME", "run a machine in the background", 1, REST_RUN,
     OPT_HEADLESS | OPT_QUIET | OPT_HELP, machine_start},
    {"stop", "NAME", "press a running machine's power button, or turn it off", 1, REST_NONE,
     OPT_FORCE | OPT_WAIT | OPT_QUIET | OPT_HELP, machine_stop_command},
    {"pause", "NAME", "hold a running machine", 1, REST_NONE, OPT_HELP, machine_pause_command},
    {"resume", "NAME", "let a held machine go on", 1, REST_NONE, OPT_HELP, machine_resume_command},
    {"ctl", "NAME COMMAND...", "give a running machine a command of the monitor", 1, REST_COMMAND,
     OPT_HELP, machine_ctl},
};

const struct library_command *library_command_at(unsigned n)
{
    return n < ARRAY_LEN(commands) ? &commands[n] : NULL;
}

void library_command_help(const struct library_command *c, GString *out)
{
    struct option_table t = {.spec = own_spec, .of = c};

    g_string_append_printf(
        out, "Usage: candela %s%s%s%s\n\n%c%s.\n\n", c->name, *c->words ? " " : "", c->words,
        c->rest == REST_COMMAND ? "" : " [options]", g_ascii_toupper(c->help[0]), c->help + 1);
    option_table_help(&t, out);
    if (c->names) {
        g_string_append(out, "\nNAME is a machine of the library (candela list), or a FILE.cvm.\n");
    }
    if (c->rest == REST_OPTIONS) {
        g_string_append(out, "Further options are those of candela run (candela run --help): "
                             "--memory 1G, or memory=1G.\nAn option that is given takes the place "
                             "of what it was; one that can be repeated, of all\nof them.\n");
    } else if (c->rest == REST_RUN) {
        g_string_append(out, "Further options are those of candela run (candela run --help).\n");
    } else if (c->rest == REST_COMMAND) {
        g_string_append(out, "candela ctl NAME help lists the commands.\n");
    }
    g_string_append(out, "\nExit codes: 0 done, 1 run-time error, 2 usage, 3 the machine or one of "
                         "its files is missing,\nin use or damaged.\n");
}

/* The command line ----------------------------------------------------------------------------- */

/* `-cpu help`: what candela run would answer. */
static bool args_answer(struct library_args *a, const char *opt, GError **err)
{
    g_autofree char *line = g_strconcat(opt, "=help", NULL);
    char *const words[] = {line, NULL};
    struct options o;
    bool good;

    options_init(&o);
    good = options_take(&o, 1, words, err);
    g_string_append(a->answer, o.answer->str);
    options_clear(&o);
    return good;
}

static bool args_take_option(struct library_args *a, const struct library_command *c, int argc,
                             char *const *argv, int *at, GError **err)
{
    g_autofree char *name = g_strdup_printf("candela %s", c->name);
    const struct option_table t = {
        .command = name, .spec = all_spec, .is_value = options_table()->is_value, .of = c};
    int from = *at;
    struct option_word w;

    if (!option_table_take(&t, argc, argv, at, &w, err)) {
        return false;
    }
    g_autofree char *opt = w.opt;
    const struct library_row *own = own_row_at(c, w.row);
    if (own) {
        return own->set(a, own->offset, opt, w.val, err);
    }
    if (c->rest == REST_RUN) {
        for (; from < *at; from++) {
            g_ptr_array_add(a->rest, g_strdup(argv[from]));
        }
        return true;
    }
    args_add_option(a, options_name(w.row - own_count(c)), w.val ? w.val : "on");
    return !w.val || strcmp(w.val, "help") || args_answer(a, opt, err);
}

static bool args_take_word(struct library_args *a, const struct library_command *c, unsigned *words,
                           const char *word, GError **err)
{
    const char *eq = strchr(word, '=');

    if (*words < c->names) {
        a->word[(*words)++] = g_strdup(word);
        return true;
    }
    if (c->rest != REST_OPTIONS || !eq || eq == word) {
        return parse_fail(err, "'%s' is one word too many: candela %s %s", word, c->name, c->words);
    }
    g_autofree char *name = g_strndup(word, (gsize)(eq - word));
    int row = library_option_row(name, err);
    if (row >= 0) {
        args_add_option(a, options_name((unsigned)row), eq + 1);
    }
    return row >= 0;
}

/* What is there once all words are taken. */
static bool args_finish(struct library_args *a, const struct library_command *c, unsigned words,
                        GError **err)
{
    if (a->help || a->answer->len) {
        return true;
    }
    if (words < c->names) {
        return parse_fail(err, "%s is missing: candela %s %s", words ? "NEW" : "NAME", c->name,
                          c->words);
    }
    if (c->rest == REST_COMMAND && !a->rest->len) {
        return parse_fail(err, "which command? candela ctl %s help lists them", a->word[0]);
    }
    g_ptr_array_add(a->rest, NULL);
    return true;
}

bool library_args_parse(struct library_args *a, const struct library_command *c, int argc,
                        char *const *argv, GError **err)
{
    bool options = true;
    unsigned words = 0;

    memset(a, 0, sizeof *a);
    a->options = g_array_new(TRUE, FALSE, sizeof(struct library_option));
    a->rest = g_ptr_array_new_with_free_func(g_free);
    a->answer = g_string_new(NULL);
    for (int at = 0; at < argc && !a->help && !a->answer->len;) {
        if (c->rest == REST_COMMAND && words == c->names) {
            g_ptr_array_add(a->rest, g_strdup(argv[at++]));
        } else if (options && !strcmp(argv[at], "--")) {
            options = false;
            at++;
        } else if (!options || argv[at][0] != '-' || !argv[at][1]) {
            if (!args_take_word(a, c, &words, argv[at++], err)) {
                return false;
            }
        } else if (!args_take_option(a, c, argc, argv, &at, err)) {
            return false;
        }
    }
    return args_finish(a, c, words, err);
}

void library_args_clear(struct library_args *a)
{
    for (unsigned i = 0; i < a->options->len; i++) {
        struct library_option *o = &g_array_index(a->options, struct library_option, i);

        g_free((char *)o->name);
        g_free((char *)o->value);
    }
    g_array_unref(a->options);
    g_ptr_array_unref(a->rest);
    g_string_free(a->answer, TRUE);
    g_free(a->word[0]);
    g_free(a->word[1]);
}

static int library_run_command(const struct library_command *c, int argc, char *const *argv)
{
    struct library_args a;
    GError *err = NULL;
    int code = EXIT_GOOD;

    if (!library_args_parse(&a, c, argc, argv, &err)) {
        g_prefix_error(&err, "%s: ", c->name);
        code = run_report(err);
    } else if (a.help || a.answer->len) {
        if (a.help) {
            library_command_help(c, a.answer);
        }
        fputs(a.answer->str, stdout);
    } else {
        code = c->run(&a, &err);
        if (err) {
            int told = run_report(err);

            code = code == EXIT_RUN ? told : code;
        }
    }
    library_args_clear(&a);
    return code;
}

/* Completion ----------------------------------------------------------------------------------- */

static void complete_machines(struct completion *c)
{
    g_autoptr(GPtrArray) all = library_list();

    for (unsigned i = 0; i < all->len; i++) {
        const struct library_machine *m = g_ptr_array_index(all, i);
        complete_offer(c, "", m->name, library_state_name(m->state));
    }
    complete_files(c, "", "cvm");
}

static void complete_word(struct completion *c, unsigned n, const void *of)
{
    const struct library_command *command = of;
    struct option_info info;

    if (n == 0 && (!command || (command->names && command->run != machine_create))) {
        complete_machines(c);
    } else if (command && n && command->rest == REST_OPTIONS && strchr(c->begun, '=')) {
        complete_assignment(c, options_table());
    } else if (command && n && command->rest == REST_OPTIONS) {
        for (unsigned i = 0; options_info(i, &info); i++) {
            if (info.store != STORE_NOT) {
                complete_offer(c, info.name, "=", info.help);
            }
        }
    } else if (command && n == 1 && command->rest == REST_COMMAND) {
        for (const struct command *m = monitor_commands; m->name; m++) {
            complete_offer(c, "", m->name, m->help);
        }
    }
}

void complete_run(struct completion *c, int argc, char *const *argv)
{
    complete_words(c, options_table(), argc, argv, complete_word);
}

static void complete_command(struct completion *c, const struct library_command *command, int argc,
                             char *const *argv)
{
    const struct option_table t = {
        .spec = all_spec, .is_value = options_table()->is_value, .of = command};

    complete_words(c, &t, argc, argv, complete_word);
}

/* In the order of the table. */
enum { CREATE, LIST, SHOW, SET, CLONE, RENAME, DELETE, START, STOP, PAUSE, RESUME, CTL };

#define COMMAND(name, row)                                                                         \
    int command_##name(int argc, char *const *argv)                                                \
    {                                                                                              \
        return library_run_command(&commands[row], argc, argv);                                    \
    }                                                                                              \
    void complete_##name(struct completion *c, int argc, char *const *argv)                        \
    {                                                                                              \
        complete_command(c, &commands[row], argc, argv);                                           \
    }

COMMAND(create, CREATE)
COMMAND(list, LIST)
COMMAND(show, SHOW)
COMMAND(set, SET)
COMMAND(clone, CLONE)
COMMAND(rename, RENAME)
COMMAND(delete, DELETE)
COMMAND(start, START)
COMMAND(stop, STOP)
COMMAND(pause, PAUSE)
COMMAND(resume, RESUME)
COMMAND(ctl, CTL)
