/*
 * candela disk: create, info, check, convert, compact, merge, resize and tree.
 *
 * Here are the tables of subcommands and options and what each subcommand asks of vhd/disk.h.
 * Results go to standard output, messages to standard error.
 */
#include "ui/disk.h"
#include "hw/core/block.h"
#include "ui/commands.h"
#include "ui/complete.h"
#include "ui/disk_progress.h"
#include "ui/option_table.h"
#include "ui/parse.h"
#include "ui/run.h"
#include <stdio.h>

typedef bool disk_set(struct disk_args *a, size_t offset, const char *opt, const char *val,
                      GError **err);

/* Which options a subcommand takes: bits of the rows below. */
enum {
    OPT_SIZE = BIT(0),
    OPT_FORMAT = BIT(1),
    OPT_TYPE = BIT(2),
    OPT_PARENT = BIT(3),
    OPT_SOURCE_FORMAT = BIT(4),
    OPT_INTO = BIT(5),
    OPT_DELETE = BIT(6),
    OPT_SHRINK = BIT(7),
    OPT_REPAIR = BIT(8),
    OPT_FORCE = BIT(9),
    OPT_JSON = BIT(10),
    OPT_QUIET = BIT(11),
    OPT_HELP = BIT(12),
};

struct disk_command {
    const char *name;
    const char *words; /* what follows the name, for the help */
    const char *help;
    unsigned files; /* how many must be there */
    bool last_is_size;
    unsigned options; /* OPT_ bits */
    int (*run)(const struct disk_args *a, GError **err);
};

/* Options ------------------------------------------------------------------------------------- */

static bool set_text(struct disk_args *a, size_t offset, const char *opt, const char *val,
                     GError **err)
{
    char **to = (char **)((char *)a + offset);

    if (!*val) {
        return parse_fail(err, "%s: the value is empty", opt);
    }
    g_free(*to);
    *to = g_strdup(val);
    return true;
}

static bool set_yes(struct disk_args *a, size_t offset, const char *opt, const char *val,
                    GError **err)
{
    (void)opt;
    (void)val;
    (void)err;
    *(bool *)((char *)a + offset) = true;
    return true;
}

static bool set_bytes(struct disk_args *a, size_t offset, const char *opt, const char *val,
                      GError **err)
{
    uint64_t *to = (uint64_t *)((char *)a + offset);

    if (!parse_size(val, 1, to, err)) {
        g_prefix_error(err, "%s: ", opt);
        return false;
    }
    if (*to % SECTOR_BYTES) {
        return parse_fail(err, "%s: '%s' is no number of sectors: give a multiple of 512 bytes",
                          opt, val);
    }
    return true;
}

#define AT(member) offsetof(struct disk_args, member)

static const struct disk_option {
    unsigned bit;
    const char *names[OPTION_NAMES];
    const char *arg, *help;
    disk_set *set;
    size_t offset;
} option_rows[] = {
    {OPT_SIZE,
     {"size"},
     "SIZE",
     "bytes, or with K, M, G, T; at most 2040G for a VHD",
     set_bytes,
     AT(size)},
    {OPT_FORMAT,
     {"format"},
     "vhd|raw",
     "of FILE, or of the target; by default its name says (create: vhd)",
     set_text,
     AT(format)},
    {OPT_TYPE,
     {"type"},
     "fixed|dynamic|differencing",
     "of a VHD; dynamic by default",
     set_text,
     AT(type)},
    {OPT_PARENT, {"parent"}, "FILE", "the parent of a differencing disk", set_text, AT(parent)},
    {OPT_SOURCE_FORMAT,
     {"source-format"},
     "vhd|raw",
     "of the source; by default its name says",
     set_text,
     AT(source_format)},
    {OPT_INTO, {"into"}, "NEW", "write the whole chain as a new disk instead", set_text, AT(into)},
    {OPT_DELETE, {"delete"}, NULL, "remove the child once it is merged", set_yes, AT(remove)},
    {OPT_SHRINK, {"shrink"}, NULL, "cut off data too, if need be", set_yes, AT(shrink)},
    {OPT_REPAIR, {"repair"}, NULL, "repair what needs no guessing", set_yes, AT(repair)},
    {OPT_FORCE, {"force", "f"}, NULL, "replace a file that is there", set_yes, AT(force)},
    {OPT_JSON, {"json"}, NULL, "as JSON", set_yes, AT(json)},
    {OPT_QUIET, {"quiet", "q"}, NULL, "no progress, no messages but errors", set_yes, AT(quiet)},
    {OPT_HELP, {"help", "h"}, NULL, "this text", set_yes, AT(help)},
};

