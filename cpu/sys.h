/*
 * Shared by the system part of the CPU (mmu, mem, seg, excp, task, op_*): descriptors, stacks of
 * far transfers, TLB contexts.  Not for engines or integer handlers, which use cpu.h, insn.h and
 * mem.h.
 *
 * Not modelled: SMM, VMX, protection keys, 5-level paging.
 */
#ifndef CPU_SYS_H
#define CPU_SYS_H

#include "cpu/mem.h"
#include "cpu/pageset.h"
#include "cpu/view.h"

/* ---- TLB contexts (mmu_ctx.c) ---- */

enum { MMU_CONTEXTS = 8, FILTER_WORDS = 128 };

/*
 * The cached translations of one PCID.  map_gen names them in jcache keys; it comes from one
 * counter that only grows.  `fetched` (the pages that code was fetched from since map_gen was new,
 * other than global ones) and `large_*` (filters over 4 MiB and 1 GiB regions with pages above
 * 4 KiB) make INVLPG and page faults cheap: not in there, nothing to do.
 */
struct mmu_ctx {
    struct tlb tlbs[TLB_CLASSES];
    struct itlb_entry itlb[ITLB_SIZE];
    uint64_t itlb_used[ITLB_SIZE / 64];
    uint64_t map_gen;
    struct pageset fetched;
    uint64_t large_4m[FILTER_WORDS], large_1g[FILTER_WORDS];
    uint64_t used;    /* for the choice of a victim */
    uint64_t table;   /* of CR3 */
    unsigned samples; /* view.c */
    uint16_t pcid;
    bool valid, no_view;
};

struct mmu_range { /* copy of the flat range of RAM that was used last, dropped by every full flush
                    */
    uint64_t base, size;
    uint8_t *host;
    struct ram *ram;
};

/*
 * Global translations are the same in all contexts: code found by one is found through global_gen
 * after a switch to another.  `global_fetched` is `fetched` for it.
 */
struct mmu {
    struct mmu_ctx *ctx[MMU_CONTEXTS];
    struct pageset global_fetched;
    unsigned cur;
    uint64_t gen, uses;
    struct mmu_range last[2]; /* reads, writes */
    struct tlb_entry checked[TLB_SIZE];
};

/*
 * Where the TLB keeps what was in `slot` when another page that belongs there has come: two pages
 * that are used by turns, so far apart that they share a slot, need no walk each time.  Only
 * mmu_ref and mmu_find_again look there, and let the two change places.
 */
static inline unsigned tlb_other(unsigned slot)
{
    return TLB_SIZE + (slot & (TLB_OTHERS - 1));
}

static inline struct mmu_ctx *mmu_now(const struct cpu *c)
{
    return c->mmu->ctx[c->mmu->cur];
}

/* Filters: sets of page or region numbers that may seem to hold more than was added.  Two bits each
 * of `words` (a power of two) * 64. */
static inline unsigned filter_bit(uint64_t n, unsigned words, unsigned which)
{
    return (unsigned)(n * 0x9e3779b97f4a7c15ull >> (which ? 24 : 44)) & (words * 64 - 1);
}
static inline void filter_add(uint64_t *filter, unsigned words, uint64_t n)
{
    for (unsigned k = 0; k < 2; k++) {
        unsigned at = filter_bit(n, words, k);

        filter[at >> 6] |= BIT64(at & 63);
    }
}
static inline bool filter_has(const uint64_t *filter, unsigned words, uint64_t n)
{
    unsigned a = filter_bit(n, words, 0), b = filter_bit(n, words, 1);

    return filter[a >> 6] >> (a & 63) & filter[b >> 6] >> (b & 63) & 1;
}

bool mmu_init(struct cpu *c);
void mmu_fini(struct cpu *c);
/* Point c->tlb at the class that CPL, AC, SMAP and armed checks ask for. */
void mmu_update_class(struct cpu *c);
/* The class of CPL `cpl`, without checks. */
unsigned mmu_class(const struct cpu *c, unsigned cpl);
/* MOV CR3 with PCIDs: use (and, unless `keep`, first empty) the context of c->cr3's PCID. */
void mmu_switch_pcid(struct cpu *c, bool keep);
/* INVPCID types 0 to 3. */
void mmu_invpcid(struct cpu *c, unsigned type, uint16_t pcid, uint64_t la);
/* Load the four PAE page-directory pointers for `cr3`; false: a reserved bit is set (#GP). */
bool mmu_load_pdptes(struct cpu *c, uint64_t cr3);

struct mmu_ref {   /* one access within a page */
    uint8_t *host; /* plain RAM that may be touched directly, else NULL */
    uint64_t pa;
};
/* Translate `la` for class `cls`, filling the TLB.  Raises #PF. */
struct mmu_ref mmu_ref(struct cpu *c, uint64_t la, unsigned cls, bool write);
/* Host address of la where the TLB has its page, but not in its own slot (tlb_other); NULL: it has
 * not.  Only while c->tlb_class is not TLB_CHECKED. */
