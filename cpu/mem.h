/*
 * Guest memory accesses by handlers: the inline software-TLB hit, and the slow path behind it.
 *
 * Linear addresses come from ea_* below (segment checks done).  Every call may raise (#PF, #GP,
 * #SS, #AC) and does not return then; the instruction `i` is what the fault is charged to.
 *
 * Memory ordering: plain host loads and stores have the guest's (x86 TSO) ordering.  They are made
 * once each and in one piece; the compiler cannot reorder those of different instructions, which
 * are different functions.
 * Read-modify-writes use mem_rmw/mem_rmw_done: a host pointer when the page allows direct stores,
 * else a bounce buffer that is written back.  Those that must be atomic use mem_lock/mem_lock_done
 * with a locked host instruction in between.
 *
 * Not modelled: memory types (everything is write-back), and #AC for SIMD operands.
 */
#ifndef CPU_MEM_H
#define CPU_MEM_H

#include "cpu/insn.h"

/* Slow paths (cpu/mmu.c): fill the TLB, cross pages, reach MMIO, notice stores to code. */
uint64_t mem_load_slow(struct cpu *c, const struct insn *i, uint64_t la, unsigned size);
void mem_store_slow(struct cpu *c, const struct insn *i, uint64_t la, uint64_t val, unsigned size);
void *mem_rmw_slow(struct cpu *c, const struct insn *i, uint64_t la,
                   unsigned size); /* host pointer or c->bounce */
void mem_rmw_flush(struct cpu *c, const struct insn *i, uint64_t la, unsigned size);
/* The same for an operation that must be atomic: where no host page can be had, or the operand lies
 * on two, nobody else runs between the two calls. */
void *mem_lock_slow(struct cpu *c, const struct insn *i, uint64_t la, unsigned size);
void mem_lock_flush(struct cpu *c, const struct insn *i, uint64_t la, unsigned size);
/* Any length up to 64 (SIMD, FXSAVE pieces): both pages are checked before the first byte is
 * written. */
void mem_load_bytes(struct cpu *c, const struct insn *i, uint64_t la, void *buf, unsigned len);
void mem_store_bytes(struct cpu *c, const struct insn *i, uint64_t la, const void *buf,
                     unsigned len);
/* Raise now what a store of `len` bytes (any length) at la would raise. */
void mem_probe_write(struct cpu *c, const struct insn *i, uint64_t la, unsigned len);
/* The same for an operand of `size` bytes: what its alignment raises too. */
void mem_probe_operand(struct cpu *c, const struct insn *i, uint64_t la, unsigned size);
/*
 * Supervisor accesses of the processor itself, whatever CPL (descriptor tables, TSS): 1, 2, 4 or 8
 * bytes.  c->cur must be set or NULL as for cpu_raise.
 */
uint64_t mem_sys_load(struct cpu *c, uint64_t la, unsigned size);
void mem_sys_store(struct cpu *c, uint64_t la, uint64_t val, unsigned size);
/* Accesses as if at CPL `cpl` (stack pushes of an interrupt to an inner level, and so on). */
uint64_t mem_cpl_load(struct cpu *c, uint64_t la, unsigned size, unsigned cpl);
void mem_cpl_store(struct cpu *c, uint64_t la, uint64_t val, unsigned size, unsigned cpl);
/*
 * String instructions: a host pointer for la good for *len bytes (at most the rest of the page) for
 * reading or writing (with the page's dirty and code state taken care of for plain stores), or
 * NULL: not plain RAM, or a code page; go access by access.  Raises #PF.
 */
void *mem_span(struct cpu *c, const struct insn *i, uint64_t la, bool write, unsigned *len);

/*
 * The slow paths called so that no register is lost (mem_thunk.c): the fast path needs no stack
 * frame.  Vector registers are lost.
 */
#define MEM_THUNK_CLOBBERS                                                                         \
    "cc", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",        \
        "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

static inline uint64_t mem_call_load(struct cpu *c, const struct insn *i, uint64_t la,
                                     uint64_t size)
{
    uint64_t v;

    __asm__ volatile("call mem_load_slow_thunk"
                     : "=a"(v)
                     : "D"(c), "S"(i), "d"(la), "c"(size)
                     : MEM_THUNK_CLOBBERS);
    return v;
}

static inline void mem_call_store(struct cpu *c, const struct insn *i, uint64_t la, uint64_t val,
                                  uint64_t size)
{
    register uint64_t r8 __asm__("r8") = size;

    __asm__ volatile("call mem_store_slow_thunk"
                     :
                     : "D"(c), "S"(i), "d"(la), "c"(val), "r"(r8)
                     : MEM_THUNK_CLOBBERS, "rax");
}

static inline void *mem_call_rmw(struct cpu *c, const struct insn *i, uint64_t la, uint64_t size)
{
    void *p;

    __asm__ volatile("call mem_rmw_slow_thunk"
                     : "=a"(p)
                     : "D"(c), "S"(i), "d"(la), "c"(size)
                     : MEM_THUNK_CLOBBERS);
    return p;
}

static inline void mem_call_rmw_flush(struct cpu *c, const struct insn *i, uint64_t la,
                                      uint64_t size)
{
    __asm__ volatile("call mem_rmw_flush_thunk"
                     :
                     : "D"(c), "S"(i), "d"(la), "c"(size)
                     : MEM_THUNK_CLOBBERS, "rax");
}

static inline void *mem_call_lock(struct cpu *c, const struct insn *i, uint64_t la, uint64_t size)
{
    void *p;

    __asm__ volatile("call mem_lock_slow_thunk"
                     : "=a"(p)
                     : "D"(c), "S"(i), "d"(la), "c"(size)
                     : MEM_THUNK_CLOBBERS);
    return p;
}

