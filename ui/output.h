/*
 * Files the run writes: checked before it starts; those of its end written whole.
 *
 * A symbolic link is written through, never replaced (/dev/stdout is one), and what is standard
 * output or standard error already is gone on with, not cut to nothing.
 */
#ifndef CANDELA_UI_OUTPUT_H
#define CANDELA_UI_OUTPUT_H

#include "hw/core/base.h"

/* Whether `path` could be written (as it is, or created); FILE error that starts with `what`.
 * Changes nothing. */
bool output_check(const char *what, const char *path, GError **err);
/* Write the file as a whole: a regular file appears complete or not at all.  FILE error. */
bool output_write(const char *what, const char *path, const void *data, size_t len, GError **err);
/* Open for writing as the run goes on, anew or at the end of what is there, without waiting for a
 * named pipe's reader: a descriptor that does not block, or -1 and errno. */
int output_open(const char *path, bool append);

#endif
