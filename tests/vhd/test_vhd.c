/*
 * Dynamic and differencing VHDs (vhd/vhd_load.c, vhd_disk.c, vhd_parent.c, vhd_create.c, ranges.c).
 *
 * Not modelled: the guest.
 */
#include "tests/vhd/vhd_rig.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

enum { SIZE = 9 * 1024 * 1024 + 512 * 3 };

Test(vhd, what_is_written_is_read_back)
{
    static const uint32_t blocks[] = {0, 512, 4096, 64 * 1024, 512 * 1024, 8 * 1024 * 1024};
    char *folder = vhd_rig_folder();

    for (unsigned i = 0; i < ARRAY_LEN(blocks); i++) {
        uint64_t size = blocks[i] == 512 ? 300 * 512 : SIZE;
        g_autofree char *path =
            vhd_rig_create(folder, "disk.vhd", VHD_TYPE_DYNAMIC, size, blocks[i], NULL);
        g_autofree uint8_t *model = g_malloc0(size);
        GRand *rand = g_rand_new_with_seed(i);

        for (unsigned round = 0; round < 3; round++) {
            struct image *img = vhd_rig_open(path, false);

            cr_assert_eq(img->size, size);
            vhd_rig_expect(img, model);
            vhd_rig_scribble(img, model, rand, 20, 200 * 1024);
            cr_assert_eq(img->ops->flush(img), 0);
            vhd_rig_scribble(img, model, rand, 20, 2000);
            vhd_rig_expect(img, model);
            image_close(img);
        }
        g_rand_free(rand);
    }
    vhd_rig_remove(folder);
}

Test(vhd, child_shows_its_parent_and_leaves_it_alone)
{
    char *folder = vhd_rig_folder();
    g_autofree char *base = vhd_rig_create(folder, "base.vhd", VHD_TYPE_DYNAMIC, SIZE, 0, NULL);
    g_autofree uint8_t *model = g_malloc0(SIZE);
    g_autofree char *below = NULL, *after = NULL;
    gsize len;
    GRand *rand = g_rand_new_with_seed(7);
    struct image *img = vhd_rig_open(base, false);

    vhd_rig_scribble(img, model, rand, 10, MiB);
    image_close(img);
    g_autofree char *one =
        vhd_rig_create(folder, "one.vhd", VHD_TYPE_DIFFERENCING, 0, 512 * 1024, base);
    cr_assert(g_file_get_contents(base, &below, &len, NULL));
    img = vhd_rig_open(one, false);
    cr_assert_eq(img->size, SIZE);
    vhd_rig_expect(img, model);
    vhd_rig_scribble(img, model, rand, 40, 100 * 1024);
    vhd_rig_expect(img, model);
    image_close(img);
    g_autofree char *two = vhd_rig_create(folder, "two.vhd", VHD_TYPE_DIFFERENCING, SIZE, 0, one);
    for (unsigned round = 0; round < 2; round++) {
        img = vhd_rig_open(two, false);
        vhd_rig_expect(img, model);
        vhd_rig_scribble(img, model, rand, 40, 10000);
        vhd_rig_expect(img, model);
        image_close(img);
    }
    cr_assert(g_file_get_contents(base, &after, &len, NULL));
    cr_expect(!memcmp(below, after, len), "the parent was written to");
    g_rand_free(rand);
    vhd_rig_remove(folder);
}

Test(vhd, samples_of_other_programs_are_read)
{
    static const struct {
        const char *name;
        uint64_t size;
        const char *md5;
    } rows[] = {
        {"virtualpc-dynamic.vhd", 136365211648, NULL},
        {"hyperv2012r2-dynamic.vhd", 136365211648, NULL},
        {"d2v-zerofilled.vhd", 263454720, "b97887579deb55faac424ec9be103073"},
        {"ext2.vhd", 4212736, "3f0e360a1211f80b3f5633a68dbe98ba"},
        {"fat-parent.vhd", 4194304, "2e41d55e2da0466aa0c3f69ad249d036"},
        /* By the format's rules.  libvhdi 20210425 reads one sector more from the child (186, its
         * bit is 0) and so loses the contents of WPSettings.dat. */
        {"fat-differential.vhd", 4194304, "1d7b93deb43ca6ea5cf1e423ca196c09"},
    };
    char *folder = vhd_rig_folder();

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        g_autofree char *path = vhd_rig_sample(folder, rows[i].name);
        struct image *img = vhd_rig_open(path, true);
        uint64_t start, end;

        cr_expect_eq(img->size, rows[i].size, "%s", rows[i].name);
        if (rows[i].md5) {
            g_autofree char *md5 = vhd_rig_md5(img);
            cr_expect_str_eq(md5, rows[i].md5, "%s", rows[i].name);
        } else {
            cr_expect_eq(image_next_data(img, 0, true, &start, &end), 0);
            cr_expect_eq(start, img->size, "%s is empty", rows[i].name);
        }
        image_close(img);
    }
    vhd_rig_remove(folder);
}

