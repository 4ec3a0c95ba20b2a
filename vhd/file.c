/*
 * Reading and writing host files at an offset, completely.
 *
 * Not modelled: asynchronous and direct I/O.
 */
#define _GNU_SOURCE /* preadv2 */
#include "vhd/image.h"
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

static int host_read(struct file *f, void *buf, size_t len, uint64_t off)
{
    for (uint8_t *to = buf; len;) {
        ssize_t n = pread(f->fd, to, len, (off_t)off);

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

static int host_write(struct file *f, const void *buf, size_t len, uint64_t off)
{
    for (const uint8_t *from = buf; len;) {
        ssize_t n = pwrite(f->fd, from, len, (off_t)off);

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

static int host_sync(struct file *f)
{
    int n;

    do {
        n = fdatasync(f->fd);
    } while (n && errno == EINTR);
    return n ? errno : 0;
}

static int host_read_now(struct file *f, void *buf, size_t len, uint64_t off)
{
    struct iovec part = {buf, len};

    return preadv2(f->fd, &part, 1, (off_t)off, RWF_NOWAIT) == (ssize_t)len ? 0 : EAGAIN;
}

const struct file_ops host_file_ops = {
    .read = host_read,
    .write = host_write,
    .sync = host_sync,
    .read_now = host_read_now,
};

int file_read_at(struct file *f, void *buf, size_t len, uint64_t off)
{
    return f->ops->read(f, buf, len, off);
}

int file_write_at(struct file *f, const void *buf, size_t len, uint64_t off)
{
    return f->ops->write(f, buf, len, off);
}

int file_read_now(struct file *f, void *buf, size_t len, uint64_t off)
{
    return f->ops->read_now ? f->ops->read_now(f, buf, len, off) : EAGAIN;
}

int file_sync(struct file *f)
{
    return f->ops->sync(f);
}
