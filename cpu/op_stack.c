/*
 * PUSH, POP, PUSHA, POPA, ENTER, LEAVE, BOUND (flags and segment registers: op_sys.c).
 *
 * Follows: Intel SDM volume 2.  Not modelled: nothing left out.
 */
#include "cpu/op_stack.h"
#include "cpu/ops.h"

#define PUSHES(bits, T, sfx, ...)                                                                  \
    static void op_push_z_mg##bits(struct cpu *c, const struct insn *i)                            \
    {                                                                                              \
        stack_push##bits(c, i, GET##bits(i->r1));                                                  \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_push_i_mg##bits(struct cpu *c, const struct insn *i)                            \
    {                                                                                              \
        stack_push##bits(c, i, (T)i->imm);                                                         \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_push_e_r##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        stack_push##bits(c, i, GET##bits(i->r2));                                                  \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_push_e_mg##bits(struct cpu *c, const struct insn *i)                            \
    {                                                                                              \
        T v = mem_load##bits(c, i, EA(bits / 8, EA_READ));                                         \
        stack_push##bits(c, i, v);                                                                 \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_pop_z_mg##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        uint64_t sp;                                                                               \
        T v = stack_top##bits(c, i, &sp);                                                          \
        stack_set(c, sp);                                                                          \
        SET##bits(i->r1, v);                                                                       \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_pop_e_r##bits(struct cpu *c, const struct insn *i)                              \
    {                                                                                              \
        uint64_t sp;                                                                               \
        T v = stack_top##bits(c, i, &sp);                                                          \
        stack_set(c, sp);                                                                          \
        SET##bits(i->r2, v);                                                                       \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    /* A destination based on RSP uses its value after the pop. */                                 \
    static void op_pop_e_mg##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        uint64_t sp;                                                                               \
        T v = stack_top##bits(c, i, &sp);                                                          \
        pop_mem##bits(c, i, v, sp);                                                                \
        NEXT(c, i);                                                                                \
    }
/* Address of POP's destination, by the stack pointer as it is behind it. */
static uint64_t pop_ea(struct cpu *c, const struct insn *i, unsigned size)
{
    uint64_t off = ea_offset(c, i);

    if (i->base == R_RSP) {
        off = INSN_ASIZE(i) == 2 ? off + size : (uint32_t)(off + size);
    }
    return seg_linear(c, i, i->seg, off, size, EA_WRITE);
}
#define POP_MEM(bits, T, sfx, ...)                                                                 \
    static __attribute__((noinline)) void pop_mem##bits(struct cpu *c, const struct insn *i, T v,  \
                                                        uint64_t sp)                               \
    {                                                                                              \
        mem_store##bits(c, i, pop_ea(c, i, bits / 8), v);                                          \
        stack_set(c, sp);                                                                          \
    }
FOR_WIDE(POP_MEM, )
FOR_WIDE(PUSHES, )

/* 64-bit code and flat 32-bit code: no segment to check. */
#define FLAT(form, bits, wrap)                                                                     \
    static void op_push_z_##form##bits(struct cpu *c, const struct insn *i)                        \
    {                                                                                              \
        wrap sp = (wrap)c->r[R_RSP] - bits / 8;                                                    \
        mem_store##bits(c, i, sp, GET##bits(i->r1));                                               \
        c->r[R_RSP] = sp;                                                                          \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_push_i_##form##bits(struct cpu *c, const struct insn *i)                        \
    {                                                                                              \
        wrap sp = (wrap)c->r[R_RSP] - bits / 8;                                                    \
        mem_store##bits(c, i, sp, i->imm);                                                         \
        c->r[R_RSP] = sp;                                                                          \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_pop_z_##form##bits(struct cpu *c, const struct insn *i)                         \
    {                                                                                              \
        wrap sp = (wrap)c->r[R_RSP], v = mem_load##bits(c, i, sp);                                 \
        c->r[R_RSP] = (wrap)(sp + bits / 8);                                                       \
        SET##bits(i->r1, v);                                                                       \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_leave_##form##bits(struct cpu *c, const struct insn *i)                         \
    {                                                                                              \
        wrap bp = (wrap)c->r[R_RBP], v = mem_load##bits(c, i, bp);                                 \
        c->r[R_RSP] = (wrap)(bp + bits / 8);                                                       \
        SET##bits(R_RBP, v);                                                                       \
        NEXT(c, i);                                                                                \
    }
FLAT(mb, 64, uint64_t)
FLAT(m32, 32, uint32_t)

const struct op_fns fns_push_z = {.fn = {[FORM_MB] = {NULL, NULL, NULL, op_push_z_mb64},
                                         [FORM_M32] = {NULL, NULL, op_push_z_m3232, NULL},
                                         [FORM_MG] = FNS_WIDE_ROW(op_push_z_mg)}};
const struct op_fns fns_push_i = {.fn = {[FORM_MB] = {NULL, NULL, NULL, op_push_i_mb64},
                                         [FORM_M32] = {NULL, NULL, op_push_i_m3232, NULL},
                                         [FORM_MG] = FNS_WIDE_ROW(op_push_i_mg)}};
const struct op_fns fns_pop_z = {.fn = {[FORM_MB] = {NULL, NULL, NULL, op_pop_z_mb64},
                                        [FORM_M32] = {NULL, NULL, op_pop_z_m3232, NULL},
                                        [FORM_MG] = FNS_WIDE_ROW(op_pop_z_mg)}};
const struct op_fns fns_push_e = FNS_WIDE_R_MG(op_push_e);
const struct op_fns fns_pop_e = FNS_WIDE_R_MG(op_pop_e);

/* PUSHA and POPA (16- and 32-bit code): the whole frame is checked first. */
#define PUSHA(bits, T)                                                                             \
    static void op_pusha_mg##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        uint64_t mask = stack_mask(c), sp = c->r[R_RSP];                                           \
        for (unsigned k = 0; k < 8; k++) {                                                         \
            mem_probe_write(                                                                       \
                c, i,                                                                              \
                seg_linear(c, i, SEG_SS, (sp - (k + 1) * (bits / 8)) & mask, bits / 8, EA_WRITE),  \
                bits / 8);                                                                         \
        }                                                                                          \
        for (unsigned k = 0; k < 8; k++) {                                                         \
            sp = (sp - bits / 8) & mask;                                                           \
            mem_store##bits(c, i, seg_linear(c, i, SEG_SS, sp, bits / 8, EA_WRITE), GET##bits(k)); \
        }                                                                                          \
        stack_set(c, sp);                                                                          \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_popa_mg##bits(struct cpu *c, const struct insn *i)                              \
    {                                                                                              \
        uint64_t mask = stack_mask(c), sp = c->r[R_RSP];                                           \
        return popa_commit##bits(c, i, sp, mask);                                                  \
    }
#define POPA_COMMIT(bits, T)                                                                       \
    static __attribute__((noinline)) void popa_read##bits(struct cpu *c, const struct insn *i,     \
                                                          uint64_t sp, uint64_t mask)              \
    {                                                                                              \
        T v[8];                                                                                    \
        for (unsigned k = 0; k < 8; k++) {                                                         \
            v[k] = mem_load##bits(                                                                 \
                c, i, seg_linear(c, i, SEG_SS, (sp + k * (bits / 8)) & mask, bits / 8, EA_READ));  \
        }                                                                                          \
        for (unsigned k = 0; k < 8; k++) {                                                         \
            if (7 - k != R_RSP) {                                                                  \
                SET##bits(7 - k, v[k]);                                                            \
            }                                                                                      \
        }                                                                                          \
        stack_set(c, sp + 8 * (bits / 8));                                                         \
    }                                                                                              \
    static void popa_commit##bits(struct cpu *c, const struct insn *i, uint64_t sp, uint64_t mask) \
    {                                                                                              \
        popa_read##bits(c, i, sp, mask);                                                           \
        NEXT(c, i);                                                                                \
    }
POPA_COMMIT(16, uint16_t)
POPA_COMMIT(32, uint32_t)
PUSHA(16, uint16_t)
PUSHA(32, uint32_t)
const struct op_fns fns_pusha = {.fn = {[FORM_MG] = {NULL, op_pusha_mg16, op_pusha_mg32, NULL}}};
const struct op_fns fns_popa = {.fn = {[FORM_MG] = {NULL, op_popa_mg16, op_popa_mg32, NULL}}};

/* ENTER: imm is the frame size, disp the nesting level.  Nothing is changed before the last access
 * went well. */
#define ENTER(bits, T, sfx, ...)                                                                   \
    static __attribute__((noinline)) void enter_frame##bits(struct cpu *c, const struct insn *i)   \
    {                                                                                              \
        uint64_t mask = stack_mask(c), sp = c->r[R_RSP], bp = c->r[R_RBP];                         \
        unsigned level = i->disp & 31;                                                             \
        sp = (sp - bits / 8) & mask;                                                               \
        mem_store##bits(c, i, seg_linear(c, i, SEG_SS, sp, bits / 8, EA_WRITE), (T)bp);            \
        T frame = (T)((c->r[R_RSP] & ~mask) | sp); /* ESP, on a 16-bit stack too */                \
        for (unsigned k = 1; k < level; k++) {                                                     \
            bp = (bp - bits / 8) & mask;                                                           \
            T v = mem_load##bits(c, i, seg_linear(c, i, SEG_SS, bp, bits / 8, EA_READ));           \
            sp = (sp - bits / 8) & mask;                                                           \
            mem_store##bits(c, i, seg_linear(c, i, SEG_SS, sp, bits / 8, EA_WRITE), v);            \
        }                                                                                          \
        if (level) {                                                                               \
            sp = (sp - bits / 8) & mask;                                                           \
            mem_store##bits(c, i, seg_linear(c, i, SEG_SS, sp, bits / 8, EA_WRITE), frame);        \
        }                                                                                          \
        sp = (sp - i->imm) & mask;                                                                 \
        mem_probe_write(c, i, seg_linear(c, i, SEG_SS, sp, bits / 8, EA_WRITE), 1);                \
        SET##bits(R_RBP, frame);                                                                   \
        stack_set(c, sp);                                                                          \
    }                                                                                              \
    static void op_enter_mg##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        enter_frame##bits(c, i);                                                                   \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_leave_mg##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        uint64_t bp = c->r[R_RBP] & stack_mask(c);                                                 \
        T v = mem_load##bits(c, i, seg_linear(c, i, SEG_SS, bp, bits / 8, EA_READ));               \
        stack_set(c, bp + bits / 8);                                                               \
        SET##bits(R_RBP, v);                                                                       \
        NEXT(c, i);                                                                                \
    }
FOR_WIDE(ENTER, )
const struct op_fns fns_enter = {.fn = {[FORM_MG] = FNS_WIDE_ROW(op_enter_mg)}};
const struct op_fns fns_leave = {.fn = {[FORM_MB] = {NULL, NULL, NULL, op_leave_mb64},
                                        [FORM_M32] = {NULL, NULL, op_leave_m3232, NULL},
                                        [FORM_MG] = FNS_WIDE_ROW(op_leave_mg)}};

#define BOUND(bits, S)                                                                             \
    static void op_bound_mg##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        uint64_t la = EA(bits / 4, EA_READ);                                                       \
        S low = (S)mem_load##bits(c, i, la), high = (S)mem_load##bits(c, i, la + bits / 8);        \
        S v = (S)GET##bits(i->r1);                                                                 \
        if (v < low || v > high) {                                                                 \
            c->cur = i;                                                                            \
            cpu_raise(c, EXCP_BR);                                                                 \
        }                                                                                          \
        NEXT(c, i);                                                                                \
    }
BOUND(16, int16_t)
BOUND(32, int32_t)
const struct op_fns fns_bound = {.fn = {[FORM_MG] = {NULL, op_bound_mg16, op_bound_mg32, NULL}}};
