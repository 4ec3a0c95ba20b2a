/*
 * Sectors that say which write they came from; see versions.h.
 *
 * Not modelled: writes that are no whole sectors.
 */
#include "tests/vhd/versions.h"
#include <stdlib.h>
#include <sys/mman.h>

enum { COPIES = SECTOR_BYTES / 16 };
#define MARK 0x5ec7045eed5ec704ull

static uint32_t *shared_new(uint32_t count)
{
    void *p = mmap(NULL, count * sizeof(uint32_t), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED) {
        abort();
    }
    return p;
}

void versions_init(struct versions *v, uint32_t sectors)
{
    *v = (struct versions){
        .sectors = sectors,
        .next = 1,
        .issued = shared_new(sectors),
        .done = shared_new(sectors),
        .flushed = shared_new(sectors),
        .oldest = shared_new(sectors),
    };
}

void versions_fini(struct versions *v)
{
    munmap(v->issued, v->sectors * sizeof(uint32_t));
    munmap(v->done, v->sectors * sizeof(uint32_t));
    munmap(v->flushed, v->sectors * sizeof(uint32_t));
    munmap(v->oldest, v->sectors * sizeof(uint32_t));
}

static void sector_fill(uint8_t *buf, uint32_t sector, uint32_t version)
{
    for (unsigned i = 0; i < COPIES; i++) {
        st_le64(buf + 16 * i, MARK);
        st_le32(buf + 16 * i + 8, sector);
        st_le32(buf + 16 * i + 12, version);
    }
}

/* False: torn, or what nobody wrote. */
static bool sector_version(const uint8_t *buf, uint32_t sector, uint32_t *version)
{
    uint8_t must[SECTOR_BYTES] = {0};

    *version = 0;
    if (memcmp(buf, must, sizeof must) != 0) {
        *version = ld_le32(buf + 12);
        sector_fill(must, sector, *version);
    }
    return !memcmp(buf, must, sizeof must);
}

int versions_write(struct versions *v, struct image *img, uint32_t first, uint32_t count)
{
    g_autofree uint8_t *buf = g_malloc((size_t)count * SECTOR_BYTES);
    uint32_t version = v->next++;

    for (uint32_t i = 0; i < count; i++) {
        sector_fill(buf + (size_t)i * SECTOR_BYTES, first + i, version);
        __atomic_store_n(&v->issued[first + i], version, __ATOMIC_SEQ_CST);
    }
    int error =
        img->ops->write_at(img, (uint64_t)first * SECTOR_BYTES, buf, (size_t)count * SECTOR_BYTES);
    for (uint32_t i = first; i < first + count && !error; i++) {
        __atomic_store_n(&v->done[i], version, __ATOMIC_SEQ_CST);
    }
    return error;
}

void versions_settle(struct versions *v)
{
    memcpy(v->done, v->issued, v->sectors * sizeof(uint32_t));
    memcpy(v->flushed, v->issued, v->sectors * sizeof(uint32_t));
}

int versions_scribble(struct versions *v, struct image *img, GRand *rand, uint32_t most)
{
    uint32_t first = (uint32_t)g_rand_int_range(rand, 0, (int)v->sectors);
    uint32_t block = img->vhd->header.block_bytes / SECTOR_BYTES;

    if (g_rand_int_range(rand, 0, 3) == 0) {
        first -= first % block;
    }
    most = MIN(most, v->sectors - first);
    return versions_write(v, img, first, (uint32_t)g_rand_int_range(rand, 1, (int)most + 1));
}

int versions_flush(struct versions *v, struct image *img)
{
    int error = img->ops->flush(img);

    for (uint32_t i = 0; i < v->sectors && !error; i++) {
        __atomic_store_n(&v->flushed[i], v->done[i], __ATOMIC_SEQ_CST);
    }
    return error;
}

uint32_t versions_check(struct versions *v, struct image *img, char **what)
{
    g_autofree uint8_t *data = g_malloc((size_t)v->sectors * SECTOR_BYTES);
    uint32_t lost = 0;
    int error = img->ops->read_at(img, 0, data, (size_t)v->sectors * SECTOR_BYTES);

    *what = error ? g_strdup_printf("cannot be read: %s", g_strerror(error)) : NULL;
    for (uint32_t i = 0; i < v->sectors && !error; i++) {
        uint32_t version;
        bool sound = sector_version(data + (size_t)i * SECTOR_BYTES, i, &version);

        if (sound && version >= v->flushed[i] && version <= v->issued[i] &&
            (version || !v->oldest[i])) {
            v->flushed[i] = v->issued[i] = v->done[i] = version;
            continue;
        }
        if (!lost++) {
            *what = g_strdup_printf("sector %u has %s version %u, flushed %u, issued %u", i,
                                    sound ? "sound" : "torn", version, v->flushed[i], v->issued[i]);
        }
    }
    return error ? v->sectors : lost;
}
