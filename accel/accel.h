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
/* One line each, for `--accel help`. */
void accel_help(GString *out);

#endif
