/*
 * candela disk as a program: exit codes and messages, JSON, other people's tools as judges, and
 * what is left when it is ended, killed, or the disk is full.
 *
 * Not modelled: the guest.
 */
#define _GNU_SOURCE
#include "ui/disk.h"
#include "tests/vhd/disk_rig.h"
#include "ui/disk_progress.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (24 * MiB)

static unsigned count_lines(const char *text)
{
    unsigned n = 0;

    for (; *text; text++) {
        n += *text == '\n';
    }
    return n;
}

/* Words with blanks between them; "@" is the folder. */
static struct disk_ran run_line(const struct disk_dir *d, const char *line)
{
    g_auto(GStrv) parts = g_strsplit(line, "@", -1);
    g_autofree char *full = g_strjoinv(d->path, parts);
    g_autofree char *command = g_strdup_printf("exec %s disk %s", disk_program(), full);

    return disk_run(0, "/bin/sh", "-c", command, NULL);
}

#define expect_line(d, code, line)                                                                 \
    do {                                                                                           \
        struct disk_ran ran_ = run_line(d, line);                                                  \
        cr_assert_eq(ran_.status, code, "'%s' gave %d: %s%s", line, ran_.status, ran_.out,         \
                     ran_.err);                                                                    \
        disk_ran_clear(&ran_);                                                                     \
    } while (0)

/* base.vhd (dynamic), its child.vhd, fixed.vhd, x.img. */
static void make_images(struct disk_dir *d)
{
    g_autofree char *raw = disk_dir_file(d, "x.img"), *child = disk_dir_file(d, "child.vhd");

    disk_make_raw(raw, SIZE, 11);
    expect_line(d, 0, "convert @/x.img @/base.vhd");
    expect_line(d, 0, "convert @/x.img @/fixed.vhd --type fixed");
    expect_line(d, 0, "create @/child.vhd --parent @/base.vhd");
    disk_poke(child, 3 * MiB, MiB, 0x42);
}

/* Names and contents of everything in the folder. */
static char *list_folder(const struct disk_dir *d)
{
    g_autofree char *command =
        g_strdup_printf("cd %s && ls -A && stat -c '%%n %%Y %%s' * && md5sum *", d->path);
    struct disk_ran r = disk_run(0, "/bin/sh", "-c", command, NULL);

    g_free(r.err);
    return r.out;
}

/* Wrong usage ---------------------------------------------------------------------------------- */

static const struct bad_case {
    const char *line;
    int status;
    const char *says;
} bad_cases[] = {
    {"creat @/new.vhd --size 1M", 2, "nearest: create"},
    {"create @/new.vhd --sise 1M", 2, "nearest: --size"},
    {"create @/new.vhd", 2, "--size"},
    {"create --size 1M", 2, "FILE"},
    {"create @/new.vhd --size 1x", 2, "'x'"},
    {"create @/new.vhd --size 100", 2, "512"},
    {"create @/new.vhd --size 0", 2, "--size"},
    {"create @/new.vhd --size 2041G", 2, "2040G"},
    {"create @/new.vhd --size", 2, "needs a value"},
    {"create @/new.vhd @/other.vhd --size 1M", 2, "other.vhd"},
    {"create @/new.vhd --size 1M --format vhdx", 2, "vhdx"},
    {"create @/new.vhd --size 1M --type thick", 2, "thick"},
    {"create @/new.img --size 1M --format raw --type fixed", 2, "--type"},
    {"create @/new.vhd --type differencing", 2, "--parent"},
    {"create @/new.vhd --size 1M --type fixed --parent @/base.vhd", 2, "--parent"},
    {"create @/new.vhd --size 1M --parent @/base.vhd", 2, "size"},
    {"create @/new.vhd --parent @/x.img", 3, "x.img"},
    {"create @/new.vhd --parent @/none.vhd", 3, "none.vhd"},
    {"create @/none/new.vhd --size 1M", 3, "@/none"},
    {"create @/base.vhd --size 1M", 3, "--force"},
    {"create @/base.vhd --size 1M --force", 3, "child.vhd"},
    {"create @ --size 1M", 3, "folder"},
    {"create @ --size 1M --force", 3, "folder"},
    {"create /dev/null --size 1M --force", 3, "regular"},
    {"info @/none.vhd", 3, "no such file"},
    {"info @", 3, "folder"},
    {"info @/base.vhd --jsn", 2, "nearest: --json"},
    {"info @/base.vhd --repair", 2, "--repair"},
    {"info @/base.vhd --json=yes", 2, "no value"},
    {"check @/none.vhd", 3, "no such file"},
    {"check @/x.img --format vhd", 3, "no VHD"},
    {"convert @/x.img", 2, "TARGET"},
    {"convert @/x.img @/new", 2, "--format"},
    {"convert @/x.img @/new.vhd --type differencing", 2, "differencing"},
    {"convert @/none.img @/new.vhd", 3, "none.img"},
    {"convert @/x.img @/x.img --format raw", 2, "source as well"},
    {"convert @/x.img @/x.img --format raw --force", 2, "source as well"},
    {"convert @/child.vhd @/base.vhd --force", 3, "child.vhd"},
    {"convert @/x.img @/new.vhd --source-format vhd", 3, "no VHD"},
    {"compact @/base.vhd", 3, "child.vhd"},
    {"resize @/base.vhd 48M", 3, "child.vhd"},
    {"resize @/child.vhd 48M", 3, "parent"},
    {"resize @/fixed.vhd", 2, "SIZE"},
    {"resize @/fixed.vhd 1000", 2, "512"},
    {"resize @/fixed.vhd 1M", 3, "--shrink"},
    {"resize @/fixed.vhd 3T", 2, "2040G"},
    {"merge @/base.vhd", 3, "differencing"},
    {"merge @/child.vhd --type fixed", 2, "--into"},
    {"merge @/child.vhd --into @/base.vhd", 3, "--force"},
    {"tree @/none.vhd", 3, "none.vhd"},
    {"-- tree @/base.vhd", 2, "--"},
    {"info -- --json", 3, "--json"},
};

