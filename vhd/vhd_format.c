/*
 * The on-disk structures of virtual hard disks: see vhd_format.h.
 *
 * Not modelled: the batmap of XenServer.
 */
#include "vhd/vhd_format.h"

enum { VHD_VERSION = 0x00010000, VHD_FEATURES_RESERVED = 2 /* always set */ };

struct footer_wire {
    uint8_t cookie[8];
    uint8_t features[4];
    uint8_t version[4];
    uint8_t header_offset[8];
    uint8_t timestamp[4];
    uint8_t creator_app[4];
    uint8_t creator_version[4];
    uint8_t creator_os[4];
    uint8_t original_size[8];
    uint8_t current_size[8];
    uint8_t cylinders[2];
    uint8_t heads;
    uint8_t sectors;
    uint8_t type[4];
    uint8_t checksum[4];
    uint8_t uuid[VHD_UUID_BYTES];
    uint8_t saved_state;
    uint8_t reserved[427];
};
static_assert(sizeof(struct footer_wire) == VHD_FOOTER_BYTES, "the footer is one sector");

struct locator_wire {
    uint8_t platform[4];
    uint8_t space[4];
    uint8_t length[4];
    uint8_t reserved[4];
    uint8_t offset[8];
};
static_assert(sizeof(struct locator_wire) == 24, "parent locator entries have 24 bytes");

struct header_wire {
    uint8_t cookie[8];
    uint8_t next_offset[8];
    uint8_t bat_offset[8];
    uint8_t version[4];
    uint8_t entries[4];
    uint8_t block_bytes[4];
    uint8_t checksum[4];
    uint8_t parent_uuid[VHD_UUID_BYTES];
    uint8_t parent_timestamp[4];
    uint8_t reserved[4];
    uint8_t parent_name[2 * VHD_NAME_UNITS];
    struct locator_wire locators[VHD_LOCATORS];
    uint8_t reserved2[256];
};
static_assert(sizeof(struct header_wire) == VHD_HEADER_BYTES, "the header has two sectors");

static const uint8_t footer_cookie[8] = "conectix";
static const uint8_t header_cookie[8] = "cxsparse";

/* The ones' complement of the sum of all bytes but the four of the checksum itself. */
static uint32_t vhd_checksum(const void *wire, size_t len, size_t at)
{
    const uint8_t *bytes = wire;
    uint32_t sum = 0;

    for (size_t i = 0; i < len; i++) {
        sum += i - at < 4 ? 0 : bytes[i];
    }
    return ~sum;
}

static uint32_t footer_checksum(const struct footer_wire *w)
{
    return vhd_checksum(w, sizeof *w, offsetof(struct footer_wire, checksum));
}

static uint32_t header_checksum(const struct header_wire *w)
{
    return vhd_checksum(w, sizeof *w, offsetof(struct header_wire, checksum));
}

bool vhd_footer_has_cookie(const uint8_t bytes[VHD_FOOTER_BYTES])
{
    return !memcmp(bytes, footer_cookie, sizeof footer_cookie);
}

static const char *footer_check(const struct vhd_footer *f, uint32_t version)
{
    if (version >> 16 != VHD_VERSION >> 16) {
        return "its footer is of an unknown version";
    }
    if (f->type != VHD_TYPE_FIXED && f->type != VHD_TYPE_DYNAMIC &&
        f->type != VHD_TYPE_DIFFERENCING) {
        return "its footer names a disk type that does not exist";
    }
    if (!f->current_size || f->current_size % SECTOR_BYTES) {
        return "its footer gives a size that is no number of sectors";
    }
    if (f->current_size > VHD_MAX_BYTES && f->type != VHD_TYPE_FIXED) {
        return "its footer gives a size above 2040 GiB, the limit of the format";
    }
    if (f->type != VHD_TYPE_FIXED &&
        (f->header_offset % SECTOR_BYTES || f->header_offset < VHD_FOOTER_BYTES)) {
        return "its footer gives no place for the header";
    }
    return NULL;
}

const char *vhd_footer_parse(struct vhd_footer *f, const uint8_t bytes[VHD_FOOTER_BYTES])
{
    struct footer_wire w;

    memcpy(&w, bytes, sizeof w);
    memset(f, 0, sizeof *f);
    if (!vhd_footer_has_cookie(bytes)) {
        return "it has no footer";
    }
    if (ld_be32(w.checksum) != footer_checksum(&w)) {
        return "its footer has a wrong checksum";
    }
    f->features = ld_be32(w.features);
    f->header_offset = ld_be64(w.header_offset);
    f->timestamp = ld_be32(w.timestamp);
    memcpy(f->creator_app, w.creator_app, sizeof f->creator_app);
    f->creator_version = ld_be32(w.creator_version);
    memcpy(f->creator_os, w.creator_os, sizeof f->creator_os);
    f->original_size = ld_be64(w.original_size);
    f->current_size = ld_be64(w.current_size);
    f->cylinders = ld_be16(w.cylinders);
    f->heads = w.heads;
    f->sectors = w.sectors;
    f->type = (enum vhd_type)ld_be32(w.type);
    memcpy(f->uuid, w.uuid, sizeof f->uuid);
    f->saved_state = w.saved_state != 0;
    return footer_check(f, ld_be32(w.version));
}

