/*
 * Capture files of a card's frames, in the classic libpcap format (draft-ietf-opsawg-pcap: magic
 * 0xa1b2c3d4, version 2.4, microseconds, link type 1 for Ethernet, no check sequences), in the
 * host's byte order, little-endian.  Every tool reads it.
 *
 * Frames are gathered in memory, a round's at most, and written in whole records before the net
 * thread sleeps, so that the file can be read at any moment and nobody who waits for the machine
 * lock waits for a disk.  What is overwritten is an empty file or another capture and
 * nothing else: a slip of the keyboard costs no disk image.  Two captures into one file are
 * refused.
 *
 * Not modelled: limits of size, rings of files, named pipes (the net thread must not wait for a
 * reader), the direction of a frame, the next generation's format.
 */
#include "ui/net_int.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PCAP_HEADER = 24,
    PCAP_RECORD = 16, /* before each frame */
    PCAP_SNAP = 65535,
    PCAP_ETHERNET = 1,
};
#define PCAP_MAGIC    0xa1b2c3d4u
#define PCAP_MAGIC_NS 0xa1b23c4du

struct net_pcap {
    char *path;
    int fd;     /* -1: the capture has ended */
    off_t size; /* of the file, up to which it is whole */
    GByteArray *buf;
};

static struct net_pcap *pcap_fail(struct net_pcap *c, const char *why, GError **err)
{
    g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_FILE, "capture file %s: %s", c->path, why);
    net_pcap_close(c);
    return NULL;
}

/* Whether a file that is there already is one that may be overwritten; else what it is. */
static const char *pcap_object_to(int fd)
{
    uint8_t head[PCAP_HEADER];
    struct stat st, ours;
    uint32_t magic;

    if (fstat(fd, &st)) {
        return g_strerror(errno);
    }
    if (!S_ISREG(st.st_mode)) {
        return "is no regular file";
    }
    for (int std = STDOUT_FILENO; std <= STDERR_FILENO; std++) {
        if (!fstat(std, &ours) && ours.st_dev == st.st_dev && ours.st_ino == st.st_ino) {
            return "standard output goes there already; give another name";
        }
    }
    if (!st.st_size) {
        return NULL;
    }
    if (pread(fd, head, sizeof head, 0) == sizeof head) {
        magic = ld_le32(head);
        if (magic == PCAP_MAGIC || magic == PCAP_MAGIC_NS ||
            magic == GUINT32_SWAP_LE_BE(PCAP_MAGIC) || magic == GUINT32_SWAP_LE_BE(PCAP_MAGIC_NS)) {
            return NULL;
        }
    }
    return "there is a file that is no capture; remove it, or give another name";
}

static void pcap_put_header(struct net_pcap *c)
{
    uint8_t h[PCAP_HEADER] = {0};

    st_le32(h, PCAP_MAGIC);
    st_le16(h + 4, 2);
    st_le16(h + 6, 4);
    st_le32(h + 8, 0); /* times are UTC */
    st_le32(h + 12, 0);
    st_le32(h + 16, PCAP_SNAP);
    st_le32(h + 20, PCAP_ETHERNET);
    g_byte_array_append(c->buf, h, sizeof h);
}

/* Write all of the buffer; false and errno. */
static bool pcap_put_out(struct net_pcap *c)
{
    size_t done = 0;

    while (done < c->buf->len) {
        ssize_t n = pwrite(c->fd, c->buf->data + done, c->buf->len - done, c->size + (off_t)done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n ? errno : ENOSPC;
            return false;
        }
        done += (size_t)n;
    }
    c->size += (off_t)c->buf->len;
    g_byte_array_set_size(c->buf, 0);
    return true;
}

struct net_pcap *net_pcap_open(const char *path, GError **err)
{
    struct net_pcap *c = g_new0(struct net_pcap, 1);
    const char *objection;

    c->path = g_strdup(path);
    c->buf = g_byte_array_new();
    /* Without O_NONBLOCK the opening of a named pipe would wait. */
    c->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    if (c->fd < 0) {
        return pcap_fail(
            c, errno == EISDIR ? "is a folder; give the name of a file" : g_strerror(errno), err);
    }
    objection = pcap_object_to(c->fd);
    if (objection) {
        return pcap_fail(c, objection, err);
    }
    if (flock(c->fd, LOCK_EX | LOCK_NB)) {
        return pcap_fail(c,
                         errno == EWOULDBLOCK ? "another card's capture goes there already"
                                              : g_strerror(errno),
                         err);
    }
    if (ftruncate(c->fd, 0)) {
        return pcap_fail(c, g_strerror(errno), err);
    }
    pcap_put_header(c);
    if (!pcap_put_out(c)) {
        return pcap_fail(c, g_strerror(errno), err);
    }
    return c;
}

/* End the capture where the file is whole.  Parts of records that got into it are cut off. */
static void pcap_give_up(struct net_pcap *c, struct nets *s)
{
    const char *why = g_strerror(errno);

    if (ftruncate(c->fd, c->size)) {
        why = g_strerror(errno);
    }
    close(c->fd);
    c->fd = -1;
    g_byte_array_set_size(c->buf, 0);
    if (s) {
        nets_note(s, "capture file %s: %s; the capture ends here", c->path, why);
    }
}

void net_pcap_flush(struct net_pcap *c, struct nets *s)
{
    if (c->fd >= 0 && c->buf->len && !pcap_put_out(c)) {
        pcap_give_up(c, s);
    }
}

void net_pcap_write(struct net_pcap *c, const uint8_t *frame, size_t len)
{
    size_t kept = MIN(len, (size_t)PCAP_SNAP - PCAP_RECORD);
    int64_t now = g_get_real_time();
    uint8_t r[PCAP_RECORD];

    if (c->fd < 0) {
        return;
    }
    st_le32(r, (uint32_t)(now / G_USEC_PER_SEC));
    st_le32(r + 4, (uint32_t)(now % G_USEC_PER_SEC));
    st_le32(r + 8, (uint32_t)kept);
    st_le32(r + 12, (uint32_t)len);
    g_byte_array_append(c->buf, r, sizeof r);
    g_byte_array_append(c->buf, frame, (guint)kept);
}

void net_pcap_close(struct net_pcap *c)
{
    if (!c) {
        return;
    }
    if (c->fd >= 0) {
        if (c->buf->len && !pcap_put_out(c)) {
            pcap_give_up(c, NULL);
        } else {
            close(c->fd);
        }
    }
    g_byte_array_unref(c->buf);
    g_free(c->path);
    g_free(c);
}
