/*
 * Opening disk images (vhd/open.c), raw images and fixed VHDs (vhd/raw.c, vhd/vhd.c).
 *
 * Not modelled: the guest.
 */
#define _GNU_SOURCE /* setresuid */
#include "vhd/vhd.h"
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    char *path;
};

static void folder_init(struct folder *f)
{
    f->path = g_dir_make_tmp("candela-XXXXXX", NULL);
    cr_assert_not_null(f->path);
}

static void folder_fini(struct folder *f)
{
    GDir *dir = g_dir_open(f->path, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(f->path, name, NULL);
        g_remove(path);
    }
    g_dir_close(dir);
    g_rmdir(f->path);
    g_free(f->path);
}

/* A file of `size` bytes, byte i being i / 512 + 1; `size` may be more than is stored. */
static char *make_file(struct folder *f, const char *name, uint64_t size)
{
    char *path = g_build_filename(f->path, name, NULL);
    size_t stored = MIN(size, 65536);
    g_autofree char *data = g_malloc0(stored + 1);

    for (size_t i = 0; i < stored; i++) {
        data[i] = (char)(i / 512 + 1);
    }
    cr_assert(g_file_set_contents(path, data, (gssize)stored, NULL));
    cr_assert_eq(truncate(path, (off_t)size), 0);
    return path;
}

static void fill_footer(uint8_t *footer, uint64_t size, uint32_t type)
{
    uint32_t sum = 0;

    memset(footer, 0, 512);
    memcpy(footer, "conectix", 8);
    st_be32(footer + 12, 0x10000);
    st_be64(footer + 40, size);
    st_be64(footer + 48, size);
    st_be32(footer + 60, type);
    for (unsigned i = 0; i < 512; i++) {
        sum += footer[i];
    }
    st_be32(footer + 64, ~sum);
}

static void append(const char *path, const void *data, size_t len)
{
    FILE *file = g_fopen(path, "ab");

    cr_assert_not_null(file);
    cr_assert_eq(fwrite(data, 1, len, file), len);
    fclose(file);
}

static void expect_refused(const char *path, enum drive_format format, bool readonly, bool cdrom,
                           int code, const char *words)
{
    GError *err = NULL;
    struct block *b = block_open(path, format, readonly, cdrom, &err);

    cr_assert_null(b, "%s was opened", path);
    cr_assert_not_null(err);
    cr_assert_eq(err->domain, CANDELA_ERROR);
    cr_assert_eq(err->code, code, "%s", err->message);
    cr_assert(g_str_has_prefix(err->message, path), "the message names the file: %s", err->message);
    cr_assert_not_null(strstr(err->message, words), "'%s' is not in '%s'", words, err->message);
    cr_assert_null(strchr(err->message, '\n'));
    g_error_free(err);
}

static struct block *expect_opened(const char *path, enum drive_format format, bool readonly,
                                   bool cdrom)
{
    GError *err = NULL;
    struct block *b = block_open(path, format, readonly, cdrom, &err);

    cr_assert_not_null(b, "%s", err ? err->message : "");
    return b;
}

Test(raw, what_is_no_image_is_refused_with_its_reason)
{
    struct folder f;

    folder_init(&f);
    g_autofree char *missing = g_build_filename(f.path, "missing.img", NULL);
    g_autofree char *empty = make_file(&f, "empty.img", 0);
    g_autofree char *tiny = make_file(&f, "tiny.img", 511);
    g_autofree char *pipe = g_build_filename(f.path, "pipe", NULL);
    g_autofree char *under = g_build_filename(f.path, "tiny.img", "below", NULL);
    cr_assert_eq(mkfifo(pipe, 0600), 0);
    expect_refused(missing, DRIVE_FORMAT_AUTO, false, false, CANDELA_ERROR_FILE, "no such file");
    expect_refused(missing, DRIVE_FORMAT_AUTO, true, true, CANDELA_ERROR_FILE, "no such file");
    cr_assert_not(g_file_test(missing, G_FILE_TEST_EXISTS), "nothing is created");
    expect_refused(empty, DRIVE_FORMAT_AUTO, false, false, CANDELA_ERROR_FORMAT, "empty");
    expect_refused(empty, DRIVE_FORMAT_AUTO, true, true, CANDELA_ERROR_FORMAT, "empty");
    expect_refused(tiny, DRIVE_FORMAT_RAW, false, false, CANDELA_ERROR_FORMAT, "one sector");
    expect_refused(f.path, DRIVE_FORMAT_AUTO, false, false, CANDELA_ERROR_FILE, "folder");
    expect_refused(f.path, DRIVE_FORMAT_AUTO, true, true, CANDELA_ERROR_FILE, "folder");
    expect_refused(pipe, DRIVE_FORMAT_AUTO, false, false, CANDELA_ERROR_FILE, "neither");
    expect_refused(pipe, DRIVE_FORMAT_AUTO, true, false, CANDELA_ERROR_FILE, "neither");
    expect_refused("/dev/null", DRIVE_FORMAT_AUTO, true, false, CANDELA_ERROR_FILE, "neither");
    expect_refused(under, DRIVE_FORMAT_AUTO, true, false, CANDELA_ERROR_FILE, "Not a directory");
    folder_fini(&f);
}

