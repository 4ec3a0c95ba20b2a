/*
 * The manual pages and the tables that options and commands come from: what stands in the one
 * stands in the other.
 */
#include "tests/rig.h"
#include "ui/disk.h"
#include "ui/monitor_cmd.h"
#include "ui/options.h"
#include <criterion/criterion.h>

/* A page as it is read: without the escapes that dashes and fonts need. */
static char *manual_read(const char *name)
{
    g_autofree char *path = g_strconcat(TESTS_DIR "/../docs/man/", name, NULL), *raw = NULL;
    g_autoptr(GRegex) fonts = g_regex_new("\\\\f[A-Z]", 0, 0, NULL);
    g_autofree char *plain = NULL;
    g_auto(GStrv) dashes = NULL;

    cr_assert(g_file_get_contents(path, &raw, NULL, NULL), "%s", path);
    plain = g_regex_replace_literal(fonts, raw, -1, 0, "", 0, NULL);
    dashes = g_strsplit(plain, "\\-", -1);
    return g_strjoinv("-", dashes);
}

/* What stands under that heading. */
static char *manual_section(const char *page, const char *heading)
{
    g_autofree char *line = g_strdup_printf("\n.SH %s\n", heading);
    const char *begin = strstr(page, line), *end;

    cr_assert(begin, "no section %s", heading);
    begin += strlen(line);
    end = strstr(begin, "\n.SH ");
    return end ? g_strndup(begin, (gsize)(end - begin)) : g_strdup(begin);
}

/* What `pattern`'s first group matches: names, each once. */
static GHashTable *names_in(const char *text, const char *pattern)
{
    GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GRegex) regex = g_regex_new(pattern, G_REGEX_MULTILINE, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;

    cr_assert(regex, "%s", pattern);
    for (g_regex_match(regex, text, 0, &match); g_match_info_matches(match);
         g_match_info_next(match, NULL)) {
        g_hash_table_add(names, g_match_info_fetch(match, 1));
    }
    cr_assert_gt(g_hash_table_size(names), 3, "%s", pattern);
    return names;
}

static void expect_all(GHashTable *names, GHashTable *in, const char *what)
{
    GHashTableIter iter;
    gpointer name;

    g_hash_table_iter_init(&iter, names);
    while (g_hash_table_iter_next(&iter, &name, NULL)) {
        cr_expect(g_hash_table_contains(in, name), "%s is not in %s", (char *)name, what);
    }
}

static void expect_same(const char *page, const char *page_names, const char *help,
                        const char *help_names)
{
    g_autoptr(GHashTable) in_page = names_in(page, page_names);
    g_autoptr(GHashTable) in_help = names_in(help, help_names);

    expect_all(in_page, in_help, "the tables");
    expect_all(in_help, in_page, "the manual");
}

#define OPTION  "-{1,2}([[:alpha:]][[:alnum:]-]*)"
#define IN_PAGE "(?<![[:alnum:],-])" OPTION
#define IN_HELP "(?:^  |\\G, )" OPTION

/* The lines that begin a paragraph: what it is about. */
static char *manual_tags(const char *section)
{
    g_autoptr(GRegex) regex = g_regex_new("^\\.TP\\n(.*)$", G_REGEX_MULTILINE, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    GString *tags = g_string_new(NULL);

    for (g_regex_match(regex, section, 0, &match); g_match_info_matches(match);
         g_match_info_next(match, NULL)) {
        g_autofree char *tag = g_match_info_fetch(match, 1);

        g_string_append_printf(tags, "%s\n", tag);
    }
    return g_string_free(tags, FALSE);
}

Test(manual, run_has_every_option_and_no_other)
{
    g_autofree char *page = manual_read("candela-run.1");
    g_autofree char *section = manual_section(page, "OPTIONS"), *tags = manual_tags(section);
    g_autoptr(GString) help = g_string_new(NULL);

    options_help(help);
    expect_same(tags, IN_PAGE, help->str, IN_HELP);
}

/* The table of the program's own commands is in ui/main.c, which is no part of the tests. */
Test(manual, overview_has_every_command_and_no_other)
{
    const char *candela = g_getenv("CANDELA") ? g_getenv("CANDELA") : "./candela";
    char *argv[] = {(char *)candela, "--help", NULL};
    g_autofree char *page = manual_read("candela.1"), *out = NULL;
    g_autofree char *section = manual_section(page, "COMMANDS"), *tags = manual_tags(section);

    if (!g_file_test(candela, G_FILE_TEST_IS_EXECUTABLE)) {
        cr_skip_test("%s is not built", candela);
    }
    cr_assert(g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, NULL, NULL, NULL));
    expect_same(tags, "(?:^\\.BR? |\", \" )([a-z]+)", out, "^  (\\w+)");
}

Test(manual, disk_has_every_option_and_no_other)
{
    g_autofree char *page = manual_read("candela-disk.1");
    g_autoptr(GString) help = g_string_new(NULL);
    g_autofree char *synopsis = manual_section(page, "SYNOPSIS"), *text = NULL;
    g_autofree char *options = manual_section(page, "OPTIONS");

    for (unsigned n = 0; disk_command_at(n); n++) {
        disk_help(disk_command_at(n), help);
    }
    text = g_strconcat(synopsis, "\n", options, NULL);
    expect_same(text, IN_PAGE, help->str, IN_HELP);
}

Test(manual, disk_has_every_command_and_no_other)
{
    g_autofree char *page = manual_read("candela-disk.1");
    g_autofree char *section = manual_section(page, "SYNOPSIS");
    g_autoptr(GString) help = g_string_new(NULL);

    disk_help(NULL, help);
    expect_same(section, "^\\.B candela disk (\\w+)$", help->str, "^  (\\w+)");
}

static void add_commands(const struct command *table, const char *before, GString *out)
{
    for (; table->name; table++) {
        g_string_append_printf(out, "%s%s\n", before, table->name);
    }
}

Test(manual, monitor_has_every_command_and_no_other)
{
    g_autofree char *page = manual_read("candela-monitor.7");
    g_autofree char *section = manual_section(page, "COMMANDS");
    g_autoptr(GString) names = g_string_new(NULL);

    add_commands(monitor_commands, "", names);
    add_commands(monitor_topics, "info ", names);
    expect_same(section, "^\\.TP\\n\\.B[RI]? \"?((?:info )?\\w+)", names->str, "^(.+)$");
}

/* The short names, too. */
Test(manual, monitor_has_every_other_name)
{
    g_autofree char *page = manual_read("candela-monitor.7");
    g_autofree char *section = manual_section(page, "COMMANDS");

    for (const struct command *cmd = monitor_commands; cmd->name; cmd++) {
        if (cmd->also) {
            g_autofree char *name = g_regex_escape_string(cmd->also, -1);
            g_autofree char *pattern =
                g_strdup_printf("(?m)^\\.B.* \"?%s\\b.*\\(.*%s[ \"]*\\)", cmd->name, name);

            cr_expect(g_regex_match_simple(pattern, section, 0, 0), "%s is missing", cmd->also);
        }
    }
}
