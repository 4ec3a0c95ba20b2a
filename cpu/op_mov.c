/*
 * MOV, MOVZX, MOVSX, LEA, XCHG, CMOVcc, SETcc, BSWAP, MOVBE, XLAT, sign extensions.
 *
 * Follows: Intel SDM volume 2.  Not modelled: nothing left out (moves of segment, control and debug
 * registers are in op_sys.c).
 */
#include "cpu/op.h"
#include "cpu/op_cond.h"
#include "cpu/ops.h"
#include <sched.h>

enum { PAUSES_TO_YIELD = 64 };

#define MOV_REG(bits, T, sfx, ...)                                                                 \
    static void op_mov_eg_r##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        SET##bits(i->r2, GET##bits(i->r1));                                                        \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_mov_ge_r##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        SET##bits(i->r1, GET##bits(i->r2));                                                        \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_mov_ei_r##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        SET##bits(i->r2, i->imm);                                                                  \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_mov_zi_r##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        SET##bits(i->r1, i->imm);                                                                  \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_mov_ao_r##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        SET##bits(R_RAX,                                                                           \
                  mem_load##bits(c, i, seg_linear(c, i, i->seg, i->imm, bits / 8, EA_READ)));      \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_mov_oa_r##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        mem_store##bits(c, i, seg_linear(c, i, i->seg, i->imm, bits / 8, EA_WRITE),                \
                        GET##bits(R_RAX));                                                         \
        NEXT(c, i);                                                                                \
    }
