/*
 * SIMD moves between vector registers, general registers and memory.
 *
 * They could run natively like all the rest (native.h), but plain C saves them one indirect jump,
 * and they are most of the SIMD instructions that are executed.
 *
 * Names: mov = load or register move, sto = store form; the number is the size in bytes; u/a:
 * unaligned/aligned; v: VEX (clears the rest of the YMM register).
 *
 * Not modelled: the cache hints of non-temporal moves.
 */
#include "cpu/native_mem.h"
#include "cpu/simd.h"
#include <emmintrin.h>

static inline uint8_t *vreg(struct cpu *c, unsigned n)
{
    return c->fpu.ymm[n];
}

static inline void copy16(void *to, const void *from)
{
    _mm_storeu_si128(to, _mm_loadu_si128(from));
}

static inline void clear16(void *to)
{
    _mm_storeu_si128(to, _mm_setzero_si128());
}

static inline void put8(void *to, uint64_t v)
{
    memcpy(to, &v, sizeof v);
}

static inline uint64_t get8(const void *from)
{
    uint64_t v;

    memcpy(&v, from, sizeof v);
    return v;
}

static inline uint32_t get4(const void *from)
{
    uint32_t v;

    memcpy(&v, from, sizeof v);
    return v;
}

/* v, zero-extended to 128 bits. */
static inline void put_low(void *to, uint64_t v)
{
    _mm_storeu_si128(to, _mm_set_epi64x(0, (long long)v));
}

/*
 * Load handlers in the four memory forms: `body` has the operand's host address in p and its
 * register in d.  Misses of the TLB go to functions of their own, so that the handlers need no
 * stack frame.
 */
#define LOAD_FORM(name, form, size, align, body)                                                   \
    static void name##_##form(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        uint64_t la = NATIVE_EA_##form(size, EA_READ);                                             \
        const struct tlb_entry *e = tlb_slot(c, la);                                               \
        if ((align) && unlikely(la & ((size)-1))) {                                                \
            return op_gp0(c, i);                                                                   \
        }                                                                                          \
        if (unlikely(la - e->tag_r > PAGE_BYTES - (size))) {                                       \
            return name##_miss(c, i, la);                                                          \
        }                                                                                          \
        const uint8_t *p = (const uint8_t *)(uintptr_t)(la + e->addend);                           \
        uint8_t *d = vreg(c, i->r1);                                                               \
        body;                                                                                      \
        NEXT(c, i);                                                                                \
    }
#define LOADS(name, size, align, reg, body)                                                        \
    static __attribute__((noinline)) void name##_miss(struct cpu *c, const struct insn *i,         \
                                                      uint64_t la)                                 \
    {                                                                                              \
        const uint8_t *p = native_read_slow(c, i, la, size);                                       \
        uint8_t *d = vreg(c, i->r1);                                                               \
        body;                                                                                      \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    LOAD_FORM(name, MB, size, align, body)                                                         \
    LOAD_FORM(name, MX, size, align, body)                                                         \
    LOAD_FORM(name, M32, size, align, body)                                                        \
    LOAD_FORM(name, MG, size, align, body)                                                         \
    const struct op_fns simd_fns_##name = FNS(name, reg);

/* Store handlers: `body` stores register d at p. */
#define STORE_FORM(name, form, size, align)                                                        \
    static void name##_##form(struct cpu *c, const struct insn *i)                                 \
    {                                                                                              \
        uint64_t la = NATIVE_EA_##form(size, EA_WRITE);                                            \
        if ((align) && unlikely(la & ((size)-1))) {                                                \
            return op_gp0(c, i);                                                                   \
        }                                                                                          \
        uint8_t *p = native_write(c, la, size);                                                    \
        if (unlikely(!p)) {                                                                        \
            return name##_miss(c, i, la);                                                          \
        }                                                                                          \
        name##_copy(p, c, i);                                                                      \
        NEXT(c, i);                                                                                \
    }
#define STORES(name, size, align, reg, body)                                                       \
    static inline void name##_copy(uint8_t *p, struct cpu *c, const struct insn *i)                \
    {                                                                                              \
        const uint8_t *d = vreg(c, i->r1);                                                         \
        body;                                                                                      \
    }                                                                                              \
    static __attribute__((noinline)) void name##_slow(struct cpu *c, const struct insn *i,         \
                                                      uint64_t la)                                 \
    {                                                                                              \
        uint8_t buf[size];                                                                         \
        name##_copy(buf, c, i);                                                                    \
        mem_store_bytes(c, i, la, buf, size);                                                      \
    }                                                                                              \
    static __attribute__((noinline)) void name##_miss(struct cpu *c, const struct insn *i,         \
                                                      uint64_t la)                                 \
    {                                                                                              \
        name##_slow(c, i, la);                                                                     \
        NEXT(c, i);                                                                                \
    }                                                                                              \
    STORE_FORM(name, MB, size, align)                                                              \
    STORE_FORM(name, MX, size, align)                                                              \
    STORE_FORM(name, M32, size, align)                                                             \
    STORE_FORM(name, MG, size, align)                                                              \
    const struct op_fns simd_fns_##name = FNS(name, reg);
