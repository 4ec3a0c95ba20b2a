/*
 * Tables of options: finding, taking and describing them, for every command alike.
 */
#include "ui/option_table.h"
#include "ui/parse.h"

enum { HELP_COLUMN = 30 };

/* The short name first, dashes as people type them. */
static void option_spell(const struct option_spec *s, GString *out)
{
    for (unsigned i = OPTION_NAMES; i-- > 0;) {
        if (s->names[i]) {
            g_string_append_printf(out, "%s%s%s", out->len ? ", " : "",
                                   s->two && i == 0 ? "--" : "-", s->names[i]);
        }
    }
    if (s->arg) {
        g_string_append_printf(out, " %s", s->arg);
    }
}

void option_table_help(const struct option_table *t, GString *out)
{
    struct option_spec s;

    for (unsigned i = 0; t->spec(t, i, &s); i++) {
        g_autoptr(GString) left = g_string_new(NULL);

        option_spell(&s, left);
        if (left->len >= HELP_COLUMN) {
            g_string_append_printf(out, "  %s\n%*s%s\n", left->str, HELP_COLUMN + 3, "", s.help);
        } else {
            g_string_append_printf(out, "  %-*s %s\n", HELP_COLUMN, left->str, s.help);
        }
    }
}

/* The row of that name; false: there is none. */
static bool option_find(const struct option_table *t, const char *name, unsigned *row,
                        struct option_spec *s)
{
    for (*row = 0; t->spec(t, *row, s); (*row)++) {
        for (unsigned n = 0; n < OPTION_NAMES && s->names[n]; n++) {
            if (!strcmp(s->names[n], name)) {
                return true;
            }
        }
    }
    return false;
}

static bool option_unknown(const struct option_table *t, const char *word, const char *name,
                           GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    struct option_spec s;
    const char *nearest;
    unsigned row;

    for (unsigned i = 0; t->spec(t, i, &s); i++) {
        for (unsigned n = 0; n < OPTION_NAMES && s.names[n]; n++) {
            g_ptr_array_add(names, (char *)s.names[n]);
        }
    }
    g_ptr_array_add(names, NULL);
    nearest = parse_nearest(name, (const char *const *)names->pdata);
    if (nearest && option_find(t, nearest, &row, &s)) {
        return parse_fail(err, "unknown option '%s'; nearest: %s%s (%s --help lists all)", word,
                          s.two && nearest == s.names[0] ? "--" : "-", nearest, t->command);
    }
    return parse_fail(err, "unknown option '%s' (%s --help lists all)", word, t->command);
}

bool option_table_look(const struct option_table *t, const char *word, struct option_spec *out,
                       const char **val)
{
    const char *bare = word + (g_str_has_prefix(word, "--") ? 2 : 1);
    const char *eq = strchr(bare, '=');
    g_autofree char *name = eq ? g_strndup(bare, (gsize)(eq - bare)) : g_strdup(bare);
    unsigned row;

    *val = eq ? eq + 1 : NULL;
    return option_find(t, name, &row, out);
}

bool option_table_take(const struct option_table *t, int argc, char *const *argv, int *at,
                       struct option_word *out, GError **err)
{
    const char *word = argv[(*at)++];
    const char *bare = word + (g_str_has_prefix(word, "--") ? 2 : 1);
    const char *eq = strchr(bare, '=');
    g_autofree char *name = eq ? g_strndup(bare, (gsize)(eq - bare)) : g_strdup(bare);
    g_autofree char *opt = eq ? g_strndup(word, (gsize)(eq - word)) : g_strdup(word);
    const char *val = eq ? eq + 1 : NULL;
    struct option_spec s;
    unsigned row;

    memset(out, 0, sizeof *out);
    if (!option_find(t, name, &row, &s)) {
        return option_unknown(t, opt, name, err);
    }
    if (s.takes == NO_ARG && val) {
        return parse_fail(err, "%s takes no value", opt);
    }
    if (!val && s.takes != NO_ARG && s.takes != SWITCH_ARG && *at < argc &&
        (s.takes == ARG || (t->is_value && t->is_value(argv[*at])))) {
        val = argv[(*at)++];
    }
    if (s.takes == ARG && !val) {
        return parse_fail(err, "%s needs a value: %s", opt, s.arg);
    }
    *out = (struct option_word){.row = row, .opt = g_steal_pointer(&opt), .val = val};
    return true;
}