/* Row `n` of those the subcommand takes. */
static const struct disk_option *disk_option_at(const struct disk_command *c, unsigned n)
{
    for (unsigned i = 0; i < ARRAY_LEN(option_rows); i++) {
        if ((c->options & option_rows[i].bit) && n-- == 0) {
            return &option_rows[i];
        }
    }
    return NULL;
}

static bool disk_spec(const struct option_table *t, unsigned n, struct option_spec *out)
{
    const struct disk_option *o = disk_option_at(t->of, n);

    if (!o) {
        return false;
    }
    *out = (struct option_spec){.names = o->names,
                                .arg = o->arg,
                                .help = o->help,
                                .takes = o->arg ? ARG : NO_ARG,
                                .two = true,
                                .endings = ENDINGS_DISK};
    return true;
}

/* What the words mean ------------------------------------------------------------------------- */

static bool choose_format(const char *opt, const char *text, enum drive_format *format,
                          GError **err)
{
    static const char *const words[] = {"vhd", "raw", NULL};
    int n = text ? parse_choice("format", text, words, err) : -1;

    *format = !text ? DRIVE_FORMAT_AUTO : n == 0 ? DRIVE_FORMAT_VHD : DRIVE_FORMAT_RAW;
    if (text && n < 0) {
        g_prefix_error(err, "%s: ", opt);
        return false;
    }
    return true;
}

static bool has_suffix(const char *path, const char *suffix)
{
    g_autofree char *lower = g_ascii_strdown(path, -1);

    return g_str_has_suffix(lower, suffix);
}

/* The kind of image to make: `a`'s format and type; `by_name`: without --format the name tells. */
static bool choose_kind(const struct disk_args *a, const char *path, bool by_name,
                        enum disk_kind *kind, GError **err)
{
    static const char *const types[] = {"fixed", "dynamic", "differencing", NULL};
    static const enum disk_kind kinds[] = {DISK_FIXED, DISK_DYNAMIC, DISK_DIFFERENCING};
    enum drive_format format;
    int n = a->parent ? 2 : 1;

    if (!choose_format("--format", a->format, &format, err)) {
        return false;
    }
    if (format == DRIVE_FORMAT_AUTO && by_name && !has_suffix(path, ".vhd")) {
        if (!has_suffix(path, ".img") && !has_suffix(path, ".raw")) {
            return parse_fail(err,
                              "%s: its name does not tell what to write; give --format vhd or "
                              "--format raw",
                              path);
        }
        format = DRIVE_FORMAT_RAW;
    }
    if (a->type && (n = parse_choice("type", a->type, types, err)) < 0) {
        g_prefix_error(err, "--type: ");
        return false;
    }
    if (format == DRIVE_FORMAT_RAW && (a->type || a->parent)) {
        return parse_fail(err, "%s is for VHDs: a raw image is its bytes and nothing else",
                          a->type ? "--type" : "--parent");
    }
    *kind = format == DRIVE_FORMAT_RAW ? DISK_RAW : kinds[n];
    return true;
}

/* Runs `p`'s end; the exit code of work that said `good` or set `err`. */
static int finish(struct progress *p, bool good, GError **err)
{
    progress_end(p);
    if (!good && p->signal && g_error_matches(*err, CANDELA_ERROR, CANDELA_ERROR_CANCELLED)) {
        g_clear_error(err);
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_CANCELLED, "ended by %s; %s was not finished",
                    strsignal(p->signal), p->what);
    }
    return good ? EXIT_GOOD : EXIT_RUN;
}

/* Subcommands --------------------------------------------------------------------------------- */