Test(disk_command, wrong_use_gives_one_clear_line_and_changes_nothing, .timeout = 200)
{
    struct disk_dir d;

    disk_program();
    disk_dir_init(&d);
    make_images(&d);
    g_autofree char *before = list_folder(&d);
    for (unsigned i = 0; i < ARRAY_LEN(bad_cases); i++) {
        const struct bad_case *b = &bad_cases[i];
        struct disk_ran r = run_line(&d, b->line);
        g_auto(GStrv) parts = g_strsplit(b->says, "@", -1);
        g_autofree char *says = g_strjoinv(d.path, parts);

        cr_expect_eq(r.status, b->status, "'%s' gave %d: %s", b->line, r.status, r.err);
        cr_expect(strstr(r.err, says), "'%s' does not say '%s': %s", b->line, says, r.err);
        cr_expect_eq(count_lines(r.err), 1, "'%s': %s", b->line, r.err);
        cr_expect_str_eq(r.out, "", "'%s'", b->line);
        disk_ran_clear(&r);
    }
    g_autofree char *after = list_folder(&d);
    cr_assert_str_eq(after, before);
    disk_dir_fini(&d);
}

Test(disk_command, image_in_use_is_refused_but_shown, .timeout = 60)
{
    static const char *const lines[] = {
        "compact @/fixed.vhd", "resize @/fixed.vhd 48M",          "check @/fixed.vhd",
        "merge @/child.vhd",   "convert @/fixed.vhd @/other.img", "create @/fixed.vhd --size 1M -f",
    };
    struct disk_dir d;

    disk_program();
    disk_dir_init(&d);
    make_images(&d);
    g_autofree char *fixed = disk_dir_file(&d, "fixed.vhd"), *base = disk_dir_file(&d, "base.vhd");
    struct image *a = image_open(fixed, DRIVE_FORMAT_VHD, false, false, &host_file_ops, NULL, NULL);
    struct image *b = image_open(base, DRIVE_FORMAT_VHD, true, false, &host_file_ops, NULL, NULL);
    for (unsigned i = 0; i < ARRAY_LEN(lines); i++) {
        struct disk_ran r = run_line(&d, lines[i]);

        cr_expect_eq(r.status, 3, "%s: %d", lines[i], r.status);
        cr_expect(strstr(r.err, "in use"), "%s: %s", lines[i], r.err);
        disk_ran_clear(&r);
    }
    struct disk_ran r = run_line(&d, "info @/fixed.vhd");
    cr_expect(strstr(r.out, "for writing"), "%s", r.out);
    disk_ran_clear(&r);
    r = run_line(&d, "info @/base.vhd");
    cr_expect(strstr(r.out, "for reading"), "%s", r.out);
    disk_ran_clear(&r);
    expect_line(&d, 0, "check @/base.vhd");
    expect_line(&d, 0, "tree @/child.vhd");
    image_close(a);
    image_close(b);
    disk_dir_fini(&d);
}

/* JSON ----------------------------------------------------------------------------------------- */

