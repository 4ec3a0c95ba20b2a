/*
 * The physical memory map: overlays resolved to two flat views, CPU slow-path accesses, DMA.
 *
 * Views are replaced only inside an exclusive section, so a vCPU thread in guest code may look
 * things up without the lock; it must look again after every point where it could have been parked
 * (taking the lock is one).
 *
 * Not modelled: bus masters with views of their own, cacheability, bus errors (nothing there reads
 * as ones).
 */
#define _GNU_SOURCE /* memfd_create */
#include "hw/core/code.h"
#include "hw/core/machine.h"
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* Physical addresses have at most 52 bits on this architecture. */
#define PA_LAST         (BIT64(52) - 1)
#define RAM_BYTES_MAX   BIT64(46)
#define HUGE_PAGES_FROM (64 * MiB)
#define SHARED_FROM     (256 * KiB)

/* RAM blocks -------------------------------------------------------------------------------- */

static void *ram_map(uint64_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

/* Memory that can be mapped at other places too (cpu/view.h). */
static bool ram_map_shared(struct ram *ram)
{
    int fd = memfd_create("candela-ram", MFD_CLOEXEC);
    void *p = MAP_FAILED;

    if (fd >= 0 && !ftruncate(fd, (off_t)ram->size)) {
        p = mmap(NULL, ram->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    }
    if (p == MAP_FAILED) {
        if (fd >= 0) {
            close(fd);
        }
        return false;
    }
    ram->host = p;
    ram->fd = fd;
    return true;
}

static void ram_free(void *ptr)
{
    struct ram *ram = ptr;

    if (ram->host) {
        munmap(ram->host, ram->size);
    }
    if (ram->fd >= 0) {
        close(ram->fd);
    }
    if (ram->page_flags) {
        munmap(ram->page_flags, ram->size / PAGE_BYTES);
    }
    g_free(ram->name);
    g_free(ram);
}

struct ram *ram_new(struct machine *m, const char *name, uint64_t size, GError **err)
{
    struct ram *ram;

    if (!size || size > RAM_BYTES_MAX) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST,
                    "%s: cannot have %" G_GUINT64_FORMAT " bytes of memory", name, size);
        return NULL;
    }
    ram = g_new0(struct ram, 1);
    ram->m = m;
    ram->name = g_strdup(name);
    ram->size = align_up(size, PAGE_BYTES);
    ram->fd = -1;
    if (ram->size < SHARED_FROM || !ram_map_shared(ram)) {
        ram->host = ram_map(ram->size);
    }
    if (ram->host) {
        ram->page_flags = ram_map(ram->size / PAGE_BYTES);
    }
    if (!ram->page_flags) {
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST,
                    "%s: the host refuses %" G_GUINT64_FORMAT " MiB of memory: %s", name,
                    (uint64_t)(ram->size / MiB), g_strerror(errno));
        ram_free(ram);
        return NULL;
    }
    /* Hints only: their failure changes nothing but speed and the size of a core file. */
    if (ram->size >= HUGE_PAGES_FROM) {
        (void)madvise(ram->host, ram->size, MADV_HUGEPAGE);
    }
    (void)madvise(ram->host, ram->size, MADV_DONTDUMP);
    g_ptr_array_add(m->rams, ram);
    return ram;
}

static _Atomic uint8_t *ram_flags(struct ram *ram, uint64_t page)
{
    return (_Atomic uint8_t *)&ram->page_flags[page];
}

static void aspace_flush_tlbs(struct machine *m)
{
    for (unsigned i = 0; i < m->ncpus; i++) {
        vcpu_request(m->vcpus[i], VCPU_REQ_TLB);
    }
}

static bool ram_clear_dirty(struct ram *ram, uint64_t page)
{
    if (!ram->log_dirty || page >= ram->size / PAGE_BYTES) {
        return !ram->log_dirty;
    }
    if (!(atomic_load_explicit(ram_flags(ram, page), memory_order_relaxed) & RAM_PAGE_DIRTY)) {
        return false;
    }
    atomic_fetch_and(ram_flags(ram, page), (uint8_t)~RAM_PAGE_DIRTY);
    return true;
}

