/*
 * ADD OR ADC SBB AND SUB XOR CMP TEST, INC DEC NEG NOT, in every operand form and width.
 *
 * Follows: Intel SDM volume 2.  Not modelled: nothing left out; LOCK forms are atomic on the host
 * page.
 */
#include "cpu/op.h"
#include "cpu/ops.h"

/* One host instruction on values: a op= b, flags to c->fl. */
#define DO_PLAIN(mnem, sfx, a, b)                                                                  \
    __asm__(mnem sfx " %[y], %[x]" ASM_FLAGS                                                       \
            : [x] "+&q"(a), ASM_FLAGS_OUT                                                          \
            : [y] "q"(b), ASM_FLAGS_IN                                                             \
            : "cc", "rax")
#define DO_CARRY(mnem, sfx, a, b)                                                                  \
    __asm__(CARRY_IN mnem sfx " %[y], %[x]" ASM_FLAGS                                              \
            : [x] "+&q"(a), ASM_FLAGS_OUT                                                          \
            : [y] "q"(b), [fl] "r"(fl_high(c)), ASM_FLAGS_IN                                       \
            : "cc", "rax")
#define DO_COMPARE(mnem, sfx, a, b)                                                                \
    __asm__(mnem sfx " %[y], %[x]" ASM_FLAGS:ASM_FLAGS_OUT                                         \
            : [x] "q"(a), [y] "q"(b), ASM_FLAGS_IN                                                 \
            : "cc", "rax")
#define CARRY_IN "btl $0, %[fl]\n\t"

/* Binary operations that write their destination.  eg: rm op= reg; ge: reg op= rm; ei: rm op= imm.
 */
