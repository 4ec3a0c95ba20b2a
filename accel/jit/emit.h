/*
 * The assembler of the translator: x86-64 instructions into a buffer.
 *
 * Follows: Intel SDM volume 2, chapter 2.  An operand of ModRM's rm kind is a `struct hrm`, a host
 * register or host memory; an opcode is map << 8 | byte.  Writing past the buffer's end is noted
 * (emit_full), nothing is written there.
 *
 * Not modelled: what nobody asked for yet; EVEX, far branches, 8- and 16-bit address sizes.
 */
#ifndef ACCEL_JIT_EMIT_H
#define ACCEL_JIT_EMIT_H

#include "hw/core/base.h"

enum {
    H_RAX,
    H_RCX,
    H_RDX,
    H_RBX,
    H_RSP,
    H_RBP,
    H_RSI,
    H_RDI,
    H_R8,
    H_R9,
    H_R10,
    H_R11,
    H_R12,
    H_R13,
    H_R14,
    H_R15,
    H_NONE = 0x40 /* has none of the bits that go into an encoding */
};

/* Opcode maps, as they stand above the opcode byte. */
enum { O_0F = 0x100, O_0F38 = 0x200, O_0F3A = 0x300 };

enum {
    X_W = BIT(0),     /* 64-bit operands */
    X_66 = BIT(1),    /* operand-size prefix */
    X_F2 = BIT(2),    /* mandatory or repeat prefix */
    X_F3 = BIT(3),    /* likewise */
    X_LOCK = BIT(4),  /* LOCK prefix */
    X_BREG = BIT(5),  /* reg is a byte register: SPL.. rather than AH.. */
    X_BRM = BIT(6),   /* rm is a byte register */
    X_NOREX = BIT(7), /* AH..BH are meant: the caller sees to it that no REX is needed */
};

struct emit {
    uint8_t *p, *end;
    bool full;
};

/* A register (index H_NONE, mem false) or memory at base + index * (1 << scale) + disp. */
struct hrm {
    bool mem;
    uint8_t reg; /* the register, or the base; H_NONE: disp32 alone */
    uint8_t index, scale;
    bool gs;     /* relative to the base of the host's GS */
    bool narrow; /* and with a 32-bit address */
    int32_t disp;
};

static inline struct hrm hreg(unsigned reg)
{
    return (struct hrm){.reg = (uint8_t)reg, .index = H_NONE};
}
static inline struct hrm hmem(unsigned base, int32_t disp)
{
    return (struct hrm){.mem = true, .reg = (uint8_t)base, .index = H_NONE, .disp = disp};
}
static inline struct hrm hmem_index(unsigned base, unsigned index, unsigned scale, int32_t disp)
{
    return (struct hrm){.mem = true,
                        .reg = (uint8_t)base,
                        .index = (uint8_t)index,
                        .scale = (uint8_t)scale,
                        .disp = disp};
}

static inline void emit8(struct emit *e, unsigned v)
{
    if (likely(e->p < e->end)) {
        *e->p++ = (uint8_t)v;
    } else {
        e->full = true;
    }
}
static inline void emit16(struct emit *e, unsigned v)
{
    emit8(e, v);
    emit8(e, v >> 8);
}
static inline void emit_bytes(struct emit *e, const void *bytes, size_t n)
{
    if (likely((size_t)(e->end - e->p) >= n)) {
        memcpy(e->p, bytes, n);
        e->p += n;
    } else {
        e->full = true;
    }
}
static inline void emit32(struct emit *e, uint32_t v)
{
    emit_bytes(e, &v, sizeof v);
}
static inline void emit64(struct emit *e, uint64_t v)
{
    emit32(e, (uint32_t)v);
    emit32(e, (uint32_t)(v >> 32));
}

/* One instruction with ModRM: prefixes by flags (X_*), opcode with its map; immediates are the
 * caller's. */
void emit_op(struct emit *e, unsigned flags, unsigned op, unsigned reg, struct hrm rm);
/* The same VEX-coded: pp 0: none, 1: 66, 2: F3, 3: F2; vvvv a register number, 0 where unused. */
void emit_vex(struct emit *e, unsigned op, unsigned pp, bool w, bool l, unsigned reg, unsigned vvvv,
              struct hrm rm);

/* ---- common instructions; `w`: 64-bit, else 32-bit ---- */

/* Is val a sign-extended 32-bit constant? */
static inline bool emit_fits(uint64_t val)
{
    return (uint64_t)(int64_t)(int32_t)val == val;
}
static inline unsigned x_w(bool w)
{
    return w ? X_W : 0;
}
static inline void emit_mov_rr(struct emit *e, bool w, unsigned to, unsigned from)
{
    emit_op(e, x_w(w), 0x8b, to, hreg(from));
}
static inline void emit_load(struct emit *e, bool w, unsigned to, struct hrm from)
{
    emit_op(e, x_w(w), 0x8b, to, from);
}
static inline void emit_store(struct emit *e, bool w, struct hrm to, unsigned from)
{
    emit_op(e, x_w(w), 0x89, from, to);
}
static inline void emit_lea(struct emit *e, bool w, unsigned to, struct hrm from)
{
    emit_op(e, x_w(w), 0x8d, to, from);
}
/* The same memory operand by its address in `to`; flags are kept. */
static inline struct hrm emit_operand_at(struct emit *e, unsigned to, struct hrm m)
{
    struct hrm at = hmem(to, 0);

    at.gs = m.gs;
    m.gs = false;
    emit_lea(e, true, to, m);
    return at;
}
static inline void emit_push(struct emit *e, unsigned reg)
{
    if (reg & 8) {
        emit8(e, 0x41);
    }
    emit8(e, 0x50 + (reg & 7));
}
static inline void emit_pop(struct emit *e, unsigned reg)
{
    if (reg & 8) {
        emit8(e, 0x41);
    }
    emit8(e, 0x58 + (reg & 7));
}
static inline void emit_ret(struct emit *e)
{
    emit8(e, 0xc3);
}
/* The address of a place in the same buffer's memory. */
void emit_lea_rip(struct emit *e, unsigned to, const uint8_t *place);
/* The shortest way to have a constant in a register; flags are kept. */
void emit_mov_imm(struct emit *e, unsigned to, uint64_t val);
/* ALU group: op 0..7 = add or adc sbb and sub xor cmp; rm op= imm32 (sign-extended). */
void emit_alu_imm(struct emit *e, bool w, unsigned op, struct hrm rm, int32_t imm);
/* jmp, call or jcc rel32 (op 0xe9, 0xe8, O_0F | 0x80 + cc) to `to`, a place in the same buffer's
 * memory; gives where the rel32 stands. */
uint8_t *emit_jump(struct emit *e, unsigned op, const uint8_t *to);
/* The same by a rel8 (op: one byte), whose place it gives; and to patch that. */
uint8_t *emit_jump_short(struct emit *e, unsigned op);
void emit_patch_short(uint8_t *at, const uint8_t *to);
/* The rel32 at `at`, of a jump whose next instruction is at `next`, to `to`. */
static inline void emit_rel32(uint8_t *at, const uint8_t *next, const uint8_t *to)
{
    int32_t rel = (int32_t)(to - next);

    memcpy(at, &rel, 4);
}
/* Let the rel32 at `at` lead to `to`. */
static inline void emit_patch(uint8_t *at, const uint8_t *to)
{
    emit_rel32(at, at + 4, to);
}

#endif
