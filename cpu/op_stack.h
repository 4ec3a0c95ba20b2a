/*
 * Pushes and pops in any mode: the stack pointer is SP, ESP or RSP by SS.B and code size; SS checks
 * included.
 *
 * Not modelled: shadow stacks (CET).
 */
#ifndef CPU_OP_STACK_H
#define CPU_OP_STACK_H

#include "cpu/op.h"

/* The bits of RSP in use as stack pointer. */
static inline uint64_t stack_mask(const struct cpu *c)
{
    return cpu_is_64(c) ? ~0ull : c->mode & MODE_STACK32 ? 0xffffffffull : 0xffffull;
}

static inline void stack_set(struct cpu *c, uint64_t sp)
{
    uint64_t mask = stack_mask(c);

    c->r[R_RSP] = (c->r[R_RSP] & ~mask) | (sp & mask);
}

/* push: stores, then moves the pointer.  top: reads the top, giving the pointer behind it for
 * stack_set. */
#define STACK_DEFINE(bits, type)                                                                   \
    static inline void stack_push##bits(struct cpu *c, const struct insn *i, type v)               \
    {                                                                                              \
        uint64_t sp = (c->r[R_RSP] - bits / 8) & stack_mask(c);                                    \
        mem_store##bits(c, i, seg_linear(c, i, SEG_SS, sp, bits / 8, EA_WRITE), v);                \
        stack_set(c, sp);                                                                          \
    }                                                                                              \
    static inline type stack_top##bits(struct cpu *c, const struct insn *i, uint64_t *after)       \
    {                                                                                              \
        uint64_t sp = c->r[R_RSP] & stack_mask(c);                                                 \
        *after = sp + bits / 8;                                                                    \
        return mem_load##bits(c, i, seg_linear(c, i, SEG_SS, sp, bits / 8, EA_READ));              \
    }
STACK_DEFINE(16, uint16_t)
STACK_DEFINE(32, uint32_t)
STACK_DEFINE(64, uint64_t)
#undef STACK_DEFINE

#endif