/* To root everything is permitted: the test becomes somebody else. */
Test(raw, missing_permissions_are_told_apart)
{
    enum { NOBODY = 65534 };
    struct folder f;

    folder_init(&f);
    if (geteuid() == 0) {
        cr_assert(!chown(f.path, NOBODY, NOBODY) && !setresgid(NOBODY, NOBODY, NOBODY) &&
                  !setresuid(NOBODY, NOBODY, NOBODY));
    }
    g_autofree char *secret = make_file(&f, "secret.img", 1024);
    chmod(secret, 0400);
    expect_refused(secret, DRIVE_FORMAT_AUTO, false, false, CANDELA_ERROR_FILE, "readonly=on");
    chmod(secret, 0);
    expect_refused(secret, DRIVE_FORMAT_AUTO, true, false, CANDELA_ERROR_FILE, "cannot be read");
    expect_refused(secret, DRIVE_FORMAT_AUTO, false, false, CANDELA_ERROR_FILE, "cannot be read");
    folder_fini(&f);
}

Test(raw, sizes_are_rounded_up_to_whole_sectors)
{
    static const struct {
        uint64_t size;
        bool cdrom;
        uint64_t sectors;
    } rows[] = {
        {512, false, 1},
        {1024, false, 2},
        {1025, false, 3},
        {2048, true, 4},
        {2049, true, 8},
        {100, true, 4},
        {3ull << 40, false, 3ull << 31},
    };
    struct folder f;

    folder_init(&f);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        g_autofree char *path = make_file(&f, "disk.img", rows[i].size);
        struct block *b = expect_opened(path, DRIVE_FORMAT_AUTO, false, rows[i].cdrom);
        cr_assert_eq(b->sectors, rows[i].sectors, "row %u", i);
        cr_assert_eq(b->readonly, rows[i].cdrom, "row %u", i);
        cr_assert(g_path_is_absolute(b->path));
        block_close(b);
    }
    folder_fini(&f);
}

Test(raw, partial_last_sector_reads_as_zeros_and_can_be_written)
{
    struct folder f;
    struct stat st;
    uint8_t buf[1024];

    folder_init(&f);
    g_autofree char *path = make_file(&f, "disk.img", 1100);
    struct block *b = expect_opened(path, DRIVE_FORMAT_AUTO, false, false);
    cr_assert_eq(b->ops->read_at(b->img, 512, buf, 1024), 0);
    cr_assert_eq(buf[0], 2);
    cr_assert_eq(buf[512], 3);
    cr_assert_eq(buf[512 + 75], 3);
    cr_assert_eq(buf[512 + 76], 0);
    memset(buf, 0xee, sizeof buf);
    cr_assert_eq(b->ops->write_at(b->img, 1024, buf, 512), 0);
    cr_assert_neq(b->ops->write_at(b->img, 1536, buf, 512), 0, "beyond the end");
    cr_assert_neq(b->ops->read_at(b->img, UINT64_MAX - 511, buf, 512), 0);
    cr_assert_eq(b->ops->flush(b->img), 0);
    cr_assert_eq(b->ops->read_at(b->img, 512, buf, 1024), 0);
    cr_assert_eq(buf[511], 2);
    cr_assert_eq(buf[512], 0xee);
    block_close(b);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_size, 1536);
    folder_fini(&f);
}

Test(raw, opening_and_reading_changes_nothing)
{
    struct folder f;
    struct stat before, after;
    uint8_t buf[512];

    folder_init(&f);
    g_autofree char *path = make_file(&f, "disk.img", 1100);
    stat(path, &before);
    struct block *b = expect_opened(path, DRIVE_FORMAT_AUTO, true, false);
    cr_assert_neq(b->ops->write_at(b->img, 0, buf, 512), 0);
    block_close(b);
    b = expect_opened(path, DRIVE_FORMAT_AUTO, false, false);
    b->ops->read_at(b->img, 0, buf, 512);
    block_close(b);
    stat(path, &after);
    cr_assert_eq(before.st_size, after.st_size);
    cr_assert_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    folder_fini(&f);
}

Test(raw, image_has_one_writer_or_many_readers)
{
    struct folder f;

    folder_init(&f);
    g_autofree char *path = make_file(&f, "disk.img", 4096);
    struct block *writer = expect_opened(path, DRIVE_FORMAT_AUTO, false, false);
    expect_refused(path, DRIVE_FORMAT_AUTO, false, false, CANDELA_ERROR_FILE, "in use");
    expect_refused(path, DRIVE_FORMAT_AUTO, true, false, CANDELA_ERROR_FILE, "in use");
    block_close(writer);
    struct block *one = expect_opened(path, DRIVE_FORMAT_AUTO, true, false);
    struct block *two = expect_opened(path, DRIVE_FORMAT_AUTO, false, true);
    expect_refused(path, DRIVE_FORMAT_AUTO, false, false, CANDELA_ERROR_FILE, "in use");
    block_close(one);
    block_close(two);
    block_close(expect_opened(path, DRIVE_FORMAT_AUTO, false, false));
    folder_fini(&f);
}