void vhd_footer_build(const struct vhd_footer *f, uint8_t bytes[VHD_FOOTER_BYTES])
{
    struct footer_wire w = {.heads = f->heads, .sectors = f->sectors};

    memcpy(w.cookie, footer_cookie, sizeof w.cookie);
    st_be32(w.features, f->features | VHD_FEATURES_RESERVED);
    st_be32(w.version, VHD_VERSION);
    st_be64(w.header_offset, f->header_offset);
    st_be32(w.timestamp, f->timestamp);
    memcpy(w.creator_app, f->creator_app, sizeof w.creator_app);
    st_be32(w.creator_version, f->creator_version);
    memcpy(w.creator_os, f->creator_os, sizeof w.creator_os);
    st_be64(w.original_size, f->original_size);
    st_be64(w.current_size, f->current_size);
    st_be16(w.cylinders, f->cylinders);
    st_be32(w.type, f->type);
    memcpy(w.uuid, f->uuid, sizeof w.uuid);
    w.saved_state = f->saved_state;
    st_be32(w.checksum, footer_checksum(&w));
    memcpy(bytes, &w, sizeof w);
}

static const char *header_check(const struct vhd_header *h, uint32_t version)
{
    if (version >> 16 != VHD_VERSION >> 16) {
        return "its header is of an unknown version";
    }
    if (h->block_bytes < VHD_BLOCK_MIN_BYTES || (h->block_bytes & (h->block_bytes - 1))) {
        return "its block size is no power of two from 512 bytes on";
    }
    if (h->block_bytes > VHD_BLOCK_MAX_BYTES) {
        return "its block size is above 256 MiB";
    }
    if (!h->entries || h->entries > VHD_MAX_ENTRIES) {
        return "its block allocation table has no entries, or more than 16 Mi";
    }
    if (h->bat_offset % SECTOR_BYTES || h->bat_offset < VHD_FOOTER_BYTES ||
        h->bat_offset > INT64_MAX / 2) {
        return "its header gives no place for the block allocation table";
    }
    return NULL;
}

const char *vhd_header_parse(struct vhd_header *h, const uint8_t bytes[VHD_HEADER_BYTES])
{
    struct header_wire w;

    memcpy(&w, bytes, sizeof w);
    memset(h, 0, sizeof *h);
    if (memcmp(w.cookie, header_cookie, sizeof w.cookie) != 0) {
        return "it has no header where its footer says";
    }
    if (ld_be32(w.checksum) != header_checksum(&w)) {
        return "its header has a wrong checksum";
    }
    h->bat_offset = ld_be64(w.bat_offset);
    h->entries = ld_be32(w.entries);
    h->block_bytes = ld_be32(w.block_bytes);
    memcpy(h->parent_uuid, w.parent_uuid, sizeof h->parent_uuid);
    h->parent_timestamp = ld_be32(w.parent_timestamp);
    memcpy(h->parent_name, w.parent_name, sizeof h->parent_name);
    for (unsigned i = 0; i < VHD_LOCATORS; i++) {
        struct vhd_locator *l = &h->locators[i];

        memcpy(l->platform, w.locators[i].platform, sizeof l->platform);
        l->space = ld_be32(w.locators[i].space);
        l->length = ld_be32(w.locators[i].length);
        l->offset = ld_be64(w.locators[i].offset);
    }
    return header_check(h, ld_be32(w.version));
}

void vhd_header_build(const struct vhd_header *h, uint8_t bytes[VHD_HEADER_BYTES])
{
    struct header_wire w = {0};

    memcpy(w.cookie, header_cookie, sizeof w.cookie);
    st_be64(w.next_offset, VHD_NO_OFFSET);
    st_be64(w.bat_offset, h->bat_offset);
    st_be32(w.version, VHD_VERSION);
    st_be32(w.entries, h->entries);
    st_be32(w.block_bytes, h->block_bytes);
    memcpy(w.parent_uuid, h->parent_uuid, sizeof w.parent_uuid);
    st_be32(w.parent_timestamp, h->parent_timestamp);
    memcpy(w.parent_name, h->parent_name, sizeof w.parent_name);
    for (unsigned i = 0; i < VHD_LOCATORS; i++) {
        const struct vhd_locator *l = &h->locators[i];

        memcpy(w.locators[i].platform, l->platform, sizeof l->platform);
        st_be32(w.locators[i].space, l->space);
        st_be32(w.locators[i].length, l->length);
        st_be64(w.locators[i].offset, l->offset);
    }
    st_be32(w.checksum, header_checksum(&w));
    memcpy(bytes, &w, sizeof w);
}

