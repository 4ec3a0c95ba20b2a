/*
 * Instructions on EFLAGS as a whole and on IF, software interrupts, IRET, HLT.
 *
 * Follows: Intel SDM volume 2; volume 3, 20.3 and 20.4 (virtual interrupt flag).
 *
 * Not modelled: nothing left out.
 */
#include "cpu/op_stack.h"
#include "cpu/ops_system.h"

/* ---- PUSHF, POPF ---- */

/* The image to push; raises #GP in V86 mode. */
static inline uint64_t pushf_image(struct cpu *c, const struct insn *i, bool is16)
{
    uint32_t f = cpu_get_eflags(c) & ~(uint32_t)(FLAG_VM | FLAG_RF);

    if (unlikely(c->mode & MODE_V86 && cpu_iopl(c) < 3)) {
        c->cur = i;
        if (!(c->cr4 & CR4_VME) || !is16) {
            cpu_raise_error(c, EXCP_GP, 0);
        }
        f = (f & ~(uint32_t)FLAG_IF) | FLAG_IOPL | (f & FLAG_VIF ? FLAG_IF : 0);
    }
    return f;
}

/* Which flags POPF may write in protected and real mode. */
static inline uint32_t popf_mask(const struct cpu *c, bool is16)
{
    uint32_t mask =
        FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT | (is16 ? 0 : FLAG_AC | FLAG_ID | FLAG_RF);

    if (c->cpl <= cpu_iopl(c)) {
        mask |= FLAG_IF;
    }
    return c->cpl == 0 ? mask | FLAG_IOPL : mask;
}

/* POPF in V86 mode with IOPL < 3: IF stands for VIF. */
static uint32_t popf_vme(struct cpu *c, const struct insn *i, uint32_t f, bool is16)
{
    c->cur = i;
    if (!(c->cr4 & CR4_VME) || !is16 || f & FLAG_TF || (f & FLAG_IF && c->eflags & FLAG_VIP)) {
        cpu_raise_error(c, EXCP_GP, 0);
    }
    c->eflags = (c->eflags & ~(uint32_t)FLAG_VIF) | (f & FLAG_IF ? FLAG_VIF : 0);
    return FLAGS_ARITH | FLAG_TF | FLAG_DF | FLAG_NT;
}

static inline void popf_apply(struct cpu *c, const struct insn *i, uint32_t f, bool is16)
{
    uint32_t mask = unlikely(c->mode & MODE_V86 && cpu_iopl(c) < 3) ? popf_vme(c, i, f, is16)
                                                                    : popf_mask(c, is16);

    cpu_set_eflags(c, f & ~(uint32_t)FLAG_RF, mask);
}

/* TF set or an interrupt let in: back to the run loop. */
static inline bool popf_leaves(const struct cpu *c)
{
    return c->slow || (c->eflags & FLAG_IF && vcpu_pending(c->v));
}

#define PUSHF_POPF(bits, T, sfx, ...)                                                              \
    static void op_pushf##bits(struct cpu *c, const struct insn *i)                                \
    {                                                                                              \
        stack_push##bits(c, i, (T)pushf_image(c, i, bits == 16));                                  \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static __attribute__((noinline)) void popf##bits(struct cpu *c, const struct insn *i)          \
    {                                                                                              \
        uint64_t sp, mask = stack_mask(c);                                                         \
        uint32_t f = (uint32_t)stack_top##bits(c, i, &sp);                                         \
        popf_apply(c, i, f, bits == 16);                                                           \
        c->r[R_RSP] = (c->r[R_RSP] & ~mask) | (sp & mask);                                         \
    }                                                                                              \
    static void op_popf##bits(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        popf##bits(c, i);                                                                          \
        if (unlikely(popf_leaves(c))) {                                                            \
            insn_commit(c, i);                                                                     \
            LEAVE(c);                                                                              \
        }                                                                                          \
        NEXT(c, i);                                                                                \
    }
FOR_WIDE(PUSHF_POPF, )

/* ---- CLI, STI ---- */

