/*
 * Segments in compiled code: limits and types, stacks, branch targets.
 *
 * Follows: Intel SDM volume 3, chapter 5.
 *
 * What the segments of the moment allow stands in c->span; the mode says where nothing needs to be
 * looked at.  A block in a code segment with a limit looks at its entry whether it still lies
 * within.
 *
 * Not modelled: expand-down segments and limits that forbid an access: handlers run.
 */
#include "accel/jit/jit_int.h"

bool tr_seg_is_free(const struct tr *t, unsigned seg)
{
    return tr_is_64(t) ||
           (t->k->mode & MODE_FLAT && (seg == SEG_DS || seg == SEG_SS || seg == SEG_ES));
}

bool tr_ea_ok(const struct tr *t)
{
    return !(t->in->d.row->enc & ENC_VSIB);
}

bool tr_ea_flat(const struct tr *t)
{
    return tr_ea_ok(t) && tr_seg_is_free(t, t->in->i.seg);
}

/* ---- data ---- */

void tr_seg_check(struct tr *t, unsigned seg, enum tr_access access, unsigned size)
{
    unsigned write = access != TR_LOAD;

    if (!tr_seg_is_free(t, seg)) {
        emit_lea(&t->e, true, H_RAX, hmem(H_RDX, (int32_t)size));
        emit_op(&t->e, X_W, 0x3b, H_RAX, tr_state_at(offsetof(struct cpu, span[seg][write])));
        tr_bail(t, 7);
    }
}

void tr_seg_base(struct tr *t, unsigned seg)
{
    bool wide = tr_is_64(t);

    if (wide ? seg == SEG_FS || seg == SEG_GS : !tr_seg_is_free(t, seg)) {
        emit_op(&t->e, x_w(wide), 0x03, H_RDX, tr_state_at(offsetof(struct cpu, seg[seg].base)));
    }
}

void tr_seg(struct tr *t, unsigned seg, enum tr_access access, unsigned size)
{
    tr_seg_check(t, seg, access, size);
    tr_seg_base(t, seg);
}

/* ---- stacks ---- */

unsigned tr_sp_bits(const struct tr *t)
{
    return tr_is_64(t) ? 64 : t->k->mode & MODE_STACK32 ? 32 : 16;
}

void tr_sp(struct tr *t, unsigned g, int32_t disp)
{
    unsigned bits = tr_sp_bits(t);

    t->rdx = -1;
    emit_lea(&t->e, bits == 64, H_RDX, hmem(tr_host(g), disp));
    if (bits == 16) {
        emit_op(&t->e, 0, O_0F | 0xb7, H_RDX, hreg(H_RDX));
    }
}

void tr_sp_settle(struct tr *t)
{
    if (t->sp_pending) {
        emit_lea(&t->e, true, tr_host(R_RSP), hmem(tr_host(R_RSP), t->sp_pending));
        t->sp_pending = 0;
    }
}

void tr_sp_set(struct tr *t, unsigned g, int32_t disp)
{
    unsigned bits = tr_sp_bits(t), rsp = tr_host(R_RSP);

    if (t->sp_may_wait) {
        t->sp_pending += disp;
    } else if (bits != 16) {
        emit_lea(&t->e, bits == 64, rsp, hmem(tr_host(g), disp));
    } else if (g == R_RSP) {
        bool small = disp == (int8_t)disp;

        emit_op(&t->e, X_66, small ? 0x83 : 0x81, 0, hreg(rsp));
        if (small) {
            emit8(&t->e, (unsigned)disp);
        } else {
            emit16(&t->e, (unsigned)disp);
        }
    } else {
        emit_lea(&t->e, false, H_RCX, hmem(tr_host(g), disp));
        emit_op(&t->e, X_66, 0x8b, rsp, hreg(H_RCX));
    }
}

/* ---- branches ---- */

/* The entry has seen that the block itself lies within. */
static uint64_t last_byte(const struct tr *t)
{
    return t->ip + t->k->bytes - 1;
}

static void compare_limit(struct tr *t, uint64_t ip)
{
    emit_op(&t->e, 0, 0x81, 7, tr_state_at(offsetof(struct cpu, seg[SEG_CS].limit)));
    emit32(&t->e, (uint32_t)ip);
}

void tr_check_target(struct tr *t, uint64_t ip)
{
    if (!(t->k->mode & MODE_CS_FLAT) && ip > last_byte(t)) {
        compare_limit(t, ip);
        tr_bail(t, 2);
    }
}

void tr_check_target_rax(struct tr *t)
{
    if (!(t->k->mode & MODE_CS_FLAT)) {
        emit_op(&t->e, 0, 0x3b, H_RAX, tr_state_at(offsetof(struct cpu, seg[SEG_CS].limit)));
        tr_bail(t, 7);
    }
}

static void cold_outside(struct tr *t, struct cold *k)
{
    (void)k;
    emit_mov_imm(&t->e, H_RAX, t->ip);
    emit_jump(&t->e, 0xe9, t->j->thunk[TH_LEAVE]);
}

void tr_check_entry(struct tr *t)
{
    if (!(t->k->mode & MODE_CS_FLAT)) {
        compare_limit(t, last_byte(t));
        tr_cold(t, cold_outside, emit_jump(&t->e, O_0F | 0x82, NULL));
    }
}