static JsonNode *run_json(const struct disk_dir *d, int code, const char *line)
{
    struct disk_ran r = run_line(d, line);
    GError *err = NULL;
    JsonNode *root = json_from_string(r.out, &err);

    cr_assert_eq(r.status, code, "%s", r.err);
    cr_assert_not_null(root, "%s: %s", r.out, err ? err->message : "");
    disk_ran_clear(&r);
    return root;
}

Test(disk_command, json_says_what_there_is, .timeout = 60)
{
    struct disk_dir d;

    disk_program();
    disk_dir_init(&d);
    make_images(&d);
    JsonNode *node = run_json(&d, 0, "info @/child.vhd --json");
    JsonObject *o = json_node_get_object(node);
    g_autofree char *base = disk_dir_file(&d, "base.vhd");
    cr_expect_str_eq(json_object_get_string_member(o, "format"), "vhd");
    cr_expect_str_eq(json_object_get_string_member(o, "type"), "differencing");
    cr_expect_eq(json_object_get_int_member(o, "virtual_size"), (gint64)SIZE);
    cr_expect_eq(json_object_get_int_member(o, "blocks"), 12);
    cr_expect_eq(json_object_get_int_member(o, "blocks_allocated"), 1);
    cr_expect_str_eq(json_object_get_string_member(o, "use"), "free");
    JsonObject *parent = json_object_get_object_member(o, "parent");
    cr_expect_str_eq(json_object_get_string_member(parent, "path"), base);
    cr_expect(json_object_get_null_member(parent, "problem"));
    JsonArray *chain = json_object_get_array_member(o, "chain");
    cr_expect_eq(json_array_get_length(chain), 1);
    json_node_unref(node);

    node = run_json(&d, 0, "tree @/base.vhd --json");
    o = json_node_get_object(node);
    cr_expect(json_object_get_boolean_member(o, "asked_for"));
    cr_expect_eq(json_array_get_length(json_object_get_array_member(o, "children")), 1);
    json_node_unref(node);

    g_autofree char *child = disk_dir_file(&d, "child.vhd");
    node = run_json(&d, 0, "check @/base.vhd --json");
    cr_expect(json_object_get_boolean_member(json_node_get_object(node), "sound"));
    json_node_unref(node);
    g_remove(base);
    node = run_json(&d, 3, "check @/child.vhd --json");
    cr_expect_not(json_object_get_boolean_member(json_node_get_object(node), "sound"));
    json_node_unref(node);
    node = run_json(&d, 0, "info @/child.vhd --json");
    parent = json_object_get_object_member(json_node_get_object(node), "parent");
    cr_expect_not(json_object_get_null_member(parent, "problem"));
    json_node_unref(node);
    disk_dir_fini(&d);
}

/* Damage --------------------------------------------------------------------------------------- */

enum { HEADER = 512, BAT = 1536 };

static void overwrite(const char *path, int64_t off, const void *buf, size_t len)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    off = off < 0 ? lseek(fd, 0, SEEK_END) + off : off;
    cr_assert(fd >= 0 && pwrite(fd, buf, len, off) == (ssize_t)len);
    close(fd);
}

