/*
 * Dynamic and differencing disks: blocks are added at the end of the file as they are written to.
 *
 * Order of writes, so that a crash at any point leaves an image that opens with all in it that was
 * flushed: A new block goes behind everything else, over the footer, after a new footer was written
 * behind its place; the copy of the footer at the front keeps the image open-able meanwhile.  The
 * block's entry in the BAT and the bits that make a sector count (instead of the parent's) stay in
 * memory until a flush.  That first syncs the data, then writes bits and entries, then syncs those.
 * So no entry or bit that is in the file ever leads to data that is not.  What a crash cuts off is
 * space that belongs to no block.
 *
 * New blocks of dynamic disks count as written everywhere (the file has zeros there), as QEMU makes
 * them: only differencing disks need bits written.  Bitmaps are kept in memory, within a limit.
 *
 * Not modelled: discard, giving back blocks, the batmap of XenServer.
 */
#include "vhd/image.h"
#include <errno.h>

enum {
    CACHE_BYTES = 8 * 1024 * 1024, /* bitmaps in memory */
    CACHE_MIN_MAPS = 16,
    DATA_ALIGN = 4096, /* where blocks are large, data begins as pages do */
};

/* The sector bitmap of a block that is in the file. */
struct vhd_map {
    uint32_t block;
    uint32_t set; /* bits that are 1 */
    bool dirty;
    GList link; /* in the queue, by last use */
    uint8_t bits[];
};

struct vhd_cache {
    GMutex lock;      /* around each call: read_now comes from another thread */
    GHashTable *maps; /* block -> struct vhd_map, owned */
    GQueue by_use;    /* last used first */
    unsigned max_maps;
    bool dirty;         /* one of the maps is, or the BAT */
    uint8_t *bat_dirty; /* a byte per sector of the BAT */
    int failed;         /* a sync failed: what the file holds is not known any more */
};

static uint32_t block_sectors(const struct vhd_disk *d)
{
    return d->header.block_bytes / SECTOR_BYTES;
}

static bool map_get(const struct vhd_map *map, uint32_t sector)
{
    return map->bits[sector / 8] & (0x80 >> sector % 8);
}

static void map_count(const struct vhd_disk *d, struct vhd_map *map)
{
    uint32_t n = block_sectors(d);

    map->set = 0;
    for (uint32_t i = 0; i < n / 8; i++) {
        map->set += (uint32_t)__builtin_popcount(map->bits[i]);
    }
    for (uint32_t i = n & ~7u; i < n; i++) {
        map->set += map_get(map, i);
    }
}

/* How many sectors from `sector` on, at most `max`, are as it is. */
static uint32_t map_run(const struct vhd_disk *d, const struct vhd_map *map, uint32_t sector,
                        uint32_t max)
{
    bool is_set = map_get(map, sector);
    uint32_t n = 1;

    if (map->set == block_sectors(d) || !map->set) {
        return max;
    }
    while (n < max && map_get(map, sector + n) == is_set) {
        n++;
    }
    return n;
}

static void cache_free_map(gpointer map)
{
    g_free(map);
}

static void cache_start(struct vhd_disk *d)
{
    struct vhd_cache *c = g_new0(struct vhd_cache, 1);

    c->maps = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, cache_free_map);
    c->max_maps = MAX(CACHE_BYTES / (d->bitmap_bytes + 64), CACHE_MIN_MAPS);
    c->bat_dirty = g_malloc0(vhd_bat_bytes(d->header.entries) / SECTOR_BYTES);
    g_queue_init(&c->by_use);
    g_mutex_init(&c->lock);
    d->cache = c;
}

static void cache_free(struct vhd_cache *c)
{
    g_hash_table_unref(c->maps);
    g_mutex_clear(&c->lock);
    g_free(c->bat_dirty);
    g_free(c);
}

/* Sync; an error is not forgotten, as the next sync would not tell it again. */
static int disk_sync(struct image *img)
{
    int error = file_sync(&img->file);

    if (error) {
        img->vhd->cache->failed = error;
    }
    return error;
}

static int disk_write_bat(struct image *img)
{
    const struct vhd_disk *d = img->vhd;
    uint64_t count = vhd_bat_bytes(d->header.entries) / SECTOR_BYTES;
    const uint8_t *dirty = d->cache->bat_dirty;
    int error = 0;

    for (uint64_t i = 0, n = 0; i < count && !error; i += MAX(n, 1)) {
        for (n = 0; i + n < count && dirty[i + n]; n++) {
        }
        if (!n) {
            continue;
        }
        error = file_write_at(&img->file, d->bat + i * SECTOR_BYTES, n * SECTOR_BYTES,
                              d->header.bat_offset + i * SECTOR_BYTES);
    }
    return error;
}

