/*
 * Near branches.
 *
 * Follows: Intel SDM volume 2; cpu/op_branch.c for what faults where.
 *
 * Not modelled: nothing left out.
 */
#include "accel/jit/jit_int.h"
#include "cpu/ops.h"

static bool lower_jcc(struct tr *t)
{
    tr_flags_need(t);
    tr_jcc(t, t->in->d.op & 15, tr_target(t));
    return true;
}

static bool lower_jmp(struct tr *t)
{
    tr_flags_clobber(t);
    tr_check_target(t, tr_target(t));
    tr_go_on(t, tr_target(t));
    return true;
}

/* ---- calls and returns ---- */

static void push_body(struct tr *t, struct hrm m, const void *arg)
{
    uint64_t next = tr_next_ip(t);
    unsigned size = t->in->d.size;

    (void)arg;
    if (size < 3 || emit_fits(next)) {
        emit_op(&t->e, tr_x_size(t), 0xc7, 0, m);
        if (size == 1) {
            emit16(&t->e, (uint16_t)next);
        } else {
            emit32(&t->e, (uint32_t)next);
        }
    } else {
        emit_mov_imm(&t->e, H_RAX, next);
        emit_store(&t->e, true, m, H_RAX);
    }
}

/* Store the return address; the pointer is moved by the caller, when nothing can fault. */
static void push_next(struct tr *t)
{
    struct cold *k = tr_mem_stack(t, -(int32_t)tr_bytes(t), TR_STORE, push_body, NULL, 0);

    if (k) {
        k->last = true;
    }
}

static bool lower_call(struct tr *t)
{
    tr_flags_clobber(t);
    tr_check_target(t, tr_target(t));
    push_next(t);
    tr_sp_set(t, R_RSP, -(int32_t)tr_bytes(t));
    tr_call(t, tr_target(t));
    return true;
}

static void load_body(struct tr *t, struct hrm m, const void *arg)
{
    (void)arg;
    tr_load_sized(t, t->in->d.size, H_RAX, m);
}

/* RAX = the operand of an indirect branch; flags are spilled. */
static void load_target(struct tr *t)
{
    if (t->in->d.has_mem) {
        tr_flags_clobber(t);
        tr_mem_shared(t, TR_LOAD, tr_bytes(t), load_body, NULL, 0);
    } else {
        tr_flags_clobber(t);
        tr_load_sized(t, t->in->d.size, H_RAX, tr_gpr(t->in->i.r2));
    }
    tr_check_target_rax(t);
}

static bool lower_jmp_e(struct tr *t)
{
    load_target(t);
    tr_goto_rax(t, NULL);
    return true;
}

static void commit_call(struct tr *t)
{
    tr_sp_set(t, R_RSP, -(int32_t)tr_bytes(t));
}

static bool lower_call_e(struct tr *t)
{
    load_target(t);
    emit_store(&t->e, true, tr_state(ip), H_RAX); /* not in use inside blocks */
    push_next(t);
    emit_load(&t->e, true, H_RAX, tr_state(ip));
    tr_call_rax(t, commit_call);
    return true;
}

/* Bytes that a return takes off the stack. */
static unsigned released(const struct tr *t)
{
    return tr_bytes(t) + (t->in->d.op == 0xc2 ? (unsigned)t->in->i.imm : 0);
}

static void commit_ret(struct tr *t)
{
    tr_sp_set(t, R_RSP, (int32_t)released(t));
}

static bool lower_ret(struct tr *t)
{
    tr_flags_clobber(t);
    tr_mem_stack(t, 0, TR_LOAD, load_body, NULL, 0);
    tr_check_target_rax(t);
    tr_ret(t, commit_ret, released(t));
    return true;
}

/* ---- LOOPcc, JCXZ ---- */

static bool lower_loop(struct tr *t)
{
    unsigned asize = INSN_ASIZE(&t->in->i), rcx = tr_host(R_RCX);
    unsigned x = asize == 2 ? X_W : asize == 1 ? 0 : X_66;

    tr_flags_clobber(t);
    tr_check_target(t, tr_target(t)); /* the handler knows whether it is gone to */
    if (t->in->d.op == 0xe3) {
        emit_op(&t->e, x, 0x85, rcx, hreg(rcx)); /* test */
    } else {
        emit_op(&t->e, x, 0x83, 5, hreg(rcx)); /* sub rcx, 1 */
        emit8(&t->e, 1);
    }
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