#define ALU_MEM(bits, T, sfx, name, DO, mnem, form)                                                \
    static void op_##name##_eg_##form##bits(struct cpu *c, const struct insn *i)                   \
    {                                                                                              \
        uint64_t la = LA_##form(bits / 8, EA_WRITE);                                               \
        void *p = mem_rmw##bits(c, i, la);                                                         \
        T a, b = GET##bits(i->r1);                                                                 \
        memcpy(&a, p, sizeof a);                                                                   \
        DO(mnem, sfx, a, b);                                                                       \
        memcpy(p, &a, sizeof a);                                                                   \
        mem_rmw_done##bits(c, i, la, p);                                                           \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_ei_##form##bits(struct cpu *c, const struct insn *i)                   \
    {                                                                                              \
        uint64_t la = LA_##form(bits / 8, EA_WRITE);                                               \
        void *p = mem_rmw##bits(c, i, la);                                                         \
        T a, b = (T)i->imm;                                                                        \
        memcpy(&a, p, sizeof a);                                                                   \
        DO(mnem, sfx, a, b);                                                                       \
        memcpy(p, &a, sizeof a);                                                                   \
        mem_rmw_done##bits(c, i, la, p);                                                           \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_ge_##form##bits(struct cpu *c, const struct insn *i)                   \
    {                                                                                              \
        T b = mem_load##bits(c, i, LA_##form(bits / 8, EA_READ));                                  \
        T a = GET##bits(i->r1);                                                                    \
        DO(mnem, sfx, a, b);                                                                       \
        SET##bits(i->r1, a);                                                                       \
        NEXT(c, i);                                                                                \
    }

#define ALU_REG(bits, T, sfx, name, DO, mnem)                                                      \
    static void op_##name##_eg_r##bits(struct cpu *c, const struct insn *i)                        \
    {                                                                                              \
        T a = GET##bits(i->r2), b = GET##bits(i->r1);                                              \
        DO(mnem, sfx, a, b);                                                                       \
        SET##bits(i->r2, a);                                                                       \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_ge_r##bits(struct cpu *c, const struct insn *i)                        \
    {                                                                                              \
        T a = GET##bits(i->r1), b = GET##bits(i->r2);                                              \
        DO(mnem, sfx, a, b);                                                                       \
        SET##bits(i->r1, a);                                                                       \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_ei_r##bits(struct cpu *c, const struct insn *i)                        \
    {                                                                                              \
        T a = GET##bits(i->r2), b = (T)i->imm;                                                     \
        DO(mnem, sfx, a, b);                                                                       \
        SET##bits(i->r2, a);                                                                       \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_ai_r##bits(struct cpu *c, const struct insn *i)                        \
    {                                                                                              \
        T a = GET##bits(R_RAX), b = (T)i->imm;                                                     \
        DO(mnem, sfx, a, b);                                                                       \
        SET##bits(R_RAX, a);                                                                       \
        NEXT(c, i);                                                                                \
    }

/* With LOCK: the host's own locked instruction on the page (a bounce buffer needs no lock). */
#define ALU_LOCK(bits, T, sfx, name, mnem, carry)                                                  \
    static void op_##name##_lock_eg##bits(struct cpu *c, const struct insn *i)                     \
    {                                                                                              \
        uint64_t la = EA(bits / 8, EA_WRITE);                                                      \
        T *p = mem_lock##bits(c, i, la);                                                           \
        T b = GET##bits(i->r1);                                                                    \
        __asm__ volatile(carry "lock; " mnem sfx " %[y], %[x]" ASM_FLAGS                           \
                         : [x] "+m"(*p), ASM_FLAGS_OUT                                             \
                         : [y] "q"(b), [fl] "r"(fl_high(c)), ASM_FLAGS_IN                          \
                         : "cc", "memory", "rax");                                                 \
        mem_lock_done##bits(c, i, la, p);                                                          \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_lock_ei##bits(struct cpu *c, const struct insn *i)                     \
    {                                                                                              \
        uint64_t la = EA(bits / 8, EA_WRITE);                                                      \
        T *p = mem_lock##bits(c, i, la);                                                           \
        T b = (T)i->imm;                                                                           \
        __asm__ volatile(carry "lock; " mnem sfx " %[y], %[x]" ASM_FLAGS                           \
                         : [x] "+m"(*p), ASM_FLAGS_OUT                                             \
                         : [y] "q"(b), [fl] "r"(fl_high(c)), ASM_FLAGS_IN                          \
                         : "cc", "memory", "rax");                                                 \
        mem_lock_done##bits(c, i, la, p);                                                          \
        NEXT(c, i);                                                                                \
    }

#define FNS_LOCKED(p, q)                                                                           \
    {                                                                                              \
        .fn = {[FORM_R] = FNS_ROW(p##_r),                                                          \
               [FORM_MB] = FNS_ROW(p##_mb),                                                        \
               [FORM_MX] = FNS_ROW(p##_mx),                                                        \
               [FORM_M32] = FNS_ROW(p##_m32),                                                      \
               [FORM_MG] = FNS_ROW(p##_mg)},                                                       \
        .lock = FNS_ROW(q)                                                                         \
    }

#define ALU(name, DO, mnem, carry)                                                                 \
    FOR_WIDTHS(ALU_REG, name, DO, mnem)                                                            \
    FOR_WIDTHS(ALU_MEM, name, DO, mnem, mb)                                                        \
    FOR_WIDTHS(ALU_MEM, name, DO, mnem, mx)                                                        \
    FOR_WIDTHS(ALU_MEM, name, DO, mnem, m32)                                                       \
    FOR_WIDTHS(ALU_MEM, name, DO, mnem, mg)                                                        \
    FOR_WIDTHS(ALU_LOCK, name, mnem, carry)                                                        \
    const struct op_fns fns_##name##_eg = FNS_LOCKED(op_##name##_eg, op_##name##_lock_eg);         \
    const struct op_fns fns_##name##_ge = FNS_ALL_FORMS(op_##name##_ge);                           \
    const struct op_fns fns_##name##_ei = FNS_LOCKED(op_##name##_ei, op_##name##_lock_ei);         \
    const struct op_fns fns_##name##_ai = {.fn = {[FORM_R] = FNS_ROW(op_##name##_ai_r)}};

ALU(add, DO_PLAIN, "add", "")
ALU(or, DO_PLAIN, "or", "")
ALU(adc, DO_CARRY, "adc", CARRY_IN)
ALU(sbb, DO_CARRY, "sbb", CARRY_IN)
ALU(and, DO_PLAIN, "and", "")
ALU(sub, DO_PLAIN, "sub", "")
ALU(xor, DO_PLAIN, "xor", "")

/* CMP and TEST only read. */
#define CMP_MEM(bits, T, sfx, name, mnem, form)                                                    \
    static void op_##name##_eg_##form##bits(struct cpu *c, const struct insn *i)                   \
    {                                                                                              \
        T a = mem_load##bits(c, i, LA_##form(bits / 8, EA_READ)), b = GET##bits(i->r1);            \
        DO_COMPARE(mnem, sfx, a, b);                                                               \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_ei_##form##bits(struct cpu *c, const struct insn *i)                   \
    {                                                                                              \
        T a = mem_load##bits(c, i, LA_##form(bits / 8, EA_READ)), b = (T)i->imm;                   \
        DO_COMPARE(mnem, sfx, a, b);                                                               \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_ge_##form##bits(struct cpu *c, const struct insn *i)                   \
    {                                                                                              \
        T b = mem_load##bits(c, i, LA_##form(bits / 8, EA_READ)), a = GET##bits(i->r1);            \
        DO_COMPARE(mnem, sfx, a, b);                                                               \
        NEXT(c, i);                                                                                \
    }

#define CMP_REG1(bits, T, sfx, name, mnem, kind, x, y)                                             \
    static void op_##name##_##kind##_r##bits(struct cpu *c, const struct insn *i)                  \
    {                                                                                              \
        T a = x, b = y;                                                                            \
        DO_COMPARE(mnem, sfx, a, b);                                                               \
        NEXT(c, i);                                                                                \
    }
#define CMP_REG(bits, T, sfx, name, mnem)                                                          \
    CMP_REG1(bits, T, sfx, name, mnem, eg, GET##bits(i->r2), GET##bits(i->r1))                     \
    CMP_REG1(bits, T, sfx, name, mnem, ge, GET##bits(i->r1), GET##bits(i->r2))                     \
    CMP_REG1(bits, T, sfx, name, mnem, ei, GET##bits(i->r2), (T)i->imm)                            \
    CMP_REG1(bits, T, sfx, name, mnem, ai, GET##bits(R_RAX), (T)i->imm)

#define COMPARE(name, mnem)                                                                        \
    FOR_WIDTHS(CMP_REG, name, mnem)                                                                \
    FOR_WIDTHS(CMP_MEM, name, mnem, mb)                                                            \
    FOR_WIDTHS(CMP_MEM, name, mnem, mx)                                                            \
    FOR_WIDTHS(CMP_MEM, name, mnem, m32)                                                           \
    FOR_WIDTHS(CMP_MEM, name, mnem, mg)                                                            \
    const struct op_fns fns_##name##_eg = FNS_ALL_FORMS(op_##name##_eg);                           \
    const struct op_fns fns_##name##_ge = FNS_ALL_FORMS(op_##name##_ge);                           \
    const struct op_fns fns_##name##_ei = FNS_ALL_FORMS(op_##name##_ei);                           \
    const struct op_fns fns_##name##_ai = {.fn = {[FORM_R] = FNS_ROW(op_##name##_ai_r)}};

COMPARE(cmp, "cmp")
COMPARE(test, "test")

/* INC and DEC keep CF, NEG and NOT need no second operand. */
#define UNARY_ASM(carry, mnem, sfx, x)                                                             \
    __asm__ volatile(carry mnem sfx " %[v]" ASM_FLAGS                                              \
                     : [v] x, ASM_FLAGS_OUT                                                        \
                     : [fl] "r"(fl_high(c)), ASM_FLAGS_IN                                          \
                     : "cc", "rax")

#define UNARY_REG(bits, T, sfx, name, carry, mnem)                                                 \
    static void op_##name##_r##bits(struct cpu *c, const struct insn *i)                           \
    {                                                                                              \
        T a = GET##bits(i->r2);                                                                    \
        UNARY_ASM(carry, mnem, sfx, "+&q"(a));                                                     \
        SET##bits(i->r2, a);                                                                       \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_lock##bits(struct cpu *c, const struct insn *i)                        \
    {                                                                                              \
        uint64_t la = EA(bits / 8, EA_WRITE);                                                      \
        T *p = mem_lock##bits(c, i, la);                                                           \
        UNARY_ASM(carry "lock; ", mnem, sfx, "+m"(*p));                                            \
        mem_lock_done##bits(c, i, la, p);                                                          \
        NEXT(c, i);                                                                                \
    }
#define UNARY_MEM(bits, T, sfx, name, carry, mnem, form)                                           \
    static void op_##name##_##form##bits(struct cpu *c, const struct insn *i)                      \
    {                                                                                              \
        uint64_t la = LA_##form(bits / 8, EA_WRITE);                                               \
        void *p = mem_rmw##bits(c, i, la);                                                         \
        T a;                                                                                       \
        memcpy(&a, p, sizeof a);                                                                   \
        UNARY_ASM(carry, mnem, sfx, "+&q"(a));                                                     \
        memcpy(p, &a, sizeof a);                                                                   \
        mem_rmw_done##bits(c, i, la, p);                                                           \
        NEXT(c, i);                                                                                \
    }
#define UNARY(name, carry, mnem)                                                                   \
    FOR_WIDTHS(UNARY_REG, name, carry, mnem)                                                       \
    FOR_WIDTHS(UNARY_MEM, name, carry, mnem, mb)                                                   \
    FOR_WIDTHS(UNARY_MEM, name, carry, mnem, mx)                                                   \
    FOR_WIDTHS(UNARY_MEM, name, carry, mnem, m32)                                                  \
    FOR_WIDTHS(UNARY_MEM, name, carry, mnem, mg)                                                   \
    const struct op_fns fns_##name = FNS_LOCKED(op_##name, op_##name##_lock);

UNARY(inc, CARRY_IN, "inc")
UNARY(dec, CARRY_IN, "dec")
UNARY(neg, "", "neg")

/* The one-byte INC/DEC of 16- and 32-bit code: register in the opcode. */
#define INCDEC_REG(bits, T, sfx, name, mnem)                                                       \
    static void op_##name##_z_r##bits(struct cpu *c, const struct insn *i)                         \
    {                                                                                              \
        T a = GET##bits(i->r1);                                                                    \
        UNARY_ASM(CARRY_IN, mnem, sfx, "+&q"(a));                                                  \
        SET##bits(i->r1, a);                                                                       \
        NEXT(c, i);                                                                                \
    }
FOR_WIDE(INCDEC_REG, inc, "inc")
FOR_WIDE(INCDEC_REG, dec, "dec")
const struct op_fns fns_inc_z = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_inc_z_r)}};
const struct op_fns fns_dec_z = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_dec_z_r)}};

/* NOT changes no flags. */
#define NOT_REG(bits, T, sfx, ...)                                                                 \
    static void op_not_r##bits(struct cpu *c, const struct insn *i)                                \
    {                                                                                              \
        SET##bits(i->r2, (T)~GET##bits(i->r2));                                                    \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_not_mg##bits(struct cpu *c, const struct insn *i)                               \
    {                                                                                              \
        uint64_t la = EA(bits / 8, EA_WRITE);                                                      \
        T *p = mem_rmw##bits(c, i, la);                                                            \
        T a;                                                                                       \
        memcpy(&a, p, sizeof a);                                                                   \
        a = (T)~a;                                                                                 \
        memcpy(p, &a, sizeof a);                                                                   \
        mem_rmw_done##bits(c, i, la, p);                                                           \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_not_lock##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        uint64_t la = EA(bits / 8, EA_WRITE);                                                      \
        T *p = mem_lock##bits(c, i, la);                                                           \
        __asm__ volatile("lock; not" sfx " %0" : "+m"(*p) : : "memory");                           \
        mem_lock_done##bits(c, i, la, p);                                                          \
        NEXT(c, i);                                                                                \
    }
FOR_WIDTHS(NOT_REG, )
const struct op_fns fns_not = {.fn = {[FORM_R] = FNS_ROW(op_not_r), [FORM_MG] = FNS_ROW(op_not_mg)},
                               .lock = FNS_ROW(op_not_lock)};
