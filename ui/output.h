/*
 * Files the run writes at its end: checked before it starts, written whole.
 */
#ifndef CANDELA_UI_OUTPUT_H
#define CANDELA_UI_OUTPUT_H

#include "hw/core/base.h"

/* Whether `path` could be written (as it is, or created); FILE error that starts with `what`.
 * Changes nothing. */
bool output_check(const char *what, const char *path, GError **err);
/* Write the file as a whole: a regular file appears complete or not at all.  FILE error. */
bool output_write(const char *what, const char *path, const void *data, size_t len, GError **err);

#endif