#define FNS(name, reg)                                                                             \
    {                                                                                              \
        .fn = { {reg}, {name##_MB}, {name##_MX}, {name##_M32}, {name##_MG} }                       \
    }
/* Register form. */
#define MOVE(name, body)                                                                           \
    static void name(struct cpu *c, const struct insn *i)                                          \
    {                                                                                              \
        body;                                                                                      \
        NEXT(c, i);                                                                                \
    }

/* ---- whole registers ---- */

MOVE(reg16, copy16(vreg(c, i->r1), vreg(c, i->r2)))
MOVE(reg16_back, copy16(vreg(c, i->r2), vreg(c, i->r1)))
MOVE(vreg16, copy16(vreg(c, i->r1), vreg(c, i->r2)); clear16(vreg(c, i->r1) + 16))
MOVE(vreg16_back, copy16(vreg(c, i->r2), vreg(c, i->r1)); clear16(vreg(c, i->r2) + 16))

static inline void copy32(void *to, const void *from)
{
    __m128i lo = _mm_loadu_si128(from), hi = _mm_loadu_si128((const __m128i *)from + 1);

    _mm_storeu_si128(to, lo);
    _mm_storeu_si128((__m128i *)to + 1, hi);
}

MOVE(vreg32, copy32(vreg(c, i->r1), vreg(c, i->r2)))
MOVE(vreg32_back, copy32(vreg(c, i->r2), vreg(c, i->r1)))

LOADS(mov16u, 16, false, reg16, copy16(d, p))
LOADS(mov16a, 16, true, reg16, copy16(d, p))
LOADS(vmov16u, 16, false, vreg16, copy16(d, p); clear16(d + 16))
LOADS(vmov16a, 16, true, vreg16, copy16(d, p); clear16(d + 16))
LOADS(vmov32u, 32, false, vreg32, copy32(d, p))
LOADS(vmov32a, 32, true, vreg32, copy32(d, p))
STORES(sto16u, 16, false, reg16_back, copy16(p, d))
STORES(sto16a, 16, true, reg16_back, copy16(p, d))
STORES(vsto16u, 16, false, vreg16_back, copy16(p, d))
STORES(vsto16a, 16, true, vreg16_back, copy16(p, d))
STORES(vsto32u, 32, false, vreg32_back, copy32(p, d))
STORES(vsto32a, 32, true, vreg32_back, copy32(p, d))

/* ---- parts of registers ---- */

MOVE(regq, put_low(vreg(c, i->r1), get8(vreg(c, i->r2))))
MOVE(vregq, put_low(vreg(c, i->r1), get8(vreg(c, i->r2))); clear16(vreg(c, i->r1) + 16))
MOVE(regq_back, put_low(vreg(c, i->r2), get8(vreg(c, i->r1))))
MOVE(vregq_back, put_low(vreg(c, i->r2), get8(vreg(c, i->r1))); clear16(vreg(c, i->r2) + 16))

LOADS(movss, 4, false, NULL, put_low(d, get4(p)))
LOADS(vmovss, 4, false, NULL, put_low(d, get4(p)); clear16(d + 16))
LOADS(movq, 8, false, regq, put_low(d, get8(p)))
LOADS(vmovq, 8, false, vregq, put_low(d, get8(p)); clear16(d + 16))
LOADS(movlps, 8, false, NULL, put8(d, get8(p)))
LOADS(movhps, 8, false, NULL, put8(d + 8, get8(p)))
STORES(sto4, 4, false, NULL, memcpy(p, d, 4))
STORES(sto8, 8, false, NULL, memcpy(p, d, 8))
STORES(sto8h, 8, false, NULL, memcpy(p, d + 8, 8))
STORES(stoq, 8, false, regq_back, memcpy(p, d, 8))
STORES(vstoq, 8, false, vregq_back, memcpy(p, d, 8))

/* ---- general registers: 32 or 64 bits by W ---- */

MOVE(regd4, put_low(vreg(c, i->r1), (uint32_t)c->r[i->r2]))
MOVE(regd8, put_low(vreg(c, i->r1), c->r[i->r2]))
MOVE(vregd4, put_low(vreg(c, i->r1), (uint32_t)c->r[i->r2]); clear16(vreg(c, i->r1) + 16))
MOVE(vregd8, put_low(vreg(c, i->r1), c->r[i->r2]); clear16(vreg(c, i->r1) + 16))
MOVE(regd4_back, c->r[i->r2] = get4(vreg(c, i->r1)))
MOVE(regd8_back, c->r[i->r2] = get8(vreg(c, i->r1)))

#define FNS_Y(reg4, mem4, reg8, mem8)                                                              \
    {                                                                                              \
        .fn = {                                                                                    \
            {NULL, NULL, reg4, reg8},                                                              \
            {NULL, NULL, mem4##_MB, mem8##_MB},                                                    \
            {NULL, NULL, mem4##_MX, mem8##_MX},                                                    \
            {NULL, NULL, mem4##_M32, mem8##_M32},                                                  \
            {NULL, NULL, mem4##_MG, mem8##_MG}                                                     \
        }                                                                                          \
    }
const struct op_fns simd_fns_movd = FNS_Y(regd4, movss, regd8, movq);
const struct op_fns simd_fns_vmovd = FNS_Y(vregd4, vmovss, vregd8, vmovq);
const struct op_fns simd_fns_stod = FNS_Y(regd4_back, sto4, regd8_back, sto8);