static int run_create(const struct disk_args *a, GError **err)
{
    struct disk_create_args c = {
        .path = a->file[0], .size = a->size, .parent = a->parent, .force = a->force};

    if (!choose_kind(a, c.path, false, &c.kind, err)) {
        return EXIT_USAGE;
    }
    if (!c.size && c.kind != DISK_DIFFERENCING) {
        parse_fail(err, "--size is missing: how large is the disk to be? (--size 20G)");
        return EXIT_USAGE;
    }
    if (c.kind == DISK_DIFFERENCING && !c.parent) {
        parse_fail(err, "a differencing disk needs --parent FILE");
        return EXIT_USAGE;
    }
    if (c.kind != DISK_DIFFERENCING && c.parent) {
        parse_fail(err, "--parent is for --type differencing");
        return EXIT_USAGE;
    }
    if (!disk_create(&c, err)) {
        return EXIT_RUN;
    }
    if (c.kind != DISK_RAW && !has_suffix(c.path, "vhd")) {
        run_say(a->quiet,
                "note: %s is a VHD, but its name does not end in .vhd: programs have to be told "
                "(--format vhd, format=vhd)",
                c.path);
    }
    return EXIT_GOOD;
}

/* Print and free. */
static int print(char *text)
{
    fputs(text, stdout);
    g_free(text);
    return EXIT_GOOD;
}

static int run_info(const struct disk_args *a, GError **err)
{
    enum drive_format format;
    struct disk_info *info = choose_format("--format", a->format, &format, err)
                                 ? disk_info_new(a->file[0], format, err)
                                 : NULL;

    if (!info) {
        return EXIT_RUN;
    }
    print(a->json ? disk_info_json(info) : disk_info_text(info));
    disk_info_free(info);
    return EXIT_GOOD;
}

static int run_tree(const struct disk_args *a, GError **err)
{
    struct disk_node *root = disk_tree_new(a->file[0], err);

    if (!root) {
        return EXIT_RUN;
    }
    print(a->json ? disk_tree_json(root) : disk_tree_text(root));
    disk_node_free(root);
    return EXIT_GOOD;
}

static int run_check(const struct disk_args *a, GError **err)
{
    enum drive_format format;
    struct disk_report *r;
    struct progress p;

    if (!choose_format("--format", a->format, &format, err)) {
        return EXIT_USAGE;
    }
    progress_begin(&p, "check", a->quiet);
    r = disk_check(a->file[0], format, a->repair, &p.watch, err);
    if (finish(&p, r != NULL, err) != EXIT_GOOD) {
        return EXIT_RUN;
    }
    unsigned damages = r->damages;
    if (a->json || !a->quiet || damages) {
        print(a->json ? disk_report_json(r) : disk_report_text(r));
    }
    disk_report_free(r);
    return damages ? EXIT_CONFIG : EXIT_GOOD;
}

static bool check_whole(enum disk_kind kind, GError **err)
{
    return kind != DISK_DIFFERENCING ||
           parse_fail(err, "--type: a differencing disk is made with create; what is written here "
                           "is fixed or dynamic");
}

static int run_convert(const struct disk_args *a, GError **err)
{
    struct disk_convert_args c = {.source = a->file[0], .target = a->file[1], .force = a->force};
    struct progress p;

    if (!choose_kind(a, c.target, true, &c.kind, err) ||
        !choose_format("--source-format", a->source_format, &c.source_format, err) ||
        !check_whole(c.kind, err)) {
        return EXIT_USAGE;
    }
    progress_begin(&p, "convert", a->quiet);
    return finish(&p, disk_convert(&c, &p.watch, err), err);
}

static void say_result(const struct disk_args *a, const struct disk_result *r)
{
    g_autofree char *before = size_text(r->before), *after = size_text(r->after);

    if (r->before != r->after) {
        run_say(a->quiet, "%s: takes %s on the host's disk now, %s before", a->file[0], after,
                before);
    }
    if (r->note) {
        run_say(a->quiet, "%s", r->note);
    }
}

static int run_compact(const struct disk_args *a, GError **err)
{
    struct disk_result r = {0};
    enum drive_format format;
    struct progress p;

    if (!choose_format("--format", a->format, &format, err)) {
        return EXIT_USAGE;
    }
    progress_begin(&p, "compact", a->quiet);
    int code = finish(&p, disk_compact(a->file[0], format, &p.watch, &r, err), err);
    if (code == EXIT_GOOD) {
        say_result(a, &r);
    }
    disk_result_clear(&r);
    return code;
}

static int run_resize(const struct disk_args *a, GError **err)
{
    struct disk_result r = {0};
    enum drive_format format;
    struct progress p;

    if (!choose_format("--format", a->format, &format, err)) {
        return EXIT_USAGE;
    }
    progress_begin(&p, "resize", a->quiet);
    int code =
        finish(&p, disk_resize(a->file[0], format, a->size, a->shrink, &p.watch, &r, err), err);
    if (code == EXIT_GOOD && r.note) {
        run_say(a->quiet, "%s", r.note);
    }
    disk_result_clear(&r);
    return code;
}

