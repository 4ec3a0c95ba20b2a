/*
 * Key files of machines: reading, changing and writing them.
 *
 * GKeyFile keeps comments and order; but it is generous, so the text is looked at first (cvm_scan):
 * lines that are nothing, keys that are there twice, groups nobody knows are errors with their
 * line.
 */
#include "ui/cvm.h"
#include "ui/media.h"
#include "ui/parse.h"
#include "ui/text.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CVM_MAX (256 * KiB)

static const char group_cvm[] = "cvm", group_machine[] = "machine", key_version[] = "version";

struct cvm {
    char *path, *folder;
    GKeyFile *keys;
};

static bool cvm_fail(const char *path, GError **err, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
static bool cvm_fail(const char *path, GError **err, const char *fmt, ...)
{
    g_autofree char *shown = text_clean(path);
    va_list args;

    va_start(args, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, args);
    va_end(args);
    g_autofree char *clean = text_clean(text);
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FORMAT, "%s: %s", shown, clean);
    return false;
}

/* The text ------------------------------------------------------------------------------------- */

/* Where the scan is. */
struct scan {
    const char *path;
    unsigned line;
    char *group;      /* or NULL: before the first */
    GHashTable *seen; /* "group\nkey" and "group" -> line */
};

static bool scan_once(struct scan *s, const char *what, char *name, GError **err)
{
    gpointer before = g_hash_table_lookup(s->seen, name);

    if (before) {
        const char *key = strchr(name, '\n') ? strchr(name, '\n') + 1 : name;

        cvm_fail(s->path, err,
                 "line %u: the %s '%s' is there already, in line %u; what may be repeated is a "
                 "list, as in nic=user;switch:lab",
                 s->line, what, key, GPOINTER_TO_UINT(before));
        g_free(name);
        return false;
    }
    g_hash_table_insert(s->seen, name, GUINT_TO_POINTER(s->line));
    return true;
}

static bool scan_group(struct scan *s, const char *text, GError **err)
{
    size_t len = strlen(text);

    if (len < 3 || text[len - 1] != ']') {
        return cvm_fail(s->path, err, "line %u: '%s' is no group", s->line, text);
    }
    g_free(s->group);
    s->group = g_strndup(text + 1, len - 2);
    if (strcmp(s->group, group_cvm) && strcmp(s->group, group_machine)) {
        return cvm_fail(s->path, err, "line %u: unknown group [%s]; there are [%s] and [%s]",
                        s->line, s->group, group_cvm, group_machine);
    }
    return scan_once(s, "group", g_strdup(s->group), err);
}

static bool scan_key(struct scan *s, char *text, GError **err)
{
    char *eq = strchr(text, '=');

    if (!eq) {
        return cvm_fail(s->path, err,
                        "line %u: '%s' is neither KEY=VALUE nor [GROUP] nor # comment", s->line,
                        text);
    }
    if (!s->group) {
        return cvm_fail(s->path, err,
                        "line %u: '%s' stands before the first group; write [%s] first", s->line,
                        text, group_machine);
    }
    *eq = '\0';
    g_strchomp(text);
    if (!*text ||
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") !=
            strlen(text)) {
        return cvm_fail(s->path, err, "line %u: '%s' is no key; keys have letters, digits and '-'",
                        s->line, text);
    }
    return scan_once(s, "key", g_strdup_printf("%s\n%s", s->group, text), err);
}

static bool scan_line(struct scan *s, char *line, GError **err)
{
    char *text = g_strstrip(line);

    if (!*text || *text == '#') {
        return true;
    }
    return *text == '[' ? scan_group(s, text, err) : scan_key(s, text, err);
}

static bool cvm_scan(const char *path, const char *text, gsize len, GError **err)
{
    struct scan s = {.path = path};
    g_auto(GStrv) lines = NULL;
    const char *bad;
    bool good = true;

    if (memchr(text, '\0', len) || !g_utf8_validate(text, (gssize)len, &bad)) {
        return cvm_fail(path, err, "is no text (UTF-8), so it is no machine's key file");
    }
    lines = g_strsplit(text, "\n", -1);
    s.seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (char **l = lines; good && *l; l++) {
        s.line++;
        good = scan_line(&s, *l, err);
    }
    g_hash_table_unref(s.seen);
    g_free(s.group);
    return good;
}

/* Reading -------------------------------------------------------------------------------------- */

struct cvm *cvm_new(const char *path)
{
    struct cvm *c = g_new0(struct cvm, 1);

    c->path = g_strdup(path);
    c->folder = g_path_get_dirname(path);
    c->keys = g_key_file_new();
    g_key_file_set_integer(c->keys, group_cvm, key_version, CVM_VERSION);
    return c;
}

