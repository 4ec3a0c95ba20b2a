/*
 * Bit instructions: BT BTS BTR BTC, BSF BSR TZCNT LZCNT POPCNT, CRC32, BMI1, BMI2, ADX; CMPXCHG,
 * XADD, CMPXCHG8B/16B.
 *
 * Follows: Intel SDM volume 2.  Run on the host's units; a model offers what the host has
 * (cpuid.c).
 *
 * Not modelled: nothing left out.
 */
#include "cpu/op.h"
#include "cpu/ops.h"

#define ASM_LOAD_FLAGS "addb $127, %%al\n\tsahf\n\t"

/* ---- bit test ---- */

#define BIT_ASM(mnem, sfx, a, n, f)                                                                \
    __asm__(ASM_LOAD_FLAGS mnem sfx " %[n_], %[x]" ASM_FLAGS_AX                                    \
            : [x] "+&r"(a), "+&a"(f)                                                               \
            : [n_] "r"(n)                                                                          \
            : "cc")

/* A register offset reaches outside the operand: the address moves by whole operands, signed. */
#define BT_ADDRESS(bits, T)                                                                        \
    static __attribute__((noinline))                                                               \
    uint64_t bt_address##bits(struct cpu *c, const struct insn *i, unsigned write)                 \
    {                                                                                              \
        int64_t n = (int64_t)(c->r[i->r1] << (64 - bits)) >> (64 - bits);                          \
        uint64_t off = ea_offset(c, i) + (uint64_t)((n >> __builtin_ctz(bits)) * (bits / 8));      \
        off = INSN_ASIZE(i) == 2 ? off : INSN_ASIZE(i) == 1 ? (uint32_t)off : (uint16_t)off;       \
        return seg_linear(c, i, i->seg, off, bits / 8, write);                                     \
    }
