/*
 * Small parsers of the command line: sizes, numbers, words of a list, `key=value` lists, nearest
 * names.
 *
 * All set a CONFIG error that names the value and says what would be right.  Any thread.
 */
#ifndef CANDELA_UI_PARSE_H
#define CANDELA_UI_PARSE_H

#include "hw/core/base.h"

/* "256", "512M", "2G", "64K": bytes; a bare number counts `unit` bytes.  Zero is refused. */
bool parse_size(const char *text, uint64_t unit, uint64_t *bytes, GError **err);
/* Decimal, or hexadecimal with 0x; at most `max`. */
bool parse_number(const char *text, uint64_t max, uint64_t *val, GError **err);
/* Seconds, with or without a fraction, above 0: milliseconds. */
bool parse_seconds(const char *text, int64_t *ms, GError **err);
/* "on" and "off" (and yes, no, true, false). */
bool parse_switch(const char *text, bool *val, GError **err);
/* The place of `text` in a NULL-ended list of words, or -1 with an error that lists them; `what`
 * names the value. */
int parse_choice(const char *what, const char *text, const char *const *words, GError **err);
/*
 * Split at commas; two commas stand for one in a value.  NULL-ended, free with g_strfreev.
 */
char **parse_commas(const char *text);
/* A word as it stands in such a text: with its commas twice; g_free. */
char *parse_comma_word(const char *word);
/* Changes (insert, remove, replace, swap of neighbours) that make b of a. */
unsigned parse_distance(const char *a, const char *b);
/* The name nearest to `text` of a NULL-ended list, or NULL when none is near. */
const char *parse_nearest(const char *text, const char *const *names);

/* Put a copy of a value in the place of what was there. */
void parse_put(char **to, const char *val);
/* Set a CONFIG error; always false, to return at once. */
bool parse_fail(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

#endif