Test(disk_command, check_finds_damage_and_repairs_what_is_certain, .timeout = 100)
{
    static const struct {
        const char *what;
        int64_t off; /* from the end, if negative */
        uint32_t value;
        bool repairable;
    } rows[] = {
        {"end footer's cookie", -512, 0, true},
        {"end footer's checksum", -512 + 100, 0x01020304, true},
        {"front footer's cookie", 0, 0, true},
        {"front footer's contents", 40, 0x01020304, true},
        {"header's cookie", HEADER, 0, false},
        {"header's checksum", HEADER + 40, 0x01020304, false},
        {"block behind the end", BAT, 0x00000001, false},
        {"block over the table", BAT, 0x03000000, false},
    };
    struct disk_dir d;

    disk_program();
    disk_dir_init(&d);
    make_images(&d);
    g_autofree char *path = disk_dir_file(&d, "v.vhd");
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        expect_line(&d, 0, "convert @/x.img @/v.vhd --force");
        expect_line(&d, 0, "check @/v.vhd");
        overwrite(path, rows[i].off, &rows[i].value, sizeof rows[i].value);
        struct disk_ran r = run_line(&d, "check @/v.vhd");
        cr_expect_eq(r.status, 3, "%s", rows[i].what);
        cr_expect(strstr(r.out, "damage: "), "%s: %s", rows[i].what, r.out);
        cr_expect_eq(strstr(r.out, "--repair mends it") != NULL, rows[i].repairable, "%s: %s",
                     rows[i].what, r.out);
        disk_ran_clear(&r);
        expect_line(&d, rows[i].repairable ? 0 : 3, "check @/v.vhd --repair");
        expect_line(&d, rows[i].repairable ? 0 : 3, "check -q @/v.vhd");
        if (rows[i].repairable) {
            g_autofree char *x = disk_dir_file(&d, "x.img");
            g_autofree char *sum = disk_sum(path), *was = disk_sum(x);
            cr_expect_str_eq(sum, was, "%s", rows[i].what);
        }
    }
    /* Too damaged to tell its type, but a VHD. */
    expect_line(&d, 0, "convert @/x.img @/v.vhd --force");
    overwrite(path, HEADER, "nothing", 8);
    JsonNode *node = run_json(&d, 3, "check @/v.vhd --json");
    JsonObject *o = json_node_get_object(node);
    cr_expect_str_eq(json_object_get_string_member(o, "format"), "vhd");
    cr_expect(json_object_get_null_member(o, "type"));
    json_node_unref(node);
    /* Two blocks in one place; the end cut off. */
    expect_line(&d, 0, "convert @/x.img @/v.vhd --force");
    uint8_t entry[4];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_eq(pread(fd, entry, 4, BAT), 4);
    close(fd);
    overwrite(path, BAT + 4, entry, 4);
    expect_line(&d, 3, "check @/v.vhd");
    expect_line(&d, 0, "convert @/x.img @/v.vhd --force");
    cr_assert_eq(truncate(path, 2 * MiB), 0);
    expect_line(&d, 3, "check @/v.vhd --repair");
    /* Nothing is promised that is not done: only a part of the first footer and header is left. */
    cr_assert_eq(truncate(path, 1000), 0);
    struct disk_ran cut = run_line(&d, "check @/v.vhd --repair");
    cr_expect_eq(cut.status, 3);
    cr_expect(strstr(cut.out, "footer") && strstr(cut.out, "header"), "%s", cut.out);
    cr_expect_null(strstr(cut.out, "--repair mends it"), "%s", cut.out);
    disk_ran_clear(&cut);
    disk_dir_fini(&d);
}

Test(disk_command, check_notes_what_is_odd_but_sound, .timeout = 60)
{
    struct disk_dir d;
    uint8_t sector[512], entry[4];

    disk_program();
    disk_dir_init(&d);
    expect_line(&d, 0, "create @/v.vhd --size 8M");
    g_autofree char *path = disk_dir_file(&d, "v.vhd");
    disk_poke(path, 0, 2 * MiB, 0x21);
    disk_poke(path, 4 * MiB, 2 * MiB, 0x43);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_eq(pread(fd, entry, 4, BAT), 4);
    close(fd);
    memset(sector, 0xff, sizeof sector);
    sector[0] = 0x7f; /* the first sector of the first block says that it is empty */
    overwrite(path, ld_be32(entry) * 512ll, sector, sizeof sector);
    struct disk_ran r = run_line(&d, "check @/v.vhd");
    cr_expect_eq(r.status, 0, "%s", r.out);
    cr_expect(strstr(r.out, "note: 1 sectors (the first in block 0) have contents"), "%s", r.out);
    disk_ran_clear(&r);
    /* A block that nothing leads to. */
    g_autofree char *sum = disk_sum(path);
    memset(entry, 0xff, sizeof entry);
    overwrite(path, BAT + 8, entry, sizeof entry);
    r = run_line(&d, "check @/v.vhd");
    cr_expect_eq(r.status, 0, "%s", r.out);
    cr_expect(strstr(r.out, "belong to no block"), "%s", r.out);
    disk_ran_clear(&r);
    JsonNode *node = run_json(&d, 0, "check @/v.vhd --json");
    cr_expect_geq(json_object_get_int_member(json_node_get_object(node), "orphaned_bytes"),
                  (gint64)(2 * MiB));
    json_node_unref(node);
    expect_line(&d, 0, "compact @/v.vhd");
    r = run_line(&d, "check @/v.vhd");
    cr_expect_eq(count_lines(r.out), 1, "%s", r.out);
    disk_ran_clear(&r);
    disk_dir_fini(&d);
}

