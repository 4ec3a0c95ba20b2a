/*
 * What a processor owes the others, and devices that watch memory: write tags of pages that become
 * code, and the bus lock of locked operations that no single host instruction can do.
 *
 * Follows: Intel SDM volume 3, 9.1 (locked atomic operations) and 9.1.3 (cross-modifying code).
 *
 * Not modelled: nothing left out.  Split locks inside a page are one locked host instruction, and
 * as dear as the host makes them.
 */
#include "cpu/sys.h"
#include "hw/core/code.h"

void mmu_write_protect(struct cpu *c, const uint8_t *host)
{
    view_write_protect(c, host);
    for (unsigned k = 0; k < MMU_CONTEXTS; k++) {
        struct mmu_ctx *x = c->mmu->ctx[k];

        for (unsigned n = 0; x && n < 2 * TLB_CLASSES; n++) {
            struct tlb *t = &x->tlbs[n >> 1];

            for (unsigned j = 0; j < t->nfilled[n & 1]; j++) {
                struct tlb_entry *e = &t->e[t->filled[n & 1][j]];

                if (e->tag_w + e->addend == (uint64_t)(uintptr_t)host) {
                    e->tag_w = TLB_NO_TAG(t->filled[n & 1][j]);
                }
            }
        }
    }
}

/* The page behind a write tag, where its stores are logged. */
static uint8_t *logged_page(struct cpu *c, const struct tlb_entry *e)
{
    const struct flat_range *f = aspace_find(c->v->m, e->pa & ~PAGE_OFFSET_MASK, ACCESS_WRITE);
    struct ram *ram = f && f->host ? f->region->ram : NULL;
    uint64_t off = ram ? e->tag_w + e->addend - (uint64_t)(uintptr_t)ram->host : 0;

    return ram && ram->log_dirty && off < ram->size ? &ram->page_flags[off >> PAGE_SHIFT] : NULL;
}

void mmu_note_direct_stores(struct cpu *c)
{
    for (unsigned k = 0; k < MMU_CONTEXTS; k++) {
        struct mmu_ctx *x = c->mmu->ctx[k];

        for (unsigned n = 0; x && n < 2 * TLB_CLASSES; n++) {
            const struct tlb *t = &x->tlbs[n >> 1];

            for (unsigned j = 0; j < t->nfilled[n & 1]; j++) {
                unsigned slot = t->filled[n & 1][j];
                uint8_t *flags =
                    t->e[slot].tag_w != TLB_NO_TAG(slot) ? logged_page(c, &t->e[slot]) : NULL;

                if (flags) {
                    __atomic_fetch_or(flags, RAM_PAGE_DIRTY, __ATOMIC_SEQ_CST);
                }
            }
        }
    }
}

/*
 * The vCPUs of `writers` may be storing to the page: get them out of guest code, and their write
 * tags out of their TLBs.  They hold no pointer into the page then, wherever they wait.
 */
static void stop_writers(struct cpu *c, struct ram *ram, uint64_t page, uint8_t writers)
{
    struct machine *m = c->v->m;

    machine_lock(m);
    machine_exclusive_begin(m);
    for (unsigned i = 0; i < m->ncpus; i++) {
        struct cpu *other = m->vcpus[i]->cpu;

        if (other && other->writer_bit & writers) {
            mmu_write_protect(other, ram->host + (page << PAGE_SHIFT));
        }
    }
    __atomic_fetch_and(&ram->page_flags[page], (uint8_t)~writers, __ATOMIC_SEQ_CST);
    machine_exclusive_end(m);
    machine_unlock(m);
}

/* The bits of `writers` that may stand for another vCPU. */
static uint8_t other_writers(const struct cpu *c, uint8_t writers)
{
    return c->v->m->ncpus > RAM_PAGE_WRITER_BITS ? writers : writers & (uint8_t)~c->writer_bit;
}

void mmu_claim_code(struct cpu *c, struct ram *ram, uint64_t page)
{
    uint8_t old = code_claim(ram, page), writers = old & RAM_PAGE_WRITERS;

    if (!(old & RAM_PAGE_CODE) || writers) {
        mmu_write_protect(c, ram->host + (page << PAGE_SHIFT));
    }
    if (other_writers(c, writers)) {
        stop_writers(c, ram, page, writers);
    }
}

/* ---- locked operations ---- */

void mem_bus_lock(struct cpu *c)
{
    struct machine *m = c->v->m;

    if (m->ncpus > 1) {
        machine_lock(m);
        machine_exclusive_begin(m);
        c->bus_held = true;
    }
}

void mem_bus_unlock(struct cpu *c)
{
    if (c->bus_held) {
        c->bus_held = false;
        machine_exclusive_end(c->v->m);
        machine_unlock(c->v->m);
    }
}
