/*
 * The machine library: key files, names, who holds a machine, copies and links.
 *
 * Each test has data, state and runtime folders of its own.
 *
 * Not here: machines that run (test_library_run.c).
 */
#include "ui/cvm.h"
#include "ui/library.h"
#include "ui/library_int.h"
#include "ui/nic.h"
#include "vhd/disk.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* The test's folder, set up; the process ends with the test, so g_free is all that is due. */
static char *begin(void)
{
    static const char *const names[] = {"XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
                                        "XDG_CONFIG_HOME"};
    char *folder = g_dir_make_tmp("candela-library-XXXXXX", NULL);

    cr_assert_not_null(folder);
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        g_autofree char *path = g_build_filename(folder, names[i], NULL);

        cr_assert_eq(mkdir(path, 0700), 0);
        g_setenv(names[i], path, TRUE);
    }
    g_unsetenv("DISPLAY");
    g_unsetenv("WAYLAND_DISPLAY");
    return folder;
}

static void end(char *folder)
{
    const char *const argv[] = {"rm", "-rf", folder, NULL};

    cr_assert_eq(chdir("/"), 0);
    g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL,
                 NULL);
    g_free(folder);
}

static void must(bool good, GError *err)
{
    cr_assert(good, "%s", err ? err->message : "failed without an error");
}

/* The error's text has it; the error is gone then. */
static void must_say(GError **err, const char *has)
{
    cr_assert_not_null(*err, "no error, but '%s' was due", has);
    cr_assert(strstr((*err)->message, has), "'%s' does not say '%s'", (*err)->message, has);
    g_clear_error(err);
}

static void create(const char *name, uint64_t disk, const struct library_option *options)
{
    const struct library_create_args a = {.what = name, .options = options, .disk_bytes = disk};
    GError *err = NULL;

    must(library_create(&a, &err), err);
}

static char *machine_file(const char *name, const char *file)
{
    g_autofree char *machines = library_folder();

    return g_build_filename(machines, name, file, NULL);
}

static char *read_file(const char *path)
{
    char *text = NULL;

    cr_assert(g_file_get_contents(path, &text, NULL, NULL), "%s", path);
    return text;
}

static struct cvm *load_text(const char *folder, const char *text, gssize len, GError **err)
{
    g_autofree char *path = g_build_filename(folder, "t.cvm", NULL);

    cr_assert(g_file_set_contents(path, text, len, NULL));
    return cvm_load(path, err);
}

/* Key files ------------------------------------------------------------------------------------ */

Test(library, a_key_file_means_what_the_command_line_means)
{
    char *folder = begin();
    g_autofree char *disk = g_build_filename(folder, "sub/a.img", NULL);
    g_autofree char *log = g_strconcat("file:", folder, "/com1.log", NULL);
    GError *err = NULL;
    struct options o;
    struct cvm *c = load_text(folder,
                              "# mine\n[machine]\nmemory = 96M\nsmp=3\nhda=sub/a.img\n"
                              "nic=user,hostfwd=tcp::2222-:22;switch:lab\nserial=file:com1.log\n"
                              "snapshot=on\nno-reboot=off\ndrive=file=/x,,y,index=1\n",
                              -1, &err);

    must(c != NULL, err);
    options_init(&o);
    must(cvm_check(c, &o, &err), err);
    cr_expect_eq(o.vm.memory, 96 * MiB);
    cr_expect_eq(o.vm.cpus, 3);
    cr_expect(o.snapshot);
    cr_expect(!o.vm.no_reboot);
    cr_expect_eq(o.vm.nics[1].peer, NIC_PEER_SWITCH);
    cr_expect_str_eq(o.vm.nics[0].user.forward[0], "tcp::2222-:22");
    cr_expect_str_eq(o.vm.serial[0], log);
    for (unsigned i = 0; i < 2; i++) {
        const struct drive_config *d = &o.vm.drives[i];
        cr_expect_str_eq(d->file, d->index ? "/x,y" : disk);
    }
    options_clear(&o);
    cvm_free(c);
    end(folder);
}

