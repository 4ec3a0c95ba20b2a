/*
 * Opening disk images: what kind of file it is, whose it is now (locks), and which format driver
 * reads it.
 *
 * Locks are open file description locks over the whole file: exclusive for writers, shared for
 * readers.  QEMU's own locks conflict with them, so neither program writes beneath the other.
 *
 * A parent is opened read-only, so that it is locked against writers as long as its child is open.
 *
 * Not modelled: formats other than raw and VHD, images that are not local files.
 */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "hw/core/floppy.h"
#include "vhd/image.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_MAX_BYTES ((1ull << 48) * SECTOR_BYTES) /* what 48-bit sector numbers reach */

static void image_error(GError **err, enum candela_error code, const char *path, const char *what)
{
    g_set_error(err, CANDELA_ERROR, (int)code, "%s: %s", path, what);
}

static void image_open_error(GError **err, const char *path, bool readonly, int error)
{
    switch (error) {
    case ENOENT:
        image_error(err, CANDELA_ERROR_FILE, path, "no such file; check the path");
        break;
    case EACCES:
    case EPERM:
    case EROFS:
        image_error(err, CANDELA_ERROR_FILE, path,
                    readonly || access(path, R_OK)
                        ? "permission denied: it cannot be read"
                        : "permission denied: it cannot be written; give it write permission or "
                          "use readonly=on");
        break;
    case EISDIR:
        image_error(err, CANDELA_ERROR_FILE, path, "is a folder, not an image file");
        break;
    default:
        image_error(err, CANDELA_ERROR_FILE, path, g_strerror(error));
    }
}

/* The kind of file and its size; false with the error set when it can be no image. */
static bool image_take_size(struct image *img, const char *path, bool cdrom, GError **err)
{
    struct stat st;

    if (fstat(img->file.fd, &st)) {
        image_open_error(err, path, img->readonly, errno);
        return false;
    }
    if (S_ISDIR(st.st_mode)) {
        image_open_error(err, path, img->readonly, EISDIR);
        return false;
    }
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        image_error(err, CANDELA_ERROR_FILE, path, "is neither a file nor a block device");
        return false;
    }
    off_t size = lseek(img->file.fd, 0, SEEK_END);
    if (size < 0) {
        image_open_error(err, path, img->readonly, errno);
        return false;
    }
    if (size == 0) {
        image_error(err, CANDELA_ERROR_FORMAT, path, "is empty (0 bytes): there is no image in it");
        return false;
    }
    if (size < SECTOR_BYTES && !cdrom) {
        image_error(err, CANDELA_ERROR_FORMAT, path,
                    "is shorter than one sector of 512 bytes: it is no disk image");
        return false;
    }
    if ((uint64_t)size > IMAGE_MAX_BYTES) {
        image_error(err, CANDELA_ERROR_FORMAT, path, "is larger than a disk can be (128 PiB)");
        return false;
    }
    img->file_size = img->size = (uint64_t)size;
    return true;
}

bool image_lock_file(int fd, const char *path, bool exclusive, const char *advice, GError **err)
{
    struct flock lock = {.l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};
    struct stat is, named;

    /* Other errors: a file system without locks. */
    if (fcntl(fd, F_OFD_SETLK, &lock) && (errno == EAGAIN || errno == EACCES)) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE,
                    "%s: is in use: another drive or program %s%s", path,
                    exclusive ? "has it open" : "writes to it", advice);
        return false;
    }
    /* Between opening and locking, a new file may have taken the image's place (candela disk
     * compact): what is written to the old one would be lost. */
    if (!fstat(fd, &is) && !stat(path, &named) && !stat_is_same(&is, &named)) {
        image_error(err, CANDELA_ERROR_FILE, path,
                    "is in use: another program is just replacing it; try again");
        return false;
    }
    return true;
}

static bool image_lock(struct image *img, const char *path, GError **err)
{
    return image_lock_file(
        img->file.fd, path, !img->readonly,
        img->readonly ? "" : "; close that (drives can share it with readonly=on in all)", err);
}