bool ram_take_dirty(struct ram *ram, uint64_t first, uint64_t n, uint64_t *map)
{
    const struct machine *m = ram->m;
    bool by_engine = m->accel_ready && m->accel->dirty_pull;
    bool any = false;

    if (by_engine && ram->log_dirty) {
        m->accel->dirty_pull(ram->m, ram);
    }
    memset(map, 0, align_up(n, 64) / 8);
    for (uint64_t i = 0; i < n; i++) {
        if (ram_clear_dirty(ram, first + i)) {
            map[i / 64] |= BIT64(i % 64);
            any = true;
        }
    }
    if (any && ram->log_dirty && !by_engine) {
        /* The next store has to come through the slow path again. */
        aspace_flush_tlbs(ram->m);
    }
    return any;
}

bool ram_test_clear_dirty(struct ram *ram, uint64_t page)
{
    uint64_t map;

    return ram_take_dirty(ram, page, 1, &map);
}

void ram_set_log_dirty(struct ram *ram, bool on)
{
    machine_exclusive_begin(ram->m);
    for (uint64_t page = 0; on && page < ram->size / PAGE_BYTES; page++) {
        atomic_fetch_or_explicit(ram_flags(ram, page), RAM_PAGE_DIRTY, memory_order_relaxed);
    }
    ram->log_dirty = on;
    if (ram->m->accel_ready && ram->m->accel->map_changed) {
        ram->m->accel->map_changed(ram->m);
    }
    aspace_flush_tlbs(ram->m);
    machine_exclusive_end(ram->m);
}

void ram_mark_written(struct ram *ram, uint64_t off, uint64_t len, struct vcpu *from)
{
    if (!len || off >= ram->size) {
        return;
    }
    len = MIN(len, ram->size - off);
    /* The bytes are written before the bits are read: see code.h. */
    atomic_thread_fence(memory_order_seq_cst);
    for (uint64_t end = off + len, next; off < end; off = next) {
        uint64_t page = off >> PAGE_SHIFT;
        uint8_t now = atomic_load_explicit(ram_flags(ram, page), memory_order_relaxed);

        next = MIN((page + 1) << PAGE_SHIFT, end);
        if (ram->log_dirty && !(now & RAM_PAGE_DIRTY)) {
            atomic_fetch_or(ram_flags(ram, page), RAM_PAGE_DIRTY);
        }
        if (now & RAM_PAGE_CODE) {
            code_stored(ram, off, next - off, from);
        }
    }
}

/* Regions ----------------------------------------------------------------------------------- */

void region_init_ram(struct region *r, const char *name, struct ram *ram, uint64_t ram_offset,
                     uint64_t size)
{
    *r = (struct region){.name = name, .kind = REGION_RAM, .access = ACCESS_RW, .ram = ram};
    r->ram_offset = MIN(ram_offset, ram->size);
    r->size = MIN(size, ram->size - r->ram_offset);
}

void region_init_mmio(struct region *r, const char *name, struct device *dev,
                      const struct mmio_ops *ops, uint64_t size)
{
    *r = (struct region){.name = name,
                         .kind = REGION_MMIO,
                         .access = ACCESS_RW,
                         .dev = dev,
                         .ops = ops,
                         .size = size};
}

/* Note a change; outside of begin and commit it takes effect now. */
static void aspace_touch(struct machine *m)
{
    m->aspace_changed = true;
    if (!m->aspace_depth) {
        aspace_begin(m);
        aspace_commit(m);
    }
}

void region_add(struct machine *m, struct region *r, uint64_t base, int priority)
{
    g_ptr_array_remove(m->regions, r);
    g_ptr_array_add(m->regions, r);
    r->base = base;
    r->priority = priority;
    r->enabled = true;
    aspace_touch(m);
}

void region_remove(struct machine *m, struct region *r)
{
    if (g_ptr_array_remove(m->regions, r)) {
        aspace_touch(m);
    }
}

void region_set_base(struct machine *m, struct region *r, uint64_t base)
{
    if (r->base != base) {
        r->base = base;
        aspace_touch(m);
    }
}

void region_set_enabled(struct machine *m, struct region *r, bool enabled)
{
    if (r->enabled != enabled) {
        r->enabled = enabled;
        aspace_touch(m);
    }
}

void region_set_access(struct machine *m, struct region *r, uint8_t access)
{
    if (r->access != access) {
        r->access = access;
        aspace_touch(m);
    }
}

/* Last address of a region that is in the map. */
static uint64_t region_last(const struct region *r)
{
    return r->size - 1 > PA_LAST - r->base ? PA_LAST : r->base + r->size - 1;
}

