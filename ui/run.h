/*
 * One run of a machine, from options to exit code.
 */
#ifndef CANDELA_UI_RUN_H
#define CANDELA_UI_RUN_H

#include "ui/options.h"
#include <signal.h>

/* The exit codes (docs/man/candela-run.1). */
enum {
    EXIT_GOOD = 0,
    EXIT_RUN = 1,
    EXIT_USAGE = 2,
    EXIT_CONFIG = 3,
    EXIT_ACCEL = 4,
    EXIT_TRIPLE_FAULT = 5,
    EXIT_BUDGET = 6,
    EXIT_EXPECT = 7,
};

/* The exit code that an error of ours stands for. */
int exit_code_of(const GError *err);
/* Print "candela: MESSAGE" on stderr; returns its exit code and frees it. */
int run_report(GError *err);
/* Print "candela: MESSAGE" on stderr, unless `quiet`. */
void run_say(bool quiet, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* The signals that end a run: SIGINT, SIGTERM, and SIGHUP unless it is ignored (nohup). */
void run_signal_set(sigset_t *set);
/*
 * Build, run and end a machine; messages on stderr.  The signals above end the run cleanly.  Call
 * once, from the main thread.
 */
int run_machine(const struct options *o);

#endif
