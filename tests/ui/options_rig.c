/*
 * The helpers of tests/ui/options_rig.h.
 */
#include "tests/ui/options_rig.h"
#include <criterion/criterion.h>

bool parse_words(struct options *o, const char *line, GError **err)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    int n = *line ? (int)g_strv_length(words) : 0;

    options_init(o);
    return options_parse(o, n, words, err);
}

void parse_good(struct options *o, const char *line)
{
    GError *err = NULL;

    cr_assert(parse_words(o, line, &err), "'%s': %s", line, err ? err->message : "?");
    cr_assert_null(err);
    cr_assert_eq(o->answer->len, 0, "'%s' printed: %s", line, o->answer->str);
}
