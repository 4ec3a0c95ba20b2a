/*
 * TH_VEC_STORE and TH_VEC_LOAD: the vector registers between the host's and struct cpu.  They keep
 * flags and general registers.
 *
 * Not modelled: the registers of AVX-512, which guests have not.
 */
#include "accel/jit/jit_int.h"

static struct hrm vec_state(unsigned n, unsigned offset)
{
    return tr_state_at(offsetof(struct cpu, fpu.ymm) + n * 32 + offset);
}

/* All of them to or from c->fpu.ymm; wide: 256 bits. */
static void emit_vec_moves(struct emit *e, bool store, bool wide)
{
    unsigned op = O_0F | (store ? 0x29 : 0x28); /* movaps */

    for (unsigned n = 0; n < 16; n++) {
        if (wide) {
            emit_vex(e, op, 0, false, true, n, 0, vec_state(n, 0));
        } else {
            emit_op(e, 0, op, n, vec_state(n, 0));
        }
    }
    if (store && wide) {
        emit8(e, 0xc5); /* vzeroupper */
        emit8(e, 0xf8);
        emit8(e, 0x77);
    }
    emit_op(e, 0, 0xc6, 0, tr_state(vec_live));
    emit8(e, !store);
}

/* RCX = 0 when the upper halves of all are zero. */
static void emit_uppers(struct emit *e)
{
    for (unsigned n = 0; n < 16; n++) { /* four sums, in xmm0..3: vmovdqa, vpor */
        emit_vex(e, O_0F | (n < 4 ? 0x6f : 0xeb), 1, false, false, n & 3, n < 4 ? 0 : n & 3,
                 vec_state(n, 16));
    }
    for (unsigned n = 1; n < 4; n++) {
        emit_vex(e, O_0F | 0xeb, 1, false, false, 0, 0, hreg(n));
    }
    emit_vex(e, O_0F | 0x6d, 1, false, false, 1, 0, hreg(0)); /* vpunpckhqdq */
    emit_vex(e, O_0F | 0xeb, 1, false, false, 0, 0, hreg(1));
    emit_vex(e, O_0F | 0x7e, 1, true, false, 0, 0, hreg(H_RCX)); /* vmovq */
}

/*
 * Legacy SSE instructions are slow on some processors after the upper halves of registers were
 * written, zeros too.  So these are left as VZEROUPPER made them when the guest's are all zero.
 */
static void emit_vec_load(struct emit *e, struct jit *j)
{
    thunk_begin(e, j, TH_VEC_LOAD);
    if (j->has_avx) {
        emit_push(e, H_RCX);
        emit_uppers(e);
        emit8(e, 0xe3); /* jrcxz */
        emit8(e, 5);
        uint8_t *wide = emit_jump(e, 0xe9, NULL);
        emit_pop(e, H_RCX);
        emit_vec_moves(e, false, false);
        emit_ret(e);
        emit_patch(wide, e->p);
        emit_pop(e, H_RCX);
    }
    emit_vec_moves(e, false, j->has_avx);
    emit_ret(e);
}

static void emit_vec_store(struct emit *e, struct jit *j)
{
    thunk_begin(e, j, TH_VEC_STORE);
    emit_vec_moves(e, true, j->has_avx);
    emit_ret(e);
}

void thunks_emit_vec(struct emit *e, struct jit *j)
{
    emit_vec_store(e, j);
    emit_vec_load(e, j);
}
