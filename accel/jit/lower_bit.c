/*
 * Bit instructions and others with operands of their own kind: BMI1, BMI2, bit tests in memory,
 * CMPXCHG and XADD on registers, CMPXCHG8B/16B, LAHF, SAHF, XLAT.
 *
 * Follows: Intel SDM volume 2.  The host has what the guest's CPU model offers.
 *
 * Not modelled: nothing left out.
 */
#include "accel/jit/jit_int.h"
#include "cpu/ops.h"

static bool is_memory_ok(const struct tr *t)
{
    return !t->in->d.has_mem || tr_ea_ok(t);
}

/* ---- BMI1 and BMI2 ---- */

/* Does it write flags?  (The others leave them all alone.) */
static bool bmi_flags(const struct op_fns *fns)
{
    return fns == &fns_andn || fns == &fns_bextr || fns == &fns_bzhi || fns == &fns_blsr ||
           fns == &fns_blsmsk || fns == &fns_blsi;
}

/* Opcode with the number of its map in VEX, which is the map's here. */
static unsigned vex_op(const struct decode *d)
{
    return d->op | (d->map == MAP_VEX_0F38 ? O_0F38 : O_0F3A);
}

/* The group F3 has its destination in VEX.vvvv, RORX no third register. */
static void bmi_body(struct tr *t, struct hrm m, const void *arg)
{
    const struct decode *d = &t->in->d;
    const struct insn *i = &t->in->i;
    bool group = d->op == 0xf3, rorx = d->map == MAP_VEX_0F3A, flags = bmi_flags(d->row->fns);
    unsigned dest = group ? (unsigned)i->imm : i->r1;
    unsigned host = tr_host(dest) == H_NONE ? H_RAX : tr_host(dest);

    (void)arg;
    if (flags) {
        tr_flags_need(t); /* some stay as they are */
    }
    if (group) {
        emit_vex(&t->e, vex_op(d), d->vex_pp, d->size == 3, false, d->reg & 7, host, m);
    } else {
        unsigned third = rorx ? 0 : tr_gpr_get(t, (unsigned)i->imm, H_RCX);

        emit_vex(&t->e, vex_op(d), d->vex_pp, d->size == 3, false, host, third, m);
    }
    if (rorx) {
        emit8(&t->e, (unsigned)i->imm);
    }
    if (host == H_RAX) {
        tr_gpr_put(t, dest, H_RAX);
    }
    if (flags) {
        tr_flags_set(t);
    }
}

/* RDX is a factor, and the address: so the operand is loaded first. */
static void mulx_body(struct tr *t, struct hrm m, const void *arg)
{
    const struct decode *d = &t->in->d;
    unsigned high = t->in->i.r1, low = (unsigned)t->in->i.imm;

    (void)arg;
    emit_load(&t->e, d->size == 3, H_RCX, m);
    emit_mov_rr(&t->e, true, H_RDX, tr_host(R_RDX));
    emit_vex(&t->e, vex_op(d), d->vex_pp, d->size == 3, false, H_RAX, H_RCX, hreg(H_RCX));
    tr_gpr_put(t, low, H_RCX);
    tr_gpr_put(t, high, H_RAX); /* one register: it gets the high half */
}

static bool lower_bmi(struct tr *t)
{
    tr_body *body = t->in->d.row->fns == &fns_mulx ? mulx_body : bmi_body;

    if (!is_memory_ok(t)) {
        return false;
    }
    if (t->in->d.has_mem) {
        tr_mem(t, TR_LOAD, tr_bytes(t), body, NULL, 0);
    } else {
        body(t, tr_gpr(t->in->i.r2), NULL);
    }
    return true;
}

/* ---- bit tests by register, in memory ---- */

/* The bit's number within the operand into RCX; flags are in memory. */
static void bit_number(struct tr *t)
{
    emit_op(&t->e, X_W, 0x8b, H_RCX, tr_gpr(t->in->i.r1));
    emit_alu_imm(&t->e, false, 4, hreg(H_RCX), (int32_t)(8 * tr_bytes(t) - 1));
}

/* On a loaded value; only with LOCK in memory itself. */
static void bit_body(struct tr *t, struct hrm m, const void *arg)
{
    unsigned x = tr_x_size(t), op = O_0F | t->in->d.op;

    (void)arg;
    bit_number(t);
    tr_flags_need(t);
    if (t->in->d.lock && tr_is_smp(t)) {
        emit_op(&t->e, x | X_LOCK, op, H_RCX, m);
    } else {
        emit_op(&t->e, x, 0x8b, H_RAX, m);
        emit_op(&t->e, x, op, H_RCX, hreg(H_RAX));
        if (t->in->d.op != 0xa3) {
            emit_op(&t->e, x, 0x89, H_RAX, m);
        }
    }
    tr_flags_set(t);
}

