/*
 * Integer instructions that take more than their own opcode: fixed registers, constants, exchanges,
 * flag operations.
 *
 * Follows: Intel SDM volume 2.
 *
 * Not modelled: byte forms with AH..BH where that would need more scratch registers, and what is
 * rare: their handlers run.
 */
#include "accel/jit/jit_int.h"
#include "cpu/ops.h"

static unsigned bytes_of(const struct tr *t)
{
    return 1u << t->in->d.size;
}

static unsigned x_size(const struct tr *t)
{
    return t->in->d.size == 3 ? X_W : t->in->d.size == 1 ? X_66 : 0;
}

/* Guest register g = the low bytes of host register `from`, as the operand size writes registers.
 */
static void put_sized(struct tr *t, unsigned g, unsigned from, unsigned size)
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

    if (INSN_ASIZE(i) == 0) {
        return false;
    }
    /* A base that lives in memory is loaded into the result first: not over the index. */
    if (to == H_NONE || size == 1 || (i->index != R_ZERO && tr_host(i->index) == to)) {
        tr_address(t, H_RDX, wide);
        put_sized(t, i->r1, H_RDX, size);
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
    unsigned size = t->in->d.size, x = x_size(t), byte = size == 0 ? 0 : 1;
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

    if (!tr_ea_ok(t)) {
        return false;
    }
    tr_flags_clobber(t);
    emit_mov_imm(&t->e, H_RDX, i->imm);
    if (t->in->d.code == MODE_CODE64 && (i->seg == SEG_FS || i->seg == SEG_GS)) {
        emit_op(&t->e, X_W, 0x03, H_RDX, tr_state_at(offsetof(struct cpu, seg[i->seg].base)));
    }
    tr_mem_at(t, store ? TR_STORE : TR_LOAD, bytes_of(t), moffs_body, NULL, 0);
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
    put_sized(t, R_RDX, H_RDX, size);
    return true;
}

