/*
 * Pieces of JSON, appended to a text.  Members put a comma before them when they are not the first.
 *
 * Not modelled: reading it (json-glib does, in ui/).
 */
#ifndef HW_CORE_JSON_H
#define HW_CORE_JSON_H

#include "hw/core/base.h"

void json_string(GString *out, const char *text);
/* Members of an object: a count, a string. */
void json_count(GString *out, const char *name, uint64_t value);
void json_name(GString *out, const char *name, const char *value);
/* A member that is an array of objects, not the first member, as far as its "[". */
void json_open(GString *out, const char *name);
/* An object in it, as far as its "{"; *first begins as true. */
void json_row(GString *out, bool *first);

#endif