void cvm_free(struct cvm *c)
{
    if (c) {
        g_key_file_free(c->keys);
        g_free(c->path);
        g_free(c->folder);
        g_free(c);
    }
}

const char *cvm_folder(const struct cvm *c)
{
    return c->folder;
}

static bool cvm_check_version(const struct cvm *c, GError **err)
{
    g_auto(GStrv) keys = g_key_file_get_keys(c->keys, group_cvm, NULL, NULL);
    g_autofree char *text = g_key_file_get_value(c->keys, group_cvm, key_version, NULL);
    uint64_t version = CVM_VERSION;

    for (char **k = keys; k && *k; k++) {
        if (strcmp(*k, key_version)) {
            return cvm_fail(c->path, err, "unknown key '%s' in [%s]; there is only %s", *k,
                            group_cvm, key_version);
        }
    }
    if (text && (!parse_number(text, INT_MAX, &version, NULL) || !version)) {
        return cvm_fail(c->path, err, "%s=%s is no version; this program writes %s=%d", key_version,
                        text, key_version, CVM_VERSION);
    }
    return version <= CVM_VERSION ||
           cvm_fail(c->path, err, "was written by a newer Candela (version %s, this one knows %d)",
                    text, CVM_VERSION);
}

struct cvm *cvm_load(const char *path, GError **err)
{
    GBytes *bytes = media_read("", path, CVM_MAX, err);
    struct cvm *c;
    GError *why = NULL;
    gsize len;

    if (!bytes) {
        return NULL;
    }
    /* The bytes have no end of their own. */
    const char *data = g_bytes_get_data(bytes, &len);
    g_autofree char *text = g_strndup(data, len);
    bool good = cvm_scan(path, memchr(data, '\0', len) ? data : text, len, err);
    g_bytes_unref(bytes);
    if (!good) {
        return NULL;
    }
    c = cvm_new(path);
    g_key_file_free(c->keys);
    c->keys = g_key_file_new();
    if (!g_key_file_load_from_data(c->keys, text, len,
                                   G_KEY_FILE_KEEP_COMMENTS | G_KEY_FILE_KEEP_TRANSLATIONS, &why)) {
        cvm_fail(path, err, "%s", why->message);
        g_error_free(why);
    } else if (cvm_check_version(c, err)) {
        return c;
    }
    cvm_free(c);
    return NULL;
}

/* Options -------------------------------------------------------------------------------------- */

static struct option_info cvm_info(unsigned n)
{
    struct option_info info = {0};

    options_info(n, &info);
    return info;
}

/* The values of a key: NULL with a GError of GLib's when they cannot be read. */
static char **cvm_values(const struct cvm *c, const char *key, enum option_store store,
                         GError **why)
{
    char **values;

    if (store == STORE_LIST) {
        values = g_key_file_get_string_list(c->keys, group_machine, key, NULL, why);
        for (char **v = values; v && *v; v++) {
            g_strstrip(*v);
        }
        return values;
    }
    char *value = g_key_file_get_string(c->keys, group_machine, key, why);
    values = value ? g_new0(char *, 2) : NULL;
    if (value) {
        values[0] = value;
    }
    return values;
}

char **cvm_get(const struct cvm *c, unsigned n)
{
    const struct option_info info = cvm_info(n);
    char **values = cvm_values(c, info.name, info.store, NULL);

    return values ? values : g_new0(char *, 1);
}

/* GKeyFile's text of a list, without the separator at its end. */
static char *cvm_list_text(char *const *values)
{
    GKeyFile *keys = g_key_file_new();
    char *text;

    g_key_file_set_string_list(keys, "g", "k", (const gchar *const *)values,
                               g_strv_length((char **)values));
    text = g_key_file_get_value(keys, "g", "k", NULL);
    g_key_file_free(keys);
    if (*text) {
        text[strlen(text) - 1] = '\0';
    }
    return text;
}

static bool cvm_check_text(const char *name, const char *value, GError **err)
{
    for (const char *p = value; *p; p++) {
        if (g_ascii_iscntrl(*p)) {
            return parse_fail(err, "%s: the value has a control character in it", name);
        }
    }
    return g_utf8_validate(value, -1, NULL) ||
           parse_fail(err, "%s: the value is no text (UTF-8); a key file is", name);
}

