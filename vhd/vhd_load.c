/*
 * Finding and checking the structures of a VHD.
 *
 * The footer at the end counts.  Where it is missing or torn, the copy at the front of dynamic and
 * differencing disks counts, so that a crash while the file grew is no loss.
 *
 * Not modelled: repairs beyond the footers (candela disk check).
 */
#include "vhd/image.h"
#include <stdlib.h>

enum { FINDINGS_MAX = 32 /* about single blocks */ };

struct span {
    uint64_t start, end; /* bytes in the file */
    const char *name;
};

struct loader {
    struct image *img;
    struct vhd_disk *d;
    struct vhd_report *report;
    bool fatal;
    unsigned findings;
};

static void loader_say(struct loader *l, enum vhd_fault fault, const char *what)
{
    l->fatal |= fault == VHD_FAULT_FATAL;
    l->report->found(l->report, fault, what);
}

/* About a block or the like: not more than a screenful. */
G_GNUC_PRINTF(2, 3) static void loader_say_bad(struct loader *l, const char *format, ...)
{
    va_list args;

    l->fatal = true;
    if (l->findings++ < FINDINGS_MAX) {
        va_start(args, format);
        g_autofree char *text = g_strdup_vprintf(format, args);
        va_end(args);
        loader_say(l, VHD_FAULT_FATAL, text);
    }
}

/* The footer at the end, with or without its last byte: its length or 0. */
static unsigned load_end_footer(struct loader *l, uint8_t bytes[VHD_FOOTER_BYTES])
{
    static const unsigned lengths[] = {VHD_FOOTER_BYTES, VHD_FOOTER_OLD_BYTES};

    for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
        unsigned len = lengths[i];

        memset(bytes, 0, VHD_FOOTER_BYTES);
        if (l->img->file_size > len &&
            !file_read_at(&l->img->file, bytes, len, l->img->file_size - len) &&
            vhd_footer_has_cookie(bytes)) {
            return len;
        }
    }
    return 0;
}

/*
 * Whether the last sector only looks like this disk's footer: where a host's crash cut the file off
 * in a block, it is the guest's, who could have written there what leads elsewhere.  A guest never
 * reaches the copy at the front, but on fixed disks, which have none.
 */
static bool load_is_foreign(const struct vhd_footer *end, bool has_front,
                            const struct vhd_footer *front)
{
    return end->type != VHD_TYPE_FIXED && has_front && front->type != VHD_TYPE_FIXED &&
           (front->type != end->type || front->header_offset != end->header_offset);
}

/* Which footer counts.  False: none, or a damaged one (then *is_vhd). */
static bool load_footer(struct loader *l, bool *is_vhd)
{
    struct vhd_disk *d = l->d;
    uint8_t front[VHD_FOOTER_BYTES] = {0}, end[VHD_FOOTER_BYTES];
    struct vhd_footer front_footer;
    unsigned end_len = load_end_footer(l, end);
    const char *why_end = vhd_footer_parse(&d->footer, end), *why_front = NULL;
    bool has_front = l->img->file_size >= VHD_FOOTER_BYTES &&
                     !file_read_at(&l->img->file, front, sizeof front, 0) &&
                     vhd_footer_has_cookie(front);

    *is_vhd = end_len || has_front;
    why_front = vhd_footer_parse(&front_footer, front);
    if (end_len && !why_end &&
        !load_is_foreign(&d->footer, has_front && !why_front, &front_footer)) {
        d->end_footer = true;
        d->front_footer = !memcmp(front, end, end_len);
        d->end = l->img->file_size - end_len;
        memcpy(d->footer_bytes, end, sizeof end);
        if (!d->front_footer && d->footer.type != VHD_TYPE_FIXED) {
            loader_say(l, VHD_FAULT_MENDED, "the copy of its footer at the front is damaged");
        }
        return true;
    }
    if (has_front && !why_front && front_footer.type != VHD_TYPE_FIXED) {
        d->front_footer = true;
        d->end = align_up(l->img->file_size, SECTOR_BYTES);
        d->footer = front_footer;
        memcpy(d->footer_bytes, front, sizeof front);
        loader_say(l, VHD_FAULT_MENDED, "the footer at its end is missing or damaged");
        return true;
    }
    if (*is_vhd) {
        loader_say(l, VHD_FAULT_FATAL,
                   end_len ? why_end : "the footer at its end is missing (is it cut off?)");
    }
    return false;
}

static bool load_header(struct loader *l)
{
    struct vhd_disk *d = l->d;
    uint8_t bytes[VHD_HEADER_BYTES];
    uint64_t at = d->footer.header_offset;
    const char *why;

    if (at > d->end || d->end - at < sizeof bytes ||
        file_read_at(&l->img->file, bytes, sizeof bytes, at)) {
        loader_say(l, VHD_FAULT_FATAL, "its header cannot be read (is it cut off?)");
        return false;
    }
    why = vhd_header_parse(&d->header, bytes);
    if (why) {
        loader_say(l, VHD_FAULT_FATAL, why);
        return false;
    }
    if ((uint64_t)d->header.entries * d->header.block_bytes < d->footer.current_size) {
        loader_say(l, VHD_FAULT_FATAL, "its block allocation table is too small for its size");
        return false;
    }
    d->bitmap_bytes = vhd_bitmap_bytes(d->header.block_bytes);
    return true;
}

