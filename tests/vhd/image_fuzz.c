/*
 * Images with any contents; see image_fuzz.h.
 *
 * Not modelled: files that change while they are open.
 */
#define _GNU_SOURCE /* memfd_create */
#include "tests/vhd/image_fuzz.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    CHECKSUM_FOOTER = 64,
    CHECKSUM_HEADER = 36,
    HEADER_PARENT_UUID = 40,
    HEADER_PARENT_TIME = 56,
    HEADER_PARENT_NAME = 64,
    HEADER_LOCATORS = 576,
    WRITES = 6,
    WRITE_BYTES = 24 * 1024,
};

struct fuzz {
    uint8_t how;
    uint8_t *file;
    size_t size;
    int fd, parent_fd;
    char path[64];
};

static void mend(uint8_t *wire, const char *cookie, size_t len, size_t checksum)
{
    uint32_t sum = 0;

    memcpy(wire, cookie, 8);
    st_be32(wire + checksum, 0);
    for (size_t k = 0; k < len; k++) {
        sum += wire[k];
    }
    st_be32(wire + checksum, ~sum);
}

static int memory_file(const void *data, size_t size)
{
    int fd = memfd_create("image", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        abort();
    }
    return fd;
}

/* A fixed disk for a parent, and its name and identifier in the header. */
static void add_parent(struct fuzz *z, uint8_t *header)
{
    struct vhd_footer footer;
    g_autofree uint8_t *disk = g_malloc(65536 + VHD_FOOTER_BYTES);
    char path[64];

    memset(disk, 'P', 65536);
    vhd_footer_init(&footer, VHD_TYPE_FIXED, 65536, VHD_EPOCH);
    vhd_footer_build(&footer, disk + 65536);
    z->parent_fd = memory_file(disk, 65536 + VHD_FOOTER_BYTES);
    snprintf(path, sizeof path, "/proc/self/fd/%d", z->parent_fd);
    memcpy(header + HEADER_PARENT_UUID, footer.uuid, sizeof footer.uuid);
    st_be32(header + HEADER_PARENT_TIME, 0);
    memset(header + HEADER_PARENT_NAME, 0, VHD_HEADER_BYTES - HEADER_PARENT_NAME);
    for (unsigned i = 0; path[i]; i++) {
        st_be16(header + HEADER_PARENT_NAME + 2 * i, (uint8_t)path[i]);
    }
}

/* No path of the input's may be opened. */
static void drop_names(uint8_t *header)
{
    memset(header + HEADER_PARENT_NAME, 0, 2 * VHD_NAME_UNITS);
    memset(header + HEADER_LOCATORS, 0, VHD_LOCATORS * 24);
}

static void prepare(struct fuzz *z)
{
    uint8_t *end = z->file + z->size - VHD_FOOTER_BYTES;

    if (!(z->how & IMAGE_FUZZ_MEND) || z->size < 2 * VHD_FOOTER_BYTES) {
        return;
    }
    mend(end, "conectix", VHD_FOOTER_BYTES, CHECKSUM_FOOTER);
    uint64_t at = ld_be64(end + 16);
    if (at >= VHD_FOOTER_BYTES && z->size >= VHD_HEADER_BYTES && at <= z->size - VHD_HEADER_BYTES) {
        if (z->how & IMAGE_FUZZ_PARENT) {
            add_parent(z, z->file + at);
        } else {
            drop_names(z->file + at);
        }
        mend(z->file + at, "cxsparse", VHD_HEADER_BYTES, CHECKSUM_HEADER);
    }
    mend(end, "conectix", VHD_FOOTER_BYTES, CHECKSUM_FOOTER); /* the header may overlap it */
}

static struct block *fuzz_open(const struct fuzz *z, GError **err)
{
    bool readonly = !(z->how & IMAGE_FUZZ_WRITE);
    unsigned format = z->how & IMAGE_FUZZ_FORMAT;

    return z->how & IMAGE_FUZZ_FLOPPY
               ? block_open_floppy(z->path, (enum drive_format)(format % 3), readonly, err)
               : block_open(z->path, (enum drive_format)(format % 3), readonly,
                            z->how & IMAGE_FUZZ_CDROM, err);
}

