/*
 * Compacting: the host's space that holds no data is given back.
 *
 * Dynamic and differencing disks are written anew without the blocks that say nothing.  In raw and
 * fixed ones zeros become holes in place, which changes no byte of them.  The file keeps the time
 * of its last change: children recorded that, and see the same contents.
 *
 * Not modelled: knowledge of file systems, whose free space may hold old data.
 */
#define _GNU_SOURCE /* fallocate */
#include "vhd/disk_int.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { HOLE_GRAIN = 64 * 1024 };

static bool bit_is_set(const uint8_t *bitmap, uint32_t n)
{
    return bitmap[n / 8] & (0x80 >> n % 8);
}

static int skip_zeros(struct image *img, uint32_t block, const uint8_t *bitmap, const uint8_t *data,
                      bool *yes)
{
    (void)block;
    (void)bitmap;
    *yes = is_zeros(data, img->vhd->header.block_bytes);
    return 0;
}

/* All that the block has is what the parent shows as well. */
static int skip_same(struct image *img, uint32_t block, const uint8_t *bitmap, const uint8_t *data,
                     bool *yes)
{
    struct image *parent = img->vhd->parent;
    uint32_t block_bytes = img->vhd->header.block_bytes, sectors = block_bytes / SECTOR_BYTES;
    uint64_t start = (uint64_t)block * block_bytes;
    uint8_t sector[SECTOR_BYTES];

    for (uint32_t i = 0; i < sectors; i++) {
        uint64_t at = start + (uint64_t)i * SECTOR_BYTES;
        int error = 0;

        if (!bit_is_set(bitmap, i)) {
            continue;
        }
        memset(sector, 0, sizeof sector);
        if (at + SECTOR_BYTES <= parent->size) {
            error = parent->ops->read_at(parent, at, sector, sizeof sector);
        }
        if (error || memcmp(sector, data + (size_t)i * SECTOR_BYTES, sizeof sector) != 0) {
            return error;
        }
    }
    *yes = true;
    return 0;
}

static bool compact_anew(struct image *img, const struct disk_watch *w, struct disk_result *r,
                         GError **err)
{
    bool child = img->vhd->parent != NULL;
    struct new_file n;
    struct stat st;

    if (!new_file_begin_for(&n, img->path, img->file.fd, err)) {
        return false;
    }
    if (!disk_rewrite(img, n.fd, img->size, child ? skip_same : skip_zeros, w, err)) {
        new_file_drop(&n);
        return false;
    }
    if (!fstat(img->file.fd, &st)) {
        disk_set_mtime(n.fd, &st.st_mtim);
    }
    r->after = disk_host_bytes(n.fd);
    return new_file_finish(&n, err);
}

/* One stretch of data: its zeros become holes.  0 or errno. */
static int punch_piece(struct image *img, uint64_t off, size_t len, uint8_t *buf)
{
    int error = file_read_at(&img->file, buf, len, off);

    for (size_t at = 0; at < len && !error; at += HOLE_GRAIN) {
        size_t n = MIN(len - at, HOLE_GRAIN);

        if (is_zeros(buf + at, n) &&
            fallocate(img->file.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(off + at),
                      (off_t)n)) {
            error = errno;
        }
    }
    return error;
}

static bool compact_in_place(struct image *img, const struct disk_watch *w, GError **err)
{
    g_autofree uint8_t *buf = g_malloc(DISK_PIECE);
    struct stat st;
    bool timed = !fstat(img->file.fd, &st), good = true;
    uint64_t off = 0, end = 0;

    while (good && off < img->size) {
        int error = image_next_data(img, off, false, &off, &end);

        while (good && !error && off < MIN(end, img->size)) {
            uint64_t stop = MIN(MIN(end, img->size), (off / DISK_PIECE + 1) * DISK_PIECE);

            good = disk_tick(w, img->path, off, img->size, err);
            error = good ? punch_piece(img, off, (size_t)(stop - off), buf) : 0;
            off = stop;
        }
        if (good && error) {
            good = disk_io_error(err, img->path,
                                 error == EOPNOTSUPP ? "this file system has no holes"
                                                     : "cannot be compacted",
                                 error);
        }
    }
    if (timed) {
        disk_set_mtime(img->file.fd, &st.st_mtim);
    }
    return good;
}

bool disk_compact(const char *path, enum drive_format format, const struct disk_watch *w,
                  struct disk_result *r, GError **err)
{
    g_autofree char *real = disk_real_path(path, err);
    struct image *img =
        real ? image_open(path, format, false, false, &host_file_ops, NULL, err) : NULL;
    bool good;

    if (!img) {
        return false;
    }
    r->before = disk_host_bytes(img->file.fd);
    good = !img->vhd || disk_refuse_children(real, img->vhd->footer.uuid, NULL, "compact", err);
    if (good && disk_kind_of(img) >= DISK_DYNAMIC) {
        good = compact_anew(img, w, r, err);
    } else if (good) {
        good = compact_in_place(img, w, err);
        r->after = disk_host_bytes(img->file.fd);
    }
    image_close(img);
    return good;
}

void disk_result_clear(struct disk_result *r)
{
    g_free(r->note);
    memset(r, 0, sizeof *r);
}