Test(disk_command, child_that_is_a_link_can_be_merged, .timeout = 60)
{
    struct disk_dir d, other;

    disk_program();
    disk_dir_init(&d);
    disk_dir_init(&other);
    make_images(&d);
    g_autofree char *child = disk_dir_file(&d, "child.vhd");
    g_autofree char *moved = disk_dir_file(&other, "moved.vhd");
    g_autofree char *sum = disk_sum(child);
    disk_expect(0, "mv", child, moved);
    cr_assert_eq(symlink(moved, child), 0);
    expect_line(&d, 0, "merge @/child.vhd --delete");
    cr_expect_not(g_file_test(moved, G_FILE_TEST_EXISTS));
    g_autofree char *base = disk_dir_file(&d, "base.vhd"), *now = disk_sum(base);
    cr_expect_str_eq(now, sum);
    disk_dir_fini(&d);
    disk_dir_fini(&other);
}

Test(disk_command, raw_image_with_half_a_sector_is_converted, .timeout = 60)
{
    struct disk_dir d;

    disk_program();
    disk_dir_init(&d);
    g_autofree char *x = disk_dir_file(&d, "x.img"), *y = disk_dir_file(&d, "y.img");
    disk_make_raw(x, MiB, 1);
    cr_assert_eq(truncate(x, 64 * 1024 * 3 + 100), 0);
    expect_line(&d, 0, "convert @/x.img @/v.vhd");
    expect_line(&d, 0, "convert @/v.vhd @/y.img");
    cr_assert_eq(truncate(x, 64 * 1024 * 3 + 512), 0);
    g_autofree char *a = disk_file_sum(x), *b = disk_file_sum(y);
    cr_expect_str_eq(a, b);
    disk_dir_fini(&d);
}

/* Other people's tools ------------------------------------------------------------------------- */

static void expect_same_for_qemu(const char *a, const char *fa, const char *b, const char *fb)
{
    disk_expect(0, "qemu-img", "compare", "-f", fa, "-F", fb, a, b);
}

Test(disk_command, qemu_reads_and_writes_the_same, .timeout = 120)
{
    struct disk_dir d;

    disk_program();
    if (!disk_has_program("qemu-img")) {
        cr_skip_test("qemu-img is not installed");
    }
    disk_dir_init(&d);
    make_images(&d);
    g_autofree char *x = disk_dir_file(&d, "x.img"), *y = disk_dir_file(&d, "y.img");
    g_autofree char *q = disk_dir_file(&d, "q.vhd"), *sum = disk_sum(x);
    static const char *const types[] = {"dynamic", "fixed"};
    for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
        g_autofree char *ours = disk_dir_file(&d, i ? "fixed.vhd" : "base.vhd");
        g_autofree char *how = g_strdup_printf("subformat=%s,force_size=on", types[i]);

        expect_same_for_qemu(x, "raw", ours, "vpc");
        disk_expect(0, "qemu-img", "convert", "-f", "raw", "-O", "vpc", "-o", how, x, q);
        expect_line(&d, 0, "check @/q.vhd");
        expect_line(&d, 0, "convert @/q.vhd @/y.img");
        g_autofree char *back = disk_file_sum(y);
        cr_expect_str_eq(back, sum, "%s", types[i]);
        /* What we change, qemu-img reads: compacted, larger, smaller again. */
        expect_line(&d, 0, "compact @/q.vhd");
        expect_same_for_qemu(x, "raw", q, "vpc");
        expect_line(&d, 0, "resize @/q.vhd 100M");
        expect_line(&d, 0, "resize @/q.vhd 24M");
        expect_same_for_qemu(x, "raw", q, "vpc");
        g_remove(q);
        g_remove(y);
    }
    /* A whole chain, and a merged parent. */
    expect_line(&d, 0, "convert @/child.vhd @/y.img");
    g_autofree char *child = disk_dir_file(&d, "child.vhd"), *all = disk_sum(child);
    g_autofree char *flat = disk_file_sum(y), *base = disk_dir_file(&d, "base.vhd");
    cr_expect_str_eq(all, flat);
    expect_line(&d, 0, "merge @/child.vhd --into @/new.vhd --type fixed");
    expect_line(&d, 0, "merge @/child.vhd --delete");
    g_autofree char *merged = disk_dir_file(&d, "new.vhd");
    expect_same_for_qemu(y, "raw", base, "vpc");
    expect_same_for_qemu(y, "raw", merged, "vpc");
    cr_expect_not(g_file_test(child, G_FILE_TEST_EXISTS));
    disk_dir_fini(&d);
}

