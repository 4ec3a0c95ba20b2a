/*
 * Paging and the software TLB: walks and fills (flushes and PCID contexts: mmu_ctx.c).
 *
 * Follows: Intel SDM volume 3, chapter 4.  Accessed and dirty bits are set atomically, once the
 * walk is known to succeed.
 *
 * Not modelled: 5-level paging, protection keys, paging-structure caches (every fill walks), memory
 * types.
 */
#include "cpu/sys.h"

enum {
    PTE_P = BIT(0),
    PTE_W = BIT(1),
    PTE_U = BIT(2),
    PTE_A = BIT(5),
    PTE_D = BIT(6),
    PTE_PS = BIT(7),
    PTE_G = BIT(8),
};
#define PTE_NX   BIT64(63)
#define PTE_ADDR 0x000ffffffffff000ull

enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };
enum {
    WALK_WRITE = 1,
    WALK_USER = 2,
    WALK_FETCH = 4,
    WALK_AC = 8 /* SMAP does not apply */,
    WALK_DEBUG = 16
};

struct walk {
    uint64_t la;
    unsigned access; /* WALK_* */
    /* results */
    uint64_t pa;
    uint32_t error; /* of the page fault */
    bool global, writable /* a store needs no further walk */;
    uint64_t size; /* of the page */
    /* the entries passed */
    unsigned count, width;
    uint64_t at[4], val[4];
    uint64_t rights; /* AND of the entries' U and W bits, OR of NX */
    bool nx;
};

/* ---- physical memory ---- */

/* Host address of `pa` for reads or writes, when that is RAM (writes: not ROM);
 * c->mmu->last[write].ram is its block. */
static uint8_t *mmu_host(struct cpu *c, uint64_t pa, bool write)
{
    struct mmu_range *r = &c->mmu->last[write];

    if (unlikely(pa - r->base >= r->size)) {
        const struct flat_range *f = aspace_find(c->v->m, pa, write ? ACCESS_WRITE : ACCESS_READ);

        if (!f || !f->host || (write && f->region->ram->readonly) ||
            (f->base | f->size) & PAGE_OFFSET_MASK) {
            return NULL; /* pieces of pages go the slow way */
        }
        *r = (struct mmu_range){
            .base = f->base, .size = f->size, .host = f->host, .ram = f->region->ram};
    }
    uint8_t *host = r->host + (pa - r->base);
    if (unlikely(write && c->watch)) {
        c->watch->store(c, r->ram, (uint64_t)(host - r->ram->host) >> PAGE_SHIFT);
    }
    return host;
}

/* A store of `len` bytes went to host address `host` of block `ram`, whose page asks to be told. */
static void mmu_note_store(struct cpu *c, struct ram *ram, const uint8_t *host, unsigned len)
{
    uint64_t off = (uint64_t)(host - ram->host);

    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* written before the flags are read: see code.h */
    uint8_t flags = __atomic_load_n(&ram->page_flags[off >> PAGE_SHIFT], __ATOMIC_RELAXED);
    if (flags & RAM_PAGE_CODE || (ram->log_dirty && !(flags & RAM_PAGE_DIRTY))) {
        ram_mark_written(ram, off, len, c->v);
    }
    if (flags & RAM_PAGE_CODE && c->code_written) {
        c->code_written(c, ram, off, len);
    }
}

uint64_t mmu_phys_load(struct cpu *c, uint64_t pa, unsigned size)
{
    const uint8_t *host = mmu_host(c, pa, false);
    uint64_t v[2] = {0};

    if (!host) {
        cpu_outside(c, OUTSIDE_DEVICE);
        return c->bus_held ? aspace_read_held(c->v, pa, size) : aspace_read(c->v, pa, size);
    }
    mem_move(v, host, size);
    return v[0];
}

void mmu_phys_store(struct cpu *c, uint64_t pa, uint64_t val, unsigned size)
{
    if (mmu_phys_write(c, pa, &val, size)) {
        return;
    }
    cpu_outside(c, OUTSIDE_DEVICE);
    if (c->bus_held) {
        aspace_write_held(c->v, pa, val, size);
    } else {
        aspace_write(c->v, pa, val, size);
    }
}

bool mmu_phys_write(struct cpu *c, uint64_t pa, const void *buf, unsigned len)
{
    uint8_t *host = mmu_host(c, pa, true);

    if (host) {
        mem_move(host, buf, len);
        mmu_note_store(c, c->mmu->last[1].ram, host, len);
    }
    return host;
}

