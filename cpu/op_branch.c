/*
 * Near branches: Jcc, JMP, CALL, RET, LOOPcc, JCXZ.
 *
 * Follows: Intel SDM volume 2.  In 64-bit code near branches ignore 66 (Intel).  A target outside
 * the code segment, or not canonical, is the branch's own fault, and the stack pointer stays.
 *
 * Not modelled: direct branches across the edge of the canonical addresses: they fault at the
 * target.
 */
#include "cpu/op.h"
#include "cpu/op_cond.h"
#include "cpu/op_stack.h"
#include "cpu/ops.h"

/* Target of a relative branch by operand size: disp counts from the block's start. */
#define TARGET16 ((uint16_t)(c->r[R_BASE] + (uint32_t)i->disp))
#define TARGET32 ((uint32_t)(c->r[R_BASE] + (uint32_t)i->disp))
#define TARGET64 (c->r[R_BASE] + (uint64_t)(int64_t)i->disp)

/* Whether a target lies outside the code segment; in 64-bit code branch_near looks. */
#define OUTSIDE16(target) ((target) > c->seg[SEG_CS].limit)
#define OUTSIDE32(target) ((target) > c->seg[SEG_CS].limit)
#define OUTSIDE64(target) ((void)(target), false)

void branch_unlinked(struct cpu *c, const struct insn *i, uint64_t ip)
{
    if (unlikely(!cpu_is_64(c) && OUTSIDE32(ip))) {
        c->icount -= i->n;
        return op_gp0(c, i);
    }
    c->ip = ip;
    return c->link(c, i);
}

/* Not in the jump cache. */
static __attribute__((noinline)) void branch_near_miss(struct cpu *c, const struct insn *i,
                                                       uint64_t sp)
{
    if (unlikely(cpu_is_64(c) && !cpu_is_canonical(c->ip))) {
        c->r[R_RSP] = sp;
        return op_gp0(c, i);
    }
    c->icount += i->n;
    return c->lookup(c);
}

/*
 * The end of an indirect near branch: to c->ip.  What the jump cache holds is canonical, so only a
 * miss is looked at; `sp` is what RSP was before the branch.
 */