/* RDX = offset of the operand that has the bit: by whole operands from the one addressed, signed.
 */
static void bit_address(struct tr *t)
{
    unsigned size = t->in->d.size, asize = INSN_ASIZE(&t->in->i);
    struct hrm number = tr_gpr(t->in->i.r1);

    tr_address(t, H_RDX, asize == 2);
    emit_op(&t->e, X_W, size == 3 ? 0x8b : size == 2 ? 0x63 : O_0F | 0xbf, H_RAX, number);
    emit_op(&t->e, X_W, 0xc1, 7, hreg(H_RAX)); /* sar */
    emit8(&t->e, size + 3);
    emit_lea(&t->e, asize == 2, H_RDX, hmem_index(H_RDX, H_RAX, size, 0));
    if (asize == 0) {
        emit_op(&t->e, 0, O_0F | 0xb7, H_RDX, hreg(H_RDX));
    }
}

static bool lower_bit(struct tr *t)
{
    enum tr_access access = t->in->d.op == 0xa3             ? TR_LOAD
                            : t->in->d.lock && tr_is_smp(t) ? TR_LOCK
                                                            : TR_RMW;

    if (!t->in->d.has_mem) {
        return lower_plain(t);
    }
    if (!tr_ea_ok(t)) {
        return false;
    }
    tr_flags_clobber(t);
    bit_address(t);
    tr_seg(t, t->in->i.seg, access, tr_bytes(t));
    tr_mem_at(t, access, tr_bytes(t), bit_body, NULL, 0);
    return true;
}

/* ---- CMPXCHG, XADD ---- */

/* Without LOCK: the parts are quicker than the whole. */
static void xadd_body(struct tr *t, struct hrm m, const void *arg)
{
    unsigned size = t->in->d.size, byte = size == 0 ? 0 : 1, x = tr_x_size(t);

    (void)arg;
    tr_load_sized(t, size, H_RAX, m);
    tr_sized_get(t, t->in->i.r1, size, H_RCX);
    emit_op(&t->e, x, 0x02 | byte, H_RCX, hreg(H_RAX));
    emit_op(&t->e, x, 0x88 | byte, H_RCX, m);
    tr_sized_put(t, t->in->i.r1, size, H_RAX, H_RCX);
    tr_flags_set(t);
}

static bool lower_xadd(struct tr *t)
{
    unsigned size = t->in->d.size, byte = size == 0 ? 0 : 1;
    const struct insn *i = &t->in->i;

    if (t->in->d.has_mem && t->in->d.lock && tr_is_smp(t)) {
        return lower_plain(t);
    }
    if (t->in->d.has_mem) {
        if (!tr_ea_ok(t)) {
            return false;
        }
        if (tr_is_view(t)) { /* the store may fault */
            tr_flags_clobber(t);
        }
        tr_mem_shared(t, TR_RMW, tr_bytes(t), xadd_body, NULL, 0);
        return true;
    }
    t->flags = FL_MEM; /* all are overwritten */
    tr_sized_get(t, i->r2, size, H_RAX);
    tr_sized_get(t, i->r1, size, H_RDX);
    emit_op(&t->e, tr_x_size(t), O_0F | 0xc0 | byte, H_RDX, hreg(H_RAX));
    tr_sized_put(t, i->r1, size, H_RDX, H_RCX);
    tr_sized_put(t, i->r2, size, H_RAX, H_RCX);
    tr_flags_set(t);
    return true;
}

static void cmpxchg_body(struct tr *t, struct hrm m, const void *arg)
{
    unsigned size = t->in->d.size, byte = size == 0 ? 0 : 1;
    bool locked = t->in->d.lock && tr_is_smp(t);

    (void)arg;
    tr_sized_get(t, t->in->i.r1, size, H_RCX);
    emit_mov_rr(&t->e, true, H_RAX, tr_host(R_RAX));
    emit_op(&t->e, tr_x_size(t) | (locked ? X_LOCK : 0), O_0F | 0xb0 | byte, H_RCX, m);
    tr_gpr_put(t, R_RAX, H_RAX);
    tr_flags_set(t);
}

static bool lower_cmpxchg(struct tr *t)
{
    unsigned size = t->in->d.size;

    if (!is_memory_ok(t)) {
        return false;
    }
    if (t->in->d.has_mem) {
        tr_mem(t, t->in->d.lock && tr_is_smp(t) ? TR_LOCK : TR_RMW, tr_bytes(t), cmpxchg_body, NULL,
               0);
        return true;
    }
    tr_sized_get(t, t->in->i.r2, size, H_RDX);
    cmpxchg_body(t, hreg(H_RDX), NULL);
    if (size == 0) {
        tr_byte_put(t, t->in->i.r2, H_RDX, H_RCX);
    } else { /* as a whole: the host left alone what the guest's processor would */
        tr_gpr_put(t, t->in->i.r2, H_RDX);
    }
    return true;
}

