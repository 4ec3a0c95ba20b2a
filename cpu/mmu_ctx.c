/*
 * The software TLB's contexts: which class and PCID is in force, and flushes.
 *
 * Follows: Intel SDM volume 3, 4.10.  The translations of up to MMU_CONTEXTS PCIDs are kept, each
 * with a TLB set of its own.
 *
 * Not modelled: paging-structure caches.
 */
#include "cpu/sys.h"
#include "hw/core/code.h"

unsigned mmu_class(const struct cpu *c, unsigned cpl)
{
    return cpl == 3                                      ? TLB_USER
           : !(c->cr4 & CR4_SMAP) || c->eflags & FLAG_AC ? TLB_KERNEL_AC
                                                         : TLB_KERNEL;
}

void mmu_update_class(struct cpu *c)
{
    bool check = (c->cpl == 3 && c->cr0 & CR0_AM && c->eflags & FLAG_AC) || debug_is_armed(c);

    c->tlb_class = check ? TLB_CHECKED : mmu_class(c, c->cpl);
    c->tlb = check ? c->mmu->checked : c->tlbs[c->tlb_class].e;
    c->r15 = c->mode & MODE_VIEW ? (void *)(uintptr_t)view_low(c->view) : (void *)c->tlb;
}

static void tlb_clear_slot(struct tlb *t, unsigned slot)
{
    t->e[slot].tag_r = t->e[slot].tag_w = TLB_NO_TAG(slot);
}

static void tlb_drop_page(struct cpu *c, struct tlb *t, unsigned slot, uint64_t page)
{
    if (t->e[slot].tag_r == page) {
        if (unlikely(c->watch)) {
            c->watch->tlb(c, &t->e[slot], sizeof t->e[slot]);
        }
        tlb_clear_slot(t, slot);
    }
}

/* The page of 4 KiB, in both kinds of TLB; `check` can take it back. */
static void ctx_drop_page(struct cpu *c, struct mmu_ctx *x, uint64_t la)
{
    uint64_t page = la & ~PAGE_OFFSET_MASK;
    unsigned slot = tlb_own(la);
    struct itlb_entry *e = &x->itlb[la >> PAGE_SHIFT & (ITLB_SIZE - 1)];

    view_drop_page(c, x, la);
    for (unsigned cls = 0; cls < TLB_CLASSES; cls++) {
        tlb_drop_page(c, &x->tlbs[cls], slot, page);
        tlb_drop_page(c, &x->tlbs[cls], tlb_other(slot), page);
    }
    if ((e->tag & ~PAGE_OFFSET_MASK) == page) {
        if (unlikely(c->watch)) {
            c->watch->tlb(c, e, sizeof *e);
        }
        e->tag = 0;
    }
}

static void tlb_flush_list(struct tlb *t, unsigned list, bool global)
{
    for (unsigned k = 0; k < t->nfilled[list]; k++) {
        unsigned slot = t->filled[list][k];

        t->in_list[slot] &= ~BIT(list);
        if (global || !(t->e[slot].pa & TLB_GLOBAL)) {
            tlb_clear_slot(t, slot);
        }
    }
    t->nfilled[list] = 0;
}

/* Compiled code compares 31 bits of it (CPU_DUE_GEN): when those begin anew it must not be there
 * any more. */
static uint64_t new_gen(struct cpu *c)
{
    uint64_t gen = ++c->mmu->gen;

    if (unlikely(!(gen & CPU_DUE_GEN))) {
        code_forget(c->v);
    }
    return gen;
}

/* Jump-cache keys of the context stop matching (ctx_update_key is the caller's). */
static void ctx_new_gen(struct cpu *c, struct mmu_ctx *x)
{
    x->map_gen = new_gen(c);
    pageset_clear(&x->fetched);
}

/* Those of global translations; the context in force gets a new generation too, so that its key
 * tells of every change. */
static void global_new_gen(struct cpu *c)
{
    ctx_new_gen(c, mmu_now(c));
    c->global_gen = new_gen(c);
    pageset_clear(&c->mmu->global_fetched);
}

