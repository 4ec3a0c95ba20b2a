/*
 * Making disks larger and smaller.
 *
 * A raw image gets another length.  A fixed VHD gets its footer at the new end first, then what is
 * behind or inside of that goes: a footer ends the file at every moment.  A dynamic disk is written
 * anew (its block allocation table grows and must not run into the blocks).
 *
 * Not modelled: moving partitions or a GUID partition table's second header, which is a matter of
 * the guest.
 */
#include "vhd/disk_int.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether a sector is a footer of this very disk, from a resizing that was killed. */
static bool is_own_footer(const struct image *img, const uint8_t *sector)
{
    struct vhd_footer f;

    return img->vhd && !vhd_footer_parse(&f, sector) &&
           !memcmp(f.uuid, img->vhd->footer.uuid, VHD_UUID_BYTES);
}

/* The first byte from `off` on that is no zero, to whole sectors; the size if there is none. */
static bool find_data(struct image *img, uint64_t off, uint64_t *at, const struct disk_watch *w,
                      GError **err)
{
    g_autofree uint8_t *buf = g_malloc(DISK_PIECE);

    for (uint64_t end = 0; off < img->size;) {
        int error = image_next_data(img, off, true, &off, &end);

        while (!error && off < MIN(end, img->size)) {
            size_t len = (size_t)MIN(MIN(end, img->size) - off, DISK_PIECE);

            if (!disk_tick(w, img->path, off, img->size, err)) {
                return false;
            }
            error = img->ops->read_at(img, off, buf, len);
            for (size_t i = 0; i < len && !error; i += SECTOR_BYTES) {
                size_t n = MIN(len - i, SECTOR_BYTES);

                if (!is_zeros(buf + i, n) && !(n == SECTOR_BYTES && is_own_footer(img, buf + i))) {
                    *at = off + i;
                    return true;
                }
            }
            off += len;
        }
        if (error) {
            return disk_io_error(err, img->path, "cannot be read", error);
        }
    }
    *at = img->size;
    return true;
}

/* Whether the part behind `size` can go. */
static bool resize_check_cut(struct image *img, uint64_t size, const struct disk_parts *parts,
                             const struct disk_watch *w, GError **err)
{
    uint64_t at = img->size;

    if (parts->end > size && parts->end <= img->size) {
        return disk_error(err, CANDELA_ERROR_FILE, img->path,
                          "partition %u reaches up to byte %" G_GUINT64_FORMAT
                          ", behind the new end; make it smaller in the guest first, or cut it "
                          "off with --shrink",
                          parts->number, parts->end);
    }
    if (!find_data(img, size, &at, w, err)) {
        return false;
    }
    if (at < img->size && parts->gpt && at >= img->size - MIN(img->size, 33 * SECTOR_BYTES)) {
        return disk_error(err, CANDELA_ERROR_FILE, img->path,
                          "the part to be cut off holds the second copy of its partition table "
                          "(GPT) and nothing else; cut it off with --shrink, and let the guest "
                          "write a new copy (sgdisk -e)");
    }
    return at >= img->size ||
           disk_error(err, CANDELA_ERROR_FILE, img->path,
                      "the part to be cut off holds data, at byte %" G_GUINT64_FORMAT
                      "; cut it off with --shrink if it is of no use",
                      at);
}

/* 0 or errno; the steps' order is told at the top. */
static int resize_fixed(struct image *img, uint64_t size)
{
    struct vhd_footer footer = img->vhd->footer;
    uint64_t old_end = img->size, old_file = img->file_size;
    uint8_t bytes[VHD_FOOTER_BYTES], zeros[VHD_FOOTER_BYTES] = {0};
    int error;

    footer.current_size = size;
    vhd_geometry(size / SECTOR_BYTES, &footer.cylinders, &footer.heads, &footer.sectors);
    vhd_footer_build(&footer, bytes);
    error = file_write_at(&img->file, bytes, sizeof bytes, size);
    if (!error) {
        error = file_sync(&img->file);
    }
    if (error) {
        if (ftruncate(img->file.fd, (off_t)old_file)) {
            return error;
        }
        return error;
    }
    /* The old footer, and whatever stood in front of it, are the guest's space now. */
    for (uint64_t at = old_end; at < MIN(old_file, size) && !error; at += sizeof zeros) {
        error = file_write_at(&img->file, zeros, MIN(sizeof zeros, MIN(old_file, size) - at), at);
    }
    if (!error && ftruncate(img->file.fd, (off_t)(size + VHD_FOOTER_BYTES))) {
        error = errno;
    }
    return error ? error : file_sync(&img->file);
}

