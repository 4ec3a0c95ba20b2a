/*
 * Views: see view.h.  What is mapped stands in a table, by guest page.  After a flush the guest's
 * page tables are asked again for all of it, the next time the view is used: what has stayed the
 * same can stay.
 *
 * Follows: Intel SDM volume 3, 4.10.4 (what invalidations must do).
 *
 * Not modelled: see view.h.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "cpu/view.h"
#include "cpu/sys.h"
#include <inttypes.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#ifndef MAP_FIXED_NOREPLACE /* Linux 4.17 */
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef HWCAP2_FSGSBASE /* Linux 5.9 */
#define HWCAP2_FSGSBASE (1 << 1)
#endif

/* Pages in a view; and mappings that are left for all else in the process (most_pages). */
enum { PAGES_MAX = 1 << 15, HASH_SIZE = 2 * PAGES_MAX, OTHER_MAPPINGS = 4096 };
/* Pages mapped for one fault. */
enum { AROUND = 16 };
/*
 * A page that is mapped costs as much as some thousand instructions, and again when it goes.  So
 * there are to be no more of them than one in so many instructions, but for so many at once.
 */
enum { FILL_INSNS = 60000, FILLS_AT_ONCE = 4096 };
/* Samples after which a context is worth a view; those of others after which its owner loses it. */
enum { SAMPLES_MIN = 3, IDLE_MAX = 12 };
/* Blocks with a stack pointer elsewhere after which the owner has no use for it. */
enum { FAR_SPS_MAX = 1000 };

struct view_page {
    uint64_t la;
    uint32_t ram_page; /* of view.ram */
    uint32_t next;     /* in the hash, or of unused ones: number + 1; 0: none */
    bool used, writable;
};

struct view {
    uint8_t *low_room;
    uint64_t low;           /* host address of guest address 0 */
    uint64_t gs;            /* what the host's GS leads to */
    const struct ram *ram;  /* whose pages are mapped: the first that any is of */
    uint64_t *writable;     /* pages of it that are mapped for writes: a bit each */
    struct view_page *page; /* PAGES_MAX */
    uint32_t *hash;         /* number + 1 */
    uint32_t top, unused, count, most;
    const struct mmu_ctx *owner;
    bool eager;       /* taken by whoever can (tests) */
    bool shared;      /* the room for high addresses has others' memory in it (tests) */
    bool dead;        /* the host does not let it go on */
    bool stale;       /* the tables are to be asked again before it is used */
    unsigned idle;    /* samples since one of the owner */
    unsigned far_sps; /* blocks that could not be run by it */
    unsigned fills_left;
    uint64_t fills_at; /* icount as fills_left was worked out */
    uint64_t wanted;   /* a page that was not there | 1, | 2: for a store; 0: none */
    struct view_stats stats;
};

/* ---- room ---- */

static const size_t high_bytes = VIEW_HOST_END - VIEW_HOST_LO;
static const size_t low_bytes = VIEW_LOW_END + 2 * VIEW_GUARD;

static uint8_t *high_room(void)
{
    return (uint8_t *)(uintptr_t)VIEW_HOST_LO;
}