static int run_merge(const struct disk_args *a, GError **err)
{
    struct disk_merge_args m = {
        .child = a->file[0], .into = a->into, .remove = a->remove, .force = a->force};
    struct disk_result r = {0};
    struct progress p;

    if (!a->into && (a->format || a->type || a->force)) {
        parse_fail(err, "%s is for --into NEW: the parent stays what it is",
                   a->format ? "--format"
                   : a->type ? "--type"
                             : "--force");
        return EXIT_USAGE;
    }
    if (a->into && (!choose_kind(a, a->into, true, &m.kind, err) || !check_whole(m.kind, err))) {
        return EXIT_USAGE;
    }
    progress_begin(&p, "merge", a->quiet);
    int code = finish(&p, disk_merge(&m, &p.watch, &r, err), err);
    if (code == EXIT_GOOD && r.note) {
        run_say(a->quiet, "%s", r.note);
    }
    disk_result_clear(&r);
    return code;
}

static const struct disk_command commands[] = {
    {"create", "FILE --size SIZE", "make a new, empty disk", 1, false,
     OPT_SIZE | OPT_FORMAT | OPT_TYPE | OPT_PARENT | OPT_FORCE | OPT_QUIET | OPT_HELP, run_create},
    {"info", "FILE", "what an image is: type, sizes, parent, who uses it", 1, false,
     OPT_FORMAT | OPT_JSON | OPT_QUIET | OPT_HELP, run_info},
    {"check", "FILE", "look for damage; exit code 0 sound, 3 damaged", 1, false,
     OPT_FORMAT | OPT_REPAIR | OPT_JSON | OPT_QUIET | OPT_HELP, run_check},
    {"convert", "SOURCE TARGET", "write a disk as another format or type", 2, false,
     OPT_FORMAT | OPT_TYPE | OPT_SOURCE_FORMAT | OPT_FORCE | OPT_QUIET | OPT_HELP, run_convert},
    {"compact", "FILE", "give the host back what holds no data", 1, false,
     OPT_FORMAT | OPT_QUIET | OPT_HELP, run_compact},
    {"merge", "CHILD", "write a differencing disk's changes into its parent", 1, false,
     OPT_INTO | OPT_FORMAT | OPT_TYPE | OPT_DELETE | OPT_FORCE | OPT_QUIET | OPT_HELP, run_merge},
    {"resize", "FILE SIZE", "make a disk larger or smaller", 1, true,
     OPT_FORMAT | OPT_SHRINK | OPT_QUIET | OPT_HELP, run_resize},
    {"tree", "FILE", "the chain above a disk, and what depends on it", 1, false,
     OPT_JSON | OPT_QUIET | OPT_HELP, run_tree},
};

/* The command line ---------------------------------------------------------------------------- */

const struct disk_command *disk_command_at(unsigned n)
{
    return n < ARRAY_LEN(commands) ? &commands[n] : NULL;
}

const char *disk_command_name(const struct disk_command *c)
{
    return c->name;
}

void disk_help(const struct disk_command *c, GString *out)
{
    struct option_table t = {.spec = disk_spec, .of = c};

    if (c) {
        g_string_append_printf(out, "Usage: candela disk %s %s [options]\n\n%c%s.\n\n", c->name,
                               c->words, g_ascii_toupper(c->help[0]), c->help + 1);
        option_table_help(&t, out);
        return;
    }
    g_string_append(out, "Usage: candela disk COMMAND FILE [options]\n\n");
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
        g_string_append_printf(out, "  %-8s %-16s  %s\n", commands[i].name, commands[i].words,
                               commands[i].help);
    }
    g_string_append(out, "\nEach answers --help.  Exit codes: 0 done, 1 run-time error or ended "
                         "early, 2 usage,\n3 an image is missing, in use or damaged.\n");
}

static bool disk_take_word(struct disk_args *a, const struct disk_command *c, unsigned *words,
                           const char *word, GError **err)
{
    if (!*word) {
        return parse_fail(err, "a file's name is empty");
    }
    if (*words < c->files) {
        a->file[(*words)++] = g_strdup(word);
        return true;
    }
    if (*words == c->files && c->last_is_size) {
        (*words)++;
        return set_bytes(a, AT(size), "SIZE", word, err);
    }
    return parse_fail(err, "'%s' is one word too many: candela disk %s %s", word, c->name,
                      c->words);
}

