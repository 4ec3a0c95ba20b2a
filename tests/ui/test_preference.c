/*
 * The user's own defaults for windows: kept, found again, and never in the way.
 */
#include "ui/preference.h"
#include "ui/window_keys.h"
#include <criterion/criterion.h>
#include <glib/gstdio.h>

struct bench {
    char *folder, *path;
    struct options o;
};

static void bench(struct bench *b, const char *text)
{
    g_autofree char *inner = NULL;

    b->folder = g_dir_make_tmp("candela-XXXXXX", NULL);
    g_setenv("XDG_CONFIG_HOME", b->folder, TRUE);
    inner = g_build_filename(b->folder, "candela", NULL);
    b->path = g_build_filename(inner, "candela.conf", NULL);
    if (text) {
        cr_assert_eq(g_mkdir(inner, 0700), 0);
        cr_assert(g_file_set_contents(b->path, text, -1, NULL));
    }
    options_init(&b->o);
}

static void done(struct bench *b)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", b->folder);

    options_clear(&b->o);
    g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL);
    g_free(b->folder);
    g_free(b->path);
}

Test(preference, what_is_kept_is_found_again)
{
    struct bench b;
    GError *err = NULL;

    bench(&b, NULL);
    preference_apply(&b.o); /* no file, no words */
    cr_expect_eq(b.o.scaling, VIEW_SMOOTH);
    cr_assert(preference_keep("scale", "integer", &err), "%s", err->message);
    cr_assert(preference_keep("host-key", "f12", &err), "%s", err->message);
    cr_assert(preference_keep("theme", "light", &err), "%s", err->message);
    preference_apply(&b.o);
    cr_expect_eq(b.o.scaling, VIEW_INTEGER);
    cr_expect_str_eq(b.o.host_key->name, "f12");
    cr_expect_eq(b.o.theme, THEME_LIGHT);
    done(&b);
}

Test(preference, the_command_line_goes_first)
{
    char *const words[] = {"--scale=smooth"};
    struct bench b;
    GError *err = NULL;

    bench(&b, "[window]\nscale=sharp\ntheme=dark\n");
    cr_assert(options_take(&b.o, 1, words, &err));
    preference_apply(&b.o);
    cr_expect_eq(b.o.scaling, VIEW_SMOOTH);
    cr_expect_eq(b.o.theme, THEME_DARK);
    done(&b);
}

Test(preference, what_cannot_be_used_is_as_if_it_were_not_there)
{
    static const char *const texts[] = {
        "[window]\nscale=enormous\nhost-key=none\ntheme=\nmemory=1G\n",
        "no key file",
        "[window\n",
        "\xff\xfe",
    };

    for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
        struct bench b;

        bench(&b, texts[i]);
        preference_apply(&b.o);
        cr_expect_eq(b.o.scaling, VIEW_SMOOTH);
        cr_expect_eq(b.o.host_key, host_key_at(0));
        cr_expect_eq(b.o.theme, THEME_AUTO);
        cr_expect_eq(b.o.vm.memory, 512 * MiB);
        done(&b);
    }
}

/* A file that is not ours to write over is left as it is. */
Test(preference, a_damaged_file_is_not_written_over)
{
    struct bench b;
    g_autofree char *text = NULL;
    g_autoptr(GError) err = NULL;

    bench(&b, "precious words");
    cr_expect(!preference_keep("scale", "sharp", &err));
    cr_expect(g_error_matches(err, CANDELA_ERROR, CANDELA_ERROR_FILE));
    cr_assert(g_file_get_contents(b.path, &text, NULL, NULL));
    cr_expect_str_eq(text, "precious words");
    done(&b);
}