bool cvm_put(struct cvm *c, unsigned n, char *const *values, GError **err)
{
    const struct option_info info = cvm_info(n);
    unsigned count = g_strv_length((char **)values);

    if (info.store == STORE_NOT) {
        return parse_fail(
            err, "%s is for one run and not part of a machine; give it to candela run", info.name);
    }
    if (count > 1 && info.store != STORE_LIST) {
        return parse_fail(err, "%s is given twice: '%s' and '%s'", info.name, values[0], values[1]);
    }
    for (unsigned i = 0; i < count; i++) {
        if (!cvm_check_text(info.name, values[i], err)) {
            return false;
        }
        if (info.store == STORE_LIST && !*values[i]) {
            return parse_fail(err, "%s: the value is empty; --unset %s takes it out", info.name,
                              info.name);
        }
    }
    if (!count) {
        g_key_file_remove_key(c->keys, group_machine, info.name, NULL);
    } else if (info.store == STORE_LIST) {
        g_autofree char *text = cvm_list_text(values);
        g_key_file_set_value(c->keys, group_machine, info.name, text);
    } else {
        g_key_file_set_string(c->keys, group_machine, info.name, values[0]);
    }
    return true;
}

bool cvm_remove(struct cvm *c, const char *key)
{
    return g_key_file_remove_key(c->keys, group_machine, key, NULL);
}

/* No option is called so: say which may be meant. */
static bool cvm_unknown(const struct cvm *c, const char *key, GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    struct option_info info;
    const char *nearest;
    int n = options_find(key);

    for (unsigned i = 0; options_info(i, &info); i++) {
        if (info.store != STORE_NOT) {
            g_ptr_array_add(names, (char *)info.name);
        }
    }
    g_ptr_array_add(names, NULL);
    if (n >= 0 && options_info((unsigned)n, &info)) {
        return info.store == STORE_NOT
                   ? cvm_fail(c->path, err, "%s= is for one run: give it to candela run", key)
                   : cvm_fail(c->path, err,
                              "%s= is not known by that short name here: write %s=", key,
                              info.name);
    }
    nearest = parse_nearest(key, (const char *const *)names->pdata);
    return cvm_fail(c->path, err, "unknown key '%s'%s%s (candela run --help lists all)", key,
                    nearest ? "; nearest: " : "", nearest ? nearest : "");
}

static bool cvm_apply_key(const struct cvm *c, const char *key, struct options *o, GError **err)
{
    struct option_info info = {0};
    int n = options_find(key);
    GError *why = NULL;
    g_auto(GStrv) values = NULL;

    if (n < 0 || !options_info((unsigned)n, &info) || strcmp(info.name, key) ||
        info.store == STORE_NOT) {
        return cvm_unknown(c, key, err);
    }
    if (options_is_given(o, (unsigned)n)) {
        return true;
    }
    values = cvm_values(c, key, info.store, &why);
    for (char **v = values; !why && *v; v++) {
        g_autofree char *value = cvm_resolve(c, (unsigned)n, *v);

        if (cvm_check_text(key, value, &why)) {
            options_set(o, (unsigned)n, value, &why);
        }
    }
    if (why) {
        cvm_fail(c->path, err, "%s", why->message);
        g_error_free(why);
        return false;
    }
    return true;
}

bool cvm_apply(const struct cvm *c, struct options *o, GError **err)
{
    g_auto(GStrv) keys = g_key_file_get_keys(c->keys, group_machine, NULL, NULL);
    bool good = true;

    o->weak = true;
    for (char **k = keys; good && k && *k; k++) {
        good = cvm_apply_key(c, *k, o, err);
    }
    o->weak = false;
    return good;
}

bool cvm_check(const struct cvm *c, struct options *o, GError **err)
{
    GError *why = NULL;

    if (!cvm_apply(c, o, err)) {
        return false;
    }
    if (!options_finish(o, &why)) {
        cvm_fail(c->path, err, "%s", why->message);
        g_error_free(why);
        return false;
    }
    return true;
}

bool cvm_read(const char *path, struct options *o, GError **err)
{
    struct cvm *c = cvm_load(path, err);
    bool good;

    options_init(o);
    good = c && cvm_check(c, o, err);
    cvm_free(c);
    return good;
}

/* Writing -------------------------------------------------------------------------------------- */

/* The name the file got is on the disk, too. */
static void cvm_sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

bool cvm_save(struct cvm *c, GError **err)
{
    char *real = realpath(c->path, NULL); /* a link leads to the file that is changed */
    g_autofree char *path = g_strdup(real ? real : c->path);
    g_autofree char *folder = g_path_get_dirname(path);
    struct stat st = {.st_mode = 0666};
    GError *why = NULL;
    gsize len;

    free(real);
    stat(path, &st);
    g_autofree char *text = g_key_file_to_data(c->keys, &len, NULL);
    if (len > CVM_MAX) {
        return cvm_fail(c->path, err, "would be too large: %zu bytes", len);
    }
    if (!g_file_set_contents_full(path, text, (gssize)len,
                                  G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                  (int)(st.st_mode & 0777), &why)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE, "%s", why->message);
        g_error_free(why);
        return false;
    }
    cvm_sync_folder(folder);
    return true;
}