void vhd_geometry(uint64_t sectors, uint16_t *cylinders, uint8_t *heads, uint8_t *per_track)
{
    const uint64_t most = 65535ull * 16 * 255;
    uint64_t total = MIN(sectors, most), h = 16, s = 255;

    if (total < 65535ull * 16 * 63) {
        s = 17;
        h = MAX((total / s + 1023) / 1024, 4);
        if (total / s >= h * 1024 || h > 16) {
            s = 31;
            h = 16;
        }
        if (s == 31 && total / s >= h * 1024) {
            s = 63;
        }
    }
    *cylinders = (uint16_t)(total / s / h);
    *heads = (uint8_t)h;
    *per_track = (uint8_t)s;
}

uint32_t vhd_timestamp(int64_t unix_time)
{
    return (uint32_t)CLAMP(unix_time - VHD_EPOCH, 0, (int64_t)UINT32_MAX);
}

int64_t vhd_unix_time(uint32_t timestamp)
{
    return timestamp + VHD_EPOCH;
}

uint32_t vhd_bitmap_bytes(uint32_t block_bytes)
{
    return (uint32_t)align_up(block_bytes / SECTOR_BYTES, SECTOR_BYTES * 8) / 8;
}

uint64_t vhd_bat_bytes(uint32_t entries)
{
    return align_up((uint64_t)entries * 4, SECTOR_BYTES);
}

void vhd_footer_init(struct vhd_footer *f, enum vhd_type type, uint64_t size, int64_t unix_time)
{
    *f = (struct vhd_footer){
        .header_offset = type == VHD_TYPE_FIXED ? VHD_NO_OFFSET : VHD_FOOTER_BYTES,
        .timestamp = vhd_timestamp(unix_time),
        .creator_app = {'w', 'i', 'n', ' '},
        .creator_version = 0x000a0000,
        .creator_os = {'W', 'i', '2', 'k'},
        .original_size = size,
        .current_size = size,
        .type = type,
    };
    vhd_geometry(size / SECTOR_BYTES, &f->cylinders, &f->heads, &f->sectors);
    for (unsigned i = 0; i < VHD_UUID_BYTES; i += 4) {
        st_be32(f->uuid + i, g_random_int());
    }
    f->uuid[6] = (uint8_t)((f->uuid[6] & 0x0f) | 0x40); /* RFC 4122: random */
    f->uuid[8] = (uint8_t)((f->uuid[8] & 0x3f) | 0x80);
}

void vhd_header_init(struct vhd_header *h, uint64_t size, uint32_t block_bytes)
{
    *h = (struct vhd_header){
        .bat_offset = VHD_FOOTER_BYTES + VHD_HEADER_BYTES,
        .entries = (uint32_t)(align_up(size, block_bytes) / block_bytes),
        .block_bytes = block_bytes,
    };
}

char *vhd_text_read(const uint8_t *from, size_t len, bool big)
{
    g_autofree gunichar2 *units = g_new0(gunichar2, len / 2 + 1);

    for (size_t i = 0; i < len / 2; i++) {
        units[i] = big ? ld_be16(from + 2 * i) : ld_le16(from + 2 * i);
    }
    return g_utf16_to_utf8(units, -1, NULL, NULL, NULL);
}

uint8_t *vhd_text_write(const char *utf8, bool big, size_t *bytes)
{
    glong count;
    g_autofree gunichar2 *units = g_utf8_to_utf16(utf8, -1, NULL, &count, NULL);

    if (!units) {
        return NULL;
    }
    uint8_t *to = g_malloc0((size_t)count * 2 + 2);
    for (glong i = 0; i < count; i++) {
        if (big) {
            st_be16(to + 2 * i, units[i]);
        } else {
            st_le16(to + 2 * i, units[i]);
        }
    }
    *bytes = (size_t)count * 2;
    return to;
}

void vhd_uuid_print(const uint8_t uuid[VHD_UUID_BYTES], char text[37])
{
    char *to = text;

    for (unsigned i = 0; i < VHD_UUID_BYTES; i++) {
        to += g_snprintf(to, 4, "%02x%s", uuid[i], i == 3 || i == 5 || i == 7 || i == 9 ? "-" : "");
    }
}