Test(disk_command, libvhdi_sees_the_same, .timeout = 60)
{
    struct disk_dir d;

    disk_program();
    if (!disk_has_program("vhdiinfo")) {
        cr_skip_test("vhdiinfo is not installed");
    }
    disk_dir_init(&d);
    make_images(&d);
    static const char *const files[] = {"base.vhd", "fixed.vhd", "child.vhd"};
    static const char *const words[] = {"Dynamic", "Fixed", "Differential"};
    for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
        g_autofree char *path = disk_dir_file(&d, files[i]);
        struct disk_info *info = disk_info_new(path, DRIVE_FORMAT_AUTO, NULL);
        struct disk_ran r = disk_run(0, "vhdiinfo", path, NULL);

        cr_expect_eq(r.status, 0, "%s", r.err);
        cr_expect(strstr(r.out, words[i]), "%s", r.out);
        cr_expect(strstr(r.out, "25165824"), "%s", r.out);
        cr_expect(strstr(r.out, info->uuid), "%s is not in %s", info->uuid, r.out);
        cr_expect(i != 2 || strstr(r.out, info->parent.uuid), "%s", r.out);
        disk_ran_clear(&r);
        disk_info_free(info);
    }
    disk_dir_fini(&d);
}

Test(disk_command, samples_of_other_programs_work, .timeout = 100)
{
    static const struct {
        const char *name, *type, *md5;
    } rows[] = {
        {"d2v-zerofilled.vhd", "dynamic", "b97887579deb55faac424ec9be103073"},
        {"ext2.vhd", "dynamic", "3f0e360a1211f80b3f5633a68dbe98ba"},
        {"fat-parent.vhd", "fixed", "2e41d55e2da0466aa0c3f69ad249d036"},
        {"fat-differential.vhd", "differencing", "1d7b93deb43ca6ea5cf1e423ca196c09"},
    };
    struct disk_dir d;

    disk_program();
    disk_dir_init(&d);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        g_autofree char *path = disk_dir_file(&d, rows[i].name);
        g_autofree char *to = disk_dir_file(&d, "to.img");
        g_autofree char *line = g_strdup_printf("%s @/%s", "info --json", rows[i].name);
        g_autofree char *check = g_strdup_printf("check @/%s", rows[i].name);
        g_autofree char *conv = g_strdup_printf("convert -f @/%s @/to.img", rows[i].name);

        disk_unpack_sample(rows[i].name, path);
        JsonNode *node = run_json(&d, 0, line);
        cr_expect_str_eq(json_object_get_string_member(json_node_get_object(node), "type"),
                         rows[i].type);
        json_node_unref(node);
        expect_line(&d, 0, check);
        expect_line(&d, 0, conv);
        g_autofree char *sum = disk_file_sum(to);
        cr_expect_str_eq(sum, rows[i].md5, "%s", rows[i].name);
    }
    expect_line(&d, 3, "compact @/fat-parent.vhd");
    expect_line(&d, 0, "compact @/fat-differential.vhd");
    expect_line(&d, 0, "merge @/fat-differential.vhd");
    g_autofree char *parent = disk_dir_file(&d, "fat-parent.vhd"), *sum = disk_sum(parent);
    cr_expect_str_eq(sum, rows[3].md5);
    disk_dir_fini(&d);
}

/* Interruptions -------------------------------------------------------------------------------- */

