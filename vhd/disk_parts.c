/*
 * How far the partitions of a disk reach, so that resizing does not cut one off unseen.
 *
 * Read are the four entries of a master boot record, and a GUID partition table (UEFI
 * specification, chapter 5).
 *
 * Not modelled: logical partitions (they lie inside of an extended one), checksums of the table,
 * tables of other kinds, sectors of other sizes.
 */
#include "vhd/disk_int.h"

enum {
    MBR_ENTRIES = 446,
    MBR_ENTRY_BYTES = 16,
    MBR_PROTECTIVE = 0xee,
    GPT_MAX_BYTES = 64 * 1024, /* of the entries; 16 KiB are usual */
};

static void parts_add(struct disk_parts *p, unsigned number, uint64_t end_sector)
{
    uint64_t end = end_sector < UINT64_MAX / SECTOR_BYTES ? end_sector * SECTOR_BYTES : UINT64_MAX;

    if (end > p->end) {
        p->end = end;
        p->number = number;
    }
}

static int parts_read_gpt(struct image *img, const uint8_t header[SECTOR_BYTES],
                          struct disk_parts *p)
{
    uint64_t at = ld_le64(header + 72);
    uint32_t count = ld_le32(header + 80), bytes = ld_le32(header + 84);
    int error;

    if (bytes < 128 || bytes > 4096 || !count || at >= img->size / SECTOR_BYTES) {
        return 0;
    }
    count = MIN(count, GPT_MAX_BYTES / bytes);
    size_t len = align_up((uint64_t)count * bytes, SECTOR_BYTES);
    if (len > img->size - at * SECTOR_BYTES) {
        return 0;
    }
    g_autofree uint8_t *entries = g_malloc(len);
    error = img->ops->read_at(img, at * SECTOR_BYTES, entries, len);
    for (uint32_t i = 0; i < count && !error; i++) {
        const uint8_t *e = entries + (size_t)i * bytes;
        uint64_t last = ld_le64(e + 40);

        if (!is_zeros(e, 16) && last < UINT64_MAX) { /* has a type */
            parts_add(p, i + 1, last + 1);
        }
    }
    return error;
}

bool disk_has_gpt_copy(struct image *img, uint64_t size)
{
    uint8_t buf[SECTOR_BYTES];

    return size >= sizeof buf && size <= img->size &&
           !img->ops->read_at(img, size - sizeof buf, buf, sizeof buf) &&
           !memcmp(buf, "EFI PART", 8);
}

int disk_read_parts(struct image *img, struct disk_parts *p)
{
    uint8_t buf[2 * SECTOR_BYTES];
    int error;

    memset(p, 0, sizeof *p);
    if (img->size < sizeof buf) {
        return 0;
    }
    error = img->ops->read_at(img, 0, buf, sizeof buf);
    if (error || buf[510] != 0x55 || buf[511] != 0xaa) {
        return error;
    }
    if (!memcmp(buf + SECTOR_BYTES, "EFI PART", 8)) {
        p->gpt = true;
        return parts_read_gpt(img, buf + SECTOR_BYTES, p);
    }
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t *e = buf + MBR_ENTRIES + i * MBR_ENTRY_BYTES;

        if (e[4] && e[4] != MBR_PROTECTIVE && !(e[0] & 0x7f)) {
            parts_add(p, i + 1, (uint64_t)ld_le32(e + 8) + ld_le32(e + 12));
        }
    }
    return 0;
}