static ALWAYS_INLINE void branch_near(struct cpu *c, const struct insn *i, uint64_t sp)
{
    uint64_t ip = c->ip;
    const struct jcache_entry *e = jcache_slot(c, ip + c->cs_base);

    if (jcache_hits(c, e, ip)) {
        c->icount += i->n;
        c->r[R_BASE] = ip;
        return e->first->fn(c, e->first);
    }
    return branch_near_miss(c, i, sp);
}

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
    static ALWAYS_INLINE void jump##bits(struct cpu *c, const struct insn *i, T target)            \
    {                                                                                              \
        if (unlikely(OUTSIDE##bits(target))) {                                                     \
            return op_gp0(c, i);                                                                   \
        }                                                                                          \
        c->ip = target;                                                                            \
        return branch_near(c, i, c->r[R_RSP]);                                                     \
    }                                                                                              \
    static ALWAYS_INLINE void call##bits(struct cpu *c, const struct insn *i, T target)            \
    {                                                                                              \
        uint64_t old = c->r[R_RSP];                                                                \
        if (unlikely(OUTSIDE##bits(target))) {                                                     \
            return op_gp0(c, i);                                                                   \
        }                                                                                          \
        stack_push##bits(c, i, (T)insn_next_ip(c, i));                                             \
        c->ip = target;                                                                            \
        return branch_near(c, i, old);                                                             \
    }                                                                                              \
    static ALWAYS_INLINE void ret##bits(struct cpu *c, const struct insn *i, uint64_t release)     \
    {                                                                                              \
        uint64_t sp, old = c->r[R_RSP];                                                            \
        T target = stack_top##bits(c, i, &sp);                                                     \
        if (unlikely(OUTSIDE##bits(target))) {                                                     \
            return op_gp0(c, i);                                                                   \
        }                                                                                          \
        stack_set(c, sp + release);                                                                \
        c->ip = target;                                                                            \
        return branch_near(c, i, old);                                                             \
    }                                                                                              \
    static void op_jmp_j_r##bits(struct cpu *c, const struct insn *i)                              \
    {                                                                                              \
        return branch_direct(c, i, TARGET##bits);                                                  \
    }                                                                                              \
    static void op_jmp_e_r##bits(struct cpu *c, const struct insn *i)                              \
    {                                                                                              \
        return jump##bits(c, i, GET##bits(i->r2));                                                 \
    }                                                                                              \
    static void op_jmp_e_mg##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        return jump##bits(c, i, mem_load##bits(c, i, EA(bits / 8, EA_READ)));                      \
    }                                                                                              \
    static void op_call_j_mg##bits(struct cpu *c, const struct insn *i)                            \
    {                                                                                              \
        if (unlikely(OUTSIDE##bits(TARGET##bits))) {                                               \
            return op_gp0(c, i);                                                                   \
        }                                                                                          \
        stack_push##bits(c, i, (T)insn_next_ip(c, i));                                             \
        return branch_direct(c, i, TARGET##bits);                                                  \
    }                                                                                              \
    static void op_call_e_r##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        return call##bits(c, i, GET##bits(i->r2));                                                 \
    }                                                                                              \
    static void op_call_e_mg##bits(struct cpu *c, const struct insn *i)                            \
    {                                                                                              \
        return call##bits(c, i, mem_load##bits(c, i, EA(bits / 8, EA_READ)));                      \
    }                                                                                              \
    static void op_ret_mg##bits(struct cpu *c, const struct insn *i)                               \
    {                                                                                              \
        return ret##bits(c, i, 0);                                                                 \
    }                                                                                              \
    static void op_ret_i_mg##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        return ret##bits(c, i, i->imm);                                                            \
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
        if (unlikely(!cpu_is_canonical(sp) || !cpu_is_canonical(sp + 7))) {                        \
            c->cur = i; /* whose segment is the operand's */                                       \
            cpu_raise_error(c, EXCP_SS, 0);                                                        \
        }                                                                                          \
        mem_store64(c, i, sp, c->r[R_BASE] + i->ofs + i->len);                                     \
        c->r[R_RSP] = sp;                                                                          \
        c->ip = target;                                                                            \
        return branch_near(c, i, sp + 8);                                                          \
    }                                                                                              \
    static void op_jmp_e_##form##64_(struct cpu * c, const struct insn *i)                         \
    {                                                                                              \
        return jump64(c, i, mem_load64(c, i, LA_##form(8, EA_READ)));                              \
    }
CALL_E64(mb)
CALL_E64(mx)

static void op_ret_mb64(struct cpu *c, const struct insn *i)
{
    uint64_t sp = c->r[R_RSP];

    c->ip = mem_load64(c, i, sp);
    c->r[R_RSP] = sp + 8;
    return branch_near(c, i, sp);
}

/* And in flat 32-bit code. */
static void op_call_j_m3232(struct cpu *c, const struct insn *i)
{
    uint32_t sp = (uint32_t)c->r[R_RSP] - 4;

    if (unlikely(OUTSIDE32(TARGET32))) {
        return op_gp0(c, i);
    }
    mem_store32(c, i, sp, (uint32_t)c->r[R_BASE] + i->ofs + i->len);
    c->r[R_RSP] = sp;
    return branch_direct(c, i, TARGET32);
}

static void op_ret_m3232(struct cpu *c, const struct insn *i)
{
    uint32_t sp = (uint32_t)c->r[R_RSP], target = mem_load32(c, i, sp);

    if (unlikely(OUTSIDE32(target))) {
        return op_gp0(c, i);
    }
    c->ip = target;
    c->r[R_RSP] = sp + 4;
    return branch_near(c, i, sp);
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

static inline void count_set(struct cpu *c, const struct insn *i, uint64_t n)
{
    uint64_t mask = count_mask(i);

    c->r[R_RCX] = mask == 0xffff ? (c->r[R_RCX] & ~mask) | n : n;
}

#define LOOP(name, bits, cond)                                                                     \
    static void op_##name##_r##bits(struct cpu *c, const struct insn *i)                           \
    {                                                                                              \
        uint64_t n = (c->r[R_RCX] - 1) & count_mask(i);                                            \
        bool taken = n && (cond);                                                                  \
        if (unlikely(taken && OUTSIDE##bits(TARGET##bits))) {                                      \
            return op_gp0(c, i);                                                                   \
        }                                                                                          \
        count_set(c, i, n);                                                                        \
        if (taken) {                                                                               \
            return branch_direct(c, i, TARGET##bits);                                              \
        }                                                                                          \
        NEXT(c, i);                                                                                \
    }
#define LOOPS(bits, T, sfx, ...)                                                                   \
    LOOP(loop, bits, true)                                                                         \
    LOOP(loope, bits, c->fl &FL_ZF)                                                                \
    LOOP(loopne, bits, !(c->fl & FL_ZF))                                                           \
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
