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

static uint8_t *map(int fd, size_t bytes, int rights)
{
    void *at = mmap(NULL, bytes, rights, MAP_SHARED, fd, 0);

    return at == MAP_FAILED ? NULL : at;
}

bool codemem_map(const char *name, const char *use, size_t bytes, uint8_t **rw, uint8_t **rx,
                 GError **err)
{
    int fd = memfd_create(name, MFD_CLOEXEC);

    *rw = *rx = NULL;
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0) {
        *rw = map(fd, bytes, PROT_READ | PROT_WRITE);
        *rx = *rw ? map(fd, bytes, PROT_READ | PROT_EXEC) : NULL;
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
