/*
 * Guest registers by operand size: byte registers with AH..BH, and writes of 16 bits.
 *
 * Follows: Intel SDM volume 1, 3.4.1.
 *
 * Not modelled: nothing left out.
 */
#include "accel/jit/jit_int.h"

void tr_gpr_put_sized(struct tr *t, unsigned g, unsigned from, unsigned size)
{
    if (size >= 2) {
        if (size == 2) {
            emit_mov_rr(&t->e, false, from, from);
        }
        emit_op(&t->e, X_W, 0x89, from, tr_gpr(g));
    } else {
        emit_op(&t->e, size == 1 ? X_66 : X_BREG | X_BRM, size == 1 ? 0x89 : 0x88, from, tr_gpr(g));
    }
}

/* AH..DH of RAX..RDX, in instructions without REX prefix. */
static unsigned high_half(unsigned host)
{
    return host + 4;
}

void tr_byte_get(struct tr *t, unsigned n, unsigned to)
{
    struct hrm g = tr_gpr(n >> 3);

    if (n & 1) {
        emit_op(&t->e, 0, 0x8b, to, g);
        emit_op(&t->e, X_NOREX, O_0F | 0xb6, to, hreg(high_half(to)));
    } else {
        emit_op(&t->e, X_BRM, O_0F | 0xb6, to, g);
    }
}

void tr_byte_put(struct tr *t, unsigned n, unsigned from, unsigned scratch)
{
    if (n & 1) {
        emit_op(&t->e, X_W, 0x8b, scratch, tr_gpr(n >> 3));
        emit_op(&t->e, X_NOREX, 0x88, from, hreg(high_half(scratch)));
        tr_gpr_put(t, n >> 3, scratch);
    } else {
        tr_gpr_put_sized(t, n >> 3, from, 0);
    }
}

void tr_load_sized(struct tr *t, unsigned size, unsigned to, struct hrm from)
{
    if (size >= 2) {
        emit_load(&t->e, size == 3, to, from);
    } else { /* movzx */
        emit_op(&t->e, 0, O_0F | 0xb6 | size, to, from);
    }
}

void tr_sized_get(struct tr *t, unsigned n, unsigned size, unsigned to)
{
    if (size == 0) {
        tr_byte_get(t, n, to);
    } else {
        emit_op(&t->e, X_W, 0x8b, to, tr_gpr(n));
    }
}

void tr_sized_put(struct tr *t, unsigned n, unsigned size, unsigned from, unsigned scratch)
{
    if (size == 0) {
        tr_byte_put(t, n, from, scratch);
    } else {
        tr_gpr_put_sized(t, n, from, size);
    }
}
