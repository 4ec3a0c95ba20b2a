/*
 * Pairs run as one: CMP, TEST or register arithmetic followed by Jcc.
 *
 * The comparison's flags decide the branch straight away, while c->fl is written on the side; one
 * dispatch less, and a mispredicted branch is known some ten cycles earlier.  The pair keeps its
 * two places in the block, so counting, links and faults are as before.
 *
 * Follows: Intel SDM volume 2.  Not modelled: 16-bit operands, address forms of rare use (they run
 * unfused).
 */
#include "cpu/op.h"
#include "cpu/ops.h"

#define PAIR(name, mnem, bits, T, sfx, cc, va, vb)                                                 \
    static void op_##name##_j##cc(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        T a = va, b = vb;                                                                          \
        int taken;                                                                                 \
        __asm__(mnem sfx " %[y], %[x]" ASM_FLAGS                                                   \
                : "=@cc" #cc(taken), ASM_FLAGS_OUT                                                 \
                : [x] "q"(a), [y] "q"(b), ASM_FLAGS_IN                                             \
                : "rax");                                                                          \
        if (taken) {                                                                               \
            return pair_taken(c, i + 1);                                                           \
        }                                                                                          \
        return i[2].fn(c, i + 2);                                                                  \
    }

/* The same with a result: a op= b, or op a alone, in register `d`. */
#define PAIR_W(name, mnem, operands, bits, T, sfx, cc, d, va, vb)                                  \
    static void op_##name##_j##cc(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        T a = va, b = vb;                                                                          \
        int taken;                                                                                 \
        __asm__(mnem sfx operands ASM_FLAGS                                                        \
                : [x] "+&q"(a), "=@cc" #cc(taken), ASM_FLAGS_OUT                                   \
                : [y] "q"(b), [fl] "r"(fl_high(c)), ASM_FLAGS_IN                                   \
                : "rax");                                                                          \
        SET##bits(d, a);                                                                           \
        if (taken) {                                                                               \
            return pair_taken(c, i + 1);                                                           \
        }                                                                                          \
        return i[2].fn(c, i + 2);                                                                  \
    }

/* i is the Jcc: r1 says whether its target is cut to 32 bits. */
static ALWAYS_INLINE void pair_taken(struct cpu *c, const struct insn *i)
{
    uint64_t ip = c->r[R_BASE] + (uint64_t)(int64_t)i->disp;

    return branch_direct(c, i, i->r1 ? (uint32_t)ip : ip);
}

// clang-format off
#define ALL_CC(X, ...)                                                                             \
    X(__VA_ARGS__, o) X(__VA_ARGS__, no) X(__VA_ARGS__, b) X(__VA_ARGS__, ae) X(__VA_ARGS__, e)    \
    X(__VA_ARGS__, ne) X(__VA_ARGS__, be) X(__VA_ARGS__, a) X(__VA_ARGS__, s) X(__VA_ARGS__, ns)   \
    X(__VA_ARGS__, p) X(__VA_ARGS__, np) X(__VA_ARGS__, l) X(__VA_ARGS__, ge) X(__VA_ARGS__, le)   \
    X(__VA_ARGS__, g)
// clang-format on

