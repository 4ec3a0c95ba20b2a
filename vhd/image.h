/*
 * What the parts of vhd/ share: an image file, opened, checked and locked, and the format drivers.
 *
 * Not modelled: anything of the guest.
 */
#ifndef VHD_IMAGE_H
#define VHD_IMAGE_H

#include "vhd/vhd.h"

struct image {
    int fd;
    uint64_t file_size; /* when opened */
    uint64_t size;      /* bytes of the medium the guest sees */
    bool readonly;
};

extern const struct block_ops raw_ops; /* the file is the medium, from its first byte on */
extern const struct block_ops
    fixed_vhd_ops; /* the same with a footer behind, which stays out of reach */

/*
 * All of `len` bytes at `off`, whatever signals interrupt it: 0 or an errno value.  What lies
 * behind the file's end reads as zeros.
 */
int file_read_at(int fd, void *buf, size_t len, uint64_t off);
int file_write_at(int fd, const void *buf, size_t len, uint64_t off);

/* VHD: what the file's footer says. */
enum vhd_kind { VHD_NONE, VHD_FIXED, VHD_DYNAMIC, VHD_DIFFERENCING, VHD_DAMAGED };
/* Look for a footer.  For a sound fixed disk `size` becomes the medium's size; `why` says what is
 * damaged. */
enum vhd_kind vhd_probe(struct image *img, uint64_t *size, const char **why);

#endif
