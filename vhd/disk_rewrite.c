/*
 * A dynamic or differencing disk written anew: for compacting and resizing.
 *
 * The new file has the identity of the old one (identifier, creator, parent and its names), and its
 * blocks in the order of the medium.  Its footer is written last.
 *
 * Not modelled: the batmap of XenServer; it is left out.
 */
#include "vhd/disk_int.h"
#include <errno.h>

enum { BLOCK_ALIGN = 4096 }; /* data begins as pages do, where blocks are large */

struct rewriter {
    struct image *img;
    struct file to;
    uint64_t size, end; /* of the new medium; where the next thing goes */
    struct vhd_footer footer;
    struct vhd_header header;
    uint8_t *bat;
    uint8_t *buf; /* a bitmap and the data of a block */
};

static int rewrite_at(void *opaque, uint64_t off, const void *buf, size_t len)
{
    return file_write_at(opaque, buf, len, off);
}

/* The parent's names: to just behind the BAT. */
static int rewrite_locators(struct rewriter *r)
{
    struct image *img = r->img;

    for (unsigned i = 0; i < VHD_LOCATORS; i++) {
        struct vhd_locator *l = &r->header.locators[i];
        uint64_t room =
            align_up(MAX(l->length, MIN(l->space, VHD_LOCATOR_MAX_BYTES)), SECTOR_BYTES);
        g_autofree uint8_t *text = NULL;
        int error;

        if (!l->platform[0] || !l->length || l->length > VHD_LOCATOR_MAX_BYTES ||
            l->offset > img->vhd->end || l->length > img->vhd->end - l->offset) {
            memset(l, 0, sizeof *l);
            continue;
        }
        text = g_malloc(l->length);
        error = file_read_at(&img->file, text, l->length, l->offset);
        if (!error) {
            error = file_write_at(&r->to, text, l->length, r->end);
        }
        if (error) {
            return error;
        }
        l->offset = r->end;
        r->end += room;
    }
    return 0;
}

/*
 * What is behind the end of the smaller of the two media is no data.  In dynamic disks sectors
 * whose bit is clear read as zeros: with that done, all bits can be set.
 */
static void rewrite_tidy(struct rewriter *r, uint32_t block)
{
    const struct vhd_disk *d = r->img->vhd;
    uint64_t start = (uint64_t)block * d->header.block_bytes;
    uint64_t limit = MIN(r->img->size, r->size);
    uint32_t sectors = d->header.block_bytes / SECTOR_BYTES;
    uint8_t *data = r->buf + d->bitmap_bytes;

    for (uint32_t i = 0; i < sectors; i++) {
        bool behind = start + (uint64_t)i * SECTOR_BYTES >= limit;
        bool set = r->buf[i / 8] & (0x80 >> i % 8);

        if (behind || (!set && d->footer.type == VHD_TYPE_DYNAMIC)) {
            memset(data + (size_t)i * SECTOR_BYTES, 0, SECTOR_BYTES);
        }
        if (behind && d->footer.type == VHD_TYPE_DIFFERENCING) {
            r->buf[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
        }
    }
    if (d->footer.type == VHD_TYPE_DYNAMIC) {
        memset(r->buf, 0xff, d->bitmap_bytes);
    }
}

static int rewrite_block(struct rewriter *r, uint32_t block, disk_skip *skip)
{
    const struct vhd_disk *d = r->img->vhd;
    size_t bytes = d->bitmap_bytes + (size_t)d->header.block_bytes;
    unsigned align = d->header.block_bytes < VHD_BLOCK_BYTES ? SECTOR_BYTES : BLOCK_ALIGN;
    uint64_t at = align_up(r->end + d->bitmap_bytes, align) - d->bitmap_bytes;
    bool yes = false;
    int error = file_read_at(&r->img->file, r->buf, bytes, vhd_block_offset(d, block));

    if (error) {
        return error;
    }
    rewrite_tidy(r, block);
    if (skip) {
        error = skip(r->img, block, r->buf, r->buf + d->bitmap_bytes, &yes);
    }
    if (error || yes) {
        return error;
    }
    if (at / SECTOR_BYTES >= VHD_NO_BLOCK) {
        return EFBIG;
    }
    error = file_write_at(&r->to, r->buf, d->bitmap_bytes, at);
    if (!error) {
        error = write_sparse(rewrite_at, &r->to, at + d->bitmap_bytes, r->buf + d->bitmap_bytes,
                             d->header.block_bytes);
    }
    st_be32(r->bat + 4 * (size_t)block, (uint32_t)(at / SECTOR_BYTES));
    r->end = at + bytes;
    return error;
}

static int rewrite_ends(struct rewriter *r)
{
    uint8_t footer[VHD_FOOTER_BYTES], header[VHD_HEADER_BYTES];
    int error;

    vhd_footer_build(&r->footer, footer);
    vhd_header_build(&r->header, header);
    error = file_write_at(&r->to, r->bat, vhd_bat_bytes(r->header.entries), r->header.bat_offset);
    if (!error) {
        error = file_write_at(&r->to, header, sizeof header, r->footer.header_offset);
    }
    if (!error) {
        error = file_write_at(&r->to, footer, sizeof footer, 0);
    }
    return error ? error : file_write_at(&r->to, footer, sizeof footer, r->end);
}

static void rewrite_begin(struct rewriter *r, struct image *img, int to, uint64_t size)
{
    const struct vhd_disk *d = img->vhd;

    *r = (struct rewriter){.img = img,
                           .to = {.ops = &host_file_ops, .fd = to},
                           .size = size,
                           .footer = d->footer,
                           .header = d->header};
    r->footer.header_offset = VHD_FOOTER_BYTES;
    if (size != img->size) {
        r->footer.current_size = size;
        vhd_geometry(size / SECTOR_BYTES, &r->footer.cylinders, &r->footer.heads,
                     &r->footer.sectors);
    }
    r->header.bat_offset = VHD_FOOTER_BYTES + VHD_HEADER_BYTES;
    r->header.entries = (uint32_t)(align_up(size, d->header.block_bytes) / d->header.block_bytes);
    r->end = r->header.bat_offset + vhd_bat_bytes(r->header.entries);
    r->bat = g_malloc(vhd_bat_bytes(r->header.entries));
    memset(r->bat, 0xff, vhd_bat_bytes(r->header.entries));
    r->buf = g_try_malloc(d->bitmap_bytes + (size_t)d->header.block_bytes);
}

bool disk_rewrite(struct image *img, int to, uint64_t size, disk_skip *skip,
                  const struct disk_watch *w, GError **err)
{
    uint32_t block_bytes = img->vhd->header.block_bytes;
    struct rewriter r;
    int error;
    bool good = true;

    rewrite_begin(&r, img, to, size);
    error = r.buf ? 0 : ENOMEM;
    if (!error && img->vhd->footer.type == VHD_TYPE_DIFFERENCING) {
        error = rewrite_locators(&r);
    } else {
        memset(r.header.locators, 0, sizeof r.header.locators);
    }
    for (uint32_t i = 0; i < MIN(r.header.entries, img->vhd->header.entries) && !error && good;
         i++) {
        if (vhd_block_offset(img->vhd, i)) {
            good = disk_tick(w, img->path, (uint64_t)i * block_bytes, size, err);
            error = good ? rewrite_block(&r, i, skip) : 0;
        }
    }
    error = error || !good ? error : rewrite_ends(&r);
    g_free(r.bat);
    g_free(r.buf);
    return good && (!error || disk_io_error(err, img->path, "cannot be written anew", error));
}
