/*
 * Helpers of the image tests; see vhd_rig.h.
 *
 * Not modelled: the guest.
 */
#include "tests/vhd/vhd_rig.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

char *vhd_rig_folder(void)
{
    /* In memory where that is to be had: the tests sync thousands of times. */
    char *folder = g_strdup("/dev/shm/candela-vhd-XXXXXX");

    if (!g_mkdtemp(folder)) {
        g_free(folder);
        folder = g_dir_make_tmp("candela-vhd-XXXXXX", NULL);
    }
    cr_assert_not_null(folder);
    return folder;
}

void vhd_rig_remove(char *folder)
{
    GDir *dir = g_dir_open(folder, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, name, NULL);
        g_remove(path);
    }
    g_dir_close(dir);
    g_rmdir(folder);
    g_free(folder);
}

char *vhd_rig_create(const char *folder, const char *name, enum vhd_type type, uint64_t size,
                     uint32_t block_bytes, const char *parent)
{
    char *path = g_build_filename(folder, name, NULL);
    struct image_layout layout = {
        .format = DRIVE_FORMAT_VHD,
        .type = type,
        .size = size,
        .block_bytes = block_bytes,
        .path = path,
        .parent = parent,
    };
    GError *err = NULL;
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    cr_assert(image_create(fd, &layout, &err), "%s", err ? err->message : "");
    close(fd);
    return path;
}

struct image *vhd_rig_open(const char *path, bool readonly)
{
    GError *err = NULL;
    struct image *img =
        image_open(path, DRIVE_FORMAT_VHD, readonly, false, &host_file_ops, NULL, &err);

    cr_assert_not_null(img, "%s", err ? err->message : "");
    return img;
}

void vhd_rig_refuse(const char *path, bool readonly, const char *words)
{
    GError *err = NULL;
    struct image *img =
        image_open(path, DRIVE_FORMAT_VHD, readonly, false, &host_file_ops, NULL, &err);

    cr_assert_null(img, "%s was opened", path);
    cr_assert_not_null(err);
    cr_assert(g_str_has_prefix(err->message, path), "%s", err->message);
    cr_assert_not_null(strstr(err->message, words), "'%s' is not in '%s'", words, err->message);
    g_error_free(err);
}

void vhd_rig_write(struct image *img, uint8_t *model, uint64_t off, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i += 4) {
        st_le32(model + off + i, (uint32_t)(seed * 2654435761u + (off + i) * 40503u));
    }
    cr_assert_eq(img->ops->write_at(img, off, model + off, count), 0);
}

void vhd_rig_scribble(struct image *img, uint8_t *model, GRand *rand, unsigned count, size_t most)
{
    int sectors = (int)(img->size / SECTOR_BYTES), limit = (int)(most / SECTOR_BYTES);

    for (unsigned i = 0; i < count; i++) {
        int first = g_rand_int_range(rand, 0, sectors);
        int n = g_rand_int_range(rand, 1, MIN(limit, sectors - first) + 1);

        vhd_rig_write(img, model, (uint64_t)first * SECTOR_BYTES, (size_t)n * SECTOR_BYTES,
                      g_rand_int(rand));
    }
}

void vhd_rig_expect(struct image *img, const uint8_t *model)
{
    g_autofree uint8_t *data = g_malloc(img->size);

    cr_assert_eq(img->ops->read_at(img, 0, data, img->size), 0);
    for (uint64_t i = 0; i < img->size; i += SECTOR_BYTES) {
        cr_assert(!memcmp(data + i, model + i, SECTOR_BYTES), "sector %llu differs",
                  (unsigned long long)(i / SECTOR_BYTES));
    }
}

char *vhd_rig_shell(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *command = g_strdup_vprintf(format, args);
    va_end(args);
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    char *out = NULL;
    g_autofree char *messages = NULL;
    GError *err = NULL;
    int status;

    cr_assert(
        g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, &out, &messages, &status, &err),
        "%s", err ? err->message : "");
    cr_assert_eq(status, 0, "%s: %s%s", command, out, messages);
    return out;
}

char *vhd_rig_sample(const char *folder, const char *name)
{
    char *path = g_build_filename(folder, name, NULL);
    g_autofree char *gz = g_strdup_printf(TESTS_DIR "/data/vhd-samples/%s.gz", name);
    bool is_gz = g_file_test(gz, G_FILE_TEST_EXISTS);

    g_free(vhd_rig_shell("%s -dc " TESTS_DIR "/data/vhd-samples/%s.%s | dd conv=sparse bs=64k "
                         "of=%s 2>/dev/null",
                         is_gz ? "gzip" : "bzip2", name, is_gz ? "gz" : "bz2", path));
    return path;
}

char *vhd_rig_md5(struct image *img)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_MD5);
    g_autofree uint8_t *data = g_malloc(MiB);

    for (uint64_t off = 0; off < img->size; off += MiB) {
        size_t n = MIN(MiB, img->size - off);

        cr_assert_eq(img->ops->read_at(img, off, data, n), 0);
        g_checksum_update(sum, data, (gssize)n);
    }
    return g_strdup(g_checksum_get_string(sum));
}
