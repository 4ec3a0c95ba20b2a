/*
 * Small parsers of the command line.
 */
#include "ui/parse.h"
#include <errno.h>

enum { WORD_MAX = 64 }; /* longer words are near to nothing */

void parse_put(char **to, const char *val)
{
    g_free(*to);
    *to = g_strdup(val);
}

bool parse_fail(GError **err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, args);
    va_end(args);
    g_set_error_literal(err, CANDELA_ERROR, CANDELA_ERROR_CONFIG, text);
    return false;
}

/* Digits only (no sign, no blanks); `end` is what follows them. */
static bool digits_parse(const char *text, unsigned base, uint64_t *val, const char **end)
{
    char *stop;

    if (!(base == 16 ? g_ascii_isxdigit(*text) : g_ascii_isdigit(*text))) {
        return false;
    }
    errno = 0;
    *val = g_ascii_strtoull(text, &stop, base);
    *end = stop;
    return errno == 0;
}

/* The factor of a size's suffix; 0: none known. */
static uint64_t size_unit(const char *suffix, uint64_t unit)
{
    static const struct {
        char letter;
        uint64_t factor;
    } units[] = {{'K', KiB}, {'M', MiB}, {'G', GiB}, {'T', 1024 * GiB}};

    if (!*suffix) {
        return unit;
    }
    for (unsigned i = 0; i < ARRAY_LEN(units); i++) {
        if (g_ascii_toupper(*suffix) != units[i].letter) {
            continue;
        }
        suffix++;
        suffix += g_ascii_toupper(*suffix) == 'I' ? 1 : 0; /* MiB, MB and M are the same */
        suffix += g_ascii_toupper(*suffix) == 'B' ? 1 : 0;
        return *suffix ? 0 : units[i].factor;
    }
    return 0;
}

bool parse_size(const char *text, uint64_t unit, uint64_t *bytes, GError **err)
{
    const char *end = text;
    uint64_t n = 0, factor;

    if (*text == '-') {
        return parse_fail(err, "'%s' is negative; give a size such as 512M or 2G", text);
    }
    if (!g_ascii_isdigit(*text)) {
        return parse_fail(err, "'%s' is no size; give a number with K, M, G or T, such as 512M",
                          text);
    }
    if (!digits_parse(text, 10, &n, &end)) {
        return parse_fail(err, "'%s' is too large a number", text);
    }
    factor = size_unit(end, unit);
    if (!factor) {
        return parse_fail(err, "'%s' is no size: '%s' is no unit; give a number with K, M, G or T",
                          text, end);
    }
    if (__builtin_mul_overflow(n, factor, bytes)) {
        return parse_fail(err, "'%s' is too large a number", text);
    }
    if (!n) {
        return parse_fail(err, "'%s' is no size: it must be more than 0", text);
    }
    return true;
}

bool parse_number(const char *text, uint64_t max, uint64_t *val, GError **err)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *end = text;

    if (!digits_parse(hex ? text + 2 : text, hex ? 16 : 10, val, &end) || *end) {
        return parse_fail(err, "'%s' is no number from 0 to %" G_GUINT64_FORMAT, text, max);
    }
    if (*val > max) {
        return parse_fail(err, "'%s' is too large; at most %" G_GUINT64_FORMAT, text, max);
    }
    return true;
}

bool parse_seconds(const char *text, int64_t *ms, GError **err)
{
    char *end = NULL;
    double s = g_ascii_isdigit(*text) || *text == '.' ? g_ascii_strtod(text, &end) : -1;

    if (end && end != text && *end == 's') {
        end++;
    }
    if (!end || end == text || *end || !(s >= 0.001) || s > 1e9) {
        return parse_fail(err, "'%s' is no time; give seconds above 0, such as 60 or 2.5", text);
    }
    *ms = (int64_t)(s * 1000 + 0.5);
    return true;
}

bool parse_switch(const char *text, bool *val, GError **err)
{
    static const char *const words[] = {"on", "off", "yes", "no", "true", "false", NULL};
    int n = parse_choice("switch", text, words, NULL);

    if (n < 0) {
        return parse_fail(err, "'%s' is neither on nor off", text);
    }
    *val = n % 2 == 0;
    return true;
}

int parse_choice(const char *what, const char *text, const char *const *words, GError **err)
{
    g_autofree char *known = NULL;

    for (int i = 0; words[i]; i++) {
        if (!strcmp(text, words[i])) {
            return i;
        }
    }
    known = g_strjoinv(", ", (char **)words);
    parse_fail(err, "unknown %s '%s'; there %s %s", what, text, words[1] ? "are" : "is only",
               known);
    return -1;
}

char **parse_commas(const char *text)
{
    GPtrArray *words = g_ptr_array_new();
    GString *word = g_string_new(NULL);

    for (const char *p = text; *p; p++) {
        if (*p != ',') {
            g_string_append_c(word, *p);
        } else if (p[1] == ',') {
            g_string_append_c(word, *p++);
        } else {
            g_ptr_array_add(words, g_string_free(word, FALSE));
            word = g_string_new(NULL);
        }
    }
    g_ptr_array_add(words, g_string_free(word, FALSE));
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(words, FALSE);
}

char *parse_comma_word(const char *word)
{
    g_auto(GStrv) parts = g_strsplit(word, ",", -1);

    return g_strjoinv(",,", parts);
}

/* Optimal string alignment: rows i-2, i-1 and i of the table are kept. */
unsigned parse_distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    unsigned rows[3][WORD_MAX + 1];

    if (la > WORD_MAX || lb > WORD_MAX) {
        return WORD_MAX;
    }
    for (size_t i = 0; i <= la; i++) {
        unsigned *now = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

        for (size_t j = 0; j <= lb; j++) {
            if (!i || !j) {
                now[j] = (unsigned)(i + j);
                continue;
            }
            now[j] = MIN(MIN(up[j], now[j - 1]) + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = MIN(now[j], up2[j - 2] + 1);
            }
        }
    }
    return rows[la % 3][lb];
}

const char *parse_nearest(const char *text, const char *const *names)
{
    unsigned best = WORD_MAX;
    const char *name = NULL;

    for (; *names; names++) {
        unsigned d = parse_distance(text, *names);

        /* What shares less than half its letters is no help. */
        if (d < best && d <= MAX(strlen(text), strlen(*names)) / 2) {
            best = d;
            name = *names;
        }
    }
    return name;
}
