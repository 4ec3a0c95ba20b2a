/*
 * Opening floppy images (block_open_floppy in vhd/open.c).
 *
 * Not modelled: the guest.
 */
#include "vhd/vhd.h"
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file of `size` bytes in a new folder; both are gone after remove_file. */
static char *make_file(off_t size)
{
    g_autofree char *folder = g_dir_make_tmp("candela-XXXXXX", NULL);
    char *path = g_build_filename(folder, "disk.vfd", NULL);

    cr_assert(g_file_set_contents(path, "floppy", 6, NULL));
    cr_assert_eq(truncate(path, size), 0);
    return path;
}

static void remove_file(char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);

    g_remove(path);
    g_rmdir(folder);
    g_free(path);
}

Test(floppy_image, takes_the_size_of_its_format)
{
    static const struct {
        off_t bytes;
        unsigned sectors;
    } rows[] = {{163840, 320},      {184320, 360},   {327680, 640},   {368640, 720},
                {737280, 1440},     {1228800, 2400}, {1474560, 2880}, {1720320, 3360},
                {2949120, 5760},    {512, 320},      {513, 320},      {1296384, 2880},
                {1474560 - 1, 2880}};

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        char *path = make_file(rows[i].bytes);
        GError *err = NULL;
        struct block *b = block_open_floppy(path, DRIVE_FORMAT_AUTO, false, &err);

        cr_assert_not_null(b, "%d bytes: %s", (int)rows[i].bytes, err ? err->message : "?");
        cr_expect_eq(b->sectors, rows[i].sectors, "%d bytes", (int)rows[i].bytes);
        cr_expect_not(b->readonly);
        block_close(b);
        remove_file(path);
    }
}

Test(floppy_image, reads_zeros_behind_its_end_and_grows_by_a_write)
{
    char *path = make_file(1000);
    struct block *b = block_open_floppy(path, DRIVE_FORMAT_RAW, false, NULL);
    uint8_t buf[1024], byte = 0x5a;
    struct stat st;

    cr_assert_not_null(b);
    memset(buf, 0xee, sizeof buf);
    cr_assert_eq(b->ops->read_at(b->img, 0, buf, sizeof buf), 0);
    cr_assert(!memcmp(buf, "floppy", 6) && buf[999] == 0 && buf[1000] == 0 && buf[1023] == 0);
    cr_assert_eq(b->ops->read_at(b->img, 319 * SECTOR_BYTES, buf, SECTOR_BYTES), 0);
    cr_assert_eq(buf[511], 0);
    cr_assert_eq(g_stat(path, &st), 0);
    cr_assert_eq(st.st_size, 1000, "reading changes nothing");
    memset(buf, byte, SECTOR_BYTES);
    cr_assert_eq(b->ops->write_at(b->img, 10 * SECTOR_BYTES, buf, SECTOR_BYTES), 0);
    cr_assert_neq(b->ops->write_at(b->img, 320 * SECTOR_BYTES, buf, SECTOR_BYTES), 0);
    block_close(b);
    cr_assert_eq(g_stat(path, &st), 0);
    cr_assert_eq(st.st_size, 11 * SECTOR_BYTES);
    remove_file(path);
}

Test(floppy_image, is_write_protected_when_its_file_is)
{
    for (unsigned i = 0; i < 2; i++) {
        char *path = make_file(1474560);
        struct block *b;

        cr_assert_eq(g_chmod(path, i ? 0444 : 0644), 0);
        b = block_open_floppy(path, DRIVE_FORMAT_AUTO, !i, NULL);
        cr_assert_not_null(b);
        cr_assert(b->readonly);
        block_close(b);
        remove_file(path);
    }
}

Test(floppy_image, what_is_no_floppy_disk_is_refused)
{
    static const struct {
        off_t bytes;
        enum drive_format format;
        const char *says;
    } rows[] = {
        {0, DRIVE_FORMAT_AUTO, "is empty"},
        {100, DRIVE_FORMAT_AUTO, "shorter than one sector"},
        {2949121, DRIVE_FORMAT_AUTO, "has 2949121 bytes: the largest floppy disk has 2949120"},
        {(off_t)1 << 32, DRIVE_FORMAT_RAW, "the largest floppy disk"},
        {1474560, DRIVE_FORMAT_VHD, "not VHD"}};

    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        char *path = make_file(rows[i].bytes);
        GError *err = NULL;

        cr_assert_null(block_open_floppy(path, rows[i].format, false, &err), "row %u", i);
        cr_expect(g_error_matches(err, CANDELA_ERROR, CANDELA_ERROR_FORMAT));
        cr_expect(g_str_has_prefix(err->message, path) && strstr(err->message, rows[i].says), "%s",
                  err->message);
        g_error_free(err);
        remove_file(path);
    }
}