static int disk_write_maps(struct image *img)
{
    const struct vhd_disk *d = img->vhd;
    int error = 0;

    for (GList *i = d->cache->by_use.head; i && !error; i = i->next) {
        const struct vhd_map *map = i->data;

        if (map->dirty) {
            error = file_write_at(&img->file, map->bits, d->bitmap_bytes,
                                  vhd_block_offset(d, map->block));
        }
    }
    return error;
}

static int disk_commit(struct image *img)
{
    struct vhd_disk *d = img->vhd;
    struct vhd_cache *c = d->cache;
    int error = c->failed;

    if (img->readonly || error) {
        return error;
    }
    error = disk_sync(img);
    if (error || !c->dirty) {
        return error;
    }
    error = disk_write_bat(img);
    if (!error) {
        error = disk_write_maps(img);
    }
    if (!error) {
        error = disk_sync(img);
    }
    if (!error) {
        c->dirty = false;
        memset(c->bat_dirty, 0, vhd_bat_bytes(d->header.entries) / SECTOR_BYTES);
        for (GList *i = c->by_use.head; i; i = i->next) {
            ((struct vhd_map *)i->data)->dirty = false;
        }
    }
    return error;
}

/* Room for one more map. */
static int cache_make_room(struct image *img)
{
    struct vhd_cache *c = img->vhd->cache;
    struct vhd_map *last = c->by_use.length < c->max_maps ? NULL : c->by_use.tail->data;
    int error = last && last->dirty ? disk_commit(img) : 0;

    if (last && !error) {
        g_queue_unlink(&c->by_use, &last->link);
        g_hash_table_remove(c->maps, GUINT_TO_POINTER(last->block));
    }
    return error;
}

/* A map of a block, new in the cache. */
static int cache_add(struct image *img, uint32_t block, struct vhd_map **map)
{
    const struct vhd_disk *d = img->vhd;
    int error = cache_make_room(img);

    if (error) {
        return error;
    }
    struct vhd_map *m = g_malloc0(sizeof *m + d->bitmap_bytes);
    m->block = block;
    m->link.data = m;
    g_queue_push_head_link(&d->cache->by_use, &m->link);
    g_hash_table_insert(d->cache->maps, GUINT_TO_POINTER(block), m);
    *map = m;
    return 0;
}

static void cache_remove(struct vhd_cache *c, struct vhd_map *map)
{
    g_queue_unlink(&c->by_use, &map->link);
    g_hash_table_remove(c->maps, GUINT_TO_POINTER(map->block));
}

/* The map of a block that is in the file. */
static int cache_get(struct image *img, uint32_t block, struct vhd_map **map)
{
    const struct vhd_disk *d = img->vhd;
    struct vhd_map *m = g_hash_table_lookup(d->cache->maps, GUINT_TO_POINTER(block));
    int error;

    *map = m;
    if (m) {
        g_queue_unlink(&d->cache->by_use, &m->link);
        g_queue_push_head_link(&d->cache->by_use, &m->link);
        return 0;
    }
    error = cache_add(img, block, &m);
    if (error) {
        return error;
    }
    error = file_read_at(&img->file, m->bits, d->bitmap_bytes, vhd_block_offset(d, block));
    if (error) {
        cache_remove(d->cache, m);
        return error;
    }
    map_count(d, m);
    *map = m;
    return 0;
}

static void map_set(struct vhd_disk *d, struct vhd_map *map, uint32_t sector, uint32_t count)
{
    if (map->set == block_sectors(d)) {
        return;
    }
    for (uint32_t i = sector; i < sector + count; i++) {
        if (!map_get(map, i)) {
            map->bits[i / 8] |= (uint8_t)(0x80 >> i % 8);
            map->set++;
            map->dirty = d->cache->dirty = true;
        }
    }
}

