/*
 * configure: what it refuses, in one message and before it writes, and what it writes.
 */
#define _GNU_SOURCE /* memmem */
#include "tests/rig.h"
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <sys/wait.h>

/* Run configure with `args` in the new folder `name`; its status, its messages and config.mk. */
static int configure(const char *name, const char *args, char **says, char **config)
{
    g_autofree char *top = g_dir_make_tmp("candela-configure-XXXXXX", NULL);
    g_autofree char *folder = g_build_filename(top, name, NULL);
    g_autofree char *path = g_build_filename(folder, "config.mk", NULL);
    g_autofree char *quoted = g_shell_quote(folder);
    g_autofree char *command =
        g_strdup_printf("cd %s && exec sh '%s/../configure' %s", quoted, TESTS_DIR, args);
    char *argv[] = {"/bin/sh", "-c", command, NULL};
    char *clean[] = {"/bin/rm", "-rf", top, NULL};
    int status = -1;

    cr_assert_eq(g_mkdir(folder, 0777), 0);
    cr_assert(g_spawn_sync(NULL, argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL, says,
                           &status, NULL));
    *config = NULL;
    g_file_get_contents(path, config, NULL, NULL);
    g_spawn_sync(NULL, clean, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, NULL, NULL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(configure, refuses_paths_that_make_cannot_handle, .timeout = 60)
{
    static const char bad[] = " :%$#&|;'\"`\\*?()[]<>";

    for (unsigned i = 0; i < sizeof bad - 1; i++) {
        char name[] = {'x', bad[i], 'y', '\0'};
        g_autofree char *says = NULL, *config = NULL;

        cr_expect_eq(configure(name, "", &says, &config), 1, "'%s'", name);
        cr_expect(strstr(says, name) && strstr(says, "make"), "'%s': %s", name, says);
        cr_expect_null(config, "'%s'", name);
    }
}

Test(configure, says_that_the_compiler_does_not_work, .timeout = 60)
{
    g_autofree char *says = NULL, *config = NULL;

    cr_expect_eq(configure("b", "--cc=false", &says, &config), 1);
    cr_expect(strstr(says, "'false' cannot compile"), "%s", says);
    cr_expect_not(strstr(says, "libc6-dev"), "%s", says);
    cr_expect_null(config);
}

/* Without tail calls the interpreter overflows its stack. */
Test(configure, keeps_the_hot_code_optimised_in_a_debug_build, .timeout = 60)
{
    g_autofree char *says = NULL, *config = NULL;

    cr_expect_eq(configure("b", "--debug", &says, &config), 0, "%s", says);
    const char *fast = config ? strstr(config, "\nFAST_FLAGS :=") : NULL;
    cr_assert_not_null(fast);
    cr_expect(memmem(fast, strcspn(fast + 1, "\n") + 1, " -O2", 4), "%s", fast);
}