/* What read_now gives is what read_at gives; it may decline. */
Test(vhd, reads_at_once_are_right_where_they_are_possible)
{
    char *folder = vhd_rig_folder();
    g_autofree char *base = vhd_rig_create(folder, "base.vhd", VHD_TYPE_DYNAMIC, SIZE, 0, NULL);
    g_autofree uint8_t *model = g_malloc0(SIZE), *data = g_malloc(SIZE);
    GRand *rand = g_rand_new_with_seed(9);
    struct image *img = vhd_rig_open(base, false);

    /* No file system is asked, which may not know how to answer at once. */
    cr_expect_eq(img->ops->read_now(img, 0, data, SIZE), 0);
    cr_expect(!memcmp(data, model, SIZE));
    vhd_rig_scribble(img, model, rand, 20, 300 * 1024);
    image_close(img);
    g_autofree char *child =
        vhd_rig_create(folder, "child.vhd", VHD_TYPE_DIFFERENCING, 0, 64 * 1024, base);
    img = vhd_rig_open(child, false);
    vhd_rig_scribble(img, model, rand, 20, 100 * 1024);
    for (unsigned i = 0; i < 500; i++) {
        uint64_t off = (uint64_t)g_rand_int_range(rand, 0, SIZE / 512 - 100) * 512;
        size_t len = (size_t)g_rand_int_range(rand, 1, 100) * 512;
        int error = img->ops->read_now(img, off, data, len);

        if (error) {
            cr_assert_eq(error, EAGAIN);
            cr_assert_eq(img->ops->read_at(img, off, data, len), 0);
        }
        cr_assert(!memcmp(data, model + off, len), "round %u", i);
    }
    cr_expect_eq(img->ops->read_now(img, SIZE, data, 512), EAGAIN);
    image_close(img);
    g_rand_free(rand);
    vhd_rig_remove(folder);
}

/* How often the host is called, which is what fresh disks cost over raw ones. */
struct counter {
    unsigned writes, syncs;
};

static int counted_read(struct file *f, void *buf, size_t len, uint64_t off)
{
    return host_file_ops.read(f, buf, len, off);
}

static int counted_write(struct file *f, const void *buf, size_t len, uint64_t off)
{
    ((struct counter *)f->opaque)->writes++;
    return host_file_ops.write(f, buf, len, off);
}

static int counted_sync(struct file *f)
{
    ((struct counter *)f->opaque)->syncs++;
    return host_file_ops.sync(f);
}

Test(vhd, fresh_blocks_cost_two_writes_each)
{
    static const struct file_ops ops = {
        .read = counted_read, .write = counted_write, .sync = counted_sync};
    enum { BYTES = 64 * 1024 * 1024, CHUNK = 64 * 1024, BLOCKS = BYTES / VHD_BLOCK_BYTES };
    char *folder = vhd_rig_folder();
    g_autofree char *base = vhd_rig_create(folder, "base.vhd", VHD_TYPE_DYNAMIC, BYTES, 0, NULL);
    g_autofree char *child = vhd_rig_create(folder, "c.vhd", VHD_TYPE_DIFFERENCING, 0, 0, base);
    g_autofree uint8_t *chunk = g_malloc0(CHUNK);

    for (unsigned i = 0; i < 2; i++) {
        const char *path = i ? base : child; /* the child first, or its parent changes */
        struct counter n = {0};
        struct image *img = image_open(path, DRIVE_FORMAT_VHD, false, false, &ops, &n, NULL);
        cr_assert_not_null(img);
        for (uint64_t off = 0; off < BYTES; off += CHUNK) {
            cr_assert_eq(img->ops->write_at(img, off, chunk, CHUNK), 0);
        }
        cr_expect_leq(n.writes, BYTES / CHUNK + 2 * BLOCKS);
        cr_expect_eq(n.syncs, 0);
        n.writes = 0;
        cr_assert_eq(img->ops->flush(img), 0);
        cr_expect_leq(n.writes, 1 + (i ? 0 : BLOCKS)); /* the BAT, and bits where they count */
        cr_expect_eq(n.syncs, 2);
        cr_assert_eq(img->ops->flush(img), 0);
        cr_expect_eq(n.syncs, 3);
        image_close(img);
    }
    vhd_rig_remove(folder);
}