/* What shows through where this image has nothing: the parent, or zeros. */
static int disk_read_below(struct image *img, uint64_t off, uint8_t *buf, size_t len, bool now)
{
    struct image *parent = img->vhd->parent;
    size_t inside = 0;
    int error = 0;

    if (parent && off < parent->size) {
        inside = MIN(len, parent->size - off);
        error = !now                    ? parent->ops->read_at(parent, off, buf, inside)
                : parent->ops->read_now ? parent->ops->read_now(parent, off, buf, inside)
                                        : EAGAIN;
    }
    memset(buf + inside, 0, len - inside);
    return error;
}

/* Inside of one block that is in the file. */
static int disk_read_block(struct image *img, uint64_t off, uint8_t *buf, size_t len, bool now)
{
    const struct vhd_disk *d = img->vhd;
    uint32_t block = (uint32_t)(off / d->header.block_bytes);
    uint64_t within = off % d->header.block_bytes;
    uint64_t data = vhd_block_offset(d, block) + d->bitmap_bytes;
    struct vhd_map *map;
    int error = now && !g_hash_table_contains(d->cache->maps, GUINT_TO_POINTER(block))
                    ? EAGAIN
                    : cache_get(img, block, &map);

    while (len && !error) {
        uint32_t sector = (uint32_t)(within / SECTOR_BYTES);
        uint32_t run = map_run(d, map, sector, (uint32_t)(len / SECTOR_BYTES));
        size_t n = (size_t)run * SECTOR_BYTES;

        if (!map_get(map, sector)) {
            error = disk_read_below(img, off, buf, n, now);
        } else {
            error = now ? file_read_now(&img->file, buf, n, data + within)
                        : file_read_at(&img->file, buf, n, data + within);
        }
        buf += n;
        off += n;
        within += n;
        len -= n;
    }
    return error;
}

int vhd_next_sectors(struct image *img, uint64_t off, uint64_t end, uint64_t *from, uint64_t *to)
{
    const struct vhd_disk *d = img->vhd;
    uint32_t per_block = block_sectors(d), first = (uint32_t)(off / SECTOR_BYTES % per_block);
    uint32_t last = first + (uint32_t)((end - off) / SECTOR_BYTES);
    struct vhd_map *map;
    int error = cache_get(img, (uint32_t)(off / d->header.block_bytes), &map);

    *from = *to = end;
    for (uint32_t n; !error && first < last; first += n) {
        n = map_run(d, map, first, last - first);
        if (map_get(map, first)) {
            *from = end - (uint64_t)(last - first) * SECTOR_BYTES;
            *to = *from + (uint64_t)n * SECTOR_BYTES;
            break;
        }
    }
    return error;
}

static bool disk_is_inside(const struct image *img, uint64_t off, size_t len)
{
    return off % SECTOR_BYTES == 0 && len % SECTOR_BYTES == 0 && off <= img->size &&
           len <= img->size - off;
}

static int disk_read(struct image *img, uint64_t off, uint8_t *buf, size_t len, bool now)
{
    const struct vhd_disk *d = img->vhd;
    uint32_t block_bytes = d->header.block_bytes;
    int error = 0;

    while (len && !error) {
        size_t n = MIN(len, block_bytes - off % block_bytes);

        error = vhd_block_offset(d, (uint32_t)(off / block_bytes))
                    ? disk_read_block(img, off, buf, n, now)
                    : disk_read_below(img, off, buf, n, now);
        buf += n;
        off += n;
        len -= n;
    }
    return error;
}

static int disk_read_at(void *opaque, uint64_t off, void *buf, size_t len)
{
    struct image *img = opaque;

    if (!disk_is_inside(img, off, len)) {
        return EINVAL;
    }
    g_mutex_lock(&img->vhd->cache->lock);
    int error = disk_read(img, off, buf, len, false);
    g_mutex_unlock(&img->vhd->cache->lock);
    return error;
}

static int disk_read_now(void *opaque, uint64_t off, void *buf, size_t len)
{
    struct image *img = opaque;

    if (!disk_is_inside(img, off, len) || !g_mutex_trylock(&img->vhd->cache->lock)) {
        return EAGAIN;
    }
    int error = disk_read(img, off, buf, len, true);
    g_mutex_unlock(&img->vhd->cache->lock);
    return error;
}

/*
 * A place for a block at the end: a footer behind it first, then its bitmap, all ones or (with
 * something below to show through) zeros.  The data is zeros, as the file grew over it.
 */