#define MOV_MEM(bits, T, sfx, form)                                                                \
    static void op_mov_eg_##form##bits(struct cpu *c, const struct insn *i)                        \
    {                                                                                              \
        mem_store##bits(c, i, LA_##form(bits / 8, EA_WRITE), GET##bits(i->r1));                    \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_mov_ge_##form##bits(struct cpu *c, const struct insn *i)                        \
    {                                                                                              \
        SET##bits(i->r1, mem_load##bits(c, i, LA_##form(bits / 8, EA_READ)));                      \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_mov_ei_##form##bits(struct cpu *c, const struct insn *i)                        \
    {                                                                                              \
        mem_store##bits(c, i, LA_##form(bits / 8, EA_WRITE), (T)i->imm);                           \
        NEXT(c, i);                                                                                \
    }
FOR_WIDTHS(MOV_REG, )
FOR_WIDTHS(MOV_MEM, mb)
FOR_WIDTHS(MOV_MEM, mx)
FOR_WIDTHS(MOV_MEM, m32)
FOR_WIDTHS(MOV_MEM, mg)
const struct op_fns fns_mov_eg = FNS_ALL_FORMS(op_mov_eg);
const struct op_fns fns_mov_ge = FNS_ALL_FORMS(op_mov_ge);
const struct op_fns fns_mov_ei = FNS_ALL_FORMS(op_mov_ei);
const struct op_fns fns_mov_zi = {.fn = {[FORM_R] = FNS_ROW(op_mov_zi_r)}};
const struct op_fns fns_mov_ao = {.fn = {[FORM_R] = FNS_ROW(op_mov_ao_r)}};
const struct op_fns fns_mov_oa = {.fn = {[FORM_R] = FNS_ROW(op_mov_oa_r)}};

/* Extending moves: destination width by the size rule, source width in the name. */
#define EXT_FORM(dst, D, sfx, name, src, S, form)                                                  \
    static void op_##name##_##form##dst(struct cpu *c, const struct insn *i)                       \
    {                                                                                              \
        SET##dst(i->r1, (D)(S)mem_load##src(c, i, LA_##form(src / 8, EA_READ)));                   \
        NEXT(c, i);                                                                                \
    }
#define EXT_REG(dst, D, sfx, name, src, S)                                                         \
    static void op_##name##_r##dst(struct cpu *c, const struct insn *i)                            \
    {                                                                                              \
        SET##dst(i->r1, (D)(S)GET##src(i->r2));                                                    \
        NEXT(c, i);                                                                                \
    }
#define EXTEND(name, src, S)                                                                       \
    FOR_WIDE(EXT_REG, name, src, S)                                                                \
    FOR_WIDE(EXT_FORM, name, src, S, mb)                                                           \
    FOR_WIDE(EXT_FORM, name, src, S, mx)                                                           \
    FOR_WIDE(EXT_FORM, name, src, S, m32)                                                          \
    FOR_WIDE(EXT_FORM, name, src, S, mg)                                                           \
    const struct op_fns fns_##name = FNS_WIDE_ALL_FORMS(op_##name);
EXTEND(movzx8, 8, uint8_t)
EXTEND(movzx16, 16, uint16_t)
EXTEND(movsx8, 8, int8_t)
EXTEND(movsx16, 16, int16_t)
EXTEND(movsxd, 32, int32_t)

#define LEA_FORM(bits, T, sfx, form, value)                                                        \
    static void op_lea_##form##bits(struct cpu *c, const struct insn *i)                           \
    {                                                                                              \
        SET##bits(i->r1, (T)(value));                                                              \
        NEXT(c, i);                                                                                \
    }
FOR_WIDE(LEA_FORM, mb, ea_mb(c, i))
FOR_WIDE(LEA_FORM, mx, ea_mx(c, i))
FOR_WIDE(LEA_FORM, m32, ea_m32(c, i))
FOR_WIDE(LEA_FORM, mg, ea_offset(c, i))
const struct op_fns fns_lea = {.fn = {[FORM_MB] = FNS_WIDE_ROW(op_lea_mb),
                                      [FORM_MX] = FNS_WIDE_ROW(op_lea_mx),
                                      [FORM_M32] = FNS_WIDE_ROW(op_lea_m32),
                                      [FORM_MG] = FNS_WIDE_ROW(op_lea_mg)}};

/* XCHG with memory always locks. */
#define XCHG(bits, T, sfx, ...)                                                                    \
    static void op_xchg_r##bits(struct cpu *c, const struct insn *i)                               \
    {                                                                                              \
        T a = GET##bits(i->r1);                                                                    \
        T b = GET##bits(i->r2);                                                                    \
        SET##bits(i->r2, a);                                                                       \
        SET##bits(i->r1, b);                                                                       \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_xchg_mg##bits(struct cpu *c, const struct insn *i)                              \
    {                                                                                              \
        uint64_t la = EA(bits / 8, EA_WRITE);                                                      \
        T *p = mem_lock##bits(c, i, la);                                                           \
        T v = __atomic_exchange_n(p, GET##bits(i->r1), __ATOMIC_SEQ_CST);                          \
        mem_lock_done##bits(c, i, la, p);                                                          \
        SET##bits(i->r1, v);                                                                       \
        NEXT(c, i);                                                                                \
    }
FOR_WIDTHS(XCHG, )
const struct op_fns fns_xchg = {
    .fn = {[FORM_R] = FNS_ROW(op_xchg_r), [FORM_MG] = FNS_ROW(op_xchg_mg)},
    .lock = FNS_ROW(op_xchg_mg)};
/* 90 is NOP: with EAX itself nothing is zero-extended. */
#define XCHG_ACC(bits, T, sfx, ...)                                                                \
    static void op_xchg_za_r##bits(struct cpu *c, const struct insn *i)                            \
    {                                                                                              \
        if (i->r1 == R_RAX) {                                                                      \
            NEXT(c, i);                                                                            \
        }                                                                                          \
        T a = GET##bits(i->r1);                                                                    \
        T b = GET##bits(R_RAX);                                                                    \
        SET##bits(R_RAX, a);                                                                       \
        SET##bits(i->r1, b);                                                                       \
        NEXT(c, i);                                                                                \
    }
FOR_WIDE(XCHG_ACC, )
const struct op_fns fns_xchg_za = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_xchg_za_r)}};

/* CMOVcc loads always; a 32-bit destination is zero-extended either way. */
#define CMOV(bits, T, sfx, cc)                                                                     \
    static void op_cmov##cc##_r##bits(struct cpu *c, const struct insn *i)                         \
    {                                                                                              \
        T v = GET##bits(i->r2), old = GET##bits(i->r1);                                            \
        SET##bits(i->r1, cond_##cc(c) ? v : old);                                                  \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_cmov##cc##_mg##bits(struct cpu *c, const struct insn *i)                        \
    {                                                                                              \
        T v = mem_load##bits(c, i, EA(bits / 8, EA_READ)), old = GET##bits(i->r1);                 \
        SET##bits(i->r1, cond_##cc(c) ? v : old);                                                  \
        NEXT(c, i);                                                                                \
    }
#define CMOV_CC(cc)                                                                                \
    FOR_WIDE(CMOV, cc)                                                                             \
    const struct op_fns fns_cmov##cc = FNS_WIDE_R_MG(op_cmov##cc);
FOR_CONDITIONS(CMOV_CC)

#define SET_CC(cc)                                                                                 \
    static void op_set##cc##_r(struct cpu *c, const struct insn *i)                                \
    {                                                                                              \
        SET8(i->r2, cond_##cc(c));                                                                 \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_set##cc##_m(struct cpu *c, const struct insn *i)                                \
    {                                                                                              \
        mem_store8(c, i, EA(1, EA_WRITE), cond_##cc(c));                                           \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    const struct op_fns fns_set##cc = {                                                            \
        .fn = {[FORM_R] = {op_set##cc##_r}, [FORM_MG] = {op_set##cc##_m}}};
FOR_CONDITIONS(SET_CC)

static void op_bswap_r32(struct cpu *c, const struct insn *i)
{
    SET32(i->r1, __builtin_bswap32(GET32(i->r1)));
    NEXT(c, i);
}

static void op_bswap_r64(struct cpu *c, const struct insn *i)
{
    SET64(i->r1, __builtin_bswap64(GET64(i->r1)));
    NEXT(c, i);
}

/* Undefined by the manual; silicon clears the low 16 bits. */
static void op_bswap_r16(struct cpu *c, const struct insn *i)
{
    SET16(i->r1, 0);
    NEXT(c, i);
}
const struct op_fns fns_bswap = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_bswap_r)}};

#define MOVBE(bits, T, sfx, ...)                                                                   \
    static void op_movbe_ge_mg##bits(struct cpu *c, const struct insn *i)                          \
    {                                                                                              \
        SET##bits(i->r1, __builtin_bswap##bits(mem_load##bits(c, i, EA(bits / 8, EA_READ))));      \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_movbe_eg_mg##bits(struct cpu *c, const struct insn *i)                          \
    {                                                                                              \
        mem_store##bits(c, i, EA(bits / 8, EA_WRITE), __builtin_bswap##bits(GET##bits(i->r1)));    \
        NEXT(c, i);                                                                                \
    }
FOR_WIDE(MOVBE, )
const struct op_fns fns_movbe_ge = {.fn = {[FORM_MG] = FNS_WIDE_ROW(op_movbe_ge_mg)}};
const struct op_fns fns_movbe_eg = {.fn = {[FORM_MG] = FNS_WIDE_ROW(op_movbe_eg_mg)}};

static void op_xlat(struct cpu *c, const struct insn *i)
{
    uint64_t off = c->r[R_RBX] + GET8(0);

    off = INSN_ASIZE(i) == 2 ? off : INSN_ASIZE(i) == 1 ? (uint32_t)off : (uint16_t)off;
    SET8(0, mem_load8(c, i, seg_linear(c, i, i->seg, off, 1, EA_READ)));
    NEXT(c, i);
}
const struct op_fns fns_xlat = {.fn = {[FORM_R] = {op_xlat}}};

/* CBW/CWDE/CDQE and CWD/CDQ/CQO by operand size. */
#define SIGN(bits, half, S)                                                                        \
    static void op_cbw_r##bits(struct cpu *c, const struct insn *i)                                \
    {                                                                                              \
        SET##bits(R_RAX, (S)c->r[R_RAX]);                                                          \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_cwd_r##bits(struct cpu *c, const struct insn *i)                                \
    {                                                                                              \
        SET##bits(R_RDX, (int64_t)(c->r[R_RAX] << (64 - bits)) < 0 ? ~0ull : 0);                   \
        NEXT(c, i);                                                                                \
    }
SIGN(16, 8, int8_t)
SIGN(32, 16, int16_t)
SIGN(64, 32, int32_t)
const struct op_fns fns_cbw = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_cbw_r)}};
const struct op_fns fns_cwd = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_cwd_r)}};

static void op_nop(struct cpu *c, const struct insn *i)
{
    NEXT(c, i);
}
const struct op_fns fns_nop = {
    .fn = {
        [FORM_R] = {op_nop, op_nop, op_nop, op_nop}, [FORM_MG] = {op_nop, op_nop, op_nop, op_nop}}};

/* Whoever spins waits for another vCPU, whose thread may be waiting for this host processor. */
static __attribute__((noinline)) void pause_yield(struct cpu *c)
{
    c->pauses = 0;
    if (c->v->m->ncpus > 1) {
        sched_yield();
    }
}

static void op_pause(struct cpu *c, const struct insn *i)
{
    __builtin_ia32_pause();
    if (unlikely(++c->pauses == PAUSES_TO_YIELD)) {
        pause_yield(c);
    }
    NEXT(c, i);
}
const struct op_fns fns_pause = {.fn = {[FORM_R] = {op_pause}}};

static void op_mfence(struct cpu *c, const struct insn *i)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    NEXT(c, i);
}
const struct op_fns fns_mfence = {.fn = {[FORM_R] = {op_mfence}}};
