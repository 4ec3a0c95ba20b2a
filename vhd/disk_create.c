/*
 * New images: empty ones, and the contents of others.
 *
 * Not modelled: targets other than files; preallocation (everything is sparse).
 */
#include "vhd/disk_int.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* `code`: CONFIG if the size was asked for, FORMAT if it is a source's. */
static bool size_check(const char *path, enum disk_kind kind, uint64_t size,
                       enum candela_error code, GError **err)
{
    if (kind != DISK_RAW && size > VHD_MAX_BYTES) {
        return disk_error(err, code, path,
                          "%" G_GUINT64_FORMAT " bytes are more than a VHD can hold; at most "
                          "2040G, or choose --format raw",
                          size);
    }
    if (kind == DISK_RAW && size > (uint64_t)INT64_MAX - SECTOR_BYTES) {
        return disk_error(err, code, path, "is to be larger than any file can be");
    }
    return true;
}

/* With --force: what is there may be a disk that others build on. */
static bool target_check(const char *path, bool force, GError **err)
{
    struct disk_view v;

    if (!force || !disk_view_open(&v, path, DRIVE_FORMAT_VHD, DISK_UNLOCKED, NULL, NULL)) {
        return true; /* not there, or nothing to build on */
    }
    bool good = disk_refuse_children(v.path, v.d.footer.uuid, NULL, "replace", err);
    disk_view_close(&v);
    return good;
}

static struct image_layout layout_for(enum disk_kind kind, uint64_t size, const char *path)
{
    static const enum vhd_type types[] = {
        [DISK_FIXED] = VHD_TYPE_FIXED,
        [DISK_DYNAMIC] = VHD_TYPE_DYNAMIC,
        [DISK_DIFFERENCING] = VHD_TYPE_DIFFERENCING,
    };
    struct image_layout l = {.size = size, .path = path};

    l.format = kind == DISK_RAW ? DRIVE_FORMAT_RAW : DRIVE_FORMAT_VHD;
    l.type = kind == DISK_RAW ? VHD_TYPE_FIXED : types[kind];
    return l;
}

bool disk_create(const struct disk_create_args *a, GError **err)
{
    struct new_file n;

    if (!size_check(a->path, a->kind, a->size, CANDELA_ERROR_CONFIG, err) ||
        !target_check(a->path, a->force, err) || !new_file_begin(&n, a->path, a->force, err)) {
        return false;
    }
    struct image_layout l = layout_for(a->kind, a->size, n.path);
    l.parent = a->parent;
    if (!image_create(n.fd, &l, err)) {
        new_file_drop(&n);
        return false;
    }
    return new_file_finish(&n, err);
}

/* Fill the new file, which is empty, with what `from` shows. */
static bool convert_fill(struct image *from, const struct new_file *n, enum disk_kind kind,
                         const struct disk_watch *w, GError **err)
{
    struct image_layout l = layout_for(kind, align_up(from->size, SECTOR_BYTES), n->path);
    int fd;

    if (!image_create(n->fd, &l, err)) {
        return false;
    }
    fd = fcntl(n->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        return disk_io_error(err, n->path, "cannot be written", errno);
    }
    struct image *to = image_open_fd(fd, n->path, l.format, false, err);
    if (!to) {
        return false;
    }
    bool good = disk_copy(from, to, w, err);
    int error = good ? to->ops->flush(to) : 0;
    image_close(to);
    return good && (!error || disk_io_error(err, n->path, "cannot be written", error));
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat x, y;

    return !stat(a, &x) && !stat(b, &y) && stat_is_same(&x, &y);
}

bool disk_convert(const struct disk_convert_args *a, const struct disk_watch *w, GError **err)
{
    struct image *from;
    struct new_file n;
    bool good = false;

    if (a->kind == DISK_DIFFERENCING) {
        return disk_error(err, CANDELA_ERROR_CONFIG, a->target,
                          "cannot become a differencing disk: those are created over a parent");
    }
    if (is_same_file(a->source, a->target)) {
        return disk_error(err, CANDELA_ERROR_CONFIG, a->target,
                          "is the source as well; give another name");
    }
    from = image_open(a->source, a->source_format, true, false, &host_file_ops, NULL, err);
    if (!from) {
        return false;
    }
    if (size_check(a->source, a->kind, from->size, CANDELA_ERROR_FORMAT, err) &&
        target_check(a->target, a->force, err) && new_file_begin(&n, a->target, a->force, err)) {
        good = convert_fill(from, &n, a->kind, w, err);
        if (good) {
            good = new_file_finish(&n, err);
        } else {
            new_file_drop(&n);
        }
    }
    image_close(from);
    return good;
}