uint8_t *mmu_find_again(struct cpu *c, uint64_t la, bool write);
/* A page as a view maps it. */
struct view_entry {
    const struct ram *ram;
    uint64_t ram_page;
    bool writable;
};
/* Translate for CPL 3, as an access would that faults if this gives false; the TLB is looked at and
 * not filled.  la: of a page.  False also: not RAM, or not for stores. */
bool mmu_view_walk(struct cpu *c, uint64_t la, bool write, struct view_entry *e);
/* The same without setting a bit in the tables: a page that an access has marked already. */
bool mmu_view_peek(struct cpu *c, uint64_t la, bool write, struct view_entry *e);
/* Physical accesses within a page, 1 to 8 bytes. */
uint64_t mmu_phys_load(struct cpu *c, uint64_t pa, unsigned size);
void mmu_phys_store(struct cpu *c, uint64_t pa, uint64_t val, unsigned size);
/* A store of any length within a page, in one piece where hardware does that; false: not RAM,
 * nothing done. */
bool mmu_phys_write(struct cpu *c, uint64_t pa, const void *buf, unsigned len);
/* Between these nobody else touches memory (several vCPUs: an exclusive section with the lock
 * held).  Nothing may be raised in between. */
void mem_bus_lock(struct cpu *c);
void mem_bus_unlock(struct cpu *c);

/* Copy in one move where hardware does (1, 2, 4, 8, 16 bytes). */
static inline void mem_move(void *to, const void *from, unsigned len)
{
    switch (len) {
    case 1:
        memcpy(to, from, 1);
        break;
    case 2:
        memcpy(to, from, 2);
        break;
    case 4:
        memcpy(to, from, 4);
        break;
    case 8:
        memcpy(to, from, 8);
        break;
    case 16:
        memcpy(to, from, 16);
        break;
    default:
        memcpy(to, from, len);
        break;
    }
}

/* A locked supervisor read-modify-write of one byte: `clear` bits off, then `set` bits on.  Gives
 * what was there. */
uint8_t mem_sys_change(struct cpu *c, uint64_t la, uint8_t set, uint8_t clear);
/* Raise now what a supervisor store of `len` bytes (at most a page) at la would raise. */
void mem_sys_probe(struct cpu *c, uint64_t la, unsigned len);

/* ---- segments (seg.c) ---- */

struct desc {
    uint32_t lo, hi; /* the descriptor, as in memory */
    uint32_t hi2;    /* base bits 63..32 or offset bits 63..32 of a 16-byte descriptor, else 0 */
    uint64_t addr;   /* linear address it came from */
};

enum {
    DESC_TSS16 = 1,
    DESC_LDT = 2,
    DESC_TSS16_BUSY = 3,
    DESC_CALL16 = 4,
    DESC_TASK_GATE = 5,
    DESC_INT16 = 6,
    DESC_TRAP16 = 7,
    DESC_TSS32 = 9,
    DESC_TSS32_BUSY = 11,
    DESC_CALL32 = 12,
    DESC_INT32 = 14,
    DESC_TRAP32 = 15
};

static inline unsigned desc_attr(const struct desc *d)
{
    return d->hi >> 8 & 0xf0ff;
}
static inline unsigned desc_type(const struct desc *d) /* with S as bit 4 */
{
    return d->hi >> 8 & 0x1f;
}
static inline unsigned desc_dpl(const struct desc *d)
{
    return d->hi >> 13 & 3;
}
static inline bool desc_present(const struct desc *d)
{
    return d->hi & BIT(15);
}
static inline bool desc_is_code(const struct desc *d)
{
    return (d->hi & (BIT(12) | BIT(11))) == (BIT(12) | BIT(11));
}
static inline bool desc_is_conforming(const struct desc *d)
{
    return d->hi & BIT(10);
}
uint32_t desc_limit(const struct desc *d);
uint64_t desc_base(const struct desc *d);
/* Read selector's descriptor (8 bytes); false: outside its table. */
bool desc_read(struct cpu *c, uint16_t sel, struct desc *d);
/* Read the second half of a 16-byte descriptor; false: outside its table. */
bool desc_read_high(struct cpu *c, uint16_t sel, struct desc *d);
/* Fill a segment register from a descriptor, setting its accessed bit in memory where that is
 * clear. */
void seg_set(struct cpu *c, unsigned seg, uint16_t sel, struct desc *d);
/* Only the accessed bit: called for every descriptor before the first register is written. */
void desc_touch(struct cpu *c, struct desc *d);
void seg_set_null(struct cpu *c, unsigned seg, uint16_t sel);
/* CS from a checked descriptor; also sets CPL.  cpu_update_mode is the caller's. */
void seg_set_cs(struct cpu *c, uint16_t sel, struct desc *d, unsigned cpl);
/* A new SS for stack of level `cpl`: checks with errors `vec` (#TS or #GP; not present: #SS), gives
 * the descriptor. */
