/*
 * Pages of RAM that processors hold decoded code of, and what the others have to be told.
 *
 * RAM_PAGE_CODE of a page says that some vCPU may hold blocks decoded from it; while it is set
 * every store takes the slow path and ends here.  The rules:
 *
 *   - A vCPU claims a page before it reads a byte of it as code.  Whoever stores afterwards sees
 * the bit, whoever stored before has been seen (both sides: write, full fence, read).
 *   - A store to such a page leaves a note for every other vCPU before the storing one goes on, so
 *     who sees a later store of it finds the note at the next branch or serialising instruction.
 *   - The bit is cleared only with a note to everybody to drop all blocks of the page.  Notes,
 *     claims and clearing exclude each other by one lock.
 *   - RAM_PAGE_WRITERS says whose TLBs may let stores to the page straight through.  Those lose
 *     their entries, outside of guest code, before a claimed page is read (cpu/smp.c).
 *
 * Not modelled: nothing; this is plumbing.
 */
#ifndef HW_CORE_CODE_H
#define HW_CORE_CODE_H

#include "hw/core/aspace.h"

/* A piece of RAM whose blocks are stale. */
struct code_note {
    struct ram *ram;
    uint64_t off, len;
};

/* From now on stores to the page are told.  Gives the page's flags as they were.  Any thread. */
uint8_t code_claim(struct ram *ram, uint64_t page);
/*
 * [off, off + len), inside one page with the code bit set, was stored to.  `from` is the vCPU that
 * did, which looks after its own blocks; NULL: DMA, which makes everybody drop the whole page.
 */
void code_stored(struct ram *ram, uint64_t off, uint64_t len, struct vcpu *from);
/* vCPU `from` stored to the page and holds no block of it any more: so shall it be with all, and
 * the bit goes. */
void code_release(struct ram *ram, uint64_t page, struct vcpu *from);
/* Everything that v holds is stale.  On its thread. */
void code_forget(struct vcpu *v);
/*
 * The notes for `v`, struct code_note (the caller's to free); *all: there were too many, everything
 * is stale.  On the vCPU's thread, after VCPU_REQ_CODE was cleared.
 */
GArray *code_take_notes(struct vcpu *v, bool *all);

void code_init(struct machine *m);
void code_fini(struct machine *m);

/* The bit of RAM_PAGE_WRITERS that stands for vCPU `id` (and some others, where there are many). */
static inline uint8_t code_writer_bit(unsigned id)
{
    return (uint8_t)(RAM_PAGE_WRITER0 << id % RAM_PAGE_WRITER_BITS);
}

#endif
