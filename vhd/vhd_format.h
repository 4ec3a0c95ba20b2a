/*
 * The on-disk structures of virtual hard disks (VHD): parsed from and built into byte arrays, with
 * every field checked.  After "Virtual Hard Disk Image Format Specification" 1.0 (Microsoft, 2006).
 *
 * A dynamic or differencing disk is: a copy of the footer, the header, the block allocation table
 * (BAT), where there is a parent the places of its names (locators), the blocks (each a sector
 * bitmap and the data), and the footer.  A fixed disk is its data and the footer.  Everything is
 * big-endian but the UTF-16 in locators.
 *
 * Nothing here reads or writes files; all calls are pure and for any thread.
 *
 * Not modelled: the batmap of XenServer (it is left as it is, and not used).
 */
#ifndef VHD_VHD_FORMAT_H
#define VHD_VHD_FORMAT_H

#include "hw/core/block.h"

enum {
    VHD_FOOTER_BYTES = 512,
    VHD_FOOTER_OLD_BYTES = 511, /* Virtual PC before 2004: the last byte is not there */
    VHD_HEADER_BYTES = 1024,
    VHD_LOCATORS = 8,
    VHD_UUID_BYTES = 16,
    VHD_NAME_UNITS = 256,               /* UTF-16 units of the parent's name in the header */
    VHD_LOCATOR_MAX_BYTES = 64 * 1024,  /* longer locators are not read */
    VHD_MAX_ENTRIES = 16 * 1024 * 1024, /* BAT entries: 64 MiB of memory */
    VHD_BLOCK_MIN_BYTES = 512,
    VHD_BLOCK_MAX_BYTES = 256 * 1024 * 1024,
    VHD_BLOCK_BYTES = 2 * 1024 * 1024, /* what we create, as everybody does */
};
#define VHD_MAX_BYTES    (2040 * GiB) /* of a medium: what the format's readers agree on */
#define VHD_NO_BLOCK     0xffffffffu  /* a BAT entry without a block */
#define VHD_NO_OFFSET    UINT64_MAX
#define VHD_EPOCH        946684800ll /* 2000-01-01 00:00:00 UTC in Unix time */
#define VHD_PLATFORM_REL "W2ru"      /* UTF-16LE path, relative to the child's folder */
#define VHD_PLATFORM_ABS "W2ku"      /* UTF-16LE path, absolute */
#define VHD_PLATFORM_MAC "MacX"      /* UTF-8 file URL */

enum vhd_type { VHD_TYPE_FIXED = 2, VHD_TYPE_DYNAMIC = 3, VHD_TYPE_DIFFERENCING = 4 };

struct vhd_footer {
    uint32_t features;
    uint64_t header_offset; /* VHD_NO_OFFSET for fixed disks */
    uint32_t timestamp;     /* of creation, since VHD_EPOCH */
    uint8_t creator_app[4];
    uint32_t creator_version;
    uint8_t creator_os[4];
    uint64_t original_size, current_size; /* bytes of the medium; multiples of 512 */
    uint16_t cylinders;
    uint8_t heads, sectors; /* per track */
    enum vhd_type type;
    uint8_t uuid[VHD_UUID_BYTES];
    bool saved_state; /* a stopped virtual machine counts on the contents */
};

struct vhd_locator {
    uint8_t platform[4]; /* all zeros: unused */
    uint32_t space;  /* room in the file: by the specification in sectors, by Windows in bytes */
    uint32_t length; /* bytes */
    uint64_t offset; /* in the file */
};

struct vhd_header {
    uint64_t bat_offset; /* a multiple of 512 */
    uint32_t entries;    /* of the BAT; may be more than the medium needs */
    uint32_t block_bytes;
    uint8_t parent_uuid[VHD_UUID_BYTES];
    uint32_t parent_timestamp; /* the parent file's last change since VHD_EPOCH; 0: not recorded */
    uint8_t parent_name[2 * VHD_NAME_UNITS]; /* UTF-16BE, ends with the field or a 0 unit */
    struct vhd_locator locators[VHD_LOCATORS];
};

/* Whether 512 bytes begin as a footer (or its copy) does. */
bool vhd_footer_has_cookie(const uint8_t bytes[VHD_FOOTER_BYTES]);
/* NULL, or (a static string that continues "the file is damaged: ") what is wrong. */
const char *vhd_footer_parse(struct vhd_footer *f, const uint8_t bytes[VHD_FOOTER_BYTES]);
void vhd_footer_build(const struct vhd_footer *f, uint8_t bytes[VHD_FOOTER_BYTES]);

const char *vhd_header_parse(struct vhd_header *h, const uint8_t bytes[VHD_HEADER_BYTES]);
void vhd_header_build(const struct vhd_header *h, uint8_t bytes[VHD_HEADER_BYTES]);

/*
 * A footer for a new disk: kind, size (a multiple of 512, at most VHD_MAX_BYTES), time, and a new
 * identifier.  The creator is "win ": by that, QEMU takes the size from the footer as Hyper-V and
 * libvhdi always do; with a name of our own it would go by the geometry and see a smaller disk.
 */
void vhd_footer_init(struct vhd_footer *f, enum vhd_type type, uint64_t size, int64_t unix_time);
/* A header for a new disk; `block_bytes` a power of two in the limits above.  BAT behind it. */
void vhd_header_init(struct vhd_header *h, uint64_t size, uint32_t block_bytes);

/* The specification's geometry for a number of sectors (appendix "CHS Calculation"). */
void vhd_geometry(uint64_t sectors, uint16_t *cylinders, uint8_t *heads, uint8_t *per_track);

/* Time stamps, clamped to what the field holds; 0 is 2000-01-01 or before. */
uint32_t vhd_timestamp(int64_t unix_time);
int64_t vhd_unix_time(uint32_t timestamp);

/* Bytes of the sector bitmap in front of each block's data: whole sectors. */
uint32_t vhd_bitmap_bytes(uint32_t block_bytes);
/* Bytes of the BAT in the file: whole sectors. */
uint64_t vhd_bat_bytes(uint32_t entries);

/*
 * Text in UTF-16 (`big`-endian or little) from and to UTF-8; the reader stops at a 0 unit.  NULL
 * where it cannot be converted.  The caller frees; `bytes` receives the length of the encoded.
 */
char *vhd_text_read(const uint8_t *from, size_t len, bool big);
uint8_t *vhd_text_write(const char *utf8, bool big, size_t *bytes);

/* "5fa21a55-f394-aa4d-9958-1951a67d5540", as libvhdi prints it (37 bytes with the NUL). */
void vhd_uuid_print(const uint8_t uuid[VHD_UUID_BYTES], char text[37]);

#endif
