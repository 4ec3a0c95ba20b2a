/*
 * Moving what a disk holds: only what is data, and no zeros.
 *
 * Not modelled: copying by the file system (reflinks).
 */
#define _GNU_SOURCE /* sync_file_range */
#include "vhd/disk_int.h"
#include <errno.h>
#include <fcntl.h>

enum { ZERO_GRAIN = 4096, WRITE_OUT_BYTES = 32 * 1024 * 1024 };

bool is_zeros(const void *buf, size_t len)
{
    const uint8_t *p = buf;

    /* The first bytes tell most of the time; all others are zeros if each is like its neighbour. */
    return !len || (!*p && !memcmp(p, p + 1, len - 1));
}

int write_sparse(int (*write)(void *opaque, uint64_t off, const void *buf, size_t len),
                 void *opaque, uint64_t off, const uint8_t *buf, size_t len)
{
    size_t start = 0, at = 0;

    while (at < len) {
        size_t n = MIN(len - at, ZERO_GRAIN);
        int error = 0;

        if (is_zeros(buf + at, n)) {
            error = at > start ? write(opaque, off + start, buf + start, at - start) : 0;
            start = at + n;
        }
        if (error) {
            return error;
        }
        at += n;
    }
    return at > start ? write(opaque, off + start, buf + start, at - start) : 0;
}

/* One piece from `start` on, at most up to `end` and to a multiple of the piece's size. */
static bool copy_piece(struct image *from, struct image *to, uint64_t start, size_t len,
                       uint8_t *buf, GError **err)
{
    size_t whole = align_up(len, SECTOR_BYTES);
    int error = from->ops->read_at(from, start, buf, len);

    if (error) {
        return disk_io_error(err, from->path, "cannot be read", error);
    }
    memset(buf + len, 0, whole - len);
    error = write_sparse(to->ops->write_at, to, start, buf, whole);
    return !error || disk_io_error(err, to->path, "cannot be written", error);
}

/* Have the host's disk begin with what is written, so that the sync at the end has less to do. */
static void copy_write_out(struct image *to, uint64_t bytes, uint64_t *written)
{
    *written += bytes;
    if (*written >= WRITE_OUT_BYTES) {
        *written = 0;
        sync_file_range(to->file.fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* a hint */
    }
}

bool disk_copy(struct image *from, struct image *to, const struct disk_watch *w, GError **err)
{
    g_autofree uint8_t *buf = g_malloc(DISK_PIECE + SECTOR_BYTES);
    uint64_t written = 0;

    for (uint64_t off = 0; off < from->size;) {
        uint64_t start, end;
        int error = image_next_data(from, off, true, &start, &end);

        if (error) {
            return disk_io_error(err, from->path, "cannot be read", error);
        }
        for (off = start; off < MIN(end, from->size);) {
            uint64_t stop = MIN(MIN(end, from->size), (off / DISK_PIECE + 1) * DISK_PIECE);

            if (!disk_tick(w, from->path, off, from->size, err) ||
                !copy_piece(from, to, off, (size_t)(stop - off), buf, err)) {
                return false;
            }
            copy_write_out(to, stop - off, &written);
            off = stop;
        }
        if (!disk_tick(w, from->path, off, from->size, err)) {
            return false;
        }
    }
    return true;
}