/* Start the program and send it a signal after so many microseconds; how it ended. */
static int run_and_signal(const struct disk_dir *d, const char *line, int sig, unsigned us)
{
    g_auto(GStrv) parts = g_strsplit(line, "@", -1);
    g_autofree char *full = g_strjoinv(d->path, parts);
    g_autofree char *text = g_strdup_printf("%s disk %s", disk_program(), full);
    g_auto(GStrv) argv = g_strsplit(text, " ", -1);
    GPid pid;
    int status = 0;

    cr_assert(g_spawn_async(NULL, argv, NULL,
                            G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
                            &pid, NULL));
    g_usleep(us);
    kill(pid, sig);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

/* How long it takes, undisturbed. */
static unsigned time_of(const struct disk_dir *d, const char *line)
{
    int64_t start = g_get_monotonic_time();

    expect_line(d, 0, line);
    return (unsigned)(g_get_monotonic_time() - start);
}

/* A file of one folder to another of its own or another folder, with its times. */
static void copy_file(const struct disk_dir *from, const char *name, const struct disk_dir *to,
                      const char *other)
{
    g_autofree char *a = disk_dir_file(from, name), *b = disk_dir_file(to, other);

    disk_expect(0, "cp", "--sparse=always", "-p", a, b);
}

static const int signals[] = {SIGINT, SIGKILL, SIGTERM, SIGKILL};
enum { ROUNDS = 16 };

Test(disk_command, convert_ended_at_any_time_leaves_all_or_nothing, .timeout = 200)
{
    struct disk_dir d;
    unsigned whole = 0;

    disk_program();
    disk_dir_init(&d);
    g_autofree char *x = disk_dir_file(&d, "x.img"), *to = disk_dir_file(&d, "to.vhd");
    disk_make_raw(x, 4 * SIZE, 5);
    g_autofree char *sum = disk_file_sum(x);
    unsigned us = time_of(&d, "convert @/x.img @/to.vhd");
    g_remove(to);
    for (unsigned i = 0; i < ROUNDS; i++) {
        int sig = signals[i % ARRAY_LEN(signals)];
        int status = run_and_signal(&d, "convert @/x.img @/to.vhd", sig, us * i / ROUNDS);
        g_autofree char *now = disk_file_sum(x);

        cr_assert_str_eq(now, sum, "the source is as it was");
        cr_assert(WIFSIGNALED(status) || WEXITSTATUS(status) <= 1);
        if (g_file_test(to, G_FILE_TEST_EXISTS)) {
            g_autofree char *copy = disk_sum(to);
            cr_assert_str_eq(copy, sum);
            g_remove(to);
            whole++;
        }
        cr_assert_eq(disk_dir_count(&d), 1, "round %u left something", i);
    }
    cr_assert_lt(whole, ROUNDS);
    disk_dir_fini(&d);
}

Test(disk_command, compact_and_resize_ended_at_any_time_leave_a_sound_image, .timeout = 280)
{
    static const struct {
        const char *line, *from;
    } rows[] = {
        {"compact @/t.vhd", "dynamic.vhd"},    {"resize @/t.vhd 200M", "dynamic.vhd"},
        {"resize @/t.vhd 200M", "fixed.vhd"},  {"resize @/t.vhd 48M", "fixed.vhd"},
        {"resize @/t.vhd 48M", "dynamic.vhd"}, {"compact @/t.vhd", "fixed.vhd"},
    };
    struct disk_dir d;

    disk_program();
    disk_dir_init(&d);
    g_autofree char *x = disk_dir_file(&d, "x.img"), *t = disk_dir_file(&d, "t.vhd");
    g_autofree char *y = disk_dir_file(&d, "y.img"), *z = disk_dir_file(&d, "z.img");
    disk_make_raw(x, 40 * MiB, 5);
    cr_assert_eq(truncate(x, 96 * MiB), 0);
    expect_line(&d, 0, "convert @/x.img @/dynamic.vhd");
    expect_line(&d, 0, "convert @/x.img @/fixed.vhd --type fixed");
    /* Whatever its size is now: the first 48 MiB. */
    expect_line(&d, 0, "convert @/x.img @/y.img");
    cr_assert_eq(truncate(y, 48 * MiB), 0);
    g_autofree char *sum = disk_file_sum(y);
    for (unsigned k = 0; k < ARRAY_LEN(rows); k++) {
        copy_file(&d, rows[k].from, &d, "t.vhd");
        unsigned us = time_of(&d, rows[k].line), files = disk_dir_count(&d);

        for (unsigned i = 0; i < ROUNDS / 2; i++) {
            copy_file(&d, rows[k].from, &d, "t.vhd");
            run_and_signal(&d, rows[k].line, signals[i % ARRAY_LEN(signals)],
                           us * i / (ROUNDS / 2));
            expect_line(&d, 0, "check -q @/t.vhd");
            expect_line(&d, 0, "convert -f @/t.vhd @/z.img");
            cr_assert_eq(truncate(z, 48 * MiB), 0);
            g_autofree char *now = disk_file_sum(z);
            cr_assert_str_eq(now, sum, "'%s' of %s, round %u", rows[k].line, rows[k].from, i);
            g_remove(z);
            cr_assert_eq(disk_dir_count(&d), files, "something is left");
            expect_line(&d, 0, rows[k].line); /* and it can be done after all */
            g_remove(t);
        }
    }
    disk_dir_fini(&d);
}

Test(disk_command, merge_ended_at_any_time_can_be_done_again, .timeout = 280)
{
    struct disk_dir d, kept;

    disk_program();
    disk_dir_init(&d);
    disk_dir_init(&kept); /* beside its parent, a copy of the child is a child, too */
    g_autofree char *x = disk_dir_file(&d, "x.img"), *base = disk_dir_file(&d, "base.vhd");
    g_autofree char *child = disk_dir_file(&d, "child.vhd");
    disk_make_raw(x, 2 * SIZE, 5);
    expect_line(&d, 0, "convert @/x.img @/base.vhd");
    expect_line(&d, 0, "create @/child.vhd --parent @/base.vhd");
    for (unsigned i = 0; i < 40; i++) {
        disk_poke(child, i * MiB + 512 * i, 300 * KiB, (uint8_t)(i + 1));
    }
    g_autofree char *sum = disk_sum(child);
    copy_file(&d, "base.vhd", &kept, "base.vhd");
    copy_file(&d, "child.vhd", &kept, "child.vhd");
    unsigned us = time_of(&d, "merge @/child.vhd");
    for (unsigned i = 0; i < ROUNDS; i++) {
        copy_file(&kept, "base.vhd", &d, "base.vhd");
        copy_file(&kept, "child.vhd", &d, "child.vhd");
        run_and_signal(&d, "merge @/child.vhd", signals[i % ARRAY_LEN(signals)], us * i / ROUNDS);
        g_autofree char *between = disk_sum(child);
        cr_assert_str_eq(between, sum, "the child shows the same in round %u", i);
        expect_line(&d, 0, "check -q @/base.vhd");
        expect_line(&d, 0, "merge @/child.vhd");
        g_autofree char *after = disk_sum(base), *again = disk_sum(child);
        cr_assert_str_eq(after, sum);
        cr_assert_str_eq(again, sum);
        expect_line(&d, 0, "merge @/child.vhd --delete");
    }
    disk_dir_fini(&d);
    disk_dir_fini(&kept);
}

Test(disk_command, full_disk_is_an_error_and_leaves_nothing, .timeout = 60)
{
    struct disk_dir d;

    disk_program();
    disk_dir_init(&d);
    make_images(&d);
    g_autofree char *x = disk_dir_file(&d, "x.img"), *to = disk_dir_file(&d, "to.vhd");
    g_autofree char *base = disk_dir_file(&d, "child.vhd");
    g_autofree char *before = list_folder(&d);
    const char *const commands[][5] = {
        {"convert", x, to},
        {"convert", x, to, "--type=fixed"},
        {"create", to, "--size=1G", "--type=fixed"},
        {"merge", base, "--into", to},
    };
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
        const char *const *c = commands[i];
        struct disk_ran r = disk_run(6 * MiB, disk_program(), "disk", c[0], c[1], c[2], c[3], NULL);

        cr_expect_eq(r.status, 1, "%s: %d %s", c[0], r.status, r.err);
        cr_expect(strstr(r.err, "too large"), "%s", r.err);
        cr_expect_eq(count_lines(r.err), 1, "%s", r.err);
        g_autofree char *after = list_folder(&d);
        cr_expect_str_eq(before, after);
        disk_ran_clear(&r);
    }
    disk_dir_fini(&d);
}