static int disk_add_block(struct image *img, uint32_t block)
{
    struct vhd_disk *d = img->vhd;
    unsigned align = d->header.block_bytes < VHD_BLOCK_BYTES ? SECTOR_BYTES : DATA_ALIGN;
    uint64_t at = align_up(d->end + d->bitmap_bytes, align) - d->bitmap_bytes;
    uint64_t end = at + d->bitmap_bytes + d->header.block_bytes;
    struct vhd_map *map;
    int error;

    if (at / SECTOR_BYTES >= VHD_NO_BLOCK) {
        return EFBIG;
    }
    error = cache_add(img, block, &map);
    if (error) {
        return error;
    }
    if (d->footer.type == VHD_TYPE_DYNAMIC) {
        memset(map->bits, 0xff, d->bitmap_bytes);
        map->set = block_sectors(d);
    }
    error = file_write_at(&img->file, d->footer_bytes, VHD_FOOTER_BYTES, end);
    if (!error) {
        error = file_write_at(&img->file, map->bits, d->bitmap_bytes, at);
    }
    if (error) {
        cache_remove(d->cache, map);
        return error;
    }
    st_be32(d->bat + 4 * (size_t)block, (uint32_t)(at / SECTOR_BYTES));
    d->cache->bat_dirty[4 * (size_t)block / SECTOR_BYTES] = 1;
    d->cache->dirty = true;
    d->end = end;
    img->file_size = end + VHD_FOOTER_BYTES;
    return 0;
}

/* Inside of one block. */
static int disk_write_block(struct image *img, uint64_t off, const uint8_t *buf, size_t len)
{
    struct vhd_disk *d = img->vhd;
    uint32_t block = (uint32_t)(off / d->header.block_bytes);
    uint64_t within = off % d->header.block_bytes;
    struct vhd_map *map;
    int error = vhd_block_offset(d, block) ? 0 : disk_add_block(img, block);

    if (!error) {
        error = cache_get(img, block, &map);
    }
    if (!error) {
        error = file_write_at(&img->file, buf, len,
                              vhd_block_offset(d, block) + d->bitmap_bytes + within);
    }
    if (!error) {
        map_set(d, map, (uint32_t)(within / SECTOR_BYTES), (uint32_t)(len / SECTOR_BYTES));
    }
    return error;
}

static int disk_write_at(void *opaque, uint64_t off, const void *buf, size_t len)
{
    struct image *img = opaque;
    uint32_t block_bytes = img->vhd->header.block_bytes;

    if (img->readonly || !disk_is_inside(img, off, len)) {
        return img->readonly ? EROFS : EINVAL;
    }
    g_mutex_lock(&img->vhd->cache->lock);
    int error = img->vhd->cache->failed;
    for (const uint8_t *from = buf; len && !error;) {
        size_t n = MIN(len, block_bytes - off % block_bytes);

        error = disk_write_block(img, off, from, n);
        from += n;
        off += n;
        len -= n;
    }
    g_mutex_unlock(&img->vhd->cache->lock);
    return error;
}

static int disk_flush(void *opaque)
{
    struct image *img = opaque;

    g_mutex_lock(&img->vhd->cache->lock);
    int error = disk_commit(img);
    g_mutex_unlock(&img->vhd->cache->lock);
    return error;
}

static void disk_close(void *opaque)
{
    struct image *img = opaque;

    disk_commit(img);
    cache_free(img->vhd->cache);
    image_free(img);
}

int vhd_disk_start(struct image *img)
{
    struct vhd_disk *d = img->vhd;
    int error = 0;

    if (!img->readonly && !d->end_footer) {
        error = file_write_at(&img->file, d->footer_bytes, VHD_FOOTER_BYTES, d->end);
        img->file_size = d->end + VHD_FOOTER_BYTES;
    }
    if (!img->readonly && !d->front_footer) {
        error = file_write_at(&img->file, d->footer_bytes, VHD_FOOTER_BYTES, 0);
    }
    if (!error && !img->readonly && !(d->end_footer && d->front_footer)) {
        error = file_sync(&img->file);
    }
    if (!error) {
        cache_start(d);
    }
    return error;
}

const struct block_ops dynamic_vhd_ops = {
    .name = "vhd (dynamic)",
    .read_at = disk_read_at,
    .write_at = disk_write_at,
    .flush = disk_flush,
    .close = disk_close,
    .read_now = disk_read_now,
};

const struct block_ops differencing_vhd_ops = {
    .name = "vhd (differencing)",
    .read_at = disk_read_at,
    .write_at = disk_write_at,
    .flush = disk_flush,
    .close = disk_close,
    .read_now = disk_read_now,
};