/* A table entry.  A debugger's walk asks no device: what is not in memory is no entry. */
static uint64_t entry_load(struct cpu *c, uint64_t pa, unsigned width, unsigned access)
{
    const uint8_t *host = mmu_host(c, pa, false);

    if (unlikely(!host)) {
        if (access & WALK_DEBUG) {
            return 0;
        }
        cpu_outside(c, OUTSIDE_DEVICE);
        return aspace_read(c->v, pa, width);
    }
    return width == 8 ? __atomic_load_n((const uint64_t *)(const void *)host, __ATOMIC_RELAXED)
                      : __atomic_load_n((const uint32_t *)(const void *)host, __ATOMIC_RELAXED);
}

/* Replace a table entry; false: it changed meanwhile. */
static bool entry_update(struct cpu *c, uint64_t pa, uint64_t old, uint64_t new, unsigned width)
{
    uint8_t *host = mmu_host(c, pa, true);
    bool ok;

    /* Page tables in ROM or in a device's memory, or read from ROM and written to RAM behind it:
     * best effort.  Waiting for the entry to read back would never end. */
    if (unlikely(!host || host != mmu_host(c, pa, false))) {
        mmu_phys_store(c, pa, new, width);
        return true;
    }
    if (width == 8) {
        ok = __atomic_compare_exchange_n((uint64_t *)(void *)host, &old, new, false,
                                         __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    } else {
        uint32_t old32 = (uint32_t)old;

        ok = __atomic_compare_exchange_n((uint32_t *)(void *)host, &old32, (uint32_t) new, false,
                                         __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    }
    if (ok) {
        mmu_note_store(c, c->mmu->last[1].ram, host, width);
        if (unlikely(c->watch)) {
            c->watch->marked(c, host, old, new, width);
        }
    }
    return ok;
}

/* ---- walks ---- */

/* The error code but for P and RSVD. */
static uint32_t walk_error(const struct cpu *c, const struct walk *w)
{
    bool id = (c->efer & EFER_NXE && c->cr4 & CR4_PAE) || c->cr4 & CR4_SMEP;

    return (w->access & WALK_WRITE ? PF_W : 0) | (w->access & WALK_USER ? PF_U : 0) |
           (w->access & WALK_FETCH && id ? PF_I : 0);
}

static bool walk_fail(const struct cpu *c, struct walk *w, uint32_t why)
{
    w->error = walk_error(c, w) | why;
    return false;
}

static void walk_note(struct walk *w, uint64_t at, uint64_t val)
{
    w->at[w->count] = at;
    w->val[w->count++] = val;
    w->rights &= val;
    w->nx |= val >> 63;
}

/* PAE and 4-level tables: 8-byte entries. */
static bool walk_tables64(struct cpu *c, struct walk *w)
{
    bool is_long = cpu_is_long(c);
    uint64_t reserved = (c->phys_mask ^ (is_long ? 0x000fffffffffffffull : 0x7fffffffffffffffull)) &
                        ~PAGE_OFFSET_MASK;
    uint64_t table = is_long ? c->cr3 : c->pdpte[w->la >> 30 & 3];
    unsigned level = is_long ? 4 : 2;

    reserved |= c->efer & EFER_NXE ? 0 : PTE_NX;
    w->width = 8;
    if (!is_long && !(table & PTE_P)) {
        return walk_fail(c, w, 0);
    }
    for (;; level--) {
        unsigned shift = PAGE_SHIFT + 9 * (level - 1);
        uint64_t at =
            ((table & PTE_ADDR & c->phys_mask) | (w->la >> shift & 511) << 3) & c->a20_mask;
        uint64_t e = entry_load(c, at, 8, w->access);

        if (!(e & PTE_P)) {
            return walk_fail(c, w, 0);
        }
        bool leaf = level == 1 || e & PTE_PS;
        uint64_t low = leaf && level > 1 ? (BIT64(shift) - 1) & ~(uint64_t)0x1fff : 0;
        if (e & (reserved | low) ||
            (leaf && (level == 4 || (level == 3 && !cpu_has(c, FEAT_PDPE1GB))))) {
            return walk_fail(c, w, PF_P | PF_RSVD);
        }
        walk_note(w, at, e);
        if (leaf) {
            w->size = BIT64(shift);
            w->pa = (e & PTE_ADDR & ~(w->size - 1)) | (w->la & (w->size - 1));
            return true;
        }
        table = e;
    }
}

/* Two-level tables: 4-byte entries, 4 MiB pages by CR4.PSE. */
static bool walk_tables32(struct cpu *c, struct walk *w)
{
    uint64_t at = ((c->cr3 & 0xfffff000) | (w->la >> 22 & 1023) << 2) & c->a20_mask;
    uint32_t e = (uint32_t)entry_load(c, at, 4, w->access);

    w->width = 4;
    if (!(e & PTE_P)) {
        return walk_fail(c, w, 0);
    }
    if (e & PTE_PS && c->cr4 & CR4_PSE) {
        bool pse36 = cpu_has(c, FEAT_PSE36);
        uint64_t high = pse36 ? (uint64_t)(e >> 13 & 0xff) << 32 : 0;

        if (e & (pse36 ? BIT(21) : 0x3fe000u) || high & ~c->phys_mask) {
            return walk_fail(c, w, PF_P | PF_RSVD);
        }
        walk_note(w, at, e);
        w->size = 4 * MiB;
        w->pa = (e & 0xffc00000) | high | (w->la & 0x3fffff);
        return true;
    }
    walk_note(w, at, e);
    at = ((e & 0xfffff000) | (w->la >> 12 & 1023) << 2) & c->a20_mask;
    e = (uint32_t)entry_load(c, at, 4, w->access);
    if (!(e & PTE_P)) {
        return walk_fail(c, w, 0);
    }
    walk_note(w, at, e);
    w->size = PAGE_BYTES;
    w->pa = (e & 0xfffff000) | (w->la & PAGE_OFFSET_MASK);
    return true;
}

/* Access rights (SDM vol. 3, 4.6). */
static bool walk_permitted(const struct cpu *c, const struct walk *w)
{
    bool user_page = w->rights & PTE_U, writable = w->rights & PTE_W;

    if (w->access & WALK_USER) {
        if (!user_page) {
            return false;
        }
    } else if (user_page) {
        if (w->access & WALK_FETCH ? c->cr4 & CR4_SMEP
                                   : (c->cr4 & CR4_SMAP && !(w->access & WALK_AC))) {
            return false;
        }
    }
    if (w->access & WALK_FETCH && w->nx) {
        return false;
    }
    return !(w->access & WALK_WRITE) || writable ||
           (!(w->access & WALK_USER) && !(c->cr0 & CR0_WP));
}

/* Set accessed and dirty bits; false: an entry changed under the walk. */
static bool walk_mark(struct cpu *c, struct walk *w)
{
    for (unsigned k = 0; k < w->count; k++) {
        uint64_t want = PTE_A | (k == w->count - 1 && w->access & WALK_WRITE ? PTE_D : 0);

        if ((w->val[k] & want) != want) {
            if (!entry_update(c, w->at[k], w->val[k], w->val[k] | want, w->width)) {
                return false;
            }
            w->val[k] |= want;
        }
    }
    return true;
}

/* Translate; false: page fault with w->error. */
static bool mmu_walk(struct cpu *c, struct walk *w)
{
    if (!(c->cr0 & CR0_PG)) {
        w->pa = w->la & c->phys_mask & c->a20_mask;
        w->size = PAGE_BYTES;
        w->writable = true;
        w->global = true; /* CR3 has no say: paging goes on with a full flush */
        return true;
    }
    do {
        w->count = 0;
        w->rights = ~0ull;
        w->nx = false;
        if (!(c->cr4 & CR4_PAE ? walk_tables64(c, w) : walk_tables32(c, w))) {
            return false;
        }
        if (w->access & WALK_DEBUG) {
            break;
        }
        if (!walk_permitted(c, w)) {
            return walk_fail(c, w, PF_P);
        }
    } while (!walk_mark(c, w));

    uint64_t leaf = w->val[w->count - 1];
    w->pa &= c->phys_mask & c->a20_mask;
    w->global = leaf & PTE_G && c->cr4 & CR4_PGE;
    struct walk store = *w;
    store.access |= WALK_WRITE;
    w->writable = leaf & PTE_D && walk_permitted(c, &store);
    return true;
}

/* The physical address of la for a read, whatever the rights; false: not mapped. */
static bool mmu_find(struct cpu *c, uint64_t la, uint64_t *pa)
{
    struct walk w = {.la = la, .access = WALK_DEBUG};

    if (cpu_is_long(c) && !cpu_is_canonical(la)) {
        return false;
    }
    if (!mmu_walk(c, &w)) {
        return false;
    }
    *pa = w.pa;
    return true;
}

unsigned mmu_peek(struct cpu *c, uint64_t la, void *buf, unsigned len)
{
    uint8_t *to = buf;
    unsigned done = 0;

    while (done < len) {
        uint64_t at = cpu_is_long(c) ? la + done : (uint32_t)(la + done), pa;
        unsigned want = MIN(len - done, PAGE_BYTES - (unsigned)(at & PAGE_OFFSET_MASK));

        if (!mmu_find(c, at, &pa)) {
            break;
        }
        unsigned got = (unsigned)aspace_peek(c->v->m, pa, to + done, want);
        done += got;
        if (got < want) {
            break;
        }
    }
    return done;
}

bool mmu_load_pdptes(struct cpu *c, uint64_t cr3)
{
    uint64_t reserved =
        ~(c->phys_mask & PTE_ADDR) & ~(uint64_t)0xe19; /* P, PWT, PCD, bits 9..11 may be set */
    uint64_t v[4];

    for (unsigned k = 0; k < 4; k++) {
        v[k] = entry_load(c, ((cr3 & 0xffffffe0) + 8 * k) & c->a20_mask, 8, 0);
        if (v[k] & PTE_P && v[k] & reserved) {
            return false;
        }
    }
    memcpy(c->pdpte, v, sizeof v);
    return true;
}

/* ---- filling ---- */

/* May stores go straight to the page at `host`?  `storing`: one is about to, so a clean page
 * becomes dirty now. */
static bool page_takes_stores(struct cpu *c, uint64_t pa, const uint8_t *host, bool storing)
{
    if (mmu_host(c, pa, true) != host) {
        return false;
    }
    struct ram *ram = c->mmu->last[1].ram;
    uint8_t *flags = &ram->page_flags[(uint64_t)(host - ram->host) >> PAGE_SHIFT];
    uint8_t now = __atomic_load_n(flags, __ATOMIC_ACQUIRE);

    if (now & RAM_PAGE_CODE) {
        return false;
    }
    if (c->writer_bit & ~now) { /* several vCPUs: who claims the page for code will ask */
        now = __atomic_fetch_or(flags, c->writer_bit, __ATOMIC_SEQ_CST);
        if (now & RAM_PAGE_CODE) {
            return false;
        }
    }
    if (ram->log_dirty && !(now & RAM_PAGE_DIRTY)) {
        if (storing) {
            __atomic_fetch_or(flags, RAM_PAGE_DIRTY, __ATOMIC_ACQ_REL);
        }
        return storing;
    }
    return true;
}

static void large_note(struct mmu_ctx *x, uint64_t la, uint64_t size)
{
    if (size > PAGE_BYTES) {
        filter_add(x->large_4m, FILTER_WORDS, la >> 22);
    }
    if (size == GiB) {
        filter_add(x->large_1g, FILTER_WORDS, la >> 30);
    }
}

static void tlb_list(struct tlb *t, unsigned slot, bool global)
{
    if (!(t->in_list[slot] & BIT(global))) {
        t->in_list[slot] |= BIT(global);
        t->filled[global][t->nfilled[global]++] = slot;
    }
}

/* Entry `from` into slot `to`. */
static void tlb_put(struct cpu *c, struct tlb *t, unsigned to, const struct tlb_entry *from)
{
    struct tlb_entry *e = &t->e[to];

    if (unlikely(c->watch)) {
        c->watch->tlb(c, e, sizeof *e);
    }
    *e = *from;
    if (e->tag_w != e->tag_r) {
        e->tag_w = TLB_NO_TAG(to);
    }
    if (e->tag_r != TLB_NO_TAG(to)) {
        tlb_list(t, to, e->pa & TLB_GLOBAL);
    }
}

/* What is in a page's own slot makes room for the page. */
static void tlb_make_room(struct cpu *c, struct tlb *t, unsigned slot, uint64_t page)
{
    const struct tlb_entry *e = &t->e[slot];

    if (e->tag_r != TLB_NO_TAG(slot) && e->tag_r != page) {
        tlb_put(c, t, tlb_other(slot), e);
    }
}

/* A page that had to make room changes places with what took its own; false: it is not there. */
static bool tlb_change_places(struct cpu *c, uint64_t page, unsigned cls)
{
    unsigned slot = tlb_own(page), other = tlb_other(slot);
    struct tlb *t = &c->tlbs[cls];
    struct tlb_entry own = t->e[slot], found = t->e[other];

    if (found.tag_r != page) {
        return false;
    }
    if (own.tag_r == TLB_NO_TAG(slot)) {
        own.tag_r = TLB_NO_TAG(other);
    }
    tlb_put(c, t, slot, &found);
    tlb_put(c, t, other, &own);
    return true;
}

static unsigned class_access(unsigned cls)
{
    return cls == TLB_USER ? WALK_USER : cls == TLB_KERNEL_AC ? WALK_AC : 0;
}

static struct mmu_ref mmu_fill(struct cpu *c, uint64_t la, unsigned cls, bool write)
{
    struct walk w = {.la = la, .access = class_access(cls) | (write ? WALK_WRITE : 0)};

    if (!mmu_walk(c, &w)) {
        cpu_raise_pf(c, la, w.error);
    }

    struct mmu_ctx *x = mmu_now(c);
    uint8_t *host = mmu_host(c, w.pa, false);
    if (!host) {
        return (struct mmu_ref){.pa = w.pa};
    }
    unsigned slot = tlb_own(la);
    struct tlb *t = &x->tlbs[cls];
    struct tlb_entry *e = &t->e[slot];
    uint64_t page = la & ~PAGE_OFFSET_MASK;
    tlb_make_room(c, t, slot, page);
    if (unlikely(c->watch)) {
        c->watch->tlb(c, e, sizeof *e);
    }
    bool direct =
        w.writable && (write || !c->watch) &&
        page_takes_stores(c, w.pa & ~PAGE_OFFSET_MASK, host - (la & PAGE_OFFSET_MASK), write);

    e->tag_r = page;
    e->tag_w = direct ? page : TLB_NO_TAG(slot);
    e->addend = (uint64_t)(uintptr_t)host - la;
    e->pa = (w.pa & ~PAGE_OFFSET_MASK) | (w.global ? TLB_GLOBAL : 0) |
            (w.writable ? TLB_WRITABLE : 0) | (w.size > PAGE_BYTES ? TLB_LARGE : 0);
    tlb_list(t, slot, w.global);
    large_note(x, la, w.size);
    return (struct mmu_ref){.host = !write || direct ? host : NULL, .pa = w.pa};
}

uint8_t *mmu_find_again(struct cpu *c, uint64_t la, bool write)
{
    const struct tlb_entry *found = &c->tlbs[c->tlb_class].e[tlb_other(tlb_own(la))];
    uint64_t page = la & ~PAGE_OFFSET_MASK;

    if ((write ? found->tag_w : found->tag_r) != page) {
        return NULL;
    }
    uint8_t *host = (uint8_t *)(uintptr_t)(la + found->addend);
    tlb_change_places(c, page, c->tlb_class);
    return host;
}

/* What the TLB knows of the page in its own slot. */
static bool tlb_find(struct cpu *c, uint64_t la, unsigned cls, bool write, struct mmu_ref *r)
{
    struct tlb_entry *e = &c->tlbs[cls].e[tlb_own(la)];
    uint64_t page = la & ~PAGE_OFFSET_MASK;

    if (likely((write ? e->tag_w : e->tag_r) == page)) {
        *r = (struct mmu_ref){.host = (uint8_t *)(uintptr_t)(la + e->addend),
                              .pa = (e->pa & ~PAGE_OFFSET_MASK) | (la & PAGE_OFFSET_MASK)};
        return true;
    }
    if (write && e->tag_r == page && e->pa & TLB_WRITABLE) {
        uint64_t pa = e->pa & ~PAGE_OFFSET_MASK;
        bool direct = page_takes_stores(c, pa, (uint8_t *)(uintptr_t)(page + e->addend), true);

        if (direct) {
            if (unlikely(c->watch)) {
                c->watch->tlb(c, e, sizeof *e);
            }
            e->tag_w = page;
        }
        *r = (struct mmu_ref){.host = direct ? (uint8_t *)(uintptr_t)(la + e->addend) : NULL,
                              .pa = pa | (la & PAGE_OFFSET_MASK)};
        return true;
    }
    return false;
}

/* The same of a page that had to make room too. */
static bool tlb_known(struct cpu *c, uint64_t la, unsigned cls, bool write, struct mmu_ref *r)
{
    return likely(tlb_find(c, la, cls, write, r)) ||
           (tlb_change_places(c, la & ~PAGE_OFFSET_MASK, cls) && tlb_find(c, la, cls, write, r));
}

/* ---- views ---- */

/* The page of RAM at pa, but for its rights; gives its host address, or NULL. */
static uint8_t *view_page(struct cpu *c, uint64_t pa, struct view_entry *e)
{
    uint8_t *host = mmu_host(c, pa & ~PAGE_OFFSET_MASK, false);

    if (host) {
        e->ram = c->mmu->last[0].ram;
        e->ram_page = (uint64_t)(host - e->ram->host) >> PAGE_SHIFT;
    }
    return host;
}

static bool view_entry(struct cpu *c, const struct walk *w, bool write, bool marked,
                       struct view_entry *e)
{
    const uint8_t *host = view_page(c, w->pa, e);

    if (!host) {
        return false;
    }
    e->writable = w->writable && (write || !(marked || c->watch)) &&
                  page_takes_stores(c, w->pa & ~PAGE_OFFSET_MASK, host, write && !marked);
    return true;
}

/* A page that the TLB knows, r: la is where it begins. */
static bool view_of_tlb(struct cpu *c, uint64_t la, const struct mmu_ref *r, struct view_entry *e)
{
    if (!r->host || view_page(c, r->pa, e) != r->host) {
        return false;
    }
    e->writable = c->tlbs[TLB_USER].e[tlb_own(la)].tag_w == la;
    return true;
}

bool mmu_view_walk(struct cpu *c, uint64_t la, bool write, struct view_entry *e)
{
    struct mmu_ref r;

    if (tlb_known(c, la, TLB_USER, write, &r)) { /* as good as a walk */
        return view_of_tlb(c, la, &r, e);
    }
    struct walk w = {.la = la, .access = WALK_USER | (write ? WALK_WRITE : 0)};

    return mmu_walk(c, &w) && view_entry(c, &w, write, false, e) && (e->writable || !write);
}

bool mmu_view_peek(struct cpu *c, uint64_t la, bool write, struct view_entry *e)
{
    struct walk w = {.la = la, .access = WALK_USER | WALK_DEBUG};

    return !c->watch && mmu_walk(c, &w) && w.rights & PTE_A && walk_permitted(c, &w) &&
           view_entry(c, &w, write, true, e);
}

struct mmu_ref mmu_ref(struct cpu *c, uint64_t la, unsigned cls, bool write)
{
    struct mmu_ref r;

    return likely(tlb_known(c, la, cls, write, &r)) ? r : mmu_fill(c, la, cls, write);
}

static void itlb_fill(struct cpu *c, struct itlb_entry *e, uint64_t la, uint64_t tag)
{
    struct walk w = {.la = la, .access = WALK_FETCH | (c->cpl == 3 ? WALK_USER : 0)};

    if (unlikely(cpu_is_long(c) && !cpu_is_canonical(la))) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    if (!mmu_walk(c, &w)) {
        cpu_raise_pf(c, la, w.error);
    }
    uint64_t pa = w.pa & ~PAGE_OFFSET_MASK;
    uint8_t *host = mmu_host(c, pa, false);
    struct ram *ram = host ? c->mmu->last[0].ram : NULL;

    if (unlikely(c->watch)) {
        c->watch->tlb(c, e, sizeof *e);
    }
    *e = (struct itlb_entry){.tag = tag,
                             .pa = pa,
                             .host = host,
                             .ram = ram,
                             .global = w.global,
                             .ram_page = host ? (uint64_t)(host - ram->host) >> PAGE_SHIFT : 0};
    unsigned slot = la >> PAGE_SHIFT & (ITLB_SIZE - 1);
    mmu_now(c)->itlb_used[slot >> 6] |= BIT64(slot & 63);
    large_note(mmu_now(c), la, w.size);
}

static void note_fetched(struct cpu *c, struct pageset *pages, uint64_t page)
{
    uint64_t to, *word = pageset_word(pages, page, &to);

    if (*word != to) {
        if (unlikely(c->watch)) {
            c->watch->tlb(c, word, sizeof *word);
        }
        *word = to;
    }
}

const struct itlb_entry *mmu_fetch(struct cpu *c, uint64_t la)
{
    la = cpu_is_64(c) ? la : (uint32_t)la; /* base + IP may have passed 4 GiB */

    uint64_t tag = (la & ~PAGE_OFFSET_MASK) | (c->cpl == 3 ? 3 : 1);
    unsigned slot = la >> PAGE_SHIFT & (ITLB_SIZE - 1);
    struct itlb_entry *e = &c->itlb[slot];

    if (unlikely(e->tag != tag)) {
        itlb_fill(c, e, la, tag);
    }
    note_fetched(c, e->global ? &c->mmu->global_fetched : &mmu_now(c)->fetched, la >> PAGE_SHIFT);
    return e;
}
