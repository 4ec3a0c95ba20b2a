/*
 * A host that refuses: full disks and failing ones under dynamic and differencing VHDs.  The guest
 * gets the error, what was flushed stays, and the image opens.
 *
 * Not modelled: the guest.
 */
#include "tests/vhd/versions.h"
#include "tests/vhd/vhd_rig.h"
#include <criterion/criterion.h>
#include <errno.h>

enum { SECTORS = 3000, ROUNDS = 60 };

/* The next `good` calls work; then all writes fail, or the syncs. */
struct faults {
    unsigned good;
    int write_error, sync_error;
    unsigned failed;
};

static int fault_read(struct file *f, void *buf, size_t len, uint64_t off)
{
    return host_file_ops.read(f, buf, len, off);
}

static int fault_take(struct faults *t, int error)
{
    if (!error || t->good) {
        t->good -= t->good != 0;
        return 0;
    }
    t->failed++;
    return error;
}

/* As a full disk: a part may have been written. */
static int fault_write(struct file *f, const void *buf, size_t len, uint64_t off)
{
    int error = fault_take(f->opaque, ((struct faults *)f->opaque)->write_error);

    if (error) {
        host_file_ops.write(f, buf, len / 2 & ~(size_t)(SECTOR_BYTES - 1), off);
        return error;
    }
    return host_file_ops.write(f, buf, len, off);
}

static int fault_sync(struct file *f)
{
    int error = fault_take(f->opaque, ((struct faults *)f->opaque)->sync_error);

    return error ? error : host_file_ops.sync(f);
}

static const struct file_ops fault_ops = {
    .read = fault_read,
    .write = fault_write,
    .sync = fault_sync,
};

static void expect_all(struct versions *v, const char *path)
{
    g_autofree char *what = NULL;
    struct image *img = vhd_rig_open(path, false);

    cr_assert_eq(versions_check(v, img, &what), 0, "%s", what);
    image_close(img);
}

/* Write until it fails; then there is room again, and all goes on. */
static void full_disk(enum vhd_type type, uint32_t seed)
{
    char *folder = vhd_rig_folder();
    uint64_t size = (uint64_t)SECTORS * SECTOR_BYTES;
    g_autofree char *base = vhd_rig_create(folder, "base.vhd", VHD_TYPE_FIXED, size, 0, NULL);
    g_autofree char *path = vhd_rig_create(folder, "disk.vhd", type, size, 16 * 1024,
                                           type == VHD_TYPE_DIFFERENCING ? base : NULL);
    GRand *rand = g_rand_new_with_seed(seed);
    struct faults t = {0};
    struct versions v;
    unsigned failed = 0;

    versions_init(&v, SECTORS);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct image *img = image_open(path, DRIVE_FORMAT_VHD, false, false, &fault_ops, &t, NULL);
        cr_assert_not_null(img);
        t = (struct faults){.good = (unsigned)g_rand_int_range(rand, 0, 20), .write_error = ENOSPC};
        for (unsigned i = 0; i < 20; i++) {
            int error = versions_scribble(&v, img, rand, 30);
            if (i % 7 == 6) {
                error |= versions_flush(&v, img);
            }
            cr_assert(!error || error == ENOSPC);
            failed += error != 0;
        }
        t.write_error = 0; /* somebody made room */
        cr_assert_eq(versions_flush(&v, img), 0);
        image_close(img);
        expect_all(&v, path);
    }
    cr_assert_gt(failed, ROUNDS);
    g_rand_free(rand);
    versions_fini(&v);
    vhd_rig_remove(folder);
}

Test(vhd_faults, full_disk_under_a_dynamic_one)
{
    full_disk(VHD_TYPE_DYNAMIC, 1);
}

Test(vhd_faults, full_disk_under_a_differencing_one)
{
    full_disk(VHD_TYPE_DIFFERENCING, 2);
}

/* The host tells an error of a sync once only; what it lost then is never counted as flushed. */
Test(vhd_faults, failed_sync_is_not_forgotten)
{
    char *folder = vhd_rig_folder();
    uint64_t size = (uint64_t)SECTORS * SECTOR_BYTES;
    g_autofree char *path =
        vhd_rig_create(folder, "disk.vhd", VHD_TYPE_DYNAMIC, size, 16 * 1024, NULL);

    for (unsigned good = 0; good < 2; good++) { /* the first sync of a flush, and the second */
        struct faults t = {0};
        struct versions v;

        versions_init(&v, SECTORS);
        struct image *img = image_open(path, DRIVE_FORMAT_VHD, false, false, &fault_ops, &t, NULL);
        cr_assert_not_null(img);
        cr_assert_eq(versions_write(&v, img, 100 + 500 * good, 40), 0);
        t = (struct faults){.good = good, .sync_error = EIO};
        cr_expect_eq(img->ops->flush(img), EIO);
        t.sync_error = 0;
        cr_expect_eq(img->ops->flush(img), EIO);
        cr_expect_eq(versions_write(&v, img, 0, 1), EIO);
        uint8_t sector[SECTOR_BYTES];
        cr_expect_eq(img->ops->read_at(img, 0, sector, sizeof sector), 0);
        image_close(img);
        image_close(vhd_rig_open(path, false));
        versions_fini(&v);
    }
    vhd_rig_remove(folder);
}