/* Ranges cover what is not zero and leave out the rest. */
Test(vhd, ranges_are_where_the_data_is)
{
    char *folder = vhd_rig_folder();
    g_autofree char *base = vhd_rig_create(folder, "base.vhd", VHD_TYPE_DYNAMIC, SIZE, 0, NULL);
    g_autofree uint8_t *model = g_malloc0(SIZE);
    struct image *img = vhd_rig_open(base, false);
    uint64_t start, end;

    vhd_rig_write(img, model, 3 * MiB, 64 * KiB, 1);
    vhd_rig_write(img, model, SIZE - 512, 512, 2);
    image_close(img);
    g_autofree char *child = vhd_rig_create(folder, "child.vhd", VHD_TYPE_DIFFERENCING, 0, 0, base);
    img = vhd_rig_open(child, false);
    vhd_rig_write(img, model, MiB, 1024, 3);
    cr_assert_eq(image_next_data(img, 0, false, &start, &end), 0);
    cr_expect(start == MiB && end == MiB + 1024, "%llu..%llu", (unsigned long long)start,
              (unsigned long long)end);
    cr_assert_eq(image_next_data(img, end, false, &start, &end), 0);
    cr_expect_eq(start, SIZE);
    uint64_t covered = 0;
    for (uint64_t off = 0; off < SIZE; off = end) {
        cr_assert_eq(image_next_data(img, off, true, &start, &end), 0);
        cr_assert(start >= off && end >= start && end <= SIZE);
        for (uint64_t i = off; i < start; i++) {
            cr_assert_eq(model[i], 0, "byte %llu", (unsigned long long)i);
        }
        covered += end - start;
    }
    cr_expect_lt(covered, 256 * KiB);
    image_close(img);
    vhd_rig_remove(folder);
}

Test(vhd, parent_is_found_by_each_of_its_names)
{
    char *folder = vhd_rig_folder();
    g_autofree char *other = vhd_rig_folder();
    g_autofree char *base = vhd_rig_create(folder, "base.vhd", VHD_TYPE_DYNAMIC, SIZE, 0, NULL);
    g_autofree char *child = vhd_rig_create(other, "child.vhd", VHD_TYPE_DIFFERENCING, 0, 0, base);
    g_autofree char *beside = g_build_filename(other, "base.vhd", NULL);
    g_autofree char *moved = g_build_filename(folder, "child.vhd", NULL);

    image_close(vhd_rig_open(child, true)); /* relative: ../candela-.../base.vhd */
    cr_assert_eq(g_rename(base, beside), 0);
    image_close(vhd_rig_open(child, true)); /* its name */
    cr_assert_eq(g_rename(beside, base), 0);
    cr_assert_eq(g_rename(child, moved), 0);
    image_close(vhd_rig_open(moved, true));
    g_remove(base);
    vhd_rig_refuse(moved, true, "its parent is missing");
    g_rmdir(other);
    vhd_rig_remove(folder);
}

Test(vhd, wrong_and_changed_parents_are_refused_by_name)
{
    char *folder = vhd_rig_folder();
    g_autofree char *base = vhd_rig_create(folder, "base.vhd", VHD_TYPE_DYNAMIC, SIZE, 0, NULL);
    struct stat st;

    cr_assert_eq(stat(base, &st), 0);
    g_autofree char *child = vhd_rig_create(folder, "child.vhd", VHD_TYPE_DIFFERENCING, 0, 0, base);
    utime(base, &(struct utimbuf){st.st_mtime + 1, st.st_mtime + 1});
    vhd_rig_refuse(child, true, "base.vhd was changed");
    utime(base, &(struct utimbuf){st.st_mtime - 1, st.st_mtime - 1});
    image_close(vhd_rig_open(child, true));
    utime(base, &(struct utimbuf){st.st_mtime, st.st_mtime});
    struct image *img = vhd_rig_open(child, false);
    vhd_rig_refuse(base, false, "in use");
    image_close(vhd_rig_open(base, true));
    image_close(img);
    img = vhd_rig_open(base, false);
    vhd_rig_refuse(child, true, "in use");
    image_close(img);
    g_free(vhd_rig_create(folder, "base.vhd", VHD_TYPE_DYNAMIC, SIZE, 0, NULL));
    vhd_rig_refuse(child, true, "base.vhd is another image");
    g_remove(base);
    cr_assert_eq(link(child, base), 0);
    vhd_rig_refuse(child, true, "a loop");
    g_file_set_contents(base, "nothing", -1, NULL);
    vhd_rig_refuse(child, true, "base.vhd");
    vhd_rig_remove(folder);
}
