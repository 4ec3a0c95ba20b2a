/*
 * The operations on disk images (vhd/disk.h): each on every kind of image, ended at every tick, and
 * what they refuse.
 *
 * Not modelled: the guest; crashes (tests/ui/test_disk.c kills the program).
 */
#include "vhd/disk.h"
#include "tests/vhd/disk_rig.h"
#include "vhd/disk_int.h"
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define SIZE (24 * MiB)

/* Watches that say no at the n-th tick, and see that progress goes forward. */
struct stopper {
    struct disk_watch watch;
    int left; /* ticks to allow; -1: all */
    unsigned ticks;
    uint64_t last;
};

static bool stopper_tick(void *opaque, uint64_t done, uint64_t total)
{
    struct stopper *s = opaque;

    cr_assert(done >= s->last && done <= total);
    s->last = done;
    s->ticks++;
    return s->left < 0 || s->left-- > 0;
}

static struct disk_watch *stop_after(struct stopper *s, int ticks)
{
    *s = (struct stopper){.watch = {.tick = stopper_tick, .opaque = s}, .left = ticks};
    return &s->watch;
}

static void expect_error(bool good, GError **err, int code, const char *words)
{
    cr_assert_not(good);
    cr_assert_not_null(*err);
    cr_assert_eq((*err)->domain, CANDELA_ERROR);
    cr_assert_eq((*err)->code, code, "%s", (*err)->message);
    cr_assert(strstr((*err)->message, words), "'%s' is not in '%s'", words, (*err)->message);
    g_clear_error(err);
}

#define good(call)                                                                                 \
    do {                                                                                           \
        GError *err = NULL;                                                                        \
        cr_assert(call, "%s", err ? err->message : "no message");                                  \
        cr_assert_null(err);                                                                       \
    } while (0)

static void create(const char *path, enum disk_kind kind, uint64_t size, const char *parent)
{
    struct disk_create_args a = {.path = path, .kind = kind, .size = size, .parent = parent};

    good(disk_create(&a, &err));
}

static void convert(const char *from, const char *to, enum disk_kind kind)
{
    struct disk_convert_args a = {.source = from, .target = to, .kind = kind};

    good(disk_convert(&a, NULL, &err));
}

/* Sound, and of that kind and size. */
static void expect_sound(const char *path, enum disk_kind kind, uint64_t size)
{
    GError *err = NULL;
    struct disk_report *r = disk_check(path, DRIVE_FORMAT_AUTO, false, NULL, &err);
    struct disk_info *info = disk_info_new(path, DRIVE_FORMAT_AUTO, NULL);

    cr_assert_not_null(r, "%s", err ? err->message : "");
    for (unsigned i = 0; i < r->findings->len; i++) {
        cr_assert_eq(g_array_index(r->findings, struct disk_finding, i).severity, DISK_NOTE, "%s",
                     g_array_index(r->findings, struct disk_finding, i).text);
    }
    cr_assert_eq(r->damages, 0);
    cr_assert_not_null(info);
    cr_assert_eq(info->kind, kind);
    cr_assert_eq(info->size, size);
    disk_report_free(r);
    disk_info_free(info);
}

static const char *const kind_files[] = {"x.img", "fixed.vhd", "dynamic.vhd", "child.vhd"};

/* A disk of that kind with known contents: path, and its sum.  A differencing one has base.vhd. */
static char *make(struct disk_dir *d, enum disk_kind kind, char **sum)
{
    g_autofree char *raw = disk_dir_file(d, "source.img"), *base = disk_dir_file(d, "base.vhd");
    char *path = disk_dir_file(d, kind_files[kind]);

    disk_make_raw(raw, SIZE, 7);
    if (kind == DISK_DIFFERENCING) {
        convert(raw, base, DISK_DYNAMIC);
        create(path, kind, 0, base);
        disk_poke(path, 5 * MiB + 512, 3 * MiB, 0x5a);
        disk_poke(path, SIZE - 512, 512, 0x11);
    } else {
        convert(raw, path, kind);
        g_autofree char *other = disk_sum(raw);
        *sum = disk_sum(path);
        cr_assert_str_eq(*sum, other);
    }
    if (kind == DISK_DIFFERENCING) {
        *sum = disk_sum(path);
    }
    g_remove(raw);
    expect_sound(path, kind, SIZE);
    return path;
}