static void read_ends(struct block *b)
{
    uint8_t sector[SECTOR_BYTES], again[SECTOR_BYTES];
    const uint64_t at[] = {0, b->sectors / 2, b->sectors - 1};

    if (b->sectors == 0 || b->sectors > BIT64(52)) {
        abort();
    }
    for (unsigned k = 0; k < ARRAY_LEN(at); k++) {
        if (b->ops->read_at(b->img, at[k] * SECTOR_BYTES, sector, SECTOR_BYTES)) {
            abort();
        }
        if (b->ops->read_now &&
            !b->ops->read_now(b->img, at[k] * SECTOR_BYTES, again, SECTOR_BYTES) &&
            memcmp(sector, again, SECTOR_BYTES) != 0) {
            abort();
        }
    }
}

static void walk_ranges(struct block *b)
{
    struct image *img = b->img;
    uint64_t start, end = 0;

    for (unsigned k = 0; k < 64 && end < img->size; k++) {
        uint64_t off = end;

        if (image_next_data(img, off, k & 1, &start, &end) || start < off || end < start ||
            end > img->size || (start == end && start != img->size)) {
            abort();
        }
    }
}

static uint64_t write_place(const struct fuzz *z, const struct block *b, unsigned k, size_t *len)
{
    uint64_t x = z->size >= 8 ? ld_le64(z->file + z->size / 2 / 8 * 8 % (z->size - 7)) : z->size;

    x = (x + k + 1) * 0x9e3779b97f4a7c15ull;
    uint64_t sector = (x >> 20) % b->sectors;
    *len = (size_t)MIN((x & 63) % (WRITE_BYTES / SECTOR_BYTES) + 1, b->sectors - sector) *
           SECTOR_BYTES;
    return sector * SECTOR_BYTES;
}

/* Write here and there, close, open again: it opens, and all is there. */
static struct block *write_some(struct fuzz *z, struct block *b)
{
    g_autofree uint8_t *buf = g_malloc(WRITE_BYTES), *back = g_malloc(WRITE_BYTES);
    GError *err = NULL;
    size_t len;

    for (unsigned k = 0; k < WRITES; k++) {
        uint64_t off = write_place(z, b, k, &len);

        memset(buf, 'w', len);
        int error = b->ops->write_at(b->img, off, buf, len);
        if (error == EFBIG || error == EINVAL) { /* offsets the host's files do not have */
            return b;
        }
        if (error || (k == 2 && b->ops->flush(b->img))) {
            abort();
        }
    }
    block_close(b);
    b = fuzz_open(z, &err);
    if (!b) {
        fprintf(stderr, "not opened again: %s\n", err->message);
        abort();
    }
    for (unsigned k = 0; k < WRITES; k++) {
        uint64_t off = write_place(z, b, k, &len);

        memset(buf, 'w', len);
        if (b->ops->read_at(b->img, off, back, len) || memcmp(buf, back, len) != 0) {
            abort();
        }
    }
    return b;
}

void image_fuzz_one(const uint8_t *data, size_t size)
{
    GError *err = NULL;

    if (size < 2) {
        return;
    }
    struct fuzz z = {
        .how = data[0], .file = g_memdup2(data + 1, size - 1), .size = size - 1, .parent_fd = -1};
    prepare(&z);
    z.fd = memory_file(z.file, z.size);
    snprintf(z.path, sizeof z.path, "/proc/self/fd/%d", z.fd);
    struct block *b = fuzz_open(&z, &err);
    if (!b == !err) {
        abort(); /* exactly one of them */
    }
    if (b) {
        read_ends(b);
        walk_ranges(b);
        if (!b->readonly) {
            b = write_some(&z, b);
            read_ends(b);
            walk_ranges(b);
        }
        block_close(b);
    } else if (!strstr(err->message, z.path)) {
        abort();
    }
    g_clear_error(&err);
    close(z.fd);
    if (z.parent_fd >= 0) {
        close(z.parent_fd);
    }
    g_free(z.file);
}
