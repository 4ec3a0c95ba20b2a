/*
 * The run of a machine that has a key file: its lock, its control socket, and what is kept of it,
 * the picture of the screen and the record of runs.
 */
#ifndef CANDELA_UI_LIBRARY_RUN_H
#define CANDELA_UI_LIBRARY_RUN_H

#include "ui/cvm.h"
#include "hw/core/machine.h"

struct library_run;

/* Take the machine for this process and read its key file; NULL with an error: there is none, it is
 * in use, damaged. */
struct library_run *library_run_open(const char *what, GError **err);
const struct cvm *library_run_cvm(const struct library_run *r);
/* What it is called. */
const char *library_run_name(const struct library_run *r);
/* Listen for commands and begin the record.  Machine lock held, once the machine is built and
 * before it runs. */
bool library_run_start(struct library_run *r, struct machine *m, GError **err);
/* Write an option (ui/library.h) into the key file as it is now, for the runs to come.  Any thread.
 * FILE or FORMAT error, CONFIG: no machine would come of it; then nothing is written. */
bool library_run_keep(struct library_run *r, const char *option, const char *value, GError **err);
/* Keep the last screen and how the run ended; after machine_stop, machine lock held. */
void library_run_end(struct library_run *r, int exit_code);
/* After machine_stop, before machine_free; may be called twice. */
void library_run_stop(struct library_run *r);
/* Give the machine back; after machine_free. */
void library_run_close(struct library_run *r);

#endif