static bool region_in_view(const struct region *r, unsigned access)
{
    return r->enabled && (r->access & access) && r->size && r->base <= PA_LAST;
}

/* Views ------------------------------------------------------------------------------------- */

static int compare_u64(gconstpointer a, gconstpointer b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The sorted addresses at which the answer may change. */
static GArray *view_points(struct machine *m, unsigned access)
{
    GArray *points = g_array_new(FALSE, FALSE, sizeof(uint64_t));

    for (unsigned i = 0; i < m->regions->len; i++) {
        const struct region *r = g_ptr_array_index(m->regions, i);
        uint64_t end;

        if (region_in_view(r, access)) {
            end = region_last(r) + 1;
            g_array_append_val(points, r->base);
            g_array_append_val(points, end);
        }
    }
    g_array_sort(points, compare_u64);
    return points;
}

/* Who answers at `pa`: the highest priority, of equals the one added last. */
static struct region *view_top(struct machine *m, unsigned access, uint64_t pa)
{
    struct region *top = NULL;

    for (unsigned i = 0; i < m->regions->len; i++) {
        struct region *r = g_ptr_array_index(m->regions, i);

        if (region_in_view(r, access) && r->base <= pa && pa <= region_last(r) &&
            (!top || r->priority >= top->priority)) {
            top = r;
        }
    }
    return top;
}

static struct flat_range *view_build(struct machine *m, unsigned access, unsigned *len)
{
    g_autoptr(GArray) points = view_points(m, access);
    GArray *view = g_array_new(FALSE, TRUE, sizeof(struct flat_range));

    for (unsigned i = 0; i + 1 < points->len; i++) {
        uint64_t lo = g_array_index(points, uint64_t, i),
                 end = g_array_index(points, uint64_t, i + 1);
        struct flat_range *last =
            view->len ? &g_array_index(view, struct flat_range, view->len - 1) : NULL;
        struct region *top = lo < end ? view_top(m, access, lo) : NULL;
        struct flat_range piece = {.base = lo, .size = end - lo, .region = top};

        if (!top) {
            continue;
        }
        if (last && last->region == top && last->base + last->size == lo) {
            last->size += end - lo;
            continue;
        }
        if (top->kind == REGION_RAM && !(access == ACCESS_WRITE && top->ram->readonly)) {
            piece.host = top->ram->host + top->ram_offset + (lo - top->base);
        }
        g_array_append_val(view, piece);
    }
    *len = view->len;
    return (struct flat_range *)(void *)g_array_free(view, FALSE);
}

void aspace_begin(struct machine *m)
{
    m->aspace_depth++;
}

void aspace_commit(struct machine *m)
{
    struct flat_range *view[2];
    unsigned len[2];
    bool same = true;

    if (--m->aspace_depth > 0 || !m->aspace_changed) {
        return;
    }
    m->aspace_changed = false;
    for (unsigned i = 0; i < 2; i++) {
        view[i] = view_build(m, i ? ACCESS_WRITE : ACCESS_READ, &len[i]);
        same &= len[i] == m->view_len[i] &&
                (!len[i] || !memcmp(view[i], m->view[i], len[i] * sizeof *view[i]));
    }
    if (!same) {
        machine_exclusive_begin(m);
        for (unsigned i = 0; i < 2; i++) {
            struct flat_range *old = m->view[i];

            m->view[i] = view[i];
            m->view_len[i] = len[i];
            view[i] = old;
        }
        if (m->accel_ready && m->accel->map_changed) {
            m->accel->map_changed(m);
        }
        aspace_flush_tlbs(m);
        machine_exclusive_end(m);
    }
    g_free(view[0]);
    g_free(view[1]);
}

const struct flat_range *aspace_find(struct machine *m, uint64_t pa, unsigned access)
{
    unsigned which = access == ACCESS_WRITE;
    const struct flat_range *view = m->view[which];
    uint32_t lo = 0, hi = m->view_len[which];
    /* A stale index is harmless: it is checked like any other guess. */
    uint32_t hit = atomic_load_explicit(&m->view_hit[which], memory_order_relaxed);

    if (hit < hi && pa - view[hit].base < view[hit].size) {
        return &view[hit];
    }
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (pa < view[mid].base) {
            hi = mid;
        } else if (pa - view[mid].base < view[mid].size) {
            atomic_store_explicit(&m->view_hit[which], mid, memory_order_relaxed);
            return &view[mid];
        } else {
            lo = mid + 1;
        }
    }
    return NULL;
}

