/*
 * Macros by which the integer handlers are instantiated per operand width and address form.
 *
 * Arithmetic runs on the host's own ALU and its flags are kept as they come (lahf; seto), so that
 * every flag, the undefined ones included, is what silicon gives.
 *
 * Not modelled: undefined flags of other processors than the host.
 */
#ifndef CPU_OP_H
#define CPU_OP_H

#include "cpu/mem.h"

/* Low half-word of a register, which keeps the rest. */
typedef uint16_t __attribute__((may_alias)) u16_alias;

/*
 * After the arithmetic instruction in an asm statement: its flags into c->fl, byte by byte.
 * (Storing AX as a whole costs more than everything else: after LAHF and SETO the halves of AX must
 * be put together.)  So c->fl is read by bytes too where it matters (fl_get, op_cond.h): a wide
 * load could not be forwarded from two stores.
 */
#define ASM_FLAGS     "\n\tlahf\n\tseto %c[fl_at](%[cpu])\n\tmov %%ah, %c[fl_at]+1(%[cpu])"
#define ASM_FLAGS_OUT [flags] "=m"(c->fl)
#define ASM_FLAGS_IN  [cpu] "D"(c), [fl_at] "i"(offsetof(struct cpu, fl))

/* The same into AX, where that is wanted. */
#define ASM_FLAGS_AX "\n\tlahf\n\tseto %%al"

/* c->fl, from two bytes. */
static inline uint16_t fl_get(const struct cpu *c)
{
    const uint8_t *b = (const uint8_t *)&c->fl;

    return (uint16_t)(b[0] | b[1] << 8);
}
static inline uint32_t fl_high(const struct cpu *c)
{
    return ((const uint8_t *)&c->fl)[1];
}

/* Registers by width: number -> value; 8-bit numbers are byte offsets. */
#define GET8(n)     (((const uint8_t *)c->r)[n])
#define GET16(n)    ((uint16_t)c->r[n])
#define GET32(n)    ((uint32_t)c->r[n])
#define GET64(n)    (c->r[n])
#define SET8(n, v)  (((uint8_t *)c->r)[n] = (uint8_t)(v))
#define SET16(n, v) (*(u16_alias *)&c->r[n] = (uint16_t)(v))
#define SET32(n, v) (c->r[n] = (uint32_t)(v))
#define SET64(n, v) (c->r[n] = (uint64_t)(v))

/* Linear address of the memory operand, by form. */
#define LA_mb(size, write)  ea_mb(c, i)
#define LA_mx(size, write)  ea_mx(c, i)
#define LA_m32(size, write) ea_m32(c, i)
#define LA_mg(size, write)  ea_generic(c, i, size, write)

/* X(bits, type, asm suffix) for the four widths; X2 without 8 bits. */
#define FOR_WIDTHS(X, ...)                                                                         \
    X(8, uint8_t, "b", __VA_ARGS__)                                                                \
    X(16, uint16_t, "w", __VA_ARGS__)                                                              \
    X(32, uint32_t, "l", __VA_ARGS__) X(64, uint64_t, "q", __VA_ARGS__)
#define FOR_WIDE(X, ...)                                                                           \
    X(16, uint16_t, "w", __VA_ARGS__)                                                              \
    X(32, uint32_t, "l", __VA_ARGS__) X(64, uint64_t, "q", __VA_ARGS__)

/* Tables: handlers named op_<name>_<form><bits>. */
#define FNS_ROW(p)                                                                                 \
    {                                                                                              \
        p##8, p##16, p##32, p##64                                                                  \
    }
#define FNS_WIDE_ROW(p)                                                                            \
    {                                                                                              \
        NULL, p##16, p##32, p##64                                                                  \
    }
#define FNS_ALL_FORMS(p)                                                                           \
    {                                                                                              \
        .fn = {                                                                                    \
            [FORM_R] = FNS_ROW(p##_r),                                                             \
            [FORM_MB] = FNS_ROW(p##_mb),                                                           \
            [FORM_MX] = FNS_ROW(p##_mx),                                                           \
            [FORM_M32] = FNS_ROW(p##_m32),                                                         \
            [FORM_MG] = FNS_ROW(p##_mg)                                                            \
        }                                                                                          \
    }
#define FNS_WIDE_ALL_FORMS(p)                                                                      \
    {                                                                                              \
        .fn = {                                                                                    \
            [FORM_R] = FNS_WIDE_ROW(p##_r),                                                        \
            [FORM_MB] = FNS_WIDE_ROW(p##_mb),                                                      \
            [FORM_MX] = FNS_WIDE_ROW(p##_mx),                                                      \
            [FORM_M32] = FNS_WIDE_ROW(p##_m32),                                                    \
            [FORM_MG] = FNS_WIDE_ROW(p##_mg)                                                       \
        }                                                                                          \
    }
/* Register form and one memory form for every address kind. */
#define FNS_R_MG(p)                                                                                \
    {                                                                                              \
        .fn = { [FORM_R] = FNS_ROW(p##_r), [FORM_MG] = FNS_ROW(p##_mg) }                           \
    }
#define FNS_WIDE_R_MG(p)                                                                           \
    {                                                                                              \
        .fn = { [FORM_R] = FNS_WIDE_ROW(p##_r), [FORM_MG] = FNS_WIDE_ROW(p##_mg) }                 \
    }

/* Address of a memory operand in cold handlers, whatever the form. */
#define EA(size, write) ea_generic(c, i, size, write)

#endif
