/*
 * Text for standard output and messages: cleaned of what moves a cursor, times, and JSON.
 */
#ifndef CANDELA_UI_TEXT_H
#define CANDELA_UI_TEXT_H

#include "hw/core/base.h"
#include <json-glib/json-glib.h>

/* Valid UTF-8 without control characters, for names that come from files anybody may have made;
 * g_free. */
char *text_clean(const char *text);
/* "2026-07-30T12:00:00Z" of seconds since 1970; g_free. */
char *text_time(int64_t time);

/* A builder inside its first object; json_finish closes that, frees the builder and gives the text,
 * which ends with a line feed. */
JsonBuilder *json_start(void);
char *json_finish(JsonBuilder *b);
/* Members of an object.  NULL and time 0 are null. */
void json_put_text(JsonBuilder *b, const char *name, const char *text);
void json_put_number(JsonBuilder *b, const char *name, uint64_t n);
void json_put_bool(JsonBuilder *b, const char *name, bool yes);
void json_put_time(JsonBuilder *b, const char *name, int64_t time);
/* A text in an array. */
void json_add_text(JsonBuilder *b, const char *text);

#endif