void seg_check_ss(struct cpu *c, uint16_t sel, unsigned cpl, unsigned vec, struct desc *d);
/* Raise `vec` naming a selector (RPL cleared), and with EXT where an event is being delivered. */
G_NORETURN void raise_sel(struct cpu *c, unsigned vec, uint16_t sel);
/* #GP(0) unless `off` is inside code segment `d` (L: canonical). */
void seg_check_ip(struct cpu *c, const struct desc *d, uint64_t off);
/* Is descriptor `d` 64-bit code (in a CPU in long mode)? */
static inline bool desc_is_long_code(const struct cpu *c, const struct desc *d)
{
    return cpu_is_long(c) && d->hi & BIT(21);
}
/* Back at an outer level: data segments more privileged than CPL become null. */
void seg_drop_inner(struct cpu *c);

/* A stack being pushed to or popped from before it is installed. */
struct xstack {
    uint64_t base, sp, mask;
    uint32_t limit;
    uint16_t attr;
    uint16_t error; /* selector for #SS */
    bool flat64;
    unsigned cpl;
};
/* The stack now in SS:RSP. */
void xstack_init(struct cpu *c, struct xstack *s);
/* The stack of a new SS descriptor. */
void xstack_init_desc(struct cpu *c, struct xstack *s, const struct desc *d, uint16_t sel,
                      uint64_t sp, unsigned cpl);
/* A 64-bit stack. */
void xstack_init64(struct xstack *s, uint64_t sp, unsigned cpl);
/* size: 0, 1, 2 for 2, 4, 8 bytes */
void xstack_push(struct cpu *c, struct xstack *s, uint64_t val, unsigned size);
uint64_t xstack_pop(struct cpu *c, struct xstack *s, unsigned size);
/* Write the pointer back to RSP by the stack's width. */
void xstack_commit(struct cpu *c, const struct xstack *s);

/* ---- exceptions (excp.c) ---- */

enum event_kind {
    EVENT_FAULT,
    EVENT_TRAP,
    EVENT_EXT /* interrupt, NMI */,
    EVENT_INTN,
    EVENT_INT3 /* INT3 and INTO */,
    EVENT_INT1,
};
/* Enter the handler of `vector`, with `ip` as return address.  Raises. */
struct event {
    unsigned vector;
    enum event_kind kind;
    bool has_error;
    uint32_t error;
    uint64_t ip;
};
void excp_enter_real(struct cpu *c, const struct event *ev);
/* V86-mode INT n under VME; true: done by redirection.  Raises #GP(0) where IOPL forbids. */
bool excp_v86_int(struct cpu *c, const struct event *ev);
void excp_enter(struct cpu *c, const struct event *ev);

/* Stack level SSn:ESPn of the TSS; long mode: RSPn (n < 4) or IST n - 3. */
void tss_inner_stack(struct cpu *c, unsigned level, uint16_t *ss, uint64_t *sp);
uint64_t tss_long_stack(struct cpu *c, unsigned n);

/* Data breakpoints and #AC for an access that took the checked path. */
void debug_check_access(struct cpu *c, uint64_t la, unsigned size, bool write);
bool debug_is_armed(const struct cpu *c);

/* ---- ends of handlers ---- */

/* Carry on at c->ip after `i`, under whatever mode there is now. */
static inline void sys_continue(struct cpu *c, const struct insn *i)
{
    c->icount += i->n;
    c->cur = NULL;
    if (unlikely(c->slow || c->step || c->pending_dr6)) {
        LEAVE(c);
    }
    return branch_indirect(c);
}

/* End of a handler that may have changed the mode or a translation: straight on when not. */
static inline void sys_next(struct cpu *c, const struct insn *i, uint64_t key)
{
    if (likely(c->jkey == key)) {
        NEXT(c, i);
    }
    c->ip = insn_next_ip(c, i);
    return sys_continue(c, i);
}

/* End of a handler that may have let an interrupt in: leaves when anything is pending. */
static inline void sys_next_open(struct cpu *c, const struct insn *i)
{
    if (unlikely(vcpu_pending(c->v))) {
        insn_commit(c, i);
        LEAVE(c);
    }
    NEXT(c, i);
}

/*
 * Serialising instructions: everybody sees the stores before them before anything behind them is
 * loaded, and code that was written before is what runs behind them.
 */
static inline void sys_serialise(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
static inline void sys_next_serial(struct cpu *c, const struct insn *i)
{
    sys_serialise();
    return sys_next_open(c, i);
}
/* The same of one that may have changed the mode or a translation: what is behind it, too, is
 * fetched as it is mapped now. */
static inline void sys_next_remapped(struct cpu *c, const struct insn *i, uint64_t key)
{
    sys_serialise();
    if (unlikely(vcpu_pending(c->v))) {
        insn_commit(c, i);
        LEAVE(c);
    }
    return sys_next(c, i, key);
}

#endif