/* Where IOPL forbids touching IF: VIF by VME or PVI, or #GP. */
static bool uses_vif(struct cpu *c, const struct insn *i)
{
    if (likely(!(c->mode & MODE_PE) || c->cpl <= cpu_iopl(c))) {
        return false;
    }
    if (c->mode & MODE_V86 ? c->cr4 & CR4_VME : (c->cr4 & CR4_PVI && c->cpl == 3)) {
        return true;
    }
    c->cur = i;
    cpu_raise_error(c, EXCP_GP, 0);
}

static void op_cli(struct cpu *c, const struct insn *i)
{
    c->eflags &= ~(uint32_t)(uses_vif(c, i) ? FLAG_VIF : FLAG_IF);
    NEXT(c, i);
}

/*
 * The shadow behind STI comes by itself inside a block; `inhibit` is for when the block ends here.
 * With something pending the run loop takes over, runs one instruction, then delivers.
 */
static void op_sti(struct cpu *c, const struct insn *i)
{
    if (unlikely(uses_vif(c, i))) {
        if (c->eflags & FLAG_VIP) {
            c->cur = i;
            cpu_raise_error(c, EXCP_GP, 0);
        }
        c->eflags |= FLAG_VIF;
    } else if (!(c->eflags & FLAG_IF)) {
        c->eflags |= FLAG_IF;
        c->inhibit = true;
        if (unlikely(vcpu_pending(c->v))) {
            insn_commit(c, i);
            LEAVE(c);
        }
    }
    NEXT(c, i);
}

/* ---- interrupts ---- */

static void op_int3(struct cpu *c, const struct insn *i)
{
    c->cur = i;
    cpu_soft_interrupt(c, EXCP_BP, insn_next_ip(c, i), false);
    return sys_continue(c, i);
}

static void op_int1(struct cpu *c, const struct insn *i)
{
    c->cur = i;
    cpu_soft_interrupt(c, EXCP_DB, insn_next_ip(c, i), false);
    return sys_continue(c, i);
}

static void op_int(struct cpu *c, const struct insn *i)
{
    c->cur = i;
    cpu_soft_interrupt(c, (unsigned)i->imm & 0xff, insn_next_ip(c, i), true);
    return sys_continue(c, i);
}

static void op_into(struct cpu *c, const struct insn *i)
{
    if (!(c->fl & FL_OF)) {
        NEXT(c, i);
    }
    c->cur = i;
    cpu_soft_interrupt(c, EXCP_OF, insn_next_ip(c, i), false);
    return sys_continue(c, i);
}

/* IRET lets in the NMI that came while one was being handled: the run loop takes it. */
#define IRET(bits, T, sfx, ...)                                                                    \
    static void op_iret##bits(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        c->cur = i;                                                                                \
        cpu_iret(c, bits / 32);                                                                    \
        sys_serialise();                                                                           \
        if (unlikely(c->nmi_pending)) {                                                            \
            c->icount += i->n;                                                                     \
            c->cur = NULL;                                                                         \
            LEAVE(c);                                                                              \
        }                                                                                          \
        return sys_continue(c, i);                                                                 \
    }
FOR_WIDE(IRET, )

static void op_hlt(struct cpu *c, const struct insn *i)
{
    need_cpl0(c, i);
    c->halted = true;
    c->inhibit = false;
    insn_commit(c, i);
    LEAVE(c);
}

#define ONE(f)                                                                                     \
    {                                                                                              \
        .fn = { [FORM_R] = {f, f, f, f} }                                                          \
    }
#define WIDE_R(p)                                                                                  \
    {                                                                                              \
        .fn = { [FORM_R] = FNS_WIDE_ROW(p) }                                                       \
    }

const struct op_fns fns_pushf = WIDE_R(op_pushf);
const struct op_fns fns_popf = WIDE_R(op_popf);
const struct op_fns fns_cli = ONE(op_cli);
const struct op_fns fns_sti = ONE(op_sti);
const struct op_fns fns_int3 = ONE(op_int3);
const struct op_fns fns_int1 = ONE(op_int1);
const struct op_fns fns_int = ONE(op_int);
const struct op_fns fns_into = ONE(op_into);
const struct op_fns fns_iret = WIDE_R(op_iret);
const struct op_fns fns_hlt = ONE(op_hlt);
