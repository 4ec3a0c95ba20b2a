/*
 * Integer instructions that take more than their own opcode: fixed registers, constants, exchanges,
 * flag operations.
 *
 * Follows: Intel SDM volume 2.
 *
 * Not modelled: what is rare (BCD arithmetic, BOUND, SALC): handlers run.
 */
#include "accel/jit/jit_int.h"
#include "cpu/ops.h"

/* ---- moves ---- */

static bool lower_nop(struct tr *t)
{
    (void)t;
    return true;
}

static bool lower_lea(struct tr *t)
{
    const struct insn *i = &t->in->i;
    unsigned size = t->in->d.size, to = tr_host(i->r1);
    bool wide = size == 3 && INSN_ASIZE(i) == 2;

    /* A base that lives in memory is loaded into the result first: not over the index. */
    if (to == H_NONE || size == 1 || (i->index != R_ZERO && tr_host(i->index) == to)) {
        tr_address(t, H_RDX, wide);
        tr_gpr_put_sized(t, i->r1, H_RDX, size);
    } else {
        tr_address(t, to, wide);
    }
    return true;
}

static bool lower_mov_zi(struct tr *t)
{
    const struct insn *i = &t->in->i;
    unsigned size = t->in->d.size;

    if (size >= 2) {
        unsigned to = tr_host(i->r1);
        uint64_t val = size == 2 ? (uint32_t)i->imm : i->imm;

        if (to == H_NONE) {
            emit_mov_imm(&t->e, H_RAX, val);
            tr_gpr_put(t, i->r1, H_RAX);
        } else {
            emit_mov_imm(&t->e, to, val);
        }
    } else if (size == 1) {
        emit_op(&t->e, X_66, 0xc7, 0, tr_gpr(i->r1));
        emit16(&t->e, (unsigned)i->imm);
    } else if (!(i->r1 & 1)) {
        emit_op(&t->e, X_BRM, 0xc6, 0, tr_gpr(i->r1 >> 3));
        emit8(&t->e, (unsigned)i->imm);
    } else {
        emit_op(&t->e, X_W, 0x8b, H_RAX, tr_gpr(i->r1 >> 3));
        emit8(&t->e, 0xb4); /* mov ah, imm8 */
        emit8(&t->e, (unsigned)i->imm);
        tr_gpr_put(t, i->r1 >> 3, H_RAX);
    }
    return true;
}

static void moffs_body(struct tr *t, struct hrm m, const void *arg)
{
    unsigned size = t->in->d.size, x = tr_x_size(t), byte = size == 0 ? 0 : 1;
    unsigned acc = tr_host(R_RAX);

    (void)arg;
    if (t->in->d.op >= 0xa2) {
        emit_op(&t->e, x | (byte ? 0 : X_BREG), 0x88 | byte, acc, m);
    } else {
        emit_op(&t->e, x | (byte ? 0 : X_BREG), 0x8a | byte, acc, m);
    }
}

/* A constant address of its own width. */
static bool lower_moffs(struct tr *t)
{
    const struct insn *i = &t->in->i;
    bool store = t->in->d.op >= 0xa2;

    tr_flags_clobber(t);
    emit_mov_imm(&t->e, H_RDX, i->imm);
    tr_seg(t, i->seg, store ? TR_STORE : TR_LOAD, tr_bytes(t));
    tr_mem_at(t, store ? TR_STORE : TR_LOAD, tr_bytes(t), moffs_body, NULL, 0);
    return true;
}

static bool lower_cbw(struct tr *t)
{
    unsigned rax = tr_host(R_RAX), size = t->in->d.size;

    if (size == 3) {
        emit_op(&t->e, X_W, 0x63, rax, hreg(rax));
    } else if (size == 2) {
        emit_op(&t->e, 0, O_0F | 0xbf, rax, hreg(rax));
    } else {
        emit_op(&t->e, X_66 | X_BRM, O_0F | 0xbe, rax, hreg(rax));
    }
    return true;
}

static bool lower_cwd(struct tr *t)
{
    unsigned size = t->in->d.size;

    emit_mov_rr(&t->e, true, H_RAX, tr_host(R_RAX));
    if (size == 3) {
        emit8(&t->e, 0x48);
    } else if (size == 1) {
        emit8(&t->e, 0x66);
    }
    emit8(&t->e, 0x99);
    tr_gpr_put_sized(t, R_RDX, H_RDX, size);
    return true;
}

