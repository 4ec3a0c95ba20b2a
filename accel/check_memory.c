/*
 * Taking instructions back: the pages they wrote to and the TLB entries they changed.
 *
 * A page is copied as a whole before the first store to it; the CPU tells (struct cpu_watch), and
 * leaves no write tag in its TLB behind from one stretch to the next, so that every first store is
 * told.  TLB entries are put back too: an access that walked the tables the first time walks them
 * the second time.  Accessed and dirty bits that a walk set stay set, in the copies as well:
 * processors may set them early, and the engines need not walk at the same places.  Who reads such
 * an entry first and makes a walk set bits in it later sees them early in the second run: where two
 * runs differ and that may be the reason, the stretch is begun anew, with the bits set.
 *
 * The machine lock is held from the first store to the comparison, so that no device sees or writes
 * what may be taken back.
 *
 * Not modelled: several processors.
 */
#include "accel/blocks.h"
#include "accel/check_int.h"
#include "cpu/sys.h"
#include <sys/mman.h>

#define COPIES_BYTES ((size_t)2 * CHECK_PAGES * PAGE_BYTES)

static struct check *check_of(const struct cpu *c)
{
    const struct interp *e = c->engine;

    return e->check;
}

bool check_memory_init(struct check *k, GError **err)
{
    k->copies = mmap(NULL, COPIES_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (k->copies == MAP_FAILED) {
        k->copies = NULL;
        g_set_error(err, CANDELA_ERROR, CANDELA_ERROR_HOST, "no memory for copies of guest pages");
        return false;
    }
    for (unsigned n = 0; n < CHECK_PAGES; n++) {
        k->pages[n].before = k->copies + 2 * n * PAGE_BYTES;
        k->pages[n].after = k->pages[n].before + PAGE_BYTES;
    }
    k->entries = g_array_new(FALSE, FALSE, sizeof(struct check_entry));
    return true;
}

void check_memory_fini(struct check *k)
{
    if (k->copies) {
        munmap(k->copies, COPIES_BYTES);
        g_array_unref(k->entries);
    }
}

/* ---- pages ---- */

static uint8_t *page_host(const struct check_page *p)
{
    return p->ram->host + (p->page << PAGE_SHIFT);
}

/* The slot of the page, or the free one where it would stand. */
static uint16_t *page_slot(struct check *k, const struct ram *ram, uint64_t page)
{
    uint64_t at = ((uint64_t)(uintptr_t)ram->host >> PAGE_SHIFT) + page;

    for (;; at++) {
        uint16_t *slot = &k->slots[at % CHECK_SLOTS];

        if (!*slot) {
            return slot;
        }
        const struct check_page *p = &k->pages[*slot - 1];
        if (p->ram == ram && p->page == page) {
            return slot;
        }
    }
}

static void watch_store(struct cpu *c, struct ram *ram, uint64_t page)
{
    struct check *k = check_of(c);

    if (!k->open) {
        return;
    }
    uint16_t *slot = page_slot(k, ram, page);
    if (*slot) {
        return;
    }
    if (k->npages == CHECK_PAGES) {
        cpu_outside(c, OUTSIDE_PAGES);
    }
    struct check_page *p = &k->pages[k->npages++];
    *slot = (uint16_t)k->npages;
    p->ram = ram;
    p->page = page;
    memcpy(p->before, page_host(p), PAGE_BYTES);
}

/* The page is remembered already, without the bits. */
static void watch_marked(struct cpu *c, void *host, uint64_t old, uint64_t val, unsigned width)
{
    struct check *k = check_of(c);
    const struct ram *ram = c->mmu->last[1].ram;
    uint64_t off = (uint64_t)((uint8_t *)host - ram->host);

    if (!k->open) {
        return;
    }
    k->marked = true;
    uint16_t *slot = page_slot(k, ram, off >> PAGE_SHIFT);
    uint8_t *copy = *slot ? k->pages[*slot - 1].before + (off & PAGE_OFFSET_MASK) : NULL;
    if (copy && !memcmp(copy, &old, width)) {
        memcpy(copy, &val, width);
    }
}

/* Blocks decoded from bytes that are about to change back. */
static void drop_changed(struct check *k, const struct check_page *p)
{
    const uint8_t *now = page_host(p);

    for (unsigned at = 0; at < PAGE_BYTES; at += 64) {
        if (memcmp(now + at, p->before + at, 64)) {
            uint64_t off = (p->page << PAGE_SHIFT) + at;

            blocks_drop(k->first->blocks, p->ram, off, 64);
            blocks_drop(k->second_engine->blocks, p->ram, off, 64);
        }
    }
}

static void undo_page(struct check *k, const struct check_page *p)
{
    if (p->ram->page_flags[p->page] & RAM_PAGE_CODE) {
        drop_changed(k, p);
    }
    memcpy(page_host(p), p->before, PAGE_BYTES);
}

void check_memory_keep(struct check *k)
{
    for (unsigned n = 0; n < k->npages; n++) {
        memcpy(k->pages[n].after, page_host(&k->pages[n]), PAGE_BYTES);
    }
    k->first_pages = k->npages;
}

bool check_memory_equal(const struct check *k)
{
    for (unsigned n = 0; n < k->npages; n++) {
        const struct check_page *p = &k->pages[n];

        if (memcmp(page_host(p), n < k->first_pages ? p->after : p->before, PAGE_BYTES)) {
            return false;
        }
    }
    return true;
}

void check_memory_forget(struct check *k)
{
    if (k->npages) {
        memset(k->slots, 0, sizeof k->slots);
    }
    k->npages = k->first_pages = 0;
}

/* ---- TLB entries ---- */

static_assert(sizeof(struct tlb_entry) != sizeof(struct itlb_entry), "they are told by size");

static void watch_tlb(struct cpu *c, void *entry, size_t size)
{
    struct check *k = check_of(c);
    struct check_entry e = {.at = entry, .size = size};

    memcpy(e.old, entry, size);
    g_array_append_val(k->entries, e);
}

static void undo_entries(struct check *k)
{
    for (guint n = k->entries->len; n > 0; n--) {
        const struct check_entry *e = &g_array_index(k->entries, struct check_entry, n - 1);

        memcpy(e->at, e->old, e->size);
    }
    g_array_set_size(k->entries, 0);
}

/* No write tag shall be left: whoever stores next is to be told. */
static void drop_tags(struct check *k)
{
    for (guint n = 0; n < k->entries->len; n++) {
        const struct check_entry *e = &g_array_index(k->entries, struct check_entry, n);
        struct tlb_entry *t = e->at;

        if (e->size == sizeof *t && t->tag_w == t->tag_r && cpu_is_canonical(t->tag_r)) {
            t->tag_w = TLB_NO_TAG(tlb_own(t->tag_r));
        }
    }
    g_array_set_size(k->entries, 0);
}

static void watch_outside(struct cpu *c, enum cpu_outside what)
{
    struct check *k = check_of(c);

    if (k->open) {
        k->outside = what;
        longjmp(c->jmp, 1 + CHECK_OUTSIDE);
    }
}

const struct cpu_watch check_watch = {
    .store = watch_store,
    .marked = watch_marked,
    .tlb = watch_tlb,
    .outside = watch_outside,
};

/* ---- a stretch ---- */

void check_memory_open(struct check *k, struct cpu *c)
{
    view_write_protect_all(c);
    drop_tags(k); /* of what ran unchecked */
    check_memory_forget(k);
    k->open = true;
    k->marked = false;
}

void check_memory_close(struct check *k)
{
    k->open = false;
    drop_tags(k);
}

void check_memory_undo(struct check *k, struct cpu *c)
{
    (void)c;
    for (unsigned n = 0; n < k->npages; n++) {
        undo_page(k, &k->pages[n]);
    }
    undo_entries(k);
}
