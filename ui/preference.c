/*
 * The user's own defaults for windows.
 */
#include "ui/preference.h"
#include "ui/run.h"
#include "ui/text.h"
#include <glib/gstdio.h>

enum { PREFERENCE_MAX = 64 * 1024 }; /* bytes of the file: more is somebody else's */

static const char group[] = "window";
static const char *const keys[] = {"host-key", "scale", "theme"};

static char *preference_path(void)
{
    return g_build_filename(g_get_user_config_dir(), "candela", "candela.conf", NULL);
}

/* The file; empty when there is none; NULL with GLib's error when it cannot be used. */
static GKeyFile *preference_load(const char *path, GError **err)
{
    GKeyFile *file = g_key_file_new();
    GStatBuf st;
    GError *why = NULL;

    if (g_stat(path, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_size > PREFERENCE_MAX)) {
        g_set_error(&why, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_PARSE, "is no key file");
    } else {
        g_key_file_load_from_file(file, path, G_KEY_FILE_KEEP_COMMENTS, &why);
    }
    if (g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT)) {
        g_clear_error(&why);
    }
    if (why) {
        g_key_file_free(file);
        g_propagate_error(err, why);
        return NULL;
    }
    return file;
}

static void preference_tell(const char *path, const char *why)
{
    g_autofree char *clean = text_clean(why), *shown = text_clean(path);

    run_say(false, "%s: %s (ignored)", shown, clean);
}

void preference_apply(struct options *o)
{
    g_autofree char *path = preference_path();
    g_autoptr(GError) err = NULL;
    GKeyFile *file = preference_load(path, &err);

    if (!file) {
        preference_tell(path, err->message);
        return;
    }
    for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
        g_autofree char *value = g_key_file_get_string(file, group, keys[i], NULL);
        unsigned row = (unsigned)options_find(keys[i]);
        g_autoptr(GError) why = NULL;

        if (value && !options_is_given(o, row) && !options_set(o, row, value, &why)) {
            preference_tell(path, why->message);
        }
    }
    g_key_file_free(file);
}

bool preference_keep(const char *option, const char *value, GError **err)
{
    g_autofree char *path = preference_path(), *folder = g_path_get_dirname(path), *text = NULL;
    GError *why = NULL;
    GKeyFile *file = preference_load(path, &why);
    gsize len;

    if (file) {
        g_key_file_set_string(file, group, option, value);
        text = g_key_file_to_data(file, &len, NULL);
        g_key_file_free(file);
        g_mkdir_with_parents(folder, 0700);
        g_file_set_contents_full(path, text, (gssize)len, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                 &why);
    }
    if (why) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE, "%s: %s", path, why->message);
        g_error_free(why);
        return false;
    }
    return true;
}
