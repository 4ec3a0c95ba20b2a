/*
 * Merging a differencing disk.
 *
 * Into its parent: every sector the child has is written to the parent, where it is.  Until the end
 * (and after it) the child shows the same as before, as its own sectors cover the parent's:
 * whatever interrupts the merge, it can be done again.  One thing stands in the way of that: the
 * child recorded when its parent was last changed.  So it first says that nothing is recorded, and
 * in the end what is true then.
 *
 * Not modelled: merging over several images at once, but into a new one.
 */
#include "vhd/disk_int.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

struct merge {
    struct disk_view child; /* locked for writing */
    struct image *parent;   /* likewise */
    struct vhd_header header;
};

/* Where the parent is; that the chain is sound is checked on the way. */
static char *merge_find_parent(const char *path, GError **err)
{
    struct image *img = image_open(path, DRIVE_FORMAT_VHD, true, false, &host_file_ops, NULL, err);
    char *parent = NULL;

    if (!img) {
        return NULL;
    }
    if (!img->vhd->parent) {
        disk_error(err, CANDELA_ERROR_FILE, path,
                   "is a %s disk: only differencing ones have a parent to be merged into",
                   disk_kind_name(disk_kind_of(img)));
    } else {
        parent = disk_real_path(img->vhd->parent->path, err);
    }
    image_close(img);
    return parent;
}

static bool merge_check(struct merge *m, const char *parent, GError **err)
{
    const struct vhd_header *h = &m->child.d.header;

    if (m->child.kind != DISK_DIFFERENCING || !m->parent->vhd ||
        memcmp(m->parent->vhd->footer.uuid, h->parent_uuid, VHD_UUID_BYTES) != 0) {
        return disk_error(err, CANDELA_ERROR_FILE, m->child.path, "was changed meanwhile");
    }
    if (m->child.size > m->parent->size) {
        return disk_error(err, CANDELA_ERROR_FILE, m->child.path,
                          "is larger than its parent; merge it --into a new disk");
    }
    return disk_refuse_children(m->child.path, m->child.d.footer.uuid, NULL, "merge", err) &&
           disk_refuse_children(parent, m->parent->vhd->footer.uuid, m->child.path,
                                "merge another child into", err);
}

static int merge_record_time(struct merge *m, uint32_t timestamp)
{
    uint8_t bytes[VHD_HEADER_BYTES];
    int error;

    if (m->header.parent_timestamp == timestamp) {
        return 0;
    }
    m->header.parent_timestamp = timestamp;
    vhd_header_build(&m->header, bytes);
    error = file_write_at(&m->child.img.file, bytes, sizeof bytes, m->child.d.footer.header_offset);
    return error ? error : file_sync(&m->child.img.file);
}

/* Sectors whose bit is set, from `at` on; *end behind the run.  False: no more of them. */
static bool next_run(const uint8_t *bitmap, uint32_t sectors, uint32_t *at, uint32_t *end)
{
    while (*at < sectors && !(bitmap[*at / 8] & (0x80 >> *at % 8))) {
        ++*at;
    }
    for (*end = *at; *end < sectors && (bitmap[*end / 8] & (0x80 >> *end % 8)); ++*end) {
    }
    return *at < sectors;
}

/* What one block of the child has.  0 or errno. */
static int merge_block(struct merge *m, uint32_t block, uint8_t *buf)
{
    const struct vhd_disk *d = &m->child.d;
    uint64_t start = (uint64_t)block * d->header.block_bytes;
    uint64_t len = MIN(d->header.block_bytes, m->child.size - start);
    uint32_t sectors = (uint32_t)(len / SECTOR_BYTES), at, end;
    const uint8_t *data = buf + d->bitmap_bytes;
    int error =
        file_read_at(&m->child.img.file, buf, d->bitmap_bytes + len, vhd_block_offset(d, block));

    for (at = 0; !error && next_run(buf, sectors, &at, &end); at = end) {
        error = m->parent->ops->write_at(m->parent, start + (uint64_t)at * SECTOR_BYTES,
                                         data + (size_t)at * SECTOR_BYTES,
                                         (size_t)(end - at) * SECTOR_BYTES);
    }
    return error;
}