Test(library, what_is_wrong_in_a_key_file_is_said_with_its_place)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"[machine]\nmeory=1G\n", "memory"},
        {"[machine]\nm=1G\n", "memory="},
        {"[machine]\nexpect=x\n", "candela run"},
        {"[machine]\nmemory=0\n", "memory"},
        {"[machine]\nmemory=1G\n\nmemory=2G\n", "line 4"},
        {"[machine]\nmemory\n", "line 2"},
        {"memory=1G\n", "line 1"},
        {"[machine\n", "line 1"},
        {"[machin]\n", "machin"},
        {"[machine]\n[machine]\n", "line 2"},
        {"[cvm]\nversion=99\n", "newer"},
        {"[cvm]\nversion=x\n", "version"},
        {"[cvm]\nvison=1\n", "vison"},
        {"[machine]\nhda=a\ndrive=file=b,index=0\n", "primary master"},
        {"[machine]\nappend=\\q\n", "append"},
        {"[machine]\nkernel=x\nappend=a\\nb\n", "control"},
        {"\377\376[", "UTF-8"},
        {"[machine]\nhda[de]=x\n", "no key"},
    };
    char *folder = begin();

    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        GError *err = NULL;
        struct cvm *c = load_text(folder, cases[i].text, -1, &err);
        struct options o;

        options_init(&o);
        cr_expect(!c || !cvm_check(c, &o, &err), "'%s' is taken", cases[i].text);
        cr_assert_not_null(err, "%s", cases[i].text);
        cr_expect(strstr(err->message, cases[i].says), "'%s': %s", cases[i].text, err->message);
        cr_expect(strstr(err->message, "t.cvm"), "%s", err->message);
        cr_expect_eq(err->code, CANDELA_ERROR_FORMAT, "%s", err->message);
        g_clear_error(&err);
        options_clear(&o);
        cvm_free(c);
    }
    end(folder);
}

Test(library, hostile_files_are_errors)
{
    char *folder = begin();
    g_autofree char *loop = g_build_filename(folder, "loop.cvm", NULL);
    g_autofree char *huge = g_build_filename(folder, "huge.cvm", NULL);
    g_autofree char *fifo = g_build_filename(folder, "fifo.cvm", NULL);
    GError *err = NULL;
    FILE *f;

    cr_assert_eq(symlink("loop.cvm", loop), 0);
    cr_expect_null(cvm_load(loop, &err));
    must_say(&err, "loop.cvm");
    cr_assert_not_null(f = fopen(huge, "w"));
    cr_assert_eq(ftruncate(fileno(f), 1 << 30), 0);
    fclose(f);
    cr_expect_null(cvm_load(huge, &err));
    must_say(&err, "too large");
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    cr_expect_null(cvm_load(fifo, &err));
    must_say(&err, "regular");
    cr_expect_null(cvm_load(folder, &err));
    must_say(&err, "folder");
    cr_expect_null(load_text(folder, "[machine]\nmemory=1\0G\n", 21, &err));
    must_say(&err, "no text");
    end(folder);
}

/* Lines of a key file's words, and bytes of anything. */
static void random_text(GRand *h, GString *text)
{
    static const char *const words[] = {
        "[machine]", "[cvm]", "version", "memory", "nic",   "drive", "serial",
        "hda",       "=",     ";",       ",",      "\\",    "\\s",   "#",
        "\n",        "\n",    "\n",      " ",      "user",  "file=", "hostfwd=unix:",
        "mac=",      "..",    "/",       "on",     "\t",    "[",     "]",
        "file:",     "1G",    "append",  "uuid",   "trace",
    };

    g_string_truncate(text, 0);
    if (g_rand_int(h) % 2) {
        g_string_append(text, "[machine]\n");
    }
    for (unsigned n = g_rand_int(h) % 60; n; n--) {
        if (g_rand_int(h) % 16) {
            g_string_append(text, words[g_rand_int(h) % ARRAY_LEN(words)]);
        } else {
            g_string_append_c(text, (char)g_rand_int(h));
        }
    }
}

Test(library, random_key_files_never_crash, .timeout = 120)
{
    char *folder = begin();
    g_autoptr(GString) text = g_string_new(NULL);
    GRand *h = g_rand_new_with_seed(1);
    unsigned taken = 0;

    for (unsigned i = 0; i < 4000; i++) {
        GError *err = NULL;
        struct options o;

        random_text(h, text);
        struct cvm *c = load_text(folder, text->str, (gssize)text->len, &err);
        options_init(&o);
        bool good = c && cvm_check(c, &o, &err);
        cr_assert_eq(good, err == NULL, "%s", text->str);
        if (good) {
            taken++;
            must(cvm_save(c, &err), err);
        }
        g_clear_error(&err);
        options_clear(&o);
        cvm_free(c);
    }
    g_rand_free(h);
    cr_expect_gt(taken, 0);
    end(folder);
}