Test(disk, converts_between_all_kinds_and_keeps_holes)
{
    struct disk_dir d;

    disk_dir_init(&d);
    for (enum disk_kind from = DISK_RAW; from <= DISK_DIFFERENCING; from++) {
        char *sum;
        g_autofree char *path = make(&d, from, &sum);

        for (enum disk_kind to = DISK_RAW; to <= DISK_DYNAMIC; to++) {
            g_autofree char *target = disk_dir_file(&d, to == DISK_RAW ? "to.img" : "to.vhd");

            convert(path, target, to);
            g_autofree char *other = disk_sum(target);
            cr_assert_str_eq(other, sum, "%d to %d", from, to);
            expect_sound(target, to, SIZE);
            struct disk_info *info = disk_info_new(target, DRIVE_FORMAT_AUTO, NULL);
            cr_assert_lt(info->host_bytes, SIZE / 2, "a quarter of it is data");
            disk_info_free(info);
            g_remove(target);
        }
        g_free(sum);
        g_remove(path);
    }
    disk_dir_fini(&d);
}

Test(disk, cancelled_conversion_leaves_no_file)
{
    struct disk_dir d;
    struct stopper s;
    GError *err = NULL;

    disk_dir_init(&d);
    g_autofree char *raw = disk_dir_file(&d, "a.img"), *to = disk_dir_file(&d, "b.vhd");
    disk_make_raw(raw, SIZE, 3);
    g_autofree char *sum = disk_file_sum(raw);
    struct disk_convert_args a = {.source = raw, .target = to, .kind = DISK_DYNAMIC};
    for (int n = 0;; n += 5) {
        if (disk_convert(&a, stop_after(&s, n), &err)) {
            cr_assert_gt(n, 10);
            break;
        }
        expect_error(false, &err, CANDELA_ERROR_CANCELLED, raw);
        cr_assert_eq(disk_dir_count(&d), 1, "there is only the source");
        g_autofree char *now = disk_file_sum(raw);
        cr_assert_str_eq(now, sum);
    }
    disk_dir_fini(&d);
}