/* Accesses ---------------------------------------------------------------------------------- */

static uint64_t size_ones(unsigned size)
{
    return size >= 8 ? ~0ull : BIT64(8 * size) - 1;
}

/* One move of the right width, so that aligned accesses are single-copy atomic as on hardware. */
static uint64_t host_load(const uint8_t *p, unsigned size)
{
    switch (size) {
    case 1:
        return *p;
    case 2:
        return ld_le16(p);
    case 4:
        return ld_le32(p);
    default:
        return ld_le64(p);
    }
}

static void host_store(uint8_t *p, uint64_t val, unsigned size)
{
    switch (size) {
    case 1:
        *p = (uint8_t)val;
        break;
    case 2:
        st_le16(p, (uint16_t)val);
        break;
    case 4:
        st_le32(p, (uint32_t)val);
        break;
    default:
        st_le64(p, val);
        break;
    }
}

static uint64_t mmio_read_part(struct region *r, uint64_t off, unsigned size)
{
    uint64_t val = size_ones(size);

    r->reads++;
    if (r->ops->read) {
        val &= r->ops->read(r->dev, off, size);
    }
    trace(r->dev, TR_IO, "read  %s+%#llx size %u: %#llx", r->name, (unsigned long long)off, size,
          (unsigned long long)val);
    return val;
}

static uint64_t mmio_read(struct region *r, uint64_t off, unsigned size)
{
    unsigned sizes = r->ops->sizes & SIZE_ANY, narrowest = sizes & -sizes;
    uint64_t val = 0;

    if (!sizes) {
        return size_ones(size);
    }
    for (unsigned done = 0; done < size;) {
        uint64_t at = off + done;
        unsigned part = device_access_part(sizes, at, size - done);
        uint64_t v;

        if (part) {
            v = mmio_read_part(r, at, part);
        } else {
            unsigned skip = at & (narrowest - 1);

            part = MIN(narrowest - skip, size - done);
            v = mmio_read_part(r, at - skip, narrowest) >> (8 * skip) & size_ones(part);
        }
        val |= v << (8 * done);
        done += part;
    }
    return val;
}

static void mmio_write(struct region *r, uint64_t off, uint64_t val, unsigned size)
{
    for (unsigned done = 0; done < size;) {
        uint64_t at = off + done;
        unsigned part = device_access_part(r->ops->sizes, at, size - done);

        if (!part) {
            guest_error(r->dev, "write narrower than the register at %s+%#llx", r->name,
                        (unsigned long long)at);
            done++;
            continue;
        }
        r->writes++;
        trace(r->dev, TR_IO, "write %s+%#llx size %u: %#llx", r->name, (unsigned long long)at, part,
              (unsigned long long)(val >> (8 * done) & size_ones(part)));
        if (r->ops->write) {
            r->ops->write(r->dev, at, val >> (8 * done) & size_ones(part), part);
        }
        done += part;
    }
}

static bool range_holds(const struct flat_range *fr, uint64_t pa, unsigned size)
{
    return fr && size <= fr->size && pa - fr->base <= fr->size - size;
}

/* The access at pa, where `fr` is what answers. */
static uint64_t read_from(struct machine *m, const struct flat_range *fr, uint64_t pa,
                          unsigned size)
{
    uint64_t val = 0;

    if (range_holds(fr, pa, size)) {
        return fr->host ? host_load(fr->host + (pa - fr->base), size)
                        : mmio_read(fr->region, pa - fr->region->base, size);
    }
    if (size == 1) {
        return 0xff;
    }
    for (unsigned i = 0; i < size; i++) {
        val |= aspace_read_locked(m, pa + i, 1) << (8 * i);
    }
    return val;
}

uint64_t aspace_read_locked(struct machine *m, uint64_t pa, unsigned size)
{
    return read_from(m, aspace_find(m, pa, ACCESS_READ), pa, size);
}

static void ram_store(const struct flat_range *fr, uint64_t pa, uint64_t val, unsigned size,
                      struct vcpu *from)
{
    const struct region *r = fr->region;

    host_store(fr->host + (pa - fr->base), val, size);
    ram_mark_written(r->ram, r->ram_offset + (pa - r->base), size, from);
}