/* Pages that nobody can reach; over what is there with MAP_FIXED. */
static void *reserve(void *at, size_t bytes, int how)
{
    void *p = mmap(at, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | how, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

/*
 * For tests, whose harness has memory of its own in the midst of it: what is around that, or has
 * been reserved before.  (Tests know what their guests do.)
 */
static bool reserve_around(void)
{
    g_autofree char *maps = NULL;
    uintptr_t at = VIEW_HOST_LO, from, to;
    char rights[5];

    if (!g_file_get_contents("/proc/self/maps", &maps, NULL, NULL)) {
        return false;
    }
    for (const char *line = maps; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s", &from, &to, rights) == 3 &&
            from < VIEW_HOST_END && strcmp(rights, "---p")) {
            if (from > at && !reserve((void *)at, from - at, MAP_FIXED)) {
                return false;
            }
            at = to;
        }
    }
    return at < VIEW_HOST_END && reserve((void *)at, VIEW_HOST_END - at, MAP_FIXED);
}

static bool reserve_high(struct view *v)
{
    uint8_t *at = reserve(high_room(), high_bytes, MAP_FIXED_NOREPLACE);

    if (at && at != high_room()) { /* a host that does not know the flag */
        munmap(at, high_bytes);
        return false;
    }
    v->shared = !at && v->eager && reserve_around();
    return at || v->shared;
}

static bool reserve_all(struct view *v)
{
    if (!reserve_high(v)) {
        return false;
    }
    v->low_room = reserve(NULL, low_bytes, 0);
    v->low = (uintptr_t)v->low_room + VIEW_GUARD;
    if (!v->low_room && !v->shared) {
        munmap(high_room(), high_bytes);
    }
    return v->low_room;
}

/* Pages that the view may have: one that stands alone is a mapping, and makes another of the room
 * around it.  A process that has all that the host allows can map nothing, nor unmap. */
static uint32_t most_pages(void)
{
    g_autofree char *text = NULL;
    uint64_t allowed = 65530;

    if (g_file_get_contents("/proc/sys/vm/max_map_count", &text, NULL, NULL)) {
        allowed = g_ascii_strtoull(text, NULL, 10);
    }
    uint64_t most = allowed > OTHER_MAPPINGS ? (allowed - OTHER_MAPPINGS) / 2 : 0;
    return (uint32_t)CLAMP(most, 2 * AROUND, PAGES_MAX);
}

/* ---- addresses ---- */

uint64_t view_low(const struct view *v)
{
    return v->low;
}

void view_use_thread(const struct view *v)
{
    __asm__ volatile("wrgsbase %0" ::"r"(v->gs));
}

static uint64_t host_of(const struct view *v, uint64_t la)
{
    return la < VIEW_LOW_END ? v->low + la : la + VIEW_HIGH_BY;
}

/* False: no view has a page there. */
static bool guest_of(const struct view *v, uint64_t at, uint64_t *la)
{
    if (at - v->low < VIEW_LOW_END) {
        *la = at - v->low;
        return true;
    }
    *la = at - VIEW_HIGH_BY;
    return *la >= VIEW_HIGH && *la <= VIEW_HIGH_MAX;
}

bool view_has(const struct view *v, uint64_t at)
{
    uint64_t la;

    return v && guest_of(v, at, &la);
}

/* ---- the table ---- */

static uint32_t *hash_slot(struct view *v, uint64_t la)
{
    return &v->hash[(la >> PAGE_SHIFT) * 0x9e3779b97f4a7c15ull >> 40 & (HASH_SIZE - 1)];
}

static struct view_page *page_find(struct view *v, uint64_t la)
{
    uint32_t n = *hash_slot(v, la);

    while (n && v->page[n - 1].la != la) {
        n = v->page[n - 1].next;
    }
    return n ? &v->page[n - 1] : NULL;
}

/* A new one; there is room. */
static struct view_page *page_add(struct view *v, uint64_t la)
{
    uint32_t *slot = hash_slot(v, la), n = v->unused;

    if (n) {
        v->unused = v->page[n - 1].next;
    } else {
        n = ++v->top;
    }
    struct view_page *p = &v->page[n - 1];
    *p = (struct view_page){.la = la, .next = *slot, .used = true};
    *slot = n;
    v->count++;
    return p;
}

static void page_remove(struct view *v, struct view_page *p)
{
    uint32_t n = (uint32_t)(p - v->page) + 1, *link = hash_slot(v, p->la);

    while (*link != n) {
        link = &v->page[*link - 1].next;
    }
    *link = p->next;
    p->used = false;
    p->next = v->unused;
    v->unused = n;
    v->count--;
}

static void table_clear(struct view *v)
{
    memset(v->hash, 0, HASH_SIZE * sizeof *v->hash);
    v->top = v->unused = v->count = 0;
}

/* ---- mapping ---- */

static size_t writable_bytes(const struct view *v)
{
    return (v->ram->size / PAGE_BYTES / 64 + 1) * sizeof *v->writable;
}

static bool unmap(const struct view *v, uint64_t la, uint64_t bytes)
{
    return reserve((void *)(uintptr_t)host_of(v, la), bytes, MAP_FIXED);
}

static bool unmap_all(const struct view *v)
{
    bool good = true;

    for (uint32_t n = 0; v->shared && n < v->top; n++) {
        good &= !v->page[n].used || unmap(v, v->page[n].la, PAGE_BYTES);
    }
    return good && (v->shared || (reserve(high_room(), high_bytes, MAP_FIXED) &&
                                  reserve(v->low_room, low_bytes, MAP_FIXED)));
}

static void drop_all(struct view *v)
{
    if (v->count) {
        v->dead |= !unmap_all(v);
        table_clear(v);
        memset(v->writable, 0, writable_bytes(v));
        v->stats.drops++;
    }
    v->stale = false;
    v->wanted = 0;
}

/* Pages that are not in the table any more.  It makes two mappings of one, of which the host allows
 * so many. */
static void drop_removed(struct view *v, uint64_t la, uint64_t bytes)
{
    if (!unmap(v, la, bytes)) {
        drop_all(v);
    }
}

static void drop(struct view *v, struct view_page *p)
{
    uint64_t la = p->la;

    page_remove(v, p);
    drop_removed(v, la, PAGE_BYTES);
}

static bool is_mappable(struct view *v, const struct ram *ram)
{
    if (ram->fd < 0 || ram->readonly || ram->log_dirty) {
        return false;
    }
    if (!v->ram) {
        v->ram = ram;
        v->writable = g_malloc0(writable_bytes(v));
    }
    return ram == v->ram;
}

static void page_set(struct view *v, uint64_t la, const struct view_entry *e)
{
    struct view_page *p = page_find(v, la);

    p = p ? p : page_add(v, la);
    p->ram_page = (uint32_t)e->ram_page;
    p->writable = e->writable;
    if (e->writable) {
        v->writable[e->ram_page >> 6] |= BIT64(e->ram_page & 63);
    }
}

/* May page n behind `la`, mapped as `first` says, be mapped together with it? */
static bool goes_with(struct cpu *c, struct view *v, uint64_t la, unsigned n,
                      const struct view_entry *first)
{
    uint64_t next = la + n * PAGE_BYTES;
    struct view_entry e;

    return n < AROUND && next != VIEW_NARROW_END &&
           host_of(v, next) == host_of(v, la) + n * PAGE_BYTES && !page_find(v, next) &&
           mmu_view_peek(c, next, first->writable, &e) && e.ram == first->ram &&
           e.ram_page == first->ram_page + n && e.writable == first->writable;
}

static void map_run(struct cpu *c, struct view *v, uint64_t la, const struct view_entry *first)
{
    struct view_entry e = *first;
    unsigned n = 0;

    do {
        page_set(v, la + n * PAGE_BYTES, &e);
        n++;
        e.ram_page++;
    } while (goes_with(c, v, la, n, first));
    void *at =
        mmap((void *)(uintptr_t)host_of(v, la), n * PAGE_BYTES,
             PROT_READ | (first->writable ? PROT_WRITE : 0), MAP_SHARED | MAP_FIXED | MAP_POPULATE,
             v->ram->fd, (off_t)(first->ram_page << PAGE_SHIFT));
    if (at == MAP_FAILED) { /* and what was there may be gone too */
        drop_all(v);
    }
}

/* ---- faults ---- */

static bool may_fill(struct cpu *c, struct view *v)
{
    uint64_t now = c->icount - (uint64_t)(int64_t)c->left, more = (now - v->fills_at) / FILL_INSNS;

    if (more) {
        v->fills_left = (unsigned)MIN(v->fills_left + more, FILLS_AT_ONCE);
        v->fills_at = now;
    }
    if (!v->fills_left) {
        v->stats.denied++;
        return false;
    }
    v->fills_left--;
    return true;
}

/* Map the page at la, which is as e says, if that can be. */
static bool fill_page(struct cpu *c, struct view *v, uint64_t la, const struct view_entry *e)
{
    if (la == VIEW_NARROW_END || !is_mappable(v, e->ram) || !may_fill(c, v)) {
        return false;
    }
    if (v->count > v->most - AROUND) {
        drop_all(v);
    }
    v->stats.fills++;
    map_run(c, v, la, e);
    return true;
}

bool view_fill(struct cpu *c, uint64_t at, bool write)
{
    struct view *v = c->view;
    struct view_entry e;
    uint64_t la;

    if (!v || !(c->mode & MODE_VIEW) || !guest_of(v, at, &la)) {
        return false;
    }
    la &= ~PAGE_OFFSET_MASK;
    if (!mmu_view_walk(c, la, write, &e)) {
        v->wanted = la | 1 | (write ? 2 : 0);
        return false;
    }
    return fill_page(c, v, la, &e);
}

/* What was not there when it was wanted, and whose fault the guest has served since. */
static void fill_wanted(struct cpu *c, struct view *v)
{
    uint64_t la = v->wanted & ~PAGE_OFFSET_MASK;
    struct view_entry e;

    if (mmu_view_peek(c, la, true, &e) && (e.writable || !(v->wanted & 2))) {
        fill_page(c, v, la, &e);
    }
    v->wanted = 0;
}

/* ---- whose it is ---- */

/* Is the page as it would be mapped now? */
static bool is_right(struct cpu *c, const struct view *v, const struct view_page *p)
{
    struct view_entry e;

    return mmu_view_peek(c, p->la, p->writable, &e) && e.ram == v->ram &&
           e.ram_page == p->ram_page && e.writable == p->writable;
}

/* Page p, and those behind it that have to go too. */
static void drop_run(struct cpu *c, struct view *v, struct view_page *p)
{
    uint64_t la = p->la, bytes = 0;

    do {
        page_remove(v, p);
        bytes += PAGE_BYTES;
        p = la + bytes == VIEW_LOW_END ? NULL : page_find(v, la + bytes);
    } while (p && !is_right(c, v, p));
    drop_removed(v, la, bytes);
}

/* What the guest's tables say otherwise now goes. */
static void look_again(struct cpu *c, struct view *v)
{
    v->stale = false;
    v->stats.flushes++;
    for (uint32_t n = 0; n < v->top; n++) {
        struct view_page *p = &v->page[n];

        if (p->used && !is_right(c, v, p)) {
            drop_run(c, v, p);
        }
    }
}

static void take(struct view *v, const struct mmu_ctx *x)
{
    if (v->owner != x && !x->no_view) {
        drop_all(v);
        v->owner = x;
        v->idle = v->far_sps = 0;
        v->stats.taken++;
    }
}

static void give_up(struct view *v)
{
    drop_all(v);
    v->owner = NULL;
}

/* 64-bit code, or 32-bit code without segments. */
static bool can_have(const struct cpu *c)
{
    enum { NARROW = MODE_FLAT | MODE_STACK32 };

    return cpu_is_64(c) || ((c->mode & MODE_CODE) == MODE_CODE32 && (c->mode & NARROW) == NARROW);
}

static bool fits(const struct cpu *c, const struct view *v)
{
    return v->owner == mmu_now(c) && !v->dead && c->cpl == 3 && can_have(c) &&
           c->tlb_class == TLB_USER;
}

/* Where the host's GS leads. */
static void lead_gs(struct view *v, uint64_t to)
{
    if (v->gs != to) {
        v->gs = to;
        view_use_thread(v);
    }
}

void view_update_mode(struct cpu *c)
{
    struct view *v = c->view;

    c->sp_max = UINT64_MAX;
    if (!v || c->cpl != 3) {
        return;
    }
    if (v->eager && can_have(c)) {
        take(v, mmu_now(c));
    }
    if (fits(c, v)) {
        if (v->stale) {
            look_again(c, v);
        }
        if (v->wanted) {
            fill_wanted(c, v);
        }
        c->mode |= MODE_VIEW;
        if (cpu_is_64(c)) {
            c->sp_max = VIEW_HIGH_MAX;
        }
        lead_gs(v, cpu_is_64(c) ? VIEW_HIGH_BY : v->low);
        c->r15 = (void *)(uintptr_t)v->low;
    }
}

void view_sample(struct cpu *c)
{
    struct view *v = c->view;
    struct mmu_ctx *x = mmu_now(c);

    if (x != v->owner) {
        v->idle++;
        if (!x->no_view && ++x->samples >= SAMPLES_MIN && (!v->owner || v->idle > IDLE_MAX)) {
            take(v, x);
        }
        return;
    }
    v->idle = 0;
    if (v->far_sps > FAR_SPS_MAX) {
        x->no_view = true;
        v->stats.refused++;
        give_up(v);
    }
}

void view_far_sp(struct cpu *c)
{
    c->view->far_sps++;
}

/* ---- what TLBs are told ---- */

void view_drop_page(struct cpu *c, const struct mmu_ctx *x, uint64_t la)
{
    struct view *v = c->view;
    struct view_page *p =
        v && v->owner == x && v->count ? page_find(v, la & ~PAGE_OFFSET_MASK) : NULL;

    if (p) {
        drop(v, p);
    }
}

void view_flush(struct cpu *c, const struct mmu_ctx *x)
{
    if (c->view && c->view->owner == x) {
        c->view->stale = true;
    }
}

void view_forget(struct cpu *c, const struct mmu_ctx *x)
{
    if (c->view && c->view->owner == x) {
        give_up(c->view);
    }
}

static void protect(struct view *v, struct view_page *p)
{
    if (mprotect((void *)(uintptr_t)host_of(v, p->la), PAGE_BYTES, PROT_READ)) {
        drop(v, p);
    }
    p->writable = false;
}

void view_write_protect(struct cpu *c, const uint8_t *host)
{
    struct view *v = c->view;

    if (!v || !v->ram) {
        return;
    }
    uint64_t off = (uint64_t)(host - v->ram->host), page = off >> PAGE_SHIFT;
    if (off >= v->ram->size || !(v->writable[page >> 6] >> (page & 63) & 1)) {
        return;
    }
    v->writable[page >> 6] &= ~BIT64(page & 63);
    for (uint32_t n = 0; n < v->top; n++) {
        if (v->page[n].used && v->page[n].writable && v->page[n].ram_page == page) {
            protect(v, &v->page[n]);
        }
    }
}

void view_write_protect_all(struct cpu *c)
{
    struct view *v = c->view;

    for (uint32_t n = 0; v && n < v->top; n++) {
        if (v->page[n].used && v->page[n].writable) {
            protect(v, &v->page[n]);
        }
    }
}

/* ---- life ---- */

static const char *why_not(const struct cpu *c)
{
    return c->v->m->ncpus > 1                          ? "several processors"
           : !(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) ? "the host has no WRGSBASE"
                                                       : NULL;
}

static void set_slots(struct cpu *c, const struct view *v)
{
    static_assert(ARRAY_LEN(c->view_slots) == VIEW_SLOTS, "as compiled code looks them up");
    for (uint64_t n = 0; n < VIEW_SLOTS; n++) {
        bool high = n << VIEW_SLOT_SHIFT >= VIEW_HIGH - VIEW_HOST_LO;

        c->view_slots[n] = n == 0 ? v->low : high ? VIEW_HIGH_BY : VIEW_NOWHERE;
    }
    c->slot_max = VIEW_SLOTS - 1;
    c->low_max = VIEW_LOW_END - 1;
    c->high_max = VIEW_HIGH_MAX;
}

struct view *view_new(struct cpu *c)
{
    c->no_view = why_not(c);
    if (c->no_view) {
        return NULL;
    }
    struct view *v = g_new0(struct view, 1);
    v->eager = c->v->m->config.jit_hot == 1;
    if (!reserve_all(v)) {
        c->no_view = "the addresses for it are in use";
        g_free(v);
        return NULL;
    }
    v->fills_left = FILLS_AT_ONCE;
    v->gs = VIEW_HIGH_BY;
    v->hash = g_new0(uint32_t, HASH_SIZE);
    v->most = most_pages();
    v->page = g_new0(struct view_page, PAGES_MAX);
    set_slots(c, v);
    return v;
}

/* Where there are others' pages the empty room stays; it is a test's. */
void view_free(struct view *v)
{
    if (v) {
        (void)unmap_all(v);
        if (!v->shared) {
            munmap(high_room(), high_bytes);
        }
        munmap(v->low_room, low_bytes);
        g_free(v->hash);
        g_free(v->page);
        g_free(v->writable);
        g_free(v);
    }
}

void view_get_stats(const struct view *v, struct view_stats *out)
{
    *out = v->stats;
    out->pages = v->count;
}