static inline void mem_call_lock_flush(struct cpu *c, const struct insn *i, uint64_t la,
                                       uint64_t size)
{
    __asm__ volatile("call mem_lock_flush_thunk"
                     :
                     : "D"(c), "S"(i), "d"(la), "c"(size)
                     : MEM_THUNK_CLOBBERS, "rax");
}

static inline struct tlb_entry *tlb_slot(struct cpu *c, uint64_t la)
{
    return &c->tlb[tlb_own(la)];
}

/* What was loaded is used, not what a second load would give. */
#define MEM_OPAQUE(v) __asm__("" : "+q"(v))

#define MEM_DEFINE(bits, type)                                                                     \
    static inline type mem_load##bits(struct cpu *c, const struct insn *i, uint64_t la)            \
    {                                                                                              \
        const struct tlb_entry *e = tlb_slot(c, la);                                               \
        if (likely(la - e->tag_r <= PAGE_BYTES - sizeof(type))) {                                  \
            type v;                                                                                \
            memcpy(&v, (const void *)(uintptr_t)(la + e->addend), sizeof v);                       \
            MEM_OPAQUE(v);                                                                         \
            return v;                                                                              \
        }                                                                                          \
        return (type)mem_call_load(c, i, la, sizeof(type));                                        \
    }                                                                                              \
    static inline void mem_store##bits(struct cpu *c, const struct insn *i, uint64_t la, type v)   \
    {                                                                                              \
        const struct tlb_entry *e = tlb_slot(c, la);                                               \
        if (likely(la - e->tag_w <= PAGE_BYTES - sizeof(type))) {                                  \
            memcpy((void *)(uintptr_t)(la + e->addend), &v, sizeof v);                             \
            return;                                                                                \
        }                                                                                          \
        mem_call_store(c, i, la, v, sizeof(type));                                                 \
    }                                                                                              \
    /* Pointer to the operand of a read-modify-write; write it through mem_rmw_done##bits. */      \
    static inline void *mem_rmw##bits(struct cpu *c, const struct insn *i, uint64_t la)            \
    {                                                                                              \
        const struct tlb_entry *e = tlb_slot(c, la);                                               \
        if (likely(la - e->tag_w <= PAGE_BYTES - sizeof(type))) {                                  \
            return (void *)(uintptr_t)(la + e->addend);                                            \
        }                                                                                          \
        return mem_call_rmw(c, i, la, sizeof(type));                                               \
    }                                                                                              \
    static inline void mem_rmw_done##bits(struct cpu *c, const struct insn *i, uint64_t la,        \
                                          void *p)                                                 \
    {                                                                                              \
        if (unlikely(p == c->bounce)) {                                                            \
            mem_call_rmw_flush(c, i, la, sizeof(type));                                            \
        }                                                                                          \
    }                                                                                              \
    /* The same for an atomic operation: no fault may be raised between the two. */                \
    static inline void *mem_lock##bits(struct cpu *c, const struct insn *i, uint64_t la)           \
    {                                                                                              \
        const struct tlb_entry *e = tlb_slot(c, la);                                               \
        if (likely(la - e->tag_w <= PAGE_BYTES - sizeof(type))) {                                  \
            return (void *)(uintptr_t)(la + e->addend);                                            \
        }                                                                                          \
        return mem_call_lock(c, i, la, sizeof(type));                                              \
    }                                                                                              \
    static inline void mem_lock_done##bits(struct cpu *c, const struct insn *i, uint64_t la,       \
                                           void *p)                                                \
    {                                                                                              \
        if (unlikely(p == c->bounce)) {                                                            \
            mem_call_lock_flush(c, i, la, sizeof(type));                                           \
        }                                                                                          \
    }
MEM_DEFINE(8, uint8_t)
MEM_DEFINE(16, uint16_t)
MEM_DEFINE(32, uint32_t)
MEM_DEFINE(64, uint64_t)
#undef MEM_DEFINE

/* ---- effective addresses ---- */

/* Offset of the memory operand in its segment, cut to the address size. */
static inline uint64_t ea_offset(const struct cpu *c, const struct insn *i)
{
    uint64_t off = c->r[i->base] + (c->r[i->index] << INSN_SCALE(i)) + (uint64_t)(int64_t)i->disp;

    return INSN_ASIZE(i) == 2 ? off : INSN_ASIZE(i) == 1 ? (uint32_t)off : (uint16_t)off;
}

/* One function per address form, named as the form; all give a linear address. */
static inline uint64_t ea_mb(const struct cpu *c, const struct insn *i)
{
    return c->r[i->base] + (uint64_t)(int64_t)i->disp;
}
static inline uint64_t ea_mx(const struct cpu *c, const struct insn *i)
{
    return c->r[i->base] + (c->r[i->index] << INSN_SCALE(i)) + (uint64_t)(int64_t)i->disp;
}
static inline uint64_t ea_m32(const struct cpu *c, const struct insn *i)
{
    return (uint32_t)(c->r[i->base] + (c->r[i->index] << INSN_SCALE(i)) + (uint32_t)i->disp);
}
enum { EA_READ = 0, EA_WRITE = 1 };
/* Any mode: address size, segment base, limit and type checks for `size` bytes.  Raises #GP/#SS. */
uint64_t ea_generic(struct cpu *c, const struct insn *i, unsigned size, unsigned write);
/* The same for an offset in a segment (stack, strings, SIMD); in 64-bit code only FS/GS have a
 * base. */
uint64_t seg_linear(struct cpu *c, const struct insn *i, unsigned seg, uint64_t off, unsigned size,
                    unsigned write);

#endif