static bool lower_bswap(struct tr *t)
{
    unsigned g = t->in->i.r1, size = t->in->d.size, to = tr_host(g);

    if (size == 1) { /* what processors make of it */
        emit_op(&t->e, X_66, 0xc7, 0, tr_gpr(g));
        emit16(&t->e, 0);
        return true;
    }
    unsigned reg = tr_gpr_get(t, g, H_RAX);
    emit8(&t->e, 0x40 | (size == 3 ? 8 : 0) | (reg & 8) >> 3);
    emit8(&t->e, 0x0f);
    emit8(&t->e, 0xc8 | (reg & 7));
    if (to == H_NONE) {
        tr_gpr_put(t, g, reg);
    }
    return true;
}

/* The one-byte INC and DEC of 16- and 32-bit code. */
static bool lower_inc_z(struct tr *t)
{
    tr_flags_need_carry(t);
    emit_op(&t->e, tr_x_size(t), 0xff, t->in->d.op >> 3 & 1, tr_gpr(t->in->i.r1));
    tr_flags_set(t);
    return true;
}

/* ---- exchanges ---- */

static bool exchange(struct tr *t, unsigned a, unsigned b)
{
    unsigned size = t->in->d.size;

    tr_sized_get(t, a, size, H_RAX);
    tr_sized_get(t, b, size, H_RDX);
    tr_sized_put(t, a, size, H_RDX, H_RCX);
    tr_sized_put(t, b, size, H_RAX, H_RCX);
    return true;
}

static bool lower_xchg_za(struct tr *t)
{
    if (t->in->d.op == 0x90 && t->in->i.r1 == R_RAX) {
        return true; /* NOP */
    }
    return exchange(t, R_RAX, t->in->i.r1);
}

static void xchg_body(struct tr *t, struct hrm m, const void *arg)
{
    unsigned size = t->in->d.size, x = tr_x_size(t), g = t->in->i.r1;

    (void)arg;
    tr_sized_get(t, g, size, H_RAX);
    if (tr_is_smp(t)) { /* locks by itself */
        emit_op(&t->e, x, size ? 0x87 : 0x86, H_RAX, m);
    } else {
        emit_op(&t->e, x, size ? 0x8b : 0x8a, H_RCX, m);
        emit_op(&t->e, x, size ? 0x89 : 0x88, H_RAX, m);
        emit_mov_rr(&t->e, true, H_RAX, H_RCX);
    }
    tr_sized_put(t, g, size, H_RAX, H_RCX);
}

static bool lower_xchg(struct tr *t)
{
    if (!t->in->d.has_mem) {
        return exchange(t, t->in->i.r1, t->in->i.r2);
    }
    if (!tr_ea_ok(t)) {
        return false;
    }
    tr_mem_shared(t, tr_is_smp(t) ? TR_LOCK : TR_RMW, tr_bytes(t), xchg_body, NULL, 0);
    return true;
}

/* ---- multiplication and division ---- */

static void load_rcx_body(struct tr *t, struct hrm m, const void *arg)
{
    (void)arg;
    tr_load_sized(t, t->in->d.size, H_RCX, m);
}

/* RCX = rm, zero-extended; false: nothing was emitted.  RAX and RDX are lost. */
static bool load_rm(struct tr *t)
{
    const struct insn *i = &t->in->i;

    if (t->in->d.has_mem) {
        if (!tr_ea_ok(t)) {
            return false;
        }
        tr_mem_shared(t, TR_LOAD, tr_bytes(t), load_rcx_body, NULL, 0);
        return true;
    }
    tr_sized_get(t, i->r2, t->in->d.size, H_RCX);
    return true;
}

/* rDX:rAX, or AX, from the host's. */
static void put_pair(struct tr *t)
{
    unsigned size = t->in->d.size;

    tr_gpr_put_sized(t, R_RAX, H_RAX, size ? size : 1);
    if (size) {
        tr_gpr_put_sized(t, R_RDX, H_RDX, size);
    }
}

static bool lower_mul(struct tr *t)
{
    unsigned size = t->in->d.size;

    if (!load_rm(t)) {
        return false;
    }
    tr_flags_need(t);
    emit_mov_rr(&t->e, true, H_RAX, tr_host(R_RAX));
    emit_op(&t->e, tr_x_size(t), size ? 0xf7 : 0xf6, t->in->d.modrm >> 3 & 7, hreg(H_RCX));
    put_pair(t);
    tr_flags_set(t);
    return true;
}

