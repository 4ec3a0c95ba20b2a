/*
 * Command lines for tests of options.
 */
#ifndef TESTS_UI_OPTIONS_RIG_H
#define TESTS_UI_OPTIONS_RIG_H

#include "ui/options.h"

/* Parse words separated by blanks; options_clear is due in any case. */
bool parse_words(struct options *o, const char *line, GError **err);
/* The same; an error, or an answer that ends the program, fails the test. */
void parse_good(struct options *o, const char *line);

#endif