static int resize_raw(struct image *img, uint64_t size)
{
    return ftruncate(img->file.fd, (off_t)size) ? errno : file_sync(&img->file);
}

static bool resize_anew(struct image *img, uint64_t size, const struct disk_watch *w, GError **err)
{
    struct new_file n;

    if (!new_file_begin_for(&n, img->path, img->file.fd, err)) {
        return false;
    }
    if (!disk_rewrite(img, n.fd, size, NULL, w, err)) {
        new_file_drop(&n);
        return false;
    }
    return new_file_finish(&n, err);
}

static bool resize_do(struct image *img, uint64_t size, const struct disk_watch *w, GError **err)
{
    int error;

    switch (disk_kind_of(img)) {
    case DISK_RAW:
        error = resize_raw(img, size);
        break;
    case DISK_FIXED:
        error = resize_fixed(img, size);
        break;
    default:
        return resize_anew(img, size, w, err);
    }
    return !error || disk_io_error(err, img->path, "cannot be resized", error);
}

static char *resize_note(const struct image *img, uint64_t size, const struct disk_parts *parts,
                         bool has_copy)
{
    if (size == img->size) {
        return g_strdup_printf("%s: has that size already", img->path);
    }
    if (parts->gpt && !has_copy) {
        return g_strdup_printf("%s: the second copy of its partition table (GPT) is not at the "
                               "end any more; let the guest move it (sgdisk -e, or parted, which "
                               "offers it)",
                               img->path);
    }
    return size > img->size && parts->end
               ? g_strdup_printf("%s: the new space belongs to no partition yet; the guest's "
                                 "partitioning tool makes use of it",
                                 img->path)
               : NULL;
}

static bool resize_check(struct image *img, const char *real, uint64_t size, GError **err)
{
    enum disk_kind kind = disk_kind_of(img);

    if (kind == DISK_DIFFERENCING) {
        return disk_error(err, CANDELA_ERROR_FILE, img->path,
                          "is a differencing disk, whose size is its parent's; merge it, or "
                          "convert it to a disk of its own, and resize that");
    }
    if (kind != DISK_RAW && size > VHD_MAX_BYTES) {
        return disk_error(err, CANDELA_ERROR_CONFIG, img->path,
                          "%" G_GUINT64_FORMAT " bytes are more than a VHD can hold; at most 2040G",
                          size);
    }
    return kind == DISK_RAW ||
           disk_refuse_children(real, img->vhd->footer.uuid, NULL, "resize", err);
}

bool disk_resize(const char *path, enum drive_format format, uint64_t size, bool lose_data,
                 const struct disk_watch *w, struct disk_result *r, GError **err)
{
    g_autofree char *real = disk_real_path(path, err);
    struct image *img =
        real ? image_open(path, format, false, false, &host_file_ops, NULL, err) : NULL;
    struct disk_parts parts;
    bool good;
    int error;

    if (!img) {
        return false;
    }
    r->before = disk_host_bytes(img->file.fd);
    bool has_copy = disk_has_gpt_copy(img, size);
    good = resize_check(img, real, size, err);
    error = good ? disk_read_parts(img, &parts) : 0;
    if (error) {
        good = disk_io_error(err, path, "cannot be read", error);
    }
    if (good && size < img->size && !lose_data) {
        good = resize_check_cut(img, size, &parts, w, err);
    }
    if (good && size != img->size) {
        good = resize_do(img, size, w, err);
    }
    if (good) {
        r->note = resize_note(img, size, &parts, has_copy);
        r->after = disk_host_bytes(img->file.fd);
    }
    image_close(img);
    return good;
}
