/*
 * The sixteen conditions of Jcc, SETcc and CMOVcc, on flags in the c->fl layout (cpu.h).
 *
 * Not modelled: nothing is left out.
 */
#ifndef CPU_OP_COND_H
#define CPU_OP_COND_H

#include "cpu/cpu.h"

/* The two bytes of c->fl: OF, and the others as LAHF gives them. */
enum { HI_CF = FL_CF >> 8, HI_PF = FL_PF >> 8, HI_ZF = FL_ZF >> 8, HI_SF = FL_SF >> 8 };

#define COND(cc, expr)                                                                             \
    static inline bool cond_##cc(const struct cpu *c)                                              \
    {                                                                                              \
        const uint8_t *b = (const uint8_t *)&c->fl;                                                \
        const uint8_t of = b[0], hi = b[1];                                                        \
        (void)of;                                                                                  \
        (void)hi;                                                                                  \
        return expr;                                                                               \
    }
COND(o, of)
COND(no, !of)
COND(b, hi &HI_CF)
COND(ae, !(hi & HI_CF))
COND(e, hi &HI_ZF)
COND(ne, !(hi & HI_ZF))
COND(be, hi &(HI_CF | HI_ZF))
COND(a, !(hi & (HI_CF | HI_ZF)))
COND(s, hi &HI_SF)
COND(ns, !(hi & HI_SF))
COND(p, hi &HI_PF)
COND(np, !(hi & HI_PF))
COND(l, hi >> 7 != of)
COND(ge, hi >> 7 == of)
COND(le, hi >> 7 != of || (hi & HI_ZF))
COND(g, hi >> 7 == of && !(hi & HI_ZF))
#undef COND

/* In opcode order. */
#define FOR_CONDITIONS(X)                                                                          \
    X(o) X(no) X(b) X(ae) X(e) X(ne) X(be) X(a) X(s) X(ns) X(p) X(np) X(l) X(ge) X(le) X(g)

#endif