static void ctx_flush(struct cpu *c, struct mmu_ctx *x, bool global)
{
    view_flush(c, x);
    for (unsigned cls = 0; cls < TLB_CLASSES; cls++) {
        tlb_flush_list(&x->tlbs[cls], 0, global);
        if (global) {
            tlb_flush_list(&x->tlbs[cls], 1, true);
        }
    }
    for (unsigned word = 0; word < ITLB_SIZE / 64; word++) {
        for (uint64_t left = x->itlb_used[word]; left; left &= left - 1) {
            unsigned k = word * 64 + (unsigned)__builtin_ctzll(left);

            if (global || !x->itlb[k].global) {
                x->itlb[k].tag = 0;
                x->itlb_used[word] &= ~BIT64(k & 63);
            }
        }
    }
    if (global) {
        memset(x->large_4m, 0, sizeof x->large_4m);
        memset(x->large_1g, 0, sizeof x->large_1g);
    }
    ctx_new_gen(c, x);
}

static void ctx_update_key(struct cpu *c)
{
    c->map_gen = mmu_now(c)->map_gen;
    cpu_update_keys(c);
}

static void ctx_use(struct cpu *c, unsigned n)
{
    struct mmu_ctx *x = c->mmu->ctx[n];

    c->mmu->cur = n;
    x->used = ++c->mmu->uses;
    c->tlbs = x->tlbs;
    c->itlb = x->itlb;
    mmu_update_class(c);
    ctx_update_key(c);
}

static struct mmu_ctx *ctx_new(struct cpu *c)
{
    struct mmu_ctx *x = g_new0(struct mmu_ctx, 1);

    for (unsigned cls = 0; cls < TLB_CLASSES; cls++) {
        for (unsigned slot = 0; slot < TLB_SLOTS; slot++) {
            tlb_clear_slot(&x->tlbs[cls], slot);
        }
    }
    ctx_new_gen(c, x);
    return x;
}

bool mmu_init(struct cpu *c)
{
    c->mmu = g_new0(struct mmu, 1);
    for (unsigned slot = 0; slot < TLB_SIZE; slot++) {
        c->mmu->checked[slot].tag_r = c->mmu->checked[slot].tag_w = TLB_NO_TAG(slot);
    }
    pageset_clear(&c->mmu->global_fetched);
    c->mmu->ctx[0] = ctx_new(c);
    c->mmu->ctx[0]->valid = true;
    c->a20_mask = atomic_load(&c->v->m->a20_mask);
    c->writer_bit = c->v->m->ncpus > 1 ? code_writer_bit(c->v->id) : 0;
    ctx_use(c, 0);
    return true;
}

void mmu_fini(struct cpu *c)
{
    if (c->mmu) {
        for (unsigned k = 0; k < MMU_CONTEXTS; k++) {
            g_free(c->mmu->ctx[k]);
        }
        g_free(c->mmu);
    }
}

void mmu_flush(struct cpu *c, bool global)
{
    struct mmu *u = c->mmu;

    cpu_outside(c, OUTSIDE_TLB);
    ctx_flush(c, mmu_now(c), global);
    if (global) {
        global_new_gen(c);
        c->a20_mask = atomic_load(&c->v->m->a20_mask);
        memset(u->last, 0, sizeof u->last);
        for (unsigned k = 0; k < MMU_CONTEXTS; k++) {
            if (u->ctx[k] && k != u->cur) {
                u->ctx[k]->valid = false;
            }
        }
    }
    if (c->mode & MODE_VIEW) {
        cpu_update_mode(c); /* looks at what is left of it */
    }
    ctx_update_key(c);
}

/* The context of a PCID, or of the least recently used one, emptied; *found tells which. */
static unsigned ctx_find(struct cpu *c, uint16_t pcid, bool *found)
{
    struct mmu *u = c->mmu;
    unsigned victim = 0;
    uint64_t oldest = ~0ull;

    *found = true;
    for (unsigned k = 0; k < MMU_CONTEXTS; k++) {
        if (u->ctx[k] && u->ctx[k]->valid && u->ctx[k]->pcid == pcid) {
            return k;
        }
        uint64_t age = !u->ctx[k] ? 1 : !u->ctx[k]->valid ? 0 : u->ctx[k]->used + 2;
        if (age < oldest && k != u->cur) {
            oldest = age;
            victim = k;
        }
    }
    *found = false;
    if (!u->ctx[victim]) {
        u->ctx[victim] = ctx_new(c);
    }
    ctx_flush(c, u->ctx[victim], true);
    u->ctx[victim]->pcid = pcid;
    u->ctx[victim]->valid = true;
    return victim;
}