Test(vhd, fixed_disk_is_its_data_without_the_footer)
{
    struct folder f;
    uint8_t footer[512], buf[2048];

    folder_init(&f);
    for (unsigned length = 511; length <= 512; length++) { /* old ones lack a byte */
        g_autofree char *path = make_file(&f, "disk.vhd", 4096);
        fill_footer(footer, 4096, 2);
        append(path, footer, length);
        struct block *b = expect_opened(path, DRIVE_FORMAT_AUTO, false, false);
        cr_assert_eq(b->sectors, 8);
        cr_assert_eq(b->ops->read_at(b->img, 3584, buf, 512), 0);
        cr_assert_eq(buf[0], 8);
        cr_assert_neq(b->ops->write_at(b->img, 4096, buf, 512), 0, "the footer is safe");
        memset(buf, 0xff, sizeof buf);
        cr_assert_eq(b->ops->write_at(b->img, 3584, buf, 512), 0);
        block_close(b);
        b = expect_opened(path, DRIVE_FORMAT_VHD, true, false);
        cr_assert_eq(b->sectors, 8);
        block_close(b);
        b = expect_opened(path, DRIVE_FORMAT_RAW, true, false);
        cr_assert_eq(b->sectors, 9);
        block_close(b);
    }
    folder_fini(&f);
}

Test(vhd, raw_disk_with_a_footer_in_it_stays_raw)
{
    struct folder f;
    uint8_t footer[512];

    folder_init(&f);
    g_autofree char *path = make_file(&f, "disk.img", 4096);
    fill_footer(footer, 4096, 2);
    append(path, footer, 512);
    struct block *b = expect_opened(path, DRIVE_FORMAT_AUTO, false, false);
    cr_assert_eq(b->sectors, 9, "a guest can write what it likes to its last sector");
    block_close(b);
    folder_fini(&f);
}

Test(vhd, other_kinds_and_damaged_ones_are_refused_by_name)
{
    static const struct {
        uint64_t size;
        uint32_t type;
        int flip; /* a byte to damage, -1: none */
        const char *words;
    } rows[] = {
        {4096, 3, -1, "no place for the header"},
        {4096, 4, -1, "no place for the header"},
        {4096, 9, -1, "type"},
        {4096, 2, 100, "checksum"},
        {4608, 2, -1, "shorter"},
        {1000, 2, -1, "sectors"},
        {0, 2, -1, "sectors"},
        {4096, 2, 3, "no VHD"},
        {UINT64_MAX & ~511ull, 2, -1, "shorter"},
    };
    struct folder f;
    uint8_t footer[512];

    folder_init(&f);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        g_autofree char *path = make_file(&f, "disk.vhd", 4096);
        fill_footer(footer, rows[i].size, rows[i].type);
        if (rows[i].flip >= 0) {
            footer[rows[i].flip] ^= 1;
        }
        append(path, footer, 512);
        expect_refused(path, DRIVE_FORMAT_AUTO, false, false, CANDELA_ERROR_FORMAT, rows[i].words);
    }
    g_autofree char *cut = g_build_filename(f.path, "cut.vhd", NULL);
    fill_footer(footer, 4096, 3);
    append(cut, footer, 512);
    append(cut, footer + 100, 300);
    expect_refused(cut, DRIVE_FORMAT_AUTO, false, false, CANDELA_ERROR_FORMAT, "cut off");
    g_autofree char *plain = make_file(&f, "plain.img", 4096);
    expect_refused(plain, DRIVE_FORMAT_VHD, false, false, CANDELA_ERROR_FORMAT, "no VHD footer");
    expect_refused(plain, DRIVE_FORMAT_VHD, false, true, CANDELA_ERROR_FORMAT, "VHD");
    folder_fini(&f);
}

Test(vhd, sample_made_on_windows_opens)
{
    struct folder f;
    uint8_t buf[512];

    folder_init(&f);
    g_autofree char *command = g_strdup_printf(
        "gzip -dc " TESTS_DIR "/data/vhd-samples/fat-parent.vhd.gz > %s/sample.vhd", f.path);
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    cr_assert(g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL));
    g_autofree char *path = g_build_filename(f.path, "sample.vhd", NULL);
    struct block *b = expect_opened(path, DRIVE_FORMAT_AUTO, true, false);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_MD5);
    cr_assert_eq(b->sectors * 512, 4194304);
    for (uint64_t off = 0; off < 4194304; off += 512) {
        cr_assert_eq(b->ops->read_at(b->img, off, buf, 512), 0);
        g_checksum_update(sum, buf, 512);
    }
    cr_assert_str_eq(g_checksum_get_string(sum), "2e41d55e2da0466aa0c3f69ad249d036");
    block_close(b);
    folder_fini(&f);
}