static bool lower_bswap(struct tr *t)
{
    unsigned g = t->in->i.r1, size = t->in->d.size, to = tr_host(g);

    if (size < 2) {
        return false;
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
    tr_flags_need(t);
    emit_op(&t->e, x_size(t), 0xff, t->in->d.op >> 3 & 1, tr_gpr(t->in->i.r1));
    tr_flags_set(t);
    return true;
}

/* ---- exchanges ---- */

static bool exchange(struct tr *t, unsigned a, unsigned b)
{
    unsigned size = t->in->d.size;

    if (size == 0) {
        return false;
    }
    emit_op(&t->e, X_W, 0x8b, H_RAX, tr_gpr(a));
    emit_op(&t->e, X_W, 0x8b, H_RDX, tr_gpr(b));
    put_sized(t, a, H_RDX, size);
    put_sized(t, b, H_RAX, size);
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
    unsigned size = t->in->d.size, g = size ? t->in->i.r1 : t->in->i.r1 >> 3;
    bool locked = t->c->v->m->ncpus > 1;

    (void)arg;
    emit_op(&t->e, X_W, 0x8b, H_RAX, tr_gpr(g));
    if (locked) { /* locks by itself */
        emit_op(&t->e, x_size(t), size ? 0x87 : 0x86, H_RAX, m);
    } else {
        emit_op(&t->e, x_size(t), size ? 0x8b : 0x8a, H_RCX, m);
        emit_op(&t->e, x_size(t), size ? 0x89 : 0x88, H_RAX, m);
        emit_mov_rr(&t->e, true, H_RAX, H_RCX);
    }
    put_sized(t, g, H_RAX, size);
}

static bool lower_xchg(struct tr *t)
{
    if (!t->in->d.has_mem) {
        return exchange(t, t->in->i.r1, t->in->i.r2);
    }
    if (!tr_ea_ok(t) || (t->in->d.size == 0 && t->in->i.r1 & 1)) {
        return false;
    }
    tr_mem(t, t->c->v->m->ncpus > 1 ? TR_LOCK : TR_RMW, bytes_of(t), xchg_body, NULL, 0);
    return true;
}

static void cmpxchg_body(struct tr *t, struct hrm m, const void *arg)
{
    unsigned size = t->in->d.size, g = size ? t->in->i.r1 : t->in->i.r1 >> 3;
    unsigned reg = tr_gpr_get(t, g, H_RCX);

    (void)arg;
    emit_mov_rr(&t->e, true, H_RAX, tr_host(R_RAX));
    emit_op(&t->e,
            x_size(t) | (size ? 0 : X_BREG) | (t->in->d.lock && t->c->v->m->ncpus > 1 ? X_LOCK : 0),
            O_0F | (size ? 0xb1 : 0xb0), reg, m);
    tr_gpr_put(t, R_RAX, H_RAX);
    tr_flags_set(t);
}

static bool lower_cmpxchg(struct tr *t)
{
    if (!t->in->d.has_mem || !tr_ea_ok(t) || (t->in->d.size == 0 && t->in->i.r1 & 1)) {
        return false;
    }
    tr_mem(t, t->in->d.lock && t->c->v->m->ncpus > 1 ? TR_LOCK : TR_RMW, bytes_of(t), cmpxchg_body,
           NULL, 0);
    return true;
}

/* ---- multiplication and division ---- */

static void load_rcx_body(struct tr *t, struct hrm m, const void *arg)
{
    unsigned size = t->in->d.size;

    (void)arg;
    if (size >= 2) {
        emit_load(&t->e, size == 3, H_RCX, m);
    } else { /* movzx */
        emit_op(&t->e, 0, O_0F | 0xb6 | size, H_RCX, m);
    }
}

/* RCX = rm, zero-extended; false: nothing was emitted.  RAX and RDX are lost. */
static bool load_rm(struct tr *t)
{
    const struct insn *i = &t->in->i;

    if (t->in->d.has_mem) {
        if (!tr_ea_ok(t)) {
            return false;
        }
        tr_mem(t, TR_LOAD, bytes_of(t), load_rcx_body, NULL, 0);
        return true;
    }
    if (t->in->d.size == 0) {
        return false;
    }
    emit_op(&t->e, X_W, 0x8b, H_RCX, tr_gpr(i->r2));
    return true;
}

static bool lower_mul(struct tr *t)
{
    unsigned size = t->in->d.size;

    if (size == 0 || !load_rm(t)) {
        return false;
    }
    tr_flags_need(t);
    emit_mov_rr(&t->e, true, H_RAX, tr_host(R_RAX));
    emit_op(&t->e, x_size(t), 0xf7, t->in->d.modrm >> 3 & 7, hreg(H_RCX));
    put_sized(t, R_RAX, H_RAX, size);
    put_sized(t, R_RDX, H_RDX, size);
    tr_flags_set(t);
    return true;
}

static void divide(struct tr *t, unsigned ext, uint8_t *bad[2])
{
    unsigned size = t->in->d.size;

    tr_flags_need(t);
    emit_mov_rr(&t->e, true, H_RAX, tr_host(R_RAX));
    emit_mov_rr(&t->e, true, H_RDX, tr_host(R_RDX));
    emit_op(&t->e, x_w(size == 3), 0xf7, ext, hreg(H_RCX));
    put_sized(t, R_RAX, H_RAX, size);
    put_sized(t, R_RDX, H_RDX, size);
    tr_flags_set(t);
    for (unsigned n = 0; n < 2; n++) {
        if (bad[n]) {
            tr_cold_handler(t, bad[n]);
        }
    }
}

/* No fault, and the host's instruction does it, when the high half is below the divisor. */
static bool lower_div(struct tr *t)
{
    uint8_t *bad[2] = {0};

    if (t->in->d.size < 2 || !load_rm(t)) {
        return false;
    }
    tr_flags_clobber(t);
    emit_op(&t->e, x_w(t->in->d.size == 3), 0x3b, tr_host(R_RDX), hreg(H_RCX));
    bad[0] = emit_jump(&t->e, O_0F | 0x83, NULL);
    divide(t, 6, bad);
    return true;
}

/* Likewise when the dividend is a sign-extended half and the divisor neither 0 nor -1. */
static bool lower_idiv(struct tr *t)
{
    bool wide = t->in->d.size == 3;
    uint8_t *bad[2];

    if (t->in->d.size < 2 || !load_rm(t)) {
        return false;
    }
    tr_flags_clobber(t);
    emit_mov_rr(&t->e, true, H_RAX, tr_host(R_RAX));
    if (wide) {
        emit8(&t->e, 0x48);
    }
    emit8(&t->e, 0x99); /* cdq, cqo */
    emit_op(&t->e, x_w(wide), 0x3b, H_RDX, hreg(tr_host(R_RDX)));
    bad[0] = emit_jump(&t->e, O_0F | 0x85, NULL);
    emit_lea(&t->e, wide, H_RAX, hmem(H_RCX, 1));
    emit_alu_imm(&t->e, wide, 7, hreg(H_RAX), 1);
    bad[1] = emit_jump(&t->e, O_0F | 0x86, NULL);
    divide(t, 7, bad);
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
        {&fns_nop, lower_nop},         {&fns_lea, lower_lea},         {&fns_mov_zi, lower_mov_zi},
        {&fns_mov_ao, lower_moffs},    {&fns_mov_oa, lower_moffs},    {&fns_cbw, lower_cbw},
        {&fns_cwd, lower_cwd},         {&fns_bswap, lower_bswap},     {&fns_inc_z, lower_inc_z},
        {&fns_dec_z, lower_inc_z},     {&fns_xchg_za, lower_xchg_za}, {&fns_xchg, lower_xchg},
        {&fns_cmpxchg, lower_cmpxchg}, {&fns_mul, lower_mul},         {&fns_imul, lower_mul},
        {&fns_div, lower_div},         {&fns_idiv, lower_idiv},       {&fns_clc, lower_carry},
        {&fns_stc, lower_carry},       {&fns_cmc, lower_carry},       {&fns_cld, lower_direction},
        {&fns_std, lower_direction},   {&fns_mfence, lower_fence},
    };

    for (size_t n = 0; n < ARRAY_LEN(table); n++) {
        if (table[n].fns == fns) {
            return table[n].fn;
        }
    }
    return NULL;
}
