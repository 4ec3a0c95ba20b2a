/*
 * Overlays for -snapshot and -drive snapshot=on: what the guest writes goes to a file without a
 * name in the folder for temporary files ($TMPDIR, else /tmp) and is gone with the run; the image
 * below is only read.
 *
 * The file is a heap of clusters in the order they were first written; which part of the disk each
 * holds is known in memory.
 *
 * Not modelled: overlays that are kept (differencing VHDs are that), discard.
 */
#define _GNU_SOURCE /* O_TMPFILE */
#include "vhd/image.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define CLUSTER_BYTES (64 * KiB)

struct overlay {
    const struct block_ops *below_ops;
    void *below;
    uint64_t size; /* bytes of the medium */
    struct file file;
    uint64_t used;        /* clusters in the file */
    GHashTable *clusters; /* number on the disk (gint64, owned) -> place in the file + 1 */
    uint8_t *buf;         /* one cluster; block.c serialises the calls */
};

/* Where a cluster begins in the file; false: it was never written. */
static bool overlay_find(const struct overlay *o, uint64_t cluster, uint64_t *at)
{
    gint64 key = (gint64)cluster;
    gpointer place = g_hash_table_lookup(o->clusters, &key);

    *at = place ? (GPOINTER_TO_SIZE(place) - 1) * CLUSTER_BYTES : 0;
    return place != NULL;
}

/* A place for a cluster, with what the disk has there now. */
static int overlay_add(struct overlay *o, uint64_t cluster, uint64_t *at)
{
    uint64_t start = cluster * CLUSTER_BYTES;
    size_t len = MIN(CLUSTER_BYTES, o->size - start);
    gint64 key = (gint64)cluster;
    int error = o->below_ops->read_at(o->below, start, o->buf, len);

    *at = o->used * CLUSTER_BYTES;
    if (!error) {
        error = file_write_at(&o->file, o->buf, len, *at);
    }
    if (!error) {
        g_hash_table_insert(o->clusters, g_memdup2(&key, sizeof key),
                            GSIZE_TO_POINTER(o->used + 1));
        o->used++;
    }
    return error;
}

static int overlay_read_at(void *opaque, uint64_t off, void *buf, size_t len)
{
    struct overlay *o = opaque;
    int error = 0;

    for (uint8_t *to = buf; len && !error;) {
        uint64_t within = off % CLUSTER_BYTES, at;
        size_t n = MIN(len, CLUSTER_BYTES - within);

        error = overlay_find(o, off / CLUSTER_BYTES, &at)
                    ? file_read_at(&o->file, to, n, at + within)
                    : o->below_ops->read_at(o->below, off, to, n);
        to += n;
        off += n;
        len -= n;
    }
    return error;
}

static int overlay_write_at(void *opaque, uint64_t off, const void *buf, size_t len)
{
    struct overlay *o = opaque;
    int error = 0;

    if (off > o->size || len > o->size - off) {
        return EINVAL;
    }
    for (const uint8_t *from = buf; len && !error;) {
        uint64_t within = off % CLUSTER_BYTES, at;
        size_t n = MIN(len, CLUSTER_BYTES - within);

        if (!overlay_find(o, off / CLUSTER_BYTES, &at)) {
            error = overlay_add(o, off / CLUSTER_BYTES, &at);
        }
        if (!error) {
            error = file_write_at(&o->file, from, n, at + within);
        }
        from += n;
        off += n;
        len -= n;
    }
    return error;
}

static void overlay_close(void *opaque)
{
    struct overlay *o = opaque;

    o->below_ops->close(o->below);
    close(o->file.fd);
    g_hash_table_unref(o->clusters);
    g_free(o->buf);
    g_free(o);
}

static const struct block_ops overlay_ops = {
    .name = "overlay",
    .read_at = overlay_read_at,
    .write_at = overlay_write_at,
    .close = overlay_close,
};

/* A file that nobody else can open and that goes with the process; -1 and errno. */
static int temporary_file(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 &&
        (errno == EOPNOTSUPP || errno == EISDIR)) { /* the file system has no such thing */
        g_autofree char *name = g_build_filename(folder, "candela-XXXXXX", NULL);

        fd = mkostemp(name, O_CLOEXEC);
        if (fd >= 0) {
            unlink(name);
        }
    }
    return fd;
}

bool block_add_overlay(struct block *b, GError **err)
{
    const char *folder = g_get_tmp_dir();
    int fd = temporary_file(folder);
    struct overlay *o;

    if (fd < 0) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE,
                    "%s: snapshot=on: no temporary file in %s: %s; TMPDIR may name another folder",
                    b->path, folder, g_strerror(errno));
        return false;
    }
    o = g_new0(struct overlay, 1);
    o->below_ops = b->ops;
    o->below = b->img;
    o->size = b->sectors * SECTOR_BYTES;
    o->file = (struct file){.ops = &host_file_ops, .fd = fd};
    o->clusters = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    o->buf = g_malloc(CLUSTER_BYTES);
    b->ops = &overlay_ops;
    b->img = o;
    b->readonly = false;
    return true;
}
