/*
 * Inline pieces of the memory forms of SIMD and x87 handlers: an operand's host address when its
 * page is in the TLB.
 *
 * Not modelled: alignment checks (#AC).
 */
#ifndef CPU_NATIVE_MEM_H
#define CPU_NATIVE_MEM_H

#include "cpu/mem.h"
#include "cpu/native.h"

/* Host address good for reading `size` bytes (in place, or a copy in the scratch buffer).  Raises.
 */
static inline void *native_read(struct cpu *c, const struct insn *i, uint64_t la, unsigned size)
{
    const struct tlb_entry *e = tlb_slot(c, la);

    if (likely(la - e->tag_r <= PAGE_BYTES - size)) {
        return (void *)(uintptr_t)(la + e->addend);
    }
    return native_read_slow(c, i, la, size);
}

/* Host address good for storing `size` bytes directly, or NULL: take the slow path. */
static inline void *native_write(struct cpu *c, uint64_t la, unsigned size)
{
    const struct tlb_entry *e = tlb_slot(c, la);

    return likely(la - e->tag_w <= PAGE_BYTES - size) ? (void *)(uintptr_t)(la + e->addend) : NULL;
}

/* The linear address in each memory form (enum form). */
#define NATIVE_EA_MB(size, access)  ea_mb(c, i)
#define NATIVE_EA_MX(size, access)  ea_mx(c, i)
#define NATIVE_EA_M32(size, access) ea_m32(c, i)
#define NATIVE_EA_MG(size, access)  ea_generic(c, i, size, access)

#endif