bool disk_args_parse(struct disk_args *a, const struct disk_command *c, int argc, char *const *argv,
                     GError **err)
{
    g_autofree char *name = g_strdup_printf("candela disk %s", c->name);
    struct option_table t = {.command = name, .spec = disk_spec, .of = c};
    bool options = true;
    unsigned words = 0;

    memset(a, 0, sizeof *a);
    for (int at = 0; at < argc;) {
        if (options && !strcmp(argv[at], "--")) {
            options = false;
            at++;
        } else if (!options || argv[at][0] != '-' || !argv[at][1]) {
            if (!disk_take_word(a, c, &words, argv[at++], err)) {
                return false;
            }
        } else {
            struct option_word w;

            if (!option_table_take(&t, argc, argv, &at, &w, err)) {
                return false;
            }
            g_autofree char *opt = w.opt;
            const struct disk_option *o = disk_option_at(c, w.row);
            if (!o->set(a, o->offset, opt, w.val, err)) {
                return false;
            }
        }
        if (a->help) {
            return true;
        }
    }
    return words == c->files + c->last_is_size ||
           parse_fail(err, "%s is missing: candela disk %s %s",
                      words < c->files ? (c->files == 2 && words ? "TARGET" : "the file") : "SIZE",
                      c->name, c->words);
}

void disk_args_clear(struct disk_args *a)
{
    char **texts[] = {&a->file[0], &a->file[1],       &a->format, &a->type,
                      &a->parent,  &a->source_format, &a->into};

    for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
        g_clear_pointer(texts[i], g_free);
    }
}

static void complete_file(struct completion *c, unsigned n, const void *of)
{
    const struct disk_command *cmd = of;

    if (n < cmd->files) {
        complete_files(c, "", ENDINGS_DISK);
    }
}

void complete_disk(struct completion *c, int argc, char *const *argv)
{
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
        struct option_table t = {.spec = disk_spec, .of = &commands[i]};

        if (argc == 1) {
            complete_offer(c, "", commands[i].name, commands[i].help);
        } else if (!strcmp(argv[0], commands[i].name)) {
            complete_words(c, &t, argc - 1, argv + 1, complete_file);
        }
    }
}

static int disk_run(const struct disk_command *c, int argc, char *const *argv)
{
    struct disk_args a;
    GError *err = NULL;
    int code;

    if (!disk_args_parse(&a, c, argc, argv, &err)) {
        g_prefix_error(&err, "disk %s: ", c->name);
        code = run_report(err);
    } else if (a.help) {
        g_autoptr(GString) text = g_string_new(NULL);
        disk_help(c, text);
        code = print(g_strdup(text->str));
    } else {
        code = c->run(&a, &err);
        if (err) {
            if (g_error_matches(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG)) {
                g_prefix_error(&err, "disk %s: ", c->name);
            }
            code = run_report(err);
        }
    }
    disk_args_clear(&a);
    return code;
}

static int disk_unknown(const char *word)
{
    const char *names[ARRAY_LEN(commands) + 1] = {0};
    const char *nearest;

    for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
        names[i] = commands[i].name;
    }
    nearest = parse_nearest(word, names);
    fprintf(stderr, "candela: disk: unknown command '%s'%s%s (candela disk --help lists them)\n",
            word, nearest ? "; nearest: " : "", nearest ? nearest : "");
    return EXIT_USAGE;
}

int command_disk(int argc, char *const *argv)
{
    static const char *const help[] = {"help", "-h", "-help", "--help", NULL};
    const char *word = argc ? argv[0] : NULL;
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
        if (word && !strcmp(word, commands[i].name)) {
            return disk_run(&commands[i], argc - 1, argv + 1);
        }
    }
    if (word && !g_strv_contains(help, word)) {
        return disk_unknown(word);
    }
    if (argc > 1) {
        char *const ask[] = {argv[1], "--help", NULL};
        return command_disk(2, ask);
    }
    disk_help(NULL, text);
    fputs(text->str, word ? stdout : stderr);
    return word ? EXIT_GOOD : EXIT_USAGE;
}
