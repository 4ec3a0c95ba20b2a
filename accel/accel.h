/*
 * The list of accelerators and the choice among them.
 *
 * Not modelled: KVM, and a choice at run time; the interpreter is the only engine of this version.
 */
#ifndef ACCEL_ACCEL_H
#define ACCEL_ACCEL_H

#include "hw/core/machine.h"

/* The accelerator for `name` ("auto", "interp"); ACCEL error when it is unknown or not there. *why:
 * one line, static. */
const struct accel_ops *accel_choose(const char *name, const char **why, GError **err);
/* One line each, for `--accel help`. */
void accel_help(GString *out);

#endif
