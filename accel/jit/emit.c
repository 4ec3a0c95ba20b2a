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

    e->full |= !room;
    return room;
}

static uint8_t *put_sib_disp(uint8_t *p, unsigned reg, struct hrm rm)
{
    unsigned r = (reg & 7) << 3;
    bool sib = rm.index != H_NONE || rm.reg == H_NONE || (rm.reg & 7) == H_RSP;
    bool small = rm.disp == (int8_t)rm.disp, none = !rm.disp && (rm.reg & 7) != H_RBP;
    unsigned mod = rm.reg == H_NONE ? 0 : none ? 0 : small ? 0x40 : 0x80;

    if (sib) {
        *p++ = (uint8_t)(mod | r | 4);
        *p++ = (uint8_t)(rm.scale << 6 | (rm.index == H_NONE ? 4 : rm.index & 7) << 3 |
                         (rm.reg == H_NONE ? 5 : rm.reg & 7));
    } else {
        *p++ = (uint8_t)(mod | r | (rm.reg & 7));
    }
    memcpy(p, &rm.disp, sizeof rm.disp);
    return p + (mod == 0x40 ? 1 : mod == 0x80 || rm.reg == H_NONE ? 4 : 0);
}

/* ModRM, SIB and displacement. */
static uint8_t *put_modrm(uint8_t *p, unsigned reg, struct hrm rm)
{
    if (rm.mem) {
        return put_sib_disp(p, reg, rm);
    }
    *p = (uint8_t)(0xc0 | (reg & 7) << 3 | (rm.reg & 7));
    return p + 1;
}

/* REX.R, X and B of the operands. */
static unsigned rex_rxb(unsigned reg, struct hrm rm)
{
    return (reg & 8) >> 1 | (rm.index != H_NONE ? (rm.index & 8) >> 2 : 0) |
           (rm.reg != H_NONE ? (rm.reg & 8) >> 3 : 0);
}

void emit_op(struct emit *e, unsigned flags, unsigned op, unsigned reg, struct hrm rm)
{
    unsigned rex = (flags & X_W ? 8 : 0) | rex_rxb(reg, rm);
    bool byte = (flags & X_BREG && reg >= 4) || (flags & X_BRM && !rm.mem && rm.reg >= 4);

    if (!has_room(e)) {
        return;
    }
    uint8_t *p = e->p; /* not through e each time */
    if (rm.gs) {
        *p++ = 0x65;
    }
    if (rm.narrow) {
        *p++ = 0x67;
    }
    if (flags & X_LOCK) {
        *p++ = 0xf0;
    }
    if (flags & X_66) {
        *p++ = 0x66;
    }
    if (flags & (X_F2 | X_F3)) {
        *p++ = flags & X_F2 ? 0xf2 : 0xf3;
    }
    if (rex || (byte && !(flags & X_NOREX))) {
        *p++ = (uint8_t)(0x40 | rex);
    }
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
    uint8_t *p = e->p;
    if (rm.gs) {
        *p++ = 0x65;
    }
    if (rm.narrow) {
        *p++ = 0x67;
    }
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
