/*
 * Near branches: Jcc, JMP, CALL, RET, LOOPcc, JCXZ.
 *
 * Follows: Intel SDM volume 2.  In 64-bit code near branches ignore 66 (Intel).
 *
 * Not modelled: the #GP of a target outside the code segment is raised at the target, not at the
 * branch.
 */
#include "cpu/op.h"
#include "cpu/op_cond.h"
#include "cpu/op_stack.h"
#include "cpu/ops.h"

/* Target of a relative branch by operand size: disp counts from the block's start. */
#define TARGET16 ((uint16_t)(c->r[R_BASE] + (uint32_t)i->disp))
#define TARGET32 ((uint32_t)(c->r[R_BASE] + (uint32_t)i->disp))
#define TARGET64 (c->r[R_BASE] + (uint64_t)(int64_t)i->disp)

#define JCC(bits, T, sfx, cc)                                                                      \
    static void op_j##cc##_r##bits(struct cpu *c, const struct insn *i)                            \
    {                                                                                              \
        if (cond_##cc(c)) {                                                                        \
            return branch_direct(c, i, TARGET##bits);                                              \
        }                                                                                          \
        NEXT(c, i);                                                                                \
    }
#define JCC_TABLE(cc)                                                                              \
    FOR_WIDE(JCC, cc)                                                                              \
    const struct op_fns fns_j##cc = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_j##cc##_r)}};
FOR_CONDITIONS(JCC_TABLE)

#define BRANCHES(bits, T, sfx, ...)                                                                \
    static void op_jmp_j_r##bits(struct cpu *c, const struct insn *i)                              \
    {                                                                                              \
        return branch_direct(c, i, TARGET##bits);                                                  \
    }                                                                                              \
    static void op_jmp_e_r##bits(struct cpu *c, const struct insn *i)                              \
    {                                                                                              \
        c->ip = GET##bits(i->r2);                                                                  \
        c->icount += i->n;                                                                         \
        return branch_indirect(c);                                                                 \
    }                                                                                              \
    static void op_jmp_e_mg##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        c->ip = mem_load##bits(c, i, EA(bits / 8, EA_READ));                                       \
        c->icount += i->n;                                                                         \
        return branch_indirect(c);                                                                 \
    }                                                                                              \
    static void op_call_j_mg##bits(struct cpu *c, const struct insn *i)                            \
    {                                                                                              \
        stack_push##bits(c, i, (T)insn_next_ip(c, i));                                             \
        return branch_direct(c, i, TARGET##bits);                                                  \
    }                                                                                              \
    static void op_call_e_r##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        T target = GET##bits(i->r2);                                                               \
        stack_push##bits(c, i, (T)insn_next_ip(c, i));                                             \
        c->ip = target;                                                                            \
        c->icount += i->n;                                                                         \
        return branch_indirect(c);                                                                 \
    }                                                                                              \
    static void op_call_e_mg##bits(struct cpu *c, const struct insn *i)                            \
    {                                                                                              \
        T target = mem_load##bits(c, i, EA(bits / 8, EA_READ));                                    \
        stack_push##bits(c, i, (T)insn_next_ip(c, i));                                             \
        c->ip = target;                                                                            \
        c->icount += i->n;                                                                         \
        return branch_indirect(c);                                                                 \
    }                                                                                              \
    static void op_ret_mg##bits(struct cpu *c, const struct insn *i)                               \
    {                                                                                              \
        uint64_t sp;                                                                               \
        T target = stack_top##bits(c, i, &sp);                                                     \
        stack_set(c, sp);                                                                          \
        c->ip = target;                                                                            \
        c->icount += i->n;                                                                         \
        return branch_indirect(c);                                                                 \
    }                                                                                              \
    static void op_ret_i_mg##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        uint64_t sp;                                                                               \
        T target = stack_top##bits(c, i, &sp);                                                     \
        stack_set(c, sp + i->imm);                                                                 \
        c->ip = target;                                                                            \
        c->icount += i->n;                                                                         \
        return branch_indirect(c);                                                                 \
    }
FOR_WIDE(BRANCHES, )

/* The same in 64-bit code with its flat stack. */
static void op_call_j_mb64(struct cpu *c, const struct insn *i)
{
    uint64_t sp = c->r[R_RSP] - 8;

    mem_store64(c, i, sp, c->r[R_BASE] + i->ofs + i->len);
    c->r[R_RSP] = sp;
    return branch_direct(c, i, TARGET64);
}

