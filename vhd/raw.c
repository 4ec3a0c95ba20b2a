/*
 * Images whose bytes are the medium: raw disks, ISO files, host block devices, and the data part of
 * fixed VHDs.
 *
 * Reads past the file's end give zeros: a last sector that is only partly there is whole for the
 * guest, and becomes whole in the file when the guest writes it.
 *
 * Not modelled: holes (no discard), direct I/O.
 */
#include "vhd/image.h"
#include <errno.h>

/* Whether the bytes are all of a medium in units of `sector` bytes; block.c has checked sectors
 * already. */
static bool raw_is_inside(const struct image *img, uint64_t off, size_t len, unsigned sector)
{
    uint64_t end = align_up(img->size, sector);

    return off <= end && len <= end - off;
}

static int raw_read_at(void *opaque, uint64_t off, void *buf, size_t len)
{
    struct image *img = opaque;

    if (!raw_is_inside(img, off, len, 4 * SECTOR_BYTES)) { /* a CD's sector */
        return EINVAL;
    }
    /* A fixed VHD's footer is behind the medium: it is not the guest's to read. */
    size_t inside = off < img->size ? MIN(len, img->size - off) : 0;
    memset((uint8_t *)buf + inside, 0, len - inside);
    return file_read_at(&img->file, buf, inside, off);
}

static int raw_read_now(void *opaque, uint64_t off, void *buf, size_t len)
{
    struct image *img = opaque;

    if (off > img->size || len > img->size - off) {
        return EAGAIN;
    }
    return file_read_now(&img->file, buf, len, off);
}

static int raw_write_at(void *opaque, uint64_t off, const void *buf, size_t len)
{
    struct image *img = opaque;

    if (img->readonly) {
        return EROFS;
    }
    if (!raw_is_inside(img, off, len, SECTOR_BYTES)) {
        return EINVAL;
    }
    return file_write_at(&img->file, buf, len, off);
}

static int raw_flush(void *opaque)
{
    struct image *img = opaque;

    return img->readonly ? 0 : file_sync(&img->file);
}

static void raw_close(void *opaque)
{
    image_free(opaque);
}

const struct block_ops raw_ops = {
    .name = "raw",
    .parallel = true,
    .read_at = raw_read_at,
    .write_at = raw_write_at,
    .flush = raw_flush,
    .close = raw_close,
    .read_now = raw_read_now,
};

const struct block_ops fixed_vhd_ops = {
    .name = "vhd (fixed)",
    .parallel = true,
    .read_at = raw_read_at,
    .write_at = raw_write_at,
    .flush = raw_flush,
    .close = raw_close,
    .read_now = raw_read_now,
};
