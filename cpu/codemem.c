/*
 * Memory for code that is made at run time.
 *
 * Not modelled: see codemem.h.
 */
#define _GNU_SOURCE /* memfd_create */
#include "cpu/codemem.h"
#include "hw/core/machine.h"
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE /* Linux 6.1 */
#define MADV_COLLAPSE 25
#endif

static uint8_t *map(int fd, size_t bytes, int rights)
{
    void *at = mmap(NULL, bytes, rights, MAP_SHARED, fd, 0);

    return at == MAP_FAILED ? NULL : at;
}

/* The same where large pages can be mapped. */
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

void codemem_make_large(uint8_t *rx, size_t at)
{
    (void)madvise(rx + at, CODEMEM_LARGE, MADV_COLLAPSE); /* else with small ones */
}

bool codemem_map(const char *name, const char *use, size_t bytes, uint8_t **rw, uint8_t **rx,
                 GError **err)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    *rw = *rx = NULL;
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0) {
        *rw = map(fd, bytes, PROT_READ | PROT_WRITE);
        *rx = *rw ? map_aligned(fd, bytes, PROT_READ | PROT_EXEC) : NULL;
    }
    int e = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (!*rx) {
        codemem_unmap(*rw, NULL, bytes);
        *rw = NULL;
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "no executable memory%s: %s", use,
                    g_strerror(e));
        return false;
    }
    return true;
}

void codemem_unmap(uint8_t *rw, uint8_t *rx, size_t bytes)
{
    if (rw) {
        munmap(rw, bytes);
    }
    if (rx) {
        munmap(rx, bytes);
    }
}