#define LOAD(bits, form) mem_load##bits(c, i, LA_##form(bits / 8, EA_READ))
#define EG_R(X, name, mnem, bits, T, sfx, cc)                                                      \
    X(name, mnem, bits, T, sfx, cc, GET##bits(i->r2), GET##bits(i->r1))
#define GE_R(X, name, mnem, bits, T, sfx, cc)                                                      \
    X(name, mnem, bits, T, sfx, cc, GET##bits(i->r1), GET##bits(i->r2))
#define EI_R(X, name, mnem, bits, T, sfx, cc)                                                      \
    X(name, mnem, bits, T, sfx, cc, GET##bits(i->r2), (T)i->imm)
#define AI_R(X, name, mnem, bits, T, sfx, cc)                                                      \
    X(name, mnem, bits, T, sfx, cc, GET##bits(R_RAX), (T)i->imm)
#define EG_MB(X, name, mnem, bits, T, sfx, cc)                                                     \
    X(name, mnem, bits, T, sfx, cc, LOAD(bits, mb), GET##bits(i->r1))
#define GE_MB(X, name, mnem, bits, T, sfx, cc)                                                     \
    X(name, mnem, bits, T, sfx, cc, GET##bits(i->r1), LOAD(bits, mb))
#define EI_MB(X, name, mnem, bits, T, sfx, cc)                                                     \
    X(name, mnem, bits, T, sfx, cc, LOAD(bits, mb), (T)i->imm)
#define EI_MX(X, name, mnem, bits, T, sfx, cc)                                                     \
    X(name, mnem, bits, T, sfx, cc, LOAD(bits, mx), (T)i->imm)
#define EI_M32(X, name, mnem, bits, T, sfx, cc)                                                    \
    X(name, mnem, bits, T, sfx, cc, LOAD(bits, m32), (T)i->imm)
#define GE_M32(X, name, mnem, bits, T, sfx, cc)                                                    \
    X(name, mnem, bits, T, sfx, cc, GET##bits(i->r1), LOAD(bits, m32))

// clang-format off
/* Every fused comparison: V(comparison, kind, form, index of width, bits, type, suffix). */
#define FUSED(V)                                                                                   \
    V(cmp, eg, R, 2, 32, uint32_t, "l") V(cmp, eg, R, 3, 64, uint64_t, "q")                        \
    V(cmp, eg, R, 0, 8, uint8_t, "b") V(cmp, ge, R, 0, 8, uint8_t, "b")                            \
    V(cmp, ge, R, 2, 32, uint32_t, "l") V(cmp, ge, R, 3, 64, uint64_t, "q")                        \
    V(cmp, ei, R, 0, 8, uint8_t, "b") V(cmp, ei, R, 2, 32, uint32_t, "l")                          \
    V(cmp, ei, R, 3, 64, uint64_t, "q") V(cmp, ai, R, 0, 8, uint8_t, "b")                          \
    V(cmp, ai, R, 2, 32, uint32_t, "l") V(cmp, ai, R, 3, 64, uint64_t, "q")                        \
    V(cmp, eg, MB, 2, 32, uint32_t, "l") V(cmp, eg, MB, 3, 64, uint64_t, "q")                      \
    V(cmp, ge, MB, 2, 32, uint32_t, "l") V(cmp, ge, MB, 3, 64, uint64_t, "q")                      \
    V(cmp, ei, MB, 0, 8, uint8_t, "b") V(cmp, ei, MB, 2, 32, uint32_t, "l")                        \
    V(cmp, ei, MB, 3, 64, uint64_t, "q") V(cmp, ei, MX, 0, 8, uint8_t, "b")                        \
    V(cmp, ei, M32, 0, 8, uint8_t, "b") V(cmp, ei, M32, 2, 32, uint32_t, "l")                      \
    V(cmp, ge, M32, 2, 32, uint32_t, "l")                                                          \
    V(test, eg, R, 0, 8, uint8_t, "b") V(test, eg, R, 2, 32, uint32_t, "l")                        \
    V(test, eg, R, 3, 64, uint64_t, "q") V(test, ei, R, 0, 8, uint8_t, "b")                        \
    V(test, ai, R, 0, 8, uint8_t, "b") V(test, ei, MB, 0, 8, uint8_t, "b")                         \
    V(test, ei, R, 2, 32, uint32_t, "l") V(test, ei, M32, 0, 8, uint8_t, "b")
// clang-format on

#define KIND_eg_R   EG_R
#define KIND_ge_R   GE_R
#define KIND_ei_R   EI_R
#define KIND_ai_R   AI_R
#define KIND_eg_MB  EG_MB
#define KIND_ge_MB  GE_MB
#define KIND_ei_MB  EI_MB
#define KIND_ei_MX  EI_MX
#define KIND_ei_M32 EI_M32
#define KIND_ge_M32 GE_M32

#define DEFINE_CC(K, name, mnem, bits, T, sfx, cc) K(PAIR, name, mnem, bits, T, sfx, cc)
#define DEFINE(cmp, kind, form, index, bits, T, sfx)                                               \
    ALL_CC(DEFINE_CC, KIND_##kind##_##form, cmp##_##kind##_##form##bits, #cmp, bits, T, sfx)
FUSED(DEFINE)

// clang-format off
/* Register arithmetic: W(name, table, index of width, bits, type, suffix, mnemonic, operands,
 * kind). */
#define FUSED_W(W)                                                                                 \
    W(add_eg, add_eg, 2, 32, uint32_t, "l", "add", " %[y], %[x]", WEG)                             \
    W(add_eg, add_eg, 3, 64, uint64_t, "q", "add", " %[y], %[x]", WEG)                             \
    W(add_ei, add_ei, 2, 32, uint32_t, "l", "add", " %[y], %[x]", WEI)                             \
    W(add_ei, add_ei, 3, 64, uint64_t, "q", "add", " %[y], %[x]", WEI)                             \
    W(sub_eg, sub_eg, 2, 32, uint32_t, "l", "sub", " %[y], %[x]", WEG)                             \
    W(sub_eg, sub_eg, 3, 64, uint64_t, "q", "sub", " %[y], %[x]", WEG)                             \
    W(sub_ei, sub_ei, 2, 32, uint32_t, "l", "sub", " %[y], %[x]", WEI)                             \
    W(sub_ei, sub_ei, 3, 64, uint64_t, "q", "sub", " %[y], %[x]", WEI)                             \
    W(and_eg, and_eg, 2, 32, uint32_t, "l", "and", " %[y], %[x]", WEG)                             \
    W(and_eg, and_eg, 3, 64, uint64_t, "q", "and", " %[y], %[x]", WEG)                             \
    W(and_ei, and_ei, 2, 32, uint32_t, "l", "and", " %[y], %[x]", WEI)                             \
    W(and_ei, and_ei, 3, 64, uint64_t, "q", "and", " %[y], %[x]", WEI)                             \
    W(or_eg, or_eg, 2, 32, uint32_t, "l", "or", " %[y], %[x]", WEG)                                \
    W(or_eg, or_eg, 3, 64, uint64_t, "q", "or", " %[y], %[x]", WEG)                                \
    W(dec, dec, 2, 32, uint32_t, "l", "btl $0, %[fl]\n\tdec", " %[x]", WE)                         \
    W(dec, dec, 3, 64, uint64_t, "q", "btl $0, %[fl]\n\tdec", " %[x]", WE)                         \
    W(inc, inc, 2, 32, uint32_t, "l", "btl $0, %[fl]\n\tinc", " %[x]", WE)                         \
    W(dec_z, dec_z, 2, 32, uint32_t, "l", "btl $0, %[fl]\n\tdec", " %[x]", WZ)                     \
    W(inc_z, inc_z, 2, 32, uint32_t, "l", "btl $0, %[fl]\n\tinc", " %[x]", WZ)
// clang-format on

#define WEG(name, mnem, ops, bits, T, sfx, cc)                                                     \
    PAIR_W(name, mnem, ops, bits, T, sfx, cc, i->r2, GET##bits(i->r2), GET##bits(i->r1))
#define WEI(name, mnem, ops, bits, T, sfx, cc)                                                     \
    PAIR_W(name, mnem, ops, bits, T, sfx, cc, i->r2, GET##bits(i->r2), (T)i->imm)
#define WE(name, mnem, ops, bits, T, sfx, cc)                                                      \
    PAIR_W(name, mnem, ops, bits, T, sfx, cc, i->r2, GET##bits(i->r2), 0)
#define WZ(name, mnem, ops, bits, T, sfx, cc)                                                      \
    PAIR_W(name, mnem, ops, bits, T, sfx, cc, i->r1, GET##bits(i->r1), 0)
#define DEFINE_W_CC(K, name, mnem, ops, bits, T, sfx, cc) K(name, mnem, ops, bits, T, sfx, cc)
#define DEFINE_W(name, table, index, bits, T, sfx, mnem, ops, kind)                                \
    ALL_CC(DEFINE_W_CC, kind, w_##name##bits, mnem, ops, bits, T, sfx)
FUSED_W(DEFINE_W)

struct fused {
    const struct op_fns *fns;
    uint8_t form, index;
    op_fn *fn[16];
};

#define ENTRY_CC(name, cc) op_##name##_j##cc,
#define ENTRY(cmp, kind, form, index, bits, T, sfx)                                                \
    {&fns_##cmp##_##kind, FORM_##form, index, {ALL_CC(ENTRY_CC, cmp##_##kind##_##form##bits)}},
#define ENTRY_W(name, table, index, bits, T, sfx, mnem, ops, kind)                                 \
    {&fns_##table, FORM_R, index, {ALL_CC(ENTRY_CC, w_##name##bits)}},
static const struct fused fused[] = {FUSED(ENTRY) FUSED_W(ENTRY_W)};

#define JCC(cc) &fns_j##cc,
static const struct op_fns *const jcc[16] = {FOR_CONDITIONS(JCC)};

/* The condition of a Jcc handler with 32- or 64-bit operand size, or -1. */
static int condition_of(op_fn *fn, bool *cut)
{
    for (int n = 0; n < 16; n++) {
        if (fn == jcc[n]->fn[FORM_R][3] || fn == jcc[n]->fn[FORM_R][2]) {
            *cut = fn == jcc[n]->fn[FORM_R][2];
            return n;
        }
    }
    return -1;
}

void op_fuse(struct insn *first, struct insn *second)
{
    bool cut = false;
    int cc = condition_of(second->fn, &cut);

    if (cc < 0) {
        return;
    }
    for (unsigned n = 0; n < ARRAY_LEN(fused); n++) {
        const struct fused *f = &fused[n];

        if (first->fn == f->fns->fn[f->form][f->index]) {
            first->fn = f->fn[cc];
            second->r1 = cut;
            return;
        }
    }
}
