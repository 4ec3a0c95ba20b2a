/*
 * What `candela __complete` says: words by the tables, places of values, files.
 */
#include "tests/rig.h"
#include "ui/commands.h"
#include "ui/complete.h"
#include "ui/options.h"
#include <criterion/criterion.h>

typedef void completer(struct completion *c, int argc, char *const *argv);

/* Complete the last of these words (blanks separate); the offers, without their help, by blanks
 * apart. */
static char *offers(completer *complete, const char *line)
{
    g_auto(GStrv) argv = g_strsplit(line, " ", -1), lines = NULL;
    unsigned argc = g_strv_length(argv);
    struct completion c = {.begun = argv[argc - 1], .out = g_string_new(NULL)};
    GString *all = g_string_new(NULL);

    complete(&c, (int)argc, argv);
    lines = g_strsplit(c.out->str, "\n", -1);
    for (char **l = lines; *l && **l; l++) {
        const char *tab = strchr(*l, '\t');

        cr_expect(tab, "'%s': '%s' is no offer", line, *l);
        if (**l == ':') {
            g_string_append_printf(all, "%s%s", all->len ? " " : "", *l);
        } else {
            cr_expect(g_str_has_prefix(*l, c.begun), "'%s': %s", line, *l);
            g_string_append_printf(all, "%s%.*s", all->len ? " " : "", (int)(tab - *l), *l);
        }
    }
    g_string_free(c.out, TRUE);
    return g_string_free(all, FALSE);
}

static void expect_offers(completer *complete, const char *line, const char *expected)
{
    g_autofree char *got = offers(complete, line);

    cr_expect_str_eq(got, expected, "'%s' offers '%s'", line, got);
}

Test(complete, run_offers_names_and_values)
{
    static const struct {
        const char *line, *offers;
    } cases[] = {
        {"-mem", "-memory"},
        {"--mem", "--memory"},
        {"-hd", "-hda -hdb -hdc -hdd"},
        {"-q", "-quiet -q"},
        {"-m 1G -snap", "-snapshot"},
        {"-memory=1G -snap", "-snapshot"},
        {"-hda -snap", "-snapshot"}, /* a value that was forgotten */
        {"-accel i", "interp"},
        {"--accel=i", "--accel=interp"},
        {"-accel check:j", "check:jit,interp"},
        {"--on-triple-fault ", "reset pause exit"},
        {"-cpu pentium", "pentium pentium3"},
        {"-net ", "none"},
        {"-d io,exc", "io,excp"},
        {"-boot ", "a c d n"},
        {"-boot dc,", "dc,menu="},
        {"-boot dc,menu=o", "dc,menu=on dc,menu=off"},
        {"-smp 4,c", "4,cores="},
        {"-rtc ", "base= clock="},
        {"-rtc base=u", "base=utc"},
        {"-drive f", "file= format="},
        {"-drive file=a,if=", "file=a,if=ide file=a,if=floppy"},
        {"-nic u", "user"},
        {"-nic sw", "switch:"},
        {"-nic user,ipv", "user,ipv6="},
        {"-nic user,vlan=", "user,vlan=all user,vlan=trunk"},
        {"-serial p", "pty pipe:"},
        {"-serial tcp::1,no", "tcp::1,nowait"},
        {"-max-time ", ""},
        {"-nosuch", ""},
        {"-nosuch=", ""},
        {"-=", ""},
        {"=,=", ""},
        {"-- -m", ""},
        {"-debug-exit -nogr", "-nographic"},
        {"-debug-exit 0xf4 -nogr", "-nographic"},
    };

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        expect_offers(options_complete, cases[i].line, cases[i].offers);
    }
}

Test(complete, run_offers_files)
{
    expect_offers(options_complete, "-hda ", ":files\t" ENDINGS_DISK "\t");
    expect_offers(options_complete, "-hda de", ":files\t" ENDINGS_DISK "\t");
    expect_offers(options_complete, "-hda=de", ":files\t" ENDINGS_DISK "\t-hda=");
    expect_offers(options_complete, "-cdrom ", ":files\tiso\t");
    expect_offers(options_complete, "-fdb ", ":files\t" ENDINGS_FLOPPY "\t");
    expect_offers(options_complete, "-bios ", ":files\t*\t");
    expect_offers(options_complete, "-serial file:x", ":files\t*\tfile:");
    expect_offers(options_complete, "-drive if=ide,file=", ":files\t*\tif=ide,file=");
    expect_offers(options_complete, "-drive file=a,,b", ":files\t*\tfile="); /* one comma */
    expect_offers(options_complete, "-nic user,tftp=b", ":folders\t*\tuser,tftp=");
}

/* Each name of the help is offered, and nothing is offered twice. */
Test(complete, run_offers_every_option)
{
    g_autofree char *all = offers(options_complete, "-");
    g_auto(GStrv) words = g_strsplit(all, " ", -1);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (char **word = words; *word; word++) {
        cr_expect(g_hash_table_add(seen, *word), "%s twice", *word);
    }
    for (unsigned i = 0; options_name(i); i++) {
        g_autofree char *one = g_strconcat("-", options_name(i), NULL);
        g_autofree char *two = g_strconcat("-", one, NULL);

        cr_expect(g_hash_table_contains(seen, one) || g_hash_table_contains(seen, two), "%s", one);
    }
}

Test(complete, disk_offers_commands_options_and_files)
{
    expect_offers(complete_disk, "co", "convert compact");
    expect_offers(complete_disk, "create --pa", "--parent");
    expect_offers(complete_disk, "info --pa", "");
    expect_offers(complete_disk, "create x.vhd --type d", "dynamic differencing");
    expect_offers(complete_disk, "create x.vhd --format=", "--format=vhd --format=raw");
    expect_offers(complete_disk, "info ", ":files\t" ENDINGS_DISK "\t");
    expect_offers(complete_disk, "info a.vhd ", "");
    expect_offers(complete_disk, "convert a.vhd ", ":files\t" ENDINGS_DISK "\t");
    expect_offers(complete_disk, "create --parent ", ":files\t" ENDINGS_DISK "\t");
    expect_offers(complete_disk, "nosuch ", "");
}

Test(complete, machines_offer_options_and_commands)
{
    expect_offers(complete_set, "lab mem", "memory=");
    expect_offers(complete_set, "lab accel=i", "accel=interp");
    expect_offers(complete_set, "lab snapshot=", "snapshot=on snapshot=off");
    expect_offers(complete_set, "lab cdrom=x", ":files\tiso\tcdrom=");
    expect_offers(complete_set, "lab nosuch=x", "");
    expect_offers(complete_create, "lab --disk", "--disk");
    expect_offers(complete_start, "lab --head", "--headless");
    expect_offers(complete_ctl, "lab system_", "system_powerdown system_reset system_sleep");
}

/* The part that is bash's. */
Test(complete, in_bash)
{
    const char *candela = g_getenv("CANDELA") ? g_getenv("CANDELA") : "./candela";
    char *argv[] = {"bash", TESTS_DIR "/ui/completion.sh", (char *)candela,
                    TESTS_DIR "/../data/completions", NULL};
    g_autofree char *out = NULL, *err = NULL;
    int status;

    if (!g_file_test(candela, G_FILE_TEST_IS_EXECUTABLE)) {
        cr_skip_test("%s is not built", candela);
    }
    cr_assert(
        g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status, NULL));
    cr_expect(!status && !*out && !*err, "%s%s", out, err);
}