Test(library, a_change_leaves_comments_and_order)
{
    static const char before[] = "# my machine\n\n[machine]\n# plenty\nmemory=64M\n\n# disks\n"
                                 "hda=a.img\nnic=user;switch:lab\n";
    static const struct library_option options[] = {
        {"memory", "128M"}, {"nic", "user,hostfwd=tcp::1-:2"}, {"nic", "open"}, {"hda", NULL}, {0}};
    char *folder = begin();
    GError *err = NULL;
    g_autofree char *path = g_build_filename(folder, "t.cvm", NULL), *after = NULL;

    cvm_free(load_text(folder, before, -1, &err));
    must(library_edit(path, options, &err), err);
    after = read_file(path);
    cr_expect_str_eq(after, "# my machine\n\n[machine]\n# plenty\nmemory=128M\n\n# disks\n"
                            "nic=user,hostfwd=tcp::1-:2;open\n");
    end(folder);
}

Test(library, paths_typed_are_kept_relative_inside_the_folder)
{
    char *folder = begin();
    g_autofree char *path = g_build_filename(folder, "m", "t.cvm", NULL);
    g_autofree char *sub = g_build_filename(folder, "m", NULL);
    g_autofree char *here = g_build_filename(folder, "here.iso", NULL);
    struct cvm *c = cvm_new(path);
    struct {
        const char *option, *typed;
        char *kept;
    } cases[] = {
        {"cdrom", "here.iso", g_strdup(here)},
        {"hda", "own.vhd", g_strdup("own.vhd")},
        {"hda", "./m/own.vhd", g_strdup("own.vhd")},
        {"hda", "m/../m/x", g_strdup("m/../m/x")},
        {"drive", "file=here.iso,media=cdrom", g_strconcat("file=", here, ",media=cdrom", NULL)},
        {"serial", "file:log", g_strdup("file:log")},
        {"serial", "stdio", g_strdup("stdio")},
        {"nic", "user,pcap=../p,mac=52:54:00:1:2:3", NULL},
        {"memory", "here.iso", g_strdup("here.iso")},
    };

    cr_assert_eq(mkdir(sub, 0700), 0);
    cr_assert(g_file_set_contents(here, "x", 1, NULL));
    cr_assert_eq(chdir(folder), 0);
    g_autofree char *up = g_path_get_dirname(folder);
    cases[7].kept = g_strconcat("user,pcap=", up, "/p,mac=52:54:00:1:2:3", NULL);
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        g_autofree char *kept =
            cvm_adopt(c, (unsigned)options_find(cases[i].option), cases[i].typed);

        cr_expect_str_eq(kept, cases[i].kept, "%s: %s", cases[i].typed, kept);
        g_free(cases[i].kept);
    }
    cvm_free(c);
    end(folder);
}

/* Names and machines --------------------------------------------------------------------------- */

Test(library, names_that_would_be_trouble_are_refused)
{
    static const char *const bad[] = {"",     ".",   "..",       ".x",          "-x",    "a/b",
                                      "a\nb", "a,b", "a=b",      " a",          "a.cvm", "a\033b",
                                      "\377", "a ",  "\xc2\x9b", "\xe2\x80\xae"};
    static const char *const good[] = {"lab", "Windows 98", "Übung", "試験", "a.b-c_d"};
    g_autofree char *is_long = g_strnfill(65, 'x');

    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        GError *err = NULL;

        cr_expect(!library_name_check(bad[i], &err), "'%s'", bad[i]);
        cr_expect(err && err->code == CANDELA_ERROR_CONFIG);
        g_clear_error(&err);
    }
    cr_expect(!library_name_check(is_long, NULL));
    for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
        cr_expect(library_name_check(good[i], NULL), "'%s'", good[i]);
    }
}