static bool merge_blocks(struct merge *m, const struct disk_watch *w, GError **err)
{
    const struct vhd_disk *d = &m->child.d;
    g_autofree uint8_t *buf = g_try_malloc(d->bitmap_bytes + (size_t)d->header.block_bytes);
    uint32_t blocks =
        (uint32_t)(align_up(m->child.size, d->header.block_bytes) / d->header.block_bytes);
    int error = buf ? 0 : ENOMEM;
    bool good = true;

    for (uint32_t i = 0; i < blocks && !error && good; i++) {
        if (vhd_block_offset(d, i)) {
            good = disk_tick(w, m->child.path, (uint64_t)i * d->header.block_bytes, m->child.size,
                             err);
            error = good ? merge_block(m, i, buf) : 0;
        }
    }
    /* Also what an interrupted merge has done is made to last. */
    int flushed = m->parent->ops->flush(m->parent);
    error = error ? error : flushed;
    return good && (!error || disk_io_error(err, m->parent->path, "cannot be written", error));
}

static bool merge_do(struct merge *m, const struct disk_watch *w, GError **err)
{
    uint32_t recorded = m->header.parent_timestamp;
    int error = merge_record_time(m, 0);
    struct stat st;
    bool good;

    if (error) {
        return disk_io_error(err, m->child.path, "cannot be written", error);
    }
    good = merge_blocks(m, w, err);
    if (recorded && !fstat(m->parent->file.fd, &st)) {
        error = merge_record_time(m, vhd_timestamp(st.st_mtim.tv_sec));
    }
    return good && (!error || disk_io_error(err, m->child.path, "cannot be written", error));
}

static bool merge_into_parent(const struct disk_merge_args *a, const struct disk_watch *w,
                              struct disk_result *r, GError **err)
{
    g_autofree char *path = merge_find_parent(a->child, err);
    struct merge m;
    bool good;

    if (!path || !disk_view_open(&m.child, a->child, DRIVE_FORMAT_VHD, DISK_EXCLUSIVE, NULL, err)) {
        return false;
    }
    m.header = m.child.d.header;
    m.parent = image_open(path, DRIVE_FORMAT_VHD, false, false, &host_file_ops, NULL, err);
    if (!m.parent) {
        disk_view_close(&m.child);
        return false;
    }
    r->before = disk_host_bytes(m.parent->file.fd);
    good = merge_check(&m, path, err) && merge_do(&m, w, err);
    r->after = disk_host_bytes(m.parent->file.fd);
    if (good && a->remove && unlink(m.child.path)) {
        good = disk_io_error(err, m.child.path, "is merged, but cannot be removed", errno);
    } else if (good && !a->remove) {
        r->note = g_strdup_printf("%s: has everything now; %s is not needed any more, and must not "
                                  "be used once %s is written to",
                                  path, a->child, path);
    }
    image_close(m.parent);
    disk_view_close(&m.child);
    return good;
}

static bool merge_into_new(const struct disk_merge_args *a, const struct disk_watch *w,
                           GError **err)
{
    struct disk_convert_args c = {.source = a->child,
                                  .target = a->into,
                                  .source_format = DRIVE_FORMAT_VHD,
                                  .kind = a->kind,
                                  .force = a->force};
    g_autofree char *parent = merge_find_parent(a->child, err);
    struct disk_view v;
    bool good;

    if (!parent || !disk_view_open(&v, a->child, DRIVE_FORMAT_VHD, DISK_UNLOCKED, NULL, err)) {
        return false;
    }
    good = (!a->remove ||
            disk_refuse_children(v.path, v.d.footer.uuid, NULL, "merge and remove", err)) &&
           disk_convert(&c, w, err);
    if (good && a->remove && unlink(v.path)) {
        good = disk_io_error(err, v.path, "is merged, but cannot be removed", errno);
    }
    disk_view_close(&v);
    return good;
}

bool disk_merge(const struct disk_merge_args *a, const struct disk_watch *w, struct disk_result *r,
                GError **err)
{
    return a->into ? merge_into_new(a, w, err) : merge_into_parent(a, w, r, err);
}
