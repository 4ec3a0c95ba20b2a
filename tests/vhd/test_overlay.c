/*
 * Overlays (vhd/overlay.c): the guest's writes are read back and the image stays as it was.
 *
 * Not modelled: the guest.
 */
#include "tests/vhd/vhd_rig.h"
#include <criterion/criterion.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <unistd.h>

enum { SIZE = 300 * 1024 + 512 }; /* the last cluster is not whole */

struct bench {
    char *folder, *path;
    uint8_t *model; /* what the disk must be */
    struct block *b;
};

static void bench_open(struct bench *b)
{
    GError *err = NULL;

    b->b = block_open(b->path, DRIVE_FORMAT_RAW, true, false, &err);
    cr_assert(b->b && block_add_overlay(b->b, &err), "%s", err ? err->message : "");
    cr_expect_not(b->b->readonly);
    cr_expect_eq(b->b->sectors, SIZE / 512);
}

static struct bench bench_new(void)
{
    struct bench b = {.folder = g_dir_make_tmp("candela-overlay-XXXXXX", NULL)};

    b.path = g_build_filename(b.folder, "disk.img", NULL);
    b.model = g_malloc(SIZE);
    for (unsigned i = 0; i < SIZE; i++) {
        b.model[i] = (uint8_t)(i / 512 + i);
    }
    cr_assert(g_file_set_contents(b.path, (char *)b.model, SIZE, NULL));
    bench_open(&b);
    return b;
}

static void bench_clear(struct bench *b)
{
    block_close(b->b);
    g_remove(b->path);
    cr_expect_eq(g_rmdir(b->folder), 0, "something is left");
    g_free(b->folder);
    g_free(b->path);
    g_free(b->model);
}

static void expect_model(struct bench *b)
{
    g_autofree uint8_t *data = g_malloc(SIZE);

    cr_expect_eq(b->b->ops->read_at(b->b->img, 0, data, SIZE), 0);
    cr_expect(!memcmp(data, b->model, SIZE));
}

Test(overlay, writes_are_read_back_and_forgotten)
{
    struct bench b = bench_new();
    g_autofree uint8_t *fresh = g_memdup2(b.model, SIZE);
    g_autofree char *image = NULL;
    GRand *rand = g_rand_new_with_seed(1);

    expect_model(&b);
    for (unsigned i = 0; i < 200; i++) {
        uint32_t first = (uint32_t)g_rand_int_range(rand, 0, SIZE / 512);
        uint32_t count = (uint32_t)g_rand_int_range(rand, 1, MIN(SIZE / 512 - (int)first, 200) + 1);
        uint8_t *at = b.model + first * 512;

        memset(at, (int)i, count * 512);
        cr_assert_eq(b.b->ops->write_at(b.b->img, first * 512, at, count * 512), 0);
        if (i % 20 == 0) {
            expect_model(&b);
        }
    }
    expect_model(&b);
    g_rand_free(rand);
    cr_assert(g_file_get_contents(b.path, &image, NULL, NULL));
    cr_expect(!memcmp(image, fresh, SIZE), "the image was changed");
    block_close(b.b);
    memcpy(b.model, fresh, SIZE);
    bench_open(&b);
    expect_model(&b);
    bench_clear(&b);
}

Test(overlay, has_the_size_of_its_image)
{
    struct bench b = bench_new();
    uint8_t sector[512] = {0};

    cr_expect_eq(b.b->ops->write_at(b.b->img, SIZE - 512, sector, 512), 0);
    cr_expect_eq(b.b->ops->write_at(b.b->img, SIZE, sector, 512), EINVAL);
    cr_expect_eq(b.b->ops->write_at(b.b->img, UINT64_MAX - 511, sector, 512), EINVAL);
    bench_clear(&b);
}

/* Two may read one image. */
Test(overlay, locks_its_image_for_reading_only)
{
    struct bench b = bench_new();
    GError *err = NULL;
    struct block *second = block_open(b.path, DRIVE_FORMAT_RAW, true, false, &err);

    cr_assert_not_null(second);
    block_close(second);
    cr_expect_null(block_open(b.path, DRIVE_FORMAT_RAW, false, false, &err));
    cr_expect(err && strstr(err->message, "in use"));
    g_clear_error(&err);
    bench_clear(&b);
}

/* Dynamic and differencing images stay byte for byte as they were. */
Test(overlay, lies_over_every_kind_of_vhd)
{
    static const enum vhd_type types[] = {VHD_TYPE_FIXED, VHD_TYPE_DYNAMIC, VHD_TYPE_DIFFERENCING};
    char *folder = vhd_rig_folder();
    g_autofree char *base = vhd_rig_create(folder, "base.vhd", VHD_TYPE_DYNAMIC, MiB, 65536, NULL);
    g_autofree uint8_t *base_model = g_malloc0(MiB);
    struct image *img = vhd_rig_open(base, false);
    GRand *rand = g_rand_new_with_seed(5);

    vhd_rig_scribble(img, base_model, rand, 10, 50000);
    image_close(img);
    for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
        bool child = types[i] == VHD_TYPE_DIFFERENCING;
        g_autofree char *path =
            vhd_rig_create(folder, "disk.vhd", types[i], MiB, 0, child ? base : NULL);
        g_autofree uint8_t *model = child ? g_memdup2(base_model, MiB) : g_malloc0(MiB);
        g_autofree uint8_t *data = g_malloc(MiB);
        g_autofree char *before = NULL, *after = NULL;
        gsize len, len_after;
        GError *err = NULL;

        cr_assert(g_file_get_contents(path, &before, &len, NULL));
        struct block *b = block_open(path, DRIVE_FORMAT_AUTO, true, false, &err);
        cr_assert(b && block_add_overlay(b, &err), "%s", err ? err->message : "");
        for (unsigned n = 0; n < 30; n++) {
            uint32_t first = (uint32_t)g_rand_int_range(rand, 0, 2000);

            memset(model + first * 512, (int)n + 1, 48 * 512);
            cr_assert_eq(b->ops->write_at(b->img, first * 512, model + first * 512, 48 * 512), 0);
        }
        cr_assert_eq(b->ops->read_at(b->img, 0, data, MiB), 0);
        cr_expect(!memcmp(data, model, MiB));
        block_close(b);
        cr_assert(g_file_get_contents(path, &after, &len_after, NULL));
        cr_expect(len == len_after && !memcmp(before, after, len), "the image was changed");
    }
    g_rand_free(rand);
    vhd_rig_remove(folder);
}