Test(disk, existing_targets_are_replaced_only_when_told_and_unused)
{
    struct disk_dir d;
    GError *err = NULL;

    disk_dir_init(&d);
    g_autofree char *raw = disk_dir_file(&d, "a.img"), *to = disk_dir_file(&d, "b.vhd");
    g_autofree char *child = disk_dir_file(&d, "c.vhd"), *link = disk_dir_file(&d, "l.vhd");
    struct disk_convert_args a = {.source = raw, .target = to, .kind = DISK_DYNAMIC};
    disk_make_raw(raw, SIZE, 3);
    create(to, DISK_FIXED, MiB, NULL);
    g_autofree char *before = disk_file_sum(to);
    expect_error(disk_convert(&a, NULL, &err), &err, CANDELA_ERROR_FILE, "--force");
    a.force = true;
    struct image *user = image_open(to, DRIVE_FORMAT_AUTO, true, false, &host_file_ops, NULL, NULL);
    expect_error(disk_convert(&a, NULL, &err), &err, CANDELA_ERROR_FILE, "in use");
    image_close(user);
    create(child, DISK_DIFFERENCING, 0, to);
    expect_error(disk_convert(&a, NULL, &err), &err, CANDELA_ERROR_FILE, "c.vhd");
    g_remove(child);
    g_autofree char *after = disk_file_sum(to);
    cr_assert_str_eq(before, after);
    cr_assert_eq(symlink("b.vhd", link), 0);
    a.target = link;
    good(disk_convert(&a, NULL, &err));
    cr_assert(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
    expect_sound(to, DISK_DYNAMIC, SIZE);
    a.target = raw;
    a.kind = DISK_RAW;
    expect_error(disk_convert(&a, NULL, &err), &err, CANDELA_ERROR_CONFIG, "source as well");
    a.target = d.path;
    expect_error(disk_convert(&a, NULL, &err), &err, CANDELA_ERROR_FILE, "folder");
    disk_dir_fini(&d);
}

/* Zeros in the middle of what was data. */
Test(disk, compact_gives_back_zeros_and_changes_no_contents)
{
    struct disk_dir d;

    disk_dir_init(&d);
    for (enum disk_kind kind = DISK_RAW; kind <= DISK_DYNAMIC; kind++) {
        g_autofree char *path = disk_dir_file(&d, kind_files[kind]);
        struct disk_result r = {0};

        create(path, kind, SIZE, NULL);
        disk_poke(path, 0, SIZE, 0x77);
        disk_poke(path, 4 * MiB, 16 * MiB, 0);
        g_autofree char *sum = disk_sum(path);
        struct disk_info *before = disk_info_new(path, DRIVE_FORMAT_AUTO, NULL);
        good(disk_compact(path, DRIVE_FORMAT_AUTO, NULL, &r, &err));
        struct disk_info *after = disk_info_new(path, DRIVE_FORMAT_AUTO, NULL);
        g_autofree char *now = disk_sum(path);
        cr_assert_str_eq(sum, now);
        cr_assert_leq(after->host_bytes + 15 * MiB, before->host_bytes, "kind %d", kind);
        cr_assert_str_eq(after->uuid, before->uuid);
        cr_assert_geq(r.before, r.after + 15 * MiB);
        expect_sound(path, kind, SIZE);
        disk_result_clear(&r);
        disk_info_free(before);
        disk_info_free(after);
    }
    disk_dir_fini(&d);
}

Test(disk, compact_of_a_child_drops_what_the_parent_shows_too)
{
    struct disk_dir d;
    struct disk_result r = {0};
    char *sum;

    disk_dir_init(&d);
    g_autofree char *path = make(&d, DISK_DIFFERENCING, &sum);
    struct disk_info *before = disk_info_new(path, DRIVE_FORMAT_AUTO, NULL);
    /* Zeros over data count: a block of them must stay. */
    disk_poke(path, 12 * MiB, 2 * MiB, 0);
    disk_poke(path, 16 * MiB, 512, 0xee);
    g_free(sum);
    sum = disk_sum(path);
    good(disk_compact(path, DRIVE_FORMAT_AUTO, NULL, &r, &err));
    g_autofree char *now = disk_sum(path);
    cr_assert_str_eq(now, sum);
    disk_result_clear(&r);
    /* A block like the parent's goes. */
    g_autofree char *base = disk_dir_file(&d, "base.vhd");
    struct image *b = image_open(base, DRIVE_FORMAT_VHD, true, false, &host_file_ops, NULL, NULL);
    uint8_t sector[512];
    cr_assert_eq(b->ops->read_at(b, 16 * MiB, sector, 512), 0);
    image_close(b);
    disk_poke(path, 16 * MiB, 512, sector[0]);
    struct image *c = image_open(path, DRIVE_FORMAT_VHD, false, false, &host_file_ops, NULL, NULL);
    cr_assert_eq(c->ops->write_at(c, 16 * MiB, sector, 512), 0);
    image_close(c);
    struct disk_info *full = disk_info_new(path, DRIVE_FORMAT_AUTO, NULL);
    good(disk_compact(path, DRIVE_FORMAT_AUTO, NULL, &r, &err));
    struct disk_info *after = disk_info_new(path, DRIVE_FORMAT_AUTO, NULL);
    cr_assert_eq(after->blocks_used, full->blocks_used - 1);
    cr_assert_str_eq(after->uuid, before->uuid);
    cr_assert_null(after->parent.problem);
    cr_assert_str_eq(after->parent.path, before->parent.path);
    expect_sound(path, DISK_DIFFERENCING, SIZE);
    disk_info_free(before);
    disk_info_free(full);
    disk_info_free(after);
    disk_result_clear(&r);
    g_free(sum);
    disk_dir_fini(&d);
}

Test(disk, cancelled_compact_and_resize_leave_the_image)
{
    struct disk_dir d;
    struct disk_result r = {0};
    struct stopper s;
    GError *err = NULL;
    char *sum;

    disk_dir_init(&d);
    g_autofree char *path = make(&d, DISK_DYNAMIC, &sum);
    g_autofree char *file = disk_file_sum(path);
    for (int n = 0; n < 9; n += 2) {
        expect_error(disk_compact(path, DRIVE_FORMAT_AUTO, stop_after(&s, n), &r, &err), &err,
                     CANDELA_ERROR_CANCELLED, path);
        expect_error(
            disk_resize(path, DRIVE_FORMAT_AUTO, 2 * SIZE, false, stop_after(&s, n), &r, &err),
            &err, CANDELA_ERROR_CANCELLED, path);
        g_autofree char *now = disk_file_sum(path);
        cr_assert_str_eq(file, now);
        cr_assert_eq(disk_dir_count(&d), 1);
    }
    g_free(sum);
    disk_dir_fini(&d);
}

Test(disk, resize_keeps_data_and_refuses_to_lose_any)
{
    struct disk_dir d;
    GError *err = NULL;

    disk_dir_init(&d);
    for (enum disk_kind kind = DISK_RAW; kind <= DISK_DYNAMIC; kind++) {
        g_autofree char *path = disk_dir_file(&d, kind_files[kind]);
        uint8_t sector[512];
        struct disk_result r = {0};

        create(path, kind, SIZE, NULL);
        disk_poke(path, MiB, MiB, 0x33);
        g_autofree char *sum = disk_sum(path);
        good(disk_resize(path, DRIVE_FORMAT_AUTO, 3 * SIZE + 512, false, NULL, &r, &err));
        expect_sound(path, kind, 3 * SIZE + 512);
        struct image *img =
            image_open(path, DRIVE_FORMAT_AUTO, true, false, &host_file_ops, NULL, NULL);
        for (uint64_t at = SIZE; at < 3 * SIZE + 512; at += at < SIZE + 4096 ? 512 : MiB / 2) {
            cr_assert_eq(img->ops->read_at(img, at, sector, 512), 0);
            cr_assert(is_zeros(sector, 512), "kind %d at %llu", kind, (unsigned long long)at);
        }
        image_close(img);
        disk_poke(path, 2 * SIZE, 512, 9);
        expect_error(disk_resize(path, DRIVE_FORMAT_AUTO, SIZE, false, NULL, &r, &err), &err,
                     CANDELA_ERROR_FILE, "holds data");
        expect_sound(path, kind, 3 * SIZE + 512);
        good(disk_resize(path, DRIVE_FORMAT_AUTO, SIZE, true, NULL, &r, &err));
        expect_sound(path, kind, SIZE);
        g_autofree char *now = disk_sum(path);
        cr_assert_str_eq(now, sum);
        good(disk_resize(path, DRIVE_FORMAT_AUTO, 3 * SIZE, false, NULL, &r, &err));
        good(disk_resize(path, DRIVE_FORMAT_AUTO, SIZE, false, NULL, &r, &err));
        g_autofree char *again = disk_sum(path);
        cr_assert_str_eq(again, sum, "what was cut off is gone");
        disk_result_clear(&r);
    }
    disk_dir_fini(&d);
}
