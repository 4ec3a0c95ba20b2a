/*
 * PUSH, POP and LEAVE on flat stacks of the code's own width.
 *
 * Follows: Intel SDM volume 2.
 *
 * Not modelled: other operand sizes, stacks with limits, PUSHA, POPA, ENTER, POP to memory: their
 * handlers run.
 */
#include "accel/jit/jit_int.h"
#include "cpu/ops.h"

static bool is_wide(const struct tr *t)
{
    return (t->k->mode & MODE_CODE) == MODE_CODE64;
}

static unsigned width(const struct tr *t)
{
    return is_wide(t) ? 8 : 4;
}

static bool is_flat_stack(const struct tr *t)
{
    unsigned need = MODE_FLAT | MODE_STACK32;

    return is_wide(t) ? t->in->d.size == 3
                      : (t->k->mode & MODE_CODE) == MODE_CODE32 && t->in->d.size == 2 &&
                            (t->k->mode & need) == need;
}

static void move_rsp(struct tr *t, unsigned from, int32_t by)
{
    emit_lea(&t->e, is_wide(t), tr_host(R_RSP), hmem(from, by));
}

/* What is pushed: a register (arg[0] = 1, arg[1] = number) or the immediate. */
static void push_body(struct tr *t, struct hrm m, const void *arg)
{
    const uint8_t *a = arg;

    if (a[0]) {
        unsigned reg = tr_gpr_get(t, a[1], H_RAX);

        emit_store(&t->e, is_wide(t), m, reg);
    } else {
        emit_op(&t->e, x_w(is_wide(t)), 0xc7, 0, m);
        emit32(&t->e, (uint32_t)t->in->i.imm);
    }
    move_rsp(t, tr_host(R_RSP), -(int32_t)width(t));
}

static void push(struct tr *t, bool is_reg, unsigned reg)
{
    uint8_t arg[2] = {is_reg, (uint8_t)reg};

    tr_flags_clobber(t);
    emit_lea(&t->e, is_wide(t), H_RDX, hmem(tr_host(R_RSP), -(int32_t)width(t)));
    tr_mem_at(t, TR_STORE, width(t), push_body, arg, sizeof arg);
}

static bool lower_push_z(struct tr *t)
{
    if (!is_flat_stack(t)) {
        return false;
    }
    push(t, true, t->in->i.r1);
    return true;
}

static bool lower_push_i(struct tr *t)
{
    if (!is_flat_stack(t)) {
        return false;
    }
    push(t, false, 0);
    return true;
}

/* From memory: by way of c->ip, which is not in use inside blocks. */
static void load_body(struct tr *t, struct hrm m, const void *arg)
{
    (void)arg;
    emit_load(&t->e, is_wide(t), H_RAX, m);
    emit_store(&t->e, true, tr_state(ip), H_RAX);
}

static void push_ip_body(struct tr *t, struct hrm m, const void *arg)
{
    (void)arg;
    emit_load(&t->e, true, H_RAX, tr_state(ip));
    emit_store(&t->e, is_wide(t), m, H_RAX);
    move_rsp(t, tr_host(R_RSP), -(int32_t)width(t));
}

static bool lower_push_e(struct tr *t)
{
    if (!is_flat_stack(t)) {
        return false;
    }
    if (!t->in->d.has_mem) {
        push(t, true, t->in->i.r2);
        return true;
    }
    if (!tr_ea_ok(t)) {
        return false;
    }
    tr_mem(t, TR_LOAD, width(t), load_body, NULL, 0);
    emit_lea(&t->e, is_wide(t), H_RDX, hmem(tr_host(R_RSP), -(int32_t)width(t)));
    tr_mem_at(t, TR_STORE, width(t), push_ip_body, NULL, 0);
    return true;
}

static void pop_body(struct tr *t, struct hrm m, const void *arg)
{
    unsigned g = *(const uint8_t *)arg, h = tr_host(g);

    if (h == H_NONE) {
        emit_load(&t->e, is_wide(t), H_RAX, m);
        tr_gpr_put(t, g, H_RAX);
    } else {
        emit_load(&t->e, is_wide(t), h, m);
    }
    if (g != R_RSP) {
        move_rsp(t, tr_host(R_RSP), (int32_t)width(t));
    }
}

static bool pop(struct tr *t, uint8_t g)
{
    if (!is_flat_stack(t)) {
        return false;
    }
    tr_flags_clobber(t);
    emit_mov_rr(&t->e, is_wide(t), H_RDX, tr_host(R_RSP));
    tr_mem_at(t, TR_LOAD, width(t), pop_body, &g, sizeof g);
    return true;
}

static bool lower_pop_z(struct tr *t)
{
    return pop(t, t->in->i.r1);
}

static bool lower_pop_e(struct tr *t)
{
    return !t->in->d.has_mem && pop(t, t->in->i.r2);
}

static void leave_body(struct tr *t, struct hrm m, const void *arg)
{
    (void)arg;
    emit_load(&t->e, is_wide(t), H_RAX, m);
    move_rsp(t, tr_host(R_RBP), (int32_t)width(t));
    emit_mov_rr(&t->e, true, tr_host(R_RBP), H_RAX);
}

static bool lower_leave(struct tr *t)
{
    if (!is_flat_stack(t)) {
        return false;
    }
    tr_flags_clobber(t);
    emit_mov_rr(&t->e, is_wide(t), H_RDX, tr_host(R_RBP));
    tr_mem_at(t, TR_LOAD, width(t), leave_body, NULL, 0);
    return true;
}

lower_fn *stack_of(const struct op_fns *fns)
{
    return fns == &fns_push_z   ? lower_push_z
           : fns == &fns_push_i ? lower_push_i
           : fns == &fns_push_e ? lower_push_e
           : fns == &fns_pop_z  ? lower_pop_z
           : fns == &fns_pop_e  ? lower_pop_e
           : fns == &fns_leave  ? lower_leave
                                : NULL;
}
