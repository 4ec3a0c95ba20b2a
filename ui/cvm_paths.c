/*
 * Names of files inside the values of options: found and replaced.
 *
 * The key file has them relative to its folder; options and messages have them absolute.
 */
#include "ui/cvm.h"
#include "ui/parse.h"

/* Keys of -drive and -nic whose values are files. */
static const char *const file_keys[] = {"file=", "pcap=", "tftp=", NULL};
/* What a file's name stands behind in endpoints, and in hostfwd=. */
static const char *const file_kinds[] = {"file:", "pipe:", "unix:", NULL};
static const char *const forward_kinds[] = {"hostfwd=unix:", NULL};

/* Behind which of the words the text begins; NULL: none. */
static const char *skip_word(const char *text, const char *const *words)
{
    for (; *words; words++) {
        if (g_str_has_prefix(text, *words)) {
            return text + strlen(*words);
        }
    }
    return NULL;
}

/* The text up to `path`, and what `map` makes of the rest. */
static char *map_rest(const char *text, const char *path, cvm_map *map, void *opaque)
{
    g_autofree char *mapped = *path ? map(path, opaque) : g_strdup("");

    return g_strdup_printf("%.*s%s", (int)(path - text), text, mapped);
}

/* KEY=VALUE,...; a comma inside a value is written twice. */
static char *map_keys(const char *value, cvm_map *map, void *opaque)
{
    g_auto(GStrv) words = parse_commas(value);
    GString *out = g_string_new(NULL);

    for (char **w = words; *w; w++) {
        const char *path = skip_word(*w, file_keys);
        path = path ? path : skip_word(*w, forward_kinds);
        g_autofree char *word = path ? map_rest(*w, path, map, opaque) : g_strdup(*w);
        g_autofree char *escaped = parse_comma_word(word);

        g_string_append_printf(out, "%s%s", w == words ? "" : ",", escaped);
    }
    return g_string_free(out, FALSE);
}

char *cvm_map_paths(unsigned n, const char *value, cvm_map *map, void *opaque)
{
    struct option_info info = {0};
    const char *path;

    options_info(n, &info);
    switch (info.paths) {
    case PATHS_WHOLE:
        return map_rest(value, value, map, opaque);
    case PATHS_KEYS:
        return map_keys(value, map, opaque);
    case PATHS_ENDPOINT:
        path = skip_word(value, file_kinds);
        return path ? map_rest(value, path, map, opaque) : g_strdup(value);
    default:
        return g_strdup(value);
    }
}

static char *resolve(const char *path, void *opaque)
{
    return g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(opaque, path, NULL);
}

char *cvm_resolve(const struct cvm *c, unsigned n, const char *value)
{
    return cvm_map_paths(n, value, resolve, (void *)cvm_folder(c));
}

/* A path without the folder in front of it, or NULL when it is not in it. */
static const char *path_inside(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return !strncmp(path, folder, len) && path[len] == '/' && path[len + 1] ? path + len + 1 : NULL;
}

static char *adopt(const char *path, void *opaque)
{
    const char *folder = opaque, *inside;
    g_autofree char *here = g_canonicalize_filename(path, NULL);

    if (!g_path_is_absolute(path) && !g_str_has_prefix(path, "./") &&
        !g_str_has_prefix(path, "../") && !g_file_test(here, G_FILE_TEST_EXISTS)) {
        return g_strdup(path);
    }
    inside = path_inside(here, folder);
    return g_strdup(inside ? inside : here);
}

char *cvm_adopt(const struct cvm *c, unsigned n, const char *value)
{
    g_autofree char *folder = g_canonicalize_filename(cvm_folder(c), NULL);

    return cvm_map_paths(n, value, adopt, folder);
}
