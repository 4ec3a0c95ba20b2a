/*
 * The options of `candela run` (and `candela demo`): one table gives parsing, help and lists.
 */
#ifndef CANDELA_UI_OPTIONS_H
#define CANDELA_UI_OPTIONS_H

#include "hw/core/config.h"
#include "ui/window_view.h"

/* What --expect, --expect-serial and --type ask for, in the order of the command line. */
enum step_kind { STEP_EXPECT, STEP_EXPECT_SERIAL, STEP_TYPE };
struct script_step {
    enum step_kind kind;
    char *text;
};

enum display_kind { DISPLAY_AUTO, DISPLAY_NONE, DISPLAY_SDL };

struct host_key;
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
    const struct host_key *host_key;
    unsigned serials; /* -serial options seen */
    unsigned nics;    /* vm.nics in use */
    bool no_nic;      /* -nic none */
    bool boot_given, append_given, demo;
    GString *answer; /* what `help` asked for: print it, exit 0; else empty */
};

void options_init(struct options *o);
void options_clear(struct options *o);
/*
 * Take over the words after the subcommand.  False: a CONFIG error (exit 2).  True with text in
 * o->answer: print that and stop.  The strings in argv are copied.
 */
bool options_parse(struct options *o, int argc, char *const *argv, GError **err);
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