#define CALL_E64(form)                                                                             \
    static void op_call_e_##form##64_(struct cpu * c, const struct insn *i)                        \
    {                                                                                              \
        uint64_t target = mem_load64(c, i, LA_##form(8, EA_READ));                                 \
        uint64_t sp = c->r[R_RSP] - 8;                                                             \
        mem_store64(c, i, sp, c->r[R_BASE] + i->ofs + i->len);                                     \
        c->r[R_RSP] = sp;                                                                          \
        c->ip = target;                                                                            \
        c->icount += i->n;                                                                         \
        return branch_indirect(c);                                                                 \
    }                                                                                              \
    static void op_jmp_e_##form##64_(struct cpu * c, const struct insn *i)                         \
    {                                                                                              \
        c->ip = mem_load64(c, i, LA_##form(8, EA_READ));                                           \
        c->icount += i->n;                                                                         \
        return branch_indirect(c);                                                                 \
    }
CALL_E64(mb)
CALL_E64(mx)

static void op_ret_mb64(struct cpu *c, const struct insn *i)
{
    c->ip = mem_load64(c, i, c->r[R_RSP]);
    c->r[R_RSP] += 8;
    c->icount += i->n;
    return branch_indirect(c);
}

/* And in flat 32-bit code. */
static void op_call_j_m3232(struct cpu *c, const struct insn *i)
{
    uint32_t sp = (uint32_t)c->r[R_RSP] - 4;

    mem_store32(c, i, sp, (uint32_t)c->r[R_BASE] + i->ofs + i->len);
    c->r[R_RSP] = sp;
    return branch_direct(c, i, TARGET32);
}

static void op_ret_m3232(struct cpu *c, const struct insn *i)
{
    c->ip = mem_load32(c, i, (uint32_t)c->r[R_RSP]);
    c->r[R_RSP] = (uint32_t)c->r[R_RSP] + 4;
    c->icount += i->n;
    return branch_indirect(c);
}

const struct op_fns fns_jmp_j = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_jmp_j_r)}};
const struct op_fns fns_jmp_e = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_jmp_e_r),
                                        [FORM_MB] = {NULL, NULL, NULL, op_jmp_e_mb64_},
                                        [FORM_MX] = {NULL, NULL, NULL, op_jmp_e_mx64_},
                                        [FORM_MG] = FNS_WIDE_ROW(op_jmp_e_mg)}};
const struct op_fns fns_call_j = {.fn = {[FORM_MB] = {NULL, NULL, NULL, op_call_j_mb64},
                                         [FORM_M32] = {NULL, NULL, op_call_j_m3232, NULL},
                                         [FORM_MG] = FNS_WIDE_ROW(op_call_j_mg)}};
const struct op_fns fns_call_e = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_call_e_r),
                                         [FORM_MB] = {NULL, NULL, NULL, op_call_e_mb64_},
                                         [FORM_MX] = {NULL, NULL, NULL, op_call_e_mx64_},
                                         [FORM_MG] = FNS_WIDE_ROW(op_call_e_mg)}};
const struct op_fns fns_ret = {.fn = {[FORM_MB] = {NULL, NULL, NULL, op_ret_mb64},
                                      [FORM_M32] = {NULL, NULL, op_ret_m3232, NULL},
                                      [FORM_MG] = FNS_WIDE_ROW(op_ret_mg)}};
const struct op_fns fns_ret_i = {.fn = {[FORM_MG] = FNS_WIDE_ROW(op_ret_i_mg)}};

/* LOOPcc and JCXZ: the counter has the address size, the target the operand size. */
static inline uint64_t count_mask(const struct insn *i)
{
    return INSN_ASIZE(i) == 2 ? ~0ull : INSN_ASIZE(i) == 1 ? 0xffffffffull : 0xffffull;
}

static inline bool count_down(struct cpu *c, const struct insn *i)
{
    uint64_t mask = count_mask(i), n = (c->r[R_RCX] - 1) & mask;

    c->r[R_RCX] = mask == 0xffff ? (c->r[R_RCX] & ~mask) | n : n;
    return n != 0;
}

#define LOOPS(bits, T, sfx, ...)                                                                   \
    static void op_loop_r##bits(struct cpu *c, const struct insn *i)                               \
    {                                                                                              \
        if (count_down(c, i)) {                                                                    \
            return branch_direct(c, i, TARGET##bits);                                              \
        }                                                                                          \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_loope_r##bits(struct cpu *c, const struct insn *i)                              \
    {                                                                                              \
        if (count_down(c, i) && (c->fl & FL_ZF)) {                                                 \
            return branch_direct(c, i, TARGET##bits);                                              \
        }                                                                                          \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_loopne_r##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        if (count_down(c, i) && !(c->fl & FL_ZF)) {                                                \
            return branch_direct(c, i, TARGET##bits);                                              \
        }                                                                                          \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_jcxz_r##bits(struct cpu *c, const struct insn *i)                               \
    {                                                                                              \
        if (!(c->r[R_RCX] & count_mask(i))) {                                                      \
            return branch_direct(c, i, TARGET##bits);                                              \
        }                                                                                          \
        NEXT(c, i);                                                                                \
    }
FOR_WIDE(LOOPS, )
const struct op_fns fns_loop = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_loop_r)}};
const struct op_fns fns_loope = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_loope_r)}};
const struct op_fns fns_loopne = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_loopne_r)}};
const struct op_fns fns_jcxz = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_jcxz_r)}};