/* Four registers are the instruction's own: the address stands where the guest's RAX is kept. */
static void cmpxchg_pair_body(struct tr *t, struct hrm m, const void *arg)
{
    unsigned rax = tr_host(R_RAX), rdx = tr_host(R_RDX);

    (void)arg;
    g_assert(tr_host(R_RBX) == H_RBX);
    tr_flags_need(t);
    emit_mov_rr(&t->e, true, H_RAX, rax);
    emit_mov_rr(&t->e, true, rax, m.reg);
    emit_mov_rr(&t->e, true, H_RDX, rdx);
    emit_mov_rr(&t->e, true, H_RCX, tr_host(R_RCX));
    emit_op(&t->e, x_w(t->in->d.size == 3) | (tr_is_smp(t) ? X_LOCK : 0), O_0F | 0xc7, 1,
            hmem(rax, 0));
    emit_mov_rr(&t->e, true, rax, H_RAX);
    emit_mov_rr(&t->e, true, rdx, H_RDX);
    tr_flags_set(t);
}

static bool lower_cmpxchg_pair(struct tr *t)
{
    unsigned size = 2 * tr_bytes(t);

    if (!tr_ea_ok(t)) {
        return false;
    }
    tr_flags_clobber(t);
    tr_ea(t, TR_LOCK, size);
    if (size == 16) { /* misaligned: #GP */
        emit_op(&t->e, 0, 0xf6, 0, hreg(H_RDX));
        emit8(&t->e, 15);
        tr_bail(t, 5);
    }
    tr_mem_at(t, TR_LOCK, size, cmpxchg_pair_body, NULL, 0);
    return true;
}

/* ---- LAHF, SAHF, XLAT ---- */

static bool lower_lahf(struct tr *t)
{
    emit_mov_rr(&t->e, true, H_RAX, tr_host(R_RAX));
    if (t->flags == FL_MEM) { /* c->fl has them as they are wanted */
        emit_op(&t->e, 0, 0x8a, 4, tr_state_at(offsetof(struct cpu, fl) + 1));
    } else {
        emit8(&t->e, 0x9f);
    }
    emit_mov_rr(&t->e, true, tr_host(R_RAX), H_RAX);
    return true;
}

/* OF stays. */
static bool lower_sahf(struct tr *t)
{
    tr_flags_need(t);
    emit_mov_rr(&t->e, false, H_RAX, tr_host(R_RAX));
    emit8(&t->e, 0x9e);
    tr_flags_set(t);
    return true;
}

static void xlat_body(struct tr *t, struct hrm m, const void *arg)
{
    (void)arg;
    emit_op(&t->e, X_BREG, 0x8a, tr_host(R_RAX), m);
}

static bool lower_xlat(struct tr *t)
{
    unsigned asize = INSN_ASIZE(&t->in->i);

    if (!tr_ea_ok(t)) {
        return false;
    }
    tr_flags_clobber(t);
    tr_byte_get(t, 0, H_RDX);
    emit_lea(&t->e, asize == 2, H_RDX, hmem_index(tr_host(R_RBX), H_RDX, 0, 0));
    if (asize == 0) {
        emit_op(&t->e, 0, O_0F | 0xb7, H_RDX, hreg(H_RDX));
    }
    tr_seg(t, t->in->i.seg, TR_LOAD, 1);
    tr_mem_at(t, TR_LOAD, 1, xlat_body, NULL, 0);
    return true;
}

lower_fn *bit_of(const struct op_fns *fns)
{
    static const struct {
        const struct op_fns *fns;
        lower_fn *fn;
    } table[] = {
        {&fns_andn, lower_bmi},        {&fns_blsr, lower_bmi},
        {&fns_blsmsk, lower_bmi},      {&fns_blsi, lower_bmi},
        {&fns_bextr, lower_bmi},       {&fns_bzhi, lower_bmi},
        {&fns_pdep, lower_bmi},        {&fns_pext, lower_bmi},
        {&fns_mulx, lower_bmi},        {&fns_rorx, lower_bmi},
        {&fns_sarx, lower_bmi},        {&fns_shlx, lower_bmi},
        {&fns_shrx, lower_bmi},        {&fns_bt_g, lower_bit},
        {&fns_bts_g, lower_bit},       {&fns_btr_g, lower_bit},
        {&fns_btc_g, lower_bit},       {&fns_xadd, lower_xadd},
        {&fns_cmpxchg, lower_cmpxchg}, {&fns_cmpxchg8b, lower_cmpxchg_pair},
        {&fns_lahf, lower_lahf},       {&fns_sahf, lower_sahf},
        {&fns_xlat, lower_xlat},
    };

    for (size_t n = 0; n < ARRAY_LEN(table); n++) {
        if (table[n].fns == fns) {
            return table[n].fn;
        }
    }
    return NULL;
}
