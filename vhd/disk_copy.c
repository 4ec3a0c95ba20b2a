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

/* Copying: one thread reads ahead of the other, which writes. */
enum { COPY_PIECES = 4 };

struct copy_piece {
    uint64_t off;
    size_t len; /* 0: the last one */
    int error;  /* errno of the reader, with the last one */
    uint8_t buf[DISK_PIECE + SECTOR_BYTES];
};

struct copier {
    struct image *from, *to;
    GAsyncQueue *empty, *full; /* of pieces */
    gint stop;                 /* atomic: the writer wants no more */
    uint64_t written;          /* since the host was last told to begin with it */
};

/* The next data from *off on, which is known to go on up to *end. */
static void copy_read(struct copier *c, struct copy_piece *p, uint64_t *off, uint64_t *end)
{
    struct image *from = c->from;
    uint64_t stop;

    p->len = 0;
    p->error = 0;
    if (*off >= *end && *off < from->size) {
        p->error = image_next_data(from, *off, true, off, end);
    }
    if (p->error || *off >= from->size || g_atomic_int_get(&c->stop)) {
        return;
    }
    stop = MIN(MIN(*end, from->size), (*off / DISK_PIECE + 1) * DISK_PIECE);
    p->error = from->ops->read_at(from, *off, p->buf, (size_t)(stop - *off));
    if (p->error) {
        return;
    }
    p->off = *off;
    p->len = (size_t)(stop - *off);
    memset(p->buf + p->len, 0, align_up(p->len, SECTOR_BYTES) - p->len);
    *off = stop;
}

static gpointer copy_reader(gpointer data)
{
    struct copier *c = data;
    uint64_t off = 0, end = 0;
    bool last;

    do {
        struct copy_piece *p = g_async_queue_pop(c->empty);

        copy_read(c, p, &off, &end);
        last = !p->len;
        g_async_queue_push(c->full, p); /* the writer's from here on */
    } while (!last);
    return NULL;
}

/* Also has the host's disk begin with what is written, so that the sync at the end is short. */
static bool copy_write(struct copier *c, const struct copy_piece *p, GError **err)
{
    struct image *to = c->to;
    int error = write_sparse(to->ops->write_at, to, p->off, p->buf, align_up(p->len, SECTOR_BYTES));

    if (error) {
        return disk_io_error(err, to->path, "cannot be written", error);
    }
    c->written += p->len;
    if (c->written >= WRITE_OUT_BYTES) {
        c->written = 0;
        sync_file_range(to->file.fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* a hint */
    }
    return true;
}

bool disk_copy(struct image *from, struct image *to, const struct disk_watch *w, GError **err)
{
    struct copier c = {.from = from,
                       .to = to,
                       .empty = g_async_queue_new_full(g_free),
                       .full = g_async_queue_new_full(g_free)};
    struct copy_piece *p;
    bool good = true;

    for (unsigned i = 0; i < COPY_PIECES; i++) {
        g_async_queue_push(c.empty, g_new(struct copy_piece, 1));
    }
    GThread *reader = g_thread_new("copy", copy_reader, &c);
    while ((p = g_async_queue_pop(c.full))->len) {
        good = good && disk_tick(w, from->path, p->off, from->size, err) && copy_write(&c, p, err);
        if (!good) {
            g_atomic_int_set(&c.stop, 1);
        }
        g_async_queue_push(c.empty, p);
    }
    g_thread_join(reader);
    if (good && p->error) {
        good = disk_io_error(err, from->path, "cannot be read", p->error);
    }
    g_free(p);
    g_async_queue_unref(c.empty);
    g_async_queue_unref(c.full);
    return good && disk_tick(w, from->path, from->size, from->size, err);
}