/* A loop would wait for a lock of our own at best. */
static bool image_check_chain(const struct image *img, GError **err)
{
    struct stat st, other;
    unsigned depth = 1;

    for (const struct image *i = img->child; i; i = i->child, depth++) {
        if (!fstat(img->file.fd, &st) && !fstat(i->file.fd, &other) && stat_is_same(&st, &other)) {
            image_error(err, CANDELA_ERROR_FORMAT, img->path,
                        "is its own parent or grandparent: a loop");
            return false;
        }
    }
    if (depth > VHD_CHAIN_MAX) {
        image_error(err, CANDELA_ERROR_FORMAT, img->path,
                    "has more than 63 images above it; merge some of them");
        return false;
    }
    return true;
}

static struct image *image_new(int fd, const char *path, bool readonly)
{
    struct image *img = g_new0(struct image, 1);

    img->file = (struct file){.ops = &host_file_ops, .fd = fd};
    img->path = g_strdup(path);
    img->readonly = readonly;
    return img;
}

void image_free(struct image *img)
{
    if (img->vhd) {
        if (img->vhd->parent) {
            image_close(img->vhd->parent);
        }
        vhd_load_clear(img->vhd);
        g_free(img->vhd);
    }
    close(img->file.fd); /* gives up the lock */
    g_free(img->path);
    g_free(img);
}

void image_close(struct image *img)
{
    if (img->ops) {
        img->ops->close(img);
    } else {
        image_free(img);
    }
}

/* Open and locked, not looked into. */
static struct image *image_open_file(const char *path, bool readonly, bool cdrom,
                                     const struct image *child, GError **err)
{
    /* Not blocking: the open of a named pipe would wait for its other end. */
    int fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        image_open_error(err, path, readonly, errno);
        return NULL;
    }
    struct image *img = image_new(fd, path, readonly);
    img->child = child;
    if (!image_take_size(img, path, cdrom, err) || !image_check_chain(img, err) ||
        !image_lock(img, path, err)) {
        image_free(img);
        return NULL;
    }
    return img;
}

bool image_has_vhd_name(const char *path)
{
    g_autofree char *lower = g_ascii_strdown(path, -1);

    return g_str_has_suffix(lower, ".vhd") || g_str_has_suffix(lower, ".avhd") ||
           g_str_has_suffix(lower, ".vud");
}

/* Keeps the first finding for which an image is refused. */
struct refusal {
    struct vhd_report report;
    char *why;
};

static void refusal_found(struct vhd_report *report, enum vhd_fault fault, const char *what)
{
    struct refusal *r = container_of(report, struct refusal, report);

    if (fault == VHD_FAULT_FATAL && !r->why) {
        r->why = g_strdup(what);
    }
}

/* The image as VHD; false with the error set. */
static bool image_start_vhd(struct image *img, GError **err)
{
    struct refusal refusal = {.report.found = refusal_found};
    struct vhd_disk *d = g_new0(struct vhd_disk, 1);
    bool is_vhd;

    if (!vhd_load(img, d, &refusal.report, &is_vhd)) {
        g_autofree char *why = refusal.why;
        g_autofree char *text = g_strdup_printf("is a damaged VHD: %s", why);

        g_free(d);
        image_error(err, CANDELA_ERROR_FORMAT, img->path,
                    is_vhd ? text
                           : "has no VHD footer: it is no VHD image (format=raw takes it as it "
                             "is)");
        return false;
    }
    img->vhd = d;
    img->size = d->footer.current_size;
    if (d->footer.type == VHD_TYPE_FIXED) {
        img->ops = &fixed_vhd_ops;
        return true;
    }
    if (d->footer.type == VHD_TYPE_DIFFERENCING && !vhd_open_parent(img, err)) {
        return false;
    }
    int error = vhd_disk_start(img);
    if (error) {
        image_open_error(err, img->path, img->readonly, error);
        return false;
    }
    img->ops = d->footer.type == VHD_TYPE_DYNAMIC ? &dynamic_vhd_ops : &differencing_vhd_ops;
    return true;
}

