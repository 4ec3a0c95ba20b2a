/*
 * The list of accelerators and the choice among them.
 *
 * Not modelled: see accel.c.
 */
#ifndef ACCEL_ACCEL_H
#define ACCEL_ACCEL_H

#include "hw/core/machine.h"

/* Whether this version has an accelerator of that name ("auto", NULL: yes), whatever the host can
 * do; CONFIG error. */
bool accel_known(const char *name, GError **err);
/* The accelerator for `name`: "auto" or NULL is the fastest this host can do; `by_software`: of
 * those that count and trace instructions.  CONFIG error when it is unknown, ACCEL error when the
 * host cannot do it.  *why: one line, static. */
const struct accel_ops *accel_choose(const char *name, bool by_software, const char **why,
                                     GError **err);
/* Have m, which runs or is held, go on with that accelerator (machine_switch); as for the names and
 * errors of accel_choose.  Lock held, not on a vCPU's thread. */
bool accel_switch(struct machine *m, const char *name, bool force, GError **err);
/* All names, "auto" first; NULL after the last. */
extern const char *const accel_names[];
/* One line each, for `--accel help`. */
void accel_help(GString *out);

#endif
