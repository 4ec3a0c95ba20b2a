/*
 * Completion in shells: what can stand at the end of a command line, by the tables of options.
 */
#include "ui/complete.h"

void complete_offer(struct completion *c, const char *before, const char *word, const char *help)
{
    g_autofree char *line = g_strdup_printf("%s%s\t%s\n", before, word, help ? help : "");
    g_autofree char *known = g_strdup_printf("\n%s%s\t", before, word);
    g_autofree char *all = g_strconcat("\n", c->out->str, NULL);

    if (*word && g_str_has_prefix(line, c->begun) && !strstr(all, known)) {
        g_string_append(c->out, line);
    }
}

void complete_files(struct completion *c, const char *before, const char *endings)
{
    g_string_append_printf(c->out, ":files\t%s\t%s\n", endings ? endings : "*", before);
}

/* Values --------------------------------------------------------------------------------------- */

/* What stands for something else behind `before`. */
static void complete_placeholder(struct completion *c, const char *before, const char *name,
                                 const char *endings)
{
    if (g_str_has_prefix(name, "FILE") || g_str_has_prefix(name, "PATH")) {
        complete_files(c, before, endings);
    } else if (g_str_has_prefix(name, "DIR")) {
        g_string_append_printf(c->out, ":folders\t*\t%s\n", before);
    }
}

/* "ide", "switch:NAME", "trunk[:LIST]", "FILE": the part that stands as it is is offered. */
static void complete_choice(struct completion *c, const char *before, const char *choice,
                            const char *help, const char *endings)
{
    size_t len = strcspn(choice, "ABCDEFGHIJKLMNOPQRSTUVWXYZ[");
    g_autofree char *literal = g_strndup(choice, len);
    g_autofree char *whole = g_strconcat(before, literal, NULL);

    if (choice[len] && choice[len] != '[' && g_str_has_prefix(c->begun, whole)) {
        complete_placeholder(c, whole, choice + len, endings);
    } else {
        complete_offer(c, before, literal, help);
    }
}

/* Choices with strokes between, perhaps behind a key: "on|off", "if=ide|floppy". */
static void complete_choices(struct completion *c, const char *before, const char *token,
                             const char *help, const char *endings)
{
    const char *eq = strchr(token, '=');
    g_autofree char *key = g_strndup(token, eq ? (gsize)(eq + 1 - token) : 0);
    g_autofree char *whole = g_strconcat(before, key, NULL);
    g_auto(GStrv) choices = g_strsplit(token + strlen(key), "|", -1);

    if (*key && !g_str_has_prefix(c->begun, whole)) {
        complete_offer(c, before, key, help); /* first the key, then what it may be */
        return;
    }
    for (char **choice = choices; *choice; choice++) {
        complete_choice(c, whole, *choice, choices[1] ? NULL : help, endings);
    }
}

/* A line of a list; see complete.h. */
static void complete_line(struct completion *c, const char *before, const char *line)
{
    size_t indent = strspn(line, " "), len;
    g_autofree char *token = NULL;

    line += indent;
    len = strcspn(line, " ");
    if (indent <= 2 && len && g_str_has_prefix(line + len, "  ")) {
        token = g_strndup(line, len);
        complete_choices(c, before, token, line + len + strspn(line + len, " "), NULL);
    }
}

/* How much of `text` is what stands before its last part; commas in pairs are part of a value. */
static size_t commas_length(const char *text)
{
    size_t len = 0;

    for (size_t i = 0; text[i]; i++) {
        if (text[i] == ',' && text[i + 1] == ',') {
            i++;
        } else if (text[i] == ',') {
            len = i + 1;
        }
    }
    return len;
}

static bool is_comma_header(const char *line)
{
    return g_str_has_suffix(line, ":") && strstr(line, "after a comma");
}

static void complete_list(struct completion *c, const struct option_spec *s, const char *before)
{
    const char *rest = c->begun + strlen(before);
    g_autoptr(GString) text = g_string_new(NULL);
    g_auto(GStrv) lines = NULL;
    bool two = false, second, below = false;
    size_t len;

    s->list(text);
    lines = g_strsplit(text->str, "\n", -1);
    for (char **line = lines; *line; line++) {
        two = two || is_comma_header(*line);
    }
    len = two || strchr(s->arg, ',') ? commas_length(rest) : 0;
    second = two && len;
    g_autofree char *whole = g_strndup(c->begun, strlen(before) + len);
    for (char **line = lines; *line; line++) {
        if (is_comma_header(*line)) {
            below = true;
        } else if (below == second) {
            complete_line(c, whole, *line);
        }
    }
}

/* The value of an option; `before`: what of the last word is not of it. */
static void complete_value(struct completion *c, const struct option_spec *s, const char *before)
{
    if (s->list) {
        complete_list(c, s, before);
    } else if (s->arg) {
        complete_choices(c, before, s->arg, NULL, s->endings);
    } else if (s->takes == SWITCH_ARG) {
        complete_choices(c, before, "on|off", NULL, NULL);
    }
}

/* Options -------------------------------------------------------------------------------------- */

static void complete_names(struct completion *c, const struct option_table *t)
{
    struct option_spec s;

    for (unsigned row = 0; t->spec(t, row, &s); row++) {
        for (unsigned n = 0; n < OPTION_NAMES && s.names[n]; n++) {
            const char *dashes = s.two && n == 0 ? "--" : "-";
            g_autofree char *usual = g_strconcat(dashes, s.names[n], NULL);

            if (s.names[n][1] && !g_str_has_prefix(usual, c->begun)) {
                dashes = s.two && n == 0 ? "-" : "--"; /* each may be written either way */
            }
            complete_offer(c, dashes, s.names[n], s.help);
        }
    }
}

void complete_assignment(struct completion *c, const struct option_table *t)
{
    g_autofree char *word = g_strconcat("-", c->begun, NULL);
    const char *eq = strchr(c->begun, '=');
    struct option_spec s;
    const char *val;

    if (eq && option_table_look(t, word, &s, &val)) {
        g_autofree char *before = g_strndup(c->begun, (gsize)(eq + 1 - c->begun));

        complete_value(c, &s, before);
    }
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1];
}

/* The last word begins with a dash: a name, or a name and a value. */
static void complete_option(struct completion *c, const struct option_table *t)
{
    const char *eq = strchr(c->begun, '=');
    struct option_spec s;
    const char *val;

    if (!eq) {
        complete_names(c, t);
    } else if (option_table_look(t, c->begun, &s, &val)) {
        g_autofree char *before = g_strndup(c->begun, (gsize)(eq + 1 - c->begun));

        complete_value(c, &s, before);
    }
}

void complete_words(struct completion *c, const struct option_table *t, int argc, char *const *argv,
                    complete_plain *plain)
{
    unsigned plains = 0;
    bool options = true;

    for (int at = 0; at < argc - 1; at++) {
        struct option_spec s;
        const char *val;

        if (options && !strcmp(argv[at], "--")) {
            options = false;
        } else if (!options || !is_option(argv[at])) {
            plains++;
        } else if (option_table_look(t, argv[at], &s, &val) && !val &&
                   (s.takes == ARG || s.takes == OPTIONAL_ARG)) {
            if (at + 1 == argc - 1 && !is_option(c->begun)) {
                complete_value(c, &s, "");
                if (s.takes == ARG) {
                    return;
                }
            } else if (s.takes == ARG || (t->is_value && t->is_value(argv[at + 1]))) {
                at++;
            }
        }
    }
    if (options && *c->begun == '-') {
        complete_option(c, t);
    } else if (plain) {
        plain(c, plains, t->of);
    }
}
