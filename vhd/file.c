/*
 * Reading and writing host files at an offset, completely.
 *
 * Not modelled: asynchronous and direct I/O.
 */
#include "vhd/image.h"
#include <errno.h>
#include <unistd.h>

int file_read_at(int fd, void *buf, size_t len, uint64_t off)
{
    for (uint8_t *to = buf; len;) {
        ssize_t n = pread(fd, to, len, (off_t)off);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        if (n == 0) {
            memset(to, 0, len);
            return 0;
        }
        to += n;
        off += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}

int file_write_at(int fd, const void *buf, size_t len, uint64_t off)
{
    for (const uint8_t *from = buf; len;) {
        ssize_t n = pwrite(fd, from, len, (off_t)off);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? errno : EIO;
        }
        from += n;
        off += (uint64_t)n;
        len -= (size_t)n;
    }
    return 0;
}