#define BT_ADDRESS_W(bits, T, sfx, ...) BT_ADDRESS(bits, T)
FOR_WIDE(BT_ADDRESS_W, )
#define BITTEST(bits, T, sfx, name, writes, kind, number, address)                                 \
    static void op_##name##_##kind##_r##bits(struct cpu *c, const struct insn *i)                  \
    {                                                                                              \
        T a = GET##bits(i->r2), n = (T)(number);                                                   \
        uint16_t f = fl_get(c);                                                                    \
        BIT_ASM(#name, sfx, a, n, f);                                                              \
        if (writes) {                                                                              \
            SET##bits(i->r2, a);                                                                   \
        }                                                                                          \
        c->fl = f;                                                                                 \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_##kind##_mg##bits(struct cpu *c, const struct insn *i)                 \
    {                                                                                              \
        uint64_t la = address(bits, writes);                                                       \
        T a, n = (T)(number);                                                                      \
        uint16_t f = fl_get(c);                                                                    \
        if (!writes) {                                                                             \
            a = mem_load##bits(c, i, la);                                                          \
            BIT_ASM(#name, sfx, a, n, f);                                                          \
        } else {                                                                                   \
            void *p = mem_rmw##bits(c, i, la);                                                     \
            memcpy(&a, p, sizeof a);                                                               \
            BIT_ASM(#name, sfx, a, n, f);                                                          \
            memcpy(p, &a, sizeof a);                                                               \
            mem_rmw_done##bits(c, i, la, p);                                                       \
        }                                                                                          \
        c->fl = f;                                                                                 \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_##kind##_lock##bits(struct cpu *c, const struct insn *i)               \
    {                                                                                              \
        uint64_t la = address(bits, writes);                                                       \
        T n = (T)(number) & (bits - 1);                                                            \
        T *p = mem_lock##bits(c, i, la);                                                           \
        uint16_t f = fl_get(c);                                                                    \
        __asm__ volatile(ASM_LOAD_FLAGS LOCK_##name #name sfx " %[n_], %[x]" ASM_FLAGS_AX          \
                         : [x] "+m"(*p), "+&a"(f)                                                  \
                         : [n_] "r"(n)                                                             \
                         : "cc", "memory");                                                        \
        mem_lock_done##bits(c, i, la, p);                                                          \
        c->fl = f;                                                                                 \
        NEXT(c, i);                                                                                \
    }
#define LOCK_bt  ""
#define LOCK_bts "lock; "
#define LOCK_btr "lock; "
#define LOCK_btc "lock; "
#define BT_TABLES(name, writes)                                                                    \
    FOR_WIDE(BITTEST, name, writes, g, c->r[i->r1], BT_LA)                                         \
    FOR_WIDE(BITTEST, name, writes, i, i->imm, EA_BITS)                                            \
    const struct op_fns fns_##name##_g = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_##name##_g_r),         \
                                                 [FORM_MG] = FNS_WIDE_ROW(op_##name##_g_mg)},      \
                                          .lock = FNS_WIDE_ROW(op_##name##_g_lock)};               \
    const struct op_fns fns_##name##_i = {.fn = {[FORM_R] = FNS_WIDE_ROW(op_##name##_i_r),         \
                                                 [FORM_MG] = FNS_WIDE_ROW(op_##name##_i_mg)},      \
                                          .lock = FNS_WIDE_ROW(op_##name##_i_lock)};
#define BT_LA(bits, writes)   bt_address##bits(c, i, writes)
#define EA_BITS(bits, writes) ea_generic(c, i, bits / 8, writes)
BT_TABLES(bt, 0)
BT_TABLES(bts, 1)
BT_TABLES(btr, 1)
BT_TABLES(btc, 1)

/* ---- counts and scans: the destination may be kept (source 0), so it goes in and out ---- */

#define SCAN(bits, T, sfx, name, mnem)                                                             \
    static inline void do_##name##bits(struct cpu *c, const struct insn *i, T v)                   \
    {                                                                                              \
        T a = GET##bits(i->r1);                                                                    \
        uint16_t f = fl_get(c);                                                                    \
        __asm__(ASM_LOAD_FLAGS mnem sfx " %[y], %[x]" ASM_FLAGS_AX                                 \
                : [x] "+&r"(a), "+&a"(f)                                                           \
                : [y] "r"(v)                                                                       \
                : "cc");                                                                           \
        SCAN_KEEP_##name(bits, v, a) c->fl = f;                                                    \
    }                                                                                              \
    static void op_##name##_r##bits(struct cpu *c, const struct insn *i)                           \
    {                                                                                              \
        do_##name##bits(c, i, GET##bits(i->r2));                                                   \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_mg##bits(struct cpu *c, const struct insn *i)                          \
    {                                                                                              \
        do_##name##bits(c, i, mem_load##bits(c, i, EA(bits / 8, EA_READ)));                        \
        NEXT(c, i);                                                                                \
    }
/* BSF and BSR of 0 leave the whole destination as it was. */
#define SCAN_KEEP_bsf(bits, v, a)                                                                  \
    if (v) {                                                                                       \
        SET##bits(i->r1, a);                                                                       \
    }
#define SCAN_KEEP_bsr(bits, v, a)                                                                  \
    if (v) {                                                                                       \
        SET##bits(i->r1, a);                                                                       \
    }
#define SCAN_KEEP_tzcnt(bits, v, a)  SET##bits(i->r1, a);
#define SCAN_KEEP_lzcnt(bits, v, a)  SET##bits(i->r1, a);
#define SCAN_KEEP_popcnt(bits, v, a) SET##bits(i->r1, a);
#define SCANS(name)                                                                                \
    FOR_WIDE(SCAN, name, #name)                                                                    \
    const struct op_fns fns_##name = FNS_WIDE_R_MG(op_##name);
SCANS(bsf)
SCANS(bsr)
SCANS(tzcnt)
SCANS(lzcnt)
SCANS(popcnt)

/* CRC32: a 32-bit sum in r1 (zero-extended), source width by form. */
#define CRC(bits, T, sfx, S)                                                                       \
    static inline void do_crc32_##bits(struct cpu *c, const struct insn *i, T v)                   \
    {                                                                                              \
        S a = (uint32_t)c->r[i->r1];                                                               \
        __asm__("crc32" sfx " %1, %0" : "+r"(a) : "q"(v));                                         \
        c->r[i->r1] = (uint32_t)a;                                                                 \
    }                                                                                              \
    static void op_crc32_r##bits(struct cpu *c, const struct insn *i)                              \
    {                                                                                              \
        do_crc32_##bits(c, i, GET##bits(i->r2));                                                   \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_crc32_mg##bits(struct cpu *c, const struct insn *i)                             \
    {                                                                                              \
        do_crc32_##bits(c, i, mem_load##bits(c, i, EA(bits / 8, EA_READ)));                        \
        NEXT(c, i);                                                                                \
    }
CRC(8, uint8_t, "b", uint32_t)
CRC(16, uint16_t, "w", uint32_t)
CRC(32, uint32_t, "l", uint32_t)
CRC(64, uint64_t, "q", uint64_t)
/* The byte form's destination width is REX.W, its handler the same. */
const struct op_fns fns_crc32_8 = {
    .fn = {[FORM_R] = {NULL, op_crc32_r8, op_crc32_r8, op_crc32_r8},
           [FORM_MG] = {NULL, op_crc32_mg8, op_crc32_mg8, op_crc32_mg8}}};
const struct op_fns fns_crc32 = FNS_WIDE_R_MG(op_crc32);

/* ---- BMI1, BMI2, ADX: VEX three-operand forms; vvvv is in imm ---- */

#define VEX_GPR(bits, T, sfx, name, ...)                                                           \
    static void op_##name##_r##bits(struct cpu *c, const struct insn *i)                           \
    {                                                                                              \
        do_##name##bits(c, i, GET##bits(i->r2));                                                   \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_##name##_mg##bits(struct cpu *c, const struct insn *i)                          \
    {                                                                                              \
        do_##name##bits(c, i, mem_load##bits(c, i, EA(bits / 8, EA_READ)));                        \
        NEXT(c, i);                                                                                \
    }
#define FOR_DQ(X, ...) X(32, uint32_t, "l", __VA_ARGS__) X(64, uint64_t, "q", __VA_ARGS__)
#define FNS_DQ(p)                                                                                  \
    {                                                                                              \
        .fn = {                                                                                    \
            [FORM_R] = {NULL, NULL, p##_r32, p##_r64},                                             \
            [FORM_MG] = {NULL, NULL, p##_mg32, p##_mg64}                                           \
        }                                                                                          \
    }
/* d = f(vvvv, rm) or f(rm, vvvv), with flags. */
#define BMI_FLAGS(bits, T, sfx, name, mnem, operands, dest)                                        \
    static inline void do_##name##bits(struct cpu *c, const struct insn *i, T v)                   \
    {                                                                                              \
        T a, w = GET##bits(i->imm);                                                                \
        uint16_t f = fl_get(c);                                                                    \
        __asm__(ASM_LOAD_FLAGS mnem sfx operands ASM_FLAGS_AX                                      \
                : [d] "=&r"(a), "+&a"(f)                                                           \
                : [v] "r"(v), [w] "r"(w)                                                           \
                : "cc");                                                                           \
        SET##bits(dest, a);                                                                        \
        c->fl = f;                                                                                 \
    }                                                                                              \
    VEX_GPR(bits, T, sfx, name)
#define BMI(name, operands, dest)                                                                  \
    FOR_DQ(BMI_FLAGS, name, #name, operands, dest)                                                 \
    const struct op_fns fns_##name = FNS_DQ(op_##name);
BMI(andn, " %[v], %[w], %[d]", i->r1)
BMI(bextr, " %[w], %[v], %[d]", i->r1)
BMI(bzhi, " %[w], %[v], %[d]", i->r1)
BMI(pdep, " %[v], %[w], %[d]", i->r1)
BMI(pext, " %[v], %[w], %[d]", i->r1)
BMI(sarx, " %[w], %[v], %[d]", i->r1)
BMI(shlx, " %[w], %[v], %[d]", i->r1)
BMI(shrx, " %[w], %[v], %[d]", i->r1)
BMI(blsr, " %[v], %[d]", i->imm)
BMI(blsmsk, " %[v], %[d]", i->imm)
BMI(blsi, " %[v], %[d]", i->imm)

#define RORX(bits, T, sfx, ...)                                                                    \
    static inline void do_rorx##bits(struct cpu *c, const struct insn *i, T v)                     \
    {                                                                                              \
        unsigned n = i->imm & (bits - 1);                                                          \
        SET##bits(i->r1, n ? v >> n | v << (bits - n) : v);                                        \
    }                                                                                              \
    VEX_GPR(bits, T, sfx, rorx)
FOR_DQ(RORX, )
const struct op_fns fns_rorx = FNS_DQ(op_rorx);

/* MULX: high half to r1, low half to vvvv; equal registers keep the high half. */
#define MULX(bits, T, W)                                                                           \
    static inline void do_mulx##bits(struct cpu *c, const struct insn *i, T v)                     \
    {                                                                                              \
        W p = (W)v * (T)c->r[R_RDX];                                                               \
        SET##bits(i->imm, (T)p);                                                                   \
        SET##bits(i->r1, (T)(p >> bits));                                                          \
    }                                                                                              \
    VEX_GPR(bits, T, "", mulx)
MULX(32, uint32_t, uint64_t)
MULX(64, uint64_t, unsigned __int128)
const struct op_fns fns_mulx = FNS_DQ(op_mulx);

/* ADCX and ADOX: only their own flag changes. */
#define ADX(bits, T, sfx, name)                                                                    \
    static inline void do_##name##bits(struct cpu *c, const struct insn *i, T v)                   \
    {                                                                                              \
        T a = GET##bits(i->r1);                                                                    \
        uint16_t f = fl_get(c);                                                                    \
        __asm__(ASM_LOAD_FLAGS #name sfx " %[y], %[x]" ASM_FLAGS_AX                                \
                : [x] "+&r"(a), "+&a"(f)                                                           \
                : [y] "r"(v)                                                                       \
                : "cc");                                                                           \
        SET##bits(i->r1, a);                                                                       \
        c->fl = f;                                                                                 \
    }                                                                                              \
    VEX_GPR(bits, T, sfx, name)
FOR_DQ(ADX, adcx)
FOR_DQ(ADX, adox)
const struct op_fns fns_adcx = FNS_DQ(op_adcx);
const struct op_fns fns_adox = FNS_DQ(op_adox);

/* ---- compare-and-exchange, exchange-and-add ---- */

#define COMPARE_ASM(sfx, a, b, f)                                                                  \
    __asm__("cmp" sfx " %[y], %[x]" ASM_FLAGS_AX : "=&a"(f) : [x] "q"(a), [y] "q"(b) : "cc")

#define CMPXCHG(bits, T, sfx, ...)                                                                 \
    static void op_cmpxchg_r##bits(struct cpu *c, const struct insn *i)                            \
    {                                                                                              \
        T acc = GET##bits(R_RAX), dst = GET##bits(i->r2), src = GET##bits(i->r1);                  \
        uint16_t f;                                                                                \
        COMPARE_ASM(sfx, acc, dst, f);                                                             \
        if (acc == dst) {                                                                          \
            SET##bits(i->r2, src);                                                                 \
        } else { /* silicon leaves the destination alone, upper half included */                   \
            SET##bits(R_RAX, dst);                                                                 \
        }                                                                                          \
        c->fl = f;                                                                                 \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_cmpxchg_mg##bits(struct cpu *c, const struct insn *i)                           \
    {                                                                                              \
        uint64_t la = EA(bits / 8, EA_WRITE);                                                      \
        void *p = mem_rmw##bits(c, i, la);                                                         \
        T acc = GET##bits(R_RAX), dst, src = GET##bits(i->r1);                                     \
        uint16_t f;                                                                                \
        memcpy(&dst, p, sizeof dst);                                                               \
        COMPARE_ASM(sfx, acc, dst, f);                                                             \
        memcpy(p, acc == dst ? &src : &dst, sizeof dst);                                           \
        mem_rmw_done##bits(c, i, la, p);                                                           \
        if (acc != dst) {                                                                          \
            SET##bits(R_RAX, dst);                                                                 \
        }                                                                                          \
        c->fl = f;                                                                                 \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_cmpxchg_lock##bits(struct cpu *c, const struct insn *i)                         \
    {                                                                                              \
        uint64_t la = EA(bits / 8, EA_WRITE);                                                      \
        T *p = mem_lock##bits(c, i, la);                                                           \
        T acc = GET##bits(R_RAX), dst = acc, src = GET##bits(i->r1);                               \
        uint16_t f;                                                                                \
        __asm__ volatile("lock; cmpxchg" sfx " %[s], %[m]"                                         \
                         : "+a"(dst), [m] "+m"(*p)                                                 \
                         : [s] "q"(src)                                                            \
                         : "cc", "memory");                                                        \
        mem_lock_done##bits(c, i, la, p);                                                          \
        COMPARE_ASM(sfx, acc, dst, f);                                                             \
        if (acc != dst) {                                                                          \
            SET##bits(R_RAX, dst);                                                                 \
        }                                                                                          \
        c->fl = f;                                                                                 \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_xadd_r##bits(struct cpu *c, const struct insn *i)                               \
    {                                                                                              \
        T dst = GET##bits(i->r2), src = GET##bits(i->r1), sum = dst;                               \
        uint16_t f;                                                                                \
        __asm__("add" sfx " %[y], %[x]" ASM_FLAGS_AX                                               \
                : [x] "+&q"(sum), "=&a"(f)                                                         \
                : [y] "q"(src)                                                                     \
                : "cc");                                                                           \
        SET##bits(i->r1, dst);                                                                     \
        SET##bits(i->r2, sum);                                                                     \
        c->fl = f;                                                                                 \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    static void op_xadd_mg##bits(struct cpu *c, const struct insn *i)                              \
    {                                                                                              \
        uint64_t la = EA(bits / 8, EA_WRITE);                                                      \
        T *p = mem_lock##bits(c, i, la);                                                           \
        T v = GET##bits(i->r1);                                                                    \
        uint16_t f;                                                                                \
        __asm__ volatile("lock; xadd" sfx " %[x], %[m]" ASM_FLAGS_AX                               \
                         : [x] "+&q"(v), "=&a"(f), [m] "+m"(*p)                                    \
                         :                                                                         \
                         : "cc", "memory");                                                        \
        mem_lock_done##bits(c, i, la, p);                                                          \
        SET##bits(i->r1, v);                                                                       \
        c->fl = f;                                                                                 \
        NEXT(c, i);                                                                                \
    }
FOR_WIDTHS(CMPXCHG, )
const struct op_fns fns_cmpxchg = {
    .fn = {[FORM_R] = FNS_ROW(op_cmpxchg_r), [FORM_MG] = FNS_ROW(op_cmpxchg_mg)},
    .lock = FNS_ROW(op_cmpxchg_lock)};
const struct op_fns fns_xadd = {
    .fn = {[FORM_R] = FNS_ROW(op_xadd_r), [FORM_MG] = FNS_ROW(op_xadd_mg)},
    .lock = FNS_ROW(op_xadd_mg)};

static __attribute__((noinline)) void cmpxchg8b(struct cpu *c, const struct insn *i)
{
    uint64_t la = EA(8, EA_WRITE);
    uint64_t *p = mem_lock64(c, i, la);
    uint64_t old = (c->r[R_RDX] << 32) | (uint32_t)c->r[R_RAX];
    uint64_t new = (c->r[R_RCX] << 32) | (uint32_t)c->r[R_RBX];
    bool done =
        __atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);

    mem_lock_done64(c, i, la, p);
    c->fl = done ? c->fl | FL_ZF : c->fl & ~FL_ZF;
    if (!done) {
        SET32(R_RAX, old);
        SET32(R_RDX, old >> 32);
    }
}

static void op_cmpxchg8b(struct cpu *c, const struct insn *i)
{
    cmpxchg8b(c, i);
    NEXT(c, i);
}

static __attribute__((noinline)) void cmpxchg16b(struct cpu *c, const struct insn *i)
{
    uint64_t la = EA(16, EA_WRITE);

    if (la & 15) {
        c->cur = i;
        cpu_raise_error(c, EXCP_GP, 0);
    }
    void *p = mem_lock_slow(c, i, la, 16);
    uint64_t lo = c->r[R_RAX], hi = c->r[R_RDX];
    uint8_t done;

    __asm__ volatile("lock; cmpxchg16b %[m]\n\tsete %[d]"
                     : "+a"(lo), "+d"(hi), [m] "+m"(*(unsigned __int128 *)p), [d] "=q"(done)
                     : "b"(c->r[R_RBX]), "c"(c->r[R_RCX])
                     : "cc", "memory");
    if (p == c->bounce) {
        mem_lock_flush(c, i, la, 16);
    }
    c->fl = done ? c->fl | FL_ZF : c->fl & ~FL_ZF;
    if (!done) {
        c->r[R_RAX] = lo;
        c->r[R_RDX] = hi;
    }
}

static void op_cmpxchg16b(struct cpu *c, const struct insn *i)
{
    cmpxchg16b(c, i);
    NEXT(c, i);
}
const struct op_fns fns_cmpxchg8b = {.fn = {[FORM_MG] = {NULL, NULL, op_cmpxchg8b, op_cmpxchg16b}},
                                     .lock = {NULL, NULL, op_cmpxchg8b, op_cmpxchg16b}};
