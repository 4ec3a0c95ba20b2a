/*
 * What is allocated in an image: so that copies stay sparse.
 *
 * Not modelled: blocks of zeros that are stored as such.
 */
#define _GNU_SOURCE /* SEEK_DATA */
#include "vhd/image.h"
#include <errno.h>
#include <unistd.h>

struct range {
    uint64_t start, end;
};

/* The first data in a part of the file; start == end: none.  A file system without holes has data
 * everywhere. */
static struct range file_data(const struct image *img, uint64_t from, uint64_t to)
{
    off_t data = lseek(img->file.fd, (off_t)from, SEEK_DATA);
    off_t hole;

    if (data < 0) {
        return errno == ENXIO ? (struct range){to, to} : (struct range){from, to};
    }
    hole = lseek(img->file.fd, data, SEEK_HOLE);
    uint64_t start = MIN((uint64_t)data & ~(SECTOR_BYTES - 1ull), to);
    uint64_t end = hole < 0 ? to : MIN(align_up((uint64_t)hole, SECTOR_BYTES), to);

    return (struct range){MAX(start, from), MAX(end, start)};
}

/* In a raw or fixed image. */
static struct range flat_next(const struct image *img, uint64_t off)
{
    return file_data(img, off, img->size);
}

/* In one block, from `off` on: sectors that count and (`data`) are no hole in the file. */
static int block_next(struct image *img, uint64_t off, uint64_t end, bool data, struct range *found)
{
    const struct vhd_disk *d = img->vhd;
    uint32_t block = (uint32_t)(off / d->header.block_bytes);
    uint64_t base = (uint64_t)block * d->header.block_bytes;
    uint64_t shift = vhd_block_offset(d, block) + d->bitmap_bytes - base; /* medium to file */
    int error = 0;

    *found = (struct range){end, end};
    while (off < end && !error) {
        struct range run;

        error = vhd_next_sectors(img, off, end, &run.start, &run.end);
        if (error || run.start == end) {
            break;
        }
        if (data) {
            struct range r = file_data(img, run.start + shift, run.end + shift);

            if (r.start == run.end + shift) {
                off = run.end;
                continue;
            }
            run = (struct range){r.start - shift, r.end - shift};
        }
        *found = run;
        break;
    }
    return error;
}

static int disk_next(struct image *img, uint64_t off, bool data, struct range *found)
{
    const struct vhd_disk *d = img->vhd;
    int error = 0;

    *found = (struct range){img->size, img->size};
    while (off < img->size && !error) {
        uint64_t end = MIN((off / d->header.block_bytes + 1) * d->header.block_bytes, img->size);

        if (vhd_block_offset(d, (uint32_t)(off / d->header.block_bytes))) {
            error = block_next(img, off, end, data, found);
            if (!error && found->start < end) {
                return 0;
            }
            *found = (struct range){img->size, img->size};
        }
        off = end;
    }
    return error;
}

int image_next_data(struct image *img, uint64_t off, bool chain, uint64_t *start, uint64_t *end)
{
    struct image *parent = img->vhd ? img->vhd->parent : NULL;
    bool is_flat = !img->vhd || img->vhd->footer.type == VHD_TYPE_FIXED;
    struct range mine = {img->size, img->size};
    int error = 0;

    if (off < img->size && is_flat) {
        mine = flat_next(img, off);
    } else if (off < img->size) {
        error = disk_next(img, off, chain || !parent, &mine);
    }
    *start = mine.start;
    *end = mine.end;
    if (!error && chain && parent && off < parent->size) {
        uint64_t from, to;

        error = image_next_data(parent, off, true, &from, &to);
        if (!error && from < *start && from < parent->size) {
            *start = MIN(from, img->size);
            *end = MIN(to, img->size);
        }
    }
    return error;
}