/*
 * Find the driver.  Unless asked for, a VHD is only recognised under its usual name: a guest could
 * write a footer to the end of a raw disk.  False: the error is set and the image freed.
 */
static bool image_start(struct image *img, enum drive_format format, GError **err)
{
    if (format == DRIVE_FORMAT_RAW ||
        (format == DRIVE_FORMAT_AUTO && !image_has_vhd_name(img->path))) {
        img->ops = &raw_ops;
        return true;
    }
    if (!image_start_vhd(img, err)) {
        image_free(img);
        return false;
    }
    return true;
}

struct image *image_open(const char *path, enum drive_format format, bool readonly, bool cdrom,
                         const struct file_ops *ops, void *opaque, GError **err)
{
    if (cdrom && format == DRIVE_FORMAT_VHD) {
        image_error(err, CANDELA_ERROR_FORMAT, path, "a CD or DVD image is raw (.iso), not VHD");
        return NULL;
    }
    struct image *img = image_open_file(path, readonly || cdrom, cdrom, NULL, err);
    if (!img) {
        return NULL;
    }
    img->file.ops = ops;
    img->file.opaque = opaque;
    return image_start(img, cdrom ? DRIVE_FORMAT_RAW : format, err) ? img : NULL;
}

struct image *image_open_parent(const char *path, const struct image *child, GError **err)
{
    struct image *img = image_open_file(path, true, false, child, err);

    return img && image_start(img, DRIVE_FORMAT_VHD, err) ? img : NULL;
}

struct image *image_open_fd(int fd, const char *path, enum drive_format format, bool readonly,
                            GError **err)
{
    struct image *img = image_new(fd, path, readonly);

    if (!image_take_size(img, path, false, err)) {
        image_free(img);
        return NULL;
    }
    return image_start(img, format, err) ? img : NULL;
}

struct block *image_to_block(struct image *img, bool cdrom)
{
    struct block *b = g_new0(struct block, 1);

    b->ops = img->ops;
    b->img = img;
    b->path = g_canonicalize_filename(img->path, NULL);
    b->sectors = align_up(img->size, cdrom ? 4 * SECTOR_BYTES : SECTOR_BYTES) / SECTOR_BYTES;
    b->readonly = img->readonly;
    return b;
}

struct block *block_open(const char *path, enum drive_format format, bool readonly, bool cdrom,
                         GError **err)
{
    struct image *img = image_open(path, format, readonly, cdrom, &host_file_ops, NULL, err);

    return img ? image_to_block(img, cdrom) : NULL;
}

/* The tab on the disk: nobody may write the file, or we may not. */
static bool floppy_is_protected(const char *path)
{
    struct stat st;

    if (!stat(path, &st) && S_ISREG(st.st_mode) && !(st.st_mode & 0222)) {
        return true;
    }
    return access(path, W_OK) && (errno == EACCES || errno == EPERM || errno == EROFS);
}

struct block *block_open_floppy(const char *path, enum drive_format format, bool readonly,
                                GError **err)
{
    if (format == DRIVE_FORMAT_VHD) {
        image_error(err, CANDELA_ERROR_FORMAT, path, "a floppy image is raw (.vfd, .img), not VHD");
        return NULL;
    }
    struct image *img =
        image_open_file(path, readonly || floppy_is_protected(path), false, NULL, err);
    if (!img) {
        return NULL;
    }
    uint64_t sectors = align_up(img->size, SECTOR_BYTES) / SECTOR_BYTES;
    const struct floppy_geometry *g = floppy_geometry_for(sectors);
    if (!g) {
        g_autofree char *text = g_strdup_printf(
            "has %" G_GUINT64_FORMAT " bytes: the largest floppy disk has %d (2.88 MB); attach it "
            "as a disk with -hda",
            img->size, FLOPPY_MAX_SECTORS * SECTOR_BYTES);
        image_error(err, CANDELA_ERROR_FORMAT, path, text);
        image_free(img);
        return NULL;
    }
    img->ops = &raw_ops;
    img->size = (uint64_t)floppy_geometry_sectors(g) * SECTOR_BYTES;
    return image_to_block(img, false);
}