static void write_to(struct machine *m, const struct flat_range *fr, uint64_t pa, uint64_t val,
                     unsigned size, struct vcpu *from)
{
    if (!range_holds(fr, pa, size)) {
        for (unsigned i = 0; size > 1 && i < size; i++) {
            aspace_write_locked(m, pa + i, val >> (8 * i), 1, from);
        }
        return;
    }
    if (fr->host) {
        ram_store(fr, pa, val, size, from);
    } else if (fr->region->kind == REGION_MMIO) {
        mmio_write(fr->region, pa - fr->region->base, val, size);
    }
}

void aspace_write_locked(struct machine *m, uint64_t pa, uint64_t val, unsigned size,
                         struct vcpu *from)
{
    write_to(m, aspace_find(m, pa, ACCESS_WRITE), pa, val, size, from);
}

/* One access is one row, of its first address, however it is split; of memory behind a device only
 * pages are told apart. */
static struct exits_row *mmio_row(struct vcpu *v, const struct flat_range *fr, uint64_t pa)
{
    const struct region *r = fr ? fr->region : NULL;

    if (!r || r->kind != REGION_MMIO) {
        return exits_row(&v->exits, &v->m->exits.nobody[1], pa & ~PAGE_OFFSET_MASK);
    }
    return exits_row(&v->exits, &r->dev->exits[1], r->ops->passive ? pa & ~PAGE_OFFSET_MASK : pa);
}

uint64_t aspace_read_held(struct vcpu *v, uint64_t pa, unsigned size)
{
    const struct flat_range *fr = aspace_find(v->m, pa, ACCESS_READ);
    struct exits_row *row = mmio_row(v, fr, pa);
    uint64_t start = exits_begin(&v->exits, row);
    uint64_t val = read_from(v->m, fr, pa, size);

    exits_end(&v->exits, row, EXITS_MMIO, false, start);
    return val;
}

void aspace_write_held(struct vcpu *v, uint64_t pa, uint64_t val, unsigned size)
{
    const struct flat_range *fr = aspace_find(v->m, pa, ACCESS_WRITE);
    struct exits_row *row = mmio_row(v, fr, pa);
    uint64_t start = exits_begin(&v->exits, row);

    write_to(v->m, fr, pa, val, size, v);
    exits_end(&v->exits, row, EXITS_MMIO, true, start);
}

uint64_t aspace_read(struct vcpu *v, uint64_t pa, unsigned size)
{
    const struct flat_range *fr = aspace_find(v->m, pa, ACCESS_READ);
    uint64_t val;

    if (range_holds(fr, pa, size) && fr->host) {
        return host_load(fr->host + (pa - fr->base), size);
    }
    machine_lock_vcpu(v);
    val = aspace_read_held(v, pa, size);
    machine_unlock_vcpu(v);
    return val;
}

void aspace_write(struct vcpu *v, uint64_t pa, uint64_t val, unsigned size)
{
    const struct flat_range *fr = aspace_find(v->m, pa, ACCESS_WRITE);

    if (range_holds(fr, pa, size) && fr->host) {
        ram_store(fr, pa, val, size, v);
        return;
    }
    machine_lock_vcpu(v);
    aspace_write_held(v, pa, val, size);
    machine_unlock_vcpu(v);
}

size_t aspace_peek(struct machine *m, uint64_t pa, void *buf, size_t len)
{
    uint8_t *to = buf;
    size_t done = 0;

    while (done < len) {
        const struct flat_range *fr = aspace_find(m, pa + done, ACCESS_READ);

        if (!fr || !fr->host) {
            break;
        }
        uint64_t at = pa + done - fr->base;
        size_t n = (size_t)MIN(len - done, fr->size - at);

        memcpy(to + done, fr->host + at, n);
        done += n;
    }
    return done;
}

/* DMA --------------------------------------------------------------------------------------- */

static bool dma_missed(struct machine *m, const char *what, uint64_t pa, uint64_t len)
{
    m->dma_errors++;
    if ((m->trace_mask & TR_GUEST) && m->dma_errors <= 20) {
        trace_write(m, "dma", TR_GUEST, "%s of %llu bytes at %#llx reaches no memory", what,
                    (unsigned long long)len, (unsigned long long)pa);
    }
    return false;
}

