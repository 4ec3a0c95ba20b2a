/*
 * Opening disk images: what kind of file it is, whose it is now (locks), and which format driver
 * reads it.
 *
 * Locks are open file description locks over the whole file: exclusive for writers, shared for
 * readers.  QEMU's own locks conflict with them, so neither program writes beneath the other.
 *
 * Not modelled: formats other than raw and fixed VHD (issue 3), images that are not local files.
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

    if (fstat(img->fd, &st)) {
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
    off_t size = lseek(img->fd, 0, SEEK_END);
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

static bool image_lock(struct image *img, const char *path, GError **err)
{
    struct flock lock = {
        .l_type = img->readonly ? F_RDLCK : F_WRLCK,
        .l_whence = SEEK_SET,
    };

    if (!fcntl(img->fd, F_OFD_SETLK, &lock)) {
        return true;
    }
    if (errno == EAGAIN || errno == EACCES) {
        image_error(err, CANDELA_ERROR_FILE, path,
                    img->readonly
                        ? "is in use: another drive or program writes to it"
                        : "is in use: another drive or program has it open; close that, or "
                          "use readonly=on in both");
        return false;
    }
    return true; /* a file system without locks */
}

static struct image *image_open(const char *path, bool readonly, bool cdrom, GError **err)
{
    /* Not blocking: the open of a named pipe would wait for its other end. */
    int fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0) {
        image_open_error(err, path, readonly, errno);
        return NULL;
    }
    struct image *img = g_new0(struct image, 1);
    img->fd = fd;
    img->readonly = readonly;
    if (!image_take_size(img, path, cdrom, err) || !image_lock(img, path, err)) {
        raw_ops.close(img);
        return NULL;
    }
    return img;
}

static bool has_vhd_name(const char *path)
{
    g_autofree char *lower = g_ascii_strdown(path, -1);

    return g_str_has_suffix(lower, ".vhd");
}

/*
 * The driver for the image, or NULL with the error set.  Unless asked for, a VHD is only recognised
 * under its usual name: a guest could write a footer to the end of a raw disk.
 */
static const struct block_ops *image_choose(struct image *img, const char *path,
                                            enum drive_format format, GError **err)
{
    const char *why;
    g_autofree char *text = NULL;

    if (format == DRIVE_FORMAT_RAW || (format == DRIVE_FORMAT_AUTO && !has_vhd_name(path))) {
        return &raw_ops;
    }
    switch (vhd_probe(img, &img->size, &why)) {
    case VHD_FIXED:
        return &fixed_vhd_ops;
    case VHD_DYNAMIC:
    case VHD_DIFFERENCING:
        image_error(
            err, CANDELA_ERROR_FORMAT, path,
            "is a dynamic or differencing VHD: those come with issue 3; until then convert it "
            "(qemu-img convert -f vpc -O raw)");
        return NULL;
    case VHD_DAMAGED:
        text = g_strdup_printf("is a damaged VHD: %s", why);
        image_error(err, CANDELA_ERROR_FORMAT, path, text);
        return NULL;
    case VHD_NONE:
        break;
    }
    image_error(err, CANDELA_ERROR_FORMAT, path,
                "has no VHD footer: it is no VHD image (format=raw takes it as it is)");
    return NULL;
}

struct block *block_open(const char *path, enum drive_format format, bool readonly, bool cdrom,
                         GError **err)
{
    if (cdrom && format == DRIVE_FORMAT_VHD) {
        image_error(err, CANDELA_ERROR_FORMAT, path, "a CD or DVD image is raw (.iso), not VHD");
        return NULL;
    }
    struct image *img = image_open(path, readonly || cdrom, cdrom, err);
    if (!img) {
        return NULL;
    }
    const struct block_ops *ops = image_choose(img, path, cdrom ? DRIVE_FORMAT_RAW : format, err);
    if (!ops) {
        raw_ops.close(img);
        return NULL;
    }
    struct block *b = g_new0(struct block, 1);
    b->ops = ops;
    b->img = img;
    b->path = g_canonicalize_filename(path, NULL);
    b->sectors = align_up(img->size, cdrom ? 4 * SECTOR_BYTES : SECTOR_BYTES) / SECTOR_BYTES;
    b->readonly = img->readonly;
    return b;
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
    struct image *img = image_open(path, readonly || floppy_is_protected(path), false, err);
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
        raw_ops.close(img);
        return NULL;
    }
    img->size = (uint64_t)floppy_geometry_sectors(g) * SECTOR_BYTES;
    struct block *b = g_new0(struct block, 1);
    b->ops = &raw_ops;
    b->img = img;
    b->path = g_canonicalize_filename(path, NULL);
    b->sectors = floppy_geometry_sectors(g);
    b->readonly = img->readonly;
    return b;
}
