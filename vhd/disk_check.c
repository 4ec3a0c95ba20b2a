/*
 * Checking an image: its own structures, and that its parent is the right one.
 *
 * Repaired is what needs no guessing: a footer from its copy, a footer's copy from the footer.
 * Blocks that overlap or lie outside of the file are not: which of two is right, nobody can tell.
 *
 * Not modelled: the contents (file systems); the batmap of XenServer.
 */
#include "vhd/disk_int.h"
#include <errno.h>
#include <sys/stat.h>

/* Findings of vhd_load, and the report they go to. */
struct checker {
    struct vhd_report report;
    struct disk_report *to;
};

G_GNUC_PRINTF(5, 6)
static void report_add(struct disk_report *r, enum disk_severity severity, const char *code,
                       bool repairable, const char *fmt, ...)
{
    struct disk_finding f = {.severity = severity, .code = code, .repairable = repairable};
    va_list args;

    va_start(args, fmt);
    f.text = g_strdup_vprintf(fmt, args);
    va_end(args);
    g_array_append_val(r->findings, f);
    r->damages += severity == DISK_DAMAGE;
}

static void check_found(struct vhd_report *report, enum vhd_fault fault, const char *what)
{
    struct disk_report *r = container_of(report, struct checker, report)->to;

    switch (fault) {
    case VHD_FAULT_MENDED:
        report_add(r, DISK_DAMAGE, "footer", true, "%s", what);
        break;
    case VHD_FAULT_WASTE:
        report_add(r, DISK_NOTE, "orphaned", false, "%s; candela disk compact gives them back",
                   what);
        break;
    case VHD_FAULT_FATAL:
        report_add(r, DISK_DAMAGE, "structure", false, "%s", what);
        break;
    }
}

/* The footer ---------------------------------------------------------------------------------- */

/* What is no damage, but worth a word. */
static void check_footer(const struct disk_view *v, struct disk_report *r)
{
    const struct vhd_footer *f = &v->d.footer;
    uint64_t by_geometry = (uint64_t)f->cylinders * f->heads * f->sectors * SECTOR_BYTES;

    if (!f->cylinders || !f->heads || !f->sectors) {
        report_add(r, DISK_NOTE, "geometry", false,
                   "its geometry has a zero in it: old programs may refuse it");
    } else if (by_geometry > f->current_size) {
        report_add(r, DISK_NOTE, "geometry", false,
                   "its geometry covers more than its size: old programs may read past its end");
    }
    if (v->kind == DISK_FIXED && v->d.end > f->current_size) {
        report_add(r, DISK_NOTE, "orphaned", false,
                   "%" G_GUINT64_FORMAT " bytes between its data and its footer are of no use",
                   v->d.end - f->current_size);
        r->orphaned_bytes = v->d.end - f->current_size;
    }
}

/* The blocks ---------------------------------------------------------------------------------- */

/* In one block: sectors with contents that their bit denies, and, in a differencing disk, bits
 * behind the medium's end. */
static int check_block(struct disk_view *v, uint32_t block, uint8_t *buf, uint32_t *denied)
{
    uint32_t sectors = v->d.header.block_bytes / SECTOR_BYTES, clear = 0;
    uint64_t at = vhd_block_offset(&v->d, block);
    uint64_t start = (uint64_t)block * v->d.header.block_bytes;
    uint8_t *data = buf + v->d.bitmap_bytes;
    int error = file_read_at(&v->img.file, buf, v->d.bitmap_bytes, at);

    if (error) {
        return error;
    }
    sectors = (uint32_t)MIN(sectors, (v->size - MIN(start, v->size)) / SECTOR_BYTES);
    for (uint32_t i = 0; i < sectors; i++) {
        clear += !(buf[i / 8] & (0x80 >> i % 8));
    }
    if (!clear) {
        return 0;
    }
    error =
        file_read_at(&v->img.file, data, (size_t)sectors * SECTOR_BYTES, at + v->d.bitmap_bytes);
    for (uint32_t i = 0; i < sectors && !error; i++) {
        *denied += !(buf[i / 8] & (0x80 >> i % 8)) &&
                   !is_zeros(data + (size_t)i * SECTOR_BYTES, SECTOR_BYTES);
    }
    return error;
}

/* Dynamic disks: programs differ in whether they look at the bitmap, so it must not matter. */
static bool check_bitmaps(struct disk_view *v, struct disk_report *r, const struct disk_watch *w,
                          GError **err)
{
    g_autofree uint8_t *buf = g_try_malloc(v->d.bitmap_bytes + v->d.header.block_bytes);
    uint32_t denied = 0, first = 0;

    if (!buf) {
        return disk_io_error(err, v->path, "cannot be checked", ENOMEM);
    }
    for (uint32_t i = 0; i < r->blocks; i++) {
        uint32_t before = denied;
        int error = 0;

        if (vhd_block_offset(&v->d, i)) {
            if (!disk_tick(w, v->path, (uint64_t)i * v->d.header.block_bytes, v->size, err)) {
                return false;
            }
            error = check_block(v, i, buf, &denied);
        }
        if (error) {
            report_add(r, DISK_DAMAGE, "unreadable", false, "block %u cannot be read: %s", i,
                       g_strerror(error));
        }
        first = denied && !before ? i : first;
    }
    if (denied && v->kind == DISK_DYNAMIC) {
        report_add(r, DISK_NOTE, "bitmap", false,
                   "%u sectors (the first in block %u) have contents, but are marked as empty: "
                   "programs may differ in what they read there",
                   denied, first);
    }
    return true;
}