Test(library, a_machine_is_made_listed_changed_and_removed)
{
    static const struct library_option options[] = {{"memory", "64M"}, {"smp", "2"}, {0}};
    static const struct library_option wrong[] = {{"memory", "1"}, {"smp", "0"}, {0}};
    char *folder = begin();
    g_autofree char *file = machine_file("lab", "machine.cvm"), *note = NULL;
    g_autofree char *extra = machine_file("lab", "notes.txt"), *before = NULL, *after = NULL;
    GError *err = NULL;

    create("lab", 64 * MiB, options);
    create("Übung 2", 0, NULL);
    GPtrArray *all = library_list();
    cr_assert_eq(all->len, 2);
    const struct library_machine *m = g_ptr_array_index(all, 0);
    cr_expect_str_eq(m->name, "lab");
    cr_expect_eq(m->memory, 64 * MiB);
    cr_expect_eq(m->cpus, 2);
    cr_expect_eq(m->disks->len, 1);
    cr_expect_eq(m->state, LIBRARY_OFF);
    cr_expect_eq(m->begun, 0);
    g_ptr_array_unref(all);

    before = read_file(file);
    cr_expect(!library_edit("lab", wrong, &err));
    must_say(&err, "smp");
    after = read_file(file);
    cr_expect_str_eq(before, after);
    const struct library_create_args again = {.what = "lab"};
    cr_expect(!library_create(&again, &err));
    must_say(&err, "already");
    cr_expect_null(library_look("lub", &err));
    must_say(&err, "nearest: lab");

    cr_assert(g_file_set_contents(extra, "x", 1, NULL));
    must(library_delete("lab", &note, &err), err);
    cr_expect(note && strstr(note, "notes.txt"), "%s", note ? note : "no note");
    cr_expect(g_file_test(extra, G_FILE_TEST_EXISTS));
    cr_expect(!g_file_test(file, G_FILE_TEST_EXISTS));
    end(folder);
}

Test(library, a_failure_to_make_a_machine_leaves_nothing)
{
    static const struct library_option options[] = {{"hda", "x.img"}, {0}};
    char *folder = begin();
    const struct library_create_args a = {.what = "lab", .options = options, .disk_bytes = MiB};
    g_autofree char *machines = library_folder();
    GError *err = NULL;

    cr_expect(!library_create(&a, &err));
    must_say(&err, "hda");
    GDir *dir = g_dir_open(machines, 0, NULL);
    cr_assert_not_null(dir);
    const char *name = g_dir_read_name(dir);
    cr_expect_null(name, "%s", name);
    g_dir_close(dir);
    end(folder);
}

Test(library, only_the_machines_own_files_are_deleted)
{
    char *folder = begin();
    g_autofree char *outside = g_build_filename(folder, "outside.img", NULL);
    g_autofree char *link = NULL, *iso = NULL;
    const struct library_option options[] = {
        {"hda", outside}, {"hdb", "link.img"}, {"cdrom", "a.iso"}, {0}};
    g_auto(GStrv) list = NULL;
    GError *err = NULL;

    create("lab", 0, options);
    link = machine_file("lab", "link.img");
    iso = machine_file("lab", "a.iso");
    cr_assert(g_file_set_contents(outside, "x", 1, NULL) && g_file_set_contents(iso, "x", 1, NULL));
    cr_assert_eq(symlink(outside, link), 0);
    list = library_delete_list("lab", &err);
    must(list != NULL, err);
    cr_expect_eq(g_strv_length(list), 1, "%s", list[0]);
    must(library_delete("lab", NULL, &err), err);
    cr_expect(g_file_test(outside, G_FILE_TEST_EXISTS) && g_file_test(iso, G_FILE_TEST_EXISTS));
    end(folder);
}

Test(library, who_holds_a_machine_is_said)
{
    static const struct library_option options[] = {{"memory", "64M"}, {0}};
    char *folder = begin();
    struct place p;
    GError *err = NULL;
    g_autofree char *pid = g_strdup_printf("process %ld", (long)getpid());

    create("lab", 0, NULL);
    must(library_place_find(&p, "lab", &err), err);
    int lock = library_place_lock(&p, true, &err);
    must(lock >= 0, err);
    cr_expect(!library_edit("lab", options, &err));
    must_say(&err, pid);
    cr_expect(!library_delete("lab", NULL, &err));
    must_say(&err, "running");
    struct library_machine *m = library_look("lab", &err);
    cr_expect_eq(m->state, LIBRARY_STARTING);
    cr_expect_eq(m->pid, getpid());
    library_machine_free(m);
    library_place_unlock(lock);
    must(library_edit("lab", options, &err), err);
    library_place_clear(&p);
    end(folder);
}

/* Copies --------------------------------------------------------------------------------------- */

static void mac_of(const char *what, uint8_t mac[6])
{
    struct library_machine *m = library_look(what, NULL);
    struct cvm *c = cvm_load(m->file, NULL);
    struct options o;

    options_init(&o);
    cr_assert(cvm_check(c, &o, NULL));
    nic_give_macs(&o.vm);
    memcpy(mac, o.vm.nics[0].mac, 6);
    options_clear(&o);
    cvm_free(c);
    library_machine_free(m);
}

static char *disk_of(const char *what)
{
    struct library_machine *m = library_look(what, NULL);
    char *path = g_strdup(g_ptr_array_index(m->disks, 0));

    library_machine_free(m);
    return path;
}

