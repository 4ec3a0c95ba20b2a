/*
 * The options of `candela run` (and `candela demo`): one table gives parsing, help and lists.
 */
#ifndef CANDELA_UI_OPTIONS_H
#define CANDELA_UI_OPTIONS_H

#include "hw/core/config.h"
#include "ui/option_table.h"
#include "ui/theme.h"
#include "ui/window_view.h"

/* What --expect, --expect-serial and --type ask for, in the order of the command line. */
enum step_kind { STEP_EXPECT, STEP_EXPECT_SERIAL, STEP_TYPE };
struct script_step {
    enum step_kind kind;
    char *text;
};

enum display_kind { DISPLAY_AUTO, DISPLAY_NONE, DISPLAY_SDL };

struct host_key;
/* How a machine's key file (ui/cvm.h) has an option. */
enum option_store {
    STORE_ONE,
    STORE_LIST, /* a list of values: the option may be repeated */
    STORE_NOT,  /* not at all: it is for one run */
};
/* Where in an option's value names of files are. */
enum option_paths {
    PATHS_NONE,
    PATHS_WHOLE,    /* it is one */
    PATHS_KEYS,     /* values of keys: file=, pcap=, tftp= */
    PATHS_ENDPOINT, /* behind file:, pipe: or unix: */
};
struct option_info {
    const char *name; /* the long one, without dashes */
    const char *help;
    enum option_store store;
    enum option_paths paths;
};
enum { OPTIONS_MAX = 128 };

struct library_run;   /* library_run.h */
struct drive_request; /* options.c: a drive before all places are known */

struct options {
    struct vm_config vm;
    GPtrArray *drives;              /* struct drive_request */
    bool snapshot;                  /* snapshot=on for the drives that do not say */
    GArray *steps;                  /* struct script_step */
    char *screen, *stats, *monitor; /* files and endpoint, or NULL */
    char *audio;                    /* as typed, or NULL */
    int64_t max_time_ms;            /* 0: no budget */
    bool nographic, quiet;
    enum display_kind display;
    bool fullscreen;
    enum view_scaling scaling;
    enum theme_choice theme;
    const struct host_key *host_key;
    unsigned serials; /* -serial options seen */
    unsigned nics;    /* vm.nics in use */
    bool no_nic;      /* -nic none */
    bool boot_given, append_given, demo;
    bool takes_machine;      /* a word that is no option names one */
    char *machine;           /* that word, or NULL */
    bool given[OPTIONS_MAX]; /* the rows of the command line's options */
    bool weak;               /* what is set now is the key file's: options of the run win */
    struct library_run *run; /* of a machine with a key file, else NULL; not owned */
    GString *answer;         /* what `help` asked for: print it, exit 0; else empty */
};

void options_init(struct options *o);
void options_clear(struct options *o);
/*
 * Take over the words after the subcommand.  False: a CONFIG error (exit 2).  True with text in
 * o->answer: print that and stop.  The strings in argv are copied.
 */
bool options_parse(struct options *o, int argc, char *const *argv, GError **err);
/* The same in parts: the words (and what they say of the machine); and, once more options are set
 * by options_set, what can only be judged when all are known. */
bool options_take(struct options *o, int argc, char *const *argv, GError **err);
bool options_finish(struct options *o, GError **err);
/* Set the option of row `n`, which is not STORE_NOT, as a key file has it: flags with "on" or
 * "off". CONFIG error that begins with its name. */
bool options_set(struct options *o, unsigned n, const char *val, GError **err);
/* The row that has this name, long or short, without dashes; -1: none. */
int options_find(const char *name);
/* Whether the command line says what the key file need not say: row `n`. */
bool options_is_given(const struct options *o, unsigned n);
/* Row `n` for key files; false behind the last. */
bool options_info(unsigned n, struct option_info *out);
/* The whole table. */
const struct option_table *options_table(void);
/* Whether anything to start from was given: a drive, a kernel, or firmware of one's own. */
bool options_has_image(const struct options *o);
/* The help text: every option with its default, generated from the table. */
void options_help(GString *out);
/* What can stand in the place of the last word (ui/complete.h). */
struct completion;
void options_complete(struct completion *c, int argc, char *const *argv);
/* The table's names with two dashes ("--memory"), or NULL after the last; for tests and the manual.
 */
const char *options_name(unsigned n);

#endif
