/*
 * The subcommands of the machine library: one table of them, one of their options
 * (ui/command_library.c); what each does (ui/command_machine.c) and prints (ui/library_print.c).
 */
#ifndef CANDELA_UI_COMMAND_LIBRARY_H
#define CANDELA_UI_COMMAND_LIBRARY_H

#include "ui/library.h"
#include "ui/option_table.h"

/* What the words after the subcommand said. */
struct library_args {
    char *word[2];       /* names: as many as the subcommand takes */
    GArray *options;     /* struct library_option, its texts owned; ended by an empty one */
    GPtrArray *rest;     /* char *: words for somebody else, NULL-ended */
    uint64_t disk_bytes; /* 0: not given */
    int64_t wait_ms;     /* 0: not given */
    GString *answer;     /* what `help` asked for */
    bool json, yes, force, linked, headless, quiet, help;
};

/* Whose words come behind the names. */
enum library_rest {
    REST_NONE,
    REST_OPTIONS, /* OPTION=VALUE and options of candela run: library_args.options */
    REST_RUN,     /* options of candela run, as they are: library_args.rest */
    REST_COMMAND, /* a command, all words as they are: library_args.rest */
};

struct library_command {
    const char *name;
    const char *words; /* what follows the name, for the help */
    const char *help;
    unsigned names; /* how many must be there */
    enum library_rest rest;
    unsigned options; /* bits */
    /* The exit code, or an error; whose code counts when it is not EXIT_RUN. */
    int (*run)(const struct library_args *a, GError **err);
};

/* Subcommand `n`, or NULL; for tests. */
const struct library_command *library_command_at(unsigned n);
void library_command_help(const struct library_command *c, GString *out);
/* Take over the words; CONFIG errors.  The caller clears it in any case. */
bool library_args_parse(struct library_args *a, const struct library_command *c, int argc,
                        char *const *argv, GError **err);
void library_args_clear(struct library_args *a);

/* What they do. */
int machine_create(const struct library_args *a, GError **err);
int machine_list(const struct library_args *a, GError **err);
int machine_show(const struct library_args *a, GError **err);
int machine_set(const struct library_args *a, GError **err);
int machine_clone(const struct library_args *a, GError **err);
int machine_rename(const struct library_args *a, GError **err);
int machine_delete(const struct library_args *a, GError **err);
int machine_start(const struct library_args *a, GError **err);
int machine_stop_command(const struct library_args *a, GError **err);
int machine_pause_command(const struct library_args *a, GError **err);
int machine_resume_command(const struct library_args *a, GError **err);
int machine_ctl(const struct library_args *a, GError **err);

/* For standard output; g_free.  `show` reads the key file: NULL with an error. */
char *library_list_text(const GPtrArray *machines);
char *library_list_json(const GPtrArray *machines);
char *library_show_text(const struct library_machine *m, GError **err);
char *library_show_json(const struct library_machine *m, GError **err);

#endif
