/*
 * What the tests of disk tools share.
 *
 * Not modelled: the guest.
 */
#include "tests/vhd/disk_rig.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 64 * 1024 };

void disk_dir_init(struct disk_dir *d)
{
    d->path = g_dir_make_tmp("candela-disk-XXXXXX", NULL);
    cr_assert_not_null(d->path);
}

unsigned disk_dir_count(const struct disk_dir *d)
{
    GDir *dir = g_dir_open(d->path, 0, NULL);
    unsigned n = 0;

    while (g_dir_read_name(dir)) {
        n++;
    }
    g_dir_close(dir);
    return n;
}

void disk_dir_fini(struct disk_dir *d)
{
    GDir *dir = g_dir_open(d->path, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = disk_dir_file(d, name);
        g_remove(path);
    }
    g_dir_close(dir);
    g_rmdir(d->path);
    g_free(d->path);
}

char *disk_dir_file(const struct disk_dir *d, const char *name)
{
    return g_build_filename(d->path, name, NULL);
}

void disk_make_raw(const char *path, uint64_t size, unsigned seed)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    g_autofree uint32_t *piece = g_malloc(PIECE);
    uint32_t state = seed * 2654435761u + 1;

    cr_assert(fd >= 0 && !ftruncate(fd, (off_t)size));
    for (uint64_t off = 0; off < size; off += PIECE) {
        size_t len = MIN(PIECE, size - off);

        state = state * 1664525u + 1013904223u;
        if (state >> 30) { /* three of four are holes */
            continue;
        }
        for (unsigned i = 0; i < PIECE / 4; i++) {
            state = state * 1664525u + 1013904223u;
            piece[i] = state;
        }
        cr_assert_eq(pwrite(fd, piece, len, (off_t)off), (ssize_t)len);
    }
    close(fd);
}

static struct image *open_image(const char *path, bool readonly)
{
    GError *err = NULL;
    struct image *img =
        image_open(path, DRIVE_FORMAT_AUTO, readonly, false, &host_file_ops, NULL, &err);

    cr_assert_not_null(img, "%s", err ? err->message : "");
    return img;
}

void disk_poke(const char *path, uint64_t off, size_t len, uint8_t fill)
{
    struct image *img = open_image(path, false);
    g_autofree uint8_t *buf = g_malloc(len);

    memset(buf, fill, len);
    cr_assert_eq(img->ops->write_at(img, off, buf, len), 0);
    cr_assert_eq(img->ops->flush(img), 0);
    image_close(img);
}

char *disk_sum(const char *path)
{
    struct image *img = open_image(path, true);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_MD5);
    g_autofree uint8_t *buf = g_malloc(PIECE);

    for (uint64_t off = 0; off < img->size; off += PIECE) {
        size_t len = MIN(PIECE, img->size - off);

        cr_assert_eq(img->ops->read_at(img, off, buf, len), 0);
        g_checksum_update(sum, buf, (gssize)len);
    }
    image_close(img);
    return g_strdup(g_checksum_get_string(sum));
}

char *disk_file_sum(const char *path)
{
    g_autofree char *data = NULL;
    gsize len;

    cr_assert(g_file_get_contents(path, &data, &len, NULL), "%s", path);
    return g_compute_checksum_for_data(G_CHECKSUM_MD5, (const guchar *)data, len);
}

void disk_unpack_sample(const char *name, const char *path)
{
    g_autofree char *command =
        g_strdup_printf("cd " TESTS_DIR "/data/vhd-samples && { gzip -dc %s.gz || bzip2 -dc "
                        "%s.bz2; } 2>/dev/null >%s",
                        name, name, path);

    disk_expect(0, "/bin/sh", "-c", command);
}

bool disk_has_program(const char *name)
{
    g_autofree char *path = g_find_program_in_path(name);

    return path != NULL;
}

static void limit_run(gpointer data)
{
    const uint64_t *bytes = data;
    struct rlimit limit = {*bytes, *bytes};

    if (*bytes) {
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    alarm(120); /* nothing here may hang */
}

struct disk_ran disk_run(uint64_t file_bytes, const char *word, ...)
{
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    struct disk_ran r = {-1, NULL, NULL};
    GError *err = NULL;
    int status = 0;
    va_list args;

    va_start(args, word);
    for (const char *w = word; w; w = va_arg(args, const char *)) {
        g_ptr_array_add(argv, (char *)w);
    }
    va_end(args);
    g_ptr_array_add(argv, NULL);
    cr_assert(g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_SEARCH_PATH, limit_run,
                           &file_bytes, &r.out, &r.err, &status, &err),
              "%s", err ? err->message : "");
    r.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return r;
}

void disk_ran_clear(struct disk_ran *r)
{
    g_free(r->out);
    g_free(r->err);
}

const char *disk_program(void)
{
    const char *path = g_getenv("CANDELA");

    path = path ? path : "./candela";
    if (access(path, X_OK)) {
        cr_skip_test("%s is not built", path);
    }
    return path;
}
