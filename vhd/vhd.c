/*
 * The footer of virtual hard disks, after "Virtual Hard Disk Image Format Specification" 1.0
 * (Microsoft, 2006).  A fixed disk is its data and, behind, the footer.
 *
 * Not modelled: dynamic and differencing disks (issue 3: they are recognised, to be refused by
 * name).
 */
#include "vhd/image.h"

enum {
    FOOTER_BYTES = 512,
    FOOTER_OLD_BYTES = 511, /* Virtual PC before 2004 */
    FOOTER_CURRENT_SIZE = 48,
    FOOTER_DISK_TYPE = 60,
    FOOTER_CHECKSUM = 64,
};

static bool vhd_has_cookie(const uint8_t *footer)
{
    return !memcmp(footer, "conectix", 8);
}

/* The ones' complement of the sum of all bytes but the checksum's own. */
static uint32_t vhd_checksum(const uint8_t *footer)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < FOOTER_BYTES; i++) {
        if (i < FOOTER_CHECKSUM || i >= FOOTER_CHECKSUM + 4) {
            sum += footer[i];
        }
    }
    return ~sum;
}

static enum vhd_kind vhd_check_fixed(const uint8_t *footer, uint64_t data_bytes, uint64_t *size,
                                     const char **why)
{
    uint64_t current = ld_be64(footer + FOOTER_CURRENT_SIZE);

    if (!current || current % SECTOR_BYTES) {
        *why = "its footer gives a size that is no number of sectors";
        return VHD_DAMAGED;
    }
    if (current > data_bytes) {
        *why = "it is shorter than its footer says";
        return VHD_DAMAGED;
    }
    *size = current;
    return VHD_FIXED;
}

enum vhd_kind vhd_probe(struct image *img, uint64_t *size, const char **why)
{
    static const unsigned lengths[] = {FOOTER_BYTES, FOOTER_OLD_BYTES};
    uint8_t footer[FOOTER_BYTES];

    *why = "";
    for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
        unsigned len = lengths[i];
        memset(footer, 0, sizeof footer);
        if (img->file_size <= len || file_read_at(img->fd, footer, len, img->file_size - len) ||
            !vhd_has_cookie(footer)) {
            continue;
        }
        if (ld_be32(footer + FOOTER_CHECKSUM) != vhd_checksum(footer)) {
            *why = "its footer has a wrong checksum";
            return VHD_DAMAGED;
        }
        switch (ld_be32(footer + FOOTER_DISK_TYPE)) {
        case 2:
            return vhd_check_fixed(footer, img->file_size - len, size, why);
        case 3:
            return VHD_DYNAMIC;
        case 4:
            return VHD_DIFFERENCING;
        default:
            *why = "its footer names a disk type that does not exist";
            return VHD_DAMAGED;
        }
    }
    /* Dynamic and differencing disks begin with a copy of the footer. */
    if (!file_read_at(img->fd, footer, sizeof footer, 0) && vhd_has_cookie(footer)) {
        *why = "the footer at its end is missing (is it cut off?)";
        return VHD_DAMAGED;
    }
    return VHD_NONE;
}