/* How many of `len` bytes at pa one piece of the view (or one hole between pieces) answers for. */
static size_t dma_span(struct machine *m, const struct flat_range *fr, unsigned access, uint64_t pa,
                       size_t len)
{
    unsigned which = access == ACCESS_WRITE;
    uint64_t end = UINT64_MAX;

    if (fr) {
        return (size_t)MIN((uint64_t)len, fr->size - (pa - fr->base));
    }
    for (unsigned i = 0; i < m->view_len[which]; i++) {
        if (m->view[which][i].base > pa) {
            end = m->view[which][i].base;
            break;
        }
    }
    return (size_t)MIN((uint64_t)len, end - pa);
}

bool dma_read(struct machine *m, uint64_t pa, void *buf, size_t len)
{
    uint8_t *to = buf;
    bool good = true;

    while (len) {
        const struct flat_range *fr = aspace_find(m, pa, ACCESS_READ);
        size_t n = MAX(dma_span(m, fr, ACCESS_READ, pa, len), 1);

        if (fr && fr->host) {
            memcpy(to, fr->host + (pa - fr->base), n);
        } else if (fr && fr->region->ops->passive) {
            n = MIN(n, 8 - (pa & 7));
            n = n == 8 ? 8 : 1;
            host_store(to, mmio_read(fr->region, pa - fr->region->base, (unsigned)n), (unsigned)n);
        } else {
            memset(to, 0xff, n);
            good = dma_missed(m, "read", pa, n);
        }
        to += n;
        pa += n;
        len -= n;
    }
    return good;
}

bool dma_write(struct machine *m, uint64_t pa, const void *buf, size_t len)
{
    const uint8_t *from = buf;
    bool good = true;

    while (len) {
        const struct flat_range *fr = aspace_find(m, pa, ACCESS_WRITE);
        size_t n = MAX(dma_span(m, fr, ACCESS_WRITE, pa, len), 1);

        if (fr && fr->host) {
            const struct region *r = fr->region;

            memcpy(fr->host + (pa - fr->base), from, n);
            ram_mark_written(r->ram, r->ram_offset + (pa - r->base), n, NULL);
        } else if (fr && fr->region->kind == REGION_MMIO && fr->region->ops->passive) {
            n = MIN(n, 8 - (pa & 7));
            n = n == 8 ? 8 : 1;
            mmio_write(fr->region, pa - fr->region->base, host_load(from, (unsigned)n),
                       (unsigned)n);
        } else if (fr && fr->region->ops && fr->region->ops->message && n >= 4 && !(pa & 3)) {
            n = 4;
            fr->region->ops->message(fr->region->dev, pa, ld_le32(from));
        } else {
            good = dma_missed(m, "write", pa, n);
        }
        from += n;
        pa += n;
        len -= n;
    }
    return good;
}

/* The rest ---------------------------------------------------------------------------------- */

void aspace_print(struct machine *m, GString *out)
{
    for (unsigned which = 0; which < 2; which++) {
        g_string_append_printf(out, "%s:\n", which ? "writes" : "reads");
        for (unsigned i = 0; i < m->view_len[which]; i++) {
            const struct flat_range *fr = &m->view[which][i];
            const struct region *r = fr->region;

            g_string_append_printf(out, "  %012llx-%012llx %s %s", (unsigned long long)fr->base,
                                   (unsigned long long)(fr->base + fr->size - 1),
                                   r->kind == REGION_MMIO ? "mmio"
                                   : r->ram->readonly     ? "rom "
                                                          : "ram ",
                                   r->name);
            if (r->kind == REGION_RAM) {
                g_string_append_printf(out, " (%s+%#llx)", r->ram->name,
                                       (unsigned long long)(r->ram_offset + (fr->base - r->base)));
            }
            g_string_append_c(out, '\n');
        }
    }
}

void aspace_init(struct machine *m)
{
    m->rams = g_ptr_array_new_with_free_func(ram_free);
    m->regions = g_ptr_array_new();
    code_init(m);
    atomic_store(&m->a20_mask, ~0ull);
}

void aspace_fini(struct machine *m)
{
    g_clear_pointer(&m->view[0], g_free);
    g_clear_pointer(&m->view[1], g_free);
    m->view_len[0] = m->view_len[1] = 0;
    g_clear_pointer(&m->regions, g_ptr_array_unref);
    g_clear_pointer(&m->rams, g_ptr_array_unref);
    code_fini(m);
}