void mmu_switch_pcid(struct cpu *c, bool keep)
{
    uint16_t pcid = c->cr4 & CR4_PCIDE ? c->cr3 & 0xfff : 0;
    bool found;

    cpu_outside(c, OUTSIDE_TLB);
    unsigned n = ctx_find(c, pcid, &found);

    struct mmu_ctx *x = c->mmu->ctx[n];
    if (found && !keep) {
        ctx_flush(c, x, false);
    }
    if (!found || x->table != (c->cr3 & ~PAGE_OFFSET_MASK)) {
        view_forget(c, x);
        x->samples = 0;
        x->no_view = false;
        x->table = c->cr3 & ~PAGE_OFFSET_MASK;
    }
    ctx_use(c, n);
}

/* Drop everything of a region that holds large pages, and `la` is in. */
static void ctx_drop_region(struct cpu *c, struct mmu_ctx *x, uint64_t la, unsigned shift)
{
    view_flush(c, x);
    for (unsigned cls = 0; cls < TLB_CLASSES; cls++) {
        struct tlb *t = &x->tlbs[cls];

        for (unsigned list = 0; list < 2; list++) {
            for (unsigned n = 0; n < t->nfilled[list]; n++) {
                unsigned slot = t->filled[list][n];

                if (t->e[slot].tag_r >> shift == la >> shift) {
                    tlb_clear_slot(t, slot);
                }
            }
        }
    }
    for (unsigned k = 0; k < ITLB_SIZE; k++) {
        if (x->itlb[k].tag >> shift == la >> shift) {
            x->itlb[k].tag = 0;
        }
    }
    ctx_new_gen(c, x);
    global_new_gen(c);
}

static void ctx_invlpg(struct cpu *c, struct mmu_ctx *x, uint64_t la)
{
    if (filter_has(x->large_1g, FILTER_WORDS, la >> 30)) {
        ctx_drop_region(c, x, la, 30);
        return;
    }
    if (filter_has(x->large_4m, FILTER_WORDS, la >> 22)) {
        ctx_drop_region(c, x, la, 22);
        return;
    }
    ctx_drop_page(c, x, la);
    if (pageset_has(&x->fetched, la >> PAGE_SHIFT)) {
        ctx_new_gen(c, x);
    }
    if (pageset_has(&c->mmu->global_fetched, la >> PAGE_SHIFT)) {
        global_new_gen(c);
    }
}

/* Also in the other contexts: they may hold the page as a global one. */
void mmu_invlpg(struct cpu *c, uint64_t la)
{
    cpu_outside(c, OUTSIDE_TLB);
    for (unsigned k = 0; k < MMU_CONTEXTS; k++) {
        struct mmu_ctx *x = c->mmu->ctx[k];

        if (x && x->valid) {
            ctx_invlpg(c, x, la);
        }
    }
    ctx_update_key(c);
}

void mmu_faulted(struct cpu *c, uint64_t la)
{
    struct mmu_ctx *x = mmu_now(c);

    if (unlikely(pageset_has(&x->fetched, la >> PAGE_SHIFT) ||
                 pageset_has(&c->mmu->global_fetched, la >> PAGE_SHIFT))) {
        cpu_outside(c, OUTSIDE_FAULT);
        mmu_invlpg(c, la);
    } else {
        ctx_drop_page(c, x, la);
    }
}

void mmu_invpcid(struct cpu *c, unsigned type, uint16_t pcid, uint64_t la)
{
    cpu_outside(c, OUTSIDE_TLB);
    for (unsigned k = 0; k < MMU_CONTEXTS; k++) {
        struct mmu_ctx *x = c->mmu->ctx[k];

        if (!x || !x->valid || (type < 2 && x->pcid != pcid)) {
            continue;
        }
        if (type == 0) {
            ctx_invlpg(c, x, la);
        } else {
            ctx_flush(c, x, type == 2);
        }
    }
    if (type == 2) {
        global_new_gen(c);
    }
    ctx_update_key(c);
}
