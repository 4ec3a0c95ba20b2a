/*
 * Shifts and rotates, double shifts, MUL IMUL DIV IDIV, and the BMI2 shifts.
 *
 * Follows: Intel SDM volume 2.  Run on the host's ALU from the guest's flags, so that a count of 0
 * keeps them and the undefined ones are silicon's.  Not modelled: nothing left out.
 */
#include "cpu/op.h"
#include "cpu/ops.h"

/* The guest's flags into the host's, from AX in the c->fl layout. */
#define ASM_LOAD_FLAGS "addb $127, %%al\n\tsahf\n\t"

#define SHIFT_ASM(mnem, sfx, a, n, f)                                                              \
    __asm__(ASM_LOAD_FLAGS mnem sfx " %%cl, %[x]" ASM_FLAGS_AX                                     \
            : [x] "+&q"(a), "+&a"(f)                                                               \
            : "c"(n)                                                                               \
            : "cc")

#define SHIFT(bits, T, sfx, name, mnem, kind, count)                                               \
    static void op_##name##_##kind##_r##bits(struct cpu *c, const struct insn *i)                  \
    {                                                                                              \
        T a = GET##bits(i->r2);                                                                    \
        uint8_t n = (uint8_t)(count);                                                              \
        uint16_t f = fl_get(c);                                                                    \
        SHIFT_ASM(mnem, sfx, a, n, f);                                                             \
        SET##bits(i->r2, a);                                                                       \
        c->fl = f;                                                                                 \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_##kind##_mg##bits(struct cpu *c, const struct insn *i)                 \
    {                                                                                              \
        uint64_t la = EA(bits / 8, EA_WRITE);                                                      \
        void *p = mem_rmw##bits(c, i, la);                                                         \
        T a;                                                                                       \
        uint8_t n = (uint8_t)(count);                                                              \
        uint16_t f = fl_get(c);                                                                    \
        memcpy(&a, p, sizeof a);                                                                   \
        SHIFT_ASM(mnem, sfx, a, n, f);                                                             \
        memcpy(p, &a, sizeof a);                                                                   \
        mem_rmw_done##bits(c, i, la, p);                                                           \
        c->fl = f;                                                                                 \
        NEXT(c, i);                                                                                \
    }
/* By a constant that is not 0 (masked): every flag is new but those the instruction leaves alone.
 */
#define SHIFT_CONST(bits, T, sfx, name, mnem, ...)                                                 \
    static void op_##name##_k_r##bits(struct cpu *c, const struct insn *i)                         \
    {                                                                                              \
        T a = GET##bits(i->r2);                                                                    \
        uint8_t n = (uint8_t)i->imm;                                                               \
        __asm__(mnem sfx " %%cl, %[x]" ASM_FLAGS                                                   \
                : [x] "+&q"(a), ASM_FLAGS_OUT                                                      \
                : "c"(n), ASM_FLAGS_IN                                                             \
                : "cc", "rax");                                                                    \
        SET##bits(i->r2, a);                                                                       \
        NEXT(c, i);                                                                                \
    }
FOR_WIDE(SHIFT_CONST, shl, "shl")
FOR_WIDE(SHIFT_CONST, shr, "shr")
FOR_WIDE(SHIFT_CONST, sar, "sar")

#define SHIFTS(name, mnem)                                                                         \
    FOR_WIDTHS(SHIFT, name, mnem, 1, 1)                                                            \
    FOR_WIDTHS(SHIFT, name, mnem, i, i->imm)                                                       \
    FOR_WIDTHS(SHIFT, name, mnem, c, c->r[R_RCX])                                                  \
    const struct op_fns fns_##name##_1 = FNS_R_MG(op_##name##_1);                                  \
    const struct op_fns fns_##name##_i = FNS_R_MG(op_##name##_i);                                  \
    const struct op_fns fns_##name##_c = FNS_R_MG(op_##name##_c);
SHIFTS(rol, "rol")
SHIFTS(ror, "ror")
SHIFTS(rcl, "rcl")
SHIFTS(rcr, "rcr")
SHIFTS(shl, "shl")
SHIFTS(shr, "shr")
SHIFTS(sar, "sar")

#define DOUBLE_ASM(mnem, sfx, a, b, n, f)                                                          \
    __asm__(ASM_LOAD_FLAGS mnem sfx " %%cl, %[y], %[x]" ASM_FLAGS_AX                               \
            : [x] "+&r"(a), "+&a"(f)                                                               \
            : [y] "r"(b), "c"(n)                                                                   \
            : "cc")
#define DOUBLE(bits, T, sfx, name, mnem, kind, count)                                              \
    static void op_##name##_##kind##_r##bits(struct cpu *c, const struct insn *i)                  \
    {                                                                                              \
        T a = GET##bits(i->r2), b = GET##bits(i->r1);                                              \
        uint8_t n = (uint8_t)(count);                                                              \
        uint16_t f = fl_get(c);                                                                    \
        DOUBLE_ASM(mnem, sfx, a, b, n, f);                                                         \
        SET##bits(i->r2, a);                                                                       \
        c->fl = f;                                                                                 \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_##kind##_mg##bits(struct cpu *c, const struct insn *i)                 \
    {                                                                                              \
        uint64_t la = EA(bits / 8, EA_WRITE);                                                      \
        void *p = mem_rmw##bits(c, i, la);                                                         \
        T a, b = GET##bits(i->r1);                                                                 \
        uint8_t n = (uint8_t)(count);                                                              \
        uint16_t f = fl_get(c);                                                                    \
        memcpy(&a, p, sizeof a);                                                                   \
        DOUBLE_ASM(mnem, sfx, a, b, n, f);                                                         \
        memcpy(p, &a, sizeof a);                                                                   \
        mem_rmw_done##bits(c, i, la, p);                                                           \
        c->fl = f;                                                                                 \
        NEXT(c, i);                                                                                \
    }
FOR_WIDE(DOUBLE, shld, "shld", i, i->imm)
FOR_WIDE(DOUBLE, shld, "shld", c, c->r[R_RCX])
FOR_WIDE(DOUBLE, shrd, "shrd", i, i->imm)
FOR_WIDE(DOUBLE, shrd, "shrd", c, c->r[R_RCX])
const struct op_fns fns_shld_i = FNS_WIDE_R_MG(op_shld_i);
const struct op_fns fns_shld_c = FNS_WIDE_R_MG(op_shld_c);
const struct op_fns fns_shrd_i = FNS_WIDE_R_MG(op_shrd_i);
const struct op_fns fns_shrd_c = FNS_WIDE_R_MG(op_shrd_c);

/* Decoding: SHL, SHR, SAR of a register by an immediate that leaves no choice. */
bool op_shift_prepare(struct cpu *c, struct decode *d, struct insn *i)
{
    static op_fn *const constant[3][4] = {FNS_WIDE_ROW(op_shl_k_r), FNS_WIDE_ROW(op_shr_k_r),
                                          FNS_WIDE_ROW(op_sar_k_r)};
    unsigned which = d->row->ext == 7 ? 2 : d->row->ext == 5 ? 1 : 0;

    (void)c;
    if (!d->has_mem && constant[which][d->size] && (i->imm & (d->size == 3 ? 63 : 31))) {
        i->fn = constant[which][d->size];
    }
    return true;
}

/* ---- multiply and divide ---- */

/* Accumulator pair in and out: AX for bytes, rDX:rAX else.  d and a are 64-bit copies. */
#define PAIR_ASM(mnem, sfx, T, a, d, v, f)                                                         \
    do {                                                                                           \
        T a_ = (T)(a), d_ = (T)(d);                                                                \
        uint64_t t_;                                                                               \
        __asm__("movzwl %w[fl], %k[t]\n\txchg %[t], %%rax\n\t" ASM_LOAD_FLAGS                      \
                "mov %[t], %%rax\n\t" mnem sfx " %[v]\n\tmov %%rax, %[t]" ASM_FLAGS_AX             \
                "\n\txchg %[t], %%rax"                                                             \
                : "+&a"(a_), "+&d"(d_), [t] "=&r"(t_)                                              \
                : [v] "r"(v), [fl] "r"(f)                                                          \
                : "cc");                                                                           \
        f = (uint16_t)t_;                                                                          \
        a = a_;                                                                                    \
        d = d_;                                                                                    \
    } while (0)

#define PAIR_CORE(bits, T, sfx, name, mnem)                                                        \
    static inline void do_##name##bits(struct cpu *c, T v)                                         \
    {                                                                                              \
        uint64_t a = c->r[R_RAX], d = c->r[R_RDX];                                                 \
        uint16_t f = fl_get(c);                                                                    \
        PAIR_ASM(mnem, sfx, uint64_t, a, d, v, f);                                                 \
        if (bits == 8) {                                                                           \
            SET16(R_RAX, a);                                                                       \
        } else {                                                                                   \
            SET##bits(R_RAX, a);                                                                   \
            SET##bits(R_RDX, d);                                                                   \
        }                                                                                          \
        c->fl = f;                                                                                 \
    }
FOR_WIDTHS(PAIR_CORE, mul, "mul")
FOR_WIDTHS(PAIR_CORE, imul, "imul")
FOR_WIDTHS(PAIR_CORE, quotient, "div")
FOR_WIDTHS(PAIR_CORE, iquotient, "idiv")

/* Division: what would trap is found before the host's divider sees it. */
#define DIV_CHECK8(hi, lo, v) ((v) == 0 || (uint8_t)((lo) >> 8) >= (v))
#define DIV_CHECKU(hi, v)     ((v) == 0 || (hi) >= (v))
#define DIV_CORE(bits, T, sfx, ...)                                                                \
    static inline bool div_traps##bits(const struct cpu *c, T v)                                   \
    {                                                                                              \
        return bits == 8 ? DIV_CHECK8(0, c->r[R_RAX], v) : DIV_CHECKU((T)c->r[R_RDX], v);          \
    }
FOR_WIDTHS(DIV_CORE, )

/* W is wide enough for every quotient but that of the smallest dividend by -1. */
#define IDIV_CORE(bits, S, W, join)                                                                \
    static inline bool idiv_traps##bits(const struct cpu *c, uint##bits##_t v)                     \
    {                                                                                              \
        W n = join;                                                                                \
        if (v == 0) {                                                                              \
            return true;                                                                           \
        }                                                                                          \
        if ((S)v == -1) {                                                                          \
            return n <= (W)INT##bits##_MIN || n > -(W)INT##bits##_MIN;                             \
        }                                                                                          \
        W q = n / (S)v;                                                                            \
        return q < (W)INT##bits##_MIN || q > (W)INT##bits##_MAX;                                   \
    }
IDIV_CORE(8, int8_t, int32_t, (int16_t)c->r[R_RAX])
IDIV_CORE(16, int16_t, int64_t,
          (int32_t)((uint32_t)(uint16_t)c->r[R_RDX] << 16 | (uint16_t)c->r[R_RAX]))
IDIV_CORE(32, int32_t, __int128,
          (int64_t)((uint64_t)(uint32_t)c->r[R_RDX] << 32 | (uint32_t)c->r[R_RAX]))
IDIV_CORE(64, int64_t, __int128,
          (__int128)((unsigned __int128)c->r[R_RDX] << 64 | (unsigned __int128)c->r[R_RAX]))

#define DIVIDE(bits, T, sfx, name, core)                                                           \
    static inline void do_##name##bits(struct cpu *c, const struct insn *i, T v)                   \
    {                                                                                              \
        if (unlikely(name##_traps##bits(c, v))) {                                                  \
            c->cur = i;                                                                            \
            cpu_raise(c, EXCP_DE);                                                                 \
        }                                                                                          \
        do_##core##bits(c, v);                                                                     \
    }
FOR_WIDTHS(DIVIDE, div, quotient)
FOR_WIDTHS(DIVIDE, idiv, iquotient)

#define PAIR_OP(bits, T, sfx, name, ...)                                                           \
    static void op_##name##_r##bits(struct cpu *c, const struct insn *i)                           \
    {                                                                                              \
        do_##name##bits(c, __VA_ARGS__ GET##bits(i->r2));                                          \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_mg##bits(struct cpu *c, const struct insn *i)                          \
    {                                                                                              \
        do_##name##bits(c, __VA_ARGS__ mem_load##bits(c, i, EA(bits / 8, EA_READ)));               \
        NEXT(c, i);                                                                                \
    }
#define WITH_INSN                    i,
#define PAIR_MUL(bits, T, sfx, name) PAIR_OP(bits, T, sfx, name, )
#define PAIR_DIV(bits, T, sfx, name) PAIR_OP(bits, T, sfx, name, WITH_INSN)
FOR_WIDTHS(PAIR_MUL, mul)
FOR_WIDTHS(PAIR_MUL, imul)
FOR_WIDTHS(PAIR_DIV, div)
FOR_WIDTHS(PAIR_DIV, idiv)
const struct op_fns fns_mul = FNS_R_MG(op_mul);
const struct op_fns fns_imul = FNS_R_MG(op_imul);
const struct op_fns fns_div = FNS_R_MG(op_div);
const struct op_fns fns_idiv = FNS_R_MG(op_idiv);

/*
 * IMUL with a register destination.  The XOR gives the flags that AMD's processors leave alone (all
 * but CF and OF) a value that depends on nothing; Intel's compute them.
 */
#define IMUL_ASM(sfx, a, b)                                                                        \
    __asm__("xor %%eax, %%eax\n\timul" sfx " %[y], %[x]" ASM_FLAGS                                 \
            : [x] "+&r"(a), ASM_FLAGS_OUT                                                          \
            : [y] "r"(b), ASM_FLAGS_IN                                                             \
            : "cc", "rax")
#define IMUL(bits, T, sfx, ...)                                                                    \
    static inline void do_imul_ge##bits(struct cpu *c, const struct insn *i, T a, T b)             \
    {                                                                                              \
        IMUL_ASM(sfx, a, b);                                                                       \
        SET##bits(i->r1, a);                                                                       \
    }                                                                                              \
    static void op_imul_ge_r##bits(struct cpu *c, const struct insn *i)                            \
    {                                                                                              \
        do_imul_ge##bits(c, i, GET##bits(i->r1), GET##bits(i->r2));                                \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_imul_ge_mg##bits(struct cpu *c, const struct insn *i)                           \
    {                                                                                              \
        T b = mem_load##bits(c, i, EA(bits / 8, EA_READ));                                         \
        do_imul_ge##bits(c, i, GET##bits(i->r1), b);                                               \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_imul_gei_r##bits(struct cpu *c, const struct insn *i)                           \
    {                                                                                              \
        do_imul_ge##bits(c, i, GET##bits(i->r2), (T)i->imm);                                       \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_imul_gei_mg##bits(struct cpu *c, const struct insn *i)                          \
    {                                                                                              \
        do_imul_ge##bits(c, i, mem_load##bits(c, i, EA(bits / 8, EA_READ)), (T)i->imm);            \
        NEXT(c, i);                                                                                \
    }
FOR_WIDE(IMUL, )
const struct op_fns fns_imul_ge = FNS_WIDE_R_MG(op_imul_ge);
const struct op_fns fns_imul_gei = FNS_WIDE_R_MG(op_imul_gei);