static bool load_bat(struct loader *l)
{
    struct vhd_disk *d = l->d;
    uint64_t bytes = vhd_bat_bytes(d->header.entries), at = d->header.bat_offset;

    if (at > d->end || d->end - at < (uint64_t)d->header.entries * 4) {
        loader_say(l, VHD_FAULT_FATAL,
                   "its block allocation table lies behind the file's end (is it cut off?)");
        return false;
    }
    d->bat = g_try_malloc(bytes);
    if (!d->bat || file_read_at(&l->img->file, d->bat, bytes, at)) {
        loader_say(l, VHD_FAULT_FATAL, "its block allocation table cannot be read");
        return false;
    }
    return true;
}

static unsigned load_spans(const struct loader *l, struct span spans[3 + VHD_LOCATORS])
{
    const struct vhd_disk *d = l->d;
    uint64_t header = d->footer.header_offset, bat = d->header.bat_offset;
    unsigned n = 0;

    spans[n++] = (struct span){0, VHD_FOOTER_BYTES, "the copy of the footer"};
    spans[n++] = (struct span){header, header + VHD_HEADER_BYTES, "the header"};
    spans[n++] =
        (struct span){bat, bat + vhd_bat_bytes(d->header.entries), "the block allocation table"};
    for (unsigned i = 0; i < VHD_LOCATORS && d->footer.type == VHD_TYPE_DIFFERENCING; i++) {
        const struct vhd_locator *c = &d->header.locators[i];

        if (c->platform[0] && c->length && c->length <= VHD_LOCATOR_MAX_BYTES &&
            c->offset <= d->end && c->length <= d->end - c->offset) {
            spans[n++] = (struct span){c->offset, c->offset + c->length, "a name of the parent"};
        }
    }
    return n;
}

static int compare_sectors(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* The blocks' first sectors in order; those that are not inside of the file are left out. */
static uint32_t *load_blocks(struct loader *l, uint32_t *count)
{
    const struct vhd_disk *d = l->d;
    uint64_t bytes = d->bitmap_bytes + (uint64_t)d->header.block_bytes;
    uint32_t *blocks = g_try_new(uint32_t, d->header.entries);
    bool sorted = true;
    uint32_t n = 0;

    for (uint32_t i = 0; blocks && i < d->header.entries; i++) {
        uint64_t at = vhd_block_offset(d, i);
        uint32_t entry = ld_be32(d->bat + 4 * (size_t)i);

        if (entry == VHD_NO_BLOCK) {
            continue;
        }
        if (at > d->end || bytes > d->end - at) {
            loader_say_bad(l, "its block %u lies behind the file's end (is it cut off?)", i);
            continue;
        }
        sorted &= !n || blocks[n - 1] <= entry;
        blocks[n++] = entry;
    }
    if (!sorted) {
        qsort(blocks, n, sizeof *blocks, compare_sectors);
    }
    *count = n;
    return blocks;
}

static void load_check_places(struct loader *l)
{
    const struct vhd_disk *d = l->d;
    uint64_t bytes = d->bitmap_bytes + (uint64_t)d->header.block_bytes, used = 0;
    struct span spans[3 + VHD_LOCATORS];
    unsigned span_count = load_spans(l, spans);
    uint32_t count = 0;
    g_autofree uint32_t *blocks = load_blocks(l, &count);

    if (!blocks) {
        loader_say(l, VHD_FAULT_FATAL, "there is not enough memory to check it");
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = (uint64_t)blocks[i] * SECTOR_BYTES;

        if (i && at - (uint64_t)blocks[i - 1] * SECTOR_BYTES < bytes) {
            loader_say_bad(l, "two of its blocks overlap at byte %" G_GUINT64_FORMAT, at);
        }
        for (unsigned k = 0; k < span_count; k++) {
            if (at < spans[k].end && spans[k].start < at + bytes) {
                loader_say_bad(l, "a block at byte %" G_GUINT64_FORMAT " overlaps %s", at,
                               spans[k].name);
            }
        }
    }
    for (unsigned k = 0; k < span_count; k++) {
        used += spans[k].end - spans[k].start;
        for (unsigned j = 0; j < k; j++) {
            if (j < 3 && spans[k].start < spans[j].end && spans[j].start < spans[k].end) {
                loader_say_bad(l, "%s and %s overlap", spans[j].name, spans[k].name);
            }
        }
    }
    used += count * bytes;
    if (!l->fatal && d->end > used && (d->end - used) / bytes > 0) {
        g_autofree char *text = g_strdup_printf(
            "%" G_GUINT64_FORMAT " bytes of the file belong to no block", d->end - used);
        loader_say(l, VHD_FAULT_WASTE, text);
    }
}

uint64_t vhd_block_offset(const struct vhd_disk *d, uint32_t block)
{
    uint32_t entry = ld_be32(d->bat + 4 * (size_t)block);

    return entry == VHD_NO_BLOCK ? 0 : (uint64_t)entry * SECTOR_BYTES;
}

bool vhd_load(struct image *img, struct vhd_disk *d, struct vhd_report *r, bool *is_vhd)
{
    struct loader l = {.img = img, .d = d, .report = r};

    memset(d, 0, sizeof *d);
    if (!load_footer(&l, is_vhd)) {
        return false;
    }
    if (d->footer.type == VHD_TYPE_FIXED) {
        if (d->footer.current_size > d->end) {
            loader_say(&l, VHD_FAULT_FATAL, "it is shorter than its footer says");
        }
    } else if (load_header(&l) && load_bat(&l)) {
        load_check_places(&l);
    }
    if (l.fatal) {
        vhd_load_clear(d);
    }
    return !l.fatal;
}

void vhd_load_clear(struct vhd_disk *d)
{
    g_free(d->bat);
    memset(d, 0, sizeof *d);
}
