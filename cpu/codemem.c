/*
 * Memory for code that is made at run time.
 *
 * Not modelled: see codemem.h.
 */
#define _GNU_SOURCE /* memfd_create, fallocate */
#include "cpu/codemem.h"
#include "hw/core/machine.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE /* Linux 6.1 */
#define MADV_COLLAPSE 25
#endif

/* Where large pages can be mapped. */
static uint8_t *map_aligned(int fd, size_t bytes, int rights)
{
    uint8_t *room = mmap(NULL, bytes + CODEMEM_LARGE, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (room == MAP_FAILED) {
        return NULL;
    }
    size_t before = align_up((uintptr_t)room, CODEMEM_LARGE) - (uintptr_t)room;
    uint8_t *at = mmap(room + before, bytes, rights, MAP_SHARED | MAP_FIXED, fd, 0);
    munmap(room + before + bytes, CODEMEM_LARGE - before);
    if (before) {
        munmap(room, before);
    }
    return at == MAP_FAILED ? NULL : at;
}

void codemem_make_large(const struct codemem *m, size_t at)
{
    (void)madvise(m->rx + at, CODEMEM_LARGE, MADV_COLLAPSE); /* else with small ones */
}

void codemem_populate(void *at, size_t n)
{
    (void)madvise(at, n, MADV_POPULATE_WRITE); /* else page by page */
}

void codemem_give_back(const struct codemem *m, size_t at)
{
    (void)fallocate(m->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
                    (off_t)(m->bytes - at)); /* else it stays */
}

void codemem_poke(const struct codemem *m, size_t at, const void *bytes, size_t n)
{
    if (pwrite(m->fd, bytes, n, (off_t)at) != (ssize_t)n) {
        memcpy(m->rw + at, bytes, n);
    }
}

bool codemem_map(struct codemem *m, const char *name, const char *use, size_t bytes, GError **err)
{
    *m = (struct codemem){.bytes = bytes, .fd = memfd_create(name, MFD_CLOEXEC)};
    if (m->fd >= 0 && ftruncate(m->fd, (off_t)bytes) == 0) {
        m->rw = map_aligned(m->fd, bytes, PROT_READ | PROT_WRITE);
        m->rx = m->rw ? map_aligned(m->fd, bytes, PROT_READ | PROT_EXEC) : NULL;
    }
    if (!m->rx) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "no executable memory%s: %s", use,
                    g_strerror(errno));
        codemem_unmap(m);
        return false;
    }
    return true;
}

void codemem_unmap(struct codemem *m)
{
    if (m->rw) {
        munmap(m->rw, m->bytes);
    }
    if (m->rx) {
        munmap(m->rx, m->bytes);
    }
    if (m->bytes && m->fd >= 0) {
        close(m->fd);
    }
    *m = (struct codemem){0};
}
