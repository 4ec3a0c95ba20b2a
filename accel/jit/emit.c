/*
 * The assembler's longer functions.
 *
 * Follows: Intel SDM volume 2, chapter 2.
 *
 * Not modelled: see emit.h.
 */
#include "accel/jit/emit.h"

/* The longest instruction: written without a look at each byte. */
enum { LONGEST = 16 };

static bool has_room(struct emit *e)
{
    bool room = e->end - e->p >= LONGEST;

    if (unlikely(!room)) {
        e->full = true;
    }
    return room;
}

/* Of memory: without branches, as no two operands in a row are alike. */
static inline uint8_t *put_memory(uint8_t *p, unsigned reg, struct hrm rm)
{
    bool absolute = rm.reg == H_NONE, sib = rm.index != H_NONE || absolute || (rm.reg & 7) == H_RSP;
    bool none = (!rm.disp && (rm.reg & 7) != H_RBP) || absolute;
    unsigned mod = none ? 0 : 2u - (rm.disp == (int8_t)rm.disp);
    unsigned base = absolute ? 5 : rm.reg & 7, index = rm.index == H_NONE ? 4 : rm.index & 7;

    p[0] = (uint8_t)(mod << 6 | (reg & 7) << 3 | (sib ? 4 : base));
    p[1] = (uint8_t)(rm.scale << 6 | index << 3 | base);
    p += 1 + sib;
    memcpy(p, &rm.disp, sizeof rm.disp);
    return p + (absolute ? 4 : mod * mod); /* 0, 1 or 4 bytes of it */
}

/* ModRM, SIB and displacement. */
static inline uint8_t *put_modrm(uint8_t *p, unsigned reg, struct hrm rm)
{
    if (rm.mem) {
        return put_memory(p, reg, rm);
    }
    *p = (uint8_t)(0xc0 | (reg & 7) << 3 | (rm.reg & 7));
    return p + 1;
}

/* REX.R, X and B of the operands. */
static unsigned rex_rxb(unsigned reg, struct hrm rm)
{
    return (reg & 8) >> 1 | (rm.index & 8) >> 2 | (rm.reg & 8) >> 3;
}

static uint8_t *put_address_prefixes(uint8_t *p, struct hrm rm)
{
    if (rm.gs) {
        *p++ = 0x65;
    }
    if (rm.narrow) {
        *p++ = 0x67;
    }
    return p;
}

static uint8_t *put_prefixes(uint8_t *p, unsigned flags)
{
    if (flags & X_LOCK) {
        *p++ = 0xf0;
    }
    if (flags & X_66) {
        *p++ = 0x66;
    }
    if (flags & (X_F2 | X_F3)) {
        *p++ = flags & X_F2 ? 0xf2 : 0xf3;
    }
    return p;
}

/* Does a byte register want a REX prefix, whatever is in that? */
static bool byte_wants_rex(unsigned flags, unsigned reg, struct hrm rm)
{
    return !(flags & X_NOREX) &&
           ((flags & X_BREG && reg >= 4) || (flags & X_BRM && !rm.mem && rm.reg >= 4));
}

void emit_op(struct emit *e, unsigned flags, unsigned op, unsigned reg, struct hrm rm)
{
    unsigned rex = (flags & X_W) << 3 | rex_rxb(reg, rm);
    bool has_rex = rex;

    if (!has_room(e)) {
        return;
    }
    uint8_t *p = e->p; /* not through e each time */
    if (unlikely(rm.gs | rm.narrow)) {
        p = put_address_prefixes(p, rm);
    }
    if (unlikely(flags & ~(unsigned)X_W)) {
        p = put_prefixes(p, flags);
        has_rex |= byte_wants_rex(flags, reg, rm);
    }
    *p = (uint8_t)(0x40 | rex);
    p += has_rex;
    if (op >= O_0F) {
        *p++ = 0x0f;
        if (op >= O_0F38) {
            *p++ = op >= O_0F3A ? 0x3a : 0x38;
        }
    }
    *p++ = (uint8_t)op;
    e->p = put_modrm(p, reg, rm);
}

void emit_vex(struct emit *e, unsigned op, unsigned pp, bool w, bool l, unsigned reg, unsigned vvvv,
              struct hrm rm)
{
    unsigned rxb = rex_rxb(reg, rm) ^ 7;

    if (!has_room(e)) {
        return;
    }
    uint8_t *p = put_address_prefixes(e->p, rm);

    *p++ = 0xc4;
    *p++ = (uint8_t)(rxb << 5 | op >> 8);
    *p++ = (uint8_t)((w ? 0x80u : 0) | (vvvv ^ 15) << 3 | (l ? 4 : 0) | pp);
    *p++ = (uint8_t)op;
    e->p = put_modrm(p, reg, rm);
}

void emit_mov_imm(struct emit *e, unsigned to, uint64_t val)
{
    if (val <= 0xffffffff) {
        if (to & 8) {
            emit8(e, 0x41);
        }
        emit8(e, 0xb8 + (to & 7));
        emit32(e, (uint32_t)val);
    } else if (emit_fits(val)) {
        emit_op(e, X_W, 0xc7, 0, hreg(to));
        emit32(e, (uint32_t)val);
    } else {
        emit8(e, 0x48 | (to & 8) >> 3);
        emit8(e, 0xb8 + (to & 7));
        emit64(e, val);
    }
}

void emit_alu_imm(struct emit *e, bool w, unsigned op, struct hrm rm, int32_t imm)
{
    bool small = imm == (int8_t)imm;

    if (!small && !rm.mem && rm.reg == H_RAX) { /* has a form without ModRM */
        if (w) {
            emit8(e, 0x48);
        }
        emit8(e, op << 3 | 5);
    } else {
        emit_op(e, x_w(w), small ? 0x83 : 0x81, op, rm);
    }
    if (small) {
        emit8(e, (unsigned)imm);
    } else {
        emit32(e, (uint32_t)imm);
    }
}

uint8_t *emit_jump(struct emit *e, unsigned op, const uint8_t *to)
{
    if (op >= O_0F) {
        emit8(e, 0x0f);
    }
    emit8(e, op);
    uint8_t *at = e->p;
    emit32(e, 0);
    if (!e->full) {
        emit_patch(at, to ? to : at + 4);
    }
    return at;
}

void emit_lea_rip(struct emit *e, unsigned to, const uint8_t *place)
{
    emit8(e, 0x48 | (to & 8) >> 1);
    emit8(e, 0x8d);
    emit8(e, (to & 7) << 3 | 5);
    emit32(e, 0);
    if (!e->full) {
        emit_patch(e->p - 4, place);
    }
}

uint8_t *emit_jump_short(struct emit *e, unsigned op)
{
    emit8(e, op);
    emit8(e, 0);
    return e->p - 1;
}

void emit_patch_short(uint8_t *at, const uint8_t *to)
{
    ptrdiff_t by = to - (at + 1);

    g_assert(by >= -128 && by < 128);
    *at = (uint8_t)by;
}