/* Progress ------------------------------------------------------------------------------------- */

Test(disk_command, a_pipe_gets_no_progress, .timeout = 60)
{
    struct disk_dir d;

    disk_program();
    disk_dir_init(&d);
    make_images(&d);
    struct disk_ran r = run_line(&d, "convert @/x.img @/to.vhd");
    cr_expect_eq(r.status, 0);
    cr_expect_str_eq(r.out, "");
    cr_expect_str_eq(r.err, "");
    disk_ran_clear(&r);
    disk_dir_fini(&d);
}

Test(disk_command, progress_line_is_right_from_start_to_end)
{
    g_autofree char *start = progress_line("convert", 0, 4 * GiB, 0);
    g_autofree char *half = progress_line("convert", 2 * GiB, 4 * GiB, 10 * 1000000);
    g_autofree char *end = progress_line("convert", 4 * GiB, 4 * GiB, 20 * 1000000);
    g_autofree char *none = progress_line("convert", 0, 0, 0);

    cr_expect_str_eq(start, "convert [........................]   0% of 4.0 GiB");
    cr_expect_str_eq(half, "convert [############............]  50% of 4.0 GiB, 0:10 left");
    cr_expect_str_eq(end, "convert [########################] 100% of 4.0 GiB");
    cr_expect_str_eq(none, "convert [########################] 100% of 0 bytes");
}

Test(disk_command, every_subcommand_explains_itself)
{
    for (unsigned n = 0; disk_command_at(n); n++) {
        g_autoptr(GString) help = g_string_new(NULL);
        struct disk_args a;
        char *const words[] = {"--help", NULL};

        disk_help(disk_command_at(n), help);
        cr_expect(strstr(help->str, disk_command_name(disk_command_at(n))));
        cr_expect(strstr(help->str, "--help"));
        cr_expect(disk_args_parse(&a, disk_command_at(n), 1, words, NULL));
        cr_expect(a.help);
        disk_args_clear(&a);
    }
}
