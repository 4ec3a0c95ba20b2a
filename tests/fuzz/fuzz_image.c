/*
 * Fuzzer: disk, CD and floppy images with any contents.  What is opened can be read from end to
 * end, and is as large as it says; the file is not changed.
 *
 * Input: how to open (1 byte), then the file.  With bit 4 of the first byte the file's end becomes
 * a VHD footer with the right cookie and checksum.
 *
 * Not modelled: files that change while they are open.
 */
#define _GNU_SOURCE /* memfd_create */
#include "vhd/vhd.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Hard Disk Image Format Specification: cookie at 0, checksum (one's complement of the sum) at 64.
 */
static void mend_footer(uint8_t *footer)
{
    uint32_t sum = 0;

    memcpy(footer, "conectix", 8);
    st_be32(footer + 64, 0);
    for (unsigned k = 0; k < SECTOR_BYTES; k++) {
        sum += footer[k];
    }
    st_be32(footer + 64, ~sum);
}

static void read_ends(struct block *b)
{
    uint8_t *sector = g_malloc(SECTOR_BYTES);
    const uint64_t at[] = {0, b->sectors / 2, b->sectors - 1};

    if (b->sectors == 0 || b->sectors > BIT64(52)) {
        abort();
    }
    for (unsigned k = 0; k < ARRAY_LEN(at); k++) {
        if (b->ops->read_at(b->img, at[k] * SECTOR_BYTES, sector, SECTOR_BYTES)) {
            abort();
        }
    }
    g_free(sector);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    GError *err = NULL;
    struct block *b;
    uint8_t *file;
    int fd;

    if (size < 1) {
        return -1;
    }
    file = g_memdup2(data, size);
    if (data[0] & 16 && size > SECTOR_BYTES) {
        mend_footer(file + size - SECTOR_BYTES);
    }
    fd = memfd_create("image", MFD_CLOEXEC);
    if (fd < 0 || write(fd, file + 1, size - 1) != (ssize_t)size - 1) {
        abort();
    }
    g_free(file);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (data[0] & 8) {
        b = block_open_floppy(path, (enum drive_format)(data[0] & 3), true, &err);
    } else {
        b = block_open(path, (enum drive_format)((data[0] & 3) % 3), true, data[0] & 4, &err);
    }
    if (!b == !err) {
        abort(); /* exactly one of them */
    }
    if (b) {
        read_ends(b);
        block_close(b);
    } else if (!strstr(err->message, path)) {
        abort();
    }
    g_clear_error(&err);
    close(fd);
    return 0;
}