static void divide(struct tr *t, unsigned ext)
{
    tr_flags_need(t);
    emit_mov_rr(&t->e, true, H_RAX, tr_host(R_RAX));
    emit_mov_rr(&t->e, true, H_RDX, tr_host(R_RDX));
    emit_op(&t->e, tr_x_size(t), t->in->d.size ? 0xf7 : 0xf6, ext, hreg(H_RCX));
    put_pair(t);
    tr_flags_set(t);
}

/* No fault, and the host's instruction does it, when the high half is below the divisor. */
static bool lower_div(struct tr *t)
{
    if (!load_rm(t)) {
        return false;
    }
    tr_flags_clobber(t);
    if (t->in->d.size == 0) { /* AH */
        tr_byte_get(t, 1, H_RAX);
        emit_op(&t->e, 0, 0x3a, H_RAX, hreg(H_RCX));
    } else {
        emit_op(&t->e, tr_x_size(t), 0x3b, tr_host(R_RDX), hreg(H_RCX));
    }
    tr_bail(t, 3);
    divide(t, 6);
    return true;
}

/* RAX, RDX or AX = the low half of the dividend, sign-extended, and the flags of comparing its
 * high half with what it is. */
static void compare_sign(struct tr *t)
{
    unsigned x = tr_x_size(t), rax = tr_host(R_RAX);

    if (t->in->d.size == 0) {
        emit_op(&t->e, X_BRM, O_0F | 0xbe, H_RAX, hreg(rax)); /* movsx */
        emit_op(&t->e, X_66, 0x3b, H_RAX, hreg(rax));
    } else {
        emit_mov_rr(&t->e, true, H_RAX, rax);
        if (x) {
            emit8(&t->e, x == X_W ? 0x48 : 0x66);
        }
        emit8(&t->e, 0x99); /* cwd, cdq, cqo */
        emit_op(&t->e, x, 0x3b, H_RDX, hreg(tr_host(R_RDX)));
    }
}

/* Likewise when the dividend is a sign-extended half and the divisor neither 0 nor -1. */
static bool lower_idiv(struct tr *t)
{
    unsigned size = t->in->d.size;

    if (!load_rm(t)) {
        return false;
    }
    tr_flags_clobber(t);
    compare_sign(t);
    tr_bail(t, 5);
    emit_lea(&t->e, size == 3, H_RAX, hmem(H_RCX, 1));
    emit_op(&t->e, tr_x_size(t), size ? 0x83 : 0x80, 7, hreg(H_RAX));
    emit8(&t->e, 1);
    tr_bail(t, 6);
    divide(t, 7);
    return true;
}

/* ---- flags ---- */

/* CLC, STC, CMC: one byte each. */
static bool lower_carry(struct tr *t)
{
    tr_flags_need(t);
    emit8(&t->e, t->in->d.op);
    tr_flags_set(t);
    return true;
}

static bool lower_direction(struct tr *t)
{
    tr_flags_clobber(t);
    emit_op(&t->e, 0, 0x81, t->in->d.op == 0xfc ? 4 : 1, tr_state(eflags));
    emit32(&t->e, t->in->d.op == 0xfc ? ~(uint32_t)FLAG_DF : FLAG_DF);
    return true;
}

static bool lower_fence(struct tr *t)
{
    emit8(&t->e, 0x0f);
    emit8(&t->e, 0xae);
    emit8(&t->e, t->in->d.modrm);
    return true;
}

lower_fn *misc_of(const struct op_fns *fns)
{
    static const struct {
        const struct op_fns *fns;
        lower_fn *fn;
    } table[] = {
        {&fns_nop, lower_nop},      {&fns_lea, lower_lea},         {&fns_mov_zi, lower_mov_zi},
        {&fns_mov_ao, lower_moffs}, {&fns_mov_oa, lower_moffs},    {&fns_cbw, lower_cbw},
        {&fns_cwd, lower_cwd},      {&fns_bswap, lower_bswap},     {&fns_inc_z, lower_inc_z},
        {&fns_dec_z, lower_inc_z},  {&fns_xchg_za, lower_xchg_za}, {&fns_xchg, lower_xchg},
        {&fns_mul, lower_mul},      {&fns_imul, lower_mul},        {&fns_div, lower_div},
        {&fns_idiv, lower_idiv},    {&fns_clc, lower_carry},       {&fns_stc, lower_carry},
        {&fns_cmc, lower_carry},    {&fns_cld, lower_direction},   {&fns_std, lower_direction},
        {&fns_mfence, lower_fence},
    };

    for (size_t n = 0; n < ARRAY_LEN(table); n++) {
        if (table[n].fns == fns) {
            return table[n].fn;
        }
    }
    return NULL;
}
