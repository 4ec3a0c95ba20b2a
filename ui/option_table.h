/*
 * Tables of options: the part of parsing and help that every command shares.
 *
 * An option is written with one dash or two, its value as the next word or behind an equals sign.
 */
#ifndef CANDELA_UI_OPTION_TABLE_H
#define CANDELA_UI_OPTION_TABLE_H

#include "hw/core/base.h"

enum option_takes {
    NO_ARG,
    ARG,
    OPTIONAL_ARG,
    SWITCH_ARG, /* on or off behind an equals sign; alone: on */
};
enum { OPTION_NAMES = 4 };

/* What a row of any table says about one option. */
struct option_spec {
    const char *const *names; /* without dashes; the first is the one shown; OPTION_NAMES at most */
    const char *arg;          /* as shown in the help; NULL: none */
    const char *help;
    enum option_takes takes;
    bool two; /* the first name is shown with two dashes */
    /* For completion (ui/complete.h): what the value `help` answers, and for a FILE the endings it
     * should have, by blanks apart; NULL: no list, any ending. */
    void (*list)(GString *out);
    const char *endings;
};

struct option_table {
    const char *command; /* as people type it: "candela run" */
    /* Row `n`; false behind the last one. */
    bool (*spec)(const struct option_table *t, unsigned n, struct option_spec *out);
    /* Whether an OPTIONAL_ARG takes the next word as its value. */
    bool (*is_value)(const char *word);
    const void *of; /* the command's own */
};

/* One option as it stands on the command line. */
struct option_word {
    unsigned row;
    char *opt;       /* with its dashes, for messages; g_free */
    const char *val; /* in argv, or NULL */
};

/*
 * Take the option at argv[*at] and move *at past it and its value.  False: a CONFIG error (an
 * unknown name, with the nearest known one; a value that is missing or too much), `out` is left
 * empty.
 */
bool option_table_take(const struct option_table *t, int argc, char *const *argv, int *at,
                       struct option_word *out, GError **err);
/* The option that `word` ("--name", "-name=value") names, and its value or NULL; false: unknown. */
bool option_table_look(const struct option_table *t, const char *word, struct option_spec *out,
                       const char **val);
/* A line of help per option. */
void option_table_help(const struct option_table *t, GString *out);

#endif