static void check_count(const struct disk_view *v, struct disk_report *r)
{
    const struct vhd_disk *d = &v->d;
    uint64_t used = d->header.bat_offset + vhd_bat_bytes(d->header.entries);

    r->blocks = (uint32_t)(align_up(v->size, d->header.block_bytes) / d->header.block_bytes);
    for (uint32_t i = 0; i < d->header.entries; i++) {
        r->blocks_used += i < r->blocks && vhd_block_offset(d, i);
        used += vhd_block_offset(d, i) ? d->bitmap_bytes + (uint64_t)d->header.block_bytes : 0;
    }
    for (unsigned i = 0; i < VHD_LOCATORS; i++) {
        used += d->header.locators[i].platform[0] ? d->header.locators[i].length : 0;
    }
    r->orphaned_bytes = d->end > used ? d->end - used : 0;
}

/* All ------------------------------------------------------------------------------------------*/

static void check_parent(struct disk_view *v, struct disk_report *r)
{
    g_autofree char *prefix = g_strdup_printf("%s: ", v->path);
    GError *why = NULL;

    v->img.vhd = &v->d;
    if (!vhd_open_parent(&v->img, &why)) {
        bool twice = g_str_has_prefix(why->message, prefix); /* who is told is known */

        report_add(r, DISK_DAMAGE, "parent", false, "%s",
                   why->message + (twice ? strlen(prefix) : 0));
        g_error_free(why);
    } else {
        image_close(v->d.parent);
        v->d.parent = NULL;
    }
    v->img.vhd = NULL;
}

/* What cannot be opened cannot be mended either, and must not be said to be. */
static void check_opens(struct disk_report *r)
{
    bool opens = true;

    for (unsigned i = 0; i < r->findings->len; i++) {
        const char *code = g_array_index(r->findings, struct disk_finding, i).code;

        opens &= strcmp(code, "structure") != 0 && strcmp(code, "parent") != 0;
    }
    for (unsigned i = 0; i < r->findings->len; i++) {
        g_array_index(r->findings, struct disk_finding, i).repairable &= opens;
    }
}

/* Opening for writing mends the footers.  Nothing a guest sees changes, so children still fit. */
static bool check_mend(const char *path, struct disk_report *r, GError **err)
{
    struct image *img;
    struct stat st;

    for (unsigned i = 0; i < r->findings->len; i++) {
        struct disk_finding *f = &g_array_index(r->findings, struct disk_finding, i);

        if (!f->repairable) {
            continue;
        }
        bool timed = !stat(path, &st);
        img = image_open(path, DRIVE_FORMAT_VHD, false, false, &host_file_ops, NULL, err);
        if (!img) {
            return false;
        }
        int error = img->ops->flush(img);
        if (timed) {
            disk_set_mtime(img->file.fd, &st.st_mtim);
        }
        image_close(img);
        if (error) {
            return disk_io_error(err, path, "cannot be repaired", error);
        }
        break;
    }
    for (unsigned i = 0; i < r->findings->len; i++) {
        struct disk_finding *f = &g_array_index(r->findings, struct disk_finding, i);

        f->repaired = f->repairable;
        r->damages -= f->repairable;
    }
    return true;
}

static bool check_vhd(struct disk_view *v, struct disk_report *r, const struct disk_watch *w,
                      GError **err)
{
    check_footer(v, r);
    if (v->kind == DISK_FIXED) {
        return true;
    }
    check_count(v, r);
    if (v->kind == DISK_DIFFERENCING) {
        check_parent(v, r);
    }
    return check_bitmaps(v, r, w, err);
}

struct disk_report *disk_check(const char *path, enum drive_format format, bool repair,
                               const struct disk_watch *w, GError **err)
{
    struct disk_report *r = g_new0(struct disk_report, 1);
    struct checker c = {.report = {.found = check_found}, .to = r};
    struct disk_view v;
    bool good;

    r->findings = g_array_new(FALSE, FALSE, sizeof(struct disk_finding));
    if (!disk_view_open(&v, path, format, DISK_SHARED, &c.report, err)) {
        disk_report_free(r);
        return NULL;
    }
    r->path = g_strdup(v.path);
    r->kind = v.kind;
    r->vhd = v.kind != DISK_RAW || r->damages;
    good = v.kind == DISK_RAW || check_vhd(&v, r, w, err);
    disk_view_close(&v);
    check_opens(r);
    if (good && repair && r->damages) {
        good = check_mend(path, r, err);
    }
    if (!good) {
        g_clear_pointer(&r, disk_report_free);
    }
    return r;
}

void disk_report_free(struct disk_report *r)
{
    if (r) {
        for (unsigned i = 0; i < r->findings->len; i++) {
            g_free(g_array_index(r->findings, struct disk_finding, i).text);
        }
        g_array_unref(r->findings);
        g_free(r->path);
        g_free(r);
    }
}
