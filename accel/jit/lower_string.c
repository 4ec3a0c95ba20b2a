/*
 * STOS and MOVS, alone and repeated, where both sides lie in one page each that the software TLB
 * has.
 *
 * Follows: Intel SDM volume 2.
 *
 * The host's own instruction does it, on the host's addresses: so what overlaps comes out as it
 * should.  A page at most is done at once, which bounds the time without a look at requests.
 *
 * Not modelled: segments with a base or a limit, 16-bit addresses, addresses narrower than the
 * code's, DF, what goes on in another page: the handlers run.  LODS, CMPS, SCAS, INS, OUTS: those
 * of them.
 */
#include "accel/jit/jit_int.h"
#include "cpu/ops.h"

enum { PFX_REP = 0xf3 };

/* Are RSI and RDI linear addresses, whole? */
static bool is_plain(const struct tr *t, bool has_source)
{
    const struct insn *i = &t->in->i;
    bool has_base = tr_is_64(t) && (i->seg == SEG_FS || i->seg == SEG_GS);

    return INSN_ASIZE(i) + 1u == tr_full_size(t) && t->in->d.code != MODE_CODE16 &&
           tr_seg_is_free(t, SEG_ES) && (!has_source || (tr_seg_is_free(t, i->seg) && !has_base));
}

/* The upper half of an address is not looked at outside 64-bit code, but it is what it was when
 * nothing is done: the handler knows. */
static void bail_unless_short(struct tr *t, unsigned reg)
{
    if (!tr_is_64(t)) {
        emit_mov_rr(&t->e, false, H_RAX, reg);
        emit_op(&t->e, X_W, 0x3b, H_RAX, hreg(reg));
        tr_bail(t, 5);
    }
}

/* RDX = the last offset in a page where the whole run, or element, fits. */
static void find_limit(struct tr *t, bool rep)
{
    unsigned size = t->in->d.size;

    tr_flags_clobber(t);
    emit_op(&t->e, 0, 0xf6, 0, tr_state_at(offsetof(struct cpu, eflags) + 1)); /* test */
    emit8(&t->e, FLAG_DF >> 8);
    tr_bail(t, 5);
    if (!rep) {
        emit_mov_imm(&t->e, H_RDX, PAGE_BYTES - tr_bytes(t));
        return;
    }
    emit_mov_imm(&t->e, H_RDX, PAGE_BYTES >> size);
    emit_op(&t->e, X_W, 0x2b, H_RDX, hreg(tr_host(R_RCX)));
    tr_bail(t, 2);
    if (size) {
        emit_op(&t->e, 0, 0xc1, 4, hreg(H_RDX)); /* shl */
        emit8(&t->e, size);
    }
}

static void emit_rep(struct tr *t, unsigned op)
{
    unsigned size = t->in->d.size;

    emit_mov_rr(&t->e, false, H_RCX, tr_host(R_RCX));
    if (size == 1) {
        emit8(&t->e, 0x66);
    }
    emit8(&t->e, PFX_REP);
    if (size == 3) {
        emit8(&t->e, 0x48);
    }
    emit8(&t->e, size ? op | 1 : op);
    emit_op(&t->e, 0, 0x33, tr_host(R_RCX), hreg(tr_host(R_RCX))); /* xor */
}

/* reg (RSI or RDI) is a host address, by so much: a guest one again. */
static void make_linear(struct tr *t, unsigned reg, unsigned by)
{
    emit_op(&t->e, tr_is_64(t) ? X_W : 0, 0x2b, reg, hreg(by));
}

static void step(struct tr *t, unsigned reg)
{
    emit_lea(&t->e, tr_is_64(t), reg, hmem(reg, (int32_t)tr_bytes(t)));
}

static bool lower_stos(struct tr *t)
{
    unsigned size = t->in->d.size, rdi = tr_host(R_RDI);
    bool rep = t->in->i.disp;

    if (!is_plain(t, false)) {
        return false;
    }
    find_limit(t, rep);
    bail_unless_short(t, rdi);
    tr_mem_run(t, TR_STORE, rdi);
    if (rep) {
        emit_mov_rr(&t->e, true, H_RDX, H_RAX);
        emit_op(&t->e, X_W, 0x03, rdi, hreg(H_RDX));
        emit_mov_rr(&t->e, true, H_RAX, tr_host(R_RAX));
        emit_rep(t, 0xaa);
        make_linear(t, rdi, H_RDX);
    } else {
        emit_op(&t->e, tr_x_size(t) | (size ? 0 : X_BREG), size ? 0x89 : 0x88, tr_host(R_RAX),
                hmem_index(rdi, H_RAX, 0, 0));
        step(t, rdi);
    }
    return true;
}

static bool lower_movs(struct tr *t)
{
    unsigned size = t->in->d.size, rdi = tr_host(R_RDI), rsi = tr_host(R_RSI);
    bool rep = t->in->i.disp;

    if (!is_plain(t, true)) {
        return false;
    }
    find_limit(t, rep);
    bail_unless_short(t, rsi);
    bail_unless_short(t, rdi);
    tr_mem_run(t, TR_STORE, rdi);
    emit_store(&t->e, true, tr_state(ip), H_RAX); /* not in use inside blocks */
    tr_mem_run(t, TR_LOAD, rsi);
    if (rep) {
        emit_mov_rr(&t->e, true, H_RDX, H_RAX);
        emit_load(&t->e, true, H_RAX, tr_state(ip));
        emit_op(&t->e, X_W, 0x03, rsi, hreg(H_RDX));
        emit_op(&t->e, X_W, 0x03, rdi, hreg(H_RAX));
        emit_rep(t, 0xa4);
        make_linear(t, rsi, H_RDX);
        make_linear(t, rdi, H_RAX);
    } else {
        tr_load_sized(t, size, H_RCX, hmem_index(rsi, H_RAX, 0, 0));
        emit_load(&t->e, true, H_RAX, tr_state(ip));
        emit_op(&t->e, tr_x_size(t), size ? 0x89 : 0x88, H_RCX, hmem_index(rdi, H_RAX, 0, 0));
        step(t, rsi);
        step(t, rdi);
    }
    return true;
}

lower_fn *string_of(const struct op_fns *fns)
{
    return fns == &fns_stos ? lower_stos : fns == &fns_movs ? lower_movs : NULL;
}