static void clone(const char *from, const char *to, bool linked)
{
    const struct library_clone_args a = {.from = from, .to = to, .linked = linked};
    GError *err = NULL;

    must(library_clone(&a, &err), err);
}

Test(library, a_clone_has_its_own_disks_and_addresses)
{
    static const struct library_option options[] = {
        {"nic", "user,mac=52:54:00:00:00:01"}, {"cdrom", "a.iso"}, {"serial", "file:log"}, {0}};
    char *folder = begin();
    uint8_t old[6], new[6];
    GError *err = NULL;

    create("lab", 64 * MiB, options);
    mac_of("lab", old);
    clone("lab", "copy", false);
    mac_of("copy", new);
    cr_expect(memcmp(old, new, 6));
    g_autofree char *disk = disk_of("copy"), *want = machine_file("copy", "copy.vhd");
    cr_expect_str_eq(disk, want);
    struct disk_info *info = disk_info_new(disk, DRIVE_FORMAT_AUTO, &err);
    must(info != NULL, err);
    cr_expect_eq(info->kind, DISK_DYNAMIC);
    cr_expect_eq(info->size, 64 * MiB);
    disk_info_free(info);
    g_autofree char *iso = machine_file("lab", "a.iso");
    g_auto(GStrv) cd = library_get("copy", "cdrom", &err),
                  serial = library_get("copy", "serial", &err);
    cr_expect_str_eq(cd[0], iso);
    cr_expect_str_eq(serial[0], "file:log");
    end(folder);
}

Test(library, a_name_more_is_still_the_same_machine)
{
    char *folder = begin();
    uint8_t old[6], new[6];
    GError *err = NULL;

    create("lab", MiB, NULL);
    mac_of("lab", old);
    must(library_rename("lab", "Labor", &err), err);
    mac_of("Labor", new);
    cr_expect_arr_eq(old, new, 6);
    cr_expect_null(library_look("lab", &err));
    must_say(&err, "no machine");
    create("lab", 0, NULL);
    cr_expect(!library_rename("lab", "Labor", &err));
    must_say(&err, "already");
    end(folder);
}

Test(library, linked_clones_share_what_nobody_writes_to)
{
    char *folder = begin();
    GError *err = NULL;
    g_autofree char *base = NULL;

    create("lab", 64 * MiB, NULL);
    base = disk_of("lab");
    clone("lab", "one", true);
    clone("lab", "two", true);
    g_autofree char *mine = disk_of("lab");
    cr_expect_str_neq(mine, base, "the old machine still writes to the base");
    static const char *const all[] = {"lab", "one", "two"};
    for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
        g_autofree char *disk = disk_of(all[i]);
        struct disk_info *info = disk_info_new(disk, DRIVE_FORMAT_AUTO, &err);

        must(info != NULL, err);
        cr_expect_eq(info->kind, DISK_DIFFERENCING);
        cr_assert_not_null(info->parent.path, "%s", info->parent.problem);
        cr_expect_str_eq(info->parent.path, base, "%s: a tower", all[i]);
        disk_info_free(info);
    }
    cr_expect(!library_delete("lab", NULL, &err));
    must_say(&err, "one");
    cr_expect(!library_rename("lab", "new", &err));
    must_say(&err, "one");
    must(library_delete("one", NULL, &err) && library_delete("two", NULL, &err), err);
    must(library_delete("lab", NULL, &err), err);
    cr_expect(!g_file_test(base, G_FILE_TEST_EXISTS));
    end(folder);
}

Test(library, a_raw_disk_cannot_be_linked_and_nothing_is_left)
{
    char *folder = begin();
    g_autofree char *raw = g_build_filename(folder, "raw.img", NULL);
    const struct disk_create_args disk = {.path = raw, .kind = DISK_RAW, .size = MiB};
    const struct library_option options[] = {{"hdb", raw}, {0}};
    const struct library_clone_args a = {.from = "lab", .to = "one", .linked = true};
    GError *err = NULL;

    must(disk_create(&disk, &err), err);
    create("lab", MiB, options);
    g_autofree char *before = disk_of("lab"), *second = machine_file("lab", "lab-2.vhd");
    cr_expect(!library_clone(&a, &err));
    must_say(&err, "raw");
    g_autofree char *after = disk_of("lab");
    cr_expect_str_eq(before, after);
    cr_expect(!g_file_test(second, G_FILE_TEST_EXISTS));
    cr_expect_null(library_look("one", NULL));
    end(folder);
}
