/*
 * Guest memory accesses in compiled code: the software TLB, looked up in line.
 *
 * One replaceable piece: a lowering says what it does with an operand (tr_body), this file how the
 * operand is found.  An access that misses goes through C (slow.c), which gives a host pointer, and
 * the same instruction is executed there.
 *
 * Not modelled: nothing left out.
 */
#include "accel/jit/jit_int.h"

/* ---- addresses ---- */

void tr_address(struct tr *t, unsigned to, bool wide)
{
    const struct insn *i = &t->in->i;
    unsigned base = H_NONE, index = H_NONE;
    int32_t disp = i->disp;
    bool cut = INSN_ASIZE(i) == 0;

    if (i->base == R_BASE) {
        uint64_t at = t->ip + (uint64_t)(int64_t)disp;

        emit_mov_imm(&t->e, to, wide ? at : (uint32_t)at);
        return;
    }
    if (i->base != R_ZERO) {
        base = tr_gpr_get(t, i->base, to);
    }
    if (i->index != R_ZERO) {
        index = tr_gpr_get(t, i->index, H_RCX);
    }
    if (base == H_NONE && index == H_NONE) {
        emit_mov_imm(&t->e, to,
                     cut    ? (uint16_t)disp
                     : wide ? (uint64_t)(int64_t)disp
                            : (uint32_t)disp);
        return;
    }
    if (index == H_NONE && !disp && !cut) {
        emit_mov_rr(&t->e, wide, to, base);
    } else if (index == H_NONE && !disp) {
        emit_op(&t->e, 0, O_0F | 0xb7, to, hreg(base));
    } else {
        emit_lea(&t->e, wide, to,
                 hmem_index(base, index, index == H_NONE ? 0 : INSN_SCALE(i), disp));
        if (cut) {
            emit_op(&t->e, 0, O_0F | 0xb7, to, hreg(to));
        }
    }
}

void tr_ea(struct tr *t, enum tr_access access, unsigned size)
{
    const struct insn *i = &t->in->i;

    tr_address(t, H_RDX, INSN_ASIZE(i) == 2);
    tr_seg(t, i->seg, access, size);
}

/* ---- accesses ---- */

static const uint8_t slow_thunk[] = {
    [TR_LOAD] = TH_LOAD, [TR_STORE] = TH_STORE, [TR_RMW] = TH_RMW, [TR_LOCK] = TH_LOCK};

/* Behind a store in the slow path: when it dropped code, this block may be of it. */
static void leave_if_dropped(struct tr *t, const uint8_t *back)
{
    uint8_t *skip;

    emit8(&t->e, 0xe3); /* jrcxz */
    emit8(&t->e, 0);
    skip = t->e.p;
    tr_flags_spill(t);
    emit_alu_imm(&t->e, false, 5, tr_state(left), t->in->i.n);
    emit_mov_imm(&t->e, H_RAX, tr_next_ip(t));
    emit_jump(&t->e, 0xe9, t->j->thunk[TH_LEAVE]);
    if (!t->e.full) {
        skip[-1] = (uint8_t)(t->e.p - skip);
    }
    emit_jump(&t->e, 0xe9, back);
}

static void mem_cold(struct tr *t, struct cold *k)
{
    tr_set_base(t);
    emit_mov_imm(&t->e, H_RCX, (uint64_t)(uintptr_t)&t->k->insn[t->at]);
    emit_mov_imm(&t->e, H_RAX, k->size);
    emit_jump(&t->e, 0xe8, t->j->thunk[slow_thunk[k->access]]);
    if (t->vec) {
        emit_jump(&t->e, 0xe8, t->j->thunk[TH_VEC_LOAD]);
    }
    k->body(t, hmem(H_RDX, 0), k->arg);
    if (k->access == TR_LOAD) {
        emit_jump(&t->e, 0xe9, k->back);
        return;
    }
    emit_jump(&t->e, 0xe8, t->j->thunk[TH_DONE]);
    if (t->vec) {
        emit_jump(&t->e, 0xe8, t->j->thunk[TH_VEC_LOAD]);
    }
    if (k->last) {
        emit_jump(&t->e, 0xe9, k->back);
    } else {
        leave_if_dropped(t, k->back);
    }
}

/* RDX = linear address: to the slow path unless the TLB has it; RDX = host address. */
static uint8_t *check(struct tr *t, unsigned size, bool write)
{
    struct emit *e = &t->e;
    size_t tag = write ? offsetof(struct tlb_entry, tag_w) : offsetof(struct tlb_entry, tag_r);

    static_assert(sizeof(struct tlb_entry) == 32 && PAGE_SHIFT == 12, "shift by 7");
    if (t->j->has_bmi2) {
        emit_vex(e, O_0F3A | 0xf0, 3, false, false, H_RCX, 0, hreg(H_RDX)); /* rorx */
        emit8(e, 7);
    } else {
        emit_mov_rr(e, false, H_RCX, H_RDX);
        emit_op(e, 0, 0xc1, 5, hreg(H_RCX));
        emit8(e, 7);
    }
    emit_alu_imm(e, false, 4, hreg(H_RCX), (TLB_SIZE - 1) * 32);
    emit_op(e, X_W, 0x03, H_RCX, tr_state(tlb));
    emit_mov_rr(e, true, H_RAX, H_RDX);
    emit_op(e, X_W, 0x2b, H_RAX, hmem(H_RCX, (int32_t)tag));
    emit_op(e, X_W, 0x81, 7, hreg(H_RAX));
    emit32(e, (uint32_t)(PAGE_BYTES - size));
    uint8_t *miss = emit_jump(e, O_0F | 0x87, NULL);
    emit_op(e, X_W, 0x03, H_RDX, hmem(H_RCX, offsetof(struct tlb_entry, addend)));
    return miss;
}

void tr_mem_at(struct tr *t, enum tr_access access, unsigned size, tr_body *body, const void *arg,
               unsigned arg_len)
{
    uint8_t *miss = check(t, size, access != TR_LOAD);
    struct cold *k = tr_cold(t, mem_cold, miss);

    k->access = access;
    k->size = size;
    k->body = body;
    if (arg_len) {
        memcpy(k->arg, arg, MIN(arg_len, sizeof k->arg));
    }
    body(t, hmem(H_RDX, 0), k->arg);
    k->back = t->e.p;
}

void tr_mem_last(struct tr *t)
{
    t->cold[t->ncold - 1].last = true;
}

void tr_mem_or_handler(struct tr *t, enum tr_access access, unsigned size)
{
    tr_bail_from(t, check(t, size, access != TR_LOAD));
}

void tr_mem(struct tr *t, enum tr_access access, unsigned size, tr_body *body, const void *arg,
            unsigned arg_len)
{
    tr_flags_clobber(t);
    tr_ea(t, access, size);
    tr_mem_at(t, access, size, body, arg, arg_len);
}
