/*
 * Near branches in code segments without limits (64-bit and flat 32-bit code).
 *
 * Follows: Intel SDM volume 2; cpu/op_branch.c for what faults where.
 *
 * Not modelled: 16-bit operand sizes and segments with limits: their handlers run.
 */
#include "accel/jit/jit_int.h"
#include "cpu/ops.h"

/* 64-bit code, or flat 32-bit code with 32-bit operands. */
static bool is_flat_branch(const struct tr *t)
{
    unsigned code = t->k->mode & MODE_CODE;

    return t->k->mode & MODE_CS_FLAT &&
           ((code == MODE_CODE64 && t->in->d.size == 3) ||
            (code == MODE_CODE32 && t->in->d.size == 2 &&
             (t->k->mode & (MODE_FLAT | MODE_STACK32)) == (MODE_FLAT | MODE_STACK32)));
}

static bool is_wide(const struct tr *t)
{
    return (t->k->mode & MODE_CODE) == MODE_CODE64;
}

static unsigned width(const struct tr *t)
{
    return is_wide(t) ? 8 : 4;
}

static bool lower_jcc(struct tr *t)
{
    if (!is_flat_branch(t)) {
        return false;
    }
    tr_flags_need(t);
    tr_jcc(t, t->in->d.op & 15, tr_target(t));
    return true;
}

static bool lower_jmp(struct tr *t)
{
    if (!is_flat_branch(t)) {
        return false;
    }
    tr_goto(t, tr_target(t));
    return true;
}

/* ---- calls and returns ---- */

static void move_rsp(struct tr *t, int32_t by)
{
    emit_lea(&t->e, is_wide(t), tr_host(R_RSP), hmem(tr_host(R_RSP), by));
}

static void push_body(struct tr *t, struct hrm m, const void *arg)
{
    uint64_t next = tr_next_ip(t);

    (void)arg;
    if (!is_wide(t) || (uint64_t)(int64_t)(int32_t)next == next) {
        emit_op(&t->e, x_w(is_wide(t)), 0xc7, 0, m);
        emit32(&t->e, (uint32_t)next);
    } else {
        emit_mov_imm(&t->e, H_RAX, next);
        emit_store(&t->e, true, m, H_RAX);
    }
}

/* Store the return address; the pointer is moved by the caller, when nothing can fault. */
static void push_next(struct tr *t)
{
    tr_flags_clobber(t);
    emit_lea(&t->e, is_wide(t), H_RDX, hmem(tr_host(R_RSP), -(int32_t)width(t)));
    tr_mem_at(t, TR_STORE, width(t), push_body, NULL, 0);
    tr_mem_last(t);
}

static bool lower_call(struct tr *t)
{
    if (!is_flat_branch(t)) {
        return false;
    }
    push_next(t);
    move_rsp(t, -(int32_t)width(t));
    tr_goto(t, tr_target(t));
    return true;
}

static void load_body(struct tr *t, struct hrm m, const void *arg)
{
    (void)arg;
    emit_load(&t->e, is_wide(t), H_RAX, m);
}

/* RAX = the operand of an indirect branch; flags are spilled. */
static void load_target(struct tr *t)
{
    if (t->in->d.has_mem) {
        tr_mem(t, TR_LOAD, width(t), load_body, NULL, 0);
    } else {
        tr_flags_clobber(t);
        emit_load(&t->e, is_wide(t), H_RAX, tr_gpr(t->in->i.r2));
    }
}

static bool lower_jmp_e(struct tr *t)
{
    if (!is_flat_branch(t) || (t->in->d.has_mem && !tr_ea_ok(t))) {
        return false;
    }
    load_target(t);
    tr_goto_rax(t, NULL);
    return true;
}

static void commit_call(struct tr *t)
{
    move_rsp(t, -(int32_t)width(t));
}

static bool lower_call_e(struct tr *t)
{
    if (!is_flat_branch(t) || (t->in->d.has_mem && !tr_ea_ok(t))) {
        return false;
    }
    load_target(t);
    emit_store(&t->e, true, tr_state(ip), H_RAX); /* not in use inside blocks */
    push_next(t);
    emit_load(&t->e, true, H_RAX, tr_state(ip));
    tr_goto_rax(t, commit_call);
    return true;
}

static void commit_ret(struct tr *t)
{
    move_rsp(t, (int32_t)(width(t) + (t->in->d.op == 0xc2 ? (uint32_t)t->in->i.imm : 0)));
}

static bool lower_ret(struct tr *t)
{
    if (!is_flat_branch(t)) {
        return false;
    }
    tr_flags_clobber(t);
    emit_mov_rr(&t->e, is_wide(t), H_RDX, tr_host(R_RSP));
    tr_mem_at(t, TR_LOAD, width(t), load_body, NULL, 0);
    tr_goto_rax(t, commit_ret);
    return true;
}

/* ---- LOOPcc, JCXZ ---- */

static bool lower_loop(struct tr *t)
{
    bool wide = INSN_ASIZE(&t->in->i) == 2, dec = t->in->d.op != 0xe3;
    unsigned rcx = tr_host(R_RCX);

    if (!is_flat_branch(t) || INSN_ASIZE(&t->in->i) == 0) {
        return false;
    }
    tr_flags_clobber(t);
    if (dec) {
        emit_lea(&t->e, wide, rcx, hmem(rcx, -1));
    }
    emit_op(&t->e, x_w(wide), 0x85, rcx, hreg(rcx));
    uint8_t *no = NULL;
    if (t->in->d.op < 0xe2) { /* LOOPNE, LOOPE: ZF as well */
        no = emit_jump(&t->e, O_0F | 0x84, NULL);
        emit_op(&t->e, 0, 0xf6, 0, tr_state_at(offsetof(struct cpu, fl) + 1));
        emit8(&t->e, FL_ZF >> 8);
    }
    /* taken: JCXZ when zero; LOOP when not; LOOPE when ZF, LOOPNE when not */
    tr_jcc(t, t->in->d.op == 0xe3 || t->in->d.op == 0xe0 ? 4 : 5, tr_target(t));
    if (no && !t->e.full) {
        emit_patch(no, t->e.p);
    }
    return true;
}

lower_fn *branch_of(const struct op_fns *fns)
{
    static const struct {
        const struct op_fns *fns;
        lower_fn *fn;
    } table[] = {
#define JCC(cc) {&fns_j##cc, lower_jcc},
        FOR_CONDITIONS(JCC){&fns_jmp_j, lower_jmp},
        {&fns_jmp_e, lower_jmp_e},
        {&fns_call_j, lower_call},
        {&fns_call_e, lower_call_e},
        {&fns_ret, lower_ret},
        {&fns_ret_i, lower_ret},
        {&fns_loop, lower_loop},
        {&fns_loope, lower_loop},
        {&fns_loopne, lower_loop},
        {&fns_jcxz, lower_loop},
    };

    for (size_t n = 0; n < ARRAY_LEN(table); n++) {
        if (table[n].fns == fns) {
            return table[n].fn;
        }
    }
    return NULL;
}
